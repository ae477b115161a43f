/*-------------------------------------------------------------------------
 *
 * layout.c
 *	  Where things are in a node, computed from the number of dimensions.
 *
 * Page 0 of an extent holds the node header and, up to KTREE_INLINE_CENTER
 * dimensions, the center and the first blocks of 32 one-bit codes; beyond,
 * the center has one or two pages of its own.  Then come pages of blocks,
 * then four-bit entries.  The base follows the center up to
 * KTREE_INLINE_BASE dimensions, and comes before the entries beyond.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "index/ktree/ktree.h"

#define PAGE_ROOM	((int) (KTREE_PAGE_END - KTREE_PAGE_START))
#define FIRST_ROOM	((int) (KTREE_PAGE_END - KTREE_NODE_START))

void
ktree_layout_init(KtreeLayout *layout, int dims, int filters)
{
	int			blocks;
	int			most;
	int			base;
	int			rest;
	int			rest_of_block;

	Assert(dims > 0 && dims <= KTREE_MAX_DIMS);
	memset(layout, 0, sizeof(*layout));
	layout->dims = dims;
	layout->filters = filters;
	layout->padded = ROTATION_PADDED(dims);

	rest_of_block = (int) KTREE_BLOCK_BYTES(0) + filters * KTREE_FILTER_BYTES;
	layout->blocks_start = KTREE_PAGE_START;
	if (layout->padded <= KTREE_INLINE_CENTER)
	{
		layout->blocks_start = KTREE_NODE_START + layout->padded;
		if (layout->padded <= KTREE_INLINE_BASE)
			layout->blocks_start += layout->padded;
		most = ((int) KTREE_PAGE_END - layout->blocks_start - rest_of_block) /
			   4;
		layout->center_pages = 0;
	}
	else
	{
		most = (PAGE_ROOM - rest_of_block) / 4;
		layout->center_pages = layout->padded <= FIRST_ROOM ? 1 : 2;
	}
	most = Min(most / ROTATION_MULTIPLE * ROTATION_MULTIPLE, KTREE_MAX_CODED);
	layout->coded = Min(layout->padded, most);
	layout->filter_offset = (int) KTREE_BLOCK_BYTES(layout->coded);
	layout->block_bytes = layout->filter_offset + filters * KTREE_FILTER_BYTES;
	layout->page_blocks = PAGE_ROOM / layout->block_bytes;
	layout->first_blocks = ((int) KTREE_PAGE_END - layout->blocks_start) /
						   layout->block_bytes;

	/* at least four blocks of 32, and as many as then fit up to eight */
	layout->block_pages = 1;
	blocks = layout->first_blocks;
	while (blocks < 4)
	{
		layout->block_pages++;
		blocks += layout->page_blocks;
	}
	layout->capacity = Min(blocks * RABITQ_BLOCK, KTREE_MAX_CAPACITY);

	layout->refine_part = layout->center_pages + layout->block_pages;
	layout->refine_bytes = (int) KTREE_REFINE_BYTES(layout->padded);
	layout->base_part = layout->padded <= KTREE_INLINE_BASE
							? 0
							: layout->refine_part;
	base = layout->base_part == 0 ? 0 : layout->padded;
	layout->refine_base_pages = base / PAGE_ROOM;
	layout->refine_start = KTREE_PAGE_START + base % PAGE_ROOM;
	layout->refine_first = ((int) KTREE_PAGE_END - layout->refine_start) /
						   layout->refine_bytes;
	layout->refine_page = PAGE_ROOM / layout->refine_bytes;
	rest = Max(layout->capacity - layout->refine_first, 0);
	layout->extent_pages = layout->refine_part + layout->refine_base_pages +
						   1 +
						   (rest + layout->refine_page - 1) /
							   layout->refine_page;

	layout->origin_pages =
		(int) ((sizeof(float) * layout->padded + PAGE_ROOM - 1) / PAGE_ROOM);
}

/* Page and offset of a block of 32 one-bit codes. */
void
ktree_block_position(const KtreeLayout *layout, int block, int *part,
					 int *offset)
{
	if (block < layout->first_blocks)
	{
		*part = layout->center_pages;
		*offset = layout->blocks_start + block * layout->block_bytes;
	}
	else
	{
		block -= layout->first_blocks;
		*part = layout->center_pages + 1 + block / layout->page_blocks;
		*offset = KTREE_PAGE_START +
				  block % layout->page_blocks * layout->block_bytes;
	}
}

/* Page and offset of a slot's four-bit entry. */
void
ktree_refine_position(const KtreeLayout *layout, int slot, int *part,
					  int *offset)
{
	int			first = layout->refine_part + layout->refine_base_pages;

	if (slot < layout->refine_first)
	{
		*part = first;
		*offset = layout->refine_start + slot * layout->refine_bytes;
	}
	else
	{
		slot -= layout->refine_first;
		*part = first + 1 + slot / layout->refine_page;
		*offset = KTREE_PAGE_START +
				  slot % layout->refine_page * layout->refine_bytes;
	}
}

/*
 * The center and the base are byte strings of "padded" bytes that may go on
 * in the next page.  Returns the bytes of the piece on page "part" and where
 * they lie, 0 when that page holds none.
 */
int
ktree_center_piece(const KtreeLayout *layout, int part, int *from, int *offset)
{
	if (part == 0)
	{
		*from = 0;
		*offset = KTREE_NODE_START;
		return Min(layout->padded, FIRST_ROOM);
	}
	if (part == 1 && layout->center_pages == 2)
	{
		*from = FIRST_ROOM;
		*offset = KTREE_PAGE_START;
		return layout->padded - FIRST_ROOM;
	}
	return 0;
}

int
ktree_base_piece(const KtreeLayout *layout, int part, int *from, int *offset)
{
	*from = (part - layout->base_part) * PAGE_ROOM;
	*offset = layout->base_part == 0 ? KTREE_NODE_START + layout->padded
									 : KTREE_PAGE_START;
	if (part < layout->base_part || *from >= layout->padded)
		return 0;
	return Min(layout->padded - *from, PAGE_ROOM);
}
