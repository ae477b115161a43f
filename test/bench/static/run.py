"""Texts per CPU second of static models, against model2vec's and wordllama's own code, in one thread.

    EMBED_DATA=../shared/data python3 test/bench/static/run.py [rounds]

Needs psycopg2, numpy, model2vec (which brings tokenizers and safetensors) and a
server on this machine, as psql finds it, with the extension in the database.
The models are those of the packages tokenlearn-static-model and wordllama, which
are fetched once.  Short texts are the sentences of STS-B's kind: reviews cut at
the first full stop; long ones the reviews.  Ours is SELECT count(embed(model,
body)) over a table, by the processor time of the backend; both sides in turn
within one run, medians of the rounds.
"""
import lzma
import os
import resource
import sys

os.environ['RAYON_NUM_THREADS'] = '1'
os.environ['OMP_NUM_THREADS'] = os.environ['OPENBLAS_NUM_THREADS'] = '1'
os.environ['TOKENIZERS_PARALLELISM'] = 'false'
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(TOP, 'test', 'oracle', 'lib'))
import model2vec                                # noqa: E402
import psycopg2                                 # noqa: E402
import registry                                 # noqa: E402
from safetensors.numpy import load_file         # noqa: E402
from tokenizers import Tokenizer                # noqa: E402

REVIEWS = 20000


def reviews(data):
    with lzma.open(os.path.join(data, 'corpora/imdb_train.copy.tsv.xz'), 'rb') as file:
        return [file.readline().rstrip(b'\n').split(b'\t')[4].decode().replace('\\n', '\n') for _ in range(REVIEWS)]


def own_seconds(function):
    before = resource.getrusage(resource.RUSAGE_SELF)
    function()
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def backend_seconds(cursor, command):
    """Processor time of the server's process for this connection."""
    path = '/proc/%d/stat' % cursor.connection.get_backend_pid()

    def now():
        fields = open(path).read().rsplit(')', 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')
    before = now()
    cursor.execute(command)
    return now() - before


def median(values):
    return sorted(values)[len(values) // 2]


def measure(cursor, name, theirs, texts, rounds):
    cursor.execute('CREATE TEMP TABLE IF NOT EXISTS bench_static_texts (body text)')
    cursor.execute('TRUNCATE bench_static_texts')
    cursor.executemany('INSERT INTO bench_static_texts VALUES (%s)', [(text,) for text in texts])
    cursor.execute('VACUUM ANALYZE bench_static_texts')
    command = "SELECT count(embed('bench_static', body)) FROM bench_static_texts"
    cursor.execute(command)
    theirs(texts[:100])
    ours, rival = [], []
    for _ in range(rounds):
        ours.append(backend_seconds(cursor, command))
        rival.append(own_seconds(lambda: theirs(texts)))
    ours, rival = median(ours), median(rival)
    print('%-36s %8.0f texts/s, theirs %7.0f: %.1fx' % (name, len(texts) / ours, len(texts) / rival, rival / ours),
          flush=True)


def import_model(cursor, files, precision):
    cursor.execute('CREATE TEMP TABLE IF NOT EXISTS bench_static_files (name text, data bytea)')
    cursor.execute('TRUNCATE bench_static_files')
    for name, path in files:
        with open(path, 'rb') as stream:
            cursor.execute('INSERT INTO bench_static_files VALUES (%s, %s)', (name, stream.read()))
    cursor.execute("SELECT import_model('bench_static', files => 'TABLE bench_static_files', \"precision\" => %s, "
                   "replace => to_regclass('bench_static') IS NOT NULL)", (precision,))


def models():
    place = registry.package('tokenlearn-static-model', '0.1.1')
    if place:
        path = os.path.join(place, 'static_model', 'model')
        model = model2vec.StaticModel.from_pretrained(path)
        yield 'tokenlearn (Unigram)', [(f, os.path.join(path, f)) for f in sorted(os.listdir(path))], \
            lambda texts: model.encode(texts, use_multiprocessing=False)
    place = registry.package('wordllama', '0.4.0.post1')
    if place:
        weights = os.path.join(place, 'wordllama/weights/l2_supercat_256.safetensors')
        tokenizer = os.path.join(place, 'wordllama/tokenizers/l2_supercat_tokenizer_config.json')
        model = model2vec.StaticModel(load_file(weights)['embedding.weight'].astype('float32'),
                                      Tokenizer.from_file(tokenizer))
        yield 'wordllama (BPE) by model2vec', [('l2.safetensors', weights), ('tokenizer.json', tokenizer)], \
            lambda texts: model.encode(texts, use_multiprocessing=False)


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    data = os.environ.get('EMBED_DATA', '../shared/data')
    if not os.path.exists(os.path.join(data, 'corpora/imdb_train.copy.tsv.xz')):
        sys.exit('no real data: set EMBED_DATA')
    texts = reviews(data)
    short_texts, long_texts = [text.split('.')[0][:200] for text in texts], texts[:3000]
    connection = psycopg2.connect('')
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute('SET client_min_messages = warning')
    for name, files, theirs in models():
        for precision in ('float32', 'bfloat16', 'int16', 'int8'):
            import_model(cursor, files, precision)
            for kind, texts in (('short', short_texts), ('long', long_texts)):
                measure(cursor, '%s, %s, %s' % (name, precision, kind), theirs, texts, rounds)
    cursor.execute('DROP TABLE IF EXISTS bench_static')


if __name__ == '__main__':
    main()
