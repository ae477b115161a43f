"""Nearest neighbours: ktree against other indexes of the server and libraries in memory, one run.

usage: run.py CACHE_DIRECTORY SET [option...]      (PGHOST, PGPORT ... say where)

SET is one of those make_vectors.py makes.  Extension embed must be installed
in schema public, and pgvector installable in schema pgvector.  The role must
be a superuser's and on the server's machine: processor time is read in /proc.

--rows N          of the set only
--limit K         rows a query wants (10)
--external        leave vectors of more than 2 kB out of line, as both types
                  do unless told otherwise.  By default the column is made
                  STORAGE PLAIN for both, as ann-benchmarks.com does it for
                  pgvector.
--construction N  of hnsw, several allowed (64 and 200)
--rivals NAME...  of hnsw, vchordrq, diskann, hnswlib, faiss, usearch (rivals.py;
                  hnsw alone unless told otherwise)
--ours            no rival
--recall          instead: what embed.recall promises and gives, for LIMIT
                  1, 10 and 100
--clients         also two clients at once, by the clock: wants two free cores.
                  Each joins a table of queries to the search, so that it needs
                  no processor itself.
--repeat N        passes over all knobs, of which the best counts (15)

Prepared statements with binary arguments, jit off, everything cached.  QPS is
1 / processor time of the backend, so a busy machine matters little.  Queries
come in a pipeline (libpq.py) from a client that never sleeps: a backend is
charged with waking whom it answers, on virtual processors up to 40 us a query,
which says nothing of an index.  Processes of idle priority keep the
processors awake besides.  Each side's knob is swept, and the ratio is taken at
equal recall, between the two nearest points on a log scale; "not reached"
points of a side that is better than wanted count as they are.
"""
import argparse
import io
import math
import multiprocessing
import os
import struct
import time

import numpy as np
import psycopg2

import libpq
import rivals

QUERIES = 500
ROUNDS = 15
SLICE = 0.4
SETTINGS = ("SET jit = off; SET enable_seqscan = off; SET enable_sort = off; SET maintenance_work_mem = '4GB';"
            "SET max_parallel_maintenance_workers = 0; SET client_min_messages = warning;"
            "SET search_path = public, pgvector")


OURS = rivals.Side("ktree", "public", "ktree")


def spin():
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    while True:
        pass


def keep_awake():
    """One process for each processor that runs when nobody else wants to."""
    for _ in range(os.cpu_count()):
        multiprocessing.Process(target=spin, daemon=True).start()


def load(table, schema, vectors, plain):
    """Fill a table by binary COPY."""
    connection = psycopg2.connect("")
    connection.autocommit = True
    cursor = connection.cursor()
    dims = vectors.shape[1]
    cursor.execute("DROP TABLE IF EXISTS %s; CREATE TABLE %s (id int, v %s.vector(%d))" % (table, table, schema, dims))
    if plain and dims <= 2000:
        cursor.execute("ALTER TABLE %s ALTER v SET STORAGE PLAIN" % table)
    swapped = vectors.astype(">f4")
    for first in range(0, len(vectors), 20000):
        data = io.BytesIO()
        data.write(b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0))
        for i in range(first, min(first + 20000, len(vectors))):
            data.write(struct.pack("!hiiihh", 2, 4, i, 4 + 4 * dims, dims, 0))
            data.write(swapped[i].tobytes())
        data.write(struct.pack("!h", -1))
        data.seek(0)
        cursor.copy_expert("COPY %s FROM STDIN (FORMAT binary)" % table, data)
    cursor.execute("VACUUM ANALYZE %s" % table)
    connection.close()


def truth(base, queries, count):
    """The nearest rows of each query by squared distance, nearest first."""
    result = np.zeros((len(queries), count), dtype=np.int64)
    norms = (base * base).sum(axis=1)
    for i, q in enumerate(queries):
        distance = norms - 2 * (base @ q)
        nearest = np.argpartition(distance, count)[:count]
        result[i] = nearest[np.argsort(distance[nearest])]
    return result


def prepare(session, side, data, limit):
    session.rows("DEALLOCATE ALL")
    session.rows("PREPARE search(%s.vector) AS SELECT id FROM %s ORDER BY v OPERATOR(%s.%s) $1 LIMIT %d"
                 % (side.schema, side.table, side.schema, data.operator, limit))


def check_plan(session, side, data):
    plan = "\n".join(session.rows("EXPLAIN EXECUTE search('%s')" % ("[" + ",".join(map(str, data.queries[0])) + "]")))
    assert side.index in plan, plan


def recall_of(session, data, limit):
    hits = sum(len(set(session.execute(b"search", a)) & set(e[:limit])) for a, e in zip(data.arguments, data.exact))
    return hits / len(data.exact) / limit


