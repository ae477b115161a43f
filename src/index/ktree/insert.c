/*-------------------------------------------------------------------------
 *
 * insert.c
 *	  Inserting one row: descend, append to a leaf, split it when full.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "index/ktree/ktree_search.h"
#include "math/distance.h"
#include "type/vector.h"

/* Nodes of each level that a descent keeps. */
#define BEAM 2

/*
 * After so many failures in a row an insertion tries the descent where nothing
 * can change meanwhile; after so many times that it gives up.
 */
#define PATIENT_ATTEMPTS	100
#define MOST_ATTEMPTS		10000

/* Kept from one insertion of a statement to the next. */
typedef struct InsertState
{
	MemoryContext context;		/* of this struct */
	MemoryContext scratch;		/* emptied after each row */
	KtreeCache *cache;			/* NULL before the first row of the index */
	KtreeQuery *query;
	KtreeCode  *code;
} InsertState;

static InsertState *
insert_state(IndexInfo *info)
{
	InsertState *state = info->ii_AmCache;

	if (state == NULL)
	{
		state = MemoryContextAllocZero(info->ii_Context, sizeof(InsertState));
		state->context = info->ii_Context;
		state->scratch = AllocSetContextCreate(info->ii_Context, "ktree insert",
											   ALLOCSET_DEFAULT_SIZES);
		info->ii_AmCache = state;
	}
	return state;
}

/*
 * Count a page of the side list that a walk has come to: a list of more
 * pages than the index has goes in a circle.
 */
void
ktree_side_step(Relation index, uint32 *steps)
{
	CHECK_FOR_INTERRUPTS();
	if (++*steps % 1024 == 0 && *steps > RelationGetNumberOfBlocks(index))
		ereport(ERROR,
				(errcode(ERRCODE_INDEX_CORRUPTED),
				 errmsg("the side list of index \"%s\" goes in a circle",
						RelationGetRelationName(index)),
				 errhint("Please REINDEX it.")));
}

/* Append an entry to the side list's first page, or to a new first page. */
void
ktree_side_add(Relation index, ItemPointer tid, KtreeSideReason reason)
{
	Buffer		meta_buffer = ReadBuffer(index, KTREE_META_BLOCK);
	Buffer		buffer = InvalidBuffer;
	GenericXLogState *state;
	KtreeMeta  *meta;
	KtreeSidePage *side;
	Page		page;
	bool		fresh = false;

	LockBuffer(meta_buffer, BUFFER_LOCK_EXCLUSIVE);
	meta = KtreePageMeta(BufferGetPage(meta_buffer));
	if (meta->side_head != InvalidBlockNumber)
	{
		buffer = ReadBuffer(index, meta->side_head);
		LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
		ktree_check_page(index, buffer, KTREE_PAGE_SIDE);
		if (KtreePageSide(BufferGetPage(buffer))->count >= KTREE_SIDE_CAPACITY)
		{
			UnlockReleaseBuffer(buffer);
			buffer = InvalidBuffer;
		}
	}
	if (!BufferIsValid(buffer))
	{
		BlockNumber block = meta->side_free;

		if (block == InvalidBlockNumber)
			block = ktree_extend(index, 1);
		buffer = ReadBuffer(index, block);
		LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
		if (block == meta->side_free)
			ktree_check_page(index, buffer, KTREE_PAGE_SIDE);
		fresh = true;
	}

	state = GenericXLogStart(index);
	meta = KtreePageMeta(GenericXLogRegisterBuffer(state, meta_buffer, 0));
	page = GenericXLogRegisterBuffer(state, buffer,
									 fresh ? GENERIC_XLOG_FULL_IMAGE : 0);
	if (fresh)
	{
		if (meta->side_free != InvalidBlockNumber)
			meta->side_free = KtreePageSide(page)->next_free;
		ktree_page_init(page, KTREE_PAGE_SIDE, 0, BufferGetBlockNumber(buffer),
						0);
		side = KtreePageSide(page);
		side->next = meta->side_head;
		side->next_free = InvalidBlockNumber;
		side->count = 0;
		side->reserved = 0;
		meta->side_head = BufferGetBlockNumber(buffer);
	}
	side = KtreePageSide(page);
	side->entries[side->count].tid = *tid;
	side->entries[side->count].reason = (uint16) reason;
	side->count++;
	((PageHeader) page)->pd_lower =
		(LocationIndex) ((char *) &side->entries[side->count] - (char *) page);
	if (reason == KTREE_SIDE_HUGE)
		meta->huge_rows++;
	GenericXLogFinish(state);
	UnlockReleaseBuffer(buffer);
	UnlockReleaseBuffer(meta_buffer);
}

