# needs: pgvector, SQLAlchemy, psycopg[binary], numpy
"""If this fails, models of SQLAlchemy with pgvector's columns do not work with
our extension vector: tables and indexes made from metadata, every distance of
a column, aggregates, and tables read back by reflection."""

import numpy
from pgvector import Bit, HalfVector, SparseVector
from pgvector.sqlalchemy import BIT, HALFVEC, SPARSEVEC, VECTOR, avg, sum
from sqlalchemy import Index, Integer, create_engine, inspect, select, text
from sqlalchemy.orm import DeclarativeBase, Session, mapped_column
from lib.points import BITS, BIT_QUERY, CLASS, DENSE, FUNCTION, ORDER, POINTS, QUERY, expect, values


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = 'items'
    id = mapped_column(Integer, primary_key=True)
    embedding = mapped_column(VECTOR(3))
    half = mapped_column(HALFVEC(3))
    sparse = mapped_column(SPARSEVEC(3))
    bits = mapped_column(BIT(4))


COLUMNS = {
    'embedding': ('vector', DENSE, QUERY),
    'half': ('halfvec', DENSE, QUERY),
    'sparse': ('sparsevec', DENSE, SparseVector(QUERY)),
    'bits': ('bit', ['hamming', 'jaccard'], BIT_QUERY),
}
for name, (kind, distances, query) in COLUMNS.items():
    for distance in distances:
        Index('%s_%s' % (name, distance), getattr(Item, name), postgresql_using='hnsw',
              postgresql_with={'m': 16, 'ef_construction': 64},
              postgresql_ops={name: '%s_%s' % (kind, CLASS[distance])})

engine = create_engine('postgresql+psycopg://')
with Session(engine) as session:
    session.execute(text('CREATE EXTENSION vector CASCADE'))
    session.commit()
Base.metadata.create_all(engine)
with Session(engine) as session:
    for key, (point, bits) in enumerate(zip(POINTS, BITS), 1):
        session.add(Item(id=key, embedding=numpy.array(point), half=point, sparse=SparseVector(point), bits=bits))
    session.commit()

    items = session.scalars(select(Item).order_by(Item.id)).all()
    expect('values', [(values(item.embedding), values(item.half), values(item.sparse)) for item in items],
           [(point, point, point) for point in POINTS])
    for name, (kind, distances, query) in COLUMNS.items():
        for distance in distances:
            order = getattr(getattr(Item, name), FUNCTION[distance])(query)
            expect('%s %s' % (name, distance), session.scalars(select(Item.id).order_by(order).limit(4)).all(),
                   ORDER[distance])
    expect('avg', values(session.scalars(select(avg(Item.embedding))).first()), numpy.mean(POINTS, axis=0).tolist())
    expect('sum', values(session.scalars(select(sum(Item.half))).first()), numpy.sum(POINTS, axis=0).tolist())

reflected = {column['name']: column['type'] for column in inspect(engine).get_columns('items')}
expect('reflected types', [type(reflected[name]).__name__ for name in ('embedding', 'half', 'sparse')],
       ['VECTOR', 'HALFVEC', 'SPARSEVEC'])
expect('reflected indexes', len(inspect(engine).get_indexes('items')), 14)
