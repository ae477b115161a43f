/*-------------------------------------------------------------------------
 *
 * node.c
 *	  Nodes between pages and memory.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "access/transam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "utils/rel.h"

#include "index/ktree/ktree.h"

/*
 * ktree_lock_part
 *	  Read and lock page "part" of a node.
 *
 * The page may have been reused since the pointer to it was read: on a
 * standby nothing holds it back, and on a primary we do not either.  The
 * generation tells; the caller starts again from the root.
 */
Buffer
ktree_lock_part(Relation index, KtreeLink link, int part, int mode)
{
	Buffer		buffer = index_read_buffer(index, link.block + part);
	Page		page;
	const KtreeMark *mark;

	LockBuffer(buffer, mode);
	page = BufferGetPage(buffer);
	last_index_scan.pages++;

	/*
	 * A page is logged, and written, before a pointer to it is: one of zeros,
	 * or of another place, is damage and no reason to start again.
	 */
	mark = KtreePageMark(page, part);
	if (mark->place != ktree_mark_place(link.block) || mark->part != part)
	{
		ktree_check_page(index, buffer, KTREE_PAGE_NODE);
		ereport(ERROR,
				(errcode(ERRCODE_INDEX_CORRUPTED),
				 errmsg("index \"%s\" has part %u of the node at block %u where part %d of the node at block %u belongs",
						RelationGetRelationName(index), KtreePageSpecial(page)->part,
						KtreePageSpecial(page)->first, part, link.block),
				 errhint("Please REINDEX it.")));
	}
	if (!ktree_same_generation(mark->generation, link.generation))
	{
		UnlockReleaseBuffer(buffer);
		return InvalidBuffer;
	}
	return buffer;
}

KtreeImage *
ktree_image_create(const KtreeLayout *layout)
{
	KtreeImage *image = palloc0(sizeof(KtreeImage));

	image->layout = layout;
	image->center = palloc(sizeof(float) * layout->padded);
	image->base = palloc(sizeof(float) * layout->padded);
	image->center_codes = palloc(layout->padded);
	image->base_codes = palloc(layout->padded);
	image->blocks = palloc0(layout->capacity / RABITQ_BLOCK * layout->block_bytes);
	image->refine = palloc0((Size) layout->capacity * layout->refine_bytes);
	return image;
}

void
ktree_image_free(KtreeImage *image)
{
	pfree(image->center);
	pfree(image->base);
	pfree(image->center_codes);
	pfree(image->base_codes);
	pfree(image->blocks);
	pfree(image->refine);
	pfree(image);
}

/*
 * ktree_image_begin
 *	  Start an empty node.  Center and base become what is stored of them.
 */
void
ktree_image_begin(KtreeImage *image, int level, const float *center, const float *base)
{
	const KtreeLayout *layout = image->layout;
	KtreeNode  *node = &image->node;

	memset(node, 0, sizeof(*node));
	memset(image->blocks, 0, layout->capacity / RABITQ_BLOCK * layout->block_bytes);
	node->level = (uint16) level;
	node->state = KTREE_LIVE;
	node->forward[0].block = node->forward[1].block = InvalidBlockNumber;
	node->next_free = InvalidBlockNumber;

	rabitq_center_quantize(layout->padded, center, image->center_codes,
						   &node->center_minimum, &node->center_step);
	rabitq_center_decode(layout->padded, image->center_codes, node->center_minimum,
						 node->center_step, image->center);
	if (base == NULL)
	{
		node->flags |= KTREE_BASE_IS_CENTER;
		base = center;
	}
	rabitq_center_quantize(layout->padded, base, image->base_codes,
						   &node->base_minimum, &node->base_step);
	rabitq_center_decode(layout->padded, image->base_codes, node->base_minimum,
						 node->base_step, image->base);
}

/* Both codes of a vector. */
void
ktree_encode(const KtreeLayout *layout, const float *center, const float *base,
			 const float *vector, float lost, bool inner, KtreeCode *code)
{
	rabitq_encode(layout->padded, layout->coded, vector, center, lost, inner,
				  code->bits, &code->one_bit);
	rabitq_refine_encode(layout->padded, vector, base, inner, code->refine, &code->four_bit);
}

static void
put_block_slot(const KtreeLayout *layout, uint8 *block, int slot,
			   const KtreePointer *pointer, const KtreeCode *code)
{
	float	   *factors = (float *) (block + KTREE_BLOCK_FACTORS(layout->coded));
	KtreePointer *pointers = (KtreePointer *) (block + KTREE_BLOCK_POINTERS(layout->coded));

	rabitq_block_put(layout->coded, block, slot, code->bits);
	factors[slot] = code->one_bit.add;
	factors[RABITQ_BLOCK + slot] = code->one_bit.scale;
	pointers[slot] = *pointer;
}

