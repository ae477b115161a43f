/*-------------------------------------------------------------------------
 *
 * sparse_result.c
 *	  From weights to a sparsevec.
 *
 *-------------------------------------------------------------------------
 */
#include "embed.h"

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
	if (weights->values != NULL)
		pfree(weights->values);
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

SparseVector *
sparse_result(int dims, int count, const KeyCount *counts,
			  const double *weights, double divisor)
{
	SparseVector *result;
	float	   *values;
	int			nonzeros = 0;
	int			at = 0;

	for (int i = 0; i < count; i++)
		nonzeros += (float) (weights[i] / divisor) != 0.0f;
	check_nonzeros(nonzeros);

	result = sparsevec_create(dims, nonzeros);
	values = SPARSEVEC_VALUES(result);
	for (int i = 0; i < count; i++)
	{
		float		value = (float) (weights[i] / divisor);

		if (value == 0.0f)
			continue;
		result->index[at] = counts[i].key;
		values[at++] = value;
	}
	return result;
}
