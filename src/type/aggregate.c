/*-------------------------------------------------------------------------
 *
 * aggregate.c
 *	  sum and avg of vector and halfvec.
 *
 * The state is a float8[]: the number of rows, then a sum for each dimension.
 * An ordinary array needs no serial functions to cross from a parallel
 * worker.  Within an aggregate it is changed in place, so a row costs one
 * pass over its elements and no memory.  Sums in double lose nothing that the
 * element type could hold, whatever the number of rows.
 *
 *-------------------------------------------------------------------------
 */
#include "type/argument.h"
#include "type/element.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/float.h"

/* A state array, taken apart. */
typedef struct SumState
{
	ArrayType  *array;
	int			dims;
	double	   *rows;			/* rows[0] counts them */
	double	   *sums;
} SumState;

static SumState
sum_state(ArrayType *array, const char *caller)
{
	SumState	state;

	if (ARR_NDIM(array) != 1 || ARR_DIMS(array)[0] < 1 ||
		ARR_HASNULL(array) || ARR_ELEMTYPE(array) != FLOAT8OID)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("%s: expected state array", caller)));
	state.array = array;
	state.dims = ARR_DIMS(array)[0] - 1;
	state.rows = (double *) ARR_DATA_PTR(array);
	state.sums = state.rows + 1;
	return state;
}

static SumState
sum_state_create(int dims)
{
	Size		size = ARR_OVERHEAD_NONULLS(1) + sizeof(double) * (dims + 1);
	ArrayType  *array = (ArrayType *) palloc0(size);

	SET_VARSIZE(array, size);
	array->ndim = 1;
	array->elemtype = FLOAT8OID;
	ARR_DIMS(array)[0] = dims + 1;
	ARR_LBOUND(array)[0] = 1;
	return sum_state(array, "");
}

/* The state to change: the given one in an aggregate, else a copy. */
static SumState
sum_state_writable(FunctionCallInfo fcinfo, SumState state)
{
	SumState	copy;

	if (AggCheckCallContext(fcinfo, NULL))
		return state;
	copy = sum_state_create(state.dims);
	memcpy(copy.rows, state.rows, sizeof(double) * (state.dims + 1));
	return copy;
}

static void
sum_add_floats(double *sums, const float *values, int dims)
{
	for (int i = 0; i < dims; i++)
		sums[i] += values[i];
}

static void
check_sums(const double *sums, int dims)
{
	bool		overflow = false;

	for (int i = 0; i < dims; i++)
		overflow |= isinf(sums[i]);
	if (overflow)
		float_overflow_error();
}

/* Add a row.  The two aggregates name a wrong length in different words. */
static Datum
dense_accumulate(FunctionCallInfo fcinfo, const VectorType *type,
				 const char *caller, bool is_sum)
{
	SumState	state = sum_state(PG_GETARG_ARRAYTYPE_P(0), caller);
	ArgumentBuffer buffer;
	const Vector *row = argument_copy(fcinfo, 1, &buffer);

	if (state.dims == 0)
	{
		double		rows = state.rows[0];

		state = sum_state_create(row->dims);
		state.rows[0] = rows;
	}
	else if (is_sum)
		check_same_dims(type, state.dims, row->dims);
	else
		check_typmod(state.dims, row->dims, NULL);
	if (state.array == (ArrayType *) PG_GETARG_POINTER(0))
		state = sum_state_writable(fcinfo, state);

	state.rows[0] += 1;
	if (type->half)
	{
		float		wide[256];

		for (int start = 0; start < row->dims; start += lengthof(wide))
		{
			int			count = Min((int) lengthof(wide), row->dims - start);

			half_to_float_kernel(count, ((const HalfVector *) row)->x + start,
								 wide);
			sum_add_floats(state.sums + start, wide, count);
		}
	}
	else
		sum_add_floats(state.sums, row->x, row->dims);
	argument_free(fcinfo, 1, row, &buffer);
	PG_RETURN_ARRAYTYPE_P(state.array);
}

