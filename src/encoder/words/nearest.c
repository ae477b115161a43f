/*-------------------------------------------------------------------------
 *
 * nearest.c
 *	  The words of a model most similar to a word, a vector or an analogy.
 *
 * A scan of the matrix in the image: a vocabulary of 100,000 words with 100
 * dimensions takes about a millisecond, and the result is exact.
 *
 * By csls (csls.h) a word's similarity is lowered by how near it is to all
 * others.  To know that of a word takes a scan, and of all words as many; but
 * the words nearest to the query are among a candidate's own neighbourhood or
 * worse than it, so that their mean similarity to the candidate bounds what it
 * can reach.  Candidates are taken in the order of that bound until the next
 * cannot be among the best: a few hundred of a hundred thousand, and exact.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "encoder/words/csls.h"
#include "encoder/words/word_model.h"
#include "funcapi.h"
#include "math/distance.h"
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

/* Best first; of equal ones that with the lower id: entries are by id. */
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

/* Keeps the best "count" of those added; what is worse is turned away. */
static void
heap_add(Neighbour *heap, int *kept, int count, Neighbour neighbour)
{
	if (*kept < count)
	{
		heap[(*kept)++] = neighbour;
		if (*kept == count)
			for (int n = count / 2; n >= 0; n--)
				heap_sift(heap, count, n);
	}
	else if (count > 0 && better(&neighbour, &heap[0]))
	{
		heap[0] = neighbour;
		heap_sift(heap, count, 0);
	}
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
		heap_add(heap, &kept, count, neighbour);
	}
	qsort(heap, kept, sizeof(Neighbour), compare_neighbours);
	return kept;
}

static void
return_neighbours(struct ReturnSetInfo *result, const Words *words,
				  const Neighbour *neighbours, int count, double most)
{
	for (int i = 0; i < count; i++)
	{
		const WordEntry *entry = &words->entries[neighbours[i].entry];
		Datum		values[2];
		bool		nulls[2] = {false, false};

		values[0] = PointerGetDatum(cstring_to_text_with_len(
			words->texts + entry->text, entry->length));
		values[1] = Float8GetDatum(
			Max(-most, Min(most, neighbours[i].similarity)));
		set_result_add(result, values, nulls);
	}
}

static void
return_nearest(struct ReturnSetInfo *result, const Words *words,
			   const float *query, int count, const WordEntry **excluded,
			   int excluded_count)
{
	Neighbour  *neighbours;
	int			found = find_nearest(words, query, count, excluded,
									 excluded_count, &neighbours);

	return_neighbours(result, words, neighbours, found, 1);
}

/* to += from / |from| * factor; false for a zero vector */
static bool
add_unit(float *to, const float *from, int dims, float factor)
{
	float		inverse = words_inverse_norm(dims, from);

	if (inverse == 0)
		return false;
	factor *= inverse;
	for (int i = 0; i < dims; i++)
		to[i] += from[i] * factor;
	return true;
}

/* ---------- similarity less neighbourhood ---------- */

/* What floats may make of a bound */
#define BOUND_SLACK 1e-5

/* Of a query and the model whose words the candidates' neighbours are. */
typedef struct CslsSearch
{
	const Words *words;			/* that are asked for */
	const Words *others;		/* among which their neighbours are */
	const float *query;			/* of length 1 */
	int32		self;			/* entry of "words" that is asked with, or -1 */
	float	   *center;			/* sum of the query's neighbours in others */
	Neighbour  *nearest;		/* those neighbours */
	int			nearest_count;
	PackedUnits *packed;
} CslsSearch;

/* one more than a neighbourhood, for one of them may be the candidate */
static void
find_center(CslsSearch *search)
{
	const Words *others = search->others;
	int			dims = others->totals->dims;

	search->nearest_count = find_nearest(others, search->query,
										 CSLS_NEIGHBOURS + 1, NULL, 0,
										 &search->nearest);
	search->center = palloc0(sizeof(float) * Max(dims, 1));
	for (int i = 0; i < search->nearest_count; i++)
	{
		const WordEntry *entry =
			&others->entries[search->nearest[i].entry];
		const float *row = words_row(others, entry->row);

		for (int d = 0; d < dims; d++)
			search->center[d] += row[d] * entry->inverse_norm;
	}
}

