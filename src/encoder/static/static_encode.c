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
#include "encoder/static/static_precision.h"

#include <math.h>

#include "math/rows.h"
#include "miscadmin.h"
#include "model/tunable.h"
#include "utils/memutils.h"

/*
 * Rows are summed as floats, one after the other, as the references do with
 * all of them: so vectors of texts up to this length are theirs to the last
 * digits.  Sums of these are doubles, which a longer text needs.
 */
#define BLOCK_TOKENS 512

/* So many rows of fewer bits are made floats at a time, within a cache. */
#define WIDE_ROWS 32

/* Rows that are fetched from memory before their turn. */
#define AHEAD 8
#define CACHE_LINE 64

static const char *const poolings[] = {"mean", NULL};
static const char *const units[] = {"piece", NULL};

typedef struct StaticState
{
	NetworkTokenizer *tokenizer;
	const StaticSettings *settings;
	const char *matrix;
	Size		row_bytes;
	const float *scales;		/* of rows, or NULL */
	const float *weights;		/* or NULL */
	const int32 *rows;			/* or NULL */
	NetworkPrompts prompts;

	/* for the present dimensions */
	int			stride;
	float	   *sum;
	double	   *total;
	float	   *wide;			/* WIDE_ROWS rows, for fewer bits */
} StaticState;

static const void *
section_or_null(const Model *model, int section)
{
	Size		bytes;
	const void *data = model_section(model, section, &bytes);

	return bytes == 0 ? NULL : data;
}

/* Room for sums and rows of these dimensions, in one piece. */
static void
make_room(FmgrInfo *flinfo, StaticState *state, int stride)
{
	if (state->stride == stride)
		return;
	state->stride = 0;
	if (state->total != NULL)
		pfree(state->total);
	state->total = NULL;
	state->total = MemoryContextAlloc(flinfo->fn_mcxt, (Size) stride *
									  (sizeof(double) + sizeof(float) *
									   (1 + WIDE_ROWS)));
	state->sum = (float *) (state->total + stride);
	state->wide = state->sum + stride;
	state->stride = stride;
}

static int
open_static(FmgrInfo *flinfo, Model *model, void **state)
{
	StaticState *opened = *state;
	Size		bytes;

	if (opened == NULL)
		*state = opened = MemoryContextAllocZero(flinfo->fn_mcxt,
												 sizeof(StaticState));
	opened->tokenizer = network_tokenizer(flinfo, model);
	opened->settings = model_section(model, STATIC_SECTION_SETTINGS, &bytes);
	opened->matrix = model_section(model, STATIC_SECTION_MATRIX, &bytes);
	opened->row_bytes = (Size) opened->settings->stride *
		static_element_bytes(opened->settings->precision);
	opened->scales = section_or_null(model, STATIC_SECTION_SCALES);
	opened->weights = section_or_null(model, STATIC_SECTION_WEIGHTS);
	opened->rows = section_or_null(model, STATIC_SECTION_ROWS);
	opened->prompts.bytes = model_section(model, STATIC_SECTION_PROMPTS,
										  &opened->prompts.size);
	opened->prompts.default_prompt = opened->settings->default_prompt;
	make_room(flinfo, opened, opened->settings->stride);
	return opened->settings->dims;
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
read_tokens(StaticState *state, const EncoderRequest *request,
			const EncoderText *text, TokenizerTokens *tokens)
{
	const StaticSettings *settings = state->settings;
	const NetworkLimits *limits = state->tokenizer->limits;
	const char *prompt = network_prompt(&state->prompts,
										state->tokenizer->model,
										request->prompt);
	TokenizerEncoding encoding = {0};
	int			length = text->length;
	const char *utf8 = network_prompted_text(state->tokenizer, prompt,
											 text->text, &length);

	if (settings->characters > 0)
		length = bytes_of_characters(utf8, length, settings->characters);
	encoding.limit = limits->max_tokens > 0 ? network_limit(limits)
											: TOKENIZER_LIMIT_NONE;
	encoding.max_tokens = limits->max_tokens;
	network_encode(state->tokenizer, utf8, length, &encoding, tokens);
}

/*
 * The row of a token and what it is to be multiplied with; NULL for one that
 * is left out.
 */
static inline const void *
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
	if (state->scales != NULL)
		*weight *= state->scales[row];
	return state->matrix + (Size) row * state->row_bytes;
}

static inline void
fetch(const char *row, Size bytes)
{
	for (Size at = 0; at < bytes; at += CACHE_LINE)
		__builtin_prefetch(row + at);
}

