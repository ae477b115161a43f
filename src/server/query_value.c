/*-------------------------------------------------------------------------
 *
 * query_value.c
 *	  A value of a caller's query, copied and converted to what is read.
 *
 *-------------------------------------------------------------------------
 */
#include "server/query_private.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "storage/shmem.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"

/* The blanks that fill a value of type character(n) are no part of it. */
static int
true_length(Oid type, char *text, int length)
{
	return type == BPCHAROID ? bpchartruelen(text, length) : length;
}

static void
convert_bytes(Oid type, Datum datum, QueryValue *value)
{
	struct varlena *bytes = PG_DETOAST_DATUM_COPY(datum);

	value->text = VARDATA(bytes);
	value->length = true_length(type, VARDATA(bytes),
								VARSIZE(bytes) - VARHDRSZ);
}

static void
convert_label(const QueryField *field, Datum datum, QueryValue *value)
{
	char	   *text = OidOutputFunctionCall(field->output, datum);

	value->length = true_length(field->type, text, (int) strlen(text));
	text[value->length] = '\0';
	value->text = text;
}

static int64
integer_of(Oid type, Datum datum)
{
	return type == INT2OID ? DatumGetInt16(datum) :
		type == INT4OID ? DatumGetInt32(datum) : DatumGetInt64(datum);
}

static double
number_of(Oid type, Datum datum)
{
	if (type == FLOAT4OID)
		return DatumGetFloat4(datum);
	if (type == FLOAT8OID)
		return DatumGetFloat8(datum);
	if (type == NUMERICOID)
		return DatumGetFloat8(DirectFunctionCall1(numeric_float8, datum));
	return (double) integer_of(type, datum);
}

static void
convert_score(const QueryDeclaration *declaration, const QueryField *field,
			  Datum datum, QueryValue *value)
{
	value->number = number_of(field->type, datum);
	if (!isfinite(value->number))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s of the %s query is not a finite number",
						query_column_place(declaration, field),
						declaration->subject),
				 errdetail("The %s is %g.", field->column->name,
						   value->number),
				 errhint("%s", declaration->hint)));
}

static void
convert_texts(const QueryDeclaration *declaration, const QueryField *field,
			  Datum datum, QueryValue *value)
{
	ArrayType  *array = DatumGetArrayTypeP(datum);
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_INT,
					  &elements, &nulls, &count);
	value->texts = palloc(mul_size(Max(count, 1), sizeof(char *)));
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s of the %s query has a null element",
							query_column_place(declaration, field),
							declaration->subject)));
		value->texts[i] = TextDatumGetCString(elements[i]);
		value->texts[i][true_length(ARR_ELEMTYPE(array), value->texts[i],
									(int) strlen(value->texts[i]))] = '\0';
	}
	value->length = count;
}

/* A copy that is not toasted, whatever the type */
static Datum
copy_value(Oid type, Datum datum)
{
	int16		length;
	bool		by_value;

	get_typlenbyval(type, &length, &by_value);
	if (length == -1)
		return PointerGetDatum(PG_DETOAST_DATUM_COPY(datum));
	return datumCopy(datum, by_value, length);
}

void
query_convert(const QueryDeclaration *declaration, const QueryField *field,
			  Datum datum, QueryValue *value)
{
	switch (field->kind)
	{
		case QUERY_TEXT:
		case QUERY_BYTES:
			convert_bytes(field->type, datum, value);
			break;
		case QUERY_LABEL:
			convert_label(field, datum, value);
			break;
		case QUERY_CONFIG:
		case QUERY_OID:
			value->oid = DatumGetObjectId(datum);
			break;
		case QUERY_SCORE:
			convert_score(declaration, field, datum, value);
			break;
		case QUERY_INTEGER:
			value->integer = integer_of(field->type, datum);
			break;
		case QUERY_TEXTS:
			convert_texts(declaration, field, datum, value);
			break;
		case QUERY_VECTOR:
		case QUERY_ANY:
			value->datum = copy_value(field->type, datum);
			break;
	}
}
