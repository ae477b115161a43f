/*-------------------------------------------------------------------------
 *
 * transformer_encode.c
 *	  From token ids to vectors: one pass for every family.
 *
 * Texts are taken in groups of about GROUP_TOKENS tokens, one after the other
 * without padding; a longer text is a group of its own.  Products run over all
 * tokens of a group, in blocks of rows that stay in the second-level cache;
 * attention runs text by text.
 *
 * A group of up to FUSED_TOKENS computes queries, keys and values of all
 * tokens in one product.  A longer text computes keys and values first, packs
 * them for attention, and then goes through the rest of the layer block by
 * block, so that beside its own vectors it keeps nothing but keys and values
 * of one layer.  Where the pooling reads one token of each text, the last
 * layer is computed for that token only.
 *
 *-------------------------------------------------------------------------
 */
#include "network/transformer_run.h"

#include <limits.h>
#include <math.h>
#include <string.h>

/*
 * Weights
 */

static LayerWeights
weights_of_layer(const Run *run, int number)
{
	const TransformerPlan *plan = run->plan;
	const TransformerConfig *config = &plan->config;
	LayerWeights weights = {run, run->packed + plan->layers_offset, false,
							false};
	int			stored = number;

	if (plan->weight_layers != config->layers || config->layers_of_group > 1)
	{
		/* each layer of ALBERT runs through all layers of its group */
		int			outer = number / config->layers_of_group;

		stored = outer / (config->layers / config->groups) *
					 config->layers_of_group +
				 number % config->layers_of_group;
	}
	weights.base += plan->layer_bytes * stored;
	weights.is_local = config->is_local[number / config->layers_of_group];
	weights.norm_missing = number == 0 && config->family->first_norm_missing;
	return weights;
}

static const float *
floats_of(const LayerWeights *weights, TensorRole role)
{
	const TensorPlace *place = &weights->run->plan->layer[role - TENSOR_QUERY];

	return place->bytes > 0 ? (const float *) (weights->base + place->offset)
							: NULL;
}

static const float *
model_floats(const Run *run, TensorRole role)
{
	const TensorPlace *place = &run->plan->model[role];

	return place->bytes > 0 ? (const float *) (run->packed + place->offset)
							: NULL;
}

static ProductMatrix
matrix_of(const LayerWeights *weights, TensorRole role, TensorRole bias)
{
	const TransformerPlan *plan = weights->run->plan;
	const TensorPlace *place = &plan->layer[role - TENSOR_QUERY];
	ProductMatrix matrix = {plan->precision, place->columns, place->rows,
		weights->base + place->offset, floats_of(weights, bias)};

	/* queries, keys and values are one */
	if (role == TENSOR_QUERY)
		matrix.outer = plan->query_dims + 2 * plan->key_dims;
	return matrix;
}

/*
 * Norms
 */

static void
normalize_row(const Run *run, int dims, const float *x, const float *weight,
			  const float *bias, float *to)
{
	const TransformerConfig *config = &run->plan->config;

	if (config->family->norm_kind == NORM_LAYER)
		layer->norm(dims, x, weight, bias, (float) config->epsilon, to);
	else
		layer->rms_norm(dims, x, weight, (float) config->epsilon, to);
}

static void
normalize_rows(const Run *run, int rows, const float *x, const float *weight,
			   const float *bias, float *to)
{
	for (int r = 0; r < rows; r++)
		normalize_row(run, run->plan->config.hidden, x + r * run->width,
					  weight, bias, to + r * run->width);
}

/*
 * Embeddings
 */

static bool
embed_rows(const Run *run, const int32_t *ids, const uint8_t *types,
		   const int *places, int rows, float *to)
{
	const TransformerPlan *plan = run->plan;
	const TransformerConfig *config = &plan->config;
	const int	dims = config->embedding;
	const float *words = model_floats(run, TENSOR_WORDS);
	const float *place_table = model_floats(run, TENSOR_PLACES);
	const float *type_table = model_floats(run, TENSOR_TYPES);
	bool		projected = plan->model[TENSOR_PROJECTION].bytes > 0;
	size_t		stride = projected ? transformer_row_width(dims) : run->width;
	float	   *x = projected ? run->embedding : to;
	ProductMatrix matrix = {plan->precision, dims, config->hidden,
							run->packed +
								plan->model[TENSOR_PROJECTION].offset,
							model_floats(run, TENSOR_PROJECTION_BIAS)};
	ProductResult result = {to, run->width, ACTIVATION_NONE, PRODUCT_STORE};
	ProductRows values;

	for (int r = 0; r < rows; r++)
	{
		float	   *row = x + r * stride;

		memcpy(row, words + (size_t) ids[r] * dims, sizeof(float) * dims);
		if (type_table != NULL)
			layer->add(dims,
					   type_table +
						   (size_t) (types != NULL ? types[r] : 0) * dims,
					   row);
		if (place_table != NULL)
			layer->add(dims, place_table + (size_t) places[r] * dims, row);
		if (config->family->embedding_norm)
			normalize_row(run, dims, row,
						  model_floats(run, TENSOR_EMBEDDING_NORM),
						  model_floats(run, TENSOR_EMBEDDING_NORM_BIAS), row);
	}
	if (!projected)
		return true;
	values = product_rows(plan->precision, dims, rows, x, stride,
						  run->rounded);
	return product(&matrix, &values, &result, run->interrupt);
}

