/*-------------------------------------------------------------------------
 *
 * column_create.c
 *	  embed_column: column, trigger, vectors and index in one call.
 *
 * Every step is an SQL statement that could have been written by hand, is
 * run as the caller, and is returned.  A step whose result is there already
 * is left out, so a call that failed, or that was made with fill => false,
 * can be made again; what is there but other than asked for is an error.
 *
 *-------------------------------------------------------------------------
 */
#include "column/column.h"

#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "server/execute.h"
#include "server/extension.h"
#include "server/set_result.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

EMBED_FUNCTION(embed_column);

/* arguments, in order */
enum
{
	ARG_TABLE,
	ARG_SOURCES,
	ARG_MODEL,
	ARG_COLUMN,
	ARG_ENCODER,
	ARG_POOLING,
	ARG_PROMPT,
	ARG_INDEX,
	ARG_FILL,
	ARG_VERSION_COLUMN
};

/* What is asked for, and what of it the table does not have yet */
typedef struct ColumnPlan
{
	Oid			table;
	char	   *table_name;		/* qualified, quoted */
	char	   *schema;			/* of the extension */
	KeptColumn	kept;
	int			dims;
	bool		needs_column;
	bool		needs_version;
	bool		needs_trigger;
	List	   *dead_triggers;	/* names of those to be made again */
	bool		needs_index;
	bool		fill;
	bool		distributed;	/* by Citus */
	struct ReturnSetInfo *result;
} ColumnPlan;

/* ---------- arguments ---------- */

static char *
optional_text(FunctionCallInfo fcinfo, int argument)
{
	return PG_ARGISNULL(argument) ? NULL :
		text_to_cstring(PG_GETARG_TEXT_PP(argument));
}

static void
refuse_nulls(FunctionCallInfo fcinfo)
{
	static const char *const names[] = {"table", "sources", "model"};

	for (int i = 0; i < lengthof(names); i++)
	{
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument \"%s\" must not be null", names[i])));
	}
	for (int i = ARG_INDEX; i <= ARG_VERSION_COLUMN; i++)
	{
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("index, fill and version_column must not be null")));
	}
}

static void
read_sources(KeptColumn *kept, ArrayType *array)
{
	Datum	   *values;
	bool	   *nulls;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls,
					  &kept->source_count);
	if (kept->source_count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no source column is given"),
				 errhint("Give the names of columns of text, such as ARRAY['title', 'body'].")));
	kept->sources = palloc(sizeof(char *) * kept->source_count);
	for (int i = 0; i < kept->source_count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("names of source columns must not be null")));
		kept->sources[i] = TextDatumGetCString(values[i]);
	}
}

/* ---------- what is there ---------- */

/*
 * Open the table under a lock that keeps other calls of the same kind out.
 */
static Relation
open_table(Oid table)
{
	Relation	relation;

	if (get_rel_name(table) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", table)));
	if (!relation_ownercheck(table, GetUserId()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of table %s", get_rel_name(table))));
	relation = table_open(table, ShareRowExclusiveLock);
	if (relation->rd_rel->relkind != RELKIND_RELATION &&
		relation->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table",
						RelationGetRelationName(relation))));
	if (relation->rd_rel->relkind == RELKIND_RELATION &&
		has_subclass(table) && find_inheritance_children(table, NoLock) != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("other tables inherit from table \"%s\"",
						RelationGetRelationName(relation)),
				 errdetail("They would inherit the column without what keeps it fresh."),
				 errhint("Keep columns of the inheriting tables, or make partitions of them.")));
	return relation;
}

static void
check_sources(Relation table, const KeptColumn *kept)
{
	for (int i = 0; i < kept->source_count; i++)
	{
		(void) source_column(table, kept->sources[i]);
		for (int n = 0; n < i; n++)
		{
			if (strcmp(kept->sources[i], kept->sources[n]) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_DUPLICATE_COLUMN),
						 errmsg("source column \"%s\" is named twice",
								kept->sources[i])));
		}
	}
}

/*
 * Whether the column is to be added.
 */
static bool
column_is_missing(Relation table, const ColumnPlan *plan)
{
	const KeptColumn *kept = &plan->kept;
	AttrNumber	number = get_attnum(plan->table, kept->column);
	Form_pg_attribute attribute;

	if (number == InvalidAttrNumber)
		return true;
	attribute = number < 0 ? NULL :
		TupleDescAttr(RelationGetDescr(table), number - 1);
	if (attribute == NULL ||
		attribute->atttypid != extension_type(kept->method->type) ||
		(attribute->atttypmod > 0 && attribute->atttypmod != plan->dims) ||
		attribute->attgenerated != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_COLUMN),
				 errmsg("column \"%s\" of table \"%s\" is there and cannot hold the vectors",
						kept->column, RelationGetRelationName(table)),
				 attribute == NULL ? 0 :
				 errdetail("It is of type %s%s; %s with model %s makes %s(%d).",
						   format_type_with_typemod(attribute->atttypid,
													attribute->atttypmod),
						   attribute->attgenerated != '\0' ?
						   ", generated" : "", kept->method->name, kept->model,
						   kept->method->type, plan->dims),
				 errhint("Give another name by \"column\" => '...'.")));
	return false;
}

