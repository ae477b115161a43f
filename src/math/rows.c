/*-------------------------------------------------------------------------
 *
 * rows.c
 *	  The weighted sum of rows of a matrix.
 *
 * The sum of columns for eight registers stays there while all rows pass by.
 *
 *-------------------------------------------------------------------------
 */
#include "math/rows.h"

#include <string.h>

#include "math/cpu.h"
#include "math/inline.h"

#define AHEAD		6			/* rows fetched before their turn */

#define SUM sum_plain
#define LANES 4
#define TARGET
#include "math/rows_sum.h"

#if defined(__x86_64__)
#define SUM sum_avx2
#define LANES 8
#define TARGET __attribute__((target("avx2,fma")))
#include "math/rows_sum.h"

#define SUM sum_avx512
#define LANES 16
#define TARGET __attribute__((target("avx512f,fma")))
#include "math/rows_sum.h"
#endif

void
rows_sum(int stride, const float *const *rows, const float *weights, int count,
		 float *sum)
{
#if defined(__x86_64__)
	if (cpu_level() >= CPU_AVX512)
	{
		sum_avx512(stride, rows, weights, count, sum);
		return;
	}
	if (cpu_level() >= CPU_AVX2)
	{
		sum_avx2(stride, rows, weights, count, sum);
		return;
	}
#endif
	sum_plain(stride, rows, weights, count, sum);
}
