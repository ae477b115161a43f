/*-------------------------------------------------------------------------
 *
 * sparse_io.c
 *	  Text and binary representation of sparsevec.
 *
 * Text is {1:1.5,3:2}/5: indices from 1, then the number of dimensions.
 * Input may come in any order and may hold zeros, which are dropped.  Binary
 * is int32 dimensions, int32 non-zeros, int32 zero, the indices from 0, the
 * values.
 *
 *-------------------------------------------------------------------------
 */
#include "type/element.h"

#include <limits.h>
#include <stdlib.h>

#include "common/shortest_dec.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/builtins.h"

/*
 * Reads an integer and clamps it to int32, so that what lies outside the
 * limits stays outside.
 */
static bool
reader_integer(VectorReader *reader, int32 *value)
{
	char	   *end;
	long		number = strtol(reader->cursor, &end, 10);

	if (end == reader->cursor)
		return reader_syntax_error(reader, NULL);
	reader->cursor = end;
	*value = (int32) Max(Min(number, (long) INT_MAX), (long) INT_MIN);
	return true;
}

/* Consumes one character after white space, or saves a syntax error. */
static bool
reader_expect(VectorReader *reader, char expected, const char *detail_at_end)
{
	reader_skip_space(reader);
	if (*reader->cursor != expected)
		return reader_syntax_error(reader, *reader->cursor == '\0'
											   ? detail_at_end
											   : NULL);
	reader->cursor++;
	reader_skip_space(reader);
	return true;
}

/* What was read between the braces. */
typedef struct SparseElements
{
	SparseElement *element;		/* the non-zeros */
	int			count;
	int32		lowest;			/* of all indices, those of zeros too */
	int32		highest;
} SparseElements;

/*
 * One index:value.  A literal may hold any number of zeros, but no more
 * non-zeros are kept than a sparsevec can.
 */
static bool
sparse_read_element(VectorReader *reader, SparseElements *elements)
{
	int32		index = 0;
	float		value;

	reader_skip_space(reader);
	if (!reader_integer(reader, &index) ||
		!reader_expect(reader, ':', NULL) ||
		!reader_number(reader, &value))
		return false;

	/* an index that is out of bounds stays so when counted from 0 */
	index = index < 1 ? -1 : index - 1;
	elements->lowest = Min(elements->lowest, index);
	elements->highest = Max(elements->highest, index);
	if (value == 0)
		return true;
	if (!check_nonzeros((int64) elements->count + 1, reader->context))
		return false;
	if (elements->count > 0 && (elements->count & (elements->count - 1)) == 0)
		elements->element = repalloc(
			elements->element, 2 * elements->count * sizeof(SparseElement));
	elements->element[elements->count].index = index;
	elements->element[elements->count].value = value;
	elements->count++;
	return true;
}

/* The part between the braces; false after a soft error. */
static bool
sparse_read_elements(VectorReader *reader, SparseElements *elements)
{
	elements->element = palloc(sizeof(SparseElement));
	elements->count = 0;
	elements->lowest = 0;
	elements->highest = 0;

	reader_skip_space(reader);
	if (*reader->cursor == '}')
		return true;
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (!sparse_read_element(reader, elements))
			return false;
		reader_skip_space(reader);
		if (*reader->cursor != ',')
			return true;
		reader->cursor++;
	}
}

static SparseVector *
sparse_read(VectorReader *reader, int32 typmod)
{
	SparseElements elements;
	int32		dims = 0;
	SparseVector *result;

	reader_skip_space(reader);
	if (*reader->cursor != '{')
	{
		reader_syntax_error(reader, "Vector contents must start with \"{\".");
		return NULL;
	}
	reader->cursor++;
	if (!sparse_read_elements(reader, &elements) ||
		!reader_expect(reader, '}', NULL) ||
		!reader_expect(reader, '/', "Unexpected end of input.") ||
		!reader_integer(reader, &dims))
		return NULL;
	reader_skip_space(reader);
	if (*reader->cursor != '\0')
	{
		reader_syntax_error(reader, "Junk after closing.");
		return NULL;
	}
	if (!check_dims(&sparsevec_type, dims, reader->context) ||
		!check_index(elements.lowest, dims, reader->context) ||
		!check_index(elements.highest, dims, reader->context))
		return NULL;
	result = sparsevec_build_soft(dims, elements.element, elements.count,
								  reader->context);
	pfree(elements.element);
	if (result == NULL || !check_typmod(typmod, dims, reader->context))
		return NULL;
	return result;
}

