/*-------------------------------------------------------------------------
 *
 * transformer_run.h
 *	  What one call of transformer_encode has at hand: this room only.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NETWORK_TRANSFORMER_RUN_H
#define NETWORK_TRANSFORMER_RUN_H

#include "network/attention.h"
#include "network/transformer_families.h"

#define GROUP_TOKENS 256
#define FUSED_TOKENS 512
#define BLOCK_ROWS ATTENTION_QUERIES

/*
 * Relative positions beyond this distance share a bucket (Raffel et al. 2019).
 */
#define RELATIVE_DISTANCE 128

/* Everything that one call has at hand. */
typedef struct Run
{
	const TransformerPlan *plan;
	const char *packed;
	const TransformerBatch *batch;
	const TransformerOutput *output;
	ProductInterrupt *interrupt;

	size_t		width;			/* floats of a row of the residual */
	size_t		fused_width;	/* of queries, keys and values */
	size_t		unit_width;

	/* scratch */
	float	   *x;				/* the residual, of all tokens of the group */
	float	   *normed;			/* a block, normalized */
	float	   *fused;			/* queries, keys, values */
	float	   *units;			/* a block in the inner layer */
	float	   *embedding;		/* a block of embeddings that are projected */
	void	   *rounded;		/* a block as the products take it */
	float	   *heads;			/* keys and values, packed */
	float	   *attention;		/* attention's own */
	float	   *turns[2];		/* cosines and sines of each place; of local
								 * layers */
	float	   *relative;		/* bias by distance, of each head */
	float	   *bias;			/* the same for one head and text */

	/* the group */
	int			first;			/* its texts */
	int			texts;
	size_t		begin;			/* its tokens */
	int			tokens;
} Run;

/* Where a layer's weights lie. */
typedef struct LayerWeights
{
	const Run  *run;
	const char *base;
	bool		is_local;
	bool		norm_missing;
} LayerWeights;

static inline size_t
aligned(size_t size)
{
	return (size + PRODUCT_ALIGNMENT - 1) / PRODUCT_ALIGNMENT *
		   PRODUCT_ALIGNMENT;
}

static inline int
at_most(int a, int b)
{
	return a < b ? a : b;
}

/* floats from one row of "dims" to the next */
extern size_t transformer_row_width(int dims);

/* Scratch for texts of up to "longest" tokens, divided. */
extern void transformer_divide_scratch(Run *run, size_t longest,
									   void *scratch);

/* Whether scores have a bias by distance. */
extern bool transformer_has_bias(const TransformerPlan *plan);

/* For each place the cosines of all its angles, then the sines. */
extern void transformer_fill_turns(const TransformerConfig *config,
								   bool is_local, size_t places,
								   float *turns);

/* The row of the table of biases that serves this distance. */
extern int	transformer_relative_bucket(int distance, int buckets);

/* Angles and biases, for places up to "longest". */
extern void transformer_fill_positions(Run *run, size_t longest);

/* The bias of a head for all distances in a text; the middle is distance 0. */
extern const float *transformer_bias_of_head(const Run *run, int head,
											 int tokens);

#endif							/* NETWORK_TRANSFORMER_RUN_H */
