/*-------------------------------------------------------------------------
 *
 * corpus.c
 *	  The texts to train on: the rows of the caller's query.
 *
 *-------------------------------------------------------------------------
 */
#include "train/corpus.h"

#include "server/query.h"

enum
{
	CORPUS_TEXT,
	CORPUS_CONFIG
};

static const QueryColumn corpus_columns[] = {
	[CORPUS_TEXT] = {.name = "text", .kinds = QUERY_TEXT,
		.nulls = QUERY_NULL_SKIP,
	.hint = "Put the column with the texts first, or cast it to text."},
	[CORPUS_CONFIG] = {.name = "config", .kinds = QUERY_CONFIG,
		.optional = true,
	.hint = "Select only the text, or cast the second column to regconfig."}
};

#define CORPUS_HINT \
	"The corpus is a query that returns one text a row, such as 'SELECT body FROM articles'."

static const QueryDeclaration corpus_declaration = {
	.subject = "corpus",
	.columns = corpus_columns,
	.column_count = lengthof(corpus_columns),
	.hint = CORPUS_HINT,
	.shape = "the first is the text, the second its text search configuration",
	.excess_hint = "Select only the text."
};

const QueryDeclaration corpus_of_texts = {
	.subject = "corpus",
	.columns = corpus_columns,
	.column_count = CORPUS_TEXT + 1,
	.hint = CORPUS_HINT,
	.shape = "the only one is the text"
};

struct Corpus
{
	QueryReader *reader;
	Oid			config;			/* for rows that bring none */
	int64		documents;
};

Corpus *
corpus_open(const char *query, Oid config)
{
	Corpus	   *corpus = palloc0(sizeof(Corpus));

	corpus->reader = query_open(&corpus_declaration, query);
	corpus->config = config;
	return corpus;
}

pg_noreturn static void
report_no_text(Corpus *corpus)
{
	if (query_rows(corpus->reader) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("corpus is empty"),
				 errdetail("The query \"%s\" returned no rows.",
						   query_string(corpus->reader)),
				 errhint("Load the texts first, or check the conditions of the query.")));
	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA_FOUND),
			 errmsg("corpus has no text"),
			 errdetail("Number of rows of the query \"%s\", all NULL: " INT64_FORMAT ".",
					   query_string(corpus->reader),
					   query_rows(corpus->reader)),
			 errhint("Put the column with the texts first.")));
}

bool
corpus_next(Corpus *corpus, CorpusDocument *document)
{
	const QueryValue *text;
	const QueryValue *config;

	if (!query_next(corpus->reader))
	{
		if (corpus->documents == 0)
			report_no_text(corpus);
		return false;
	}
	text = query_value(corpus->reader, CORPUS_TEXT);
	config = query_value(corpus->reader, CORPUS_CONFIG);
	document->text = text->text;
	document->length = text->length;
	document->config = config->is_null ? corpus->config : config->oid;
	corpus->documents++;
	return true;
}

int64
corpus_documents(const Corpus *corpus)
{
	return corpus->documents;
}

void
corpus_close(Corpus *corpus)
{
	query_close(corpus->reader);
	pfree(corpus);
}
