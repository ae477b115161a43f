/*-------------------------------------------------------------------------
 *
 * repulsion.h
 *	  How points of a plane push each other away, as t-SNE has it.
 *
 * Barnes and Hut, "A hierarchical O(N log N) force-calculation algorithm"
 * (Nature 1986), for t-SNE: van der Maaten, "Accelerating t-SNE using
 * tree-based algorithms" (JMLR 2014).
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_REPULSION_H
#define MATH_REPULSION_H

#include <stddef.h>
#include <stdint.h>

/* Called every few milliseconds; it need not return. */
typedef void (*RepulsionCheck) (void);

/*
 * With q(a, b) = 1 / (1 + |a - b|^2): forces[i] is the sum over all other
 * points j of q(i, j)^2 (place i - place j), and what is returned the sum of q
 * over all pairs in either order.
 *
 * places, forces: x and y of each point in turn
 * theta: a square of the plane counts as one point for those who see it under
 * a smaller angle; 0: never
 * memory: repulsion_bytes bytes, aligned to 64
 */
extern size_t repulsion_bytes(int points);
extern double repulsion_of(int points, const float *places, float theta,
						   float *forces, void *memory,
						   RepulsionCheck check);

#endif							/* MATH_REPULSION_H */
