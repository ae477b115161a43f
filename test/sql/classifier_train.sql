-- Would fail if a classifier's weights were not those of logistic regression,
-- if labels were given otherwise than by them, or if bad input were taken.
SET client_min_messages = warning;
SET embed.progress = off;

-- a published report's numbers: scikit-learn's newton-cholesky, to 1e-3
CREATE TABLE class_points (x vector(2), y int);
INSERT INTO class_points VALUES ('[0,1]', 0), ('[1,3]', 0), ('[2,2]', 0), ('[3,5]', 1), ('[4,4]', 1), ('[5,1]', 1), ('[1,0]', 0),
	('[2,6]', 1), ('[6,6]', 1);
SELECT train_classifier('class_one', 'SELECT x, y FROM class_points');
SELECT attname, format_type(atttypid, atttypmod) AS type, attnotnull FROM pg_attribute WHERE attrelid = 'class_one'::regclass AND attnum > 0 ORDER BY attnum;
-- losses depend on the processor
SELECT regexp_replace(pg_get_triggerdef(oid), 'losses=[-+0-9.e,]+', 'losses=...') FROM pg_trigger WHERE tgrelid = 'class_one'::regclass;
SELECT id, label, round(bias::numeric, 3) AS bias, round(weights[1]::numeric, 3) AS w1, round(weights[2]::numeric, 3) AS w2, examples
FROM class_one ORDER BY id;
SELECT round(probability::numeric, 4) AS probability FROM classify_scores('class_one', '[0,1]'::vector) WHERE label = '1';
SELECT train_classifier('class_small', 'SELECT x, y FROM class_points', c => 0.01);
SELECT round(bias::numeric, 4) AS bias, round(weights[1]::numeric, 4) AS w1, round(weights[2]::numeric, 4) AS w2
FROM class_small WHERE label = '1';
SELECT train_classifier('class_large', 'SELECT x, y FROM class_points', c => 100);
SELECT round(bias::numeric, 2) AS bias, round(weights[1]::numeric, 2) AS w1, round(weights[2]::numeric, 2) AS w2
FROM class_large WHERE label = '1';
-- biases are not penalised: they go to the log-odds ln(1 / 19)
SELECT train_classifier('class_odds', $$SELECT x, n = 1 FROM (SELECT row_number() OVER () AS n, x
	FROM generate_series(1, 5), (VALUES ('[1,2]'::vector), ('[2,1]'), ('[1,1]'), ('[3,1]')) v(x)) p$$, c => 1e-6);
SELECT label, round(bias::numeric, 4) AS bias, examples FROM class_odds WHERE id > 0 ORDER BY id;
-- far from the border nothing overflows
SELECT label, probability FROM classify_scores('class_large', '[-1e30,-1e30]'::vector);
SELECT label, probability FROM classify_scores('class_large', '[1e30,1e30]'::vector);

-- vectors of any type, integers, booleans and texts as labels
SELECT train_classifier('class_sparse', 'SELECT x::sparsevec, CASE y WHEN 1 THEN ''yes'' ELSE ''no'' END FROM class_points');
SELECT max(abs(a.weights[i] - b.weights[i])) < 1e-4 AS same FROM class_one a JOIN class_sparse b USING (id), generate_series(1, 2) i;
SELECT classify('class_sparse', '[6,6]'::vector) AS dense, classify('class_sparse', '{1:6,2:6}/2'::sparsevec) AS sparse;
SELECT train_classifier('class_sparse', 'SELECT x::halfvec, y = 1 FROM class_points', replace => true);
SELECT label FROM class_sparse WHERE id > 0 ORDER BY id;

-- the blanks of character(n) are no part of a label
SELECT train_classifier('class_padded', 'SELECT x, CASE y WHEN 1 THEN ''yes'' ELSE ''no'' END::char(5) FROM class_points');
SELECT classify('class_padded', '[6,6]'::vector) = 'yes' AS trimmed;
-- however small the vectors: both labels weigh as much, the weights are the
-- difference of their sums, c / 4 of each
SELECT train_classifier('class_tiny', $$SELECT (x * '[1e-6,1e-6]')::vector, y FROM class_points$$, class_weight => 'balanced');
SELECT max(abs(w.weights[i] / 1e-6 / m.w - 1)) < 1e-3 AS as_expected
FROM class_tiny w, (SELECT i, 9 / 4.0 * (avg((x::real[])[i]) FILTER (WHERE y = 1) - avg((x::real[])[i]) FILTER (WHERE y = 0)) AS w
	FROM class_points, generate_series(1, 2) i GROUP BY i) m WHERE w.label = '1';

