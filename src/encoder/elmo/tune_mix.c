/*-------------------------------------------------------------------------
 *
 * tune_mix.c
 *	  SQL function tune_mix: the weights of an ELMo's layers, learned.
 *
 * A text's vector is linear in its layers, unless it is the largest of each
 * dimension: gamma times the sum of softmax(s)_k times the pooled layer k
 * (Peters et al. 2018, equation 1).  So layers are computed once for each
 * example, and s, gamma and a linear head are what minimizes the loss of the
 * examples, by L-BFGS; the head is thrown away.
 *
 *	classification	softmax over labels of W x + b, with |W|^2 as penalty
 *	similarity		(a cosine(x, y) + b - score)^2; gamma does not matter
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/elmo/elmo_model.h"

#include <float.h>
#include <math.h>

#include "catalog/pg_type.h"
#include "math/lbfgs.h"
#include "miscadmin.h"
#include "server/arguments.h"
#include "server/extension.h"
#include "server/query.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

EMBED_FUNCTION(tune_mix);
extern Datum set_model_option(PG_FUNCTION_ARGS);

#define MOST_LABELS 1000
#define MOST_ITERATIONS 500
#define TOLERANCE 1e-5

/* Weight of the penalty beside the mean loss; one example has this much. */
#define PENALTY 1.0

/* A cosine of vectors shorter than this is that of this length. */
#define SHORTEST 1e-12

static const char *const tasks[] = {"classification", "similarity", NULL};

typedef struct Tuning
{
	bool		similarity;
	int			layers;			/* that of the words with them */
	int			dims;
	int			labels;

	/* examples: one or two texts each, their layers one after the other */
	int64		count;
	int64		capacity;
	float	   *rows;
	double	   *wanted;			/* a score, or the number of a label */

	/* of an evaluation */
	double		share[ELMO_MOST_MIXED];	/* softmax(s) */
	double	   *x;				/* mixed, gamma not in it */
	double	   *y;
	double	   *dx;				/* gradients of them */
	double	   *dy;
	double	   *scores;
} Tuning;

/* ---------- examples ---------- */

static const QueryColumn class_columns[] = {
	{.name = "text", .kinds = QUERY_TEXT, .nulls = QUERY_NULL_SKIP},
	{.name = "label", .kinds = QUERY_LABEL, .nulls = QUERY_NULL_SKIP}
};

static const QueryColumn pair_columns[] = {
	{.name = "text", .kinds = QUERY_TEXT, .nulls = QUERY_NULL_SKIP},
	{.name = "other text", .kinds = QUERY_TEXT, .nulls = QUERY_NULL_SKIP},
	{.name = "score", .kinds = QUERY_SCORE, .nulls = QUERY_NULL_SKIP}
};

static const QueryDeclaration class_examples = {
	.subject = "example list",
	.columns = class_columns,
	.column_count = lengthof(class_columns),
	.hint = "Examples of a classification are a query such as 'SELECT body, topic FROM articles'.",
	.shape = "the first is the text, the second its label"
};

static const QueryDeclaration pair_examples = {
	.subject = "example list",
	.columns = pair_columns,
	.column_count = lengthof(pair_columns),
	.hint = "Examples of similarity are a query such as 'SELECT one, other, score FROM pairs'.",
	.shape = "the first two are texts, the third says how similar they are"
};

typedef struct Label
{
	char		text[64];
	int			number;
} Label;

static int
number_of_label(Tuning *tuning, HTAB *labels, const QueryValue *value)
{
	char		key[64] = {0};
	Label	   *label;
	bool		found;

	if (value->length >= (int) sizeof(key))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a label is too long"),
				 errdetail("It has %d bytes, the most are %d.", value->length,
						   (int) sizeof(key) - 1)));
	memcpy(key, value->text, value->length);
	label = hash_search(labels, key, HASH_ENTER, &found);
	if (!found)
		label->number = tuning->labels++;
	if (tuning->labels > MOST_LABELS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many labels"),
				 errdetail("There are more than %d.", MOST_LABELS)));
	return label->number;
}

/* Numbers of an example. */
static Size
example_floats(const Tuning *tuning)
{
	return (Size) (tuning->similarity ? 2 : 1) * tuning->layers *
		tuning->dims;
}

