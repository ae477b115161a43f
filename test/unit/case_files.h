/*-------------------------------------------------------------------------
 *
 * case_files.h
 *	  Files of the data that lies outside the tree, for tests that skip what
 *	  is not there.
 *
 *-------------------------------------------------------------------------
 */
#ifndef UNIT_CASE_FILES_H
#define UNIT_CASE_FILES_H

#include <stdio.h>
#include <string.h>

#include "check.h"

/*
 * A file named from EMBED_DATA on ("models/...", "../cases/models/..."), as a
 * block of exactly its size, which the caller frees; NULL if it is not there.
 */
static inline unsigned char *
read_data_file(const char *name, size_t *size)
{
	const char *folder = getenv("EMBED_DATA");
	char		path[4096];
	unsigned char *bytes = NULL;
	FILE	   *file;
	long		length;

	if (folder == NULL || folder[0] == '\0')
		return NULL;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "rb");
	if (file == NULL)
		return NULL;
	if (fseek(file, 0, SEEK_END) == 0 && (length = ftell(file)) >= 0)
	{
		rewind(file);
		bytes = exact_alloc((size_t) length);
		*size = fread(bytes, 1, (size_t) length, file);
		CHECK(*size == (size_t) length, "%s: read %zu bytes of %ld", path, *size, length);
	}
	fclose(file);
	return bytes;
}

#endif							/* UNIT_CASE_FILES_H */
