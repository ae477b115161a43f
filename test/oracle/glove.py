# debian: numpy psycopg2
"""If this fails, GloVe's costs or its counts are not the published ones.

Costs: train_glove on records reports the cost of each of ten epochs.  The
same starting values and the same order of records (made by the same code, in
a shared object) are trained here in float64 by the definition of Pennington,
Socher and Manning (EMNLP 2014) with the choices of their program as it is
today: AdaGrad from sums of 1, gradients of vectors clipped to 100 and
multiplied by eta, those of the biases neither.  Each epoch's cost must agree
to 1e-5, relative.

Counts: co-occurrences of the first 10 MB of the Wikipedia text must equal
those of their program `cooccur`, as sets of pairs, to 1e-6.  Its source is
looked for in $EMBED_GLOVE (a directory with its Makefile) and built beside
the temporary files; without it, the counts are compared with numpy's sums on
a part of the text, and a line says so.
"""

import ctypes
import glob
import lzma
import os
import re
import shutil
import subprocess
import sys
import tempfile

import numpy
import psycopg2

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DIMS, EPOCHS, SEED = 30, 10, 4711
X_MAX, ALPHA, ETA = 10.0, 0.75, 0.05
GLOVE = os.environ.get('EMBED_GLOVE')

connection = psycopg2.connect('')
connection.autocommit = True
cursor = connection.cursor()
failures = 0


def check(name, good, detail=''):
    global failures
    failures += not good
    print('%-8s %s %s' % ('ok' if good else 'FAILED', name, detail), flush=True)


def build_shim(place):
    library = os.path.join(place, 'glove_shim.so')
    sources = [os.path.join(TOP, 'test/oracle/lib/glove_shim.c')] + \
        glob.glob(os.path.join(TOP, 'src/encoder/glove/glove_order.c')) + \
        [os.path.join(TOP, 'src/math/random.c')]
    subprocess.run(['cc', '-O2', '-shared', '-fPIC', '-I' + os.path.join(TOP, 'src'), '-o', library] + sources +
                   ['-lm'], check=True)
    return ctypes.CDLL(library)


def prepare(shim, words, pairs, counts):
    """Rows of words and contexts, and the records in their order, of all epochs."""
    stride = (DIMS + 15) // 16 * 16
    width = 2 * stride + 16
    rows = numpy.zeros((2, words, width), dtype=numpy.float32)
    order = numpy.zeros((EPOCHS, len(pairs)), dtype=numpy.int32)
    shim.glove_shim.argtypes = [ctypes.c_int32, ctypes.c_int, ctypes.c_uint64, ctypes.c_int64, ctypes.c_int] + \
        [ctypes.c_void_p] * 3
    shim.glove_shim(words, DIMS, SEED, len(pairs), EPOCHS, pairs.ctypes.data, order.ctypes.data, rows.ctypes.data)
    bias = rows[:, :, 2 * stride].astype(float)
    return rows[:, :, :DIMS].astype(float), bias, order


def reference(shim, words, pairs, counts):
    """The cost of each epoch, in float64."""
    vectors, biases, order = prepare(shim, words, pairs, counts)
    squares, bias_squares = numpy.ones_like(vectors), numpy.ones_like(biases)
    logs = numpy.log(counts)
    weights = numpy.where(counts > X_MAX, 1.0, (counts / X_MAX) ** ALPHA)
    w, c, wg, cg = vectors[0], vectors[1], squares[0], squares[1]
    costs = []
    for epoch in range(EPOCHS):
        cost = 0.0
        for n in order[epoch]:
            i, j = pairs[n]
            difference = w[i] @ c[j] + biases[0, i] + biases[1, j] - logs[n]
            error = weights[n] * difference
            cost += 0.5 * error * difference
            gw = numpy.clip(error * c[j], -100, 100) * ETA
            gc = numpy.clip(error * w[i], -100, 100) * ETA
            w[i] -= gw / numpy.sqrt(wg[i])
            c[j] -= gc / numpy.sqrt(cg[j])
            wg[i] += gw * gw
            cg[j] += gc * gc
            for side, k in ((0, i), (1, j)):
                biases[side, k] -= error / numpy.sqrt(bias_squares[side, k])
                bias_squares[side, k] += error * error
        costs.append(cost / len(counts))
    return costs, w + c


