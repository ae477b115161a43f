/*-------------------------------------------------------------------------
 *
 * lanes_scalar.h
 *	  A register of 4 floats: lanes_avx512.h for any processor, in the vector
 *	  types that gcc and clang lower to whatever there is.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_LANES_H
#define MATH_LANES_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "math/inline.h"

#define LANES 4
#define LANES_TARGET
#define LANES_INLINE ALWAYS_INLINE

typedef float Lanes __attribute__((vector_size(4 * LANES)));
typedef int32_t IntLanes __attribute__((vector_size(4 * LANES)));
typedef uint32_t BitLanes __attribute__((vector_size(4 * LANES)));

LANES_INLINE Lanes
lanes_set(float x)
{
	return (Lanes) {x, x, x, x};
}

LANES_INLINE Lanes
lanes_load(const float *from)
{
	Lanes		a;

	memcpy(&a, from, sizeof(a));
	return a;
}

LANES_INLINE void
lanes_store(float *to, Lanes a)
{
	memcpy(to, &a, sizeof(a));
}

LANES_INLINE Lanes
lanes_load_first(const float *from, int count)
{
	Lanes		a = {0};

	for (int i = 0; i < LANES && i < count; i++)
		a[i] = from[i];
	return a;
}

LANES_INLINE void
lanes_store_first(float *to, Lanes a, int count)
{
	for (int i = 0; i < LANES && i < count; i++)
		to[i] = a[i];
}

LANES_INLINE Lanes
lanes_choose(IntLanes which, Lanes a, Lanes b)
{
	return (Lanes) (((IntLanes) a & which) | ((IntLanes) b & ~which));
}

LANES_INLINE Lanes
lanes_first_of(Lanes a, Lanes b, int count)
{
	return lanes_choose(
		(IntLanes){0, 1, 2, 3} < (IntLanes){count, count, count, count}, a, b);
}

LANES_INLINE Lanes
lanes_from_int(const int32_t *from)
{
	return (Lanes){(float) from[0], (float) from[1], (float) from[2],
				   (float) from[3]};
}

LANES_INLINE Lanes
lanes_add(Lanes a, Lanes b)
{
	return a + b;
}

LANES_INLINE Lanes
lanes_subtract(Lanes a, Lanes b)
{
	return a - b;
}

LANES_INLINE Lanes
lanes_multiply(Lanes a, Lanes b)
{
	return a * b;
}

LANES_INLINE Lanes
lanes_multiply_add(Lanes a, Lanes b, Lanes c)
{
	return a * b + c;
}

LANES_INLINE Lanes
lanes_divide(Lanes a, Lanes b)
{
	return a / b;
}

LANES_INLINE Lanes
lanes_max(Lanes a, Lanes b)
{
	return lanes_choose(a > b, a, b);
}

LANES_INLINE Lanes
lanes_min(Lanes a, Lanes b)
{
	return lanes_choose(a < b, a, b);
}

/* of numbers below 2^22 */
LANES_INLINE Lanes
lanes_round(Lanes a)
{
	const Lanes magic = {0x1.8p23f, 0x1.8p23f, 0x1.8p23f, 0x1.8p23f};
	Lanes		sum = a + magic;

	/* or the compiler might take the two for nothing */
	__asm__ volatile("":"+m"(sum));

	return sum - magic;
}

LANES_INLINE Lanes
lanes_scale(Lanes a, Lanes exponent)
{
	BitLanes	power;

	for (int i = 0; i < LANES; i++)
		power[i] = (uint32_t) ((int32_t) exponent[i] + 127) << 23;
	return a * (Lanes) power;
}

LANES_INLINE float
lanes_sum(Lanes a)
{
	return (a[0] + a[2]) + (a[1] + a[3]);
}

LANES_INLINE float
lanes_largest(Lanes a)
{
	return fmaxf(fmaxf(a[0], a[2]), fmaxf(a[1], a[3]));
}

LANES_INLINE float
lanes_least(Lanes a)
{
	return fminf(fminf(a[0], a[2]), fminf(a[1], a[3]));
}

LANES_INLINE void
lanes_store_bytes(uint8_t *to, Lanes a)
{
	for (int i = 0; i < LANES; i++)
		to[i] = (uint8_t) a[i];
}

LANES_INLINE void
lanes_store_shorts(int16_t *to, Lanes a)
{
	for (int i = 0; i < LANES; i++)
		to[i] = (int16_t) a[i];
}

LANES_INLINE void
lanes_store_bfloat16(uint16_t *to, Lanes a)
{
	BitLanes	bits = (BitLanes) a;

	for (int i = 0; i < LANES; i++)
		to[i] = (uint16_t) ((bits[i] + 0x7FFF + ((bits[i] >> 16) & 1)) >> 16);
}

LANES_INLINE void
lanes_transpose(Lanes row[LANES])
{
	for (int i = 0; i < LANES; i++)
	{
		for (int j = 0; j < i; j++)
		{
			float		other = row[i][j];

			row[i][j] = row[j][i];
			row[j][i] = other;
		}
	}
}

#endif							/* MATH_LANES_H */
