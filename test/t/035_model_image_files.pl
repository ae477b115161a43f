# Broken if this fails: the file of an image is written through a map, under its
# final name, with other rights than the server's files, changed in place, or
# forced to disk, which costs every first user a wait for nothing.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;

# A library that writes down the calls, preloaded into the server.
my $library = PostgreSQL::Test::Utils::tempdir() . '/file_calls.so';
plan skip_all => 'no C compiler for the library that watches' if system('cc --version >/dev/null 2>&1') != 0;
system("cc -shared -fPIC -O -o $library $FindBin::RealBin/file_calls.c") == 0
	or die 'cannot compile the library that watches';

# With fsync, which other tests do without: else nothing would be forced to disk.
my $node = embed_node('main', 'autovacuum = off', 'embed.progress = off', 'fsync = on', 'wal_sync_method = fdatasync');
$node->safe_psql('postgres', q{
	CREATE TABLE texts AS SELECT 'word' || i || ' word' || i % 100 AS body FROM generate_series(1, 50000) i;
	SELECT train_vocabulary('terms', 'SELECT body FROM texts')});
$node->stop;
my $log = $node->basedir . '/file_calls';
{
	local $ENV{LD_PRELOAD} = $library;
	local $ENV{FILE_CALLS} = $log;
	$node->start;
}

# The calls of every process while these statements ran, and a checkpoint, which
# forces to disk what the server was told to.
sub calls_of
{
	my ($sql) = @_;
	my $before = -s $log // 0;
	$node->safe_psql('postgres', $sql);
	$node->safe_psql('postgres', 'CHECKPOINT');
	return map { [ m/^\d+ (\S+) (\S+) (.*)$/ ] } split /\n/, slurp_file($log, $before);
}

# Each way to a new file: a first use in a session that also commits, another
# version, a damaged file.
my $use = q{SELECT one_hot('terms', 'word7') IS NOT NULL;};
sub images { return glob($node->data_dir . '/base/pgsql_tmp/pgsql_tmp_embed.*') }
foreach my $case (
	[ 'first use', $use . 'CREATE TABLE written (i int);' ],
	[ 'another version', q{UPDATE terms SET term = 'other9' WHERE term = 'word9';} . $use ],
	[ 'damaged', 'CREATE TABLE written_too (i int);' . $use ])
{
	my ($what, $sql) = @$case;
	truncate((images())[0], 100) if $what eq 'damaged';
	my @all = calls_of($sql);
	my @calls = grep { $_->[1] =~ m{pgsql_tmp_embed\.} } @all;
	my @of;
	my $find = sub { my ($call) = @_; @of = grep { $_->[0] eq $call } @calls; return @of; };

	my @opened = grep { $_->[2] =~ /write/ } $find->('open');
	is(join(' ', map { $_->[2] } @opened), 'write create exclusive mode=600',
		"$what: one file is opened to write, exclusively");
	my $unfinished = $opened[0][1];
	(my $final = $unfinished) =~ s/\.\d+$//;
	isnt($unfinished, $final, "$what: under a name that ends in a process");

	my $bytes = 0;
	my @elsewhere = grep { $_->[1] !~ m{/\Q$unfinished\E$} } $find->('write');
	$bytes += $_->[2] foreach @of;
	is(scalar(@elsewhere), 0, "$what: write() writes to that name alone");
	my $size = -s $node->data_dir . "/$final";
	cmp_ok($bytes, '>=', $size, "$what: and writes all of it, $size bytes");
	is(scalar($find->('pwrite')) + scalar($find->('ftruncate')), 0, "$what: nothing else writes");
	is(join(' ', map { "$_->[1] $_->[2]" } $find->('rename')), "$unfinished -> $final",
		"$what: then it gets its final name");
	$find->('mmap');
	ok(!grep({ $_->[2] ne 'read-only shared' || $_->[1] !~ m{/pgsql_tmp_embed\.[0-9.]+\.[0-9A-F]{20}$} } @of) &&
			grep({ $_->[1] =~ m{/\Q$final\E$} } @of) > 0,
		"$what: maps are of finished files, shared and read-only, and of this one");

	is(join(' ', map { "$_->[1] $_->[2]" } grep { $_->[0] eq 'msync' || ($_->[0] eq 'sync' && $_->[1] =~ /pgsql_tmp/) } @all), '',
		"$what: neither the file nor its directory is forced to disk");
	ok(scalar(grep { $_->[0] eq 'sync' && $_->[1] =~ /pg_wal/ } @all), "$what: while the log is");
}

# A change of a count is made in memory, of the file that is there.
is(join(' ', map { "@$_" } grep { $_->[1] =~ m{pgsql_tmp_embed\.} && ($_->[0] ne 'open' || $_->[2] =~ /write/) && $_->[0] ne 'mmap' }
			calls_of(q{UPDATE terms SET documents = documents WHERE id = 1;} . $use)),
	'', 'a changed count: nothing is written');

# The rights of the server's files, also where the group may read them.
my ($image) = images();
is((stat($image))[2] & 07777, 0600, 'the mode of a file');
$node->stop;
foreach my $entry (`find @{[ $node->data_dir ]} -type d`)
{
	chomp $entry;
	chmod(0750, $entry) or die "$entry: $!";
}
$node->start;
is($node->safe_psql('postgres', 'SHOW data_directory_mode'), '0750', 'a cluster that a group may read');
$node->safe_psql('postgres', $use);
($image) = images();
is((stat($image))[2] & 07777, 0640, 'the mode of a file there');

$node->stop;
done_testing();
