# Broken if this fails: on some kind of data a ktree index finds fewer of the
# true nearest rows than embed.recall promises, by more than .02, or hands them
# out in a wrong order.
#
# Every draw picks at random a kind of data (any_data.c has them), metric, type,
# dimensions, rows, their order of arrival, how the index came about and what
# happened to it since, a filter, the norm of the questions and embed.recall.
# It asks as many questions as it takes to tell a broken promise from chance:
# 100 are enough, in a slow case 50, where recall is not below the line; where it
# is, the mean must be below it by two standard errors after many more questions,
# or by four at once.
#
# The short run draws the same every time, so that no change is red by the
# chance of another one; the long run, and EMBED_DRAWS, draw anew.
#
# EMBED_SEED=n repeats a run; draw i of it has the seed n + i, so EMBED_SEED=n+i
# EMBED_DRAWS=1 repeats that draw alone.  EMBED_DRAW='kind=zeros metric=<=>'
# fixes some of what is drawn at random.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Digest::MD5 qw(md5);
use EmbedTest;
use List::Util qw(max min);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $draws = $ENV{EMBED_DRAWS} // (is_long() ? 2000 : 50);
$ENV{EMBED_SEED} //= 1000 if !is_long() && !defined $ENV{EMBED_DRAWS};
my @limits = (1, 10, 100);
my $allowed = 0.02;
my $first_questions = 100;

# Rows times dimensions of a draw; distances and seconds that its questions take.
my $most_values = is_long() ? 12_000_000 : 4_000_000;
my $most_distances = is_long() ? 120e6 : 30e6;
my $most_seconds = is_long() ? 30 : 6;

# What makes the vectors.
my $directory = PostgreSQL::Test::Utils::tempdir();
my $maker = "$directory/any_data";
my $source = "$FindBin::RealBin/../../src";
plan skip_all => 'no C compiler for the program that makes vectors' if system('cc --version >/dev/null 2>&1') != 0;
system("cc -O2 -I$source -o $maker $FindBin::RealBin/any_data.c $source/math/random.c -lm") == 0
	or die 'cannot compile the program that makes vectors';
my %dims_of = map { my ($kind, $least, $most) = split; $kind => [ $least, $most ] } split /\n/, `$maker`;
my @kinds = sort keys %dims_of;
cmp_ok(scalar(@kinds), '>=', 20, scalar(@kinds) . ' kinds of data');

my $seed = random_seed();
my $node = embed_node('main', 'autovacuum = off', 'fsync = off', 'jit = off', 'shared_buffers = 256MB',
	'max_wal_size = 2GB', 'wal_level = minimal', 'max_wal_senders = 0', 'max_parallel_maintenance_workers = 0');

# One question: for each limit the share of the true nearest rows that the index
# finds; and whether it gives them in order.  A row counts when it is no farther
# than the last of the true ones, so ties do not matter; without a distance (NULL,
# NaN) it does not count.  NULL where no row has one.
$node->safe_psql('postgres', q{
	CREATE FUNCTION answer(operator text, filter text, limits int[], question anyelement,
		OUT shares float8[], OUT wrong_order int) LANGUAGE plpgsql AS $$
	DECLARE
		truth float8[];
		got float8[];
		there int;
	BEGIN
		EXECUTE format('SELECT array_agg(d) FROM (SELECT d FROM
			(SELECT v %s $1 AS d FROM items WHERE %s OFFSET 0) AS x
			WHERE d <> ''NaN'' ORDER BY d LIMIT 100) AS y', operator, filter)
			INTO truth USING question;
		wrong_order := 0;
		IF truth IS NULL THEN
			RETURN;
		END IF;
		FOR i IN 1 .. cardinality(limits) LOOP
			EXECUTE format('SELECT array_agg(d) FROM
				(SELECT v %1$s $1 AS d FROM items WHERE %2$s ORDER BY v %1$s $1 LIMIT %3$s) AS x',
				operator, filter, limits[i]) INTO got USING question;
			there := least(limits[i], cardinality(truth));
			shares[i] := least((SELECT count(*) FROM unnest(got) AS d WHERE d <= truth[there]), there)::float8 / there;
			wrong_order := wrong_order + (got <> ARRAY(SELECT d FROM unnest(got) AS d ORDER BY d))::int;
		END LOOP;
	END $$;
});

sub pick { return $_[ int(rand(@_)) ] }
sub between { my ($low, $high) = @_; return int(exp(log($low) + rand(log(($high + 1) / $low)))) }

