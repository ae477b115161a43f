/*-------------------------------------------------------------------------
 *
 * transformer_state.c
 *	  A transformer at a call site, and the memory in which it computes.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/transformer/transformer_model.h"

#include "server/interrupts.h"
#include "utils/memutils.h"

/* What is kept between calls; MiniLM's short texts take about 3 MB. */
#define KEPT_BYTES ((Size) 16 * 1024 * 1024)

/* ---------- memory ---------- */

static struct
{
	void	   *block;			/* as it was allocated */
	void	   *data;			/* aligned */
	Size		bytes;
}			work[WORK_BUFFERS];

static MemoryContext work_context;

void *
transformer_work(TransformerBuffer buffer, Size bytes)
{
	Size		present = work[buffer].bytes;
	Size		wanted = Max(bytes, present + present / 2);
	char	   *block;
	char	   *data;

	if (bytes <= work[buffer].bytes)
		return work[buffer].data;
	if (work_context == NULL)
		work_context = AllocSetContextCreate(TopMemoryContext,
											 "embed transformer",
											 ALLOCSET_DEFAULT_SIZES);
	block = MemoryContextAllocHuge(work_context, wanted + PRODUCT_ALIGNMENT);
	data = (char *) TYPEALIGN(PRODUCT_ALIGNMENT, block);
	if (work[buffer].block != NULL)
	{
		memcpy(data, work[buffer].data, work[buffer].bytes);
		pfree(work[buffer].block);
	}
	work[buffer].block = block;
	work[buffer].data = data;
	work[buffer].bytes = wanted;
	return data;
}

void
transformer_work_done(void)
{
	Size		total = 0;

	for (int i = 0; i < WORK_BUFFERS; i++)
		total += work[i].bytes;
	if (total <= KEPT_BYTES)
		return;
	MemoryContextReset(work_context);
	memset(work, 0, sizeof(work));
}

/* ---------- opening ---------- */

pg_noreturn static void
report_damage(const Model *model)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("packed form of embedding model \"%s\" is damaged",
					model->description->table_name),
			 errhint("embed_images(clear => true) removes it, to be built again.")));
}

static void
take_image(TransformerState *state, Model *model)
{
	TransformerConfig named;
	const TransformerPlan *plan;
	Size		bytes;

	state->version = 0;
	plan = model_section(model, TRANSFORMER_SECTION_PLAN, &bytes);
	if (bytes != sizeof(TransformerPlan))
		report_damage(model);
	state->plan = *plan;
	state->settings = model_section(model, TRANSFORMER_SECTION_SETTINGS,
									&bytes);
	if (bytes != sizeof(TransformerSettings) ||
		transformer_begin(&named, state->settings->family) != TRANSFORMER_OK)
		report_damage(model);
	state->plan.config.family = named.family;
	state->steps = model_section(model, TRANSFORMER_SECTION_STEPS, &bytes);
	state->step_weights = model_section(model,
										TRANSFORMER_SECTION_STEP_WEIGHTS,
										&bytes);
	state->prompts.bytes = model_section(model, TRANSFORMER_SECTION_PROMPTS,
										 &state->prompts.size);
	state->prompts.default_prompt = state->settings->default_prompt;
	state->labels = model_section(model, TRANSFORMER_SECTION_LABELS, &bytes);
	state->pair = model_section(model, TRANSFORMER_SECTION_PAIR, &bytes);
	state->pair_count = (int) (bytes / sizeof(PairPiece));
	state->packed = model_section(model, TRANSFORMER_SECTION_WEIGHTS, &bytes);
	if (transformer_open(&state->plan, state->packed, bytes) !=
		TRANSFORMER_OK)
		report_damage(model);
	state->version = model->version;
}

TransformerState *
transformer_open_state(FmgrInfo *flinfo, Model *model, void **state)
{
	TransformerState *opened = *state;
	Size		bytes;

	if (opened == NULL)
		*state = opened = MemoryContextAllocZero(flinfo->fn_mcxt,
												 sizeof(TransformerState));
	opened->tokenizer = network_tokenizer(flinfo, model);
	if (opened->version != model->version ||
		opened->packed != model_section(model, TRANSFORMER_SECTION_WEIGHTS,
										&bytes))
		take_image(opened, model);
	return opened;
}

/* ---------- running ---------- */

ProductInterrupt
transformer_interrupt(void)
{
	ProductInterrupt interrupt = {interrupts_stop, NULL, 0};

	return interrupt;
}

const char *
transformer_read_text(TransformerState *state, const char *prompt,
					  const EncoderText *text, TokenizerOffsets offsets,
					  TokenizerTokens *tokens)
{
	NetworkTokenizer *tokenizer = state->tokenizer;
	const NetworkLimits *limits = tokenizer->limits;
	TokenizerEncoding encoding = {0};
	int			length = text->length;
	const char *utf8 = network_prompted_text(tokenizer, prompt, text->text,
											 &length);

	encoding.special_tokens = true;
	encoding.offsets = offsets;
	encoding.limit = network_limit(limits);
	encoding.max_tokens = limits->max_tokens;
	network_encode(tokenizer, utf8, length, &encoding, tokens);
	return utf8;
}

int32 *
transformer_gather(TransformerGathered *gathered, uint32 tokens)
{
	int32	   *ids = transformer_work(WORK_IDS, sizeof(int32) *
									   (gathered->tokens + tokens));
	size_t	   *offsets = transformer_work(WORK_OFFSETS, sizeof(size_t) *
										   (gathered->count + 2));

	offsets[gathered->count++] = gathered->tokens;
	ids += gathered->tokens;
	gathered->tokens += tokens;
	offsets[gathered->count] = gathered->tokens;
	return ids;
}

void
transformer_run(TransformerState *state, int texts, bool types,
				const TransformerOutput *output)
{
	const size_t *offsets = transformer_work(WORK_OFFSETS, 0);
	TransformerBatch batch = {texts};
	ProductInterrupt interrupt = transformer_interrupt();
	size_t		longest = 1;
	void	   *scratch;

	for (int i = 0; i < texts; i++)
		longest = Max(longest, offsets[i + 1] - offsets[i]);
	scratch = transformer_work(WORK_SCRATCH,
							   transformer_scratch_bytes(&state->plan,
														 longest));
	batch.offsets = offsets;
	batch.ids = transformer_work(WORK_IDS, 0);
	batch.types = types ? transformer_work(WORK_TYPES, 0) : NULL;
	if (transformer_encode(&state->plan, state->packed, &batch, output,
						   scratch, &interrupt) != TRANSFORMER_OK)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("model \"%s\" cannot encode the tokens of a text",
						state->tokenizer->model->description->table_name)));
}
