"""Tuning on STS-B, beside sentence-transformers on the same base, data, loss and steps, in one thread.

    EMBED_DATA=../shared/data python3 test/bench/tuning/run.py [epochs]

Needs psycopg2, numpy, scipy, torch, sentence-transformers and a server on this
machine, as psql finds it, with the extension in the database.  Train is trained
on, Spearman's correlation is that of test.  The base is the static model of the
package wordllama, which is fetched once; both sides take CoSENT, AdamW (0.01,
weight decay 0.01, warm-up of a tenth, then down along a line, norm clipped to
1) and batches of 64, the same three seeds.  Sentence-transformers' side is its
own StaticEmbedding and CoSENTLoss in PyTorch's loop.  Then word2vec, trained
here on 30 MB of Wikipedia, which has no rival with the same base.  With
EMBED_MANUAL, a directory of the pages of PostgreSQL's manual, headings and
their sections too: the static model, and word2vec trained on the manual.
Times are processor time of training: tokens once, then steps.
"""
import csv
import io
import lzma
import os
import random
import resource
import subprocess
import sys
import time
import warnings

warnings.simplefilter('ignore', DeprecationWarning)
os.environ['RAYON_NUM_THREADS'] = '1'
os.environ['OMP_NUM_THREADS'] = os.environ['OPENBLAS_NUM_THREADS'] = os.environ['MKL_NUM_THREADS'] = '1'
os.environ['TOKENIZERS_PARALLELISM'] = 'false'
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(TOP, 'test', 'oracle', 'lib'))
import numpy                                    # noqa: E402
import psycopg2                                 # noqa: E402
import registry                                 # noqa: E402
import torch                                    # noqa: E402
from safetensors.numpy import load_file         # noqa: E402
from scipy.stats import spearmanr               # noqa: E402
from sentence_transformers import SentenceTransformer   # noqa: E402
from sentence_transformers.losses import CoSENTLoss     # noqa: E402
from sentence_transformers.models import StaticEmbedding    # noqa: E402
from tokenizers import Tokenizer                # noqa: E402

torch.set_num_threads(1)
BATCH = 64
RATE = 0.01
SEEDS = (1, 2, 3)


def examples(data, split):
    path = os.path.join(data, 'sentences/stsbenchmark/sts-%s.csv' % split)
    with open(path, encoding='utf-8', newline='') as file:
        rows = [row for row in csv.reader(file, delimiter='\t', quoting=csv.QUOTE_NONE) if len(row) >= 7]
    return [(row[5], row[6], float(row[4]) / 5) for row in rows]


def correlation(left, right, scores):
    norms = numpy.linalg.norm(left, axis=1) * numpy.linalg.norm(right, axis=1)
    return spearmanr((left * right).sum(axis=1) / numpy.maximum(norms, 1e-12), scores)[0]


def processor_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def backend_seconds(cursor):
    fields = open('/proc/%d/stat' % cursor.connection.get_backend_pid()).read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def vectors(cursor, model, texts):
    cursor.execute('SELECT embed_array(%s, %s)::text[]', (model, texts))
    return numpy.array([numpy.fromstring(v[1:-1], sep=',') if v else numpy.zeros(1) for v in cursor.fetchone()[0]])


def sts(cursor, model='bench_tuned'):
    cursor.execute('SELECT corr(c, s) FROM (SELECT avg(rc) OVER (PARTITION BY c) AS c, avg(rs) OVER (PARTITION BY s) AS s FROM '
                   '(SELECT c, s, row_number() OVER (ORDER BY c) AS rc, row_number() OVER (ORDER BY s) AS rs FROM '
                   '(SELECT cosine_similarity(embed(%s, sentence1), embed(%s, sentence2)) AS c, score AS s '
                   'FROM bench_test) a WHERE c = c) b) d', (model, model))
    return cursor.fetchone()[0]