static void
make_room(Tuning *tuning)
{
	Size		bytes = sizeof(float) * example_floats(tuning) +
		sizeof(double);

	if (tuning->count < tuning->capacity)
		return;
	tuning->capacity *= 2;
	if (bytes * tuning->capacity > (Size) maintenance_work_mem * 1024)
		tuning->capacity = (Size) maintenance_work_mem * 1024 / bytes;
	if (tuning->count >= tuning->capacity)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("the examples need more than maintenance_work_mem"),
				 errdetail("Each needs %zu bytes, and there are more than " INT64_FORMAT ".",
						   bytes, tuning->count),
				 errhint("Raise maintenance_work_mem, or take fewer examples: some thousands are enough for a few weights.")));
	tuning->rows = repalloc_huge(tuning->rows, sizeof(float) *
								 example_floats(tuning) * tuning->capacity);
	tuning->wanted = repalloc_huge(tuning->wanted, sizeof(double) *
								   tuning->capacity);
}

/* All layers of a text, pooled; false: it has no word. */
bool
elmo_pooled_layers(ElmoSite *site, const EncoderText *text, float *to)
{
	bool		known = true;

	for (int layer = 0; known && layer <= site->elmo.layers; layer++)
	{
		ElmoMixRequest request = {&layer, 1};
		double		one = 1;
		ElmoMix		mix;

		request.gamma = &one;
		elmo_mix(site, &request, &mix);
		elmo_embed_texts(site, &mix, site->pooling, 1, text,
						 to + (Size) layer * site->elmo.dims, &known);
	}
	return known;
}

static bool
read_layers(ElmoSite *site, const QueryValue *value, float *to)
{
	EncoderText text = {value->text, value->length};

	return elmo_pooled_layers(site, &text, to);
}

static void
read_examples(Tuning *tuning, ElmoSite *site, const char *query)
{
	QueryReader *reader = query_open(tuning->similarity ? &pair_examples :
									 &class_examples, query);
	HASHCTL		control = {0};
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext,
											   "embed tune_mix",
											   ALLOCSET_DEFAULT_SIZES);
	HTAB	   *labels;

	control.keysize = sizeof(((Label *) NULL)->text);
	control.entrysize = sizeof(Label);
	labels = hash_create("embed tune_mix labels", 64, &control,
						 HASH_ELEM | HASH_BLOBS);
	while (query_next(reader))
	{
		MemoryContext caller;
		bool		known = true;

		make_room(tuning);
		caller = MemoryContextSwitchTo(work);
		for (int t = 0; known && t < (tuning->similarity ? 2 : 1); t++)
			known = read_layers(site, query_value(reader, t),
								tuning->rows + tuning->count *
								example_floats(tuning) +
								(Size) t * tuning->layers * tuning->dims);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(work);
		if (!known)
			continue;
		tuning->wanted[tuning->count] = tuning->similarity ?
			query_value(reader, 2)->number :
			number_of_label(tuning, labels, query_value(reader, 1));
		tuning->count++;
	}
	query_close(reader);
	hash_destroy(labels);
}

/* ---------- the loss ---------- */

/* x = sum of share_k times layer k */
static void
mix_layers(const Tuning *tuning, const float *rows, double *x)
{
	memset(x, 0, sizeof(double) * tuning->dims);
	for (int k = 0; k < tuning->layers; k++)
	{
		for (int d = 0; d < tuning->dims; d++)
			x[d] += tuning->share[k] * rows[(Size) k * tuning->dims + d];
	}
}

/* What dx says of the shares of the layers. */
static void
add_share_gradient(const Tuning *tuning, const float *rows, const double *dx,
				   double *gradient)
{
	for (int k = 0; k < tuning->layers; k++)
	{
		for (int d = 0; d < tuning->dims; d++)
			gradient[k] += dx[d] * rows[(Size) k * tuning->dims + d];
	}
}

static double
inner(int dims, const double *x, const double *y)
{
	double		sum = 0;

	for (int d = 0; d < dims; d++)
		sum += x[d] * y[d];
	return sum;
}

/*
 * variables: s of each layer, gamma, then W and b of each label.  dx: that of
 * the mix.
 */
static double
class_loss(Tuning *tuning, int64 example, const double *variables,
		   double *gradient)
{
	int			dims = tuning->dims;
	double		gamma = variables[tuning->layers];
	const double *head = variables + tuning->layers + 1;
	double	   *dhead = gradient + tuning->layers + 1;
	int			label = (int) tuning->wanted[example];
	double		largest = -DBL_MAX;
	double		sum = 0;
	double		loss;

	for (int c = 0; c < tuning->labels; c++)
	{
		const double *w = head + (Size) c * (dims + 1);

		tuning->scores[c] = gamma * inner(dims, w, tuning->x) + w[dims];
		largest = Max(largest, tuning->scores[c]);
	}
	loss = largest - tuning->scores[label];
	for (int c = 0; c < tuning->labels; c++)
		sum += tuning->scores[c] = exp(tuning->scores[c] - largest);
	memset(tuning->dx, 0, sizeof(double) * dims);
	for (int c = 0; c < tuning->labels; c++)
	{
		const double *w = head + (Size) c * (dims + 1);
		double	   *dw = dhead + (Size) c * (dims + 1);
		double		change = tuning->scores[c] / sum - (c == label);

		gradient[tuning->layers] += change * inner(dims, w, tuning->x);
		for (int d = 0; d < dims; d++)
		{
			tuning->dx[d] += change * gamma * w[d];
			dw[d] += change * gamma * tuning->x[d];
		}
		dw[dims] += change;
	}
	return loss + log(sum);
}

