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

/* an extension's schema, or InvalidOid */
extern Oid	schema_of_extension(const char *name);

/* the extension's own schema, and an object of it */
extern Oid	extension_schema(void);
extern Oid	extension_type(const char *name);

/*
 * A function of the extension that begins with these arguments (the second may
 * be InvalidOid), of several the one with the fewest; an error if the caller
 * may not run it.  Others may have made functions of that name in the schema:
 * ours belong to the extension.
 */
extern Oid	extension_function(const char *name, Oid first, Oid second);

/* the extension's own text search configuration of this name */
extern Oid	extension_config(const char *name);

/* schema-qualified, quoted name of a relation; ereports if it is gone */
extern char *qualified_relation_name(Oid relation);

#endif							/* SERVER_EXTENSION_H */
