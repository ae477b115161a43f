/*-------------------------------------------------------------------------
 *
 * train_vocabulary.c
 *	  train_vocabulary: from a corpus to a table of terms.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "encoder/vocabulary/training.h"
#include "miscadmin.h"
#include "server/extension.h"
#include "type/vector.h"
#include "utils/builtins.h"

EMBED_FUNCTION(train_vocabulary);

typedef struct TrainOptions
{
	char	   *name;
	char	   *query;
	TermOptions terms;
	VocabularyCuts cuts;
	TermOrder	sort_by;
	int			capacity;		/* 0: by default */
	bool		replace;
} TrainOptions;

/* arguments of train_vocabulary, in order */
enum
{
	ARG_MODEL,
	ARG_CORPUS,
	ARG_CONFIG,
	ARG_MIN_TOKEN_LENGTH,
	ARG_MIN_NGRAM,
	ARG_MAX_NGRAM,
	ARG_MIN_DOCUMENTS,
	ARG_MAX_DOCUMENTS,
	ARG_MIN_SHARE,
	ARG_MAX_SHARE,
	ARG_MAX_TERMS,
	ARG_SORT_BY,
	ARG_CAPACITY,
	ARG_REPLACE
};

static const char *const argument_names[] = {
	"model", "corpus", "config", "min_token_length", "min_ngram", "max_ngram",
	"min_documents", "max_documents", "min_share", "max_share", "max_terms",
	"sort_by", "capacity", "replace"
};

/*
 * Three arguments may be NULL, each for "no limit of mine".
 */
static void
check_nulls(FunctionCallInfo fcinfo)
{
	for (int i = 0; i < lengthof(argument_names); i++)
		if (PG_ARGISNULL(i) && i != ARG_MAX_DOCUMENTS && i != ARG_MAX_TERMS &&
			i != ARG_CAPACITY)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument %s must not be null", argument_names[i])));
}

static void
check_argument(const char *name, double value)
{
	option_check_argument(vocabulary_options, name, value);
}

static void
read_cuts(FunctionCallInfo fcinfo, VocabularyCuts *cuts)
{
	cuts->min_documents = PG_GETARG_INT64(ARG_MIN_DOCUMENTS);
	cuts->max_documents = PG_ARGISNULL(ARG_MAX_DOCUMENTS) ? 0 :
		PG_GETARG_INT64(ARG_MAX_DOCUMENTS);
	cuts->min_share = PG_GETARG_FLOAT8(ARG_MIN_SHARE);
	cuts->max_share = PG_GETARG_FLOAT8(ARG_MAX_SHARE);
	cuts->max_terms = PG_ARGISNULL(ARG_MAX_TERMS) ? 0 :
		PG_GETARG_INT32(ARG_MAX_TERMS);

	check_argument("min_documents", cuts->min_documents);
	check_argument("min_share", cuts->min_share);
	check_argument("max_share", cuts->max_share);

	/* 0 stands for NULL from here on, so a 0 of the caller must not pass */
	if (!PG_ARGISNULL(ARG_MAX_DOCUMENTS))
		check_argument("max_documents", cuts->max_documents);
	if (!PG_ARGISNULL(ARG_MAX_TERMS))
		check_argument("max_terms", cuts->max_terms);
	cuts_check(cuts);
}

