/*-------------------------------------------------------------------------
 *
 * distances.c
 *	  The distance functions and operators.
 *
 * A distance is a kernel (math/distance.h) and a formula that is the same for
 * every type.  DEFINE_DISTANCES writes the SQL functions of one type out of
 * its four sums; what differs between the types is in those.
 *
 * Distances may be infinite, and a cosine with a zero vector is NaN, as in
 * pgvector: an index or ORDER BY puts such rows last.
 *
 *-------------------------------------------------------------------------
 */
#include "type/argument.h"
#include "type/element.h"

#include <float.h>
#include <math.h>

#include "utils/float.h"
#include "utils/varbit.h"

/*
 * Beyond this cosine the distance 1 - cosine has fewer digits than the sums
 * in floats have wrong ones, among near duplicates none at all.
 */
#define NEAR_COSINE	0.999

/* Sums of squares below are short of digits, or were cut to zero. */
#define LEAST_NORM	1e-30

/*
 * The cosine of the angle, from its three sums.  Rounding may carry it past
 * 1; NaN passes through both comparisons.
 */
static inline double
cosine_from_sums(CosineSums sums)
{
	double		similarity = sums.inner / sqrt(sums.norm_a * sums.norm_b);

	if (similarity > 1)
		return 1;
	if (similarity < -1)
		return -1;
	return similarity;
}

/* May the sums in floats be believed to give a distance? */
static inline bool
good_sums(CosineSums sums)
{
	return sums.norm_a >= LEAST_NORM && sums.norm_b >= LEAST_NORM &&
		!isinf(sums.norm_a) && !isinf(sums.norm_b) &&
		cosine_from_sums(sums) < NEAR_COSINE;
}

static inline float
vector_l2_squared(const Vector *a, const Vector *b)
{
	return vector_l2_squared_kernel(a->dims, a->x, b->x);
}

static inline float
vector_inner(const Vector *a, const Vector *b)
{
	return vector_inner_kernel(a->dims, a->x, b->x);
}

static inline CosineSums
vector_cosine(const Vector *a, const Vector *b)
{
	return vector_cosine_kernel(a->dims, a->x, b->x);
}

static inline float
vector_l1(const Vector *a, const Vector *b)
{
	return vector_l1_kernel(a->dims, a->x, b->x);
}

static inline float
halfvec_l2_squared(const HalfVector *a, const HalfVector *b)
{
	return half_l2_squared_kernel(a->dims, a->x, b->x);
}

static inline float
halfvec_inner(const HalfVector *a, const HalfVector *b)
{
	return half_inner_kernel(a->dims, a->x, b->x);
}

static inline CosineSums
halfvec_cosine(const HalfVector *a, const HalfVector *b)
{
	return half_cosine_kernel(a->dims, a->x, b->x);
}

static inline float
halfvec_l1(const HalfVector *a, const HalfVector *b)
{
	return half_l1_kernel(a->dims, a->x, b->x);
}

static inline float
sparsevec_l2_squared(const SparseVector *a, const SparseVector *b)
{
	return sparse_l2_squared_kernel(a->count, a->index, SPARSEVEC_VALUES(a),
									b->count, b->index, SPARSEVEC_VALUES(b));
}

static inline float
sparsevec_inner(const SparseVector *a, const SparseVector *b)
{
	return sparse_inner_kernel(a->count, a->index, SPARSEVEC_VALUES(a),
							   b->count, b->index, SPARSEVEC_VALUES(b));
}

static inline CosineSums
sparsevec_cosine(const SparseVector *a, const SparseVector *b)
{
	CosineSums	sums;

	sums.inner = sparsevec_inner(a, b);
	sums.norm_a = vector_inner_kernel(a->count, SPARSEVEC_VALUES(a),
									  SPARSEVEC_VALUES(a));
	sums.norm_b = vector_inner_kernel(b->count, SPARSEVEC_VALUES(b),
									  SPARSEVEC_VALUES(b));
	return sums;
}

static inline float
sparsevec_l1(const SparseVector *a, const SparseVector *b)
{
	return sparse_l1_kernel(a->count, a->index, SPARSEVEC_VALUES(a),
							b->count, b->index, SPARSEVEC_VALUES(b));
}

/*
 * The cosine distance in double precision: half the squared distance of the
 * two unit vectors, which is exact where 1 - cosine is all cancellation.
 */
