# debian: numpy psycopg2 scipy sklearn
"""If this fails, a classifier's weights are not those of scikit-learn's
LogisticRegression on the same vectors, at tight tolerance, to 1e-3 of the
largest weight; or the accuracy on reviews kept aside differs by more than .2
points.  TF-IDF of IMDB reviews, two labels, several c, balanced weights; their
ten ratings as labels, by softmax, one against the rest and the nearest mean;
several labels a review."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib'))
import lzma

import imdb
import numpy
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import NearestCentroid
from sklearn.preprocessing import MultiLabelBinarizer

REVIEWS, TRAINED = 3000, 2000
connection = imdb.connect()
cursor = connection.cursor()
report = imdb.Report()


def labels():
    path = os.path.join(os.environ.get('EMBED_DATA', '../shared/data'), 'corpora/imdb_train.copy.tsv.xz')
    with lzma.open(path, 'rb') as file:
        rows = [line.split(b'\t') for line in file.read().split(b'\n')[:-1]]
    # the file has one label after the other: every eighth review has both
    return numpy.array([row[1].decode() for row in rows]), numpy.array([row[3].decode() for row in rows])


def ours(name, column, dims, options):
    cursor.execute("SELECT train_classifier('%s', 'SELECT tfidf(''words'', body), %s FROM imdb JOIN truth USING (id) "
                   "WHERE id %% 3 < 2 AND id %% 8 = 0', replace => to_regclass('%s') IS NOT NULL%s)"
                   % (name, column, name, options))
    cursor.execute("SELECT label, bias, weights FROM %s WHERE id > 0 ORDER BY id" % name)
    rows = cursor.fetchall()
    return [row[0] for row in rows], numpy.array([row[1] for row in rows]), numpy.array([row[2] for row in rows])


def compare(name, column, truth, options, model):
    names, biases, weights = ours('judge', column, matrix.shape[1], options)
    theirs = model.fit(matrix[trained], truth[chosen][trained])
    if hasattr(theirs, 'estimators_'):
        coefficients = numpy.vstack([e.coef_ for e in theirs.estimators_])
        intercepts = numpy.hstack([e.intercept_ for e in theirs.estimators_])
    else:
        coefficients, intercepts = theirs.coef_, theirs.intercept_
    if len(names) == 2:
        weights, biases = weights[1:], biases[1:]
    elif not hasattr(theirs, 'estimators_'):
        biases, intercepts = biases - biases.mean(), intercepts - intercepts.mean()
    worst = numpy.abs(weights - coefficients).max() / numpy.abs(coefficients).max()
    report.line(name + ': weights', worst <= 1e-3 and names == list(theirs.classes_),
                '%d x %d, largest difference %.1e of the largest' % (coefficients.shape + (worst,)))
    worst = numpy.abs(biases - intercepts).max() / max(1, numpy.abs(intercepts).max())
    report.line(name + ': biases', worst <= 1e-3, 'largest difference %.1e' % worst)
    cursor.execute("SELECT f1 FROM evaluate_classifier('judge', 'SELECT tfidf(''words'', body), %s FROM imdb JOIN truth "
                   "USING (id) WHERE id %% 3 = 2 AND id %% 8 = 0') WHERE label = '(accuracy)'" % column)
    accuracy = cursor.fetchone()[0]
    rival = theirs.score(matrix[~trained], truth[chosen][~trained])
    report.line(name + ': accuracy', abs(accuracy - rival) <= 0.002, '%.4f, theirs %.4f' % (accuracy, rival))


imdb.load(connection)
mood, rating = labels()
cursor.execute('SET embed.progress = off')
cursor.execute('CREATE TABLE truth (id integer PRIMARY KEY, mood text, rating text)')
cursor.execute('INSERT INTO truth SELECT * FROM unnest(%s::int[], %s::text[], %s::text[])',
               (list(range(len(mood))), list(mood), list(rating)))
cursor.execute('DELETE FROM imdb WHERE id %% 8 <> 0' % ())
cursor.execute("SELECT train_vocabulary('words', 'SELECT body FROM imdb', max_terms => 5000)")
chosen = numpy.arange(0, len(mood), 8)
trained = chosen % 3 < 2
matrix = imdb.vectors(connection, "tfidf('words', body)")
tight = {'tol': 1e-8, 'max_iter': 5000}
compare('c 1', 'mood', mood, '', LogisticRegression(**tight))
compare('c 0.01', 'mood', mood, ', c => 0.01', LogisticRegression(C=0.01, **tight))
compare('c 30', 'mood', mood, ', c => 30', LogisticRegression(C=30, **tight))
compare('balanced', 'mood', mood, ", class_weight => 'balanced'", LogisticRegression(class_weight='balanced', **tight))
compare('ratings', 'rating', rating, '', LogisticRegression(**tight))
compare('ratings, one against the rest', 'rating', rating, ", multi_class => 'one_vs_rest'",
        OneVsRestClassifier(LogisticRegression(**tight)))

# the nearest mean: scikit-learn's NearestCentroid gives the same labels
cursor.execute("SELECT train_classifier('nearest', 'SELECT tfidf(''words'', body), rating FROM imdb JOIN truth USING (id) "
               "WHERE id % 3 < 2', multi_class => 'nearest')")
cursor.execute("SELECT classify('nearest', tfidf('words', body)) FROM imdb WHERE id % 3 = 2 ORDER BY id")
given = numpy.array([row[0] for row in cursor.fetchall()])
theirs = NearestCentroid().fit(matrix[trained], rating[chosen][trained]).predict(matrix[~trained])
report.line('nearest: labels', (given == theirs).mean() > 0.999, '%d of %d differ' % ((given != theirs).sum(), len(given)))

# several labels: the mood, and whether the rating is extreme
many = [[m] + (['extreme'] if r in ('1', '10') else []) for m, r in zip(mood[chosen], rating[chosen])]
cursor.execute("SELECT train_classifier('many', 'SELECT tfidf(''words'', body), ARRAY[mood] || CASE WHEN rating IN (''1'', ''10'') "
               "THEN ''{extreme}''::text[] ELSE ''{}'' END FROM imdb JOIN truth USING (id) WHERE id % 3 < 2')")
binarizer = MultiLabelBinarizer().fit(many)
rival = OneVsRestClassifier(LogisticRegression(**tight)).fit(matrix[trained], binarizer.transform(many)[trained])
cursor.execute('SELECT label, bias, weights FROM many WHERE id > 0 ORDER BY id')
rows = cursor.fetchall()
coefficients = numpy.vstack([estimator.coef_ for estimator in rival.estimators_])
worst = numpy.abs(numpy.array([row[2] for row in rows]) - coefficients).max() / numpy.abs(coefficients).max()
report.line('several labels: weights', [row[0] for row in rows] == list(binarizer.classes_) and worst <= 1e-3,
            'largest difference %.1e of the largest' % worst)
cursor.execute("SELECT recall FROM evaluate_classifier('many', 'SELECT tfidf(''words'', body), ARRAY[mood] || CASE WHEN rating IN (''1'', ''10'') "
               "THEN ''{extreme}''::text[] ELSE ''{}'' END FROM imdb JOIN truth USING (id) WHERE id % 3 = 2') WHERE label = '(accuracy)'")
accuracy, subset = cursor.fetchone()[0], rival.score(matrix[~trained], binarizer.transform(many)[~trained])
report.line('several labels: accuracy', abs(accuracy - subset) <= 0.002, '%.4f, theirs %.4f' % (accuracy, subset))

# the same folds: each label's examples dealt in turn
folds = numpy.empty(len(chosen), int)
for label in set(mood):
    places = numpy.flatnonzero(mood[chosen] == label)
    folds[places] = numpy.arange(len(places)) % 4
cursor.execute("SELECT accuracy FROM cross_validate('SELECT tfidf(''words'', body), mood FROM imdb JOIN truth USING (id) "
               "ORDER BY id', folds => 4) ORDER BY fold")
accuracies = numpy.array([row[0] for row in cursor.fetchall()])
rivals = numpy.array([LogisticRegression(**tight).fit(matrix[folds != f], mood[chosen][folds != f]).score(
    matrix[folds == f], mood[chosen][folds == f]) for f in range(4)])
report.line('cross_validate: accuracies', numpy.abs(accuracies - rivals).max() <= 0.002, '%s, theirs %s' % (
    accuracies.round(4), rivals.round(4)))
report.finish()
