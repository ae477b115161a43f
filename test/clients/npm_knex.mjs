// needs: pgvector, pg, knex
// If this fails, a program with Knex and pgvector's package does not work with
// our extension vector: its schema builder for columns and indexes, and its
// distances in an order.

import createKnex from 'knex';
import pgvector from 'pgvector/knex';
import { SparseVector } from 'pgvector';
import { points, query, bits, columns, expect } from './lib/points.mjs';

const knex = createKnex({ client: 'pg', connection: {} });
await knex.raw('CREATE EXTENSION embed');
await knex.schema.createExtensionIfNotExists('vector');
await knex.schema.createTable('items', (table) => {
  table.increments('id');
  table.vector('embedding', 3);
  table.halfvec('half', { dimensions: 3 });
  table.sparsevec('sparse', 3);
  table.specificType('bits', 'bit(4)');
});
await knex('items').insert(points.map((point, i) => ({
  embedding: pgvector.toSql(point), half: pgvector.toSql(point),
  sparse: pgvector.toSql(new SparseVector(point)), bits: bits[i],
})));

expect('values', (await knex('items').orderBy('id')).map((row) => pgvector.fromSql(row.embedding)), points);
for (const [column, type, value, distances] of columns(new SparseVector(query))) {
  for (const [name, , ops, order] of distances) {
    await knex.schema.alterTable('items', (table) => {
      table.index(knex.raw(`${column} ${type}_${ops}`), `${column}_${name}`, 'hnsw');
    });
    expect(`${column} ${name}`, await knex('items').orderBy(knex[name]
      ? knex[name](column, value) : knex.queryBuilder()[name](column, value)).limit(4).pluck('id'), order);
  }
}
await knex.destroy();
