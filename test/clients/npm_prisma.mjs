// needs: pgvector, prisma, @prisma/client, @prisma/adapter-pg
// Only in the long form.
// If this fails, a program with Prisma and pgvector's package does not work with
// our extension vector: rows written and read by its raw queries, beside a model
// whose columns it calls unsupported.  (Its migrations need a program that npm
// does not ship, so that the table is made by a raw query, too.)

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import pgvector from 'pgvector';
import { PrismaPg } from '@prisma/adapter-pg';
import { points, query, bits, columns, expect } from './lib/points.mjs';

writeFileSync('schema.prisma', `
  generator client {
    provider = "prisma-client-js"
    output = "./client"
  }
  datasource db {
    provider = "postgresql"
  }
  model Item {
    id Int @id @default(autoincrement())
    name String?
    embedding Unsupported("vector(3)")?
    half Unsupported("halfvec(3)")?
    sparse Unsupported("sparsevec(3)")?
    bits Unsupported("bit(4)")?
    @@map("items")
  }`);
// the program for migrations is not asked for anything, but must be somewhere
execFileSync('node_modules/.bin/prisma', ['generate', '--schema', 'schema.prisma'],
  { stdio: 'inherit', env: { ...process.env, CHECKPOINT_DISABLE: '1', PRISMA_SCHEMA_ENGINE_BINARY: process.execPath } });
const { PrismaClient } = (await import('./client/index.js')).default;

const prisma = new PrismaClient({ adapter: new PrismaPg({ host: process.env.PGHOST }) });
await prisma.$executeRaw`CREATE EXTENSION vector CASCADE`;
await prisma.$executeRaw`CREATE TABLE items (id serial PRIMARY KEY, name text, embedding vector(3), half halfvec(3),
  sparse sparsevec(3), bits bit(4))`;
for (let i = 0; i < points.length; i++) {
  const dense = pgvector.toSql(points[i]);
  const sparse = pgvector.toSql(new pgvector.SparseVector(points[i]));
  await prisma.$executeRaw`INSERT INTO items (embedding, half, sparse, bits)
    VALUES (${dense}::vector, ${dense}::halfvec, ${sparse}::sparsevec, ${bits[i]}::bit(4))`;
}
await prisma.item.update({ where: { id: 1 }, data: { name: 'first' } });
const rows = await prisma.$queryRaw`SELECT embedding::text FROM items ORDER BY id`;
expect('values', rows.map((row) => pgvector.fromSql(row.embedding)), points);
for (const [column, type, value, distances] of columns(new pgvector.SparseVector(query))) {
  for (const [name, operator, ops, order] of distances) {
    await prisma.$executeRawUnsafe(`CREATE INDEX ${column}_${name} ON items USING hnsw (${column} ${type}_${ops})`);
    const found = await prisma.$queryRawUnsafe(
      `SELECT id FROM items ORDER BY ${column} ${operator} $1::${type === 'bit' ? 'bit(4)' : type} LIMIT 4`,
      type === 'bit' ? value : pgvector.toSql(value));
    expect(`${column} ${name}`, found.map((row) => row.id), order);
  }
}
await prisma.$disconnect();