# What a draw is about.
sub draw
{
	my %fixed = map { my ($name, $value) = split /=/, $_, 2; $name => $value } split ' ', $ENV{EMBED_DRAW} // '';
	my %draw;
	my $set = sub { my ($name, $value) = @_; $draw{$name} = $fixed{$name} // $value; };

	$set->(kind => pick(@kinds));
	my ($least, $most) = @{ $dims_of{ $draw{kind} } };
	$set->(metric => pick('<->', '<=>', '<#>'));
	$set->(element => pick('vector', 'vector', 'vector', 'halfvec'));
	$set->(build => pick('bulk', 'grown', 'doubled'));
	$set->(change => pick('none', 'none', 'deleted', 'deleted vacuumed', 'vacuumed', 'refilled', 'updated', 'updated vacuumed'));
	$set->(dims => between($least, $most));

	my $most_rows = min(100_000, int($most_values / $draw{dims}));
	$set->(rows => max(between(100, max($most_rows, 200)), between(100, max($most_rows, 200))));
	$set->(order => pick('natural', 'natural', 'natural', 'sorted'));
	$set->(nulls => pick(0, 0, 0, 0.01));
	$set->(memory => pick('64MB', '64MB', '1MB'));
	my $low = int(rand(99));
	$set->(filter => pick('true', 'true', 'true', 'id%3=0', 'id%50=1', "side>=$low", "side<=$low"));
	$set->(scale => pick(0, 0, 0, 0, 30));
	$set->(recall => pick(0.95, 0.95, 0.95, 0.9, 0.99));
	return \%draw;
}

# The SQL that makes a table and its index so.
sub story
{
	my ($draw) = @_;
	my $rows = $draw->{rows};
	my $class = "$draw->{element}_" . { '<->' => 'l2', '<=>' => 'cosine', '<#>' => 'ip' }->{ $draw->{metric} } . '_ops';
	my $index = "CREATE INDEX items_v ON items USING ktree (v $class);";
	my $insert = 'INSERT INTO items SELECT id, side, 0, v FROM made';
	# a filter by side must leave some of what a deletion leaves
	my $half = pick('id % 2 = 0', $draw->{filter} =~ /side/ ? 'id % 2 = 1' : ("id <= $rows / 2", 'side < 50'));
	my $sql = qq{
		SET client_min_messages = error;
		SET maintenance_work_mem = '$draw->{memory}';
		DROP TABLE IF EXISTS items, made, questions;
		CREATE UNLOGGED TABLE made (id int, side int, v $draw->{element}($draw->{dims}));
		CREATE UNLOGGED TABLE questions (id int, v $draw->{element}($draw->{dims}));
		COPY made FROM '$directory/rows' (FORMAT binary);
		COPY questions FROM '$directory/questions' (FORMAT binary);
		CREATE TABLE items (id int, side int, version int, v $draw->{element}($draw->{dims}));
	};
	$sql .= {
		bulk => "$insert ORDER BY id; $index",
		grown => "$index $insert ORDER BY id;",
		doubled => "$insert WHERE id <= $rows / 2 ORDER BY id; $index $insert WHERE id > $rows / 2 ORDER BY id;"
	}->{ $draw->{build} };
	if ($draw->{change} =~ /updated/)
	{
		# 38 versions of every row of a small table, or of some neighbours in a large
		# one; an index on what changes makes each of them an entry of all indexes
		my $many = max(10, min(1000, int($most_values / 20 / $draw->{dims})));
		my $percent = max(1, min(50, int(100 * $many / $rows)));
		my $each = max(1, int($percent * $rows / 100 / $many));
		my $some = $rows <= $many ? 'true' : "side >= 50 AND side < 50 + $percent AND id % $each = 0";
		$sql .= qq{
			CREATE INDEX ON items (version);
			DO \$\$ BEGIN FOR i IN 1 .. 38 LOOP UPDATE items SET version = version + 1 WHERE $some; COMMIT; END LOOP; END \$\$;
		};
	}
	$sql .= "DELETE FROM items WHERE $half;" if $draw->{change} =~ /deleted|refilled/;
	$sql .= "VACUUM items;" if $draw->{change} =~ /vacuumed|refilled/;
	$sql .= "$insert WHERE $half ORDER BY id;" if $draw->{change} =~ /refilled/;
	return $sql . 'ANALYZE items;';
}

# The best that is known of each limit's recall after some more questions.
sub ask
{
	my ($draw, $from, $until, $sums) = @_;
	my $limits = '{' . join(',', @limits) . '}';
	my $rows = $node->safe_psql('postgres', qq{
		SET enable_seqscan = off; SET embed.recall = $draw->{recall};
		SELECT array_to_string(shares, ' ') || ' ' || wrong_order FROM
			(SELECT v FROM questions WHERE id > $from AND id <= $until) AS q,
			answer('$draw->{metric}', '$draw->{filter}', '$limits', q.v)
		WHERE shares[1] IS NOT NULL});
	foreach my $row (split /\n/, $rows)
	{
		my @found = split ' ', $row;
		$sums->{wrong_order} += pop @found;
		$sums->{count}++;
		foreach my $i (0 .. $#limits)
		{
			$sums->{found}[$i] += $found[$i];
			$sums->{squares}[$i] += $found[$i]**2;
		}
	}
	return;
}

# Mean and standard error of recall at one limit.
sub estimate
{
	my ($sums, $i) = @_;
	my $count = $sums->{count};
	my $mean = $sums->{found}[$i] / $count;
	my $variance = max(0, $sums->{squares}[$i] / $count - $mean**2);

	return ($mean, sqrt($variance / max(1, $count - 1)));
}

# Which limits are below the line; how far, in standard errors, at the least.
sub doubtful
{
	my ($draw, $sums, $errors) = @_;
	my $line = $draw->{recall} - $allowed;

	return grep {
		my ($mean, $error) = estimate($sums, $_);
		$mean + $errors * $error < $line - 1e-9;
	} 0 .. $#limits;
}

my %broken;
foreach my $number (1 .. $draws)
{
	my $draw_seed = $seed + ($draws == 1 ? 0 : $number);
	srand(unpack('L', md5($draw_seed)));	# or neighbours would draw alike
	my $draw = draw();
	my $text = join(' ', map { "$_=$draw->{$_}" } sort keys %$draw);
	my $began = time;
	my $most = int(max(3 * $first_questions, min(1600, $most_distances / $draw->{rows})));
	my $sql = story($draw);
	my $sums = { count => 0, wrong_order => 0 };

	system($maker, $draw->{kind}, $draw_seed, $draw->{dims}, $draw->{element}, $draw->{rows}, $draw->{order},
		$draw->{nulls}, $most, $draw->{scale}, $directory) == 0 or die "cannot make vectors: $text";
	chmod(0644, "$directory/rows", "$directory/questions");
	my ($status, $out, $err) = $node->psql('postgres', $sql);
	if ($status != 0 || $err ne '')
	{
		fail("draw $number, seed $draw_seed: $text: $err");
		next;
	}
	my $made = time;
	like($node->safe_psql('postgres', qq{
		SET enable_seqscan = off;
		EXPLAIN SELECT id FROM items WHERE $draw->{filter} ORDER BY v $draw->{metric} (SELECT v FROM questions LIMIT 1) LIMIT 10}),
		qr/Index Scan using items_v/, "draw $number: the index is what is tested");

	my $asked = 0;
	foreach my $until ($first_questions, int(($first_questions + $most) / 3), $most)
	{
		# at least 50, however long that takes
		while ($asked < $until && ($asked < 50 || time < $made + $most_seconds))
		{
			my $next = min($until, $asked + 25);
			ask($draw, $asked, $next, $sums);
			$asked = $next;
		}
		last if $sums->{count} == 0 || !doubtful($draw, $sums, 0) || doubtful($draw, $sums, 4);
	}
	my @figures = map {
		my ($mean, $error) = estimate($sums, $_);
		sprintf('%.3f+-%.3f at %d', $mean, $error, $limits[$_])
	} grep { $sums->{count} > 0 } 0 .. $#limits;
	my $problems = $node->safe_psql('postgres', q{SELECT string_agg(problem, '; ') FROM embed_index_check('items_v')});
	my @below = $sums->{count} > 0 ? doubtful($draw, $sums, 2) : ();
	my $name = sprintf('draw %d, seed %d: %s: recall %s of %d questions, %.1f s + %.1f s',
		$number, $draw_seed, $text, join(', ', @figures), $sums->{count}, $made - $began, time - $made);

	is(scalar(@below), 0, $name);
	is($sums->{wrong_order}, 0, "draw $number: nearest first");
	is($problems, '', "draw $number: sound");
	$broken{ $draw->{kind} }++ if @below;
}
note('kinds with a broken promise: ' . join(', ', map { "$_ $broken{$_}" } sort keys %broken));
$node->stop;
done_testing();
