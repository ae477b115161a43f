# debian: numpy psycopg2
"""If this fails, a model is not turned by the orthogonal matrix of the
published Procrustes problem, or csls is not its formula.

English, and its twin: two halves of 12 MB of Wikipedia, the words of the
second one written backwards behind a mark, so that no word is common to both.
With a dictionary of 1,000 pairs and no refinement the turned vectors must
equal those of numpy's singular value decomposition to 1e-5; with refinement,
those of the same rounds computed in numpy in float64, whose dictionaries of
mutual nearest neighbours are the same but for near ties (to 5e-3).  Precision at 1
and 5 of 1,000 other words is printed, by cosine and by csls."""

import lzma
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib'))
import imdb
import numpy

DATA = os.environ.get('EMBED_DATA') or os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../../shared/data')
PLACE = os.path.join(DATA, 'corpora/wiki_text8style_100MB.txt.xz')
BYTES, DIMS, GIVEN, ASKED, NEIGHBOURS, MOST = 6000000, 50, 1000, 1000, 10, 15000
if not os.path.exists(PLACE):
    print('no corpus at %s: set EMBED_DATA' % PLACE)
    sys.exit(77)

connection = imdb.connect()
cursor = connection.cursor()
report = imdb.Report()


def one(statement, *arguments):
    cursor.execute(statement, arguments)
    return cursor.fetchone()[0]


def units(matrix):
    return matrix / numpy.linalg.norm(matrix, axis=1, keepdims=True)


def table(name):
    cursor.execute('SELECT word, vector::real[] FROM %s WHERE id > 0 ORDER BY id' % name)
    rows = cursor.fetchall()
    return [row[0] for row in rows], numpy.array([row[1] for row in rows], dtype=float)


def procrustes(x, y):
    u, _, v = numpy.linalg.svd(y.T @ x)
    return u @ v


def neighbourhoods(scores):
    return numpy.partition(scores, -NEIGHBOURS, axis=1)[:, -NEIGHBOURS:].mean(axis=1)


def mutual(x, y):
    """Pairs of each other's nearest by csls, and the mean of the best csls of x."""
    scores = x @ y.T
    near_x, near_y = neighbourhoods(scores), neighbourhoods(scores.T)
    csls = 2 * scores - near_x[:, None] - near_y[None, :]
    best, back = csls.argmax(axis=1), csls.argmax(axis=0)
    rows = numpy.arange(len(x))
    return [(int(i), int(best[i])) for i in rows[back[best] == rows]], csls.max(axis=1).mean()


def refined(x, y, pairs, rounds):
    """The rounds of align_models, in float64."""
    index = numpy.array(pairs)
    rotation = procrustes(x[index[:, 0]], y[index[:, 1]])
    found, best = mutual(x[:MOST] @ rotation.T, y[:MOST])
    for _ in range(rounds):
        index = numpy.array(found + pairs)
        other = procrustes(x[index[:, 0]], y[index[:, 1]])
        found, quality = mutual(x[:MOST] @ other.T, y[:MOST])
        if quality <= best:
            break
        rotation, gain, best = other, quality - best, quality
        if gain < 1e-6:
            break
    return rotation


def precision(name, similarity, count):
    """Of the words asked for, how many have their twin among the nearest."""
    source = ", 'csls', '%s'" % name if similarity == 'csls' else ''
    return one("SELECT avg((EXISTS (SELECT FROM nearest_words('align_twin', word_vector('%s', a), %d%s) n "
               "WHERE n.word = b))::int)::float8 FROM align_asked" % (name, count, source))


with lzma.open(PLACE) as file:
    text = file.read(2 * BYTES).decode()
halves = [[' '.join(chunk) for chunk in numpy.array_split(numpy.array(half.split()), 1000)]
          for half in (text[:BYTES], text[BYTES:])]
halves[1] = [' '.join('x' + word[::-1] for word in line.split()) for line in halves[1]]
cursor.execute('SET embed.progress = off')
cursor.execute('DROP TABLE IF EXISTS align_english, align_twin, align_none, align_best, align_alike, align_given, align_asked, align_text')
cursor.execute('CREATE TABLE align_text (half integer, body text)')
for half in (0, 1):
    cursor.execute('INSERT INTO align_text SELECT %s, body FROM unnest(%s) AS body', (half, halves[half]))
for half, name in enumerate(('align_english', 'align_twin')):
    one("SELECT train_word2vec(%s, %s, dims => %s, seed => %s, workers => 1, epochs => 3)", name,
        'SELECT body FROM align_text WHERE half = %d' % half, DIMS, half)
words, x = table('align_english')
twins, y = table('align_twin')
x, y = units(x), units(y)
number = {word: i for i, word in enumerate(twins)}
common = [(i, number['x' + word[::-1]]) for i, word in enumerate(words) if 'x' + word[::-1] in number]
given, asked = common[200:200 + GIVEN], common[200 + GIVEN:200 + GIVEN + ASKED]
cursor.execute('CREATE TABLE align_given (a text, b text)')
cursor.execute('CREATE TABLE align_asked (a text, b text)')
for name, pairs in (('align_given', given), ('align_asked', asked)):
    cursor.execute('INSERT INTO %s SELECT * FROM unnest(%%s, %%s)' % name, ([words[i] for i, _ in pairs], [twins[j] for _, j in pairs]))

for name, rounds in (('align_none', 0), ('align_best', 5)):
    one("SELECT align_models(%s, 'align_english', 'align_twin', 'SELECT a, b FROM align_given', refine => %s)", name, rounds)
    turned = units(table(name)[1])
    index = numpy.array(given)
    rotation = procrustes(x[index[:, 0]], y[index[:, 1]]) if rounds == 0 else refined(x, y, given, rounds)
    worst = numpy.abs(turned - x @ rotation.T).max()
    limit = 1e-5 if rounds == 0 else 5e-3
    report.line('%d rounds: vectors as of numpy' % rounds, worst <= limit, 'largest difference %.1e' % worst)
    found = {key: precision(name, *key) for key in (('cosine', 1), ('cosine', 5), ('csls', 1), ('csls', 5))}
    report.line('%d rounds: translations' % rounds, found['csls', 1] >= 0.1,
                'precision@1 %.3f, @5 %.3f; by csls @1 %.3f, @5 %.3f' % tuple(found.values()))

# csls of some words with all of the other side
scores = units(table('align_best')[1]) @ y.T
near_x, near_y = neighbourhoods(scores), neighbourhoods(scores.T)
worst, order = 0.0, 0
for i, _ in asked[:40]:
    cursor.execute("SELECT word, similarity FROM nearest_words('align_twin', word_vector('align_best', %s), 10, 'csls', 'align_best')",
                   (words[i],))
    expected = 2 * scores[i] - near_x[i] - near_y
    for (word, similarity), best in zip(cursor.fetchall(), numpy.sort(expected)[::-1]):
        worst = max(worst, abs(similarity - expected[number[word]]), abs(similarity - best))
report.line('csls', worst <= 1e-5, 'largest difference %.1e, of words or of ranks' % worst)
cursor.execute('DROP TABLE align_english, align_twin, align_none, align_best, align_given, align_asked, align_text')
report.finish()
