/*-------------------------------------------------------------------------
 *
 * search.c
 *	  One round of a scan: the best rows by their codes.
 *
 * The descent is lazy and best-first.  Leaves wait in a heap by the distance
 * of their centers, inner nodes in a heap for each level; an inner node is
 * opened when one of its children might be nearer than the nearest leaf
 * waiting.  A leaf's one-bit codes are scored all at once; those that might
 * be among the best so far are scored again by their four-bit codes.  The
 * round ends when "patience" leaves in a row have changed nothing.
 *
 * One buffer lock at a time; see README for why pages read one after the
 * other fit together, and what happens when a node has been replaced.
 *
 *-------------------------------------------------------------------------
 */
#include "embed.h"

#include <float.h>
#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "index/ktree/ktree.h"

#define MAX_LEVELS 16

/* Each needs a split between two reads: so many in a round mean damage. */
#define MAX_RESTARTS 10000

/*
 * How far, as a cosine, the best child may lie in the query's direction from
 * its parent's center.  Smaller opens fewer inner nodes and misses more.
 */
#define CHILD_COSINE 0.6f

/* Of each page of the next leaf; then the processor sees where we are going. */
#define PREFETCH_BYTES 192

/* A node waiting to be visited. */
typedef struct Waiting
{
	float		score;			/* estimate of its center's */
	KtreeLink	link;
	int32		parent;			/* among search->opened, or -1 */
	int16		slot;			/* there */
	bool		refined;		/* score is by the four-bit code */
} Waiting;

typedef struct WaitingHeap
{
	Waiting    *nodes;
	int			count;
	int			room;
} WaitingHeap;

/* An inner node whose children were put in the heaps. */
typedef struct Opened
{
	KtreeLink	link;
	float		lead;			/* of its base */
} Opened;

typedef struct VisitedNode
{
	uint64		key;			/* block, generation */
	char		status;
} VisitedNode;

#define SH_PREFIX		visited
#define SH_ELEMENT_TYPE VisitedNode
#define SH_KEY_TYPE		uint64
#define SH_KEY			key
#define SH_HASH_KEY(table, key) ((uint32) (((key) * UINT64CONST(0x9E3779B97F4A7C15)) >> 32))
#define SH_EQUAL(table, a, b) ((a) == (b))
#define SH_SCOPE		static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* A code that passed the one-bit test. */
typedef struct Passed
{
	float		score;			/* by the one-bit code */
	float		deviation;		/* its standard deviation */
	int			slot;
	ItemPointerData tid;
} Passed;

