/*-------------------------------------------------------------------------
 *
 * folder_private.h
 *	  Between the files that read a model's folder.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FORMAT_FOLDER_PRIVATE_H
#define FORMAT_FOLDER_PRIVATE_H

#include "format/folder.h"

typedef struct FolderReader
{
	ModelFolder *folder;
	Arena	   *arena;
	const FolderFile *files;
	int			count;
	JsonOptions options;
	FormatFault *fault;
} FolderReader;

/* The index of a file of a folder ("" for the top), or -1. */
extern int	folder_find(const FolderReader *reader, const char *path,
						const char *name);

/* Keeps a fault about a file, -1 for none; false. */
extern bool folder_fault(FolderReader *reader, FormatStatus status, int file,
						 const char *detail, ...)
	__attribute__((format(printf, 4, 5)));

/* A configuration that is there; NULL and a fault. */
extern const JsonValue *folder_json(FolderReader *reader, int file);

/* Copies of a string of JSON, ended by a zero byte; NULL and a fault. */
extern const char *folder_text(FolderReader *reader, int file,
							   const JsonValue *value);

/*
 * An entry that must be a boolean or a whole number from least to most; if it
 * is not there, or null, the result is left as it is.
 */
extern bool folder_bool(FolderReader *reader, int file,
						const JsonValue *object, const char *name,
						bool *result);
extern bool folder_int(FolderReader *reader, int file, const JsonValue *object,
					   const char *name, int64_t least, int64_t most,
					   int64_t *result);

/* A fault for an entry of none of these names, which end with NULL. */
extern bool folder_known_keys(FolderReader *reader, int file,
							  const JsonValue *object,
							  const char *const *names);

/*
 * The tensors of a folder: of model.safetensors, or those that an index says,
 * or of the only file of safetensors.
 */
extern bool folder_weights(FolderReader *reader, const char *path,
						   TensorList *list);

/* modules.json, with what belongs to the modules. */
extern bool folder_modules(FolderReader *reader, int file);

/* Prompts, the longest text, lower case. */
extern bool folder_settings(FolderReader *reader, const char *path);

/* Which of the tensors are those of a static model. */
extern bool folder_static(FolderReader *reader);

#endif							/* FORMAT_FOLDER_PRIVATE_H */