/*
 * Whether the version column is to be added.  Its name is cut where it would
 * be too long, and may be that of another kept column then.
 */
static bool
version_is_missing(Relation table, const KeptColumn *kept)
{
	ListCell   *cell;

	if (kept->version == NULL)
		return false;
	foreach(cell, kept_columns_of(table))
	{
		KeptColumn *there = lfirst(cell);

		if (there->version != NULL &&
			strcmp(there->version, kept->version) == 0 &&
			strcmp(there->column, kept->column) != 0 &&
			get_attnum(RelationGetRelid(table), there->column) > 0)
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_COLUMN),
					 errmsg("column \"%s\" holds the versions of column \"%s\"",
							kept->version, there->column),
					 errhint("Give another name by \"column\" => '...'.")));
	}
	if (get_attnum(RelationGetRelid(table), kept->version) ==
		InvalidAttrNumber)
		return true;
	(void) version_column(table, kept->version);
	return false;
}

static bool
equal_arguments(const KeptColumn *one, const KeptColumn *other)
{
	List	   *a = kept_column_arguments(one);
	List	   *b = kept_column_arguments(other);
	ListCell   *cell;
	int			i = 0;

	if (list_length(a) != list_length(b))
		return false;
	foreach(cell, a)
	{
		if (strcmp(lfirst(cell), list_nth(b, i++)) != 0)
			return false;
	}
	return true;
}

/*
 * Whether a trigger that names what is gone has kept this column before it, a
 * source or the model was renamed: it can do nothing but fail.
 */
static bool
is_dead(Relation table, const KeptColumn *there, const KeptColumn *kept)
{
	KeptColumn	renamed = *there;

	if (kept_column_fault(there, table) == NULL)
		return false;
	if (strcmp(there->column, kept->column) == 0)
		return true;
	renamed.column = kept->column;
	renamed.version = kept->version;
	if (!OidIsValid(kept_column_model(there, true)))
		renamed.model = kept->model;
	return get_attnum(RelationGetRelid(table), there->column) ==
		InvalidAttrNumber &&
		equal_arguments(&renamed, kept);
}

/*
 * Whether the trigger is to be made, and which are to go before.  Another one
 * for the same column would undo what this one does.
 */
static bool
trigger_is_missing(Relation table, ColumnPlan *plan)
{
	const KeptColumn *kept = &plan->kept;
	List	   *all = kept_columns_of(table);
	ListCell   *cell;

	foreach(cell, all)
	{
		KeptColumn *there = lfirst(cell);

		if (is_dead(table, there, kept))
		{
			plan->dead_triggers = lappend(plan->dead_triggers,
										  pstrdup(there->trigger));
			continue;
		}
		if (strcmp(there->column, kept->column) != 0)
			continue;
		if (!equal_arguments(there, kept))
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_OBJECT),
					 errmsg("column \"%s\" of table \"%s\" is already kept fresh in another way",
							kept->column, RelationGetRelationName(table)),
					 errhint("embed_columns() shows it.  Drop its trigger first, or give another name by \"column\" => '...'.")));
		return false;
	}
	return true;
}

/* ---------- statements ---------- */

static void
run(ColumnPlan *plan, const char *statement)
{
	Datum		value = CStringGetTextDatum(statement);
	bool		isnull = false;

	(void) execute_command(statement, EXECUTE_ANY);
	set_result_add(plan->result, &value, &isnull);
}

static void
add_columns(ColumnPlan *plan)
{
	const KeptColumn *kept = &plan->kept;

	if (plan->needs_column)
		run(plan, psprintf("ALTER TABLE %s ADD COLUMN %s %s(%d)",
						   plan->table_name, quote_identifier(kept->column),
						   quote_qualified_identifier(plan->schema,
													  kept->method->type),
						   plan->dims));
	if (plan->needs_version)
		run(plan, psprintf("ALTER TABLE %s ADD COLUMN %s pg_catalog.text",
						   plan->table_name, quote_identifier(kept->version)));
}

/*
 * Triggers fire in the order of their names: this one after those that may
 * change the sources.
 */
static char *
choose_trigger_name(const ColumnPlan *plan)
{
	char	   *name = makeObjectName("zz_embed", plan->kept.column, NULL);

	for (int i = 1; OidIsValid(get_trigger_oid(plan->table, name, true)); i++)
		name = makeObjectName("zz_embed", plan->kept.column,
							  psprintf("%d", i));
	return name;
}

