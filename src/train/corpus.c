/*-------------------------------------------------------------------------
 *
 * corpus.c
 *	  The texts to train on: the rows of the caller's query.
 *
 * The query runs once, as a cursor, under the snapshot of the statement that
 * trains, the caller's rights and the caller's search_path.  A batch of rows
 * at a time is copied out, so that neither the cursor nor an SPI connection
 * is open while the method works on a document.
 *
 *-------------------------------------------------------------------------
 */
#include "train/corpus.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "parser/parse_coerce.h"
#include "tcop/dest.h"
#include "tcop/pquery.h"
#include "train/corpus.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"

/* rows fetched at once, unless they are long */
#define BATCH_ROWS	64
#define BATCH_BYTES (1024 * 1024)

#define CORPUS_HINT "The corpus is a query that returns one text a row, such as 'SELECT body FROM articles'."

typedef struct Document
{
	text	   *body;			/* detoasted */
	Oid			config;
} Document;

struct Corpus
{
	Portal		portal;
	char	   *query;
	Oid			config;			/* for rows that bring none */
	bool		has_config;
	bool		at_end;
	int64		rows;
	int64		documents;
	MemoryContext batch_context;
	Document	batch[BATCH_ROWS];
	int			batch_count;
	int			batch_next;
};

/* Receives rows of the cursor into the batch */
typedef struct CorpusReceiver
{
	DestReceiver receiver;
	Corpus	   *corpus;
} CorpusReceiver;

/*
 * Say what the query was for, unless the server has said more already.  An
 * error that comes from outside (cancel, shutdown) is none of the query's.
 */
pg_noreturn static void
explain_failure(MemoryContext caller)
{
	ErrorData  *error;

	MemoryContextSwitchTo(caller);
	error = CopyErrorData();
	FlushErrorState();
	if (ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_OPERATOR_INTERVENTION)
	{
		if (error->detail == NULL)
			error->detail = "The query was to give the corpus.";
		if (error->hint == NULL)
			error->hint = CORPUS_HINT;
	}
	ReThrowError(error);
}

/* ---------- rows ---------- */

static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	Corpus	   *corpus = ((CorpusReceiver *) self)->corpus;
	Document   *document = &corpus->batch[corpus->batch_count];
	MemoryContext caller;
	Datum		value;
	bool		isnull;

	corpus->rows++;
	value = slot_getattr(slot, 1, &isnull);
	if (isnull)
		return true;
	caller = MemoryContextSwitchTo(corpus->batch_context);
	document->body = (text *) PG_DETOAST_DATUM_COPY(value);
	MemoryContextSwitchTo(caller);
	document->config = corpus->config;
	if (corpus->has_config)
	{
		value = slot_getattr(slot, 2, &isnull);
		if (!isnull)
			document->config = DatumGetObjectId(value);
	}
	corpus->batch_count++;
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
report_corpus_place(void *argument)
{
	Corpus	   *corpus = argument;

	errcontext("row " INT64_FORMAT " of the corpus \"%s\"", corpus->rows + 1,
			   corpus->query);
}

static void
fetch_rows(Corpus *corpus)
{
	CorpusReceiver receiver = {{0}};
	ErrorContextCallback place;
	Size		bytes = 0;

	receiver.receiver.receiveSlot = receive_row;
	receiver.receiver.rStartup = ignore_startup;
	receiver.receiver.rShutdown = ignore_end;
	receiver.receiver.rDestroy = ignore_end;
	receiver.receiver.mydest = DestNone;
	receiver.corpus = corpus;
	place.callback = report_corpus_place;
	place.arg = corpus;
	place.previous = error_context_stack;
	error_context_stack = &place;

	/* long texts come one by one, short ones together */
	while (!corpus->at_end && corpus->batch_count < BATCH_ROWS &&
		   bytes < BATCH_BYTES)
	{
		int64		rows_before = corpus->rows;
		int			count_before = corpus->batch_count;

		CHECK_FOR_INTERRUPTS();
		(void) PortalRunFetch(corpus->portal, FETCH_FORWARD, 1,
							  &receiver.receiver);
		if (corpus->rows == rows_before)
			corpus->at_end = true;
		else if (corpus->batch_count > count_before)
			bytes += VARSIZE(corpus->batch[count_before].body);
	}
	error_context_stack = place.previous;
}

/* ---------- opening ---------- */

/* The one query of the plan, if it only reads; an error otherwise */
static Query *
check_is_select(SPIPlanPtr plan)
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
				 errmsg("corpus is not a SELECT query"),
				 errdetail("It must be one query that changes nothing and locks no rows."),
				 errhint(CORPUS_HINT)));
	return query;
}

