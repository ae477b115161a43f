# Broken if this fails: a text of 100 MB cannot be read, takes memory without
# bound, or cannot be cancelled.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $node = embed_node('main');

# They compress well: the table is small.
$node->safe_psql('postgres', q{
	CREATE TABLE big AS SELECT name, input, octet_length(input) AS bytes FROM (VALUES
		('nothing', ''),
		('words', repeat('The quick brown Foxes. ', 4500000)),
		('one word', repeat('x', 104000000) || ' end'),
		('blanks', repeat(' ', 104000000) || 'end'),
		('Greek', repeat(U&'\0394\03BF\03BA\03B9\03BC\03AE \03A3\0391\03A3 ', 1600000)),
		('no blank', repeat(U&'\4E2D\6587\3002', 3400000))) AS texts (name, input)});
is($node->safe_psql('postgres', "SELECT min(bytes) >= 100000000 FROM big WHERE name IN ('words', 'one word', 'blanks')"),
	't', 'texts of 100 MB');

# The passages of a text, and what the backend took at most: the text itself
# is there as stored, as read and as a copy of the function.
sub passages
{
	my ($name, $config) = @_;
	my ($result, $bytes, $memory) = split(/\n/, $node->safe_psql('postgres', qq{
		SET work_mem = '4MB';
		SELECT count(s) || ' ' || coalesce(max(start + length - 1), 0)
		FROM big, LATERAL split_text(input, 100000, 0, '$config') AS s WHERE name = '$name';
		SELECT bytes FROM big WHERE name = '$name';
		SELECT substring(pg_read_file('/proc/' || pg_backend_pid() || '/status') FROM 'VmHWM:\\s+(\\d+)')}));

	diag(sprintf('%s, %s: %d MB for a text of %d MB', $name, $config, $memory / 1024, $bytes / 1048576));
	cmp_ok($memory / 1024, '<', 64 + 5 * $bytes / 1048576, "$name, $config: memory is bounded");
	return $result;
}

is(passages('nothing', 'embed_words'), '0 0', 'no byte, no passage');
is(passages('words', 'embed_words'), '180 103499999', 'words');
is(passages('words', 'embed_whitespace'), '180 103499999', 'words between white space');
is(passages('words', 'english'), '136 103499999', 'words, english');
is(passages('one word', 'embed_words'), '1 104000004', 'one word');
is(passages('blanks', 'embed_words'), '1 104000003', 'blanks');
is(passages('blanks', 'english'), '1 104000003', 'blanks, english');
is(passages('Greek', 'embed_words'), '32 17599999', 'Greek');
# two characters and their pair, 3,400,000 times
is(passages('no blank', 'embed_words'), '103 10200000', 'no blank');

is( $node->safe_psql('postgres', q{
	SELECT count(DISTINCT token), count(*), max(position)
	FROM text_tokens(repeat('The quick brown Foxes. ', 100000), 'english')}),
	'3|300000|400000', 'english: nothing is capped');

# Cancelled within the reading of one text; how soon is printed, not judged.
for my $case ([ 'words', 'embed_words' ], [ 'words', 'english' ], [ 'one word', 'embed_words' ],
	[ 'one word', 'embed_whitespace' ])
{
	my ($name, $config) = @$case;
	my $start = time();
	my $message = error_of($node, qq{
		SET statement_timeout = 250;
		SELECT count(*) FROM generate_series(1, 1000), LATERAL (SELECT input FROM big WHERE name = '$name' OFFSET 0) AS b,
			LATERAL split_text(input, 1000000, 0, '$config')});

	like($message, qr/canceling statement due to statement timeout/, "$name, $config: cancelled");
	diag(sprintf('%s, %s: cancelled %.2f s after the start, asked for 0.25', $name, $config, time() - $start));
}

$node->stop;
done_testing();
