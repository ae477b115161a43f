/*-------------------------------------------------------------------------
 *
 * classifier_method.c
 *	  How a classifier looks, and how it gives labels.
 *
 * The table has a row for each label: its bias, and a weight for each element
 * of the vectors.  Of two labels the first has zeros, so that softmax gives
 * the logistic function of the second's score.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "encoder/classifier/trained_classifier.h"
#include "miscadmin.h"
#include "model/classifier.h"
#include "server/set_result.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/regproc.h"

EMBED_FUNCTION(classify_vector);
EMBED_FUNCTION(classify_vector_scores);
EMBED_FUNCTION(classify_vector_labels);

const char *const classifier_penalties[] = {"l2", "none", NULL};
const char *const classifier_kinds[] = {
	"multinomial", "one_vs_rest", "nearest", NULL
};
static const char *const class_weights[] = {"equal", "balanced", NULL};

const OptionDeclaration classifier_options[] = {
	OPTION_MODEL_OF("encoder"),
	OPTION_CHOICE_OF("features", classifier_features, 0),
	OPTION_CHOICE_OF("penalty", classifier_penalties, 0),
	OPTION_NUMBER_OF("c", 1e-12, 1e12, 1),
	OPTION_CHOICE_OF("class_weight", class_weights, 0),
	OPTION_CHOICE_OF("multi_class", classifier_kinds, 0),
	OPTION_BOOLEAN_OF("multi_label", false),
	MODEL_LOSSES,
	OPTIONS_END
};

static const ModelColumn columns[CLASSIFIER_COLUMNS] = {
	{"id", INT4OID},
	{"label", TEXTOID},
	{"bias", FLOAT8OID},
	{"weights", FLOAT4ARRAYOID},
	{"examples", INT8OID}
};

/* ---------- image ---------- */

enum
{
	SECTION_WEIGHTS,			/* rows of dims floats */
	SECTION_LABELS,				/* LabelEntry, by id */
	SECTION_TEXTS,
	SECTION_DIMS,				/* one int32 */
	SECTIONS
};

#define IMAGE_FORMAT 1

typedef struct Packing
{
	ImageBuilder *builder;
	ModelReader *reader;
	int32		dims;
	int			count;
	int			capacity;
	LabelEntry *entries;
	StringInfoData texts;
} Packing;

static void
report_row(const Packing *packing, int32 id, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("row %d of classifier \"%s\" cannot be used", id,
					model_reader_description(packing->reader)->table_name),
			 errdetail_internal("%s", detail)));
}

static void
pack_weights(Packing *packing, int32 id, Datum datum)
{
	ArrayType  *array = DatumGetArrayTypeP(datum);
	int			dims = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	const float *weights = (const float *) ARR_DATA_PTR(array);

	if (ARR_NDIM(array) != 1 || ARR_HASNULL(array))
		report_row(packing, id, "Its weights are no list of numbers.");
	if (packing->count > 0 && dims != packing->dims)
		report_row(packing, id,
				   psprintf("It has %d weights, others have %d.", dims,
							packing->dims));
	for (int i = 0; i < dims; i++)
		if (!isfinite(weights[i]))
			report_row(packing, id, "A weight is not a finite number.");
	packing->dims = dims;
	image_append(packing->builder, weights, sizeof(float) * dims);
	if ((Pointer) array != DatumGetPointer(datum))
		pfree(array);
}

static void
pack_label(Packing *packing, Datum *values, bool *nulls)
{
	int32		id = DatumGetInt32(values[CLASSIFIER_ID]);
	LabelEntry *entry;
	text	   *label;

	if (nulls[CLASSIFIER_LABEL] || nulls[CLASSIFIER_BIAS] ||
		nulls[CLASSIFIER_WEIGHTS] ||
		!isfinite(DatumGetFloat8(values[CLASSIFIER_BIAS])))
		report_row(packing, id, "It needs a label, weights and a finite bias.");
	if (packing->count == CLASSIFIER_MAX_LABELS)
		report_row(packing, id, "There are too many labels.");
	pack_weights(packing, id, values[CLASSIFIER_WEIGHTS]);
	if (packing->count == packing->capacity)
	{
		packing->capacity *= 2;
		packing->entries = repalloc(packing->entries,
									sizeof(LabelEntry) * packing->capacity);
	}
	label = DatumGetTextPP(values[CLASSIFIER_LABEL]);
	entry = &packing->entries[packing->count];
	memset(entry, 0, sizeof(LabelEntry));
	entry->text = packing->texts.len;
	entry->length = VARSIZE_ANY_EXHDR(label);
	entry->id = id;
	entry->bias = DatumGetFloat8(values[CLASSIFIER_BIAS]);
	entry->row = packing->count++;
	appendBinaryStringInfo(&packing->texts, VARDATA_ANY(label),
						   entry->length);
}

