-- Would fail if an ELMo's files became a wrong model, if a word's vector did
-- not depend on its sentence or did on other texts, or if bad input passed.
SET embed.progress = off;

-- ---------- a file of HDF5, made here ----------
CREATE TABLE elmo_options AS SELECT '{"lstm": {"cell_clip": 3, "proj_clip": 3, "dim": 3, "projection_dim": 2, "n_layers": 2, "use_skip_connections": true},
	"char_cnn": {"embedding": {"dim": 1}, "filters": [[1, 2], [2, 1]], "n_highway": 1, "n_characters": 262, "max_characters_per_token": 12, "activation": "tanh"}}'::text AS options;
CREATE TABLE elmo_tensors (number integer, name text, shape integer[]);
INSERT INTO elmo_tensors SELECT row_number() OVER (), * FROM (VALUES
	('char_embed', ARRAY[261, 1]), ('CNN/W_cnn_0', ARRAY[1, 1, 1, 2]), ('CNN/b_cnn_0', ARRAY[2]), ('CNN/W_cnn_1', ARRAY[1, 2, 1, 1]), ('CNN/b_cnn_1', ARRAY[1]),
	('CNN_high_0/W_carry', ARRAY[3, 3]), ('CNN_high_0/b_carry', ARRAY[3]), ('CNN_high_0/W_transform', ARRAY[3, 3]), ('CNN_high_0/b_transform', ARRAY[3]),
	('CNN_proj/W_proj', ARRAY[3, 2]), ('CNN_proj/b_proj', ARRAY[2])) t;
INSERT INTO elmo_tensors SELECT 12 + 6 * d + 3 * c + n, format('RNN_%s/RNN/MultiRNNCell/Cell%s/LSTMCell/%s', d, c, (ARRAY['W_0', 'B', 'W_P_0'])[n + 1]),
	CASE n WHEN 0 THEN ARRAY[4, 12] WHEN 1 THEN ARRAY[12] ELSE ARRAY[3, 2] END FROM generate_series(0, 1) d, generate_series(0, 1) c, generate_series(0, 2) n;
