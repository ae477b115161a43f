/*-------------------------------------------------------------------------
 *
 * compare.c
 *	  Comparison and hashing.
 *
 * The order is that of arrays: by the first element that differs, then by
 * length.  Minus zero equals zero, so hashing makes them one.  A sparsevec
 * compares like the vector it stands for.
 *
 *-------------------------------------------------------------------------
 */
#include "type/argument.h"
#include "type/element.h"

#include "common/hashfn.h"

static inline int
compare_ints(int32 a, int32 b)
{
	return (a > b) - (a < b);
}

static inline int
compare_floats(float a, float b)
{
	return (a > b) - (a < b);
}

/* Orders finite halves as integers: the sign bit alone is minus zero. */
static inline int32
half_order(half value)
{
	int32		magnitude = value & 0x7FFF;

	return value & 0x8000 ? -magnitude : magnitude;
}

static int
vector_compare(const Vector *a, const Vector *b)
{
	int			common = Min(a->dims, b->dims);

	for (int i = 0; i < common; i++)
		if (a->x[i] != b->x[i])
			return compare_floats(a->x[i], b->x[i]);
	return compare_ints(a->dims, b->dims);
}

static int
halfvec_compare(const HalfVector *a, const HalfVector *b)
{
	int			common = Min(a->dims, b->dims);

	for (int i = 0; i < common; i++)
		if (half_order(a->x[i]) != half_order(b->x[i]))
			return compare_ints(half_order(a->x[i]), half_order(b->x[i]));
	return compare_ints(a->dims, b->dims);
}

static int
sparsevec_compare(const SparseVector *a, const SparseVector *b)
{
	const float *a_values = SPARSEVEC_VALUES(a);
	const float *b_values = SPARSEVEC_VALUES(b);

	for (int i = 0;; i++)
	{
		/* where a list has ended, its next non-zero is past every dimension */
		int32		a_index = i < a->count ? a->index[i] : SPARSEVEC_MAX_DIMS;
		int32		b_index = i < b->count ? b->index[i] : SPARSEVEC_MAX_DIMS;

		if (Min(a_index, b_index) >= Min(a->dims, b->dims))
			return compare_ints(a->dims, b->dims);
		if (a_index < b_index)
			return compare_floats(a_values[i], 0);
		if (a_index > b_index)
			return compare_floats(0, b_values[i]);
		if (a_values[i] != b_values[i])
			return compare_floats(a_values[i], b_values[i]);
	}
}

#define HASH_CHUNK	256

/* Hashes floats as they compare; a chain over chunks on the stack. */
static uint64
hash_floats(const float *values, int count, uint64 seed)
{
	float		chunk[HASH_CHUNK];

	for (int start = 0; start < count; start += HASH_CHUNK)
	{
		int			length = Min(HASH_CHUNK, count - start);

		for (int i = 0; i < length; i++)
			chunk[i] = values[start + i] == 0 ? 0 : values[start + i];
		seed = hash_bytes_extended((const unsigned char *) chunk,
								   length * sizeof(float), seed);
	}
	return seed;
}

static uint64
vector_hash_value(const Vector *a, uint64 seed)
{
	return hash_floats(a->x, a->dims, seed);
}

static uint64
halfvec_hash_value(const HalfVector *a, uint64 seed)
{
	half		chunk[HASH_CHUNK];

	for (int start = 0; start < a->dims; start += HASH_CHUNK)
	{
		int			length = Min(HASH_CHUNK, a->dims - start);

		for (int i = 0; i < length; i++)
			chunk[i] = half_order(a->x[start + i]) == 0 ? 0 : a->x[start + i];
		seed = hash_bytes_extended((const unsigned char *) chunk,
								   length * sizeof(half), seed);
	}
	return seed;
}

static uint64
sparsevec_hash_value(const SparseVector *a, uint64 seed)
{
	seed = hash_bytes_extended((const unsigned char *) &a->dims,
							   sizeof(a->dims), seed);
	seed = hash_bytes_extended((const unsigned char *) a->index,
							   a->count * sizeof(int32), seed);
	return hash_floats(SPARSEVEC_VALUES(a), a->count, seed);
}

/*
 * An index build or sort calls these in a context that lives as long as it
 * does, so a fetched copy is freed.
 */
#define COMPARISON(function, name, Struct, return_macro, condition) \
	EMBED_FUNCTION(function); \
	Datum \
	function(PG_FUNCTION_ARGS) \
	{ \
		ArgumentBuffer a_buffer; \
		ArgumentBuffer b_buffer; \
		const Struct *a = argument_copy(fcinfo, 0, &a_buffer); \
		const Struct *b = argument_copy(fcinfo, 1, &b_buffer); \
		int			order = name##_compare(a, b); \
		argument_free(fcinfo, 0, a, &a_buffer); \
		argument_free(fcinfo, 1, b, &b_buffer); \
		return_macro(condition); \
	}

#define HASH(function, name, Struct, seed, return_macro) \
	EMBED_FUNCTION(function); \
	Datum \
	function(PG_FUNCTION_ARGS) \
	{ \
		ArgumentBuffer buffer; \
		const Struct *a = argument_copy(fcinfo, 0, &buffer); \
		uint64		hash = name##_hash_value(a, seed); \
		argument_free(fcinfo, 0, a, &buffer); \
		return_macro(hash); \
	}

#define DEFINE_COMPARISONS(name, Struct) \
	COMPARISON(name##_lt, name, Struct, PG_RETURN_BOOL, order < 0) \
	COMPARISON(name##_le, name, Struct, PG_RETURN_BOOL, order <= 0) \
	COMPARISON(name##_eq, name, Struct, PG_RETURN_BOOL, order == 0) \
	COMPARISON(name##_ne, name, Struct, PG_RETURN_BOOL, order != 0) \
	COMPARISON(name##_ge, name, Struct, PG_RETURN_BOOL, order >= 0) \
	COMPARISON(name##_gt, name, Struct, PG_RETURN_BOOL, order > 0) \
	COMPARISON(name##_cmp, name, Struct, PG_RETURN_INT32, order) \
	HASH(name##_hash, name, Struct, 0, PG_RETURN_UINT32) \
	HASH(name##_hash_extended, name, Struct, (uint64) PG_GETARG_INT64(1), \
		 PG_RETURN_UINT64)

DEFINE_COMPARISONS(vector, Vector)
DEFINE_COMPARISONS(halfvec, HalfVector)
DEFINE_COMPARISONS(sparsevec, SparseVector)
