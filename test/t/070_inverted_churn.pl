# Broken if this fails: an inverted index grows without end, or far beyond the
# size of a new one, while its rows are replaced again and again.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = random_seed();
my $node = embed_node('main', 'autovacuum = off', 'fsync = off', 'jit = off', 'shared_buffers = 128MB');

$node->safe_psql('postgres', q{
	SELECT setseed(0.} . $seed . q{);
	CREATE TABLE pool AS SELECT n,
		(SELECT ('{' || string_agg(i || ':' || (random() - 0.2)::float4, ',') || '}/5000')::sparsevec
		 FROM (SELECT DISTINCT 1 + floor(5000 * random() ^ 3 + 0 * n)::int AS i FROM generate_series(1, 20 + n % 20)) AS x) AS v
	FROM generate_series(0, 3999) AS n});

# A VACUUM writes a segment anew before it gives the old one back, so twice the
# size of a new index is needed; what lies beside it is the tail and segments
# that are young, whose weights are not packed.
foreach my $rows (4000, 20000)
{
	my $cycles = $rows > 10000 && !is_long() ? 25 : 60;
	my $part = $rows / 5;
	$node->safe_psql('postgres', qq{
		CREATE TABLE churn (id bigserial PRIMARY KEY, v sparsevec(5000));
		INSERT INTO churn (v) SELECT v FROM pool, generate_series(1, $rows / 4000) ORDER BY random();
		CREATE INDEX churn_v ON churn USING inverted (v)});
	my %size;
	foreach my $cycle (1 .. $cycles)
	{
		$size{$cycle} = $node->safe_psql('postgres', qq{
			DELETE FROM churn WHERE id IN (SELECT id FROM churn ORDER BY random() LIMIT $part);
			VACUUM churn;
			INSERT INTO churn (v) SELECT v FROM pool ORDER BY random() LIMIT $part;
			SELECT pg_relation_size('churn_v') / 8192});
	}
	my $fresh = $node->safe_psql('postgres', q{
		CREATE INDEX churn_fresh ON churn USING inverted (v);
		SELECT pg_relation_size('churn_fresh') / 8192});
	note("$rows rows, pages after 10 cycles of delete, vacuum, insert: $size{10}, after $cycles: $size{$cycles}, built anew: $fresh");
	cmp_ok($size{$cycles}, '<=', ($rows > 10000 ? 2.6 : 3.3) * $fresh, "$rows rows: size is bounded under churn");
	cmp_ok($size{$cycles}, '<=', 1.1 * $size{10}, "$rows rows: size is stable under churn");
	is($node->safe_psql('postgres', "SELECT * FROM embed_index_check('churn_v')"), '', "$rows rows: sound after churn");
	$node->safe_psql('postgres', 'DROP TABLE churn');
}

$node->stop;
done_testing();
