/*-------------------------------------------------------------------------
 *
 * search_evaluate.c
 *	  evaluate_search: which columns, fusion and weights answer best.
 *
 * Each judged question is asked once of every column.  What comes back are
 * the candidates of all columns, with their ranks and their parts of the
 * score; every fusion and all weights are then tried on those in memory.
 *
 * Weights are chosen by cross-validation: the questions are dealt into
 * folds, those of a fold are answered with the weights that had the best
 * ndcg on the others, and the figures are of these answers.  So they say what
 * the weights are worth on questions that did not choose them.  The weights
 * returned are those that are best on all questions.
 *
 *-------------------------------------------------------------------------
 */
#include "search/search.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "math/hash.h"
#include "miscadmin.h"
#include "search/judged.h"
#include "search/search_key.h"
#include "server/execute.h"
#include "server/query.h"
#include "server/set_result.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

EMBED_FUNCTION(evaluate_search);

#define FOLDS			5
#define MAX_QUESTIONS	1000000

/* weights in whole numbers that add up to this, the finest that fits */
#define MOST_WEIGHTS	400
static const int weight_steps[] = {20, 10, 5, 4, 3, 2, 1};

/* arguments, in order */
enum
{
	ARG_TABLE,
	ARG_JUDGEMENTS,
	ARG_COUNT,
	ARG_COLUMNS,
	ARG_FILTER,
	ARG_CANDIDATES
};

/* A row that some column has found for a question */
typedef struct Found
{
	double		grade;
	double	   *rank_part;		/* of each side; 0: it has not found it */
	double	   *score_part;
} Found;

typedef struct Judgement
{
	Datum		key;
	double		grade;
} Judgement;

typedef struct Question
{
	char	   *text;
	int			judgement_count;
	int			judgement_room;
	Judgement  *judgements;
	int			ideal_count;
	double	   *ideal;			/* grades above 0, largest first */
	int			found_count;
	Found	   *found;			/* in the order of the key */
} Question;

typedef struct Evaluation
{
	Search		search;
	SearchKey	key;
	MemoryContext context;
	int			question_count;
	int			question_room;
	Question   *questions;
	HTAB	   *by_text;		/* number of a question by its text */
} Evaluation;

typedef struct QuestionEntry
{
	uint64		hash;			/* of the text */
	int			number;			/* of the question */
} QuestionEntry;

/* ---------- judgements ---------- */

static const QueryColumn judgement_columns[] = {
	{.name = "query", .kinds = QUERY_TEXT, .nulls = QUERY_NULL_ERROR},
	{.name = "key", .kinds = QUERY_ANY, .nulls = QUERY_NULL_ERROR},
	{.name = "grade", .kinds = QUERY_SCORE, .nulls = QUERY_NULL_ERROR}
};

static const QueryDeclaration judgement_declaration = {
	.subject = "judgements",
	.columns = judgement_columns,
	.column_count = lengthof(judgement_columns),
	.shape = "the first is the question, the second the key of a row, the third its grade",
	.hint = "Give a query such as 'SELECT question, docs_id, grade FROM judged'."
};

static int
compare_judgements(const void *a, const void *b, void *type)
{
	return search_key_compare(type, ((const Judgement *) a)->key,
							  ((const Judgement *) b)->key);
}

static int
compare_grades(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x < y) - (x > y);
}

static Question *
new_question(Evaluation *evaluation, const char *text, int length)
{
	Question   *question;

	if (evaluation->question_count == MAX_QUESTIONS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("more than %d questions", MAX_QUESTIONS)));
	if (evaluation->question_count == evaluation->question_room)
	{
		evaluation->question_room *= 2;
		evaluation->questions = repalloc_huge(evaluation->questions,
											  sizeof(Question) *
											  evaluation->question_room);
	}
	question = &evaluation->questions[evaluation->question_count++];
	memset(question, 0, sizeof(Question));
	question->text = pnstrdup(text, length);
	return question;
}

/*
 * The question with this text, or a new one.  Texts are found by their hash,
 * and by looking at the next hash where two texts share one.
 */
static Question *
question_of(Evaluation *evaluation, const char *text, int length)
{
	uint64		hash = hash_bytes64(text, length);

	for (;; hash++)
	{
		bool		found;
		QuestionEntry *entry = hash_search(evaluation->by_text, &hash,
										   HASH_ENTER, &found);
		Question   *question;

		if (!found)
		{
			question = new_question(evaluation, text, length);
			entry->number = evaluation->question_count - 1;
			return question;
		}
		question = &evaluation->questions[entry->number];
		if (strlen(question->text) == length &&
			memcmp(question->text, text, length) == 0)
			return question;
	}
}

