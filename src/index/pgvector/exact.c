/*-------------------------------------------------------------------------
 *
 * exact.c
 *	  An index without contents: it orders the rows of its table exactly.
 *
 * For the classes of pgvector that none of our access methods has a bound
 * for.  A scan reads the table once, computes each distance by the operator's
 * own function, and sorts within work_mem.  There is nothing to keep in step
 * with the table, to log, or to vacuum.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "access/relscan.h"
#include "access/tupdesc.h"
#include "catalog/index.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "nodes/pathnodes.h"
#include "optimizer/optimizer.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/tuplesort.h"

#include "index/pgvector/pgvector.h"

/* Cost of a distance, in operator evaluations: the functions' COST. */
#define DISTANCE_OPERATIONS 10.0

typedef struct ExactScan
{
	MemoryContext context;		/* lasts until the next rescan */
	MemoryContext scratch;		/* one distance */
	Tuplesortstate *sort;		/* NULL: not read yet */
	TupleTableSlot *slot;		/* (distance, tid) as it goes in */
	TupleTableSlot *sorted;		/* and comes out */
	ScanKey		key;
	Datum		query;
	bool		query_null;
} ExactScan;

/* ---------- as an index ---------- */

static void
count_row(Relation index, ItemPointer tid, Datum *values, bool *isnull,
		  bool alive, void *state)
{
	(*(double *) state)++;
}

static IndexBuildResult *
exact_build(Relation heap, Relation index, IndexInfo *info)
{
	IndexBuildResult *result = palloc0(sizeof(IndexBuildResult));

	result->heap_tuples = table_index_build_scan(heap, index, info, true, true,
												 count_row,
												 &result->index_tuples, NULL);
	return result;
}

static void
exact_build_empty(Relation index)
{
}

static bool
exact_insert(Relation index, Datum *values, bool *isnull, ItemPointer tid,
			 Relation heap, IndexUniqueCheck unique,
#if PG_VERSION_NUM >= 140000
			 bool unchanged,
#endif
			 IndexInfo *info)
{
	return false;
}

static IndexBulkDeleteResult *
exact_bulk_delete(IndexVacuumInfo *info, IndexBulkDeleteResult *stats,
				  IndexBulkDeleteCallback callback, void *state)
{
	return stats != NULL ? stats : palloc0(sizeof(IndexBulkDeleteResult));
}

static IndexBulkDeleteResult *
exact_vacuum_cleanup(IndexVacuumInfo *info, IndexBulkDeleteResult *stats)
{
	if (info->analyze_only)
		return stats;
	if (stats == NULL)
		stats = palloc0(sizeof(IndexBulkDeleteResult));
	stats->num_index_tuples = info->num_heap_tuples;
	stats->estimated_count = info->estimated_count;
	return stats;
}

/* Nothing can be wrong with what is not there. */
void
exact_check(Relation index, IndexReport *report)
{
	if (RelationGetNumberOfBlocks(index) > 0)
		index_report_problem(report, 0, "index without contents has pages");
}

void
exact_statistics(Relation index, IndexReport *report)
{
	index_report_property(report, "pages", RelationGetNumberOfBlocks(index));
}

/* A pass over the table, and a sort. */
static void
exact_cost_estimate(PlannerInfo *root, IndexPath *path, double loop_count,
					Cost *startup, Cost *total, Selectivity *selectivity,
					double *correlation, double *pages)
{
	double		tuples = Max(path->indexinfo->rel->tuples, 1);
	double		comparisons;

	*selectivity = 1;
	*correlation = 0;
	*pages = path->indexinfo->rel->pages;
	if (!index_order(root, path, false))
	{
		index_refuse(path, startup, total);
		return;
	}
	comparisons = 2 * log(tuples) / log(2);
	*startup = *pages * seq_page_cost +
			   tuples * cpu_tuple_cost +
			   tuples * (DISTANCE_OPERATIONS + comparisons) *
				   cpu_operator_cost;
	*total = *startup + tuples * cpu_operator_cost;
}

/* ---------- as a scan ---------- */

static IndexScanDesc
exact_begin_scan(Relation index, int nkeys, int norderbys)
{
	IndexScanDesc scan = RelationGetIndexScan(index, nkeys, norderbys);
	ExactScan  *state = palloc0(sizeof(ExactScan));

	state->context = AllocSetContextCreate(CurrentMemoryContext, "exact scan",
										   ALLOCSET_SMALL_SIZES);
	state->scratch = AllocSetContextCreate(CurrentMemoryContext,
										   "exact scan distance",
										   ALLOCSET_DEFAULT_SIZES);
	if (norderbys > 0)
	{
		scan->xs_orderbyvals = palloc0(sizeof(Datum) * norderbys);
		scan->xs_orderbynulls = palloc(sizeof(bool) * norderbys);
		memset(scan->xs_orderbynulls, true, sizeof(bool) * norderbys);
	}
	scan->opaque = state;
	return scan;
}

static void
forget(ExactScan *state)
{
	if (state->sort != NULL)
	{
		tuplesort_end(state->sort);
		ExecDropSingleTupleTableSlot(state->sorted);
		ExecDropSingleTupleTableSlot(state->slot);
	}
	state->sort = NULL;
	MemoryContextReset(state->context);
}

