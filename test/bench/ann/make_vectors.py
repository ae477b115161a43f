"""Make the vector sets of the benchmark, once, in a directory outside the tree.

usage: make_vectors.py SOURCE_DIRECTORY CACHE_DIRECTORY [SET...]

SOURCE_DIRECTORY holds corpora/wiki_text8style_100MB.txt.xz and ann/fashion_*.
Sets are written as NAME_base.npy and NAME_query.npy (float32); without names
the first three are made:

fashion784   Fashion-MNIST pixels, 60,000 rows, 1,000 queries of its test set
wiki128      English Wikipedia: word2vec (CBOW, 128 dims), SIF-weighted means
             of windows of 40 words, mean and first principal component
             removed, unit length; 400,000 rows
text768      the same with 768 dims and windows of 48 words, 100,000 rows,
             then the principal components are rescaled to standard deviation
             1/(i + 5): vectors of a model trained on so little text lie in
             some 50 dimensions, those of transformers do not.  A hard set.
wiki128m     wiki128 with 1,000,000 rows, whose windows overlap: to see how
             things grow
minilm384    100,000 passages of 32 words of Wikipedia by all-MiniLM-L6-v2, whose
             weights a package of the registry carries, by embed itself in int8:
             wants a server, as psql finds it, in a database with the extension
text1536, text3072
             50,000 rows of text768 under a random linear map, which keeps
             distances to some 3 %: to see what dimensions cost
"""
import lzma
import os
import sys

import numpy as np

QUERIES = 1000
FOLDER = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt", "modules.json",
          "sentence_bert_config.json", "1_Pooling/config.json", "config_sentence_transformers.json")


def fashion(source, cache):
    def read(name):
        with lzma.open(os.path.join(source, "ann", name)) as f:
            rows, dims = np.frombuffer(f.read(8), dtype="<i4")
            return np.frombuffer(f.read(), dtype=np.uint8).reshape(rows, dims).astype(np.float32)
    np.save(os.path.join(cache, "fashion784_base.npy"), read("fashion_train.u8bin.xz"))
    np.save(os.path.join(cache, "fashion784_query.npy"), read("fashion_test.u8bin.xz")[:QUERIES])


def passages(words, dims, window, rows, epochs, whiten, cache, name):
    from gensim.models import Word2Vec
    sentences = [words[i:i + 1000] for i in range(0, len(words), 1000)]
    model = Word2Vec(sentences, vector_size=dims, window=5, min_count=10, sg=0, negative=5,
                     workers=2, epochs=epochs, seed=1)
    table = model.wv.key_to_index
    count = np.array([model.wv.get_vecattr(w, "count") for w in model.wv.index_to_key], dtype=np.float64)
    weight = (1e-3 / (1e-3 + count / count.sum())).astype(np.float32)
    ids = np.array([table.get(w, -1) for w in words], dtype=np.int64)
    total = rows + QUERIES
    step = min(window, (len(ids) - window) // total)
    vectors = model.wv.vectors * weight[:, None]
    result = np.zeros((total, dims), dtype=np.float32)
    for i in range(total):
        part = ids[i * step:i * step + window]
        known = part[part >= 0]
        result[i] = vectors[known].mean(axis=0) if len(known) else vectors[:1000].mean(axis=0)
    result -= result.mean(axis=0)
    _, basis = np.linalg.eigh(np.cov(result[::7].T))
    basis = np.ascontiguousarray(basis[:, ::-1].astype(np.float32))
    if whiten:
        scores = result @ basis
        scores /= scores.std(axis=0)
        scores /= (np.arange(dims) + 5)
        result = scores @ basis.T
    else:
        result -= (result @ basis[:, :1]) @ basis[:, :1].T
    result /= np.linalg.norm(result, axis=1, keepdims=True)
    order = np.random.default_rng(1).permutation(total)
    result = result[order].astype(np.float32)
    np.save(os.path.join(cache, name + "_base.npy"), result[:rows])
    np.save(os.path.join(cache, name + "_query.npy"), result[rows:])


def sentences(words, rows, cache, name):
    """By embed_array() in a model of its own, which goes again."""
    import psycopg2
    top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    sys.path.insert(0, os.path.join(top, "test", "oracle", "lib"))
    import published_models
    folder = published_models.minilm()
    if folder is None:
        sys.exit("minilm384 needs the weights")
    connection = psycopg2.connect("")
    cursor = connection.cursor()
    files = {f: open(os.path.join(folder, f), "rb").read() for f in FOLDER if os.path.exists(os.path.join(folder, f))}
    cursor.execute("CREATE TEMP TABLE folder (name text, body bytea)")
    for item in files.items():
        cursor.execute("INSERT INTO folder VALUES (%s, %s)", item)
    cursor.execute("SELECT import_model('bench_minilm', files => 'SELECT name, body FROM folder', \"precision\" => 'int8')")
    total, batch = rows + QUERIES, 250
    texts = [" ".join(words[i * 32:(i + 1) * 32]) for i in np.random.default_rng(1).permutation(len(words) // 32)[:total]]
    result = np.zeros((total, 384), dtype=np.float32)
    for i in range(0, total, batch):
        cursor.execute("SELECT embedding::real[] FROM unnest(embed_array('bench_minilm', %s)) WITH ORDINALITY AS e (embedding, n) "
                       "ORDER BY n", (texts[i:i + batch],))
        result[i:i + batch] = [row[0] for row in cursor.fetchall()]
        if i % 10000 == 0:
            print("%s: %d of %d" % (name, i, total), flush=True)
    connection.rollback()
    np.save(os.path.join(cache, name + "_base.npy"), result[:rows])
    np.save(os.path.join(cache, name + "_query.npy"), result[rows:])


def mapped(dims, cache, name):
    rng = np.random.default_rng(dims)
    matrix = (rng.standard_normal((768, dims)) / np.sqrt(dims)).astype(np.float32)
    for part, rows in (("base", 50000), ("query", QUERIES)):
        vectors = np.load(os.path.join(cache, "text768_%s.npy" % part))[:rows] @ matrix
        np.save(os.path.join(cache, "%s_%s.npy" % (name, part)), vectors)


def main():
    source, cache = sys.argv[1:3]
    wanted = sys.argv[3:] or ["fashion784", "wiki128", "text768"]
    os.makedirs(cache, exist_ok=True)
    wanted = [name for name in wanted if not os.path.exists(os.path.join(cache, name + "_query.npy"))]
    if "fashion784" in wanted:
        fashion(source, cache)
    if {"wiki128", "wiki128m", "text768", "minilm384"} & set(wanted):
        with lzma.open(os.path.join(source, "corpora", "wiki_text8style_100MB.txt.xz"), "rt") as f:
            words = f.read().split()
    if "wiki128" in wanted:
        passages(words, 128, 40, 400000, 2, False, cache, "wiki128")
    if "wiki128m" in wanted:
        passages(words, 128, 40, 1000000, 2, False, cache, "wiki128m")
    if "text768" in wanted:
        passages(words, 768, 48, 100000, 1, True, cache, "text768")
    if "minilm384" in wanted:
        sentences(words, 100000, cache, "minilm384")
    for dims in (1536, 3072):
        if "text%d" % dims in wanted:
            mapped(dims, cache, "text%d" % dims)


if __name__ == "__main__":
    main()
