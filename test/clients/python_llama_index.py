# needs: llama-index-vector-stores-postgres
# Only in the long form.
"""If this fails, LlamaIndex's vector store does not work with our extension
vector: it makes its table and hnsw index, sets hnsw.ef_search, and searches with
vector and halfvec, with a filter and without."""

import os

import psycopg2
import sqlalchemy
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores import ExactMatchFilter, MetadataFilters, VectorStoreQuery
from llama_index.vector_stores.postgres import PGVectorStore
from lib.points import ORDER, POINTS, QUERY, expect

# it says CREATE EXTENSION IF NOT EXISTS vector, without CASCADE
connection = psycopg2.connect('')
connection.autocommit = True
connection.cursor().execute('CREATE EXTENSION embed')


def url(driver):
    return sqlalchemy.URL.create('postgresql+' + driver, username=os.environ['PGUSER'],
                                 database=os.environ['PGDATABASE'], query={'host': os.environ['PGHOST']})


for half in (False, True):
    store = PGVectorStore.from_params(
        connection_string=url('psycopg2'), async_connection_string=url('asyncpg'), embed_dim=3, use_halfvec=half,
        table_name='half' if half else 'whole',
        hnsw_kwargs={'hnsw_m': 16, 'hnsw_ef_construction': 64, 'hnsw_ef_search': 40,
                     'hnsw_dist_method': 'halfvec_cosine_ops' if half else 'vector_cosine_ops'})
    store.add([TextNode(id_=str(key), text=str(key), metadata={'even': str(key % 2 == 0)},
                        embedding=[float(value) for value in point]) for key, point in enumerate(POINTS, 1)])
    for what, filters, wanted in (
            ('all', None, ORDER['cosine']),
            ('filtered', MetadataFilters(filters=[ExactMatchFilter(key='even', value='True')]),
             [key for key in ORDER['cosine'] if key % 2 == 0])):
        query = VectorStoreQuery(query_embedding=[float(value) for value in QUERY], similarity_top_k=4, filters=filters)
        expect('%s, halfvec=%s' % (what, half), [int(key) for key in store.query(query).ids], wanted)
