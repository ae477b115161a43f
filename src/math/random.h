/*-------------------------------------------------------------------------
 *
 * random.h
 *	  Seeded random numbers, the same on every machine.
 *
 * xoshiro256++ (Blackman and Vigna, "Scrambled linear pseudorandom number
 * generators", ACM TOMS 2021), its state filled by splitmix64 (Steele, Lea
 * and Flood, OOPSLA 2014).  Not for secrets.
 *
 * A Random is a value: copy it to repeat a sequence.  Workers that share a
 * seed take streams of their own.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_RANDOM_H
#define MATH_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

typedef struct Random
{
	uint64_t	state[4];
	double		spare;			/* the second normal deviate of a pair */
	bool		has_spare;
} Random;

/* One step of splitmix64: also a good way to mix a number into a seed. */
static inline uint64_t
splitmix64(uint64_t *state)
{
	uint64_t	z = (*state += UINT64_C(0x9E3779B97F4A7C15));

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

/* Any seed will do, zero too. */
extern void random_seed(Random *random, uint64_t seed);

/* The stream of number "stream" under a seed; stream 0 is not random_seed's. */
extern void random_seed_stream(Random *random, uint64_t seed, uint64_t stream);

/* Normal with mean 0 and variance 1, by the polar method (Marsaglia 1964). */
extern double random_gaussian(Random *random);

static inline uint64_t
random_rotate(uint64_t x, int bits)
{
	return (x << bits) | (x >> (64 - bits));
}

/* 64 random bits */
static inline uint64_t
random_next(Random *random)
{
	uint64_t   *s = random->state;
	uint64_t	result = random_rotate(s[0] + s[3], 23) + s[0];
	uint64_t	shifted = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= shifted;
	s[3] = random_rotate(s[3], 45);
	return result;
}

/* Uniform on [0, 1), multiples of 2^-24 */
static inline float
random_float(Random *random)
{
	return (float) (random_next(random) >> 40) * 0x1p-24f;
}

/* Uniform on [0, 1), multiples of 2^-53 */
static inline double
random_double(Random *random)
{
	return (double) (random_next(random) >> 11) * 0x1p-53;
}

/*
 * Uniform on 0 .. bound - 1 without bias; bound > 0 (Lemire, "Fast random
 * integer generation in an interval", ACM TOMACS 2019).
 */
static inline uint32_t
random_below(Random *random, uint32_t bound)
{
	uint64_t	product = (random_next(random) >> 32) * bound;

	if ((uint32_t) product < bound)
	{
		uint32_t	threshold = (0 - bound) % bound;

		while ((uint32_t) product < threshold)
			product = (random_next(random) >> 32) * bound;
	}
	return (uint32_t) (product >> 32);
}

#endif							/* MATH_RANDOM_H */
