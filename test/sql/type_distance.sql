-- If this fails, rows are ranked by wrong distances.
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

-- One triangle, every distance, every type
SELECT l2_distance('[0,0]'::vector, '[3,4]') AS l2, inner_product('[1,2]'::vector, '[3,4]') AS inner,
	cosine_distance('[1,0]'::vector, '[0,2]') AS cosine, cosine_similarity('[1,0]'::vector, '[-3,0]') AS similarity,
	l1_distance('[0,0]'::vector, '[3,-4]') AS l1;
SELECT l2_distance('[0,0]'::halfvec, '[3,4]') AS l2, inner_product('[1,2]'::halfvec, '[3,4]') AS inner,
	cosine_distance('[1,0]'::halfvec, '[0,2]') AS cosine, cosine_similarity('[1,0]'::halfvec, '[-3,0]') AS similarity,
	l1_distance('[0,0]'::halfvec, '[3,-4]') AS l1;
SELECT l2_distance('{}/2'::sparsevec, '{1:3,2:4}/2') AS l2, inner_product('{1:1,2:2}/2'::sparsevec, '{1:3,2:4}/2') AS inner,
	cosine_distance('{1:1}/2'::sparsevec, '{2:2}/2') AS cosine, cosine_similarity('{1:1}/2'::sparsevec, '{1:-3}/2') AS similarity,
	l1_distance('{}/2'::sparsevec, '{1:3,2:-4}/2') AS l1;
SELECT '[0,0]'::vector <-> '[3,4]' AS l2, '[1,2]'::vector <#> '[3,4]' AS inner,
	'[1,0]'::vector <=> '[0,2]' AS cosine, '[0,0]'::vector <+> '[3,-4]' AS l1;
SELECT '[0,0]'::halfvec <-> '[3,4]' AS l2, '[1,2]'::halfvec <#> '[3,4]' AS inner,
	'[1,0]'::halfvec <=> '[0,2]' AS cosine, '[0,0]'::halfvec <+> '[3,-4]' AS l1;
SELECT '{}/2'::sparsevec <-> '{1:3,2:4}/2' AS l2, '{1:1,2:2}/2'::sparsevec <#> '{1:3,2:4}/2' AS inner,
	'{1:1}/2'::sparsevec <=> '{2:2}/2' AS cosine, '{}/2'::sparsevec <+> '{1:3,2:-4}/2' AS l1;
SELECT vector_l2_squared_distance('[0,0]', '[3,4]') AS l2, vector_negative_inner_product('[1,2]', '[3,4]') AS inner,
	round(vector_spherical_distance('[1,0]', '[0,1]')::numeric, 12) AS angle,
	vector_spherical_distance('[2,0]', '[2,0]') AS clamped;
SELECT halfvec_l2_squared_distance('[0,0]', '[3,4]') AS l2, halfvec_negative_inner_product('[1,2]', '[3,4]') AS inner,
	round(halfvec_spherical_distance('[1,0]', '[0,1]')::numeric, 12) AS angle;
SELECT sparsevec_l2_squared_distance('{}/2', '{1:3,2:4}/2') AS l2,
	sparsevec_negative_inner_product('{1:1,2:2}/2', '{1:3,2:4}/2') AS inner;

-- At the ends: zero vectors, overflow, rounding past 1
SELECT '[0,0]'::vector <=> '[1,2]' AS zero, '[3e38]'::vector <-> '[-3e38]' AS l2, '[3e38]'::vector <#> '[3e38]' AS inner,
	'[3e38]'::vector <+> '[-3e38]' AS l1, '[0.1,0.3,0.7]'::vector <=> '[0.1,0.3,0.7]' AS self;
SELECT '[0,0]'::halfvec <=> '[1,2]' AS zero, '[65504]'::halfvec <-> '[-65504]' AS l2, '[65504]'::halfvec <#> '[65504]' AS inner;
SELECT '{}/2'::sparsevec <=> '{1:1}/2' AS zero, '{1:3e38}/1'::sparsevec <-> '{1:-3e38}/1' AS l2;
SELECT pg_temp.failure(format('SELECT %L::vector %s %L::vector', '[1,2]', operator, '[1]')) AS vector,
	pg_temp.failure(format('SELECT %L::halfvec %s %L::halfvec', '[1,2]', operator, '[1]')) AS halfvec,
	pg_temp.failure(format('SELECT %L::sparsevec %s %L::sparsevec', '{}/2', operator, '{}/1')) AS sparsevec
FROM (VALUES ('<->'), ('<#>'), ('<=>'), ('<+>')) AS t (operator);

