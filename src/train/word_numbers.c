/*-------------------------------------------------------------------------
 *
 * word_numbers.c
 *	  The words of a training, numbered as they first appear.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "math/hash.h"
#include "miscadmin.h"
#include "train/word_numbers.h"
#include "utils/memutils.h"

#define FIRST_CAPACITY		4096

StaticAssertDecl(offsetof(EncodedWord, hash) == offsetof(TextElement, hash) &&
					 offsetof(EncodedWord, text) ==
						 offsetof(TextElement, text) &&
					 offsetof(EncodedWord, length) ==
						 offsetof(TextElement, length),
				 "a word must begin like an element of a text table");

static void
check_memory(const WordNumbers *numbers, Size capacity)
{
	if (text_table_bytes(numbers, capacity) >
		(Size) maintenance_work_mem * 1024)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("vocabulary of the corpus does not fit into maintenance_work_mem"),
				 errdetail("%zu different words need more than %d kB.",
						   numbers->count, maintenance_work_mem),
				 errhint("Increase maintenance_work_mem.")));
}

static void
make_room(WordNumbers *numbers)
{
	if (numbers->count >= PG_INT32_MAX / 2)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("corpus has too many different words")));
	check_memory(numbers, numbers->capacity * 2);
	text_table_grow(numbers);
}

uint32
word_number(WordNumbers *numbers, const char *text, int length, uint64 hash)
{
	Size		before = numbers->count;
	uint32		number;

	if (unlikely(before == numbers->capacity))
		make_room(numbers);
	number = text_table_number(numbers, sizeof(EncodedWord), text, length,
							   hash, text_key(text, length, hash));
	if (unlikely(number == before))
	{
		check_memory(numbers, numbers->capacity);
		word_of_number(numbers, number)->known = -1;
	}
	return number;
}

void
word_numbers_init(WordNumbers *numbers, const EncodedWord *known,
				  int32 known_words)
{
	text_table_init(numbers, sizeof(EncodedWord), FIRST_CAPACITY);
	check_memory(numbers, numbers->capacity);
	for (int32 i = 0; i < known_words; i++)
	{
		uint32		word = word_number(numbers, known[i].text,
									   known[i].length,
									   hash_bytes64(known[i].text,
													known[i].length));

		word_of_number(numbers, word)->known = i;
	}
}

static int
compare_words(const void *a, const void *b)
{
	const EncodedWord *x = *(const EncodedWord *const *) a;
	const EncodedWord *y = *(const EncodedWord *const *) b;
	int			order;

	/* millions of words take seconds to sort */
	CHECK_FOR_INTERRUPTS();
	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	order = memcmp(x->text, y->text, Min(x->length, y->length));
	return order != 0 ? order : x->length - y->length;
}

int32 *
word_numbers_choose(const WordNumbers *numbers, int64 min_count,
					EncodedCorpus *encoded)
{
	int32	   *ids = palloc_extended(sizeof(int32) * Max(numbers->count, 1),
									  MCXT_ALLOC_HUGE);
	EncodedWord **order = palloc_extended(
		sizeof(EncodedWord *) * Max(numbers->count, 1), MCXT_ALLOC_HUGE);
	Size		chosen = 0;

	for (Size i = 0; i < numbers->count; i++)
	{
		EncodedWord *word = word_of_number(numbers, i);

		ids[i] = -1;
		if (word->known >= 0 || word->count >= min_count)
			order[chosen++] = word;
	}
	qsort(order, chosen, sizeof(EncodedWord *), compare_words);
	CHECK_FOR_INTERRUPTS();

	encoded->words = (int32) chosen;
	encoded->vocabulary = palloc_extended(sizeof(EncodedWord) * Max(chosen, 1),
										  MCXT_ALLOC_HUGE);
	for (Size i = 0; i < chosen; i++)
	{
		encoded->vocabulary[i] = *order[i];
		encoded->tokens += order[i]->count;
		ids[order[i] - word_of_number(numbers, 0)] = (int32) i;
	}
	pfree(order);
	return ids;
}

void
word_numbers_free(WordNumbers *numbers)
{
	pfree(numbers->slots);
	pfree(numbers->elements);
}
