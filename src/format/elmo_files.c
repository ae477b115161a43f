/*-------------------------------------------------------------------------
 *
 * elmo_files.c
 *	  Options and tensors of an ELMo.
 *
 * bilm-tf writes its options with those of training, which say nothing about
 * the vectors: they are listed, and passed over.
 *
 *-------------------------------------------------------------------------
 */
#include "format/elmo_files.h"

#include "format/utf8.h"

#include <stdio.h>
#include <string.h>

/* Larger than any model, and small enough that no product overflows. */
#define MOST_SIZE 100000

static bool
fault_about(FormatFault *fault, FormatStatus status, const char *name,
			const char *what)
{
	format_fault(fault, status, 0, 0, "\"%.200s\" %s.", name, what);
	return false;
}

static bool
known_keys(const JsonValue *object, const char *name, const char *const *keys,
		   FormatFault *fault)
{
	char		excerpt[UTF8_EXCERPT];

	if (!json_is(object, JSON_OBJECT))
		return fault_about(fault, FORMAT_MALFORMED, name, "is not an object");
	for (const JsonValue *key = json_first(object); key != NULL;
		 key = json_next(object, key))
	{
		const char *const *known = keys;

		while (*known != NULL && !json_equals(key, *known))
			known++;
		if (*known == NULL)
			return fault_about(fault, FORMAT_UNSUPPORTED,
							   utf8_excerpt(key->text, key->length, excerpt),
							   "is an option that is not known");
	}
	return true;
}

static bool
read_size(const JsonValue *object, const char *name, int least, int most,
		  int *result, FormatFault *fault)
{
	int64_t		number;

	if (!json_int64(json_get(object, name), &number) || number < least ||
		number > most)
	{
		format_fault(fault, FORMAT_MALFORMED, 0, 0,
					 "\"%s\" is missing, or no whole number from %d to %d.", name, least, most);
		return false;
	}
	*result = (int) number;
	return true;
}

/* A clip that is null or not there is none. */
static bool
read_clip(const JsonValue *object, const char *name, double *result,
		  FormatFault *fault)
{
	const JsonValue *value = json_get(object, name);

	*result = 0;
	if (value == NULL || json_is(value, JSON_NULL))
		return true;
	if (!json_double(value, result) || *result <= 0)
		return fault_about(fault, FORMAT_MALFORMED, name, "is not a number above 0");
	return true;
}

static bool
read_filters(ElmoOptions *options, const JsonValue *filters,
			 FormatFault *fault)
{
	if (!json_is(filters, JSON_ARRAY) || json_count(filters) < 1 ||
		json_count(filters) > ELMO_MAX_FILTERS)
		return fault_about(fault, FORMAT_MALFORMED, "filters", "is not a list of 1 to 32 pairs");
	for (const JsonValue *pair = json_first(filters); pair != NULL;
		 pair = json_next(filters, pair))
	{
		const JsonValue *first = json_first(pair);
		int64_t		width;
		int64_t		size;

		if (json_count(pair) != 2 || !json_is(pair, JSON_ARRAY) ||
			!json_int64(first, &width) ||
			!json_int64(json_next(pair, first), &size) || width < 1 ||
			width > options->most_characters || size < 1 || size > MOST_SIZE)
			return fault_about(fault, FORMAT_MALFORMED, "filters",
							   "has an entry that is not a width and a number");
		options->filter_width[options->filter_count] = (int) width;
		options->filter_size[options->filter_count++] = (int) size;
		options->filters += (int) size;
	}
	return true;
}

static bool
read_activation(ElmoOptions *options, const JsonValue *value,
				FormatFault *fault)
{
	char		excerpt[UTF8_EXCERPT];

	if (json_equals(value, "relu"))
		options->activation = ELMO_RELU;
	else if (json_equals(value, "tanh"))
		options->activation = ELMO_TANH;
	else if (json_is(value, JSON_STRING))
		return fault_about(fault, FORMAT_UNSUPPORTED,
						   utf8_excerpt(value->text, value->length, excerpt),
						   "is an activation that is not known; supported are relu and tanh");
	else
		return fault_about(fault, FORMAT_MALFORMED, "activation", "is not a string");
	return true;
}

