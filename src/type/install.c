/*-------------------------------------------------------------------------
 *
 * install.c
 *	  What the install script asks before it makes the first type.
 *
 * embed and pgvector live together in one database, each in a schema of its
 * own.  In one schema their types would collide, and the server's own words
 * about that do not tell the way out.
 *
 *-------------------------------------------------------------------------
 */
#include "type/element.h"

#include "access/genam.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "nodes/pg_list.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

static void
require_free_name(const char *name, Oid schema)
{
	Oid			type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
									   CStringGetDatum(name),
									   ObjectIdGetDatum(schema));
	Oid			extension;

	if (!OidIsValid(type))
		return;
	extension = getExtensionOfObject(TypeRelationId, type);
	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 errmsg("type \"%s\" already exists in schema \"%s\"",
					name, get_namespace_name(schema)),
			 OidIsValid(extension) ?
			 errdetail("It belongs to extension \"%s\".", get_extension_name(extension)) : 0,
			 errhint("Give embed a schema of its own: CREATE SCHEMA embed; "
					 "CREATE EXTENSION embed SCHEMA embed.")));
}

/* The schema of a script under way is the first of its search path. */
EMBED_FUNCTION(embed_require_free_names);
Datum
embed_require_free_names(PG_FUNCTION_ARGS)
{
	List	   *path = fetch_search_path(false);
	Oid			schema;

	if (path == NIL)
		PG_RETURN_VOID();
	schema = linitial_oid(path);
	require_free_name(vector_type.name, schema);
	require_free_name(halfvec_type.name, schema);
	require_free_name(sparsevec_type.name, schema);
	list_free(path);
	PG_RETURN_VOID();
}
