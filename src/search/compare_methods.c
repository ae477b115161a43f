/*-------------------------------------------------------------------------
 *
 * compare_methods.c
 *	  The methods that compare_models knows, and their SQL.
 *
 * A candidate is the name of a method or of a model, and arguments in
 * brackets: word2vec(dims => 50, pooling => 'sif').  Values are literals and
 * are quoted anew, so a candidate cannot hold any other SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "search/compare.h"

#include <ctype.h>

#include "catalog/namespace.h"
#include "lib/stringinfo.h"
#include "nodes/makefuncs.h"
#include "server/extension.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#define MOST_ARGUMENTS 32

/* as they stand here they are tried where no candidates are named */
typedef struct Method
{
	const char *name;
	int			tasks;
	const char *trainer;		/* its function, or NULL */
	const char *fixed;			/* arguments of it that make the method */
	bool		of_vocabulary;	/* a vocabulary is trained before */
	const char *document;		/* functions that encode */
	const char *query;
	const char *of_document;	/* arguments of theirs: " a b c " */
	const char *of_query;
	const char *distance;
	const char *match;
} Method;

#define ALL_TASKS \
	(COMPARE_SEARCH | COMPARE_CLASSIFICATION | COMPARE_SIMILARITY)
#define OF_TFIDF " tf idf norm log_base "
#define OF_HASHING " dims config min_token_length min_ngram max_ngram norm alternate_sign presence "
#define OF_EMBED " pooling prompt "

static const Method methods[] = {
	{"count_vector", ALL_TASKS, "train_vocabulary", "", false,
	"count_vector", "count_vector", " presence ", " presence ", "<=>", "1"},
	{"tfidf", ALL_TASKS, "train_vocabulary", "", false,
	"tfidf", "tfidf", OF_TFIDF, OF_TFIDF, "<=>", "1"},
	{"bm25", COMPARE_SEARCH | COMPARE_CLASSIFICATION, "train_vocabulary", "",
		false, "bm25_document", "bm25_query", " k1 b variant ", " variant ",
	"<#>", "0"},
	{"hashing", ALL_TASKS, NULL, "", false,
	"hashing_vector", "hashing_vector", OF_HASHING, OF_HASHING, "<=>", "1"},
	{"lsa", ALL_TASKS, "train_lsa", "", true,
	"embed", "embed", OF_EMBED, OF_EMBED, "<=>", NULL},
	{"word2vec", ALL_TASKS, "train_word2vec", "", false,
	"embed", "embed", OF_EMBED, OF_EMBED, "<=>", NULL},
	{"subwords", ALL_TASKS, "train_word2vec", ", min_n => 3, max_n => 6",
	false, "embed", "embed", OF_EMBED, OF_EMBED, "<=>", NULL},
	{"glove", ALL_TASKS, "train_glove", "", false,
	"embed", "embed", OF_EMBED, OF_EMBED, "<=>", NULL},
	{"doc2vec", ALL_TASKS, "train_doc2vec", "", false,
	"embed", "embed", OF_EMBED, OF_EMBED, "<=>", NULL}
};

/* any model that gives vectors of texts */
static const Method any_model = {"", ALL_TASKS, NULL, "", false, "embed",
	"embed", OF_EMBED, OF_EMBED, "<=>", NULL};

const char **
compare_methods(CompareTask task, int *count)
{
	const char **names = palloc(sizeof(char *) * lengthof(methods));

	*count = 0;
	for (int i = 0; i < lengthof(methods); i++)
		if ((methods[i].tasks & task) != 0)
			names[(*count)++] = methods[i].name;
	return names;
}

/* ---------- reading a candidate ---------- */

typedef struct Argument
{
	char	   *name;
	char	   *value;			/* a literal of SQL */
} Argument;

typedef struct Written
{
	const char *text;			/* as a whole */
	const char *at;
	char	   *name;
	int			count;
	Argument	arguments[MOST_ARGUMENTS];
} Written;

pg_noreturn static void
report_candidate(const Written *written)
{
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg("candidate \"%s\" cannot be read", written->text),
			 errhint("Write a method or a model, and arguments where needed: word2vec(dims => 50, pooling => 'sif').")));
}

static void
skip_blanks(Written *written)
{
	while (*written->at == ' ' || *written->at == '\t' ||
		   *written->at == '\n')
		written->at++;
}

static void
expect(Written *written, const char *sign)
{
	skip_blanks(written);
	if (strncmp(written->at, sign, strlen(sign)) != 0)
		report_candidate(written);
	written->at += strlen(sign);
}

static bool
is_part(char c)
{
	return isalnum((unsigned char) c) || c == '_' || c == '.' || c == '-' ||
		c == '+';
}

/* letters, digits and what stands in numbers */
static char *
read_part(Written *written)
{
	const char *start;

	skip_blanks(written);
	start = written->at;
	while (is_part(*written->at))
		written->at++;
	if (written->at == start)
		report_candidate(written);
	return pnstrdup(start, written->at - start);
}

/* 'text', with '' for a quote in it */
static char *
read_quoted(Written *written)
{
	StringInfoData value;

	initStringInfo(&value);
	for (written->at++;; written->at++)
	{
		if (*written->at == '\0')
			report_candidate(written);
		if (*written->at == '\'')
		{
			if (written->at[1] != '\'')
				break;
			written->at++;
		}
		appendStringInfoChar(&value, *written->at);
	}
	written->at++;
	return value.data;
}

static void
read_argument(Written *written)
{
	Argument   *argument = &written->arguments[written->count];
	char	   *value;

	if (written->count++ == MOST_ARGUMENTS)
		report_candidate(written);
	argument->name = read_part(written);
	expect(written, "=>");
	skip_blanks(written);
	value = *written->at == '\'' ? read_quoted(written) : read_part(written);
	/* a literal of unknown type becomes what the argument is */
	argument->value = quote_literal_cstr(value);
}