EMBED_FUNCTION(vector_accum);
Datum
vector_accum(PG_FUNCTION_ARGS)
{
	return dense_accumulate(fcinfo, &vector_type, "vector_accum", false);
}

EMBED_FUNCTION(vector_sum_accum);
Datum
vector_sum_accum(PG_FUNCTION_ARGS)
{
	return dense_accumulate(fcinfo, &vector_type, "vector_sum_accum", true);
}

EMBED_FUNCTION(halfvec_accum);
Datum
halfvec_accum(PG_FUNCTION_ARGS)
{
	return dense_accumulate(fcinfo, &halfvec_type, "halfvec_accum", false);
}

EMBED_FUNCTION(halfvec_sum_accum);
Datum
halfvec_sum_accum(PG_FUNCTION_ARGS)
{
	return dense_accumulate(fcinfo, &halfvec_type, "halfvec_sum_accum", true);
}

/* Serves both types: their states do not differ. */
EMBED_FUNCTION(vector_combine);
Datum
vector_combine(PG_FUNCTION_ARGS)
{
	SumState	a = sum_state(PG_GETARG_ARRAYTYPE_P(0), "vector_combine");
	SumState	b = sum_state(PG_GETARG_ARRAYTYPE_P(1), "vector_combine");
	SumState	result;

	if (Max(a.dims, b.dims) > 0)
		check_dims(&vector_type, Max(a.dims, b.dims), NULL);
	if (b.rows[0] == 0)
		PG_RETURN_ARRAYTYPE_P(a.array);
	if (a.rows[0] == 0)
		PG_RETURN_ARRAYTYPE_P(b.array);
	check_typmod(a.dims, b.dims, NULL);

	result = sum_state_writable(fcinfo, a);
	for (int i = 0; i <= a.dims; i++)
		result.rows[i] += b.rows[i];
	check_sums(result.sums, result.dims);
	PG_RETURN_ARRAYTYPE_P(result.array);
}

/* The mean of the rows, or NULL where there were none. */
static Datum
dense_average(FunctionCallInfo fcinfo, const VectorType *type,
			  const char *caller)
{
	SumState	state = sum_state(PG_GETARG_ARRAYTYPE_P(0), caller);
	float	   *means;

	if (state.rows[0] == 0)
		PG_RETURN_NULL();
	means = palloc(sizeof(float) * (state.dims + 1));
	for (int i = 0; i < state.dims; i++)
		means[i] = (float) (state.sums[i] / state.rows[0]);
	PG_RETURN_POINTER(dense_from_floats(type, means, state.dims));
}

EMBED_FUNCTION(vector_avg);
Datum
vector_avg(PG_FUNCTION_ARGS)
{
	return dense_average(fcinfo, &vector_type, "vector_avg");
}

EMBED_FUNCTION(halfvec_avg);
Datum
halfvec_avg(PG_FUNCTION_ARGS)
{
	return dense_average(fcinfo, &halfvec_type, "halfvec_avg");
}

static Datum
dense_sum(FunctionCallInfo fcinfo, const VectorType *type, const char *caller)
{
	SumState	state = sum_state(PG_GETARG_ARRAYTYPE_P(0), caller);
	Vector	   *result;

	if (state.rows[0] == 0)
		PG_RETURN_NULL();
	result = dense_create(type, state.dims);
	for (int i = 0; i < state.dims; i++)
	{
		dense_set(type, result, i, (float) state.sums[i]);
		if (!isfinite(dense_get(type, result, i)))
			float_overflow_error();
	}
	PG_RETURN_POINTER(result);
}

EMBED_FUNCTION(vector_sum);
Datum
vector_sum(PG_FUNCTION_ARGS)
{
	return dense_sum(fcinfo, &vector_type, "vector_sum");
}

EMBED_FUNCTION(halfvec_sum);
Datum
halfvec_sum(PG_FUNCTION_ARGS)
{
	return dense_sum(fcinfo, &halfvec_type, "halfvec_sum");
}
