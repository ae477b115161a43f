/*-------------------------------------------------------------------------
 *
 * bpe.c
 *	  Byte pair encoding: the pair of the best rank is merged, the leftmost
 *	  of equals, until none is left (Sennrich, Haddow, Birch 2016).
 *
 * Short words look at all their pairs after each merge; longer ones keep
 * them in a heap.  A long piece, as SentencePiece's models have them where
 * nothing splits the text, is first cut wherever no merge joins the two
 * characters that meet: what lies on either side cannot see the other, so the
 * tokens are the same, and the parts are short and can be found in the cache.
 *
 * Lengths are what the `tokenizers` package counts: a byte for each token of
 * byte fallback, nothing for a character that is dropped for want of an
 * unknown token.
 *
 *-------------------------------------------------------------------------
 */
#include "math/hash.h"
#include "tokenizer/tokenizer_run.h"

#define SHORT_WORD	40			/* symbols */
#define MAX_AFFIXED 64			/* bytes of a character with prefix and
								 * suffix */
#define SYMBOLS_PER_INTERRUPT 65536

typedef struct Symbol
{
	uint32_t	id;
	uint32_t	length;
	uint32_t	previous;		/* NO_ID at the ends */
	uint32_t	next;
} Symbol;

typedef struct Word
{
	Run		   *run;
	const ImageHeader *header;
	Symbol	   *symbols;		/* in BUFFER_WORK */
	uint32_t	count;
	uint32_t	unknown_length; /* of an unknown token not put yet, or 0 */
} Word;

static const ImageMerge *
find_merge(const Tokenizer *tokenizer, uint32_t left, uint32_t right)
{
	const ImageMerge *merges = image_section(tokenizer, SECTION_MERGES);
	uint32_t	mask =
		   image_count(tokenizer, SECTION_MERGES, sizeof(ImageMerge)) - 1;
	uint32_t	slot = merge_slot(left, right) & mask;

	for (uint32_t probes = 0; probes <= mask; probes++)
	{
		const ImageMerge *merge = &merges[slot];

		if (merge->left == left && merge->right == right)
			return merge;
		if (merge->left == NO_ID)
			break;
		slot = (slot + 1) & mask;
	}
	return NULL;
}

/* ---------- from characters to symbols ---------- */

static bool
word_add(Word *word, uint32_t id, uint32_t length)
{
	Symbol	   *symbol;

	if (!run_buffer(word->run, BUFFER_WORK,
					((size_t) word->count + 1) * sizeof(Symbol)))
		return false;
	word->symbols = word->run->scratch->buffers[BUFFER_WORK].data;
	symbol = &word->symbols[word->count++];
	symbol->id = id;
	symbol->length = length;
	return true;
}

static bool
word_flush_unknown(Word *word)
{
	uint32_t	length = word->unknown_length;

	word->unknown_length = 0;
	return length == 0 || word_add(word, word->header->unknown, length);
}

/* The tokens of a character's bytes: all of them or none. */
static int
word_add_bytes(Word *word, const unsigned char *text, uint32_t length)
{
	const uint32_t *tokens = image_section(word->run->tokenizer,
										   SECTION_BYTE_TOKENS);

	for (uint32_t i = 0; i < length; i++)
	{
		if (tokens[text[i]] == NO_ID)
			return 0;
	}
	for (uint32_t i = 0; i < length; i++)
	{
		if (!word_add(word, tokens[text[i]], 1))
			return -1;
	}
	return 1;
}

/*
 * A character that is no piece.  Pending unknown tokens stay pending behind
 * the bytes of a character that falls back to them, as in the package.
 */
static bool
word_add_unknown(Word *word, const unsigned char *text, uint32_t text_length,
				 uint32_t length)
{
	if (word->header->model_flags & BPE_BYTE_FALLBACK)
	{
		int			done = word_add_bytes(word, text, text_length);

		if (done != 0)
			return done > 0;
	}
	if (word->header->unknown == NO_ID)
		return !(word->header->model_flags & BPE_UNKNOWN_MISSING) ||
			run_fail(word->run, TOKENIZER_NO_UNKNOWN);
	if (!(word->header->model_flags & BPE_FUSE_UNKNOWN) &&
		!word_flush_unknown(word))
		return false;
	word->unknown_length += length;
	return true;
}

/* A character with its prefix or suffix; returns the length of both. */
static uint32_t
affixed(const Word *word, const unsigned char *text, uint32_t length,
		bool first, bool last, unsigned char out[MAX_AFFIXED])
{
	const ImageHeader *header = word->header;
	const unsigned char *strings = image_section(word->run->tokenizer,
												 SECTION_STRINGS);
	uint32_t	total = 0;

	if (!first)
	{
		memcpy(out, strings + header->prefix_offset, header->prefix_length);
		total = header->prefix_length;
	}
	memcpy(out + total, text, length);
	total += length;
	if (last)
	{
		memcpy(out + total, strings + header->suffix_offset,
			   header->suffix_length);
		total += header->suffix_length;
	}
	return total;
}

