/*-------------------------------------------------------------------------
 *
 * sparse_row.c
 *	  A vector of any of the types as keys and values.
 *
 *-------------------------------------------------------------------------
 */
#include "type/sparse_row.h"

#include "server/extension.h"
#include "utils/memutils.h"

void
sparse_row_init(SparseRow *row, MemoryContext context)
{
	memset(row, 0, sizeof(SparseRow));
	row->context = context;
}

static void
reserve(SparseRow *row, int count)
{
	if (count <= row->capacity)
		return;
	if (row->keys != NULL)
	{
		pfree(row->keys);
		row->keys = NULL;
		pfree(row->values);
	}
	row->capacity = 0;
	row->values = MemoryContextAlloc(row->context, sizeof(float) * count);
	row->keys = MemoryContextAlloc(row->context, sizeof(int32) * count);
	row->capacity = count;
}

static void
set_dense(SparseRow *row, int dims, const float *values, const half *halves)
{
	reserve(row, dims);
	row->dims = dims;
	row->count = dims;
	for (int i = 0; i < dims; i++)
	{
		row->keys[i] = i;
		row->values[i] = values ? values[i] : half_to_float(halves[i]);
	}
}

static void
set_sparse(SparseRow *row, const SparseVector *vector)
{
	if (vector->dims > SPARSE_ROW_MAX_DIMS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("vectors may have at most %d dimensions here",
						SPARSE_ROW_MAX_DIMS),
				 errdetail("The vector has %d.", vector->dims)));
	reserve(row, Max(vector->count, 1));
	row->dims = vector->dims;
	row->count = vector->count;
	memcpy(row->keys, vector->index, sizeof(int32) * vector->count);
	memcpy(row->values, SPARSEVEC_VALUES(vector),
		   sizeof(float) * vector->count);
}

void
sparse_row_of_vector(SparseRow *row, Datum datum, Oid type)
{
	void	   *value = PG_DETOAST_DATUM(datum);

	if (type == extension_type("vector"))
		set_dense(row, ((Vector *) value)->dims, ((Vector *) value)->x, NULL);
	else if (type == extension_type("halfvec"))
		set_dense(row, ((HalfVector *) value)->dims, NULL,
				  ((HalfVector *) value)->x);
	else
		set_sparse(row, value);
	if (value != DatumGetPointer(datum))
		pfree(value);
}
