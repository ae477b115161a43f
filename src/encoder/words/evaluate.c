/*-------------------------------------------------------------------------
 *
 * evaluate.c
 *	  How good word vectors are: analogies, and similarities judged by people.
 *
 * The questions come from a query, so that they may lie in any table.  As in
 * gensim, a question with an unknown word is not answered and not counted;
 * how many were answered is part of the result.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <float.h>
#include <math.h>

#include "encoder/words/word_model.h"
#include "miscadmin.h"
#include "server/query.h"
#include "server/set_result.h"
#include "type/vector.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

EMBED_FUNCTION(evaluate_analogies);
EMBED_FUNCTION(evaluate_similarity);

/* Questions answered together: the matrix is read once for so many. */
#define BATCH 64
/* Words a batch looks at together: their rows stay in the second cache. */
#define WORD_BLOCK 256

/*
 * The word's vector at length one, into unit; false if the word is null,
 * unknown or has a vector of zeros.
 */
static bool
unit_vector(Words *words, const QueryValue *word, float *unit,
			const WordEntry **entry)
{
	int			dims = words->totals->dims;
	const float *row;
	float		inverse;

	*entry = NULL;
	if (word->is_null)
		return false;
	row = words_lookup(words, word->text, word->length, entry);
	inverse = row == NULL ? 0 : words_inverse_norm(dims, row);
	if (inverse == 0)
		return false;
	for (int i = 0; i < dims; i++)
		unit[i] = row[i] * inverse;
	return true;
}

static float *
allocate_vectors(const Words *words, int count)
{
	return palloc_extended(mul_size(Max(words->totals->dims, 1),
									sizeof(float) * count),
						   MCXT_ALLOC_HUGE);
}

/* ---------- analogies ---------- */

enum
{
	ANALOGY_SECTION,
	ANALOGY_ASKED,				/* three of them */
	ANALOGY_EXPECTED = ANALOGY_ASKED + 3
};

static const QueryColumn analogy_columns[] = {
	[ANALOGY_SECTION] = {.name = "section", .kinds = QUERY_LABEL},
	[ANALOGY_ASKED] = {.name = "a", .kinds = QUERY_TEXT},
	{.name = "b", .kinds = QUERY_TEXT},
	{.name = "c", .kinds = QUERY_TEXT},
	[ANALOGY_EXPECTED] = {.name = "expected", .kinds = QUERY_TEXT}
};

static const QueryDeclaration analogy_declaration = {
	.subject = "analogy list",
	.columns = analogy_columns,
	.column_count = lengthof(analogy_columns),
	.hint = "Its columns are section, a, b, c and expected, as in \"a is to b as c is to expected\"."
};

typedef struct Section
{
	char	   *name;
	int64		questions;
	int64		answered;
	int64		correct;
} Section;

/* a is to b as c is to expected */
typedef struct Question
{
	int			section;
	const WordEntry *asked[3];
	const WordEntry *expected;
	const WordEntry *best;
	float		best_similarity;
	float	   *query;
} Question;

typedef struct Evaluation
{
	Words	   *words;
	int32		considered;		/* only words with ids up to this one */
	Section    *sections;
	int			section_count;
	Question	batch[BATCH];
	int			batch_count;
	float	   *units;			/* of the words of one question */
} Evaluation;

static int
find_section(Evaluation *evaluation, const char *name)
{
	Section    *section;

	for (int i = evaluation->section_count - 1; i >= 0; i--)
		if (strcmp(evaluation->sections[i].name, name) == 0)
			return i;
	if (evaluation->section_count % 16 == 0)
		evaluation->sections = repalloc(evaluation->sections,
										sizeof(Section) *
											(evaluation->section_count + 16));
	section = &evaluation->sections[evaluation->section_count];
	memset(section, 0, sizeof(Section));
	section->name =
		MemoryContextStrdup(GetMemoryChunkContext(evaluation->sections), name);
	return evaluation->section_count++;
}

static inline void
consider(Question *question, const WordEntry *entry, float similarity)
{
	if (similarity <= question->best_similarity ||
		entry == question->asked[0] || entry == question->asked[1] ||
		entry == question->asked[2])
		return;
	question->best_similarity = similarity;
	question->best = entry;
}