static void
add_trigger(ColumnPlan *plan)
{
	StringInfoData sql;
	ListCell   *cell;
	const char *separator = "";

	foreach(cell, plan->dead_triggers)
		run(plan, psprintf("DROP TRIGGER %s ON %s",
						   quote_identifier(lfirst(cell)), plan->table_name));
	if (!plan->needs_trigger)
		return;
	if (plan->distributed)
		run(plan, "SET LOCAL citus.enable_unsafe_triggers TO on");
	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE TRIGGER %s BEFORE INSERT OR UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION %s(",
					 quote_identifier(choose_trigger_name(plan)),
					 plan->table_name,
					 quote_qualified_identifier(plan->schema,
												"embed_update_trigger"));
	foreach(cell, kept_column_arguments(&plan->kept))
	{
		appendStringInfo(&sql, "%s%s", separator,
						 quote_literal_cstr(lfirst(cell)));
		separator = ", ";
	}
	appendStringInfoChar(&sql, ')');
	run(plan, sql.data);
}

static void
fill_rows(ColumnPlan *plan)
{
	const KeptColumn *kept = &plan->kept;
	StringInfoData sql;

	if (!plan->fill)
		return;
	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s SET %s = %s", plan->table_name,
					 quote_identifier(kept->column),
					 kept_column_call(kept, false, kept->prompt,
									  kept_column_text(kept, NULL)));
	if (kept->version != NULL)
		appendStringInfo(&sql, ", %s = %s(%s::pg_catalog.regclass)",
						 quote_identifier(kept->version),
						 quote_qualified_identifier(plan->schema,
													"model_version"),
						 quote_literal_cstr(kept->model));
	appendStringInfo(&sql, " WHERE %s IS NULL AND %s OPERATOR(pg_catalog.>) 0",
					 quote_identifier(kept->column),
					 kept_column_known(kept, NULL));
	run(plan, sql.data);
}

static void
add_index(ColumnPlan *plan)
{
	const KeptColumn *kept = &plan->kept;
	const char *class = kept->method->operator_class;

	if (plan->needs_index)
		run(plan, psprintf("CREATE INDEX ON %s USING %s (%s %s)",
						   plan->table_name, kept->method->access_method,
						   quote_identifier(kept->column),
						   quote_qualified_identifier(plan->schema, class)));
}

/* ---------- the call ---------- */

static void
read_kept(FunctionCallInfo fcinfo, KeptColumn *kept)
{
	Oid			model = PG_GETARG_OID(ARG_MODEL);

	kept->model = qualified_relation_name(model);
	read_sources(kept, PG_GETARG_ARRAYTYPE_P(ARG_SOURCES));
	kept->column = PG_ARGISNULL(ARG_COLUMN) ? get_rel_name(model) :
		pstrdup(NameStr(*PG_GETARG_NAME(ARG_COLUMN)));
	kept->method = PG_ARGISNULL(ARG_ENCODER) ? column_method_of_model(model) :
		column_method(optional_text(fcinfo, ARG_ENCODER));
	kept->pooling = optional_text(fcinfo, ARG_POOLING);
	kept->prompt = optional_text(fcinfo, ARG_PROMPT);
	if (!kept->method->dense &&
		(kept->pooling != NULL || kept->prompt != NULL))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("encoder \"%s\" takes neither pooling nor prompt",
						kept->method->name)));
	if (PG_GETARG_BOOL(ARG_VERSION_COLUMN))
		kept->version = makeObjectName(kept->column, NULL, "version");
}

static void
look_at_table(ColumnPlan *plan, bool index)
{
	Relation	table = open_table(plan->table);

	check_sources(table, &plan->kept);
	plan->needs_column = column_is_missing(table, plan);
	plan->needs_version = version_is_missing(table, &plan->kept);
	plan->needs_trigger = trigger_is_missing(table, plan);
	plan->needs_index = index &&
		(plan->needs_column ||
		 !OidIsValid(column_index(table, get_attnum(plan->table,
													plan->kept.column))));
	plan->table_name = qualified_relation_name(plan->table);

	/* ALTER TABLE refuses a table that somebody here holds open */
	table_close(table, NoLock);
}

Datum
embed_column(PG_FUNCTION_ARGS)
{
	ColumnPlan		plan;

	refuse_nulls(fcinfo);
	memset(&plan, 0, sizeof(plan));
	plan.table = PG_GETARG_OID(ARG_TABLE);
	plan.schema = get_namespace_name(extension_schema());
	plan.fill = PG_GETARG_BOOL(ARG_FILL);
	read_kept(fcinfo, &plan.kept);
	plan.dims = column_method_check(plan.kept.method, fcinfo->flinfo,
									PG_GETARG_OID(ARG_MODEL),
									plan.kept.pooling, plan.kept.prompt);
	look_at_table(&plan, PG_GETARG_BOOL(ARG_INDEX));
	plan.distributed = table_is_distributed(plan.table);
	if (plan.distributed)
		refuse_distributed_model(PG_GETARG_OID(ARG_MODEL));
	if (plan.fill)
		refuse_distributed_fill(plan.table);
	plan.result = set_result_begin(fcinfo);
	add_columns(&plan);
	add_trigger(&plan);
	fill_rows(&plan);
	add_index(&plan);
	return (Datum) 0;
}
