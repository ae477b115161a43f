/*-------------------------------------------------------------------------
 *
 * optimizer.c
 *	  From gradients to steps of the weights, as PyTorch's classes make them.
 *
 * States and weights are floats; factors that are the same for a whole tensor
 * are computed in double and rounded once, as PyTorch does.
 *
 *-------------------------------------------------------------------------
 */
#include "network/optimizer.h"

#include <float.h>
#include <math.h>
#include <string.h>

int
optimizer_of_name(const char *name)
{
	static const char *const names[] = {"adamw", "sgd", "adagrad",
	"adafactor"};

	for (int i = 0; i < 4; i++)
	{
		if (strcmp(names[i], name) == 0)
			return i;
	}
	return -1;
}

OptimizerSettings
optimizer_defaults(OptimizerKind kind)
{
	OptimizerSettings settings = {.kind = kind};

	switch (kind)
	{
		case OPTIMIZER_ADAMW:
			settings.learning_rate = 1e-3;
			settings.weight_decay = 1e-2;
			settings.beta1 = 0.9;
			settings.beta2 = 0.999;
			settings.epsilon = 1e-8;
			break;
		case OPTIMIZER_SGD:
			settings.learning_rate = 1e-3;
			break;
		case OPTIMIZER_ADAGRAD:
			settings.learning_rate = 1e-2;
			settings.epsilon = 1e-10;
			break;
		case OPTIMIZER_ADAFACTOR:
			settings.learning_rate = 1e-2;
			settings.beta2_decay = -0.8;
			settings.least_scale = 1e-3;
			settings.least_square = FLT_EPSILON;
			settings.clip = 1;
			break;
	}
	return settings;
}

size_t
optimizer_state_floats(const OptimizerSettings *settings, int rows,
					   int columns)
{
	size_t		count = (size_t) rows * columns;

	switch (settings->kind)
	{
		case OPTIMIZER_ADAMW:
			return 2 * count;
		case OPTIMIZER_SGD:
			return settings->momentum != 0 ? count : 0;
		case OPTIMIZER_ADAGRAD:
			return count;
		case OPTIMIZER_ADAFACTOR:
			break;
	}
	/* either as a matrix or, of one row, as a vector */
	return (size_t) rows + columns;
}

void
optimizer_begin(const OptimizerSettings *settings, int rows, int columns,
				float *state)
{
	size_t		count = optimizer_state_floats(settings, rows, columns);

	for (size_t i = 0; i < count; i++)
		state[i] = settings->kind == OPTIMIZER_ADAGRAD
			? (float) settings->initial_sum : 0;
}

/*
 * Steps of weights that do not depend on each other.  "first" and "second"
 * are the parts of the state that belong to them.
 */

static void
step_adamw(const OptimizerSettings *settings, const OptimizerStep *step,
		   size_t count, const float *gradient, float *weights, float *first,
		   float *second)
{
	const float factor = (float) step->gradient_factor;
	const float kept = (float) (1 - step->learning_rate * step->weight_decay);
	const float beta2 = (float) settings->beta2;
	const float rest1 = (float) (1 - settings->beta1);
	const float rest2 = (float) (1 - settings->beta2);
	const float epsilon = (float) settings->epsilon;
	const float root2 = (float) sqrt(1 - pow(settings->beta2,
											 (double) step->number));
	const float rate = (float) (step->learning_rate /
								(1 - pow(settings->beta1,
										 (double) step->number)));

	for (size_t i = 0; i < count; i++)
	{
		float		g = gradient[i] * factor;
		float		m = first[i] + rest1 * (g - first[i]);
		float		v = second[i] * beta2 + rest2 * g * g;

		first[i] = m;
		second[i] = v;
		weights[i] = weights[i] * kept -
			rate * (m / (sqrtf(v) / root2 + epsilon));
	}
}

