r"""What a trained ELMo knows: word sense and part of speech, by layer, beside word2vec of the same text.

usage: senses.py [--database URI] [--words N] [--seeds 1,2] [--epochs N] [--dims N] [--hidden N] [--model NAME] [--tagged FILE]

A server with the extension (the usual PG variables, or --database).  Texts are passages of 100 words of
corpora/wiki_text8style_100MB.txt.xz in $EMBED_DATA or ../shared/data, --words of them, on which train_elmo() and train_word2vec()
are trained, once for each seed; --model takes an ELMo that is there instead (with --words and --dims as it was made).

Word sense: Word-in-Context (sentences/wic).  The score of a pair is the cosine of the two word_in_context(); the threshold is fitted
on train, the accuracy is test's.  word2vec has one vector for both, so the inner form of a word alone tells it something; its figure
is that of the mean vector of the two sentences.  Chance is 0.5.

Part of speech: train_classifier() (logistic regression) on the vectors of single words, by layer.  Words are those of Word-in-Context's
sentences that are marked, noun or verb, train's to learn and test's to tell; with --tagged FILE the words of a tagged corpus, a sentence
a line as in Brown's files (The/at jury/nn said/vbd), nine sentences of ten to learn.  None was found in the registries; from a CoNLL-U file of
Universal Dependencies (UD_English-EWT, public on GitHub) this makes it:

    awk -F'\t' '/^[0-9]+\t/ { printf "%s%s/%s", sep, $2, $4; sep = " " } /^$/ { print ""; sep = "" }' en_ewt-ud-dev.conllu
"""

import argparse
import glob
import lzma
import os
import random

import psycopg2

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
DATA = os.environ.get('EMBED_DATA') or os.path.join(TOP, '../shared/data')
parser = argparse.ArgumentParser()
parser.add_argument('--database', default='')
parser.add_argument('--words', type=int, default=1000000)
parser.add_argument('--seeds', default='1,2')
parser.add_argument('--epochs', type=int, default=3)
parser.add_argument('--dims', type=int, default=128)
parser.add_argument('--hidden', type=int, default=512)
parser.add_argument('--model')
parser.add_argument('--tagged')
parser.add_argument('--limit', type=int, default=0, help='pairs of Word-in-Context to learn from; 0: all')
arguments = parser.parse_args()
connection = psycopg2.connect(arguments.database)
connection.autocommit = True
cursor = connection.cursor()


def ask(query, *values):
    cursor.execute(query, values or None)
    return cursor.fetchall()


def fill_corpus():
    with lzma.open(os.path.join(DATA, 'corpora/wiki_text8style_100MB.txt.xz'), 'rt') as file:
        words = file.read(arguments.words * 7).split()[:arguments.words]
    cursor.execute('CREATE TEMP TABLE passages (id integer, body text)')
    for at in range(0, len(words), 100):
        cursor.execute('INSERT INTO passages VALUES (%s, %s)', (at, ' '.join(words[at:at + 100])))


def pairs(part):
    """(word, tag, the two sentences, the two marked words, same sense?)"""
    result = []
    with open(os.path.join(DATA, 'sentences/wic', part, part + '.data.txt'), encoding='utf-8') as data, \
            open(os.path.join(DATA, 'sentences/wic', part, part + '.gold.txt')) as gold:
        for line, answer in zip(data, gold):
            word, tag, places, *sentences = line.rstrip('\n').split('\t')
            marked = [sentence.split()[int(place)] for sentence, place in zip(sentences, places.split('-'))]
            result.append((word, tag, sentences, marked, answer.strip() == 'T'))
    return result


def fill_pairs(name, found):
    cursor.execute('CREATE TEMP TABLE %s (id integer, tag text, one text, other text, a text, b text, same boolean)' % name)
    for i, (word, tag, sentences, marked, same) in enumerate(found):
        cursor.execute('INSERT INTO %s VALUES (%%s, %%s, %%s, %%s, %%s, %%s, %%s)' % name, (i, tag, *sentences, *marked, same))


def accuracy(train, test):
    """The threshold that is best on train, tried on test: rows (score, same)."""
    train, test = ([(float(s), same) for s, same in rows if s is not None] for rows in (train, test))
    train.sort()
    right = sum(same for _, same in train)
    best, threshold = right, float('-inf')
    for score, same in train:
        right += 1 if not same else -1
        if right > best:
            best, threshold = right, score
    return sum((score > threshold) == same for score, same in test) / len(test)


def sense(score):
    train, test = (ask('SELECT %s, same FROM %s' % (score, part)) for part in ('wic_train', 'wic_test'))
    return accuracy(train, test)


def speech(rows):
    """Accuracy of a classifier; rows: a query that gives learns, tag, v."""
    cursor.execute('DROP TABLE IF EXISTS speech, speech_vectors')
    cursor.execute('CREATE TEMP TABLE speech_vectors AS ' + rows)
    ask("SELECT train_classifier('speech', 'SELECT v, tag FROM speech_vectors WHERE learns')")
    return ask("SELECT avg((classify('speech', v) = tag)::integer)::float8 FROM speech_vectors WHERE NOT learns")[0][0]


