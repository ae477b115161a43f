# Broken if this fails: the packed form of a model is not shared, is shared too
# early, outlives what it shows, fills the disk, or is used when it is damaged.
# Also run with assertions.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = embed_node('main', 'autovacuum = off', 'embed.progress = off');
my $directory = $node->data_dir . '/base/pgsql_tmp';

$node->safe_psql('postgres', q{
	CREATE TABLE texts AS SELECT 'word' || i || ' word' || i % 100 AS body FROM generate_series(1, 5000) i;
	SELECT train_vocabulary('terms', 'SELECT body FROM texts');
});
my $known = q{SELECT one_hot('terms', 'word7') IS NOT NULL, one_hot('terms', 'changed') IS NOT NULL};

sub images
{
	opendir(my $handle, $directory) or return ();
	my @files = grep { /^pgsql_tmp_embed\./ } readdir($handle);
	closedir($handle);
	return sort @files;
}

sub image_is
{
	my ($count, $what) = @_;
	my @files = images();

	is(scalar(@files), $count, $what) or diag(join("\n", @files));
	return $files[0];
}

# --- private while uncommitted, then shared

image_is(0, 'no image before the first use');
$node->safe_psql('postgres', "BEGIN; UPDATE terms SET term = 'changed' WHERE term = 'word7'; $known; ROLLBACK");
image_is(0, 'none of uncommitted changes');
$node->safe_psql('postgres', "BEGIN; SELECT train_vocabulary('mine', 'SELECT body FROM texts'); SELECT one_hot('mine', 'word7'); ROLLBACK");
image_is(0, 'nor of an uncommitted model');
is($node->safe_psql('postgres', $known), 't|f', 'first use');
my $first = image_is(1, 'makes one image');
my $name = $node->safe_psql('postgres', q{SELECT format('pgsql_tmp_embed.%s.%s.%s.', d.oid, c.oid, c.relfilenode)
	FROM pg_database d, pg_class c WHERE d.datname = current_database() AND c.oid = 'terms'::regclass});
like($first, qr/^\Q$name\E[0-9A-F]{20}$/, 'named by database, table, file of the table, and version');
my ($inode, $mode) = (stat("$directory/$first"))[ 1, 2 ];
is($mode & 07777, 0600, 'readable by the server alone');
is($node->safe_psql('postgres', "$known; SELECT string_agg(l, '') FROM regexp_split_to_table(pg_read_file('/proc/' || pg_backend_pid() || '/maps'), E'\\n') l WHERE l ~ 'pgsql_tmp_embed'") =~ / r--s .* $inode .*\Q$first\E/,
	1, 'another backend maps that file, shared and read-only');
is((stat("$directory/$first"))[1], $inode, 'and does not build it again');

# --- each version has its own; older ones go

$node->safe_psql('postgres', "UPDATE terms SET term = 'changed' WHERE term = 'word7'");
is($node->safe_psql('postgres', $known), 'f|t', 'after a change');
isnt(image_is(1, 'one image still'), $first, 'another one');
$node->safe_psql('postgres', 'VACUUM FULL terms');
is($node->safe_psql('postgres', $known), 'f|t', 'after VACUUM FULL');
image_is(1, 'one image still');

# An aborted load makes the table longer and VACUUM shorter again, without
# another version: the image of the longer table is not trusted, but built again.
$node->safe_psql('postgres', q{BEGIN; INSERT INTO terms SELECT i, 'gone' || i, 1, 1 FROM generate_series(10001, 30000) i; ROLLBACK});
is($node->safe_psql('postgres', "SELECT embed_images(clear => true) \\g /dev/null\n$known"), 'f|t', 'after an aborted load');
my $long = image_is(1, 'one image');
my $log_before = -s $node->logfile;
$node->safe_psql('postgres', 'VACUUM terms');
is($node->safe_psql('postgres', $known), 'f|t', 'after VACUUM made the table shorter');
is(image_is(1, 'one image'), $long, 'of the same version');
like(slurp_file($node->logfile, $log_before), qr/is rebuilt/, 'built again');

# --- damaged, foreign and unfinished files

sub spoil
{
	my ($what, $spoil, $reason) = @_;
	my ($file) = images();
	my $log = -s $node->logfile;

	$spoil->("$directory/$file");
	is($node->safe_psql('postgres', $known), 'f|t', "$what: the answer is right");
	is(image_is(1, "$what: one image"), $file, "$what: under the same name");
	ok($node->safe_psql('postgres', $known) eq 'f|t' && slurp_file($node->logfile, $log) =~ /is rebuilt\n.*The file cannot be used: \Q$reason\E/,
		"$what: the log tells why");
	return;
}

