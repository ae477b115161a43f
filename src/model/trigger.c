/*-------------------------------------------------------------------------
 *
 * trigger.c
 *	  The trigger of a model: every change gives row 0 a new version.
 *
 * Row 0 is updated to itself.  Its new place and transaction then tell every
 * reader, under whatever snapshot, that the contents are others; nothing has
 * to be sent to anybody.  The totals it holds are left as they are: they
 * belong to the corpus, not to the rows that remain of it.
 *
 * The update goes straight to the table access method, as the user who
 * changes the table.  An UPDATE command would have to run as somebody who
 * may UPDATE, and would fire the row triggers that others have put on the
 * table: whoever may do that would get the rights of whoever that is.  The
 * row does not change, so that there is nothing to permit and nothing to
 * tell; only an index that the row's new version does not share with the old
 * one takes an entry, by the rules of every INSERT of the same user.
 *
 * A logical replication worker changes nothing here: the publisher's row 0
 * comes as a row in the same transaction, and a row 0 of our own making
 * would collide with it.  For the same reason TRUNCATE leaves no row 0
 * behind, and none is made where there is none: the rows of a dump are
 * about to bring it.
 *
 *-------------------------------------------------------------------------
 */
#include "model/model_private.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "replication/logicalworker.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"

EMBED_FUNCTION(embed_model);

/* ---------- row 0 ---------- */

/*
 * Lock the newest version of row 0, which comes into the slot.  False: it was
 * deleted meanwhile, or is row 0 no more; look again.
 */
static bool
lock_header(Relation table, AttrNumber id, ItemPointer place,
			TupleTableSlot *slot)
{
	TM_FailureData failure;
	TM_Result	result;
	bool		isnull;

	result = table_tuple_lock(table, place, GetActiveSnapshot(), slot,
							  GetCurrentCommandId(false),
							  LockTupleNoKeyExclusive, LockWaitBlock,
							  IsolationUsesXactSnapshot() ? 0 :
							  TUPLE_LOCK_FLAG_FIND_LAST_VERSION, &failure);
	if (result == TM_Ok)
		return DatumGetInt32(slot_getattr(slot, id, &isnull)) == 0 && !isnull;
	if (IsolationUsesXactSnapshot() &&
		(result == TM_Updated || result == TM_Deleted))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to concurrent update"),
				 errdetail("Another transaction has changed embedding model \"%s\" as well.",
						   RelationGetRelationName(table))));
	if (result != TM_Deleted)
		elog(ERROR, "could not lock row 0 of \"%s\": %u",
			 RelationGetRelationName(table), result);
	return false;
}

/*
 * Index entries of the new version, where it does not share the old one's.
 *
 * Expressions of indexes are the owner's, and so run as the owner and with no
 * more than that, as in CREATE INDEX: the user at work may be anybody.
 */
static void
insert_index_entries(Relation table, TupleTableSlot *slot,
					 UpdatedIndexes updated)
{
	EState	   *state = CreateExecutorState();
	ResultRelInfo *target = makeNode(ResultRelInfo);
	int			settings = NewGUCNestLevel();
	Oid			user;
	int			context;

	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(table->rd_rel->relowner,
						   context | SECURITY_RESTRICTED_OPERATION);
	RestrictSearchPath();
	InitResultRelInfo(target, table, 0, NULL, 0);
	ExecOpenIndices(target, false);
	list_free(insert_index_tuples(target, slot, state, updated));
	ExecCloseIndices(target);
	AtEOXact_GUC(false, settings);
	SetUserIdAndSecContext(user, context);
	FreeExecutorState(state);
}

static void
rewrite_header(Relation table, TupleTableSlot *slot)
{
	ItemPointerData place = slot->tts_tid;
	TM_FailureData failure;
	TM_Result	result;
	LockTupleMode mode;
	UpdatedIndexes indexes;

	CheckCmdReplicaIdentity(table, CMD_UPDATE);
	result = table_tuple_update(table, &place, slot, GetCurrentCommandId(true),
								GetActiveSnapshot(), InvalidSnapshot, true,
								&failure, &mode, &indexes);
	if (result != TM_Ok)
		elog(ERROR, "could not update row 0 of \"%s\": %u",
			 RelationGetRelationName(table), result);
	if (indexes_need_entries(indexes))
		insert_index_entries(table, slot, indexes);
}

/*
 * Give row 0 a new version; false if there is no row 0.  Whoever changes the
 * same model concurrently is waited for, as for any row.
 */
static bool
touch_header(Relation table, AttrNumber id)
{
	TupleTableSlot *slot = table_slot_create(table, NULL);
	HeapTuple	header;
	bool		locked = false;

	/* the statement that fired the trigger must be seen, and seen as past */
	CommandCounterIncrement();
	do
	{
		CHECK_FOR_INTERRUPTS();
		PushActiveSnapshot(GetTransactionSnapshot());
		header = model_find_header(table, id, GetActiveSnapshot());
		if (header != NULL)
			locked = lock_header(table, id, &header->t_self, slot);
		if (locked)
			rewrite_header(table, slot);
		PopActiveSnapshot();
	} while (header != NULL && !locked);
	ExecDropSingleTupleTableSlot(slot);
	CommandCounterIncrement();
	return header != NULL;
}

bool
model_touch(Relation table)
{
	AttrNumber	id = model_id_attribute(table);

	if (id == InvalidAttrNumber || !touch_header(table, id))
		return false;
	model_changed(table, true);
	return true;
}

/*
 * One version serves all changes of a transaction: nobody else sees any of
 * them, and the transaction itself tells them apart by their marks (see
 * changes.c).  A million single INSERTs would otherwise leave a million dead
 * versions of row 0 for each next one to step over.
 */
static void
note_change(Relation table, bool truncated)
{
	if (IsLogicalWorker() || truncated)
		model_changed(table, false);
	else if (model_is_versioned(table))
		model_changed(table, true);
	else if (!model_touch(table))
		model_changed(table, false);
}

Datum
embed_model(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by trigger manager",
						MODEL_TRIGGER)));
	if (!TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be fired AFTER each STATEMENT",
						MODEL_TRIGGER)));
	note_change(trigger->tg_relation,
				TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event));
	return PointerGetDatum(NULL);
}
