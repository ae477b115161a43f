/*-------------------------------------------------------------------------
 *
 * transformer_sparse.c
 *	  Weights of terms, from a head that gives scores of all terms at each
 *	  place of a text: embed_sparse().
 *
 * A term's weight is log(1 + relu(score)) at the place where it is largest
 * (SPLADE: Formal et al. 2021, arXiv 2109.10086).  The logarithm rises with
 * the score, so the largest score is found first, over some panels of terms at
 * a time: the scores of all terms at all places are never in memory together.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/transformer/transformer_model.h"

#include <math.h>

#include "math/layer.h"
#include "miscadmin.h"
#include "type/vector.h"
#include "utils/builtins.h"

EMBED_FUNCTION(embed_sparse);

/* Panels whose scores are computed at once */
#define PANELS 16

/* The rows of a text through the steps before the last. */
static void
transform_rows(TransformerState *state, int rows, float *x)
{
	const TransformerSettings *settings = state->settings;
	const VectorStep *head = state->steps + settings->step_count;
	int			hidden = state->plan.config.hidden;
	int			widest = TYPEALIGN(16, hidden);
	ProductInterrupt interrupt = transformer_interrupt();
	float	   *vector = transformer_work(WORK_VECTOR,
										  sizeof(float) * 2 * widest);

	for (int r = 0; r < rows; r++)
	{
		float	   *row = x + (Size) r * hidden;

		memcpy(vector, row, sizeof(float) * hidden);
		(void) steps_run(head, settings->head_count - 1, state->step_weights,
						 hidden, vector, vector + widest, &interrupt);
		memcpy(row, vector, sizeof(float) * hidden);
	}
}

/* The largest score of each term. */
static void
largest_scores(TransformerState *state, int rows, const float *x,
			   float *largest)
{
	const TransformerSettings *settings = state->settings;
	const VectorStep *last = state->steps + settings->step_count +
		settings->head_count - 1;
	const char *weights = state->step_weights;
	ProductMatrix matrix = {PRODUCT_FLOAT32, last->in, last->out,
		weights + last->weights,
	last->has_bias ? (const float *) (weights + last->bias) : NULL};
	ProductRows values = product_rows(PRODUCT_FLOAT32, last->in, rows, x,
									  last->in, NULL);
	ProductInterrupt interrupt = transformer_interrupt();
	int			columns = product_panel_columns(PRODUCT_FLOAT32);
	int			panels = (last->out + columns - 1) / columns;
	float	   *scores = transformer_work(WORK_SCRATCH, sizeof(float) * rows *
										  columns * PANELS);

	for (int first = 0; first < panels; first += PANELS)
	{
		int			some = Min(PANELS, panels - first);
		int			begin = first * columns;
		int			count = Min(some * columns, last->out - begin);
		ProductResult result = {scores, columns * PANELS, ACTIVATION_NONE,
		PRODUCT_STORE};

		CHECK_FOR_INTERRUPTS();
		(void) product_of_panels(&matrix, first, some, &values, &result,
								 &interrupt);
		memcpy(largest + begin, scores, sizeof(float) * count);
		for (int r = 1; r < rows; r++)
			layer->maximum(count, scores + (Size) r * columns * PANELS,
						   largest + begin);
	}
}

static SparseVector *
weights_of_scores(int terms, const float *largest)
{
	SparseVector *result;
	int			count = 0;
	int			at = 0;

	for (int i = 0; i < terms; i++)
		count += largest[i] > 0;
	result = sparsevec_create(terms, count);
	for (int i = 0; i < terms; i++)
	{
		if (!(largest[i] > 0))
			continue;
		if (!isfinite(largest[i]))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("value out of range: overflow")));
		result->index[at] = i;
		SPARSEVEC_VALUES(result)[at++] = log1pf(largest[i]);
	}
	return result;
}

/* embed_sparse(model, input, prompt) -> sparsevec */
Datum
embed_sparse(PG_FUNCTION_ARGS)
{
	TransformerOutput output = {POOLING_NONE, 0, false, -1};
	TransformerGathered gathered = {0};
	TransformerState *state;
	TokenizerTokens tokens;
	EncoderText input;
	const char *prompt;
	Model	   *model;
	float	   *largest;
	int32	   *ids;
	int			rows;
	Datum		result = (Datum) 0;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	model = model_open(fcinfo->flinfo, PG_GETARG_OID(0), NULL);
	if (call_site_lookup(fcinfo, &result))
		return result;
	state = transformer_open_head(fcinfo->flinfo, model, HEAD_TERMS);
	prompt = network_prompt(&state->prompts, model, PG_ARGISNULL(2) ? NULL :
							text_to_cstring(PG_GETARG_TEXT_PP(2)));
	input.text = VARDATA_ANY(PG_GETARG_TEXT_PP(1));
	input.length = VARSIZE_ANY_EXHDR(PG_GETARG_TEXT_PP(1));
	transformer_read_text(state, prompt, &input, TOKENIZER_NO_OFFSETS,
						  &tokens);
	rows = (int) tokens.count;
	fcinfo->isnull = rows == 0;
	if (rows > 0)
	{
		ids = transformer_gather(&gathered, tokens.count);
		for (int i = 0; i < rows; i++)
			ids[i] = (int32) tokens.tokens[i].id;
		output.to = transformer_work(WORK_ROWS, sizeof(float) * rows *
									 state->plan.config.hidden);
		transformer_run(state, 1, false, &output);
		transform_rows(state, rows, output.to);
		largest = palloc(sizeof(float) * state->settings->outputs);
		largest_scores(state, rows, output.to, largest);
		result = PointerGetDatum(weights_of_scores(state->settings->outputs,
												   largest));
		transformer_work_done();
	}
	return call_site_store(fcinfo, result);
}
