/*-------------------------------------------------------------------------
 *
 * search_nodes.c
 *	  One node of a search: a leaf's rows, an inner node's children.
 *
 * A leaf's one-bit codes are scored all at once; those that might be among
 * the best so far are scored again by their four-bit codes.
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
 * its parent's center.  Smaller opens fewer inner nodes and misses more.
 */
#define CHILD_COSINE	0.7f

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

/* A code that passed the one-bit test. */
typedef struct Passed
{
	float		score;			/* by the one-bit code, or the bound again */
	float		bound;			/* the best it may be */
	float		deviation;		/* its standard deviation */
	int			slot;
	ItemPointerData tid;
} Passed;

/* Put a node in a heap, the best on top. */
void
ktree_push_waiting(KtreeWaitingHeap *heap, const KtreeWaiting *node)
{
	int			at;

	if (heap->count == heap->room)
	{
		heap->room = Max(heap->room * 2, 64);
		heap->nodes = heap->nodes == NULL ?
			palloc(sizeof(KtreeWaiting) * heap->room) :
			repalloc_huge(heap->nodes, sizeof(KtreeWaiting) * (Size) heap->room);
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
		ktree_push_waiting(&search->heaps[node->level], &next);
	}
}

static bool
was_replaced(const KtreeNode *node, int level)
{
	return node->state == KTREE_DEAD && node->level == level;
}

/*
 * enter_node
 *	  Read the header of a node whose first page is locked.  False, with the
 *	  lock given up, when it is not LIVE at this level; if it was replaced, what
 *	  replaced it waits in its place.
 */
static bool
enter_node(KtreeSearch *search, const KtreeWaiting *waiting, int level, Buffer buffer,
		   KtreeNode *node)
{
	*node = *KtreePageNode(BufferGetPage(buffer));
	ktree_check_slots(search->index, search->layout, node, waiting->link.block);
	if (node->state == KTREE_LIVE && node->level == level)
		return true;
	UnlockReleaseBuffer(buffer);
	if (was_replaced(node, level))
		follow(search, waiting, node);
	return false;
}

/*
 * lead_of_piece
 *	  Lead and distance of a node's center or base from a piece of its codes,
 *	  which may span pages; set when the last piece comes.
 */
static void
lead_of_piece(KtreeSearch *search, Page page, int from, int offset, int bytes,
			  float minimum, float step, float *lead, float *distance)
{
	const uint8 *codes = (uint8 *) page + offset;

	if (bytes < search->layout->padded)
	{
		memcpy(search->codes + from, codes, bytes);
		if (from + bytes < search->layout->padded)
			return;
		codes = search->codes;
	}
	rabitq_center_lead(&search->query->code, codes, minimum, step, search->inner,
					   lead, distance);
}

/*
 * read_base
 *	  Lead of a node's base.
 */
static bool
read_base(KtreeSearch *search, KtreeLink link, const KtreeNode *node,
		  float *lead, float *distance)
{
	for (int part = search->layout->base_part; part < search->layout->extent_pages; part++)
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
		lead_of_piece(search, BufferGetPage(buffer), from, offset, bytes,
					  node->base_minimum, node->base_step, lead, distance);
		UnlockReleaseBuffer(buffer);
	}
	return true;
}

/* What a leaf's four-bit scores are relative to, and how large they are. */
typedef struct Frame
{
	const RabitqQuery *query;
	int			step;			/* the leaf was the n-th of the search */
	float		lead;			/* of the base */
	float		distance;		/* by which errors grow; negative: not known yet */
	float		rounding;		/* error of the arithmetic */
	float		size;			/* of scores among which they must tell; 0: their own */
} Frame;

/*
 * refine_passed
 *	  Score by four-bit codes what the one-bit codes let pass, of those whose
 *	  one-bit score lies above "from" and up to "to".  What is scored loses its
 *	  bound.
 */
