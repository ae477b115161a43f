/*-------------------------------------------------------------------------
 *
 * document_counts.c
 *	  The counts of one document, by small whole keys.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "encoder/vocabulary/document_counts.h"
#include "utils/memutils.h"

#define FIRST_CAPACITY	512
#define FEW_KEYS		32		/* sorted by insertion */
#define DIGIT_BITS		8
#define DIGITS			(1 << DIGIT_BITS)

/*
 * Empty counts of this capacity.  If there is no memory, the old ones must
 * stay as they are: so they are built aside.
 */
static void
allocate(DocumentCounts *counts, MemoryContext context, int capacity)
{
	Size		slots = (Size) capacity * 2;

	counts->slots = MemoryContextAllocExtended(
		context, sizeof(KeyCount) * slots, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	counts->used = MemoryContextAllocHuge(context, sizeof(uint32) * capacity);
	counts->sorted = MemoryContextAllocHuge(context,
											sizeof(KeyCount) * capacity);
	counts->other = MemoryContextAllocHuge(context,
										   sizeof(KeyCount) * capacity);
	counts->capacity = capacity;
	counts->count = 0;
	counts->shift = 32;
	while (slots > 1)
	{
		slots /= 2;
		counts->shift--;
	}
}

void
document_counts_init(DocumentCounts *counts)
{
	allocate(counts, CurrentMemoryContext, FIRST_CAPACITY);
	counts->highest = 0;
}

void
document_counts_clear(DocumentCounts *counts)
{
	for (int i = 0; i < counts->count; i++)
		counts->slots[counts->used[i]].key = 0;
	counts->count = 0;
	counts->highest = 0;
}

void
document_counts_grow(DocumentCounts *counts)
{
	DocumentCounts old = *counts;
	DocumentCounts grown = *counts;

	allocate(&grown, GetMemoryChunkContext(old.slots), old.capacity * 2);
	*counts = grown;
	for (int i = 0; i < old.count; i++)
	{
		KeyCount   *slot = &old.slots[old.used[i]];

		document_counts_add(counts, slot->key - 1, slot->count);
	}
	pfree(old.slots);
	pfree(old.used);
	pfree(old.sorted);
	pfree(old.other);
}

static void
sort_few(KeyCount *keys, int count)
{
	for (int i = 1; i < count; i++)
	{
		KeyCount	key = keys[i];
		int			at = i;

		for (; at > 0 && keys[at - 1].key > key.key; at--)
			keys[at] = keys[at - 1];
		keys[at] = key;
	}
}

/*
 * One pass of a radix sort, by the digit that starts at bit "shift".
 */
static void
sort_by_digit(const KeyCount *from, KeyCount *to, int count, int shift)
{
	int			start[DIGITS] = {0};
	int			sum = 0;

	for (int i = 0; i < count; i++)
		start[(from[i].key >> shift) & (DIGITS - 1)]++;
	for (int digit = 0; digit < DIGITS; digit++)
	{
		int			here = start[digit];

		start[digit] = sum;
		sum += here;
	}
	for (int i = 0; i < count; i++)
		to[start[(from[i].key >> shift) & (DIGITS - 1)]++] = from[i];
}

KeyCount *
document_counts_sort(DocumentCounts *counts)
{
	for (int i = 0; i < counts->count; i++)
	{
		const KeyCount *slot = &counts->slots[counts->used[i]];

		counts->sorted[i].key = slot->key - 1;
		counts->sorted[i].count = slot->count;
	}
	if (counts->count <= FEW_KEYS)
	{
		sort_few(counts->sorted, counts->count);
		return counts->sorted;
	}
	for (int shift = 0; shift < 31 && (counts->highest >> shift) != 0;
		 shift += DIGIT_BITS)
	{
		KeyCount   *swap;

		sort_by_digit(counts->sorted, counts->other, counts->count, shift);
		swap = counts->sorted;
		counts->sorted = counts->other;
		counts->other = swap;
	}
	return counts->sorted;
}
