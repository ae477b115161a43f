/*-------------------------------------------------------------------------
 *
 * character_train.c
 *	  Forwards and backwards through the characters of words.
 *
 *-------------------------------------------------------------------------
 */
#include "network/character_train.h"

/* Whole numbers that "count" of some bytes take. */
#define REALS_OF(bytes) (((bytes) + sizeof(Real) - 1) / sizeof(Real))

size_t
character_pass_memory(CharacterPass *pass, Real *memory)
{
	const CharacterShape *shape = &pass->shape;
	size_t		words = (size_t) pass->most_words;
	int			largest = 0;
	size_t		at = 0;

	for (int i = 0; i < shape->filter_count; i++)
	{
		size_t		rows = (size_t) shape->width[i] * CHARACTER_COUNT;

		pass->table[i] = train_take(memory, &at, rows, shape->size[i]);
		pass->table_gradient[i] = train_take(memory, &at, rows,
											 shape->size[i]);
		largest = shape->size[i] > largest ? shape->size[i] : largest;
	}
	pass->window = train_take(memory, &at, 1, largest);
	pass->ids = (int16_t *)
		train_take(memory, &at,
				   REALS_OF(sizeof(int16_t) * words * shape->most), 1);
	pass->best = (int16_t *)
		train_take(memory, &at,
				   REALS_OF(sizeof(int16_t) * words * shape->features), 1);
	for (int k = 0; k <= shape->highways; k++)
		pass->x[k] = train_take(memory, &at, words, shape->features);
	for (int k = 0; k < shape->highways; k++)
	{
		pass->carry[k] = train_take(memory, &at, words, shape->features);
		pass->transform[k] = train_take(memory, &at, words, shape->features);
	}
	pass->dx = train_take(memory, &at, words, shape->features);
	pass->dcarry = train_take(memory, &at, words, shape->features);
	pass->dtransform = train_take(memory, &at, words, shape->features);
	return at;
}

/* ---------- filters ---------- */

/* What each character adds at each place of each filter. */
static bool
make_tables(CharacterPass *pass, const CharacterWeights *weights,
			const TrainWork *work)
{
	const CharacterShape *shape = &pass->shape;

	for (int i = 0; i < shape->filter_count; i++)
	{
		int			outputs = shape->size[i];
		TrainSize	size = {CHARACTER_COUNT, outputs, shape->dims};

		for (int place = 0; place < shape->width[i]; place++)
		{
			if (!train_product(work, size, weights->characters,
							   weights->filter[i] +
							   (size_t) place * shape->dims * outputs,
							   false,
							   pass->table[i] +
							   (size_t) place * CHARACTER_COUNT * outputs))
				return false;
		}
	}
	return true;
}

/* A window is the sum of a row for each of its characters. */
static void
sum_window(const CharacterPass *pass, int filter, const int16_t *ids, Real *to)
{
	int			outputs = pass->shape.size[filter];
	const Real *table = pass->table[filter];

	memcpy(to, table + (size_t) ids[0] * outputs, sizeof(Real) * outputs);
	for (int place = 1; place < pass->shape.width[filter]; place++)
	{
		const Real *row = table +
						  ((size_t) place * CHARACTER_COUNT + ids[place]) *
							  outputs;

		real_add(outputs, row, to);
	}
}

static void
filter_word(CharacterPass *pass, int filter, const int16_t *ids, int length,
			Real *to, int16_t *best)
{
	const CharacterShape *shape = &pass->shape;
	int			outputs = shape->size[filter];
	int			last = shape->most - shape->width[filter];
	int			windows = (length < last ? length : last) + 1;

	sum_window(pass, filter, ids, to);
	memset(best, 0, sizeof(int16_t) * outputs);
	for (int w = 1; w < windows; w++)
	{
		sum_window(pass, filter, ids + w, pass->window);
		for (int i = 0; i < outputs; i++)
		{
			if (pass->window[i] > to[i])
			{
				to[i] = pass->window[i];
				best[i] = (int16_t) w;
			}
		}
	}
}

