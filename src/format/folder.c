/*-------------------------------------------------------------------------
 *
 * folder.c
 *	  Which kind of model a folder holds.
 *
 * The first match counts: a GGUF file; modules.json, whose first module says
 * it; an ELMo's options beside HDF5; safetensors with config.json (a network,
 * unless the tensors or the configuration are those of a static model) or
 * with tokenizer.json alone; a tokenizer alone; one file alone.
 *
 *-------------------------------------------------------------------------
 */
#include "format/folder_private.h"

#include "format/hdf5.h"
#include "format/utf8.h"

#include <stdlib.h>
#include <string.h>

const char *
folder_kind_name(FolderKind kind)
{
	switch (kind)
	{
		case FOLDER_TRANSFORMER:
			return "transformer";
		case FOLDER_STATIC:
			return "static model";
		case FOLDER_ELMO:
			return "ELMo";
		case FOLDER_GGUF:
			return "GGUF";
		case FOLDER_TOKENIZER:
			return "tokenizer";
		case FOLDER_OTHER:
			return "file of another kind";
	}
	return "unknown";
}

/* ---------- GGUF ---------- */

static bool
begins_with(FolderReader *reader, int file, const char *magic, size_t length,
			bool *result)
{
	char		bytes[8];
	const FormatFile *source = &reader->files[file].file;

	*result = false;
	if (source->size < length)
		return true;
	reader->folder->file = reader->files[file].name;
	if (!format_file_read(source, 0, bytes, length, reader->fault))
		return false;
	reader->folder->file = NULL;
	*result = memcmp(bytes, magic, length) == 0;
	return true;
}

/* The files of a model in the order that they say themselves. */
static bool
order_parts(FolderReader *reader, const int *found, int count, int *order)
{
	for (int i = 0; i < count; i++)
		order[i] = -1;
	for (int i = 0; i < count; i++)
	{
		int			parts;
		int			number;

		reader->folder->file = reader->files[found[i]].name;
		if (!gguf_split(reader->arena, &reader->files[found[i]].file, &parts,
						&number, reader->fault))
			return false;
		if (parts != count || order[number] >= 0)
			return folder_fault(reader, FORMAT_TRUNCATED, found[i],
								"This is file %d of %d of a model, but there are %d files of GGUF.",
								number + 1, parts, count);
		order[number] = found[i];
	}
	return true;
}

static bool
read_gguf(FolderReader *reader, const int *found, int count)
{
	ModelFolder *folder = reader->folder;
	int		   *order = arena_alloc_array(reader->arena, (size_t) count,
										  sizeof(*order));
	FormatFile *parts = arena_alloc_array(reader->arena, (size_t) count,
										  sizeof(*parts));

	folder->kind = FOLDER_GGUF;
	if (order == NULL || parts == NULL)
		return folder_fault(reader, FORMAT_OUT_OF_MEMORY, -1, "No memory for %d files.", count);
	if (!order_parts(reader, found, count, order))
		return false;
	for (int i = 0; i < count; i++)
		parts[i] = reader->files[order[i]].file;
	if (!gguf_open(&folder->gguf, reader->arena, parts, count, reader->fault))
	{
		folder->file = reader->files[order[folder->gguf.file]].name;
		return false;
	}
	folder->file = NULL;
	folder->weights = folder->gguf.list;
	for (size_t i = 0; i < folder->weights.count; i++)
		folder->weights.tensors[i].file =
			order[folder->weights.tensors[i].file];
	return tensor_list_finish(reader->arena, &folder->weights, reader->fault);
}

/* All files of the top that begin like GGUF; the count, or -1 and a fault. */
static int
find_gguf(FolderReader *reader, int *found)
{
	int			count = 0;

	for (int i = 0; i < reader->count; i++)
	{
		bool		is_gguf;

		if (strchr(reader->files[i].name, '/') != NULL)
			continue;
		if (!begins_with(reader, i, "GGUF", 4, &is_gguf))
			return -1;
		if (is_gguf)
			found[count++] = i;
	}
	return count;
}

/* ---------- ELMo ---------- */

/* The HDF5 file of the top; -1 if there is none, -2 and a fault. */
static int
find_hdf5(FolderReader *reader)
{
	int			found = -1;

	for (int i = 0; i < reader->count; i++)
	{
		bool		is_hdf5;

		if (!begins_with(reader, i, "\211HDF\r\n\032\n", 8, &is_hdf5))
			return -2;
		if (!is_hdf5)
			continue;
		if (found >= 0)
		{
			folder_fault(reader, FORMAT_UNSUPPORTED, i, "There are several files of HDF5.");
			return -2;
		}
		found = i;
	}
	return found;
}

