# needs: pgvector, django, psycopg[binary], numpy
# Only in the long form.
"""If this fails, models of Django with pgvector's fields do not work with our
extension vector: VectorExtension in a migration, fields and indexes of all
types, every distance as an annotation."""

import os

import django
from django.conf import settings
from django.db import connection, migrations, models
from django.db.migrations.loader import MigrationLoader
from pgvector import SparseVector
import pgvector.django as fields
from lib.points import BITS, BIT_QUERY, CLASS, DENSE, ORDER, POINTS, QUERY, expect, values

settings.configure(DATABASES={'default': {
    'ENGINE': 'django.db.backends.postgresql', 'NAME': os.environ['PGDATABASE'], 'USER': os.environ['PGUSER'],
    'HOST': os.environ['PGHOST'], 'PORT': os.environ['PGPORT']}})
django.setup()

DISTANCE = {'l2': fields.L2Distance, 'max_inner_product': fields.MaxInnerProduct, 'cosine': fields.CosineDistance,
            'l1': fields.L1Distance, 'hamming': fields.HammingDistance, 'jaccard': fields.JaccardDistance}
COLUMNS = {
    'embedding': ('vector', DENSE, QUERY),
    'half': ('halfvec', DENSE, QUERY),
    'sparse': ('sparsevec', DENSE, SparseVector(QUERY)),
    'bits': ('bit', ['hamming', 'jaccard'], BIT_QUERY),
}
COLUMN_FIELDS = [
    ('id', models.AutoField(primary_key=True)),
    ('embedding', fields.VectorField(dimensions=3)),
    ('half', fields.HalfVectorField(dimensions=3)),
    ('sparse', fields.SparseVectorField(dimensions=3)),
    ('bits', fields.BitField(length=4)),
]
INDEXES = [
    fields.HnswIndex(name='%s_%s' % (name, distance), fields=[name], m=16, ef_construction=64,
                     opclasses=['%s_%s' % (kind, CLASS[distance])])
    for name, (kind, distances, query) in COLUMNS.items() for distance in distances if (name, distance) != ('embedding', 'l2')
] + [fields.IvfflatIndex(name='embedding_l2', fields=['embedding'], lists=1, opclasses=['vector_l2_ops'])]


class Migration(migrations.Migration):
    initial = True
    operations = [fields.VectorExtension(),
                  migrations.CreateModel(name='Item', fields=COLUMN_FIELDS, options={'db_table': 'items'})] + [
        migrations.AddIndex('Item', index) for index in INDEXES]


# VectorExtension says CREATE EXTENSION IF NOT EXISTS vector, without CASCADE
with connection.cursor() as cursor:
    cursor.execute('CREATE EXTENSION IF NOT EXISTS embed')
migration = Migration('0001_initial', 'clients')
state = MigrationLoader(connection).project_state()
with connection.schema_editor(atomic=True) as editor:
    state = migration.apply(state, editor)
Item = state.apps.get_model('clients', 'Item')

for point, bits in zip(POINTS, BITS):
    Item.objects.create(embedding=point, half=point, sparse=SparseVector(point), bits=bits)
expect('values', [(values(item.embedding), values(item.half), values(item.sparse), item.bits)
                  for item in Item.objects.order_by('id')],
       [(point, point, point, bits) for point, bits in zip(POINTS, BITS)])
for name, (kind, distances, query) in COLUMNS.items():
    for distance in distances:
        found = Item.objects.order_by(DISTANCE[distance](name, query)).values_list('id', flat=True)[:4]
        expect('%s %s' % (name, distance), list(found), ORDER[distance])
near = Item.objects.alias(distance=fields.L2Distance('embedding', QUERY)).filter(distance__lt=4).order_by('id')
expect('a distance in a condition', list(near.values_list('id', flat=True)), [1, 2])
