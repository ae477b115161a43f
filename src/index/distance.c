/*-------------------------------------------------------------------------
 *
 * distance.c
 *	  Exact distances, by the operator's own function, from the table's rows.
 *
 * An index orders rows by bounds, and asks for the exact distance of the few
 * that matter.  It uses a table fetch of its own, never the executor's, and the
 * function behind the operator, so that the result equals a sequential scan's
 * in every bit.
 *
 *-------------------------------------------------------------------------
 */
#include "embed.h"

#include "access/relscan.h"
#include "access/tableam.h"
#include "catalog/index.h"
#include "executor/executor.h"
#include "nodes/execnodes.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "index/index.h"

struct IndexDistance
{
	MemoryContext scratch;		/* one distance */
	FmgrInfo	function;
	Oid			collation;
	IndexFetchTableData *fetch;
	TupleTableSlot *slot;
	AttrNumber	column;			/* 0: an expression */
	IndexInfo  *info;
	EState	   *estate;
};

/*
 * index_distance_begin
 *	  Prepare to compute distances for a scan, in the current memory context.
 *	  The scan's table and snapshot must be known.
 */
IndexDistance *
index_distance_begin(IndexScanDesc scan, const FmgrInfo *function, Oid collation)
{
	IndexDistance *distance = palloc0(sizeof(IndexDistance));

	distance->scratch = AllocSetContextCreate(CurrentMemoryContext, "index distance",
											  ALLOCSET_DEFAULT_SIZES);
	fmgr_info_copy(&distance->function, (FmgrInfo *) function, CurrentMemoryContext);
	distance->collation = collation;
	distance->fetch = table_index_fetch_begin(scan->heapRelation);
	distance->slot = table_slot_create(scan->heapRelation, NULL);
	distance->column = scan->indexRelation->rd_index->indkey.values[0];
	if (distance->column == 0)
	{
		distance->info = BuildIndexInfo(scan->indexRelation);
		distance->estate = CreateExecutorState();
	}
	return distance;
}

/* Let go of the table's page between two scans by the same state. */
void
index_distance_reset(IndexDistance *distance)
{
	table_index_fetch_reset(distance->fetch);
}

/*
 * index_distance_end
 *	  Give up what the memory context does not free.
 */
void
index_distance_end(IndexDistance *distance)
{
	table_index_fetch_end(distance->fetch);
	ExecDropSingleTupleTableSlot(distance->slot);
	if (distance->estate != NULL)
		FreeExecutorState(distance->estate);
	MemoryContextDelete(distance->scratch);
	pfree(distance);
}

/*
 * index_distance_of_value
 *	  The distance of a value that the index holds itself.
 */
double
index_distance_of_value(IndexDistance *distance, Datum value, Datum query)
{
	MemoryContext old = MemoryContextSwitchTo(distance->scratch);
	double		result;

	result = DatumGetFloat8(FunctionCall2Coll(&distance->function, distance->collation,
											  value, query));
	MemoryContextSwitchTo(old);
	MemoryContextReset(distance->scratch);
	last_index_scan.exact++;
	return result;
}

/* The indexed value of the row in the slot */
static Datum
indexed_value(IndexDistance *distance, bool *null)
{
	Datum		values[INDEX_MAX_KEYS];
	bool		nulls[INDEX_MAX_KEYS];

	if (distance->column != 0)
		return slot_getattr(distance->slot, distance->column, null);
	GetPerTupleExprContext(distance->estate)->ecxt_scantuple = distance->slot;
	FormIndexDatum(distance->info, distance->slot, distance->estate, values, nulls);
	*null = nulls[0];
	return values[0];
}

/*
 * index_distance_of_row
 *	  The distance of a row of the table, or *null if it has no vector.  False
 *	  if the scan's snapshot does not see it.
 */
bool
index_distance_of_row(IndexDistance *distance, IndexScanDesc scan, const ItemPointerData *tid,
					  Datum query, double *result, bool *null)
{
	ItemPointerData at = *tid;	/* becomes that of the version found */
	bool		again = false;
	bool		all_dead = false;
	MemoryContext old;
	Datum		value;

	if (!table_index_fetch_tuple(distance->fetch, &at, scan->xs_snapshot, distance->slot,
								 &again, &all_dead))
		return false;
	if (TTS_IS_BUFFERTUPLE(distance->slot))
		index_remember_buffer(scan->heapRelation, ItemPointerGetBlockNumber(&at),
							  ((BufferHeapTupleTableSlot *) distance->slot)->buffer);
	old = MemoryContextSwitchTo(distance->scratch);
	value = indexed_value(distance, null);
	MemoryContextSwitchTo(old);
	if (!*null)
		*result = index_distance_of_value(distance, value, query);
	else
		MemoryContextReset(distance->scratch);
	if (distance->estate != NULL)
		ResetPerTupleExprContext(distance->estate);
	ExecClearTuple(distance->slot);
	return true;
}
