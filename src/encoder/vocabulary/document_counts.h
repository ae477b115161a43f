/*-------------------------------------------------------------------------
 *
 * document_counts.h
 *	  The counts of one document, by small whole keys.
 *
 * A hash table that stays small enough for the nearest cache, emptied by
 * visiting only what was used.  It serves one document after the other.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VOCABULARY_DOCUMENT_COUNTS_H
#define VOCABULARY_DOCUMENT_COUNTS_H

#include "server/server.h"

typedef struct KeyCount
{
	int32		key;
	int32		count;
} KeyCount;

typedef struct DocumentCounts
{
	KeyCount   *slots;			/* key + 1; 0: empty */
	uint32	   *used;			/* numbers of the slots taken */
	KeyCount   *sorted;
	KeyCount   *other;			/* room for sorting */
	int			shift;			/* 32 - log2 of the number of slots */
	int			capacity;		/* half of the slots */
	int			count;			/* keys so far */
	int32		highest;		/* key so far */
} DocumentCounts;

/* in CurrentMemoryContext, where it grows too */
extern void document_counts_init(DocumentCounts *counts);
extern void document_counts_clear(DocumentCounts *counts);
extern void document_counts_grow(DocumentCounts *counts);

/*
 * The keys in ascending order with their counts; good until the next clear,
 * the caller's to change, with room for one more.
 */
extern KeyCount *document_counts_sort(DocumentCounts *counts);

static inline uint32
document_counts_slot(const DocumentCounts *counts, int32 key)
{
	return ((uint32) key * UINT32_C(0x9E3779B1)) >> counts->shift;
}

/*
 * Add to the count of a key from 0 to PG_INT32_MAX - 1.
 */
static inline void
document_counts_add(DocumentCounts *counts, int32 key, int32 increment)
{
	uint32		mask = (uint32) counts->capacity * 2 - 1;
	uint32		at = document_counts_slot(counts, key);

	for (; counts->slots[at].key != 0; at = (at + 1) & mask)
		if (counts->slots[at].key == key + 1)
		{
			counts->slots[at].count += increment;
			return;
		}
	counts->slots[at].key = key + 1;
	counts->slots[at].count = increment;
	counts->used[counts->count++] = at;
	if (key > counts->highest)
		counts->highest = key;
	if (counts->count == counts->capacity)
		document_counts_grow(counts);
}

#endif							/* VOCABULARY_DOCUMENT_COUNTS_H */
