// needs: pgvector, pg
// If this fails, a program with node-postgres and pgvector's package does not
// work with our extension vector: parsers of the types, registered by name, in
// results, and parameters as text.

import pg from 'pg';
import pgvector from 'pgvector/pg';
import { SparseVector } from 'pgvector';
import { points, query, bits, columns, expect } from './lib/points.mjs';

const client = new pg.Client();
await client.connect();
await client.query('CREATE EXTENSION vector CASCADE');
await pgvector.registerTypes(client);
await client.query('CREATE TABLE items (id int PRIMARY KEY, embedding vector(3), half halfvec(3), sparse sparsevec(3), bits bit(4))');
for (let i = 0; i < points.length; i++) {
  await client.query('INSERT INTO items VALUES ($1, $2, $3, $4, $5)',
    [i + 1, pgvector.toSql(points[i]), pgvector.toSql(points[i]), pgvector.toSql(new SparseVector(points[i])), bits[i]]);
}

const { rows } = await client.query('SELECT * FROM items ORDER BY id');
expect('values', rows.map((row) => [row.embedding, row.half, row.sparse.toArray(), row.bits]),
  points.map((point, i) => [point, point, point, bits[i]]));

for (const [column, type, value, distances] of columns(new SparseVector(query))) {
  for (const [name, operator, ops, order] of distances) {
    await client.query(`CREATE INDEX ${column}_${name} ON items USING hnsw (${column} ${type}_${ops})`);
    const found = await client.query(`SELECT id FROM items ORDER BY ${column} ${operator} $1 LIMIT 4`,
      [type === 'bit' ? value : pgvector.toSql(value)]);
    expect(`${column} ${name}`, found.rows.map((row) => row.id), order);
  }
}
await client.end();