static int
compare_entries(const void *a, const void *b)
{
	int32		x = ((const LabelEntry *) a)->id;
	int32		y = ((const LabelEntry *) b)->id;

	return x < y ? -1 : x > y;
}

static void
build_image(ImageBuilder *builder, ModelReader *reader)
{
	Packing		packing = {builder, reader};
	Datum		values[CLASSIFIER_COLUMNS];
	bool		nulls[CLASSIFIER_COLUMNS];

	packing.capacity = 16;
	packing.entries = palloc(sizeof(LabelEntry) * packing.capacity);
	initStringInfo(&packing.texts);
	image_begin_section(builder, SECTION_WEIGHTS);
	while (model_reader_next(reader, values, nulls))
	{
		CHECK_FOR_INTERRUPTS();
		if (!nulls[CLASSIFIER_ID])
			pack_label(&packing, values, nulls);
	}
	qsort(packing.entries, packing.count, sizeof(LabelEntry),
		  compare_entries);
	image_begin_section(builder, SECTION_LABELS);
	image_append(builder, packing.entries,
				 sizeof(LabelEntry) * packing.count);
	image_begin_section(builder, SECTION_TEXTS);
	image_append(builder, packing.texts.data, packing.texts.len);
	image_begin_section(builder, SECTION_DIMS);
	image_append(builder, &packing.dims, sizeof(packing.dims));
}

/* ---------- giving labels ---------- */

/* The model that makes vectors of texts, or InvalidOid */
Oid
classifier_encoder(const ModelDescription *description)
{
	const OptionValue *encoder = model_option(description, "encoder");

	if (!encoder->given)
		return InvalidOid;
	return RangeVarGetRelid(
		makeRangeVarFromNameList(qualified_name_list(encoder->text)), NoLock,
		false);
}

void
classifier_further(FmgrInfo *flinfo, Model *model)
{
	Oid			encoder = classifier_encoder(model->description);

	if (OidIsValid(encoder))
		(void) model_open_further(flinfo, 1, encoder, NULL);
}

OpenLabels *
labels_open(FmgrInfo *flinfo, Model *model, void **state)
{
	OpenLabels *labels = *state;
	Oid			encoder;
	Size		bytes;

	if (labels == NULL)
		*state = labels = MemoryContextAllocZero(flinfo->fn_mcxt,
												 sizeof(OpenLabels));
	labels->entries = model_section(model, SECTION_LABELS, &bytes);
	labels->count = (int) (bytes / sizeof(LabelEntry));
	labels->weights = model_section(model, SECTION_WEIGHTS, NULL);
	labels->texts = model_section(model, SECTION_TEXTS, NULL);
	labels->dims = *(const int32 *) model_section(model, SECTION_DIMS, NULL);
	labels->multi_label = model_option_int(model->description,
										   "multi_label");
	labels->one_vs_rest = labels->count > 2 &&
		model_option_int(model->description, "multi_class") ==
		CLASSIFIER_ONE_VS_REST;
	if (labels->count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("classifier \"%s\" has no labels",
						model->description->table_name)));
	encoder = classifier_encoder(model->description);
	if (!labels->ready || labels->version != model->version ||
		labels->features.encoder != encoder)
	{
		labels->ready = false;
		features_init(&labels->features, encoder,
					  (int) model_option_int(model->description, "features"),
					  flinfo->fn_mcxt);
		labels->version = model->version;
		labels->ready = true;
	}
	return labels;
}

