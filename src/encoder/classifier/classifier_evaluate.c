/*-------------------------------------------------------------------------
 *
 * classifier_evaluate.c
 *	  How well a classifier does, and which terms speak for a label.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "encoder/classifier/trained_classifier.h"
#include "encoder/vocabulary/heavy_terms.h"
#include "math/hash.h"
#include "miscadmin.h"
#include "server/arguments.h"
#include "server/set_result.h"
#include "train/trainer.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

EMBED_FUNCTION(evaluate_classifier);
EMBED_FUNCTION(classifier_confusion);
EMBED_FUNCTION(classifier_terms);

/* ---------- judged against examples ---------- */

/* counts: of examples with each label (the last: labels the model has not)
 * by the label given */
typedef struct Judgement
{
	const OpenLabels *labels;
	int64	   *counts;			/* (labels + 1) x labels */
	int64		examples;

	/* instead of counts, where a row may have several labels, of each label */
	int64	   *right;			/* rows that have it and are given it */
	int64	   *given;
	int64	   *support;
	int64		exact;			/* rows that are given just what they have */
	WordNumbers unknown;		/* labels that the model has not */
} Judgement;

static int
find_label(const OpenLabels *labels, const char *label, int length)
{
	for (int k = 0; k < labels->count; k++)
	{
		const LabelEntry *entry = &labels->entries[k];

		if (entry->length == length &&
			memcmp(labels->texts + entry->text, label, length) == 0)
			return k;
	}
	return labels->count;
}

static OpenLabels *
open_classifier(FunctionCallInfo fcinfo)
{
	Model	   *model = model_open(fcinfo->flinfo, PG_GETARG_OID(0),
								   &classifier_method);

	classifier_further(fcinfo->flinfo, model);
	return labels_open(fcinfo->flinfo, model,
					   call_site_state_of(fcinfo->flinfo, &classifier_method,
										  model));
}

/* The number of an example's label; of one that the model has not, the last */
static int
label_of_example(Judgement *judgement, const char *label)
{
	int			length = (int) strlen(label);
	int			number = find_label(judgement->labels, label, length);

	if (number == judgement->labels->count)
		word_of_number(&judgement->unknown,
					   word_number(&judgement->unknown, label, length,
								   hash_bytes64(label, length)))->count++;
	return number;
}

static void
judge_one(Judgement *judgement, const Example *example,
		  const double *probabilities)
{
	const OpenLabels *labels = judgement->labels;
	int			right = label_of_example(judgement, example->labels[0]);
	int			best = 0;

	for (int k = 1; k < labels->count; k++)
		if (probabilities[k] > probabilities[best])
			best = k;
	judgement->counts[(Size) right * labels->count + best]++;
}

/* A label that the model has not makes a row wrong. */
static void
judge_several(Judgement *judgement, const Example *example,
			  const double *probabilities)
{
	const OpenLabels *labels = judgement->labels;
	bool	   *has = palloc0(sizeof(bool) * (labels->count + 1));
	bool		exact = true;

	for (int i = 0; i < example->count; i++)
		has[label_of_example(judgement, example->labels[i])] = true;
	for (int k = 0; k < labels->count; k++)
	{
		bool		given = probabilities[k] > 0.5;

		judgement->given[k] += given;
		judgement->support[k] += has[k];
		judgement->right[k] += given && has[k];
		exact &= given == has[k];
	}
	judgement->exact += exact && !has[labels->count];
	pfree(has);
}

static void
require_kind(const OpenLabels *labels, bool multi)
{
	if (multi != labels->multi_label)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg(multi ?
						"labels of the examples are arrays, those of the classifier are not" :
						"labels of the examples are no arrays, as those of the classifier are")));
}

