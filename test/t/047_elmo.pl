# Broken if this fails: an ELMo changes on its way through directories, archives, dumps, encodings and parallel workers,
# a long text takes memory with its length, or a vector that takes long cannot be cancelled.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = embed_node('main', 'shared_buffers = 16MB', 'max_wal_size = 2GB', 'fsync = off');
my $folder = PostgreSQL::Test::Utils::tempdir() . '/elmo';
mkdir $folder or die $!;

# ---------- a model of random numbers, as a file of HDF5 ----------
my ($half, $cells, $features) = (128, 256, 48);
my %shape = (
	'char_embed' => [ 261, 4 ],
	'CNN/W_cnn_0' => [ 1, 1, 4, 16 ], 'CNN/b_cnn_0' => [16],
	'CNN/W_cnn_1' => [ 1, 3, 4, 32 ], 'CNN/b_cnn_1' => [32],
	'CNN_proj/W_proj' => [ $features, $half ], 'CNN_proj/b_proj' => [$half]);
foreach my $part (qw(carry transform))
{
	$shape{"CNN_high_0/W_$part"} = [ $features, $features ];
	$shape{"CNN_high_0/b_$part"} = [$features];
}
foreach my $cell (map { ("RNN_0/RNN/MultiRNNCell/Cell$_/LSTMCell", "RNN_1/RNN/MultiRNNCell/Cell$_/LSTMCell") } 0, 1)
{
	$shape{"$cell/W_0"} = [ 2 * $half, 4 * $cells ];
	$shape{"$cell/B"} = [ 4 * $cells ];
	$shape{"$cell/W_P_0"} = [ $cells, $half ];
}
random_seed();
my $file = "\0" x 96;

sub append
{
	my ($data) = @_;
	my $at = length $file;
	$file .= $data . "\0" x (-length($data) % 8);
	return $at;
}
sub message { return pack('vvV', $_[0], length $_[1], 0) . $_[1] }
sub header { return append(pack('vvVVV', 1, $_[0], 1, length $_[1], 0) . $_[1]) }

# Where the header of an object is; all that is below it comes first.
sub object
{
	my ($path) = @_;
	if (my $shape = $shape{$path})
	{
		my $count = 1;
		$count *= $_ foreach @$shape;
		my $spread = @$shape > 1 ? 2 / sqrt($count / $shape->[-1]) : 0.3;
		my $data = pack('f<*', map { $spread * (rand(2) - 1) } 1 .. $count);
		my $at = append($data);
		return header(3, message(1, pack('CCx6(Q<)*', 1, scalar @$shape, @$shape))
			. message(3, pack('H*', '11201f000400000000002000170800177f00000000000000'))
			. message(8, pack('CCQ<Q<x6', 3, 1, $at, length $data)));
	}
	my %children;
	foreach (grep { index($_, $path) == 0 } keys %shape)
	{
		substr($_, length $path) =~ m{^([^/]+)(/?)} or die;
		$children{$1} = $2;
	}
	my ($names, $symbols) = ("\0" x 8, '');
	foreach my $child (sort keys %children)
	{
		my $place = length $names;
		$names .= $child . "\0" x (8 - length($child) % 8);
		$symbols .= pack('Q<Q<x24', $place, object("$path$child$children{$child}"));
	}
	my $heap = append('HEAP' . pack('VQ<q<Q<', 0, length $names, -1, append($names)));
	my $table = append('SNOD' . pack('vv', 1, scalar keys %children) . $symbols);
	my $tree = append('TREE' . pack('vvq<q<Q<Q<Q<', 0, 1, -1, -1, 0, $table, 8));
	return header(1, message(17, pack('Q<Q<', $tree, $heap)));
}
my $root = object('');
substr($file, 0, 96, pack('H*', '894844460d0a1a0a0000000000080800') . pack('vvVQ<q<Q<q<', 4, 16, 0, 0, -1, length $file, -1)
	. pack('Q<Q<x24', 0, $root));

sub write_file
{
	my ($name, $contents) = @_;
	open my $handle, '>:raw', "$folder/$name" or die "$name: $!";
	print $handle $contents;
	close $handle or die $!;
}
write_file('weights.hdf5', $file);
write_file('options.json', qq({"lstm": {"cell_clip": 3, "proj_clip": 3, "dim": $cells, "projection_dim": $half, "n_layers": 2, "use_skip_connections": true},
	"char_cnn": {"embedding": {"dim": 4}, "filters": [[1, 16], [3, 32]], "n_highway": 1, "n_characters": 262,
	"max_characters_per_token": 50, "activation": "relu"}}));

