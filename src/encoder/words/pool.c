/*-------------------------------------------------------------------------
 *
 * pool.c
 *	  From the vectors of words to the vector of a text.
 *
 * mean	 the mean of the vectors of all known words, each as often as it occurs
 * tfidf the mean weighted by ln((1 + N) / (1 + documents)) + 1: a word that
 *		 occurs tf times adds tf times its idf; divided by the sum of weights
 * sif	 the sum weighted by a / (a + p), p the share of the word among all
 *		 words of the corpus and a = 0.001, divided by the number of known
 *		 words (Arora, Liang and Ma, ICLR 2017, algorithm 1 without its second
 *		 step, the removal of a common component)
 *
 * A word composed of subwords has the weight of a word seen never.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "encoder/words/word_model.h"
#include "funcapi.h"
#include "math/rows.h"
#include "miscadmin.h"
#include "model/encoder.h"
#include "server/extension.h"
#include "text/token.h"
#include "type/vector.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

EMBED_FUNCTION(word_vector);

typedef enum Pooling
{
	POOLING_MEAN,
	POOLING_TFIDF,
	POOLING_SIF
} Pooling;

#define SIF_A 1e-3

static Pooling
choose_pooling(const Words *words, const EncoderRequest *request)
{
	const WordsTotals *totals = words->totals;
	const char *name = request->pooling != NULL ? request->pooling :
		words->pooling;
	Pooling		pooling = choice_index("pooling", name, words_poolings);

	if ((pooling == POOLING_TFIDF && totals->documents < 0) ||
		(pooling == POOLING_SIF && totals->occurrences < 0))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pooling \"%s\" needs counts that model \"%s\" does not have",
						name, words->model->description->table_name),
				 errhint("Use pooling => 'mean', or fill the columns documents and occurrences, "
						 "row 0 included.")));
	return pooling;
}

static double
weight_of(const Words *words, Pooling pooling, const WordEntry *entry)
{
	double		seen;

	switch (pooling)
	{
		case POOLING_MEAN:
			return 1;
		case POOLING_TFIDF:
			seen = entry && entry->documents > 0 ? entry->documents : 0;
			return log((1 + (double) words->totals->documents) / (1 + seen)) +
				   1;
		case POOLING_SIF:
			seen = entry && entry->occurrences > 0 ? entry->occurrences : 0;
			return SIF_A / (SIF_A + seen / words->totals->occurrences);
	}
	return 1;
}

/*
 * Sum of the weighted vectors of a text in "sum"; returns the divisor, 0 if
 * no word is known.
 */
static double
pool_text(Words *words, Pooling pooling, const char *text, int length,
		  float *sum)
{
	const WordEntry *entries[TOKEN_BATCH];
	const float *rows[TOKEN_BATCH];
	float		weights[TOKEN_BATCH];
	int			stride = words->totals->stride;
	double		divisor = 0;
	int			count;

	memset(sum, 0, sizeof(float) * stride);
	words_text_begin(words, text, length);
	while ((count = words_text_next(words, entries)) > 0)
	{
		int			known = 0;

		for (int i = 0; i < count; i++)
		{
			const Token *token = &words->tokens[i];
			const float *row = entries[i] ? words_row(words, entries[i]->row) :
				words_compose(words, token->text, token->length);

			if (row == NULL)
				continue;
			weights[known] = weight_of(words, pooling, entries[i]);
			divisor += pooling == POOLING_SIF ? 1 : weights[known];
			if (entries[i] == NULL)
				rows_sum(stride, &row, &weights[known], 1, sum);
			else
				rows[known++] = row;
		}
		rows_sum(stride, rows, weights, known, sum);
	}
	return divisor;
}

/* ---------- rows and weights ---------- */

typedef struct Features
{
	Words	   *words;
	Pooling		pooling;
	const float **parts;		/* rows of an unseen word */
	int64	   *rows;
	double	   *weights;
	int			count;
	int			capacity;
	double		divisor;
} Features;

static void
add_feature(Features *features, const float *row, double weight)
{
	if (features->count == features->capacity)
	{
		features->capacity *= 2;
		features->rows = repalloc(features->rows,
								  sizeof(int64) * features->capacity);
		features->weights = repalloc(features->weights,
									 sizeof(double) * features->capacity);
	}
	features->rows[features->count] = words_row_number(features->words, row);
	features->weights[features->count++] = weight;
}

