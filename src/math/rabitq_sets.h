/*-------------------------------------------------------------------------
 *
 * rabitq_sets.h
 *	  What the files of RaBitQ kernels share; nobody else includes it.
 *
 * Products and sums must not be contracted into fused operations: the sets
 * would differ in the last bit, and a standby may have another CPU.  This
 * header comes first in each of those files, and brings the intrinsics.
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

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#include "math/cpu.h"
#include "math/inline.h"

/*
 * Everything is computed in sixteen lanes, so that all sets add in one order,
 * and held in PARTS vectors as wide as the processor's registers.  A vector
 * type wider than a register would do as well with clang, but gcc keeps its
 * values in memory: it took five times as long.  A file that does not say
 * otherwise is compiled for registers of four floats.
 */
#ifndef LANES
#define LANES	4
#define TARGET
#endif
#define PARTS	(16 / LANES)

typedef float lanes __attribute__((vector_size(4 * LANES)));
typedef int32_t lanes_int __attribute__((vector_size(4 * LANES)));
typedef uint8_t bytes16 __attribute__((vector_size(16)));

#define EACH_PART(p)	UNROLL for (int p = 0; p < PARTS; p++)

#define LOAD(v, from)	memcpy(&(v), (from), sizeof(v))

/*
 * Conversions of LANES values: from bytes in memory, and of non-negative
 * values to bytes and of any to 16-bit integers, in memory.  The compilers'
 * own (__builtin_convertvector) go value by value.
 */
#if LANES == 16
#define FROM_BYTES(v, from)            \
	((v) = (lanes) _mm512_cvtepi32_ps( \
		 _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *) (from)))))
#define TO_BYTES(to, v) \
	_mm_storeu_si128((__m128i *) (to), _mm512_cvtepi32_epi8((__m512i) (v)))
#define TO_SHORTS(to, v) \
	_mm256_storeu_si256((__m256i *) (to), _mm512_cvtepi32_epi16((__m512i) (v)))

#elif LANES == 8
#define PACKED(v) \
	_mm_packs_epi32(_mm256_castsi256_si128((__m256i) (v)), \
					_mm256_extracti128_si256((__m256i) (v), 1))
#define FROM_BYTES(v, from)            \
	((v) = (lanes) _mm256_cvtepi32_ps( \
		 _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *) (from)))))
#define TO_BYTES(to, v) \
	_mm_storel_epi64((__m128i *) (to), _mm_packus_epi16(PACKED(v), PACKED(v)))
#define TO_SHORTS(to, v) \
	_mm_storeu_si128((__m128i *) (to), PACKED(v))

#elif defined(__ARM_NEON)
#define FROM_BYTES(v, from) \
	do { \
		uint32_t	word_; \
		memcpy(&word_, from, sizeof(word_)); \
		(v) = (lanes) vcvtq_f32_u32(vmovl_u16( \
			vget_low_u16(vmovl_u8(vcreate_u8(word_))))); \
	} while (0)
#define TO_BYTES(to, v) \
	do { \
		uint16x4_t	half_ = vmovn_u32((uint32x4_t) (v)); \
		uint8x8_t	bytes_ = vmovn_u16(vcombine_u16(half_, half_)); \
		memcpy(to, &bytes_, 4); \
	} while (0)
#define TO_SHORTS(to, v)	vst1_s16(to, vmovn_s32((int32x4_t) (v)))

#else
#define FROM_BYTES(v, from) \
	do { \
		for (int j_ = 0; j_ < LANES; j_++) \
			(v)[j_] = (from)[j_]; \
	} while (0)
#define TO_BYTES(to, v) \
	do { \
		for (int j_ = 0; j_ < LANES; j_++) \
			(to)[j_] = (uint8_t) (v)[j_]; \
	} while (0)
#define TO_SHORTS(to, v) \
	do { \
		for (int j_ = 0; j_ < LANES; j_++) \
			(to)[j_] = (int16_t) (v)[j_]; \
	} while (0)
#endif

ALWAYS_INLINE TARGET float
sum_lanes(const lanes *v)
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

