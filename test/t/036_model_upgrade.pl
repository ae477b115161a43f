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

# A published model: a tokenizer of two words, and a vector for each
my $head = '{"embedding.weight":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}';
my $weights = unpack('H*', pack('Q<', length $head) . $head . pack('f<*', 1, 2, 3, 4));
my $tokenizer = '{"model": {"type": "WordLevel", "vocab": {"ant": 0, "bee": 1}, "unk_token": "ant"}, "pre_tokenizer": {"type": "Whitespace"}}';
$old->safe_psql('postgres', q{
	CREATE SCHEMA news;
	CREATE TEXT SEARCH CONFIGURATION news.simply (COPY = simple);
	CREATE TABLE news.texts AS SELECT 'ant' || i % 7 || ' bee' || i % 11 || ' cow' AS body FROM generate_series(1, 2000) i;
	SELECT train_vocabulary('news.terms', 'SELECT body FROM news.texts', config => 'news.simply');
	SELECT train_word2vec('news.words', 'SELECT body FROM news.texts', dims => 8, min_count => 1, workers => 1, seed => 1);
	SELECT import_model('news.published', files => $$SELECT 'tokenizer.json', convert_to('} . $tokenizer . q{', 'UTF8')
		UNION ALL SELECT 'model.safetensors', '\\x} . $weights . q{'::bytea$$, "precision" => 'int16');
	UPDATE news.terms SET term = 'elk' WHERE term = 'cow';
	CREATE TABLE news.vectors AS SELECT body, tfidf('news.terms', body) AS s, embed('news.words', body) AS d FROM news.texts;
	CREATE INDEX vectors_s ON news.vectors USING inverted (s);
	CREATE INDEX vectors_d ON news.vectors USING ktree (d vector_cosine_ops);
	SELECT train_classifier('news.labels', 'SELECT body, body ~ ''ant1'' FROM news.texts', encoder => 'news.terms', features => 'tfidf');
	SELECT tune_model('news.tuned', 'news.words', 'SELECT body AS anchor, ''cow'' AS positive FROM news.texts LIMIT 50', held_out => 0, seed => 1);
	CREATE TABLE news.kept AS SELECT row_number() OVER () AS id, body FROM news.texts LIMIT 100;
	ALTER TABLE news.kept ADD PRIMARY KEY (id);
	SELECT count(*) FROM embed_column('news.kept', '{body}', 'news.terms', 'words');
	SELECT count(*) FROM embed_column('news.kept', '{body}', 'news.tuned', 'meaning', version_column => true)});
my $question = q{
	SELECT tfidf('news.terms', 'bee1 elk'), embed('news.words', 'bee1 cow');
	SELECT string_agg(t::text, ' ' ORDER BY id) FROM news.terms t;
	SELECT embed('news.published', 'bee bee ant'), count_tokens('news.published', 'bee ant');
	SELECT string_agg(name || md5(data), ' ' ORDER BY name) FROM model_files('news.published');
	SELECT string_agg(pg_get_triggerdef(oid) || tgenabled::text, ' ' ORDER BY pg_get_triggerdef(oid)) FROM pg_trigger;
	SELECT md5(string_agg(k::text, ' ' ORDER BY id)) FROM news.kept k;
	SELECT classify('news.labels', 'ant1 bee2'), embed('news.tuned', 'bee1 cow');
	SELECT string_agg(h::text, ' ') FROM tuning_history('news.tuned') h;
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
is($new->safe_psql('postgres', q{
	INSERT INTO news.kept (id, body) VALUES (1000, 'ant3 bee4');
	SELECT words IS NOT NULL AND meaning IS NOT NULL FROM news.kept WHERE id = 1000;
	SELECT string_agg("column" || ' ' || missing, ', ' ORDER BY "column") FROM embed_columns(true);
	SELECT (hit).id = 1000 OR (hit).body = 'ant3 bee4 cow' FROM embed_search(NULL::news.kept, 'ant3 bee4', 1)}), "t\nmeaning 0, words 0\nt",
	'columns are kept fresh and searched');
is($new->safe_psql('postgres', q{SELECT string_agg(format('%s %s', model, config), ', ' ORDER BY model::text) FROM embed_models()}),
	'news.labels , news.published , news.terms news.simply, news.tuned public.embed_words, news.words public.embed_words', 'the descriptions name what they named');

$new->stop;
done_testing();
