-- Broken if it differs: the planner uses a ktree index where a sequential scan
-- and sort, or another index, is faster, or does not where it is not.
SET client_min_messages = warning;
SET max_parallel_workers_per_gather = 0;
SET jit = off;
CREATE TABLE ktree_planner (id int PRIMARY KEY, v vector(16));
INSERT INTO ktree_planner SELECT i, (SELECT array_agg(sin(i * g)) FROM generate_series(1, 16) g)::vector FROM generate_series(1, 20000) i;
CREATE INDEX ktree_planner_v ON ktree_planner USING ktree (v);
VACUUM ANALYZE ktree_planner;
-- a few of many rows: the index
EXPLAIN (COSTS OFF) SELECT id FROM ktree_planner ORDER BY v <=> '[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]' LIMIT 10;
-- all rows, or most of them: a sort
EXPLAIN (COSTS OFF) SELECT id FROM ktree_planner ORDER BY v <=> '[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]';
EXPLAIN (COSTS OFF) SELECT id FROM ktree_planner ORDER BY v <=> '[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]' LIMIT 15000;
-- a filter that another index answers with a few rows: that index
EXPLAIN (COSTS OFF) SELECT id FROM ktree_planner WHERE id BETWEEN 100 AND 120 ORDER BY v <=> '[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]' LIMIT 10;
-- a filter that most rows pass: ktree
EXPLAIN (COSTS OFF) SELECT id FROM ktree_planner WHERE id > 2000 ORDER BY v <=> '[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]' LIMIT 10;
-- the neighbours of each of a few rows: ktree inside
EXPLAIN (COSTS OFF) SELECT a.id, n.id FROM ktree_planner a, LATERAL
	(SELECT b.id FROM ktree_planner b ORDER BY b.v <=> a.v LIMIT 3) n WHERE a.id < 10;
-- another metric than the index's: not this index
EXPLAIN (COSTS OFF) SELECT id FROM ktree_planner ORDER BY v <-> '[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]' LIMIT 10;
-- no order at all: never, even where everything else is switched off
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM ktree_planner;
RESET enable_seqscan;
-- a partial index made for the condition, beside one that has the condition's column
CREATE TABLE ktree_planner_partial AS SELECT id, id % 100 AS tenant, v FROM ktree_planner;
CREATE INDEX ktree_planner_all ON ktree_planner_partial USING ktree (v, tenant);
CREATE INDEX ktree_planner_one ON ktree_planner_partial USING ktree (v) WHERE tenant = 7;
VACUUM ANALYZE ktree_planner_partial;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM ktree_planner_partial WHERE tenant = 7 ORDER BY v <=> '[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]' LIMIT 10;
EXPLAIN (COSTS OFF) SELECT id FROM ktree_planner_partial WHERE tenant = 8 ORDER BY v <=> '[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]' LIMIT 10;
RESET enable_seqscan;
DROP TABLE ktree_planner_partial;
-- a small table
DELETE FROM ktree_planner WHERE id > 50;
VACUUM FULL ANALYZE ktree_planner;
EXPLAIN (COSTS OFF) SELECT id FROM ktree_planner ORDER BY v <=> '[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]' LIMIT 10;
DROP TABLE ktree_planner;
