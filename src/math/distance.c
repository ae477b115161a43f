/*-------------------------------------------------------------------------
 *
 * distance.c
 *	  The scalar kernels, which define every distance, and the choice among
 *	  the sets of kernels.
 *
 *-------------------------------------------------------------------------
 */
#include "math/distance.h"

#include <math.h>
#include <string.h>

const char *distance_kernels = "scalar";

float
half_to_float(half value)
{
	uint32_t	sign = (uint32_t) (value & 0x8000) << 16;
	uint32_t	exponent = (value >> 10) & 0x1F;
	uint32_t	mantissa = value & 0x3FF;
	uint32_t	bits;
	float		result;

	if (exponent == 0x1F)
		bits = sign | 0x7F800000 | (mantissa << 13);
	else if (exponent != 0)
		bits = sign | ((exponent + 112) << 23) | (mantissa << 13);
	else
	{
		result = ldexpf((float) mantissa, -24);
		return sign ? -result : result;
	}
	memcpy(&result, &bits, sizeof(result));
	return result;
}

half
float_to_half(float value)
{
	uint32_t	bits;
	uint32_t	sign;
	uint32_t	magnitude;
	uint32_t	shift;
	uint32_t	mantissa;
	uint32_t	rest;
	uint32_t	halfway;
	uint32_t	result;

	memcpy(&bits, &value, sizeof(bits));
	sign = (bits >> 16) & 0x8000;
	magnitude = bits & 0x7FFFFFFF;

	if (magnitude > 0x7F800000)
		return (half) (sign | 0x7E00);
	if (magnitude >= 0x47800000)
		return (half) (sign | 0x7C00);
	if (magnitude < 0x33000000)
		return (half) sign;

	if (magnitude >= 0x38800000)
	{
		/* normal: drop 13 bits of mantissa */
		result = (magnitude - 0x38000000) >> 13;
		rest = magnitude & 0x1FFF;
		halfway = 0x1000;
	}
	else
	{
		/* denormal in half precision */
		shift = 126 - (magnitude >> 23);
		mantissa = (magnitude & 0x7FFFFF) | 0x800000;
		result = mantissa >> shift;
		rest = mantissa & ((1U << shift) - 1);
		halfway = 1U << (shift - 1);
	}
	if (rest > halfway || (rest == halfway && (result & 1)))
		result++;				/* may carry into the exponent, as it should */
	return (half) (sign | result);
}

static float
vector_l2_squared_scalar(int dims, const float *a, const float *b)
{
	float		sum = 0;

	for (int i = 0; i < dims; i++)
		sum += (a[i] - b[i]) * (a[i] - b[i]);
	return sum;
}

static float
vector_inner_scalar(int dims, const float *a, const float *b)
{
	float		sum = 0;

	for (int i = 0; i < dims; i++)
		sum += a[i] * b[i];
	return sum;
}

static CosineSums
vector_cosine_scalar(int dims, const float *a, const float *b)
{
	CosineSums	sums = {0, 0, 0};
	float		inner = 0,
				norm_a = 0,
				norm_b = 0;

	for (int i = 0; i < dims; i++)
	{
		inner += a[i] * b[i];
		norm_a += a[i] * a[i];
		norm_b += b[i] * b[i];
	}
	sums.inner = inner;
	sums.norm_a = norm_a;
	sums.norm_b = norm_b;
	return sums;
}

static float
vector_l1_scalar(int dims, const float *a, const float *b)
{
	float		sum = 0;

	for (int i = 0; i < dims; i++)
		sum += fabsf(a[i] - b[i]);
	return sum;
}

float		(*vector_l2_squared_kernel) (int dims, const float *a, const float *b) = vector_l2_squared_scalar;
float		(*vector_inner_kernel) (int dims, const float *a, const float *b) = vector_inner_scalar;
CosineSums	(*vector_cosine_kernel) (int dims, const float *a, const float *b) = vector_cosine_scalar;
float		(*vector_l1_kernel) (int dims, const float *a, const float *b) = vector_l1_scalar;

void
distance_init(void)
{
}
