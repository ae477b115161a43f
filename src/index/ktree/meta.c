/*-------------------------------------------------------------------------
 *
 * meta.c
 *	  The metapage, the origin pages, and what a backend remembers of them.
 *
 *-------------------------------------------------------------------------
 */
#include "embed.h"

#include "access/xloginsert.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "index/ktree/ktree.h"

#define ORIGIN_FLOATS ((int) ((KTREE_PAGE_END - KTREE_PAGE_START) / sizeof(float)))

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
	mark->page_id = KTREE_PAGE_ID;
	if (special->part > 0)
		((PageHeader) page)->pd_lower = Max(((PageHeader) page)->pd_lower,
											(char *) (mark + 1) - (char *) page);
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
	((PageHeader) page)->pd_lower = (LocationIndex) ((char *) (meta + 1) - (char *) page);
}

/* Error unless the page is ours and of the kind expected; the buffer is locked. */
void
ktree_check_page(Relation index, Buffer buffer, KtreePageKind kind)
{
	Page		page = BufferGetPage(buffer);

	if (PageIsNew(page) || PageGetSpecialSize(page) != sizeof(KtreeSpecial) ||
		KtreePageSpecial(page)->page_id != KTREE_PAGE_ID ||
		KtreePageSpecial(page)->kind != kind)
		ereport(ERROR,
				(errcode(ERRCODE_INDEX_CORRUPTED),
				 errmsg("index \"%s\" contains an unexpected page at block %u",
						RelationGetRelationName(index), BufferGetBlockNumber(buffer)),
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

/*
 * ktree_meta_begin
 *	  The metapage, to be changed; the change is logged by ktree_meta_end.
 */
KtreeMeta *
ktree_meta_begin(Relation index, KtreeMetaUpdate *update)
{
	update->buffer = ReadBuffer(index, KTREE_META_BLOCK);
	LockBuffer(update->buffer, BUFFER_LOCK_EXCLUSIVE);
	ktree_check_page(index, update->buffer, KTREE_PAGE_META);
	update->state = GenericXLogStart(index);
	return KtreePageMeta(GenericXLogRegisterBuffer(update->state, update->buffer, 0));
}

void
ktree_meta_end(KtreeMetaUpdate *update)
{
	GenericXLogFinish(update->state);
	UnlockReleaseBuffer(update->buffer);
}

/* Read the origin into "padded" floats. */
static void
read_origin(Relation index, const KtreeLayout *layout, BlockNumber first, float *origin)
{
	for (int part = 0; part < layout->origin_pages; part++)
	{
		int			from = part * ORIGIN_FLOATS;
		int			count = Min(layout->padded - from, ORIGIN_FLOATS);
		Buffer		buffer = ReadBuffer(index, first + part);

		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		ktree_check_page(index, buffer, KTREE_PAGE_ORIGIN);
		memcpy(origin + from, (char *) BufferGetPage(buffer) + KTREE_PAGE_START,
			   sizeof(float) * count);
		UnlockReleaseBuffer(buffer);
	}
}

/*
 * ktree_cache
 *	  Kind, layout, rotation and origin, in one chunk of the current memory
 *	  context; NULL before the first row.
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

	if (kept == NULL)
	{
		KtreeMeta	meta;
		KtreeLayout layout;
		KtreeCache *fresh;

		ktree_read_meta(index, &meta);
		if (meta.dims == 0)
			return NULL;
		ktree_layout_init(&layout, meta.dims, ktree_filter_count(index));
		if (layout.padded != meta.padded || layout.coded != meta.coded ||
			(uint32) layout.filters != meta.filters ||
			layout.capacity != meta.capacity || layout.extent_pages != meta.extent_pages)
			ereport(ERROR,
					(errcode(ERRCODE_INDEX_CORRUPTED),
					 errmsg("index \"%s\" was built with another layout",
							RelationGetRelationName(index)),
					 errhint("Please REINDEX it.")));

		rotation_bytes = MAXALIGN(rotation_size(meta.dims));
		bytes = MAXALIGN(sizeof(KtreeCache)) + rotation_bytes + sizeof(float) * layout.padded;
		fresh = MemoryContextAlloc(index->rd_indexcxt, bytes);
		fresh->kind = *ktree_kind(index);
		fresh->number = ++number;
		fresh->scale = meta.scale;
		fresh->layout = layout;
		fresh->rotation = (Rotation *) ((char *) fresh + MAXALIGN(sizeof(KtreeCache)));
		fresh->origin = (float *) ((char *) fresh->rotation + rotation_bytes);
		rotation_init(fresh->rotation, meta.dims, meta.seed);
		read_origin(index, &layout, meta.origin_block, fresh->origin);
		index->rd_amcache = kept = fresh;
	}

	rotation_bytes = MAXALIGN(rotation_size(kept->layout.dims));
	bytes = MAXALIGN(sizeof(KtreeCache)) + rotation_bytes + sizeof(float) * kept->layout.padded;
	cache = palloc(bytes);
	memcpy(cache, kept, bytes);
	cache->rotation = (Rotation *) ((char *) cache + MAXALIGN(sizeof(KtreeCache)));
	cache->origin = (float *) ((char *) cache->rotation + rotation_bytes);
	return cache;
}

/*
 * ktree_begin_format
 *	  The first row has come: fix the dimensions and write the origin.
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
		page = GenericXLogRegisterBuffer(state, buffer, GENERIC_XLOG_FULL_IMAGE);
		ktree_page_init(page, KTREE_PAGE_ORIGIN, 0, first, part);
		memcpy((char *) page + KTREE_PAGE_START, origin + from, sizeof(float) * count);
		((PageHeader) page)->pd_lower = (LocationIndex) (KTREE_PAGE_START + sizeof(float) * count);
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
