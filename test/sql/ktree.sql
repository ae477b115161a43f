-- Broken if it differs: a ktree scan returns every row once, in the order of
-- the true distance, for every type, metric and kind of row.
SET client_min_messages = warning;
SELECT setseed(0.25);

-- rows in the order of the index against a sort: sorted too, and nearly all found
CREATE FUNCTION ktree_test_compare(tab text, op text, query text, type text, count int)
RETURNS text LANGUAGE plpgsql SET embed.recall = 0.999 AS $$
DECLARE
	by_index float8[];
	by_sort float8[];
	plan text;
	statement text := format('SELECT array_agg(d) FROM (SELECT v %s %L::%s AS d FROM %s ORDER BY v %s %L::%s LIMIT %s) s',
		op, query, type, tab, op, query, type, count);
BEGIN
	PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true),
		set_config('enable_indexscan', 'on', true);
	FOR plan IN EXECUTE 'EXPLAIN ' || statement LOOP
		EXIT WHEN plan LIKE '%Index Scan%';
	END LOOP;
	EXECUTE statement INTO by_index;
	PERFORM set_config('enable_seqscan', 'on', true), set_config('enable_sort', 'on', true),
		set_config('enable_indexscan', 'off', true);
	EXECUTE statement INTO by_sort;
	IF plan NOT LIKE '%Index Scan%' THEN
		RETURN 'index not used';
	END IF;
	IF by_index <> (SELECT array_agg(d ORDER BY d) FROM unnest(by_index) AS d) THEN
		RETURN 'not sorted';
	END IF;
	RETURN CASE WHEN (SELECT count(*) FROM unnest(by_index) AS d WHERE d <= by_sort[count]) >= 0.96 * count
		THEN 'good' ELSE 'bad: ' || array_to_string(by_index, ' ') END;
END $$;

CREATE TABLE ktree_test (id int PRIMARY KEY, v vector(8), h halfvec(8), category int);
INSERT INTO ktree_test
SELECT i, a::vector, a::vector::halfvec, i % 100
FROM generate_series(1, 3000) i,
	LATERAL (SELECT array_agg(random() - 0.3 + g * 0) AS a FROM generate_series(1, 8) g WHERE i > 0) s;
INSERT INTO ktree_test VALUES (3001, NULL, NULL, 1), (3002, '[0,0,0,0,0,0,0,0]', '[0,0,0,0,0,0,0,0]', 2);

-- every metric, built over rows and grown by them
CREATE INDEX ktree_test_cosine ON ktree_test USING ktree (v);
SELECT ktree_test_compare('ktree_test', '<=>', '[1,2,3,4,3,2,1,0]', 'vector', 100);
SELECT * FROM embed_index_check('ktree_test_cosine');
DROP INDEX ktree_test_cosine;
CREATE INDEX ktree_test_l2 ON ktree_test USING ktree (v vector_l2_ops);
SELECT ktree_test_compare('ktree_test', '<->', '[.1,.2,.3,.4,.3,.2,.1,0]', 'vector', 100);
DROP INDEX ktree_test_l2;
CREATE INDEX ktree_test_ip ON ktree_test USING ktree (v vector_ip_ops);
SELECT ktree_test_compare('ktree_test', '<#>', '[1,2,3,4,3,2,1,0]', 'vector', 100);
DROP INDEX ktree_test_ip;
CREATE TABLE ktree_test_half (id int, v halfvec(8));
CREATE INDEX ktree_test_half_cosine ON ktree_test_half USING ktree (v);
CREATE INDEX ktree_test_half_l2 ON ktree_test_half USING ktree (v halfvec_l2_ops);
CREATE INDEX ktree_test_half_ip ON ktree_test_half USING ktree (v halfvec_ip_ops);
INSERT INTO ktree_test_half SELECT id, h FROM ktree_test;
SELECT ktree_test_compare('ktree_test_half', '<=>', '[1,2,3,4,3,2,1,0]', 'halfvec', 100);
SELECT ktree_test_compare('ktree_test_half', '<->', '[1,2,3,4,3,2,1,0]', 'halfvec', 100);
SELECT ktree_test_compare('ktree_test_half', '<#>', '[1,2,3,4,3,2,1,0]', 'halfvec', 100);
SELECT * FROM embed_index_check('ktree_test_half_cosine');
SELECT * FROM embed_index_check('ktree_test_half_l2');
SELECT * FROM embed_index_check('ktree_test_half_ip');
DROP TABLE ktree_test_half;

-- all rows come, each once; zero vectors and NULLs at the end
CREATE INDEX ktree_test_v ON ktree_test USING ktree (v);
SET enable_seqscan = off;
SET enable_sort = off;
SELECT count(*), count(DISTINCT id), array_agg(id ORDER BY n) FILTER (WHERE n > 3000) AS last
FROM (SELECT id, row_number() OVER () AS n FROM
	(SELECT id FROM ktree_test ORDER BY v <=> '[1,0,0,0,0,0,0,1]' OFFSET 0) s) t;
