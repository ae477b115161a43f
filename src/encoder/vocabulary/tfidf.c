/*-------------------------------------------------------------------------
 *
 * tfidf.c
 *	  Texts as sparse vectors over a vocabulary: counts, TF-IDF, one-hot.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "encoder/vocabulary/sparse_encoder.h"
#include "lib/stringinfo.h"
#include "math/hash.h"
#include "utils/memutils.h"

EMBED_FUNCTION(count_vector);
EMBED_FUNCTION(tfidf);
EMBED_FUNCTION(one_hot);

Datum
count_vector(PG_FUNCTION_ARGS)
{
	Model	   *model = model_open(fcinfo->flinfo, PG_GETARG_OID(0),
								   &vocabulary_method);
	SparseEncoder    *encoder;
	EncodedDocument document;
	bool		presence;
	Datum		result;

	if (call_site_lookup(fcinfo, &result))
		PG_RETURN_DATUM(result);

	presence = PG_GETARG_BOOL(2);
	encoder = sparse_encoder_open(fcinfo, model);
	sparse_encoder_count(encoder, PG_GETARG_TEXT_PP(1), &document);
	for (int i = 0; i < document.count; i++)
		document.weights[i] = presence ? 1.0 : document.counts[i].count;
	result = PointerGetDatum(
		sparse_encoder_vector(encoder, &document, 1.0, 0.0));
	return call_site_store(fcinfo, result);
}

/* ---------- tf-idf ---------- */

/*
 * The only weight that is not finite: a term of every document has no odds.
 */
void
vocabulary_refuse_idf(const Vocabulary *vocabulary,
					  const VocabularyEntry *entry)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("probabilistic idf of term \"%s\" is minus infinity",
					pnstrdup(vocabulary->texts + entry->text, entry->length)),
			 errdetail("The term occurs in all %lld documents.",
					   (long long) vocabulary->totals->documents),
			 errhint("Use idf => 'probabilistic_clipped', or train with max_share less than 1.0.")));
}

double
vocabulary_idf(const Vocabulary *vocabulary, const Weighting *weighting,
			   int entry)
{
	CorpusTotals corpus = {
		.documents = vocabulary->totals->documents,
		.max_documents = vocabulary->totals->max_documents
	};

	return idf_weight(weighting->idf, weighting_log_scale(weighting->log_base),
					  vocabulary->entries[entry].documents, &corpus);
}

/*
 * A query has a handful of terms, a table of documents millions: the idf of
 * all entries is computed when enough documents have come to pay for it, and
 * if it is not too large to keep.
 */
#define IDF_TABLE_DOCUMENTS	64
#define IDF_TABLE_TERMS		(1024 * 1024)

static const double *
idf_table_values(SparseEncoder *encoder, const Weighting *weighting)
{
	IdfTable   *table = &encoder->idf_table;
	const Vocabulary *vocabulary = &encoder->vocabulary;
	int64		terms = vocabulary->totals->terms;

	if (table->idf != weighting->idf || table->log_base != weighting->log_base)
	{
		if (table->values != NULL)
			pfree(table->values);
		memset(table, 0, sizeof(IdfTable));
		table->idf = weighting->idf;
		table->log_base = weighting->log_base;
	}
	if (table->values == NULL && table->documents++ >= IDF_TABLE_DOCUMENTS &&
		terms <= IDF_TABLE_TERMS)
	{
		table->values = MemoryContextAlloc(encoder->context,
										   sizeof(double) * terms);
		for (int64 i = 0; i < terms; i++)
			table->values[i] = vocabulary_idf(vocabulary, weighting, i);
	}
	return table->values;
}

static void
weigh_document(SparseEncoder *encoder, const Weighting *weighting,
			   EncodedDocument *document)
{
	const Vocabulary *vocabulary = &encoder->vocabulary;
	const double *idf_table = idf_table_values(encoder, weighting);
	DocumentTotals totals = {.distinct = document->count};
	double		log_scale = weighting_log_scale(weighting->log_base);

	for (int i = 0; i < document->count; i++)
	{
		totals.length += document->counts[i].count;
		totals.max_count = Max(totals.max_count, document->counts[i].count);
	}
	for (int i = 0; i < document->count; i++)
	{
		const KeyCount *term = &document->counts[i];
		double		idf = idf_table != NULL ? idf_table[term->key] :
			vocabulary_idf(vocabulary, weighting, term->key);

		if (unlikely(isinf(idf)))
			vocabulary_refuse_idf(vocabulary,
								  &vocabulary->entries[term->key]);
		document->weights[i] = idf *
			(weighting->tf == TF_RAW ? term->count :
			 tf_weight(weighting->tf, log_scale, term->count, &totals));
	}
}

