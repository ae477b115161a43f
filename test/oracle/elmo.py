# needs: h5py
"""If this fails, an ELMo's vectors are not those of the published code.

The published model and its outputs (AllenNLP's fixture) within 1e-6 of the
larger of 1 and the value, with the state carried from sentence to sentence as
they were made (the definition in float64 is 1.1e-6 off the published floats,
and 8e-7 by that measure); tiny random models
of every form, and one of the standard size, against the definition in float64
(lib/elmo_core.py) within 1e-5 of a layer's largest value, or sixteen times what
the definition in float32 is off, each on every set of kernels of the machine;
a text's bits do not depend on the texts beside it."""

import json
import os
import random
import sys

import numpy

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib'))
import elmo_core as core

failures = 0


def check(name, good, detail=''):
    global failures
    failures += not good
    if not good or os.environ.get('EMBED_VERBOSE'):
        print('%-8s %s %s' % ('ok' if good else 'FAILED', name, detail), flush=True)


def difference(got, want):
    return abs(got - want).max() if want.size else 0.0


def relative(got, want):
    return (abs(got - want) / numpy.maximum(1, abs(want))).max() if want.size else 0.0


def read_tensors(path):
    import h5py
    tensors = {}
    with h5py.File(path, 'r') as file:
        file.visititems(lambda name, item: tensors.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return tensors


def published(library, folder, kernels):
    import h5py
    with open(os.path.join(folder, 'options.json')) as file:
        options = json.load(file)
    tensors = read_tensors(os.path.join(folder, 'lm_weights.hdf5'))
    model = core.Model(library, options, tensors)
    reference = core.Reference(options, tensors)
    with open(os.path.join(folder, 'vocab_test.txt')) as file:
        words = file.read().split('\n')
    words = [word for word in words if word]
    with h5py.File(os.path.join(folder, 'elmo_token_embeddings.hdf5'), 'r') as file:
        want = numpy.asarray(file['embedding'])
    # the rows after the first are those of the mapped words
    got = model.words(words)
    worst = relative(got, want[-len(words):])
    check('published words on ' + kernels, worst < 1e-6, 'differ by %.1e' % worst)
    with open(os.path.join(folder, 'sentences.json')) as file:
        batches = json.load(file)
    for k, sentences in enumerate(batches):
        start, states = None, {}
        with h5py.File(os.path.join(folder, 'lm_embeddings_%d.hdf5' % k), 'r') as file:
            for i, sentence in enumerate(sentences):
                want = numpy.asarray(file[str(i)])
                text = sentence.split()
                (got,), start = model.encode([text], start=start, carry=True)
                top = numpy.stack([got[-1][:, :model.half], got[-1][:, model.half:]])
                exact, states = reference.encode(text, states)
                worst = relative(top, want)
                apart = relative(got, exact)
                check('published sentence %d of file %d on %s' % (i, k, kernels), worst < 1e-6,
                      'differs by %.1e, from float64 by %.1e' % (worst, apart))


def cases(library, data, kernels):
    """What users of other implementations met (cases/models): characters, padding, the mix."""
    path = os.path.join(data, '../cases/models/cases.jsonl')
    folder = os.path.join(data, 'models/elmo_allennlp')
    if not os.path.exists(path):
        print('no cases in %s' % path)
        return
    with open(path) as file:
        found = {case['id']: case for case in map(json.loads, file)}
    with open(os.path.join(folder, 'options.json')) as file:
        model = core.Model(library, json.load(file), read_tensors(os.path.join(folder, 'lm_weights.hdf5')))
    case = found['E01']
    most = case['input']['max_characters_per_token']
    for word, want in zip(case['input']['words'], case['expected']):
        ids = numpy.empty(most, dtype=numpy.int16)
        encoded = word.encode()
        count = library.shim_characters(encoded, len(encoded), most, ids.ctypes.data)
        check('case E01 %.10s' % word, [int(i) + 1 for i in ids[:count]] == want['ids'] and most - count == want['n_pad'])
    case = found['E04']
    got = model.encode(case['input']['batch'])
    for mine, want in zip(got, case['expected']['top_layer']):
        check('case E04 on ' + kernels, difference(mine[2], numpy.array(want)) < case['tol'])
    check('case E04, layer 1, on ' + kernels, difference(got[0][1][0], numpy.array(case['expected']['layer1_first_word'])) < case['tol'])


WORDS = ['the', 'bank', 'of', 'a', 'river', '', 'été', '日本語', '<S>', '</S>', 'x' * 47, 'x' * 48, 'x' * 10000, 'é' * 30, '😀',
         'Ω', '-', '.', '\t', 'Internationalisierung', '\U0010ffff', 'a\u0301']


def some_texts(chance, count, longest):
    return [[chance.choice(WORDS) for _ in range(chance.choice([0, 1, 2, 3, 7, longest]))] for _ in range(count)]


def compare(library, name, options, seed, texts, bound, kernels, precision='float32'):
    tensors = core.random_tensors(options, seed)
    model = core.Model(library, options, tensors, precision, piece=random.Random(seed).choice([1, 7, 1000003]))
    reference, rounded = core.Reference(options, tensors), core.Reference(options, tensors, numpy.float32)
    got = model.encode(texts)
    worst = inherent = 0.0
    for text, mine in zip(texts, got):
        want, _ = reference.encode(text)
        float32, _ = rounded.encode(text)
        for l in range(len(want)):
            scale = max(1e-3, abs(want[l]).max()) if want[l].size else 1
            worst = max(worst, difference(mine[l], want[l]) / scale)
            inherent = max(inherent, difference(float32[l], want[l]) / scale)
    # a model of one cell may double an error with every word
    check('%s on %s' % (name, kernels), worst < max(bound, 16 * inherent),
          'differs by %.1e, the definition in float32 by %.1e' % (worst, inherent))
    for i in range(0, len(texts), max(1, len(texts) // 5)):
        alone, = model.encode([texts[i]])
        check('%s on %s: text %d alone' % (name, kernels, i), numpy.array_equal(alone, got[i]))


def standard(library, kernels, sentences):
    options = {'lstm': {'cell_clip': 3, 'proj_clip': 3, 'use_skip_connections': True, 'n_layers': 2, 'projection_dim': 512,
                        'dim': 4096},
               'char_cnn': {'embedding': {'dim': 16}, 'n_highway': 2, 'n_characters': 262, 'max_characters_per_token': 50,
                            'activation': 'relu', 'filters': [[1, 32], [2, 32], [3, 64], [4, 128], [5, 256], [6, 512], [7, 1024]]}}
    compare(library, 'a model of the standard size', options, 1, sentences, 1e-5, kernels)


def main():
    library = core.build()
    data = os.environ.get('EMBED_DATA') or os.path.join(core.TOP, '../shared/data')
    folder = os.path.join(data, 'models/elmo_allennlp')
    seed = int(os.environ.get('EMBED_SEED') or random.randrange(1 << 30))
    print('EMBED_SEED=%d' % seed)
    best = library.shim_kernels(b'').decode()
    sets = [best] + [name for name in ('scalar', 'neon', 'avx2', 'avx512') if name != best]
    for kernels in sets:
        if not library.shim_kernels(kernels.encode()):
            continue
        if os.path.isdir(folder):
            published(library, folder, kernels)
            cases(library, data, kernels)
        else:
            print('no published model in %s' % folder)
        for i in range(30):
            chance = random.Random(seed + i)
            options = core.random_options(chance)
            compare(library, 'random model %d %s' % (i, json.dumps(options)), options, seed + i,
                    some_texts(chance, chance.choice([1, 4, 30]), 40), 1e-5, kernels)
    library.shim_kernels(best.encode())
    sentences = [['the'], []]
    if os.path.isdir(folder):
        with open(os.path.join(folder, 'sentences.json')) as file:
            sentences += [s.split() for batch in json.load(file) for s in batch]
    many = 100 if os.environ.get('EMBED_LONG') else 12
    chance = random.Random(seed)
    while len(sentences) < many:
        sentences.append([chance.choice(WORDS) for _ in range(chance.randrange(1, 20))])
    standard(library, best, sentences[:many])
    print('%d failures' % failures)
    sys.exit(failures > 0)


if __name__ == '__main__':
    main()
