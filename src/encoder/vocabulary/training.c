/*-------------------------------------------------------------------------
 *
 * training.c
 *	  What train_vocabulary and add_documents share.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "encoder/vocabulary/training.h"
#include "miscadmin.h"
#include "train/corpus.h"
#include "train/progress.h"
#include "utils/memutils.h"

/* ---------- cuts ---------- */

void
cuts_check(const VocabularyCuts *cuts)
{
	if (cuts->max_documents != 0 && cuts->max_documents < cuts->min_documents)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_documents must not be less than min_documents")));
	if (!(cuts->min_share >= 0.0 && cuts->min_share <= cuts->max_share &&
		  cuts->max_share <= 1.0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid range of shares: %g to %g",
						cuts->min_share, cuts->max_share),
				 errhint("Use 0.0 <= min_share <= max_share <= 1.0.")));
}

void
cuts_of_description(VocabularyCuts *cuts, const ModelDescription *description)
{
	cuts->min_documents = model_option_int(description, "min_documents");
	cuts->max_documents = model_option_int(description, "max_documents");
	cuts->min_share = model_option_float(description, "min_share");
	cuts->max_share = model_option_float(description, "max_share");
	cuts->max_terms = model_option_int(description, "max_terms");
}

/*
 * A share is a number of documents that need not be whole: 0.3 of 7 means
 * 2.1, so 3 documents are the fewest and 2 the most (as in scikit-learn).
 */
void
cuts_range(const VocabularyCuts *cuts, int64 documents,
		   int64 *lowest, int64 *highest)
{
	*lowest = Max(cuts->min_documents,
				  (int64) ceil(cuts->min_share * (double) documents));
	*highest = (int64) floor(cuts->max_share * (double) documents);
	if (cuts->max_documents != 0)
		*highest = Min(*highest, cuts->max_documents);
}

/* ---------- counting ---------- */

/*
 * One stream per text search configuration met; nearly always one in all.
 */
typedef struct StreamSet
{
	TermOptions options;
	int			count;
	Oid		   *configs;
	TermStream **streams;
	MemoryContext context;
} StreamSet;

static TermStream *
stream_of_config(StreamSet *set, Oid config)
{
	MemoryContext old;

	for (int i = 0; i < set->count; i++)
		if (set->configs[i] == config)
			return set->streams[i];

	old = MemoryContextSwitchTo(set->context);
	if (set->count == 0)
	{
		set->configs = palloc(sizeof(Oid));
		set->streams = palloc(sizeof(TermStream *));
	}
	else
	{
		set->configs = repalloc(set->configs, sizeof(Oid) * (set->count + 1));
		set->streams = repalloc(set->streams,
								sizeof(TermStream *) * (set->count + 1));
	}
	set->options.config = config;
	set->configs[set->count] = config;
	set->streams[set->count] = term_stream_create(&set->options);
	MemoryContextSwitchTo(old);
	return set->streams[set->count++];
}

TermCounter *
count_corpus(const char *query, const TermOptions *options, const char *activity)
{
	TermCounter *counter = term_counter_create(Max(1024, maintenance_work_mem / 2));
	StreamSet	set = {.options = *options};
	Progress   *progress = progress_begin(activity, "documents");
	Corpus	   *corpus;
	CorpusDocument document;

	set.context = AllocSetContextCreate(CurrentMemoryContext, "term streams",
										ALLOCSET_DEFAULT_SIZES);
	progress_phase(progress, "counting terms", 0);
	corpus = corpus_open(query, options->config);
	while (corpus_next(corpus, &document))
	{
		TermStream *stream = stream_of_config(&set, document.config);
		const Term *terms;
		int			count;

		term_counter_begin_document(counter);
		term_stream_begin(stream, document.text, document.length);
		while ((count = term_stream_next(stream, &terms)) > 0)
			term_counter_add(counter, terms, count);
		progress_update(progress, (double) counter->documents, NAN);
	}
	corpus_close(corpus);
	MemoryContextDelete(set.context);
	term_counter_finish(counter);
	progress_end(progress);
	return counter;
}

int
training_sort_kilobytes(void)
{
	return Max(1024, maintenance_work_mem / 2);
}
