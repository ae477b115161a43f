/*-------------------------------------------------------------------------
 *
 * format.c
 *	  The window over a file, faults, and numbers in bytes.
 *
 *-------------------------------------------------------------------------
 */
#include "format/format.h"

#include "format/utf8.h"

#include <stdio.h>
#include <string.h>

const char *
format_message(FormatStatus status)
{
	switch (status)
	{
		case FORMAT_OK:
			return "no error";
		case FORMAT_READ_FAILED:
			return "file could not be read";
		case FORMAT_UNRECOGNIZED:
			return "file format not recognized";
		case FORMAT_UNSUPPORTED:
			return "unsupported file format";
		case FORMAT_TRUNCATED:
			return "file ends too early";
		case FORMAT_MALFORMED:
			return "malformed file";
		case FORMAT_NOT_FINITE:
			return "file contains a value that is not finite";
		case FORMAT_TOO_LARGE:
			return "file exceeds a limit";
		case FORMAT_OUT_OF_MEMORY:
			return "out of memory";
	}
	return "unknown error";
}

void
format_source_begin(FormatSource *source, FormatRead read, void *context)
{
	source->read = read;
	source->context = context;
	source->ended = false;
	source->failed = false;
	source->position = 0;
	source->start = 0;
	source->end = 0;
}

size_t
format_source_fill(FormatSource *source, size_t wanted)
{
	if (source->end - source->start >= wanted)
		return source->end - source->start;
	if (wanted > FORMAT_WINDOW - source->start)
	{
		memmove(source->window, source->window + source->start,
				source->end - source->start);
		source->end -= source->start;
		source->start = 0;
	}
	while (source->end - source->start < wanted &&
		   source->end < FORMAT_WINDOW && !source->ended && !source->failed)
	{
		size_t		room = FORMAT_WINDOW - source->end;
		ptrdiff_t	got = source->read(source->context,
									   source->window + source->end, room);

		if (got < 0 || (size_t) got > room)
			source->failed = true;
		else if (got == 0)
			source->ended = true;
		else
			source->end += (size_t) got;
	}
	return source->end - source->start;
}

void
format_source_skip(FormatSource *source, size_t count)
{
	source->start += count;
	source->position += count;
}

size_t
format_source_find(FormatSource *source, unsigned char value)
{
	size_t		searched = 0;

	for (;;)
	{
		size_t		available = source->end - source->start;
		const unsigned char *bytes = format_source_bytes(source);
		const unsigned char *found = memchr(bytes + searched, value,
											available - searched);

		if (found != NULL)
			return (size_t) (found - bytes);
		searched = available;
		if (available == FORMAT_WINDOW ||
			format_source_fill(source, available + 1) == available)
			return FORMAT_NOT_FOUND;
	}
}

void
format_fault(FormatFault *fault, FormatStatus status, uint64_t offset,
			 int64_t line, const char *detail, ...)
{
	va_list		arguments;

	va_start(arguments, detail);
	format_fault_list(fault, status, offset, line, detail, arguments);
	va_end(arguments);
}

void
format_fault_list(FormatFault *fault, FormatStatus status, uint64_t offset,
				  int64_t line, const char *detail, va_list arguments)
{
	if (fault->status != FORMAT_OK)
		return;
	fault->status = status;
	fault->offset = offset;
	fault->line = line;
	vsnprintf(fault->detail, sizeof(fault->detail), detail, arguments);
	/* no half of a character at the end of what had to be cut */
	fault->detail[utf8_valid_length((const unsigned char *) fault->detail,
									strlen(fault->detail))] = '\0';
}

uint32_t
format_read_uint32(const unsigned char *bytes)
{
	return (uint32_t) bytes[0] | (uint32_t) bytes[1] << 8 |
		(uint32_t) bytes[2] << 16 | (uint32_t) bytes[3] << 24;
}

uint64_t
format_read_uint64(const unsigned char *bytes)
{
	return (uint64_t) format_read_uint32(bytes) |
		   (uint64_t) format_read_uint32(bytes + 4) << 32;
}

void
format_read_floats(const unsigned char *bytes, float *values, int count)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	memcpy(values, bytes, (size_t) count * sizeof(float));
#else
	for (int i = 0; i < count; i++)
	{
		uint32_t	bits = format_read_uint32(bytes +
											  (size_t) i * sizeof(float));

		memcpy(&values[i], &bits, sizeof(bits));
	}
#endif
}

int
format_first_not_finite(const float *values, int count)
{
	for (int i = 0; i < count; i++)
	{
		uint32_t	bits;

		memcpy(&bits, &values[i], sizeof(bits));
		if ((bits & 0x7F800000) == 0x7F800000)
			return i;
	}
	return -1;
}

bool
name_ends_with(const char *name, const char *end)
{
	size_t		length = strlen(name);
	size_t		end_length = strlen(end);

	return length >= end_length &&
		   strcmp(name + length - end_length, end) == 0;
}
