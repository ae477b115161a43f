/*-------------------------------------------------------------------------
 *
 * train_classifier.c
 *	  SQL function train_classifier.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <float.h>
#include <math.h>

#include "catalog/pg_type.h"
#include "encoder/classifier/trained_classifier.h"
#include "math/hash.h"
#include "miscadmin.h"
#include "server/extension.h"
#include "train/trainer.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

EMBED_FUNCTION(train_classifier);

/* arguments of the SQL function, in order */
enum
{
	ARG_MODEL,
	ARG_EXAMPLES,
	ARG_ENCODER,
	ARG_FEATURES,
	ARG_PENALTY,
	ARG_C,
	ARG_CLASS_WEIGHT,
	ARG_MULTI_CLASS,
	ARG_REPLACE,
	ARGS
};

static const char *const argument_names[] = {
	"model", "examples", "encoder", "features", "penalty", "c",
	"class_weight", "multi_class", "replace"
};

static int
choice(FunctionCallInfo fcinfo, int argument, const char *name)
{
	char	   *value = text_to_cstring(PG_GETARG_TEXT_PP(argument));

	return option_choose(classifier_options, name, name, value);
}

/* Those from encoder to multi_class, the first of them at "first" */
void
training_options(FunctionCallInfo fcinfo, int first,
				 ClassifierTraining *training)
{
	int			at = first - ARG_ENCODER;
	Oid			encoder = InvalidOid;

	for (int i = ARG_ENCODER; i <= ARG_MULTI_CLASS; i++)
		if (PG_ARGISNULL(at + i) && i != ARG_ENCODER && i != ARG_CLASS_WEIGHT)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s must not be null", argument_names[i])));
	if (!PG_ARGISNULL(at + ARG_ENCODER))
		encoder = PG_GETARG_OID(at + ARG_ENCODER);
	features_init(&training->features, encoder,
				  choice(fcinfo, at + ARG_FEATURES, "features"),
				  CurrentMemoryContext);
	training->fit.penalty = choice(fcinfo, at + ARG_PENALTY, "penalty") == 0;
	training->fit.strength = PG_GETARG_FLOAT8(at + ARG_C);
	option_check_argument(classifier_options, "c", training->fit.strength);
	training->balanced = !PG_ARGISNULL(at + ARG_CLASS_WEIGHT) &&
		choice(fcinfo, at + ARG_CLASS_WEIGHT, "class_weight") == 1;
	training->fit.kind = (ClassifierKind)
		choice(fcinfo, at + ARG_MULTI_CLASS, "multi_class");
}

static void
read_options(FunctionCallInfo fcinfo, ClassifierTraining *training)
{
	static const int needed[] = {ARG_MODEL, ARG_EXAMPLES, ARG_REPLACE};

	for (int i = 0; i < lengthof(needed); i++)
		if (PG_ARGISNULL(needed[i]))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s must not be null",
							argument_names[needed[i]])));
	training->model = text_to_cstring(PG_GETARG_TEXT_PP(ARG_MODEL));
	training->query = text_to_cstring(PG_GETARG_TEXT_PP(ARG_EXAMPLES));
	training->replace = PG_GETARG_BOOL(ARG_REPLACE);
	training_options(fcinfo, ARG_ENCODER, training);
}

static void
define_model(const ClassifierTraining *training, ModelDefinition *definition)
{
	const Features *features = &training->features;

	model_definition_init(definition, training->model, &classifier_method,
						  training->replace);
	if (OidIsValid(features->encoder))
	{
		model_definition_text(definition, "encoder",
							  qualified_relation_name(features->encoder));
		model_definition_text(definition, "features",
							  classifier_features[features->kind]);
	}
	model_definition_text(definition, "penalty",
						  classifier_penalties[!training->fit.penalty]);
	model_definition_float(definition, "c", training->fit.strength);
	if (training->balanced)
		model_definition_text(definition, "class_weight", "balanced");
}

/* What is known when the examples have been read */
static void
define_kind(const Fit *fit, ModelDefinition *definition)
{
	model_definition_text(definition, "multi_class",
						  classifier_kinds[fit->kind]);
	if (fit->label_starts != NULL)
		model_definition_bool(definition, "multi_label", true);
}

/* ---------- reading ---------- */

static int32
label_number(ClassifierTraining *training, const char *label)
{
	int			length = (int) strlen(label);
	uint32		number = word_number(&training->labels, label, length,
									 hash_bytes64(label, length));

	if (number >= CLASSIFIER_MAX_LABELS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("examples have more than %d labels",
						CLASSIFIER_MAX_LABELS)));
	return (int32) number;
}

static void
put_label(ClassifierTraining *training, int32 number)
{
	Fit		   *fit = &training->fit;

	word_of_number(&training->labels, number)->count++;
	if (training->label_total == training->label_room)
	{
		training->label_room = Max(1024, 2 * training->label_room);
		fit->labels = fit->labels == NULL ?
			palloc(sizeof(int32) * training->label_room) :
			repalloc_huge(fit->labels,
						  sizeof(int32) * training->label_room);
	}
	fit->labels[training->label_total++] = number;
}

