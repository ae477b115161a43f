/*-------------------------------------------------------------------------
 *
 * column_fill.c
 *	  CALL embed_fill: computes what a kept column lacks, batch by batch.
 *
 * One query lists the rows that lack a vector; the list is held over the
 * commits, as a loop of PL/pgSQL over a query would.  A batch locks those of
 * its rows that nobody else has locked and that still lack a vector by the
 * snapshot of that moment, computes, updates and commits.  So several
 * sessions share the work: what one has locked the others leave out, and
 * what it has filled no longer lacks anything.  Writers wait for one batch at
 * most.  Nothing is remembered outside the table, so a call that was
 * cancelled is simply made again.
 *
 * A batch runs in a subtransaction.  When something fails in it the batch is
 * done again row by row, each in a subtransaction of its own, and the rows
 * that fail are named in warnings.
 *
 *-------------------------------------------------------------------------
 */
#include "column/column.h"

#include <math.h>

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "server/extension.h"
#include "storage/itemptr.h"
#include "train/progress.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

EMBED_FUNCTION(embed_fill);

#define MAX_BATCH_ROWS	100000

/* arguments, in order */
enum
{
	ARG_TABLE,
	ARG_COLUMN,
	ARG_BATCH_ROWS,
	ARG_STALE,
	ARG_MAX_ROWS
};

/* Where a row is */
typedef struct RowPlace
{
	Oid			table;			/* the partition */
	ItemPointerData row;
} RowPlace;

/* A row that is to be computed */
typedef struct Row
{
	RowPlace	place;
	text	   *input;
	char	   *key;			/* for messages */
} Row;

typedef struct Fill
{
	Oid			table;
	int			batch_rows;
	bool		stale_wanted;
	bool		named;			/* the column is given */
	int64		max_rows;		/* -1: no limit */
	int64		done;			/* rows looked at, of all columns */
	MemoryContext context;		/* outlives the transactions */

	/* of the present column */
	KeptColumn *kept;
	bool		stale;
	char	   *table_name;
	char	   *missing;		/* condition in SQL */
	char	   *key;			/* expression in SQL */
	ColumnEncoder *encoder;
	SPIPlanPtr	update;
	HTAB	   *without;		/* places that got no vector */
	Progress   *progress;
	int64		left;			/* locked by others, in this pass */
	int64		filled;			/* in this pass */
	MemoryContext batch;		/* reset for each */
} Fill;

/* ---------- SQL ---------- */

static void
check_code(const char *what, int code, int expected)
{
	if (code != expected)
		elog(ERROR, "%s failed: %s", what, SPI_result_code_string(code));
}

/* What says in a message which row it is */
static char *
key_expression(Relation table)
{
	List	   *key = table_key(table);
	StringInfoData sql;
	StringInfoData names;
	ListCell   *cell;

	if (key == NIL)
		return "pg_catalog.concat('ctid ', t.ctid)";
	initStringInfo(&sql);
	initStringInfo(&names);
	foreach(cell, key)
	{
		appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "",
						 (char *) lfirst(cell));
		appendStringInfo(&sql, "%st.%s", sql.len > 0 ? ", ', ', " : "",
						 quote_identifier(lfirst(cell)));
	}
	return psprintf("pg_catalog.concat(%s, %s, ')')",
					quote_literal_cstr(psprintf("(%s)=(", names.data)),
					sql.data);
}

/*
 * The rows to compute.  A row whose version is the model's own and whose
 * vector is NULL has been looked at: the model knows no word of it.
 */
static char *
missing_condition(const Fill *fill, const char *version)
{
	const KeptColumn *kept = fill->kept;
	char	   *known = kept_column_known(kept, "t");
	char	   *empty = psprintf("t.%s IS NULL",
								 quote_identifier(kept->column));
	char	   *other;

	if (kept->version == NULL)
		return psprintf("%s AND %s OPERATOR(pg_catalog.>) 0", empty, known);

	/* IS DISTINCT FROM would look for an operator by the search path */
	other = psprintf("(t.%s IS NULL OR t.%s OPERATOR(pg_catalog.<>) %s)",
					 quote_identifier(kept->version),
					 quote_identifier(kept->version),
					 quote_literal_cstr(version));
	return psprintf("%s%s%s AND %s OPERATOR(pg_catalog.>) 0",
					fill->stale ? "" : empty, fill->stale ? "" : " AND ",
					other, known);
}

