/*-------------------------------------------------------------------------
 *
 * trainer.c
 *	  Forward and backward passes over batches, in the memory that there is.
 *
 * Texts go through the layers in groups of about TRAINER_GROUP_TOKENS tokens,
 * one after the other without padding.  Of each group a forward pass keeps
 * what memory allows: everything that the backward pass wants; or the inputs
 * of the layers, each of which is then computed once more (Chen et al. 2016,
 * arXiv 1604.06174); or nothing, and the whole group is computed once more.
 *
 *-------------------------------------------------------------------------
 */
#include "network/trainer_run.h"

#include <limits.h>
#include <math.h>
#include <string.h>

/*
 * Memory
 */

static Rows
take_rows(Scratch *memory, int rows, int count)
{
	size_t		stride = scratch_width(count);
	Rows		result = {scratch_floats(memory, rows, stride), stride};

	return result;
}

static LayerKept
take_kept(Scratch *memory, const TrainerPlan *plan, int tokens)
{
	const TransformerConfig *config = &plan->model.config;
	int			queries = config->heads * config->head_dims;
	int			keys = config->key_heads * config->head_dims;
	LayerKept	kept = {{NULL, 0}};

	kept.fused = take_rows(memory, tokens, queries + 2 * keys);
	kept.attended = take_rows(memory, tokens, queries);
	kept.middle = take_rows(memory, tokens, config->hidden);
	kept.gate = take_rows(memory, tokens, config->units);
	if (config->family->gated)
		kept.up = take_rows(memory, tokens, config->units);
	kept.last = take_rows(memory, tokens, config->hidden);
	return kept;
}

static void
divide_storage(const TrainerPlan *plan, KeptLevel level, int tokens,
			   Scratch *memory, GroupRows *rows)
{
	const TransformerConfig *config = &plan->model.config;

	for (int l = 0; l <= config->layers; l++)
	{
		Rows		x = take_rows(memory, tokens, config->hidden);

		if (rows != NULL)
			rows->x[l] = x;
	}
	for (int l = 0; l < config->layers && level == KEPT_ALL; l++)
	{
		LayerKept	kept = take_kept(memory, plan, tokens);

		if (rows != NULL)
			rows->kept[l] = kept;
	}
}

size_t
trainer_storage_bytes(const TrainerPlan *plan, KeptLevel level, int tokens)
{
	Scratch		memory = {NULL, 0};

	divide_storage(plan, level, tokens, &memory, NULL);
	return memory.total;
}

void
trainer_divide_storage(Trainer *trainer, const TrainerGroup *group,
					   KeptLevel level, char *storage)
{
	Scratch		memory = {storage, 0};

	divide_storage(&trainer->plan, level, group->tokens, &memory,
				   &trainer->rows);
	for (int l = 0; l < trainer->plan.model.config.layers && level != KEPT_ALL;
		 l++)
		trainer->rows.kept[l] = trainer->kept;
}

/* The most tokens of a group. */
static int
group_tokens(size_t tokens, int longest)
{
	size_t		most = tokens < TRAINER_GROUP_TOKENS ? tokens
		: TRAINER_GROUP_TOKENS;

	return (size_t) longest > most ? longest : (int) most;
}

static void
divide_scratch(Trainer *trainer, const TrainerPlan *plan, int tokens,
			   int longest, Scratch *memory)
{
	const TransformerConfig *config = &plan->model.config;
	LayerScratch *scratch = &trainer->scratch;
	int			queries = config->heads * config->head_dims;
	int			keys = config->key_heads * config->head_dims;
	size_t		biases = transformer_has_bias(&plan->model)
		? (size_t) config->heads * (2 * longest - 1) : 0;

	scratch->shop.product = scratch_floats(memory, 1, MATRIX_SCRATCH_FLOATS);
	scratch->normed = take_rows(memory, tokens, config->hidden);
	scratch->residual = take_rows(memory, tokens, config->hidden);
	scratch->units = take_rows(memory, tokens, config->units);
	scratch->units_slope = take_rows(memory, tokens, config->units);
	if (config->family->gated)
		scratch->up_slope = take_rows(memory, tokens, config->units);
	scratch->fused_slope = take_rows(memory, tokens, queries + 2 * keys);
	scratch->attended_slope = take_rows(memory, tokens, queries);
	scratch->attention = scratch_floats(memory, 1,
										attention_train_scratch(longest));
	scratch->text_bias = scratch_floats(memory, 1, biases);
	scratch->text_bias_slope = scratch_floats(memory, 1, biases);
	scratch->low_rank = scratch_floats(memory, 2 * tokens,
									   plan->settings.mode == TRAINER_LOW_RANK
									   ? plan->settings.rank : 0);
	trainer->bias = scratch_floats(memory, 1, biases);
	trainer->bias_slope = scratch_floats(memory, 1, biases);
	for (int local = 0; local < 2; local++)
		trainer->turns[local] =
			scratch_floats(memory, longest,
						   config->family->positions == POSITION_ROTARY
						   ? config->head_dims : 0);
	trainer->kept = take_kept(memory, plan, tokens);
	trainer->slope = take_rows(memory, tokens, config->hidden);
	trainer->slope_of_text = scratch_floats(memory, 1, config->hidden);
}

