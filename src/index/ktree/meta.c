/*-------------------------------------------------------------------------
 *
 * meta.c
 *	  The metapage, the origin pages, and what a backend remembers of them.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "access/xloginsert.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "index/ktree/ktree.h"

#define ORIGIN_FLOATS \
	((int) ((KTREE_PAGE_END - KTREE_PAGE_START) / sizeof(float)))

void
ktree_page_init(Page page, KtreePageKind kind, uint32 generation,
				BlockNumber first, int part)
{
	KtreeSpecial *special;

	PageInit(page, BLCKSZ, sizeof(KtreeSpecial));
	special = KtreePageSpecial(page);
	special->generation = generation;
	special->first = first;
	special->part = (uint16) part;
	special->kind = (uint16) kind;
	special->version = KTREE_VERSION;
	special->page_id = KTREE_PAGE_ID;
}

/* Give a node's page its generation: in both places, after its contents. */
void
ktree_page_mark(Page page, uint32 generation)
{
	KtreeSpecial *special = KtreePageSpecial(page);
	KtreeMark  *mark = KtreePageMark(page, special->part);

	special->generation = generation;
	mark->generation = generation;
	mark->part = special->part;
	mark->place = ktree_mark_place(special->first);
	if (special->part > 0)
		((PageHeader) page)->pd_lower = Max(((PageHeader) page)->pd_lower,
											(char *) (mark + 1) -
												(char *) page);
}

void
ktree_meta_init(Page page, const KtreeKind *kind)
{
	KtreeMeta  *meta;

	ktree_page_init(page, KTREE_PAGE_META, 0, KTREE_META_BLOCK, 0);
	meta = KtreePageMeta(page);
	memset(meta, 0, sizeof(*meta));
	meta->magic = KTREE_MAGIC;
	meta->version = KTREE_VERSION;
	meta->metric = (uint16) kind->metric;
	meta->element = (uint16) kind->element;
	meta->page_size_kb = BLCKSZ / 1024;
	meta->seed = KTREE_SEED;
	meta->root.block = InvalidBlockNumber;
	meta->height = -1;
	meta->free_head = InvalidBlockNumber;
	meta->side_head = InvalidBlockNumber;
	meta->side_free = InvalidBlockNumber;
	meta->origin_block = InvalidBlockNumber;
	((PageHeader) page)->pd_lower = (LocationIndex) ((char *) (meta + 1) -
													 (char *) page);
}

/*
 * Error unless the page is ours and of the kind expected; the buffer is
 * locked.
 */
void
ktree_check_page(Relation index, Buffer buffer, KtreePageKind kind)
{
	Page		page = BufferGetPage(buffer);

	if (!ktree_page_is(page, kind))
		ereport(ERROR,
				(errcode(ERRCODE_INDEX_CORRUPTED),
				 errmsg("index \"%s\" contains an unexpected page at block %u",
						RelationGetRelationName(index),
						BufferGetBlockNumber(buffer)),
				 errhint("Please REINDEX it.")));
}

/* Copy the metapage. */
void
ktree_read_meta(Relation index, KtreeMeta *meta)
{
	Buffer		buffer = ReadBuffer(index, KTREE_META_BLOCK);

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	ktree_check_page(index, buffer, KTREE_PAGE_META);
	*meta = *KtreePageMeta(BufferGetPage(buffer));
	UnlockReleaseBuffer(buffer);

	if (meta->magic != KTREE_MAGIC || meta->version != KTREE_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INDEX_CORRUPTED),
				 errmsg("index \"%s\" has unknown format version %u",
						RelationGetRelationName(index), meta->version),
				 errdetail("This library reads version %d.", KTREE_VERSION),
				 errhint("Please REINDEX it.")));
}

/* The metapage, to be changed; the change is logged by ktree_meta_end. */
KtreeMeta *
ktree_meta_begin(Relation index, KtreeMetaUpdate *update)
{
	update->buffer = ReadBuffer(index, KTREE_META_BLOCK);
	LockBuffer(update->buffer, BUFFER_LOCK_EXCLUSIVE);
	ktree_check_page(index, update->buffer, KTREE_PAGE_META);
	update->state = GenericXLogStart(index);
	return KtreePageMeta(
		GenericXLogRegisterBuffer(update->state, update->buffer, 0));
}

void
ktree_meta_end(KtreeMetaUpdate *update)
{
	GenericXLogFinish(update->state);
	UnlockReleaseBuffer(update->buffer);
}

