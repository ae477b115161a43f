# Broken if this fails: a function that uses two models in one call takes one
# for the other, or misses a change of one of them.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $tree = "$FindBin::RealBin/../..";
my @sources = grep { !m{/src/embed\.c$} } glob("$tree/src/*/*.c $tree/src/*/*/*.c");
my @objects = map { (my $object = $_) =~ s/c$/o/; $object } @sources;
plan skip_all => 'no C compiler for the library' if system('cc --version >/dev/null 2>&1') != 0;
plan skip_all => 'the tree is not built' if grep { !-e } @objects;

my $library = PostgreSQL::Test::Utils::tempdir() . '/two_models.so';
chomp(my $headers = `pg_config --includedir-server`);
system("cc -shared -fPIC -fvisibility=hidden -O -I$tree/src -I$headers -o $library $tree/test/t/two_models.c @objects -lm") == 0
	or die 'cannot make the library';

my $node = embed_node('main', 'autovacuum = off', 'embed.progress = off');
$node->safe_psql('postgres', qq{
	CREATE FUNCTION two_models(first regclass, second regclass, input text) RETURNS text AS '$library' LANGUAGE C STABLE STRICT;
	CREATE FUNCTION two_models_computed() RETURNS bigint AS '$library' LANGUAGE C VOLATILE;
} . q{
	SELECT import_word_vectors('a', data => E'cat 1 2\ndog 3 4\n');
	SELECT import_word_vectors('b', data => E'cat 5 6 7\ncow 1 1 1\n');
	SELECT train_vocabulary('terms', 'SELECT ''cat''')});

sub same_session
{
	return $node->safe_psql('postgres', join(";\n", @_));
}

is(same_session(q{SELECT two_models('a', 'b', 'cat')}, q{SELECT two_models('b', 'a', 'cat')}, q{SELECT two_models('a', 'b', 'dog cow')},
		q{SELECT two_models('a', 'a', 'dog')}),
	"[1,2] [5,6,7]\n[5,6,7] [1,2]\n[3,4] [1,1,1]\n[3,4] [3,4]", 'each gives its own vectors');

# The last result is known by the versions of both.
my $ask = q{SELECT count(DISTINCT two_models('a', 'b', 'cat')), max(two_models('a', 'b', 'cat')) FROM generate_series(1, 1000)};
is(same_session($ask, 'SELECT two_models_computed()'), "1|[1,2] [5,6,7]\n1", 'one computation for all rows');
is($node->safe_psql('postgres', q{
	CREATE FUNCTION follow() RETURNS TABLE (answer text, computed bigint) LANGUAGE plpgsql AS $$
	DECLARE
		change text;
	BEGIN
		FOREACH change IN ARRAY ARRAY['SELECT 1', 'SELECT 1', 'UPDATE b SET vector = ''[8,8,8]'' WHERE word = ''cat''', 'SELECT 1',
			'UPDATE a SET vector = ''[9,9]'' WHERE word = ''cat'''] LOOP
			EXECUTE change;
			answer := two_models('a', 'b', 'cat');
			computed := two_models_computed();
			RETURN NEXT;
		END LOOP;
	END $$;
	SELECT * FROM follow()}),
	"[1,2] [5,6,7]|1\n[1,2] [5,6,7]|1\n[1,2] [8,8,8]|2\n[1,2] [8,8,8]|2\n[9,9] [8,8,8]|3", 'a change of either is seen, and nothing else computed');
like(error_of($node, q{SELECT two_models('a', 'terms', 'cat')}), qr/"terms" makes no dense vectors/, 'the second may be wrong');
is(same_session(q{CREATE ROLE reader; GRANT SELECT ON a TO reader; SET ROLE reader},
		q{DO $$ BEGIN PERFORM two_models('a', 'b', 'cat'); EXCEPTION WHEN insufficient_privilege THEN RAISE NOTICE 'refused'; END $$},
		q{RESET ROLE}, q{SELECT two_models('a', 'b', 'cat')}),
	'[9,9] [8,8,8]', 'rights on both');
like(error_of($node, q{SET ROLE reader; SELECT two_models('a', 'b', 'cat')}), qr/permission denied for table b/, 'or an error');
$node->stop;
done_testing();
