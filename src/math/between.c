/*-------------------------------------------------------------------------
 *
 * between.c
 *	  Which of 32 numbers lie in a range.
 *
 * Conditions on columns beside the codes of an index ask it of every row of
 * every leaf, so it is worth the processor's wide comparisons.
 *
 *-------------------------------------------------------------------------
 */
#include "math/between.h"

#include "math/cpu.h"

static uint32_t
between_plain(const int64_t *values, int64_t low, int64_t high)
{
	uint32_t	mask = 0;

	for (int i = 0; i < BETWEEN_COUNT; i++)
		mask |= (uint32_t) (values[i] >= low && values[i] <= high) << i;
	return mask;
}

#ifdef __x86_64__

#include <immintrin.h>

__attribute__((target(CPU_TARGET_AVX512))) static uint32_t
between_avx512(const int64_t *values, int64_t low, int64_t high)
{
	__m512i		least = _mm512_set1_epi64(low);
	__m512i		most = _mm512_set1_epi64(high);
	uint32_t	mask = 0;

	for (int i = 0; i < BETWEEN_COUNT; i += 8)
	{
		__m512i		value = _mm512_loadu_si512(values + i);

		mask |= (uint32_t) _mm512_mask_cmple_epi64_mask(
			_mm512_cmpge_epi64_mask(value, least), value, most) << i;
	}
	return mask;
}

__attribute__((target(CPU_TARGET_AVX2))) static uint32_t
between_avx2(const int64_t *values, int64_t low, int64_t high)
{
	__m256i		least = _mm256_set1_epi64x(low);
	__m256i		most = _mm256_set1_epi64x(high);
	uint32_t	mask = 0;

	for (int i = 0; i < BETWEEN_COUNT; i += 4)
	{
		__m256i		value = _mm256_loadu_si256(
			(const __m256i *) (values + i));
		__m256i		outside = _mm256_or_si256(
			_mm256_cmpgt_epi64(least, value),
			_mm256_cmpgt_epi64(value, most));

		mask |= (uint32_t) (~_mm256_movemask_pd(
			_mm256_castsi256_pd(outside)) & 15) << i;
	}
	return mask;
}
#endif

uint32_t
between(const int64_t *values, int64_t low, int64_t high)
{
#ifdef __x86_64__
	if (cpu_level() >= CPU_AVX512)
		return between_avx512(values, low, high);
	if (cpu_level() >= CPU_AVX2)
		return between_avx2(values, low, high);
#endif
	return between_plain(values, low, high);
}
