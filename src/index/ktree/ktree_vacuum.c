/*-------------------------------------------------------------------------
 *
 * ktree_vacuum.c
 *	  Removing dead rows; merging, recovering and calibrating afterwards.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "commands/vacuum.h"
#include "miscadmin.h"
#include "storage/procarray.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "index/ktree/ktree.h"

/* Nodes with fewer live slots than this share look for a sibling, ... */
#define MERGE_SHARE		0.3
/* ... with which they fill no more than this. */
#define MERGED_SHARE	0.75
/* ... and whose mean square they do not exceed by more than this factor. */
#define MERGED_WIDTH	2.0
/* Nodes whose slots are dead by more than this share are copied. */
#define DEAD_SHARE		0.5
/* The calibration is measured anew when so many of the rows have changed. */
#define CHANGED_SHARE	0.1

typedef struct SeenNode
{
	uint64		key;			/* block, generation */
	char		status;
} SeenNode;

#define SH_PREFIX		seen
#define SH_ELEMENT_TYPE SeenNode
#include "index/ktree/key_table.h"

typedef struct VacuumState
{
	IndexVacuumInfo *info;
	Relation	index;
	Relation	heap;			/* in ktree_vacuum_cleanup */
	KtreeLayout layout;
	IndexBulkDeleteResult *stats;
	IndexBulkDeleteCallback callback;
	void	   *callback_state;
	seen_hash  *seen;
} VacuumState;

static uint64
node_key(BlockNumber block, uint32 generation)
{
	return ((uint64) block << 32) | generation;
}

/*
 * Header and generation of the node that begins at a block.  False for
 * any other page.
 */
static bool
read_first_page(VacuumState *vacuum, BlockNumber block, KtreeNode *node,
				KtreeLink *link)
{
	Buffer		buffer = ReadBufferExtended(vacuum->index, MAIN_FORKNUM,
											block, RBM_NORMAL,
											vacuum->info->strategy);
	Page		page;
	bool		result;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(buffer);
	result = ktree_page_is(page, KTREE_PAGE_NODE) &&
			 KtreePageSpecial(page)->part == 0;
	if (result)
	{
		*node = *KtreePageNode(page);
		link->block = block;
		link->generation = KtreePageSpecial(page)->generation;
	}
	UnlockReleaseBuffer(buffer);
	return result;
}

/*
 * Set the dead bits of rows that are to go.  False when the leaf was
 * replaced meanwhile; what replaced it will be met in another pass.
 */
static bool
delete_from_leaf(VacuumState *vacuum, KtreeLink link)
{
	const KtreeLayout *layout = &vacuum->layout;
	KtreeNode	node;
	uint8		dead[KTREE_MAX_CAPACITY / 8] = {0};
	int			count = 0;
	Buffer		buffer;
	GenericXLogState *state;
	KtreeNode  *changed;

	memset(&node, 0, sizeof(node));
	for (int part = 0; part < layout->refine_part; part++)
	{
		Page		page;

		buffer = ktree_lock_part(vacuum->index, link, part, BUFFER_LOCK_SHARE);
		if (!BufferIsValid(buffer))
			return false;
		page = BufferGetPage(buffer);
		if (part == 0)
		{
			node = *KtreePageNode(page);
			ktree_check_slots(vacuum->index, layout, &node, link.block);
		}
		for (int slot = 0; slot < node.used; slot++)
		{
			int			at;
			int			offset;

			ktree_block_position(layout, slot / RABITQ_BLOCK, &at, &offset);
			if (at != part || ktree_slot_dead(&node, slot))
				continue;
			if (vacuum->callback((ItemPointer) (page + offset +
												KTREE_BLOCK_POINTERS(
													layout->coded)) +
									 slot % RABITQ_BLOCK,
								 vacuum->callback_state))
			{
				dead[slot / 8] |= (uint8) (1 << (slot % 8));
				count++;
			}
		}
		UnlockReleaseBuffer(buffer);
	}
	if (count == 0)
	{
		vacuum->stats->num_index_tuples += node.live;
		return true;
	}

	buffer = ktree_lock_part(vacuum->index, link, 0, BUFFER_LOCK_EXCLUSIVE);
	if (!BufferIsValid(buffer))
		return false;
	if (KtreePageNode(BufferGetPage(buffer))->state != KTREE_LIVE)
	{
		UnlockReleaseBuffer(buffer);
		return false;
	}
	state = GenericXLogStart(vacuum->index);
	changed = KtreePageNode(GenericXLogRegisterBuffer(state, buffer, 0));
	/* a split that ends just now may have brought some of them already */
	count = 0;
	for (int slot = 0; slot < changed->used; slot++)
	{
		if (((dead[slot / 8] >> (slot % 8)) & 1) &&
			!ktree_slot_dead(changed, slot))
			count++;
	}
	for (int i = 0; i < KTREE_MAX_CAPACITY / 8; i++)
		changed->dead[i] |= dead[i];
	changed->live -= count;
	vacuum->stats->num_index_tuples += changed->live;
	GenericXLogFinish(state);
	UnlockReleaseBuffer(buffer);
	vacuum->stats->tuples_removed += count;
	return true;
}

