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

#include "port/pg_bswap.h"

#include "index/ktree/search.h"

/* A code that passed the one-bit test. */
typedef struct Passed
{
	float		score;			/* by the one-bit code */
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
	while (at > 0 && heap->nodes[(at - 1) / 2].score > node->score)
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
		next.refined = true;
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
	float		limit = threshold_of(search);

	/* ask for all of them at once, and wait for the slowest only */
	for (int i = 0; i < count; i++)
	{
		int			part;
		int			offset;

		if (passed[i].score <= from || passed[i].score > to ||
			passed[i].score - search->margin * passed[i].deviation >= limit)
			continue;
		ktree_refine_position(layout, passed[i].slot, &part, &offset);
		index_prefetch(search->index, link.block + part, offset, layout->refine_bytes);
	}
	for (int i = 0; i < count; i++)
	{
		const Passed *this = &passed[i];
		float		threshold = threshold_of(search);
		int			part;
		int			offset;
		float		error;
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
		candidate.score = ktree_entry_score(&search->query->code,
											(uint8 *) BufferGetPage(buffer) + offset,
											lead, &error);
		last_index_scan.refined++;
		if (!(candidate.score < threshold))
		{
			search->pruned = true;
			continue;
		}
		candidate.error = 2 * error * distance;
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
 * ktree_visit_leaf
 *	  False when the leaf was reused and the descent must start again.
 */
bool
ktree_visit_leaf(KtreeSearch *search, const KtreeWaiting *waiting)
{
	const KtreeLayout *layout = search->layout;
	const RabitqQuery *query = &search->query->code;
	KtreeNode	node = {0};
	Passed		passed[KTREE_MAX_CAPACITY];
	int			count = 0;
	float		lead = 0;
	float		distance = 0;
	float		margin = 0;
	float		base_lead = 0;
	float		base_distance = -1; /* not known yet */
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
			if (!enter_node(search, waiting, 0, buffer, &node))
				return was_replaced(&node, 0);
			search->leaves++;
			last_index_scan.leaves++;
		}
		bytes = ktree_center_piece(layout, part, &from, &offset);
		if (bytes > 0)
		{
			lead_of_piece(search, page, from, offset, bytes, node.center_minimum,
						  node.center_step, &lead, &distance);
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
		/* while its page is at hand */
		if (count > 0 && part == layout->base_part && !(node.flags & KTREE_BASE_IS_CENTER))
		{
			bytes = ktree_base_piece(layout, part, &from, &offset);
			lead_of_piece(search, page, from, offset, bytes, node.base_minimum,
						  node.base_step, &base_lead, &base_distance);
		}
		UnlockReleaseBuffer(buffer);
	}
	if (count == 0)
		return true;
	if (node.flags & KTREE_BASE_IS_CENTER)
	{
		base_lead = lead;
		base_distance = distance;
	}
	else if (base_distance < 0 &&
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

/* Lead of a whole center or base. */
static float
lead_of(const KtreeSearch *search, const uint8 *codes, float minimum, float step)
{
	float		lead;
	float		distance;

	rabitq_center_lead(&search->query->code, codes, minimum, step, search->inner,
					   &lead, &distance);
	return lead;
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
	KtreeNode	node;
	const KtreeInner *inner;
	float		lead;
	KtreeOpened *opened;

	if (!BufferIsValid(buffer))
		return false;
	if (!enter_node(search, waiting, level, buffer, &node))
		return was_replaced(&node, level);
	UnlockReleaseBuffer(buffer);
	inner = ktree_inner_open(search->index, search->cache, waiting->link, &node);
	if (inner == NULL)
		return false;
	if (node.spread > search->spread[level])
		search->spread[level] = node.spread;

	lead = lead_of(search, inner->center, node.center_minimum, node.center_step);
	for (int block = 0; block * RABITQ_BLOCK < node.used; block++)
	{
		const uint8 *codes = inner->blocks + block * layout->block_bytes;
		const KtreePointer *pointers = (const KtreePointer *)
			(codes + KTREE_BLOCK_POINTERS(layout->coded));
		float		scores[RABITQ_BLOCK];

		rabitq_scan(&search->query->code, codes, lead, 0, FLT_MAX, scores);
		for (int i = 0; i < RABITQ_BLOCK; i++)
		{
			int			slot = block * RABITQ_BLOCK + i;
			KtreeWaiting child;

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
			ktree_push_waiting(&search->heaps[level - 1], &child);
		}
	}

	if (search->opened_count == search->opened_room)
	{
		search->opened_room *= 2;
		search->opened = repalloc(search->opened, sizeof(KtreeOpened) * search->opened_room);
	}
	opened = &search->opened[search->opened_count++];
	opened->link = waiting->link;
	opened->lead = node.flags & KTREE_BASE_IS_CENTER ? lead :
		lead_of(search, inner->base, node.base_minimum, node.base_step);
	return true;
}
