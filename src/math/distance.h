/*-------------------------------------------------------------------------
 *
 * distance.h
 *	  Distances between vectors, chosen once for the CPU at hand.
 *
 * Every kernel exists in a scalar form, which defines it, and in forms for
 * AVX2 with FMA and F16C, AVX-512 and NEON.  distance_init picks the best set
 * the CPU and the operating system support; the pointers below never change
 * afterwards.  Arguments need no alignment.  Sums are kept in float, at least
 * sixteen at a time; each result lies within 4 * eps * sqrt(dims) of the sum
 * of absolute terms against a float64 reference, for dims up to 16,000
 * (README; test/unit/distance_test.c).
 *
 * No server header is included here or below in this room.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_DISTANCE_H
#define MATH_DISTANCE_H

#include <stddef.h>
#include <stdint.h>

/* IEEE 754 binary16, as stored in a halfvec. */
typedef uint16_t half;

/* The three sums from which cosine similarity is computed. */
typedef struct CosineSums
{
	double		inner;			/* a . b */
	double		norm_a;			/* a . a */
	double		norm_b;			/* b . b */
} CosineSums;

/* Chooses the best set.  The pointers below are NULL until it has run. */
extern void distance_init(void);

/* "scalar", "avx2", "avx512" or "neon": shown by tests and benchmarks */
extern const char *distance_kernels;

/*
 * For tests and benchmarks: use the set of this name.  Returns NULL when it
 * is in use from now on, or else why it cannot be.
 */
extern const char *distance_select(const char *name);

/* float32 vectors */
extern float (*vector_l2_squared_kernel) (int dims, const float *a,
										  const float *b);
extern float (*vector_inner_kernel) (int dims, const float *a, const float *b);
extern CosineSums (*vector_cosine_kernel) (int dims, const float *a,
										   const float *b);
extern float (*vector_l1_kernel) (int dims, const float *a, const float *b);

/* float16 vectors; sums are float32 */
extern float (*half_l2_squared_kernel)(int dims, const half *a, const half *b);
extern float (*half_inner_kernel) (int dims, const half *a, const half *b);
extern CosineSums (*half_cosine_kernel) (int dims, const half *a,
										 const half *b);
extern float (*half_l1_kernel) (int dims, const half *a, const half *b);

/*
 * Conversion of whole arrays, equal bit by bit in every set.  float to half
 * rounds to nearest even; what is beyond the range becomes infinity, a NaN
 * stays a (quiet) NaN.
 */
extern void (*half_to_float_kernel) (int dims, const half *from, float *to);
extern void (*float_to_half_kernel) (int dims, const float *from, half *to);

/* bit strings of "bytes" bytes, unused bits zero */
extern uint64_t (*bit_hamming_kernel) (size_t bytes, const uint8_t *a,
									   const uint8_t *b);
extern double (*bit_jaccard_kernel) (size_t bytes, const uint8_t *a,
									 const uint8_t *b);

/*
 * Sparse vectors: indices ascending, unique and not negative, "count"
 * non-zeros each.  Sums are kept in double.
 */
extern float (*sparse_inner_kernel) (int a_count, const int32_t *a_index,
									 const float *a_value, int b_count,
									 const int32_t *b_index,
									 const float *b_value);
extern float (*sparse_l2_squared_kernel) (int a_count, const int32_t *a_index,
										  const float *a_value, int b_count,
										  const int32_t *b_index,
										  const float *b_value);
extern float (*sparse_l1_kernel) (int a_count, const int32_t *a_index,
								  const float *a_value, int b_count,
								 const int32_t *b_index, const float *b_value);

/* single values, the same conversions */
extern float half_to_float(half value);
extern half float_to_half(float value);

#endif							/* MATH_DISTANCE_H */
