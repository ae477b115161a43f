# Broken if this fails: a model's folder on the server is not imported as it is, a failed import leaves something,
# a dump loses a model, or an import needs memory as large as the model.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = embed_node('main', 'shared_buffers = 16MB', 'max_wal_size = 2GB', 'fsync = off');
my $folder = PostgreSQL::Test::Utils::tempdir() . '/model';

# ---------- a model of three tokens and 3 x DIMS numbers, more than one part ----------
my $dims = 1000;
my $rows = is_long() ? 130_000 : 15_000;

sub write_file
{
	my ($name, @pieces) = @_;
	open my $file, '>:raw', "$folder/$name" or die "$name: $!";
	print $file $_ foreach @pieces;
	close $file or die $!;
}

mkdir $folder or die $!;
mkdir "$folder/1_Normalize" or die $!;
mkdir "$folder/onnx" or die $!;
write_file('tokenizer.json', '{"model": {"type": "WordLevel", "vocab": {"x": 0, "cat": 1, "dog": 2}, "unk_token": "x"},'
	. ' "pre_tokenizer": {"type": "Whitespace"}}');
write_file('config.json', '{"model_type": "model2vec", "normalize": true}');
write_file('modules.json', '[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.StaticEmbedding"},'
	. '{"idx": 1, "name": "1", "path": "1_Normalize", "type": "sentence_transformers.models.Normalize"}]');
write_file('onnx/model.onnx', 'weights in another form');
write_file('.hidden', 'not the model\'s');
my $bytes = 4 * $dims * $rows;
my $head = qq({"embeddings":{"dtype":"F32","shape":[$rows,$dims],"data_offsets":[0,$bytes]}});
my @row = (pack('f<*', (9) x $dims), pack('f<*', 3, (0) x ($dims - 1)), pack('f<*', 0, 4, (0) x ($dims - 2)));
my $other = pack('f<*', map { $_ / 7 } 1 .. $dims);
write_file('model.safetensors', pack('Q<', length $head), $head, @row, map { $other } 4 .. $rows);

# ---------- directory, file, archive, large object: the same rows ----------
my ($status, $stdout, $stderr) = $node->psql('postgres', qq{SELECT import_model('m', directory => '$folder')});
is($status, 0, 'a directory is imported');
like($stderr, qr/static model, WordLevel of 3 tokens, $rows vectors of $dims dimensions in F32, normalized.*4 files.*left out: 1 files/s,
	'and the notice says what it is');
my $vector = q{SELECT v.x[1] || ' ' || v.x[2] || ' ' || v.x[3] FROM (SELECT embed('%s', 'cat dog nobody')::real[] AS x) v};
is($node->safe_psql('postgres', sprintf $vector, 'm'), '0.6 0.8 0', 'the mean is normalized');
is($node->safe_psql('postgres', q{SELECT max(octet_length(data)) <= 16 * 1024 * 1024 AND count(*) FILTER (WHERE name = 'embeddings') >= 3 FROM m}),
	't', 'a tensor is cut in parts');
is($node->safe_psql('postgres', q{SELECT string_agg(name, ' ' ORDER BY name) FROM model_files('m')}),
	'config.json model.safetensors modules.json tokenizer.json', 'hidden and other files are left out');

my $digest = q{SELECT md5(string_agg(concat_ws(',', id, name, part, element, shape, md5(data)), ';' ORDER BY id)) FROM %s};
my $expected = $node->safe_psql('postgres', sprintf $digest, 'm');
$node->safe_psql('postgres', qq{SELECT import_model('f', file => '$folder/model.safetensors')});
is($node->safe_psql('postgres', sprintf $digest, 'f'), $expected, 'weights bring the files beside them');

