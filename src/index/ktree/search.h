/*-------------------------------------------------------------------------
 *
 * search.h
 *	  What the parts of a search share: the descent (search.c), the visit of
 *	  one node (search_nodes.c) and copies of inner nodes (inner.c).
 *
 *-------------------------------------------------------------------------
 */
#ifndef KTREE_SEARCH_H
#define KTREE_SEARCH_H

#include "server/server.h"

#include "index/ktree/ktree.h"

#define KTREE_MAX_LEVELS 16

/* A node waiting to be visited. */
typedef struct KtreeWaiting
{
	float		score;			/* estimate of its center's */
	KtreeLink	link;
	int32		parent;			/* among search->opened, or -1 */
	int16		slot;			/* there */
	bool		refined;		/* score is by the four-bit code */
} KtreeWaiting;

typedef struct KtreeWaitingHeap
{
	KtreeWaiting *nodes;
	int			count;
	int			room;
} KtreeWaitingHeap;

/* What a search reads of an inner node, copied (inner.c). */
typedef struct KtreeInner
{
	KtreeNode	node;			/* as it was then */
	const uint8 *center;		/* D codes */
	const uint8 *base;
	const uint8 *blocks;		/* of the used slots */
	const uint8 *refine;
} KtreeInner;

/* An inner node whose children were put in the heaps. */
typedef struct KtreeOpened
{
	KtreeLink	link;
	float		lead;			/* of its base */
} KtreeOpened;

struct visited_hash;			/* private to search.c */

struct KtreeSearch
{
	Relation	index;
	const KtreeCache *cache;
	const KtreeLayout *layout;
	bool		inner;
	KtreeQuery *query;
	float		query_length;
	KtreeWaitingHeap heaps[KTREE_MAX_LEVELS];
	float		spread[KTREE_MAX_LEVELS]; /* of opened nodes; negative: none yet */
	int			height;
	KtreeOpened *opened;
	int			opened_count;
	int			opened_room;
	struct visited_hash *visited;
	struct TidSet *exclude;
	KtreeCandidate *best;		/* max-heap by score */
	int			best_count;
	int			best_limit;
	int			best_room;
	int			leaves;
	int			restarts;
	bool		pruned;			/* something was left out */
	bool		complete;		/* every node was visited */
	bool		cut;			/* embed.max_leaves */
	float		margin;
	int		   *changes;		/* leaves that changed the result, from 1 */
	int			changes_count;
	int			changes_room;
	uint8	   *codes;
};

extern void ktree_push_waiting(KtreeWaitingHeap *heap, const KtreeWaiting *node);
extern bool ktree_visit_leaf(KtreeSearch *search, const KtreeWaiting *waiting);
extern bool ktree_open_inner(KtreeSearch *search, const KtreeWaiting *waiting, int level);

extern const KtreeInner *ktree_inner_open(Relation index, const KtreeCache *cache,
										  KtreeLink link, const KtreeNode *header);
extern const KtreeInner *ktree_inner_kept(const KtreeCache *cache, KtreeLink link);

#endif							/* KTREE_SEARCH_H */
