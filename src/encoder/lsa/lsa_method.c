/*-------------------------------------------------------------------------
 *
 * lsa_method.c
 *	  How an LSA model looks, and how a text is folded in: the sum of its
 *	  terms' vectors, each as often as the term weighs in the text.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "encoder/lsa/lsa.h"
#include "encoder/vocabulary/entry_counts.h"
#include "encoder/vocabulary/sparse_result.h"
#include "encoder/vocabulary/vocabulary.h"
#include "math/rows.h"
#include "miscadmin.h"
#include "model/encoder.h"
#include "model/tunable.h"
#include "text/generation.h"
#include "utils/memutils.h"

/* rows summed at once */
#define BATCH 64

static const char *const poolings[] = {"fold_in", NULL};

const OptionDeclaration lsa_options[] = {
	OPTION_CONFIG_REQUIRED("config"),
	OPTION_INTEGER_OF("dims", 1, LSA_MAX_DIMS, 0),
	OPTION_CHOICE_KEPT("pooling", poolings, 0),
	OPTION_INTEGER_OF("min_token_length", 1, PG_INT32_MAX, 1),
	OPTION_INTEGER_OF("min_ngram", 1, MAX_NGRAM, 1),
	OPTION_INTEGER_OF("max_ngram", 1, MAX_NGRAM, 1),
	OPTION_CHOICE_OF("weighting", lsa_weightings, 0),
	OPTION_CHOICE_OF("tf", tf_names, TF_RAW),
	OPTION_CHOICE_OF("idf", idf_names, IDF_SMOOTH),
	OPTION_CHOICE_OF("norm", norm_names, NORM_L2),
	OPTION_NUMBER_OF("log_base", 1.0000001, 1e300, 2.718281828459045),
	OPTIONS_END
};

static void
check_description(const ModelDescription *description)
{
	TermOptions options = {0};

	options.min_token_length = model_option_int(description,
												"min_token_length");
	options.min_ngram = model_option_int(description, "min_ngram");
	options.max_ngram = model_option_int(description, "max_ngram");
	term_options_check(&options);
}

/* ---------- the encoder ---------- */

/* What a call site keeps; made anew when the model has changed. */
typedef struct Folding
{
	void	   *words_state;
	Words	   *words;
	uint64		version;		/* of what follows */
	uint64		generation;
	MemoryContext context;
	const double *term_weights; /* of the rows of the matrix */
	LsaWeighting weighting;
	TermStream *stream;
	EntryCounts counts;
	bool		counting;		/* counts are not 0 */
	WeightArray weights;
	float	   *sum;			/* stride floats */
} Folding;

static void
prepare(Folding *folding, MemoryContext parent, Model *model)
{
	MemoryContext old;
	TermOptions options;

	if (folding->context == NULL)
		folding->context = AllocSetContextCreate(parent, "lsa encoder",
												 ALLOCSET_DEFAULT_SIZES);
	else
		MemoryContextReset(folding->context);
	old = MemoryContextSwitchTo(folding->context);
	lsa_weighting_read(&folding->weighting, model->description);
	vocabulary_term_options(&options, model->description);
	folding->stream = term_stream_create(&options);
	entry_counts_init(&folding->counts, folding->words->totals->words);
	folding->counting = false;
	memset(&folding->weights, 0, sizeof(folding->weights));
	folding->weights.context = folding->context;
	folding->sum = palloc(sizeof(float) *
						  Max(folding->words->totals->stride, 1));
	MemoryContextSwitchTo(old);
}

static int
open_lsa(FmgrInfo *flinfo, Model *model, void **state)
{
	Folding    *folding = *state;

	if (folding == NULL)
		*state = folding = MemoryContextAllocZero(flinfo->fn_mcxt,
												  sizeof(Folding));
	folding->words = words_attach(flinfo, model, &folding->words_state);
	folding->term_weights = model_section(model, WORDS_SECTION_WEIGHTS, NULL);
	if (folding->version != model->version ||
		folding->generation != text_generation())
	{
		uint64		generation = text_generation();

		/* until all stands, nothing looks ready */
		folding->generation = 0;
		prepare(folding, flinfo->fn_mcxt, model);
		folding->version = model->version;
		folding->generation = generation;
	}
	return folding->words->totals->dims;
}

