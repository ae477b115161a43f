# Broken if this fails: a published model does not live as other tables do: on a standby, at a subscriber, under a
# new name, dumped in parallel, replaced beside its readers, imported twice at once; or an import cannot be stopped.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = embed_node('primary', 'wal_keep_size = 512MB', 'max_wal_size = 2GB', 'fsync = off', 'shared_buffers = 16MB');
my $folder = PostgreSQL::Test::Utils::tempdir() . '/model';
mkdir $folder or die $!;

# A static model of three words: w[0] is what "cat" is, the first number of its row.
my $rows = 20_000;
my $dims = 250;

sub write_model
{
	my ($cat) = @_;
	my $bytes = 4 * $dims * $rows;
	my $head = qq({"embeddings":{"dtype":"F32","shape":[$rows,$dims],"data_offsets":[0,$bytes]}});
	my $other = pack('f<*', map { $_ / 7 } 1 .. $dims);
	open my $file, '>:raw', "$folder/model.safetensors" or die $!;
	print $file pack('Q<', length $head), $head, $other, pack('f<*', $cat, (0) x ($dims - 1)), map { $other } 3 .. $rows;
	close $file or die $!;
	return;
}
open my $file, '>:raw', "$folder/tokenizer.json" or die $!;
print $file '{"model": {"type": "WordLevel", "vocab": {"x": 0, "cat": 1, "dog": 2}, "unk_token": "x"}, "pre_tokenizer": {"type": "Whitespace"}}';
close $file or die $!;
write_model(3);
my $import = qq{SELECT import_model('m', directory => '$folder', replace => to_regclass('m') IS NOT NULL)};
$node->safe_psql('postgres', $import);

# What the model says of "cat", and how its tokenizer cuts.
my $answer = q{SELECT (embed('%1$s', 'cat nobody')::real[])[1] || ' ' || count_tokens('%1$s', 'cat dog')
	|| ' ' || (SELECT string_agg(passage, '/') FROM split_text('cat dog cat', model => '%1$s', max_tokens => 2))};

