# Would fail if the vector of a word that training never saw said nothing of the
# word it misspells.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $corpus = real_data('corpora/wiki_text8style_100MB.txt.xz');
plan skip_all => 'no real data: set EMBED_DATA' if !$corpus;

my $node = embed_node('main', 'embed.progress = off', 'max_wal_size = 4GB');
my $text = $node->basedir . '/text';

# 6 million bytes, cut between words
system("xz -dc '$corpus' 2>/dev/null | head -c 6000000 | fold -s -w 10000 >'$text'") == 0 or die "cannot read $corpus";
$node->safe_psql('postgres', qq{CREATE TABLE texts (body text); COPY texts FROM '$text'});
$node->safe_psql('postgres', q{
	SELECT train_word2vec('words', 'SELECT body FROM texts', dims => 50, min_n => 3, max_n => 6, workers => 1, seed => 1)});

# Letters left out, doubled, exchanged and mistaken.  fastText, with this text and
# these options, finds the word meant among the nearest ten of 14 of the 20.
$node->safe_psql('postgres', q{
	CREATE TABLE misspelled (wrong text, meant text);
	INSERT INTO misspelled VALUES ('goverment', 'government'), ('independance', 'independence'),
		('occurence', 'occurrence'), ('beleived', 'believed'), ('universitty', 'university'),
		('comunication', 'communication'), ('literatture', 'literature'), ('tradditional', 'traditional'),
		('techology', 'technology'), ('popullation', 'population'), ('adminstration', 'administration'),
		('mathmatics', 'mathematics'), ('charachter', 'character'), ('enviroment', 'environment'),
		('phillosophy', 'philosophy'), ('developement', 'development'), ('responsibilty', 'responsibility'),
		('internatinal', 'international'), ('proffessional', 'professional'), ('significcant', 'significant')});
my $found = $node->safe_psql('postgres', q{
	SELECT count(*) FILTER (WHERE EXISTS (SELECT FROM words WHERE word = wrong)),
		count(*) FILTER (WHERE meant IN (SELECT word FROM nearest_words('words', wrong, 10)))
	FROM misspelled});
my ($seen, $right) = split(/\|/, $found);
note("of 20 misspelled words, $seen seen in training; $right find the word among their 10 nearest");
note($node->safe_psql('postgres', q{
	SELECT string_agg(wrong || ': ' || (SELECT string_agg(word, ' ') FROM nearest_words('words', wrong, 4)), E'\n') FROM misspelled}));
cmp_ok($seen, '<=', 2, 'the words are unseen');
cmp_ok($right, '>=', 12, 'the nearest words of a misspelling contain the word');

# embed() composes them as well: a text of misspelled words is near the right one
is($node->safe_psql('postgres', q{
	SELECT cosine_similarity(embed('words', 'goverment adminstration'), embed('words', 'government administration')) >
		cosine_similarity(embed('words', 'goverment adminstration'), embed('words', 'music literature'))}),
	't', 'a text of misspelled words is near to the text that was meant');

$node->stop;
done_testing();
