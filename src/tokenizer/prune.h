/*-------------------------------------------------------------------------
 *
 * prune.h
 *	  A tokenizer.json without the tokens that a static model has no use for.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TOKENIZER_PRUNE_H
#define TOKENIZER_PRUNE_H

#include "tokenizer/tokenizer.h"

typedef struct PrunedTokenizer
{
	char	   *json;			/* in the arena, ended by a zero byte */
	size_t		length;
	uint32_t	count;			/* of its tokens, whose ids have no gaps */
	uint32_t   *ids;			/* of each of them in the old one */
} PrunedTokenizer;

/*
 * Added tokens go, but for the unknown one and the one for padding, and so do
 * those named "[unused...]"; the others get new ids in the order of the old.
 * Nothing is put around a text any more, and byte-level tokenizers read one
 * as if a blank stood before it: what model2vec makes of a tokenizer.
 *
 * tokenizer: the same file, compiled.  options may be NULL.
 */
extern FormatStatus tokenizer_prune(Arena *arena, const Tokenizer *tokenizer,
									const char *json, size_t length,
									const TokenizerCompileOptions *options,
									PrunedTokenizer *pruned,
									FormatFault *fault);

/*
 * vocabulary_json.c: the tokenizer.json that says what a vocab.txt and its
 * options say.  tokenizer: compiled from them.  The text is the arena's.
 */
extern FormatStatus
tokenizer_vocabulary_json(Arena *arena, const Tokenizer *tokenizer,
						  const TokenizerBertOptions *bert,
						  const TokenizerCompileOptions *options,
						  char **json, size_t *length, FormatFault *fault);

#endif							/* TOKENIZER_PRUNE_H */
