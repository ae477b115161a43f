/*-------------------------------------------------------------------------
 *
 * scan_windows.c
 *	  How many rows each window of a scan looks for, and how hard.
 *
 * The query's plan tells what it wants (../demand.c); what was handed out so
 * far tells what a condition of the executor, or dead versions, make of it.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "index/ktree/ktree_scan.h"

/*
 * A window that reads this many times as many rows without seeing them as it
 * reckoned with is given up for one that looks farther: that far at least.
 */
#define UNSEEN_SHARE	1.5
#define LEAST_PATIENCE	8

/*
 * A window of whose rows so many times fewer pass a condition of the executor
 * than as of its beginning is given up, too; patience grows with this power of
 * how many fewer pass than expected.
 */
#define MORE_SURPRISE	2.0
#define SURPRISE_POWER	0.7

/*
 * Where so much of the tree is wanted all rows are looked at in one window, if
 * that takes no more than this many times work_mem.  A leaf is so full,
 * usually.
 */
#define ALL_ROWS_SHARE	0.5
#define ALL_ROWS_MEMORY 16
#define USUAL_FILL		0.6

/* A first window of more rows gains nothing over several. */
#define MOST_AT_FIRST	1000

/* So much of the tree was handed out: the rest goes into one window. */
#define LONG_SHARE		0.25

/* Is there memory to look at all rows in one window? */
static bool
all_fit(const KtreeScanState *state)
{
	return state->tree_rows * (sizeof(KtreeRow) + sizeof(ScanRow)) <=
		   (double) work_mem * 1024 * ALL_ROWS_MEMORY;
}

/*
 * Choose the windows by what the query wants.
 *
 * A limit that is known makes one window.  What a condition makes of it is
 * only expected: the first window lies in the middle, by ratio.  Windows that
 * grow from the limit miss more, as each may find rows too late.
 *
 * Where a condition of the executor
 * is expected to leave hardly more rows than are wanted, all rows are read in
 * the end: then one window takes them all, and no row comes late.
 */
void
ktree_plan_windows(IndexScanDesc scan, KtreeScanState *state)
{
	IndexDemand demand;
	double		needed;

	state->tree_rows = ((double) state->meta.extents -
						state->meta.free_count) *
					   state->meta.capacity * USUAL_FILL;
	state->first = state->effort.candidates;
	state->limited = false;
	state->passed = NULL;
	if (state->unordered)
		return;
	index_demand(scan, &demand);
	if (demand.known && demand.rows <= 0)
		state->first = Max(state->effort.candidates,
						   (int64) Min(demand.first, MOST_AT_FIRST));
	if (!demand.known || demand.rows <= 0)
		return;
	needed = demand.rows;
	state->passed = demand.filtered ? demand.passed : NULL;
	state->pass_share = Min(demand.passing / Max(state->tree_rows, 1), 1);
	if (demand.filtered)
		needed *= Max(state->tree_rows / Max(demand.passing, 1), 1);
	if (needed > ALL_ROWS_SHARE * state->tree_rows && all_fit(state))
		state->everything = true;
	state->limited = !isinf(demand.rows);
	state->first = Max(state->effort.candidates,
					   (int64) Min(sqrt(demand.rows) * sqrt(needed),
								   MOST_AT_FIRST));
}

/*
 * How many rows the search has to find for the rest of this window.
 *
 * When many of the rows read so far were not to be seen, as many more are
 * needed.
 */
static int
rows_wanted(const KtreeScanState *state)
{
	int64		most = (int64) work_mem * 1024 / 2 /
					   (sizeof(KtreeRow) + sizeof(ScanRow));
	double		missing = (double) (state->count - state->handed);

	if (state->everything)
		return INT_MAX / 2;
	if (state->read > 0)
		missing *= Min(state->unseen, 2 + 2 * state->read / missing);
	missing += KTREE_EXTRA_ROWS(state->count);
	return (int) Min(missing, Max(most, 1000));
}

/*
 * How many times fewer rows pass the executor's conditions than the planner
 * expects of rows anywhere.
 *
 * Where hardly any do, the filter goes against the vectors: the rows that
 * pass are not around the query, and what a window may miss of all rows is
 * just them.
 */
