/*-------------------------------------------------------------------------
 *
 * arithmetic.c
 *	  Functions of vectors whose result is no distance: sums and products by
 *	  element, norms, parts.
 *
 * Arithmetic is done on floats; a halfvec is widened first and its result
 * rounded once.  Norms are summed in double, so that the squares of large
 * elements do not overflow.
 *
 *-------------------------------------------------------------------------
 */
#include "type/argument.h"
#include "type/element.h"

#include <math.h>

#include "utils/float.h"
#include "utils/varbit.h"

typedef enum ElementOperation
{
	ELEMENT_ADD,
	ELEMENT_SUBTRACT,
	ELEMENT_MULTIPLY
} ElementOperation;

static void
operate_floats(ElementOperation operation, int dims, const float *a,
			   const float *b, float *result)
{
	switch (operation)
	{
		case ELEMENT_ADD:
			for (int i = 0; i < dims; i++)
				result[i] = a[i] + b[i];
			break;
		case ELEMENT_SUBTRACT:
			for (int i = 0; i < dims; i++)
				result[i] = a[i] - b[i];
			break;
		case ELEMENT_MULTIPLY:
			for (int i = 0; i < dims; i++)
				result[i] = a[i] * b[i];
			break;
	}
}

/* Did a product of two non-zeros come out as zero? */
static bool
product_lost(int dims, const float *a, const float *b, const float *result)
{
	int			lost = 0;

	for (int i = 0; i < dims; i++)
		lost |= (result[i] == 0) & (a[i] != 0) & (b[i] != 0);
	return lost != 0;
}

static Datum
dense_operate(FunctionCallInfo fcinfo, const VectorType *type,
			  ElementOperation operation)
{
	ArgumentBuffer a_buffer;
	ArgumentBuffer b_buffer;
	const Vector *a = argument_get(fcinfo, 0, &a_buffer);
	const Vector *b = argument_get(fcinfo, 1, &b_buffer);
	int			dims = a->dims;
	const float *a_values;
	const float *b_values;
	Vector	   *result;
	float	   *values;

	check_same_dims(type, a->dims, b->dims);
	a_values = dense_floats(type, a);
	b_values = dense_floats(type, b);
	result = dense_allocate(type, dims);
	values = type->half ? palloc(sizeof(float) * dims) : result->x;
	operate_floats(operation, dims, a_values, b_values, values);
	if (type->half)
	{
		/* what counts is what is left after rounding */
		float_to_half_kernel(dims, values, ((HalfVector *) result)->x);
		half_to_float_kernel(dims, ((HalfVector *) result)->x, values);
	}
	if (!floats_finite(values, dims))
		float_overflow_error();
	if (operation == ELEMENT_MULTIPLY &&
		product_lost(dims, a_values, b_values, values))
		float_underflow_error();
	PG_RETURN_POINTER(result);
}

static Datum
dense_concat(FunctionCallInfo fcinfo, const VectorType *type)
{
	ArgumentBuffer a_buffer;
	ArgumentBuffer b_buffer;
	const Vector *a = argument_get(fcinfo, 0, &a_buffer);
	const Vector *b = argument_get(fcinfo, 1, &b_buffer);
	Vector	   *result = dense_allocate(type, (int) a->dims + (int) b->dims);

	memcpy(result->x, a->x, a->dims * dense_element_size(type));
	memcpy(dense_element(type, result, a->dims), b->x,
		   b->dims * dense_element_size(type));
	PG_RETURN_POINTER(result);
}

/* Elements start to start + count - 1, from 1, as far as they exist. */
static Datum
dense_subvector(FunctionCallInfo fcinfo, const VectorType *type)
{
	ArgumentBuffer buffer;
	const Vector *a = argument_get(fcinfo, 0, &buffer);
	int64		start = PG_GETARG_INT32(1);
	int64		end = start + PG_GETARG_INT32(2);
	Vector	   *result;

	start = Max(start, 1);
	end = Min(end, (int64) a->dims + 1);
	check_dims(type, end - start, NULL);
	result = dense_allocate(type, (int) (end - start));
	memcpy(result->x, dense_element(type, a, (int) start - 1),
		   result->dims * dense_element_size(type));
	PG_RETURN_POINTER(result);
}

static Datum
dense_dims(FunctionCallInfo fcinfo, const VectorType *type)
{
	/* the header is enough, wherever the elements are */
	Vector	   *header = (Vector *) PG_DETOAST_DATUM_SLICE(
			PG_GETARG_DATUM(0), 0, offsetof(Vector, x) - VARHDRSZ);

	PG_RETURN_INT32(header->dims);
}

/* The Euclidean norm, in eight sums that the compiler can keep abreast. */
static double
norm_floats(int count, const float *values)
{
	double		sums[8] = {0};
	double		sum = 0;
	int			i = 0;

	for (; i + 8 <= count; i += 8)
		for (int j = 0; j < 8; j++)
			sums[j] += (double) values[i + j] * (double) values[i + j];
	for (; i < count; i++)
		sum += (double) values[i] * (double) values[i];
	for (int j = 0; j < 8; j++)
		sum += sums[j];
	return sqrt(sum);
}

static Datum
dense_norm(FunctionCallInfo fcinfo, const VectorType *type)
{
	ArgumentBuffer buffer;
	const Vector *a = argument_get(fcinfo, 0, &buffer);

	PG_RETURN_FLOAT8(norm_floats(a->dims, dense_floats(type, a)));
}

