/*-------------------------------------------------------------------------
 *
 * distance_avx2.c
 *	  The kernels for AVX2 with FMA and F16C: 8 floats at a time.
 *
 * What is left over after whole blocks is read as the last 8 elements, with
 * those already done masked out: no element is read beyond the end and no
 * loop runs over single elements, unless the vector has fewer than 8.
 *
 *-------------------------------------------------------------------------
 */
#include "math/distance.h"
#include "math/distance_sets.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <stdbool.h>
#include <string.h>

#include "math/sparse_blocks_x86.h"

#define AVX2 __attribute__((target("avx2,fma,f16c,bmi,bmi2,popcnt")))

#define LANES 8

/* read from element n on: the last n of 8 lanes are ones */
static const int32_t last_lanes[2 * LANES] = {
	0, 0, 0, 0, 0, 0, 0, 0, -1, -1, -1, -1, -1, -1, -1, -1
};

ALWAYS_INLINE AVX2 __m256
load(const bool is_half, const void *x, int i)
{
	if (is_half)
		return _mm256_cvtph_ps(
			_mm_loadu_si128((const __m128i *) ((const half *) x + i)));
	return _mm256_loadu_ps((const float *) x + i);
}

/* The last elements from i on, fewer than 8; the other lanes are zero. */
ALWAYS_INLINE AVX2 __m256
load_rest(const bool is_half, const void *x, int i, int dims)
{
	if (dims >= LANES)
	{
		__m256		mask = _mm256_loadu_ps(
				 (const float *) &last_lanes[dims - i]);

		return _mm256_and_ps(load(is_half, x, dims - LANES), mask);
	}
	else
	{
		float		rest[LANES] = {0};

		for (int j = 0; j < dims; j++)
			rest[j] = is_half ? half_to_float(((const half *) x)[j])
							  : ((const float *) x)[j];
		return _mm256_loadu_ps(rest);
	}
}

ALWAYS_INLINE AVX2 __m256
add_terms(const TermKind kind, __m256 sum, __m256 a, __m256 b)
{
	__m256		difference;

	if (kind == TERM_INNER)
		return _mm256_fmadd_ps(a, b, sum);
	difference = _mm256_sub_ps(a, b);
	if (kind == TERM_L1)
		return _mm256_add_ps(sum, _mm256_andnot_ps(_mm256_set1_ps(-0.0f),
												   difference));
	return _mm256_fmadd_ps(difference, difference, sum);
}

