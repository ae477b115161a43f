/*-------------------------------------------------------------------------
 *
 * json_private.h
 *	  Between the files of the JSON reader.
 *
 *-------------------------------------------------------------------------
 */
#ifndef FORMAT_JSON_PRIVATE_H
#define FORMAT_JSON_PRIVATE_H

#include "format/json.h"

typedef enum JsonDuplicates
{
	JSON_DUPLICATES_NONE,
	JSON_DUPLICATES_FOUND,
	JSON_DUPLICATES_NO_MEMORY
} JsonDuplicates;

/*
 * Marks every key that comes again later in the object, and takes it off the
 * object's count.  *again: one of those that come again.
 */
extern JsonDuplicates json_shadow_duplicates(Arena *arena, JsonValue *object,
											 const JsonOptions *options,
											 const JsonValue **again);

#endif							/* FORMAT_JSON_PRIVATE_H */
