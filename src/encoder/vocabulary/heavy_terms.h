/*-------------------------------------------------------------------------
 *
 * heavy_terms.h
 *	  The terms of a vocabulary that weigh most, for whoever names something
 *	  by its terms.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VOCABULARY_HEAVY_TERMS_H
#define VOCABULARY_HEAVY_TERMS_H

#include "encoder/vocabulary/vocabulary.h"

typedef struct HeavyTerm
{
	int			dimension;		/* of the vocabulary's vectors */
	double		weight;
	const VocabularyEntry *entry;	/* set by heavy_terms */
} HeavyTerm;

/* place for so many; free with pfree */
extern HeavyTerm *heavy_terms_allocate(int count);

/*
 * Puts the heaviest of "count" terms first, at most "most" of them: those
 * whose weight is above zero and that the vocabulary has.  Returns how many.
 */
extern int	heavy_terms(const Vocabulary *vocabulary, HeavyTerm *terms,
						int count, int most);

/* the text of a term, and its weight, as SQL values */
extern void heavy_term_values(const Vocabulary *vocabulary,
							  const HeavyTerm *term, Datum *values);

#endif							/* VOCABULARY_HEAVY_TERMS_H */
