/*-------------------------------------------------------------------------
 *
 * gguf_keys.c
 *	  The tokenizer's keys of a GGUF file, each of its right kind.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/gguf_keys.h"

#include <string.h>

/* All keys of tokenizers begin so; the longest of the names is shorter. */
#define KEYS "tokenizer.ggml."
#define KEY_SIZE 64

typedef struct Reader
{
	const Gguf *gguf;
	Arena	   *arena;
	FormatFault *fault;
} Reader;

/* The first key that is not what it should be is the one that is told. */
static void
refuse(Reader *reader, const GgufValue *value, const char *what)
{
	if (reader->fault->status == FORMAT_OK)
		format_fault(reader->fault, FORMAT_MALFORMED, 0, 0,
					 "The setting \"%s\" of the GGUF file is %s.", value->key,
					 what);
}

static void *
allocate(Reader *reader, size_t count, size_t size)
{
	void	   *memory = arena_alloc_array(reader->arena,
										   count > 0 ? count : 1, size);

	if (memory == NULL && reader->fault->status == FORMAT_OK)
		format_fault(reader->fault, FORMAT_OUT_OF_MEMORY, 0, 0,
					 "No memory for a tokenizer of %zu tokens.", count);
	return memory;
}

/* A key of the tokenizer, or NULL. */
static const GgufValue *
find_key(const Reader *reader, const char *name)
{
	char		key[KEY_SIZE] = KEYS;

	strncat(key, name, sizeof(key) - sizeof(KEYS));
	return gguf_find(reader->gguf, key);
}

/* The text of a key; empty if it is not there. */
static TokenizerGgufString
read_text(Reader *reader, const char *name)
{
	const GgufValue *value = find_key(reader, name);
	TokenizerGgufString result = {"", 0};
	GgufText	text;

	if (value == NULL)
		return result;
	if (gguf_text(value, &text))
	{
		result.text = text.text;
		result.length = text.length;
	}
	else
		refuse(reader, value, "not a text");
	return result;
}

/* An id that stands for none is below zero, or the largest of 32 bits. */
static int64_t
read_id(Reader *reader, const char *name)
{
	const GgufValue *value = find_key(reader, name);
	int64_t		id = -1;

	if (value != NULL && !gguf_int64(value, &id))
		refuse(reader, value, "not a whole number");
	return id < 0 || id == UINT32_MAX ? -1 : id;
}

static int
read_truth(Reader *reader, const char *name)
{
	const GgufValue *value = find_key(reader, name);
	bool		truth = false;

	if (value == NULL)
		return -1;
	if (!gguf_bool(value, &truth))
		refuse(reader, value, "not a boolean");
	return truth;
}

/* An array, or NULL; "count" elements, if that is not below zero. */
static const GgufValue *
find_array(Reader *reader, const char *name, int64_t count)
{
	const GgufValue *value = find_key(reader, name);

	if (value == NULL)
		return NULL;
	if (!value->is_array)
		refuse(reader, value, "not an array");
	else if (value->count > INT32_MAX)
		refuse(reader, value, "too long");
	else if (count >= 0 && value->count != (uint64_t) count)
		refuse(reader, value, "not as long as the vocabulary");
	return reader->fault->status == FORMAT_OK ? value : NULL;
}

static const TokenizerGgufString *
read_texts(Reader *reader, const char *name, uint32_t *count)
{
	const GgufValue *value = find_array(reader, name, -1);
	TokenizerGgufString *texts;
	GgufText	text;

	*count = 0;
	if (value == NULL)
		return NULL;
	texts = allocate(reader, value->count, sizeof(*texts));
	if (texts == NULL)
		return NULL;
	for (size_t i = 0; i < value->count; i++)
	{
		if (!gguf_element_text(value, i, &text))
		{
			refuse(reader, value, "not an array of texts");
			return NULL;
		}
		texts[i].text = text.text;
		texts[i].length = text.length;
	}
	*count = (uint32_t) value->count;
	return texts;
}

static const float *
read_scores(Reader *reader, uint32_t count)
{
	const GgufValue *value = find_array(reader, "scores", count);
	float	   *scores;
	double		score;

	if (value == NULL)
		return NULL;
	scores = allocate(reader, value->count, sizeof(*scores));
	for (size_t i = 0; scores != NULL && i < value->count; i++)
	{
		if (!gguf_element_double(value, i, &score))
		{
			refuse(reader, value, "not an array of numbers");
			return NULL;
		}
		scores[i] = (float) score;
	}
	return scores;
}

static const int32_t *
read_types(Reader *reader, uint32_t count)
{
	const GgufValue *value = find_array(reader, "token_type", count);
	int32_t    *types;
	int64_t		type;

	if (value == NULL)
		return NULL;
	types = allocate(reader, value->count, sizeof(*types));
	for (size_t i = 0; types != NULL && i < value->count; i++)
	{
		if (!gguf_element_int64(value, i, &type) || type < INT32_MIN ||
			type > INT32_MAX)
		{
			refuse(reader, value, "not an array of whole numbers");
			return NULL;
		}
		types[i] = (int32_t) type;
	}
	return types;
}

static void
read_map(Reader *reader, TokenizerGguf *keys)
{
	const GgufValue *value = find_array(reader, "precompiled_charsmap", -1);

	if (value == NULL)
		return;
	if (value->type != GGUF_UINT8 && value->type != GGUF_INT8)
	{
		refuse(reader, value, "not an array of bytes");
		return;
	}
	keys->charsmap = value->numbers;
	keys->charsmap_length = value->count;
}

/* The separator's key is misspelt in ggml's definition. */
static void
read_numbers(Reader *reader, TokenizerGguf *keys)
{
	keys->unknown = read_id(reader, "unknown_token_id");
	keys->bos = read_id(reader, "bos_token_id");
	keys->eos = read_id(reader, "eos_token_id");
	keys->cls = read_id(reader, "cls_token_id");
	keys->separator = read_id(reader, "seperator_token_id");
	keys->padding = read_id(reader, "padding_token_id");
	keys->mask = read_id(reader, "mask_token_id");
	keys->add_bos = read_truth(reader, "add_bos_token");
	keys->add_eos = read_truth(reader, "add_eos_token");
	keys->add_separator = read_truth(reader, "add_sep_token");
	keys->add_space_prefix = read_truth(reader, "add_space_prefix");
	keys->remove_extra_whitespaces =
		read_truth(reader, "remove_extra_whitespaces");
	keys->lowercase = read_truth(reader, "normalizer.lowercase");
	keys->strip_accents = read_truth(reader, "normalizer.strip_accents");
}

FormatStatus
tokenizer_gguf_keys(Arena *arena, const Gguf *gguf, TokenizerGguf *keys,
					FormatFault *fault)
{
	Reader		reader = {gguf, arena, fault};

	memset(fault, 0, sizeof(*fault));
	memset(keys, 0, sizeof(*keys));
	keys->model = read_text(&reader, "model");
	keys->pre = read_text(&reader, "pre");
	keys->tokens = read_texts(&reader, "tokens", &keys->token_count);
	if (keys->tokens == NULL && fault->status == FORMAT_OK)
		format_fault(fault, FORMAT_UNSUPPORTED, 0, 0,
					 "The GGUF file has no tokenizer: \"" KEYS
					 "tokens\" is missing.");
	keys->scores = read_scores(&reader, keys->token_count);
	keys->types = read_types(&reader, keys->token_count);
	keys->merges = read_texts(&reader, "merges", &keys->merge_count);
	read_map(&reader, keys);
	read_numbers(&reader, keys);
	return fault->status;
}
