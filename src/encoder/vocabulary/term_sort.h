/*-------------------------------------------------------------------------
 *
 * term_sort.h
 *	  Terms with their counts, put into an order.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VOCABULARY_TERM_SORT_H
#define VOCABULARY_TERM_SORT_H

#include "server/server.h"

typedef struct CountedTerm
{
	const char *text;			/* not terminated */
	int			length;
	int64		documents;		/* that hold the term */
	int64		occurrences;

	/* numbers of the first and last of those documents */
	int64		first_document;
	int64		last_document;
} CountedTerm;

typedef enum TermOrder
{
	TERM_ORDER_FREQUENCY,		/* occurrences falling, then by term */
	TERM_ORDER_TERM				/* by bytes: in UTF-8, by code point */
} TermOrder;

typedef struct TermSorter TermSorter;

/*
 * in_memory: the texts of all terms put stay where they are until the end,
 * so that pointers are sorted; otherwise terms are copied and a tuplesort of
 * memory_kilobytes goes to disk when it must.  On disk a term may be put
 * several times; by term, it then comes back by first and last document.
 */
extern TermSorter *term_sorter_create(TermOrder order, bool in_memory,
									  int memory_kilobytes);
extern void term_sorter_put(TermSorter *sorter, const CountedTerm *term);
extern void term_sorter_perform(TermSorter *sorter);

/* false at the end; the text stays until the next call */
extern bool term_sorter_get(TermSorter *sorter, CountedTerm *term);
extern void term_sorter_end(TermSorter *sorter);

#endif							/* VOCABULARY_TERM_SORT_H */
