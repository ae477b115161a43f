/*-------------------------------------------------------------------------
 *
 * page.c
 *	  Pages of an inverted index: metapage, allocation, and who owns what.
 *
 * The metapage names every living segment and tail.  A page belongs to the one
 * whose id is in its special area, and is free if the metapage does not name
 * that id.  So freeing needs no WAL: leaving the metapage frees all pages of a
 * segment at once, and the free space map is a hint that VACUUM rebuilds.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "access/generic_xlog.h"
#include "access/xloginsert.h"
#include "miscadmin.h"
#include "storage/freespace.h"
#include "storage/indexfsm.h"
#include "storage/lmgr.h"

#include "index/inverted/inverted.h"

void
inverted_init_page(Page page, BlockNumber block, uint64 owner, uint16 kind)
{
	InvertedSpecial *special;

	PageInit(page, BLCKSZ, sizeof(InvertedSpecial));
	((PageHeader) page)->pd_lower = MAXALIGN(SizeOfPageHeaderData);
	special = InvertedPageSpecial(page);
	special->owner = owner;
	special->block = block;
	special->next = InvalidBlockNumber;
	special->kind = kind;
	special->page_id = INVERTED_PAGE_ID;
}

/* Only what lies below pd_lower is logged. */
void
inverted_set_meta_length(Page page)
{
	InvertedMeta *meta = (InvertedMeta *) InvertedPageData(page);

	((PageHeader) page)->pd_lower = MAXALIGN(SizeOfPageHeaderData) +
		offsetof(InvertedMeta, segment) +
		meta->segment_count * sizeof(InvertedSegmentEntry);
}

/*
 * Write the first page of a new index.
 *
 * The init fork of an unlogged index is logged like any other page: it is what
 * the index starts from after a crash.
 */
void
inverted_create_meta(Relation index, ForkNumber fork)
{
	InvertedOptions *options = (InvertedOptions *) index->rd_options;
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(index), 0);
	int			metric = inverted_index_metric(index);
	Buffer		buffer;
	Page		page;
	InvertedMeta *meta;

	/* catalogs have been asked before: no error may come from here on */
	buffer = ReadBufferExtended(index, fork, P_NEW, RBM_NORMAL, NULL);
	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	Assert(BufferGetBlockNumber(buffer) == INVERTED_META_BLOCK);

	START_CRIT_SECTION();
	page = BufferGetPage(buffer);
	inverted_init_page(page, INVERTED_META_BLOCK, 0, PAGE_META);
	meta = (InvertedMeta *) InvertedPageData(page);
	memset(meta, 0, sizeof(InvertedMeta));
	meta->magic = INVERTED_MAGIC;
	meta->version = INVERTED_VERSION;
	meta->metric = metric;
	meta->dims = attribute->atttypmod > 0 ? attribute->atttypmod : 0;
	meta->weight_bits = options ? options->weight_bits : INVERTED_WEIGHT_BITS;
	meta->next_id = 2;
	meta->tail.id = 1;
	meta->tail.first = meta->tail.last = InvalidBlockNumber;
	meta->frozen.first = meta->frozen.last = InvalidBlockNumber;
	inverted_set_meta_length(page);
	MarkBufferDirty(buffer);
	if (fork == INIT_FORKNUM)
		log_newpage_buffer(buffer, true);
	END_CRIT_SECTION();

	UnlockReleaseBuffer(buffer);
}

/* The metapage's contents, after a look at magic and version. */
InvertedMeta *
inverted_meta_of_page(Relation index, Page page)
{
	InvertedMeta *meta = (InvertedMeta *) InvertedPageData(page);

	if (PageIsNew(page) ||
		PageGetSpecialSize(page) != sizeof(InvertedSpecial) ||
		meta->magic != INVERTED_MAGIC)
		ereport(ERROR,
				(errcode(ERRCODE_INDEX_CORRUPTED),
				 errmsg("index \"%s\" is not an inverted index",
						RelationGetRelationName(index)),
				 errhint("Please REINDEX it.")));
	if (meta->version != INVERTED_VERSION)
		ereport(
			ERROR,
			(errcode(ERRCODE_INDEX_CORRUPTED),
			 errmsg(
				 "index \"%s\" has format version %d, this library reads version %d",
				 RelationGetRelationName(index), meta->version,
				 INVERTED_VERSION),
			 errhint("Please REINDEX it.")));
	if (meta->segment_count > INVERTED_MAX_SEGMENTS)
		inverted_corrupted(index, INVERTED_META_BLOCK, "too many segments");
	return meta;
}

