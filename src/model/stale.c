/*-------------------------------------------------------------------------
 *
 * stale.c
 *	  What the old contents of a model have computed.
 *
 * Vectors stored in tables do not say which model computed them.  What can
 * be known is known from the catalogs: materialized views that depend on the
 * model, and triggers that name it in their arguments.
 *
 *-------------------------------------------------------------------------
 */
#include "model/model_private.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_trigger.h"
#include "lib/stringinfo.h"
#include "server/extension.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

/* The relation that a rule belongs to */
static Oid
relation_of_rule(Oid rule)
{
	Relation	rules = table_open(RewriteRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			result = InvalidOid;

	ScanKeyInit(&key, Anum_pg_rewrite_oid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(rule));
	scan = systable_beginscan(rules, RewriteOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		result = ((Form_pg_rewrite) GETSTRUCT(tuple))->ev_class;
	systable_endscan(scan);
	table_close(rules, AccessShareLock);
	return result;
}

static void
add_line(StringInfo list, const char *line)
{
	if (list->len > 0)
		appendStringInfoChar(list, '\n');
	appendStringInfoString(list, line);
}

static void
find_materialized_views(Oid model, StringInfo list)
{
	Relation	depend = table_open(DependRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(RelationRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(model));
	scan = systable_beginscan(depend, DependReferenceIndexId, true, NULL, 2,
							  keys);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);
		Oid			relation;

		if (form->classid != RewriteRelationId)
			continue;
		relation = relation_of_rule(form->objid);
		if (OidIsValid(relation) &&
			get_rel_relkind(relation) == RELKIND_MATVIEW)
			add_line(list, psprintf("Materialized view %s reads the model.",
									qualified_relation_name(relation)));
	}
	systable_endscan(scan);
	table_close(depend, AccessShareLock);
}

/* Whether an argument of a trigger, as text, is a name of the model */
static bool
names_model(const char *argument, Oid model)
{
	const char *name = get_rel_name(model);
	Oid			schema = get_rel_namespace(model);
	char	   *quoted;

	if (name == NULL)
		return false;
	quoted = quote_qualified_identifier(get_namespace_name(schema), name);
	if (strcmp(argument, quoted) == 0)
		return true;
	return (strcmp(argument, name) == 0 ||
			strcmp(argument, quote_identifier(name)) == 0) &&
		RelationIsVisible(model);
}

/*
 * the arguments of a trigger, one after the other, each ended by a zero byte
 */
static bool
trigger_names_model(HeapTuple tuple, Relation triggers, Oid model)
{
	Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);
	bool		isnull;
	Datum		datum = heap_getattr(tuple, Anum_pg_trigger_tgargs,
									 RelationGetDescr(triggers), &isnull);
	bytea	   *arguments;
	const char *at;
	const char *end;

	if (isnull || form->tgnargs == 0)
		return false;
	arguments = DatumGetByteaPP(datum);
	at = VARDATA_ANY(arguments);
	end = at + VARSIZE_ANY_EXHDR(arguments);
	for (int i = 0; i < form->tgnargs && at < end; i++)
	{
		if (names_model(at, model))
			return true;
		at += strlen(at) + 1;
	}
	return false;
}

static void
find_triggers(Oid model, StringInfo list)
{
	Relation	triggers = table_open(TriggerRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(triggers, InvalidOid, false, NULL, 0,
										  NULL);
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tuple);

		if (form->tgrelid != model && !form->tgisinternal &&
			trigger_names_model(tuple, triggers, model))
			add_line(list, psprintf("Trigger %s of table %s names the model.",
									quote_identifier(NameStr(form->tgname)),
									qualified_relation_name(form->tgrelid)));
	}
	systable_endscan(scan);
	table_close(triggers, AccessShareLock);
}

void
model_warn_of_stale(Oid model)
{
	StringInfoData list;

	initStringInfo(&list);
	find_materialized_views(model, &list);
	find_triggers(model, &list);
	if (list.len == 0)
		return;
	ereport(WARNING,
			(errmsg("what the old contents of embedding model \"%s\" have computed becomes stale",
					get_rel_name(model)),
			 errdetail("%s", list.data),
			 errhint("Compute the stored vectors again, and refresh the views.")));
}
