/*-------------------------------------------------------------------------
 *
 * compare_data.c
 *	  The questions of compare_models, and what they are asked about, in
 *	  temporary tables: each method reads them several times.
 *
 *-------------------------------------------------------------------------
 */
#include "search/compare.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "server/execute.h"
#include "server/query.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#define MAX_TEXTS 1000000000

static const char *const tables[] = {
	"CREATE TEMP TABLE embed_compare_texts (id pg_catalog.int4 PRIMARY KEY, body pg_catalog.text, "
	"label pg_catalog.text, grade pg_catalog.float8)",
	"CREATE TEMP TABLE embed_compare_judged (query pg_catalog.text, label pg_catalog.text, "
	"grade pg_catalog.float8)"
};

static const QueryColumn question_columns[] = {
	{.name = "text", .kinds = QUERY_TEXT, .nulls = QUERY_NULL_ERROR},
	{.name = "label, key or text", .kinds = QUERY_ANY, .nulls = QUERY_NULL_ERROR},
	{.name = "grade or score", .kinds = QUERY_SCORE,
	.nulls = QUERY_NULL_ERROR, .optional = true}
};

static const QueryDeclaration question_declaration = {
	.subject = "questions",
	.columns = question_columns,
	.column_count = lengthof(question_columns),
	.hint = "Give (text, label) for classification, (text, text, score) for similarity, (question, key, grade) and documents for search."
};

static const QueryColumn document_columns[] = {
	{.name = "key", .kinds = QUERY_ANY, .nulls = QUERY_NULL_ERROR},
	{.name = "text", .kinds = QUERY_TEXT, .nulls = QUERY_NULL_SKIP}
};

static const QueryDeclaration document_declaration = {
	.subject = "documents",
	.columns = document_columns,
	.column_count = lengthof(document_columns),
	.hint = "Give a query such as 'SELECT id, body FROM docs'."
};

/* ---------- rows ---------- */

/* The insertion of rows of (id, body, label, grade) */
typedef struct Loader
{
	PreparedCommand *texts;
	PreparedCommand *judged;
	int32		count;
} Loader;

static void
loader_begin(Loader *loader)
{
	static const Oid types[] = {INT4OID, TEXTOID, TEXTOID, FLOAT8OID};

	loader->count = 0;
	loader->texts = execute_prepare("INSERT INTO " COMPARE_TEXTS " VALUES ($1, $2, $3, $4)",
									SPI_OK_INSERT, 4, types);
	loader->judged = execute_prepare("INSERT INTO " COMPARE_JUDGED " VALUES ($1, $2, $3)",
									 SPI_OK_INSERT, 3, types + 1);
}

static Datum
text_datum(const char *text, int length)
{
	return PointerGetDatum(cstring_to_text_with_len(text, length));
}

/* label NULL: none */
static void
add_text(Loader *loader, const QueryValue *body, const char *label,
		 const double *grade)
{
	Datum		values[4];
	bool		nulls[4] = {false, false, label == NULL, grade == NULL};

	CHECK_FOR_INTERRUPTS();
	if (loader->count == MAX_TEXTS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("more than %d texts to compare with", MAX_TEXTS)));
	values[0] = Int32GetDatum(loader->count++);
	values[1] = text_datum(body->text, body->length);
	values[2] = label == NULL ? (Datum) 0 : CStringGetTextDatum(label);
	values[3] = grade == NULL ? (Datum) 0 : Float8GetDatum(*grade);
	execute_prepared(loader->texts, values, nulls);
	pfree(DatumGetPointer(values[1]));
}

static void
add_judgement(Loader *loader, const QueryValue *query, const char *key,
			  double grade)
{
	Datum		values[3];

	CHECK_FOR_INTERRUPTS();
	values[0] = text_datum(query->text, query->length);
	values[1] = CStringGetTextDatum(key);
	values[2] = Float8GetDatum(grade);
	execute_prepared(loader->judged, values, NULL);
	pfree(DatumGetPointer(values[0]));
}

