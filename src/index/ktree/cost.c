/*-------------------------------------------------------------------------
 *
 * cost.c
 *	  What the planner is told about a scan.
 *
 * A round costs the leaves that the calibration says it visits, and its
 * exact distances.  When a filter keeps one row in a hundred, a LIMIT of ten
 * needs a thousand rows and several rounds; reading the whole index in order
 * costs a row's fetch and distance for each row, dearer than a sequential
 * scan and a sort.  So the first round is start-up cost, and the rest grows
 * with the rows: the planner divides by what the LIMIT takes.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <float.h>
#include <math.h>

#include "access/genam.h"
#include "nodes/pathnodes.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "utils/rel.h"
#include "utils/selfuncs.h"
#include "utils/spccache.h"

#include "index/ktree/ktree.h"

/* Cost of scoring one code, in operator evaluations. */
#define CODE_OPERATIONS		0.02

/* Cost of an exact distance, in operator evaluations: the functions' COST. */
#define DISTANCE_OPERATIONS 10.0

void
ktree_cost_estimate(struct PlannerInfo *root, struct IndexPath *path, double loop_count,
					Cost *startup, Cost *total, Selectivity *selectivity,
					double *correlation, double *pages)
{
	IndexOptInfo *info = path->indexinfo;
	double		tuples = Max(info->tuples, 1);
	KtreeMeta	meta;
	KtreeLayout layout;
	Relation	index;
	double		leaves;
	double		leaf_pages;
	double		all_leaves;
	double		first_rows;
	double		round_cost;
	double		row_cost;
	double		spc_random_page_cost;
	double		page_cost;

	*correlation = 0;
	*selectivity = 1.0;
	*pages = info->pages;
	if (!index_order(root, path, true))
	{
		/* would only read the whole table in a bad order */
		index_refuse(path, startup, total);
		return;
	}
	if (info->hypothetical)
	{
		/* nothing to read: what a calibrated index of this size might do */
		*startup = 100 * cpu_operator_cost;
		*total = *startup + tuples * (1 + DISTANCE_OPERATIONS * cpu_operator_cost);
		return;
	}
	index = index_open(info->indexoid, NoLock);
	ktree_read_meta(index, &meta);
	index_close(index, NoLock);
	if (meta.dims == 0)
	{
		*startup = *total = cpu_operator_cost;
		return;
	}
	ktree_layout_init(&layout, meta.dims);
	get_tablespace_page_costs(info->reltablespace, &spc_random_page_cost, NULL);

	all_leaves = Max(tuples / (0.7 * layout.capacity), 1);
	leaves = Min(ktree_expected_leaves(&meta, embed_candidates, embed_recall), all_leaves);
	if (embed_probes > 0)
		leaves = Min(embed_probes, all_leaves);
	first_rows = Min(embed_candidates, tuples);

	/*
	 * Leaves visited by many queries stay in cache: pages are charged as what
	 * repeated scans of this size would read, like nbtree's inner side of a
	 * nested loop.
	 */
	leaf_pages = leaves * (layout.refine_part + 1) + meta.height;
	page_cost = index_pages_fetched(leaf_pages * Max(loop_count, 1), info->pages,
									info->pages, root) / Max(loop_count, 1) *
		spc_random_page_cost;
	round_cost = page_cost +
		(leaves * layout.capacity * 0.7 * CODE_OPERATIONS * (1 + layout.padded / 256.0) +
		 first_rows) * cpu_operator_cost;

	/*
	 * Each row handed out was read from the table once here, for its exact
	 * distance (the executor's own fetch is charged by cost_index).  Rounds
	 * double, so all together cost about twice the last, and each repeats the
	 * share of the tree that its rows need.
	 */
	row_cost = spc_random_page_cost * 0.25 + (DISTANCE_OPERATIONS + 2) * cpu_operator_cost +
		cpu_tuple_cost + 2 * round_cost / first_rows;

	*startup = round_cost;
	*total = round_cost + tuples * row_cost;
}
