/*-------------------------------------------------------------------------
 *
 * ktree_split.c
 *	  Replacing nodes: split, compaction, merge.  What is in the new nodes is
 *	  made in split_nodes.c.
 *
 * Every change of the tree's structure is the same protocol (README,
 * "Changing the structure"): new nodes are written where nobody looks, their
 * entries are put into unused slots of the parent, and one WAL record makes
 * the new state true.  Readers never wait and see either state whole.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "index/ktree/ktree_split.h"
#include "math/distance.h"

/* A full node with fewer live slots than this share is copied, not split. */
#define COMPACT_SHARE	0.6

static void restructure(Relation index, const KtreeCache *cache, Relation heap,
						KtreeLink link, KtreeLink hint);

void
ktree_lock_structure(Relation index)
{
	LockPage(index, KTREE_META_BLOCK, ExclusiveLock);
}

void
ktree_unlock_structure(Relation index)
{
	UnlockPage(index, KTREE_META_BLOCK, ExclusiveLock);
}

/* Slot of a live child in an inner node; -1 when it is not there. */
static int
find_child(Relation index, const KtreeLayout *layout, KtreeLink parent,
		   KtreeLink child, KtreeNode *header)
{
	for (int part = 0; part < layout->refine_part; part++)
	{
		Buffer		buffer = ktree_lock_part(index, parent, part,
											 BUFFER_LOCK_SHARE);
		Page		page;
		int			found = -1;

		if (!BufferIsValid(buffer))
			return -1;
		page = BufferGetPage(buffer);
		if (part == 0)
		{
			*header = *KtreePageNode(page);
			ktree_check_slots(index, layout, header, parent.block);
		}
		for (int slot = 0; slot < header->used; slot++)
		{
			int			at;
			int			offset;
			KtreePointer *pointer;

			ktree_block_position(layout, slot / RABITQ_BLOCK, &at, &offset);
			if (at != part || ktree_slot_dead(header, slot))
				continue;
			pointer = (KtreePointer *) (page + offset +
										KTREE_BLOCK_POINTERS(layout->coded)) +
					  slot % RABITQ_BLOCK;
			if (ktree_pointer_block(pointer) == child.block &&
				ktree_same_generation(pointer->offset, child.generation))
				found = slot;
		}
		UnlockReleaseBuffer(buffer);
		if (found >= 0)
			return found;
	}
	return -1;
}

/* Search the inner nodes from "node" down for the one that has "child". */
static bool
search_parent(Relation index, const KtreeCache *cache, KtreeLink node,
			  int level, KtreeLink child, KtreeLink *parent)
{
	KtreeImage *image;
	bool		found = false;
	KtreeNode	header;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (find_child(index, &cache->layout, node, child, &header) >= 0)
	{
		*parent = node;
		return true;
	}
	if (level <= 1)
		return false;
	image = ktree_image_create(&cache->layout);
	if (ktree_image_read(index, node, image))
	{
		for (int slot = 0; slot < image->node.used && !found; slot++)
		{
			KtreePointer *pointer = ktree_image_pointer(image, slot);
			KtreeLink	next;

			if (ktree_slot_dead(&image->node, slot))
				continue;
			next.block = ktree_pointer_block(pointer);
			next.generation = pointer->offset;
			found = search_parent(index, cache, next, level - 1, child,
								  parent);
		}
	}
	ktree_image_free(image);
	return found;
}

/* The caller holds the structure lock, so the answer stays right. */
static void
find_parent(Relation index, const KtreeCache *cache, const KtreeMeta *meta,
			KtreeLink child, KtreeLink hint, KtreeLink *parent)
{
	KtreeNode	header;

	if (hint.block != InvalidBlockNumber &&
		find_child(index, &cache->layout, hint, child, &header) >= 0 &&
		header.state == KTREE_LIVE)
	{
		*parent = hint;
		return;
	}
	if (!search_parent(index, cache, meta->root, meta->height, child, parent))
		ereport(ERROR,
				(errcode(ERRCODE_INDEX_CORRUPTED),
				 errmsg("index \"%s\" has no parent for the node at block %u",
						RelationGetRelationName(index), child.block),
				 errhint("Please REINDEX it.")));
}

/* Both codes of a child's center, with its radius. */
static void
encode_child(const KtreeCache *cache, KtreeImage *parent,
			 const KtreeImage *child, KtreeCode *code)
{
	ktree_encode(parent, child->center, 0, cache->kind.metric == KTREE_INNER,
				 code);
	memset(&code->filters, 0, sizeof(code->filters));
	code->four_bit.error = ktree_pack_radius(code->four_bit.error,
											 child->reach);
}

