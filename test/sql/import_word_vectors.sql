-- Would fail if a file of word vectors became a wrong model, if a damaged one
-- left something behind, or if anybody could read the server's files.

-- text, as word2vec and fastText write it
SELECT import_word_vectors('import_text',
	data => convert_to(E'3 2\nking 1 0.5\nqueen 1 -0.5\ncafé 0 0.25 \n', 'UTF8'));
SELECT * FROM import_text ORDER BY id;
SELECT word_vector('import_text', 'king'), word_vector('import_text', 'café'),
	embed('import_text', 'king queen nobody');
SELECT method, dims, rows FROM embed_models(count_rows => true) WHERE model = 'import_text'::regclass;

-- GloVe: no header, words may contain spaces
SELECT import_word_vectors('import_glove', data => convert_to(E'the 1 2 3\n. . . 4 5 6\n', 'UTF8'));
SELECT id, word, vector FROM import_glove ORDER BY id;

-- only the first words; another contents under the same name
SELECT import_word_vectors('import_glove', data => convert_to(E'the 1 2 3\nof 4 5 6\nto 7 8 9\n', 'UTF8'),
	max_words => 2, replace => true);
SELECT id, word, vector FROM import_glove ORDER BY id;

-- a configuration that folds case finds what is in lower case
SELECT import_word_vectors('import_folded', data => convert_to(E'king 1 2\n', 'UTF8'), config => 'embed_words');
SELECT word_vector('import_folded', 'King'), word_vector('import_text', 'King');

-- word2vec .bin: written to a large object, read from it, equal again
SELECT export_word_vectors('import_text') AS object \gset
SELECT length(lo_get(:object)), substring(lo_get(:object) FROM 1 FOR 9);
SELECT import_word_vectors('import_object', large_object => :object);
SELECT count(*) FROM import_text FULL JOIN import_object USING (id, word)
	WHERE import_text.vector IS DISTINCT FROM import_object.vector;
SELECT import_word_vectors('import_again', data => lo_get(:object));
SELECT count(*) FROM import_text FULL JOIN import_again USING (id, word)
	WHERE import_text.vector IS DISTINCT FROM import_again.vector;
SELECT export_word_vectors('import_glove') AS other \gset
SELECT import_word_vectors('import_again', large_object => :other, replace => true);
DROP TABLE import_again;
SELECT import_word_vectors('import_again', large_object => :other);
SELECT lo_unlink(:other);

-- fastText .bin: a word is the mean of its row and those of its n-grams
CREATE FUNCTION import_int(value bigint, bytes integer) RETURNS bytea LANGUAGE sql
AS $$SELECT decode(string_agg(lpad(to_hex((value >> 8 * i) & 255), 2, '0'), '' ORDER BY i), 'hex')
	FROM generate_series(0, bytes - 1) AS i$$;
CREATE FUNCTION import_fasttext(minn integer, quantised integer) RETURNS bytea LANGUAGE sql
AS $$SELECT import_int(793712314, 4) || import_int(12, 4) ||
	(SELECT string_agg(import_int(option, 4), '' ORDER BY i)
		FROM unnest(ARRAY[1, 5, 5, 1, 5, 1, 2, 2, 3, minn, minn, 100]) WITH ORDINALITY AS o(option, i)) ||
	import_int(0, 8) || import_int(2, 4) || import_int(2, 4) || import_int(0, 4) ||
	import_int(10, 8) || import_int(-1, 8) ||
	'ab'::bytea || import_int(0, 1) || import_int(7, 8) || import_int(0, 1) ||
	'</s>'::bytea || import_int(0, 1) || import_int(3, 8) || import_int(0, 1) ||
	import_int(quantised, 1) || import_int(5, 8) || import_int(1, 8) ||
	-- 1, 2, 4, 8, 16
	import_int(x'3F800000'::bigint, 4) || import_int(x'40000000'::bigint, 4) ||
	import_int(x'40800000'::bigint, 4) || import_int(x'41000000'::bigint, 4) ||
	import_int(x'41800000'::bigint, 4)$$;
