/*-------------------------------------------------------------------------
 *
 * backward_attention.c
 *	  Attention of all heads over one text, forward and backward.
 *
 * Weights of ATTENTION_BLOCK queries with all keys are in memory at a time;
 * backwards they are computed again (Dao et al. 2022, arXiv 2205.14135, keep
 * their sums instead: in texts of hundreds of tokens this is a few percent of
 * a layer).
 *
 *-------------------------------------------------------------------------
 */
#include "network/backward.h"

#include <limits.h>

/* The weights of one block, as dropped, and slopes. */
typedef struct AttentionBlocks
{
	Rows		weights;
	Rows		dropped;
	Rows		slopes;
} AttentionBlocks;

size_t
attention_train_scratch(int tokens)
{
	size_t		width = ((size_t) tokens + 15) / 16 * 16;

	return 3 * width * ATTENTION_BLOCK;
}

static AttentionBlocks
blocks_in(int tokens, Real *scratch)
{
	size_t		width = ((size_t) tokens + 15) / 16 * 16;
	AttentionBlocks blocks = {{scratch, width},
		{scratch + width * ATTENTION_BLOCK, width},
		{scratch + 2 * width * ATTENTION_BLOCK, width}};

	return blocks;
}

/* Scores of keys that a query sees become weights, all others zero. */
static void
softmax_row(const AttentionShape *shape, int tokens, int place,
			const Real *bias, Real *scores)
{
	int			from = shape->before < place ? place - shape->before : 0;
	int			to = shape->after < tokens - 1 - place
		? place + shape->after + 1 : tokens;
#ifdef NETWORK_DOUBLE
	Real		largest = -INFINITY;
	Real		sum = 0;

	for (int i = from; i < to; i++)
	{
		scores[i] += bias != NULL ? bias[i - place] : 0;
		largest = scores[i] > largest ? scores[i] : largest;
	}
	for (int i = from; i < to; i++)
	{
		scores[i] = exp(scores[i] - largest);
		sum += scores[i];
	}
#else
	SoftmaxState state = SOFTMAX_BEGIN;
	Real		sum;

	layer->softmax(to - from, scores + from,
				   bias != NULL ? bias + from - place : NULL, &state);
	sum = state.sum;
#endif
	for (int i = 0; i < from; i++)
		scores[i] = 0;
	for (int i = to; i < tokens; i++)
		scores[i] = 0;
	real_scale(to - from, 1 / sum, scores + from);
}

/* The bias of a head; its middle is distance 0. */
static const Real *
bias_of(const AttentionText *text, int head)
{
	if (text->bias == NULL)
		return NULL;
	return text->bias + (size_t) head * (2 * text->tokens - 1) +
		text->tokens - 1;
}

static RealMatrix
matrix_of(Rows rows, int first, int column, bool transposed)
{
	RealMatrix	matrix = {row_of(rows, first) + column, rows.stride,
	transposed};

	return matrix;
}

/* The weights of "count" queries from "first" on, and the same dropped. */
static bool
weigh(const Workshop *shop, const AttentionShape *shape,
	  const AttentionText *text, int head, int first, int count,
	  const AttentionBlocks *blocks)
{
	const int	dims = shape->head_dims;
	const int	key = head / (shape->heads / shape->key_heads);
	const Real *bias = bias_of(text, head);

	if (!real_product(count, text->tokens, dims,
					  matrix_of(text->queries, first, head * dims, false),
					  matrix_of(text->keys, 0, key * dims, true), false,
					  blocks->weights.values, blocks->weights.stride,
					  shop->product, shop->interrupt))
		return false;
	for (int r = 0; r < count; r++)
	{
		Real	   *row = row_of(blocks->weights, r);

		real_scale(text->tokens, shape->scale, row);
		softmax_row(shape, text->tokens, first + r, bias, row);
		if (shape->dropout.share <= 0)
			continue;
		memcpy(row_of(blocks->dropped, r), row, sizeof(Real) * text->tokens);
		dropout_row(shape->dropout,
					(text->first + first + r) * shape->heads + head,
					text->tokens, row_of(blocks->dropped, r));
	}
	return true;
}

static Rows
used_weights(const AttentionShape *shape, const AttentionBlocks *blocks)
{
	return shape->dropout.share > 0 ? blocks->dropped : blocks->weights;
}