/* The options are the file of JSON that has an LSTM and characters. */
static bool
read_elmo(FolderReader *reader, int hdf5)
{
	ModelFolder *folder = reader->folder;

	folder->kind = FOLDER_ELMO;
	folder->hdf5 = hdf5;
	for (int i = 0; i < reader->count; i++)
	{
		const JsonValue *root;

		if (!name_ends_with(reader->files[i].name, ".json"))
			continue;
		root = folder_json(reader, i);
		if (root == NULL)
			return false;
		if (json_is(json_get(root, "lstm"), JSON_OBJECT) &&
			json_is(json_get(root, "char_cnn"), JSON_OBJECT))
		{
			folder->config = root;
			break;
		}
	}
	if (folder->config == NULL)
		return folder_fault(reader, FORMAT_UNRECOGNIZED, hdf5,
							"There is HDF5, but no options.json with \"lstm\" and \"char_cnn\".");
	folder->file = reader->files[hdf5].name;
	if (!hdf5_open(&folder->weights, reader->arena, &reader->files[hdf5].file,
				   reader->fault))
		return false;
	for (size_t i = 0; i < folder->weights.count; i++)
		folder->weights.tensors[i].file = hdf5;
	folder->file = NULL;
	return true;
}

/* ---------- safetensors ---------- */

/* The tokenizer of a folder, or of one in it. */
static void
find_tokenizer(FolderReader *reader, const char *path)
{
	reader->folder->tokenizer = folder_find(reader, path, "tokenizer.json");
	reader->folder->vocabulary = folder_find(reader, path, "vocab.txt");
}

static bool
require_tokenizer(FolderReader *reader)
{
	return reader->folder->tokenizer >= 0 || reader->folder->vocabulary >= 0 ||
		folder_fault(reader, FORMAT_TRUNCATED, -1, "There is neither tokenizer.json nor vocab.txt.");
}

/* config.json of a folder, if it is there. */
static bool
read_config(FolderReader *reader, const char *path)
{
	ModelFolder *folder = reader->folder;
	int			file = folder_find(reader, path, "config.json");
	const JsonValue *type;

	if (file < 0)
		return true;
	folder->config = folder_json(reader, file);
	if (folder->config == NULL)
		return false;
	if (!json_is(folder->config, JSON_OBJECT))
		return folder_fault(reader, FORMAT_MALFORMED, file, "The configuration is %s, not an object.",
							json_kind_name(folder->config));
	type = json_get(folder->config, "model_type");
	if (type == NULL)
		return true;
	folder->model_type = folder_text(reader, file, type);
	return folder->model_type != NULL;
}

/* config.json of model2vec and modules.json say it, and must say the same. */
static bool
read_normalize(FolderReader *reader, const char *path)
{
	ModelFolder *folder = reader->folder;
	bool		in_chain = false;
	bool		in_config;

	for (int i = 0; i < folder->module_count; i++)
		in_chain |= folder->modules[i].kind == MODULE_NORMALIZE;
	in_config = in_chain;
	if (!folder_bool(reader, folder_find(reader, path, "config.json"), folder->config, "normalize",
					 &in_config))
		return false;
	if (folder->module_count > 0 && in_config != in_chain)
		return folder_fault(reader, FORMAT_UNSUPPORTED, -1,
							"config.json and modules.json contradict each other: is the vector normalized?");
	folder->normalize = in_config;
	return true;
}

static bool
read_static(FolderReader *reader, const char *path)
{
	reader->folder->kind = FOLDER_STATIC;
	if (!require_tokenizer(reader) || !folder_static(reader) ||
		!read_normalize(reader, path))
		return false;
	/* a network's places say nothing here, and neither does its tokenizer */
	reader->folder->max_tokens = 0;
	return true;
}

static bool
read_transformer(FolderReader *reader, const char *path)
{
	ModelFolder *folder = reader->folder;

	folder->kind = FOLDER_TRANSFORMER;
	if (folder->config == NULL || folder->model_type == NULL)
		return folder_fault(reader, FORMAT_UNRECOGNIZED, folder_find(reader, path, "config.json"),
							"There is no config.json with a \"model_type\".");
	if (folder->module_count == 1 && folder->task < TASK_CLASSIFICATION)
		return folder_fault(reader, FORMAT_UNSUPPORTED, folder_find(reader, "", "modules.json"),
							"Pooling must follow a Transformer that gives vectors of tokens.");
	if (folder->module_count == 2 && folder->task != TASK_MASKED &&
		folder->modules[1].kind == MODULE_SPLADE)
		return folder_fault(reader, FORMAT_UNSUPPORTED, folder_find(reader, "", "modules.json"),
							"SpladePooling must follow a Transformer of \"transformer_task\" fill-mask.");
	return require_tokenizer(reader);
}

