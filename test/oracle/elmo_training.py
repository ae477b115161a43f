"""If this fails, an ELMo is trained with gradients that are not those of its loss, or in other steps than its definition says.

Random models of every form, in float64: the loss and the gradient of every weight against PyTorch's autograd, within 1e-4 of
the larger of the tensor's largest and 1e-6 (they differ by 1e-10 or so).  The same of vectors of texts, the sum over
layers and words that tune_model takes, whichever weights move.  A small model in floats, 200 steps with the
candidates of the sampled softmax that our side drew: every loss within 1e-3 of a PyTorch twin's that begins with the same
weights and reads the same windows, which are those of a plain Python definition; and every step of several members, in
groups of lanes, within 1e-6 of one member's from equal weights.

Wants an environment with torch: EMBED_TORCH names its python, else the python at hand is tried."""

import os
import sys

if os.environ.get('EMBED_TORCH') and not os.environ.get('EMBED_TORCH_TRIED'):
    os.environ['EMBED_TORCH_TRIED'] = '1'
    os.execv(os.environ['EMBED_TORCH'], [os.environ['EMBED_TORCH']] + sys.argv)

try:
    import numpy
    import torch
except ImportError as missing:
    print('the package %s is missing: set EMBED_TORCH to a python that has torch' % missing.name)
    sys.exit(77)

import random

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib'))
import elmo_core
import elmo_train_core as core

torch.set_num_threads(1)
failures = 0
WORDS = elmo_core.MARKS + ['the', 'bank', 'of', 'a', 'river', '', 'été', '日本語', 'x' * 60, 'é' * 30]


def check(name, good, detail=''):
    global failures
    failures += not good
    if not good or os.environ.get('EMBED_VERBOSE'):
        print('%-8s %s %s' % ('ok' if good else 'FAILED', name, detail), flush=True)


