-- Broken if this fails: what was written for pgvector's indexes gets another
-- answer, error or default from the extension vector of this source.
SET client_min_messages = warning;
CREATE EXTENSION vector;
ALTER EXTENSION vector UPDATE;
SELECT amname, opcname, opcdefault FROM pg_opclass c JOIN pg_am a ON a.oid = opcmethod
WHERE amname IN ('hnsw', 'ivfflat') AND amvalidate(c.oid) ORDER BY 1, 2;

-- every class answers as a sequential scan does, after each kind of change
CREATE TABLE pgv (id integer PRIMARY KEY, v vector(8), h halfvec(8), b bit(32), s sparsevec(40));
CREATE FUNCTION pgv_fill(integer, integer) RETURNS void LANGUAGE SQL AS $$
	INSERT INTO pgv SELECT i, v, v::halfvec, b, s
	FROM generate_series($1, $2) i,
		LATERAL (SELECT array_agg(sin(i * j + j) * j)::vector AS v FROM generate_series(1, 8) j) x,
		LATERAL (SELECT (i * 2654435761 % 4294967296)::bit(32) AS b) y,
		LATERAL (SELECT ('{' || i % 20 + 1 || ':' || i % 7 + 1 || ',' || i % 13 + 21 || ':' || i % 5 + 1 || '}/40')::sparsevec AS s) z
$$;
SELECT pgv_fill(1, 400);
INSERT INTO pgv VALUES (0);
CREATE TABLE pgv_class (am text, class text, col text, op text);
INSERT INTO pgv_class
SELECT amname, opcname, CASE split_part(opcname, '_', 1) WHEN 'vector' THEN 'v' WHEN 'halfvec' THEN 'h' WHEN 'bit' THEN 'b' ELSE 's' END,
	oprname
FROM pg_opclass c JOIN pg_am a ON a.oid = opcmethod JOIN pg_amop o ON amopfamily = opcfamily JOIN pg_operator p ON p.oid = amopopr
WHERE amname IN ('hnsw', 'ivfflat');

-- distances of the best ten, by the index and without
CREATE FUNCTION pgv_best(class pgv_class, question integer, by_index boolean) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
	plan text;
	line text;
	query text := format('SELECT %1$I %2$s (SELECT %1$I FROM pgv WHERE id = %3$s) AS d FROM pgv ORDER BY %1$I %2$s (SELECT %1$I FROM pgv WHERE id = %3$s) LIMIT 10',
		class.col, class.op, question);
BEGIN
	PERFORM set_config('enable_seqscan', (NOT by_index)::text, true), set_config('enable_indexscan', by_index::text, true), set_config('enable_sort', (NOT by_index)::text, true);
	FOR line IN EXECUTE 'EXPLAIN ' || query LOOP plan := concat_ws(E'\n', plan, line); END LOOP;
	IF by_index <> (plan LIKE '%Index Scan using pgv_index%') THEN RETURN plan; END IF;
	EXECUTE 'SELECT string_agg(round(d::numeric, 4)::text, '' '') FROM (' || query || ') x' INTO answer;
	RETURN answer;
