# debian: numpy psycopg2 scipy
"""If this fails, tune_mix() does not find the mix of an ELMo's layers that suits the examples best.

The loss is written out here with numpy; of what the model gives for each layer, scipy's L-BFGS-B finds the best head for our mix, and the
best mix and head from several begins.  With our mix the loss is at most 0.1 % above the best.  Gradients here are differences."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib'))
import imdb
import numpy
from scipy.optimize import minimize

connection = imdb.connect()
cursor = connection.cursor()
failures = 0


def ask(query, *values):
    cursor.execute(query, values or None)
    return cursor.fetchall()


def check(name, good, detail):
    global failures
    failures += not good
    print('%-8s %s %s' % ('ok' if good else 'FAILED', name, detail))


def vectors(texts, layer):
    rows = ask("SELECT elmo_embed('mixed', t, layers => ARRAY[%s], gamma => 1)::real[] FROM unnest(%s) WITH ORDINALITY u(t, n) ORDER BY n",
               layer, texts)
    return numpy.array([row[0] for row in rows], dtype=float)


def mixed(s, layers):
    share = numpy.exp(s - s.max())
    return numpy.tensordot(share / share.sum(), layers, axes=1)


def class_loss(variables, layers, labels, s=None, gamma=None):
    """All variables, or those of the head alone."""
    count, dims = layers.shape[1:]
    kinds = labels.max() + 1
    if s is None:
        s, gamma, head = variables[:len(layers)], variables[len(layers)], variables[len(layers) + 1:]
    else:
        head = variables
    head = head.reshape(kinds, dims + 1)
    scores = gamma * mixed(s, layers) @ head[:, :-1].T + head[:, -1]
    scores -= scores.max(axis=1, keepdims=True)
    loss = (numpy.log(numpy.exp(scores).sum(axis=1)) - scores[numpy.arange(count), labels]).mean()
    return loss + ((s ** 2).sum() + (gamma - 1) ** 2 + (head[:, :-1] ** 2).sum()) / 2 / count


def pair_loss(variables, one, other, scores, s=None):
    if s is None:
        s, variables = variables[:len(one)], variables[len(one):]
    x, y = mixed(s, one), mixed(s, other)
    cosine = (x * y).sum(axis=1) / numpy.linalg.norm(x, axis=1) / numpy.linalg.norm(y, axis=1)
    return ((variables[0] * cosine + variables[1] - scores) ** 2).mean() + (s ** 2).sum() / 2 / len(scores)


def best(loss, size, begins):
    return min(minimize(loss, begin, method='L-BFGS-B', options={'maxfun': 200000, 'maxiter': 2000}).fun
               for begin in begins)


def main():
    generator = numpy.random.default_rng(1)
    words = [['river', 'water', 'boat', 'fish'], ['money', 'loan', 'cash', 'debt'], ['tree', 'leaf', 'wood', 'moss']]
    texts = [' '.join(generator.choice(words[i % 3]) if generator.random() < .8 else generator.choice(words[generator.integers(3)])
                      for _ in range(generator.integers(2, 7))) for i in range(150)]
    cursor.execute('SET embed.progress = off')
    cursor.execute('CREATE TABLE mix_texts (id integer, body text, label integer)')
    for i, text in enumerate(texts):
        cursor.execute('INSERT INTO mix_texts VALUES (%s, %s, %s)', (i, text, i % 3))
    ask('''SELECT train_elmo('mixed', 'SELECT body FROM mix_texts ORDER BY id', dims => 4, hidden => 8, filters => '{{1,4},{2,4}}', batch => 8,
        epochs => 3, min_count => 1, workers => 1, seed => 1)''')
    layers = numpy.stack([vectors(texts, layer) for layer in range(3)])
    labels = numpy.arange(len(texts)) % 3

    s = numpy.array(ask("SELECT tune_mix('mixed', 'SELECT body, label FROM mix_texts ORDER BY id')")[0][0])
    gamma = float(dict(o.split('=', 1) for o in ask("SELECT options FROM embed_models() WHERE model = 'mixed'::regclass")[0][0])['gamma'])
    size = 3 * 5
    ours = best(lambda v: class_loss(v, layers, labels, s, gamma), size, [numpy.zeros(size)])
    begins = [numpy.concatenate([generator.standard_normal(3), [1], generator.standard_normal(size) / 10]) for _ in range(4)]
    begins.append(numpy.concatenate([numpy.zeros(3), [1], numpy.zeros(size)]))
    wanted = best(lambda v: class_loss(v, layers, labels), size + 4, begins)
    check('classification', ours < wanted * 1.001, 'loss %.6f, the best %.6f' % (ours, wanted))

    pairs = [(i, (i * 5 + 1) % len(texts)) for i in range(len(texts))]
    scores = numpy.array([float(labels[i] == labels[j]) for i, j in pairs])
    s = numpy.array(ask("""SELECT tune_mix('mixed', 'SELECT a.body, b.body, (a.label = b.label)::integer FROM mix_texts a JOIN mix_texts b
        ON b.id = (a.id * 5 + 1) % 150 ORDER BY a.id', task => 'similarity')""")[0][0])
    one, other = layers, layers[:, [j for _, j in pairs]]
    ours = best(lambda v: pair_loss(v, one, other, scores, s), 2, [numpy.array([1.0, 0])])
    begins = [numpy.concatenate([generator.standard_normal(3), [1, 0]]) for _ in range(4)] + [numpy.array([0, 0, 0, 1.0, 0])]
    wanted = best(lambda v: pair_loss(v, one, other, scores), 5, begins)
    check('similarity', ours < wanted * 1.001, 'loss %.6f, the best %.6f' % (ours, wanted))
    cursor.execute('DROP TABLE mixed, mix_texts')
    sys.exit(failures > 0)


main()
