/*-------------------------------------------------------------------------
 *
 * compare_models.c
 *	  SQL function compare_models: which method is best for the caller's own
 *	  texts, by the caller's own judgements.
 *
 * Each method works in a subtransaction: what it makes goes away with it,
 * whether it was measured, failed or was stopped, unless it is to be kept.
 * All steps are SQL, those that a user would write; the measuring ones run
 * with a search_path of pg_catalog, so that no operator of a stranger's does.
 *
 * The time limit is a timer of the server that cancels the statement, as
 * statement_timeout does; only a cancel by this timer is taken for a result.
 * The server keeps one flag for all cancels, so those of others are counted
 * where they arrive, in the handler of their signal: one that comes with the
 * timer's is not lost.
 *
 *-------------------------------------------------------------------------
 */
#include "search/compare.h"

#include <ctype.h>
#include <math.h>
#include <signal.h>

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "server/execute.h"
#include "server/query.h"
#include "server/set_result.h"
#include "storage/latch.h"
#include "train/progress.h"
#include "train/trainer.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timeout.h"

EMBED_FUNCTION(compare_models);
EMBED_FUNCTION(compare_models_of_query);

/* arguments, in order */
enum
{
	ARG_QUESTIONS,
	ARG_CANDIDATES,
	ARG_DOCUMENTS,
	ARG_CORPUS,
	ARG_COUNT,
	ARG_FOLDS,
	ARG_MAX_SECONDS,
	ARG_KEEP,
	ARG_SEED
};

#define MOST_CANDIDATES	1000

static const QueryColumn candidate_columns[] = {
	{.name = "candidate", .kinds = QUERY_TEXT, .nulls = QUERY_NULL_ERROR}
};

static const QueryDeclaration candidate_declaration = {
	.subject = "candidates",
	.columns = candidate_columns,
	.column_count = lengthof(candidate_columns),
	.hint = "Candidates are an array, or a query such as 'SELECT method FROM candidates'.",
	.shape = "the only one is the name of a method or a model, with arguments"
};

#define MOST_SECONDS	1e6

/* What a method has shown; NAN where it has not come so far */
typedef struct Outcome
{
	double		quality;
	double		texts_per_second;
	double		bytes_per_text;
	double		train_seconds;
	char	   *note;
} Outcome;

typedef struct Comparison
{
	CompareTask task;
	int			count;			/* of rows that a search shows */
	int			folds;
	double		max_seconds;
	bool		keep;
	int64		seed;
	const char *corpus;
	MemoryContext context;		/* outlives the methods */
	Progress   *progress;
} Comparison;

/* ---------- the time limit ---------- */

static TimeoutId time_limit = MAX_TIMEOUTS;
static volatile sig_atomic_t time_is_up = false;
static volatile sig_atomic_t cancelled = false; /* by others */
static struct sigaction cancel_action;	/* what stood before ours */

static void
stop_method(void)
{
	time_is_up = true;
	InterruptPending = true;
	QueryCancelPending = true;
	SetLatch(MyLatch);
}

static void
note_cancel(int signal_number)
{
	cancelled = true;
	if (cancel_action.sa_handler != SIG_IGN &&
		cancel_action.sa_handler != SIG_DFL)
		cancel_action.sa_handler(signal_number);
}

/*
 * sigaction and not pqsignal, which from 17 on keeps handlers in a table of
 * its own, and does not tell which one stood there.
 */
static void
watch_cancels(void)
{
	struct sigaction action;

	cancelled = false;
	if (sigaction(SIGINT, NULL, &cancel_action) != 0)
		elog(ERROR, "could not read the handler of SIGINT: %m");
	action = cancel_action;
	action.sa_handler = note_cancel;
	if (sigaction(SIGINT, &action, NULL) != 0)
		elog(ERROR, "could not set the handler of SIGINT: %m");
}

static void
start_clock(double seconds)
{
	if (time_limit == MAX_TIMEOUTS)
		time_limit = RegisterTimeout(USER_TIMEOUT, stop_method);
	time_is_up = false;
	watch_cancels();
	enable_timeout_after(time_limit, Max(1, (int) Min(seconds * 1000, 2e9)));
}

/*
 * A method that is ready as the time is up is not stopped any more, unless
 * somebody else wants it.
 */
