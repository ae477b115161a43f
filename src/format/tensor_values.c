/*-------------------------------------------------------------------------
 *
 * tensor_values.c
 *	  The values of tensors as floats.
 *
 * The blocks are those of ggml (the gguf package's dequantize is
 * the reference): a scale in half precision for 32 elements, or
 * for 256 with smaller scales for each 16 or 32 of them.  Every product below
 * is exact in a float, having at most 11 + 6 + 5 bits, and one addition
 * follows at most: no compiler's fused multiply-add can change a result.
 * Q6_K alone has one product that rounds, and adds nothing.
 *
 *-------------------------------------------------------------------------
 */
#include "format/tensor.h"

#include "math/bfloat16.h"
#include "math/distance.h"

#include <string.h>

static uint16_t
read_uint16(const unsigned char *bytes)
{
	return (uint16_t) (bytes[0] | bytes[1] << 8);
}

static float
read_half(const unsigned char *bytes)
{
	return half_to_float(read_uint16(bytes));
}

/* ---------- plain numbers ---------- */

static void
halves_to_floats(const unsigned char *bytes, size_t count, float *values)
{
	half		aligned[256];

	for (size_t i = 0; i < count; i += 256)
	{
		int			some = count - i < 256 ? (int) (count - i) : 256;

		for (int k = 0; k < some; k++)
			aligned[k] = read_uint16(bytes + 2 * (i + (size_t) k));
		half_to_float_kernel(some, aligned, values + i);
	}
}

static float
double_at(const unsigned char *bytes)
{
	uint64_t	bits = format_read_uint64(bytes);
	double		value;

	memcpy(&value, &bits, sizeof(value));
	return (float) value;
}

static void
copy_floats(const unsigned char *bytes, size_t count, float *values)
{
	for (size_t i = 0; i < count; i += 1 << 20)
		format_read_floats(bytes + 4 * i, values + i,
						   count - i < 1 << 20 ? (int) (count - i) : 1 << 20);
}

/* One loop for each type of number. */
#define EACH(size, expression) \
	for (size_t i = 0; i < count; i++, bytes += (size)) \
		values[i] = (float) (expression); \
	return

static void
numbers_to_floats(TensorType type, const unsigned char *bytes, size_t count,
				  float *values)
{
	switch (type)
	{
		case TENSOR_F32:
			copy_floats(bytes, count, values);
			return;
		case TENSOR_F64:
			EACH(8, double_at(bytes));
		case TENSOR_F16:
			halves_to_floats(bytes, count, values);
			return;
		case TENSOR_BF16:
			EACH(2, bfloat_to_float(read_uint16(bytes)));
		case TENSOR_I8:
			EACH(1, (int8_t) bytes[0]);
		case TENSOR_U8:
			EACH(1, bytes[0]);
		case TENSOR_BOOL:
			EACH(1, bytes[0] != 0);
		case TENSOR_I16:
			EACH(2, (int16_t) read_uint16(bytes));
		case TENSOR_U16:
			EACH(2, read_uint16(bytes));
		case TENSOR_I32:
			EACH(4, (int32_t) format_read_uint32(bytes));
		case TENSOR_U32:
			EACH(4, format_read_uint32(bytes));
		case TENSOR_I64:
			EACH(8, (int64_t) format_read_uint64(bytes));
		case TENSOR_U64:
			EACH(8, format_read_uint64(bytes));
		default:
			return;
	}
}

/* ---------- blocks of 32 ---------- */

/* Low nibbles are the first sixteen elements, high ones the others. */
static void
unpack_nibbles(const unsigned char *packed, int *q)
{
	for (int i = 0; i < 16; i++)
	{
		q[i] = packed[i] & 0x0F;
		q[i + 16] = packed[i] >> 4;
	}
}

/* The fifth bits, one after the other. */
static void
add_fifth_bits(const unsigned char *packed, int *q)
{
	uint32_t	bits = format_read_uint32(packed);

	for (int i = 0; i < 32; i++)
		q[i] |= (int) (bits >> i & 1) << 4;
}

static void
scale_32(const int *q, float scale, float minimum, float *values)
{
	for (int i = 0; i < 32; i++)
		values[i] = scale * (float) q[i] + minimum;
}

/* Without a minimum nothing may be added: -0 + 0 would be 0. */
static void
scale_32_signed(const int *q, int zero, float scale, float *values)
{
	for (int i = 0; i < 32; i++)
		values[i] = scale * (float) (q[i] - zero);
}

static void
block_q4_0(const unsigned char *block, float *values)
{
	int			q[32];

	unpack_nibbles(block + 2, q);
	scale_32_signed(q, 8, read_half(block), values);
}

