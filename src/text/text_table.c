/*-------------------------------------------------------------------------
 *
 * text_table.c
 *	  Distinct texts, numbered as they first appear, with what is counted of
 *	  each.
 *
 *-------------------------------------------------------------------------
 */
#include "text/text_table.h"

#include "utils/memutils.h"

#define ARENA_PIECE		(64 * 1024)

static TextSlot *
allocate_slots(const TextTable *table, Size capacity)
{
	return MemoryContextAllocExtended(table->context,
									  sizeof(TextSlot) * capacity * 2,
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

void
text_table_init(TextTable *table, Size element_size, Size capacity)
{
	memset(table, 0, sizeof(TextTable));
	table->context = AllocSetContextCreate(CurrentMemoryContext, "text table",
										   ALLOCSET_DEFAULT_SIZES);
	table->arena = AllocSetContextCreate(table->context, "texts",
										 ALLOCSET_DEFAULT_SIZES);
	table->element_size = element_size;
	table->capacity = capacity;
	table->slot_mask = capacity * 2 - 1;
	table->elements = MemoryContextAllocHuge(table->context,
											 element_size * capacity);
	table->slots = allocate_slots(table, capacity);
}

static inline TextElement *
element_of(const TextTable *table, Size number)
{
	return (TextElement *) (table->elements + table->element_size * number);
}

/*
 * The old slots go first, so that their memory serves again: two tables of
 * slots at once cost twice the page faults, 5 % of a training.  Until the new
 * ones are there the table is full, so whoever comes after an error grows it
 * again.
 */
void
text_table_grow(TextTable *table)
{
	Size		capacity = table->slot_mask + 1;
	Size		mask = capacity * 2 - 1;
	char	   *elements;
	TextSlot   *slots;

	table->capacity = table->count;
	if (table->slots != NULL)
		pfree(table->slots);
	table->slots = NULL;
	elements = MemoryContextAllocHuge(table->context,
									  table->element_size * capacity);
	slots = allocate_slots(table, capacity);
	memcpy(elements, table->elements, table->element_size * table->count);
	pfree(table->elements);
	table->elements = elements;
	table->slots = slots;
	table->slot_mask = mask;
	table->capacity = capacity;
	for (Size i = 0; i < table->count; i++)
	{
		const TextElement *element = element_of(table, i);
		Size		at = element->hash & mask;

		while (slots[at].number != 0)
			at = (at + 1) & mask;
		slots[at].key = text_key(element->text, element->length,
								 element->hash);
		slots[at].length = element->length;
		slots[at].number = (uint32) (i + 1);
	}
}

void
text_table_clear(TextTable *table)
{
	if (table->slots != NULL)
		memset(table->slots, 0, sizeof(TextSlot) * (table->slot_mask + 1));
	else
		table->capacity = 0;	/* growing has failed: full without a text */
	MemoryContextReset(table->arena);
	table->count = 0;
	table->text_bytes = 0;
	table->text_left = 0;
}

void
text_table_free(TextTable *table)
{
	MemoryContextDelete(table->context);
}

Size
text_table_bytes(const TextTable *table, Size capacity)
{
	return table->text_bytes +
		capacity * (table->element_size + 2 * sizeof(TextSlot));
}

/*
 * A copy of a text in the arena; a long one has a piece of its own.  That of
 * nothing is a place too: memcmp() and memcpy() may be given no NULL.
 */
static const char *
keep_text(TextTable *table, const char *text, int length)
{
	char	   *copy;

	if (length == 0)
		return "";
	if (length > ARENA_PIECE / 8)
	{
		copy = MemoryContextAllocHuge(table->arena, length);
		table->text_bytes += length;
	}
	else
	{
		if (length > table->text_left)
		{
			table->text_at = MemoryContextAlloc(table->arena, ARENA_PIECE);
			table->text_left = ARENA_PIECE;
			table->text_bytes += ARENA_PIECE;
		}
		copy = table->text_at;
		table->text_at += length;
		table->text_left -= length;
	}
	memcpy(copy, text, length);
	return copy;
}

uint32
text_table_add(TextTable *table, Size slot, const char *text, int length,
			   uint64 hash, uint64 key)
{
	TextElement *element = element_of(table, table->count);
	const char *kept = keep_text(table, text, length);

	Assert(table->count < table->capacity);
	memset(element, 0, table->element_size);
	element->hash = hash;
	element->text = kept;
	element->length = length;
	table->slots[slot].key = key;
	table->slots[slot].length = length;
	table->slots[slot].number = (uint32) ++table->count;
	return (uint32) table->count - 1;
}
