# debian: numpy psycopg2 scipy sklearn
"""If this fails, cluster_texts finds worse clusters than scikit-learn's KMeans
on the same rows of length 1, or the number it chooses has not the best
silhouette.

Inertia is that of the clusters' means; of KMeans the best of five starts.  Ours
may be 1 % above.  TF-IDF of IMDB reviews, word vectors, and made clusters."""

import io
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib'))
import imdb
import numpy
import scipy.sparse
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

REVIEWS = 3000
data = os.environ.get('EMBED_DATA', '../shared/data')
connection = imdb.connect()
cursor = connection.cursor()
report = imdb.Report()


def clusters(query, options):
    cursor.execute('SELECT cluster FROM cluster_texts(%s' + options + ') ORDER BY key::int', (query,))
    return numpy.array([row[0] for row in cursor.fetchall()])


def inertia(rows, labels):
    """What the rows lack of their clusters' means, squared."""
    total = rows.multiply(rows).sum() if scipy.sparse.issparse(rows) else (rows ** 2).sum()
    for label in numpy.unique(labels):
        members = rows[labels == label]
        total -= (numpy.asarray(members.sum(axis=0)) ** 2).sum() / members.shape[0]
    return total


def compare(name, query, rows, count):
    labels = clusters(query, ', %d' % count)
    ours = inertia(rows, labels)
    theirs = KMeans(count, n_init=5, random_state=0).fit(rows).inertia_
    report.line('%s, %d clusters' % (name, count), len(numpy.unique(labels)) == count and ours <= 1.01 * theirs,
                'inertia %.2f, KMeans %.2f (%.3f)' % (ours, theirs, ours / theirs))


cursor.execute('SET embed.progress = off')
cursor.execute("SET maintenance_work_mem = '1GB'")
imdb.load(connection, REVIEWS)
cursor.execute("SELECT train_vocabulary('words', 'SELECT body FROM imdb', max_terms => 5000, max_share => 0.5)")
reviews = imdb.vectors(connection, "tfidf('words', body)")
for count in (5, 20):
    compare('reviews', "SELECT id, tfidf('words', body) FROM imdb", reviews, count)
same = (clusters('SELECT id, body FROM imdb', ", 5, 'words'") == clusters("SELECT id, tfidf('words', body) FROM imdb", ', 5')).all()
report.line('reviews by their vocabulary', same, 'as by tfidf()')

with open(os.path.join(data, 'vectors/glove.6B.50d.subset5403.txt'), encoding='utf-8') as file:
    words = numpy.array([line.split(' ')[1:] for line in file], numpy.float32)
words /= numpy.linalg.norm(words, axis=1, keepdims=True)
random = numpy.random.RandomState(20261129)
middle = random.normal(size=(7, 24))
made = (middle[numpy.arange(700) % 7] + 0.3 * random.normal(size=(700, 24))).astype(numpy.float32)
made /= numpy.linalg.norm(made, axis=1, keepdims=True)
for name, rows, counts in (('glove', words, (8, 50)), ('made', made, (7, 12))):
    lines = ''.join('%d\t[%s]\n' % (number, ','.join('%.9g' % x for x in row)) for number, row in enumerate(rows))
    cursor.execute('CREATE TABLE %s (id integer, e vector(%d))' % (name, rows.shape[1]))
    cursor.copy_expert('COPY %s FROM STDIN' % name, io.StringIO(lines))
    for count in counts:
        compare(name, 'SELECT id, e FROM ' + name, rows, count)
labels = clusters('SELECT id, e FROM made', '')
best = max(silhouette_score(made, KMeans(count, n_init=3, random_state=0).fit_predict(made), metric='cosine')
           for count in range(2, 15))
found = silhouette_score(made, labels, metric='cosine')
report.line('number of clusters', len(numpy.unique(labels)) == 7 and found >= best - 1e-3,
            '%d, silhouette %.4f, KMeans %.4f' % (len(numpy.unique(labels)), found, best))
report.finish()
