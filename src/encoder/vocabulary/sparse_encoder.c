/*-------------------------------------------------------------------------
 *
 * sparse_encoder.c
 *	  From a text to the counts of its known terms.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "encoder/vocabulary/sparse_encoder.h"
#include "text/generation.h"
#include "utils/memutils.h"

#define PREFETCH_DISTANCE	12

static void
sparse_encoder_prepare(SparseEncoder *encoder, MemoryContext parent,
					   const Model *model)
{
	MemoryContext old;

	if (encoder->context == NULL)
		encoder->context = AllocSetContextCreate(parent, "vocabulary encoder",
												 ALLOCSET_DEFAULT_SIZES);
	else
		MemoryContextReset(encoder->context);

	old = MemoryContextSwitchTo(encoder->context);
	memset(encoder->chosen, 0, sizeof(encoder->chosen));
	memset(&encoder->weights, 0, sizeof(encoder->weights));
	memset(&encoder->idf_table, 0, sizeof(encoder->idf_table));
	encoder->mean_log_odds = NAN;
	encoder->weights.context = encoder->context;
	vocabulary_attach(&encoder->vocabulary, model);
	entry_counts_init(&encoder->counts, encoder->vocabulary.totals->terms);
	vocabulary_term_options(&encoder->options, model->description);
	encoder->counting = false;
	encoder->word_stream = NULL;
	encoder->stream = term_stream_create(&encoder->options);
	MemoryContextSwitchTo(old);
}

/*
 * The encoder of this call site, for the model as it is now.
 *
 * Its version is set only when everything else stands, so that an error on
 * the way leaves nothing that looks ready.
 */
SparseEncoder *
sparse_encoder_open(FunctionCallInfo fcinfo, const Model *model)
{
	void	  **state = call_site_state(fcinfo->flinfo, &vocabulary_method);
	SparseEncoder    *encoder = *state;

	if (encoder == NULL)
		*state = encoder = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt,
												  sizeof(SparseEncoder));
	if (encoder->stream == NULL || encoder->version != model->version ||
		encoder->generation != text_generation())
	{
		encoder->stream = NULL;
		encoder->generation = text_generation();
		sparse_encoder_prepare(encoder, fcinfo->flinfo->fn_mcxt, model);
		encoder->version = model->version;
	}
	else
		vocabulary_attach(&encoder->vocabulary, model);
	return encoder;
}

/*
 * Count a batch of terms; slots of later ones are on their way from memory
 * meanwhile.
 */
static void
count_terms(SparseEncoder *encoder, const Term *terms, int count)
{
	const Vocabulary *vocabulary = &encoder->vocabulary;

	for (int i = 0; i < count; i++)
	{
		int32		entry;

		if (i + PREFETCH_DISTANCE < count)
			__builtin_prefetch(
				&vocabulary->slots[(uint32) terms[i + PREFETCH_DISTANCE].hash &
								   vocabulary->slot_mask]);
		entry = vocabulary_find(vocabulary, &terms[i]);
		if (entry >= 0)
			entry_counts_add(&encoder->counts, entry);
	}
}

void
sparse_encoder_count(SparseEncoder *encoder, const text *input,
					 EncodedDocument *document)
{
	const Term *terms;
	int			count;

	/* an error in the middle of an earlier text has left its counts behind */
	if (encoder->counting)
		(void) entry_counts_take(&encoder->counts,
								 encoder->vocabulary.totals->terms,
								 &document->counts);
	encoder->counting = true;
	document->terms = 0;
	term_stream_begin(encoder->stream, VARDATA_ANY(input),
					  VARSIZE_ANY_EXHDR(input));
	while ((count = term_stream_next(encoder->stream, &terms)) > 0)
	{
		document->terms += count;
		count_terms(encoder, terms, count);
	}
	document->count = entry_counts_take(&encoder->counts,
										Min(document->terms,
											encoder->vocabulary.totals->terms),
										&document->counts);
	encoder->counting = false;
	weights_reserve(&encoder->weights, document->count + 1);
	document->weights = encoder->weights.values;
}

SparseVector *
sparse_encoder_vector(SparseEncoder *encoder, EncodedDocument *document,
			   double divisor, double constant)
{
	const Vocabulary *vocabulary = &encoder->vocabulary;
	int			count = document->count;

	for (int i = 0; i < count; i++)
		document->counts[i].key =
			vocabulary->entries[document->counts[i].key].id - 1;
	if (constant != 0.0)
	{
		document->counts[count].key = vocabulary->dims - 1;
		document->weights[count++] = constant;
	}
	return sparse_result(vocabulary->dims, count, document->counts,
						 document->weights, divisor);
}
