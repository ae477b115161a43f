-- Would fail if an LSA model's axes, singular values or folded texts were not
-- those of the singular value decomposition, or if bad input were taken.
SET client_min_messages = warning;
SET embed.progress = off;

-- a published report's documents; singular values and coordinates are those
-- of numpy's whole decomposition of scikit-learn's TF-IDF
CREATE TABLE lsa_docs (id int PRIMARY KEY, body text);
INSERT INTO lsa_docs VALUES (1, 'cat sat mat'), (2, 'dog sat mat'), (3, 'cat dog play'), (4, 'sky blue far'),
	(5, 'blue sky away far'), (6, '');
SELECT train_vocabulary('lsa_words', 'SELECT body FROM lsa_docs', min_token_length => 2);
SELECT train_lsa('lsa_model', 'lsa_words', 'SELECT body FROM lsa_docs', dims => 3, seed => 1);
\d lsa_model
SELECT count(*) AS terms FROM lsa_model WHERE term IS NOT NULL;
SELECT weight AS documents, round(x::numeric, 5) AS value
FROM lsa_model, unnest(vector::real[]) WITH ORDINALITY v(x, n) WHERE id = 0 ORDER BY n;
SELECT term, round(weight::numeric, 6) AS idf FROM lsa_model WHERE term IN ('away', 'cat') ORDER BY term;
SELECT d.id, array_agg(round(abs(x)::numeric, 5) ORDER BY n) AS coordinates
FROM lsa_docs d, unnest(embed('lsa_model', d.body)::real[]) WITH ORDINALITY v(x, n) GROUP BY d.id ORDER BY d.id;
-- texts that it has not seen; nothing known gives NULL
SELECT d.id, round((1 - (embed('lsa_model', 'cat mat') <=> embed('lsa_model', d.body)))::numeric, 5) AS cat_mat,
	round((1 - (embed('lsa_model', 'blue dog') <=> embed('lsa_model', d.body)))::numeric, 5) AS blue_dog
FROM lsa_docs d WHERE d.id < 6 ORDER BY d.id;
SELECT embed('lsa_model', '') IS NULL AS empty, embed('lsa_model', 'unknownword') IS NULL AS unknown;

-- the axes are orthogonal and of length 1, their largest element is positive
CREATE VIEW lsa_axes AS SELECT id, n, x FROM lsa_model, unnest(vector::real[]) WITH ORDINALITY v(x, n) WHERE id > 0;
SELECT a.n, b.n AS m, abs(round(sum(a.x * b.x)::numeric, 5)) AS product FROM lsa_axes a JOIN lsa_axes b USING (id)
WHERE a.n <= b.n GROUP BY 1, 2 ORDER BY 1, 2;
SELECT bool_and(most >= -least) AS signs FROM (SELECT max(x) AS most, min(x) AS least FROM lsa_axes GROUP BY n) s;

-- more dimensions than there are: the rest is zero
SELECT train_lsa('lsa_wide', 'lsa_words', 'SELECT body FROM lsa_docs', dims => 12, seed => 1);
SELECT array_agg(round(x::numeric, 4) ORDER BY n) AS "values" FROM lsa_wide, unnest(vector::real[]) WITH ORDINALITY v(x, n) WHERE id = 0;
SELECT abs(vector_norm(embed('lsa_wide', 'cat sat mat')) - 1) < 1e-5 AS whole;

-- everything that reads word vectors reads it, too
SELECT word FROM nearest_words('lsa_model', 'sky', 2) ORDER BY 1;
SELECT word_vector('lsa_model', 'Cat') = (SELECT vector FROM lsa_model WHERE term = 'cat') AS same;
SELECT token, embedding IS NOT NULL AS known FROM embed_tokens('lsa_model', 'the cat');
SELECT method, dims FROM embed_models() WHERE model = 'lsa_model'::regclass;
SELECT embed('lsa_model', 'cat', pooling => 'mean');

-- each weighting: a text of the corpus has the product of its vector with the
-- axes; tfidf() gives the same weights
CREATE TABLE lsa_many AS
SELECT n AS id, string_agg('w' || floor(power(('x' || substr(md5(n || ',' || p), 1, 6))::bit(24)::int / 16777216.0, 2) * 300)::int, ' ') AS body
FROM generate_series(1, 400) n, generate_series(1, 30) p GROUP BY n;
SELECT train_vocabulary('lsa_many_words', 'SELECT body FROM lsa_many', max_ngram => 2, min_documents => 3);
SELECT train_lsa('lsa_log', 'lsa_many_words', 'SELECT body FROM lsa_many', dims => 10, seed => 1, tf => 'log', idf => 'textbook',
	norm => 'none', log_base => 2);
CREATE FUNCTION lsa_folded(model regclass, weights sparsevec) RETURNS vector LANGUAGE plpgsql AS $$
DECLARE result vector;
BEGIN
	EXECUTE format('SELECT array_agg(s ORDER BY n)::real[]::vector FROM (SELECT n, sum(x * w.weight) AS s
		FROM vector_terms(''lsa_many_words'', $1, 1000) w JOIN %s l USING (term), unnest(l.vector::real[]) WITH ORDINALITY v(x, n)
		GROUP BY n) f', model) INTO result USING weights;
	RETURN result;