/* Read the origin into "padded" floats. */
static void
read_origin(Relation index, const KtreeLayout *layout, BlockNumber first,
			float *origin)
{
	for (int part = 0; part < layout->origin_pages; part++)
	{
		int			from = part * ORIGIN_FLOATS;
		int			count = Min(layout->padded - from, ORIGIN_FLOATS);
		Buffer		buffer = ReadBuffer(index, first + part);

		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		ktree_check_page(index, buffer, KTREE_PAGE_ORIGIN);
		if (KtreePageSpecial(BufferGetPage(buffer))->first != first ||
			KtreePageSpecial(BufferGetPage(buffer))->part != part)
			ereport(ERROR,
					(errcode(ERRCODE_INDEX_CORRUPTED),
					 errmsg("index \"%s\" has another page where its origin belongs, at block %u",
							RelationGetRelationName(index), first + part),
					 errhint("Please REINDEX it.")));
		memcpy(origin + from,
			   (char *) BufferGetPage(buffer) + KTREE_PAGE_START,
			   sizeof(float) * count);
		UnlockReleaseBuffer(buffer);
	}
}

/*
 * Kind, layout, rotation and origin, in one chunk of the current memory
 * context; NULL before the first row.
 *
 * The relcache keeps a copy, but may free it whenever it processes an
 * invalidation, so callers work on their own.
 */
KtreeCache *
ktree_cache(Relation index)
{
	static uint32 number;
	KtreeCache *kept = index->rd_amcache;
	KtreeCache *cache;
	Size		rotation_bytes;
	Size		bytes;
	KtreeMeta	meta;

	ktree_read_meta(index, &meta);
	if (kept != NULL && (meta.dims == 0 || meta.format != kept->format))
	{
		/* the format was given up: no invalidation tells of that */
		index->rd_amcache = NULL;
		pfree(kept);
		kept = NULL;
	}
	if (meta.dims == 0)
		return NULL;
	if (kept == NULL)
	{
		KtreeLayout layout;
		KtreeCache *fresh;

		ktree_layout_init(&layout, meta.dims, ktree_filter_count(index));
		if (layout.padded != meta.padded || layout.coded != meta.coded ||
			(uint32) layout.filters != meta.filters ||
			layout.capacity != meta.capacity ||
			layout.extent_pages != meta.extent_pages)
			ereport(ERROR,
					(errcode(ERRCODE_INDEX_CORRUPTED),
					 errmsg("index \"%s\" was built with another layout",
							RelationGetRelationName(index)),
					 errhint("Please REINDEX it.")));

		rotation_bytes = MAXALIGN(rotation_size(meta.dims));
		bytes = MAXALIGN(sizeof(KtreeCache)) + rotation_bytes +
				sizeof(float) * layout.padded;
		fresh = MemoryContextAlloc(index->rd_indexcxt, bytes);
		fresh->kind = *ktree_kind(index);
		fresh->number = ++number;
		fresh->scale = meta.scale;
		fresh->format = meta.format;
		fresh->layout = layout;
		fresh->rotation = (Rotation *) ((char *) fresh +
										MAXALIGN(sizeof(KtreeCache)));
		fresh->origin = (float *) ((char *) fresh->rotation + rotation_bytes);
		rotation_init(fresh->rotation, meta.dims, meta.seed);
		read_origin(index, &layout, meta.origin_block, fresh->origin);
		index->rd_amcache = kept = fresh;
	}

	rotation_bytes = MAXALIGN(rotation_size(kept->layout.dims));
	bytes = MAXALIGN(sizeof(KtreeCache)) + rotation_bytes +
			sizeof(float) * kept->layout.padded;
	cache = palloc(bytes);
	memcpy(cache, kept, bytes);
	cache->rotation = (Rotation *) ((char *) cache +
									MAXALIGN(sizeof(KtreeCache)));
	cache->origin = (float *) ((char *) cache->rotation + rotation_bytes);
	return cache;
}

/*
 * Pages of a format that was given up become free pages of the side list:
 * nothing may take them for nodes of another size.
 *
 * The caller holds the structure lock, and there are no dims.
 */
