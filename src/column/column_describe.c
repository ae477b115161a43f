/*-------------------------------------------------------------------------
 *
 * column_describe.c
 *	  What the arguments of a trigger say of the column that it keeps.
 *
 * They are the column, the model, the source columns, then options written
 * as name=value: the same for the trigger that works by them, for the
 * functions that list, fill and search, and for whoever reads a dump.
 *
 *-------------------------------------------------------------------------
 */
#include "column/column.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "commands/trigger.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "server/extension.h"
#include "server/name_value.h"
#include "utils/builtins.h"
#include "nodes/makefuncs.h"
#include "parser/parse_coerce.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#define TRIGGER_EXAMPLE \
	"embed_update_trigger('embedding', 'public.model', 'title', 'body', 'pooling=mean')"

#define AFTER_RENAME \
	"If it has another name now, call embed_column() with the names of now, " \
	"\"column\" among them, and the trigger is made again; else drop the trigger."

/* ---------- which triggers ---------- */

/* The function is known by its name in the extension's schema. */
bool
is_column_trigger(const Trigger *trigger)
{
	char	   *name = get_func_name(trigger->tgfoid);

	return name != NULL && strcmp(name, "embed_update_trigger") == 0 &&
		get_func_namespace(trigger->tgfoid) == extension_schema();
}

/* ---------- reading ---------- */

/*
 * Put an argument behind the sources into its place.  Returns what is wrong
 * with it, or NULL.
 */
static const char *
read_option(KeptColumn *kept, const char *argument)
{
	const char *value;

	if ((value = name_value_match(argument, "encoder")) != NULL)
	{
		kept->method = column_method_find(value);
		if (kept->method == NULL)
			return psprintf("There is no encoder \"%s\".", value);
	}
	else if ((value = name_value_match(argument, "pooling")) != NULL)
		kept->pooling = value;
	else if ((value = name_value_match(argument, "prompt")) != NULL)
		kept->prompt = value;
	else if ((value = name_value_match(argument, "version")) != NULL)
		kept->version = value;
	else
		return psprintf("\"%s\" is none of the options encoder, pooling, prompt and version.",
						argument);
	return NULL;
}

static bool
has_column(Relation table, const char *name)
{
	return get_attnum(RelationGetRelid(table), name) > 0;
}

/*
 * Read the arguments of a trigger.  Returns what is wrong with them, or NULL.
 */
static const char *
parse_arguments(Relation table, const Trigger *trigger, KeptColumn *kept)
{
	int			place = 2;
	const char *fault;

	memset(kept, 0, sizeof(KeptColumn));
	kept->trigger = trigger->tgname;
	kept->enabled = trigger->tgenabled == TRIGGER_FIRES_ON_ORIGIN ||
		trigger->tgenabled == TRIGGER_FIRES_ALWAYS;
	kept->complete = TRIGGER_FOR_ROW(trigger->tgtype) &&
		TRIGGER_FOR_BEFORE(trigger->tgtype) &&
		TRIGGER_FOR_INSERT(trigger->tgtype) &&
		TRIGGER_FOR_UPDATE(trigger->tgtype);
	if (trigger->tgnargs < 3)
		return psprintf("It has only %d arguments.", trigger->tgnargs);
	kept->column = trigger->tgargs[0];
	kept->model = trigger->tgargs[1];
	kept->sources = palloc(sizeof(char *) * trigger->tgnargs);

	/* a column may be named like an option: then it is the column */
	for (; place < trigger->tgnargs; place++)
	{
		const char *argument = trigger->tgargs[place];

		if (!has_column(table, argument) && strchr(argument, '=') != NULL)
			break;
		kept->sources[kept->source_count++] = argument;
	}
	for (; place < trigger->tgnargs; place++)
	{
		fault = read_option(kept, trigger->tgargs[place]);
		if (fault != NULL)
			return fault;
	}
	if (kept->source_count == 0)
		return "It names no source column.";
	if (kept->method != NULL && !kept->method->dense &&
		(kept->pooling != NULL || kept->prompt != NULL))
		return psprintf("Encoder \"%s\" takes neither pooling nor prompt.",
						kept->method->name);
	return NULL;
}

