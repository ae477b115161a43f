/*-------------------------------------------------------------------------
 *
 * elmo_parameters.c
 *	  The weights of an ELMo in training: one array, tensor after tensor.
 *
 *-------------------------------------------------------------------------
 */
#include "network/elmo_parameters.h"

#include <stdio.h>

#include "math/random.h"

/* In this order; of each filter, highway, or layer of a direction. */
enum
{
	CHARACTERS = 1,
	OF_FILTER = 2,
	OF_HIGHWAY = 4,
	OF_PROJECTION = 2,
	OF_CELLS = 3
};

static ElmoTensor *
add(ElmoParameters *parameters, int rank, int a, int b)
{
	ElmoTensor *tensor = &parameters->tensors[parameters->count++];

	memset(tensor, 0, sizeof(*tensor));
	tensor->rank = rank;
	tensor->shape[0] = a;
	tensor->shape[1] = b;
	tensor->count = (size_t) a * (size_t) (rank > 1 ? b : 1);
	tensor->offset = parameters->numbers;
	parameters->numbers += tensor->count;
	return tensor;
}

#define NAME(tensor, ...) \
	snprintf((tensor)->name, sizeof((tensor)->name), __VA_ARGS__)

static void
add_filter(ElmoParameters *parameters, int number)
{
	const ElmoOptions *options = &parameters->options;
	int			width = options->filter_width[number];
	int			size = options->filter_size[number];
	ElmoTensor *tensor = add(parameters, 2, width * options->character_dims,
							 size);

	NAME(tensor, "CNN/W_cnn_%d", number);
	tensor->rank = 4;
	tensor->shape[0] = 1;
	tensor->shape[1] = width;
	tensor->shape[2] = options->character_dims;
	tensor->shape[3] = size;
	NAME(add(parameters, 1, size, 0), "CNN/b_cnn_%d", number);
}

static void
add_highway(ElmoParameters *parameters, int number)
{
	static const char *const parts[] = {"carry", "transform"};
	int			features = parameters->options.filters;

	for (int i = 0; i < 2; i++)
	{
		NAME(add(parameters, 2, features, features), "CNN_high_%d/W_%s",
			 number, parts[i]);
		NAME(add(parameters, 1, features, 0), "CNN_high_%d/b_%s", number,
			 parts[i]);
	}
}

static void
add_cells(ElmoParameters *parameters, int direction, int layer)
{
	const ElmoOptions *options = &parameters->options;
	const char *const path = "RNN_%d/RNN/MultiRNNCell/Cell%d/LSTMCell/%s";

	NAME(add(parameters, 2, 2 * options->projection, 4 * options->cells),
		 path, direction, layer, "W_0");
	NAME(add(parameters, 1, 4 * options->cells, 0), path, direction, layer,
		 "B");
	NAME(add(parameters, 2, options->cells, options->projection), path,
		 direction, layer, "W_P_0");
}

void
elmo_parameters(ElmoParameters *parameters, const ElmoOptions *options)
{
	memset(parameters, 0, sizeof(*parameters));
	parameters->options = *options;
	NAME(add(parameters, 2, CHARACTER_COUNT, options->character_dims),
		 "char_embed");
	for (int i = 0; i < options->filter_count; i++)
		add_filter(parameters, i);
	for (int k = 0; k < options->highways; k++)
		add_highway(parameters, k);
	NAME(add(parameters, 2, options->filters, options->projection),
		 "CNN_proj/W_proj");
	NAME(add(parameters, 1, options->projection, 0), "CNN_proj/b_proj");
	for (int direction = 0; direction < 2; direction++)
	{
		for (int layer = 0; layer < options->layers; layer++)
			add_cells(parameters, direction, layer);
	}
}

CharacterShape
elmo_character_shape(const ElmoOptions *options)
{
	CharacterShape shape = {options->character_dims,
		options->most_characters,
	options->filter_count};

	for (int i = 0; i < options->filter_count; i++)
	{
		shape.width[i] = options->filter_width[i];
		shape.size[i] = options->filter_size[i];
	}
	shape.features = options->filters;
	shape.highways = options->highways;
	shape.out = options->projection;
	shape.activation = options->activation == ELMO_RELU ? ACTIVATION_RELU :
		ACTIVATION_TANH;
	return shape;
}

static bool
begins_with(const ElmoTensor *tensor, const char *text)
{
	return strncmp(tensor->name, text, strlen(text)) == 0;
}

