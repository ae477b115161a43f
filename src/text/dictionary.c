/*-------------------------------------------------------------------------
 *
 * dictionary.c
 *	  Text search dictionaries embed_lower and embed_exact.
 *
 * embed_lower folds case with our own table, so that the same text gives the
 * same terms under every locale and server version; embed_exact returns the
 * token as it is.  Both know every word and take no option.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "commands/defrem.h"
#include "nodes/pg_list.h"
#include "tsearch/ts_public.h"
#include "utils/memutils.h"

#include "text/encoding.h"
#include "text/parser.h"

EMBED_FUNCTION(embed_dictionary_init);
EMBED_FUNCTION(embed_lower_lexize);
EMBED_FUNCTION(embed_exact_lexize);

Datum
embed_dictionary_init(PG_FUNCTION_ARGS)
{
	List	   *options = (List *) PG_GETARG_POINTER(0);

	if (options != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unrecognized dictionary parameter: \"%s\"",
						((DefElem *) linitial(options))->defname),
				 errdetail("This dictionary template takes no parameter."),
				 errhint("For stop words, put a dictionary of template simple before this one.")));

	/* the server keeps the pointer and asks for nothing more */
	PG_RETURN_POINTER(palloc0(1));
}

/* An array of one lexeme and the end. */
static TSLexeme *
single_lexeme(char *text)
{
	TSLexeme   *lexemes = palloc0(sizeof(TSLexeme) * 2);

	lexemes[0].lexeme = text;
	return lexemes;
}

Datum
embed_lower_lexize(PG_FUNCTION_ARGS)
{
	char	   *token = (char *) PG_GETARG_POINTER(1);
	int32		length = PG_GETARG_INT32(2);
	char	   *folded = MemoryContextAllocHuge(CurrentMemoryContext,
												(Size) length * 4 + 1);
	size_t		size = word_fold(database_character_source(), token,
								 (size_t) length, folded);

	folded[size] = '\0';
	PG_RETURN_POINTER(single_lexeme(folded));
}

Datum
embed_exact_lexize(PG_FUNCTION_ARGS)
{
	char	   *token = (char *) PG_GETARG_POINTER(1);
	int32		length = PG_GETARG_INT32(2);

	PG_RETURN_POINTER(single_lexeme(pnstrdup(token, (Size) length)));
}
