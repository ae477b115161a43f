"""Does the planner choose the fastest plan?  A grid of table sizes, conditions and limits.

usage: plans.py [--rows N...] [--dims N] [--repeat N] [--times FILE]      (PGHOST, PGPORT ... say where)

For each size a table of clusters with a ktree on the vectors, a btree on
"account", and "price", "kind", "half" without an index.  For each condition and
LIMIT the statement is planned as it comes, and again with each way to answer it
forced by enable_* settings: the index in order, a sequential scan and a sort, a
bitmap or index scan of the btree and a sort.  Printed: statements in which the
chosen plan takes more than 1.25 times the fastest, then how many of all do not,
and the worst.  Processor time of the backend, the best of some runs, on
distinct queries.  Everything is in memory, and the server's page costs say so.
FILE keeps the times, so that another estimate can be tried on the same ones.
"""
import argparse
import json
import os

import numpy as np

import libpq
import run

CONDITIONS = ["true", "half = 0", "kind = 3", "price < 1", "price < .1", "price < .01", "account = 5", "account < 20",
              "account < 20 AND half = 0", "account = 5 AND price < 50", "kind = 3 AND half = 0", "price > 200",
              "id < 100", "topic = 3"]
LIMITS = (1, 10, 100, 1000)
# the index in order; a sequential scan; the btree
WAYS = ("SET enable_seqscan = off; SET enable_sort = off; SET enable_bitmapscan = off",
        "SET enable_indexscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off",
        "SET enable_seqscan = off; SET enable_indexscan = off")
FREE = ("RESET enable_seqscan; RESET enable_sort; RESET enable_bitmapscan; RESET enable_indexscan; RESET enable_indexonlyscan")
SETTINGS = ("SET jit = off; SET random_page_cost = 1.1; SET max_parallel_workers_per_gather = 0; SET work_mem = '64MB'; "
            "SET client_min_messages = warning; SET plan_cache_mode = force_custom_plan")


def make(session, rows, dims):
    rng = np.random.default_rng(rows)
    centers = rng.standard_normal((max(rows // 400, 8), dims)).astype(np.float32)
    topic = rng.integers(0, len(centers), rows)
    base = centers[topic] + rng.standard_normal((rows, dims)).astype(np.float32) * .5
    run.load("plan_vectors", "public", base, True)
    session.rows("DROP TABLE IF EXISTS plan_topics, plan_rows; CREATE TABLE plan_topics AS SELECT ordinality - 1 AS id, topic FROM "
                 "unnest('{%s}'::int[]) WITH ORDINALITY AS t (topic)" % ",".join(map(str, topic % 20)))
    session.rows("SELECT setseed(.5); CREATE TABLE plan_rows AS SELECT id, v, topic, (random() * 1000)::int AS account, "
                 "random() * 100 AS price, (random() * 20)::int AS kind, (random() * 1000)::int % 2 AS half "
                 "FROM plan_vectors JOIN plan_topics USING (id) ORDER BY id; ALTER TABLE plan_rows ALTER v SET STORAGE PLAIN; "
                 "DROP TABLE plan_vectors, plan_topics; CREATE INDEX ON plan_rows (account); "
                 "CREATE INDEX plan_ktree ON plan_rows USING ktree (v vector_l2_ops)")
    session.rows("VACUUM ANALYZE plan_rows")
    return [libpq.binary_vector(q) for q in base[rng.choice(rows, 12)] + rng.standard_normal((12, dims)).astype(np.float32) * .1]


def plan_of(session):
    query = session.rows("SELECT v FROM plan_rows LIMIT 1")[0]
    plan = session.rows("EXPLAIN (COSTS OFF) EXECUTE search('%s')" % query)
    return "; ".join(line.strip(" ->") for line in plan if "Scan" in line or "Sort" in line and "Key" not in line)


def plans(session, condition, limit):
    """The settings that lead to each plan, the chosen one first."""
    found = {}
    for settings in [FREE] + [FREE + "; " + s for s in WAYS]:
        session.rows("DEALLOCATE ALL; " + settings)
        session.rows("PREPARE search(vector) AS SELECT id FROM plan_rows WHERE %s ORDER BY v <-> $1 LIMIT %d"
                     % (condition, limit))
        found.setdefault(plan_of(session), settings)
    return found


def measure(session, queries, found, repeat):
    """Processor seconds a query of each plan, the best of some passes in turn."""
    best = dict.fromkeys(found, np.inf)
    for turn in range(repeat + 1):
        for plan, settings in found.items():
            session.rows(settings)
            start = session.cpu()
            session.run(b"search", queries)
            # the first pass is for the caches
            if turn > 0:
                best[plan] = min(best[plan], (session.cpu() - start) / len(queries))
    return best


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=[1000, 10000, 100000])
    parser.add_argument("--dims", type=int, default=128)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--times")
    options = parser.parse_args()
    run.keep_awake()
    session = libpq.Session()
    session.rows(SETTINGS)
    ratios, known = [], {}
    if options.times and os.path.exists(options.times):
        with open(options.times) as file:
            known = json.load(file)
    for rows in options.rows:
        queries = make(session, rows, options.dims)
        for condition in CONDITIONS:
            for limit in LIMITS:
                found = plans(session, condition, limit)
                key = "%d %d %s %d: " % (rows, options.dims, condition, limit)
                if any(key + plan not in known for plan in found):
                    known.update((key + plan, time) for plan, time in measure(session, queries, found, options.repeat).items())
                times = {plan: known[key + plan] for plan in found}
                chosen, fastest = next(iter(times)), min(times, key=times.get)
                ratios.append(times[chosen] / times[fastest])
                if ratios[-1] > 1.25:
                    print("%d rows, %s, LIMIT %d: %s takes %.0f us, %s %.0f us, %.2f times"
                          % (rows, condition, limit, chosen, times[chosen] * 1e6, fastest, times[fastest] * 1e6, ratios[-1]),
                          flush=True)
    if options.times:
        with open(options.times, "w") as file:
            json.dump(known, file)
    print("%d statements: the fastest plan, or one within 1.25 times of it, in %d; the worst %.2f times"
          % (len(ratios), sum(r <= 1.25 for r in ratios), max(ratios)))


if __name__ == "__main__":
    main()