/* S4: write an entry for a new node into an unused slot of its parent. */
static void
write_parent_slot(Relation index, const KtreeCache *cache, KtreeLink parent,
				  KtreeImage *centers, int slot, const KtreeImage *child)
{
	const KtreeLayout *layout = &cache->layout;
	KtreeCode  *code = palloc(sizeof(KtreeCode));
	KtreePointer pointer;
	int			block_part;
	int			refine_part;
	int			offset;
	Buffer		block_buffer;
	Buffer		refine_buffer;
	Page		block_page;
	Page		refine_page;
	GenericXLogState *state;

	encode_child(cache, centers, child, code);
	ktree_pointer_set(&pointer, child->link.block,
					  (uint16) child->link.generation);
	ktree_block_position(layout, slot / RABITQ_BLOCK, &block_part, &offset);
	ktree_refine_position(layout, slot, &refine_part, &offset);

	block_buffer = ktree_lock_part(index, parent, block_part,
								   BUFFER_LOCK_EXCLUSIVE);
	refine_buffer = ktree_lock_part(index, parent, refine_part,
									BUFFER_LOCK_EXCLUSIVE);
	if (!BufferIsValid(block_buffer) || !BufferIsValid(refine_buffer))
		elog(ERROR, "parent changed under the structure lock");
	state = GenericXLogStart(index);
	block_page = GenericXLogRegisterBuffer(state, block_buffer, 0);
	refine_page = GenericXLogRegisterBuffer(state, refine_buffer, 0);
	ktree_put_slot(layout, block_page, refine_page, slot, &pointer, code);
	GenericXLogFinish(state);
	UnlockReleaseBuffer(refine_buffer);
	UnlockReleaseBuffer(block_buffer);
	pfree(code);
}

/* An old node in the switch: DEAD, forwarding to what replaces it. */
static void
retire(KtreeNode *node, const KtreeChange *change)
{
	node->state = KTREE_DEAD;
	for (int n = 0; n < 2; n++)
	{
		if (n < change->new_count)
			node->forward[n] = change->fresh[n]->link;
		else
			node->forward[n].block = InvalidBlockNumber;
	}
}

/* A new node in the switch: dead bits set in the old ones meanwhile. */
static void
take_over_deaths(KtreeNode *node, const KtreeChange *change, int which,
				 KtreeNode **old)
{
	for (int n = 0; n < change->old_count; n++)
	{
		for (int slot = 0; slot < change->old[n]->node.used; slot++)
		{
			int			to = change->moved[n][slot];

			if (to < 0 || to / 1024 != which || !ktree_slot_dead(old[n], slot))
				continue;
			/*
			 * VACUUM may have passed here as well: nodes are seen from S2 on
			 */
			if (ktree_slot_dead(node, to % 1024))
				continue;
			node->dead[to % 1024 / 8] |= (uint8) (1 << (to % 8));
			node->live--;
		}
	}
}

/*
 * S5: one record of at most four pages.  False when an old node got more
 * slots since it was read, which can happen to nodes that were not full.
 *
 * parent: of the old nodes, which are its "slots"; without a block the old
 * node is the root and change->root, of level "height", takes its place
 */
