/*-------------------------------------------------------------------------
 *
 * half_test.c
 *	  Would fail if any half were read wrongly or any float rounded wrongly
 *	  to half, in any set of kernels.
 *
 * All 65,536 halves are read.  For every pair of neighbouring halves the
 * point half-way between them and the floats on both sides of it are rounded:
 * the tie must go to the even half, its neighbours to the nearer one.
 *
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "check.h"
#include "distance_sets_of_machine.h"
#include "math/distance.h"
#include "math/random.h"

/* By the definition of binary16. */
static double
half_value(half value)
{
	int			exponent = (value >> 10) & 0x1F;
	int			mantissa = value & 0x3FF;
	double		magnitude;

	if (exponent == 0x1F)
		magnitude = mantissa ? NAN : INFINITY;
	else if (exponent == 0)
		magnitude = ldexp(mantissa, -24);
	else
		magnitude = ldexp(1024 + mantissa, exponent - 25);
	return value & 0x8000 ? -magnitude : magnitude;
}

static uint32_t
float_bits(float value)
{
	uint32_t	bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

static half
rounded(float value)
{
	half		one = 0;
	half		block[19];
	float		many[19];

	float_to_half_kernel(1, &value, &one);
	for (int i = 0; i < 19; i++)
		many[i] = value;
	float_to_half_kernel(19, many, block);
	for (int i = 0; i < 19; i++)
		CHECK(block[i] == one, "%s: %a rounded to %04x and to %04x", distance_kernels, value,
			  one, block[i]);
	CHECK(float_to_half(value) == one, "%s: %a rounded to %04x, alone to %04x",
		  distance_kernels, value, one, float_to_half(value));
	return one;
}

static void
check_rounding(float value, half expected)
{
	CHECK(rounded(value) == expected, "%s: %a rounded to %04x, should be %04x",
		  distance_kernels, value, rounded(value), expected);
	CHECK(rounded(-value) == (expected | 0x8000), "%s: %a rounded to %04x, should be %04x",
		  distance_kernels, -value, rounded(-value), expected | 0x8000);
}

static void
test_reading(void)
{
	half	   *halves = exact_alloc(65536 * sizeof(half));
	float	   *floats = exact_alloc(65536 * sizeof(float));

	for (int i = 0; i < 65536; i++)
		halves[i] = (half) i;
	half_to_float_kernel(65536, halves, floats);
	for (int i = 0; i < 65536; i++)
	{
		double		expected = half_value((half) i);

		CHECK(float_bits(floats[i]) == float_bits(half_to_float((half) i)),
			  "%s: half %04x read as %a, alone as %a", distance_kernels, i, floats[i],
			  half_to_float((half) i));
		if (isnan(expected))
			CHECK(isnan(floats[i]) && !!signbit(floats[i]) == i >> 15, "%s: half %04x",
				  distance_kernels, i);
		else
			CHECK(floats[i] == expected && !!signbit(floats[i]) == i >> 15,
				  "%s: half %04x read as %a, should be %a", distance_kernels, i, floats[i],
				  expected);
		if (isnan(expected))
			CHECK(rounded(floats[i]) == (i | 0x200), "%s: NaN %04x written as %04x",
				  distance_kernels, i, rounded(floats[i]));
		else
			CHECK(rounded(floats[i]) == i, "%s: half %04x written as %04x",
				  distance_kernels, i, rounded(floats[i]));
	}
	/* every length and both ends exact, for the sanitizer */
	for (int dims = 0; dims <= 70; dims++)
	{
		half	   *from = exact_alloc((size_t) dims * sizeof(half));
		float	   *to = exact_alloc((size_t) dims * sizeof(float));

		for (int i = 0; i < dims; i++)
			from[i] = (half) (i * 331);
		half_to_float_kernel(dims, from, to);
		for (int i = 0; i < dims; i++)
			CHECK(to[i] == half_value((half) (i * 331)), "%s: element %d of %d",
				  distance_kernels, i, dims);
		memset(from, 0, (size_t) dims * sizeof(half));
		float_to_half_kernel(dims, to, from);
		for (int i = 0; i < dims; i++)
			CHECK(from[i] == i * 331, "%s: element %d of %d written", distance_kernels, i, dims);
		free(from);
		free(to);
	}
	free(halves);
	free(floats);
}

static void
test_ties(void)
{
	/* 0x7BFF is 65504, the greatest half; the next step would be 65536 */
	for (int i = 0; i <= 0x7BFF; i++)
	{
		double		low = half_value((half) i);
		double		high = i == 0x7BFF ? 65536 : half_value((half) (i + 1));
		float		tie = (float) ((low + high) / 2);

		check_rounding(tie, (half) (i % 2 ? i + 1 : i));
		check_rounding(nextafterf(tie, 0), (half) i);
		check_rounding(nextafterf(tie, FLT_MAX), (half) (i + 1));
	}
	check_rounding(FLT_MAX, 0x7C00);
	check_rounding(INFINITY, 0x7C00);
	check_rounding(0x1p-149f, 0);
	check_rounding(0, 0);
}

/* Any float at all, NaN payloads included: every set as the scalar code. */
static void
test_any_float(void)
{
	Random		source;

	random_seed(&source, 7);
	for (int i = 0; i < 300000; i++)
	{
		uint32_t	bits = (uint32_t) random_next(&source);
		float		value;

		if (i % 4 == 0)
			bits |= 0x7F800000;
		memcpy(&value, &bits, sizeof(value));
		rounded(value);
	}
}

static void
test_set(void)
{
	test_reading();
	test_ties();
	test_any_float();
}

int
main(void)
{
	with_every_set(test_set);
	return check_result();
}