def ours(cursor, base, rate, epochs, seed, test):
    before = backend_seconds(cursor)
    cursor.execute("SELECT tune_model('bench_tuned', %s, 'TABLE bench_sts', epochs => %s, batch => %s, learning_rate => %s,"
                   ' held_out => 0, seed => %s, replace => true)', (base, epochs, BATCH, rate, seed))
    seconds = backend_seconds(cursor) - before
    return sts(cursor), seconds


def theirs(weights, tokenizer, epochs, seed, train, test):
    torch.manual_seed(seed)
    model = SentenceTransformer(modules=[StaticEmbedding(Tokenizer.from_file(tokenizer), embedding_weights=weights)], device='cpu')
    loss = CoSENTLoss(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01)
    steps = epochs * ((len(train) + BATCH - 1) // BATCH)
    warmup = steps // 10
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: s / max(1, warmup) if s < warmup else max(0.0, (steps - s) / max(1, steps - warmup)))
    order = list(range(len(train)))
    shuffler = random.Random(seed)
    began = processor_seconds()
    for _ in range(epochs):
        shuffler.shuffle(order)
        for at in range(0, len(order), BATCH):
            rows = [train[i] for i in order[at:at + BATCH]]
            features = [model.preprocess([row[k] for row in rows]) for k in (0, 1)]
            value = loss(features, torch.tensor([row[2] for row in rows]))
            optimizer.zero_grad()
            value.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    seconds = processor_seconds() - began
    left, right = (model.encode([row[k] for row in test], show_progress_bar=False) for k in (0, 1))
    return correlation(left, right, [row[2] for row in test]), seconds


