# Broken if this fails: an inverted index loses, repeats or misplaces rows on a
# standby that is read while pages are reused and the primary is killed, after
# its promotion, or under concurrent inserts, deletes, updates and VACUUM.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $rounds = is_long() ? 50 : 3;
my $seed = random_seed();

# Every page change is compared with its replay, by the standby and by each
# recovery.
my $primary = embed_node(
	'primary',
	'wal_consistency_checking = generic',
	'autovacuum = off',
	'shared_buffers = 32MB',
	'max_wal_size = 1GB', 'wal_keep_size = 16GB',
	'jit = off',
	'max_connections = 20',
	'enable_seqscan = on');

$primary->safe_psql('postgres', q{
	CREATE TABLE docs (id bigserial PRIMARY KEY, n int DEFAULT 0, v sparsevec(5000)) WITH (fillfactor = 80);
	CREATE INDEX docs_v ON docs USING inverted (v);
	CREATE UNLOGGED TABLE unlogged_docs (v sparsevec(5000));
	CREATE INDEX unlogged_docs_v ON unlogged_docs USING inverted (v);

	CREATE FUNCTION random_vector(nonzeros int DEFAULT 30) RETURNS sparsevec LANGUAGE sql VOLATILE AS $$
		SELECT CASE WHEN random() < 0.01 THEN NULL
			ELSE ('{' || string_agg(i || ':' || (random() - 0.2)::float4, ',') || '}/5000')::sparsevec END
		FROM (SELECT DISTINCT 1 + floor(5000 * random() ^ 3)::int AS i FROM generate_series(1, nonzeros)) AS x
	$$;

	-- One statement, so one snapshot: the order by index and the order by sort.
	CREATE FUNCTION agree(query sparsevec, count bigint DEFAULT 20) RETURNS boolean
	LANGUAGE plpgsql STABLE SET enable_sort = off AS $$
	DECLARE
		by_index float8[];
		by_table float8[];
		rows bigint;
		different bigint;
	BEGIN
		SELECT (SELECT array_agg(x.d) FROM (SELECT d.v <#> query AS d FROM docs AS d ORDER BY d.v <#> query LIMIT count) AS x),
			   (SELECT array_agg(y.d) FROM (SELECT x.d FROM (SELECT d.v <#> query AS d FROM docs AS d OFFSET 0) AS x ORDER BY x.d LIMIT count) AS y)
			INTO by_index, by_table;
		IF by_index IS DISTINCT FROM by_table THEN
			RAISE 'index and table disagree: % and % for %', by_index, by_table, query;
		END IF;
		IF count IS NULL THEN
			SELECT count(*), count(DISTINCT x.id) INTO rows, different
				FROM (SELECT d.id FROM docs AS d ORDER BY d.v <#> query) AS x;
			IF rows <> different OR rows <> (SELECT count(*) FROM docs) THEN
				RAISE 'index returns % rows, % different', rows, different;
			END IF;
		END IF;
		RETURN true;
	END $$;
	INSERT INTO docs (v) SELECT random_vector() FROM generate_series(1, 2000);
	INSERT INTO unlogged_docs SELECT v FROM docs;
});
like( $primary->safe_psql('postgres', q{
		SET enable_sort = off;
		EXPLAIN SELECT v FROM docs ORDER BY v <#> '{1:1}/5000' LIMIT 20}),
	qr/Index Scan using docs_v/, 'the index is what is tested');

$primary->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->append_conf('postgresql.conf', 'hot_standby_feedback = off');
$standby->append_conf('postgresql.conf', 'max_standby_streaming_delay = -1');
$standby->start;

my $directory = $primary->basedir;
my %script = (
	insert => 'INSERT INTO docs (v) SELECT random_vector() FROM generate_series(1, 60);',
	long => 'INSERT INTO docs (v) VALUES (random_vector(4000));',
	delete => 'DELETE FROM docs WHERE id IN (SELECT id FROM docs TABLESAMPLE SYSTEM (3) LIMIT 80);',
	update => 'UPDATE docs SET v = random_vector() WHERE id IN (SELECT id FROM docs TABLESAMPLE SYSTEM (1) LIMIT 5);',
	touch => 'UPDATE docs SET n = n + 1 WHERE id IN (SELECT id FROM docs TABLESAMPLE SYSTEM (1) LIMIT 20);',
	search => 'SELECT agree(random_vector());',
	vacuum => 'VACUUM docs;');
append_to_file("$directory/$_.sql", $script{$_}) foreach keys %script;

sub start_load
{
	my ($seconds) = @_;
	my ($out, $err) = ('', '');
	my $run = IPC::Run::start(
		[   'pgbench', '-n', '-c', '4', '-j', '1', '-T', $seconds, '-h', $primary->host, '-p',
			$primary->port,
			map({ ('-f', "$directory/$_->[0].sql\@$_->[1]") }
				[ insert => 20 ], [ long => 1 ], [ delete => 8 ], [ update => 8 ], [ touch => 8 ], [ search => 8 ], [ vacuum => 1 ]),
			'postgres' ],
		'<', \undef, '>', \$out, '2>', \$err);
	return { run => $run, out => \$out, err => \$err };
}

sub statistic
{
	my ($property) = @_;
	return $primary->safe_psql('postgres',
		"SELECT value FROM embed_index_stats('docs_v') WHERE property = '$property'");
}

sub verify
{
	my ($node, $what) = @_;
	is($node->safe_psql('postgres', "SELECT * FROM embed_index_check('docs_v')"),
		'', "$what: the index is sound");
	is( $node->safe_psql('postgres', q{
			SELECT count(agree(v)) FROM (SELECT v FROM docs WHERE v IS NOT NULL ORDER BY id DESC LIMIT 8) AS q}),
		8, "$what: the first rows are those of a sequential scan");
	is( $node->safe_psql('postgres', q{SELECT agree('{1:1,3:-2,200:1}/5000', NULL)}),
		't', "$what: all rows are");
	return;
}

# Kill the server again and again while the index changes.
my ($seals, $merges, $reads) = (0, 0, 0);
foreach my $round (1 .. $rounds)
{
	my ($seals_before, $merges_before) = (statistic('seals'), statistic('merges'));
	my $load = start_load(60);
	my $end = time + 1 + rand(1.5);

	while (time < $end)
	{
		my ($status, $out, $err) = $standby->psql('postgres', q{SELECT agree(v) FROM docs WHERE v IS NOT NULL ORDER BY random() LIMIT 2});
		is($err, '', "round $round: the standby agrees with itself") if $status != 0;
		$reads++;
	}
	kill_server($primary);
	$load->{run}->finish;
	unlike(${ $load->{err} }, qr/disagree|different|damaged|deadlock/, "round $round: no wrong answer before the kill")
	  or diag(${ $load->{err} });
	$primary->start;
	verify($primary, "round $round");
	$seals += statistic('seals') - $seals_before;
	$merges += statistic('merges') - $merges_before;
}
note("$seals seals, $merges merges, $reads reads of the standby, in $rounds rounds");
cmp_ok($reads, '>=', 3 * $rounds, 'the standby was read all the while');
cmp_ok($seals, '>=', 2 * $rounds, 'the tail was sealed during the kills');
cmp_ok($merges, '>=', $rounds / 2, 'segments were merged during the kills');

is($primary->safe_psql('postgres', q{
	SET enable_seqscan = off;
	SELECT count(*) FROM (SELECT 1 FROM unlogged_docs ORDER BY v <#> '{1:1}/5000') AS x;
	INSERT INTO unlogged_docs SELECT v FROM docs LIMIT 1000;
	SELECT count(*) FROM (SELECT 1 FROM unlogged_docs ORDER BY v <#> '{1:1}/5000') AS x;
	SELECT * FROM embed_index_check('unlogged_docs_v')}),
	"0\n1000", 'an unlogged index is empty and usable after a crash');

# Without a kill: nobody fails, waits for ever or sees a wrong answer.
my $load = start_load(is_long() ? 300 : 5);
$load->{run}->finish;
is($load->{run}->result(0), 0, 'concurrent changes and searches all succeed') or diag(${ $load->{err} });
verify($primary, 'after concurrent changes');

# The standby has followed; promoted, it goes on.
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
is($standby->safe_psql('postgres', q{SELECT agree('{1:1,3:-2,200:1}/5000', NULL)}), 't', 'standby: all rows');
is($standby->safe_psql('postgres', "SELECT * FROM embed_index_check('docs_v')"), '', 'standby: the index is sound');
$standby->promote;
$standby->safe_psql('postgres', 'INSERT INTO docs (v) SELECT random_vector() FROM generate_series(1, 3000); VACUUM docs');
verify($standby, 'promoted');

done_testing();
