-- Broken if it differs: conditions on further key columns of a ktree index let
-- rows pass that fail them, lose rows that pass, or unsort the answer.
SET client_min_messages = warning;
SET jit = off;
SELECT setseed(0.3);
CREATE TABLE ktree_filter AS
SELECT i AS id, i % 200 AS tenant, (i * 37 % 1000) / 10.0::float8 AS price, (i % 7)::smallint AS small,
	md5((i % 50)::text) AS label, CASE WHEN i % 10 = 0 THEN NULL ELSE i % 4 END AS maybe, date '2020-01-01' + i % 300 AS day,
	(SELECT array_agg(random()) FROM generate_series(1, 16) WHERE i = i)::vector(16) AS v
FROM generate_series(1, 10000) i;
CREATE INDEX ktree_filter_v ON ktree_filter USING ktree (v vector_l2_ops, tenant, price, small, label, maybe, day);
CREATE TABLE ktree_filter_grown (LIKE ktree_filter);
CREATE INDEX ktree_filter_grown_v ON ktree_filter_grown USING ktree (v vector_l2_ops, tenant, price, small, label, maybe, day);
INSERT INTO ktree_filter_grown SELECT * FROM ktree_filter;
VACUUM ANALYZE ktree_filter, ktree_filter_grown;

-- by the index with its condition, against a sort: sorted, and nearly all found
CREATE FUNCTION ktree_filter_test(tab text, filter text, count int) RETURNS text
LANGUAGE plpgsql SET embed.recall = 0.99 SET enable_bitmapscan = off SET enable_seqscan = off AS $$
DECLARE
	query text;
	line text;
	by_index float8[];
	by_sort float8[];
	passing bool;
	plan text := '';
	hits int := 0;
	wanted int := 0;
	statement text := format('SELECT array_agg(d), bool_and(ok) FROM (SELECT v <-> $1::vector AS d, %1$s AS ok FROM %2$I WHERE %1$s ORDER BY v <-> $1::vector LIMIT %3$s) s', filter, tab, count);
BEGIN
	FOR query IN SELECT v::text FROM ktree_filter WHERE id % 400 = 7 ORDER BY id LOOP
		PERFORM set_config('enable_indexscan', 'on', true), set_config('enable_sort', 'off', true);
		IF plan = '' THEN
			FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || replace(statement, '$1', quote_literal(query)) LOOP
				plan := plan || line;
			END LOOP;
			IF plan !~ 'Index Cond' OR plan ~ 'Filter:' THEN
				RETURN 'not by conditions of the index';
			END IF;
		END IF;
		EXECUTE statement INTO by_index, passing USING query;
		IF NOT passing THEN
			RETURN 'a row that fails';
		END IF;
		IF by_index <> (SELECT array_agg(d ORDER BY d) FROM unnest(by_index) d) THEN
			RETURN 'not sorted';
		END IF;
		PERFORM set_config('enable_indexscan', 'off', true), set_config('enable_sort', 'on', true);
		EXECUTE statement INTO by_sort, passing USING query;
		hits := hits + (SELECT count(*) FROM unnest(by_index) d WHERE d <= by_sort[array_length(by_sort, 1)]);
		wanted := wanted + coalesce(array_length(by_sort, 1), 0);
	END LOOP;
	RETURN CASE WHEN hits >= 0.97 * wanted THEN 'good' ELSE format('%s of %s', hits, wanted) END;
END $$;
SELECT filter, ktree_filter_test('ktree_filter', filter, 10) AS built, ktree_filter_test('ktree_filter_grown', filter, 10) AS grown
FROM unnest(ARRAY['tenant = 7', 'tenant = 7::bigint', 'tenant < 100', 'price BETWEEN 10 AND 11', 'price > 99.5 AND tenant <= 150',
	'small = 3 AND tenant >= 20', 'label = md5(''3'')', 'maybe IS NULL', 'maybe IS NOT NULL AND maybe > 2', 'day >= ''2020-06-01'' AND day < ''2020-06-08''',
	'tenant = -1', 'tenant IN (7, 9, 150)', 'tenant = ANY (''{7,NULL,8}''::bigint[]) AND price < 50', 'label IN (md5(''3''), md5(''4''), ''none'')',
	'tenant IN (-1, -2)']) WITH ORDINALITY AS f (filter, n) ORDER BY n;