static bool
word_symbols(Word *word, const unsigned char *text, uint32_t length)
{
	const Tokenizer *tokenizer = word->run->tokenizer;
	const uint32_t *units = image_section(tokenizer, SECTION_UNITS);
	uint32_t	flags = word->header->model_flags;
	uint32_t	step;

	if (!run_buffer(word->run, BUFFER_WORK, (size_t) length * sizeof(Symbol)))
		return false;
	word->symbols = word->run->scratch->buffers[BUFFER_WORK].data;
	if (flags & BPE_RAW_BYTES)
	{
		for (uint32_t i = 0; i < length; i++)
		{
			word->symbols[i].id = units[text[i]];
			word->symbols[i].length = 1;
		}
		word->count = length;
		return true;
	}
	for (uint32_t i = 0; i < length; i += step)
	{
		unsigned char buffer[MAX_AFFIXED];
		const unsigned char *character = text + i;
		uint32_t	character_length;
		uint32_t	id;

		step = character_length = utf8_step(text + i);
		if (flags & BPE_AFFIXES)
		{
			character_length = affixed(word, text + i, step, i == 0,
									   i + step >= length, buffer);
			character = buffer;
			id = image_find(tokenizer, character, character_length);
		}
		else
			id = text[i] < 0x80 ? units[text[i]]
								: image_find(tokenizer, character, step);
		if (id == NO_ID)
		{
			if (!word_add_unknown(word, character, character_length, step))
				return false;
		}
		else if (!word_flush_unknown(word) || !word_add(word, id, step))
			return false;
	}
	return word_flush_unknown(word);
}

/* ---------- merging ---------- */

static bool
merge_short(Word *word)
{
	const Tokenizer *tokenizer = word->run->tokenizer;
	const ImageMerge *merges[SHORT_WORD];
	Symbol	   *symbols = word->symbols;
	uint32_t	count = word->count;

	for (uint32_t i = 0; i + 1 < count; i++)
		merges[i] = find_merge(tokenizer, symbols[i].id, symbols[i + 1].id);
	while (count > 1)
	{
		uint32_t	best = 0;

		for (uint32_t i = 1; i + 1 < count; i++)
		{
			if (merges[i] != NULL &&
				(merges[best] == NULL || merges[i]->rank < merges[best]->rank))
				best = i;
		}
		if (merges[best] == NULL)
			break;
		symbols[best].id = merges[best]->id;
		symbols[best].length += symbols[best + 1].length;
		count--;
		memmove(&symbols[best + 1], &symbols[best + 2],
				(count - best - 1) * sizeof(Symbol));
		if (best + 1 < count)
			memmove(&merges[best + 1], &merges[best + 2],
					(count - best - 2) * sizeof(merges[0]));
		if (best > 0)
			merges[best - 1] = find_merge(tokenizer, symbols[best - 1].id,
										  symbols[best].id);
		if (best + 1 < count)
			merges[best] = find_merge(tokenizer, symbols[best].id,
									  symbols[best + 1].id);
	}
	word->count = count;
	return true;
}

