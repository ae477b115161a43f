-- If this fails, long vectors are read wrongly, or a query's vector is fetched
-- from its TOAST table again for every row.
CREATE TABLE type_toast (id integer, e vector(768), h halfvec(1536), s sparsevec(100000));
INSERT INTO type_toast SELECT i, v, v::halfvec || v::halfvec,
	(SELECT '{' || string_agg(j * 100 || ':' || (i + j) % 7 + 1, ',') || '}/100000' FROM generate_series(1, 500) j)::sparsevec
FROM (SELECT i, (SELECT array_agg((i * j) % 101) FROM generate_series(1, 768) j)::vector AS v FROM generate_series(1, 300) i) AS t;
SELECT pg_relation_size(reltoastrelid) > 0 AS out_of_line FROM pg_class WHERE oid = 'type_toast'::regclass;

-- every storage of one value: out of line, compressed, plain, constant
CREATE TABLE type_toast_plain (id integer, e vector(768), h halfvec(1536), s sparsevec(100000));
ALTER TABLE type_toast_plain ALTER e SET STORAGE plain, ALTER h SET STORAGE main, ALTER s SET STORAGE extended;
INSERT INTO type_toast_plain SELECT * FROM type_toast WHERE id = 7;
SELECT count(*), count(*) FILTER (WHERE (a.e = b.e) = (a.id % 101 = b.id) AND (a.h = b.h) = (a.id % 101 = b.id)
	AND a.e <-> b.e = l2_distance(a.e || '[0]', b.e || '[0]')) AS agree
FROM type_toast a, type_toast_plain b;
SELECT a.id FROM type_toast a, type_toast_plain b WHERE a.s = b.s ORDER BY a.id LIMIT 3;

-- short headers: vectors small enough lie unaligned in their rows
CREATE TABLE type_toast_short (flag boolean, e vector, h halfvec, s sparsevec, b varbit);
INSERT INTO type_toast_short SELECT true, v, v::halfvec, v::sparsevec, repeat('10', n)::varbit
FROM (SELECT n, array_fill(n, ARRAY[n])::vector AS v FROM generate_series(1, 60) n) AS t;
SELECT count(*), count(*) FILTER (WHERE e <-> e = 0 AND h <-> h = 0 AND s <-> s = 0 AND b <~> b = 0
	AND inner_product(e, e) = vector_dims(e) ^ 3 AND inner_product(h, h) = vector_dims(h) ^ 3
	AND inner_product(s, s) = vector_dims(e) ^ 3 AND b <~> ~b = length(b)) AS agree FROM type_toast_short;

-- The constant side is fetched once: a query vector out of line costs no more
-- buffers per row than one that is inline.
CREATE FUNCTION pg_temp.buffers(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	FOR i IN 1 .. 2 LOOP	-- the second time without reads of the catalogs
		EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, FORMAT JSON) ' || query INTO plan;
	END LOOP;
	RETURN (plan->0->'Plan'->>'Shared Hit Blocks')::bigint + (plan->0->'Plan'->>'Shared Read Blocks')::bigint;
END $$;
SET max_parallel_workers_per_gather = 0;
SELECT type, pg_temp.buffers(format('SELECT id FROM type_toast ORDER BY %s <-> (SELECT %s FROM type_toast WHERE id = 7) LIMIT 5', type, type))
	- pg_temp.buffers(format('SELECT id FROM type_toast ORDER BY %s <-> (SELECT %s FROM type_toast_plain) LIMIT 5', type, type)) < 100 AS fetched_once
FROM (VALUES ('e'), ('h'), ('s')) AS t (type);
-- and it is the right one when it changes from row to row
SELECT count(*) FROM type_toast a CROSS JOIN LATERAL (SELECT b.id FROM type_toast b ORDER BY a.e <-> b.e, b.id LIMIT 1) AS nearest
WHERE nearest.id <> a.id AND a.id <= 20;
RESET max_parallel_workers_per_gather;
DROP TABLE type_toast, type_toast_plain, type_toast_short;
