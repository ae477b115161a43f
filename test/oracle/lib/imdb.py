"""What the comparisons on the IMDB reviews share: the reviews in a table of
the server that the environment leads to, and vectors read back from it."""

import io
import lzma
import os
import struct
import sys

import numpy
import psycopg2
import scipy.sparse

# A sparsevec holds float4, whose rounding alone is 6e-8 relative; all sums are
# made in float8 before.  So the references, float8, are compared as they are.
TOLERANCE = 1e-6


def connect():
    connection = psycopg2.connect('')
    connection.autocommit = True
    return connection


def load(connection, documents=None):
    """Makes table imdb (id, body); returns the texts in the order of id."""
    path = os.path.join(os.environ.get('EMBED_DATA', '../shared/data'),
                        'corpora/imdb_train.copy.tsv.xz')
    with lzma.open(path, 'rb') as file:
        rows = file.read().split(b'\n')[:-1]
    rows = rows[:documents]
    lines = b''.join(b'%d\t%s\n' % (number, row.split(b'\t')[4])
                     for number, row in enumerate(rows))
    cursor = connection.cursor()
    cursor.execute('CREATE TABLE imdb (id integer, body text)')
    cursor.copy_expert('COPY imdb FROM STDIN', io.BytesIO(lines))
    cursor.execute('SELECT body FROM imdb ORDER BY id')
    return [body for body, in cursor.fetchall()]


def vectors(connection, expression):
    """The sparsevec that expression makes of each body, as a CSR matrix."""
    stream = io.BytesIO()
    cursor = connection.cursor()
    cursor.copy_expert('COPY (SELECT %s FROM imdb ORDER BY id) TO STDOUT (FORMAT binary)'
                       % expression, stream)
    data = stream.getbuffer()
    at = 19                     # signature, flags, length of the extension
    starts, indexes, values, dims = [0], [], [], 0
    while struct.unpack_from('>h', data, at)[0] == 1:
        # number of columns, length of the value, then the value
        dims, count = struct.unpack_from('>ii', data, at + 6)
        at += 18
        indexes.append(numpy.frombuffer(data, '>i4', count, at))
        values.append(numpy.frombuffer(data, '>f4', count, at + 4 * count))
        at += 8 * count
        starts.append(starts[-1] + count)
    return scipy.sparse.csr_matrix(
        (numpy.concatenate(values).astype(float),
         numpy.concatenate(indexes).astype(int), starts), shape=(len(starts) - 1, dims))


def vocabulary(connection, model):
    """Terms of a model with their ids, documents and occurrences."""
    cursor = connection.cursor()
    cursor.execute('SELECT term, id, documents, occurrences FROM %s WHERE id > 0' % model)
    return {term: (number, documents, occurrences)
            for term, number, documents, occurrences in cursor.fetchall()}


def reorder(matrix, known, columns):
    """Our columns in the order of columns: a mapping from term to number."""
    place = numpy.zeros(matrix.shape[1], int)
    for term, (number, _, _) in known.items():
        place[number - 1] = columns[term]
    result = scipy.sparse.csr_matrix(
        (matrix.data, place[matrix.indices], matrix.indptr),
        shape=(matrix.shape[0], len(columns)))
    result.sort_indices()
    return result


class Report:
    """Prints a line for each comparison; failed at the end if any did."""

    def __init__(self):
        self.failed = 0

    def line(self, name, good, detail):
        self.failed += not good
        print('%-7s %-58s %s' % ('ok' if good else 'FAILED', name, detail), flush=True)

    def same_terms(self, name, ours, theirs):
        ours, theirs = set(ours), set(theirs)
        self.line(name, ours == theirs, '%d terms, only ours: %s, only theirs: %s'
                  % (len(theirs), sorted(ours - theirs)[:5], sorted(theirs - ours)[:5]))
        return ours == theirs

    def same_values(self, name, ours, theirs):
        theirs = scipy.sparse.csr_matrix(theirs, dtype=float, copy=True)
        theirs.eliminate_zeros()
        theirs.sort_indices()
        if ours.shape != theirs.shape or ours.nnz != theirs.nnz or \
                (ours.indptr != theirs.indptr).any() or (ours.indices != theirs.indices).any():
            self.line(name, False, 'elements differ: shape %s with %d, theirs %s with %d'
                      % (ours.shape, ours.nnz, theirs.shape, theirs.nnz))
            return
        error = numpy.abs(ours.data - theirs.data) / numpy.abs(theirs.data)
        worst = error.max() if len(error) else 0
        self.line(name, worst <= TOLERANCE,
                  '%d values, largest relative difference %.1e' % (ours.nnz, worst))

    def finish(self):
        sys.exit(1 if self.failed else 0)