static void
read_options(FunctionCallInfo fcinfo, TrainOptions *options)
{
	check_nulls(fcinfo);
	options->name = text_to_cstring(PG_GETARG_TEXT_PP(ARG_MODEL));
	options->query = text_to_cstring(PG_GETARG_TEXT_PP(ARG_CORPUS));
	options->terms.config = PG_GETARG_OID(ARG_CONFIG);
	options->terms.min_token_length = PG_GETARG_INT32(ARG_MIN_TOKEN_LENGTH);
	options->terms.min_ngram = PG_GETARG_INT32(ARG_MIN_NGRAM);
	options->terms.max_ngram = PG_GETARG_INT32(ARG_MAX_NGRAM);
	check_argument("min_token_length", options->terms.min_token_length);
	term_options_check(&options->terms);
	read_cuts(fcinfo, &options->cuts);
	options->sort_by =
		option_choose(vocabulary_options, "sort_by", "order of terms",
					  text_to_cstring(PG_GETARG_TEXT_PP(ARG_SORT_BY)));
	options->capacity = 0;
	if (!PG_ARGISNULL(ARG_CAPACITY))
	{
		options->capacity = PG_GETARG_INT32(ARG_CAPACITY);
		if (options->capacity < 2 || options->capacity > SPARSEVEC_MAX_DIMS)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("capacity must be between 2 and %d", SPARSEVEC_MAX_DIMS),
					 errdetail("It is the number of dimensions of the vectors to come, here %d.",
							   options->capacity),
					 errhint("Leave it out: there will be room for twice the terms of the corpus.")));
	}
	options->replace = PG_GETARG_BOOL(ARG_REPLACE);
}

/* ---------- the size of the vectors ---------- */

/*
 * The capacity asked for, or a power of two with room for as many terms
 * again.  The last dimension is not for a term.
 */
static int
choose_capacity(const TrainOptions *options, int64 terms)
{
	int64		capacity = 2;

	if (options->capacity != 0)
		capacity = options->capacity;
	else
	{
		while (capacity < 2 * (terms + 1))
			capacity *= 2;
		capacity = Min(capacity, SPARSEVEC_MAX_DIMS);
	}
	if (terms > VOCABULARY_MAX_ID(capacity))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("vocabulary of %lld terms does not fit into %lld dimensions",
						(long long) terms, (long long) capacity),
				 errdetail("One dimension is kept for the constant of bm25l."),
				 errhint("Raise capacity, or leave out terms with min_documents or max_terms.")));
	return (int) capacity;
}

static void
define_model(ModelDefinition *definition, const TrainOptions *options)
{
	const VocabularyCuts *cuts = &options->cuts;

	model_definition_init(definition, options->name, &vocabulary_method,
						  options->replace);
	model_definition_config(definition, options->terms.config);
	model_definition_int(definition, "min_token_length", options->terms.min_token_length);
	model_definition_int(definition, "min_ngram", options->terms.min_ngram);
	model_definition_int(definition, "max_ngram", options->terms.max_ngram);
	model_definition_int(definition, "min_documents", cuts->min_documents);
	if (cuts->max_documents != 0)
		model_definition_int(definition, "max_documents", cuts->max_documents);
	model_definition_float(definition, "min_share", cuts->min_share);
	model_definition_float(definition, "max_share", cuts->max_share);
	if (cuts->max_terms != 0)
		model_definition_int(definition, "max_terms", cuts->max_terms);
	model_definition_text(definition, "sort_by", sort_by_names[options->sort_by]);
}

/* ---------- writing ---------- */

typedef struct TermWriter
{
	ModelWriter *writer;
	StringInfoData varlena;
} TermWriter;

static void
write_row(TermWriter *terms, int32 id, const CountedTerm *term)
{
	Datum		values[VOCABULARY_COLUMNS];
	bool		nulls[VOCABULARY_COLUMNS] = {false};

	values[VOCABULARY_ID] = Int32GetDatum(id);
	values[VOCABULARY_DOCUMENTS] = Int64GetDatum(term->documents);
	values[VOCABULARY_OCCURRENCES] = Int64GetDatum(term->occurrences);
	if (term->text == NULL)
		nulls[VOCABULARY_TERM] = true;
	else
	{
		resetStringInfo(&terms->varlena);
		enlargeStringInfo(&terms->varlena, VARHDRSZ + term->length);
		SET_VARSIZE(terms->varlena.data, VARHDRSZ + term->length);
		memcpy(VARDATA(terms->varlena.data), term->text, term->length);
	}
	values[VOCABULARY_TERM] = PointerGetDatum(terms->varlena.data);
	model_write_row(terms->writer, values, nulls);
}

/*
 * All terms, most frequent first.  The first "visible" that pass the cuts
 * take the ids from 1, or, when ids go by term, wait for a second sort; the
 * others take the ids from -1 downwards.
 */
