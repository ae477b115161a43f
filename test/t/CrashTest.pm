# CrashTest.pm: a server killed again and again in the middle of its work.
#
#   my $node = crash_node('max_wal_size = 2GB');
#   ...tables, an index, functions...
#   crash_repeatedly($node, index => 'docs_v', ...);
#
# Each round starts sessions that change the index, waits until enough has
# happened to it, kills every process of the server at a random moment, starts
# it again, and asks whether the index is whole.  Redo is checked against full
# pages (wal_consistency_checking) all the while.
package CrashTest;

use strict;
use warnings;

use EmbedTest;
use Exporter 'import';
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(crash_node crash_repeatedly);

sub crash_node
{
	return embed_node(
		'main',
		'autovacuum = off', 'fsync = off', 'wal_consistency_checking = generic',
		'max_wal_size = 1GB', 'shared_buffers = 64MB', 'checkpoint_timeout = 30s', @_);
}

# A server with assertions is slower, and finds in one kill what shows in the
# rows only after many.
sub rounds
{
	return is_long() ? 200 : $ENV{EMBED_ASSERTIONS} ? 10 : 50;
}

# A session that does 400 things from a list, each as often as it stands there.
sub start_worker
{
	my ($node, $directory, $number, $choices) = @_;
	my $file = "$directory/worker$number.sql";
	append_to_file($file, join('', map { $choices->[ int(rand(@$choices)) ] . ";\n" } 1 .. 400));
	return IPC::Run::start(
		[ 'psql', '-XqAt', '-v', 'VERBOSITY=verbose', '-d', $node->connstr('postgres'), '-f', $file ],
		'>', "$directory/out", '2>>', "$directory/errors");
}

# What happened to the index since it was made
sub counted
{
	my ($node, $test) = @_;
	return {
		map { split /\|/ } split /\n/,
		$node->safe_psql('postgres', "SELECT property, value FROM embed_index_stats('$test->{index}')") };
}

# On a busy machine it takes longer until there is something to break.
sub await_work
{
	my ($node, $test, $round) = @_;
	my $until = time + 8;
	while (time < $until)
	{
		my $counts = counted($node, $test);
		last if !grep { $counts->{$_} < 1.1 * $test->{each_round}->{$_} * $round } keys %{ $test->{each_round} };
		sleep(0.05);
	}
	sleep(rand(0.3));
	return;
}

# index       whose statistics are watched
# each_round  property => how often it must grow in a round, for the test to
#             mean something
# workers     round => a list of statements for each session
# structure   SQL: what is wrong with indexes, no row if nothing is
# rows        SQL: how the rows by index differ from the table's, '' if not
# allowed     optional: what sessions may be told beside the server's death
sub crash_repeatedly
{
	my ($node, %test) = @_;
	my $rounds = rounds();
	my $directory = PostgreSQL::Test::Utils::tempdir();
	my $number = 0;
	my %bad;

	note "$rounds rounds";
	foreach my $round (1 .. $rounds)
	{
		my @workers = map { start_worker($node, $directory, $number++, $_) } $test{workers}->($round);

		await_work($node, \%test, $round);
		kill_server($node);
		eval { $_->kill_kill } foreach @workers;
		$node->start;
		foreach my $question (qw(structure rows))
		{
			my $answer = $node->safe_psql('postgres', $test{$question});
			$bad{$question} = "round $round: $answer" if $answer ne '';
		}
		last if %bad;
	}
	is($bad{structure}, undef, "structure is right after each of $rounds kills");
	is($bad{rows}, undef, 'every row is found once, in its place, after each kill');

	my $told = slurp_file("$directory/errors");
	$told =~ s/^.*$test{allowed}.*$//mg if $test{allowed};
	unlike($told, qr/damaged|deadlock|corrupt|ERROR:  XX/, 'no session met damage');

	my $counts = counted($node, \%test);
	foreach my $property (sort keys %{ $test{each_round} })
	{
		note "$counts->{$property} $property during the kills";
		cmp_ok($counts->{$property}, '>=', $test{each_round}->{$property} * $rounds,
			"enough $property happened for that to mean something");
	}
	return;
}

1;
