/*-------------------------------------------------------------------------
 *
 * ktree_search.h
 *	  What the parts of a search share: the descent (ktree_search.c), the nodes
 *	  that wait (search_nodes.c), the visit of one leaf (search_leaves.c), the
 *	  rows found (search_rows.c) and copies of inner nodes (inner.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef KTREE_SEARCH_H
#define KTREE_SEARCH_H

#include "server/server.h"

#include <float.h>
#include <math.h>

#include "index/ktree/ktree.h"

#define KTREE_MAX_LEVELS 16

/* Relative error of a score by its arithmetic in floats. */
#define KTREE_ROUNDING	2e-6f

/* How well the place of a waiting node is known. */
typedef enum KtreeStage
{
	KTREE_BY_ONE_BIT,
	KTREE_BY_FOUR_BITS,
	KTREE_TOO_COARSE,			/* by four bits, and too coarse for its
								 * radius */
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
	float		leaf_radius;	/* of the leaves below, as far as a search
								 * has learned it; 0: not known */
	const uint8 *blocks;		/* of the used slots */
	const uint8 *refine;
} KtreeInner;

/* An inner node whose children were put in the heaps. */
typedef struct KtreeOpened
{
	KtreeLink	link;
	float		lead;			/* of its base */
	float		distance;		/* of the query from that */
	float		usual_radius;	/* of its children, or of leaves below */
	int32		parent;			/* among search->opened, or -1 */
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
	KtreeLink	home;			/* the query's own leaf (calibrate.c), */
	int			home_rows;		/* the live rows there, else 0, */
	float		home_product;	/* and the query's product with itself */
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
	float		first_ratio;	/* radii between the query and the center of
								 * the first leaf, */
	float		ratio;			/* and of the nearest by that */
	int			last_change;	/* the newest leaf with a row among the best */
	int			restarts;
	bool		forgot;			/* something was left out for lack of memory */
	bool		complete;		/* every node was visited */
	bool		cut;			/* embed.max_leaves */
	bool		all;			/* every leaf will be visited, in any order */
	float		margin;
	float		most_usual;		/* ratio of the samples; 0: all queries are */
	float		least_usual;	/* usual */
};

extern void ktree_push_waiting(KtreeWaitingHeap *heap,
							   const KtreeWaiting *node);
extern bool ktree_enter_node(KtreeSearch *search, const KtreeWaiting *waiting,
							 int level, Buffer buffer, KtreeNode *node);
extern void ktree_score_child(KtreeSearch *search, KtreeWaiting *waiting,
							  int level, const RabitqQuery *query,
							  const KtreeOpened *parent, const uint8 *entry);
extern float ktree_key(const KtreeSearch *search, int level, float score,
					   float radius, float leaf_radius);
extern float ktree_home_score(const KtreeSearch *search, KtreeLink link,
							  float score);
extern bool ktree_open_inner(KtreeSearch *search, const KtreeWaiting *waiting,
							 int level);

/* search_leaves.c */
extern bool ktree_visit_leaf(KtreeSearch *search, const KtreeWaiting *waiting);
extern bool ktree_visit_again(KtreeSearch *search, KtreeVisited *visited);

/* search_rows.c */
extern int	ktree_put_seat(float *seats, int count, int limit, float score);
extern void ktree_keep_row(KtreeSearch *search, const KtreeRow *row,
						   float size);
extern void ktree_fill_seats(KtreeSearch *search, int limit);
extern float *ktree_new_bounds(KtreeSearch *search, KtreeLink link, int used);

/* Something else took this node's place. */
static inline bool
ktree_was_replaced(const KtreeNode *node, int level)
{
	return node->state == KTREE_DEAD && node->level == level;
}

/*
 * Standard deviation of a one-bit score, relative to the code's scale.
 *
 * The query's table has M / 4 entries a code, each rounded to a step: that is
 * the larger error where the query is much nearer to the center than to the
 * origin of index space.
 */
static inline float
ktree_one_bit_deviation(const RabitqQuery *query, float distance)
{
	float		code = query->error_factor * distance;

	return sqrtf(code * code + query->table_step * query->table_step *
				 query->coded / 48);
}

/* |q - c|, or for inner products |q - pivot c|, from |q - c| and -2 <c, q>. */
static inline float
ktree_pivoted(const KtreeSearch *search, float pivot, float lead,
			  float distance)
{
	double		norm = search->query->code.norm_squared;
	double		center;

	if (!search->inner || pivot >= 1)
		return distance;
	center = (double) distance * distance - norm - lead;
	return (float) sqrt(Max(norm + pivot * lead + pivot * pivot * center, 0));
}

/*
 * Standard deviations between a bad code's score and what it may be at worst.
 */
#define KTREE_WORST_DEVIATIONS 2.0f

/* The worst that a row's score may be. */
static inline float
ktree_worst_score(const KtreeRow *row)
{
	return row->score + (row->bad ? KTREE_WORST_DEVIATIONS * row->error : 0);
}

/* Is the query farther out than the samples were? */
static inline bool
ktree_is_strange(const KtreeSearch *search)
{
	return search->most_usual > 0 && search->ratio < FLT_MAX &&
		   search->ratio > search->most_usual;
}

/* Beyond this score no row can be among the best. */
static inline float
ktree_threshold(const KtreeSearch *search)
{
	return search->seat_count == search->seat_limit ? search->seats[0]
													: FLT_MAX;
}

/* A leaf or a node that an insertion may go to. */
typedef struct KtreeChild
{
	KtreeLink	link;
	KtreeLink	parent;
	float		distance;		/* squared */
} KtreeChild;

extern bool ktree_nearest_children(Relation index, const KtreeCache *cache,
								   KtreeQuery *query, KtreeLink node,
								   int level, KtreeChild *best, int *found,
								   int count);
extern const KtreeInner *ktree_inner_open(Relation index,
										  const KtreeCache *cache,
										  KtreeLink link,
										  const KtreeNode *header);
extern void ktree_inner_learn(const KtreeCache *cache, KtreeLink link,
							  float leaf_radius);
extern const KtreeInner *ktree_inner_kept(const KtreeCache *cache,
										  KtreeLink link);

#endif							/* KTREE_SEARCH_H */
