-- What one does with an index: build, drop, rebuild, vacuum, partition,
-- filter, move a cursor.  A failure would lose rows in ordinary use.
SET client_min_messages = warning;
SET jit = off;

CREATE TABLE inverted_docs (id int, v sparsevec(1000000000));
CREATE INDEX inverted_docs_v ON inverted_docs USING inverted (v);
INSERT INTO inverted_docs VALUES
	(1, '{1:1,1000000000:2}/1000000000'), (2, '{2:1}/1000000000'), (3, '{}/1000000000'), (4, NULL),
	(5, '{1000000000:-3}/1000000000'), (6, '{1:0.5,2:0.5}/1000000000');
SET enable_seqscan = off;
EXPLAIN (COSTS off) SELECT id FROM inverted_docs ORDER BY v <#> '{1000000000:1}/1000000000' LIMIT 3;
SELECT id, v <#> '{1000000000:1}/1000000000' AS distance FROM inverted_docs ORDER BY v <#> '{1000000000:1}/1000000000';
SELECT id, v <#> '{1:-1,2:-1}/1000000000' AS distance FROM inverted_docs ORDER BY v <#> '{1:-1,2:-1}/1000000000';
SELECT id FROM inverted_docs ORDER BY v <#> '{}/1000000000';
SELECT id FROM inverted_docs ORDER BY v <#> (SELECT NULL::sparsevec);
-- no order: not for this index, though nothing else is enabled (which 18 says)
DO $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT json) SELECT id FROM inverted_docs' INTO plan;
	IF plan #>> '{0,Plan,Node Type}' <> 'Seq Scan' THEN RAISE WARNING 'plan: %', plan; END IF;
END $$;

-- wrong dimensions, wrong options, wrong use
SELECT id FROM inverted_docs ORDER BY v <#> '{1:1}/5';
INSERT INTO inverted_docs VALUES (7, '{1:1}/5');
CREATE TABLE inverted_free (v sparsevec);
CREATE INDEX inverted_free_v ON inverted_free USING inverted (v sparsevec_cosine_ops);
INSERT INTO inverted_free VALUES ('{1:1}/5');
INSERT INTO inverted_free VALUES ('{1:1}/6');
CREATE INDEX ON inverted_free USING inverted (v) WITH (weight_bits = 9);
CREATE INDEX ON inverted_free USING inverted (v) WITH (lists = 9);
CREATE UNIQUE INDEX ON inverted_free USING inverted (v);
CREATE INDEX ON inverted_free USING inverted (v, v);
DROP TABLE inverted_free;

-- long vectors: 16,000 non-zeros do not fit on a page
INSERT INTO inverted_docs
	SELECT 100 + n, ('{' || string_agg(i * 100 + n || ':' || i, ',') || '}/1000000000')::sparsevec
	FROM generate_series(1, 3) AS n, generate_series(1, 16000) AS i GROUP BY n;
SELECT id, v <#> '{1600002:1}/1000000000' AS distance FROM inverted_docs
	ORDER BY v <#> '{1600002:1}/1000000000' LIMIT 2;
SELECT * FROM embed_index_check('inverted_docs_v');
VACUUM inverted_docs;
SELECT id, v <#> '{1600002:1,3:0.1}/1000000000' AS distance FROM inverted_docs
	ORDER BY v <#> '{1600002:1,3:0.1}/1000000000' LIMIT 2;
-- the long vector as a query
SELECT d.id FROM inverted_docs AS d
	ORDER BY v <#> (SELECT v FROM inverted_docs WHERE id = 103) LIMIT 1;
-- a tail that is more than sealing may hold in memory is sealed in parts
SET work_mem = '64kB';
INSERT INTO inverted_docs
	SELECT 200 + n, ('{' || string_agg(i * 100 + n || ':' || i, ',') || '}/1000000000')::sparsevec
	FROM generate_series(1, 8) AS n, generate_series(1, 16000) AS i GROUP BY n ORDER BY n;
RESET work_mem;
SELECT value > 0 AS sealed FROM embed_index_stats('inverted_docs_v') WHERE property = 'seals';
SELECT id, v <#> '{1600002:1,3:0.1}/1000000000' AS distance FROM inverted_docs
	ORDER BY v <#> '{1600002:1,3:0.1}/1000000000', id LIMIT 4;
SELECT * FROM embed_index_check('inverted_docs_v');
DROP TABLE inverted_docs;

