# Would fail if a tuned model were not whole in a dump, if a tuning could not be
# watched or cancelled, left something behind, or disturbed those who use its base.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $node = embed_node('main', 'max_parallel_workers = 4', 'embed.progress = off', "maintenance_work_mem = '256MB'");

# 2,000 words; a word of each thousand belongs to one of the other
$node->safe_psql('postgres', q{
	CREATE TABLE base (id integer, word text, documents bigint, occurrences bigint, vector vector(32));
	INSERT INTO base VALUES (0, NULL, NULL, NULL, NULL);
	INSERT INTO base SELECT n, 'w' || n, 1, 1, (SELECT array_agg(sin(n * d * d + d)) FROM generate_series(1, 32) d)::real[]::vector FROM generate_series(1, 2000) n;
	SELECT register_model('base', 'word2vec', 'embed_words');
	CREATE TABLE pairs AS SELECT format('w%s w%s', n % 1000 + 1, n * 7919 % 1000 + 1) AS anchor,
		format('w%s w%s', n % 1000 + 1001, n * 7919 % 1000 + 1001) AS positive FROM generate_series(1, 20000) n});
my $everything = q{SELECT string_agg(relname || relfilenode, ' ' ORDER BY oid) FROM pg_class};
my $pairs = 'SELECT anchor, positive FROM pairs';

# ---------- a dump holds all of it ----------
$node->safe_psql('postgres', "SELECT tune_model('tuned', 'base', '$pairs LIMIT 2000', epochs => 3, seed => 1)");
my $vectors = q{SELECT md5(string_agg(embed('tuned', anchor)::text, '' ORDER BY anchor)) FROM (SELECT DISTINCT anchor FROM pairs) p};
my $curve = q{SELECT string_agg(h::text, '|') FROM tuning_history('tuned') h};
my $expected = $node->safe_psql('postgres', $vectors);
my $history = $node->safe_psql('postgres', $curve);
my $file = $node->basedir . '/tuned.dump';