/* The residual of the whole group, before the first layer. */
static bool
embed_group(const Run *run)
{
	const TransformerConfig *config = &run->plan->config;
	const TransformerBatch *batch = run->batch;

	for (int t = 0; t < run->texts; t++)
	{
		size_t		begin = batch->offsets[run->first + t];
		int			count = (int) (batch->offsets[run->first + t + 1] - begin);
		int			counted = 0;

		for (int at = 0; at < count; at += BLOCK_ROWS)
		{
			int			rows = at_most(BLOCK_ROWS, count - at);
			int			places[BLOCK_ROWS];

			for (int r = 0; r < rows; r++)
			{
				places[r] = at + r;
				if (config->family->positions == POSITION_TABLE_AFTER_PADDING)
					places[r] = batch->ids[begin + at + r] == config->padding
						? config->padding : config->padding + ++counted;
			}
			if (!embed_rows(run, batch->ids + begin + at,
							batch->types != NULL ? batch->types + begin + at
												 : NULL,
							places, rows,
							run->x + (begin - run->begin + at) * run->width))
				return false;
		}
	}
	return true;
}

/*
 * Attention
 */

/* Norms and turns of the heads of a row, at this place of its text. */
static void
prepare_heads(const LayerWeights *weights, float *row, int heads,
			  TensorRole norm, size_t place)
{
	const Run  *run = weights->run;
	const TransformerConfig *config = &run->plan->config;
	int			half = (int) (config->head_dims * config->rotary_share) / 2;
	const float *turns = run->turns[weights->is_local] + place * 2 * half;

	for (int h = 0; h < heads; h++)
	{
		float	   *head = row + (size_t) h * config->head_dims;

		if (config->family->head_norm)
			layer->rms_norm(config->head_dims, head, floats_of(weights, norm),
							(float) config->epsilon, head);
		if (config->family->positions != POSITION_ROTARY)
			continue;
		if (!config->rotary_interleaved)
		{
			layer->turn(half, head, turns, turns + half);
			continue;
		}
		for (int i = 0; i < half; i++)
		{
			float		a = head[2 * i];
			float		b = head[2 * i + 1];

			head[2 * i] = a * turns[i] - b * turns[half + i];
			head[2 * i + 1] = b * turns[i] + a * turns[half + i];
		}
	}
}

static AttentionMask
mask_of_layer(const LayerWeights *weights)
{
	const TransformerConfig *config = &weights->run->plan->config;
	AttentionMask mask = {INT_MAX, config->causal ? 0 : INT_MAX};

	/*
	 * a causal window counts the query itself, another one both sides together
	 */
	if (weights->is_local && config->causal)
		mask.before = config->window - 1;
	else if (weights->is_local)
		mask.before = mask.after = config->window / 2;
	return mask;
}

/*
 * Queries of a text, from "first" on, see its keys through one head; results
 * replace the queries.
 */
static bool
attend(const LayerWeights *weights, const AttentionHead *head, int number,
	   int first, int count, float *queries, const float *bias)
{
	const Run  *run = weights->run;

	for (int at = 0; at < count; at += ATTENTION_QUERIES)
	{
		if (!attention(head, mask_of_layer(weights), bias, first + at,
					   at_most(ATTENTION_QUERIES, count - at),
					   queries + at * run->fused_width +
						   (size_t) number * head->dims,
					   run->fused_width, run->attention, run->interrupt))
			return false;
	}
	return true;
}

static float
score_scale(const Run *run)
{
	return (float) (1.0 / sqrt(run->plan->config.score_divisor));
}