/*
 * A leaf that could not be processed must have been replaced: generations
 * only grow, so one that is still what it was has a damaged page.
 */
static void
check_replaced(VacuumState *vacuum, KtreeLink link)
{
	KtreeNode	node;
	KtreeLink	now;

	if (read_first_page(vacuum, link.block, &node, &now) &&
		now.generation == link.generation && node.state == KTREE_LIVE)
		ereport(ERROR,
				(errcode(ERRCODE_INDEX_CORRUPTED),
				 errmsg("index \"%s\" has a node of pages of several generations at block %u",
						RelationGetRelationName(vacuum->index), link.block),
				 errhint("Please REINDEX it.")));
}

/* Take dead rows out of one page of the side list; returns what is left. */
static int
delete_from_side_page(VacuumState *vacuum, BlockNumber block,
					  BlockNumber *next)
{
	Buffer		buffer = ReadBufferExtended(vacuum->index, MAIN_FORKNUM,
											block, RBM_NORMAL,
											vacuum->info->strategy);
	GenericXLogState *state;
	KtreeSidePage *side;
	Page		page;
	int			kept = 0;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	ktree_check_page(vacuum->index, buffer, KTREE_PAGE_SIDE);
	state = GenericXLogStart(vacuum->index);
	page = GenericXLogRegisterBuffer(state, buffer, 0);
	side = KtreePageSide(page);
	for (uint32 i = 0; i < Min(side->count, KTREE_SIDE_CAPACITY); i++)
	{
		if (vacuum->callback != NULL &&
			vacuum->callback(&side->entries[i].tid, vacuum->callback_state))
			vacuum->stats->tuples_removed++;
		else
			side->entries[kept++] = side->entries[i];
	}
	*next = side->next;
	if (kept == (int) side->count)
		GenericXLogAbort(state);
	else
	{
		side->count = kept;
		((PageHeader) page)->pd_lower =
			(LocationIndex) ((char *) &side->entries[kept] - (char *) page);
		GenericXLogFinish(state);
	}
	UnlockReleaseBuffer(buffer);
	return kept;
}

