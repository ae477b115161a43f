-- Would fail if texts that are alike were not of one cluster, if a cluster were
-- not named by its own terms, or if bad input were taken.
SET client_min_messages = warning;
SET embed.progress = off;

CREATE TABLE cluster_docs (id int PRIMARY KEY, body text);
INSERT INTO cluster_docs VALUES (1, 'the cat and the dog'), (2, 'a dog chased the cat'), (3, 'cat and dog and cat'), (4, 'dog dog cat mouse'),
	(5, 'stars in the night sky'), (6, 'the sky and its stars'), (7, 'night sky full of stars'), (8, ''), (9, NULL), (10, '!!!');
SELECT train_vocabulary('cluster_words', 'SELECT body FROM cluster_docs');
-- the largest cluster is the first; what has no words has no cluster
SELECT key, cluster FROM cluster_texts('SELECT id, body FROM cluster_docs', 2, 'cluster_words') ORDER BY key::int;
SELECT count(*) AS differ FROM cluster_texts('SELECT id, body FROM cluster_docs', 2, 'cluster_words') a
JOIN cluster_texts('SELECT id, tfidf(''cluster_words'', body) FROM cluster_docs', 2) b USING (key)
JOIN cluster_texts('SELECT id, body FROM cluster_docs', 2, 'cluster_words', 'tfidf', seed => 5) c USING (key)
WHERE (a.cluster, a.distance) IS DISTINCT FROM (b.cluster, b.distance) OR a.cluster IS DISTINCT FROM c.cluster;
SELECT cluster, term FROM cluster_terms('SELECT cluster, body FROM cluster_docs JOIN cluster_texts(''SELECT id, body FROM cluster_docs'', 2, ''cluster_words'')
	ON key = id::text ORDER BY id', 'cluster_words', 2);
SELECT cluster, term, round(weight::numeric, 4) AS weight FROM cluster_terms('SELECT true, ''cat cat''', 'cluster_words');
SELECT * FROM cluster_terms('SELECT 1, body FROM cluster_docs WHERE false', 'cluster_words');
SELECT * FROM cluster_terms('SELECT NULL::int, body FROM cluster_docs', 'cluster_words');
SELECT * FROM cluster_terms('SELECT 1, ''unknown''', 'cluster_words');

-- distances: 1 less the cosine with the mean direction
SELECT key, cluster, round(distance::numeric, 4) AS distance FROM cluster_texts($$ VALUES ('a', '[1,0]'::vector), ('b', '[0,5]'), ('c', '[-3,0]'), ('d', '[0,0]') $$, 1);
SELECT key, cluster, round(distance::numeric, 4) AS distance FROM cluster_texts($$ VALUES ('a', '[1,0]'::vector), ('b', '[1,1]'), (NULL, '[-3,0]'), ('n', NULL) $$, 2);
-- lengths do not matter, however large or small
SELECT array_agg(cluster ORDER BY key) FROM cluster_texts($$ VALUES ('a', '[3e38,1e38]'::vector), ('b', '[2e-38,1e-38]'), ('c', '[-3e38,3e38]'), ('d', '[-1e-38,2e-38]') $$, 2);
-- how many: the number of the best silhouette
CREATE TABLE cluster_points AS SELECT n, n % 4 AS made, (ARRAY[CASE n % 4 WHEN 0 THEN 9 ELSE 0 END, CASE n % 4 WHEN 1 THEN 9 ELSE 0 END,
	CASE n % 4 WHEN 2 THEN 9 ELSE 0 END] || ARRAY[sin(n), cos(n * 7), sin(n * 3)])::vector(6) AS e FROM generate_series(1, 200) n;
SELECT count(DISTINCT cluster) AS clusters, count(DISTINCT (cluster, made)) AS pairs FROM cluster_texts('SELECT n, e FROM cluster_points WHERE made < 3')
JOIN cluster_points ON key = n::text;
SELECT count(DISTINCT cluster) AS clusters FROM cluster_texts('SELECT n, e::sparsevec FROM cluster_points WHERE made < 3');
SELECT count(DISTINCT cluster) AS clusters FROM cluster_texts('SELECT n, e::halfvec FROM cluster_points WHERE made < 3', 3);
-- no structure at all: what the best of 100 starts of scikit-learn's KMeans finds
-- is found but for little, whatever the seed
CREATE TABLE cluster_cloud AS SELECT n, ARRAY[sin(n * 12.9898), sin(n * 78.233), sin(n * 37.719), sin(n * 4.1414), sin(n * 93.9737)]::vector(5) AS e
FROM generate_series(1, 120) n;
SELECT bool_and(far < 25.453 * 1.015) AS near_the_best
FROM (SELECT sum(distance) AS far FROM generate_series(1, 6) s, cluster_texts('SELECT n, e FROM cluster_cloud', 5, seed => s) GROUP BY s) f;
-- equal rows, one row, none: no more clusters than directions
SELECT count(*) AS rows, count(DISTINCT cluster) AS clusters, max(distance) < 1e-6 AS near FROM cluster_texts($$ SELECT n, '[1,2]'::vector FROM generate_series(1, 5) n $$, 3);
SELECT key, cluster, round(distance::numeric, 4) AS distance FROM cluster_texts($$ SELECT 1, '[1,2]'::vector $$);
SELECT * FROM cluster_texts($$ SELECT 1, '[0,0]'::vector $$);
SELECT * FROM cluster_texts($$ SELECT 1, '[1,2]'::vector WHERE false $$);
-- the seed decides
SELECT count(*) AS differ FROM cluster_texts('SELECT n, e FROM cluster_points', 9, seed => 2) a JOIN cluster_texts('SELECT n, e FROM cluster_points', 9, seed => 2) b USING (key)
WHERE a.cluster <> b.cluster OR a.distance <> b.distance;

-- bad input
SELECT * FROM cluster_texts(NULL);
SELECT * FROM cluster_texts('SELECT 1, ''[1]''::vector', 0);
SELECT * FROM cluster_texts('SELECT 1, ''[1]''::vector', 1001);
SELECT * FROM cluster_texts('SELECT 1, ''[1]''::vector', 2);
SELECT * FROM cluster_texts('SELECT 1, ''[0]''::vector', 1);
SELECT * FROM cluster_texts('SELECT id, body FROM cluster_docs', 2);
SELECT * FROM cluster_texts('SELECT id, body FROM cluster_docs', 2, 'cluster_words', 'words');
SELECT * FROM cluster_texts('SELECT id, body FROM cluster_docs', 2, 'cluster_docs');
SELECT * FROM cluster_texts('SELECT body FROM cluster_docs', 2);
SELECT * FROM cluster_texts('SELECT id, id FROM cluster_docs', 2);
SELECT * FROM cluster_texts($$ VALUES (1, '[1]'::vector), (2, '[1,2]') $$, 1);
SELECT * FROM cluster_terms(NULL, 'cluster_words');
SELECT * FROM cluster_terms('SELECT 1, ''cat''', NULL);
SELECT * FROM cluster_terms('SELECT 1, ''cat''', 'cluster_docs');
SELECT * FROM cluster_terms('SELECT 1, ''cat''', 'cluster_words', -1);
SELECT * FROM cluster_terms('SELECT 1, 2', 'cluster_words');
SELECT count(*) FROM cluster_terms('SELECT n, ''cat'' FROM generate_series(1, 1001) n', 'cluster_words');
SET maintenance_work_mem = '1MB';
SELECT count(*) FROM cluster_texts('SELECT n, hashing_vector(string_agg(md5((n * m)::text), '' '')) FROM generate_series(1, 300) n, generate_series(1, 50) m GROUP BY n', 50);
RESET maintenance_work_mem;

DROP TABLE cluster_docs, cluster_words, cluster_points, cluster_cloud;
