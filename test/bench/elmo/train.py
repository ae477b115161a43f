"""Training an ELMo: the pure core against a PyTorch twin, one thread, one run, the same texts, CPU seconds.

usage: train.py [--texts N] [--steps N] [--rounds N] [--dims N] [--hidden N] [--negatives N] [--batch N]

The model has the default sizes of train_elmo() and first weights.  Texts are lines of a file of words ($EMBED_DATA or
../shared/data, corpora/wiki_text8style_100MB.txt.xz), without it random words.  The twin (test/oracle/lib/elmo_train_core.py) is
bilm-tf's training in PyTorch: characters of every token by convolutions over all places, a loop over steps, sampled softmax,
autograd, Adagrad.  A second form of it computes each distinct word of a window once, as ours does.  Sides take turns, a round is
some steps of each; the figure is the median of the rounds' words per CPU second.  Wants a python that has torch.
"""

import argparse
import lzma
import os
import random
import statistics
import sys
import time

for name in 'OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'OPENBLAS_NUM_THREADS':
    os.environ.setdefault(name, '1')

import numpy
import torch

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(TOP, 'test/oracle/lib'))
import elmo_core
import elmo_train_core as core

torch.set_num_threads(1)
parser = argparse.ArgumentParser()
parser.add_argument('--texts', type=int, default=4000)
parser.add_argument('--steps', type=int, default=2)
parser.add_argument('--rounds', type=int, default=3)
parser.add_argument('--dims', type=int, default=128)
parser.add_argument('--hidden', type=int, default=512)
parser.add_argument('--negatives', type=int, default=8192)
parser.add_argument('--batch', type=int, default=128)
arguments = parser.parse_args()

OPTIONS = {'lstm': {'cell_clip': 3, 'proj_clip': 3, 'use_skip_connections': True, 'n_layers': 2, 'projection_dim': arguments.dims // 2,
                    'dim': arguments.hidden},
           'char_cnn': {'embedding': {'dim': 16}, 'n_highway': 1, 'n_characters': 261, 'max_characters_per_token': 50,
                        'activation': 'relu', 'filters': [[1, 32], [2, 32], [3, 64], [4, 128]]}}
WINDOW = 20


def corpus():
    data = os.environ.get('EMBED_DATA') or os.path.join(TOP, '../shared/data')
    path = os.path.join(data, 'corpora/wiki_text8style_100MB.txt.xz')
    if os.path.exists(path):
        with lzma.open(path, 'rt') as file:
            stream = file.read(arguments.texts * 700).split()
    else:
        print('no corpus found: random words')
        chance = random.Random(1)
        stream = [str(int(30000 * chance.random() ** 3)) for _ in range(arguments.texts * 100)]
    number, counts = {}, {}
    for word in stream:
        counts[word] = counts.get(word, 0) + 1
    words = sorted(counts, key=lambda word: -counts[word])
    number = {word: i for i, word in enumerate(words)}
    ids = [number[word] for word in stream]
    rows = [0, 1] + [3 + i if counts[word] >= 2 else 2 for i, word in enumerate(words)]
    return words, [ids[at:at + 100] for at in range(0, len(ids) - 100, 100)], rows


def twin_step(twin, adagrad, window, of_token, ids, distinct, draws, vocabulary, targets):
    read, target, begins = (torch.tensor(part).long() for part in window)
    if distinct:
        tokens, read = torch.unique(read, return_inverse=True)
    else:
        tokens = read.reshape(-1)
        read = torch.arange(len(tokens)).view(read.shape)
    wanted = torch.where(target >= 0, of_token[target.clamp(min=0)], -1)
    candidates, drawn = draws
    correction = torch.zeros(vocabulary)
    if len(candidates) < vocabulary:
        correction = torch.tensor(core.expected_log(numpy.arange(vocabulary), vocabulary, drawn), dtype=torch.float32)
    loss = twin.loss(twin.words(ids[tokens]), read, wanted, begins, torch.tensor(candidates).long(), correction)
    adagrad.zero_grad()
    (loss * WINDOW / targets).backward()
    torch.nn.utils.clip_grad_norm_(twin.parameters(), 10.0)
    adagrad.step()
    return loss.item() / targets


def main():
    library = core.build(flags=('-O3',))
    words, texts, rows = corpus()
    vocabulary = max(rows) + 1
    candidates = arguments.negatives if arguments.negatives < 0.8 * vocabulary else vocabulary
    mine = core.Core(library, OPTIONS)
    mine.first_weights(1)
    mine.prepare(texts, words, rows, vocabulary, arguments.batch, WINDOW, candidates)
    mine.table[:, :-1] = numpy.random.default_rng(1).standard_normal((vocabulary, mine.dims)) / mine.dims ** .5
    ids = core.character_ids(elmo_core.MARKS + words, 50)
    of_token = torch.tensor(rows)
    twins = {}
    for name in 'every token', 'distinct words':
        twin = core.Twin(OPTIONS, mine.tensors(), mine.table)
        twins[name] = twin, torch.optim.Adagrad(twin.parameters(), lr=0.2, initial_accumulator_value=1.0)
    print('torch %s; %d words of the softmax, %d candidates, %d lanes of %d steps' % (
        torch.__version__, vocabulary, candidates, arguments.batch, WINDOW))
    seconds = {'ours': [], **{name: [] for name in twins}}
    done = []
    for n in range(arguments.rounds + 1):
        spent, count = dict.fromkeys(seconds, 0.0), 0
        for _ in range(arguments.steps):
            window = mine.next()
            count += mine.targets // 2
            begin = time.process_time()
            loss, drawn, draws = mine.step(0.2)
            spent['ours'] += time.process_time() - begin
            for name, (twin, adagrad) in twins.items():
                begin = time.process_time()
                theirs = twin_step(twin, adagrad, window, of_token, ids, name != 'every token', (drawn, draws), vocabulary, mine.targets)
                spent[name] += time.process_time() - begin
                if abs(theirs - loss) > 1e-2:
                    print('losses differ: ours %.4f, %s %.4f' % (loss, name, theirs))
        if n > 0:
            done.append(count)
            for name in seconds:
                seconds[name].append(spent[name] / count)
    rate = {name: 1 / statistics.median(s) for name, s in seconds.items()}
    for name in twins:
        print('torch, characters of %s: %.0f words per CPU second' % (name, rate[name]))
    print('ours: %.0f words per CPU second: %.2fx of every token, %.2fx of distinct words' % (
        rate['ours'], rate['ours'] / rate['every token'], rate['ours'] / rate['distinct words']))


main()
