-- Would fail if tuning moved other weights of an ELMo than those asked for, if it
-- did not gain, or if the model were not the base's folder with these weights.
SET embed.progress = off;
SET maintenance_work_mem = '256MB';
CREATE TABLE elmo_weights_texts AS
SELECT i, string_agg((ARRAY['river', 'water', 'boat', 'fish', 'mud', 'stream', 'money', 'loan', 'cash', 'debt'])[1 + ('x' || substr(md5(i || ' ' || j), 1, 4))::bit(16)::integer % 10], ' ' ORDER BY j) AS body
FROM generate_series(1, 120) i, generate_series(1, 6) j GROUP BY i;
SELECT train_elmo('elmo_weights', 'SELECT body FROM elmo_weights_texts ORDER BY i', dims => 16, hidden => 24, filters => '{{1,4},{2,6}}', min_count => 1, epochs => 1, batch => 8,
	window_size => 6, held_out => 0, workers => 1, seed => 1) IS NOT NULL AS trained;
SELECT set_model_option('elmo_weights', 'layer_weights', '0.5, 0, -0.5');
SELECT set_model_option('elmo_weights', 'gamma', '1.5');
-- texts are about whatever more of their words are of; the same are near to each other
CREATE TABLE elmo_weights_labels AS SELECT body AS text, CASE WHEN (SELECT count(*) FROM regexp_matches(body, '(river|water|boat|fish|mud|stream)', 'g')) > 3 THEN 'river' ELSE 'bank' END AS label FROM elmo_weights_texts;
CREATE TABLE elmo_weights_pairs AS SELECT a.text AS anchor, b.text AS positive FROM elmo_weights_labels a JOIN LATERAL (SELECT text FROM elmo_weights_labels b WHERE b.label = a.label AND b.text > a.text ORDER BY text LIMIT 1) b ON true;
CREATE TABLE elmo_weights_scores AS SELECT a.text AS sentence1, b.text AS sentence2, (a.label = b.label)::integer::float8 AS score
FROM elmo_weights_labels a JOIN elmo_weights_labels b ON md5(a.text || b.text) < '08' AND a.text <> b.text;
CREATE FUNCTION elmo_weights_gain(tuned regclass) RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN bool_and(after > before) THEN 'better' ELSE string_agg(format('%s %s to %s', metric, before, after), ', ') END
	FROM (SELECT metric, (array_agg(value ORDER BY epoch))[1] AS before, max(value) AS after FROM tuning_history(tuned) WHERE metric IN ('spearman', 'accuracy', 'mrr') GROUP BY metric) m $$;

-- by scores, labels and pairs; the way there is kept
SELECT tune_model('elmo_weights_scored', 'elmo_weights', 'TABLE elmo_weights_scores', method => 'projections', epochs => 6, learning_rate => 0.01, patience => 6, seed => 1);
SELECT tune_model('elmo_weights_labelled', 'elmo_weights', 'TABLE elmo_weights_labels', method => 'projections', epochs => 10, learning_rate => 0.01, held_out => 0.3, patience => 10, seed => 1);
SELECT tune_model('elmo_weights_paired', 'elmo_weights', 'TABLE elmo_weights_pairs', method => 'full', epochs => 10, learning_rate => 0.01, held_out => 0.3, patience => 10, seed => 1);
SELECT elmo_weights_gain('elmo_weights_scored') AS scored, elmo_weights_gain('elmo_weights_labelled') AS labelled, elmo_weights_gain('elmo_weights_paired') AS paired;

-- only the weights differ; a rate of nothing changes nothing, and a layer before all that moves is the base's
SELECT name, a.data = b.data AS same FROM model_files('elmo_weights_scored') a JOIN model_files('elmo_weights') b USING (name) ORDER BY name;
SELECT array_to_string(a.options, ';') ~ 'layer_weights=0.5, 0, -0.5' AND array_to_string(a.options, ';') ~ 'gamma=1.5' AS mix_stays FROM embed_models() a WHERE model = 'elmo_weights_scored'::regclass;
SELECT tune_model('elmo_weights_still', 'elmo_weights', 'TABLE elmo_weights_scores', method => 'full', learning_rate => 1e-12, weight_decay => 0, held_out => 0, seed => 1);
SELECT max(l2_distance(embed('elmo_weights', body), embed('elmo_weights_still', body))) < 1e-6 AS alike FROM elmo_weights_texts;
SELECT tune_model('elmo_weights_frozen', 'elmo_weights', 'TABLE elmo_weights_pairs', method => 'full', frozen_embeddings => true, learning_rate => 0.01, seed => 1, held_out => 0);
SELECT layer, max(l2_distance(a.embedding, b.embedding)) = 0 AS same FROM elmo_weights_texts, elmo_layers('elmo_weights', body) a JOIN elmo_layers('elmo_weights_frozen', body) b USING (position, layer) GROUP BY layer ORDER BY layer;

