// needs: pgvector, pg, kysely
// If this fails, a program with Kysely and pgvector's package does not work
// with our extension vector: tables and indexes of its schema builder, and the
// distances as expressions.

import pg from 'pg';
import { Kysely, PostgresDialect, sql } from 'kysely';
import * as pgvector from 'pgvector/kysely';
import { SparseVector } from 'pgvector';
import { points, query, bits, columns, expect } from './lib/points.mjs';

const db = new Kysely({ dialect: new PostgresDialect({ pool: new pg.Pool() }) });
await sql`CREATE EXTENSION vector CASCADE`.execute(db);
await db.schema.createTable('items')
  .addColumn('id', 'serial', (cb) => cb.primaryKey())
  .addColumn('embedding', sql`vector(3)`)
  .addColumn('half', sql`halfvec(3)`)
  .addColumn('sparse', sql`sparsevec(3)`)
  .addColumn('bits', sql`bit(4)`)
  .execute();
await db.insertInto('items').values(points.map((point, i) => ({
  embedding: pgvector.toSql(point), half: pgvector.toSql(point),
  sparse: pgvector.toSql(new SparseVector(point)), bits: bits[i],
}))).execute();

const rows = await db.selectFrom('items').selectAll().orderBy('id').execute();
expect('values', rows.map((row) => pgvector.fromSql(row.embedding)), points);
for (const [column, type, value, distances] of columns(new SparseVector(query))) {
  for (const [name, , ops, order] of distances) {
    await db.schema.createIndex(`${column}_${name}`).on('items').using('hnsw')
      .expression(sql.raw(`${column} ${type}_${ops}`)).execute();
    const found = await db.selectFrom('items').select('id').orderBy(pgvector[name](column, value)).limit(4).execute();
    expect(`${column} ${name}`, found.map((row) => row.id), order);
  }
}
const near = await db.selectFrom('items').select('id').where(pgvector.l2Distance('embedding', query), '<', 4)
  .orderBy('id').execute();
expect('a distance in a condition', near.map((row) => row.id), [1, 2]);
await db.destroy();
