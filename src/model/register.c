/*-------------------------------------------------------------------------
 *
 * register.c
 *	  Tables that others filled become models, or are taken up again after
 *	  changes that the trigger did not see.
 *
 *-------------------------------------------------------------------------
 */
#include "model/model_private.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "server/execute.h"
#include "server/extension.h"
#include "server/name_value.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

EMBED_FUNCTION(register_model);
EMBED_FUNCTION(embed_refresh);

/* ---------- options ---------- */

/* The elements name=value of an array */
static List *
parse_options(ArrayType *array)
{
	List	   *options = NIL;
	int			count;
	NameValue  *given = name_value_parse_array(array,
											   "option of an embedding model",
											   "dims=100", &count);

	for (int i = 0; i < count; i++)
		options = model_option_append(options, given[i].name, given[i].value);
	return options;
}

/* A method that has dimensions takes them from its vector(n) column */
static void
add_dims(List **options, Relation table, const ModelMethod *method,
		 const AttrNumber *attributes)
{
	if (model_option_given(*options, "dims"))
		return;
	for (int i = 0; i < method->column_count; i++)
	{
		int32		typmod = TupleDescAttr(RelationGetDescr(table),
										   attributes[i] - 1)->atttypmod;

		if (method->columns[i].type_name != NULL && typmod > 0)
		{
			*options = model_option_append(*options, "dims",
										   psprintf("%d", typmod));
			return;
		}
	}
}

/* ---------- row 0 ---------- */

pg_noreturn static void
report_header_needed(Relation table, const ModelMethod *method)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("table \"%s\" has no row 0",
					RelationGetRelationName(table)),
			 errdetail("The row with id 0 of a %s model holds totals that its other rows cannot tell, such as the number of documents.",
					   method->name),
			 errhint("Insert it, with NULL in the columns that say nothing about the whole.")));
}

/*
 * Give row 0 a new version, and make it where there is none, unless it holds
 * what the other rows cannot tell.
 */
static void
write_header(Relation table, const ModelMethod *method)
{
	Oid			oid = RelationGetRelid(table);
	ModelCaller caller;

	if (!model_touch(table))
	{
		if (method->header_needed)
			report_header_needed(table, method);
		model_become_writer(oid, &caller);
		execute_command(psprintf("INSERT INTO %s (id) OVERRIDING SYSTEM VALUE VALUES (0)",
								 qualified_relation_name(oid)),
						SPI_OK_INSERT);
		model_become_caller(&caller);
	}
	if (method->refresh_header != NULL)
		method->refresh_header(oid);
}

/* ---------- register_model ---------- */

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
	ModelDescription *description;
	List	   *options;
	Relation	table;
	AttrNumber	attributes[MODEL_MAX_COLUMNS];
	bool		has_config;

	(void) choice_index("embedding method", method_name,
						model_method_names());
	method = model_method_find(method_name);
	model_check_owner(relation);

	table = model_table_open(relation, ShareRowExclusiveLock);
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
	options = parse_options(PG_GETARG_ARRAYTYPE_P(3));
	has_config = option_find(method->options, "config") != NULL;
	if (has_config && !model_option_given(options, "config"))
		options = model_option_append(options, "config",
									  model_config_name(PG_GETARG_OID(2)));
	add_dims(&options, table, method, attributes);
	description = model_describe_options(
		method, RelationGetRelationName(table), options,
		"Options are given as 'name=value', such as 'dims=65536'.");
	if (has_config)
		(void) model_option_config(description);
	relation_close(table, NoLock);

	model_create_key(relation);
	table = model_table_open(relation, NoLock);
	write_header(table, method);
	relation_close(table, NoLock);
	model_create_trigger(relation, model_trigger_arguments(method, options));
	PG_RETURN_OID(relation);
}

/* embed_refresh(model regclass) */
Datum
embed_refresh(PG_FUNCTION_ARGS)
{
	Oid			relation = PG_GETARG_OID(0);
	ModelDescription *description = model_describe(relation);
	Relation	table;

	model_check_owner(relation);
	table = model_table_open(relation,
							 description->method->refresh_header != NULL ?
							 ShareRowExclusiveLock : RowExclusiveLock);
	model_check_table(table);
	write_header(table, description->method);
	relation_close(table, NoLock);
	PG_RETURN_VOID();
}