/*
 * The first vector: fix the format, and make an empty root.  The origin is
 * zero: that vector may be anywhere.
 */
static void
create_root(Relation index, const KtreeKind *kind, const float *vector,
			int dims)
{
	KtreeMeta	meta;
	KtreeCache *cache;
	KtreeImage *image;
	float	   *rotated;

	ktree_lock_structure(index);
	ktree_read_meta(index, &meta);
	if (meta.height >= 0)
	{
		ktree_unlock_structure(index);
		return;
	}
	if (meta.dims == 0)
	{
		float	   *origin = palloc0(sizeof(float) * ROTATION_PADDED(dims));

		ktree_begin_format(index, dims, origin,
						   ktree_usual_length(vector, 1, dims));
	}
	cache = ktree_cache(index);
	if (cache->layout.dims != dims)
		ktree_dims_error(cache->layout.dims, dims);
	rotated = palloc(sizeof(float) * cache->layout.padded);
	ktree_to_index_space(cache, vector, rotated);
	image = ktree_image_create(&cache->layout);
	ktree_image_begin(image, cache, 0, rotated, NULL, -1);
	image->link = ktree_take_extent(index, &cache->layout, false);
	ktree_image_write(index, image);
	ktree_set_root(index, image->link, 0);
	ktree_unlock_structure(index);
}

typedef enum Descent
{
	DESCENT_DONE,
	DESCENT_NO_TREE,
	DESCENT_OVERTAKEN			/* a node was replaced on the way */
} Descent;

/* The leaf that a vector belongs to, and the parent it was found in. */
static Descent
descend(Relation index, const KtreeCache *cache, KtreeQuery *query,
		KtreeLink *leaf, KtreeLink *parent)
{
	KtreeMeta	meta;
	KtreeChild	nodes[BEAM];
	int			count;

	ktree_read_meta(index, &meta);
	if (meta.height < 0)
		return DESCENT_NO_TREE;
	nodes[0].link = meta.root;
	nodes[0].parent.block = InvalidBlockNumber;
	nodes[0].parent.generation = 0;
	count = 1;
	for (int level = meta.height; level > 0; level--)
	{
		KtreeChild	below[BEAM];
		int			found = 0;

		for (int i = 0; i < count; i++)
		{
			if (!ktree_nearest_children(index, cache, query, nodes[i].link,
										level, below, &found, BEAM))
				return DESCENT_OVERTAKEN;
		}
		if (found == 0)
			return DESCENT_OVERTAKEN;
		count = found;
		memcpy(nodes, below, sizeof(nodes));
	}
	*leaf = nodes[0].link;
	*parent = nodes[0].parent;
	return DESCENT_DONE;
}

static bool
is_live_leaf(const KtreeImage *image)
{
	return image->node.state == KTREE_LIVE && image->node.level == 0;
}

/*
 * Descend under the structure lock, where nobody replaces a node: what
 * fails here is damage.
 */
