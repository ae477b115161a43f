/*-------------------------------------------------------------------------
 *
 * hidden_terms.c
 *	  Where the terms under the cut are: from their hash to their id.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/vocabulary/hidden_terms.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#define FIRST_SLOTS			64
#define FIRST_LIST			1024

/* slots taken at most, of eight; a build takes two to four */
#define PATCH_FULL_EIGHTHS	6

typedef struct HiddenTerm
{
	uint64		hash;
	int32		id;
} HiddenTerm;

/* A slot is found by the lower bits of the hash, and knows the upper. */
static HiddenSlot
slot_of(int32 id, uint64 hash)
{
	HiddenSlot	slot = {(uint32) (hash >> 32), id};

	return slot;
}

/* The slot that is the same, or the empty one where it would be */
static HiddenSlot *
find_slot(HiddenSlot *slots, Size slot_count, HiddenSlot wanted, uint64 hash)
{
	Size		at = (uint32) hash & (slot_count - 1);

	while (slots[at].id != 0 &&
		   (slots[at].id != wanted.id || slots[at].tag != wanted.tag))
		at = (at + 1) & (slot_count - 1);
	return &slots[at];
}

void
hidden_terms_add(HiddenTerms *hidden, int32 id, uint64 hash)
{
	if (hidden->list == NULL)
	{
		hidden->capacity = FIRST_LIST;
		hidden->list = palloc(sizeof(HiddenTerm) * hidden->capacity);
	}
	else if (hidden->count == hidden->capacity)
	{
		hidden->capacity *= 2;
		hidden->list = repalloc_huge(hidden->list, sizeof(HiddenTerm) *
									 hidden->capacity);
	}
	hidden->list[hidden->count].id = id;
	hidden->list[hidden->count++].hash = hash;
}

void
hidden_terms_append(HiddenTerms *hidden, ImageBuilder *builder, int section)
{
	Size		slot_count = FIRST_SLOTS;
	HiddenSlot *slots;

	while (slot_count < 2 * hidden->count)
		slot_count *= 2;
	slots = MemoryContextAllocExtended(CurrentMemoryContext,
									   sizeof(HiddenSlot) * slot_count,
									   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (Size i = 0; i < hidden->count; i++)
	{
		const HiddenTerm *term = &hidden->list[i];
		HiddenSlot	slot = slot_of(term->id, term->hash);

		CHECK_FOR_INTERRUPTS();
		*find_slot(slots, slot_count, slot, term->hash) = slot;
	}
	image_begin_section(builder, section);
	image_append(builder, slots, sizeof(HiddenSlot) * slot_count);
	pfree(slots);
}

bool
hidden_terms_patch(HiddenSlot *slots, Size slot_count, int64 *count,
				   int32 id, uint64 hash)
{
	HiddenSlot	slot = slot_of(id, hash);
	HiddenSlot *place = find_slot(slots, slot_count, slot, hash);

	if (place->id != 0)
		return true;
	if ((uint64) (*count + 1) * 8 > (uint64) slot_count * PATCH_FULL_EIGHTHS)
		return false;
	*place = slot;
	(*count)++;
	return true;
}

int32
hidden_terms_next(const HiddenSlot *slots, Size slot_count, uint64 hash,
				  Size *place)
{
	uint32		tag = (uint32) (hash >> 32);

	for (;;)
	{
		Size		at = ((uint32) hash + (*place)++) & (slot_count - 1);

		if (slots[at].id == 0)
			return 0;
		if (slots[at].tag == tag)
			return slots[at].id;
	}
}