/* All but the storage of groups. */
static void
divide(Trainer *trainer, const TrainerPlan *plan, size_t tokens, int texts,
	   int longest, Scratch *memory)
{
	int			rows = group_tokens(tokens, longest);
	size_t		targets = 0;
	bool		steps = !plan->settings.follows;

	for (int role = 0; role < TENSORS_OF_LAYER && steps; role++)
		targets += trainer_target_floats(plan, role);
	trainer->moving_count = trainer_moving_floats(plan);
	trainer->gradient = scratch_floats(memory, 1, trainer->moving_count);
	trainer->state = scratch_floats(memory, 1,
									steps ? trainer_state_floats(plan) : 0);
	trainer->adapters = scratch_floats(memory, 1,
									   plan->settings.mode == TRAINER_LOW_RANK
									   ? plan->adapter_floats : 0);
	trainer->base = scratch_floats(memory, plan->model.config.layers, targets);
	divide_scratch(trainer, plan, rows, longest, memory);
	trainer->groups = scratch_take(memory, sizeof(TrainerGroup) * texts);
	trainer->pooled = scratch_floats(memory, texts, trainer_dims(plan));
	trainer->lengths = scratch_take(memory, sizeof(double) * texts);
	trainer->spare = scratch_take(memory,
								  trainer_storage_bytes(plan, KEPT_INPUTS,
														rows));
}

TrainerNeed
trainer_bytes(const TrainerPlan *plan, size_t tokens, int texts, int longest)
{
	Scratch		memory = {NULL, 0};
	Trainer		ignored;
	TrainerNeed need;
	size_t		of_tokens = trainer_storage_bytes(plan, KEPT_ALL, 1024);

	divide(&ignored, plan, tokens, texts, longest, &memory);
	need.least = memory.total + scratch_aligned(sizeof(Trainer));
	need.best = need.least + (tokens / 1024 + 1) * of_tokens +
		trainer_storage_bytes(plan, KEPT_ALL, longest);
	return need;
}

/*
 * Tables of positions; those that come from weights are filled at each pass.
 */
static void
fill_bias(Trainer *trainer)
{
	const TransformerConfig *config = &trainer->plan.model.config;
	const float *table = trainer->weights +
		trainer->plan.model_offset[TENSOR_RELATIVE];
	int			wide = 2 * trainer->longest - 1;

	if (!config->family->relative)
		return;
	for (int i = 0; i < wide; i++)
	{
		int			row = transformer_relative_bucket(i - trainer->longest + 1,
													  config->buckets);

		for (int h = 0; h < config->heads; h++)
			trainer->bias[h * wide + i] = table[row * config->heads + h];
	}
}

/* Slopes by distance to those of the table. */
static void
bias_slope_to_table(Trainer *trainer)
{
	const TrainerPlan *plan = &trainer->plan;
	const TransformerConfig *config = &plan->model.config;
	int			wide = 2 * trainer->longest - 1;
	float	   *slope = trainer->gradient +
		plan->model_offset[TENSOR_RELATIVE] - trainer_moving_begin(plan);

	for (int i = 0; i < wide; i++)
	{
		int			row = transformer_relative_bucket(i - trainer->longest + 1,
													  config->buckets);

		for (int h = 0; h < config->heads; h++)
			slope[row * config->heads + h] +=
				trainer->bias_slope[h * wide + i];
	}
}

