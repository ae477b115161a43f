# debian: numpy psycopg2 sklearn
# needs: openTSNE, umap-learn
"""If this fails, places in a plane are not those of scikit-learn's PCA, or a
layout by neighbours keeps fewer of them than openTSNE's and umap-learn's.

PCA: places to 1e-4 of the largest.  Layouts: trustworthiness by
scikit-learn's definition with 5 neighbours, not more than .01 below either, on
Fashion-MNIST's first rows (2,000, with EMBED_LONG 10,000) and word vectors of
length 1."""

import io
import lzma
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib'))
for name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'NUMBA_NUM_THREADS'):
    os.environ[name] = '1'
import imdb
import numpy
import openTSNE
import umap
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness

FASHION = 10000 if os.environ.get('EMBED_LONG') else 2000
data = os.environ.get('EMBED_DATA', '../shared/data')
connection = imdb.connect()
cursor = connection.cursor()
report = imdb.Report()


def fashion():
    with lzma.open(os.path.join(data, 'ann/fashion_train.u8bin.xz')) as file:
        return numpy.frombuffer(file.read(8 + FASHION * 784), numpy.uint8, offset=8).reshape(-1, 784).astype(numpy.float32)


def words():
    with open(os.path.join(data, 'vectors/glove.6B.50d.subset5403.txt'), encoding='utf-8') as file:
        rows = numpy.array([line.split(' ')[1:] for line in file], numpy.float32)
    return rows / numpy.linalg.norm(rows, axis=1, keepdims=True)


def places(table, method):
    cursor.execute("SELECT x, y FROM embed_projection('SELECT id, e FROM %s', '%s') ORDER BY key::int" % (table, method))
    return numpy.array(cursor.fetchall())


cursor.execute('SET embed.progress = off')
cursor.execute("SET maintenance_work_mem = '1GB'")
for name, rows in (('fashion', fashion()), ('words', words())):
    lines = ''.join('%d\t[%s]\n' % (number, ','.join('%.9g' % x for x in row)) for number, row in enumerate(rows))
    cursor.execute('CREATE TABLE %s (id integer, e vector(%d))' % (name, rows.shape[1]))
    cursor.copy_expert('COPY %s FROM STDIN' % name, io.StringIO(lines))
    exact = PCA(2, svd_solver='full').fit_transform(rows.astype(float))
    found = places(name, 'pca')
    found *= numpy.sign((found * exact).sum(axis=0))
    worst = numpy.abs(found - exact).max() / numpy.abs(exact).max()
    report.line(name + ': axes', worst <= 1e-4, 'largest difference %.1e of the largest place' % worst)
    ours = trustworthiness(rows, places(name, 'neighbours'), n_neighbors=5)
    theirs = trustworthiness(rows, numpy.asarray(openTSNE.TSNE(random_state=1, n_jobs=1).fit(rows)), n_neighbors=5)
    umaps = trustworthiness(rows, umap.UMAP(random_state=1, n_jobs=1).fit_transform(rows), n_neighbors=5)
    report.line(name + ': neighbours', ours >= max(theirs, umaps) - .01,
                'trustworthiness %.4f, openTSNE %.4f, umap-learn %.4f' % (ours, theirs, umaps))

report.finish()
