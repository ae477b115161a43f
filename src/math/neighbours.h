/*-------------------------------------------------------------------------
 *
 * neighbours.h
 *	  The nearest neighbours of every row among the others.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_NEIGHBOURS_H
#define MATH_NEIGHBOURS_H

#include <stddef.h>
#include <stdint.h>

/* Up to so many rows all are compared with all. */
#define NEIGHBOURS_EXACT	12000

/* Called every few milliseconds; it need not return. */
typedef void (*NeighboursCheck) (void);

/*
 * rows: points x dims floats, dims a multiple of 16; their mean had better be
 * near zero, since candidates are compared by |a|^2 + |b|^2 - 2ab
 * count: below points
 * index, squares: points x count, each row's neighbours with their squared
 * distances, the nearest first, the lower number first among equals
 * memory: neighbours_bytes bytes, aligned to 64
 *
 * Of more than NEIGHBOURS_EXACT rows some neighbours may be missed: a row is
 * compared with those of the clusters that are nearest to it.
 */
extern size_t neighbours_bytes(int points, int dims);
extern void neighbours_find(const float *rows, int points, int dims,
							int count, uint64_t seed, int32_t *index,
							float *squares, void *memory,
							NeighboursCheck check);

#endif							/* MATH_NEIGHBOURS_H */
