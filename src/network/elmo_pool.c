/*-------------------------------------------------------------------------
 *
 * elmo_pool.c
 *	  Vectors of texts by an ELMo in training, and the way back from them.
 *
 *-------------------------------------------------------------------------
 */
#include "network/elmo_pool.h"

#include "network/elmo_run.h"

/* What the way back looks at, layer by layer */
typedef struct Slopes
{
	const ElmoPool *pool;
	const Real *slopes;
} Slopes;

static void
fill_lanes(int lanes, int count, const Real *row, Real *to)
{
	if (row != NULL)
		train_fill_rows(lanes, count, row, to);
	else
		memset(to, 0, sizeof(Real) * (size_t) lanes * count);
}

static void
begin_states(const ElmoRun *run, const Real *start)
{
	const ElmoOptions *options = &run->trainer->parameters->options;
	int			lanes = run->trainer->lanes;
	Real	   *to = run->states;

	for (int i = 0; i < 2 * options->layers; i++)
	{
		fill_lanes(lanes, options->cells, start, to);
		to += (size_t) lanes * options->cells;
		start = start == NULL ? NULL : start + options->cells;
		fill_lanes(lanes, options->projection, start, to);
		to += (size_t) lanes * options->projection;
		start = start == NULL ? NULL : start + options->projection;
	}
}

/* The factor of a row in a layer; half: where its vector's half lies, or 0 */
static Real
factor_of(const ElmoRun *run, const ElmoPool *pool, int direction, int number,
		  int row, size_t *half)
{
	int32_t		vector = pool->vector[row % run->trainer->lanes];

	if (vector < 0)
		return 0;
	*half = (2 * (size_t) vector + (size_t) direction) * (size_t) run->dims;
	return pool->share[number] * pool->weight[direction][row];
}

static void
add_to_vectors(const ElmoRun *run, const ElmoPool *pool, int direction,
			   Real *vectors)
{
	int			layers = run->trainer->parameters->options.layers;

	for (int l = 0; l <= layers; l++)
	{
		for (int r = 0; r < run->rows; r++)
		{
			size_t		half = 0;
			Real		factor = factor_of(run, pool, direction, l, r, &half);

			if (factor != 0)
				real_add_scaled(run->dims, factor,
								run->trainer->x[l] + (size_t) r * run->dims,
								vectors + half);
		}
	}
}

static void
add_slopes(const ElmoRun *run, int direction, int number, Real *dy)
{
	const Slopes *slopes = run->argument;

	for (int r = 0; r < run->rows; r++)
	{
		size_t		half = 0;
		Real		factor = factor_of(run, slopes->pool, direction, number,
									   r, &half);

		if (factor != 0)
			real_add_scaled(run->dims, factor, slopes->slopes + half,
							dy + (size_t) r * run->dims);
	}
}

bool
elmo_pool_vectors(ElmoTrainer *trainer, const ElmoWindow *window,
				  const ElmoPool *pool, Real *weights, Real *states,
				  Real *vectors, ProductInterrupt *interrupt)
{
	ElmoRun		run = elmo_run(trainer, window, weights, states, interrupt);

	run.drops = true;
	begin_states(&run, pool->start);
	if (!elmo_run_words(&run))
		return false;
	for (int direction = 0; direction < 2; direction++)
	{
		if (!elmo_run_forward(&run, direction))
			return false;
		add_to_vectors(&run, pool, direction, vectors);
	}
	return true;
}

bool
elmo_pool_gradients(ElmoTrainer *trainer, const ElmoWindow *window,
					const ElmoPool *pool, Real *weights, Real *states,
					const Real *slopes, const ElmoParameters *moving,
					Real *gradients, ProductInterrupt *interrupt)
{
	ElmoRun		run = elmo_run(trainer, window, weights, states, interrupt);
	Slopes		argument = {pool, slopes};

	run.places = moving;
	run.gradients = gradients;
	run.drops = true;
	run.add = add_slopes;
	run.argument = &argument;
	begin_states(&run, pool->start);
	if (!elmo_run_words(&run))
		return false;
	for (int direction = 0; direction < 2; direction++)
	{
		if (!elmo_run_forward(&run, direction) ||
			!elmo_run_backward(&run, direction))
			return false;
	}
	return elmo_run_characters(&run);
}
