-- If this fails, the planner thinks all distances cost the same.
CREATE TABLE type_cost (a vector(3), b vector(768), c vector(768), h halfvec(768), s sparsevec(100000), t sparsevec(100000), bits bit(4096), free vector);
ALTER TABLE type_cost ALTER c SET STORAGE plain;
INSERT INTO type_cost (t) SELECT ('{' || string_agg(i || ':1', ',') || '}/100000')::sparsevec FROM generate_series(1, 200) i;
INSERT INTO type_cost (s) VALUES ('{1:1}/100000');
ANALYZE type_cost;
-- cost of one evaluation in units of cpu_operator_cost
CREATE FUNCTION pg_temp.units(expression text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
	plan json; empty json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT JSON) SELECT ' || expression || ' FROM type_cost' INTO plan;
	EXECUTE 'EXPLAIN (FORMAT JSON) SELECT NULL::float8 FROM type_cost' INTO empty;
	RETURN round(((plan->0->'Plan'->>'Total Cost')::numeric - (empty->0->'Plan'->>'Total Cost')::numeric)
		/ (plan->0->'Plan'->>'Plan Rows')::numeric / current_setting('cpu_operator_cost')::numeric);
END $$;
SET cpu_operator_cost = 1;	-- EXPLAIN shows two digits
SELECT expression, pg_temp.units(expression) AS units
FROM (VALUES ('a <-> a'), ('b <-> b'), ('b <#> (SELECT b FROM type_cost LIMIT 0)'), ('c <=> c'), ('h <+> h'), ('bits <~> bits'), ('bits <%> bits'),
	('l2_distance(c, c)'), ('inner_product(c, c)'), ('cosine_distance(c, c)'), ('cosine_similarity(c, c)'), ('l1_distance(c, c)'), ('hamming_distance(bits, bits)'),
	('vector_l2_squared_distance(c, c)'), ('vector_spherical_distance(c, c)')) AS t (expression);
-- a constant tells the length too, and statistics that of a sparsevec
SELECT pg_temp.units('free <-> array_fill(1, ARRAY[1024])::vector') AS constant, pg_temp.units('s <-> s') < pg_temp.units('t <-> NULLIF(t, t)') AS sparsevec;
-- what nothing is known of costs what the function says
SELECT pg_temp.units('NULLIF(free, free) <-> NULLIF(free, free)') AS unknown;
RESET cpu_operator_cost;
DROP TABLE type_cost;