like($history, qr/^\(0,0,,recall_at_1,.*\|\(3,\d+,.*,mrr,/, 'the curve begins before the first step and ends after the last');
command_ok([ 'pg_dump', '-Fc', '-t', 'tuned', '-t', 'pairs', '-f', $file, $node->connstr('postgres') ], 'dumped alone');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->safe_psql('restored', 'CREATE EXTENSION embed');
command_ok([ 'pg_restore', '-d', $node->connstr('restored'), $file ], 'restored');
is($node->safe_psql('restored', $vectors), $expected, 'the same vectors');
is($node->safe_psql('restored', $curve), $history, 'the same curve');
$node->safe_psql('restored', "SELECT tune_model('again', 'tuned', '$pairs LIMIT 500', seed => 1)");
is($node->safe_psql('restored', q{SELECT count(*) FROM again}), 2001, 'what was restored can be tuned');

# ---------- seen from another session ----------
my $long = "SELECT tune_model('long', 'base', '%s', epochs => 100000, seed => 1)";
my $run = start_statement($node, sprintf($long, $pairs));
my $line = watch_until($node, q{SELECT query FROM pg_stat_activity WHERE query LIKE 'tuning model "long": epoch%'},
	sub { $_[0] =~ /tokens\/s/ });
like($line // '', qr{^tuning model "long": epoch \d+ of 100000, step \d+ of \d+, mrr 0\.\d+, \d+\.\d %, .* tokens/s, loss \d+\.\d+, .* left -- SELECT tune_model},
	'epoch, step, metric, tokens a second, loss and time left');

# the base is used and changed meanwhile
is($node->safe_psql('postgres', q{SELECT embed('base', 'w1') IS NOT NULL}), 't', 'the base can be used');
$node->safe_psql('postgres', q{UPDATE base SET vector = vector WHERE id = 5});
pass('and changed');

# Cancel, and look how soon the session is idle or gone.
sub cancel
{
	my ($what, $started) = @_;
	my $seconds = $node->safe_psql('postgres', q{
		DO $$
		DECLARE
			began timestamptz := clock_timestamp();
			backend integer := (SELECT pid FROM pg_stat_activity WHERE query LIKE '%tune_model(''long''%' AND pid <> pg_backend_pid());
		BEGIN
			PERFORM pg_cancel_backend(backend);
			LOOP
				PERFORM pg_stat_clear_snapshot();
				EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = backend AND state = 'active');
				PERFORM pg_sleep(0.001);
			END LOOP;
			PERFORM set_config('tune.seconds', extract(epoch FROM clock_timestamp() - began)::text, false);
		END $$;
		SELECT current_setting('tune.seconds')});
	eval { $started->{run}->finish };
	like($started->{err}, qr/canceling statement due to user request/, "cancelled while $what");
	note(sprintf('after %.0f ms', 1000 * $seconds));
	# a machine that is busy with other things takes longer
	cmp_ok($seconds, '<', 1, 'at once');
}

my $before = $node->safe_psql('postgres', $everything);
cancel('training', $run);
foreach my $phase ([ 'reading examples', q{SELECT ''w1'' AS anchor, ''w'' || n AS positive FROM generate_series(1, 100000000) n} ],
	[ 'epoch', $pairs, q{, method => 'layer', rank => NULL} ],
	[ 'epoch', q{SELECT anchor AS text, length(anchor) AS label FROM pairs} ])
{
	my ($name, $query, $options) = @$phase;
	my $statement = sprintf($long, $query);

	$statement =~ s/, seed/$options, seed/ if defined $options;
	my $started = start_statement($node, $statement);
	watch_until($node, qq{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'tuning model "long": $name%'}, sub { $_[0] > 0 });
	usleep(rand(200_000));
	cancel($name . ($options // ''), $started);
}
is($node->safe_psql('postgres', $everything), $before, 'nothing is left in the catalog');
is(temporary_files($node), '', 'nor on disk');

# ---------- stopped at any moment ----------
my $seed = random_seed();
my $wrong = 0;
foreach my $round (1 .. (is_long() ? 200 : 20))
{
	my $timeout = 1 + int(rand(300));
	my ($status) = $node->psql('postgres', "SET statement_timeout = $timeout; SELECT tune_model('long', 'base', '$pairs', epochs => 2)");
	my $left = $node->safe_psql('postgres', q{SELECT to_regclass('long') IS NOT NULL});

	$wrong++ if ($status == 0) != ($left eq 't');
	$node->safe_psql('postgres', 'DROP TABLE IF EXISTS long');
}
is($wrong, 0, "all or nothing (seed $seed)");

# ---------- the server dies ----------
$run = start_statement($node, sprintf($long, $pairs));
watch_until($node, q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'tuning model "long": epoch%'}, sub { $_[0] > 0 });
$node->stop('immediate');
eval { $run->{run}->finish };
$node->start;
is($node->safe_psql('postgres', q{SELECT to_regclass('long') IS NULL}), 't', 'no model after a crash');
is($node->safe_psql('postgres', $vectors), $expected, 'those that were there are');

# ---------- a base that is replaced while it is tuned ----------
# the tuned model is of what its snapshot showed
$run = start_statement($node, "SELECT tune_model('long', 'base', '$pairs', epochs => 30, learning_rate => 1e-12, held_out => 0, seed => 1)");
watch_until($node, q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'tuning model "long": epoch%'}, sub { $_[0] > 0 });
my $word = $node->safe_psql('postgres', q{SELECT vector FROM base WHERE word = 'w7'});
$node->safe_psql('postgres', q{UPDATE base SET vector = vector * array_fill(2, '{32}')::vector WHERE word = 'w7'});
$run->{run}->finish;
is($node->safe_psql('postgres', qq{SELECT l2_distance(vector, '$word') < 1e-4 FROM long WHERE word = 'w7'}), 't', 'a change of the base is not seen');
$node->safe_psql('postgres', 'DROP TABLE long');

# ---------- the weights of a network ----------
my $folder = PostgreSQL::Test::Utils::tempdir() . '/bert';
my $network_seed = random_seed();
write_bert($folder, hidden => 96, units => 256, layers => 4, places => 64, heads => 6, words => [ map { "w$_" } 1 .. 995 ]);
$node->safe_psql('postgres', "SELECT import_model('net', directory => '$folder')");
# words that it knows
$pairs = q{SELECT format(''w%s w%s'', n % 400 + 1, n * 7919 % 400 + 1) AS anchor, format(''w%s w%s'', n % 400 + 401, n * 7919 % 400 + 401) AS positive }
	. 'FROM generate_series(1, 20000) n';
$node->safe_psql('postgres', "SELECT tune_model('net_low', 'net', '$pairs LIMIT 60', epochs => 2, held_out => 0, seed => 1)");
my $sample = q{SELECT md5(string_agg(embed('net_low', anchor)::text, '' ORDER BY anchor)) FROM (SELECT DISTINCT anchor FROM pairs ORDER BY 1 LIMIT 50) p};
$expected = $node->safe_psql('postgres', $sample);
isnt($expected, $node->safe_psql('postgres', $sample =~ s/net_low/net/r), "the network has moved (seed $network_seed)");
command_ok([ 'pg_dump', '-Fc', '-t', 'net_low', '-f', $file, $node->connstr('postgres') ], 'dumped');
command_ok([ 'pg_restore', '-d', $node->connstr('restored'), $file ], 'restored');
is($node->safe_psql('restored', $sample), $expected, 'the same vectors');

# too little memory is said; with what two texts need a batch goes in pieces, and comes to the same
my $little = error_of($node, "SET maintenance_work_mem = '1MB'; SELECT tune_model('long', 'net', '$pairs LIMIT 64', batch => 64)");
like($little, qr/tuning does not fit into maintenance_work_mem.*needs \d+ MB.*SET maintenance_work_mem = '\d+MB'/s, 'what is needed is said');
my ($least) = $little =~ /needs (\d+) MB/;
foreach my $memory (256, $least + 1)
{
	my ($status, $out, $err) = $node->psql('postgres', "SET client_min_messages = debug1; SET maintenance_work_mem = '${memory}MB';
		SELECT tune_model('net_$memory', 'net', '$pairs LIMIT 64', epochs => 2, batch => 64, held_out => 0, seed => 1)");
	is($status, 0, "tuned in $memory MB");
	is($err =~ /trained in pieces of \d+/ ? 'pieces' : 'whole', $memory == 256 ? 'whole' : 'pieces', 'in one piece or several');
}
is($node->safe_psql('postgres', sprintf(q{SELECT bool_and(l2_distance(embed('net_256', anchor), embed('net_%d', anchor)) <
	0.01 * l2_distance(embed('net_256', anchor), embed('net', anchor))) FROM (SELECT anchor FROM pairs LIMIT 20) p}, $least + 1)), 't', 'the same steps');
foreach my $method ('low_rank', 'full')
{
	my $started = start_statement($node, sprintf($long, $pairs) =~ s/, seed/, method => '$method', seed/r =~ s/'base'/'net'/r);
	watch_until($node, q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'tuning model "long": epoch%'}, sub { $_[0] > 0 });
	usleep(rand(300_000));
	cancel("training by $method", $started);
}
is($node->safe_psql('postgres', q{SELECT to_regclass('long') IS NULL}), 't', 'nothing is left of it');

done_testing();
