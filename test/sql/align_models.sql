-- Would fail if a model were not turned by the orthogonal matrix that brings
-- its words nearest to those of another, or csls were not its formula.
SET client_min_messages = warning;
SET embed.progress = off;

-- two models of the same 60 words in three dimensions, the second one turned:
-- its words have a prefix, except ten of them
CREATE FUNCTION align_number(seed text) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$ SELECT ('x' || substr(md5(seed), 1, 6))::bit(24)::int / 8388608.0 - 1 $$;
CREATE TABLE align_en (id integer PRIMARY KEY, word text, documents bigint, occurrences bigint, vector vector(3));
INSERT INTO align_en VALUES (0, NULL, 100, 1000, NULL), (61, 'zero', 1, 1, '[0,0,0]');
INSERT INTO align_en SELECT i, 'w' || i, i, 2 * i,
	ARRAY[align_number('a' || i), align_number('b' || i), align_number('c' || i)]::vector
FROM generate_series(1, 60) i;
-- turned by (x, y, z) -> (z, 0.6 x - 0.8 y, 0.8 x + 0.6 y), some 5 times as long
CREATE TABLE align_fr (LIKE align_en INCLUDING ALL);
INSERT INTO align_fr SELECT id, CASE WHEN id % 6 > 0 THEN 'le ' ELSE '' END || word, documents, occurrences,
	ARRAY[v[3], 0.6 * v[1] - 0.8 * v[2], 0.8 * v[1] + 0.6 * v[2]]::vector *
		array_fill(CASE WHEN id % 5 = 0 THEN 5 ELSE 1 END::real, ARRAY[3])::vector
FROM (SELECT *, vector::real[] AS v FROM align_en) e WHERE id BETWEEN 1 AND 60;
INSERT INTO align_fr SELECT * FROM align_en WHERE id = 0;
SELECT register_model('align_en', 'word2vec', 'embed_whitespace', 'dims=3', 'pooling=sif');
SELECT register_model('align_fr', 'glove', 'embed_whitespace', 'dims=3');

-- by a dictionary, without refinement; and by the words that are written alike
SELECT align_models('align_by_pairs', 'align_en', 'align_fr', $$SELECT 'w' || n, 'le w' || n FROM generate_series(1, 5) n$$, refine => 0);
SELECT align_models('align_by_words', 'align_en', 'align_fr');
CREATE VIEW align_far AS
SELECT 'by pairs' AS how, max(l2_normalize(a.vector) <-> l2_normalize(f.vector)) AS far FROM align_by_pairs a JOIN align_fr f USING (id) WHERE id > 0
UNION ALL SELECT 'by words', max(l2_normalize(a.vector) <-> l2_normalize(f.vector)) FROM align_by_words a JOIN align_fr f USING (id) WHERE id > 0;
SELECT how, far < 1e-5 AS near FROM align_far ORDER BY 1;
-- the source's method, options, words and counts; lengths are as they were
SELECT model, method, dims FROM embed_models() WHERE model = 'align_by_pairs'::regclass;
SELECT count(*), bool_and(a.word IS NOT DISTINCT FROM e.word AND a.documents = e.documents AND a.occurrences = e.occurrences) AS counts,
	bool_and(abs(vector_norm(a.vector) - vector_norm(e.vector)) < 1e-5) AS lengths
FROM align_by_pairs a JOIN align_en e USING (id);
SELECT abs(embed('align_by_pairs', 'w1 w2', pooling => 'sif') <=> embed('align_by_pairs', 'w1 w2')) < 1e-6 AS pooled_as_the_source;
-- translation
SELECT n, (SELECT word FROM nearest_words('align_fr', word_vector('align_by_pairs', 'w' || n), 1)) AS translation,
	(SELECT word FROM nearest_words('align_fr', word_vector('align_by_pairs', 'w' || n), 1, 'csls', 'align_by_pairs')) AS by_csls
FROM generate_series(10, 13) n;

