/*-------------------------------------------------------------------------
 *
 * extension.h
 *	  The extension's own objects, and choices among names.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SERVER_EXTENSION_H
#define SERVER_EXTENSION_H

#include "server/server.h"

/*
 * Index of value among choices (ended by NULL); otherwise an error "unknown
 * <kind> "<value>"" whose hint lists the choices.
 */
extern int	choice_index(const char *kind, const char *value,
						 const char *const *choices);

/* the extension's own schema, and an object of it */
extern Oid	extension_schema(void);
extern Oid	extension_type(const char *name);


/* schema-qualified, quoted name of a relation; ereports if it is gone */
extern char *qualified_relation_name(Oid relation);

#endif							/* SERVER_EXTENSION_H */