static bool
refine_passed(KtreeSearch *search, KtreeLink link, const Passed *passed, int count,
			  float from, float to, const Frame *frame, float *bounds)
{
	const KtreeLayout *layout = search->layout;
	Buffer		buffer = InvalidBuffer;
	int			locked = -1;
	float		limit = ktree_threshold(search);

	/* ask for all of them at once, and wait for the slowest only */
	for (int i = 0; i < count; i++)
	{
		int			part;
		int			offset;

		if (passed[i].score <= from || passed[i].score > to || passed[i].bound >= limit)
			continue;
		ktree_refine_position(layout, passed[i].slot, &part, &offset);
		index_prefetch(search->index, link.block + part, offset, layout->refine_bytes);
	}
	for (int i = 0; i < count; i++)
	{
		const Passed *this = &passed[i];
		float		threshold = ktree_threshold(search);
		int			part;
		int			offset;
		float		error;
		KtreeRow	row;

		if (this->score <= from || this->score > to)
			continue;
		if (this->bound >= threshold)
		{
			search->forgot |= (bounds == NULL);
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
		row.score = ktree_entry_score(frame->query,
									  (uint8 *) BufferGetPage(buffer) + offset,
									  frame->lead, &error);
		last_index_scan.refined++;
		if (bounds != NULL)
			bounds[this->slot] = FLT_MAX;
		if (search->exclude != NULL && tidset_has(search->exclude, (ItemPointer) &this->tid))
			continue;
		row.error = 2 * error * frame->distance + frame->rounding;
		row.tid = this->tid;
		row.state = KTREE_ROW_FOUND;
		row.bad = false;
		row.step = frame->step;
		row.need = this->score <= threshold || this->deviation <= 0 ? 0 :
			(this->score - threshold) / this->deviation;
		ktree_keep_row(search, &row, frame->size > 0 ? frame->size : fabsf(row.score));
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
 * refine_leaf
 *	  Score by four bits what passed in one leaf.
 *
 * As long as there is no threshold everything passes: then those that look
 * best come first, and set one for the rest.
 */
static bool
refine_leaf(KtreeSearch *search, KtreeLink link, const Passed *passed, int count,
			const Frame *frame, float *bounds)
{
	int			missing = search->seat_limit - search->seat_count;
	float		first = FLT_MAX;

	if (missing > 0 && missing < count)
		first = nth_score(passed, count, missing);
	if (!refine_passed(search, link, passed, count, -FLT_MAX, first, frame, bounds))
		return false;
	return first == FLT_MAX ||
		refine_passed(search, link, passed, count, first, FLT_MAX, frame, bounds);
}

/* Slots of a block that hold no row. */
static uint32
dead_slots(const KtreeNode *node, int block)
{
	uint32		dead;

	memcpy(&dead, node->dead + block * (RABITQ_BLOCK / 8), sizeof(dead));
#ifdef WORDS_BIGENDIAN
	dead = pg_bswap32(dead);
#endif
	if (node->used - block * RABITQ_BLOCK < RABITQ_BLOCK)
		dead |= ~((UINT32_C(1) << (node->used - block * RABITQ_BLOCK)) - 1);
	return dead;
}

/*
 * scan_block
 *	  One-bit scores of a block, and the bounds that they give; what may be
 *	  among the best is appended to "passed".  Returns how many.
 *
 * deviation: of a code's score, relative to its scale; bounds: of this block,
 * or NULL
 */
static int
scan_block(KtreeSearch *search, const RabitqQuery *query, const uint8 *codes, uint32 dead,
		   float lead, float deviation, int first_slot, Passed *passed, float *bounds)
{
	const KtreeLayout *layout = search->layout;
	const float *scales = (const float *) (codes + KTREE_BLOCK_FACTORS(layout->coded)) +
		RABITQ_BLOCK;
	const KtreePointer *pointers = (const KtreePointer *)
		(codes + KTREE_BLOCK_POINTERS(layout->coded));
	float		margin = search->margin * deviation;
	float		scores[RABITQ_BLOCK];
	uint32		mask;
	int			count = 0;

	if (search->filter != NULL)
	{
		uint32		passing = ktree_filter_block(search->filter, layout, codes) & ~dead;

		search->filtered += __builtin_popcount(~dead);
		search->passed += __builtin_popcount(passing);
		dead = ~passing;
		if (passing == 0)
		{
			for (int i = 0; bounds != NULL && i < RABITQ_BLOCK; i++)
				bounds[i] = FLT_MAX;
			return 0;
		}
	}
	mask = rabitq_scan(query, codes, lead, margin, ktree_threshold(search), scores);
	if (bounds == NULL)
		search->forgot |= ((mask | dead) != PG_UINT32_MAX);
	else
	{
		for (int i = 0; i < RABITQ_BLOCK; i++)
			bounds[i] = scores[i] + margin * scales[i];
		for (uint32 rest = dead; rest != 0; rest &= rest - 1)
			bounds[__builtin_ctz(rest)] = FLT_MAX;
	}
	for (mask &= ~dead; mask != 0; mask &= mask - 1)
	{
		int			i = __builtin_ctz(mask);
		Passed	   *this = &passed[count++];

		this->slot = first_slot + i;
		this->score = scores[i];
		this->bound = scores[i] + margin * scales[i];
		this->deviation = deviation * -scales[i];
		memcpy(&this->tid, &pointers[i], sizeof(ItemPointerData));
	}
	last_index_scan.codes += RABITQ_BLOCK;
	return count;
}

/*
 * pivot_distance
 *	  |q - c|, or for inner products |q - pivot c|, from |q - c| and -2 <c, q>.
 */
static float
pivot_distance(const KtreeSearch *search, float pivot, float lead, float distance)
{
	double		norm = search->query->code.norm_squared;
	double		center;

	if (!search->inner || pivot >= 1)
		return distance;
	center = (double) distance * distance - norm - lead;
	return (float) sqrt(Max(norm + pivot * lead + pivot * pivot * center, 0));
}

/* What does not depend on where a leaf's base is. */
static Frame
begin_frame(const KtreeSearch *search, const KtreeNode *node, int step)
{
	Frame		frame = {&search->query->code, step, 0, -1, 0, 0};

	frame.rounding = KTREE_ROUNDING * search->query->code.norm_squared;
	if (search->inner)
		frame.size = 2 * search->query_length * node->spread;
	return frame;
}

/* The frame of a far leaf.  False when it was reused. */
static bool
far_frame(KtreeSearch *search, KtreeLink link, const KtreeNode *node, Frame *frame)
{
	if (!ktree_read_far_center(search->index, search->layout, link, search->center))
		return false;
	rabitq_lead(&search->query->code, search->center, search->inner,
				&frame->lead, &frame->distance);
	if (search->inner)
		frame->distance = pivot_distance(search, node->pivot, frame->lead, frame->distance);
	else
		frame->query = ktree_local_query(search->layout, search->query, search->center);
	frame->rounding = KTREE_ROUNDING * fabsf(frame->lead);
	return true;
}

/*
 * ktree_visit_leaf
 *	  False when the leaf was reused and the descent must start again.
 */
bool
ktree_visit_leaf(KtreeSearch *search, const KtreeWaiting *waiting)
{
	const KtreeLayout *layout = search->layout;
	KtreeNode	node = {0};
	Passed		passed[KTREE_MAX_CAPACITY];
	int			count = 0;
	float		lead = 0;
	float		distance = 0;
	Frame		frame;
	float	   *bounds = NULL;

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
			if (!enter_node(search, waiting, 0, buffer, &node))
				return was_replaced(&node, 0);
			search->leaves++;
			last_index_scan.leaves++;
			bounds = ktree_new_bounds(search, waiting->link, node.used);
			frame = begin_frame(search, &node, search->leaves);
			if (node.flags & KTREE_FAR)
			{
				/* one lock at a time; the node only grows meanwhile */
				UnlockReleaseBuffer(buffer);
				if (!far_frame(search, waiting->link, &node, &frame))
					return false;
				lead = frame.lead;
				distance = frame.distance;
				buffer = ktree_lock_part(search->index, waiting->link, 0, BUFFER_LOCK_SHARE);
				if (!BufferIsValid(buffer))
					return false;
				page = BufferGetPage(buffer);
			}
		}
		bytes = ktree_center_piece(layout, part, &from, &offset);
		if (bytes > 0 && !(node.flags & KTREE_FAR))
		{
			lead_of_piece(search, page, from, offset, bytes, node.center_minimum,
						  node.center_step, &lead, &distance);
			if (from + bytes == layout->padded)
				distance = pivot_distance(search, node.pivot, lead, distance);
		}
		for (int block = 0; block * RABITQ_BLOCK < node.used; block++)
		{
			int			at;

			ktree_block_position(layout, block, &at, &offset);
			if (at == part)
				count += scan_block(search, frame.query, (uint8 *) page + offset,
									dead_slots(&node, block), lead,
									frame.query->error_factor * distance,
									block * RABITQ_BLOCK, passed + count,
									bounds == NULL ? NULL : bounds + block * RABITQ_BLOCK);
		}
		/* while its page is at hand */
		if (count > 0 && part == layout->base_part && !(node.flags & KTREE_BASE_IS_CENTER))
		{
			bytes = ktree_base_piece(layout, part, &from, &offset);
			lead_of_piece(search, page, from, offset, bytes, node.base_minimum,
						  node.base_step, &frame.lead, &frame.distance);
			frame.distance = pivot_distance(search, node.pivot, frame.lead, frame.distance);
		}
		UnlockReleaseBuffer(buffer);
	}
	if (count == 0)
		return true;
	if (node.flags & KTREE_BASE_IS_CENTER)
	{
		frame.lead = lead;
		frame.distance = distance;
	}
	else if (frame.distance < 0)
	{
		if (!read_base(search, waiting->link, &node, &frame.lead, &frame.distance))
			return false;
		frame.distance = pivot_distance(search, node.pivot, frame.lead, frame.distance);
	}
	return refine_leaf(search, waiting->link, passed, count, &frame, bounds);
}

/*
 * ktree_visit_again
 *	  Of a leaf that was visited: the rows whose bounds are now among the best.
 *	  False, and nothing more to be had from it, when the leaf was reused.
 */
bool
ktree_visit_again(KtreeSearch *search, KtreeVisited *visited)
{
	const KtreeLayout *layout = search->layout;
	float	   *bounds = search->bounds + visited->bounds;
	Passed		passed[KTREE_MAX_CAPACITY];
	int			count = 0;
	KtreeNode	node = {0};
	Frame		frame;
	float		threshold = ktree_threshold(search);

	for (int part = 0; part < layout->refine_part; part++)
	{
		Buffer		buffer = ktree_lock_part(search->index, visited->link, part,
											 BUFFER_LOCK_SHARE);
		Page		page;
		int			from;
		int			offset;
		int			bytes;

		if (!BufferIsValid(buffer))
			goto reused;
		page = BufferGetPage(buffer);
		if (part == 0)
		{
			node = *KtreePageNode(page);
			frame = begin_frame(search, &node, visited->step);
		}
		bytes = ktree_center_piece(layout, part, &from, &offset);
		if (bytes > 0 && (node.flags & KTREE_BASE_IS_CENTER) && !(node.flags & KTREE_FAR))
			lead_of_piece(search, page, from, offset, bytes, node.center_minimum,
						  node.center_step, &frame.lead, &frame.distance);
		for (int block = 0; block * RABITQ_BLOCK < visited->used; block++)
		{
			const KtreePointer *pointers;
			int			at;

			ktree_block_position(layout, block, &at, &offset);
			if (at != part)
				continue;
			pointers = (const KtreePointer *) (page + offset +
											   KTREE_BLOCK_POINTERS(layout->coded));
			for (int i = 0; i < RABITQ_BLOCK; i++)
			{
				int			slot = block * RABITQ_BLOCK + i;
				Passed	   *this;

				if (slot >= visited->used || bounds[slot] >= threshold)
					continue;
				this = &passed[count++];
				this->slot = slot;
				this->score = this->bound = bounds[slot];
				this->deviation = 0;
				memcpy(&this->tid, &pointers[i], sizeof(ItemPointerData));
			}
		}
		UnlockReleaseBuffer(buffer);
	}
	if (node.flags & KTREE_FAR)
	{
		if (!far_frame(search, visited->link, &node, &frame))
			goto reused;
	}
	else
	{
		if (!(node.flags & KTREE_BASE_IS_CENTER) &&
			!read_base(search, visited->link, &node, &frame.lead, &frame.distance))
			goto reused;
		frame.distance = pivot_distance(search, node.pivot, frame.lead, frame.distance);
	}
	if (refine_leaf(search, visited->link, passed, count, &frame, bounds))
		return true;

reused:
	for (int slot = 0; slot < visited->used; slot++)
		bounds[slot] = FLT_MAX;
	return false;
}

/*
 * ktree_key
 *	  The order in which nodes are visited.
 *
 * A leaf comes by the distance of its center, the sooner the more its radius
 * is beyond what is usual: its rows may be near although its center is not.
 * Of an inner node counts how near a child might be, as far as CHILD_COSINE
 * reaches; of inner products what a row in its direction would have.
 */
float
ktree_key(const KtreeSearch *search, int level, float score, float radius, float usual_radius)
{
	float		distance;
	float		reach;

	if (search->inner)
		return score - (level == 0 ? 2 * INNER_REACH : 2 * CHILD_COSINE) *
			search->query_length * radius;
	distance = sqrtf(Max(score, 0));
	if (level == 0)
	{
		reach = LEAF_REACH * Max(radius - USUAL_RADII * usual_radius, 0);
		return distance > reach ? (distance - reach) * (distance - reach) : 0;
	}
	reach = Min(radius, CHILD_COSINE * distance);
	return distance * distance + reach * reach - 2 * CHILD_COSINE * distance * reach;
}

/*
 * Is an error too large to place a node of this radius?  An inner node's may
 * be that of its farthest child, and says nothing of the others.
 */
static bool
is_coarse(const KtreeSearch *search, int level, float score, float error, float radius,
		  float share)
{
	float		size = search->inner ? 2 * search->query_length * radius :
		Max(score, 0) + (level == 0 ? radius * radius : 0);

	return error > share * size;
}

/*
 * ktree_score_child
 *	  Place a waiting node by its four-bit code.
 */
void
ktree_score_child(KtreeSearch *search, KtreeWaiting *waiting, int level,
				  const RabitqQuery *query, const KtreeOpened *parent, const uint8 *entry)
{
	float		error;
	float		radius;
	float		score = ktree_entry_score(query, entry, parent->lead, &error);

	ktree_unpack_radius(error, &error, &radius);
	error = 2 * error * parent->distance + KTREE_ROUNDING * query->norm_squared;
	waiting->radius = radius;
	waiting->stage = KTREE_BY_FOUR_BITS;
	if (is_coarse(search, level, score, error, radius, COARSE_FOUR_BITS))
	{
		waiting->stage = KTREE_TOO_COARSE;
		score -= COARSE_DEVIATIONS * error;
	}
	waiting->key = ktree_key(search, level, score, radius, parent->usual_radius);
}

/*
 * ktree_open_inner
 *	  Put a node's children in the heaps; false when it was reused.
 */
bool
ktree_open_inner(KtreeSearch *search, const KtreeWaiting *waiting, int level)
{
	const KtreeLayout *layout = search->layout;
	Buffer		buffer = ktree_lock_part(search->index, waiting->link, 0, BUFFER_LOCK_SHARE);
	const RabitqQuery *query = &search->query->code;
	KtreeNode	node;
	const KtreeInner *inner;
	float		lead;
	float		distance;
	KtreeOpened *opened;

	if (!BufferIsValid(buffer))
		return false;
	if (!enter_node(search, waiting, level, buffer, &node))
		return was_replaced(&node, level);
	UnlockReleaseBuffer(buffer);
	inner = ktree_inner_open(search->index, search->cache, waiting->link, &node);
	if (inner == NULL)
		return false;

	if (search->opened_count == search->opened_room)
	{
		search->opened_room *= 2;
		search->opened = repalloc(search->opened, sizeof(KtreeOpened) * search->opened_room);
	}
	opened = &search->opened[search->opened_count];
	rabitq_lead(query, inner->center, search->inner, &lead, &distance);
	distance = pivot_distance(search, node.pivot, lead, distance);
	opened->link = waiting->link;
	opened->lead = lead;
	opened->distance = distance;
	opened->usual_radius = inner->usual_radius;
	if (!(node.flags & KTREE_BASE_IS_CENTER))
	{
		rabitq_lead(query, inner->base, search->inner, &opened->lead, &opened->distance);
		opened->distance = pivot_distance(search, node.pivot, opened->lead, opened->distance);
	}
	if ((node.flags & KTREE_FAR) && !search->inner)
		query = ktree_local_query(layout, search->query, inner->center);

	for (int block = 0; block * RABITQ_BLOCK < node.used; block++)
	{
		const uint8 *codes = inner->blocks + block * layout->block_bytes;
		const float *scales = (const float *) (codes + KTREE_BLOCK_FACTORS(layout->coded)) +
			RABITQ_BLOCK;
		const KtreePointer *pointers = (const KtreePointer *)
			(codes + KTREE_BLOCK_POINTERS(layout->coded));
		float		scores[RABITQ_BLOCK];

		rabitq_scan(query, codes, lead, 0, FLT_MAX, scores);
		for (int i = 0; i < RABITQ_BLOCK; i++)
		{
			int			slot = block * RABITQ_BLOCK + i;
			float		error = query->error_factor * distance * -scales[i];
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
								  inner->refine + (Size) slot * layout->refine_bytes);
			else
			{
				if (is_coarse(search, level - 1, score, error, child.radius, COARSE_ONE_BIT))
					score -= COARSE_DEVIATIONS * error;
				child.key = ktree_key(search, level - 1, score, child.radius,
									  inner->usual_radius);
			}
			ktree_push_waiting(&search->heaps[level - 1], &child);
		}
	}
	search->opened_count++;
	return true;
}
