# Broken if this fails: text in a database that is not UTF-8 is split or folded
# differently from the same text in UTF-8, offsets count other characters than
# SQL does, or SQL_ASCII is taken without an error.
use strict;
use warnings;
use utf8;
use FindBin;
use lib $FindBin::RealBin;
use Encode qw(encode);
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = embed_node('main');

# Texts of characters that the encoding has; what embed_words makes of them in
# UTF-8 must come out there as well.
my @cases = (
	[ 'LATIN1', 'Ünïcode—naïve', 'ÀÉÎ ÿ ß × ÷ µ ª º ½ ¡Hola! señor' ],
	[ 'LATIN2', 'Příliš ŽLUŤOUČKÝ kůň, ĄĘŁ' ],
	[ 'WIN1252', 'ŒUVRE “quoted” Ÿ €5 ŠKODA' ],
	[ 'KOI8R', 'Съешь ЖЕ ещё ЭТИХ, Ё' ],
	[ 'WIN1251', 'Ђ Ј Љ Съешь ЖЕ ещё' ],
	[ 'ISO_8859_7', 'ΟΔΟΣ ΣΑΣ ΆΈΉ ΣΣ. Σ' ],
	[ 'EUC_JP', 'いろは にほへと、ABC！ ＡＢＣ ΑΒΓ Я 日本語' ],
	[ 'EUC_KR', '키스의 고유조건은, Ⅷ ΑΒΓ' ],
	[ 'EUC_CN', '視野无限广，窗外有蓝天 ＡＢ １２' =~ s/視/视/r ]);

# Without the client's conversion we could not write these in UTF-8.
$ENV{PGCLIENTENCODING} = 'UTF8';

sub tokens_of
{
	my ($database, $bytes, $config) = @_;

	return $node->safe_psql($database, qq{
		SELECT string_agg(concat_ws(':', position, token, start, length), ' ' ORDER BY position)
		FROM text_tokens(convert_from(decode('$bytes', 'hex'), 'UTF8'), '$config')});
}

sub hex_of { return unpack('H*', encode('UTF-8', $_[0])); }

for my $case (@cases)
{
	my ($encoding, @texts) = @$case;
	my $database = lc("text_$encoding");

	$node->safe_psql('postgres',
		"CREATE DATABASE $database ENCODING '$encoding' LOCALE 'C' TEMPLATE template0");
	$node->safe_psql($database, 'CREATE EXTENSION embed');
	for my $text (@texts)
	{
		# what the encoding cannot hold is left out of the text
		my $bytes = hex_of(join('', grep {
			my $hex = hex_of($_);
			$node->psql('postgres', "SELECT convert_to(convert_from(decode('$hex', 'hex'), 'UTF8'), '$encoding')") == 0
		} split(//, $text)));

		for my $config ('embed_words', 'embed_whitespace')
		{
			my $expected = tokens_of('postgres', $bytes, $config);
			my $found = tokens_of($database, $bytes, $config);

			is($found, $expected, "$encoding, $config: " . length($expected) . ' bytes of tokens');
			isnt($found, '', "$encoding, $config: there are some");
		}

		# the direct path against the parser and the dictionary
		is( $node->safe_psql($database, qq{
			SELECT array_agg(lexemes[1]) FROM ts_debug('embed_words', convert_from(decode('$bytes', 'hex'), 'UTF8')) WHERE alias IN ('word', 'pair')}),
			$node->safe_psql($database, qq{
			SELECT array_agg(token ORDER BY position) FROM text_tokens(convert_from(decode('$bytes', 'hex'), 'UTF8'))}),
			"$encoding: equal to ts_debug");
		is( $node->safe_psql($database, qq{
			SELECT count(*) FROM (SELECT convert_from(decode('$bytes', 'hex'), 'UTF8') AS input) AS i,
				LATERAL split_text(input, 2, 1) AS s
			WHERE substring(input FROM start FOR length) <> passage}),
			'0', "$encoding: split_text counts characters");
	}
}

# U+0130 in an encoding that has it, but not the combining dot of its
# lower-case form: a plain i
$node->safe_psql('postgres', "CREATE DATABASE text_latin5 ENCODING 'LATIN5' LOCALE 'C' TEMPLATE template0");
$node->safe_psql('text_latin5', 'CREATE EXTENSION embed');
is($node->safe_psql('text_latin5', "SELECT token FROM text_tokens(convert_from('\\xc4b07a4d4952', 'UTF8'))"),
	'izmir', 'LATIN5: dotted capital I');

# Bytes that WIN1252 leaves open separate words and do no harm.
is( $node->safe_psql('text_win1252', q{
	SET client_encoding = 'WIN1252';
	SELECT array_agg(token ORDER BY position) FROM text_tokens(convert_from('\x4181429061'::bytea, 'WIN1252'))}),
	'{a,b,a}', 'WIN1252: unassigned bytes');

# SQL_ASCII does not say what its bytes mean.
$node->safe_psql('postgres', "CREATE DATABASE text_sql_ascii ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0");
$node->safe_psql('text_sql_ascii', 'CREATE EXTENSION embed');
for my $statement (
	"SELECT * FROM text_tokens('a b')",
	"SELECT * FROM text_tokens('a b', 'simple')",
	"SELECT * FROM split_text('a b')",
	"SELECT to_tsvector('embed_words', 'a b')")
{
	my $message = error_of($node, "\\set VERBOSITY verbose\n$statement", dbname => 'text_sql_ascii');

	like($message, qr/ERROR:  0A000: text cannot be split into words in a database with encoding SQL_ASCII/, $statement);
	like($message, qr/HINT:  Use a database with encoding UTF8\./, 'with a hint');
}

$node->stop;
done_testing();