static void
write_terms(TermWriter *terms, TermSorter *sorter, const TrainOptions *options,
			const TermCounter *counter, int64 visible)
{
	TermSorter *by_term = NULL;
	CountedTerm term;
	int64		lowest;
	int64		highest;
	int64		taken = 0;
	int32		id = 0;
	int32		hidden_id = 0;

	cuts_range(&options->cuts, counter->documents, &lowest, &highest);
	if (options->sort_by == TERM_ORDER_TERM)
		by_term = term_sorter_create(TERM_ORDER_TERM, !counter->spilled,
									 training_sort_kilobytes() / 2);
	while (term_sorter_get(sorter, &term))
	{
		CHECK_FOR_INTERRUPTS();
		if (term.documents < lowest || term.documents > highest ||
			taken == visible)
		{
			if (hidden_id == PG_INT32_MIN)
				ereport(ERROR,
						(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						 errmsg("corpus has too many different terms")));
			write_row(terms, --hidden_id, &term);
			continue;
		}
		taken++;
		if (by_term != NULL)
			term_sorter_put(by_term, &term);
		else
			write_row(terms, ++id, &term);
	}
	if (by_term == NULL)
		return;

	term_sorter_perform(by_term);
	while (term_sorter_get(by_term, &term))
		write_row(terms, ++id, &term);
	term_sorter_end(by_term);
}

/*
 * The terms by frequency, and how many of them the vocabulary will have.
 */
static TermSorter *
sort_terms(TermCounter *counter, const VocabularyCuts *cuts, int64 *visible)
{
	TermSorter *sorter = term_sorter_create(TERM_ORDER_FREQUENCY,
											!counter->spilled,
											training_sort_kilobytes());
	CountedTerm term;
	int64		lowest;
	int64		highest;
	int64		total = 0;

	cuts_range(cuts, counter->documents, &lowest, &highest);
	*visible = 0;
	while (term_counter_next(counter, &term))
	{
		total++;
		if (term.documents >= lowest && term.documents <= highest)
			(*visible)++;
		term_sorter_put(sorter, &term);
	}
	if (total == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("corpus has no terms"),
				 errdetail("None of its %lld texts has a token that the text search configuration keeps and that is long enough.",
						   (long long) counter->documents),
				 errhint("Try a configuration without stop words, such as embed_words, or a smaller min_token_length or min_ngram.")));
	if (*visible == 0)
		ereport(
			ERROR,
			(errcode(ERRCODE_NO_DATA_FOUND), errmsg("no term passes the cuts"),
			 errdetail(
				 "None of %lld terms occurs in %lld to %lld of %lld documents.",
				 (long long) total, (long long) lowest, (long long) highest,
				 (long long) counter->documents),
			 errhint(
				 "Lower min_documents or min_share, or raise max_documents or max_share.")));
	if (cuts->max_terms != 0)
		*visible = Min(*visible, cuts->max_terms);
	term_sorter_perform(sorter);
	return sorter;
}

Datum
train_vocabulary(PG_FUNCTION_ARGS)
{
	TrainOptions options;
	ModelDefinition definition;
	TermCounter *counter;
	TermSorter *sorter;
	TermWriter	terms;
	CountedTerm header = {NULL};
	int64		visible;
	Oid			table;

	read_options(fcinfo, &options);
	define_model(&definition, &options);
	model_check_creation(&definition);

	counter = count_corpus(options.query, &options.terms,
						   psprintf("training vocabulary \"%s\"", options.name));
	sorter = sort_terms(counter, &options.cuts, &visible);

	model_definition_int(&definition, "dims", choose_capacity(&options, visible));
	terms.writer = model_create(&definition);
	initStringInfo(&terms.varlena);
	header.documents = counter->documents;
	header.occurrences = counter->occurrences;
	write_row(&terms, 0, &header);
	write_terms(&terms, sorter, &options, counter, visible);
	term_sorter_end(sorter);
	term_counter_free(counter);
	table = model_finish(terms.writer);

	PG_RETURN_OID(table);
}
