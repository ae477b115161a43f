-- Would fail if tuning did not bring pairs together, if it changed its base or
-- rows that no example has, or if what it tells of itself were not true.
SET embed.progress = off;
SET extra_float_digits = 0;

-- ---------- a word model, made here: no word is like another ----------
CREATE TABLE tune_words (id integer, word text, documents bigint, occurrences bigint, vector vector(16));
INSERT INTO tune_words VALUES (0, NULL, 100, 1000, NULL);
INSERT INTO tune_words
	SELECT n, (ARRAY['a', 'b', 'z'])[1 + (n - 1) / 12] || 1 + (n - 1) % 12, 10, 20,
		(SELECT array_agg((((n * 7919 + d * 104729) % 1009) * (n + d) % 997)::real / 997 - 0.5 ORDER BY d) FROM generate_series(1, 16) d)::real[]::vector
	FROM generate_series(1, 36) n;
SELECT register_model('tune_words', 'word2vec', 'embed_words');
-- texts of a's belong to texts of the same b's
CREATE TABLE tune_pairs AS
	SELECT format('a%s a%s', i, j) AS anchor, format('b%s b%s', j, i) AS positive, format('b%s b%s', 1 + i % 12, 1 + j % 12) AS negative
	FROM generate_series(1, 12) i, generate_series(1, 12) j WHERE i < j;
CREATE TABLE tune_before AS SELECT * FROM tune_words;

SELECT tune_model('tune_one', 'tune_words', 'SELECT anchor, positive FROM tune_pairs', epochs => 12, learning_rate => 0.05, seed => 7);
-- the base is as it was; the new model has the same words
SELECT count(*) FROM (TABLE tune_words EXCEPT TABLE tune_before) changed;
SELECT count(*) AS rows, count(*) FILTER (WHERE o.vector = w.vector) AS same, count(*) FILTER (WHERE o.vector = w.vector AND w.word LIKE 'z%') AS same_z,
	bool_and(o.vector IS NULL) FILTER (WHERE id = 0) AS header
FROM tune_words w JOIN tune_one o USING (id) WHERE (w.word, w.documents, w.occurrences) IS NOT DISTINCT FROM (o.word, o.documents, o.occurrences);
SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'tune_one'::regclass AND attname = 'vector';
SELECT method, dims, rows, config, options FROM embed_models(count_rows => true) WHERE model = 'tune_one'::regclass;
-- what was held out is found, and was not before; the curve says so
SELECT min(epoch) AS first, max(epoch) AS last, max(step) AS steps, count(*) AS points, count(DISTINCT metric) AS metrics, count(loss) AS losses,
	bool_and(seconds >= 0) AS seconds FROM tuning_history('tune_one');
SELECT metric, max(value) FILTER (WHERE epoch = 0) < 0.4 AS before, max(value) FILTER (WHERE epoch = 12) > 0.8 AS after FROM tuning_history('tune_one') GROUP BY metric ORDER BY metric;
SELECT metric, (SELECT loss FROM tuning_history('tune_one') WHERE epoch = 12 LIMIT 1) < loss AS falls FROM tuning_history('tune_one') WHERE epoch = 1;
SELECT count(*) FILTER (WHERE nearest) > 60 AS most FROM (
	SELECT p.anchor, (SELECT q.positive FROM tune_pairs q ORDER BY embed('tune_one', p.anchor) <=> embed('tune_one', q.positive) LIMIT 1) = p.positive AS nearest FROM tune_pairs p) f;
SELECT * FROM tuning_history('tune_words');

-- ---------- the same seed, the same model ----------
SELECT tune_model('tune_two', 'tune_words', 'SELECT anchor, positive FROM tune_pairs', epochs => 12, learning_rate => 0.05, seed => 7);
SELECT tune_model('tune_three', 'tune_words', 'SELECT anchor, positive FROM tune_pairs', epochs => 12, learning_rate => 0.05, seed => 8);
SELECT count(*) FILTER (WHERE o.vector = t.vector) AS same, count(*) FILTER (WHERE o.vector = r.vector) AS other
FROM tune_one o JOIN tune_two t USING (id) JOIN tune_three r USING (id);

