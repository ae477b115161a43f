/*-------------------------------------------------------------------------
 *
 * sparse_file.h
 *	  Sparse rows in a temporary file, read again in each pass.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TRAIN_SPARSE_FILE_H
#define TRAIN_SPARSE_FILE_H

#include "server/server.h"

#include "storage/buffile.h"

typedef struct SparseFile
{
	BufFile    *file;
	int64		rows;
	int64		elements;
	int			longest;		/* elements of one row */
	int			passes;			/* over the file so far */

	/* all of it, where there was room */
	char	   *kept;
	const char *place;			/* in it */

	/* the row last read, or the one to be put */
	int64		at;				/* rows read in this pass */
	int			count;
	int32	   *keys;
	float	   *values;
} SparseFile;

extern SparseFile *sparse_file_create(void);

/* Room in keys and values for a row; then write it from there. */
extern void sparse_file_reserve(SparseFile *rows, int count);
extern void sparse_file_put(SparseFile *rows, int count);

/*
 * No more rows are put; all are kept in memory where they take no more than so
 * many bytes.
 */
extern void sparse_file_keep(SparseFile *rows, Size memory);

extern void sparse_file_rewind(SparseFile *rows);	/* begins a pass */
extern bool sparse_file_next(SparseFile *rows);
extern void sparse_file_free(SparseFile *rows);

#endif							/* TRAIN_SPARSE_FILE_H */
