/*-------------------------------------------------------------------------
 *
 * source.h
 *	  Where the files of a model come from when it is imported.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NETWORK_SOURCE_H
#define NETWORK_SOURCE_H

#include "server/server.h"

#include "format/folder.h"

typedef struct NetworkSource
{
	FolderFile *files;
	int			count;
	int			capacity;
	const char *model;			/* for messages */

	/* files of the server: one is open at a time */
	const char *open_path;
	int			descriptor;		/* or -1 */

	/* values of a query, one after the other in a temporary file */
	struct BufFile *spool;
	uint64		spooled;
	int		   *objects;		/* descriptors of large objects */
	int			object_count;

	/* if it is one file that may be of word vectors: where it is */
	const char *path;			/* of the server */
	Oid			object;
	struct varlena *data;
} NetworkSource;

extern NetworkSource *source_of_directory(const char *model, const char *path);
extern NetworkSource *source_of_file(const char *model, const char *path);
extern NetworkSource *source_of_object(const char *model, Oid object);
extern NetworkSource *source_of_data(const char *model, struct varlena *data);
extern NetworkSource *source_of_query(const char *model, const char *query);
extern void source_close(NetworkSource *source);

/* Between the files that make sources. */
extern NetworkSource *source_create(const char *model);
extern void source_add(NetworkSource *source, const char *name,
					   FormatFile file);
extern FormatFile source_object(NetworkSource *source, Oid object);

/*
 * A single file that is an archive becomes the files in it; one that has no
 * telling name gets the name that its contents ask for.
 */
extern void source_unpack(NetworkSource *source);

#endif							/* NETWORK_SOURCE_H */
