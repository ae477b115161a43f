/*-------------------------------------------------------------------------
 *
 * matrix.h
 *	  Products of float matrices that change at every call.
 *
 * product.h multiplies with weights that were packed once.  Where both sides
 * are new each time (training: outputs, gradients of inputs and of weights),
 * panels are laid out on the way, for the same kernels.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_MATRIX_H
#define MATH_MATRIX_H

#include <stdbool.h>
#include <stddef.h>

#include "math/product.h"

/* A matrix in row order, or its transpose; the stride counts floats. */
typedef struct Matrix
{
	const float *values;
	size_t		stride;
	bool		transposed;
} Matrix;

/* The scratch of any product, in floats. */
#define MATRIX_INNER 384
#define MATRIX_ROWS 384
#define MATRIX_SCRATCH_FLOATS \
	((size_t) MATRIX_INNER * 64 + (size_t) MATRIX_ROWS * MATRIX_INNER)

/*
 * C = A B, or C += A B: A of rows x inner, B of inner x columns.  A that is
 * transposed is stored as inner x rows, B as columns x inner.
 *
 * scratch: MATRIX_SCRATCH_FLOATS floats, aligned to PRODUCT_ALIGNMENT.
 * False if it was interrupted; C is then without value.
 */
extern bool matrix_product(int rows, int columns, int inner, Matrix a,
						   Matrix b, bool add, float *c, size_t c_stride,
						   float *scratch, ProductInterrupt *interrupt);

#endif							/* MATH_MATRIX_H */