-- many small rows; sealing and merging happen
CREATE TABLE inverted_many (id serial PRIMARY KEY, kind int, v sparsevec(100));
CREATE INDEX inverted_many_v ON inverted_many USING inverted (v);
CREATE FUNCTION inverted_vector(n int) RETURNS sparsevec IMMUTABLE LANGUAGE sql AS
	$$ SELECT ('{' || string_agg(i || ':' || (1 + (n * i) % 13) / 8.0, ',') || '}/100')::sparsevec
	   FROM (SELECT DISTINCT 1 + (n * k * 7919 + k * k) % 100 AS i FROM generate_series(1, 8) AS k) AS x $$;
INSERT INTO inverted_many (kind, v) SELECT n % 50, inverted_vector(n) FROM generate_series(1, 6000) AS n;
SELECT property, value > 0 AS positive FROM embed_index_stats('inverted_many_v')
	WHERE property IN ('seals', 'merges', 'segments', 'dead_documents') ORDER BY 1;
CREATE FUNCTION inverted_same(filter text, count int DEFAULT NULL) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	by_index float8[];
	by_table float8[];
	statement text := format('SELECT array_agg(d) FROM (SELECT v <#> ''{3:1,7:2,50:-1}/100'' AS d FROM inverted_many
		WHERE %s ORDER BY v <#> ''{3:1,7:2,50:-1}/100'' LIMIT %s) AS x', filter, coalesce(count::text, 'ALL'));
BEGIN
	SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off;
	EXECUTE statement INTO by_index;
	SET LOCAL enable_seqscan = on; SET LOCAL enable_sort = on; SET LOCAL enable_indexscan = off;
	EXECUTE statement INTO by_table;
	RETURN by_index IS NOT DISTINCT FROM by_table;
END $$;
SELECT inverted_same('true'), inverted_same('kind = 7', 100), inverted_same('id = 4321', 1), inverted_same('false');

-- rows deleted and updated, with and without VACUUM
DELETE FROM inverted_many WHERE id % 3 = 0;
UPDATE inverted_many SET v = inverted_vector(id + 9999) WHERE id % 5 = 0;
SELECT inverted_same('true'), inverted_same('kind = 7', 100);
VACUUM inverted_many;
SELECT inverted_same('true'), inverted_same('kind = 7', 100);
-- versions of a row that only the table knows (HOT updates)
UPDATE inverted_many SET kind = kind + 0;
UPDATE inverted_many SET kind = kind + 0 WHERE id % 2 = 0;
SELECT inverted_same('true'), inverted_same('kind = 7', 100);
VACUUM inverted_many;
SELECT inverted_same('true'), inverted_same('kind = 7', 100);
SELECT * FROM embed_index_check('inverted_many_v');
SELECT value AS dead_documents FROM embed_index_stats('inverted_many_v') WHERE property = 'dead_documents';

-- rebuilt in every way
REINDEX INDEX inverted_many_v;
SELECT inverted_same('true');
REINDEX INDEX CONCURRENTLY inverted_many_v;
SELECT inverted_same('true');
VACUUM FULL inverted_many;
SELECT inverted_same('true');
DROP INDEX inverted_many_v;
CREATE INDEX CONCURRENTLY inverted_many_v ON inverted_many USING inverted (v) WITH (weight_bits = 8);
SELECT inverted_same('true'), inverted_same('kind = 7', 100);
SELECT * FROM embed_index_check('inverted_many_v');

-- a build in many runs
DROP INDEX inverted_many_v;
SET maintenance_work_mem = '1MB';
CREATE INDEX inverted_many_v ON inverted_many USING inverted (v);
RESET maintenance_work_mem;
SELECT inverted_same('true');
SELECT * FROM embed_index_check('inverted_many_v');

-- a rescan with another query for each outer row
SET enable_sort = off;
EXPLAIN (COSTS off)
SELECT q.id, x.id FROM inverted_many AS q,
	LATERAL (SELECT id FROM inverted_many AS d ORDER BY d.v <#> q.v LIMIT 1) AS x
	WHERE q.id < 20;
SELECT count(*), bool_and(x.d = (SELECT min(d.v <#> q.v) FROM inverted_many AS d)) AS nearest
FROM inverted_many AS q,
	LATERAL (SELECT d.v <#> q.v AS d FROM inverted_many AS d ORDER BY d.v <#> q.v LIMIT 1) AS x
WHERE q.id < 50;

-- a cursor that reads on while rows come and go
BEGIN;
DECLARE inverted_cursor CURSOR FOR
	SELECT v <#> '{3:1,7:2,50:-1}/100' AS d FROM inverted_many ORDER BY v <#> '{3:1,7:2,50:-1}/100';
FETCH 3 FROM inverted_cursor;
INSERT INTO inverted_many (kind, v) SELECT 0, inverted_vector(n) FROM generate_series(1, 3000) AS n;
MOVE FORWARD 1000 FROM inverted_cursor;
FETCH 3 FROM inverted_cursor;
ROLLBACK;

-- partial and expression indexes, partitions, temporary tables, inheritance of options
RESET enable_sort;
CREATE INDEX inverted_part ON inverted_many USING inverted (v sparsevec_cosine_ops) WHERE kind = 3;
EXPLAIN (COSTS off) SELECT id FROM inverted_many WHERE kind = 3 ORDER BY v <=> '{3:1}/100' LIMIT 5;
CREATE TABLE inverted_dense (id int, d vector(3));
INSERT INTO inverted_dense SELECT n, ARRAY[n % 3, n % 5, n]::vector FROM generate_series(1, 100) AS n;
CREATE INDEX inverted_dense_v ON inverted_dense USING inverted ((d::sparsevec(3)));
EXPLAIN (COSTS off) SELECT id FROM inverted_dense ORDER BY d::sparsevec(3) <#> '{3:1}/3' LIMIT 2;
SELECT id FROM inverted_dense ORDER BY d::sparsevec(3) <#> '{3:1}/3' LIMIT 2;
CREATE TABLE inverted_parts (id int, v sparsevec(100)) PARTITION BY RANGE (id);
CREATE TABLE inverted_parts_1 PARTITION OF inverted_parts FOR VALUES FROM (0) TO (500);
CREATE TABLE inverted_parts_2 PARTITION OF inverted_parts FOR VALUES FROM (500) TO (1000);
CREATE INDEX inverted_parts_v ON inverted_parts USING inverted (v);
INSERT INTO inverted_parts SELECT n, inverted_vector(n) FROM generate_series(0, 999) AS n;
EXPLAIN (COSTS off) SELECT id FROM inverted_parts ORDER BY v <#> '{3:1,7:2}/100' LIMIT 5;
SELECT v <#> '{3:1,7:2}/100' AS distance FROM inverted_parts ORDER BY v <#> '{3:1,7:2}/100' LIMIT 5;
CREATE TEMP TABLE inverted_temp (v sparsevec(100));
CREATE INDEX inverted_temp_v ON inverted_temp USING inverted (v);
INSERT INTO inverted_temp SELECT inverted_vector(n) FROM generate_series(1, 2000) AS n;
SELECT count(*) FROM (SELECT 1 FROM inverted_temp ORDER BY v <#> '{3:1}/100') AS x;
SELECT * FROM embed_index_check('inverted_temp_v');
TRUNCATE inverted_temp;
SELECT count(*) FROM (SELECT 1 FROM inverted_temp ORDER BY v <#> '{3:1}/100') AS x;
CREATE UNLOGGED TABLE inverted_unlogged (v sparsevec(100));
CREATE INDEX inverted_unlogged_v ON inverted_unlogged USING inverted (v);
INSERT INTO inverted_unlogged SELECT inverted_vector(n) FROM generate_series(1, 2000) AS n;
SELECT count(*) FROM (SELECT 1 FROM inverted_unlogged ORDER BY v <#> '{3:1}/100') AS x;
ALTER TABLE inverted_unlogged SET LOGGED;
SELECT * FROM embed_index_check('inverted_unlogged_v');

-- the planner's choice: the index for the best few of many rows, not for all
-- of them, and not when a btree finds the only row
RESET enable_seqscan;
INSERT INTO inverted_many (kind, v) SELECT n, inverted_vector(n) FROM generate_series(1, 10000) AS n;
CREATE INDEX inverted_kind ON inverted_many (kind);
VACUUM ANALYZE inverted_many;
EXPLAIN (COSTS off) SELECT id FROM inverted_many ORDER BY v <#> '{3:1,7:2}/100' LIMIT 10;
EXPLAIN (COSTS off) SELECT id FROM inverted_many ORDER BY v <#> '{3:1,7:2}/100';
EXPLAIN (COSTS off) SELECT id FROM inverted_many WHERE kind = 9999 ORDER BY v <#> '{3:1,7:2}/100' LIMIT 10;

SELECT amvalidate(oid) FROM pg_opclass
	WHERE opcmethod = (SELECT oid FROM pg_am WHERE amname = 'inverted') ORDER BY opcname;

DROP TABLE inverted_many, inverted_dense, inverted_parts, inverted_temp, inverted_unlogged;
DROP FUNCTION inverted_vector, inverted_same;