sub overwrite
{
	my ($file, $position, $bytes) = @_;

	open(my $handle, '+<', $file) or die "$file: $!";
	binmode($handle);
	seek($handle, $position, 0);
	print $handle $bytes;
	close($handle);
	return;
}

# Change a field of the header and give it the right checksum again.
sub change
{
	my ($file, $position, $bytes) = @_;

	overwrite($file, $position, $bytes);
	overwrite($file, 68, "\0" x 4);
	my $crc = 0xFFFFFFFF;
	foreach my $byte (unpack('C*', substr(slurp_file($file), 0, 456)))
	{
		$crc ^= $byte;
		$crc = ($crc >> 1) ^ (0x82F63B78 * ($crc & 1)) foreach 1 .. 8;
	}
	overwrite($file, 68, pack('L', $crc ^ 0xFFFFFFFF));
	return;
}
spoil('empty', sub { truncate($_[0], 0) }, 'it is too short');
spoil('cut in the header', sub { truncate($_[0], 100) }, 'it is too short');
spoil('cut in the body', sub { truncate($_[0], 10000) }, 'its size is wrong');
spoil('longer', sub { overwrite($_[0], -s $_[0], 'x' x 100) }, 'its size is wrong');
spoil('another magic', sub { overwrite($_[0], 0, 'GARBAGE!') }, 'it does not begin like an image');
spoil('another layout', sub { overwrite($_[0], 8, "\xff") }, 'it has another format');
spoil('a field without its checksum', sub { overwrite($_[0], 72, "\xff" x 8) }, 'its header is damaged');
spoil('random bytes', sub { srand(7); overwrite($_[0], 0, join('', map { chr(int(rand(256))) } 1 .. 456)) },
	'it does not begin like an image');
spoil('another format', sub { change($_[0], 12, pack('L', 77)) }, 'it has another format');
spoil('another version', sub { change($_[0], 24, pack('L', 77)) }, 'it belongs to something else');
spoil('another description', sub { change($_[0], 40, pack('Q', 77)) }, 'it belongs to something else');
spoil('another database', sub { change($_[0], 56, pack('L', 77)) }, 'it belongs to something else');
spoil('another size', sub { change($_[0], 48, pack('Q', 77)) }, 'its size is wrong');
spoil('a longer table', sub { change($_[0], 60, pack('L', 77777)) }, 'the table is shorter now');
spoil('another number of sections', sub { change($_[0], 64, pack('L', 24)) }, 'it has another number of sections');
spoil('a section beyond the end', sub { change($_[0], 72, pack('Q', 1 << 40)) }, 'a section lies outside of it');
spoil('a section out of line', sub { change($_[0], 72, pack('Q', 457)) }, 'a section lies outside of it');
spoil('a section longer than the file', sub { change($_[0], 264, pack('Q', ~0)) }, 'a section lies outside of it');
$node->safe_psql('postgres', q{SELECT train_vocabulary('other', 'SELECT ''other words'''); SELECT one_hot('other', 'words')});
my ($terms) = grep { !/\Q@{[ $node->safe_psql('postgres', q{SELECT 'other'::regclass::oid}) ]}\E/ } images();
my ($other) = grep { $_ ne $terms } images();
system('cp', "$directory/$other", "$directory/$terms") == 0 or die;
is($node->safe_psql('postgres', $known), 'f|t', 'the file of another model is not used');
$node->safe_psql('postgres', 'DROP TABLE other');

# what a builder that died left, what no longer has a table or database
append_to_file("$directory/$terms.1", 'unfinished');
append_to_file("$directory/pgsql_tmp_embed.99999.1.1.000000000000000000000000", 'of a dropped database');
append_to_file("$directory/pgsql_tmp_embed.unreadable", 'not ours to judge');
append_to_file("$directory/pgsql_tmp1.0", 'a temporary file of the server');
$node->safe_psql('postgres', "UPDATE terms SET term = 'other9' WHERE term = 'word9'; $known");
is(join(' ', grep { !/unreadable/ } images()) =~ /^\S+$/, 1, 'a builder removes what is left behind')
	or diag(join("\n", images()));
ok(-e "$directory/pgsql_tmp1.0" && -e "$directory/pgsql_tmp_embed.unreadable", 'and nothing else');

# --- shown and cleared

is($node->safe_psql('postgres', "SELECT model, bytes > 10000, created > now() - interval '1 hour', version = model_version('terms') FROM embed_images()"),
	'terms|t|t|t', 'embed_images shows it');
$node->safe_psql('postgres', 'SELECT embed_images(clear => true)');
is(scalar(grep { !/unreadable/ } images()), 0, 'and clears it');
is($node->safe_psql('postgres', $known), 'f|t', 'to be built again');

# --- nightly retraining

