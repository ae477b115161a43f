/*-------------------------------------------------------------------------
 *
 * rabitq_avx512.c
 *	  RaBitQ kernels for AVX-512 (F, BW, DQ, VL).
 *
 *-------------------------------------------------------------------------
 */
#if defined(__x86_64__)
#define LANES 16
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#endif
#include "math/rabitq_sets.h"

#if defined(__x86_64__)

/*
 * Four tables of 16 entries in one register; bytes are added as 16-bit lanes
 * twice, once whole and once the odd bytes alone, and the even bytes' sum is
 * the difference.
 */
TARGET static uint32_t
scan_avx512(const RabitqQuery *query, const uint8_t *block,
			float lead, float margin, float threshold, float *scores)
{
	int			groups = query->coded / 4;
	const uint8_t *table = query->table;
	const float *factors = (const float *) (block +
											RABITQ_BLOCK_BYTES(query->coded));
	const __m512i low_half = _mm512_set1_epi8(15);
	__m512i		all_low = _mm512_setzero_si512();
	__m512i		odd_low = _mm512_setzero_si512();
	__m512i		all_high = _mm512_setzero_si512();
	__m512i		odd_high = _mm512_setzero_si512();
	__m512		step = _mm512_set1_ps(query->table_step);
	__m512		base = _mm512_set1_ps(query->table_base);
	__m512		leads = _mm512_set1_ps(lead);
	__m512		margins = _mm512_set1_ps(margin);
	__m512		limit = _mm512_set1_ps(threshold);
	uint32_t	mask = 0;

	for (int g = 0; g < groups; g += 4)
	{
		__m512i		codes = _mm512_loadu_si512(block + g * 16);
		__m512i		entries = _mm512_loadu_si512(table + g * 16);
		__m512i		low = _mm512_shuffle_epi8(
				entries, _mm512_and_si512(codes, low_half));
		__m512i		high = _mm512_shuffle_epi8(
				entries,
				_mm512_and_si512(_mm512_srli_epi16(codes, 4), low_half));

		all_low = _mm512_add_epi16(all_low, low);
		odd_low = _mm512_add_epi16(odd_low, _mm512_srli_epi16(low, 8));
		all_high = _mm512_add_epi16(all_high, high);
		odd_high = _mm512_add_epi16(odd_high, _mm512_srli_epi16(high, 8));
	}

	for (int half = 0; half < 2; half++)
	{
		__m512i		all = half == 0 ? all_low : all_high;
		__m512i		odd = half == 0 ? odd_low : odd_high;
		__m512i		even = _mm512_sub_epi16(all, _mm512_slli_epi16(odd, 8));
		__m256i		even2 =
				_mm256_add_epi16(_mm512_castsi512_si256(even),
								 _mm512_extracti64x4_epi64(even, 1));
		__m256i		odd2 = _mm256_add_epi16(_mm512_castsi512_si256(odd),
											_mm512_extracti64x4_epi64(odd, 1));
		__m128i		even1 = _mm_add_epi16(_mm256_castsi256_si128(even2),
										  _mm256_extracti128_si256(even2, 1));
		__m128i		odd1 = _mm_add_epi16(_mm256_castsi256_si128(odd2),
										 _mm256_extracti128_si256(odd2, 1));
		__m256i		sums = _mm256_set_m128i(_mm_unpackhi_epi16(even1, odd1),
											_mm_unpacklo_epi16(even1, odd1));
		__m512		sum = _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(sums));
		__m512		add = _mm512_loadu_ps(factors + half * 16);
		__m512		scale = _mm512_loadu_ps(factors + RABITQ_BLOCK +
											half * 16);
		__m512		inner = _mm512_add_ps(_mm512_mul_ps(step, sum), base);
		__m512		score = _mm512_add_ps(_mm512_add_ps(add, leads),
										  _mm512_mul_ps(scale, inner));
		__m512		bound = _mm512_add_ps(score,
										  _mm512_mul_ps(margins, scale));

		_mm512_storeu_ps(scores + half * 16, score);
		mask |= (uint32_t) _mm512_cmp_ps_mask(bound, limit, _CMP_LT_OQ)
				<< (half * 16);
	}
	return mask;
}

TARGET static int32_t
dot_avx512(int dims, const uint8_t *code, const int16_t *levels)
{
	const __m256i low_half = _mm256_set1_epi8(15);
	__m512i		sum0 = _mm512_setzero_si512();
	__m512i		sum1 = _mm512_setzero_si512();

	for (int i = 0; i < dims; i += 64)
	{
		__m256i		bytes = _mm256_loadu_si256(
				(const __m256i *) (code + i / 2));
		__m256i		low = _mm256_and_si256(bytes, low_half);
		__m256i		high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4),
											low_half);

		sum0 = _mm512_add_epi32(
			sum0, _mm512_madd_epi16(_mm512_cvtepu8_epi16(low),
									_mm512_loadu_si512(levels + i)));
		sum1 = _mm512_add_epi32(
			sum1, _mm512_madd_epi16(_mm512_cvtepu8_epi16(high),
									_mm512_loadu_si512(levels + i + 32)));
	}
	return _mm512_reduce_add_epi32(_mm512_add_epi32(sum0, sum1));
}

TARGET static void
center_lead_avx512(const RabitqQuery *query, const uint8_t *codes,
				   float minimum, float step, bool inner,
				   float *lead, float *distance)
{
	center_lead_lanes(query, codes, minimum, step, inner, lead, distance);
}

TARGET static void
prepare_avx512(RabitqQuery *query)
{
	prepare_lanes(query);
}

TARGET static void
encode_avx512(int dims, int coded, const float *vector, const float *center,
			  float lost, bool inner, uint8_t *bits, RabitqFactors *factors)
{
	encode_lanes(dims, coded, vector, center, lost, inner, bits, factors);
}

TARGET static void
refine_encode_avx512(int dims, const float *vector, const float *center,
					 bool inner, uint8_t *code, RabitqFactors *factors)
{
	refine_encode_lanes(dims, vector, center, inner, code, factors);
}

const RabitqSet *
rabitq_set_avx512(void)
{
	static const RabitqSet set = {
		"avx512", scan_avx512, dot_avx512, center_lead_avx512, prepare_avx512,
		encode_avx512, refine_encode_avx512
	};

	return cpu_level_missing(CPU_AVX512) == NULL ? &set : NULL;
}

#else

const RabitqSet *
rabitq_set_avx512(void)
{
	return NULL;
}

#endif
