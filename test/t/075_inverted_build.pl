# Broken if this fails: an inverted index built by several processes, or in
# little memory, differs from one built by one process in plenty; the build
# shows no progress, cannot be cancelled, does not survive the loss of a worker
# or leaves files behind.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = random_seed();
my $node = embed_node(
	'main', 'autovacuum = off', 'fsync = off', 'shared_buffers = 64MB', 'max_wal_size = 1GB',
	'max_worker_processes = 8', 'max_parallel_maintenance_workers = 2',
	'maintenance_work_mem = 128MB', 'jit = off');

# Two statements of 20,000 rows, some of them NULL, empty or irregular, then
# copies, so that a build takes long enough to be watched.
my $rows = 160_000;
$node->safe_psql('postgres', qq{
	SELECT setseed(0.$seed);
	CREATE TABLE docs (id serial, v sparsevec(100000)) WITH (parallel_workers = 2);
	INSERT INTO docs (v) SELECT CASE WHEN i % 500 = 1 THEN NULL WHEN i % 500 = 2 THEN '{}/100000'::sparsevec
			WHEN i % 500 = 3 THEN '{7:1e30,9:1}/100000'::sparsevec ELSE
			(SELECT ('{' || string_agg(k || ':' || w, ',') || '}/100000')::sparsevec FROM
				(SELECT 1 + floor(100000 * random() ^ 4)::int AS k, max(random() - 0.2)::float4 AS w
				 FROM generate_series(1, 40 + i % 20) GROUP BY 1) AS x) END
		FROM generate_series(1, 20000) AS i;
	INSERT INTO docs (v) SELECT v FROM docs, generate_series(1, 7) ORDER BY id;
	VACUUM ANALYZE docs});

# The whole order by an index: distances, and each row once.
sub answers
{
	my ($index) = @_;
	return $node->safe_psql('postgres', qq{
		SET enable_seqscan = off; SET enable_sort = off;
		CREATE TEMP TABLE other AS SELECT indexrelid FROM pg_index
			WHERE indrelid = 'docs'::regclass AND indexrelid <> '$index'::regclass;
		UPDATE pg_index SET indisvalid = false WHERE indexrelid IN (SELECT indexrelid FROM other);
		SELECT count(*), count(DISTINCT id), md5(string_agg(d::text, ' ' ORDER BY place)) FROM
			(SELECT id, d, row_number() OVER () AS place FROM
				(SELECT id, v <#> '{1:1,2:-0.5,77:3,4000:1}/100000' AS d FROM docs
				 ORDER BY v <#> '{1:1,2:-0.5,77:3,4000:1}/100000') AS x) AS y;
		UPDATE pg_index SET indisvalid = true WHERE indexrelid IN (SELECT indexrelid FROM other);
		SELECT * FROM embed_index_check('$index')});
}

# ---------- the same index, however it is built ----------

$node->safe_psql('postgres', q{
	SET max_parallel_maintenance_workers = 0; SET maintenance_work_mem = '1GB';
	CREATE INDEX alone ON docs USING inverted (v)});
my $expected = answers('alone');
like($expected, qr/^$rows\|$rows\|[0-9a-f]+$/, 'every row is found once');

watch_build($node, 'CREATE INDEX together ON docs USING inverted (v)', q{
	phase, blocks_total, blocks_done, tuples_total, tuples_done,
	(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'parallel worker') AS workers});
note('phases seen: ' . $node->safe_psql('postgres', q{
	SELECT string_agg(format('%s (%s)', phase, n), ', ') FROM (SELECT phase, count(*) AS n FROM watched GROUP BY phase) x}));

sub was_seen
{
	my ($condition, $name) = @_;
	is($node->safe_psql('postgres', "SELECT bool_or($condition) FROM watched"), 't', $name);
}
was_seen(q{phase = 'building index: reading rows'}, 'the progress view names the phase');
was_seen('blocks_total > 0 AND blocks_done > 0', 'the progress view counts blocks');
was_seen(q{phase ~ 'reading' AND tuples_done > 0}, 'the progress view counts rows');
was_seen(qq{phase ~ 'writing postings' AND tuples_total > $rows AND tuples_done BETWEEN 1 AND tuples_total},
	'the progress view counts postings');
is($node->safe_psql('postgres', 'SELECT max(workers) FROM watched'), 2, 'two workers took part');
is(answers('together'), $expected, 'an index built by three processes gives the same order');

foreach my $case ([ 'little', '1MB', 0 ], [ 'shares', '96MB', 2 ])
{
	my ($name, $memory, $workers) = @$case;
	$node->safe_psql('postgres', qq{
		SET max_parallel_maintenance_workers = $workers; SET maintenance_work_mem = '$memory';
		CREATE INDEX $name ON docs USING inverted (v)});
	is(answers($name), $expected, "an index built in $memory gives the same order");
}
$node->safe_psql('postgres', 'CREATE INDEX CONCURRENTLY meanwhile ON docs USING inverted (v)');
is(answers('meanwhile'), $expected, 'CREATE INDEX CONCURRENTLY by three processes gives the same order');
$node->safe_psql('postgres', 'DROP INDEX alone, little, shares, together');

# Workers must agree on dimensions that only the rows declare.
my ($status, undef, $error) = $node->psql('postgres', q{
	CREATE TABLE mixed (v sparsevec) WITH (parallel_workers = 2);
	INSERT INTO mixed SELECT '{1:1}/10' FROM generate_series(1, 3000);
	INSERT INTO mixed VALUES ('{1:1}/11');
	CREATE INDEX ON mixed USING inverted (v)});
like($error, qr/different sparsevec dimensions 1[01] and 1[01]/, 'different dimensions are refused');

# ---------- an end before the end ----------

# once both workers are there
my $both = q{(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'parallel worker') = 2};
my ($build, $milliseconds) = strike($node, 'CREATE INDEX cancelled ON docs USING inverted (v)',
	"SELECT pg_cancel_backend(pid) FROM pg_stat_progress_create_index WHERE $both");
note(sprintf('cancelled within %.0f ms', $milliseconds));
like($build->{err}, qr/canceling statement due to user request/, 'a build can be cancelled');
is(watch_until($node, workers_running(), sub { $_[0] eq '' }), '', 'its workers are gone');
is(temporary_files($node), '', 'no temporary file is left');

($build) = strike($node, q{SET maintenance_work_mem = '96MB'; CREATE INDEX lost ON docs USING inverted (v)},
	"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'parallel worker' AND $both LIMIT 1");
like($build->{err}, qr/due to administrator command|lost connection to parallel worker/,
	'the loss of a worker ends the build');
is(temporary_files($node), '', 'no temporary file is left');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_class WHERE relname IN ('cancelled', 'lost')}), 0, 'no index is left');
is(answers('meanwhile'), $expected, 'the other index is as it was');

$node->stop;
done_testing();