my $used = sub { my $sum = 0; $sum += -s "$directory/$_" foreach images(); return $sum; };
my $before = $used->();
my $table = q{SELECT pg_total_relation_size('terms')};
$node->safe_psql('postgres', q{SELECT train_vocabulary('terms', 'SELECT body FROM texts', replace => true); VACUUM terms;
	SELECT train_vocabulary('terms', 'SELECT body FROM texts', replace => true); VACUUM terms});
my $size = $node->safe_psql('postgres', $table);
my $wrong = 0;
foreach my $night (1 .. 50)
{
	my ($status, $answer) = $node->psql('postgres', qq{
		SELECT train_vocabulary('terms', 'SELECT CASE WHEN body ~ ''word7 '' THEN ''night$night'' ELSE body END FROM texts', replace => true) \\g /dev/null
		SELECT one_hot('terms', 'night$night') IS NOT NULL AND one_hot('terms', 'night' || $night - 1) IS NULL;
		VACUUM terms});
	$wrong++ if $answer ne 't';
}
is($wrong, 0, '50 retrainings, each used at once');
ok(abs($used->() - $before) < 100000 && scalar(grep { !/unreadable/ } images()) == 1,
	"images take as much as before: $before bytes, then " . $used->());
my $size_after = $node->safe_psql('postgres', $table);
ok($size_after <= $size * 2, "so does the table, vacuumed in between, but for room for the next night: $size bytes, then $size_after");

# --- two builders at once, and more: every first use finds the lock or the file

$node->safe_psql('postgres', q{INSERT INTO terms SELECT i, 'long' || i, 1, 1 FROM generate_series(6000, 8000) i});
foreach my $round (1 .. 3)
{
	my @sessions;
	my @answers;

	$node->safe_psql('postgres', 'SELECT embed_images(clear => true)');
	foreach my $i (0 .. 7)
	{
		$answers[$i] = '';
		push @sessions, IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c',
				q{SELECT one_hot('terms', 'long7000') IS NOT NULL} ], '>', \$answers[$i], '2>&1');
	}
	$_->finish foreach @sessions;
	is(join('', @answers), "t\n" x 8, "eight first users at once, round $round");
	is(scalar(grep { !/unreadable/ } images()), 1, 'one image');
}

# --- who waits for a builder can be cancelled; a builder that is terminated
# leaves nothing, and who waits builds in its place

# One value is stored out of line, and its index is locked by somebody who
# builds that anew: every builder stops there, in the middle of its file, in a
# wait that the server shows.
$node->safe_psql('postgres', q{SELECT train_vocabulary('many', 'SELECT ''many'' || generate_series(1, 20000)');
	ALTER TABLE many ALTER COLUMN term SET STORAGE EXTERNAL;
	INSERT INTO many VALUES (20001, repeat('long', 2000), 1, 1)});
my $first_use = q{SELECT one_hot('many', 'many7000') IS NOT NULL};
my $values = $node->safe_psql('postgres', q{SELECT reltoastrelid::regclass FROM pg_class WHERE oid = 'many'::regclass});
my $blocker = start_statement($node, "SET application_name = 'blocker'; BEGIN; REINDEX TABLE $values; SELECT pg_sleep(300)");

sub waits
{
	my ($name, $type, $event) = @_;

	return $node->poll_query_until('postgres', qq{SELECT count(*) = 1 FROM pg_stat_activity
		WHERE application_name = '$name' AND wait_event_type = '$type' AND wait_event = '$event'});
}

sub first_user
{
	my ($name) = @_;

	return start_statement($node, "SET application_name = '$name'; $first_use");
}

ok(waits('blocker', 'Timeout', 'PgSleep'), 'an index is locked');
my $builder = first_user('builder');
ok(waits('builder', 'Lock', 'relation'), 'a builder waits for it');
my ($unfinished) = grep { /\.[0-9A-F]{20}\.\d+$/ } images();
ok(defined $unfinished, 'and has a file in the making');
my @waiting = map { first_user("waiting$_") } 0, 1;
ok(waits("waiting$_", 'Lock', 'advisory'), "user $_ waits for the builder's lock") foreach 0, 1;
$node->safe_psql('postgres', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'waiting0'});
$waiting[0]->{run}->finish;
like($waiting[0]->{err}, qr/canceling statement due to user request/, 'and can be cancelled');
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'builder'});
$builder->{run}->finish;
like($builder->{err}, qr/terminating connection/, 'the builder is terminated');
ok(waits('waiting1', 'Lock', 'relation'), 'the other one builds in its place');
is(scalar(grep { $_ eq $unfinished } images()), 0, 'and what the first left is gone');
$node->safe_psql('postgres', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'blocker'});
$_->{run}->finish foreach $blocker, $waiting[1];
is($waiting[1]->{out}, "t\n", 'to its end');
is(scalar(grep { /\.[0-9A-F]{20}\.\d+$/ } images()), 0, 'and nothing unfinished is left');
$node->safe_psql('postgres', 'DROP TABLE many');