SELECT import_word_vectors('import_fasttext', data => import_fasttext(2, 0));
SELECT * FROM import_fasttext ORDER BY id;
-- <a, ab, b> fall into three buckets; unknown words have a vector
SELECT word_vector('import_fasttext', 'ab'), word_vector('import_fasttext', 'xab') IS NOT NULL AS composed;
SELECT import_word_vectors('import_plain', data => import_fasttext(0, 0));
SELECT id, word, occurrences, vector FROM import_plain ORDER BY id;

-- errors: nothing is left behind
-- a model is what its file was; another kind may replace it, and an old import too
CREATE FUNCTION import_description(model regclass) RETURNS text LANGUAGE sql AS
	$$SELECT substring(pg_get_triggerdef(oid) FROM 'embed_model\((.*)\)') FROM pg_trigger WHERE tgrelid = model$$;
SELECT m, import_description(m::regclass) FROM unnest('{import_text,import_glove,import_folded,import_object,import_again,import_fasttext,import_plain}'::text[]) m;
SELECT import_word_vectors('import_plain', data => convert_to(E'the 1 2 3\nof 4 5 6\n', 'UTF8'), replace => true);
SELECT import_description('import_plain');
CREATE TABLE import_before AS TABLE import_fasttext;
SELECT register_model('import_before', 'word2vec', 'embed_words', 'min_n=2', 'max_n=2', 'buckets=3', 'algorithm=cbow');
SELECT embed('import_before', 'xab') = embed('import_fasttext', 'xab') AS same;
SELECT import_word_vectors('import_before', data => import_fasttext(2, 0), replace => true);
SELECT import_description('import_before');
CREATE TABLE import_as_glove AS TABLE import_plain;
SELECT register_model('import_as_glove', 'glove', 'embed_words', 'min_n=3');
SELECT register_model('import_as_glove', 'glove', 'embed_words', 'pooling=tfidf');
SELECT train_vocabulary('import_as_glove', 'SELECT ''a b''', replace => true);

SELECT import_word_vectors('import_bad');
SELECT import_word_vectors('import_bad', file => 'x', data => 'y');
SELECT import_word_vectors('import_bad', data => '');
SELECT import_word_vectors('import_bad', data => 'once upon a time');
SELECT import_word_vectors('import_bad', data => E'\\x1f8b0800');
SELECT import_word_vectors('import_bad', data => convert_to(E'3 2\nking 1 0.5\nqueen 1\n', 'UTF8'));
SELECT import_word_vectors('import_bad', data => convert_to(E'3 2\nking 1 0.5\nqueen 1 nan\n', 'UTF8'));
SELECT import_word_vectors('import_bad', data => convert_to(E'1 2\nking 1 1e39\n', 'UTF8'));
SELECT import_word_vectors('import_bad', data => convert_to(E'3 2\nking 1 0.5\n', 'UTF8'));
SELECT import_word_vectors('import_bad', data => convert_to(E'3 20000\nking 1 0.5\n', 'UTF8'));
SELECT import_word_vectors('import_bad', data => substring(lo_get(:object) FROM 1 FOR 30));
SELECT import_word_vectors('import_bad', data => import_fasttext(2, 1));
SELECT import_word_vectors('import_bad', data => E'\\x6b6950ff20310a');
SELECT import_word_vectors('import_bad', data => E'\\x6b69ff20310a');
SELECT import_word_vectors('import_bad', data => 'king 1', max_words => 0);
SELECT import_word_vectors('import_bad', file => '/nonexistent/vectors.txt');
SELECT import_word_vectors('import_bad', file => '/');
SELECT import_word_vectors('import_bad', large_object => 4294967295);
SELECT import_word_vectors('import_text', data => 'king 1');
SELECT import_word_vectors(NULL, data => 'king 1');
SET maintenance_work_mem = '1MB';
SELECT import_word_vectors('import_bad', data => substring(import_fasttext(2, 0) FROM 1 FOR 40) ||
	import_int(2000000, 4) || substring(import_fasttext(2, 0) FROM 45));
RESET maintenance_work_mem;
SELECT to_regclass('import_bad');

-- the server's files are not for everybody; large objects are for their owner
CREATE ROLE import_user;
CREATE SCHEMA import_schema AUTHORIZATION import_user;
SET ROLE import_user;
SELECT import_word_vectors('import_schema.bad', file => '/etc/passwd');
\set VERBOSITY sqlstate
SELECT import_word_vectors('import_schema.bad', large_object => :object);
\set VERBOSITY default
SELECT import_word_vectors('import_schema.good', data => 'king 1 2');
SELECT word_vector('import_schema.good', 'king');
RESET ROLE;
DROP SCHEMA import_schema CASCADE;
DROP ROLE import_user;
SELECT lo_unlink(:object);

