/*-------------------------------------------------------------------------
 *
 * classifier_features.c
 *	  Vectors of texts, as sparse rows.
 *
 * Texts go through the SQL functions themselves, as a call site of ours: so a
 * classifier sees what a user sees, rights are checked as for the user, and
 * every kind of model serves.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "catalog/pg_type.h"
#include "encoder/classifier/trained_classifier.h"
#include "encoder/vocabulary/vocabulary.h"
#include "server/extension.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

typedef enum FeatureKind
{
	FEATURES_EMBED,
	FEATURES_TFIDF,
	FEATURES_COUNT,
	FEATURES_BM25
} FeatureKind;

const char *const classifier_features[] = {
	"embed", "tfidf", "count_vector", "bm25_document", NULL
};

#define MOST_ARGUMENTS 6

void
features_init(Features *features, Oid encoder, int kind,
			  MemoryContext context)
{
	Oid			function = extension_function(classifier_features[kind],
											  REGCLASSOID, TEXTOID);

	memset(features, 0, sizeof(Features));
	features->encoder = encoder;
	features->kind = kind;
	sparse_row_init(&features->row, context);
	fmgr_info_cxt(function, &features->function, context);
}

void
features_init_tfidf(Features *features, Oid vocabulary)
{
	features_init(features, vocabulary, FEATURES_TFIDF, CurrentMemoryContext);
}

/* A text of which the model knows nothing has a vector without elements. */
void
features_of_text(Features *features, const char *text, int length)
{
	LOCAL_FCINFO(fcinfo, MOST_ARGUMENTS);
	Datum		result;

	InitFunctionCallInfoData(*fcinfo, &features->function,
							 features->function.fn_nargs, InvalidOid, NULL,
							 NULL);
	memset(fcinfo->args, 0, sizeof(NullableDatum) * MOST_ARGUMENTS);
	fcinfo->args[0].value = ObjectIdGetDatum(features->encoder);
	fcinfo->args[1].value =
		PointerGetDatum(cstring_to_text_with_len(text, length));
	switch ((FeatureKind) features->kind)
	{
		case FEATURES_EMBED:
			fcinfo->args[2].isnull = fcinfo->args[3].isnull = true;
			break;
		case FEATURES_TFIDF:
			fcinfo->args[2].value = CStringGetTextDatum("raw");
			fcinfo->args[3].value = CStringGetTextDatum("smooth");
			fcinfo->args[4].value = CStringGetTextDatum("l2");
			fcinfo->args[5].value = Float8GetDatum(2.718281828459045);
			break;
		case FEATURES_COUNT:
			fcinfo->args[2].value = BoolGetDatum(false);
			break;
		case FEATURES_BM25:
			fcinfo->args[2].value = Float8GetDatum(1.2);
			fcinfo->args[3].value = Float8GetDatum(0.75);
			fcinfo->args[4].value = CStringGetTextDatum("lucene");
			break;
	}
	result = FunctionCallInvoke(fcinfo);
	if (fcinfo->isnull)
	{
		features->row.count = 0;
		return;
	}
	sparse_row_of_vector(&features->row, result,
						 extension_type(features->kind == FEATURES_EMBED ?
										"vector" : "sparsevec"));
}

void
features_of_value(Features *features, const QueryValue *value)
{
	if (value->kind == QUERY_VECTOR)
		sparse_row_of_vector(&features->row, value->datum, value->type);
	else if (OidIsValid(features->encoder))
		features_of_text(features, value->text, value->length);
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("texts need an encoder"),
				 errhint("Name a model with encoder => ..., or select vectors.")));
}

void
features_of_arguments(Features *features, FunctionCallInfo fcinfo, int first)
{
	Oid			encoder = PG_ARGISNULL(first) ? InvalidOid :
		PG_GETARG_OID(first);
	int			kind = FEATURES_EMBED;

	if (!PG_ARGISNULL(first + 1))
		kind = choice_index("features",
							text_to_cstring(PG_GETARG_TEXT_PP(first + 1)),
							classifier_features);
	else if (OidIsValid(encoder) &&
			 model_describe_readable(encoder)->method == &vocabulary_method)
		kind = FEATURES_TFIDF;
	features_init(features, encoder, kind, CurrentMemoryContext);
}