SELECT rounds, returned FROM embed_index_scan_stats();
-- the same by a cursor, whose windows cannot know that all are wanted
BEGIN;
DECLARE all_rows CURSOR FOR SELECT id FROM ktree_test ORDER BY v <=> '[1,0,0,0,0,0,0,1]';
MOVE 20 IN all_rows;
SELECT rounds FROM embed_index_scan_stats();
MOVE ALL IN all_rows;
SELECT rounds > 3 AS several_rounds, returned FROM embed_index_scan_stats();
COMMIT;
-- a query without a direction, and none
SELECT count(DISTINCT id) FROM (SELECT id FROM ktree_test ORDER BY v <=> '[0,0,0,0,0,0,0,0]' OFFSET 0) s;
SELECT count(DISTINCT id) FROM (SELECT id FROM ktree_test ORDER BY v <=> NULL::vector OFFSET 0) s;
-- filters do not starve
SELECT count(*) FROM (SELECT id FROM ktree_test WHERE category = 7 ORDER BY v <=> '[1,0,0,0,0,0,0,1]' LIMIT 10) s;
SELECT id FROM ktree_test WHERE id + 0 = 1234 ORDER BY v <=> '[-1,0,0,0,0,0,0,-1]' LIMIT 10;
-- a distance threshold
SELECT (SELECT count(*) FROM ktree_test WHERE v <=> '[1,1,0,0,0,0,0,1]' < 0.3) =
	(SELECT count(*) FROM (SELECT 1 FROM ktree_test WHERE v <=> '[1,1,0,0,0,0,0,1]' < 0.3 ORDER BY v <=> '[1,1,0,0,0,0,0,1]' OFFSET 0) s) AS threshold;
-- measured recall
SELECT embed_index_recall('ktree_test_v', 'SELECT v FROM ktree_test WHERE id <= 20') > 0.9 AS recall;
SELECT embed_index_recall('ktree_test_v', 'SELECT id FROM ktree_test');
SELECT embed_index_recall('ktree_test_v', 'SELECT v FROM ktree_test', 0);
-- embed.max_leaves cuts, and says so
SET embed.max_leaves = 2;
SELECT count(*) < 3002 AS cut FROM (SELECT id FROM ktree_test ORDER BY v <=> '[1,0,0,0,0,0,0,1]' OFFSET 0) s;
RESET embed.max_leaves;
-- rescans with a changing query
SELECT count(*), count(DISTINCT a.id) FROM ktree_test a, LATERAL
	(SELECT id FROM ktree_test b ORDER BY b.v <=> a.v LIMIT 2) n WHERE a.id <= 50;
-- the nearest of a row is itself
SELECT count(*) FROM ktree_test a, LATERAL
	(SELECT id FROM ktree_test b ORDER BY b.v <=> a.v LIMIT 1) n WHERE a.id <= 200 AND n.id = a.id;
-- cursors read on while the table changes
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM ktree_test ORDER BY v <=> '[1,0,0,0,0,0,0,1]';
MOVE 50 IN c;
DELETE FROM ktree_test WHERE id % 2 = 0;
INSERT INTO ktree_test SELECT i, ('[' || i || ',1,1,1,1,1,1,1]')::vector, NULL, 0 FROM generate_series(4001, 5000) i;
MOVE ALL IN c;
ROLLBACK;

-- deletion, vacuum, new rows
DELETE FROM ktree_test WHERE id % 3 <> 0;
VACUUM ktree_test;
SELECT * FROM embed_index_check('ktree_test_v');
SELECT count(DISTINCT id) FROM (SELECT id FROM ktree_test ORDER BY v <=> '[1,0,0,0,0,0,0,1]' OFFSET 0) s;
INSERT INTO ktree_test SELECT id + 10000, v, h, category FROM ktree_test;
SELECT * FROM embed_index_check('ktree_test_v');
SELECT count(DISTINCT id) FROM (SELECT id FROM ktree_test ORDER BY v <=> '[1,0,0,0,0,0,0,1]' OFFSET 0) s;
REINDEX INDEX ktree_test_v;
SELECT count(DISTINCT id) FROM (SELECT id FROM ktree_test ORDER BY v <=> '[1,0,0,0,0,0,0,1]' OFFSET 0) s;
REINDEX INDEX CONCURRENTLY ktree_test_v;
ALTER TABLE ktree_test ALTER COLUMN id TYPE bigint;
SELECT count(DISTINCT id) FROM (SELECT id FROM ktree_test ORDER BY v <=> '[1,0,0,0,0,0,0,1]' OFFSET 0) s;
SELECT * FROM embed_index_check('ktree_test_v');
TRUNCATE ktree_test;
SELECT count(*) FROM (SELECT id FROM ktree_test ORDER BY v <=> '[1,0,0,0,0,0,0,1]' LIMIT 5) s;
DROP TABLE ktree_test;

