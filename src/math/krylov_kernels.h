/*-------------------------------------------------------------------------
 *
 * krylov_kernels.h
 *	  The loops of krylov.c over rows of KRYLOV_BLOCK floats, for each
 *	  instruction set.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_KRYLOV_KERNELS_H
#define MATH_KRYLOV_KERNELS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct KrylovKernels
{
	const char *name;

	/* image += x x' block, for a sparse x */
	void		(*add_row) (const float *block, float *image, int count,
							const int32_t *keys, const float *values);

	/* block' block, summed in double */
	void		(*gram) (const float *block, int64_t rows, double *products);

	/* to += basis' block, columns x KRYLOV_BLOCK; rows are "stride" apart */
	void		(*project) (int64_t rows, int columns, const float *basis,
							int stride, const float *block, float *to);

	/*
	 * result = basis times factors, or result less that; factors: columns x
	 * KRYLOV_BLOCK.  The basis may be the result.
	 */
	void		(*combine) (int64_t rows, int columns, const float *basis,
							int stride, const float *factors, bool less,
							float *result);
} KrylovKernels;

/* The best set for this CPU; "name" asks for one of them (NULL if it cannot). */
extern const KrylovKernels *krylov_kernels(const char *name);

#endif							/* MATH_KRYLOV_KERNELS_H */
