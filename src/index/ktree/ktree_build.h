/*-------------------------------------------------------------------------
 *
 * ktree_build.h
 *	  What the two halves of a build share: reading rows (ktree_build.c) and
 *	  writing nodes (build_nodes.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef KTREE_BUILD_H
#define KTREE_BUILD_H

#include "server/server.h"

#include "index/ktree/ktree.h"
#include "index/ktree/spool.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"

/* Share of a leaf's slots that a build means to use. */
#define LEAF_FILL			0.75
/* Share of an inner node's slots. */
#define INNER_FILL			0.6
/* Rows per cluster that k-means trains with. */
#define TRAINING_ROWS		32
/* Rows that are assigned to partitions at once. */
#define BATCH				96
/* Of several processes each should find so many partitions to do. */
#define PARTITIONS_EACH		6

/* A node of the level being made, for the level above. */
typedef struct Built
{
	KtreeLink	link;
	float		radius;
	float	   *center;
} Built;

typedef struct BuildState
{
	Relation	heap;
	Relation	index;
	IndexInfo  *info;
	const KtreeKind *kind;
	bool		inner;
	KtreeCache *cache;			/* NULL until dimensions are known */
	const KtreeLayout *layout;
	int			declared;		/* dimensions, or -1 */
	MemoryContext scratch;		/* one row */
	double		indexed;		/* rows read by this process */
	Size		memory;			/* for this process, in bytes */
	struct BuildShared *shared; /* NULL if the leader is alone */
	int			number;			/* 0: the leader */

	/* sample */
	float	   *sample;			/* raw vectors */
	int			sample_count;
	int			sample_room;
	double		sample_seen;
	int			sample_dims;
	uint64		random;

	/* partitions */
	int			partitions;
	float	   *packed;
	KtreeSpool *spool;			/* NULL: all rows are in memory */

	/* rows waiting for their partition */
	float	   *batch;
	ItemPointerData batch_tids[BATCH];
	KtreeFilters batch_filters[BATCH];
	int			batch_count;

	/* rows of the partition at hand */
	float	   *vectors;
	ItemPointerData *tids;
	KtreeFilters *filters;		/* NULL: no further key columns */
	int			count;
	int			room;

	/* nodes of level 0 of this portion, then nodes of level 1 of all */
	Built	   *built;
	int			built_count;
	int			built_room;
	int			level;			/* of the nodes in "built" */
	KtreeImage *image;
	KtreeCode  *code;

	/* rows for the side list */
	KtreeSideEntry *side;
	int			side_count;
	int			side_room;
} BuildState;

/* for k-means, which knows no server */
static inline void
build_check_interrupts(void)
{
	CHECK_FOR_INTERRUPTS();
}

/*
 * The rows in memory become leaves, and the leaves get inner nodes.  only:
 * there was no portion before and none follows, so that a single leaf may
 * become the root.
 */
extern void ktree_build_portion(BuildState *build, bool only);

/* Remember a written node for the level above. */
extern void ktree_build_add(BuildState *build, KtreeLink link,
							const float *center, float radius);

/* Make the nodes above built[from ...], which they replace there. */
extern void ktree_build_level(BuildState *build, int from, int level);

#endif							/* KTREE_BUILD_H */