static void
add_judgement(Question *question, Datum key, double grade)
{
	if (question->judgement_count == question->judgement_room)
	{
		question->judgement_room = Max(8, question->judgement_room * 2);
		question->judgements = question->judgements == NULL ?
			palloc(sizeof(Judgement) * question->judgement_room) :
			repalloc_huge(question->judgements,
						  sizeof(Judgement) * question->judgement_room);
	}
	question->judgements[question->judgement_count].key = key;
	question->judgements[question->judgement_count++].grade = grade;
}

static void
finish_question(Question *question, SearchKey *key)
{
	qsort_arg(question->judgements, question->judgement_count,
			  sizeof(Judgement), compare_judgements, key);
	question->ideal = palloc(sizeof(double) * question->judgement_count);
	for (int i = 0; i < question->judgement_count; i++)
	{
		const Judgement *judgement = &question->judgements[i];

		if (i > 0 && compare_judgements(judgement - 1, judgement, key) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_CARDINALITY_VIOLATION),
					 errmsg("row with key %s is judged twice for one question",
							search_key_text(key, judgement->key)),
					 errdetail("The question is \"%s\".", question->text)));
		if (judgement->grade > 0)
			question->ideal[question->ideal_count++] = judgement->grade;
	}
	qsort(question->ideal, question->ideal_count, sizeof(double),
		  compare_grades);
}

static Datum
judged_key(const SearchKey *key, const QueryValue *value)
{
	return search_key_read(key, value->type, value->datum);
}

static void
read_judgements(Evaluation *evaluation, const char *query)
{
	QueryReader *reader = query_open(&judgement_declaration, query);

	while (query_next(reader))
	{
		const QueryValue *text = query_value(reader, 0);
		Question   *question = question_of(evaluation, text->text,
										   text->length);

		add_judgement(question,
					  judged_key(&evaluation->key, query_value(reader, 1)),
					  query_value(reader, 2)->number);
	}
	query_close(reader);
	if (evaluation->question_count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("there are no judgements")));
	for (int i = 0; i < evaluation->question_count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		finish_question(&evaluation->questions[i], &evaluation->key);
	}
}

/* ---------- asking ---------- */

typedef struct Answer
{
	const Evaluation *evaluation;
	Question   *question;
	int			room;
} Answer;

/* The grade of a row; 0 for one that nobody has judged */
static double
grade_of(const Evaluation *evaluation, const Question *question, Datum key)
{
	int			low = 0;
	int			high = question->judgement_count - 1;

	while (low <= high)
	{
		int			middle = (low + high) / 2;
		const Judgement *judgement = &question->judgements[middle];
		int			order = search_key_compare(&evaluation->key, key,
											   judgement->key);

		if (order == 0)
			return judgement->grade;
		if (order < 0)
			high = middle - 1;
		else
			low = middle + 1;
	}
	return 0;
}

static void
read_parts(Datum datum, Oid type, int sides, double *parts)
{
	bool		ranks = type == INT4OID;
	Datum	   *values;
	bool	   *nulls;
	int			count;

	deconstruct_array(DatumGetArrayTypeP(datum), type, ranks ? 4 : 8,
					  ranks ? true : FLOAT8PASSBYVAL,
					  ranks ? TYPALIGN_INT : TYPALIGN_DOUBLE, &values, &nulls,
					  &count);
	for (int i = 0; i < sides && i < count; i++)
	{
		if (nulls[i])
			parts[i] = 0;
		else
			parts[i] = ranks ? 1.0 / (60 + DatumGetInt32(values[i])) :
				DatumGetFloat8(values[i]);
	}
}

static void
receive_found(const Datum *values, const bool *nulls, void *argument)
{
	Answer	   *answer = argument;
	Question   *question = answer->question;
	int			sides = answer->evaluation->search.side_count;
	Found	   *found;

	if (question->found_count == answer->room)
	{
		MemoryContext caller;

		caller = MemoryContextSwitchTo(answer->evaluation->context);
		answer->room = Max(64, answer->room * 2);
		question->found = question->found == NULL ?
			palloc(sizeof(Found) * answer->room) :
			repalloc_huge(question->found, sizeof(Found) * answer->room);
		MemoryContextSwitchTo(caller);
	}
	found = &question->found[question->found_count++];
	found->rank_part = MemoryContextAlloc(answer->evaluation->context,
										  sizeof(double) * 2 * sides);
	found->score_part = found->rank_part + sides;
	found->grade = grade_of(answer->evaluation, question, values[0]);
	read_parts(values[1], INT4OID, sides, found->rank_part);
	read_parts(values[2], FLOAT8OID, sides, found->score_part);
}

