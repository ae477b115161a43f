-- Broken if it differs: a row that was rolled back, or is gone in another way,
-- fixes the dimensions of a column that declares none; or one that is there
-- does not.
SET client_min_messages = warning;
SET enable_seqscan = off;
CREATE TABLE index_dims (id int, v vector);
CREATE INDEX index_dims_v ON index_dims USING ktree (v vector_l2_ops);
INSERT INTO index_dims VALUES (0, NULL);
BEGIN;
INSERT INTO index_dims SELECT i, ARRAY[i, 1]::vector FROM generate_series(1, 2000) i;
ROLLBACK;
-- a search before the next row, and rows of other dimensions, of every kind
SELECT id FROM index_dims ORDER BY v <-> '[1,2]' LIMIT 2;
SELECT id FROM index_dims ORDER BY v <-> '[1,2,3]' LIMIT 2;
INSERT INTO index_dims SELECT i, ARRAY[i, 1, 1]::vector FROM generate_series(1, 1000) i;
SELECT id FROM index_dims ORDER BY v <-> '[1.1,1,1]' LIMIT 3;
SELECT * FROM embed_index_check('index_dims_v');
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM index_dims ORDER BY v <-> '[1,2,3]' OFFSET 0) x;
-- what is there stays
INSERT INTO index_dims VALUES (1, '[1,2]');
BEGIN;
DELETE FROM index_dims;
INSERT INTO index_dims VALUES (1, '[1,2]');
ROLLBACK;
SELECT id FROM index_dims ORDER BY v <-> '[5.1,1,1]' LIMIT 1;
SELECT id FROM index_dims ORDER BY v <-> '[5,1]' LIMIT 1;
-- a savepoint
BEGIN;
CREATE TABLE index_dims_sub (id int, v halfvec);
CREATE INDEX index_dims_sub_v ON index_dims_sub USING ktree (v);
SAVEPOINT s;
INSERT INTO index_dims_sub VALUES (1, '[1,2]'), (2, '[0,0]');
ROLLBACK TO s;
INSERT INTO index_dims_sub SELECT i, ARRAY[i, i, 1]::vector::halfvec FROM generate_series(1, 500) i;
COMMIT;
SELECT count(*) FROM (SELECT id FROM index_dims_sub ORDER BY v <=> '[1,2,3]' OFFSET 0) x;
SELECT * FROM embed_index_check('index_dims_sub_v');
-- again and again, to larger and smaller nodes
DO $$ BEGIN
	FOR i IN 1 .. 6 LOOP
		TRUNCATE index_dims_sub;
		BEGIN
			INSERT INTO index_dims_sub SELECT n, array_fill(n, ARRAY[i * 97])::vector::halfvec FROM generate_series(1, 400) n;
			RAISE division_by_zero;
		EXCEPTION WHEN division_by_zero THEN
		END;
		INSERT INTO index_dims_sub SELECT n, array_fill(n, ARRAY[700 - i * 97])::vector::halfvec FROM generate_series(1, 400) n;
	END LOOP;
END $$;
SELECT count(*) FROM (SELECT id FROM index_dims_sub ORDER BY v <=> array_fill(1, ARRAY[118])::vector::halfvec OFFSET 0) x;
SELECT * FROM embed_index_check('index_dims_sub_v');
DELETE FROM index_dims_sub WHERE id > 100;
VACUUM index_dims_sub;
INSERT INTO index_dims_sub SELECT n, array_fill(n, ARRAY[118])::vector::halfvec FROM generate_series(101, 900) n;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM index_dims_sub ORDER BY v <=> array_fill(1, ARRAY[118])::vector::halfvec OFFSET 0) x;
SELECT * FROM embed_index_check('index_dims_sub_v');
-- a cursor of ours is at the index: not now
DELETE FROM index_dims_sub;
VACUUM index_dims_sub;
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM index_dims_sub ORDER BY v <=> array_fill(1, ARRAY[118])::vector::halfvec;
FETCH c;
INSERT INTO index_dims_sub VALUES (1, '[1,2]');
ROLLBACK;
INSERT INTO index_dims_sub VALUES (1, '[1,2]');
SELECT v FROM index_dims_sub ORDER BY v <=> '[3,4]' LIMIT 1;
DROP TABLE index_dims, index_dims_sub;

CREATE TABLE index_dims (id int, v sparsevec);
CREATE INDEX index_dims_v ON index_dims USING inverted (v);
INSERT INTO index_dims VALUES (0, NULL);
BEGIN;
INSERT INTO index_dims SELECT i, format('{%s:1}/100', 1 + i % 100)::sparsevec FROM generate_series(1, 30000) i;
ROLLBACK;
INSERT INTO index_dims SELECT i, format('{%s:1,9:%s}/20', 1 + i % 5, i)::sparsevec FROM generate_series(1, 1000) i;
SELECT id FROM index_dims ORDER BY v <#> '{9:1}/20' LIMIT 3;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM index_dims ORDER BY v <#> '{2:1}/20' OFFSET 0) x;
SELECT * FROM embed_index_check('index_dims_v');
INSERT INTO index_dims VALUES (1, '{1:2}/21');
DROP TABLE index_dims;
