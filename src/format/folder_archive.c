/*-------------------------------------------------------------------------
 *
 * folder_archive.c
 *	  An archive as the folder of a model.
 *
 *-------------------------------------------------------------------------
 */
#include "format/folder.h"

#include "format/tar.h"

#include <string.h>

static bool
no_memory(FormatFault *fault)
{
	format_fault(fault, FORMAT_OUT_OF_MEMORY, 0, 0, "No memory for the files of an archive.");
	return false;
}

/* The part after the last slash. */
static const char *
base_name(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash != NULL ? slash + 1 : name;
}

static bool
add_member(Arena *arena, const TarReader *reader, const FormatFile *archive,
		   FolderFile *file, FormatFault *fault)
{
	file->name = arena_copy(arena, reader->name, strlen(reader->name));
	if (file->name == NULL)
		return no_memory(fault);
	file->file = format_file_part(archive, reader->offset, reader->size);
	return true;
}

static bool
list_members(Arena *arena, TarReader *reader, const FormatFile *archive,
			 FolderFile *files, int *count, FormatFault *fault)
{
	TarEvent	event;

	while ((event = tar_next(reader)) == TAR_MEMBER)
	{
		if (strncmp(base_name(reader->name), "._", 2) == 0 || reader->kind == TAR_FOLDER)
			continue;
		if (reader->kind == TAR_LINK)
		{
			format_fault(fault, FORMAT_UNSUPPORTED, reader->offset, 0,
						 "\"%.80s\" is a link to \"%.80s\"; archive the files themselves (tar --dereference --hard-dereference).",
						 reader->name, reader->link);
			return false;
		}
		if (*count == FOLDER_MAX_FILES)
		{
			format_fault(fault, FORMAT_TOO_LARGE, reader->offset, 0,
						 "The archive has more than %d files.", FOLDER_MAX_FILES);
			return false;
		}
		if (!add_member(arena, reader, archive, &files[*count], fault))
			return false;
		(*count)++;
	}
	if (event == TAR_FAULT)
		*fault = reader->fault;
	return event == TAR_END;
}

/* Takes off the folder that all names begin with; false if there is none. */
static bool
take_off_folder(FolderFile *files, int count)
{
	const char *slash = count > 0 ? strchr(files[0].name, '/') : NULL;
	size_t		length;

	if (slash == NULL)
		return false;
	length = (size_t) (slash - files[0].name) + 1;
	for (int i = 1; i < count; i++)
	{
		if (strncmp(files[i].name, files[0].name, length) != 0)
			return false;
	}
	for (int i = 0; i < count; i++)
		files[i].name += length;
	return true;
}

bool
folder_of_archive(Arena *arena, const FormatFile *archive, FolderFile **files,
				  int *count, FormatFault *fault)
{
	TarReader  *reader = arena_alloc(arena, sizeof(*reader));

	memset(fault, 0, sizeof(*fault));
	*count = 0;
	*files = arena_alloc_array(arena, FOLDER_MAX_FILES, sizeof(**files));
	if (reader == NULL || *files == NULL)
		return no_memory(fault);
	tar_begin(reader, archive);
	if (!list_members(arena, reader, archive, *files, count, fault))
		return false;
	while (take_off_folder(*files, *count))
		;
	return true;
}
