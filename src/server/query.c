/*-------------------------------------------------------------------------
 *
 * query.c
 *	  The rows of a query that the caller gave.
 *
 *-------------------------------------------------------------------------
 */
#include "server/query_private.h"

#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "tcop/dest.h"
#include "tcop/pquery.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/portal.h"

/* rows fetched at once, unless they are long */
#define BATCH_ROWS	64
#define BATCH_BYTES (1024 * 1024)

typedef struct QueryRow
{
	int64		number;			/* in the query, from 1 */
	QueryValue *values;			/* one a field */
} QueryRow;

struct QueryReader
{
	const QueryDeclaration *declaration;
	char	   *query;
	Portal		portal;
	QueryField *fields;
	int			field_count;
	QueryRange *ranges;			/* one a declared column */
	QueryValue	absent;
	bool		at_end;
	int64		rows;			/* received */
	MemoryContext batch_context;
	QueryRow	batch[BATCH_ROWS];
	int			batch_count;
	int			batch_next;
};

/* Receives rows of the cursor into the batch */
typedef struct QueryReceiver
{
	DestReceiver receiver;
	QueryReader *reader;
} QueryReceiver;

/*
 * Say what the query was for, unless the server has said more already.  An
 * error that comes from outside (cancel, shutdown) is none of the query's.
 */
pg_noreturn static void
explain_failure(const QueryDeclaration *declaration, MemoryContext caller)
{
	ErrorData  *error;

	MemoryContextSwitchTo(caller);
	error = CopyErrorData();
	FlushErrorState();
	if (ERRCODE_TO_CATEGORY(error->sqlerrcode) !=
		ERRCODE_OPERATOR_INTERVENTION)
	{
		if (error->detail == NULL)
			error->detail = psprintf("The query was to give the %s.",
									 declaration->subject);
		if (error->hint == NULL)
			error->hint = pstrdup(declaration->hint);
	}
	ReThrowError(error);
}

/* ---------- rows ---------- */

pg_noreturn static void
report_null(const QueryDeclaration *declaration, const QueryField *field)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("%s of the %s query is null",
					query_column_place(declaration, field),
					declaration->subject),
			 errhint("%s", declaration->hint)));
}

/* Whether the row is left out for a NULL; that costs no copy of the others */
static bool
skips_row(QueryReader *reader, TupleTableSlot *slot)
{
	for (int i = 0; i < reader->field_count; i++)
	{
		const QueryField *field = &reader->fields[i];

		if (field->column->nulls == QUERY_NULL_SKIP &&
			slot_attisnull(slot, field->attribute + 1))
			return true;
	}
	return false;
}

static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	QueryReader *reader = ((QueryReceiver *) self)->reader;
	QueryRow   *row = &reader->batch[reader->batch_count];
	MemoryContext caller;

	if (skips_row(reader, slot))
	{
		reader->rows++;
		return true;
	}
	caller = MemoryContextSwitchTo(reader->batch_context);
	row->values = palloc0(sizeof(QueryValue) * reader->field_count);
	for (int i = 0; i < reader->field_count; i++)
	{
		const QueryField *field = &reader->fields[i];
		QueryValue *value = &row->values[i];
		Datum		datum = slot_getattr(slot, field->attribute + 1,
										 &value->is_null);

		value->kind = field->kind;
		value->type = field->type;
		if (!value->is_null)
			query_convert(reader->declaration, field, datum, value);
		else if (field->column->nulls == QUERY_NULL_ERROR)
			report_null(reader->declaration, field);
	}
	MemoryContextSwitchTo(caller);
	row->number = ++reader->rows;
	reader->batch_count++;
	return true;
}

static void
ignore_startup(DestReceiver *self, int operation, TupleDesc shape)
{
}

static void
ignore_end(DestReceiver *self)
{
}

static void
report_fetched_place(void *argument)
{
	QueryReader *reader = argument;

	errcontext("row " INT64_FORMAT " of the %s \"%s\"", reader->rows + 1,
			   reader->declaration->subject, reader->query);
}

void
query_report_place(void *argument)
{
	QueryReader *reader = argument;

	if (reader->batch_next > 0)
		errcontext("row " INT64_FORMAT " of the %s \"%s\"",
				   reader->batch[reader->batch_next - 1].number,
				   reader->declaration->subject, reader->query);
}

