/*-------------------------------------------------------------------------
 *
 * term_counter.c
 *	  Counting the terms of a corpus in bounded memory.
 *
 * An open-addressing hash table of 16-byte slots (the term's key, its length,
 * and the number of its entry) over an array of entries; texts lie in an arena.
 * An entry remembers the last document that held its term, so counting
 * documents needs no table per document.
 *
 * When the table would outgrow its share of the memory, its entries go to a
 * tuplesort and it starts again empty.  In the end the sort brings the parts
 * of each term together, in the order of their documents; where one part ends
 * in the document in which the next begins, that document is counted once.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "encoder/vocabulary/term_counter.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/memutils.h"

typedef struct TermEntry
{
	uint64		hash;
	CountedTerm counted;
} TermEntry;

/*
 * entry is the number of the entry plus one, 0 in an empty slot
 */
typedef struct TermSlot
{
	uint64		key;			/* term_key */
	uint32		entry;
	int32		length;
} TermSlot;

typedef struct TermTable
{
	MemoryContext context;
	MemoryContext arena;		/* child: texts */

	TermEntry  *entries;
	Size		count;
	Size		capacity;		/* of entries; half of the slots */
	TermSlot   *slots;
	Size		slot_mask;

	/* memory, in bytes */
	Size		limit;
	Size		text_bytes;
	char	   *text_at;		/* rest of the newest piece of the arena */
	Size		text_left;

	/* after spilling */
	int			sort_kilobytes;
	TermSorter *parts;
	CountedTerm next_part;
	bool		has_next_part;
	StringInfoData merged_text;

	/* while reading */
	Size		next_entry;
} TermTable;

#define FIRST_CAPACITY		4096
#define MAX_CAPACITY		((Size) 1 << 31)	/* slots hold 32-bit numbers */
#define ARENA_PIECE			(64 * 1024)
#define PREFETCH_DISTANCE	12
#define PIECE				256

/*
 * Empty table of the given capacity, a power of two.
 */