static bool
read_characters(ElmoOptions *options, const JsonValue *object,
				FormatFault *fault)
{
	static const char *const known[] = {
		"activation", "embedding", "filters", "max_characters_per_token", "n_characters",
		"n_highway", NULL
	};
	static const char *const embedding_known[] = {"dim", NULL};
	const JsonValue *embedding = json_get(object, "embedding");
	int			characters;

	/* 262 when the zero row of masked words is counted, 261 in training */
	return known_keys(object, "char_cnn", known, fault) &&
		known_keys(embedding, "embedding", embedding_known, fault) &&
		read_size(embedding, "dim", 1, MOST_SIZE, &options->character_dims, fault) &&
		read_size(object, "max_characters_per_token", 3, 1000, &options->most_characters, fault) &&
		read_size(object, "n_characters", ELMO_CHARACTERS, ELMO_CHARACTERS + 1, &characters, fault) &&
		read_size(object, "n_highway", 0, ELMO_MAX_HIGHWAYS, &options->highways, fault) &&
		read_filters(options, json_get(object, "filters"), fault) &&
		read_activation(options, json_get(object, "activation"), fault);
}

static bool
read_layers(ElmoOptions *options, const JsonValue *object, FormatFault *fault)
{
	static const char *const known[] = {
		"cell_clip", "dim", "n_layers", "proj_clip", "projection_dim", "use_skip_connections", NULL
	};
	const JsonValue *skip = json_get(object, "use_skip_connections");

	if (!known_keys(object, "lstm", known, fault) ||
		!read_size(object, "dim", 1, MOST_SIZE, &options->cells, fault) ||
		!read_size(object, "projection_dim", 1, MOST_SIZE, &options->projection, fault) ||
		!read_size(object, "n_layers", 1, ELMO_MAX_LAYERS, &options->layers, fault) ||
		!read_clip(object, "cell_clip", &options->cell_clip, fault) ||
		!read_clip(object, "proj_clip", &options->projection_clip, fault))
		return false;
	if (skip != NULL && !json_bool(skip, &options->skip_connections))
		return fault_about(fault, FORMAT_MALFORMED, "use_skip_connections", "is not true or false");
	return true;
}

bool
elmo_options_parse(ElmoOptions *options, const JsonValue *root,
				   FormatFault *fault)
{
	static const char *const known[] = {
		"lstm", "char_cnn", "bidirectional", "all_clip_norm_val", "batch_size", "dropout",
		"n_epochs", "n_gpus", "n_negative_samples_batch", "n_tokens_vocab", "n_train_tokens",
		"sample_softmax", "share_embedding_softmax", "unroll_steps", NULL
	};
	bool		both = true;

	memset(options, 0, sizeof(*options));
	memset(fault, 0, sizeof(*fault));
	if (!known_keys(root, "options", known, fault))
		return false;
	if (json_get(root, "bidirectional") != NULL &&
		(!json_bool(json_get(root, "bidirectional"), &both) || !both))
		return fault_about(fault, FORMAT_UNSUPPORTED, "bidirectional", "is not true");
	return read_characters(options, json_get(root, "char_cnn"), fault) &&
		read_layers(options, json_get(root, "lstm"), fault);
}

/* ---------- tensors ---------- */

/* What the tensors that must be there are compared with: a list, or a name. */
typedef struct Expected
{
	const TensorList *list;
	FormatFault *fault;
	size_t		found;
	const char *sought;			/* is this one of them? */
	bool		is_known;
} Expected;

