/*-------------------------------------------------------------------------
 *
 * nearest.c
 *	  The words of a model most similar to a word, a vector or an analogy.
 *
 * A scan of the matrix in the image: a vocabulary of 100,000 words with 100
 * dimensions takes about a millisecond, and the result is exact.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "encoder/words/word_model.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "server/set_result.h"
#include "type/vector.h"
#include "utils/array.h"
#include "utils/builtins.h"

EMBED_FUNCTION(nearest_words_of_word);
EMBED_FUNCTION(nearest_words_of_vector);
EMBED_FUNCTION(analogy);

typedef struct Neighbour
{
	float		similarity;
	int32		entry;
} Neighbour;

/* Best first; of equal ones the word that stands first in the table. */
static inline bool
better(const Neighbour *a, const Neighbour *b)
{
	return a->similarity > b->similarity ||
		(a->similarity == b->similarity && a->entry < b->entry);
}

static int
compare_neighbours(const void *a, const void *b)
{
	return better(a, b) ? -1 : better(b, a) ? 1 : 0;
}

/* A heap whose first element is the worst of those kept. */
static void
heap_sift(Neighbour *heap, int count, int at)
{
	Neighbour	moving = heap[at];

	for (int child; (child = 2 * at + 1) < count; at = child)
	{
		if (child + 1 < count && better(&heap[child], &heap[child + 1]))
			child++;
		if (!better(&moving, &heap[child]))
			break;
		heap[at] = heap[child];
	}
	heap[at] = moving;
}

static void
check_count(int count)
{
	if (count < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("count must not be negative")));
}

/*
 * The best "count" entries for a query of length 1, those in "excluded" left
 * out; returns how many.
 */
static int
find_nearest(const Words *words, const float *query, int count,
			 const WordEntry **excluded, int excluded_count,
			 Neighbour **neighbours)
{
	Neighbour  *heap;
	int			kept = 0;

	count = Min(count, words->totals->words);
	heap = palloc_extended(sizeof(Neighbour) * Max(count, 1), MCXT_ALLOC_HUGE);
	*neighbours = heap;
	for (int32 i = 0; count > 0 && i < words->totals->words; i++)
	{
		const WordEntry *entry = &words->entries[i];
		Neighbour	neighbour;
		bool		skip = false;

		if (i % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		neighbour.entry = i;
		neighbour.similarity = entry->inverse_norm *
			vector_inner_kernel(words->totals->dims, query,
								words_row(words, entry->row));
		if (kept == count && !better(&neighbour, &heap[0]))
			continue;
		for (int n = 0; n < excluded_count; n++)
			skip |= entry == excluded[n];
		if (skip)
			continue;
		if (kept < count)
		{
			heap[kept++] = neighbour;
			if (kept == count)
				for (int n = count / 2; n >= 0; n--)
					heap_sift(heap, kept, n);
		}
		else
		{
			heap[0] = neighbour;
			heap_sift(heap, kept, 0);
		}
	}
	qsort(heap, kept, sizeof(Neighbour), compare_neighbours);
	return kept;
}

static void
return_neighbours(struct ReturnSetInfo *result, const Words *words,
				  const float *query, int count, const WordEntry **excluded,
				  int excluded_count)
{
	Neighbour  *neighbours;
	int			found = find_nearest(words, query, count, excluded,
									 excluded_count, &neighbours);

	for (int i = 0; i < found; i++)
	{
		const WordEntry *entry = &words->entries[neighbours[i].entry];
		Datum		values[2];
		bool		nulls[2] = {false, false};

		values[0] = PointerGetDatum(cstring_to_text_with_len(words->texts + entry->text,
															 entry->length));
		values[1] = Float8GetDatum(Max(-1.0, Min(1.0, neighbours[i].similarity)));
		set_result_add(result, values, nulls);
	}
}

/* to += from / |from| * factor; false for a zero vector */
static bool
add_unit(float *to, const float *from, int dims, float factor)
{
	float		square = vector_inner_kernel(dims, from, from);

	if (square <= 0)
		return false;
	factor /= sqrtf(square);
	for (int i = 0; i < dims; i++)
		to[i] += from[i] * factor;
	return true;
}

/* nearest_words(model, word, count): the word itself is left out */
Datum
nearest_words_of_word(PG_FUNCTION_ARGS)
{
	struct ReturnSetInfo *result;
	Words	   *words = words_open(fcinfo->flinfo, PG_GETARG_OID(0));
	text	   *word = PG_GETARG_TEXT_PP(1);
	int			count = PG_GETARG_INT32(2);
	const WordEntry *entry;
	const float *row;
	float	   *query;

	check_count(count);
	result = set_result_begin(fcinfo);
	row = words_lookup(words, VARDATA_ANY(word), VARSIZE_ANY_EXHDR(word),
					   &entry);
	query = palloc0(sizeof(float) * Max(words->totals->dims, 1));
	if (row != NULL && add_unit(query, row, words->totals->dims, 1))
		return_neighbours(result, words, query, count, &entry,
						  entry != NULL ? 1 : 0);
	return (Datum) 0;
}

/* nearest_words(model, vector, count) */
Datum
nearest_words_of_vector(PG_FUNCTION_ARGS)
{
	struct ReturnSetInfo *result;
	Words	   *words = words_open(fcinfo->flinfo, PG_GETARG_OID(0));
	Vector	   *vector = PG_GETARG_VECTOR(1);
	int			count = PG_GETARG_INT32(2);
	float	   *query;

	check_count(count);
	if (vector->dims != words->totals->dims)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("expected %d dimensions, not %d", words->totals->dims,
						vector->dims)));
	result = set_result_begin(fcinfo);
	query = palloc0(sizeof(float) * vector->dims);
	if (add_unit(query, vector->x, vector->dims, 1))
		return_neighbours(result, words, query, count, NULL, 0);
	return (Datum) 0;
}

