/*-------------------------------------------------------------------------
 *
 * product_neon.c
 *	  Products for NEON on AArch64: 4 rows by 16 outputs.
 *
 * Sixteen sums, four registers of weights, four of values: a lane of a
 * register of values multiplies a register of weights.  Bytes take the dot
 * product of signed bytes where the processor has it; values are signed
 * there.  Without it products of two bytes are widened before they are
 * added.
 *
 *-------------------------------------------------------------------------
 */
#include "math/product_sets.h"

#if defined(__aarch64__)

#include <arm_neon.h>
#include <string.h>

#include "math/inline.h"

#define COLUMNS 16
#define QUARTERS 4

#if defined(__clang__)
#define DOT_TARGET __attribute__((target("dotprod")))
#else
#define DOT_TARGET __attribute__((target("arch=armv8.2-a+dotprod")))
#endif

/* The weights of one inner index: floats, or one of a pair of bfloat16. */
ALWAYS_INLINE void
float_weights(const bool is_half, const void *panel, size_t k,
			  float32x4_t weight[QUARTERS])
{
	UNROLL
	for (int q = 0; q < QUARTERS; q++)
	{
		if (is_half)
		{
			uint32x4_t	pair = vreinterpretq_u32_u16(vld1q_u16(
				 (const uint16_t *) panel + k / 2 * 2 * COLUMNS + 8 * q));

			pair = k % 2 == 0 ? vshlq_n_u32(pair, 16)
							  : vandq_u32(pair, vdupq_n_u32(0xFFFF0000));
			weight[q] = vreinterpretq_f32_u32(pair);
		}
		else
			weight[q] = vld1q_f32((const float *) panel + k * COLUMNS + 4 * q);
	}
}

/* "rows" is a constant where this is inlined: the sums become registers. */
ALWAYS_INLINE void
float_sums(const int rows, const bool is_half, const void *values,
		   size_t stride, const void *panel, size_t steps, void *sums,
		   size_t sum_stride, int add)
{
	float32x4_t sum[4][QUARTERS];
	size_t		count = is_half ? 2 * steps : steps;
	size_t		k = 0;

	UNROLL
	for (int r = 0; r < rows; r++)
	{
		const float *from = (const float *) ((const char *) sums +
											 r * sum_stride);

		UNROLL
		for (int q = 0; q < QUARTERS; q++)
			sum[r][q] = add ? vld1q_f32(from + 4 * q) : vdupq_n_f32(0);
	}

#define ROW_VALUE(r) ((const float *) ((const char *) values + (r) * stride))
#define LANE_STEP(lane) \
	do { \
		float32x4_t weight[QUARTERS]; \
		float_weights(is_half, panel, k + (lane), weight); \
		UNROLL \
		for (int r = 0; r < rows; r++) \
		{ \
			UNROLL \
			for (int q = 0; q < QUARTERS; q++) \
				sum[r][q] = vfmaq_laneq_f32(sum[r][q], weight[q], \
											value[r], lane); \
		} \
	} while (0)

	for (; k + 4 <= count; k += 4)
	{
		float32x4_t value[4];

		UNROLL
		for (int r = 0; r < rows; r++)
			value[r] = vld1q_f32(ROW_VALUE(r) + k);
		LANE_STEP(0);
		LANE_STEP(1);
		LANE_STEP(2);
		LANE_STEP(3);
	}
	for (; k < count; k++)
	{
		float32x4_t value[4];

		UNROLL
		for (int r = 0; r < rows; r++)
			value[r] = vld1q_dup_f32(ROW_VALUE(r) + k);
		LANE_STEP(0);
	}
	UNROLL
	for (int r = 0; r < rows; r++)
	{
		float	   *to = (float *) ((char *) sums + r * sum_stride);

		UNROLL
		for (int q = 0; q < QUARTERS; q++)
			vst1q_f32(to + 4 * q, sum[r][q]);
	}
}

ALWAYS_INLINE void
short_sums(const int rows, const bool unused, const void *values,
		   size_t stride, const void *panel, size_t steps, void *sums,
		   size_t sum_stride, int add)
{
	int32x4_t	sum[4][QUARTERS];

	UNROLL
	for (int r = 0; r < rows; r++)
	{
		const int32_t *from = (const int32_t *) ((const char *) sums +
												 r * sum_stride);

		UNROLL
		for (int q = 0; q < QUARTERS; q++)
			sum[r][q] = add ? vld1q_s32(from + 4 * q) : vdupq_n_s32(0);
	}
	for (size_t k = 0; k < steps; k++)
	{
		UNROLL
		for (int q = 0; q < QUARTERS; q++)
		{
			/* four outputs, their first and their second numbers */
			int16x4x2_t weight = vld2_s16((const int16_t *) panel +
										  (k * COLUMNS + 4 * q) * 2);

			UNROLL
			for (int r = 0; r < rows; r++)
			{
				const int16_t *value =
					(const int16_t *) ((const char *) values + r * stride) +
					2 * k;

				sum[r][q] = vmlal_n_s16(sum[r][q], weight.val[0], value[0]);
				sum[r][q] = vmlal_n_s16(sum[r][q], weight.val[1], value[1]);
			}
		}
	}
	UNROLL
	for (int r = 0; r < rows; r++)
	{
		int32_t    *to = (int32_t *) ((char *) sums + r * sum_stride);

		UNROLL
		for (int q = 0; q < QUARTERS; q++)
			vst1q_s32(to + 4 * q, sum[r][q]);
	}
}