/* A folder whose model_type is model2vec's, or whose tensors are. */
static bool
looks_static(const ModelFolder *folder)
{
	if (folder->module_count > 0)
		return folder->modules[0].kind == MODULE_STATIC;
	if (folder->model_type != NULL)
		return strcmp(folder->model_type, "model2vec") == 0;
	return tensor_find(&folder->weights, "embeddings") != NULL ||
		tensor_find(&folder->weights, "embedding.weight") != NULL;
}

static bool
has_safetensors(const FolderReader *reader, const char *path)
{
	size_t		length = strlen(path);

	for (int i = 0; i < reader->count; i++)
	{
		const char *name = reader->files[i].name;

		if (strncmp(name, path, length) == 0 &&
			(name_ends_with(name, ".safetensors") || name_ends_with(name, ".safetensors.index.json")))
			return true;
	}
	return false;
}

static bool
read_model(FolderReader *reader)
{
	ModelFolder *folder = reader->folder;
	int			modules = folder_find(reader, "", "modules.json");
	int			adapter;
	const char *path;

	if (modules >= 0 && !folder_modules(reader, modules))
		return false;
	path = folder->module_count > 0 ? folder->modules[0].path : "";
	adapter = folder_find(reader, path, "adapter_config.json");
	if (adapter >= 0)
		return folder_fault(reader, FORMAT_UNSUPPORTED, adapter,
							"An adapter changes the weights of a model: import that without it, then give import_adapter() the adapter's files.");
	find_tokenizer(reader, path);
	if (folder->tokenizer < 0 && folder->vocabulary < 0)
		find_tokenizer(reader, "");
	if (!read_config(reader, path) ||
		!folder_weights(reader, path, &folder->weights) ||
		!folder_settings(reader, path))
		return false;
	return looks_static(folder) ? read_static(reader, path)
								: read_transformer(reader, path);
}

/* ---------- everything ---------- */

static bool
read_other(FolderReader *reader)
{
	ModelFolder *folder = reader->folder;

	find_tokenizer(reader, "");
	if (folder->tokenizer >= 0 || folder->vocabulary >= 0)
	{
		folder->kind = FOLDER_TOKENIZER;
		return read_config(reader, "") && folder_settings(reader, "");
	}
	if (reader->count == 1)
	{
		folder->kind = FOLDER_OTHER;
		return true;
	}
	if (folder_find(reader, "", "pytorch_model.bin") >= 0)
		return folder_weights(reader, "", &folder->weights);
	return folder_fault(reader, FORMAT_UNRECOGNIZED, -1,
						"None of %d files is GGUF, safetensors, an ELMo's HDF5 or a tokenizer.",
						reader->count);
}

static bool
check_names(FolderReader *reader)
{
	if (reader->count > FOLDER_MAX_FILES)
		return folder_fault(reader, FORMAT_TOO_LARGE, -1, "There are %d files, the most are %d.",
							reader->count, FOLDER_MAX_FILES);
	for (int i = 0; i < reader->count; i++)
	{
		for (int k = 0; k < i; k++)
		{
			if (strcmp(reader->files[i].name, reader->files[k].name) == 0)
				return folder_fault(reader, FORMAT_MALFORMED, i, "There are two files of this name.");
		}
	}
	return true;
}

static bool
read_folder(FolderReader *reader)
{
	int		   *found = arena_alloc_array(reader->arena,
										  (size_t) reader->count,
										  sizeof(*found));
	int			count;

	if (found == NULL)
		return folder_fault(reader, FORMAT_OUT_OF_MEMORY, -1, "No memory for %d files.",
							reader->count);
	count = find_gguf(reader, found);
	if (count < 0)
		return false;
	if (count > 0)
		return read_gguf(reader, found, count);
	if (folder_find(reader, "", "modules.json") >= 0 || has_safetensors(reader, ""))
		return read_model(reader);
	count = find_hdf5(reader);
	if (count == -2)
		return false;
	return count >= 0 ? read_elmo(reader, count) : read_other(reader);
}

bool
folder_read(ModelFolder *folder, Arena *arena, const FolderFile *files,
			int count, FormatInterrupt interrupt, void *context,
			FormatFault *fault)
{
	FolderReader reader = {folder, arena, files, count};
	bool		good;

	memset(folder, 0, sizeof(*folder));
	memset(fault, 0, sizeof(*fault));
	folder->tokenizer = folder->vocabulary = folder->hdf5 = -1;
	reader.options.interrupt = interrupt;
	reader.options.context = context;
	reader.fault = fault;
	good = check_names(&reader) && read_folder(&reader);
	if (good)
		folder->file = NULL;
	return good;
}
