/*-------------------------------------------------------------------------
 *
 * file.h
 *	  A file whose bytes can be asked for at any place, and a cursor that
 *	  goes through one.
 *
 * Where the bytes lie (a file of the server, a large object, a bytea, a member
 * of a tar) is the caller's affair.  Readers of large files ask for what they
 * need and never hold the whole of one.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FORMAT_FILE_H
#define FORMAT_FILE_H

#include "format/format.h"

/*
 * Copies exactly "length" bytes from "offset" on, all of which lie within the
 * size given for the file; false when reading failed.  It may leave the
 * parser by longjmp, which is how a caller cancels.
 */
typedef bool (*FormatFileRead) (void *context, uint64_t offset, void *buffer,
								size_t length);

typedef struct FormatFile
{
	FormatFileRead read;
	void	   *context;
	uint64_t	base;			/* where it begins in what "read" reads */
	uint64_t	size;
} FormatFile;

extern FormatFile format_file(FormatFileRead read, void *context,
							  uint64_t size);

/* Bytes in memory; they must stay there. */
extern FormatFile format_file_of_bytes(const void *bytes, size_t length);

/* A part of a file that is a file of its own; the part must lie within it. */
extern FormatFile format_file_part(const FormatFile *file, uint64_t offset,
								   uint64_t size);

/*
 * False and a fault if not all of it lies within the file, or reading failed.
 */
extern bool format_file_read(const FormatFile *file, uint64_t offset,
							 void *buffer, size_t length, FormatFault *fault);

/* Goes forward through a file, with a small buffer. */
typedef struct FormatCursor
{
	const FormatFile *file;
	FormatFault *fault;			/* after one, every call is false */
	uint64_t	at;				/* of buffer[start] in the file */
	size_t		start;
	size_t		end;
	unsigned char buffer[8192];
} FormatCursor;

extern void format_cursor_begin(FormatCursor *cursor, const FormatFile *file,
								uint64_t at, FormatFault *fault);

/* The next bytes, as many as asked for. */
extern bool format_cursor_read(FormatCursor *cursor, void *bytes,
							   size_t length);

/* Little-endian numbers. */
extern bool format_cursor_uint32(FormatCursor *cursor, uint32_t *value);
extern bool format_cursor_uint64(FormatCursor *cursor, uint64_t *value);

/* What is left from the cursor to the end of the file. */
static inline uint64_t
format_cursor_rest(const FormatCursor *cursor)
{
	return cursor->file->size - cursor->at;
}

#endif							/* FORMAT_FILE_H */