ALWAYS_INLINE void
byte_sums(const int rows, const bool unused, const void *values, size_t stride,
		  const void *panel, size_t steps, void *sums, size_t sum_stride,
		  int add)
{
	int32x4_t	sum[4][QUARTERS];

	UNROLL
	for (int r = 0; r < rows; r++)
	{
		const int32_t *from = (const int32_t *) ((const char *) sums +
												 r * sum_stride);

		UNROLL
		for (int q = 0; q < QUARTERS; q++)
			sum[r][q] = add ? vld1q_s32(from + 4 * q) : vdupq_n_s32(0);
	}
	for (size_t k = 0; k < steps; k++)
	{
		UNROLL
		for (int q = 0; q < QUARTERS; q++)
		{
			int8x16_t	weight = vld1q_s8((const int8_t *) panel +
										  (k * COLUMNS + 4 * q) * 4);

			UNROLL
			for (int r = 0; r < rows; r++)
			{
				int32_t		group;
				int8x8_t	value;
				int32x4_t	low;
				int32x4_t	high;

				memcpy(&group, (const char *) values + r * stride + 4 * k,
					   sizeof(group));
				value = vreinterpret_s8_s32(vdup_n_s32(group));
				/*
				 * pairs of outputs, two sums each, joined by the last addition
				 */
				low = vpaddlq_s16(vmull_s8(vget_low_s8(weight), value));
				high = vpaddlq_s16(vmull_s8(vget_high_s8(weight), value));
				sum[r][q] = vaddq_s32(sum[r][q], vpaddq_s32(low, high));
			}
		}
	}
	UNROLL
	for (int r = 0; r < rows; r++)
	{
		int32_t    *to = (int32_t *) ((char *) sums + r * sum_stride);

		UNROLL
		for (int q = 0; q < QUARTERS; q++)
			vst1q_s32(to + 4 * q, sum[r][q]);
	}
}

ALWAYS_INLINE DOT_TARGET void
dot_sums(const int rows, const bool unused, const void *values, size_t stride,
		 const void *panel, size_t steps, void *sums, size_t sum_stride,
		 int add)
{
	int32x4_t	sum[4][QUARTERS];

	UNROLL
	for (int r = 0; r < rows; r++)
	{
		const int32_t *from = (const int32_t *) ((const char *) sums +
												 r * sum_stride);

		UNROLL
		for (int q = 0; q < QUARTERS; q++)
			sum[r][q] = add ? vld1q_s32(from + 4 * q) : vdupq_n_s32(0);
	}
	for (size_t k = 0; k < steps; k++)
	{
		int8x16_t	weight[QUARTERS];

		UNROLL
		for (int q = 0; q < QUARTERS; q++)
			weight[q] = vld1q_s8((const int8_t *) panel +
								 (k * COLUMNS + 4 * q) * 4);
		UNROLL
		for (int r = 0; r < rows; r++)
		{
			const void *group = (const char *) values + r * stride + 4 * k;
			int8x16_t	value = vreinterpretq_s8_s32(vld1q_dup_s32(group));

			UNROLL
			for (int q = 0; q < QUARTERS; q++)
				sum[r][q] = vdotq_s32(sum[r][q], weight[q], value);
		}
	}
	UNROLL
	for (int r = 0; r < rows; r++)
	{
		int32_t    *to = (int32_t *) ((char *) sums + r * sum_stride);

		UNROLL
		for (int q = 0; q < QUARTERS; q++)
			vst1q_s32(to + 4 * q, sum[r][q]);
	}
}

#define TILE(name, rows, call, kind, TARGET) \
TARGET static void \
name##_##rows(const void *values, size_t stride, const void *panel, \
			  const void *next, size_t ahead, size_t steps, void *sums, \
			  size_t sum_stride, int add) \
{ \
	call(rows, kind, values, stride, panel, steps, sums, sum_stride, add); \
}

#define TILES(name, call, kind, TARGET) \
	TILE(name, 1, call, kind, TARGET) \
	TILE(name, 2, call, kind, TARGET) \
	TILE(name, 3, call, kind, TARGET) \
	TILE(name, 4, call, kind, TARGET) \
	static const ProductTile name##_tiles[] = { \
		name##_1, name##_2, name##_3, name##_4};

TILES(float, float_sums, false,)
TILES(wide, float_sums, true,)
TILES(short, short_sums, false,)
TILES(byte, byte_sums, false,)
TILES(dot, dot_sums, false, DOT_TARGET)

const ProductKernel product_float_neon =
{
	.layout = "float32 x 16",
	.values = VALUE_FLOAT,
	.weights = WEIGHT_FLOAT,
	.group = 1,
	.step = 1,
	.columns = COLUMNS,
	.rows = 4,
	.tile = float_tiles
};

const ProductKernel product_bfloat16_neon =
{
	.layout = "bfloat16 x 16",
	.values = VALUE_FLOAT,
	.weights = WEIGHT_BFLOAT16,
	.group = 2,
	.step = 2,
	.columns = COLUMNS,
	.rows = 4,
	.tile = wide_tiles
};

const ProductKernel product_int16_neon =
{
	.layout = "int16 x 16",
	.values = VALUE_SHORT,
	.weights = WEIGHT_SHORT,
	.group = 2,
	.step = 2,
	.columns = COLUMNS,
	.rows = 4,
	.tile = short_tiles
};

const ProductKernel product_int8_neon =
{
	.layout = "int8 x 16",
	.values = VALUE_SIGNED_BYTE,
	.weights = WEIGHT_BYTE,
	.group = 4,
	.step = 4,
	.columns = COLUMNS,
	.rows = 4,
	.tile = byte_tiles
};

const ProductKernel product_int8_neon_dot =
{
	.layout = "int8 x 16",
	.values = VALUE_SIGNED_BYTE,
	.weights = WEIGHT_BYTE,
	.group = 4,
	.step = 4,
	.columns = COLUMNS,
	.rows = 4,
	.tile = dot_tiles
};

#endif							/* __aarch64__ */