static void
fetch_rows(QueryReader *reader)
{
	QueryReceiver receiver = {{0}};
	ErrorContextCallback place;

	receiver.receiver.receiveSlot = receive_row;
	receiver.receiver.rStartup = ignore_startup;
	receiver.receiver.rShutdown = ignore_end;
	receiver.receiver.rDestroy = ignore_end;
	receiver.receiver.mydest = DestNone;
	receiver.reader = reader;
	place.callback = report_fetched_place;
	place.arg = reader;
	place.previous = error_context_stack;
	error_context_stack = &place;

	/* long rows come one by one, short ones together */
	while (!reader->at_end && reader->batch_count < BATCH_ROWS &&
		   MemoryContextMemAllocated(reader->batch_context,
									 false) < BATCH_BYTES)
	{
		int64		rows_before = reader->rows;

		CHECK_FOR_INTERRUPTS();
		(void) PortalRunFetch(reader->portal, FETCH_FORWARD, 1,
							  &receiver.receiver);
		if (reader->rows == rows_before)
			reader->at_end = true;
	}
	error_context_stack = place.previous;
}

/* ---------- opening ---------- */

/* An error unless the plan is of one query that only reads */
static void
check_is_select(const QueryDeclaration *declaration, SPIPlanPtr plan)
{
	List	   *sources = SPI_plan_get_plan_sources(plan);
	CachedPlanSource *source;
	Query	   *query = NULL;

	if (list_length(sources) == 1)
	{
		source = linitial(sources);
		if (list_length(source->query_list) == 1)
			query = linitial_node(Query, source->query_list);
	}
	if (query == NULL || query->commandType != CMD_SELECT ||
		query->hasModifyingCTE || query->rowMarks != NIL ||
		query->utilityStmt != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_CURSOR_DEFINITION),
				 errmsg("%s is not a SELECT query", declaration->subject),
				 errdetail("It must be one query that changes nothing and locks no rows."),
				 errhint("%s", declaration->hint)));
}

static void
open_cursor(QueryReader *reader, MemoryContext context)
{
	SPIPlanPtr	plan;

	SPI_connect();
	plan = SPI_prepare_cursor(reader->query, 0, NULL, CURSOR_OPT_NO_SCROLL);
	if (plan == NULL)
		elog(ERROR, "could not prepare the %s query: %s",
			 reader->declaration->subject, SPI_result_code_string(SPI_result));
	check_is_select(reader->declaration, plan);
	reader->portal = SPI_cursor_open(NULL, plan, NULL, NULL, true);
	MemoryContextSwitchTo(context);
	reader->field_count = query_match_columns(reader->declaration,
											  reader->portal->tupDesc,
											  &reader->fields,
											  reader->ranges);
	SPI_finish();
}

QueryReader *
query_open(const QueryDeclaration *declaration, const char *query)
{
	MemoryContext caller = CurrentMemoryContext;
	QueryReader *reader = palloc0(sizeof(QueryReader));

	reader->declaration = declaration;
	reader->query = pstrdup(query);
	reader->ranges = palloc0(sizeof(QueryRange) * declaration->column_count);
	reader->absent.is_null = true;
	reader->batch_context = AllocSetContextCreate(CurrentMemoryContext,
												  "embed query rows",
												  ALLOCSET_DEFAULT_SIZES);
	PG_TRY();
	{
		open_cursor(reader, caller);
	}
	PG_CATCH();
	{
		explain_failure(declaration, caller);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	return reader;
}

/* ---------- reading ---------- */

/* Fill the batch; it stays empty at the end of the query only */
static void
fetch_batch(QueryReader *reader)
{
	MemoryContext caller = CurrentMemoryContext;

	MemoryContextReset(reader->batch_context);
	reader->batch_count = 0;
	reader->batch_next = 0;
	PG_TRY();
	{
		fetch_rows(reader);
	}
	PG_CATCH();
	{
		explain_failure(reader->declaration, caller);
	}
	PG_END_TRY();
}

bool
query_next(QueryReader *reader)
{
	if (reader->batch_next == reader->batch_count)
		fetch_batch(reader);
	if (reader->batch_count == 0)
		return false;
	reader->batch_next++;
	return true;
}

const QueryValue *
query_value(const QueryReader *reader, int column)
{
	QueryRange	range = reader->ranges[column];

	if (range.count == 0)
		return &reader->absent;
	return &reader->batch[reader->batch_next - 1].values[range.first];
}

int
query_columns(const QueryReader *reader, int column)
{
	return reader->ranges[column].count;
}

QueryColumnKind
query_kind(const QueryReader *reader, int column)
{
	return reader->fields[reader->ranges[column].first].kind;
}

int64
query_rows(const QueryReader *reader)
{
	return reader->rows;
}

const char *
query_string(const QueryReader *reader)
{
	return reader->query;
}

void
query_close(QueryReader *reader)
{
	SPI_connect();
	SPI_cursor_close(reader->portal);
	SPI_finish();
	MemoryContextDelete(reader->batch_context);
	pfree(reader->fields);
	pfree(reader->ranges);
	pfree(reader->query);
	pfree(reader);
}
