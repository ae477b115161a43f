/*-------------------------------------------------------------------------
 *
 * search_run.c
 *	  embed_search, and embed_search_sql, which shows its statement.
 *
 *-------------------------------------------------------------------------
 */
#include "search/search.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "server/execute.h"
#include "server/set_result.h"
#include "executor/spi.h"
#include "utils/builtins.h"

EMBED_FUNCTION(embed_search);
EMBED_FUNCTION(embed_search_sql);

/* arguments, in order */
enum
{
	ARG_TABLE,
	ARG_QUERY,
	ARG_COUNT,
	ARG_COLUMNS,
	ARG_FILTER,
	ARG_FUSION,
	ARG_WEIGHTS,
	ARG_CANDIDATES
};

static const SearchArguments arguments = {
	.table = ARG_TABLE,
	.count = ARG_COUNT,
	.columns = ARG_COLUMNS,
	.filter = ARG_FILTER,
	.fusion = ARG_FUSION,
	.weights = ARG_WEIGHTS,
	.candidates = ARG_CANDIDATES
};

static void
receive_row(const Datum *values, const bool *nulls, void *argument)
{
	set_result_add(argument, unconstify(Datum *, values),
				   unconstify(bool *, nulls));
}

/* embed_search(table, query, ...) -> (hit, score, ranks, distances) */
Datum
embed_search(PG_FUNCTION_ARGS)
{
	Search		search;
	struct ReturnSetInfo *result = set_result_begin(fcinfo);
	Oid			type = TEXTOID;
	Datum		query;

	/* nothing is asked: nothing is found */
	if (PG_ARGISNULL(ARG_QUERY))
		return (Datum) 0;
	search_open(&search, fcinfo, &arguments);
	query = PG_GETARG_DATUM(ARG_QUERY);
	(void) execute_prepared_query(execute_prepare(search_statement(&search),
												  SPI_OK_SELECT, 1, &type),
								  &query, NULL, receive_row, result);
	return (Datum) 0;
}

/* embed_search_sql(table, query, ...) -> the statement; $1 without a query */
Datum
embed_search_sql(PG_FUNCTION_ARGS)
{
	Search		search;

	search_open(&search, fcinfo, &arguments);
	if (!PG_ARGISNULL(ARG_QUERY))
	{
		char	   *query = text_to_cstring(PG_GETARG_TEXT_PP(ARG_QUERY));

		search.question = psprintf("%s::pg_catalog.text",
								   quote_literal_cstr(query));
	}
	PG_RETURN_TEXT_P(cstring_to_text(search_statement(&search)));
}
