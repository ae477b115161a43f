/*-------------------------------------------------------------------------
 *
 * rotate.h
 *	  A seeded random rotation of vectors, in n log n steps.
 *
 * Four rounds of random sign flips and a fast Hadamard transform stand in
 * for a random orthogonal matrix (the fast rotation of the RaBitQ authors'
 * library; the idea is Ailon and Chazelle's, STOC 2006).  Vectors are padded
 * with zeros to a multiple of 64; where that is no power of two the
 * transform alternates between the first and the last power-of-two stretch
 * and a 45 degree step mixes the two halves.
 *
 * The result is the same to the last bit on every CPU: only additions,
 * subtractions and multiplications by constants, in a fixed order.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_ROTATE_H
#define MATH_ROTATE_H

#include <stddef.h>
#include <stdint.h>

#define ROTATION_MULTIPLE	64
#define ROTATION_ROUNDS		4

/* number of dimensions after padding */
#define ROTATION_PADDED(dims) \
	(((dims) + ROTATION_MULTIPLE - 1) / ROTATION_MULTIPLE * ROTATION_MULTIPLE)

typedef struct Rotation
{
	int			dims;			/* of the vectors that come in */
	int			padded;			/* of those that go out */
	int			stretch;		/* largest power of two not above padded */
	float		factor;			/* 1 / sqrt(stretch) */
	float		signs[];		/* ROTATION_ROUNDS * padded, each 1 or -1 */
} Rotation;

/* bytes of a Rotation for so many dimensions */
extern size_t rotation_size(int dims);

/* fill in caller's memory; the same seed gives the same rotation for ever */
extern void rotation_init(Rotation *rotation, int dims, uint64_t seed);

/* out (padded floats) = P * in (dims floats); they must not overlap */
extern void rotation_apply(const Rotation *rotation, const float *in,
						   float *out);

#endif							/* MATH_ROTATE_H */
