# Broken if this fails: an inverted index loses, repeats or misplaces a row, or
# its structure is damaged, when the server is killed at a random moment of
# concurrent inserts, seals, merges, deletes, vacuums and index builds.
# Also run with assertions.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use CrashTest;
use EmbedTest;
use Test::More;

my $seed = random_seed();
my $node = crash_node('jit = off', 'maintenance_work_mem = 96MB', 'max_parallel_maintenance_workers = 2');

# Rows are copies of 2,000 random vectors, some of them NULL, empty, or so long
# that they need pages of their own.
$node->safe_psql('postgres', q{
	SELECT setseed(0.} . $seed . q{);
	CREATE TABLE pool AS SELECT n, CASE WHEN n % 200 = 1 THEN NULL WHEN n % 200 = 2 THEN '{}/5000'::sparsevec ELSE
		(SELECT ('{' || string_agg(i || ':' || (random() - 0.2)::float4, ',') || '}/5000')::sparsevec FROM
			(SELECT DISTINCT 1 + floor(5000 * random() ^ 3)::int AS i
			 FROM generate_series(1, CASE WHEN n % 250 = 3 THEN 4000 ELSE 50 + n % 100 END)) AS x) END AS v
	FROM generate_series(0, 1999) AS n;
	CREATE INDEX ON pool (n);
	CREATE TABLE docs (id bigserial, v sparsevec(5000)) WITH (parallel_workers = 2, fillfactor = 80);
	ALTER TABLE docs ALTER v SET STORAGE MAIN;
	CREATE INDEX docs_v ON docs USING inverted (v);
	INSERT INTO docs (v) SELECT v FROM pool;

	-- The whole order by index is that of a sort, and no row is repeated or lost.
	CREATE FUNCTION difference(query sparsevec) RETURNS text LANGUAGE plpgsql SET enable_sort = off AS $$
	DECLARE
		by_index float8[];
		by_table float8[];
		ids bigint[];
	BEGIN
		SELECT array_agg(d), array_agg(id) INTO by_index, ids FROM
			(SELECT id, v <#> query AS d FROM docs ORDER BY v <#> query) AS x;
		SELECT array_agg(d) INTO by_table FROM
			(SELECT d FROM (SELECT v <#> query AS d FROM docs OFFSET 0) AS x ORDER BY d) AS y;
		RETURN concat(CASE WHEN by_index IS DISTINCT FROM by_table THEN
			format('%s rows by index, %s by table, distances differ', cardinality(by_index), cardinality(by_table)) END,
			CASE WHEN cardinality(ids) <> (SELECT count(DISTINCT i) FROM unnest(ids) AS i) THEN ' rows are repeated' END);
	END $$;
});
like($node->safe_psql('postgres', q{
	SET enable_sort = off; EXPLAIN SELECT id FROM docs ORDER BY v <#> '{1:1}/5000'}),
	qr/Index Scan using docs_v/, 'the index is what is tested');

# What several sessions do until the server dies under them.
my %work = (
	insert => q{INSERT INTO docs (v) SELECT v FROM pool WHERE n BETWEEN 1999 * random() AND 1999 LIMIT 300},
	single => q{INSERT INTO docs (v) SELECT v FROM pool WHERE n = floor(2000 * random())},
	delete => q{DELETE FROM docs WHERE id IN (SELECT id FROM docs WHERE id % 40 <> 0 AND
		id < (SELECT max(id) - 1500 FROM docs) FOR UPDATE SKIP LOCKED)},
	update => q{UPDATE docs SET v = (SELECT v FROM pool WHERE n = 7) WHERE id IN
		(SELECT id FROM docs WHERE id % 97 = (random() * 96)::int FOR UPDATE SKIP LOCKED)},
	vacuum => q{VACUUM docs},
	build => q{DROP INDEX IF EXISTS docs_other; CREATE INDEX docs_other ON docs USING inverted (v sparsevec_cosine_ops)},
);

crash_repeatedly(
	$node,
	index => 'docs_v',
	each_round => { seals => 8, merges => 2 },
	workers => sub {
		my ($round) = @_;
		return map { [ @work{@$_} ] } [qw(insert insert insert single update)], [qw(insert insert single single delete)],
			[ qw(vacuum delete vacuum), $round % 5 ? 'vacuum' : 'build' ];
	},
	structure => q{
		SELECT i, c.* FROM (SELECT indexrelid AS i FROM pg_index WHERE indrelid = 'docs'::regclass AND indisvalid) AS x,
			embed_index_check(i::regclass) AS c},
	rows => q{SELECT concat(difference('{1:1,3:-2,200:1}/5000'), difference((SELECT v FROM pool WHERE n = 10)))});

# What crashes left behind is recovered, that of a tail when it is sealed: every
# page but the metapage belongs to a segment or the tail, or is free.
$node->safe_psql('postgres', 'DROP INDEX IF EXISTS docs_other; INSERT INTO docs (v) SELECT v FROM pool; VACUUM docs');
is($node->safe_psql('postgres', q{SELECT count(*) FROM embed_index_check('docs_v')}), '0', 'structure at the end');
is($node->safe_psql('postgres', q{
	SELECT sum(value) FILTER (WHERE property = 'pages') - sum(value) FILTER (WHERE property LIKE '%\_pages')
	FROM embed_index_stats('docs_v')}), '1', 'VACUUM recovered every page');
$node->stop;
done_testing();
