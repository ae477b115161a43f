"""How well published models rank and compare, beside what is trained here; and that they rank as sentence-transformers does.

    EMBED_DATA=../shared/data EMBED_TORCH=python3 python3 test/bench/published/run.py [WHAT...]

WHAT: cran, cisi (nDCG@10 and MAP of each ranking), sts (STS-B: Spearman and
Pearson); all of them without any.  With EMBED_MODELS=minilm only that of
minilm, bge, mpnet is taken.  Needs psycopg2, numpy, and a server as psql finds
it, in a database with the extension; makes a schema of its own, bench_published,
and drops it.  With EMBED_TORCH, a python that has sentence-transformers, the
same vectors are made by that as well, and rank within .002 nDCG of ours.

Models come from packages of the registries (test/oracle/lib/published_models.py);
what cannot be had is left out with a line.  No published cross-encoder is in a
registry, so "reranked" is what a bi-encoder makes of BM25's first 100."""

import json
import os
import subprocess
import sys
import tarfile
import tempfile

import numpy
import psycopg2

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
LIB = os.path.join(TOP, 'test', 'oracle', 'lib')
sys.path.insert(0, LIB)
import published_models                         # noqa: E402
import registry                                 # noqa: E402

DATA = os.environ.get('EMBED_DATA') or os.path.join(TOP, '..', 'shared', 'data')
TORCH = os.environ.get('EMBED_TORCH')
WHAT = sys.argv[1:] or ['sts', 'cran', 'cisi']
CHOSEN = os.environ.get('EMBED_MODELS', 'minilm,bge,mpnet').split(',')
connection = psycopg2.connect('')
connection.autocommit = True
cursor = connection.cursor()


# ---------- the collections ----------

def records(path, wanted):
    """The texts of the fields of each .I, in their order, with the number behind it."""
    found, field = [], ''
    with open(path, encoding='latin-1') as file:
        for line in file:
            if line.startswith('.I'):
                found.append([int(line[2:]), []])
            if line[0] == '.' and line[1:2].isupper():
                field = line[1]
            elif field in wanted:
                found[-1][1].append(line)
    return [(number, ' '.join(' '.join(body).split())) for number, body in found]


def collection(name):
    """Documents, queries and which documents are relevant to which query; as test/bench/retrieval has them."""
    if name == 'cran':
        place = os.path.join(DATA, 'retrieval/cran')
        documents = records(os.path.join(place, 'cran.all.1400'), 'TW')
        queries = [(i + 1, q) for i, (_, q) in enumerate(records(os.path.join(place, 'cran.qry'), 'W'))]
        judged, skip = os.path.join(place, 'cranqrel'), '5'
    else:
        place = os.path.join(DATA, 'retrieval/cisi')
        documents = records(os.path.join(place, 'CISI.ALL'), 'TW')
        queries = records(os.path.join(place, 'CISI.QRY'), 'W')
        judged, skip = os.path.join(place, 'CISI.REL'), None
    relevant = {}
    with open(judged) as file:
        for line in file:
            fields = line.split()
            if len(fields) < 3 or fields[2] != skip:
                relevant.setdefault(int(fields[0]), set()).add(int(fields[1]))
    return documents, [(i, q) for i, q in queries if i in relevant], relevant


def measure(name, numbers, queries, relevant, similarities):
    """nDCG@10 and mean average precision; ties in the order of the documents."""
    ndcg, precision = [], []
    for (query, _), row in zip(queries, similarities):
        order = numpy.argsort(-row, kind='stable')
        hits = numpy.array([numbers[i] in relevant[query] for i in order])
        ideal = (1 / numpy.log2(numpy.arange(min(len(relevant[query]), 10)) + 2)).sum()
        ndcg.append((hits[:10] / numpy.log2(numpy.arange(10) + 2)).sum() / ideal)
        places = numpy.flatnonzero(hits)
        precision.append(((numpy.arange(len(places)) + 1) / (places + 1)).sum() / len(relevant[query]))
    print('%-44s %8.4f %8.4f' % (name, numpy.mean(ndcg), numpy.mean(precision)), flush=True)
    return numpy.mean(ndcg)


# ---------- vectors ----------

def bring(name, folder):
    buffer = tempfile.TemporaryFile()
    with tarfile.open(fileobj=buffer, mode='w', dereference=True) as archive:
        archive.add(folder, arcname='folder')
    buffer.seek(0)
    connection.autocommit = False
    large = connection.lobject(0, 'wb')
    for piece in iter(lambda: buffer.read(1 << 20), b''):
        large.write(piece)
    cursor.execute('SELECT import_model(%s, large_object => %s)', (name, large.oid))
    cursor.execute('SELECT lo_unlink(%s)', (large.oid,))
    connection.commit()
    connection.autocommit = True


def vectors(model, texts, expression='embed(%s, t)'):
    cursor.execute('SELECT (%s)::text FROM unnest(%%s) WITH ORDINALITY AS u(t, i) ORDER BY i' % expression, (model, texts))
    rows = [row[0] for row in cursor.fetchall()]
    width = max(len(json.loads(row)) for row in rows if row is not None)
    rows = numpy.array([[0.0] * width if row is None else json.loads(row) for row in rows])
    lengths = numpy.linalg.norm(rows, axis=1, keepdims=True)
    return rows / numpy.where(lengths == 0, 1, lengths)