def fill_layers(model):
    """Vectors of the tagged words in all layers: each sentence is read once."""
    cursor.execute('DROP TABLE IF EXISTS layers')
    cursor.execute('''CREATE TEMP TABLE layers AS SELECT t.id, t.learns, t.tag, l.layer, l.embedding AS v
        FROM (SELECT DISTINCT sentence FROM tagged) s
        CROSS JOIN LATERAL (SELECT layer, token, embedding, row_number() OVER (PARTITION BY layer, token ORDER BY position) AS occurrence
            FROM elmo_layers('%s', s.sentence)) l
        JOIN tagged t ON t.sentence = s.sentence AND lower(t.word) = l.token AND t.occurrence = l.occurrence''' % model)


def fill_tagged():
    """Words with their place among the same words of a sentence."""
    cursor.execute('CREATE TEMP TABLE tagged (id serial, learns boolean, sentence text, word text, occurrence integer, tag text)')
    if not arguments.tagged:
        for part, learns in ('wic_train', True), ('wic_test', False):
            for sentence, word in ('one', 'a'), ('other', 'b'):
                cursor.execute('INSERT INTO tagged (learns, sentence, word, occurrence, tag) SELECT %s, %s, %s, 1, tag FROM %s' % (
                    learns, sentence, word, part))
        return
    with open(arguments.tagged, encoding='utf-8') as file:
        for i, line in enumerate(file):
            tokens = [token.rsplit('/', 1) for token in line.split() if '/' in token]
            sentence, seen = ' '.join(word for word, _ in tokens), {}
            for word, tag in tokens:
                seen[word.lower()] = seen.get(word.lower(), 0) + 1
                if word.isalpha():
                    cursor.execute('INSERT INTO tagged (learns, sentence, word, occurrence, tag) VALUES (%s, %s, %s, %s, %s)',
                                   (i % 10 != 0, sentence, word, seen[word.lower()], tag))


def report(model, seed):
    fill_layers(model)
    layers = 1 + int(dict(o.split('=', 1) for o in ask('SELECT options FROM embed_models() WHERE model = %s::regclass', model)[0][0])['layers'])
    for layer in [*range(layers), None]:
        at = "word_in_context('%s', %%s, %%s, layers => %s)" % (model, 'NULL' if layer is None else "'{%d}'" % layer)
        in_sense = sense('1 - (%s <=> %s)' % (at % ('one', 'a'), at % ('other', 'b')))
        in_speech = speech('SELECT id, learns, tag, avg(v) AS v FROM layers GROUP BY id, learns, tag' if layer is None else
                           'SELECT learns, tag, v FROM layers WHERE layer = %d' % layer)
        print('seed %s, %s: word sense %.3f, part of speech %.3f' % (
            seed, 'mean of layers' if layer is None else 'layer %d' % layer, in_sense, in_speech), flush=True)


def report_word2vec(seed):
    print('seed %s, word2vec: word sense %.3f, part of speech %.3f' % (
        seed, sense("1 - (embed('senses_word2vec', one) <=> embed('senses_word2vec', other))"),
        # a word that is not known is a vector of zeros
        speech("""SELECT learns, tag, coalesce(word_vector('senses_word2vec', lower(word)), array_fill(0::real, ARRAY[%d])::vector) AS v
            FROM tagged""" % arguments.dims)), flush=True)


def main():
    cursor.execute("SET embed.progress = off; SET maintenance_work_mem = '4GB'")
    train = pairs('train')
    if arguments.limit:
        random.Random(1).shuffle(train)
        train = train[:arguments.limit]
    fill_pairs('wic_train', train)
    fill_pairs('wic_test', pairs('test'))
    fill_tagged()
    fill_corpus()
    if arguments.model:
        report(arguments.model, '-')
        ask("SELECT train_word2vec('senses_word2vec', 'SELECT body FROM passages', dims => %s, replace => true)", arguments.dims)
        report_word2vec('-')
        return
    print('%d words of Wikipedia, %d epochs, %d dimensions, %d cells' % (arguments.words, arguments.epochs, arguments.dims, arguments.hidden))
    for seed in arguments.seeds.split(','):
        cursor.execute('DROP TABLE IF EXISTS senses_elmo, senses_word2vec')
        ask("SELECT train_word2vec('senses_word2vec', 'SELECT body FROM passages', dims => %s, seed => %s)", arguments.dims, seed)
        ask('''SELECT train_elmo('senses_elmo', 'SELECT body FROM passages', dims => %s, hidden => %s, epochs => %s, seed => %s)''',
            arguments.dims, arguments.hidden, arguments.epochs, seed)
        print('perplexity of held-out text: %s' % dict(
            o.split('=', 1) for o in ask("SELECT options FROM embed_models() WHERE model = 'senses_elmo'::regclass")[0][0]).get('perplexity'))
        report('senses_elmo', seed)
        report_word2vec(seed)
    cursor.execute('DROP TABLE IF EXISTS senses_elmo, senses_word2vec, speech')


main()