/* All heads of a text whose queries, keys and values are rows of "fused". */
static bool
attend_text(const LayerWeights *weights, float *fused, int tokens, int first,
			int count, float *queries)
{
	const Run  *run = weights->run;
	const TransformerConfig *config = &run->plan->config;
	int			shared = config->heads / config->key_heads;

	for (int k = 0; k < config->key_heads; k++)
	{
		AttentionHead head = attention_head_in(tokens, config->head_dims,
											   run->heads);
		float	   *keys = fused + run->plan->query_dims +
						   (size_t) k * config->head_dims;

		attention_pack(&head, 0, tokens, keys, keys + run->plan->key_dims,
					   run->fused_width, score_scale(run));
		for (int h = k * shared; h < (k + 1) * shared; h++)
		{
			if (!attend(weights, &head, h, first, count, queries,
						transformer_bias_of_head(run, h, tokens)))
				return false;
		}
	}
	return true;
}

/*
 * The rest of a layer for a block of rows: what attention gave goes into the
 * residual, then the feed-forward part.
 */

/*
 * A product into the residual, through a norm of its own where there is one.
 */
static bool
add_product(const LayerWeights *weights, TensorRole role, TensorRole bias,
			TensorRole post_norm, int rows, const float *values, size_t stride,
			float *x)
{
	const Run  *run = weights->run;
	ProductMatrix matrix = matrix_of(weights, role, bias);
	ProductRows packed = product_rows(matrix.precision, matrix.inner, rows,
									  values, stride, run->rounded);
	ProductResult result = {x, run->width, ACTIVATION_NONE, PRODUCT_ADD};

	if (run->plan->config.family->norm_place != NORM_BOTH)
		return product(&matrix, &packed, &result, run->interrupt);
	result.to = run->normed;
	result.combine = PRODUCT_STORE;
	if (!product(&matrix, &packed, &result, run->interrupt))
		return false;
	normalize_rows(run, rows, run->normed, floats_of(weights, post_norm), NULL,
				   run->normed);
	for (int r = 0; r < rows; r++)
		layer->add(run->plan->config.hidden, run->normed + r * run->width,
				   x + r * run->width);
	return true;
}

static bool
feed_forward(const LayerWeights *weights, int rows, const float *input,
			 float *x)
{
	const Run  *run = weights->run;
	const TransformerConfig *config = &run->plan->config;
	ProductMatrix gate = matrix_of(weights, TENSOR_GATE, TENSOR_GATE_BIAS);
	ProductRows values = product_rows(gate.precision, gate.inner, rows, input,
									  run->width, run->rounded);
	ProductResult result = {run->units, run->unit_width, config->activation,
							PRODUCT_STORE};

	if (!product(&gate, &values, &result, run->interrupt))
		return false;
	if (config->family->gated)
	{
		/* gated units: Shazeer 2020 (arXiv 2002.05202) */
		ProductMatrix up = matrix_of(weights, TENSOR_UP, TENSOR_UP_BIAS);

		result.activation = ACTIVATION_NONE;
		result.combine = PRODUCT_MULTIPLY;
		if (!product(&up, &values, &result, run->interrupt))
			return false;
	}
	return add_product(weights, TENSOR_DOWN, TENSOR_DOWN_BIAS,
					   TENSOR_UNITS_POST_NORM, rows, run->units,
					   run->unit_width, x);
}

static bool
finish_rows(const LayerWeights *weights, int rows, const float *attended,
			float *x)
{
	const Run  *run = weights->run;
	bool		after = run->plan->config.family->norm_place == NORM_AFTER;
	const float *norm = floats_of(weights, TENSOR_ATTENTION_NORM);
	const float *norm_bias = floats_of(weights, TENSOR_ATTENTION_NORM_BIAS);
	const float *units_norm = floats_of(weights, TENSOR_UNITS_NORM);
	const float *units_norm_bias = floats_of(weights, TENSOR_UNITS_NORM_BIAS);
	const float *input = x;

	if (!add_product(weights, TENSOR_OUT, TENSOR_OUT_BIAS,
					 TENSOR_ATTENTION_POST_NORM, rows, attended,
					 run->fused_width, x))
		return false;
	if (after)
		normalize_rows(run, rows, x, norm, norm_bias, x);
	else
	{
		normalize_rows(run, rows, x, units_norm, units_norm_bias, run->normed);
		input = run->normed;
	}
	if (!feed_forward(weights, rows, input, x))
		return false;
	if (after)
		normalize_rows(run, rows, x, units_norm, units_norm_bias, x);
	return true;
}