static void
stop_clock(void)
{
	disable_timeout(time_limit, false);
	(void) sigaction(SIGINT, &cancel_action, NULL);
	if (time_is_up && !cancelled)
		QueryCancelPending = false;
}

static double
seconds_since(instr_time start)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, start);
	return INSTR_TIME_GET_DOUBLE(now);
}

/* ---------- measuring ---------- */

/* A number that a query of ours gives; NAN for NULL */
static double
ask_number(const char *query)
{
	Datum		value;
	bool		null = true;

	(void) execute_row(query, EXECUTE_ANY, NULL, 1, &value, &null);
	return null ? NAN : DatumGetFloat8(value);
}

/*
 * Spearman's correlation: Pearson's of the ranks, equal values sharing the
 * mean of theirs.  A text without a vector is similar to none.
 */
static double
measure_similarity(const CompareCandidate *candidate)
{
	return ask_number(psprintf(
		"WITH pairs AS (SELECT a.grade, coalesce(nullif(1 - (a.e %s b.e), 'NaN'), 0) AS similarity "
		"FROM pg_temp.embed_compare_vectors a JOIN pg_temp.embed_compare_vectors b ON b.id = a.id + 1 "
		"WHERE a.grade IS NOT NULL), "
		"ranks AS (SELECT rank() OVER (ORDER BY grade) + count(*) OVER (PARTITION BY grade) / 2.0 AS x, "
		"rank() OVER (ORDER BY similarity) + count(*) OVER (PARTITION BY similarity) / 2.0 AS y FROM pairs) "
		"SELECT corr(x::float8, y::float8) FROM ranks", candidate->distance));
}

/*
 * nDCG as evaluate_search has it: gain is the grade, discount log2(1 + rank),
 * over all judged questions.  A sparse vector that shares nothing with the
 * question is not found.
 */
static double
measure_search(const Comparison *comparison,
			   const CompareCandidate *candidate)
{
	const char *found = candidate->match == NULL ? "" :
		psprintf(" AND distance < %s", candidate->match);

	execute_command(psprintf("CREATE TEMP TABLE embed_compare_asked AS SELECT query, %s AS e "
							 "FROM (SELECT DISTINCT query, query AS body FROM " COMPARE_JUDGED ") q", candidate->query),
					EXECUTE_ANY);
	return ask_number(psprintf(
		"WITH ranked AS (SELECT q.query, d.label, d.rank FROM pg_temp.embed_compare_asked q, "
		"LATERAL (SELECT label, row_number() OVER (ORDER BY distance, id) AS rank FROM "
		"(SELECT id, label, e %s q.e AS distance FROM pg_temp.embed_compare_vectors) v "
		"WHERE distance <> 'NaN'%s ORDER BY distance, id LIMIT %d) d), "
		"gain AS (SELECT query, sum(grade * ln(2) / ln(1 + rank)) AS sum FROM ranked JOIN " COMPARE_JUDGED " j "
		"USING (query, label) WHERE grade > 0 GROUP BY query), "
		"ideal AS (SELECT query, sum(grade * ln(2) / ln(1 + rank)) AS sum FROM "
		"(SELECT query, grade, row_number() OVER (PARTITION BY query ORDER BY grade DESC) AS rank FROM " COMPARE_JUDGED " "
		"WHERE grade > 0) j WHERE rank <= %d GROUP BY query) "
		"SELECT avg(coalesce(gain.sum / ideal.sum, 0))::float8 FROM pg_temp.embed_compare_asked q "
		"LEFT JOIN gain USING (query) LEFT JOIN ideal USING (query)",
		candidate->distance, found, comparison->count, comparison->count));
}

/*
 * Accuracy on examples held out, a fold at a time.  A text without a vector
 * has one of zeros.
 */