-- however far from zero, which the bias takes up; and a c beyond what doubles
-- tell, which ends without a warning
CREATE TABLE class_waves AS SELECT ARRAY[sin(n * 1.7), sin(n * 2.9)]::real[]::vector AS x, (sin(n * 1.7) + sin(n * 2.9) + 0.7 * sin(n * 11.1) > 0)::int AS y FROM generate_series(1, 200) n;
SELECT train_classifier('class_near', 'SELECT x, y FROM class_waves');
SELECT train_classifier('class_far', 'SELECT x + ''[1000,-300]'', y FROM class_waves');
SELECT max(abs(a.weights[i] / b.weights[i] - 1)) < 1e-3 AS same_weights FROM class_near a JOIN class_far b USING (id), generate_series(1, 2) i WHERE a.label = '1';
SELECT train_classifier('class_near', 'SELECT x, y FROM class_waves', c => 1e12, replace => true);

-- three labels: softmax, and one against the rest; weights by frequency
CREATE TABLE class_three AS
SELECT ARRAY[n % 7, (n * 3) % 5, n % 3]::real[]::vector AS x, (ARRAY['red', 'green', 'blue'])[1 + n % 3] AS y FROM generate_series(0, 104) n
UNION ALL SELECT '[1,1,0.4]', 'blue' FROM generate_series(1, 50);
SELECT train_classifier('class_softmax', 'SELECT x, y FROM class_three');
SELECT train_classifier('class_rest', 'SELECT x, y FROM class_three', multi_class => 'one_vs_rest');
SELECT train_classifier('class_balanced', 'SELECT x, y FROM class_three', class_weight => 'balanced');
SELECT label, classify('class_softmax', '[3,2,0]'::vector) AS softmax, round(sum(probability) OVER ()::numeric, 6) AS whole
FROM classify_scores('class_softmax', '[3,2,0]'::vector) ORDER BY label;
SELECT round(sum(probability)::numeric, 6) AS whole FROM classify_scores('class_rest', '[3,2,0]'::vector);
-- the gradient of what is minimized is zero at the weights
SELECT m, max(abs(gradient)) < 1e-3 AS minimum
FROM (SELECT m, l.label, i, l.weights[i] - sum(((t.y = l.label)::int - s.probability) *
		CASE m WHEN 'class_balanced' THEN 155.0 / 3 / CASE t.y WHEN 'blue' THEN 85 ELSE 35 END ELSE 1 END * (t.x::real[])[i]) AS gradient
	FROM (VALUES ('class_softmax'), ('class_balanced')) v(m), class_three t, classify_scores(m::regclass, t.x) s,
		(SELECT 'class_softmax' AS of, * FROM class_softmax UNION ALL SELECT 'class_balanced', * FROM class_balanced) l,
		generate_series(1, 3) i
	WHERE l.of = m AND l.label = s.label
	GROUP BY m, l.label, i, l.weights[i]) g GROUP BY m ORDER BY m;

-- texts, by whatever model makes their vectors
CREATE TABLE class_reviews (id int, body text, mood text);
INSERT INTO class_reviews SELECT n, (ARRAY['a wonderful film', 'a terrible film', 'wonderful acting, great fun', 'terrible acting, a boring film',
	'great fun', 'boring'])[1 + n % 6], CASE n % 2 WHEN 0 THEN 'good' ELSE 'bad' END FROM generate_series(0, 59) n;
SELECT train_vocabulary('class_words', 'SELECT body FROM class_reviews', capacity => 32);
SELECT train_classifier('class_moods', 'SELECT body, mood FROM class_reviews', encoder => 'class_words', features => 'tfidf');
SELECT classify('class_moods', 'What a wonderful, great thing') AS good, classify('class_moods', 'boring and terrible') AS bad,
	classify('class_moods', tfidf('class_words', 'boring')) AS by_vector;