/*
 * The most that a candidate can reach, less the query's own neighbourhood:
 * the mean of its ten nearest words is at least the mean of any ten or more.
 */
static float
bound_of(const CslsSearch *search, int32 candidate)
{
	const WordEntry *entry = &search->words->entries[candidate];
	const float *row = words_row(search->words, entry->row);
	int			dims = search->words->totals->dims;
	float		sum = entry->inverse_norm *
		vector_inner_kernel(dims, search->center, row);
	int			count = search->nearest_count;

	for (int i = 0; search->words == search->others &&
		 i < search->nearest_count; i++)
		if (search->nearest[i].entry == candidate)
		{
			sum -= 1;
			count--;
		}
	return 2 * entry->inverse_norm *
		vector_inner_kernel(dims, search->query, row) -
		(count > 0 ? sum / count : 0) + BOUND_SLACK;
}

/* All words that have a direction, by their bounds */
static int32
sort_candidates(const CslsSearch *search, Neighbour **candidates)
{
	const Words *words = search->words;
	int32		count = 0;

	*candidates = palloc_extended(
		mul_size(Max(words->totals->words, 1), sizeof(Neighbour)),
		MCXT_ALLOC_HUGE);
	for (int32 i = 0; i < words->totals->words; i++)
	{
		if (i % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		if (i == search->self || words->entries[i].inverse_norm <= 0)
			continue;
		(*candidates)[count].entry = i;
		(*candidates)[count++].similarity = bound_of(search, i);
	}
	qsort(*candidates, count, sizeof(Neighbour), compare_neighbours);
	return count;
}

/* What the candidates reach in truth, in place of their bounds */
static void
weigh_candidates(const CslsSearch *search, Neighbour *candidates, int count)
{
	const Words *words = search->words;
	int32		self[UNITS_PACKED];
	float		means[UNITS_PACKED];
	UnitRows	units;

	unit_rows_create(&units, count, words->totals->dims);
	for (int i = 0; i < count; i++)
	{
		self[i] = candidates[i].entry;
		unit_rows_set(&units, i,
					  words_row(words, words->entries[self[i]].row));
	}
	csls_neighbourhoods(search->others, search->packed, &units,
						search->words == search->others ? self : NULL,
						means);
	for (int i = 0; i < count; i++)
		candidates[i].similarity =
			2 * vector_inner_kernel(units.dims, search->query,
									units.rows + (Size) i * units.stride) -
			means[i];
	pfree(units.rows);
}

/* the mean similarity of the query's ten nearest words, itself left out */
static float
own_neighbourhood(const CslsSearch *search)
{
	const WordEntry *self = &search->words->entries[Max(search->self, 0)];
	Neighbour  *nearest;
	int			found = find_nearest(search->words, search->query,
									 CSLS_NEIGHBOURS, &self,
									 search->self >= 0 ? 1 : 0, &nearest);
	double		sum = 0;

	for (int i = 0; i < found; i++)
		sum += nearest[i].similarity;
	return found == 0 ? 0 : (float) (sum / found);
}

static void
return_csls(struct ReturnSetInfo *result, CslsSearch *search, int count)
{
	int32		batch = Min(Max(count, 64), UNITS_PACKED);
	Neighbour  *candidates;
	Neighbour  *heap;
	int32		candidate_count;
	float		own = own_neighbourhood(search);
	int			kept = 0;

	count = Min(count, search->words->totals->words);
	heap = palloc_extended(mul_size(Max(count, 1), sizeof(Neighbour)),
						   MCXT_ALLOC_HUGE);
	search->packed = packed_units_create(search->words->totals->dims);
	find_center(search);
	candidate_count = sort_candidates(search, &candidates);
	for (int32 from = 0; count > 0 && from < candidate_count; from += batch)
	{
		int			some = Min(batch, candidate_count - from);

		if (kept == count && candidates[from].similarity < heap[0].similarity)
			break;
		weigh_candidates(search, candidates + from, some);
		for (int i = 0; i < some; i++)
			heap_add(heap, &kept, count, candidates[from + i]);
	}
	qsort(heap, kept, sizeof(Neighbour), compare_neighbours);
	for (int i = 0; i < kept; i++)
		heap[i].similarity -= own;
	return_neighbours(result, search->words, heap, kept, 4);
}

/* ---------- the functions ---------- */

typedef enum Similarity
{
	SIMILARITY_COSINE,
	SIMILARITY_CSLS
} Similarity;

static Similarity
similarity_argument(text *argument)
{
	char	   *name = text_to_cstring(argument);

	if (strcmp(name, "cosine") == 0)
		return SIMILARITY_COSINE;
	if (strcmp(name, "csls") == 0)
		return SIMILARITY_CSLS;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown similarity \"%s\"", name),
			 errhint("Use one of cosine, csls.")));
}

