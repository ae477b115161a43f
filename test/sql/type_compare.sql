-- If this fails, vectors sort, group or join wrongly.
-- By the first difference, then by length; minus zero equals zero
SELECT a, b, vector_cmp(a, b) AS vector, halfvec_cmp(a, b) AS halfvec, a < b AS lt, a <= b AS le, a = b AS eq, a <> b AS ne, a >= b AS ge, a > b AS gt
FROM (VALUES ('[1,2]'::vector, '[1,2]'::vector), ('[1,2]', '[1,3]'), ('[2]', '[1,3]'), ('[1]', '[1,0]'), ('[1]', '[1,-5]'), ('[-0]', '[0]'), ('[-1]', '[-2]')) AS t (a, b);
SELECT a, b, sparsevec_cmp(a, b) AS cmp, a < b AS lt, a <= b AS le, a = b AS eq, a <> b AS ne, a >= b AS ge, a > b AS gt
FROM (VALUES ('{1:1}/2'::sparsevec, '{1:1}/2'::sparsevec), ('{1:1}/2', '{2:1}/2'), ('{1:-1}/2', '{2:1}/2'), ('{}/2', '{2:-1}/2'),
	('{}/2', '{2:1}/2'), ('{1:1}/2', '{1:1}/3'), ('{1:1}/2', '{1:1,3:-1}/3'), ('{1:1,2:3}/2', '{1:1,2:2}/2')) AS t (a, b);
-- the three types and arrays agree on every pair
CREATE TEMP TABLE type_compare AS
SELECT ARRAY(SELECT (i / (3 ^ j)::integer) % 3 - 1 FROM generate_series(0, i % 4) j) AS a FROM generate_series(1, 120) i;
SELECT count(*), count(*) FILTER (WHERE sign(vector_cmp(a.a::vector, b.a::vector)) = btarraycmp(a.a, b.a)
	AND halfvec_cmp(a.a::halfvec, b.a::halfvec) = vector_cmp(a.a::vector, b.a::vector)
	AND sparsevec_cmp(a.a::sparsevec, b.a::sparsevec) = vector_cmp(a.a::vector, b.a::vector)) AS agree
FROM type_compare a, type_compare b;
DROP TABLE type_compare;

-- B-tree index: order, equality, uniqueness
CREATE TABLE type_compare (e vector(2), h halfvec(2), s sparsevec(2));
INSERT INTO type_compare SELECT v, v::halfvec, v::sparsevec FROM (SELECT ARRAY[i % 7, i % 3]::vector AS v FROM generate_series(1, 2000) i) AS t;
CREATE INDEX type_compare_e ON type_compare (e);
CREATE INDEX type_compare_h ON type_compare (h);
CREATE INDEX type_compare_s ON type_compare (s);
CREATE INDEX type_compare_hash ON type_compare USING hash (s);
ANALYZE type_compare;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT e FROM type_compare WHERE e >= '[6,1]' ORDER BY e;
SELECT e, count(*) FROM (SELECT e FROM type_compare WHERE e >= '[6,1]' ORDER BY e) AS t GROUP BY e ORDER BY e;
SELECT count(*) FROM type_compare WHERE h = '[6,1]';
DROP INDEX type_compare_s;
EXPLAIN (COSTS OFF) SELECT count(*) FROM type_compare WHERE s = '{1:6,2:1}/2';
SELECT count(*) FROM type_compare WHERE s = '{1:6,2:1}/2';
RESET enable_seqscan;
RESET enable_bitmapscan;
DROP INDEX type_compare_e, type_compare_h, type_compare_hash;
\set VERBOSITY terse
CREATE UNIQUE INDEX type_compare_unique ON type_compare (e);
\set VERBOSITY default