static void
block_q4_1(const unsigned char *block, float *values)
{
	int			q[32];

	unpack_nibbles(block + 4, q);
	scale_32(q, read_half(block), read_half(block + 2), values);
}

static void
block_q5_0(const unsigned char *block, float *values)
{
	int			q[32];

	unpack_nibbles(block + 6, q);
	add_fifth_bits(block + 2, q);
	scale_32_signed(q, 16, read_half(block), values);
}

static void
block_q5_1(const unsigned char *block, float *values)
{
	int			q[32];

	unpack_nibbles(block + 8, q);
	add_fifth_bits(block + 4, q);
	scale_32(q, read_half(block), read_half(block + 2), values);
}

static void
block_q8_0(const unsigned char *block, float *values)
{
	float		scale = read_half(block);

	for (int i = 0; i < 32; i++)
		values[i] = scale * (float) (int8_t) block[2 + i];
}

/* ---------- blocks of 256 ---------- */

/*
 * Eight scales and eight minima of six bits in twelve bytes: the low six bits
 * of the first eight bytes are the first four scales and minima; the others
 * have four bits in the last four bytes and two on top of the first eight.
 */
static void
unpack_scales(const unsigned char *packed, int *scales, int *minima)
{
	for (int i = 0; i < 4; i++)
	{
		scales[i] = packed[i] & 0x3F;
		minima[i] = packed[i + 4] & 0x3F;
		scales[i + 4] = (packed[i + 8] & 0x0F) | packed[i] >> 6 << 4;
		minima[i + 4] = packed[i + 8] >> 4 | packed[i + 4] >> 6 << 4;
	}
}

/*
 * Eight groups of 32: of each 32 bytes the low nibbles are one group and the
 * high ones the next.  high: 32 bytes with the fifth bits of the eight groups,
 * or NULL.
 */
static void
block_with_minima(const unsigned char *block, const unsigned char *packed,
				  const unsigned char *high, float *values)
{
	float		scale = read_half(block);
	float		minimum = read_half(block + 2);
	int			scales[8];
	int			minima[8];

	unpack_scales(block + 4, scales, minima);
	for (int group = 0; group < 8; group++)
	{
		const unsigned char *bytes = packed + group / 2 * 32;
		float		own_scale = scale * (float) scales[group];
		float		own_minimum = minimum * (float) minima[group];

		for (int i = 0; i < 32; i++)
		{
			int			q = group % 2 == 0 ? bytes[i] & 0x0F : bytes[i] >> 4;

			if (high != NULL)
				q |= (high[i] >> group & 1) << 4;
			values[group * 32 + i] = own_scale * (float) q - own_minimum;
		}
	}
}

static void
block_q4_k(const unsigned char *block, float *values)
{
	block_with_minima(block, block + 16, NULL, values);
}

static void
block_q5_k(const unsigned char *block, float *values)
{
	block_with_minima(block, block + 48, block + 16, values);
}

/*
 * Two halves of 128: 64 bytes with low nibbles, 32 with the upper two bits.
 * Element i of a half has its nibble in byte i % 64 (low for the first 64),
 * and its upper bits in byte i % 32 at 2 * (i / 32).
 */
static void
block_q6_k(const unsigned char *block, float *values)
{
	float		scale = read_half(block + 208);

	for (int i = 0; i < 256; i++)
	{
		int			part = i / 128;
		int			within = i % 128;
		int			low = block[part * 64 + within % 64];
		int			high = block[128 + part * 32 + within % 32];
		float		own_scale = scale * (float) (int8_t) block[192 + i / 16];
		int			q = (within < 64 ? low & 0x0F : low >> 4) |
						(high >> within / 32 * 2 & 3) << 4;

		values[i] = own_scale * (float) (q - 32);
	}
}

typedef void (*BlockFunction) (const unsigned char *block, float *values);

static const BlockFunction block_functions[TENSOR_TYPE_COUNT] = {
	[TENSOR_Q4_0] = block_q4_0, [TENSOR_Q4_1] = block_q4_1,
	[TENSOR_Q5_0] = block_q5_0, [TENSOR_Q5_1] = block_q5_1,
	[TENSOR_Q8_0] = block_q8_0, [TENSOR_Q4_K] = block_q4_k,
	[TENSOR_Q5_K] = block_q5_k, [TENSOR_Q6_K] = block_q6_k,
};

void
tensor_to_floats(TensorType type, const void *bytes, size_t elements,
				 float *values)
{
	const unsigned char *block = bytes;
	size_t		block_elements = (size_t) tensor_block_elements(type);

	if (block_functions[type] == NULL)
	{
		numbers_to_floats(type, bytes, elements, values);
		return;
	}
	for (size_t i = 0; i + block_elements <= elements; i += block_elements)
	{
		block_functions[type] (block, values + i);
		block += tensor_block_bytes(type);
	}
}