/* Where the labels of the row that was put end */
static void
end_labels(ClassifierTraining *training)
{
	Fit		   *fit = &training->fit;
	int64		rows = fit->rows->rows;

	if (rows >= training->start_room)
	{
		training->start_room = Max(1024, 2 * training->start_room);
		fit->label_starts =
			repalloc_huge(fit->label_starts,
						  sizeof(int64) * (training->start_room + 1));
	}
	fit->label_starts[rows] = training->label_total;
}

/* Those of one example; one that it has twice counts once. */
static void
put_labels(ClassifierTraining *training, const Example *example)
{
	const Fit  *fit = &training->fit;
	int64		first = training->label_total;

	for (int i = 0; i < example->count; i++)
	{
		int32		number = label_number(training, example->labels[i]);
		bool		had = false;

		for (int64 j = first; j < training->label_total; j++)
			had |= fit->labels[j] == number;
		if (!had)
			put_label(training, number);
	}
	if (fit->label_starts != NULL)
		end_labels(training);
}

static int
compare_labels(const void *a, const void *b)
{
	const EncodedWord *x = a;
	const EncodedWord *y = b;
	int			order = memcmp(x->text, y->text, Min(x->length, y->length));

	return order != 0 ? order : x->length - y->length;
}

/* Labels in the order of their bytes, and the examples' numbers by that */
static void
order_labels(ClassifierTraining *training)
{
	Fit		   *fit = &training->fit;
	int			count = (int) training->labels.count;
	EncodedWord *labels = palloc(sizeof(EncodedWord) * Max(count, 1));
	int32	   *places = palloc(sizeof(int32) * Max(count, 1));

	for (int i = 0; i < count; i++)
	{
		labels[i] = *word_of_number(&training->labels, i);
		labels[i].known = i;
	}
	qsort(labels, count, sizeof(EncodedWord), compare_labels);
	for (int i = 0; i < count; i++)
		places[labels[i].known] = i;
	for (int64 n = 0; n < training->label_total; n++)
		fit->labels[n] = places[fit->labels[n]];
	training->chosen.words = count;
	training->chosen.vocabulary = labels;
	fit->label_count = count;
	fit->outputs = count == 2 && fit->kind != CLASSIFIER_NEAREST &&
		fit->label_starts == NULL ? 1 : count;
	fit->label_weights = palloc0(sizeof(double) * Max(count, 1));
	pfree(places);
}

/* Each label of several is one against the rest. */
static void
begin_multi(ClassifierTraining *training)
{
	Fit		   *fit = &training->fit;

	if (fit->kind == CLASSIFIER_NEAREST || training->balanced)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s is for examples with one label each",
						fit->kind == CLASSIFIER_NEAREST ?
						"multi_class => 'nearest'" :
						"class_weight => 'balanced'"),
				 errdetail("The labels of the examples are arrays.")));
	fit->kind = CLASSIFIER_ONE_VS_REST;
	training->start_room = 1024;
	fit->label_starts = palloc(sizeof(int64) * (training->start_room + 1));
	fit->label_starts[0] = 0;
}

void
training_read(ClassifierTraining *training)
{
	Fit		   *fit = &training->fit;
	Examples   *examples = examples_open(training->query,
										 &training->features);
	Example		example;

	progress_phase(fit->progress, "reading examples", 0);
	vector_rows_init(&training->vectors);
	fit->rows = training->vectors.file;
	word_numbers_init(&training->labels, NULL, 0);
	if (examples_are_multi(examples))
		begin_multi(training);
	while (examples_next(examples, &example))
	{
		vector_rows_put(&training->vectors, &training->features.row);
		put_labels(training, &example);
		progress_update(fit->progress, (double) fit->rows->rows, NAN);
	}
	examples_close(examples);
	fit->features = training->vectors.features;
	sparse_file_keep(fit->rows, (Size) maintenance_work_mem * 1024 / 2);
	order_labels(training);
	if (fit->label_count < (fit->label_starts == NULL ? 2 : 1))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 fit->label_starts != NULL ? errmsg("no example has a label") :
				 errmsg("a classifier needs examples of two labels or more"),
				 errdetail("The query gave " INT64_FORMAT
						   " examples with %d labels.", fit->rows->rows,
						   fit->label_count)));
	if (training->vectors.dims == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("no example has a vector"),
				 errdetail("Their encoder knows none of the " INT64_FORMAT
						   " texts.", fit->rows->rows)));
}

