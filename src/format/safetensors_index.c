/*-------------------------------------------------------------------------
 *
 * safetensors_index.c
 *	  model.safetensors.index.json: tensors that lie in several files.
 *
 *-------------------------------------------------------------------------
 */
#include "format/safetensors.h"

#include "format/utf8.h"

#include <stdlib.h>
#include <string.h>

static const char suffix[] = ".safetensors";

/* More files than this are nobody's model. */
#define MAX_FILES 10000

static bool
no_memory(FormatFault *fault)
{
	format_fault(fault, FORMAT_OUT_OF_MEMORY, 0, 0, "No memory for an index of tensors.");
	return false;
}

/*
 * A name within the folder, and nothing that an operating system could take
 * for a way out of it.
 */
static bool
check_file_name(const JsonValue *key, const JsonValue *name,
				FormatFault *fault)
{
	char		excerpt[UTF8_EXCERPT];
	char		file[UTF8_EXCERPT];
	size_t		end = sizeof(suffix) - 1;

	if (!json_is(name, JSON_STRING))
	{
		format_fault(fault, FORMAT_MALFORMED, 0, 0,
					 "The file of tensor \"%s\" is %s, not a string.",
					 utf8_excerpt(key->text, key->length, excerpt),
					 json_kind_name(name));
		return false;
	}
	if (name->length > end && name->length <= 255 && name->text[0] != '.' &&
		memcmp(name->text + name->length - end, suffix, end) == 0 &&
		memchr(name->text, '/', name->length) == NULL &&
		memchr(name->text, '\\', name->length) == NULL &&
		memchr(name->text, ':', name->length) == NULL &&
		memchr(name->text, '\0', name->length) == NULL)
		return true;
	format_fault(fault, FORMAT_MALFORMED, 0, 0,
				 "\"%s\", the file of tensor \"%s\", is not the name of a safetensors file of the same folder.",
				 utf8_excerpt(name->text, name->length, file),
				 utf8_excerpt(key->text, key->length, excerpt));
	return false;
}

static int
compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static int
compare_places(const void *a, const void *b)
{
	return strcmp(((const SafetensorsPlace *) a)->tensor,
				  ((const SafetensorsPlace *) b)->tensor);
}

static int
find_file(const SafetensorsIndex *index, const char *name)
{
	const char **found = bsearch(&name, index->files,
								 (size_t) index->file_count,
								 sizeof(*index->files), compare_texts);

	return (int) (found - index->files);
}

/* The names of all files, each once, sorted. */
static bool
collect_files(SafetensorsIndex *index, Arena *arena, const JsonValue *map,
			  FormatFault *fault)
{
	size_t		count = json_count(map);
	size_t		kept = 0;

	index->files = arena_alloc_array(arena, count, sizeof(*index->files));
	if (index->files == NULL)
		return no_memory(fault);
	count = 0;
	for (const JsonValue *key = json_first(map); key != NULL;
		 key = json_next(map, key))
	{
		const JsonValue *name = json_member(key);

		if (!check_file_name(key, name, fault))
			return false;
		index->files[count] = arena_copy(arena, name->text, name->length);
		if (index->files[count++] == NULL)
			return no_memory(fault);
	}
	qsort(index->files, count, sizeof(*index->files), compare_texts);
	for (size_t i = 0; i < count; i++)
	{
		if (kept == 0 || strcmp(index->files[kept - 1], index->files[i]) != 0)
			index->files[kept++] = index->files[i];
	}
	if (kept > MAX_FILES)
	{
		format_fault(fault, FORMAT_TOO_LARGE, 0, 0, "The index names %zu files.", kept);
		return false;
	}
	index->file_count = (int) kept;
	return true;
}

static bool
collect_places(SafetensorsIndex *index, Arena *arena, const JsonValue *map,
			   FormatFault *fault)
{
	index->places = arena_alloc_array(arena, json_count(map),
									  sizeof(*index->places));
	if (index->places == NULL)
		return no_memory(fault);
	for (const JsonValue *key = json_first(map); key != NULL;
		 key = json_next(map, key))
	{
		SafetensorsPlace *place = &index->places[index->count++];
		const JsonValue *name = json_member(key);
		Tensor		tensor = {0};
		char		file[256];

		if (!tensor_set_name(arena, &tensor, key->text, key->length, fault))
			return false;
		memcpy(file, name->text, name->length);
		file[name->length] = '\0';
		place->tensor = tensor.name;
		place->file = find_file(index, file);
	}
	qsort(index->places, index->count, sizeof(*index->places), compare_places);
	return true;
}

bool
safetensors_index_parse(SafetensorsIndex *index, Arena *arena,
						const char *text, size_t length,
						const JsonOptions *options, FormatFault *fault)
{
	const JsonValue *root;
	const JsonValue *map;

	memset(index, 0, sizeof(*index));
	root = json_parse(arena, text, length, options, fault);
	if (root == NULL)
		return false;
	map = json_get(root, "weight_map");
	if (!json_is(map, JSON_OBJECT))
	{
		format_fault(fault, FORMAT_MALFORMED, 0, 0, "\"weight_map\" is %s, not an object.",
					 json_kind_name(map));
		return false;
	}
	if (json_count(map) == 0)
	{
		format_fault(fault, FORMAT_MALFORMED, 0, 0, "\"weight_map\" is empty.");
		return false;
	}
	return collect_files(index, arena, map, fault) &&
		   collect_places(index, arena, map, fault);
}

bool
safetensors_index_merge(const SafetensorsIndex *index, Arena *arena,
						const Safetensors *heads, TensorList *list,
						FormatFault *fault)
{
	memset(list, 0, sizeof(*list));
	memset(fault, 0, sizeof(*fault));
	list->tensors = arena_alloc_array(arena, index->count, sizeof(Tensor));
	if (list->tensors == NULL)
		return no_memory(fault);
	for (size_t i = 0; i < index->count; i++)
	{
		const SafetensorsPlace *place = &index->places[i];
		const Tensor *tensor = tensor_find(&heads[place->file].list,
										   place->tensor);

		if (tensor == NULL)
		{
			format_fault(fault, FORMAT_MALFORMED, 0, 0,
						 "The index says that \"%.100s\" holds tensor \"%.100s\", but it does not.",
						 index->files[place->file], place->tensor);
			return false;
		}
		list->tensors[list->count] = *tensor;
		list->tensors[list->count++].file = place->file;
	}
	return tensor_list_finish(arena, list, fault);
}