static double
measure_classification(const Comparison *comparison)
{
	const char *schema = compare_schema();
	const char *vector = "e";

	if (ask_number(psprintf("SELECT count(*)::float8 FROM pg_attribute WHERE attrelid = 'pg_temp.embed_compare_vectors'::regclass "
							"AND attname = 'e' AND atttypid = '%s.vector'::regtype", schema)) > 0)
	{
		double		dims = ask_number(psprintf("SELECT max(%s.vector_dims(e))::float8 FROM pg_temp.embed_compare_vectors",
											   schema));

		if (!isnan(dims))
			vector = psprintf("coalesce(e, array_fill(0::real, ARRAY[%d])::%s.vector)",
							  (int) dims, schema);
	}
	return ask_number(psprintf(
		"SELECT sum(accuracy * examples)::float8 / sum(examples)::float8 FROM %s.cross_validate(%s, folds => %d)",
		schema,
		quote_literal_cstr(psprintf("SELECT %s, label FROM pg_temp.embed_compare_vectors ORDER BY id", vector)),
		comparison->folds));
}

static const char *
name_of_measure(const Comparison *comparison)
{
	switch (comparison->task)
	{
		case COMPARE_SEARCH:
			return psprintf("ndcg@%d", comparison->count);
		case COMPARE_CLASSIFICATION:
			return psprintf("accuracy in %d folds", comparison->folds);
		default:
			return "Spearman's correlation";
	}
}

/* All texts become vectors in a table of their own. */
static void
encode(const CompareCandidate *candidate, Outcome *outcome)
{
	instr_time	start;
	double		texts;

	INSTR_TIME_SET_CURRENT(start);
	execute_command(psprintf("CREATE TEMP TABLE embed_compare_vectors AS SELECT id, label, grade, %s AS e FROM " COMPARE_TEXTS,
							 candidate->document), EXECUTE_ANY);
	texts = ask_number("SELECT count(*)::float8 FROM " COMPARE_TEXTS);
	outcome->texts_per_second = texts / Max(seconds_since(start), 1e-6);
	outcome->bytes_per_text =
		ask_number("SELECT avg(pg_column_size(e))::float8 FROM pg_temp.embed_compare_vectors");
}

static void
train(const CompareCandidate *candidate, Outcome *outcome)
{
	instr_time	start;

	INSTR_TIME_SET_CURRENT(start);
	if (candidate->preparation != NULL)
		execute_command(candidate->preparation, EXECUTE_ANY);
	if (candidate->training != NULL)
	{
		execute_command(candidate->training, EXECUTE_ANY);
		outcome->train_seconds = seconds_since(start);
	}
}

static void
write_note(const Comparison *comparison, const CompareCandidate *candidate,
		   Outcome *outcome)
{
	StringInfoData note;
	double		unknown =
		ask_number("SELECT count(*)::float8 FROM pg_temp.embed_compare_vectors WHERE e IS NULL");
	MemoryContext old;

	initStringInfo(&note);
	appendStringInfoString(&note, name_of_measure(comparison));
	if (comparison->task == COMPARE_SIMILARITY && isnan(outcome->quality))
		appendStringInfoString(&note, ": none, as all scores or all similarities are equal");
	if (unknown > 0)
		appendStringInfo(&note, "; %.0f texts without a known word", unknown);
	if (comparison->keep && candidate->model != NULL)
		appendStringInfo(&note, "; kept as %s", candidate->model);
	old = MemoryContextSwitchTo(comparison->context);
	outcome->note = pstrdup(note.data);
	MemoryContextSwitchTo(old);
}

static void
clean(const Comparison *comparison, const CompareCandidate *candidate)
{
	if (candidate->cleaning != NULL)
		execute_command(candidate->cleaning, EXECUTE_ANY);
	execute_command("DROP TABLE pg_temp.embed_compare_vectors", EXECUTE_ANY);
	if (comparison->task == COMPARE_SEARCH)
		execute_command("DROP TABLE pg_temp.embed_compare_asked",
						EXECUTE_ANY);
}

/* Within the subtransaction; what is wrong is an error. */
static void
try_method(const Comparison *comparison, const char *text, int number,
		   Outcome *outcome)
{
	CompareCandidate candidate;
	int			settings;

	compare_read(&candidate, text, comparison->corpus, number,
				 comparison->seed);
	if ((candidate.tasks & comparison->task) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("method \"%s\" does not compare two texts",
						candidate.name)));
	train(&candidate, outcome);

	settings = NewGUCNestLevel();
	RestrictSearchPath();
	encode(&candidate, outcome);
	switch (comparison->task)
	{
		case COMPARE_SEARCH:
			outcome->quality = measure_search(comparison, &candidate);
			break;
		case COMPARE_CLASSIFICATION:
			outcome->quality = measure_classification(comparison);
			break;
		case COMPARE_SIMILARITY:
			outcome->quality = measure_similarity(&candidate);
			break;
	}
	write_note(comparison, &candidate, outcome);
	if (comparison->keep)
		clean(comparison, &candidate);
	AtEOXact_GUC(true, settings);
}

