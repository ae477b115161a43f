/*-------------------------------------------------------------------------
 *
 * create.c
 *	  Making a model: a new table, or new contents for an old one.
 *
 * A new table is filled before it has a key or a trigger, by multi-inserts;
 * one that an event trigger has given more than was asked for (columns with
 * defaults, constraints, triggers), by INSERT, which heeds all that.  A table
 * whose contents are replaced is emptied by DELETE and filled by
 * INSERT, not by TRUNCATE: readers go on with the old rows until commit and
 * beyond it under REPEATABLE READ, and nobody waits behind a lock that waits
 * for a backup.  The dead rows are vacuum's to reuse.
 *
 * All of it is SQL of the caller's own transaction under the caller's own
 * rights, so an error, a cancel or a rollback leaves nothing behind.
 *
 *-------------------------------------------------------------------------
 */
#include "model/model_private.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "server/execute.h"
#include "server/extension.h"
#include "storage/lmgr.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"

#define BATCH_ROWS	1000
#define BATCH_BYTES (64 * 1024)

struct ModelWriter
{
	Oid			table;
	const ModelMethod *method;
	char	   *arguments;		/* of the trigger */
	char	   *name;			/* qualified and quoted */
	bool		header_written;
	MemoryContext context;		/* lives until model_finish */

	/* a new table that is just what was asked for */
	Relation	relation;		/* NULL otherwise */
	BulkInsertState bulk_insert;
	TupleTableSlot *slots[BATCH_ROWS];
	int			slot_count;		/* that exist */
	int			batch_rows;
	Size		batch_bytes;
	MemoryContext batch_context;	/* what toasting a batch leaves behind */

	/* any other */
	bool		is_new;
	PreparedCommand *insert;
};

/* ---------- definition ---------- */

void
model_definition_init(ModelDefinition *definition, const char *name,
					  const ModelMethod *method, bool replace)
{
	memset(definition, 0, sizeof(ModelDefinition));
	definition->name = name;
	definition->method = method;
	definition->replace = replace;
	for (int i = 0; i < MODEL_MAX_COLUMNS; i++)
		definition->typmods[i] = -1;
}

void
model_definition_text(ModelDefinition *definition, const char *name,
					  const char *value)
{
	definition->options = model_option_append(definition->options, name,
											  value);
}

void
model_definition_int(ModelDefinition *definition, const char *option,
					 int64 value)
{
	model_definition_text(definition, option,
						  psprintf(INT64_FORMAT, value));
}

void
model_definition_float(ModelDefinition *definition, const char *option,
					   double value)
{
	model_definition_text(definition, option,
						  DatumGetCString(DirectFunctionCall1(
							  float8out, Float8GetDatum(value))));
}

void
model_definition_bool(ModelDefinition *definition, const char *option,
					  bool value)
{
	model_definition_text(definition, option, value ? "true" : "false");
}

void
model_definition_config(ModelDefinition *definition, Oid config)
{
	model_definition_text(definition, "config", model_config_name(config));
}

void
model_definition_keep(ModelDefinition *definition,
					  const ModelDescription *from)
{
	for (int i = 0; i < from->option_count; i++)
	{
		const ModelOption *option = &from->options[i];
		const OptionDeclaration *declaration =
		option_find(definition->method->options, option->name);

		if (declaration != NULL && declaration->kept &&
			!model_option_given(definition->options, option->name))
			definition->options =
				model_option_append(definition->options, option->name,
									model_option(from, option->name)->text);
	}
}

/* ---------- may it be made? ---------- */

/*
 * The table that the definition replaces, or InvalidOid and the schema and
 * name of the one to make.
 */
