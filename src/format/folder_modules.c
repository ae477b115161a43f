/*-------------------------------------------------------------------------
 *
 * folder_modules.c
 *	  modules.json of sentence-transformers, and the modules that it names.
 *
 * A chain begins with a Transformer or a StaticEmbedding; Pooling, Dense and
 * Normalize may follow.  Their options are those of
 * sentence-transformers' modules of these names, with its defaults.
 *
 *-------------------------------------------------------------------------
 */
#include "format/folder_private.h"

#include "format/utf8.h"

#include <string.h>

/* More dimensions than any vector has here. */
#define MOST_DIMS 1000000

/* ".", "./" and a slash at the end are ways to write the same. */
static bool
clean_path(const JsonValue *value, char *out, size_t size)
{
	const char *text = value->text;
	size_t		length = value->length;

	while (length > 0 && text[length - 1] == '/')
		length--;
	while (length > 2 && text[0] == '.' && text[1] == '/')
	{
		text += 2;
		length -= 2;
	}
	if (length == 1 && text[0] == '.')
		length = 0;
	if (length >= size || memchr(text, '\0', length) != NULL)
		return false;
	memcpy(out, text, length);
	out[length] = '\0';
	return true;
}

/* ---------- Pooling ---------- */

/* The names of sentence-transformers' flags, and those of its modes. */
static const char *const pooling_flags[][2] = {
	{"pooling_mode_cls_token", "cls"},
	{"pooling_mode_max_tokens", "max"},
	{"pooling_mode_mean_tokens", "mean"},
	{"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"},
	{"pooling_mode_weightedmean_tokens", "weightedmean"},
	{"pooling_mode_lasttoken", "lasttoken"}
};

#define POOLING_FLAGS \
	((int) (sizeof(pooling_flags) / sizeof(pooling_flags[0])))

static bool
add_pooling(FolderReader *reader, int file, FolderModule *module,
			const JsonValue *mode)
{
	char		excerpt[UTF8_EXCERPT];

	for (int i = 0; i < POOLING_FLAGS; i++)
	{
		if (!json_equals(mode, pooling_flags[i][1]) ||
			module->pooling_count == FOLDER_MAX_POOLINGS)
			continue;
		module->poolings[module->pooling_count++] = pooling_flags[i][1];
		return true;
	}
	if (!json_is(mode, JSON_STRING))
		return folder_fault(reader, FORMAT_MALFORMED, file, "\"pooling_mode\" is %s.",
							json_kind_name(mode));
	return folder_fault(reader, FORMAT_UNSUPPORTED, file,
						"The pooling \"%s\" is not known; supported are cls, max, mean, mean_sqrt_len_tokens, weightedmean and lasttoken.",
						utf8_excerpt(mode->text, mode->length, excerpt));
}

/* One name or several, as newer versions write it. */
static bool
read_pooling_mode(FolderReader *reader, int file, FolderModule *module,
				  const JsonValue *mode)
{
	if (!json_is(mode, JSON_ARRAY))
		return add_pooling(reader, file, module, mode);
	for (const JsonValue *item = json_first(mode); item != NULL;
		 item = json_next(mode, item))
	{
		if (!add_pooling(reader, file, module, item))
			return false;
	}
	return true;
}

static bool
read_pooling_flags(FolderReader *reader, int file, FolderModule *module,
				   const JsonValue *root)
{
	for (int i = 0; i < POOLING_FLAGS; i++)
	{
		/* without any flag the mean is taken */
		bool		on = strcmp(pooling_flags[i][1], "mean") == 0;

		if (!folder_bool(reader, file, root, pooling_flags[i][0], &on))
			return false;
		if (on)
			module->poolings[module->pooling_count++] = pooling_flags[i][1];
	}
	return true;
}

/* The settings of a module; NULL and a fault without them or with others. */
static const JsonValue *
settings_of(FolderReader *reader, const FolderModule *module,
			const char *const *known, int *file)
{
	const JsonValue *root;

	*file = folder_find(reader, module->path, "config.json");
	if (*file < 0)
	{
		folder_fault(reader, FORMAT_TRUNCATED, -1, "There is no \"%.100s/config.json\".",
					 module->path);
		return NULL;
	}
	root = folder_json(reader, *file);
	return root != NULL && folder_known_keys(reader, *file, root, known) ?
		root : NULL;
}

