/*-------------------------------------------------------------------------
 *
 * lexize.h
 *	  Words through the dictionaries of a configuration.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TEXT_LEXIZE_H
#define TEXT_LEXIZE_H

#include "tsearch/ts_cache.h"
#include "tsearch/ts_public.h"

/* A word as the parser found it. */
typedef struct RawToken
{
	int			type;			/* 0: the end of the text */
	const char *text;
	int			length;
	int			start;			/* byte in the input */
} RawToken;

/* What the dictionaries made of one word, or of a phrase. */
typedef struct Normalized
{
	TSLexeme   *lexemes;		/* ends with a NULL lexeme; none: a stop
								 * word */
	int			start;			/* bytes of the input it stands for */
	int			end;
} Normalized;

typedef struct Lexizer Lexizer;

extern Lexizer *lexizer_create(TSConfigCacheEntry *config);
extern void lexizer_begin(Lexizer *lexizer);

/* Does any dictionary take tokens of this type? */
extern bool lexizer_takes(Lexizer *lexizer, int type);

/* Nothing is pending: what comes next does not depend on what came before. */
extern bool lexizer_idle(Lexizer *lexizer);

/* The word added last was taken alone, not offered as part of a phrase. */
extern bool lexizer_took_word(Lexizer *lexizer);

/*
 * Add the next word, whose text must stay as long as the lexizer is not idle,
 * then take results until there is none.  Results stay until a word is added
 * to an idle lexizer.
 */
extern void lexizer_add(Lexizer *lexizer, const RawToken *token);
extern bool lexizer_next(Lexizer *lexizer, Normalized *result);

#endif							/* TEXT_LEXIZE_H */
