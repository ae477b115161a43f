/*-------------------------------------------------------------------------
 *
 * transformer_scores.c
 *	  Heads of labels: scores of a text for classify(), and of two texts read
 *	  together for rerank() and rerank_score().
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/transformer/transformer_model.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "server/set_result.h"
#include "utils/array.h"
#include "utils/builtins.h"

EMBED_FUNCTION(rerank);
EMBED_FUNCTION(rerank_score);

/* ---------- opening ---------- */

TransformerState *
transformer_open_head(FmgrInfo *flinfo, Model *model, HeadKind kind)
{
	const ModelMethod *method = model->description->method;
	TransformerState *state = NULL;

	if (method->encoder == &transformer_encoder)
		state = transformer_open_state(flinfo, model,
									   call_site_state_of(flinfo,
														  &transformer_encoder,
														  model));
	if (state == NULL || state->settings->head_kind != (int32) kind)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("embedding model \"%s\" gives no %s",
						model->description->table_name,
						kind == HEAD_LABELS ? "scores" : "weights of terms"),
				 errdetail("It is a model of method \"%s\"%s.", method->name,
						   state != NULL ? " without such a head" : "")));
	return state;
}

static TransformerState *
open_pairs(FmgrInfo *flinfo, Model *model)
{
	TransformerState *state = transformer_open_head(flinfo, model,
													HEAD_LABELS);

	if (state->settings->outputs != 1)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("embedding model \"%s\" gives scores of %d labels, not one",
						model->description->table_name,
						state->settings->outputs),
				 errhint("Use classify() or classify_scores().")));
	if (state->pair_count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("the tokenizer of embedding model \"%s\" reads no two texts together",
						model->description->table_name)));
	return state;
}

/* ---------- the head ---------- */

static void
finish_scores(ScoreKind kind, int count, const float *x, double *scores)
{
	double		largest = x[0];
	double		sum = 0;

	for (int i = 0; i < count; i++)
		largest = Max(largest, x[i]);
	for (int i = 0; i < count; i++)
	{
		scores[i] = x[i];
		if (kind == SCORE_SIGMOID)
			scores[i] = 1 / (1 + exp(-scores[i]));
		else if (kind == SCORE_SOFTMAX)
			scores[i] = exp(x[i] - largest);
		sum += scores[i];
	}
	for (int i = 0; kind == SCORE_SOFTMAX && i < count; i++)
		scores[i] /= sum;
}

/* What is gathered, each text to "outputs" scores. */
static void
score_gathered(TransformerState *state, TransformerGathered *gathered,
			   bool types, ScoreKind kind, double *scores)
{
	const TransformerSettings *settings = state->settings;
	const VectorStep *head = state->steps + settings->step_count;
	int			hidden = state->plan.config.hidden;
	int			widest = TYPEALIGN(16, steps_widest(head,
													settings->head_count,
													hidden));
	TransformerOutput output = {(Pooling) settings->head_pooling, 0, false,
	-1};
	ProductInterrupt interrupt = transformer_interrupt();
	float	   *x;

	output.to = transformer_work(WORK_ROWS, sizeof(float) * hidden *
								 gathered->count);
	transformer_run(state, gathered->count, types, &output);
	x = transformer_work(WORK_VECTOR, sizeof(float) * 2 * widest);
	for (int i = 0; i < gathered->count; i++)
	{
		memcpy(x, output.to + (Size) i * hidden, sizeof(float) * hidden);
		(void) steps_run(head, settings->head_count, state->step_weights,
						 hidden, x, x + widest, &interrupt);
		finish_scores(kind, settings->outputs, x,
					  scores + (Size) i * settings->outputs);
	}
	memset(gathered, 0, sizeof(TransformerGathered));
}

/* ---------- one text ---------- */

static int
open_labels(FmgrInfo *flinfo, Model *model, void **state)
{
	*state = transformer_open_head(flinfo, model, HEAD_LABELS);
	return ((TransformerState *) *state)->settings->outputs;
}

static const char *
label_of(void *state, int number)
{
	const char *name = ((TransformerState *) state)->labels;

	while (number-- > 0)
		name += strlen(name) + 1;
	return pg_any_to_server(name, (int) strlen(name), PG_UTF8);
}

