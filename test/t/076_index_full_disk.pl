# Broken if this fails: VACUUM of an index needs a longer file to free what was
# deleted, so that a full disk stays full; or an index that meets one is damaged.
# ktree frees whatever was deleted; inverted, which writes a segment anew before
# it gives the old one back, first of all segments that are dead altogether.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;

# A limit on the size of files, set for the running server, is a disk that is
# full for the files that have reached it, but not for the log.
plan skip_all => 'no prlimit, with which to end the growth of files' if system('prlimit --version >/dev/null 2>&1') != 0;

my $seed = random_seed();
my $node = embed_node('main', 'autovacuum = off', 'fsync = off', 'jit = off', 'shared_buffers = 64MB',
	'max_parallel_maintenance_workers = 0', 'wal_recycle = off');
my $limit = 18 * 1024 * 1024;

sub server_limit
{
	my ($bytes) = @_;
	my ($postmaster) = split /\n/, slurp_file($node->data_dir . '/postmaster.pid');
	system("prlimit --pid $postmaster --fsize=$bytes:unlimited") == 0 or die 'prlimit failed';
	return;
}

# Rows until the index is full, by many small statements.
my %case = (
	ktree => [ 'vector(3)', 'vector_l2_ops', q{ARRAY[random(), random(), random()]::vector}, q{v <-> '[0.5,0.5,0.5]'} ],
	inverted => [ 'sparsevec(50000)', 'sparsevec_ip_ops',
		q{(SELECT ('{' || string_agg(d || ':' || (random() + 0.1)::float4, ',') || '}/50000')::sparsevec
			FROM (SELECT DISTINCT 1 + floor(50000 * random())::int AS d FROM generate_series(1, 80) WHERE i > 0) x)}, q{v <#> '{1:1,7:1,40000:1}/50000'} ]);
foreach my $access (sort keys %case)
{
	my ($type, $class, $value, $order) = @{ $case{$access} };
	$node->safe_psql('postgres', qq{
		SELECT setseed(0.$seed);
		CREATE TABLE pool AS SELECT i AS id, $value AS v FROM generate_series(1, 3000) i;
		CREATE TABLE t (id bigserial, v $type) WITH (fillfactor = 100);
		CREATE INDEX t_v ON t USING $access (v $class)});
	server_limit($limit);
	my $rows = 0;
	my $refused = '';
	for my $i (1 .. 400)
	{
		my ($status, $out, $err) = $node->psql('postgres', 'INSERT INTO t (v) SELECT v FROM pool ORDER BY random() LIMIT 1000');
		$refused = $err;
		last if $status != 0;
		$rows++;
	}
	note("$access: $rows times 1,000 rows, then $refused");
	like($refused, qr/could not extend file/, "$access: the disk is full");
	my $size = $node->safe_psql('postgres', q{SELECT pg_relation_size('t_v')});
	cmp_ok($size, '>', $limit - 1e6, "$access: of the index");
	my $before = $node->safe_psql('postgres', q{SELECT count(*) FROM t});
	note("$access: the index has $size bytes for $before rows");

	my $last = $node->safe_psql('postgres', 'SELECT max(id) FROM t');
	foreach my $deleted ($access eq 'ktree' ? ('id % 10 <> 0', 'id % 3 = 0') : ('id % 2 = 0', "id < 0.95 * $last", 'id % 3 = 0'))
	{
		$node->safe_psql('postgres', "DELETE FROM t WHERE $deleted");
		my ($status, $out, $err) = $node->psql('postgres', 'VACUUM t');
		is($status, 0, "$access: VACUUM goes through") or diag($err);
		is($node->safe_psql('postgres', q{SELECT pg_relation_size('t_v')}), $size, "$access: no page was added");
		is($node->safe_psql('postgres', q{SELECT * FROM embed_index_check('t_v')}), '', "$access: sound");
	}
	note($node->safe_psql('postgres', q{SELECT string_agg(property || ' ' || value, ', ') FROM embed_index_stats('t_v') WHERE property ~ 'free|merges|leaves|dead'}));

	# what was freed can be used
	my $left = $node->safe_psql('postgres', q{SELECT count(*) FROM t});
	my $again = int(($before - $left) * 0.5);
	my ($status, $out, $err) = $node->psql('postgres', "INSERT INTO t (v) SELECT v FROM pool, generate_series(1, 1 + $again / 3000) LIMIT $again");
	is($status, 0, "$access: half of what was deleted finds room") or diag($err);
	is($node->safe_psql('postgres', q{SELECT * FROM embed_index_check('t_v')}), '', "$access: sound");
	is($node->safe_psql('postgres', qq{SET enable_seqscan = off; SET enable_sort = off;
		SELECT count(*) = count(DISTINCT id) AND count(*) = (SELECT count(*) FROM t) FROM (SELECT id FROM t ORDER BY $order OFFSET 0) x}),
		't', "$access: a search finds every row once");
	server_limit('unlimited');
	$node->safe_psql('postgres', 'DROP TABLE t, pool');
}
$node->stop;
done_testing();
