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

/* The elements as floats: in place, or widened to new memory. */
static const float *
dense_floats(const VectorType *type, const Vector *vector)
{
	float	   *wide;

	if (!type->half)
		return vector->x;
	wide = palloc(sizeof(float) * vector->dims);
	half_to_float_kernel(vector->dims, ((const HalfVector *) vector)->x, wide);
	return wide;
}

/* Makes a vector of the floats; what overflows the element is an error. */
static Vector *
dense_from_floats(const VectorType *type, int dims, const float *values)
{
	Vector	   *result = dense_create(type, dims);
	bool		overflow = false;

	if (type->half)
		float_to_half_kernel(dims, values, ((HalfVector *) result)->x);
	else
		memcpy(result->x, values, sizeof(float) * dims);
	for (int i = 0; i < dims; i++)
		overflow |= !isfinite(dense_get(type, result, i));
	if (overflow)
		float_overflow_error();
	return result;
}

typedef enum ElementOperation
{
	ELEMENT_ADD,
	ELEMENT_SUBTRACT,
	ELEMENT_MULTIPLY
} ElementOperation;

static void
operate_floats(ElementOperation operation, int dims, const float *a, const float *b,
			   float *result)
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

static Datum
dense_operate(FunctionCallInfo fcinfo, const VectorType *type, ElementOperation operation)
{
	ArgumentBuffer a_buffer;
	ArgumentBuffer b_buffer;
	const Vector *a = argument_get(fcinfo, 0, &a_buffer);
	const Vector *b = argument_get(fcinfo, 1, &b_buffer);
	const float *a_values;
	const float *b_values;
	float	   *values;
	Vector	   *result;

	check_same_dims(type, a->dims, b->dims);
	a_values = dense_floats(type, a);
	b_values = dense_floats(type, b);
	values = palloc(sizeof(float) * a->dims);
	operate_floats(operation, a->dims, a_values, b_values, values);
	result = dense_from_floats(type, a->dims, values);

	/* a product of two non-zeros that came out as zero was lost */
	if (operation == ELEMENT_MULTIPLY)
		for (int i = 0; i < result->dims; i++)
			if (dense_get(type, result, i) == 0 && a_values[i] != 0 && b_values[i] != 0)
				float_underflow_error();
	pfree(values);
	PG_RETURN_POINTER(result);
}

static Datum
dense_concat(FunctionCallInfo fcinfo, const VectorType *type)
{
	ArgumentBuffer a_buffer;
	ArgumentBuffer b_buffer;
	const Vector *a = argument_get(fcinfo, 0, &a_buffer);
	const Vector *b = argument_get(fcinfo, 1, &b_buffer);
	Vector	   *result = dense_create(type, (int) a->dims + (int) b->dims);

	for (int i = 0; i < a->dims; i++)
		dense_set(type, result, i, dense_get(type, a, i));
	for (int i = 0; i < b->dims; i++)
		dense_set(type, result, a->dims + i, dense_get(type, b, i));
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
	result = dense_create(type, (int) (end - start));
	for (int i = 0; i < result->dims; i++)
		dense_set(type, result, i, dense_get(type, a, (int) start - 1 + i));
	PG_RETURN_POINTER(result);
}

static Datum
dense_dims(FunctionCallInfo fcinfo, const VectorType *type)
{
	/* the header is enough, wherever the elements are */
	Vector	   *header = (Vector *) PG_DETOAST_DATUM_SLICE(PG_GETARG_DATUM(0), 0,
														   offsetof(Vector, x) - VARHDRSZ);

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
	Vector	   *result = dense_create(type, a->dims);

	if (norm > 0)
		for (int i = 0; i < a->dims; i++)
			dense_set(type, result, i, (float) (values[i] / norm));
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
	SparseElement *elements = palloc(sizeof(SparseElement) * ((Size) a->count + 1));

	/* sparsevec_build drops those that became zero */
	for (int i = 0; i < a->count; i++)
	{
		elements[i].index = a->index[i];
		elements[i].value = norm > 0 ? (float) (values[i] / norm) : values[i];
	}
	PG_RETURN_POINTER(sparsevec_build(a->dims, elements, a->count));
}

/* One bit per element, 1 where it is positive. */
static Datum
dense_binary_quantize(FunctionCallInfo fcinfo, const VectorType *type)
{
	ArgumentBuffer buffer;
	const Vector *a = argument_get(fcinfo, 0, &buffer);
	int			size = VARBITTOTALLEN(a->dims);
	VarBit	   *result = (VarBit *) palloc0(size);
	bits8	   *bits = VARBITS(result);

	SET_VARSIZE(result, size);
	VARBITLEN(result) = a->dims;
	for (int i = 0; i < a->dims; i++)
		bits[i / 8] |= (dense_get(type, a, i) > 0) << (7 - i % 8);
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
