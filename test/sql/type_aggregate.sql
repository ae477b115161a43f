-- If this fails, sums and means of vectors are wrong, or depend on the plan.
CREATE FUNCTION pg_temp.failure(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	state text; message text; detail text; hint text;
BEGIN
	EXECUTE statement;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
		detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', state, message, nullif(detail, ''), nullif(hint, ''));
END $$;

SELECT sum(v) AS vector, sum(v::halfvec) AS halfvec, sum(v::sparsevec) AS sparsevec FROM (VALUES ('[1,2,0]'::vector), (NULL), ('[3,-2,0]')) AS t (v);
SELECT avg(v) AS vector, avg(v::halfvec) AS halfvec, avg(v::sparsevec) AS sparsevec FROM (VALUES ('[1,2,0]'::vector), (NULL), ('[3,-2,0]')) AS t (v);
-- no rows, only NULLs
SELECT sum(v), avg(v), sum(v::halfvec), avg(v::halfvec), sum(v::sparsevec), avg(v::sparsevec) FROM (SELECT NULL::vector AS v WHERE false) AS t;
SELECT sum(v), avg(v), sum(v::halfvec), avg(v::halfvec), sum(v::sparsevec), avg(v::sparsevec) FROM (SELECT NULL::vector AS v) AS t;

-- The sums are doubles: neither many rows nor large and small ones together
-- lose anything, and a mean never overflows.
SELECT sum(v) AS vector, avg(v) FROM (SELECT '[16777216]'::vector AS v UNION ALL SELECT '[1]'::vector FROM generate_series(1, 1000)) AS t;
SELECT sum(v) AS halfvec, avg(v) FROM (SELECT '[2048]'::halfvec AS v UNION ALL SELECT '[1]'::halfvec FROM generate_series(1, 1024)) AS t;
SELECT sum(v) AS sparsevec, avg(v) FROM (SELECT '{1:16777216}/2'::sparsevec AS v UNION ALL SELECT '{1:1}/2'::sparsevec FROM generate_series(1, 1000)) AS t;
SELECT avg('[3e38]'::vector) AS vector, avg('[65504]'::halfvec) AS halfvec, avg('{1:3e38}/1'::sparsevec) AS sparsevec FROM generate_series(1, 10);
SELECT statement, pg_temp.failure('SELECT ' || statement)
FROM (VALUES ($$sum('[3e38]'::vector) FROM generate_series(1, 2)$$), ($$sum('[65504]'::halfvec) FROM generate_series(1, 2)$$),
	($$sum('{1:3e38}/1'::sparsevec) FROM generate_series(1, 2)$$),
	($$sum(v) FROM (VALUES ('[1]'::vector), ('[1,2]')) AS t (v)$$), ($$avg(v) FROM (VALUES ('[1]'::vector), ('[1,2]')) AS t (v)$$),
	($$sum(v) FROM (VALUES ('[1]'::halfvec), ('[1,2]')) AS t (v)$$), ($$avg(v) FROM (VALUES ('[1]'::halfvec), ('[1,2]')) AS t (v)$$),
	($$sum(v) FROM (VALUES ('{}/1'::sparsevec), ('{}/2')) AS t (v)$$), ($$avg(v) FROM (VALUES ('{}/1'::sparsevec), ('{}/2')) AS t (v)$$)) AS t (statement);

-- sparsevec: elements that cancel vanish; a result over the limit is an error,
-- and so is a sum that outgrows work_mem on its way.
SELECT sum(v), avg(v) FROM (VALUES ('{1:1,3:2}/4'::sparsevec), ('{1:-1,4:2}/4')) AS t (v);
SELECT pg_temp.failure($$SELECT sum(v) FROM (SELECT (SELECT '{' || string_agg(i || ':1', ',') || '}/100000'
	FROM generate_series(n * 10000 + 1, (n + 1) * 10000) i)::sparsevec AS v FROM generate_series(0, 1) n) AS t$$);
SET work_mem = '64kB';
SELECT pg_temp.failure($$SELECT sum(v) FROM (SELECT (SELECT '{' || string_agg(i || ':1', ',') || '}/100000'
	FROM generate_series(n * 10000 + 1, (n + 1) * 10000) i)::sparsevec AS v FROM generate_series(0, 9) n) AS t$$);
-- beyond the limit on the way and back under it
SELECT sum(v) = '{1:10}/100000' AS cancelled FROM (SELECT (SELECT '{1:1,' || string_agg(i || ':' || sign, ',') || '}/100000'
	FROM generate_series(n * 10000 + 2, (n + 1) * 10000) i)::sparsevec AS v
	FROM generate_series(0, 4) n, (VALUES (1), (-1)) AS s (sign) ORDER BY sign, n) AS t;
RESET work_mem;

-- Partial aggregates in parallel workers give the same as one process.
CREATE TABLE type_aggregate AS
SELECT i % 3 AS part, ARRAY[i % 11, i % 2, 0, -(i % 5)]::vector AS v FROM generate_series(1, 5000) i;
CREATE TEMP TABLE type_aggregate_serial AS SELECT part, sum(v) AS sv, avg(v) AS av, sum(v::halfvec) AS sh, avg(v::halfvec) AS ah,
	sum(v::sparsevec) AS ss, avg(v::sparsevec) AS as_ FROM type_aggregate GROUP BY part;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT sum(v), avg(v), sum(v::halfvec), avg(v::halfvec), sum(v::sparsevec), avg(v::sparsevec) FROM type_aggregate;
SELECT count(*) AS groups FROM type_aggregate_serial s JOIN (SELECT part, sum(v) AS sv, avg(v) AS av, sum(v::halfvec) AS sh, avg(v::halfvec) AS ah,
	sum(v::sparsevec) AS ss, avg(v::sparsevec) AS as_ FROM type_aggregate GROUP BY part) AS p USING (part, sv, av, sh, ah, ss, as_);
SELECT sum(v), avg(v), sum(v::halfvec), avg(v::halfvec), sum(v::sparsevec), avg(v::sparsevec) FROM type_aggregate WHERE part = 1;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
-- a window takes the result while the state still grows
SELECT sum(v) OVER (ORDER BY v) AS vector, avg(v) OVER (ORDER BY v) AS mean, sum(v::sparsevec) OVER (ORDER BY v) AS sparsevec
FROM (VALUES ('[1,2]'::vector), ('[2,3]'), ('[3,4]')) AS t (v);
-- a grouping set merges nothing it should not
SELECT part, sum(v), avg(v::sparsevec) FROM type_aggregate GROUP BY GROUPING SETS ((part), ()) ORDER BY part;
DROP TABLE type_aggregate;

-- States given by hand
SELECT vector_accum('{0}', '[1,2]'), vector_accum('{1,1,2}', '[1,2]'), halfvec_accum('{1,1,2}', '[1,2]'),
	vector_combine('{1,1,2}', '{2,3,4}'), vector_avg('{2,4,6}'), halfvec_avg('{2,4,6}'), vector_sum('{2,4,6}'), halfvec_sum('{2,4,6}'), vector_avg('{0}'), vector_sum('{0,0}');
SELECT statement, pg_temp.failure('SELECT ' || statement)
FROM (VALUES ($$vector_accum('{}', '[1]')$$), ($$vector_accum('{NULL}', '[1]')$$), ($$vector_accum('{{0}}', '[1]')$$), ($$vector_sum_accum('{1,1}', '[1,2]')$$),
	($$vector_combine('{1,1}', '{1,1,2}')$$), ($$vector_combine('{1,1e308}', '{1,1e308}')$$), ($$vector_avg('{1}')$$), ($$vector_avg('{1,NaN}')$$), ($$vector_avg('{1,1e300}')$$),
	($$halfvec_avg('{1,70000}')$$), ($$vector_sum('{1,1e300}')$$), ($$halfvec_combine('{{1}}', '{1}')$$), ($$vector_sum('{}')$$), ($$halfvec_sum('{NULL}')$$)) AS t (statement);