void
inverted_read_meta(Relation index, InvertedMeta *meta)
{
	Buffer		buffer = ReadBuffer(index, INVERTED_META_BLOCK);
	InvertedMeta *shared;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	shared = inverted_meta_of_page(index, BufferGetPage(buffer));
	memcpy(meta, shared, offsetof(InvertedMeta, segment) +
		   shared->segment_count * sizeof(InvertedSegmentEntry));
	UnlockReleaseBuffer(buffer);
}

InvertedMetaUpdate
inverted_begin_update(Relation index)
{
	InvertedMetaUpdate update;

	update.buffer = ReadBuffer(index, INVERTED_META_BLOCK);
	LockBuffer(update.buffer, BUFFER_LOCK_EXCLUSIVE);
	update.state = GenericXLogStart(index);
	update.page = GenericXLogRegisterBuffer(update.state, update.buffer, 0);
	update.meta = inverted_meta_of_page(index, update.page);
	return update;
}

void
inverted_finish_update(InvertedMetaUpdate *update)
{
	GenericXLogFinish(update->state);
	UnlockReleaseBuffer(update->buffer);
}

bool
inverted_owner_lives(const InvertedMeta *meta, uint64 owner)
{
	if (owner == 0 || owner == meta->tail.id || owner == meta->frozen.id ||
		owner == meta->building)
		return true;
	for (uint32 i = 0; i < meta->segment_count; i++)
	{
		if (meta->segment[i].id == owner)
			return true;
	}
	return false;
}

/* The owner of a page under lock; a page never written has none. */
static bool
page_owner(Page page, uint64 *owner)
{
	if (PageIsNew(page) || PageGetSpecialSize(page) != sizeof(InvertedSpecial))
		return false;
	*owner = InvertedPageSpecial(page)->owner;
	return true;
}

/*
 * Try to take a block the free space map offers.  Its entries are hints, and
 * a page may have found a new owner since.
 *
 * Without a locked metapage at hand, the metapage is looked at while the page
 * is not locked, because others lock the metapage first.  That is enough: ids
 * do not come back, so an owner that was dead stays dead, and the page is ours
 * if its owner did not change meanwhile.
 */
static Buffer
claim_block(Relation index, BlockNumber block, const InvertedMeta *locked_meta)
{
	Buffer		buffer = ReadBuffer(index, block);
	uint64		owner = 0;
	uint64		again = 0;

	if (!ConditionalLockBuffer(buffer))
	{
		ReleaseBuffer(buffer);
		return InvalidBuffer;
	}
	if (!page_owner(BufferGetPage(buffer), &owner))
		return buffer;
	if (locked_meta != NULL)
	{
		if (!inverted_owner_lives(locked_meta, owner))
			return buffer;
	}
	else
	{
		InvertedMeta *meta = palloc(sizeof(InvertedMeta));
		bool		lives;

		LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
		inverted_read_meta(index, meta);
		lives = inverted_owner_lives(meta, owner);
		pfree(meta);
		if (lives)
		{
			ReleaseBuffer(buffer);
			return InvalidBuffer;
		}
		LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
		if (page_owner(BufferGetPage(buffer), &again) && again == owner)
			return buffer;
	}
	UnlockReleaseBuffer(buffer);
	return InvalidBuffer;
}

/*
 * A page for new contents, exclusively locked: a free one or a new one.
 *
 * locked_meta: the metapage's contents if the caller holds it locked, else
 * NULL
 */