def tell(name, results):
    results = [result for result in results if print('%s %.4f %.2f s' % ((name,) + result), flush=True) is None]
    figures = [figure for figure, _ in results]
    print('%-40s %s  mean %.4f  %.2f s' % (name, ' '.join('%.4f' % figure for figure in figures), sum(figures) / len(figures),
                                           sorted(seconds for _, seconds in results)[len(results) // 2]), flush=True)
    return figures, sorted(seconds for _, seconds in results)[len(results) // 2]


def upload(cursor, table, rows):
    cursor.execute('DROP TABLE IF EXISTS %s; CREATE TABLE %s (sentence1 text, sentence2 text, score float8)' % (table, table))
    for row in rows:
        cursor.execute('INSERT INTO %s VALUES (%%s, %%s, %%s)' % table, row)


# headings that many pages have
COMMON = ['Description', 'Parameters', 'Notes', 'Examples', 'Compatibility', 'See Also', 'Author', 'Options', 'Outputs', 'Synopsis',
          'Return Value', 'Arguments']


def manual(cursor, pages):
    """The rank of a section by its heading, of headings held out; and STS-B with what was tuned on the manual"""
    rows = subprocess.run('perl "%s"/test/demo/extract.pl "%s"/*.html' % (TOP, pages), shell=True, check=True, stdout=subprocess.PIPE)
    cursor.execute('DROP TABLE IF EXISTS bench_manual, bench_heads, bench_manual_words')
    cursor.execute('CREATE TABLE bench_manual (page text, title text, heading text, body text)')
    cursor.copy_expert('COPY bench_manual FROM STDIN', io.BytesIO(rows.stdout))
    cursor.execute('CREATE TABLE bench_heads AS SELECT DISTINCT ON (heading) heading AS anchor, left(body, 2000) AS positive '
                   'FROM bench_manual WHERE length(body) > 200 AND heading <> ALL (%s)', (COMMON,))
    cursor.execute("SELECT train_word2vec('bench_manual_words', 'SELECT heading || '' '' || body FROM bench_manual', epochs => 10, "
                   'seed => 1)')
    for base in ('bench_static', 'bench_manual_words'):
        for seed in SEEDS:
            cursor.execute('DROP TABLE IF EXISTS bench_tuned')
            before = backend_seconds(cursor)
            cursor.execute("SELECT tune_model('bench_tuned', %s, 'TABLE bench_heads', epochs => 10, seed => %s)", (base, seed))
            seconds = backend_seconds(cursor) - before
            cursor.execute("SELECT min(value) FILTER (WHERE epoch = 0), min(value) FILTER (WHERE epoch = 10) FROM "
                           "tuning_history('bench_tuned') WHERE metric = 'mrr'")
            print('manual, %-20s seed %d: mrr %.3f before, %.3f after, STS-B %.4f, %.1f s' %
                  ((base, seed) + cursor.fetchone() + (sts(cursor), seconds)), flush=True)
    cursor.execute('DROP TABLE bench_manual, bench_heads, bench_manual_words, bench_tuned')


def main():
    data = os.environ.get('EMBED_DATA', '../shared/data')
    epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    if not os.path.isdir(os.path.join(data, 'sentences/stsbenchmark')):
        sys.exit('no real data: set EMBED_DATA')
    print(time.strftime('%Y-%m-%d'), 'load %.1f' % os.getloadavg()[0], 'epochs', epochs)
    train, test = examples(data, 'train'), examples(data, 'test')
    connection = psycopg2.connect('')
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("SET client_min_messages = warning; SET embed.progress = off; SET maintenance_work_mem = '1GB'")
    upload(cursor, 'bench_sts', train)
    upload(cursor, 'bench_test', test)
    cursor.execute('DROP TABLE IF EXISTS bench_tuned, bench_static, bench_words')

    place = registry.package('wordllama', '0.4.0.post1')
    if place is None:
        print('the package wordllama cannot be had: no static model')
    else:
        weights = os.path.join(place, 'wordllama/weights/l2_supercat_256.safetensors')
        tokenizer = os.path.join(place, 'wordllama/tokenizers/l2_supercat_tokenizer_config.json')
        cursor.execute('CREATE TEMP TABLE upload (name text, data bytea)')
        for name, path in (('model.safetensors', weights), ('tokenizer.json', tokenizer)):
            cursor.execute('INSERT INTO upload VALUES (%s, %s)', (name, open(path, 'rb').read()))
        cursor.execute("SELECT import_model('bench_static', files => 'TABLE upload')")
        matrix = next(iter(load_file(weights).values())).astype(numpy.float32)
        left, right = (vectors(cursor, 'bench_static', [row[k] for row in test]) for k in (0, 1))
        print('static model, before: %.4f' % correlation(left, right, [row[2] for row in test]))
        ours_all = tell('embed', (ours(cursor, 'bench_static', RATE, epochs, seed, test) for seed in SEEDS))
        theirs_all = tell('sentence-transformers', (theirs(matrix, tokenizer, epochs, seed, train, test) for seed in SEEDS))
        print('processor time: %.1f times less' % (theirs_all[1] / ours_all[1]))
        cursor.execute('DROP TABLE bench_tuned')

    with lzma.open(os.path.join(data, 'corpora/wiki_text8style_100MB.txt.xz'), 'rt') as file:
        text = file.read(30 * 1000 * 1000)
    cursor.execute('CREATE TEMP TABLE wiki (body text)')
    cursor.execute('INSERT INTO wiki SELECT unnest(%s)', ([text[i:i + 5000] for i in range(0, len(text), 5000)],))
    cursor.execute("SELECT train_word2vec('bench_words', 'SELECT body FROM wiki', dims => 100, epochs => 3, seed => 1)")
    print('word2vec, before: %.4f' % sts(cursor, 'bench_words'))
    tell('embed, word2vec', (ours(cursor, 'bench_words', None, epochs, seed, test) for seed in SEEDS))
    if os.environ.get('EMBED_MANUAL') and place is not None:
        manual(cursor, os.environ['EMBED_MANUAL'])
    cursor.execute('DROP TABLE IF EXISTS bench_tuned, bench_words, bench_sts, bench_test')
    cursor.execute('DROP TABLE IF EXISTS bench_static')


main()