void
labels_classify(const OpenLabels *labels, double *probabilities)
{
	const SparseRow *row = &labels->features.row;
	double		largest = -INFINITY;
	double		sum = 0;

	if (row->count > 0 && row->dims != labels->dims)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("different vector dimensions %d and %d",
						row->dims, labels->dims),
				 errdetail("The second is the classifier's.")));
	for (int k = 0; k < labels->count; k++)
	{
		const float *weights = labels->weights +
			(Size) labels->entries[k].row * labels->dims;
		double		score = labels->entries[k].bias;

		for (int i = 0; i < row->count; i++)
			score += (double) row->values[i] * weights[row->keys[i]];
		probabilities[k] = score;
		largest = Max(largest, score);
	}
	for (int k = 0; k < labels->count && labels->multi_label; k++)
		probabilities[k] = 1 / (1 + exp(-probabilities[k]));
	if (labels->multi_label)
		return;
	for (int k = 0; k < labels->count; k++)
	{
		double		score = probabilities[k];

		probabilities[k] = labels->one_vs_rest ? 1 / (1 + exp(-score)) :
			exp(score - largest);
		sum += probabilities[k];
	}
	/* all of them may be as good as impossible, one against the rest */
	for (int k = 0; k < labels->count; k++)
		probabilities[k] = sum > 0 ? probabilities[k] / sum :
			1.0 / labels->count;
}

static int
open_labels(FmgrInfo *flinfo, Model *model, void **state)
{
	return labels_open(flinfo, model, state)->count;
}

static const char *
label_name(void *state, int number)
{
	const OpenLabels *labels = state;
	const LabelEntry *entry = &labels->entries[number];

	return pnstrdup(labels->texts + entry->text, entry->length);
}

static void
classify_text(void *state, const EncoderText *text, double *probabilities)
{
	OpenLabels *labels = state;

	if (!OidIsValid(labels->features.encoder))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("classifier was trained on vectors"),
				 errhint("Call classify() with a vector.")));
	features_of_text(&labels->features, text->text, text->length);
	labels_classify(labels, probabilities);
}

static const Classifier classifier = {
	.open = open_labels,
	.further = classifier_further,
	.label = label_name,
	.classify = classify_text
};

static double *
classify_argument(FunctionCallInfo fcinfo, OpenLabels **labels)
{
	Model	   *model = model_open(fcinfo->flinfo, PG_GETARG_OID(0),
								   &classifier_method);
	double	   *probabilities;

	*labels = labels_open(fcinfo->flinfo, model,
						  call_site_state_of(fcinfo->flinfo, &classifier,
											 model));
	sparse_row_of_vector(&(*labels)->features.row, PG_GETARG_DATUM(1),
						 get_fn_expr_argtype(fcinfo->flinfo, 1));
	probabilities = palloc(sizeof(double) * (*labels)->count);
	labels_classify(*labels, probabilities);
	return probabilities;
}

/* classify(model, vector or sparsevec) -> text */
Datum
classify_vector(PG_FUNCTION_ARGS)
{
	OpenLabels *labels;
	double	   *probabilities = classify_argument(fcinfo, &labels);
	int			best = 0;

	for (int k = 1; k < labels->count; k++)
		if (probabilities[k] > probabilities[best])
			best = k;
	PG_RETURN_TEXT_P(cstring_to_text_with_len(
						 labels->texts + labels->entries[best].text,
						 labels->entries[best].length));
}

/* classify_scores(model, vector or sparsevec) -> (label, probability) */
Datum
classify_vector_scores(PG_FUNCTION_ARGS)
{
	struct ReturnSetInfo *set = set_result_begin(fcinfo);
	OpenLabels *labels;
	double	   *probabilities = classify_argument(fcinfo, &labels);

	for (int k = 0; k < labels->count; k++)
	{
		Datum		values[2];
		bool		nulls[2] = {false, false};

		values[0] = CStringGetTextDatum(label_name(labels, k));
		values[1] = Float8GetDatum(probabilities[k]);
		set_result_add(set, values, nulls);
	}
	return (Datum) 0;
}

/* classify_labels(model, vector or sparsevec, threshold) -> text[] */
Datum
classify_vector_labels(PG_FUNCTION_ARGS)
{
	OpenLabels *labels;
	double	   *probabilities = classify_argument(fcinfo, &labels);

	return classifier_likely_labels(&classifier, labels, labels->count,
									probabilities, PG_GETARG_FLOAT8(2));
}

const ModelMethod classifier_method = {
	.name = "classifier",
	.columns = columns,
	.column_count = CLASSIFIER_COLUMNS,
	.options = classifier_options,
	.build_image = build_image,
	.image_format = IMAGE_FORMAT,
	.image_sections = SECTIONS,
	.classifier = &classifier
};

void
classifier_init(void)
{
	model_method_register(&classifier_method);
}
