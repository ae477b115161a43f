// needs: pg, drizzle-orm, drizzle-kit
// Only in the long form.
// If this fails, `drizzle-kit push` does not make tables and indexes with our
// extension vector, or finds in what it made something to change.

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import pg from 'pg';
import { expect } from './lib/points.mjs';

// No options of an index: their values come back from the catalog as text, which
// it takes for a change whatever made the index.
writeFileSync('schema.mjs', `
  import { bit, halfvec, index, pgTable, serial, sparsevec, vector } from 'drizzle-orm/pg-core';
  export const items = pgTable('items', {
    id: serial('id').primaryKey(),
    embedding: vector('embedding', { dimensions: 3 }),
    half: halfvec('half', { dimensions: 3 }),
    sparse: sparsevec('sparse', { dimensions: 3 }),
    bits: bit('bits', { dimensions: 4 }),
  }, (table) => [
    index('embedding_l2').using('hnsw', table.embedding.op('vector_l2_ops')),
    index('half_cosine').using('hnsw', table.half.op('halfvec_cosine_ops')),
    index('sparse_ip').using('hnsw', table.sparse.op('sparsevec_ip_ops')),
    index('bits_jaccard').using('hnsw', table.bits.op('bit_jaccard_ops')),
    index('embedding_lists').using('ivfflat', table.embedding.op('vector_cosine_ops')),
  ]);`);
writeFileSync('drizzle.config.mjs', `
  export default {
    dialect: 'postgresql',
    schema: './schema.mjs',
    tablesFilter: ['items'],
    dbCredentials: { host: process.env.PGHOST, port: Number(process.env.PGPORT), user: process.env.PGUSER,
      database: process.env.PGDATABASE, ssl: false },
  };`);
const push = () => execFileSync('node_modules/.bin/drizzle-kit', ['push', '--force', '--config', 'drizzle.config.mjs'],
  { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

const client = new pg.Client();
await client.connect();
await client.query('CREATE EXTENSION vector CASCADE');
console.log(push());
expect('a second push finds nothing to change', /No changes detected/.test(push()), true);
const { rows } = await client.query(`SELECT attname, format_type(atttypid, atttypmod) AS type FROM pg_attribute
  WHERE attrelid = 'items'::regclass AND attnum > 1 ORDER BY attnum`);
expect('columns', rows.map((row) => row.type), ['vector(3)', 'halfvec(3)', 'sparsevec(3)', 'bit(4)']);
await client.query("INSERT INTO items (embedding, half, sparse, bits) VALUES ('[1,2,3]', '[1,2,3]', '{1:1,2:2,3:3}/3', '1101')");
for (const order of ["embedding <-> '[1,2,3]'", "half <=> '[1,2,3]'", "sparse <#> '{1:1}/3'", "bits <%> '1100'",
  "embedding <=> '[1,2,3]'"]) {
  expect(order, (await client.query(`SELECT id FROM items ORDER BY ${order} LIMIT 1`)).rows, [{ id: 1 }]);
}
await client.end();