static bool
switch_over(Relation index, KtreeChange *change, KtreeLink parent,
			const int *slots, int height)
{
	Buffer		buffers[4];
	Page		pages[4];
	KtreeNode  *old[2];
	int			count = 0;
	GenericXLogState *state;
	bool		to_meta = parent.block == InvalidBlockNumber;

	if (to_meta)
	{
		buffers[count] = ReadBuffer(index, KTREE_META_BLOCK);
		LockBuffer(buffers[count++], BUFFER_LOCK_EXCLUSIVE);
	}
	else
		buffers[count++] = ktree_lock_part(index, parent, 0,
										   BUFFER_LOCK_EXCLUSIVE);
	for (int n = 0; n < change->old_count; n++)
		buffers[count++] = ktree_lock_part(index, change->old[n]->link, 0,
										   BUFFER_LOCK_EXCLUSIVE);
	for (int n = 0; n < change->new_count && count < 4; n++)
		buffers[count++] = ktree_lock_part(index, change->fresh[n]->link, 0,
										   BUFFER_LOCK_EXCLUSIVE);
	for (int i = 0; i < count; i++)
	{
		if (!BufferIsValid(buffers[i]))
			elog(ERROR, "node changed under the structure lock");
	}

	for (int n = 0; n < change->old_count; n++)
	{
		old[n] = KtreePageNode(BufferGetPage(buffers[1 + n]));
		if (old[n]->used != change->old[n]->node.used ||
			old[n]->state != KTREE_LIVE)
		{
			for (int i = count - 1; i >= 0; i--)
				UnlockReleaseBuffer(buffers[i]);
			return false;
		}
	}

	state = GenericXLogStart(index);
	for (int i = 0; i < count; i++)
		pages[i] = GenericXLogRegisterBuffer(state, buffers[i], 0);
	for (int n = 0; n < change->new_count; n++)
		take_over_deaths(KtreePageNode(pages[1 + change->old_count + n]),
						 change, n, old);
	if (to_meta)
	{
		KtreeMeta  *meta = KtreePageMeta(pages[0]);

		meta->root = change->root;
		meta->height = height;
	}
	else
	{
		KtreeNode  *node = KtreePageNode(pages[0]);

		for (int n = 0; n < change->old_count; n++)
			node->dead[slots[n] / 8] |= (uint8) (1 << (slots[n] % 8));
		node->used += change->new_count;
		node->live += change->new_count - change->old_count;
	}
	for (int n = 0; n < change->old_count; n++)
		retire(KtreePageNode(pages[1 + n]), change);
	GenericXLogFinish(state);
	for (int i = count - 1; i >= 0; i--)
		UnlockReleaseBuffer(buffers[i]);
	return true;
}

/* A node above two new ones that replace the root. */
static KtreeLink
write_new_root(Relation index, const KtreeCache *cache, KtreeChange *change)
{
	const KtreeLayout *layout = &cache->layout;
	KtreeImage *root = ktree_image_create(layout);
	KtreeCode  *code = palloc(sizeof(KtreeCode));
	float	   *center = palloc(sizeof(float) * layout->padded);
	KtreeLink	link;

	for (int d = 0; d < layout->padded; d++)
		center[d] = 0.5f * (change->fresh[0]->center[d] +
							change->fresh[1]->center[d]);
	ktree_image_begin(root, cache, change->old[0]->node.level + 1, center,
					  NULL,
					  sqrtf(vector_l2_squared_kernel(
						  layout->padded, center, change->fresh[0]->center)));
	for (int n = 0; n < 2; n++)
	{
		KtreePointer pointer;

		ktree_pointer_set(&pointer, change->fresh[n]->link.block,
						  (uint16) change->fresh[n]->link.generation);
		encode_child(cache, root, change->fresh[n], code);
		ktree_image_add(root, &pointer, code);
	}
	link = root->link = ktree_take_extent(index, layout, false);
	ktree_image_write(index, root);
	ktree_image_free(root);
	pfree(code);
	pfree(center);
	return link;
}

/*
 * S3 to S6, under the structure lock: make the new nodes part of the tree
 * in place of the old ones.  False, with the new ones given back, when an
 * old one changed meanwhile.
 */
static bool
put_in_place(Relation index, const KtreeCache *cache, KtreeChange *change,
			 KtreeLink hint)
{
	KtreeLink	nowhere = {InvalidBlockNumber, 0};
	KtreeLink	parent;
	KtreeImage *centers;
	KtreeMeta	meta;
	int			slots[2] = {-1, -1};
	bool		done;

	ktree_read_meta(index, &meta);
	if (meta.root.block == change->old[0]->link.block)
	{
		change->root = change->new_count == 2 ?
			write_new_root(index, cache, change) : change->fresh[0]->link;
		done = switch_over(index, change, nowhere, slots,
						   meta.height + (change->new_count == 2 ? 1 : 0));
		if (!done && change->new_count == 2)
			ktree_give_extent(index, change->root, KTREE_UNUSED);
	}
	else
	{
		centers = ktree_image_create(&cache->layout);
		for (;;)
		{
			KtreeNode	header;

			find_parent(index, cache, &meta, change->old[0]->link, hint,
						&parent);
			if (!ktree_image_read_centers(index, parent, centers))
				elog(ERROR, "parent changed under the structure lock");
			if (centers->node.used + change->new_count <=
				ktree_capacity(&cache->layout, &centers->node))
			{
				slots[0] = find_child(index, &cache->layout, parent,
									  change->old[0]->link, &header);
				slots[1] = change->old_count < 2
							   ? -1
							   : find_child(index, &cache->layout, parent,
											change->old[1]->link, &header);
				break;
			}
			/* no room for the new entries: the parent goes first */
			if (change->spare)
				elog(ERROR, "parent filled up under the structure lock");
			restructure(index, cache, change->heap, parent, nowhere);
			ktree_read_meta(index, &meta);
			hint = nowhere;
		}
		if (change->old_count == 2 && slots[1] < 0)
			done = false;		/* a split of the parent has parted the two */
		else
		{
			for (int n = 0; n < change->new_count; n++)
				write_parent_slot(index, cache, parent, centers,
								  centers->node.used + n, change->fresh[n]);
			done = switch_over(index, change, parent, slots, 0);
		}
		ktree_image_free(centers);
	}

	if (done)
	{
		for (int n = 0; n < change->old_count; n++)
			ktree_give_extent(index, change->old[n]->link,
							  change->new_count == 2 ? KTREE_SPLIT :
							  n == 1 ? KTREE_MERGED : KTREE_UNUSED);
	}
	else
	{
		for (int n = 0; n < change->new_count; n++)
			ktree_give_extent(index, change->fresh[n]->link, KTREE_UNUSED);
	}
	return done;
}