SELECT ktree_filter_test('ktree_filter', 'tenant = 7', 100), ktree_filter_test('ktree_filter', 'small = 3', 100);
-- a condition that can never hold, and one on the vector
SET enable_seqscan = off;
SET enable_sort = off;
SELECT count(*) FROM (SELECT id FROM ktree_filter WHERE v IS NULL ORDER BY v <-> (SELECT v FROM ktree_filter WHERE id = 1) LIMIT 10) s;
SELECT count(*) FROM (SELECT id FROM ktree_filter WHERE tenant = (SELECT NULL::int) ORDER BY v <-> (SELECT v FROM ktree_filter WHERE id = 1) LIMIT 10) s;
-- IN with a parameter, of no element and of NULL; elsewhere than at an order it stays a filter
PREPARE ktree_filter_in AS SELECT tenant FROM ktree_filter WHERE tenant = ANY ($1) ORDER BY v <-> (SELECT v FROM ktree_filter WHERE id = 1) LIMIT 30;
SET plan_cache_mode = force_generic_plan;
CREATE FUNCTION ktree_filter_conditions(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || statement LOOP
		IF line ~ 'Cond|Filter' THEN
			RETURN NEXT ltrim(line);
		END IF;
	END LOOP;
END
$$;
SELECT ktree_filter_conditions($$EXECUTE ktree_filter_in('{1,2}')$$);
SELECT count(*) FROM (SELECT FROM ktree_filter WHERE tenant = ANY ('{1,2}') ORDER BY v <-> (SELECT v FROM ktree_filter WHERE id = 1)) s;
SELECT count(*) FROM (SELECT FROM ktree_filter WHERE tenant = ANY ('{}') ORDER BY v <-> (SELECT v FROM ktree_filter WHERE id = 1)) s;
EXECUTE ktree_filter_in('{}');
EXECUTE ktree_filter_in(NULL);
EXECUTE ktree_filter_in('{NULL}');
DEALLOCATE ktree_filter_in;
RESET plan_cache_mode;
-- an update of a filter column alone, deletion and VACUUM
UPDATE ktree_filter_grown SET tenant = tenant + 1000 WHERE id <= 2000;
UPDATE ktree_filter_grown SET maybe = NULL WHERE tenant = 1003;
DELETE FROM ktree_filter_grown WHERE id % 2 = 0;
VACUUM ktree_filter_grown;
SELECT ktree_filter_test('ktree_filter_grown', 'tenant = 1003', 10), ktree_filter_test('ktree_filter_grown', 'tenant = 3', 10),
	ktree_filter_test('ktree_filter_grown', 'maybe IS NULL AND tenant >= 1000', 10);
SELECT * FROM embed_index_check('ktree_filter_grown_v');
-- HOT updates leave entries as they are, others make new ones
ALTER TABLE ktree_filter_grown ADD free int;
UPDATE ktree_filter_grown SET free = id;
UPDATE ktree_filter_grown SET price = price + 1, day = NULL WHERE id % 3 = 0;
SELECT * FROM embed_index_check('ktree_filter_grown_v');
VACUUM ktree_filter_grown;
SELECT * FROM embed_index_check('ktree_filter_grown_v');
-- values that are not the rows' are found: two columns change places
CREATE TABLE ktree_filter_wrong AS SELECT i AS a, -i AS b, ARRAY[i, 1]::vector AS v FROM generate_series(1, 3) i;
CREATE INDEX ktree_filter_wrong_v ON ktree_filter_wrong USING ktree (v vector_l2_ops, a, b);
SELECT * FROM embed_index_check('ktree_filter_wrong_v');
UPDATE pg_index SET indkey = '3 2 1' WHERE indexrelid = 'ktree_filter_wrong_v'::regclass;
SELECT problem FROM embed_index_check('ktree_filter_wrong_v') ORDER BY problem;
DROP TABLE ktree_filter_wrong;
-- rows aside from the tree are asked, too
INSERT INTO ktree_filter_grown (id, tenant) VALUES (1, 5), (2, 6);
INSERT INTO ktree_filter_grown (id, tenant, v) VALUES (3, 5, array_fill(1e17::real, ARRAY[16])::vector), (4, 6, array_fill(2e17::real, ARRAY[16])::vector);
SELECT id, v IS NULL AS no_vector FROM (SELECT id, v FROM ktree_filter_grown WHERE tenant = 5 ORDER BY v <-> (SELECT v FROM ktree_filter WHERE id = 1) OFFSET 0) s WHERE id < 5;
-- columns with values of any type
CREATE TYPE ktree_filter_mood AS ENUM ('sad', 'glad');
CREATE TABLE ktree_filter_types (v vector(2), a bool, b "char", c oid, d time, e timestamptz, f numeric, g uuid, h ktree_filter_mood);
CREATE INDEX ON ktree_filter_types USING ktree (v vector_l2_ops, a, b, c, d, e, f, g, h);
INSERT INTO ktree_filter_types SELECT ARRAY[i, 0]::vector, i % 2 = 0, (i % 3)::text::"char", i % 5, make_time(i % 24, 0, 0), timestamptz '2020-01-01 UTC' + i * interval '1 day', i / 10.0,
	lpad((i % 7)::text, 32, '0')::uuid, (CASE WHEN i % 2 = 0 THEN 'sad' ELSE 'glad' END)::ktree_filter_mood FROM generate_series(1, 2000) i;
ANALYZE ktree_filter_types;
EXPLAIN (COSTS OFF) SELECT v FROM ktree_filter_types WHERE h = 'sad' AND f = 10.0 ORDER BY v <-> '[5,0]' LIMIT 2;
SELECT v FROM ktree_filter_types WHERE h = 'glad' ORDER BY v <-> '[5,0]' LIMIT 2;
SELECT v FROM ktree_filter_types WHERE f = 10.0 ORDER BY v <-> '[5,0]' LIMIT 2;
SELECT v FROM ktree_filter_types WHERE NOT a AND c = 4 AND d > '12:00' ORDER BY v <-> '[5,0]' LIMIT 2;
SELECT v FROM ktree_filter_types WHERE g = '00000000-0000-0000-0000-000000000003' AND e > '2021-01-01 UTC' ORDER BY v <-> '[5,0]' LIMIT 2;
SELECT v FROM ktree_filter_types WHERE b = '2' ORDER BY v <-> '[5,0]' LIMIT 2;
-- what is refused
CREATE INDEX ON ktree_filter USING ktree (tenant, v);
CREATE INDEX ON ktree_filter USING ktree (v, v);
CREATE INDEX ON ktree_filter USING ktree (v, id, tenant, price, small, label, maybe, day, id, tenant);
DROP TABLE ktree_filter, ktree_filter_grown, ktree_filter_types;
DROP TYPE ktree_filter_mood;
DROP FUNCTION ktree_filter_test, ktree_filter_conditions;
