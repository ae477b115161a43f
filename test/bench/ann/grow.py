"""An index that grew row by row against one built at once, and what upkeep costs.

usage: grow.py CACHE_DIRECTORY SET [--rows N] [--ours] [--rivals NAME...]      (see run.py)

Printed: searches of a ktree grown from empty, in random order, sorted by the
first coordinate and sorted by cluster, as a share of the bulk-built one's at
equal recall; buffer accesses and WAL records an insert costs above the table's
own; the processor time of VACUUM after a tenth is deleted, beside hnsw's; the
size over twenty cycles of deleting a fifth, vacuuming and inserting it again;
recall by default after all rows were replaced by those of another distribution.
With --rivals, instead: four fifths built, a fifth inserted, by each of them and
by ktree: rows inserted a processor second, then the searches.
"""
import argparse
import re

import numpy as np

import libpq
import rivals
import run

CYCLES = 20
REPEAT = 15
# close to each other, where lines between points would mislead
RECALLS = (0.9, 0.95, 0.98, 0.985, 0.99, 0.993, 0.996, 0.998)
BULK = rivals.Side("bulk", "public", "ktree")


def index_size(session):
    return int(session.rows("SELECT pg_relation_size('%s')" % run.OURS.index)[0])


def empty(session, data, with_index=True):
    session.rows("TRUNCATE %s; DROP INDEX IF EXISTS %s" % (run.OURS.table, run.OURS.index))
    if with_index:
        run.build(session, run.OURS, data)


def insert(session, order, where="true"):
    """Insert the rows kept aside, one by one as the access method sees it."""
    plan = "\n".join(session.rows("EXPLAIN (ANALYZE, BUFFERS, WAL, TIMING OFF, COSTS OFF) INSERT INTO %s "
                                  "SELECT id, v FROM ann_rows WHERE %s ORDER BY %s" % (run.OURS.table, where, order)))
    first = plan.split("->")[0]
    buffers = sum(int(n) for n in re.findall(r"(?:hit|read)=(\d+)", first.split("shared")[1].split("\n")[0]))
    # the nodes below read the rows kept aside
    below = plan.split("->")[1]
    if "shared" in below:
        buffers -= sum(int(n) for n in re.findall(r"(?:hit|read)=(\d+)", below.split("shared")[1].split("\n")[0]))
    return buffers, int(re.search(r"WAL: records=(\d+)", first).group(1))


def share(data, title):
    """QPS of the grown index as a share of the bulk-built one's."""
    knobs = run.our_knobs(data.limit, RECALLS)
    contenders = [run.Contender(side, name, knobs, data)
                  for side, name in ((BULK, "built at once"), (run.OURS, title))]
    bulk, grown = run.sweep(data, REPEAT, *contenders)
    for contender in contenders:
        contender.session.close()
    for wanted in (0.95, 0.99):
        a, b = run.at_recall(grown, wanted), run.at_recall(bulk, wanted)
        print("%s: at recall %.2f %s" % (title, wanted, "not reached" if a is None or b is None else
                                         "%.0f %% of the bulk-built one's QPS" % (100 * b / a)), flush=True)


def grown(session, data):
    rows = len(data.base)
    empty(session, data, with_index=False)
    table = insert(session, "id")
    for order, title in (("id", "inserted in random order"), ("(v::float4[])[1]", "inserted sorted by a coordinate"),
                         ("cluster", "inserted sorted by cluster")):
        empty(session, data)
        start = session.cpu()
        cost = insert(session, order)
        print("%s: %.1f s of processor time, %.1f buffer accesses and %.2f WAL records a row above the table's own"
              % (title, session.cpu() - start, *[(c - t) / rows for c, t in zip(cost, table)]))
        # as autovacuum does: it calibrates
        session.rows("VACUUM ANALYZE %s" % run.OURS.table)
        share(data, title)
        print("%s: %.1f MB" % (title, index_size(session) / 1e6))


