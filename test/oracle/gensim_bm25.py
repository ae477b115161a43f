"""If this fails, document <#> query is not minus the BM25 score of gensim's
models, given the same tokens: IMDB reviews, 50 queries, every document."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib'))
import imdb
import numpy
import scipy.sparse
from gensim.corpora import Dictionary
from gensim.models.bm25model import AtireBM25Model, LuceneBM25Model, OkapiBM25Model

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
query_bags = [dictionary.doc2bow(query.split()) for query in queries]

for variant, theirs in [('lucene', LuceneBM25Model(dictionary=dictionary, k1=1.2, b=0.75)),
                        ('okapi', OkapiBM25Model(dictionary=dictionary, k1=1.5, b=0.5)),
                        ('atire', AtireBM25Model(dictionary=dictionary, k1=0.9, b=0.4))]:
    rows, columns, values = [], [], []
    for row, bag in enumerate(bags):
        for column, value in theirs[bag]:
            rows.append(row)
            columns.append(column)
            values.append(value)
    weights = scipy.sparse.csr_matrix((values, (rows, columns)),
                                      shape=(len(bags), len(dictionary)))
    cursor.execute("DROP TABLE IF EXISTS vectors; CREATE TABLE vectors AS SELECT id, "
                   "bm25_document('m', body, %s, %s, %s) AS document FROM imdb",
                   (float(theirs.k1), float(theirs.b), variant))
    worst = 0
    compared = 0
    for query, bag in zip(queries, query_bags):
        times = numpy.zeros(len(dictionary))
        for column, count in bag:
            times[column] = count
        expected = weights @ times
        cursor.execute("SELECT array_agg(-(document <#> bm25_query('m', %s, %s)) ORDER BY id) "
                       "FROM vectors", (query, variant))
        ours = numpy.array(cursor.fetchone()[0])
        # The sum of float4 products cancels nothing where all are positive.
        scale = numpy.maximum(numpy.abs(expected), 1e-3)
        worst = max(worst, (numpy.abs(ours - expected) / scale).max())
        compared += len(expected)
    report.line(variant, worst <= imdb.TOLERANCE,
                '%d scores, largest relative difference %.1e' % (compared, worst))
report.finish()