static void
table_allocate(TermTable *table, Size capacity)
{
	table->capacity = capacity;
	table->slot_mask = capacity * 2 - 1;
	table->entries = MemoryContextAllocHuge(table->context,
											sizeof(TermEntry) * capacity);
	table->slots = MemoryContextAllocExtended(table->context,
											  sizeof(TermSlot) * capacity * 2,
											  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	table->count = 0;
}

TermCounter *
term_counter_create(int memory_kilobytes)
{
	TermCounter *counter = palloc0(sizeof(TermCounter));
	TermTable  *table = palloc0(sizeof(TermTable));

	counter->table = table;
	table->context = AllocSetContextCreate(CurrentMemoryContext, "term counter",
										   ALLOCSET_DEFAULT_SIZES);
	table->arena = AllocSetContextCreate(table->context, "terms",
										 ALLOCSET_DEFAULT_SIZES);

	/* what is left serves the sort of what spills, or of the whole table */
	table->limit = (Size) memory_kilobytes * 1024 / 8 * 5;
	table->sort_kilobytes = Max(64, memory_kilobytes / 8 * 3);
	table_allocate(table, FIRST_CAPACITY);
	return counter;
}

void
term_counter_begin_document(TermCounter *counter)
{
	counter->documents++;
}

/*
 * All entries leave for the disk; the table stays as large as it is.
 */
static void
table_spill(TermCounter *counter)
{
	TermTable  *table = counter->table;

	if (!counter->spilled)
	{
		MemoryContext old = MemoryContextSwitchTo(table->context);

		table->parts = term_sorter_create(TERM_ORDER_TERM, false,
										  table->sort_kilobytes);
		initStringInfo(&table->merged_text);
		counter->spilled = true;
		MemoryContextSwitchTo(old);
	}

	for (Size i = 0; i < table->count; i++)
		term_sorter_put(table->parts, &table->entries[i].counted);

	memset(table->slots, 0, sizeof(TermSlot) * (table->slot_mask + 1));
	MemoryContextReset(table->arena);
	table->count = 0;
	table->text_bytes = 0;
	table->text_left = 0;
}

/*
 * Twice the capacity: entries keep their numbers, slots are filled anew.
 */
static void
table_grow(TermTable *table)
{
	TermEntry  *entries = table->entries;
	Size		count = table->count;

	pfree(table->slots);
	table_allocate(table, table->capacity * 2);
	memcpy(table->entries, entries, sizeof(TermEntry) * count);
	pfree(entries);
	table->count = count;

	for (Size i = 0; i < count; i++)
	{
		const TermEntry *entry = &table->entries[i];
		Size		at = entry->hash & table->slot_mask;

		while (table->slots[at].entry != 0)
			at = (at + 1) & table->slot_mask;
		table->slots[at].key = term_key(entry->counted.text, entry->counted.length,
										entry->hash);
		table->slots[at].length = entry->counted.length;
		table->slots[at].entry = (uint32) (i + 1);
	}
}

/*
 * Make sure that "more" new entries find room.
 */
static void
table_reserve(TermCounter *counter, int more)
{
	TermTable  *table = counter->table;
	const Size	per_entry = sizeof(TermEntry) + 2 * sizeof(TermSlot);

	if (table->text_bytes + table->capacity * per_entry > table->limit &&
		table->count > 0)
		table_spill(counter);
	while (table->count + more > table->capacity)
	{
		/* while growing, the old entries are still there */
		Size		needed = table->text_bytes +
			table->capacity * (2 * per_entry + sizeof(TermEntry));

		if ((needed > table->limit || table->capacity >= MAX_CAPACITY) &&
			table->count > 0)
			table_spill(counter);
		else
			table_grow(table);
	}
}

/*
 * A copy of a term's text in the arena.
 */
static char *
keep_text(TermTable *table, const char *text, int length)
{
	char	   *copy;

	if (length > ARENA_PIECE / 8)
	{
		table->text_bytes += length;
		copy = MemoryContextAllocHuge(table->arena, length);
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

static uint32
add_entry(TermTable *table, Size slot, const Term *term, int64 document)
{
	TermEntry  *entry = &table->entries[table->count++];

	entry->hash = term->hash;
	entry->counted.text = keep_text(table, term->text, term->length);
	entry->counted.length = term->length;
	entry->counted.documents = 0;
	entry->counted.occurrences = 0;
	entry->counted.first_document = document;
	entry->counted.last_document = 0;
	table->slots[slot].key = term->key;
	table->slots[slot].length = term->length;
	table->slots[slot].entry = (uint32) table->count;
	return (uint32) table->count - 1;
}

/*
 * The number of a term's entry, which is made if need be.
 */
static inline uint32
find_or_add_entry(TermTable *table, const Term *term, int64 document)
{
	Size		at = term->hash & table->slot_mask;

	for (; table->slots[at].entry != 0; at = (at + 1) & table->slot_mask)
	{
		const TermSlot *slot = &table->slots[at];

		if (slot->key == term->key && slot->length == term->length &&
			(term->length <= TERM_KEY_BYTES ||
			 long_texts_equal(table->entries[slot->entry - 1].counted.text,
							  term->text, term->length)))
			return slot->entry - 1;
	}
	return add_entry(table, at, term, document);
}

/*
 * Two passes over a piece of the batch, so that the second finds in the cache
 * what the first has asked for.
 */
static void
add_piece(TermTable *table, const Term *terms, int count, int64 document)
{
	uint32		numbers[PIECE];

	for (int i = 0; i < count; i++)
	{
		if (i + PREFETCH_DISTANCE < count)
			__builtin_prefetch(&table->slots[terms[i + PREFETCH_DISTANCE].hash &
											 table->slot_mask]);
		numbers[i] = find_or_add_entry(table, &terms[i], document);
		__builtin_prefetch(&table->entries[numbers[i]].counted.occurrences, 1);
	}
	for (int i = 0; i < count; i++)
	{
		CountedTerm *counted = &table->entries[numbers[i]].counted;

		/* no branch: whether a term is new in its document is anyone's guess */
		counted->occurrences++;
		counted->documents += counted->last_document != document;
		counted->last_document = document;
	}
}

void
term_counter_add(TermCounter *counter, const Term *terms, int count)
{
	table_reserve(counter, count);
	counter->occurrences += count;
	for (int i = 0; i < count; i += PIECE)
		add_piece(counter->table, terms + i, Min(PIECE, count - i), counter->documents);
}

void
term_counter_finish(TermCounter *counter)
{
	TermTable  *table = counter->table;

	if (!counter->spilled)
		return;
	table_spill(counter);
	term_sorter_perform(table->parts);
	table->has_next_part = term_sorter_get(table->parts, &table->next_part);
}

/*
 * The parts of the next term, added up.
 */
static bool
next_merged_term(TermTable *table, CountedTerm *term)
{
	CountedTerm *part = &table->next_part;

	if (!table->has_next_part)
		return false;
	CHECK_FOR_INTERRUPTS();

	/* the sort forgets a text when asked for the next */
	resetStringInfo(&table->merged_text);
	appendBinaryStringInfo(&table->merged_text, part->text, part->length);
	*term = *part;
	term->text = table->merged_text.data;

	while ((table->has_next_part = term_sorter_get(table->parts, part)) &&
		   part->length == term->length &&
		   memcmp(part->text, term->text, term->length) == 0)
	{
		term->occurrences += part->occurrences;
		term->documents += part->documents;
		if (part->first_document == term->last_document)
			term->documents--;
		term->last_document = part->last_document;
	}
	return true;
}

bool
term_counter_next(TermCounter *counter, CountedTerm *term)
{
	TermTable  *table = counter->table;

	if (counter->spilled)
		return next_merged_term(table, term);
	if (table->next_entry == table->count)
		return false;
	*term = table->entries[table->next_entry++].counted;
	return true;
}

void
term_counter_free(TermCounter *counter)
{
	if (counter->spilled)
		term_sorter_end(counter->table->parts);
	MemoryContextDelete(counter->table->context);
	pfree(counter->table);
	pfree(counter);
}
