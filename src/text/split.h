/*-------------------------------------------------------------------------
 *
 * split.h
 *	  Passages of a text, of at most so many tokens, whosever tokens they are.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TEXT_SPLIT_H
#define TEXT_SPLIT_H

#include "server/server.h"

#define SPLIT_MAX_TOKENS	1000000

/* Bytes of the input; starts never go back. */
typedef struct SplitToken
{
	int			start;
	int			end;
} SplitToken;

/*
 * Where tokens come from; whoever makes one embeds this struct.
 */
typedef struct SplitTokens
{
	bool		(*next) (struct SplitTokens *tokens, SplitToken *token);

	/* Has this part of the input, read alone, so few tokens?  NULL: always. */
	bool		(*fits) (struct SplitTokens *tokens, int start, int end,
						 int max_tokens);
} SplitTokens;

typedef struct Splitter Splitter;

/* The input must stay; checks max_tokens and overlap. */
extern Splitter *splitter_create(const char *input, int length, int max_tokens,
								 int overlap, SplitTokens *tokens);

/* Find the next passage in bytes; false at the end. */
extern bool splitter_next(Splitter *splitter, int *start, int *end);

#endif							/* TEXT_SPLIT_H */