static void
answer_batch(Evaluation *evaluation)
{
	const Words *words = evaluation->words;
	int			dims = words->totals->dims;

	for (int32 from = 0; from < words->totals->words; from += WORD_BLOCK)
	{
		int32		to = Min(from + WORD_BLOCK, words->totals->words);

		CHECK_FOR_INTERRUPTS();
		for (int n = 0; n < evaluation->batch_count; n++)
		{
			Question   *question = &evaluation->batch[n];

			for (int32 i = from; i < to; i++)
			{
				const WordEntry *entry = &words->entries[i];

				if (entry->id <= evaluation->considered)
					consider(question, entry,
							 entry->inverse_norm *
								 vector_inner_kernel(dims, question->query,
													 words_row(words,
															   entry->row)));
			}
		}
	}
	for (int n = 0; n < evaluation->batch_count; n++)
	{
		Question   *question = &evaluation->batch[n];
		Section    *section = &evaluation->sections[question->section];

		section->answered++;
		section->correct += question->best == question->expected;
	}
	evaluation->batch_count = 0;
}

static bool
is_considered(const Evaluation *evaluation, const WordEntry *entry)
{
	return entry != NULL && entry->id <= evaluation->considered;
}

static void
ask(Evaluation *evaluation, const QueryReader *reader)
{
	Words	   *words = evaluation->words;
	int			dims = words->totals->dims;
	Question   *question = &evaluation->batch[evaluation->batch_count];
	const QueryValue *section = query_value(reader, ANALOGY_SECTION);
	float	   *a = evaluation->units;
	float	   *b = a + dims;
	float	   *c = b + dims;
	bool		known;

	question->section = find_section(evaluation, section->is_null ? "" :
									 section->text);
	evaluation->sections[question->section].questions++;
	known = unit_vector(words, query_value(reader, ANALOGY_EXPECTED), a,
						&question->expected) &&
		is_considered(evaluation, question->expected);
	for (int i = 0; i < 3; i++)
		known = known &&
			unit_vector(words, query_value(reader, ANALOGY_ASKED + i),
						a + (Size) i * dims, &question->asked[i]) &&
			is_considered(evaluation, question->asked[i]);
	if (!known)
		return;
	for (int i = 0; i < dims; i++)
		question->query[i] = b[i] - a[i] + c[i];
	question->best = NULL;
	question->best_similarity = -FLT_MAX;
	evaluation->batch_count++;
	if (evaluation->batch_count == BATCH)
		answer_batch(evaluation);
}

static Evaluation *
start_evaluation(Words *words, int32 considered)
{
	Evaluation *evaluation = palloc0(sizeof(Evaluation));
	float	   *queries = allocate_vectors(words, BATCH);

	evaluation->words = words;
	evaluation->considered = considered;
	evaluation->sections = palloc(sizeof(Section));
	evaluation->units = allocate_vectors(words, 3);
	for (int i = 0; i < BATCH; i++)
		evaluation->batch[i].query = queries + (Size) i * words->totals->dims;
	return evaluation;
}

static void
return_section(struct ReturnSetInfo *result, const Section *section)
{
	Datum		values[5];
	bool		nulls[5] = {false};

	values[0] = CStringGetTextDatum(section->name);
	values[1] = Int64GetDatum(section->questions);
	values[2] = Int64GetDatum(section->answered);
	values[3] = Int64GetDatum(section->correct);
	nulls[4] = section->answered == 0;
	values[4] = nulls[4] ? (Datum) 0 :
		Float8GetDatum((double) section->correct / section->answered);
	set_result_add(result, values, nulls);
}

/* evaluate_analogies(model, query, max_words) */
Datum
evaluate_analogies(PG_FUNCTION_ARGS)
{
	Evaluation *evaluation;
	struct ReturnSetInfo *result;
	QueryReader *reader;
	Section		total = {"total", 0, 0, 0};

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("model and query must not be null")));
	evaluation = start_evaluation(words_open(fcinfo->flinfo, PG_GETARG_OID(0)),
								  PG_ARGISNULL(2) ? PG_INT32_MAX :
								  PG_GETARG_INT32(2));
	result = set_result_begin(fcinfo);
	reader = query_open(&analogy_declaration,
						text_to_cstring(PG_GETARG_TEXT_PP(1)));
	while (query_next(reader))
		ask(evaluation, reader);
	answer_batch(evaluation);
	query_close(reader);

	for (int i = 0; i < evaluation->section_count; i++)
	{
		return_section(result, &evaluation->sections[i]);
		total.questions += evaluation->sections[i].questions;
		total.answered += evaluation->sections[i].answered;
		total.correct += evaluation->sections[i].correct;
	}
	return_section(result, &total);
	return (Datum) 0;
}

/* ---------- similarities ---------- */

typedef struct Ranked
{
	double		value;
	int64		pair;
} Ranked;

static int
compare_ranked(const void *a, const void *b)
{
	const Ranked *x = a;
	const Ranked *y = b;

	return x->value < y->value ? -1 : x->value > y->value ? 1 : 0;
}

