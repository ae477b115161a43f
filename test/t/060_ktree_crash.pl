# Broken if this fails: a ktree index loses, repeats or misplaces a row, or
# its structure is damaged, when the server is killed at a random moment of
# concurrent inserts, splits, deletes, merges, vacuums and index builds.
# Redo is checked against full pages (wal_consistency_checking) all the while.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $rounds = is_long() ? 200 : 50;
my $seed = random_seed();
srand($seed);
note "seed $seed, $rounds rounds";

my $node = embed_node(
	'main',
	'autovacuum = off', 'fsync = off', 'wal_consistency_checking = generic',
	'max_wal_size = 1GB', 'shared_buffers = 64MB', 'checkpoint_timeout = 30s');

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

my $directory = PostgreSQL::Test::Utils::tempdir();
my $number = 0;
sub worker
{
	my ($choices) = @_;
	my $script = '';
	$script .= $work[ $choices->[ int(rand(@$choices)) ] ] . ";\n" for 1 .. 400;
	my $file = "$directory/worker" . $number++ . '.sql';
	append_to_file($file, $script);
	return IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres'), '-f', $file ],
		'>', "$directory/out", '2>', "$directory/errors");
}

sub counted
{
	return split /\|/, $node->safe_psql('postgres', q{
		SELECT sum(value) FILTER (WHERE property = 'splits'), sum(value) FILTER (WHERE property = 'merges')
		FROM embed_index_stats('t_v')});
}

my %bad;
foreach my $round (1 .. $rounds)
{
	my @workers = (worker([ 0, 0, 0, 2, 4 ]), worker([ 0, 0, 1 ]), worker([ 3, 1, 3, $round % 5 ? 3 : 5 ]));

	# on a busy machine it takes longer until there is something to break
	my $until = time + 8;
	while (time < $until)
	{
		my ($splits, $merges) = counted();
		last if $splits >= 22 * $round && $merges >= 2.2 * $round;
		sleep(0.05);
	}
	sleep(rand(0.3));
	kill_server($node);
	eval { $_->kill_kill } foreach @workers;
	$node->start;

	my $problems = $node->safe_psql('postgres', q{SELECT * FROM embed_index_check('t_v')});
	$bad{structure} = "round $round: $problems" if $problems ne '';
	my $difference = $node->safe_psql('postgres', q{
		SET enable_seqscan = off; SET enable_sort = off;
		CREATE TEMP TABLE by_index AS SELECT id FROM t ORDER BY v <-> '[1,1,1,1,1]' OFFSET 0;
		SET enable_seqscan = on; SET enable_indexscan = off;
		SELECT (SELECT count(*) FROM by_index) - (SELECT count(DISTINCT id) FROM by_index),
			(SELECT count(*) FROM (SELECT id FROM t EXCEPT SELECT id FROM by_index) x),
			(SELECT count(*) FROM (SELECT id FROM by_index EXCEPT SELECT id FROM t) x)});
	$bad{rows} = "round $round: repeated|lost|wrong $difference" if $difference ne '0|0|0';
	last if %bad;
}
is($bad{structure}, undef, "structure is right after each of $rounds kills");
is($bad{rows}, undef, 'every row is found once after each kill');

my ($splits, $merges) = counted();
note "$splits splits and $merges merges during the kills";
cmp_ok($splits, '>=', 20 * $rounds, 'enough splits happened for that to mean something');
cmp_ok($merges, '>=', 2 * $rounds, 'enough merges happened');

# What crashes left behind is recovered: nothing but live and listed extents.
$node->safe_psql('postgres', 'DROP INDEX IF EXISTS t_other; VACUUM t; VACUUM t');
is($node->safe_psql('postgres', q{
	SELECT sum(value) FILTER (WHERE property = 'extents') -
		sum(value) FILTER (WHERE property IN ('leaves', 'inner nodes', 'free nodes'))
	FROM embed_index_stats('t_v')}), '0', 'VACUUM recovered every orphan');
is($node->safe_psql('postgres', q{SELECT count(*) FROM embed_index_check('t_v')}), '0', 'structure at the end');
$node->stop;
done_testing();