static void
free_change(KtreeChange *change)
{
	for (int n = 0; n < change->old_count; n++)
		ktree_image_free(change->old[n]);
	for (int n = 0; n < change->new_count; n++)
	{
		if (change->fresh[n] != NULL)
			ktree_image_free(change->fresh[n]);
	}
	pfree(change);
}

/* Split or copy a node that is full; the caller holds its lock. */
static void
restructure(Relation index, const KtreeCache *cache, Relation heap,
			KtreeLink link, KtreeLink hint)
{
	KtreeChange *change = palloc0(sizeof(KtreeChange));
	KtreeImage *old = ktree_image_create(&cache->layout);
	bool		inner_node;

	check_stack_depth();
	change->heap = heap;
	change->old_count = 1;
	change->old[0] = old;
	if (!ktree_image_read(index, link, old) || old->node.state != KTREE_LIVE ||
		old->node.used + 1 < ktree_capacity(&cache->layout, &old->node))
	{
		free_change(change);	/* somebody was first */
		return;
	}
	inner_node = old->node.level > 0;
	change->new_count = old->node.live < COMPACT_SHARE * cache->layout.capacity
							? 1
							: 2;
	(void) ktree_make_new_nodes(index, cache, change);
	if (!inner_node)
		ktree_lock_structure(index);
	(void) put_in_place(index, cache, change, hint);
	if (!inner_node)
		ktree_unlock_structure(index);
	free_change(change);
}

/* Make room in a leaf that an insertion into "heap" found full. */
void
ktree_split(Relation index, const KtreeCache *cache, Relation heap,
			KtreeLink link, KtreeLink hint)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ktree split",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);

	LockPage(index, link.block, ExclusiveLock);
	restructure(index, cache, heap, link, hint);
	UnlockPage(index, link.block, ExclusiveLock);
	ktree_leave_spare(index, &cache->layout);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

static bool copy_node(Relation index, const KtreeCache *cache, Relation heap,
					  KtreeLink link,
					  KtreeLink *copy);

/*
 * Is there an unused slot in the parent of a node that VACUUM replaces?  If
 * need be the parent is copied without its dead slots; where all of them
 * live it would have to be split, for which VACUUM has no extents.  The
 * structure lock is held.
 *
 * parent: where the node's parent is then
 */
static bool
find_room(Relation index, const KtreeCache *cache, KtreeLink node,
		  KtreeLink *parent)
{
	KtreeLink	nowhere = {InvalidBlockNumber, 0};
	KtreeMeta	meta;
	KtreeImage *image;
	bool		room;
	bool		full;

	*parent = nowhere;
	ktree_read_meta(index, &meta);
	if (meta.root.block == node.block)
		return true;
	find_parent(index, cache, &meta, node, nowhere, parent);
	image = ktree_image_create(&cache->layout);
	if (!ktree_image_read_centers(index, *parent, image))
		elog(ERROR, "parent changed under the structure lock");
	room = image->node.used < ktree_capacity(&cache->layout, &image->node);
	/* the copy may be far, and have fewer slots */
	full = image->node.live >= cache->layout.capacity - KTREE_FAR_SLOTS;
	ktree_image_free(image);
	return room || (!full && copy_node(index, cache, NULL, *parent, parent));
}

