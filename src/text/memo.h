/*-------------------------------------------------------------------------
 *
 * memo.h
 *	  What became of a word: a bounded memory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TEXT_MEMO_H
#define TEXT_MEMO_H

#include "text/lexize.h"
#include "text/words.h"

/*
 * One lexeme of a word or of a chunk.  Small: a memo holds many, and the time
 * goes to fetching them.
 */
typedef struct MemoLexeme
{
	uint64		hash;
	uint32		offset;			/* of its text, from the start of the entry */
	uint16		length;
	uint16		start;			/* bytes of the input, from the word's start */
	uint16		source_length;
	uint16		advance;		/* positions it lies behind the one before */
} MemoLexeme;

/* A word or chunk and its lexemes. */
typedef struct MemoEntry
{
	int16		type;
	uint16		length;			/* of the text, which follows the lexemes */
	uint16		count;
	uint16		advance;		/* positions behind the last lexeme */
	MemoLexeme	lexemes[FLEXIBLE_ARRAY_MEMBER];
} MemoEntry;

typedef struct Memo Memo;

/*
 * The memory of a configuration, until the current context is reset.
 *
 * What is learnt outlives the stream: the one released last is kept, and used
 * again for the same configuration in the same generation.
 */
extern Memo *memo_acquire(Oid config, uint64 generation);

/*
 * Forget everything when there is too much: only between two texts' batches.
 */
extern void memo_trim(Memo *memo);

extern MemoEntry *memo_find(Memo *memo, uint64 hash, int type,
							const char *text, int length);

/*
 * Remember a word: its tokens, of which "start" and "position" count from
 * the word's start and from the position before it.
 *
 * advance: how far the whole word takes the position.  Returns NULL when the
 * word is too large to be remembered.
 */
extern MemoEntry *memo_add(Memo *memo, uint64 hash, int type, const char *text,
						   int length, const Token *tokens, int count,
						   int advance);

#endif							/* TEXT_MEMO_H */
