/*-------------------------------------------------------------------------
 *
 * index_rows.c
 *	  The indexed values of a table's rows, read again by an access method.
 *
 * An index that keeps less than the value goes back to the row for the rest.
 * It uses a table fetch of its own, never the executor's.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "access/relscan.h"
#include "access/tableam.h"
#include "catalog/index.h"
#include "executor/executor.h"
#include "nodes/execnodes.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "index/index.h"

struct IndexRows
{
	Relation	heap;
	IndexFetchTableData *fetch;
	TupleTableSlot *slot;
	MemoryContext scratch;		/* one row's value */
	AttrNumber	column;			/* 0: an expression */
	IndexInfo  *info;
	EState	   *estate;
};

/* Prepare to read rows of an index's table, in the current memory context. */
IndexRows *
index_rows_begin(Relation heap, Relation index)
{
	IndexRows  *rows = palloc0(sizeof(IndexRows));

	rows->heap = heap;
	rows->fetch = table_index_fetch_begin(heap);
	rows->slot = table_slot_create(heap, NULL);
	rows->scratch = AllocSetContextCreate(CurrentMemoryContext, "index rows",
										  ALLOCSET_DEFAULT_SIZES);
	rows->column = index->rd_index->indkey.values[0];
	if (rows->column == 0)
	{
		rows->info = BuildIndexInfo(index);
		rows->estate = CreateExecutorState();
	}
	return rows;
}

/* Let go of the table's page, and of the last row. */
void
index_rows_reset(IndexRows *rows)
{
	index_rows_clear(rows);
	table_index_fetch_reset(rows->fetch);
}

/* Give up what the memory context does not free. */
void
index_rows_end(IndexRows *rows)
{
	table_index_fetch_end(rows->fetch);
	ExecDropSingleTupleTableSlot(rows->slot);
	if (rows->estate != NULL)
		FreeExecutorState(rows->estate);
	MemoryContextDelete(rows->scratch);
	pfree(rows);
}

/* Emptied by index_rows_clear(): for what is computed from one row. */
MemoryContext
index_rows_scratch(IndexRows *rows)
{
	return rows->scratch;
}

/*
 * The indexed value of a row, perhaps toasted, or *null if it has none.
 * False if the snapshot sees no row there.  Good until index_rows_clear().
 */
bool
index_rows_fetch(IndexRows *rows, const ItemPointerData *tid,
				 Snapshot snapshot, Datum *value, bool *null)
{
	ItemPointerData at = *tid;	/* becomes that of the version found */
	bool		again = false;
	bool		all_dead = false;
	MemoryContext old;
	Datum		values[INDEX_MAX_KEYS];
	bool		nulls[INDEX_MAX_KEYS];

	if (!table_index_fetch_tuple(rows->fetch, &at, snapshot, rows->slot,
								 &again, &all_dead))
		return false;
	if (TTS_IS_BUFFERTUPLE(rows->slot))
		index_remember_buffer(
			rows->heap, ItemPointerGetBlockNumber(&at),
			((BufferHeapTupleTableSlot *) rows->slot)->buffer);
	if (rows->column != 0)
	{
		*value = slot_getattr(rows->slot, rows->column, null);
		return true;
	}
	old = MemoryContextSwitchTo(rows->scratch);
	GetPerTupleExprContext(rows->estate)->ecxt_scantuple = rows->slot;
	FormIndexDatum(rows->info, rows->slot, rows->estate, values, nulls);
	MemoryContextSwitchTo(old);
	*value = values[0];
	*null = nulls[0];
	return true;
}

/*
 * The values of all key columns of a row, of which none may be an expression.
 * As index_rows_fetch().
 */
bool
index_rows_fetch_keys(IndexRows *rows, Relation index,
					  const ItemPointerData *tid, Snapshot snapshot,
					  Datum *values, bool *nulls)
{
	if (!index_rows_fetch(rows, tid, snapshot, &values[0], &nulls[0]))
		return false;
	for (int i = 1; i < index->rd_index->indnkeyatts; i++)
		values[i] = slot_getattr(rows->slot,
								 index->rd_index->indkey.values[i], &nulls[i]);
	return true;
}

void
index_rows_clear(IndexRows *rows)
{
	MemoryContextReset(rows->scratch);
	if (rows->estate != NULL)
		ResetPerTupleExprContext(rows->estate);
	ExecClearTuple(rows->slot);
}
