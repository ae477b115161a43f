-- Would fail if places in a plane were not those of the principal axes or tore
-- neighbours apart, or if bad vectors were taken.
SET client_min_messages = warning;
SET embed.progress = off;

-- principal axes: places and lengths are those of numpy's svd of the centered
-- matrix
CREATE TABLE picture_rows (id int, e vector(3));
INSERT INTO picture_rows VALUES (1, '[2,0,1]'), (2, '[-1,3,1]'), (3, '[4,1,1.1]'), (4, '[0,-2,0.9]'), (5, '[-3,-1,1]');
SELECT key, round(x::numeric, 3) AS x, round(y::numeric, 3) AS y FROM embed_projection('SELECT id, e FROM picture_rows');
SELECT round(sqrt(sum(x * x))::numeric, 3) AS first, round(sqrt(sum(y * y))::numeric, 3) AS second, abs(round(sum(x * y)::numeric, 4)) AS product
FROM embed_projection('SELECT id, e FROM picture_rows');
-- the same of every type, wherever the points lie
SELECT count(*) AS differ FROM embed_projection('SELECT id, e FROM picture_rows') a
JOIN embed_projection('SELECT id, e::halfvec FROM picture_rows') b USING (key)
JOIN embed_projection('SELECT id, e::sparsevec FROM picture_rows') c USING (key)
JOIN embed_projection('SELECT id, e + ''[1000,1000,-1000]'' FROM picture_rows') d USING (key)
WHERE abs(a.x - b.x) + abs(a.y - b.y) > 0.003 OR abs(a.x - c.x) + abs(a.y - c.y) > 1e-5 OR abs(a.x - d.x) + abs(a.y - d.y) > 1e-3;
SELECT count(*) AS differ FROM embed_projection('SELECT id, e FROM picture_rows') a
JOIN embed_projection('SELECT id, e FROM picture_rows', seed => 7) b USING (key) WHERE abs(a.x - b.x) + abs(a.y - b.y) > 1e-5;

-- fewer axes than two; one row, equal rows, zeros, none
SELECT key, round(x::numeric, 3) AS x, y FROM embed_projection('SELECT n, ARRAY[n, 2 * n, 1]::vector FROM generate_series(1, 3) n');
SELECT key, round(x::numeric, 3) AS x, y FROM embed_projection('SELECT n, ARRAY[n]::vector FROM generate_series(1, 3) n');
SELECT * FROM embed_projection($$ SELECT 'one', '[3,4]'::vector $$);
SELECT * FROM embed_projection($$ SELECT n, '[3,0.1]'::vector FROM generate_series(1, 3) n $$);
SELECT * FROM embed_projection($$ SELECT n, '[0,0]'::vector FROM generate_series(1, 2) n $$);
SELECT * FROM embed_projection($$ SELECT n, '{}/5'::sparsevec FROM generate_series(1, 2) n $$, 'neighbours');
SELECT * FROM embed_projection($$ SELECT 'none', '[1]'::vector WHERE false $$);
SELECT * FROM embed_projection($$ SELECT 'none', '[1]'::vector WHERE false $$, 'neighbours');
SELECT count(*) AS points, max(abs(x) + abs(y)) < 1e-3 AS one_place FROM embed_projection($$ SELECT n, '[3,0.1]'::vector FROM generate_series(1, 3) n $$, 'neighbours');
-- numbers whose squares are no floats
SELECT key, round((x / 1e38)::numeric, 3) AS x, round((y / 1e38)::numeric, 3) AS y
FROM embed_projection($$ VALUES (1, '[3e38,0]'::vector), (2, '[-3e38,1]'), (3, '[-3e38,1e38]') $$);
SELECT key, round((x * 1e30)::numeric, 3) AS x FROM embed_projection($$ VALUES (1, '[1e-30,0]'::vector), (2, '[3e-30,0]') $$);
SELECT count(*) AS points, bool_and(abs(x) < 1e4 AND abs(y) < 1e4) AS finite FROM embed_projection(
	$$ VALUES (1, '[3e38,0]'::vector), (2, '[-3e38,1]'), (3, '[-3e38,1e38]'), (4, '[1,1]') $$, 'neighbours');
-- keys and vectors may be null
SELECT key, round(x::numeric, 1) AS x FROM embed_projection($$ VALUES (NULL, '[1,0]'::vector), ('b', NULL), ('c', '[3,0]') $$);

-- neighbours: three clusters stay apart, and the seed decides
CREATE TABLE picture_clusters AS SELECT n, n % 3 AS cluster, ARRAY[n % 3 * 20, sin(n), cos(n * 7), sin(n * 3), n % 5]::vector AS e FROM generate_series(1, 150) n;
CREATE TABLE picture_places AS SELECT * FROM embed_projection('SELECT n, e FROM picture_clusters', 'neighbours', seed => 3);
SELECT count(*) AS beside_others FROM picture_places p JOIN picture_clusters c ON p.key = c.n::text
CROSS JOIN LATERAL (SELECT key FROM picture_places q WHERE q.key <> p.key ORDER BY (q.x - p.x) ^ 2 + (q.y - p.y) ^ 2 LIMIT 1) nearest
JOIN picture_clusters d ON nearest.key = d.n::text WHERE d.cluster <> c.cluster;
SELECT count(*) AS differ FROM picture_places p JOIN embed_projection('SELECT n, e FROM picture_clusters', 'neighbours', seed => 3) q USING (key)
WHERE p.x <> q.x OR p.y <> q.y;
SELECT count(*) > 0 AS differ FROM picture_places p JOIN embed_projection('SELECT n, e FROM picture_clusters', 'neighbours', seed => 4) q USING (key)
WHERE p.x <> q.x OR p.y <> q.y;
-- sparse vectors, by their longest axes
CREATE TABLE picture_sparse AS SELECT * FROM embed_projection('SELECT n, e::sparsevec FROM picture_clusters', 'neighbours');
SELECT count(*) AS beside_others FROM picture_sparse p JOIN picture_clusters c ON p.key = c.n::text
CROSS JOIN LATERAL (SELECT key FROM picture_sparse q WHERE q.key <> p.key ORDER BY (q.x - p.x) ^ 2 + (q.y - p.y) ^ 2 LIMIT 1) nearest
JOIN picture_clusters d ON nearest.key = d.n::text WHERE d.cluster <> c.cluster;

-- bad input
SELECT * FROM embed_projection(NULL);
SELECT * FROM embed_projection('SELECT 1', method => NULL);
SELECT * FROM embed_projection('SELECT id, e FROM picture_rows', 'umap');
SELECT * FROM embed_projection('SELECT 1');
SELECT * FROM embed_projection('SELECT e, id FROM picture_rows');
SELECT * FROM embed_projection('SELECT id, e, id FROM picture_rows');
SELECT * FROM embed_projection($$ VALUES (1, '[1]'::vector), (2, '[1,2]') $$);
SELECT * FROM embed_projection($$ VALUES (1, '{1:1}/100000000'::sparsevec) $$);
SELECT * FROM embed_projection('DELETE FROM picture_rows');
SELECT * FROM embed_projection('SELECT id, e FROM picture_nowhere');
SET maintenance_work_mem = '1MB';
SELECT count(*) FROM embed_projection('SELECT n, e FROM picture_clusters, generate_series(1, 20)');
SELECT count(*) FROM embed_projection('SELECT n, e FROM picture_clusters, generate_series(1, 20)', 'neighbours');
RESET maintenance_work_mem;
-- nothing is left to see afterwards
SELECT count(*) FROM picture_rows;

DROP TABLE picture_rows, picture_clusters, picture_places, picture_sparse;
