/*-------------------------------------------------------------------------
 *
 * product_scalar.c
 *	  Products for any processor: 2 rows by 16 outputs.
 *
 *-------------------------------------------------------------------------
 */
#include "math/product_sets.h"

#include "math/lanes_scalar.h"

#define COLUMNS 16
#define ROWS 2
#define QUARTERS (COLUMNS / LANES)

/* "rows" is a constant where this is inlined: the sums become registers. */
ALWAYS_INLINE void
float_sums(const int rows, const bool is_half, const void *values,
		   size_t stride, const void *panel, size_t steps, void *sums,
		   size_t sum_stride, int add)
{
	Lanes		sum[ROWS][QUARTERS];

	UNROLL
	for (int r = 0; r < rows; r++)
	{
		const float *from = (const float *) ((const char *) sums +
											 r * sum_stride);

		UNROLL
		for (int q = 0; q < QUARTERS; q++)
			sum[r][q] = add ? lanes_load(from + q * LANES) : lanes_set(0);
	}
	for (size_t k = 0; k < steps * (is_half ? 2 : 1); k++)
	{
		Lanes		weight[QUARTERS];

		UNROLL
		for (int q = 0; q < QUARTERS; q++)
		{
			if (is_half)
			{
				BitLanes	pair;

				/* the first of a pair is the lower half of 32 bits */
				memcpy(&pair,
					   (const uint32_t *) panel + k / 2 * COLUMNS + q * LANES,
					   sizeof(pair));
				weight[q] = (Lanes) (k % 2 == 0 ? pair << 16
												: pair & 0xFFFF0000);
			}
			else
				weight[q] = lanes_load((const float *) panel + k * COLUMNS +
									   q * LANES);
		}
		UNROLL
		for (int r = 0; r < rows; r++)
		{
			Lanes		value = lanes_set(
					  ((const float *) ((const char *) values +
										r * stride))[k]);

			UNROLL
			for (int q = 0; q < QUARTERS; q++)
				sum[r][q] = lanes_multiply_add(value, weight[q], sum[r][q]);
		}
	}
	UNROLL
	for (int r = 0; r < rows; r++)
	{
		float	   *to = (float *) ((char *) sums + r * sum_stride);

		UNROLL
		for (int q = 0; q < QUARTERS; q++)
			lanes_store(to + q * LANES, sum[r][q]);
	}
}

/* the k-th group of numbers of one row with those of all outputs */
ALWAYS_INLINE void
integer_sums(const int rows, const bool is_byte, const void *values,
			 size_t stride, const void *panel, size_t steps, void *sums,
			 size_t sum_stride, int add)
{
	int32_t		sum[ROWS][COLUMNS];

	for (int r = 0; r < rows; r++)
	{
		const int32_t *from = (const int32_t *) ((const char *) sums +
												 r * sum_stride);

		for (int i = 0; i < COLUMNS; i++)
			sum[r][i] = add ? from[i] : 0;
	}
	for (size_t k = 0; k < steps; k++)
	{
		for (int r = 0; r < rows; r++)
		{
			const char *row = (const char *) values + r * stride;

			if (is_byte)
			{
				const uint8_t *value = (const uint8_t *) row + 4 * k;
				const int8_t *weight = (const int8_t *) panel +
									   4 * k * COLUMNS;

				for (int i = 0; i < COLUMNS; i++)
					sum[r][i] += value[0] * weight[4 * i] +
								 value[1] * weight[4 * i + 1] +
								 value[2] * weight[4 * i + 2] +
								 value[3] * weight[4 * i + 3];
			}
			else
			{
				const int16_t *value = (const int16_t *) row + 2 * k;
				const int16_t *weight = (const int16_t *) panel +
										2 * k * COLUMNS;

				for (int i = 0; i < COLUMNS; i++)
					sum[r][i] += value[0] * weight[2 * i] +
								 value[1] * weight[2 * i + 1];
			}
		}
	}
	for (int r = 0; r < rows; r++)
	{
		int32_t    *to = (int32_t *) ((char *) sums + r * sum_stride);

		for (int i = 0; i < COLUMNS; i++)
			to[i] = sum[r][i];
	}
}

#define TILE(name, rows, call) \
static void \
name##_##rows(const void *values, size_t stride, const void *panel, \
			  const void *next, size_t ahead, size_t steps, void *sums, \
			  size_t sum_stride, int add) \
{ \
	call(rows, name##_kind, values, stride, panel, steps, sums, \
		 sum_stride, add); \
}

#define TILES(name, call) \
	TILE(name, 1, call) \
	TILE(name, 2, call) \
	static const ProductTile name##_tiles[ROWS] = {name##_1, name##_2};

#define float_kind false
#define wide_kind true
#define short_kind false
#define byte_kind true

TILES(float, float_sums)
TILES(wide, float_sums)
TILES(short, integer_sums)
TILES(byte, integer_sums)

const ProductKernel product_float_scalar =
{
	.layout = "float32 x 16",
	.values = VALUE_FLOAT,
	.weights = WEIGHT_FLOAT,
	.group = 1,
	.step = 1,
	.columns = COLUMNS,
	.rows = ROWS,
	.tile = float_tiles
};

const ProductKernel product_bfloat16_scalar =
{
	.layout = "bfloat16 x 16",
	.values = VALUE_FLOAT,
	.weights = WEIGHT_BFLOAT16,
	.group = 2,
	.step = 2,
	.columns = COLUMNS,
	.rows = ROWS,
	.tile = wide_tiles
};

const ProductKernel product_int16_scalar =
{
	.layout = "int16 x 16",
	.values = VALUE_SHORT,
	.weights = WEIGHT_SHORT,
	.group = 2,
	.step = 2,
	.columns = COLUMNS,
	.rows = ROWS,
	.tile = short_tiles
};

const ProductKernel product_int8_scalar =
{
	.layout = "int8 x 16",
	.values = VALUE_BYTE,
	.weights = WEIGHT_BYTE,
	.group = 4,
	.step = 4,
	.columns = COLUMNS,
	.rows = ROWS,
	.tile = byte_tiles
};