# what a statement makes, the next one reads
$node->safe_psql('postgres', q{CREATE TABLE exported AS SELECT export_model('m') AS object; SELECT lo_export(object, '}
	. "$folder.tar" . q{') FROM exported});
system_or_bail('sh', '-c', "mkdir '$folder.out' && tar -C '$folder.out' -xf '$folder.tar' && rm -r '$folder/onnx' '$folder/.hidden'"
	. " && rmdir '$folder/1_Normalize' && diff -r '$folder' '$folder.out'");
pass('the exported folder is the one that came');
system_or_bail('tar', '-C', "$folder.out/..", '-cf', "$folder.2.tar", 'model.out');
$node->safe_psql('postgres', qq{SELECT import_model('t', file => '$folder.2.tar')});
is($node->safe_psql('postgres', sprintf $vector, 't'), '0.6 0.8 0', 'an archive with a folder in it');
$node->safe_psql('postgres', q{SELECT import_model('o', large_object => object) FROM exported});
is($node->safe_psql('postgres', sprintf $digest, 'o'), $expected, 'a large object');
$node->safe_psql('postgres', qq{
	CREATE TABLE uploads AS SELECT name, lo_import('$folder/' || name) AS object FROM unnest('{config.json,model.safetensors,modules.json,tokenizer.json}'::text[]) name;
	SELECT import_model('q', files => 'TABLE uploads')});
is($node->safe_psql('postgres', sprintf $digest, 'q'), $expected, 'large objects by a query');
$node->safe_psql('postgres', 'SELECT count(lo_unlink(oid)) FROM pg_largeobject_metadata; DROP TABLE f, t, o, q, exported, uploads');

# ---------- memory: the most that a backend had, pages that it shares included ----------
# of a session that runs these statements
sub most_memory
{
	my ($what, $sql) = @_;
	my $most = $node->safe_psql('postgres', qq{SET client_min_messages = error; DO \$do\$ BEGIN $sql; END \$do\$;
		SELECT substring(pg_read_file('/proc/self/status', 0, 4000) FROM 'VmHWM:\\s*(\\d+)')::int / 1024});
	note("$what, a model of " . int($bytes / 1e6) . " MB: $most MB at the most");
	return $most;
}
SKIP:
{
	skip 'no /proc', 6 unless -r '/proc/self/status';
	my $base = most_memory('a tokenizer alone', qq{PERFORM import_model('alone', file => '$folder/tokenizer.json'); PERFORM count_tokens('alone', 'cat')});
	cmp_ok(most_memory('import', qq{PERFORM import_model('again', directory => '$folder')}), '<', $base + 60,
		'an import does not hold the model in memory');
	cmp_ok(most_memory('building the image', q{PERFORM embed('again', 'cat')}), '<', $base + 60, 'nor does building its image');
	cmp_ok(most_memory('embedding', q{PERFORM embed('again', 'cat dog cat')}), '<', $base + 60, 'nor does embedding');
	cmp_ok(most_memory('export', q{PERFORM lo_unlink(export_model('again'))}), '<', $base + 60, 'nor does an export');
	# these are the server's own: a part as text, and in a message
	my $copy = $node->basedir . '/copy';
	cmp_ok(most_memory('dump', qq{COPY again TO '$copy'}), '<', 300, 'a part is what a dump holds');
	cmp_ok(most_memory('restore', qq{CREATE TABLE restored (LIKE again); COPY restored FROM '$copy'}), '<', 300, 'or a restore');
	unlink $copy;
	$node->safe_psql('postgres', 'DROP TABLE restored, alone, again');
}

# ---------- cancelled and failed imports leave nothing ----------
like(error_of($node, qq{SET statement_timeout = '30ms'; SELECT import_model('late', directory => '$folder')}),
	qr/canceling statement/, 'an import is cancelled');
is($node->safe_psql('postgres', q{SELECT to_regclass('late') IS NULL}), 't', 'and leaves no table');
like(error_of($node, qq{SET statement_timeout = '30ms'; SELECT import_model('m', directory => '$folder', replace => true)}),
	qr/canceling statement/, 'so is a replacement');
is($node->safe_psql('postgres', sprintf $vector, 'm'), '0.6 0.8 0', 'which leaves the old model');
truncate "$folder/model.safetensors", $bytes / 2;
like(error_of($node, qq{SELECT import_model('short', directory => '$folder')}), qr/could not import model "short"/,
	'weights that are cut are refused');
like(error_of($node, qq{SELECT import_model('none', directory => '$folder/none')}), qr/could not stat directory/, 'no directory');
like(error_of($node, qq{SELECT import_model('none', file => '$folder')}), qr/is a directory/, 'a directory as a file');

# ---------- readers go on beside a replacement ----------
write_file('model.safetensors', pack('Q<', length $head), $head, reverse(@row[ 0 .. 2 ]), map { $other } 4 .. $rows);
my $reader = $node->background_psql('postgres') if $node->can('background_psql');
$node->safe_psql('postgres', qq{BEGIN; SELECT import_model('m', directory => '$folder', replace => true); ROLLBACK});
is($node->safe_psql('postgres', sprintf $vector, 'm'), '0.6 0.8 0', 'a replacement that is rolled back changes nothing');
$node->safe_psql('postgres', qq{SELECT import_model('m', directory => '$folder', replace => true)});
isnt($node->safe_psql('postgres', sprintf $vector, 'm'), '0.6 0.8 0', 'one that is committed does');
$reader->quit if defined $reader;

# ---------- dump and restore ----------
my $answer = $node->safe_psql('postgres', sprintf $vector, 'm');
$expected = $node->safe_psql('postgres', sprintf $digest, 'm');
foreach my $format ('plain', 'custom')
{
	my $file = $node->basedir . "/$format";
	$node->command_ok([ 'pg_dump', '-F', $format, '-d', $node->connstr('postgres'), '-f', $file ], "pg_dump, $format");
	$node->safe_psql('postgres', "CREATE DATABASE $format");
	$node->command_ok($format eq 'plain' ? [ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($format), '-f', $file ] :
		[ 'pg_restore', '-e', '-j', '2', '-d', $node->connstr($format), $file ], "restore, $format");
	is($node->safe_psql($format, sprintf $digest, 'm'), $expected, 'the rows are restored');
	is($node->safe_psql($format, sprintf $vector, 'm'), $answer, 'and make the same vectors');
	is($node->safe_psql($format, q{SELECT attstorage FROM pg_attribute WHERE attrelid = 'm'::regclass AND attname = 'data'}), 'e',
		'out of line');
}

done_testing();
