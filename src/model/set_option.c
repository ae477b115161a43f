/*-------------------------------------------------------------------------
 *
 * set_option.c
 *	  SQL function set_model_option: a choice of the user's about a model.
 *
 * A model's options are arguments of its trigger.  Those that say how the
 * model is used, and not what it is, may be set at any time: the trigger is
 * made anew, and the model has another version.
 *
 *-------------------------------------------------------------------------
 */
#include "model/model_private.h"

#include "access/relation.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "server/execute.h"
#include "server/extension.h"
#include "tcop/utility.h"
#include "utils/builtins.h"

EMBED_FUNCTION(set_model_option);

/* The declaration of an option that may be set; else an error lists them. */
static const OptionDeclaration *
require_settable(const ModelDescription *description, const char *name)
{
	const OptionDeclaration *declarations = description->method->options;
	const OptionDeclaration *found = option_find(declarations, name);
	const char **names;
	int			count = 0;

	if (found != NULL && found->kept)
		return found;
	while (declarations[count].name != NULL)
		count++;
	names = palloc0((count + 1) * sizeof(char *));
	count = 0;
	for (int i = 0; declarations[i].name != NULL; i++)
	{
		if (declarations[i].kept)
			names[count++] = declarations[i].name;
	}
	if (count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("embedding model \"%s\" has no options that can be set",
						description->table_name),
				 errdetail("It is a model of method \"%s\".",
						   description->method->name)));
	if (found != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"%s\" cannot be set", name),
				 errdetail("It says what the model is, not how it is used.")));
	(void) choice_index("option", name, names);
	pg_unreachable();
}

/* The options of a description with one of them changed, or without it. */
static List *
changed_options(const ModelDescription *description,
				const OptionDeclaration *declaration, const char *value)
{
	List	   *options = NIL;
	bool		placed = value == NULL;

	for (int i = 0; i < description->option_count; i++)
	{
		const ModelOption *option = &description->options[i];
		bool		is_it = strcmp(option->name, declaration->name) == 0;

		if (!is_it)
			options = model_option_append(options, option->name,
										  option->value);
		else if (!placed)
		{
			options = model_option_append(options, declaration->name, value);
			placed = true;
		}
	}
	if (!placed)
		options = model_option_append(options, declaration->name, value);
	return options;
}

/* Names of configurations are kept as the catalog has them. */
static char *
normal_value(const OptionDeclaration *declaration, char *value)
{
	if (value == NULL || declaration->kind != OPTION_CONFIG)
		return value;
	return model_config_name(DatumGetObjectId(
		DirectFunctionCall1(regconfigin, CStringGetDatum(value))));
}

/* set_model_option(model regclass, name text, value text) */
Datum
set_model_option(PG_FUNCTION_ARGS)
{
	Oid			relation;
	char	   *value = NULL;
	ModelDescription *description;
	const OptionDeclaration *declaration;
	Relation	table;
	List	   *options;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null",
						PG_ARGISNULL(0) ? "model" : "name")));
	PreventCommandIfReadOnly("ALTER TABLE");
	PreventCommandIfParallelMode("ALTER TABLE");
	PreventCommandDuringRecovery("ALTER TABLE");
	relation = PG_GETARG_OID(0);
	description = model_describe(relation);
	model_check_owner(relation);
	declaration = require_settable(description,
								   text_to_cstring(PG_GETARG_TEXT_PP(1)));
	if (!PG_ARGISNULL(2))
		value = normal_value(declaration,
							 text_to_cstring(PG_GETARG_TEXT_PP(2)));

	table = model_table_open(relation, ShareRowExclusiveLock);
	model_check_table(table);
	description = model_describe_relation(table);
	options = changed_options(description, declaration, value);
	/* checks all of them, and that they fit each other */
	(void) model_describe_options(description->method,
								  RelationGetRelationName(table), options,
								  "The option keeps its value.");
	(void) model_touch(table);
	relation_close(table, NoLock);
	execute_command(psprintf("DROP TRIGGER %s ON %s",
							 quote_identifier(model_trigger_name(relation)),
							 qualified_relation_name(relation)),
					SPI_OK_UTILITY);
	model_create_trigger(relation,
						 model_trigger_arguments(description->method,
												 options));
	PG_RETURN_VOID();
}
