/*-------------------------------------------------------------------------
 *
 * entry_counts.c
 *	  How often each entry of a vocabulary occurs in one document.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "encoder/vocabulary/entry_counts.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

StaticAssertDecl(ENTRY_PAGE_WORDS == 64, "one word of bits for the words of a page");

void
entry_counts_init(EntryCounts *counts, int64 entries)
{
	counts->context = CurrentMemoryContext;
	counts->page_count = (int) ((entries + ENTRY_PAGE_ENTRIES - 1) >>
								ENTRY_PAGE_BITS);
	counts->pages = palloc0(sizeof(EntryPage *) * Max(1, counts->page_count));
	counts->sorted = NULL;
	counts->capacity = 0;
}

EntryPage *
entry_counts_make_page(EntryCounts *counts, int page)
{
	counts->pages[page] = MemoryContextAllocZero(counts->context,
												 sizeof(EntryPage));
	return counts->pages[page];
}

/*
 * Empty one page into the array; returns where the next one goes on.
 */
static KeyCount *
take_page(EntryPage *page, int32 first_entry, KeyCount *to)
{
	while (page->words != 0)
	{
		int			word = pg_rightmost_one_pos64(page->words);
		uint64		used = page->used[word];

		page->words &= page->words - 1;
		page->used[word] = 0;
		for (; used != 0; used &= used - 1)
		{
			int			at = word * 64 + pg_rightmost_one_pos64(used);

			to->key = first_entry + at;
			to->count = page->count[at];
			page->count[at] = 0;
			to++;
		}
	}
	return to;
}

int
entry_counts_take(EntryCounts *counts, int64 most, KeyCount **sorted)
{
	KeyCount   *to;

	if (most + 1 > counts->capacity)
	{
		int64		capacity = Max(512, (most + 1) * 2);

		/* in this order: the counts outlive an error that somebody catches */
		counts->capacity = 0;
		if (counts->sorted != NULL)
			pfree(counts->sorted);
		counts->sorted = NULL;
		counts->sorted = MemoryContextAllocHuge(counts->context,
												sizeof(KeyCount) * capacity);
		counts->capacity = capacity;
	}
	to = counts->sorted;
	for (int i = 0; i < counts->page_count; i++)
		if (counts->pages[i] != NULL)
			to = take_page(counts->pages[i], i << ENTRY_PAGE_BITS, to);
	*sorted = counts->sorted;
	return (int) (to - counts->sorted);
}
