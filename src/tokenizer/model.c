/*-------------------------------------------------------------------------
 *
 * model.c
 *	  From pieces of text to tokens: the cache of words, WordLevel and
 *	  WordPiece.
 *
 * A word of at most 32 bytes that became at most six tokens is kept in a
 * cache of fixed size, one place for each hash, a line of memory each: most
 * words of a text are words seen before.
 *
 *-------------------------------------------------------------------------
 */
#include "math/hash.h"
#include "tokenizer/tokenizer_run.h"

#define CACHE_KEY	32
#define CACHE_TOKENS 6
#define CACHE_ENTRIES (1 << 14)

typedef struct CacheEntry
{
	unsigned char key[CACHE_KEY];	/* padded with zeros */
	uint8_t		length;			/* 0: nothing here */
	uint8_t		count;
	uint8_t		lengths[CACHE_TOKENS];
	uint32_t	ids[CACHE_TOKENS];
} CacheEntry;

/* The cache of this run, empty if it was another tokenizer's. */
static bool
cache_attach(Run *run)
{
	TokenizerScratch *scratch = run->scratch;
	const size_t size = CACHE_ENTRIES * sizeof(CacheEntry);

	if (scratch->buffers[BUFFER_CACHE].size >= size &&
		scratch->cache_owner == run->tokenizer->header->identity)
		return true;
	if (!run_buffer(run, BUFFER_CACHE, size))
		return false;
	memset(scratch->buffers[BUFFER_CACHE].data, 0, size);
	scratch->cache_owner = run->tokenizer->header->identity;
	return true;
}

static bool
unknown_word(Run *run, uint32_t length)
{
	uint32_t	unknown = run->tokenizer->header->unknown;

	if (unknown == NO_ID)
		return run_fail(run, TOKENIZER_NO_UNKNOWN);
	return run_emit(run, unknown, length);
}

static bool
wordlevel_word(Run *run, const unsigned char *word, uint32_t length)
{
	uint32_t	id = image_find(run->tokenizer, word, length);

	return id != NO_ID ? run_emit(run, id, length) : unknown_word(run, length);
}

/* The longest piece that a text begins with: 0 if none. */
static inline uint32_t
longest_piece(const ImageNode *nodes, uint32_t count,
			  const unsigned char *text, uint32_t length, uint32_t *id)
{
	uint32_t	node = 0;
	uint32_t	longest = 0;

	for (uint32_t i = 0; i < length; i++)
	{
		uint32_t	child = nodes[node].base + text[i];

		if (child >= count || nodes[child].check != node || child == 0)
			break;
		node = child;
		if (nodes[node].value != 0)
		{
			*id = nodes[node].value - 1;
			longest = i + 1;
		}
	}
	return longest;
}

/*
 * The longest piece first, then the longest continuation, and so on; one
 * unknown token if that does not reach the end.
 *
 * A word has at most max_characters, so that going through it anew from each
 * piece's end is bounded by that.
 */
bool
wordpiece_word(Run *run, const unsigned char *word, uint32_t length)
{
	const Tokenizer *tokenizer = run->tokenizer;
	ImageSectionName section = SECTION_TRIE;
	uint32_t	first_token = run->token_count;
	uint32_t	first_at = run->emit_at;
	uint32_t	at = 0;
	uint32_t	characters = 0;

	for (uint32_t i = 0; i < length; i++)
		characters += (word[i] & 0xC0) != 0x80;
	if (characters > tokenizer->header->max_characters)
		return unknown_word(run, length);
	while (at < length)
	{
		uint32_t	id = 0;
		uint32_t	longest = longest_piece(image_section(tokenizer, section),
											image_count(tokenizer, section,
														sizeof(ImageNode)),
											word + at, length - at, &id);

		if (longest == 0)
		{
			run->token_count = first_token;
			run->emit_at = first_at;
			return unknown_word(run, length);
		}
		if (!run_emit(run, id, longest))
			return false;
		at += longest;
		section = SECTION_TRIE_INNER;
	}
	return true;
}

static bool
model_word(Run *run, const unsigned char *word, uint32_t length)
{
	switch (run->tokenizer->header->model)
	{
		case MODEL_WORDPIECE:
			return wordpiece_word(run, word, length);
		case MODEL_BPE:
			return bpe_word(run, word, length);
		case MODEL_UNIGRAM:
			return unigram_piece(run, word, length);
		default:
			return wordlevel_word(run, word, length);
	}
}

static void
cache_store(CacheEntry *entry, const unsigned char *key, uint32_t length,
			const TokenizerToken *tokens, uint32_t count)
{
	if (count > CACHE_TOKENS)
		return;
	for (uint32_t i = 0; i < count; i++)
	{
		/* tokens of bytes may lie upon each other: see unigram.c */
		if (tokens[i].length > UINT8_MAX ||
			(i > 0 &&
			 tokens[i].start != tokens[i - 1].start + tokens[i - 1].length))
			return;
	}
	for (uint32_t i = 0; i < count; i++)
	{
		entry->ids[i] = tokens[i].id;
		entry->lengths[i] = (uint8_t) tokens[i].length;
	}
	memcpy(entry->key, key, CACHE_KEY);
	entry->length = (uint8_t) length;
	entry->count = (uint8_t) count;
}

bool
cached_word(Run *run, const unsigned char *word, uint32_t length)
{
	unsigned char key[CACHE_KEY] = {0};
	CacheEntry *entry;
	uint32_t	first_token = run->token_count;

	if (length > CACHE_KEY || length == 0)
		return model_word(run, word, length);
	memcpy(key, word, length);
	entry = (CacheEntry *) run->scratch->buffers[BUFFER_CACHE].data +
		(hash_bytes64(key, length) & (CACHE_ENTRIES - 1));
	if (entry->length == length && memcmp(entry->key, key, CACHE_KEY) == 0)
	{
		for (uint32_t i = 0; i < entry->count; i++)
		{
			if (!run_emit(run, entry->ids[i], entry->lengths[i]))
				return false;
		}
		return true;
	}
	if (!model_word(run, word, length))
		return false;
	if (run->token_count > first_token)
		cache_store(entry, key, length, run->tokens + first_token,
					run->token_count - first_token);
	return true;
}

bool
model_piece(Run *run, const Piece *piece)
{
	const unsigned char *text = run->text.bytes + piece->begin;
	uint32_t	length = piece->end - piece->begin;

	if (run->token_count == 0 && !cache_attach(run))
		return false;
	run_work(run, length);
	run->emit_at = piece->begin;
	if (piece->id != NO_ID)
	{
		if (!run_emit(run, piece->id, length))
			return false;
		run->tokens[run->token_count - 1].text_length = 1;	/* its own text */
		return true;
	}
	switch (run->tokenizer->header->model)
	{
		case MODEL_WORDLEVEL:
			return wordlevel_word(run, text, length);
		case MODEL_BPE:
			return bpe_piece(run, text, length);
		default:
			return cached_word(run, text, length);
	}
}
