/*-------------------------------------------------------------------------
 *
 * trainer_plan.c
 *	  Where every tensor of a model lies among the weights that are trained,
 *	  and what of them moves.
 *
 * The weights are floats as files have them, without gaps: first the tables of
 * embeddings and their norm, then what else belongs to the model, then layer
 * after layer, tensors in the order of TensorRole.
 *
 *-------------------------------------------------------------------------
 */
#include "network/trainer_run.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

TrainerSettings
trainer_defaults(TrainerMode mode)
{
	TrainerSettings settings = {.mode = mode, .rank = 8, .rank_alpha = 16,
		.targets = TRAINER_DEFAULT_TARGETS,
		.optimizer = optimizer_defaults(OPTIMIZER_ADAMW),
	.pooling = POOLING_MEAN};

	return settings;
}

static const struct
{
	const char *name;
	TensorRole	role;
}			target_names[] = {
	{"query", TENSOR_QUERY},
	{"key", TENSOR_KEY},
	{"value", TENSOR_VALUE},
	{"out", TENSOR_OUT},
	{"gate", TENSOR_GATE},
	{"up", TENSOR_UP},
	{"down", TENSOR_DOWN},
};

#define TARGETS ((int) (sizeof(target_names) / sizeof(target_names[0])))

uint32_t
trainer_target_of_name(const char *name)
{
	for (int i = 0; i < TARGETS; i++)
	{
		if (strcmp(target_names[i].name, name) == 0)
			return TRAINER_TARGET(target_names[i].role);
	}
	return 0;
}

static TransformerStatus __attribute__((format(printf, 3, 4)))
refuse(TrainerPlan *plan, TransformerStatus status, const char *format, ...)
{
	va_list		arguments;

	va_start(arguments, format);
	vsnprintf(plan->message, sizeof(plan->message), format, arguments);
	va_end(arguments);
	return status;
}

/* What has a forward pass only. */
static TransformerStatus
check_family(TrainerPlan *plan)
{
	const TransformerConfig *config = &plan->model.config;
	const TransformerFamily *family = config->family;
	const char *what = NULL;

	if (family->norm_place == NORM_BOTH)
		what = "norms on both sides of a part";
	else if (family->norm_kind == NORM_RMS_PLUS_ONE)
		what = "norms whose weights are stored less one";
	else if (family->positions == POSITION_ALIBI)
		what = "ALiBi positions";
	else if (family->head_norm)
		what = "norms of heads";
	else if (plan->model.model[TENSOR_PROJECTION].bytes > 0)
		what = "projected embeddings";
	else if (plan->model.weight_layers != config->layers)
		what = "layers that share weights";
	else if (config->embedding_scale != 1)
		what = "scaled embeddings";
	if (what != NULL)
		return refuse(plan, TRANSFORMER_UNKNOWN, "models of type \"%s\" cannot be trained: they have %s",
					  family->name, what);
	return TRANSFORMER_OK;
}

static TransformerStatus
check_settings(TrainerPlan *plan)
{
	TrainerSettings *settings = &plan->settings;
	uint32_t	known = 0;

	for (int i = 0; i < TARGETS; i++)
	{
		if (plan->model.layer[LAYER_ROLE(target_names[i].role)].bytes > 0)
			known |= TRAINER_TARGET(target_names[i].role);
	}
	if (settings->pooling == POOLING_NONE)
		return refuse(plan, TRANSFORMER_INVALID, "training takes one vector of each text: choose a pooling");
	if (!(settings->dropout >= 0 && settings->dropout < 1) ||
		!(settings->attention_dropout >= 0 && settings->attention_dropout < 1))
		return refuse(plan, TRANSFORMER_INVALID, "dropout must be from 0 to less than 1");
	if (settings->mode == TRAINER_FULL)
		return TRANSFORMER_OK;
	if (settings->rank < 1 || settings->rank > plan->model.config.hidden)
		return refuse(plan, TRANSFORMER_INVALID, "the rank must be from 1 to %d", plan->model.config.hidden);
	if (settings->targets == 0 || (settings->targets & ~known) != 0)
		return refuse(plan, TRANSFORMER_INVALID, "the model has no such matrices, or no targets are named");
	return TRANSFORMER_OK;
}