static void
clear_away(Relation index)
{
	BlockNumber blocks = RelationGetNumberOfBlocks(index);

	for (BlockNumber block = KTREE_META_BLOCK + 1; block < blocks; block++)
	{
		Buffer		meta_buffer = ReadBuffer(index, KTREE_META_BLOCK);
		Buffer		buffer = ReadBuffer(index, block);

		CHECK_FOR_INTERRUPTS();
		LockBuffer(meta_buffer, BUFFER_LOCK_EXCLUSIVE);
		LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
		if (ktree_page_is(BufferGetPage(buffer), KTREE_PAGE_NODE) ||
			ktree_page_is(BufferGetPage(buffer), KTREE_PAGE_ORIGIN))
		{
			GenericXLogState *state = GenericXLogStart(index);
			KtreeMeta  *meta = KtreePageMeta(
				 GenericXLogRegisterBuffer(state, meta_buffer, 0));
			Page		page = GenericXLogRegisterBuffer(
					   state, buffer, GENERIC_XLOG_FULL_IMAGE);
			KtreeSidePage *side;

			ktree_page_init(page, KTREE_PAGE_SIDE, 0, block, 0);
			side = KtreePageSide(page);
			side->next = InvalidBlockNumber;
			side->next_free = meta->side_free;
			side->count = side->reserved = 0;
			((PageHeader) page)->pd_lower =
				(LocationIndex) ((char *) side->entries - (char *) page);
			meta->side_free = block;
			GenericXLogFinish(state);
		}
		UnlockReleaseBuffer(buffer);
		UnlockReleaseBuffer(meta_buffer);
	}
}

/*
 * Back to before the first row: the tree's rows are all gone.
 *
 * The caller has claimed the index, and holds the structure lock.  The next
 * row clears away what is left of the tree.
 */
void
ktree_give_up_format(Relation index)
{
	KtreeMetaUpdate update;
	KtreeMeta  *meta = ktree_meta_begin(index, &update);

	meta->dims = 0;
	meta->padded = meta->coded = meta->capacity = meta->extent_pages = 0;
	meta->origin_block = InvalidBlockNumber;
	meta->extents = 0;
	meta->root.block = InvalidBlockNumber;
	meta->height = -1;
	meta->free_head = InvalidBlockNumber;
	meta->free_count = 0;
	meta->removed = 0;
	meta->tuples = meta->calibrated_tuples = 0;
	meta->samples = meta->calibrated_leaves = 0;
	memset(meta->curves, 0, sizeof(meta->curves));
	memset(meta->long_curves, 0, sizeof(meta->long_curves));
	meta->format++;
	ktree_meta_end(&update);
}

/*
 * The first row has come: fix the dimensions and write the origin.
 *
 * The caller holds the structure lock.  origin: padded floats in rotated
 * space.  The origin pages are written before the metapage speaks of them; a
 * crash in between leaves a few pages that nothing uses.
 */
void
ktree_begin_format(Relation index, int dims, const float *origin, float scale)
{
	KtreeLayout layout;
	BlockNumber first;
	Buffer		buffer;
	GenericXLogState *state;
	KtreeMetaUpdate update;
	KtreeMeta  *meta;

	clear_away(index);
	ktree_layout_init(&layout, dims, ktree_filter_count(index));
	first = ktree_extend(index, layout.origin_pages);
	for (int part = 0; part < layout.origin_pages; part++)
	{
		int			from = part * ORIGIN_FLOATS;
		int			count = Min(layout.padded - from, ORIGIN_FLOATS);
		Page		page;

		buffer = ReadBufferExtended(index, MAIN_FORKNUM, first + part,
									RBM_ZERO_AND_LOCK, NULL);
		state = GenericXLogStart(index);
		page = GenericXLogRegisterBuffer(state, buffer,
										 GENERIC_XLOG_FULL_IMAGE);
		ktree_page_init(page, KTREE_PAGE_ORIGIN, 0, first, part);
		memcpy((char *) page + KTREE_PAGE_START, origin + from,
			   sizeof(float) * count);
		((PageHeader) page)->pd_lower =
			(LocationIndex) (KTREE_PAGE_START + sizeof(float) * count);
		GenericXLogFinish(state);
		UnlockReleaseBuffer(buffer);
	}

	meta = ktree_meta_begin(index, &update);
	meta->dims = dims;
	meta->padded = (uint16) layout.padded;
	meta->coded = (uint16) layout.coded;
	meta->capacity = (uint16) layout.capacity;
	meta->extent_pages = (uint16) layout.extent_pages;
	meta->origin_block = first;
	meta->scale = scale;
	meta->filters = (uint32) layout.filters;
	ktree_meta_end(&update);
}

/* Make a node the root of a tree that had none. */
void
ktree_set_root(Relation index, KtreeLink root, int height)
{
	KtreeMetaUpdate update;
	KtreeMeta  *meta = ktree_meta_begin(index, &update);

	meta->root = root;
	meta->height = height;
	ktree_meta_end(&update);
}