END $$;
SELECT max(embed('lsa_log', body) <-> lsa_folded('lsa_log', tfidf('lsa_many_words', body, 'log', 'textbook', 'none', 2))) < 1e-4 AS folded
FROM lsa_many WHERE id < 20;
-- the singular values are the lengths of all folded texts along the axes
SELECT max(abs(value / length - 1)) < 1e-4 AS lengths
FROM (SELECT n, sqrt(sum(x * x)) AS length FROM lsa_many, unnest(embed('lsa_log', body)::real[]) WITH ORDINALITY v(x, n) GROUP BY n) l
JOIN (SELECT n, x AS value FROM lsa_log, unnest(vector::real[]) WITH ORDINALITY v(x, n) WHERE id = 0) s USING (n);
-- gensim's log-entropy, by its formula
SELECT train_lsa('lsa_entropy', 'lsa_many_words', 'SELECT body FROM lsa_many', dims => 10, seed => 1, weighting => 'log_entropy');
WITH counts AS (
	SELECT d.id, t.term, t.weight AS c FROM lsa_many d, vector_terms('lsa_many_words', count_vector('lsa_many_words', d.body), 1000) t),
totals AS (SELECT term, sum(c) AS c FROM counts GROUP BY term)
SELECT max(abs(e.weight - w.weight)) < 1e-6 AS entropies
FROM (SELECT term, 1 + sum(n.c / t.c * ln(n.c / t.c)) / ln(401) AS weight FROM counts n JOIN totals t USING (term) GROUP BY term) e
JOIN lsa_entropy w USING (term);

-- the same seed gives the same bits; less memory, other blocks: the same axes
SELECT train_lsa('lsa_again', 'lsa_many_words', 'SELECT body FROM lsa_many', dims => 10, seed => 1, weighting => 'log_entropy');
SELECT bool_and(a.vector = b.vector) AS same FROM lsa_entropy a JOIN lsa_again b USING (id);
SELECT train_lsa('lsa_again', 'lsa_many_words', 'SELECT body FROM lsa_many', dims => 10, seed => 2, weighting => 'log_entropy',
	oversampling => 0, replace => true);
SELECT max(abs(a.x / b.x - 1)) < 1e-3 AS "values"
FROM (SELECT n, x FROM lsa_entropy, unnest(vector::real[]) WITH ORDINALITY v(x, n) WHERE id = 0) a
JOIN (SELECT n, x FROM lsa_again, unnest(vector::real[]) WITH ORDINALITY v(x, n) WHERE id = 0) b USING (n);
SET embed.progress = notice;
SET client_min_messages = notice;
SELECT train_lsa('lsa_again', 'lsa_words', 'SELECT body FROM lsa_docs', dims => 2, seed => 1, iterations => 1, replace => true);
SET embed.progress = off;
SET client_min_messages = warning;

-- what cannot be trained, and rows that cannot be read
SELECT train_lsa('lsa_bad', 'lsa_docs', 'SELECT body FROM lsa_docs');
SELECT train_lsa('lsa_bad', 'lsa_words', 'SELECT ''xyz''::text');
SELECT train_lsa('lsa_bad', 'lsa_words', 'SELECT body FROM lsa_docs WHERE false');
SELECT train_lsa('lsa_bad', 'lsa_words', 'SELECT body FROM lsa_docs', dims => 0);
SELECT train_lsa('lsa_bad', 'lsa_words', 'SELECT body FROM lsa_docs', dims => 2001);
SELECT train_lsa('lsa_bad', 'lsa_words', 'SELECT body FROM lsa_docs', weighting => 'log');
SELECT train_lsa('lsa_bad', 'lsa_words', 'SELECT body FROM lsa_docs', idf => 'best');
SELECT train_lsa('lsa_bad', 'lsa_words', 'SELECT body FROM lsa_docs', weighting => 'log_entropy', tf => 'log');
SELECT train_lsa('lsa_bad', 'lsa_words', 'SELECT body FROM lsa_docs', weighting => 'log_entropy', idf => 'none');
SELECT train_lsa('lsa_bad', 'lsa_words', 'SELECT body FROM lsa_docs', weighting => 'log_entropy', log_base => 2);
SELECT train_lsa('lsa_bad', 'lsa_words', 'SELECT body FROM lsa_docs', log_base => 1);
SELECT train_lsa('lsa_bad', 'lsa_words', 'SELECT body FROM lsa_docs', iterations => 0);
SELECT train_lsa('lsa_bad', 'lsa_words', 'SELECT body FROM lsa_docs', oversampling => -1);
SELECT train_lsa('lsa_bad', 'lsa_words', 'SELECT body FROM lsa_docs', dims => NULL);
SELECT train_vocabulary('lsa_all', $$VALUES ('a b'), ('a c')$$);
SELECT train_lsa('lsa_bad', 'lsa_all', $$VALUES ('a b'), ('a c')$$, idf => 'probabilistic');
SELECT count(*) FROM pg_class WHERE relname = 'lsa_bad';
UPDATE lsa_model SET weight = 'NaN' WHERE term = 'cat';
SELECT embed('lsa_model', 'cat');

DROP FUNCTION lsa_folded;
DROP VIEW lsa_axes;
DROP TABLE lsa_docs, lsa_words, lsa_model, lsa_wide, lsa_many, lsa_many_words, lsa_log, lsa_entropy, lsa_again, lsa_all;
