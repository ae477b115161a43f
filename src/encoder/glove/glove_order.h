/*-------------------------------------------------------------------------
 *
 * glove_order.h
 *	  Where words lie, and in which order their co-occurrences are trained.
 *
 * The words are dealt to as many blocks as there are.  A tile is the records
 * of the words of one block with contexts of another.  An epoch has as many
 * rounds as there are blocks; in a round each block of words meets one block
 * of contexts, all of them different ones.  So the tiles of a round share no
 * row: any number of workers may train them, in any order, and the result is
 * the same to the bit (Gemulla, Nijkamp, Haas and Sismanis, "Large-Scale
 * Matrix Factorization with Distributed Stochastic Gradient Descent", KDD
 * 2011).  A tile also touches few enough rows for the caches.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GLOVE_ORDER_H
#define GLOVE_ORDER_H

#include <stdint.h>

#include "encoder/glove/glove_step.h"

#define GLOVE_MOST_BLOCKS 256

typedef struct GloveOrder
{
	int32_t		words;
	int32_t		blocks;
	int32_t		per_block;		/* rows of each block, some of them unused */
	uint64_t	seed;
} GloveOrder;

/* The number of blocks depends on the words and dimensions alone. */
extern void glove_order_init(GloveOrder *order, int32_t words, int stride,
							 uint64_t seed);

/* rows of each matrix: a few more than words */
static inline int64_t
glove_order_rows(const GloveOrder *order)
{
	return (int64_t) order->blocks * order->per_block;
}

/*
 * Words come most frequent first, and are dealt to and fro, so that blocks
 * have about as many records each.
 */
static inline int32_t
glove_order_block(const GloveOrder *order, int32_t word)
{
	int32_t		round = word / order->blocks;
	int32_t		place = word % order->blocks;

	return round % 2 == 0 ? place : order->blocks - 1 - place;
}

static inline int32_t
glove_order_row(const GloveOrder *order, int32_t word)
{
	return glove_order_block(order, word) * order->per_block +
		word / order->blocks;
}

/* the word of a row */
static inline int32_t
glove_order_word(const GloveOrder *order, int32_t row)
{
	int32_t		block = row / order->per_block;
	int32_t		round = row % order->per_block;

	return round * order->blocks +
		(round % 2 == 0 ? block : order->blocks - 1 - block);
}

/*
 * What the records are sorted by: their tile, then at random.  A tile is
 * numbered block of words * blocks + block of contexts.
 */
extern uint64_t glove_order_key(const GloveOrder *order, int32_t word,
								int32_t context);

static inline int32_t
glove_order_tile_of_key(uint64_t key)
{
	return (int32_t) (key >> 32);
}

/*
 * The tile that block "word_block" of words meets in a round of an epoch.
 * Rounds come in another order in each epoch.
 */
extern int32_t glove_order_tile(const GloveOrder *order, int64_t epoch,
								int32_t round, int32_t word_block);

/* What a count counts for. */
typedef struct GloveWeighting
{
	double		x_max;
	double		alpha;
} GloveWeighting;

extern void glove_record(const GloveOrder *order,
						 const GloveWeighting *weighting, int32_t word,
						 int32_t context, double count, GloveRecord *record);

/*
 * First values of a word's row in the words' matrix (contexts: false) or the
 * contexts': uniform in (-0.5, 0.5) / dims, the bias too.
 */
extern void glove_init_row(const GloveOrder *order, int32_t word, int contexts,
						   int dims, int stride, float *row);

#endif							/* GLOVE_ORDER_H */