/* Take an empty page, which is not the first, out of the side list. */
static void
unlink_side_page(VacuumState *vacuum, BlockNumber block)
{
	Buffer		meta_buffer = ReadBuffer(vacuum->index, KTREE_META_BLOCK);
	BlockNumber previous;
	uint32		steps = 0;

	LockBuffer(meta_buffer, BUFFER_LOCK_EXCLUSIVE);
	previous = KtreePageMeta(BufferGetPage(meta_buffer))->side_head;
	while (previous != InvalidBlockNumber && previous != block)
	{
		Buffer		buffer = ReadBuffer(vacuum->index, previous);
		BlockNumber next;

		LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
		ktree_check_page(vacuum->index, buffer, KTREE_PAGE_SIDE);
		ktree_side_step(vacuum->index, &steps);
		next = KtreePageSide(BufferGetPage(buffer))->next;
		if (next == block)
		{
			Buffer		empty = ReadBuffer(vacuum->index, block);
			GenericXLogState *state;
			KtreeMeta  *meta;
			KtreeSidePage *before;
			KtreeSidePage *side;

			LockBuffer(empty, BUFFER_LOCK_EXCLUSIVE);
			state = GenericXLogStart(vacuum->index);
			meta = KtreePageMeta(
				GenericXLogRegisterBuffer(state, meta_buffer, 0));
			before = KtreePageSide(
				GenericXLogRegisterBuffer(state, buffer, 0));
			side = KtreePageSide(GenericXLogRegisterBuffer(state, empty, 0));
			before->next = side->next;
			side->next_free = meta->side_free;
			meta->side_free = block;
			GenericXLogFinish(state);
			UnlockReleaseBuffer(empty);
			UnlockReleaseBuffer(buffer);
			break;
		}
		UnlockReleaseBuffer(buffer);
		previous = next;
	}
	UnlockReleaseBuffer(meta_buffer);
}

static void
delete_from_side_list(VacuumState *vacuum)
{
	KtreeMeta	meta;
	BlockNumber block;
	uint32		steps = 0;

	ktree_read_meta(vacuum->index, &meta);
	block = meta.side_head;
	while (block != InvalidBlockNumber)
	{
		BlockNumber next;
		int			left;

		vacuum_delay();
		ktree_side_step(vacuum->index, &steps);
		left = delete_from_side_page(vacuum, block, &next);
		vacuum->stats->num_index_tuples += left;
		if (left == 0 && block != meta.side_head)
			unlink_side_page(vacuum, block);
		block = next;
	}
}

static void
begin_vacuum(VacuumState *vacuum, IndexVacuumInfo *info,
			 IndexBulkDeleteResult *stats, const KtreeMeta *meta)
{
	memset(vacuum, 0, sizeof(*vacuum));
	vacuum->info = info;
	vacuum->index = info->index;
	vacuum->stats = stats;
	if (meta->dims > 0)
		ktree_layout_init(&vacuum->layout, meta->dims,
						  ktree_filter_count(info->index));
	vacuum->seen = seen_create(CurrentMemoryContext, 1024, NULL);
}

/*
 * Mark the slots of dead rows.
 *
 * Slots may move to an extent that we have passed while we go.  So we go
 * over the first pages again until a whole pass meets no leaf that has not
 * been processed under its present generation.  See README, "VACUUM".
 */
IndexBulkDeleteResult *
ktree_bulk_delete(IndexVacuumInfo *info, IndexBulkDeleteResult *stats,
				  IndexBulkDeleteCallback callback, void *state)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ktree vacuum",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;
	VacuumState vacuum;
	KtreeMeta	meta;
	bool		again = true;

	if (stats == NULL)
		stats = palloc0(sizeof(IndexBulkDeleteResult));
	old = MemoryContextSwitchTo(context);
	ktree_read_meta(info->index, &meta);
	begin_vacuum(&vacuum, info, stats, &meta);
	vacuum.callback = callback;
	vacuum.callback_state = state;
	stats->num_index_tuples = 0;

	while (again && meta.dims > 0)
	{
		BlockNumber blocks = RelationGetNumberOfBlocks(info->index);
		BlockNumber block = 0;

		again = false;
		while (block < blocks)
		{
			KtreeNode	node;
			KtreeLink	link;
			bool		found;

			vacuum_delay();
			if (!read_first_page(&vacuum, block, &node, &link))
			{
				block++;
				continue;
			}
			block += vacuum.layout.extent_pages;
			if (node.state != KTREE_LIVE || node.level != 0)
				continue;
			seen_insert(vacuum.seen, node_key(link.block, link.generation),
						&found);
			if (found)
				continue;
			again = true;
			if (delete_from_leaf(&vacuum, link))
				continue;
			seen_delete(vacuum.seen, node_key(link.block, link.generation));
			check_replaced(&vacuum, link);
		}
	}
	delete_from_side_list(&vacuum);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return stats;
}