SELECT term, weight > 0 AS positive FROM classifier_terms('class_moods', 'good', 3);
SELECT term FROM classifier_terms('class_moods', 'bad', 2);
SELECT label, probability BETWEEN 0 AND 1 AS probability FROM classify_scores('class_moods', 'unknownword');
SELECT train_classifier('class_counts', 'SELECT body, mood FROM class_reviews', encoder => 'class_words', features => 'count_vector');
SELECT train_classifier('class_bm25', 'SELECT body, mood FROM class_reviews', encoder => 'class_words', features => 'bm25_document');
SELECT train_word2vec('class_w2v', 'SELECT body FROM class_reviews', dims => 8, min_count => 1, epochs => 5, workers => 1, seed => 1);
SELECT train_classifier('class_embed', 'SELECT body, mood FROM class_reviews', encoder => 'class_w2v', c => 1e4);
SELECT classify('class_counts', 'great fun') AS counts, classify('class_bm25', 'great fun') AS bm25, classify('class_embed', 'great fun') AS embed;
-- a new encoder under the same name is seen at once, in the same plan too
PREPARE class_ask AS SELECT classify('class_moods', 'terrible');
EXECUTE class_ask;
EXECUTE class_ask;
UPDATE class_words SET term = 'swapped' WHERE term = 'terrible';
UPDATE class_words SET term = CASE term WHEN 'great' THEN 'terrible' ELSE 'gone' END WHERE term IN ('great', 'fun');
EXECUTE class_ask;
DEALLOCATE class_ask;

-- judged: scikit-learn's definitions
CREATE VIEW class_judged AS SELECT x, CASE WHEN x = '[3,5]' THEN 0 ELSE y END AS y FROM class_points;
SELECT label, round(precision::numeric, 4) AS precision, round(recall::numeric, 4) AS recall, round(f1::numeric, 4) AS f1, support
FROM evaluate_classifier('class_one', 'SELECT x, y FROM class_judged');
-- labels that nobody has or gives are no part of the mean; those that the model
-- has not are
SELECT label, round(precision::numeric, 4) AS precision, round(recall::numeric, 4) AS recall, round(f1::numeric, 4) AS f1, support
FROM evaluate_classifier('class_one', 'SELECT x, y FROM class_points WHERE y = 1');
SELECT label, round(precision::numeric, 4) AS precision, round(recall::numeric, 4) AS recall, round(f1::numeric, 4) AS f1, support
FROM evaluate_classifier('class_one', 'SELECT x, y FROM class_points UNION ALL SELECT ''[6,6]'', 7 UNION ALL SELECT ''[0,0]'', 7');
SELECT * FROM classifier_confusion('class_one', 'SELECT x, y FROM class_judged UNION ALL SELECT ''[0,0]'', 7');

-- held out in turn: each is judged by what the others say
SELECT fold, round(accuracy::numeric, 4) AS accuracy, examples FROM cross_validate('SELECT x, y FROM class_three', folds => 3);
SELECT min(accuracy) = 1 AS separable, count(*) AS folds, sum(examples) AS examples
FROM cross_validate($$SELECT ARRAY[n % 2, n % 5]::real[]::vector, n % 2 FROM generate_series(1, 40) n$$, c => 100);
-- labels that the vectors do not tell: no better than chance where all are held out fairly
SELECT avg(accuracy) AS chance
FROM cross_validate($$SELECT ('{' || n || ':1}/100')::sparsevec, n % 2 FROM generate_series(1, 100) n$$, class_weight => 'balanced');
SELECT cross_validate('SELECT x, y FROM class_points', folds => 5);
SELECT cross_validate('SELECT x, y FROM class_points', folds => 1);
SELECT cross_validate('SELECT x, y FROM class_points', folds => NULL);
SELECT cross_validate(NULL);
SELECT cross_validate('SELECT x, 1 FROM class_points');
SELECT cross_validate('SELECT x, y FROM class_points', penalty => 'l1');

