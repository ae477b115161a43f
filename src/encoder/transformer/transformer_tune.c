/*-------------------------------------------------------------------------
 *
 * transformer_tune.c
 *	  A transformer with a dense layer more: the base's folder with a module
 *	  Dense, as sentence-transformers has them.
 *
 * The module comes before a Normalize that ends the chain: the vector is
 * multiplied first and made one of length one afterwards.  A folder without
 * modules.json gets one, with the pooling that was understood without it.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/transformer/transformer_train.h"

#include "format/json_write.h"

#define MODULES_FILE "modules.json"
#define MODULE_TYPE(name) "sentence_transformers.models." name

typedef struct LayerFolder
{
	NetworkFolder *base;
	FolderFile *files;
	int			count;
	const char *path;			/* of the new module */
} LayerFolder;

static int
find_file(const LayerFolder *layer, const char *name)
{
	for (int i = 0; i < layer->count; i++)
		if (strcmp(layer->files[i].name, name) == 0)
			return i;
	return -1;
}

/* "3_Dense", or with the next number for which there is no folder */
static const char *
free_path(const LayerFolder *layer)
{
	for (int number = Max(layer->base->folder.module_count, 2);; number++)
	{
		const char *path = psprintf("%d_Dense", number);

		if (find_file(layer, psprintf("%s/config.json", path)) < 0)
			return path;
	}
}

static void
put_text(LayerFolder *layer, const char *name, JsonWriter *writer)
{
	size_t		length;
	const char *text = json_writer_text(writer, &length);

	if (text == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory for \"%s\" of a tuned model", name)));
	network_put_file(&layer->files, &layer->count, name, text, length);
}

static void
write_string(JsonWriter *writer, const char *key, const char *value)
{
	json_write_key(writer, key, strlen(key));
	json_write_string(writer, value, strlen(value));
}

static void
write_number(JsonWriter *writer, const char *key, int64 value)
{
	json_write_key(writer, key, strlen(key));
	json_write_int64(writer, value);
}

static void
write_raw(JsonWriter *writer, const char *key, const char *value)
{
	json_write_key(writer, key, strlen(key));
	json_write_raw(writer, value, strlen(value));
}

/* ---------- the module ---------- */

static void
put_dense(LayerFolder *layer, int dims, const float *matrix)
{
	Arena	   *arena = &layer->base->arena;
	Tensor		tensor = {"linear.weight", TENSOR_F32, 0, 2};
	Size		bytes = sizeof(float) * dims * dims;
	FormatFault fault = {0};
	JsonWriter	writer;
	size_t		length;
	char	   *head;
	char	   *file;

	json_writer_begin(&writer, arena);
	json_write_begin(&writer, '{');
	write_number(&writer, "in_features", dims);
	write_number(&writer, "out_features", dims);
	write_raw(&writer, "bias", "false");
	write_string(&writer, "activation_function", "torch.nn.modules.linear.Identity");
	json_write_end(&writer, '}');
	put_text(layer, psprintf("%s/config.json", layer->path), &writer);

	tensor.shape[0] = tensor.shape[1] = dims;
	head = tensor_set_size(&tensor, &fault) ?
		safetensors_head(arena, &tensor, 1, NULL, 0, &length, &fault) : NULL;
	if (head == NULL)
		network_folder_fault(layer->base, NULL, &fault);
	file = palloc(length + bytes);
	memcpy(file, head, length);
	memcpy(file + length, matrix, bytes);
	network_put_file(&layer->files, &layer->count,
					 psprintf("%s/model.safetensors", layer->path), file,
					 length + bytes);
}

/* ---------- modules.json ---------- */

static void
write_module(JsonWriter *writer, int number, const char *path,
			 const char *type)
{
	json_write_begin(writer, '{');
	write_number(writer, "idx", number);
	write_string(writer, "name", psprintf("%d", number));
	write_string(writer, "path", path);
	write_string(writer, "type", type);
	json_write_end(writer, '}');
}

