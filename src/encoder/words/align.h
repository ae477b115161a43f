/*-------------------------------------------------------------------------
 *
 * align.h
 *	  Which words of two models mean the same, and the rotation that brings
 *	  one model's vectors to the other's.
 *
 *-------------------------------------------------------------------------
 */
#ifndef WORDS_ALIGN_H
#define WORDS_ALIGN_H

#include "server/server.h"

#include "encoder/words/csls.h"
#include "encoder/words/word_model.h"

/* Entries of two models that belong together */
typedef struct WordPair
{
	int32		source;
	int32		target;
} WordPair;

typedef struct WordPairs
{
	WordPair   *items;
	int64		count;
	int64		capacity;
	int64		given;			/* rows of the query, known or not */
} WordPairs;

/* align_pairs.c: both leave out words without a direction */
extern void word_pairs_add(WordPairs *pairs, int32 source, int32 target);
extern void word_pairs_of_query(WordPairs *pairs, Words *source,
								Words *target, const char *query);
extern void word_pairs_of_equal_words(WordPairs *pairs, const Words *source,
									  const Words *target);

/*
 * align_fit.c: the orthogonal matrix W, dims x dims by rows, with the least
 * sum of |W x - y|^2 over the pairs' vectors at length one.  Returns the rank
 * of the sum of y x', which is less than dims where the pairs say nothing of
 * some directions.
 */
extern int	align_fit(const Words *source, const Words *target,
					  const WordPairs *pairs, float *rotation);

/* to = W from; they must not overlap */
extern void align_rotate(const float *rotation, int dims, const float *from,
						 float *to);

/*
 * align_match.c: the most frequent words of both models, and which of them
 * are each other's nearest by csls.
 */
typedef struct AlignMatch
{
	const Words *source;
	const Words *target;
	int32	   *source_entries;
	int32	   *target_entries;
	UnitRows	source_units;	/* as they are in the source */
	UnitRows	turned;			/* rotated */
	UnitRows	target_units;
	PackedUnits *packed;
} AlignMatch;

extern AlignMatch *align_match_create(const Words *source,
									  const Words *target);

/*
 * The pairs are added.  Returns how well the rotation does: the mean, over
 * the words of the source, of the csls to the nearest word of the target.
 */
extern double align_match(AlignMatch *match, const float *rotation,
						  WordPairs *pairs);

#endif							/* WORDS_ALIGN_H */
