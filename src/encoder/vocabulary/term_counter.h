/*-------------------------------------------------------------------------
 *
 * term_counter.h
 *	  Counting the terms of a corpus in bounded memory.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VOCABULARY_TERM_COUNTER_H
#define VOCABULARY_TERM_COUNTER_H

#include "encoder/vocabulary/term_sort.h"
#include "encoder/vocabulary/terms.h"

typedef struct TermCounter
{
	int64		documents;		/* seen, those without a term included */
	int64		occurrences;	/* of all terms together */
	bool		spilled;		/* terms are on disk */
	struct TermTable *table;
} TermCounter;

/* in CurrentMemoryContext */
extern TermCounter *term_counter_create(int memory_kilobytes);

/* the terms that follow belong to another document */
extern void term_counter_begin_document(TermCounter *counter);
extern void term_counter_add(TermCounter *counter, const Term *terms,
							 int count);

/*
 * After the last document: each term once, in no particular order.  Texts
 * stay until the counter is freed, or, if it has spilled, until the next call.
 */
extern void term_counter_finish(TermCounter *counter);
extern bool term_counter_next(TermCounter *counter, CountedTerm *term);
extern void term_counter_free(TermCounter *counter);

#endif							/* VOCABULARY_TERM_COUNTER_H */
