/*-------------------------------------------------------------------------
 *
 * statement.c
 *	  SQL text that the caller gave, parsed, analyzed and planned, not run.
 *
 *-------------------------------------------------------------------------
 */
#include "server/statement.h"

#include "parser/parse_node.h"
#include "parser/parse_param.h"
#include "parser/parser.h"
#include "tcop/tcopprot.h"

/* Parameters of a statement, as far as its analysis has met them */
typedef struct Parameters
{
	Oid		   *types;
	int			count;
} Parameters;

/*
 * A position in the text is none in the statement that the client has sent,
 * in which it would be shown otherwise.
 */
static void
transpose_position(void *sql)
{
	int			position = geterrposition();

	if (position <= 0)
		return;
	errposition(0);
	internalerrposition(position);
	internalerrquery(sql);
}

static void
push_context(ErrorContextCallback *context, const char *sql)
{
	context->callback = transpose_position;
	context->arg = unconstify(char *, sql);
	context->previous = error_context_stack;
	error_context_stack = context;
}

List *
statement_parse(const char *sql)
{
	ErrorContextCallback context;
	List	   *parsed;

	push_context(&context, sql);
	parsed = parse_statements(sql);
	error_context_stack = context.previous;
	return parsed;
}

static void
accept_parameters(ParseState *state, void *argument)
{
	Parameters *parameters = argument;

	setup_variable_parameters(state, &parameters->types, &parameters->count);
}

List *
statement_analyze(RawStmt *raw, const char *sql)
{
	ErrorContextCallback context;
	Parameters	parameters = {NULL, 0};
	List	   *queries;

	push_context(&context, sql);
	queries = analyze_statement(raw, sql, accept_parameters, &parameters);
	error_context_stack = context.previous;
	return queries;
}

PlannedStmt *
statement_plan(const Query *query, const char *sql)
{
	return pg_plan_query(copyObject(unconstify(Query *, query)), sql,
						 CURSOR_OPT_PARALLEL_OK, NULL);
}