END $$;
CREATE FUNCTION pgv_compare(class pgv_class, stage text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	found text;
	expected text;
BEGIN
	FOR question IN 1..20 LOOP
		CONTINUE WHEN NOT EXISTS (SELECT FROM pgv WHERE id = question * 17 % 400);
		found := pgv_best(class, question * 17 % 400, true);
		expected := pgv_best(class, question * 17 % 400, false);
		IF found IS DISTINCT FROM expected THEN
			RETURN NEXT format('%s %s, %s, row %s: %s instead of %s', class.am, class.class, stage, question * 17 % 400, found, expected);
		END IF;
	END LOOP;
	RETURN QUERY SELECT format('%s %s, %s: block %s: %s', class.am, class.class, stage, block, problem) FROM embed_index_check('pgv_index') AS c(block, problem);
END $$;
CREATE FUNCTION pgv_all(stage text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE class pgv_class;
BEGIN
	FOR class IN SELECT * FROM pgv_class ORDER BY 1, 2 LOOP
		EXECUTE format('CREATE INDEX pgv_index ON pgv USING %s (%I %I)', class.am, class.col, class.class);
		RETURN QUERY SELECT pgv_compare(class, stage || ', built');
		DELETE FROM pgv WHERE id % 10 = 3;
		UPDATE pgv SET id = -id WHERE id % 10 = 4;
		PERFORM pgv_fill(401, 500);
		RETURN QUERY SELECT pgv_compare(class, stage || ', changed');
		DELETE FROM pgv WHERE id > 400 OR id < 0;
		DELETE FROM pgv WHERE id % 10 IN (3, 4);
		PERFORM pgv_fill(i, i) FROM generate_series(1, 400) i WHERE i % 10 IN (3, 4);
		DROP INDEX pgv_index;
	END LOOP;
END $$;
SET hnsw.ef_search = 200;
SELECT pgv_all('plain');
VACUUM pgv;
SELECT pgv_all('vacuumed');
RESET hnsw.ef_search;
SELECT count(*) FROM pgv;

-- an unlogged table, a partial and an expression index, concurrently
CREATE INDEX pgv_index ON pgv USING hnsw (v vector_l1_ops) WHERE id > 100;
BEGIN;
SET LOCAL enable_seqscan = off;
SET LOCAL enable_sort = off;
EXPLAIN (COSTS OFF) SELECT id FROM pgv WHERE id > 100 ORDER BY v <+> '[1,2,3,4,5,6,7,8]' LIMIT 3;
SELECT count(*), min(id) > 100 FROM (SELECT id FROM pgv WHERE id > 100 ORDER BY v <+> '[1,2,3,4,5,6,7,8]' LIMIT 1000) x;
COMMIT;
DROP INDEX pgv_index;
CREATE INDEX CONCURRENTLY pgv_index ON pgv USING hnsw ((binary_quantize(v)::bit(8)) bit_hamming_ops);
BEGIN;
SET LOCAL enable_seqscan = off;
SET LOCAL enable_sort = off;
EXPLAIN (COSTS OFF) SELECT id FROM pgv ORDER BY binary_quantize(v)::bit(8) <~> B'11110000' LIMIT 3;
SELECT array_agg(d ORDER BY d) FROM (SELECT binary_quantize(v)::bit(8) <~> B'11110000' AS d FROM pgv ORDER BY binary_quantize(v)::bit(8) <~> B'11110000' LIMIT 3) x;
-- a cursor sees what was there when it was opened, behind updates in place too
DO $$
DECLARE
	seen CURSOR FOR SELECT id FROM pgv ORDER BY binary_quantize(v)::bit(8) <~> B'11110000';
	moved integer;
BEGIN
	OPEN seen;
	DELETE FROM pgv WHERE id <= 200;
	MOVE FORWARD 1000 IN seen;
	GET DIAGNOSTICS moved = ROW_COUNT;
	RAISE WARNING '% rows', moved;
END $$;
SELECT count(*) FROM (SELECT id FROM pgv ORDER BY binary_quantize(v)::bit(8) <~> B'11110000' LIMIT 1000) x;
ROLLBACK;
DROP INDEX pgv_index;
CREATE UNLOGGED TABLE pgv_unlogged (v vector(3));
CREATE INDEX ON pgv_unlogged USING hnsw (v vector_l2_ops);
CREATE INDEX ON pgv_unlogged USING hnsw (v vector_l1_ops);

-- a query that is NULL, and rows of other dimensions
BEGIN;
SET LOCAL enable_seqscan = off;
SET LOCAL enable_sort = off;
CREATE INDEX ON pgv USING hnsw (b bit_jaccard_ops);
SELECT count(*) FROM (SELECT id FROM pgv ORDER BY b <%> NULL LIMIT 1000) x;
SELECT id FROM pgv ORDER BY b <%> B'101' LIMIT 1;
ROLLBACK;

-- options and settings: pgvector's ranges and defaults
CREATE INDEX ON pgv USING hnsw (v vector_l2_ops) WITH (m = 1);
CREATE INDEX ON pgv USING hnsw (v vector_l2_ops) WITH (m = 16, ef_construction = 31);
CREATE INDEX ON pgv USING ivfflat (v vector_l2_ops) WITH (lists = 32769);
CREATE INDEX ON pgv USING hnsw (v);
CREATE INDEX ON pgv USING hnsw (v vector_l2_ops, id);
CREATE INDEX pgv_default ON pgv USING ivfflat (v) WITH (lists = 7);
SELECT pg_get_indexdef('pgv_default'::regclass);
CREATE INDEX ON pgv USING hnsw (s sparsevec_ip_ops) WITH (m = 5, ef_construction = 20);
SHOW hnsw.ef_search;
SHOW hnsw.iterative_scan;
SHOW hnsw.max_scan_tuples;
SHOW hnsw.scan_mem_multiplier;
SHOW ivfflat.probes;
SHOW ivfflat.iterative_scan;
SHOW ivfflat.max_probes;
SET hnsw.ef_search = 1001;
SET ivfflat.probes = 0;
SET ivfflat.iterative_scan = strict_order;

-- as many probes as lists visit every leaf
SELECT pgv_fill(1000, 4000);
BEGIN;
SET LOCAL enable_seqscan = off;
SET LOCAL enable_sort = off;
SET LOCAL ivfflat.probes = 7;
SELECT count(*) FROM (SELECT id FROM pgv ORDER BY v <-> '[1,2,3,4,5,6,7,8]' LIMIT 10) x;
SELECT leaves >= (SELECT value FROM embed_index_stats('pgv_default') WHERE property = 'leaves') AS all_leaves FROM embed_index_scan_stats();
COMMIT;

-- a column kept fresh and searched by an index that is there; of sparse vectors
-- only an order that tells which rows share a term
SET embed.progress = off;
CREATE TABLE pgv_kept (id integer PRIMARY KEY, body text, v vector(2), s sparsevec(16));
INSERT INTO pgv_kept VALUES (1, 'red'), (2, 'fox'), (3, 'red fox');
SELECT import_word_vectors('pgv_words', config => 'embed_words', data => convert_to(E'red 1 0\nfox 0 1\n', 'UTF8'));
SELECT train_vocabulary('pgv_terms', 'SELECT body FROM pgv_kept', capacity => 16);
CREATE INDEX pgv_kept_v ON pgv_kept USING hnsw (v vector_l2_ops);
CREATE INDEX pgv_kept_s ON pgv_kept USING hnsw (s sparsevec_l2_ops);
SELECT left(statement, 40) FROM embed_column('pgv_kept', '{body}', 'pgv_words', 'v');
SELECT left(statement, 40) FROM embed_column('pgv_kept', '{body}', 'pgv_terms', 's', encoder => 'tfidf');
SELECT "column", index, operator FROM embed_columns() WHERE "table" = 'pgv_kept'::regclass;
SELECT (hit).id, ranks FROM embed_search(NULL::pgv_kept, 'red', 3);
DROP TABLE pgv_kept, pgv_words, pgv_terms;

DROP TABLE pgv, pgv_class, pgv_unlogged CASCADE;
DROP EXTENSION vector;
