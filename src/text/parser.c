/*-------------------------------------------------------------------------
 *
 * parser.c
 *	  Text search parsers embed_words and embed_whitespace.
 *
 * They only split: a parser that changed its tokens would break ts_headline,
 * which copies them back into the text.  The token types have the numbers of
 * the default parser's "word", "blank" and "hword", because ts_headline is
 * left to that parser's headline function, which goes by the numbers: of a
 * compound word it shows the parts only, and so of a pair its characters.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "miscadmin.h"
#include "tsearch/ts_public.h"

#include "text/encoding.h"
#include "text/parser.h"

/*
 * A blank is cut into tokens of this size, because a headline keeps the length
 * of a token in 16 bits; and a long word is read in steps of it.
 */
#define STEP_BYTES	32768

typedef struct ParserState
{
	SplitRule	rule;
	CharacterSource *source;
	const char *input;
	size_t		length;
	size_t		offset;
	bool		pair_done;		/* of the character at the offset */
} ParserState;

EMBED_FUNCTION(embed_words_start);
EMBED_FUNCTION(embed_whitespace_start);
EMBED_FUNCTION(embed_parser_token);
EMBED_FUNCTION(embed_parser_end);
EMBED_FUNCTION(embed_parser_types);

static Datum
parser_start(FunctionCallInfo fcinfo, SplitRule rule)
{
	ParserState *state = palloc0(sizeof(ParserState));

	state->rule = rule;
	state->source = database_character_source();
	state->input = (const char *) PG_GETARG_POINTER(0);
	state->length = (size_t) PG_GETARG_INT32(1);
	PG_RETURN_POINTER(state);
}

Datum
embed_words_start(PG_FUNCTION_ARGS)
{
	return parser_start(fcinfo, SPLIT_WORDS);
}

Datum
embed_whitespace_start(PG_FUNCTION_ARGS)
{
	return parser_start(fcinfo, SPLIT_WHITESPACE);
}

/*
 * Where the word that starts at the offset ends: read in steps, since it may
 * be as long as the text.
 */
static size_t
end_of_word(const ParserState *state)
{
	size_t		end = state->offset;
	size_t		stop = end + STEP_BYTES;

	end = word_token_end(state->rule, state->source, state->input,
						 state->length, end, stop);
	while (end >= stop && end < state->length)
	{
		CHECK_FOR_INTERRUPTS();
		stop = end + STEP_BYTES;
		end = word_span_end(state->rule, state->source, state->input,
							state->length, end, stop);
	}
	return end;
}

/*
 * Next token: its type, and its text in the two output arguments.  A pair
 * comes before its first character, and both start at the same place.
 */
Datum
embed_parser_token(PG_FUNCTION_ARGS)
{
	ParserState *state = (ParserState *) PG_GETARG_POINTER(0);
	char	  **text = (char **) PG_GETARG_POINTER(1);
	int		   *length = (int *) PG_GETARG_POINTER(2);
	size_t		start = state->offset;
	size_t		end = 0;
	int			type = PARSER_BLANK;

	CHECK_FOR_INTERRUPTS();
	state->offset = word_span_start(state->rule, state->source, state->input,
									state->length, start, start + STEP_BYTES);
	if (state->offset == start && start < state->length)
	{
		if (!state->pair_done)
			end = word_pair_end(state->rule, state->source, state->input,
								state->length, start);
		state->pair_done = end > 0;
		type = end > 0 ? PARSER_PAIR : PARSER_WORD;
		if (end == 0)
			end = state->offset = end_of_word(state);
	}
	else
		end = state->offset;
	*text = unconstify(char *, state->input) + start;
	*length = (int) (end - start);
	PG_RETURN_INT32(*length == 0 ? 0 : type);
}

Datum
embed_parser_end(PG_FUNCTION_ARGS)
{
	pfree(PG_GETARG_POINTER(0));
	PG_RETURN_VOID();
}

Datum
embed_parser_types(PG_FUNCTION_ARGS)
{
	LexDescr   *types = palloc0(sizeof(LexDescr) * 4);

	types[0].lexid = PARSER_WORD;
	types[0].alias = pstrdup("word");
	types[0].descr = pstrdup("Word");
	types[1].lexid = PARSER_BLANK;
	types[1].alias = pstrdup("blank");
	types[1].descr = pstrdup("What lies between words");
	types[2].lexid = PARSER_PAIR;
	types[2].alias = pstrdup("pair");
	types[2].descr = pstrdup("Two characters of a script without spaces");
	PG_RETURN_POINTER(types);
}
