/*-------------------------------------------------------------------------
 *
 * static_encode.c
 *	  From the vectors of tokens to the vector of a text: their mean.
 *
 * A mean of rows, each times its token's weight, divided by the number of
 * tokens; then, if the model says so, by its Euclidean norm plus 1e-32, which
 * leaves a zero vector as it is (model2vec, StaticModel.encode; EmbeddingBag
 * of torch).  A text without tokens has no vector.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/static/static.h"

#include <math.h>

#include "math/rows.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "server/extension.h"
#include "utils/memutils.h"

/*
 * Rows are summed as floats, one after the other, as the references do with
 * all of them: so vectors of texts up to this length are theirs to the last
 * digits.  Sums of these are doubles, which a longer text needs.
 */
#define BLOCK_TOKENS 512

static const char *const poolings[] = {"mean", NULL};

typedef struct StaticState
{
	NetworkTokenizer *tokenizer;
	const StaticSettings *settings;
	const float *matrix;
	const float *weights;		/* or NULL */
	const int32 *rows;			/* or NULL */
	const char *prompts;
	Size		prompt_bytes;

	/* for the present dimensions */
	int			stride;
	float	   *sum;
	double	   *total;
	char	   *prompted;		/* a prompt and a text */
} StaticState;

static const void *
section_or_null(const Model *model, int section)
{
	Size		bytes;
	const void *data = model_section(model, section, &bytes);

	return bytes == 0 ? NULL : data;
}

static int
open_static(FmgrInfo *flinfo, Model *model, void **state)
{
	StaticState *opened = *state;
	Size		bytes;

	if (opened == NULL)
		*state = opened = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(StaticState));
	opened->tokenizer = network_tokenizer(flinfo, model);
	opened->settings = model_section(model, STATIC_SECTION_SETTINGS, &bytes);
	opened->matrix = model_section(model, STATIC_SECTION_MATRIX, &bytes);
	opened->weights = section_or_null(model, STATIC_SECTION_WEIGHTS);
	opened->rows = section_or_null(model, STATIC_SECTION_ROWS);
	opened->prompts = model_section(model, STATIC_SECTION_PROMPTS, &opened->prompt_bytes);
	if (opened->stride != opened->settings->stride)
	{
		opened->stride = 0;
		if (opened->sum != NULL)
			pfree(opened->sum);
		if (opened->total != NULL)
			pfree(opened->total);
		opened->sum = NULL;
		opened->total = NULL;
		opened->sum = MemoryContextAlloc(flinfo->fn_mcxt,
										 sizeof(float) * opened->settings->stride);
		opened->total = MemoryContextAlloc(flinfo->fn_mcxt,
										   sizeof(double) * opened->settings->stride);
		opened->stride = opened->settings->stride;
	}
	return opened->settings->dims;
}

/* ---------- prompts ---------- */

/* The text of a prompt, UTF-8; NULL for none. */
static const char *
find_prompt(const StaticState *state, const char *name)
{
	const char *end = state->prompts + state->prompt_bytes;
	char	   *utf8;
	List	   *names = NIL;
	const char **choices;
	int			count = 0;

	if (name == NULL)
		return state->settings->default_prompt < 0 ? NULL :
			state->prompts + state->settings->default_prompt;
	utf8 = pg_server_to_any(name, (int) strlen(name), PG_UTF8);
	for (const char *at = state->prompts; at < end;)
	{
		const char *text = at + strlen(at) + 1;

		if (strcmp(at, utf8) == 0)
			return text;
		names = lappend(names, pg_any_to_server(at, (int) strlen(at), PG_UTF8));
		at = text + strlen(text) + 1;
	}
	if (names == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model \"%s\" has no prompts",
						state->tokenizer->model->description->table_name)));
	choices = palloc0(sizeof(char *) * (list_length(names) + 1));
	for (; count < list_length(names); count++)
		choices[count] = list_nth(names, count);
	(void) choice_index("prompt", name, choices);
	pg_unreachable();
}

/* ---------- tokens ---------- */

/* The bytes of so many characters, or all. */
static int
bytes_of_characters(const char *text, int length, int characters)
{
	for (int i = 0; i < length; i++)
	{
		if ((text[i] & 0xC0) != 0x80 && characters-- == 0)
			return i;
	}
	return length;
}