static Oid
find_target(const ModelDefinition *definition, Oid *schema, char **name)
{
	RangeVar   *range = makeRangeVarFromNameList(
		  qualified_name_list(definition->name));
	Oid			table;

	if (range->schemaname != NULL && strcmp(range->schemaname, "pg_temp") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("temporary embedding models are not supported"),
				 errdetail("Parallel workers and other sessions cannot read temporary tables."),
				 errhint("Choose another schema; DROP TABLE removes a model.")));
	*name = range->relname;
	if (definition->replace)
	{
		table = RangeVarGetRelid(range, NoLock, true);
		if (OidIsValid(table))
			return table;
	}
	*schema = RangeVarGetCreationNamespace(range);
	if (isAnyTempNamespace(*schema))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("temporary embedding models are not supported"),
				 errdetail("Parallel workers and other sessions cannot read temporary tables."),
				 errhint("Choose another schema; DROP TABLE removes a model.")));
	table = get_relname_relid(range->relname, *schema);
	if (OidIsValid(table))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_TABLE),
				 errmsg("relation \"%s\" already exists", range->relname),
				 errdetail("An embedding model is a table of its own."),
				 errhint("Choose another name, or use replace => true to replace the contents of an embedding model; vectors that the old contents computed become stale.")));
	return InvalidOid;
}

/*
 * A view over a column fixes its type.  The server would say so too, but only
 * after the training.
 */
static void
check_nothing_depends(Relation table, AttrNumber attribute)
{
	Relation	depend = table_open(DependRelationId, AccessShareLock);
	ScanKeyData key[3];
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(RelationRelationId));
	ScanKeyInit(&key[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber,
				F_OIDEQ, ObjectIdGetDatum(RelationGetRelid(table)));
	ScanKeyInit(&key[2], Anum_pg_depend_refobjsubid, BTEqualStrategyNumber,
				F_INT4EQ, Int32GetDatum(attribute));
	scan = systable_beginscan(depend, DependReferenceIndexId, true, NULL, 3,
							  key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_depend form = (Form_pg_depend) GETSTRUCT(tuple);
		ObjectAddress object;

		if (form->classid != RewriteRelationId)
			continue;
		ObjectAddressSet(object, form->classid, form->objid);
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("cannot change the dimensions of embedding model \"%s\" because another object depends on them",
						RelationGetRelationName(table)),
				 errdetail("%s depends on column \"%s\".",
						   object_description(&object),
						   NameStr(TupleDescAttr(RelationGetDescr(table),
												 attribute - 1)->attname)),
				 errhint("Train under another name, or drop the depending object first.")));
	}
	systable_endscan(scan);
	table_close(depend, AccessShareLock);
}

static void
check_types(Relation table, const ModelDefinition *definition,
			const AttrNumber *attributes)
{
	for (int i = 0; i < definition->method->column_count; i++)
	{
		Form_pg_attribute attribute =
		TupleDescAttr(RelationGetDescr(table), attributes[i] - 1);

		if (attribute->attgenerated != '\0')
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("cannot replace the contents of embedding model \"%s\"",
							RelationGetRelationName(table)),
					 errdetail("Column \"%s\" is a generated column.",
							   NameStr(attribute->attname)),
					 errhint("Use ALTER TABLE ... ALTER COLUMN ... DROP EXPRESSION.")));
		if (attribute->atttypmod != definition->typmods[i])
			check_nothing_depends(table, attributes[i]);
	}
}

/* Whether the contents of a table may be replaced by this definition */
static void
check_replacement(const ModelDefinition *definition, Oid table)
{
	ModelDescription *description;
	Relation	relation;
	AttrNumber	attributes[MODEL_MAX_COLUMNS];

	model_check_owner(table);
	description = model_describe(table);
	/*
	 * methods of one family, such as word2vec and glove, share their columns
	 */
	if (description->method->columns != definition->method->columns)
		model_require_method(description, definition->method->name);
	relation = table_open(table, AccessShareLock);
	model_check_table(relation);
	model_check_columns(relation, definition->method, attributes);
	check_types(relation, definition, attributes);
	table_close(relation, NoLock);
}

void
model_check_creation(const ModelDefinition *definition)
{
	Oid			schema;
	char	   *name;
	Oid			table;
	AclResult	result;

	PreventCommandIfReadOnly("CREATE TABLE");
	PreventCommandIfParallelMode("CREATE TABLE");
	PreventCommandDuringRecovery("CREATE TABLE");
	if (InSecurityRestrictedOperation())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("cannot create an embedding model within security-restricted operation")));

	table = find_target(definition, &schema, &name);
	if (OidIsValid(table))
	{
		check_replacement(definition, table);
		return;
	}
	result = namespace_aclcheck(schema, GetUserId(), ACL_CREATE);
	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_SCHEMA, get_namespace_name(schema));
}

