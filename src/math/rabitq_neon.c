/*-------------------------------------------------------------------------
 *
 * rabitq_neon.c
 *	  RaBitQ kernels for 64-bit ARM, where NEON is always there.
 *
 *-------------------------------------------------------------------------
 */
#include "math/rabitq_sets.h"

#if defined(__aarch64__)

#include <arm_neon.h>

static uint32_t
scan_neon(const RabitqQuery *query, const uint8_t *block,
		  float lead, float margin, float threshold, float *scores)
{
	int			groups = query->coded / 4;
	const float *factors = (const float *) (block +
											RABITQ_BLOCK_BYTES(query->coded));
	const uint8x16_t low_half = vdupq_n_u8(15);
	uint16x8_t	sum0 = vdupq_n_u16(0);
	uint16x8_t	sum1 = vdupq_n_u16(0);
	uint16x8_t	sum2 = vdupq_n_u16(0);
	uint16x8_t	sum3 = vdupq_n_u16(0);
	uint16_t	sums[RABITQ_BLOCK];

	for (int g = 0; g < groups; g++)
	{
		uint8x16_t	codes = vld1q_u8(block + g * 16);
		uint8x16_t	entries = vld1q_u8(query->table + g * 16);
		uint8x16_t	low = vqtbl1q_u8(entries, vandq_u8(codes, low_half));
		uint8x16_t	high = vqtbl1q_u8(entries, vshrq_n_u8(codes, 4));

		sum0 = vaddw_u8(sum0, vget_low_u8(low));
		sum1 = vaddw_u8(sum1, vget_high_u8(low));
		sum2 = vaddw_u8(sum2, vget_low_u8(high));
		sum3 = vaddw_u8(sum3, vget_high_u8(high));
	}
	vst1q_u16(sums, sum0);
	vst1q_u16(sums + 8, sum1);
	vst1q_u16(sums + 16, sum2);
	vst1q_u16(sums + 24, sum3);
	return scores_of_sums(query, sums, factors, lead, margin, threshold,
						  scores);
}

static int32_t
dot_neon(int dims, const uint8_t *code, const int16_t *levels)
{
	const uint8x16_t low_half = vdupq_n_u8(15);
	int32x4_t	sum = vdupq_n_s32(0);

	for (int i = 0; i < dims; i += 64)
	{
		for (int part = 0; part < 2; part++)
		{
			uint8x16_t	bytes = vld1q_u8(code + i / 2 + part * 16);
			uint8x16_t	halves[2] = {vandq_u8(bytes, low_half),
									 vshrq_n_u8(bytes, 4)};

			for (int half = 0; half < 2; half++)
			{
				const int16_t *at = levels + i + part * 16 + half * 32;
				int16x8_t	low = vreinterpretq_s16_u16(
					  vmovl_u8(vget_low_u8(halves[half])));
				int16x8_t	high = vreinterpretq_s16_u16(
					  vmovl_u8(vget_high_u8(halves[half])));
				int16x8_t	q0 = vld1q_s16(at);
				int16x8_t	q1 = vld1q_s16(at + 8);

				sum = vmlal_s16(sum, vget_low_s16(low), vget_low_s16(q0));
				sum = vmlal_s16(sum, vget_high_s16(low), vget_high_s16(q0));
				sum = vmlal_s16(sum, vget_low_s16(high), vget_low_s16(q1));
				sum = vmlal_s16(sum, vget_high_s16(high), vget_high_s16(q1));
			}
		}
	}
	return vaddvq_s32(sum);
}

static void
center_lead_neon(const RabitqQuery *query, const uint8_t *codes,
				 float minimum, float step, bool inner,
				 float *lead, float *distance)
{
	center_lead_lanes(query, codes, minimum, step, inner, lead, distance);
}

static void
prepare_neon(RabitqQuery *query)
{
	prepare_lanes(query);
}

static void
encode_neon(int dims, int coded, const float *vector, const float *center,
			float lost, bool inner, uint8_t *bits, RabitqFactors *factors)
{
	encode_lanes(dims, coded, vector, center, lost, inner, bits, factors);
}

static void
refine_encode_neon(int dims, const float *vector, const float *center,
				   bool inner, uint8_t *code, RabitqFactors *factors)
{
	refine_encode_lanes(dims, vector, center, inner, code, factors);
}

const RabitqSet *
rabitq_set_neon(void)
{
	static const RabitqSet set = {
		"neon", scan_neon, dot_neon, center_lead_neon, prepare_neon,
		encode_neon, refine_encode_neon
	};

	return &set;
}

#else

const RabitqSet *
rabitq_set_neon(void)
{
	return NULL;
}

#endif
