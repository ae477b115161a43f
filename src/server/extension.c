/*-------------------------------------------------------------------------
 *
 * extension.c
 *	  The extension's own objects, and choices among names.
 *
 *-------------------------------------------------------------------------
 */
#include "server/extension.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_ts_config.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

int
choice_index(const char *kind, const char *value, const char *const *choices)
{
	StringInfoData list;

	for (int i = 0; choices[i] != NULL; i++)
	{
		if (strcmp(value, choices[i]) == 0)
			return i;
	}
	initStringInfo(&list);
	for (int i = 0; choices[i] != NULL; i++)
		appendStringInfo(&list, "%s%s", i == 0 ? "" : ", ", choices[i]);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown %s \"%s\"", kind, value),
			 errdetail("Names are compared letter by letter."),
			 errhint("Use one of %s.", list.data)));
}

Oid
schema_of_extension(const char *name)
{
	Relation	extensions = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			schema = InvalidOid;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber,
				F_NAMEEQ, CStringGetDatum(name));
	scan = systable_beginscan(extensions, ExtensionNameIndexId, true, NULL, 1,
							  &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		schema = ((Form_pg_extension) GETSTRUCT(tuple))->extnamespace;
	systable_endscan(scan);
	table_close(extensions, AccessShareLock);
	return schema;
}

Oid
extension_schema(void)
{
	Oid			schema = schema_of_extension("embed");

	if (!OidIsValid(schema))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("extension \"embed\" does not exist")));
	return schema;
}

Oid
extension_type(const char *name)
{
	Oid			type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
									   CStringGetDatum(name),
									   ObjectIdGetDatum(extension_schema()));

	if (!OidIsValid(type))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("type \"%s\" does not exist", name)));
	return type;
}

Oid
extension_config(const char *name)
{
	Oid			config = GetSysCacheOid2(TSCONFIGNAMENSP,
										 Anum_pg_ts_config_oid,
										 CStringGetDatum(name),
										 ObjectIdGetDatum(extension_schema()));

	if (!OidIsValid(config))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("text search configuration \"%s\" does not exist",
						name),
				 errhint("Name another one with config.")));
	return config;
}

char *
qualified_relation_name(Oid table)
{
	char	   *name = get_rel_name(table);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", table)));
	return quote_qualified_identifier(
		get_namespace_name(get_rel_namespace(table)), name);
}

Oid
extension_function(const char *name, Oid first, Oid second)
{
	CatCList   *list = SearchSysCacheList1(PROCNAMEARGSNSP,
										   CStringGetDatum(name));
	Oid			extension = get_extension_oid("embed", false);
	Oid			result = InvalidOid;
	int			fewest = FUNC_MAX_ARGS + 1;

	for (int i = 0; i < list->n_members; i++)
	{
		Form_pg_proc form = (Form_pg_proc) GETSTRUCT(&list->members[i]->tuple);
		int			count = OidIsValid(second) ? 2 : 1;

		if (form->pronargs >= count && form->pronargs < fewest &&
			form->proargtypes.values[0] == first &&
			(count == 1 || form->proargtypes.values[1] == second) &&
			getExtensionOfObject(ProcedureRelationId, form->oid) == extension)
		{
			result = form->oid;
			fewest = form->pronargs;
		}
	}
	ReleaseSysCacheList(list);
	if (!OidIsValid(result))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function %s of extension \"embed\" does not exist",
						name)));
	if (function_aclcheck(result, GetUserId(), ACL_EXECUTE) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FUNCTION, name);
	return result;
}
