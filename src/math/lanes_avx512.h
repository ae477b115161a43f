/*-------------------------------------------------------------------------
 *
 * lanes_avx512.h
 *	  A register of 16 floats: what the templates of kernels are written in.
 *
 * The same names are defined by lanes_avx2.h, lanes_neon.h and
 * lanes_scalar.h; a file includes one of them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_LANES_H
#define MATH_LANES_H

#include <immintrin.h>
#include <stdint.h>

#include "math/inline.h"

#define LANES 16
#define LANES_TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")))
#define LANES_INLINE ALWAYS_INLINE LANES_TARGET

typedef __m512 Lanes;

LANES_INLINE Lanes
lanes_set(float x)
{
	return _mm512_set1_ps(x);
}

LANES_INLINE Lanes
lanes_load(const float *from)
{
	return _mm512_loadu_ps(from);
}

LANES_INLINE void
lanes_store(float *to, Lanes a)
{
	_mm512_storeu_ps(to, a);
}

LANES_INLINE __mmask16
lanes_first(int count)
{
	return count >= LANES ? 0xFFFF : (__mmask16) ((1U << count) - 1);
}

/* Only the first "count" floats are read; the others are zero. */
LANES_INLINE Lanes
lanes_load_first(const float *from, int count)
{
	return _mm512_maskz_loadu_ps(lanes_first(count), from);
}

LANES_INLINE void
lanes_store_first(float *to, Lanes a, int count)
{
	_mm512_mask_storeu_ps(to, lanes_first(count), a);
}

/* the first "count" of a, and b after them */
LANES_INLINE Lanes
lanes_first_of(Lanes a, Lanes b, int count)
{
	return _mm512_mask_blend_ps(lanes_first(count), b, a);
}

LANES_INLINE Lanes
lanes_from_int(const int32_t *from)
{
	return _mm512_cvtepi32_ps(_mm512_loadu_si512(from));
}

LANES_INLINE Lanes
lanes_add(Lanes a, Lanes b)
{
	return _mm512_add_ps(a, b);
}

LANES_INLINE Lanes
lanes_subtract(Lanes a, Lanes b)
{
	return _mm512_sub_ps(a, b);
}

LANES_INLINE Lanes
lanes_multiply(Lanes a, Lanes b)
{
	return _mm512_mul_ps(a, b);
}

/* a * b + c */
LANES_INLINE Lanes
lanes_multiply_add(Lanes a, Lanes b, Lanes c)
{
	return _mm512_fmadd_ps(a, b, c);
}

/*
 * a / b for b in the middle of the range of floats, to an ulp: the reciprocal
 * to 14 bits, one step of Newton's, one of the residue.  A division of 16
 * lanes takes 16 cycles, this takes 4.
 */
LANES_INLINE Lanes
lanes_divide(Lanes a, Lanes b)
{
	Lanes		reciprocal = _mm512_rcp14_ps(b);
	Lanes		quotient;

	reciprocal = _mm512_fmadd_ps(reciprocal,
								 _mm512_fnmadd_ps(b, reciprocal, lanes_set(1)),
								 reciprocal);
	quotient = _mm512_mul_ps(a, reciprocal);
	return _mm512_fmadd_ps(reciprocal, _mm512_fnmadd_ps(b, quotient, a),
						   quotient);
}

LANES_INLINE Lanes
lanes_max(Lanes a, Lanes b)
{
	return _mm512_max_ps(a, b);
}

LANES_INLINE Lanes
lanes_min(Lanes a, Lanes b)
{
	return _mm512_min_ps(a, b);
}