/*
 * Add the unit vectors of an array of words; false if one of them is unknown.
 */
static bool
add_words(Words *words, ArrayType *array, float factor, float *query,
		  const WordEntry **used, int *used_count)
{
	Datum	   *texts;
	bool	   *nulls;
	int			count;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &texts, &nulls,
					  &count);
	for (int i = 0; i < count; i++)
	{
		const WordEntry *entry;
		const float *row;
		text	   *word;

		if (nulls[i])
			return false;
		word = DatumGetTextPP(texts[i]);
		row = words_lookup(words, VARDATA_ANY(word), VARSIZE_ANY_EXHDR(word),
						   &entry);
		if (row == NULL)
			return false;
		add_unit(query, row, words->totals->dims, factor);
		if (entry != NULL)
			used[(*used_count)++] = entry;
	}
	return true;
}

/*
 * analogy(model, positive, negative, count): the words nearest to the sum of
 * the positive words' unit vectors minus the negative ones' (3CosAdd, Mikolov
 * et al., "Linguistic Regularities in Continuous Space Word Representations",
 * NAACL 2013), the words asked with left out.
 */
Datum
analogy(PG_FUNCTION_ARGS)
{
	struct ReturnSetInfo *result;
	Words	   *words = words_open(fcinfo->flinfo, PG_GETARG_OID(0));
	ArrayType  *positive = PG_GETARG_ARRAYTYPE_P(1);
	ArrayType  *negative = PG_GETARG_ARRAYTYPE_P(2);
	int			count = PG_GETARG_INT32(3);
	int			asked = ArrayGetNItems(ARR_NDIM(positive), ARR_DIMS(positive)) +
		ArrayGetNItems(ARR_NDIM(negative), ARR_DIMS(negative));
	const WordEntry **used = palloc(sizeof(WordEntry *) * Max(asked, 1));
	int			used_count = 0;
	float	   *sum;
	float	   *query;

	check_count(count);
	result = set_result_begin(fcinfo);
	sum = palloc0(sizeof(float) * Max(words->totals->dims, 1));
	query = palloc0(sizeof(float) * Max(words->totals->dims, 1));
	if (add_words(words, positive, 1, sum, used, &used_count) &&
		add_words(words, negative, -1, sum, used, &used_count) &&
		add_unit(query, sum, words->totals->dims, 1))
		return_neighbours(result, words, query, count, used, used_count);
	return (Datum) 0;
}
