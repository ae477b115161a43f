-- Broken if it differs: an index grown row by row knows its rows as well as
-- one built at once, however often the tree was split since they came.  With
-- every leaf visited and ten candidates, what is missed is missed by the codes.
SET client_min_messages = warning;
SELECT setseed(0.5);

-- mean share of the ten nearest found, over queries near rows
CREATE FUNCTION ktree_grown_recall(tab text, expression text, type text) RETURNS float8
LANGUAGE plpgsql SET embed.candidates = 10 SET embed.probes = 100000 AS $$
DECLARE
	hits int := 0;
	total int := 0;
	query text;
	by_index int[];
	by_sort int[];
	statement text := format('SELECT array_agg(id) FROM (SELECT id FROM %s ORDER BY %s <-> $1::%s LIMIT 10) s',
		tab, expression, type);
BEGIN
	FOR query IN EXECUTE format('SELECT v::text FROM %s WHERE id %% 61 = 7 ORDER BY id LIMIT 60', tab) LOOP
		PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true),
			set_config('enable_indexscan', 'on', true);
		EXECUTE statement INTO by_index USING query;
		PERFORM set_config('enable_seqscan', 'on', true), set_config('enable_sort', 'on', true),
			set_config('enable_indexscan', 'off', true);
		EXECUTE statement INTO by_sort USING query;
		hits := hits + (SELECT count(*) FROM unnest(by_index) i WHERE i = ANY (by_sort));
		total := total + 10;
	END LOOP;
	RETURN hits::float8 / total;
END $$;

-- Clusters of clusters of clusters: a leaf holds rows of many of them at first,
-- and codes from then say little of how the rows of one cluster differ.
CREATE FUNCTION ktree_grown_noise(scale float8, seed int) RETURNS float8[]
LANGUAGE sql VOLATILE AS $$
	SELECT array_agg((random() + random() + random() - 1.5) * scale) FROM generate_series(1, 48 + 0 * seed)
$$;
CREATE FUNCTION ktree_grown_sum(a float8[], b float8[]) RETURNS float8[]
LANGUAGE sql IMMUTABLE AS $$
	SELECT array_agg(x + y ORDER BY n) FROM unnest(a, b) WITH ORDINALITY AS u (x, y, n)
$$;
CREATE TABLE ktree_grown_large AS SELECT k, ktree_grown_noise(27, k) AS c FROM generate_series(0, 3) k;
CREATE TABLE ktree_grown_middle AS SELECT i AS k, ktree_grown_sum(c, ktree_grown_noise(9, i)) AS c
FROM generate_series(0, 15) i JOIN ktree_grown_large ON k = i % 4;
CREATE TABLE ktree_grown_small AS SELECT i AS k, ktree_grown_sum(c, ktree_grown_noise(3, i)) AS c
FROM generate_series(0, 63) i JOIN ktree_grown_middle ON k = i % 16;
CREATE TABLE ktree_grown_rows AS SELECT i AS id, ktree_grown_sum(c, ktree_grown_noise(1, i))::vector(48) AS v
FROM generate_series(1, 8000) i JOIN ktree_grown_small ON k = i % 64;

CREATE TABLE ktree_grown (id int, v vector(48));
CREATE INDEX ktree_grown_v ON ktree_grown USING ktree (v vector_l2_ops);
INSERT INTO ktree_grown SELECT * FROM ktree_grown_rows ORDER BY id;
SELECT value > 30 AS many_leaves FROM embed_index_stats('ktree_grown_v') WHERE property = 'leaves';
SELECT ktree_grown_recall('ktree_grown', 'v', 'vector') > 0.95 AS good;
SELECT * FROM embed_index_check('ktree_grown_v');

