/*-------------------------------------------------------------------------
 *
 * index_distance.c
 *	  Exact distances, by the operator's own function, from the table's rows.
 *
 * An index orders rows by bounds, and asks for the exact distance of the few
 * that matter.  It calls the function behind the operator, so that the result
 * equals a sequential scan's in every bit.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "access/relscan.h"
#include "utils/memutils.h"

#include "index/index.h"

struct IndexDistance
{
	FmgrInfo	function;
	Oid			collation;
	IndexRows  *rows;
};

/*
 * Prepare to compute distances for a scan, in the current memory context.
 * The scan's table and snapshot must be known.
 */
IndexDistance *
index_distance_begin(IndexScanDesc scan, const FmgrInfo *function,
					 Oid collation)
{
	IndexDistance *distance = palloc0(sizeof(IndexDistance));

	fmgr_info_copy(&distance->function, (FmgrInfo *) function,
				   CurrentMemoryContext);
	distance->collation = collation;
	distance->rows = index_rows_begin(scan->heapRelation, scan->indexRelation);
	return distance;
}

/* Let go of the table's page between two scans by the same state. */
void
index_distance_reset(IndexDistance *distance)
{
	index_rows_reset(distance->rows);
}

/* Give up what the memory context does not free. */
void
index_distance_end(IndexDistance *distance)
{
	index_rows_end(distance->rows);
	pfree(distance);
}

/* The distance of a value that the index holds itself. */
double
index_distance_of_value(IndexDistance *distance, Datum value, Datum query)
{
	MemoryContext scratch = index_rows_scratch(distance->rows);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	double		result;

	result = DatumGetFloat8(FunctionCall2Coll(
		&distance->function, distance->collation, value, query));
	MemoryContextSwitchTo(old);
	MemoryContextReset(scratch);
	last_index_scan.exact++;
	return result;
}

/*
 * The distance of a row of the table, or *null if it has no vector.  False
 * if the scan's snapshot does not see it.
 */
bool
index_distance_of_row(IndexDistance *distance, IndexScanDesc scan,
					  const ItemPointerData *tid, Datum query, double *result,
					  bool *null)
{
	Datum		value;

	if (!index_rows_fetch(distance->rows, tid, scan->xs_snapshot, &value,
						  null))
		return false;
	if (!*null)
		*result = index_distance_of_value(distance, value, query);
	index_rows_clear(distance->rows);
	return true;
}
