# Broken if this fails: a ktree index built by several processes, or in little
# memory, loses or repeats rows, is damaged or finds less than one built by one
# process in plenty; the build shows no progress, cannot be cancelled, does not
# survive the loss of a worker or leaves files behind.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = random_seed();
my $node = embed_node(
	'main', 'autovacuum = off', 'fsync = off', 'shared_buffers = 128MB', 'max_wal_size = 1GB',
	'max_worker_processes = 8', 'max_parallel_maintenance_workers = 2',
	'maintenance_work_mem = 256MB', 'jit = off');

# Clustered vectors, some of them NULL, zero, or too large for codes.
my $rows = 60_000;
$node->safe_psql('postgres', qq{
	SELECT setseed(0.$seed);
	CREATE TABLE centers AS SELECT c, ARRAY(SELECT random() * 4 FROM generate_series(1, 48) WHERE c > 0) AS v
		FROM generate_series(1, 200) AS c;
	CREATE TABLE items (id serial, v vector(48)) WITH (parallel_workers = 2);
	INSERT INTO items (v)
		SELECT CASE WHEN i % 1000 = 1 THEN NULL
			WHEN i % 1000 = 2 THEN array_fill(0.0::float8, ARRAY[48])::vector
			WHEN i % 1000 = 3 THEN array_fill(1e30::float8, ARRAY[48])::vector
			ELSE (SELECT array_agg(x + random())::vector FROM unnest(v) AS x) END
		FROM generate_series(1, $rows) AS i JOIN centers ON c = 1 + i % 200;
	VACUUM ANALYZE items});

# What holds of a good index: every row once, no damage, and the recall promised.
sub is_good
{
	my ($index, $name) = @_;
	my ($counts, $problems, $recall) = split /\n/, $node->safe_psql('postgres', qq{
		SET enable_seqscan = off; SET enable_sort = off;
		CREATE TEMP TABLE other AS SELECT indexrelid FROM pg_index
			WHERE indrelid = 'items'::regclass AND indexrelid <> '$index'::regclass;
		UPDATE pg_index SET indisvalid = false WHERE indexrelid IN (SELECT indexrelid FROM other);
		SELECT count(*) || ' ' || count(DISTINCT id) FROM
			(SELECT id FROM items ORDER BY v <-> (SELECT v FROM items WHERE id = 777) OFFSET 0) AS x;
		SELECT count(*) FROM embed_index_check('$index');
		SELECT embed_index_recall('$index', 'SELECT v FROM items WHERE id % 600 = 17', 10);
		UPDATE pg_index SET indisvalid = true WHERE indexrelid IN (SELECT indexrelid FROM other)});
	is($counts, "$rows $rows", "$name: every row is found once");
	is($problems, 0, "$name: no damage");
	cmp_ok($recall, '>=', 0.93, "$name: recall $recall at 0.95");
}

# ---------- the same rows, however the index is built ----------

$node->safe_psql('postgres', q{
	SET max_parallel_maintenance_workers = 0; SET maintenance_work_mem = '1GB';
	CREATE INDEX alone ON items USING ktree (v vector_l2_ops)});
is_good('alone', 'one process');

watch_build($node, 'CREATE INDEX together ON items USING ktree (v vector_l2_ops)', q{
	phase, blocks_total > 0 AND blocks_done > 0 AS blocks,
	(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'parallel worker') AS workers});
note('phases seen: ' . $node->safe_psql('postgres', q{
	SELECT string_agg(format('%s (%s)', phase, n), ', ') FROM (SELECT phase, count(*) AS n FROM watched GROUP BY phase) x}));
is($node->safe_psql('postgres', q{
	SELECT bool_or(phase = 'building index: loading vectors'), bool_or(blocks), max(workers) FROM watched}), 't|t|2',
	'the progress view names the phase and counts blocks; two workers took part');
is_good('together', 'three processes');

foreach my $case ([ 'little', '1MB', 0 ], [ 'shares', '96MB', 2 ])
{
	my ($name, $memory, $workers) = @$case;
	$node->safe_psql('postgres', qq{
		SET max_parallel_maintenance_workers = $workers; SET maintenance_work_mem = '$memory';
		CREATE INDEX $name ON items USING ktree (v vector_l2_ops)});
	is_good($name, "$memory, $workers workers");
}
$node->safe_psql('postgres', 'DROP INDEX alone, little, shares, together');
$node->safe_psql('postgres', 'CREATE INDEX CONCURRENTLY meanwhile ON items USING ktree (v vector_l2_ops)');
is_good('meanwhile', 'concurrently, three processes');

# No worker is to be had: the leader does it alone.
$node->safe_psql('postgres', q{
	SET max_parallel_workers = 0;
	CREATE INDEX lonely ON items USING ktree (v vector_l2_ops)});
is_good('lonely', 'workers wanted, none granted');
$node->safe_psql('postgres', 'DROP INDEX lonely');

# Workers refuse other dimensions as the leader does.
my (undef, undef, $error) = $node->psql('postgres', q{
	CREATE TABLE mixed (v vector) WITH (parallel_workers = 2);
	INSERT INTO mixed SELECT ARRAY[random(), random()]::vector FROM generate_series(1, 50000);
	INSERT INTO mixed VALUES ('[1,2,3]');
	CREATE INDEX ON mixed USING ktree (v)});
like($error, qr/expected 2 dimensions, not 3/, 'different dimensions are refused');

# ---------- an end before the end ----------

foreach my $phase ('loading', 'clustering')
{
	my ($build, $milliseconds) = strike($node, 'CREATE INDEX cancelled ON items USING ktree (v vector_l2_ops)',
		"SELECT pg_cancel_backend(pid) FROM pg_stat_progress_create_index WHERE phase LIKE '%$phase%'");
	note(sprintf('cancelled while %s within %.0f ms', $phase, $milliseconds));
	like($build->{err}, qr/canceling statement due to user request/, "a build can be cancelled while $phase");
	is(watch_until($node, workers_running(), sub { $_[0] eq '' }), '', 'its workers are gone');
	is(temporary_files($node), '', 'no temporary file is left');
}

my ($build) = strike($node, 'CREATE INDEX lost ON items USING ktree (v vector_l2_ops)',
	q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'parallel worker' LIMIT 1});
like($build->{err}, qr/due to administrator command|lost connection to parallel worker/,
	'the loss of a worker ends the build');
is(temporary_files($node), '', 'no temporary file is left');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_class WHERE relname IN ('cancelled', 'lost')}), 0, 'no index is left');
is_good('meanwhile', 'the index made before');

$node->stop;
done_testing();
