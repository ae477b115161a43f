/*-------------------------------------------------------------------------
 *
 * bm25.c
 *	  bm25_document and bm25_query: BM25 as an inner product.
 *
 * The document's vector holds what depends on the document, the query's what
 * depends on the corpus: stored vectors know the corpus only through the
 * average length, and follow its growth in all else.
 *
 * bm25l gives every document something for a term that it does not hold.
 * That constant is put into the element which no term has; the other elements
 * hold what goes beyond it.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "encoder/vocabulary/bm25_formula.h"
#include "encoder/vocabulary/sparse_encoder.h"
#include "miscadmin.h"

EMBED_FUNCTION(bm25_document);
EMBED_FUNCTION(bm25_query);

static void
check_parameters(const Bm25Options *options)
{
	if (!(options->k1 >= 0.0) || isinf(options->k1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("k1 must be a number not less than 0")));
	if (!(options->b >= 0.0 && options->b <= 1.0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("b must be between 0 and 1")));
}

Datum
bm25_document(PG_FUNCTION_ARGS)
{
	Model	   *model = model_open(fcinfo->flinfo, PG_GETARG_OID(0),
								   &vocabulary_method);
	Bm25Options options = {.k1 = PG_GETARG_FLOAT8(2),
						   .b = PG_GETARG_FLOAT8(3)};
	const VocabularyTotals *totals;
	SparseEncoder    *encoder;
	EncodedDocument document;
	double		relative_length;
	double		absent;
	Datum		result;

	if (call_site_lookup(fcinfo, &result))
		PG_RETURN_DATUM(result);

	encoder = sparse_encoder_open(fcinfo, model);
	options.variant = chosen_option(&encoder->chosen[0], "BM25 variant",
									PG_GETARG_TEXT_PP(4), bm25_names);
	check_parameters(&options);
	sparse_encoder_count(encoder, PG_GETARG_TEXT_PP(1), &document);
	totals = encoder->vocabulary.totals;
	relative_length = document.terms /
		((double) totals->occurrences / (double) totals->documents);
	absent = bm25_tf(&options, 0.0, relative_length);
	for (int i = 0; i < document.count; i++)
		document.weights[i] = bm25_tf(&options, document.counts[i].count,
									  relative_length) - absent;
	result = PointerGetDatum(
		sparse_encoder_vector(encoder, &document, 1.0, absent));
	return call_site_store(fcinfo, result);
}

/*
 * What one variant wants to know of all terms is not in the image, where each
 * change of a count would change it.
 */
static double
mean_log_odds(SparseEncoder *encoder, Bm25Variant variant)
{
	const Vocabulary *vocabulary = &encoder->vocabulary;
	int64		terms = vocabulary->totals->terms;
	double		sum = 0.0;

	if (variant != BM25_OKAPI || !isnan(encoder->mean_log_odds))
		return encoder->mean_log_odds;
	for (int64 i = 0; i < terms; i++)
	{
		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		sum += bm25_log_odds(vocabulary->entries[i].documents,
							 vocabulary->totals->documents);
	}
	encoder->mean_log_odds = sum / Max(1, terms);
	return encoder->mean_log_odds;
}

Datum
bm25_query(PG_FUNCTION_ARGS)
{
	Model	   *model = model_open(fcinfo->flinfo, PG_GETARG_OID(0),
								   &vocabulary_method);
	Bm25Variant variant;
	SparseEncoder    *encoder;
	EncodedDocument document;
	double		mean;
	double		sum = 0.0;
	Datum		result;

	if (call_site_lookup(fcinfo, &result))
		PG_RETURN_DATUM(result);

	encoder = sparse_encoder_open(fcinfo, model);
	variant = chosen_option(&encoder->chosen[0], "BM25 variant",
							PG_GETARG_TEXT_PP(2), bm25_names);
	mean = mean_log_odds(encoder, variant);
	sparse_encoder_count(encoder, PG_GETARG_TEXT_PP(1), &document);
	for (int i = 0; i < document.count; i++)
	{
		const KeyCount *term = &document.counts[i];
		const Vocabulary *vocabulary = &encoder->vocabulary;

		document.weights[i] = term->count *
			bm25_idf(variant, vocabulary->entries[term->key].documents,
					 vocabulary->totals->documents, mean);
		sum += document.weights[i];
	}
	result = PointerGetDatum(sparse_encoder_vector(encoder, &document, 1.0,
											variant == BM25_L ? sum : 0.0));
	return call_site_store(fcinfo, result);
}