# ---------- the same model, wherever its files lie ----------
my ($status, $stdout, $stderr) = $node->psql('postgres', qq{SELECT import_model('m', directory => '$folder')});
is($status, 0, 'a directory is imported') or diag($stderr);
like($stderr, qr/ELMo, 2 layers of $cells cells in both directions, 256 dimensions, $features filters/, 'and the notice says what it is');
my $sql = q{SELECT embed('%s', 'the river bank, été')};
my $vector = $node->safe_psql('postgres', sprintf $sql, 'm');
system_or_bail('tar', '-cf', "$folder.tar", '-C', "$folder/..", 'elmo');
$node->safe_psql('postgres', qq{SELECT import_model('archive', file => '$folder.tar');
	CREATE TABLE objects AS SELECT 'options.json' AS name, lo_import('$folder/options.json') AS object
		UNION ALL SELECT 'elmo.hdf5', lo_import('$folder/weights.hdf5');
	SELECT import_model('objects_model', files => 'SELECT name, object FROM objects')});
is($node->safe_psql('postgres', sprintf $sql, $_), $vector, "$_: the same vector") foreach qw(archive objects_model);

# ---------- dumps, with a start state and options ----------
$node->safe_psql('postgres', q{SELECT elmo_warm_state('m', $$SELECT 'money in the bank'$$), set_model_option('m', 'layer_weights', '0,1,2')});
my $warm = $node->safe_psql('postgres', sprintf $sql, 'm');
isnt($warm, $vector, 'start state and mix change the vector');
my $dump = $node->basedir . '/dump.sql';
$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-t', 'm', '-f', $dump ], 'dumped');
$node->safe_psql('postgres', 'DROP TABLE m');
$node->command_ok([ 'psql', '-X', '-q', '-d', $node->connstr('postgres'), '-v', 'ON_ERROR_STOP=1', '-f', $dump ], 'restored');
is($node->safe_psql('postgres', sprintf $sql, 'm'), $warm, 'to the same vector');
$node->safe_psql('postgres', q{SELECT elmo_warm_state('m', NULL), set_model_option('m', 'layer_weights', NULL)});
is($node->safe_psql('postgres', sprintf $sql, 'm'), $vector, 'and back');

# ---------- characters are bytes of UTF-8 in every encoding ----------
$node->safe_psql('postgres', q{CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0});
$node->safe_psql('latin', qq{CREATE EXTENSION embed; SELECT import_model('m', directory => '$folder')});
is($node->safe_psql('latin', q{SET client_encoding = 'UTF8'; } . sprintf($sql, 'm')), $vector, 'the same vector in LATIN1');

# ---------- parallel workers ----------
$node->safe_psql('postgres', q{CREATE TABLE texts AS SELECT i, 'text ' || i || repeat(' word' || i % 7, i % 9) AS input FROM generate_series(1, 2000) i;
	ALTER TABLE texts SET (parallel_workers = 2); ANALYZE texts});
my $sum = q{SELECT count(v), sum(hashtext(v::text)::bigint) FROM (SELECT embed('m', input) AS v FROM texts) t};
my $alone = $node->safe_psql('postgres', "SET max_parallel_workers_per_gather = 0; $sum");
like($alone, qr/^2000\|/, 'every text has a vector');
is($node->safe_psql('postgres', "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; $sum"),
	$alone, 'workers compute the same');

# ---------- 100,000 words: memory, and cancelling ----------
my $long = q{(SELECT string_agg('word' || i, ' ') FROM generate_series(1, 100000) i)};
SKIP:
{
	skip 'no /proc', 1 unless -r '/proc/self/status';
	my $most = sub {
		return $node->safe_psql('postgres', qq{DO \$\$ BEGIN PERFORM embed('m', $_[0]); END \$\$;
			SELECT substring(pg_read_file('/proc/self/status', 0, 4000) FROM 'VmHWM:\\s*(\\d+)')::int / 1024});
	};
	my $short = $most->(q{'a few words'});
	cmp_ok($most->($long), '<', $short + 100, "a long text takes little more than a short one ($short MB)");
}
is($node->safe_psql('postgres', qq{SELECT count(*) FROM embed_tokens('m', $long)}), 100000, 'every word of a long text has a vector');
my @late;
foreach my $after (map { 100 + 37 * $_ } 1 .. 8)
{
	push @late, cancelled_late($node, '', "SELECT embed('m', $long)", $after);
}
my ($least) = sort { $a <=> $b } @late;
note(sprintf 'late by %s ms', join ', ', map { sprintf '%.0f', $_ } @late);
# a tenth of a second where nobody else wants the processor
cmp_ok($least, '<', 1000, 'cancelling is quick');
is($node->safe_psql('postgres', sprintf $sql, 'm'), $vector, 'and leaves nothing wrong behind');

done_testing();
