"""An ELMo of the pure core, called from Python, and the same in numpy's float64."""

import ctypes
import glob
import json
import os
import subprocess
import tempfile

import numpy

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
PRECISIONS = ['float32', 'bfloat16', 'int16', 'int8']
MARKS = ['<S>', '</S>']


def build(compiler='gcc', flags=('-O2',)):
    directory = tempfile.mkdtemp()
    target = os.path.join(directory, 'elmo.so')
    sources = sorted(glob.glob(TOP + '/src/math/*.c') + glob.glob(TOP + '/src/network/*.c') + glob.glob(TOP + '/src/format/*.c'))
    subprocess.check_call([compiler, '-std=gnu11', '-shared', '-fPIC', '-w', *flags, '-I' + TOP + '/src', '-o', target,
                           os.path.join(TOP, 'test/oracle/lib/elmo_shim.c'), *sources, '-lm', '-ldl'])
    library = ctypes.CDLL(target)
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    library.shim_begin.restype = pointer
    library.shim_begin.argtypes = [ctypes.c_char_p, size, size]
    library.shim_message.restype = library.shim_kernels.restype = ctypes.c_char_p
    library.shim_kernels.argtypes = [ctypes.c_char_p]
    library.shim_tensor.argtypes = [pointer, ctypes.c_char_p, pointer]
    library.shim_pack.argtypes = [pointer, ctypes.c_int]
    library.shim_state_floats.restype = size
    library.shim_words.argtypes = [pointer, ctypes.c_int, ctypes.c_char_p, pointer, pointer]
    library.shim_layers.argtypes = [pointer, ctypes.c_int] + [pointer] * 6
    library.shim_characters.argtypes = [ctypes.c_char_p, size, ctypes.c_int, pointer]
    for name in 'shim_end', 'shim_message', 'shim_state_floats':
        getattr(library, name).argtypes = [pointer]
    return library


class Model:
    def __init__(self, library, options, tensors, precision='float32', piece=100003):
        self.library = library
        self.options = options
        text = json.dumps(options).encode()
        self.shim = library.shim_begin(text, len(text), piece)
        self.check(not library.shim_message(self.shim))
        self.tensors = {name: numpy.ascontiguousarray(values, dtype=numpy.float32) for name, values in tensors.items()}
        for name, values in self.tensors.items():
            library.shim_tensor(self.shim, name.encode(), values.ctypes.data)
        self.check(library.shim_pack(self.shim, PRECISIONS.index(precision)))
        self.half = options['lstm']['projection_dim']
        self.layers = options['lstm']['n_layers']

    def check(self, good):
        if not good:
            raise ValueError(self.library.shim_message(self.shim).decode() or 'refused')

    def __del__(self):
        self.library.shim_end(self.shim)

    def words(self, words):
        encoded = [word.encode() for word in words]
        offsets = numpy.cumsum([0] + [len(word) for word in encoded]).astype(numpy.uint64)
        to = numpy.empty((len(words), self.half), dtype=numpy.float32)
        self.check(self.library.shim_words(self.shim, len(words), b''.join(encoded), offsets.ctypes.data, to.ctypes.data))
        return to

    def prepare(self, texts):
        number = {mark: i for i, mark in enumerate(MARKS)}
        rows = numpy.array([number.setdefault(word, len(number)) for text in texts for word in text], dtype=numpy.int32)
        offsets = numpy.cumsum([0] + [len(text) for text in texts]).astype(numpy.int32)
        return list(number), rows, offsets

    def encode(self, texts, start=None, carry=False):
        """Arrays (layers, words, dims), layer 0 first; with carry the end state too."""
        distinct, rows, offsets = self.prepare(texts)
        words = self.words(distinct)
        to = numpy.empty((len(rows) + 2 * len(texts), self.layers, 2 * self.half), dtype=numpy.float32)
        end = numpy.empty(self.library.shim_state_floats(self.shim), dtype=numpy.float32) if carry else None
        self.check(self.library.shim_layers(self.shim, len(texts), offsets.ctypes.data, rows.ctypes.data,
                                            words.ctypes.data, to.ctypes.data,
                                            None if start is None else start.ctypes.data,
                                            None if end is None else end.ctypes.data))
        result = []
        for t in range(len(texts)):
            begin, until = offsets[t], offsets[t + 1]
            first = words[rows[begin:until]]
            layers = to[begin + 2 * t + 1:until + 2 * t + 1]
            result.append(numpy.stack([numpy.concatenate([first, first], axis=1)] +
                                      [layers[:, l] for l in range(self.layers)]))
        return (result, end) if carry else result


# ---------- the definition, in float64 ----------

def sigmoid(x):
    return 1 / (1 + numpy.exp(-x))


def characters(word, most):
    """AllenNLP's ELMoCharacterMapper, without the one that it adds."""
    if word in MARKS:
        body = [256 + MARKS.index(word)]
    else:
        body = list(word.encode('utf-8'))[:most - 2]
    ids = [258] + body + [259]
    return ids + [260] * (most - len(ids))