static void
ask_questions(Evaluation *evaluation)
{
	Oid			type = TEXTOID;
	PreparedCommand *command;

	evaluation->search.fusion = FUSION_SCORE;
	command = execute_prepare(search_candidates_statement(&evaluation->search),
							  SPI_OK_SELECT, 1, &type);
	for (int i = 0; i < evaluation->question_count; i++)
	{
		Question   *question = &evaluation->questions[i];
		Answer		answer = {.evaluation = evaluation, .question = question};
		Datum		text = CStringGetTextDatum(question->text);

		CHECK_FOR_INTERRUPTS();
		(void) execute_prepared_query(command, &text, NULL, receive_found,
									  &answer);
		pfree(DatumGetPointer(text));
	}
}

/* ---------- one way to rank ---------- */

typedef struct Scored
{
	double		score;
	int			place;			/* in the order of the key */
	double		grade;
} Scored;

static int
compare_scored(const void *a, const void *b)
{
	const Scored *x = a;
	const Scored *y = b;

	if (x->score != y->score)
		return x->score < y->score ? 1 : -1;
	return x->place < y->place ? -1 : 1;
}

/*
 * What the rows of a question are worth in the order of the fusion with
 * these weights.  Sides of weight 0 find nothing.
 */
static void
rank_question(const Evaluation *evaluation, const Question *question,
			  SearchFusion fusion, const double *weights,
			  JudgedFigures *figures)
{
	Scored	   *scored = palloc(sizeof(Scored) *
								Max(question->found_count, 1));
	double	   *grades;
	int			count = 0;

	for (int i = 0; i < question->found_count; i++)
	{
		const Found *found = &question->found[i];
		const double *parts = fusion == FUSION_RRF ? found->rank_part :
			found->score_part;
		bool		taken = false;

		scored[count].score = 0;
		for (int side = 0; side < evaluation->search.side_count; side++)
		{
			scored[count].score += weights[side] * parts[side];
			taken |= weights[side] > 0 && found->rank_part[side] > 0;
		}
		scored[count].place = i;
		scored[count].grade = found->grade;
		count += taken;
	}
	qsort(scored, count, sizeof(Scored), compare_scored);
	count = Min(count, evaluation->search.count);
	grades = palloc(sizeof(double) * Max(count, 1));
	for (int i = 0; i < count; i++)
		grades[i] = scored[i].grade;
	judged_figures(grades, count, evaluation->search.count, question->ideal,
				   question->ideal_count, figures);
	pfree(grades);
	pfree(scored);
}

static void
add_figures(JudgedFigures *sum, const JudgedFigures *figures)
{
	sum->ndcg += figures->ndcg;
	sum->map += figures->map;
	sum->recall += figures->recall;
	sum->mrr += figures->mrr;
}

static JudgedFigures
mean_figures(JudgedFigures sum, int count)
{
	sum.ndcg /= count;
	sum.map /= count;
	sum.recall /= count;
	sum.mrr /= count;
	return sum;
}

/* Over all questions, those without an answer included */
static JudgedFigures
rank_all(const Evaluation *evaluation, SearchFusion fusion,
		 const double *weights)
{
	JudgedFigures sum = {0};

	for (int i = 0; i < evaluation->question_count; i++)
	{
		JudgedFigures figures;

		CHECK_FOR_INTERRUPTS();
		rank_question(evaluation, &evaluation->questions[i], fusion, weights,
					  &figures);
		add_figures(&sum, &figures);
	}
	return mean_figures(sum, evaluation->question_count);
}

/* ---------- weights ---------- */

typedef struct WeightGrid
{
	int			sides;
	int			steps;
	int			count;
	double	   *weights;		/* count rows of so many as sides */
} WeightGrid;

/* How many ways there are to deal so many steps to so many sides */
static double
count_weights(int steps, int sides)
{
	double		ways = 1;

	for (int i = 1; i < sides; i++)
		ways = ways * (steps + i) / i;
	return ways;
}