/* ---------- SQL ---------- */

static char *
type_name(const ModelColumn *column, int32 typmod)
{
	return format_type_extended(model_column_type(column), typmod,
								FORMAT_TYPE_TYPEMOD_GIVEN |
								FORMAT_TYPE_FORCE_QUALIFY);
}

/*
 * Whether a table has the columns that were asked for, in this order, and
 * nothing that an INSERT would have to heed besides them.
 */
static bool
is_plain(Relation table, const ModelDefinition *definition,
		 const AttrNumber *attributes)
{
	TupleDesc	shape = RelationGetDescr(table);

	if (shape->natts != definition->method->column_count ||
		table->trigdesc != NULL || table->rd_rules != NULL ||
		table->rd_rel->relhasindex || table->rd_rel->relrowsecurity ||
		(shape->constr != NULL &&
		 (shape->constr->num_defval > 0 || shape->constr->num_check > 0)))
		return false;
	for (int i = 0; i < shape->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(shape, i);

		if (attributes[i] != i + 1 || attribute->attidentity != '\0' ||
			(attribute->attnotnull && i > 0))
			return false;
	}
	return true;
}

/* Fill the table by INSERT */
static void
prepare_insert(ModelWriter *writer, const ModelDefinition *definition)
{
	const ModelMethod *method = definition->method;
	StringInfoData columns;
	StringInfoData values;
	Oid			types[MODEL_MAX_COLUMNS];

	initStringInfo(&columns);
	initStringInfo(&values);
	for (int i = 0; i < method->column_count; i++)
	{
		appendStringInfo(&columns, "%s%s", i == 0 ? "" : ", ",
						 quote_identifier(method->columns[i].name));
		appendStringInfo(&values, "%s$%d", i == 0 ? "" : ", ", i + 1);
		types[i] = model_column_type(&method->columns[i]);
	}
	writer->insert = execute_prepare(psprintf("INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE VALUES (%s)",
											  writer->name, columns.data,
											  values.data),
									 SPI_OK_INSERT, method->column_count,
									 types);
}

/* CREATE TABLE has no word for it before 16. */
static void
set_storage(const ModelWriter *writer, const ModelMethod *method)
{
	for (int i = 0; i < method->column_count; i++)
	{
		if (method->columns[i].uncompressed)
			execute_command(
				psprintf(
					"ALTER TABLE ONLY %s ALTER COLUMN %s SET STORAGE EXTERNAL",
					writer->name, quote_identifier(method->columns[i].name)),
				SPI_OK_UTILITY);
	}
}

static void
create_table(ModelWriter *writer, const ModelDefinition *definition,
			 Oid schema, const char *name)
{
	StringInfoData command;
	AttrNumber	attributes[MODEL_MAX_COLUMNS];
	Relation	table;

	writer->is_new = true;
	writer->name = quote_qualified_identifier(get_namespace_name(schema),
											  name);
	initStringInfo(&command);
	appendStringInfo(&command, "CREATE TABLE %s (", writer->name);
	for (int i = 0; i < definition->method->column_count; i++)
	{
		const ModelColumn *column = &definition->method->columns[i];

		appendStringInfo(&command, "%s%s %s%s", i == 0 ? "" : ", ",
						 quote_identifier(column->name),
						 type_name(column, definition->typmods[i]),
						 i == 0 ? " NOT NULL" : "");
	}
	appendStringInfoChar(&command, ')');
	execute_command(command.data, SPI_OK_UTILITY);
	set_storage(writer, definition->method);

	/* event triggers have seen the table, and may have changed it */
	writer->table = get_relname_relid(name, schema);
	if (!OidIsValid(writer->table))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table %s, just created, does not exist",
						writer->name),
				 errdetail("An event trigger may have renamed, moved or dropped it."),
				 errhint("Let event triggers leave embedding models where they are.")));
	table = model_table_open(writer->table, RowExclusiveLock);
	model_check_table(table);
	model_check_columns(table, definition->method, attributes);
	if (!is_plain(table, definition, attributes))
	{
		relation_close(table, NoLock);
		prepare_insert(writer, definition);
		return;
	}
	writer->relation = table;
	writer->bulk_insert = GetBulkInsertState();
	writer->batch_context = AllocSetContextCreate(writer->context,
												  "embed model writer batch",
												  ALLOCSET_DEFAULT_SIZES);
}

