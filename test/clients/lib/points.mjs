// What every client stores and asks: four points, and their order by each
// distance from a query, worked out by hand.  The same as in points.py.

import { isDeepStrictEqual } from 'node:util';

export const points = [[1, 2, 3.5], [4, 1, 1], [6, 6, 6], [1, 2, -2]];
export const query = [1, 2, 3];
export const bits = ['1101', '1100', '0010', '0011'];
export const bitQuery = '1101';

// a distance's name in these clients, its operator, its class and the order
export const dense = [
  ['l2Distance', '<->', 'l2_ops', [1, 2, 4, 3]],
  ['maxInnerProduct', '<#>', 'ip_ops', [3, 1, 2, 4]],
  ['cosineDistance', '<=>', 'cosine_ops', [1, 3, 2, 4]],
  ['l1Distance', '<+>', 'l1_ops', [1, 4, 2, 3]],
];
export const binary = [
  ['hammingDistance', '<~>', 'hamming_ops', [1, 2, 4, 3]],
  ['jaccardDistance', '<%>', 'jaccard_ops', [1, 2, 4, 3]],
];

// the columns of a table of all types, with what is asked of each
export const columns = (sparseQuery) => [
  ['embedding', 'vector', query, dense],
  ['half', 'halfvec', query, dense],
  ['sparse', 'sparsevec', sparseQuery, dense],
  ['bits', 'bit', bitQuery, binary],
];

export function expect(what, got, wanted) {
  if (!isDeepStrictEqual(got, wanted)) {
    console.log('FAILED %s: %j, not %j', what, got, wanted);
    process.exit(1);
  }
  console.log('ok %s', what);
}
