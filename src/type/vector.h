/*-------------------------------------------------------------------------
 *
 * vector.h
 *	  Layout of the vector types, on disk and in memory, and what other rooms
 *	  may do with them.
 *
 * The layouts are pgvector's, so that its clients, dumps in binary COPY and
 * libraries that read our columns work unchanged.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TYPE_VECTOR_H
#define TYPE_VECTOR_H

#include "server/server.h"

#include "math/distance.h"

#define VECTOR_MAX_DIMS		16000
#define SPARSEVEC_MAX_DIMS	1000000000
#define SPARSEVEC_MAX_NONZEROS 16000

typedef struct Vector
{
	int32		vl_len_;		/* varlena header, do not touch */
	int16		dims;
	int16		unused;			/* zero */
	float		x[FLEXIBLE_ARRAY_MEMBER];
} Vector;

typedef struct HalfVector
{
	int32		vl_len_;
	int16		dims;
	int16		unused;			/* zero */
	half		x[FLEXIBLE_ARRAY_MEMBER];
} HalfVector;

typedef struct SparseVector
{
	int32		vl_len_;
	int32		dims;
	int32		count;			/* of non-zeros */
	int32		unused;			/* zero */
	int32		index[FLEXIBLE_ARRAY_MEMBER];	/* 0-based, ascending */
	/* float value[count] follows */
} SparseVector;

StaticAssertDecl(offsetof(Vector, x) == 8, "vector layout");
StaticAssertDecl(offsetof(HalfVector, x) == 8, "halfvec layout");
StaticAssertDecl(offsetof(SparseVector, index) == 16, "sparsevec layout");

#define VECTOR_SIZE(dims)		(offsetof(Vector, x) + sizeof(float) * (dims))
#define HALFVEC_SIZE(dims) (offsetof(HalfVector, x) + sizeof(half) * (dims))
#define SPARSEVEC_SIZE(count) \
	(offsetof(SparseVector, index) + (sizeof(int32) + sizeof(float)) * (count))
#define SPARSEVEC_VALUES(v)		((float *) ((v)->index + (v)->count))

#define DatumGetVector(d)		((Vector *) PG_DETOAST_DATUM(d))
#define DatumGetHalfVector(d)	((HalfVector *) PG_DETOAST_DATUM(d))
#define DatumGetSparseVector(d) ((SparseVector *) PG_DETOAST_DATUM(d))
#define PG_GETARG_VECTOR(n)		DatumGetVector(PG_GETARG_DATUM(n))
#define PG_GETARG_HALFVEC(n)	DatumGetHalfVector(PG_GETARG_DATUM(n))
#define PG_GETARG_SPARSEVEC(n)	DatumGetSparseVector(PG_GETARG_DATUM(n))

/*
 * palloc'd and zeroed, header filled in.  Dimensions and counts outside the
 * limits of the type raise an error.
 */
extern Vector *vector_create(int dims);
extern SparseVector *sparsevec_create(int dims, int count);

/* One non-zero on its way into a sparsevec; index is 0-based. */
typedef struct SparseElement
{
	int32		index;
	float		value;
} SparseElement;

/*
 * Builds a sparsevec of elements in any order (they are sorted in place) and
 * drops zeros.  Indices out of bounds, duplicates, values that are not finite
 * and more than SPARSEVEC_MAX_NONZEROS non-zeros raise an error.
 */
extern SparseVector *sparsevec_build(int dims, SparseElement *elements,
									 int count);

#endif							/* TYPE_VECTOR_H */