static void
deal_weights(WeightGrid *grid, int side, int left, int *dealt)
{
	if (side == grid->sides - 1)
	{
		dealt[side] = left;
		for (int i = 0; i < grid->sides; i++)
			grid->weights[grid->count * grid->sides + i] =
				(double) dealt[i] / grid->steps;
		grid->count++;
		return;
	}
	for (int steps = 0; steps <= left; steps++)
	{
		dealt[side] = steps;
		deal_weights(grid, side + 1, left - steps, dealt);
	}
}

/*
 * All weights that add up to 1 in whole steps, as fine as their number
 * allows.
 */
static WeightGrid
make_grid(int sides)
{
	WeightGrid	grid = {.sides = sides};
	int			dealt[SEARCH_MAX_SIDES];

	for (int i = 0; i < lengthof(weight_steps); i++)
	{
		grid.steps = weight_steps[i];
		if (count_weights(grid.steps, sides) <= MOST_WEIGHTS)
			break;
	}
	grid.weights = palloc(sizeof(double) * sides *
						  (Size) count_weights(grid.steps, sides));
	deal_weights(&grid, 0, grid.steps, dealt);
	return grid;
}

/* How far weights are from equal ones: the nearer are taken among the best */
static double
inequality(const double *weights, int sides)
{
	double		sum = 0;

	for (int i = 0; i < sides; i++)
		sum += (weights[i] - 1.0 / sides) * (weights[i] - 1.0 / sides);
	return sum;
}

/*
 * The best weights by the sum of ndcg over the questions of all folds but
 * one (fold -1: of all).  ndcg: a row for each weights, a column a question.
 */
static int
best_weights(const WeightGrid *grid, const float *ndcg, int questions,
			 int folds, int fold)
{
	int			best = -1;
	double		best_sum = 0;

	for (int w = 0; w < grid->count; w++)
	{
		double		sum = 0;

		for (int q = 0; q < questions; q++)
		{
			if (q % folds != fold)
				sum += ndcg[(Size) w * questions + q];
		}
		if (best < 0 || sum > best_sum + 1e-9 ||
			(sum > best_sum - 1e-9 &&
			 inequality(grid->weights + w * grid->sides, grid->sides) <
			 inequality(grid->weights + best * grid->sides, grid->sides)))
		{
			best = w;
			best_sum = sum;
		}
	}
	return best;
}

/*
 * Choose weights; figures are of each question with the weights that the
 * other folds have chosen.
 */
static const double *
tune_weights(const Evaluation *evaluation, const WeightGrid *grid,
			 SearchFusion fusion, JudgedFigures *figures)
{
	int			questions = evaluation->question_count;
	int			folds = Min(FOLDS, questions);
	float	   *ndcg = palloc_extended(sizeof(float) * (Size) grid->count *
									   questions, MCXT_ALLOC_HUGE);
	JudgedFigures sum = {0};

	for (int w = 0; w < grid->count; w++)
	{
		for (int q = 0; q < questions; q++)
		{
			JudgedFigures one;

			CHECK_FOR_INTERRUPTS();
			rank_question(evaluation, &evaluation->questions[q], fusion,
						  grid->weights + w * grid->sides, &one);
			ndcg[(Size) w * questions + q] = (float) one.ndcg;
		}
	}
	for (int fold = 0; fold < folds; fold++)
	{
		int			best = best_weights(grid, ndcg, questions, folds, fold);

		for (int q = fold; q < questions; q += folds)
		{
			JudgedFigures one;

			rank_question(evaluation, &evaluation->questions[q], fusion,
						  grid->weights + best * grid->sides, &one);
			add_figures(&sum, &one);
		}
	}
	*figures = mean_figures(sum, questions);
	return grid->weights +
		best_weights(grid, ndcg, questions, folds, -1) * grid->sides;
}

/* ---------- the result ---------- */

static Datum
names_array(const Search *search, int only)
{
	NameData   *names = palloc0(sizeof(NameData) * search->side_count);
	Datum	   *values = palloc(sizeof(Datum) * search->side_count);
	int			count = 0;

	for (int i = 0; i < search->side_count; i++)
	{
		if (only >= 0 && i != only)
			continue;
		namestrcpy(&names[i], search->sides[i].kept->column);
		values[count++] = NameGetDatum(&names[i]);
	}
	return PointerGetDatum(construct_array(values, count, NAMEOID,
										   NAMEDATALEN, false,
										   TYPALIGN_CHAR));
}

