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
} RabitqSet;

/* NULL where the CPU does not have it, or the build is for another one */
extern const RabitqSet *rabitq_set_avx512(void);
extern const RabitqSet *rabitq_set_avx2(void);
extern const RabitqSet *rabitq_set_neon(void);

#endif							/* MATH_RABITQ_SETS_H */