static bool
moves(const ElmoTensor *tensor, ElmoMoving which)
{
	switch (which)
	{
		case ELMO_PROJECTIONS:
			return begins_with(tensor, "CNN_proj/") ||
				   name_ends_with(tensor->name, "/W_P_0");
		case ELMO_LAYERS:
			return begins_with(tensor, "RNN_");
		case ELMO_ALL:
			return true;
	}
	return false;
}

void
elmo_moving_parameters(ElmoParameters *moving, const ElmoParameters *all,
					   ElmoMoving which)
{
	*moving = *all;
	moving->numbers = 0;
	for (int i = 0; i < moving->count; i++)
	{
		ElmoTensor *tensor = &moving->tensors[i];

		tensor->offset = ELMO_FIXED;
		if (!moves(tensor, which))
			continue;
		tensor->offset = moving->numbers;
		moving->numbers += tensor->count;
	}
}

static Real *
place_of(Real *array, const ElmoTensor *tensor)
{
	return tensor->offset == ELMO_FIXED ? NULL : array + tensor->offset;
}

static Real
clip_of(double clip)
{
	return clip > 0 ? (Real) clip : (Real) INFINITY;
}

LstmShape
elmo_lstm_shape(const ElmoOptions *options, int layer)
{
	LstmShape	shape = {options->projection, options->cells,
	options->projection};

	shape.cell_clip = clip_of(options->cell_clip);
	shape.out_clip = clip_of(options->projection_clip);
	shape.add_input = options->skip_connections && layer > 0;
	return shape;
}

CharacterWeights
elmo_character_weights(const ElmoParameters *parameters, Real *array)
{
	const ElmoOptions *options = &parameters->options;
	const ElmoTensor *tensor = parameters->tensors;
	CharacterWeights weights;

	weights.characters = place_of(array, tensor++);
	for (int i = 0; i < options->filter_count; i++)
	{
		weights.filter[i] = place_of(array, tensor++);
		weights.filter_bias[i] = place_of(array, tensor++);
	}
	for (int k = 0; k < options->highways; k++)
	{
		weights.carry[k] = place_of(array, tensor++);
		weights.carry_bias[k] = place_of(array, tensor++);
		weights.transform[k] = place_of(array, tensor++);
		weights.transform_bias[k] = place_of(array, tensor++);
	}
	weights.projection = place_of(array, tensor++);
	weights.projection_bias = place_of(array, tensor++);
	return weights;
}

LstmGradients
elmo_lstm_weights(const ElmoParameters *parameters, Real *array,
				  int direction, int layer)
{
	const ElmoOptions *options = &parameters->options;
	const ElmoTensor *tensor = &parameters->tensors[
		CHARACTERS + OF_FILTER * options->filter_count +
		OF_HIGHWAY * options->highways + OF_PROJECTION +
		OF_CELLS * (direction * options->layers + layer)];
	LstmGradients weights = {place_of(array, &tensor[0]),
		place_of(array, &tensor[1]),
	place_of(array, &tensor[2])};

	return weights;
}

/* ---------- first weights ---------- */

static void
fill_uniform(Random *random, double most, size_t count, Real *to)
{
	for (size_t i = 0; i < count; i++)
		to[i] = (Real) (most * (2 * random_double(random) - 1));
}

static void
fill_tensor(const ElmoTensor *tensor, Random *random, Real *to)
{
	double		inputs = tensor->shape[0];

	if (tensor->rank == 1)
	{
		bool		is_gate = strstr(tensor->name, "/b_carry") != NULL;

		for (size_t i = 0; i < tensor->count; i++)
			to[i] = is_gate ? -2 : 0;
	}
	else if (begins_with(tensor, "char_embed"))
		fill_uniform(random, 1, tensor->count, to);
	else if (begins_with(tensor, "CNN/"))
		fill_uniform(random, 0.05, tensor->count, to);
	else if (begins_with(tensor, "RNN_"))
		fill_uniform(random, sqrt(6 / (inputs + tensor->shape[1])),
					 tensor->count, to);
	else
	{
		for (size_t i = 0; i < tensor->count; i++)
			to[i] = (Real) (random_gaussian(random) / sqrt(inputs));
	}
}

void
elmo_first_weights(const ElmoParameters *parameters, int number, uint64_t seed,
				   Real *array)
{
	const ElmoTensor *tensor = &parameters->tensors[number];
	Random		random;

	random_seed_stream(&random, seed, (uint64_t) number + 1);
	fill_tensor(tensor, &random, array + tensor->offset);
}