-- no declared dimensions: the first row fixes them
CREATE TABLE ktree_test_any (v vector);
CREATE INDEX ktree_test_any_v ON ktree_test_any USING ktree (v vector_l2_ops);
SELECT v FROM ktree_test_any ORDER BY v <-> '[1,2,3]' LIMIT 1;
INSERT INTO ktree_test_any VALUES (NULL), ('[1,2]'), ('[3,4]');
INSERT INTO ktree_test_any VALUES ('[1,2,3]');
SELECT v FROM ktree_test_any ORDER BY v <-> '[1,2,3]' LIMIT 1;
SELECT v FROM ktree_test_any ORDER BY v <-> '[3,3]';
DROP TABLE ktree_test_any;

-- values beyond the codes' arithmetic keep their place
CREATE TABLE ktree_test_huge (v vector(2));
CREATE INDEX ktree_test_huge_v ON ktree_test_huge USING ktree (v vector_l2_ops);
INSERT INTO ktree_test_huge VALUES ('[1,1]'), ('[1e16,1e16]'), ('[2e16,0]'), ('[3,3]'), ('[1e25,0]');
SELECT v FROM ktree_test_huge ORDER BY v <-> '[0,0]' LIMIT 10;
SELECT v FROM ktree_test_huge ORDER BY v <-> '[2e16,1]' LIMIT 10;
DROP TABLE ktree_test_huge;

-- equal rows
CREATE TABLE ktree_test_equal (id int, v vector(4));
INSERT INTO ktree_test_equal SELECT i, '[1,2,3,4]' FROM generate_series(1, 5000) i;
CREATE INDEX ktree_test_equal_v ON ktree_test_equal USING ktree (v);
INSERT INTO ktree_test_equal SELECT i, '[1,2,3,4]' FROM generate_series(5001, 8000) i;
SELECT * FROM embed_index_check('ktree_test_equal_v');
SELECT count(DISTINCT id) FROM (SELECT id FROM ktree_test_equal ORDER BY v <=> '[1,0,0,1]' OFFSET 0) s;
DROP TABLE ktree_test_equal;

-- partial, expression, unlogged, partitioned, concurrently
CREATE UNLOGGED TABLE ktree_test_kinds (id int, a float4[], ok bool);
INSERT INTO ktree_test_kinds SELECT i, ARRAY[i, i % 7, 1], i % 2 = 0 FROM generate_series(1, 1000) i;
CREATE INDEX CONCURRENTLY ktree_test_expression ON ktree_test_kinds USING ktree ((a::vector(3)) vector_l2_ops);
CREATE INDEX ktree_test_partial ON ktree_test_kinds USING ktree ((a::vector(3)) vector_l2_ops) WHERE ok;
INSERT INTO ktree_test_kinds VALUES (1001, '{1001,0,1}', true), (1002, NULL, true);
SELECT * FROM embed_index_check('ktree_test_expression');
SELECT * FROM embed_index_check('ktree_test_partial');
EXPLAIN (COSTS OFF) SELECT id FROM ktree_test_kinds WHERE ok ORDER BY a::vector(3) <-> '[500.4,3,1]' LIMIT 3;
SELECT id FROM ktree_test_kinds WHERE ok ORDER BY a::vector(3) <-> '[500.4,3,1]' LIMIT 3;
SELECT id FROM ktree_test_kinds ORDER BY a::vector(3) <-> '[500.4,3,1]' LIMIT 3;
DROP TABLE ktree_test_kinds;
CREATE TABLE ktree_test_parts (id int, v vector(2)) PARTITION BY RANGE (id);
CREATE TABLE ktree_test_parts1 PARTITION OF ktree_test_parts FOR VALUES FROM (1) TO (501);
CREATE TABLE ktree_test_parts2 PARTITION OF ktree_test_parts FOR VALUES FROM (501) TO (1001);
CREATE INDEX ktree_test_parts_v ON ktree_test_parts USING ktree (v vector_l2_ops);
INSERT INTO ktree_test_parts SELECT i, format('[%s,%s]', i, i)::vector FROM generate_series(1, 1000) i;
SELECT id FROM ktree_test_parts ORDER BY v <-> '[500.2,500.2]' LIMIT 4;
SELECT * FROM embed_index_check('ktree_test_parts_v');
DROP TABLE ktree_test_parts;

-- what is refused
CREATE TABLE ktree_test_errors (v vector(3), s sparsevec(3));
CREATE INDEX ON ktree_test_errors USING ktree (s);
CREATE INDEX ON ktree_test_errors USING ktree (v, v);
CREATE UNIQUE INDEX ON ktree_test_errors USING ktree (v);
CREATE INDEX ON ktree_test_errors USING ktree (v) WITH (lists = 100);
SET embed.recall = 1.5;
CREATE INDEX ktree_test_errors_v ON ktree_test_errors USING ktree (v);
INSERT INTO ktree_test_errors VALUES ('[1,2,3]');
SELECT * FROM embed_index_check('ktree_test_errors');
SELECT * FROM embed_index_check('pg_class_oid_index');
DROP TABLE ktree_test_errors;
SELECT opcname, amvalidate(c.oid) FROM pg_opclass c, pg_am a WHERE a.oid = opcmethod AND amname = 'ktree' ORDER BY 1;
DROP FUNCTION ktree_test_compare;
