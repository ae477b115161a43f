# needs: pgvector, psycopg[binary], numpy
"""If this fails, a program with psycopg and pgvector's adapter for it does not
work with our extension vector: types looked up by search_path, text and binary
parameters and results, COPY, every class of index, NaN and NULL in order, and
types and indexes of a schema that is not in the search_path."""

import numpy
import psycopg
from pgvector import Bit, HalfVector, SparseVector
from pgvector.psycopg import register_vector
from lib.points import BITS, BIT_QUERY, CLASS, DENSE, OPERATOR, ORDER, POINTS, QUERY, expect, values

COLUMNS = {
    'embedding': ('vector', numpy.array, DENSE),
    'half': ('halfvec', HalfVector, DENSE),
    'sparse': ('sparsevec', SparseVector, DENSE),
    'bits': ('bit', Bit, ['hamming', 'jaccard']),
}


def search(connection, column, distance, query, binary):
    rows = connection.execute('SELECT id FROM items ORDER BY %s %s %%s LIMIT 6' % (column, OPERATOR[distance].replace('%', '%%')),
                              (query,), binary=binary)
    return [row[0] for row in rows]


connection = psycopg.connect(autocommit=True)
connection.execute('CREATE EXTENSION vector CASCADE')
register_vector(connection)
connection.execute('CREATE TABLE items (id int PRIMARY KEY, embedding vector(3), half halfvec(3),'
                   ' sparse sparsevec(3), bits bit(4))')
with connection.cursor().copy('COPY items FROM STDIN WITH (FORMAT BINARY)') as copy:
    copy.set_types(['int4', 'vector', 'halfvec', 'sparsevec', 'bit'])
    for key, (point, bits) in enumerate(zip(POINTS[:2], BITS), 1):
        copy.write_row((key, numpy.array(point), HalfVector(point), SparseVector(point), Bit(bits)))
for key in (3, 4):
    point = POINTS[key - 1]
    connection.execute('INSERT INTO items VALUES (%s, %s, %s, %s, %s)',
                       (key, numpy.array(point), HalfVector(point), SparseVector(point), Bit(BITS[key - 1])))

for binary in (False, True):
    rows = connection.execute('SELECT embedding, half, sparse, bits::text FROM items ORDER BY id', binary=binary)
    expect('values, binary=%s' % binary, [(*map(values, row[:3]), row[3]) for row in rows],
           [(point, point, point, bits) for point, bits in zip(POINTS, BITS)])

for column, (kind, make, distances) in COLUMNS.items():
    query = make(BIT_QUERY if kind == 'bit' else QUERY)
    for distance in distances:
        for method in ('hnsw', 'ivfflat'):
            # pgvector has no ivfflat of these
            if method == 'ivfflat' and (kind == 'sparsevec' or distance in ('l1', 'jaccard')):
                continue
            options = 'm = 8, ef_construction = 32' if method == 'hnsw' else 'lists = 1'
            name = '%s_%s_%s' % (column, distance, method)
            connection.execute('CREATE INDEX %s ON items USING %s (%s %s_%s) WITH (%s)'
                               % (name, method, column, kind, CLASS[distance], options))
            for binary in (False, True):
                expect('%s, binary=%s' % (name, binary), search(connection, column, distance, query, binary), ORDER[distance])
            connection.execute('DROP INDEX ' + name)

# a distance that is NaN comes after all others, and NULL after that, by an
# index as by a sort
connection.execute('INSERT INTO items (id) VALUES (5)')
connection.execute("INSERT INTO items (id, embedding) VALUES (6, '[0,0,0]')")
for method in (None, 'hnsw', 'ivfflat'):
    if method:
        connection.execute('CREATE INDEX embedding_%s ON items USING %s (embedding vector_cosine_ops)' % (method, method))
    expect('NaN, then NULL, by %s' % (method or 'a sort'),
           search(connection, 'embedding', 'cosine', numpy.array(QUERY), False), [1, 3, 2, 4, 6, 5])
    if method:
        connection.execute('DROP INDEX embedding_' + method)
for value in ([1, float('nan'), 3], [1, float('inf'), 3]):
    try:
        connection.execute('INSERT INTO items (id, embedding) VALUES (7, %s)', (numpy.array(value),))
        expect('%s is refused' % value, True, False)
    except psycopg.errors.DataError as error:
        expect('%s is refused' % value, 'not allowed in vector' in str(error), True)

# registration goes by search_path: types of a schema that is not in it are not
# found, and found again when it is
with psycopg.connect(autocommit=True) as apart:
    apart.execute('CREATE SCHEMA types')
    apart.execute('DROP EXTENSION vector, embed CASCADE')
    apart.execute('CREATE EXTENSION embed SCHEMA types')
    apart.execute('CREATE EXTENSION vector SCHEMA types')
    try:
        register_vector(apart)
        expect('not in the search_path', 'found', 'not found')
    except psycopg.ProgrammingError as error:
        expect('not in the search_path', str(error), 'vector type not found in the database')
    apart.execute('SET search_path = public, types')
    register_vector(apart)
    value = apart.execute('SELECT %s::vector', (numpy.array(QUERY),)).fetchone()[0]
    expect('in the search_path', values(value), QUERY)
    # values of embed's functions are values of the same types
    apart.execute('SET search_path = public')
    value = apart.execute('SELECT types.l2_normalize(%s::types.vector)', (numpy.array([3, 0, 4]),)).fetchone()[0]
    expect('what embed computes', [round(part, 6) for part in values(value)], [0.6, 0, 0.8])
    apart.execute('CREATE TABLE others (id int, embedding types.vector(3))')
    apart.execute('CREATE INDEX others_embedding ON others USING hnsw (embedding types.vector_l2_ops)')
    for key, point in enumerate(POINTS, 1):
        apart.execute('INSERT INTO others VALUES (%s, %s)', (key, numpy.array(point)))
    rows = apart.execute('SELECT id FROM others ORDER BY embedding OPERATOR(types.<->) %s LIMIT 4',
                         (numpy.array(QUERY),)).fetchall()
    expect('an index without search_path', [row[0] for row in rows], ORDER['l2'])
