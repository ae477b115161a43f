# Broken if this fails: the packed form of word vectors that is made of an older
# one answers otherwise than one that is built of the table, or is built for a
# change of few rows; or the order of rows in the table shows in an answer.
# Also run with assertions.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = random_seed();
my $node = embed_node('main', 'embed.progress = off', 'autovacuum = off', 'max_parallel_workers_per_gather = 0');

# Vectors of few different values: many similarities are equal.
$node->safe_psql('postgres', q{
CREATE FUNCTION some_vector() RETURNS vector LANGUAGE sql VOLATILE AS $$
	SELECT ARRAY[random() * 2, random() * 2, random() * 2, random() * 2 - 1]::integer[]::vector $$;
CREATE TABLE w (id integer PRIMARY KEY, word text, documents bigint, occurrences bigint, vector vector(4)) WITH (fillfactor = 60);
INSERT INTO w VALUES (0, NULL, 5000, 90000, NULL);
INSERT INTO w SELECT i, 'w' || i, i % 50, i % 70, some_vector() FROM generate_series(1, 3000) i;
INSERT INTO w SELECT 1000000000 + i, NULL, NULL, NULL, some_vector() FROM generate_series(0, 99, 2) i;
SELECT register_model('w', 'fasttext', 'embed_words', 'min_n=3', 'max_n=4', 'buckets=100');
CREATE SEQUENCE next_id START 4000 INCREMENT 2;
CREATE TABLE questions AS SELECT 's' || i % 3 AS section, 'w' || i AS a, 'w' || i + 1 AS b, 'w' || i + 2 AS c, 'w' || i + 3 AS expected
FROM generate_series(1, 60) i;

-- what the functions say of every word, of texts, and of what no word is
CREATE FUNCTION answers() RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	file oid := export_word_vectors('w');
BEGIN
	RETURN concat_ws(' ', (SELECT md5(string_agg(word_vector('w', word)::text, ' ' ORDER BY id)) FROM w WHERE word IS NOT NULL),
		(SELECT md5(string_agg(format('%s %s', n.word, n.similarity), ' ' ORDER BY i, n.ordinality))
			FROM generate_series(1, 4000, 97) AS i, nearest_words('w', 'w' || i, 40) WITH ORDINALITY AS n),
		(SELECT md5(string_agg(format('%s %s', n.word, n.similarity), ' ' ORDER BY i, n.ordinality))
			FROM generate_series(1, 3000, 301) AS i, analogy('w', ARRAY['w' || i, 'w' || i + 1], ARRAY['w' || i + 2], 30) WITH ORDINALITY AS n),
		(SELECT md5(string_agg(embed('w', format('w%s unseen%s w%s', i, i, i + 40), p)::text, ' ' ORDER BY i, p))
			FROM generate_series(1, 4200, 11) AS i, unnest(ARRAY['mean', 'tfidf', 'sif']) AS p),
		(SELECT md5(string_agg(e::text, ' ' ORDER BY section)) FROM evaluate_analogies('w', 'TABLE questions', 2000) AS e),
		md5(lo_get(file)), lo_unlink(file));
END $$;

-- the first of equal words is found, whatever was done to the rows
CREATE FUNCTION wrong_vectors() RETURNS bigint LANGUAGE sql VOLATILE AS $$
	SELECT count(*) FROM (SELECT DISTINCT ON (word) word, vector FROM w WHERE word IS NOT NULL ORDER BY word, id) AS first
	WHERE word_vector('w', word) IS DISTINCT FROM vector $$;

CREATE FUNCTION change_words(kind double precision) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	chosen integer;
BEGIN
	SELECT id INTO chosen FROM w WHERE word IS NOT NULL AND id >= 1 + 2900 * random() ORDER BY id LIMIT 1;
	IF kind < 0.25 THEN
		UPDATE w SET vector = some_vector() WHERE id = chosen;
		RETURN 'a vector';
	ELSIF kind < 0.35 THEN
		UPDATE w SET documents = nullif(documents, 7), occurrences = 1 + coalesce(occurrences, 3) WHERE id BETWEEN chosen - 5 AND chosen;
		RETURN 'counts';
	ELSIF kind < 0.55 THEN
		INSERT INTO w SELECT nextval('next_id'), 'n' || currval('next_id'), 5, 6, some_vector() FROM generate_series(1, 1 + floor(10 * random())::integer);
		RETURN 'new words';
	ELSIF kind < 0.60 THEN
		INSERT INTO w SELECT nextval('next_id'), 'w' || chosen, 1, 1, some_vector();
		RETURN 'a word once more';
	ELSIF kind < 0.65 THEN
		UPDATE w SET vector = some_vector() WHERE id = 1000000000 + 2 * floor(49 * random())::integer;
		RETURN 'a bucket';
	ELSIF kind < 0.72 THEN
		INSERT INTO w SELECT 1000000001 + 2 * floor(49 * random())::integer, NULL, NULL, NULL, some_vector() ON CONFLICT DO NOTHING;
		RETURN 'a new bucket';
	ELSIF kind < 0.77 THEN
		UPDATE w SET documents = documents + 1, occurrences = occurrences + 9 WHERE id = 0;
		RETURN 'row 0';
	ELSIF kind < 0.82 THEN
		DELETE FROM w WHERE id = chosen;
		RETURN 'a word less';
	ELSIF kind < 0.86 THEN
		UPDATE w SET word = 'r' || id WHERE id = chosen;
		RETURN 'another text';
	ELSIF kind < 0.90 THEN
		INSERT INTO w SELECT last_value - 1, 'between', 1, 1, some_vector() FROM next_id ON CONFLICT DO NOTHING;
		RETURN 'an id between others';
	ELSIF kind < 0.94 THEN
		UPDATE w SET id = -id WHERE id = chosen;
		RETURN 'an id below 0';
	ELSIF kind < 0.97 THEN
		DELETE FROM w WHERE id < 0;
		RETURN 'no ids below 0';
	END IF;
	UPDATE w SET vector = some_vector() WHERE id % 3 = 0 AND vector IS NOT NULL;
	RETURN 'many vectors';
END $$;
SELECT setseed(} . ($seed % 1000) / 1000 . q{), nextval('next_id');
});
my $use = q{SELECT count(word_vector('w', 'w1')) \g /dev/null};

