/*-------------------------------------------------------------------------
 *
 * align_pairs.c
 *	  Words of two models that belong together: from a query of pairs, or
 *	  because they are written alike.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "encoder/words/align.h"
#include "math/hash.h"
#include "miscadmin.h"
#include "server/query.h"
#include "storage/shmem.h"
#include "utils/memutils.h"

enum
{
	PAIR_SOURCE,
	PAIR_TARGET
};

static const QueryColumn pair_columns[] = {
	[PAIR_SOURCE] = {.name = "source word", .kinds = QUERY_TEXT},
	[PAIR_TARGET] = {.name = "target word", .kinds = QUERY_TEXT}
};

static const QueryDeclaration pair_declaration = {
	.subject = "dictionary",
	.columns = pair_columns,
	.column_count = lengthof(pair_columns),
	.hint = "Its columns are a word of the source and a word of the target that means the same."
};

static bool
has_direction(const Words *words, const WordEntry *entry)
{
	return entry != NULL && entry->inverse_norm > 0;
}

void
word_pairs_add(WordPairs *pairs, int32 source, int32 target)
{
	if (pairs->items == NULL)
	{
		pairs->capacity = 1024;
		pairs->items = palloc(sizeof(WordPair) * pairs->capacity);
	}
	else if (pairs->count == pairs->capacity)
	{
		pairs->capacity *= 2;
		pairs->items = repalloc_huge(pairs->items,
									 mul_size(pairs->capacity,
											  sizeof(WordPair)));
	}
	pairs->items[pairs->count].source = source;
	pairs->items[pairs->count++].target = target;
}

static const WordEntry *
entry_of(Words *words, const QueryValue *word)
{
	const WordEntry *entry = NULL;

	if (!word->is_null)
		(void) words_lookup(words, word->text, word->length, &entry);
	return has_direction(words, entry) ? entry : NULL;
}

void
word_pairs_of_query(WordPairs *pairs, Words *source, Words *target,
					const char *query)
{
	QueryReader *reader = query_open(&pair_declaration, query);

	while (query_next(reader))
	{
		const WordEntry *from = entry_of(source,
										 query_value(reader, PAIR_SOURCE));
		const WordEntry *to = entry_of(target,
									   query_value(reader, PAIR_TARGET));

		pairs->given++;
		if (from != NULL && to != NULL)
			word_pairs_add(pairs, (int32) (from - source->entries),
						   (int32) (to - target->entries));
	}
	query_close(reader);
}

void
word_pairs_of_equal_words(WordPairs *pairs, const Words *source,
						  const Words *target)
{
	for (int32 i = 0; i < source->totals->words; i++)
	{
		const WordEntry *from = &source->entries[i];
		const char *text = source->texts + from->text;
		const WordEntry *to;

		if (i % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		if (!has_direction(source, from))
			continue;
		to = words_find(target, text, from->length,
						hash_bytes64(text, from->length));
		if (has_direction(target, to))
			word_pairs_add(pairs, i, (int32) (to - target->entries));
	}
}
