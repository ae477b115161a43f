# needs: pgvector, sqlmodel, psycopg[binary], numpy
"""If this fails, models of SQLModel with pgvector's columns do not work with our
extension vector: tables and indexes made from them, validation, every distance."""

from typing import Any

from pgvector import SparseVector
from pgvector.sqlalchemy import BIT, HALFVEC, SPARSEVEC, VECTOR
from sqlmodel import Field, Index, Session, SQLModel, create_engine, select, text
from lib.points import BITS, BIT_QUERY, CLASS, DENSE, FUNCTION, ORDER, POINTS, QUERY, expect, values


class Item(SQLModel, table=True):
    __tablename__ = 'items'
    id: int | None = Field(default=None, primary_key=True)
    embedding: Any = Field(sa_type=VECTOR(3))
    half: Any = Field(sa_type=HALFVEC(3))
    sparse: Any = Field(sa_type=SPARSEVEC(3))
    bits: Any = Field(sa_type=BIT(4))


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
    session.exec(text('CREATE EXTENSION vector CASCADE'))
    session.commit()
SQLModel.metadata.create_all(engine)
with Session(engine) as session:
    for point, bits in zip(POINTS, BITS):
        session.add(Item(embedding=point, half=point, sparse=SparseVector(point), bits=bits))
        session.commit()
    expect('values', [(values(item.embedding), values(item.half), values(item.sparse))
                      for item in session.exec(select(Item).order_by(Item.id))],
           [(point, point, point) for point in POINTS])
    for name, (kind, distances, query) in COLUMNS.items():
        for distance in distances:
            order = getattr(getattr(Item, name), FUNCTION[distance])(query)
            expect('%s %s' % (name, distance), session.exec(select(Item.id).order_by(order).limit(4)).all(),
                   ORDER[distance])
