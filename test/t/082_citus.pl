# Broken if this fails: what the reference says of tables that Citus
# distributes: the same calls keep, fill and search a column there, with copies
# of the model on the workers; what cannot be is refused with the way round.
#
# Skipped where the server has no Citus.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($share, undef) = run_command([ 'pg_config', '--sharedir' ]);
plan skip_all => 'the server has no extension citus'
	if !-f "$share/extension/citus.control";

# Nodes reach each other by TCP, on this machine only.
$PostgreSQL::Test::Cluster::use_tcp = 1;
$PostgreSQL::Test::Cluster::test_pghost = '127.0.0.1';
my @nodes;
foreach my $name ('coordinator', 'worker1', 'worker2')
{
	my $node = init_node($name, q{shared_preload_libraries = 'citus'}, q{listen_addresses = '127.0.0.1'}, q{unix_socket_directories = ''},
		'citus.enable_statistics_collection = off', q{citus.node_conninfo = 'sslmode=disable'}, 'citus.shard_count = 4', 'max_prepared_transactions = 20');
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION citus; CREATE SCHEMA "Vector s"; CREATE EXTENSION embed SCHEMA "Vector s"; ALTER DATABASE postgres SET search_path = public, "Vector s"');
	push @nodes, $node;
}
my ($main, @workers) = @nodes;
$main->safe_psql('postgres', sprintf(q{SELECT citus_set_coordinator_host('127.0.0.1', %d)}, $main->port));
$main->safe_psql('postgres', sprintf(q{SELECT citus_add_node('127.0.0.1', %d)}, $_->port)) foreach @workers;

# A table with odd names, distributed; a model is trained from it.
$main->safe_psql('postgres', q{
	SET embed.progress = off;
	CREATE TABLE "Do cs" (id bigint PRIMARY KEY, "Tit=le" text, body text);
	SELECT create_distributed_table('"Do cs"', 'id');
	INSERT INTO "Do cs" SELECT i, CASE WHEN i % 3 > 0 THEN 'title ' || i % 11 END, 'word' || i % 97 || ' word' || i % 89 FROM generate_series(1, 2000) i;
	SELECT train_vocabulary('terms', 'SELECT concat_ws('' '', "Tit=le", body) FROM "Do cs"');
	SELECT train_word2vec('vectors', 'SELECT concat_ws('' '', "Tit=le", body) FROM "Do cs"', dims => 16, min_count => 1, workers => 1, seed => 1);
});

