/*-------------------------------------------------------------------------
 *
 * double_rows.h
 *	  Sums over rows of doubles.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_DOUBLE_ROWS_H
#define MATH_DOUBLE_ROWS_H

#include <stdint.h>

/* Four sums side by side: a compiler may not reorder one. */
static inline double
double_dot(const double *a, const double *b, int64_t n)
{
	double		sums[4] = {0};
	int64_t		i = 0;

	for (; i + 4 <= n; i += 4)
		for (int k = 0; k < 4; k++)
			sums[k] += a[i + k] * b[i + k];
	for (; i < n; i++)
		sums[0] += a[i] * b[i];
	return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

/* to += factor * from */
static inline void
double_add_scaled(double *to, double factor, const double *from, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		to[i] += factor * from[i];
}

#endif							/* MATH_DOUBLE_ROWS_H */
