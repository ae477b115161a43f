/*-------------------------------------------------------------------------
 *
 * character_train.h
 *	  Training a vector of a word from its characters.
 *
 * The encoder is that of character_encoder.h, its weights as files have them.
 * There are few characters: what a filter gives for each of them at each of
 * its places is a small table, made anew for every call, and a window is a sum
 * of rows of it.  Backwards only the largest window of a filter counts, so its
 * gradient goes to as many rows of the table as the filter is wide, and from
 * the table to filters and characters by one product for all words.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NETWORK_CHARACTER_TRAIN_H
#define NETWORK_CHARACTER_TRAIN_H

#include "network/character_encoder.h"
#include "network/train_work.h"

typedef struct CharacterShape
{
	int			dims;			/* of a character */
	int			most;			/* characters of a word, its marks with them */
	int			filter_count;
	int			width[CHARACTER_FILTERS];
	int			size[CHARACTER_FILTERS];	/* outputs of a filter */
	int			features;		/* of all filters */
	int			highways;
	int			out;
	Activation	activation;		/* relu or tanh */
} CharacterShape;

/*
 * Weights, or gradients, which are added to; of these only the projection's
 * are wanted if those of characters are NULL, none if all are.
 */
typedef struct CharacterWeights
{
	Real	   *characters;		/* CHARACTER_COUNT rows */
	Real	   *filter[CHARACTER_FILTERS];	/* width x dims rows of size */
	Real	   *filter_bias[CHARACTER_FILTERS];
	Real	   *carry[CHARACTER_HIGHWAYS];	/* features rows of features */
	Real	   *carry_bias[CHARACTER_HIGHWAYS];
	Real	   *transform[CHARACTER_HIGHWAYS];
	Real	   *transform_bias[CHARACTER_HIGHWAYS];
	Real	   *projection;		/* features rows of out */
	Real	   *projection_bias;
} CharacterWeights;

typedef struct CharacterPass
{
	CharacterShape shape;
	int			most_words;
	int			words;

	Real	   *table[CHARACTER_FILTERS];	/* of width, characters, outputs */
	Real	   *table_gradient[CHARACTER_FILTERS];
	Real	   *window;			/* sums of one window */
	int16_t    *ids;			/* of all words */
	int16_t    *best;			/* the window of each feature */
	Real	   *x[CHARACTER_HIGHWAYS + 1];	/* features of all words */
	Real	   *carry[CHARACTER_HIGHWAYS];
	Real	   *transform[CHARACTER_HIGHWAYS];
	Real	   *dx;
	Real	   *dcarry;
	Real	   *dtransform;
} CharacterPass;

/* Lays out the parts, of so many numbers; memory NULL: only counts. */
extern size_t character_pass_memory(CharacterPass *pass, Real *memory);

/* to: one row of "out" numbers for each word.  False if interrupted. */
extern bool character_forward(CharacterPass *pass,
							  const CharacterWeights *weights, int words,
							  const CharacterWord *word, Real *to,
							  const TrainWork *work);

/* After character_forward; from: the gradient of what it gave. */
extern bool character_backward(CharacterPass *pass,
							   const CharacterWeights *weights,
							   const Real *from,
							   const CharacterWeights *gradients,
							   const TrainWork *work);

#endif							/* NETWORK_CHARACTER_TRAIN_H */