static Datum
weights_array(const double *weights, int count)
{
	Datum	   *values = palloc(sizeof(Datum) * count);

	for (int i = 0; i < count; i++)
		values[i] = Float8GetDatum(weights[i]);
	return PointerGetDatum(construct_array(values, count, FLOAT8OID, 8,
										   FLOAT8PASSBYVAL,
										   TYPALIGN_DOUBLE));
}

/* A row of the result; only: the column that is alone, or -1 */
static void
add_row(struct ReturnSetInfo *result, const Evaluation *evaluation, int only,
		const char *fusion, const double *weights,
		const JudgedFigures *figures)
{
	Datum		values[8];
	bool		nulls[8] = {false};

	values[0] = names_array(&evaluation->search, only);
	nulls[1] = fusion == NULL;
	values[1] = fusion == NULL ? (Datum) 0 : CStringGetTextDatum(fusion);
	nulls[2] = weights == NULL;
	values[2] = weights == NULL ? (Datum) 0 :
		weights_array(weights, evaluation->search.side_count);
	values[3] = Float8GetDatum(figures->ndcg);
	values[4] = Float8GetDatum(figures->map);
	values[5] = Float8GetDatum(figures->recall);
	values[6] = Float8GetDatum(figures->mrr);
	values[7] = Int64GetDatum(evaluation->question_count);
	set_result_add(result, values, nulls);
}

static void
add_fusion(struct ReturnSetInfo *result, const Evaluation *evaluation,
		   const WeightGrid *grid, SearchFusion fusion, const char *name)
{
	double		equal[SEARCH_MAX_SIDES];
	JudgedFigures figures;
	const double *best;

	for (int i = 0; i < SEARCH_MAX_SIDES; i++)
		equal[i] = 1;
	figures = rank_all(evaluation, fusion, equal);
	add_row(result, evaluation, -1, name, equal, &figures);
	if (evaluation->question_count < 2)
		return;
	best = tune_weights(evaluation, grid, fusion, &figures);
	add_row(result, evaluation, -1, psprintf("%s, cross-validated", name),
			best, &figures);
}

static void
report(struct ReturnSetInfo *result, const Evaluation *evaluation)
{
	int			sides = evaluation->search.side_count;
	WeightGrid	grid;

	for (int i = 0; i < sides; i++)
	{
		double		weights[SEARCH_MAX_SIDES] = {0};
		JudgedFigures figures;

		weights[i] = 1;
		figures = rank_all(evaluation, FUSION_RRF, weights);
		add_row(result, evaluation, i, NULL, NULL, &figures);
	}
	if (sides == 1)
		return;
	grid = make_grid(sides);
	add_fusion(result, evaluation, &grid, FUSION_RRF, "rrf");
	add_fusion(result, evaluation, &grid, FUSION_SCORE, "score");
}

Datum
evaluate_search(PG_FUNCTION_ARGS)
{
	static const SearchArguments arguments = {
		.table = ARG_TABLE,
		.count = ARG_COUNT,
		.columns = ARG_COLUMNS,
		.filter = ARG_FILTER,
		.fusion = -1,
		.weights = -1,
		.candidates = ARG_CANDIDATES
	};
	struct ReturnSetInfo *result = set_result_begin(fcinfo);
	Evaluation	evaluation;
	HASHCTL		control;

	memset(&evaluation, 0, sizeof(evaluation));
	memset(&control, 0, sizeof(control));
	if (PG_ARGISNULL(ARG_JUDGEMENTS))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("judgements must not be null")));
	search_open(&evaluation.search, fcinfo, &arguments);
	if (!evaluation.search.has_key)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table %s has no primary key",
						evaluation.search.table_name),
				 errdetail("Judgements name rows by their key.")));
	search_key_find(&evaluation.search, &evaluation.key);
	evaluation.context = CurrentMemoryContext;
	evaluation.question_room = 64;
	evaluation.questions = palloc(sizeof(Question) * evaluation.question_room);
	control.keysize = sizeof(uint64);
	control.entrysize = sizeof(QuestionEntry);
	control.hcxt = CurrentMemoryContext;
	evaluation.by_text = hash_create("judged questions", 256, &control,
									 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	read_judgements(&evaluation,
					text_to_cstring(PG_GETARG_TEXT_PP(ARG_JUDGEMENTS)));
	ask_questions(&evaluation);
	report(result, &evaluation);
	return (Datum) 0;
}
