"""What every client stores and asks: four points, and their order by each
distance from a query, worked out by hand."""

import sys

POINTS = [[1, 2, 3.5], [4, 1, 1], [6, 6, 6], [1, 2, -2]]
QUERY = [1, 2, 3]
BITS = ['1101', '1100', '0010', '0011']
BIT_QUERY = '1101'
ORDER = {
    'l2': [1, 2, 4, 3],
    'max_inner_product': [3, 1, 2, 4],
    'cosine': [1, 3, 2, 4],
    'l1': [1, 4, 2, 3],
    'hamming': [1, 2, 4, 3],
    'jaccard': [1, 2, 4, 3],
}
OPERATOR = {'l2': '<->', 'max_inner_product': '<#>', 'cosine': '<=>', 'l1': '<+>', 'hamming': '<~>', 'jaccard': '<%>'}
DENSE = ['l2', 'max_inner_product', 'cosine', 'l1']
CLASS = {'l2': 'l2_ops', 'max_inner_product': 'ip_ops', 'cosine': 'cosine_ops', 'l1': 'l1_ops',
         'hamming': 'hamming_ops', 'jaccard': 'jaccard_ops'}
# what the columns of ORMs call a distance
FUNCTION = {'l2': 'l2_distance', 'max_inner_product': 'max_inner_product', 'cosine': 'cosine_distance',
            'l1': 'l1_distance', 'hamming': 'hamming_distance', 'jaccard': 'jaccard_distance'}


def values(vector):
    """A vector in whatever form a release of pgvector's package gives it."""
    return [float(value) for value in (vector.to_list() if hasattr(vector, 'to_list') else vector)]


def expect(what, got, wanted):
    if got != wanted:
        sys.exit('FAILED %s: %s, not %s' % (what, got, wanted))
    print('ok %s' % what)