/* One child of the inner node that is looked at for merges. */
typedef struct Child
{
	KtreeLink	link;
	int			used;
	int			live;
	float		radius;
	float	   *center;
	bool		gone;
} Child;

/*
 * Would two children make a node that is not much wider than they are, or
 * than their siblings?
 *
 * Codes are as coarse as a node is wide: a thin node among others far away is
 * better left as it is.
 */
static bool
fits_together(const Child *one, const Child *other, float distance,
			  float usual)
{
	double		all = one->live + other->live;
	double		widest = Max(Max(one->radius, other->radius), usual);
	double		square;

	if (one->live == 0 || other->live == 0)
		return true;
	square = (one->live * (double) one->radius * one->radius +
			  other->live * (double) other->radius * other->radius) / all +
		one->live * (double) other->live / (all * all) * distance;
	return square <= MERGED_WIDTH * widest * widest;
}

static int
compare_radius(const void *a, const void *b)
{
	float		x = ((const Child *) a)->radius;
	float		y = ((const Child *) b)->radius;

	return x < y ? -1 : x > y;
}

/*
 * Merge the thinly filled children of one inner node, in pairs; returns
 * the number of pairs.
 */
static int
merge_children(VacuumState *vacuum, const KtreeCache *cache, KtreeLink parent)
{
	const KtreeLayout *layout = &cache->layout;
	KtreeImage *image = ktree_image_create(layout);
	Child	   *children;
	uint8	   *codes = palloc(layout->padded);
	float		usual;
	int			count = 0;
	int			merged = 0;

	if (!ktree_image_read(vacuum->index, parent, image) ||
		image->node.state != KTREE_LIVE)
	{
		ktree_image_free(image);
		return 0;
	}
	children = palloc0(sizeof(Child) * (image->node.used + 1));
	for (int slot = 0; slot < image->node.used; slot++)
	{
		KtreePointer *pointer = ktree_image_pointer(image, slot);
		Child	   *child = &children[count];
		KtreeNode	node;

		if (ktree_slot_dead(&image->node, slot))
			continue;
		if (!read_first_page(vacuum, ktree_pointer_block(pointer), &node,
							 &child->link) ||
			!ktree_same_generation(child->link.generation, pointer->offset) ||
			node.state != KTREE_LIVE)
			continue;
		child->used = node.used;
		child->live = node.live;
		child->radius = node.spread;
		child->center = palloc(sizeof(float) * layout->padded);
		if (!ktree_read_center(vacuum->index, layout, child->link, codes,
							   child->center))
			continue;
		count++;
	}
	ktree_image_free(image);
	pfree(codes);
	qsort(children, count, sizeof(Child), compare_radius);
	usual = count > 0 ? children[count / 2].radius : 0;

	for (int i = 0; i < count; i++)
	{
		float		nearest = INFINITY;
		int			with = -1;

		if (children[i].gone)
			continue;
		if (children[i].live < MERGE_SHARE * layout->capacity)
		{
			for (int j = 0; j < count; j++)
			{
				float		distance = 0;

				if (j == i || children[j].gone ||
					children[i].live + children[j].live >
						MERGED_SHARE * layout->capacity)
					continue;
				for (int d = 0; d < layout->padded; d++)
					distance +=
						(children[i].center[d] - children[j].center[d]) *
						(children[i].center[d] - children[j].center[d]);
				if (distance < nearest &&
					fits_together(&children[i], &children[j], distance, usual))
				{
					nearest = distance;
					with = j;
				}
			}
		}
		vacuum_delay();
		if (with >= 0)
		{
			if (ktree_merge(vacuum->index, cache, vacuum->heap, parent,
							children[i].link, children[with].link))
			{
				children[i].gone = children[with].gone = true;
				merged++;
			}
		}
		else if (children[i].used - children[i].live >
				 DEAD_SHARE * layout->capacity)
		{
			ktree_compact(vacuum->index, cache, vacuum->heap,
						  children[i].link);
			children[i].gone = true;
		}
	}
	for (int i = 0; i < count; i++)
		pfree(children[i].center);
	pfree(children);
	return merged;
}