CREATE FUNCTION elmo_reversed(value bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS
	$$SELECT coalesce(string_agg(substring(value FROM i FOR 1), ''::bytea ORDER BY i DESC), '') FROM generate_series(1, length(value)) i$$;
CREATE FUNCTION elmo_int(value bigint, size integer) RETURNS bytea LANGUAGE sql IMMUTABLE AS
	$$SELECT substring(elmo_reversed(int8send(value)) || int8send(0) FROM 1 FOR size)$$;
-- number i of tensor t; what is expected below is what Reference in test/oracle/lib/elmo_core.py makes of these
CREATE FUNCTION elmo_values(tensor elmo_tensors) RETURNS bytea LANGUAGE sql AS
	$$SELECT string_agg(elmo_reversed(float4send((((i::bigint * 7919 + $1.number * 104729) % 2001 - 1000) / 1000.0)::float4)), ''::bytea ORDER BY i)
	FROM generate_series(0, (SELECT round(exp(sum(ln(s)))) FROM unnest($1.shape) s)::integer - 1) i$$;
CREATE TABLE elmo_file (contents bytea);
CREATE FUNCTION elmo_append(bytes bytea) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE at bigint := (SELECT length(contents) FROM elmo_file);
BEGIN
	UPDATE elmo_file SET contents = contents || bytes || decode(repeat('00', (8 - length(bytes) % 8) % 8), 'hex');
	RETURN at;
END$$;
CREATE FUNCTION elmo_message(type integer, data bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS
	$$SELECT elmo_int(type, 2) || elmo_int(length(data), 2) || elmo_int(0, 4) || data$$;
CREATE FUNCTION elmo_header(messages integer, data bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS
	$$SELECT elmo_int(1, 2) || elmo_int(messages, 2) || elmo_int(1, 4) || elmo_int(length(data), 4) || elmo_int(0, 4) || data$$;
-- an object and all below it; where its header is
CREATE FUNCTION elmo_object(path text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	tensor elmo_tensors;
	child text;
	names bytea := elmo_int(0, 8);
	symbols bytea := '';
	members integer := 0;
	heap bigint;
	tree bigint;
	data bytea;
BEGIN
	SELECT * INTO tensor FROM elmo_tensors WHERE name = path;
	IF FOUND THEN
		data := elmo_values(tensor);
		RETURN elmo_append(elmo_header(3,
			elmo_message(1, elmo_int(1, 1) || elmo_int(cardinality(tensor.shape), 1) || elmo_int(0, 6)
				|| (SELECT string_agg(elmo_int(s, 8), ''::bytea ORDER BY n) FROM unnest(tensor.shape) WITH ORDINALITY u(s, n)))
			|| elmo_message(3, '\x11201f000400000000002000170800177f000000'::bytea || elmo_int(0, 4))
			|| elmo_message(8, '\x0301'::bytea || elmo_int(elmo_append(data), 8) || elmo_int(length(data), 8) || elmo_int(0, 6))));
	END IF;
	FOR child IN SELECT DISTINCT split_part(substring(name FROM length(path) + 1), '/', 1) COLLATE "C" AS c FROM elmo_tensors
		WHERE starts_with(name, path) ORDER BY c LOOP
		symbols := symbols || elmo_int(length(names), 8) || elmo_int(elmo_object(path || child || CASE WHEN EXISTS
			(SELECT FROM elmo_tensors WHERE name = path || child) THEN '' ELSE '/' END), 8) || elmo_int(0, 8) || elmo_int(0, 16);
		names := names || convert_to(child, 'UTF8') || elmo_int(0, 8 - length(child) % 8);
		members := members + 1;
	END LOOP;
	heap := elmo_append(names);
	heap := elmo_append('HEAP'::bytea || elmo_int(0, 4) || elmo_int(length(names), 8) || elmo_int(-1, 8) || elmo_int(heap, 8));
	tree := elmo_append('SNOD'::bytea || elmo_int(1, 2) || elmo_int(members, 2) || symbols);
	tree := elmo_append('TREE'::bytea || elmo_int(0, 2) || elmo_int(1, 2) || elmo_int(-1, 8) || elmo_int(-1, 8)
		|| elmo_int(0, 8) || elmo_int(tree, 8) || elmo_int(8, 8));
	RETURN elmo_append(elmo_header(1, elmo_message(17, elmo_int(tree, 8) || elmo_int(heap, 8))));
END$$;
CREATE FUNCTION elmo_hdf5() RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
	root bigint;
BEGIN
	DELETE FROM elmo_file;
	INSERT INTO elmo_file VALUES (decode(repeat('00', 96), 'hex'));
	root := elmo_object('');
	RETURN (SELECT '\x894844460d0a1a0a'::bytea || '\x0000000000080800'::bytea || elmo_int(4, 2) || elmo_int(16, 2) || elmo_int(0, 4)
		|| elmo_int(0, 8) || elmo_int(-1, 8) || elmo_int(length(contents), 8) || elmo_int(-1, 8)
		|| elmo_int(0, 8) || elmo_int(root, 8) || elmo_int(0, 8) || elmo_int(0, 16) || substring(contents FROM 97) FROM elmo_file);
END$$;
CREATE TABLE elmo_folder (name text, data bytea);
INSERT INTO elmo_folder SELECT 'options.json', convert_to(options, 'UTF8') FROM elmo_options;
INSERT INTO elmo_folder SELECT 'weights.hdf5', elmo_hdf5();

-- ---------- import ----------
SELECT import_model('elmo', files => 'SELECT name, data FROM elmo_folder');
SELECT method, dims, config, options, rows FROM embed_models(count_rows => true) WHERE model = 'elmo'::regclass;
SELECT count(*) FROM elmo_folder f FULL JOIN model_files('elmo') m USING (name) WHERE f.data IS DISTINCT FROM m.data;
SELECT export_model('elmo') AS object \gset
SELECT import_model('elmo_again', large_object => :object);
SELECT lo_unlink(:object), embed('elmo', 'a river bank') = embed('elmo_again', 'a river bank') AS same;

-- ---------- the definition (float64, lib/elmo_core.py) ----------
CREATE TABLE elmo_expected AS SELECT * FROM (VALUES
	(1, 0, '[-0.01623, -0.171841, -0.01623, -0.171841]'::vector),
	(1, 1, '[-0.148928, -0.100551, -0.215704, -0.158304]'),
	(1, 2, '[-0.342345, -0.23914, -0.507678, -0.376427]'),
	(2, 0, '[-0.05862, -0.222318, -0.05862, -0.222318]'),
	(2, 1, '[-0.187641, -0.127771, -0.215507, -0.157977]'),
	(2, 2, '[-0.433311, -0.30505, -0.499206, -0.369893]'),
	(3, 0, '[-0.051304, -0.213673, -0.051304, -0.213673]'),
	(3, 1, '[-0.208594, -0.142654, -0.204972, -0.149963]'),
	(3, 2, '[-0.486532, -0.344107, -0.474876, -0.351529]'),
	(4, 0, '[-0.047002, -0.208216, -0.047002, -0.208216]'),
	(4, 1, '[-0.220368, -0.151084, -0.189669, -0.13838]'),
	(4, 2, '[-0.517804, -0.367282, -0.438203, -0.323898]'),
	(5, 0, '[-0.01623, -0.171841, -0.01623, -0.171841]'),
	(5, 1, '[-0.22344, -0.153217, -0.165363, -0.120152]'),
	(5, 2, '[-0.532293, -0.37811, -0.380924, -0.280895]'),
	(6, 0, '[-0.051304, -0.213673, -0.051304, -0.213673]'),
	(6, 1, '[-0.230468, -0.158349, -0.134996, -0.097566]'),
	(6, 2, '[-0.546498, -0.38875, -0.301077, -0.221158]')) t (position, layer, embedding);
SELECT count(*), max(l.embedding <-> e.embedding) < 2e-6 AS equal
	FROM elmo_layers('elmo', 'a river bank of a bank') l JOIN elmo_expected e USING (position, layer);
SELECT position, token FROM embed_tokens('elmo', 'a  river bank') ORDER BY position;
-- the mean of the layers, and of those that are asked for
SELECT count(*), max(t.embedding <-> m.embedding) < 2e-6 AS equal FROM embed_tokens('elmo', 'a river bank of a bank') t
	JOIN (SELECT position, avg(embedding) AS embedding FROM elmo_expected GROUP BY 1) m USING (position);
SELECT count(*), max(t.embedding <-> e.embedding) < 2e-6 AS equal FROM embed_tokens('elmo', 'a river bank of a bank', layers => '{1}') t
	JOIN elmo_expected e USING (position) WHERE layer = 1;
SELECT count(*), max(t.embedding <-> e.embedding) < 2e-6 AS equal FROM embed_tokens('elmo', 'a river bank of a bank', layer => 2) t
	JOIN elmo_expected e USING (position) WHERE e.layer = 2;
SELECT embed('elmo', 'a river bank of a bank') <-> '[-0.239939,-0.225424,-0.220492,-0.219317]' < 2e-6 AS mean,
	embed('elmo', 'a river bank of a bank', pooling => 'max') <-> '[-0.169167,-0.170511,-0.162459,-0.177466]' < 2e-6 AS max,
	embed('elmo', 'a river bank of a bank', pooling => 'first_last') <-> '[-0.276090,-0.253591,-0.246537,-0.235524]' < 2e-6 AS first_last,
	elmo_embed('elmo', 'a river bank of a bank', layers => NULL, layer_weights => '{0.2,-1,0.5}', gamma => 0.7)
		<-> '[-0.196579,-0.184069,-0.180087,-0.178060]' < 2e-6 AS mixed,
	elmo_embed('elmo', 'a river bank of a bank', layers => NULL, layer_norm => true) <-> '[-0.306942,-0.122959,-0.079137,-0.063371]' < 1e-5 AS norm,
	elmo_embed('elmo', 'a river bank of a bank', layers => '{2,0}', layer_weights => '{0,0}', pooling => 'max')
		= elmo_embed('elmo', 'a river bank of a bank', layers => '{0,2}', pooling => 'max') AS two_layers;
-- a word in its sentence
SELECT word_in_context('elmo', 'a river bank of a bank', 'bank', layers => '{2}') <-> '[-0.486532,-0.344107,-0.474876,-0.351529]' < 2e-6 AS first,
	word_in_context('elmo', 'a river bank of a bank', 'bank', 2, layers => '{2}') <-> '[-0.546498,-0.38875,-0.301077,-0.221158]' < 2e-6 AS second,
	word_in_context('elmo', 'a river bank of a bank', 'bank', 3) IS NULL AS third,
	word_in_context('elmo', 'a river bank', 'Bank') IS NULL AS other, word_in_context('elmo', 'a river bank', '') IS NULL AS none;
SELECT word_in_context('elmo', 'a river bank', 'river bank');
SELECT word_in_context('elmo', 'a river bank', 'bank', 0);

-- ---------- the mix as an option of the model ----------
SELECT model_version('elmo') AS version \gset
SELECT set_model_option('elmo', 'layer_weights', '0.2, -1, 0.5'), set_model_option('elmo', 'gamma', '0.7');
SELECT options FROM embed_models() WHERE model = 'elmo'::regclass;
SELECT model_version('elmo') <> :'version' AS another_version,
	embed('elmo', 'a river bank of a bank') <-> '[-0.196579,-0.184069,-0.180087,-0.178060]' < 2e-6 AS mixed,
	(SELECT max(t.embedding <-> e.embedding) < 2e-6 FROM embed_tokens('elmo', 'a river bank of a bank', layer => 2) t
		JOIN elmo_expected e USING (position) WHERE e.layer = 2) AS a_layer_is_itself;
SELECT set_model_option('elmo', 'layer_weights', NULL), set_model_option('elmo', 'gamma', NULL), set_model_option('elmo', 'layer_norm', 'on'),
	set_model_option('elmo', 'config', 'embed_words'), set_model_option('elmo', 'pooling', 'max');
SELECT config, options FROM embed_models() WHERE model = 'elmo'::regclass;
SELECT elmo_embed('elmo', 'A river, BANK?', layers => NULL, layer_norm => false, pooling => 'mean') = embed('elmo_again', 'a river bank') AS words,
	embed('elmo', 'a river bank') = elmo_embed('elmo_again', 'a river bank', layers => NULL, layer_norm => true, pooling => 'max') AS norm_and_max;
SELECT set_model_option('elmo', 'config', 'embed_whitespace'), set_model_option('elmo', 'pooling', NULL), set_model_option('elmo', 'layer_norm', NULL);
SELECT embed('elmo', 'a river bank') = embed('elmo_again', 'a river bank') AS as_before;
BEGIN;
SELECT set_model_option('elmo', 'gamma', '2');
SELECT embed('elmo', 'a river bank') <-> embed('elmo_again', 'a river bank') * '[2,2,2,2]' AS own_change;
ROLLBACK;
SELECT embed('elmo', 'a river bank') = embed('elmo_again', 'a river bank') AS rolled_back;
SELECT set_model_option('elmo', 'layer_weights', '1,2');
SELECT set_model_option('elmo', 'layer_weights', '1,2,x');
SELECT set_model_option('elmo', 'layer_weights', '');
SELECT set_model_option('elmo', 'gamma', 'NaN');
SELECT set_model_option('elmo', 'pooling', 'median');
SELECT set_model_option('elmo', 'config', 'no_such');
SELECT set_model_option('elmo', 'dims', '5');
SELECT set_model_option('elmo', 'colour', 'red');
SELECT set_model_option('elmo', NULL, 'red');
SELECT set_model_option('elmo_options', 'gamma', '1');
SELECT embed('elmo', 'a river bank') = embed('elmo_again', 'a river bank') AS unchanged;

-- ---------- a state that texts begin with ----------
SELECT elmo_warm_state('elmo_again', $$SELECT t FROM (VALUES (1, 'she put money in the bank'), (2, NULL), (3, ''), (4, 'and left')) v(i, t) ORDER BY i$$);
SELECT name, length(data) FROM model_files('elmo_again') ORDER BY name;
SELECT embed('elmo_again', 'a river bank') <-> '[-0.279354, -0.254726, -0.267052, -0.25486]'::vector < 2e-6 AS warm,
	embed_array('elmo_again', ARRAY['x', 'a river bank', 'y z'])= ARRAY[embed('elmo_again', 'x'), embed('elmo_again', 'a river bank'), embed('elmo_again', 'y z')] AS same;
-- it goes where the model goes
SELECT export_model('elmo_again') AS object \gset
SELECT import_model('elmo_third', large_object => :object);
SELECT lo_unlink(:object), embed('elmo_third', 'a river bank') = embed('elmo_again', 'a river bank') AS same;
-- the state before has no part in it, however often
SELECT elmo_warm_state('elmo_third', $$SELECT t FROM (VALUES (1, 'she put money in the bank'), (2, NULL), (3, ''), (4, 'and left')) v(i, t) ORDER BY i$$);
SELECT embed('elmo_third', 'a river bank') = embed('elmo_again', 'a river bank') AS same;
SELECT import_model('elmo_bad', files => $$SELECT name, CASE name WHEN 'warm_state.f32' THEN substring(data FROM 2) ELSE data END FROM model_files('elmo_third')$$);
SELECT import_model('elmo_bad', files => $$SELECT name, CASE name WHEN 'warm_state.f32' THEN overlay(data PLACING '\x0000c07f' FROM 9) ELSE data END FROM model_files('elmo_third')$$);
UPDATE elmo_third SET data = overlay(data PLACING '\x0000807f' FROM 13) WHERE name = 'warm_state.f32';
SELECT embed('elmo_third', 'x');
SELECT embed_refresh('elmo_third');
SELECT embed('elmo_third', 'x');
DROP TABLE elmo_third;
SELECT elmo_warm_state('elmo_again', 'SELECT NULL::text');
SELECT elmo_warm_state('elmo_again', 'SELECT 1');
SELECT elmo_warm_state('elmo_options', 'SELECT ''x''::text');
SELECT elmo_warm_state('elmo_again', NULL);
SELECT embed('elmo_again', 'a river bank') = embed('elmo', 'a river bank') AS from_zeros, (SELECT count(*) FROM model_files('elmo_again'));

-- ---------- the same in every company ----------
CREATE TABLE elmo_texts AS SELECT i, (SELECT string_agg(chr(97 + (i * n * 7) % 26) || repeat('x', (i + n) % 15) || chr(19968 + i * n), ' ')
	FROM generate_series(1, CASE WHEN i % 7 = 0 THEN 40 ELSE i % 6 END) n) AS input FROM generate_series(1, 150) i;
WITH together AS (SELECT embed_array('elmo', array_agg(input ORDER BY i)) AS vectors FROM elmo_texts)
SELECT count(*), count(vectors[i]), bool_and(vectors[i] IS NOT DISTINCT FROM embed('elmo', input)) AS same FROM elmo_texts, together;
SELECT embed('elmo', '') IS NULL AS empty, embed('elmo', E' \t ') IS NULL AS blank, embed('elmo', NULL) IS NULL AS null_text,
	(SELECT count(*) FROM embed_tokens('elmo', '')) AS no_tokens, (SELECT count(*) FROM elmo_layers('elmo', '')) AS no_layers;
-- long words are cut: here after 10 bytes, in the middle of a character
SELECT embed('elmo', repeat('x', 10)) = embed('elmo', repeat('x', 10000)) AS long, embed('elmo', repeat('x', 9)) = embed('elmo', repeat('x', 10)) AS shorter,
	embed('elmo', 'xxxxxxxxxé') = embed('elmo', 'xxxxxxxxxè') AS half_a_character, embed('elmo', 'xxxxxxxxé') = embed('elmo', 'xxxxxxxxè') AS whole;
SELECT length(token) FROM embed_tokens('elmo', repeat('y', 10000) || ' z');
-- the marks of a text, written in it, are read as the published code reads them
SELECT embed('elmo', '<S>') = embed('elmo', '<s>') AS small_letter;
-- many words: in windows
SELECT count(*), count(DISTINCT token), bool_and(embedding IS NOT NULL) FROM embed_tokens('elmo', (SELECT string_agg(i::text, ' ') FROM generate_series(1, 10000) i));
SELECT embed('elmo', (SELECT string_agg(i::text, ' ') FROM generate_series(1, 2048) i), pooling => 'first_last') =
	embed('elmo', (SELECT string_agg(i::text, ' ') FROM generate_series(1, 2049) i), pooling => 'first_last') AS same;

-- ---------- what is refused ----------
SELECT embed('elmo', 'x', pooling => 'tfidf');
SELECT embed('elmo', 'x', prompt => 'query');
SELECT elmo_embed('elmo', 'x', layers => '{3}');
SELECT embed_tokens('elmo', 'x', layer => 3);
SELECT embed_tokens('elmo', 'x', unit => 'piece');
SELECT elmo_embed('elmo', 'x', layers => '{1,1}');
SELECT elmo_embed('elmo', 'x', layers => '{}');
SELECT elmo_embed('elmo', 'x', layers => '{NULL}');
SELECT elmo_embed('elmo', 'x', layers => '{{1,2}}');
SELECT elmo_embed('elmo', 'x', layers => NULL, layer_weights => '{1,2}');
SELECT elmo_embed('elmo', 'x', layers => NULL, layer_weights => '{1,NaN,2}');
SELECT elmo_embed('elmo', 'x', layers => NULL, gamma => 'Infinity');
SELECT elmo_embed('elmo', 'x', layers => NULL, gamma => 1e40);
SELECT model_tokens('elmo', 'x');
SELECT elmo_layers('elmo_texts', 'x');
SELECT import_model('elmo_bad', files => 'SELECT name, data FROM elmo_folder', max_tokens => 5);
-- tensors that are missing, too many, of another shape, not finite
BEGIN;
DELETE FROM elmo_tensors WHERE name = 'CNN_proj/b_proj';
UPDATE elmo_folder SET data = elmo_hdf5() WHERE name = 'weights.hdf5';
SELECT import_model('elmo_bad', files => 'SELECT name, data FROM elmo_folder');
ROLLBACK;
BEGIN;
INSERT INTO elmo_tensors VALUES (24, 'CNN/W_cnn_2', '{1,1,1,2}');
UPDATE elmo_folder SET data = elmo_hdf5() WHERE name = 'weights.hdf5';
SELECT import_model('elmo_bad', files => 'SELECT name, data FROM elmo_folder');
ROLLBACK;
BEGIN;
UPDATE elmo_tensors SET shape = '{2,6}' WHERE name = 'CNN_proj/W_proj';
UPDATE elmo_folder SET data = elmo_hdf5() WHERE name = 'weights.hdf5';
SELECT import_model('elmo_bad', files => 'SELECT name, data FROM elmo_folder');
ROLLBACK;
BEGIN;
UPDATE elmo_folder SET data = overlay(data PLACING '\x0000c07f' FROM position(elmo_values(t) IN data)) FROM elmo_tensors t
	WHERE elmo_folder.name = 'weights.hdf5' AND t.name = 'CNN/b_cnn_1';
SELECT import_model('elmo_bad', files => 'SELECT name, data FROM elmo_folder');
ROLLBACK;
SELECT import_model('elmo_bad', files => $$SELECT name, CASE name WHEN 'options.json' THEN convert_to(replace(convert_from(data, 'UTF8'), 'tanh', 'swish'), 'UTF8') ELSE data END FROM elmo_folder$$);
SELECT import_model('elmo_bad', files => $$SELECT name, CASE name WHEN 'weights.hdf5' THEN substring(data FROM 1 FOR length(data) - 2000) ELSE data END FROM elmo_folder$$);
SELECT import_model('elmo_bad', files => $$SELECT name, data FROM elmo_folder WHERE name <> 'options.json'$$);
-- a table that was changed by hand
UPDATE elmo_again SET data = substring(data FROM 1 FOR length(data) - 1) WHERE name = 'CNN_proj/W_proj';
SELECT embed('elmo_again', 'x');
DELETE FROM elmo_again WHERE name = 'CNN_proj/W_proj';
SELECT embed('elmo_again', 'x');

-- ---------- rounded weights ----------
SELECT import_model('elmo_again', files => 'SELECT name, data FROM elmo_folder', "precision" => 'bfloat16', replace => true);
SELECT embed('elmo_again', 'a river bank of a bank') <-> '[-0.239939,-0.225424,-0.220492,-0.219317]' < 0.01 AS near;
SELECT import_model('elmo_again', files => 'SELECT name, data FROM elmo_folder', "precision" => 'int16', replace => true);
SELECT embed('elmo_again', 'a river bank of a bank') <-> '[-0.239939,-0.225424,-0.220492,-0.219317]' < 0.01 AS near;
SELECT import_model('elmo_again', files => 'SELECT name, data FROM elmo_folder', "precision" => 'int8', replace => true);
SELECT embed('elmo_again', 'a river bank of a bank') <-> '[-0.239939,-0.225424,-0.220492,-0.219317]' < 0.01 AS near;
SELECT import_model('elmo_again', files => 'SELECT name, data FROM elmo_folder', "precision" => 'auto', replace => true);
SELECT embed('elmo_again', 'a river bank of a bank') <-> '[-0.239939,-0.225424,-0.220492,-0.219317]' < 0.01 AS near;

DROP TABLE elmo, elmo_again, elmo_options, elmo_tensors, elmo_file, elmo_folder, elmo_expected, elmo_texts CASCADE;
DROP FUNCTION elmo_reversed, elmo_int, elmo_append, elmo_message, elmo_header, elmo_object, elmo_hdf5;
