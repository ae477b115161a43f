/*-------------------------------------------------------------------------
 *
 * distance_scalar.c
 *	  The kernels in plain C: they define every distance and run everywhere.
 *
 * Dense sums run in sixteen accumulators, added pairwise at the end.  That is
 * not for speed alone: the error of a sum grows with the longest chain of
 * additions, and one chain of 16,000 would break the promised bound (README).
 *
 *-------------------------------------------------------------------------
 */
#include "math/distance.h"
#include "math/distance_sets.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define LANES 16

/*
 * The bits move into place; one multiplication then scales the exponent,
 * denormals included.  A signalling NaN becomes quiet, as F16C has it.
 *
 * Without a branch, so that a compiler can do several at a time.
 */
ALWAYS_INLINE float
read_half(half value)
{
	uint32_t	magnitude = value & 0x7FFF;
	uint32_t	bits = magnitude << 13;
	uint32_t	not_finite = 0 - (uint32_t) (magnitude >= 0x7C00);
	uint32_t	not_number = 0 - (uint32_t) (magnitude > 0x7C00);
	float		result;

	memcpy(&result, &bits, sizeof(result));
	result *= 0x1p112f;
	memcpy(&bits, &result, sizeof(bits));
	bits |= not_finite & 0x7F800000;
	bits |= not_number & 0x00400000;
	bits |= (uint32_t) (value & 0x8000) << 16;
	memcpy(&result, &bits, sizeof(result));
	return result;
}

float
half_to_float(half value)
{
	return read_half(value);
}

half
float_to_half(float value)
{
	uint32_t	bits;
	uint32_t	sign;
	uint32_t	magnitude;
	uint32_t	shift;
	uint32_t	mantissa;
	uint32_t	rest;
	uint32_t	halfway;
	uint32_t	result;

	memcpy(&bits, &value, sizeof(bits));
	sign = (bits >> 16) & 0x8000;
	magnitude = bits & 0x7FFFFFFF;

	if (magnitude > 0x7F800000) /* NaN: quiet, the top of the payload kept */
		return (half) (sign | 0x7E00 | ((magnitude >> 13) & 0x3FF));
	if (magnitude >= 0x47800000)	/* 65536 and more */
		return (half) (sign | 0x7C00);
	if (magnitude < 0x33000000) /* less than half the least denormal */
		return (half) sign;

	if (magnitude >= 0x38800000)
	{
		/* normal: drop 13 bits of mantissa */
		result = (magnitude - 0x38000000) >> 13;
		rest = magnitude & 0x1FFF;
		halfway = 0x1000;
	}
	else
	{
		/* denormal in half precision */
		shift = 126 - (magnitude >> 23);
		mantissa = (magnitude & 0x7FFFFF) | 0x800000;
		result = mantissa >> shift;
		rest = mantissa & ((1U << shift) - 1);
		halfway = 1U << (shift - 1);
	}
	if (rest > halfway || (rest == halfway && (result & 1)))
		result++;				/* may carry into the exponent, as it should */
	return (half) (sign | result);
}

/* Sixteen elements, or the rest of them and zeros, which add nothing. */
ALWAYS_INLINE void
read_block(const bool is_half, const void *x, int i, int dims, float *block)
{
	int			rest = dims - i;

	if (rest >= LANES)
	{
		for (int j = 0; j < LANES; j++)
			block[j] = is_half ? read_half(((const half *) x)[i + j])
							   : ((const float *) x)[i + j];
		return;
	}
	for (int j = 0; j < LANES; j++)
		block[j] = 0;
	for (int j = 0; j < rest; j++)
		block[j] = is_half ? read_half(((const half *) x)[i + j])
						   : ((const float *) x)[i + j];
}

ALWAYS_INLINE float
term(const TermKind kind, float a, float b)
{
	switch (kind)
	{
		case TERM_L2_SQUARED:
			return (a - b) * (a - b);
		case TERM_INNER:
			return a * b;
		case TERM_L1:
			return fabsf(a - b);
	}
	return 0;
}

ALWAYS_INLINE float
add_lanes(float *lanes)
{
	for (int width = LANES / 2; width > 0; width /= 2)
		for (int j = 0; j < width; j++)
			lanes[j] += lanes[j + width];
	return lanes[0];
}

ALWAYS_INLINE float
dense_sum(const TermKind kind, const bool is_half, int dims, const void *a,
		  const void *b)
{
	float		sum[LANES] = {0};

	for (int i = 0; i < dims; i += LANES)
	{
		float		x[LANES];
		float		y[LANES];

		read_block(is_half, a, i, dims, x);
		read_block(is_half, b, i, dims, y);
		for (int j = 0; j < LANES; j++)
			sum[j] += term(kind, x[j], y[j]);
	}
	return add_lanes(sum);
}

ALWAYS_INLINE CosineSums
dense_cosine(const bool is_half, int dims, const void *a, const void *b)
{
	float		inner[LANES] = {0};
	float		norm_a[LANES] = {0};
	float		norm_b[LANES] = {0};
	CosineSums	sums;

	for (int i = 0; i < dims; i += LANES)
	{
		float		x[LANES];
		float		y[LANES];

		read_block(is_half, a, i, dims, x);
		read_block(is_half, b, i, dims, y);
		for (int j = 0; j < LANES; j++)
			inner[j] += x[j] * y[j];
		for (int j = 0; j < LANES; j++)
			norm_a[j] += x[j] * x[j];
		for (int j = 0; j < LANES; j++)
			norm_b[j] += y[j] * y[j];
	}
	sums.inner = add_lanes(inner);
	sums.norm_a = add_lanes(norm_a);
	sums.norm_b = add_lanes(norm_b);
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
	for (int i = 0; i < dims; i++)
		to[i] = read_half(from[i]);
}