-- ---------- patience keeps the best epoch ----------
SELECT tune_model('tune_two', 'tune_words', 'SELECT anchor, positive FROM tune_pairs', epochs => 100, learning_rate => 0.05, patience => 3, seed => 7, replace => true);
SELECT max(epoch) < 100 AS stopped,
	max(epoch) - (SELECT epoch FROM tuning_history('tune_two') WHERE metric = 'mrr' ORDER BY value DESC, epoch LIMIT 1) AS after_the_best FROM tuning_history('tune_two');

-- ---------- nothing held out: nothing measured ----------
SELECT tune_model('tune_two', 'tune_words', 'SELECT anchor, positive FROM tune_pairs', epochs => 2, held_out => 0, seed => 7, replace => true);
SELECT epoch, loss IS NULL AS no_loss, metric, value FROM tuning_history('tune_two');

-- ---------- hard negatives, and every loss of every kind of example ----------
CREATE FUNCTION tune_gain(examples text, loss text DEFAULT NULL, method text DEFAULT NULL) RETURNS TABLE (metric text, better boolean) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM tune_model('tune_other', 'tune_words', examples, loss => loss, method => method, epochs => 12, batch => 8,
		learning_rate => CASE method WHEN 'layer' THEN 0.01 ELSE 0.05 END, rank => CASE method WHEN 'layer' THEN 16 ELSE 8 END, seed => 3, replace => true);
	RETURN QUERY SELECT h.metric, max(h.value) FILTER (WHERE h.epoch = 12) > max(h.value) FILTER (WHERE h.epoch = 0)
		FROM tuning_history('tune_other') h GROUP BY h.metric ORDER BY h.metric;
END $$;
SELECT loss, g.* FROM unnest('{multiple_negatives_ranking,multiple_negatives_symmetric_ranking,triplet}'::text[]) loss,
	tune_gain('SELECT anchor, positive, negative FROM tune_pairs', loss) g;
SELECT * FROM tune_gain('SELECT anchor, positive, negative, format(''z%s'', 1 + length(anchor)) AS negative_2 FROM tune_pairs');
CREATE TABLE tune_scores AS
	SELECT anchor AS sentence1, positive AS sentence2, 1 AS score FROM tune_pairs UNION ALL SELECT anchor, negative, 0 FROM tune_pairs;
SELECT loss, g.* FROM unnest('{cosent,cosine_similarity,contrastive,online_contrastive}'::text[]) loss, tune_gain('TABLE tune_scores', loss) g;
CREATE TABLE tune_labels AS
	SELECT format('%s%s z%s', letter, i, j) AS text, letter AS label FROM unnest('{a,b}'::text[]) letter, generate_series(1, 12) i, generate_series(1, 6) j;
SELECT loss, g.* FROM unnest('{cosine_similarity,cosent,contrastive}'::text[]) loss, tune_gain('TABLE tune_labels', loss) g;
-- labels may be numbers
SELECT * FROM tune_gain('SELECT text, (label = ''a'')::int AS label FROM tune_labels');
-- a teacher's vectors: those of another model
SELECT * FROM tune_gain('SELECT anchor AS text, embed(''tune_one'', anchor) AS vector FROM tune_pairs');
-- texts alone: one twice, each time without some of its words
SET client_min_messages = error;
SELECT metric FROM tune_gain('SELECT anchor || '' '' || positive AS text FROM tune_pairs');
RESET client_min_messages;

-- ---------- a layer: every vector times one matrix ----------
SELECT * FROM tune_gain('SELECT anchor, positive FROM tune_pairs', method => 'layer');
-- the rows are the base's times the matrix: sums stay sums
SELECT bool_and(abs(o - (p + q)) < 1e-5) AS linear FROM (SELECT unnest((SELECT vector::real[] FROM tune_other WHERE word = 'a1')) + unnest((SELECT vector::real[] FROM tune_other WHERE word = 'a2')) AS o,
	unnest((embed('tune_other', 'a1') + embed('tune_other', 'a2'))::real[]) AS p, 0 AS q) s;