/* nearest_words(model, word, count, similarity): the word is left out */
Datum
nearest_words_of_word(PG_FUNCTION_ARGS)
{
	struct ReturnSetInfo *result;
	Words	   *words = words_open(fcinfo->flinfo, PG_GETARG_OID(0));
	text	   *word = PG_GETARG_TEXT_PP(1);
	int			count = PG_GETARG_INT32(2);
	Similarity	similarity = similarity_argument(PG_GETARG_TEXT_PP(3));
	CslsSearch	search = {.words = words, .others = words};
	const WordEntry *entry;
	const float *row;
	float	   *query;

	check_count(count);
	result = set_result_begin(fcinfo);
	row = words_lookup(words, VARDATA_ANY(word), VARSIZE_ANY_EXHDR(word),
					   &entry);
	query = palloc0(sizeof(float) * Max(words->totals->dims, 1));
	if (row == NULL || !add_unit(query, row, words->totals->dims, 1))
		return (Datum) 0;
	search.query = query;
	search.self = entry != NULL ? (int32) (entry - words->entries) : -1;
	if (similarity == SIMILARITY_CSLS)
		return_csls(result, &search, count);
	else
		return_nearest(result, words, query, count, &entry,
					   entry != NULL ? 1 : 0);
	return (Datum) 0;
}

/* The model whose words are the other side, if another is named */
static const Words *
source_argument(FunctionCallInfo fcinfo, const Words *words,
				Similarity similarity)
{
	Words	   *source;

	if (PG_ARGISNULL(4) || PG_GETARG_OID(4) == PG_GETARG_OID(0))
		return words;
	if (similarity != SIMILARITY_CSLS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("source is of use only with similarity \"csls\""),
				 errdetail("A cosine does not depend on other words.")));
	source = words_open_further(fcinfo->flinfo, 1, PG_GETARG_OID(4));
	if (source->totals->dims != words->totals->dims)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("models \"%s\" and \"%s\" have different dimensions",
						source->model->description->table_name,
						words->model->description->table_name),
				 errdetail("They are %d and %d.", source->totals->dims,
						   words->totals->dims)));
	return source;
}

/* nearest_words(model, vector, count, similarity, source) */
Datum
nearest_words_of_vector(PG_FUNCTION_ARGS)
{
	struct ReturnSetInfo *result;
	CslsSearch	search = {.self = -1};
	Similarity	similarity;
	Words	   *words;
	Vector	   *vector;
	int			count;
	float	   *query;

	for (int i = 0; i < 4; i++)
		if (PG_ARGISNULL(i))
		{
			(void) set_result_begin(fcinfo);
			return (Datum) 0;
		}
	words = words_open(fcinfo->flinfo, PG_GETARG_OID(0));
	vector = PG_GETARG_VECTOR(1);
	count = PG_GETARG_INT32(2);
	similarity = similarity_argument(PG_GETARG_TEXT_PP(3));
	check_count(count);
	if (vector->dims != words->totals->dims)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("expected %d dimensions, not %d", words->totals->dims,
						vector->dims)));
	search.words = words;
	search.others = source_argument(fcinfo, words, similarity);
	result = set_result_begin(fcinfo);
	query = palloc0(sizeof(float) * vector->dims);
	search.query = query;
	if (!add_unit(query, vector->x, vector->dims, 1))
		return (Datum) 0;
	if (similarity == SIMILARITY_CSLS)
		return_csls(result, &search, count);
	else
		return_nearest(result, words, query, count, NULL, 0);
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
	int			asked = ArrayGetNItems(ARR_NDIM(positive),
									   ARR_DIMS(positive)) +
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
		return_nearest(result, words, query, count, used, used_count);
	return (Datum) 0;
}
