/*-------------------------------------------------------------------------
 *
 * vector_rows.c
 *	  Vectors of equal dimensions as rows of a temporary file.
 *
 *-------------------------------------------------------------------------
 */
#include "train/vector_rows.h"

#include "utils/memutils.h"

void
vector_rows_init(VectorRows *rows)
{
	memset(rows, 0, sizeof(VectorRows));
	rows->file = sparse_file_create();
}

static void
set_dims(VectorRows *rows, const SparseRow *row)
{
	if (row->count == 0)
		return;
	if (rows->dims == 0)
	{
		rows->dims = row->dims;
		rows->compact = palloc_extended(sizeof(int32) * rows->dims,
										MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	}
	if (row->dims != rows->dims)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("different vector dimensions %d and %d", rows->dims,
						row->dims)));
}

/* The number of a dimension among those in use */
static int32
feature_of(VectorRows *rows, int32 dimension)
{
	if (rows->compact[dimension] != 0)
		return rows->compact[dimension] - 1;
	if (rows->features == rows->dimension_room)
	{
		rows->dimension_room = Max(1024, 2 * rows->dimension_room);
		rows->dimensions = rows->dimensions == NULL ?
			palloc(sizeof(int32) * rows->dimension_room) :
			repalloc_huge(rows->dimensions,
						  sizeof(int32) * rows->dimension_room);
	}
	rows->dimensions[rows->features] = dimension;
	rows->compact[dimension] = ++rows->features;
	return rows->features - 1;
}

void
vector_rows_put(VectorRows *rows, const SparseRow *row)
{
	SparseFile *file = rows->file;
	int			count = 0;

	set_dims(rows, row);
	sparse_file_reserve(file, row->count);
	for (int i = 0; i < row->count; i++)
	{
		if (row->values[i] == 0)
			continue;
		file->keys[count] = feature_of(rows, row->keys[i]);
		file->values[count++] = row->values[i];
	}
	sparse_file_put(file, count);
}
