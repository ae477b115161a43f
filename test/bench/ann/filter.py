"""Conditions beside ORDER BY: filter columns of ktree, a ktree without them, partial indexes, and rivals.

usage: filter.py CACHE_DIRECTORY SET [--rows N] [--repeat N] [--rivals NAME...]      (see run.py)

Rows have a tenant (of as many tenants as give each 100 rows), a side (one of
two), a price (uniform, 0 to 100) and a topic (the nearest of twenty rows, so
that it goes with the vectors).  For each condition: the nearest ten of the rows
that pass, by

  columns    USING ktree (v, tenant, side, price, topic)
  partial    USING ktree (v) WHERE the condition: the best an index can do
  plain      USING ktree (v): the executor drops rows
  sorted     a btree on the columns, all rows that pass read and sorted
  hnsw       pgvector with iterative scans
  vchordrq   VectorChord with its prefilter

each the cheapest setting of its knobs that finds .95 and .99 of the true ten,
processor time of a prepared statement.
"""
import argparse

import numpy as np

import libpq
import rivals
import run

COLUMNS = "tenant, side, price, topic"
CONDITIONS = [("half of the rows", "side = 0", lambda c: c["side"] == 0),
              ("a range of 1 %", "price >= 40 AND price < 41", lambda c: (c["price"] >= 40) & (c["price"] < 41)),
              ("two columns, 1 %", "side = 0 AND price < 2", lambda c: (c["side"] == 0) & (c["price"] < 2)),
              ("a tenant of 100 rows", "tenant = 7", lambda c: c["tenant"] == 7),
              ("a topic, with the vectors", "topic = 7", lambda c: c["topic"] == 7)]
RECALLS = (0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995)


