-- Broken if this fails: a query vector is computed for every row instead of
-- once, or a result is used again where it no longer holds.
SET client_min_messages = warning;
SET embed.progress = off;
CREATE SCHEMA model_call_site;
SET search_path = model_call_site, public;
CREATE TABLE texts AS SELECT i AS id, 'number ' || i || ' and ' || i % 10 AS body FROM generate_series(1, 2000) i;
SELECT train_vocabulary('m', 'SELECT body FROM texts');
CREATE TABLE vectors AS SELECT id, tfidf('m', body) AS v FROM texts;
ANALYZE vectors;

-- computations since the last call
CREATE TABLE counted (computed bigint);
INSERT INTO counted SELECT computed FROM embed_call_statistics();
CREATE FUNCTION computed() RETURNS bigint LANGUAGE sql VOLATILE AS
$$ WITH old AS (SELECT computed FROM model_call_site.counted)
   UPDATE model_call_site.counted SET computed = s.computed FROM public.embed_call_statistics() s, old RETURNING s.computed - old.computed $$;
SELECT computed();

-- sequential scan with a sort
SELECT id FROM vectors ORDER BY v <=> tfidf('m', 'number 17'), id LIMIT 2;
SELECT computed();
-- in the target list and twice in one query: each place counts for itself
SELECT id, round((v <=> tfidf('m', 'number 18'))::numeric, 3) FROM vectors ORDER BY v <=> tfidf('m', 'number 18'), id LIMIT 1;
SELECT computed() <= 2 AS once_a_place;
-- from a join, a subquery, a parameter, a prepared statement, PL/pgSQL
SELECT t.id FROM texts t JOIN vectors v USING (id) ORDER BY v.v <=> tfidf('m', 'number 19'), t.id LIMIT 1;
SELECT computed();
SELECT id FROM vectors ORDER BY v <=> (SELECT tfidf('m', 'number 20')), id LIMIT 1;
SELECT computed();
PREPARE ranked(text) AS SELECT id FROM vectors ORDER BY v <=> tfidf('m', $1), id LIMIT 1;
EXECUTE ranked('number 21');
SELECT computed();
SET plan_cache_mode = force_generic_plan;
EXECUTE ranked('number 22');
SELECT computed();
RESET plan_cache_mode;
DO $$
DECLARE
	best integer;
	query text := 'number 23';
BEGIN
	SELECT id INTO best FROM model_call_site.vectors ORDER BY v <=> tfidf('model_call_site.m', query), id LIMIT 1;
	IF best <> 23 THEN RAISE WARNING 'found %', best; END IF;
END $$;
SELECT computed();
-- a stored query, out of line
CREATE TABLE queries (id integer, body text);
ALTER TABLE queries ALTER body SET STORAGE EXTERNAL;
INSERT INTO queries VALUES (1, 'number 24 ' || repeat('unknown ', 2000));
SELECT v.id FROM vectors v, queries q WHERE q.id = 1 ORDER BY v.v <=> tfidf('m', q.body), v.id LIMIT 1;
SELECT computed();
SELECT id FROM vectors ORDER BY v <=> tfidf('m', (SELECT body FROM queries WHERE id = 1)), id LIMIT 1;
SELECT computed();

-- another input, another option, another model, another version: another result
SELECT count(DISTINCT tfidf('m', 'number ' || i % 2)::text) FROM generate_series(1, 100) i;
SELECT computed();
SELECT count(DISTINCT tfidf('m', 'number 1', norm => n)::text) FROM unnest('{l1,l1,l2,l2}'::text[]) n;
SELECT computed();
SELECT train_vocabulary('other', 'SELECT ''one number''::text');
SELECT count(DISTINCT tfidf(x, 'number')::text) FROM unnest('{m,other,m,other}'::regclass[]) x;
SELECT computed();
CREATE FUNCTION versions() RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. 4 LOOP
		RETURN NEXT tfidf('other', 'number', norm => 'none', idf => 'none')::text;
		IF i = 2 THEN UPDATE other SET id = 7 WHERE term = 'number'; END IF;
	END LOOP;
END $$;
SELECT * FROM versions();
SELECT computed();
-- NULL stays NULL and is no computation
SELECT tfidf('m', NULL);
SELECT computed();

-- row 0 is read by primary key, once for a statement's snapshot and not once
-- for each of 2000 rows; the other rows are in the image
BEGIN;
SELECT count(tfidf('m', body)) FROM texts;
SELECT pg_stat_get_xact_numscans('m_pkey'::regclass) AS before, pg_stat_get_xact_numscans('m'::regclass) AS before_of_table \gset
SELECT count(tfidf('m', body)) FROM texts;
SELECT pg_stat_get_xact_numscans('m_pkey'::regclass) - :before AS reads, pg_stat_get_xact_numscans('m'::regclass) - :before_of_table AS scans;
COMMIT;

SET client_min_messages = error;
RESET search_path;
DROP SCHEMA model_call_site CASCADE;
