# Would fail if a training could not be watched or cancelled, left something
# behind, or needed memory for its corpus.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $node = embed_node('main', 'max_parallel_workers = 4', 'embed.progress = off');

# 4 million words, 20,000 different ones
$node->safe_psql('postgres', q{
	CREATE TABLE texts AS
	SELECT string_agg('w' || (20000 * ((n * k * 7919::bigint % 1000003) / 1000003.0) ^ 3)::int, ' ') AS body
	FROM generate_series(1, 20000) n, generate_series(1, 200) k GROUP BY n});

sub start_training
{
	my ($options, $corpus) = @_;
	my $pid = fork();
	die "fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		open(STDOUT, '>', '/dev/null');
		open(STDERR, '>', $node->basedir . '/training.err');
		exec('psql', '-X', '-d', $node->connstr('postgres'), '-c',
			"SELECT train_word2vec('trained', '" . ($corpus // 'SELECT body FROM texts') . "', $options)");
	}
	return $pid;
}

# Cancel in a phase, and look how soon the session is idle or gone.
sub cancel_in_phase
{
	my ($phase, $options, $corpus) = @_;
	my $client = start_training($options, $corpus);
	my $backend = '';
	my $deadline = time + 60;

	while ($backend eq '' && time < $deadline)
	{
		$backend = $node->safe_psql('postgres',
			"SELECT pid FROM pg_stat_activity WHERE query LIKE 'training model \"trained\": $phase%'");
		usleep(20_000) if $backend eq '';
	}
	isnt($backend, '', "phase \"$phase\" is seen from another session");
	my $seconds = $node->safe_psql('postgres', qq{
		DO \$\$
		DECLARE began timestamptz := clock_timestamp();
		BEGIN
			PERFORM pg_cancel_backend($backend);
			LOOP
				PERFORM pg_stat_clear_snapshot();
				EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity
					WHERE pid = $backend AND state = 'active');
				PERFORM pg_sleep(0.001);
			END LOOP;
			PERFORM set_config('embed_test.seconds',
				extract(epoch FROM clock_timestamp() - began)::text, false);
		END \$\$;
		SELECT current_setting('embed_test.seconds')});
	waitpid($client, 0);
	note("cancelled in phase \"$phase\" after $seconds s");
	# The promise is 0.1 s on a machine that has time for it.
	cmp_ok($seconds, '<', 2, "cancelled soon in phase \"$phase\"");
	like(slurp_file($node->basedir . '/training.err'),
		qr/canceling statement due to user request/, 'with the usual message');
	is($node->safe_psql('postgres', q{SELECT to_regclass('trained') IS NULL}), 't', 'no table is left');
	ok($node->poll_query_until('postgres',
			q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'parallel worker'}),
		'no worker is left');
	is(temporary_files($node), '', 'no temporary file is left');
}

cancel_in_phase('reading corpus', 'dims => 20, workers => 1',
	'SELECT body || pg_sleep(0.001)::text FROM texts');
cancel_in_phase('reading corpus', 'dims => 20, workers => 1',
	q{SELECT string_agg(body, chr(32)) || pg_sleep(1)::text FROM texts UNION ALL
	  SELECT string_agg(body, chr(32)) FROM texts, generate_series(1, 10)});
cancel_in_phase('training', 'dims => 100, epochs => 1000, workers => 1');
cancel_in_phase('training', 'dims => 16000, window_size => 20, negative => 63, epochs => 1000, workers => 1',
	'SELECT body FROM texts LIMIT 20');
cancel_in_phase('training', 'dims => 100, epochs => 1000, workers => 3');

cancel_in_phase('writing model', 'dims => 1000, epochs => 1, min_count => 1, workers => 1',
	'SELECT chr(117) || generate_series(1, 60000)');

# A row is a document, however long it is: all of the texts in one.
is($node->safe_psql('postgres', q{
	SELECT train_word2vec('one_row', 'SELECT string_agg(body, chr(32)) FROM texts', dims => 10, epochs => 1,
		min_count => 1, workers => 2);
	SELECT documents, occurrences FROM one_row WHERE id = 0}), "one_row\n1|4000000", 'a row of 4 million words');

# The corpus does not have to fit: its ids alone are 16 MB.
my $trained = $node->safe_psql('postgres', q{
	SET maintenance_work_mem = '4MB';
	SELECT train_word2vec('small', 'SELECT body FROM texts', dims => 10, epochs => 1, workers => 2, seed => 1);
	SELECT occurrences FROM small WHERE id = 0});
like($trained, qr/^small\n(\d{7})$/, 'a corpus larger than maintenance_work_mem is trained on');
is(temporary_files($node), '', 'and its file is gone');

# A failure of a worker ends the whole.
my $client = start_training('dims => 100, epochs => 1000, workers => 2');
ok($node->poll_query_until('postgres',
		q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'parallel worker'}),
	'a training runs');
$node->safe_psql('postgres',
	q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'parallel worker'});
waitpid($client, 0);
isnt($?, 0, 'a lost worker ends the training');
is($node->safe_psql('postgres', q{SELECT to_regclass('trained') IS NULL}), 't', 'and leaves nothing');

# kill -9 in the middle: nothing is left but what a crash clears
$client = start_training('dims => 100, epochs => 1000, workers => 2');
ok($node->poll_query_until('postgres',
		q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'parallel worker'}),
	'a training runs');
kill_server($node);
waitpid($client, 0);
$node->start;
is(temporary_files($node), '', 'no temporary file after a crash');
is($node->safe_psql('postgres', q{SELECT vector_dims(word_vector('small', 'w1'))}), '10', 'finished models are there');

$node->stop;

# --- little shared memory, as containers have: 4 MB where 40 are needed

SKIP:
{
	my @namespace = ('unshare', '--user', '--map-current-user', '--mount', '--keep-caps');
	my $mount = 'mount -t tmpfs -o size=4m none /dev/shm';

	skip('no mount namespaces for ordinary users here', 5)
		if system("@namespace sh -c '$mount' >/dev/null 2>&1") != 0;
	$node->append_conf('postgresql.conf', 'dynamic_shared_memory_type = posix');
	my $start = 'pg_ctl -s -w -D ' . $node->data_dir . ' -l ' . $node->logfile . ' start';
	system(@namespace, 'sh', '-c', "$mount && $start") == 0 or die 'cannot start with little shared memory';

	my $catalog = q{SELECT count(*) FROM pg_class};
	my $before = $node->safe_psql('postgres', $catalog);
	my $error = error_of($node, q{
		\set VERBOSITY verbose
		SELECT train_word2vec('trained', 'SELECT body FROM texts', dims => 200, min_count => 1, workers => 2)});
	like($error, qr/ERROR:  53[12]00: not enough shared memory for the weights\nDETAIL:  \d\d MB are needed: .*\nHINT:  Enlarge \/dev\/shm/,
		'little shared memory is an error that says how much is needed, and what to do');
	is($node->safe_psql('postgres', $catalog), $before, 'and leaves no table');
	is(temporary_files($node), '', 'nor a file');
	is($node->safe_psql('postgres', q{
		SELECT train_word2vec('fits', 'SELECT body FROM texts LIMIT 1000', dims => 4, min_count => 100, workers => 2);
		SELECT word_vector('fits', 'w1') IS NOT NULL}), "fits\nt", 'a model that fits is trained in the same server');
	is($node->safe_psql('postgres', q{SELECT vector_dims(word_vector('small', 'w1'))}), '10', 'models are used there');
	system('pg_ctl', '-s', '-w', '-D', $node->data_dir, '-m', 'fast', 'stop') == 0 or die;
}

done_testing();
