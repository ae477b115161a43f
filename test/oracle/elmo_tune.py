# debian: numpy psycopg2
"""If this fails, the weights of an ELMo take other steps in tuning than PyTorch's, or the tuned model is not what was tuned.

A small ELMo trained here, its folder read by h5py, and a twin of it in PyTorch (lib/elmo_train_core.py): the same vectors within
1e-5.  Then all pairs in one batch, so that nothing depends on an order, some steps of AdamW on sentence-transformers' ranking
loss and on cosines to scores: projections, all weights, and all but those of characters; pooling by mean and by first and
last word, a mix of the model's own, a start state, batches in one piece and in pieces.  What moved stays within 1 % of how far it went of
the twin's, or of what the twin in float32 is off the one in float64; all else is the base's, bit for bit.

Wants an environment with torch and h5py: EMBED_TORCH names its python, else the python at hand is tried."""

import os
import sys

if os.environ.get('EMBED_TORCH') and not os.environ.get('EMBED_TORCH_TRIED'):
    os.environ['EMBED_TORCH_TRIED'] = '1'
    os.execv(os.environ['EMBED_TORCH'], [os.environ['EMBED_TORCH']] + sys.argv)

try:
    import h5py
    import numpy
    import psycopg2
    import torch
except ImportError as missing:
    print('the package %s is missing: set EMBED_TORCH to a python that has torch and h5py' % missing.name)
    sys.exit(77)

import io
import json
import random

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib'))
import elmo_train_core as core
from tuning_core import no_negatives
from torch.nn.functional import cosine_similarity, cross_entropy, normalize

seed = int(os.environ.get('EMBED_SEED') or random.randrange(1 << 30))
print('EMBED_SEED=%d' % seed)
random.seed(seed)
torch.set_num_threads(1)
connection = psycopg2.connect('')
connection.autocommit = True
cursor = connection.cursor()
cursor.execute("SET client_min_messages = error; SET embed.progress = off; SET maintenance_work_mem = '256MB'")
failures = 0
vocabulary = ['river', 'water', 'boat', 'money', 'loan', 'debt', 'bank', 'fish', 'été', 'streams', 'a', 'overflowing']
pairs = [[' '.join(random.choices(vocabulary, k=random.randint(1, 9))) for _ in (0, 1)] for _ in range(14)]
scores = [random.random() for _ in pairs]
texts = [text for pair in pairs for text in pair]
EPOCHS, RATE = 6, 0.002
MOVES = {'projections': lambda name: name.startswith('CNN_proj/') or name.endswith('/W_P_0'), 'full': lambda name: True,
         'frozen': lambda name: name.startswith('RNN_')}


def check(name, good, detail=''):
    global failures
    failures += not good
    print('%-8s %s %s' % ('ok' if good else 'FAILED', name, detail), flush=True)


def files_of(name):
    cursor.execute('SELECT name, data FROM model_files(%s)', (name,))
    return {file: bytes(data) for file, data in cursor.fetchall()}


def tensors_of(name):
    found = {}

    def take(path, item):
        if isinstance(item, h5py.Dataset):
            found[path] = item[()]

    with h5py.File(io.BytesIO(files_of(name)['weights.hdf5']), 'r') as file:
        file.visititems(take)
    return found


def option(name, wanted, default):
    cursor.execute('SELECT options FROM embed_models() WHERE model = %s::regclass', (name,))
    return dict(entry.split('=', 1) for entry in cursor.fetchone()[0]).get(wanted, default)


def ours(name):
    cursor.execute('SELECT embed(%s, t)::real[] FROM unnest(%s) WITH ORDINALITY u(t, n) ORDER BY n', (name, texts))
    return numpy.array([row[0] for row in cursor.fetchall()], dtype=float)


class Tuned:
    """A base with its mix, pooling and start state, as a twin"""

    def __init__(self, name, dtype):
        self.options = json.loads(files_of(name)['options.json'])
        self.twin = core.Twin(self.options, tensors_of(name), numpy.zeros((1, 1)), dtype)
        self.dtype = dtype
        self.layers = self.options['lstm']['n_layers']
        weights = [float(x) for x in option(name, 'layer_weights', ','.join(['0'] * (self.layers + 1))).split(',')]
        self.share = float(option(name, 'gamma', 1)) * torch.softmax(torch.tensor(weights, dtype=dtype), 0)
        self.pooling = option(name, 'pooling', 'mean')
        start = files_of(name).get('warm_state.f32')
        self.start = None if start is None else numpy.frombuffer(start[8:], dtype='<f4')

    def vector(self, text):
        words = text.split()
        ids = core.character_ids(['<S>'] + words + ['</S>'], self.options['char_cnn']['max_characters_per_token'])
        first = self.twin.words(ids)
        halves, at = [], 0
        for direction, order in enumerate([range(len(words) + 1), range(len(words) + 1, 0, -1)]):
            x = first[list(order)][:, None]
            keep = torch.ones(len(x), 1, 1, dtype=self.dtype)
            mixed = self.share[0] * x
            for l in range(self.layers):
                state = []
                for n in self.options['lstm']['dim'], self.options['lstm']['projection_dim']:
                    state.append(torch.zeros(1, n, dtype=self.dtype) if self.start is None else
                                 torch.tensor(self.start[at:at + n], dtype=self.dtype)[None])
                    at += n
                self.twin.states[direction, l] = tuple(state)
                x = self.twin.layer(direction, l, x, keep)
                mixed = mixed + self.share[l + 1] * x
            halves.append(mixed[1:, 0].mean(dim=0) if self.pooling == 'mean' else mixed[-1, 0])
        return torch.cat(halves)

    def vectors(self):
        return torch.stack([self.vector(text) for text in texts])

    def steps(self, moves, loss):
        moving = {name: tensor for name, tensor in self.twin.t.items() if MOVES[moves](name)}
        optimizer = torch.optim.AdamW([{'params': [t for t in moving.values() if t.dim() == 1], 'weight_decay': 0.0},
                                       {'params': [t for t in moving.values() if t.dim() > 1], 'weight_decay': 0.01}], lr=RATE)
        for step in range(EPOCHS):
            for group in optimizer.param_groups:
                group['lr'] = RATE * (EPOCHS - step) / EPOCHS
            anchors, others = self.vectors().reshape(len(pairs), 2, -1).unbind(1)
            if loss == 'cosine_similarity':
                value = ((cosine_similarity(anchors, others) - torch.tensor(scores, dtype=self.dtype)) ** 2).mean()
            else:
                ranked = 20 * normalize(anchors) @ normalize(others).T
                value = cross_entropy(ranked.masked_fill(torch.from_numpy(no_negatives(pairs)), -torch.inf), torch.arange(len(pairs)))
            optimizer.zero_grad()
            value.backward()
            torch.nn.utils.clip_grad_norm_(list(moving.values()), 1.0)
            optimizer.step()
        return self.vectors().detach().numpy()


