/*-------------------------------------------------------------------------
 *
 * entry_counts.h
 *	  How often each entry of a vocabulary occurs in one document.
 *
 * Counts lie where the entry's number says, in pages made when first needed;
 * a bit for each count says whether it is in use, and a bit for each word of
 * those bits whether it is 0.  Adding takes no branch that a processor could
 * not foresee, and reading goes through the bits in order, so nothing is
 * sorted.  Frequent terms have low numbers and share a few pages.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VOCABULARY_ENTRY_COUNTS_H
#define VOCABULARY_ENTRY_COUNTS_H

#include "encoder/vocabulary/document_counts.h"

#define ENTRY_PAGE_BITS		12
#define ENTRY_PAGE_ENTRIES	(1 << ENTRY_PAGE_BITS)
#define ENTRY_PAGE_WORDS	(ENTRY_PAGE_ENTRIES / 64)

/* a bit of "words" for each word of "used", so there are 64 of those */
typedef struct EntryPage
{
	uint64		words;
	uint64		used[ENTRY_PAGE_WORDS];
	int32		count[ENTRY_PAGE_ENTRIES];
} EntryPage;

typedef struct EntryCounts
{
	MemoryContext context;
	int			page_count;
	EntryPage **pages;			/* NULL: nothing has been counted there */
	KeyCount   *sorted;
	int64		capacity;		/* of sorted */
} EntryCounts;

/* in CurrentMemoryContext, for entries from 0 to entries - 1 */
extern void entry_counts_init(EntryCounts *counts, int64 entries);
extern EntryPage *entry_counts_make_page(EntryCounts *counts, int page);

/*
 * The entries counted, in ascending order, into *sorted, where there is room
 * for one more; all counts are 0 afterwards.  most: at least as many as there
 * are.
 */
extern int	entry_counts_take(EntryCounts *counts, int64 most,
							  KeyCount **sorted);

static inline void
entry_counts_add(EntryCounts *counts, int32 entry)
{
	EntryPage  *page = counts->pages[entry >> ENTRY_PAGE_BITS];
	int			at = entry & (ENTRY_PAGE_ENTRIES - 1);

	if (unlikely(page == NULL))
		page = entry_counts_make_page(counts, entry >> ENTRY_PAGE_BITS);
	page->count[at]++;
	page->used[at >> 6] |= UINT64_C(1) << (at & 63);
	page->words |= UINT64_C(1) << (at >> 6);
}

#endif							/* VOCABULARY_ENTRY_COUNTS_H */
