/*-------------------------------------------------------------------------
 *
 * vector_rows.h
 *	  Vectors of equal dimensions as rows of a temporary file, the dimensions
 *	  numbered anew so that all are in use.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TRAIN_VECTOR_ROWS_H
#define TRAIN_VECTOR_ROWS_H

#include "train/sparse_file.h"
#include "type/sparse_row.h"

typedef struct VectorRows
{
	SparseFile *file;			/* keys are features */
	int			dims;			/* of the vectors, 0: not yet known */
	int			features;		/* dimensions in use */
	int32	   *dimensions;		/* of each feature */
	int			dimension_room;
	int32	   *compact;		/* of each dimension: its feature plus one */
} VectorRows;

extern void vector_rows_init(VectorRows *rows);

/*
 * Zeros are left out.  Other dimensions than the first row's are an error; a
 * row without elements fits to any.
 */
extern void vector_rows_put(VectorRows *rows, const SparseRow *row);

#endif							/* TRAIN_VECTOR_ROWS_H */
