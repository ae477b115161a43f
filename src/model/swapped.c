/*-------------------------------------------------------------------------
 *
 * swapped.c
 *	  A hint for whoever gives a function of a model the text first.
 *
 * tfidf('some text', 'model') fails before any code of ours is asked: the
 * parser looks for a relation of the name "some text".  A second function
 * (text, regclass) would make every call with two literals ambiguous.  So the
 * error is told apart when it is reported, by its position: the literal that
 * is no relation is the first argument of a function of ours.  The text of
 * the error stays as it is; it only gains a hint that it did not have.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <ctype.h>

#include "mb/pg_wchar.h"
#include "model/model.h"
#include "tcop/tcopprot.h"

static emit_log_hook_type previous_hook = NULL;

static const char *const functions[] = {
	"add_documents", "bm25_document", "bm25_query", "count_vector", "embed",
	"embed_array", "embed_tokens", "nearest_words", "one_hot", "tfidf",
	"word_vector", NULL
};

/* The errors of text that is no name of a relation */
static bool
is_bad_name(const ErrorData *error)
{
	return error->elevel == ERROR && error->hint == NULL &&
		error->cursorpos > 0 && error->internalpos == 0 &&
		(error->sqlerrcode == ERRCODE_UNDEFINED_TABLE ||
		 error->sqlerrcode == ERRCODE_INVALID_NAME ||
		 error->sqlerrcode == ERRCODE_INVALID_SCHEMA_NAME ||
		 error->sqlerrcode == ERRCODE_SYNTAX_ERROR ||
		 error->sqlerrcode == ERRCODE_FEATURE_NOT_SUPPORTED);
}

/*
 * The function of ours whose first argument begins at a place of the query,
 * counted in characters from 1; or NULL.
 */
static const char *
function_before(const char *query, int position)
{
	const char *at = query;
	const char *end;

	for (int i = 1; i < position && *at != '\0'; i++)
		at += pg_mblen(at);
	while (at > query && isspace((unsigned char) at[-1]))
		at--;
	if (at == query || at[-1] != '(')
		return NULL;
	end = at - 1;
	while (end > query && isspace((unsigned char) end[-1]))
		end--;
	at = end;
	while (at > query && (isalnum((unsigned char) at[-1]) || at[-1] == '_'))
		at--;
	for (int i = 0; functions[i] != NULL; i++)
	{
		if (strlen(functions[i]) == end - at &&
			pg_strncasecmp(functions[i], at, end - at) == 0)
			return functions[i];
	}
	return NULL;
}

static void
add_hint(ErrorData *error)
{
	const char *function;

	if (is_bad_name(error) && debug_query_string != NULL)
	{
		function = function_before(debug_query_string, error->cursorpos);
		if (function != NULL)
			error->hint = psprintf("The model comes first: %s(model, input).",
								   function);
	}
	if (previous_hook != NULL)
		previous_hook(error);
}

void
model_init(void)
{
	previous_hook = emit_log_hook;
	emit_log_hook = add_hint;
}
