/*-------------------------------------------------------------------------
 *
 * transformer_texts.c
 *	  From texts to their vectors.
 *
 * Tokens of several texts go through the network together, one after the
 * other without padding.  A text's vector does not depend on its neighbours,
 * bit for bit (src/network).
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/transformer/transformer_model.h"

#include "miscadmin.h"

static const char *const poolings[] = {
	"cls", "mean", "max", "mean_sqrt_len_tokens", "weightedmean",
	"lasttoken", NULL
};

static int
open_transformer(FmgrInfo *flinfo, Model *model, void **state)
{
	return transformer_open_state(flinfo, model, state)->settings->dims;
}

/* ---------- what a call asks for ---------- */

typedef struct TextRequest
{
	const char *prompt;
	int			skip;			/* tokens of it that a mean leaves out */
	int			pooling_count;
	int32		poolings[FOLDER_MAX_POOLINGS];
} TextRequest;

/*
 * Tokens of the prompt alone, without a special one at the end: as
 * sentence-transformers counts them.
 */
static int
count_prompt(TransformerState *state, const char *prompt)
{
	EncoderText nothing = {"", 0};
	TokenizerTokens tokens;
	int			count;

	transformer_read_text(state, prompt, &nothing, TOKENIZER_NO_OFFSETS,
						  &tokens);
	count = (int) tokens.count;
	if (count > 0 && tokenizer_is_special(&state->tokenizer->tokenizer,
										  tokens.tokens[count - 1].id))
		count--;
	return count;
}

static void
read_request(TransformerState *state, const EncoderRequest *request,
			 TextRequest *read)
{
	const TransformerSettings *settings = state->settings;

	read->prompt = network_prompt(&state->prompts, state->tokenizer->model,
								  request->prompt);
	read->skip = 0;
	if (!settings->include_prompt && read->prompt[0] != '\0')
		read->skip = count_prompt(state, read->prompt);
	read->pooling_count = settings->pooling_count;
	memcpy(read->poolings, settings->poolings, sizeof(read->poolings));
	if (request->pooling == NULL)
		return;
	if (settings->pooling_count != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model \"%s\" puts the results of %d poolings side by side",
						state->tokenizer->model->description->table_name,
						settings->pooling_count),
				 errhint("Leave pooling out.")));
	read->poolings[0] = pooling_of_name(request->pooling);
}

/* ---------- batches ---------- */

typedef struct Gathered
{
	TransformerGathered texts;
	int			places[TRANSFORMER_BATCH_TOKENS];	/* of their rows */
} Gathered;

static void
gather_text(TransformerState *state, Gathered *gathered,
			const TextRequest *request, const EncoderText *text, int place)
{
	TokenizerTokens tokens;
	int32	   *ids;

	transformer_read_text(state, request->prompt, text, TOKENIZER_NO_OFFSETS,
						  &tokens);
	if (tokens.count <= (uint32) request->skip)
		return;
	gathered->places[gathered->texts.count] = place;
	ids = transformer_gather(&gathered->texts, tokens.count);
	for (uint32 i = 0; i < tokens.count; i++)
		ids[i] = (int32) tokens.tokens[i].id;
}

/* Rows of so many tokens' vectors become one row, pooled in several ways. */
static void
pool_text(const TextRequest *request, int hidden, int tokens,
		  const float *from, float *to)
{
	for (int i = 0; i < request->pooling_count; i++)
		pooling_of_rows((Pooling) request->poolings[i], hidden, tokens,
						request->skip, from, hidden, to + (Size) i * hidden);
}

/* The chain after pooling, then to the caller's row. */
static void
finish_text(TransformerState *state, int pooled, const float *from, float *to)
{
	const TransformerSettings *settings = state->settings;
	int			widest = TYPEALIGN(16, steps_widest(state->steps,
													settings->step_count,
													pooled));
	float	   *x = transformer_work(WORK_VECTOR, sizeof(float) * 2 * widest);
	ProductInterrupt interrupt = transformer_interrupt();

	memcpy(x, from, sizeof(float) * pooled);
	(void) steps_run(state->steps, settings->step_count, state->step_weights,
					 pooled, x, x + widest, &interrupt);
	memcpy(to, x, sizeof(float) * settings->dims);
}

/* The network takes a first token for the text's, not for the prompt's. */
static bool
pools_in_network(const TextRequest *request)
{
	return request->pooling_count == 1 &&
		   (request->skip == 0 || request->poolings[0] != POOLING_CLS);
}

static void
encode_gathered(TransformerState *state, const TextRequest *request,
				Gathered *gathered, float *rows)
{
	int			hidden = state->plan.config.hidden;
	int			pooled = hidden * request->pooling_count;
	bool		together = pools_in_network(request);
	const size_t *offsets = transformer_work(WORK_OFFSETS, 0);
	Size		given = together ? (Size) gathered->texts.count :
		gathered->texts.tokens;
	TransformerOutput output = {POOLING_NONE, request->skip, false, -1};
	float	   *line;

	/* behind what the network gives there is room for one text's poolings */
	output.to = transformer_work(WORK_ROWS,
								 sizeof(float) * (given * hidden + pooled));
	line = output.to + given * hidden;
	if (together)
		output.pooling = (Pooling) request->poolings[0];
	transformer_run(state, gathered->texts.count, false, &output);
	for (int i = 0; i < gathered->texts.count; i++)
	{
		const float *from = output.to + (Size) i * hidden;

		if (!together)
		{
			pool_text(request, hidden, (int) (offsets[i + 1] - offsets[i]),
					  output.to + offsets[i] * hidden, line);
			from = line;
		}
		finish_text(state, pooled, from, rows + (Size) gathered->places[i] *
					state->settings->dims);
	}
	memset(&gathered->texts, 0, sizeof(TransformerGathered));
}

static void
encode_transformer(void *state, const EncoderRequest *request, int count,
				   const EncoderText *texts, float *rows, bool *known)
{
	TransformerState *opened = state;
	Gathered	gathered = {0};
	TextRequest read;

	if (opened->settings->pooling_count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("model \"%s\" makes no dense vectors of texts",
						opened->tokenizer->model->description->table_name),
				 errhint(opened->settings->head_kind == HEAD_TERMS ?
						 "Use embed_sparse()." :
						 "Use rerank(), rerank_score() or classify().")));
	read_request(opened, request, &read);
	for (int i = 0; i < count; i++)
	{
		int			before = gathered.texts.count;

		CHECK_FOR_INTERRUPTS();
		gather_text(opened, &gathered, &read, &texts[i], i);
		known[i] = gathered.texts.count > before;
		if (gathered.texts.count > 0 &&
			(gathered.texts.tokens >= TRANSFORMER_BATCH_TOKENS ||
			 i + 1 == count))
			encode_gathered(opened, &read, &gathered, rows);
	}
	transformer_work_done();
}

const Encoder transformer_encoder = {
	.poolings = poolings,
	.takes_prompts = true,
	.units = transformer_units,
	.takes_layers = true,
	.open = open_transformer,
	.encode = encode_transformer,
	.token_dims = transformer_token_dims,
	.tokens = transformer_tokens
};
