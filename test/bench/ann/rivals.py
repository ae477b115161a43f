"""Those that ktree is measured against: indexes of the same server, and libraries in memory.

An index is a Side: how it is built, and the knobs that trade time for recall.
What cannot be had is left out with a line.

hnsw       pgvector, whose extension vector the server must have in place of ours
vchordrq   VectorChord, which wants shared_preload_libraries = 'vchord'
diskann    pgvectorscale
hnswlib, faiss, usearch
           packages of Python's registry, one thread, a query at a time
"""
import math
import time

import numpy as np


class Side:
    """One index method: names of its type, classes and options."""

    def __init__(self, name, schema, method, options=None, knobs=None, extension=None):
        self.name, self.schema, self.method, self.extension = name, schema, method, extension
        self.options = options or (lambda data: "")
        self.knobs = knobs or (lambda limit: [])
        self.table, self.index = "ann_" + name, "ann_" + name + "_v_idx"


def hnsw_knobs(limit):
    return [("ef_search %d" % ef, "SET hnsw.ef_search = %d" % ef) for ef in (10, 20, 40, 80, 160, 320) if ef >= limit]


def hnsw(construction):
    return Side("hnsw", "pgvector", "hnsw", lambda data: " WITH (m = 16, ef_construction = %d)" % construction,
                hnsw_knobs, "vector")