-- what cannot be trained, asked or read
SELECT train_classifier('class_bad', 'SELECT x, 1 FROM class_points');
SELECT train_classifier('class_bad', 'SELECT x, y FROM class_points WHERE false');
SELECT train_classifier('class_bad', 'SELECT body, mood FROM class_reviews');
SELECT train_classifier('class_bad', 'SELECT ''zzz'', n FROM generate_series(1, 2) n', encoder => 'class_words', features => 'tfidf');
SELECT train_classifier('class_bad', 'SELECT body, mood FROM class_reviews', encoder => 'class_words');
SELECT train_classifier('class_bad', 'SELECT x FROM class_points');
SELECT train_classifier('class_bad', $$VALUES ('[1]'::vector, 1), ('[1,2]', 2)$$);
SELECT train_classifier('class_bad', $$VALUES ('{1:1}/1000000000'::sparsevec, 1), ('{1:1}/1000000000', 2)$$);
SELECT train_classifier('class_bad', 'SELECT x, y FROM class_points', c => 0);
SELECT train_classifier('class_bad', 'SELECT x, y FROM class_points', c => 'NaN');
SELECT train_classifier('class_bad', 'SELECT x, y FROM class_points', c => 1e308);
SELECT train_classifier('class_bad', $$VALUES ('[1e-40,1e-40]'::vector, 1), ('[-1e-40,1e-40]', 2), ('[1e-40,0]', 1)$$, multi_class => 'nearest');
SELECT train_classifier('class_bad', 'SELECT x, y FROM class_points', penalty => 'l1');
SELECT train_classifier('class_bad', 'SELECT x, y FROM class_points', multi_class => 'all');
SELECT train_classifier('class_bad', 'SELECT x, y FROM class_points', class_weight => 'some');
SELECT train_classifier('class_bad', 'SELECT x, y FROM class_points', features => 'letters');
SELECT train_classifier('class_bad', 'SELECT x, y FROM class_points', features => NULL);
SELECT count(*) FROM pg_class WHERE relname = 'class_bad';
SELECT classify('class_one', '[1,2,3]'::vector);
SELECT classify('class_one', 'text');
SELECT classify('class_w2v', 'text');
SELECT classifier_terms('class_one', '1');
SELECT classifier_terms('class_moods', 'neutral');
SELECT classifier_terms('class_moods', 'good', -1);
SELECT classifier_terms('class_embed', 'good');
SELECT evaluate_classifier('class_one', 'SELECT x, y FROM class_points WHERE false');
SELECT evaluate_classifier('class_one', NULL);
SELECT classifier_confusion('class_one', NULL);
SELECT embed('class_one', 'text');
-- constant vectors, and equal ones with both labels, have an answer
SELECT train_classifier('class_flat', $$VALUES ('[1,1]'::vector, 'a'), ('[1,1]', 'b'), ('[0,0]', 'a'), ('[0,0]', 'b')$$);
SELECT round(probability::numeric, 4) AS probability FROM classify_scores('class_flat', '[1,1]'::vector);
SET maintenance_work_mem = '1MB';
SELECT train_classifier('class_bad', $$SELECT ('{' || 1 + n % 8000 || ':1}/8000')::sparsevec, n % 2 FROM generate_series(1, 9000) n$$);
RESET maintenance_work_mem;
UPDATE class_flat SET weights = '{1}' WHERE id = 2;
SELECT classify('class_flat', '[1,1]'::vector);
UPDATE class_flat SET weights = '{1,NULL}' WHERE id = 2;
SELECT classify('class_flat', '[1,1]'::vector);
UPDATE class_flat SET weights = '{1,Infinity}' WHERE id = 2;
SELECT classify('class_flat', '[1,1]'::vector);
DELETE FROM class_flat WHERE id > 0;
SELECT classify('class_flat', '[1,1]'::vector);
DROP TABLE class_words;
SELECT classify('class_moods', 'great');

DROP VIEW class_judged;
DROP TABLE class_points, class_one, class_small, class_large, class_odds, class_sparse, class_three, class_softmax, class_rest,
	class_balanced, class_tiny, class_padded, class_waves, class_near, class_far, class_reviews, class_moods, class_counts, class_bm25, class_w2v, class_embed, class_flat;