/* The two forms of rabitq_center_lead. */
ALWAYS_INLINE TARGET void
center_lead_lanes(const RabitqQuery *query, const uint8_t *codes,
				  float minimum, float step, bool inner,
				  float *lead, float *distance)
{
	lanes		squares[PARTS] = {{0}};
	lanes		products[PARTS] = {{0}};

	for (int i = 0; i < query->dims; i += 16)
	{
		EACH_PART(p)
		{
			lanes		center;
			lanes		difference;
			lanes		q;

			FROM_BYTES(center, codes + i + p * LANES);
			LOAD(q, query->vector + i + p * LANES);
			center = minimum + step * center;
			difference = q - center;
			squares[p] += difference * difference;
			if (inner)
				products[p] += q * center;
		}
	}
	*distance = sqrtf(sum_lanes(squares));
	*lead = inner ? -2.0f * sum_lanes(products) : sum_lanes(squares);
}

/*
 * Entry n of a group's table is the sum of those of its four values whose
 * bit is set in n, less the least such sum.
 */
ALWAYS_INLINE TARGET void
one_bit_table(RabitqQuery *query)
{
	static const float bit[4][16] = {
		{0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1},
		{0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1},
		{0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1},
		{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1}
	};
	const float *q = query->vector;
	int			groups = query->coded / 4;
	int			highest = 65535 / groups;
	float		lows[RABITQ_MAX_CODED / 4];
	float		range = 0;
	float		base = 0;
	lanes		sums[PARTS] = {{0}};
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

		EACH_PART(p)
		{
			lanes		bit0;
			lanes		bit1;
			lanes		bit2;
			lanes		bit3;
			lanes		entry;
			lanes_int	rounded;

			LOAD(bit0, bit[0] + p * LANES);
			LOAD(bit1, bit[1] + p * LANES);
			LOAD(bit2, bit[2] + p * LANES);
			LOAD(bit3, bit[3] + p * LANES);
			entry = bit0 * v[0] + bit1 * v[1] + bit2 * v[2] + bit3 * v[3] -
					lows[g];
			entry = entry * inverse + 0.5f;
			rounded = __builtin_convertvector(entry, lanes_int);
			TO_BYTES(query->table + g * 16 + p * LANES, rounded);
		}
	}
	for (int i = 0; i < query->coded; i += 16)
	{
		EACH_PART(p)
		{
			lanes		v;

			LOAD(v, q + i + p * LANES);
			sums[p] += v;
		}
	}
	query->table_base = base - 0.5f * sum_lanes(sums);
}

/* The largest magnitude, and the sum of squares. */
ALWAYS_INLINE TARGET float
largest_lane(const float *q, int dims, float *norm_squared)
{
	lanes		norms[PARTS] = {{0}};
	lanes		most[PARTS] = {{0}};
	float		magnitudes[16];
	float		largest = 0;

	for (int i = 0; i < dims; i += 16)
	{
		EACH_PART(p)
		{
			lanes		v;
			lanes		magnitude;
			lanes_int	more;

			LOAD(v, q + i + p * LANES);
			norms[p] += v * v;
			magnitude = (lanes) ((lanes_int) v & INT32_MAX);
			more = magnitude > most[p];
			most[p] = (lanes) (((lanes_int) magnitude & more) |
							   ((lanes_int) most[p] & ~more));
		}
	}
	memcpy(magnitudes, most, sizeof(magnitudes));
	for (int i = 0; i < 16; i++)
		largest = magnitudes[i] > largest ? magnitudes[i] : largest;
	*norm_squared = sum_lanes(norms);
	return largest;
}

/* Levels for the four-bit code; its value u stands for x = u - 7.5. */
ALWAYS_INLINE TARGET void
four_bit_levels(RabitqQuery *query)
{
	const float *q = query->vector;
	float		largest = largest_lane(q, query->dims, &query->norm_squared);
	float		inverse = largest > 0 ? RABITQ_QUERY_LIMIT / largest : 0;
	lanes_int	sums[PARTS] = {{0}};
	int32_t		parts[16];
	double		sum = 0;

	query->level_step = largest / RABITQ_QUERY_LIMIT;
	for (int i = 0; i < query->dims; i += 16)
	{
		EACH_PART(p)
		{
			lanes		v;
			lanes		half = (lanes) {0} + 0.5f;
			lanes_int	level;

			LOAD(v, q + i + p * LANES);
			v *= inverse;
			/* halves away from zero: add 0.5 with the sign of v */
			v += (lanes) (((lanes_int) v & INT32_MIN) | (lanes_int) half);
			level = __builtin_convertvector(v, lanes_int);
			TO_SHORTS(query->levels + i + p * LANES, level);
			sums[p] += level;
		}
	}
	memcpy(parts, sums, sizeof(parts));
	for (int i = 0; i < 16; i++)
		sum += parts[i];
	query->level_base = (float) (-7.5 * sum * query->level_step);
}

