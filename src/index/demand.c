/*-------------------------------------------------------------------------
 *
 * demand.c
 *	  How many rows of an index scan its query wants.
 *
 * An access method hands out row after row and is not told when it will be
 * enough.  A scan in order of distance that knew it would look for as many
 * rows at once, and for all where all are wanted.  The executor knows: a Limit
 * above the scan, conditions and joins in between, and what the planner
 * expects of them.  So we keep, while it runs, the query that it runs
 * (ExecutorRun_hook), and a scan looks for itself in that query's plan.
 *
 * It is advice.  Where a scan cannot be found, as in a query that a trigger's
 * recheck runs, nothing is known, and the scan does without.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "executor/execdesc.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"

#include "index/index.h"

static ExecutorRun_hook_type next_hook;

/* The innermost query that is running, and what is fetched of it; 0: all. */
static QueryDesc *running;
static uint64 fetched;

/* A walk through a plan for one scan. */
typedef struct Walk
{
	IndexScanDesc scan;
	IndexDemand *demand;
	bool		limited;		/* a Limit was passed on the way up */
} Walk;

static bool look_for(PlanState *state, void *context);

/* Rows up to the end of a Limit; infinite where it has only an OFFSET. */
static double
rows_of_limit(const LimitState *limit)
{
	return limit->noCount ? INFINITY :
		(double) limit->offset + (double) limit->count;
}

/* A node above the scan: what becomes of the scan's rows in it. */
static void
pass(Walk *walk, PlanState *state)
{
	IndexDemand *demand = walk->demand;

	if (walk->limited)
		return;
	switch (nodeTag(state))
	{
		case T_LimitState:
			demand->rows = rows_of_limit((LimitState *) state);
			demand->passed = &((LimitState *) state)->position;
			walk->limited = true;
			break;
		case T_AppendState:
		case T_MergeAppendState:
		case T_LockRowsState:
		case T_ProjectSetState:
			break;
		case T_ResultState:
		case T_SubqueryScanState:
			if (state->qual == NULL)
				break;
			/* FALLTHROUGH */
		case T_NestLoopState:
		case T_HashJoinState:
		case T_MergeJoinState:
		case T_IncrementalSortState:
			/* some of the rows, or a few more */
			demand->filtered = true;
			demand->passing = state->plan->plan_rows;
			break;
		default:
			/* whoever sorts, groups or keeps rows wants them all */
			demand->rows = INFINITY;
			walk->limited = true;
			break;
	}
}

/* Is the scan in one of these subplans?  Their rows are not the node's. */
static bool
look_in_subplans(List *subplans, Walk *walk)
{
	ListCell   *cell;

	foreach(cell, subplans)
	{
		if (look_for(((SubPlanState *) lfirst(cell))->planstate, walk))
		{
			walk->limited = true;
			return true;
		}
	}
	return false;
}

static bool
look_for(PlanState *state, void *context)
{
	Walk	   *walk = context;

	check_stack_depth();
	if (IsA(state, IndexScanState) &&
		((IndexScanState *) state)->iss_ScanDesc == walk->scan)
	{
		walk->demand->filtered = state->qual != NULL;
		walk->demand->passing = state->plan->plan_rows;
		return true;
	}
	if (look_in_subplans(state->initPlan, walk) ||
		look_in_subplans(state->subPlan, walk))
		return true;
	if (!planstate_tree_walker(state, look_for, context))
		return false;
	pass(walk, state);
	return true;
}

/* What the query that is running wants of a scan of it. */
void
index_demand(IndexScanDesc scan, IndexDemand *demand)
{
	Walk		walk = {scan, demand, false};

	memset(demand, 0, sizeof(*demand));
	if (running == NULL || running->planstate == NULL ||
		!look_for(running->planstate, &walk))
	{
		memset(demand, 0, sizeof(*demand));
		return;
	}
	demand->known = true;
	if (demand->rows == 0)
		demand->first = (double) fetched;
}

static void
run(QueryDesc *query, ScanDirection direction, uint64 count
	EXECUTOR_RUN_ONCE_PARAMETER)
{
	QueryDesc  *outer = running;
	uint64		outer_fetched = fetched;

	running = query;
	fetched = count;
	PG_TRY();
	{
		if (next_hook != NULL)
			next_hook(query, direction, count EXECUTOR_RUN_ONCE_ARGUMENT);
		else
			standard_ExecutorRun(query, direction,
								 count EXECUTOR_RUN_ONCE_ARGUMENT);
	}
	PG_FINALLY();
	{
		running = outer;
		fetched = outer_fetched;
	}
	PG_END_TRY();
}

/* Called when the library is loaded: before a plan with our indexes runs. */
void
index_demand_init(void)
{
	next_hook = ExecutorRun_hook;
	ExecutorRun_hook = run;
}
