/*-------------------------------------------------------------------------
 *
 * file.c
 *	  Files that are read at any place.
 *
 *-------------------------------------------------------------------------
 */
#include "format/file.h"

#include <string.h>

FormatFile
format_file(FormatFileRead read, void *context, uint64_t size)
{
	FormatFile	file = {read, context, 0, size};

	return file;
}

static bool
read_memory(void *context, uint64_t offset, void *buffer, size_t length)
{
	memcpy(buffer, (const char *) context + offset, length);
	return true;
}

FormatFile
format_file_of_bytes(const void *bytes, size_t length)
{
	return format_file(read_memory, (void *) bytes, length);
}

FormatFile
format_file_part(const FormatFile *file, uint64_t offset, uint64_t size)
{
	FormatFile	part = *file;

	part.base += offset;
	part.size = size;
	return part;
}

bool
format_file_read(const FormatFile *file, uint64_t offset, void *buffer,
				 size_t length, FormatFault *fault)
{
	if (offset > file->size || length > file->size - offset)
	{
		format_fault(fault, FORMAT_TRUNCATED, file->size, 0,
					 "%zu bytes expected at byte %llu of a file of %llu.",
					 length, (unsigned long long) offset,
					 (unsigned long long) file->size);
		return false;
	}
	if (length > 0 &&
		!file->read(file->context, file->base + offset, buffer, length))
	{
		format_fault(fault, FORMAT_READ_FAILED, offset, 0, "%zu bytes could not be read.", length);
		return false;
	}
	return true;
}

void
format_cursor_begin(FormatCursor *cursor, const FormatFile *file, uint64_t at,
					FormatFault *fault)
{
	cursor->file = file;
	cursor->fault = fault;
	cursor->at = at;
	cursor->start = 0;
	cursor->end = 0;
}

bool
format_cursor_read(FormatCursor *cursor, void *bytes, size_t length)
{
	size_t		buffered = cursor->end - cursor->start;

	if (cursor->fault->status != FORMAT_OK)
		return false;
	if (length > buffered)
	{
		uint64_t	rest = format_cursor_rest(cursor);

		/* What is large goes straight to where it is wanted. */
		if (length >= sizeof(cursor->buffer) || length > rest)
		{
			cursor->start = cursor->end = 0;
			if (!format_file_read(cursor->file, cursor->at, bytes, length,
								  cursor->fault))
				return false;
			cursor->at += length;
			return true;
		}
		buffered = rest < sizeof(cursor->buffer) ? (size_t) rest
												 : sizeof(cursor->buffer);
		if (!format_file_read(cursor->file, cursor->at, cursor->buffer,
							  buffered, cursor->fault))
			return false;
		cursor->start = 0;
		cursor->end = buffered;
	}
	if (length > 0)
		memcpy(bytes, cursor->buffer + cursor->start, length);
	cursor->start += length;
	cursor->at += length;
	return true;
}

bool
format_cursor_uint32(FormatCursor *cursor, uint32_t *value)
{
	unsigned char bytes[4];

	if (!format_cursor_read(cursor, bytes, sizeof(bytes)))
		return false;
	*value = format_read_uint32(bytes);
	return true;
}

bool
format_cursor_uint64(FormatCursor *cursor, uint64_t *value)
{
	unsigned char bytes[8];

	if (!format_cursor_read(cursor, bytes, sizeof(bytes)))
		return false;
	*value = format_read_uint64(bytes);
	return true;
}
