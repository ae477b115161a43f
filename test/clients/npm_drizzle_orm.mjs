// needs: pg, drizzle-orm
// If this fails, tables of Drizzle with its columns for pgvector do not work
// with our extension vector: parameters, results, and every distance.

import pg from 'pg';
import * as drizzle from 'drizzle-orm';
import { drizzle as connect } from 'drizzle-orm/node-postgres';
import { bit, getTableConfig, halfvec, index, pgTable, serial, sparsevec, vector } from 'drizzle-orm/pg-core';
import { points, query, bits, columns, expect } from './lib/points.mjs';

const items = pgTable('items', {
  id: serial('id').primaryKey(),
  embedding: vector('embedding', { dimensions: 3 }),
  half: halfvec('half', { dimensions: 3 }),
  sparse: sparsevec('sparse', { dimensions: 3 }),
  bits: bit('bits', { dimensions: 4 }),
}, (table) => columns(null).flatMap(([column, type, , distances]) => distances.map(([name, , ops]) => (
  index(`${column}_${name}`).using('hnsw', table[column].op(`${type}_${ops}`))))));

const pool = new pg.Pool();
const db = connect(pool);
await db.execute(drizzle.sql`CREATE EXTENSION vector CASCADE`);
// the statements that its migrations make of a column and of an index
const config = getTableConfig(items);
const column = (one) => `"${one.name}" ${one.getSQLType()}`;
await db.execute(drizzle.sql.raw(`CREATE TABLE items (${config.columns.map(column).join(', ')})`));
for (const { config: one } of config.indexes) {
  const { name, indexConfig } = one.columns[0];
  await db.execute(drizzle.sql.raw(
    `CREATE INDEX "${one.name}" ON items USING ${one.method} ("${name}" ${indexConfig.opClass})`));
}

const sparse = (values) => `{${values.map((value, i) => `${i + 1}:${value}`).join()}}/${values.length}`;
await db.insert(items).values(points.map((point, i) => (
  { embedding: point, half: point, sparse: sparse(point), bits: bits[i] })));
expect('values', await db.select({ embedding: items.embedding, half: items.half, sparse: items.sparse, bits: items.bits })
  .from(items).orderBy(items.id),
points.map((point, i) => ({ embedding: point, half: point, sparse: sparse(point), bits: bits[i] })));
for (const [key, , value, distances] of columns(sparse(query))) {
  for (const [name, , , order] of distances) {
    const distance = drizzle[name === 'maxInnerProduct' ? 'innerProduct' : name];
    const found = await db.select({ id: items.id }).from(items).orderBy(distance(items[key], value)).limit(4);
    expect(`${key} ${name}`, found.map((row) => row.id), order);
  }
}
await pool.end();