/*
 * Put a copy of a node without its dead slots in its place, for VACUUM,
 * under the structure lock and, if it is a leaf, the leaf's.
 */
static bool
copy_node(Relation index, const KtreeCache *cache, Relation heap,
		  KtreeLink link, KtreeLink *copy)
{
	KtreeChange *change = palloc0(sizeof(KtreeChange));
	KtreeLink	parent;
	bool		done = false;

	check_stack_depth();
	change->heap = heap;
	change->spare = true;
	change->old_count = change->new_count = 1;
	change->old[0] = ktree_image_create(&cache->layout);
	if (ktree_image_read(index, link, change->old[0]) &&
		change->old[0]->node.state == KTREE_LIVE &&
		find_room(index, cache, link, &parent) &&
		ktree_make_new_nodes(index, cache, change))
	{
		*copy = change->fresh[0]->link;
		done = put_in_place(index, cache, change, parent);
	}
	free_change(change);
	return done;
}

/*
 * Put the live slots of two children of one parent into one new node.
 * The caller (VACUUM) holds no lock.  False when they changed meanwhile.
 */
bool
ktree_merge(Relation index, const KtreeCache *cache, Relation heap,
			KtreeLink parent, KtreeLink one, KtreeLink other)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ktree merge",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	KtreeChange *change = palloc0(sizeof(KtreeChange));
	KtreeNode	header;
	BlockNumber low = Min(one.block, other.block);
	BlockNumber high = Max(one.block, other.block);
	bool		done = false;

	LockPage(index, low, ExclusiveLock);
	LockPage(index, high, ExclusiveLock);
	ktree_lock_structure(index);
	change->heap = heap;
	change->spare = true;
	change->old_count = 2;
	change->new_count = 1;
	change->old[0] = ktree_image_create(&cache->layout);
	change->old[1] = ktree_image_create(&cache->layout);
	if (ktree_image_read(index, one, change->old[0]) &&
		ktree_image_read(index, other, change->old[1]) &&
		change->old[0]->node.state == KTREE_LIVE &&
		change->old[1]->node.state == KTREE_LIVE &&
		change->old[0]->node.level == change->old[1]->node.level &&
		change->old[0]->node.live + change->old[1]->node.live <=
		cache->layout.capacity - KTREE_FAR_SLOTS &&
		find_child(index, &cache->layout, parent, one, &header) >= 0 &&
		find_child(index, &cache->layout, parent, other, &header) >= 0 &&
		header.state == KTREE_LIVE &&
		find_room(index, cache, one, &parent) &&
		ktree_make_new_nodes(index, cache, change))
		done = put_in_place(index, cache, change, parent);
	ktree_unlock_structure(index);
	UnlockPage(index, high, ExclusiveLock);
	UnlockPage(index, low, ExclusiveLock);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return done;
}

/* Copy a node without its dead slots. */
bool
ktree_compact(Relation index, const KtreeCache *cache, Relation heap,
			  KtreeLink link)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ktree compact",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	KtreeLink	copy;
	bool		done;

	LockPage(index, link.block, ExclusiveLock);
	ktree_lock_structure(index);
	done = copy_node(index, cache, heap, link, &copy);
	ktree_unlock_structure(index);
	UnlockPage(index, link.block, ExclusiveLock);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return done;
}

/* The radius of a node as its parent was told; negative: not to be had. */
static float
radius_in_parent(Relation index, const KtreeLayout *layout, KtreeLink parent,
				 KtreeLink child)
{
	KtreeNode	header;
	RabitqFactors factors;
	Buffer		buffer;
	float		error;
	float		radius;
	int			part;
	int			offset;
	int			slot = find_child(index, layout, parent, child, &header);

	if (slot < 0)
		return -1;
	ktree_refine_position(layout, slot, &part, &offset);
	buffer = ktree_lock_part(index, parent, part, BUFFER_LOCK_SHARE);
	if (!BufferIsValid(buffer))
		return -1;
	memcpy(&factors, BufferGetPage(buffer) + offset, sizeof(factors));
	UnlockReleaseBuffer(buffer);
	ktree_unpack_radius(factors.error, &error, &radius);
	return radius;
}