# --- a change of one row is one of some pages, whatever it is

my $change = sub {
	my ($what, $sql) = @_;
	my (undef, $out, $err) = $node->psql('postgres', "$use\n$sql;\nSET client_min_messages = debug1;\nSELECT wrong_vectors();");
	my @pages = $err =~ /packed embedding model "w" anew from (\d+) of \d+ pages/g;

	is($out, '0', "$what: every word has its vector") or diag($err);
	is(scalar(@pages), 1, "$what: made of the older form") or diag($err);
	cmp_ok($pages[0] // 99, '<', 9, "$what: from few pages");
	return;
};
$change->('another vector', "UPDATE w SET vector = '[9,8,7,6]' WHERE id = 77");
$change->('a new word', "INSERT INTO w VALUES (3001, 'newest', 1, 1, '[1,1,1,1]')");
$change->('a word there is already', "INSERT INTO w VALUES (3002, 'w5', 1, 1, '[1,2,1,1]')");
$change->('a bucket', "UPDATE w SET vector = '[1,0,0,1]' WHERE id = 1000000002");
$change->('a new bucket', "INSERT INTO w VALUES (1000000001, NULL, NULL, NULL, '[2,0,0,1]')");
$change->('counts', "UPDATE w SET documents = NULL WHERE id = 9; UPDATE w SET documents = 6000 WHERE id = 0");

# In one transaction, as a training that follows its texts would.
{
	my (undef, $out, $err) = $node->psql('postgres', join("\n", $use, 'SET client_min_messages = debug1;', 'BEGIN;',
		map({ "INSERT INTO w VALUES (32$_, 'many$_', 1, 1, '[1,1,$_,1]'); SELECT word_vector('w', 'many$_');" } 10 .. 49), 'COMMIT;'));
	my @pages = $err =~ /packed embedding model "w" anew/g;

	is($out, join("\n", map { "[1,1,$_,1]" } 10 .. 49), 'forty new words, each known at once');
	is(scalar(@pages), 40, 'and none of them costs a build') or diag($err);
}

# --- what is made of an older form is what a build gives

my $both = sub {
	my ($change) = @_;
	my $made = $node->safe_psql('postgres', "$use\n$change \\g /dev/null\nSELECT answers(), wrong_vectors()");
	my $built = $node->safe_psql('postgres', "SELECT embed_images(clear => true) \\g /dev/null\nSELECT answers(), wrong_vectors()");

	return ($made eq $built && $made =~ /\|0$/) ? 0 : 1;
};
my %wrong;
foreach my $round (1 .. (is_long() ? 400 : 40))
{
	my $changes = join(', ', map { 'change_words(' . sprintf('%.4f', rand()) . ')' } 0 .. rand(3));

	$wrong{$changes} = $round if $both->("SELECT $changes");
}
is_deeply(\%wrong, {}, 'what was made of an older form is what a build gives');

# Rolled back in part
is($both->(q{DO $$ BEGIN
	INSERT INTO w VALUES (nextval('next_id'), 'kept', 1, 1, '[1,0,1,0]');
	BEGIN
		INSERT INTO w VALUES (nextval('next_id'), 'lost', 1, 1, '[1,0,1,0]');
		PERFORM word_vector('w', 'lost');
		RAISE division_by_zero;
	EXCEPTION WHEN division_by_zero THEN NULL;
	END;
	INSERT INTO w VALUES (nextval('next_id'), 'later', 1, 1, '[1,0,1,0]');
END $$}), 0, 'and after a part that was rolled back');

# --- the order of rows in the table shows nowhere

$node->safe_psql('postgres', 'DELETE FROM w WHERE id < 0');
my $answers = $node->safe_psql('postgres', 'SELECT answers()');
foreach my $move ('UPDATE w SET word = word WHERE id % 3 = 1', 'CREATE INDEX w_word ON w (md5(word)); CLUSTER w USING w_word')
{
	$node->safe_psql('postgres', "$move; SELECT embed_images(clear => true)");
	is($node->safe_psql('postgres', 'SELECT answers()'), $answers, "the same answers after: $move");
}

# --- what only a build can judge is its error, and after it all is well

foreach my $case (
	[ "INSERT INTO w VALUES (9000000, NULL, 1, 1, '[1,1,1,1]')", 'row 9000000 of embedding model "w" cannot be used' ],
	[ "INSERT INTO w VALUES (9000001, 'void', 1, 1, NULL)", 'row 9000001 of embedding model "w" cannot be used' ])
{
	my (undef, $out, $err) = $node->psql('postgres', "$use\n$case->[0];\nSELECT word_vector('w', 'w1') IS NULL;\nDELETE FROM w WHERE id >= 9000000 AND id < 1000000000;\nSELECT wrong_vectors();",
		on_error_stop => 0);

	like($err, qr/\Q$case->[1]\E/, "refused: $case->[0]");
	is($out, '0', 'and good again without it');
}
$node->stop;
done_testing();
