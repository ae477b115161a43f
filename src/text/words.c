/*-------------------------------------------------------------------------
 *
 * words.c
 *	  Splitting text into words, 64 bytes at a time.
 *
 * A block of 64 bytes becomes two bit masks (block.h).  A run of candidate
 * bits without a high bit is a finished word: its lower-case copy is in the
 * arena and only needs its hash.  A run that holds a character outside ASCII,
 * or that is longer than a block, is read character by character
 * (scan_characters).  A run cut by the end of the block starts the next
 * block, so that no word is ever put together from two.
 *
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "math/hash.h"
#include "text/block.h"
#include "text/cluster.h"
#include "text/fold.h"
#include "text/unicode.h"
#include "text/words.h"

/* How much of a word too long is passed over in one call. */
#define SKIP_BYTES	65536

void
word_scanner_init(WordScanner *scanner, SplitRule rule, bool fold,
				  CharacterSource *source)
{
	/* the arena needs no cleaning, and is large */
	memset(scanner, 0, offsetof(WordScanner, arena));
	scanner->rule = rule;
	scanner->fold = fold;
	scanner->pairs = rule == SPLIT_WORDS;
	scanner->source = source;
}

void
word_scanner_begin(WordScanner *scanner, const char *input, size_t length)
{
	scanner->input = (const unsigned char *) input;
	scanner->length = length;
	scanner->offset = 0;
	scanner->position = 0;
	scanner->skipping = false;
	scanner->pair_done = false;
	scanner->used = 0;
}

/* Does a character go on with a word, or start one? */
static inline bool
continues_word(SplitRule rule, uint16_t flags)
{
	if (rule == SPLIT_WORDS)
		return (flags & (CHARACTER_WORD | CHARACTER_MARK)) != 0 &&
			!(flags & CHARACTER_PAIRED);
	return !(flags & CHARACTER_SPACE);
}

static inline bool
starts_word(SplitRule rule, uint16_t flags)
{
	if (rule == SPLIT_WORDS)
		return (flags & CHARACTER_WORD) != 0;
	return !(flags & CHARACTER_SPACE);
}

/*
 * Read the word at scanner->offset character by character.
 *
 * "character" holds its first character.  Leaves the offset behind the word.
 * When the word is too long the offset is left inside it, and the token is
 * what precedes the offset, if that is wanted; else the result is false.
 */
static bool
scan_word(WordScanner *scanner, Character *character, Token *token)
{
	size_t		start = scanner->offset;
	unsigned char *text = scanner->arena + scanner->used;
	FoldState	state = {.out = text};
	size_t		length;

	do
	{
		scanner->offset += (size_t) character->length;
		if (scanner->offset - start >= WORD_TOO_LONG)
		{
			scanner->too_long++;
			scanner->skipping = true;
			if (!scanner->cut_long)
				return false;
			scanner->offset -= (size_t) character->length;
			break;
		}
		if (scanner->fold)
			fold_append(&state, scanner->source, character);
		if (scanner->offset == scanner->length)
			break;
		character_read(scanner->source, scanner->input + scanner->offset,
					   scanner->length - scanner->offset, character);
	} while (continues_word(scanner->rule, character->flags));

	length = scanner->offset - start;
	token->start = (int32_t) start;
	token->source_length = (int32_t) length;
	if (scanner->fold)
	{
		token->text = (const char *) text;
		token->length = (int32_t) (state.out - text);
		scanner->used += (size_t) token->length;
	}
	else
	{
		token->text = (const char *) scanner->input + start;
		token->length = (int32_t) length;
	}
	token->hash = hash_bytes64(token->text, (size_t) token->length);
	token->position = scanner->position++;
	token->pair = false;
	return true;
}

/*
 * Give out a part of the input as it is: clusters have no case.
 */
static void
take_cluster(WordScanner *scanner, size_t end, Token *token)
{
	token->start = (int32_t) scanner->offset;
	token->source_length = token->length = (int32_t) (end - scanner->offset);
	token->text = (const char *) scanner->input + scanner->offset;
	token->hash = hash_bytes64(token->text, (size_t) token->length);
	token->position = scanner->position++;
}

/*
 * Give out the pair at scanner->offset, or its first character, which leaves
 * the offset behind it.
 */
