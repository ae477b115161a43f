/*-------------------------------------------------------------------------
 *
 * description.c
 *	  The description of a model: the arguments of its trigger.
 *
 * The first argument names the method, each further one is "name=value".
 * They come with the relcache entry, so no query is needed, and whatever
 * moves the table (dump, rename, replication of the schema) moves them.
 * They are text that the owner of the table may have written by hand:
 * everything read from them is checked.
 *
 *-------------------------------------------------------------------------
 */
#include "model/model_private.h"

#include <math.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_ts_config.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "server/extension.h"
#include "server/name_value.h"
#include "tsearch/ts_cache.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

/*
 * Whether a function is the trigger function of a model.  Only a superuser
 * makes functions in C, so its own link is proof enough, and it holds in
 * whatever schema the extension is.
 */
static bool
is_model_function(Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	bool		result = false;

	if (!HeapTupleIsValid(tuple))
		return false;
	if (((Form_pg_proc) GETSTRUCT(tuple))->prolang == ClanguageId)
	{
		bool		isnull;
		Datum		source = SysCacheGetAttr(PROCOID, tuple,
											 Anum_pg_proc_prosrc, &isnull);
		Datum		library;

		if (!isnull &&
			strcmp(TextDatumGetCString(source), MODEL_TRIGGER) == 0)
		{
			library = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_probin,
									  &isnull);
			result = !isnull && strcmp(TextDatumGetCString(library),
									   "$libdir/embed") == 0;
		}
	}
	ReleaseSysCache(tuple);
	return result;
}

Trigger *
model_trigger(Relation table)
{
	TriggerDesc *triggers = CopyTriggerDesc(table->trigdesc);

	if (triggers == NULL)
		return NULL;
	for (int i = 0; i < triggers->numtriggers; i++)
	{
		if (is_model_function(triggers->triggers[i].tgfoid))
			return &triggers->triggers[i];
	}
	return NULL;
}

/* ---------- parsing ---------- */

#define TRIGGER_HINT "Drop the trigger " MODEL_TRIGGER " and call register_model()."

pg_noreturn static void
report_bad_value(const ModelDescription *description,
				 const OptionDeclaration *declaration, const char *value,
				 const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for option \"%s\" of embedding model \"%s\": \"%s\"",
					declaration->name, description->table_name, value),
			 errdetail("The option is %s.", option_expectation(declaration)),
			 errhint("%s", hint)));
}

/*
 * Read all options through the method's declarations.  The last of several
 * with one name counts, as in a command line.
 */
static void
read_options(ModelDescription *description, const char *hint)
{
	const OptionDeclaration *declarations = description->method->options;
	int			count = 0;

	while (declarations[count].name != NULL)
		count++;
	description->values = palloc(Max(count, 1) * sizeof(OptionValue));
	for (int i = 0; i < count; i++)
		description->values[i] = option_missing(&declarations[i]);
	for (int i = 0; i < description->option_count; i++)
	{
		const ModelOption *option = &description->options[i];
		const OptionDeclaration *declaration;

		if (strcmp(option->name, MODEL_HISTORY) == 0)
			continue;
		declaration = option_require(declarations, option->name);
		if (!option_read(declaration, option->value,
						 &description->values[declaration - declarations]))
			report_bad_value(description, declaration, option->value, hint);
	}
	for (int i = 0; i < count; i++)
	{
		if (declarations[i].required && !description->values[i].given)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("embedding model \"%s\" lacks option \"%s\"",
							description->table_name, declarations[i].name),
					 errdetail("The option is %s.",
							   option_expectation(&declarations[i])),
					 errhint("%s", hint)));
	}
	if (description->method->check != NULL)
		description->method->check(description);
}

ModelDescription *
model_describe_options(const ModelMethod *method, const char *table_name,
					   List *options, const char *hint)
{
	ModelDescription *description = palloc0(sizeof(ModelDescription));
	ListCell   *cell;

	description->table_name = table_name;
	description->method = method;
	description->options = palloc((list_length(options) + 1) *
								  sizeof(ModelOption));
	foreach(cell, options)
		description->options[description->option_count++] =
			*(ModelOption *) lfirst(cell);
	read_options(description, hint);
	return description;
}

/* The description that these trigger arguments give, or an error */
static ModelDescription *
parse_arguments(Relation table, int count, char **arguments)
{
	ModelDescription *description;
	const char *table_name = pstrdup(RelationGetRelationName(table));
	const ModelMethod *method;
	List	   *options = NIL;
	uint64		hash = 0;

	if (count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("trigger of embedding model \"%s\" names no method",
						table_name),
				 errhint(TRIGGER_HINT)));
	(void) choice_index("embedding method", arguments[0],
						model_method_names());
	method = model_method_find(arguments[0]);
	for (int i = 1; i < count; i++)
	{
		NameValue	argument = name_value_parse(arguments[i],
												"option of an embedding model",
												NULL);

		options = model_option_append(options, argument.name, argument.value);
	}
	description = model_describe_options(method, table_name, options,
										 TRIGGER_HINT);
	description->table = RelationGetRelid(table);
	for (int i = 0; i < count; i++)
		hash = hash_bytes_extended((unsigned char *) arguments[i],
								   strlen(arguments[i]), hash + 1);
	description->hash = hash;
	return description;
}

