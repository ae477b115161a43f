/*-------------------------------------------------------------------------
 *
 * sparse_result.c
 *	  From weights to a sparsevec.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "encoder/vocabulary/sparse_result.h"
#include "utils/memutils.h"

#define FIRST_WEIGHTS	512

void
weights_reserve(WeightArray *weights, int count)
{
	Size		capacity = Max(FIRST_WEIGHTS, weights->capacity);

	if (count <= weights->capacity)
		return;
	while (capacity < count)
		capacity *= 2;
	/* in this order: the array outlives an error that somebody catches */
	weights->capacity = 0;
	if (weights->values != NULL)
		pfree(weights->values);
	weights->values = NULL;
	weights->values = MemoryContextAllocHuge(weights->context,
											 sizeof(double) * capacity);
	weights->capacity = (int) capacity;
}

static void
check_nonzeros(int nonzeros)
{
	if (nonzeros > SPARSEVEC_MAX_NONZEROS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("sparsevec cannot have more than %d non-zero elements",
						SPARSEVEC_MAX_NONZEROS),
				 errdetail("The text has %d different terms.", nonzeros),
				 errhint("Split the text with split_text(), or use fewer n-grams or a vocabulary with fewer terms.")));
}

/*
 * The same vector without its zeros.
 */
static SparseVector *
without_zeros(SparseVector *vector, int nonzeros)
{
	SparseVector *result = sparsevec_create(vector->dims, nonzeros);
	const float *from = SPARSEVEC_VALUES(vector);
	float	   *to = SPARSEVEC_VALUES(result);
	int			at = 0;

	for (int i = 0; i < vector->count; i++)
		if (from[i] != 0.0f)
		{
			result->index[at] = vector->index[i];
			to[at++] = from[i];
		}
	pfree(vector);
	return result;
}

SparseVector *
sparse_result(int dims, int count, const KeyCount *counts,
			  const double *weights, double divisor)
{
	SparseVector *result;
	float	   *values;
	int			nonzeros = 0;

	/* only a text beyond the limit takes a pass of its own */
	if (count > SPARSEVEC_MAX_NONZEROS)
	{
		for (int i = 0; i < count; i++)
			nonzeros += (float) (weights[i] / divisor) != 0.0f;
		check_nonzeros(nonzeros);
		nonzeros = 0;
	}

	result = palloc(SPARSEVEC_SIZE((Size) count));
	SET_VARSIZE(result, SPARSEVEC_SIZE((Size) count));
	result->dims = dims;
	result->count = count;
	result->unused = 0;
	values = SPARSEVEC_VALUES(result);
	for (int i = 0; i < count; i++)
	{
		result->index[i] = counts[i].key;
		values[i] = (float) (weights[i] / divisor);
		nonzeros += values[i] != 0.0f;
	}
	return nonzeros == count ? result : without_zeros(result, nonzeros);
}
