/*-------------------------------------------------------------------------
 *
 * vector.c
 *	  From a column's value to a vector in index space.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "access/tupdesc.h"
#include "utils/rel.h"

#include "index/ktree/ktree.h"
#include "math/distance.h"
#include "type/vector.h"

/*
 * The codes' arithmetic is in float.  Squares of components between these
 * bounds neither overflow nor vanish in it; the few vectors beyond go to the
 * side list, where every scan computes their distances exactly.
 */
#define LARGEST_SQUARE	1e30
#define SMALLEST_SQUARE 1e-30

/* A query for inner products is brought to a length between these. */
#define SHORTEST		1e-9f
#define LONGEST			1e9f

EMBED_FUNCTION(ktree_vector_cosine_kind);
EMBED_FUNCTION(ktree_vector_l2_kind);
EMBED_FUNCTION(ktree_vector_ip_kind);
EMBED_FUNCTION(ktree_halfvec_cosine_kind);
EMBED_FUNCTION(ktree_halfvec_l2_kind);
EMBED_FUNCTION(ktree_halfvec_ip_kind);

#define KIND_FUNCTION(name, metric, element) \
Datum \
name(PG_FUNCTION_ARGS) \
{ \
	static const KtreeKind kind = {metric, element}; \
	\
	PG_RETURN_POINTER(&kind); \
}

KIND_FUNCTION(ktree_vector_cosine_kind, KTREE_COSINE, KTREE_VECTOR)
KIND_FUNCTION(ktree_vector_l2_kind, KTREE_L2, KTREE_VECTOR)
KIND_FUNCTION(ktree_vector_ip_kind, KTREE_INNER, KTREE_VECTOR)
KIND_FUNCTION(ktree_halfvec_cosine_kind, KTREE_COSINE, KTREE_HALFVEC)
KIND_FUNCTION(ktree_halfvec_l2_kind, KTREE_L2, KTREE_HALFVEC)
KIND_FUNCTION(ktree_halfvec_ip_kind, KTREE_INNER, KTREE_HALFVEC)

const KtreeKind *
ktree_kind(Relation index)
{
	FmgrInfo   *procedure = index_getprocinfo(index, 1, KTREE_KIND_PROC);

	return (const KtreeKind *) DatumGetPointer(
		FunctionCall1(procedure, PointerGetDatum(NULL)));
}

/* Declared dimensions of the column, or -1. */
int
ktree_column_dims(Relation index)
{
	return TupleDescAttr(RelationGetDescr(index), 0)->atttypmod;
}

/* Both types keep their dimensions in the same place; "value" is detoasted. */
int
ktree_datum_dims(const KtreeKind *kind, Datum value)
{
	return kind->element == KTREE_VECTOR ?
		((Vector *) DatumGetPointer(value))->dims :
		((HalfVector *) DatumGetPointer(value))->dims;
}

void
ktree_dims_error(int expected, int found)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("expected %d dimensions, not %d", expected, found)));
}

/*
 * Components as floats, of unit length under cosine.
 *
 * value: detoasted; vector: room for its dimensions
 */
KtreeClass
ktree_load_vector(const KtreeKind *kind, Datum value, float *vector)
{
	int			dims = ktree_datum_dims(kind, value);
	double		square;

	if (kind->element == KTREE_VECTOR)
		memcpy(vector, ((Vector *) DatumGetPointer(value))->x,
			   sizeof(float) * dims);
	else
		half_to_float_kernel(dims, ((HalfVector *) DatumGetPointer(value))->x,
							 vector);

	square = vector_inner_kernel(dims, vector, vector);
	if (!(square >= SMALLEST_SQUARE && square < LARGEST_SQUARE))
	{
		/* too small or too large for a sum of floats, perhaps */
		square = 0;
		for (int i = 0; i < dims; i++)
			square += (double) vector[i] * vector[i];
	}

	if (kind->metric == KTREE_COSINE)
	{
		double		inverse = 1.0 / sqrt(square);

		if (square == 0)
			return KTREE_ZERO;
		for (int i = 0; i < dims; i++)
			vector[i] = (float) (vector[i] * inverse);
		return KTREE_NORMAL;
	}
	return square < LARGEST_SQUARE ? KTREE_NORMAL : KTREE_HUGE;
}

/* Rotate and move to the origin; "out" has room for the padded dimensions. */
void
ktree_to_index_space(const KtreeCache *cache, const float *vector, float *out)
{
	const float *origin = cache->origin;
	int			padded = cache->layout.padded;

	rotation_apply(cache->rotation, vector, out);
	for (int i = 0; i < padded; i++)
		out[i] -= origin[i];
}

static int
compare_floats(const void *a, const void *b)
{
	float		x = *(const float *) a;
	float		y = *(const float *) b;

	return x < y ? -1 : x > y;
}

/* The median length of vectors, within what floats can square. */
float
ktree_usual_length(const float *vectors, int count, int dims)
{
	float	   *lengths = palloc(sizeof(float) * count);
	float		result;

	for (int i = 0; i < count; i++)
	{
		double		square = 0;

		for (int d = 0; d < dims; d++)
			square += (double) vectors[(Size) i * dims + d] *
					  vectors[(Size) i * dims + d];
		lengths[i] = (float) sqrt(square);
	}
	qsort(lengths, count, sizeof(float), compare_floats);
	result = lengths[count / 2];
	pfree(lengths);
	return Min(Max(result, SHORTEST), LONGEST);
}

/*
 * Bring a query for inner products, in the table's space, to the usual
 * length of the vectors; returns the factor.
 *
 * The order of inner products does not depend on the query's length, but the
 * codes' errors do.
 */
double
ktree_query_scale(const KtreeCache *cache, float *vector)
{
	double		square = 0;
	double		factor;

	for (int i = 0; i < cache->layout.dims; i++)
		square += (double) vector[i] * vector[i];
	if (square == 0)
		return 1;
	factor = cache->scale / sqrt(square);
	for (int i = 0; i < cache->layout.dims; i++)
		vector[i] = (float) (vector[i] * factor);
	return factor;
}