/* variables: s of each layer, a, b.  dx and dy: those of the two mixes. */
static double
pair_loss(Tuning *tuning, int64 example, const double *variables,
		  double *gradient)
{
	int			dims = tuning->dims;
	double		a = variables[tuning->layers];
	double		b = variables[tuning->layers + 1];
	double		x = Max(sqrt(inner(dims, tuning->x, tuning->x)), SHORTEST);
	double		y = Max(sqrt(inner(dims, tuning->y, tuning->y)), SHORTEST);
	double		cosine = inner(dims, tuning->x, tuning->y) / (x * y);
	double		rest = a * cosine + b - tuning->wanted[example];

	for (int d = 0; d < dims; d++)
	{
		tuning->dx[d] = 2 * rest * a *
			(tuning->y[d] / (x * y) - cosine * tuning->x[d] / (x * x));
		tuning->dy[d] = 2 * rest * a *
			(tuning->x[d] / (x * y) - cosine * tuning->y[d] / (y * y));
	}
	gradient[tuning->layers] += 2 * rest * cosine;
	gradient[tuning->layers + 1] += 2 * rest;
	return rest * rest;
}

static void
set_shares(Tuning *tuning, const double *s)
{
	double		largest = s[0];
	double		sum = 0;

	for (int k = 1; k < tuning->layers; k++)
		largest = Max(largest, s[k]);
	for (int k = 0; k < tuning->layers; k++)
		sum += tuning->share[k] = exp(s[k] - largest);
	for (int k = 0; k < tuning->layers; k++)
		tuning->share[k] /= sum;
}

/* From gradients of the shares to those of s. */
static void
share_gradients(const Tuning *tuning, double *gradient)
{
	double		mean = 0;

	for (int k = 0; k < tuning->layers; k++)
		mean += tuning->share[k] * gradient[k];
	for (int k = 0; k < tuning->layers; k++)
		gradient[k] = tuning->share[k] * (gradient[k] - mean);
}

static int64
count_variables(const Tuning *tuning)
{
	return tuning->similarity ? tuning->layers + 2 :
		tuning->layers + 1 + (int64) tuning->labels * (tuning->dims + 1);
}

/* Small weights are preferred: s, gamma - 1, the head without its biases. */
static double
penalty(const Tuning *tuning, const double *variables, double *gradient)
{
	int64		count = count_variables(tuning);
	int			first = tuning->layers + 1;
	double		sum = 0;

	for (int64 i = 0; i < count; i++)
	{
		double		value = variables[i];

		if (tuning->similarity && i >= tuning->layers)
			break;
		if (i >= first && (i - first) % (tuning->dims + 1) == tuning->dims)
			continue;
		if (i == tuning->layers)
			value -= 1;
		sum += value * value;
		gradient[i] += PENALTY * value / tuning->count;
	}
	return PENALTY * sum / 2 / tuning->count;
}

static double
objective(void *argument, const double *variables, double *gradient)
{
	Tuning	   *tuning = argument;
	int64		count = count_variables(tuning);
	double		loss = 0;

	set_shares(tuning, variables);
	memset(gradient, 0, sizeof(double) * count);
	for (int64 e = 0; e < tuning->count; e++)
	{
		const float *rows = tuning->rows + e * example_floats(tuning);
		const float *others = rows + (Size) tuning->layers * tuning->dims;

		if (e % 64 == 0)
			CHECK_FOR_INTERRUPTS();
		mix_layers(tuning, rows, tuning->x);
		if (tuning->similarity)
		{
			mix_layers(tuning, others, tuning->y);
			loss += pair_loss(tuning, e, variables, gradient);
			add_share_gradient(tuning, others, tuning->dy, gradient);
		}
		else
			loss += class_loss(tuning, e, variables, gradient);
		add_share_gradient(tuning, rows, tuning->dx, gradient);
	}
	for (int64 i = 0; i < count; i++)
		gradient[i] /= tuning->count;
	share_gradients(tuning, gradient);
	return loss / tuning->count + penalty(tuning, variables, gradient);
}

/* ---------- all of it ---------- */

