"""Nearest neighbours: ktree against pgvector's HNSW, one server, one run.

usage: run.py CACHE_DIRECTORY SET [ROWS]      (PGHOST, PGPORT ... say where)

SET is one of those make_vectors.py makes.  Extension embed must be installed
in schema public, and pgvector installable in schema pgvector.  One client,
prepared statements, jit off, everything cached.  QPS is 1 / CPU time of the
backend, so a busy machine matters little.  Each side's knob is swept, and the
ratio is taken at equal recall, between the two nearest points on a log scale.
"""
import math
import os
import sys

import numpy as np
import psycopg2

K = 10
QUERIES = 500
REPEAT = 3


class Server:
    def __init__(self):
        self.connection = psycopg2.connect("")
        self.connection.autocommit = True
        self.cursor = self.connection.cursor()
        self.pid = self.all("SELECT pg_backend_pid()")[0][0]
        self.run("SET jit = off; SET enable_seqscan = off; SET max_parallel_maintenance_workers = 0;"
                 "SET maintenance_work_mem = '4GB'; SET search_path = public, pgvector")

    def run(self, sql, arguments=None):
        self.cursor.execute(sql, arguments)

    def all(self, sql, arguments=None):
        self.cursor.execute(sql, arguments)
        return self.cursor.fetchall()

    def cpu(self):
        with open("/proc/%d/stat" % self.pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(server, table, kind, vectors, plain=False):
    import io
    import struct
    server.run("DROP TABLE IF EXISTS %s; CREATE TABLE %s (id int PRIMARY KEY, v %s(%d))"
               % (table, table, kind, vectors.shape[1]))
    if plain:
        server.run("ALTER TABLE %s ALTER v SET STORAGE PLAIN" % table)
    dims = vectors.shape[1]
    swapped = vectors.astype(">f4")
    for first in range(0, len(vectors), 20000):
        data = io.BytesIO()
        data.write(b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0))
        for i in range(first, min(first + 20000, len(vectors))):
            data.write(struct.pack("!hiiihh", 2, 4, i, 4 + 4 * dims, dims, 0))
            data.write(swapped[i].tobytes())
        data.write(struct.pack("!h", -1))
        data.seek(0)
        server.cursor.copy_expert("COPY %s FROM STDIN (FORMAT binary)" % table, data)
    server.run("VACUUM ANALYZE %s" % table)


def truth(base, queries):
    result = np.zeros((len(queries), K), dtype=np.int64)
    norms = (base * base).sum(axis=1)
    for i, q in enumerate(queries):
        distance = norms - 2 * (base @ q)
        nearest = np.argpartition(distance, K)[:K]
        result[i] = nearest[np.argsort(distance[nearest])]
    return result


def measure(server, table, operator, exact, settings):
    server.run("DEALLOCATE ALL")
    server.run(settings)
    server.run("PREPARE search(int) AS SELECT id FROM %s ORDER BY v %s (SELECT v FROM %s_query WHERE id = $1) LIMIT %d"
               % (table, operator, table, K))
    plan = "\n".join(r[0] for r in server.all("EXPLAIN EXECUTE search(1)"))
    assert "Index Scan" in plan and "_v_idx" in plan, plan
    hits = 0
    for i in range(len(exact)):
        found = [r[0] for r in server.all("EXECUTE search(%d)" % i)]
        hits += len(set(found) & set(exact[i]))
    start = server.cpu()
    for _ in range(REPEAT):
        for i in range(len(exact)):
            server.run("EXECUTE search(%d)" % i)
            server.cursor.fetchall()
    seconds = (server.cpu() - start) / REPEAT / len(exact)
    buffers = 0
    for i in range(20):
        for row in server.all("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, SUMMARY OFF) EXECUTE search(%d)" % i):
            if "Buffers: shared" in row[0]:
                buffers += sum(int(w.split("=")[1]) for w in row[0].split() if w[:4] in ("hit=", "read"))
                break
    return hits / len(exact) / K, seconds, buffers / 20


