# debian: numpy psycopg2
# needs: model2vec, tokenizers, safetensors
"""If this fails, the vectors of a static model are not those of model2vec.

The published test model of model2vec (EMBED_DATA) and its published outputs;
then models made here at random of each layout (float32, float16, int8, with
weights, with a mapping, normalized or not, other lengths) on the same
tokenizer, against model2vec's own code on IMDB reviews, texts of many scripts
and empty ones: 1e-6 for float32 and int8; float16 within what model2vec
rounds its results to.  Then the real weights of two packages, against
model2vec's and wordllama's own code; what cannot be had is said."""

import json
import lzma
import os
import random
import shutil
import sys
import tempfile
import types

import numpy
import psycopg2
import model2vec
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib'))
import registry

data = os.environ.get('EMBED_DATA', '../shared/data')
folder = os.path.join(data, 'models/model2vec/test-model-float32')
if not os.path.isdir(folder):
    print('the test model of model2vec is missing in %s' % data)
    sys.exit(77)
seed = int(os.environ.get('EMBED_SEED', random.randrange(10 ** 9)))
print('seed', seed)
random.seed(seed)
numpy.random.seed(seed % 2 ** 32)
connection = psycopg2.connect('')
connection.autocommit = True
cursor = connection.cursor()
cursor.execute('SET client_min_messages = warning')
failures = 0


def check(name, good, detail=''):
    global failures
    failures += not good
    print('%-8s %s %s' % ('ok' if good else 'FAILED', name, detail), flush=True)


def import_folder(name, path, precision='float32'):
    """Through a query, as a client without access to the server's files does."""
    cursor.execute('CREATE TEMP TABLE IF NOT EXISTS upload (name text, data bytea)')
    cursor.execute('TRUNCATE upload')
    for file in sorted(os.listdir(path)):
        with open(os.path.join(path, file), 'rb') as stream:
            cursor.execute('INSERT INTO upload VALUES (%s, %s)', (file, stream.read()))
    cursor.execute("SELECT import_model(%s, files => 'SELECT name, data FROM upload', \"precision\" => %s, replace => true)",
                   (name, precision))


def vectors(name, texts, dims):
    cursor.execute('SELECT embed_array(%s, %s)::text[]', (name, texts))
    return numpy.array([numpy.zeros(dims) if vector is None else json.loads(vector)
                        for vector in cursor.fetchone()[0]], dtype=float)


def texts_of_reviews(count):
    path = os.path.join(data, 'corpora/imdb_train.copy.tsv.xz')
    with lzma.open(path, 'rb') as file:
        return [file.readline().rstrip(b'\n').split(b'\t')[4].decode().replace('\\n', '\n') for _ in range(count)]


texts = texts_of_reviews(200) + [
    '', ' ', 'hello world', 'Ξεσκεπάζω την ψυχοφθόρα βδελυγμία', '視野無限廣，窗外有藍天', 'नमस्ते दुनिया', '🏳️‍🌈 👨‍👩‍👧', '𐎀𐎁',
    '[SEP] [CLS] [UNK]', 'word ' * 2000, 'x' * 5000, '\u0301\u200d\u00ad', 'A\u0308 ﬁ ½']

import_folder('static_published', folder)
for name, text in (('short', 'hello world'), ('long', 'hello ' * 1000)):
    with open(os.path.join(data, 'models/model2vec/embeddings_%s.json' % name)) as file:
        expected = numpy.array(json.load(file))
    difference = numpy.abs(vectors('static_published', [text], 2) - expected).max()
    check('published output, ' + name, difference < 1e-6, '%.2g' % difference)

