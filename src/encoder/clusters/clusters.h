/*-------------------------------------------------------------------------
 *
 * clusters.h
 *	  The room of clusters: texts that are alike, and what each is about.
 *
 *-------------------------------------------------------------------------
 */
#ifndef CLUSTERS_CLUSTERS_H
#define CLUSTERS_CLUSTERS_H

#include "server/server.h"

#include "math/spherical.h"
#include "train/progress.h"
#include "train/vector_rows.h"

#define CLUSTERS_MOST	1000

/* ---------- clusters of rows (clusters_fit.c) ---------- */

typedef struct ClustersFit
{
	VectorRows *rows;			/* of any length */
	int			wanted;			/* 0: as many as fit best */
	uint64		seed;
	Progress   *progress;

	int			count;
	int64	   *sizes;			/* of each cluster, the largest first */
	int32	   *clusters;		/* of each row, from 0; -1: without elements */
	float	   *distances;		/* by cosine */
	double		silhouette;		/* of a sample */
	int			passes;
} ClustersFit;

/* An error if there are fewer rows with elements than clusters wanted */
extern void clusters_fit(ClustersFit *fit);

#endif							/* CLUSTERS_CLUSTERS_H */
