/*-------------------------------------------------------------------------
 *
 * lookup.c
 *	  Finding words in the image of a model.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "encoder/words/word_model.h"
#include "text/subword.h"
#include "math/distance.h"
#include "math/hash.h"
#include "mb/pg_wchar.h"
#include "text/config_cache.h"
#include "text/generation.h"
#include "text/token.h"
#include "storage/shmem.h"
#include "utils/memutils.h"

/* n-grams of the longest word looked at */
#define MAX_NGRAMS(max_n) (((Size) SUBWORD_MAX_WORD + 2) * (max_n))

/* A buffer of another size; the old one stays when there is no memory */
static void *
resize(void *buffer, Size bytes)
{
	return buffer == NULL ? palloc(bytes) : repalloc(buffer, bytes);
}

const char *const words_poolings[] = {"mean", "tfidf", "sif", NULL};
const char *const words_unknowns[] = {"nothing", "mean", NULL};

void
words_check_ngrams(int64 min_n, int64 max_n)
{
	if (max_n == 0 ? min_n == 0 : min_n >= 1 && min_n <= max_n)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("min_n must be between %d and " INT64_FORMAT,
					max_n > 0 ? 1 : 0, max_n),
			 errdetail("The value is " INT64_FORMAT ".", min_n)));
}

WordsSubwords
words_subwords(const ModelDescription *description)
{
	WordsSubwords subwords = {0, 0, 1};

	if (option_find(description->method->options, "max_n") != NULL)
	{
		subwords.min_n = model_option_int(description, "min_n");
		subwords.max_n = model_option_int(description, "max_n");
		subwords.buckets = model_option_int(description, "buckets");
	}
	return subwords;
}

void
words_check(const ModelDescription *description)
{
	WordsSubwords subwords = words_subwords(description);

	words_check_ngrams(subwords.min_n, subwords.max_n);
}

static void
attach_sections(Words *words)
{
	Model	   *model = words->model;
	Size		bytes;

	words->totals = model_section(model, WORDS_SECTION_TOTALS, NULL);
	words->entries = model_section(model, WORDS_SECTION_ENTRIES, NULL);
	words->texts = model_section(model, WORDS_SECTION_TEXTS, NULL);
	words->matrix = model_section(model, WORDS_SECTION_MATRIX, NULL);
	words->slots = model_section(model, WORDS_SECTION_SLOTS, &bytes);
	words->slot_mask = bytes / sizeof(WordSlot) - 1;
	words->bucket_slots = model_section(model, WORDS_SECTION_BUCKETS, &bytes);
	words->bucket_mask = bytes / sizeof(BucketSlot) - 1;
	if (bytes == 0)
		words->bucket_slots = NULL;
}

/* A table without the row (it may have been deleted) answers nothing. */
static const float *
unknown_of(const Words *words)
{
	const ModelDescription *description = words->model->description;

	if (option_find(description->method->options, "unknown") == NULL ||
		model_option_int(description, "unknown") == 0)
		return NULL;
	return words_bucket(words, WORDS_UNKNOWN_BUCKET);
}

/*
 * The options and the token stream live as long as the call site, which
 * survives an error that its caller catches.  So the generation is set last,
 * and until then everything is done again by the next call.
 */
static void
attach(Words *words, FmgrInfo *flinfo)
{
	Model	   *model = words->model;
	MemoryContext old = MemoryContextSwitchTo(flinfo->fn_mcxt);
	uint64		generation = text_generation();
	Oid			config = model_option_config(model->description);

	words->generation = 0;
	attach_sections(words);
	words->subwords = words_subwords(model->description);
	words->pooling = model_option(model->description, "pooling")->text;
	words->unknown = unknown_of(words);
	if (words->tokens == NULL)
		words->tokens = palloc(sizeof(Token) * TOKEN_BATCH);
	words->ngrams = resize(words->ngrams,
						   mul_size(MAX_NGRAMS(Max(words->subwords.max_n, 1)),
									sizeof(int32)));
	words->unseen = resize(words->unseen,
						   mul_size(Max(words->totals->stride, 1),
									sizeof(float)));
	if (words->streams == NULL)
		words->streams = token_streams_create();
	words->stream = config_cache_get(words->streams, config);
	words->version = model->version;
	words->generation = generation;
	MemoryContextSwitchTo(old);
}

Words *
words_attach(FmgrInfo *flinfo, Model *model, void **state)
{
	Words	   *words = *state;

	if (words == NULL)
	{
		words = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(Words));
		*state = words;
	}
	words->model = model;
	if (words->version != model->version ||
		words->generation != text_generation())
		attach(words, flinfo);
	return words;
}

static void
check_has_words(const ModelDescription *description)
{
	if (description->method->build_image != words_build_image &&
		description->method->build_image != terms_build_image)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("embedding model \"%s\" has no word vectors",
						description->table_name),
				 errdetail("It is a model of method \"%s\".",
						   description->method->name)));
}

Words *
words_open(FmgrInfo *flinfo, Oid table)
{
	Model	   *model = model_open(flinfo, table, NULL);

	check_has_words(model->description);
	return words_attach(flinfo, model,
						call_site_state(flinfo, words_columns));
}