/* Adds rows of the matrix, times their weights, to state->sum. */
static void
sum_rows(StaticState *state, const void *const *rows, const float *weights,
		 int count)
{
	int			stride = state->settings->stride;
	StaticPrecision precision = state->settings->precision;
	const float *wide[WIDE_ROWS];

	if (precision == STATIC_FLOAT32)
	{
		rows_sum(stride, (const float *const *) rows, weights, count,
				 state->sum);
		return;
	}
	for (int i = 0; i < count; i += WIDE_ROWS)
	{
		int			some = Min(count - i, WIDE_ROWS);

		for (int k = 0; k < some; k++)
		{
			float	   *row = state->wide + (Size) k * stride;

			if (i + k + AHEAD < count)
				fetch(rows[i + k + AHEAD], state->row_bytes);
			static_widen(precision, stride, rows[i + k], row);
			wide[k] = row;
		}
		rows_sum(stride, wide, weights + i, some, state->sum);
	}
}

/* ---------- the face ---------- */

static bool
encode_text(StaticState *state, const EncoderRequest *request,
			const EncoderText *text, float *result)
{
	const StaticSettings *settings = state->settings;
	const void *rows[BLOCK_TOKENS];
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
		sum_rows(state, rows, weights, count);
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
encode_static(void *state, const EncoderRequest *request, int count,
			  const EncoderText *texts, float *rows, bool *known)
{
	StaticState *opened = state;

	/* checked even when there is nothing to encode */
	(void) network_prompt(&opened->prompts, opened->tokenizer->model,
						  request->prompt);
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		known[i] = encode_text(opened, request, &texts[i],
							   rows + (Size) i * opened->settings->dims);
	}
}

static void
tokens_static(void *state, const EncoderRequest *request,
			  const EncoderText *text, EncoderReceiveToken receive,
			  void *argument)
{
	StaticState *opened = state;
	const StaticSettings *settings = opened->settings;
	float	   *vector = palloc(sizeof(float) * settings->stride);
	TokenizerTokens tokens;

	read_tokens(opened, request, text, &tokens);
	for (uint32 i = 0; i < tokens.count; i++)
	{
		float		weight = 1;
		const void *row = row_of(opened, tokens.tokens[i].id, &weight);
		int			length;
		char	   *name = network_token_text(opened->tokenizer, &tokens,
											  (int) i, &length);

		if (row != NULL)
			static_widen(settings->precision, settings->stride, row, vector);
		for (int d = 0; row != NULL && d < settings->dims; d++)
			vector[d] *= weight;
		receive(argument, (int) i + 1, name, length,
				row == NULL ? NULL : vector);
		pfree(name);
	}
	pfree(vector);
}

/* ---------- tuning ---------- */

bool
static_has_weights(void *state)
{
	return ((StaticState *) state)->weights != NULL;
}

bool
static_tokens(void *state, const EncoderText *text, TuneReceiveToken receive,
			  void *argument)
{
	static const EncoderRequest as_the_model_says = {0};
	StaticState *opened = state;
	TokenizerTokens tokens;
	float		weight;
	int			known = 0;

	read_tokens(opened, &as_the_model_says, text, &tokens);
	for (uint32 i = 0; i < tokens.count; i++)
		known += row_of(opened, tokens.tokens[i].id, &weight) != NULL;
	for (uint32 i = 0; i < tokens.count; i++)
	{
		uint32		id = tokens.tokens[i].id;

		if (row_of(opened, id, &weight) == NULL)
			continue;
		weight = opened->weights != NULL ? opened->weights[id] : 1;
		receive(argument, opened->rows != NULL ? opened->rows[id] : (int64) id,
				1.0f / known, id, weight);
	}
	return known > 0;
}

/* Whoever receives rows, for whom weights stay as they are */
typedef struct RowReceiver
{
	TuneReceiveRow receive;
	void	   *argument;
} RowReceiver;

static void
receive_row(void *argument, int64 row, float share, int64 token, float weight)
{
	RowReceiver *receiver = argument;

	receiver->receive(receiver->argument, row, weight * share);
}

bool
static_features(void *state, const EncoderText *text, TuneReceiveRow receive,
				void *argument)
{
	RowReceiver receiver = {receive, argument};

	return static_tokens(state, text, receive_row, &receiver);
}

void
static_row(void *state, int64 row, float *values)
{
	const StaticState *opened = state;
	const StaticSettings *settings = opened->settings;
	float	   *wide = opened->wide;

	static_widen(settings->precision, settings->stride,
				 opened->matrix + (Size) row * opened->row_bytes, wide);
	for (int d = 0; d < settings->dims; d++)
		values[d] = opened->scales != NULL ? wide[d] * opened->scales[row] :
			wide[d];
}

bool
static_normalizes(void *state)
{
	return ((const StaticState *) state)->settings->normalize != 0;
}

const Encoder static_encoder = {
	.poolings = poolings,
	.takes_prompts = true,
	.units = units,
	.open = open_static,
	.encode = encode_static,
	.tokens = tokens_static
};
