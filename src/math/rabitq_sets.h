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

#include "math/inline.h"

/* Sixteen lanes; the compiler lowers them to what the target has. */
typedef float v16 __attribute__((vector_size(64)));
typedef int32_t v16i __attribute__((vector_size(64)));
typedef uint8_t u8x16 __attribute__((vector_size(16)));

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

/*
 * The best step of a uniform quantiser of 16 levels for a normal variable, in
 * standard deviations (Max, IRE Trans. Inf. Theory 1960, table II).  Rotated
 * residuals are close to normal, so the search for the best step of each
 * vector that the paper describes gains next to nothing.
 */
#define FOUR_BIT_STEP	0.3352f

/*
 * finish_factors
 *	  The stored numbers from the sums they are made of.
 *
 * length: |r|^2 with what was lost; known: |r|^2 without; xr: <r, x>,
 * xx: |x|^2, xc: <x, c>, rc: <r, c>
 */
ALWAYS_INLINE void
finish_factors(int dims, bool inner, double length, double known, double xr, double xx,
			   double xc, double rc, RabitqFactors *factors)
{
	double		k = xr > 0 ? known / xr : 0;
	double		spread = k * k * xx - known;

	factors->add = (float) ((inner ? -2 * rc : length) + 2 * k * xc);
	factors->scale = (float) (-2 * k);
	factors->error = (float) sqrt((spread > 0 ? spread : 0) / (dims - 1));
}

/* Sixteen lanes that are 0 or -1 as bits, lane 0 the lowest. */
ALWAYS_INLINE uint32_t
lanes_to_bits(const v16i *lanes)
{
	u8x16		bytes = __builtin_convertvector(*lanes, u8x16);
	uint8_t		each[16];
	uint32_t	bits = 0;

	memcpy(each, &bytes, sizeof(each));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	for (int half = 0; half < 2; half++)
	{
		uint64_t	eight;

		/* the product has the low bit of byte i at bit 56 + i */
		memcpy(&eight, each + half * 8, sizeof(eight));
		eight = (eight & UINT64_C(0x0101010101010101)) * UINT64_C(0x0102040810204080);
		bits |= (uint32_t) (eight >> 56) << (half * 8);
	}
#else
	for (int j = 0; j < 16; j++)
		bits |= (uint32_t) (each[j] & 1) << j;
#endif
	return bits;
}

/* The form of rabitq_encode. */
ALWAYS_INLINE void
encode_lanes(int dims, int coded, const float *vector, const float *center,
			 float lost, bool inner, uint8_t *bits, RabitqFactors *factors)
{
	v16			length = V16_ALL(0.0f);
	v16			absolute = V16_ALL(0.0f);
	v16			signed_center = V16_ALL(0.0f);
	v16			product = V16_ALL(0.0f);
	double		known;

	for (int i = 0; i < dims; i += 16)
	{
		v16			v;
		v16			c;
		v16			r;

		V16_LOAD(v, vector + i);
		V16_LOAD(c, center + i);
		r = v - c;
		length += r * r;
		product += r * c;
		if (i < coded)
		{
			v16i		positive = r > 0.0f;
			v16			sign = __builtin_convertvector(-2 * positive - 1, v16);
			uint32_t	mask = lanes_to_bits(&positive);

			bits[i / 8] = (uint8_t) mask;
			bits[i / 8 + 1] = (uint8_t) (mask >> 8);
			absolute += r * sign;
			signed_center += c * sign;
		}
	}

	/* x is half the sign */
	known = v16_sum(&length);
	finish_factors(dims, inner, known + lost, known, 0.5 * v16_sum(&absolute),
				   0.25 * coded, 0.5 * v16_sum(&signed_center), v16_sum(&product),
				   factors);
}

/* The form of rabitq_refine_encode. */
ALWAYS_INLINE void
refine_encode_lanes(int dims, const float *vector, const float *center,
					bool inner, uint8_t *code, RabitqFactors *factors)
{
	v16			squares = V16_ALL(0.0f);
	v16			xr = V16_ALL(0.0f);
	v16			xx = V16_ALL(0.0f);
	v16			xc = V16_ALL(0.0f);
	v16			rc = V16_ALL(0.0f);
	float		length;
	float		step;
	v16			inverse;

	for (int i = 0; i < dims; i += 16)
	{
		v16			v;
		v16			c;

		V16_LOAD(v, vector + i);
		V16_LOAD(c, center + i);
		squares += (v - c) * (v - c);
	}
	length = v16_sum(&squares);
	step = FOUR_BIT_STEP * sqrtf(length / dims);
	inverse = V16_ALL((step > 0 ? 1.0f / step : 0.0f));

	for (int i = 0; i < dims; i += 64)
	{
		uint8_t		level[64];

		for (int j = 0; j < 64; j += 16)
		{
			v16			v;
			v16			c;
			v16			r;
			v16			x;
			v16i		u;
			v16i		over;
			u8x16		bytes;

			V16_LOAD(v, vector + i + j);
			V16_LOAD(c, center + i + j);
			r = v - c;
			/* far beyond the range is cut before it could overflow */
			x = r * inverse + 8.0f;
			x = (v16) ((v16i) x & (v16i) (x > 0.0f));
			over = x > 15.0f;
			u = __builtin_convertvector((v16) (((v16i) x & ~over) |
											   ((v16i) V16_ALL(15.0f) & over)), v16i);
			x = __builtin_convertvector(u, v16) - 7.5f;
			xr += x * r;
			xx += x * x;
			xc += x * c;
			rc += r * c;
			bytes = __builtin_convertvector(u, u8x16);
			memcpy(level + j, &bytes, sizeof(bytes));
		}
		for (int j = 0; j < 32; j++)
			code[i / 2 + j] = (uint8_t) (level[j] | (level[j + 32] << 4));
	}
	finish_factors(dims, inner, length, length, v16_sum(&xr), v16_sum(&xx),
				   v16_sum(&xc), v16_sum(&rc), factors);
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
	void		(*encode) (int dims, int coded, const float *vector, const float *center,
						   float lost, bool inner, uint8_t *bits, RabitqFactors *factors);
	void		(*refine_encode) (int dims, const float *vector, const float *center,
								  bool inner, uint8_t *code, RabitqFactors *factors);
} RabitqSet;

/* NULL where the CPU does not have it, or the build is for another one */
extern const RabitqSet *rabitq_set_avx512(void);
extern const RabitqSet *rabitq_set_avx2(void);
extern const RabitqSet *rabitq_set_neon(void);

#endif							/* MATH_RABITQ_SETS_H */