/* ---------- one method, whatever becomes of it ---------- */

/* An error is what the method has shown, unless somebody stops us all. */
static void
take_error(const Comparison *comparison, ErrorData *error, Outcome *outcome)
{
	int			category = ERRCODE_TO_CATEGORY(error->sqlerrcode);

	if (category == ERRCODE_TRANSACTION_ROLLBACK ||
		(category == ERRCODE_OPERATOR_INTERVENTION &&
		 (!time_is_up || cancelled)))
		ReThrowError(error);
	outcome->quality = NAN;
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		outcome->note = psprintf("stopped: it took more than %g seconds",
								 comparison->max_seconds);
	else if (error->detail != NULL)
		outcome->note = psprintf("%s: %s", error->message, error->detail);
	else
		outcome->note = pstrdup(error->message);
}

static void
run_method(const Comparison *comparison, const char *text, int number,
		   Outcome *outcome)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	MemoryContext work;

	outcome->quality = outcome->texts_per_second = NAN;
	outcome->bytes_per_text = outcome->train_seconds = NAN;
	BeginInternalSubTransaction(NULL);
	work = AllocSetContextCreate(caller, "compare_models method",
								 ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(work);
	start_clock(comparison->max_seconds);
	PG_TRY();
	{
		try_method(comparison, text, number, outcome);
		stop_clock();
		if (comparison->keep)
			ReleaseCurrentSubTransaction();
		else
			RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(caller);
		CurrentResourceOwner = owner;
	}
	PG_CATCH();
	{
		ErrorData  *error;

		stop_clock();
		MemoryContextSwitchTo(comparison->context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(comparison->context);
		CurrentResourceOwner = owner;
		take_error(comparison, error, outcome);
		MemoryContextSwitchTo(caller);
	}
	PG_END_TRY();
	MemoryContextDelete(work);
}

/* ---------- the function ---------- */

static void
return_outcome(struct ReturnSetInfo *result, const char *method,
			   const Outcome *outcome)
{
	double		numbers[] = {outcome->quality, outcome->texts_per_second,
	outcome->bytes_per_text, outcome->train_seconds};
	Datum		values[6];
	bool		nulls[6] = {false};

	values[0] = CStringGetTextDatum(method);
	for (int i = 0; i < lengthof(numbers); i++)
	{
		values[1 + i] = Float8GetDatum(numbers[i]);
		nulls[1 + i] = isnan(numbers[i]);
	}
	values[5] = CStringGetTextDatum(outcome->note);
	set_result_add(result, values, nulls);
}

static void
check_arguments(FunctionCallInfo fcinfo)
{
	static const struct
	{
		int			argument;
		const char *name;
	}			needed[] = {
		{ARG_QUESTIONS, "questions"}, {ARG_COUNT, "count"},
		{ARG_FOLDS, "folds"}, {ARG_MAX_SECONDS, "max_seconds"},
		{ARG_KEEP, "keep"}
	};
	double		seconds;

	for (int i = 0; i < lengthof(needed); i++)
		if (PG_ARGISNULL(needed[i].argument))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s must not be null", needed[i].name)));
	seconds = PG_GETARG_FLOAT8(ARG_MAX_SECONDS);
	if (!(seconds > 0 && seconds <= MOST_SECONDS))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_seconds must be above 0 and at most %g",
						MOST_SECONDS)));
	if (PG_GETARG_INT32(ARG_COUNT) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("count must be positive")));
}

static void
check_count(int count)
{
	if (count == 0 || count > MOST_CANDIDATES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there must be between 1 and %d candidates",
						MOST_CANDIDATES)));
}

/* Names of methods in an array */
static const char **
read_array(ArrayType *array, int *count)
{
	const char **names;
	Datum	   *values;
	bool	   *nulls;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &values,
					  &nulls, count);
	check_count(*count);
	names = palloc(sizeof(char *) * *count);
	for (int i = 0; i < *count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("candidates must not be null")));
		names[i] = TextDatumGetCString(values[i]);
	}
	return names;
}

