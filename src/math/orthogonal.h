/*-------------------------------------------------------------------------
 *
 * orthogonal.h
 *	  The orthogonal matrix nearest to a square one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_ORTHOGONAL_H
#define MATH_ORTHOGONAL_H

#include <stdbool.h>
#include <stddef.h>

/* Called between pieces of some milliseconds; it need not return. */
typedef void (*OrthogonalCheck) (void);

/* doubles that orthogonal_nearest needs as scratch */
extern size_t orthogonal_scratch(int n);

/*
 * Replace A by U V', from its singular value decomposition A = U S V': of all
 * orthogonal matrices the one with the greatest trace(W' A), and so the
 * answer of the Procrustes problem where A is the sum of y x'.
 *
 * Where A says nothing, because its rank is less than n, what is orthogonal
 * to its rows goes to what is orthogonal to its columns, moved as little as
 * comes out of Gram and Schmidt's process.
 *
 * matrix: n x n by rows, finite.  rank: of A, may be NULL.  check may be NULL.
 * False when the iteration does not end, which no finite matrix has shown.
 */
extern bool orthogonal_nearest(int n, double *matrix, double *scratch,
							   int *rank, OrthogonalCheck check);

#endif							/* MATH_ORTHOGONAL_H */
