/*-------------------------------------------------------------------------
 *
 * words_fuzz.c
 *	  Would fail if some bytes made the word scanner read or write outside its
 *	  memory, lose its way, or differ from the plain reading of the rule; or
 *	  made the cutting of chunks read outside the text or lose a part of it.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "math/hash.h"
#include "text/chunk.h"
#include "text/gap.h"
#include "text/words.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static WordScanner scanner;
static Token batch[17];
static char folded[WORD_FOLDED_MAX * 4];

/* Where the plain reading is */
typedef struct Place
{
	size_t		offset;
	bool		pair_done;
} Place;

static void
check_token(const Token *token, SplitRule rule, int fold, const char *input,
			size_t length, Place *place)
{
	size_t		start,
				end,
				size;

	do
	{
		start = word_span_start(rule, NULL, input, length, place->offset,
								length);
		end = place->pair_done ? 0 :
			word_pair_end(rule, NULL, input, length, start);
		place->offset = start;
		place->pair_done = end > 0;
		if (end == 0)
			end = place->offset = word_token_end(rule, NULL, input, length,
												 start, length);
	} while (end - start >= WORD_TOO_LONG);
	if (token->pair != place->pair_done)
		abort();
	size = end - start;
	if (fold)
		size = word_fold(NULL, input + start, size, folded);
	else
		memcpy(folded, input + start, size);
	if ((size_t) token->start != start ||
		(size_t) token->source_length != end - start ||
		(size_t) token->length != size ||
		memcmp(token->text, folded, size) != 0 ||
		token->hash != hash_bytes64(folded, size))
		abort();
}

/* Chunks cover the text in order, and simple ones hold what they say. */
static void
check_chunks(const char *input, size_t length)
{
	ChunkWord	words[CHUNK_WORDS];
	size_t		start,
				end;

	for (start = chunk_start(input, length, 0); start < length;
		 start = chunk_start(input, length, end))
	{
		size_t		simple_end = 0;
		int			count = chunk_words(input, length, start, words,
										&simple_end);

		end = chunk_end(input, length, start);
		if (end <= start || (count >= 0 && simple_end != end))
			abort();
		for (int i = 0; i < count; i++)
			if (words[i].start < start || words[i].length == 0 ||
				words[i].start + words[i].length > end)
				abort();
		if (chunk_extend(input, length, start, end) < end ||
			chunk_extend(input, length, start, end) > length)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *input;
	int			fold,
				capacity;
	SplitRule	rule;
	Place		place = {0};
	size_t		length;
	size_t		last = 0;

	if (size < 1)
		return 0;
	rule = data[0] & 1 ? SPLIT_WORDS : SPLIT_WHITESPACE;
	fold = data[0] >> 1 & 1;
	capacity = 1 + (data[0] >> 2) % 17;
	input = (const char *) data + 1;
	length = size - 1;

	check_chunks(input, length);
	word_scanner_init(&scanner, rule, fold, NULL);
	word_scanner_begin(&scanner, input, length);
	while (!word_scanner_done(&scanner))
	{
		int			count = word_scanner_next(&scanner, batch, capacity);

		for (int i = 0; i < count; i++)
		{
			Gap			gap;

			check_token(&batch[i], rule, fold, input, length, &place);
			if (batch[i].pair)
				continue;	/* its first character follows */
			gap = gap_examine(NULL, input, length, last,
							  (size_t) batch[i].start);
			if (gap.left_end > gap.right_start || gap.left_end < (int) last ||
				gap.right_start > batch[i].start)
				abort();
			last = (size_t) (batch[i].start + batch[i].source_length);
		}
	}
	return 0;
}