static double
surprise_now(const KtreeScanState *state)
{
	if (state->passed == NULL)
		return 1;
	return Max((state->handed * state->pass_share + 1) /
			   (*state->passed + 1.0), 1);
}

/*
 * Does this window read more rows that its snapshot does not see than it
 * reckoned with?
 */
bool
ktree_window_sees_little(const KtreeScanState *state)
{
	return state->read + 1.0 >
		UNSEEN_SHARE * state->unseen * (state->seen + 1.0);
}

/* Do fewer of its rows pass than as of its beginning? */
bool
ktree_window_passes_little(const KtreeScanState *state)
{
	return surprise_now(state) > MORE_SURPRISE * state->surprise;
}

/*
 * Leaves without a change after which a window of so many rows is over.
 *
 * Calibration knows live rows.  Where most of the rows that a search meets are
 * dead versions, those among them that can be seen are spread over more
 * leaves.
 */
static double
patience_of_window(const KtreeScanState *state, int rows)
{
	double		patience = ktree_patience(&state->meta, rows,
										  state->effort.recall);

	if (state->unordered)
		return 1;
	if (state->unseen > UNSEEN_SHARE)
		patience = Max(patience, LEAST_PATIENCE) * sqrt(state->unseen);
	if (state->surprise > 1)
		patience = Max(patience, LEAST_PATIENCE) *
				   pow(state->surprise, SURPRISE_POWER);
	return patience;
}

/* Search on, for the rows of the next window. */
void
ktree_next_window(IndexScanDesc scan, KtreeScanState *state)
{
	MemoryContext old = MemoryContextSwitchTo(state->context);
	KtreeStop	stop;
	int64		leaves;

	/*
	 * a window that ended early is still wanted, unless it had no rows at all
	 */
	if (state->handed >= state->count ||
		(state->handed == state->window_start && !state->broken_off))
		state->count = state->count == 0 ? state->first :
			KTREE_NEXT_WINDOW(state->count, state->effort.candidates);
	if (state->handed > LONG_SHARE * state->tree_rows && all_fit(state))
		state->everything = true;
	state->surprise = surprise_now(state);
	state->broken_off = false;
	state->window_start = state->handed;
	state->unseen = (state->read + 1.0) / (state->seen + 1.0);
	stop.count = rows_wanted(state);
	stop.patience = patience_of_window(state, stop.count);
	stop.probes = embed_probes;
	stop.least_leaves = (int64) ceil(
		state->effort.share *
		Max((int64) state->meta.extents - state->meta.free_count, 0));
	stop.usual_ratio = state->meta.usual_ratio;
	stop.margin = ktree_margin(&state->meta, state->effort.recall);
	stop.memory = state->everything ? SIZE_MAX : (Size) work_mem * 1024;
	stop.leaf_limit = 0;
	if (embed_max_leaves > 0)
		stop.leaf_limit = Max(embed_max_leaves - state->leaves, 1);

	if (!state->searching || ktree_search_forgot(state->search))
	{
		if (state->searching)
			state->leaves += ktree_search_leaves(state->search);
		ktree_search_begin(state->search,
						   state->searching ? state->returned : NULL);
		state->searching = true;
	}
	ktree_search_window(state->search, &stop);
	last_index_scan.rounds++;
	ktree_fill_heap(scan, state);

	leaves = state->leaves + ktree_search_leaves(state->search);
	if (ktree_search_cut(state->search) &&
		!ktree_search_complete(state->search))
	{
		ereport(WARNING,
				(errmsg("scan of index \"%s\" stopped after %lld leaves",
						RelationGetRelationName(scan->indexRelation),
						(long long) leaves),
				 errdetail("More rows may exist; embed.max_leaves is %d.",
						   embed_max_leaves)));
		state->finished = state->exhausted = true;
	}
	if (ktree_search_complete(state->search) &&
		!ktree_search_forgot(state->search))
		state->exhausted = true;
	if (state->exhausted)
		state->count = PG_INT64_MAX;	/* hand out all there are */
	MemoryContextSwitchTo(old);
}