static void
classify_text(void *state, const EncoderText *text, double *probabilities)
{
	TransformerState *opened = state;
	TransformerGathered gathered = {0};
	TokenizerTokens tokens;
	int32	   *ids;

	transformer_read_text(opened, "", text, TOKENIZER_NO_OFFSETS, &tokens);
	if (tokens.count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a text without tokens has no label")));
	ids = transformer_gather(&gathered, tokens.count);
	for (uint32 i = 0; i < tokens.count; i++)
		ids[i] = (int32) tokens.tokens[i].id;
	score_gathered(opened, &gathered, false,
				   (ScoreKind) opened->settings->probability, probabilities);
	transformer_work_done();
}

const Classifier transformer_classifier = {
	.open = open_labels,
	.label = label_of,
	.classify = classify_text
};

/* ---------- two texts ---------- */

typedef struct TokenIds
{
	int32	   *ids;
	int			count;
} TokenIds;

/* All tokens of a text behind a prompt, none added. */
static TokenIds
read_part(TransformerState *state, const char *prompt, const text *input)
{
	TokenizerEncoding encoding = {0};
	TokenizerTokens tokens;
	TokenIds	part;
	int			length = VARSIZE_ANY_EXHDR(input);
	const char *utf8 = network_prompted_text(state->tokenizer, prompt,
											 VARDATA_ANY(input), &length);

	encoding.limit = TOKENIZER_LIMIT_NONE;
	network_encode(state->tokenizer, utf8, length, &encoding, &tokens);
	part.count = (int) tokens.count;
	part.ids = palloc_extended(sizeof(int32) * Max(tokens.count, 1),
							   MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < tokens.count; i++)
		part.ids[i] = (int32) tokens.tokens[i].id;
	return part;
}

/* The folder's default prompt comes before the first of two texts. */
static TokenIds
read_query(TransformerState *state, const text *query)
{
	return read_part(state, network_prompt(&state->prompts,
										   state->tokenizer->model, NULL),
					 query);
}

/*
 * How much of two texts is read where both are too much: the longer one gives
 * first, as the tokenizers package does it ("longest_first").
 */
static void
limit_parts(int room, int *first, int *second)
{
	int			shorter = Min(*first, *second);
	int			longer;

	if (*first + *second <= room)
		return;
	if (shorter > room)
		longer = shorter;
	else
		longer = Max(shorter, room - shorter);
	if (shorter + longer > room)
	{
		shorter = room / 2;
		longer = shorter + room % 2;
	}
	if (*first <= *second)
	{
		*first = shorter;
		*second = longer;
	}
	else
	{
		*first = longer;
		*second = shorter;
	}
}

static void
gather_pair(TransformerState *state, TransformerGathered *gathered,
			const TokenIds *query, const TokenIds *input)
{
	const NetworkLimits *limits = state->tokenizer->limits;
	const int	full[3] = {1, query->count, input->count};
	int			counts[3] = {1, query->count, input->count};
	const int32 *ids[3] = {NULL, query->ids, input->ids};
	int			added = state->pair_count - 2;
	size_t		at = gathered->tokens;
	uint8	   *types;
	int32	   *to;

	limit_parts(Max(limits->max_tokens - added, 0),
				&counts[1], &counts[2]);
	to = transformer_gather(gathered, added + counts[1] + counts[2]);
	types = transformer_work(WORK_TYPES, gathered->tokens);
	for (int i = 0; i < state->pair_count; i++)
	{
		const PairPiece *piece = &state->pair[i];
		int			count = counts[piece->part];

		if (piece->part == 0)
			*to = piece->id;
		else
			memcpy(to, ids[piece->part] +
				   (limits->cuts_left ? full[piece->part] - count : 0),
				   sizeof(int32) * count);
		memset(types + at, piece->type, count);
		to += count;
		at += count;
	}
}

/* rerank_score(model, query, input) -> float8 */
Datum
rerank_score(PG_FUNCTION_ARGS)
{
	Model	   *model = model_open(fcinfo->flinfo, PG_GETARG_OID(0), NULL);
	TransformerGathered gathered = {0};
	TransformerState *state;
	TokenIds	query;
	TokenIds	input;
	double		score;
	Datum		result;

	if (call_site_lookup(fcinfo, &result))
		return result;
	state = open_pairs(fcinfo->flinfo, model);
	query = read_query(state, PG_GETARG_TEXT_PP(1));
	input = read_part(state, "", PG_GETARG_TEXT_PP(2));
	gather_pair(state, &gathered, &query, &input);
	score_gathered(state, &gathered, true,
				   (ScoreKind) state->settings->score, &score);
	transformer_work_done();
	return call_site_store(fcinfo, Float8GetDatum(score));
}

typedef struct RankedInput
{
	double		score;
	int			position;
} RankedInput;

static int
compare_ranked(const void *left, const void *right)
{
	const RankedInput *a = left;
	const RankedInput *b = right;

	if (a->score != b->score)
		return a->score > b->score ? -1 : 1;
	return a->position < b->position ? -1 : a->position > b->position;
}

/* Scores of all inputs that are not NULL; returns how many. */
static int
rank_inputs(TransformerState *state, const TokenIds *query, int count,
			const Datum *values, const bool *nulls, RankedInput *ranked)
{
	double	   *scores = palloc(sizeof(double) * Max(count, 1));
	TransformerGathered gathered = {0};
	int			found = 0;
	int			scored = 0;

	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!nulls[i])
		{
			TokenIds	input = read_part(state, "", DatumGetTextPP(values[i]));

			gather_pair(state, &gathered, query, &input);
			ranked[found++].position = i + 1;
			pfree(input.ids);
		}
		if (gathered.count == 0 || (i + 1 < count && gathered.tokens <
									TRANSFORMER_BATCH_TOKENS))
			continue;
		score_gathered(state, &gathered, true,
					   (ScoreKind) state->settings->score, scores + scored);
		scored = found;
	}
	for (int i = 0; i < found; i++)
		ranked[i].score = scores[i];
	qsort(ranked, found, sizeof(RankedInput), compare_ranked);
	return found;
}

/* rerank(model, query, inputs) -> (position, score), the best first */
Datum
rerank(PG_FUNCTION_ARGS)
{
	Model	   *model = model_open(fcinfo->flinfo, PG_GETARG_OID(0), NULL);
	TransformerState *state = open_pairs(fcinfo->flinfo, model);
	TokenIds	query = read_query(state, PG_GETARG_TEXT_PP(1));
	struct ReturnSetInfo *set = set_result_begin(fcinfo);
	RankedInput *ranked;
	Datum	   *values;
	bool	   *nulls;
	int			count;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(2), TEXTOID, -1, false,
					  TYPALIGN_INT, &values, &nulls, &count);
	ranked = palloc(sizeof(RankedInput) * Max(count, 1));
	count = rank_inputs(state, &query, count, values, nulls, ranked);
	for (int i = 0; i < count; i++)
	{
		Datum		row[2];
		bool		none[2] = {false, false};

		row[0] = Int32GetDatum(ranked[i].position);
		row[1] = Float8GetDatum(ranked[i].score);
		set_result_add(set, row, none);
	}
	transformer_work_done();
	return (Datum) 0;
}