KeptColumn *
kept_column_read(Relation table, const Trigger *trigger)
{
	KeptColumn *kept = palloc(sizeof(KeptColumn));
	const char *fault = parse_arguments(table, trigger, kept);

	if (fault != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("trigger \"%s\" of table \"%s\" does not say what to keep",
						trigger->tgname, RelationGetRelationName(table)),
				 errdetail("%s", fault),
				 errhint("The arguments are the column, the model, the source columns and options, such as %s.",
						 TRIGGER_EXAMPLE)));
	return kept;
}

const ColumnMethod *
kept_column_method(const KeptColumn *kept)
{
	return kept->method != NULL ? kept->method :
		column_method_of_model(kept_column_model(kept, false));
}

List *
kept_column_arguments(const KeptColumn *kept)
{
	List	   *arguments = list_make2(pstrdup(kept->column),
									   pstrdup(kept->model));

	for (int i = 0; i < kept->source_count; i++)
		arguments = lappend(arguments, pstrdup(kept->sources[i]));
	arguments = lappend(arguments,
						psprintf("encoder=%s",
								 kept_column_method(kept)->name));
	if (kept->pooling != NULL)
		arguments = lappend(arguments, psprintf("pooling=%s", kept->pooling));
	if (kept->prompt != NULL)
		arguments = lappend(arguments, psprintf("prompt=%s", kept->prompt));
	if (kept->version != NULL)
		arguments = lappend(arguments, psprintf("version=%s", kept->version));
	return arguments;
}

/* ---------- finding ---------- */

static Trigger *
copy_trigger(const Trigger *trigger)
{
	Trigger    *copy = palloc(sizeof(Trigger));

	*copy = *trigger;
	copy->tgname = pstrdup(trigger->tgname);
	copy->tgargs = palloc(sizeof(char *) * Max(trigger->tgnargs, 1));
	for (int i = 0; i < trigger->tgnargs; i++)
		copy->tgargs[i] = pstrdup(trigger->tgargs[i]);
	return copy;
}

List *
kept_columns_of(Relation table)
{
	List	   *triggers = NIL;
	List	   *result = NIL;
	ListCell   *cell;
	int			count;

	/* looking at catalogs may rebuild what the relcache holds: copy first */
	count = table->trigdesc == NULL ? 0 : table->trigdesc->numtriggers;
	for (int i = 0; i < count; i++)
		triggers = lappend(triggers,
						   copy_trigger(&table->trigdesc->triggers[i]));
	foreach(cell, triggers)
	{
		Trigger    *trigger = lfirst(cell);
		KeptColumn *kept = palloc(sizeof(KeptColumn));

		if (is_column_trigger(trigger) &&
			parse_arguments(table, trigger, kept) == NULL)
			result = lappend(result, kept);
	}
	return result;
}

KeptColumn *
kept_column_find(Relation table, const char *column)
{
	List	   *all = kept_columns_of(table);
	StringInfoData names;
	ListCell   *cell;

	initStringInfo(&names);
	foreach(cell, all)
	{
		KeptColumn *kept = lfirst(cell);

		if (strcmp(kept->column, column) == 0)
			return kept;
		appendStringInfo(&names, "%s\"%s\"", names.len > 0 ? ", " : "",
						 kept->column);
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("column \"%s\" of table \"%s\" is not kept fresh",
					column, RelationGetRelationName(table)),
			 names.len > 0 ?
			 errdetail("The table's kept columns are %s.", names.data) :
			 errdetail("The table has no kept column."),
			 errhint("Call embed_column() for it first.")));
}

/*
 * Take the name of a model apart; the database's own name before it says
 * nothing.  False if it is no name of a schema and a table.
 */
static bool
split_model_name(const char *name, char **schema, char **table)
{
	List	   *names;

	if (!SplitIdentifierString(pstrdup(name), '.', &names))
		return false;
	if (list_length(names) == 3 &&
		strcmp(linitial(names), get_database_name(MyDatabaseId)) == 0)
		names = list_delete_first(names);
	if (list_length(names) != 2)
		return false;
	*schema = linitial(names);
	*table = lsecond(names);
	return true;
}

