/*-------------------------------------------------------------------------
 *
 * eigen.h
 *	  Eigenvalues and eigenvectors of a symmetric matrix of some hundreds of
 *	  rows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_EIGEN_H
#define MATH_EIGEN_H

#include <stdbool.h>
#include <stddef.h>

/* Called between columns, each of n^2 operations; it need not return. */
typedef void (*EigenCheck) (void);

/*
 * Eigenvalues in descending order, and the eigenvectors if asked for.
 *
 * matrix: n x n, both halves alike and finite; with vectors, row i becomes
 * the i-th eigenvector, of length 1; otherwise it is used up.
 * values: n of them.  scratch: 2 n doubles.  check may be NULL.
 * False when the iteration does not end, which no finite matrix has shown.
 */
extern bool eigen_symmetric(int n, double *matrix, bool vectors,
							double *values, double *scratch,
							EigenCheck check);

#endif							/* MATH_EIGEN_H */
