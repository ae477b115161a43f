-- An index scan returns what a sequential scan returns, in the same order of
-- distance, for random data of many shapes.  If this failed, searches would
-- lose, repeat or misplace rows.
SET client_min_messages = warning;

-- a random vector: "shape" decides about weights
CREATE FUNCTION inverted_random_vector(dims int, nonzeros int, shape text, skew float8 DEFAULT 2)
RETURNS sparsevec LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	text_form text;
BEGIN
	IF shape = 'null' OR (shape LIKE 'mixed%' AND random() < 0.05) THEN
		RETURN NULL;
	END IF;
	IF shape = 'empty' OR (shape LIKE 'mixed%' AND random() < 0.05) THEN
		RETURN ('{}/' || dims)::sparsevec;
	END IF;
	SELECT string_agg(i + 1 || ':' ||
		CASE
			WHEN shape = 'ones' THEN 1::float4
			WHEN shape = 'counts' THEN (1 + floor(4 * random() ^ 3))::float4
			WHEN shape = 'positive' OR shape = 'mixed' THEN (0.01 + random())::float4
			WHEN shape = 'signed' OR shape = 'mixed signed' THEN
				(CASE WHEN random() < 0.5 THEN -1 ELSE 1 END * (0.01 + random()))::float4
			WHEN shape = 'negative' THEN (-0.01 - random())::float4
			WHEN shape = 'grid' THEN (0.25 * (1 + floor(4 * random())))::float4
			WHEN shape = 'wild' THEN
				(CASE WHEN random() < 0.5 THEN -1 ELSE 1 END * exp(20 * (random() - 0.5)))::float4
			WHEN shape = 'huge' THEN
				(CASE WHEN random() < 0.2 THEN 1e18 WHEN random() < 0.2 THEN 1e-20 ELSE random() + 0.1 END)::float4
		END, ',')
	INTO text_form
	FROM (SELECT DISTINCT floor(dims * random() ^ skew)::int AS i
		  FROM generate_series(1, 1 + floor(2 * nonzeros * random())::int)) AS indices;
	RETURN ('{' || text_form || '}/' || dims)::sparsevec;
END $$;

-- Compare the first "count" rows (all if NULL) by index and by sequential scan.
CREATE FUNCTION inverted_compare(operator text, query sparsevec, count int DEFAULT NULL,
								 filter text DEFAULT 'true')
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	statement text;
	parameter text := format('(SELECT %L::sparsevec)', query);	-- a constant NULL would not be ordered by
	plan text;
	line text;
	by_index record;
	by_table record;
BEGIN
	statement := format('SELECT id, v %1$s $1 AS d FROM inverted_rows WHERE %2$s ORDER BY v %1$s $1 LIMIT %3$s',
						operator, filter, coalesce(count::text, 'ALL'));
	PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true),
		set_config('enable_indexscan', 'on', true);
	FOR line IN EXECUTE 'EXPLAIN ' || replace(statement, '$1', parameter) LOOP
		plan := concat(plan, line);
	END LOOP;
	IF plan NOT LIKE '%Index Scan using inverted_rows_v%' THEN
		RETURN 'index not used: ' || plan;
	END IF;
	-- count(DISTINCT) beside array_agg would sort the rows, from 16 on
	EXECUTE 'SELECT d, ids, (SELECT count(DISTINCT i) FROM unnest(ids) AS i) AS distinct_ids'
		' FROM (SELECT array_agg(d) AS d, array_agg(id) AS ids FROM (' ||
		replace(statement, '$1', parameter) || ') AS x) AS y' INTO by_index;
	PERFORM set_config('enable_seqscan', 'on', true), set_config('enable_sort', 'on', true),
		set_config('enable_indexscan', 'off', true);
	EXECUTE 'SELECT array_agg(d) AS d, array_agg(id) AS ids FROM (' || statement || ') AS x'
		INTO by_table USING query;
	PERFORM set_config('enable_indexscan', 'on', true);
	IF by_index.d IS DISTINCT FROM by_table.d THEN
		RETURN format('distances differ: %s and %s for %s', by_index.d, by_table.d, query);
	END IF;
	IF by_index.distinct_ids <> coalesce(cardinality(by_index.ids), 0) THEN
		RETURN 'a row is repeated';
	END IF;
	RETURN 'equal';
END $$;

CREATE FUNCTION inverted_compare_many(operator text, dims int, shape text, queries int)
RETURNS TABLE (result text, times bigint) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY
	SELECT inverted_compare(operator,
							CASE WHEN n % 7 = 0 THEN (SELECT v FROM inverted_rows ORDER BY random() LIMIT 1)
								 ELSE inverted_random_vector(dims, 1 + n % 12, query_shape.shape) END,
							(ARRAY[NULL, 1, 10, 100, 700])[1 + n % 5],
							(ARRAY['true', 'id % 10 = 3', 'id = 77', 'id < 0'])[1 + n % 4])
		   AS outcome, count(*)
	FROM generate_series(1, queries) AS n,
		LATERAL (SELECT (ARRAY[shape, shape, 'positive', 'signed', 'empty', 'null', 'ones', 'counts', 'huge'])[1 + n % 9] AS shape) AS query_shape
	GROUP BY 1 ORDER BY 1;
END $$;

