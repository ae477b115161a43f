# Broken if this fails: concurrent inserts, updates, deletes, searches and
# vacuums of a ktree lose or repeat a row, err, deadlock or damage the tree.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = is_long() ? 300 : 12;
my $node = embed_node('main', 'autovacuum = on', 'autovacuum_naptime = 1s', 'fsync = off',
	'autovacuum_vacuum_threshold = 200', 'autovacuum_vacuum_scale_factor = 0.01', 'max_wal_size = 2GB');
my $directory = PostgreSQL::Test::Utils::tempdir();

$node->safe_psql('postgres', q{
	CREATE TABLE t (id bigserial PRIMARY KEY, kept bool DEFAULT false, v vector(5));
	CREATE INDEX t_v ON t USING ktree (v vector_l2_ops);
	CREATE FUNCTION some_vectors(count int, near float8) RETURNS SETOF vector LANGUAGE sql AS
	$$ SELECT ARRAY[near + random(), random(), random(), random(), i % 3]::vector FROM generate_series(1, count) i $$;
	INSERT INTO t (kept, v) SELECT true, some_vectors(3000, 0);
	-- a scan that returns a row twice or loses a kept one divides by zero
	CREATE FUNCTION search() RETURNS int LANGUAGE sql SET enable_seqscan = off SET enable_sort = off AS $$
		SELECT 1 / (count(*) = count(DISTINCT id) AND count(*) FILTER (WHERE kept) = 3000)::int
		FROM (SELECT id, kept FROM t ORDER BY v <-> ARRAY[random(), 0.5, 0.5, 0.5, 1]::vector OFFSET 0) s $$;
});

my %scripts = (
	insert => "INSERT INTO t (v) SELECT some_vectors(50, (random() * 5)::int);\n",
	delete => "DELETE FROM t WHERE id IN (SELECT id FROM t WHERE NOT kept ORDER BY v <-> ARRAY[(random() * 5)::int, 0.5, 0.5, 0.5, 1]::vector LIMIT 90 FOR UPDATE SKIP LOCKED);\n",
	update => "UPDATE t SET v = v WHERE id IN (SELECT id FROM t WHERE NOT kept ORDER BY random() LIMIT 20 FOR UPDATE SKIP LOCKED);\n",
	search => "SELECT search();\n",
	nearest => "SELECT id FROM t ORDER BY v <-> ARRAY[random(), 0.5, 0.5, 0.5, 1]::vector LIMIT 10;\n",
	vacuum => "VACUUM t;\n",
);
my @arguments;
my %weight = (insert => 8, delete => 4, update => 2, search => 2, nearest => 8, vacuum => 1);
foreach my $name (sort keys %scripts)
{
	append_to_file("$directory/$name.sql", $scripts{$name});
	push @arguments, '-f', "$directory/$name.sql\@$weight{$name}";
}
my ($out, $err);
my $ok = IPC::Run::run([ 'pgbench', '-n', '-c', '6', '-T', $seconds, @arguments, $node->connstr('postgres') ],
	'>', \$out, '2>', \$err);
ok($ok, 'no session fails') or diag($err);
unlike($err, qr/ERROR|aborted/, 'no error, no deadlock');
note join(', ', $out =~ /(number of transactions actually processed: \d+)/);

is($node->safe_psql('postgres', q{SELECT * FROM embed_index_check('t_v')}), '', 'structure');
is($node->safe_psql('postgres', q{
	SET enable_seqscan = off; SET enable_sort = off;
	CREATE TEMP TABLE by_index AS SELECT id FROM t ORDER BY v <-> '[1,1,1,1,1]' OFFSET 0;
	SET enable_seqscan = on; SET enable_indexscan = off; SET enable_bitmapscan = off;
	SELECT (SELECT count(*) FROM by_index) - (SELECT count(DISTINCT id) FROM by_index),
		(SELECT count(*) FROM (SELECT id FROM t EXCEPT SELECT id FROM by_index) x),
		(SELECT count(*) FROM (SELECT id FROM by_index EXCEPT SELECT id FROM t) x)}),
	'0|0|0', 'the index has the rows of the table, each once');
note $node->safe_psql('postgres', q{SELECT property, value FROM embed_index_stats('t_v') WHERE property IN ('splits', 'merges', 'leaves', 'extents')});
$node->stop;
done_testing();