def compare(base, moves, loss):
    name = '%s, %s, %s' % (base, moves, loss)
    before = ours(base)
    cursor.execute('DROP TABLE IF EXISTS elmo_tuned')
    cursor.execute("""SELECT tune_model('elmo_tuned', %s, %s, method => %s, loss => %s, frozen_embeddings => %s, epochs => %s, batch => %s,
        learning_rate => %s, warmup => 0, held_out => 0, seed => 1)""",
                   (base, 'TABLE elmo_scores' if loss == 'cosine_similarity' else 'TABLE elmo_pairs',
                    'full' if moves == 'frozen' else moves, loss, moves == 'frozen', EPOCHS, len(pairs), RATE))
    exact, rounded = (Tuned(base, dtype).steps(moves, loss) for dtype in (torch.float64, torch.float32))
    got = ours('elmo_tuned')
    moved, worst, inherent = (abs(a - exact).max() for a in (before, got, rounded))
    check(name, moved > 1e-4 and worst < max(0.01 * moved, 4 * inherent),
          'moved %.1e, differs by %.1e, PyTorch in float32 by %.1e' % (moved, worst, inherent))
    old, new = tensors_of(base), tensors_of('elmo_tuned')
    check(name + ': tensors', old.keys() == new.keys() and
          all(numpy.array_equal(old[t], new[t]) != MOVES[moves](t) for t in old))
    old, new = files_of(base), files_of('elmo_tuned')
    check(name + ': files', old.keys() == new.keys() and all(old[f] == new[f] for f in old if f != 'weights.hdf5'))


cursor.execute('DROP TABLE IF EXISTS elmo_pairs, elmo_scores, elmo_plain, elmo_mixed, elmo_tuned')
cursor.execute('CREATE TABLE elmo_pairs (anchor text, positive text)')
cursor.execute('CREATE TABLE elmo_scores (sentence1 text, sentence2 text, score float8)')
for pair, score in zip(pairs, scores):
    cursor.execute('INSERT INTO elmo_pairs VALUES (%s, %s)', pair)
    cursor.execute('INSERT INTO elmo_scores VALUES (%s, %s, %s)', (*pair, score))
for base, layers in ('elmo_plain', 2), ('elmo_mixed', 1):
    cursor.execute("""SELECT train_elmo(%s, 'SELECT anchor FROM elmo_pairs UNION ALL SELECT positive FROM elmo_pairs', dims => 16,
        hidden => 20, layers => %s, filters => '{{1,4},{2,6},{3,6}}', min_count => 1, epochs => 20, batch => 4, window_size => 6,
        held_out => 0, workers => 1, seed => %s)""", (base, layers, seed))
for name, value in ('pooling', 'first_last'), ('layer_weights', '0.5, -0.3'), ('gamma', '1.7'):
    cursor.execute("SELECT set_model_option('elmo_mixed', %s, %s)", (name, value))
cursor.execute("SELECT elmo_warm_state('elmo_mixed', 'SELECT anchor FROM elmo_pairs')")
for base in 'elmo_plain', 'elmo_mixed':
    worst = abs(Tuned(base, torch.float64).vectors().detach().numpy() - ours(base)).max()
    check(base, worst < 1e-5, 'vectors within %.1e' % worst)
    for moves in MOVES:
        for loss in 'multiple_negatives_ranking', 'cosine_similarity':
            compare(base, moves, loss)
for kilobytes in range(1024, 65536, 32):    # the first that is enough has one lane
    cursor.execute("SET maintenance_work_mem = '%dkB'" % kilobytes)
    try:
        compare('elmo_plain', 'projections', 'multiple_negatives_ranking')
        break
    except psycopg2.errors.OutOfMemory:
        pass
print('in pieces: %d kB' % kilobytes)
cursor.execute('DROP TABLE IF EXISTS elmo_pairs, elmo_scores, elmo_plain, elmo_mixed, elmo_tuned')
sys.exit(failures > 0)