/* Nothing tells then which of the examples are more alike. */
static void
check_scores(const Tuning *tuning)
{
	for (int i = 1; i < tuning->count; i++)
		if (tuning->wanted[i] != tuning->wanted[0])
			return;
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("all examples have the same score"),
			 errdetail(INT64_FORMAT " examples have score %g.", tuning->count,
					   tuning->wanted[0])));
}

static void
check_examples(const Tuning *tuning)
{
	if (tuning->count < 2 || (!tuning->similarity && tuning->labels < 2))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("too few examples"),
				 tuning->similarity ?
				 errdetail("There must be two at the least, with a score each.") :
				 errdetail("There must be two labels at the least, of texts with words.")));
	if (tuning->similarity)
		check_scores(tuning);
}

static void
set_option(Oid model, const char *name, const char *value)
{
	DirectFunctionCall3(set_model_option, ObjectIdGetDatum(model),
						PointerGetDatum(cstring_to_text(name)),
						PointerGetDatum(cstring_to_text(value)));
}

/* The options of the model, and what the caller is told. */
static Datum
keep_mix(Oid model, const Tuning *tuning, const double *variables)
{
	StringInfoData weights;
	Datum		values[ELMO_MOST_MIXED];

	initStringInfo(&weights);
	for (int k = 0; k < tuning->layers; k++)
	{
		appendStringInfo(&weights, "%s%s", k > 0 ? ", " : "",
						 float8out_internal(variables[k]));
		values[k] = Float8GetDatum(variables[k]);
	}
	set_option(model, "layer_weights", weights.data);
	set_option(model, "gamma", tuning->similarity ? "1" :
			   float8out_internal(variables[tuning->layers]));
	return PointerGetDatum(construct_array(values, tuning->layers, FLOAT8OID,
										   sizeof(float8), FLOAT8PASSBYVAL,
										   TYPALIGN_DOUBLE));
}

void
elmo_check_mix(const ElmoSite *site)
{
	if (strcmp(site->pooling, "max") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a mix cannot be learned with pooling \"max\""),
				 errhint("Set the model's pooling to mean or first_last.")));
}

static void
begin_tuning(Tuning *tuning, const ElmoSite *site)
{
	elmo_check_mix(site);
	tuning->layers = site->elmo.layers + 1;
	tuning->dims = site->elmo.dims;
	tuning->capacity = 64;
	tuning->rows = palloc(sizeof(float) * example_floats(tuning) *
						  tuning->capacity);
	tuning->wanted = palloc(sizeof(double) * tuning->capacity);
}

static double *
minimize(Tuning *tuning)
{
	int64		count;
	double	   *variables;
	LbfgsResult result;
	Size		row = sizeof(double) * tuning->dims;

	tuning->x = palloc(row);
	tuning->y = palloc(row);
	tuning->dx = palloc(row);
	tuning->dy = palloc(row);
	tuning->scores = palloc(sizeof(double) * (tuning->labels + 1));
	count = count_variables(tuning);
	variables = palloc_extended(sizeof(double) * count,
								MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	variables[tuning->layers] = 1;
	lbfgs_minimize(count, LBFGS_LEAST_PAIRS, variables, objective, tuning,
				   NULL, 0, TOLERANCE, MOST_ITERATIONS,
				   palloc_extended(lbfgs_bytes(count, LBFGS_LEAST_PAIRS),
								   MCXT_ALLOC_HUGE),
				   &result);
	return variables;
}

/* tune_mix(model regclass, examples text, task text) -> float8[] */
Datum
tune_mix(PG_FUNCTION_ARGS)
{
	Tuning		tuning = {0};
	Model	   *model;
	ElmoSite   *site;
	Oid			table;

	argument_require(fcinfo, 0, "model");
	argument_require(fcinfo, 1, "examples");
	argument_require(fcinfo, 2, "task");
	PreventCommandIfReadOnly("ALTER TABLE");
	PreventCommandIfParallelMode("ALTER TABLE");
	PreventCommandDuringRecovery("ALTER TABLE");
	table = PG_GETARG_OID(0);
	tuning.similarity =
		choice_index("task", text_to_cstring(PG_GETARG_TEXT_PP(2)),
					 tasks) == 1;
	model = model_open(fcinfo->flinfo, table, &elmo_method);
	site = elmo_site(fcinfo->flinfo, model,
					 call_site_state(fcinfo->flinfo, &elmo_encoder));
	begin_tuning(&tuning, site);
	read_examples(&tuning, site, text_to_cstring(PG_GETARG_TEXT_PP(1)));
	check_examples(&tuning);
	PG_RETURN_DATUM(keep_mix(table, &tuning, minimize(&tuning)));
}
