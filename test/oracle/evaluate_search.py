#!/usr/bin/python3
# debian: psycopg2
# needs: pytrec-eval-terrier
"""If this fails, evaluate_search measures something else than trec_eval does.

Random texts, questions and grades (0 to 3, some negative, rows that are not
there): the rankings that embed_search returns, given to trec_eval's own code,
must have the figures of evaluate_search to 1e-9, for each column alone and for
both fusions with equal weights; and cross-validated figures must be those of
the folds done again here, by embed_search with the weights of each fold."""

import random
import sys

import psycopg2
import pytrec_eval

seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(10 ** 9)
random.seed(seed)
print('seed', seed)
connection = psycopg2.connect('')
connection.autocommit = True
cursor = connection.cursor()
failures = 0
QUESTIONS, ROWS, COUNT = 23, 300, 7
WORDS = ['w%d' % i for i in range(60)]


def run(sql, *arguments):
    cursor.execute(sql, arguments or None)
    return cursor.fetchall() if cursor.description else None


def check(name, ours, theirs):
    global failures
    good = all(abs(a - b) <= 1e-9 for a, b in zip(ours, theirs))
    failures += not good
    print('%-8s %s' % ('ok' if good else 'FAILED', name), '' if good else (ours, theirs))


def text(n):
    return ' '.join(random.choice(WORDS[:40] if random.random() < .7 else WORDS) for _ in range(n))


run('SET embed.progress = off')
run('SET client_min_messages = warning')
run('CREATE EXTENSION IF NOT EXISTS embed')
run('DROP TABLE IF EXISTS judged_rows, judged_words, judged_vectors, judged')
run('CREATE TABLE judged_rows (id text PRIMARY KEY, body text)')
run('INSERT INTO judged_rows SELECT * FROM unnest(%s, %s)', ['r%03d' % i for i in range(ROWS)], [text(12) for _ in range(ROWS)])
run("SELECT train_vocabulary('judged_words', 'SELECT body FROM judged_rows')")
run("SELECT import_word_vectors('judged_vectors', config => 'embed_words', data => convert_to(%s, 'UTF8'))",
    ''.join('%s %f %f %f\n' % (w, random.gauss(0, 1), random.gauss(0, 1), random.gauss(0, 1)) for w in WORDS))
run("SELECT count(*) FROM embed_column('judged_rows', '{body}', 'judged_vectors', 'meaning')")
run("SELECT count(*) FROM embed_column('judged_rows', '{body}', 'judged_words', 'words')")
run('CREATE TABLE judged (query text, id text, grade float8)')
questions = [text(3) + ' %d' % i for i in range(QUESTIONS - 1)] + ['unheard of']
qrels = {}
for question in questions:
    rows = random.sample(range(ROWS + 20), 25)
    qrels[question] = {'r%03d' % row: random.choice([-1, 0, 0, 1, 1, 2, 3]) for row in rows}
    for key, grade in qrels[question].items():
        run('INSERT INTO judged VALUES (%s, %s, %s)', question, key, grade)
JUDGEMENTS = 'SELECT query, id, grade FROM judged ORDER BY ctid'


def figures(rankings):
    """trec_eval on rankings, over all judged questions."""
    scored = {q: {key: 1000.0 - place for place, key in enumerate(keys)} for q, keys in rankings.items()}
    evaluator = pytrec_eval.RelevanceEvaluator(qrels, {'ndcg_cut.%d' % COUNT, 'map_cut.%d' % COUNT, 'recall.%d' % COUNT, 'recip_rank'})
    found = evaluator.evaluate({q: keys for q, keys in scored.items() if keys})
    names = ['ndcg_cut_%d' % COUNT, 'map_cut_%d' % COUNT, 'recall_%d' % COUNT, 'recip_rank']
    return {q: [found[q][name] if q in found else 0.0 for name in names] for q in rankings}


def mean(rows):
    rows = list(rows)
    return [sum(column) / len(rows) for column in zip(*rows)]


def search(question, columns, fusion='rrf', weights=None):
    return [row[0] for row in run('SELECT (hit).id FROM embed_search(NULL::judged_rows, %s, %s, %s, fusion => %s, weights => %s)',
                                  question, COUNT, columns, fusion, weights)]


result = run('SELECT columns, fusion, weights, ndcg, map, recall, mrr, queries FROM evaluate_search(NULL::judged_rows, %s, %s)', JUDGEMENTS, COUNT)
check('number of questions', [row[-1] for row in result], [QUESTIONS] * len(result))
columns = ['meaning', 'words']
for row in result:
    names, fusion, weights, ours = row[0].strip('{}').split(',') if isinstance(row[0], str) else row[0], row[1], row[2], row[3:7]
    if fusion is None:
        check('column %s' % names, ours, mean(figures({q: search(q, names) for q in questions}).values()))
    elif 'cross' not in fusion:
        check('fusion %s' % fusion, ours, mean(figures({q: search(q, columns, fusion, weights) for q in questions}).values()))
    else:
        fusion = fusion.split(',')[0]
        grid = [[i / 20, 1 - i / 20] for i in range(21)]
        each = [figures({q: search(q, columns, fusion, w) for q in questions}) for w in grid]
        total = []
        for fold in range(5):
            others = [q for i, q in enumerate(questions) if i % 5 != fold]
            sums = [sum(f[q][0] for q in others) for f in each]
            best = min((i for i in range(21) if sums[i] > max(sums) - 1e-7), key=lambda i: abs(i - 10))
            total += [each[best][q] for i, q in enumerate(questions) if i % 5 == fold]
        check('%s, cross-validated' % fusion, ours, mean(total))
        sums = [sum(f[q][0] for q in questions) for f in each]
        check('%s, best weights' % fusion, [max(sums)], [sums[round(weights[0] * 20)]])
run('DROP TABLE judged_rows, judged_words, judged_vectors, judged')
sys.exit(failures > 0)