/* Inner nodes of one level, and every node met on the way to them. */
typedef struct Walk
{
	VacuumState *vacuum;
	seen_hash  *reached;
	int			level;			/* collect these */
	KtreeLink  *links;
	int			count;
	int			room;
	bool		overtaken;		/* a node was reused under the walk */
} Walk;

static void
walk_node(Walk *walk, const KtreeLayout *layout, KtreeLink link, int level)
{
	KtreeImage *image;
	bool		found;

	check_stack_depth();
	vacuum_delay();
	image = ktree_image_create(layout);
	if (!ktree_image_read(walk->vacuum->index, link, image))
		walk->overtaken = true;
	else
	{
		seen_insert(walk->reached,
					node_key(link.block, (uint16) link.generation), &found);
		if (image->node.state == KTREE_DEAD)
		{
			for (int i = 0; i < 2 && !found; i++)
			{
				if (image->node.forward[i].block != InvalidBlockNumber)
					walk_node(walk, layout, image->node.forward[i], level);
			}
		}
		else if (!found)
		{
			if (level == walk->level)
			{
				if (walk->count == walk->room)
				{
					walk->room *= 2;
					walk->links = repalloc_huge(
						walk->links, sizeof(KtreeLink) * (Size) walk->room);
				}
				walk->links[walk->count++] = link;
			}
			for (int slot = 0; slot < image->node.used && level > 0; slot++)
			{
				KtreePointer *pointer = ktree_image_pointer(image, slot);
				KtreeLink	child;

				if (ktree_slot_dead(&image->node, slot))
					continue;
				child.block = ktree_pointer_block(pointer);
				child.generation = pointer->offset;
				if (level > 1)
					walk_node(walk, layout, child, level - 1);
				else
					seen_insert(walk->reached,
								node_key(child.block,
										 (uint16) child.generation),
								&found);
			}
		}
	}
	ktree_image_free(image);
}

static void
walk_tree(VacuumState *vacuum, Walk *walk, int level)
{
	KtreeMeta	meta;

	memset(walk, 0, sizeof(*walk));
	walk->vacuum = vacuum;
	walk->level = level;
	walk->room = 256;
	walk->links = palloc(sizeof(KtreeLink) * walk->room);
	walk->reached = seen_create(CurrentMemoryContext, 4096, NULL);
	ktree_read_meta(vacuum->index, &meta);
	if (meta.height == 0)
	{
		bool		found;

		seen_insert(walk->reached,
					node_key(meta.root.block, (uint16) meta.root.generation),
					&found);
	}
	else if (meta.height > 0)
		walk_node(walk, &vacuum->layout, meta.root, meta.height);
}

/* Is the transaction that wrote an extent still running? */
static bool
writer_running(uint64 writer)
{
	uint64		next = U64FromFullTransactionId(ReadNextFullTransactionId());

	if (writer == 0 || writer >= next ||
		next - writer > UINT64CONST(0x7FFFFFFF))
		return false;
	return TransactionIdIsInProgress((TransactionId) writer);
}

/*
 * Give back extents that a crash or an error left behind.
 *
 * Candidates are noted before the walk, when their writer had ended: so
 * whatever it did to the tree, the walk sees.  Returns live rows in leaves.
 */
