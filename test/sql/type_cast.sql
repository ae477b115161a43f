-- If this fails, a cast between vectors and arrays loses or invents numbers.
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

-- The casts there are, and what they are for
SELECT castsource::regtype AS source, casttarget::regtype AS target, castcontext, castmethod
FROM pg_cast
WHERE castsource::regtype::text IN ('vector', 'halfvec', 'sparsevec')
	OR casttarget::regtype::text IN ('vector', 'halfvec', 'sparsevec')
ORDER BY castsource::regtype::text, casttarget::regtype::text;

-- Arrays of four types to three types
SELECT ARRAY[1,0,-3]::vector AS "integer", ARRAY[1.5,0,-3]::real[]::vector AS "real",
	ARRAY[1.5,0,-3]::double precision[]::vector AS "double", ARRAY[1.5,0,-3]::numeric[]::vector AS "numeric";
SELECT ARRAY[1,0,-3]::halfvec AS "integer", ARRAY[1.5,0,-3]::real[]::halfvec AS "real",
	ARRAY[1.5,0,-3]::double precision[]::halfvec AS "double", ARRAY[1.5,0,-3]::numeric[]::halfvec AS "numeric";
SELECT ARRAY[1,0,-3]::sparsevec AS "integer", ARRAY[1.5,0,-3]::real[]::sparsevec AS "real",
	ARRAY[1.5,0,-3]::double precision[]::sparsevec AS "double", ARRAY[1.5,0,-3]::numeric[]::sparsevec AS "numeric";
-- the lower bound of an array does not matter
SELECT '[5:7]={1,2,3}'::integer[]::vector;
-- integers beyond 2^24 are rounded, doubles too
SELECT ARRAY[16777217]::vector, ARRAY[0.1::double precision]::vector, ARRAY[1e-50::double precision]::vector;

SELECT target, statement, pg_temp.failure('SELECT ' || statement || '::' || target)
FROM (VALUES ('vector'), ('halfvec'), ('sparsevec'), ('vector(2)'), ('halfvec(2)'), ('sparsevec(2)')) AS t (target),
	(VALUES (1, $$'{}'::real[]$$), (2, $$'{1,NULL}'::integer[]$$), (3, $$'{{1,2}}'::real[]$$),
		(4, $$'{NaN}'::real[]$$), (5, $$'{Infinity}'::double precision[]$$), (6, $$'{1e39}'::double precision[]$$),
		(7, $$'{NaN}'::numeric[]$$), (8, $$'{1e200}'::numeric[]$$), (9, $$'{1,2,3}'::real[]$$),
		(10, $$'{70000,1}'::integer[]$$)) AS s (n, statement)
ORDER BY target, n;
SELECT pg_temp.failure('SELECT array_fill(1, ARRAY[16001])::' || target)
FROM (VALUES ('vector'), ('halfvec'), ('sparsevec')) AS t (target);
-- an array longer than any vector becomes a sparsevec
SELECT (array_fill(0::real, ARRAY[100000]) || ARRAY[7::real])::sparsevec;

-- Vectors to arrays and to each other
SELECT '[1,2.5]'::vector::real[], '[1,2.5]'::halfvec::real[];
SELECT '[1.0005,0,-0]'::vector::halfvec, '[1.0005,0,-0]'::vector::sparsevec,
	'[1.0005,0,-0]'::halfvec::vector, '[1.0005,0,-0]'::halfvec::sparsevec;
SELECT '{2:1.0005}/3'::sparsevec::vector, '{2:1.0005}/3'::sparsevec::halfvec;
SELECT statement, pg_temp.failure('SELECT ' || statement)
FROM (VALUES ($$'[1,2]'::vector::vector(3)$$), ($$'[1,2]'::vector::halfvec(3)$$), ($$'[1,2]'::vector::sparsevec(3)$$),
	($$'[1,2]'::halfvec::halfvec(3)$$), ($$'[1,2]'::halfvec::vector(3)$$), ($$'[1,2]'::halfvec::sparsevec(3)$$),
	($$'{}/2'::sparsevec::sparsevec(3)$$), ($$'{}/2'::sparsevec::vector(3)$$), ($$'{}/2'::sparsevec::halfvec(3)$$),
	($$'[70000]'::vector::halfvec$$), ($$'{1:70000}/1'::sparsevec::halfvec$$),
	($$'{}/16001'::sparsevec::vector$$), ($$'{}/16001'::sparsevec::halfvec$$),
	($$array_to_vector('{a}'::text[]::real[], -1, false)$$)) AS t (statement);

-- Every half survives the way through a float and back (63,488 finite ones).
WITH halves AS (
	SELECT (sign || CASE WHEN e = 0 THEN (m * 2.0 ^ -24)::text ELSE ((1024 + m) * 2.0 ^ (e - 25))::text END) AS value
	FROM generate_series(0, 30) e, generate_series(0, 1023) m, (VALUES (''), ('-')) s (sign))
SELECT count(*), count(*) FILTER (WHERE format('[%s]', value)::halfvec::vector = format('[%s]', value)::vector
	AND format('[%s]', value)::vector::halfvec = format('[%s]', value)::halfvec) AS equal FROM halves;
