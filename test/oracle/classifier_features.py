# debian: numpy psycopg2 scipy sklearn
"""If this fails, a classifier that is given texts and an encoder has another
accuracy than scikit-learn's LogisticRegression on the vectors of that encoder.

SST-2 (trained on its first 3,000 sentences, judged on its development set) and
IMDB reviews (2,000, judged on 1,000 others); TF-IDF of words and pairs of words,
LSA, word2vec by its mean and by SIF, GloVe.  Accuracies within .2 points."""

import lzma
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib'))
import imdb
import numpy
import scipy.sparse
from sklearn.linear_model import LogisticRegression

data = os.environ.get('EMBED_DATA', '../shared/data')
connection = imdb.connect()
cursor = connection.cursor()
report = imdb.Report()


def sentences(part, most=None):
    path = os.path.join(data, 'classification/sst2/sentiment-' + part)
    with open(path, encoding='utf-8') as file:
        rows = [line.rstrip('\n').rsplit('\t', 1) for line in file if '\t' in line]
    return [(text, label.strip()) for text, label in rows[:most]]


def reviews():
    with lzma.open(os.path.join(data, 'corpora/imdb_train.copy.tsv.xz'), 'rb') as file:
        rows = [line.split(b'\t') for line in file.read().split(b'\n')[:-1]]
    # the file has one label after the other
    order = numpy.random.RandomState(20261129).permutation(len(rows))[:3000]
    return [(rows[n][4].decode(), rows[n][1].decode()) for n in order]


def fill(name, rows, trained):
    cursor.execute('CREATE TABLE %s (id integer PRIMARY KEY, body text, label text, trained boolean)' % name)
    cursor.execute('INSERT INTO ' + name + ' SELECT n, b, l, n < %s FROM unnest(%s::int[], %s::text[], %s::text[]) AS v (n, b, l)',
                   (trained, list(range(len(rows))), [row[0] for row in rows], [row[1] for row in rows]))


def matrix(name, expression):
    """Vectors of a table; rows of texts without a known word are zero."""
    cursor.execute('SELECT (%s)::text FROM %s ORDER BY id' % (expression, name))
    texts = [row[0] for row in cursor.fetchall()]
    if any(text and text.startswith('{') for text in texts):
        starts, keys, values, dims = [0], [], [], 1
        for text in texts:
            elements, dims = text[1:].split('}/')
            pairs = [pair.split(':') for pair in elements.split(',') if pair]
            keys += [int(key) - 1 for key, _ in pairs]
            values += [float(value) for _, value in pairs]
            starts.append(len(keys))
        return scipy.sparse.csr_matrix((values, keys, starts), shape=(len(texts), int(dims)))
    dims = max(text.count(',') + 1 for text in texts if text)
    return numpy.array([[float(x) for x in text[1:-1].split(',')] if text else [0.0] * dims for text in texts])


def compare(name, what, encoder, features):
    cursor.execute("SELECT train_classifier('judge', 'SELECT body, label FROM %s WHERE trained', encoder => '%s', features => '%s', "
                   "replace => to_regclass('judge') IS NOT NULL)" % (name, encoder, features))
    cursor.execute("SELECT f1 FROM evaluate_classifier('judge', 'SELECT body, label FROM %s WHERE NOT trained') "
                   "WHERE label = '(accuracy)'" % name)
    ours = cursor.fetchone()[0]
    cursor.execute('SELECT label, trained FROM %s ORDER BY id' % name)
    rows = cursor.fetchall()
    labels, trained = numpy.array([row[0] for row in rows]), numpy.array([row[1] for row in rows])
    vectors = matrix(name, "%s('%s', body)" % (features, encoder))
    theirs = LogisticRegression(tol=1e-8, max_iter=5000).fit(vectors[trained], labels[trained]).score(
        vectors[~trained], labels[~trained])
    report.line('%s, %s' % (name, what), abs(ours - theirs) <= 0.002, 'accuracy %.4f, theirs %.4f' % (ours, theirs))


cursor.execute('SET embed.progress = off')
train, judged = sentences('train', 3000), sentences('dev')
for name, rows, trained in (('sst', train + judged, len(train)), ('imdb', reviews(), 2000)):
    fill(name, rows, trained)
    corpus = "SELECT body FROM %s WHERE trained" % name
    cursor.execute('SELECT train_vocabulary(%s, %s, max_ngram => 2, max_terms => 20000)', (name + '_pairs', corpus))
    cursor.execute('SELECT train_vocabulary(%s, %s)', (name + '_words', corpus))
    cursor.execute('SELECT train_lsa(%s, %s, %s, dims => 100, seed => 1)', (name + '_lsa', name + '_words', corpus))
    cursor.execute('SELECT train_word2vec(%s, %s, dims => 50, min_count => 2, epochs => 20, seed => 1, workers => 1)', (name + '_w2v', corpus))
    cursor.execute('SELECT train_glove(%s, %s, dims => 50, min_count => 2, epochs => 25, seed => 1, workers => 1)',
                   (name + '_glove', corpus))
    compare(name, 'TF-IDF of words and pairs', name + '_pairs', 'tfidf')
    compare(name, 'LSA', name + '_lsa', 'embed')
    compare(name, 'word2vec', name + '_w2v', 'embed')
    cursor.execute("SELECT set_model_option(%s, 'pooling', 'sif')", (name + '_w2v',))
    compare(name, 'word2vec, SIF', name + '_w2v', 'embed')
    compare(name, 'GloVe', name + '_glove', 'embed')
report.finish()
