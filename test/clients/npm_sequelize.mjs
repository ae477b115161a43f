// needs: pgvector, pg, sequelize
// If this fails, models of Sequelize with pgvector's types do not work with our
// extension vector: tables and indexes made by sync(), types registered by name
// from the catalog, every distance in an order.

import { DataTypes, Sequelize } from 'sequelize';
import * as pgvector from 'pgvector/sequelize';
import { SparseVector } from 'pgvector';
import { points, query, bits, columns, expect } from './lib/points.mjs';

pgvector.registerTypes(Sequelize);
const connect = () => new Sequelize(process.env.PGDATABASE, process.env.PGUSER, '', {
  dialect: 'postgres', host: process.env.PGHOST, port: process.env.PGPORT, logging: false,
});
// it looks types up once, when it connects for the first time
const first = connect();
await first.query('CREATE EXTENSION vector CASCADE');
await first.close();
const sequelize = connect();

const Item = sequelize.define('Item', {
  embedding: { type: DataTypes.VECTOR(3) },
  half: { type: DataTypes.HALFVEC(3) },
  sparse: { type: DataTypes.SPARSEVEC(3) },
  bits: { type: 'BIT(4)' },
}, {
  tableName: 'items',
  timestamps: false,
  indexes: columns(null).flatMap(([column, type, , distances]) => distances.map(([name, , ops]) => (
    { name: `${column}_${name}`, fields: [column], using: 'hnsw', operator: `${type}_${ops}` }))),
});
await Item.sync();
for (let i = 0; i < points.length; i++) {
  await Item.create({ embedding: points[i], half: points[i], sparse: new SparseVector(points[i]), bits: bits[i] });
}

const rows = await Item.findAll({ order: ['id'] });
expect('values', rows.map((row) => [row.embedding, row.half, row.sparse.toArray()]),
  points.map((point) => [point, point, point]));
for (const [column, , value, distances] of columns(new SparseVector(query))) {
  for (const [name, , , order] of distances) {
    const found = await Item.findAll({ order: pgvector[name](column, value, sequelize), limit: 4 });
    expect(`${column} ${name}`, found.map((row) => row.id), order);
  }
}
await sequelize.close();
