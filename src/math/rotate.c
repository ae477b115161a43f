/*-------------------------------------------------------------------------
 *
 * rotate.c
 *	  A seeded random rotation by Hadamard transforms.
 *
 *-------------------------------------------------------------------------
 */
#include "math/rotate.h"

#include <math.h>
#include <string.h>

#include "math/cpu.h"
#include "math/inline.h"
#include "math/random.h"

/* Eight floats at once; the compiler lowers it to what the CPU has. */
typedef float v8 __attribute__((vector_size(32)));
typedef int32_t v8i __attribute__((vector_size(32)));

/* macros, because passing such values would depend on the target's ABI */
#define LOAD8(v, p)		memcpy(&(v), (p), sizeof(v8))
#define STORE8(p, v)	memcpy((p), &(v), sizeof(v8))

size_t
rotation_size(int dims)
{
	return offsetof(Rotation, signs) +
		sizeof(float) * ROTATION_ROUNDS * (size_t) ROTATION_PADDED(dims);
}

void
rotation_init(Rotation *rotation, int dims, uint64_t seed)
{
	uint64_t	bits = 0;
	int			count;

	rotation->dims = dims;
	rotation->padded = ROTATION_PADDED(dims);
	rotation->stretch = ROTATION_MULTIPLE;
	while (rotation->stretch * 2 <= rotation->padded)
		rotation->stretch *= 2;
	rotation->factor = (float) (1.0 / sqrt((double) rotation->stretch));

	count = ROTATION_ROUNDS * rotation->padded;
	for (int i = 0; i < count; i++)
	{
		if (i % 64 == 0)
			bits = splitmix64(&seed);
		rotation->signs[i] = (bits >> (i % 64)) & 1 ? -1.0f : 1.0f;
	}
}

/*
 * Transform "count" floats (a power of two, at least 64) in place and
 * multiply them by "factor".
 *
 * The three innermost levels stay within one group of eight.
 */
ALWAYS_INLINE void
hadamard(float *x, int count, float factor)
{
	const v8	sign1 = {1, -1, 1, -1, 1, -1, 1, -1};
	const v8	sign2 = {1, 1, -1, -1, 1, 1, -1, -1};
	const v8	sign4 = {1, 1, 1, 1, -1, -1, -1, -1};
	const v8	scale = {factor, factor, factor, factor,
						 factor, factor, factor, factor};
	const v8	one = {1, 1, 1, 1, 1, 1, 1, 1};
	int			half;

	for (int i = 0; i < count; i += 8)
	{
		v8			a;
		v8			b;

		LOAD8(a, x + i);
#if defined(__clang__)
		b = __builtin_shufflevector(a, a, 1, 0, 3, 2, 5, 4, 7, 6);
		a = a * sign1 + b;
		b = __builtin_shufflevector(a, a, 2, 3, 0, 1, 6, 7, 4, 5);
		a = a * sign2 + b;
		b = __builtin_shufflevector(a, a, 4, 5, 6, 7, 0, 1, 2, 3);
		a = a * sign4 + b;
#else
		b = __builtin_shuffle(a, (v8i) {1, 0, 3, 2, 5, 4, 7, 6});
		a = a * sign1 + b;
		b = __builtin_shuffle(a, (v8i) {2, 3, 0, 1, 6, 7, 4, 5});
		a = a * sign2 + b;
		b = __builtin_shuffle(a, (v8i) {4, 5, 6, 7, 0, 1, 2, 3});
		a = a * sign4 + b;
#endif
		STORE8(x + i, a);
	}

	/*
	 * two levels at a time, so that a pair of them takes one pass over memory
	 */
	half = 8;
	for (; half * 2 < count; half *= 4)
	{
		const v8	end = half * 4 == count ? scale : one;

		for (int i = 0; i < count; i += half * 4)
		{
			for (float *p = x + i; p < x + i + half; p += 8)
			{
				v8			a;
				v8			b;
				v8			c;
				v8			d;
				v8			sum;
				v8			difference;

				LOAD8(a, p);
				LOAD8(b, p + half);
				LOAD8(c, p + half * 2);
				LOAD8(d, p + half * 3);
				sum = a + b;
				difference = a - b;
				a = c + d;
				b = c - d;
				c = (sum + a) * end;
				d = (difference + b) * end;
				sum = (sum - a) * end;
				difference = (difference - b) * end;
				STORE8(p, c);
				STORE8(p + half, d);
				STORE8(p + half * 2, sum);
				STORE8(p + half * 3, difference);
			}
		}
	}
	if (half < count)
	{
		for (float *p = x; p < x + half; p += 8)
		{
			v8			a;
			v8			b;
			v8			sum;
			v8			difference;

			LOAD8(a, p);
			LOAD8(b, p + half);
			sum = (a + b) * scale;
			difference = (a - b) * scale;
			STORE8(p, sum);
			STORE8(p + half, difference);
		}
	}
}

/* Turn the two halves of x against each other by 45 degrees. */
ALWAYS_INLINE void
mix_halves(float *x, int count)
{
	const float root = 0.70710678118654752f;
	const v8	scale = {root, root, root, root, root, root, root, root};
	int			half = count / 2;

	for (int i = 0; i < half; i += 8)
	{
		v8			a;
		v8			b;
		v8			sum;
		v8			difference;

		LOAD8(a, x + i);
		LOAD8(b, x + half + i);
		sum = (a + b) * scale;
		difference = (a - b) * scale;
		STORE8(x + i, sum);
		STORE8(x + half + i, difference);
	}
}

ALWAYS_INLINE void
apply(const Rotation *rotation, const float *in, float *out)
{
	int			padded = rotation->padded;
	int			stretch = rotation->stretch;

	memcpy(out, in, sizeof(float) * rotation->dims);
	memset(out + rotation->dims, 0, sizeof(float) * (padded - rotation->dims));

	for (int round = 0; round < ROTATION_ROUNDS; round++)
	{
		const float *signs = rotation->signs + (size_t) round * padded;

		for (int i = 0; i < padded; i += 8)
		{
			v8			a;
			v8			b;

			LOAD8(a, out + i);
			LOAD8(b, signs + i);
			a *= b;
			STORE8(out + i, a);
		}

		if (stretch == padded)
			hadamard(out, padded, rotation->factor);
		else
		{
			hadamard(round % 2 == 0 ? out : out + padded - stretch, stretch,
					 rotation->factor);
			mix_halves(out, padded);
		}
	}
}

static void
apply_plain(const Rotation *rotation, const float *in, float *out)
{
	apply(rotation, in, out);
}

/* Without FMA, so that all forms give equal bits. */
#if defined(__x86_64__)
__attribute__((target("avx2"))) static void
apply_avx2(const Rotation *rotation, const float *in, float *out)
{
	apply(rotation, in, out);
}
#endif

void
rotation_apply(const Rotation *rotation, const float *in, float *out)
{
#if defined(__x86_64__)
	if (cpu_level() >= CPU_AVX2)
	{
		apply_avx2(rotation, in, out);
		return;
	}
#endif
	apply_plain(rotation, in, out);
}
