/*-------------------------------------------------------------------------
 *
 * inverted_handler.c
 *	  The face of access method "inverted": capabilities, options, cost, and
 *	  validation of operator classes.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <float.h>
#include <math.h>

#include "access/reloptions.h"
#include "commands/progress.h"
#include "commands/vacuum.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/selfuncs.h"
#include "utils/spccache.h"

#include "index/inverted/inverted.h"

EMBED_FUNCTION(inverted_handler);

static relopt_kind inverted_options_kind;

static const IndexRoom inverted_room = {
	inverted_build, inverted_check, inverted_statistics, NULL
};

/* Called when the library is loaded. */
void
inverted_init(void)
{
	posting_init();
	inverted_options_kind = add_reloption_kind();
	add_int_reloption(
		inverted_options_kind, "weight_bits",
		"Bits of a weight in a large segment of an inverted index",
		INVERTED_WEIGHT_BITS, 4, POSTING_MAX_BITS, AccessExclusiveLock);
	index_register(&inverted_room);
}

static bytea *
inverted_options(Datum reloptions, bool validate)
{
	static const relopt_parse_elt table[] = {
		{"weight_bits", RELOPT_TYPE_INT, offsetof(InvertedOptions, weight_bits)},
	};

	return (bytea *) build_reloptions(reloptions, validate,
									  inverted_options_kind,
									  sizeof(InvertedOptions), table,
									  lengthof(table));
}

/* The metric of an index is the strategy of its operator class's operator. */
int
inverted_index_metric(Relation index)
{
	Oid			family = index->rd_opfamily[0];
	Oid			type = index->rd_opcintype[0];

	return OidIsValid(get_opfamily_member(family, type, type, INVERTED_COSINE))
			   ? INVERTED_COSINE
			   : INVERTED_INNER;
}

/* ---------- cost ---------- */

/* The query's number of non-zeros if it is known, or a guess */
static double
query_terms(IndexPath *path)
{
	ListCell   *cell;

	foreach(cell, path->indexorderbys)
	{
		Node	   *clause = (Node *) lfirst(cell);
		Node	   *argument;

		if (!is_opclause(clause))
			continue;
		argument = lsecond(((OpExpr *) clause)->args);
		if (IsA(argument, RelabelType))
			argument = (Node *) ((RelabelType *) argument)->arg;
		if (IsA(argument, Const) && !((Const *) argument)->constisnull)
		{
			SparseVector *vector = DatumGetSparseVector(
				((Const *) argument)->constvalue);

			return vector->count;
		}
	}
	return 32;
}

/*
 * A scan reads the lists of the query's terms before it returns the first row,
 * and each row costs a visit to the list of documents, a fetch from the table
 * and an exact distance.  How long the lists are depends on the terms: a term
 * of a query is more frequent than an average term of the dictionary.  Half a
 * tenth of the documents for each term has been a good guess for text; it need
 * not be good to tell a scan of lists from a scan of the table.
 */
static void
inverted_cost_estimate(PlannerInfo *root, IndexPath *path, double loop_count,
					   Cost *startup_cost, Cost *total_cost,
					   Selectivity *selectivity, double *correlation,
					   double *pages)
{
	GenericCosts costs;
	double		tuples = Max(path->indexinfo->tuples, 1);
	double		terms;
	double		touched;
	double		table_page_cost;
	double		index_page_cost;
	Cost		per_row;

	/* without an order there is nothing this index can do */
	if (!index_order(root, path, false))
	{
		index_refuse(path, startup_cost, total_cost);
		*selectivity = 0;
		*correlation = 0;
		*pages = 0;
		return;
	}

	MemSet(&costs, 0, sizeof(costs));
	costs.numIndexTuples = tuples;
	genericcostestimate(root, path, loop_count, &costs);

	get_tablespace_page_costs(path->indexinfo->reltablespace, &table_page_cost,
							  &index_page_cost);
	terms = query_terms(path);
	touched = Min(1.0, 0.005 * terms);
	*startup_cost = terms * 2 * table_page_cost * 0.1 +
		touched * path->indexinfo->pages * index_page_cost +
		Min(terms * 0.05, 40) * tuples * cpu_operator_cost * 0.2 +
		tuples / 4096 * cpu_tuple_cost;

	/* cost_index() charges for the fetch; the exact distance is extra */
	per_row = cpu_index_tuple_cost + 20 * cpu_operator_cost;
	*total_cost = *startup_cost + tuples * per_row;
	*selectivity = costs.indexSelectivity;
	*correlation = 0;
	*pages = path->indexinfo->pages * touched;
}

/* ---------- operator classes ---------- */

static bool
inverted_validate(Oid opclass)
{
	return index_validate(opclass, "inverted", INVERTED_COSINE, 0, NULL);
}

/* ---------- the handler ---------- */

static char *
inverted_phase_name(int64 phase)
{
	switch (phase)
	{
		case PROGRESS_CREATEIDX_SUBPHASE_INITIALIZE:
			return "initializing";
		case PHASE_SCAN:
			return "reading rows";
		case PHASE_SORT:
			return "sorting postings";
		case PHASE_WRITE:
			return "writing postings";
		case PHASE_LOG:
			return "writing WAL";
		default:
			return NULL;
	}
}

static bool
inverted_insert(Relation index, Datum *values, bool *isnull, ItemPointer tid,
				Relation heap, IndexUniqueCheck unique, bool unchanged,
				IndexInfo *info)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "inverted insert",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);

	inverted_append(index, heap, tid,
					isnull[0] ? NULL : DatumGetSparseVector(values[0]));
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return false;
}

#if PG_VERSION_NUM < 140000
static bool
inverted_insert_13(Relation index, Datum *values, bool *isnull,
				   ItemPointer tid, Relation heap, IndexUniqueCheck unique,
				   IndexInfo *info)
{
	return inverted_insert(index, values, isnull, tid, heap, unique, false,
						   info);
}
#define inverted_insert inverted_insert_13
#endif

Datum
inverted_handler(PG_FUNCTION_ARGS)
{
	IndexAmRoutine *routine = index_routine();

	routine->amstrategies = INVERTED_COSINE;
	routine->amusemaintenanceworkmem = true;
	routine->amparallelvacuumoptions |= VACUUM_OPTION_PARALLEL_CLEANUP;
#if PG_VERSION_NUM >= 170000
	routine->amcanbuildparallel = true;
#endif

	routine->ambuild = inverted_build;
	routine->ambuildempty = inverted_build_empty;
	routine->aminsert = inverted_insert;
	routine->ambulkdelete = inverted_bulk_delete;
	routine->amvacuumcleanup = inverted_vacuum_cleanup;
	routine->amcostestimate = inverted_cost_estimate;
	routine->amoptions = inverted_options;
	routine->ambuildphasename = inverted_phase_name;
	routine->amvalidate = inverted_validate;
	routine->ambeginscan = inverted_begin_scan;
	routine->amrescan = inverted_rescan;
	routine->amgettuple = inverted_get_tuple;
	routine->amendscan = inverted_end_scan;
	PG_RETURN_POINTER(routine);
}