/* What goes into queries, keys and values: the residual, or its norm. */
static const float *
attention_input(const LayerWeights *weights, int rows, const float *x)
{
	const Run  *run = weights->run;

	if (run->plan->config.family->norm_place == NORM_AFTER ||
		weights->norm_missing)
		return x;
	normalize_rows(run, rows, x, floats_of(weights, TENSOR_ATTENTION_NORM),
				   floats_of(weights, TENSOR_ATTENTION_NORM_BIAS),
				   run->normed);
	return run->normed;
}

/* Some of queries, keys and values: columns "first" to "end" of the three. */
static bool
project(const LayerWeights *weights, int rows, const float *x, int first,
		int end, float *to)
{
	const Run  *run = weights->run;
	const float *input = attention_input(weights, rows, x);
	ProductMatrix matrix = matrix_of(weights, TENSOR_QUERY, TENSOR_QUERY_BIAS);
	ProductRows values = product_rows(matrix.precision, matrix.inner, rows,
									  input, run->width, run->rounded);
	ProductResult result = {to + first, run->fused_width, ACTIVATION_NONE,
							PRODUCT_STORE};
	int			columns = product_panel_columns(matrix.precision);

	return product_of_panels(&matrix, first / columns, (end - first) / columns,
							 &values, &result, run->interrupt);
}

/*
 * Layers
 */

/* Heads of queries or keys of rows that are places first, first + 1 ... */
static void
prepare_rows(const LayerWeights *weights, int rows, size_t first, float *fused,
			 bool queries, bool keys)
{
	const Run  *run = weights->run;
	const TransformerConfig *config = &run->plan->config;

	if (config->family->positions != POSITION_ROTARY &&
		!config->family->head_norm)
		return;
	for (int r = 0; r < rows; r++)
	{
		float	   *row = fused + r * run->fused_width;

		if (queries)
			prepare_heads(weights, row, config->heads, TENSOR_QUERY_NORM,
						  first + r);
		if (keys)
			prepare_heads(weights, row + run->plan->query_dims,
						  config->key_heads, TENSOR_KEY_NORM, first + r);
	}
}

static int
text_tokens(const Run *run, int text, int *first)
{
	const size_t *offsets = run->batch->offsets + run->first + text;

	*first = (int) (offsets[0] - run->begin);
	return (int) (offsets[1] - offsets[0]);
}

/* A layer over all tokens of a group of short texts. */
static bool
layer_of_group(const LayerWeights *weights)
{
	const Run  *run = weights->run;
	int			all = run->plan->query_dims + 2 * run->plan->key_dims;
	int			blocks = (run->tokens + BLOCK_ROWS - 1) / BLOCK_ROWS;

	for (int block = 0; block < blocks; block++)
	{
		int			row = (int) ((int64_t) run->tokens * block / blocks);
		int			rows =
					(int) ((int64_t) run->tokens * (block + 1) / blocks) - row;

		if (!project(weights, rows, run->x + row * run->width, 0, all,
					 run->fused + row * run->fused_width))
			return false;
	}
	for (int t = 0; t < run->texts; t++)
	{
		int			first;
		int			count = text_tokens(run, t, &first);
		float	   *fused = run->fused + first * run->fused_width;

		prepare_rows(weights, count, 0, fused, true, true);
		if (!attend_text(weights, fused, count, 0, count, fused))
			return false;
	}
	for (int block = 0; block < blocks; block++)
	{
		int			row = (int) ((int64_t) run->tokens * block / blocks);
		int			rows =
					(int) ((int64_t) run->tokens * (block + 1) / blocks) - row;

		if (!finish_rows(weights, rows, run->fused + row * run->fused_width,
						 run->x + row * run->width))
			return false;
	}
	return true;
}

/*
 * The last layer where one token of each text is wanted, whose rows become
 * the first of the residual, in the texts' order.
 */