Oid
kept_column_model(const KeptColumn *kept, bool missing_ok)
{
	char	   *schema;
	char	   *table;
	Oid			namespace;

	if (!split_model_name(kept->model, &schema, &table))
	{
		if (missing_ok)
			return InvalidOid;
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model \"%s\" must be schema-qualified", kept->model),
				 errdetail("A trigger also runs where the search path is another one."),
				 errhint("Create the trigger again with a name such as public.%s.",
						 strpbrk(kept->model, ".\"") == NULL ? kept->model :
						 "model")));
	}

	/* where that is enough nobody is told what is in a schema: the OID only */
	namespace = get_namespace_oid(schema, true);
	if (OidIsValid(namespace) && !missing_ok)
		namespace = LookupExplicitNamespace(schema, true);
	if (OidIsValid(namespace))
	{
		Oid			model = get_relname_relid(table, namespace);

		if (OidIsValid(model) || missing_ok)
			return model;
	}
	if (missing_ok)
		return InvalidOid;
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_TABLE),
			 errmsg("embedding model %s, which keeps column \"%s\" fresh, does not exist",
					kept->model, kept->column),
			 errhint(AFTER_RENAME)));
}

/* ---------- what is gone ---------- */

char *
kept_column_fault(const KeptColumn *kept, Relation table)
{
	if (!has_column(table, kept->column))
		return psprintf("Column \"%s\" does not exist.", kept->column);
	for (int i = 0; i < kept->source_count; i++)
	{
		if (!has_column(table, kept->sources[i]))
			return psprintf("Source column \"%s\" does not exist.",
							kept->sources[i]);
	}
	if (kept->version != NULL && !has_column(table, kept->version))
		return psprintf("Version column \"%s\" does not exist.",
						kept->version);
	if (!OidIsValid(kept_column_model(kept, true)))
		return psprintf("Model %s does not exist.", kept->model);
	return NULL;
}

void
kept_column_check(const KeptColumn *kept, Relation table)
{
	char	   *fault = kept_column_fault(kept, table);

	if (fault == NULL)
		return;

	/* a name that is not qualified has an error of its own */
	if (strncmp(fault, "Model", 5) == 0)
		(void) kept_column_model(kept, false);
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("trigger \"%s\" cannot keep column \"%s\" of table \"%s\" fresh",
					kept->trigger, kept->column,
					RelationGetRelationName(table)),
			 errdetail("%s", fault),
			 errhint(AFTER_RENAME)));
}

/* ---------- SQL ---------- */

static char *
column_reference(const char *alias, const char *column)
{
	if (alias == NULL)
		return pstrdup(quote_identifier(column));
	return psprintf("%s.%s", alias, quote_identifier(column));
}

char *
kept_column_known(const KeptColumn *kept, const char *alias)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "pg_catalog.num_nonnulls(");
	for (int i = 0; i < kept->source_count; i++)
		appendStringInfo(&sql, "%s%s", i > 0 ? ", " : "",
						 column_reference(alias, kept->sources[i]));
	appendStringInfoChar(&sql, ')');
	return sql.data;
}

char *
kept_column_text(const KeptColumn *kept, const char *alias)
{
	StringInfoData sql;

	if (kept->source_count == 1)
		return psprintf("%s::pg_catalog.text",
						column_reference(alias, kept->sources[0]));
	initStringInfo(&sql);
	appendStringInfo(&sql, "CASE WHEN %s OPERATOR(pg_catalog.>) 0 THEN pg_catalog.concat_ws(E'\\n\\n'",
					 kept_column_known(kept, alias));
	for (int i = 0; i < kept->source_count; i++)
		appendStringInfo(&sql, ", %s::pg_catalog.text",
						 column_reference(alias, kept->sources[i]));
	appendStringInfoString(&sql, ") END");
	return sql.data;
}