static void
check_descent(Relation index, const KtreeCache *cache, KtreeQuery *query,
			  KtreeImage *image)
{
	KtreeLink	leaf;
	KtreeLink	parent;
	bool		sound;

	ktree_lock_structure(index);
	sound = descend(index, cache, query, &leaf, &parent) == DESCENT_DONE &&
		ktree_image_read_centers(index, leaf, image) && is_live_leaf(image);
	ktree_unlock_structure(index);
	if (!sound)
		ereport(ERROR,
				(errcode(ERRCODE_INDEX_CORRUPTED),
				 errmsg("index \"%s\" has pointers to nodes that do not exist",
						RelationGetRelationName(index)),
				 errhint("Please REINDEX it.")));
}

/*
 * Add a slot to a leaf.  False, with *full set or not, when the leaf has no
 * room or is no longer what the descent saw.
 */
static bool
append(Relation index, const KtreeLayout *layout, KtreeLink leaf,
	   const KtreePointer *pointer, const KtreeCode *code, bool *full)
{
	Buffer		buffers[3];
	Page		pages[3] = {NULL, NULL, NULL};
	int			parts[3];
	int			count = 1;
	KtreeNode  *node;
	int			slot;
	int			offset;
	GenericXLogState *state;

	*full = false;
	buffers[0] = ktree_lock_part(index, leaf, 0, BUFFER_LOCK_EXCLUSIVE);
	if (!BufferIsValid(buffers[0]))
		return false;
	node = KtreePageNode(BufferGetPage(buffers[0]));
	if (node->state != KTREE_LIVE || node->level != 0 ||
		node->used >= ktree_capacity(layout, node))
	{
		*full = node->state == KTREE_LIVE && node->level == 0;
		UnlockReleaseBuffer(buffers[0]);
		return false;
	}
	slot = node->used;
	parts[0] = 0;
	ktree_block_position(layout, slot / RABITQ_BLOCK, &parts[1], &offset);
	ktree_refine_position(layout, slot, &parts[2], &offset);
	for (int i = 1; i < 3; i++)
	{
		if (parts[i] == 0)
			continue;
		buffers[count] = ktree_lock_part(index, leaf, parts[i],
										 BUFFER_LOCK_EXCLUSIVE);
		/* the extent cannot be taken while we hold its live first page */
		if (!BufferIsValid(buffers[count]))
			ereport(ERROR,
					(errcode(ERRCODE_INDEX_CORRUPTED),
					 errmsg("index \"%s\" has a node of pages of several generations at block %u",
							RelationGetRelationName(index), leaf.block),
					 errhint("Please REINDEX it.")));
		count++;
	}

	state = GenericXLogStart(index);
	for (int i = 0; i < count; i++)
		pages[i] = GenericXLogRegisterBuffer(state, buffers[i], 0);
	ktree_put_slot(layout, parts[1] == 0 ? pages[0] : pages[1],
				   pages[count - 1], slot, pointer, code);
	node = KtreePageNode(pages[0]);
	node->used++;
	node->live++;
	GenericXLogFinish(state);
	for (int i = count - 1; i >= 0; i--)
		UnlockReleaseBuffer(buffers[i]);
	return true;
}

/* Are the rows of one leaf all gone? */
static bool
leaf_is_gone(const KtreeImage *image, IndexGone *gone)
{
	for (int slot = 0; slot < image->node.used; slot++)
	{
		ItemPointerData tid;

		CHECK_FOR_INTERRUPTS();
		memcpy(&tid, ktree_image_pointer(image, slot), sizeof(tid));
		if (!ktree_slot_dead(&image->node, slot) && !index_gone(gone, &tid))
			return false;
	}
	return true;
}

