/*-------------------------------------------------------------------------
 *
 * distance_avx512.c
 *	  The kernels for AVX-512 (F, BW, DQ, VL): 16 floats at a time.
 *
 * Four accumulators cover the latency of the fused multiplication; what is
 * left over goes through masks, so no element is ever read beyond the end.
 * Every function carries its own target attribute: the file is compiled with
 * the flags of all others and the library still runs on any processor.
 *
 *-------------------------------------------------------------------------
 */
#include "math/distance.h"
#include "math/distance_sets.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <stdbool.h>

#include "math/sparse_blocks_x86.h"

#define FEATURES "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi,bmi2,popcnt"
#define AVX512 __attribute__((target(FEATURES)))
#define AVX512_POPCOUNT __attribute__((target(FEATURES ",avx512vpopcntdq")))

#define LANES 16

/* ones for the first "count" of 16 elements */
ALWAYS_INLINE AVX512 __mmask16
first_lanes(int count)
{
	return count >= LANES ? 0xFFFF : (__mmask16) ((1U << count) - 1);
}

ALWAYS_INLINE AVX512 __m512
load(const bool is_half, const void *x, int i)
{
	if (is_half)
		return _mm512_cvtph_ps(
			_mm256_loadu_si256((const __m256i *) ((const half *) x + i)));
	return _mm512_loadu_ps((const float *) x + i);
}

ALWAYS_INLINE AVX512 __m512
load_masked(const bool is_half, __mmask16 mask, const void *x, int i)
{
	if (is_half)
		return _mm512_cvtph_ps(
			_mm256_maskz_loadu_epi16(mask, (const half *) x + i));
	return _mm512_maskz_loadu_ps(mask, (const float *) x + i);
}

/* sum + the terms of 16 pairs */
ALWAYS_INLINE AVX512 __m512
add_terms(const TermKind kind, __m512 sum, __m512 a, __m512 b)
{
	__m512		difference;

	if (kind == TERM_INNER)
		return _mm512_fmadd_ps(a, b, sum);
	difference = _mm512_sub_ps(a, b);
	if (kind == TERM_L1)
		return _mm512_add_ps(sum, _mm512_abs_ps(difference));
	return _mm512_fmadd_ps(difference, difference, sum);
}

ALWAYS_INLINE AVX512 float
dense_sum(const TermKind kind, const bool is_half, int dims, const void *a,
		  const void *b)
{
	__m512		sum0 = _mm512_setzero_ps();
	__m512		sum1 = _mm512_setzero_ps();
	__m512		sum2 = _mm512_setzero_ps();
	__m512		sum3 = _mm512_setzero_ps();
	int			i = 0;

	for (; i + 4 * LANES <= dims; i += 4 * LANES)
	{
		sum0 = add_terms(kind, sum0, load(is_half, a, i), load(is_half, b, i));
		sum1 = add_terms(kind, sum1, load(is_half, a, i + LANES),
						 load(is_half, b, i + LANES));
		sum2 = add_terms(kind, sum2, load(is_half, a, i + 2 * LANES),
						 load(is_half, b, i + 2 * LANES));
		sum3 = add_terms(kind, sum3, load(is_half, a, i + 3 * LANES),
						 load(is_half, b, i + 3 * LANES));
	}
	for (; i < dims; i += LANES)
	{
		__mmask16	mask = first_lanes(dims - i);

		sum0 = add_terms(kind, sum0, load_masked(is_half, mask, a, i),
						 load_masked(is_half, mask, b, i));
	}
	return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sum0, sum1),
											  _mm512_add_ps(sum2, sum3)));
}

ALWAYS_INLINE AVX512 CosineSums
dense_cosine(const bool is_half, int dims, const void *a, const void *b)
{
	__m512		inner0 = _mm512_setzero_ps();
	__m512		inner1 = _mm512_setzero_ps();
	__m512		norm_a0 = _mm512_setzero_ps();
	__m512		norm_a1 = _mm512_setzero_ps();
	__m512		norm_b0 = _mm512_setzero_ps();
	__m512		norm_b1 = _mm512_setzero_ps();
	CosineSums	sums;
	int			i = 0;

	for (; i + 2 * LANES <= dims; i += 2 * LANES)
	{
		__m512		a0 = load(is_half, a, i);
		__m512		a1 = load(is_half, a, i + LANES);
		__m512		b0 = load(is_half, b, i);
		__m512		b1 = load(is_half, b, i + LANES);

		inner0 = _mm512_fmadd_ps(a0, b0, inner0);
		inner1 = _mm512_fmadd_ps(a1, b1, inner1);
		norm_a0 = _mm512_fmadd_ps(a0, a0, norm_a0);
		norm_a1 = _mm512_fmadd_ps(a1, a1, norm_a1);
		norm_b0 = _mm512_fmadd_ps(b0, b0, norm_b0);
		norm_b1 = _mm512_fmadd_ps(b1, b1, norm_b1);
	}
	for (; i < dims; i += LANES)
	{
		__mmask16	mask = first_lanes(dims - i);
		__m512		a0 = load_masked(is_half, mask, a, i);
		__m512		b0 = load_masked(is_half, mask, b, i);

		inner0 = _mm512_fmadd_ps(a0, b0, inner0);
		norm_a0 = _mm512_fmadd_ps(a0, a0, norm_a0);
		norm_b0 = _mm512_fmadd_ps(b0, b0, norm_b0);
	}
	sums.inner = _mm512_reduce_add_ps(_mm512_add_ps(inner0, inner1));
	sums.norm_a = _mm512_reduce_add_ps(_mm512_add_ps(norm_a0, norm_a1));
	sums.norm_b = _mm512_reduce_add_ps(_mm512_add_ps(norm_b0, norm_b1));
	return sums;
}