def at_recall(points, wanted):
    """Seconds a query at a recall, between measured points; None beyond them."""
    points = sorted(points)
    best = None
    for (r0, s0), (r1, s1) in zip(points, points[1:]):
        if r0 <= wanted <= r1 and r1 > r0:
            share = (wanted - r0) / (r1 - r0)
            best = math.exp(math.log(s0) + share * (math.log(s1) - math.log(s0)))
    if best is None:
        above = [s for r, s in points if r >= wanted]
        best = min(above) if above else None
    return best


def sweep(server, name, table, operator, exact, knobs):
    points = []
    print("%-34s %7s %9s %9s %9s" % (name, "recall", "us", "QPS", "buffers"))
    for label, settings in knobs:
        recall, seconds, buffers = measure(server, table, operator, exact, settings)
        points.append((recall, seconds))
        print("  %-32s %7.4f %9.1f %9.0f %9.0f" % (label, recall, seconds * 1e6, 1 / seconds, buffers), flush=True)
    return points


def build(server, statement, index):
    start = server.cpu()
    server.run(statement)
    seconds = server.cpu() - start
    size = server.all("SELECT pg_relation_size('%s')" % index)[0][0]
    server.run("SELECT pg_prewarm('%s')" % index) if server.all(
        "SELECT 1 FROM pg_extension WHERE extname = 'pg_prewarm'") else None
    return seconds, size


def main():
    cache, name = sys.argv[1:3]
    base = np.load(os.path.join(cache, name + "_base.npy"))
    if len(sys.argv) > 3:
        base = base[:int(sys.argv[3])]
    queries = np.load(os.path.join(cache, name + "_query.npy"))[:QUERIES]
    exact = truth(base, queries)
    server = Server()
    server.run("CREATE SCHEMA IF NOT EXISTS pgvector; CREATE EXTENSION IF NOT EXISTS vector SCHEMA pgvector;"
               "CREATE EXTENSION IF NOT EXISTS pg_prewarm SCHEMA public")
    print("%s: %d rows of %d dimensions, recall@%d of %d queries, CPU-bound" % (name, *base.shape, K, len(exact)))

    ours, theirs = "ann_ours", "ann_theirs"
    for table, kind in ((ours, "public.vector"), (theirs, "pgvector.vector")):
        load(server, table, kind, base)
        load(server, table + "_query", kind, queries)
    seconds, size = build(server, "CREATE INDEX ann_ours_v_idx ON ann_ours USING ktree (v public.vector_l2_ops)",
                          "ann_ours_v_idx")
    print("ktree build %.1f s CPU, %.1f MB, %.0f bytes/row" % (seconds, size / 1e6, size / len(base)), flush=True)
    knobs = []
    for candidates in (10, 100):
        for recall in (0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999):
            knobs.append(("candidates %d, recall %g" % (candidates, recall),
                          "SET embed.candidates = %d; SET embed.recall = %g" % (candidates, recall)))
    our_points = sweep(server, "ktree", ours, "OPERATOR(public.<->)", exact, knobs)

    constructions = (64,) if os.environ.get("ANN_QUICK") else (64, 200)
    for construction in constructions:
        their_seconds, their_size = build(
            server, "DROP INDEX IF EXISTS ann_theirs_v_idx; CREATE INDEX ann_theirs_v_idx ON ann_theirs "
            "USING hnsw (v pgvector.vector_l2_ops) WITH (m = 16, ef_construction = %d)" % construction,
            "ann_theirs_v_idx")
        print("hnsw ef_construction %d build %.1f s CPU, %.1f MB: ktree builds %.1f times faster, %.2f of the size"
              % (construction, their_seconds, their_size / 1e6, their_seconds / seconds, size / their_size), flush=True)
        points = sweep(server, "hnsw, ef_construction %d" % construction, theirs, "OPERATOR(pgvector.<->)", exact,
                       [("ef_search %d" % ef, "SET hnsw.ef_search = %d" % ef)
                        for ef in (10, 20, 40, 80, 160, 320, 640)])
        for wanted in (0.95, 0.98, 0.99):
            us, them = at_recall(our_points, wanted), at_recall(points, wanted)
            if us is None or them is None:
                print("recall %.2f: not reached by %s" % (wanted, "ktree" if us is None else "hnsw"))
            else:
                print("recall %.2f: ktree %.0f QPS, hnsw %.0f QPS, ratio %.1f" % (wanted, 1 / us, 1 / them, them / us))


if __name__ == "__main__":
    main()