sub says
{
	my ($where, $model) = @_;
	return $where->safe_psql('postgres', sprintf $answer, $model // 'm');
}
is(says($node), '3 2 cat dog/cat', 'the model answers');

# ---------- names, schemas, rights ----------
is($node->safe_psql('postgres', q{
	CREATE SCHEMA other;
	ALTER TABLE m RENAME TO renamed;
	ALTER TABLE renamed SET SCHEMA other;} . sprintf($answer, 'other.renamed')), '3 2 cat dog/cat', 'under another name, elsewhere');
$node->safe_psql('postgres', q{ALTER TABLE other.renamed SET SCHEMA public; ALTER TABLE renamed RENAME TO m; CREATE ROLE reader LOGIN});
like(error_of($node, q{SET ROLE reader; SELECT embed('m', 'cat')}), qr/permission denied for table m/, 'not everybody may read it');
like(error_of($node, q{SET ROLE reader; SELECT model_tokens('m', 'cat')}), qr/permission denied for table m/, 'nor its tokenizer');
$node->safe_psql('postgres', q{GRANT SELECT ON m TO reader});
is($node->safe_psql('postgres', 'SET ROLE reader; ' . sprintf($answer, 'm')), '3 2 cat dog/cat', 'who is granted it may');
like(error_of($node, qq{SET ROLE reader; $import}), qr/permission denied to read server files|must be owner|permission denied/,
	'but not replace it');
$node->safe_psql('postgres', q{ALTER TABLE m ENABLE ROW LEVEL SECURITY});
like(error_of($node, q{SET ROLE reader; SELECT embed('m', 'cat')}), qr/row.level security/i, 'row security is not passed by');
$node->safe_psql('postgres', q{ALTER TABLE m DISABLE ROW LEVEL SECURITY});

# ---------- where the data lies ----------
is($node->safe_psql('postgres', q{SELECT bool_and(pg_column_size(data) = octet_length(data)) FROM m WHERE octet_length(data) > 4000}), 't',
	'data is out of line and not compressed');

# ---------- parts that are missing, in another order, cut or of another model ----------
my $parts = $node->safe_psql('postgres', q{SELECT count(*) FROM m WHERE name = 'embeddings'});
cmp_ok($parts, '>=', 2, 'the matrix has several parts');
foreach my $damage (
	[ q{DELETE FROM m WHERE name = 'embeddings' AND part = 1}, qr/part 2 of "embeddings", but part 1 is not before it/ ],
	[ q{DELETE FROM m WHERE name = 'embeddings' AND part = 2}, qr/parts of "embeddings" have \d+ bytes together, its shape and element ask for \d+/ ],
	[ q{UPDATE m SET part = 3 - part WHERE name = 'embeddings'}, qr/part 2 of "embeddings", but part 1 is not before it/ ],
	[ q{UPDATE m SET id = id + CASE part WHEN 1 THEN 1001 ELSE 999 END WHERE name = 'embeddings'}, qr/part 2 of "embeddings", but part 1 is not before it/ ],
	[ q{UPDATE m SET data = substring(data FOR 1000000) WHERE name = 'embeddings' AND part = 2}, qr/bytes together/ ],
	[ q{UPDATE m SET data = data || '\x00'::bytea WHERE name = 'embeddings' AND part = 1}, qr/bytes together/ ],
	[ q{UPDATE m SET data = substring(data FOR 1000000) || decode('ffffffff', 'hex') || substring(data FROM 1000005) WHERE name = 'embeddings' AND part = 2},
		qr/is not as it was written.*another checksum/s ],
	[ q{UPDATE m SET data = substring(data FOR 1000000) || decode('ffffffff', 'hex') || substring(data FROM 1000005) WHERE name = 'embeddings' AND part = 2;
		SELECT embed_refresh('m')}, qr/cannot be used: file contains a value that is not finite/ ],
	[ q{UPDATE m SET shape = ARRAY[shape[2], shape[1]] WHERE name = 'embeddings'}, qr/Element or shape of "embeddings" are not what "model.safetensors" says/ ],
	[ q{UPDATE m SET shape = ARRAY[shape[2], shape[1]] WHERE name = 'embeddings' AND part = 2}, qr/shape is not that of part 1/ ],
	[ q{INSERT INTO m SELECT id + 1000, name, part, element, shape, data FROM m WHERE name = 'embeddings' AND part = 2}, qr/part 2 of "embeddings", but part 1 is not before it/ ])
{
	my ($change, $fault) = @$damage;
	my $error = error_of($node, qq{BEGIN; $change; SELECT embed('m', 'cat')});
	like($error, $fault, "told: $change");
	like($error, qr/embedding model "m" (cannot be used|is not as it was written)/, 'and of which model');
}
$node->safe_psql('postgres', qq{DELETE FROM m WHERE name = 'embeddings' AND part = 2});
like(error_of($node, q{SELECT embed('m', 'cat')}), qr/bytes together/, 'a model without a part');
$node->safe_psql('postgres', $import);
is(says($node), '3 2 cat dog/cat', 'an import over it mends it');

# ---------- a standby ----------
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
is(says($standby), '3 2 cat dog/cat', 'standby: the model answers');
like(error_of($standby, qq{SELECT import_model('n', directory => '$folder')}), qr/read-only|during recovery/, 'standby: no import');
write_model(4);
$node->safe_psql('postgres', $import);
$node->wait_for_catchup($standby);
is(says($standby), '4 2 cat dog/cat', 'standby: the replacement answers');

# ---------- a subscriber ----------
my $subscriber = embed_node('subscriber', 'fsync = off');
my $dump = $node->basedir . '/schema.sql';
$node->command_ok([ 'pg_dump', '-s', '-t', 'm', '-d', $node->connstr('postgres'), '-f', $dump ], 'the table alone is dumped');
$subscriber->safe_psql('postgres', 'CREATE ROLE reader');
$subscriber->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $subscriber->connstr('postgres'), '-f', $dump ], 'and made');
$node->safe_psql('postgres', 'CREATE PUBLICATION models FOR TABLE m');
$subscriber->safe_psql('postgres', q{CREATE SUBSCRIPTION models CONNECTION '} . $node->connstr . q{ dbname=postgres' PUBLICATION models});
$subscriber->poll_query_until('postgres', q{SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel}) or die 'no initial copy';
is(says($subscriber), '4 2 cat dog/cat', 'subscriber: the model answers');
write_model(5);
$node->safe_psql('postgres', $import);
$node->wait_for_catchup('models');
is(says($subscriber), '5 2 cat dog/cat', 'subscriber: the replacement answers');
$subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION models');
$subscriber->stop;
$standby->promote;
is(says($standby), '5 2 cat dog/cat', 'promoted: the model answers');
$standby->safe_psql('postgres', qq{SELECT import_model('n', directory => '$folder')});
is(says($standby, 'n'), '5 2 cat dog/cat', 'promoted: imports');
$standby->stop;