# --- a disk that takes no more, in two ways

$node->safe_psql('postgres', 'SELECT embed_images(clear => true)');
chmod(0500, $directory) or die;
my ($status, $stdout, $stderr) = $node->psql('postgres', "$known; $known");
is($stdout, "t|f\nt|f", 'an unwritable directory: the answer is right');
my $warnings = () = $stderr =~ /WARNING:  could not write file/g;
is($warnings, 1, 'with one warning a session');
like($stderr, qr/keeps the packed form of embedding model "terms" in its own memory.*HINT/s, 'that tells what it means');
chmod(0700, $directory) or die;
is($node->safe_psql('postgres', $known), 't|f', 'and afterwards');
image_is(2, 'there is a file again');
unlink("$directory/pgsql_tmp_embed.unreadable");

# --- crash, restart, DROP

my ($file) = images();
append_to_file("$directory/embed.1", 'under a name that is not ours');
kill_server($node);
ok(-e "$directory/$file", 'the file survives a crash');
$node->start;
image_is(0, 'but not the start after it');
ok(-e "$directory/embed.1", 'while a file of another name stays behind');
unlink("$directory/embed.1");
is($node->safe_psql('postgres', $known), 't|f', 'and is built again');
$node->restart;
image_is(0, 'nor a restart');
is($node->safe_psql('postgres', $known), 't|f', 'and is built again');
$node->safe_psql('postgres', q{CREATE DATABASE passing});
$node->safe_psql('passing', q{CREATE EXTENSION embed; SELECT train_vocabulary('m', 'SELECT ''a word'''); SELECT one_hot('m', 'word')});
image_is(2, 'one image for each database');
$node->safe_psql('postgres', q{DROP DATABASE passing});
image_is(2, 'DROP DATABASE leaves its image');
$node->safe_psql('postgres', q{SELECT train_vocabulary('mine', 'SELECT ''a word'''); SELECT one_hot('mine', 'word')});
image_is(2, 'the image of a dropped database goes with the next one built');
$node->safe_psql('postgres', q{DROP TABLE terms});
image_is(2, 'so does DROP TABLE');
$node->safe_psql('postgres', q{UPDATE mine SET term = 'the' WHERE term = 'a'; SELECT one_hot('mine', 'word')});
image_is(1, 'so does that of a dropped model, and of an older version');

# an unlogged model is empty after a crash, and says so
$node->safe_psql('postgres', q{CREATE UNLOGGED TABLE fleeting (LIKE mine); INSERT INTO fleeting SELECT * FROM mine;
	SELECT register_model('fleeting', 'vocabulary', 'simple', 'dims=8'); SELECT one_hot('fleeting', 'word')});
kill_server($node);
$node->start;
like(error_of($node, q{SELECT one_hot('fleeting', 'word')}), qr/has no row 0/, 'an unlogged model after a crash');
$node->stop;

# --- a small disk

SKIP:
{
	my $small = $node->data_dir . '/base/pgsql_tmp';
	my @namespace = ('unshare', '--user', '--map-current-user', '--mount', '--keep-caps');
	my $mount = "mount -t tmpfs -o size=64k none $small";

	mkdir($small);
	skip('no mount namespaces for ordinary users here', 4)
		if system("@namespace sh -c '$mount' >/dev/null 2>&1") != 0;
	my $start = 'pg_ctl -s -w -D ' . $node->data_dir . ' -l ' . $node->logfile . " start";
	system(@namespace, 'sh', '-c', "$mount && $start") == 0 or die 'cannot start on a small disk';
	my ($state, $out, $err) = $node->psql('postgres', q{
		SELECT train_vocabulary('large', 'SELECT body FROM texts') \g /dev/null
		SELECT one_hot('large', 'word7') IS NOT NULL, count(tfidf('large', body)) FROM texts;});
	is($out, 't|5000', 'a full disk: the answer is right');
	like($err, qr/WARNING:  could not write file .*No space left on device/, 'with a warning');
	is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_ls_tmpdir() WHERE name LIKE '%embed%large%' OR size > 0}), 0, 'no part of a file is left');
	is($node->safe_psql('postgres', q{SELECT train_vocabulary('small', 'SELECT ''a word'''); SELECT one_hot('small', 'word') IS NOT NULL; SELECT count(*) FROM embed_images()}),
		"small\nt\n1", 'a small one still fits');
	system('pg_ctl', '-s', '-w', '-D', $node->data_dir, '-m', 'fast', 'stop') == 0 or die;
}

done_testing();