static void
scan_cluster(WordScanner *scanner, const Character *character,
			 ClusterKind kind, Token *token)
{
	const char *input = (const char *) scanner->input;
	size_t		end = 0;

	if (kind == CLUSTER_PAIRED && scanner->pairs && !scanner->pair_done)
		end = word_pair_end(scanner->rule, scanner->source, input,
							scanner->length, scanner->offset);
	token->pair = scanner->pair_done = end > 0;
	if (token->pair)
	{
		take_cluster(scanner, end, token);
		return;
	}
	end = cluster_end(scanner->source, input, scanner->length,
					  scanner->offset, character, kind);
	take_cluster(scanner, end, token);
	scanner->offset = end;
}

/* Does a cluster start at scanner->offset? */
static inline ClusterKind
kind_of_cluster(const WordScanner *scanner, const Character *character)
{
	if (scanner->rule != SPLIT_WORDS ||
		!(character->flags & (CHARACTER_PAIRED | CHARACTER_EMOJI |
							  CHARACTER_PICTOGRAPH)))
		return CLUSTER_NONE;
	return cluster_kind(scanner->source, (const char *) scanner->input,
						scanner->length, scanner->offset, character);
}

/*
 * Read a run of candidate bytes slowly: until an ASCII separator.
 *
 * Returns the number of tokens found, at most "capacity".
 */
static int
scan_characters(WordScanner *scanner, Token *batch, int capacity)
{
	int			count = 0;

	while (count < capacity && scanner->offset < scanner->length &&
		   !scanner->skipping &&
		   scanner->used + WORD_FOLDED_MAX <= WORD_ARENA)
	{
		Character	character;
		ClusterKind	cluster;

		character_read(scanner->source, scanner->input + scanner->offset,
					   scanner->length - scanner->offset, &character);
		cluster = kind_of_cluster(scanner, &character);
		if (cluster != CLUSTER_NONE)
			scan_cluster(scanner, &character, cluster, batch + count++);
		else if (starts_word(scanner->rule, character.flags))
			count += scan_word(scanner, &character, batch + count);
		else
		{
			bool		ascii = scanner->input[scanner->offset] < 0x80;

			scanner->offset += (size_t) character.length;
			if (ascii)
				break;
		}
	}
	return count;
}

/* Take the words of one block; leaves the offset where to go on. */
static inline __attribute__((always_inline)) int
scan_block(WordScanner *scanner, Token *batch, int capacity,
		   SplitRule rule, bool fold)
{
	size_t		base = scanner->offset;
	size_t		rest = scanner->length - base;
	unsigned char *copy = scanner->arena + scanner->used;
	uint64_t	runs;
	Block		block;
	int			count = 0;

	if (rest >= BLOCK_BYTES)
		block = block_read(rule, fold, scanner->input + base, copy);
	else
	{
		unsigned char last[BLOCK_BYTES] = {0};

		memcpy(last, scanner->input + base, rest);
		block = block_read(rule, fold, last, copy);
		block.candidates &= (UINT64_C(1) << rest) - 1;
	}
	scanner->used += BLOCK_BYTES;

	for (runs = block.candidates; runs != 0;)
	{
		int			start = __builtin_ctzll(runs);
		uint64_t	after = ~(runs >> start);
		int			length = after ? __builtin_ctzll(after) : BLOCK_BYTES;
		int			end = start + length;
		Token	   *token;

		if (end == BLOCK_BYTES && rest > BLOCK_BYTES)
		{
			/* cut by the end of the block */
			scanner->offset = base + (size_t) start;
			if (start == 0)
				count += scan_characters(scanner, batch + count,
										 capacity - count);
			return count;
		}
		if (block.high >> start & (~UINT64_C(0) >> (BLOCK_BYTES - length)))
		{
			scanner->offset = base + (size_t) start;
			return count + scan_characters(scanner, batch + count,
										   capacity - count);
		}
		if (count == capacity)
		{
			scanner->offset = base + (size_t) start;
			return count;
		}
		token = batch + count++;
		token->text = (const char *) copy + start;
		token->length = token->source_length = length;
		token->start = (int32_t) (base + (size_t) start);
		token->position = scanner->position++;
		token->hash = hash_bytes64_padded(token->text, (size_t) length);
		token->pair = false;
		runs = end == BLOCK_BYTES ? 0 : runs & (~UINT64_C(0) << end);
	}
	scanner->offset = base + (rest < BLOCK_BYTES ? rest : BLOCK_BYTES);
	return count;
}