-- csls is 2 cos(x, y) less the mean cosines of both with their ten nearest
CREATE TABLE align_cosines AS SELECT a.id AS a, b.id AS b, a.word AS word_a, b.word AS word_b, cosine_similarity(a.vector, b.vector) AS cosine
FROM align_en a, align_en b WHERE a.id BETWEEN 1 AND 60 AND b.id BETWEEN 1 AND 60 AND a.id <> b.id;
CREATE TABLE align_near AS SELECT a AS id, avg(cosine) AS r
FROM (SELECT a, cosine, row_number() OVER (PARTITION BY a ORDER BY cosine DESC) AS rank FROM align_cosines) c WHERE rank <= 10 GROUP BY a;
SELECT count(*), max(abs(n.similarity - (2 * c.cosine - a.r - b.r))) < 1e-5 AS as_defined
FROM generate_series(1, 60) i, nearest_words('align_en', 'w' || i, 100, similarity => 'csls') n, align_cosines c, align_near a, align_near b
WHERE c.a = i AND c.word_b = n.word AND a.id = c.a AND b.id = c.b;
SELECT bool_and(n.word = best.word) AS best_of_all
FROM generate_series(1, 60) i, nearest_words('align_en', 'w' || i, 1, similarity => 'csls') n,
	LATERAL (SELECT word_b AS word FROM align_cosines c JOIN align_near b ON b.id = c.b WHERE c.a = i
		ORDER BY 2 * cosine - b.r DESC LIMIT 1) best;
-- the other side's words are another model's
WITH cosines AS (SELECT f.word, e.id, cosine_similarity(f.vector, e.vector) AS cosine FROM align_fr f, align_en e
	WHERE f.id BETWEEN 1 AND 60 AND e.id BETWEEN 1 AND 60),
near AS (SELECT word, (SELECT avg(cosine) FROM (SELECT cosine FROM cosines d WHERE d.word = c.word ORDER BY 1 DESC LIMIT 10) n) AS r
	FROM (SELECT DISTINCT word FROM cosines) c),
own AS (SELECT avg(c) AS r FROM (SELECT cosine_similarity(vector, '[1,2,3]') AS c FROM align_fr WHERE id > 0 ORDER BY 1 DESC LIMIT 10) o)
SELECT count(*), max(abs(n.similarity - (2 * cosine_similarity(f.vector, '[1,2,3]') - near.r - own.r))) < 1e-5 AS as_defined
FROM nearest_words('align_fr', '[1,2,3]'::vector, 60, 'csls', 'align_en') n JOIN align_fr f USING (word) JOIN near USING (word), own;
SELECT * FROM nearest_words('align_en', 'zero', 3, 'csls');
SELECT * FROM nearest_words('align_en', 'unknown', 3, 'csls');
SELECT * FROM nearest_words('align_en', '[0,0,0]'::vector, 3, 'csls');
SELECT * FROM nearest_words('align_en', 'w1', 0, 'csls');
SELECT * FROM nearest_words('align_en', NULL::vector, 3, 'csls');
SELECT * FROM nearest_words('align_en', 'w1', 3, 'dot');
SELECT * FROM nearest_words('align_en', '[1,2,3]'::vector, 3, 'cosine', 'align_fr');

-- lengths do not matter, even where no float holds their squares
CREATE TABLE align_long (LIKE align_en INCLUDING ALL);
CREATE TABLE align_short (LIKE align_en INCLUDING ALL);
INSERT INTO align_long SELECT id, word, documents, occurrences, vector * '[1e25,1e25,1e25]' FROM align_en;
INSERT INTO align_short SELECT id, word, documents, occurrences, vector * '[1e-30,1e-30,1e-30]' FROM align_en;
SELECT register_model('align_long', 'word2vec', 'embed_whitespace');
SELECT register_model('align_short', 'word2vec', 'embed_whitespace');
SELECT model, kind, max(abs(l.similarity - n.similarity)) < 1e-5 AND count(*) = 2 * 59 AS as_usual
FROM (VALUES ('align_long'), ('align_short')) v (model), (VALUES ('cosine'), ('csls')) s (kind), (VALUES ('w1'), ('w7')) w (asked),
	nearest_words(model::regclass, asked, 59, kind) l JOIN LATERAL nearest_words('align_en', asked, 59, kind) n USING (word)
GROUP BY 1, 2 ORDER BY 1, 2;
SELECT model, answered, round(pearson::numeric, 4) AS pearson FROM (VALUES ('align_en'), ('align_long'), ('align_short')) v (model),
	evaluate_similarity(model::regclass, $$VALUES ('w1', 'w2', 1), ('w3', 'w4', 2), ('w5', 'w6', 3)$$) ORDER BY 1;