static SPIPlanPtr
prepare_update(const Fill *fill)
{
	const KeptColumn *kept = fill->kept;
	Oid			types[4] = {OIDOID, TIDOID,
	extension_type(fill->kept->method->type), TEXTOID};
	StringInfoData sql;
	SPIPlanPtr	plan;

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s AS t SET %s = $3", fill->table_name,
					 quote_identifier(kept->column));
	if (kept->version != NULL)
		appendStringInfo(&sql, ", %s = $4", quote_identifier(kept->version));
	appendStringInfo(&sql, " WHERE t.ctid OPERATOR(pg_catalog.=) $2 AND t.tableoid OPERATOR(pg_catalog.=) $1"
					 " RETURNING t.tableoid, t.ctid, %s", fill->missing);
	plan = SPI_prepare(sql.data, kept->version != NULL ? 4 : 3, types);
	if (plan == NULL || SPI_keepplan(plan) != 0)
		elog(ERROR, "could not prepare \"%s\": %s", sql.data,
			 SPI_result_code_string(SPI_result));
	return plan;
}

static int64
count_missing(const Fill *fill)
{
	bool		isnull;
	char	   *sql = psprintf("SELECT pg_catalog.count(*) FROM %s AS t WHERE %s",
							   fill->table_name, fill->missing);

	check_code("count", SPI_execute(sql, false, 0), SPI_OK_SELECT);
	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0],
									   SPI_tuptable->tupdesc, 1, &isnull));
}

/* ---------- a row ---------- */

static RowPlace
place_of(HeapTuple tuple, TupleDesc shape)
{
	bool		isnull;
	RowPlace	place;

	/* it is a key of a hash table: no byte of it may be left to chance */
	memset(&place, 0, sizeof(place));
	place.table = DatumGetObjectId(SPI_getbinval(tuple, shape, 1, &isnull));
	place.row = *(ItemPointer) DatumGetPointer(SPI_getbinval(tuple, shape, 2,
															 &isnull));
	return place;
}

static void
remember_without(Fill *fill, const RowPlace *place)
{
	(void) hash_search(fill->without, place, HASH_ENTER, NULL);
}

/*
 * Look at what has become of a row: a trigger of the table's own may have
 * left it out, or taken the vector away again.  Then it lacks one, perhaps at
 * a new place, and computing it once more would do no better.
 */
static void
check_stored(Fill *fill, const RowPlace *place)
{
	TupleDesc	shape = SPI_tuptable->tupdesc;
	bool		isnull;

	if (SPI_processed == 0)
		remember_without(fill, place);
	else if (DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], shape, 3,
										&isnull)) && !isnull)
	{
		RowPlace	stored = place_of(SPI_tuptable->vals[0], shape);

		remember_without(fill, &stored);
	}
}

/*
 * Compute a row and store what comes out.  Without a version column there is
 * nothing to store for a text of which the model knows no word.
 */
static void
fill_row(Fill *fill, const Row *row)
{
	Datum		values[4];
	char		nulls[4] = {' ', ' ', ' ', ' '};
	bool		isnull;

	values[0] = ObjectIdGetDatum(row->place.table);
	values[1] = PointerGetDatum(&row->place.row);
	values[2] = column_encode(fill->encoder, row->input, &isnull);
	values[3] = (Datum) 0;
	if (isnull && fill->kept->version == NULL)
	{
		remember_without(fill, &row->place);
		return;
	}
	nulls[2] = isnull ? 'n' : ' ';
	if (fill->kept->version != NULL)
		values[3] = column_encoder_version(fill->encoder);
	check_code("UPDATE",
			   SPI_execute_plan(fill->update, values, nulls, false, 0),
			   SPI_OK_UPDATE_RETURNING);
	check_stored(fill, &row->place);
	SPI_freetuptable(SPI_tuptable);
}

/*
 * Whether an error is about the row.  What stops a statement stops this one,
 * too.
 */
static bool
is_fault_of_row(int code)
{
	int			category = ERRCODE_TO_CATEGORY(code);

	return category != ERRCODE_OPERATOR_INTERVENTION &&
		category != ERRCODE_TRANSACTION_ROLLBACK &&
		category != ERRCODE_INSUFFICIENT_RESOURCES &&
		code != ERRCODE_LOCK_NOT_AVAILABLE;
}

static void
warn_of_row(const Row *row, const ErrorData *error)
{
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("row with key %s is left out: %s", row->key,
					error->message),
			 error->detail != NULL ?
			 errdetail_internal("%s", error->detail) : 0));
}

