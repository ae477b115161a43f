# needs: pgvector, peewee, psycopg2-binary, numpy
"""If this fails, models of peewee with pgvector's fields do not work with our
extension vector: tables and indexes made by the models, every distance."""

import os

import numpy
from peewee import Model, PostgresqlDatabase
from pgvector import SparseVector
from pgvector.peewee import FixedBitField, HalfVectorField, SparseVectorField, VectorField
from lib.points import BITS, BIT_QUERY, CLASS, DENSE, FUNCTION, ORDER, POINTS, QUERY, expect, values

database = PostgresqlDatabase(os.environ['PGDATABASE'])


class Item(Model):
    embedding = VectorField(dimensions=3)
    half = HalfVectorField(dimensions=3)
    sparse = SparseVectorField(dimensions=3)
    bits = FixedBitField(max_length=4)

    class Meta:
        database = database
        table_name = 'items'


COLUMNS = {
    'embedding': ('vector', DENSE, QUERY),
    'half': ('halfvec', DENSE, QUERY),
    'sparse': ('sparsevec', DENSE, SparseVector(QUERY)),
    'bits': ('bit', ['hamming', 'jaccard'], BIT_QUERY),
}
for name, (kind, distances, query) in COLUMNS.items():
    for distance in distances:
        Item.add_index('%s %s_%s' % (name, kind, CLASS[distance]), using='hnsw', name='%s_%s' % (name, distance))

database.connect()
database.execute_sql('CREATE EXTENSION vector CASCADE')
database.create_tables([Item])
for point, bits in zip(POINTS, BITS):
    Item.create(embedding=numpy.array(point), half=point, sparse=SparseVector(point), bits=bits)
expect('values', [(values(item.embedding), values(item.half), values(item.sparse), item.bits)
                  for item in Item.select().order_by(Item.id)],
       [(point, point, point, bits) for point, bits in zip(POINTS, BITS)])
for name, (kind, distances, query) in COLUMNS.items():
    for distance in distances:
        order = getattr(getattr(Item, name), FUNCTION[distance])(query)
        expect('%s %s' % (name, distance), [item.id for item in Item.select().order_by(order).limit(4)],
               ORDER[distance])
