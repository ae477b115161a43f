# Broken if this fails: a training cannot be watched or stopped, or one that
# was stopped, at whatever moment, leaves something behind.
# Also run with assertions.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $node = embed_node('main', 'autovacuum = off', 'log_min_messages = log');
$node->safe_psql('postgres', q{SELECT train_vocabulary('old', 'SELECT ''the old words''')});
my $long = q{SELECT train_vocabulary('terms', 'SELECT ''some words and number '' || generate_series(1, 100000000)')};
my $everything = q{SELECT string_agg(relname || relfilenode, ' ' ORDER BY oid) FROM pg_class};
my $before = $node->safe_psql('postgres', $everything);

sub files
{
	my $find = 'find ' . $node->data_dir . "/base -name 'pgsql_tmp?*' | wc -l";
	my $count = `$find`;
	chomp $count;
	return $count;
}

sub train
{
	my ($sql, $output) = @_;

	return IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', $sql ], '>', $output, '2>&1',
		IPC::Run::timeout(180));
}

# seen from another session, and by the client or in the log as embed.progress says
my $output = '';
my $training = train($long, \$output);
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity
	WHERE query ~ 'training vocabulary "terms".*counting terms, .* documents/s -- SELECT train_vocabulary' AND pid <> pg_backend_pid()}),
	'progress is in pg_stat_activity');
my $started = time();
$node->safe_psql('postgres', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query ~ 'training vocabulary' AND pid <> pg_backend_pid()});
$training->finish;
note(sprintf('cancelled in %.0f ms, psql and all', 1000 * (time() - $started)));
like($output, qr/NOTICE:  training vocabulary "terms": counting terms, .* documents/, 'and told to the client');
like($output, qr/ERROR:  canceling statement due to user request/, 'cancelled');
is($node->safe_psql('postgres', $everything), $before, 'nothing is left in the catalog');
is(files(), 0, 'nor on disk');

$output = '';
my $log = -s $node->logfile;
$training = train("SET embed.progress = log; SET statement_timeout = 2500; $long", \$output);
$training->finish;
like($output, qr/canceling statement due to statement timeout/, 'timed out');
unlike($output, qr/NOTICE/, 'embed.progress = log tells the client nothing');
like(slurp_file($node->logfile, $log), qr/LOG:  training vocabulary "terms": counting terms/, 'but the log');

# terminated
$output = '';
$training = train("SET embed.progress = off; $long", \$output);
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ 'training vocabulary "terms"' AND pid <> pg_backend_pid()}),
	'also with embed.progress = off');
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ 'training vocabulary' AND pid <> pg_backend_pid()});
eval { $training->finish };
unlike($output, qr/NOTICE/, 'which tells the client nothing');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE query ~ 'train_vocabulary' AND pid <> pg_backend_pid()}), 'terminated');
is($node->safe_psql('postgres', $everything), $before, 'nothing is left in the catalog');

# at many moments, while a model is made and while one is replaced
my $short = q{SELECT train_vocabulary('%s', 'SELECT ''word'' || i || '' again'' FROM generate_series(1, 30000) i', replace => %s)};
my $seed = random_seed();
my $left = 0;
my $wrong = 0;
my $stopped = 0;
my $rounds = is_long() ? 500 : 30;
foreach my $round (1 .. $rounds)
{
	my ($name, $replace) = $round % 2 ? ('terms', 'false') : ('old', 'true');
	my $timeout = 1 + int(rand(400));
	my ($status, $out, $err) = $node->psql('postgres',
		"SET embed.progress = off; BEGIN; SET LOCAL statement_timeout = $timeout; " . sprintf($short, $name, $replace) . '; ROLLBACK');

	$stopped++ if $err =~ /statement timeout/;
	$left++ if $node->safe_psql('postgres', $everything) ne $before;
	$wrong++ if $node->safe_psql('postgres', q{SELECT count(*) = 4 AND bool_and(id = 0 OR one_hot('old', term) IS NOT NULL) FROM old}) ne 't';
}
note("$stopped of $rounds stopped in time");
cmp_ok($stopped, '>', 0, 'some were stopped');
is($left, 0, "nothing left after $rounds of them");
is($wrong, 0, 'the old model was there all the time');

# killed: what the crash leaves in files goes at the next start
$output = '';
$training = train("SET embed.progress = off; $long", \$output);
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ 'training vocabulary "terms"' AND pid <> pg_backend_pid()}),
	'training again');
kill_server($node);
eval { $training->finish };
$node->start;
is($node->safe_psql('postgres', $everything), $before, 'after kill -9: nothing is left in the catalog');
is(files(), 0, 'nor on disk');
is($node->safe_psql('postgres', q{SELECT one_hot('old', 'words') IS NOT NULL}), 't', 'the old model works');

$node->stop;
done_testing();
