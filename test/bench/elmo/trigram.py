"""The perplexity of a Kneser-Ney trigram on the text that train_elmo() holds out of the same corpus.

usage: trigram.py [--words N] [--held-out SHARE] [--min-count N] [--model NAME --database URI]

Texts are passages of 100 words of corpora/wiki_text8style_100MB.txt.xz in $EMBED_DATA or ../shared/data, numbered in their order; which
are held out, which words are predicted and where texts begin and end are those of train_elmo().  The trigram is interpolated, with the
three discounts of Chen and Goodman 1999 from the counts of counts.  With --model the perplexity of an ELMo that was trained on the same
query is printed beside it.
"""

import argparse
import lzma
import math
import os
from collections import Counter

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
parser = argparse.ArgumentParser()
parser.add_argument('--words', type=int, default=1000000)
parser.add_argument('--held-out', type=float, default=0.01)
parser.add_argument('--min-count', type=int, default=5)
parser.add_argument('--model')
parser.add_argument('--database', default='')
arguments = parser.parse_args()
MASK = (1 << 64) - 1


def is_held_out(number):
    """splitmix64 of the text's number, as src/encoder/elmo/train_elmo.c has it"""
    z = (number + 0x9E3779B97F4A7C15) & MASK
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
    return ((z ^ z >> 31) >> 11) * 2.0 ** -53 < arguments.held_out


def texts():
    data = os.environ.get('EMBED_DATA') or os.path.join(TOP, '../shared/data')
    with lzma.open(os.path.join(data, 'corpora/wiki_text8style_100MB.txt.xz'), 'rt') as file:
        words = file.read(arguments.words * 7).split()[:arguments.words]
    counts = Counter(words)
    words = [word if counts[word] >= arguments.min_count else '<UNK>' for word in words]
    vocabulary = sum(count >= arguments.min_count for count in counts.values()) + 3
    return [words[at:at + 100] for at in range(0, len(words), 100)], vocabulary


class Level:
    """Discounted counts of one order: each n-gram, and what its context has."""

    def __init__(self, counts):
        self.counts = counts
        self.total, self.kinds = Counter(), {}
        n = [sum(count == k for count in counts.values()) for k in (1, 2, 3, 4)]
        y = n[0] / (n[0] + 2 * n[1])
        self.discount = [0] + [k - (k + 1) * y * n[k] / n[k - 1] for k in (1, 2, 3)]
        for gram, count in counts.items():
            self.total[gram[:-1]] += count
            kinds = self.kinds.setdefault(gram[:-1], [0, 0, 0])
            kinds[min(count, 3) - 1] += 1

    def chance(self, gram, lower):
        context, count = gram[:-1], self.counts.get(gram, 0)
        total = self.total.get(context)
        if not total:
            return lower
        left = sum(d * k for d, k in zip(self.discount[1:], self.kinds[context]))
        return (max(count - self.discount[min(count, 3)], 0) + left * lower) / total


def main():
    passages, vocabulary = texts()
    trigrams = Counter()
    held_out = []
    for i, text in enumerate(passages):
        padded = ['<S>', '<S>'] + text + ['</S>']
        if is_held_out(i):
            held_out.append(padded)
        else:
            trigrams.update(zip(padded, padded[1:], padded[2:]))
    bigrams = Counter(gram[1:] for gram in trigrams)
    unigrams = Counter(gram[1:] for gram in bigrams)
    levels = [Level(counts) for counts in (unigrams, bigrams, trigrams)]
    loss, count = 0.0, 0
    for padded in held_out:
        for gram in zip(padded, padded[1:], padded[2:]):
            chance = 1 / vocabulary
            for order, level in enumerate(levels):
                chance = level.chance(gram[2 - order:], chance)
            loss -= math.log(chance)
            count += 1
    print('%d words, %d of the vocabulary, %d held out: trigram %.1f' % (arguments.words, vocabulary, count, math.exp(loss / count)))
    if arguments.model:
        import psycopg2
        cursor = psycopg2.connect(arguments.database).cursor()
        cursor.execute('SELECT options FROM embed_models() WHERE model = %s::regclass', (arguments.model,))
        print('ELMo %s' % dict(o.split('=', 1) for o in cursor.fetchone()[0]).get('perplexity'))


main()
