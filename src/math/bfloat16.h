/*-------------------------------------------------------------------------
 *
 * bfloat16.h
 *	  bfloat16: the upper half of a float32.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_BFLOAT16_H
#define MATH_BFLOAT16_H

#include <stdint.h>
#include <string.h>

static inline float
bfloat_to_float(uint16_t bits)
{
	uint32_t	wide = (uint32_t) bits << 16;
	float		value;

	memcpy(&value, &wide, sizeof(value));
	return value;
}

/* To the nearest, ties to the even one; a NaN stays one, and becomes quiet. */
static inline uint16_t
float_to_bfloat(float value)
{
	uint32_t	wide;

	memcpy(&wide, &value, sizeof(wide));
	if ((wide & 0x7FFFFFFF) > 0x7F800000)
		return (uint16_t) (wide >> 16 | 0x0040);
	return (uint16_t) ((wide + 0x7FFF + (wide >> 16 & 1)) >> 16);
}

#endif							/* MATH_BFLOAT16_H */
