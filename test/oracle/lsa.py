# debian: numpy psycopg2 scipy sklearn
"""If this fails, an LSA model is not the truncated singular value
decomposition of the TF-IDF matrix.

IMDB reviews, terms by the same vocabulary; the matrix is what tfidf() gives,
decomposed by scipy's svds to 1e-10.  Singular values must agree to 1e-3, the
first ten axes to an angle of 1e-3 where the gap to the next value is 1 % or
more, the energy must not be below that of scikit-learn's TruncatedSVD, and
embed() must be the product with the axes of the table.  Log-entropy weights
are those of gensim's formula, computed here from counts."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib'))
import imdb
import numpy
from scipy.sparse.linalg import svds
from sklearn.decomposition import TruncatedSVD

DIMS = 50
connection = imdb.connect()
cursor = connection.cursor()
report = imdb.Report()


def table(model):
    """Singular values, and the axes by the vocabulary's ids."""
    cursor.execute('SELECT id, vector::real[], weight FROM %s ORDER BY id' % model)
    rows = cursor.fetchall()
    return numpy.array(rows[0][1]), numpy.array([row[1] for row in rows[1:]]), numpy.array([row[2] for row in rows[1:]]), \
        [row[0] - 1 for row in rows[1:]]


def compare(name, model, matrix):
    values, axes, _, columns = table(model)
    matrix = matrix[:, columns]
    _, exact, vectors = svds(matrix, k=DIMS + 1, tol=1e-10, random_state=0)
    order = numpy.argsort(-exact)
    exact, vectors = exact[order], vectors[order]
    worst = numpy.abs(values / exact[:DIMS] - 1).max()
    report.line(name + ': singular values', worst <= 1e-3, 'largest relative difference %.1e' % worst)
    gaps = numpy.abs(numpy.diff(exact)) / exact[:-1]
    clear = [i for i in range(10) if gaps[i] > 0.01 and (i == 0 or gaps[i - 1] > 0.01)]
    angles = [numpy.linalg.norm(axes[:, i] - vectors[i] * numpy.sign(axes[:, i] @ vectors[i])) for i in clear]
    report.line(name + ': axes', max(angles) <= 1e-3, '%d of the first ten, largest angle %.1e' % (len(angles), max(angles)))
    rival = TruncatedSVD(DIMS, random_state=0).fit(matrix)
    energy, theirs = (values ** 2).sum(), (rival.singular_values_ ** 2).sum()
    report.line(name + ': energy', energy >= theirs, '%.6f of the exact, TruncatedSVD %.6f'
                % (energy / (exact[:DIMS] ** 2).sum(), theirs / (exact[:DIMS] ** 2).sum()))
    folded = matrix @ axes
    cursor.execute("SELECT embed('%s', body)::real[] FROM imdb ORDER BY id LIMIT 500" % model)
    ours = numpy.array([row[0] for row in cursor.fetchall()])
    worst = numpy.abs(ours - folded[:500]).max()
    report.line(name + ': folded texts', worst <= 1e-5, 'largest difference %.1e' % worst)


imdb.load(connection, 4000)
cursor.execute('SET embed.progress = off')
cursor.execute("SELECT train_vocabulary('words', 'SELECT body FROM imdb', max_terms => 6000)")
cursor.execute("SELECT train_lsa('lsa_tfidf', 'words', 'SELECT body FROM imdb', dims => %d, seed => 1)" % DIMS)
compare('tfidf', 'lsa_tfidf', imdb.vectors(connection, "tfidf('words', body)"))

cursor.execute("SELECT train_lsa('lsa_entropy', 'words', 'SELECT body FROM imdb', dims => %d, seed => 1, "
               "weighting => 'log_entropy')" % DIMS)
counts = imdb.vectors(connection, "count_vector('words', body)")
shares = counts.multiply(1 / numpy.maximum(counts.sum(axis=0), 1)).tocsr()
shares.data = shares.data * numpy.log(shares.data)
entropy = 1 + numpy.asarray(shares.sum(axis=0)).ravel() / numpy.log(counts.shape[0] + 1)
_, _, weights, columns = table('lsa_entropy')
worst = numpy.abs(weights - entropy[columns]).max()
report.line('log_entropy: weights', worst <= 1e-9, 'largest difference %.1e' % worst)
local = counts.copy()
local.data = numpy.log2(local.data + 1)
local = local.multiply(entropy).tocsr()
local = local.multiply(1 / numpy.sqrt(local.multiply(local).sum(axis=1))).tocsr()
compare('log_entropy', 'lsa_entropy', local)
report.finish()