Trainer *
trainer_begin(const TrainerPlan *plan, float *weights, size_t tokens,
			  int texts, int longest, void *memory, size_t bytes)
{
	Trainer    *trainer = memory;
	Scratch		parts = {(char *) memory + scratch_aligned(sizeof(Trainer)),
	scratch_aligned(sizeof(Trainer))};
	const OptimizerSettings *optimizer = &plan->settings.optimizer;
	MovingTensor tensor;
	float	   *state;

	if (bytes < trainer_bytes(plan, tokens, texts, longest).least)
		return NULL;
	memset(trainer, 0, sizeof(*trainer));
	trainer->plan = *plan;
	trainer->weights = weights;
	trainer->most_tokens = tokens;
	trainer->most_texts = texts;
	trainer->longest = longest;
	divide(trainer, plan, tokens, texts, longest, &parts);
	trainer->storage = parts.at;
	trainer->storage_bytes = bytes - parts.total;
	trainer->moving = plan->settings.mode == TRAINER_LOW_RANK
		? trainer->adapters : weights + trainer_moving_begin(plan);
	trainer->pass.seed = plan->settings.seed;
	memset(trainer->gradient, 0, sizeof(float) * trainer->moving_count);
	state = trainer->state;
	for (int i = 0; !plan->settings.follows &&
		 trainer_moving(plan, i, &tensor); i++)
	{
		optimizer_begin(optimizer, tensor.rows, tensor.columns, state);
		state += optimizer_state_floats(optimizer, tensor.rows,
										tensor.columns);
	}
	for (int local = 0; local < 2; local++)
	{
		if (plan->model.config.family->positions == POSITION_ROTARY)
			transformer_fill_turns(&plan->model.config, local != 0, longest,
								   trainer->turns[local]);
	}
	if (!plan->settings.follows)
		trainer_begin_changes(trainer);
	return trainer;
}

/*
 * Batches
 */

static bool
batch_fits(const Trainer *trainer, const TransformerBatch *batch)
{
	const TransformerConfig *config = &trainer->plan.model.config;
	size_t		begin = batch->offsets[0];
	size_t		end;
	int			most = transformer_most_tokens(&trainer->plan.model);

	if (batch->texts > trainer->most_texts)
		return false;
	end = batch->offsets[batch->texts];
	if (end - begin > trainer->most_tokens)
		return false;
	most = most < trainer->longest ? most : trainer->longest;
	for (int t = 0; t < batch->texts; t++)
	{
		if (batch->offsets[t + 1] <= batch->offsets[t] ||
			batch->offsets[t + 1] - batch->offsets[t] > (size_t) most)
			return false;
	}
	for (size_t i = begin; i < end; i++)
	{
		if (batch->ids[i] < 0 || batch->ids[i] >= config->vocabulary)
			return false;
		if (batch->types != NULL && config->family->types &&
			config->types > 0 && batch->types[i] >= config->types)
			return false;
	}
	return true;
}

static void
make_groups(Trainer *trainer)
{
	const size_t *offsets = trainer->batch->offsets;
	int			text = 0;

	trainer->group_count = 0;
	while (text < trainer->batch->texts)
	{
		TrainerGroup *group = &trainer->groups[trainer->group_count++];

		memset(group, 0, sizeof(*group));
		group->first = text;
		group->begin = offsets[text];
		do
			text++;
		while (text < trainer->batch->texts &&
			   offsets[text + 1] - group->begin <= TRAINER_GROUP_TOKENS);
		group->texts = text - group->first;
		group->tokens = (int) (offsets[text] - group->begin);
	}
}

/* The groups' storage: first inputs for all, then everything for some. */
static void
share_storage(Trainer *trainer)
{
	size_t		left = trainer->storage_bytes;
	char	   *at = trainer->storage;

	for (KeptLevel level = KEPT_INPUTS; level <= KEPT_ALL; level++)
	{
		for (int g = 0; g < trainer->group_count; g++)
		{
			TrainerGroup *group = &trainer->groups[g];
			size_t		more = trainer_storage_bytes(&trainer->plan, level,
													 group->tokens);

			if (level == KEPT_ALL)
				more -= trainer_storage_bytes(&trainer->plan, KEPT_INPUTS,
											  group->tokens);
			if (more > left || group->level + 1 != level)
				continue;
			left -= more;
			group->level = level;
		}
	}
	for (int g = 0; g < trainer->group_count; g++)
	{
		TrainerGroup *group = &trainer->groups[g];

		group->storage = at;
		if (group->level != KEPT_NOTHING)
			at += trainer_storage_bytes(&trainer->plan, group->level,
										group->tokens);
	}
}

static LayerGroup
layer_group(const Trainer *trainer, const TrainerGroup *group, int number)
{
	const TransformerConfig *config = &trainer->plan.model.config;
	LayerGroup	result = {group->texts,
		trainer->batch->offsets + group->first, group->tokens,
		trainer->turns[config->is_local[number]]};

	result.longest = trainer->longest;
	if (config->family->relative)
	{
		result.bias = trainer->bias;
		if (trainer->plan.settings.mode == TRAINER_FULL)
			result.bias_slope = trainer->bias_slope;
	}
	return result;
}