/* The form of rabitq_query_prepare. */
ALWAYS_INLINE TARGET void
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
								   sqrt(1 - 2 / 3.14159265358979 *
												query->coded / query->dims) /
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
 * The stored numbers from the sums they are made of.
 *
 * length: |r|^2 with what was lost; known: |r|^2 without; xr: <r, x>,
 * xx: |x|^2, xc: <x, c>, rc: <r, c>
 */
ALWAYS_INLINE TARGET void
finish_factors(int dims, bool inner, double length, double known, double xr,
			   double xx, double xc, double rc, RabitqFactors *factors)
{
	double		k = xr > 0 ? known / xr : 0;
	double		spread = k * k * xx - known;

	factors->add = (float) ((inner ? -2 * rc : length) + 2 * k * xc);
	factors->scale = (float) (-2 * k);
	factors->error = (float) sqrt((spread > 0 ? spread : 0) / (dims - 1));
}

/* Sixteen lanes that are 0 or -1 as bits, lane 0 the lowest. */
ALWAYS_INLINE TARGET uint32_t
lanes_to_bits(const lanes_int *v)
{
	uint8_t		each[16];
	uint32_t	bits = 0;

	EACH_PART(p)
	{
		lanes_int	one = v[p] & 1;

		TO_BYTES(each + p * LANES, one);
	}
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	for (int half = 0; half < 2; half++)
	{
		uint64_t	eight;

		/* the product has byte i at bit 56 + i */
		memcpy(&eight, each + half * 8, sizeof(eight));
		eight *= UINT64_C(0x0102040810204080);
		bits |= (uint32_t) (eight >> 56) << (half * 8);
	}
#else
	for (int j = 0; j < 16; j++)
		bits |= (uint32_t) each[j] << j;
#endif
	return bits;
}

/* The form of rabitq_encode. */
ALWAYS_INLINE TARGET void
encode_lanes(int dims, int coded, const float *vector, const float *center,
			 float lost, bool inner, uint8_t *bits, RabitqFactors *factors)
{
	lanes		length[PARTS] = {{0}};
	lanes		absolute[PARTS] = {{0}};
	lanes		signed_center[PARTS] = {{0}};
	lanes		product[PARTS] = {{0}};
	double		known;

	for (int i = 0; i < dims; i += 16)
	{
		lanes		r[PARTS];
		lanes		c[PARTS];
		lanes_int	positive[PARTS];
		uint32_t	mask;

		EACH_PART(p)
		{
			lanes		v;

			LOAD(v, vector + i + p * LANES);
			LOAD(c[p], center + i + p * LANES);
			r[p] = v - c[p];
			length[p] += r[p] * r[p];
			product[p] += r[p] * c[p];
			positive[p] = r[p] > 0.0f;
		}
		if (i >= coded)
			continue;
		EACH_PART(p)
		{
			lanes		sign = __builtin_convertvector(-2 * positive[p] - 1,
													   lanes);

			absolute[p] += r[p] * sign;
			signed_center[p] += c[p] * sign;
		}
		mask = lanes_to_bits(positive);
		bits[i / 8] = (uint8_t) mask;
		bits[i / 8 + 1] = (uint8_t) (mask >> 8);
	}

	/* x is half the sign */
	known = sum_lanes(length);
	finish_factors(dims, inner, known + lost, known, 0.5 * sum_lanes(absolute),
				   0.25 * coded, 0.5 * sum_lanes(signed_center),
				   sum_lanes(product), factors);
}

