/*-------------------------------------------------------------------------
 *
 * rabitq_sets.h
 *	  What the files of RaBitQ kernels share; nobody else includes it.
 *
 * Products and sums must not be contracted into fused operations: the sets
 * would differ in the last bit, and a standby may have another CPU.  This
 * header comes first in each of those files, before the intrinsics.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_RABITQ_SETS_H
#define MATH_RABITQ_SETS_H

#if defined(__clang__)
#pragma clang fp contract(off)
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

#include "math/rabitq.h"

#include <math.h>
#include <string.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Sixteen lanes; the compiler lowers them to what the target has. */
typedef float v16 __attribute__((vector_size(64)));
typedef int32_t v16i __attribute__((vector_size(64)));

#define V16_ALL(x) ((v16) {x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x})
#define V16I_ALL(x) ((v16i) {x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x})
#define V16_LOAD(v, p) memcpy(&(v), (p), sizeof(v16))

ALWAYS_INLINE float
v16_sum(const v16 *v)
{
	float		s[16];

	memcpy(s, v, sizeof(s));
	for (int width = 8; width > 0; width /= 2)
	{
		for (int i = 0; i < width; i++)
			s[i] += s[i + width];
	}
	return s[0];
}

/* The two forms of rabitq_center_lead, sixteen lanes in a fixed order. */
ALWAYS_INLINE void
center_lead_lanes(const RabitqQuery *query, const uint8_t *codes,
				  float minimum, float step, bool inner,
				  float *lead, float *distance)
{
	v16			squares = V16_ALL(0.0f);
	v16			products = V16_ALL(0.0f);
	v16			low = V16_ALL(minimum);
	v16			scale = V16_ALL(step);

	for (int i = 0; i < query->dims; i += 16)
	{
		typedef uint8_t u8x16 __attribute__((vector_size(16)));
		u8x16		bytes;
		v16			center;
		v16			difference;
		v16			q;

		memcpy(&bytes, codes + i, 16);
		V16_LOAD(q, query->vector + i);
		center = low + scale * __builtin_convertvector(bytes, v16);
		difference = q - center;
		squares += difference * difference;
		if (inner)
			products += q * center;
	}
	*distance = sqrtf(v16_sum(&squares));
	*lead = inner ? -2.0f * v16_sum(&products) : v16_sum(&squares);
}

/*
 * one_bit_table
 *	  Entry n of a group's table is the sum of those of its four values whose
 *	  bit is set in n, less the least such sum.
 */
ALWAYS_INLINE void
one_bit_table(RabitqQuery *query)
{
	const float *q = query->vector;
	int			groups = query->coded / 4;
	int			highest = 65535 / groups;
	float		lows[RABITQ_MAX_CODED / 4];
	float		range = 0;
	float		base = 0;
	v16			sums = V16_ALL(0.0f);
	float		inverse;

	if (highest > 255)
		highest = 255;
	for (int g = 0; g < groups; g++)
	{
		float		low = 0;
		float		high = 0;

		for (int k = 0; k < 4; k++)
		{
			float		value = q[g * 4 + k];

			/* no branches: signs are random */
			low += value < 0 ? value : 0;
			high += value > 0 ? value : 0;
		}
		lows[g] = low;
		base += low;
		range = high - low > range ? high - low : range;
	}
	query->table_step = range / highest;
	inverse = range > 0 ? highest / range : 0;
	for (int g = 0; g < groups; g++)
	{
		const float *v = q + g * 4;
		const v16	bit0 = {0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1};
		const v16	bit1 = {0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1};
		const v16	bit2 = {0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1};
		const v16	bit3 = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1};
		typedef uint8_t u8x16 __attribute__((vector_size(16)));
		v16			entry;
		u8x16		rounded;

		entry = bit0 * v[0] + bit1 * v[1] + bit2 * v[2] + bit3 * v[3] - lows[g];
		entry = entry * inverse + 0.5f;
		rounded = __builtin_convertvector(__builtin_convertvector(entry, v16i), u8x16);
		memcpy(query->table + g * 16, &rounded, 16);
	}
	for (int i = 0; i < query->coded; i += 16)
	{
		v16			v;

		V16_LOAD(v, q + i);
		sums += v;
	}
	query->table_base = base - 0.5f * v16_sum(&sums);
}