-- values out of line
CREATE TABLE ktree_grown_toasted (id int, v vector(48), wide text);
ALTER TABLE ktree_grown_toasted ALTER v SET STORAGE EXTERNAL, ALTER wide SET STORAGE PLAIN;
CREATE INDEX ktree_grown_toasted_v ON ktree_grown_toasted USING ktree (v vector_l2_ops);
INSERT INTO ktree_grown_toasted SELECT id, v, repeat('x', 1900) FROM ktree_grown_rows ORDER BY id;
SELECT pg_relation_size(reltoastrelid) > 100000 AS toasted FROM pg_class WHERE oid = 'ktree_grown_toasted'::regclass;
SELECT ktree_grown_recall('ktree_grown_toasted', 'v', 'vector') > 0.95 AS good;
DROP TABLE ktree_grown_toasted;

-- an expression: computed once a row, however cheap it seems, and the promise
-- is kept from the codes
CREATE SEQUENCE ktree_grown_calls;
CREATE FUNCTION ktree_grown_half(v vector) RETURNS halfvec LANGUAGE plpgsql IMMUTABLE COST 10 AS $$
BEGIN
	PERFORM nextval('ktree_grown_calls');
	RETURN v::halfvec;
END $$;
CREATE TABLE ktree_grown_half (LIKE ktree_grown);
CREATE INDEX ktree_grown_half_v ON ktree_grown_half USING ktree ((ktree_grown_half(v)::halfvec(48)) halfvec_l2_ops);
INSERT INTO ktree_grown_half SELECT * FROM ktree_grown_rows ORDER BY id;
SELECT last_value AS calls FROM ktree_grown_calls;
SELECT embed_index_recall('ktree_grown_half_v', 'SELECT v::halfvec(48) FROM ktree_grown_rows WHERE id % 80 = 7', 10) > 0.93 AS good;
SELECT * FROM embed_index_check('ktree_grown_half_v');
DROP TABLE ktree_grown_half;
DROP FUNCTION ktree_grown_half;

-- in a transaction of many commands, some of them undone: a row that is gone
-- has an entry still, and no version that anybody could read
TRUNCATE ktree_grown;
BEGIN;
INSERT INTO ktree_grown SELECT * FROM ktree_grown_rows WHERE id <= 2000 ORDER BY id;
SAVEPOINT s;
INSERT INTO ktree_grown SELECT id + 100000, v FROM ktree_grown_rows WHERE id > 6000;
ROLLBACK TO s;
UPDATE ktree_grown SET id = id WHERE id % 3 = 0;
DELETE FROM ktree_grown WHERE id % 10 = 0;
INSERT INTO ktree_grown SELECT * FROM ktree_grown_rows WHERE id % 10 = 0 OR id > 2000 ORDER BY id;
COMMIT;
SELECT ktree_grown_recall('ktree_grown', 'v', 'vector') > 0.95 AS good;
SELECT * FROM embed_index_check('ktree_grown_v');

-- TRUNCATE in the transaction that made the table begins the index's file anew:
-- copies of inner nodes from before must not lead the search.  The mirror image
-- of all rows makes the same nodes at the same places.
SET embed.probes = 4;
BEGIN;
CREATE TABLE ktree_grown_again (id int, v vector(48));
CREATE INDEX ktree_grown_again_v ON ktree_grown_again USING ktree (v vector_l2_ops);
INSERT INTO ktree_grown_again SELECT * FROM ktree_grown_rows ORDER BY id;
SELECT embed_index_recall('ktree_grown_again_v', 'SELECT v FROM ktree_grown_rows WHERE id % 61 = 7', 10) > 0.8 AS good;
TRUNCATE ktree_grown_again;
INSERT INTO ktree_grown_again SELECT id, v * array_fill(-1::real, ARRAY[48])::vector
FROM ktree_grown_rows ORDER BY id;
SELECT embed_index_recall('ktree_grown_again_v', 'SELECT v FROM ktree_grown_again WHERE id % 61 = 7', 10) > 0.8 AS good;
COMMIT;
RESET embed.probes;

DROP TABLE ktree_grown, ktree_grown_again, ktree_grown_rows, ktree_grown_small, ktree_grown_middle, ktree_grown_large;
DROP FUNCTION ktree_grown_recall, ktree_grown_noise, ktree_grown_sum;