/* A heap of (rank, place), the least on top. */
static void
heap_push(uint64_t *heap, uint32_t *count, uint64_t value)
{
	uint32_t	at = (*count)++;

	while (at > 0 && heap[(at - 1) / 2] > value)
	{
		heap[at] = heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	heap[at] = value;
}

static uint64_t
heap_pop(uint64_t *heap, uint32_t *count)
{
	uint64_t	top = heap[0];
	uint64_t	value = heap[--(*count)];
	uint32_t	at = 0;

	for (;;)
	{
		uint32_t	child = 2 * at + 1;

		if (child >= *count)
			break;
		if (child + 1 < *count && heap[child + 1] < heap[child])
			child++;
		if (heap[child] >= value)
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = value;
	return top;
}

static void
push_pair(Word *word, uint64_t *heap, uint32_t *heap_count, uint32_t left)
{
	uint32_t	right = word->symbols[left].next;
	const ImageMerge *merge;

	if (right == NO_ID)
		return;
	merge = find_merge(word->run->tokenizer, word->symbols[left].id,
					   word->symbols[right].id);
	if (merge != NULL)
		heap_push(heap, heap_count, (uint64_t) merge->rank << 32 | left);
}

static bool
merge_long(Word *word)
{
	Symbol	   *symbols = word->symbols;
	uint32_t	count = word->count;
	uint32_t	heap_count = 0;
	uint32_t	kept = 0;
	uint64_t   *heap;

	/* each merge adds two pairs at most, and there are fewer than symbols */
	if (!run_buffer(word->run, BUFFER_HEAP,
					(size_t) count * 3 * sizeof(uint64_t)))
		return false;
	heap = word->run->scratch->buffers[BUFFER_HEAP].data;
	for (uint32_t i = 0; i < count; i++)
	{
		symbols[i].previous = i == 0 ? NO_ID : i - 1;
		symbols[i].next = i + 1 == count ? NO_ID : i + 1;
	}
	for (uint32_t i = 0; i + 1 < count; i++)
	{
		if (i % SYMBOLS_PER_INTERRUPT == 0)
			run_interrupt(word->run);
		push_pair(word, heap, &heap_count, i);
	}
	for (uint32_t pops = 1; heap_count > 0; pops++)
	{
		uint64_t	top = heap_pop(heap, &heap_count);
		uint32_t	left = (uint32_t) top;
		uint32_t	right = symbols[left].next;
		const ImageMerge *merge;

		if (pops % SYMBOLS_PER_INTERRUPT == 0)
			run_interrupt(word->run);
		if (symbols[left].length == 0 || right == NO_ID)
			continue;
		merge = find_merge(word->run->tokenizer, symbols[left].id,
						   symbols[right].id);
		if (merge == NULL || merge->rank != top >> 32)
			continue;			/* this pair is no more */
		symbols[left].id = merge->id;
		symbols[left].length += symbols[right].length;
		symbols[right].length = 0;
		symbols[left].next = symbols[right].next;
		if (symbols[right].next != NO_ID)
			symbols[symbols[right].next].previous = left;
		if (symbols[left].previous != NO_ID)
			push_pair(word, heap, &heap_count, symbols[left].previous);
		push_pair(word, heap, &heap_count, left);
	}
	for (uint32_t i = 0; i < count; i++)
	{
		if (symbols[i].length > 0)
			symbols[kept++] = symbols[i];
	}
	word->count = kept;
	return true;
}

/*
 * A word that is a piece as a whole, where merges are asked only after that.
 */
static uint32_t
whole_piece(Run *run, const unsigned char *text, uint32_t length)
{
	const Tokenizer *tokenizer = run->tokenizer;
	unsigned char *mapped;
	uint32_t	total = 0;

	if (!(tokenizer->header->model_flags & BPE_RAW_BYTES))
		return image_find(tokenizer, text, length);
	if (length > tokenizer->header->max_piece ||
		!run_buffer(run, BUFFER_WORK, (size_t) length * 2 + 4))
		return NO_ID;
	mapped = run->scratch->buffers[BUFFER_WORK].data;
	for (uint32_t i = 0; i < length; i++)
		total += (uint32_t) utf8_encode(byte_level_character(text[i]),
										mapped + total);
	return image_find(tokenizer, mapped, total);
}

bool
bpe_word(Run *run, const unsigned char *text, uint32_t length)
{
	Word		word = {.run = run, .header = run->tokenizer->header};
	uint32_t	id;

	if (word.header->model_flags & BPE_IGNORE_MERGES)
	{
		id = whole_piece(run, text, length);
		if (id != NO_ID)
			return run_emit(run, id, length);
	}
	if (!word_symbols(&word, text, length) ||
		!(word.count <= SHORT_WORD ? merge_short(&word) : merge_long(&word)))
		return false;
	for (uint32_t i = 0; i < word.count; i++)
	{
		if (!run_emit(run, word.symbols[i].id, word.symbols[i].length))
			return false;
	}
	return true;
}

/* May a text be cut between these two characters? */
static inline bool
may_cut(const unsigned char *adjacent, const unsigned char *known,
		uint32_t before, uint32_t after)
{
	uint32_t	bit;

	if (after >= KNOWN_BITS || !(known[after >> 3] >> (after & 7) & 1))
		return false;
	bit = adjacent_bit(before, after);
	return !(adjacent[bit >> 3] >> (bit & 7) & 1);
}

bool
bpe_piece(Run *run, const unsigned char *text, uint32_t length)
{
	const unsigned char *adjacent = image_section(run->tokenizer,
												  SECTION_ADJACENT);
	const unsigned char *known = image_section(run->tokenizer, SECTION_KNOWN);
	uint32_t	flags = run->tokenizer->header->model_flags;
	bool		raw = (flags & BPE_RAW_BYTES) != 0;
	uint32_t	begin = 0;
	uint32_t	before;
	uint32_t	step;

	if (length <= 16 || !(flags & BPE_CUTS))
		return cached_word(run, text, length);
	before = raw ? text[0] : utf8_code(text);
	for (uint32_t i = raw ? 1 : utf8_step(text); i < length; i += step)
	{
		uint32_t	code = raw ? text[i] : utf8_code(text + i);

		step = raw ? 1 : utf8_step(text + i);
		if (may_cut(adjacent, known, before, code))
		{
			if (!cached_word(run, text + begin, i - begin))
				return false;
			run_work(run, i - begin);
			begin = i;
			if (run->token_count >= run->wanted)
				return true;
		}
		before = code;
	}
	return cached_word(run, text + begin, length - begin);
}