ALWAYS_INLINE TARGET float
squared_distance_lanes(int dims, const float *vector, const float *center)
{
	lanes		squares[PARTS] = {{0}};

	for (int i = 0; i < dims; i += 16)
	{
		EACH_PART(p)
		{
			lanes		v;
			lanes		c;

			LOAD(v, vector + i + p * LANES);
			LOAD(c, center + i + p * LANES);
			squares[p] += (v - c) * (v - c);
		}
	}
	return sum_lanes(squares);
}

/* The form of rabitq_refine_encode. */
ALWAYS_INLINE TARGET void
refine_encode_lanes(int dims, const float *vector, const float *center,
					bool inner, uint8_t *code, RabitqFactors *factors)
{
	float		length = squared_distance_lanes(dims, vector, center);
	float		step = FOUR_BIT_STEP * sqrtf(length / dims);
	float		inverse = step > 0 ? 1.0f / step : 0.0f;
	lanes		most = (lanes) {0} + 15.0f;
	lanes		xr[PARTS] = {{0}};
	lanes		xx[PARTS] = {{0}};
	lanes		xc[PARTS] = {{0}};
	lanes		rc[PARTS] = {{0}};

	for (int i = 0; i < dims; i += 64)
	{
		uint8_t		level[64];

		for (int j = 0; j < 64; j += 16)
		{
			EACH_PART(p)
			{
				lanes		v;
				lanes		c;
				lanes		r;
				lanes		x;
				lanes_int	u;
				lanes_int	over;

				LOAD(v, vector + i + j + p * LANES);
				LOAD(c, center + i + j + p * LANES);
				r = v - c;
				/* far beyond the range is cut before it could overflow */
				x = r * inverse + 8.0f;
				x = (lanes) ((lanes_int) x & (lanes_int) (x > 0.0f));
				over = x > 15.0f;
				u = __builtin_convertvector((lanes) (((lanes_int) x & ~over) |
													 ((lanes_int) most &
													  over)),
											lanes_int);
				x = __builtin_convertvector(u, lanes) - 7.5f;
				xr[p] += x * r;
				xx[p] += x * x;
				xc[p] += x * c;
				rc[p] += r * c;
				TO_BYTES(level + j + p * LANES, u);
			}
		}
		for (int j = 0; j < 32; j += 16)
		{
			bytes16		low;
			bytes16		high;

			LOAD(low, level + j);
			LOAD(high, level + j + 32);
			low |= high << 4;
			memcpy(code + i / 2 + j, &low, sizeof(low));
		}
	}
	finish_factors(dims, inner, length, length, sum_lanes(xr), sum_lanes(xx),
				   sum_lanes(xc), sum_lanes(rc), factors);
}

/* What turns sums of table entries into scores; see rabitq_scan. */
ALWAYS_INLINE TARGET uint32_t
scores_of_sums(const RabitqQuery *query, const uint16_t *sums,
			   const float *factors, float lead, float margin, float threshold,
			   float *scores)
{
	uint32_t	mask = 0;

	for (int i = 0; i < RABITQ_BLOCK; i++)
	{
		float		add = factors[i];
		float		scale = factors[RABITQ_BLOCK + i];
		float		inner = query->table_step * (float) sums[i] +
							query->table_base;
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
	uint32_t (*scan) (const RabitqQuery *query, const uint8_t *block,
					 float lead, float margin, float threshold, float *scores);
	int32_t		(*dot) (int dims, const uint8_t *code, const int16_t *levels);
	void		(*center_lead) (const RabitqQuery *query, const uint8_t *codes,
								float minimum, float step, bool inner,
								float *lead, float *distance);
	void		(*prepare) (RabitqQuery *query);
	void (*encode) (int dims, int coded, const float *vector,
					const float *center, float lost, bool inner, uint8_t *bits,
					RabitqFactors *factors);
	void (*refine_encode) (int dims, const float *vector, const float *center,
						   bool inner, uint8_t *code, RabitqFactors *factors);
} RabitqSet;

/* NULL where the CPU does not have it, or the build is for another one */
extern const RabitqSet *rabitq_set_avx512(void);
extern const RabitqSet *rabitq_set_avx2(void);
extern const RabitqSet *rabitq_set_neon(void);

#endif							/* MATH_RABITQ_SETS_H */