Words *
words_open_further(FmgrInfo *flinfo, int number, Oid table)
{
	Model	   *model = model_open_further(flinfo, number, table, NULL);

	check_has_words(model->description);
	return words_attach(flinfo, model,
						call_site_state_of(flinfo, words_columns, model));
}

const WordEntry *
words_find(const Words *words, const char *text, int length, uint64 hash)
{
	uint32		tag = (uint32) (hash >> 32);

	for (Size slot = hash & words->slot_mask; words->slots[slot].entry != 0;
		 slot = (slot + 1) & words->slot_mask)
	{
		const WordEntry *entry;

		if (words->slots[slot].tag != tag)
			continue;
		entry = &words->entries[words->slots[slot].entry - 1];
		if (entry->length == length &&
			memcmp(words->texts + entry->text, text, length) == 0)
			return entry;
	}
	return NULL;
}

/* Fetch the entry that words_find will probably look at. */
static inline void
prefetch_entry(const Words *words, uint64 hash)
{
	uint32		entry = words->slots[hash & words->slot_mask].entry;

	if (entry != 0)
		__builtin_prefetch(&words->entries[entry - 1]);
}

void
words_text_begin(Words *words, const char *text, int length)
{
	token_stream_begin(words->stream, text, length);
}

/*
 * Words are looked up in steps, so that slots and entries come from memory
 * while others are in work.
 */
int
words_text_next(Words *words, const WordEntry **entries)
{
	const Token *tokens = words->tokens;
	int			count = token_stream_next(words->stream, words->tokens,
										  TOKEN_BATCH);

	for (int i = 0; i < count; i++)
		__builtin_prefetch(&words->slots[tokens[i].hash & words->slot_mask]);
	for (int i = 0; i < count; i++)
		prefetch_entry(words, tokens[i].hash);
	for (int i = 0; i < count; i++)
		entries[i] = words_find(words, tokens[i].text, tokens[i].length,
								tokens[i].hash);
	return count;
}

const float *
words_bucket(const Words *words, int32 bucket)
{
	if (words->bucket_slots == NULL)
		return NULL;
	for (Size slot = bucket & words->bucket_mask;
		 words->bucket_slots[slot].row != 0;
		 slot = (slot + 1) & words->bucket_mask)
		if (words->bucket_slots[slot].bucket == (uint32) bucket)
			return words_row(words, words->bucket_slots[slot].row - 1);
	return NULL;
}

/* The buckets of an unseen word's n-grams, in words->ngrams; their number */
static int
buckets_of(Words *words, const char *text, int length)
{
	char	   *utf8 = pg_server_to_any(text, length, PG_UTF8);
	int			count = subword_buckets(utf8,
										utf8 == text ? length : strlen(utf8),
										words->subwords.min_n,
										words->subwords.max_n,
										words->subwords.buckets,
										words->ngrams,
										MAX_NGRAMS(words->subwords.max_n));

	if (utf8 != text)
		pfree(utf8);
	return count;
}

/*
 * fastText's vector of an unseen word: the mean over its n-grams.  Those
 * whose bucket no word of the training touched have no row here and a random
 * one in fastText; they are left out of the mean.
 */
const float *
words_compose(Words *words, const char *text, int length)
{
	int			count;
	int			known = 0;

	if (words->bucket_slots == NULL || words->subwords.max_n == 0)
		return words->unknown;
	count = buckets_of(words, text, length);
	memset(words->unseen, 0, sizeof(float) * words->totals->stride);
	for (int i = 0; i < count; i++)
	{
		const float *row = words_bucket(words, words->ngrams[i]);

		if (row == NULL)
			continue;
		for (int d = 0; d < words->totals->stride; d++)
			words->unseen[d] += row[d];
		known++;
	}
	if (known == 0)
		return NULL;
	for (int d = 0; d < words->totals->stride; d++)
		words->unseen[d] /= known;
	return words->unseen;
}

int
words_compose_rows(Words *words, const char *text, int length,
				   const float **rows, int most)
{
	int			count;
	int			known = 0;

	if (words->bucket_slots == NULL || words->subwords.max_n == 0)
	{
		rows[0] = words->unknown;
		return words->unknown != NULL;
	}
	count = buckets_of(words, text, length);
	for (int i = 0; i < count && known < most; i++)
	{
		rows[known] = words_bucket(words, words->ngrams[i]);
		known += rows[known] != NULL;
	}
	return known;
}

int
words_most_rows(const Words *words)
{
	return (int) MAX_NGRAMS(Max(words->subwords.max_n, 1));
}

const float *
words_lookup(Words *words, const char *text, int length,
			 const WordEntry **entry)
{
	int			count;
	Token	   *token = words->tokens;

	*entry = words_find(words, text, length, hash_bytes64(text, length));
	if (*entry != NULL)
		return words_row(words, (*entry)->row);

	token_stream_begin(words->stream, text, length);
	count = token_stream_next(words->stream, words->tokens, 2);
	if (count != 1)
		return NULL;
	*entry = words_find(words, token->text, token->length, token->hash);
	if (*entry != NULL)
		return words_row(words, (*entry)->row);
	return words_compose(words, token->text, token->length);
}