static void
read_tokens(StaticState *state, const EncoderRequest *request, const EncoderText *text,
			TokenizerTokens *tokens)
{
	const StaticSettings *settings = state->settings;
	const NetworkLimits *limits = state->tokenizer->limits;
	const char *prompt = find_prompt(state, request->prompt);
	TokenizerEncoding encoding = {0};
	int			length = text->length;
	const char *utf8 = network_text(state->tokenizer, text->text, &length);

	if (state->prompted != NULL)
		pfree(state->prompted);
	state->prompted = NULL;
	if (prompt != NULL && prompt[0] != '\0')
	{
		size_t		before = strlen(prompt);
		char	   *joined = MemoryContextAllocHuge(state->tokenizer->scratch.resize_context,
													before + length + 1);

		memcpy(joined, prompt, before);
		memcpy(joined + before, utf8, length);
		if (before + length > MaxAllocSize)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("text is too long")));
		length += (int) before;
		state->prompted = joined;
		utf8 = joined;
	}
	if (settings->characters > 0)
		length = bytes_of_characters(utf8, length, settings->characters);
	encoding.limit = limits->max_tokens > 0 ? TOKENIZER_LIMIT_RIGHT : TOKENIZER_LIMIT_NONE;
	encoding.max_tokens = limits->max_tokens;
	if ((uint32) limits->max_tokens == tokenizer_max_length(&state->tokenizer->tokenizer) &&
		settings->characters == 0 && limits->max_tokens > 0)
		encoding.limit = TOKENIZER_LIMIT_OWN;
	network_encode(state->tokenizer, utf8, length, &encoding, tokens);
}

/* The row of a token and its weight; NULL for one that is left out. */
static inline const float *
row_of(const StaticState *state, uint32 id, float *weight)
{
	const StaticSettings *settings = state->settings;
	int32		row;

	if ((int64) id == settings->unknown)
		return NULL;
	if (id >= (uint32) settings->tokens)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("token %u has no vector", id)));
	row = state->rows != NULL ? state->rows[id] : (int32) id;
	*weight = state->weights != NULL ? state->weights[id] : 1.0f;
	return state->matrix + (Size) row * settings->stride;
}

/* ---------- the face ---------- */

static bool
encode_text(StaticState *state, const EncoderRequest *request, const EncoderText *text,
			float *result)
{
	const StaticSettings *settings = state->settings;
	const float *rows[BLOCK_TOKENS];
	float		weights[BLOCK_TOKENS];
	TokenizerTokens tokens;
	int64		known = 0;
	double		square = 0;
	double		scale;
	int			count = 0;

	read_tokens(state, request, text, &tokens);
	memset(state->total, 0, sizeof(double) * settings->stride);
	for (uint32 i = 0; i < tokens.count; i++)
	{
		rows[count] = row_of(state, tokens.tokens[i].id, &weights[count]);
		count += rows[count] != NULL;
		if (count == 0 || (count < BLOCK_TOKENS && i + 1 < tokens.count))
			continue;
		CHECK_FOR_INTERRUPTS();
		memset(state->sum, 0, sizeof(float) * settings->stride);
		rows_sum(settings->stride, rows, weights, count, state->sum);
		for (int d = 0; d < settings->dims; d++)
			state->total[d] += state->sum[d];
		known += count;
		count = 0;
	}
	if (known == 0)
		return false;
	scale = 1.0 / known;
	for (int d = 0; d < settings->dims; d++)
	{
		state->total[d] *= scale;
		square += state->total[d] * state->total[d];
	}
	scale = settings->normalize ? 1.0 / (sqrt(square) + 1e-32) : 1.0;
	for (int d = 0; d < settings->dims; d++)
		result[d] = (float) (state->total[d] * scale);
	return true;
}

static void
encode_static(void *state, const EncoderRequest *request, int count, const EncoderText *texts,
			  float *rows, bool *known)
{
	StaticState *opened = state;

	/* checked even when there is nothing to encode */
	(void) find_prompt(opened, request->prompt);
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		known[i] = encode_text(opened, request, &texts[i],
							   rows + (Size) i * opened->settings->dims);
	}
}

static void
tokens_static(void *state, const EncoderRequest *request, const EncoderText *text,
			  EncoderReceiveToken receive, void *argument)
{
	StaticState *opened = state;
	const StaticSettings *settings = opened->settings;
	float	   *vector = palloc(sizeof(float) * settings->dims);
	TokenizerTokens tokens;

	read_tokens(opened, request, text, &tokens);
	for (uint32 i = 0; i < tokens.count; i++)
	{
		float		weight = 1;
		const float *row = row_of(opened, tokens.tokens[i].id, &weight);
		int			length;
		char	   *name = network_token_text(opened->tokenizer, &tokens, (int) i, &length);

		for (int d = 0; row != NULL && d < settings->dims; d++)
			vector[d] = row[d] * weight;
		receive(argument, (int) i + 1, name, length, row == NULL ? NULL : vector);
		pfree(name);
	}
	pfree(vector);
}

const Encoder static_encoder = {
	.poolings = poolings,
	.takes_prompts = true,
	.open = open_static,
	.encode = encode_static,
	.tokens = tokens_static
};
