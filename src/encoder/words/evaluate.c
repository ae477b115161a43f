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

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "encoder/words/word_model.h"
#include "server/set_result.h"
#include "type/vector.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

EMBED_FUNCTION(evaluate_analogies);
EMBED_FUNCTION(evaluate_similarity);

#define FETCH_ROWS 1000

/* Questions answered together: the matrix is read once for so many. */
#define BATCH 64
/* Words a batch looks at together: their rows stay in the second cache. */
#define WORD_BLOCK 256

/* ---------- reading questions ---------- */

typedef struct QuestionReader
{
	Portal		portal;
	uint64		row;
	int			columns;
	MemoryContext row_context;
} QuestionReader;

static void
reader_open(QuestionReader *reader, const char *query, int columns,
			const char *shape)
{
	SPIPlanPtr	plan;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	plan = SPI_prepare(query, 0, NULL);
	if (plan == NULL || !SPI_is_cursor_plan(plan))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("query of the evaluation is not a SELECT"),
				 errdetail("The query is \"%s\".", query),
				 errhint("Its columns are %s.", shape)));
	reader->portal = SPI_cursor_open(NULL, plan, NULL, NULL, true);
	reader->columns = columns;
	reader->row_context = AllocSetContextCreate(CurrentMemoryContext,
												"embed evaluation row",
												ALLOCSET_DEFAULT_SIZES);
	reader->row = 0;
	SPI_cursor_fetch(reader->portal, true, FETCH_ROWS);
	if (SPI_tuptable->tupdesc->natts != columns)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("query of the evaluation has %d columns, not %d",
						SPI_tuptable->tupdesc->natts, columns),
				 errdetail("The query is \"%s\".", query),
				 errhint("Its columns are %s.", shape)));
}

/*
 * The next row as text, NULL for NULL; false at the end.  What is allocated
 * from here on lasts until the next row.
 */
static bool
reader_next(QuestionReader *reader, char **columns)
{
	if (reader->row == SPI_processed)
	{
		CHECK_FOR_INTERRUPTS();
		SPI_freetuptable(SPI_tuptable);
		SPI_cursor_fetch(reader->portal, true, FETCH_ROWS);
		reader->row = 0;
	}
	if (SPI_processed == 0)
		return false;
	MemoryContextReset(reader->row_context);
	MemoryContextSwitchTo(reader->row_context);
	for (int i = 0; i < reader->columns; i++)
		columns[i] = SPI_getvalue(SPI_tuptable->vals[reader->row],
								  SPI_tuptable->tupdesc, i + 1);
	reader->row++;
	return true;
}

static void
reader_close(QuestionReader *reader)
{
	SPI_cursor_close(reader->portal);
	SPI_finish();
}

/* Unit vector of a word, NULL if it is unknown or zero */
static float *
unit_vector(Words *words, const char *word, const WordEntry **entry)
{
	int			dims = words->totals->dims;
	const float *row;
	float	   *unit;
	float		square;

	*entry = NULL;
	if (word == NULL)
		return NULL;
	row = words_lookup(words, word, strlen(word), entry);
	square = row == NULL ? 0 : vector_inner_kernel(dims, row, row);
	if (square <= 0)
		return NULL;
	unit = palloc(sizeof(float) * dims);
	for (int i = 0; i < dims; i++)
		unit[i] = row[i] / sqrtf(square);
	return unit;
}

/* ---------- analogies ---------- */

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
	MemoryContext batch_context;
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
										sizeof(Section) * (evaluation->section_count + 16));
	section = &evaluation->sections[evaluation->section_count];
	memset(section, 0, sizeof(Section));
	section->name = MemoryContextStrdup(GetMemoryChunkContext(evaluation->sections),
										name);
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
					consider(question, entry, entry->inverse_norm *
							 vector_inner_kernel(dims, question->query,
												 words_row(words, entry->row)));
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
	MemoryContextReset(evaluation->batch_context);
}

