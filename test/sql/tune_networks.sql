-- Would fail if a tuned static model or transformer were no complete folder, if
-- other rows or weights than those tuned had changed, or if the layer were not
-- what the vectors are multiplied by.
SET embed.progress = off;
SET extra_float_digits = 0;

CREATE FUNCTION net_reversed(b bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS
	$$SELECT string_agg(substring(b FROM i FOR 1), ''::bytea ORDER BY i DESC) FROM generate_series(1, length(b)) i$$;
CREATE FUNCTION net_floats(seed integer, count integer, base real) RETURNS bytea LANGUAGE sql IMMUTABLE AS
	$$SELECT string_agg(net_reversed(float4send((base + ((i * 37 + seed * 101) % 64 - 31.5) / 64)::real)), ''::bytea ORDER BY i) FROM generate_series(0, count - 1) i$$;
CREATE FUNCTION net_safetensors(head text, data bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS
	$$SELECT net_reversed(int8send(octet_length(head))) || convert_to(head, 'UTF8') || data$$;

-- ---------- a static model: rows of 16 bits, weights of tokens ----------
CREATE TABLE net_static_folder (name text, data bytea);
INSERT INTO net_static_folder SELECT 'tokenizer.json', convert_to(json_build_object('version', '1.0', 'added_tokens', '[]'::json, 'normalizer', NULL,
	'pre_tokenizer', json_build_object('type', 'Whitespace'), 'post_processor', NULL, 'decoder', NULL, 'model',
	json_build_object('type', 'WordLevel', 'unk_token', '[UNK]', 'vocab', (SELECT json_object_agg(CASE n WHEN 0 THEN '[UNK]' ELSE 'w' || n END, n) FROM generate_series(0, 19) n)))::text, 'UTF8');
INSERT INTO net_static_folder VALUES
	('config.json', '{"model_type": "model2vec", "normalize": true}'),
	('model.safetensors', net_safetensors('{"__metadata__":{"format":"pt"},"embeddings":{"dtype":"BF16","shape":[20,4],"data_offsets":[0,160]},"weights":{"dtype":"F32","shape":[20],"data_offsets":[160,240]}}',
		(SELECT string_agg(substring(net_floats(n, 4, 0) FROM 4 * d + 3 FOR 2), ''::bytea ORDER BY n, d) FROM generate_series(0, 19) n, generate_series(0, 3) d) ||
		net_floats(5, 20, 2)));
SELECT import_model('net_static', files => 'TABLE net_static_folder');
CREATE TABLE net_pairs AS SELECT format('w%s w%s', n, n % 9 + 1) AS anchor, format('w%s w%s', n % 9 + 2, n + 1) AS positive FROM generate_series(1, 12) n;
SELECT tune_model('net_static_rows', 'net_static', 'TABLE net_pairs', epochs => 3, learning_rate => 0.02, held_out => 0, seed => 1);
SELECT id, name, element, shape, length(data), data = (SELECT data FROM net_static b WHERE (b.name, b.element) = (r.name, r.element)) AS same FROM net_static_rows r WHERE id > 0 ORDER BY id;
SELECT method, dims, options FROM embed_models() WHERE model = 'net_static_rows'::regclass;
SELECT embed('net_static', 'w19') = embed('net_static_rows', 'w19') AS untouched, embed('net_static', 'w2') = embed('net_static_rows', 'w2') AS touched,
	round(vector_norm(embed('net_static_rows', 'w2 w3'))::numeric, 5) AS normalized, embed('net_static_rows', 'nobody') IS NULL AS unknown;
-- it is its folder
SELECT import_model('net_again', files => $$SELECT * FROM model_files('net_static_rows')$$);
SELECT embed('net_again', 'w2 w3') = embed('net_static_rows', 'w2 w3') AS same;
-- and can be tuned again
SELECT tune_model('net_again', 'net_static_rows', 'TABLE net_pairs', method => 'layer', rank => 2, held_out => 0, seed => 1, replace => true);
SELECT count(*) FROM tuning_history('net_again');
SELECT tune_model('net_again', 'net_static', 'TABLE net_pairs', method => 'continue', replace => true);

-- ---------- a transformer: a layer more ----------
CREATE TABLE net_tensors (number serial, name text, shape integer[], base real DEFAULT 0);
INSERT INTO net_tensors (name, shape, base) VALUES
	('embeddings.word_embeddings.weight', '{9,8}', 0), ('embeddings.position_embeddings.weight', '{16,8}', 0),
	('embeddings.token_type_embeddings.weight', '{2,8}', 0), ('embeddings.LayerNorm.weight', '{8}', 1), ('embeddings.LayerNorm.bias', '{8}', 0);
INSERT INTO net_tensors (name, shape, base)
	SELECT format('encoder.layer.%s.%s', layer, name), shape, base
	FROM generate_series(0, 1) layer, (VALUES
		(1, 'attention.self.query.weight', '{8,8}'::integer[], 0), (2, 'attention.self.query.bias', '{8}', 0),
		(3, 'attention.self.key.weight', '{8,8}', 0), (4, 'attention.self.key.bias', '{8}', 0),
		(5, 'attention.self.value.weight', '{8,8}', 0), (6, 'attention.self.value.bias', '{8}', 0),
		(7, 'attention.output.dense.weight', '{8,8}', 0), (8, 'attention.output.dense.bias', '{8}', 0),
		(9, 'attention.output.LayerNorm.weight', '{8}', 1), (10, 'attention.output.LayerNorm.bias', '{8}', 0),
		(11, 'intermediate.dense.weight', '{12,8}', 0), (12, 'intermediate.dense.bias', '{12}', 0),
		(13, 'output.dense.weight', '{8,12}', 0), (14, 'output.dense.bias', '{8}', 0),
		(15, 'output.LayerNorm.weight', '{8}', 1), (16, 'output.LayerNorm.bias', '{8}', 0)) AS part(place, name, shape, base)
	ORDER BY layer, place;
CREATE TABLE net_folder (name text PRIMARY KEY, data bytea);
INSERT INTO net_folder WITH placed AS (SELECT *, 4 * sum(shape[1] * coalesce(shape[2], 1)) OVER (ORDER BY number) AS ends FROM net_tensors)
	SELECT 'model.safetensors', net_safetensors((SELECT json_object_agg(name, json_build_object('dtype', 'F32', 'shape', shape,
			'data_offsets', ARRAY[ends - 4 * shape[1] * coalesce(shape[2], 1), ends]))::text FROM placed),
		(SELECT string_agg(net_floats(number, shape[1] * coalesce(shape[2], 1), base), ''::bytea ORDER BY number) FROM placed));
INSERT INTO net_folder VALUES
	('config.json', '{"architectures": ["BertModel"], "model_type": "bert", "hidden_size": 8, "num_hidden_layers": 2,
		"num_attention_heads": 2, "intermediate_size": 12, "hidden_act": "gelu", "layer_norm_eps": 1e-12,
		"max_position_embeddings": 16, "type_vocab_size": 2, "vocab_size": 9, "pad_token_id": 0}'),
	('vocab.txt', E'[PAD]\n[UNK]\n[CLS]\n[SEP]\ncat\ndog\n##s\n.\nbird\n'),
	('modules.json', '[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
		{"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
		{"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}]'),
	('1_Pooling/config.json', '{"word_embedding_dimension": 8, "pooling_mode_mean_tokens": true}');
SELECT import_model('net_bert', files => 'TABLE net_folder');
CREATE TABLE net_texts AS SELECT a AS anchor, b AS positive FROM (VALUES ('cat', 'cats'), ('dog', 'dogs'), ('bird', 'birds'), ('cat dog', 'dogs cats'), ('bird.', 'birds .'), ('cat bird', 'birds cats')) v(a, b);
SELECT tune_model('net_bert_layer', 'net_bert', 'TABLE net_texts', method => 'layer', epochs => 20, learning_rate => 0.01, rank => 4, held_out => 0, seed => 1);
SELECT name, convert_from(data, 'UTF8') FROM model_files('net_bert_layer') WHERE name IN ('modules.json', '3_Dense/config.json') ORDER BY name;
SELECT name, element, shape FROM net_bert_layer WHERE name LIKE '3_Dense%' OR name = 'linear.weight' ORDER BY id;
SELECT count(*) AS as_they_were FROM net_folder f JOIN model_files('net_bert_layer') m USING (name, data);
SELECT (SELECT loss FROM tuning_history('net_bert_layer') WHERE epoch = 1) > (SELECT loss FROM tuning_history('net_bert_layer') WHERE epoch = 20) AS learns,
	round(vector_norm(embed('net_bert_layer', 'cat dogs'))::numeric, 5) AS normalized, embed('net_bert_layer', 'cat dogs') <> embed('net_bert', 'cat dogs') AS moved;
-- at the start it is nothing at all
SELECT tune_model('net_bert_none', 'net_bert', 'TABLE net_texts', method => 'layer', learning_rate => 1e-12, rank => 4, held_out => 0, seed => 1);
SELECT max(l2_distance(embed('net_bert_none', anchor), embed('net_bert', anchor))) < 1e-6 AS as_before FROM net_texts;
-- a folder without modules gets them
DELETE FROM net_folder WHERE name IN ('modules.json', '1_Pooling/config.json');
SELECT import_model('net_bare', files => 'TABLE net_folder');
SELECT tune_model('net_bare_layer', 'net_bare', 'TABLE net_texts', method => 'layer', learning_rate => 1e-12, held_out => 0, seed => 1);
SELECT name FROM model_files('net_bare_layer') ORDER BY name COLLATE "C";
SELECT max(l2_distance(embed('net_bare_layer', anchor), embed('net_bare', anchor))) < 1e-5 AS as_before FROM net_texts;
-- a layer on a layer
SELECT tune_model('net_bare_two', 'net_bare_layer', 'TABLE net_texts', method => 'layer', held_out => 0, seed => 1);
SELECT count(*) AS layers FROM model_files('net_bare_two') WHERE name LIKE '%_Dense/config.json';
SELECT tune_model('net_none', 'net_bert', 'TABLE net_texts', method => 'rows');

-- ---------- a transformer: its own weights ----------
-- changes of low rank are part of the queries' and values' weights, nothing else has moved
SELECT tune_model('net_low', 'net_bert', 'TABLE net_texts', epochs => 20, learning_rate => 0.01, rank => 2, held_out => 0, seed => 1);
SELECT a.name, a.element FROM net_low a JOIN net_bert b USING (id) WHERE a.data <> b.data AND id > 0 ORDER BY id;
SELECT count(*) = (SELECT count(*) FROM net_bert WHERE element <> 'head') AS all_there, bool_and((a.name, a.part, a.element, a.shape) IS NOT DISTINCT FROM (b.name, b.part, b.element, b.shape)) AS alike
FROM net_low a JOIN net_bert b USING (id) WHERE a.element <> 'head';
SELECT (SELECT loss FROM tuning_history('net_low') WHERE epoch = 1) > (SELECT loss FROM tuning_history('net_low') WHERE epoch = 20) AS learns,
	embed('net_low', 'cat dogs') <> embed('net_bert', 'cat dogs') AS moved, round(vector_norm(embed('net_low', 'cat dogs'))::numeric, 5) AS normalized;
SELECT tune_model('net_low_two', 'net_bert', 'TABLE net_texts', method => 'low_rank', epochs => 20, learning_rate => 0.01, rank => 2, held_out => 0, seed => 1);
SELECT count(*) AS differ FROM net_low a JOIN net_low_two b USING (id) WHERE a.data <> b.data;
SELECT tune_model('net_low_two', 'net_bert', 'TABLE net_texts', method => 'low_rank', targets => '{out,down}', held_out => 0, seed => 1, replace => true);
SELECT a.name FROM net_low_two a JOIN net_bert b USING (id) WHERE a.data <> b.data AND id > 0 ORDER BY id;
-- at the start it is nothing at all
SELECT tune_model('net_low_two', 'net_bert', 'TABLE net_texts', method => 'low_rank', learning_rate => 1e-12, held_out => 0, seed => 1, replace => true);
SELECT max(l2_distance(embed('net_low_two', anchor), embed('net_bert', anchor))) < 1e-5 AS as_before FROM net_texts;
-- all weights
SELECT tune_model('net_full', 'net_bert', 'TABLE net_texts', method => 'full', epochs => 10, learning_rate => 0.001, held_out => 0, seed => 1);
SELECT count(*) AS weights, count(*) FILTER (WHERE a.data <> b.data) AS moved FROM net_full a JOIN net_bert b USING (id) WHERE a.element = 'F32';
SELECT (SELECT loss FROM tuning_history('net_full') WHERE epoch = 1) > (SELECT loss FROM tuning_history('net_full') WHERE epoch = 10) AS learns;
SELECT import_model('net_full_again', files => $$SELECT * FROM model_files('net_full')$$);
SELECT embed('net_full_again', 'cat dogs') = embed('net_full', 'cat dogs') AS same;
-- the best epoch; other examples; dropout; fewer tokens; a batch in pieces
SELECT tune_model('net_full', 'net_bert', 'TABLE net_texts', method => 'full', epochs => 5, learning_rate => 0.001, held_out => 0.3, patience => 1, seed => 1, replace => true) IS NOT NULL AS patient;
SELECT tune_model('net_full', 'net_bert', 'SELECT anchor AS text, length(anchor) % 2 AS label FROM net_texts', held_out => 0, max_length => 4, seed => 1, replace => true);
SELECT tune_model('net_full', 'net_bert', 'SELECT anchor AS text FROM net_texts', epochs => 2, held_out => 0, seed => 1, replace => true);
SELECT min(loss) > 0 AS dropped FROM tuning_history('net_full');
-- embeddings that stay
SELECT tune_model('net_full', 'net_bert', 'TABLE net_texts', method => 'full', epochs => 3, learning_rate => 0.001, frozen_embeddings => true, held_out => 0, seed => 1, replace => true);
SELECT count(*) FILTER (WHERE a.data <> b.data) > 0 AS moved, count(*) FILTER (WHERE a.data <> b.data AND a.name LIKE 'embeddings.%') AS of_embeddings FROM net_full a JOIN net_bert b USING (id) WHERE a.element = 'F32';
SELECT tune_model('net_none', 'net_bert', 'TABLE net_texts', method => 'low_rank', frozen_embeddings => true);

-- ---------- several processes ----------
-- two find what one finds, but for roundings; and the same again
CREATE TABLE net_many AS SELECT t.anchor, t.positive FROM net_texts t, generate_series(1, 4);
SELECT tune_model('net_one', 'net_bert', 'TABLE net_many', method => 'low_rank', epochs => 4, batch => 8, learning_rate => 0.005, rank => 2, held_out => 0, seed => 1);
SELECT tune_model('net_two', 'net_bert', 'TABLE net_many', method => 'low_rank', epochs => 4, batch => 8, learning_rate => 0.005, rank => 2, held_out => 0, seed => 1, workers => 2);
SELECT max(l2_distance(embed('net_one', anchor), embed('net_two', anchor))) < 1e-4 AS alike, max(l2_distance(embed('net_one', anchor), embed('net_bert', anchor))) > 1e-3 AS moved FROM net_texts;
SELECT tune_model('net_one', 'net_bert', 'TABLE net_many', method => 'full', epochs => 4, batch => 8, learning_rate => 0.005, held_out => 0, seed => 1, replace => true);
SELECT tune_model('net_two', 'net_bert', 'TABLE net_many', method => 'full', epochs => 4, batch => 8, learning_rate => 0.005, held_out => 0, seed => 1, workers => 2, replace => true);
SELECT max(l2_distance(embed('net_one', anchor), embed('net_two', anchor))) < 1e-4 AS alike, max(l2_distance(embed('net_one', anchor), embed('net_bert', anchor))) > 1e-3 AS moved FROM net_texts;
SELECT tune_model('net_again', 'net_bert', 'TABLE net_many', method => 'full', epochs => 4, batch => 8, learning_rate => 0.005, held_out => 0, seed => 1, workers => 2, replace => true);
SELECT count(*) AS differ FROM net_two a JOIN net_again b USING (id) WHERE a.data <> b.data;
-- dropout, the best epoch, more processes than one may get
SELECT tune_model('net_two', 'net_bert', 'TABLE net_many', method => 'full', dropout => 0.2, held_out => 0.3, patience => 1, epochs => 2, seed => 1, workers => 3, replace => true) IS NOT NULL AS dropped;

-- what goes wrong with several ends all of them, and leaves nothing
SET statement_timeout = '1s';
SELECT tune_model('net_none', 'net_bert', 'TABLE net_many', method => 'full', epochs => 100000, batch => 8, held_out => 0, seed => 1, workers => 2);
RESET statement_timeout;
\set VERBOSITY sqlstate
SELECT tune_model('net_none', 'net_bert', 'TABLE net_many', method => 'full', epochs => 50, batch => 8, learning_rate => 1e6, held_out => 0, seed => 1, workers => 2, warmup => 0);
\set VERBOSITY default
SELECT to_regclass('net_none') IS NULL AS nothing_left, (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'parallel worker') AS workers_left;
SELECT tune_model('net_none', 'net_bert', 'TABLE net_many', method => 'rows', workers => 2);
SELECT tune_model('net_none', 'net_bert', 'TABLE net_many', method => 'layer', workers => 2);

-- ---------- changes of low rank as files ----------
SELECT name, length(data) > 0 AS has FROM export_adapter('net_low') ORDER BY name;
SELECT convert_from(data, 'UTF8') FROM export_adapter('net_low') WHERE name LIKE '%.json';
SELECT import_adapter('net_added', 'net_bert', $$SELECT * FROM export_adapter('net_low')$$);
SELECT max(l2_distance(embed('net_added', anchor), embed('net_low', anchor))) < 1e-5 AS alike, max(l2_distance(embed('net_added', anchor), embed('net_bert', anchor))) > 1e-3 AS added FROM net_texts;
SELECT count(*) AS same FROM export_adapter('net_added') a JOIN export_adapter('net_low') b USING (name, data);
-- weights that moved again have no adapter of their base
SELECT tune_model('net_added', 'net_low', 'TABLE net_texts', method => 'full', held_out => 0, seed => 1, replace => true);
SELECT * FROM export_adapter('net_added');
SELECT * FROM export_adapter('net_static');
SELECT import_adapter('net_none', 'net_static', $$SELECT * FROM export_adapter('net_low')$$);
SELECT import_adapter('net_none', 'net_bert', $$SELECT * FROM export_adapter('net_low') WHERE name LIKE '%.json'$$);
CREATE FUNCTION net_adapter(config text) RETURNS regclass LANGUAGE sql AS
	$$SELECT import_adapter('net_none', 'net_bert', format($q$SELECT name, CASE WHEN name LIKE '%%.json' THEN convert_to((convert_from(data, 'UTF8')::jsonb || %L::jsonb)::text, 'UTF8') ELSE data END FROM export_adapter('net_low')$q$, config))$$;
SELECT net_adapter('{"use_dora": true}');
SELECT net_adapter('{"peft_type": "IA3"}');
SELECT net_adapter('{"bias": "all"}');
SELECT net_adapter('{"modules_to_save": ["pooler"]}');
SELECT net_adapter('{"init_lora_weights": "pissa"}');
SELECT net_adapter('{"lora_alpha": null}');
SELECT import_adapter('net_none', 'net_bert', $$SELECT name, CASE WHEN name LIKE '%.json' THEN data ELSE substr(data, 1, 100) END FROM export_adapter('net_low')$$);
SELECT import_adapter('net_none', 'net_bert', $$SELECT name, CASE WHEN name LIKE '%.json' THEN data ELSE (SELECT data FROM model_files('net_bert') WHERE name LIKE '%.safetensors') END FROM export_adapter('net_low')$$);
SELECT import_adapter('net_none', 'net_bert', $$SELECT name, CASE WHEN name LIKE '%.json' THEN data ELSE decode(replace(encode(data, 'hex'), encode('layer.1'::bytea, 'hex'), encode('layer.7'::bytea, 'hex')), 'hex') END FROM export_adapter('net_low')$$);

-- what cannot be
SELECT tune_model('net_none', 'net_bert', 'TABLE net_texts', method => 'low_rank', targets => '{query,nothing}');
SELECT tune_model('net_none', 'net_bert', 'TABLE net_texts', method => 'low_rank', rank => NULL);
SELECT tune_model('net_none', 'net_bare_layer', 'TABLE net_texts', method => 'low_rank');

DROP FUNCTION net_safetensors, net_floats, net_reversed;
DROP FUNCTION net_adapter;
DROP TABLE net_many, net_one, net_two, net_added, net_static, net_static_rows, net_again, net_bert, net_bert_layer, net_bert_none, net_bare, net_bare_layer, net_bare_two, net_low, net_low_two, net_full, net_full_again, net_static_folder, net_folder, net_tensors, net_pairs, net_texts;