/*
 * Fill rows in a subtransaction.  Returns NULL, or the error after which
 * nothing has changed.
 */
static ErrorData *
try_rows(Fill *fill, const Row *rows, int count)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		for (int i = 0; i < count; i++)
		{
			CHECK_FOR_INTERRUPTS();
			fill_row(fill, &rows[i]);
		}
		PopActiveSnapshot();
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (!is_fault_of_row(error->sqlerrcode))
			PG_RE_THROW();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return error;
}

static void
fill_rows(Fill *fill, const Row *rows, int count)
{
	if (try_rows(fill, rows, count) == NULL)
	{
		fill->filled += count;
		return;
	}
	for (int i = 0; i < count; i++)
	{
		ErrorData  *error = try_rows(fill, &rows[i], 1);

		if (error == NULL)
			fill->filled++;
		else
		{
			warn_of_row(&rows[i], error);
			remember_without(fill, &rows[i].place);
		}
	}
}

/* ---------- a batch ---------- */

/*
 * Lock those of the listed rows that are free and still lack a vector, and
 * take what is needed of them.
 */
static Row *
lock_rows(Fill *fill, Oid table, const Datum *places, int count, int *locked)
{
	Oid			types[2] = {OIDOID, TIDARRAYOID};
	Datum		values[2];
	char	   *sql = psprintf("SELECT t.tableoid, t.ctid, %s, %s FROM %s AS t"
							   " WHERE t.ctid OPERATOR(pg_catalog.=) ANY ($2)"
							   " AND t.tableoid OPERATOR(pg_catalog.=) $1 AND %s"
							   " FOR NO KEY UPDATE OF t SKIP LOCKED",
							   kept_column_text(fill->kept, "t"), fill->key,
							   fill->table_name, fill->missing);
	Row		   *rows;
	bool		isnull;

	values[0] = ObjectIdGetDatum(table);
	values[1] = PointerGetDatum(construct_array(unconstify(Datum *, places),
												count, TIDOID,
												sizeof(ItemPointerData), false,
												TYPALIGN_SHORT));
	check_code("SELECT FOR UPDATE",
			   SPI_execute_with_args(sql, 2, types, values, NULL, false, 0),
			   SPI_OK_SELECT);
	*locked = (int) SPI_processed;
	rows = palloc(sizeof(Row) * Max(*locked, 1));
	for (int i = 0; i < *locked; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	shape = SPI_tuptable->tupdesc;

		rows[i].place = place_of(tuple, shape);
		rows[i].input = DatumGetTextPCopy(SPI_getbinval(tuple, shape, 3,
														&isnull));
		rows[i].key = SPI_getvalue(tuple, shape, 4);
	}
	SPI_freetuptable(SPI_tuptable);
	return rows;
}

/*
 * One batch of places, which may lie in several partitions.
 */
static void
fill_batch(Fill *fill, const RowPlace *places, int count)
{
	Datum	   *datums = palloc(sizeof(Datum) * count);
	int			first = 0;

	while (first < count)
	{
		int			end = first;
		int			locked;
		Row		   *rows;

		for (; end < count && places[end].table == places[first].table; end++)
			datums[end] = PointerGetDatum(&places[end].row);
		rows = lock_rows(fill, places[first].table, datums + first,
						 end - first, &locked);
		fill->left += end - first - locked;
		if (locked > 0)
			fill_rows(fill, rows, locked);
		fill->done += locked;
		first = end;
	}
}

/*
 * Take the next places of the list that are not known to get no vector.
 * False at the end.
 */
static bool
fetch_places(Fill *fill, Portal list, RowPlace *places, int *count)
{
	int64		wanted = fill->batch_rows;
	uint64		fetched;

	if (fill->max_rows >= 0)
		wanted = Min(wanted, fill->max_rows - fill->done);
	if (wanted <= 0)
		return false;
	SPI_cursor_fetch(list, true, wanted);
	fetched = SPI_processed;
	*count = 0;
	for (uint64 i = 0; i < fetched; i++)
	{
		RowPlace	place = place_of(SPI_tuptable->vals[i],
									 SPI_tuptable->tupdesc);

		if (hash_search(fill->without, &place, HASH_FIND, NULL) == NULL)
			places[(*count)++] = place;
	}
	SPI_freetuptable(SPI_tuptable);
	return fetched > 0;
}

/* ---------- a column ---------- */

/*
 * Each batch is a transaction of its own and sees what others have committed
 * before it, whatever isolation the session's transactions have by default:
 * rows that somebody has changed meanwhile would be errors of serialization.
 */
