/*-------------------------------------------------------------------------
 *
 * cast.c
 *	  Casts among the vector types and between them and arrays.
 *
 * Every cast function takes the type modifier of its target, so that a value
 * of the wrong length is found by the cast itself.
 *
 *-------------------------------------------------------------------------
 */
#include "type/argument.h"
#include "type/element.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/fmgrprotos.h"

/*
 * vector(n) from vector and the like: the value as it is, after its length
 * was checked.
 */
static Datum
coerce_dense(FunctionCallInfo fcinfo)
{
	int32		typmod = PG_GETARG_INT32(1);

	if (typmod != -1)
	{
		Vector	   *header = (Vector *) PG_DETOAST_DATUM_SLICE(
				PG_GETARG_DATUM(0), 0, offsetof(Vector, x) - VARHDRSZ);

		check_typmod(typmod, header->dims, NULL);
	}
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

EMBED_FUNCTION(vector);
Datum
vector(PG_FUNCTION_ARGS)
{
	return coerce_dense(fcinfo);
}

EMBED_FUNCTION(halfvec);
Datum
halfvec(PG_FUNCTION_ARGS)
{
	return coerce_dense(fcinfo);
}

EMBED_FUNCTION(sparsevec);
Datum
sparsevec(PG_FUNCTION_ARGS)
{
	int32		typmod = PG_GETARG_INT32(1);

	if (typmod != -1)
	{
		SparseVector *header = (SparseVector *)
			PG_DETOAST_DATUM_SLICE(PG_GETARG_DATUM(0), 0,
								   offsetof(SparseVector, index) - VARHDRSZ);

		check_typmod(typmod, header->dims, NULL);
	}
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

/*
 * Arrays of four element types are read as floats.
 */
static void
read_numeric_array(ArrayType *array, float *values)
{
	ArrayIterator iterator = array_create_iterator(array, 0, NULL);
	Datum		element;
	bool		isnull;

	while (array_iterate(iterator, &element, &isnull))
	{
		CHECK_FOR_INTERRUPTS();
		*values++ = DatumGetFloat4(
			DirectFunctionCall1(numeric_float4, element));
	}
	array_free_iterator(iterator);
}

static float *
read_array(ArrayType *array, int count)
{
	float	   *values = palloc_extended((Size) count * sizeof(float),
										 MCXT_ALLOC_HUGE);
	const char *data = ARR_DATA_PTR(array);

	switch (ARR_ELEMTYPE(array))
	{
		case INT4OID:
			for (int i = 0; i < count; i++)
				values[i] = (float) ((const int32 *) data)[i];
			break;
		case FLOAT4OID:
			memcpy(values, data, (Size) count * sizeof(float));
			break;
		case FLOAT8OID:
			for (int i = 0; i < count; i++)
				values[i] = (float) ((const double *) data)[i];
			break;
		case NUMERICOID:
			read_numeric_array(array, values);
			break;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("unsupported array type")));
	}
	return values;
}

/* The number of elements of an array that can become a vector. */
static int
count_array(const VectorType *type, ArrayType *array, int32 typmod)
{
	int			count;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("array must be 1-D")));
	if (ARR_HASNULL(array) && array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("array must not contain nulls")));
	count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	check_dims(type, count, NULL);
	check_typmod(typmod, count, NULL);
	return count;
}

static Datum
dense_from_array(FunctionCallInfo fcinfo, const VectorType *type)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	int			count = count_array(type, array, PG_GETARG_INT32(1));
	float	   *values = read_array(array, count);
	Vector	   *result = dense_from_floats(type, values, count);

	pfree(values);
	PG_FREE_IF_COPY(array, 0);
	PG_RETURN_POINTER(result);
}

EMBED_FUNCTION(array_to_vector);
Datum
array_to_vector(PG_FUNCTION_ARGS)
{
	return dense_from_array(fcinfo, &vector_type);
}

EMBED_FUNCTION(array_to_halfvec);
Datum
array_to_halfvec(PG_FUNCTION_ARGS)
{
	return dense_from_array(fcinfo, &halfvec_type);
}

/* real[] of the elements */
static Datum
dense_to_array(FunctionCallInfo fcinfo, const VectorType *type)
{
	ArgumentBuffer buffer;
	const Vector *a = argument_get(fcinfo, 0, &buffer);
	Size		size = ARR_OVERHEAD_NONULLS(1) + sizeof(float) * a->dims;
	ArrayType  *result = (ArrayType *) palloc0(size);
	float	   *values;

	SET_VARSIZE(result, size);
	result->ndim = 1;
	result->dataoffset = 0;
	result->elemtype = FLOAT4OID;
	ARR_DIMS(result)[0] = a->dims;
	ARR_LBOUND(result)[0] = 1;
	values = (float *) ARR_DATA_PTR(result);
	if (type->half)
		half_to_float_kernel(a->dims, ((const HalfVector *) a)->x, values);
	else
		memcpy(values, a->x, sizeof(float) * a->dims);
	PG_RETURN_POINTER(result);
}