char *
kept_column_call(const KeptColumn *kept, bool question, const char *prompt,
				 const char *input)
{
	StringInfoData sql;
	const char *schema = get_namespace_name(extension_schema());
	const ColumnMethod *method = kept_column_method(kept);

	initStringInfo(&sql);
	appendStringInfo(&sql, "%s(%s::pg_catalog.regclass, %s",
					 quote_qualified_identifier(schema, question ?
												method->query : method->name),
					 quote_literal_cstr(kept->model), input);
	if (kept->pooling != NULL)
		appendStringInfo(&sql, ", pooling => %s",
						 quote_literal_cstr(kept->pooling));
	if (prompt != NULL)
		appendStringInfo(&sql, ", prompt => %s", quote_literal_cstr(prompt));
	appendStringInfoChar(&sql, ')');
	return sql.data;
}

/* ---------- tables ---------- */

Form_pg_attribute
table_column(Relation table, const char *name)
{
	AttrNumber	number = get_attnum(RelationGetRelid(table), name);

	if (number <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of table \"%s\" does not exist", name,
						RelationGetRelationName(table))));
	return TupleDescAttr(RelationGetDescr(table), number - 1);
}

/*
 * Text in any of its forms, domains of them too; known when a BEFORE trigger
 * runs.
 */
Form_pg_attribute
source_column(Relation table, const char *name)
{
	Form_pg_attribute attribute = table_column(table, name);
	Oid			base = getBaseType(attribute->atttypid);

	if (base != BPCHAROID && !IsBinaryCoercible(base, TEXTOID))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("source column \"%s\" is of type %s, not text", name,
						format_type_be(attribute->atttypid))));
	if (attribute->attgenerated != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("source column \"%s\" is a generated column", name),
				 errdetail("It has no value yet when the trigger runs."),
				 errhint("Name the columns that it is made of.")));
	return attribute;
}

Form_pg_attribute
version_column(Relation table, const char *name)
{
	Form_pg_attribute attribute = table_column(table, name);

	if (attribute->atttypid != TEXTOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("version column \"%s\" is of type %s, not text", name,
						format_type_be(attribute->atttypid))));
	return attribute;
}

/* A copy of the row of pg_index of an index */
static HeapTuple
index_row(Oid index)
{
	HeapTuple	row = SearchSysCacheCopy1(INDEXRELID, ObjectIdGetDatum(index));

	if (!HeapTupleIsValid(row))
		elog(ERROR, "cache lookup failed for index %u", index);
	return row;
}

List *
table_key(Relation table)
{
	List	   *indexes = RelationGetIndexList(table);
	List	   *key = NIL;
	ListCell   *cell;

	foreach(cell, indexes)
	{
		HeapTuple	row = index_row(lfirst_oid(cell));
		Form_pg_index form = (Form_pg_index) GETSTRUCT(row);

		if (!form->indisprimary || !form->indisvalid)
			continue;
		for (int i = 0; i < form->indnkeyatts; i++)
			key = lappend(key, get_attname(RelationGetRelid(table),
										   form->indkey.values[i], false));
	}
	return key;
}

/*
 * Whether a search can ask an index of any method for the nearest of a
 * column's vectors: pgvector's methods are served, too.  Of sparse vectors
 * only those orders count that tell which rows share a term with the question.
 */
static bool
orders_by_distance(Oid index, Oid type)
{
	char	   *operator = column_index_operator(index);

	return operator != NULL &&
		(type != extension_type("sparsevec") ||
		 strcmp(operator, "<#>") == 0 || strcmp(operator, "<=>") == 0);
}

Oid
column_index(Relation table, AttrNumber column)
{
	List	   *indexes = RelationGetIndexList(table);
	ListCell   *cell;

	/* number 0 would be that of an expression */
	if (column <= 0)
		return InvalidOid;
	foreach(cell, indexes)
	{
		HeapTuple	row = index_row(lfirst_oid(cell));
		Form_pg_index form = (Form_pg_index) GETSTRUCT(row);

		if (form->indisvalid && form->indkey.values[0] == column &&
			heap_attisnull(row, Anum_pg_index_indpred, NULL) &&
			orders_by_distance(lfirst_oid(cell),
							   get_atttype(RelationGetRelid(table), column)))
			return lfirst_oid(cell);
	}
	return InvalidOid;
}
