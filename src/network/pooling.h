/*-------------------------------------------------------------------------
 *
 * pooling.h
 *	  One vector of a text from those of its tokens.
 *
 * The definitions are those of sentence-transformers' module Pooling (Reimers
 * and Gurevych 2019, arXiv 1908.10084).
 *
 *-------------------------------------------------------------------------
 */
#ifndef NETWORK_POOLING_H
#define NETWORK_POOLING_H

#include <stddef.h>

typedef enum Pooling
{
	POOLING_NONE,				/* every token's vector */
	POOLING_CLS,				/* the first token's */
	POOLING_MEAN,
	POOLING_MAX,
	POOLING_MEAN_SQRT_LENGTH,	/* the sum over the root of the number */
	POOLING_WEIGHTED_MEAN,		/* by place: 1, 2, 3 ... */
	POOLING_LAST				/* the last token's */
} Pooling;

/* The names that 1_Pooling/config.json gives them; -1 if there is no such. */
extern int	pooling_of_name(const char *name);

/* Pools rows "skip" to "rows" - 1; at least one row. */
extern void pooling_of_rows(Pooling pooling, int dims, int rows, int skip,
							const float *x, size_t stride, float *to);

/* Divides by the Euclidean norm, or by 1e-12 if that is less. */
extern void pooling_normalize(int dims, float *x);

#endif							/* NETWORK_POOLING_H */
