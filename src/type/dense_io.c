/*-------------------------------------------------------------------------
 *
 * dense_io.c
 *	  Text and binary representation of vector and halfvec.
 *
 * Text is [1,2.5,3] with the shortest decimals that read back the same.
 * Binary is int16 dimensions, int16 zero, then the elements in network order:
 * what libraries for pgvector send and expect.
 *
 *-------------------------------------------------------------------------
 */
#include "type/element.h"

#include "common/shortest_dec.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "port/pg_bswap.h"

/* An upper bound for the dimensions of a literal: commas plus one. */
static int
literal_elements(const VectorType *type, const char *literal)
{
	int			count = 1;

	while (count < type->max_dims && (literal = strchr(literal, ',')) != NULL)
	{
		count++;
		literal++;
	}
	return count;
}

/* Parse a literal; NULL after a soft error. */
static Vector *
dense_read(VectorReader *reader, int32 typmod)
{
	const VectorType *type = reader->type;
	Vector	   *result;
	int			dims = 0;
	float		value;

	reader_skip_space(reader);
	if (*reader->cursor != '[')
	{
		reader_syntax_error(reader, "Vector contents must start with \"[\".");
		return NULL;
	}
	reader->cursor++;
	reader_skip_space(reader);
	if (*reader->cursor == ']')
	{
		check_dims(type, 0, reader->context);
		return NULL;
	}

	result = dense_create(type, literal_elements(type, reader->cursor));
	for (;;)
	{
		if (!check_dims(type, dims + 1, reader->context))
			return NULL;
		reader_skip_space(reader);
		if (!reader_number(reader, &value))
			return NULL;
		dense_set(type, result, dims++, value);
		reader_skip_space(reader);
		if (*reader->cursor != ',')
			break;
		reader->cursor++;
	}
	if (*reader->cursor != ']')
	{
		reader_syntax_error(reader, NULL);
		return NULL;
	}
	reader->cursor++;
	reader_skip_space(reader);
	if (*reader->cursor != '\0')
	{
		reader_syntax_error(reader, "Junk after closing right brace.");
		return NULL;
	}
	if (!check_typmod(typmod, dims, reader->context))
		return NULL;

	result->dims = dims;
	SET_VARSIZE(result, type->half ? HALFVEC_SIZE(dims) : VECTOR_SIZE(dims));
	return result;
}

static Datum
dense_in(FunctionCallInfo fcinfo, const VectorType *type)
{
	VectorReader reader;
	Vector	   *result;

	reader.type = type;
	reader.literal = reader.cursor = PG_GETARG_CSTRING(0);
	reader.context = fcinfo->context;
	result = dense_read(&reader, PG_GETARG_INT32(2));
	if (result == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(result);
}

static Datum
dense_out(FunctionCallInfo fcinfo, const VectorType *type)
{
	Vector	   *vector = PG_GETARG_VECTOR(0);
	const float *values = dense_floats(type, vector);
	char	   *text = palloc(
			  (Size) vector->dims * FLOAT_SHORTEST_DECIMAL_LEN + 3);
	char	   *end = text;

	*end++ = '[';
	for (int i = 0; i < vector->dims; i++)
	{
		if (i > 0)
			*end++ = ',';
		end += float_to_shortest_decimal_bufn(values[i], end);
	}
	*end++ = ']';
	*end = '\0';
	PG_FREE_IF_COPY(vector, 0);
	PG_RETURN_CSTRING(text);
}

static Datum
dense_recv(FunctionCallInfo fcinfo, const VectorType *type)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	int32		typmod = PG_GETARG_INT32(2);
	int16		dims = (int16) pq_getmsgint(message, sizeof(int16));
	int16		unused = (int16) pq_getmsgint(message, sizeof(int16));
	Vector	   *result;

	check_dims(type, dims, NULL);
	check_typmod(typmod, dims, NULL);
	if (unused != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("expected unused to be 0, not %d", unused)));

	result = dense_create(type, dims);
	if (type->half)
	{
		for (int i = 0; i < dims; i++)
		{
			((HalfVector *) result)->x[i] = (half) pq_getmsgint(message,
																sizeof(half));
			check_finite(type, dense_get(type, result, i), NULL);
		}
	}
	else
	{
		/*
		 * all at once: a query's parameter is often longer than the rest of it
		 */
		const char *numbers = pq_getmsgbytes(message, sizeof(float) * dims);

		for (int i = 0; i < dims; i++)
		{
			uint32		bits;

			memcpy(&bits, numbers + sizeof(bits) * i, sizeof(bits));
			bits = pg_ntoh32(bits);
			memcpy(&result->x[i], &bits, sizeof(bits));
		}
		check_finite_floats(type, result->x, dims);
	}
	PG_RETURN_POINTER(result);
}

static Datum
dense_send(FunctionCallInfo fcinfo, const VectorType *type)
{
	Vector	   *vector = PG_GETARG_VECTOR(0);
	StringInfoData message;

	pq_begintypsend(&message);
	enlargeStringInfo(&message, VARSIZE(vector));
	pq_sendint16(&message, vector->dims);
	pq_sendint16(&message, vector->unused);
	for (int i = 0; i < vector->dims; i++)
	{
		if (type->half)
			pq_sendint16(&message, ((HalfVector *) vector)->x[i]);
		else
			pq_sendfloat4(&message, vector->x[i]);
	}
	PG_FREE_IF_COPY(vector, 0);
	PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}

#define ENTRY(function, implementation, type) \
	EMBED_FUNCTION(function); \
	Datum function(PG_FUNCTION_ARGS) { return implementation(fcinfo, &type); }

ENTRY(vector_in, dense_in, vector_type)
ENTRY(vector_out, dense_out, vector_type)
ENTRY(vector_recv, dense_recv, vector_type)
ENTRY(vector_send, dense_send, vector_type)
ENTRY(halfvec_in, dense_in, halfvec_type)
ENTRY(halfvec_out, dense_out, halfvec_type)
ENTRY(halfvec_recv, dense_recv, halfvec_type)
ENTRY(halfvec_send, dense_send, halfvec_type)

EMBED_FUNCTION(vector_typmod_in);
Datum
vector_typmod_in(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(read_typmod(&vector_type, PG_GETARG_DATUM(0)));
}

EMBED_FUNCTION(halfvec_typmod_in);
Datum
halfvec_typmod_in(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(read_typmod(&halfvec_type, PG_GETARG_DATUM(0)));
}

EMBED_FUNCTION(sparsevec_typmod_in);
Datum
sparsevec_typmod_in(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(read_typmod(&sparsevec_type, PG_GETARG_DATUM(0)));
}