# --- what cannot be
my $call = q{embed_column('"Do cs"', ARRAY['Tit=le', 'body'], };
like(error_of($main, "SELECT $call 'terms')"), qr/cannot fill table "Do cs", which Citus distributes.*HINT: .*fill => false/s, 'filling is a call of its own');
$main->safe_psql('postgres', q{SET citus.enable_unsafe_triggers = on; SELECT train_vocabulary('everywhere', 'SELECT body FROM "Do cs"'); SELECT create_reference_table('everywhere')});
like(error_of($main, "SELECT $call 'everywhere', 'w', fill => false)"), qr/model "everywhere" is distributed.*HINT: .*undistribute_table/s, 'a model is no reference table');

# --- the same calls
my @statements = split(/\n/, $main->safe_psql('postgres', "SELECT statement FROM $call 'terms', 'words', fill => false)"));
is(scalar(@statements), 4, 'column, setting, trigger, index');
$main->safe_psql('postgres', "SELECT $call 'vectors', 'meaning', fill => false, version_column => true)");
is($main->safe_psql('postgres', 'SHOW citus.enable_unsafe_triggers'), 'off', 'and the setting is as it was');
my $writing = q{INSERT INTO "Do cs" VALUES (5000, 'early', 'word1')};
like(error_of($main, $writing), qr/embedding model public\.\w+, which keeps column "\w+" fresh, does not exist/, 'without copies of the model workers say so');
like(error_of($main, q{CALL embed_fill('"Do cs"')}), qr/4 shards of table "Do cs" could not be filled.*model.*does not exist/s, 'filling too');

# --- models go to the workers
foreach my $worker (@workers)
{
	command_ok(['sh', '-c', sprintf(q{{ echo 'SET citus.enable_ddl_propagation = off;'; pg_dump -t terms -t vectors -d '%s'; } | psql -X -q -v ON_ERROR_STOP=1 -d '%s'},
		$main->connstr('postgres'), $worker->connstr('postgres'))], 'the models go to ' . $worker->name);
}
$main->safe_psql('postgres', q{CALL embed_fill('"Do cs"', batch_rows => 100)});
is($main->safe_psql('postgres', 'SELECT count(*), count(words), count(meaning), count(meaning_version) FROM "Do cs"'), '2000|2000|2000|2000', 'all rows are filled');
is($main->safe_psql('postgres', q{
	SELECT count(*) FROM (SELECT id, words, concat_ws(E'\n\n', "Tit=le", body) AS input FROM "Do cs" ORDER BY id LIMIT 500) AS d
	WHERE words IS DISTINCT FROM bm25_document('terms', input)}), '0', 'with what the coordinator would compute');

# --- what is written is fresh
$main->safe_psql('postgres', $writing);
my $copy = PostgreSQL::Test::Utils::tempdir . '/rows';
append_to_file($copy, "5001\t\\N\tword2 word3\n");
$main->safe_psql('postgres', qq{\\copy "Do cs" (id, "Tit=le", body) FROM '$copy'});
$main->safe_psql('postgres', q{UPDATE "Do cs" SET body = 'word96 word5' WHERE id = 17});
is($main->safe_psql('postgres', q{SELECT string_agg(id::text, ' ' ORDER BY id) FROM
	(SELECT * FROM "Do cs" WHERE id IN (17, 5000, 5001) OFFSET 0) AS d WHERE words = bm25_document('terms', concat_ws(E'\n\n', "Tit=le", body))}),
	'17 5000 5001', 'INSERT, COPY and UPDATE');
is($main->safe_psql('postgres', q{SELECT string_agg("column" || ' ' || filled || ' ' || missing, ', ' ORDER BY "column") FROM embed_columns(true)}),
	'meaning 2002 0, words 2002 0', 'embed_columns() counts all shards');
$main->safe_psql('postgres', q{UPDATE "Do cs" SET words = NULL WHERE id % 2 = 0});
$main->safe_psql('postgres', q{CALL embed_fill('"Do cs"', 'words')});
is($main->safe_psql('postgres', 'SELECT count(*) FROM "Do cs" WHERE words IS NULL'), '0', 'a column that was emptied');
like(error_of($main, q{CALL embed_fill('"Do cs"', max_rows => 10)}), qr/max_rows is not for a table that Citus distributes/, 'max_rows');

# --- search, by each shard's index
my $search = q{SELECT string_agg((hit).id::text, ' ') FROM embed_search(NULL::"Do cs", 'word96 word5', 5, columns => '{words}')};
my $plain = q{SELECT string_agg(id::text, ' ' ORDER BY d, id) FROM (SELECT id, words <#> (SELECT bm25_query('terms', 'word96 word5')) AS d FROM "Do cs" ORDER BY 2, 1 LIMIT 5) x};
is($main->safe_psql('postgres', $search), $main->safe_psql('postgres', $plain), 'a search gives what ordering by hand gives');
is($main->safe_psql('postgres', q{SELECT count(*), count(ranks[1]) > 0 AND count(ranks[2]) > 0 FROM embed_search(NULL::"Do cs", 'word96 word5', 5)}), '5|t', 'by words and meaning');
$main->safe_psql('postgres', 'ANALYZE "Do cs"');
$_->safe_psql('postgres', 'ALTER SYSTEM SET enable_seqscan = off; SELECT pg_reload_conf()') foreach @workers;
my $plan = $main->safe_psql('postgres', q{EXPLAIN (COSTS OFF) SELECT id FROM "Do cs" ORDER BY words <#> bm25_query('terms', 'word5') LIMIT 3});
like($plan, qr/Task Count: 4.*Limit.*Index Scan using [^\n]*words_idx/s, 'shards answer by their indexes, as many rows each as are asked for');

$_->stop foreach reverse @nodes;
done_testing();
