/*-------------------------------------------------------------------------
 *
 * folder_weights.c
 *	  The tensors of a model's folder.
 *
 * Of a whole file and an index, the file is taken, as transformers does; the
 * two are never mixed.
 *
 *-------------------------------------------------------------------------
 */
#include "format/folder_private.h"

#include <string.h>

static bool
open_head(FolderReader *reader, int file, Safetensors *head)
{
	reader->folder->file = reader->files[file].name;
	if (!safetensors_open(head, reader->arena, &reader->files[file].file,
						  &reader->options, reader->fault))
		return false;
	reader->folder->file = NULL;
	return true;
}

static bool
one_file(FolderReader *reader, int file, TensorList *list)
{
	Safetensors head;

	if (!open_head(reader, file, &head))
		return false;
	*list = head.list;
	for (size_t i = 0; i < list->count; i++)
		list->tensors[i].file = file;
	return true;
}

static bool
read_index(FolderReader *reader, int file, SafetensorsIndex *index)
{
	const FormatFile *source = &reader->files[file].file;
	char	   *text;

	reader->folder->file = reader->files[file].name;
	if (source->size > SAFETENSORS_MAX_HEAD)
		return folder_fault(reader, FORMAT_TOO_LARGE, file, "The index has more than 100 MB.");
	text = arena_alloc(reader->arena, (size_t) source->size);
	if (text == NULL)
		return folder_fault(reader, FORMAT_OUT_OF_MEMORY, file, "No memory for an index.");
	return format_file_read(source, 0, text, (size_t) source->size,
							reader->fault) &&
		   safetensors_index_parse(index, reader->arena, text,
								   (size_t) source->size, &reader->options,
								   reader->fault);
}

/* The files that an index names, and from each what it is named for. */
static bool
several_files(FolderReader *reader, const char *path, int file,
			  TensorList *list)
{
	SafetensorsIndex index;
	Safetensors *heads;
	int		   *files;

	if (!read_index(reader, file, &index))
		return false;
	heads = arena_alloc_array(reader->arena, (size_t) index.file_count,
							  sizeof(*heads));
	files = arena_alloc_array(reader->arena, (size_t) index.file_count,
							  sizeof(*files));
	if (heads == NULL || files == NULL)
		return folder_fault(reader, FORMAT_OUT_OF_MEMORY, file, "No memory for %d files.",
							index.file_count);
	for (int i = 0; i < index.file_count; i++)
	{
		files[i] = folder_find(reader, path, index.files[i]);
		if (files[i] < 0)
			return folder_fault(reader, FORMAT_TRUNCATED, file, "The file \"%.200s\" is missing.",
								index.files[i]);
		if (!open_head(reader, files[i], &heads[i]))
			return false;
	}
	reader->folder->file = reader->files[file].name;
	if (!safetensors_index_merge(&index, reader->arena, heads, list,
								 reader->fault))
		return false;
	for (size_t i = 0; i < list->count; i++)
		list->tensors[i].file = files[list->tensors[i].file];
	reader->folder->file = NULL;
	/* the order of files is another one now */
	return tensor_list_finish(reader->arena, list, reader->fault);
}

/* The only file of this folder, not of those in it, whose name ends so. */
static int
only_file(FolderReader *reader, const char *path, const char *end)
{
	size_t		length = strlen(path);
	int			found = -1;

	for (int i = 0; i < reader->count; i++)
	{
		const char *name = reader->files[i].name;

		if (length > 0)
		{
			if (strncmp(name, path, length) != 0 || name[length] != '/')
				continue;
			name += length + 1;
		}
		if (strchr(name, '/') != NULL || !name_ends_with(name, end))
			continue;
		if (found >= 0)
			return -1;
		found = i;
	}
	return found;
}

bool
folder_weights(FolderReader *reader, const char *path, TensorList *list)
{
	int			whole = folder_find(reader, path, "model.safetensors");
	int			index = folder_find(reader, path, "model.safetensors.index.json");
	int			pickled = folder_find(reader, path, "pytorch_model.bin");

	if (whole >= 0)
		return one_file(reader, whole, list);
	if (index >= 0)
		return several_files(reader, path, index, list);
	whole = only_file(reader, path, ".safetensors");
	if (whole >= 0)
		return one_file(reader, whole, list);
	if (pickled >= 0)
		return folder_fault(reader, FORMAT_UNSUPPORTED, pickled,
							"Weights are pickled Python objects; save the model as safetensors.");
	return folder_fault(reader, FORMAT_TRUNCATED, -1, "There is no model.safetensors in \"%.100s\".",
						path[0] != '\0' ? path : ".");
}
