/*-------------------------------------------------------------------------
 *
 * sparse_result.h
 *	  From weights to a sparsevec.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VOCABULARY_SPARSE_RESULT_H
#define VOCABULARY_SPARSE_RESULT_H

#include "encoder/vocabulary/document_counts.h"
#include "type/vector.h"

/* weights of one document, one for each of its counts; they grow as needed */
typedef struct WeightArray
{
	double	   *values;
	int			capacity;
	MemoryContext context;
} WeightArray;

extern void weights_reserve(WeightArray *weights, int count);

/*
 * The weights, each divided by divisor, those left out that are zero as
 * float4.  The keys of counts are indexes from 0, ascending.
 */
extern SparseVector *sparse_result(int dims, int count, const KeyCount *counts,
								   const double *weights, double divisor);

#endif							/* VOCABULARY_SPARSE_RESULT_H */
