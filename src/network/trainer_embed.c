/*-------------------------------------------------------------------------
 *
 * trainer_embed.c
 *	  The embeddings of tokens, forward and backward, and what layers take of
 *	  the weights.
 *
 *-------------------------------------------------------------------------
 */
#include "network/trainer_run.h"

#include <limits.h>
#include <math.h>
#include <string.h>

/* A tensor of the model, or NULL. */
static float *
model_tensor(const Trainer *trainer, TensorRole role)
{
	const TrainerPlan *plan = &trainer->plan;

	return plan->model.model[role].bytes == 0 ? NULL
		: trainer->weights + plan->model_offset[role];
}

/* Its gradient, or NULL if it does not move. */
static float *
model_slope(const Trainer *trainer, TensorRole role)
{
	const TrainerPlan *plan = &trainer->plan;
	size_t		begin = trainer_moving_begin(plan);

	if (plan->settings.mode == TRAINER_LOW_RANK ||
		plan->model.model[role].bytes == 0 || plan->model_offset[role] < begin)
		return NULL;
	return trainer->gradient + plan->model_offset[role] - begin;
}

/* The rows of the tables that make one token's embedding. */
typedef struct TokenRows
{
	size_t		word;
	size_t		place;
	size_t		type;
} TokenRows;

/* Of a group, token by token; "counted" is what padding leaves out. */
static TokenRows
token_rows(const Trainer *trainer, size_t text_begin, size_t at, int *counted)
{
	const TransformerConfig *config = &trainer->plan.model.config;
	const TransformerBatch *batch = trainer->batch;
	TokenRows	rows = {batch->ids[at], at - text_begin,
	batch->types != NULL ? batch->types[at] : 0};

	if (at == text_begin)
		*counted = 0;
	if (config->family->positions == POSITION_TABLE_AFTER_PADDING)
		rows.place = batch->ids[at] == config->padding ? config->padding
			: config->padding + ++*counted;
	return rows;
}

/* The sums of table rows, before the norm. */
static void
sum_tables(const Trainer *trainer, const TrainerGroup *group, Rows to)
{
	const int	dims = trainer->plan.model.config.hidden;
	const size_t *offsets = trainer->batch->offsets + group->first;
	const float *words = model_tensor(trainer, TENSOR_WORDS);
	const float *places = model_tensor(trainer, TENSOR_PLACES);
	const float *types = model_tensor(trainer, TENSOR_TYPES);
	int			counted = 0;

	for (int t = 0; t < group->texts; t++)
	{
		for (size_t i = offsets[t]; i < offsets[t + 1]; i++)
		{
			TokenRows	rows = token_rows(trainer, offsets[t], i, &counted);
			float	   *x = row_of(to, i - group->begin);

			memcpy(x, words + rows.word * dims, sizeof(float) * dims);
			if (types != NULL)
				layer->add(dims, types + rows.type * dims, x);
			if (places != NULL)
				layer->add(dims, places + rows.place * dims, x);
		}
	}
}

static NormShape
norm_shape(const Trainer *trainer)
{
	const TransformerConfig *config = &trainer->plan.model.config;
	NormShape	shape = {config->family->norm_kind != NORM_LAYER,
	config->hidden, (float) config->epsilon};

	return shape;
}

static Dropout
embedding_dropout(const Trainer *trainer)
{
	LayerPass	pass = trainer->pass;

	pass.layer = -1;
	return dropout_at(&pass, trainer->plan.settings.dropout, SITE_EMBEDDINGS);
}

void
trainer_embed(const Trainer *trainer, const TrainerGroup *group, Rows to)
{
	NormShape	shape = norm_shape(trainer);

	sum_tables(trainer, group, to);
	if (trainer->plan.model.config.family->embedding_norm)
		norm_forward(&shape, group->tokens,
					 model_tensor(trainer, TENSOR_EMBEDDING_NORM),
					 model_tensor(trainer, TENSOR_EMBEDDING_NORM_BIAS), to,
					 to);
	dropout_rows(embedding_dropout(trainer), group->begin, group->tokens,
				 shape.dims, to);
}