static void
next_transaction(void)
{
	SPI_commit();
	SPI_start_transaction();
	XactIsoLevel = XACT_READ_COMMITTED;
}

/*
 * Go once through the rows that lack a vector.
 */
static void
fill_pass(Fill *fill)
{
	char	   *sql = psprintf("SELECT t.tableoid, t.ctid FROM %s AS t WHERE %s",
							   fill->table_name, fill->missing);
	RowPlace   *places = MemoryContextAlloc(fill->context,
											sizeof(RowPlace) *
											fill->batch_rows);
	Portal		list;
	int			count;

	fill->left = 0;
	fill->filled = 0;
	list = SPI_cursor_open_with_args(NULL, sql, 0, NULL, NULL, NULL, false,
									 CURSOR_OPT_NO_SCROLL);
	PinPortal(list);
	while (fetch_places(fill, list, places, &count))
	{
		MemoryContext caller = MemoryContextSwitchTo(fill->batch);

		CHECK_FOR_INTERRUPTS();
		fill_batch(fill, places, count);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(fill->batch);
		next_transaction();
		progress_update(fill->progress, (double) fill->done, NAN);
	}
	UnpinPortal(list);
	SPI_cursor_close(list);
	pfree(places);
}

/*
 * Read what the column is, and open its model once outside of any
 * subtransaction: what is wrong with all rows is an error, not a warning for
 * each.
 */
static void
open_column(FunctionCallInfo fcinfo, Fill *fill, const char *column)
{
	Relation	table = table_open(fill->table, AccessShareLock);
	HASHCTL		control;
	char	   *version = NULL;
	bool		isnull;
	int			dims;

	fill->kept = kept_column_find(table, column);
	kept_column_check(fill->kept, table);
	fill->stale = fill->stale_wanted && fill->kept->version != NULL;
	if (fill->stale_wanted && !fill->stale && fill->named)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("column \"%s\" has no version column", column),
				 errdetail("Nothing tells which model has computed its vectors."),
				 errhint("Call embed_column() with version_column => true for a new column, or set the column to NULL and fill it.")));
	fill->table_name = qualified_relation_name(fill->table);
	fill->key = key_expression(table);
	dims = column_method_check(kept_column_method(fill->kept), fcinfo->flinfo,
							   kept_column_model(fill->kept, false),
							   fill->kept->pooling, fill->kept->prompt);
	if (table_column(table, column)->atttypmod > 0 &&
		table_column(table, column)->atttypmod != dims)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("column \"%s\" has %d dimensions, and model %s makes %d",
						column, table_column(table, column)->atttypmod,
						fill->kept->model, dims)));
	fill->encoder = column_encoder_create(fill->kept, table, fill->context);
	(void) column_encode(fill->encoder, cstring_to_text(""), &isnull);
	if (fill->kept->version != NULL)
		version = TextDatumGetCString(column_encoder_version(fill->encoder));
	fill->kept->method = kept_column_method(fill->kept);
	fill->missing = missing_condition(fill, version);
	memset(&control, 0, sizeof(control));
	control.keysize = sizeof(RowPlace);
	control.entrysize = sizeof(RowPlace);
	control.hcxt = fill->context;
	fill->without = hash_create("embed_fill rows without a vector", 256,
								&control,
								HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	table_close(table, NoLock);
}

static void
fill_column(FunctionCallInfo fcinfo, Fill *fill, const char *column)
{
	MemoryContext caller;

	fill->context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt,
										  "embed_fill column",
										  ALLOCSET_DEFAULT_SIZES);
	fill->batch = AllocSetContextCreate(fill->context, "embed_fill batch",
										ALLOCSET_DEFAULT_SIZES);
	caller = MemoryContextSwitchTo(fill->context);
	PushActiveSnapshot(GetTransactionSnapshot());
	open_column(fcinfo, fill, column);
	PopActiveSnapshot();
	fill->update = prepare_update(fill);
	fill->progress = progress_begin(psprintf("filling column \"%s\" of %s",
											 column, fill->table_name),
									"rows");
	progress_phase(fill->progress, "computing", (double) count_missing(fill));

	/* once more for what was locked or moved, as long as that gets on */
	do
		fill_pass(fill);
	while (fill->left > 0 && fill->filled > 0 &&
		   (fill->max_rows < 0 || fill->done < fill->max_rows));
	progress_end(fill->progress);
	if (fill->left > 0)
		ereport(NOTICE,
				(errmsg("rows of table %s that other sessions have locked or changed are left out: %lld",
						fill->table_name, (long long) fill->left),
				 errhint("Call embed_fill() again.")));
	SPI_freeplan(fill->update);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(fill->context);
}

