/*-------------------------------------------------------------------------
 *
 * distance_sets.h
 *	  The sets of kernels, one file each: for this room and its test only.
 *
 * A set whose processor is not the one compiled for is absent; a set that is
 * compiled need not run on the processor at hand: ask distance_select.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_DISTANCE_SETS_H
#define MATH_DISTANCE_SETS_H

#include "math/distance.h"
#include "math/inline.h"

typedef float (*VectorKernel) (int dims, const float *a, const float *b);
typedef CosineSums (*VectorCosineKernel) (int dims, const float *a,
										  const float *b);
typedef float (*HalfKernel) (int dims, const half *a, const half *b);
typedef CosineSums (*HalfCosineKernel)(int dims, const half *a, const half *b);
typedef float (*SparseKernel) (int a_count, const int32_t *a_index,
							   const float *a_value, int b_count,
							   const int32_t *b_index, const float *b_value);

typedef struct DistanceKernels
{
	const char *name;

	VectorKernel vector_l2_squared;
	VectorKernel vector_inner;
	VectorCosineKernel vector_cosine;
	VectorKernel vector_l1;

	HalfKernel	half_l2_squared;
	HalfKernel	half_inner;
	HalfCosineKernel half_cosine;
	HalfKernel	half_l1;

	void		(*half_to_float) (int dims, const half *from, float *to);
	void		(*float_to_half) (int dims, const float *from, half *to);

	uint64_t (*bit_hamming) (size_t bytes, const uint8_t *a, const uint8_t *b);
	double (*bit_jaccard) (size_t bytes, const uint8_t *a, const uint8_t *b);

	SparseKernel sparse_inner;
	SparseKernel sparse_l2_squared;
	SparseKernel sparse_l1;
} DistanceKernels;

/*
 * What a dense or sparse sum adds up for one pair of elements.  Kernels are
 * written once for all of them; the compiler drops what a constant kind does
 * not need.
 */
typedef enum TermKind
{
	TERM_L2_SQUARED,			/* (a - b)^2 */
	TERM_INNER,					/* a * b */
	TERM_L1						/* |a - b| */
} TermKind;

/*
 * One count this many times the other: the scalar and NEON sets search for
 * each index of the short side in the long side.  Measured (README).
 */
#define SPARSE_GALLOP_RATIO 32

extern const DistanceKernels distance_scalar_set;

#if defined(__x86_64__)
extern const DistanceKernels distance_avx2_set;
extern const DistanceKernels distance_avx512_set;
#elif defined(__aarch64__)
extern const DistanceKernels distance_neon_set;
#endif

/* the double-precision inner product of a short and a very long side */
extern double sparse_gallop_inner(int short_count, const int32_t *short_index,
								  const float *short_value,
								  int long_count, const int32_t *long_index,
								  const float *long_value);

/* the Jaccard distance of two sets from the sizes of their meet and join */
static inline double
jaccard_distance_of_counts(uint64_t both, uint64_t either)
{
	return either == 0 || both == 0 ? 1.0
									: 1.0 - (double) both / (double) either;
}

#endif							/* MATH_DISTANCE_SETS_H */