-- the same seed, the same bits, dropout and pieces with it; another seed drops others
SELECT tune_model('elmo_weights_one', 'elmo_weights', 'SELECT text FROM elmo_weights_labels', method => 'projections', batch => 64, held_out => 0, seed => 7);
SELECT tune_model('elmo_weights_two', 'elmo_weights', 'SELECT text FROM elmo_weights_labels', method => 'projections', batch => 64, held_out => 0, seed => 7);
SELECT tune_model('elmo_weights_other', 'elmo_weights', 'SELECT text FROM elmo_weights_labels', method => 'projections', batch => 64, held_out => 0, seed => 8);
SELECT a.data = b.data AS one_is_two, a.data = c.data AS one_is_other FROM model_files('elmo_weights_one') a JOIN model_files('elmo_weights_two') b USING (name) JOIN model_files('elmo_weights_other') c USING (name) WHERE name = 'weights.hdf5';

-- a text longer than a window is read as when it is embedded, and one that is cut as what is left of it
SET client_min_messages = error;
SELECT tune_model('elmo_weights_long', 'elmo_weights', $$SELECT repeat(a.body || ' ', 350) AS text, embed('elmo_weights', repeat(a.body || ' ', 350))::vector AS vector FROM elmo_weights_texts a WHERE i <= 8$$,
	method => 'projections', learning_rate => 1e-12, held_out => 0.5, seed => 1);
SELECT epoch, metric, value > 0.99999 AS the_same FROM tuning_history('elmo_weights_long');
SELECT tune_model('elmo_weights_short', 'elmo_weights', $$SELECT body || ' ' || md5(body) AS text, embed('elmo_weights', body)::vector AS vector FROM elmo_weights_texts$$,
	method => 'projections', max_length => 6, learning_rate => 1e-12, held_out => 0.5, seed => 1);
SELECT epoch, metric, value > 0.99999 AS the_same FROM tuning_history('elmo_weights_short');
RESET client_min_messages;
-- the language models go on from what was tuned
SELECT tune_model('elmo_weights_on', 'elmo_weights_paired', 'SELECT body FROM elmo_weights_texts', method => 'continue', workers => 1, seed => 1) IS NOT NULL AS goes_on;

-- what cannot be
SELECT tune_model('elmo_weights_none', 'elmo_weights', 'TABLE elmo_weights_pairs', method => 'low_rank');
SELECT tune_model('elmo_weights_none', 'elmo_weights', 'TABLE elmo_weights_pairs', method => 'projections', workers => 2);
SELECT tune_model('elmo_weights_none', 'elmo_weights', 'TABLE elmo_weights_pairs', method => 'projections', targets => '{query}');
SELECT tune_model('elmo_weights_none', 'elmo_weights', 'TABLE elmo_weights_pairs', method => 'projections', frozen_embeddings => true);
SELECT tune_model('elmo_weights_none', 'elmo_weights', 'TABLE elmo_weights_pairs', max_length => 5);
SET maintenance_work_mem = '1MB';
SELECT tune_model('elmo_weights_none', 'elmo_weights', 'TABLE elmo_weights_pairs', method => 'full');
RESET maintenance_work_mem;
SELECT set_model_option('elmo_weights', 'layer_norm', 'true');
SELECT tune_model('elmo_weights_none', 'elmo_weights', 'TABLE elmo_weights_pairs', method => 'projections');
SELECT set_model_option('elmo_weights', 'layer_norm', 'false');
SELECT set_model_option('elmo_weights', 'pooling', 'max');
SELECT tune_model('elmo_weights_none', 'elmo_weights', 'TABLE elmo_weights_pairs', method => 'projections');
SELECT to_regclass('elmo_weights_none') IS NULL AS nothing_left;
DROP FUNCTION elmo_weights_gain;
DROP TABLE elmo_weights_texts, elmo_weights_labels, elmo_weights_pairs, elmo_weights_scores, elmo_weights, elmo_weights_scored, elmo_weights_labelled, elmo_weights_paired, elmo_weights_still,
	elmo_weights_frozen, elmo_weights_one, elmo_weights_two, elmo_weights_other, elmo_weights_long, elmo_weights_short, elmo_weights_on;
