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

/* One lexeme of a word. */
typedef struct MemoLexeme
{
	const char *text;
	int			length;
	int			advance;		/* positions it lies behind the one before */
	int			start;			/* bytes of the input, from the word's start */
	int			source_length;
	uint64		hash;
} MemoLexeme;

/* A word and its lexemes. */
typedef struct MemoEntry
{
	uint64		hash;
	int			type;
	int			length;
	const char *text;
	int			advance;		/* positions behind the last lexeme */
	int			count;
	MemoLexeme *lexemes;
} MemoEntry;

typedef struct Memo Memo;

/*
 * memo_acquire
 *	  The memory of a configuration, until the current context is reset.
 *
 * What is learnt outlives the stream: the one released last is kept, and used
 * again for the same configuration in the same generation.
 */
extern Memo *memo_acquire(Oid config, uint64 generation);

/* Forget everything when there is too much: only between two texts' batches. */
extern void memo_trim(Memo *memo);

extern MemoEntry *memo_find(Memo *memo, uint64 hash, int type,
							const char *text, int length);

/* A new entry, its text and lexemes copied; lexemes[].hash is filled in. */
extern MemoEntry *memo_add(Memo *memo, uint64 hash, int type, const char *text,
						   int length, const MemoLexeme *lexemes, int count,
						   int advance);

#endif							/* TEXT_MEMO_H */