ALWAYS_INLINE AVX2 float
add_lanes(__m256 lanes)
{
	__m128		four = _mm_add_ps(_mm256_castps256_ps128(lanes),
								  _mm256_extractf128_ps(lanes, 1));
	__m128		two = _mm_add_ps(four, _mm_movehl_ps(four, four));

	return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

ALWAYS_INLINE AVX2 float
dense_sum(const TermKind kind, const bool is_half, int dims, const void *a,
		  const void *b)
{
	__m256		sum0 = _mm256_setzero_ps();
	__m256		sum1 = _mm256_setzero_ps();
	__m256		sum2 = _mm256_setzero_ps();
	__m256		sum3 = _mm256_setzero_ps();
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
	for (; i + LANES <= dims; i += LANES)
		sum0 = add_terms(kind, sum0, load(is_half, a, i), load(is_half, b, i));
	if (i < dims)
		sum1 = add_terms(kind, sum1, load_rest(is_half, a, i, dims),
						 load_rest(is_half, b, i, dims));
	return add_lanes(
		_mm256_add_ps(_mm256_add_ps(sum0, sum1), _mm256_add_ps(sum2, sum3)));
}

/* The accumulators of the three sums. */
typedef struct CosineLanes
{
	__m256		inner;
	__m256		norm_a;
	__m256		norm_b;
} CosineLanes;

ALWAYS_INLINE AVX2 void
add_cosine(CosineLanes *sums, __m256 a, __m256 b)
{
	sums->inner = _mm256_fmadd_ps(a, b, sums->inner);
	sums->norm_a = _mm256_fmadd_ps(a, a, sums->norm_a);
	sums->norm_b = _mm256_fmadd_ps(b, b, sums->norm_b);
}

ALWAYS_INLINE AVX2 CosineSums
dense_cosine(const bool is_half, int dims, const void *a, const void *b)
{
	const __m256 zero = _mm256_setzero_ps();
	CosineLanes even = {zero, zero, zero};
	CosineLanes odd = {zero, zero, zero};
	CosineSums	sums;
	int			i = 0;

	for (; i + 2 * LANES <= dims; i += 2 * LANES)
	{
		add_cosine(&even, load(is_half, a, i), load(is_half, b, i));
		add_cosine(&odd, load(is_half, a, i + LANES),
				   load(is_half, b, i + LANES));
	}
	if (i + LANES <= dims)
	{
		add_cosine(&even, load(is_half, a, i), load(is_half, b, i));
		i += LANES;
	}
	if (i < dims)
		add_cosine(&odd, load_rest(is_half, a, i, dims),
				   load_rest(is_half, b, i, dims));
	sums.inner = add_lanes(_mm256_add_ps(even.inner, odd.inner));
	sums.norm_a = add_lanes(_mm256_add_ps(even.norm_a, odd.norm_a));
	sums.norm_b = add_lanes(_mm256_add_ps(even.norm_b, odd.norm_b));
	return sums;
}

static AVX2 float
vector_l2_squared(int dims, const float *a, const float *b)
{
	return dense_sum(TERM_L2_SQUARED, false, dims, a, b);
}

static AVX2 float
vector_inner(int dims, const float *a, const float *b)
{
	return dense_sum(TERM_INNER, false, dims, a, b);
}

static AVX2 CosineSums
vector_cosine(int dims, const float *a, const float *b)
{
	return dense_cosine(false, dims, a, b);
}

static AVX2 float
vector_l1(int dims, const float *a, const float *b)
{
	return dense_sum(TERM_L1, false, dims, a, b);
}

static AVX2 float
half_l2_squared(int dims, const half *a, const half *b)
{
	return dense_sum(TERM_L2_SQUARED, true, dims, a, b);
}

static AVX2 float
half_inner(int dims, const half *a, const half *b)
{
	return dense_sum(TERM_INNER, true, dims, a, b);
}

static AVX2 CosineSums
half_cosine(int dims, const half *a, const half *b)
{
	return dense_cosine(true, dims, a, b);
}

static AVX2 float
half_l1(int dims, const half *a, const half *b)
{
	return dense_sum(TERM_L1, true, dims, a, b);
}

static AVX2 void
half_to_float_array(int dims, const half *from, float *to)
{
	int			i = 0;

	for (; i + LANES <= dims; i += LANES)
		_mm256_storeu_ps(to + i, load(true, from, i));
	for (; i < dims; i++)
		to[i] = half_to_float(from[i]);
}

static AVX2 void
float_to_half_array(int dims, const float *from, half *to)
{
	int			i = 0;

	for (; i + LANES <= dims; i += LANES)
		_mm_storeu_si128((__m128i *) (to + i),
						 _mm256_cvtps_ph(load(false, from, i),
										 _MM_FROUND_TO_NEAREST_INT));
	for (; i < dims; i++)
		to[i] = float_to_half(from[i]);
}

/*
 * The bits set in each quarter of 32 bytes: a table of 16 counts looked up
 * for both halves of every byte (Mula, Kurz and Lemire 2016).
 */
ALWAYS_INLINE AVX2 __m256i
count_bits(__m256i bits)
{
	const __m256i counts = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3,
											2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3,
											1, 2, 2, 3, 2, 3, 3, 4);
	const __m256i low_half = _mm256_set1_epi8(0x0F);
	__m256i		low = _mm256_and_si256(bits, low_half);
	__m256i		high = _mm256_and_si256(_mm256_srli_epi16(bits, 4), low_half);
	__m256i		sum = _mm256_add_epi8(_mm256_shuffle_epi8(counts, low),
									  _mm256_shuffle_epi8(counts, high));

	return _mm256_sad_epu8(sum, _mm256_setzero_si256());
}

ALWAYS_INLINE AVX2 uint64_t
add_quarters(__m256i counts)
{
	return (uint64_t) _mm256_extract_epi64(counts, 0) +
		   (uint64_t) _mm256_extract_epi64(counts, 1) +
		   (uint64_t) _mm256_extract_epi64(counts, 2) +
		   (uint64_t) _mm256_extract_epi64(counts, 3);
}

/* The last bytes, fewer than 32; the rest is zero. */
ALWAYS_INLINE AVX2 __m256i
load_last_bits(const uint8_t *bits, size_t bytes)
{
	uint8_t		rest[32] = {0};

	memcpy(rest, bits, bytes);
	return _mm256_loadu_si256((const __m256i *) rest);
}

ALWAYS_INLINE AVX2 __m256i
load_bits(const uint8_t *bits, size_t i, size_t bytes)
{
	if (i + 32 <= bytes)
		return _mm256_loadu_si256((const __m256i *) (bits + i));
	return load_last_bits(bits + i, bytes - i);
}

static AVX2 uint64_t
bit_hamming(size_t bytes, const uint8_t *a, const uint8_t *b)
{
	__m256i		count = _mm256_setzero_si256();

	for (size_t i = 0; i < bytes; i += 32)
	{
		__m256i		differing = _mm256_xor_si256(load_bits(a, i, bytes),
												 load_bits(b, i, bytes));

		count = _mm256_add_epi64(count, count_bits(differing));
	}
	return add_quarters(count);
}

