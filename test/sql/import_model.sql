-- Would fail if a published folder became a wrong model, if a damaged one left
-- something behind or was used, or if its files came out other than they came.
SET embed.progress = off;

-- ---------- folders, made here ----------
CREATE FUNCTION import_reversed(value bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS
	$$SELECT coalesce(string_agg(substring(value FROM i FOR 1), ''::bytea ORDER BY i DESC), '') FROM generate_series(1, length(value)) i$$;
CREATE FUNCTION import_floats(numbers real[]) RETURNS bytea LANGUAGE sql IMMUTABLE AS
	$$SELECT string_agg(import_reversed(float4send(v)), ''::bytea ORDER BY i) FROM unnest($1) WITH ORDINALITY AS v(v, i)$$;
CREATE FUNCTION import_safetensors(head text, data bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS
	$$SELECT import_reversed(int8send(octet_length(head))) || convert_to(head, 'UTF8') || data$$;
CREATE TABLE import_tokenizer AS SELECT convert_to(
	'{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [
	{"id": 0, "content": "[UNK]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},
	{"id": 1, "content": "[CLS]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
	"normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "Whitespace"},
	"post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
	"pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
	"special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [1], "tokens": ["[CLS]"]}}},
	"decoder": null, "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "[CLS]": 1, "cat": 2, "dog": 3, "bird": 4}, "unk_token": "[UNK]"}}',
	'UTF8') AS data;
CREATE TABLE import_folder (name text, data bytea);
INSERT INTO import_folder SELECT 'tokenizer.json', data FROM import_tokenizer;
INSERT INTO import_folder VALUES
	('config.json', '{"model_type": "model2vec", "normalize": false}'),
	('notes/empty.txt', ''),
	('model.safetensors', import_safetensors(
		'{"embeddings":{"dtype":"F32","shape":[5,2],"data_offsets":[0,40]}}  ',
		import_floats(ARRAY[9, 9, 8, 8, 1, 0, 0, 2, 3, -3])));

-- ---------- a static model ----------
SELECT import_model('import_static', files => 'SELECT name, data FROM import_folder ORDER BY name');
SELECT id, name, part, element, shape, length(data) FROM import_static ORDER BY id;
SELECT attstorage FROM pg_attribute WHERE attrelid = 'import_static'::regclass AND attname = 'data';
SELECT method, dims, rows FROM embed_models(count_rows => true) WHERE model = 'import_static'::regclass;
-- means; the unknown token is left out; nothing known: no vector
SELECT embed('import_static', 'Cat dog'), embed('import_static', 'cat nobody'), embed('import_static', 'bird bird cat'),
	embed('import_static', 'nobody') IS NULL AS unknown, embed('import_static', '') IS NULL AS empty;
SELECT embed_array('import_static', ARRAY['cat', NULL, '', 'dog', 'x']);
SELECT * FROM embed_tokens('import_static', 'cat nobody');
SELECT embed('import_static', 'cat', pooling => 'max');
SELECT embed('import_static', 'cat', prompt => 'query');
-- the folder comes out as it went in
SELECT count(*) FROM import_folder f FULL JOIN model_files('import_static') m USING (name) WHERE f.data IS DISTINCT FROM m.data;
SELECT export_model('import_static') AS object \gset
SELECT import_model('import_again', large_object => :object);
SELECT count(*) FROM import_static a FULL JOIN import_again b USING (id)
	WHERE (a.name, a.part, a.element, a.shape, a.data) IS DISTINCT FROM (b.name, b.part, b.element, b.shape, b.data);
SELECT import_model('import_again', data => lo_get(:object), max_tokens => 1, replace => true);
SELECT embed('import_again', 'cat dog'), embed('import_static', 'cat dog');
SELECT lo_unlink(:object);
-- large objects instead of values
CREATE TABLE import_objects AS SELECT name, lo_from_bytea(0, data) AS object FROM import_folder;
SELECT import_model('import_again', files => 'SELECT name, object FROM import_objects', replace => true);
SELECT embed('import_again', 'cat dog');
SELECT count(lo_unlink(object)) FROM import_objects;

-- weights, a mapping, int8, normalization, length: as model2vec has them
CREATE FUNCTION import_with(name text, contents bytea) RETURNS text LANGUAGE sql AS
	$$SELECT format('SELECT name, data FROM import_folder WHERE name <> %L UNION ALL SELECT %L, %L::bytea', name, name, contents)$$;
UPDATE import_folder SET data = '{"model_type": "model2vec", "normalize": true, "max_length": 2}' WHERE name = 'config.json';
SELECT import_model('import_weighted', files => import_with('model.safetensors', import_safetensors(
	'{"embeddings":{"dtype":"I8","shape":[2,3],"data_offsets":[0,6]},"mapping":{"dtype":"I64","shape":[5],"data_offsets":[6,46]},"weights":{"dtype":"F32","shape":[5],"data_offsets":[46,66]}}',
	'\x0102fe000400'::bytea || import_reversed(int8send(0)) || import_reversed(int8send(0)) || import_reversed(int8send(0)) ||
	import_reversed(int8send(1)) || import_reversed(int8send(1)) || import_floats(ARRAY[1, 1, 1, 0.5, 2]))));
SELECT embed('import_weighted', 'cat'), embed('import_weighted', 'dog'), embed('import_weighted', 'cat bird'), embed('import_weighted', 'cat dog bird bird');
-- of 2 tokens of 3 characters (the median) 6 characters are read
SELECT embed('import_weighted', 'cat           dog') = embed('import_weighted', 'cat') AS cut;

-- fewer bits: int8 keeps what has eight bits as it is; rows of zeros; a choice
CREATE FUNCTION import_precision(of text, files text) RETURNS TABLE (embedded vector, cosine text) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM import_model('import_precise', files => files, "precision" => of, replace => to_regclass('import_precise') IS NOT NULL);
	RETURN QUERY SELECT v, round((1 - (v <=> embed('import_float', t)))::numeric, 4)::text
		FROM unnest('{cat,dog,bird,cat dog bird bird}'::text[]) t, embed('import_precise', t) v;
END $$;
CREATE TABLE import_bits AS SELECT name, CASE name WHEN 'config.json' THEN '{"model_type": "model2vec", "normalize": false}' WHEN 'model.safetensors' THEN
	import_safetensors('{"embeddings":{"dtype":"I8","shape":[5,3],"data_offsets":[0,15]}}', '\x000000000000010080000000050203'::bytea) ELSE data END AS data FROM import_folder;
SELECT import_model('import_float', files => 'TABLE import_bits');
SELECT p, import_precision(p, 'TABLE import_bits') FROM unnest('{bfloat16,int16,int8,auto}'::text[]) p;
UPDATE import_bits SET data = import_safetensors('{"embeddings":{"dtype":"F32","shape":[5,4],"data_offsets":[0,80]}}',
	import_floats(ARRAY[1, 2, 3, 4, 5, 6, 7, 8, 0.1, 0.02, -0.3, 1e-9, 3, 2, 1, 0, 0, 1e-38, -1e-40, 0])) WHERE name = 'model.safetensors';
SELECT import_model('import_float', files => 'TABLE import_bits', replace => true);
SELECT p, import_precision(p, 'TABLE import_bits') FROM unnest('{bfloat16,int16,int8}'::text[]) p;
SELECT * FROM embed_tokens('import_precise', 'dog bird');
SELECT tgargs FROM pg_trigger WHERE tgrelid = 'import_precise'::regclass;
-- a row of one large value and many that int8 would lose
UPDATE import_bits SET data = import_safetensors('{"embeddings":{"dtype":"F32","shape":[5,300],"data_offsets":[0,6000]}}',
	(SELECT import_floats(array_agg((CASE WHEN i % 300 = 0 THEN 127 ELSE 0.49 END)::real ORDER BY i)) FROM generate_series(0, 1499) i)) WHERE name = 'model.safetensors';
SELECT import_model('import_precise', files => 'TABLE import_bits', "precision" => 'auto', replace => true);
-- a description written by hand
CREATE TABLE import_hand AS TABLE import_precise;
SELECT register_model('import_hand', 'static', 'embed_words', 'precision=int4');
SELECT register_model('import_hand', 'static', 'embed_words', 'precision=int16', 'dims=300');
SELECT 1 - (embed('import_hand', 'cat') <=> embed('import_precise', 'cat')) > 0.99999 AS same;
DROP TABLE import_bits, import_precise, import_float, import_hand;

-- StaticEmbedding: the unknown token counts; modules in folders of their own
CREATE TABLE import_modules AS SELECT name, data FROM (VALUES
	('modules.json', '[{"idx": 0, "name": "0", "path": "0_StaticEmbedding", "type": "sentence_transformers.models.StaticEmbedding"}]'::bytea),
	('config_sentence_transformers.json', '{"prompts": {"query": "dog ", "none": ""}, "default_prompt_name": null}'::bytea),
	('0_StaticEmbedding/tokenizer.json', (SELECT data FROM import_tokenizer)),
	('0_StaticEmbedding/model.safetensors', import_safetensors(
		'{"embedding.weight":{"dtype":"F32","shape":[5,2],"data_offsets":[0,40]}}',
		import_floats(ARRAY[9, 9, 8, 8, 1, 0, 0, 2, 3, -3])))) AS v(name, data);
SELECT import_model('import_embedding', files => 'TABLE import_modules');
SELECT embed('import_embedding', 'cat nobody'), embed('import_embedding', 'cat', prompt => 'query'),
	embed('import_embedding', 'cat', prompt => 'none');
SELECT embed('import_embedding', 'cat', prompt => 'passage');
INSERT INTO import_modules VALUES ('1_Normalize/config.json', '{}');
UPDATE import_modules SET data = '[{"idx": 0, "name": "0", "path": "0_StaticEmbedding", "type": "sentence_transformers.models.StaticEmbedding"},
	{"idx": 1, "name": "1", "path": "1_Normalize", "type": "sentence_transformers.models.Normalize"}]' WHERE name = 'modules.json';
SELECT import_model('import_embedding', files => 'TABLE import_modules', replace => true);
SELECT embed('import_embedding', 'cat dog dog');
-- bare weights
SELECT import_model('import_bare', files => $$SELECT 'tokenizer.json', data FROM import_tokenizer UNION ALL
	SELECT 'l2.safetensors', data FROM import_modules WHERE name LIKE '%safetensors'$$);
SELECT embed('import_bare', 'cat nobody');

-- weights in several files: the index says which is read, all of them are kept
CREATE TABLE import_shards AS SELECT name, data FROM import_folder WHERE name = 'tokenizer.json' UNION ALL VALUES
	('model-00001-of-00002.safetensors', import_safetensors('{"embeddings":{"dtype":"F32","shape":[5,1],"data_offsets":[0,20]},"weights":{"dtype":"F32","shape":[5],"data_offsets":[20,40]}}',
		import_floats(ARRAY[7, 7, 7, 7, 7, 1, 1, 1, 10, 100]))),
	('model-00002-of-00002.safetensors', import_safetensors('{"embeddings":{"dtype":"F32","shape":[5,1],"data_offsets":[0,20]}}', import_floats(ARRAY[1, 2, 3, 4, 5]))),
	('model.safetensors.index.json', '{"metadata": {}, "weight_map": {"embeddings": "model-00002-of-00002.safetensors", "weights": "model-00001-of-00002.safetensors"}}');
SELECT import_model('import_sharded', files => 'TABLE import_shards');
SELECT id, name, part, element, shape FROM import_sharded ORDER BY id;
SELECT embed('import_sharded', 'cat dog bird');
SELECT count(*) FROM import_shards s FULL JOIN model_files('import_sharded') m USING (name) WHERE s.data IS DISTINCT FROM m.data;
SELECT import_model('import_bad', files => $$SELECT name, data FROM import_shards WHERE name <> 'model-00001-of-00002.safetensors'$$);
SELECT import_model('import_bad', files => $$SELECT name, CASE WHEN name LIKE '%json' AND name LIKE 'model%' THEN
	convert_to(replace(convert_from(data, 'UTF8'), 'model-00002', '../model-00002'), 'UTF8') ELSE data END FROM import_shards$$);
SELECT import_model('import_bad', files => $$SELECT name, CASE WHEN name LIKE '%json' AND name LIKE 'model%' THEN
	convert_to(replace(convert_from(data, 'UTF8'), '"weights"', '"bias"'), 'UTF8') ELSE data END FROM import_shards$$);
DROP TABLE import_shards, import_sharded;

-- ---------- tokens ----------
SELECT import_model('import_tokens', data => (SELECT data FROM import_tokenizer));
SELECT * FROM model_tokens('import_tokens', 'Cat  ünd dog [CLS]!');
SELECT * FROM model_tokens('import_tokens', '');
SELECT count_tokens('import_tokens', 'cat dog'), count_tokens('import_static', 'cat dog'), count_tokens('import_tokens', NULL);
SELECT import_model('import_short', data => (SELECT data FROM import_tokenizer), max_tokens => 3);
SELECT token FROM model_tokens('import_short', 'cat dog bird cat') ORDER BY position;
SELECT count_tokens('import_short', 'cat dog bird cat');
SELECT embed('import_tokens', 'cat');
SELECT import_model('import_tokens', data => (SELECT data FROM import_tokenizer), "precision" => 'int8', replace => true);
SELECT * FROM split_text('Cat dog. Bird cat dog bird.

Dog cat', model => 'import_tokens', max_tokens => 5);
SELECT * FROM split_text('cat dog bird cat', model => 'import_short');
SELECT * FROM split_text('cat dog bird cat', model => 'import_tokens', max_tokens => 4, overlap => 1);
SELECT count(*) FROM split_text('   ', model => 'import_short');
SELECT * FROM split_text('cat', model => 'import_tokens');
SELECT * FROM split_text('cat', model => 'import_tokens', max_tokens => 1);
SELECT * FROM split_text('cat', model => 'import_tokens', max_tokens => 4, overlap => 4);

-- ---------- word vectors are handed over ----------
SELECT import_model('import_words', data => convert_to(E'the 1 2\nof 4 5\n', 'UTF8'));
SELECT embed('import_words', 'the of');
SELECT model_tokens('import_words', 'the');
SELECT export_model('import_words');
SELECT import_model('import_words', data => convert_to(E'the 1 2\n', 'UTF8'), max_tokens => 3, replace => true);

-- ---------- errors: nothing is left behind ----------
CREATE FUNCTION import_outcome(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	EXECUTE command;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', SQLSTATE, SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;
\pset format unaligned
\pset tuples_only on
SELECT import_outcome(format('SELECT import_model(''import_bad'', %s)', a)) FROM unnest(ARRAY[
	'data => NULL',
	'data => ''x'', large_object => 1',
	'data => ''''',
	'data => ''{}''',
	'data => ''{"model":''',
	'files => ''SELECT 1''',
	'files => ''SELECT name, data FROM import_folder WHERE false''',
	'files => ''SELECT ''''../x'''', ''''\x''''::bytea''',
	'files => ''SELECT name, data FROM import_folder, generate_series(1, 2)''',
	'files => ''SELECT name, data FROM import_folder WHERE name <> ''''tokenizer.json''''''',
	'files => ''SELECT name, data FROM import_folder'', max_tokens => 0',
	'files => ''SELECT name, data FROM import_folder'', "precision" => ''float64''',
	'large_object => 1'
]) a;
-- weights that are not what they should be
SELECT import_outcome(format('SELECT import_model(''import_bad'', files => %L)', import_with('model.safetensors', contents))) FROM (VALUES
	(''::bytea),
	(import_safetensors('{"embeddings":{"dtype":"F32","shape":[5,2],"data_offsets":[0,40]}}', import_floats(ARRAY[1, 2]))),
	(import_safetensors('{"embeddings":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}}', import_floats(ARRAY[1, 2]))),
	(import_safetensors('{"embeddings":{"dtype":"F32","shape":[5,1],"data_offsets":[0,20]}}', import_floats('{1,2,NaN,4,5}'))),
	(import_safetensors('{"embeddings":{"dtype":"F32","shape":[10],"data_offsets":[0,40]}}', import_floats(ARRAY[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]))),
	(import_safetensors('{"other":{"dtype":"F32","shape":[5,1],"data_offsets":[0,20]}}', import_floats(ARRAY[1, 2, 3, 4, 5]))),
	(import_safetensors('{"embeddings":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]},"mapping":{"dtype":"I8","shape":[5],"data_offsets":[4,9]}}',
		import_floats(ARRAY[1]) || '\x0000000100'))
) AS v(contents);
SELECT import_outcome($$SELECT import_model('import_bad', files => 'SELECT ''model.safetensors'', data FROM import_folder WHERE name = ''model.safetensors''')$$);
SELECT import_outcome($$SELECT import_model('import_static', files => 'TABLE import_folder')$$);
SELECT import_outcome($$SELECT import_model('import_words', files => 'TABLE import_folder', replace => true)$$);
SELECT import_outcome($$SELECT import_model('pg_temp.import_bad', files => 'TABLE import_folder')$$);
SELECT to_regclass('import_bad');

-- a replacement that fails leaves the old model; one that does not, changes it
SELECT import_outcome(format('SELECT import_model(''import_static'', files => %L, replace => true)', import_with('model.safetensors', '')));
SELECT embed('import_static', 'cat dog');
SELECT import_model('import_static', data => (SELECT data FROM import_tokenizer), replace => true);
SELECT import_outcome($$SELECT embed('import_static', 'cat dog')$$);
SELECT import_model('import_static', files => 'TABLE import_folder', replace => true);
SELECT embed('import_static', 'cat dog');

-- ---------- tables damaged by hand ----------
CREATE FUNCTION import_damage(change text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	BEGIN
		EXECUTE change;
		result := import_outcome($x$SELECT embed('import_static', 'cat')$x$);
		IF result LIKE '%not as it was written%' THEN
			PERFORM embed_refresh('import_static');
			result := result || E'\n  on purpose: ' || import_outcome($x$SELECT embed('import_static', 'cat')$x$);
		END IF;
		RAISE EXCEPTION 'undo';
	EXCEPTION WHEN raise_exception THEN
		NULL;
	END;
	RETURN result;
END $$;
SELECT change, import_damage(change) FROM unnest(ARRAY[
	'DELETE FROM import_static WHERE id > 0',
	'DELETE FROM import_static WHERE name = ''tokenizer.json''',
	'DELETE FROM import_static WHERE name = ''embeddings''',
	'DELETE FROM import_static WHERE element = ''head''',
	'DELETE FROM import_static WHERE id = 0',
	'UPDATE import_static SET part = 2 WHERE name = ''embeddings''',
	'UPDATE import_static SET part = NULL WHERE name = ''embeddings''',
	'UPDATE import_static SET name = ''x'' WHERE name = ''embeddings''',
	'UPDATE import_static SET name = NULL WHERE name = ''embeddings''',
	'UPDATE import_static SET element = ''F16'' WHERE name = ''embeddings''',
	'UPDATE import_static SET element = ''F99'' WHERE name = ''embeddings''',
	'UPDATE import_static SET element = ''I32'' WHERE name = ''embeddings''',
	'UPDATE import_static SET element = ''gap'', shape = ''{40}'' WHERE name = ''embeddings''',
	'UPDATE import_static SET shape = ''{2,5}'' WHERE name = ''embeddings''',
	'UPDATE import_static SET shape = ''{-1,5}'' WHERE name = ''embeddings''',
	'UPDATE import_static SET shape = ''{NULL}'' WHERE name = ''embeddings''',
	'UPDATE import_static SET shape = ''{{5,2}}'' WHERE name = ''embeddings''',
	'UPDATE import_static SET shape = ''{2147483647,2147483647,2147483647}'' WHERE name = ''embeddings''',
	'UPDATE import_static SET shape = NULL WHERE name = ''embeddings''',
	'UPDATE import_static SET data = substring(data FROM 2) WHERE name = ''embeddings''',
	'UPDATE import_static SET data = NULL WHERE name = ''embeddings''',
	'UPDATE import_static SET data = decode(repeat(''ff'', 40), ''hex'') WHERE name = ''embeddings''',
	'UPDATE import_static SET data = ''{}'', shape = ''{2}'' WHERE name = ''tokenizer.json''',
	'UPDATE import_static SET data = ''{"normalize": 1}'', shape = ''{16}'' WHERE name = ''config.json''',
	'UPDATE import_static SET data = ''12345678'', shape = ''{8}'' WHERE element = ''head''',
	'UPDATE import_static SET data = overlay(data PLACING substring(data FROM 9 FOR 4) || substring(data FROM 5 FOR 4) FROM 5) WHERE name = ''embeddings''',
	'INSERT INTO import_static VALUES (100, ''README.md'', 1, ''file'', ''{2}'', ''hi'')',
	'DELETE FROM import_static WHERE name = ''config.json''',
	'UPDATE import_static SET data = substring(data FOR 32) WHERE id = 0',
	'UPDATE import_static SET data = substring(data FOR 33) WHERE id = 0',
	'UPDATE import_static SET data = NULL WHERE id = 0',
	'UPDATE import_static SET id = -id WHERE name = ''embeddings''',
	'UPDATE import_static SET id = 1000 - id WHERE id > 0',
	'INSERT INTO import_static SELECT id + 100, name, part, element, shape, data FROM import_static WHERE name = ''embeddings''',
	'INSERT INTO import_static SELECT id + 100, name, part, element, shape, data FROM import_static WHERE id > 0'
]) change;
SELECT embed('import_static', 'cat');
-- a table of another storage and order is the same model
CREATE TABLE import_copy AS SELECT * FROM import_static ORDER BY id DESC;
ALTER TABLE import_copy ALTER data SET STORAGE EXTENDED;
SELECT register_model('import_copy', 'static');
SELECT embed('import_copy', 'cat dog') = embed('import_static', 'cat dog');
\pset format aligned
\pset tuples_only off

-- ---------- rights ----------
CREATE ROLE import_reader;
GRANT SELECT ON import_static TO import_reader;
SET ROLE import_reader;
SELECT embed('import_static', 'cat');
SELECT count(*) FROM model_files('import_static');
SELECT embed('import_embedding', 'cat');
SELECT model_files('import_embedding');
SELECT count_tokens('import_tokens', 'cat');
SELECT import_model('import_mine', directory => '/tmp');
SELECT import_model('import_mine', file => '/etc/passwd');
SELECT import_model('import_static', data => 'x', replace => true);
RESET ROLE;
REVOKE ALL ON import_static FROM import_reader;
DROP ROLE import_reader;

SET client_min_messages = warning;
DROP TABLE import_static, import_again, import_weighted, import_embedding, import_bare, import_tokens, import_short, import_words,
	import_copy, import_folder, import_modules, import_objects, import_tokenizer;
DROP FUNCTION import_precision, import_reversed, import_floats, import_safetensors, import_with, import_outcome, import_damage;