def buffers_of(session, data):
    """Shared buffers a query touches, index and table."""
    total = 0
    for query in data.queries[:20]:
        text = "[" + ",".join(map(str, query)) + "]"
        for row in session.rows("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, SUMMARY OFF, COSTS OFF) EXECUTE search('%s')" % text):
            if "Buffers: shared" in row:
                total += sum(int(w.split("=")[1]) for w in row.split() if w[:4] in ("hit=", "read"))
                break
    return total / 20


class Contender:
    """A side in a session of its own, and what it is measured with."""

    def __init__(self, side, title, knobs, data):
        self.side, self.title, self.knobs = side, title, knobs
        self.session = libpq.Session()
        self.session.rows(SETTINGS)
        # one that is planned by settings cannot be planned without
        self.session.rows(knobs[0][1])
        prepare(self.session, side, data, data.limit)
        check_plan(self.session, side, data)

    def seconds(self, data, settings):
        """Processor seconds a query, once."""
        self.session.rows(settings)
        start = self.session.cpu()
        self.session.run(b"search", data.arguments)
        return (self.session.cpu() - start) / len(data.arguments)


def sweep(data, repeat, *contenders):
    """Points (recall, seconds, settings) of each contender, a list for each.

    Every pass goes over all knobs of all contenders, and the best of some
    passes counts: so a machine that is slow for seconds is slow for all.
    """
    best = [[math.inf] * len(c.knobs) for c in contenders]
    for _ in range(repeat):
        for c, times in zip(contenders, best):
            for i, (_, settings) in enumerate(c.knobs):
                times[i] = min(times[i], c.seconds(data, settings))
    result = []
    for c, times in zip(contenders, best):
        points = []
        print("%-34s %7s %9s %9s %9s" % (c.title, "recall", "us", "QPS", "buffers"))
        for (label, settings), seconds in zip(c.knobs, times):
            c.session.rows(settings)
            recall = recall_of(c.session, data, data.limit)
            points.append((recall, seconds, settings))
            print("  %-32s %7.4f %9.1f %9.0f %9.0f" % (label, recall, seconds * 1e6, 1 / seconds,
                                                       buffers_of(c.session, data)), flush=True)
        result.append(points)
    return result


def at_recall(points, wanted):
    """Seconds a query at a recall, between measured points; None where it is not reached."""
    points = sorted((r, s) for r, s, _ in points if not any(a > r and b < s for a, b, _ in points))
    for (r0, s0), (r1, s1) in zip(points, points[1:]):
        if r0 <= wanted <= r1 and r1 > r0:
            share = (wanted - r0) / (r1 - r0)
            return math.exp(math.log(s0) + share * (math.log(s1) - math.log(s0)))
    above = [s for r, s in points if r >= wanted]
    return min(above) if above else None


def compare(ours, theirs, rival):
    for wanted in (0.90, 0.95, 0.98, 0.99):
        us, them = at_recall(ours, wanted), at_recall(theirs, wanted)
        if us is None or them is None:
            print("recall %.2f: not reached by %s" % (wanted, "ktree" if us is None else rival))
        else:
            print("recall %.2f: ktree %.0f QPS, %s %.0f QPS, ratio %.2f" % (wanted, 1 / us, rival, 1 / them, them / us),
                  flush=True)


def build(session, side, data):
    session.rows("DROP INDEX IF EXISTS %s" % side.index)
    operators = {"<->": "vector_l2_ops", "<=>": "vector_cosine_ops"}[data.operator]
    start = session.cpu()
    session.rows("CREATE INDEX %s ON %s USING %s (v %s)%s" % (side.index, side.table, side.method,
                 "%s.%s" % (side.schema, operators), side.options(data)))
    seconds = session.cpu() - start
    size = int(session.rows("SELECT pg_relation_size('%s')" % side.index)[0])
    print("%s%s: build %.1f s of processor time, %.1f MB, %.0f bytes a row"
          % (side.name, side.options(data).replace("\n", " "), seconds, size / 1e6, size / len(data.base)), flush=True)
    return seconds, size


def our_knobs(limit, recalls=(0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)):
    knobs = []
    for candidates in sorted({limit, max(limit, 100)}):
        for recall in recalls:
            knobs.append(("candidates %d, recall %g" % (candidates, recall),
                          "SET embed.candidates = %d; SET embed.recall = %g" % (candidates, recall)))
    return knobs


def promises(session, data):
    """embed.recall as set and as measured, all else by default."""
    print("%-10s %9s %9s %9s" % ("recall set", "LIMIT 1", "10", "100"))
    session.rows("RESET embed.candidates")
    for recall in (0.90, 0.95, 0.98, 0.99, 0.995, 0.999):
        session.rows("SET embed.recall = %g" % recall)
        found = []
        for limit in (1, 10, 100):
            prepare(session, OURS, data, limit)
            found.append(recall_of(session, data, limit))
        print("%-10g %9.4f %9.4f %9.4f%s" % (recall, *found, "" if min(found) >= recall - 0.02 else "   below"), flush=True)


