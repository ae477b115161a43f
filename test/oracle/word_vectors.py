# debian: gensim numpy psycopg2
"""If this fails, an imported file of word vectors differs from what gensim
makes of it.

The real files of EMBED_DATA, through large objects: every word and every value
equal to gensim's in memory (fastText's composed vectors within 1e-6, unknown
words included), and exported files read back by gensim are equal again."""

import os
import sys
import tempfile

import numpy
import psycopg2
from gensim.models import KeyedVectors
from gensim.models.fasttext import load_facebook_vectors

folder = os.path.join(os.environ['EMBED_DATA'], 'vectors')
connection = psycopg2.connect('')
connection.autocommit = False
cursor = connection.cursor()
failures = 0


def check(name, good, detail=''):
    global failures
    failures += not good
    print('%-8s %s %s' % ('ok' if good else 'FAILED', name, detail))


def import_file(model, path):
    loaded = connection.lobject(0, 'wb', 0, path)
    cursor.execute('SELECT import_word_vectors(%s, large_object => %s)', (model, loaded.oid))
    loaded.unlink()
    cursor.execute('SELECT word, vector::real[]::text FROM %s WHERE word IS NOT NULL ORDER BY id' % model)
    rows = cursor.fetchall()
    words = [row[0] for row in rows]
    values = numpy.array([row[1][1:-1].split(',') for row in rows], dtype=float)
    return words, values.astype(numpy.float32)


for model, name, options in (
        ('emoji', 'emoji2vec.bin', {'binary': True}),
        ('glove', 'glove.6B.50d.subset5403.txt', {'binary': False, 'no_header': True}),
        ('vec', os.path.join('fasttext', 'lee_fasttext.vec'), {'binary': False})):
    path = os.path.join(folder, name)
    theirs = KeyedVectors.load_word2vec_format(path, **options)
    words, values = import_file(model, path)
    check(name + ' words', words == theirs.index_to_key, '%d' % len(words))
    check(name + ' values', numpy.array_equal(values, theirs.vectors))

    cursor.execute('SELECT export_word_vectors(%s)', (model,))
    exported = connection.lobject(cursor.fetchone()[0])
    with tempfile.NamedTemporaryFile() as file:
        exported.export(file.name)
        again = KeyedVectors.load_word2vec_format(file.name, binary=True)
    check(name + ' exported', again.index_to_key == words and numpy.array_equal(again.vectors, values))

path = os.path.join(folder, 'fasttext', 'lee_fasttext_new.bin')
theirs = load_facebook_vectors(path)
words, values = import_file('fasttext', path)
check('fastText .bin words', words == theirs.index_to_key, '%d' % len(words))
known = numpy.array([theirs[word] for word in words if word != '</s>'])
ours = values[[i for i, word in enumerate(words) if word != '</s>']]
worst = numpy.abs(known - ours).max()
check('fastText .bin values', worst < 1e-6, 'worst %.2g' % worst)
worst = 0
for word in ('hundredth', 'nights', 'thoroughness', 'caf\u00e9s', 'x', 'rechargeable'):
    assert word not in theirs.key_to_index
    cursor.execute("SELECT word_vector('fasttext', %s)::real[]", (word,))
    worst = max(worst, numpy.abs(numpy.array(cursor.fetchone()[0]) - theirs[word]).max())
check('fastText .bin, unknown words', worst < 1e-6, 'worst %.2g' % worst)
cursor.execute("SELECT occurrences FROM fasttext WHERE word = 'the'")
check('fastText .bin, occurrences', cursor.fetchone()[0] == theirs.get_vecattr('the', 'count'))
sys.exit(failures > 0)
