-- Would fail if a training did not make an ELMo that can be used, went another way with the same seed, did not go on where it was
-- stopped, learned nothing, told 'bank' of a river from 'bank' of money only by luck, or if bad arguments passed.
SET embed.progress = off;
SET maintenance_work_mem = '256MB';

-- ---------- two senses ----------
-- 'bank' stands among words of water in one half of the texts, and among words of money in the other
CREATE TABLE elmo_train_texts AS
SELECT i, string_agg(CASE WHEN j = 4 THEN 'bank' ELSE (CASE i % 2 WHEN 0
	THEN ARRAY['river', 'water', 'boat', 'fish', 'mud', 'stream', 'reeds', 'flood']
	ELSE ARRAY['money', 'loan', 'account', 'cash', 'credit', 'interest', 'debt', 'clerk'] END)[1 + ('x' || substr(md5(i || ' ' || j), 1, 4))::bit(16)::integer % 8] END,
	' ' ORDER BY j) AS body
FROM generate_series(1, 600) i, generate_series(1, 7) j GROUP BY i;
SELECT body FROM elmo_train_texts WHERE i IN (1, 2) ORDER BY i;

-- three seeds: each sense is nearer to itself than to the other
CREATE FUNCTION elmo_train_senses(seed bigint, OUT apart boolean, OUT better boolean) LANGUAGE plpgsql AS $$
DECLARE
	water vector;
	flood vector;
	money vector;
	credit vector;
	model regclass := train_elmo('elmo_train_senses', 'SELECT body FROM elmo_train_texts ORDER BY i', dims => 16, hidden => 24,
		filters => '{{1,8},{2,8},{3,16}}', batch => 16, window_size => 10, epochs => 4, min_count => 1, workers => 1, seed => seed,
		held_out => 0.1, replace => seed > 1);
BEGIN
	water := word_in_context(model, 'boat fish river bank mud stream', 'bank', layers => '{2}');
	flood := word_in_context(model, 'reeds flood water bank fish river', 'bank', layers => '{2}');
	money := word_in_context(model, 'cash loan money bank credit debt', 'bank', layers => '{2}');
	credit := word_in_context(model, 'account interest credit bank loan cash', 'bank', layers => '{2}');
	apart := greatest(water <=> flood, money <=> credit) < 0.5 * least(water <=> money, water <=> credit, flood <=> money, flood <=> credit);
	-- of 19 words a text uses 9
	better := (SELECT (regexp_match(o, '^perplexity=(.*)$'))[1]::float8 FROM embed_models() m, unnest(m.options) o
		WHERE m.model = 'elmo_train_senses'::regclass AND o LIKE 'perplexity=%') < 14;
END$$;
SELECT seed, s.* FROM generate_series(1, 3) seed, LATERAL elmo_train_senses(seed) s ORDER BY seed;