/* A zero vector stays as it is. */
static Datum
dense_normalize(FunctionCallInfo fcinfo, const VectorType *type)
{
	ArgumentBuffer buffer;
	const Vector *a = argument_get(fcinfo, 0, &buffer);
	const float *values = dense_floats(type, a);
	double		norm = norm_floats(a->dims, values);
	double		scale = norm > 0 ? 1.0 / norm : 1.0;
	Vector	   *result = dense_allocate(type, a->dims);
	float	   *scaled = type->half ? palloc(sizeof(float) * a->dims)
									: result->x;

	for (int i = 0; i < a->dims; i++)
		scaled[i] = (float) (values[i] * scale);
	if (type->half)
		float_to_half_kernel(a->dims, scaled, ((HalfVector *) result)->x);
	PG_RETURN_POINTER(result);
}

EMBED_FUNCTION(sparsevec_l2_norm);
Datum
sparsevec_l2_norm(PG_FUNCTION_ARGS)
{
	ArgumentBuffer buffer;
	const SparseVector *a = argument_get(fcinfo, 0, &buffer);

	PG_RETURN_FLOAT8(norm_floats(a->count, SPARSEVEC_VALUES(a)));
}

EMBED_FUNCTION(sparsevec_l2_normalize);
Datum
sparsevec_l2_normalize(PG_FUNCTION_ARGS)
{
	ArgumentBuffer buffer;
	const SparseVector *a = argument_get(fcinfo, 0, &buffer);
	const float *values = SPARSEVEC_VALUES(a);
	double		norm = norm_floats(a->count, values);
	double		scale = norm > 0 ? 1.0 / norm : 1.0;
	int			count = 0;
	SparseVector *result;
	float	   *scaled;

	for (int i = 0; i < a->count; i++)
		count += (float) (values[i] * scale) != 0;
	result = sparsevec_create(a->dims, count);
	scaled = SPARSEVEC_VALUES(result);
	count = 0;
	for (int i = 0; i < a->count; i++)
	{
		float		value = (float) (values[i] * scale);

		/* beside much larger ones it may have become zero */
		if (value == 0)
			continue;
		result->index[count] = a->index[i];
		scaled[count++] = value;
	}
	PG_RETURN_POINTER(result);
}

/*
 * One bit per element, 1 where it is positive, the first bit highest.  A
 * positive float or half is one whose bits are a positive integer.
 */
#define QUANTIZE(bits, values, integer, dims) \
	do { \
		integer		group[8]; \
		int			i = 0; \
		for (; i + 8 <= (dims); i += 8) \
		{ \
			memcpy(group, (values) + i, sizeof(group)); \
			(bits)[i / 8] = (group[0] > 0) << 7 | (group[1] > 0) << 6 | \
				(group[2] > 0) << 5 | (group[3] > 0) << 4 | \
				(group[4] > 0) << 3 | \
				(group[5] > 0) << 2 | (group[6] > 0) << 1 | (group[7] > 0); \
		} \
		if (i < (dims)) \
			(bits)[i / 8] = 0; \
		for (; i < (dims); i++) \
		{ \
			memcpy(group, (values) + i, sizeof(integer)); \
			(bits)[i / 8] |= (group[0] > 0) << (7 - i % 8); \
		} \
	} while (0)

static Datum
dense_binary_quantize(FunctionCallInfo fcinfo, const VectorType *type)
{
	ArgumentBuffer buffer;
	const Vector *a = argument_get(fcinfo, 0, &buffer);
	int			size = VARBITTOTALLEN(a->dims);
	VarBit	   *result = (VarBit *) palloc(size);
	bits8	   *bits = VARBITS(result);

	SET_VARSIZE(result, size);
	VARBITLEN(result) = a->dims;
	if (type->half)
		QUANTIZE(bits, ((const HalfVector *) a)->x, int16, a->dims);
	else
		QUANTIZE(bits, a->x, int32, a->dims);
	PG_RETURN_VARBIT_P(result);
}

#define ENTRY(function, call) \
	EMBED_FUNCTION(function); \
	Datum function(PG_FUNCTION_ARGS) { return call; }

ENTRY(vector_add, dense_operate(fcinfo, &vector_type, ELEMENT_ADD))
ENTRY(vector_sub, dense_operate(fcinfo, &vector_type, ELEMENT_SUBTRACT))
ENTRY(vector_mul, dense_operate(fcinfo, &vector_type, ELEMENT_MULTIPLY))
ENTRY(vector_concat, dense_concat(fcinfo, &vector_type))
ENTRY(vector_subvector, dense_subvector(fcinfo, &vector_type))
ENTRY(vector_dims, dense_dims(fcinfo, &vector_type))
ENTRY(vector_norm, dense_norm(fcinfo, &vector_type))
ENTRY(vector_l2_normalize, dense_normalize(fcinfo, &vector_type))
ENTRY(vector_binary_quantize, dense_binary_quantize(fcinfo, &vector_type))

ENTRY(halfvec_add, dense_operate(fcinfo, &halfvec_type, ELEMENT_ADD))
ENTRY(halfvec_sub, dense_operate(fcinfo, &halfvec_type, ELEMENT_SUBTRACT))
ENTRY(halfvec_mul, dense_operate(fcinfo, &halfvec_type, ELEMENT_MULTIPLY))
ENTRY(halfvec_concat, dense_concat(fcinfo, &halfvec_type))
ENTRY(halfvec_subvector, dense_subvector(fcinfo, &halfvec_type))
ENTRY(halfvec_dims, dense_dims(fcinfo, &halfvec_type))
ENTRY(halfvec_l2_norm, dense_norm(fcinfo, &halfvec_type))
ENTRY(halfvec_l2_normalize, dense_normalize(fcinfo, &halfvec_type))
ENTRY(halfvec_binary_quantize, dense_binary_quantize(fcinfo, &halfvec_type))
