# Would fail if what one of several workers learns were lost, or if workers that
# were asked for and not granted changed what a single one trains.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $corpus = real_data('corpora/wiki_text8style_100MB.txt.xz');
my $questions = real_data('word_eval/questions-words.txt');
my $judged = real_data('word_eval/EN-WS-353-ALL.txt');
plan skip_all => 'no real data: set EMBED_DATA' if !$corpus || !$questions || !$judged;

my $node = embed_node('main', 'embed.progress = off', 'max_parallel_workers = 4', 'max_wal_size = 4GB');
my $directory = $node->basedir;

# 6 million bytes, cut between words
system("xz -dc '$corpus' 2>/dev/null | head -c 6000000 | fold -s -w 10000 >'$directory/text'") == 0
	or die "cannot read $corpus";
system(qq{awk '/^:/ { s = \$2; next } { print s "\\t" \$1 "\\t" \$2 "\\t" \$3 "\\t" \$4 }' '$questions' >'$directory/questions'}) == 0
	or die "cannot read $questions";
system("cp '$judged' '$directory/judged'") == 0 or die "cannot read $judged";
$node->safe_psql('postgres', qq{
	CREATE TABLE texts (body text);
	COPY texts FROM '$directory/text';
	CREATE TABLE questions (section text, a text, b text, c text, expected text);
	COPY questions FROM '$directory/questions';
	CREATE TABLE judged (a text, b text, score float8);
	COPY judged FROM '$directory/judged'});

sub train
{
	my ($name, $workers, @settings) = @_;

	$node->safe_psql('postgres', join('', map { "SET $_; " } @settings) .
		"SELECT train_word2vec('$name', 'SELECT body FROM texts', workers => $workers, seed => 1)");
}

# right answers to analogies, in per cent, and the correlation of WordSim-353
sub quality
{
	my ($name) = @_;
	my ($analogies, $similarity) = split(/\|/, $node->safe_psql('postgres', qq{
		SELECT 100 * a.accuracy, s.spearman
		FROM evaluate_analogies('$name', 'SELECT * FROM questions', 30000) a,
			evaluate_similarity('$name', 'SELECT * FROM judged') s WHERE a.section = 'total'}));

	note(sprintf('%s: analogies %.2f %%, WordSim-353 %.3f', $name, $analogies, $similarity));
	return ($analogies, $similarity);
}

train('one', 1);
my ($analogies, $similarity) = quality('one');

# One worker has 3.5 % and 0.29; where a second one's copies are never joined,
# 1.5 to 1.8 % and 0.14 to 0.17 are left.
for my $case (['two', 2], ['few_copies', 2, "maintenance_work_mem = '8MB'"], ['four', 4])
{
	my ($name, @arguments) = @$case;

	train($name, @arguments);
	my ($its_analogies, $its_similarity) = quality($name);
	cmp_ok($its_analogies, '>', 0.7 * $analogies, "$name: analogies as one worker has them");
	cmp_ok($its_similarity, '>', $similarity - 0.08, "$name: similarity as one worker has it");
}

train('alone', 3, 'max_parallel_workers = 0');
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM one FULL JOIN alone USING (id) WHERE one.vector IS DISTINCT FROM alone.vector}),
	'0', 'workers that are not granted change no bit');

# The curve has an epoch's mean loss at each place, whoever reported it.  (The
# loss need not fall to the end: it rises as alpha falls.)
for my $workers (1, 2)
{
	my ($output, $messages) = ('', '');

	$node->psql('postgres', "SET client_min_messages = debug1; SELECT train_word2vec('curve', " .
		"'SELECT body FROM texts LIMIT 40', dims => 8, epochs => 5, workers => $workers, seed => 1, replace => true)",
		stdout => \$output, stderr => \$messages);
	my @losses = $messages =~ /loss of each epoch:((?: [0-9.]+)+)/ ? split(' ', $1) : ();

	is(scalar(@losses), 5, "$workers workers: a loss for each epoch (@losses)");
	is(scalar(grep { $_ > 0 && $_ < $losses[0] } @losses[1 .. 4]), 4, 'the first one is the worst');
}

$node->stop;
done_testing();