static bool
last_layer_of_group(const LayerWeights *weights, bool last_token)
{
	const Run  *run = weights->run;
	int			queries = run->plan->query_dims;
	int			all = queries + 2 * run->plan->key_dims;

	for (int row = 0; row < run->tokens; row += BLOCK_ROWS)
	{
		if (!project(weights, at_most(BLOCK_ROWS, run->tokens - row),
					 run->x + row * run->width, queries, all,
					 run->fused + row * run->fused_width))
			return false;
	}
	for (int t = 0; t < run->texts; t++)
	{
		int			first;
		int			count = text_tokens(run, t, &first);
		int			place = last_token ? count - 1 : 0;
		float	   *fused = run->fused + first * run->fused_width;

		/*
		 * the wanted row of the residual moves up; no text begins before its
		 * number
		 */
		if (first + place != t)
			memmove(run->x + t * run->width,
					run->x + (first + place) * run->width,
					sizeof(float) * run->plan->config.hidden);
		prepare_rows(weights, count, 0, fused, false, true);
	}
	for (int t = 0; t < run->texts; t++)
	{
		int			first;
		int			count = text_tokens(run, t, &first);
		int			place = last_token ? count - 1 : 0;
		float	   *fused = run->fused + first * run->fused_width;
		float	   *query = fused + place * run->fused_width;

		if (!project(weights, 1, run->x + t * run->width, 0, queries, query))
			return false;
		prepare_rows(weights, 1, place, query, true, false);
		if (!attend_text(weights, fused, count, place, 1, query))
			return false;
		/*
		 * queries of texts before this one are at rows at or after their
		 * number
		 */
		if (first + place != t)
			memmove(run->fused + t * run->fused_width, query,
					sizeof(float) * queries);
	}
	for (int t = 0; t < run->texts; t += BLOCK_ROWS)
	{
		if (!finish_rows(weights, at_most(BLOCK_ROWS, run->texts - t),
						 run->fused + t * run->fused_width,
						 run->x + t * run->width))
			return false;
	}
	return true;
}

static AttentionHead
long_head(const Run *run, int number)
{
	int			dims = run->plan->config.head_dims;
	size_t		floats = aligned(sizeof(float) *
								 attention_head_floats(run->tokens, dims)) /
						 sizeof(float);

	return attention_head_in(run->tokens, dims, run->heads + number * floats);
}

/* A layer of one long text: all tokens, or the one at place "only". */
static bool
layer_of_long_text(const LayerWeights *weights, int only)
{
	const Run  *run = weights->run;
	const TransformerConfig *config = &run->plan->config;
	int			queries = run->plan->query_dims;
	int			all = queries + 2 * run->plan->key_dims;
	int			shared = config->heads / config->key_heads;
	int			begin = only >= 0 ? only : 0;
	int			end = only >= 0 ? only + 1 : run->tokens;

	for (int row = 0; row < run->tokens; row += BLOCK_ROWS)
	{
		int			rows = at_most(BLOCK_ROWS, run->tokens - row);

		if (!project(weights, rows, run->x + row * run->width, queries, all,
					 run->fused))
			return false;
		prepare_rows(weights, rows, row, run->fused, false, true);
		for (int k = 0; k < config->key_heads; k++)
		{
			AttentionHead head = long_head(run, k);
			float	   *keys = run->fused + queries +
							   (size_t) k * config->head_dims;

			attention_pack(&head, row, rows, keys, keys + run->plan->key_dims,
						   run->fused_width, score_scale(run));
		}
	}
	for (int row = begin; row < end; row += BLOCK_ROWS)
	{
		int			rows = at_most(BLOCK_ROWS, end - row);

		if (!project(weights, rows, run->x + row * run->width, 0, queries,
					 run->fused))
			return false;
		prepare_rows(weights, rows, row, run->fused, true, false);
		for (int h = 0; h < config->heads; h++)
		{
			AttentionHead head = long_head(run, h / shared);

			if (!attend(weights, &head, h, row, rows, run->fused,
						transformer_bias_of_head(run, h, run->tokens)))
				return false;
		}
		if (!finish_rows(weights, rows, run->fused, run->x + row * run->width))
			return false;
	}
	if (only > 0)
		memcpy(run->x, run->x + only * run->width,
			   sizeof(float) * config->hidden);
	return true;
}

/*
 * Groups
 */

