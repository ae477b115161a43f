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
#include "math/distance_sets.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

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

#if defined(__x86_64__)

/* bits of XCR0: the registers the operating system saves */
#define XCR0_AVX 0x06			/* XMM, YMM */
#define XCR0_AVX512 0xE6		/* and opmask, ZMM_Hi256, Hi16_ZMM */

/* leaf 1, ecx */
#define LEAF1_NEEDED (bit_FMA | bit_F16C | bit_AVX | bit_POPCNT | bit_OSXSAVE)
/* leaf 7, ebx */
#define LEAF7_AVX2 (bit_AVX2 | bit_BMI | bit_BMI2)
#define LEAF7_AVX512 (bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL)

typedef struct CpuFeatures
{
	unsigned int leaf1_ecx;
	unsigned int leaf7_ebx;
	unsigned int leaf7_ecx;
	unsigned int xcr0;
} CpuFeatures;

static CpuFeatures
cpu_features(void)
{
	CpuFeatures cpu = {0, 0, 0, 0};
	unsigned int eax,
				ebx,
				ecx,
				edx;

	if (__get_cpuid(1, &eax, &ebx, &ecx, &edx))
		cpu.leaf1_ecx = ecx;
	if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx))
	{
		cpu.leaf7_ebx = ebx;
		cpu.leaf7_ecx = ecx;
	}
	if (cpu.leaf1_ecx & bit_OSXSAVE)
	{
		__asm__ __volatile__("xgetbv":"=a"(eax), "=d"(edx):"c"(0));
		cpu.xcr0 = eax;
	}
	return cpu;
}

static const char *
avx2_missing(void)
{
	CpuFeatures cpu = cpu_features();

	if ((cpu.leaf1_ecx & LEAF1_NEEDED) != LEAF1_NEEDED ||
		(cpu.leaf7_ebx & LEAF7_AVX2) != LEAF7_AVX2)
		return "the processor lacks AVX2, FMA, F16C or BMI2";
	if ((cpu.xcr0 & XCR0_AVX) != XCR0_AVX)
		return "the operating system does not save the AVX registers";
	return NULL;
}

static const char *
avx512_missing(void)
{
	CpuFeatures cpu = cpu_features();

	if (avx2_missing() != NULL)
		return avx2_missing();
	if ((cpu.leaf7_ebx & LEAF7_AVX512) != LEAF7_AVX512)
		return "the processor lacks AVX-512 F, BW, DQ or VL";
	if ((cpu.xcr0 & XCR0_AVX512) != XCR0_AVX512)
		return "the operating system does not save the AVX-512 registers";
	return NULL;
}

int
distance_cpu_has_vpopcntdq(void)
{
	return (cpu_features().leaf7_ecx & bit_AVX512VPOPCNTDQ) != 0;
}

#endif							/* __x86_64__ */

static const char *
scalar_missing(void)
{
	return NULL;
}

static const char *
not_compiled(void)
{
	return "this library is compiled for another kind of processor";
}

/* From the slowest to the fastest. */
static const struct
{
	const char *name;
	const DistanceKernels *set;
	const char *(*missing) (void);	/* NULL: may be used */
}			candidates[] =
{
	{"scalar", &distance_scalar_set, scalar_missing},
#if defined(__aarch64__)
	{"neon", &distance_neon_set, scalar_missing},	/* part of every AArch64 */
#else
	{"neon", NULL, not_compiled},
#endif
#if defined(__x86_64__)
	{"avx2", &distance_avx2_set, avx2_missing},
	{"avx512", &distance_avx512_set, avx512_missing},
#else
	{"avx2", NULL, not_compiled},
	{"avx512", NULL, not_compiled},
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
		if (candidates[i].set == &distance_avx512_set && !distance_cpu_has_vpopcntdq())
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