/* ... and those on the side list that have a vector? */
static bool
side_list_is_gone(Relation index, BlockNumber block, IndexGone *gone)
{
	KtreeSideEntry *entries = palloc(sizeof(KtreeSideEntry) *
									 KTREE_SIDE_CAPACITY);
	uint32		steps = 0;
	bool		result = true;

	while (block != InvalidBlockNumber && result)
	{
		Buffer		buffer = ReadBuffer(index, block);
		KtreeSidePage *side;
		uint32		count;

		ktree_side_step(index, &steps);
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		ktree_check_page(index, buffer, KTREE_PAGE_SIDE);
		side = KtreePageSide(BufferGetPage(buffer));
		count = Min(side->count, KTREE_SIDE_CAPACITY);
		memcpy(entries, side->entries, sizeof(KtreeSideEntry) * count);
		block = side->next;
		UnlockReleaseBuffer(buffer);
		for (uint32 i = 0; i < count && result; i++)
			result = entries[i].reason == KTREE_SIDE_NULL ||
					 index_gone(gone, &entries[i].tid);
	}
	pfree(entries);
	return result;
}

/*
 * Can nobody see a row with a vector any more?  The caller holds the
 * structure lock, so that leaves stay where they are.
 */
static bool
all_is_gone(Relation index, Relation heap, const KtreeLayout *layout)
{
	BlockNumber blocks = RelationGetNumberOfBlocks(index);
	IndexGone  *gone = index_gone_begin(heap);
	KtreeImage *image = ktree_image_create(layout);
	KtreeMeta	meta;
	bool		result;

	ktree_read_meta(index, &meta);
	result = side_list_is_gone(index, meta.side_head, gone);
	for (BlockNumber block = KTREE_META_BLOCK + 1; block < blocks && result;
		 block++)
	{
		Buffer		buffer = ReadBuffer(index, block);
		Page		page = BufferGetPage(buffer);
		KtreeLink	link = {block, 0};
		bool		leaf;

		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		leaf = ktree_page_is(page, KTREE_PAGE_NODE) &&
			   KtreePageSpecial(page)->part == 0 &&
			   KtreePageNode(page)->state == KTREE_LIVE &&
			   KtreePageNode(page)->level == 0;
		if (leaf)
			link.generation = KtreePageSpecial(page)->generation;
		UnlockReleaseBuffer(buffer);
		if (leaf)
			result = ktree_image_read(index, link, image) &&
					 leaf_is_gone(image, gone);
	}
	ktree_image_free(image);
	index_gone_end(gone);
	return result;
}

/*
 * A vector of other dimensions than the index has came: begin anew if no
 * other row is left, else it is an error.
 *
 * The index is looked through before it is claimed, which would keep others
 * out, and again after that.
 */
static void
other_dims(Relation index, Relation heap, const KtreeCache *cache, int dims)
{
	bool		possible = true;

	for (int look = 0; look < 2 && possible; look++)
	{
		ktree_lock_structure(index);
		possible = all_is_gone(index, heap, &cache->layout);
		if (possible && look == 1)
			ktree_give_up_format(index);
		ktree_unlock_structure(index);
		possible = possible && (look == 1 || index_claim(index));
	}
	if (!possible)
		ktree_dims_error(cache->layout.dims, dims);
}

/*
 * The parents must know of a row that is far from the center of its leaf: by
 * inner product it may be the nearest of all.
 */
static void
tell_reach(Relation index, Relation heap, const InsertState *state,
		   const KtreeImage *leaf, KtreeLink parent)
{
	float		distance = sqrtf(vector_l2_squared_kernel(
		state->cache->layout.padded, state->query->vector, leaf->center));

	if (distance > KTREE_FAR_REACH * leaf->node.spread)
		ktree_widen(index, state->cache, heap, leaf->link, parent, distance);
}