void
trainer_embed_slope(Trainer *trainer, const TrainerGroup *group, Rows slope)
{
	const size_t *offsets = trainer->batch->offsets + group->first;
	NormShape	shape = norm_shape(trainer);
	float	   *words = model_slope(trainer, TENSOR_WORDS);
	float	   *places = model_slope(trainer, TENSOR_PLACES);
	float	   *types = model_slope(trainer, TENSOR_TYPES);
	Rows		sums = trainer->scratch.normed;
	const TransformerConfig *config = &trainer->plan.model.config;
	int64_t		padding_id = config->padding;
	bool		after_padding = config->family->positions ==
		POSITION_TABLE_AFTER_PADDING;
	int			counted = 0;

	dropout_rows(embedding_dropout(trainer), group->begin, group->tokens,
				 shape.dims, slope);
	if (trainer->plan.model.config.family->embedding_norm)
	{
		sum_tables(trainer, group, sums);
		norm_backward(&shape, group->tokens,
					  model_tensor(trainer, TENSOR_EMBEDDING_NORM), sums,
					  slope, slope,
					  model_slope(trainer, TENSOR_EMBEDDING_NORM),
					  model_slope(trainer, TENSOR_EMBEDDING_NORM_BIAS));
	}
	for (int t = 0; t < group->texts; t++)
	{
		for (size_t i = offsets[t]; i < offsets[t + 1]; i++)
		{
			TokenRows	rows = token_rows(trainer, offsets[t], i, &counted);
			const float *x = row_of(slope, i - group->begin);

			bool		padding = (int64_t) rows.word == padding_id;

			/* the padding token's row never moves: so in PyTorch */
			if (!padding)
				layer->add(shape.dims, x, words + rows.word * shape.dims);
			if (types != NULL)
				layer->add(shape.dims, x, types + rows.type * shape.dims);
			if (places != NULL && !(padding && after_padding))
				layer->add(shape.dims, x, places + rows.place * shape.dims);
		}
	}
}

/*
 * Layers
 */

LayerShape
trainer_layer_shape(const Trainer *trainer, int number)
{
	const TransformerConfig *config = &trainer->plan.model.config;
	const TransformerFamily *family = config->family;
	bool		local = config->is_local[number];
	LayerShape	shape = {config->hidden, config->units,
		family->norm_place == NORM_BEFORE, family->gated, config->activation,
	norm_shape(trainer)};

	shape.attention.heads = config->heads;
	shape.attention.key_heads = config->key_heads;
	shape.attention.head_dims = config->head_dims;
	shape.attention.scale = (float) (1 / sqrt(config->score_divisor));
	shape.attention.before = INT_MAX;
	shape.attention.after = config->causal ? 0 : INT_MAX;

	/* as in encoding: a causal window counts the query itself */
	if (local && config->causal)
		shape.attention.before = config->window - 1;
	else if (local)
		shape.attention.before = shape.attention.after = config->window / 2;
	shape.attention.dropout.share = trainer->plan.settings.attention_dropout;
	if (family->positions == POSITION_ROTARY)
		shape.rotary_half = (int) (config->head_dims *
								   config->rotary_share) / 2;
	shape.rotary_interleaved = config->rotary_interleaved;
	shape.dropout = trainer->plan.settings.dropout;
	return shape;
}

static void
low_rank_of(const Trainer *trainer, int role, int number, LowRank *change)
{
	const TrainerPlan *plan = &trainer->plan;
	size_t		at = plan->adapter_layer_floats * number +
		plan->adapter_offset[role];
	size_t		a_floats = (size_t) plan->settings.rank *
		plan->model.layer[role].columns;

	change->rank = plan->settings.rank;
	change->scale = (float) (plan->settings.rank_alpha / plan->settings.rank);
	change->a = trainer->adapters + at;
	change->b = change->a + a_floats;
	change->a_slope = trainer->gradient + at;
	change->b_slope = change->a_slope + a_floats;
}

void
trainer_layer_tensors(const Trainer *trainer, int number,
					  LayerTensors *tensors)
{
	const TrainerPlan *plan = &trainer->plan;
	size_t		begin = plan->weight_floats -
		plan->layer_floats * (plan->model.config.layers - number);

	memset(tensors, 0, sizeof(*tensors));
	tensors->norm_missing = number == 0 &&
		plan->model.config.family->first_norm_missing;
	for (int role = 0; role < TENSORS_OF_LAYER; role++)
	{
		size_t		at = begin + plan->layer_offset[role];

		if (plan->model.layer[role].bytes == 0)
			continue;
		tensors->values[role] = trainer->weights + at;
		if (plan->settings.mode == TRAINER_FULL)
			tensors->slopes[role] = trainer->gradient + at -
				trainer_moving_begin(plan);
		else if (trainer_change_floats(plan, role) > 0)
			low_rank_of(trainer, role, number, &tensors->changes[role]);
	}
}
