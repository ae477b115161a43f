-- Broken if this fails: a mistake in the name of a model, its corpus or its
-- table gives no error, or one without SQLSTATE, detail and hint, or leaves a
-- half-made model behind.
SET client_min_messages = warning;
SET embed.progress = off;
CREATE SCHEMA model_errors;
SET search_path = model_errors, public;

-- All that an error says
CREATE FUNCTION failure(command text) RETURNS TABLE (item text, value text)
LANGUAGE plpgsql AS $$
DECLARE
	message text;
	detail text;
	hint text;
BEGIN
	EXECUTE command;
	item := 'no error'; value := command;
	RETURN NEXT;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	item := SQLSTATE; value := message;
	RETURN NEXT;
	item := 'detail'; value := detail;
	RETURN NEXT;
	item := 'hint'; value := hint;
	RETURN NEXT;
END $$;
\pset format unaligned
\pset tuples_only on
\pset fieldsep ': '

CREATE TABLE texts (id integer, body text, lang regconfig, short varchar(20), padded char(20));
INSERT INTO texts VALUES (1, 'one small cat', 'english', 'one cat', 'one cat'), (2, 'two small dogs', 'simple', 'two dogs', 'two dogs'), (3, NULL, NULL, NULL, NULL);

-- the corpus
SELECT * FROM failure($$SELECT train_vocabulary('m', 'SELECT body FROM nowhere')$$);
SELECT * FROM failure($$SELECT train_vocabulary('m', 'SELEKT body FROM texts')$$);
SELECT * FROM failure($$SELECT train_vocabulary('m', '')$$);
SELECT * FROM failure($$SELECT train_vocabulary('m', 'SELECT body FROM texts; SELECT body FROM texts')$$);
SELECT * FROM failure($$SELECT train_vocabulary('m', 'INSERT INTO texts VALUES (4, ''four'') RETURNING body')$$);
SELECT * FROM failure($$SELECT train_vocabulary('m', 'WITH w AS (DELETE FROM texts RETURNING body) SELECT body FROM w')$$);
SELECT * FROM failure($$SELECT train_vocabulary('m', 'SELECT body FROM texts FOR UPDATE')$$);
SELECT * FROM failure($$SELECT train_vocabulary('m', 'VACUUM')$$);
SELECT * FROM failure($$SELECT train_vocabulary('m', 'SELECT body INTO copied FROM texts')$$);
SELECT * FROM failure($$SELECT train_vocabulary('m', 'SELECT FROM texts')$$);
SELECT * FROM failure($$SELECT train_vocabulary('m', 'SELECT id, body FROM texts')$$);
SELECT * FROM failure($$SELECT train_vocabulary('m', 'SELECT body, id FROM texts')$$);
SELECT * FROM failure($$SELECT train_vocabulary('m', 'SELECT body, lang, id FROM texts')$$);
SELECT * FROM failure($$SELECT train_vocabulary('m', 'SELECT body FROM texts WHERE false')$$);
SELECT * FROM failure($$SELECT train_vocabulary('m', 'SELECT body FROM texts WHERE id = 3')$$);
SELECT * FROM failure($$SELECT train_vocabulary('m', 'SELECT (1 / (id - 2))::text FROM texts ORDER BY id')$$);

-- the name
SELECT * FROM failure($$SELECT train_vocabulary('texts', 'SELECT body FROM texts')$$);
SELECT * FROM failure($$SELECT train_vocabulary('texts', 'SELECT body FROM texts', replace => true)$$);
SELECT * FROM failure($$SELECT train_vocabulary('no_schema.m', 'SELECT body FROM texts')$$);
SELECT * FROM failure($$SELECT train_vocabulary('no_database.public.m', 'SELECT body FROM texts')$$);
SELECT * FROM failure($$SELECT train_vocabulary('', 'SELECT body FROM texts')$$);
SELECT * FROM failure($$SELECT train_vocabulary('a b', 'SELECT body FROM texts')$$);
SELECT * FROM failure($$SELECT train_vocabulary('pg_temp.m', 'SELECT body FROM texts')$$);

-- the place: a function that others make the owner call
BEGIN;
SET TRANSACTION READ ONLY;
SELECT * FROM failure($$SELECT train_vocabulary('m', 'SELECT body FROM texts')$$);
ROLLBACK;

-- nothing was left behind, nothing was changed
SELECT relname FROM pg_class WHERE relnamespace = 'model_errors'::regnamespace ORDER BY 1;
SELECT count(*) FROM texts;

-- text-like types and domains are as good as text; a row's own configuration counts
CREATE DOMAIN prose AS text;
SELECT train_vocabulary('varchars', 'SELECT short FROM texts');
SELECT train_vocabulary('chars', 'SELECT padded FROM texts');
SELECT train_vocabulary('domains', 'SELECT body::model_errors.prose FROM texts');
SELECT train_vocabulary('per_row', 'SELECT body, lang FROM texts', config => 'simple');
SELECT string_agg(term, ' ' ORDER BY term) FROM per_row;