static void
convolve_word(CharacterPass *pass, const CharacterWeights *weights, int number,
			  const CharacterWord *word)
{
	const CharacterShape *shape = &pass->shape;
	int16_t    *ids = pass->ids + (size_t) number * shape->most;
	Real	   *to = pass->x[0] + (size_t) number * shape->features;
	int16_t    *best = pass->best + (size_t) number * shape->features;
	int			length = character_ids(word, shape->most, ids);

	for (int i = length; i < shape->most; i++)
		ids[i] = CHARACTER_PADDING;
	for (int f = 0; f < shape->filter_count; f++)
	{
		filter_word(pass, f, ids, length, to, best);
		real_add(shape->size[f], weights->filter_bias[f], to);
		train_activate(shape->activation, shape->size[f], to);
		to += shape->size[f];
		best += shape->size[f];
	}
}

/* The gradients of features, before their activation, go to the tables. */
static void
scatter_word(CharacterPass *pass, int number,
			 const CharacterWeights *gradients)
{
	const CharacterShape *shape = &pass->shape;
	const int16_t *ids = pass->ids + (size_t) number * shape->most;
	const int16_t *best = pass->best + (size_t) number * shape->features;
	const Real *from = pass->dx + (size_t) number * shape->features;

	for (int f = 0; f < shape->filter_count; f++)
	{
		int			outputs = shape->size[f];

		real_add(outputs, from, gradients->filter_bias[f]);
		for (int place = 0; place < shape->width[f]; place++)
		{
			Real	   *table = pass->table_gradient[f] +
						 (size_t) place * CHARACTER_COUNT * outputs;

			for (int i = 0; i < outputs; i++)
				table[(size_t) ids[best[i] + place] * outputs + i] += from[i];
		}
		from += outputs;
		best += outputs;
	}
}

/* From the tables to filters and characters. */
static bool
table_gradients(CharacterPass *pass, const CharacterWeights *weights,
				const CharacterWeights *gradients, const TrainWork *work)
{
	const CharacterShape *shape = &pass->shape;

	for (int f = 0; f < shape->filter_count; f++)
	{
		int			outputs = shape->size[f];
		TrainSize	filter = {shape->dims, outputs, CHARACTER_COUNT};
		TrainSize	characters = {CHARACTER_COUNT, shape->dims, outputs};

		for (int place = 0; place < shape->width[f]; place++)
		{
			size_t		offset = (size_t) place * shape->dims * outputs;
			const Real *table = pass->table_gradient[f] +
				(size_t) place * CHARACTER_COUNT * outputs;

			if (!train_product_sum(work, filter, weights->characters, table,
								   gradients->filter[f] + offset) ||
				!train_product_back(work, characters, table,
									weights->filter[f] + offset, true,
									gradients->characters))
				return false;
		}
	}
	return true;
}

/* ---------- highways ---------- */

static bool
highway(CharacterPass *pass, const CharacterWeights *weights, int k,
		const TrainWork *work)
{
	int			features = pass->shape.features;
	size_t		count = (size_t) pass->words * features;
	TrainSize	size = {pass->words, features, features};
	const Real *x = pass->x[k];
	Real	   *to = pass->x[k + 1];
	Real	   *g = pass->carry[k];
	Real	   *t = pass->transform[k];

	train_fill_rows(pass->words, features, weights->carry_bias[k], g);
	train_fill_rows(pass->words, features, weights->transform_bias[k], t);
	if (!train_product(work, size, x, weights->carry[k], true, g) ||
		!train_product(work, size, x, weights->transform[k], true, t))
		return false;
	train_activate(ACTIVATION_SIGMOID, (int) count, g);
	train_activate(ACTIVATION_RELU, (int) count, t);
	for (size_t i = 0; i < count; i++)
		to[i] = g[i] * t[i] + (1 - g[i]) * x[i];
	return true;
}