static bool
is_embedding(int role)
{
	return role <= TENSOR_EMBEDDING_NORM_BIAS;
}

static size_t
floats_of(const TensorPlace *place)
{
	return place->bytes == 0 ? 0 : (size_t) place->rows * place->columns;
}

TransformerStatus
trainer_make_plan(TrainerPlan *plan, const TransformerConfig *config,
			 const TrainerSettings *settings)
{
	TransformerStatus status;
	size_t		at = 0;

	memset(plan, 0, sizeof(*plan));
	plan->settings = *settings;
	status = transformer_plan(&plan->model, config, PRODUCT_FLOAT32);
	if (status != TRANSFORMER_OK)
		return refuse(plan, status, "the configuration is not complete");
	status = check_family(plan);
	if (status == TRANSFORMER_OK)
		status = check_settings(plan);
	if (status != TRANSFORMER_OK)
		return status;
	for (int role = 0; role < TENSORS_OF_MODEL; role++)
	{
		plan->model_offset[role] = at;
		at += floats_of(&plan->model.model[role]);
		if (is_embedding(role))
			plan->embedding_floats = at;
	}
	for (int role = 0; role < TENSORS_OF_LAYER; role++)
	{
		plan->layer_offset[role] = plan->layer_floats;
		plan->layer_floats += floats_of(&plan->model.layer[role]);
		plan->adapter_offset[role] = plan->adapter_layer_floats;
		plan->adapter_layer_floats += trainer_change_floats(plan, role);
	}
	plan->weight_floats = at + plan->layer_floats * config->layers;
	plan->adapter_floats = plan->adapter_layer_floats * config->layers;
	return TRANSFORMER_OK;
}

/* Where the layers begin. */
static size_t
layers_begin(const TrainerPlan *plan)
{
	return plan->weight_floats -
		plan->layer_floats * plan->model.config.layers;
}

static size_t
offset_of(const TrainerPlan *plan, int role, int layer)
{
	if (role < TENSOR_QUERY)
		return plan->model_offset[role];
	return layers_begin(plan) + plan->layer_floats * layer +
		plan->layer_offset[LAYER_ROLE(role)];
}

static const TensorPlace *
place_of(const TrainerPlan *plan, int role)
{
	return role < TENSOR_QUERY ? &plan->model.model[role]
		: &plan->model.layer[LAYER_ROLE(role)];
}

static bool
is_missing(const TrainerPlan *plan, int role, int layer)
{
	return layer == 0 && plan->model.config.family->first_norm_missing &&
		(role == TENSOR_ATTENTION_NORM || role == TENSOR_ATTENTION_NORM_BIAS);
}

/* Roles of the model, then of each layer, that have a place. */
bool
trainer_tensor(const TrainerPlan *plan, int number, TrainerTensor *tensor)
{
	int			layers = plan->model.config.layers;

	for (int layer = -1; layer < layers; layer++)
	{
		int			begin = layer < 0 ? 0 : TENSOR_QUERY;
		int			end = layer < 0 ? TENSOR_QUERY : TENSOR_QUERY_KEY_VALUE;

		for (int role = begin; role < end; role++)
		{
			const TensorPlace *place = place_of(plan, role);

			if (place->bytes == 0 || number-- > 0)
				continue;
			tensor->role = (TensorRole) role;
			tensor->layer = layer;
			tensor->rows = place->rows;
			tensor->columns = place->columns;
			tensor->is_vector = place->rows == 1 && !place->is_matrix &&
				role > TENSOR_TYPES && role != TENSOR_RELATIVE;
			tensor->is_missing = is_missing(plan, role, layer);
			tensor->offset = offset_of(plan, role, layer);
			return true;
		}
	}
	return false;
}