/* The weight of each label, among the rows that are not held out */
void
training_weigh(ClassifierTraining *training)
{
	Fit		   *fit = &training->fit;
	int64	   *counts = palloc0(sizeof(int64) * fit->label_count);

	fit->examples = 0;
	for (int64 n = 0; n < fit->rows->rows; n++)
	{
		if (fit_holds_out(fit, n))
			continue;
		if (fit->label_starts == NULL)
			counts[fit->labels[n]]++;
		fit->examples++;
	}
	for (int k = 0; k < fit->label_count; k++)
		fit->label_weights[k] = training->balanced && counts[k] > 0 ?
			(double) fit->examples / (fit->label_count * (double) counts[k]) :
			1;
	pfree(counts);
}

/* ---------- writing ---------- */

/* Weights of a label, by dimension: a new array of zeros, then its own */
static ArrayType *
weights_create(int dims)
{
	Size		bytes = ARR_OVERHEAD_NONULLS(1) + sizeof(float4) * dims;
	ArrayType  *array = palloc_extended(bytes,
										MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	SET_VARSIZE(array, bytes);
	array->ndim = 1;
	array->elemtype = FLOAT4OID;
	ARR_DIMS(array)[0] = dims;
	ARR_LBOUND(array)[0] = 1;
	return array;
}

pg_noreturn static void
report_weight(const EncodedWord *label)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("weights of label \"%s\" are too large for numbers of type real",
					pnstrdup(label->text, label->length)),
			 errdetail("The elements of the vectors are too small, or too large."),
			 errhint("Multiply the vectors, so that their elements are about one.")));
}

/* Two labels: the first has nothing, the second what was found */
static double
take_weights(const ClassifierTraining *training, int label, ArrayType *array)
{
	const Fit  *fit = &training->fit;
	float4	   *weights = (float4 *) ARR_DATA_PTR(array);
	int			output = fit->outputs < fit->label_count ? 0 : label;

	if (fit->outputs < fit->label_count && label == 0)
	{
		memset(weights, 0, sizeof(float4) * training->vectors.dims);
		return 0;
	}
	for (int f = 0; f < fit->features; f++)
	{
		double		weight = fit->found[(Size) f * fit->outputs + output];

		if (!(fabs(weight) <= FLT_MAX))
			report_weight(&training->chosen.vocabulary[label]);
		weights[training->vectors.dimensions[f]] = (float4) weight;
	}
	return fit->found[(Size) fit->features * fit->outputs + output];
}

static Oid
write_model(const ClassifierTraining *training, ModelDefinition *definition)
{
	ModelWriter *writer = model_create(definition);
	ArrayType  *weights = weights_create(training->vectors.dims);
	Datum		values[CLASSIFIER_COLUMNS] = {0};
	bool		nulls[CLASSIFIER_COLUMNS] = {false, true, true, true, false};

	values[CLASSIFIER_ID] = Int32GetDatum(0);
	values[CLASSIFIER_EXAMPLES] = Int64GetDatum(training->fit.rows->rows);
	model_write_row(writer, values, nulls);
	memset(nulls, 0, sizeof(nulls));
	for (int k = 0; k < training->chosen.words; k++)
	{
		const EncodedWord *label = &training->chosen.vocabulary[k];

		values[CLASSIFIER_ID] = Int32GetDatum(k + 1);
		values[CLASSIFIER_LABEL] = PointerGetDatum(
			cstring_to_text_with_len(label->text, label->length));
		values[CLASSIFIER_BIAS] =
			Float8GetDatum(take_weights(training, k, weights));
		values[CLASSIFIER_WEIGHTS] = PointerGetDatum(weights);
		values[CLASSIFIER_EXAMPLES] = Int64GetDatum(label->count);
		model_write_row(writer, values, nulls);
		CHECK_FOR_INTERRUPTS();
	}
	return model_finish(writer);
}

Datum
train_classifier(PG_FUNCTION_ARGS)
{
	ClassifierTraining *training = palloc0(sizeof(ClassifierTraining));
	Fit		   *fit = &training->fit;
	ModelDefinition definition;
	Oid			table;

	trainer_check();
	read_options(fcinfo, training);
	define_model(training, &definition);
	model_check_creation(&definition);
	fit->progress = progress_begin(psprintf("training model \"%s\"",
											training->model), "examples");
	training_read(training);
	progress_phase(fit->progress, "fitting", 0);
	training_weigh(training);
	fit_run(fit);
	progress_result(fit->progress,
					psprintf("%d labels, %d features, %d passes over "
							 INT64_FORMAT " examples%s", fit->label_count,
							 fit->features, fit->passes, fit->rows->rows,
							 fit->converged ? "" : ", not converged"));
	if (!fit->converged)
		ereport(WARNING,
				(errmsg("classifier \"%s\" did not converge in %d passes over the examples",
						training->model, fit->passes),
				 errdetail("Its weights may not be the best ones."),
				 errhint("Multiply the vectors, so that their elements are about one, or lower c.")));
	define_kind(fit, &definition);
	model_definition_losses(&definition, fit->loss_count, fit->losses);
	table = write_model(training, &definition);
	sparse_file_free(fit->rows);
	progress_end(fit->progress);
	PG_RETURN_OID(table);
}
