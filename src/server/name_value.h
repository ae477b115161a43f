/*-------------------------------------------------------------------------
 *
 * name_value.h
 *	  Options written as "name=value".
 *
 *-------------------------------------------------------------------------
 */
#ifndef SERVER_NAME_VALUE_H
#define SERVER_NAME_VALUE_H

#include "server/server.h"

struct ArrayType;

typedef struct NameValue
{
	char	   *name;
	char	   *value;			/* all after the first '=', perhaps "" */
} NameValue;

/*
 * Take "name=value" apart; both are copied.  Without '=' an error "invalid
 * <kind>: ..." whose hint shows the example, kind being for instance "option
 * of an embedding model", the example "dims=100" or NULL.
 */
extern NameValue name_value_parse(const char *text, const char *kind,
								  const char *example);

/* The same for every element of a text[]; a NULL element is an error too */
extern NameValue *name_value_parse_array(struct ArrayType *array,
										 const char *kind,
										 const char *example, int *count);

/*
 * The value if the text is the option of this name, otherwise NULL: for
 * readers who must not fail at texts that others wrote.
 */
extern const char *name_value_match(const char *text, const char *name);

#endif							/* SERVER_NAME_VALUE_H */
