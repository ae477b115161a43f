/*
 * optimizer_test.c
 *	  Optimizers and schedules on small sums that can be done by hand.
 *
 * Would show: a state of the wrong size or kept wrongly between steps, rows
 * moved that have no gradient, clipping or warm-up by another rule.  That they
 * are PyTorch's, the oracle "tuning_parts" shows.
 */
#include <math.h>
#include <string.h>

#include "check.h"
#include "math/random.h"
#include "network/optimizer.h"

#define NEAR(a, b) (fabs((double) (a) - (b)) < 1e-6)

static OptimizerStep
step_of(int64_t number, double rate)
{
	OptimizerStep step = {number, rate, 0, 1};

	return step;
}

static void
by_hand(void)
{
	OptimizerSettings settings = optimizer_defaults(OPTIMIZER_SGD);
	OptimizerStep step = step_of(1, 0.1);
	float		weight = 1;
	float		gradient = 2;
	float		state[2];

	CHECK(optimizer_state_floats(&settings, 3, 4) == 0, "plain SGD's state");
	optimizer_step(&settings, &step, 1, 1, true, &gradient, &weight, NULL);
	CHECK(NEAR(weight, 0.8), "SGD: %g", weight);

	settings.momentum = 0.5;
	optimizer_begin(&settings, 1, 1, state);
	optimizer_step(&settings, &step, 1, 1, true, &gradient, &weight, state);
	step.number = 2;
	optimizer_step(&settings, &step, 1, 1, true, &gradient, &weight, state);
	CHECK(NEAR(weight, 0.8 - 0.2 - 0.3), "momentum: %g", weight);

	/* the first step of AdamW is the rate, whatever the gradient's size */
	settings = optimizer_defaults(OPTIMIZER_ADAMW);
	step = step_of(1, 0.1);
	step.gradient_factor = 1e-3;
	step.weight_decay = 0.5;
	weight = 1;
	optimizer_begin(&settings, 1, 1, state);
	optimizer_step(&settings, &step, 1, 1, true, &gradient, &weight, state);
	CHECK(NEAR(weight, 0.95 - 0.1), "AdamW: %g", weight);
	CHECK(NEAR(state[0], 2e-4), "first moment %g", state[0]);

	settings = optimizer_defaults(OPTIMIZER_ADAGRAD);
	settings.initial_sum = 5;
	step = step_of(1, 0.1);
	weight = 1;
	optimizer_begin(&settings, 1, 1, state);
	optimizer_step(&settings, &step, 1, 1, true, &gradient, &weight, state);
	CHECK(NEAR(weight, 1 - 0.1 * 2 / 3), "Adagrad: %g", weight);

	/* Adafactor's first: the gradient's sign, times rate and size of weight */
	settings = optimizer_defaults(OPTIMIZER_ADAFACTOR);
	step = step_of(1, 0.1);
	weight = 3;
	optimizer_begin(&settings, 1, 1, state);
	optimizer_step(&settings, &step, 1, 1, true, &gradient, &weight, state);
	CHECK(NEAR(weight, 3 - 0.3), "Adafactor: %g", weight);
}

/* Some rows of a table move as they would in a step of all. */
static void
rows_of_table(void)
{
	enum
	{
		ROWS = 50, COLUMNS = 13, SOME = 3
	};
	static const int32_t rows[SOME] = {7, 49, 0};
	Random		rng;

	random_seed(&rng, 1);
	for (int kind = 0; kind < 4; kind++)
	{
		OptimizerSettings settings = optimizer_defaults((OptimizerKind) kind);
		OptimizerStep step = step_of(1, 0.1);
		size_t		size = sizeof(float) *
			optimizer_state_floats(&settings, ROWS, COLUMNS);
		float	   *state = exact_alloc(size);
		float	   *sparse_state = exact_alloc(size);
		float		weights[ROWS * COLUMNS];
		float		sparse[ROWS * COLUMNS];
		float		gradient[ROWS * COLUMNS] = {0};
		float		some[SOME * COLUMNS];

		for (int i = 0; i < ROWS * COLUMNS; i++)
			weights[i] = sparse[i] = (float) random_gaussian(&rng);
		for (int i = 0; i < SOME * COLUMNS; i++)
		{
			some[i] = (float) random_gaussian(&rng);
			gradient[rows[i / COLUMNS] * COLUMNS + i % COLUMNS] = some[i];
		}
		optimizer_begin(&settings, ROWS, COLUMNS, state);
		optimizer_begin(&settings, ROWS, COLUMNS, sparse_state);
		optimizer_step(&settings, &step, ROWS, COLUMNS, false, gradient,
					   weights, state);
		if (optimizer_step_rows(&settings, &step, ROWS, COLUMNS, SOME, rows,
								some, sparse, sparse_state))
			CHECK(memcmp(weights, sparse, sizeof(weights)) == 0 &&
				  memcmp(state, sparse_state, size) == 0,
				  "rows of kind %d", kind);
		else
			CHECK(kind == OPTIMIZER_ADAFACTOR, "no rows of kind %d", kind);
		free(state);
		free(sparse_state);
	}
}

static void
schedules(void)
{
	const float gradient[] = {3, 0, 0, 0, 4};

	CHECK(NEAR(schedule_factor(SCHEDULE_LINEAR, 0, 10, 110), 0), "warm-up");
	CHECK(NEAR(schedule_factor(SCHEDULE_COSINE, 5, 10, 110), 0.5), "warm-up");
	CHECK(NEAR(schedule_factor(SCHEDULE_CONSTANT, 99, 10, 110), 1), "constant");
	CHECK(NEAR(schedule_factor(SCHEDULE_LINEAR, 60, 10, 110), 0.5), "linear");
	CHECK(NEAR(schedule_factor(SCHEDULE_LINEAR, 110, 10, 110), 0), "linear");
	CHECK(NEAR(schedule_factor(SCHEDULE_COSINE, 35, 10, 110),
			   (1 + sqrt(0.5)) / 2), "cosine");
	CHECK(NEAR(schedule_factor(SCHEDULE_LINEAR, 0, 0, 0), 1), "no steps");
	CHECK(NEAR(schedule_factor(SCHEDULE_COSINE, 9, 0, 3), 0), "too many");
	CHECK(NEAR(gradient_square(5, gradient), 25), "norm");
	CHECK(NEAR(clip_factor(5, 1), 0.2), "clipped");
	CHECK(NEAR(clip_factor(5, 6), 1), "not clipped");
	CHECK(NEAR(clip_factor(5, 0), 1), "no clipping");
	CHECK(optimizer_of_name("adafactor") == OPTIMIZER_ADAFACTOR &&
		  optimizer_of_name("adam") == -1 &&
		  schedule_of_name("cosine") == SCHEDULE_COSINE &&
		  schedule_of_name("") == -1, "names");
}

int
main(void)
{
	by_hand();
	rows_of_table();
	schedules();
	return check_result();
}
