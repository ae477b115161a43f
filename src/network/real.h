/*-------------------------------------------------------------------------
 *
 * real.h
 *	  The number type of everything that has a backward pass.
 *
 * Files that include this compile for floats, on the kernels of src/math, and,
 * with NETWORK_DOUBLE defined, for doubles, in plain loops.  The second form
 * is for tests: differences of a loss at two near points say something about
 * a gradient in double only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NETWORK_REAL_H
#define NETWORK_REAL_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "math/matrix.h"

#ifdef NETWORK_DOUBLE

typedef double Real;

typedef struct RealMatrix
{
	const Real *values;
	size_t		stride;
	bool		transposed;
} RealMatrix;

static inline Real
real_at(RealMatrix m, size_t row, size_t column)
{
	return m.transposed ? m.values[column * m.stride + row]
						: m.values[row * m.stride + column];
}

static inline bool
real_product(int rows, int columns, int inner, RealMatrix a, RealMatrix b,
			 bool add, Real *c, size_t c_stride, Real *scratch,
			 ProductInterrupt *interrupt)
{
	for (int i = 0; i < rows; i++)
	{
		for (int j = 0; j < columns; j++)
		{
			Real		sum = add ? c[i * c_stride + j] : 0;

			for (int k = 0; k < inner; k++)
				sum += real_at(a, i, k) * real_at(b, k, j);
			c[i * c_stride + j] = sum;
		}
	}
	return true;
}

static inline void
real_add(int count, const Real *x, Real *to)
{
	for (int i = 0; i < count; i++)
		to[i] += x[i];
}

static inline void
real_scale(int count, Real factor, Real *x)
{
	for (int i = 0; i < count; i++)
		x[i] *= factor;
}

static inline void
real_add_scaled(int count, Real factor, const Real *x, Real *to)
{
	for (int i = 0; i < count; i++)
		to[i] += factor * x[i];
}

#else

typedef float Real;
typedef Matrix RealMatrix;

#define real_product matrix_product
#define real_add(count, x, to) layer->add(count, x, to)
#define real_scale(count, factor, x) layer->scale(count, factor, x)
#define real_add_scaled(count, factor, x, to) \
	layer->add_scaled(count, factor, x, to)

#endif

/*
 * Sums run in double over four chains, which is enough for a row and lets the
 * processor go on.
 */
static inline double
real_inner(int count, const Real *x, const Real *y)
{
	double		sums[4] = {0};
	int			i = 0;

	for (; i + 4 <= count; i += 4)
	{
		for (int j = 0; j < 4; j++)
			sums[j] += (double) x[i + j] * y[i + j];
	}
	for (; i < count; i++)
		sums[0] += (double) x[i] * y[i];
	return sums[0] + sums[1] + sums[2] + sums[3];
}

#endif							/* NETWORK_REAL_H */
