# Broken if this fails: a ktree index loses, repeats or misplaces a row, or
# its structure is damaged, when the server is killed at a random moment of
# concurrent inserts, splits, deletes, merges, vacuums and index builds.
# Also run with assertions.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use CrashTest;
use EmbedTest;
use Test::More;

random_seed();
my $node = crash_node();

$node->safe_psql('postgres', q{
	CREATE TABLE t (id bigserial, v vector(5));
	CREATE INDEX t_v ON t USING ktree (v vector_l2_ops);
	CREATE FUNCTION some_vectors(count int, near float8) RETURNS SETOF vector LANGUAGE sql AS
	$$ SELECT ARRAY[near + random(), random(), random(), random(), i % 3]::vector FROM generate_series(1, count) i $$;
	INSERT INTO t (v) SELECT some_vectors(5000, 0);
});

# What several sessions do until the server dies under them.
my @work = (
	q{INSERT INTO t (v) SELECT some_vectors(600, (random() * 5)::int)},
	q{DELETE FROM t WHERE id % 10 <> 0 AND v <-> ARRAY[(random() * 5)::int, 0.5, 0.5, 0.5, 1]::vector < 1},
	q{UPDATE t SET v = v WHERE id % 97 = (random() * 96)::int},
	q{VACUUM t},
	q{INSERT INTO t (v) VALUES (NULL)},
	q{DROP INDEX IF EXISTS t_other; CREATE INDEX t_other ON t USING ktree (v)},
);

crash_repeatedly(
	$node,
	index => 't_v',
	each_round => { splits => 20, merges => 2 },
	workers => sub {
		my ($round) = @_;
		return map { [ @work[@$_] ] } [ 0, 0, 0, 2, 4 ], [ 0, 0, 1 ], [ 3, 1, 3, $round % 5 ? 3 : 5 ];
	},
	structure => q{SELECT * FROM embed_index_check('t_v')},
	rows => q{
		SET enable_seqscan = off; SET enable_sort = off;
		CREATE TEMP TABLE by_index AS SELECT id FROM t ORDER BY v <-> '[1,1,1,1,1]' OFFSET 0;
		SET enable_seqscan = on; SET enable_indexscan = off;
		SELECT concat_ws(', ', repeated || ' repeated', lost || ' lost', wrong || ' wrong')
		FROM (SELECT nullif((SELECT count(*) FROM by_index) - (SELECT count(DISTINCT id) FROM by_index), 0) AS repeated,
			nullif((SELECT count(*) FROM (SELECT id FROM t EXCEPT SELECT id FROM by_index) x), 0) AS lost,
			nullif((SELECT count(*) FROM (SELECT id FROM by_index EXCEPT SELECT id FROM t) x), 0) AS wrong) AS counts},

	# two of them may change the same rows in different order
	allowed => qr/deadlock/);

# What crashes left behind is recovered: nothing but live and listed extents.
$node->safe_psql('postgres', 'DROP INDEX IF EXISTS t_other; VACUUM t; VACUUM t');
is($node->safe_psql('postgres', q{
	SELECT sum(value) FILTER (WHERE property = 'extents') -
		sum(value) FILTER (WHERE property IN ('leaves', 'inner nodes', 'free nodes'))
	FROM embed_index_stats('t_v')}), '0', 'VACUUM recovered every orphan');
is($node->safe_psql('postgres', q{SELECT count(*) FROM embed_index_check('t_v')}), '0', 'structure at the end');
$node->stop;
done_testing();