static void
float_to_half_array(int dims, const float *from, half *to)
{
	for (int i = 0; i < dims; i++)
		to[i] = float_to_half(from[i]);
}

/* Eight bytes of a bit string, in any order: only their bits are counted. */
ALWAYS_INLINE uint64_t
bit_word(const uint8_t *bytes)
{
	uint64_t	word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

static uint64_t
bit_hamming(size_t bytes, const uint8_t *a, const uint8_t *b)
{
	uint64_t	count = 0;
	size_t		i = 0;

	for (; i + 8 <= bytes; i += 8)
		count += (uint64_t) __builtin_popcountll(bit_word(a + i) ^
												 bit_word(b + i));
	for (; i < bytes; i++)
		count += (uint64_t) __builtin_popcount((unsigned int) (a[i] ^ b[i]));
	return count;
}

static double
bit_jaccard(size_t bytes, const uint8_t *a, const uint8_t *b)
{
	uint64_t	both = 0;
	uint64_t	either = 0;
	size_t		i = 0;

	for (; i + 8 <= bytes; i += 8)
	{
		both += (uint64_t) __builtin_popcountll(bit_word(a + i) &
												bit_word(b + i));
		either += (uint64_t) __builtin_popcountll(bit_word(a + i) |
												  bit_word(b + i));
	}
	for (; i < bytes; i++)
	{
		both += (uint64_t) __builtin_popcount((unsigned int) (a[i] & b[i]));
		either += (uint64_t) __builtin_popcount((unsigned int) (a[i] | b[i]));
	}
	return jaccard_distance_of_counts(both, either);
}

/*
 * The inner product when one side is much longer: for each index of the
 * short side, double the stride over the long side until it is passed,
 * then halve (Bentley and Yao 1976).
 */
double
sparse_gallop_inner(int short_count, const int32_t *short_index,
					const float *short_value, int long_count,
					const int32_t *long_index, const float *long_value)
{
	double		sum = 0;
	int			low = 0;		/* all before it are less than the next
								 * index */

	for (int i = 0; i < short_count && low < long_count; i++)
	{
		int32_t		wanted = short_index[i];
		int			stride = 1;
		int			high;

		while (stride < long_count - low &&
			   long_index[low + stride - 1] < wanted)
		{
			low += stride;
			stride *= 2;
		}
		high = stride < long_count - low ? low + stride : long_count;
		while (low < high)
		{
			int			middle = low + (high - low) / 2;

			if (long_index[middle] < wanted)
				low = middle + 1;
			else
				high = middle;
		}
		if (low < long_count && long_index[low] == wanted)
			sum += (double) short_value[i] * long_value[low++];
	}
	return sum;
}

/*
 * The merge: for each index of one side, past all smaller ones of the other.
 * A step without branches, moving one head or both, was slower: each step
 * then waits for the loads of the one before (README).
 */
static float
sparse_inner(int a_count, const int32_t *a_index, const float *a_value,
			 int b_count, const int32_t *b_index, const float *b_value)
{
	double		sum = 0;
	int			j = 0;

	if (a_count / SPARSE_GALLOP_RATIO > b_count)
		return (float) sparse_gallop_inner(b_count, b_index, b_value, a_count,
										   a_index, a_value);
	if (b_count / SPARSE_GALLOP_RATIO > a_count)
		return (float) sparse_gallop_inner(a_count, a_index, a_value, b_count,
										   b_index, b_value);

	for (int i = 0; i < a_count; i++)
	{
		int32_t		wanted = a_index[i];

		while (j < b_count && b_index[j] < wanted)
			j++;
		if (j == b_count)
			break;
		if (b_index[j] == wanted)
			sum += (double) a_value[i] * b_value[j++];
	}
	return (float) sum;
}

ALWAYS_INLINE double
lone_term(const TermKind kind, double difference)
{
	return kind == TERM_L1 ? fabs(difference) : difference * difference;
}

ALWAYS_INLINE float
sparse_union_sum(const TermKind kind,
				 int a_count, const int32_t *a_index, const float *a_value,
				 int b_count, const int32_t *b_index, const float *b_value)
{
	double		sum = 0;
	int			j = 0;

	for (int i = 0; i < a_count; i++)
	{
		int32_t		wanted = a_index[i];
		double		b = 0;

		for (; j < b_count && b_index[j] < wanted; j++)
			sum += lone_term(kind, b_value[j]);
		if (j < b_count && b_index[j] == wanted)
			b = b_value[j++];
		sum += lone_term(kind, a_value[i] - b);
	}
	for (; j < b_count; j++)
		sum += lone_term(kind, b_value[j]);
	return (float) sum;
}

static float
sparse_l2_squared(int a_count, const int32_t *a_index, const float *a_value,
				  int b_count, const int32_t *b_index, const float *b_value)
{
	return sparse_union_sum(TERM_L2_SQUARED, a_count, a_index, a_value,
							b_count, b_index, b_value);
}

static float
sparse_l1(int a_count, const int32_t *a_index, const float *a_value,
		  int b_count, const int32_t *b_index, const float *b_value)
{
	return sparse_union_sum(TERM_L1, a_count, a_index, a_value, b_count,
							b_index, b_value);
}

const DistanceKernels distance_scalar_set = {
	.name = "scalar",
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
