/*-------------------------------------------------------------------------
 *
 * folder_json.c
 *	  Files of a model's folder, and configurations among them.
 *
 *-------------------------------------------------------------------------
 */
#include "format/folder_private.h"

#include "format/utf8.h"

#include <string.h>

int
folder_find(const FolderReader *reader, const char *path, const char *name)
{
	size_t		length = strlen(path);

	for (int i = 0; i < reader->count; i++)
	{
		const char *file = reader->files[i].name;

		if (length > 0)
		{
			if (strncmp(file, path, length) != 0 || file[length] != '/')
				continue;
			file += length + 1;
		}
		if (strcmp(file, name) == 0)
			return i;
	}
	return -1;
}

bool
folder_fault(FolderReader *reader, FormatStatus status, int file,
			 const char *detail, ...)
{
	va_list		arguments;

	if (reader->fault->status != FORMAT_OK)
		return false;
	reader->folder->file = file >= 0 ? reader->files[file].name : NULL;
	va_start(arguments, detail);
	format_fault_list(reader->fault, status, 0, 0, detail, arguments);
	va_end(arguments);
	return false;
}

const JsonValue *
folder_json(FolderReader *reader, int file)
{
	const FormatFile *source = &reader->files[file].file;
	const JsonValue *root;
	char	   *text;

	if (source->size > FOLDER_MAX_CONFIG)
	{
		folder_fault(reader, FORMAT_TOO_LARGE, file, "A configuration has more than 16 MB.");
		return NULL;
	}
	reader->folder->file = reader->files[file].name;
	text = arena_alloc(reader->arena, (size_t) source->size);
	if (text == NULL)
	{
		folder_fault(reader, FORMAT_OUT_OF_MEMORY, file, "No memory for a configuration.");
		return NULL;
	}
	if (!format_file_read(source, 0, text, (size_t) source->size,
						  reader->fault))
		return NULL;
	root = json_parse(reader->arena, text, (size_t) source->size,
					  &reader->options, reader->fault);
	if (root == NULL)
		return NULL;
	reader->folder->file = NULL;
	return root;
}

const char *
folder_text(FolderReader *reader, int file, const JsonValue *value)
{
	char	   *copy;

	if (!json_is(value, JSON_STRING) ||
		memchr(value->text, '\0', value->length) != NULL)
	{
		folder_fault(reader, FORMAT_MALFORMED, file, "Expected a string, found %s.",
					 json_is(value, JSON_STRING) ? "one with a zero byte" : json_kind_name(value));
		return NULL;
	}
	copy = arena_copy(reader->arena, value->text, value->length);
	if (copy == NULL)
		folder_fault(reader, FORMAT_OUT_OF_MEMORY, file, "No memory for a string.");
	return copy;
}

bool
folder_bool(FolderReader *reader, int file, const JsonValue *object,
			const char *name, bool *result)
{
	const JsonValue *value = json_get(object, name);

	if (value == NULL || json_is(value, JSON_NULL) || json_bool(value, result))
		return true;
	return folder_fault(reader, FORMAT_MALFORMED, file, "\"%s\" is %s, not true or false.", name,
						json_kind_name(value));
}

bool
folder_int(FolderReader *reader, int file, const JsonValue *object,
		   const char *name, int64_t least, int64_t most, int64_t *result)
{
	const JsonValue *value = json_get(object, name);
	int64_t		number;

	if (value == NULL || json_is(value, JSON_NULL))
		return true;
	if (!json_int64(value, &number) || number < least || number > most)
		return folder_fault(reader, FORMAT_MALFORMED, file,
							"\"%s\" is not a whole number from %lld to %lld.", name,
							(long long) least, (long long) most);
	*result = number;
	return true;
}

bool
folder_known_keys(FolderReader *reader, int file, const JsonValue *object,
				  const char *const *names)
{
	char		excerpt[UTF8_EXCERPT];

	if (!json_is(object, JSON_OBJECT))
		return folder_fault(reader, FORMAT_MALFORMED, file, "Expected an object, found %s.",
							json_kind_name(object));
	for (const JsonValue *key = json_first(object); key != NULL;
		 key = json_next(object, key))
	{
		const char *const *name = names;

		while (*name != NULL && !json_equals(key, *name))
			name++;
		if (*name == NULL)
			return folder_fault(reader, FORMAT_UNSUPPORTED, file, "The option \"%s\" is not known.",
								utf8_excerpt(key->text, key->length, excerpt));
	}
	return true;
}
