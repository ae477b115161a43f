/*-------------------------------------------------------------------------
 *
 * rows.h
 *	  The weighted sum of rows of a matrix.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_ROWS_H
#define MATH_ROWS_H

/* Rows are padded to a multiple of so many floats. */
#define ROW_LANES	16

/*
 * sum += weights[0] * rows[0] + ... ; "stride" floats, a multiple of
 * ROW_LANES.  Rows need no alignment and are fetched ahead of their turn: the
 * matrix may be far larger than the caches.
 */
extern void rows_sum(int stride, const float *const *rows,
					 const float *weights, int count, float *sum);

#endif							/* MATH_ROWS_H */