LANES_INLINE Lanes
lanes_round(Lanes a)
{
	return _mm512_roundscale_ps(a,
								_MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/* a * 2^exponent, for whole exponents from -126 to 127 */
LANES_INLINE Lanes
lanes_scale(Lanes a, Lanes exponent)
{
	return _mm512_scalef_ps(a, exponent);
}

LANES_INLINE float
lanes_sum(Lanes a)
{
	__m256		half = _mm256_add_ps(_mm512_castps512_ps256(a),
									 _mm512_extractf32x8_ps(a, 1));
	__m128		quarter = _mm_add_ps(_mm256_castps256_ps128(half),
									 _mm256_extractf128_ps(half, 1));

	quarter = _mm_add_ps(quarter, _mm_movehl_ps(quarter, quarter));
	return _mm_cvtss_f32(_mm_add_ss(quarter, _mm_movehdup_ps(quarter)));
}

LANES_INLINE float
lanes_largest(Lanes a)
{
	return _mm512_reduce_max_ps(a);
}

LANES_INLINE float
lanes_least(Lanes a)
{
	return _mm512_reduce_min_ps(a);
}

/* whole numbers from 0 to 255 to bytes */
LANES_INLINE void
lanes_store_bytes(uint8_t *to, Lanes a)
{
	_mm_storeu_si128((__m128i *) to,
					 _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(a)));
}

/* whole numbers to 16 bits */
LANES_INLINE void
lanes_store_shorts(int16_t *to, Lanes a)
{
	_mm256_storeu_si256((__m256i *) to,
						_mm512_cvtepi32_epi16(_mm512_cvtps_epi32(a)));
}

/* rounded to bfloat16, to nearest and even */
LANES_INLINE void
lanes_store_bfloat16(uint16_t *to, Lanes a)
{
	__m512i		bits = _mm512_castps_si512(a);
	__m512i		odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16),
									   _mm512_set1_epi32(1));

	bits = _mm512_add_epi32(bits,
							_mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
	_mm256_storeu_si256((__m256i *) to,
						_mm512_cvtepi32_epi16(_mm512_srli_epi32(bits, 16)));
}

/*
 * Rows of a square of LANES x LANES to its columns, in four rounds: pairs of
 * rows, of pairs, and of quarters of registers.
 */
LANES_INLINE void
lanes_transpose(Lanes row[LANES])
{
	Lanes		t[LANES];

	UNROLL
	for (int i = 0; i < 8; i++)
	{
		t[2 * i] = _mm512_unpacklo_ps(row[2 * i], row[2 * i + 1]);
		t[2 * i + 1] = _mm512_unpackhi_ps(row[2 * i], row[2 * i + 1]);
	}
	UNROLL
	for (int i = 0; i < 4; i++)
	{
		__m512d		a = _mm512_castps_pd(t[4 * i]);
		__m512d		b = _mm512_castps_pd(t[4 * i + 1]);
		__m512d		c = _mm512_castps_pd(t[4 * i + 2]);
		__m512d		d = _mm512_castps_pd(t[4 * i + 3]);

		row[4 * i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
		row[4 * i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
		row[4 * i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
		row[4 * i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
	}
	UNROLL
	for (int i = 0; i < 4; i++)
	{
		t[i] = _mm512_shuffle_f32x4(row[i], row[4 + i], 0x88);
		t[4 + i] = _mm512_shuffle_f32x4(row[i], row[4 + i], 0xDD);
		t[8 + i] = _mm512_shuffle_f32x4(row[8 + i], row[12 + i], 0x88);
		t[12 + i] = _mm512_shuffle_f32x4(row[8 + i], row[12 + i], 0xDD);
	}
	UNROLL
	for (int i = 0; i < 4; i++)
	{
		row[i] = _mm512_shuffle_f32x4(t[i], t[8 + i], 0x88);
		row[8 + i] = _mm512_shuffle_f32x4(t[i], t[8 + i], 0xDD);
		row[4 + i] = _mm512_shuffle_f32x4(t[4 + i], t[12 + i], 0x88);
		row[12 + i] = _mm512_shuffle_f32x4(t[4 + i], t[12 + i], 0xDD);
	}
}

#endif							/* MATH_LANES_H */
