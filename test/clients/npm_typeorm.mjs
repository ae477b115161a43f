// needs: pg, typeorm, reflect-metadata
// If this fails, entities of TypeORM with its columns for pgvector do not work
// with our extension vector: tables made by synchronize, which afterwards finds
// nothing to change, and rows written and read by the repository.

import { DataSource, EntitySchema } from 'typeorm';
import { points, query, bits, dense, expect } from './lib/points.mjs';

const Item = new EntitySchema({
  name: 'items',
  columns: {
    id: { type: 'int', primary: true },
    embedding: { type: 'vector', length: 3 },
    half: { type: 'halfvec', length: 3 },
    bits: { type: 'bit', length: 4 },
  },
});
const source = new DataSource({
  type: 'postgres', host: process.env.PGHOST, port: process.env.PGPORT, username: process.env.PGUSER,
  database: process.env.PGDATABASE, entities: [Item],
});
await source.initialize();
await source.query('CREATE EXTENSION IF NOT EXISTS vector CASCADE');
await source.synchronize();
const left = await source.driver.createSchemaBuilder().log();
expect('nothing to change', left.upQueries.map((one) => one.query), []);

const repository = source.getRepository(Item);
for (let i = 0; i < points.length; i++) {
  await repository.save({ id: i + 1, embedding: points[i], half: points[i], bits: bits[i] });
}
expect('values', await repository.find({ order: { id: 'ASC' } }),
  points.map((point, i) => ({ id: i + 1, embedding: point, half: point, bits: bits[i] })));
for (const [column, type] of [['embedding', 'vector'], ['half', 'halfvec']]) {
  for (const [name, operator, ops, order] of dense) {
    await source.query(`CREATE INDEX ${column}_${name} ON items USING hnsw (${column} ${type}_${ops})`);
    const found = await repository.createQueryBuilder('items').orderBy(`items.${column} ${operator} :query`)
      .setParameters({ query: JSON.stringify(query) }).limit(4).getMany();
    expect(`${column} ${name}`, found.map((row) => row.id), order);
  }
}
await source.destroy();
