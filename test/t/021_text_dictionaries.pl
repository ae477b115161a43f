# Broken if this fails: a configuration with a thesaurus, a filtering
# dictionary, compound words, synonyms or several dictionaries gives other
# tokens than to_tsvector does, or a change made by another session is missed.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = embed_node('main');
my $share = `pg_config --sharedir`;
chomp $share;

# Lexemes with their positions, ours and the server's.
sub compare
{
	my ($config, $input, $name) = @_;
	my $sql = q{SELECT string_agg(distinct_ones, ' ') FROM (SELECT DISTINCT %s AS distinct_ones, p FROM %s ORDER BY p, 1) AS o};

	$input =~ s/'/''/g;
	my $ours = $node->safe_psql('postgres', sprintf($sql, "format('%s:%s', token, p)",
		"text_tokens('$input', '$config') AS k (p)"));
	my $servers = $node->safe_psql('postgres', sprintf($sql, "format('%s:%s', lexeme, p)",
		"unnest(to_tsvector('$config', '$input')) AS u, unnest(u.positions) AS p"));
	is($ours, $servers, "$config: $name");
	return $ours;
}

my $inputs = [
	'One two three four', 'one two', 'one two one two three', 'one one two, and two three one',
	'supernovae stars', 'the supernovae and the stars', 'supernovae', 'one', 'one two 5 three',
	'booking tickets', 'booking the tickets', 'Booking of tickets for one', 'booking', 'one two three',
	'a supernovae. Stars! one <b> two', 'one-two three', 'one ' x 50, 'one two ' x 40 . 'three',
	'footballklubber', 'postgresql indices gogle', 'Hotel Hôtels H\x{f4}tel' ];
$_ =~ s/[^\x00-\x7f]/o/g for @$inputs;

# A thesaurus asks for following words; its result replaces several.
$node->safe_psql('postgres', q{
	CREATE TEXT SEARCH DICTIONARY thesaurus (TEMPLATE = thesaurus, DictFile = thesaurus_sample, Dictionary = english_stem);
	CREATE TEXT SEARCH DICTIONARY synonyms (TEMPLATE = synonym, SYNONYMS = synonym_sample);
	CREATE TEXT SEARCH CONFIGURATION phrases (COPY = english);
	ALTER TEXT SEARCH CONFIGURATION phrases ALTER MAPPING FOR asciiword, asciihword, hword_asciipart
		WITH thesaurus, synonyms, english_stem;
	-- numbers are not its kind of word
	CREATE TEXT SEARCH CONFIGURATION our_phrases (PARSER = embed_words);
	ALTER TEXT SEARCH CONFIGURATION our_phrases ADD MAPPING FOR word WITH thesaurus, synonyms, english_stem;
	CREATE TEXT SEARCH CONFIGURATION our_stems (PARSER = embed_words);
	ALTER TEXT SEARCH CONFIGURATION our_stems ADD MAPPING FOR word WITH english_stem;
	-- and with blanks of interest
	CREATE TEXT SEARCH CONFIGURATION blanks (COPY = english);
	ALTER TEXT SEARCH CONFIGURATION blanks ADD MAPPING FOR blank, tag WITH simple;
	CREATE TEXT SEARCH CONFIGURATION our_blanks (COPY = embed_words);
	ALTER TEXT SEARCH CONFIGURATION our_blanks ADD MAPPING FOR blank WITH simple;
});
for my $config ('phrases', 'our_phrases', 'our_stems', 'blanks', 'our_blanks')
{
	compare($config, $inputs->[$_], "text $_") for 0 .. $#$inputs;
}
like(compare('phrases', 'the one two three stars', 'a phrase of three words'), qr/^123:2/, 'thesaurus used');

# Random words of the phrases, where the memo and the phrases meet.  No
# numbers: when a thesaurus is cut short by a token of another type, the server
# (15) may give its partial result later, in place of another word.
my $seed = random_seed();
srand($seed);
my @words = ('one', 'two', 'three', 'supernovae', 'stars', 'booking', 'tickets', 'the', 'word', ',', '<b>', 'indices');
for my $round (1 .. 60)
{
	my $text = join(' ', map { $words[rand @words] } 1 .. 40);
	compare($_, $text, "random words, seed $seed, round $round") for 'phrases', 'our_phrases';
}

# Compound words have several variants and positions.
SKIP:
{
	skip 'the server has no ispell_sample', 4 unless -f "$share/tsearch_data/ispell_sample.dict";
	$node->safe_psql('postgres', q{
		CREATE TEXT SEARCH DICTIONARY compounds (TEMPLATE = ispell, DictFile = ispell_sample, AffFile = ispell_sample);
		CREATE TEXT SEARCH CONFIGURATION compounds (COPY = simple);
		ALTER TEXT SEARCH CONFIGURATION compounds ALTER MAPPING FOR asciiword WITH compounds, simple});
	compare('compounds', $_, $_)
		for 'footballklubber footballyklubber', 'Booking the skies, bookings, booked', 'ballyklubber book 77', 'sky' x 5;
}

# A filtering dictionary passes its result on.
SKIP:
{
	skip 'the server has no unaccent', 3 unless -f "$share/extension/unaccent.control";
	$node->safe_psql('postgres', q{
		CREATE EXTENSION unaccent;
		CREATE TEXT SEARCH CONFIGURATION accents (COPY = english);
		ALTER TEXT SEARCH CONFIGURATION accents ALTER MAPPING FOR word, asciiword, hword, hword_part WITH unaccent, english_stem;
		CREATE TEXT SEARCH CONFIGURATION our_accents (PARSER = embed_words);
		ALTER TEXT SEARCH CONFIGURATION our_accents ADD MAPPING FOR word WITH unaccent, embed_lower});
	compare('accents', "\xc3\x89coles H\xc3\xb4tels the \xc3\x9cbung, running", 'accents');
	like(compare('our_accents', "\xc3\x89coles H\xc3\xb4tels the \xc3\x9cbung", 'accents'), qr/ecoles:1 hotels:2/, 'unaccent used');
}

# Another session changes the configuration while this one uses it.
my $session = $node->background_psql('postgres') if $node->can('background_psql');
SKIP:
{
	skip 'this server\'s test modules have no sessions in the background', 2
		unless $session && $session->can('query_safe');
	$node->safe_psql('postgres', 'CREATE TEXT SEARCH CONFIGURATION changing (COPY = embed_words)');
	my $ask = q{SELECT string_agg(token, ' ' ORDER BY position) FROM text_tokens('The Cats', 'changing')};
	is($session->query_safe($ask), 'the cats', 'before the change');
	$node->safe_psql('postgres', 'ALTER TEXT SEARCH CONFIGURATION changing ALTER MAPPING FOR word WITH english_stem');
	is($session->query_safe($ask), 'cat', 'after the change');
	$session->quit;
}

$node->stop;
done_testing();
