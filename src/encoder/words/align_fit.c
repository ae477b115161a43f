/*-------------------------------------------------------------------------
 *
 * align_fit.c
 *	  The rotation that brings vectors of one model to those of another.
 *
 * With all vectors at length one, the orthogonal W with the least sum of
 * |W x - y|^2 is U V' from the singular value decomposition of the sum of
 * y x' (Schoenemann 1966; Xing, Wang, Liu and Lin, "Normalized Word Embedding
 * and Orthogonal Transform for Bilingual Word Translation", NAACL 2015).
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "encoder/words/align.h"
#include "math/distance.h"
#include "math/orthogonal.h"
#include "miscadmin.h"
#include "server/interrupts.h"
#include "storage/shmem.h"
#include "utils/memutils.h"

static void
unit_vector(const Words *words, int32 number, double *unit)
{
	const WordEntry *entry = &words->entries[number];
	const float *row = words_row(words, entry->row);

	for (int d = 0; d < words->totals->dims; d++)
		unit[d] = (double) row[d] * entry->inverse_norm;
}

static void
sum_pairs(const Words *source, const Words *target, const WordPairs *pairs,
		  double *sum)
{
	int			dims = source->totals->dims;
	double	   *x = palloc(sizeof(double) * dims);
	double	   *y = palloc(sizeof(double) * dims);

	memset(sum, 0, sizeof(double) * dims * dims);
	for (int64 i = 0; i < pairs->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		unit_vector(source, pairs->items[i].source, x);
		unit_vector(target, pairs->items[i].target, y);
		for (int r = 0; r < dims; r++)
		{
			double	   *row = sum + (Size) r * dims;
			double		factor = y[r];

			for (int d = 0; d < dims; d++)
				row[d] += factor * x[d];
		}
	}
	pfree(x);
	pfree(y);
}

int
align_fit(const Words *source, const Words *target, const WordPairs *pairs,
		  float *rotation)
{
	int			dims = source->totals->dims;
	Size		square = mul_size(dims, dims);
	double	   *matrix = palloc_extended(mul_size(square, sizeof(double)),
										 MCXT_ALLOC_HUGE);
	double	   *scratch = palloc_extended(mul_size(orthogonal_scratch(dims),
												   sizeof(double)),
										  MCXT_ALLOC_HUGE);
	int			rank;

	sum_pairs(source, target, pairs, matrix);
	if (!orthogonal_nearest(dims, matrix, scratch, &rank,
							interrupts_check))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("singular values of the pairs were not found")));
	for (Size i = 0; i < square; i++)
		rotation[i] = (float) matrix[i];
	pfree(matrix);
	pfree(scratch);
	return rank;
}

void
align_rotate(const float *rotation, int dims, const float *from, float *to)
{
	for (int r = 0; r < dims; r++)
		to[r] = vector_inner_kernel(dims, rotation + (Size) r * dims, from);
}