/* A key or label of any type, as its text */
static char *
any_text(const QueryValue *value)
{
	Oid			output;
	bool		is_varlena;

	getTypeOutputInfo(value->type, &output, &is_varlena);
	return OidOutputFunctionCall(output, value->datum);
}

/* ---------- what is wrong with them ---------- */

/* Reports the first row of a query of ours, if it has any */
static void
refuse(const char *query, const char *message, const char *detail)
{
	Datum		value;
	bool		null;

	if (execute_row(query, EXECUTE_ANY, NULL, 1, &value, &null))
		ereport(ERROR,
				(errcode(ERRCODE_CARDINALITY_VIOLATION),
				 errmsg("%s", message),
				 errdetail(detail, TextDatumGetCString(value))));
}

static void
check_search(void)
{
	refuse("SELECT label FROM " COMPARE_TEXTS " GROUP BY label HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1 LIMIT 1",
		   "two documents have one key", "It is %s.");
	refuse("SELECT label FROM " COMPARE_JUDGED " GROUP BY query, label HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 1 LIMIT 1",
		   "a document is judged twice for one question", "Its key is %s.");
}

static void
check_count(const Loader *loader, const char *what)
{
	if (loader->count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("there are no %s", what)));
}

static bool
is_text(Oid type)
{
	return type == TEXTOID || type == VARCHAROID || type == BPCHAROID;
}

static void
require_text(const QueryValue *value)
{
	if (!is_text(value->type))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("second column of the questions is neither a text nor, without documents, a key"),
				 errhint("Compare similarities of two texts, or give documents => 'SELECT key, text ...' to search.")));
}

/* ---------- loading ---------- */

static CompareTask
task_of(const QueryReader *reader, const char *documents)
{
	bool		graded = query_columns(reader, 2) > 0;

	if (!graded && documents != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("questions about documents need a third column"),
				 errdetail("It is the grade of the document with the key in the second one.")));
	return !graded ? COMPARE_CLASSIFICATION : documents != NULL ?
		COMPARE_SEARCH : COMPARE_SIMILARITY;
}

static int64
load_questions(Loader *loader, QueryReader *reader, CompareTask task)
{
	int64		count = 0;

	while (query_next(reader))
	{
		const QueryValue *text = query_value(reader, 0);
		const QueryValue *other = query_value(reader, 1);
		double		grade = query_value(reader, 2)->number;

		count++;
		switch (task)
		{
			case COMPARE_SEARCH:
				add_judgement(loader, text, any_text(other), grade);
				break;
			case COMPARE_CLASSIFICATION:
				add_text(loader, text, any_text(other), NULL);
				break;
			case COMPARE_SIMILARITY:
				{
					QueryValue	second = *other;

					require_text(other);
					second.text = any_text(other);
					second.length = strlen(second.text);
					add_text(loader, text, NULL, &grade);
					add_text(loader, &second, NULL, NULL);
					break;
				}
		}
	}
	return count;
}

static void
load_documents(Loader *loader, const char *query)
{
	QueryReader *reader = query_open(&document_declaration, query);

	while (query_next(reader))
		add_text(loader, query_value(reader, 1),
				 any_text(query_value(reader, 0)), NULL);
	query_close(reader);
	check_count(loader, "documents");
	check_search();
}

CompareTask
compare_load(const char *questions, const char *documents)
{
	QueryReader *reader;
	CompareTask task;
	Loader		loader;
	int64		count;

	for (int i = 0; i < lengthof(tables); i++)
		execute_command(tables[i], SPI_OK_UTILITY);
	loader_begin(&loader);
	reader = query_open(&question_declaration, questions);
	task = task_of(reader, documents);
	count = load_questions(&loader, reader, task);
	query_close(reader);
	if (count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("there are no questions")));
	if (task == COMPARE_SEARCH)
		load_documents(&loader, documents);
	return task;
}

void
compare_unload(void)
{
	execute_command("DROP TABLE " COMPARE_TEXTS ", " COMPARE_JUDGED,
					SPI_OK_UTILITY);
}
