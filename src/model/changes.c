/*-------------------------------------------------------------------------
 *
 * changes.c
 *	  What this transaction has changed in which models.
 *
 * Others learn of a change by the version of row 0.  The transaction that
 * makes changes needs to know more, since it can look between two of them
 * and through cursors older than them: after which command the rows changed
 * last, and whether a statement that changes them is still going on.  The
 * trigger is called at the end of each such statement and leaves a mark here.
 *
 * Marks nest as subtransactions do: what is rolled back takes its mark along,
 * and the one below counts again.
 *
 *-------------------------------------------------------------------------
 */
#include "model/model_private.h"

#include "access/heapam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/rel.h"

typedef struct ChangeMark
{
	SubTransactionId subtransaction;
	uint64		serial;
	CommandId	command;
	int64		rows;			/* see changed_rows */
	bool		versioned;		/* row 0 has a version of this transaction */
	struct ChangeMark *below;	/* of an outer subtransaction */
} ChangeMark;

typedef struct ChangedTable
{
	Oid			table;			/* hash key */
	ChangeMark *mark;			/* the innermost */
} ChangedTable;

static HTAB *changed_tables = NULL;
static MemoryContext changes_context = NULL;
static LocalTransactionId changes_transaction = InvalidLocalTransactionId;
static uint64 last_change = 0;
static uint64 rollbacks = 0;

/* ---------- rows ---------- */

/*
 * How many rows of the table this transaction has inserted, updated and
 * deleted, those of rolled back subtransactions not counted; -1 if that is
 * not known.  The statistics know it at every moment, also in the middle of
 * a statement.
 */
static int64
changed_rows(Relation table)
{
	const PgStat_TableXactStatus *level;
	int64		rows = 0;

	if (table->rd_tableam != GetHeapamTableAmRoutine() ||
		!relation_is_counted(table))
		return -1;
	for (level = table->pgstat_info->trans; level != NULL;
		 level = level->upper)
		rows += level->tuples_inserted + level->tuples_updated +
			level->tuples_deleted;
	return rows;
}

/* ---------- marks ---------- */

static ChangeMark *
current_mark(Oid table)
{
	ChangedTable *entry;

	if (changed_tables == NULL ||
		changes_transaction != my_local_transaction_id())
		return NULL;
	entry = hash_search(changed_tables, &table, HASH_FIND, NULL);
	return entry == NULL ? NULL : entry->mark;
}

/* The marks of a subtransaction pass to its parent, or go. */
static void
end_subtransaction(SubXactEvent event, SubTransactionId subtransaction,
				   SubTransactionId parent, void *argument)
{
	HASH_SEQ_STATUS status;
	ChangedTable *entry;

	if (event == SUBXACT_EVENT_ABORT_SUB)
		rollbacks++;
	if ((event != SUBXACT_EVENT_ABORT_SUB &&
		 event != SUBXACT_EVENT_COMMIT_SUB) || changed_tables == NULL ||
		changes_transaction != my_local_transaction_id())
		return;
	hash_seq_init(&status, changed_tables);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		ChangeMark *mark = entry->mark;

		if (event == SUBXACT_EVENT_ABORT_SUB)
		{
			while (mark != NULL && mark->subtransaction >= subtransaction)
				mark = mark->below;
			entry->mark = mark;
		}
		else if (mark != NULL && mark->subtransaction == subtransaction)
		{
			mark->subtransaction = parent;
			if (mark->below != NULL && mark->below->subtransaction == parent)
				mark->below = mark->below->below;
		}
	}
}

/* Forget another transaction */
static void
begin_changes(void)
{
	HASHCTL		control = {0};

	if (changed_tables != NULL &&
		changes_transaction == my_local_transaction_id())
		return;
	changed_tables = NULL;
	if (changes_context == NULL)
	{
		changes_context = AllocSetContextCreate(TopMemoryContext,
												"embed changed models",
												ALLOCSET_SMALL_SIZES);
		RegisterSubXactCallback(end_subtransaction, NULL);
	}
	MemoryContextReset(changes_context);
	control.keysize = sizeof(Oid);
	control.entrysize = sizeof(ChangedTable);
	control.hcxt = changes_context;
	changed_tables = hash_create("embed changed models", 16, &control,
								 HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	changes_transaction = my_local_transaction_id();
}

void
model_changed(Relation table, bool versioned)
{
	Oid			relation = RelationGetRelid(table);
	SubTransactionId subtransaction = GetCurrentSubTransactionId();
	ChangedTable *entry;
	ChangeMark *mark;
	bool		found;

	begin_changes();
	mark = MemoryContextAllocZero(changes_context, sizeof(ChangeMark));
	entry = hash_search(changed_tables, &relation, HASH_ENTER, &found);
	if (!found)
		entry->mark = NULL;
	if (entry->mark != NULL && entry->mark->subtransaction == subtransaction)
	{
		pfree(mark);
		mark = entry->mark;
	}
	else
	{
		mark->below = entry->mark;
		mark->subtransaction = subtransaction;
		entry->mark = mark;
	}
	mark->serial = ++last_change;
	/* used: what sees the change has a higher one, what does not has not */
	mark->command = GetCurrentCommandId(true);
	mark->rows = changed_rows(table);
	mark->versioned = versioned;
}

bool
model_is_versioned(Relation table)
{
	const ChangeMark *mark = current_mark(RelationGetRelid(table));

	return mark != NULL && mark->versioned;
}

void
model_changes(Relation table, ModelChanges *changes)
{
	const ChangeMark *mark = current_mark(RelationGetRelid(table));

	memset(changes, 0, sizeof(ModelChanges));
	changes->rows = changed_rows(table);
	if (mark != NULL)
	{
		changes->serial = mark->serial;
		changes->command = mark->command;
	}
	if (changes->rows >= 0 && (mark == NULL || mark->rows >= 0))
		changes->going_on = changes->rows != (mark == NULL ? 0 : mark->rows);
	else
		changes->going_on =
			TransactionIdIsValid(GetTopTransactionIdIfAny()) &&
			CheckRelationLockedByMe(table, RowExclusiveLock, true);
}

uint64
model_rollbacks(void)
{
	return rollbacks;
}

uint64
model_last_change(void)
{
	return last_change;
}

uint64
model_final_change(Oid table, LocalTransactionId transaction)
{
	ChangedTable *entry;

	if (changed_tables == NULL || changes_transaction != transaction)
		return 0;
	entry = hash_search(changed_tables, &table, HASH_FIND, NULL);
	return entry == NULL || entry->mark == NULL ? 0 : entry->mark->serial;
}
