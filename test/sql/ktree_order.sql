-- Broken if it differs: a plan groups, deduplicates, ranks, merges or counts
-- ties by the approximate order of a ktree index, or does not use the index for
-- a plain ORDER BY ... LIMIT where the order is all that is wanted.
SET client_min_messages = warning;
SET jit = off;
SELECT setseed(0.5);
-- few distances, each of many rows; and a search that finds little at a time
CREATE TABLE ktree_order (id int PRIMARY KEY, v vector(8));
INSERT INTO ktree_order SELECT i, (SELECT array_agg(floor(random() * 4)) FROM generate_series(1, 8) WHERE i > 0)::vector FROM generate_series(1, 1500) i;
CREATE INDEX ktree_order_v ON ktree_order USING ktree (v vector_l2_ops);
CREATE TABLE ktree_order_other AS SELECT sqrt(i)::float8 AS d FROM generate_series(0, 60) i;
VACUUM ANALYZE ktree_order, ktree_order_other;
SET embed.candidates = 1;
SET embed.recall = 0.5;

CREATE FUNCTION ktree_order_plan(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text; plan text := '';
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || statement LOOP
		plan := plan || line || E'\n';
	END LOOP;
	RETURN plan;
END $$;
CREATE FUNCTION ktree_order_used(statement text) RETURNS bool LANGUAGE sql AS
$$ SELECT ktree_order_plan(statement) ~ 'Index Scan using ktree_order_(v|parts)' $$;

-- Settings under which a statement gives other rows than without the index.
CREATE FUNCTION ktree_order_differs(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	setting text;
	switched text;
	truth text;
	got text;
	different text := '';
	question text := 'SELECT string_agg(x::text, '' '' ORDER BY x::text) FROM (' || statement || ') AS x';
BEGIN
	SET LOCAL enable_indexscan = off;
	EXECUTE question INTO truth;
	SET LOCAL enable_indexscan = on;
	FOREACH setting IN ARRAY '{none,seqscan,sort,seqscan sort hashagg,
		seqscan sort hashagg hashjoin nestloop,seqscan sort hashagg hashjoin mergejoin,incremental_sort seqscan sort,
		material seqscan sort hashagg hashjoin}'::text[]
	LOOP
		FOREACH switched IN ARRAY string_to_array(setting, ' ') LOOP
			CONTINUE WHEN switched = 'none';
			PERFORM set_config('enable_' || switched, 'off', true);
		END LOOP;
		EXECUTE question INTO got;
		IF got IS DISTINCT FROM truth OR ktree_order_used(statement) THEN
			different := different || E'\n' || setting || ': ' || CASE WHEN got IS DISTINCT FROM truth THEN 'differs' ELSE 'used' END;
		END IF;
		FOREACH switched IN ARRAY string_to_array(setting, ' ') LOOP
			CONTINUE WHEN switched = 'none';
			PERFORM set_config('enable_' || switched, 'on', true);
		END LOOP;
	END LOOP;
	RETURN different;
END $$;

-- what relies on order gets what it gets without the index, under any settings
\set d 'v <-> ''[1,1,1,1,1,1,1,1]'''
CREATE TABLE ktree_order_statements (number serial, statement text);
INSERT INTO ktree_order_statements (statement) VALUES
	(:'d' || ' AS d, count(*) FROM ktree_order GROUP BY 1'),
	(:'d' || ' AS d, count(*) FROM ktree_order GROUP BY 1 ORDER BY 1 LIMIT 10'),
	(:'d' || ' AS d FROM ktree_order GROUP BY 1 HAVING count(*) > 20 ORDER BY 1 LIMIT 5'),
	(:'d' || ' AS d, count(*) FROM ktree_order GROUP BY ROLLUP (1) ORDER BY 1 LIMIT 10'),
	('DISTINCT ' || :'d' || ' AS d FROM ktree_order'),
	('DISTINCT ' || :'d' || ' AS d FROM ktree_order ORDER BY d LIMIT 20'),
	('DISTINCT ON (' || :'d' || ') ' || :'d' || ' AS d FROM ktree_order ORDER BY ' || :'d' || ' LIMIT 20'),
	('DISTINCT ON (' || :'d' || ') id FROM ktree_order ORDER BY ' || :'d' || ', id LIMIT 20'),
	('count(DISTINCT ' || :'d' || ') FROM ktree_order'),
	('array_agg(DISTINCT ' || :'d' || ') FROM ktree_order'),
	('array_agg(' || :'d' || ' ORDER BY ' || :'d' || ') FROM ktree_order'),
	('min(' || :'d' || ') FROM ktree_order WHERE id > 40'),
	('min(' || :'d' || '), max(' || :'d' || ') FROM ktree_order WHERE id > 40'),
	('percentile_disc(0.3) WITHIN GROUP (ORDER BY ' || :'d' || ') FROM ktree_order'),
	('id, rank() OVER (ORDER BY ' || :'d' || ') FROM ktree_order'),
	(:'d' || ' AS d, rank() OVER (ORDER BY ' || :'d' || ') FROM ktree_order ORDER BY d LIMIT 100'),
	('DISTINCT dense_rank() OVER (ORDER BY ' || :'d' || ') FROM ktree_order'),
	('count(*) FROM (SELECT id, ' || :'d' || ' AS d, lag(' || :'d' || ') OVER (ORDER BY ' || :'d' || ') AS before FROM ktree_order) y WHERE d < before'),
	(:'d' || ' AS d FROM ktree_order UNION SELECT d FROM ktree_order_other'),
	(:'d' || ' AS d FROM ktree_order UNION SELECT d FROM ktree_order_other ORDER BY d LIMIT 30'),
	(:'d' || ' AS d FROM ktree_order INTERSECT SELECT d FROM ktree_order_other'),
	(:'d' || ' AS d FROM ktree_order INTERSECT ALL SELECT ' || :'d' || ' FROM ktree_order WHERE id < 800'),
	('d FROM ktree_order_other EXCEPT SELECT ' || :'d' || ' FROM ktree_order'),
	(:'d' || ' AS d FROM ktree_order EXCEPT ALL SELECT d FROM ktree_order_other'),
	('count(*) FROM ktree_order t JOIN ktree_order_other o ON t.' || :'d' || ' = o.d'),
	('t.id, o.d FROM ktree_order t JOIN ktree_order_other o ON t.' || :'d' || ' = o.d WHERE id < 300 ORDER BY t.' || :'d' || ', id LIMIT 40'),
	('o.d FROM ktree_order t JOIN ktree_order_other o ON t.' || :'d' || ' = o.d ORDER BY o.d LIMIT 100'),
	('t.' || :'d' || ' AS d, o.d AS e FROM ktree_order t LEFT JOIN ktree_order_other o ON t.' || :'d' || ' = o.d ORDER BY t.' || :'d' || ' LIMIT 100'),
	('t.' || :'d' || ' AS d, o.d AS e FROM ktree_order t RIGHT JOIN ktree_order_other o ON t.' || :'d' || ' = o.d ORDER BY t.' || :'d' || ' LIMIT 100'),
	('count(*) FROM ktree_order t FULL JOIN ktree_order_other o ON t.' || :'d' || ' = o.d'),
	('count(*) FROM ktree_order a JOIN ktree_order b ON a.' || :'d' || ' = b.' || :'d'),
	('d FROM ktree_order_other WHERE d IN (SELECT ' || :'d' || ' FROM ktree_order) ORDER BY d LIMIT 50'),
	('d FROM ktree_order_other o WHERE EXISTS (SELECT FROM ktree_order t WHERE t.' || :'d' || ' = o.d)'),
	(:'d' || ' AS d FROM ktree_order ORDER BY d FETCH FIRST 30 ROWS WITH TIES'),
	(:'d' || ' AS d FROM ktree_order ORDER BY d'),
	(:'d' || ' AS d FROM ktree_order ORDER BY d LIMIT ALL');
SELECT statement, wrong FROM (SELECT *, ktree_order_differs('SELECT ' || statement) AS wrong FROM ktree_order_statements OFFSET 0) x
	WHERE wrong <> '' ORDER BY number;

-- an order that is only cut off is the index's
SET enable_seqscan = off;
SELECT statement FROM (VALUES
	('SELECT id FROM ktree_order ORDER BY ' || :'d' || ' LIMIT 10'),
	('SELECT id FROM ktree_order ORDER BY ' || :'d' || ' LIMIT (SELECT 10)'),
	('SELECT id FROM ktree_order ORDER BY ' || :'d' || ' OFFSET 5 LIMIT 10'),
	('SELECT id FROM ktree_order ORDER BY ' || :'d' || ' FETCH FIRST 10 ROWS ONLY'),
	('SELECT id FROM ktree_order ORDER BY ' || :'d' || ' LIMIT 10 FOR UPDATE'),
	('SELECT id, generate_series(1, 2) FROM ktree_order ORDER BY ' || :'d' || ' LIMIT 10'),
	('SELECT id FROM ktree_order WHERE id % 3 = 0 ORDER BY ' || :'d' || ' LIMIT 10'),
	('SELECT id FROM (SELECT id, ' || :'d' || ' AS d FROM ktree_order) x ORDER BY d LIMIT 10'),
	('SELECT id FROM (SELECT id FROM ktree_order ORDER BY ' || :'d' || ') x LIMIT 10'),
	('SELECT * FROM ktree_order t JOIN ktree_order_other o ON t.id = o.d ORDER BY t.' || :'d' || ' LIMIT 3'),
	('SELECT o.d, n.id FROM ktree_order_other o, LATERAL (SELECT id FROM ktree_order t ORDER BY t.v <-> array_fill(o.d, ARRAY[8])::vector LIMIT 3) n'),
	('SELECT d, (SELECT id FROM ktree_order ORDER BY ' || :'d' || ' LIMIT 1) FROM ktree_order_other'),
	('SELECT id % 5, count(*) FROM (SELECT id FROM ktree_order ORDER BY ' || :'d' || ' LIMIT 100) x GROUP BY 1'),
	('SELECT id, rank() OVER (ORDER BY d) FROM (SELECT id, ' || :'d' || ' AS d FROM ktree_order ORDER BY d LIMIT 100) x'),
	('WITH x AS MATERIALIZED (SELECT id, ' || :'d' || ' AS d FROM ktree_order ORDER BY d LIMIT 100) SELECT DISTINCT d FROM x'),
	('(SELECT ' || :'d' || ' AS d FROM ktree_order ORDER BY d LIMIT 10) UNION SELECT d FROM ktree_order_other'),
	('SELECT min(d) FROM (SELECT ' || :'d' || ' AS d FROM ktree_order ORDER BY d LIMIT 10) x'),
	('DELETE FROM ktree_order WHERE id IN (SELECT id FROM ktree_order ORDER BY ' || :'d' || ' LIMIT 10)'),
	('DECLARE c CURSOR FOR SELECT id FROM ktree_order ORDER BY ' || :'d'),
	-- this one need not be: there is no limit, but nothing forbids it either
	('SELECT id FROM ktree_order ORDER BY ' || :'d' || ' OFFSET 0')) s (statement)
	WHERE NOT ktree_order_used(statement);
PREPARE ktree_order_search(vector, int) AS SELECT id FROM ktree_order ORDER BY v <-> $1 LIMIT $2;
SET plan_cache_mode = force_generic_plan;
SELECT ktree_order_used($$ EXECUTE ktree_order_search('[1,1,1,1,1,1,1,1]', 10) $$);
RESET plan_cache_mode;

-- what stands above such a level sorts for itself
SET enable_sort = off; SET enable_hashagg = off;
WITH near AS MATERIALIZED (SELECT id, :d AS d FROM ktree_order ORDER BY d LIMIT 1000),
	ranked AS MATERIALIZED (SELECT d, rank() OVER (ORDER BY d) AS place FROM near)
SELECT count(*) AS wrong FROM ranked WHERE place <> 1 + (SELECT count(*) FROM near WHERE near.d < ranked.d);
SELECT count(*) AS wrong FROM (SELECT DISTINCT d FROM (SELECT :d AS d FROM ktree_order ORDER BY d LIMIT 1000) x) y
	HAVING count(*) <> count(DISTINCT d::text);
SELECT d AS twice FROM (SELECT d, count(*) FROM (SELECT :d AS d FROM ktree_order ORDER BY d LIMIT 1000) x GROUP BY d) y GROUP BY d::text, d HAVING count(*) > 1;
SELECT d AS twice FROM (SELECT d FROM (SELECT :d AS d FROM ktree_order ORDER BY d OFFSET 0) x UNION SELECT d FROM ktree_order_other) y GROUP BY d::text, d HAVING count(*) > 1;
SELECT count(*) AS wrong FROM (SELECT d, lag(d) OVER (ORDER BY d) AS before FROM
	(SELECT id, :d AS d FROM ktree_order ORDER BY d OFFSET 3 LIMIT 1000 FOR UPDATE) x) y WHERE d < before;
SET enable_hashjoin = off; SET enable_nestloop = off;
WITH near AS MATERIALIZED (SELECT id, :d AS d FROM ktree_order ORDER BY d LIMIT 1000)
SELECT (SELECT count(*) FROM near a JOIN near b USING (d)) = (SELECT sum(n * n) FROM (SELECT count(*) AS n FROM near GROUP BY d::text) x) AS joined;
SELECT count(*) = 1500 AS joined FROM (SELECT id, :d AS d FROM ktree_order ORDER BY d LIMIT 2000) a
	JOIN (SELECT id, :d AS d FROM ktree_order ORDER BY d LIMIT 2000) b USING (d, id);
RESET enable_hashjoin; RESET enable_nestloop; RESET enable_hashagg; RESET enable_sort;

-- a second order behind the first
SET embed.recall = 0.999; SET embed.candidates = 1000;
SELECT count(*) AS wrong FROM (SELECT a, b, lag((a, b)) OVER () AS before FROM
	(SELECT :d AS a, v <-> '[3,3,0,0,0,0,0,0]' AS b FROM ktree_order ORDER BY a, b LIMIT 500) x) y WHERE (a, b) < before;
SELECT count(*) AS wrong FROM (SELECT a, id, lag((a, id)) OVER () AS before FROM
	(SELECT :d AS a, id FROM ktree_order ORDER BY a, id LIMIT 500) x) y WHERE (a, id) < before;

-- partitions, and tables put together, are merged by order for a limit
CREATE TABLE ktree_order_parts (id int, v vector(8)) PARTITION BY RANGE (id);
CREATE TABLE ktree_order_parts1 PARTITION OF ktree_order_parts FOR VALUES FROM (1) TO (1001);
CREATE TABLE ktree_order_parts2 PARTITION OF ktree_order_parts FOR VALUES FROM (1001) TO (3001);
CREATE INDEX ON ktree_order_parts USING ktree (v vector_l2_ops);
INSERT INTO ktree_order_parts SELECT * FROM ktree_order;
ANALYZE ktree_order_parts;
SELECT (SELECT count(*) FROM regexp_matches(plan, 'Index Scan using ktree_order_(v|parts)', 'g')) AS scans FROM ktree_order_plan('SELECT id FROM ktree_order_parts ORDER BY ' || :'d' || ' LIMIT 10') AS plan;
SELECT (SELECT count(*) FROM regexp_matches(plan, 'Index Scan using ktree_order_(v|parts)', 'g')) AS scans FROM ktree_order_plan('SELECT id FROM
	(SELECT * FROM ktree_order UNION ALL SELECT * FROM ktree_order_parts1) x ORDER BY ' || :'d' || ' LIMIT 10') AS plan;
SELECT count(*) AS wrong FROM (SELECT d, lag(d) OVER () AS before FROM (SELECT :d AS d FROM ktree_order_parts ORDER BY d LIMIT 200) x) y WHERE d < before;
SET enable_sort = off; SET enable_hashagg = off;
SELECT ktree_order_used('SELECT ' || :'d' || ', count(*) FROM ktree_order_parts GROUP BY 1');
SELECT ktree_order_used('SELECT DISTINCT ' || :'d' || ' FROM ktree_order_parts ORDER BY 1 LIMIT 10');
SELECT ktree_order_used('SELECT min(' || :'d' || ') FROM ktree_order_parts');
SELECT ktree_order_used('SELECT p.id FROM ktree_order_parts p JOIN ktree_order_other o ON p.' || :'d' || ' = o.d ORDER BY p.' || :'d' || ' LIMIT 10');
RESET enable_sort; RESET enable_hashagg;

-- NaN comes after every number and before NULL
CREATE TABLE ktree_order_nan (id int, v vector(2));
INSERT INTO ktree_order_nan VALUES (1, NULL), (2, '[0,0]'), (3, NULL), (4, '[1,2]'), (5, '[0,0]'), (6, '[3,1]'), (7, NULL), (8, '[0,0]');
CREATE INDEX ktree_order_nan_v ON ktree_order_nan USING ktree (v);
INSERT INTO ktree_order_nan SELECT 8 + i, CASE i % 3 WHEN 0 THEN '[0,0]' WHEN 1 THEN '[1,1]' END::vector FROM generate_series(1, 3000) i;
SELECT d, count(*), max(n) - min(n) + 1 AS apart FROM (SELECT d, row_number() OVER () AS n FROM
	(SELECT v <=> '[1,0]' AS d FROM ktree_order_nan ORDER BY v <=> '[1,0]' LIMIT 4000) x) y GROUP BY d ORDER BY max(n);
SELECT d, count(*), max(n) - min(n) + 1 AS apart FROM (SELECT d, row_number() OVER () AS n FROM
	(SELECT v <=> '[0,0]' AS d FROM ktree_order_nan ORDER BY v <=> '[0,0]' LIMIT 4000) x) y GROUP BY d ORDER BY max(n);

DROP TABLE ktree_order, ktree_order_other, ktree_order_parts, ktree_order_nan, ktree_order_statements;
DROP FUNCTION ktree_order_differs, ktree_order_used, ktree_order_plan;
