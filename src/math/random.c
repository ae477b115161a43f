/*-------------------------------------------------------------------------
 *
 * random.c
 *	  Seeding, and normal deviates.
 *
 *-------------------------------------------------------------------------
 */
#include "math/random.h"

#include <math.h>

void
random_seed(Random *random, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		random->state[i] = splitmix64(&seed);
	random->has_spare = false;
	random->spare = 0;
}

/*
 * The stream number is mixed before it meets the seed: streams of seeds that
 * differ by one do not overlap, as they would if the two were added.
 */
void
random_seed_stream(Random *random, uint64_t seed, uint64_t stream)
{
	uint64_t	mixed = stream ^ UINT64_C(0x5851F42D4C957F2D);

	random_seed(random, seed ^ splitmix64(&mixed));
}

double
random_gaussian(Random *random)
{
	double		x,
				y,
				square,
				scale;

	if (random->has_spare)
	{
		random->has_spare = false;
		return random->spare;
	}
	do
	{
		x = 2 * random_double(random) - 1;
		y = 2 * random_double(random) - 1;
		square = x * x + y * y;
	} while (square >= 1 || square == 0);
	scale = sqrt(-2 * log(square) / square);
	random->spare = y * scale;
	random->has_spare = true;
	return x * scale;
}
