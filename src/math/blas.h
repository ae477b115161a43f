/*-------------------------------------------------------------------------
 *
 * blas.h
 *	  OpenBLAS for large products, loaded when the first one comes.
 *
 * It is never linked: the pthread build starts threads as it is loaded, and
 * its threads take signals that the server means for itself.  blas_open loads
 * it with all signals blocked and told to stay single.  Call it in a backend
 * or worker, at the first large product; never in the postmaster and never
 * while the library itself is being loaded.
 *
 * A product cannot be interrupted: cut large ones into pieces of about
 * BLAS_PIECE multiplications and look for interrupts in between.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_BLAS_H
#define MATH_BLAS_H

#include <stdbool.h>
#include <stddef.h>

typedef enum BlasStatus
{
	BLAS_OK,
	BLAS_NOT_FOUND,				/* no library at any known place */
	BLAS_NOT_LOADED,			/* found, but the loader refused it */
	BLAS_NO_FUNCTION,			/* loaded, but without what we need */
	BLAS_STARTED_THREADS		/* loaded, but now there are more threads */
} BlasStatus;

/* Some tens of milliseconds on one core of any machine of today. */
#define BLAS_PIECE ((size_t) 1 << 30)

/*
 * Loads the library if this process has not done so.  A failure is tried
 * again at the next call, for the library may be installed meanwhile; but
 * threads once started stay, and so does BLAS_STARTED_THREADS.
 */
extern BlasStatus blas_open(void);

/* For tests: look in these places, NULL at the end, instead of the known. */
extern BlasStatus blas_open_from(const char *const *places);

/*
 * What went wrong in the last blas_open, for the error's detail; and a hint.
 */
extern const char *blas_detail(void);
extern const char *blas_hint(void);

/* The file that was loaded, or NULL. */
extern const char *blas_library(void);

/*
 * C = A B + beta C, all in row order; after blas_open returned BLAS_OK.
 *
 * A is rows x inner, or, transposed, stored as inner x rows; B is inner x
 * columns, or stored as columns x inner.  The strides count floats from one
 * stored row to the next.  beta 0 does not read C.
 */
typedef struct BlasMatrix
{
	const float *values;
	int			stride;
	bool		transposed;
} BlasMatrix;

extern void blas_product(int rows, int columns, int inner, BlasMatrix a,
						 BlasMatrix b, float beta, float *c, int c_stride);

#endif							/* MATH_BLAS_H */