-- Rows arrive before the index is built, and after; some are deleted, some
-- updated; the tail is sealed and segments are merged.
CREATE FUNCTION inverted_property(operator_class text, dims int, shape text, before int, after int)
RETURNS TABLE (stage text, result text, times bigint) LANGUAGE plpgsql AS $$
DECLARE
	operator text := CASE WHEN operator_class = 'sparsevec_ip_ops' THEN '<#>' ELSE '<=>' END;
BEGIN
	DROP TABLE IF EXISTS inverted_rows;
	CREATE TABLE inverted_rows (id serial, v sparsevec);
	INSERT INTO inverted_rows (v) SELECT inverted_random_vector(dims, 10, shape) FROM generate_series(1, before);
	EXECUTE format('CREATE INDEX inverted_rows_v ON inverted_rows USING inverted (v %s)', operator_class);
	RETURN QUERY SELECT 'built', r.* FROM inverted_compare_many(operator, dims, shape, 18) AS r;
	INSERT INTO inverted_rows (v) SELECT inverted_random_vector(dims, 10, shape) FROM generate_series(1, after);
	-- many equal rows
	INSERT INTO inverted_rows (v) SELECT v FROM inverted_rows, generate_series(1, 300) WHERE id = 5;
	RETURN QUERY SELECT 'grown', r.* FROM inverted_compare_many(operator, dims, shape, 18) AS r;
	DELETE FROM inverted_rows WHERE id % 3 = 0;
	UPDATE inverted_rows SET v = inverted_random_vector(dims, 10, shape) WHERE id % 10 = 1;
	RETURN QUERY SELECT 'changed', r.* FROM inverted_compare_many(operator, dims, shape, 18) AS r;
	RETURN QUERY SELECT 'checked', c.problem, count(*) FROM embed_index_check('inverted_rows_v') AS c GROUP BY 2;
END $$;

-- Results other than "equal" are printed with their stage.
CREATE FUNCTION inverted_report(operator_class text, dims int, shape text)
RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(DISTINCT stage || ': ' || result, '; ') FILTER (WHERE result <> 'equal'), '') ||
		coalesce(sum(times) FILTER (WHERE result = 'equal'), 0) || ' equal'
	FROM inverted_property(operator_class, dims, shape, 800, 700)
$$;

SELECT setseed(0.20261123);
SET jit = off;
SELECT shape, inverted_report('sparsevec_ip_ops', CASE WHEN shape = 'wild' THEN 1000000000 ELSE 300 END, shape) AS inner_product,
	inverted_report('sparsevec_cosine_ops', CASE WHEN shape = 'wild' THEN 1000000000 ELSE 300 END, shape) AS cosine
FROM unnest(ARRAY['ones', 'counts', 'positive', 'signed', 'negative', 'grid', 'mixed', 'mixed signed', 'wild', 'huge']) AS shape;

-- With little memory a scan sees few rows at a time.
SET work_mem = '64kB';
SELECT shape, inverted_report('sparsevec_ip_ops', 50, shape) AS inner_product,
	inverted_report('sparsevec_cosine_ops', 50, shape) AS cosine
FROM unnest(ARRAY['counts', 'mixed signed', 'huge']) AS shape;
RESET work_mem;

DROP TABLE inverted_rows;

-- Lists that are dense and sparse, over several windows and chunks of a segment:
-- a window is 16,384 documents when memory is short.
CREATE TABLE inverted_rows (id int, v sparsevec(400));
INSERT INTO inverted_rows
	SELECT n, ('{' || string_agg(i || ':' || (CASE WHEN n % 3 = 0 THEN -1 ELSE 1 END *
		(0.05 + random()))::float4, ',') || '}/400')::sparsevec
	FROM (SELECT DISTINCT n, 1 + floor(400 * random() ^ 5)::int AS i
		  FROM generate_series(1, 34000) AS n, generate_series(1, 6)) AS x GROUP BY n;
CREATE INDEX inverted_rows_v ON inverted_rows USING inverted (v);
SET work_mem = '64kB';
SELECT inverted_compare('<#>', q.v::sparsevec, q.count, q.filter) AS result, count(*)
FROM (VALUES ('{1:1,2:1,3:1,5:0.5,400:2}/400', 10, 'true'), ('{1:0.1,300:5}/400', 200, 'true'),
	  ('{1:-1,2:1,40:3,41:-3}/400', 2000, 'id % 7 = 0'), ('{50:1}/400', 3000, 'true'),
	  ('{1:1,2:1,3:1,4:1,5:1,6:1,7:1,8:1,9:1}/400', 700, 'true'), ('{2:1,90:1}/400', NULL, 'id > 33000')) AS q(v, count, filter)
GROUP BY 1;
SELECT inverted_compare('<#>', d.v, (ARRAY[1, 10, 100])[1 + d.id % 3]) AS result, count(*)
FROM inverted_rows AS d WHERE d.id % 2000 = 17 GROUP BY 1;
DROP INDEX inverted_rows_v;
CREATE INDEX inverted_rows_v ON inverted_rows USING inverted (v sparsevec_cosine_ops) WITH (weight_bits = 6);
SELECT inverted_compare('<=>', d.v, (ARRAY[1, 10, 100])[1 + d.id % 3]) AS result, count(*)
FROM inverted_rows AS d WHERE d.id % 2000 = 17 GROUP BY 1;
RESET work_mem;

DROP TABLE inverted_rows;
DROP FUNCTION inverted_report, inverted_property, inverted_compare_many, inverted_compare, inverted_random_vector;
