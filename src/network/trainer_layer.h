/*-------------------------------------------------------------------------
 *
 * trainer_layer.h
 *	  One layer of a transformer, forward and backward: this room only.
 *
 * Tensors are reached by their role less TENSOR_QUERY.  Queries, keys and
 * values are one matrix, one after the other in memory, and so are their
 * biases.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NETWORK_TRAINER_LAYER_H
#define NETWORK_TRAINER_LAYER_H

#include "network/backward.h"
#include "network/transformer.h"

#define LAYER_ROLE(role) ((role) - TENSOR_QUERY)

typedef struct LayerShape
{
	int			hidden;
	int			units;
	bool		norm_first;		/* before attention and units, not after */
	bool		gated;
	Activation	activation;
	NormShape	norm;
	AttentionShape attention;
	int			rotary_half;	/* 0: no rotary positions */
	bool		rotary_interleaved;
	double		dropout;
} LayerShape;

/* Floats of a row of queries, keys and values. */
static inline int
query_width(const LayerShape *shape)
{
	return shape->attention.heads * shape->attention.head_dims;
}

static inline int
key_width(const LayerShape *shape)
{
	return shape->attention.key_heads * shape->attention.head_dims;
}

static inline int
fused_width(const LayerShape *shape)
{
	return query_width(shape) + 2 * key_width(shape);
}

/* Texts that go through a layer together, one after the other. */
typedef struct LayerGroup
{
	int			texts;
	const size_t *offsets;		/* texts + 1 of them, from the batch's first
								 * token */
	int			tokens;
	const Real *turns;			/* of each place: cosines, then sines */
	const Real *bias;			/* of each head by distance, for "longest" */
	Real	   *bias_slope;		/* NULL: not wanted */
	int			longest;		/* bias has 2 longest - 1 numbers a head */
} LayerGroup;

/*
 * What backward wants from forward, beside the input: a row for each token.
 */
typedef struct LayerKept
{
	Rows		fused;			/* queries, keys, values */
	Rows		attended;
	Rows		middle;			/* the residual with attention in it */
	Rows		gate;			/* before the activation */
	Rows		up;				/* gated units */
	Rows		last;			/* the residual with the units in it */
} LayerKept;

/* Memory that is free again after each call. */
typedef struct LayerScratch
{
	Workshop	shop;
	Rows		normed;			/* hidden */
	Rows		residual;		/* hidden */
	Rows		units;
	Rows		units_slope;
	Rows		up_slope;		/* gated units */
	Rows		fused_slope;
	Rows		attended_slope;
	Real	   *attention;
	Real	   *text_bias;		/* of one text, all heads; and its slope */
	Real	   *text_bias_slope;
	Real	   *low_rank;
} LayerScratch;

typedef struct LayerTensors
{
	const Real *values[TENSORS_OF_LAYER];
	Real	   *slopes[TENSORS_OF_LAYER];	/* NULL: not wanted */
	LowRank		changes[TENSORS_OF_LAYER];
	bool		norm_missing;	/* none before attention */
} LayerTensors;

/* Which layer and pass it is, for dropout. */
typedef struct LayerPass
{
	uint64_t	seed;
	uint64_t	pass;
	int			layer;
	bool		training;		/* dropout takes place */
} LayerPass;

/* Dropout's sites in a layer; the embeddings' comes last. */
typedef enum DropoutSite
{
	SITE_ATTENTION,
	SITE_OUT,
	SITE_DOWN,
	SITE_EMBEDDINGS,
	SITES
} DropoutSite;

static inline Dropout
dropout_at(const LayerPass *pass, double share, DropoutSite site)
{
	return dropout_of(pass->training ? share : 0, pass->seed, pass->pass,
					  (uint64_t) (pass->layer + 1) * SITES + site);
}

/* x: the layer's input; to: its output, which may be x. */
extern bool layer_forward(const LayerShape *shape, const LayerTensors *tensors,
						  const LayerGroup *group, const LayerPass *pass,
						  Rows x, const LayerKept *kept, Rows to,
						  const LayerScratch *scratch);

/*
 * slope: of the output, becomes that of the input if "further" (else only the
 * tensors' slopes are computed, and slope is spoiled).
 */
extern bool layer_backward(const LayerShape *shape,
						   const LayerTensors *tensors,
						   const LayerGroup *group, const LayerPass *pass,
						   Rows x, const LayerKept *kept, Rows slope,
						   bool further, const LayerScratch *scratch);

#endif							/* NETWORK_TRAINER_LAYER_H */