/* dx is the gradient of what the layer gave, then that of what it took. */
static bool
highway_backward(CharacterPass *pass, const CharacterWeights *weights, int k,
				 const CharacterWeights *gradients, const TrainWork *work)
{
	int			features = pass->shape.features;
	size_t		count = (size_t) pass->words * features;
	TrainSize	back = {pass->words, features, features};
	TrainSize	sum = {features, features, pass->words};
	const Real *x = pass->x[k];
	const Real *g = pass->carry[k];
	const Real *t = pass->transform[k];
	Real	   *dx = pass->dx;

	for (size_t i = 0; i < count; i++)
	{
		pass->dcarry[i] = dx[i] * (t[i] - x[i]) * g[i] * (1 - g[i]);
		pass->dtransform[i] = t[i] > 0 ? dx[i] * g[i] : 0;
		dx[i] *= 1 - g[i];
	}
	train_add_rows(pass->words, features, pass->dcarry,
				   gradients->carry_bias[k]);
	train_add_rows(pass->words, features, pass->dtransform,
				   gradients->transform_bias[k]);
	return train_product_sum(work, sum, x, pass->dcarry,
							 gradients->carry[k]) &&
		   train_product_sum(work, sum, x, pass->dtransform,
							 gradients->transform[k]) &&
		   train_product_back(work, back, pass->dcarry, weights->carry[k],
							  true, dx) &&
		   train_product_back(work, back, pass->dtransform,
							  weights->transform[k], true, dx);
}

/* ---------- all of it ---------- */

bool
character_forward(CharacterPass *pass, const CharacterWeights *weights,
				  int words, const CharacterWord *word, Real *to,
				  const TrainWork *work)
{
	const CharacterShape *shape = &pass->shape;
	TrainSize	size = {words, shape->out, shape->features};

	pass->words = words;
	if (!make_tables(pass, weights, work))
		return false;
	for (int w = 0; w < words; w++)
	{
		convolve_word(pass, weights, w, &word[w]);
		if (product_interrupted(work->interrupt,
								(double) shape->features * shape->most))
			return false;
	}
	for (int k = 0; k < shape->highways; k++)
	{
		if (!highway(pass, weights, k, work))
			return false;
	}
	train_fill_rows(words, shape->out, weights->projection_bias, to);
	return train_product(work, size, pass->x[shape->highways],
						 weights->projection, true, to);
}

/* From the gradient of an activation's value to that of its argument. */
static void
activation_backward(const CharacterPass *pass)
{
	size_t		count = (size_t) pass->words * pass->shape.features;
	const Real *y = pass->x[0];
	Real	   *dx = pass->dx;

	if (pass->shape.activation == ACTIVATION_RELU)
	{
		for (size_t i = 0; i < count; i++)
			dx[i] = y[i] > 0 ? dx[i] : 0;
	}
	else
	{
		for (size_t i = 0; i < count; i++)
			dx[i] *= 1 - y[i] * y[i];
	}
}

bool
character_backward(CharacterPass *pass, const CharacterWeights *weights,
				   const Real *from, const CharacterWeights *gradients,
				   const TrainWork *work)
{
	const CharacterShape *shape = &pass->shape;
	TrainSize	sum = {shape->features, shape->out, pass->words};
	TrainSize	back = {pass->words, shape->features, shape->out};

	if (gradients->projection == NULL)
		return true;
	train_add_rows(pass->words, shape->out, from, gradients->projection_bias);
	if (!train_product_sum(work, sum, pass->x[shape->highways], from,
						   gradients->projection))
		return false;
	if (gradients->characters == NULL)
		return true;
	if (!train_product_back(work, back, from, weights->projection, false,
							pass->dx))
		return false;
	for (int k = shape->highways - 1; k >= 0; k--)
	{
		if (!highway_backward(pass, weights, k, gradients, work))
			return false;
	}
	activation_backward(pass);
	for (int f = 0; f < shape->filter_count; f++)
		memset(pass->table_gradient[f], 0,
			   sizeof(Real) * shape->width[f] * CHARACTER_COUNT *
			   shape->size[f]);
	for (int w = 0; w < pass->words; w++)
		scatter_word(pass, w, gradients);
	return table_gradients(pass, weights, gradients, work);
}