static double
recover_orphans(VacuumState *vacuum)
{
	BlockNumber blocks = RelationGetNumberOfBlocks(vacuum->index);
	KtreeLink  *candidates = NULL;
	int			count = 0;
	int			room = 0;
	double		rows = 0;
	Walk		walk;
	BlockNumber block = 0;

	while (block < blocks)
	{
		KtreeNode	node;
		KtreeLink	link;

		vacuum_delay();
		if (!read_first_page(vacuum, block, &node, &link))
		{
			block++;
			continue;
		}
		block += vacuum->layout.extent_pages;
		if (node.state == KTREE_LIVE && node.level == 0)
			rows += node.live;
		if ((node.flags & KTREE_ON_FREE_LIST) || writer_running(node.writer))
			continue;
		if (count == room)
		{
			room = Max(room * 2, 1024);
			candidates = candidates == NULL
							 ? MemoryContextAllocHuge(CurrentMemoryContext,
													  sizeof(KtreeLink) *
														  (Size) room)
							 : repalloc_huge(candidates,
											 sizeof(KtreeLink) * (Size) room);
		}
		candidates[count++] = link;
	}

	walk_tree(vacuum, &walk, -1);
	for (int i = 0; i < count && !walk.overtaken; i++)
	{
		if (seen_lookup(walk.reached,
						node_key(candidates[i].block,
								 (uint16) candidates[i].generation)) == NULL)
			ktree_give_extent(vacuum->index, candidates[i], KTREE_UNUSED);
	}
	return rows;
}

static double
count_side_rows(VacuumState *vacuum, const KtreeMeta *meta)
{
	BlockNumber block = meta->side_head;
	double		rows = 0;
	uint32		steps = 0;

	while (block != InvalidBlockNumber)
	{
		Buffer		buffer = ReadBuffer(vacuum->index, block);

		ktree_side_step(vacuum->index, &steps);
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		ktree_check_page(vacuum->index, buffer, KTREE_PAGE_SIDE);
		rows += KtreePageSide(BufferGetPage(buffer))->count;
		block = KtreePageSide(BufferGetPage(buffer))->next;
		UnlockReleaseBuffer(buffer);
	}
	return rows;
}

/* Write the row count, and how many were removed, into the metapage. */
static void
update_meta(Relation index, double rows, double removed)
{
	KtreeMetaUpdate update;
	KtreeMeta  *meta = ktree_meta_begin(index, &update);

	meta->tuples = (uint64) rows;
	meta->removed = (uint32) Min((double) meta->removed + removed,
								 PG_UINT32_MAX);
	ktree_meta_end(&update);
}

IndexBulkDeleteResult *
ktree_vacuum_cleanup(IndexVacuumInfo *info, IndexBulkDeleteResult *stats)
{
	MemoryContext context;
	MemoryContext old;
	VacuumState vacuum;
	KtreeMeta	meta;
	double		rows = 0;

	if (info->analyze_only)
		return stats;
	if (stats == NULL)
		stats = palloc0(sizeof(IndexBulkDeleteResult));

	context = AllocSetContextCreate(CurrentMemoryContext, "ktree vacuum", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	ktree_read_meta(info->index, &meta);
	begin_vacuum(&vacuum, info, stats, &meta);
	vacuum.heap = table_open(
		IndexGetRelation(RelationGetRelid(info->index), false),
		AccessShareLock);
	if (meta.dims > 0)
	{
		KtreeCache *cache = ktree_cache(info->index);

		for (int level = 1; level <= meta.height; level++)
		{
			int			merged;

			/* pairs become fours and eights in a few rounds */
			do
			{
				Walk		walk;

				merged = 0;
				walk_tree(&vacuum, &walk, level);
				for (int i = 0; i < walk.count; i++)
					merged += merge_children(&vacuum, cache, walk.links[i]);
			} while (merged > 0);
		}
		ktree_shrink_root(info->index, cache);
		rows = recover_orphans(&vacuum);
	}
	rows += count_side_rows(&vacuum, &meta);
	update_meta(info->index, rows, stats->tuples_removed);

	ktree_read_meta(info->index, &meta);
	if (meta.dims > 0 && (fabs(rows - (double) meta.calibrated_tuples) >
							  CHANGED_SHARE * meta.calibrated_tuples ||
						  meta.removed > CHANGED_SHARE * rows))
		ktree_calibrate(info->index, vacuum.heap, rows, KTREE_SAMPLES);
	table_close(vacuum.heap, AccessShareLock);

	stats->num_index_tuples = rows;
	stats->estimated_count = false;
	stats->num_pages = RelationGetNumberOfBlocks(info->index);
	stats->pages_free = meta.free_count * vacuum.layout.extent_pages;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return stats;
}
