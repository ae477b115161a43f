/*-------------------------------------------------------------------------
 *
 * parser.h
 *	  Our parsers and dictionaries as the token stream recognises them.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TEXT_PARSER_H
#define TEXT_PARSER_H

#include "fmgr.h"

/* numbers of the default parser's types, see parser.c */
#define PARSER_WORD		2
#define PARSER_BLANK	12
#define PARSER_PAIR		17

extern Datum embed_words_start(PG_FUNCTION_ARGS);
extern Datum embed_whitespace_start(PG_FUNCTION_ARGS);
extern Datum embed_lower_lexize(PG_FUNCTION_ARGS);
extern Datum embed_exact_lexize(PG_FUNCTION_ARGS);

#endif							/* TEXT_PARSER_H */