/* The name is all that stands before the bracket: models may be qualified. */
static void
read_written(Written *written, const char *text)
{
	const char *open = strchr(text, '(');
	int			length = open ? open - text : (int) strlen(text);

	memset(written, 0, sizeof(*written));
	written->text = text;
	while (length > 0 && isspace((unsigned char) text[length - 1]))
		length--;
	if (length == 0)
		report_candidate(written);
	written->name = pnstrdup(text, length);
	if (open == NULL)
		return;
	written->at = open + 1;
	skip_blanks(written);
	if (*written->at != ')')
		read_argument(written);
	for (skip_blanks(written); *written->at == ','; skip_blanks(written))
	{
		written->at++;
		read_argument(written);
	}
	expect(written, ")");
	skip_blanks(written);
	if (*written->at != '\0')
		report_candidate(written);
}

/* ---------- its SQL ---------- */

static bool
is_listed(const char *names, const char *name)
{
	return strstr(names, psprintf(" %s ", name)) != NULL;
}

const char *
compare_schema(void)
{
	return quote_identifier(get_namespace_name(extension_schema()));
}

/* The arguments that are among these names, or those that are not encoders' */
static char *
arguments_of(const Written *written, const Method *method, const char *names)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < written->count; i++)
	{
		const Argument *argument = &written->arguments[i];
		bool		taken = names != NULL ? is_listed(names, argument->name) :
			!is_listed(method->of_document, argument->name) &&
			!is_listed(method->of_query, argument->name);

		if (taken)
			appendStringInfo(&list, ", %s => %s",
							 quote_identifier(argument->name),
							 argument->value);
	}
	return list.data;
}

/* A method without a model, or a model that stands, is not trained. */
static void
refuse_others(const Written *written, const Method *method)
{
	for (int i = 0; i < written->count; i++)
	{
		const char *name = written->arguments[i].name;

		if (!is_listed(method->of_document, name) &&
			!is_listed(method->of_query, name))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("\"%s\" takes no argument \"%s\"", written->name,
							name),
					 errdetail("Those of %s are%.*s.", method->document,
							   (int) strlen(method->of_document) - 1,
							   method->of_document)));
	}
}

static const Method *
find_method(const char *name)
{
	for (int i = 0; i < lengthof(methods); i++)
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	return NULL;
}

static char *
function_call(const char *function, const char *model, const char *arguments)
{
	if (model == NULL)
		return psprintf("%s.%s(body%s)", compare_schema(), function,
						arguments);
	return psprintf("%s.%s(%s::pg_catalog.regclass, body%s)",
					compare_schema(), function, model, arguments);
}

/* A name in the schema where the caller's tables are made, as SQL */
static char *
new_name(const char *method, int number, const char *suffix)
{
	char	   *name = psprintf("compared_%d_%s%s", number, method, suffix);
	Oid			schema =
		RangeVarGetCreationNamespace(makeRangeVar(NULL, name, -1));

	return quote_qualified_identifier(get_namespace_name(schema), name);
}

static bool
is_seeded(const Method *method)
{
	return strcmp(method->trainer, "train_vocabulary") != 0;
}

static void
write_training(CompareCandidate *candidate, const Written *written,
			   const Method *method, const char *corpus, int number,
			   int64 seed)
{
	const char *texts = quote_literal_cstr(corpus);
	char	   *vocabulary = new_name(method->name, number, "_words");
	char	   *arguments = arguments_of(written, method, NULL);

	candidate->model = new_name(method->name, number, "");
	if (method->of_vocabulary)
	{
		candidate->cleaning = psprintf("DROP TABLE %s", vocabulary);
		vocabulary = quote_literal_cstr(vocabulary);
		candidate->preparation =
			psprintf("SELECT %s.train_vocabulary(%s, %s)", compare_schema(),
					 vocabulary, texts);
	}
	candidate->training =
		psprintf("SELECT %s.%s(%s, %s%s%s%s%s)", compare_schema(),
				 method->trainer, quote_literal_cstr(candidate->model),
				 method->of_vocabulary ? psprintf("%s, ", vocabulary) : "",
				 texts, method->fixed, arguments,
				 !is_seeded(method) || strstr(arguments, ", seed =>") ? "" :
				 psprintf(", seed => " INT64_FORMAT, seed));
}

/* Looked up under the caller's search_path, and qualified */
static char *
literal_of_model(char *name)
{
	Datum		model = DirectFunctionCall1(regclassin,
											CStringGetDatum(name));

	return quote_literal_cstr(qualified_relation_name(
		DatumGetObjectId(model)));
}

void
compare_read(CompareCandidate *candidate, const char *text,
			 const char *corpus, int number, int64 seed)
{
	Written		written;
	const Method *method;
	const char *model = NULL;

	read_written(&written, text);
	memset(candidate, 0, sizeof(*candidate));
	candidate->name = text;
	method = find_method(written.name);
	if (method == NULL)
	{
		method = &any_model;
		model = literal_of_model(written.name);
	}
	if (method->trainer == NULL)
		refuse_others(&written, method);
	else
	{
		write_training(candidate, &written, method, corpus, number, seed);
		model = quote_literal_cstr(candidate->model);
	}
	candidate->tasks = method->tasks;
	candidate->document = function_call(method->document, model,
										arguments_of(&written, method,
													 method->of_document));
	candidate->query = function_call(method->query, model,
									 arguments_of(&written, method,
												  method->of_query));
	candidate->distance = psprintf("OPERATOR(%s.%s)", compare_schema(),
								   method->distance);
	candidate->match = method->match;
}