-- ---------- the model ----------
SELECT method, dims, (SELECT array_agg(split_part(o, '=', 1)) FROM unnest(options) o) AS options
FROM embed_models() WHERE model = 'elmo_train_senses'::regclass;
SELECT id, name, element, shape FROM elmo_train_senses WHERE id BETWEEN 1 AND 6 ORDER BY id;
SELECT name, element FROM elmo_train_senses WHERE id = (SELECT max(id) FROM elmo_train_senses);
-- it is one that can be imported
SELECT import_model('elmo_train_again', files => 'SELECT name, string_agg(data, ''''::bytea ORDER BY id) FROM (
	SELECT CASE element WHEN ''file'' THEN name ELSE ''weights.hdf5'' END AS name, data, id FROM elmo_train_senses WHERE id > 0) t GROUP BY name');
SELECT embed('elmo_train_senses', 'river bank') = embed('elmo_train_again', 'river bank') AS same;
DROP TABLE elmo_train_again;

-- ---------- the same seed, and going on ----------
CREATE FUNCTION elmo_train(model text, epochs integer, seed bigint DEFAULT 5, from_model regclass DEFAULT NULL, workers integer DEFAULT 1) RETURNS regclass
LANGUAGE sql AS $$SELECT train_elmo(model, 'SELECT body FROM elmo_train_texts WHERE i <= 200 ORDER BY i', dims => 8, hidden => 12, filters => '{{1,4},{2,6}}',
	batch => 8, window_size => 6, negatives => 6, epochs => epochs, min_count => 1, seed => seed, from_model => from_model, workers => workers,
	replace => from_model IS NOT NULL)$$;
SELECT elmo_train('elmo_train_two', 2), elmo_train('elmo_train_same', 2), elmo_train('elmo_train_other', 2, 6), elmo_train('elmo_train_on', 1);
SELECT elmo_train('elmo_train_on', 1, from_model => 'elmo_train_on');
CREATE FUNCTION elmo_train_equal(a regclass, b regclass) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE result boolean;
BEGIN
	EXECUTE format('SELECT count(*) > 20 AND bool_and(a.data = b.data) FROM %s a FULL JOIN %s b USING (id) WHERE id > 0', a, b) INTO result;
	RETURN result;
END$$;
SELECT elmo_train_equal('elmo_train_two', 'elmo_train_same') AS same, elmo_train_equal('elmo_train_two', 'elmo_train_on') AS went_on,
	elmo_train_equal('elmo_train_two', 'elmo_train_other') AS other;
-- several processes, whatever number there is
SELECT elmo_train('elmo_train_workers', 1, workers => 3);
SELECT embed('elmo_train_workers', 'river') IS NOT NULL AS works;
-- epoch by epoch
CALL train_elmo_epochs('elmo_train_epochs', 'SELECT body FROM elmo_train_texts WHERE i <= 200 ORDER BY i', dims => 8, hidden => 12, filters => '{{1,4},{2,6}}',
	batch => 8, window_size => 6, negatives => 6, epochs => 2, min_count => 1, seed => 5, workers => 1);
SELECT elmo_train_equal('elmo_train_two', 'elmo_train_epochs') AS same;
-- all have been had
CALL train_elmo_epochs('elmo_train_epochs', 'SELECT body FROM elmo_train_texts', epochs => 2);
SELECT elmo_train_equal('elmo_train_two', 'elmo_train_epochs') AS same;
BEGIN;
CALL train_elmo_epochs('elmo_train_epochs', 'SELECT body FROM elmo_train_texts', epochs => 3);
ROLLBACK;
-- options of the user's stay; words that are new have no row of the softmax, but characters
SELECT set_model_option('elmo_train_on', 'gamma', '2');
SELECT train_elmo('elmo_train_on', $$SELECT 'river of Überraschung and 日本語' UNION ALL SELECT 'bank'$$, from_model => 'elmo_train_on', replace => true, epochs => 1, batch => 2,
	held_out => 0, seed => 1, workers => 1);
SELECT array_to_string(options, ' ') FROM embed_models() WHERE model = 'elmo_train_on'::regclass;

-- ---------- the mix ----------
-- whether the words before and behind are of one kind is told by layers, not by characters
SELECT weights[1] < weights[2] OR weights[1] < weights[3] AS context_counts, array_length(weights, 1)
FROM (SELECT tune_mix('elmo_train_senses', $$SELECT regexp_replace(body, ' bank ', ' x '), i % 2 FROM elmo_train_texts WHERE i <= 100$$) AS weights) t;
SELECT (SELECT count(*) FROM unnest(options) o WHERE o LIKE 'layer_weights=%' OR o LIKE 'gamma=%') FROM embed_models() WHERE model = 'elmo_train_senses'::regclass;
SELECT array_length(tune_mix('elmo_train_senses', $$SELECT a.body, b.body, ((a.i + b.i) % 2)::real FROM elmo_train_texts a, elmo_train_texts b WHERE a.i <= 8 AND b.i <= 8$$,
	task => 'similarity'), 1);
SELECT o FROM embed_models() m, unnest(m.options) o WHERE m.model = 'elmo_train_senses'::regclass AND o LIKE 'gamma=%';
SELECT tune_mix('elmo_train_senses', 'SELECT body FROM elmo_train_texts');
SELECT tune_mix('elmo_train_senses', 'SELECT body, 1 FROM elmo_train_texts LIMIT 5');
SELECT tune_mix('elmo_train_senses', 'SELECT body, body, ''NaN''::float8 FROM elmo_train_texts LIMIT 5', 'similarity');
SELECT tune_mix('elmo_train_senses', 'SELECT body, body, 1 FROM elmo_train_texts LIMIT 5', 'similarity');
SELECT tune_mix('elmo_train_senses', 'SELECT body, i FROM elmo_train_texts LIMIT 5', 'regression');
SELECT tune_mix(NULL, 'SELECT body, i FROM elmo_train_texts LIMIT 5');
SELECT set_model_option('elmo_train_senses', 'pooling', 'max');
SELECT tune_mix('elmo_train_senses', 'SELECT body, i FROM elmo_train_texts LIMIT 5');

-- ---------- bad input ----------
SELECT train_elmo('elmo_train_two', 'SELECT 1::text');
SELECT train_elmo('elmo_train_bad', 'SELECT '''' ');
SELECT train_elmo('elmo_train_bad', 'SELECT NULL::text');
SELECT train_elmo('elmo_train_bad', 'SELECT 1');
SELECT train_elmo('elmo_train_bad', NULL);
SELECT train_elmo('elmo_train_bad', 'SELECT ''a''', dims => 7);
SELECT train_elmo('elmo_train_bad', 'SELECT ''a''', dims => 0);
SELECT train_elmo('elmo_train_bad', 'SELECT ''a''', learning_rate => 'NaN');
SELECT train_elmo('elmo_train_bad', 'SELECT ''a''', dropout => 1);
SELECT train_elmo('elmo_train_bad', 'SELECT ''a''', held_out => 0.6);
SELECT train_elmo('elmo_train_bad', 'SELECT ''a''', epochs => 0);
SELECT train_elmo('elmo_train_bad', 'SELECT ''a''', workers => 0);
SELECT train_elmo('elmo_train_bad', 'SELECT ''a''', filters => '{1,2}');
SELECT train_elmo('elmo_train_bad', 'SELECT ''a''', filters => '{{1,NULL}}');
SELECT train_elmo('elmo_train_bad', 'SELECT ''a''', filters => '{{51,2}}');
SELECT train_elmo('elmo_train_bad', 'SELECT ''a''', filters => '{{1,0}}');
SELECT train_elmo('elmo_train_bad', 'SELECT ''a''', filters => '{}');
SELECT train_elmo('elmo_train_bad', 'SELECT ''a''', from_model => 'elmo_train_texts');
SELECT train_elmo('elmo_train_bad', 'SELECT ''a''', from_model => 'elmo_train_two', dims => 10);
SELECT train_elmo('elmo_train_bad', 'SELECT ''a''', from_model => 'elmo_train_two', filters => '{{1,4}}');
SET maintenance_work_mem = '1MB';
DO $$BEGIN
	PERFORM train_elmo('elmo_train_bad', 'SELECT body FROM elmo_train_texts');