static bool
read_pooling(FolderReader *reader, FolderModule *module)
{
	static const char *const known[] = {
		"word_embedding_dimension", "embedding_dimension", "include_prompt", "pooling_mode",
		"pooling_mode_cls_token", "pooling_mode_max_tokens", "pooling_mode_mean_tokens",
		"pooling_mode_mean_sqrt_len_tokens", "pooling_mode_weightedmean_tokens",
		"pooling_mode_lasttoken", NULL
	};
	int			file;
	const JsonValue *root = settings_of(reader, module, known, &file);
	const JsonValue *mode;

	if (root == NULL)
		return false;
	module->include_prompt = true;
	if (!folder_int(reader, file, root, "word_embedding_dimension", 1, MOST_DIMS, &module->dims) ||
		!folder_int(reader, file, root, "embedding_dimension", 1, MOST_DIMS, &module->dims) ||
		!folder_bool(reader, file, root, "include_prompt", &module->include_prompt))
		return false;
	mode = json_get(root, "pooling_mode");
	if (!(mode != NULL && !json_is(mode, JSON_NULL) ?
		  read_pooling_mode(reader, file, module, mode) :
		  read_pooling_flags(reader, file, module, root)))
		return false;
	if (module->pooling_count == 0)
		return folder_fault(reader, FORMAT_MALFORMED, file, "No pooling is chosen.");
	return true;
}

/* ---------- Dense ---------- */

static bool
read_activation(FolderReader *reader, int file, FolderModule *module,
				const JsonValue *value)
{
	static const struct
	{
		const char *name;
		FolderActivation activation;
	}			names[] = {
		{"torch.nn.modules.activation.Tanh", FOLDER_ACTIVATION_TANH},
		{"torch.nn.modules.linear.Identity", FOLDER_ACTIVATION_IDENTITY},
		{"torch.nn.modules.activation.ReLU", FOLDER_ACTIVATION_RELU},
		{"torch.nn.modules.activation.GELU", FOLDER_ACTIVATION_GELU},
		{"torch.nn.modules.activation.Sigmoid", FOLDER_ACTIVATION_SIGMOID}
	};
	char		excerpt[UTF8_EXCERPT];

	module->activation = FOLDER_ACTIVATION_TANH;
	if (value == NULL)
		return true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		if (json_equals(value, names[i].name))
		{
			module->activation = names[i].activation;
			return true;
		}
	}
	if (json_is(value, JSON_NULL))
	{
		module->activation = FOLDER_ACTIVATION_IDENTITY;
		return true;
	}
	if (!json_is(value, JSON_STRING))
		return folder_fault(reader, FORMAT_MALFORMED, file, "\"activation_function\" is %s.",
							json_kind_name(value));
	return folder_fault(reader, FORMAT_UNSUPPORTED, file,
						"The activation \"%s\" is not known; supported are Tanh, Identity, ReLU, GELU and Sigmoid of torch.nn.",
						utf8_excerpt(value->text, value->length, excerpt));
}

static bool
has_shape(const Tensor *tensor, int rank, int64_t first, int64_t second)
{
	return tensor != NULL && tensor->rank == rank &&
		   tensor->shape[0] == (uint64_t) first &&
		   (rank < 2 || tensor->shape[1] == (uint64_t) second);
}

static bool
read_dense_weights(FolderReader *reader, FolderModule *module, bool bias)
{
	TensorList	list;

	if (!folder_weights(reader, module->path, &list))
		return false;
	module->weight = tensor_find(&list, "linear.weight");
	module->bias = tensor_find(&list, "linear.bias");
	if (!has_shape(module->weight, 2, module->out, module->in))
		return folder_fault(
			reader, FORMAT_MALFORMED, -1,
			"\"linear.weight\" of \"%.100s\" is missing or has not the shape [%lld, %lld].",
			module->path, (long long) module->out, (long long) module->in);
	if (bias ? !has_shape(module->bias, 1, module->out, 0)
			 : module->bias != NULL)
		return folder_fault(reader, FORMAT_MALFORMED, -1,
							"\"linear.bias\" of \"%.100s\" is not what its configuration says.",
							module->path);
	for (size_t i = 0; i < list.count; i++)
	{
		if (&list.tensors[i] != module->weight &&
			&list.tensors[i] != module->bias)
			return folder_fault(reader, FORMAT_UNSUPPORTED, -1,
								"The tensor \"%.100s\" of \"%.100s\" is not known.",
								list.tensors[i].name, module->path);
	}
	return true;
}