EMBED_FUNCTION(vector_to_float4);
Datum
vector_to_float4(PG_FUNCTION_ARGS)
{
	return dense_to_array(fcinfo, &vector_type);
}

EMBED_FUNCTION(halfvec_to_float4);
Datum
halfvec_to_float4(PG_FUNCTION_ARGS)
{
	return dense_to_array(fcinfo, &halfvec_type);
}

static Datum
dense_to_dense(FunctionCallInfo fcinfo, const VectorType *from,
			   const VectorType *to)
{
	ArgumentBuffer buffer;
	const Vector *a = argument_get(fcinfo, 0, &buffer);
	Vector	   *result;

	check_typmod(PG_GETARG_INT32(1), a->dims, NULL);
	if (!from->half)
		PG_RETURN_POINTER(dense_from_floats(to, a->x, a->dims));
	result = dense_allocate(to, a->dims);
	half_to_float_kernel(a->dims, ((const HalfVector *) a)->x, result->x);
	PG_RETURN_POINTER(result);
}

EMBED_FUNCTION(vector_to_halfvec);
Datum
vector_to_halfvec(PG_FUNCTION_ARGS)
{
	return dense_to_dense(fcinfo, &vector_type, &halfvec_type);
}

EMBED_FUNCTION(halfvec_to_vector);
Datum
halfvec_to_vector(PG_FUNCTION_ARGS)
{
	return dense_to_dense(fcinfo, &halfvec_type, &vector_type);
}

/* The non-zeros among floats, checked. */
static SparseVector *
sparse_from_floats(int dims, const float *values)
{
	int			count = 0;
	SparseVector *result;
	float	   *nonzeros;

	check_finite_floats(&sparsevec_type, values, dims);
	for (int i = 0; i < dims; i++)
		count += values[i] != 0;
	result = sparsevec_create(dims, count);
	nonzeros = SPARSEVEC_VALUES(result);
	count = 0;
	for (int i = 0; i < dims; i++)
	{
		if (values[i] == 0)
			continue;
		result->index[count] = i;
		nonzeros[count++] = values[i];
	}
	return result;
}

EMBED_FUNCTION(array_to_sparsevec);
Datum
array_to_sparsevec(PG_FUNCTION_ARGS)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	int			count = count_array(&sparsevec_type, array,
									PG_GETARG_INT32(1));
	float	   *values = read_array(array, count);
	SparseVector *result = sparse_from_floats(count, values);

	pfree(values);
	PG_FREE_IF_COPY(array, 0);
	PG_RETURN_POINTER(result);
}

EMBED_FUNCTION(vector_to_sparsevec);
Datum
vector_to_sparsevec(PG_FUNCTION_ARGS)
{
	ArgumentBuffer buffer;
	const Vector *a = argument_get(fcinfo, 0, &buffer);

	check_typmod(PG_GETARG_INT32(1), a->dims, NULL);
	PG_RETURN_POINTER(sparse_from_floats(a->dims, a->x));
}

EMBED_FUNCTION(halfvec_to_sparsevec);
Datum
halfvec_to_sparsevec(PG_FUNCTION_ARGS)
{
	ArgumentBuffer buffer;
	const HalfVector *a = argument_get(fcinfo, 0, &buffer);
	float	   *values;

	check_typmod(PG_GETARG_INT32(1), a->dims, NULL);
	values = palloc(sizeof(float) * a->dims);
	half_to_float_kernel(a->dims, a->x, values);
	PG_RETURN_POINTER(sparse_from_floats(a->dims, values));
}

static Datum
sparse_to_dense(FunctionCallInfo fcinfo, const VectorType *type)
{
	ArgumentBuffer buffer;
	const SparseVector *a = argument_get(fcinfo, 0, &buffer);
	const float *values = SPARSEVEC_VALUES(a);
	Vector	   *result;

	check_typmod(PG_GETARG_INT32(1), a->dims, NULL);
	result = dense_create(type, a->dims);
	for (int i = 0; i < a->count; i++)
	{
		dense_set(type, result, a->index[i], values[i]);
		if (type->half && !isfinite(dense_get(type, result, a->index[i])))
			raise_out_of_range(type, values[i]);
	}
	PG_RETURN_POINTER(result);
}

EMBED_FUNCTION(sparsevec_to_vector);
Datum
sparsevec_to_vector(PG_FUNCTION_ARGS)
{
	return sparse_to_dense(fcinfo, &vector_type);
}

EMBED_FUNCTION(sparsevec_to_halfvec);
Datum
sparsevec_to_halfvec(PG_FUNCTION_ARGS)
{
	return sparse_to_dense(fcinfo, &halfvec_type);
}
