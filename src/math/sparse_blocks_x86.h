/*-------------------------------------------------------------------------
 *
 * sparse_blocks_x86.h
 *	  Blocks of 8 sparse indices, compared all with all: what the AVX2 and
 *	  the AVX-512 set share.
 *
 * Both sides are ascending, so when lanes of two blocks meet, the n-th lane
 * met on one side pairs with the n-th on the other.  Blocks of 16 in 512-bit
 * registers need twice the rotations for half the blocks, and were slower
 * (README).
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_SPARSE_BLOCKS_X86_H
#define MATH_SPARSE_BLOCKS_X86_H

#include <immintrin.h>

#include "math/distance_sets.h"

#define SPARSE_X86 __attribute__((target("avx2,fma,f16c,bmi,bmi2,popcnt")))

#define BLOCK 8					/* indices in a block */

/*
 * One count this many times the other: search instead of comparing blocks;
 * and search without reading all of the long side.  Measured (README).
 */
#define SPARSE_SEARCH_RATIO 32
#define SPARSE_LEAP_RATIO 512

/* read from element 8 - n on: the first n of 8 lanes are ones */
static const int32_t sparse_first_lanes[2 * BLOCK] = {
	-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0
};

typedef struct SparseBlock
{
	__m256i		index;			/* lanes beyond the end hold no index */
	int			lanes;			/* how many there are */
	int32_t		last;			/* the greatest index */
} SparseBlock;

ALWAYS_INLINE int
block_lanes(int i, int count)
{
	return count - i < BLOCK ? count - i : BLOCK;
}

/*
 * The block from element i on.  "absent" is negative, and not the same for
 * the two sides.
 */
ALWAYS_INLINE SPARSE_X86 SparseBlock
load_block(int i, int count, const int32_t *index, int32_t absent)
{
	SparseBlock block;
	__m256i		mask;

	block.lanes = block_lanes(i, count);
	block.last = index[i + block.lanes - 1];
	if (block.lanes == BLOCK)
	{
		block.index = _mm256_loadu_si256((const __m256i *) (index + i));
		return block;
	}
	mask = _mm256_loadu_si256(
		(const __m256i *) &sparse_first_lanes[BLOCK - block.lanes]);
	block.index = _mm256_blendv_epi8(_mm256_set1_epi32(absent),
									 _mm256_maskload_epi32(index + i, mask),
									 mask);
	return block;
}

/*
 * A bit for each lane of a that holds an index that b holds in any lane:
 * eight rotations of b, as four of each order of its halves.
 */
ALWAYS_INLINE SPARSE_X86 unsigned int
lanes_met(__m256i a, __m256i b)
{
	__m256i		swapped = _mm256_permute2x128_si256(b, b, 1);
	__m256i		met0 = _mm256_cmpeq_epi32(a, b);
	__m256i		met1 = _mm256_cmpeq_epi32(a, swapped);

#define MEET_ROTATED(order)                                             \
	met0 = _mm256_or_si256(                                             \
		met0, _mm256_cmpeq_epi32(a, _mm256_shuffle_epi32(b, (order)))); \
	met1 = _mm256_or_si256(                                             \
		met1, _mm256_cmpeq_epi32(a, _mm256_shuffle_epi32(swapped, (order))))

	MEET_ROTATED(_MM_SHUFFLE(0, 3, 2, 1));
	MEET_ROTATED(_MM_SHUFFLE(1, 0, 3, 2));
	MEET_ROTATED(_MM_SHUFFLE(2, 1, 0, 3));
#undef MEET_ROTATED
	return (unsigned int) _mm256_movemask_ps(
		_mm256_castsi256_ps(_mm256_or_si256(met0, met1)));
}

/*
 * The inner product of a few non-zeros and very many: each index of the
 * short side is looked for in the stretch of 32 that may hold it.
 *
 * Stretches are passed by one comparison each, which the processor predicts;
 * doubling the stride instead costs a misprediction for every doubling.
 */
ALWAYS_INLINE SPARSE_X86 float
sparse_search_inner(int short_count, const int32_t *short_index,
					const float *short_value, int long_count,
					const int32_t *long_index, const float *long_value)
{
	const int	stretch = 4 * BLOCK;
	double		sum = 0;
	int			j = 0;

	if (long_count / SPARSE_LEAP_RATIO > short_count)
		return (float) sparse_gallop_inner(short_count, short_index,
										   short_value, long_count, long_index,
										   long_value);
	for (int i = 0; i < short_count && j < long_count; i++)
	{
		__m256i		wanted = _mm256_set1_epi32(short_index[i]);
		int			end;

		while (j + stretch <= long_count &&
			   long_index[j + stretch - 1] < short_index[i])
			j += stretch;
		end = j + stretch < long_count ? j + stretch : long_count;
		for (int k = j; k < end; k += BLOCK)
		{
			SparseBlock block = load_block(k, end, long_index, -1);
			__m256i		equal = _mm256_cmpeq_epi32(block.index, wanted);
			unsigned int met = (unsigned int) _mm256_movemask_ps(
				_mm256_castsi256_ps(equal));

			if (met != 0)
				sum += (double) short_value[i] *
					   long_value[k + __builtin_ctz(met)];
		}
	}
	return (float) sum;
}

#endif							/* MATH_SPARSE_BLOCKS_X86_H */
