/*-------------------------------------------------------------------------
 *
 * import.h
 *	  Bytes to and from where users keep files.
 *
 *-------------------------------------------------------------------------
 */
#ifndef WORDS_IMPORT_H
#define WORDS_IMPORT_H

#include "server/server.h"

#include "format/format.h"

/* A server file, a large object or a value, opened for one reading. */
typedef struct ImportSource ImportSource;

extern ImportSource *import_open_file(const char *path);
extern ImportSource *import_open_large_object(Oid object);
extern ImportSource *import_open_bytea(bytea *data);
extern void import_close(ImportSource *source);

/* In bytes. */
extern int64 import_size(const ImportSource *source);

/*
 * A FormatRead.  Looks for interrupts; a failure to read a file is thrown as
 * an error and not returned.
 */
extern ptrdiff_t import_read(void *source, void *buffer, size_t capacity);

#endif							/* WORDS_IMPORT_H */