static bool
expect(Expected *expected, const char *name, int rank, const int *shape)
{
	const Tensor *tensor;
	char		text[TENSOR_SHAPE_TEXT];
	char		wanted[TENSOR_SHAPE_TEXT];
	Tensor		model = {name, TENSOR_F32, 0, rank};
	bool		same;

	if (expected->sought != NULL)
	{
		expected->is_known |= strcmp(expected->sought, name) == 0;
		return true;
	}
	tensor = tensor_find(expected->list, name);
	if (tensor == NULL)
		return fault_about(expected->fault, FORMAT_MALFORMED, name, "is missing");
	same = tensor->rank == rank;
	for (int i = 0; i < rank; i++)
	{
		model.shape[i] = (uint64_t) shape[i];
		same &= tensor->shape[i] == model.shape[i];
	}
	if (same)
	{
		expected->found++;
		return true;
	}
	format_fault(expected->fault, FORMAT_MALFORMED, tensor->offset, 0,
				 "\"%s\" has the shape %s, not %s.", name, tensor_shape_text(tensor, text),
				 tensor_shape_text(&model, wanted));
	return false;
}

#define SHAPE(...)                                                          \
	(int) (sizeof((const int[]){__VA_ARGS__}) / sizeof(int)), (const int[]) \
	{                                                                       \
		__VA_ARGS__                                                         \
	}

static bool
expect_characters(const ElmoOptions *options, Expected *expected)
{
	char		name[100];

	if (!expect(expected, "char_embed", SHAPE(ELMO_CHARACTERS, options->character_dims)))
		return false;
	for (int i = 0; i < options->filter_count; i++)
	{
		snprintf(name, sizeof(name), "CNN/W_cnn_%d", i);
		if (!expect(expected, name,
					SHAPE(1, options->filter_width[i], options->character_dims,
						  options->filter_size[i])))
			return false;
		snprintf(name, sizeof(name), "CNN/b_cnn_%d", i);
		if (!expect(expected, name, SHAPE(options->filter_size[i])))
			return false;
	}
	for (int i = 0; i < 2 * options->highways; i++)
	{
		const char *part = i % 2 == 0 ? "carry" : "transform";

		snprintf(name, sizeof(name), "CNN_high_%d/W_%s", i / 2, part);
		if (!expect(expected, name, SHAPE(options->filters, options->filters)))
			return false;
		snprintf(name, sizeof(name), "CNN_high_%d/b_%s", i / 2, part);
		if (!expect(expected, name, SHAPE(options->filters)))
			return false;
	}
	return expect(expected, "CNN_proj/W_proj", SHAPE(options->filters, options->projection)) &&
		expect(expected, "CNN_proj/b_proj", SHAPE(options->projection));
}

static bool
expect_layer(const ElmoOptions *options, Expected *expected, int direction,
			 int layer)
{
	char		cell[80];
	char		name[100];

	snprintf(cell, sizeof(cell), "RNN_%d/RNN/MultiRNNCell/Cell%d/LSTMCell", direction, layer);
	snprintf(name, sizeof(name), "%s/W_0", cell);
	if (!expect(expected, name,
				SHAPE(2 * options->projection, 4 * options->cells)))
		return false;
	snprintf(name, sizeof(name), "%s/B", cell);
	if (!expect(expected, name, SHAPE(4 * options->cells)))
		return false;
	snprintf(name, sizeof(name), "%s/W_P_0", cell);
	return expect(expected, name, SHAPE(options->cells, options->projection));
}

/* Every tensor that follows from the options, one by one. */
static bool
expect_all(const ElmoOptions *options, Expected *expected)
{
	if (!expect_characters(options, expected))
		return false;
	for (int i = 0; i < 2 * options->layers; i++)
	{
		if (!expect_layer(options, expected, i / options->layers,
						  i % options->layers))
			return false;
	}
	return true;
}

bool
elmo_check_tensors(const ElmoOptions *options, const TensorList *list,
				   FormatFault *fault)
{
	Expected	expected = {list, fault};

	memset(fault, 0, sizeof(*fault));
	if (!expect_all(options, &expected))
		return false;
	for (size_t i = 0; i < list->count && expected.found < list->count; i++)
	{
		expected.sought = list->tensors[i].name;
		expected.is_known = false;
		expect_all(options, &expected);
		if (!expected.is_known)
			return fault_about(fault, FORMAT_UNSUPPORTED, expected.sought,
							   "is a tensor that is not known");
	}
	return true;
}