def columns_of(data):
    """The same for every side."""
    rng, rows = np.random.default_rng(7), len(data.base)
    seeds = data.base[rng.choice(rows, 20, replace=False)]
    return {"tenant": rng.permutation(rows) % max(rows // 100, 1), "side": rng.integers(0, 2, rows),
            "price": (rng.random(rows) * 100).astype(np.float32),
            "topic": ((seeds * seeds).sum(axis=1) - 2 * data.base @ seeds.T).argmin(axis=1)}


def load(session, side, data, columns):
    run.load(side.table, side.schema, data.base, True)
    session.rows("DROP TABLE IF EXISTS ann_values, ann_joined; CREATE TABLE ann_values AS SELECT * FROM unnest('{%s}'::int[], '{%s}'::int[], "
                 "'{%s}'::real[], '{%s}'::int[]) WITH ORDINALITY AS c (%s, n)"
                 % (*[",".join(map(str, columns[name])) for name in COLUMNS.split(", ")], COLUMNS))
    session.rows("CREATE TABLE ann_joined (LIKE %s INCLUDING STORAGE); ALTER TABLE ann_joined ADD tenant int, ADD side int, "
                 "ADD price real, ADD topic int; INSERT INTO ann_joined SELECT r.id, r.v, %s FROM %s r JOIN ann_values "
                 "ON n = id + 1 ORDER BY id; DROP TABLE %s, ann_values; ALTER TABLE ann_joined RENAME TO %s"
                 % (side.table, COLUMNS, side.table, side.table, side.table))
    session.rows("VACUUM ANALYZE %s" % side.table)


def build(session, side, data, columns="", where=""):
    classes = {"<->": "vector_l2_ops", "<=>": "vector_cosine_ops"}[data.operator]
    session.rows("DROP INDEX IF EXISTS %s" % side.index)
    session.rows("CREATE INDEX %s ON %s USING %s (v %s.%s%s)%s%s"
                 % (side.index, side.table, side.method, side.schema, classes, columns, side.options(data), where))


class Filtered(run.Contender):
    """A contender whose statement has the condition."""

    def __init__(self, side, title, knobs, data, condition):
        self.side, self.title, self.knobs = side, title, knobs
        self.session = libpq.Session()
        self.session.rows(run.SETTINGS)
        self.session.rows(knobs[0][1])
        if title == "sorted":
            self.session.rows("SET enable_sort = on; SET enable_indexscan = off")
        self.session.rows("PREPARE search(%s.vector) AS SELECT id FROM %s WHERE %s ORDER BY v OPERATOR(%s.%s) $1 LIMIT %d"
                          % (side.schema, side.table, condition, side.schema, data.operator, data.limit))
        # one plan for all: what is measured is the search
        self.session.rows("SET plan_cache_mode = force_generic_plan")
        run.check_plan(self.session, side, data) if title != "sorted" else None


def our_knobs():
    return [("recall %g" % r, "SET embed.recall = %g" % r) for r in RECALLS]


def rival_knobs(side, limit):
    if side.name == "hnsw":
        return [("relaxed, ef_search %d" % ef, "SET hnsw.iterative_scan = relaxed_order; SET hnsw.max_scan_tuples = 1000000; "
                 "SET hnsw.scan_mem_multiplier = 8; SET hnsw.ef_search = %d" % ef) for ef in (20, 40, 80, 160, 320)]
    if side.name == "vchordrq":
        return [("prefilter, " + label, "SET vchordrq.prefilter = on; " + settings)
                for label, settings in side.knobs(limit)[7:]]
    return side.knobs(limit)


def measure(contender, data, repeat):
    """Points of one contender, without a table of them: (recall, seconds)."""
    points = []
    for _, settings in contender.knobs:
        seconds = min(contender.seconds(data, settings) for _ in range(repeat))
        points.append((run.recall_of(contender.session, data, data.limit), seconds, settings))
    contender.session.close()
    return points


def told(points, wanted):
    seconds = run.at_recall(points, wanted)
    if seconds is None:
        return "%.3f in %.0f us" % max((r, s * 1e6) for r, s, _ in points)
    return "%.0f us" % (seconds * 1e6)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("cache")
    parser.add_argument("set")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--limit", type=int, default=10)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--rivals", nargs="*", default=["hnsw", "vchordrq"])
    options = parser.parse_args()
    options.recall = False
    run.QUERIES = options.queries
    run.keep_awake()
    data = run.Data(options)
    columns = columns_of(data)
    whole = data.base
    session = libpq.Session()
    session.rows(run.SETTINGS)
    sides = {name: rivals.Side(name, "public", "ktree") for name in ("columns", "partial", "plain")}
    sides.update((side.name, side) for side in rivals.server_sides(options.rivals, [64]) if rivals.available(session, side))
    for side in sides.values():
        load(session, side, data, columns)
        if side.name != "partial":
            build(session, side, data, ", " + COLUMNS if side.name == "columns" else "")
    sides["sorted"] = rivals.Side("sorted", "public", "btree")
    load(session, sides["sorted"], data, columns)
    for column in COLUMNS.split(", "):
        session.rows("CREATE INDEX ON %s (%s)" % (sides["sorted"].table, column))
    for title, condition, passes in CONDITIONS:
        passing = np.flatnonzero(passes(columns))
        data.base = whole[passing]
        exact = run.truth(data.base, data.queries, min(data.limit, len(passing) - 1))
        data.exact = passing[exact]
        print("%s: %s, %d rows" % (title, condition, len(passing)), flush=True)
        found = {}
        for name, side in sides.items():
            if name == "partial":
                build(session, side, data, "", " WHERE " + condition)
            knobs = (our_knobs() if side.schema == "public" and name != "sorted" else
                     [("", "SET jit = off")] if name == "sorted" else rival_knobs(side, data.limit))
            found[name] = measure(Filtered(side, name, knobs, data, condition), data, options.repeat)
            print("    %-10s %s" % (name, "  ".join("%.3f/%.0f" % (r, s * 1e6) for r, s, _ in found[name])), flush=True)
        for wanted in (0.95, 0.99):
            print("  recall %.2f: %s" % (wanted, ", ".join("%s %s" % (n, told(p, wanted)) for n, p in found.items())), flush=True)


if __name__ == "__main__":
    main()
