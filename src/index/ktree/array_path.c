/*-------------------------------------------------------------------------
 *
 * array_path.c
 *	  column = ANY (array) as a condition of an ordered ktree scan.
 *
 * Servers before 17 leave such a condition on a further key column out of
 * every path that has an order (for nbtree, whose order it would break), so
 * that IN would be asked by the executor only, of row after row.  A ktree's
 * order does not depend on its conditions.  So once the paths of a table are
 * made, each ordered scan of a ktree index gets a twin with these conditions,
 * and the planner chooses.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "utils/lsyscache.h"

#include "index/ktree/ktree.h"

static set_rel_pathlist_hook_type next_hook;

static bool
is_ktree(const IndexOptInfo *index)
{
	return (void *) index->amcostestimate == (void *) ktree_cost_estimate;
}

/* Is it "column = ANY (array)", in the terms of this column's class? */
static bool
is_array_condition(RestrictInfo *info, IndexOptInfo *index, int column)
{
	ScalarArrayOpExpr *clause = (ScalarArrayOpExpr *) info->clause;

	return IsA(clause, ScalarArrayOpExpr) && clause->useOr &&
		!info->pseudoconstant &&
		(!OidIsValid(index->indexcollations[column]) ||
		 index->indexcollations[column] == clause->inputcollid) &&
		match_index_to_operand(linitial(clause->args), column, index) &&
		!contain_var_clause(lsecond(clause->args)) &&
		!contain_volatile_functions(lsecond(clause->args)) &&
		op_in_opfamily(clause->opno, index->opfamily[column]);
}

static bool
is_used(const IndexPath *path, const RestrictInfo *info)
{
	ListCell   *cell;

	foreach(cell, path->indexclauses)
	{
		if (((IndexClause *) lfirst(cell))->rinfo == info)
			return true;
	}
	return false;
}

/* What the path leaves to the executor although the index could answer it. */
static List *
array_clauses(const IndexPath *path)
{
	IndexOptInfo *index = path->indexinfo;
	List	   *clauses = NIL;
	ListCell   *cell;

	for (int column = 1; column < index->nkeycolumns; column++)
	{
		foreach(cell, index->indrestrictinfo)
		{
			RestrictInfo *info = lfirst_node(RestrictInfo, cell);
			IndexClause *clause;

			if (!is_array_condition(info, index, column) ||
				is_used(path, info))
				continue;
			clause = makeNode(IndexClause);
			clause->rinfo = info;
			clause->indexquals = list_make1(info);
			clause->indexcol = column;
			clauses = lappend(clauses, clause);
		}
	}
	return clauses;
}

/* The server wants them by column. */
static List *
merge_clauses(const IndexPath *path, List *arrays)
{
	List	   *merged = NIL;
	ListCell   *cell;

	for (int column = 0; column < path->indexinfo->nkeycolumns; column++)
	{
		foreach(cell, path->indexclauses)
		{
			if (((IndexClause *) lfirst(cell))->indexcol == column)
				merged = lappend(merged, lfirst(cell));
		}
		foreach(cell, arrays)
		{
			if (((IndexClause *) lfirst(cell))->indexcol == column)
				merged = lappend(merged, lfirst(cell));
		}
	}
	return merged;
}

static void
add_array_paths(PlannerInfo *root, RelOptInfo *rel, Index number,
				RangeTblEntry *entry)
{
	List	   *twins = NIL;
	ListCell   *cell;

	if (next_hook != NULL)
		next_hook(root, rel, number, entry);
	foreach(cell, rel->pathlist)
	{
		IndexPath  *path = lfirst(cell);
		IndexPath  *twin;
		List	   *arrays;

		if (!IsA(path, IndexPath) || path->indexorderbys == NIL ||
			path->path.param_info != NULL ||
			!is_ktree(path->indexinfo))
			continue;
		arrays = array_clauses(path);
		if (arrays == NIL)
			continue;
		twin = makeNode(IndexPath);
		*twin = *path;
		twin->indexclauses = merge_clauses(path, arrays);
		cost_index(twin, root, 1.0, false);
		twins = lappend(twins, twin);
	}
	foreach(cell, twins)
		add_path(rel, lfirst(cell));
}

/* Called when the library is loaded, at the latest by get_relation_info(). */
void
ktree_array_path_init(void)
{
	next_hook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = add_array_paths;
}