bool
attention_train(const Workshop *shop, const AttentionShape *shape,
				const AttentionText *text, Rows result, Real *scratch)
{
	const int	dims = shape->head_dims;
	AttentionBlocks blocks = blocks_in(text->tokens, scratch);

	for (int head = 0; head < shape->heads; head++)
	{
		int			key = head / (shape->heads / shape->key_heads);

		for (int first = 0; first < text->tokens; first += ATTENTION_BLOCK)
		{
			int			count = text->tokens - first;

			count = count < ATTENTION_BLOCK ? count : ATTENTION_BLOCK;
			if (!weigh(shop, shape, text, head, first, count, &blocks) ||
				!real_product(count, dims, text->tokens,
							  matrix_of(used_weights(shape, &blocks), 0, 0,
										false),
							  matrix_of(text->values, 0, key * dims, false),
							  false, row_of(result, first) + head * dims,
							  result.stride, shop->product, shop->interrupt))
				return false;
		}
	}
	return true;
}

/*
 * Slopes of weights become those of scores: weight * (slope - sum of weight *
 * slope).
 */
static void
score_slopes(const AttentionShape *shape, const AttentionText *text, int head,
			 int first, int count, const AttentionBlocks *blocks,
			 Real *bias_slope)
{
	for (int r = 0; r < count; r++)
	{
		const Real *weights = row_of(blocks->weights, r);
		Real	   *slopes = row_of(blocks->slopes, r);
		Real		sum;

		dropout_row(shape->dropout,
					(text->first + first + r) * shape->heads + head,
					text->tokens, slopes);
		sum = (Real) real_inner(text->tokens, weights, slopes);
		for (int i = 0; i < text->tokens; i++)
			slopes[i] = weights[i] * (slopes[i] - sum);
		if (bias_slope != NULL)
			real_add(text->tokens, slopes, bias_slope - (first + r));
		real_scale(text->tokens, shape->scale, slopes);
	}
}

/* A block of queries of one head. */
static bool
block_backward(const Workshop *shop, const AttentionShape *shape,
			   const AttentionText *text, int head, int first, int count,
			   Rows result_slope, const AttentionSlopes *slopes,
			   const AttentionBlocks *blocks)
{
	const int	dims = shape->head_dims;
	const int	tokens = text->tokens;
	const int	at = head * dims;
	const int	shared = shape->heads / shape->key_heads;
	const int	key_at = head / shared * dims;
	bool		again = first > 0 || head % shared != 0;
	Real	   *bias = slopes->bias == NULL ? NULL
		: slopes->bias + (size_t) head * (2 * tokens - 1) + tokens - 1;

	if (!weigh(shop, shape, text, head, first, count, blocks) ||
		!real_product(tokens, dims, count,
					  matrix_of(used_weights(shape, blocks), 0, 0, true),
					  matrix_of(result_slope, first, at, false), again,
					  slopes->values.values + key_at, slopes->values.stride,
					  shop->product, shop->interrupt) ||
		!real_product(count, tokens, dims,
					  matrix_of(result_slope, first, at, false),
					  matrix_of(text->values, 0, key_at, true), false,
					  blocks->slopes.values, blocks->slopes.stride,
					  shop->product, shop->interrupt))
		return false;
	score_slopes(shape, text, head, first, count, blocks, bias);
	return real_product(count, dims, tokens,
						matrix_of(blocks->slopes, 0, 0, false),
						matrix_of(text->keys, 0, key_at, false), false,
						row_of(slopes->queries, first) + at,
						slopes->queries.stride, shop->product,
						shop->interrupt) &&
		real_product(tokens, dims, count,
					 matrix_of(blocks->slopes, 0, 0, true),
					 matrix_of(text->queries, first, at, false), again,
					 slopes->keys.values + key_at, slopes->keys.stride,
					 shop->product, shop->interrupt);
}

bool
attention_backward(const Workshop *shop, const AttentionShape *shape,
				   const AttentionText *text, Rows result_slope,
				   const AttentionSlopes *slopes, Real *scratch)
{
	AttentionBlocks blocks = blocks_in(text->tokens, scratch);

	for (int head = 0; head < shape->heads; head++)
	{
		for (int first = 0; first < text->tokens; first += ATTENTION_BLOCK)
		{
			int			count = text->tokens - first;

			count = count < ATTENTION_BLOCK ? count : ATTENTION_BLOCK;
			if (!block_backward(shop, shape, text, head, first, count,
								result_slope, slopes, &blocks))
				return false;
		}
	}
	return true;
}
