/*-------------------------------------------------------------------------
 *
 * attention.h
 *	  Scaled dot-product attention of one head, in blocks.
 *
 * Vaswani et al. 2017 (arXiv 1706.03762), computed as Dao et al. 2022 (arXiv
 * 2205.14135) do: scores of a few queries with a block of keys, weights
 * relative to the largest score so far, what earlier blocks gave corrected by
 * the difference.  No matrix of all queries with all keys ever exists.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NETWORK_ATTENTION_H
#define NETWORK_ATTENTION_H

#include <stdbool.h>
#include <stddef.h>

#include "math/product.h"

/* Keys of a block; a multiple of the columns of any panel. */
#define ATTENTION_KEYS 512

/* Queries that share a block of keys while it is in the cache. */
#define ATTENTION_QUERIES 96

/* Keys and values of one head, packed for products. */
typedef struct AttentionHead
{
	int			tokens;
	int			dims;
	float	   *keys;
	float	   *values;
} AttentionHead;

/* Floats that keys and values of one head take, together. */
extern size_t attention_head_floats(int tokens, int dims);

/* Divides a block of that size, aligned, among keys and values. */
extern AttentionHead attention_head_in(int tokens, int dims, float *block);

/*
 * Packs rows first .. first + count - 1 of keys and values; "first" is a
 * multiple of ATTENTION_QUERIES.  Scores are multiplied with "scale".
 */
extern void attention_pack(const AttentionHead *head, int first, int count,
						   const float *keys, const float *values,
						   size_t stride, float scale);

/* What a query at place i sees: keys from i - before to i + after. */
typedef struct AttentionMask
{
	int			before;
	int			after;
} AttentionMask;

/*
 * For queries at places first .. first + count - 1, at most
 * ATTENTION_QUERIES, their weighted values.
 *
 * queries: rows of head->dims floats, which the results replace
 * bias: what is added to the score of a key j and a query i is bias[j - i],
 *		 for all of both; or NULL
 * scratch: attention_scratch_floats floats, aligned
 */
extern size_t attention_scratch_floats(int dims);
extern bool attention(const AttentionHead *head, AttentionMask mask,
					  const float *bias, int first, int count, float *queries,
					  size_t stride, float *scratch,
					  ProductInterrupt *interrupt);

#endif							/* NETWORK_ATTENTION_H */
