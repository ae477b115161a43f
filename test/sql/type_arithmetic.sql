-- If this fails, arithmetic on vectors, their norms or their parts are wrong.
CREATE FUNCTION pg_temp.failure(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	state text; message text;
BEGIN
	EXECUTE statement;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
	RETURN concat_ws(' | ', state, message);
END $$;

SELECT a + b AS sum, a - b AS difference, a * b AS product, a || b AS concatenation FROM (VALUES ('[1,2.5,-3]'::vector, '[4,0.5,2]'::vector)) AS t (a, b);
SELECT a + b AS sum, a - b AS difference, a * b AS product, a || b AS concatenation FROM (VALUES ('[1,2.5,-3]'::halfvec, '[4,0.5,2]'::halfvec)) AS t (a, b);
-- a half is rounded once, to even
SELECT '[2048]'::halfvec + '[1]' AS even, '[2048]'::halfvec + '[3]' AS odd;
SELECT type, operation, pg_temp.failure(format('SELECT %L::%s %s %L', a, type, operation, b))
FROM (VALUES ('vector', '[1,2]', '+', '[1]'), ('vector', '[1,2]', '-', '[1]'), ('vector', '[1,2]', '*', '[1]'),
	('vector', '[3e38]', '+', '[3e38]'), ('vector', '[3e38]', '-', '[-3e38]'), ('vector', '[3e38]', '*', '[2]'), ('vector', '[1e-30]', '*', '[1e-30]'),
	('halfvec', '[1,2]', '+', '[1]'), ('halfvec', '[1,2]', '-', '[1]'), ('halfvec', '[1,2]', '*', '[1]'),
	('halfvec', '[65504]', '+', '[65504]'), ('halfvec', '[65504]', '-', '[-65504]'), ('halfvec', '[65504]', '*', '[2]'), ('halfvec', '[1e-4]', '*', '[1e-4]')) AS t (type, a, operation, b);
SELECT pg_temp.failure($$SELECT array_fill(1, ARRAY[16000])::vector || '[1]'$$) AS vector, pg_temp.failure($$SELECT array_fill(1, ARRAY[16000])::halfvec || '[1]'$$) AS halfvec;
SELECT '[0]'::vector * '[5]' AS zero_is_no_underflow;

-- Norms; squares that overflow a float do not disturb
SELECT vector_norm('[3,4]'), l2_norm('[3,4]'::vector) AS vector, l2_norm('[3,4]'::halfvec) AS halfvec, l2_norm('{1:3,2:4}/2'::sparsevec) AS sparsevec,
	vector_norm('[3e37,4e37]')::real AS large, l2_norm('{}/3'::sparsevec) AS empty;
SELECT l2_normalize('[3,4]'::vector), l2_normalize('[3,4]'::halfvec), l2_normalize('{1:3,9:4}/9'::sparsevec);
SELECT l2_normalize('[0,0]'::vector), l2_normalize('[0,0]'::halfvec), l2_normalize('{}/9'::sparsevec), l2_normalize('[3e38,1e-10]'::vector), l2_normalize('{1:3e38,2:1e-10}/2'::sparsevec);
SELECT count(*), count(*) FILTER (WHERE abs(vector_norm(l2_normalize(v)) - 1) < 1e-6 AND abs(vector_norm(v) - sqrt(n * (n + 1) * (2 * n + 1) / 6.0)) < 1e-9 * n) AS right
FROM (SELECT n, ARRAY(SELECT generate_series(1, n))::vector AS v FROM generate_series(1, 40) n) AS t;

-- Parts
SELECT vector_dims('[1,2,3]'::vector) AS vector, vector_dims('[1,2]'::halfvec) AS halfvec, subvector('[1,2,3,4]'::vector, 2, 2), subvector('[1,2,3,4]'::halfvec, 3, 10),
	subvector('[1,2,3,4]'::vector, -1, 3) AS before, subvector('[1,2,3]'::vector, 1, 2147483647) AS all_of_it;
SELECT start, count, pg_temp.failure(format('SELECT subvector(%L::vector, %s, %s)', '[1,2,3]', start, count)) AS vector,
	pg_temp.failure(format('SELECT subvector(%L::halfvec, %s, %s)', '[1,2,3]', start, count)) AS halfvec
FROM (VALUES (1, 0), (1, -1), (4, 1), (-2147483648, 2147483647), (2147483647, 2147483647), (-5, 5)) AS t (start, count);
SELECT binary_quantize('[1,-1,0,0.5,-0,2,-3,4,5]'::vector), binary_quantize('[1,-1,0,0.5,-0,2,-3,4,5]'::halfvec);
SELECT count(*) FILTER (WHERE binary_quantize(v)::text = (SELECT string_agg((x > 0)::integer::text, '' ORDER BY n) FROM unnest(v::real[]) WITH ORDINALITY AS u (x, n))) AS right
FROM (SELECT ARRAY(SELECT sin(i * n) FROM generate_series(1, n) i)::vector AS v FROM generate_series(1, 40) n) AS t;
