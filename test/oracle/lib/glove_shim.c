/*-------------------------------------------------------------------------
 *
 * glove_shim.c
 *	  First values and order of a GloVe training, for glove.py.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "encoder/glove/glove_order.h"

typedef struct Keyed
{
	uint64_t	key;
	int32_t		number;
} Keyed;

static int
compare(const void *a, const void *b)
{
	const Keyed *x = a;
	const Keyed *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->number - y->number;
}

extern void glove_shim(int32_t words, int dims, uint64_t seed, int64_t count,
					   int epochs, const int32_t *pairs, int32_t *sequence,
					   float *rows);

/*
 * pairs: word and context of each record; sequence: for each epoch the
 * numbers of the records as they come; rows: of words, then of contexts
 */
void
glove_shim(int32_t words, int dims, uint64_t seed, int64_t count, int epochs,
		   const int32_t *pairs, int32_t *sequence, float *rows)
{
	int			stride = (dims + GLOVE_LANES - 1) / GLOVE_LANES * GLOVE_LANES;
	size_t		floats = glove_row_floats(stride);
	Keyed	   *keyed = malloc(sizeof(Keyed) * count);
	GloveOrder	order;
	int64_t		at = 0;

	glove_order_init(&order, words, stride, seed);
	for (int32_t i = 0; i < 2 * words; i++)
		glove_init_row(&order, i % words, i >= words, dims, stride,
					   rows + i * floats);
	for (int32_t i = 0; i < count; i++)
	{
		keyed[i].key = glove_order_key(&order, pairs[2 * i], pairs[2 * i + 1]);
		keyed[i].number = i;
	}
	qsort(keyed, count, sizeof(Keyed), compare);
	for (int epoch = 0; epoch < epochs; epoch++)
		for (int32_t round = 0; round < order.blocks; round++)
			for (int32_t block = 0; block < order.blocks; block++)
			{
				int32_t		tile = glove_order_tile(&order, epoch, round,
													block);

				for (int64_t i = 0; i < count; i++)
					if (glove_order_tile_of_key(keyed[i].key) == tile)
						sequence[at++] = keyed[i].number;
			}
	free(keyed);
}