def add_clusters(session, data):
    """Number the rows kept aside by the nearest of a hundred of them."""
    centers = data.base[:: len(data.base) // 100][:100]
    nearest = ((centers * centers).sum(axis=1) - 2 * data.base @ centers.T).argmin(axis=1)
    session.rows("DROP TABLE IF EXISTS ann_clusters; CREATE TABLE ann_clusters AS SELECT ordinality - 1 AS id, cluster "
                 "FROM unnest('{%s}'::int[]) WITH ORDINALITY AS c (cluster)" % ",".join(map(str, nearest)))
    session.rows("CREATE TABLE ann_joined AS SELECT r.id, r.v, c.cluster FROM ann_rows r JOIN ann_clusters c USING (id); "
                 "DROP TABLE ann_rows, ann_clusters; ALTER TABLE ann_joined RENAME TO ann_rows")
    session.rows("VACUUM ANALYZE ann_rows")


def vacuum_seconds(session, table):
    session.rows("DELETE FROM %s WHERE id %% 10 = 3" % table)
    start = session.cpu()
    session.rows("VACUUM (PARALLEL 0) %s" % table)
    return session.cpu() - start


def cycles(session):
    sizes = [index_size(session)]
    for cycle in range(CYCLES):
        session.rows("DELETE FROM %s WHERE id %% 5 = %d" % (run.OURS.table, cycle % 5))
        session.rows("VACUUM %s" % run.OURS.table)
        insert(session, "id", "id %% 5 = %d" % (cycle % 5))
        sizes.append(index_size(session))
    print("size over %d cycles, MB: %s" % (CYCLES, " ".join("%.1f" % (s / 1e6) for s in sizes)), flush=True)


def shifted(session, data):
    """All rows replaced: every coordinate reversed and moved."""
    data.base = (data.base[:, ::-1] * 0.5 + data.base.mean(axis=0) + 0.05).astype("f4")
    data.queries = (data.queries[:, ::-1] * 0.5 + data.base.mean(axis=0) + 0.05).astype("f4")
    if data.operator == "<=>":
        data.base /= np.linalg.norm(data.base, axis=1, keepdims=True)
        data.queries /= np.linalg.norm(data.queries, axis=1, keepdims=True)
    data.exact = run.truth(data.base, data.queries, data.limit)
    data.arguments = [libpq.binary_vector(q) for q in data.queries]
    run.load("ann_rows", "public", data.base, True)
    count = len(data.base)
    for part in range(4):
        these = "id >= %d AND id < %d" % (count * part // 4, count * (part + 1) // 4)
        session.rows("DELETE FROM %s WHERE %s" % (run.OURS.table, these))
        session.rows("VACUUM %s" % run.OURS.table)
        insert(session, "id", these)
    session.rows("VACUUM %s" % run.OURS.table)
    session.rows("RESET embed.candidates; RESET embed.recall")
    replaced = recalls(session, data)
    session.rows("REINDEX INDEX %s" % run.OURS.index)
    print("all rows replaced by another distribution, recall by default and with 10, 20, 40 probes: %s; after REINDEX %s"
          % (replaced, recalls(session, data)), flush=True)


def recalls(session, data):
    found = []
    for setting in ("RESET embed.probes", "SET embed.probes = 10", "SET embed.probes = 20", "SET embed.probes = 40"):
        session.rows(setting)
        run.prepare(session, run.OURS, data, data.limit)
        found.append(run.recall_of(session, data, data.limit))
    session.rows("RESET embed.probes")
    return " ".join("%.4f" % r for r in found)


def four_fifths(session, side, data):
    """Inserts a second, and a contender on the grown index."""
    whole, data.base = data.base, data.base[:len(data.base) * 4 // 5]
    run.load(side.table, side.schema, data.base, True)
    run.build(session, side, data)
    data.base = whole
    rest = rivals.Side("rest", side.schema, side.method)
    run.load(rest.table, side.schema, whole[len(whole) * 4 // 5:], True)
    start = session.cpu()
    session.rows("INSERT INTO %s SELECT id + %d, v FROM %s" % (side.table, len(whole) * 4 // 5, rest.table))
    print("%s: %.0f rows inserted a processor second" % (side.name, (len(whole) / 5) / (session.cpu() - start)), flush=True)
    session.rows("DROP TABLE %s; VACUUM ANALYZE %s" % (rest.table, side.table))
    return run.Contender(side, side.name, side.knobs(data.limit) or run.our_knobs(data.limit, RECALLS), data)


def beside_rivals(session, data, names):
    us = four_fifths(session, run.OURS, data)
    for side in rivals.server_sides(names, [64]):
        if rivals.available(session, side):
            them = four_fifths(session, side, data)
            run.compare(*run.sweep(data, 5, us, them), side.name)
            them.session.close()
            session.rows("DROP TABLE %s" % side.table)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("cache")
    parser.add_argument("set")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--ours", action="store_true")
    parser.add_argument("--rivals", nargs="*")
    options = parser.parse_args()
    options.limit, options.recall = 10, False
    run.keep_awake()
    data = run.Data(options)
    session = libpq.Session()
    session.rows(run.SETTINGS)
    if options.rivals:
        beside_rivals(session, data, options.rivals)
        return
    run.load(run.OURS.table, "public", data.base, True)
    run.build(session, run.OURS, data)
    run.load(BULK.table, "public", data.base, True)
    run.build(session, BULK, data)
    ours = vacuum_seconds(session, run.OURS.table)
    print("VACUUM after a tenth is deleted: %.3f s of processor time" % ours, flush=True)
    run.load("ann_rows", "public", data.base, True)
    add_clusters(session, data)
    if not options.ours:
        hnsw = rivals.hnsw(64)
        rivals.available(session, hnsw)
        run.load(hnsw.table, hnsw.schema, data.base, True)
        run.build(session, hnsw, data)
        theirs = vacuum_seconds(session, hnsw.table)
        print("hnsw's VACUUM: %.1f s, %.0f times ours" % (theirs, theirs / ours), flush=True)
    grown(session, data)
    cycles(session)
    shifted(session, data)


if __name__ == "__main__":
    main()