static AVX512 float
vector_l2_squared(int dims, const float *a, const float *b)
{
	return dense_sum(TERM_L2_SQUARED, false, dims, a, b);
}

static AVX512 float
vector_inner(int dims, const float *a, const float *b)
{
	return dense_sum(TERM_INNER, false, dims, a, b);
}

static AVX512 CosineSums
vector_cosine(int dims, const float *a, const float *b)
{
	return dense_cosine(false, dims, a, b);
}

static AVX512 float
vector_l1(int dims, const float *a, const float *b)
{
	return dense_sum(TERM_L1, false, dims, a, b);
}

static AVX512 float
half_l2_squared(int dims, const half *a, const half *b)
{
	return dense_sum(TERM_L2_SQUARED, true, dims, a, b);
}

static AVX512 float
half_inner(int dims, const half *a, const half *b)
{
	return dense_sum(TERM_INNER, true, dims, a, b);
}

static AVX512 CosineSums
half_cosine(int dims, const half *a, const half *b)
{
	return dense_cosine(true, dims, a, b);
}

static AVX512 float
half_l1(int dims, const half *a, const half *b)
{
	return dense_sum(TERM_L1, true, dims, a, b);
}

static AVX512 void
half_to_float_array(int dims, const half *from, float *to)
{
	for (int i = 0; i < dims; i += LANES)
	{
		__mmask16	mask = first_lanes(dims - i);

		_mm512_mask_storeu_ps(to + i, mask, load_masked(true, mask, from, i));
	}
}

static AVX512 void
float_to_half_array(int dims, const float *from, half *to)
{
	for (int i = 0; i < dims; i += LANES)
	{
		__mmask16	mask = first_lanes(dims - i);
		__m512		values = load_masked(false, mask, from, i);

		_mm256_mask_storeu_epi16(to + i, mask,
								 _mm512_cvtps_ph(values,
												 _MM_FROUND_TO_NEAREST_INT |
													 _MM_FROUND_NO_EXC));
	}
}

ALWAYS_INLINE AVX512_POPCOUNT __m512i
load_bits(const uint8_t *bits, size_t i, size_t bytes)
{
	if (i + 64 <= bytes)
		return _mm512_loadu_si512(bits + i);
	return _mm512_maskz_loadu_epi8((((__mmask64) 1) << (bytes - i)) - 1,
								   bits + i);
}

static AVX512_POPCOUNT uint64_t
bit_hamming(size_t bytes, const uint8_t *a, const uint8_t *b)
{
	__m512i		count = _mm512_setzero_si512();

	for (size_t i = 0; i < bytes; i += 64)
	{
		__m512i		differing = _mm512_xor_si512(load_bits(a, i, bytes),
												 load_bits(b, i, bytes));

		count = _mm512_add_epi64(count, _mm512_popcnt_epi64(differing));
	}
	return (uint64_t) _mm512_reduce_add_epi64(count);
}

static AVX512_POPCOUNT double
bit_jaccard(size_t bytes, const uint8_t *a, const uint8_t *b)
{
	__m512i		both = _mm512_setzero_si512();
	__m512i		either = _mm512_setzero_si512();

	for (size_t i = 0; i < bytes; i += 64)
	{
		__m512i		bits_a = load_bits(a, i, bytes);
		__m512i		bits_b = load_bits(b, i, bytes);

		both = _mm512_add_epi64(both, _mm512_popcnt_epi64(
										  _mm512_and_si512(bits_a, bits_b)));
		either = _mm512_add_epi64(
			either, _mm512_popcnt_epi64(_mm512_or_si512(bits_a, bits_b)));
	}
	return jaccard_distance_of_counts((uint64_t) _mm512_reduce_add_epi64(both),
									  (uint64_t) _mm512_reduce_add_epi64(
										  either));
}

/* sum + the terms of 8 pairs, in double */
ALWAYS_INLINE AVX512 __m512d
add_sparse_terms(const TermKind kind, __m512d sum, __m256 a, __m256 b)
{
	__m512d		x = _mm512_cvtps_pd(a);
	__m512d		y = _mm512_cvtps_pd(b);

	if (kind == TERM_INNER)
		return _mm512_fmadd_pd(x, y, sum);
	x = _mm512_sub_pd(x, y);
	if (kind == TERM_L1)
		return _mm512_add_pd(sum, _mm512_abs_pd(x));
	return _mm512_fmadd_pd(x, x, sum);
}

