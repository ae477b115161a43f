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
#include "server/extension.h"
#include "server/set_result.h"
#include "text/token.h"
#include "type/vector.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

EMBED_FUNCTION(embed);
EMBED_FUNCTION(embed_array);
EMBED_FUNCTION(embed_tokens);
EMBED_FUNCTION(word_vector);

typedef enum Pooling
{
	POOLING_MEAN,
	POOLING_TFIDF,
	POOLING_SIF
} Pooling;

#define SIF_A 1e-3

static Pooling
choose_pooling(const Words *words, FunctionCallInfo fcinfo, int argument)
{
	const WordsTotals *totals = words->totals;
	const char *name = words->pooling;
	Pooling		pooling;

	if (!PG_ARGISNULL(argument))
		name = text_to_cstring(PG_GETARG_TEXT_PP(argument));
	pooling = choice_index("pooling", name, words_poolings);
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
			return log((1 + (double) words->totals->documents) / (1 + seen)) + 1;
		case POOLING_SIF:
			seen = entry && entry->occurrences > 0 ? entry->occurrences : 0;
			return SIF_A / (SIF_A + seen / words->totals->occurrences);
	}
	return 1;
}

/*
 * Look up the words of a batch in two steps, so that slots and entries come
 * from memory while others are in work.
 */
static void
find_batch(const Words *words, int count, const WordEntry **entries)
{
	for (int i = 0; i < count; i++)
		__builtin_prefetch(&words->slots[words->tokens[i].hash &
										 words->slot_mask]);
	for (int i = 0; i < count; i++)
		words_prefetch_entry(words, words->tokens[i].hash);
	for (int i = 0; i < count; i++)
	{
		const Token *token = &words->tokens[i];

		entries[i] = words_find(words, token->text, token->length,
								token->hash);
	}
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
	token_stream_begin(words->stream, text, length);
	while ((count = token_stream_next(words->stream, words->tokens,
									  TOKEN_BATCH)) > 0)
	{
		int			known = 0;

		find_batch(words, count, entries);
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

static Vector *
vector_of_row(const Words *words, const float *row, double factor)
{
	Vector	   *vector = vector_create(words->totals->dims);

	for (int i = 0; i < vector->dims; i++)
	{
		vector->x[i] = row[i] * factor;
		if (!isfinite(vector->x[i]))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("value out of range: overflow")));
	}
	return vector;
}

/* The vector of a text, or NULL */
static Vector *
embed_text(Words *words, Pooling pooling, text *input)
{
	float	   *sum = palloc(sizeof(float) * Max(words->totals->stride, 1));
	double		divisor = pool_text(words, pooling, VARDATA_ANY(input),
									VARSIZE_ANY_EXHDR(input), sum);

	return divisor > 0 ? vector_of_row(words, sum, 1 / divisor) : NULL;
}

static void
refuse_prompt(FunctionCallInfo fcinfo, int argument, const Words *words)
{
	if (!PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model \"%s\" takes no prompt",
						words->model->description->table_name)));
}

/* embed(model, input, pooling, prompt) -> vector */
Datum
embed(PG_FUNCTION_ARGS)
{
	Words	   *words;
	Vector	   *vector;
	Datum		result;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	words = words_open(fcinfo->flinfo, PG_GETARG_OID(0));
	if (call_site_lookup(fcinfo, &result))
		return result;
	refuse_prompt(fcinfo, 3, words);
	vector = embed_text(words, choose_pooling(words, fcinfo, 2),
						PG_GETARG_TEXT_PP(1));
	fcinfo->isnull = vector == NULL;
	return call_site_store(fcinfo, PointerGetDatum(vector));
}

/* embed_array(model, inputs, pooling, prompt) -> vector[] */
Datum
embed_array(PG_FUNCTION_ARGS)
{
	Words	   *words;
	ArrayType  *inputs;
	Datum	   *texts;
	Datum	   *vectors;
	bool	   *nulls;
	int			count;
	Pooling		pooling;
	Oid			vector_type = get_element_type(get_fn_expr_rettype(fcinfo->flinfo));

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	words = words_open(fcinfo->flinfo, PG_GETARG_OID(0));
	refuse_prompt(fcinfo, 3, words);
	pooling = choose_pooling(words, fcinfo, 2);
	inputs = PG_GETARG_ARRAYTYPE_P(1);
	deconstruct_array(inputs, TEXTOID, -1, false, TYPALIGN_INT, &texts, &nulls,
					  &count);
	vectors = palloc(sizeof(Datum) * Max(count, 1));
	for (int i = 0; i < count; i++)
	{
		Vector	   *vector = nulls[i] ? NULL :
			embed_text(words, pooling, DatumGetTextPP(texts[i]));

		nulls[i] = vector == NULL;
		vectors[i] = PointerGetDatum(vector);
	}
	if (!OidIsValid(vector_type))
		vector_type = extension_type("vector");
	PG_RETURN_ARRAYTYPE_P(construct_md_array(vectors, nulls, ARR_NDIM(inputs),
											 ARR_DIMS(inputs), ARR_LBOUND(inputs),
											 vector_type, -1, false,
											 TYPALIGN_INT));
}

/* embed_tokens(model, input) -> (position, token, embedding) */
Datum
embed_tokens(PG_FUNCTION_ARGS)
{
	Words	   *words = words_open(fcinfo->flinfo, PG_GETARG_OID(0));
	text	   *input = PG_GETARG_TEXT_PP(1);
	struct ReturnSetInfo *result = set_result_begin(fcinfo);
	int			count;

	token_stream_begin(words->stream, VARDATA_ANY(input),
					   VARSIZE_ANY_EXHDR(input));
	while ((count = token_stream_next(words->stream, words->tokens,
									  TOKEN_BATCH)) > 0)
	{
		for (int i = 0; i < count; i++)
		{
			const Token *token = &words->tokens[i];
			const WordEntry *entry = words_find(words, token->text,
												token->length, token->hash);
			const float *row = entry ? words_row(words, entry->row) :
				words_compose(words, token->text, token->length);
			Datum		values[3];
			bool		nulls[3] = {false, false, row == NULL};

			values[0] = Int32GetDatum(token->position + 1);
			values[1] = PointerGetDatum(cstring_to_text_with_len(token->text,
																 token->length));
			values[2] = row ? PointerGetDatum(vector_of_row(words, row, 1)) :
				(Datum) 0;
			set_result_add(result, values, nulls);
			CHECK_FOR_INTERRUPTS();
		}
	}
	return (Datum) 0;
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
						   PointerGetDatum(vector_of_row(words, row, 1)));
}
