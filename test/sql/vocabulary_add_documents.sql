-- If this failed, a vocabulary that has followed its corpus would not be the
-- one a full training gives.
SET client_min_messages = warning;
CREATE TABLE adding_docs (id integer, body text);
INSERT INTO adding_docs VALUES (1, 'red green'), (2, 'red blue'), (3, 'blue red'), (4, 'green cyan');
SELECT train_vocabulary('adding_m', 'SELECT body FROM adding_docs WHERE id <= 2', min_documents => 2);
SELECT * FROM adding_m ORDER BY id;
SELECT tfidf('adding_m', 'red green cyan', norm => 'none');
SELECT add_documents('adding_m', 'SELECT body FROM adding_docs WHERE id > 2');
-- red keeps its id; blue and green have risen above the cut
SELECT * FROM adding_m ORDER BY id;
SELECT tfidf('adding_m', 'red green cyan', norm => 'none');
SELECT documents, occurrences FROM embed_models() WHERE model = 'adding_m'::regclass;

-- an error leaves everything as it was
SELECT add_documents('adding_m', 'SELECT body FROM adding_docs WHERE id > 4');
SELECT add_documents('adding_m', 'SELECT 1/0, body FROM adding_docs');
SELECT count(*), sum(documents), sum(occurrences) FROM adding_m;
-- the capacity is fixed
SELECT add_documents('adding_m', $$SELECT string_agg('w' || i, ' ') FROM generate_series(1, 9) AS i, generate_series(1, 3) AS d GROUP BY d$$);
BEGIN;
SELECT add_documents('adding_m', 'SELECT ''red''');
SELECT count_vector('adding_m', 'red'), (SELECT documents FROM adding_m WHERE id = 1);
ROLLBACK;
SELECT documents FROM adding_m WHERE id = 1;
SELECT add_documents('adding_docs', 'SELECT ''red''');
SELECT add_documents(NULL, 'SELECT ''red''') IS NULL AS null;

-- rights
CREATE ROLE adding_reader;
GRANT SELECT, INSERT ON adding_m TO adding_reader;
SET ROLE adding_reader;
SELECT add_documents('adding_m', 'SELECT ''red''');
RESET ROLE;
GRANT UPDATE ON adding_m TO adding_reader;
SET ROLE adding_reader;
SELECT add_documents('adding_m', 'SELECT ''red''');
RESET ROLE;
ALTER TABLE adding_m ENABLE ROW LEVEL SECURITY;
SET ROLE adding_reader;
SELECT add_documents('adding_m', 'SELECT ''red''');
RESET ROLE;
DROP TABLE adding_m;
DROP ROLE adding_reader;

-- Property: for random corpora, random cuts and any number of additions, N and
-- the counts of every term equal a full training's; ids given at training stay;
-- and the terms with an id are those of before and those that pass the cuts.
CREATE FUNCTION adding_round(seed integer) RETURNS TABLE (fault text) AS $$
DECLARE
	total integer;
	parts integer;
	options text;
	cut text;
	sorting text;
BEGIN
	PERFORM setseed(seed / 1000.0);
	total := 20 + floor(random() * 60);
	parts := 2 + floor(random() * 4);
	cut := (ARRAY['min_documents => 2', 'min_share => 0.1', 'max_share => 0.5', 'min_documents => 1', 'max_documents => 6'])[1 + floor(random() * 5)];
	sorting := (ARRAY['frequency', 'term'])[1 + floor(random() * 2)];
	options := format('capacity => 65536, max_ngram => %s, %s, sort_by => %L',
		1 + floor(random() * 2), cut, sorting);
	TRUNCATE adding_docs;
	INSERT INTO adding_docs
	SELECT d, (SELECT coalesce(string_agg('t' || floor(exp(random() * ln(40 + w)))::integer, ' '), '')
		FROM generate_series(1, (d * 7 + seed) % 13) AS w)
	FROM generate_series(1, total) AS d;
	UPDATE adding_docs SET body = body || ' t1 t2 t3' WHERE id % parts = 1 AND id <= 2 * parts;
	EXECUTE format('SELECT train_vocabulary(''adding_all'', ''SELECT body FROM adding_docs'', %s)', options);
	EXECUTE format('SELECT train_vocabulary(''adding_m'', ''SELECT body FROM adding_docs WHERE id %% %s = 1'', %s)', parts, options);
	CREATE TEMP TABLE adding_before AS SELECT id, term FROM adding_m WHERE id > 0;
	FOR part IN 0 .. parts - 1 LOOP
		CONTINUE WHEN part = 1;
		PERFORM add_documents('adding_m', format('SELECT body FROM adding_docs WHERE id %% %s = %s', parts, part));
	END LOOP;
	RETURN QUERY
		SELECT format('seed %s (%s): %s in the one, %s in the other', seed, options, a, m)
		FROM (SELECT coalesce(a.term, '(all)') AS term, a.documents, a.occurrences FROM adding_all AS a) AS a
			FULL JOIN (SELECT coalesce(m.term, '(all)') AS term, m.documents, m.occurrences FROM adding_m AS m) AS m USING (term)
		WHERE (a.documents, a.occurrences) IS DISTINCT FROM (m.documents, m.occurrences);
	RETURN QUERY
		SELECT format('seed %s (%s): id of %s was %s', seed, options, b.term, b.id)
		FROM adding_before AS b WHERE NOT EXISTS (SELECT FROM adding_m AS m WHERE m.id = b.id AND m.term = b.term);
	RETURN QUERY
		SELECT format('seed %s (%s): %s should have an id, or should not', seed, options, coalesce(a.term, m.term))
		FROM (SELECT term FROM adding_all WHERE id > 0 UNION SELECT term FROM adding_before) AS a
			FULL JOIN (SELECT term FROM adding_m WHERE id > 0) AS m USING (term)
		-- what has passed in between keeps its id: only a cut that is passed for good tells
		WHERE m.term IS NULL OR (a.term IS NULL AND cut LIKE 'min_documents%');
	RETURN QUERY
		SELECT format('seed %s (%s): gap in the ids', seed, options) FROM adding_m HAVING max(id) <> count(*) FILTER (WHERE id > 0);
	DROP TABLE adding_before, adding_all, adding_m;
END $$ LANGUAGE plpgsql;
SELECT fault FROM generate_series(1, 40) AS seed, adding_round(seed) LIMIT 20;

-- max_terms: no more than that, whatever is added
SELECT train_vocabulary('adding_m', 'SELECT unnest(ARRAY[''a a b'', ''c''])', max_terms => 4);
SELECT add_documents('adding_m', 'SELECT ''d d e e e f''');
SELECT string_agg(id || ' ' || term, ', ' ORDER BY id) FROM adding_m;
DROP TABLE adding_m;
DROP FUNCTION adding_round(integer);
DROP TABLE adding_docs;