def vchordrq_options(data):
    """As its documentation advises for this many rows: residuals, and lists of some 500 rows."""
    lists = max(len(data.base) // 500, 10)
    return (" WITH (options = $$residual_quantization = true\n[build.internal]\nlists = [%d]\nspherical_centroids = %s$$)"
            % (lists, "true" if data.operator == "<=>" else "false"))


def vchordrq_knobs(limit):
    return [("probes %d, epsilon %g" % (probes, epsilon), "SET vchordrq.probes = '%d'; SET vchordrq.epsilon = %g" % (probes, epsilon))
            for epsilon in (0.6, 1.0, 1.9) for probes in (4, 8, 12, 20, 32, 50, 75)]


def diskann_knobs(limit):
    return [("list %d, rescore %d" % (size, rescore),
             "SET diskann.query_search_list_size = %d; SET diskann.query_rescore = %d" % (size, rescore))
            for size in (10, 25, 50, 100, 250) for rescore in (20, 50, 100, 200)]


def server_sides(names, constructions):
    sides = []
    for name in names:
        if name == "hnsw":
            sides += [hnsw(c) for c in constructions]
        elif name == "vchordrq":
            sides.append(Side("vchordrq", "pgvector", "vchordrq", vchordrq_options, vchordrq_knobs, "vchord"))
        elif name == "diskann":
            sides.append(Side("diskann", "pgvector", "diskann", None, diskann_knobs, "vectorscale"))
    return sides


def available(session, side):
    """Makes the rival's extension, or says that it is not there."""
    session.rows("CREATE SCHEMA IF NOT EXISTS pgvector; CREATE EXTENSION IF NOT EXISTS vector SCHEMA pgvector")
    try:
        session.rows("SET search_path = pgvector; CREATE EXTENSION IF NOT EXISTS %s; SET search_path = public, pgvector"
                     % side.extension)
    except RuntimeError as error:
        session.rows("SET search_path = public, pgvector")
        print("left out: %s (%s)" % (side.name, str(error).splitlines()[0]), flush=True)
        return False
    return True


# ---------- libraries ----------

def swept(title, data, repeat, knobs, choose, search):
    """Points (recall, seconds, label) of a library: choose(knob), then search(query) for each query."""
    print("%-34s %7s %9s %9s" % (title, "recall", "us", "QPS"))
    points = []
    for label, knob in knobs:
        choose(knob)
        best = math.inf
        for _ in range(repeat):
            start = time.process_time()
            found = [search(q) for q in data.library_queries]
            best = min(best, time.process_time() - start)
        recall = np.mean([len(set(f) & set(e[:data.limit])) / data.limit for f, e in zip(found, data.exact)])
        points.append((recall, best / len(found), label))
        print("  %-32s %7.4f %9.1f %9.0f" % (label, recall, best / len(found) * 1e6, len(found) / best), flush=True)
    return points


EFS = [("ef %d" % ef, ef) for ef in (10, 20, 40, 80, 160, 320)]


def hnswlib_points(data, repeat):
    import hnswlib
    index = hnswlib.Index(space="l2", dim=data.base.shape[1])
    index.init_index(max_elements=len(data.base), ef_construction=64, M=16)
    index.set_num_threads(1)
    start = time.process_time()
    index.add_items(data.base, num_threads=1)
    print("hnswlib M 16, ef_construction 64: build %.1f s of processor time" % (time.process_time() - start))
    return {"hnswlib": swept("hnswlib, in memory", data, repeat, [k for k in EFS if k[1] >= data.limit], index.set_ef,
                             lambda q: index.knn_query(q, k=data.limit, num_threads=1)[0][0])}


def faiss_points(data, repeat):
    """Its HNSW, and its inverted lists with four-bit codes scanned by bytes and exact distances behind."""
    import faiss
    faiss.omp_set_num_threads(1)
    dims, result = data.base.shape[1], {}
    graph = faiss.IndexHNSWFlat(dims, 16)
    graph.hnsw.efConstruction = 64
    lists = faiss.index_factory(dims, "IVF%d,PQ%dx4fs,RFlat" % (max(len(data.base) // 250, 40), dims // 2))
    for index in (graph, lists):
        start = time.process_time()
        index.train(data.base)
        index.add(data.base)
        print("faiss %s: build %.1f s of processor time" % (type(index).__name__, time.process_time() - start), flush=True)
    base = faiss.downcast_index(lists.base_index)

    def choose(knob):
        base.nprobe, lists.k_factor = knob

    knobs = [("nprobe %d, k_factor %d" % k, k) for k in ((4, 4), (8, 4), (12, 4), (16, 4), (16, 8), (24, 8), (32, 8), (48, 8),
                                                         (64, 8), (64, 16), (96, 16))]
    search = lambda index: lambda q: index.search(q, data.limit)[1][0]
    result["faiss HNSW"] = swept("faiss HNSW 16, 64, in memory", data, repeat, [k for k in EFS if k[1] >= data.limit],
                                 lambda ef: setattr(graph.hnsw, "efSearch", ef), search(graph))
    result["faiss IVF"] = swept("faiss IVF, 4-bit fast scan, refined", data, repeat, knobs, choose, search(lists))
    return result


def usearch_points(data, repeat):
    from usearch.index import Index
    result = {}
    for dtype in ("f32", "f16"):
        index = Index(ndim=data.base.shape[1], metric="l2sq", dtype=dtype, connectivity=16, expansion_add=64)
        start = time.process_time()
        index.add(np.arange(len(data.base)), data.base, threads=1)
        print("usearch %s: build %.1f s of processor time" % (dtype, time.process_time() - start), flush=True)
        result["usearch " + dtype] = swept(
            "usearch %s, in memory" % dtype, data, repeat, [k for k in EFS if k[1] >= data.limit],
            lambda ef: setattr(index, "expansion_search", ef), lambda q: index.search(q[0], data.limit, threads=1).keys)
    return result


LIBRARIES = {"hnswlib": hnswlib_points, "faiss": faiss_points, "usearch": usearch_points}


def library_points(name, data, repeat):
    """Points by name; nothing where the package is not there."""
    data.library_queries = [np.ascontiguousarray(q[None, :], dtype=np.float32) for q in data.queries]
    try:
        return LIBRARIES[name](data, repeat)
    except ImportError:
        print("left out: the package %s is not installed" % name, flush=True)
        return {}
