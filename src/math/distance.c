/*-------------------------------------------------------------------------
 *
 * distance.c
 *	  The choice among the sets of kernels.
 *
 * A set is usable when the processor has its instructions and the operating
 * system saves its registers: a kernel that masks AVX-512 leaves the feature
 * bits set but not the bits of XCR0.
 *
 *-------------------------------------------------------------------------
 */
#include "math/distance.h"

#include "math/cpu.h"
#include "math/distance_sets.h"

const char *distance_kernels;

float (*vector_l2_squared_kernel) (int dims, const float *a, const float *b);
float		(*vector_inner_kernel) (int dims, const float *a, const float *b);
CosineSums	(*vector_cosine_kernel) (int dims, const float *a, const float *b);
float		(*vector_l1_kernel) (int dims, const float *a, const float *b);

float		(*half_l2_squared_kernel) (int dims, const half *a, const half *b);
float		(*half_inner_kernel) (int dims, const half *a, const half *b);
CosineSums	(*half_cosine_kernel) (int dims, const half *a, const half *b);
float		(*half_l1_kernel) (int dims, const half *a, const half *b);

void		(*half_to_float_kernel) (int dims, const half *from, float *to);
void		(*float_to_half_kernel) (int dims, const float *from, half *to);

uint64_t (*bit_hamming_kernel) (size_t bytes, const uint8_t *a,
								const uint8_t *b);
double (*bit_jaccard_kernel)(size_t bytes, const uint8_t *a, const uint8_t *b);

float (*sparse_inner_kernel) (int a_count, const int32_t *a_index,
							  const float *a_value, int b_count,
							  const int32_t *b_index, const float *b_value);
float (*sparse_l2_squared_kernel) (int a_count, const int32_t *a_index,
								   const float *a_value, int b_count,
								   const int32_t *b_index,
								   const float *b_value);
float (*sparse_l1_kernel) (int a_count, const int32_t *a_index,
						   const float *a_value, int b_count,
						   const int32_t *b_index, const float *b_value);

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

/* From the slowest to the fastest, for this kind of processor. */
static const struct
{
	const DistanceKernels *set;
	CpuLevel	level;
}			candidates[] =
{
	{&distance_scalar_set, CPU_SCALAR},
#if defined(__aarch64__)
	{&distance_neon_set, CPU_NEON},
#elif defined(__x86_64__)
	{&distance_avx2_set, CPU_AVX2},
	{&distance_avx512_set, CPU_AVX512},
#endif
};

#define CANDIDATES ((int) (sizeof(candidates) / sizeof(candidates[0])))

const char *
distance_select(const char *name)
{
	CpuLevel	level = cpu_level_of_name(name);
	const char *missing = cpu_level_missing(level);

	if (missing != NULL)
		return missing;
	for (int i = 0; i < CANDIDATES; i++)
	{
		if (candidates[i].level != level)
			continue;
		use_set(candidates[i].set);
#if defined(__x86_64__)

		/*
		 * The first AVX-512 processors do not count bits; the shuffles of the
		 * AVX2 set do it for them.
		 */
		if (level == CPU_AVX512 && !cpu_has(CPU_AVX512_VPOPCNTDQ))
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
		if (distance_select(candidates[i].set->name) == NULL)
			return;
	}
}