/* Names of methods, one a row of a query */
static const char **
read_query(const char *query, int *count)
{
	QueryReader *reader = query_open(&candidate_declaration, query);
	const char **names = palloc(sizeof(char *) * MOST_CANDIDATES);

	for (*count = 0; query_next(reader); ++*count)
	{
		const QueryValue *value = query_value(reader, 0);

		if (*count == MOST_CANDIDATES)
			check_count(*count + 1);
		names[*count] = pnstrdup(value->text, value->length);
	}
	query_close(reader);
	check_count(*count);
	return names;
}

/*
 * A literal without a type is a text to the server, so that an array may come
 * as one; no query begins with a brace.
 */
static const char **
read_text(char *text, int *count)
{
	while (isspace((unsigned char) *text))
		text++;
	if (*text != '{')
		return read_query(text, count);
	return read_array(DatumGetArrayTypeP(OidInputFunctionCall(F_ARRAY_IN,
															  text, TEXTOID,
															  -1)), count);
}

/* Names of methods: those given, or all that are good for the task */
static const char **
read_candidates(FunctionCallInfo fcinfo, bool is_text, CompareTask task,
				int *count)
{
	if (PG_ARGISNULL(ARG_CANDIDATES))
		return compare_methods(task, count);
	if (is_text)
		return read_text(text_to_cstring(PG_GETARG_TEXT_PP(ARG_CANDIDATES)),
						 count);
	return read_array(PG_GETARG_ARRAYTYPE_P(ARG_CANDIDATES), count);
}

static char *
text_argument(FunctionCallInfo fcinfo, int argument)
{
	return PG_ARGISNULL(argument) ? NULL :
		text_to_cstring(PG_GETARG_TEXT_PP(argument));
}

static Datum
compare(FunctionCallInfo fcinfo, bool candidates_are_text)
{
	struct ReturnSetInfo *result = set_result_begin(fcinfo);
	Comparison	comparison = {0};
	const char **candidates;
	int			count;

	trainer_check();
	check_arguments(fcinfo);
	comparison.context = CurrentMemoryContext;
	comparison.count = PG_GETARG_INT32(ARG_COUNT);
	comparison.folds = PG_GETARG_INT32(ARG_FOLDS);
	comparison.max_seconds = PG_GETARG_FLOAT8(ARG_MAX_SECONDS);
	comparison.keep = PG_GETARG_BOOL(ARG_KEEP);
	comparison.seed = (int64) trainer_seed(!PG_ARGISNULL(ARG_SEED),
										   PG_ARGISNULL(ARG_SEED) ? 0 :
										   PG_GETARG_INT64(ARG_SEED));
	comparison.corpus = text_argument(fcinfo, ARG_CORPUS);
	if (comparison.corpus == NULL)
		comparison.corpus = "SELECT body FROM " COMPARE_TEXTS;
	comparison.progress = progress_begin("comparing models", "methods");
	comparison.task = compare_load(text_argument(fcinfo, ARG_QUESTIONS),
								   text_argument(fcinfo, ARG_DOCUMENTS));
	candidates = read_candidates(fcinfo, candidates_are_text,
								 comparison.task, &count);
	for (int i = 0; i < count; i++)
	{
		Outcome		outcome = {0};

		progress_phase(comparison.progress, candidates[i], count);
		progress_update(comparison.progress, i, NAN);
		run_method(&comparison, candidates[i], i + 1, &outcome);
		return_outcome(result, candidates[i], &outcome);
		progress_result(comparison.progress,
						psprintf("%s, %d of %d: %s", candidates[i], i + 1,
								 count, isnan(outcome.quality) ?
								 outcome.note :
								 psprintf("%.4f", outcome.quality)));
	}
	compare_unload();
	progress_end(comparison.progress);
	return (Datum) 0;
}

/* compare_models(questions, candidates text[], ...): a row for each */
Datum
compare_models(PG_FUNCTION_ARGS)
{
	return compare(fcinfo, false);
}

/* compare_models(questions, candidates text, ...): the rows of a query */
Datum
compare_models_of_query(PG_FUNCTION_ARGS)
{
	return compare(fcinfo, true);
}