static void
put_refine_slot(const KtreeLayout *layout, uint8 *entry, const KtreeCode *code)
{
	memcpy(entry, &code->four_bit, sizeof(RabitqFactors));
	memcpy(entry + sizeof(RabitqFactors), code->refine, RABITQ_REFINE_BYTES(layout->padded));
}

/* Append a slot to a node in memory; returns its number. */
int
ktree_image_add(KtreeImage *image, const KtreePointer *pointer, const KtreeCode *code)
{
	const KtreeLayout *layout = image->layout;
	int			slot = image->node.used;

	Assert(slot < layout->capacity);
	put_block_slot(layout, image->blocks + slot / RABITQ_BLOCK * layout->block_bytes,
				   slot % RABITQ_BLOCK, pointer, code);
	put_refine_slot(layout, ktree_image_refine(image, slot), code);
	image->node.used++;
	image->node.live++;
	return slot;
}

/* Raise pd_lower over [.., end): what lies above it is not logged. */
static void
cover(Page page, int end)
{
	PageHeader	header = (PageHeader) page;

	if (header->pd_lower < end)
		header->pd_lower = (LocationIndex) end;
}

/* Append a slot to a node on its pages; the first page's "used" is the caller's. */
void
ktree_put_slot(const KtreeLayout *layout, Page block_page, Page refine_page,
			   int slot, const KtreePointer *pointer, const KtreeCode *code)
{
	int			part;
	int			offset;

	ktree_block_position(layout, slot / RABITQ_BLOCK, &part, &offset);
	put_block_slot(layout, (uint8 *) block_page + offset, slot % RABITQ_BLOCK, pointer, code);
	cover(block_page, offset + layout->block_bytes);

	ktree_refine_position(layout, slot, &part, &offset);
	put_refine_slot(layout, (uint8 *) refine_page + offset, code);
	cover(refine_page, offset + layout->refine_bytes);
}

KtreePointer *
ktree_image_pointer(const KtreeImage *image, int slot)
{
	const KtreeLayout *layout = image->layout;
	uint8	   *block = image->blocks + slot / RABITQ_BLOCK * layout->block_bytes;

	return (KtreePointer *) (block + KTREE_BLOCK_POINTERS(layout->coded)) + slot % RABITQ_BLOCK;
}

uint8 *
ktree_image_refine(const KtreeImage *image, int slot)
{
	return image->refine + (Size) slot * image->layout->refine_bytes;
}

/* The vector of a slot, as well as its four-bit code knows it. */
float
ktree_image_decode(const KtreeImage *image, int slot, float *vector)
{
	const uint8 *entry = ktree_image_refine(image, slot);
	RabitqFactors factors;

	memcpy(&factors, entry, sizeof(factors));
	return rabitq_refine_decode(image->layout->padded, entry + sizeof(factors), &factors,
								image->base, vector);
}

/* Fill one page of a node from memory. */
void
ktree_image_to_page(const KtreeImage *image, int part, Page page)
{
	const KtreeLayout *layout = image->layout;
	int			from;
	int			at;
	int			offset;
	int			bytes;

	ktree_page_init(page, KTREE_PAGE_NODE, image->link.generation, image->link.block, part);
	if (part == 0)
	{
		*KtreePageNode(page) = image->node;
		cover(page, KTREE_NODE_START);
	}
	ktree_page_mark(page, image->link.generation);
	bytes = ktree_center_piece(layout, part, &from, &offset);
	if (bytes > 0)
	{
		memcpy(page + offset, image->center_codes + from, bytes);
		cover(page, offset + bytes);
	}
	bytes = ktree_base_piece(layout, part, &from, &offset);
	if (bytes > 0)
	{
		memcpy(page + offset, image->base_codes + from, bytes);
		cover(page, offset + bytes);
	}
	for (int block = 0; block * RABITQ_BLOCK < image->node.used; block++)
	{
		ktree_block_position(layout, block, &at, &offset);
		if (at != part)
			continue;
		memcpy(page + offset, image->blocks + block * layout->block_bytes, layout->block_bytes);
		cover(page, offset + layout->block_bytes);
	}
	for (int slot = 0; slot < image->node.used; slot++)
	{
		ktree_refine_position(layout, slot, &at, &offset);
		if (at != part)
			continue;
		memcpy(page + offset, ktree_image_refine(image, slot), layout->refine_bytes);
		cover(page, offset + layout->refine_bytes);
	}
}

