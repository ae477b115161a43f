/*-------------------------------------------------------------------------
 *
 * rows.c
 *	  The weighted sum of rows of a matrix.
 *
 * The sum of up to 128 columns stays in registers while all rows pass by.
 * Written with the compilers' vector type of 64 bytes, which becomes one, two
 * or four registers by the instruction set a function is compiled for.
 *
 *-------------------------------------------------------------------------
 */
#include "math/rows.h"

#include <string.h>

#define INLINE		static inline __attribute__((always_inline))
#define AHEAD		6			/* rows fetched before their turn */

typedef float Lanes __attribute__((vector_size(64)));

/* "width" vectors of columns from "column" on; width is a constant */
INLINE void
sum_columns(int column, const int width, const float *const *rows,
			const float *weights, int count, float *sum)
{
	Lanes		total[8];

	memcpy(total, sum + column, sizeof(Lanes) * width);
	for (int r = 0; r < count; r++)
	{
		const float *row = rows[r] + column;
		float		weight = weights[r];

		if (r + AHEAD < count)
			for (int i = 0; i < width; i++)
				__builtin_prefetch(rows[r + AHEAD] + column + i * ROW_LANES);
#if defined(__clang__)
#pragma clang loop unroll(full)
#else
#pragma GCC unroll 8
#endif
		for (int i = 0; i < width; i++)
		{
			Lanes		lanes;

			memcpy(&lanes, row + i * ROW_LANES, sizeof(lanes));
			total[i] += lanes * weight;
		}
	}
	memcpy(sum + column, total, sizeof(Lanes) * width);
}

INLINE void
sum_all(int stride, const float *const *rows, const float *weights, int count,
		float *sum)
{
	int			column = 0;

	for (; column + 8 * ROW_LANES <= stride; column += 8 * ROW_LANES)
		sum_columns(column, 8, rows, weights, count, sum);
	if (column + 4 * ROW_LANES <= stride)
	{
		sum_columns(column, 4, rows, weights, count, sum);
		column += 4 * ROW_LANES;
	}
	if (column + 2 * ROW_LANES <= stride)
	{
		sum_columns(column, 2, rows, weights, count, sum);
		column += 2 * ROW_LANES;
	}
	if (column < stride)
		sum_columns(column, 1, rows, weights, count, sum);
}

#if defined(__x86_64__)

__attribute__((target("avx512f,fma")))
static void
sum_avx512(int stride, const float *const *rows, const float *weights,
		   int count, float *sum)
{
	sum_all(stride, rows, weights, count, sum);
}

__attribute__((target("avx2,fma")))
static void
sum_avx2(int stride, const float *const *rows, const float *weights, int count,
		 float *sum)
{
	sum_all(stride, rows, weights, count, sum);
}

#endif

static void
sum_plain(int stride, const float *const *rows, const float *weights,
		  int count, float *sum)
{
	sum_all(stride, rows, weights, count, sum);
}

void
rows_sum(int stride, const float *const *rows, const float *weights, int count,
		 float *sum)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx512f"))
	{
		sum_avx512(stride, rows, weights, count, sum);
		return;
	}
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
	{
		sum_avx2(stride, rows, weights, count, sum);
		return;
	}
#endif
	sum_plain(stride, rows, weights, count, sum);
}
