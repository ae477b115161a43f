-- Would fail if a static model made of a transformer were not the teacher's
-- vectors of its tokens, reduced and weighted; model2vec's own result is
-- compared by an oracle.
SET embed.progress = off;
SET extra_float_digits = 0;

-- ---------- a teacher of twelve words ----------
CREATE FUNCTION distill_reversed(b bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS
	$$SELECT string_agg(substring(b FROM i FOR 1), ''::bytea ORDER BY i DESC) FROM generate_series(1, length(b)) i$$;
CREATE FUNCTION distill_floats(seed integer, count integer, base real) RETURNS bytea LANGUAGE sql IMMUTABLE AS
	$$SELECT string_agg(distill_reversed(float4send((base + ((i * i * 37 + i * 11 + seed * 101) % 64 - 31.5) / 64)::real)), ''::bytea ORDER BY i) FROM generate_series(0, count - 1) i$$;
CREATE TABLE distill_tensors (number serial, name text, shape integer[], base real DEFAULT 0);
INSERT INTO distill_tensors (name, shape, base) VALUES
	('embeddings.word_embeddings.weight', '{16,6}', 0),
	('embeddings.position_embeddings.weight', '{12,6}', 0),
	('embeddings.token_type_embeddings.weight', '{2,6}', 0),
	('embeddings.LayerNorm.weight', '{6}', 1),
	('embeddings.LayerNorm.bias', '{6}', 0),
	('encoder.layer.0.attention.self.query.weight', '{6,6}', 0), ('encoder.layer.0.attention.self.query.bias', '{6}', 0),
	('encoder.layer.0.attention.self.key.weight', '{6,6}', 0), ('encoder.layer.0.attention.self.key.bias', '{6}', 0),
	('encoder.layer.0.attention.self.value.weight', '{6,6}', 0), ('encoder.layer.0.attention.self.value.bias', '{6}', 0),
	('encoder.layer.0.attention.output.dense.weight', '{6,6}', 0), ('encoder.layer.0.attention.output.dense.bias', '{6}', 0),
	('encoder.layer.0.attention.output.LayerNorm.weight', '{6}', 1), ('encoder.layer.0.attention.output.LayerNorm.bias', '{6}', 0),
	('encoder.layer.0.intermediate.dense.weight', '{8,6}', 0), ('encoder.layer.0.intermediate.dense.bias', '{8}', 0),
	('encoder.layer.0.output.dense.weight', '{6,8}', 0), ('encoder.layer.0.output.dense.bias', '{6}', 0),
	('encoder.layer.0.output.LayerNorm.weight', '{6}', 1), ('encoder.layer.0.output.LayerNorm.bias', '{6}', 0);
CREATE FUNCTION distill_safetensors() RETURNS bytea LANGUAGE sql STABLE AS $$
	WITH sized AS (SELECT *, shape[1] * coalesce(shape[2], 1) AS size FROM distill_tensors),
	placed AS (SELECT *, 4 * sum(size) OVER (ORDER BY number) AS ends FROM sized),
	head AS (
		SELECT json_object_agg(name, json_build_object('dtype', 'F32', 'shape', shape,
			'data_offsets', ARRAY[ends - 4 * size, ends]))::text AS head FROM placed)
	SELECT distill_reversed(int8send(octet_length(head))) || convert_to(head, 'UTF8') ||
		(SELECT string_agg(distill_floats(number, size, base), ''::bytea ORDER BY number) FROM placed)
	FROM head$$;
CREATE TABLE distill_vocabulary AS SELECT word, (place - 1)::integer AS id FROM unnest(ARRAY['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]',
	'[unused0]', 'the', 'cat', 'dog', 'bird', 'fish', 'tree', 'sun', 'moon', 'rain', 'snow']) WITH ORDINALITY AS v(word, place);
CREATE FUNCTION distill_tokenizer() RETURNS bytea LANGUAGE sql STABLE AS $$
	SELECT convert_to(json_build_object('version', '1.0', 'truncation', NULL, 'padding', NULL,
		'added_tokens', (SELECT json_agg(json_build_object('id', id, 'content', word, 'single_word', false, 'lstrip', false, 'rstrip', false,
			'normalized', false, 'special', true) ORDER BY id) FROM distill_vocabulary WHERE id < 5),
		'normalizer', '{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true}'::json,
		'pre_tokenizer', '{"type": "BertPreTokenizer"}'::json,
		'post_processor', '{"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}'::json,
		'decoder', NULL,
		'model', json_build_object('type', 'WordPiece', 'unk_token', '[UNK]', 'continuing_subword_prefix', '##', 'max_input_chars_per_word', 100,
			'vocab', (SELECT json_object_agg(word, id ORDER BY id) FROM distill_vocabulary)))::text, 'UTF8')$$;
CREATE TABLE distill_folder AS SELECT * FROM (VALUES
	('config.json', '{"architectures": ["BertModel"], "model_type": "bert", "hidden_size": 6, "num_hidden_layers": 1,
		"num_attention_heads": 2, "intermediate_size": 8, "hidden_act": "gelu", "layer_norm_eps": 1e-12,
		"max_position_embeddings": 12, "type_vocab_size": 2, "vocab_size": 16, "pad_token_id": 0}'::bytea),
	('tokenizer.json', distill_tokenizer()),
	('model.safetensors', distill_safetensors()),
	('modules.json', '[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
		{"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]'),
	('1_Pooling/config.json', '{"word_embedding_dimension": 6, "pooling_mode_mean_tokens": true}')) AS v(name, data);
SELECT import_model('distill_teacher', files => 'TABLE distill_folder');

-- ---------- as the teacher has them ----------
SELECT distill_model('distill_plain', 'distill_teacher', dims => NULL, sif => NULL, "precision" => 'float32');
-- what the teacher says of a token alone, whose vector is the mean with [CLS] and [SEP]
SELECT word, round((embed('distill_plain', word) <=> embed('distill_teacher', word))::numeric, 6) AS apart
	FROM distill_vocabulary WHERE id < 2 OR id > 5 ORDER BY id;
SELECT encode(data, 'escape') FROM model_files('distill_plain') WHERE name = 'config.json';
SELECT (convert_from(data, 'UTF8')::jsonb) #> '{model,vocab}' AS vocabulary, (convert_from(data, 'UTF8')::jsonb) -> 'added_tokens' AS added,
	(convert_from(data, 'UTF8')::jsonb) -> 'post_processor' AS post_processor FROM model_files('distill_plain') WHERE name = 'tokenizer.json';
-- what is a special token no more is letters, and unknown ones have no vector
SELECT embed('distill_plain', '[MASK]') IS NULL AS nothing, embed('distill_plain', 'zebra') IS NULL AS unknown, embed('distill_plain', '') IS NULL AS empty;

-- ---------- reduced and weighted ----------
SELECT distill_model('distill_twin', 'distill_teacher', dims => 6, sif => 0.05, "precision" => 'float32');
-- all axes turn nothing apart: x less the mean, each weighted by Zipf's law
CREATE TABLE distill_expected AS
	WITH x AS (SELECT word, row_number() OVER (ORDER BY id) - 1 AS i, (embed('distill_teacher', word)::real[])::float8[] AS v
		FROM distill_vocabulary WHERE id < 2 OR id > 5),
	mean AS (SELECT array_agg(m ORDER BY k) AS m FROM (SELECT k, avg(v[k]) AS m FROM x, generate_series(1, 6) k GROUP BY k) s),
	total AS (SELECT sum(1.0 / (i + 2)) AS sum FROM x)
	SELECT word, (SELECT array_agg(w * (v[k] - m[k]) ORDER BY k) FROM generate_series(1, 6) k)::vector AS v
	FROM x, mean, total, LATERAL (SELECT 0.05 / (0.05 + 1.0 / (i + 2) / sum) AS w) s;
SELECT count(*), max(abs((embed('distill_twin', a.word || ' ' || b.word) <=> embed('distill_twin', c.word)) - ((a.v + b.v) <=> c.v))) < 1e-5 AS by_hand
	FROM distill_expected a, distill_expected b, distill_expected c WHERE a.word <> '[UNK]' AND b.word <> '[UNK]' AND c.word <> '[UNK]';
-- fewer axes are the first of them
SELECT distill_model('distill_three', 'distill_teacher', dims => 3, sif => 0.05, "precision" => 'float32', replace => false);
SELECT bool_and(((SELECT l2_normalize(subvector(embed('distill_twin', word), 1, 3)) <=> embed('distill_three', word)) < 1e-5)) AS first
	FROM distill_vocabulary WHERE id > 5;
-- counted: each word as often as the corpus has it, what it has not counts whole
SELECT distill_model('distill_counted', 'distill_teacher', dims => NULL, sif => 0.05, "precision" => 'float32',
	corpus => $$SELECT t FROM (VALUES ('the cat the dog'), (NULL), ('the bird, zebra')) v(t)$$);
WITH x AS (SELECT word, (embed('distill_teacher', word)::real[])::float8[] AS v FROM distill_vocabulary WHERE word IN ('the', 'sun')),
	sums AS (SELECT array_agg(s ORDER BY k)::vector AS v FROM (
		SELECT k, sum(v[k] * CASE word WHEN 'the' THEN 0.05 / (0.05 + 3.0 / 8) ELSE 1 END) AS s FROM x, generate_series(1, 6) k GROUP BY k) s)
	SELECT round((embed('distill_counted', 'the sun') <=> v)::numeric, 6) AS apart FROM sums;

-- ---------- precisions, export ----------
SELECT distill_model('distill_half', 'distill_teacher', dims => 4, sif => 0.05);
SELECT distill_model('distill_bytes', 'distill_teacher', dims => 4, sif => 0.05, "precision" => 'int8');
SELECT distill_model('distill_four', 'distill_teacher', dims => 4, sif => 0.05, "precision" => 'float32');
SELECT max(embed('distill_half', word) <=> embed('distill_four', word)) < 1e-6 AS half, max(embed('distill_bytes', word) <=> embed('distill_four', word)) < 1e-3 AS bytes
	FROM distill_vocabulary WHERE id > 5;
SELECT import_model('distill_again', files => $$SELECT name, data FROM model_files('distill_half')$$);
SELECT bool_and(embed('distill_again', word) = embed('distill_half', word)) AS same FROM distill_vocabulary WHERE id > 5;
SELECT count_tokens('distill_half', 'the cat'), count_tokens('distill_teacher', 'the cat');
-- a teacher with a vocab.txt has the same twin
SELECT import_model('distill_letters', files => $$SELECT name, data FROM distill_folder WHERE name <> 'tokenizer.json'
	UNION ALL SELECT 'vocab.txt', convert_to(string_agg(word, E'\n' ORDER BY id), 'UTF8') FROM distill_vocabulary$$);
SELECT distill_model('distill_lines', 'distill_letters', dims => 4, sif => 0.05);
SELECT bool_and(embed('distill_lines', word || ' DOG') = embed('distill_half', word || ' dog')) AS same FROM distill_vocabulary WHERE id > 5;
-- more axes than the teacher has, or no fewer than tokens
SELECT distill_model('distill_wide', 'distill_teacher', dims => 300);
SELECT vector_dims(embed('distill_wide', 'cat'));
-- the teacher is not among what a replacement replaces
SELECT distill_model('distill_half', 'distill_teacher', dims => 2, replace => true);
SELECT vector_dims(embed('distill_half', 'cat'));

-- ---------- errors ----------
CREATE FUNCTION distill_outcome(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text; hint text;
BEGIN
	EXECUTE command;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', SQLSTATE, SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;
\pset format unaligned
\pset tuples_only on
SELECT command, distill_outcome('SELECT distill_model(' || command || ')') FROM unnest(ARRAY[
	$$NULL, 'distill_teacher'$$,
	$$'distill_new', NULL$$,
	$$'distill_new', 'distill_teacher', replace => NULL$$,
	$$'distill_new', 'distill_teacher', "precision" => NULL$$,
	$$'distill_new', 'distill_teacher', "precision" => 'float64'$$,
	$$'distill_new', 'distill_teacher', dims => 0$$,
	$$'distill_new', 'distill_teacher', dims => -5$$,
	$$'distill_new', 'distill_teacher', sif => 0$$,
	$$'distill_new', 'distill_teacher', sif => 1$$,
	$$'distill_new', 'distill_teacher', sif => 'nan'$$,
	$$'distill_new', 'distill_teacher', sif => NULL, corpus => 'SELECT ''cat'''$$,
	$$'distill_new', 'distill_teacher', corpus => 'SELECT NULL::text'$$,
	$$'distill_new', 'distill_teacher', corpus => 'SELECT 1'$$,
	$$'distill_new', 'distill_teacher', corpus => 'nonsense'$$,
	$$'distill_new', 'distill_teacher', corpus => 'SELECT ''zebra'' WHERE false'$$,
	$$'distill_new', 'distill_plain'$$,
	$$'distill_new', 'distill_folder'$$,
	$$'distill_plain', 'distill_teacher'$$,
	$$'no_schema.distill_new', 'distill_teacher'$$
]) AS command;
SELECT to_regclass('distill_new') IS NULL AS nothing_left;
BEGIN READ ONLY;
SELECT distill_outcome($$SELECT distill_model('distill_new', 'distill_teacher')$$);
ROLLBACK;
CREATE ROLE distill_reader;
GRANT CREATE ON SCHEMA public TO distill_reader;
SET ROLE distill_reader;
SELECT distill_outcome($$SELECT distill_model('distill_mine', 'distill_teacher')$$);
SELECT distill_outcome($$SELECT distill_model('distill_plain', 'distill_teacher', replace => true)$$);
RESET ROLE;
GRANT SELECT ON distill_teacher TO distill_reader;
SET ROLE distill_reader;
SELECT distill_outcome($$SELECT distill_model('distill_mine', 'distill_teacher')$$);
SELECT embed('distill_mine', 'cat') IS NOT NULL;
RESET ROLE;
\pset format aligned
\pset tuples_only off
SET client_min_messages = warning;
DROP OWNED BY distill_reader;
DROP ROLE distill_reader;
DROP TABLE distill_teacher, distill_plain, distill_twin, distill_three, distill_counted, distill_half, distill_bytes, distill_four, distill_again,
	distill_wide, distill_letters, distill_lines, distill_tensors, distill_vocabulary, distill_folder, distill_expected;
DROP FUNCTION distill_reversed, distill_floats, distill_safetensors, distill_tokenizer, distill_outcome;
