/*-------------------------------------------------------------------------
 *
 * ktree_search.h
 *	  What the parts of a search share: the descent (ktree_search.c), the visit of
 *	  one node (search_nodes.c), the rows found (search_rows.c) and copies of
 *	  inner nodes (inner.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef KTREE_SEARCH_H
#define KTREE_SEARCH_H

#include "server/server.h"

#include <float.h>

#include "index/ktree/ktree.h"

#define KTREE_MAX_LEVELS 16

/* Relative error of a score by its arithmetic in floats. */
#define KTREE_ROUNDING	2e-6f

/* How well the place of a waiting node is known. */
typedef enum KtreeStage
{
	KTREE_BY_ONE_BIT,
	KTREE_BY_FOUR_BITS,
	KTREE_TOO_COARSE,			/* by four bits, and too coarse for its radius */
	KTREE_BY_CENTER
} KtreeStage;

/* A node waiting to be visited. */
typedef struct KtreeWaiting
{
	float		key;			/* the order of visits */
	float		radius;
	KtreeLink	link;
	int32		parent;			/* among search->opened, or -1 */
	int16		slot;			/* there */
	uint8		stage;			/* KtreeStage */
} KtreeWaiting;

typedef struct KtreeWaitingHeap
{
	KtreeWaiting *nodes;
	int			count;
	int			room;
} KtreeWaitingHeap;

/* What is read of an inner node, copied (inner.c). */
typedef struct KtreeInner
{
	KtreeNode	node;			/* as it was then */
	const float *center;		/* D */
	const float *base;
	const float *radius;		/* of the children */
	float		usual_radius;	/* their median */
	const uint8 *blocks;		/* of the used slots */
	const uint8 *refine;
} KtreeInner;

/* An inner node whose children were put in the heaps. */
typedef struct KtreeOpened
{
	KtreeLink	link;
	float		lead;			/* of its base */
	float		distance;		/* of the query from that */
	float		usual_radius;	/* of its children */
} KtreeOpened;

/*
 * A leaf that was visited.  Its rows have bounds by their one-bit codes; those
 * that were scored by four bits, and dead ones, have FLT_MAX.
 */
typedef struct KtreeVisited
{
	KtreeLink	link;
	int			used;
	int			step;			/* it was the n-th leaf, from 1 */
	int64		bounds;			/* where in search->bounds */
} KtreeVisited;

struct visited_hash;			/* private to ktree_search.c */

struct KtreeSearch
{
	Relation	index;
	const KtreeCache *cache;
	const KtreeLayout *layout;
	bool		inner;
	KtreeQuery *query;
	float		query_length;
	KtreeWaitingHeap heaps[KTREE_MAX_LEVELS];
	int			height;
	KtreeOpened *opened;
	int			opened_count;
	int			opened_room;
	struct visited_hash *visited_nodes;
	struct TidSet *exclude;
	const struct KtreeFilter *filter;	/* NULL: all rows pass */
	double		nodes;			/* of the tree */
	double		filtered;		/* rows asked whether they pass, */
	double		passed;			/* and those that did */
	uint8	   *codes;			/* D: scratch */
	float	   *center;			/* D: scratch */

	/* leaves visited, and the bounds of their rows */
	KtreeVisited *visited;
	int			visited_count;
	int			visited_room;
	float	   *bounds;
	int64		bounds_count;
	int64		bounds_room;

	/* rows scored by four bits */
	KtreeRow   *rows;
	int			row_count;
	int			row_room;
	Size		memory;			/* for rows and bounds */

	/* the worst scores that the best rows may have: a max-heap */
	float	   *seats;
	int			seat_count;
	int			seat_limit;
	int			seat_room;

	int			leaves;			/* visited */
	int			last_change;	/* the newest leaf with a row among the best */
	int			restarts;
	bool		forgot;			/* something was left out for lack of memory */
	bool		complete;		/* every node was visited */
	bool		cut;			/* embed.max_leaves */
	float		margin;
};

extern void ktree_push_waiting(KtreeWaitingHeap *heap, const KtreeWaiting *node);
extern bool ktree_visit_leaf(KtreeSearch *search, const KtreeWaiting *waiting);
extern bool ktree_visit_again(KtreeSearch *search, KtreeVisited *visited);
extern void ktree_score_child(KtreeSearch *search, KtreeWaiting *waiting, int level,
							  const RabitqQuery *query, const KtreeOpened *parent,
							  const uint8 *entry);
extern float ktree_key(const KtreeSearch *search, int level, float score, float radius,
					   float usual_radius);
extern bool ktree_open_inner(KtreeSearch *search, const KtreeWaiting *waiting, int level);

/* search_rows.c */
extern int	ktree_put_seat(float *seats, int count, int limit, float score);
extern void ktree_keep_row(KtreeSearch *search, const KtreeRow *row, float size);
extern void ktree_fill_seats(KtreeSearch *search, int limit);
extern float *ktree_new_bounds(KtreeSearch *search, KtreeLink link, int used);

/* Standard deviations between a bad code's score and what it may be at worst. */
#define KTREE_WORST_DEVIATIONS 2.0f

/* The worst that a row's score may be. */
static inline float
ktree_worst_score(const KtreeRow *row)
{
	return row->score + (row->bad ? KTREE_WORST_DEVIATIONS * row->error : 0);
}

/* Beyond this score no row can be among the best. */
static inline float
ktree_threshold(const KtreeSearch *search)
{
	return search->seat_count == search->seat_limit ? search->seats[0] : FLT_MAX;
}

/* A leaf or a node that an insertion may go to. */
typedef struct KtreeChild
{
	KtreeLink	link;
	KtreeLink	parent;
	float		distance;		/* squared */
} KtreeChild;

extern bool ktree_nearest_children(Relation index, const KtreeCache *cache,
								   KtreeQuery *query, KtreeLink node, int level,
								   KtreeChild *best, int *found, int count);
extern const KtreeInner *ktree_inner_open(Relation index, const KtreeCache *cache,
										  KtreeLink link, const KtreeNode *header);
extern const KtreeInner *ktree_inner_kept(const KtreeCache *cache, KtreeLink link);

#endif							/* KTREE_SEARCH_H */