SELECT align_models('align_lengths', 'align_short', 'align_long');
SELECT max(a.vector * '[1e30,1e30,1e30]' <-> e.vector) < 1e-5 AS unturned FROM align_lengths a JOIN align_en e USING (id) WHERE id BETWEEN 1 AND 60;
-- a dictionary of type character(n)
SELECT align_models('align_lengths', 'align_en', 'align_fr', $$SELECT ('w' || n)::char(9), ('le w' || n)::char(9) FROM generate_series(1, 5) n$$, refine => 0, replace => true);

-- subwords are turned with the words
CREATE TABLE align_texts AS SELECT string_agg('word' || (n * n % 17), ' ') AS body FROM generate_series(1, 60) n, generate_series(1, 30) t GROUP BY t;
SELECT train_word2vec('align_subwords', 'SELECT body FROM align_texts', dims => 8, min_n => 3, max_n => 4, buckets => 500, epochs => 1,
	min_count => 1, seed => 1, workers => 1);
SELECT train_word2vec('align_target', 'SELECT body FROM align_texts', dims => 8, epochs => 1, min_count => 1, seed => 2, workers => 1);
SELECT align_models('align_turned', 'align_subwords', 'align_target');
SELECT count(*) = (SELECT count(*) FROM align_subwords) AS all_rows, count(*) FILTER (WHERE id >= 1000000000) > 0 AS buckets FROM align_turned;
SELECT abs(cosine_similarity(word_vector('align_subwords', 'wordling'), word_vector('align_subwords', 'word4')) -
	cosine_similarity(word_vector('align_turned', 'wordling'), word_vector('align_turned', 'word4'))) < 1e-5 AS same_within;

-- fewer pairs than dimensions; replace
SET client_min_messages = notice;
SELECT align_models('align_by_pairs', 'align_en', 'align_fr', $$VALUES ('w1', 'le w1'), ('w2', 'le w2'), ('w7', 'unknown')$$, refine => 0);
SELECT align_models('align_by_pairs', 'align_en', 'align_fr', $$VALUES ('w1', 'le w1'), ('w2', 'le w2'), ('w7', 'unknown')$$, refine => 0,
	replace => true);
SET client_min_messages = warning;
SELECT round(sum(x * y)::numeric, 4) AS still_orthogonal
FROM align_by_pairs a, unnest(a.vector::real[]) WITH ORDINALITY v(x, n), align_by_pairs b, unnest(b.vector::real[]) WITH ORDINALITY w(y, m)
WHERE a.word = 'w3' AND b.word = 'w5' AND n = m
UNION ALL SELECT round(-(a.vector <#> b.vector)::numeric, 4) FROM align_en a, align_en b WHERE a.word = 'w3' AND b.word = 'w5';

-- what cannot be
SELECT align_models('align_bad', 'align_en', 'align_target');
SELECT align_models('align_bad', 'align_en', 'align_fr', 'SELECT ''w1''');
SELECT align_models('align_bad', 'align_en', 'align_fr', 'SELECT ''w1'', 2');
SELECT align_models('align_bad', 'align_en', 'align_fr', 'DROP TABLE align_en');
SELECT align_models('align_bad', 'align_en', 'align_fr', $$VALUES ('w1', NULL), (NULL, 'w1'), ('zero', 'w6'), ('w6', 'nothing')$$);
SELECT align_models('align_bad', 'align_en', 'align_fr', refine => -1);
SELECT align_models('align_bad', 'align_en', 'align_fr', refine => NULL);
SELECT align_models('align_en', 'align_en', 'align_fr');
SELECT align_models('align_bad', 'align_texts', 'align_fr');
UPDATE align_fr SET word = 'x' || word WHERE id > 0;
SELECT align_models('align_bad', 'align_en', 'align_fr');
SELECT train_vocabulary('align_words', 'SELECT body FROM align_texts');
SELECT align_models('align_bad', 'align_words', 'align_fr');
SELECT train_lsa('align_lsa', 'align_words', 'SELECT body FROM align_texts', dims => 8, seed => 1);
SELECT align_models('align_bad', 'align_lsa', 'align_target');
SELECT align_models('align_lsa_target', 'align_target', 'align_lsa', refine => 1);
SELECT count(*) FROM pg_class WHERE relname = 'align_bad';

DROP VIEW align_far;
DROP FUNCTION align_number;
DROP TABLE align_en, align_long, align_short, align_lengths, align_fr, align_by_pairs, align_by_words, align_cosines, align_near, align_texts, align_subwords, align_target, align_turned,
	align_words, align_lsa, align_lsa_target;
