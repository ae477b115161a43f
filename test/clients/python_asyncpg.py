# needs: pgvector, asyncpg, numpy
"""If this fails, a program with asyncpg and pgvector's adapter for it does not
work with our extension vector: it sends and takes binary values only, and finds
the types by the name of their schema, which here is not in the search_path."""

import asyncio
import os

import asyncpg
import numpy
from pgvector import Bit, HalfVector, SparseVector
from pgvector.asyncpg import register_vector
from lib.points import BITS, BIT_QUERY, CLASS, DENSE, OPERATOR, ORDER, POINTS, QUERY, expect, values


async def main():
    connection = await asyncpg.connect(host=os.environ['PGHOST'])
    await connection.execute('''
        CREATE SCHEMA types;
        CREATE EXTENSION embed SCHEMA types;
        CREATE EXTENSION vector SCHEMA types;
        CREATE TABLE items (id int PRIMARY KEY, embedding types.vector(3), half types.halfvec(3),
            sparse types.sparsevec(3), bits bit(4))''')
    await register_vector(connection, schema='types')
    for key, (point, bits) in enumerate(zip(POINTS, BITS), 1):
        await connection.execute('INSERT INTO items VALUES ($1, $2, $3, $4, $5)', key, numpy.array(point),
                                 HalfVector(point), SparseVector(point), asyncpg.BitString(bits))

    rows = await connection.fetch('SELECT * FROM items ORDER BY id')
    expect('values', [(*map(values, list(row.values())[1:4]), row['bits'].as_string().replace(' ', ''))
                      for row in rows],
           [(point, point, point, bits) for point, bits in zip(POINTS, BITS)])

    for column, kind, distances, query in (
            ('embedding', 'vector', DENSE, numpy.array(QUERY)),
            ('half', 'halfvec', DENSE, HalfVector(QUERY)),
            ('sparse', 'sparsevec', DENSE, SparseVector(QUERY)),
            ('bits', 'bit', ['hamming', 'jaccard'], asyncpg.BitString(BIT_QUERY))):
        for distance in distances:
            await connection.execute('CREATE INDEX %s_%s ON items USING hnsw (%s types.%s_%s)'
                                     % (column, distance, column, kind, CLASS[distance]))
            rows = await connection.fetch('SELECT id FROM items ORDER BY %s OPERATOR(types.%s) $1 LIMIT 4'
                                          % (column, OPERATOR[distance]), query)
            expect(column + ' ' + distance, [row['id'] for row in rows], ORDER[distance])

    # functions and types of embed beside them
    expect('embed beside vector', await connection.fetchval(
        "SELECT types.l2_normalize($1::types.vector)::text", numpy.array([3, 4])), '[0.6,0.8]')

asyncio.run(main())
