"""The training of an ELMo of the pure core, called from Python, and a twin of it in PyTorch."""

import ctypes
import glob
import json
import os
import subprocess
import tempfile

import numpy
import torch
from torch.nn import functional

import elmo_core

TOP = elmo_core.TOP


def build(double=False, flags=('-O2',)):
    directory = tempfile.mkdtemp()
    target = os.path.join(directory, 'train.so')
    sources = sorted(glob.glob(TOP + '/src/math/*.c') + glob.glob(TOP + '/src/network/*.c') + glob.glob(TOP + '/src/format/*.c'))
    if double:
        sources = [name for name in sources if not name.endswith('elmo_step.c')]
        flags = (*flags, '-DNETWORK_DOUBLE')
    subprocess.check_call(['gcc', '-std=gnu11', '-shared', '-fPIC', '-w', *flags, '-I' + TOP + '/src', '-o', target,
                           os.path.join(TOP, 'test/oracle/lib/elmo_train_shim.c'), *sources, '-lm', '-ldl'])
    library = ctypes.CDLL(target)
    pointer, size, whole, number = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_double
    library.train_begin.restype = pointer
    library.train_begin.argtypes = [ctypes.c_char_p, size]
    library.train_message.restype = ctypes.c_char_p
    library.train_message.argtypes = [pointer]
    library.train_numbers.restype = size
    library.train_numbers.argtypes = [pointer]
    library.train_tensor.argtypes = [pointer, whole, pointer, pointer, pointer]
    library.train_first_weights.argtypes = [pointer, ctypes.c_uint64, pointer]
    library.train_window.argtypes = [pointer, whole, whole, whole] + [pointer] * 6 + [whole, whole] + [pointer] * 6
    library.train_pool.argtypes = [pointer, whole, whole, whole] + [pointer] * 11 + [whole, pointer]
    if not double:
        library.train_corpus.argtypes = [pointer] * 6 + [ctypes.c_int64]
        library.train_prepare.argtypes = [pointer] + [whole] * 7 + [number, number, ctypes.c_uint64] + [pointer] * 4
        library.train_next.restype = ctypes.c_int64
        library.train_next.argtypes = [pointer] * 4
        library.train_step.argtypes = [pointer, number, pointer, pointer, pointer]
        library.train_losses.argtypes = [pointer, pointer]
    return library


def address(array):
    return None if array is None else array.ctypes.data


