"""ELMo of the pure core against AllenNLP's algorithm in torch: one thread, one
run, the same sentences, CPU seconds.

usage: run.py [--sentences N] [--single N] [--rounds N] [--batches 16,32,64] [--precision P]

The model has the published size (2 layers of 4096 cells projected to 512,
2048 filters, two highway layers) and random weights.  Sentences are those of
Word-in-Context, from $EMBED_DATA or ../shared/data; without data, random words
of the same lengths.  Wants a python that has torch.

The rival is written here after the definition, in the order in which AllenNLP
computes it: characters of every token of a padded batch at all 50 places; each
layer and direction step by step over the sentences sorted by length, a product
of x and one of the state in each step, for the sentences that are not at their
end.  It takes each of the batch sizes, the best of which counts.  Ours takes 256
sentences, as embed_array() does.  Both sides must agree.

Sides take turns; the figure is the median of the rounds' words per CPU second.
The share is of torch's sgemm rate with 64 rows against a matrix of the gates'
size, and of the products' of src/math.
"""

import argparse
import glob
import os
import random
import statistics
import sys
import time

for name in 'OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'OPENBLAS_NUM_THREADS':
    os.environ.setdefault(name, '1')

import numpy
import torch
from torch.nn import functional

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(TOP, 'test/oracle/lib'))
import elmo_core as core

torch.set_num_threads(1)
torch.set_grad_enabled(False)
parser = argparse.ArgumentParser()
parser.add_argument('--sentences', type=int, default=256)
parser.add_argument('--single', type=int, default=6)
parser.add_argument('--rounds', type=int, default=3)
parser.add_argument('--batches', default='16,32,64,128')
parser.add_argument('--precision', default='float32')
arguments = parser.parse_args()

OPTIONS = {'lstm': {'cell_clip': 3, 'proj_clip': 3, 'use_skip_connections': True, 'n_layers': 2, 'projection_dim': 512, 'dim': 4096},
           'char_cnn': {'embedding': {'dim': 16}, 'n_highway': 2, 'n_characters': 262, 'max_characters_per_token': 50,
                        'activation': 'relu', 'filters': [[1, 32], [2, 32], [3, 64], [4, 128], [5, 256], [6, 512], [7, 1024]]}}
# multiplications of a token in layers, and of a word in characters of 8 windows
LAYERS = 4 * (2 * 512 * 16384 + 4096 * 512)
WORD = 4 * 2048 * 2048 + 2048 * 512 + 8 * 16 * sum(w * n for w, n in OPTIONS['char_cnn']['filters'])


class Rival:
    def __init__(self, tensors):
        t = {name: torch.from_numpy(values) for name, values in tensors.items()}
        # the characters of padding words are zeros, one below those of the file
        self.characters = torch.cat([torch.zeros(1, 16), t['char_embed']])
        self.filters = [(t['CNN/W_cnn_%d' % i][0].permute(2, 1, 0).contiguous(), t['CNN/b_cnn_%d' % i])
                        for i in range(len(OPTIONS['char_cnn']['filters']))]
        self.highways = [(torch.cat([t['CNN_high_%d/W_transform' % k], t['CNN_high_%d/W_carry' % k]], dim=1).t().contiguous(),
                          torch.cat([t['CNN_high_%d/b_transform' % k], t['CNN_high_%d/b_carry' % k]])) for k in range(2)]
        self.projection = t['CNN_proj/W_proj'].t().contiguous(), t['CNN_proj/b_proj']
        self.cells = {}
        for direction in 0, 1:
            for l in range(2):
                name = 'RNN_%d/RNN/MultiRNNCell/Cell%d/LSTMCell/' % (direction, l)
                weights, bias = t[name + 'W_0'], t[name + 'B'].clone()
                bias[8192:12288] += 1
                self.cells[direction, l] = (weights[:512].t().contiguous(), weights[512:].t().contiguous(), bias,
                                            t[name + 'W_P_0'].t().contiguous())

    def words(self, ids):
        """ids: (tokens, 50)"""
        x = functional.embedding(ids, self.characters).transpose(1, 2)
        x = torch.cat([functional.relu(functional.conv1d(x, w, b).max(dim=-1)[0]) for w, b in self.filters], dim=-1)
        for w, b in self.highways:
            transform, carry = functional.linear(x, w, b).chunk(2, dim=-1)
            carry = torch.sigmoid(carry)
            x = carry * functional.relu(transform) + (1 - carry) * x
        return functional.linear(x, *self.projection)

    def layer(self, cell, x, lengths, backwards):
        """x: (texts, tokens, 512), the longest text first"""
        by_input, by_state, bias, project = cell
        state, memory = torch.zeros(len(x), 512), torch.zeros(len(x), 4096)
        to = torch.zeros_like(x)
        steps = range(x.shape[1])
        for t in reversed(steps) if backwards else steps:
            running = sum(n > t for n in lengths)
            gates = functional.linear(x[:running, t], by_input) + functional.linear(state[:running], by_state, bias)
            i, j, f, o = gates.chunk(4, dim=-1)
            memory[:running] = torch.clamp(torch.sigmoid(i) * torch.tanh(j) + torch.sigmoid(f) * memory[:running], -3, 3)
            out = functional.linear(torch.sigmoid(o) * torch.tanh(memory[:running]), project)
            state[:running] = out.clamp_(-3, 3)
            to[:running, t] = state[:running]
        return to

    def encode(self, prepared):
        result = []
        for order, lengths, ids in prepared:
            x = self.words(ids.view(-1, 50)).view(len(lengths), -1, 512)
            halves = []
            for direction in 0, 1:
                y = self.layer(self.cells[direction, 0], x, lengths, direction)
                halves.append([x, y, y + self.layer(self.cells[direction, 1], y, lengths, direction)])
            layers = [torch.cat(pair, dim=-1) for pair in zip(*halves)]
            result.append((order, lengths, layers))
        return result