#define DEFINE_PRECISE_DISTANCE(name, Struct, AS_FLOAT) \
static double \
name##_precise_distance(const Struct *a, const Struct *b) \
{ \
	double		norm_a = 0; \
	double		norm_b = 0; \
	double		sum = 0; \
	\
	for (int i = 0; i < a->dims; i++) \
	{ \
		norm_a += (double) AS_FLOAT(a->x[i]) * AS_FLOAT(a->x[i]); \
		norm_b += (double) AS_FLOAT(b->x[i]) * AS_FLOAT(b->x[i]); \
	} \
	if (norm_a == 0 || norm_b == 0) \
		return get_float8_nan(); \
	norm_a = 1 / sqrt(norm_a); \
	norm_b = 1 / sqrt(norm_b); \
	for (int i = 0; i < a->dims; i++) \
	{ \
		double		difference = AS_FLOAT(a->x[i]) * norm_a - \
			AS_FLOAT(b->x[i]) * norm_b; \
		\
		sum += difference * difference; \
	} \
	/* what is left when equal directions are rounded */ \
	if (sum < 4 * a->dims * DBL_EPSILON * DBL_EPSILON) \
		return 0; \
	return Min(sum / 2, 2); \
} \
\
static inline double \
name##_cosine_distance_of(const Struct *a, const Struct *b) \
{ \
	CosineSums	sums = name##_cosine(a, b); \
	\
	return good_sums(sums) ? 1.0 - cosine_from_sums(sums) : \
		name##_precise_distance(a, b); \
}

#define FLOAT_AS_FLOAT(x) (x)

DEFINE_PRECISE_DISTANCE(vector, Vector, FLOAT_AS_FLOAT)
DEFINE_PRECISE_DISTANCE(halfvec, HalfVector, half_to_float)

static inline double
sparsevec_cosine_distance_of(const SparseVector *a, const SparseVector *b)
{
	return 1.0 - cosine_from_sums(sparsevec_cosine(a, b));
}

#define DISTANCE(function, name, Struct, formula) \
	EMBED_FUNCTION(function); \
	Datum \
	function(PG_FUNCTION_ARGS) \
	{ \
		ArgumentBuffer a_buffer; \
		ArgumentBuffer b_buffer; \
		const Struct *a = argument_get(fcinfo, 0, &a_buffer); \
		const Struct *b = argument_get(fcinfo, 1, &b_buffer); \
		check_same_dims(&name##_type, a->dims, b->dims); \
		PG_RETURN_FLOAT8(formula); \
	}

#define DEFINE_DISTANCES(name, Struct) \
	DISTANCE(name##_l2_distance, name, Struct, \
			 sqrt((double) name##_l2_squared(a, b))) \
	DISTANCE(name##_l2_squared_distance, name, Struct, \
			 (double) name##_l2_squared(a, b)) \
	DISTANCE(name##_inner_product, name, Struct, \
			 (double) name##_inner(a, b)) \
	DISTANCE(name##_negative_inner_product, name, Struct, \
			 -(double) name##_inner(a, b)) \
	DISTANCE(name##_cosine_distance, name, Struct, \
			 name##_cosine_distance_of(a, b)) \
	DISTANCE(name##_cosine_similarity, name, Struct, \
			 cosine_from_sums(name##_cosine(a, b))) \
	DISTANCE(name##_l1_distance, name, Struct, \
			 (double) name##_l1(a, b))

DEFINE_DISTANCES(vector, Vector)
DEFINE_DISTANCES(halfvec, HalfVector)
DEFINE_DISTANCES(sparsevec, SparseVector)

/*
 * For unit vectors, whose inner product is their cosine: the angle, a metric,
 * as a share of a half turn.
 */
static inline double
angle_from_cosine(double cosine)
{
	return acos(Max(Min(cosine, 1.0), -1.0)) / M_PI;
}

DISTANCE(vector_spherical_distance, vector, Vector,
		 angle_from_cosine(vector_inner(a, b)))
DISTANCE(halfvec_spherical_distance, halfvec, HalfVector,
		 angle_from_cosine(halfvec_inner(a, b)))

/*
 * Bit strings.  pgvector's names; the strings may be of type varbit as well.
 */
static void
check_same_length(const VarBit *a, const VarBit *b)
{
	if (unlikely(VARBITLEN(a) != VARBITLEN(b)))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("different bit lengths %u and %u",
						VARBITLEN(a), VARBITLEN(b))));
}

EMBED_FUNCTION(hamming_distance);
Datum
hamming_distance(PG_FUNCTION_ARGS)
{
	ArgumentBuffer a_buffer;
	ArgumentBuffer b_buffer;
	const VarBit *a = argument_get(fcinfo, 0, &a_buffer);
	const VarBit *b = argument_get(fcinfo, 1, &b_buffer);

	check_same_length(a, b);
	PG_RETURN_FLOAT8(
		(double) bit_hamming_kernel(VARBITBYTES(a), VARBITS(a), VARBITS(b)));
}

EMBED_FUNCTION(jaccard_distance);
Datum
jaccard_distance(PG_FUNCTION_ARGS)
{
	ArgumentBuffer a_buffer;
	ArgumentBuffer b_buffer;
	const VarBit *a = argument_get(fcinfo, 0, &a_buffer);
	const VarBit *b = argument_get(fcinfo, 1, &b_buffer);

	check_same_length(a, b);
	PG_RETURN_FLOAT8(
		bit_jaccard_kernel(VARBITBYTES(a), VARBITS(a), VARBITS(b)));
}
