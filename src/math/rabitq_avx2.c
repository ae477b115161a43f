/*-------------------------------------------------------------------------
 *
 * rabitq_avx2.c
 *	  RaBitQ kernels for AVX2.
 *
 *-------------------------------------------------------------------------
 */
#if defined(__x86_64__)
#define LANES 8
#define TARGET __attribute__((target("avx2")))
#endif
#include "math/rabitq_sets.h"

#if defined(__x86_64__)

TARGET static uint32_t
scan_avx2(const RabitqQuery *query, const uint8_t *block,
		  float lead, float margin, float threshold, float *scores)
{
	int			groups = query->coded / 4;
	const uint8_t *table = query->table;
	const float *factors = (const float *) (block +
											RABITQ_BLOCK_BYTES(query->coded));
	const __m256i low_half = _mm256_set1_epi8(15);
	__m256i		all_low = _mm256_setzero_si256();
	__m256i		odd_low = _mm256_setzero_si256();
	__m256i		all_high = _mm256_setzero_si256();
	__m256i		odd_high = _mm256_setzero_si256();
	__m256		step = _mm256_set1_ps(query->table_step);
	__m256		base = _mm256_set1_ps(query->table_base);
	__m256		leads = _mm256_set1_ps(lead);
	__m256		margins = _mm256_set1_ps(margin);
	__m256		limit = _mm256_set1_ps(threshold);
	uint32_t	mask = 0;

	for (int g = 0; g < groups; g += 2)
	{
		__m256i		codes = _mm256_loadu_si256(
				(const __m256i *) (block + g * 16));
		__m256i		entries = _mm256_loadu_si256(
				(const __m256i *) (table + g * 16));
		__m256i		low = _mm256_shuffle_epi8(
				entries, _mm256_and_si256(codes, low_half));
		__m256i		high = _mm256_shuffle_epi8(
				entries,
				_mm256_and_si256(_mm256_srli_epi16(codes, 4), low_half));

		all_low = _mm256_add_epi16(all_low, low);
		odd_low = _mm256_add_epi16(odd_low, _mm256_srli_epi16(low, 8));
		all_high = _mm256_add_epi16(all_high, high);
		odd_high = _mm256_add_epi16(odd_high, _mm256_srli_epi16(high, 8));
	}

	for (int half = 0; half < 2; half++)
	{
		__m256i		all = half == 0 ? all_low : all_high;
		__m256i		odd = half == 0 ? odd_low : odd_high;
		__m256i		even = _mm256_sub_epi16(all, _mm256_slli_epi16(odd, 8));
		__m128i		even1 = _mm_add_epi16(_mm256_castsi256_si128(even),
										  _mm256_extracti128_si256(even, 1));
		__m128i		odd1 = _mm_add_epi16(_mm256_castsi256_si128(odd),
										 _mm256_extracti128_si256(odd, 1));

		for (int part = 0; part < 2; part++)
		{
			int			at = half * 16 + part * 8;
			__m128i		sums = part == 0 ? _mm_unpacklo_epi16(even1, odd1) :
				_mm_unpackhi_epi16(even1, odd1);
			__m256		sum = _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(sums));
			__m256		add = _mm256_loadu_ps(factors + at);
			__m256		scale = _mm256_loadu_ps(factors + RABITQ_BLOCK + at);
			__m256		inner = _mm256_add_ps(_mm256_mul_ps(step, sum), base);
			__m256		score = _mm256_add_ps(_mm256_add_ps(add, leads),
											  _mm256_mul_ps(scale, inner));
			__m256		bound = _mm256_add_ps(score, _mm256_mul_ps(margins,
																   scale));

			_mm256_storeu_ps(scores + at, score);
			mask |= (uint32_t) _mm256_movemask_ps(
						_mm256_cmp_ps(bound, limit, _CMP_LT_OQ))
					<< at;
		}
	}
	return mask;
}

TARGET static int32_t
dot_avx2(int dims, const uint8_t *code, const int16_t *levels)
{
	const __m128i low_half = _mm_set1_epi8(15);
	__m256i		sum = _mm256_setzero_si256();
	__m128i		sum1;

	for (int i = 0; i < dims; i += 64)
	{
		for (int part = 0; part < 2; part++)
		{
			__m128i		bytes = _mm_loadu_si128(
					(const __m128i *) (code + i / 2 + part * 16));
			__m128i		low = _mm_and_si128(bytes, low_half);
			__m128i		high = _mm_and_si128(_mm_srli_epi16(bytes, 4),
											 low_half);
			const int16_t *at = levels + i + part * 16;

			sum = _mm256_add_epi32(
				sum,
				_mm256_madd_epi16(_mm256_cvtepu8_epi16(low),
								  _mm256_loadu_si256((const __m256i *) at)));
			sum = _mm256_add_epi32(
				sum, _mm256_madd_epi16(_mm256_cvtepu8_epi16(high),
									   _mm256_loadu_si256(
										   (const __m256i *) (at + 32))));
		}
	}
	sum1 = _mm_add_epi32(_mm256_castsi256_si128(sum),
						 _mm256_extracti128_si256(sum, 1));
	sum1 = _mm_add_epi32(sum1,
						 _mm_shuffle_epi32(sum1, _MM_SHUFFLE(1, 0, 3, 2)));
	sum1 = _mm_add_epi32(sum1,
						 _mm_shuffle_epi32(sum1, _MM_SHUFFLE(2, 3, 0, 1)));
	return _mm_cvtsi128_si32(sum1);
}

TARGET static void
center_lead_avx2(const RabitqQuery *query, const uint8_t *codes,
				 float minimum, float step, bool inner,
				 float *lead, float *distance)
{
	center_lead_lanes(query, codes, minimum, step, inner, lead, distance);
}

TARGET static void
prepare_avx2(RabitqQuery *query)
{
	prepare_lanes(query);
}

TARGET static void
encode_avx2(int dims, int coded, const float *vector, const float *center,
			float lost, bool inner, uint8_t *bits, RabitqFactors *factors)
{
	encode_lanes(dims, coded, vector, center, lost, inner, bits, factors);
}

TARGET static void
refine_encode_avx2(int dims, const float *vector, const float *center,
				   bool inner, uint8_t *code, RabitqFactors *factors)
{
	refine_encode_lanes(dims, vector, center, inner, code, factors);
}

const RabitqSet *
rabitq_set_avx2(void)
{
	static const RabitqSet set = {
		"avx2", scan_avx2, dot_avx2, center_lead_avx2, prepare_avx2,
		encode_avx2, refine_encode_avx2
	};

	return cpu_level_missing(CPU_AVX2) == NULL ? &set : NULL;
}

#else

const RabitqSet *
rabitq_set_avx2(void)
{
	return NULL;
}

#endif