/* One step of ktree_widen: false when it is at an end. */
static bool
widen(Relation index, const KtreeCache *cache, Relation heap, KtreeLink node,
	  KtreeLink *parent, float distance)
{
	KtreeMeta	meta;
	KtreeLink	copy;
	float		radius;

	ktree_read_meta(index, &meta);
	if (node.block == meta.root.block)
		return false;
	find_parent(index, cache, &meta, node, *parent, parent);
	radius = radius_in_parent(index, &cache->layout, *parent, node);
	if (radius < 0 || distance <= KTREE_WIDER * radius ||
		!copy_node(index, cache, heap, node, &copy))
		return false;
	/* making room may have copied the parent */
	ktree_read_meta(index, &meta);
	find_parent(index, cache, &meta, copy, *parent, parent);
	return true;
}

/*
 * Tell the parents of a leaf, of an index for inner products, that a row
 * was put there which is that far from its center: the leaf is copied, and
 * the copy's entry has its reach; then the same for its parent.
 *
 * Where that is not possible, because a parent is full, the row may be found
 * late until the next split.  A radius at least doubles each time, so a leaf
 * is copied a few times only.
 */
void
ktree_widen(Relation index, const KtreeCache *cache, Relation heap,
			KtreeLink leaf, KtreeLink parent, float distance)
{
	MemoryContext context;
	MemoryContext old;
	KtreeLink	node = leaf;
	bool		more = true;

	if (parent.block != InvalidBlockNumber)
	{
		float		radius = radius_in_parent(index, &cache->layout, parent,
											  leaf);

		if (radius >= 0 && distance <= KTREE_WIDER * radius)
			return;
	}
	context = AllocSetContextCreate(CurrentMemoryContext, "ktree widen",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);
	while (more)
	{
		KtreeLink	above = parent;
		KtreeNode	header;
		Buffer		buffer;
		bool		live = false;

		CHECK_FOR_INTERRUPTS();
		LockPage(index, node.block, ExclusiveLock);
		ktree_lock_structure(index);
		buffer = ktree_lock_part(index, node, 0, BUFFER_LOCK_SHARE);
		if (BufferIsValid(buffer))
		{
			header = *KtreePageNode(BufferGetPage(buffer));
			UnlockReleaseBuffer(buffer);
			/* a copy may be far, and have fewer slots */
			live = header.state == KTREE_LIVE &&
				   header.live <= cache->layout.capacity - KTREE_FAR_SLOTS;
		}
		more = live && widen(index, cache, heap, node, &above, distance);
		ktree_unlock_structure(index);
		UnlockPage(index, node.block, ExclusiveLock);
		node = above;
		parent.block = InvalidBlockNumber;
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* While the root has a single child, that child becomes the root. */
void
ktree_shrink_root(Relation index, const KtreeCache *cache)
{
	KtreeImage *image = ktree_image_create(&cache->layout);

	ktree_lock_structure(index);
	for (;;)
	{
		KtreeMeta	meta;
		KtreeLink	root;
		KtreeLink	child = {InvalidBlockNumber, 0};
		Buffer		buffers[2];
		GenericXLogState *state;
		KtreeNode  *node;

		ktree_read_meta(index, &meta);
		root = meta.root;
		if (meta.height < 1 || !ktree_image_read(index, root, image) ||
			image->node.live != 1)
			break;
		for (int slot = 0; slot < image->node.used; slot++)
		{
			KtreePointer *pointer = ktree_image_pointer(image, slot);

			if (ktree_slot_dead(&image->node, slot))
				continue;
			child.block = ktree_pointer_block(pointer);
			child.generation = pointer->offset;
		}
		buffers[0] = ReadBuffer(index, KTREE_META_BLOCK);
		LockBuffer(buffers[0], BUFFER_LOCK_EXCLUSIVE);
		buffers[1] = ktree_lock_part(index, root, 0, BUFFER_LOCK_EXCLUSIVE);
		state = GenericXLogStart(index);
		KtreePageMeta(GenericXLogRegisterBuffer(state, buffers[0], 0))->root =
			child;
		KtreePageMeta(GenericXLogRegisterBuffer(state, buffers[0], 0))
			->height = meta.height - 1;
		node = KtreePageNode(GenericXLogRegisterBuffer(state, buffers[1], 0));
		node->state = KTREE_DEAD;
		node->forward[0] = child;
		node->forward[1].block = InvalidBlockNumber;
		GenericXLogFinish(state);
		UnlockReleaseBuffer(buffers[1]);
		UnlockReleaseBuffer(buffers[0]);
		ktree_give_extent(index, root, KTREE_UNUSED);
	}
	ktree_unlock_structure(index);
	ktree_image_free(image);
}