static void
judge(FunctionCallInfo fcinfo, Judgement *judgement)
{
	static const char *const argument_names[] = {"model", "examples"};
	OpenLabels *labels;
	Examples   *examples;
	double	   *probabilities;
	Example		example;

	arguments_require(fcinfo, arguments_but(lengthof(argument_names), 0),
					  argument_names);
	labels = open_classifier(fcinfo);
	probabilities = palloc(sizeof(double) * labels->count);
	judgement->labels = labels;
	judgement->examples = judgement->exact = 0;
	word_numbers_init(&judgement->unknown, NULL, 0);
	judgement->right = palloc0(sizeof(int64) * labels->count * 3);
	judgement->given = judgement->right + labels->count;
	judgement->support = judgement->given + labels->count;
	judgement->counts = palloc_extended(
		sizeof(int64) * labels->count * (labels->count + 1),
		MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	examples = examples_open(text_to_cstring(PG_GETARG_TEXT_PP(1)),
							 &labels->features);
	require_kind(labels, examples_are_multi(examples));
	while (examples_next(examples, &example))
	{
		labels_classify(labels, probabilities);
		if (labels->multi_label)
			judge_several(judgement, &example, probabilities);
		else
			judge_one(judgement, &example, probabilities);
		judgement->examples++;
	}
	examples_close(examples);
	if (judgement->examples == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("list of examples is empty")));
}

static Datum
label_text(const OpenLabels *labels, int number)
{
	const LabelEntry *entry = &labels->entries[number];

	return PointerGetDatum(
		cstring_to_text_with_len(labels->texts + entry->text, entry->length));
}

typedef struct Scores
{
	double		precision;
	double		recall;
	double		f1;
	int64		support;
} Scores;

static double
ratio(double part, double whole)
{
	return whole > 0 ? part / whole : 0;
}

/* Of one label a row: from the table of all pairs */
static void
sum_pairs(Judgement *judgement)
{
	int			count = judgement->labels->count;

	for (int label = 0; label < count; label++)
	{
		judgement->right[label] =
			judgement->counts[(Size) label * count + label];
		for (int k = 0; k <= count; k++)
			judgement->given[label] +=
				judgement->counts[(Size) k * count + label];
		for (int k = 0; k < count; k++)
			judgement->support[label] +=
				judgement->counts[(Size) label * count + k];
		judgement->exact += judgement->right[label];
	}
}

/* As scikit-learn: 0 where there is nothing to divide by */
static Scores
scores_of(const Judgement *judgement, int label)
{
	int64		right = judgement->right[label];
	int64		given = judgement->given[label];
	Scores		scores = {.support = judgement->support[label]};

	scores.precision = ratio(right, given);
	scores.recall = ratio(right, scores.support);
	scores.f1 = ratio(2 * scores.precision * scores.recall,
					  scores.precision + scores.recall);
	return scores;
}

static void
add_scores(struct ReturnSetInfo *set, Datum label, const Scores *scores)
{
	Datum		values[5];
	bool		nulls[5] = {false};

	values[0] = label;
	values[1] = Float8GetDatum(scores->precision);
	values[2] = Float8GetDatum(scores->recall);
	values[3] = Float8GetDatum(scores->f1);
	values[4] = Int64GetDatum(scores->support);
	set_result_add(set, values, nulls);
}

/* Labels that the model has not: none was given.  Returns how many. */
static int
add_unknown(struct ReturnSetInfo *set, const Judgement *judgement)
{
	int			count = (int) judgement->unknown.count;

	for (int i = 0; i < count; i++)
	{
		const EncodedWord *label = word_of_number(&judgement->unknown, i);
		Scores		scores = {.support = label->count};

		add_scores(set, PointerGetDatum(
					   cstring_to_text_with_len(label->text, label->length)),
				   &scores);
	}
	return count;
}

/*
 * evaluate_classifier(model, examples) -> (label, precision, recall, f1,
 * support), and the mean of the labels and all examples in two rows more.  Of
 * labels that neither the examples have nor the model gives, the mean knows
 * nothing, as scikit-learn's does.
 */
