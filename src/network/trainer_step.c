/*-------------------------------------------------------------------------
 *
 * trainer_step.c
 *	  Steps of the optimizer, and changes of low rank.
 *
 *-------------------------------------------------------------------------
 */
#include "network/trainer_run.h"

#include <math.h>
#include <string.h>

#include "math/random.h"

float *
trainer_gradients(Trainer *trainer, size_t *count)
{
	*count = trainer->moving_count;
	return trainer->gradient;
}

double
trainer_gradient_square(const Trainer *trainer)
{
	return gradient_square(trainer->moving_count, trainer->gradient);
}

int64_t
trainer_steps_done(const Trainer *trainer)
{
	return trainer->steps;
}

void
trainer_step(Trainer *trainer, double learning_rate, double gradient_factor)
{
	const TrainerPlan *plan = &trainer->plan;
	const OptimizerSettings *optimizer = &plan->settings.optimizer;
	float	   *state = trainer->state;
	MovingTensor tensor;

	trainer->steps++;
	for (int i = 0; trainer_moving(plan, i, &tensor); i++)
	{
		OptimizerStep step = {trainer->steps, learning_rate,
			tensor.is_vector ? 0 : optimizer->weight_decay, gradient_factor};

		if (!tensor.is_missing)
			optimizer_step(optimizer, &step, tensor.rows, tensor.columns,
						   tensor.is_vector, trainer->gradient + tensor.offset,
						   trainer->moving + tensor.offset, state);
		state += optimizer_state_floats(optimizer, tensor.rows,
										tensor.columns);
	}
	memset(trainer->gradient, 0, sizeof(float) * trainer->moving_count);
	trainer_add_changes(trainer);
}

void
trainer_copy_state(const Trainer *trainer, float *to)
{
	memcpy(to, trainer->moving, sizeof(float) * trainer->moving_count);
}

void
trainer_restore_state(Trainer *trainer, const float *from)
{
	memcpy(trainer->moving, from, sizeof(float) * trainer->moving_count);
	trainer_add_changes(trainer);
}

void
trainer_follow(Trainer *trainer, const float *from)
{
	if (trainer->plan.settings.mode == TRAINER_LOW_RANK)
		memcpy(trainer->moving, from, sizeof(float) * trainer->moving_count);
}

/*
 * Changes of low rank
 */

/* A matrix that changes: where it lies, and its base. */
typedef struct ChangedMatrix
{
	float	   *weights;
	float	   *base;
	TrainerAdapter adapter;
} ChangedMatrix;

static bool
changed_matrix(Trainer *trainer, int role, int layer, ChangedMatrix *changed)
{
	const TrainerPlan *plan = &trainer->plan;
	const TensorPlace *place = &plan->model.layer[role];
	size_t		targets = 0;
	size_t		before = 0;

	if (trainer_target_floats(plan, role) == 0)
		return false;
	for (int i = 0; i < TENSORS_OF_LAYER; i++)
	{
		before += i < role ? trainer_target_floats(plan, i) : 0;
		targets += trainer_target_floats(plan, i);
	}
	changed->weights = trainer->weights + plan->weight_floats -
		plan->layer_floats * (plan->model.config.layers - layer) +
		plan->layer_offset[role];
	changed->base = trainer->base + targets * layer + before;
	changed->adapter.rank = plan->settings.rank;
	changed->adapter.inputs = place->columns;
	changed->adapter.outputs = place->rows;
	changed->adapter.a = trainer->adapters +
		plan->adapter_layer_floats * layer + plan->adapter_offset[role];
	changed->adapter.b = changed->adapter.a +
		(size_t) changed->adapter.rank * changed->adapter.inputs;
	return true;
}

bool
trainer_adapter(Trainer *trainer, TensorRole role, int layer,
				TrainerAdapter *adapter)
{
	ChangedMatrix changed;

	if (role < TENSOR_QUERY || role >= TENSOR_QUERY_KEY_VALUE ||
		layer < 0 || layer >= trainer->plan.model.config.layers ||
		!changed_matrix(trainer, LAYER_ROLE(role), layer, &changed))
		return false;
	*adapter = changed.adapter;
	return true;
}

typedef void (*MatrixAction) (Trainer *trainer, ChangedMatrix *changed);

static void
for_all_changes(Trainer *trainer, MatrixAction action)
{
	for (int layer = 0; layer < trainer->plan.model.config.layers; layer++)
	{
		for (int role = 0; role < TENSORS_OF_LAYER; role++)
		{
			ChangedMatrix changed;

			if (changed_matrix(trainer, role, layer, &changed))
				action(trainer, &changed);
		}
	}
}

/*
 * A random as of Kaiming et al. 2015 (arXiv 1502.01852) in peft's form, B
 * zero.
 */
static void
begin_change(Trainer *trainer, ChangedMatrix *changed)
{
	const TrainerAdapter *adapter = &changed->adapter;
	float		bound = 1 / sqrtf((float) adapter->inputs);
	Random		random;

	random_seed_stream(&random, trainer->plan.settings.seed,
					   (uint64_t) (adapter->a - trainer->adapters));
	for (size_t i = 0; i < (size_t) adapter->rank * adapter->inputs; i++)
		adapter->a[i] = (2 * random_float(&random) - 1) * bound;
	memset(adapter->b, 0, sizeof(float) * adapter->rank * adapter->outputs);
	memcpy(changed->base, changed->weights,
		   sizeof(float) * adapter->inputs * adapter->outputs);
}

void
trainer_begin_changes(Trainer *trainer)
{
	for_all_changes(trainer, begin_change);
}

static void
add_change(Trainer *trainer, ChangedMatrix *changed)
{
	const TrainerAdapter *adapter = &changed->adapter;
	const TrainerSettings *settings = &trainer->plan.settings;
	float		factor = (float) (settings->rank_alpha / settings->rank);
	Matrix		a = {adapter->a, (size_t) adapter->inputs, false};
	Matrix		b = {adapter->b, (size_t) adapter->rank, false};
	size_t		count = (size_t) adapter->inputs * adapter->outputs;

	/* without the interrupt: it takes some milliseconds, and must be whole */
	matrix_product(adapter->outputs, adapter->inputs, adapter->rank, b, a,
				   false, changed->weights, adapter->inputs,
				   trainer->scratch.shop.product, NULL);
	for (size_t i = 0; i < count; i++)
		changed->weights[i] = changed->base[i] + factor * changed->weights[i];
}

void
trainer_add_changes(Trainer *trainer)
{
	for_all_changes(trainer, add_change);
}

static void
forget_change(Trainer *trainer, ChangedMatrix *changed)
{
	const TrainerAdapter *adapter = &changed->adapter;

	memcpy(changed->base, changed->weights,
		   sizeof(float) * adapter->inputs * adapter->outputs);
	memset(adapter->b, 0, sizeof(float) * adapter->rank * adapter->outputs);
}

void
trainer_merge(Trainer *trainer)
{
	trainer_add_changes(trainer);
	for_all_changes(trainer, forget_change);
}