/* ---------- the call ---------- */

static void
read_arguments(FunctionCallInfo fcinfo, Fill *fill)
{
	memset(fill, 0, sizeof(Fill));
	if (PG_ARGISNULL(ARG_TABLE) || PG_ARGISNULL(ARG_BATCH_ROWS) ||
		PG_ARGISNULL(ARG_STALE))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("table, batch_rows and stale must not be null")));
	fill->table = PG_GETARG_OID(ARG_TABLE);
	fill->batch_rows = PG_GETARG_INT32(ARG_BATCH_ROWS);
	fill->stale_wanted = PG_GETARG_BOOL(ARG_STALE);
	fill->named = !PG_ARGISNULL(ARG_COLUMN);
	fill->max_rows = PG_ARGISNULL(ARG_MAX_ROWS) ? -1 :
		PG_GETARG_INT64(ARG_MAX_ROWS);
	if (fill->batch_rows < 1 || fill->batch_rows > MAX_BATCH_ROWS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("batch_rows must be between 1 and %d",
						MAX_BATCH_ROWS),
				 errdetail("It is %d.", fill->batch_rows)));
	if (!PG_ARGISNULL(ARG_MAX_ROWS) && fill->max_rows < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_rows must not be negative")));
	if (fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("embed_fill cannot run inside a transaction block or a function"),
				 errdetail("It commits after every batch."),
				 errhint("Call it outside of any transaction, and in a string without other statements.")));
}

/* Names of the columns to fill: the given one, or all of the table */
static List *
columns_to_fill(FunctionCallInfo fcinfo, const Fill *fill,
				MemoryContext context)
{
	Relation	table;
	List	   *columns = NIL;
	List	   *kept;
	ListCell   *cell;
	MemoryContext caller = MemoryContextSwitchTo(context);

	if (get_rel_name(fill->table) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", fill->table)));
	if (!PG_ARGISNULL(ARG_COLUMN))
	{
		columns = list_make1(pstrdup(NameStr(*PG_GETARG_NAME(ARG_COLUMN))));
		MemoryContextSwitchTo(caller);
		return columns;
	}
	table = table_open(fill->table, AccessShareLock);
	kept = kept_columns_of(table);
	foreach(cell, kept)
		columns = lappend(columns,
						  pstrdup(((KeptColumn *) lfirst(cell))->column));
	if (columns == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("table \"%s\" has no kept column",
						RelationGetRelationName(table)),
				 errhint("Call embed_column() first.")));
	table_close(table, NoLock);
	MemoryContextSwitchTo(caller);
	return columns;
}

/*
 * The shards of a table that Citus distributes, each by a call of its own on
 * its worker, which commits its batches.
 */
static void
fill_distributed(FunctionCallInfo fcinfo, const Fill *fill)
{
	if (fill->max_rows >= 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("max_rows is not for a table that Citus distributes"),
				 errdetail("Each worker fills its shards by itself."),
				 errhint("Leave out max_rows, or cancel the call: what has been filled stays.")));
	fill_shards(fill->table, PG_ARGISNULL(ARG_COLUMN) ? NULL :
				NameStr(*PG_GETARG_NAME(ARG_COLUMN)),
				fill->batch_rows, fill->stale_wanted);
}

Datum
embed_fill(PG_FUNCTION_ARGS)
{
	Fill		fill;
	List	   *columns;
	ListCell   *cell;

	read_arguments(fcinfo, &fill);
	check_code("SPI_connect", SPI_connect_ext(SPI_OPT_NONATOMIC),
			   SPI_OK_CONNECT);
	PushActiveSnapshot(GetTransactionSnapshot());
	if (get_rel_name(fill.table) != NULL && table_is_distributed(fill.table))
	{
		fill_distributed(fcinfo, &fill);
		PopActiveSnapshot();
		SPI_finish();
		PG_RETURN_VOID();
	}
	columns = columns_to_fill(fcinfo, &fill, fcinfo->flinfo->fn_mcxt);
	PopActiveSnapshot();
	if (IsolationUsesXactSnapshot())
		next_transaction();
	foreach(cell, columns)
		fill_column(fcinfo, &fill, lfirst(cell));
	SPI_finish();
	PG_RETURN_VOID();
}
