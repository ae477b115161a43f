-- Would fail if a transformer made by hand had other vectors than transformers
-- and sentence-transformers give it, if one that cannot be computed were taken,
-- or if a damaged table were used.
SET embed.progress = off;
SET extra_float_digits = 0;

-- ---------- a tiny BERT, made here ----------
CREATE FUNCTION tiny_reversed(b bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS
	$$SELECT string_agg(substring(b FROM i FOR 1), ''::bytea ORDER BY i DESC) FROM generate_series(1, length(b)) i$$;
-- exact in float16 too: odd multiples of 1/128
CREATE FUNCTION tiny_floats(seed integer, count integer, base real) RETURNS bytea LANGUAGE sql IMMUTABLE AS
	$$SELECT string_agg(tiny_reversed(float4send((base + ((i * 37 + seed * 101) % 64 - 31.5) / 64)::real)), ''::bytea ORDER BY i) FROM generate_series(0, count - 1) i$$;
CREATE TABLE tiny_tensors (number serial, name text, shape integer[], base real DEFAULT 0);
INSERT INTO tiny_tensors (name, shape, base) VALUES
	('embeddings.word_embeddings.weight', '{9,8}', 0),
	('embeddings.position_embeddings.weight', '{16,8}', 0),
	('embeddings.token_type_embeddings.weight', '{2,8}', 0),
	('embeddings.LayerNorm.weight', '{8}', 1),
	('embeddings.LayerNorm.bias', '{8}', 0);
INSERT INTO tiny_tensors (name, shape, base)
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
CREATE FUNCTION tiny_size(shape integer[]) RETURNS integer LANGUAGE sql IMMUTABLE AS
	$$SELECT shape[1] * coalesce(shape[2], 1)$$;
CREATE FUNCTION tiny_safetensors() RETURNS bytea LANGUAGE sql STABLE AS $$
	WITH placed AS (
		SELECT *, 4 * sum(tiny_size(shape)) OVER (ORDER BY number) AS ends FROM tiny_tensors),
	head AS (
		SELECT json_object_agg(name, json_build_object('dtype', 'F32', 'shape', shape,
			'data_offsets', ARRAY[ends - 4 * tiny_size(shape), ends]))::text AS head FROM placed)
	SELECT tiny_reversed(int8send(octet_length(head))) || convert_to(head, 'UTF8') ||
		(SELECT string_agg(tiny_floats(number, tiny_size(shape), base), ''::bytea ORDER BY number) FROM placed)
	FROM head$$;
CREATE TABLE tiny_folder (name text PRIMARY KEY, data bytea);
INSERT INTO tiny_folder VALUES
	('config.json', '{"architectures": ["BertModel"], "model_type": "bert", "hidden_size": 8, "num_hidden_layers": 2,
		"num_attention_heads": 2, "intermediate_size": 12, "hidden_act": "gelu", "layer_norm_eps": 1e-12,
		"max_position_embeddings": 16, "type_vocab_size": 2, "vocab_size": 9, "pad_token_id": 0}'),
	('vocab.txt', E'[PAD]\n[UNK]\n[CLS]\n[SEP]\ncat\ndog\n##s\n.\n\u4e2d\n'),
	('model.safetensors', tiny_safetensors()),
	('modules.json', '[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
		{"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]'),
	('1_Pooling/config.json', '{"word_embedding_dimension": 8, "pooling_mode_mean_tokens": true}'),
	('sentence_bert_config.json', '{"max_seq_length": 12, "do_lower_case": false}'),
	('config_sentence_transformers.json', '{"prompts": {"query": "dog. ", "document": ""}, "default_prompt_name": null}');
SELECT import_model('tiny', files => 'TABLE tiny_folder');
SELECT method, dims, options FROM embed_models() WHERE model = 'tiny'::regclass;

-- ---------- vectors ----------
-- expected: sentence-transformers 6.2 and transformers 5.24 on the same files
CREATE FUNCTION tiny_near(v vector, expected real[], tolerance real DEFAULT 2e-5) RETURNS boolean LANGUAGE sql IMMUTABLE AS
	$$SELECT bool_and(abs((v::real[])[i] - expected[i]) <= tolerance) FROM generate_subscripts(expected, 1) i$$;
SELECT left(input, 10) AS input, tiny_near(embed('tiny', input), expected)
	FROM (VALUES ('cat dogs.', '{1.85482,0.73057,0.08044,0.30007}'::real[]), ('', '{2.4895,0.211,0.77616,0.56367}'),
		('zebra', '{2.35803,0.16117,0.25175,0.25526}'), ('zebra 象 yak', '{0.13436,0.81226,-1.49022,0.66061}'),
		('zebra cat', '{0.30134,0.78916,-1.23306,0.59317}'), (repeat('cat ', 30), '{-1.25143,0.9598,-2.45,0.55051}')) AS v(input, expected);
SELECT tiny_near(embed('tiny', 'cat', prompt => 'query'), '{1.16822,0.68062,-1.14334,0.60931}');
SELECT embed('tiny', 'cat', prompt => 'query') = embed('tiny', 'dog. cat') AS put_before, embed('tiny', 'cat', prompt => 'document') = embed('tiny', 'cat') AS empty;
SELECT pooling, tiny_near(embed('tiny', 'cat dogs.', pooling => pooling), expected)
	FROM (VALUES ('mean', '{1.85482,0.73057,0.08044,0.30007}'::real[]), ('cls', '{1.97395,0.99251,0.50146,0.78286}'), ('max', '{2.57281,2.14789,0.93214,0.78286}'),
		('lasttoken', '{2.24186,-1.17273,-0.60032,-0.83984}'), ('mean_sqrt_len_tokens', '{4.54336,1.78952,0.19703,0.73502}'),
		('weightedmean', '{1.87708,0.45939,-0.10956,0.10093}')) AS v(pooling, expected);
-- a text's vector is the same bits whatever is beside it
CREATE TABLE tiny_texts AS SELECT i AS id, repeat('cat dogs. ', i % 5) || (ARRAY['dog', 'zebra', '中 cat', '.'])[i % 4 + 1] AS body FROM generate_series(1, 700) i;
SELECT count(*), count(*) FILTER (WHERE embed('tiny', body) = together) AS equal FROM tiny_texts
	JOIN unnest(embed_array('tiny', (SELECT array_agg(body ORDER BY id) FROM tiny_texts))) WITH ORDINALITY AS v(together, place) ON place = id;
SELECT embed('tiny', NULL) IS NULL AS no_text, embed(NULL, 'cat') IS NULL AS no_model, embed_array('tiny', ARRAY[]::text[]), embed_array('tiny', ARRAY[NULL, NULL]::text[]);
-- a question is encoded once for a whole scan
SELECT computed FROM embed_call_statistics() \gset
SELECT count(*) FROM (SELECT id FROM tiny_texts ORDER BY embed('tiny', 'cat dog') <=> '[1,2,3,4,5,6,7,8]', id) AS s;
SELECT computed - :computed AS encoded FROM embed_call_statistics();

-- ---------- what else a folder may say of its tokenizer ----------
-- an option of the class of tokenizers counts more than tokenizer.json, as
-- transformers has it; a class that is none of BERT's changes nothing
CREATE FUNCTION tiny_json(normalizer text, truncation text DEFAULT 'null') RETURNS bytea LANGUAGE sql IMMUTABLE AS $$SELECT convert_to(format(
	'{"version": "1.0", "added_tokens": [], "truncation": %s, "normalizer": {"type": "BertNormalizer", %s}, "pre_tokenizer": {"type": "BertPreTokenizer"},
	"post_processor": {"type": "BertProcessing", "cls": ["[CLS]", 2], "sep": ["[SEP]", 3]},
	"model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
		"vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "cat": 4, "dog": 5, "##s": 6, ".": 7, "\u4e2d": 8}}}', truncation, normalizer), 'UTF8')$$;
CREATE TABLE tiny_said (number serial, about text, tokenizer bytea, config text);
INSERT INTO tiny_said (about, tokenizer, config)
	SELECT about, tiny_json(coalesce(normalizer, '"clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true'), coalesce(truncation, 'null')), config
	FROM (VALUES ('nothing said', NULL, NULL, '{}'), ('cased', NULL, NULL, '{"do_lower_case": false}'),
	('cased, named', NULL, NULL, '{"do_lower_case": false, "tokenizer_class": "BertTokenizer"}'),
	('another class', NULL, NULL, '{"do_lower_case": false, "tokenizer_class": "PreTrainedTokenizerFast"}'),
	('uncased', '"clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": false', NULL, '{"do_lower_case": true}'),
	('the class is', '"clean_text": true, "handle_chinese_chars": false, "strip_accents": false, "lowercase": false', NULL, '{"tokenizer_class": "DistilBertTokenizerFast"}'),
	('accents', NULL, NULL, '{"strip_accents": false}'), ('chinese', NULL, NULL, '{"tokenize_chinese_chars": false}'),
	('left', NULL, NULL, '{"truncation_side": "left"}'),
	('left of tokenizer.json', NULL, '{"direction": "Left", "max_length": 5, "strategy": "LongestFirst", "stride": 0}', '{}'),
	('right all the same', NULL, '{"direction": "Left", "max_length": 5, "strategy": "LongestFirst", "stride": 0}', '{"truncation_side": "right"}'))
	AS v(about, normalizer, truncation, config);
CREATE FUNCTION tiny_tokens(said integer, input text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM import_model('tiny_class', replace => to_regclass('tiny_class') IS NOT NULL, files => format(
		'SELECT name, data FROM tiny_folder WHERE name <> ''vocab.txt'' UNION ALL SELECT ''tokenizer.json'', tokenizer FROM tiny_said WHERE number = %s
		UNION ALL SELECT ''tokenizer_config.json'', convert_to(config, ''UTF8'') FROM tiny_said WHERE number = %s', said, said));
	RETURN (SELECT string_agg(token, ' ' ORDER BY position) FROM model_tokens('tiny_class', input));
END $$;
SET client_min_messages = warning;
SELECT about, tiny_tokens(number, 'CAT dögs a中') AS tokens, tiny_tokens(number, repeat('dog ', 15) || 'cat') AS cut FROM tiny_said ORDER BY number;
SELECT tiny_tokens(9, '');
SELECT embed('tiny_class', repeat('dog ', 15) || 'cat') = embed('tiny_class', repeat('dog ', 9) || 'cat') AS cut_left;
-- the static twin reads as its teacher does
SELECT tiny_tokens(2, '');
SELECT distill_model('tiny_twin', 'tiny_class', dims => NULL);
SELECT embed('tiny_twin', 'Cat') IS NULL AS cased, embed('tiny_twin', 'cat') IS NOT NULL AS known;
-- what is listed there and not in tokenizer.json; an unknown side
INSERT INTO tiny_said (about, tokenizer, config) SELECT about, tokenizer, unnest(ARRAY['{"added_tokens_decoder": {"4": {"content": "cat"}, "9": {"content": "<new>"}}}', '{"truncation_side": "both"}']) FROM tiny_said WHERE number = 1;
SELECT tiny_tokens(12, '');
SELECT tiny_tokens(13, '');
RESET client_min_messages;
-- an adapter would change the weights
SELECT import_model('tiny_bad', files => $$TABLE tiny_folder UNION ALL SELECT 'adapter_config.json', '{"peft_type": "LORA"}'$$);
-- what every configuration may have, and older versions wrote
SELECT import_model('tiny_class', replace => true, files => $$SELECT name, CASE name WHEN 'config.json' THEN convert_to(rtrim(convert_from(data, 'UTF8'), '}') ||
	', "tokenizer_class": "BertTokenizer", "_num_labels": 2, "do_sample": false, "max_length": 20, "task_specific_params": {"a": {"max_length": 3}}}', 'UTF8') ELSE data END FROM tiny_folder$$);
SELECT embed('tiny_class', 'cat') = embed('tiny', 'cat') AS same;
SELECT import_model('tiny_bad', files => $$SELECT name, CASE name WHEN 'config.json' THEN convert_to(replace(convert_from(data, 'UTF8'), '"num_attention_heads": 2,', ''), 'UTF8') ELSE data END FROM tiny_folder$$);
DROP TABLE tiny_class, tiny_twin, tiny_said;

-- ---------- tokens and words ----------
SELECT layer, position, token, tiny_near(embedding, expected)
	FROM (VALUES (0, 1, '{0.71989,-0.28552,0.93566}'::real[]), (0, 2, '{0.48284,-0.5784,0.51637}'), (0, 3, '{0.9266,0.092,1.15079}'),
		(0, 4, '{-0.54569,2.05716,0.07555}'), (0, 5, '{1.76962,-1.36242,0.10937}'), (0, 6, '{0.51438,-0.78579,0.87576}'),
		(1, 1, '{1.54002,-0.22416,0.12228}'), (1, 2, '{1.29313,-0.2194,-0.11405}'), (1, 3, '{2.03278,-0.2673,0.3151}'),
		(1, 4, '{-0.52648,1.13683,-1.20623}'), (1, 5, '{1.6467,-0.46928,-0.31291}'), (1, 6, '{0.65204,-0.85818,-0.56308}'),
		(2, 1, '{1.97395,0.99251,0.50146}'), (2, 2, '{1.94668,1.06558,0.50421}'), (2, 3, '{2.33839,0.89125,0.93214}'),
		(2, 4, '{0.05523,2.14789,-1.26913}'), (2, 5, '{2.57281,0.45891,0.41427}'), (2, 6, '{2.24186,-1.17273,-0.60032}')) AS v(layer, place, expected),
	LATERAL embed_tokens('tiny', 'cat dogs.', layer => layer) WHERE position = place ORDER BY 1, 2;
SELECT count(*) FROM embed_tokens('tiny', 'cat dogs.', layer => 2) a JOIN embed_tokens('tiny', 'cat dogs.', unit => 'piece') b USING (position, token, embedding);
-- a word's vector is the mean of its pieces'
SELECT position, token, tiny_near(embedding, expected)
	FROM (VALUES (1, '{1.94668,1.06558,0.50421}'::real[]), (2, '{1.19681,1.51957,-0.1685}'), (3, '{2.57281,0.45891,0.41427}')) AS v(position, expected)
	FULL JOIN embed_tokens('tiny', 'cat dogs.', unit => 'word') USING (position) ORDER BY 1;
SELECT string_agg(token, '|') FROM embed_tokens('tiny', '  cat..dogs  中中zebra ', unit => 'word');
SELECT * FROM embed_tokens('tiny', NULL);
SELECT * FROM embed_tokens('tiny', '', unit => 'word');
SELECT * FROM embed_tokens('tiny', 'cat', unit => 'letter');
SELECT * FROM embed_tokens('tiny', 'cat', layer => 3);
SELECT * FROM embed_tokens('tiny', 'cat', layer => -1);
SELECT embed('tiny', 'cat', pooling => 'median');
SELECT embed('tiny', 'cat', prompt => 'passage');

-- ---------- modules ----------
CREATE FUNCTION tiny_with(name text, contents bytea) RETURNS text LANGUAGE sql AS
	$$SELECT format('SELECT name, data FROM tiny_folder WHERE name <> %L UNION ALL SELECT %L, %L::bytea', name, name, contents)$$;
-- small letters are made once
SELECT import_model('tiny_small', files => tiny_with('sentence_bert_config.json', '{"max_seq_length": 12, "do_lower_case": true}'));
SELECT embed('tiny_small', 'CAT Dogs.') = embed('tiny', 'cat dogs.') AS small;
DROP TABLE tiny_small;
-- several poolings side by side
SELECT import_model('tiny_two', files => tiny_with('1_Pooling/config.json',
	'{"word_embedding_dimension": 8, "pooling_mode_cls_token": true, "pooling_mode_max_tokens": true, "pooling_mode_mean_tokens": false}'));
SELECT embed('tiny_two', 'cat dogs.')::real[] = embed('tiny', 'cat dogs.', pooling => 'cls')::real[] || embed('tiny', 'cat dogs.', pooling => 'max')::real[] AS both_poolings;
SELECT embed('tiny_two', 'cat', pooling => 'mean');
-- a mean without the prompt's tokens
SELECT import_model('tiny_skip', files => tiny_with('1_Pooling/config.json', '{"word_embedding_dimension": 8, "include_prompt": false}'));
SELECT tiny_near(embed('tiny_skip', 'cat', prompt => 'query'), avg(embedding)::real[], 1e-6) AS rest
	FROM embed_tokens('tiny_skip', 'dog. cat') WHERE position > 3;
SELECT embed('tiny_skip', 'cat') = embed('tiny', 'cat') AS no_prompt;
-- dense layers and norms after it
CREATE TABLE tiny_modules AS TABLE tiny_folder;
UPDATE tiny_modules SET data = '[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
	{"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
	{"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"},
	{"idx": 3, "name": "3", "path": "3_Normalize", "type": "sentence_transformers.models.Normalize"}]' WHERE name = 'modules.json';
INSERT INTO tiny_modules VALUES
	('2_Dense/config.json', '{"in_features": 8, "out_features": 2, "bias": true, "activation_function": "torch.nn.modules.activation.Tanh"}'),
	('2_Dense/model.safetensors', (SELECT tiny_reversed(int8send(octet_length(head))) || convert_to(head, 'UTF8') || tiny_floats(3, 16, 0) || tiny_floats(4, 2, 0)
		FROM (VALUES ('{"linear.weight":{"dtype":"F32","shape":[2,8],"data_offsets":[0,64]},"linear.bias":{"dtype":"F32","shape":[2],"data_offsets":[64,72]}}')) AS v(head)));
SELECT import_model('tiny_dense', files => 'TABLE tiny_modules');
SELECT dims FROM embed_models() WHERE model = 'tiny_dense'::regclass;
-- the definition: tanh(W x + b), then to length one
WITH x AS (SELECT ordinality AS i, x::float8 FROM unnest(embed('tiny', 'cat dogs.')::real[]) WITH ORDINALITY AS u(x)),
	y AS (SELECT o, tanh(sum(x * (((o * 8 + i - 1) * 37 + 303) % 64 - 31.5) / 64) + max(((o * 37 + 404) % 64 - 31.5) / 64)) AS y
		FROM x, generate_series(0, 1) o GROUP BY o)
SELECT tiny_near(embed('tiny_dense', 'cat dogs.'), array_agg((y / norm)::real ORDER BY o), 1e-6) AS by_definition
	FROM y, (SELECT sqrt(sum(y * y)) AS norm FROM y) AS n;

-- ---------- precisions ----------
SELECT import_model('tiny_' || "precision", files => 'TABLE tiny_folder', "precision" => "precision")
	FROM unnest(ARRAY['bfloat16', 'int16', 'int8']) "precision";
SELECT min(1 - (embed('tiny', body) <=> embed('tiny_bfloat16', body))) > 0.999 AS bfloat16,
	min(1 - (embed('tiny', body) <=> embed('tiny_int16', body))) > 0.9999 AS int16,
	min(1 - (embed('tiny', body) <=> embed('tiny_int8', body))) > 0.98 AS int8,
	bool_or(embed('tiny', body) <> embed('tiny_int8', body)) AS rounded FROM tiny_texts WHERE id <= 20;
SELECT import_model('tiny_bad', files => 'TABLE tiny_folder', "precision" => 'int4');
-- shorter
SELECT import_model('tiny_short', files => 'TABLE tiny_folder', max_tokens => 4);
SELECT embed('tiny_short', 'cat dog dog') = embed('tiny', 'cat dog') AS cut;

-- ---------- what is refused ----------
SELECT import_model('tiny_bad', files => 'TABLE tiny_folder', max_tokens => 17);
SELECT import_model('tiny_bad', files => 'TABLE tiny_folder', max_tokens => 2);
CREATE FUNCTION tiny_config(changes jsonb) RETURNS text LANGUAGE sql AS
	$$SELECT tiny_with('config.json', convert_to((convert_from(data, 'UTF8')::jsonb || changes)::text, 'UTF8')) FROM tiny_folder WHERE name = 'config.json'$$;
SELECT import_model('tiny_bad', files => tiny_config('{"model_type": "t5"}'));
SELECT import_model('tiny_bad', files => tiny_config('{"relation_attention": 3}'));
SELECT import_model('tiny_bad', files => tiny_config('{"is_decoder": true}'));
SELECT import_model('tiny_bad', files => tiny_config('{"hidden_act": "mish"}'));
SELECT import_model('tiny_bad', files => tiny_config('{"num_attention_heads": 3}'));
SELECT import_model('tiny_bad', files => tiny_config('{"num_hidden_layers": 3}'));
SELECT import_model('tiny_bad', files => tiny_config('{"num_hidden_layers": 1}'));
SELECT import_model('tiny_bad', files => tiny_config('{"vocab_size": 8}'));
SELECT import_model('tiny_bad', files => tiny_config('{"intermediate_size": 1e300}'));
SELECT import_model('tiny_bad', files => format($$SELECT name, data FROM (%s) f WHERE name <> 'tokenizer_config.json'
	UNION ALL SELECT 'tokenizer_config.json', '{"do_lower_case": false}'$$, tiny_with('sentence_bert_config.json', '{"max_seq_length": 12, "do_lower_case": true}')));
SELECT import_model('tiny_bad', files => tiny_with('1_Pooling/config.json', '{"word_embedding_dimension": 9}'));
SELECT import_model('tiny_bad', files => tiny_with('vocab.txt', E'[PAD]\n[UNK]\n[CLS]\n[SEP]\ncat\ndog\n##s\n.\none\ntwo\n'));
-- tensors
DELETE FROM tiny_tensors WHERE name = 'encoder.layer.1.output.dense.bias' RETURNING name;
SELECT import_model('tiny_bad', files => tiny_with('model.safetensors', tiny_safetensors()));
INSERT INTO tiny_tensors (name, shape) VALUES ('encoder.layer.1.output.dense.bias', '{9}');
SELECT import_model('tiny_bad', files => tiny_with('model.safetensors', tiny_safetensors()));
UPDATE tiny_tensors SET shape = '{8}' WHERE name = 'encoder.layer.1.output.dense.bias';
SELECT import_model('tiny_other', files => tiny_with('model.safetensors', tiny_safetensors()));
INSERT INTO tiny_tensors (name, shape) VALUES ('encoder.layer.1.output.dense.scale', '{8}');
SELECT import_model('tiny_bad', files => tiny_with('model.safetensors', tiny_safetensors()));
UPDATE tiny_tensors SET name = 'bert.encoder.layer.1.output.dense.bias' WHERE name = 'encoder.layer.1.output.dense.scale';
SELECT import_model('tiny_bad', files => tiny_with('model.safetensors', tiny_safetensors()));
-- heads and poolers take no part
UPDATE tiny_tensors SET name = 'pooler.dense.bias' WHERE name = 'bert.encoder.layer.1.output.dense.bias';
SELECT import_model('tiny_other', files => tiny_with('model.safetensors', tiny_safetensors()), replace => true);
SELECT import_model('tiny_bad', files => tiny_with('model.safetensors', decode(replace(encode(data, 'hex'), encode(tiny_floats(4, 8, 1), 'hex'), encode(tiny_floats(4, 7, 1), 'hex') || '0000c07f'), 'hex')))
	FROM tiny_folder WHERE name = 'model.safetensors';

-- ---------- a table changed by hand ----------
CREATE TABLE tiny_before AS SELECT embed('tiny_other', 'cat') AS v;
-- two tensors of one shape, exchanged
BEGIN;
UPDATE tiny_other t SET data = o.data FROM tiny_other o WHERE (t.name, o.name) IN (
	('encoder.layer.0.output.LayerNorm.bias', 'encoder.layer.1.output.LayerNorm.bias'),
	('encoder.layer.1.output.LayerNorm.bias', 'encoder.layer.0.output.LayerNorm.bias'));
SELECT embed('tiny_other', 'cat');
ROLLBACK;
-- weights may be changed by who says so: the vectors follow, here by as much as what is added last
UPDATE tiny_other SET data = tiny_floats(99, 8, 0) WHERE name = 'encoder.layer.1.output.LayerNorm.bias';
SELECT embed('tiny_other', 'cat');
SELECT embed_refresh('tiny_other');
SELECT tiny_near(embed('tiny_other', 'cat') - v, (SELECT array_agg((((i * 37 + 99 * 101) % 64 - (i * 37 + number * 101) % 64) / 64.0)::real ORDER BY i)
	FROM generate_series(0, 7) i, tiny_tensors WHERE name = 'encoder.layer.1.output.LayerNorm.bias')) AS moved FROM tiny_before;
BEGIN;
UPDATE tiny_other SET data = substr(data, 1, 28) || '\x0000807f'::bytea WHERE name = 'encoder.layer.1.output.LayerNorm.bias';
SELECT embed_refresh('tiny_other');
SELECT embed('tiny_other', 'cat');
ROLLBACK;
BEGIN;
DELETE FROM tiny_other WHERE name = 'encoder.layer.1.output.LayerNorm.bias';
SELECT embed('tiny_other', 'cat');
ROLLBACK;
BEGIN;
UPDATE tiny_other SET data = '{}' WHERE name = 'config.json';
UPDATE tiny_other SET shape = '{2}' WHERE name = 'config.json';
SELECT embed('tiny_other', 'cat');
ROLLBACK;
BEGIN;
DELETE FROM tiny_other WHERE name = 'vocab.txt';
SELECT embed('tiny_other', 'cat');
ROLLBACK;
SELECT embed('tiny_other', 'cat') <> v AS still_moved FROM tiny_before;
-- the trigger's arguments, too
CREATE TABLE tiny_hand AS TABLE tiny;
SELECT register_model('tiny_hand', 'transformer', 'simple', 'dims=8', 'precision=int3');
SELECT register_model('tiny_hand', 'transformer', 'simple', 'dims=8', 'precision=int16');
SELECT embed('tiny_hand', 'cat') = embed('tiny_int16', 'cat') AS as_imported;
CREATE TABLE tiny_static AS TABLE tiny;
SELECT register_model('tiny_static', 'static');
SELECT embed('tiny_static', 'cat');

-- ---------- heads ----------
-- scores of labels: BertForSequenceClassification
DELETE FROM tiny_tensors WHERE name LIKE 'pooler%';
INSERT INTO tiny_tensors (name, shape) VALUES ('bert.pooler.dense.weight', '{8,8}'), ('bert.pooler.dense.bias', '{8}'),
	('classifier.weight', '{3,8}'), ('classifier.bias', '{3}');
UPDATE tiny_folder SET data = tiny_safetensors() WHERE name = 'model.safetensors';
CREATE TABLE tiny_plain AS SELECT name, CASE name WHEN 'config.json' THEN convert_to((convert_from(data, 'UTF8')::jsonb ||
	'{"architectures": ["BertForSequenceClassification"], "id2label": {"0": "bad", "1": "good", "2": "naïve"}}')::text, 'UTF8') ELSE data END AS data
	FROM tiny_folder WHERE name IN ('config.json', 'vocab.txt', 'model.safetensors');
SELECT import_model('tiny_labels', files => 'TABLE tiny_plain');
SELECT classify('tiny_labels', 'cat dogs.'), classify('tiny_labels', NULL);
-- the definition: softmax of W tanh(P x + p) + b, of the first token
WITH numbers AS (SELECT name, number FROM tiny_tensors WHERE name ~ 'pooler|classifier'),
	x AS (SELECT ordinality - 1 AS i, x::float8 FROM unnest(embed('tiny_labels', 'cat dogs.', pooling => 'cls')::real[]) WITH ORDINALITY AS u(x)),
	w(name, seed) AS (SELECT split_part(name, '.', -2) || '.' || split_part(name, '.', -1), number FROM numbers),
	y AS (SELECT o, tanh(sum(x * (((o * 8 + i) * 37 + (SELECT seed FROM w WHERE name = 'dense.weight') * 101) % 64 - 31.5) / 64)
		+ ((o * 37 + (SELECT seed FROM w WHERE name = 'dense.bias') * 101) % 64 - 31.5) / 64) AS y FROM x, generate_series(0, 7) o GROUP BY o),
	z AS (SELECT l, exp(sum(y * (((l * 8 + o) * 37 + (SELECT seed FROM w WHERE name = 'classifier.weight') * 101) % 64 - 31.5) / 64)
		+ ((l * 37 + (SELECT seed FROM w WHERE name = 'classifier.bias') * 101) % 64 - 31.5) / 64) AS z FROM y, generate_series(0, 2) l GROUP BY l)
SELECT label, abs(probability - z / (SELECT sum(z) FROM z)) < 1e-6 AS by_definition
	FROM ROWS FROM (classify_scores('tiny_labels', 'cat dogs.')) WITH ORDINALITY AS s(label, probability, place) JOIN z ON l = place - 1 ORDER BY place;
SELECT rerank_score('tiny_labels', 'cat', 'dog');
-- one score: of two texts read together
UPDATE tiny_tensors SET shape = '{1,8}' WHERE name = 'classifier.weight';
UPDATE tiny_tensors SET shape = '{1}' WHERE name = 'classifier.bias';
UPDATE tiny_plain SET data = tiny_safetensors() WHERE name = 'model.safetensors';
SELECT import_model('tiny_pairs', files => 'TABLE tiny_plain', replace => false);
SELECT rerank_score('tiny_pairs', 'cat', 'dogs') BETWEEN 0 AND 1 AS sigmoid, rerank_score('tiny_pairs', 'cat', 'dogs') <> rerank_score('tiny_pairs', 'dogs', 'cat') AS ordered,
	rerank_score('tiny_pairs', 'cat', NULL);
-- each place of the array once, the best first, the score that it has alone
SELECT array_agg(position ORDER BY position) AS positions, bool_and(score = rerank_score('tiny_pairs', 'cat', inputs[position])) AS alone,
	array_agg(score ORDER BY place) = array_agg(score ORDER BY score DESC) AS best_first
	FROM (SELECT ARRAY['dogs', NULL, 'cat', '', repeat('cat dog ', 50)] AS inputs) AS i, ROWS FROM (rerank('tiny_pairs', 'cat', inputs)) WITH ORDINALITY AS r(position, score, place);
SELECT * FROM rerank('tiny_pairs', 'cat', '{}');
-- a default prompt stands before the first of two texts, as CrossEncoder has it
SELECT import_model('tiny_unasked', files => $$TABLE tiny_plain UNION ALL SELECT 'config_sentence_transformers.json', '{"prompts": {"query": "dog. ", "none": ""}, "default_prompt_name": "query"}'$$);
SELECT import_model('tiny_prompted', files => $$SELECT * FROM model_files('tiny_unasked')
	UNION ALL SELECT 'modules.json', '[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.base.modules.transformer.Transformer"}]'
	UNION ALL SELECT 'sentence_bert_config.json', '{"transformer_task": "sequence-classification"}'$$);
SELECT rerank_score('tiny_prompted', 'cat', 'dogs') = rerank_score('tiny_pairs', 'dog. cat', 'dogs') AS prompted,
	(SELECT score FROM rerank('tiny_prompted', 'cat', '{dogs}')) = rerank_score('tiny_pairs', 'dog. cat', 'dogs') AS ranked;
-- it does not look at that file where there is no modules.json
SELECT rerank_score('tiny_unasked', 'cat', 'dogs') = rerank_score('tiny_pairs', 'cat', 'dogs') AS unasked,
	embed('tiny_unasked', 'cat') = embed('tiny_unasked', 'cat', prompt => 'none') AS vectors_too;
DROP TABLE tiny_prompted, tiny_unasked;
-- too long: the longer text gives first; both are too long: each has half
SELECT rerank_score('tiny_pairs', 'cat', repeat('dog ', 40)) = rerank_score('tiny_pairs', 'cat', repeat('dog ', 12)) AS second_cut,
	rerank_score('tiny_pairs', repeat('dog ', 40), 'cat') = rerank_score('tiny_pairs', repeat('dog ', 12), 'cat') AS first_cut,
	rerank_score('tiny_pairs', repeat('dog ', 40), repeat('cat ', 40)) = rerank_score('tiny_pairs', repeat('dog ', 6), repeat('cat ', 7)) AS both_cut;
SELECT rerank_score('tiny', 'cat', 'dog');
SELECT rerank_score('tiny_texts', 'cat', 'dog');
SELECT classify('tiny', 'cat');
SELECT embed_sparse('tiny', 'cat');
-- weights of terms: BertForMaskedLM; what gives terms is what takes them
INSERT INTO tiny_tensors (name, shape, base) VALUES ('cls.predictions.transform.dense.weight', '{8,8}', 0), ('cls.predictions.transform.dense.bias', '{8}', 0),
	('cls.predictions.transform.LayerNorm.weight', '{8}', 1), ('cls.predictions.transform.LayerNorm.bias', '{8}', 0), ('cls.predictions.bias', '{9}', 0);
UPDATE tiny_plain SET data = CASE name WHEN 'model.safetensors' THEN tiny_safetensors()
	ELSE replace(convert_from(data, 'UTF8'), 'SequenceClassification', 'MaskedLM')::bytea END WHERE name IN ('model.safetensors', 'config.json');
SELECT import_model('tiny_terms', files => 'TABLE tiny_plain');
SELECT embed_sparse('tiny_terms', NULL) IS NULL AS no_text, vector_dims(embed_sparse('tiny_terms', 'cat dogs.')::vector) AS terms,
	(SELECT min(w) >= 0 FROM unnest(embed_sparse('tiny_terms', 'cat dogs.')::vector::real[]) w) AS not_negative;
SELECT embed('tiny_terms', 'cat dogs.') = embed('tiny_labels', 'cat dogs.') AS vectors_too;
DELETE FROM tiny_tensors WHERE name = 'cls.predictions.transform.LayerNorm.bias';
UPDATE tiny_plain SET data = tiny_safetensors() WHERE name = 'model.safetensors';
SELECT import_model('tiny_bad', files => 'TABLE tiny_plain');
DROP TABLE tiny_labels, tiny_pairs, tiny_terms, tiny_plain;
SELECT to_regclass('tiny_bad');
DROP TABLE tiny, tiny_two, tiny_skip, tiny_dense, tiny_bfloat16, tiny_int16, tiny_int8, tiny_short, tiny_other, tiny_hand, tiny_static,
	tiny_before, tiny_tensors, tiny_folder, tiny_modules, tiny_texts;
