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
#include "text/config_cache.h"
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

/* One stream per text search configuration met; nearly always one in all. */
static void *
make_stream(Oid config, void *argument)
{
	TermOptions options = *(const TermOptions *) argument;

	options.config = config;
	return term_stream_create(&options);
}

TermCounter *
count_corpus(const char *query, const TermOptions *options,
			 const char *activity)
{
	TermCounter *counter = term_counter_create(
		Max(1024, maintenance_work_mem / 2));
	TermOptions stream_options = *options;
	ConfigCache *streams = config_cache_create(make_stream, &stream_options);
	Progress   *progress = progress_begin(activity, "documents");
	Corpus	   *corpus;
	CorpusDocument document;

	progress_phase(progress, "counting terms", 0);
	corpus = corpus_open(query, options->config);
	while (corpus_next(corpus, &document))
	{
		TermStream *stream = config_cache_get(streams, document.config);
		const Term *terms;
		int			count;

		term_counter_begin_document(counter);
		term_stream_begin(stream, document.text, document.length);
		while ((count = term_stream_next(stream, &terms)) > 0)
			term_counter_add(counter, terms, count);
		progress_update(progress, (double) counter->documents, NAN);
	}
	corpus_close(corpus);
	config_cache_free(streams);
	term_counter_finish(counter);
	progress_end(progress);
	return counter;
}

int
training_sort_kilobytes(void)
{
	return Max(1024, maintenance_work_mem / 2);
}