# ---------- a dump by several workers ----------
my $digest = q{SELECT md5(string_agg(concat_ws(',', id, name, part, element, shape, md5(data)), ';' ORDER BY id)) FROM m};
my $expected = $node->safe_psql('postgres', $digest);
$dump = $node->basedir . '/parallel';
$node->command_ok([ 'pg_dump', '-F', 'd', '-j', '2', '-d', $node->connstr('postgres'), '-f', $dump ], 'pg_dump by two workers');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_restore', '-e', '-j', '2', '-d', $node->connstr('restored'), $dump ], 'pg_restore by two workers');
is($node->safe_psql('restored', $digest), $expected, 'the rows are restored');
is($node->safe_psql('restored', sprintf $answer, 'm'), '5 2 cat dog/cat', 'and answer');

# ---------- beside readers ----------
SKIP:
{
	skip 'this server\'s modules have no background psql', 4 if !$node->can('background_psql');
	my $reader = $node->background_psql('postgres');
	is($reader->query_safe(q{BEGIN ISOLATION LEVEL REPEATABLE READ; } . sprintf($answer, 'm')), '5 2 cat dog/cat', 'a reader begins');
	my $writer = $node->background_psql('postgres');
	write_model(6);
	$writer->query_safe("SET client_min_messages = warning; BEGIN; $import");
	is(says($node), '5 2 cat dog/cat', 'nobody waits for a replacement, or sees half of it');
	$writer->query_safe('COMMIT');
	is($reader->query_safe(sprintf $answer, 'm'), '5 2 cat dog/cat', 'a snapshot keeps what it saw');
	is($reader->query_safe('COMMIT; ' . sprintf($answer, 'm')), '6 2 cat dog/cat', 'the next one sees the new one');
	$writer->quit;
	$reader->quit;
}

# ---------- two at once ----------
my @both = map { start_statement($node, qq{SELECT import_model('twice', directory => '$folder')}) } 1 .. 2;
$_->{run}->finish foreach @both;
is(scalar(grep { $_->{out} =~ /twice/ } @both), 1, 'one of two imports of a name succeeds');
like($both[0]{err} . $both[1]{err}, qr/ERROR:.*(already exists|duplicate key)/, 'and the other is told');
like(says($node, 'twice'), qr/^\d 2 /, 'the model is whole');
@both = map { start_statement($node, qq{SELECT import_model('twice', directory => '$folder', replace => true)}) } 1 .. 2;
$_->{run}->finish foreach @both;
is(scalar(grep { $_->{out} =~ /twice/ } @both), 2, 'two replacements come one after the other');
like(says($node, 'twice'), qr/^\d 2 /, 'the model is whole');

# ---------- stopped at any time: soon, and nothing is left ----------
my $tables = q{SELECT count(*) FROM pg_class WHERE relname IN ('late', 'pg_toast_late') OR relname LIKE 'late%'};
my $objects = $node->safe_psql('postgres', q{SELECT count(*) FROM pg_class});
my @took;
foreach my $delay (0, 5, 10, 20, 30, 40, 60, 80)
{
	my ($struck, $time) = strike($node, qq{SELECT import_model('late', directory => '$folder', "precision" => 'auto')},
		qq{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT import_model(''late%'
			AND clock_timestamp() - query_start >= '$delay ms'});
	like($struck->{err}, qr/canceling statement/, "cancelled after $delay ms");
	push @took, $time;
	is($node->safe_psql('postgres', $tables), '0', 'and nothing is left');
}
note('milliseconds from the blow to the end: ' . join ' ', map { int } @took);
@took = sort { $a <=> $b } @took;
cmp_ok($took[ @took / 2 ], '<', 100, 'an import ends within 100 ms (the median, on a machine that may be busy)');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_class}), $objects, 'no relation is left');
is(temporary_files($node), '', 'nor a temporary file');

# ---------- progress: a large model, most of it a hole in a file, until it is seen ----------
my $most = 600_000;
my $bytes = 4 * $dims * $most;
my $head = qq({"embeddings":{"dtype":"F32","shape":[$most,$dims],"data_offsets":[0,$bytes]}});
open $file, '>:raw', "$folder/model.safetensors" or die $!;
print $file pack('Q<', length $head), $head;
close $file or die $!;
truncate "$folder/model.safetensors", 8 + length($head) + $bytes or die $!;
my ($struck) = strike($node, qq{SELECT import_model('late', directory => '$folder')},
	q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%importing model "late": writing rows, % bytes/s%' AND pid <> pg_backend_pid()});
like($struck->{err}, qr/NOTICE:  importing model "late": writing rows.*canceling statement/s, 'progress is shown, and told to the client');
is($node->safe_psql('postgres', $tables), '0', 'and nothing is left');

$node->stop;
done_testing();