/* The final norm of rows, and what becomes of them. */
static void
deliver_group(const Run *run, bool all_layers, bool one_row_each)
{
	const TransformerConfig *config = &run->plan->config;
	const TransformerOutput *output = run->output;
	int			rows = one_row_each ? run->texts : run->tokens;

	if (config->family->final_norm && all_layers)
		normalize_rows(run, rows, run->x, model_floats(run, TENSOR_FINAL_NORM),
					   model_floats(run, TENSOR_FINAL_NORM_BIAS), run->x);
	for (int t = 0; t < run->texts; t++)
	{
		int			first;
		int			count = text_tokens(run, t, &first);
		float	   *to = output->to +
						 (size_t) (run->first + t) * config->hidden;

		if (output->pooling == POOLING_NONE)
		{
			to = output->to + (run->begin - run->batch->offsets[0] + first) *
								  config->hidden;
			for (int r = 0; r < count; r++)
			{
				memcpy(to + (size_t) r * config->hidden,
					   run->x + (first + r) * run->width,
					   sizeof(float) * config->hidden);
				if (output->normalize)
					pooling_normalize(config->hidden,
									  to + (size_t) r * config->hidden);
			}
			continue;
		}
		if (one_row_each)
			memcpy(to, run->x + t * run->width,
				   sizeof(float) * config->hidden);
		else
			pooling_of_rows(output->pooling, config->hidden, count,
							output->skip, run->x + first * run->width,
							run->width, to);
		if (output->normalize)
			pooling_normalize(config->hidden, to);
	}
}

static bool
encode_group(Run *run)
{
	const TransformerConfig *config = &run->plan->config;
	int			all = config->layers * config->layers_of_group;
	int			layers = run->output->layer < 0 ||
								 run->output->layer > config->layers
							 ? all
							 : run->output->layer * config->layers_of_group;
	bool		one = run->output->pooling == POOLING_CLS ||
					  run->output->pooling == POOLING_LAST;
	bool		is_long = run->tokens > FUSED_TOKENS;

	if (!embed_group(run))
		return false;
	for (int l = 0; l < layers; l++)
	{
		LayerWeights weights = weights_of_layer(run, l);
		bool		last = one && l == layers - 1;
		bool		last_token = run->output->pooling == POOLING_LAST;
		bool		done;

		if (is_long)
			done = layer_of_long_text(&weights,
									  last ? (last_token ? run->tokens - 1 : 0)
										   : -1);
		else
			done = last ? last_layer_of_group(&weights, last_token)
						: layer_of_group(&weights);
		if (!done)
			return false;
	}
	deliver_group(run, layers == all, one && layers > 0);
	return true;
}

int
transformer_most_tokens(const TransformerPlan *plan)
{
	const TransformerConfig *config = &plan->config;

	if (config->family->positions == POSITION_TABLE)
		return config->places;
	if (config->family->positions == POSITION_TABLE_AFTER_PADDING)
		return config->places - config->padding - 1;
	return INT_MAX;
}

/* Everything that is used as an index is in bounds. */
static bool
batch_is_valid(const TransformerPlan *plan, const TransformerBatch *batch)
{
	const TransformerConfig *config = &plan->config;

	for (int t = 0; t < batch->texts; t++)
	{
		size_t		count = batch->offsets[t + 1] - batch->offsets[t];

		if (batch->offsets[t + 1] <= batch->offsets[t] ||
			count > (size_t) transformer_most_tokens(plan) ||
			count > INT_MAX / 4)
			return false;
	}
	for (size_t i = batch->offsets[0]; i < batch->offsets[batch->texts]; i++)
	{
		if (batch->ids[i] < 0 || batch->ids[i] >= config->vocabulary)
			return false;
		if (batch->types != NULL && config->family->types &&
			config->types > 0 && batch->types[i] >= config->types)
			return false;
	}
	return true;
}

TransformerStatus
transformer_encode(const TransformerPlan *plan, const void *packed,
				   const TransformerBatch *batch,
				   const TransformerOutput *output, void *scratch,
				   ProductInterrupt *interrupt)
{
	Run			run = {plan, packed, batch, output, interrupt};
	size_t		longest = 0;

	if (batch->texts == 0)
		return TRANSFORMER_OK;
	if (!batch_is_valid(plan, batch))
		return TRANSFORMER_INVALID;
	for (int t = 0; t < batch->texts; t++)
	{
		size_t		count = batch->offsets[t + 1] - batch->offsets[t];

		longest = count > longest ? count : longest;
	}
	transformer_divide_scratch(&run, longest, scratch);
	transformer_fill_positions(&run, longest);
	while (run.first < batch->texts)
	{
		run.begin = batch->offsets[run.first];
		run.texts = 1;
		while (run.first + run.texts < batch->texts &&
			   batch->offsets[run.first + run.texts + 1] - run.begin <=
				   GROUP_TOKENS)
			run.texts++;
		run.tokens = (int) (batch->offsets[run.first + run.texts] - run.begin);
		if (!encode_group(&run))
			return TRANSFORMER_STOPPED;
		run.first += run.texts;
	}
	return TRANSFORMER_OK;
}
