/*-------------------------------------------------------------------------
 *
 * krylov.h
 *	  The largest singular values of a matrix that is only seen row by row.
 *
 * A block Krylov method (Golub and Underwood, "The block Lanczos method for
 * computing eigenvalues", 1977; Musco and Musco, "Randomized Block Krylov
 * Methods for Stronger and Faster Approximate Singular Value Decomposition",
 * NIPS 2015): beginning with a random block of columns, each pass over the
 * matrix A multiplies a block by A'A, and what is new in the product is the
 * next block.  The best approximation within all blocks so far is their
 * Rayleigh-Ritz one.  When there is no room for another block, the best
 * directions are kept (thick restart: Wu and Simon, SIAM J. Matrix Anal.
 * Appl. 2000) and the method goes on.
 *
 * The caller makes the passes:
 *
 *		krylov_begin(&krylov, ...);
 *		do
 *			... krylov.image = A'A krylov.block ...
 *		while (krylov_advance(&krylov) && ...);
 *		krylov_finish(&krylov, vectors, values);
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_KRYLOV_H
#define MATH_KRYLOV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "math/krylov_kernels.h"
#include "math/random.h"

/* Columns of a block: a cache line for each row of the matrix's columns. */
#define KRYLOV_BLOCK	16

/* Called between pieces of some tens of milliseconds; it need not return. */
typedef void (*KrylovCheck) (void);

typedef struct Krylov
{
	int64_t		rows;			/* of a vector: columns of A */
	int			dims;			/* directions wanted */
	int			most;			/* columns that the basis has room for */
	KrylovCheck check;
	const KrylovKernels *kernels;
	Random		random;

	float	   *block;			/* rows x KRYLOV_BLOCK: to be multiplied */
	float	   *image;			/* the same: the product */
	float	   *basis;			/* rows x most */
	double	   *products;		/* most x most: basis' A'A basis */
	int			columns;		/* of the basis so far */
	int			alive;			/* of the block; the others are zero */

	double	   *settled;		/* dims values at the last look */
	int			looked;			/* columns then; 0: not yet */
	double		change;			/* of the values, relative, the largest */
	void	   *scratch;
} Krylov;

/* Room for so many columns of the basis at the least. */
extern int	krylov_least_columns(int dims);

/*
 * Bytes that krylov_begin needs, aligned to a cache line, apart from which
 * krylov_finish needs rows x dims floats.
 */
extern size_t krylov_bytes(int64_t rows, int dims, int most);
extern void krylov_begin(Krylov *krylov, int64_t rows, int dims, int most,
						 void *memory, uint64_t seed, KrylovCheck check);

/*
 * Takes image = A'A block, and gives the next block.  False when there is
 * nothing more to find: the values have not changed by more than 1e-3 of
 * themselves for some passes, or the basis is all there is.
 */
extern bool krylov_advance(Krylov *krylov);

/*
 * A row of A adds its part to the image: elements at keys, which are below
 * rows.  The image is zero before the first one.
 */
extern void krylov_add_row(const Krylov *krylov, int count,
						   const int32_t *keys, const float *values);

/*
 * The first right singular vectors, as rows x dims floats, each of length 1
 * with its largest element positive, or zero where there are no more; and the
 * singular values.  What is below a thousandth of the largest value may be
 * noise of floats: the length of A v, summed in double, tells.
 */
extern void krylov_finish(Krylov *krylov, float *vectors, double *values);

#endif							/* MATH_KRYLOV_H */
