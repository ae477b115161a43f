/*-------------------------------------------------------------------------
 *
 * inverted_vacuum.c
 *	  Deleting from an inverted index.
 *
 * A deleted document is marked in the list of documents; its postings go when
 * the segment is next merged.  A search that has read the mark too early loses
 * nothing: it looks rows up in the table under its own snapshot.
 *
 * The structure lock keeps merges from copying documents that are being
 * marked.  Inserts and searches go on.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "commands/vacuum.h"
#include "miscadmin.h"
#include "storage/indexfsm.h"

#include "index/inverted/inverted.h"

typedef struct Deletion
{
	Relation	index;
	IndexBulkDeleteResult *stats;
	IndexBulkDeleteCallback callback;
	void	   *callback_state;
	BufferAccessStrategy strategy;
} Deletion;

/* Is this row to go? */
static bool
must_go(Deletion *deletion, uint32 block, uint16 offset)
{
	ItemPointerData tid;

	ItemPointerSet(&tid, block, offset);
	return deletion->callback(&tid, deletion->callback_state);
}

/*
 * Mark the dead on one page of a list of documents.  Returns how many, new or
 * old, there are.
 */
static uint32
delete_on_page(Deletion *deletion, const InvertedSegment *segment,
			   uint32 number)
{
	Relation	index = deletion->index;
	BlockNumber block = segment->region[REGION_DOCUMENTS][number];
	Buffer		buffer = ReadBufferExtended(index, MAIN_FORKNUM, block,
											RBM_NORMAL, deletion->strategy);
	Page		page;
	GenericXLogState *state;
	InvertedDocument *document;
	uint32		count;
	uint32		dead = 0;
	uint32		fresh = 0;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	page = BufferGetPage(buffer);
	if (!inverted_page_is(page, block, segment->entry.id, REGION_DOCUMENTS))
		inverted_corrupted(index, block, "page of documents has another owner");

	state = GenericXLogStart(index);
	page = GenericXLogRegisterBuffer(state, buffer, 0);
	document = (InvertedDocument *) InvertedPageData(page);
	count = Min(PAGE_ITEMS(InvertedDocument),
				segment->root.documents -
					number * PAGE_ITEMS(InvertedDocument));
	for (uint32 i = 0; i < count; i++)
	{
		if ((document[i].flags & DOCUMENT_DEAD) == 0 &&
			must_go(deletion, document[i].block, document[i].offset))
		{
			document[i].flags |= DOCUMENT_DEAD;
			fresh++;
		}
		dead += (document[i].flags & DOCUMENT_DEAD) != 0;
	}
	if (fresh > 0)
		GenericXLogFinish(state);
	else
		GenericXLogAbort(state);
	UnlockReleaseBuffer(buffer);
	deletion->stats->tuples_removed += fresh;
	deletion->stats->num_index_tuples += count - dead;
	return dead;
}

/*
 * Keep the account of a segment's dead, which is behind until then: a crash in
 * between leaves it behind until the next VACUUM counts again.
 */
static void
set_dead(Relation index, uint64 id, uint32 dead)
{
	InvertedMetaUpdate update = inverted_begin_update(index);
	InvertedMeta *meta = update.meta;

	for (uint32 i = 0; i < meta->segment_count; i++)
	{
		if (meta->segment[i].id == id)
			meta->segment[i].dead = dead;
	}
	inverted_finish_update(&update);
}

static void
delete_in_segment(Deletion *deletion, const InvertedSegmentEntry *entry)
{
	InvertedSegment segment;
	uint32		dead = 0;

	if (!segment_open(deletion->index, entry, &segment))
		inverted_corrupted(deletion->index, entry->root, "root page has another owner");
	for (uint32 i = 0; i < segment.root.region_pages[REGION_DOCUMENTS]; i++)
	{
		vacuum_delay();
		dead += delete_on_page(deletion, &segment, i);
	}
	if (dead != entry->dead)
		set_dead(deletion->index, entry->id, dead);
	segment_close(&segment);
}