ModelDescription *
model_describe_relation(Relation table)
{
	Trigger    *trigger = model_trigger(table);

	if (trigger == NULL)
		return NULL;
	return parse_arguments(table, trigger->tgnargs, trigger->tgargs);
}

Relation
model_table_open(Oid relation, LOCKMODE mode)
{
	Relation	table = try_relation_open(relation, mode);

	if (table == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", relation),
				 errhint("Give the model by its name.")));
	return table;
}

ModelDescription *
model_describe(Oid relation)
{
	Relation	table = model_table_open(relation, AccessShareLock);
	ModelDescription *description = model_describe_relation(table);

	if (description == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("relation \"%s\" is not an embedding model",
						RelationGetRelationName(table)),
				 errdetail("It has no trigger that calls %s().",
						   MODEL_TRIGGER),
				 errhint("Train or import a model, or call register_model() on a table that has the columns of one.")));
	relation_close(table, NoLock);
	return description;
}

ModelDescription *
model_description_copy(const ModelDescription *description,
					   MemoryContext context)
{
	MemoryContext caller = MemoryContextSwitchTo(context);
	ModelDescription *copy = palloc(sizeof(ModelDescription));

	*copy = *description;
	copy->table_name = pstrdup(description->table_name);
	copy->options = palloc((description->option_count + 1) *
						   sizeof(ModelOption));
	for (int i = 0; i < description->option_count; i++)
	{
		copy->options[i].name = pstrdup(description->options[i].name);
		copy->options[i].value = pstrdup(description->options[i].value);
	}
	read_options(copy, TRIGGER_HINT);
	MemoryContextSwitchTo(caller);
	return copy;
}

void
model_require_method(const ModelDescription *description, const char *method)
{
	if (strcmp(description->method->name, method) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("embedding model \"%s\" is not a %s model",
						description->table_name, method),
				 errdetail("Its method is %s.", description->method->name),
				 errhint("embed_models() lists the models and their methods.")));
}

/* ---------- options ---------- */

const OptionValue *
model_option(const ModelDescription *description, const char *name)
{
	const OptionDeclaration *declarations = description->method->options;
	const OptionDeclaration *declaration = option_find(declarations, name);

	if (declaration == NULL)
		elog(ERROR, "method %s does not declare option \"%s\"",
			 description->method->name, name);
	return &description->values[declaration - declarations];
}

bool
model_option_given(const List *options, const char *name)
{
	ListCell   *cell;

	foreach(cell, options)
	{
		if (strcmp(((ModelOption *) lfirst(cell))->name, name) == 0)
			return true;
	}
	return false;
}

List *
model_option_append(List *options, const char *name, const char *value)
{
	ModelOption *option = palloc(sizeof(ModelOption));

	option->name = pstrdup(name);
	option->value = pstrdup(value);
	return lappend(options, option);
}

Oid
model_option_config(const ModelDescription *description)
{
	const char *value = model_option(description, "config")->text;
	Oid			config;

	config = get_ts_config_oid(qualified_name_list(value), true);
	if (!OidIsValid(config))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("text search configuration \"%s\" does not exist",
						value),
				 errdetail("Embedding model \"%s\" was made with it.",
						   description->table_name),
				 errhint("Create the configuration, or drop the trigger %s and call register_model() with another one.",
						 MODEL_TRIGGER)));
	return config;
}

char *
model_config_name(Oid config)
{
	HeapTuple	tuple = SearchSysCache1(TSCONFIGOID, ObjectIdGetDatum(config));
	Form_pg_ts_config form;
	char	   *result;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("text search configuration with OID %u does not exist",
						config)));
	form = (Form_pg_ts_config) GETSTRUCT(tuple);
	result = quote_qualified_identifier(get_namespace_name(form->cfgnamespace),
										NameStr(form->cfgname));
	ReleaseSysCache(tuple);
	return result;
}

/* ---------- names ---------- */

Oid
model_column_type(const ModelColumn *column)
{
	return column->type_name == NULL ? column->type :
		extension_type(column->type_name);
}

/* The name of the model's trigger, which may have been renamed */
char *
model_trigger_name(Oid relation)
{
	Relation	table = table_open(relation, AccessShareLock);
	Trigger    *trigger = model_trigger(table);
	char	   *result = pstrdup(trigger == NULL ? MODEL_TRIGGER :
								 trigger->tgname);

	table_close(table, NoLock);
	return result;
}

/* What stands between the parentheses of EXECUTE FUNCTION */
char *
model_trigger_arguments(const ModelMethod *method, List *options)
{
	StringInfoData result;
	ListCell   *cell;

	initStringInfo(&result);
	appendStringInfoString(&result, quote_literal_cstr(method->name));
	foreach(cell, options)
	{
		ModelOption *option = lfirst(cell);

		appendStringInfo(&result, ", %s",
						 quote_literal_cstr(psprintf("%s=%s", option->name,
													 option->value)));
	}
	return result.data;
}
