/*-------------------------------------------------------------------------
 *
 * training.h
 *	  What train_vocabulary and add_documents share: counting a corpus, and
 *	  the cuts that decide which terms have a dimension.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VOCABULARY_TRAINING_H
#define VOCABULARY_TRAINING_H

#include "encoder/vocabulary/term_counter.h"
#include "encoder/vocabulary/vocabulary.h"

/*
 * A term passes when all of these hold for the number of documents with it;
 * of those that pass, the max_terms with the most occurrences are taken,
 * among equals the first by bytes.
 */
typedef struct VocabularyCuts
{
	int64		min_documents;
	int64		max_documents;	/* 0: no limit */
	double		min_share;		/* of all documents */
	double		max_share;
	int64		max_terms;		/* 0: no limit */
} VocabularyCuts;

extern void cuts_check(const VocabularyCuts *cuts);
extern void cuts_of_description(VocabularyCuts *cuts,
								const ModelDescription *description);

/* the range of document counts that passes, out of "documents" */
extern void cuts_range(const VocabularyCuts *cuts, int64 documents,
					   int64 *lowest, int64 *highest);

/*
 * The counts of all terms of a corpus, finished, in CurrentMemoryContext.
 * Half of maintenance_work_mem at most is used at any time.
 */
extern TermCounter *count_corpus(const char *query, const TermOptions *options,
								 const char *activity);

/* half of maintenance_work_mem, for what is sorted afterwards */
extern int	training_sort_kilobytes(void);

#endif							/* VOCABULARY_TRAINING_H */