static void
add_word(Features *features, const Token *token, const WordEntry *entry)
{
	Words	   *words = features->words;
	double		weight = weight_of(words, features->pooling, entry);
	int			count = 0;

	if (entry != NULL)
		add_feature(features, words_row(words, entry->row), weight);
	else
		count = words_compose_rows(words, token->text, token->length,
								   features->parts, words_most_rows(words));
	for (int i = 0; i < count; i++)
		add_feature(features, features->parts[i], weight / count);
	if (entry != NULL || count > 0)
		features->divisor += features->pooling == POOLING_SIF ? 1 : weight;
}

bool
words_features(void *state, const EncoderText *text,
			   TuneReceiveRow receive, void *argument)
{
	static const EncoderRequest as_the_model_says = {0};
	Words	   *words = state;
	Features	features = {words};
	const WordEntry *entries[TOKEN_BATCH];
	int			count;

	features.pooling = choose_pooling(words, &as_the_model_says);
	features.parts = palloc(sizeof(float *) * words_most_rows(words));
	features.capacity = 64;
	features.rows = palloc(sizeof(int64) * features.capacity);
	features.weights = palloc(sizeof(double) * features.capacity);
	words_text_begin(words, text->text, text->length);
	while ((count = words_text_next(words, entries)) > 0)
	{
		for (int i = 0; i < count; i++)
			add_word(&features, &words->tokens[i], entries[i]);
	}
	for (int i = 0; i < features.count && features.divisor > 0; i++)
		receive(argument, features.rows[i],
				(float) (features.weights[i] / features.divisor));
	pfree(features.parts);
	pfree(features.rows);
	pfree(features.weights);
	return features.divisor > 0;
}

/* ---------- the face of encoders ---------- */

static int
open_words(FmgrInfo *flinfo, Model *model, void **state)
{
	return words_attach(flinfo, model, state)->totals->dims;
}

static void
encode_words(void *state, const EncoderRequest *request, int count,
			 const EncoderText *texts, float *rows, bool *known)
{
	Words	   *words = state;
	Pooling		pooling = choose_pooling(words, request);
	int			dims = words->totals->dims;
	float	   *sum = palloc(sizeof(float) * Max(words->totals->stride, 1));

	for (int i = 0; i < count; i++)
	{
		double		divisor = pool_text(words, pooling, texts[i].text,
										texts[i].length, sum);
		double		factor = 1 / divisor;

		known[i] = divisor > 0;
		for (int d = 0; known[i] && d < dims; d++)
			rows[(Size) i * dims + d] = (float) (sum[d] * factor);
	}
	pfree(sum);
}

static void
tokens_of_words(void *state, const EncoderRequest *request,
				const EncoderText *text, EncoderReceiveToken receive,
				void *argument)
{
	Words	   *words = state;
	const WordEntry *entries[TOKEN_BATCH];
	int			count;

	words_text_begin(words, text->text, text->length);
	while ((count = words_text_next(words, entries)) > 0)
	{
		for (int i = 0; i < count; i++)
		{
			const Token *token = &words->tokens[i];

			receive(argument, token->position + 1, token->text, token->length,
					entries[i] ? words_row(words, entries[i]->row) :
					words_compose(words, token->text, token->length));
		}
	}
}

static const char *const units[] = {"word", NULL};

const Encoder words_encoder = {
	.poolings = words_poolings,
	.units = units,
	.open = open_words,
	.encode = encode_words,
	.tokens = tokens_of_words
};

static Vector *
words_vector(const Words *words, const float *row)
{
	Vector	   *vector = vector_create(words->totals->dims);

	memcpy(vector->x, row, sizeof(float) * vector->dims);
	return vector;
}

/* word_vector(model, word) -> vector */
Datum
word_vector(PG_FUNCTION_ARGS)
{
	Words	   *words = words_open(fcinfo->flinfo, PG_GETARG_OID(0));
	const WordEntry *entry;
	const float *row;
	text	   *word;
	Datum		result;

	if (call_site_lookup(fcinfo, &result))
		return result;
	word = PG_GETARG_TEXT_PP(1);
	row = words_lookup(words, VARDATA_ANY(word), VARSIZE_ANY_EXHDR(word),
					   &entry);
	fcinfo->isnull = row == NULL;
	return call_site_store(fcinfo, row == NULL ? (Datum) 0 :
						   PointerGetDatum(words_vector(words, row)));
}