-- it begins as nothing at all
SELECT tune_model('tune_other', 'tune_words', 'SELECT anchor, positive FROM tune_pairs', method => 'layer', learning_rate => 1e-12, held_out => 0, seed => 1, replace => true);
SELECT max(l2_distance(o.vector, w.vector)) < 1e-6 AS as_before FROM tune_other o JOIN tune_words w USING (id);
-- and moves those words, too, that no example has
SELECT tune_model('tune_other', 'tune_words', 'SELECT anchor, positive FROM tune_pairs', method => 'layer', rank => NULL, held_out => 0, seed => 1, replace => true);
SELECT count(*) FILTER (WHERE o.vector <> w.vector) AS moved FROM tune_other o JOIN tune_words w USING (id) WHERE w.word LIKE 'z%';

-- ---------- subwords: an unseen word moves its n-grams ----------
SELECT train_word2vec('tune_grams', 'SELECT ''walking walked talking talked reading reader''::text FROM generate_series(1, 20)', dims => 8, min_count => 1,
	min_n => 3, max_n => 4, buckets => 2000, epochs => 1, seed => 1, workers => 1);
SELECT tune_model('tune_grams_two', 'tune_grams', 'SELECT ''walks'' AS anchor, ''talks'' AS positive UNION ALL SELECT ''reads'', ''readers''', held_out => 0, seed => 1);
SELECT count(*) FILTER (WHERE a.id >= 1000000000 AND a.vector <> b.vector) > 0 AS buckets_moved, count(*) FILTER (WHERE a.word = 'walking' AND a.vector <> b.vector) AS words_moved,
	count(*) = (SELECT count(*) FROM tune_grams) AS all_there FROM tune_grams a JOIN tune_grams_two b USING (id);
SELECT embed('tune_grams', 'walks') <> embed('tune_grams_two', 'walks') AS moved;

-- ---------- poolings: weights of words are those of the model ----------
SELECT set_model_option('tune_words', 'pooling', 'sif');
SELECT tune_model('tune_other', 'tune_words', 'SELECT anchor, positive FROM tune_pairs', epochs => 4, seed => 1, replace => true);
SELECT options FROM embed_models() WHERE model = 'tune_other'::regclass;
SELECT set_model_option('tune_words', 'pooling', NULL);

-- ---------- LSA: a layer in its terms ----------
SELECT train_vocabulary('tune_terms', 'SELECT anchor || '' '' || positive FROM tune_pairs');
SELECT train_lsa('tune_lsa', 'tune_terms', 'SELECT anchor || '' '' || positive FROM tune_pairs', dims => 8, seed => 1);
SELECT tune_model('tune_lsa_two', 'tune_lsa', 'SELECT anchor, positive FROM tune_pairs', learning_rate => 0.01, epochs => 4, held_out => 0, seed => 1);
SELECT count(*) AS terms, count(*) FILTER (WHERE a.vector = b.vector) AS same, bool_and(a.weight = b.weight) AS weights, bool_and(a.vector = b.vector) FILTER (WHERE id = 0) AS header
FROM tune_lsa a JOIN tune_lsa_two b USING (id, weight);

-- ---------- more text: the training goes on ----------
SELECT tune_model('tune_more', 'tune_words', 'SELECT anchor || '' newword newword newword newword newword'' FROM tune_pairs', method => 'continue', seed => 1, workers => 1);
SELECT method, dims FROM embed_models() WHERE model = 'tune_more'::regclass;
SELECT id, word FROM tune_more WHERE id > 36;

-- ---------- the option is text that anybody may write ----------
CREATE TABLE tune_hand (LIKE tune_words);
INSERT INTO tune_hand TABLE tune_words;
SELECT register_model('tune_hand', 'word2vec', 'embed_words', 'tuning=0,0,,mrr,0.5,0.1;nonsense;1,-2,a,mrr,b,c;1,4,0.25,,,0.5;99999999999,1,,,,1');
SELECT * FROM tuning_history('tune_hand');
SELECT set_model_option('tune_hand', 'pooling', 'tfidf');
SELECT count(*) FROM tuning_history('tune_hand');
SELECT set_model_option('tune_hand', 'tuning', '');

DROP TABLE tune_words, tune_one, tune_two, tune_three, tune_other, tune_grams, tune_grams_two, tune_lsa, tune_lsa_two, tune_terms, tune_more, tune_hand,
	tune_pairs, tune_before, tune_scores, tune_labels;
DROP FUNCTION tune_gain;