/* Insert a vector of the normal kind. */
static void
insert_vector(Relation index, Relation heap, InsertState *state,
			  const KtreeKind *kind, const float *vector, int dims,
			  const KtreeFilters *filters, ItemPointer tid)
{
	KtreePointer pointer;
	KtreeImage *image;

	memcpy(&pointer, tid, sizeof(pointer));
	if (state->cache == NULL)
	{
		MemoryContext old;

		create_root(index, kind, vector, dims);
		old = MemoryContextSwitchTo(state->context);
		state->cache = ktree_cache(index);
		state->query = ktree_query_create(&state->cache->layout);
		state->code = palloc(sizeof(KtreeCode));
		MemoryContextSwitchTo(old);
	}
	if (dims != state->cache->layout.dims)
		ktree_dims_error(state->cache->layout.dims, dims);

	ktree_to_index_space(state->cache, vector, state->query->vector);
	rabitq_query_prepare(&state->query->code);
	image = ktree_image_create(&state->cache->layout);

	for (int attempts = 1;; attempts++)
	{
		KtreeLink	leaf;
		KtreeLink	parent;
		Descent		descent;
		bool		full;

		CHECK_FOR_INTERRUPTS();
		if (attempts % PATIENT_ATTEMPTS == 0)
			check_descent(index, state->cache, state->query, image);
		if (attempts > MOST_ATTEMPTS)
			ereport(ERROR,
					(errcode(ERRCODE_INDEX_CORRUPTED),
					 errmsg("index \"%s\" has no room and cannot be split",
							RelationGetRelationName(index)),
					 errhint("Please REINDEX it.")));
		descent = descend(index, state->cache, state->query, &leaf, &parent);
		if (descent == DESCENT_NO_TREE)
			create_root(index, kind, vector, dims);
		if (descent != DESCENT_DONE ||
			!ktree_image_read_centers(index, leaf, image) ||
			!is_live_leaf(image))
			continue;
		if (image->node.used <
			ktree_capacity(&state->cache->layout, &image->node))
		{
			state->code->filters = *filters;
			ktree_encode(image, state->query->vector, 0,
						 kind->metric == KTREE_INNER, state->code);
			if (append(index, &state->cache->layout, leaf, &pointer,
					   state->code, &full))
			{
				if (kind->metric == KTREE_INNER)
					tell_reach(index, heap, state, image, parent);
				break;
			}
		}
		else
			full = true;
		if (full)
		{
			ktree_split(index, state->cache, heap, leaf, parent);
			ktree_calibrate_grown(index, heap);
		}
	}
}

bool
ktree_insert(Relation index, Datum *values, bool *isnull,
			 ItemPointer tid, Relation heap, IndexUniqueCheck unique,
#if PG_VERSION_NUM >= 140000
			 bool unchanged,
#endif
			 IndexInfo *info)
{
	InsertState *state = insert_state(info);
	const KtreeKind *kind = ktree_kind(index);
	MemoryContext old = MemoryContextSwitchTo(state->scratch);

	if (isnull[0])
		ktree_side_add(index, tid, KTREE_SIDE_NULL);
	else
	{
		Datum		value = PointerGetDatum(PG_DETOAST_DATUM(values[0]));
		int			dims = ktree_datum_dims(kind, value);
		float	   *vector = palloc(sizeof(float) * dims);
		KtreeFilters filters;

		if (state->cache == NULL)
		{
			MemoryContextSwitchTo(state->context);
			state->cache = ktree_cache(index);
			if (state->cache != NULL)
			{
				state->query = ktree_query_create(&state->cache->layout);
				state->code = palloc(sizeof(KtreeCode));
			}
			MemoryContextSwitchTo(state->scratch);
		}
		if (state->cache != NULL && dims != state->cache->layout.dims)
		{
			other_dims(index, heap, state->cache, dims);
			state->cache = NULL;
		}
		switch (ktree_load_vector(kind, value, vector))
		{
			case KTREE_NORMAL:
				ktree_filters_of_row(index, values, isnull, &filters);
				insert_vector(index, heap, state, kind, vector, dims, &filters,
							  tid);
				break;
			case KTREE_ZERO:
				ktree_side_add(index, tid, KTREE_SIDE_ZERO);
				break;
			case KTREE_HUGE:
				ktree_side_add(index, tid, KTREE_SIDE_HUGE);
				break;
		}
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(state->scratch);
	return false;
}
