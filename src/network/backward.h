/*-------------------------------------------------------------------------
 *
 * backward.h
 *	  Layers of a network forward and backward, as training takes them: this
 *	  room only.
 *
 * Forward passes here keep what backward passes want; encoding has faster ones
 * (transformer_encode.c).  "Slope" is the gradient of the loss with respect to
 * what the name says.  Slopes of weights are added to, since a batch comes in
 * groups; a pointer that is NULL is not wanted.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NETWORK_BACKWARD_H
#define NETWORK_BACKWARD_H

#include "network/pooling.h"
#include "network/real.h"

/* Rows of numbers. */
typedef struct Rows
{
	Real	   *values;
	size_t		stride;
} Rows;

static inline Real *
row_of(Rows rows, size_t number)
{
	return rows.values + number * rows.stride;
}

/* What every product needs. */
typedef struct Workshop
{
	Real	   *product;		/* MATRIX_SCRATCH_FLOATS */
	ProductInterrupt *interrupt;
} Workshop;

/* y = x W^T + b; W of outputs x inputs. */
extern bool linear_forward(const Workshop *shop, int rows, int inputs,
						   int outputs, const Real *weights, const Real *bias,
						   Rows x, Rows y);

/* x_slope = y_slope W, or added to it */
extern bool linear_input_slope(const Workshop *shop, int rows, int inputs,
							   int outputs, const Real *weights, Rows y_slope,
							   bool add, Rows x_slope);

/* the slopes of W and b */
extern bool linear_weight_slope(const Workshop *shop, int rows, int inputs,
								int outputs, Rows x, Rows y_slope,
								Real *weights_slope, Real *bias_slope);

/* A change of low rank, scale * B A, and its slopes. */
typedef struct LowRank
{
	int			rank;			/* 0: there is none */
	Real		scale;
	const Real *a;				/* rank x inputs */
	const Real *b;				/* outputs x rank */
	Real	   *a_slope;
	Real	   *b_slope;
} LowRank;

/* scratch: 2 rows x rank numbers */
extern bool low_rank_slope(const Workshop *shop, const LowRank *change,
						   int rows, int inputs, int outputs, Rows x,
						   Rows y_slope, Real *scratch);

/* Layer norm, or RMS norm. */
typedef struct NormShape
{
	bool		rms;
	int			dims;
	Real		epsilon;
} NormShape;

extern void norm_forward(const NormShape *shape, int rows, const Real *weight,
						 const Real *bias, Rows x, Rows y);

/* x_slope may be y_slope. */
extern void norm_backward(const NormShape *shape, int rows,
						  const Real *weight, Rows x, Rows y_slope,
						  Rows x_slope, Real *weight_slope, Real *bias_slope);

/* to = f(x), and to *= f'(x) */
extern void activation_forward(Activation activation, int count,
							   const Real *x, Real *to);
extern void activation_slope(Activation activation, int count, const Real *x,
							 Real *to);

/* Halves, or neighbours, turned by the angles of a place; or turned back. */
extern void turn_forward(int half, bool interleaved, const Real *cosine,
						 const Real *sine, Real *x);
extern void turn_backward(int half, bool interleaved, const Real *cosine,
						  const Real *sine, Real *x_slope);

/*
 * Some numbers of a row become zero and the others larger; the same ones for
 * the same key and row.  Backwards it is the same.
 */
typedef struct Dropout
{
	double		share;			/* 0: none */
	uint64_t	key;
} Dropout;

extern Dropout dropout_of(double share, uint64_t seed, uint64_t pass,
						  uint64_t site);
extern void dropout_row(Dropout dropout, uint64_t row, int count, Real *x);
extern void dropout_rows(Dropout dropout, uint64_t first, int rows, int count,
						 Rows x);

/* Attention of all heads over one text. */
typedef struct AttentionShape
{
	int			heads;
	int			key_heads;
	int			head_dims;
	Real		scale;			/* of scores */
	int			before;			/* what a place sees: INT_MAX for all */
	int			after;
	Dropout		dropout;
} AttentionShape;

/* Queries whose scores with all keys are in memory at a time. */
#define ATTENTION_BLOCK 128

typedef struct AttentionText
{
	int			tokens;
	uint64_t	first;			/* its first token's number, for dropout */
	Rows		queries;		/* heads side by side */
	Rows		keys;
	Rows		values;
	const Real *bias;			/* of each head, 2 tokens - 1 numbers by
								 * distance, or NULL */
} AttentionText;

typedef struct AttentionSlopes
{
	Rows		queries;		/* written */
	Rows		keys;
	Rows		values;
	Real	   *bias;			/* added to */
} AttentionSlopes;

/* Numbers of scratch for texts of up to "tokens". */
extern size_t attention_train_scratch(int tokens);
extern bool attention_train(const Workshop *shop, const AttentionShape *shape,
							const AttentionText *text, Rows result,
							Real *scratch);
extern bool attention_backward(const Workshop *shop,
							   const AttentionShape *shape,
							   const AttentionText *text, Rows result_slope,
							   const AttentionSlopes *slopes, Real *scratch);

/* The pooling of a text's rows; and the slopes of all its rows. */
extern void pooling_forward(Pooling pooling, int dims, int rows, int skip,
							Rows x, Real *to);
extern void pooling_backward(Pooling pooling, int dims, int rows, int skip,
							 Rows x, const Real *slope, Rows x_slope);

#endif							/* NETWORK_BACKWARD_H */