class Core:
    """The weights in one array, and what the library does with them."""

    def __init__(self, library, options, double=False):
        self.library = library
        self.options = options
        self.type = numpy.float64 if double else numpy.float32
        text = json.dumps(options).encode()
        self.train = library.train_begin(text, len(text))
        message = library.train_message(self.train)
        if message:
            raise ValueError(message.decode())
        self.dims = options['lstm']['projection_dim']
        self.layers = options['lstm']['n_layers']
        self.cells = options['lstm']['dim']
        self.numbers = library.train_numbers(self.train)
        self.weights = numpy.zeros(self.numbers, dtype=self.type)
        self.places = {}
        name, shape, offset = ctypes.create_string_buffer(100), (ctypes.c_int * 4)(), ctypes.c_size_t()
        for i in range(1000):
            rank = library.train_tensor(self.train, i, name, shape, ctypes.byref(offset))
            if rank == 0:
                break
            self.places[name.value.decode()] = (offset.value, tuple(shape[:rank]))

    def tensors(self, array=None):
        """Views of the tensors of an array of weights, or gradients."""
        array = self.weights if array is None else array
        return {name: array[at:at + numpy.prod(shape, dtype=int)].reshape(shape) for name, (at, shape) in self.places.items()}

    def first_weights(self, seed):
        self.library.train_first_weights(self.train, seed, address(self.weights))

    def window(self, lanes, steps, words, read, target, begins, candidates, table, states):
        """Loss, and gradients of weights and of the rows of the softmax."""
        encoded = [word.encode() for word in words]
        offsets = numpy.cumsum([0] + [len(word) for word in encoded]).astype(numpy.int64)
        gradients = numpy.zeros(self.numbers, dtype=self.type)
        by_candidate = numpy.zeros((self.dims + 1, candidates), dtype=self.type)
        by_target = numpy.zeros_like(table)
        loss = ctypes.c_double()
        good = self.library.train_window(self.train, lanes, steps, len(words), b''.join(encoded), address(offsets),
                                         address(read), address(target), address(begins), address(self.weights), candidates,
                                         len(table), address(table), address(gradients), address(by_candidate),
                                         address(by_target), address(states), ctypes.byref(loss))
        assert good
        by_target[:candidates] += by_candidate.T
        return loss.value, gradients, by_target

    def pool(self, lanes, steps, words, read, begins, vector, weight, share, start, slopes, which):
        """Vectors of lanes, and the gradients of weights from slopes, those of the vectors; others than those that move are 0."""
        encoded = [word.encode() for word in words]
        offsets = numpy.cumsum([0] + [len(word) for word in encoded]).astype(numpy.int64)
        gradients, vectors = numpy.zeros(self.numbers, dtype=self.type), numpy.zeros_like(slopes)
        assert self.library.train_pool(self.train, lanes, steps, len(words), b''.join(encoded), address(offsets), address(read),
                                       address(begins), address(vector), address(weight), address(share), address(start),
                                       address(self.weights), address(vectors), address(slopes), which, address(gradients))
        return vectors, gradients

    def prepare(self, texts, words, rows, vocabulary, lanes, steps, candidates, members=1, group=1000, dropout=0.0, clip=10.0,
                seed=1):
        """texts: lists of numbers of words; rows: the row of the softmax of each token, marks first."""
        encoded = [word.encode() for word in elmo_core.MARKS + words]
        self.kept = (b''.join(encoded), numpy.cumsum([0] + [len(word) for word in encoded]).astype(numpy.int64),
                     numpy.array(rows, dtype=numpy.int32), numpy.concatenate(texts).astype(numpy.int32),
                     numpy.cumsum([0] + [len(text) for text in texts]).astype(numpy.int64))
        text, offsets, of_token, stream, firsts = self.kept
        self.library.train_corpus(self.train, text, address(offsets), address(of_token), address(stream), address(firsts),
                                  len(texts))
        self.lanes, self.steps, self.candidates = lanes, steps, candidates
        self.table = numpy.zeros((vocabulary, self.dims + 1), dtype=numpy.float32)
        self.sums = numpy.ones(self.numbers, dtype=numpy.float32)
        self.table_sums = numpy.ones_like(self.table)
        self.library.train_prepare(self.train, vocabulary, candidates, len(encoded), lanes, steps, members, group, dropout, clip,
                                   seed, address(self.weights), address(self.sums), address(self.table), address(self.table_sums))

    def next(self):
        """Tokens read, tokens predicted, begins: arrays of directions, steps and lanes; None at the end."""
        shape = (2, self.steps, self.lanes)
        read, target = numpy.empty(shape, dtype=numpy.int32), numpy.empty(shape, dtype=numpy.int32)
        begins = numpy.empty(shape, dtype=numpy.uint8)
        self.targets = self.library.train_next(self.train, address(read), address(target), address(begins))
        return (read, target, begins) if self.targets else None

    def step(self, rate):
        """The mean loss; which candidates, and how many draws they took."""
        loss, drawn = ctypes.c_double(), ctypes.c_int64()
        candidates = numpy.empty(self.candidates, dtype=numpy.int32)
        self.library.train_step(self.train, rate, ctypes.byref(loss), address(candidates), ctypes.byref(drawn))
        return loss.value / self.targets, candidates, drawn.value

    def losses(self):
        loss = ctypes.c_double()
        self.library.train_losses(self.train, ctypes.byref(loss))
        return loss.value / self.targets


# ---------- the twin ----------

def expected_log(words, vocabulary, drawn):
    """log of how often words are expected among candidates of a log-uniform distribution (TensorFlow's sampler)"""
    chance = numpy.log((words + 2.0) / (words + 1.0)) / numpy.log(vocabulary + 1.0)
    return numpy.log(-numpy.expm1(drawn * numpy.log1p(-chance)))


