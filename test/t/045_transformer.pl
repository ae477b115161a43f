# Broken if this fails: a transformer cannot be cancelled in one of its layers, takes memory by its size, is of no more
# use once memory was short, gives other vectors in a parallel plan, after a restore, on a standby or on a processor with
# other kernels.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $folder = PostgreSQL::Test::Utils::tempdir() . '/model';
my $node = embed_node('main', 'shared_buffers = 64MB', 'max_wal_size = 2GB', 'fsync = off', 'max_parallel_workers_per_gather = 2');

# ---------- a BERT of random weights, some 60 MB ----------
my $seed = random_seed();
my @words = map { "w$_" } 1 .. 995;
my $end = write_bert($folder, hidden => 384, units => 1536, layers => 8, places => 8192, heads => 6, words => \@words);
note(int($end / 1e6) . " MB, seed $seed");
$node->safe_psql('postgres', qq{SELECT import_model('m', directory => '$folder');
	CREATE TABLE texts WITH (parallel_workers = 2) AS SELECT i AS id, (SELECT string_agg('w' || (i * 37 + k * k) % 995 + 1, ' ') FROM generate_series(1, i % 40) k) AS body
		FROM generate_series(1, 120) i});
my $digest = q{SELECT md5(string_agg(coalesce(embed('m', coalesce(body, ''))::text, '-'), ';' ORDER BY id)) FROM texts};
my $expected = $node->safe_psql('postgres', $digest);

# ---------- memory: the weights are a shared map ----------
SKIP:
{
	skip 'no /proc', 2 unless -r '/proc/self/status' && `cat /proc/self/status` =~ /RssAnon/;
	my $anonymous = q{SELECT substring(pg_read_file('/proc/self/status', 0, 4000) FROM 'RssAnon:\s*(\d+)')::int / 1024};
	my ($before, $after, $long) = split /\n/, $node->safe_psql('postgres', qq{SELECT length(embed_models()::text) < 0; $anonymous;
		SET client_min_messages = error; SELECT count(embed('m', coalesce(body, ''))) < 0 FROM texts; $anonymous;
		SELECT length(embed('m', repeat('w1 ', 2000))::text) < 0; $anonymous}) =~ s/^f\n//gmr;
	note("a session's own memory: $before MB, $after MB with the model, $long MB after 2,000 tokens");
	cmp_ok($after - $before, '<', 64, 'a session keeps less than 64 MB of its own');
	cmp_ok($long - $before, '<', 64, 'and gives back what a long text took');
}

