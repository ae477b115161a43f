-- Would fail if methods were not measured by the stated definitions, or a
-- method that fails, or is stopped, took others with it or left anything.
SET client_min_messages = warning;
SET embed.progress = off;

CREATE FUNCTION compare_words(seed text, topic integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT string_agg('of' || get_byte(h, 0) % 12 || ' ' || (ARRAY['cat', 'ship', 'tree'])[topic + 1] || get_byte(h, 1) % 12, ' ' ORDER BY n)
	FROM (SELECT n, decode(md5(seed || n), 'hex') AS h FROM generate_series(1, 8) n) w
$$;
CREATE TABLE compare_docs AS SELECT n AS id, n % 3 AS topic, compare_words(n::text, n % 3) AS body FROM generate_series(1, 90) n;
ALTER TABLE compare_docs ADD PRIMARY KEY (id);
CREATE TABLE compare_judged AS SELECT q || ' ' || a.body AS query, b.id AS docs_id, (b.id % 4)::float8 AS grade
FROM (SELECT q, compare_words('q' || q, q % 3) AS body, q % 3 AS topic FROM generate_series(1, 9) q) a JOIN compare_docs b USING (topic)
WHERE b.id % 2 = 0;

-- search: nDCG is evaluate_search's, of the same columns
SELECT train_vocabulary('compare_terms', 'SELECT body FROM compare_docs');
SELECT train_word2vec('compare_vectors', 'SELECT body FROM compare_docs', dims => 10, epochs => 20, min_count => 2, workers => 1, seed => 1);
SELECT count(*) FROM embed_column('compare_docs', '{body}', 'compare_vectors', 'meaning');
SELECT count(*) FROM embed_column('compare_docs', '{body}', 'compare_terms', 'words');
SELECT encoder, "column", operator FROM embed_columns() WHERE "table" = 'compare_docs'::regclass ORDER BY "column";
CALL embed_fill('compare_docs');
CREATE TABLE compare_results AS
SELECT * FROM compare_models('TABLE compare_judged', ARRAY['bm25', 'compare_vectors', 'tfidf(tf => log)', 'hashing', 'word2vec(min_count => 2, epochs => 20)'],
	documents => 'SELECT id, body FROM compare_docs', count => 7, seed => 1);
SELECT method, quality BETWEEN 0.2 AND 1 AS quality, texts_per_second > 0 AS fast, bytes_per_text > 0 AS large, train_seconds > 0 AS trained, note
FROM compare_results;
SELECT e.columns, abs(e.ndcg - c.quality) < 1e-6 AS same
FROM evaluate_search(NULL::compare_docs, 'TABLE compare_judged', count => 7, candidates => 90) e
JOIN compare_results c ON (e.columns, c.method) IN (('{meaning}', 'compare_vectors'), ('{words}', 'bm25')) WHERE fusion IS NULL ORDER BY 1;
-- the keys may be of any type, and equal texts are one question
SELECT method, quality = (SELECT quality FROM compare_results WHERE method = 'bm25') AS same
FROM compare_models($$SELECT query, 'doc ' || docs_id, grade::integer FROM compare_judged$$, '{bm25}',
	documents => $$SELECT 'doc ' || id, body FROM compare_docs$$, count => 7);

-- classification: accuracy is cross_validate's
SELECT method, abs(quality - (SELECT sum(accuracy * examples) / sum(examples)
	FROM cross_validate('SELECT body, topic FROM compare_docs ORDER BY id', encoder => 'compare_vectors', folds => 3))) < 1e-9 AS same, note
FROM compare_models('SELECT body, topic FROM compare_docs ORDER BY id', '{compare_vectors}', folds => 3);
SELECT method, quality > 0.8 AS good FROM compare_models('SELECT body, topic FROM compare_docs', '{count_vector,tfidf,bm25,hashing,lsa(dims => 5)}', seed => 1);
SELECT method, quality IS NOT NULL AS measured, note FROM compare_models($$SELECT body, topic FROM compare_docs UNION ALL SELECT 'unheard', 1$$,
	'{compare_vectors}');

-- similarity: Spearman's correlation is evaluate_similarity's
CREATE TABLE compare_pairs AS SELECT a.word AS a, b.word AS b, (a.id * b.id % 17)::float8 / 3 AS score
FROM compare_vectors a, compare_vectors b WHERE a.id BETWEEN 1 AND 12 AND b.id BETWEEN 13 AND 30;
SELECT abs(c.quality - e.spearman) < 1e-3 AS same, note
FROM compare_models('TABLE compare_pairs', '{compare_vectors}') c, evaluate_similarity('compare_vectors', 'TABLE compare_pairs') e;

-- all methods there are
SELECT method, quality IS NOT NULL AS measured, note FROM compare_models('SELECT body, topic FROM compare_docs', seed => 1);
SELECT count(*) FROM compare_models('TABLE compare_pairs', seed => 1);

-- a failure is a row; the others go on; nothing is left
SELECT method, quality, train_seconds IS NOT NULL AS trained, note FROM compare_models('SELECT body, topic FROM compare_docs',
	ARRAY['nothing', 'compare_terms', 'compare_docs', 'word2vec(dims => 0)', 'word2vec(dimensions => 3)', 'tfidf(tf => ''loud'')', 'hashing(k1 => 1)',
		'tfidf(', 'tfidf(tf)', 'tfidf(tf => log) x', 'tfidf(tf => ''log)', ' ', 'glove(min_count => 1000)',
		'tfidf(tf => ''x''''; DROP TABLE compare_docs; --'')', 'word2vec(corpus => 1)']);
SELECT method, quality, note FROM compare_models('TABLE compare_pairs', '{bm25}');
SELECT method, note FROM compare_models('SELECT body, topic FROM compare_docs', '{doc2vec(epochs => 1000000),tfidf}', max_seconds => 0.5);
-- a cancel that comes together with the limit is not taken for it: what runs here looks for neither
\set SHOW_CONTEXT never
SET statement_timeout = 350;
SELECT method FROM compare_models('SELECT body, topic FROM compare_docs', '{tfidf}', max_seconds => 0.3,
	corpus => $$SELECT md5(x) || md5(x || 'a') || md5(x || 'b') FROM (SELECT rpad('x', 240000000, 'x') AS x OFFSET 0) y$$);
RESET statement_timeout;
\set SHOW_CONTEXT errors
SELECT relname FROM pg_class WHERE relname ~ '^(compared|embed_compare)';

-- candidates as a query
CREATE TABLE compare_candidates AS SELECT * FROM (VALUES (1, 'tfidf'), (2, 'compare_vectors'), (3, 'nothing')) v (n, candidate);
SELECT method, quality IS NOT NULL AS measured, note FROM compare_models('SELECT body, topic FROM compare_docs',
	'SELECT candidate FROM compare_candidates ORDER BY n', seed => 1);
SELECT method, note FROM compare_models('SELECT body, topic FROM compare_docs', ' {tfidf}');
SELECT count(*) FROM compare_models('TABLE compare_pairs', NULL, seed => 1);
SELECT * FROM compare_models('SELECT body, topic FROM compare_docs', 'SELECT candidate FROM compare_candidates WHERE false');
SELECT * FROM compare_models('SELECT body, topic FROM compare_docs', 'SELECT NULL::text');
SELECT * FROM compare_models('SELECT body, topic FROM compare_docs', 'TABLE compare_candidates');
SELECT * FROM compare_models('SELECT body, topic FROM compare_docs', 'SELECT n FROM compare_candidates');
SELECT * FROM compare_models('SELECT body, topic FROM compare_docs', $$SELECT 'tfidf' FROM generate_series(1, 1001)$$);
SELECT * FROM compare_models('SELECT body, topic FROM compare_docs', '{tfidf');
SELECT * FROM compare_models('SELECT body, topic FROM compare_docs', 'tfidf');
SELECT * FROM compare_models('SELECT body, topic FROM compare_docs', '');

-- nothing to correlate
SELECT method, quality, note FROM compare_models('SELECT ''cat1'', ''cat2'', 1 FROM generate_series(1, 5)', '{tfidf}');
-- kept
SELECT method, note FROM compare_models('SELECT body, topic FROM compare_docs', '{lsa(dims => 4),nothing,"word2vec(dims => 4, min_count => 1)"}', keep => true, seed => 1);
SELECT model, method, dims FROM embed_models() WHERE model::text ~ 'compared' ORDER BY 1;
SELECT embed('compared_3_word2vec', 'cat1 of2') IS NOT NULL AS usable;
SELECT relname FROM pg_class WHERE relname ~ '^(compared|embed_compare)' AND relkind = 'r' ORDER BY 1;
-- another corpus to train on
SELECT method, quality IS NOT NULL AS measured, note FROM compare_models('SELECT body, topic FROM compare_docs', '{word2vec(min_count => 1)}',
	corpus => $$VALUES ('cat1 cat2 cat3 cat4'), ('tree1 tree2 tree3')$$, seed => 1);

-- what cannot be compared
SELECT * FROM compare_models('SELECT body FROM compare_docs');
SELECT * FROM compare_models('SELECT id, body FROM compare_docs');
SELECT * FROM compare_models('SELECT body, topic FROM compare_docs WHERE false');
SELECT * FROM compare_models('SELECT body, NULL::integer FROM compare_docs');
SELECT * FROM compare_models('SELECT body, id, 1 FROM compare_docs');
SELECT * FROM compare_models('SELECT body, topic FROM compare_docs', documents => 'SELECT id, body FROM compare_docs');
SELECT * FROM compare_models('TABLE compare_judged', documents => 'SELECT 1, body FROM compare_docs');
SELECT * FROM compare_models('TABLE compare_judged', documents => 'SELECT id, body FROM compare_docs WHERE false');
SELECT * FROM compare_models('TABLE compare_judged UNION ALL TABLE compare_judged', documents => 'SELECT id, body FROM compare_docs');
SELECT * FROM compare_models('SELECT body, topic FROM compare_docs', '{}');
SELECT * FROM compare_models('SELECT body, topic FROM compare_docs', '{NULL}');
SELECT * FROM compare_models('SELECT body, topic FROM compare_docs', max_seconds => 0);
SELECT * FROM compare_models('SELECT body, topic FROM compare_docs', count => 0);
SELECT * FROM compare_models(NULL);
SELECT * FROM compare_models('DROP TABLE compare_docs');
SELECT note FROM compare_models('SELECT body, topic FROM compare_docs', '{tfidf}', folds => 1);
SELECT relname FROM pg_class WHERE relname ~ '^embed_compare';

DROP FUNCTION compare_words;
DROP TABLE compare_docs, compare_candidates, compare_judged, compare_terms, compare_vectors, compare_results, compare_pairs, compared_1_lsa, compared_3_word2vec;