DROP TABLE import_text, import_glove, import_folded, import_object, import_again, import_fasttext, import_plain,
	import_before, import_as_glove;
DROP FUNCTION import_fasttext, import_int, import_description;

-- bad words: an error, or left out, counted in one message; the first of
-- several equal ones stays
SET client_min_messages = notice;
CREATE FUNCTION import_text_error(data bytea) RETURNS text LANGUAGE plpgsql AS $$
BEGIN PERFORM import_word_vectors('import_bad', data => data); DROP TABLE import_bad; RETURN 'no error';
EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE || ': ' || SQLERRM; END $$;
CREATE TABLE import_cases (n integer, name text, data bytea);
INSERT INTO import_cases VALUES
	(1, 'repeated', convert_to(E'4 2\nking 1 0.5\nqueen 1 -0.5\nking 7 7\nace 1 1\n', 'UTF8')),
	(2, 'not UTF-8', convert_to(E'2 2\nking 1 0.5\n', 'UTF8') || '\xff'::bytea || convert_to(E'x 1 2\n', 'UTF8')),
	(3, 'too few values', convert_to(E'3 2\nking 1 0.5\nqueen 1\nace 1 1\n', 'UTF8')),
	(4, 'a value that is no number', convert_to(E'king 1 0.5\nqueen one 1\nace 1 1\n', 'UTF8')),
	(5, 'a value out of range', convert_to(E'king 1 0.5\nqueen 1e39 1\nace 1 inf\nten 1 1\n', 'UTF8')),
	(6, 'empty', convert_to(E'king 1 0.5\n 1 2\nace 1 1\n', 'UTF8')),
	(7, 'an empty line', convert_to(E'king 1 0.5\n\n\nace 1 1\n', 'UTF8')),
	(8, 'too long', convert_to(E'king 1 0.5\n' || repeat('x', 2001) || E' 1 2\nace 1 1\n', 'UTF8')),
	(9, 'spaces are part of a word', convert_to(E'king 1 0.5\n. . . 1 2\nking\u00a0 1 2\n', 'UTF8')),
	(10, 'binary: repeated, empty, zero byte, NaN, not UTF-8', convert_to(E'7 1\n', 'UTF8') || 'a '::bytea || '\x0000803f' || 'a '::bytea || '\x00000040'
		|| ' '::bytea || '\x0000803f' || '\x6200'::bytea || 'c '::bytea || '\x0000803f' || 'd '::bytea || '\x0000c07f' || '\xff20'::bytea || '\x0000803f' || 'e '::bytea || '\x00008040'),
	(11, 'all of them bad', convert_to(E'1 2\n 1 2\n', 'UTF8'));
SELECT n, name, import_text_error(data) FROM import_cases ORDER BY n;
DO $$ DECLARE c record; BEGIN FOR c IN SELECT * FROM import_cases WHERE n < 11 ORDER BY n LOOP
	PERFORM import_word_vectors('import_skip_' || c.n, data => c.data, on_error => 'skip'); END LOOP; END $$;
CREATE FUNCTION import_words(integer) RETURNS text LANGUAGE plpgsql AS $$
DECLARE words text;
BEGIN
	EXECUTE format('SELECT string_agg(word || '' '' || vector::text, '', '' ORDER BY id) FROM import_skip_%s WHERE id > 0', $1) INTO words;
	RETURN words;
END $$;
SELECT n, import_words(n) AS words FROM import_cases WHERE n < 11 ORDER BY n;
DROP FUNCTION import_words;
SELECT import_word_vectors('import_bad', data => data, on_error => 'skip') FROM import_cases WHERE n = 11;
SELECT import_word_vectors('import_bad', data => 'a 1', on_error => 'ignore');
SELECT import_word_vectors('import_bad', data => 'a 1', on_error => NULL);
DO $$ BEGIN FOR n IN 1 .. 10 LOOP EXECUTE 'DROP TABLE import_skip_' || n; END LOOP; END $$;
DROP TABLE import_cases;
DROP FUNCTION import_text_error;
