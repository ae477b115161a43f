/*-------------------------------------------------------------------------
 *
 * column_distributed.c
 *	  Kept columns of tables that Citus distributes.
 *
 * Columns, triggers and indexes of such a table are handed on to its shards,
 * so what a worker writes is encoded there, by a copy of the model that lies
 * on the worker under the same name.  Citus calls all triggers unsafe, since
 * they may write to other shards; ours reads a model and nothing else.
 *
 * What Citus cannot plan is an UPDATE with a function of a model, and a
 * transaction's uncommitted column is not seen by others: filling is a
 * statement of its own, which each worker does for its shards.
 *
 *-------------------------------------------------------------------------
 */
#include "column/column.h"

#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "server/execute.h"
#include "server/extension.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* A shard that could not be filled, the first of all */
typedef struct Failure
{
	MemoryContext context;
	int			count;
	char	   *message;
} Failure;

bool
table_is_distributed(Oid table)
{
	Oid			types[1] = {REGCLASSOID};
	Datum		values[1] = {ObjectIdGetDatum(table)};
	ExecuteArguments arguments = {.count = 1, .types = types,
	.values = values};
	Datum		found;
	bool		isnull;

	if (!OidIsValid(get_relname_relid("pg_dist_partition",
									  PG_CATALOG_NAMESPACE)))
		return false;
	return execute_row("SELECT true FROM pg_catalog.pg_dist_partition"
					   " WHERE logicalrelid OPERATOR(pg_catalog.=) $1",
					   SPI_OK_SELECT, &arguments, 1, &found, &isnull);
}

void
refuse_distributed_model(Oid model)
{
	if (table_is_distributed(model))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("embedding model \"%s\" is distributed by Citus",
						get_rel_name(model)),
				 errdetail("A model is read where it is used, as a table of that server."),
				 errhint("Call undistribute_table('%s'), and copy the table to each worker with pg_dump and psql.",
						 qualified_relation_name(model))));
}

void
refuse_distributed_fill(Oid table)
{
	if (table_is_distributed(table))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("embed_column cannot fill table \"%s\", which Citus distributes",
						get_rel_name(table)),
				 errdetail("Its shards do not see the new column before this statement has been committed."),
				 errhint("Call embed_column with fill => false, then CALL embed_fill('%s').",
						 qualified_relation_name(table))));
}

static void
receive_failure(const Datum *values, const bool *nulls, void *argument)
{
	Failure    *failure = argument;

	if (failure->count++ == 0)
		failure->message = MemoryContextStrdup(failure->context, nulls[0] ? "" :
											   TextDatumGetCString(values[0]));
}

void
fill_shards(Oid table, const char *column, int batch_rows, bool stale)
{
	Oid			types[2] = {REGCLASSOID, TEXTOID};
	Datum		values[2] = {ObjectIdGetDatum(table)};
	Failure		failure = {.context = CurrentMemoryContext};
	const char *schema = get_namespace_name(extension_schema());
	StringInfoData call;

	/* Citus puts the name of the shard in the place of %s */
	initStringInfo(&call);
	appendStringInfo(&call, "CALL %s.embed_fill($embed$%%s$embed$",
					 quote_identifier(schema));
	appendStringInfo(&call, ", \"column\" => %s", column == NULL ? "NULL" :
					 quote_literal_cstr(column));
	appendStringInfo(&call, ", batch_rows => %d, stale => %s)", batch_rows,
					 stale ? "true" : "false");
	values[1] = CStringGetTextDatum(call.data);
	(void) execute_prepared_query(
		execute_prepare("SELECT result FROM pg_catalog.run_command_on_shards($1, $2)"
						" WHERE NOT success", SPI_OK_SELECT, 2, types),
		values, NULL, receive_failure, &failure);
	if (failure.count > 0)
		ereport(ERROR,
				(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
				 errmsg("%d shards of table \"%s\" could not be filled",
						failure.count, get_rel_name(table)),
				 errdetail("The first says: %s", failure.message),
				 errhint("Each worker needs a copy of the model, under the same name.  What has been filled stays; call it again.")));
}
