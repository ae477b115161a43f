-- If this fails, some literal crashes the parser of a vector type, is refused
-- with an unexpected error, or changes when written and read again.
SELECT setseed(0.271828);
CREATE FUNCTION pg_temp.mutated(literal text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	pieces text[] := ARRAY['', '', ',', ':', '[', ']', '{', '}', '/', ' ', '1', '0', '-', '.', 'e', '1e5', '-0', 'nan', 'inf', '1e39', '1e-50', '65520',
		'2147483648', E'\t', '99999999999999999999', '0x1p3', '1,2', '3:4', 'é', E'\u000b'];
	place integer;
BEGIN
	FOR i IN 1 .. 1 + (random() * 2)::integer LOOP
		place := 1 + floor(random() * length(literal));
		literal := overlay(literal PLACING pieces[1 + floor(random() * array_length(pieces, 1))] FROM place FOR floor(random() * 3)::integer);
	END LOOP;
	RETURN literal;
END $$;
CREATE FUNCTION pg_temp.outcome(type text, literal text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	once text; twice text;
BEGIN
	EXECUTE format('SELECT %L::%s', literal, type) INTO once;
	EXECUTE format('SELECT %L::%s', once, type) INTO twice;
	RETURN CASE WHEN once = twice THEN 'accepted' ELSE 'changed' END;
EXCEPTION WHEN OTHERS THEN
	RETURN CASE WHEN SQLSTATE IN ('22000', '22003', '22P02', '54000') THEN 'refused' ELSE SQLSTATE || ' ' || SQLERRM END;
END $$;
SELECT type, outcome, count(*) > 100 AS many, min(literal) FILTER (WHERE outcome NOT IN ('accepted', 'refused')) AS example
FROM (SELECT type, literal, pg_temp.outcome(type, literal) AS outcome
	FROM (SELECT type, pg_temp.mutated(literal) AS literal
		FROM (VALUES ('vector', '[1,-2.5,3e2]'), ('halfvec', '[1,-2.5,3e2]'), ('sparsevec', '{1:1.5,3:-2}/5')) AS t (type, literal),
			generate_series(1, 3000)) AS t) AS t
GROUP BY type, outcome ORDER BY type, outcome;
