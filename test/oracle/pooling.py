# debian: numpy psycopg2
"""If this fails, the vector of a text is not what the public formula makes of
the same words' vectors.

Word vectors are trained on IMDB reviews and read back; then numpy pools the
first 300 reviews by each formula, in double precision, and embed() must agree
to 1e-5: the mean, the mean weighted by scikit-learn's smooth idf, and the
weights of smooth inverse frequency (Arora, Liang and Ma, ICLR 2017, a = 0.001,
without the removal of a common component).  Words are scikit-learn's: runs of
\\w, lower case.  With subwords an unknown word is the mean of its n-grams'
vectors, hashed here as fastText hashes them."""

import lzma
import os
import re
import sys

import numpy
import psycopg2

A = 0.001
FIRST_BUCKET = 1000000000
connection = psycopg2.connect('')
connection.autocommit = True
cursor = connection.cursor()
failures = 0


def check(name, good, detail=''):
    global failures
    failures += not good
    print('%-8s %s %s' % ('ok' if good else 'FAILED', name, detail))


def vectors_of(rows):
    return numpy.array([row[-1][1:-1].split(',') for row in rows], dtype=numpy.float32).astype(float)


def ngrams(word, min_n, max_n, buckets):
    """fastText's buckets: FNV-1a over sign-extended bytes of UTF-8."""
    marked = '<' + word + '>'
    for start in range(len(marked)):
        for n in range(min_n, max_n + 1):
            gram = marked[start:start + n]
            if len(gram) < n or n == 1 and (start == 0 or start + n == len(marked)):
                continue
            value = 2166136261
            for byte in gram.encode():
                value ^= byte if byte < 128 else byte | 0xFFFFFF00
                value = value * 16777619 & 0xFFFFFFFF
            yield value % buckets


class Model:
    def __init__(self, name):
        self.name = name
        cursor.execute('SELECT word, documents, occurrences, vector::real[]::text FROM %s WHERE word IS NOT NULL' % name)
        rows = cursor.fetchall()
        self.ids = {row[0]: i for i, row in enumerate(rows)}
        self.documents = numpy.array([row[1] for row in rows], dtype=float)
        self.vectors = vectors_of(rows)
        cursor.execute('SELECT documents, occurrences FROM %s WHERE id = 0' % name)
        self.all_documents, occurrences = cursor.fetchone()
        self.share = numpy.array([row[2] for row in rows], dtype=float) / occurrences
        self.idf = numpy.log((1 + self.all_documents) / (1 + self.documents)) + 1
        cursor.execute('SELECT id, vector::real[]::text FROM %s WHERE id >= %d' % (name, FIRST_BUCKET))
        rows = cursor.fetchall()
        self.buckets = dict(zip((row[0] - FIRST_BUCKET for row in rows), vectors_of(rows))) if rows else None

    def word(self, word):
        """Vector and the weights of each pooling, or None."""
        if word in self.ids:
            i = self.ids[word]
            return self.vectors[i], (1, self.idf[i], A / (A + self.share[i]))
        if self.buckets is None:
            return None
        grams = [self.buckets[b] for b in ngrams(word, 3, 6, BUCKETS) if b in self.buckets]
        if not grams:
            return None
        return numpy.mean(grams, axis=0), (1, numpy.log(1 + self.all_documents) + 1, 1)

    def pool(self, text):
        """By mean, tfidf, sif; None where nothing is known."""
        known = [w for w in map(self.word, re.findall(r'\w+', text.lower())) if w is not None]
        if not known:
            return None
        vectors = numpy.array([vector for vector, _ in known])
        weights = numpy.array([weight for _, weight in known])
        sums = weights.T @ vectors
        return sums[0] / len(known), sums[1] / weights[:, 1].sum(), sums[2] / len(known)


def compare(model, texts):
    model = Model(model)
    for which, pooling in enumerate(('mean', 'tfidf', 'sif')):
        worst = 0
        known = True
        for text in texts:
            cursor.execute('SELECT embed(%s, %s, pooling => %s)::real[]', (model.name, text, pooling))
            ours = cursor.fetchone()[0]
            theirs = model.pool(text)
            if ours is None or theirs is None:
                known &= ours is None and theirs is None
            else:
                worst = max(worst, numpy.abs(numpy.array(ours) - theirs[which]).max())
        check('%s, %s' % (model.name, pooling), known and worst < 1e-5,
              '%d texts, largest difference %.2g' % (len(texts), worst))


BUCKETS = 100000
path = os.path.join(os.environ['EMBED_DATA'], 'corpora', 'imdb_train.copy.tsv.xz')
texts = []
with lzma.open(path, 'rt', encoding='utf-8') as file:
    for line in file:
        # ASCII only: what a word is beyond it is test/oracle/words.py's matter
        text = line.rstrip('\n').split('\t')[4].replace('\\\\', '\\')
        if text.isascii():
            texts.append(text)
        if len(texts) == 3000:
            break
cursor.execute('SET embed.progress = off')
cursor.execute('CREATE TABLE reviews (body text)')
cursor.executemany('INSERT INTO reviews VALUES (%s)', [(text,) for text in texts])
for name, options in ('plain', ''), ('subwords', ', min_n => 3, max_n => 6, buckets => %d' % BUCKETS):
    cursor.execute("SELECT train_word2vec('%s', 'SELECT body FROM reviews', dims => 50, epochs => 2, workers => 1, seed => 1%s)"
                   % (name, options))
    compare(name, texts[:300] + ['', 'qzxj', 'xyzzyq plugh', 'the the the', 'unknownword and the known'])
sys.exit(failures > 0)
