-- Broken if it differs: embed_explain gives no reason, or a wrong one, for
-- what an index does in a search.
SET embed.progress = off;
CREATE TABLE search_explain (id integer PRIMARY KEY, other vector(3), v vector(3), h halfvec(3), s sparsevec(100), body text);
INSERT INTO search_explain SELECT i, ARRAY[i, 1, 1]::vector, ARRAY[i % 71, i % 13, i]::vector, ARRAY[i % 71, i % 13, i]::vector::halfvec,
	('{' || 1 + i % 100 || ':1}/100')::sparsevec, 'red' FROM generate_series(1, 3000) i;
-- what is told of every plan
CREATE FUNCTION search_explain_says(statement text) RETURNS SETOF text LANGUAGE sql AS
$$ SELECT regexp_replace(line, 'cost of \d+ against \d+|of \d+ rows in \d+ pages', '...', 'g') FROM regexp_split_to_table(embed_explain(statement), '\n') AS line $$;
\pset format unaligned
\pset tuples_only on
-- no index
SELECT search_explain_says('SELECT id FROM search_explain ORDER BY v <=> ''[1,2,3]'' LIMIT 5');
CREATE INDEX search_explain_v ON search_explain USING ktree (v vector_l2_ops);
CREATE INDEX search_explain_h ON search_explain USING ktree (h);
CREATE INDEX search_explain_s ON search_explain USING inverted (s);
-- one of another class, and none that could be made
SELECT search_explain_says('SELECT id FROM search_explain ORDER BY v <=> ''[1,2,3]'' LIMIT 5');
SELECT search_explain_says('SELECT id FROM search_explain ORDER BY s <-> ''{1:1}/100'' LIMIT 5');
-- never analyzed, and analyzed
ALTER TABLE search_explain SET (autovacuum_enabled = off);
CREATE TABLE search_explain_new (v vector(3)) WITH (autovacuum_enabled = off);
CREATE INDEX search_explain_new_v ON search_explain_new USING ktree (v);
INSERT INTO search_explain_new SELECT ARRAY[i, 1, 1]::vector FROM generate_series(1, 20) i;
SET seq_page_cost = 0;
SET cpu_tuple_cost = 0;
SET cpu_operator_cost = 0;
SELECT search_explain_says('SELECT * FROM search_explain_new ORDER BY v <=> ''[1,2,3]'' LIMIT 5');
RESET seq_page_cost;
RESET cpu_tuple_cost;
RESET cpu_operator_cost;
ANALYZE search_explain_new;
SELECT search_explain_says('SELECT * FROM search_explain_new ORDER BY v <=> ''[1,2,3]'' LIMIT 5');
VACUUM ANALYZE search_explain;
-- used
SELECT search_explain_says('SELECT id FROM search_explain ORDER BY v <-> ''[1,2,3]'' LIMIT 5');
SELECT search_explain_says('SELECT id FROM search_explain ORDER BY s <#> ''{1:1}/100'' LIMIT 5');
-- settings
SET enable_indexscan = off;
SELECT search_explain_says('SELECT id FROM search_explain ORDER BY v <-> ''[1,2,3]'' LIMIT 5');
RESET enable_indexscan;
SET embed.max_leaves = 3;
SET embed.probes = 2;
SELECT search_explain_says('SELECT id FROM search_explain ORDER BY v <-> ''[1,2,3]'' LIMIT 5');
RESET embed.max_leaves;
RESET embed.probes;
-- the statement: direction, NULLs, LIMIT, ties, casts, expressions, functions, the other side
SELECT search_explain_says('SELECT id FROM search_explain ORDER BY v <-> ''[1,2,3]'' DESC LIMIT 5');
SELECT search_explain_says('SELECT id FROM search_explain ORDER BY v <-> ''[1,2,3]'' NULLS FIRST LIMIT 5');
SELECT search_explain_says('SELECT id FROM search_explain ORDER BY v <-> ''[1,2,3]''');
SELECT search_explain_says('SELECT id FROM search_explain ORDER BY v <-> ''[1,2,3]'' FETCH FIRST 5 ROWS WITH TIES');
SELECT search_explain_says('SELECT id FROM search_explain ORDER BY h::vector <-> ''[1,2,3]''::vector LIMIT 5');
SELECT search_explain_says('SELECT id FROM search_explain ORDER BY 1 - (v <=> ''[1,2,3]'') DESC LIMIT 5');
SELECT search_explain_says('SELECT id FROM search_explain ORDER BY l2_distance(v, ''[1,2,3]'') LIMIT 5');
SELECT search_explain_says('SELECT id FROM search_explain ORDER BY v <-> other LIMIT 5');
SELECT search_explain_says('SELECT id FROM search_explain ORDER BY v <-> ARRAY[random(), 1, 2]::vector LIMIT 5');
SELECT search_explain_says('SELECT DISTINCT v <-> ''[1,2,3]'' FROM search_explain ORDER BY v <-> ''[1,2,3]'' LIMIT 5');
SELECT search_explain_says('SELECT x FROM (SELECT ''[1,2,3]''::vector AS x OFFSET 0) y ORDER BY x <-> ''[1,2,3]'' LIMIT 5');
SELECT search_explain_says('SELECT id FROM search_explain WHERE v <-> ''[1,2,3]'' < 5');
SELECT search_explain_says('SELECT id FROM search_explain ORDER BY id');
-- other expressions to order by, no LIMIT after all, a value that is none
SET enable_incremental_sort = off;
SELECT search_explain_says('SELECT id FROM search_explain ORDER BY v <-> ''[1,2,3]'', id LIMIT 5');
RESET enable_incremental_sort;
SELECT search_explain_says('SELECT id FROM search_explain ORDER BY body, v <-> ''[1,2,3]'' LIMIT 5');
SELECT search_explain_says('SELECT id FROM search_explain ORDER BY v <-> ''[1,2,3]'' LIMIT ALL');
SELECT search_explain_says('SELECT id FROM search_explain ORDER BY v <-> NULL LIMIT 5');
-- parameters, of which a LIMIT is guessed
SELECT search_explain_says('SELECT id FROM search_explain ORDER BY v <-> $1 LIMIT 5');
SELECT search_explain_says('SELECT id FROM search_explain ORDER BY v <-> $1 LIMIT $2');
-- views, subqueries, names of queries, joins
CREATE VIEW search_explain_view AS SELECT id AS number, v AS place, h::vector AS cast FROM search_explain;
SELECT search_explain_says('SELECT number FROM search_explain_view ORDER BY place <-> ''[1,2,3]'' LIMIT 5');
SELECT search_explain_says('SELECT number FROM search_explain_view ORDER BY "cast" <-> ''[1,2,3]'' LIMIT 5');
SELECT search_explain_says('SELECT id FROM (SELECT id, v FROM search_explain) x ORDER BY v <-> ''[1,2,3]'' LIMIT 5');
SELECT search_explain_says('WITH x AS (SELECT * FROM search_explain) SELECT id FROM x ORDER BY v <-> ''[1,2,3]'' LIMIT 5');
SELECT search_explain_says('WITH x AS MATERIALIZED (SELECT * FROM search_explain) SELECT id FROM x ORDER BY v <-> ''[1,2,3]'' LIMIT 5');
SELECT search_explain_says('SELECT id FROM search_explain LEFT JOIN (VALUES (1)) y (id) USING (id) ORDER BY v <-> ''[1,2,3]'' LIMIT 5');
-- several orders: to each its own index, or none
SELECT search_explain_says('(SELECT id FROM search_explain ORDER BY v <-> ''[1,2,3]'' LIMIT 5) UNION ALL (SELECT id FROM search_explain ORDER BY s <#> ''{1:1}/100'' LIMIT 5)
	UNION ALL (SELECT id FROM search_explain ORDER BY v <-> ''[1,2,3]'' DESC LIMIT 5) UNION ALL (SELECT id FROM search_explain ORDER BY other <-> ''[1,2,3]'' LIMIT 5)');
-- bits
CREATE TABLE search_explain_bits (b bit(8));
SELECT search_explain_says('SELECT b FROM search_explain_bits ORDER BY b <~> B''10101010'' LIMIT 5');
DROP TABLE search_explain_bits;
SELECT search_explain_says('SELECT * FROM (VALUES (B''101'')) y (b) ORDER BY b <~> B''111'' LIMIT 5');
-- whoever may read a view is told, who may not read the table is not
CREATE ROLE search_explain_reader;
GRANT SELECT ON search_explain_view TO search_explain_reader;
SET ROLE search_explain_reader;
SELECT search_explain_says('SELECT number FROM search_explain_view ORDER BY place <-> ''[1,2,3]'' LIMIT 5');
SELECT search_explain_says('SELECT id FROM search_explain ORDER BY v <-> ''[1,2,3]'' LIMIT 5');
RESET ROLE;
REVOKE SELECT ON search_explain_view FROM search_explain_reader;
DROP ROLE search_explain_reader;
DROP VIEW search_explain_view;
-- a partial index, and one that is not valid
DROP INDEX search_explain_v;
CREATE INDEX search_explain_part ON search_explain USING ktree (v vector_l2_ops) WHERE id > 100;
SELECT search_explain_says('SELECT id FROM search_explain ORDER BY v <-> ''[1,2,3]'' LIMIT 5');
SELECT search_explain_says('SELECT id FROM search_explain WHERE id > 100 ORDER BY v <-> ''[1,2,3]'' LIMIT 5');
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'search_explain_part'::regclass;
SELECT search_explain_says('SELECT id FROM search_explain WHERE id > 100 ORDER BY v <-> ''[1,2,3]'' LIMIT 5');
-- subqueries, common table expressions, partitions
CREATE TABLE search_explain_parts (id integer, v vector(3)) PARTITION BY RANGE (id);
CREATE TABLE search_explain_one PARTITION OF search_explain_parts FOR VALUES FROM (0) TO (3000);
CREATE INDEX search_explain_parts_v ON search_explain_parts USING ktree (v vector_l2_ops);
INSERT INTO search_explain_parts SELECT id, v FROM search_explain WHERE id < 3000;
VACUUM ANALYZE search_explain_parts;
SELECT search_explain_says('WITH near AS (SELECT id FROM search_explain_parts ORDER BY v <-> ''[1,2,3]'' LIMIT 5) SELECT count(*) FROM near');
-- a kept column with rows that lack a vector, and stale ones
SELECT import_word_vectors('search_explain_model', config => 'embed_words', data => convert_to(E'red 1 0\nfox 0 1\n', 'UTF8'));
SELECT count(*) FROM embed_column('search_explain', '{body}', 'search_explain_model', 'kept', version_column => true);
ALTER TABLE search_explain DISABLE TRIGGER USER;
UPDATE search_explain SET kept = NULL WHERE id <= 300;
UPDATE search_explain SET kept_version = 'old' WHERE id > 2700;
ALTER TABLE search_explain ENABLE TRIGGER USER;
ANALYZE search_explain;
SELECT search_explain_says(embed_search_sql(NULL::search_explain, 'red')) ~ 'About (300 rows have text and no vector|300 vectors are of another version)' AS told;
-- what is no search
\set VERBOSITY terse
SELECT embed_explain('DELETE FROM search_explain');
SELECT embed_explain('');
SELECT embed_explain('SELECT 1; SELECT 2');
SELECT embed_explain('SELECT nothing FROM search_explain');
SELECT embed_explain('WITH d AS (DELETE FROM search_explain RETURNING id) SELECT * FROM d');
-- the place of an error is in the query that was asked about
\set VERBOSITY default
SELECT embed_explain('SELEC 1');
SELECT embed_explain('SELECT id FROM search_explain ORDER BY nothing <-> ''[1,2,3]'' LIMIT 5');
SELECT embed_explain('EXPLAIN SELECT 1');
SELECT count(*) FROM search_explain;
SET client_min_messages = error;
DROP TABLE search_explain, search_explain_new, search_explain_parts, search_explain_model;
DROP FUNCTION search_explain_says;