def compare_costs(text, place):
    cursor.execute('CREATE TABLE glove_records AS SELECT * FROM glove_cooccurrences(corpus => %s, window_size => 5)',
                   ("SELECT '%s'::text" % text[:120000],))
    # ids as the training gives them: by the number of rows, then by bytes
    cursor.execute('''SELECT w, row_number() OVER (ORDER BY count(*) DESC, w COLLATE "C") - 1
                      FROM glove_records, unnest(ARRAY[word, context]) w GROUP BY w''')
    ids = dict(cursor.fetchall())
    cursor.execute('SELECT word, context, weight FROM glove_records')
    rows = sorted((ids[a], ids[b], x) for a, b, x in cursor.fetchall())
    pairs = numpy.array([row[:2] for row in rows], dtype=numpy.int32)
    counts = numpy.array([row[2] for row in rows])
    cursor.execute("SET client_min_messages = debug1")
    del connection.notices[:]
    cursor.execute("SELECT train_glove('glove_traced', records => 'TABLE glove_records', dims => %s, epochs => %s, "
                   "x_max => %s, alpha => %s, eta => %s, seed => %s, workers => 1)",
                   (DIMS, EPOCHS, X_MAX, ALPHA, ETA, SEED))
    cursor.execute("SET client_min_messages = warning")
    line = [n for n in connection.notices if 'loss of each epoch' in n][0]
    ours = numpy.array([float(x) for x in re.search(r'epoch:(.*)', line).group(1).split()])
    theirs, vectors = reference(build_shim(place), len(ids), pairs, counts)
    worst = numpy.abs(ours / theirs - 1).max()
    check('cost of %d epochs, %d records of %d words' % (EPOCHS, len(rows), len(ids)), worst <= 1e-5,
          'largest relative difference %.1e, cost %.6f to %.6f' % (worst, theirs[0], theirs[-1]))
    cursor.execute('SELECT word, vector::real[] FROM glove_traced WHERE id > 0')
    worst = max(numpy.abs(numpy.array(v) - vectors[ids[w]]).max() for w, v in cursor.fetchall())
    check('vectors are the sums of both', worst <= 1e-3, 'largest difference %.1e' % worst)


def our_counts(text, window):
    cursor.execute('DROP TABLE IF EXISTS glove_corpus')
    cursor.execute('CREATE TABLE glove_corpus (body text)')
    cursor.execute('INSERT INTO glove_corpus VALUES (%s)', (text,))
    cursor.execute("SELECT word, context, weight FROM glove_cooccurrences(corpus => 'SELECT body FROM glove_corpus', "
                   "config => 'embed_whitespace', window_size => %s)", (window,))
    return {(a, b): x for a, b, x in cursor.fetchall()}


def compare_counts(name, ours, theirs):
    worst = max((abs(ours[pair] / x - 1) for pair, x in theirs.items() if pair in ours), default=1)
    check('%s: the same %d pairs' % (name, len(theirs)), ours.keys() == theirs.keys(), '%d ours' % len(ours))
    check('%s: the same counts' % name, worst <= 1e-6, 'largest relative difference %.1e' % worst)


def numpy_counts(text, window):
    words = text.split()
    kept, numbers, counts = numpy.unique(words, return_inverse=True, return_counts=True)
    numbers = numbers[counts[numbers] >= 5]
    sums = {}
    for d in range(1, window + 1):
        pairs, times = numpy.unique(numbers[:-d] * len(kept) + numbers[d:], return_counts=True)
        for pair, n in zip(pairs, times):
            for key in ((pair // len(kept), pair % len(kept)), (pair % len(kept), pair // len(kept))):
                sums[key] = sums.get(key, 0) + n / d
    return {(str(kept[a]), str(kept[b])): x for (a, b), x in sums.items()}


def stanford_counts(text, window, place):
    source = os.path.join(place, 'glove')
    shutil.copytree(GLOVE, source)
    subprocess.run(['make', '-C', source, '-s'], check=True, stdout=subprocess.DEVNULL)
    path = os.path.join(place, 'text')
    with open(path, 'w') as file:
        file.write(text + '\n')
    programs = os.path.join(source, 'build')
    vocabulary, pairs = os.path.join(place, 'vocabulary'), os.path.join(place, 'pairs')
    subprocess.run('%s/vocab_count -min-count 5 -verbose 0 <%s >%s 2>/dev/null' % (programs, path, vocabulary),
                   shell=True, check=True)
    subprocess.run('cd %s && %s/cooccur -memory 2 -vocab-file %s -window-size %d -verbose 0 <%s >%s 2>/dev/null'
                   % (place, programs, vocabulary, window, path, pairs), shell=True, check=True)
    with open(vocabulary) as file:
        words = [line.split()[0] for line in file]
    records = numpy.fromfile(pairs, dtype=[('a', 'i4'), ('b', 'i4'), ('x', 'f8')])
    return {(words[a - 1], words[b - 1]): x for a, b, x in records.tolist()}


def main():
    path = os.path.join(os.environ.get('EMBED_DATA', '../shared/data'), 'corpora/wiki_text8style_100MB.txt.xz')
    with lzma.open(path, 'rt') as file:
        text = file.read(10000000)
    with tempfile.TemporaryDirectory() as place:
        compare_costs(text, place)
        compare_counts('numpy, 300 kB', our_counts(text[:300000], 15), numpy_counts(text[:300000], 15))
        if GLOVE:
            compare_counts('cooccur, 10 MB', our_counts(text, 15), stanford_counts(text, 15, place))
        else:
            print('skipped  cooccur: EMBED_GLOVE names no directory with the source of GloVe')
    sys.exit(failures != 0)


main()
