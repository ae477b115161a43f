/*-------------------------------------------------------------------------
 *
 * distance_neon.c
 *	  The kernels for AArch64: 4 floats at a time.
 *
 * NEON with fused multiplication and conversion of halves is part of every
 * AArch64 processor, so nothing is asked of the CPU.  What is left over is
 * read as the last 4 elements, with those already done masked out.
 *
 *-------------------------------------------------------------------------
 */
#include "math/distance.h"
#include "math/distance_sets.h"

#if defined(__aarch64__)

#include <arm_neon.h>
#include <stdbool.h>
#include <string.h>

#define LANES 4

/* read from element n on: the last n of 4 lanes are ones */
static const uint32_t last_lanes[2 * LANES] = {
	0, 0, 0, 0, ~0U, ~0U, ~0U, ~0U
};

ALWAYS_INLINE float32x4_t
load(const bool is_half, const void *x, int i)
{
	if (is_half)
		return vcvt_f32_f16(
			vreinterpret_f16_u16(vld1_u16((const half *) x + i)));
	return vld1q_f32((const float *) x + i);
}

/* The last elements from i on, fewer than 4; the other lanes are zero. */
ALWAYS_INLINE float32x4_t
load_rest(const bool is_half, const void *x, int i, int dims)
{
	if (dims >= LANES)
	{
		uint32x4_t	mask = vld1q_u32(&last_lanes[dims - i]);
		uint32x4_t	bits = vreinterpretq_u32_f32(
			 load(is_half, x, dims - LANES));

		return vreinterpretq_f32_u32(vandq_u32(bits, mask));
	}
	else
	{
		float		rest[LANES] = {0};

		for (int j = 0; j < dims; j++)
			rest[j] = is_half ? half_to_float(((const half *) x)[j])
							  : ((const float *) x)[j];
		return vld1q_f32(rest);
	}
}

ALWAYS_INLINE float32x4_t
add_terms(const TermKind kind, float32x4_t sum, float32x4_t a, float32x4_t b)
{
	float32x4_t difference;

	if (kind == TERM_INNER)
		return vfmaq_f32(sum, a, b);
	difference = vsubq_f32(a, b);
	if (kind == TERM_L1)
		return vaddq_f32(sum, vabsq_f32(difference));
	return vfmaq_f32(sum, difference, difference);
}

ALWAYS_INLINE float
dense_sum(const TermKind kind, const bool is_half, int dims, const void *a,
		  const void *b)
{
	float32x4_t sum0 = vdupq_n_f32(0);
	float32x4_t sum1 = vdupq_n_f32(0);
	float32x4_t sum2 = vdupq_n_f32(0);
	float32x4_t sum3 = vdupq_n_f32(0);
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
	return vaddvq_f32(vaddq_f32(vaddq_f32(sum0, sum1), vaddq_f32(sum2, sum3)));
}

/* Four accumulators for each of the three sums: twelve of 32 registers. */
typedef struct CosineLanesNeon
{
	float32x4_t inner[4];
	float32x4_t norm_a[4];
	float32x4_t norm_b[4];
} CosineLanesNeon;

ALWAYS_INLINE void
add_cosine(CosineLanesNeon *sums, const int slot, float32x4_t a, float32x4_t b)
{
	sums->inner[slot] = vfmaq_f32(sums->inner[slot], a, b);
	sums->norm_a[slot] = vfmaq_f32(sums->norm_a[slot], a, a);
	sums->norm_b[slot] = vfmaq_f32(sums->norm_b[slot], b, b);
}

ALWAYS_INLINE float
add_slots(const float32x4_t *slot)
{
	return vaddvq_f32(
		vaddq_f32(vaddq_f32(slot[0], slot[1]), vaddq_f32(slot[2], slot[3])));
}

ALWAYS_INLINE CosineSums
dense_cosine(const bool is_half, int dims, const void *a, const void *b)
{
	CosineLanesNeon lanes;
	CosineSums	sums;
	int			i = 0;

	for (int slot = 0; slot < 4; slot++)
		lanes.inner[slot] = lanes.norm_a[slot] = lanes.norm_b[slot] =
			vdupq_n_f32(0);
	for (; i + 4 * LANES <= dims; i += 4 * LANES)
	{
		add_cosine(&lanes, 0, load(is_half, a, i), load(is_half, b, i));
		add_cosine(&lanes, 1, load(is_half, a, i + LANES),
				   load(is_half, b, i + LANES));
		add_cosine(&lanes, 2, load(is_half, a, i + 2 * LANES),
				   load(is_half, b, i + 2 * LANES));
		add_cosine(&lanes, 3, load(is_half, a, i + 3 * LANES),
				   load(is_half, b, i + 3 * LANES));
	}
	for (; i + LANES <= dims; i += LANES)
		add_cosine(&lanes, 0, load(is_half, a, i), load(is_half, b, i));
	if (i < dims)
		add_cosine(&lanes, 1, load_rest(is_half, a, i, dims),
				   load_rest(is_half, b, i, dims));
	sums.inner = add_slots(lanes.inner);
	sums.norm_a = add_slots(lanes.norm_a);
	sums.norm_b = add_slots(lanes.norm_b);
	return sums;
}