/* What a module reads and writes must be the vector of the text. */
static bool
check_place(FolderReader *reader, int file, const JsonValue *root,
			const char *name)
{
	const JsonValue *value = json_get(root, name);

	if (value == NULL || json_is(value, JSON_NULL) || json_equals(value, "sentence_embedding"))
		return true;
	return folder_fault(reader, FORMAT_UNSUPPORTED, file,
						"\"%s\" is not \"sentence_embedding\", which alone is supported.", name);
}

static bool
read_dense(FolderReader *reader, FolderModule *module)
{
	static const char *const known[] = {
		"in_features", "out_features", "bias", "activation_function", "module_input_name",
		"module_output_name", "use_residual", NULL
	};
	int			file;
	bool		bias = true;
	bool		residual = false;
	const JsonValue *root = settings_of(reader, module, known, &file);

	if (root == NULL ||
		!folder_int(reader, file, root, "in_features", 1, MOST_DIMS, &module->in) ||
		!folder_int(reader, file, root, "out_features", 1, MOST_DIMS, &module->out) ||
		!folder_bool(reader, file, root, "bias", &bias) ||
		!folder_bool(reader, file, root, "use_residual", &residual) ||
		!check_place(reader, file, root, "module_input_name") ||
		!check_place(reader, file, root, "module_output_name") ||
		!read_activation(reader, file, module, json_get(root, "activation_function")))
		return false;
	if (residual)
		return folder_fault(reader, FORMAT_UNSUPPORTED, file, "\"use_residual\" is not supported.");
	if (module->in == 0 || module->out == 0)
		return folder_fault(reader, FORMAT_MALFORMED, file,
							"\"in_features\" or \"out_features\" is missing.");
	return read_dense_weights(reader, module, bias);
}

/* ---------- SpladePooling ---------- */

/* The largest log(1 + relu(score)) of each term: Formal et al. 2021. */
static bool
read_splade(FolderReader *reader, FolderModule *module)
{
	static const char *const known[] = {
		"pooling_strategy", "activation_function", "word_embedding_dimension",
		"embedding_dimension", "chunk_size", NULL
	};
	int			file;
	const JsonValue *root = settings_of(reader, module, known, &file);
	const JsonValue *strategy;
	const JsonValue *activation;

	if (root == NULL)
		return false;
	strategy = json_get(root, "pooling_strategy");
	activation = json_get(root, "activation_function");
	if ((strategy != NULL && !json_equals(strategy, "max")) ||
		(activation != NULL && !json_equals(activation, "relu")))
		return folder_fault(reader, FORMAT_UNSUPPORTED, file,
							"SpladePooling is supported with \"pooling_strategy\" max and \"activation_function\" relu.");
	return true;
}

/* ---------- the chain ---------- */

/*
 * Both "sentence_transformers.models.Pooling" and newer paths end in the name.
 */
static bool
read_module_kind(FolderReader *reader, int file, FolderModule *module,
				 const JsonValue *type)
{
	static const struct
	{
		const char *name;
		FolderModuleKind kind;
	}			names[] = {
		{"Transformer", MODULE_TRANSFORMER},
		{"StaticEmbedding", MODULE_STATIC},
		{"Pooling", MODULE_POOLING},
		{"Dense", MODULE_DENSE},
		{"Normalize", MODULE_NORMALIZE},
		{"MLMTransformer", MODULE_TRANSFORMER},
		{"SpladePooling", MODULE_SPLADE}
	};
	static const char prefix[] = "sentence_transformers.";
	const char *text = folder_text(reader, file, type);
	const char *last;

	if (text == NULL)
		return false;
	last = strrchr(text, '.');
	for (size_t i = 0; last != NULL && i < sizeof(names) / sizeof(names[0]);
		 i++)
	{
		if (strcmp(last + 1, names[i].name) == 0 &&
			strncmp(text, prefix, sizeof(prefix) - 1) == 0)
		{
			module->kind = names[i].kind;
			if (strcmp(names[i].name, "MLMTransformer") == 0)
				reader->folder->task = TASK_MASKED;
			return true;
		}
	}
	return folder_fault(reader, FORMAT_UNSUPPORTED, file,
						"The module \"%.100s\" is not known; supported are Transformer, StaticEmbedding, Pooling, Dense, Normalize and SpladePooling of sentence_transformers.",
						text);
}

