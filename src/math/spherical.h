/*-------------------------------------------------------------------------
 *
 * spherical.h
 *	  Clusters of sparse rows of length 1 by their cosine.
 *
 * Spherical k-means (Dhillon and Modha, "Concept decompositions for large
 * sparse text data using clustering", Machine Learning 2001), begun by greedy
 * k-means++ (Arthur and Vassilvitskii, SODA 2007) from a sample.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_SPHERICAL_H
#define MATH_SPHERICAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Called every few milliseconds; it need not return. */
typedef void (*SphericalCheck) (void);

/* Rows of length 1, or without elements; row r: from starts[r] to [r + 1] */
typedef struct SphericalRows
{
	int			rows;
	const int64_t *starts;
	const int32_t *keys;		/* below the number of features */
	const float *values;
} SphericalRows;

typedef struct Spherical
{
	int			features;
	int			count;			/* of clusters */
	int			stride;			/* count, and some to fill a register */
	SphericalCheck check;

	float	   *centers;		/* features x stride, columns of length 1 */
	float	   *sums;			/* features x stride: of the rows given */
	int64_t    *sizes;			/* rows given, of each */
	double	   *lengths;		/* of the columns of sums */
	float	   *scores;			/* stride: of the row last looked at */
} Spherical;

/* memory: spherical_bytes bytes, aligned to 64, zeroed */
extern size_t spherical_bytes(int features, int count);
extern void spherical_init(Spherical *spherical, int features, int count,
						   void *memory, SphericalCheck check);

/*
 * Find centers of a sample: k-means++ and some rounds, "starts" times, the
 * best of them.  memory: spherical_fit_bytes bytes, aligned to 8.
 * Returns the sum of all rows' cosines with their centers.
 */
extern size_t spherical_fit_bytes(int features, int count, int rows);
extern double spherical_fit(Spherical *spherical, const SphericalRows *rows,
							int starts, uint64_t seed, void *memory);

/* The cluster nearest to a row, the lowest among equals; and its cosine */
extern int	spherical_nearest(Spherical *spherical, int count,
							  const int32_t *keys, const float *values,
							  float *cosine);

/*
 * A round: sums are cleared, rows are given to clusters, and centers become
 * their directions; a cluster without rows keeps its center.
 */
extern void spherical_clear(Spherical *spherical);
extern void spherical_give(Spherical *spherical, int cluster, int count,
						   const int32_t *keys, const float *values);
extern void spherical_update(Spherical *spherical);

/*
 * The mean silhouette of the rows by cosine distance (Rousseeuw, J. Comput.
 * Appl. Math. 1987), exact, with the clusters that spherical_nearest gives;
 * the sums are used up.  -1 where there is one cluster only.
 */
extern double spherical_silhouette(Spherical *spherical,
								   const SphericalRows *rows);

#endif							/* MATH_SPHERICAL_H */