/* Mark the dead among the records of one page of a tail; returns the next. */
static BlockNumber
delete_on_tail_page(Deletion *deletion, BlockNumber block, uint64 owner)
{
	Buffer		buffer = ReadBuffer(deletion->index, block);
	GenericXLogState *state;
	Page		page;
	InvertedSpecial *special;
	BlockNumber next;
	char	   *at;
	uint32		fresh = 0;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	page = BufferGetPage(buffer);
	if (!inverted_page_is(page, block, owner, PAGE_TAIL))
		inverted_corrupted(deletion->index, block, "page of the tail has another owner");
	state = GenericXLogStart(deletion->index);
	page = GenericXLogRegisterBuffer(state, buffer, 0);
	special = InvertedPageSpecial(page);
	next = special->next;
	at = InvertedPageData(page);
	for (int i = 0; i < special->records; i++)
	{
		InvertedRecord *record = (InvertedRecord *) at;
		Size		bytes = (record->flags & RECORD_OVERFLOW)
								? 0
								: MAXALIGN(record->bytes);

		if (at + sizeof(InvertedRecord) + bytes >
			(char *) page + ((PageHeader) page)->pd_lower)
			inverted_corrupted(deletion->index, block, "record exceeds its page");
		if ((record->flags & DOCUMENT_DEAD) == 0 &&
			must_go(deletion, record->block, record->offset))
		{
			record->flags |= DOCUMENT_DEAD;
			fresh++;
		}
		deletion->stats->num_index_tuples += (record->flags & DOCUMENT_DEAD) ==
											 0;
		at += sizeof(InvertedRecord) + bytes;
	}
	if (fresh > 0)
		GenericXLogFinish(state);
	else
		GenericXLogAbort(state);
	UnlockReleaseBuffer(buffer);
	deletion->stats->tuples_removed += fresh;
	return next;
}

static void
delete_in_tail(Deletion *deletion, const InvertedTail *tail)
{
	BlockNumber block = tail->id == 0 ? InvalidBlockNumber : tail->first;

	while (block != InvalidBlockNumber)
	{
		vacuum_delay();
		block = delete_on_tail_page(deletion, block, tail->id);
	}
}

/*
 * Mark all rows that the callback names.  Also how CREATE INDEX
 * CONCURRENTLY learns which rows are in the index.
 */
IndexBulkDeleteResult *
inverted_bulk_delete(IndexVacuumInfo *info, IndexBulkDeleteResult *stats,
					 IndexBulkDeleteCallback callback, void *callback_state)
{
	Deletion	deletion = {info->index};
	InvertedMeta *meta = palloc(sizeof(InvertedMeta));

	if (stats == NULL)
		stats = palloc0(sizeof(IndexBulkDeleteResult));
	stats->num_index_tuples = 0;
	deletion.stats = stats;
	deletion.callback = callback;
	deletion.callback_state = callback_state;
	deletion.strategy = info->strategy;

	inverted_lock_structure(info->index);
	inverted_read_meta(info->index, meta);
	for (uint32 i = 0; i < meta->segment_count; i++)
		delete_in_segment(&deletion, &meta->segment[i]);
	delete_in_tail(&deletion, &meta->frozen);

	/*
	 * A tail that began after the metapage was read has only rows inserted
	 * since, none of which can be in the list of dead ones.  The tail cannot
	 * be sealed while we hold the lock, so its pages stay where they are.
	 */
	delete_in_tail(&deletion, &meta->tail);
	inverted_unlock_structure(info->index);
	pfree(meta);
	return stats;
}

/*
 * Seal and merge what is worth it, renew segments with many dead, and find
 * free pages again.
 */
IndexBulkDeleteResult *
inverted_vacuum_cleanup(IndexVacuumInfo *info, IndexBulkDeleteResult *stats)
{
	if (info->analyze_only)
		return stats;
	if (stats == NULL)
	{
		/* nothing was deleted: count what the metapage knows */
		stats = palloc0(sizeof(IndexBulkDeleteResult));
		stats->estimated_count = true;
		stats->num_index_tuples = info->num_heap_tuples;
	}
	inverted_lock_structure(info->index);
	inverted_maintain(info->index, true);
	inverted_unlock_structure(info->index);
	stats->pages_free = inverted_free_orphans(info->index, info->strategy);
	stats->num_pages = RelationGetNumberOfBlocks(info->index);
	return stats;
}