static void
step_sgd(const OptimizerSettings *settings, const OptimizerStep *step,
		 size_t count, const float *gradient, float *weights, float *velocity)
{
	const float factor = (float) step->gradient_factor;
	const float decay = (float) step->weight_decay;
	const float rate = (float) step->learning_rate;
	const float momentum = (float) settings->momentum;
	const float share = step->number == 1 ? 1
		: (float) (1 - settings->dampening);

	for (size_t i = 0; i < count; i++)
	{
		float		g = gradient[i] * factor + decay * weights[i];

		if (momentum != 0)
		{
			velocity[i] = momentum * velocity[i] + share * g;
			g = settings->nesterov ? g + momentum * velocity[i] : velocity[i];
		}
		weights[i] -= rate * g;
	}
}

static void
step_adagrad(const OptimizerSettings *settings, const OptimizerStep *step,
			 size_t count, const float *gradient, float *weights, float *sums)
{
	const float factor = (float) step->gradient_factor;
	const float decay = (float) step->weight_decay;
	const float epsilon = (float) settings->epsilon;
	const float rate = (float) (step->learning_rate /
								(1 + (step->number - 1) *
								 settings->rate_decay));

	for (size_t i = 0; i < count; i++)
	{
		float		g = gradient[i] * factor + decay * weights[i];

		sums[i] += g * g;
		weights[i] -= rate * (g / (sqrtf(sums[i]) + epsilon));
	}
}

/* Mean squares of rows and of columns move towards those of the gradient. */
static double
follow_squares(const OptimizerSettings *settings, double share, int rows,
			   int columns, const float *gradient, float factor,
			   float *row_squares, float *column_squares)
{
	double		mean = 0;

	for (int c = 0; c < columns; c++)
		column_squares[c] *= (float) (1 - share);
	for (int r = 0; r < rows; r++)
	{
		const float *row = gradient + (size_t) r * columns;
		double		sum = 0;

		for (int c = 0; c < columns; c++)
		{
			double		square = (double) row[c] * factor * row[c] * factor;

			sum += square;
			column_squares[c] += (float) (share * square / rows);
		}
		row_squares[r] += (float) (share * (sum / columns - row_squares[r]));
		mean += row_squares[r];
	}
	mean /= rows;
	return mean > settings->least_square ? mean : settings->least_square;
}

/*
 * The update of a weight before clipping: its gradient over the estimated root
 * of its mean square.
 */
typedef struct FactoredUpdate
{
	const float *gradient;
	float		factor;
	const float *row_squares;	/* NULL: column_squares has one for each */
	const float *column_squares;
	double		mean;
	double		least;
} FactoredUpdate;

static inline float
update_of(const FactoredUpdate *update, int row, int column, size_t at)
{
	double		square = update->column_squares[column];

	if (update->row_squares != NULL)
		square = (double) update->row_squares[row] * square / update->mean;
	if (square < update->least)
		square = update->least;
	return (float) (update->gradient[at] * update->factor / sqrt(square));
}

static void
step_adafactor(const OptimizerSettings *settings, const OptimizerStep *step,
			   int rows, int columns, bool is_vector, const float *gradient,
			   float *weights, float *state)
{
	const double count = (double) rows * columns;
	const double share = pow((double) step->number, settings->beta2_decay);
	const float kept = (float) (1 - step->learning_rate * step->weight_decay);
	double		rate = 1 / sqrt((double) step->number);
	double		scale = sqrt(gradient_square((size_t) rows * columns,
											 weights) / count);
	double		square = 0;
	FactoredUpdate update = {gradient, (float) step->gradient_factor,
		is_vector ? NULL : state, is_vector ? state : state + rows, 1,
	settings->least_square * settings->least_square};

	if (step->learning_rate < rate)
		rate = step->learning_rate;
	rate *= scale > settings->least_scale ? scale : settings->least_scale;
	if (is_vector)
	{
		for (int c = 0; c < columns; c++)
		{
			float		g = gradient[c] * update.factor;

			state[c] += (float) (share * ((double) g * g - state[c]));
		}
	}
	else
		update.mean = follow_squares(settings, share, rows, columns, gradient,
									 update.factor, state, state + rows);
	for (int r = 0; r < rows; r++)
	{
		for (int c = 0; c < columns; c++)
		{
			float		u = update_of(&update, r, c, (size_t) r * columns + c);

			square += (double) u * u;
		}
	}
	square = sqrt(square / count) / settings->clip;
	rate /= square > 1 ? square : 1;
	for (int r = 0; r < rows; r++)
	{
		for (int c = 0; c < columns; c++)
		{
			size_t		at = (size_t) r * columns + c;

			weights[at] = weights[at] * kept -
				(float) rate * update_of(&update, r, c, at);
		}
	}
}

