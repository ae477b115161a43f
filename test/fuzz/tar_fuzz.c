/*-------------------------------------------------------------------------
 *
 * tar_fuzz.c
 *	  Would fail if some archive made the reader read or write outside its
 *	  memory, or hand out a member that is not there or a name that leads out
 *	  of the archive.
 *
 * Sums of headers are put right before the archive is read, because no change
 * would get past them otherwise; but not if the first byte is odd.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>

#include "format/tar.h"
#include "fuzz_tensors.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static TarReader reader;

static void
put_sums(uint8_t *bytes, size_t size)
{
	for (size_t at = 0; at + TAR_BLOCK <= size; at += TAR_BLOCK)
	{
		unsigned int sum = 0;

		if (bytes[at] == '\0' || bytes[at + 148] != '0')
			continue;
		memset(bytes + at + 148, ' ', 8);
		for (int i = 0; i < TAR_BLOCK; i++)
			sum += bytes[at + (size_t) i];
		snprintf((char *) bytes + at + 148, 8, "%06o", sum);
	}
}

static void
require_name(const char *name)
{
	size_t		length = strlen(name);

	require(length > 0 && length <= TAR_MAX_NAME);
	require(name[0] != '/' && name[length - 1] != '/' && strstr(name, "//") == NULL);
	require(strcmp(name, "..") != 0 && strncmp(name, "../", 3) != 0 && strstr(name, "/../") == NULL);
	require(length < 3 || strcmp(name + length - 3, "/..") != 0);
	require(utf8_valid_length((const unsigned char *) name, length) == length);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t    *bytes;
	FormatFile	file;
	TarEvent	event;
	unsigned char head[TAR_MAX_HEAD];
	size_t		members = 0;

	if (size < 1)
		return 0;
	bytes = malloc(size);
	memcpy(bytes, data + 1, --size);
	if ((data[0] & 1) == 0)
		put_sums(bytes, size);
	file = format_file_of_bytes(bytes, size);
	tar_begin(&reader, &file);
	while ((event = tar_next(&reader)) == TAR_MEMBER)
	{
		require(++members <= size / TAR_BLOCK);
		require_name(reader.name);
		require(reader.offset <= size && reader.size <= size - reader.offset);
		require(tar_write_head(head, reader.name, reader.size, 0) > 0);
	}
	require_fault(&reader.fault, event == TAR_END);
	require(tar_next(&reader) == event);
	free(bytes);
	return 0;
}