def one_client(data, settings, number, start, speeds):
    """Searches during the slices of time in which this client has a turn."""
    session = libpq.Session()
    session.rows(SETTINGS)
    session.rows(settings)
    # not the same query as the other client at the same time
    join = ("SELECT count(*) FROM (SELECT v FROM ann_queries ORDER BY hashint8(id + %d) LIMIT 50) q, "
            "LATERAL (SELECT id FROM %s ORDER BY v %s q.v LIMIT %d) found"
            % (number * len(data.queries), OURS.table, data.operator, data.limit))
    session.rows(join)
    start.wait()
    begin = time.time()
    for turn in range(3 * ROUNDS):
        end, done = begin + (turn + 1) * SLICE, 0
        if turn % 3 in (number, 2):
            while time.time() < end:
                session.rows(join)
                done += 50
        else:
            time.sleep(max(end - time.time(), 0))
        speeds[number * 3 * ROUNDS + turn] = done / SLICE


def clients(data, settings):
    """Queries a second by the clock: either client alone, then both, in rounds."""
    load("ann_queries", OURS.schema, data.queries, True)
    speeds, start = multiprocessing.Array("d", 6 * ROUNDS), multiprocessing.Barrier(2)
    workers = [multiprocessing.Process(target=one_client, args=(data, settings, i, start, speeds)) for i in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    one = np.array(speeds[:3 * ROUNDS]).reshape(ROUNDS, 3)
    other = np.array(speeds[3 * ROUNDS:]).reshape(ROUNDS, 3)
    ratios = 2 * (one[:, 2] + other[:, 2]) / (one[:, 0] + other[:, 1])
    print("one client %.0f QPS by the clock, two clients %.2f times as many (median of %d rounds, %.2f to %.2f)"
          % (np.median(one[:, 0]), np.median(ratios), ROUNDS, ratios.min(), ratios.max()), flush=True)


class Data:
    def __init__(self, options):
        read = lambda part: np.load(os.path.join(options.cache, "%s_%s.npy" % (options.set, part)))
        self.base = read("base")[:options.rows]
        self.queries = read("query")[:QUERIES]
        self.operator = "<->" if options.set.startswith("fashion") else "<=>"
        if self.operator == "<=>":
            self.base = self.base / np.linalg.norm(self.base, axis=1, keepdims=True)
            self.queries = self.queries / np.linalg.norm(self.queries, axis=1, keepdims=True)
        self.limit = options.limit
        self.exact = truth(self.base, self.queries, 100 if options.recall else options.limit)
        self.arguments = [libpq.binary_vector(q) for q in self.queries]


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("cache")
    parser.add_argument("set")
    parser.add_argument("--rows", type=int)
    parser.add_argument("--limit", type=int, default=10)
    parser.add_argument("--construction", type=int, nargs="*", default=[64, 200])
    parser.add_argument("--rivals", nargs="*", default=["hnsw"])
    parser.add_argument("--repeat", type=int, default=15)
    for flag in ("external", "ours", "recall", "clients"):
        parser.add_argument("--" + flag, action="store_true")
    options = parser.parse_args()
    keep_awake()
    data = Data(options)
    print("%s: %d rows of %d dimensions, %s, recall@%d of %d queries, storage %s"
          % (options.set, *data.base.shape, data.operator, data.limit, len(data.queries),
             "external" if options.external or data.base.shape[1] > 2000 else "plain"))
    session = libpq.Session()
    session.rows(SETTINGS)
    load(OURS.table, OURS.schema, data.base, not options.external)
    seconds, size = build(session, OURS, data)
    if options.recall:
        promises(session, data)
        return
    us = Contender(OURS, "ktree", our_knobs(data.limit), data)
    if options.clients or options.ours:
        ours, = sweep(data, options.repeat, us)
        if options.clients:
            clients(data, min((p for p in ours if p[0] >= 0.95), key=lambda p: p[1])[2])
    if options.ours:
        return
    for side in rivals.server_sides(options.rivals, options.construction):
        if not rivals.available(session, side):
            continue
        load(side.table, side.schema, data.base, not options.external)
        their_seconds, their_size = build(session, side, data)
        print("ktree builds %.1f times as fast, %.2f of the size" % (their_seconds / seconds, size / their_size))
        them = Contender(side, side.name, side.knobs(data.limit), data)
        ours, theirs = sweep(data, options.repeat, us, them)
        compare(ours, theirs, side.name)
        them.session.close()
        session.rows("DROP TABLE %s" % side.table)
    libraries = [name for name in options.rivals if name in rivals.LIBRARIES]
    if libraries:
        ours, = sweep(data, options.repeat, us)
    for name in libraries:
        for title, points in rivals.library_points(name, data, options.repeat).items():
            compare(ours, points, title)


if __name__ == "__main__":
    main()
