/*-------------------------------------------------------------------------
 *
 * extent.c
 *	  Taking extents from the free list or the end of the file, and giving
 *	  them back.
 *
 * The free list is a chain through the first pages of free extents, its head
 * in the metapage.  It is WAL-logged, so nothing is lost or given out twice
 * after a crash, and a standby sees the same.
 *
 * One free extent is left for VACUUM, which never makes the file longer: a
 * full disk is when it is needed most.  Whatever it copies or merges goes to
 * the extent that is left, and what that replaces is the next.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "access/transam.h"
#include "access/xact.h"
#include "storage/lmgr.h"
#include "utils/rel.h"

#include "index/ktree/ktree.h"

/* Free extents that are left for VACUUM. */
#define SPARE_EXTENTS 1

/* Make the file longer by contiguous pages of zeros; returns the first. */
BlockNumber
ktree_extend(Relation index, int pages)
{
	BlockNumber first = InvalidBlockNumber;

	LockRelationForExtension(index, ExclusiveLock);
	for (int i = 0; i < pages; i++)
	{
		Buffer		buffer = ReadBuffer(index, P_NEW);

		if (i == 0)
			first = BufferGetBlockNumber(buffer);
		ReleaseBuffer(buffer);
	}
	UnlockRelationForExtension(index, ExclusiveLock);
	return first;
}

/* Header of an extent that holds nothing yet. */
static void
init_free_page(Page page, uint32 generation, BlockNumber block)
{
	KtreeNode  *node;

	ktree_page_init(page, KTREE_PAGE_NODE, generation, block, 0);
	node = KtreePageNode(page);
	memset(node, 0, sizeof(*node));
	node->state = KTREE_FREE;
	node->forward[0].block = node->forward[1].block = InvalidBlockNumber;
	node->next_free = InvalidBlockNumber;
	node->writer = U64FromFullTransactionId(GetTopFullTransactionIdIfAny());
	ktree_page_mark(page, generation);
	((PageHeader) page)->pd_lower = KTREE_NODE_START;
}

/* The first extent of the free list; the metapage is locked. */
static KtreeLink
take_free(Relation index, Buffer meta_buffer)
{
	KtreeMeta  *meta = KtreePageMeta(BufferGetPage(meta_buffer));
	Buffer		buffer = ReadBuffer(index, meta->free_head);
	GenericXLogState *state;
	Page		page;
	KtreeNode  *node;
	KtreeLink	link;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	ktree_check_page(index, buffer, KTREE_PAGE_NODE);
	if (KtreePageNode(BufferGetPage(buffer))->state == KTREE_LIVE)
		ereport(ERROR,
				(errcode(ERRCODE_INDEX_CORRUPTED),
				 errmsg("free list of index \"%s\" leads to a live node at block %u",
						RelationGetRelationName(index), meta->free_head),
				 errhint("Please REINDEX it.")));
	state = GenericXLogStart(index);
	meta = KtreePageMeta(GenericXLogRegisterBuffer(state, meta_buffer, 0));
	page = GenericXLogRegisterBuffer(state, buffer, 0);
	node = KtreePageNode(page);
	link.block = meta->free_head;
	link.generation = KtreePageSpecial(page)->generation + 1;
	ktree_page_mark(page, link.generation);
	meta->free_head = node->next_free;
	meta->free_count--;
	node->state = KTREE_FREE;
	node->flags &= ~KTREE_ON_FREE_LIST;
	node->next_free = InvalidBlockNumber;
	node->writer = U64FromFullTransactionId(GetTopFullTransactionIdIfAny());
	GenericXLogFinish(state);
	UnlockReleaseBuffer(buffer);
	return link;
}

/*
 * A new extent at the end of the file; the metapage is locked.  Its first page
 * is logged at once, with who took it, so that VACUUM can tell an extent that
 * a crash left behind from one that is being written.
 */