/* One layer of a group, from trainer->rows; forward or backward. */
typedef struct LayerStep
{
	LayerShape	shape;
	LayerTensors tensors;
	LayerGroup	group;
	LayerPass	pass;
} LayerStep;

static LayerStep
layer_step(const Trainer *trainer, const TrainerGroup *group, int number)
{
	LayerStep	step;

	step.shape = trainer_layer_shape(trainer, number);
	trainer_layer_tensors(trainer, number, &step.tensors);
	step.group = layer_group(trainer, group, number);
	step.pass = trainer->pass;
	step.pass.layer = number;
	return step;
}

static bool
forward_layer(Trainer *trainer, const TrainerGroup *group, int number, Rows to)
{
	LayerStep	step = layer_step(trainer, group, number);

	return layer_forward(&step.shape, &step.tensors, &step.group, &step.pass,
						 trainer->rows.x[number], &trainer->rows.kept[number],
						 to, &trainer->scratch);
}

static bool
forward_group(Trainer *trainer, const TrainerGroup *group)
{
	KeptLevel	level = group->level == KEPT_ALL ? KEPT_ALL : KEPT_INPUTS;

	trainer_divide_storage(trainer, group, level,
						   group->level == KEPT_NOTHING ? trainer->spare
						   : group->storage);
	trainer_embed(trainer, group, trainer->rows.x[0]);
	for (int l = 0; l < trainer->plan.model.config.layers; l++)
	{
		if (!forward_layer(trainer, group, l, trainer->rows.x[l + 1]))
			return false;
	}
	return true;
}

/* What is pooled: the last layer's output, or its norm. */
static Rows
final_rows(Trainer *trainer, const TrainerGroup *group)
{
	const TrainerPlan *plan = &trainer->plan;
	const TransformerConfig *config = &plan->model.config;
	NormShape	shape = trainer_layer_shape(trainer, 0).norm;
	Rows		x = trainer->rows.x[config->layers];

	if (!config->family->final_norm)
		return x;
	norm_forward(&shape, group->tokens,
				 trainer->weights + plan->model_offset[TENSOR_FINAL_NORM],
				 plan->model.model[TENSOR_FINAL_NORM_BIAS].bytes == 0 ? NULL
				 : trainer->weights +
				 plan->model_offset[TENSOR_FINAL_NORM_BIAS],
				 x, trainer->scratch.normed);
	return trainer->scratch.normed;
}

static Rows
text_rows(const Trainer *trainer, const TrainerGroup *group, int text,
		  Rows rows, int *tokens)
{
	const size_t *offsets = trainer->batch->offsets + group->first + text;
	Rows		result = {row_of(rows, offsets[0] - group->begin),
	rows.stride};

	*tokens = (int) (offsets[1] - offsets[0]);
	return result;
}

static void
pool_group(Trainer *trainer, const TrainerGroup *group)
{
	const TrainerSettings *settings = &trainer->plan.settings;
	int			dims = trainer_dims(&trainer->plan);
	Rows		rows = final_rows(trainer, group);

	for (int t = 0; t < group->texts; t++)
	{
		size_t		number = group->first + t;
		float	   *to = trainer->pooled + number * dims;
		int			tokens;
		Rows		x = text_rows(trainer, group, t, rows, &tokens);
		double		length;

		pooling_forward(settings->pooling, dims, tokens, settings->skip, x,
						to);
		if (!settings->normalize)
			continue;
		length = sqrt(real_inner(dims, to, to));
		length = length > 1e-12 ? length : 1e-12;
		trainer->lengths[number] = length;
		layer->scale(dims, (float) (1 / length), to);
	}
}

void
trainer_set_pass(Trainer *trainer, uint64_t pass)
{
	trainer->pass.pass = pass - 1;
}

TransformerStatus
trainer_forward(Trainer *trainer, const TransformerBatch *batch, bool training,
				float *embeddings, ProductInterrupt *interrupt)
{
	trainer->group_count = 0;
	if (batch->texts == 0)
		return TRANSFORMER_OK;
	if (!batch_fits(trainer, batch))
		return TRANSFORMER_INVALID;
	trainer->batch = batch;
	trainer->scratch.shop.interrupt = interrupt;
	trainer->pass.training = training;
	trainer->pass.pass++;
	make_groups(trainer);
	if (training)
		share_storage(trainer);
	fill_bias(trainer);
	for (int g = 0; g < trainer->group_count; g++)
	{
		if (!forward_group(trainer, &trainer->groups[g]))
			return TRANSFORMER_STOPPED;
		pool_group(trainer, &trainer->groups[g]);
	}
	memcpy(embeddings, trainer->pooled,
		   sizeof(float) * batch->texts * trainer_dims(&trainer->plan));
	return TRANSFORMER_OK;
}

