/*-------------------------------------------------------------------------
 *
 * register.c
 *	  Tables that others filled become models, or are taken up again after
 *	  changes that the trigger did not see.
 *
 *-------------------------------------------------------------------------
 */
#include "model/model_private.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "server/extension.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

EMBED_FUNCTION(register_model);
EMBED_FUNCTION(embed_refresh);

/* ---------- options ---------- */

static void
add_option(List **options, const char *name, const char *value)
{
	ModelOption *option = palloc(sizeof(ModelOption));

	option->name = name;
	option->value = value;
	*options = lappend(*options, option);
}

/* The elements name=value of an array */
static List *
parse_options(ArrayType *array, const ModelMethod *method)
{
	List	   *options = NIL;
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements,
					  &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		char	   *option = nulls[i] ? "" : TextDatumGetCString(elements[i]);
		char	   *equals = strchr(option, '=');

		if (equals == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("invalid option of an embedding model: \"%s\"",
							option),
					 errdetail("Options have the form name=value."),
					 errhint("For example 'dims=100'.")));
		*equals = '\0';
		model_method_check_option(method, option);
		add_option(&options, option, equals + 1);
	}
	return options;
}

static bool
has_option(const List *options, const char *name)
{
	ListCell   *cell;

	foreach(cell, options)
	{
		if (strcmp(((ModelOption *) lfirst(cell))->name, name) == 0)
			return true;
	}
	return false;
}

/* A method that has dimensions takes them from its vector(n) column */
static void
add_dims(List **options, Relation table, const ModelMethod *method,
		 const AttrNumber *attributes)
{
	if (has_option(*options, "dims"))
		return;
	for (int i = 0; i < method->column_count; i++)
	{
		int32		typmod = TupleDescAttr(RelationGetDescr(table),
										   attributes[i] - 1)->atttypmod;

		if (method->columns[i].type_name != NULL && typmod > 0)
		{
			add_option(options, "dims", psprintf("%d", typmod));
			return;
		}
	}
}

/* ---------- row 0 ---------- */

static void
execute(const char *command, int expected)
{
	int			code;

	SPI_connect();
	code = SPI_execute(command, false, 0);
	if (code != expected)
		elog(ERROR, "could not execute \"%s\": %s", command,
			 SPI_result_code_string(code));
	SPI_finish();
}

static bool
has_header(const char *table)
{
	bool		result;

	SPI_connect();
	(void) SPI_execute(psprintf("SELECT FROM ONLY %s WHERE id OPERATOR(pg_catalog.=) 0",
								table), false, 1);
	result = SPI_processed > 0;
	SPI_finish();
	return result;
}

static void
report_header_needed(Oid table, const ModelMethod *method)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("table \"%s\" has no row 0", get_rel_name(table)),
			 errdetail("The row with id 0 of a %s model holds totals that its other rows cannot tell, such as the number of documents.",
					   method->name),
			 errhint("Insert it, with NULL in the columns that say nothing about the whole.")));
}

/*
 * Make row 0 what the other rows say it is, and give it a new version.
 */
static void
write_header(Oid table, const ModelMethod *method)
{
	char	   *name = qualified_relation_name(table);
	StringInfoData columns;
	StringInfoData totals;

	initStringInfo(&columns);
	initStringInfo(&totals);
	for (int i = 1; i < method->column_count; i++)
	{
		if (method->columns[i].total == NULL)
			continue;
		appendStringInfo(&columns, ", %s",
						 quote_identifier(method->columns[i].name));
		appendStringInfo(&totals, ", %s", method->columns[i].total);
	}
	if (!has_header(name))
	{
		if (method->header_needed)
			report_header_needed(table, method);
		execute(psprintf("INSERT INTO %s (id%s) SELECT 0%s FROM ONLY %s HAVING true",
						 name, columns.data, totals.data, name),
				SPI_OK_INSERT);
	}
	else if (columns.len > 0 && !method->header_needed)
		execute(psprintf("UPDATE ONLY %s SET (id%s) = (SELECT 0%s FROM ONLY %s WHERE id OPERATOR(pg_catalog.<>) 0 HAVING true) WHERE id OPERATOR(pg_catalog.=) 0",
						 name, columns.data, totals.data, name),
				SPI_OK_UPDATE);
	else
		execute(psprintf("UPDATE ONLY %s SET id = id WHERE id OPERATOR(pg_catalog.=) 0",
						 name),
				SPI_OK_UPDATE);
}

/* ---------- register_model ---------- */

static bool
has_primary_key(Oid table)
{
	Relation	relation = table_open(table, AccessShareLock);
	bool		result;

	list_free(RelationGetIndexList(relation));
	result = OidIsValid(relation->rd_pkindex);
	table_close(relation, NoLock);
	return result;
}

/*
 * register_model(model regclass, method text, config regconfig,
 *				  VARIADIC options text[])
 */
Datum
register_model(PG_FUNCTION_ARGS)
{
	Oid			relation = PG_GETARG_OID(0);
	char	   *method_name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	const ModelMethod *method;
	List	   *options;
	Relation	table;
	AttrNumber	attributes[MODEL_MAX_COLUMNS];
	ModelDescription *description;

	choice_index("embedding method", method_name, model_method_names());
	method = model_method_find(method_name);
	model_check_owner(relation);

	table = table_open(relation, ShareRowExclusiveLock);
	if (model_trigger(table) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("relation \"%s\" is an embedding model already",
						RelationGetRelationName(table)),
				 errdetail("Its trigger \"%s\" describes it.",
						   model_trigger_name(relation)),
				 errhint("Drop the trigger to describe the model anew, or call embed_refresh() after a change that the trigger did not see.")));
	model_check_table(table);
	model_check_columns(table, method, attributes);
	options = parse_options(PG_GETARG_ARRAYTYPE_P(3), method);
	if (!has_option(options, "config"))
		add_option(&options, "config", model_config_name(PG_GETARG_OID(2)));
	add_dims(&options, table, method, attributes);
	table_close(table, NoLock);

	if (!has_primary_key(relation))
		execute(psprintf("ALTER TABLE ONLY %s ADD PRIMARY KEY (id)",
						 qualified_relation_name(relation)), SPI_OK_UTILITY);
	write_header(relation, method);
	model_create_trigger(relation, model_trigger_arguments(method, options));
	description = model_describe(relation);
	if (method->check != NULL)
	{
		table = table_open(relation, NoLock);
		method->check(description, table);
		table_close(table, NoLock);
	}
	PG_RETURN_OID(relation);
}

/* embed_refresh(model regclass) */
Datum
embed_refresh(PG_FUNCTION_ARGS)
{
	Oid			relation = PG_GETARG_OID(0);
	ModelDescription *description = model_describe(relation);

	model_check_owner(relation);
	write_header(relation, description->method);
	PG_RETURN_VOID();
}
