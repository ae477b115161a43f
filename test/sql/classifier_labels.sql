-- Would fail if a classifier of several labels a row, or by the nearest mean,
-- gave other labels than it should, or if labels of both kinds were mixed.
SET client_min_messages = warning;
SET embed.progress = off;

-- the nearest mean: weights and biases by hand, divided by the variance around
-- the means, ((1 + 1) + (1 + 1) + 0) / ((5 - 3) * 2) = 1
CREATE TABLE labels_near (e vector(2), kind text);
INSERT INTO labels_near VALUES ('[1,0]', 'a'), ('[3,0]', 'a'), ('[0,5]', 'b'), ('[0,3]', 'b'), ('[-4,-4]', 'c');
SELECT train_classifier('labels_nearest', 'SELECT e, kind FROM labels_near', multi_class => 'nearest');
SELECT id, label, bias, weights, examples FROM labels_nearest ORDER BY id;
SELECT substring(pg_get_triggerdef(oid) FROM 'embed_model\((.*)\)') FROM pg_trigger WHERE tgrelid = 'labels_nearest'::regclass;
SELECT e, classify('labels_nearest', e) FROM (VALUES ('[2,1]'::vector), ('[1,2.5]'), ('[-1,-1]'), ('[0,0]')) v(e);
SELECT label, round(probability::numeric, 4) AS probability FROM classify_scores('labels_nearest', '[1,2]'::vector);
-- far from zero the nearest is the same: weights are rounded, biases suit them
CREATE TABLE labels_far AS SELECT n, ARRAY[100000 + n, 300000 - n % 3]::real[]::vector AS e, n / 10 AS kind FROM generate_series(0, 39) n;
SELECT train_classifier('labels_far_nearest', 'SELECT e, kind FROM labels_far', multi_class => 'nearest');
SELECT count(*) AS differ FROM labels_far WHERE classify('labels_far_nearest', e) <> kind::text;
-- two labels, equal vectors, one example a label
SELECT train_classifier('labels_nearest', 'SELECT e, kind FROM labels_near WHERE kind < ''c''', multi_class => 'nearest', replace => true);
SELECT label, bias, weights FROM labels_nearest WHERE id > 0 ORDER BY id;
SELECT train_classifier('labels_nearest', 'VALUES (''[1,1]''::vector, 1), (''[1,1]'', 2)', multi_class => 'nearest', replace => true);
SELECT label, probability FROM classify_scores('labels_nearest', '[1,2]'::vector);
SELECT fold, accuracy, examples FROM cross_validate('SELECT e, kind FROM labels_near, generate_series(1, 4)', multi_class => 'nearest', folds => 2);
SELECT label, round(f1::numeric, 3) AS f1 FROM evaluate_classifier('labels_nearest', 'VALUES (''[1,1]''::vector, 1), (''[1,1]'', 2)');

-- several labels a row: one logistic function each; a row may have none
CREATE TABLE labels_tags (body text, tags text[]);
INSERT INTO labels_tags VALUES ('cheap red wine', '{cheap,drink}'), ('red wine', '{drink}'), ('cheap bread', '{cheap,food,food}'), ('dark bread', '{food}'),
	('bread and wine', '{food,drink}'), ('cheap shoes', '{cheap}'), ('red shoes', '{}'), ('unknown', NULL);
SELECT train_vocabulary('labels_words', 'SELECT body FROM labels_tags');
SELECT train_classifier('labels_many', 'SELECT body, tags FROM labels_tags', encoder => 'labels_words', features => 'count_vector', c => 100);
SELECT label, examples FROM labels_many ORDER BY id;
SELECT regexp_replace(substring(pg_get_triggerdef(oid) FROM 'embed_model\((.*)\)'), 'losses=[-+0-9.e,]+', 'losses=...') FROM pg_trigger WHERE tgrelid = 'labels_many'::regclass;
SELECT body, classify_labels('labels_many', body) FROM (VALUES ('cheap wine'), ('shoes'), ('bread'), ('cheap bread and wine'), ('')) v(body);
SELECT classify_labels('labels_many', 'cheap wine', 0) AS all_of_them, classify_labels('labels_many', 'cheap wine', threshold => 1) AS certain;
SELECT classify('labels_many', 'dark bread') AS first, (SELECT sum(probability) > 1.5 FROM classify_scores('labels_many', 'cheap bread')) AS several;
SELECT classify_labels('labels_many', count_vector('labels_words', 'cheap wine')) AS of_a_vector;
SELECT term FROM classifier_terms('labels_many', 'drink', 1);
SELECT label, round(precision::numeric, 3) AS precision, round(recall::numeric, 3) AS recall, round(f1::numeric, 3) AS f1, support
FROM evaluate_classifier('labels_many', 'SELECT body, tags FROM labels_tags');
SELECT label, precision, recall, support FROM evaluate_classifier('labels_many', $$ VALUES ('cheap wine', '{cheap,drink}'::text[]), ('bread', '{food,other}'), ('dark bread', '{cheap,food}') $$);
SELECT fold, examples FROM cross_validate('SELECT body, tags FROM labels_tags', encoder => 'labels_words', features => 'tfidf', folds => 2);
-- one label alone: yes or no
SELECT train_classifier('labels_one', $$ VALUES ('[1]'::vector, '{yes}'::text[]), ('[-1]', '{}'), ('[2]', '{yes}'), ('[-3]', '{}') $$, c => 100);
SELECT classify_labels('labels_one', '[2]'::vector) AS yes, classify_labels('labels_one', '[-2]'::vector) AS no;
-- of any other classifier
SELECT classify_labels('labels_nearest', '[1,2]'::vector, 0.4);

-- bad input
SELECT train_classifier('labels_bad', 'SELECT ''[1]''::vector, ''{}''::text[]');
SELECT train_classifier('labels_bad', 'SELECT ''[1]''::vector, ''{a,NULL}''::text[]');
SELECT train_classifier('labels_bad', 'SELECT ''[1]''::vector, ''{1,2}''::int[]');
SELECT train_classifier('labels_bad', 'SELECT ''[1]''::vector, ''{a,b}''::text[]', multi_class => 'nearest');
SELECT train_classifier('labels_bad', 'SELECT ''[1]''::vector, ''{a,b}''::text[]', class_weight => 'balanced');
SELECT train_classifier('labels_bad', 'SELECT ''[1]''::vector, 1', multi_class => 'nearest');
SELECT train_classifier('labels_bad', 'SELECT ''[1]''::vector, 1', multi_class => 'knn');
SELECT * FROM cross_validate('SELECT ''[1]''::vector, ''{a}''::text[]', folds => 2);
SELECT * FROM evaluate_classifier('labels_many', 'SELECT body, tags[1] FROM labels_tags');
SELECT * FROM evaluate_classifier('labels_nearest', 'SELECT ''[1,1]''::vector, ''{1}''::text[]');
SELECT * FROM classifier_confusion('labels_many', 'SELECT body, tags FROM labels_tags');
SELECT classify_labels('labels_many', 'wine', -0.1);
SELECT classify_labels('labels_many', 'wine', 'NaN');
SELECT classify_labels('labels_words', 'wine');

DROP TABLE labels_near, labels_far, labels_far_nearest, labels_nearest, labels_tags, labels_words, labels_many, labels_one;