static void
exact_rescan(IndexScanDesc scan, ScanKey keys, int nkeys, ScanKey orderbys,
			 int norderbys)
{
	if (orderbys != NULL && scan->numberOfOrderBys > 0)
		memmove(scan->orderByData, orderbys,
				sizeof(ScanKeyData) * scan->numberOfOrderBys);
	forget(scan->opaque);
}

static void
exact_end_scan(IndexScanDesc scan)
{
	ExactScan  *state = scan->opaque;

	forget(state);
	MemoryContextDelete(state->context);
	MemoryContextDelete(state->scratch);
	pfree(state);
	scan->opaque = NULL;
}

/* Put a row of the table into the sort. */
static void
take_row(Relation index, ItemPointer tid, Datum *values, bool *isnull,
		 bool alive, void *argument)
{
	ExactScan  *state = argument;
	TupleTableSlot *slot = state->slot;

	ExecClearTuple(slot);
	slot->tts_isnull[0] = isnull[0] || state->query_null;
	slot->tts_values[0] = (Datum) 0;
	if (!slot->tts_isnull[0])
	{
		MemoryContext old = MemoryContextSwitchTo(state->scratch);
		double		distance;

		distance = DatumGetFloat8(
			FunctionCall2Coll(&state->key->sk_func, state->key->sk_collation,
							  values[0], state->query));
		MemoryContextSwitchTo(old);
		MemoryContextReset(state->scratch);
		slot->tts_values[0] = Float8GetDatum(distance);
		last_index_scan.exact++;
	}
	slot->tts_values[1] = PointerGetDatum(tid);
	slot->tts_isnull[1] = false;
	ExecStoreVirtualTuple(slot);
	tuplesort_puttupleslot(state->sort, slot);
}

/*
 * Sort the rows that the scan's snapshot sees.  Those that stand behind
 * another version in their chain are known by its address, as in any index.
 */
static void
read_table(IndexScanDesc scan, ExactScan *state)
{
	MemoryContext old = MemoryContextSwitchTo(state->context);
	TupleDesc	desc = CreateTemplateTupleDesc(2);
	IndexInfo  *info = BuildIndexInfo(scan->indexRelation);
	AttrNumber	column = 1;
	Oid			less = Float8LessOperator;
	Oid			collation = InvalidOid;
	bool		nulls_first = false;

	memset(&last_index_scan, 0, sizeof(last_index_scan));
	last_index_scan.rounds = 1;
	pgstat_count_index_scan(scan->indexRelation);
	TupleDescInitEntry(desc, 1, "distance", FLOAT8OID, -1, 0);
	TupleDescInitEntry(desc, 2, "tid", TIDOID, -1, 0);
	state->query_null = true;
	if (scan->numberOfOrderBys > 0)
	{
		state->key = scan->orderByData;
		state->query_null = (state->key->sk_flags & SK_ISNULL) != 0;
		state->query = state->key->sk_argument;
	}
	/* as CREATE INDEX CONCURRENTLY reads a table: by a snapshot */
	info->ii_Concurrent = true;
	state->slot = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
	state->sorted = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	state->sort = tuplesort_begin_heap(desc, 1, &column, &less, &collation,
									   &nulls_first, work_mem, NULL, 0);
	table_index_build_scan(scan->heapRelation, scan->indexRelation, info,
						   true, false, take_row, state,
						   table_beginscan_strat(scan->heapRelation,
												 scan->xs_snapshot, 0, NULL,
												 true, false));
	tuplesort_performsort(state->sort);
	MemoryContextSwitchTo(old);
}

static bool
exact_get_tuple(IndexScanDesc scan, ScanDirection direction)
{
	ExactScan  *state = scan->opaque;
	bool		null;

	if (scan->heapRelation == NULL || !IsMVCCSnapshot(scan->xs_snapshot))
		elog(ERROR, "index without contents needs its table and an MVCC snapshot");
	if (state->sort == NULL)
		read_table(scan, state);
	if (!tuplesort_gettupleslot(state->sort, true, false, state->sorted, NULL))
		return false;
	scan->xs_heaptid = *(ItemPointer) DatumGetPointer(
		slot_getattr(state->sorted, 2, &null));
	scan->xs_recheck = false;
	scan->xs_recheckorderby = false;
	last_index_scan.returned++;
	return true;
}

const IndexAmRoutine *
exact_routine(void)
{
	static IndexAmRoutine *routine = NULL;
	MemoryContext old;

	if (routine != NULL)
		return routine;
	old = MemoryContextSwitchTo(TopMemoryContext);
	routine = index_routine();
	MemoryContextSwitchTo(old);
	routine->ambuild = exact_build;
	routine->ambuildempty = exact_build_empty;
	routine->aminsert = exact_insert;
	routine->ambulkdelete = exact_bulk_delete;
	routine->amvacuumcleanup = exact_vacuum_cleanup;
	routine->amcostestimate = exact_cost_estimate;
	routine->ambeginscan = exact_begin_scan;
	routine->amrescan = exact_rescan;
	routine->amgettuple = exact_get_tuple;
	routine->amendscan = exact_end_scan;
	return routine;
}
