-- If this failed, ORDER BY v <=> tfidf(m, 'query') would encode the query for
-- every row.  embed_call_statistics counts the encodings.
SET client_min_messages = warning;
CREATE TABLE once_docs AS
SELECT i AS id, 'word' || i % 50 || ' common text ' || i % 7 AS body FROM generate_series(1, 2000) AS i;
ALTER TABLE once_docs SET (parallel_workers = 2);
SELECT train_vocabulary('once_m', 'SELECT body FROM once_docs');
ALTER TABLE once_docs ADD COLUMN v sparsevec;
UPDATE once_docs SET v = tfidf('once_m', body);
ANALYZE once_docs;

-- The encodings of one query, by this session; workers have counts of their own.
CREATE TABLE once_before (computed bigint, reused bigint);
CREATE FUNCTION once_begin() RETURNS void AS $$
	DELETE FROM once_before;
	INSERT INTO once_before SELECT * FROM embed_call_statistics();
$$ LANGUAGE sql;
CREATE VIEW once_count AS
SELECT now.computed - once_before.computed AS computed, now.reused - once_before.reused AS reused
FROM embed_call_statistics() AS now, once_before;

-- sequential scan
SET max_parallel_workers_per_gather = 0;
SELECT once_begin();
SELECT id FROM once_docs ORDER BY v <=> tfidf('once_m', 'word3 text'), id LIMIT 3;
SELECT * FROM once_count;
-- in the select list and the condition: one each
SELECT once_begin();
SELECT count(*), round(min(v <=> tfidf('once_m', 'word3'))::numeric, 5) FROM once_docs WHERE v <=> tfidf('once_m', 'word3 text') < 0.5;
SELECT * FROM once_count;

-- parallel: at most one in each process; what the leader does is seen here
RESET max_parallel_workers_per_gather;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT min(v <=> tfidf('once_m', 'word3 text')) FROM once_docs;
SELECT once_begin();
SELECT round(min(v <=> tfidf('once_m', 'word3 text'))::numeric, 5) FROM once_docs;
SELECT computed <= 1 AS once FROM once_count;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;

-- prepared statement, custom and generic plan
SET max_parallel_workers_per_gather = 0;
PREPARE once_query(text) AS SELECT id FROM once_docs ORDER BY v <=> tfidf('once_m', $1), id LIMIT 1;
SET plan_cache_mode = force_custom_plan;
SELECT once_begin();
EXECUTE once_query('word7');
SELECT * FROM once_count;
SET plan_cache_mode = force_generic_plan;
SELECT once_begin();
EXECUTE once_query('word7');
EXECUTE once_query('word8');
SELECT * FROM once_count;
RESET plan_cache_mode;
DEALLOCATE once_query;

-- CTE and scalar subquery
SELECT once_begin();
WITH query AS MATERIALIZED (SELECT tfidf('once_m', 'word9') AS q)
SELECT id FROM once_docs, query ORDER BY v <=> q, id LIMIT 1;
SELECT id FROM once_docs ORDER BY v <=> (SELECT tfidf('once_m', 'word9')), id LIMIT 1;
SELECT * FROM once_count;

-- nested loop: once for each outer row, not for each pair
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT once_begin();
SELECT q.input, (SELECT id FROM once_docs ORDER BY v <=> tfidf('once_m', q.input), id LIMIT 1)
FROM (VALUES ('word1'), ('word2'), ('word3')) AS q (input) ORDER BY 1;
SELECT * FROM once_count;
SELECT once_begin();
SELECT q.input, best.id FROM (VALUES ('word1'), ('word2')) AS q (input),
	LATERAL (SELECT id FROM once_docs ORDER BY v <=> tfidf('once_m', q.input), id LIMIT 1) AS best ORDER BY 1;
SELECT * FROM once_count;
RESET enable_hashjoin;
RESET enable_mergejoin;

-- PL/pgSQL: a query with a variable, in a loop
CREATE FUNCTION once_search(query text) RETURNS integer AS $$
DECLARE
	found_id integer;
BEGIN
	SELECT id INTO found_id FROM once_docs ORDER BY v <=> tfidf('once_m', query), id LIMIT 1;
	RETURN found_id;
END $$ LANGUAGE plpgsql STABLE;
SELECT once_begin();
SELECT once_search('word4'), once_search('word5');
SELECT computed, reused > 3000 AS reused FROM once_count;

-- the result follows the model, within a statement's snapshot
BEGIN;
DECLARE once_cursor CURSOR FOR SELECT count_vector('once_m', 'common'), documents FROM once_m WHERE id IN (1, 2) ORDER BY id;
UPDATE once_m SET term = 'gone' WHERE term = 'common';
FETCH ALL FROM once_cursor;
SELECT count_vector('once_m', 'common');
ROLLBACK;
SELECT count_vector('once_m', 'common');

-- bm25 and counts likewise
SELECT once_begin();
SELECT id FROM once_docs ORDER BY v <#> bm25_query('once_m', 'word3'), id LIMIT 1;
SELECT id FROM once_docs ORDER BY v <#> count_vector('once_m', 'word3'), id LIMIT 1;
SELECT id FROM once_docs ORDER BY v <#> one_hot('once_m', 'word3'), id LIMIT 1;
SELECT * FROM once_count;

DROP VIEW once_count;
DROP FUNCTION once_begin();
DROP FUNCTION once_search(text);
DROP TABLE once_docs, once_m, once_before;