/* columns: section, a, b, c, expected */
static void
ask(Evaluation *evaluation, char **columns)
{
	Words	   *words = evaluation->words;
	int			dims = words->totals->dims;
	Question   *question = &evaluation->batch[evaluation->batch_count];
	MemoryContext old = MemoryContextSwitchTo(evaluation->batch_context);
	float	   *units[3];
	bool		known;

	question->section = find_section(evaluation,
									 columns[0] != NULL ? columns[0] : "");
	evaluation->sections[question->section].questions++;
	known = unit_vector(words, columns[4], &question->expected) != NULL;
	for (int i = 0; i < 3; i++)
	{
		units[i] = unit_vector(words, columns[1 + i], &question->asked[i]);
		known = known && units[i] != NULL && question->asked[i] != NULL &&
			question->asked[i]->id <= evaluation->considered;
	}
	known = known && question->expected != NULL &&
		question->expected->id <= evaluation->considered;
	if (known)
	{
		question->query = palloc(sizeof(float) * dims);
		for (int i = 0; i < dims; i++)
			question->query[i] = units[1][i] - units[0][i] + units[2][i];
		question->best = NULL;
		question->best_similarity = -FLT_MAX;
		evaluation->batch_count++;
	}
	MemoryContextSwitchTo(old);
	if (evaluation->batch_count == BATCH)
		answer_batch(evaluation);
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
	QuestionReader reader;
	Section		total = {"total", 0, 0, 0};
	char	   *columns[5];

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("model and query must not be null")));
	evaluation = palloc0(sizeof(Evaluation));
	evaluation->words = words_open(fcinfo->flinfo, PG_GETARG_OID(0));
	evaluation->considered = PG_ARGISNULL(2) ? PG_INT32_MAX : PG_GETARG_INT32(2);
	evaluation->sections = palloc(sizeof(Section));
	evaluation->batch_context = AllocSetContextCreate(CurrentMemoryContext,
													  "embed analogies",
													  ALLOCSET_DEFAULT_SIZES);
	result = set_result_begin(fcinfo);

	reader_open(&reader, text_to_cstring(PG_GETARG_TEXT_PP(1)), 5,
				"section, a, b, c and expected, as in \"a is to b as c is to expected\"");
	while (reader_next(&reader, columns))
		ask(evaluation, columns);
	answer_batch(evaluation);
	reader_close(&reader);

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
	Ranked	   *sorted = palloc_extended(mul_size(Max(count, 1), sizeof(Ranked)),
										 MCXT_ALLOC_HUGE);

	for (int64 i = 0; i < count; i++)
	{
		sorted[i].value = values[i];
		sorted[i].pair = i;
	}
	qsort(sorted, count, sizeof(Ranked), compare_ranked);
	for (int64 from = 0, to; from < count; from = to)
	{
		for (to = from; to < count && sorted[to].value == sorted[from].value; to++)
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

typedef struct Pairs
{
	double	   *judged;
	double	   *computed;
	int64		count;			/* with both words known */
	int64		capacity;
	int64		all;
} Pairs;

static double
parse_score(const char *score)
{
	char	   *end;
	double		value = score == NULL ? NAN : strtod(score, &end);

	if (!isfinite(value) || *end != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("score of a pair of words is not a finite number"),
				 errdetail("The score is %s.", score == NULL ? "null" : score)));
	return value;
}

static void
add_pair(Pairs *pairs, Words *words, char **columns)
{
	const WordEntry *entry;
	float	   *first = unit_vector(words, columns[0], &entry);
	float	   *second = unit_vector(words, columns[1], &entry);
	double		score = parse_score(columns[2]);

	pairs->all++;
	if (first == NULL || second == NULL)
		return;
	if (pairs->count == pairs->capacity)
	{
		pairs->capacity *= 2;
		pairs->judged = repalloc_huge(pairs->judged,
									  sizeof(double) * pairs->capacity);
		pairs->computed = repalloc_huge(pairs->computed,
										sizeof(double) * pairs->capacity);
	}
	pairs->judged[pairs->count] = score;
	pairs->computed[pairs->count++] =
		vector_inner_kernel(words->totals->dims, first, second);
}

/* evaluate_similarity(model, query) -> (pairs, answered, pearson, spearman) */
Datum
evaluate_similarity(PG_FUNCTION_ARGS)
{
	Words	   *words = words_open(fcinfo->flinfo, PG_GETARG_OID(0));
	struct ReturnSetInfo *result = set_result_begin(fcinfo);
	QuestionReader reader;
	Pairs		pairs = {NULL, NULL, 0, 1024, 0};
	char	   *columns[3];
	double		pearson;
	double		spearman;
	Datum		values[4];
	bool		nulls[4] = {false};

	pairs.judged = palloc(sizeof(double) * pairs.capacity);
	pairs.computed = palloc(sizeof(double) * pairs.capacity);
	reader_open(&reader, text_to_cstring(PG_GETARG_TEXT_PP(1)), 3,
				"two words and a score");
	while (reader_next(&reader, columns))
		add_pair(&pairs, words, columns);
	reader_close(&reader);

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
