/*-------------------------------------------------------------------------
 *
 * image_patch.c
 *	  An image made of an older one and of what has changed since.
 *
 *-------------------------------------------------------------------------
 */
#include "model/model_private.h"

#include "access/transam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* ---------- what an image knows of its pages ---------- */

bool
image_can_note_pages(Relation table, Snapshot snapshot)
{
	return snapshot->snapshot_type == SNAPSHOT_MVCC &&
		!snapshot->suboverflowed && RelationNeedsWAL(table);
}

/* Transactions that run, for a snapshot, below its xmax: our own is one */
static uint32
running_transactions(Snapshot snapshot)
{
	TransactionId own = GetTopTransactionIdIfAny();

	if (snapshot->takenDuringRecovery)
		return snapshot->subxcnt;	/* all are there */
	return snapshot->xcnt + (TransactionIdIsValid(own) &&
							 TransactionIdPrecedes(own, snapshot->xmax));
}

void
image_note_snapshot(ImagePages *pages, Snapshot snapshot, XLogRecPtr position)
{
	pages->noted = true;
	pages->position = position;
	pages->xmax = snapshot->xmax;
	pages->running = running_transactions(snapshot);
	pages->recovery = snapshot->takenDuringRecovery;
	pages->command = snapshot->curcid;
	pages->own = GetTopTransactionIdIfAny();
	pages->transaction = my_local_transaction_id();
	pages->rollbacks = model_rollbacks();
}
