-- If this fails, values change on their way in or out, or bad input is let in.
CREATE FUNCTION pg_temp.failure(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	state text; message text; detail text; hint text;
BEGIN
	EXECUTE statement;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
		detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', state, left(message, 100), nullif(detail, ''), nullif(hint, ''));
END $$;

-- Text: white space is free, output is the shortest that reads back.
SELECT input, input::vector AS vector, input::halfvec AS halfvec
FROM (VALUES ('[1]'), ('[1,2.5,-3]'), (E' [\t1 , 2 ,\n3\r\f] '), ('[.5,5.,+1,1e3,1E-3]'),
	('[0.1,0.2,0.333333333]'), ('[-0,0]'), ('[65504,-65504]'), ('[6e-8]')) AS t (input);
SELECT '[16777217,3.4028235e38,1e-45,1.17549435e-38]'::vector;
SELECT '[2049,0.0009765625,5.9604645e-08]'::halfvec;
SELECT input, input::sparsevec AS sparsevec
FROM (VALUES ('{}/1'), ('{1:1,3:2.5}/3'), ('{3:2.5,1:1}/3'), (E' {\t1 : 1 ,\n3:-2 } / 5 '),
	('{1:0,2:-0,3:1}/3'), ('{1000000000:1}/1000000000'), ('{1:0,1:5}/1')) AS t (input);

-- What is no vector
SELECT input, pg_temp.failure(format('SELECT %L::vector', input)) AS vector,
	pg_temp.failure(format('SELECT %L::halfvec', input)) AS halfvec
FROM (VALUES (''), ('1'), ('['), ('[]'), ('[ ]'), ('[1'), ('[1,'), ('[1,]'), ('[,1]'), ('[1 2]'),
	('[1]]'), ('[1] x'), ('[a]'), ('[1a]'), ('[NaN]'), ('[inf]'), ('[-Infinity]'), ('[1e39]'),
	('[65520]'), ('{1}'), ('[[1]]'), ('[--1]')) AS t (input);
SELECT input, pg_temp.failure(format('SELECT %L::sparsevec', input))
FROM (VALUES (''), ('{'), ('{}'), ('{}/'), ('{}/0'), ('{}/-1'), ('{}/1 x'), ('{1:1'), ('{1:1}'), ('{1:1,}/2'),
	('{1}/2'), ('{1:}/2'), ('{:1}/2'), ('{0:1}/2'), ('{-1:1}/2'), ('{3:1}/2'), ('{2147483648:1}/2'),
	('{99999999999999999999:1}/2'), ('{1:1,1:2}/2'), ('{2:1,1:1,2:1}/2'), ('{1:nan}/1'), ('{1:-inf}/1'),
	('{1:1e39}/1'), ('{1:1e-50}/1'), ('{}/1000000001'), ('{}/99999999999999999999'), ('[1]')) AS t (input);

-- Limits
SELECT vector_dims(('[' || repeat('1,', 15999) || '1]')::vector) AS vector,
	vector_dims(('[' || repeat('1,', 15999) || '1]')::halfvec) AS halfvec,
	pg_temp.failure($$SELECT ('[' || repeat('1,', 16000) || '1]')::vector$$),
	pg_temp.failure($$SELECT ('[' || repeat('1,', 16000) || '1]')::halfvec$$);
SELECT length((SELECT '{' || string_agg(i || ':1', ',') || '}/1000000000' FROM generate_series(1, 16000) i)::sparsevec::text);
SELECT pg_temp.failure($$SELECT (SELECT '{' || string_agg(i || ':1', ',') || '}/1000000000' FROM generate_series(1, 16001) i)::sparsevec$$);
SELECT pg_column_size('[1,2,3]'::vector) AS vector, pg_column_size('[1,2,3]'::halfvec) AS halfvec,
	pg_column_size('{1:1,2:2,3:3}/9'::sparsevec) AS sparsevec;

-- Type modifiers
CREATE TABLE type_io (v vector(3), h halfvec(2), s sparsevec(5));
SELECT attname, format_type(atttypid, atttypmod), attstorage FROM pg_attribute
WHERE attrelid = 'type_io'::regclass AND attnum > 0 ORDER BY attnum;
INSERT INTO type_io VALUES ('[1,2,3]', '[1,2]', '{1:1}/5');
SELECT statement, pg_temp.failure(statement)
FROM (VALUES ($$INSERT INTO type_io (v) VALUES ('[1,2]')$$), ($$INSERT INTO type_io (h) VALUES ('[1]')$$),
	($$INSERT INTO type_io (s) VALUES ('{}/4')$$), ('SELECT NULL::vector(0)'), ('SELECT NULL::vector(16001)'),
	('SELECT NULL::halfvec(0)'), ('SELECT NULL::halfvec(16001)'), ('SELECT NULL::sparsevec(0)'),
	('SELECT NULL::sparsevec(1000000001)'), ('SELECT NULL::vector(1,2)'),
	('SELECT NULL::sparsevec(-1)')) AS t (statement);

-- Binary: what is sent is what pgvector's clients know.
SELECT encode(vector_send('[1,-2]'), 'hex') AS vector, encode(halfvec_send('[1,-2]'), 'hex') AS halfvec,
	encode(sparsevec_send('{2:1,5:-2}/7'), 'hex') AS sparsevec;
COPY type_io TO STDOUT;
DROP TABLE type_io;

-- Numbers are read as the server reads real, to the last bit: random digits, the
-- middles between two floats with their neighbours, powers of ten.
SELECT setseed(0.5);
SELECT kind, count(*), count(*) FILTER (WHERE float4send((('[' || literal || ']')::vector::real[])[1]) = float4send(literal::real)) AS equal
FROM (
	SELECT 'digits', format('%s%s.%se%s', CASE WHEN i % 2 = 0 THEN '-' ELSE '' END, floor(random() * 10 ^ (i % 9))::bigint,
		floor(random() * 10 ^ (i % 10))::bigint, (i % 41) - 20) FROM generate_series(1, 20000) i
	UNION ALL
	SELECT 'middle', trim_scale(m / 16777216 + d * e)::text
	FROM (SELECT (2 * floor(random() * 16777216) + 1)::numeric(40, 24) AS m FROM generate_series(1, 3000)) AS t,
		(VALUES (0), (1), (-1)) AS n (d), (VALUES (1e-24), (1e-17), (1e-15), (1e-12)) AS s (e)
	UNION ALL
	SELECT 'integer', trim_scale((16777217 + 2 * floor(random() * 8388608))::numeric + d * e)::text
	FROM generate_series(1, 2000), (VALUES (0), (1), (-1)) AS n (d), (VALUES (1e-8), (1e-7)) AS s (e)
	UNION ALL
	SELECT 'power', format('%se%s', d, e) FROM generate_series(-44, 37) e, generate_series(1, 9) d WHERE (d::text || 'e' || e)::double precision > 1.5e-45
	UNION ALL
	SELECT 'odd', unnest('{0,-0,00,+1,1.,.5,-.5,0.0e0,1e+5,1E5,1e05,123456789012345678901234567890,0.1234567890123456789012345,9007199254740993,9007199254740991,3.4028235e38,1.17549435e-38,1.1754942e-38}'::text[])
) AS t (kind, literal) GROUP BY kind ORDER BY kind;
