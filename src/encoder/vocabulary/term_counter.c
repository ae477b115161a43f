/*-------------------------------------------------------------------------
 *
 * term_counter.c
 *	  Counting the terms of a corpus in bounded memory.
 *
 * The terms are numbered by a text table (text_table.h).  An entry remembers
 * the last document that held its term, so counting documents needs no table
 * per document.
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

/* its beginning is a TextElement */
StaticAssertDecl(offsetof(TermEntry, hash) == offsetof(TextElement, hash) &&
					 offsetof(TermEntry, counted.text) ==
						 offsetof(TextElement, text) &&
					 offsetof(TermEntry, counted.length) ==
						 offsetof(TextElement, length),
				 "an entry must begin like an element of a text table");

typedef struct TermTable
{
	TextTable	texts;			/* elements are TermEntry */
	Size		limit;			/* in bytes */

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
#define PREFETCH_DISTANCE	12
#define PIECE				256

static inline TermEntry *
entry_of(const TermTable *table, Size number)
{
	return (TermEntry *) table->texts.elements + number;
}

TermCounter *
term_counter_create(int memory_kilobytes)
{
	TermCounter *counter = palloc0(sizeof(TermCounter));
	TermTable  *table = palloc0(sizeof(TermTable));

	counter->table = table;

	/* what is left serves the sort of what spills, or of the whole table */
	table->limit = (Size) memory_kilobytes * 1024 / 8 * 5;
	table->sort_kilobytes = Max(64, memory_kilobytes / 8 * 3);
	text_table_init(&table->texts, sizeof(TermEntry), FIRST_CAPACITY);
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
		MemoryContext old = MemoryContextSwitchTo(table->texts.context);

		table->parts = term_sorter_create(TERM_ORDER_TERM, false,
										  table->sort_kilobytes);
		initStringInfo(&table->merged_text);
		counter->spilled = true;
		MemoryContextSwitchTo(old);
	}

	for (Size i = 0; i < table->texts.count; i++)
		term_sorter_put(table->parts, &entry_of(table, i)->counted);
	text_table_clear(&table->texts);
}

/*
 * Make sure that "more" new entries find room.
 */
static void
table_reserve(TermCounter *counter, int more)
{
	TermTable  *table = counter->table;
	TextTable  *texts = &table->texts;

	if (text_table_bytes(texts, texts->capacity) > table->limit &&
		texts->count > 0)
		table_spill(counter);
	while (texts->count + more > texts->capacity)
	{
		/* while growing, the old entries are still there */
		Size		needed = text_table_bytes(texts, texts->capacity * 2) +
			texts->capacity * sizeof(TermEntry);

		if ((needed > table->limit ||
			 texts->capacity >= TEXT_TABLE_MAX_CAPACITY) &&
			texts->count > 0)
			table_spill(counter);
		else
			text_table_grow(texts);
	}
}

/*
 * The number of a term's entry, which is made if need be.
 */
static inline uint32
find_or_add_entry(TermTable *table, const Term *term, int64 document)
{
	Size		count = table->texts.count;
	uint32		number = text_table_number(&table->texts, sizeof(TermEntry),
										   term->text, term->length,
										   term->hash, term->key);

	if (number == count)
		entry_of(table, number)->counted.first_document = document;
	return number;
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
			text_table_prefetch(&table->texts,
								terms[i + PREFETCH_DISTANCE].hash);
		numbers[i] = find_or_add_entry(table, &terms[i], document);
		__builtin_prefetch(&entry_of(table, numbers[i])->counted.occurrences,
						   1);
	}
	for (int i = 0; i < count; i++)
	{
		CountedTerm *counted = &entry_of(table, numbers[i])->counted;

		/*
		 * no branch: whether a term is new in its document is anyone's guess
		 */
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
		add_piece(counter->table, terms + i, Min(PIECE, count - i),
				  counter->documents);
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
	if (table->next_entry == table->texts.count)
		return false;
	*term = entry_of(table, table->next_entry++)->counted;
	return true;
}

void
term_counter_free(TermCounter *counter)
{
	if (counter->spilled)
		term_sorter_end(counter->table->parts);
	text_table_free(&counter->table->texts);
	pfree(counter->table);
	pfree(counter);
}