/*
 * Backward
 */

/* Slopes of a group's embeddings to those of its last layer's output. */
static void
unpool_group(Trainer *trainer, const TrainerGroup *group,
			 const float *gradients)
{
	const TrainerPlan *plan = &trainer->plan;
	const TrainerSettings *settings = &plan->settings;
	const TransformerConfig *config = &plan->model.config;
	int			dims = trainer_dims(plan);
	Rows		rows = final_rows(trainer, group);
	NormShape	shape = trainer_layer_shape(trainer, 0).norm;
	bool		moves = settings->mode == TRAINER_FULL;
	float	   *gradient = trainer->gradient - trainer_moving_begin(plan);

	for (int t = 0; t < group->texts; t++)
	{
		size_t		number = group->first + t;
		int			tokens;
		Rows		x = text_rows(trainer, group, t, rows, &tokens);
		Rows		slope = text_rows(trainer, group, t, trainer->slope,
									  &tokens);

		memcpy(trainer->slope_of_text, gradients + number * dims,
			   sizeof(float) * dims);
		if (settings->normalize)
		{
			const float *normal = trainer->pooled + number * dims;
			double		along = real_inner(dims, normal,
										   trainer->slope_of_text);

			layer->add_scaled(dims, (float) -along, normal,
							  trainer->slope_of_text);
			layer->scale(dims, (float) (1 / trainer->lengths[number]),
						 trainer->slope_of_text);
		}
		pooling_backward(settings->pooling, dims, tokens, settings->skip, x,
						 trainer->slope_of_text, slope);
	}
	if (config->family->final_norm)
		norm_backward(&shape, group->tokens,
					  trainer->weights + plan->model_offset[TENSOR_FINAL_NORM],
					  trainer->rows.x[config->layers], trainer->slope,
					  trainer->slope, !moves ? NULL : gradient +
					  plan->model_offset[TENSOR_FINAL_NORM],
					  !moves ||
					  plan->model.model[TENSOR_FINAL_NORM_BIAS].bytes == 0
					  ? NULL : gradient +
					  plan->model_offset[TENSOR_FINAL_NORM_BIAS]);
}

static bool
backward_group(Trainer *trainer, const TrainerGroup *group,
			   const float *gradients)
{
	bool		embeddings = trainer->plan.settings.mode == TRAINER_FULL &&
		!trainer->plan.settings.embeddings_frozen;

	if (group->level == KEPT_NOTHING)
	{
		if (!forward_group(trainer, group))
			return false;
	}
	else
		trainer_divide_storage(trainer, group, group->level, group->storage);
	unpool_group(trainer, group, gradients);
	for (int l = trainer->plan.model.config.layers - 1; l >= 0; l--)
	{
		LayerStep	step;

		/* the output again, which nobody reads, lands in scratch */
		if (group->level != KEPT_ALL &&
			!forward_layer(trainer, group, l, trainer->scratch.residual))
			return false;
		step = layer_step(trainer, group, l);
		if (!layer_backward(&step.shape, &step.tensors, &step.group,
							&step.pass, trainer->rows.x[l],
							&trainer->rows.kept[l], trainer->slope,
							l > 0 || embeddings, &trainer->scratch))
			return false;
	}
	if (embeddings)
		trainer_embed_slope(trainer, group, trainer->slope);
	return true;
}

TransformerStatus
trainer_backward(Trainer *trainer, const float *gradients,
				 ProductInterrupt *interrupt)
{
	const TransformerConfig *config = &trainer->plan.model.config;
	bool		bias = config->family->relative &&
		trainer->plan.settings.mode == TRAINER_FULL;

	trainer->scratch.shop.interrupt = interrupt;
	if (bias)
		memset(trainer->bias_slope, 0, sizeof(float) * config->heads *
			   (2 * trainer->longest - 1));
	for (int g = 0; g < trainer->group_count; g++)
	{
		if (!backward_group(trainer, &trainer->groups[g], gradients))
			return TRANSFORMER_STOPPED;
	}
	if (bias)
		bias_slope_to_table(trainer);
	return TRANSFORMER_OK;
}
