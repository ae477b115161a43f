/*-------------------------------------------------------------------------
 *
 * tokenizer_shim.c
 *	  The tokenizer as a shared object that tokenizer.py calls, and the
 *	  benchmark beside it.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "format/utf8.h"
#include "tokenizer/tokenizer_run.h"

typedef struct Shim
{
	Arena		arena;
	Tokenizer	tokenizer;
	TokenizerImage image;
	TokenizerScratch scratch;
	TokenizerTokens tokens;
	char		message[400];
} Shim;

static void *
resize(void *context, void *block, size_t size)
{
	if (size == 0)
	{
		free(block);
		return NULL;
	}
	return realloc(block, size);
}

static Shim *
begin(void)
{
	Shim	   *shim = calloc(1, sizeof(*shim));

	arena_begin(&shim->arena, arena_malloc, arena_free, NULL,
				(size_t) 4 << 30);
	tokenizer_scratch_begin(&shim->scratch, resize, NULL, NULL, NULL);
	return shim;
}

static Shim *
finish(Shim *shim, FormatStatus status, const FormatFault *fault)
{
	if (status != FORMAT_OK)
		snprintf(shim->message, sizeof(shim->message), "%s: %s", format_message(status),
				 fault->detail);
	else if (!tokenizer_open(&shim->tokenizer, shim->image.bytes,
							 shim->image.size))
		snprintf(shim->message, sizeof(shim->message), "image does not open");
	return shim;
}

extern Shim *shim_compile(const char *json, size_t length);
extern Shim *shim_vocabulary(const char *text, size_t length, int keep_case);
extern Shim *shim_gguf(const TokenizerGguf *keys);
extern const char *shim_message(const Shim *shim);
extern void shim_free(Shim *shim);
extern size_t shim_image_size(const Shim *shim);
extern long shim_encode(Shim *shim, const char *text, size_t length,
						int special, int offsets, int limit, uint32_t most);
extern const TokenizerToken *shim_tokens(const Shim *shim);
extern const char *shim_token_text(const Shim *shim, uint32_t number,
								   size_t *length);
extern long shim_special(const Shim *shim, int special);
extern long shim_normalize(Shim *shim, const char *text, size_t length,
						   const char **result);
extern long shim_ids(Shim *shim, const char *texts, const size_t *ends,
					 size_t count, uint32_t most, int32_t *ids,
					 size_t *offsets);
extern double shim_time(Shim *shim, const char *texts, const size_t *ends,
						size_t count, int offsets, size_t *tokens);

Shim *
shim_compile(const char *json, size_t length)
{
	Shim	   *shim = begin();
	FormatFault fault;

	return finish(shim,
				  tokenizer_compile(&shim->arena, json, length, NULL,
									&shim->image, &fault),
				  &fault);
}

Shim *
shim_vocabulary(const char *text, size_t length, int keep_case)
{
	Shim	   *shim = begin();
	FormatFault fault;
	TokenizerBertOptions bert = {.keep_case = keep_case != 0,
								 .strip_accents = -1};

	return finish(shim,
				  tokenizer_compile_vocabulary(&shim->arena, text, length,
											   &bert, NULL, &shim->image,
											   &fault),
				  &fault);
}

Shim *
shim_gguf(const TokenizerGguf *keys)
{
	Shim	   *shim = begin();
	FormatFault fault;

	return finish(shim,
				  tokenizer_compile_gguf(&shim->arena, keys, NULL,
										 &shim->image, &fault),
				  &fault);
}

const char *
shim_message(const Shim *shim)
{
	return shim->message;
}

void
shim_free(Shim *shim)
{
	tokenizer_scratch_end(&shim->scratch);
	arena_end(&shim->arena);
	free(shim);
}

size_t
shim_image_size(const Shim *shim)
{
	return shim->image.size;
}

/*
 * All ids of some texts, of each "most" at most, one text after the other; how
 * many, or the negative of a TokenizerStatus.
 */
long
shim_ids(Shim *shim, const char *texts, const size_t *ends, size_t count,
		 uint32_t most, int32_t *ids, size_t *offsets)
{
	size_t		begin = 0;

	offsets[0] = 0;
	for (size_t i = 0; i < count; i++)
	{
		long		some = shim_encode(shim, texts + begin, ends[i] - begin, 1,
									   TOKENIZER_NO_OFFSETS,
									   TOKENIZER_LIMIT_RIGHT, most);

		if (some < 0)
			return some;
		for (long t = 0; t < some; t++)
			*ids++ = (int32_t) shim->tokens.tokens[t].id;
		offsets[i + 1] = offsets[i] + (size_t) some;
		begin = ends[i];
	}
	return (long) offsets[count];
}

/* The number of tokens, or the negative of a TokenizerStatus. */
long
shim_encode(Shim *shim, const char *text, size_t length, int special,
			int offsets, int limit, uint32_t most)
{
	TokenizerEncoding encoding = {special != 0, (TokenizerOffsets) offsets,
								  (TokenizerLimit) limit, most};
	TokenizerStatus status = tokenizer_encode(&shim->tokenizer, text, length,
											  &encoding, &shim->scratch,
											  &shim->tokens);

	return status == TOKENIZER_OK ? (long) shim->tokens.count : -(long) status;
}

const TokenizerToken *
shim_tokens(const Shim *shim)
{
	return shim->tokens.tokens;
}

const char *
shim_token_text(const Shim *shim, uint32_t number, size_t *length)
{
	return tokenizer_token_text(&shim->tokenizer, &shim->tokens, number,
								length);
}

long
shim_special(const Shim *shim, int special)
{
	return (long) tokenizer_special(&shim->tokenizer,
									(TokenizerSpecial) special);
}

long
shim_normalize(Shim *shim, const char *text, size_t length,
			   const char **result)
{
	const unsigned char *bytes;
	size_t		result_length = 0;
	TokenizerStatus status = normalize_text(&shim->tokenizer, &shim->scratch,
											(const unsigned char *) text,
											length, &bytes, &result_length);

	*result = (const char *) bytes;
	return status == TOKENIZER_OK ? (long) result_length : -(long) status;
}

/* Processor seconds for all these texts; texts end at "ends". */
double
shim_time(Shim *shim, const char *texts, const size_t *ends, size_t count,
		  int offsets, size_t *tokens)
{
	struct timespec before;
	struct timespec after;
	size_t		begin_at = 0;

	*tokens = 0;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	for (size_t i = 0; i < count; i++)
	{
		long		made = shim_encode(shim, texts + begin_at,
									   ends[i] - begin_at, 1, offsets,
									   TOKENIZER_LIMIT_NONE, 0);

		*tokens += made > 0 ? (size_t) made : 0;
		begin_at = ends[i];
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	return (double) (after.tv_sec - before.tv_sec) +
		   1e-9 * (double) (after.tv_nsec - before.tv_nsec);
}