def prepare(texts, batch):
    """Texts as the rival takes them: batches sorted by length, characters plus one, padding words zeros."""
    result = []
    for at in range(0, len(texts), batch):
        some = texts[at:at + batch]
        order = sorted(range(len(some)), key=lambda i: -len(some[i]))
        lengths = [len(some[i]) + 2 for i in order]
        ids = torch.zeros(len(some), max(lengths), 50, dtype=torch.long)
        for r, i in enumerate(order):
            for w, word in enumerate([core.MARKS[0]] + some[i] + [core.MARKS[1]]):
                ids[r, w] = torch.tensor(core.characters(word, 50)) + 1
        result.append(([at + i for i in order], lengths, ids))
    return result


def sentences(count):
    data = os.environ.get('EMBED_DATA') or os.path.join(TOP, '../shared/data')
    chance = random.Random(1)
    found = []
    for path in sorted(glob.glob(os.path.join(data, 'sentences/wic/**/*.txt'), recursive=True) +
                       glob.glob(os.path.join(data, 'sentences/wic/*.tsv'))):
        with open(path, encoding='utf-8') as file:
            for line in file:
                found += [field.split() for field in line.rstrip('\n').split('\t') if len(field.split()) > 3]
    if not found:
        print('no sentences found: random words')
        words = [''.join(chance.choice('etaoinshr') for _ in range(chance.randrange(1, 10))) for _ in range(5000)]
        found = [[words[int(5000 * chance.random() ** 3)] for _ in range(chance.randrange(4, 16))] for _ in range(count)]
    chance.shuffle(found)
    return found[:count]


def timed(call):
    begin = time.process_time()
    call()
    return time.process_time() - begin


def rate(call, work):
    call()
    return work / min(timed(call) for _ in range(5))


def main():
    library = core.build()
    kernels = library.shim_kernels(b'').decode()
    tensors = core.random_tensors(OPTIONS, 1)
    ours = core.Model(library, OPTIONS, tensors, arguments.precision)
    rival = Rival(tensors)
    texts = sentences(arguments.sentences)
    count = sum(map(len, texts))
    # each direction reads one mark: nothing depends on the other
    marked = count + len(texts)
    distinct = sum(len({w for text in texts[at:at + 256] for w in text}) + 2 for at in range(0, len(texts), 256))
    print('kernels %s; torch %s; %d sentences, %d words, %d distinct in batches of 256' % (
        kernels, torch.__version__, len(texts), count, distinct))

    some = texts[:8]
    mine = ours.encode(some)
    (order, lengths, layers), = rival.encode(prepare(some, 8))
    worst = max(abs(mine[t][l] - layers[l][r, 1:lengths[r] - 1].numpy()).max() / layers[l].abs().max().item()
                for r, t in enumerate(order) for l in range(3))
    print('largest difference between the sides, relative to the largest value: %.1e' % worst)

    x, w = torch.randn(64, 512), torch.randn(16384, 512)
    sgemm = rate(lambda: functional.linear(x, w), 2 * 64 * 512 * 16384) / 1e9
    print('torch sgemm, 64 x 512 x 16384: %.0f GFLOP/s' % sgemm)

    sizes = [int(n) for n in arguments.batches.split(',')]
    prepared = {n: prepare(texts, n) for n in sizes}
    seconds = {n: [] for n in ['ours'] + sizes}
    for _ in range(arguments.rounds):
        seconds['ours'].append(timed(lambda: [ours.encode(texts[at:at + 256]) for at in range(0, len(texts), 256)]))
        for n in sizes:
            seconds[n].append(timed(lambda: rival.encode(prepared[n])))
    medians = {n: statistics.median(s) for n, s in seconds.items()}
    best = min(sizes, key=lambda n: medians[n])
    work = 2 * (LAYERS * marked + WORD * distinct)
    for n in sizes:
        print('torch, batches of %d: %.0f words/s' % (n, count / medians[n]))
    print('ours: %.0f words/s, %.2fx the best of torch, %.0f GFLOP/s, %.0f %% of its sgemm' % (
        count / medians['ours'], medians[best] / medians['ours'], work / medians['ours'] / 1e9,
        100 * work / medians['ours'] / 1e9 / sgemm))

    alone = texts[:arguments.single]
    singles = prepare(alone, 1)
    mine, theirs = [], []
    for _ in range(arguments.rounds):
        mine.append(timed(lambda: [ours.encode([text]) for text in alone]))
        theirs.append(timed(lambda: rival.encode(singles)))
    words = sum(map(len, alone))
    print('one sentence at a time: torch %.0f words/s, ours %.0f, %.2fx' % (
        words / statistics.median(theirs), words / statistics.median(mine), statistics.median(theirs) / statistics.median(mine)))


main()
