/*-------------------------------------------------------------------------
 *
 * element.c
 *	  Limits and single elements of the vector types.
 *
 * The message texts are those that clients of pgvector know.
 *
 *-------------------------------------------------------------------------
 */
#include "type/element.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "common/shortest_dec.h"
#include "utils/array.h"

const VectorType vector_type = {"vector", VECTOR_MAX_DIMS, false, false};
const VectorType halfvec_type = {"halfvec", VECTOR_MAX_DIMS, true, false};
const VectorType sparsevec_type = {"sparsevec", SPARSEVEC_MAX_DIMS, false, true};

bool
check_dims(const VectorType *type, int64 dims, Node *context)
{
	if (dims < 1)
		ereturn(context, false,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("%s must have at least 1 dimension", type->name)));
	if (dims > type->max_dims)
		ereturn(context, false,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("%s cannot have more than %d dimensions", type->name, type->max_dims)));
	return true;
}

bool
check_nonzeros(int64 count, Node *context)
{
	if (count > SPARSEVEC_MAX_NONZEROS)
		ereturn(context, false,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("sparsevec cannot have more than %d non-zero elements",
						SPARSEVEC_MAX_NONZEROS)));
	return true;
}

bool
check_typmod(int32 typmod, int dims, Node *context)
{
	if (typmod != -1 && typmod != dims)
		ereturn(context, false,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("expected %d dimensions, not %d", typmod, dims)));
	return true;
}

bool
check_finite(const VectorType *type, float value, Node *context)
{
	if (likely(isfinite(value)))
		return true;
	if (isnan(value))
		ereturn(context, false,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("NaN not allowed in %s", type->name)));
	ereturn(context, false,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("infinite value not allowed in %s", type->name)));
}

void
check_same_dims(const VectorType *type, int a, int b)
{
	if (unlikely(a != b))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("different %s dimensions %d and %d", type->name, a, b)));
}

void
raise_out_of_range(const VectorType *type, float value)
{
	char		text[FLOAT_SHORTEST_DECIMAL_LEN];

	float_to_shortest_decimal_buf(value, text);
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("\"%s\" is out of range for type %s", text, type->name)));
	pg_unreachable();
}

void
check_finite_floats(const VectorType *type, const float *values, int count)
{
	if (likely(floats_finite(values, count)))
		return;
	for (int i = 0; i < count; i++)
		check_finite(type, values[i], NULL);
}

bool
check_index(int64 index, int64 dims, Node *context)
{
	if (index < 0 || index >= dims)
		ereturn(context, false,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("sparsevec index out of bounds")));
	return true;
}

Vector *
dense_allocate(const VectorType *type, int dims)
{
	Size		size;
	Vector	   *result;

	check_dims(type, dims, NULL);
	size = type->half ? HALFVEC_SIZE(dims) : VECTOR_SIZE(dims);
	result = (Vector *) palloc(size);
	SET_VARSIZE(result, size);
	result->dims = dims;
	result->unused = 0;
	return result;
}

Vector *
dense_create(const VectorType *type, int dims)
{
	Vector	   *result = dense_allocate(type, dims);

	memset(result->x, 0, dims * dense_element_size(type));
	return result;
}

const float *
dense_floats(const VectorType *type, const Vector *vector)
{
	float	   *wide;

	if (!type->half)
		return vector->x;
	wide = palloc(sizeof(float) * vector->dims);
	half_to_float_kernel(vector->dims, ((const HalfVector *) vector)->x, wide);
	return wide;
}

Vector *
dense_from_floats(const VectorType *type, const float *values, int dims)
{
	Vector	   *result = dense_allocate(type, dims);
	HalfVector *narrow = (HalfVector *) result;

	check_finite_floats(type, values, dims);
	if (!type->half)
	{
		memcpy(result->x, values, sizeof(float) * dims);
		return result;
	}
	float_to_half_kernel(dims, values, narrow->x);
	for (int i = 0; i < dims; i++)
		if (unlikely((narrow->x[i] & 0x7C00) == 0x7C00))
			raise_out_of_range(type, values[i]);
	return result;
}

Vector *
vector_create(int dims)
{
	return dense_create(&vector_type, dims);
}

SparseVector *
sparsevec_create(int dims, int count)
{
	Size		size = SPARSEVEC_SIZE(count);
	SparseVector *result;

	check_dims(&sparsevec_type, dims, NULL);
	check_nonzeros(count, NULL);
	Assert(count >= 0);
	result = (SparseVector *) palloc0(size);
	SET_VARSIZE(result, size);
	result->dims = dims;
	result->count = count;
	return result;
}

static int
compare_elements(const void *a, const void *b)
{
	int32		left = ((const SparseElement *) a)->index;
	int32		right = ((const SparseElement *) b)->index;

	return (left > right) - (left < right);
}

