/*-------------------------------------------------------------------------
 *
 * ktree_query.c
 *	  A vector against the slots of one inner node: the step by which an
 *	  insertion descends.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <float.h>
#include <math.h>

#include "utils/memutils.h"
#include "utils/rel.h"

#include "index/ktree/ktree_search.h"

/* Children that the one-bit codes propose and the four-bit codes decide. */
#define PROPOSED 8

/* A child is nearer than another for sure by so many errors of both. */
#define SURE_DEVIATIONS 2.0f

static void *
query_alloc(Size bytes)
{
	return (void *) TYPEALIGN(64, palloc(bytes + 64));
}

KtreeQuery *
ktree_query_create(const KtreeLayout *layout)
{
	KtreeQuery *query = palloc0(sizeof(KtreeQuery));

	query->vector = query_alloc(sizeof(float) * layout->padded);
	query->code.dims = layout->padded;
	query->code.coded = layout->coded;
	query->code.vector = query->vector;
	query->code.table = query_alloc((Size) layout->coded * 4);
	query->code.levels = query_alloc(sizeof(int16) * layout->padded);
	return query;
}

/*
 * A query in the frame of a far node: relative to its center.  Good until
 * the next call.
 */
const RabitqQuery *
ktree_local_query(const KtreeLayout *layout, KtreeQuery *query,
				  const float *center)
{
	if (query->local == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(
			GetMemoryChunkContext(query));

		query->local = ktree_query_create(layout);
		MemoryContextSwitchTo(old);
	}
	for (int d = 0; d < layout->padded; d++)
		query->local->vector[d] = query->vector[d] - center[d];
	rabitq_query_prepare(&query->local->code);
	return &query->local->code;
}

/* A child that may be the nearest. */
typedef struct Proposal
{
	float		score;			/* squared distance */
	float		error;
	int			slot;
} Proposal;

/* Insert into a sorted list of at most PROPOSED; returns its length. */
static int
propose(Proposal *proposals, int have, float score, int slot)
{
	int			at = have < PROPOSED ? have : PROPOSED - 1;

	if (have == PROPOSED && score >= proposals[PROPOSED - 1].score)
		return have;
	while (at > 0 && proposals[at - 1].score > score)
	{
		proposals[at] = proposals[at - 1];
		at--;
	}
	proposals[at].score = score;
	proposals[at].error = 0;
	proposals[at].slot = slot;
	return Min(have + 1, PROPOSED);
}

/*
 * For inner products: the slots' factors give products, but a tree is
 * clustered by distance.
 */
static int
propose_by_decoding(const KtreeLayout *layout, const KtreeQuery *query,
					const KtreeNode *header, const KtreeInner *inner,
					float *vector, Proposal *proposals)
{
	int			have = 0;

	for (int slot = 0; slot < header->used; slot++)
	{
		const uint8 *entry = inner->refine +
							 (Size) slot * layout->refine_bytes;
		RabitqFactors factors;
		float		radius;
		float		lost;
		float		distance;
		float		unused;

		if (ktree_slot_dead(header, slot))
			continue;
		memcpy(&factors, entry, sizeof(factors));
		ktree_unpack_radius(factors.error, &factors.error, &radius);
		lost = rabitq_refine_decode(layout->padded, entry + sizeof(factors),
									&factors, inner->base, vector);
		rabitq_lead(&query->code, vector, false, &distance, &unused);
		have = propose(proposals, have, distance, slot);
		for (int i = 0; i < have; i++)
		{
			if (proposals[i].slot == slot)
				proposals[i].error = 2 *
									 sqrtf(distance * lost / layout->padded);
		}
	}
	return have;
}