/*
 * Give the columns the types that the new contents need.  The server itself
 * refuses when something depends on one of them.
 */
static void
adjust_columns(ModelWriter *writer, const ModelDefinition *definition)
{
	Relation	relation = table_open(writer->table, NoLock);
	AttrNumber	attributes[MODEL_MAX_COLUMNS];
	StringInfoData command;

	initStringInfo(&command);
	model_check_columns(relation, definition->method, attributes);
	for (int i = 0; i < definition->method->column_count; i++)
	{
		const ModelColumn *column = &definition->method->columns[i];
		Form_pg_attribute attribute =
		TupleDescAttr(RelationGetDescr(relation), attributes[i] - 1);

		if (attribute->atttypmod != definition->typmods[i])
			appendStringInfo(&command, "%s ALTER COLUMN %s TYPE %s",
							 command.len == 0 ? "" : ",",
							 quote_identifier(column->name),
							 type_name(column, definition->typmods[i]));
	}
	table_close(relation, NoLock);
	if (command.len > 0)
		execute_command(psprintf("ALTER TABLE ONLY %s %s", writer->name,
								 command.data), SPI_OK_UTILITY);
}

static void
empty_table(ModelWriter *writer, const ModelDefinition *definition)
{
	/* one replacement at a time; readers are not in the way */
	LockRelationOid(writer->table, ShareRowExclusiveLock);
	writer->name = qualified_relation_name(writer->table);
	model_warn_of_stale(writer->table);
	execute_command(psprintf("DELETE FROM ONLY %s", writer->name),
					SPI_OK_DELETE);
	adjust_columns(writer, definition);
	prepare_insert(writer, definition);
}

/* ---------- writing ---------- */

ModelWriter *
model_create(ModelDefinition *definition)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "embed model writer",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	ModelWriter *writer = palloc0(sizeof(ModelWriter));
	Oid			schema;
	char	   *name;

	model_check_creation(definition);
	writer->context = context;
	writer->method = definition->method;
	writer->table = find_target(definition, &schema, &name);
	if (OidIsValid(writer->table))
		model_definition_keep(definition, model_describe(writer->table));
	(void) model_describe_options(definition->method, definition->name,
								  definition->options,
								  "This is an error of the training, not of yours.");
	writer->arguments = model_trigger_arguments(definition->method,
												definition->options);
	if (OidIsValid(writer->table))
	{
		ModelCaller user;

		model_become_writer(writer->table, &user);
		empty_table(writer, definition);
		model_become_caller(&user);
	}
	else
		create_table(writer, definition, schema, name);
	MemoryContextSwitchTo(caller);
	return writer;
}

static void
flush_batch(ModelWriter *writer)
{
	MemoryContext caller;

	if (writer->batch_rows == 0)
		return;
	caller = MemoryContextSwitchTo(writer->batch_context);
	table_multi_insert(writer->relation, writer->slots, writer->batch_rows,
					   GetCurrentCommandId(true), 0, writer->bulk_insert);
	MemoryContextSwitchTo(caller);
	for (int i = 0; i < writer->batch_rows; i++)
		ExecClearTuple(writer->slots[i]);
	MemoryContextReset(writer->batch_context);
	writer->batch_rows = 0;
	writer->batch_bytes = 0;
}

static void
insert_into_new(ModelWriter *writer, Datum *values, bool *nulls)
{
	TupleDesc	shape = RelationGetDescr(writer->relation);
	MemoryContext caller = MemoryContextSwitchTo(writer->context);
	HeapTuple	tuple;

	if (writer->batch_rows == writer->slot_count)
		writer->slots[writer->slot_count++] =
			MakeSingleTupleTableSlot(shape, &TTSOpsHeapTuple);
	tuple = heap_form_tuple(shape, values, nulls);
	tuple->t_tableOid = writer->table;
	ExecStoreHeapTuple(tuple, writer->slots[writer->batch_rows], true);
	writer->batch_rows++;
	writer->batch_bytes += tuple->t_len;
	if (writer->batch_rows == BATCH_ROWS || writer->batch_bytes >= BATCH_BYTES)
		flush_batch(writer);
	MemoryContextSwitchTo(caller);
}

