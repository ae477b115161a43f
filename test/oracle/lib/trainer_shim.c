/*-------------------------------------------------------------------------
 *
 * trainer_shim.c
 *	  The trainer of the pure core as a shared object that trainer.py and the
 *	  benchmark of tuning call.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "network/trainer.h"

typedef struct Shim
{
	TransformerConfig config;
	TrainerSettings settings;
	TrainerPlan plan;
	float	   *weights;
	void	   *memory;
	Trainer    *trainer;
	TransformerBatch batch;
	char		message[TRANSFORMER_MESSAGE];
} Shim;

Shim *
tune_begin(const char *model_type)
{
	Shim	   *shim = calloc(1, sizeof(*shim));

	product_init();
	if (transformer_begin(&shim->config, model_type) != TRANSFORMER_OK)
		strcpy(shim->message, shim->config.message);
	return shim;
}

void
tune_end(Shim *shim)
{
	free(shim->weights);
	free(shim->memory);
	free(shim);
}

const char *
tune_message(const Shim *shim)
{
	if (shim->message[0] != '\0')
		return shim->message;
	return shim->plan.message[0] != '\0' ? shim->plan.message
		: shim->config.message;
}

int
tune_number(Shim *shim, const char *key, double value)
{
	return transformer_number(&shim->config, key, value);
}

int
tune_text(Shim *shim, const char *key, const char *value)
{
	return transformer_text(&shim->config, key, value);
}

/* numbers: rank, alpha, targets, dropout, attention's, seed, frozen */
int
tune_plan(Shim *shim, int mode, const double *numbers, int optimizer,
		  double weight_decay, int pooling, int normalize)
{
	TransformerStatus status = transformer_finish(&shim->config);

	if (status != TRANSFORMER_OK)
		return status;
	shim->settings = trainer_defaults((TrainerMode) mode);
	shim->settings.rank = (int) numbers[0];
	shim->settings.rank_alpha = numbers[1];
	shim->settings.targets = (uint32_t) numbers[2];
	shim->settings.dropout = numbers[3];
	shim->settings.attention_dropout = numbers[4];
	shim->settings.seed = (uint64_t) numbers[5];
	shim->settings.embeddings_frozen = numbers[6] != 0;
	shim->settings.optimizer = optimizer_defaults((OptimizerKind) optimizer);
	shim->settings.optimizer.weight_decay = weight_decay;
	shim->settings.pooling = (Pooling) pooling;
	shim->settings.normalize = normalize != 0;
	status = trainer_make_plan(&shim->plan, &shim->config, &shim->settings);
	if (status == TRANSFORMER_OK)
		shim->weights = calloc(shim->plan.weight_floats, sizeof(float));
	return status;
}

uint32_t
tune_target(const char *name)
{
	return trainer_target_of_name(name);
}

/* Copies a tensor to the weights, from them, or from their gradient. */
int
tune_tensor(Shim *shim, int what, const char *name, int dims,
			const int64_t *shape, float *values)
{
	TrainerPart parts[3];
	int			count = trainer_parts_of_name(&shim->plan, name, dims, shape,
											  parts);
	size_t		ignored;

	for (int i = 0; i < count; i++)
	{
		float	   *at = shim->weights;

		if (what == 2)
			at = trainer_gradients(shim->trainer, &ignored) -
				(shim->settings.embeddings_frozen
				 ? shim->plan.embedding_floats : 0);
		at += parts[i].offset;
		memcpy(what == 0 ? at : values, what == 0 ? values : at,
			   sizeof(float) * parts[i].count);
		values += parts[i].count;
	}
	return count;
}

double
tune_memory(Shim *shim, size_t tokens, int texts, int longest, double share)
{
	TrainerNeed need = trainer_bytes(&shim->plan, tokens, texts, longest);
	size_t		bytes = need.least +
		(size_t) (share * (double) (need.best - need.least));

	free(shim->memory);
	shim->memory = NULL;
	if (posix_memalign(&shim->memory, PRODUCT_ALIGNMENT, bytes) != 0)
		return 0;
	/* what is read before it is written must show */
	memset(shim->memory, 0xFF, bytes);
	shim->trainer = trainer_begin(&shim->plan, shim->weights, tokens, texts,
								  longest, shim->memory, bytes);
	return shim->trainer == NULL ? 0 : (double) bytes;
}

int
tune_forward(Shim *shim, int texts, const int32_t *ids, const size_t *offsets,
			 const uint8_t *types, int training, float *to)
{
	shim->batch = (TransformerBatch)
	{
		texts, ids, offsets, types
	};
	return trainer_forward(shim->trainer, &shim->batch, training != 0, to,
						   NULL);
}

int
tune_backward(Shim *shim, const float *gradients)
{
	return trainer_backward(shim->trainer, gradients, NULL);
}

double
tune_gradient_square(Shim *shim)
{
	return trainer_gradient_square(shim->trainer);
}

void
tune_step(Shim *shim, double rate, double factor)
{
	trainer_step(shim->trainer, rate, factor);
}

void
tune_merge(Shim *shim)
{
	trainer_merge(shim->trainer);
}

/* Reads a change, or with "write" replaces it. */
int
tune_adapter(Shim *shim, const char *target, int layer, int write, float *a,
			 float *b)
{
	TrainerAdapter adapter;
	uint32_t	bit = trainer_target_of_name(target);
	int			role = TENSOR_QUERY;
	size_t		a_size;
	size_t		b_size;

	while (TRAINER_TARGET(role) != bit)
		role++;
	if (!trainer_adapter(shim->trainer, (TensorRole) role, layer, &adapter))
		return 0;
	a_size = sizeof(float) * adapter.rank * adapter.inputs;
	b_size = sizeof(float) * adapter.rank * adapter.outputs;
	memcpy(write ? adapter.a : a, write ? a : adapter.a, a_size);
	memcpy(write ? adapter.b : b, write ? b : adapter.b, b_size);
	return 1;
}
