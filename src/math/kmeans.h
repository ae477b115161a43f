/*-------------------------------------------------------------------------
 *
 * kmeans.h
 *	  Clusters of vectors by Lloyd's iterations.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_KMEANS_H
#define MATH_KMEANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Centers packed for kmeans_nearest: bytes, and packing. */
extern size_t kmeans_packed_bytes(int count, int dims);
extern void kmeans_pack(const float *centers, int count, int dims,
						float *packed);

/*
 * For each of "points" rows of "dims" floats the nearest of the packed
 * centers, and its squared distance less the point's own |x|^2.
 * dims is a multiple of 16.  distances may be NULL.
 */
extern void kmeans_nearest(const float *rows, int points, int dims,
						   const float *packed, int count,
						   int32_t *nearest, float *distances);

/*
 * The same by registers of so many floats: 4, 8 or 16.  NULL where the
 * processor has none.
 */
typedef void (*KmeansNearest) (const float *rows, int points, int dims,
							   const float *packed, int count,
							   int32_t *nearest, float *distances);
extern KmeansNearest kmeans_nearest_function(int width);

/*
 * Centers of "count" clusters of the rows, by "iterations" rounds from
 * randomly chosen rows.  Empty clusters are refilled with rows of large
 * ones.  work: kmeans_work_bytes() of scratch.  "check", when not NULL,
 * is called now and then and may leave by longjmp.
 */
extern size_t kmeans_work_bytes(int points, int count, int dims);
extern void kmeans_train(const float *rows, int points, int dims, int count,
						 int iterations, uint64_t seed, float *centers,
						 void *work, void (*check) (void));

#endif							/* MATH_KMEANS_H */
