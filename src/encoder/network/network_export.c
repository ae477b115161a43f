/*-------------------------------------------------------------------------
 *
 * network_export.c
 *	  SQL functions export_model and model_files: the folder, as it came.
 *
 * Both read the table as the caller, and give the bytes of its rows in their
 * order, whatever they are: a model that cannot be used can still be looked
 * at.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/network/network.h"

#include "executor/spi.h"
#include "format/tar.h"
#include "libpq/be-fsstubs.h"
#include "libpq/libpq-fs.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "server/execute.h"
#include "server/extension.h"
#include "server/set_result.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

EMBED_FUNCTION(export_model);
EMBED_FUNCTION(model_files);

#define PIECE_BYTES (1024 * 1024)

/* A row of model_files, as bytea and text are limited */
#define FILE_MOST_BYTES (MaxAllocSize - VARHDRSZ)

typedef struct Collection
{
	NetworkTable *table;
	MemoryContext context;
} Collection;

static void
collect(const Datum *values, const bool *nulls, void *argument)
{
	Collection *collection = argument;
	MemoryContext caller = MemoryContextSwitchTo(collection->context);

	network_table_add(collection->table, values, nulls);
	MemoryContextSwitchTo(caller);
}

FolderFile *
network_files_of_model(Oid model, char **name, int *count)
{
	ModelDescription *description = model_describe(model);
	Collection	collection;
	PreparedCommand *command;
	StringInfoData columns;

	if (description->method->columns != network_columns)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("embedding model \"%s\" has no folder", description->table_name),
				 errdetail("It is a model of method \"%s\".", description->method->name),
				 errhint("Models of import_model() have one; export_word_vectors() writes word vectors.")));
	initStringInfo(&columns);
	for (int i = 0; i < NETWORK_COLUMNS; i++)
		appendStringInfo(&columns, "%s%s", i == 0 ? "" : ", ", network_columns[i].name);
	*name = pstrdup(description->table_name);
	collection.table = network_table_begin(*name);
	collection.context = CurrentMemoryContext;
	command = execute_prepare(psprintf("SELECT %s FROM ONLY %s", columns.data,
									   qualified_relation_name(model)),
							  SPI_OK_SELECT, 0, NULL);
	execute_prepared_query(command, NULL, NULL, collect, &collection);
	return network_table_finish(collection.table, count);
}

/* ---------- a tar ---------- */

static void
write_object(int object, const void *bytes, size_t length)
{
	if (lo_write(object, bytes, (int) length) != (int) length)
		ereport(ERROR,
				(errcode(ERRCODE_IO_ERROR),
				 errmsg("could not write large object")));
}

static void
read_file(const char *model, const FolderFile *file, uint64 offset,
		  void *bytes, size_t length)
{
	FormatFault fault = {0};

	CHECK_FOR_INTERRUPTS();
	if (!format_file_read(&file->file, offset, bytes, length, &fault))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("could not read file \"%s\" of embedding model \"%s\"", file->name, model)));
}

static void
write_file(int object, const char *model, const FolderFile *file,
		   unsigned char *buffer)
{
	unsigned char *head = palloc(TAR_MAX_HEAD);
	size_t		length = tar_write_head(head, file->name, file->file.size, 0);

	if (length == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("a file of embedding model \"%s\" has a name that an archive cannot hold",
						model)));
	write_object(object, head, length);
	for (uint64 at = 0; at < file->file.size; at += PIECE_BYTES)
	{
		size_t		count = Min(file->file.size - at, (uint64) PIECE_BYTES);

		read_file(model, file, at, buffer, count);
		write_object(object, buffer, count);
	}
	memset(buffer, 0, TAR_BLOCK);
	write_object(object, buffer, tar_padding(file->file.size));
	pfree(head);
}

Datum
export_model(PG_FUNCTION_ARGS)
{
	char	   *model;
	int			count;
	FolderFile *files = network_files_of_model(PG_GETARG_OID(0), &model,
											   &count);
	Datum		oid = DirectFunctionCall1(be_lo_create,
										  ObjectIdGetDatum(InvalidOid));
	int			object = DatumGetInt32(DirectFunctionCall2(
				be_lo_open, oid, Int32GetDatum(INV_WRITE)));
	unsigned char *buffer = palloc(PIECE_BYTES);

	for (int i = 0; i < count; i++)
		write_file(object, model, &files[i], buffer);
	memset(buffer, 0, TAR_END_BYTES);
	write_object(object, buffer, TAR_END_BYTES);
	DirectFunctionCall1(be_lo_close, Int32GetDatum(object));
	PG_RETURN_DATUM(oid);
}

/* ---------- rows ---------- */

Datum
model_files(PG_FUNCTION_ARGS)
{
	char	   *model;
	int			count;
	FolderFile *files = network_files_of_model(PG_GETARG_OID(0), &model,
											   &count);
	struct ReturnSetInfo *set = set_result_begin(fcinfo);

	for (int i = 0; i < count; i++)
	{
		size_t		size = files[i].file.size;
		char	   *name = pg_any_to_server(files[i].name,
											(int) strlen(files[i].name),
											PG_UTF8);
		Datum		values[2];
		bool		nulls[2] = {false, false};
		bytea	   *data;

		if (size > FILE_MOST_BYTES)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("file \"%s\" of embedding model \"%s\" is too large for a bytea", name,
							model),
					 errhint("Use export_model().")));
		data = palloc(VARHDRSZ + size);
		SET_VARSIZE(data, VARHDRSZ + size);
		for (size_t at = 0; at < size; at += PIECE_BYTES)
			read_file(model, &files[i], at, VARDATA(data) + at,
					  Min(size - at, (size_t) PIECE_BYTES));
		values[0] = CStringGetTextDatum(name);
		values[1] = PointerGetDatum(data);
		set_result_add(set, values, nulls);
		pfree(data);
	}
	return (Datum) 0;
}