class Reference:
    """Peers' definition: bilm-tf's model.py and AllenNLP's elmo.py."""

    def __init__(self, options, tensors, kind=numpy.float64):
        self.options = options
        self.tensors = {name: numpy.asarray(values, dtype=kind) for name, values in tensors.items()}
        self.known = {}

    def word(self, word):
        if word not in self.known:
            self.known[word] = self.compute_word(word)
        return self.known[word]

    def compute_word(self, word):
        options = self.options['char_cnn']
        t = self.tensors
        x = t['char_embed'][characters(word, options['max_characters_per_token'])]
        features = []
        for i, (width, size) in enumerate(options['filters']):
            weights = t['CNN/W_cnn_%d' % i][0].reshape(-1, size)
            windows = numpy.stack([x[at:at + width].ravel() for at in range(len(x) - width + 1)])
            top = (windows @ weights + t['CNN/b_cnn_%d' % i]).max(axis=0)
            features.append(numpy.tanh(top) if options['activation'] == 'tanh' else numpy.maximum(top, 0))
        x = numpy.concatenate(features)
        for k in range(options['n_highway']):
            name = 'CNN_high_%d/' % k
            carry = sigmoid(x @ t[name + 'W_carry'] + t[name + 'b_carry'])
            x = carry * numpy.maximum(x @ t[name + 'W_transform'] + t[name + 'b_transform'], 0) + (1 - carry) * x
        return x @ t['CNN_proj/W_proj'] + t['CNN_proj/b_proj']

    def layer(self, direction, number, x, state):
        options = self.options['lstm']
        name = 'RNN_%d/RNN/MultiRNNCell/Cell%d/LSTMCell/' % (direction, number)
        weights, bias, project = (self.tensors[name + n] for n in ('W_0', 'B', 'W_P_0'))
        cell_clip, out_clip = (options.get(n) or numpy.inf for n in ('cell_clip', 'proj_clip'))
        cell, out = state
        result = []
        for gates in x @ weights[:x.shape[1]] + bias:
            i, j, f, o = numpy.split(gates + out @ weights[x.shape[1]:], 4)
            cell = numpy.clip(sigmoid(f + 1) * cell + sigmoid(i) * numpy.tanh(j), -cell_clip, cell_clip)
            out = numpy.clip((sigmoid(o) * numpy.tanh(cell)) @ project, -out_clip, out_clip)
            result.append(out)
        return numpy.array(result), (cell, out)

    def encode(self, text, states=None):
        options = self.options['lstm']
        kind = self.tensors['char_embed'].dtype
        zero = (numpy.zeros(options['dim'], kind), numpy.zeros(options['projection_dim'], kind))
        states = states if states is not None else {}
        first = numpy.array([self.word(word) for word in [MARKS[0]] + text + [MARKS[1]]])
        halves = []
        for direction in 0, 1:
            x = first[::-1] if direction else first
            outputs = [x]
            for l in range(options['n_layers']):
                given, states[direction, l] = self.layer(direction, l, x, states.get((direction, l), zero))
                x = given + x if l > 0 and options.get('use_skip_connections') else given
                outputs.append(x)
            halves.append([rows[::-1] if direction else rows for rows in outputs])
        return numpy.stack([numpy.concatenate([a, b], axis=1)[1:-1] for a, b in zip(*halves)]), states


def random_options(chance, **fixed):
    """A small model of any form."""
    options = {
        'lstm': {'cell_clip': chance.choice([3, 0.5, None]), 'proj_clip': chance.choice([3, 0.3, None]),
                 'use_skip_connections': chance.random() < .5, 'n_layers': chance.choice([1, 2, 2, 3]),
                 'projection_dim': chance.choice([1, 7, 16, 33]), 'dim': chance.choice([1, 5, 64, 70])},
        'char_cnn': {'embedding': {'dim': chance.choice([1, 4, 16])},
                     'filters': [[w, chance.choice([1, 4, 17, 32])] for w in range(1, chance.choice([2, 4, 8]))],
                     'n_highway': chance.choice([0, 1, 2]), 'n_characters': chance.choice([261, 262]),
                     'max_characters_per_token': chance.choice([7, 20, 50]), 'activation': chance.choice(['relu', 'tanh'])}}
    options['lstm'].update(fixed)
    return options


def random_tensors(options, seed, spread=1.0):
    lstm, cnn = options['lstm'], options['char_cnn']
    generator = numpy.random.default_rng(seed)
    features, half, cells = sum(n for _, n in cnn['filters']), lstm['projection_dim'], lstm['dim']
    shapes = {'char_embed': (261, cnn['embedding']['dim'])}
    for i, (width, size) in enumerate(cnn['filters']):
        shapes['CNN/W_cnn_%d' % i] = (1, width, cnn['embedding']['dim'], size)
        shapes['CNN/b_cnn_%d' % i] = (size,)
    for k in range(cnn['n_highway']):
        for part in 'carry', 'transform':
            shapes['CNN_high_%d/W_%s' % (k, part)] = (features, features)
            shapes['CNN_high_%d/b_%s' % (k, part)] = (features,)
    shapes['CNN_proj/W_proj'], shapes['CNN_proj/b_proj'] = (features, half), (half,)
    for direction in 0, 1:
        for l in range(lstm['n_layers']):
            name = 'RNN_%d/RNN/MultiRNNCell/Cell%d/LSTMCell/' % (direction, l)
            shapes[name + 'W_0'], shapes[name + 'B'], shapes[name + 'W_P_0'] = (2 * half, 4 * cells), (4 * cells,), (cells, half)
    return {name: (generator.standard_normal(shape, dtype=numpy.float32) * numpy.float32(
        spread * (0.3 if len(shape) == 1 else 1.5 / numpy.prod(shape[:-1]) ** .5))) for name, shape in shapes.items()}
