/*-------------------------------------------------------------------------
 *
 * query.c
 *	  A vector against the slots of one inner node: the step by which an
 *	  insertion descends.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <float.h>

#include "utils/rel.h"

#include "index/ktree/ktree.h"

/* Children that the one-bit codes propose and the four-bit codes decide. */
#define PROPOSED 8

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

/* Insert into a list of the "count" nearest, sorted; returns its length. */
static int
keep_best(KtreeChild *best, int have, int count, KtreeLink link, float distance)
{
	int			at = have;

	if (have == count && distance >= best[have - 1].distance)
		return have;
	if (have == count)
		at = have - 1;
	else
		have++;
	while (at > 0 && best[at - 1].distance > distance)
	{
		best[at] = best[at - 1];
		at--;
	}
	best[at].link = link;
	best[at].distance = distance;
	return have;
}

/*
 * nearest_by_decoding
 *	  For inner products: the slots' factors give products, but a tree is
 *	  clustered by distance.
 */
static int
nearest_by_decoding(Relation index, const KtreeCache *cache, const KtreeQuery *query,
					KtreeLink node, int level, KtreeChild *best, int count)
{
	KtreeImage *image = ktree_image_create(&cache->layout);
	float	   *vector = palloc(sizeof(float) * cache->layout.padded);
	int			have = 0;

	if (!ktree_image_read(index, node, image) || image->node.state != KTREE_LIVE ||
		image->node.level != level)
	{
		pfree(vector);
		ktree_image_free(image);
		return 0;
	}
	for (int slot = 0; slot < image->node.used; slot++)
	{
		KtreePointer *pointer = ktree_image_pointer(image, slot);
		KtreeLink	link;
		float		distance;
		float		unused;

		if (ktree_slot_dead(&image->node, slot))
			continue;
		ktree_image_decode(image, slot, vector);
		rabitq_lead(&query->code, vector, false, &distance, &unused);
		link.block = ktree_pointer_block(pointer);
		link.generation = pointer->offset;
		have = keep_best(best, have, count, link, distance);
	}
	pfree(vector);
	ktree_image_free(image);
	return have;
}

typedef struct Proposal
{
	float		score;
	int			slot;
	KtreeLink	link;
} Proposal;

/*
 * ktree_nearest_children
 *	  The live children of an inner node nearest to the query, nearest first;
 *	  0 when the node has been replaced since the pointer to it was read, or is
 *	  not of that level.
 */
int
ktree_nearest_children(Relation index, const KtreeCache *cache, const KtreeQuery *query,
					   KtreeLink node, int level, KtreeChild *best, int count)
{
	const KtreeLayout *layout = &cache->layout;
	KtreeNode	header;
	Proposal	proposals[PROPOSED];
	int			proposed = 0;
	int			have = 0;
	int			part = -1;
	Buffer		buffer = InvalidBuffer;
	uint8	   *codes;
	float		lead = 0;
	float		distance;

	if (cache->kind.metric == KTREE_INNER)
		return nearest_by_decoding(index, cache, query, node, level, best, count);

	codes = palloc(layout->padded);
	memset(&header, 0, sizeof(header));
	for (int at = 0; at < layout->refine_part; at++)
	{
		Page		page;
		int			from;
		int			offset;
		int			bytes;

		buffer = ktree_lock_part(index, node, at, BUFFER_LOCK_SHARE);
		if (!BufferIsValid(buffer))
			return 0;
		page = BufferGetPage(buffer);
		if (at == 0)
		{
			header = *KtreePageNode(page);
			ktree_check_slots(index, layout, &header, node.block);
			if (header.state != KTREE_LIVE || header.level != level)
			{
				UnlockReleaseBuffer(buffer);
				return 0;
			}
		}
		bytes = ktree_center_piece(layout, at, &from, &offset);
		if (bytes > 0)
		{
			memcpy(codes + from, page + offset, bytes);
			if (from + bytes == layout->padded)
				rabitq_center_lead(&query->code, codes, header.center_minimum,
								   header.center_step, false, &lead, &distance);
		}
		for (int block = 0; block * RABITQ_BLOCK < header.used; block++)
		{
			float		scores[RABITQ_BLOCK];
			KtreePointer *pointers;
			int			block_part;

			ktree_block_position(layout, block, &block_part, &offset);
			if (block_part != at)
				continue;
			rabitq_scan(&query->code, (uint8 *) page + offset, lead, 0, FLT_MAX, scores);
			pointers = (KtreePointer *) (page + offset + KTREE_BLOCK_POINTERS(layout->coded));
			for (int i = 0; i < RABITQ_BLOCK; i++)
			{
				int			slot = block * RABITQ_BLOCK + i;
				int			place;

				if (slot >= header.used || ktree_slot_dead(&header, slot))
					continue;
				if (proposed == PROPOSED && scores[i] >= proposals[PROPOSED - 1].score)
					continue;
				place = proposed < PROPOSED ? proposed++ : PROPOSED - 1;
				while (place > 0 && proposals[place - 1].score > scores[i])
				{
					proposals[place] = proposals[place - 1];
					place--;
				}
				proposals[place].score = scores[i];
				proposals[place].slot = slot;
				proposals[place].link.block = ktree_pointer_block(&pointers[i]);
				proposals[place].link.generation = pointers[i].offset;
			}
		}
		UnlockReleaseBuffer(buffer);
	}

	/* refine, relative to the base */
	if (!(header.flags & KTREE_BASE_IS_CENTER))
	{
		for (int at = layout->base_part; at < layout->extent_pages; at++)
		{
			int			from;
			int			offset;
			int			bytes = ktree_base_piece(layout, at, &from, &offset);

			if (bytes == 0)
				break;
			buffer = ktree_lock_part(index, node, at, BUFFER_LOCK_SHARE);
			if (!BufferIsValid(buffer))
				return 0;
			memcpy(codes + from, (char *) BufferGetPage(buffer) + offset, bytes);
			UnlockReleaseBuffer(buffer);
		}
		rabitq_center_lead(&query->code, codes, header.base_minimum, header.base_step,
						   false, &lead, &distance);
	}
	buffer = InvalidBuffer;
	for (int i = 0; i < proposed; i++)
	{
		int			at;
		int			offset;
		float		score;
		float		error;

		ktree_refine_position(layout, proposals[i].slot, &at, &offset);
		if (at != part)
		{
			if (BufferIsValid(buffer))
				UnlockReleaseBuffer(buffer);
			buffer = ktree_lock_part(index, node, at, BUFFER_LOCK_SHARE);
			if (!BufferIsValid(buffer))
				return 0;
			part = at;
		}
		score = ktree_entry_score(&query->code, (uint8 *) BufferGetPage(buffer) + offset,
								  lead, &error);
		have = keep_best(best, have, count, proposals[i].link, score);
	}
	if (BufferIsValid(buffer))
		UnlockReleaseBuffer(buffer);
	pfree(codes);
	return have;
}