static KtreeLink
make_extent(Relation index, const KtreeLayout *layout, Buffer meta_buffer)
{
	KtreeLink	link = {ktree_extend(index, layout->extent_pages), 1};
	Buffer		buffer = ReadBuffer(index, link.block);
	GenericXLogState *state;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	state = GenericXLogStart(index);
	KtreePageMeta(GenericXLogRegisterBuffer(state, meta_buffer, 0))->extents++;
	init_free_page(GenericXLogRegisterBuffer(state, buffer,
											 GENERIC_XLOG_FULL_IMAGE),
				   link.generation, link.block);
	GenericXLogFinish(state);
	UnlockReleaseBuffer(buffer);
	return link;
}

/*
 * An extent for the caller to write.  Its generation is new, so that no
 * old pointer reaches it.  The caller holds no buffer lock.
 *
 * spare: take also what is left for VACUUM, and none (InvalidBlockNumber)
 * rather than make the file longer
 */
KtreeLink
ktree_take_extent(Relation index, const KtreeLayout *layout, bool spare)
{
	Buffer		meta_buffer = ReadBuffer(index, KTREE_META_BLOCK);
	KtreeLink	link = {InvalidBlockNumber, 0};
	KtreeMeta  *meta;

	LockBuffer(meta_buffer, BUFFER_LOCK_EXCLUSIVE);
	meta = KtreePageMeta(BufferGetPage(meta_buffer));
	if (meta->free_head != InvalidBlockNumber &&
		(spare || meta->free_count > SPARE_EXTENTS))
		link = take_free(index, meta_buffer);
	else if (!spare)
		link = make_extent(index, layout, meta_buffer);
	UnlockReleaseBuffer(meta_buffer);
	return link;
}

/*
 * See to it that there is a free extent for VACUUM, which a tree of one
 * node can do without.
 */
void
ktree_leave_spare(Relation index, const KtreeLayout *layout)
{
	Buffer		meta_buffer = ReadBuffer(index, KTREE_META_BLOCK);
	KtreeLink	link = {InvalidBlockNumber, 0};
	KtreeMeta  *meta;

	LockBuffer(meta_buffer, BUFFER_LOCK_EXCLUSIVE);
	meta = KtreePageMeta(BufferGetPage(meta_buffer));
	if (meta->free_count < SPARE_EXTENTS && meta->extents > 1)
		link = make_extent(index, layout, meta_buffer);
	UnlockReleaseBuffer(meta_buffer);
	if (link.block != InvalidBlockNumber)
		ktree_give_extent(index, link, KTREE_UNUSED);
}

/*
 * Put an extent that nothing points to on the free list.
 *
 * Its contents stay readable for those who still come with the right
 * generation, until somebody takes it.
 */
void
ktree_give_extent(Relation index, KtreeLink link, KtreeGiven why)
{
	Buffer		meta_buffer = ReadBuffer(index, KTREE_META_BLOCK);
	Buffer		buffer;
	GenericXLogState *state;
	KtreeMeta  *meta;
	Page		page;
	KtreeNode  *node;

	LockBuffer(meta_buffer, BUFFER_LOCK_EXCLUSIVE);
	buffer = ktree_lock_part(index, link, 0, BUFFER_LOCK_EXCLUSIVE);
	if (!BufferIsValid(buffer) ||
		(KtreePageNode(BufferGetPage(buffer))->flags & KTREE_ON_FREE_LIST))
	{
		/* VACUUM, taking it for an orphan, was first */
		if (BufferIsValid(buffer))
			UnlockReleaseBuffer(buffer);
		UnlockReleaseBuffer(meta_buffer);
		return;
	}

	state = GenericXLogStart(index);
	meta = KtreePageMeta(GenericXLogRegisterBuffer(state, meta_buffer, 0));
	page = GenericXLogRegisterBuffer(state, buffer, 0);
	node = KtreePageNode(page);
	if (node->state == KTREE_LIVE)
	{
		/* never reached by a pointer; forwards nowhere */
		node->forward[0].block = node->forward[1].block = InvalidBlockNumber;
		node->state = KTREE_FREE;
	}
	node->flags |= KTREE_ON_FREE_LIST;
	node->next_free = meta->free_head;
	meta->free_head = link.block;
	meta->free_count++;
	meta->splits += (why == KTREE_SPLIT);
	meta->merges += (why == KTREE_MERGED);
	GenericXLogFinish(state);
	UnlockReleaseBuffer(buffer);
	UnlockReleaseBuffer(meta_buffer);
}