Datum
evaluate_classifier(PG_FUNCTION_ARGS)
{
	struct ReturnSetInfo *set = set_result_begin(fcinfo);
	Judgement	judgement;
	Scores		sum = {0};
	Scores		all;
	int			count;
	int			occurring = 0;

	judge(fcinfo, &judgement);
	count = judgement.labels->count;
	if (!judgement.labels->multi_label)
		sum_pairs(&judgement);
	for (int k = 0; k < count; k++)
	{
		Scores		scores = scores_of(&judgement, k);

		add_scores(set, label_text(judgement.labels, k), &scores);
		sum.precision += scores.precision;
		sum.recall += scores.recall;
		sum.f1 += scores.f1;
		occurring += judgement.labels->multi_label || scores.support > 0 ||
			judgement.given[k] > 0;
	}
	occurring += add_unknown(set, &judgement);
	sum.precision /= occurring;
	sum.recall /= occurring;
	sum.f1 /= occurring;
	sum.support = judgement.examples;
	add_scores(set, CStringGetTextDatum("(macro)"), &sum);
	all.precision = all.recall = all.f1 =
		(double) judgement.exact / judgement.examples;
	all.support = judgement.examples;
	add_scores(set, CStringGetTextDatum("(accuracy)"), &all);
	return (Datum) 0;
}

/* classifier_confusion(model, examples) -> (label, given, count) */
Datum
classifier_confusion(PG_FUNCTION_ARGS)
{
	struct ReturnSetInfo *set = set_result_begin(fcinfo);
	Judgement	judgement;
	int			count;

	judge(fcinfo, &judgement);
	count = judgement.labels->count;
	if (judgement.labels->multi_label)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a classifier of several labels a row confuses no two of them"),
				 errhint("Use evaluate_classifier().")));
	for (int right = 0; right <= count; right++)
		for (int given = 0; given < count; given++)
		{
			int64		times = judgement.counts[(Size) right * count + given];
			Datum		values[3];
			bool		nulls[3] = {false};

			if (times == 0 && right == count)
				continue;
			nulls[0] = right == count;
			values[0] = right == count ? (Datum) 0 :
				label_text(judgement.labels, right);
			values[1] = label_text(judgement.labels, given);
			values[2] = Int64GetDatum(times);
			set_result_add(set, values, nulls);
		}
	return (Datum) 0;
}

/* ---------- terms ---------- */

/* What a dimension adds to a label's score beyond the mean of all labels */
static double
weight_for(const OpenLabels *labels, int label, int dimension)
{
	double		sum = 0;

	for (int k = 0; k < labels->count; k++)
		sum += labels->weights[(Size) labels->entries[k].row * labels->dims +
							   dimension];
	return labels->weights[(Size) labels->entries[label].row * labels->dims +
						   dimension] - sum / labels->count;
}

/* classifier_terms(model, label, count) -> (term, weight) */
Datum
classifier_terms(PG_FUNCTION_ARGS)
{
	struct ReturnSetInfo *set = set_result_begin(fcinfo);
	OpenLabels *labels = open_classifier(fcinfo);
	text	   *name = PG_GETARG_TEXT_PP(1);
	int			label = find_label(labels, VARDATA_ANY(name),
								   VARSIZE_ANY_EXHDR(name));
	int			most = PG_GETARG_INT32(2);
	Vocabulary	vocabulary;
	Model	   *encoder;
	HeavyTerm  *terms;
	int			count;

	if (most < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("count must not be negative")));
	if (label == labels->count)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("classifier has no label \"%s\"",
						text_to_cstring(name))));
	if (!OidIsValid(labels->features.encoder))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("classifier was trained on vectors, whose elements have no names")));
	encoder = model_open_further(fcinfo->flinfo, 1, labels->features.encoder,
								 NULL);
	model_require_method(encoder->description, vocabulary_method.name);
	vocabulary_attach(&vocabulary, encoder);
	terms = heavy_terms_allocate(labels->dims);
	for (int d = 0; d < labels->dims; d++)
	{
		terms[d].dimension = d;
		terms[d].weight = weight_for(labels, label, d);
	}
	count = heavy_terms(&vocabulary, terms, labels->dims, most);
	for (int i = 0; i < count; i++)
	{
		Datum		values[2];
		bool		nulls[2] = {false};

		heavy_term_values(&vocabulary, &terms[i], values);
		set_result_add(set, values, nulls);
	}
	return (Datum) 0;
}
