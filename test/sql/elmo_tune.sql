-- Would fail if the mix of an ELMo's layers were not what tune_model finds, if
-- anything else of the model had changed, or if its training did not go on.
SET embed.progress = off;
SET maintenance_work_mem = '256MB';
CREATE TABLE elmo_tune_texts AS
SELECT i, string_agg((ARRAY['river', 'water', 'boat', 'fish', 'mud', 'stream', 'money', 'loan', 'cash', 'debt'])[1 + ('x' || substr(md5(i || ' ' || j), 1, 4))::bit(16)::integer % 10], ' ' ORDER BY j) AS body
FROM generate_series(1, 120) i, generate_series(1, 6) j GROUP BY i;
SELECT train_elmo('elmo_tune_base', 'SELECT body FROM elmo_tune_texts ORDER BY i', dims => 8, hidden => 12, filters => '{{1,4},{2,6}}', min_count => 1, epochs => 1, batch => 8,
	window_size => 6, held_out => 0, workers => 1, seed => 1) IS NOT NULL AS trained;

-- scores that the second layer alone gives: the mix becomes that layer
CREATE TABLE elmo_tune_scores AS SELECT a.body AS sentence1, b.body AS sentence2,
	cosine_similarity(elmo_embed('elmo_tune_base', a.body, layers => '{2}'), elmo_embed('elmo_tune_base', b.body, layers => '{2}')) AS score
FROM elmo_tune_texts a JOIN elmo_tune_texts b ON b.i = a.i % 97 + 20;
SELECT tune_model('elmo_tune_mix', 'elmo_tune_base', 'TABLE elmo_tune_scores', loss => 'cosine_similarity', epochs => 60, learning_rate => 0.1, seed => 1);
SELECT weights[3] - greatest(weights[1], weights[2]) > 1 AS second_layer, history.before < 0.99 AND history.after > history.before AS better
FROM (SELECT string_to_array(substring(array_to_string(options, ';') FROM 'layer_weights=([^;]*)'), ',')::float8[] AS weights FROM embed_models() WHERE model = 'elmo_tune_mix'::regclass) m,
	(SELECT max(value) FILTER (WHERE epoch = 0) AS before, max(value) FILTER (WHERE epoch = 60) AS after FROM tuning_history('elmo_tune_mix')) history;
-- the folder is the base's, and vectors are those of the mix that it says
SELECT count(*) FILTER (WHERE a.data = b.data) AS same, count(*) FILTER (WHERE a.data <> b.data) AS differ FROM model_files('elmo_tune_mix') a JOIN model_files('elmo_tune_base') b USING (name);
SELECT max(l2_distance(embed('elmo_tune_mix', body), elmo_embed('elmo_tune_base', body, layer_weights => weights, gamma => gamma))) < 1e-5 AS alike
FROM elmo_tune_texts, (SELECT string_to_array(substring(array_to_string(options, ';') FROM 'layer_weights=([^;]*)'), ',')::float8[] AS weights, substring(array_to_string(options, ';') FROM 'gamma=([^;]*)')::float8 AS gamma FROM embed_models() WHERE model = 'elmo_tune_mix'::regclass) m;
-- it goes on from its mix; texts alone
SELECT tune_model('elmo_tune_again', 'elmo_tune_mix', 'SELECT body AS text FROM elmo_tune_texts', learning_rate => 1e-12, held_out => 0, seed => 1);
SELECT max(l2_distance(embed('elmo_tune_mix', body), embed('elmo_tune_again', body))) < 1e-5 AS alike FROM elmo_tune_texts;
-- the language model goes on with other text, as by train_elmo
SELECT tune_model('elmo_tune_on', 'elmo_tune_base', 'SELECT body FROM elmo_tune_texts WHERE i < 60 ORDER BY i', method => 'continue', epochs => 2, workers => 1, seed => 3) IS NOT NULL AS goes_on;
SELECT train_elmo('elmo_tune_same', 'SELECT body FROM elmo_tune_texts WHERE i < 60 ORDER BY i', from_model => 'elmo_tune_base', epochs => 2, workers => 1, seed => 3) IS NOT NULL AS trained;
SELECT count(*) FILTER (WHERE a.data <> b.data) AS differ FROM model_files('elmo_tune_on') a JOIN model_files('elmo_tune_same') b USING (name);
-- what cannot be
SELECT tune_model('elmo_tune_none', 'elmo_tune_base', 'TABLE elmo_tune_scores', method => 'rows');
SELECT set_model_option('elmo_tune_base', 'pooling', 'max');
SELECT tune_model('elmo_tune_none', 'elmo_tune_base', 'TABLE elmo_tune_scores');
DROP TABLE elmo_tune_texts, elmo_tune_scores, elmo_tune_base, elmo_tune_mix, elmo_tune_again, elmo_tune_on, elmo_tune_same;