void
optimizer_step(const OptimizerSettings *settings, const OptimizerStep *step,
			   int rows, int columns, bool is_vector, const float *gradient,
			   float *weights, float *state)
{
	size_t		count = (size_t) rows * columns;

	switch (settings->kind)
	{
		case OPTIMIZER_ADAMW:
			step_adamw(settings, step, count, gradient, weights, state,
					   state + count);
			break;
		case OPTIMIZER_SGD:
			step_sgd(settings, step, count, gradient, weights, state);
			break;
		case OPTIMIZER_ADAGRAD:
			step_adagrad(settings, step, count, gradient, weights, state);
			break;
		case OPTIMIZER_ADAFACTOR:
			step_adafactor(settings, step, rows, columns, is_vector, gradient,
						   weights, state);
			break;
	}
}

bool
optimizer_step_rows(const OptimizerSettings *settings,
					const OptimizerStep *step, int table_rows, int columns,
					int count, const int32_t *rows, const float *gradient,
					float *weights, float *state)
{
	size_t		all = (size_t) table_rows * columns;

	if (settings->kind == OPTIMIZER_ADAFACTOR ||
		(settings->kind == OPTIMIZER_SGD && settings->momentum != 0))
		return false;
	for (int i = 0; i < count; i++)
	{
		size_t		at = (size_t) rows[i] * columns;
		const float *row = gradient + (size_t) i * columns;

		if (settings->kind == OPTIMIZER_ADAMW)
			step_adamw(settings, step, columns, row, weights + at, state + at,
					   state + all + at);
		else if (settings->kind == OPTIMIZER_SGD)
			step_sgd(settings, step, columns, row, weights + at, NULL);
		else
			step_adagrad(settings, step, columns, row, weights + at,
						 state + at);
	}
	return true;
}

double
gradient_square(size_t count, const float *gradient)
{
	double		sums[4] = {0};
	size_t		i = 0;

	for (; i + 4 <= count; i += 4)
	{
		for (int j = 0; j < 4; j++)
			sums[j] += (double) gradient[i + j] * gradient[i + j];
	}
	for (; i < count; i++)
		sums[0] += (double) gradient[i] * gradient[i];
	return sums[0] + sums[1] + sums[2] + sums[3];
}

/* The 1e-6 is PyTorch's. */
double
clip_factor(double norm, double most)
{
	double		factor;

	if (most <= 0)
		return 1;
	factor = most / (norm + 1e-6);
	return factor < 1 ? factor : 1;
}

int
schedule_of_name(const char *name)
{
	static const char *const names[] = {"constant", "linear", "cosine"};

	for (int i = 0; i < 3; i++)
	{
		if (strcmp(names[i], name) == 0)
			return i;
	}
	return -1;
}

double
schedule_factor(ScheduleKind kind, int64_t done, int64_t warmup, int64_t total)
{
	double		progress;

	if (done < warmup)
		return (double) done / (warmup > 1 ? warmup : 1);
	if (kind == SCHEDULE_CONSTANT)
		return 1;
	progress = (double) (done - warmup) /
		(total - warmup > 1 ? total - warmup : 1);
	if (progress > 1)
		return 0;
	if (kind == SCHEDULE_LINEAR)
		return 1 - progress;
	return 0.5 * (1 + cos(M_PI * progress));
}