Buffer
inverted_allocate(Relation index, const InvertedMeta *locked_meta)
{
	Buffer		buffer;
	BlockNumber block;
	bool		lock_needed = !RELATION_IS_LOCAL(index);

	while ((block = GetFreeIndexPage(index)) != InvalidBlockNumber)
	{
		CHECK_FOR_INTERRUPTS();
		if (block == INVERTED_META_BLOCK)
			continue;
		buffer = claim_block(index, block, locked_meta);
		if (BufferIsValid(buffer))
			return buffer;
	}

	/*
	 * The buffer is locked before the extension lock goes, so that whoever
	 * sees the longer file waits for the page's contents.
	 */
	if (lock_needed)
		LockRelationForExtension(index, ExclusiveLock);
	buffer = ReadBuffer(index, P_NEW);
	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	if (lock_needed)
		UnlockRelationForExtension(index, ExclusiveLock);
	return buffer;
}

void
inverted_free_block(Relation index, BlockNumber block)
{
	RecordFreeIndexPage(index, block);
}

/*
 * Enter every page without a living owner into the free space map, and
 * strike out every other that a crash has left in it; returns how many are
 * free.  A page that is freed or taken meanwhile may be entered wrongly,
 * which costs its next taker a look, or waits for the next VACUUM.
 */
BlockNumber
inverted_free_orphans(Relation index, BufferAccessStrategy strategy)
{
	InvertedMeta *meta = palloc(sizeof(InvertedMeta));
	BlockNumber blocks;
	BlockNumber found = 0;
	BlockNumber block;
	bool		lock_needed = !RELATION_IS_LOCAL(index);

	if (lock_needed)
		LockRelationForExtension(index, ExclusiveLock);
	blocks = RelationGetNumberOfBlocks(index);
	if (lock_needed)
		UnlockRelationForExtension(index, ExclusiveLock);

	for (block = INVERTED_META_BLOCK + 1; block < blocks; block++)
	{
		Buffer		buffer;
		uint64		owner = 0;
		bool		owned;

		CHECK_FOR_INTERRUPTS();
		buffer = ReadBufferExtended(index, MAIN_FORKNUM, block, RBM_NORMAL,
									strategy);
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		owned = page_owner(BufferGetPage(buffer), &owner);
		UnlockReleaseBuffer(buffer);
		if (owned)
		{
			/* read after the page: an owner newer than this copy is alive */
			inverted_read_meta(index, meta);
			owned = inverted_owner_lives(meta, owner);
		}
		if (!owned)
		{
			inverted_free_block(index, block);
			found++;
		}
		else if (GetRecordedFreeSpace(index, block) > 0)
			RecordUsedIndexPage(index, block);
	}
	IndexFreeSpaceMapVacuum(index);
	pfree(meta);
	return found;
}

/*
 * One backend at a time seals, merges or deletes.  This is a heavyweight lock
 * because it is held long; searches and ordinary inserts never take it.
 */
void
inverted_lock_structure(Relation index)
{
	LockPage(index, INVERTED_META_BLOCK, ExclusiveLock);
}

bool
inverted_try_lock_structure(Relation index)
{
	return ConditionalLockPage(index, INVERTED_META_BLOCK, ExclusiveLock);
}

void
inverted_unlock_structure(Relation index)
{
	UnlockPage(index, INVERTED_META_BLOCK, ExclusiveLock);
}

/* The class of a vector, and its norm if the metric is cosine. */
int
inverted_vector_class(int metric, const SparseVector *vector, double *norm)
{
	const float *value = SPARSEVEC_VALUES(vector);
	double		sum = 0;

	*norm = 1;
	if (vector->count == 0)
		return DOCUMENT_EMPTY;
	for (int i = 0; i < vector->count; i++)
	{
		float		magnitude = fabsf(value[i]);

		if (!(magnitude <= WEIGHT_LARGEST && magnitude >= WEIGHT_SMALLEST))
			return DOCUMENT_IRREGULAR;
		sum += (double) value[i] * value[i];
	}
	if (metric == INVERTED_COSINE)
		*norm = sqrt(sum);
	return 0;
}

void
inverted_check_dims(int expected, int found)
{
	if (expected != 0 && expected != found)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("different sparsevec dimensions %d and %d", expected, found)));
}