static bool
read_module(FolderReader *reader, int file, FolderModule *module,
			const JsonValue *entry, bool first)
{
	static const char *const known[] = {"idx", "name", "path", "type", "kwargs", NULL};
	const JsonValue *path = json_get(entry, "path");
	char		clean[256];

	if (!folder_known_keys(reader, file, entry, known) ||
		!read_module_kind(reader, file, module, json_get(entry, "type")))
		return false;
	if (json_count(json_get(entry, "kwargs")) > 0)
		return folder_fault(reader, FORMAT_UNSUPPORTED, file, "Arguments of modules are not supported.");
	if (!json_is(path, JSON_STRING) || !clean_path(path, clean, sizeof(clean)))
		return folder_fault(reader, FORMAT_MALFORMED, file, "A module has no path.");
	module->path = arena_copy(reader->arena, clean, strlen(clean));
	if (module->path == NULL)
		return folder_fault(reader, FORMAT_OUT_OF_MEMORY, file, "No memory for a module.");
	if (first !=
		(module->kind == MODULE_TRANSFORMER || module->kind == MODULE_STATIC))
		return folder_fault(reader, FORMAT_UNSUPPORTED, file,
							first ? "The first module is neither a Transformer nor a StaticEmbedding." :
							"A Transformer or StaticEmbedding is not the first module.");
	switch (module->kind)
	{
		case MODULE_POOLING:
			return read_pooling(reader, module);
		case MODULE_DENSE:
			return read_dense(reader, module);
		case MODULE_SPLADE:
			return read_splade(reader, module);
		case MODULE_TRANSFORMER:
		case MODULE_STATIC:
		case MODULE_NORMALIZE:
			break;
	}
	return true;
}

/*
 * Pooling makes one vector of many: once, and right after the transformer,
 * which stands alone where it gives scores.
 */
static bool
check_chain(FolderReader *reader, int file)
{
	ModelFolder *folder = reader->folder;
	int64_t		dims = 0;

	for (int i = 0; i < folder->module_count; i++)
	{
		FolderModule *module = &folder->modules[i];
		bool		pools_here = i == 1 &&
								 folder->modules[0].kind == MODULE_TRANSFORMER;

		if (pools_here && module->kind == MODULE_SPLADE &&
			folder->module_count == 2)
			return true;
		if (module->kind == MODULE_SPLADE)
			return folder_fault(reader, FORMAT_UNSUPPORTED, file,
								"SpladePooling must follow a Transformer and be the last.");
		if (pools_here != (module->kind == MODULE_POOLING))
			return folder_fault(reader, FORMAT_UNSUPPORTED, file,
								"Pooling must follow a Transformer, and nothing else.");
		if (module->kind == MODULE_POOLING)
			dims = module->dims * module->pooling_count;
		if (module->kind != MODULE_DENSE)
			continue;
		if (dims != 0 && dims != module->in)
			return folder_fault(reader, FORMAT_MALFORMED, file,
								"\"%.100s\" takes %lld dimensions, but gets %lld.", module->path,
								(long long) module->in, (long long) dims);
		dims = module->out;
	}
	return true;
}

bool
folder_modules(FolderReader *reader, int file)
{
	ModelFolder *folder = reader->folder;
	const JsonValue *root = folder_json(reader, file);

	if (root == NULL)
		return false;
	if (!json_is(root, JSON_ARRAY) || json_count(root) == 0 ||
		json_count(root) > FOLDER_MAX_MODULES)
		return folder_fault(reader, FORMAT_MALFORMED, file, "Not a list of 1 to %d modules.",
							FOLDER_MAX_MODULES);
	for (const JsonValue *entry = json_first(root); entry != NULL;
		 entry = json_next(root, entry))
	{
		FolderModule *module = &folder->modules[folder->module_count];

		if (!read_module(reader, file, module, entry,
						 folder->module_count == 0))
			return false;
		folder->module_count++;
	}
	return check_chain(reader, file);
}
