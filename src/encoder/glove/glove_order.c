/*-------------------------------------------------------------------------
 *
 * glove_order.c
 *	  Where words lie, and in which order their co-occurrences are trained.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/glove/glove_order.h"

#include <math.h>
#include <string.h>

#include "math/hash.h"
#include "math/random.h"

/* The rows of a tile, of words and contexts together, are to take so much. */
#define TILE_BYTES	(4 * 1024 * 1024)

/* So few that each has work, so many that workers need not wait. */
#define LEAST_BLOCKS 8

/* streams of random numbers under the seed */
#define STREAM_ROUNDS	1
#define STREAM_ROWS		2		/* and the one above: words, contexts */

void
glove_order_init(GloveOrder *order, int32_t words, int stride, uint64_t seed)
{
	double		bytes = 2.0 * words * sizeof(float) * glove_row_floats(stride);
	int32_t		blocks = LEAST_BLOCKS;

	while (blocks < GLOVE_MOST_BLOCKS && bytes / blocks > TILE_BYTES)
		blocks *= 2;
	order->words = words;
	order->blocks = blocks;
	order->per_block = (words + blocks - 1) / blocks;
	order->seed = seed;
}

uint64_t
glove_order_key(const GloveOrder *order, int32_t word, int32_t context)
{
	uint64_t	tile = (uint64_t) glove_order_block(order, word) *
		order->blocks + glove_order_block(order, context);
	uint64_t	pair = (uint64_t) (uint32_t) word << 32 | (uint32_t) context;
	uint64_t	random = hash_combine64(hash_combine64(order->seed, 0), pair);

	return tile << 32 | random >> 32;
}

/* Block i of words meets block i + shift of contexts. */
int32_t
glove_order_tile(const GloveOrder *order, int64_t epoch, int32_t round,
				 int32_t word_block)
{
	Random		random;
	int32_t		shifts[GLOVE_MOST_BLOCKS];

	random_seed_stream(&random, order->seed,
					   ((uint64_t) epoch << 8) + STREAM_ROUNDS);
	for (int32_t i = 0; i < order->blocks; i++)
	{
		int32_t		other = (int32_t) random_below(&random, i + 1);

		shifts[i] = shifts[other];
		shifts[other] = i;
	}
	return word_block * order->blocks +
		(word_block + shifts[round]) % order->blocks;
}

void
glove_record(const GloveOrder *order, const GloveWeighting *weighting,
			 int32_t word, int32_t context, double count, GloveRecord *record)
{
	record->row = glove_order_row(order, word);
	record->column = glove_order_row(order, context);
	record->target = (float) log(count);
	record->weight = count > weighting->x_max ? 1 :
		(float) pow(count / weighting->x_max, weighting->alpha);
}

void
glove_init_row(const GloveOrder *order, int32_t word, int contexts, int dims,
			   int stride, float *row)
{
	float	   *tail = row + 2 * stride;
	Random		random;

	random_seed_stream(&random, order->seed,
					   ((uint64_t) (uint32_t) word << 8) + STREAM_ROWS +
					   (contexts != 0));
	memset(row, 0, sizeof(float) * glove_row_floats(stride));
	for (int i = 0; i < dims; i++)
		row[i] = (random_float(&random) - 0.5f) / (float) dims;
	for (int i = 0; i < stride; i++)
		row[stride + i] = 1;
	tail[GLOVE_BIAS] = (random_float(&random) - 0.5f) / (float) dims;
	tail[GLOVE_BIAS_SQUARES] = 1;
	tail[GLOVE_RATE] = 1;
}