-- Hash join, hashed GROUP BY, merge join
SET enable_mergejoin = off;
SET enable_nestloop = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM type_compare a JOIN type_compare b USING (e);
SELECT count(*) FROM type_compare a JOIN type_compare b USING (e);
SELECT count(*) FROM type_compare a JOIN type_compare b USING (h);
SELECT count(*) FROM type_compare a JOIN type_compare b USING (s);
RESET enable_mergejoin;
SET enable_hashjoin = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM type_compare a JOIN type_compare b USING (e);
SELECT count(*) FROM type_compare a JOIN type_compare b USING (e);
RESET enable_nestloop;
RESET enable_hashjoin;
EXPLAIN (COSTS OFF) SELECT e, count(*) FROM type_compare GROUP BY e;
SELECT count(*) FROM (SELECT e FROM type_compare GROUP BY e) AS t;
SET enable_sort = off;
EXPLAIN (COSTS OFF) SELECT DISTINCT s FROM type_compare;
SELECT (SELECT count(*) FROM (SELECT DISTINCT e FROM type_compare) AS t) AS e,
	(SELECT count(*) FROM (SELECT DISTINCT h FROM type_compare) AS t) AS h,
	(SELECT count(*) FROM (SELECT DISTINCT s FROM type_compare) AS t) AS s;
SELECT count(*) FROM (SELECT DISTINCT v FROM (VALUES ('[0,1]'::vector), ('[-0,1]')) AS t (v)) AS t;
SELECT count(*) FROM (SELECT DISTINCT v FROM (VALUES ('[0,1]'::halfvec), ('[-0,1]')) AS t (v)) AS t;
RESET enable_sort;

-- What the hash opclass promises: equal values hash equally, the 32-bit hash is
-- the low half of the extended one with seed 0, and a seed changes it.
SELECT vector_hash('[0,1]') = vector_hash('[-0,1]') AS vector, halfvec_hash('[0,1]') = halfvec_hash('[-0,1]') AS halfvec,
	bool_and((vector_hash_extended(v, 0) & 4294967295) = (vector_hash(v)::bigint & 4294967295)
		AND (halfvec_hash_extended(v, 0) & 4294967295) = (halfvec_hash(v)::bigint & 4294967295)
		AND (sparsevec_hash_extended(v, 0) & 4294967295) = (sparsevec_hash(v)::bigint & 4294967295)) AS low_half,
	bool_and(vector_hash_extended(v, 0) <> vector_hash_extended(v, 1)) AS seed,
	count(DISTINCT vector_hash(v)) AS vectors, count(DISTINCT halfvec_hash(v)) AS halfvecs, count(DISTINCT sparsevec_hash(v)) AS sparsevecs
FROM (SELECT (array_fill(0, ARRAY[i / 2]) || ARRAY[i])::vector AS v FROM generate_series(1, 1000) i) AS t;
-- length counts where the elements agree
SELECT vector_hash('[0]') <> vector_hash('[0,0]') AS vector, sparsevec_hash('{}/1') <> sparsevec_hash('{}/2') AS sparsevec;

-- Partitioning by hash uses the extended form.
CREATE TABLE type_compare_parts (v vector) PARTITION BY HASH (v);
CREATE TABLE type_compare_part0 PARTITION OF type_compare_parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE type_compare_part1 PARTITION OF type_compare_parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO type_compare_parts SELECT ARRAY[i]::vector FROM generate_series(1, 1000) i;
SELECT count(*) BETWEEN 400 AND 600 AS balanced FROM type_compare_part0;
DROP TABLE type_compare_parts;

-- <> selects nearly everything, = nearly nothing: the planner knows.
SELECT oprname, oprrest, oprjoin, oprcanhash, oprcanmerge FROM pg_operator
WHERE oprleft = 'vector'::regtype AND oprname IN ('=', '<>', '<', '<=', '>', '>=') ORDER BY oprname COLLATE "C";
CREATE FUNCTION pg_temp.planned_rows(query text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
	RETURN (plan->0->'Plan'->>'Plan Rows')::numeric;
END $$;
SELECT pg_temp.planned_rows($$SELECT * FROM type_compare WHERE e <> '[1,1]'$$) > 1500 AS most,
	pg_temp.planned_rows($$SELECT * FROM type_compare WHERE e = '[1,1]'$$) < 500 AS few;
DROP TABLE type_compare;