static float
vector_l2_squared(int dims, const float *a, const float *b)
{
	return dense_sum(TERM_L2_SQUARED, false, dims, a, b);
}

static float
vector_inner(int dims, const float *a, const float *b)
{
	return dense_sum(TERM_INNER, false, dims, a, b);
}

static CosineSums
vector_cosine(int dims, const float *a, const float *b)
{
	return dense_cosine(false, dims, a, b);
}

static float
vector_l1(int dims, const float *a, const float *b)
{
	return dense_sum(TERM_L1, false, dims, a, b);
}

static float
half_l2_squared(int dims, const half *a, const half *b)
{
	return dense_sum(TERM_L2_SQUARED, true, dims, a, b);
}

static float
half_inner(int dims, const half *a, const half *b)
{
	return dense_sum(TERM_INNER, true, dims, a, b);
}

static CosineSums
half_cosine(int dims, const half *a, const half *b)
{
	return dense_cosine(true, dims, a, b);
}

static float
half_l1(int dims, const half *a, const half *b)
{
	return dense_sum(TERM_L1, true, dims, a, b);
}

static void
half_to_float_array(int dims, const half *from, float *to)
{
	int			i = 0;

	for (; i + LANES <= dims; i += LANES)
		vst1q_f32(to + i, load(true, from, i));
	for (; i < dims; i++)
		to[i] = half_to_float(from[i]);
}

static void
float_to_half_array(int dims, const float *from, half *to)
{
	int			i = 0;

	for (; i + LANES <= dims; i += LANES)
		vst1_u16(to + i,
				 vreinterpret_u16_f16(vcvt_f16_f32(load(false, from, i))));
	for (; i < dims; i++)
		to[i] = float_to_half(from[i]);
}

/* The bits set in each half of 16 bytes. */
ALWAYS_INLINE uint64x2_t
count_bits(uint8x16_t bits)
{
	return vpaddlq_u32(vpaddlq_u16(vpaddlq_u8(vcntq_u8(bits))));
}

ALWAYS_INLINE uint8x16_t
load_bits(const uint8_t *bits, size_t i, size_t bytes)
{
	uint8_t		rest[16] = {0};

	if (i + 16 <= bytes)
		return vld1q_u8(bits + i);
	memcpy(rest, bits + i, bytes - i);
	return vld1q_u8(rest);
}

static uint64_t
bit_hamming(size_t bytes, const uint8_t *a, const uint8_t *b)
{
	uint64x2_t	count = vdupq_n_u64(0);

	for (size_t i = 0; i < bytes; i += 16)
		count = vaddq_u64(count,
						  count_bits(veorq_u8(load_bits(a, i, bytes),
											  load_bits(b, i, bytes))));
	return vaddvq_u64(count);
}

static double
bit_jaccard(size_t bytes, const uint8_t *a, const uint8_t *b)
{
	uint64x2_t	both = vdupq_n_u64(0);
	uint64x2_t	either = vdupq_n_u64(0);

	for (size_t i = 0; i < bytes; i += 16)
	{
		uint8x16_t	bits_a = load_bits(a, i, bytes);
		uint8x16_t	bits_b = load_bits(b, i, bytes);

		both = vaddq_u64(both, count_bits(vandq_u8(bits_a, bits_b)));
		either = vaddq_u64(either, count_bits(vorrq_u8(bits_a, bits_b)));
	}
	return jaccard_distance_of_counts(vaddvq_u64(both), vaddvq_u64(either));
}

/* Up to 4 indices; lanes beyond the end hold "absent". */
ALWAYS_INLINE int32x4_t
load_index(const int32_t *index, int lanes, int32_t absent)
{
	int32_t		rest[LANES] = {absent, absent, absent, absent};

	if (lanes >= LANES)
		return vld1q_s32(index);
	for (int lane = 0; lane < lanes; lane++)
		rest[lane] = index[lane];
	return vld1q_s32(rest);
}