/* Levels for the four-bit code; its value u stands for x = u - 7.5. */
ALWAYS_INLINE void
four_bit_levels(RabitqQuery *query)
{
	typedef int16_t i16x16 __attribute__((vector_size(32)));
	const float *q = query->vector;
	v16			norms = V16_ALL(0.0f);
	v16			most = V16_ALL(0.0f);
	v16i		sums = {0};
	float		magnitudes[16];
	int32_t		parts[16];
	float		largest = 0;
	double		sum = 0;
	v16			inverse;

	for (int i = 0; i < query->dims; i += 16)
	{
		v16			v;
		v16			magnitude;
		v16i		more;

		V16_LOAD(v, q + i);
		norms += v * v;
		magnitude = (v16) ((v16i) v & V16I_ALL(0x7FFFFFFF));
		more = magnitude > most;
		most = (v16) (((v16i) magnitude & more) | ((v16i) most & ~more));
	}
	memcpy(magnitudes, &most, sizeof(most));
	for (int i = 0; i < 16; i++)
		largest = magnitudes[i] > largest ? magnitudes[i] : largest;
	query->level_step = largest / RABITQ_QUERY_LIMIT;
	inverse = V16_ALL((largest > 0 ? RABITQ_QUERY_LIMIT / largest : 0.0f));
	for (int i = 0; i < query->dims; i += 16)
	{
		v16			v;
		v16i		level;
		i16x16		narrow;

		V16_LOAD(v, q + i);
		v *= inverse;
		/* halves away from zero: add 0.5 with the sign of v */
		v += (v16) (((v16i) v & V16I_ALL(INT32_MIN)) | (v16i) V16_ALL(0.5f));
		level = __builtin_convertvector(v, v16i);
		narrow = __builtin_convertvector(level, i16x16);
		memcpy(query->levels + i, &narrow, sizeof(narrow));
		sums += level;
	}
	memcpy(parts, &sums, sizeof(sums));
	for (int i = 0; i < 16; i++)
		sum += parts[i];
	query->level_base = (float) (-7.5 * sum * query->level_step);
	query->norm_squared = v16_sum(&norms);
}

/* The form of rabitq_query_prepare. */
ALWAYS_INLINE void
prepare_lanes(RabitqQuery *query)
{
	one_bit_table(query);
	four_bit_levels(query);

	/*
	 * The cosine between a rotated vector and its signs concentrates at
	 * sqrt(2 / pi) (RaBitQ, lemma 3.2), so the error needs no number of its
	 * own: |x| = sqrt(M) / 2 and k |x| = |r| / cosine.
	 */
	query->error_factor = (float) (0.5 * sqrt((double) query->coded) *
								   sqrt(1 - 2 / 3.14159265358979 * query->coded / query->dims) /
								   sqrt(query->dims - 1.0));
}

/* What turns sums of table entries into scores; see rabitq_scan. */
ALWAYS_INLINE uint32_t
scores_of_sums(const RabitqQuery *query, const uint16_t *sums, const float *factors,
			   float lead, float margin, float threshold, float *scores)
{
	uint32_t	mask = 0;

	for (int i = 0; i < RABITQ_BLOCK; i++)
	{
		float		add = factors[i];
		float		scale = factors[RABITQ_BLOCK + i];
		float		inner = query->table_step * (float) sums[i] + query->table_base;
		float		score = (add + lead) + scale * inner;

		scores[i] = score;
		if (score + margin * scale < threshold)
			mask |= UINT32_C(1) << i;
	}
	return mask;
}

typedef struct RabitqSet
{
	const char *name;
	uint32_t	(*scan) (const RabitqQuery *query, const uint8_t *block,
						 float lead, float margin, float threshold, float *scores);
	int32_t		(*dot) (int dims, const uint8_t *code, const int16_t *levels);
	void		(*center_lead) (const RabitqQuery *query, const uint8_t *codes,
								float minimum, float step, bool inner,
								float *lead, float *distance);
	void		(*prepare) (RabitqQuery *query);
} RabitqSet;

/* NULL where the CPU does not have it, or the build is for another one */
extern const RabitqSet *rabitq_set_avx512(void);
extern const RabitqSet *rabitq_set_avx2(void);
extern const RabitqSet *rabitq_set_neon(void);

#endif							/* MATH_RABITQ_SETS_H */