-- Every type against sums in double precision, over many lengths.  Rounding
-- is that of floats: 4 * eps * sqrt(dims) of the sum of absolute terms.
SELECT setseed(0.42);
CREATE TEMP TABLE type_distance AS
SELECT dims, (SELECT array_agg((random() - 0.5)::real) FROM generate_series(1, dims))::halfvec::real[] AS a,
	(SELECT array_agg(CASE WHEN random() < 0.5 THEN 0 ELSE (random() - 0.5)::real END) FROM generate_series(1, dims) WHERE dims > 0)::halfvec::real[] AS b
FROM (SELECT generate_series(1, 70) UNION ALL VALUES (127), (128), (129), (767), (768), (1023), (1536), (4001)) AS t (dims);
WITH reference AS (
	SELECT dims, a, b, l2, ip, l1, absolute, aa, bb, 4 * 1.2e-7 * sqrt(dims) AS eps
	FROM type_distance,
		LATERAL (SELECT sum((x - y) ^ 2) AS l2, sum(x * y) AS ip, sum(abs(x - y)) AS l1, sum(abs(x * y)) AS absolute,
			sum(x * x) AS aa, sum(y * y) AS bb
			FROM unnest(a::double precision[], b::double precision[]) AS u (x, y)) AS s),
typed AS (
	SELECT 'vector' AS type, r.*, a::vector <-> b::vector AS d2, a::vector <#> b::vector AS dip,
		a::vector <+> b::vector AS d1, a::vector <=> b::vector AS dcos FROM reference r
	UNION ALL SELECT 'halfvec', r.*, a::halfvec <-> b::halfvec, a::halfvec <#> b::halfvec,
		a::halfvec <+> b::halfvec, a::halfvec <=> b::halfvec FROM reference r
	UNION ALL SELECT 'sparsevec', r.*, a::sparsevec <-> b::sparsevec, a::sparsevec <#> b::sparsevec,
		a::sparsevec <+> b::sparsevec, a::sparsevec <=> b::sparsevec FROM reference r)
SELECT type, count(*), count(*) FILTER (WHERE abs(d2 * d2 - l2) <= eps * l2) AS l2,
	count(*) FILTER (WHERE abs(dip + ip) <= eps * absolute) AS inner,
	count(*) FILTER (WHERE abs(d1 - l1) <= eps * l1) AS l1,
	count(*) FILTER (WHERE bb = 0 AND dcos = 'NaN' OR
		bb > 0 AND abs(dcos - (1 - ip / sqrt(aa * bb))) <= 2 * eps) AS cosine
FROM typed GROUP BY type ORDER BY type;
DROP TABLE type_distance;

-- bit
SELECT hamming_distance(B'1010', B'0110'), B'1111' <~> B'0000' AS all_bits, B'' <~> B'' AS empty,
	jaccard_distance(B'1100', B'0110'), B'0000' <%> B'0000' AS nothing, B'1' <%> B'1' AS same, B'10' <%> B'01' AS disjoint;
SELECT pg_temp.failure($$SELECT B'10' <~> B'100'$$), pg_temp.failure($$SELECT B'10' <%> B'1'$$);
SELECT count(*), count(*) FILTER (WHERE a <~> b = length(replace((a # b)::text, '0', ''))) AS hamming,
	count(*) FILTER (WHERE abs((a <%> b) - (1 - length(replace((a & b)::text, '0', '')) / length(replace((a | b)::text, '0', ''))::float8)) < 1e-12) AS jaccard
FROM (SELECT bits, ('1' || (SELECT string_agg((random() < 0.5)::integer::text, '') FROM generate_series(1, bits)))::varbit AS a,
	('0' || (SELECT string_agg((random() < 0.5)::integer::text, '') FROM generate_series(1, bits)))::varbit AS b
	FROM (SELECT generate_series(1, 80) UNION ALL VALUES (127), (511), (512), (513), (1024), (4099)) AS t (bits)) AS t;

-- Reciprocal rank fusion: 1 / (60 + rank); a list without the row adds 0.
SELECT rrf_score(1) = 1 / 61.0::float8 AS first, rrf_score(3, k => 0) = 1 / 3.0::float8 AS third, rrf_score(NULL) AS absent, rrf_score(1, NULL) AS no_k;
SELECT statement, pg_temp.failure(statement) FROM (VALUES ('SELECT rrf_score(0)'), ('SELECT rrf_score(-1)'),
	('SELECT rrf_score(1, -1)'), ($$SELECT rrf_score(1, 'NaN')$$), ($$SELECT rrf_score(1, 'Infinity')$$)) AS t (statement);
SELECT id, rrf_score(a.rank) + rrf_score(b.rank) AS score
FROM (VALUES (1, 1), (2, 2)) AS a (id, rank) FULL JOIN (VALUES (2, 1), (3, 2)) AS b (id, rank) USING (id)
ORDER BY score DESC, id;

-- A backend that compares vectors is one thread (Linux; elsewhere this fails).
SELECT count(*) AS threads FROM pg_ls_dir('/proc/self/task');
