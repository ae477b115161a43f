# Broken if this fails: pg_upgrade refuses a database with models and indexes,
# or they are not afterwards what they were.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use EmbedTest;
use PostgreSQL::Test::Utils;
use Test::More;

# From a version to itself, as the server's own test does where it has one
# only: what is refused, or gets another OID, is the same.
my $old = embed_node('old', 'autovacuum = off');
$old->safe_psql('postgres', q{
	CREATE SCHEMA news;
	CREATE TEXT SEARCH CONFIGURATION news.simply (COPY = simple);
	CREATE TABLE news.texts AS SELECT 'ant' || i % 7 || ' bee' || i % 11 || ' cow' AS body FROM generate_series(1, 2000) i;
	SELECT train_vocabulary('news.terms', 'SELECT body FROM news.texts', config => 'news.simply');
	SELECT train_word2vec('news.words', 'SELECT body FROM news.texts', dims => 8, min_count => 1, workers => 1, seed => 1);
	UPDATE news.terms SET term = 'elk' WHERE term = 'cow';
	CREATE TABLE news.vectors AS SELECT body, tfidf('news.terms', body) AS s, embed('news.words', body) AS d FROM news.texts;
	CREATE INDEX vectors_s ON news.vectors USING inverted (s);
	CREATE INDEX vectors_d ON news.vectors USING ktree (d vector_cosine_ops)});
my $question = q{
	SELECT tfidf('news.terms', 'bee1 elk'), embed('news.words', 'bee1 cow');
	SELECT string_agg(t::text, ' ' ORDER BY id) FROM news.terms t;
	SELECT string_agg(pg_get_triggerdef(oid) || tgenabled::text, ' ' ORDER BY tgrelid::regclass::text) FROM pg_trigger;
	SET enable_seqscan = off;
	SELECT body FROM news.vectors ORDER BY s <#> tfidf('news.terms', 'ant3 bee4') LIMIT 1;
	SELECT count(*) FROM (SELECT d FROM news.vectors ORDER BY d <=> embed('news.words', 'ant3 bee4') OFFSET 0) x};
my $answer = $old->safe_psql('postgres', $question);
$old->stop;

my $new = init_node('new');
chdir($new->basedir) or die;
my $programs = $new->config_data('--bindir');
$new->command_ok([
		'pg_upgrade', '-b', $programs, '-B', $programs, '-d', $old->data_dir, '-D', $new->data_dir,
		'-s', $new->host, '-p', $old->port, '-P', $new->port ], 'pg_upgrade');
$new->start;
is($new->safe_psql('postgres', $question), $answer, 'models and indexes give what they gave');
is($new->safe_psql('postgres', q{SELECT * FROM embed_index_check('news.vectors_s') UNION ALL SELECT * FROM embed_index_check('news.vectors_d')}),
	'', 'the indexes are sound');
is($new->safe_psql('postgres', q{
	UPDATE news.terms SET term = 'fox' WHERE term = 'elk';
	SELECT one_hot('news.terms', 'fox') IS NOT NULL, one_hot('news.terms', 'elk') IS NOT NULL}), 't|f', 'a change is noticed');
is($new->safe_psql('postgres', q{SELECT string_agg(format('%s %s', model, config), ', ' ORDER BY model::text) FROM embed_models()}),
	'news.terms news.simply, news.words public.embed_words', 'the descriptions name what they named');

$new->stop;
done_testing();