/* By one-bit codes, then by four-bit codes. */
static int
propose_by_codes(const KtreeLayout *layout, KtreeQuery *query,
				 const KtreeNode *header, const KtreeInner *inner,
				 Proposal *proposals)
{
	const RabitqQuery *code = &query->code;
	float		lead;
	float		distance;
	float		rounding;
	int			have = 0;

	rabitq_lead(code, inner->center, false, &lead, &distance);
	if (header->flags & KTREE_FAR)
		code = ktree_local_query(layout, query, inner->center);
	rounding = KTREE_ROUNDING * code->norm_squared;
	for (int block = 0; block * RABITQ_BLOCK < header->used; block++)
	{
		float		scores[RABITQ_BLOCK];

		rabitq_scan(code, inner->blocks + block * layout->block_bytes, lead, 0,
					FLT_MAX, scores);
		for (int i = 0; i < RABITQ_BLOCK; i++)
		{
			int			slot = block * RABITQ_BLOCK + i;

			if (slot < header->used && !ktree_slot_dead(header, slot))
				have = propose(proposals, have, scores[i], slot);
		}
	}
	if (!(header->flags & (KTREE_BASE_IS_CENTER | KTREE_FAR)))
		rabitq_lead(code, inner->base, false, &lead, &distance);
	for (int i = 0; i < have; i++)
	{
		float		error;
		float		radius;

		proposals[i].score = ktree_entry_score(
			code,
			inner->refine + (Size) proposals[i].slot * layout->refine_bytes,
			lead, &error);
		ktree_unpack_radius(error, &error, &radius);
		proposals[i].error = 2 * error * distance + rounding;
	}
	return have;
}

static void
keep_child(KtreeChild *best, int *found, int count, const KtreeChild *child)
{
	int			at = *found < count ? *found : count - 1;

	if (*found == count && child->distance >= best[count - 1].distance)
		return;
	*found = Min(*found + 1, count);
	while (at > 0 && best[at - 1].distance > child->distance)
	{
		best[at] = best[at - 1];
		at--;
	}
	best[at] = *child;
}

/*
 * Add the live children of an inner node nearest to the query to a list of
 * the nearest; false when the node has been replaced since the pointer to
 * it was read, or is not of that level.
 *
 * Where codes cannot tell which child is the nearest their centers are read.
 */
bool
ktree_nearest_children(Relation index, const KtreeCache *cache,
					   KtreeQuery *query, KtreeLink node, int level,
					   KtreeChild *best, int *found, int count)
{
	const KtreeLayout *layout = &cache->layout;
	Buffer		buffer = ktree_lock_part(index, node, 0, BUFFER_LOCK_SHARE);
	Proposal	proposals[PROPOSED];
	KtreeNode	header;
	const KtreeInner *inner;
	float	   *center = palloc(sizeof(float) * layout->padded);
	uint8	   *codes = palloc(layout->padded);
	float		nearest = FLT_MAX;
	int			within = 0;
	int			have;

	if (!BufferIsValid(buffer))
		return false;
	header = *KtreePageNode(BufferGetPage(buffer));
	ktree_check_slots(index, layout, &header, node.block);
	UnlockReleaseBuffer(buffer);
	if (header.state != KTREE_LIVE || header.level != level)
		return false;
	inner = ktree_inner_open(index, cache, node, &header);
	if (inner == NULL)
		return false;

	have = cache->kind.metric == KTREE_INNER ?
		propose_by_decoding(layout, query, &header, inner, center, proposals) :
		propose_by_codes(layout, query, &header, inner, proposals);
	for (int i = 0; i < have; i++)
		nearest = Min(nearest, proposals[i].score +
								   SURE_DEVIATIONS * proposals[i].error);
	for (int i = 0; i < have; i++)
		within += proposals[i].score - SURE_DEVIATIONS * proposals[i].error <=
				  nearest;
	for (int i = 0; i < have; i++)
	{
		const KtreePointer *pointers =
			(const KtreePointer *) (inner->blocks +
									proposals[i].slot / RABITQ_BLOCK *
										layout->block_bytes +
									KTREE_BLOCK_POINTERS(layout->coded));
		const KtreePointer *pointer =
			&pointers[proposals[i].slot % RABITQ_BLOCK];
		KtreeChild	child;
		float		unused;

		child.link.block = ktree_pointer_block(pointer);
		child.link.generation = pointer->offset;
		child.parent = node;
		child.distance = proposals[i].score;
		if (within > 1 &&
			proposals[i].score - SURE_DEVIATIONS * proposals[i].error <=
				nearest &&
			ktree_read_center(index, layout, child.link, codes, center))
			rabitq_lead(&query->code, center, false, &child.distance, &unused);
		keep_child(best, found, count, &child);
	}
	pfree(center);
	pfree(codes);
	return true;
}
