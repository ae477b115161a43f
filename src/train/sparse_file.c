/*-------------------------------------------------------------------------
 *
 * sparse_file.c
 *	  Sparse rows in a temporary file, read again in each pass.
 *
 * A row is the number of its elements, their keys, and their values.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "miscadmin.h"
#include "train/sparse_file.h"
#include "utils/memutils.h"

SparseFile *
sparse_file_create(void)
{
	SparseFile  *rows = palloc0(sizeof(SparseFile));

	rows->file = BufFileCreateTemp(false);
	return rows;
}

/* Room for the longest row; what was in it is lost. */
static void
reserve(SparseFile *rows, int count)
{
	rows->longest = Max(count, 1024);
	if (rows->keys != NULL)
	{
		pfree(rows->keys);
		pfree(rows->values);
	}
	rows->keys = palloc_extended(sizeof(int32) * rows->longest,
								   MCXT_ALLOC_HUGE);
	rows->values = palloc_extended(sizeof(float) * rows->longest,
									 MCXT_ALLOC_HUGE);
}

void
sparse_file_reserve(SparseFile *rows, int count)
{
	if (count > rows->longest || rows->keys == NULL)
		reserve(rows, count);
}

void
sparse_file_put(SparseFile *rows, int count)
{
	int32		number = count;

	BufFileWrite(rows->file, &number, sizeof(number));
	BufFileWrite(rows->file, rows->keys, sizeof(int32) * count);
	BufFileWrite(rows->file, rows->values, sizeof(float) * count);
	rows->rows++;
	rows->elements += count;
}

static void
rewind_file(SparseFile *rows)
{
	if (BufFileSeek(rows->file, 0, 0, SEEK_SET) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not rewind temporary file: %m")));
}

/* bytes read between two looks for interrupts */
#define KEEP_PIECE ((Size) 8 * 1024 * 1024)

void
sparse_file_keep(SparseFile *rows, Size memory)
{
	Size		bytes = (Size) rows->rows * sizeof(int32) +
		(Size) rows->elements * (sizeof(int32) + sizeof(float));

	if (bytes > memory || rows->rows == 0)
		return;
	rewind_file(rows);
	rows->kept = palloc_extended(Max(bytes, 1), MCXT_ALLOC_HUGE);
	for (Size at = 0; at < bytes; at += KEEP_PIECE)
	{
		CHECK_FOR_INTERRUPTS();
		BufFileReadExact(rows->file, rows->kept + at,
						 Min(bytes - at, KEEP_PIECE));
	}
	pfree(rows->keys);
	pfree(rows->values);
}

void
sparse_file_rewind(SparseFile *rows)
{
	if (rows->kept == NULL)
		rewind_file(rows);
	rows->place = rows->kept;
	rows->at = 0;
	rows->passes++;
}

bool
sparse_file_next(SparseFile *rows)
{
	int32		count;

	if (rows->at == rows->rows)
		return false;
	CHECK_FOR_INTERRUPTS();
	if (rows->kept == NULL)
	{
		BufFileReadExact(rows->file, &count, sizeof(count));
		BufFileReadExact(rows->file, rows->keys, sizeof(int32) * count);
		BufFileReadExact(rows->file, rows->values, sizeof(float) * count);
	}
	else
	{
		memcpy(&count, rows->place, sizeof(count));
		rows->keys = (int32 *) (rows->place + sizeof(count));
		rows->values = (float *) (rows->keys + count);
		rows->place = (const char *) (rows->values + count);
	}
	rows->count = count;
	rows->at++;
	return true;
}

void
sparse_file_free(SparseFile *rows)
{
	BufFileClose(rows->file);
	if (rows->kept != NULL)
		pfree(rows->kept);
	else if (rows->keys != NULL)
	{
		pfree(rows->keys);
		pfree(rows->values);
	}
	pfree(rows);
}
