/*-------------------------------------------------------------------------
 *
 * gone.c
 *	  Starting an index anew whose rows are all gone.
 *
 * A column without declared dimensions takes them from the first row that is
 * inserted, and an index cannot know whether that row will be committed.  When
 * a row of other dimensions comes, and every row that the index has is one
 * that nobody can see any more, as after a rollback, there is nothing that the
 * new row would contradict.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "access/tableam.h"
#include "executor/tuptable.h"
#include "storage/lmgr.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "index/index.h"

struct IndexGone
{
	IndexFetchTableData *fetch;
	TupleTableSlot *slot;
	SnapshotData snapshot;
};

IndexGone *
index_gone_begin(Relation heap)
{
	IndexGone  *gone = palloc0(sizeof(IndexGone));

	gone->fetch = table_index_fetch_begin(heap);
	gone->slot = table_slot_create(heap, NULL);
	init_non_vacuumable_snapshot(gone->snapshot, heap);
	return gone;
}

/* Is there no version of a row that anybody sees or may yet see? */
bool
index_gone(IndexGone *gone, const ItemPointerData *tid)
{
	ItemPointerData at = *tid;
	bool		again = false;
	bool		all_dead = false;
	bool		found = table_index_fetch_tuple(gone->fetch, &at,
												&gone->snapshot, gone->slot,
												&again, &all_dead);

	ExecClearTuple(gone->slot);
	return !found;
}

void
index_gone_end(IndexGone *gone)
{
	table_index_fetch_end(gone->fetch);
	ExecDropSingleTupleTableSlot(gone->slot);
	pfree(gone);
}

/*
 * Get an index for ourselves alone until the transaction ends; false if
 * another session, or another statement of ours, is using it.
 */
bool
index_claim(Relation index)
{
	return index->rd_refcnt == 1 &&
		   ConditionalLockRelation(index, AccessExclusiveLock);
}
