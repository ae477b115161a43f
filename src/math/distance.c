/*-------------------------------------------------------------------------
 *
 * distance.c
 *	  The choice among the sets of kernels.
 *
 * A set is usable when cpu.h misses nothing that it needs.
 *
 *-------------------------------------------------------------------------
 */
#include "math/cpu.h"
#include "math/distance.h"
#include "math/distance_sets.h"

#include <string.h>

const char *distance_kernels;

float		(*vector_l2_squared_kernel) (int dims, const float *a, const float *b);
float		(*vector_inner_kernel) (int dims, const float *a, const float *b);
CosineSums	(*vector_cosine_kernel) (int dims, const float *a, const float *b);
float		(*vector_l1_kernel) (int dims, const float *a, const float *b);

float		(*half_l2_squared_kernel) (int dims, const half *a, const half *b);
float		(*half_inner_kernel) (int dims, const half *a, const half *b);
CosineSums	(*half_cosine_kernel) (int dims, const half *a, const half *b);
float		(*half_l1_kernel) (int dims, const half *a, const half *b);

void		(*half_to_float_kernel) (int dims, const half *from, float *to);
void		(*float_to_half_kernel) (int dims, const float *from, half *to);

uint64_t	(*bit_hamming_kernel) (size_t bytes, const uint8_t *a, const uint8_t *b);
double		(*bit_jaccard_kernel) (size_t bytes, const uint8_t *a, const uint8_t *b);

float		(*sparse_inner_kernel) (int a_count, const int32_t *a_index, const float *a_value,
									int b_count, const int32_t *b_index, const float *b_value);
float		(*sparse_l2_squared_kernel) (int a_count, const int32_t *a_index, const float *a_value,
										 int b_count, const int32_t *b_index, const float *b_value);
float		(*sparse_l1_kernel) (int a_count, const int32_t *a_index, const float *a_value,
								 int b_count, const int32_t *b_index, const float *b_value);

static void
use_set(const DistanceKernels *set)
{
	distance_kernels = set->name;
	vector_l2_squared_kernel = set->vector_l2_squared;
	vector_inner_kernel = set->vector_inner;
	vector_cosine_kernel = set->vector_cosine;
	vector_l1_kernel = set->vector_l1;
	half_l2_squared_kernel = set->half_l2_squared;
	half_inner_kernel = set->half_inner;
	half_cosine_kernel = set->half_cosine;
	half_l1_kernel = set->half_l1;
	half_to_float_kernel = set->half_to_float;
	float_to_half_kernel = set->float_to_half;
	bit_hamming_kernel = set->bit_hamming;
	bit_jaccard_kernel = set->bit_jaccard;
	sparse_inner_kernel = set->sparse_inner;
	sparse_l2_squared_kernel = set->sparse_l2_squared;
	sparse_l1_kernel = set->sparse_l1;
}

/* From the slowest to the fastest. */
static const struct
{
	const char *name;
	const DistanceKernels *set;
	const char *(*missing) (void);	/* NULL: may be used */
}			candidates[] =
{
	{"scalar", &distance_scalar_set, cpu_missing_nothing},
#if defined(__aarch64__)
	{"neon", &distance_neon_set, cpu_missing_nothing},	/* part of every AArch64 */
#else
	{"neon", NULL, cpu_missing_all},
#endif
#if defined(__x86_64__)
	{"avx2", &distance_avx2_set, cpu_missing_avx2},
	{"avx512", &distance_avx512_set, cpu_missing_avx512},
#else
	{"avx2", NULL, cpu_missing_all},
	{"avx512", NULL, cpu_missing_all},
#endif
};

#define CANDIDATES ((int) (sizeof(candidates) / sizeof(candidates[0])))

const char *
distance_select(const char *name)
{
	for (int i = 0; i < CANDIDATES; i++)
	{
		const char *missing;

		if (strcmp(candidates[i].name, name) != 0)
			continue;
		missing = candidates[i].missing();
		if (missing != NULL)
			return missing;
		use_set(candidates[i].set);
#if defined(__x86_64__)

		/*
		 * The first AVX-512 processors do not count bits; the shuffles of the
		 * AVX2 set do it for them.
		 */
		if (candidates[i].set == &distance_avx512_set && !cpu_has_vpopcntdq())
		{
			bit_hamming_kernel = distance_avx2_set.bit_hamming;
			bit_jaccard_kernel = distance_avx2_set.bit_jaccard;
		}
#endif
		return NULL;
	}
	return "there is no set of this name";
}

void
distance_init(void)
{
	for (int i = CANDIDATES - 1; i >= 0; i--)
	{
		if (distance_select(candidates[i].name) == NULL)
			return;
	}
}