/* Replace values by their ranks; equal values share the mean of theirs. */
static void
rank_values(double *values, int64 count)
{
	Ranked	   *sorted = palloc_extended(
			mul_size(Max(count, 1), sizeof(Ranked)), MCXT_ALLOC_HUGE);

	for (int64 i = 0; i < count; i++)
	{
		sorted[i].value = values[i];
		sorted[i].pair = i;
	}
	qsort(sorted, count, sizeof(Ranked), compare_ranked);
	for (int64 from = 0, to; from < count; from = to)
	{
		for (to = from; to < count && sorted[to].value == sorted[from].value;
			 to++)
			;
		for (int64 i = from; i < to; i++)
			values[sorted[i].pair] = (from + to - 1) / 2.0;
	}
	pfree(sorted);
}

/* Pearson's correlation; NaN when one side does not vary */
static double
correlation(const double *x, const double *y, int64 count)
{
	double		mean_x = 0,
				mean_y = 0,
				xx = 0,
				yy = 0,
				xy = 0;

	for (int64 i = 0; i < count; i++)
	{
		mean_x += x[i] / count;
		mean_y += y[i] / count;
	}
	for (int64 i = 0; i < count; i++)
	{
		xx += (x[i] - mean_x) * (x[i] - mean_x);
		yy += (y[i] - mean_y) * (y[i] - mean_y);
		xy += (x[i] - mean_x) * (y[i] - mean_y);
	}
	return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : NAN;
}

enum
{
	PAIR_FIRST,
	PAIR_SECOND,
	PAIR_SCORE
};

static const QueryColumn pair_columns[] = {
	[PAIR_FIRST] = {.name = "first word", .kinds = QUERY_TEXT},
	[PAIR_SECOND] = {.name = "second word", .kinds = QUERY_TEXT},
	[PAIR_SCORE] = {.name = "score", .kinds = QUERY_SCORE,
		.nulls = QUERY_NULL_ERROR,
	.hint = "Cast the scores to double precision."}
};

static const QueryDeclaration pair_declaration = {
	.subject = "pair list",
	.columns = pair_columns,
	.column_count = lengthof(pair_columns),
	.hint = "Its columns are two words and a score."
};

typedef struct Pairs
{
	double	   *judged;
	double	   *computed;
	int64		count;			/* with both words known */
	int64		capacity;
	int64		all;
} Pairs;

static void
grow_pairs(Pairs *pairs)
{
	int64		capacity = pairs->capacity * 2;

	pairs->judged = repalloc_huge(pairs->judged, sizeof(double) * capacity);
	pairs->computed = repalloc_huge(pairs->computed,
									sizeof(double) * capacity);
	pairs->capacity = capacity;
}

/* units: room for two vectors */
static void
add_pair(Pairs *pairs, Words *words, const QueryReader *reader, float *units)
{
	int			dims = words->totals->dims;
	const WordEntry *entry;

	pairs->all++;
	if (!unit_vector(words, query_value(reader, PAIR_FIRST), units, &entry) ||
		!unit_vector(words, query_value(reader, PAIR_SECOND), units + dims,
					 &entry))
		return;
	if (pairs->count == pairs->capacity)
		grow_pairs(pairs);
	pairs->judged[pairs->count] = query_value(reader, PAIR_SCORE)->number;
	pairs->computed[pairs->count++] =
		vector_inner_kernel(dims, units, units + dims);
}

/* evaluate_similarity(model, query) -> (pairs, answered, pearson, spearman) */
Datum
evaluate_similarity(PG_FUNCTION_ARGS)
{
	Words	   *words = words_open(fcinfo->flinfo, PG_GETARG_OID(0));
	struct ReturnSetInfo *result = set_result_begin(fcinfo);
	QueryReader *reader;
	Pairs		pairs = {NULL, NULL, 0, 1024, 0};
	float	   *units = allocate_vectors(words, 2);
	double		pearson;
	double		spearman;
	Datum		values[4];
	bool		nulls[4] = {false};

	pairs.judged = palloc(sizeof(double) * pairs.capacity);
	pairs.computed = palloc(sizeof(double) * pairs.capacity);
	reader = query_open(&pair_declaration,
						text_to_cstring(PG_GETARG_TEXT_PP(1)));
	while (query_next(reader))
		add_pair(&pairs, words, reader, units);
	query_close(reader);

	pearson = correlation(pairs.judged, pairs.computed, pairs.count);
	rank_values(pairs.judged, pairs.count);
	rank_values(pairs.computed, pairs.count);
	spearman = correlation(pairs.judged, pairs.computed, pairs.count);

	values[0] = Int64GetDatum(pairs.all);
	values[1] = Int64GetDatum(pairs.count);
	values[2] = Float8GetDatum(pearson);
	values[3] = Float8GetDatum(spearman);
	nulls[2] = isnan(pearson);
	nulls[3] = isnan(spearman);
	set_result_add(result, values, nulls);
	return (Datum) 0;
}