static const char *
string_of(const JsonValue *value)
{
	return value == NULL ? "" : pnstrdup(value->text, value->length);
}

/* The base's list with the new module in its place */
static void
write_modules(LayerFolder *layer, JsonWriter *writer, int file)
{
	const ModelFolder *folder = &layer->base->folder;
	size_t		length;
	char	   *text = network_folder_text(layer->base, file, &length);
	FormatFault fault = {0};
	const JsonValue *root = json_parse(&layer->base->arena, text, length,
									   NULL, &fault);
	int			last = folder->module_count - 1;
	int			place = folder->modules[last].kind == MODULE_NORMALIZE ?
		last : last + 1;
	int			number = 0;

	if (root == NULL)
		network_folder_fault(layer->base, MODULES_FILE, &fault);
	for (const JsonValue *entry = json_first(root); entry != NULL;
		 entry = json_next(root, entry))
	{
		if (number == place)
			write_module(writer, number++, layer->path, MODULE_TYPE("Dense"));
		write_module(writer, number++, string_of(json_get(entry, "path")),
					 string_of(json_get(entry, "type")));
	}
	if (number == place)
		write_module(writer, number, layer->path, MODULE_TYPE("Dense"));
}

/* What a folder without the list is understood to be, and the module */
static void
write_first_modules(LayerFolder *layer, JsonWriter *writer,
					const TransformerState *state)
{
	bool		last = state->settings->poolings[0] == POOLING_LAST;
	JsonWriter	pooling;

	json_writer_begin(&pooling, &layer->base->arena);
	json_write_begin(&pooling, '{');
	write_number(&pooling, "word_embedding_dimension",
				 state->plan.config.hidden);
	write_raw(&pooling, "pooling_mode_mean_tokens", last ? "false" : "true");
	write_raw(&pooling, "pooling_mode_lasttoken", last ? "true" : "false");
	json_write_end(&pooling, '}');
	put_text(layer, "1_Pooling/config.json", &pooling);
	write_module(writer, 0, "", MODULE_TYPE("Transformer"));
	write_module(writer, 1, "1_Pooling", MODULE_TYPE("Pooling"));
	write_module(writer, 2, layer->path, MODULE_TYPE("Dense"));
}

static void
put_modules(LayerFolder *layer, const TransformerState *state)
{
	int			file = find_file(layer, MODULES_FILE);
	JsonWriter	writer;

	json_writer_begin(&writer, &layer->base->arena);
	json_write_begin(&writer, '[');
	if (file >= 0)
		write_modules(layer, &writer, file);
	else
		write_first_modules(layer, &writer, state);
	json_write_end(&writer, ']');
	put_text(layer, MODULES_FILE, &writer);
}

static Oid
write_layer(const TuneSource *source)
{
	LayerFolder layer = {network_folder_of_model(source->base->table)};
	NetworkFolder *base = layer.base;

	if (base->folder.kind == FOLDER_GGUF)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("embedding model \"%s\" cannot be tuned",
						source->base->description->table_name),
				 errdetail("A GGUF file has no place for a layer more."),
				 errhint("Import the model from its folder with safetensors.")));
	layer.count = base->count;
	layer.files = palloc(sizeof(FolderFile) * base->count);
	memcpy(layer.files, base->files, sizeof(FolderFile) * base->count);
	transformer_forget_adapter(layer.files, &layer.count);
	layer.path = free_path(&layer);
	put_dense(&layer, source->dims, source->layer);
	put_modules(&layer, source->state);
	return network_write_files(source->definition, layer.files, layer.count);
}

static Oid
write_transformer(const TuneSource *source)
{
	return source->network != NULL ? transformer_write_trained(source) :
		write_layer(source);
}

const Tunable transformer_tunable = {
	.weights = TUNE_WEIGHTS(TUNE_LOW_RANK) | TUNE_WEIGHTS(TUNE_FULL),
	.has_workers = true,
	.network = transformer_trained,
	.write = write_transformer
};
