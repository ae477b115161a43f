# needs: langchain-postgres, psycopg[binary]
# Only in the long form.
"""If this fails, LangChain's vector stores do not work with our extension vector:
the newer and the older one make their tables, search by each distance they
know, with a filter, through their hnsw and ivfflat indexes and settings."""

import os

import psycopg
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_postgres import Column, PGEngine, PGVector, PGVectorStore
from langchain_postgres.v2.indexes import (DistanceStrategy, HNSWIndex, HNSWQueryOptions, IVFFlatIndex,
                                           IVFFlatQueryOptions)
from lib.points import ORDER, POINTS, QUERY, expect


class Named(Embeddings):
    """Texts '1' to '4' are the points, 'query' is the query."""
    def embed_documents(self, texts):
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text):
        return [float(value) for value in (QUERY if text == 'query' else POINTS[int(text) - 1])]


# both say CREATE EXTENSION IF NOT EXISTS vector, without CASCADE
with psycopg.connect(autocommit=True) as connection:
    connection.execute('CREATE EXTENSION embed')
url = 'postgresql+psycopg://%s@/%s?host=%s' % (os.environ['PGUSER'], os.environ['PGDATABASE'], os.environ['PGHOST'])
documents = [Document(page_content=str(key), metadata={'even': key % 2 == 0}) for key in range(1, 5)]


def keys(found):
    return [int(document.page_content) for document in found]


engine = PGEngine.from_connection_string(url)
engine.init_vectorstore_table('items', vector_size=3, metadata_columns=[Column('even', 'BOOLEAN')])
for name, strategy in (('l2', DistanceStrategy.EUCLIDEAN), ('max_inner_product', DistanceStrategy.INNER_PRODUCT),
                       ('cosine', DistanceStrategy.COSINE_DISTANCE)):
    for index, options in ((HNSWIndex, HNSWQueryOptions(ef_search=100)), (IVFFlatIndex, IVFFlatQueryOptions(probes=10))):
        store = PGVectorStore.create_sync(engine, Named(), 'items', metadata_columns=['even'], distance_strategy=strategy,
                                          index_query_options=options)
        if (name, index) == ('l2', HNSWIndex):
            store.add_documents(documents)
        one = index(name='by_' + name, distance_strategy=strategy)
        store.apply_vector_index(one)
        expect('%s, %s' % (name, one.index_type), keys(store.similarity_search('query', k=4)), ORDER[name])
        expect('%s, %s, filtered' % (name, one.index_type),
               keys(store.similarity_search('query', k=4, filter={'even': True})),
               [key for key in ORDER[name] if key % 2 == 0])
        store.drop_vector_index(one.name)

for name, strategy in (('l2', 'l2'), ('max_inner_product', 'inner'), ('cosine', 'cosine')):
    store = PGVector(Named(), connection=url, collection_name=name, distance_strategy=strategy)
    store.add_documents(documents)
    expect('the older store, ' + name, keys(store.similarity_search('query', k=4)), ORDER[name])
    expect('the older store, %s, filtered' % name, keys(store.similarity_search('query', k=4, filter={'even': True})),
           [key for key in ORDER[name] if key % 2 == 0])