# ---------- memory that is not there ----------
SKIP:
{
	skip 'no prlimit here', 6 if system('prlimit --version >/dev/null 2>&1') != 0;
	my $size = q{SELECT substring(pg_read_file('/proc/self/status', 0, 4000) FROM 'VmSize:\s*(\d+)')::int};
	my (undef, $out, $err) = $node->psql('postgres', qq{
		SET client_min_messages = error;
		CREATE FUNCTION pg_temp.tries(query text, count integer) RETURNS integer LANGUAGE plpgsql AS \$\$
		DECLARE failed integer := 0; BEGIN
			FOR i IN 1 .. count LOOP
				BEGIN EXECUTE query; EXCEPTION WHEN out_of_memory THEN failed := failed + 1; END;
			END LOOP;
			RETURN failed; END \$\$;
		SELECT pg_temp.tries('SELECT 1', 2), length(embed_models()::text) < 0;
		SELECT embed('m', 'w1 w2')::text AS short, pg_backend_pid() AS pid \\gset
		\\setenv BACKEND :pid
		\\! prlimit --pid=\$BACKEND --as=\$((\$(awk '/VmSize/ {print \$2}' /proc/\$BACKEND/status) * 1024 + 10000000)):
		SELECT embed('m', repeat('w1 ', 8000)) IS NULL;
		SELECT import_model('late', directory => '$folder');
		SELECT 'same ' || (embed('m', 'w1 w2')::text = :'short');
		SELECT pg_temp.tries(\$\$SELECT embed('m', repeat('w1 ', 8000))\$\$, 3);
		$size AS before \\gset
		SELECT 'caught ' || pg_temp.tries(\$\$SELECT embed('m', repeat('w1 ', 8000))\$\$, 20);
		SELECT 'grown by ' || ($size) - :before;
		\\! prlimit --pid=\$BACKEND --as=unlimited:
		SELECT 'long ' || (embed('m', repeat('w1 ', 800)) IS NOT NULL), 'same ' || (embed('m', 'w1 w2')::text = :'short');}, on_error_stop => 0);
	like($err, qr/ERROR:  out of memory.*ERROR:  out of memory/s, 'a long text, and an import, without the memory');
	like($out, qr/^same true$/m, 'the session goes on');
	like($out, qr/^caught 20$/m, 'caught twenty times');
	my ($grown) = $out =~ /^grown by (-?\d+)$/m;
	cmp_ok($grown // 1e9, '<', 500, 'no memory is lost');
	like($out, qr/^long true\|same true$/m, 'with the memory all is well');
	is($node->safe_psql('postgres', q{SELECT to_regclass('late') IS NULL}), 't', 'no table is left');
}

# ---------- cancelled ----------
my $timed = q{SET statement_timeout = %d; DO $$ DECLARE began timestamptz := clock_timestamp(); n integer; BEGIN
	BEGIN n := length(embed('m', repeat('w1 w2 ', 1500))::text); EXCEPTION WHEN query_canceled THEN NULL; END;
	RAISE NOTICE 'after % ms', round(extract(epoch FROM clock_timestamp() - began) * 1000); END $$};
my ($status, $stdout, $whole) = $node->psql('postgres', sprintf $timed, 0);
my ($cancelled_status, $cancelled_stdout, $cancelled) = $node->psql('postgres', sprintf $timed, 60);
($whole) = $whole =~ /after (\d+) ms/;
($cancelled) = $cancelled =~ /after (\d+) ms/;
note("3,000 tokens: $whole ms, cancelled at 60 ms after $cancelled ms");
cmp_ok($cancelled, '<', $whole / 2, 'a long text is cancelled in the middle');
# in one layer after the other: each time the session goes on with the same vectors
my $few = q{SELECT md5(embed('m', 'w5 w6 w7')::text)};
my $of_few = $node->safe_psql('postgres', $few);
my (undef, $layers, $errors) = $node->psql('postgres', join(";\n", map { (sprintf('SET statement_timeout = %d', 1 + $whole * $_ / 10),
	q{SELECT embed('m', repeat('w1 w2 ', 1500)) IS NULL}, 'SET statement_timeout = 0', $few) } 1, 3, 5, 7, 9), on_error_stop => 0);
my $ended = () = $errors =~ /canceling statement/g;
note("of five long texts $ended were cancelled");
cmp_ok($ended, '>=', 3, 'a long text is cancelled wherever it is');
is(scalar(grep { $_ eq $of_few } split /\n/, $layers), 5, 'and the next one has its vector');
like(error_of($node, q{SET statement_timeout = 40; SELECT embed_array('m', (SELECT array_agg(repeat('w3 ', 500)) FROM generate_series(1, 60)))}),
	qr/canceling statement/, 'so are many');
is($node->safe_psql('postgres', $digest), $expected, 'and the model is as it was');
like(error_of($node, qq{SET statement_timeout = 20; SELECT import_model('late', directory => '$folder')}), qr/canceling statement/,
	'an import is cancelled');
is($node->safe_psql('postgres', q{SELECT to_regclass('late') IS NULL}), 't', 'and leaves no table');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_ls_dir('base/pgsql_tmp') f WHERE f NOT LIKE 'pgsql_tmp_embed%'}), '0',
	'nor a temporary file');

# ---------- distilled ----------
like(error_of($node, q{SET statement_timeout = 100; SELECT distill_model('twin', 'm')}), qr/canceling statement/, 'distilling is cancelled');
is($node->safe_psql('postgres', q{SELECT to_regclass('twin') IS NULL}), 't', 'and leaves no table');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_ls_dir('base/pgsql_tmp') f WHERE f NOT LIKE 'pgsql_tmp_embed%'}), '0',
	'nor a temporary file');