SparseVector *
sparsevec_build_soft(int64 dims, SparseElement *elements, int count,
					 Node *context)
{
	int			nonzeros = 0;
	bool		ascending = true;
	SparseVector *result;
	float	   *values;

	if (!check_dims(&sparsevec_type, dims, context))
		return NULL;
	for (int i = 0; i < count; i++)
	{
		SparseElement element = elements[i];

		if (!check_index(element.index, dims, context) ||
			!check_finite(&sparsevec_type, element.value, context))
			return NULL;
		if (element.value == 0)
			continue;
		if (nonzeros > 0 && elements[nonzeros - 1].index >= element.index)
			ascending = false;
		elements[nonzeros++] = element;
	}
	if (!check_nonzeros(nonzeros, context))
		return NULL;
	if (!ascending)
		qsort(elements, nonzeros, sizeof(SparseElement), compare_elements);

	result = sparsevec_create((int) dims, nonzeros);
	values = SPARSEVEC_VALUES(result);
	for (int i = 0; i < nonzeros; i++)
	{
		if (i > 0 && elements[i - 1].index == elements[i].index)
			ereturn(context, NULL,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("sparsevec indices must not contain duplicates")));
		result->index[i] = elements[i].index;
		values[i] = elements[i].value;
	}
	return result;
}

SparseVector *
sparsevec_build(int dims, SparseElement *elements, int count)
{
	return sparsevec_build_soft(dims, elements, count, NULL);
}

/* The white space that array literals know, whatever the locale. */
void
reader_skip_space(VectorReader *reader)
{
	while (*reader->cursor == ' ' ||
		   (*reader->cursor >= '\t' && *reader->cursor <= '\r'))
		reader->cursor++;
}

/* Saves or raises the error; returns false so that callers may return it. */
bool
reader_syntax_error(VectorReader *reader, const char *detail)
{
	ereturn(reader->context, false,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("invalid input syntax for type %s: \"%s\"",
					reader->type->name, reader->literal),
			 detail ? errdetail_internal("%s", detail) : 0));
}

/*
 * Read an ordinary decimal number, several times as fast as strtof.
 *
 * Where the digits make an integer below 2^53 and the power of ten is at most
 * 22, both are exact doubles and their quotient or product is rounded once
 * (Clinger, PLDI 1990).  Rounding that to a float is right too, unless the
 * double lies next to the middle between two floats, where the first rounding
 * may have hidden on which side.  That, and whatever else is unusual, returns
 * NULL and is left to strtof; so does a value that is not a normal float.
 */
static const char *
read_decimal(const char *text, float *value)
{
	static const double powers[] = {
		1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
		1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22
	};
	bool		negative = *text == '-';
	const char *start;
	uint64		digits = 0;
	int			count;
	int			exponent = 0;
	double		number;
	uint64		bits;

	if (*text == '-' || *text == '+')
		text++;
	start = text;
	while (*text >= '0' && *text <= '9')
		digits = digits * 10 + (*text++ - '0');
	count = (int) Min(text - start, 100);
	if (*text == '.')
	{
		const char *point = text++;

		while (*text >= '0' && *text <= '9')
			digits = digits * 10 + (*text++ - '0');
		exponent = -(int) Min(text - point - 1, 100);
		count -= exponent;
	}
	if (count < 1 || count > 19 || digits >= UINT64CONST(1) << 53)
		return NULL;
	if (*text == 'e' || *text == 'E')
	{
		bool		down = text[1] == '-';
		int			power = 0;

		text += down || text[1] == '+' ? 2 : 1;
		if (*text < '0' || *text > '9')
			return NULL;
		while (*text >= '0' && *text <= '9' && power < 1000)
			power = power * 10 + (*text++ - '0');
		exponent += down ? -power : power;
	}
	if (exponent < -22 || exponent > 22 || *text == 'x' || *text == 'X')
		return NULL;

	number = exponent < 0 ? (double) digits / powers[-exponent]
						  : (double) digits * powers[exponent];
	if (digits != 0 && (number < FLT_MIN || number > FLT_MAX))
		return NULL;

	/* a float drops 29 bits; the middle is the highest of them alone */
	memcpy(&bits, &number, sizeof(bits));
	bits &= (UINT64CONST(1) << 29) - 1;
	if (bits >= (UINT64CONST(1) << 28) - 1 &&
		bits <= (UINT64CONST(1) << 28) + 1)
		return NULL;
	*value = (float) (negative ? -number : number);
	return text;
}

/* Read one element of the type, which must be finite and in range. */
bool
reader_number(VectorReader *reader, float *value)
{
	const VectorType *type = reader->type;
	const char *end = read_decimal(reader->cursor, value);
	bool		in_range = true;

	if (end == NULL)
	{
		char	   *stop;

		errno = 0;
		*value = strtof(reader->cursor, &stop);
		if (stop == reader->cursor)
			return reader_syntax_error(reader, NULL);
		in_range = errno != ERANGE ||
			!(isinf(*value) || (type->refuses_underflow && *value == 0));
		end = stop;
	}
	if (in_range && !check_finite(type, *value, reader->context))
		return false;
	if (in_range && type->half)
		in_range = isfinite(half_to_float(float_to_half(*value)));
	if (!in_range)
		ereturn(reader->context, false,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("\"%s\" is out of range for type %s",
						pnstrdup(reader->cursor, end - reader->cursor),
						type->name)));
	reader->cursor = end;
	return true;
}

/* The dimensions in vector(n), from the cstring[] the parser hands over. */
int32
read_typmod(const VectorType *type, Datum array)
{
	int			count;
	int32	   *modifiers = ArrayGetIntegerTypmods(DatumGetArrayTypeP(array),
												   &count);

	if (count != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid type modifier")));
	if (modifiers[0] < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("dimensions for type %s must be at least 1", type->name)));
	if (modifiers[0] > type->max_dims)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("dimensions for type %s cannot exceed %d",
						type->name, type->max_dims)));
	return modifiers[0];
}
