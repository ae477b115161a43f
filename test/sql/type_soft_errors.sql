-- If this fails, pg_input_is_valid() and COPY ... ON_ERROR throw for vectors.
-- PostgreSQL 16 brought soft errors; before it this prints why it is skipped.
SELECT current_setting('server_version_num')::integer < 160000 AS skip \gset
\if :skip
\echo skipped: soft errors came with PostgreSQL 16
\quit
\endif
SELECT type, pg_input_is_valid(input, type) AS valid, e.message, e.detail, e.sql_error_code
FROM (VALUES ('vector', '[1,2]'), ('vector', '[1,2'), ('vector', '1'), ('vector', '[]'), ('vector', '[1]x'), ('vector', '[NaN]'), ('vector', '[inf]'),
	('vector', '[1e39]'), ('vector(2)', '[1]'), ('vector(2)', '[1,2]'), ('vector', '[' || repeat('1,', 16000) || '1]'),
	('halfvec', '[1,2]'), ('halfvec', '[a]'), ('halfvec', '[65520]'), ('halfvec(2)', '[1]'), ('halfvec', '[NaN]'),
	('sparsevec', '{1:1}/2'), ('sparsevec', '{1:1'), ('sparsevec', '1'), ('sparsevec', '{1:1}/2x'), ('sparsevec', '{3:1}/2'), ('sparsevec', '{1:1,1:1}/2'), ('sparsevec', '{1:inf}/2'),
	('sparsevec', '{1:1e-60}/2'), ('sparsevec', '{}/0'), ('sparsevec', '{}/2000000000'), ('sparsevec', '{}'), ('sparsevec(3)', '{}/2')) AS t (type, input),
	LATERAL pg_input_error_info(input, type) AS e;