like(error_of($node, q{SET maintenance_work_mem = '1MB'; SELECT distill_model('twin', 'm')}), qr/maintenance_work_mem is too small/,
	'or refused where its covariance finds no room');
SKIP:
{
	skip 'no /proc', 1 unless -r '/proc/self/status' && `cat /proc/self/status` =~ /RssAnon/;
	my $most = q{SELECT substring(pg_read_file('/proc/self/status', 0, 4000) FROM 'VmHWM:\s*(\d+)')::int / 1024};
	my ($before, $after) = split /\n/, $node->safe_psql('postgres', qq{SELECT length(embed('m', 'w1')::text) < 0; $most;
		SET client_min_messages = error; SELECT distill_model('twin', 'm') IS NULL; $most}) =~ s/^f\n//gmr;
	note("at most $before MB with the model, $after MB distilling it");
	cmp_ok($after - $before, '<', 64, 'distilling takes less than 64 MB');
}
is($node->safe_psql('postgres', q{SELECT vector_dims(embed('twin', 'w1 w2'))}), '256', 'the twin embeds');

# ---------- a parallel plan ----------
my $parallel = q{SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; };
like($node->safe_psql('postgres', $parallel . q{EXPLAIN (COSTS off) SELECT count(embed('m', body)) FROM texts}), qr/Workers Planned: 2/,
	'workers encode too');
is($node->safe_psql('postgres', $parallel . q{SELECT count(*) FROM (SELECT id, embed('m', coalesce(body, '')) AS v FROM texts) p
	JOIN (SELECT id, coalesce(body, '') AS body FROM texts) s USING (id) WHERE v <> (SELECT embed('m', body) OFFSET 0)}), '0', 'the same bits');

# ---------- other kernels than those that the image was built for ----------
my $data = $node->data_dir . '/base/pgsql_tmp';
my ($image) = map { s{.*/}{}r } glob "$data/pgsql_tmp_embed*";
ok(defined $image, 'there is an image');
$node->stop;
system_or_bail('cp', "$data/$image", "$folder/image");
my $close = q{SELECT bool_and((e.v <=> embed('m', coalesce(body, ''))) < 1e-5) FROM texts, LATERAL (SELECT v FROM kept WHERE kept.id = texts.id) e};
$node->start;
$node->safe_psql('postgres', q{CREATE TABLE kept AS SELECT id, embed('m', coalesce(body, '')) AS v FROM texts});
$node->stop;
{
	local $ENV{EMBED_CPU} = 'scalar';
	$node->start;
	system_or_bail('mkdir', '-p', $data);
	system_or_bail('cp', "$folder/image", "$data/$image");
	my $before = -s $node->logfile;
	is($node->safe_psql('postgres', $close), 't', 'the same vectors, to rounding');
	like(slurp_file($node->logfile, $before), qr/another format/, 'of an image that was built again');
	$node->stop;
}
$node->start;
is($node->safe_psql('postgres', $digest), $expected, 'and the same bits as before on this processor');

# ---------- dump, restore; a standby ----------
my $file = $node->basedir . '/dump';
$node->command_ok([ 'pg_dump', '-F', 'custom', '-Z', '0', '-d', $node->connstr('postgres'), '-f', $file ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_restore', '-e', '-d', $node->connstr('restored'), $file ], 'pg_restore');
is($node->safe_psql('restored', $digest), $expected, 'a restored model gives the same bits');
$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
is($standby->safe_psql('postgres', $digest), $expected, 'a standby, too');
$standby->stop;

# ---------- eight sessions at once ----------
my @sessions = map { start_statement($node, $digest) } 1 .. 8;
$_->{run}->finish foreach @sessions;
is(join(' ', map { $_->{out} =~ s/\n//r } @sessions), join(' ', ($expected) x 8), 'eight sessions at once');

done_testing();
