// needs: pgvector, @mikro-orm/core@6.6.16, @mikro-orm/postgresql@6.6.16
// Only in the long form.
// If this fails, entities of MikroORM with pgvector's types do not work with our
// extension vector: tables and indexes made by the schema generator, every
// distance in an order.

import { EntitySchema, MikroORM } from '@mikro-orm/postgresql';
import * as pgvector from 'pgvector/mikro-orm';
import { SparseVector } from 'pgvector';
import { points, query, bits, columns, expect } from './lib/points.mjs';

const Item = new EntitySchema({
  name: 'Item',
  tableName: 'items',
  properties: {
    id: { type: 'integer', primary: true },
    embedding: { type: pgvector.VectorType, length: 3 },
    half: { type: pgvector.HalfvecType, length: 3 },
    sparse: { type: pgvector.SparsevecType, length: 3 },
    bits: { type: pgvector.BitType, length: 4 },
  },
  indexes: columns(null).flatMap(([column, type, , distances]) => distances.map(([name, , ops]) => ({
    name: `${column}_${name}`,
    expression: `CREATE INDEX "${column}_${name}" ON items USING hnsw (${column} ${type}_${ops})`,
  }))),
});
const orm = await MikroORM.init({
  entities: [Item], dbName: process.env.PGDATABASE, host: process.env.PGHOST, port: process.env.PGPORT,
  user: process.env.PGUSER, allowGlobalContext: true, discovery: { warnWhenNoEntities: false },
});
const em = orm.em.fork();
await em.execute('CREATE EXTENSION vector CASCADE');
await em.execute(await orm.schema.getCreateSchemaSQL({ wrap: false }));

points.forEach((point, i) => em.create(Item,
  { id: i + 1, embedding: point, half: point, sparse: new SparseVector(point), bits: bits[i] }));
await em.flush();
em.clear();
expect('values', (await em.find(Item, {}, { orderBy: { id: 'ASC' } })).map((row) => (
  [row.embedding, row.half, row.sparse.toArray(), row.bits])),
points.map((point, i) => [point, point, point, bits[i]]));
for (const [column, , value, distances] of columns(new SparseVector(query))) {
  for (const [name, , , order] of distances) {
    const found = await em.createQueryBuilder(Item).select('id')
      .orderBy({ [pgvector[name](column, value)]: 'ASC' }).limit(4).getResult();
    expect(`${column} ${name}`, found.map((row) => row.id), order);
  }
}
await orm.close();
