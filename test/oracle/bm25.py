# debian: gensim numpy psycopg2 scipy
"""If this fails, document <#> query is not minus the BM25 score: IMDB reviews,
50 queries, every document.

Against the formulas of src/encoder/vocabulary/bm25_formula.c written out with
numpy, all variants; and against gensim's three models, given the same tokens,
where gensim is new enough to have them (4.3, in Debian 13)."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib'))
import imdb
import numpy
import scipy.sparse
from gensim.corpora import Dictionary

connection = imdb.connect()
texts = imdb.load(connection, 5000)
report = imdb.Report()
cursor = connection.cursor()
cursor.execute("SELECT train_vocabulary('m', 'SELECT body FROM imdb')")

documents = [re.findall(r'\w+', text.lower()) for text in texts]
dictionary = Dictionary(documents)
bags = [dictionary.doc2bow(document) for document in documents]
report.same_terms('terms', imdb.vocabulary(connection, 'm'), dictionary.token2id)

queries = [' '.join(document[7:7 + length]) for length in (1, 3, 10, 40, 200)
           for document in documents[100 * length:100 * length + 10]]


def matrix(bags):
    rows = [row for row, bag in enumerate(bags) for _ in bag]
    columns = [column for bag in bags for column, _ in bag]
    values = [value for bag in bags for _, value in bag]
    return scipy.sparse.csr_matrix((values, (rows, columns)), dtype=float,
                                   shape=(len(bags), len(dictionary)))


times = matrix([dictionary.doc2bow(query.split()) for query in queries])
counts = matrix(bags)


def formula(variant, k1, b):
    """Scores of all documents (rows) for all queries (columns)."""
    total = counts.shape[0]
    having = (counts > 0).sum(axis=0).A1
    odds = numpy.log((total - having + 0.5) / (having + 0.5))
    length = counts.sum(axis=1).A1
    norm = numpy.repeat(1 - b + b * length / length.mean(), numpy.diff(counts.indptr))
    c = counts.data
    idf = {'lucene': numpy.log(1 + (total - having + 0.5) / (having + 0.5)),
           'robertson': numpy.maximum(odds, 0),
           'okapi': numpy.where(odds < 0, 0.25 * odds.mean(), odds),
           'atire': numpy.log(total / having),
           'bm25l': numpy.log((total + 1) / (having + 0.5)),
           'lv_zhai': numpy.log((total + 1) / (having + 0.5)),
           'bm25plus': numpy.log((total + 1) / having)}[variant]
    absent = (k1 + 1) * 0.5 / (k1 + 0.5) if variant == 'bm25l' else 0
    tf = {'lucene': c / (c + k1 * norm),
          'robertson': c / (c + k1 * norm),
          'okapi': c * (k1 + 1) / (c + k1 * norm),
          'atire': c * (k1 + 1) / (c + k1 * norm),
          'bm25l': (k1 + 1) * (c / norm + 0.5) / (k1 + c / norm + 0.5) - absent,
          'lv_zhai': (k1 + 1) * (c / norm + 0.5) / (k1 + c / norm + 0.5),
          'bm25plus': c * (k1 + 1) / (c + k1 * norm) + 1}[variant]
    weights = scipy.sparse.csr_matrix((tf, counts.indices, counts.indptr), counts.shape)
    query = times.multiply(idf).tocsr()
    return (weights @ query.T).toarray() + absent * query.sum(axis=1).A1


def compare(name, variant, k1, b, expected):
    cursor.execute("DROP TABLE IF EXISTS vectors; CREATE TABLE vectors AS SELECT id, "
                   "bm25_document('m', body, %s, %s, %s) AS document FROM imdb", (k1, b, variant))
    worst = 0
    for number, query in enumerate(queries):
        cursor.execute("SELECT array_agg(-(document <#> bm25_query('m', %s, %s)) ORDER BY id) "
                       "FROM vectors", (query, variant))
        ours = numpy.array(cursor.fetchone()[0])
        theirs = expected[:, number]
        # Products of either sign may cancel, so the scale is the largest score.
        scale = numpy.maximum(numpy.abs(theirs), numpy.abs(theirs).max() if variant == 'okapi' else 0)
        error = numpy.abs(ours - theirs)
        worst = max(worst, (error[scale > 0] / scale[scale > 0]).max(initial=0),
                    numpy.inf if error[scale == 0].any() else 0)
    report.line(name, worst <= imdb.TOLERANCE,
                '%d scores, largest relative difference %.1e' % (expected.size, worst))


for variant, k1, b in [('lucene', 1.2, 0.75), ('robertson', 1.5, 0.75), ('okapi', 1.5, 0.5),
                       ('atire', 0.9, 0.4), ('bm25l', 1.2, 0.75), ('lv_zhai', 1.2, 0.75), ('bm25plus', 2.0, 1.0)]:
    compare('%s, formula' % variant, variant, k1, b, formula(variant, k1, b))

try:
    from gensim.models.bm25model import AtireBM25Model, LuceneBM25Model, OkapiBM25Model
except ImportError:
    import gensim
    print('skipped: gensim %s has no BM25 models' % gensim.__version__)
    report.finish()
for variant, model in [('lucene', LuceneBM25Model(dictionary=dictionary, k1=1.2, b=0.75)),
                       ('okapi', OkapiBM25Model(dictionary=dictionary, k1=1.5, b=0.5)),
                       ('atire', AtireBM25Model(dictionary=dictionary, k1=0.9, b=0.4))]:
    weights = matrix([model[bag] for bag in bags])
    compare('%s, gensim' % variant, variant, float(model.k1), float(model.b),
            (weights @ times.T).toarray())
report.finish()