struct KtreeSearch
{
	Relation	index;
	const KtreeLayout *layout;
	bool		inner;
	KtreeQuery *query;
	float		query_length;
	WaitingHeap heaps[MAX_LEVELS];
	float		spread[MAX_LEVELS]; /* of opened nodes; negative: none yet */
	int			height;
	Opened	   *opened;
	int			opened_count;
	int			opened_room;
	visited_hash *visited;
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

KtreeSearch *
ktree_search_create(Relation index, const KtreeCache *cache)
{
	KtreeSearch *search = palloc0(sizeof(KtreeSearch));

	search->index = index;
	search->layout = &cache->layout;
	search->inner = cache->kind.metric == KTREE_INNER;
	search->query = ktree_query_create(&cache->layout);
	search->codes = palloc(cache->layout.padded);
	search->visited = visited_create(CurrentMemoryContext, 256, NULL);
	search->opened_room = 16;
	search->opened = palloc(sizeof(Opened) * search->opened_room);
	search->changes_room = 256;
	search->changes = palloc(sizeof(int) * search->changes_room);
	return search;
}

/* Its vector is the caller's to fill, in index space, before a round. */
KtreeQuery *
ktree_search_query(KtreeSearch *search)
{
	return search->query;
}

KtreeCandidate *
ktree_search_result(KtreeSearch *search, int *count)
{
	*count = search->best_count;
	return search->best;
}

/* Was nothing left out?  Then no later round has anything to add. */
bool
ktree_search_complete(const KtreeSearch *search)
{
	return search->complete && !search->pruned;
}

bool
ktree_search_cut(const KtreeSearch *search)
{
	return search->cut;
}

int
ktree_search_leaves(const KtreeSearch *search)
{
	return search->leaves;
}

/* The leaves, numbered from 1, that changed the result; 0 ends the list. */
const int *
ktree_search_changes(const KtreeSearch *search)
{
	return search->changes;
}

static void
push(WaitingHeap *heap, const Waiting *node)
{
	int			at;

	if (heap->count == heap->room)
	{
		heap->room = Max(heap->room * 2, 64);
		heap->nodes = heap->nodes == NULL ?
			palloc(sizeof(Waiting) * heap->room) :
			repalloc_huge(heap->nodes, sizeof(Waiting) * (Size) heap->room);
	}
	at = heap->count++;
	while (at > 0 && heap->nodes[(at - 1) / 2].score > node->score)
	{
		heap->nodes[at] = heap->nodes[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	heap->nodes[at] = *node;
}

static Waiting
pop(WaitingHeap *heap)
{
	Waiting		top = heap->nodes[0];
	Waiting		last = heap->nodes[--heap->count];
	int			at = 0;

	for (;;)
	{
		int			child = 2 * at + 1;

		if (child >= heap->count)
			break;
		if (child + 1 < heap->count && heap->nodes[child + 1].score < heap->nodes[child].score)
			child++;
		if (heap->nodes[child].score >= last.score)
			break;
		heap->nodes[at] = heap->nodes[child];
		at = child;
	}
	heap->nodes[at] = last;
	return top;
}

/* Start the descent, or start it again. */
static void
push_root(KtreeSearch *search)
{
	KtreeMeta	meta;
	Waiting		root;

	ktree_read_meta(search->index, &meta);
	if (meta.height < 0)
		return;
	if (meta.height >= MAX_LEVELS)
		ereport(ERROR,
				(errcode(ERRCODE_INDEX_CORRUPTED),
				 errmsg("index \"%s\" claims a height of %d",
						RelationGetRelationName(search->index), meta.height)));
	search->height = Max(search->height, meta.height);
	root.score = -FLT_MAX;
	root.link = meta.root;
	root.parent = -1;
	root.slot = 0;
	root.refined = true;
	push(&search->heaps[meta.height], &root);
}

/*
 * restart
 *	  A pointer led to an extent that was reused: descend anew.
 */
static void
restart(KtreeSearch *search)
{
	if (++search->restarts > MAX_RESTARTS)
		ereport(ERROR,
				(errcode(ERRCODE_INDEX_CORRUPTED),
				 errmsg("index \"%s\" has pointers to nodes that do not exist",
						RelationGetRelationName(search->index)),
				 errhint("Please REINDEX it.")));
	push_root(search);
}

static uint64
visited_key(KtreeLink link)
{
	return ((uint64) link.block << 16) | (uint16) link.generation;
}

/* A node that was replaced: go on with what replaced it. */
static void
follow(KtreeSearch *search, const Waiting *from, const KtreeNode *node)
{
	for (int i = 0; i < 2; i++)
	{
		Waiting		next = *from;

		if (node->forward[i].block == InvalidBlockNumber)
			continue;
		next.link = node->forward[i];
		next.parent = -1;
		next.refined = true;
		push(&search->heaps[node->level], &next);
	}
}

/* Scores of a node's center or base, whose codes may span pages. */
static float
lead_of(KtreeSearch *search, float minimum, float step, float *distance)
{
	float		lead;

	rabitq_center_lead(&search->query->code, search->codes, minimum, step,
					   search->inner, &lead, distance);
	return lead;
}

/*
 * read_base
 *	  Lead of a node's base from its first page(s) of four-bit entries.
 */
static bool
read_base(KtreeSearch *search, KtreeLink link, const KtreeNode *node,
		  float *lead, float *distance)
{
	for (int part = search->layout->refine_part; part < search->layout->extent_pages; part++)
	{
		int			from;
		int			offset;
		int			bytes = ktree_base_piece(search->layout, part, &from, &offset);
		Buffer		buffer;

		if (bytes == 0)
			break;
		buffer = ktree_lock_part(search->index, link, part, BUFFER_LOCK_SHARE);
		if (!BufferIsValid(buffer))
			return false;
		if (bytes == search->layout->padded)
			rabitq_center_lead(&search->query->code, (uint8 *) BufferGetPage(buffer) + offset,
							   node->base_minimum, node->base_step, search->inner,
							   lead, distance);
		else
		{
			memcpy(search->codes + from, (char *) BufferGetPage(buffer) + offset, bytes);
			*lead = lead_of(search, node->base_minimum, node->base_step, distance);
		}
		UnlockReleaseBuffer(buffer);
	}
	return true;
}

static void
remember_change(KtreeSearch *search)
{
	if (search->changes_count > 0 &&
		search->changes[search->changes_count - 1] == search->leaves)
		return;
	if (search->changes_count + 1 >= search->changes_room)
	{
		search->changes_room *= 2;
		search->changes = repalloc(search->changes, sizeof(int) * search->changes_room);
	}
	search->changes[search->changes_count++] = search->leaves;
}

/* Put a candidate among the best; the worst gives way when all are taken. */
static void
keep_candidate(KtreeSearch *search, const KtreeCandidate *candidate)
{
	KtreeCandidate *best = search->best;
	int			at;

	remember_change(search);
	if (search->best_count < search->best_limit)
	{
		if (search->best_count == search->best_room)
		{
			search->best_room = Min(search->best_room * 2, search->best_limit);
			search->best = best = repalloc_huge(best, sizeof(KtreeCandidate) *
												(Size) search->best_room);
		}
		at = search->best_count++;
		while (at > 0 && best[(at - 1) / 2].score < candidate->score)
		{
			best[at] = best[(at - 1) / 2];
			at = (at - 1) / 2;
		}
		best[at] = *candidate;
		return;
	}

	search->pruned = true;
	at = 0;
	for (;;)
	{
		int			child = 2 * at + 1;

		if (child >= search->best_count)
			break;
		if (child + 1 < search->best_count && best[child + 1].score > best[child].score)
			child++;
		if (best[child].score <= candidate->score)
			break;
		best[at] = best[child];
		at = child;
	}
	best[at] = *candidate;
}

/* The worst score among the best, when there are as many as wanted. */
static inline float
threshold_of(const KtreeSearch *search)
{
	return search->best_count == search->best_limit ? search->best[0].score : FLT_MAX;
}

/*
 * refine_passed
 *	  Score by four-bit codes what the one-bit codes let pass, of those whose
 *	  one-bit score lies above "from" and up to "to".
 */
static bool
refine_passed(KtreeSearch *search, KtreeLink link, const Passed *passed, int count,
			  float from, float to, float lead, float distance)
{
	const KtreeLayout *layout = search->layout;
	Buffer		buffer = InvalidBuffer;
	int			locked = -1;

	for (int i = 0; i < count; i++)
	{
		const Passed *this = &passed[i];
		float		threshold = threshold_of(search);
		int			part;
		int			offset;
		const uint8 *entry;
		RabitqFactors factors;
		KtreeCandidate candidate;

		if (this->score <= from || this->score > to)
			continue;
		if (this->score - search->margin * this->deviation >= threshold)
		{
			search->pruned = true;
			continue;
		}
		ktree_refine_position(layout, this->slot, &part, &offset);
		if (part != locked)
		{
			if (BufferIsValid(buffer))
				UnlockReleaseBuffer(buffer);
			buffer = ktree_lock_part(search->index, link, part, BUFFER_LOCK_SHARE);
			if (!BufferIsValid(buffer))
				return false;
			locked = part;
		}
		entry = (uint8 *) BufferGetPage(buffer) + offset;
		memcpy(&factors, entry, sizeof(factors));
		candidate.score = rabitq_refine_score(&search->query->code, entry + sizeof(factors),
											  factors.add, factors.scale, lead);
		last_index_scan.refined++;
		if (!(candidate.score < threshold))
		{
			search->pruned = true;
			continue;
		}
		candidate.error = 2 * factors.error * distance;
		candidate.tid = this->tid;
		candidate.pad = 0;
		candidate.step = search->leaves;
		candidate.need = this->score <= threshold || this->deviation <= 0 ? 0 :
			(this->score - threshold) / this->deviation;
		if (search->exclude != NULL && tidset_has(search->exclude, &candidate.tid))
			continue;
		keep_candidate(search, &candidate);
	}
	if (BufferIsValid(buffer))
		UnlockReleaseBuffer(buffer);
	return true;
}

/* The n-th smallest one-bit score, n from 1 (Hoare's selection). */
static float
nth_score(const Passed *passed, int count, int n)
{
	float		scores[KTREE_MAX_CAPACITY];
	int			low = 0;
	int			high = count - 1;

	for (int i = 0; i < count; i++)
		scores[i] = passed[i].score;
	while (low < high)
	{
		float		pivot = scores[(low + high) / 2];
		int			i = low;
		int			j = high;

		while (i <= j)
		{
			while (scores[i] < pivot)
				i++;
			while (scores[j] > pivot)
				j--;
			if (i <= j)
			{
				float		swap = scores[i];

				scores[i++] = scores[j];
				scores[j--] = swap;
			}
		}
		if (n - 1 <= j)
			high = j;
		else if (n - 1 >= i)
			low = i;
		else
			break;
	}
	return scores[n - 1];
}

/*
 * visit_leaf
 *	  False when the leaf was reused and the descent must start again.
 */
static bool
visit_leaf(KtreeSearch *search, const Waiting *waiting)
{
	const KtreeLayout *layout = search->layout;
	const RabitqQuery *query = &search->query->code;
	KtreeNode	node = {0};
	Passed		passed[KTREE_MAX_CAPACITY];
	int			count = 0;
	float		lead = 0;
	float		distance = 0;
	float		margin = 0;
	float		base_lead;
	float		base_distance;
	int			missing;
	float		first = FLT_MAX;

	for (int part = 0; part < layout->refine_part; part++)
	{
		Buffer		buffer = ktree_lock_part(search->index, waiting->link, part,
											 BUFFER_LOCK_SHARE);
		Page		page;
		int			from;
		int			offset;
		int			bytes;

		if (!BufferIsValid(buffer))
			return false;
		page = BufferGetPage(buffer);
		if (part == 0)
		{
			node = *KtreePageNode(page);
			ktree_check_slots(search->index, layout, &node, waiting->link.block);
			if (node.state != KTREE_LIVE || node.level != 0)
			{
				UnlockReleaseBuffer(buffer);
				if (node.level != 0 || node.state != KTREE_DEAD)
					return false;
				follow(search, waiting, &node);
				return true;
			}
			search->leaves++;
			last_index_scan.leaves++;
		}
		bytes = ktree_center_piece(layout, part, &from, &offset);
		if (bytes > 0)
		{
			if (bytes == layout->padded)
				rabitq_center_lead(query, (uint8 *) page + offset, node.center_minimum,
								   node.center_step, search->inner, &lead, &distance);
			else
			{
				memcpy(search->codes + from, page + offset, bytes);
				if (from + bytes == layout->padded)
					lead = lead_of(search, node.center_minimum, node.center_step, &distance);
			}
			margin = query->error_factor * distance;
		}
		for (int block = 0; block * RABITQ_BLOCK < node.used; block++)
		{
			float		scores[RABITQ_BLOCK];
			const float *scales;
			const KtreePointer *pointers;
			uint32		mask;
			uint32		dead;
			int			at;

			ktree_block_position(layout, block, &at, &offset);
			if (at != part)
				continue;
			mask = rabitq_scan(query, (uint8 *) page + offset, lead, search->margin * margin,
							   threshold_of(search), scores);
			memcpy(&dead, node.dead + block * (RABITQ_BLOCK / 8), sizeof(dead));
#ifdef WORDS_BIGENDIAN
			dead = pg_bswap32(dead);
#endif
			if (node.used - block * RABITQ_BLOCK < RABITQ_BLOCK)
				dead |= ~((UINT32_C(1) << (node.used - block * RABITQ_BLOCK)) - 1);
			last_index_scan.codes += RABITQ_BLOCK;
			if ((mask | dead) != PG_UINT32_MAX)
				search->pruned = true;
			mask &= ~dead;
			scales = (const float *) (page + offset + KTREE_BLOCK_FACTORS(layout->coded)) +
				RABITQ_BLOCK;
			pointers = (const KtreePointer *) (page + offset +
											   KTREE_BLOCK_POINTERS(layout->coded));
			while (mask != 0)
			{
				int			i = __builtin_ctz(mask);
				Passed	   *this = &passed[count++];

				mask &= mask - 1;
				this->slot = block * RABITQ_BLOCK + i;
				this->score = scores[i];
				this->deviation = margin * -scales[i];
				memcpy(&this->tid, &pointers[i], sizeof(ItemPointerData));
			}
		}
		UnlockReleaseBuffer(buffer);
	}
	if (count == 0)
		return true;

	base_lead = lead;
	base_distance = distance;
	if (!(node.flags & KTREE_BASE_IS_CENTER) &&
		!read_base(search, waiting->link, &node, &base_lead, &base_distance))
		return false;

	/*
	 * As long as there is no threshold everything passes: then those that look
	 * best come first, and set one for the rest.
	 */
	missing = search->best_limit - search->best_count;
	if (missing > 0 && missing < count)
		first = nth_score(passed, count, missing);
	if (!refine_passed(search, waiting->link, passed, count, -FLT_MAX, first,
					   base_lead, base_distance))
		return false;
	return first == FLT_MAX ||
		refine_passed(search, waiting->link, passed, count, first, FLT_MAX,
					  base_lead, base_distance);
}

/*
 * open_inner
 *	  Put a node's children in the heaps; false when it was reused.
 */
static bool
open_inner(KtreeSearch *search, const Waiting *waiting, int level)
{
	const KtreeLayout *layout = search->layout;
	const RabitqQuery *query = &search->query->code;
	KtreeNode	node = {0};
	float		lead = 0;
	float		distance = 0;
	Opened	   *opened;

	if (search->opened_count == search->opened_room)
	{
		search->opened_room *= 2;
		search->opened = repalloc(search->opened, sizeof(Opened) * search->opened_room);
	}
	for (int part = 0; part < layout->refine_part; part++)
	{
		Buffer		buffer = ktree_lock_part(search->index, waiting->link, part,
											 BUFFER_LOCK_SHARE);
		Page		page;
		int			from;
		int			offset;
		int			bytes;

		if (!BufferIsValid(buffer))
			return false;
		page = BufferGetPage(buffer);
		if (part == 0)
		{
			node = *KtreePageNode(page);
			ktree_check_slots(search->index, layout, &node, waiting->link.block);
			if (node.state != KTREE_LIVE || node.level != level)
			{
				UnlockReleaseBuffer(buffer);
				if (node.state != KTREE_DEAD || node.level != level)
					return false;
				follow(search, waiting, &node);
				return true;
			}
			if (node.spread > search->spread[level])
				search->spread[level] = node.spread;
		}
		bytes = ktree_center_piece(layout, part, &from, &offset);
		if (bytes > 0)
		{
			memcpy(search->codes + from, page + offset, bytes);
			if (from + bytes == layout->padded)
				lead = lead_of(search, node.center_minimum, node.center_step, &distance);
		}
		for (int block = 0; block * RABITQ_BLOCK < node.used; block++)
		{
			float		scores[RABITQ_BLOCK];
			const KtreePointer *pointers;
			int			at;

			ktree_block_position(layout, block, &at, &offset);
			if (at != part)
				continue;
			rabitq_scan(query, (uint8 *) page + offset, lead, 0, FLT_MAX, scores);
			pointers = (const KtreePointer *) (page + offset +
											   KTREE_BLOCK_POINTERS(layout->coded));
			for (int i = 0; i < RABITQ_BLOCK; i++)
			{
				int			slot = block * RABITQ_BLOCK + i;
				Waiting		child;

				if (slot >= node.used)
					break;
				if (ktree_slot_dead(&node, slot))
					continue;
				child.score = scores[i];
				child.link.block = ktree_pointer_block(&pointers[i]);
				child.link.generation = pointers[i].offset;
				child.parent = search->opened_count;
				child.slot = (int16) slot;
				child.refined = false;
				push(&search->heaps[level - 1], &child);
			}
		}
		UnlockReleaseBuffer(buffer);
	}

	opened = &search->opened[search->opened_count++];
	opened->link = waiting->link;
	opened->lead = lead;
	if (!(node.flags & KTREE_BASE_IS_CENTER) &&
		!read_base(search, waiting->link, &node, &opened->lead, &distance))
		return false;
	return true;
}

/*
 * refine_waiting
 *	  Replace a node's one-bit score by that of its four-bit code.
 */
static void
refine_waiting(KtreeSearch *search, Waiting *waiting)
{
	const Opened *parent = &search->opened[waiting->parent];
	int			part;
	int			offset;
	Buffer		buffer;
	const uint8 *entry;
	RabitqFactors factors;

	waiting->refined = true;
	ktree_refine_position(search->layout, waiting->slot, &part, &offset);
	buffer = ktree_lock_part(search->index, parent->link, part, BUFFER_LOCK_SHARE);
	if (!BufferIsValid(buffer))
		return;					/* the first score must do */
	entry = (uint8 *) BufferGetPage(buffer) + offset;
	memcpy(&factors, entry, sizeof(factors));
	waiting->score = rabitq_refine_score(&search->query->code, entry + sizeof(factors),
										 factors.add, factors.scale, parent->lead);
	UnlockReleaseBuffer(buffer);
}

/* Might a child of this inner node have a better score than this? */
static bool
may_hold_better(const KtreeSearch *search, const Waiting *waiting, int level, float score)
{
	float		spread = search->spread[level];
	float		best;

	if (spread < 0 || waiting->score == -FLT_MAX)
		return true;
	if (search->inner)
		best = waiting->score - 2 * CHILD_COSINE * search->query_length * spread;
	else
		best = waiting->score + spread * spread -
			2 * CHILD_COSINE * sqrtf(Max(waiting->score, 0)) * spread;
	return best < score;
}

/* The pages of a leaf that is likely to be visited soon. */
static void
prefetch_leaf(const KtreeSearch *search, BlockNumber block)
{
	for (int part = 0; part < search->layout->refine_part; part++)
		index_prefetch(search->index, block + part, CACHE_LINE, PREFETCH_BYTES);
}

/*
 * next_leaf
 *	  The nearest leaf not yet visited, its center scored by the four-bit
 *	  code.  False when there is none.
 */
static bool
next_leaf(KtreeSearch *search, Waiting *leaf)
{
	for (;;)
	{
		WaitingHeap *leaves = &search->heaps[0];
		int			level;
		Waiting		waiting;
		bool		found;

		for (level = search->height; level > 0; level--)
		{
			if (search->heaps[level].count > 0 &&
				(leaves->count == 0 ||
				 may_hold_better(search, &search->heaps[level].nodes[0], level,
								 leaves->nodes[0].score)))
				break;
		}
		if (level == 0 && leaves->count == 0)
			return false;
		waiting = pop(&search->heaps[level]);
		if (!waiting.refined && waiting.parent >= 0)
		{
			if (level == 0)
				prefetch_leaf(search, waiting.link.block);
			refine_waiting(search, &waiting);
			push(&search->heaps[level], &waiting);
			continue;
		}
		if (level > 0)
		{
			if (!open_inner(search, &waiting, level))
				restart(search);
			continue;
		}
		/* inner nodes are opened again after a restart, leaves are not */
		visited_insert(search->visited, visited_key(waiting.link), &found);
		if (!found)
		{
			*leaf = waiting;
			return true;
		}
	}
}

/*
 * ktree_search_round
 *	  Find the stop->count best rows that are not in "exclude".
 */
void
ktree_search_round(KtreeSearch *search, const KtreeStop *stop, struct TidSet *exclude)
{
	Waiting		leaf;

	for (int level = 0; level < MAX_LEVELS; level++)
	{
		search->heaps[level].count = 0;
		search->spread[level] = -1;
	}
	search->height = 0;
	search->opened_count = 0;
	visited_reset(search->visited);
	search->exclude = exclude;
	search->best_limit = stop->count;
	if (search->best == NULL)
	{
		search->best_room = Min(stop->count, 1024);
		search->best = palloc(sizeof(KtreeCandidate) * search->best_room);
	}
	search->best_count = 0;
	search->leaves = 0;
	search->restarts = 0;
	search->changes_count = 0;
	search->pruned = search->complete = search->cut = false;
	search->margin = stop->margin;
	search->query_length = sqrtf(search->query->code.norm_squared);

	push_root(search);
	for (;;)
	{
		int			last_change;

		CHECK_FOR_INTERRUPTS();
		if (!next_leaf(search, &leaf))
		{
			search->complete = true;
			break;
		}
		if (!visit_leaf(search, &leaf))
		{
			restart(search);
			continue;
		}
		if (stop->leaf_limit > 0 && search->leaves >= stop->leaf_limit)
		{
			search->cut = true;
			break;
		}
		if (search->best_count < search->best_limit)
			continue;
		last_change = search->changes_count > 0 ?
			search->changes[search->changes_count - 1] : 0;
		if (stop->probes > 0)
		{
			if (search->leaves >= stop->probes)
				break;
		}
		else if (stop->patience > 0 && search->leaves - last_change >= stop->patience)
			break;
	}
	search->changes[search->changes_count] = 0;
}