static bool
is_text(Oid type)
{
	Oid			base = getBaseType(type);

	return base == TEXTOID || base == VARCHAROID || base == BPCHAROID;
}

static void
check_columns(Portal portal, bool *has_config)
{
	TupleDesc	shape = portal->tupDesc;
	Oid			type;

	if (shape == NULL || shape->natts == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("corpus query returns no column"),
				 errdetail("Its first column must be the text."),
				 errhint(CORPUS_HINT)));
	type = TupleDescAttr(shape, 0)->atttypid;
	if (!is_text(type))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("first column of the corpus query is not text"),
				 errdetail("Column \"%s\" has type %s.",
						   NameStr(TupleDescAttr(shape, 0)->attname),
						   format_type_be(type)),
				 errhint("Put the column with the texts first, or cast it to text.")));
	*has_config = shape->natts > 1;
	if (!*has_config)
		return;
	type = TupleDescAttr(shape, 1)->atttypid;
	if (getBaseType(type) != REGCONFIGOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("second column of the corpus query is not a text search configuration"),
				 errdetail("Column \"%s\" has type %s instead of regconfig.",
						   NameStr(TupleDescAttr(shape, 1)->attname),
						   format_type_be(type)),
				 errhint("Select only the text, or cast the second column to regconfig.")));
	if (shape->natts > 2)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("corpus query returns too many columns"),
				 errdetail("It returns %d columns; the first is the text, the second its text search configuration.",
						   shape->natts),
				 errhint("Select only the text.")));
}

static void
open_cursor(Corpus *corpus)
{
	SPIPlanPtr	plan;

	SPI_connect();
	plan = SPI_prepare_cursor(corpus->query, 0, NULL, CURSOR_OPT_NO_SCROLL);
	if (plan == NULL)
		elog(ERROR, "could not prepare the corpus query: %s",
			 SPI_result_code_string(SPI_result));
	(void) check_is_select(plan);
	corpus->portal = SPI_cursor_open(NULL, plan, NULL, NULL, true);
	check_columns(corpus->portal, &corpus->has_config);
	SPI_finish();
}

Corpus *
corpus_open(const char *query, Oid config)
{
	Corpus	   *corpus = palloc0(sizeof(Corpus));
	MemoryContext caller = CurrentMemoryContext;

	corpus->query = pstrdup(query);
	corpus->config = config;
	corpus->batch_context = AllocSetContextCreate(CurrentMemoryContext,
												  "embed corpus",
												  ALLOCSET_DEFAULT_SIZES);
	PG_TRY();
	{
		open_cursor(corpus);
	}
	PG_CATCH();
	{
		explain_failure(caller);
	}
	PG_END_TRY();
	return corpus;
}

/* ---------- reading ---------- */

/* Fill the batch; it stays empty at the end of the query only */
static void
fetch_batch(Corpus *corpus)
{
	MemoryContext caller = CurrentMemoryContext;

	MemoryContextReset(corpus->batch_context);
	corpus->batch_count = 0;
	corpus->batch_next = 0;
	PG_TRY();
	{
		fetch_rows(corpus);
	}
	PG_CATCH();
	{
		explain_failure(caller);
	}
	PG_END_TRY();
}

pg_noreturn static void
report_no_text(Corpus *corpus)
{
	if (corpus->rows == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("corpus is empty"),
				 errdetail("The query \"%s\" returned no rows.",
						   corpus->query),
				 errhint("Load the texts first, or check the conditions of the query.")));
	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA_FOUND),
			 errmsg("corpus has no text"),
			 errdetail("Number of rows of the query \"%s\", all NULL: " INT64_FORMAT ".",
					   corpus->query, corpus->rows),
			 errhint("Put the column with the texts first.")));
}

bool
corpus_next(Corpus *corpus, CorpusDocument *document)
{
	Document   *next;

	if (corpus->batch_next == corpus->batch_count)
		fetch_batch(corpus);
	if (corpus->batch_count == 0)
	{
		if (corpus->documents == 0)
			report_no_text(corpus);
		return false;
	}
	next = &corpus->batch[corpus->batch_next++];
	document->text = VARDATA(next->body);
	document->length = VARSIZE(next->body) - VARHDRSZ;
	document->config = next->config;
	corpus->documents++;
	return true;
}

int64
corpus_documents(const Corpus *corpus)
{
	return corpus->documents;
}

void
corpus_close(Corpus *corpus)
{
	SPI_connect();
	SPI_cursor_close(corpus->portal);
	SPI_finish();
	MemoryContextDelete(corpus->batch_context);
	pfree(corpus->query);
	pfree(corpus);
}