/* a bit for each lane of a that holds an index that b holds in any lane */
ALWAYS_INLINE unsigned int
lanes_met(int32x4_t a, int32x4_t b)
{
	const uint32x4_t bit = {1, 2, 4, 8};
	uint32x4_t	met01 = vorrq_u32(vceqq_s32(a, b),
								  vceqq_s32(a, vextq_s32(b, b, 1)));
	uint32x4_t	met23 = vorrq_u32(vceqq_s32(a, vextq_s32(b, b, 2)),
								  vceqq_s32(a, vextq_s32(b, b, 3)));

	return vaddvq_u32(vandq_u32(vorrq_u32(met01, met23), bit));
}

ALWAYS_INLINE double
pair_term(const TermKind kind, double a, double b)
{
	if (kind == TERM_INNER)
		return a * b;
	return kind == TERM_L1 ? __builtin_fabs(a - b) : (a - b) * (a - b);
}

/* the terms of a block that no block of the other side met */
ALWAYS_INLINE double
lone_terms(const TermKind kind, const float *value, int lanes,
		   unsigned int met)
{
	double		sum = 0;

	for (int lane = 0; lane < lanes; lane++)
		sum += pair_term(kind, met & (1U << lane) ? 0 : value[lane], 0);
	return sum;
}

/*
 * Compare blocks of 4 indices all with all, 4 rotations, then leave the
 * block that ends first behind.
 *
 * Both sides are ascending, so the n-th met lane of one side pairs with the
 * n-th of the other.  Of the sums over the union, a block adds what no block
 * of the other side met as it is left.
 */
ALWAYS_INLINE float
sparse_sum(const TermKind kind,
		   int a_count, const int32_t *a_index, const float *a_value,
		   int b_count, const int32_t *b_index, const float *b_value)
{
	double		sum = 0;
	unsigned int a_met = 0;
	unsigned int b_met = 0;
	int			i = 0;
	int			j = 0;

	while (i < a_count && j < b_count)
	{
		int			a_lanes = a_count - i < LANES ? a_count - i : LANES;
		int			b_lanes = b_count - j < LANES ? b_count - j : LANES;
		int32x4_t	a = load_index(a_index + i, a_lanes, -1);
		int32x4_t	b = load_index(b_index + j, b_lanes, -2);
		int32_t		a_last = a_index[i + a_lanes - 1];
		int32_t		b_last = b_index[j + b_lanes - 1];
		unsigned int meeting = lanes_met(a, b);

		if (meeting != 0)
		{
			unsigned int meeting_b = lanes_met(b, a);

			a_met |= meeting;
			b_met |= meeting_b;
			for (; meeting != 0;
				 meeting &= meeting - 1, meeting_b &= meeting_b - 1)
				sum += pair_term(kind, a_value[i + __builtin_ctz(meeting)],
								 b_value[j + __builtin_ctz(meeting_b)]);
		}
		if (a_last <= b_last)
		{
			if (kind != TERM_INNER)
				sum += lone_terms(kind, a_value + i, a_lanes, a_met);
			a_met = 0;
			i += LANES;
		}
		if (b_last <= a_last)
		{
			if (kind != TERM_INNER)
				sum += lone_terms(kind, b_value + j, b_lanes, b_met);
			b_met = 0;
			j += LANES;
		}
	}
	if (kind != TERM_INNER)
	{
		for (; i < a_count; i += LANES, a_met = 0)
			sum += lone_terms(kind, a_value + i,
							  a_count - i < LANES ? a_count - i : LANES,
							  a_met);
		for (; j < b_count; j += LANES, b_met = 0)
			sum += lone_terms(kind, b_value + j,
							  b_count - j < LANES ? b_count - j : LANES,
							  b_met);
	}
	return (float) sum;
}

static float
sparse_inner(int a_count, const int32_t *a_index, const float *a_value,
			 int b_count, const int32_t *b_index, const float *b_value)
{
	if (a_count / SPARSE_GALLOP_RATIO > b_count)
		return (float) sparse_gallop_inner(b_count, b_index, b_value, a_count,
										   a_index, a_value);
	if (b_count / SPARSE_GALLOP_RATIO > a_count)
		return (float) sparse_gallop_inner(a_count, a_index, a_value, b_count,
										   b_index, b_value);
	return sparse_sum(TERM_INNER, a_count, a_index, a_value, b_count, b_index,
					  b_value);
}

static float
sparse_l2_squared(int a_count, const int32_t *a_index, const float *a_value,
				  int b_count, const int32_t *b_index, const float *b_value)
{
	return sparse_sum(TERM_L2_SQUARED, a_count, a_index, a_value, b_count,
					  b_index, b_value);
}

static float
sparse_l1(int a_count, const int32_t *a_index, const float *a_value,
		  int b_count, const int32_t *b_index, const float *b_value)
{
	return sparse_sum(TERM_L1, a_count, a_index, a_value, b_count, b_index,
					  b_value);
}

const DistanceKernels distance_neon_set = {
	.name = "neon",
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

#endif							/* __aarch64__ */
