/*-------------------------------------------------------------------------
 *
 * search_nodes.c
 *	  The nodes of a search: in which order they wait, what lies below them.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <float.h>
#include <math.h>

#include "port/pg_bswap.h"

#include "index/ktree/ktree_search.h"

/*
 * How far, as a cosine, the best child may lie in the query's direction from
 * its parent's center, at the least (child_cosine); and among few dimensions,
 * along an interval for one, the farthest child by radii.  Smaller opens fewer
 * inner nodes and misses more.
 */
#define CHILD_COSINE	0.7f
#define NARROW_LEAVES	1.65f
#define FARTHEST_CHILD	1.75f

/* A leaf reaches so much of its radius beyond so many usual ones. */
#define LEAF_REACH		0.25f
#define USUAL_RADII		1.5f
/* The same for inner products, of the whole radius. */
#define INNER_REACH		0.5f

/*
 * A node's score is too coarse if it errs by more than this part of its size:
 * then it waits under what it may be at best, and its center is read.
 */
#define COARSE_ONE_BIT	0.6f
#define COARSE_FOUR_BITS 0.1f
#define COARSE_DEVIATIONS 3.0f

/* Put a node in a heap, the best on top. */
void
ktree_push_waiting(KtreeWaitingHeap *heap, const KtreeWaiting *node)
{
	int			at;

	if (heap->count == heap->room)
	{
		heap->room = Max(heap->room * 2, 64);
		heap->nodes = heap->nodes == NULL
						  ? palloc(sizeof(KtreeWaiting) * heap->room)
						  : repalloc_huge(heap->nodes, sizeof(KtreeWaiting) *
														   (Size) heap->room);
	}
	at = heap->count++;
	while (at > 0 && heap->nodes[(at - 1) / 2].key > node->key)
	{
		heap->nodes[at] = heap->nodes[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	heap->nodes[at] = *node;
}

/* A node that was replaced: go on with what replaced it. */
static void
follow(KtreeSearch *search, const KtreeWaiting *from, const KtreeNode *node)
{
	for (int i = 0; i < 2; i++)
	{
		KtreeWaiting next = *from;

		if (node->forward[i].block == InvalidBlockNumber)
			continue;
		next.link = node->forward[i];
		next.parent = -1;
		next.stage = KTREE_BY_CENTER;
		/* a leaf is visited once; inner nodes might lead round in a circle */
		search->restarts += (node->level > 0);
		ktree_push_waiting(&search->heaps[node->level], &next);
	}
}

/*
 * Read the header of a node whose first page is locked.  False, with the
 * lock given up, when it is not LIVE at this level; if it was replaced,
 * what replaced it waits in its place.
 */
bool
ktree_enter_node(KtreeSearch *search, const KtreeWaiting *waiting, int level,
				 Buffer buffer, KtreeNode *node)
{
	*node = *KtreePageNode(BufferGetPage(buffer));
	ktree_check_slots(search->index, search->layout, node,
					  waiting->link.block);
	if (node->state == KTREE_LIVE && node->level == level)
		return true;
	UnlockReleaseBuffer(buffer);
	if (ktree_was_replaced(node, level))
		follow(search, waiting, node);
	return false;
}

/*
 * How far a node's best child may lie in the query's direction.
 *
 * Of n children in m dimensions the largest cosine with a direction is about
 * sqrt(2 ln n / m), and their leaves are narrower than the node by the m-th
 * root of n: so it is sqrt(2 ln (R / r)).  Along a line, or in a plane, a
 * child lies where the query looks, and at the node's end.
 */
static float
child_cosine(float radius, float leaf_radius)
{
	float		square;

	if (leaf_radius <= 0 || radius >= NARROW_LEAVES * leaf_radius)
		return 1;
	if (radius <= leaf_radius)
		return CHILD_COSINE;
	square = 2 * logf(radius / leaf_radius);
	return square > CHILD_COSINE * CHILD_COSINE ? Min(sqrtf(square), 1)
												: CHILD_COSINE;
}

/*
 * The order in which nodes are visited.
 *
 * A leaf comes by the distance of its center, the sooner the more its radius
 * is beyond what is usual: its rows may be near although its center is not.
 * Of an inner node counts how near a child might be, as far as child_cosine
 * reaches; of inner products what a row in its direction would have.
 *
 * leaf_radius: the usual one, of leaves below the node or beside it
 */
float
ktree_key(const KtreeSearch *search, int level, float score, float radius,
		  float leaf_radius)
{
	float		distance;
	float		reach;
	float		cosine = level == 0 ? INNER_REACH
									: child_cosine(radius, leaf_radius);

	if (search->inner)
		return score - 2 * cosine * search->query_length * radius;
	distance = sqrtf(Max(score, 0));
	if (level == 0)
	{
		reach = LEAF_REACH * Max(radius - USUAL_RADII * leaf_radius, 0);
		return distance > reach ? (distance - reach) * (distance - reach) : 0;
	}
	radius *= 1 + (FARTHEST_CHILD - 1) * (cosine - CHILD_COSINE) /
					  (1 - CHILD_COSINE);
	reach = Min(radius, cosine * distance);
	return distance * distance + reach * reach -
		   2 * cosine * distance * reach;
}

/*
 * Is an error too large to place a node of this radius?  An inner node's may
 * be that of its farthest child, and says nothing of the others.
 */
static bool
is_coarse(const KtreeSearch *search, int level, float score, float error,
		  float radius, float share)
{
	float		size = search->inner ? 2 * search->query_length * radius :
		Max(score, 0) + (level == 0 ? radius * radius : 0);

	return error > share * size;
}

/*
 * The score of a leaf's center, without the query if it is one of its rows.
 *
 * Calibration asks for rows of the table in place of questions.  A row is part
 * of its leaf's center, which is nearer to it by that: among many dimensions
 * of noise by more than leaves differ.  Without the row o the center c of n
 * rows is c - (o - c) / (n - 1).
 */
float
ktree_home_score(const KtreeSearch *search, KtreeLink link, float score)
{
	float		others = (float) search->home_rows - 1;

	if (others < 1 || link.block != search->home.block)
		return score;
	if (search->inner)
		return score + (2 * search->home_product + score) / others;
	return score * (1 + 1 / others) * (1 + 1 / others);
}

/* Place a waiting node by its four-bit code. */
void
ktree_score_child(KtreeSearch *search, KtreeWaiting *waiting, int level,
				  const RabitqQuery *query, const KtreeOpened *parent,
				  const uint8 *entry)
{
	float		error;
	float		radius;
	float		score = ktree_entry_score(query, entry, parent->lead, &error);

	ktree_unpack_radius(error, &error, &radius);
	error = 2 * error * parent->distance +
			KTREE_ROUNDING * query->norm_squared;
	if (level == 0)
		score = ktree_home_score(search, waiting->link, score);
	waiting->radius = radius;
	waiting->stage = KTREE_BY_FOUR_BITS;
	if (is_coarse(search, level, score, error, radius, COARSE_FOUR_BITS))
	{
		waiting->stage = KTREE_TOO_COARSE;
		score -= COARSE_DEVIATIONS * error;
	}
	waiting->key = ktree_key(search, level, score, radius,
							 parent->usual_radius);
}

/* Tell the nodes above how wide their leaves are. */
static void
learn_leaf_radius(const KtreeSearch *search, int32 at, float leaf_radius)
{
	for (; at >= 0; at = search->opened[at].parent)
		ktree_inner_learn(search->cache, search->opened[at].link, leaf_radius);
}

/* Put a node's children in the heaps; false when it was reused. */
bool
ktree_open_inner(KtreeSearch *search, const KtreeWaiting *waiting, int level)
{
	const KtreeLayout *layout = search->layout;
	Buffer		buffer = ktree_lock_part(search->index, waiting->link, 0,
										 BUFFER_LOCK_SHARE);
	const RabitqQuery *query = &search->query->code;
	KtreeNode	node;
	const KtreeInner *inner;
	float		lead;
	float		distance;
	float		deviation;
	KtreeOpened *opened;

	if (!BufferIsValid(buffer))
		return false;
	if (!ktree_enter_node(search, waiting, level, buffer, &node))
		return ktree_was_replaced(&node, level);
	UnlockReleaseBuffer(buffer);
	inner = ktree_inner_open(search->index, search->cache, waiting->link,
							 &node);
	if (inner == NULL)
		return false;

	if (search->opened_count == search->opened_room)
	{
		search->opened_room *= 2;
		search->opened = repalloc(search->opened,
								  sizeof(KtreeOpened) * search->opened_room);
	}
	opened = &search->opened[search->opened_count];
	rabitq_lead(query, inner->center, search->inner, &lead, &distance);
	distance = ktree_pivoted(search, node.pivot, lead, distance);
	opened->link = waiting->link;
	opened->lead = lead;
	opened->distance = distance;
	opened->usual_radius = inner->leaf_radius;
	opened->parent = waiting->parent;
	if (level == 1)
		learn_leaf_radius(search, waiting->parent, inner->leaf_radius);
	if (!(node.flags & KTREE_BASE_IS_CENTER))
	{
		rabitq_lead(query, inner->base, search->inner, &opened->lead,
					&opened->distance);
		opened->distance = ktree_pivoted(search, node.pivot, opened->lead,
										 opened->distance);
	}
	if ((node.flags & KTREE_FAR) && !search->inner)
		query = ktree_local_query(layout, search->query, inner->center);
	deviation = ktree_one_bit_deviation(query, distance);

	for (int block = 0; block * RABITQ_BLOCK < node.used; block++)
	{
		const uint8 *codes = inner->blocks + block * layout->block_bytes;
		const float *scales = (const float *) (codes + KTREE_BLOCK_FACTORS(
														   layout->coded)) +
							  RABITQ_BLOCK;
		const KtreePointer *pointers = (const KtreePointer *)
			(codes + KTREE_BLOCK_POINTERS(layout->coded));
		float		scores[RABITQ_BLOCK];

		rabitq_scan(query, codes, lead, 0, FLT_MAX, scores);
		for (int i = 0; i < RABITQ_BLOCK; i++)
		{
			int			slot = block * RABITQ_BLOCK + i;
			float		error = deviation * -scales[i];
			float		score = scores[i];
			KtreeWaiting child;

			if (slot >= node.used)
				break;
			if (ktree_slot_dead(&node, slot))
				continue;
			child.link.block = ktree_pointer_block(&pointers[i]);
			child.link.generation = pointers[i].offset;
			child.parent = search->opened_count;
			child.slot = (int16) slot;
			child.radius = inner->radius[slot];
			child.stage = KTREE_BY_ONE_BIT;
			if (query != &search->query->code)
				/* the frame is at hand now only */
				ktree_score_child(search, &child, level - 1, query, opened,
								  inner->refine +
									  (Size) slot * layout->refine_bytes);
			else
			{
				if (is_coarse(search, level - 1, score, error, child.radius,
							  COARSE_ONE_BIT))
					score -= COARSE_DEVIATIONS * error;
				child.key = ktree_key(search, level - 1, score, child.radius,
									  inner->leaf_radius);
			}
			ktree_push_waiting(&search->heaps[level - 1], &child);
		}
	}
	search->opened_count++;
	return true;
}