static AVX2 double
bit_jaccard(size_t bytes, const uint8_t *a, const uint8_t *b)
{
	__m256i		both = _mm256_setzero_si256();
	__m256i		either = _mm256_setzero_si256();

	for (size_t i = 0; i < bytes; i += 32)
	{
		__m256i		bits_a = load_bits(a, i, bytes);
		__m256i		bits_b = load_bits(b, i, bytes);

		both = _mm256_add_epi64(both,
								count_bits(_mm256_and_si256(bits_a, bits_b)));
		either = _mm256_add_epi64(either,
								  count_bits(_mm256_or_si256(bits_a, bits_b)));
	}
	return jaccard_distance_of_counts(add_quarters(both),
									  add_quarters(either));
}

/* what one value adds that no other meets */
ALWAYS_INLINE AVX2 double
lone_term(const TermKind kind, double value)
{
	return kind == TERM_L1 ? __builtin_fabs(value) : value * value;
}

/* the lone terms of the lanes of a block that are set */
ALWAYS_INLINE AVX2 __m256d
add_lone_terms(const TermKind kind, __m256d sum, const float *value, int lanes,
			   unsigned int met)
{
	const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
	unsigned int wanted = _bzhi_u32(0xFF, (unsigned int) lanes) & ~met;
	__m256i		mask = _mm256_cmpeq_epi32(
			_mm256_and_si256(_mm256_set1_epi32((int) wanted), bit), bit);
	__m256		values = _mm256_maskload_ps(value, mask);
	__m256d		low = _mm256_cvtps_pd(_mm256_castps256_ps128(values));
	__m256d		high = _mm256_cvtps_pd(_mm256_extractf128_ps(values, 1));

	if (kind == TERM_L1)
	{
		const __m256d sign = _mm256_set1_pd(-0.0);

		return _mm256_add_pd(sum,
							 _mm256_add_pd(_mm256_andnot_pd(sign, low),
										   _mm256_andnot_pd(sign, high)));
	}
	return _mm256_add_pd(sum,
						 _mm256_fmadd_pd(high, high, _mm256_mul_pd(low, low)));
}

ALWAYS_INLINE AVX2 double
pair_term(const TermKind kind, double a, double b)
{
	return kind == TERM_INNER ? a * b : lone_term(kind, a - b);
}

/*
 * Compare blocks of 8 indices all with all, then leave the block that
 * ends first behind.
 *
 * Of the sums over the union, a block adds what no block of the other side
 * met as it is left.
 */
ALWAYS_INLINE AVX2 float
sparse_sum(const TermKind kind,
		   int a_count, const int32_t *a_index, const float *a_value,
		   int b_count, const int32_t *b_index, const float *b_value)
{
	__m256d		lone = _mm256_setzero_pd();
	__m128d		two;
	double		sum = 0;
	unsigned int a_met = 0;
	unsigned int b_met = 0;
	int			i = 0;
	int			j = 0;

	while (i < a_count && j < b_count)
	{
		SparseBlock a = load_block(i, a_count, a_index, -1);
		SparseBlock b = load_block(j, b_count, b_index, -2);
		unsigned int meeting = lanes_met(a.index, b.index);

		if (meeting != 0)
		{
			unsigned int meeting_b = lanes_met(b.index, a.index);

			a_met |= meeting;
			b_met |= meeting_b;
			for (; meeting != 0;
				 meeting &= meeting - 1, meeting_b &= meeting_b - 1)
				sum += pair_term(kind, a_value[i + __builtin_ctz(meeting)],
								 b_value[j + __builtin_ctz(meeting_b)]);
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
			lone = add_lone_terms(kind, lone, a_value + i, a.lanes, a_met);
			a_met = 0;
			i += BLOCK;
		}
		if (b.last <= a.last)
		{
			lone = add_lone_terms(kind, lone, b_value + j, b.lanes, b_met);
			b_met = 0;
			j += BLOCK;
		}
	}
	if (kind == TERM_INNER)
		return (float) sum;

	for (; i < a_count; i += BLOCK, a_met = 0)
		lone = add_lone_terms(kind, lone, a_value + i, block_lanes(i, a_count),
							  a_met);
	for (; j < b_count; j += BLOCK, b_met = 0)
		lone = add_lone_terms(kind, lone, b_value + j, block_lanes(j, b_count),
							  b_met);
	two = _mm_add_pd(_mm256_castpd256_pd128(lone),
					 _mm256_extractf128_pd(lone, 1));
	return (float) (sum +
					_mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two))));
}

static AVX2 float
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

static AVX2 float
sparse_l2_squared(int a_count, const int32_t *a_index, const float *a_value,
				  int b_count, const int32_t *b_index, const float *b_value)
{
	return sparse_sum(TERM_L2_SQUARED, a_count, a_index, a_value, b_count,
					  b_index, b_value);
}

static AVX2 float
sparse_l1(int a_count, const int32_t *a_index, const float *a_value,
		  int b_count, const int32_t *b_index, const float *b_value)
{
	return sparse_sum(TERM_L1, a_count, a_index, a_value, b_count, b_index,
					  b_value);
}

const DistanceKernels distance_avx2_set = {
	.name = "avx2",
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