/*
 * ktree_image_write
 *	  Write a complete node to the extent image->link, which nobody reads:
 *	  its generation is new and no pointer has it yet.
 */
void
ktree_image_write(Relation index, KtreeImage *image)
{
	int			pages = image->layout->extent_pages;

	image->node.writer = U64FromFullTransactionId(GetTopFullTransactionIdIfAny());
	for (int first = 0; first < pages; first += MAX_GENERIC_XLOG_PAGES)
	{
		int			count = Min(pages - first, MAX_GENERIC_XLOG_PAGES);
		Buffer		buffers[MAX_GENERIC_XLOG_PAGES];
		GenericXLogState *state = GenericXLogStart(index);

		for (int i = 0; i < count; i++)
		{
			buffers[i] = ReadBufferExtended(index, MAIN_FORKNUM, image->link.block + first + i,
											RBM_ZERO_AND_LOCK, NULL);
			ktree_image_to_page(image, first + i,
								GenericXLogRegisterBuffer(state, buffers[i],
														  GENERIC_XLOG_FULL_IMAGE));
		}
		GenericXLogFinish(state);
		for (int i = 0; i < count; i++)
			UnlockReleaseBuffer(buffers[i]);
	}
}

static void
page_to_image(KtreeImage *image, int part, Page page, bool centers_only)
{
	const KtreeLayout *layout = image->layout;
	int			from;
	int			at;
	int			offset;
	int			bytes;

	if (part == 0)
		image->node = *KtreePageNode(page);
	bytes = ktree_center_piece(layout, part, &from, &offset);
	if (bytes > 0)
		memcpy(image->center_codes + from, page + offset, bytes);
	bytes = ktree_base_piece(layout, part, &from, &offset);
	if (bytes > 0)
		memcpy(image->base_codes + from, page + offset, bytes);
	if (centers_only)
		return;
	for (int block = 0; block * RABITQ_BLOCK < image->node.used; block++)
	{
		ktree_block_position(layout, block, &at, &offset);
		if (at == part)
			memcpy(image->blocks + block * layout->block_bytes, page + offset,
				   layout->block_bytes);
	}
	for (int slot = 0; slot < image->node.used; slot++)
	{
		ktree_refine_position(layout, slot, &at, &offset);
		if (at == part)
			memcpy(ktree_image_refine(image, slot), page + offset, layout->refine_bytes);
	}
}

/* No damaged number of slots may lead anybody beyond a node's pages. */
void
ktree_check_slots(Relation index, const KtreeLayout *layout, const KtreeNode *node,
				  BlockNumber block)
{
	if (node->used > layout->capacity)
		ereport(ERROR,
				(errcode(ERRCODE_INDEX_CORRUPTED),
				 errmsg("index \"%s\" has a node of %u slots at block %u",
						RelationGetRelationName(index), node->used, block),
				 errhint("Please REINDEX it.")));
}

static bool
image_read(Relation index, KtreeLink link, KtreeImage *image, bool centers_only)
{
	const KtreeLayout *layout = image->layout;
	KtreeNode  *node = &image->node;

	image->link = link;
	for (int part = 0; part < layout->extent_pages; part++)
	{
		Buffer		buffer;
		int			from;
		int			offset;

		if (centers_only && ktree_center_piece(layout, part, &from, &offset) == 0 &&
			(ktree_base_piece(layout, part, &from, &offset) == 0 ||
			 (node->flags & KTREE_BASE_IS_CENTER)))
			continue;
		buffer = ktree_lock_part(index, link, part, BUFFER_LOCK_SHARE);
		if (!BufferIsValid(buffer))
			return false;
		page_to_image(image, part, BufferGetPage(buffer), centers_only);
		UnlockReleaseBuffer(buffer);
		ktree_check_slots(index, layout, node, link.block);
	}
	if (node->flags & KTREE_BASE_IS_CENTER)
		memcpy(image->base_codes, image->center_codes, layout->padded);
	rabitq_center_decode(layout->padded, image->center_codes, node->center_minimum,
						 node->center_step, image->center);
	rabitq_center_decode(layout->padded, image->base_codes, node->base_minimum,
						 node->base_step, image->base);
	return true;
}

/*
 * ktree_image_read
 *	  Unpack a whole node; false when its extent was reused meanwhile.
 *
 * Pages are locked one after the other: see README, "A node is append-only".
 */
bool
ktree_image_read(Relation index, KtreeLink link, KtreeImage *image)
{
	return image_read(index, link, image, false);
}

/* The same for header, center and base only. */
bool
ktree_image_read_centers(Relation index, KtreeLink link, KtreeImage *image)
{
	return image_read(index, link, image, true);
}
