/*-------------------------------------------------------------------------
 *
 * classify.c
 *	  Labels of texts, by whatever model: classify() and classify_scores().
 *
 *-------------------------------------------------------------------------
 */
#include "model/classifier.h"

#include "catalog/pg_type.h"
#include "server/set_result.h"
#include "utils/array.h"
#include "utils/builtins.h"

EMBED_FUNCTION(classify);
EMBED_FUNCTION(classify_scores);
EMBED_FUNCTION(classify_labels);

typedef struct OpenClassifier
{
	const Classifier *classifier;
	void	   *state;
	int			labels;
} OpenClassifier;

/* The model, and what else it reads: before the last result is looked up */
static Model *
open_model(FunctionCallInfo fcinfo)
{
	Model	   *model = model_open(fcinfo->flinfo, PG_GETARG_OID(0), NULL);
	const Classifier *classifier = model->description->method->classifier;

	if (classifier != NULL && classifier->further != NULL)
		classifier->further(fcinfo->flinfo, model);
	return model;
}

static void
open_classifier(OpenClassifier *open, FmgrInfo *flinfo, Model *model)
{
	const ModelMethod *method = model->description->method;
	void	  **state;

	if (method->classifier == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("embedding model \"%s\" gives no labels",
						model->description->table_name),
				 errdetail("It is a model of method \"%s\".", method->name)));
	state = call_site_state_of(flinfo, method->classifier, model);
	open->classifier = method->classifier;
	open->labels = method->classifier->open(flinfo, model, state);
	open->state = *state;
}

static double *
probabilities_of(const OpenClassifier *open, text *input)
{
	double	   *probabilities = palloc(sizeof(double) * open->labels);
	EncoderText encoded = {VARDATA_ANY(input), VARSIZE_ANY_EXHDR(input)};

	open->classifier->classify(open->state, &encoded, probabilities);
	return probabilities;
}

/* classify(model, input) -> text: the label that fits best */
Datum
classify(PG_FUNCTION_ARGS)
{
	Model	   *model = open_model(fcinfo);
	OpenClassifier open;
	const double *probabilities;
	int			best = 0;
	Datum		result;

	if (call_site_lookup(fcinfo, &result))
		return result;
	open_classifier(&open, fcinfo->flinfo, model);
	probabilities = probabilities_of(&open, PG_GETARG_TEXT_PP(1));
	for (int i = 1; i < open.labels; i++)
	{
		if (probabilities[i] > probabilities[best])
			best = i;
	}
	result = CStringGetTextDatum(open.classifier->label(open.state, best));
	return call_site_store(fcinfo, result);
}

/* classify_scores(model, input) -> (label, probability) */
Datum
classify_scores(PG_FUNCTION_ARGS)
{
	Model	   *model = open_model(fcinfo);
	struct ReturnSetInfo *set = set_result_begin(fcinfo);
	OpenClassifier open;
	const double *probabilities;

	open_classifier(&open, fcinfo->flinfo, model);
	probabilities = probabilities_of(&open, PG_GETARG_TEXT_PP(1));
	for (int i = 0; i < open.labels; i++)
	{
		Datum		values[2];
		bool		nulls[2] = {false, false};

		values[0] = CStringGetTextDatum(open.classifier->label(open.state, i));
		values[1] = Float8GetDatum(probabilities[i]);
		set_result_add(set, values, nulls);
	}
	return (Datum) 0;
}

/* ---------- all labels that are likely ---------- */

typedef struct LikelyLabel
{
	int			number;
	double		probability;
} LikelyLabel;

static int
compare_likely(const void *a, const void *b)
{
	const LikelyLabel *x = a;
	const LikelyLabel *y = b;

	if (x->probability != y->probability)
		return x->probability > y->probability ? -1 : 1;
	return x->number - y->number;
}

Datum
classifier_likely_labels(const Classifier *classifier, void *state,
						 int labels, const double *probabilities,
						 double threshold)
{
	LikelyLabel *likely = palloc(sizeof(LikelyLabel) * Max(labels, 1));
	Datum	   *names = palloc(sizeof(Datum) * Max(labels, 1));
	int			count = 0;

	if (!(threshold >= 0 && threshold <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("threshold must be between 0 and 1")));
	for (int i = 0; i < labels; i++)
	{
		if (probabilities[i] <= threshold)
			continue;
		likely[count].number = i;
		likely[count++].probability = probabilities[i];
	}
	qsort(likely, count, sizeof(LikelyLabel), compare_likely);
	for (int i = 0; i < count; i++)
		names[i] = CStringGetTextDatum(classifier->label(state,
														 likely[i].number));
	return PointerGetDatum(construct_array(names, count, TEXTOID, -1, false,
										   TYPALIGN_INT));
}

/* classify_labels(model, input, threshold) -> text[], the likeliest first */
Datum
classify_labels(PG_FUNCTION_ARGS)
{
	Model	   *model = open_model(fcinfo);
	OpenClassifier open;

	open_classifier(&open, fcinfo->flinfo, model);
	return classifier_likely_labels(open.classifier, open.state, open.labels,
									probabilities_of(&open,
													 PG_GETARG_TEXT_PP(1)),
									PG_GETARG_FLOAT8(2));
}