EMBED_FUNCTION(sparsevec_in);
Datum
sparsevec_in(PG_FUNCTION_ARGS)
{
	VectorReader reader;
	SparseVector *result;

	reader.type = &sparsevec_type;
	reader.literal = reader.cursor = PG_GETARG_CSTRING(0);
	reader.context = fcinfo->context;
	result = sparse_read(&reader, PG_GETARG_INT32(2));
	if (result == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(result);
}

EMBED_FUNCTION(sparsevec_out);
Datum
sparsevec_out(PG_FUNCTION_ARGS)
{
	SparseVector *vector = PG_GETARG_SPARSEVEC(0);
	const float *values = SPARSEVEC_VALUES(vector);

	/* per element: comma, index of at most 10 digits, colon, number */
	char	   *text = palloc(
			  (Size) vector->count * (FLOAT_SHORTEST_DECIMAL_LEN + 12) + 16);
	char	   *end = text;

	*end++ = '{';
	for (int i = 0; i < vector->count; i++)
	{
		if (i > 0)
			*end++ = ',';
		pg_ltoa(vector->index[i] + 1, end);
		end += strlen(end);
		*end++ = ':';
		end += float_to_shortest_decimal_bufn(values[i], end);
	}
	*end++ = '}';
	*end++ = '/';
	pg_ltoa(vector->dims, end);
	PG_FREE_IF_COPY(vector, 0);
	PG_RETURN_CSTRING(text);
}

/* Checks what follows the counts: one element. */
static void
check_received_element(const SparseVector *vector, int i)
{
	if (vector->index[i] < 0 || vector->index[i] >= vector->dims)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("sparsevec index out of bounds")));
	if (i > 0 && vector->index[i] < vector->index[i - 1])
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("sparsevec indices must be in ascending order")));
	if (i > 0 && vector->index[i] == vector->index[i - 1])
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("sparsevec indices must not contain duplicates")));
}

EMBED_FUNCTION(sparsevec_recv);
Datum
sparsevec_recv(PG_FUNCTION_ARGS)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	int32		dims = (int32) pq_getmsgint(message, sizeof(int32));
	int32		count = (int32) pq_getmsgint(message, sizeof(int32));
	int32		unused = (int32) pq_getmsgint(message, sizeof(int32));
	SparseVector *result;
	float	   *values;

	check_dims(&sparsevec_type, dims, NULL);
	if (count < 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("sparsevec cannot have negative number of elements")));
	check_nonzeros(count, NULL);
	if (count > dims)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("sparsevec cannot have more elements than dimensions")));
	check_typmod(PG_GETARG_INT32(2), dims, NULL);
	if (unused != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("expected unused to be 0, not %d", unused)));

	result = sparsevec_create(dims, count);
	values = SPARSEVEC_VALUES(result);
	for (int i = 0; i < count; i++)
	{
		result->index[i] = (int32) pq_getmsgint(message, sizeof(int32));
		check_received_element(result, i);
	}
	for (int i = 0; i < count; i++)
	{
		values[i] = pq_getmsgfloat4(message);
		check_finite(&sparsevec_type, values[i], NULL);
		if (values[i] == 0)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("binary representation of sparsevec cannot contain zero values")));
	}
	PG_RETURN_POINTER(result);
}

EMBED_FUNCTION(sparsevec_send);
Datum
sparsevec_send(PG_FUNCTION_ARGS)
{
	SparseVector *vector = PG_GETARG_SPARSEVEC(0);
	const float *values = SPARSEVEC_VALUES(vector);
	StringInfoData message;

	pq_begintypsend(&message);
	enlargeStringInfo(&message, VARSIZE(vector));
	pq_sendint32(&message, vector->dims);
	pq_sendint32(&message, vector->count);
	pq_sendint32(&message, vector->unused);
	for (int i = 0; i < vector->count; i++)
		pq_sendint32(&message, vector->index[i]);
	for (int i = 0; i < vector->count; i++)
		pq_sendfloat4(&message, values[i]);
	PG_FREE_IF_COPY(vector, 0);
	PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}