def theirs(folder, texts):
    with tempfile.TemporaryDirectory() as directory:
        with open(os.path.join(directory, 'texts.json'), 'w') as file:
            json.dump(texts, file)
        subprocess.run([TORCH, os.path.join(LIB, 'published_made.py'), directory, 'dense', folder],
                       env=dict(os.environ, PYTHONPATH=LIB), check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        return numpy.load(os.path.join(directory, 'vectors.npy'))


def bm25(documents, queries):
    cursor.execute("CREATE TABLE bodies (id serial, body text)")
    cursor.execute('INSERT INTO bodies (body) SELECT unnest(%s)', (documents,))
    cursor.execute("SELECT train_vocabulary('words', 'SELECT body FROM bench_published.bodies', config => 'english')")
    cursor.execute("CREATE TABLE weighed AS SELECT id, bm25_document('words', body) AS e FROM bodies")
    cursor.execute("SELECT array_agg(-(e <#> q) ORDER BY id) FROM weighed, (SELECT i, bm25_query('words', t) AS q "
                   'FROM unnest(%s) WITH ORDINALITY AS u(t, i)) s GROUP BY i ORDER BY i', (queries,))
    return numpy.array([row[0] for row in cursor.fetchall()])


def reciprocal_ranks(*similarities):
    return sum(1 / (61 + numpy.argsort(numpy.argsort(-s, axis=1, kind='stable'), axis=1)) for s in similarities)


def reranked(first, second):
    """The second's order of the first's best hundred; the others behind, as they were."""
    place = numpy.argsort(numpy.argsort(-first, axis=1, kind='stable'), axis=1)
    return numpy.where(place < 100, second, -2 - place)


def retrieval(name, models):
    documents, queries, relevant = collection(name)
    numbers = [number for number, _ in documents]
    bodies = [body for _, body in documents]
    asked = [body for _, body in queries]
    print('\n%-44s %8s %8s' % ('%s: %d documents, %d queries' % (name, len(documents), len(queries)), 'nDCG@10', 'MAP'))

    def show(title, similarities):
        return measure(title, numbers, queries, relevant, similarities)
    words = bm25(bodies, asked)
    show('BM25, english', words)
    cursor.execute("SELECT train_word2vec('pooled', 'SELECT body FROM bench_published.bodies', epochs => 30, min_count => 2, "
                   'workers => 1, seed => 1)')
    for pooling in ('mean', 'sif'):
        sides = [vectors('pooled', side, "embed(%%s, t, '%s')" % pooling) for side in (asked, bodies)]
        show('word2vec of the collection, ' + pooling, sides[0] @ sides[1].T)
    for model, folder in models.items():
        ours = vectors(model, asked) @ vectors(model, bodies).T
        figure = show(model, ours)
        if folder is None:
            continue
        show('%s, fused with BM25' % model, reciprocal_ranks(words, ours))
        show("BM25's first 100, reranked by %s" % model, reranked(words, ours))
        if TORCH:
            other = show("%s by sentence-transformers" % model, theirs(folder, asked) @ theirs(folder, bodies).T)
            print('  apart by %.5f: %s' % (abs(figure - other), 'within .002' if abs(figure - other) <= .002 else 'TOO FAR'))
    cursor.execute('DROP TABLE bodies, weighed, words, pooled')


# ---------- STS-B ----------

def ranks(values):
    _, inverse, counts = numpy.unique(values, return_inverse=True, return_counts=True)
    return (numpy.cumsum(counts) - (counts - 1) / 2)[inverse]


def sts(models):
    with open(os.path.join(DATA, 'sentences/stsbenchmark/sts-test.csv'), encoding='utf8') as file:
        rows = [line.rstrip('\n').split('\t') for line in file]
    judged = numpy.array([float(row[4]) for row in rows])
    print('\n%-44s %8s %8s' % ('STS-B test, %d pairs' % len(rows), 'Spearman', 'Pearson'))
    for model in models:
        cosines = (vectors(model, [r[5] for r in rows]) * vectors(model, [r[6] for r in rows])).sum(axis=1)
        print('%-44s %8.4f %8.4f' % (model, numpy.corrcoef(ranks(judged), ranks(cosines))[0, 1],
                                     numpy.corrcoef(judged, cosines)[0, 1]), flush=True)


def main():
    cursor.execute('SET client_min_messages = warning; SET embed.progress = off; '
                   'DROP SCHEMA IF EXISTS bench_published CASCADE; CREATE SCHEMA bench_published; '
                   'SET search_path = bench_published, public')
    models = {}
    place = registry.package('wordllama', '0.4.0.post1')
    if place is None:
        published_models.absent('wordllama')
    else:
        bring_wordllama(place)
        models['wordllama'] = None
    for name, find in (('minilm', published_models.minilm), ('bge', published_models.bge_small),
                       ('mpnet', published_models.mpnet)):
        folder = find() if name in CHOSEN else None
        if folder is None:
            continue
        bring(name, folder)
        cursor.execute("SELECT distill_model(%s, %s)", (name + '_twin', name))
        models[name + '_twin'] = None
        models[name] = folder
    if 'sts' in WHAT:
        sts(models)
    for name in ('cran', 'cisi'):
        if name in WHAT:
            retrieval(name, models)
    cursor.execute('DROP SCHEMA bench_published CASCADE')


def bring_wordllama(place):
    with tempfile.TemporaryDirectory() as folder:
        for path, name in (('weights/l2_supercat_256.safetensors', 'model.safetensors'),
                           ('tokenizers/l2_supercat_tokenizer_config.json', 'tokenizer.json')):
            os.symlink(os.path.join(place, 'wordllama', path), os.path.join(folder, name))
        bring('wordllama', folder)


main()