/* The known terms of a text, by row of the matrix */
static int
count_terms(Folding *folding, const EncoderText *text, KeyCount **counts)
{
	const Words *words = folding->words;
	const Term *terms;
	int64		found = 0;
	int			count;

	/* an error in the middle of an earlier text has left its counts behind */
	if (folding->counting)
		(void) entry_counts_take(&folding->counts, words->totals->words,
								 counts);
	folding->counting = true;
	term_stream_begin(folding->stream, text->text, text->length);
	while ((count = term_stream_next(folding->stream, &terms)) > 0)
	{
		for (int i = 0; i < count; i++)
		{
			const WordEntry *entry = words_find(words, terms[i].text,
												terms[i].length,
												terms[i].hash);

			if (entry == NULL)
				continue;
			entry_counts_add(&folding->counts, entry->row);
			found++;
		}
	}
	count = entry_counts_take(&folding->counts,
							  Min(found, (int64) words->totals->words),
							  counts);
	folding->counting = false;
	return count;
}

static bool
fold_in(Folding *folding, const EncoderText *text, float *row)
{
	const Words *words = folding->words;
	int			stride = words->totals->stride;
	KeyCount   *counts;
	int			count = count_terms(folding, text, &counts);

	weights_reserve(&folding->weights, count);
	if (!lsa_weigh(&folding->weighting, folding->term_weights, count, counts,
				   folding->weights.values))
		return false;
	memset(folding->sum, 0, sizeof(float) * stride);
	for (int i = 0; i < count; i += BATCH)
	{
		const float *rows[BATCH];
		float		weights[BATCH];
		int			some = Min(count - i, BATCH);

		for (int k = 0; k < some; k++)
		{
			rows[k] = words_row(words, counts[i + k].key);
			weights[k] = (float) folding->weights.values[i + k];
		}
		rows_sum(stride, rows, weights, some, folding->sum);
	}
	memcpy(row, folding->sum, sizeof(float) * words->totals->dims);
	return true;
}

static void
encode_lsa(void *state, const EncoderRequest *request, int count,
		   const EncoderText *texts, float *rows, bool *known)
{
	Folding    *folding = state;

	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		known[i] = fold_in(folding, &texts[i],
						   rows + (Size) i * folding->words->totals->dims);
	}
}

static void
tokens_of_lsa(void *state, const EncoderRequest *request,
			  const EncoderText *text, EncoderReceiveToken receive,
			  void *argument)
{
	Folding    *folding = state;
	const Words *words = folding->words;
	const Term *terms;
	int			position = 0;
	int			count;

	term_stream_begin(folding->stream, text->text, text->length);
	while ((count = term_stream_next(folding->stream, &terms)) > 0)
	{
		for (int i = 0; i < count; i++)
		{
			const WordEntry *entry = words_find(words, terms[i].text,
												terms[i].length,
												terms[i].hash);

			receive(argument, ++position, terms[i].text, terms[i].length,
					entry != NULL ? words_row(words, entry->row) : NULL);
		}
	}
}

static const char *const units[] = {"term", NULL};

static const Encoder lsa_encoder = {
	.poolings = poolings,
	.units = units,
	.open = open_lsa,
	.encode = encode_lsa,
	.tokens = tokens_of_lsa
};

/* ---------- tuning ---------- */

static bool
features_of_lsa(void *state, const EncoderText *text,
				TuneReceiveRow receive, void *argument)
{
	Folding    *folding = state;
	KeyCount   *counts;
	int			count = count_terms(folding, text, &counts);

	weights_reserve(&folding->weights, count);
	if (!lsa_weigh(&folding->weighting, folding->term_weights, count, counts,
				   folding->weights.values))
		return false;
	for (int i = 0; i < count; i++)
		receive(argument, counts[i].key, (float) folding->weights.values[i]);
	return true;
}

static void
row_of_lsa(void *state, int64 row, float *values)
{
	words_tuned_row(((Folding *) state)->words, row, values);
}

static Oid
write_tuned_lsa(const TuneSource *source)
{
	return terms_write_tuned(source, ((Folding *) source->state)->words);
}

static const Tunable lsa_tunable = {
	.features = features_of_lsa,
	.row = row_of_lsa,
	.layer_in_rows = true,
	.write = write_tuned_lsa
};

const ModelMethod lsa_method = {
	.name = "lsa",
	.columns = terms_columns,
	.column_count = TERMS_COLUMNS,
	.options = lsa_options,
	.check = check_description,
	.build_image = terms_build_image,
	.image_format = WORDS_IMAGE_FORMAT,
	.image_sections = WORDS_SECTIONS,
	.encoder = &lsa_encoder,
	.tunable = &lsa_tunable
};

void
lsa_init(void)
{
	model_method_register(&lsa_method);
}
