/*-------------------------------------------------------------------------
 *
 * lanes_neon.h
 *	  A register of 4 floats: lanes_avx512.h for NEON on AArch64.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_LANES_H
#define MATH_LANES_H

#include <arm_neon.h>
#include <stdint.h>
#include <string.h>

#include "math/inline.h"

#define LANES 4
#define LANES_TARGET
#define LANES_INLINE ALWAYS_INLINE

typedef float32x4_t Lanes;

LANES_INLINE Lanes
lanes_set(float x)
{
	return vdupq_n_f32(x);
}

LANES_INLINE Lanes
lanes_load(const float *from)
{
	return vld1q_f32(from);
}

LANES_INLINE void
lanes_store(float *to, Lanes a)
{
	vst1q_f32(to, a);
}

LANES_INLINE Lanes
lanes_load_first(const float *from, int count)
{
	float		some[LANES] = {0};

	for (int i = 0; i < LANES && i < count; i++)
		some[i] = from[i];
	return vld1q_f32(some);
}

LANES_INLINE void
lanes_store_first(float *to, Lanes a, int count)
{
	float		some[LANES];

	vst1q_f32(some, a);
	for (int i = 0; i < LANES && i < count; i++)
		to[i] = some[i];
}

LANES_INLINE Lanes
lanes_first_of(Lanes a, Lanes b, int count)
{
	static const int32_t number[LANES] = {0, 1, 2, 3};

	return vbslq_f32(vcgtq_s32(vdupq_n_s32(count), vld1q_s32(number)), a, b);
}

LANES_INLINE Lanes
lanes_from_int(const int32_t *from)
{
	return vcvtq_f32_s32(vld1q_s32(from));
}

LANES_INLINE Lanes
lanes_add(Lanes a, Lanes b)
{
	return vaddq_f32(a, b);
}

LANES_INLINE Lanes
lanes_subtract(Lanes a, Lanes b)
{
	return vsubq_f32(a, b);
}

LANES_INLINE Lanes
lanes_multiply(Lanes a, Lanes b)
{
	return vmulq_f32(a, b);
}

LANES_INLINE Lanes
lanes_multiply_add(Lanes a, Lanes b, Lanes c)
{
	return vfmaq_f32(c, a, b);
}

LANES_INLINE Lanes
lanes_divide(Lanes a, Lanes b)
{
	return vdivq_f32(a, b);
}

LANES_INLINE Lanes
lanes_max(Lanes a, Lanes b)
{
	return vmaxq_f32(a, b);
}

LANES_INLINE Lanes
lanes_min(Lanes a, Lanes b)
{
	return vminq_f32(a, b);
}

LANES_INLINE Lanes
lanes_round(Lanes a)
{
	return vrndnq_f32(a);
}

LANES_INLINE Lanes
lanes_scale(Lanes a, Lanes exponent)
{
	int32x4_t	biased = vaddq_s32(vcvtq_s32_f32(exponent), vdupq_n_s32(127));

	return vmulq_f32(a, vreinterpretq_f32_s32(vshlq_n_s32(biased, 23)));
}

LANES_INLINE float
lanes_sum(Lanes a)
{
	return vaddvq_f32(a);
}

LANES_INLINE float
lanes_largest(Lanes a)
{
	return vmaxvq_f32(a);
}

LANES_INLINE float
lanes_least(Lanes a)
{
	return vminvq_f32(a);
}

LANES_INLINE void
lanes_store_bytes(uint8_t *to, Lanes a)
{
	int16x4_t	shorts = vmovn_s32(vcvtnq_s32_f32(a));
	uint8x8_t	bytes = vqmovun_s16(vcombine_s16(shorts, shorts));

	memcpy(to, &bytes, LANES);
}

LANES_INLINE void
lanes_store_shorts(int16_t *to, Lanes a)
{
	vst1_s16(to, vmovn_s32(vcvtnq_s32_f32(a)));
}

LANES_INLINE void
lanes_store_bfloat16(uint16_t *to, Lanes a)
{
	uint32x4_t	bits = vreinterpretq_u32_f32(a);
	uint32x4_t	odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));

	vst1_u16(to,
			 vshrn_n_u32(vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7FFF))),
						 16));
}

LANES_INLINE void
lanes_transpose(Lanes row[LANES])
{
	float32x4x2_t low = vzipq_f32(row[0], row[2]);
	float32x4x2_t high = vzipq_f32(row[1], row[3]);
	float32x4x2_t first = vzipq_f32(low.val[0], high.val[0]);
	float32x4x2_t second = vzipq_f32(low.val[1], high.val[1]);

	row[0] = first.val[0];
	row[1] = first.val[1];
	row[2] = second.val[0];
	row[3] = second.val[1];
}

#endif							/* MATH_LANES_H */