EXCEPTION WHEN configuration_limit_exceeded THEN
	RAISE NOTICE '%', SQLERRM;
END$$;
RESET maintenance_work_mem;
SELECT to_regclass('elmo_train_bad') AS left_behind;
-- a state that somebody has changed
UPDATE elmo_train_two SET data = set_byte(data, 8, 9) WHERE name = 'training.state';
SELECT elmo_train('elmo_train_two', 1, from_model => 'elmo_train_two');
UPDATE elmo_train_two SET data = substring(set_byte(data, 8, 1) FROM 1 FOR 100), shape = '{100}' WHERE name = 'training.state';
SELECT elmo_train('elmo_train_two', 1, from_model => 'elmo_train_two');
UPDATE elmo_train_two SET data = substring(data FROM 1 FOR 20), shape = '{20}' WHERE name = 'training.state';
SELECT elmo_train('elmo_train_two', 1, from_model => 'elmo_train_two');

DROP TABLE elmo_train_senses, elmo_train_two, elmo_train_same, elmo_train_other, elmo_train_on, elmo_train_workers, elmo_train_epochs, elmo_train_texts;
DROP FUNCTION elmo_train_senses(bigint), elmo_train(text, integer, bigint, regclass, integer), elmo_train_equal(regclass, regclass);