/* the terms of a block that no block of the other side met */
ALWAYS_INLINE AVX512 __m512d
add_lone_terms(const TermKind kind, __m512d sum, const float *value, int lanes,
			   __mmask8 met)
{
	__mmask8	lone = (__mmask8) (_bzhi_u32(0xFF, (unsigned int) lanes) &
								   ~(unsigned int) met);

	return add_sparse_terms(kind, sum, _mm256_maskz_loadu_ps(lone, value),
							_mm256_setzero_ps());
}

/*
 * Compare blocks of 8 indices all with all, then leave the block that
 * ends first behind.
 *
 * Values that meet are lined up by compressing both blocks.  Of the sums over
 * the union, a block adds what no block of the other side met as it is left.
 */
ALWAYS_INLINE AVX512 float
sparse_sum(const TermKind kind,
		   int a_count, const int32_t *a_index, const float *a_value,
		   int b_count, const int32_t *b_index, const float *b_value)
{
	__m512d		sum = _mm512_setzero_pd();
	__mmask8	a_met = 0;
	__mmask8	b_met = 0;
	int			i = 0;
	int			j = 0;

	while (i < a_count && j < b_count)
	{
		SparseBlock a = load_block(i, a_count, a_index, -1);
		SparseBlock b = load_block(j, b_count, b_index, -2);
		__mmask8	meeting = (__mmask8) lanes_met(a.index, b.index);

		if (meeting != 0)
		{
			__mmask8	meeting_b = (__mmask8) lanes_met(b.index, a.index);
			__m256		a_values = _mm256_maskz_loadu_ps(meeting, a_value + i);
			__m256		b_values = _mm256_maskz_loadu_ps(meeting_b,
														 b_value + j);

			sum = add_sparse_terms(
				kind, sum, _mm256_maskz_compress_ps(meeting, a_values),
				_mm256_maskz_compress_ps(meeting_b, b_values));
			a_met |= meeting;
			b_met |= meeting_b;
		}
		if (kind == TERM_INNER)
		{
			/* which block ends first is anybody's guess: no branch */
			i += a.last <= b.last ? BLOCK : 0;
			j += b.last <= a.last ? BLOCK : 0;
			continue;
		}
		if (a.last <= b.last)
		{
			sum = add_lone_terms(kind, sum, a_value + i, a.lanes, a_met);
			a_met = 0;
			i += BLOCK;
		}
		if (b.last <= a.last)
		{
			sum = add_lone_terms(kind, sum, b_value + j, b.lanes, b_met);
			b_met = 0;
			j += BLOCK;
		}
	}
	if (kind != TERM_INNER)
	{
		for (; i < a_count; i += BLOCK, a_met = 0)
			sum = add_lone_terms(kind, sum, a_value + i,
								 block_lanes(i, a_count), a_met);
		for (; j < b_count; j += BLOCK, b_met = 0)
			sum = add_lone_terms(kind, sum, b_value + j,
								 block_lanes(j, b_count), b_met);
	}
	return (float) _mm512_reduce_add_pd(sum);
}

static AVX512 float
sparse_inner(int a_count, const int32_t *a_index, const float *a_value,
			 int b_count, const int32_t *b_index, const float *b_value)
{
	if (a_count / SPARSE_SEARCH_RATIO > b_count)
		return sparse_search_inner(b_count, b_index, b_value, a_count, a_index,
								   a_value);
	if (b_count / SPARSE_SEARCH_RATIO > a_count)
		return sparse_search_inner(a_count, a_index, a_value, b_count, b_index,
								   b_value);
	return sparse_sum(TERM_INNER, a_count, a_index, a_value, b_count, b_index,
					  b_value);
}

static AVX512 float
sparse_l2_squared(int a_count, const int32_t *a_index, const float *a_value,
				  int b_count, const int32_t *b_index, const float *b_value)
{
	return sparse_sum(TERM_L2_SQUARED, a_count, a_index, a_value, b_count,
					  b_index, b_value);
}

static AVX512 float
sparse_l1(int a_count, const int32_t *a_index, const float *a_value,
		  int b_count, const int32_t *b_index, const float *b_value)
{
	return sparse_sum(TERM_L1, a_count, a_index, a_value, b_count, b_index,
					  b_value);
}

const DistanceKernels distance_avx512_set = {
	.name = "avx512",
	.vector_l2_squared = vector_l2_squared,
	.vector_inner = vector_inner,
	.vector_cosine = vector_cosine,
	.vector_l1 = vector_l1,
	.half_l2_squared = half_l2_squared,
	.half_inner = half_inner,
	.half_cosine = half_cosine,
	.half_l1 = half_l1,
	.half_to_float = half_to_float_array,
	.float_to_half = float_to_half_array,
	.bit_hamming = bit_hamming,
	.bit_jaccard = bit_jaccard,
	.sparse_inner = sparse_inner,
	.sparse_l2_squared = sparse_l2_squared,
	.sparse_l1 = sparse_l1,
};

#endif							/* __x86_64__ */