static void
read_weighting(FunctionCallInfo fcinfo, SparseEncoder *encoder,
			   Weighting *weighting)
{
	weighting->tf = chosen_option(&encoder->chosen[0], "tf weighting",
								   PG_GETARG_TEXT_PP(2), tf_names);
	weighting->idf = chosen_option(&encoder->chosen[1], "idf weighting",
									PG_GETARG_TEXT_PP(3), idf_names);
	weighting->norm = chosen_option(&encoder->chosen[2], "norm",
									 PG_GETARG_TEXT_PP(4), norm_names);
	weighting->log_base = PG_GETARG_FLOAT8(5);
	if (!(weighting->log_base > 1.0) || isinf(weighting->log_base))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("log_base must be a number greater than 1")));
}

Datum
tfidf(PG_FUNCTION_ARGS)
{
	Model	   *model = model_open(fcinfo->flinfo, PG_GETARG_OID(0),
								   &vocabulary_method);
	SparseEncoder    *encoder;
	EncodedDocument document;
	Weighting	weighting;
	double		divisor;
	Datum		result;

	if (call_site_lookup(fcinfo, &result))
		PG_RETURN_DATUM(result);

	encoder = sparse_encoder_open(fcinfo, model);
	read_weighting(fcinfo, encoder, &weighting);
	sparse_encoder_count(encoder, PG_GETARG_TEXT_PP(1), &document);
	weigh_document(encoder, &weighting, &document);
	divisor = norm_divisor(weighting.norm, document.weights, document.count);
	result = PointerGetDatum(
		sparse_encoder_vector(encoder, &document, divisor, 0.0));
	return call_site_store(fcinfo, result);
}

/* ---------- one-hot ---------- */

/*
 * The stream of single tokens, whatever n-grams the model has.
 */
static TermStream *
open_word_stream(SparseEncoder *encoder)
{
	if (encoder->word_stream == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(encoder->context);
		TermOptions options = encoder->options;

		options.min_ngram = options.max_ngram = 1;
		encoder->word_stream = term_stream_create(&options);
		MemoryContextSwitchTo(old);
	}
	return encoder->word_stream;
}

/*
 * Two characters of a script without spaces are a term, and terms each: the
 * one that comes first is asked for.
 */
static bool
is_whole_input(const Term *term, const text *input)
{
	return term->length == VARSIZE_ANY_EXHDR(input) &&
		memcmp(term->text, VARDATA_ANY(input), term->length) == 0;
}

/*
 * The whole input as one term: its tokens joined by a space.  False when it
 * has none.
 */
static bool
input_as_term(SparseEncoder *encoder, const text *input, Term *term)
{
	TermStream *stream = open_word_stream(encoder);
	StringInfoData joined;
	const Term *tokens;
	int			count;
	int			total = 0;

	initStringInfo(&joined);
	term_stream_begin(stream, VARDATA_ANY(input), VARSIZE_ANY_EXHDR(input));
	while ((count = term_stream_next(stream, &tokens)) > 0)
	{
		if (total == 0 && is_whole_input(&tokens[0], input))
			count = 1;
		total += count;
		if (total > encoder->options.max_ngram)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("one_hot encodes one term, but the input has several"),
					 errdetail_plural("Terms of this model have %d token.",
									  "Terms of this model have at most %d tokens.",
									  encoder->options.max_ngram,
									  encoder->options.max_ngram),
					 errhint("Use count_vector(..., presence => true) for the set of terms of a text.")));
		for (int i = 0; i < count; i++)
		{
			if (joined.len > 0)
				appendStringInfoChar(&joined, ' ');
			appendBinaryStringInfo(&joined, tokens[i].text, tokens[i].length);
		}
		if (is_whole_input(&tokens[0], input))
			break;
	}
	term->text = joined.data;
	term->length = joined.len;
	term->hash = hash_bytes64(joined.data, joined.len);
	term->key = text_key(joined.data, joined.len, term->hash);
	return total > 0;
}

Datum
one_hot(PG_FUNCTION_ARGS)
{
	Model	   *model = model_open(fcinfo->flinfo, PG_GETARG_OID(0),
								   &vocabulary_method);
	SparseEncoder    *encoder;
	Term		term;
	int32		entry = -1;
	Datum		result = (Datum) 0;

	if (call_site_lookup(fcinfo, &result))
		PG_RETURN_DATUM(result);

	encoder = sparse_encoder_open(fcinfo, model);
	if (input_as_term(encoder, PG_GETARG_TEXT_PP(1), &term))
		entry = vocabulary_find(&encoder->vocabulary, &term);
	if (entry < 0)
		fcinfo->isnull = true;
	else
	{
		KeyCount	element = {
			   .key = encoder->vocabulary.entries[entry].id - 1,
			   .count = 1};
		double		weight = 1.0;

		result = PointerGetDatum(sparse_result(encoder->vocabulary.dims, 1,
											   &element, &weight, 1.0));
	}
	return call_site_store(fcinfo, result);
}
