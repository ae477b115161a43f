/*-------------------------------------------------------------------------
 *
 * lanes_avx2.h
 *	  A register of 8 floats: lanes_avx512.h for AVX2 with FMA.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_LANES_H
#define MATH_LANES_H

#include <immintrin.h>
#include <stdint.h>

#include "math/inline.h"

#define LANES 8
#define LANES_TARGET __attribute__((target("avx2,fma,f16c,bmi,bmi2")))
#define LANES_INLINE ALWAYS_INLINE LANES_TARGET

typedef __m256 Lanes;

LANES_INLINE Lanes
lanes_set(float x)
{
	return _mm256_set1_ps(x);
}

LANES_INLINE Lanes
lanes_load(const float *from)
{
	return _mm256_loadu_ps(from);
}

LANES_INLINE void
lanes_store(float *to, Lanes a)
{
	_mm256_storeu_ps(to, a);
}

LANES_INLINE __m256i
lanes_first(int count)
{
	return _mm256_cmpgt_epi32(_mm256_set1_epi32(count),
							  _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

LANES_INLINE Lanes
lanes_load_first(const float *from, int count)
{
	return _mm256_maskload_ps(from, lanes_first(count));
}

LANES_INLINE void
lanes_store_first(float *to, Lanes a, int count)
{
	_mm256_maskstore_ps(to, lanes_first(count), a);
}

LANES_INLINE Lanes
lanes_first_of(Lanes a, Lanes b, int count)
{
	return _mm256_blendv_ps(b, a, _mm256_castsi256_ps(lanes_first(count)));
}

LANES_INLINE Lanes
lanes_from_int(const int32_t *from)
{
	return _mm256_cvtepi32_ps(_mm256_loadu_si256((const __m256i *) from));
}

LANES_INLINE Lanes
lanes_add(Lanes a, Lanes b)
{
	return _mm256_add_ps(a, b);
}

LANES_INLINE Lanes
lanes_subtract(Lanes a, Lanes b)
{
	return _mm256_sub_ps(a, b);
}

LANES_INLINE Lanes
lanes_multiply(Lanes a, Lanes b)
{
	return _mm256_mul_ps(a, b);
}

LANES_INLINE Lanes
lanes_multiply_add(Lanes a, Lanes b, Lanes c)
{
	return _mm256_fmadd_ps(a, b, c);
}

LANES_INLINE Lanes
lanes_divide(Lanes a, Lanes b)
{
	return _mm256_div_ps(a, b);
}

LANES_INLINE Lanes
lanes_max(Lanes a, Lanes b)
{
	return _mm256_max_ps(a, b);
}

LANES_INLINE Lanes
lanes_min(Lanes a, Lanes b)
{
	return _mm256_min_ps(a, b);
}

LANES_INLINE Lanes
lanes_round(Lanes a)
{
	return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

LANES_INLINE Lanes
lanes_scale(Lanes a, Lanes exponent)
{
	__m256i		biased = _mm256_add_epi32(_mm256_cvtps_epi32(exponent),
										  _mm256_set1_epi32(127));

	return _mm256_mul_ps(a,
						 _mm256_castsi256_ps(_mm256_slli_epi32(biased, 23)));
}

LANES_INLINE float
lanes_sum(Lanes a)
{
	__m128		quarter = _mm_add_ps(_mm256_castps256_ps128(a),
									 _mm256_extractf128_ps(a, 1));

	quarter = _mm_add_ps(quarter, _mm_movehl_ps(quarter, quarter));
	return _mm_cvtss_f32(_mm_add_ss(quarter, _mm_movehdup_ps(quarter)));
}

LANES_INLINE float
lanes_largest(Lanes a)
{
	__m128		quarter = _mm_max_ps(_mm256_castps256_ps128(a),
									 _mm256_extractf128_ps(a, 1));

	quarter = _mm_max_ps(quarter, _mm_movehl_ps(quarter, quarter));
	return _mm_cvtss_f32(_mm_max_ss(quarter, _mm_movehdup_ps(quarter)));
}

LANES_INLINE float
lanes_least(Lanes a)
{
	__m128		quarter = _mm_min_ps(_mm256_castps256_ps128(a),
									 _mm256_extractf128_ps(a, 1));

	quarter = _mm_min_ps(quarter, _mm_movehl_ps(quarter, quarter));
	return _mm_cvtss_f32(_mm_min_ss(quarter, _mm_movehdup_ps(quarter)));
}

LANES_INLINE __m128i
lanes_to_shorts(Lanes a)
{
	__m256i		whole = _mm256_cvtps_epi32(a);

	return _mm_packs_epi32(_mm256_castsi256_si128(whole),
						   _mm256_extracti128_si256(whole, 1));
}

LANES_INLINE void
lanes_store_bytes(uint8_t *to, Lanes a)
{
	__m128i		shorts = lanes_to_shorts(a);

	_mm_storel_epi64((__m128i *) to, _mm_packus_epi16(shorts, shorts));
}

LANES_INLINE void
lanes_store_shorts(int16_t *to, Lanes a)
{
	_mm_storeu_si128((__m128i *) to, lanes_to_shorts(a));
}

LANES_INLINE void
lanes_store_bfloat16(uint16_t *to, Lanes a)
{
	__m256i		bits = _mm256_castps_si256(a);
	__m256i		odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16),
									   _mm256_set1_epi32(1));

	bits = _mm256_add_epi32(bits,
							_mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF)));
	bits = _mm256_srli_epi32(bits, 16);
	_mm_storeu_si128((__m128i *) to,
					 _mm_packus_epi32(_mm256_castsi256_si128(bits),
									  _mm256_extracti128_si256(bits, 1)));
}

LANES_INLINE void
lanes_transpose(Lanes row[LANES])
{
	Lanes		t[LANES];

	UNROLL
	for (int i = 0; i < 4; i++)
	{
		t[2 * i] = _mm256_unpacklo_ps(row[2 * i], row[2 * i + 1]);
		t[2 * i + 1] = _mm256_unpackhi_ps(row[2 * i], row[2 * i + 1]);
	}
	UNROLL
	for (int i = 0; i < 2; i++)
	{
		row[4 * i] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0x44);
		row[4 * i + 1] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0xEE);
		row[4 * i + 2] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0x44);
		row[4 * i + 3] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0xEE);
	}
	UNROLL
	for (int i = 0; i < 4; i++)
	{
		t[i] = _mm256_permute2f128_ps(row[i], row[4 + i], 0x20);
		t[4 + i] = _mm256_permute2f128_ps(row[i], row[4 + i], 0x31);
	}
	UNROLL
	for (int i = 0; i < 8; i++)
		row[i] = t[i];
}

#endif							/* MATH_LANES_H */