class Twin:
    """bilm-tf's training model in PyTorch: characters by convolutions, a loop over steps, sampled softmax."""

    def __init__(self, options, tensors, table, dtype=torch.float32):
        self.options = options
        self.t = {name: torch.tensor(values, dtype=dtype, requires_grad=True) for name, values in tensors.items()}
        self.table = torch.tensor(table, dtype=dtype, requires_grad=True)
        self.dtype = dtype
        self.states = {}

    def parameters(self):
        return [*self.t.values(), self.table]

    def words(self, ids):
        """ids: (words, characters)"""
        options, t = self.options['char_cnn'], self.t
        x = functional.embedding(ids, t['char_embed']).transpose(1, 2)
        features = []
        for i in range(len(options['filters'])):
            weights = t['CNN/W_cnn_%d' % i][0].permute(2, 1, 0)
            top = functional.conv1d(x, weights, t['CNN/b_cnn_%d' % i]).max(dim=-1)[0]
            features.append(torch.tanh(top) if options['activation'] == 'tanh' else torch.relu(top))
        x = torch.cat(features, dim=-1)
        for k in range(options['n_highway']):
            name = 'CNN_high_%d/' % k
            carry = torch.sigmoid(x @ t[name + 'W_carry'] + t[name + 'b_carry'])
            x = carry * torch.relu(x @ t[name + 'W_transform'] + t[name + 'b_transform']) + (1 - carry) * x
        return x @ t['CNN_proj/W_proj'] + t['CNN_proj/b_proj']

    def layer(self, direction, number, x, keep):
        """x: (steps, lanes, dims); keep: (steps, lanes, 1), 0 where a text begins"""
        options = self.options['lstm']
        name = 'RNN_%d/RNN/MultiRNNCell/Cell%d/LSTMCell/' % (direction, number)
        weights, bias, project = (self.t[name + n] for n in ('W_0', 'B', 'W_P_0'))
        cell_clip, out_clip = options.get('cell_clip'), options.get('proj_clip')
        lanes = x.shape[1]
        cell, out = self.states.get((direction, number)) or (torch.zeros(lanes, options['dim'], dtype=self.dtype),
                                                             torch.zeros(lanes, options['projection_dim'], dtype=self.dtype))
        given = []
        for s in range(len(x)):
            cell, out = cell * keep[s], out * keep[s]
            i, j, f, o = (torch.cat([x[s], out], dim=1) @ weights + bias).chunk(4, dim=1)
            cell = torch.sigmoid(f + 1) * cell + torch.sigmoid(i) * torch.tanh(j)
            if cell_clip:
                cell = cell.clamp(-cell_clip, cell_clip)
            out = (torch.sigmoid(o) * torch.tanh(cell)) @ project
            if out_clip:
                out = out.clamp(-out_clip, out_clip)
            given.append(out)
        self.states[direction, number] = (cell.detach(), out.detach())
        given = torch.stack(given)
        return given + x if number > 0 and options.get('use_skip_connections') else given

    def pool(self, first, read, begins, vector, weight, share, count):
        """Vectors: of each lane the sum over layers and words of share times weight times what the layer gives, the words' own
        vectors first; weight: (2, steps, lanes), vector: of each lane the number of the vector, or -1."""
        halves = []
        for direction in 0, 1:
            x = first[read[direction]]
            keep = (1 - begins[direction]).to(self.dtype)[:, :, None]
            mixed = share[0] * x
            for l in range(self.options['lstm']['n_layers']):
                x = self.layer(direction, l, x, keep)
                mixed = mixed + share[l + 1] * x
            lanes = (mixed * weight[direction][:, :, None]).sum(dim=0)
            known = vector >= 0
            halves.append(torch.zeros(count, lanes.shape[1], dtype=self.dtype).index_add(0, vector[known], lanes[known]))
        return torch.cat(halves, dim=1)

    def loss(self, first, read, target, begins, candidates, correction):
        """first: vectors of words; read, target: (2, steps, lanes); target: rows of the softmax, -1: none; correction: what is
        taken off the scores of every row of the softmax.  The sum of losses."""
        total = 0
        for direction in 0, 1:
            x = first[read[direction]]
            keep = (1 - begins[direction]).to(self.dtype)[:, :, None]
            for l in range(self.options['lstm']['n_layers']):
                x = self.layer(direction, l, x, keep)
            wanted = target[direction].reshape(-1)
            x = x.reshape(len(wanted), -1)[wanted >= 0]
            wanted = wanted[wanted >= 0]
            weights, bias = self.table[:, :-1], self.table[:, -1] - correction
            own = (x * weights[wanted]).sum(dim=1) + bias[wanted]
            scores = x @ weights[candidates].t() + bias[candidates]
            scores = scores.masked_fill(wanted[:, None] == candidates[None, :], -1e30)
            scores = torch.cat([own[:, None], scores], dim=1)
            total = total + functional.cross_entropy(scores, torch.zeros(len(scores), dtype=torch.long), reduction='sum')
        return total


def character_ids(words, most):
    return torch.tensor([elmo_core.characters(word, most) for word in words])
