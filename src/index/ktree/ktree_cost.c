/*-------------------------------------------------------------------------
 *
 * ktree_cost.c
 *	  What the planner is told about a scan.
 *
 * The first window costs the leaves that the calibration says it visits, more
 * of them when conditions of the index let few rows pass.  When a filter of
 * the executor keeps one row in a hundred, a LIMIT of ten needs a thousand
 * rows; each costs its share of the leaves that a long answer visits, and
 * distances of nearly two rows of the table.  So the first window is start-up
 * cost, and the rest grows with the rows: the planner divides by what the
 * LIMIT takes.
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

/* Rows whose distance is computed for each that is handed out, ... */
#define DISTANCES_A_ROW		1.7

/*
 * ... and the part of a random page that reading one costs, much of it cached;
 * a page in memory still costs a look-up and misses of the processor's cache,
 * this part of a page that is read in order.
 */
#define PAGE_OF_A_ROW		0.25
#define CACHED_PAGE			0.6

/*
 * By this power of what does not pass, leaves grow with conditions
 * (ktree_search.c).
 */
#define FILTER_POWER		0.6

/* Cost of an exact distance, in operator evaluations: the functions' COST. */
#define DISTANCE_OPERATIONS 10.0

void
ktree_cost_estimate(struct PlannerInfo *root, struct IndexPath *path,
					double loop_count, Cost *startup, Cost *total,
					Selectivity *selectivity, double *correlation,
					double *pages)
{
	IndexOptInfo *info = path->indexinfo;
	double		tuples = Max(info->tuples, 1);
	List	   *conditions = get_quals_from_indexclauses(path->indexclauses);
	KtreeMeta	meta;
	KtreeLayout layout;
	Relation	index;
	double		leaves;
	double		leaf_pages;
	double		all_leaves;
	double		long_leaves;
	double		passing;
	double		refined;
	double		window_cost;
	double		leaf_cost;
	double		row_cost;
	double		spc_random_page_cost;
	double		spc_seq_page_cost;
	double		page_cost;

	*correlation = 0;
	passing = clauselist_selectivity(root, conditions, info->rel->relid,
									 JOIN_INNER, NULL);
	/* of the table's rows, of which a partial index has some */
	*selectivity = clauselist_selectivity(
		root, add_predicate_to_index_quals(info, conditions),
		info->rel->relid, JOIN_INNER, NULL);
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
		*total = *startup +
				 tuples * (1 + DISTANCE_OPERATIONS * cpu_operator_cost);
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
	ktree_layout_init(&layout, meta.dims, info->nkeycolumns - 1);
	get_tablespace_page_costs(info->reltablespace, &spc_random_page_cost,
							  &spc_seq_page_cost);

	all_leaves = Max(tuples / (0.7 * layout.capacity), 1);
	leaves = ktree_expected_leaves(&meta, embed_candidates, embed_recall);
	long_leaves = ktree_expected_leaves(&meta, 1000, embed_recall);
	if (embed_probes > 0)
		leaves = embed_probes;
	if (path->indexclauses != NIL)
		leaves *= pow(Max(passing, 1 / tuples), -FILTER_POWER);
	leaves = Min(leaves, all_leaves);
	/* four-bit codes are read where a row passes */
	refined = Min(passing * tuples / all_leaves, 1);

	/*
	 * Leaves visited by many queries stay in cache: pages are charged as what
	 * repeated scans of this size would read, like nbtree's inner side of a
	 * nested loop.
	 */
	leaf_pages = leaves * (layout.refine_part + refined) + meta.height;
	page_cost = index_pages_fetched(leaf_pages * Max(loop_count, 1),
									info->pages, info->pages, root) /
				Max(loop_count, 1) * spc_random_page_cost;
	window_cost = page_cost +
				  (leaves * layout.capacity * 0.7 * CODE_OPERATIONS *
					   (1 + layout.padded / 256.0) +
				   embed_candidates) *
					  cpu_operator_cost;
	leaf_cost = window_cost / leaves;

	/* the executor's own fetch is charged by cost_index */
	row_cost = DISTANCES_A_ROW *
				   (Max(spc_random_page_cost * PAGE_OF_A_ROW,
						spc_seq_page_cost * CACHED_PAGE) +
					DISTANCE_OPERATIONS * cpu_operator_cost + cpu_tuple_cost) +
			   Max(long_leaves - leaves, 0) / 1000 * leaf_cost;

	*startup = window_cost;
	*total = window_cost + tuples * passing * row_cost;
}
