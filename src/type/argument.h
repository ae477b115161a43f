/*-------------------------------------------------------------------------
 *
 * argument.h
 *	  Reading the arguments of functions called once per row.
 *
 * A value stored in its table's row is used in place.  A short one (its
 * header takes one byte, so its elements are not aligned) is copied to a
 * buffer on the stack, which costs less than memory from a context.  A value
 * stored out of line is fetched; when a call site meets the same one twice in
 * a row it is the constant side of a query, and is kept.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TYPE_ARGUMENT_H
#define TYPE_ARGUMENT_H

#include "type/vector.h"

/* Room for the longest value with a short header, aligned. */
typedef union ArgumentBuffer
{
	int64		alignment;
	char		bytes[VARATT_SHORT_MAX + VARHDRSZ];
} ArgumentBuffer;

extern const void *argument_fetch(FunctionCallInfo fcinfo, int n);

/* A value with a short header, given a long one in the buffer. */
static inline const void *
argument_lengthen(const struct varlena *datum, ArgumentBuffer *buffer)
{
	Size		size = VARSIZE_SHORT(datum) - VARHDRSZ_SHORT;

	memcpy(buffer->bytes + VARHDRSZ, VARDATA_SHORT(datum), size);
	SET_VARSIZE(buffer->bytes, size + VARHDRSZ);
	return buffer->bytes;
}

/* For functions of an expression: what is fetched lives at least as long. */
static inline const void *
argument_get(FunctionCallInfo fcinfo, int n, ArgumentBuffer *buffer)
{
	struct varlena *datum = (struct varlena *) PG_GETARG_POINTER(n);

	if (likely(VARATT_IS_4B_U(datum)))
		return datum;
	if (VARATT_IS_SHORT(datum) && !VARATT_IS_EXTERNAL(datum))
		return argument_lengthen(datum, buffer);
	return argument_fetch(fcinfo, n);
}

/*
 * For functions that a sort or an index build calls in a context that lives
 * as long as it does: what argument_copy fetched, argument_free frees.
 */
static inline const void *
argument_copy(FunctionCallInfo fcinfo, int n, ArgumentBuffer *buffer)
{
	struct varlena *datum = (struct varlena *) PG_GETARG_POINTER(n);

	if (likely(VARATT_IS_4B_U(datum)))
		return datum;
	if (VARATT_IS_SHORT(datum) && !VARATT_IS_EXTERNAL(datum))
		return argument_lengthen(datum, buffer);
	return PG_DETOAST_DATUM(PG_GETARG_DATUM(n));
}

static inline void
argument_free(FunctionCallInfo fcinfo, int n, const void *value,
			  ArgumentBuffer *buffer)
{
	if (unlikely(value != PG_GETARG_POINTER(n) && value != buffer->bytes))
		pfree(unconstify(void *, value));
}

#endif							/* TYPE_ARGUMENT_H */
