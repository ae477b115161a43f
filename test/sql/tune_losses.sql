-- Would fail if a loss, a distance, sizes of vectors, an optimizer, a schedule or
-- weights of tokens that tune_model takes were not what is computed.
SET embed.progress = off;
SET extra_float_digits = 0;
CREATE TABLE losses_words (id integer, word text, documents bigint, occurrences bigint, vector vector(8));
INSERT INTO losses_words VALUES (0, NULL, NULL, NULL, NULL);
INSERT INTO losses_words SELECT n, 'w' || n, 1, 1, (SELECT array_agg(sin(n * d * d + d)) FROM generate_series(1, 8) d)::real[]::vector FROM generate_series(1, 60) n;
SELECT register_model('losses_words', 'word2vec', 'embed_words');

-- ---------- labels of two texts ----------
-- the sum of two words says yes, their difference is large where it says no
CREATE TABLE losses_relations AS SELECT format('w%s w%s', a, b) AS sentence1, format('w%s w%s', c, d) AS sentence2,
	CASE WHEN (a + b) % 3 = (c + d) % 3 THEN 'yes' WHEN (a + b) % 3 = (c + d + 1) % 3 THEN 'maybe' ELSE 'no' END AS label
FROM generate_series(1, 200) n, LATERAL (SELECT n * 7 % 20 + 1 AS a, n * 11 % 20 + 21 AS b, n * 13 % 20 + 1 AS c, n * 17 % 20 + 21 AS d) x;
SELECT tune_model('losses_tuned', 'losses_words', 'TABLE losses_relations', epochs => 60, learning_rate => 0.02, batch => 16, seed => 1);
SELECT DISTINCT metric FROM tuning_history('losses_tuned');
SELECT round(min(loss)::numeric, 1) < 0.9 AS learns, round(max(loss) FILTER (WHERE epoch = 1)::numeric) AS begins, -- log 3 = 1.0986
	max(value) FILTER (WHERE epoch > 40) > max(value) FILTER (WHERE epoch = 0) AS gains FROM tuning_history('losses_tuned');
SELECT tune_model('losses_none', 'losses_words', 'TABLE losses_relations', loss => 'cosent');
SELECT tune_model('losses_none', 'losses_words', 'SELECT sentence1 AS anchor, sentence2 AS positive FROM losses_relations', loss => 'softmax');
SELECT tune_model('losses_none', 'losses_words', 'TABLE losses_relations', matryoshka => '{8,4}');
SELECT tune_model('losses_none', 'losses_words', $$SELECT sentence1, sentence2, 'one' AS label FROM losses_relations$$);

-- ---------- sizes of vectors ----------
-- the loss of sizes is the sum of the losses of vectors cut to them: at the start, the base's own
CREATE TABLE losses_pairs AS SELECT format('w%s w%s', n, n % 29 + 1) AS anchor, format('w%s', n % 30 + 31) AS positive, format('w%s w3', n % 25 + 31) AS negative FROM generate_series(1, 30) n;
CREATE FUNCTION losses_first(VARIADIC arguments text[]) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE loss numeric;
BEGIN
	EXECUTE format($q$SELECT tune_model('losses_tuned', 'losses_words', 'TABLE losses_pairs', batch => 64, learning_rate => 1e-12, held_out => 0, seed => 1, replace => true%s)$q$,
		(SELECT string_agg(', ' || a, '') FROM unnest(arguments) a));
	SELECT round(h.loss::numeric, 5) INTO loss FROM tuning_history('losses_tuned') h WHERE epoch = 1;
	RETURN loss;
END $$;
SELECT losses_first('loss => NULL') = losses_first($$matryoshka => '{8}'$$) AS whole,
	abs(losses_first($$matryoshka => '{8,3}'$$) - losses_first($$matryoshka => '{8}'$$) - losses_first($$matryoshka => '{3}'$$)) < 2e-5 AS sum,
	losses_first($$matryoshka => '{3}'$$) <> losses_first($$matryoshka => '{8}'$$) AS differ;
SELECT losses_first($$matryoshka => '{9}'$$);
SELECT losses_first($$matryoshka => '{}'$$);
SELECT losses_first($$matryoshka => '{4,NULL}'$$);

-- ---------- distances of triplets: max(0, d(a, p) - d(a, n) + margin) ----------
SELECT kind, losses_first($$loss => 'triplet', margin => 0.5$$, format('distance => %L', kind)) = round(avg(greatest(0, CASE kind
	WHEN 'cosine' THEN cosine_distance(a, p) - cosine_distance(a, n) WHEN 'euclidean' THEN l2_distance(a, p) - l2_distance(a, n) ELSE l1_distance(a, p) - l1_distance(a, n) END + 0.5))::numeric, 5) AS equal
FROM unnest(ARRAY['cosine', 'euclidean', 'manhattan']) kind, (SELECT embed('losses_words', anchor) AS a, embed('losses_words', positive) AS p, embed('losses_words', negative) AS n FROM losses_pairs) v GROUP BY kind ORDER BY kind;
SELECT losses_first($$distance => 'cosine'$$);
SELECT losses_first($$loss => 'triplet'$$, $$distance => 'nearness'$$);

-- ---------- optimizers, schedules ----------
SELECT kind, tune_model('losses_tuned', 'losses_words', 'TABLE losses_pairs', epochs => 10, learning_rate => 0.05, optimizer => kind, schedule => schedule, held_out => 0, seed => 1, replace => true) IS NOT NULL AS done,
	(SELECT max(loss) FILTER (WHERE epoch = 10) < max(loss) FILTER (WHERE epoch = 1) FROM tuning_history('losses_tuned')) AS learns
FROM (VALUES ('adamw', 'cosine'), ('sgd', 'constant'), ('adagrad', 'linear')) v(kind, schedule);
SELECT tune_model('losses_tuned', 'losses_words', 'TABLE losses_pairs', method => 'layer', epochs => 5, optimizer => 'adafactor', held_out => 0, seed => 1, replace => true) IS NOT NULL AS done;
SELECT tune_model('losses_none', 'losses_words', 'TABLE losses_pairs', optimizer => 'adafactor');
SELECT tune_model('losses_none', 'losses_words', 'TABLE losses_pairs', optimizer => 'lion');
SELECT tune_model('losses_none', 'losses_words', 'TABLE losses_pairs', schedule => 'step');
SELECT tune_model('losses_none', 'losses_words', 'TABLE losses_pairs', schedule => NULL);
SELECT tune_model('losses_none', 'losses_words', 'TABLE losses_pairs', method => 'layer', token_weights => true);
SELECT tune_model('losses_none', 'losses_words', 'TABLE losses_pairs', token_weights => true);

DROP FUNCTION losses_first;
DROP TABLE losses_words, losses_tuned, losses_relations, losses_pairs;
