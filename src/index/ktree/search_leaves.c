/*-------------------------------------------------------------------------
 *
 * search_leaves.c
 *	  One leaf of a search.
 *
 * Its one-bit codes are scored all at once; those that might be among the best
 * so far are scored again by their four-bit codes.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <float.h>
#include <math.h>

#include "port/pg_bswap.h"

#include "index/ktree/ktree_search.h"

/*
 * One-bit errors that a code may be off where the query is farther out than
 * the samples of the calibration: in few dimensions rows that lie the same way
 * from their center, as they then do, err the same way.  And where a condition
 * lets few rows pass, the nearest of them differ by less than codes err.
 */
#define WIDE_MARGIN		4.0f
#define FEW_PASS		0.25

/*
 * So many leaves are scored even if no row there passes: they tell how far out
 * the query is.
 */
#define LEAST_SCORED	8

/* A code that passed the one-bit test. */
typedef struct Passed
{
	float		score;			/* by the one-bit code, or the bound again */
	float		bound;			/* the best it may be */
	float		deviation;		/* its standard deviation */
	int			slot;
	ItemPointerData tid;
} Passed;

/*
 * Lead and distance of a node's center or base from a piece of its codes,
 * which may span pages; set when the last piece comes.
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
	rabitq_center_lead(&search->query->code, codes, minimum, step,
					   search->inner, lead, distance);
}

/* Lead of a node's base. */
static bool
read_base(KtreeSearch *search, KtreeLink link, const KtreeNode *node,
		  float *lead, float *distance)
{
	for (int part = search->layout->base_part;
		 part < search->layout->extent_pages; part++)
	{
		int			from;
		int			offset;
		int			bytes = ktree_base_piece(search->layout, part, &from,
											 &offset);
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
	float		distance;		/* by which errors grow; negative: not known
								 * yet */
	float		rounding;		/* error of the arithmetic */
	float		size;			/* of scores among which they must tell; 0:
								 * their own */
} Frame;

/*
 * Score by four-bit codes what the one-bit codes let pass, of those whose
 * one-bit score lies above "from" and up to "to".  What is scored loses its
 * bound.
 */
static bool
refine_passed(KtreeSearch *search, KtreeLink link, const Passed *passed,
			  int count, float from, float to, const Frame *frame,
			  float *bounds)
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

		if (passed[i].score <= from || passed[i].score > to ||
			passed[i].bound >= limit)
			continue;
		ktree_refine_position(layout, passed[i].slot, &part, &offset);
		index_prefetch(search->index, link.block + part, offset,
					   layout->refine_bytes);
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
			buffer = ktree_lock_part(search->index, link, part,
									 BUFFER_LOCK_SHARE);
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
		if (search->exclude != NULL &&
			tidset_has(search->exclude, (ItemPointer) & this->tid))
			continue;
		row.error = 2 * error * frame->distance + frame->rounding;
		row.tid = this->tid;
		row.state = KTREE_ROW_FOUND;
		row.bad = false;
		row.step = frame->step;
		row.one_bit.score = this->score;
		row.one_bit.deviation = this->deviation;
		ktree_keep_row(search, &row,
					   frame->size > 0 ? frame->size : fabsf(row.score));
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
 * Score by four bits what passed in one leaf.
 *
 * As long as there is no threshold everything passes: then those that look
 * best come first, and set one for the rest.
 */
static bool
refine_leaf(KtreeSearch *search, KtreeLink link, const Passed *passed,
			int count, const Frame *frame, float *bounds)
{
	int			missing = search->seat_limit - search->seat_count;
	float		first = FLT_MAX;

	if (missing > 0 && missing < count)
		first = nth_score(passed, count, missing);
	if (!refine_passed(search, link, passed, count, -FLT_MAX, first, frame,
					   bounds))
		return false;
	return first == FLT_MAX || refine_passed(search, link, passed, count,
											 first, FLT_MAX, frame, bounds);
}

/* One-bit errors that a code may be off in this search. */
static float
one_bit_margin(const KtreeSearch *search)
{
	bool		few = search->filter != NULL &&
		search->passed < FEW_PASS * search->filtered;

	return few || ktree_is_strange(search) ? Max(search->margin, WIDE_MARGIN)
										   : search->margin;
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
 * One-bit scores of a block, and the bounds that they give; what may be
 * among the best is appended to "passed".  Returns how many.
 *
 * deviation: of a code's score, relative to its scale; bounds: of this block,
 * or NULL
 */
static int
scan_block(KtreeSearch *search, const RabitqQuery *query, const uint8 *codes,
		   uint32 dead, float lead, float deviation, int first_slot,
		   Passed *passed, float *bounds)
{
	const KtreeLayout *layout = search->layout;
	const float *scales = (const float *) (codes + KTREE_BLOCK_FACTORS(
													   layout->coded)) +
						  RABITQ_BLOCK;
	const KtreePointer *pointers = (const KtreePointer *)
		(codes + KTREE_BLOCK_POINTERS(layout->coded));
	float		margin = deviation * one_bit_margin(search);
	float		scores[RABITQ_BLOCK];
	uint32		mask;
	int			count = 0;

	if (search->filter != NULL)
	{
		uint32		passing =
				 ktree_filter_block(search->filter, layout, codes) & ~dead;

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
	mask = rabitq_scan(query, codes, lead, margin, ktree_threshold(search),
					   scores);
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
far_frame(KtreeSearch *search, KtreeLink link, const KtreeNode *node,
		  Frame *frame)
{
	if (!ktree_read_far_center(search->index, search->layout, link,
							   search->center))
		return false;
	rabitq_lead(&search->query->code, search->center, search->inner,
				&frame->lead, &frame->distance);
	if (search->inner)
		frame->distance = ktree_pivoted(search, node->pivot, frame->lead,
										frame->distance);
	else
		frame->query = ktree_local_query(search->layout, search->query,
										 search->center);
	frame->rounding = KTREE_ROUNDING * fabsf(frame->lead);
	return true;
}

/* Remember how far out the query is for the leaves that it visits. */
static void
note_ratio(KtreeSearch *search, KtreeLink leaf, float distance, float radius)
{
	float		ratio;

	/* its rows do not differ, and none can be missed for another */
	if (radius <= 0)
		return;
	if (!search->inner)
		distance = sqrtf(ktree_home_score(search, leaf, distance * distance));
	ratio = distance / radius;
	if (search->first_ratio == FLT_MAX)
		search->first_ratio = Min(ratio, FLT_MAX / 2);
	search->ratio = Min(search->ratio, ratio);
}

/* The rows of a leaf's blocks on one of its pages that pass. */
static uint32
passing_on_page(const KtreeSearch *search, const KtreeNode *node, Page page,
				int part)
{
	uint32		passing = 0;

	for (int block = 0; block * RABITQ_BLOCK < node->used; block++)
	{
		int			at;
		int			offset;

		ktree_block_position(search->layout, block, &at, &offset);
		if (at == part)
			passing |= ktree_filter_block(search->filter, search->layout,
										  (uint8 *) page + offset) &
					   ~dead_slots(node, block);
	}
	return passing;
}

/*
 * Does no row of a leaf pass the conditions?  Then it need not be scored, and
 * is done with: its first page, which is locked, is given up.  Otherwise it is
 * locked again, or the buffer is invalid if the leaf was reused meanwhile.
 */
static bool
nothing_passes(KtreeSearch *search, KtreeLink link, const KtreeNode *node,
			   Buffer *first)
{
	const KtreeLayout *layout = search->layout;

	if (passing_on_page(search, node, BufferGetPage(*first), 0) != 0)
		return false;
	UnlockReleaseBuffer(*first);
	for (int part = 1; part < layout->refine_part; part++)
	{
		Buffer		buffer = ktree_lock_part(search->index, link, part,
											 BUFFER_LOCK_SHARE);
		uint32		passing;

		*first = buffer;
		if (!BufferIsValid(buffer))
			return false;
		passing = passing_on_page(search, node, BufferGetPage(buffer), part);
		UnlockReleaseBuffer(buffer);
		if (passing != 0)
		{
			*first = ktree_lock_part(search->index, link, 0,
									 BUFFER_LOCK_SHARE);
			return false;
		}
	}
	search->filtered += node->live;
	return true;
}

/* False when the leaf was reused and the descent must start again. */
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
		Buffer		buffer = ktree_lock_part(search->index, waiting->link,
											 part, BUFFER_LOCK_SHARE);
		Page		page;
		int			from;
		int			offset;
		int			bytes;

		if (!BufferIsValid(buffer))
			return false;
		page = BufferGetPage(buffer);
		if (part == 0)
		{
			if (!ktree_enter_node(search, waiting, 0, buffer, &node))
				return ktree_was_replaced(&node, 0);
			search->leaves++;
			last_index_scan.leaves++;
			if (search->filter != NULL && search->leaves > LEAST_SCORED)
			{
				if (nothing_passes(search, waiting->link, &node, &buffer))
					return true;
				if (!BufferIsValid(buffer))
					return false;
				page = BufferGetPage(buffer);
			}
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
				note_ratio(search, waiting->link, distance, node.spread);
				buffer = ktree_lock_part(search->index, waiting->link, 0,
										 BUFFER_LOCK_SHARE);
				if (!BufferIsValid(buffer))
					return false;
				page = BufferGetPage(buffer);
			}
		}
		bytes = ktree_center_piece(layout, part, &from, &offset);
		if (bytes > 0 && !(node.flags & KTREE_FAR))
		{
			lead_of_piece(search, page, from, offset, bytes,
						  node.center_minimum, node.center_step, &lead,
						  &distance);
			if (from + bytes == layout->padded)
			{
				distance = ktree_pivoted(search, node.pivot, lead, distance);
				note_ratio(search, waiting->link, distance, node.spread);
			}
		}
		for (int block = 0; block * RABITQ_BLOCK < node.used; block++)
		{
			int			at;

			ktree_block_position(layout, block, &at, &offset);
			if (at == part)
				count += scan_block(
					search, frame.query, (uint8 *) page + offset,
					dead_slots(&node, block), lead,
					ktree_one_bit_deviation(frame.query, distance),
					block * RABITQ_BLOCK, passed + count,
					bounds == NULL ? NULL : bounds + block * RABITQ_BLOCK);
		}
		/* while its page is at hand */
		if (count > 0 && part == layout->base_part &&
			!(node.flags & KTREE_BASE_IS_CENTER))
		{
			bytes = ktree_base_piece(layout, part, &from, &offset);
			lead_of_piece(search, page, from, offset, bytes, node.base_minimum,
						  node.base_step, &frame.lead, &frame.distance);
			frame.distance = ktree_pivoted(search, node.pivot, frame.lead,
										   frame.distance);
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
		if (!read_base(search, waiting->link, &node, &frame.lead,
					   &frame.distance))
			return false;
		frame.distance = ktree_pivoted(search, node.pivot, frame.lead,
									   frame.distance);
	}
	return refine_leaf(search, waiting->link, passed, count, &frame, bounds);
}

/*
 * Of a leaf that was visited: the rows whose bounds are now among the best.
 * False, and nothing more to be had from it, when the leaf was reused.
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
		Buffer		buffer = ktree_lock_part(search->index, visited->link,
											 part, BUFFER_LOCK_SHARE);
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
		if (bytes > 0 && (node.flags & KTREE_BASE_IS_CENTER) &&
			!(node.flags & KTREE_FAR))
			lead_of_piece(search, page, from, offset, bytes,
						  node.center_minimum, node.center_step, &frame.lead,
						  &frame.distance);
		for (int block = 0; block * RABITQ_BLOCK < visited->used; block++)
		{
			const KtreePointer *pointers;
			int			at;

			ktree_block_position(layout, block, &at, &offset);
			if (at != part)
				continue;
			pointers = (const KtreePointer *) (page + offset +
											   KTREE_BLOCK_POINTERS(
												   layout->coded));
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
			!read_base(search, visited->link, &node, &frame.lead,
					   &frame.distance))
			goto reused;
		frame.distance = ktree_pivoted(search, node.pivot, frame.lead,
									   frame.distance);
	}
	if (refine_leaf(search, visited->link, passed, count, &frame, bounds))
		return true;

reused:
	for (int slot = 0; slot < visited->used; slot++)
		bounds[slot] = FLT_MAX;
	return false;
}
