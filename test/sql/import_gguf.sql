-- Would fail if a GGUF file became a wrong tokenizer, if its settings were
-- believed unread, or if an architecture that nobody computes were taken.
SET embed.progress = off;

-- ---------- files, put together here ----------
CREATE FUNCTION gguf_reversed(value bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS
	$$SELECT coalesce(string_agg(substring(value FROM i FOR 1), ''::bytea ORDER BY i DESC), '') FROM generate_series(1, length(value)) i$$;
CREATE FUNCTION gguf_int(value integer) RETURNS bytea LANGUAGE sql IMMUTABLE AS 'SELECT gguf_reversed(int4send(value))';
CREATE FUNCTION gguf_long(value bigint) RETURNS bytea LANGUAGE sql IMMUTABLE AS 'SELECT gguf_reversed(int8send(value))';
CREATE FUNCTION gguf_text(value text) RETURNS bytea LANGUAGE sql IMMUTABLE AS
	$$SELECT gguf_long(octet_length(convert_to(value, 'UTF8'))) || convert_to(value, 'UTF8')$$;
CREATE FUNCTION gguf_array(kind integer, count bigint, elements bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS
	$$SELECT gguf_int(9) || gguf_int(kind) || gguf_long(count) || elements$$;
CREATE FUNCTION gguf_texts(list text[]) RETURNS bytea LANGUAGE sql IMMUTABLE AS
	$$SELECT gguf_array(8, cardinality(list), string_agg(gguf_text(v), ''::bytea ORDER BY i)) FROM unnest(list) WITH ORDINALITY AS v(v, i)$$;
CREATE FUNCTION gguf_ints(list integer[]) RETURNS bytea LANGUAGE sql IMMUTABLE AS
	$$SELECT gguf_array(5, cardinality(list), string_agg(gguf_int(v), ''::bytea ORDER BY i)) FROM unnest(list) WITH ORDINALITY AS v(v, i)$$;
CREATE FUNCTION gguf_floats(list real[]) RETURNS bytea LANGUAGE sql IMMUTABLE AS
	$$SELECT gguf_array(6, cardinality(list), string_agg(gguf_reversed(float4send(v)), ''::bytea ORDER BY i)) FROM unnest(list) WITH ORDINALITY AS v(v, i)$$;
-- settings; here and there one is another
CREATE TABLE gguf_settings (key text PRIMARY KEY, value bytea);
INSERT INTO gguf_settings VALUES
	('general.architecture', gguf_int(8) || gguf_text('bert')),
	('bert.context_length', gguf_int(4) || gguf_int(6)),
	('tokenizer.ggml.model', gguf_int(8) || gguf_text('bert')),
	('tokenizer.ggml.tokens', gguf_texts('{[PAD],[UNK],[CLS],[SEP],▁cat,▁dog,s,▁[1]}')),
	('tokenizer.ggml.token_type', gguf_ints('{3,2,3,3,1,1,1,1}')),
	('tokenizer.ggml.unknown_token_id', gguf_int(4) || gguf_int(1)),
	('tokenizer.ggml.bos_token_id', gguf_int(4) || gguf_int(2)),
	('tokenizer.ggml.cls_token_id', gguf_int(4) || gguf_int(2)),
	('tokenizer.ggml.seperator_token_id', gguf_int(4) || gguf_int(3)),
	('tokenizer.ggml.padding_token_id', gguf_int(4) || gguf_int(0)),
	('test.empty', gguf_int(8) || gguf_text(''));
-- The settings with some others ("tokenizer.ggml.model": null leaves it out),
-- and one tensor of 32 values or none
CREATE FUNCTION gguf_file(others jsonb DEFAULT '{}', tensor boolean DEFAULT false) RETURNS bytea LANGUAGE sql STABLE AS $$
	WITH kept AS (
		SELECT key, value FROM gguf_settings WHERE NOT others ? key
		UNION ALL SELECT key, decode(value, 'hex') FROM jsonb_each_text(others) WHERE value IS NOT NULL),
	head AS (
		SELECT 'GGUF'::bytea || gguf_int(3) || gguf_long(tensor::int) || gguf_long(count(*))
			|| string_agg(gguf_text(key) || value, ''::bytea ORDER BY key)
			|| CASE WHEN tensor THEN gguf_text('token_embd.weight') || gguf_int(1) || gguf_long(32) || gguf_int(8) || gguf_long(0) ELSE '' END AS bytes
		FROM kept)
	SELECT bytes || decode(repeat('00', -length(bytes) & 31), 'hex') || CASE WHEN tensor THEN decode('003c' || repeat('01', 32), 'hex') ELSE '' END FROM head$$;
CREATE FUNCTION gguf_other(key text, value bytea) RETURNS jsonb LANGUAGE sql IMMUTABLE AS
	$$SELECT jsonb_build_object(key, encode(value, 'hex'))$$;

-- ---------- a vocabulary alone is a tokenizer ----------
SELECT import_model('gguf_words', data => gguf_file());
SELECT method FROM embed_models() WHERE model = 'gguf_words'::regclass;
SELECT id, name, part, element, shape FROM gguf_words ORDER BY id;
SELECT data = gguf_file() AS same FROM model_files('gguf_words');
SELECT * FROM model_tokens('gguf_words', 'Cats, dog');
-- it reads six tokens, as the file says
SELECT array_agg(token ORDER BY position) FROM model_tokens('gguf_words', 'dog dog dog cats dog cat');
SELECT count_tokens('gguf_words', 'dog dog dog cats dog cat'), count_tokens('gguf_words', '');
SELECT passage FROM split_text('dog dog dog cats dog cat', model => 'gguf_words');
SELECT import_model('gguf_words', data => gguf_file(), max_tokens => 3, replace => true);
SELECT array_agg(token ORDER BY position) FROM model_tokens('gguf_words', 'dog cat');
SELECT lo_from_bytea(0, gguf_file()) AS object \gset
SELECT import_model('gguf_words', large_object => :object, replace => true);
SELECT array_agg(id ORDER BY position) FROM model_tokens('gguf_words', 'dog cat');
SELECT lo_unlink(:object);
-- byte-level BPE and SentencePiece
SELECT import_model('gguf_pairs', data => gguf_file(
	gguf_other('tokenizer.ggml.model', gguf_int(8) || gguf_text('gpt2')) ||
	gguf_other('tokenizer.ggml.pre', gguf_int(8) || gguf_text('gpt-2')) ||
	gguf_other('tokenizer.ggml.tokens', gguf_texts('{<s>,c,a,t,ca,cat,Ġ,Ġcat}')) ||
	gguf_other('tokenizer.ggml.token_type', gguf_ints('{3,1,1,1,1,1,1,1}')) ||
	gguf_other('tokenizer.ggml.merges', gguf_texts('{"c a","ca t","Ġ cat"}')) ||
	'{"tokenizer.ggml.unknown_token_id": null, "tokenizer.ggml.cls_token_id": null, "tokenizer.ggml.seperator_token_id": null}' ||
	gguf_other('tokenizer.ggml.bos_token_id', gguf_int(4) || gguf_int(0))));
SELECT * FROM model_tokens('gguf_pairs', 'cat cat<s>ta');
SELECT import_model('gguf_pieces', data => gguf_file(
	gguf_other('tokenizer.ggml.model', gguf_int(8) || gguf_text('llama')) ||
	gguf_other('tokenizer.ggml.tokens', gguf_texts('{<unk>,<s>,▁,c,a,▁c,▁ca,ca}')) ||
	gguf_other('tokenizer.ggml.scores', gguf_floats('{0,0,-4,-5,-6,-1,-3,-2}')) ||
	gguf_other('tokenizer.ggml.token_type', gguf_ints('{2,3,1,1,1,1,1,1}')) ||
	gguf_other('tokenizer.ggml.unknown_token_id', gguf_int(4) || gguf_int(0)) ||
	gguf_other('tokenizer.ggml.bos_token_id', gguf_int(4) || gguf_int(1)) ||
	'{"tokenizer.ggml.cls_token_id": null, "tokenizer.ggml.seperator_token_id": null}'));
SELECT * FROM model_tokens('gguf_pieces', 'ca aca');

-- ---------- files that it was cut into ----------
CREATE TABLE gguf_parts AS SELECT format('w-0000%s-of-00002.gguf', i + 1) AS name, gguf_file(
	gguf_other('split.no', gguf_int(2) || substring(gguf_int(i) FOR 2)) ||
	gguf_other('split.count', gguf_int(2) || substring(gguf_int(2) FOR 2)) ||
	gguf_other('split.tensors.count', gguf_int(5) || gguf_int(0))) AS data FROM generate_series(0, 1) i;
SELECT import_model('gguf_words', files => 'SELECT name, data FROM gguf_parts ORDER BY name DESC', replace => true);
SELECT array_agg(id ORDER BY position) FROM model_tokens('gguf_words', 'dog cat');

-- ---------- errors ----------
CREATE FUNCTION gguf_outcome(data bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	PERFORM import_model('gguf_bad', data => data);
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', SQLSTATE, SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;
\pset format unaligned
\pset tuples_only on
SELECT import_model('gguf_bad', files => 'SELECT name, data FROM gguf_parts LIMIT 1');
-- tensors of an architecture that nobody computes
SELECT gguf_outcome(gguf_file(gguf_other('general.architecture', gguf_int(8) || gguf_text('wavelets')), true));
SELECT gguf_outcome(gguf_file('{"general.architecture": null}', true));
SELECT gguf_outcome(gguf_file(gguf_other('general.architecture', gguf_int(8) || gguf_long(2) || '\xff00'), true));
-- settings that are not what they must be
SELECT key, gguf_outcome(gguf_file(gguf_other(key, value))) FROM (VALUES
	('general.architecture', gguf_int(4) || gguf_int(1)),
	('tokenizer.ggml.model', gguf_int(8) || gguf_text('tiktoken')),
	('tokenizer.ggml.model', gguf_int(4) || gguf_int(1)),
	('tokenizer.ggml.model', gguf_int(8) || gguf_text('llama')),
	('tokenizer.ggml.model', gguf_int(8) || gguf_text('gpt2')),
	('tokenizer.ggml.tokens', gguf_int(8) || gguf_text('cat')),
	('tokenizer.ggml.tokens', gguf_ints('{1,2,3,4,5,6,7,8}')),
	('tokenizer.ggml.tokens', gguf_array(8, 1, gguf_long(1) || '\xff'::bytea)),
	('tokenizer.ggml.token_type', gguf_ints('{1,2}')),
	('tokenizer.ggml.token_type', gguf_texts('{a,b,c,d,e,f,g,h}')),
	('tokenizer.ggml.scores', gguf_floats('{1}')),
	('tokenizer.ggml.unknown_token_id', gguf_int(4) || gguf_int(8)),
	('tokenizer.ggml.unknown_token_id', gguf_int(8) || gguf_text('1')),
	('tokenizer.ggml.add_bos_token', gguf_int(4) || gguf_int(1)),
	('tokenizer.ggml.precompiled_charsmap', gguf_ints('{1}')),
	('bert.context_length', gguf_int(5) || gguf_int(-1)),
	('bert.context_length', gguf_int(8) || gguf_text('1'))
) AS v(key, value);
SELECT gguf_outcome(gguf_file('{"tokenizer.ggml.tokens": null, "tokenizer.ggml.token_type": null}'));
-- cut at every byte, and every byte another: an error or a tokenizer
SELECT count(*) FILTER (WHERE outcome = 'no error'), count(DISTINCT left(outcome, 5)) FROM (
	SELECT gguf_outcome(substring(data FOR n)) AS outcome FROM gguf_file() data, generate_series(1, length(data) - 32) n) x;
CREATE FUNCTION gguf_damaged(data bytea, place integer) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	outcome text;
BEGIN
	BEGIN
		outcome := gguf_outcome(set_byte(data, place, get_byte(data, place) # 255));
		IF outcome = 'no error' THEN
			PERFORM model_tokens('gguf_bad', 'cats dog [1]');
		END IF;
		RAISE EXCEPTION 'undo';
	EXCEPTION WHEN raise_exception THEN
		RETURN outcome = 'no error' OR outcome ~ '^(22P03|0A000|54000|53200|22000) ';
	END;
END $$;
SET client_min_messages = warning;
SELECT DISTINCT gguf_damaged(data, n) FROM gguf_file() data, generate_series(0, length(data) - 1) n;
SELECT to_regclass('gguf_bad');
-- a table damaged by hand
UPDATE gguf_pairs SET data = substring(data FOR 200), shape = '{200}' WHERE id = 1;
SELECT count_tokens('gguf_pairs', 'cat');

DROP TABLE gguf_words, gguf_pairs, gguf_pieces, gguf_parts, gguf_settings;
DROP FUNCTION gguf_reversed, gguf_int, gguf_long, gguf_text, gguf_array, gguf_texts, gguf_ints, gguf_floats, gguf_file, gguf_other,
	gguf_outcome, gguf_damaged;