ROWS = json.load(open(os.path.join(folder, 'tokenizer.json')))['model']['vocab']
count = max(ROWS.values()) + 1
LAYOUTS = [
    ('as published', None, {}, 0),
    ('float32', {'embeddings': numpy.random.randn(count, 24).astype('float32')}, {'normalize': False}, 1e-6),
    ('normalized', {'embeddings': numpy.random.randn(count, 17).astype('float32')}, {'normalize': True}, 1e-6),
    ('float16', {'embeddings': numpy.random.randn(count, 24).astype('float16')}, {'normalize': True}, 1e-3),
    ('int8', {'embeddings': numpy.random.randint(-127, 128, (count, 33)).astype('int8')}, {'normalize': True}, 1e-6),
    ('weights', {'embeddings': numpy.random.randn(count, 24).astype('float32'),
                 'weights': numpy.random.rand(count).astype('float32')}, {'normalize': True}, 1e-6),
    ('mapping', {'embeddings': numpy.random.randn(500, 24).astype('float32'),
                 'weights': numpy.random.rand(count).astype('float32'),
                 'mapping': numpy.random.randint(0, 500, count)}, {'normalize': True}, 1e-6),
    ('20 tokens', {'embeddings': numpy.random.randn(count, 8).astype('float32')},
     {'normalize': True, 'max_length': 20}, 1e-6),
]
for name, tensors, config, tolerance in LAYOUTS:
    with tempfile.TemporaryDirectory() as path:
        shutil.copy(os.path.join(folder, 'tokenizer.json'), path)
        if tensors is None:
            for file in ('config.json', 'model.safetensors'):
                shutil.copy(os.path.join(folder, file), path)
            tolerance = 1e-6
        else:
            save_file(tensors, os.path.join(path, 'model.safetensors'))
            with open(os.path.join(path, 'config.json'), 'w') as file:
                json.dump(dict(config, model_type='model2vec'), file)
        model = model2vec.StaticModel.from_pretrained(path)
        expected = model.encode(texts).astype(float)
        import_folder('static_made', path)
    found = vectors('static_made', texts, expected.shape[1])
    difference = (numpy.abs(found - expected) / numpy.maximum(1, numpy.abs(expected))).max()
    check(name, difference <= tolerance, '%.2g' % difference)



# ---------- real weights ----------
def compare(name, expected):
    found = vectors('static_made', texts, expected.shape[1])
    difference = (numpy.abs(found - expected) / numpy.maximum(1, numpy.abs(expected))).max()
    check(name, difference <= 1e-6, '%.2g' % difference)


def wordllama_inference(place):
    """The package's class that computes, without what loads its weights."""
    module = types.ModuleType('wordllama')
    module.__path__ = [place]
    sys.modules['wordllama'] = module
    from wordllama.inference import WordLlamaInference
    return WordLlamaInference


place = registry.package('tokenlearn-static-model', '0.1.1')
if place is None:
    print('left out: the package tokenlearn-static-model cannot be had')
else:
    path = os.path.join(place, 'static_model', 'model')
    import_folder('static_made', path)
    compare('tokenlearn-static-model', model2vec.StaticModel.from_pretrained(path).encode(texts).astype(float))

place = registry.package('wordllama', '0.4.0.post1')
try:
    wordllama = place and wordllama_inference(os.path.join(place, 'wordllama'))
except ImportError as error:
    print('left out: the package wordllama cannot be loaded: %s' % error)
    wordllama = None
if not wordllama:
    print('left out: the package wordllama')
else:
    weights = os.path.join(place, 'wordllama/weights/l2_supercat_256.safetensors')
    tokenizer = os.path.join(place, 'wordllama/tokenizers/l2_supercat_tokenizer_config.json')
    theirs = wordllama(load_file(weights)['embedding.weight'], Tokenizer.from_file(tokenizer))
    expected = theirs.embed(texts, batch_size=1).astype(float)
    with tempfile.TemporaryDirectory() as path:
        shutil.copy(weights, path)
        shutil.copy(tokenizer, os.path.join(path, 'tokenizer.json'))
        import_folder('static_made', path)
        compare('wordllama', expected)
        for precision, least in (('bfloat16', 0.99999), ('int16', 0.9999999), ('int8', 0.9998), ('auto', 0.9998)):
            import_folder('static_made', path, precision)
            found = vectors('static_made', texts, expected.shape[1])
            norms = numpy.linalg.norm(found, axis=1) * numpy.linalg.norm(expected, axis=1)
            cosine = ((found * expected).sum(axis=1)[norms > 0] / norms[norms > 0]).min()
            check('wordllama in ' + precision, cosine >= least, 'least cosine %.7f' % cosine)

cursor.execute('DROP TABLE static_published, static_made')
sys.exit(failures > 0)
