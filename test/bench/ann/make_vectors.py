"""Make the vector sets of the benchmark, once, in a directory outside the tree.

usage: make_vectors.py SOURCE_DIRECTORY CACHE_DIRECTORY

SOURCE_DIRECTORY holds corpora/wiki_text8style_100MB.txt.xz and ann/fashion_*.
Three sets are written as NAME_base.npy and NAME_query.npy (float32):

fashion784   Fashion-MNIST pixels, 60,000 rows, 1,000 queries of its test set
wiki128      English Wikipedia: word2vec (CBOW, 128 dims), SIF-weighted means
             of windows of 40 words, mean and first principal component
             removed, unit length; 400,000 rows
text768      the same with 768 dims and windows of 48 words, 100,000 rows,
             then the principal components are rescaled to standard deviation
             1/(i + 5): vectors of a model trained on so little text lie in
             some 50 dimensions, those of transformers do not.  A hard set.
"""
import lzma
import os
import sys

import numpy as np

QUERIES = 1000


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


def main():
    source, cache = sys.argv[1:3]
    os.makedirs(cache, exist_ok=True)
    have = lambda name: os.path.exists(os.path.join(cache, name + "_query.npy"))
    if not have("fashion784"):
        fashion(source, cache)
    if have("wiki128") and have("text768"):
        return
    with lzma.open(os.path.join(source, "corpora", "wiki_text8style_100MB.txt.xz"), "rt") as f:
        words = f.read().split()
    if not have("wiki128"):
        passages(words, 128, 40, 400000, 2, False, cache, "wiki128")
    if not have("text768"):
        passages(words, 768, 48, 100000, 1, True, cache, "text768")


if __name__ == "__main__":
    main()