/* One loop for each rule, with or without folding. */
#define DEFINE_SCAN(name, rule, fold) \
static int \
name(WordScanner *scanner, Token *batch, int capacity) \
{ \
	int			count = 0; \
 \
	while (count < capacity && scanner->offset < scanner->length && \
		   !scanner->skipping && \
		   scanner->used + WORD_FOLDED_MAX <= WORD_ARENA) \
		count += scan_block(scanner, batch + count, capacity - count, \
							rule, fold); \
	return count; \
}

DEFINE_SCAN(scan_words_folded, SPLIT_WORDS, true)
DEFINE_SCAN(scan_words, SPLIT_WORDS, false)
DEFINE_SCAN(scan_whitespace_folded, SPLIT_WHITESPACE, true)
DEFINE_SCAN(scan_whitespace, SPLIT_WHITESPACE, false)

int
word_scanner_next(WordScanner *scanner, Token *batch, int capacity)
{
	scanner->used = 0;
	if (scanner->skipping)
	{
		size_t		stop = scanner->offset + SKIP_BYTES;

		scanner->offset = word_span_end(scanner->rule, scanner->source,
										(const char *) scanner->input,
										scanner->length, scanner->offset,
										stop);
		if (scanner->offset >= stop)
			return 0;
		scanner->skipping = false;
	}
	if (scanner->rule == SPLIT_WORDS)
		return scanner->fold ? scan_words_folded(scanner, batch, capacity)
			: scan_words(scanner, batch, capacity);
	return scanner->fold ? scan_whitespace_folded(scanner, batch, capacity)
		: scan_whitespace(scanner, batch, capacity);
}

size_t
word_span_start(SplitRule rule, CharacterSource *source, const char *input,
				size_t length, size_t from, size_t stop)
{
	Character	character;

	for (; from < length && from < stop; from += (size_t) character.length)
	{
		character_read(source, (const unsigned char *) input + from,
					   length - from, &character);
		if (starts_word(rule, character.flags) ||
			(rule == SPLIT_WORDS &&
			 (character.flags & (CHARACTER_EMOJI | CHARACTER_PICTOGRAPH)) &&
			 cluster_kind(source, input, length, from,
						  &character) != CLUSTER_NONE))
			break;
	}
	return from;
}

size_t
word_span_end(SplitRule rule, CharacterSource *source, const char *input,
			  size_t length, size_t from, size_t stop)
{
	Character	character;

	for (; from < length && from < stop; from += (size_t) character.length)
	{
		character_read(source, (const unsigned char *) input + from,
					   length - from, &character);
		if (!continues_word(rule, character.flags))
			break;
	}
	return from;
}

/* Read the cluster that starts at "start"; 0: none does. */
static size_t
read_cluster(CharacterSource *source, const char *input, size_t length,
			 size_t start, ClusterKind *kind)
{
	Character	first;

	if (start >= length)
		return 0;
	character_read(source, (const unsigned char *) input + start,
				   length - start, &first);
	*kind = cluster_kind(source, input, length, start, &first);
	return *kind == CLUSTER_NONE ? 0 :
		cluster_end(source, input, length, start, &first, *kind);
}

size_t
word_token_end(SplitRule rule, CharacterSource *source, const char *input,
			   size_t length, size_t start, size_t stop)
{
	ClusterKind kind;
	size_t		end = rule != SPLIT_WORDS ? 0 :
		read_cluster(source, input, length, start, &kind);

	return end > 0 ? end :
		word_span_end(rule, source, input, length, start, stop);
}

size_t
word_pair_end(SplitRule rule, CharacterSource *source, const char *input,
			  size_t length, size_t start)
{
	ClusterKind kind;
	size_t		end = rule != SPLIT_WORDS ? 0 :
		read_cluster(source, input, length, start, &kind);

	if (end == 0 || kind != CLUSTER_PAIRED)
		return 0;
	end = read_cluster(source, input, length, end, &kind);
	return end > 0 && kind == CLUSTER_PAIRED ? end : 0;
}