int
trainer_parts_of_name(const TrainerPlan *plan, const char *name, int dims,
					  const int64_t *shape, TrainerPart parts[3])
{
	TensorRole	roles[3];
	int			layer = 0;
	int			role = transformer_role_of_name(plan->model.config.family,
												name, &layer);
	int			count;
	int64_t		wanted = 0;
	int64_t		given = 1;

	if (role == -1)
		return 0;
	if (role < 0 || (role >= TENSOR_QUERY &&
					 layer >= plan->model.config.layers))
		return -1;
	count = transformer_parts_of_role((TensorRole) role, roles);
	for (int i = 0; i < count; i++)
	{
		const TensorPlace *place = place_of(plan, roles[i]);

		if (place->bytes == 0 || is_missing(plan, roles[i], layer))
			return -1;
		parts[i].offset = offset_of(plan, roles[i], layer);
		parts[i].count = floats_of(place);
		wanted += parts[i].count;
	}
	for (int i = 0; i < dims; i++)
	{
		if (shape[i] < 0 || (shape[i] > 0 && given > wanted / shape[i]))
			return -1;
		given *= shape[i];
	}
	/* columns must be those of the parts */
	if (given != wanted ||
		(dims > 1 && shape[dims - 1] != place_of(plan, roles[0])->columns))
		return -1;
	return count;
}

int
trainer_dims(const TrainerPlan *plan)
{
	return plan->model.config.hidden;
}

/*
 * What moves
 */

size_t
trainer_target_floats(const TrainerPlan *plan, int role)
{
	if (plan->settings.mode != TRAINER_LOW_RANK ||
		(plan->settings.targets & TRAINER_TARGET(role + TENSOR_QUERY)) == 0)
		return 0;
	return floats_of(&plan->model.layer[role]);
}

size_t
trainer_change_floats(const TrainerPlan *plan, int role)
{
	const TensorPlace *place = &plan->model.layer[role];

	if (trainer_target_floats(plan, role) == 0)
		return 0;
	return (size_t) plan->settings.rank * (place->rows + place->columns);
}

size_t
trainer_moving_begin(const TrainerPlan *plan)
{
	return plan->settings.embeddings_frozen ? plan->embedding_floats : 0;
}

size_t
trainer_moving_floats(const TrainerPlan *plan)
{
	if (plan->settings.mode == TRAINER_LOW_RANK)
		return plan->adapter_floats;
	return plan->weight_floats - trainer_moving_begin(plan);
}

/* Changes of a layer: A, then B, of each target. */
static bool
moving_change(const TrainerPlan *plan, int number, MovingTensor *tensor)
{
	for (int layer = 0; layer < plan->model.config.layers; layer++)
	{
		for (int role = 0; role < TENSORS_OF_LAYER; role++)
		{
			const TensorPlace *place = &plan->model.layer[role];
			int			rank = plan->settings.rank;

			if (trainer_change_floats(plan, role) == 0)
				continue;
			if (number >= 2)
			{
				number -= 2;
				continue;
			}
			memset(tensor, 0, sizeof(*tensor));
			tensor->offset = plan->adapter_layer_floats * layer +
				plan->adapter_offset[role] +
				(number == 1 ? (size_t) rank * place->columns : 0);
			tensor->rows = number == 0 ? rank : place->rows;
			tensor->columns = number == 0 ? place->columns : rank;
			return true;
		}
	}
	return false;
}

bool
trainer_moving(const TrainerPlan *plan, int number, MovingTensor *tensor)
{
	TrainerTensor weight;
	int			at = 0;

	if (plan->settings.mode == TRAINER_LOW_RANK)
		return moving_change(plan, number, tensor);
	for (int i = 0; trainer_tensor(plan, i, &weight); i++)
	{
		if (weight.offset < trainer_moving_begin(plan) || at++ < number)
			continue;
		tensor->offset = weight.offset - trainer_moving_begin(plan);
		tensor->rows = weight.rows;
		tensor->columns = weight.columns;
		tensor->is_vector = weight.is_vector;
		tensor->is_missing = weight.is_missing;
		return true;
	}
	return false;
}

size_t
trainer_state_floats(const TrainerPlan *plan)
{
	MovingTensor tensor;
	size_t		count = 0;

	for (int i = 0; trainer_moving(plan, i, &tensor); i++)
		count += optimizer_state_floats(&plan->settings.optimizer, tensor.rows,
										tensor.columns);
	return count;
}