-- the table
CREATE TEMPORARY TABLE passing (id integer, term text, documents bigint, occurrences bigint);
CREATE VIEW seen AS SELECT * FROM varchars;
CREATE TABLE parts (id integer, term text, documents bigint, occurrences bigint) PARTITION BY LIST (id);
CREATE TABLE wrong_type (id bigint, term text, documents bigint, occurrences bigint);
CREATE TABLE wrong_name (id integer, word text, documents bigint, occurrences bigint);
CREATE TABLE no_header (id integer, term text, documents bigint, occurrences bigint);
INSERT INTO no_header VALUES (1, 'cat', 1, 1);
SELECT * FROM failure($$SELECT register_model('passing', 'vocabulary', 'simple', 'dims=10')$$);
SELECT * FROM failure($$SELECT register_model('seen', 'vocabulary', 'simple', 'dims=10')$$);
SELECT * FROM failure($$SELECT register_model('parts', 'vocabulary', 'simple', 'dims=10')$$);
SELECT * FROM failure($$SELECT register_model('wrong_type', 'vocabulary', 'simple', 'dims=10')$$);
SELECT * FROM failure($$SELECT register_model('wrong_name', 'vocabulary', 'simple', 'dims=10')$$);
SELECT * FROM failure($$SELECT register_model('no_header', 'vocabulary', 'simple', 'dims=10')$$);
SELECT * FROM failure($$SELECT register_model('varchars', 'vocabulary', 'simple', 'dims=10')$$);
SELECT split_part(value, '"', 2) AS unknown_method FROM failure($$SELECT register_model('no_header', 'word3vec', 'simple')$$) WHERE item = '22023';
SELECT item, left(value, 30) FROM failure($$SELECT register_model('no_header', 'vocabulary', 'simple', 'dim=10')$$);
SELECT * FROM failure($$SELECT register_model('no_header', 'vocabulary', 'simple', 'dims')$$);
SELECT * FROM failure($$SELECT tfidf('texts', 'cat')$$);
SELECT * FROM failure($$SELECT tfidf('seen', 'cat')$$);
SELECT * FROM failure($$SELECT tfidf('no_such_model', 'cat')$$);
SELECT * FROM failure($$SELECT tfidf(1::regclass, 'cat')$$);
SELECT * FROM failure($$SELECT model_version('texts')$$);
SELECT * FROM failure($$SELECT embed_refresh('texts')$$);

-- the text where the model belongs: told where the error is reported
SELECT tfidf('some text', 'varchars');
SELECT tfidf('some, longer text. With ''quotes'' in it', 'varchars');
SELECT embed ( 'no_such_model', 'text');
SELECT 'x' = 'größer' AND one_hot('größer', 'varchars') IS NULL;
SELECT 'no_such_table'::regclass;

-- a model that stops being one
ALTER TABLE varchars ENABLE ROW LEVEL SECURITY;
SELECT * FROM failure($$SELECT tfidf('varchars', 'cat')$$);
ALTER TABLE varchars DISABLE ROW LEVEL SECURITY;
ALTER TABLE varchars RENAME COLUMN term TO word;
SELECT * FROM failure($$SELECT tfidf('varchars', 'cat')$$);
ALTER TABLE varchars RENAME COLUMN word TO term;
ALTER TABLE varchars DROP CONSTRAINT varchars_pkey;
SELECT * FROM failure($$SELECT tfidf('varchars', 'cat')$$);
ALTER TABLE varchars ADD PRIMARY KEY (id);
SELECT tfidf('varchars', 'cat', norm => 'none', idf => 'none');
DELETE FROM varchars WHERE id = 0;
SELECT * FROM failure($$SELECT tfidf('varchars', 'cat')$$);
SELECT * FROM failure($$SELECT embed_refresh('varchars')$$);
TRUNCATE chars;
SELECT * FROM failure($$SELECT tfidf('chars', 'cat')$$);

-- descriptions written by hand
CREATE FUNCTION described(VARIADIC arguments text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	DROP TRIGGER embed_model ON domains;
	EXECUTE format('CREATE TRIGGER embed_model AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON domains FOR EACH STATEMENT EXECUTE FUNCTION embed_model(%s)',
		(SELECT string_agg(quote_literal(a), ', ') FROM unnest(arguments) a));
END $$;
SELECT described('vocabulary', 'config=public.embed_words', 'dims=many');
SELECT * FROM failure($$SELECT tfidf('domains', 'cat')$$);
SELECT described('vocabulary', 'config=public.embed_words', 'dims=99999999999999999999999');
SELECT * FROM failure($$SELECT tfidf('domains', 'cat')$$);
SELECT described('vocabulary', 'config=no_such_config', 'dims=16');
SELECT * FROM failure($$SELECT tfidf('domains', 'cat')$$);
SELECT described('vocabulary', 'dims=16');
SELECT * FROM failure($$SELECT tfidf('domains', 'cat')$$);
SELECT described('vocabulary', 'dims=16', 'colour=red');
SELECT item, left(value, 20) FROM failure($$SELECT tfidf('domains', 'cat')$$);
SELECT described('no_such_method');
SELECT item, left(value, 40) FROM failure($$SELECT tfidf('domains', 'cat')$$) WHERE item <> 'hint';
SELECT described('vocabulary', 'dims');
SELECT * FROM failure($$SELECT tfidf('domains', 'cat')$$);
SELECT model, method, dims, config, options FROM embed_models() WHERE model = 'domains'::regclass;
DROP TRIGGER embed_model ON domains;
CREATE TRIGGER embed_model AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON domains FOR EACH STATEMENT EXECUTE FUNCTION embed_model();
SELECT * FROM failure($$SELECT tfidf('domains', 'cat')$$);
SELECT model, method, dims, config, options FROM embed_models() WHERE model = 'domains'::regclass;

-- the trigger function called in other ways
SELECT * FROM failure($$SELECT embed_model()$$);
CREATE TABLE other (id integer);
CREATE TRIGGER other BEFORE INSERT ON other FOR EACH ROW EXECUTE FUNCTION embed_model('vocabulary');
SELECT * FROM failure($$INSERT INTO other VALUES (1)$$);

SET client_min_messages = error;
DROP TABLE passing;
DROP SCHEMA model_errors CASCADE;