def gradients(library, seed):
    chance = random.Random(seed)
    generator = numpy.random.default_rng(seed)
    options = elmo_core.random_options(chance)
    lanes, steps, rows = chance.choice([1, 3, 8]), chance.choice([1, 4, 9]), chance.choice([5, 40])
    candidates = chance.choice([1, rows // 2, rows])
    mine = core.Core(library, options, double=True)
    for name, values in elmo_core.random_tensors(options, seed).items():
        mine.tensors()[name][...] = values
    shape = (2, steps, lanes)
    read = generator.integers(0, len(WORDS), shape, dtype=numpy.int32)
    target = generator.integers(-1, rows, shape, dtype=numpy.int32)
    begins = numpy.repeat(generator.integers(0, 4, (1, *shape[1:])) == 0, 2, axis=0).astype(numpy.uint8)
    table = generator.standard_normal((rows, mine.dims + 1))
    lstm = options['lstm']
    twin = core.Twin(options, mine.tensors(), table, torch.float64)
    states = []
    for direction in 0, 1:
        for l in range(lstm['n_layers']):
            state = [generator.standard_normal((lanes, n)) / 4 for n in (lstm['dim'], lstm['projection_dim'])]
            twin.states[direction, l] = tuple(torch.tensor(s) for s in state)
            states += [s.ravel() for s in state]
    states = numpy.concatenate(states)
    loss, by_weight, by_row = mine.window(lanes, steps, WORDS, read, target, begins, candidates, table, states)
    first = twin.words(core.character_ids(WORDS, options['char_cnn']['max_characters_per_token']))
    theirs = twin.loss(first, torch.tensor(read).long(), torch.tensor(target).long(), torch.tensor(begins),
                       torch.arange(candidates), torch.zeros(rows, dtype=torch.float64))
    if (target >= 0).any():
        theirs.backward()
        theirs = theirs.item()
    name = 'gradients %d' % seed
    check(name + ': loss', abs(loss - theirs) < 1e-9 * max(1, abs(loss)), '%g, %g' % (loss, theirs))
    for tensor, values in [*mine.tensors(by_weight).items(), ('softmax', by_row)]:
        wanted = (twin.table if tensor == 'softmax' else twin.t[tensor]).grad
        wanted = numpy.zeros_like(values) if wanted is None else wanted.numpy()
        worst = abs(values - wanted).max() / max(1e-6, abs(wanted).max())
        check('%s: %s' % (name, tensor), worst < 1e-4, 'differs by %.1e' % worst)
    ends = numpy.concatenate([s.numpy().ravel() for direction in (0, 1) for l in range(lstm['n_layers'])
                              for s in twin.states[direction, l]])
    check(name + ': states', abs(states - ends).max() < 1e-10)


MOVES = [lambda name: name.startswith('CNN_proj/') or name.endswith('/W_P_0'), lambda name: name.startswith('RNN_'), lambda name: True]


def vectors(library, seed):
    chance = random.Random(seed)
    generator = numpy.random.default_rng(seed)
    options = elmo_core.random_options(chance)
    lanes, steps, count = chance.choice([1, 3, 8]), chance.choice([1, 4, 9]), chance.choice([1, 3])
    mine = core.Core(library, options, double=True)
    for name, values in elmo_core.random_tensors(options, seed).items():
        mine.tensors()[name][...] = values
    lstm = options['lstm']
    shape = (2, steps, lanes)
    read = generator.integers(0, len(WORDS), shape, dtype=numpy.int32)
    begins = numpy.zeros(shape, dtype=numpy.uint8)
    begins[:, 0] = generator.integers(0, 2)
    vector = generator.integers(-1, count, lanes, dtype=numpy.int32)
    weight = generator.standard_normal(shape) * generator.integers(0, 2, shape)
    share = generator.standard_normal(lstm['n_layers'] + 1)
    start = generator.standard_normal(2 * lstm['n_layers'] * (lstm['dim'] + lstm['projection_dim'])) / 4 \
        if chance.random() < .5 else None
    slopes = generator.standard_normal((count, 2 * lstm['projection_dim']))
    for which, moves in enumerate(MOVES):
        twin = core.Twin(options, mine.tensors(), numpy.zeros((1, 1)), torch.float64)
        at = 0
        for direction in 0, 1:
            for l in range(lstm['n_layers']):
                state = []
                for n in lstm['dim'], lstm['projection_dim']:
                    state.append(torch.zeros(lanes, n, dtype=torch.float64) if start is None else
                                 torch.tensor(start[at:at + n]).repeat(lanes, 1))
                    at += n
                twin.states[direction, l] = tuple(state)
        got, by_weight = mine.pool(lanes, steps, WORDS, read, begins, vector, weight, share, start, slopes, which)
        first = twin.words(core.character_ids(WORDS, options['char_cnn']['max_characters_per_token']))
        theirs = twin.pool(first, torch.tensor(read).long(), torch.tensor(begins), torch.tensor(vector).long(),
                           torch.tensor(weight), torch.tensor(share), count)
        (theirs * torch.tensor(slopes)).sum().backward()
        theirs = theirs.detach().numpy()
        name = 'vectors %d, moving %d' % (seed, which)
        check(name, abs(got - theirs).max() < 1e-9 * max(1, abs(theirs).max()), 'differ by %.1e' % abs(got - theirs).max())
        for tensor, values in mine.tensors(by_weight).items():
            wanted = twin.t[tensor].grad
            wanted = numpy.zeros_like(values) if wanted is None or not moves(tensor) else wanted.numpy()
            worst = abs(values - wanted).max() / max(1e-6, abs(wanted).max())
            check('%s: %s' % (name, tensor), worst < 1e-4, 'differs by %.1e' % worst)


# few words and features: a maximum, or a relu, that turns by a rounding apart changes the gradient of a step, and then the curves
# go apart (2e-3 in 200 steps were seen with 48 features of 300 words), though every step from equal weights is equal
OPTIONS = {'lstm': {'cell_clip': 3, 'proj_clip': 3, 'use_skip_connections': True, 'n_layers': 2, 'projection_dim': 12, 'dim': 40},
           'char_cnn': {'embedding': {'dim': 8}, 'n_highway': 0, 'n_characters': 261, 'max_characters_per_token': 20,
                        'activation': 'tanh', 'filters': [[1, 4], [2, 6], [3, 10]]}}


def windows_of(texts, lanes, steps):
    """What the lanes read, by the definition: (token, target) of both directions, and begins."""
    left, busy = iter(texts), [None] * lanes
    while True:
        window, any_read = [[None] * lanes for _ in range(steps)], False
        for lane in range(lanes):
            for s in range(steps):
                if not busy[lane]:
                    text = next(left, None)
                    if text is None:
                        window[s][lane] = ((0, -1), (1, -1), 1)
                        continue
                    tokens = [0] + [t + 2 for t in text] + [1]
                    pairs = list(zip(tokens, tokens[1:]))
                    back = list(zip(tokens[::-1], tokens[::-1][1:]))
                    busy[lane] = [(f, b, int(i == 0)) for i, (f, b) in enumerate(zip(pairs, back))]
                window[s][lane] = busy[lane].pop(0)
                any_read = True
        if not any_read:
            return
        yield window


def corpus(seed, vocabulary=120, texts=1500):
    """Texts in which a word depends on the one before."""
    generator = numpy.random.default_rng(seed)
    words = [''.join(generator.choice(list('etaoinshrdlu'), generator.integers(1, 9))) + str(i) for i in range(vocabulary)]
    result = []
    for _ in range(texts):
        text = [int(vocabulary * generator.random() ** 3)]
        length = generator.integers(1, 60)
        while len(text) < length:
            text.append((text[-1] * 7 + int(20 * generator.random() ** 2)) % vocabulary)
        result.append(text)
    return words, result


def trained(library, lanes, steps, candidates, members=1, group=1000, dropout=0.0):
    words, texts = corpus(5)
    rows = [0, 1] + [2] * len(words)
    for w in range(len(words) - 20):
        rows[2 + w] = 3 + w
    mine = core.Core(library, OPTIONS)
    mine.first_weights(3)
    mine.prepare(texts, words, rows, max(rows) + 1, lanes, steps, candidates, members, group, dropout)
    mine.table[:, :-1] = numpy.random.default_rng(3).standard_normal((len(mine.table), mine.dims)) / 4
    return words, texts, rows, mine


def members(library, count, group, dropout):
    """Steps of several members are those of one."""
    one = trained(library, 16, 10, 50, dropout=dropout)[-1]
    several = trained(library, 16, 10, 50, count, group, dropout)[-1]
    for n in range(20):
        for name in 'weights', 'sums', 'table', 'table_sums':
            getattr(several, name)[...] = getattr(one, name)
        one.next()
        several.next()
        losses = one.step(0.2)[0], several.step(0.2)[0]
        worst = max(abs(getattr(one, name) - getattr(several, name)).max() for name in ('weights', 'table'))
        check('%d members, groups of %d, step %d' % (count, group, n), worst < 1e-6 and abs(losses[0] - losses[1]) < 1e-6,
              'differ by %.1e, losses %r' % (worst, losses))


def curve(library, candidates):
    lanes, steps, rate = 16, 10, 0.1
    words, texts, rows, mine = trained(library, lanes, steps, candidates)
    vocabulary = len(mine.table)
    twin = core.Twin(OPTIONS, mine.tensors(), mine.table)
    adagrad = torch.optim.Adagrad(twin.parameters(), lr=rate, initial_accumulator_value=1.0)
    ids = core.character_ids(elmo_core.MARKS + words, 20)
    of_token = torch.tensor(rows)
    name = '%d candidates' % candidates
    defined = windows_of(texts, lanes, steps)
    worst, first_loss = 0, None
    for n in range(200):
        window = mine.next()
        if window is None:
            check(name + ': texts for 200 steps', False)
            return
        read, target, begins = window
        want = next(defined)
        check('%s: window %d' % (name, n), all(
            (read[d, s, lane], target[d, s, lane]) == want[s][lane][d] and begins[d, s, lane] == want[s][lane][2]
            for d in (0, 1) for s in range(steps) for lane in range(lanes)))
        loss, drawn, draws = mine.step(rate)
        correction = numpy.zeros(vocabulary)
        if candidates < vocabulary:
            correction = core.expected_log(numpy.arange(vocabulary), vocabulary, draws)
        wanted = torch.tensor(target).long()
        wanted = torch.where(wanted >= 0, of_token[wanted.clamp(min=0)], -1)
        total = twin.loss(twin.words(ids), torch.tensor(read).long(), wanted, torch.tensor(begins),
                          torch.tensor(drawn).long(), torch.tensor(correction, dtype=torch.float32))
        adagrad.zero_grad()
        (total * steps / mine.targets).backward()
        torch.nn.utils.clip_grad_norm_(twin.parameters(), 10.0)
        adagrad.step()
        theirs = total.item() / mine.targets
        first_loss = first_loss or theirs
        worst = max(worst, abs(loss - theirs))
    check(name + ': losses of 200 steps', worst < 1e-3, 'differ by %.1e' % worst)
    check(name + ': losses fall', loss < first_loss - 0.1, 'from %.2f to %.2f' % (first_loss, loss))
    print('%s: losses from %.3f to %.3f, at most %.1e apart' % (name, first_loss, loss, worst))


def main():
    seed = int(os.environ.get('EMBED_SEED') or random.randrange(1 << 30))
    print('EMBED_SEED=%d' % seed)
    library = core.build(double=True)
    for i in range(100 if os.environ.get('EMBED_LONG') else 25):
        gradients(library, seed + i)
        vectors(library, seed + i)
    library = core.build()
    members(library, 3, 2, 0.0)
    members(library, 4, 1000, 0.2)
    members(library, 1, 5, 0.2)
    curve(library, 50)
    curve(library, 103)
    print('%d failures' % failures)
    sys.exit(failures > 0)


if __name__ == '__main__':
    main()
