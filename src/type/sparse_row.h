/*-------------------------------------------------------------------------
 *
 * sparse_row.h
 *	  A vector of any of the types as keys and values.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TYPE_SPARSE_ROW_H
#define TYPE_SPARSE_ROW_H

#include "type/vector.h"

/* More would be no vectors of texts; maps of all dimensions are in memory. */
#define SPARSE_ROW_MAX_DIMS		(1 << 24)

typedef struct SparseRow
{
	int			dims;
	int			count;
	int32	   *keys;			/* ascending */
	float	   *values;			/* of dense vectors also zeros */
	int			capacity;
	MemoryContext context;		/* where it grows */
} SparseRow;

extern void sparse_row_init(SparseRow *row, MemoryContext context);

/*
 * type: that of vector, halfvec or sparsevec; a sparsevec of more than
 * SPARSE_ROW_MAX_DIMS is an error
 */
extern void sparse_row_of_vector(SparseRow *row, Datum vector, Oid type);

#endif							/* TYPE_SPARSE_ROW_H */
