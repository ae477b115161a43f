/*-------------------------------------------------------------------------
 *
 * attention.c
 *	  Scaled dot-product attention of one head, in blocks.
 *
 * Keys are packed as columns, values as rows of panels, so that both products
 * are those of product.h: scores = queries x keys, result = weights x values.
 *
 *-------------------------------------------------------------------------
 */
#include "network/attention.h"

#include <math.h>
#include <string.h>

static int
round_up(int count, int unit)
{
	return (count + unit - 1) / unit * unit;
}

static int
at_most(int a, int b)
{
	return a < b ? a : b;
}

static int
at_least(int a, int b)
{
	return a > b ? a : b;
}

size_t
attention_head_floats(int tokens, int dims)
{
	int			columns = product_float_columns();

	return (size_t) round_up(tokens, columns) * dims +
		   (size_t) round_up(dims, columns) * tokens + 2 * PRODUCT_ALIGNMENT;
}

AttentionHead
attention_head_in(int tokens, int dims, float *block)
{
	AttentionHead head = {tokens, dims, block, block};
	size_t		keys = (size_t) round_up(tokens, product_float_columns()) *
					   dims;

	head.values += (keys + 15) / 16 * 16;
	return head;
}

void
attention_pack(const AttentionHead *head, int first, int count,
			   const float *keys, const float *values, size_t stride,
			   float scale)
{
	int			columns = product_float_columns();

	for (int i = 0; i < count; i += columns)
		layer->columns_of_rows(head->dims, at_most(columns, count - i),
							   keys + i * stride, stride, scale, columns,
							   head->keys + (size_t) (first + i) * head->dims);
	for (int d = 0; d < head->dims; d += columns)
	{
		int			width = at_most(columns, head->dims - d);
		float	   *panel = head->values + (size_t) d * head->tokens +
							(size_t) first * columns;

		for (int i = 0; i < count; i++)
		{
			memcpy(panel + i * columns, values + i * stride + d,
				   sizeof(float) * width);
			if (width < columns)
				memset(panel + i * columns + width, 0,
					   sizeof(float) * (columns - width));
		}
	}
}

size_t
attention_scratch_floats(int dims)
{
	return (size_t) ATTENTION_QUERIES *
			   round_up(dims, product_float_columns()) +
		   (size_t) product_float_rows() * (ATTENTION_KEYS + 16);
}

/* The keys of a block that a query sees. */
static void
seen(AttentionMask mask, int place, int begin, int end, int *from, int *to)
{
	*from = mask.before < place - begin ? place - mask.before : begin;
	*to = mask.after < end - 1 - place ? place + mask.after + 1 : end;
	if (*to < *from)
		*to = *from = *from > end ? end : *from;
}

/*
 * Some queries, as many as a product's kernel takes, with one block of keys.
 *
 * The union of what they see is multiplied; weights of keys that one of them
 * does not see are zero.
 */
static void
tile_with_block(const AttentionHead *head, AttentionMask mask,
				const float *bias, int place, int rows, const float *queries,
				size_t stride, int begin, int end, float *scores,
				float *results, SoftmaxState *states)
{
	const int	columns = product_float_columns();
	const int	score_stride = ATTENTION_KEYS + 16;
	const int	result_stride = round_up(head->dims, columns);
	int			from;
	int			to;
	int			ignored;
	int			first_panel;

	seen(mask, place, begin, end, &from, &ignored);
	seen(mask, place + rows - 1, begin, end, &ignored, &to);
	if (from >= to)
		return;
	first_panel = from / columns * columns;
	for (int key = first_panel; key < to; key += columns)
		product_float_tile(rows, queries, stride,
						   head->keys + (size_t) key * head->dims, head->dims,
						   scores + key - first_panel, score_stride, false);
	for (int r = 0; r < rows; r++)
	{
		float	   *row = scores + r * score_stride - first_panel;
		int			mine;
		int			end_of_mine;
		float		factor;

		seen(mask, place + r, begin, end, &mine, &end_of_mine);
		if (mine >= end_of_mine)
		{
			memset(row + from, 0, sizeof(float) * (to - from));
			continue;
		}
		memset(row + from, 0, sizeof(float) * (mine - from));
		memset(row + end_of_mine, 0, sizeof(float) * (to - end_of_mine));
		factor = layer->softmax(end_of_mine - mine, row + mine,
								bias != NULL ? bias + mine - (place + r)
											 : NULL,
								&states[r]);
		if (factor != 1)
			layer->scale(head->dims, factor, results + r * result_stride);
	}
	for (int d = 0; d < head->dims; d += columns)
		product_float_tile(rows, scores + from - first_panel, score_stride,
						   head->values + (size_t) d * head->tokens +
							   (size_t) from * columns,
						   to - from, results + d, result_stride, true);
}

bool
attention(const AttentionHead *head, AttentionMask mask, const float *bias,
		  int first, int count, float *queries, size_t stride,
		  float *scratch, ProductInterrupt *interrupt)
{
	const int	result_stride = round_up(head->dims, product_float_columns());
	const int	tiles = (count + product_float_rows() - 1) /
						product_float_rows();
	float	   *results = scratch;
	float	   *scores = scratch + (size_t) ATTENTION_QUERIES * result_stride;
	SoftmaxState states[ATTENTION_QUERIES];
	int			from;
	int			to;
	int			ignored;

	memset(results, 0, sizeof(float) * count * result_stride);
	for (int r = 0; r < count; r++)
		states[r] = SOFTMAX_BEGIN;
	seen(mask, first, 0, head->tokens, &from, &ignored);
	seen(mask, first + count - 1, 0, head->tokens, &ignored, &to);
	for (int begin = from / ATTENTION_KEYS * ATTENTION_KEYS; begin < to;
		 begin += ATTENTION_KEYS)
	{
		int			end = at_most(head->tokens, begin + ATTENTION_KEYS);

		for (int tile = 0; tile < tiles; tile++)
		{
			int			row = count * tile / tiles;
			int			rows = count * (tile + 1) / tiles - row;

			tile_with_block(head, mask, bias, first + row, rows,
							queries + row * stride, stride, at_least(begin, 0),
							end, scores, results + row * result_stride,
							states + row);
		}
		if (product_interrupted(interrupt,
								2.0 * count * (end - begin) * head->dims))
			return false;
	}
	for (int r = 0; r < count; r++)
	{
		memcpy(queries + r * stride, results + r * result_stride,
			   sizeof(float) * head->dims);
		layer->scale(head->dims, 1.0f / states[r].sum, queries + r * stride);
	}
	return true;
}