void
model_write_row(ModelWriter *writer, Datum *values, bool *nulls)
{
	CHECK_FOR_INTERRUPTS();
	if (!nulls[0] && DatumGetInt32(values[0]) == 0)
		writer->header_written = true;
	if (writer->relation != NULL)
		insert_into_new(writer, values, nulls);
	else
	{
		ModelCaller user;

		model_become_writer(writer->table, &user);
		(void) execute_prepared(writer->insert, values, nulls);
		model_become_caller(&user);
	}
}

/* ---------- the trigger ---------- */

static char *
create_trigger_command(const char *table, const char *arguments)
{
	return psprintf(
		"CREATE TRIGGER %s AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s"
		" FOR EACH STATEMENT EXECUTE FUNCTION %s(%s)",
		MODEL_TRIGGER, table,
		quote_qualified_identifier(get_namespace_name(extension_schema()),
								   MODEL_TRIGGER),
		arguments);
}

/*
 * ALWAYS: a restore with session_replication_role = replica must not go
 * unnoticed either.
 */
void
model_create_trigger(Oid table, const char *arguments)
{
	char	   *name = qualified_relation_name(table);
	Relation	relation;

	execute_command(create_trigger_command(name, arguments), SPI_OK_UTILITY);
	execute_command(psprintf("ALTER TABLE ONLY %s ENABLE ALWAYS TRIGGER %s",
							 name, MODEL_TRIGGER), SPI_OK_UTILITY);

	/* the rows may be this transaction's, which no trigger has seen */
	relation = relation_open(table, NoLock);
	model_changed(relation, false);
	relation_close(relation, NoLock);
}

void
model_create_key(Oid relation)
{
	Relation	table = model_table_open(relation, AccessShareLock);
	AttrNumber	id = model_id_attribute(table);
	bool		has_key = OidIsValid(model_primary_key(table, id));

	if (!has_key && OidIsValid(table->rd_pkindex))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("primary key of table \"%s\" is not (id)",
						RelationGetRelationName(table)),
				 errdetail("Row 0 of a model, which identifies its contents, is found by primary key."),
				 errhint("Make it a unique constraint, and (id) the primary key.")));
	relation_close(table, NoLock);
	if (!has_key)
		execute_command(psprintf("ALTER TABLE ONLY %s ADD PRIMARY KEY (id)",
								 qualified_relation_name(relation)),
						SPI_OK_UTILITY);
}

/* The same arguments, compared as the catalog would print them */
static bool
trigger_is_up_to_date(ModelWriter *writer)
{
	ModelDescription *description = model_describe(writer->table);
	List	   *options = NIL;

	for (int i = 0; i < description->option_count; i++)
		options = lappend(options, &description->options[i]);
	return strcmp(model_trigger_arguments(description->method, options),
				  writer->arguments) == 0;
}

static void
replace_trigger(ModelWriter *writer)
{
	if (trigger_is_up_to_date(writer))
		return;
	execute_command(psprintf("DROP TRIGGER %s ON %s",
							 quote_identifier(
								 model_trigger_name(writer->table)),
							 writer->name),
					SPI_OK_UTILITY);
	model_create_trigger(writer->table, writer->arguments);
}

Oid
model_finish(ModelWriter *writer)
{
	Oid			table = writer->table;

	if (!writer->header_written)
		elog(ERROR, "embedding model \"%s\" was written without row 0",
			 writer->name);
	if (writer->relation != NULL)
	{
		flush_batch(writer);
		FreeBulkInsertState(writer->bulk_insert);
		table_finish_bulk_insert(writer->relation, 0);
		for (int i = 0; i < writer->slot_count; i++)
			ExecDropSingleTupleTableSlot(writer->slots[i]);
		table_close(writer->relation, NoLock);
		CommandCounterIncrement();
	}
	if (writer->is_new)
	{
		model_create_key(table);
		model_create_trigger(table, writer->arguments);
	}
	else
		replace_trigger(writer);
	MemoryContextDelete(writer->context);
	return table;
}
