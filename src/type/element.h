/*-------------------------------------------------------------------------
 *
 * element.h
 *	  What the vector types share: their names and limits, the reading and
 *	  checking of single elements.  Private to this room.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TYPE_ELEMENT_H
#define TYPE_ELEMENT_H

#include "type/vector.h"

#include "nodes/nodes.h"

/*
 * All that distinguishes one vector type from another outside its layout.
 * Functions that serve several types take it as an argument.
 */
typedef struct VectorType
{
	const char *name;
	int			max_dims;
	bool		half;			/* elements are binary16 */
	bool		refuses_underflow;	/* a literal like 1e-46 is an error */
} VectorType;

extern const VectorType vector_type;
extern const VectorType halfvec_type;
extern const VectorType sparsevec_type;

/* Vector and HalfVector have one header; only the element differs. */
static inline float
dense_get(const VectorType *type, const Vector *vector, int i)
{
	if (type->half)
		return half_to_float(((const HalfVector *) vector)->x[i]);
	return vector->x[i];
}

static inline void
dense_set(const VectorType *type, Vector *vector, int i, float value)
{
	if (type->half)
		((HalfVector *) vector)->x[i] = float_to_half(value);
	else
		vector->x[i] = value;
}

extern Vector *dense_create(const VectorType *type, int dims);

/* The same with the elements left to the caller to fill. */
extern Vector *dense_allocate(const VectorType *type, int dims);

static inline Size
dense_element_size(const VectorType *type)
{
	return type->half ? sizeof(half) : sizeof(float);
}

static inline char *
dense_element(const VectorType *type, const Vector *vector, int i)
{
	return (char *) vector->x + i * dense_element_size(type);
}

/* The elements as floats: in place, or widened to new memory. */
extern const float *dense_floats(const VectorType *type, const Vector *vector);

/*
 * No NaN or infinity among them?  Without a branch for each, so that the
 * compiler may look at several at a time.
 */
static inline bool
floats_finite(const float *values, int count)
{
	int32		largest = 0;

	for (int i = 0; i < count; i++)
	{
		int32		bits;

		memcpy(&bits, &values[i], sizeof(bits));
		bits &= 0x7FFFFFFF;
		largest = bits > largest ? bits : largest;
	}
	return largest < 0x7F800000;
}

/*
 * Checks.  Those with a context save a soft error there and return false;
 * without one they raise it.
 */
extern bool check_dims(const VectorType *type, int64 dims, Node *context);
extern bool check_typmod(int32 typmod, int dims, Node *context);
extern bool check_finite(const VectorType *type, float value, Node *context);
extern bool check_nonzeros(int64 count, Node *context);
extern void check_same_dims(const VectorType *type, int a, int b);
pg_noreturn extern void raise_out_of_range(const VectorType *type,
										   float value);

/* Raises the error for the first that is not finite. */
extern void check_finite_floats(const VectorType *type, const float *values,
								int count);

/*
 * A vector of finite floats; one that overflows the half is an error naming
 * it.
 */
extern Vector *dense_from_floats(const VectorType *type, const float *values,
								 int dims);

/* Is the index, counted from 0, within the dimensions? */
extern bool check_index(int64 index, int64 dims, Node *context);

/* Reading a text representation */
typedef struct VectorReader
{
	const VectorType *type;
	const char *literal;		/* the whole input, for messages */
	const char *cursor;
	Node	   *context;		/* for soft errors */
} VectorReader;

extern void reader_skip_space(VectorReader *reader);
extern bool reader_syntax_error(VectorReader *reader, const char *detail);
extern bool reader_number(VectorReader *reader, float *value);

/* sparsevec_build with soft errors: returns NULL after saving one. */
extern SparseVector *sparsevec_build_soft(int64 dims, SparseElement *elements,
										  int count, Node *context);

extern int32 read_typmod(const VectorType *type, Datum array);

#endif							/* TYPE_ELEMENT_H */
