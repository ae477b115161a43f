/*-------------------------------------------------------------------------
 *
 * order.c
 *	  Where a plan may rely on the order of an index, and where not.
 *
 * The order of ktree is approximate: now and then a row comes late, and a row
 * that was not found does not come at all.  For ORDER BY ... LIMIT that is
 * what the user asked for.  But the planner knows sorted or not sorted only.
 * What it takes for sorted it also groups, deduplicates and ranks by, merges
 * with other input and looks for ties in, and there a row out of place makes a
 * group twice, a rank wrong or a row of a join vanish.
 *
 * The server builds a path by ordering operators for whatever order the query
 * level wants (root->query_pathkeys) and asks the access method what it costs.
 * There, index_order() takes back the promise of an order where it would be
 * used for anything but a plain ORDER BY with a limit: the path loses its
 * pathkeys and costs more than any other, also more than what enable_seqscan
 * and its like switch off, and no plan has use for it.
 *
 * A level above may use the order of a subquery, a common table expression or
 * a branch of a UNION.  So when all paths of a level below the topmost are
 * made, those that owe their order to such an index lose their pathkeys there
 * (forget_order).  The level keeps its plan; who needs order above it sorts
 * its few rows.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "miscadmin.h"
#include "nodes/pathnodes.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/planner.h"

#include "index/index.h"

/* More than what is switched off, and still finite in sums and products. */
#define REFUSED_COST 1.0e100

static create_upper_paths_hook_type next_hook;

/* Make a path one that nobody takes. */
void
index_refuse(IndexPath *path, Cost *startup, Cost *total)
{
	path->path.pathkeys = NIL;
	*startup = *total = REFUSED_COST;
#if PG_VERSION_NUM >= 180000
	/*
	 * a sequential scan that is switched off counts one, and there is always
	 * one
	 */
	path->path.disabled_nodes = 2;
#endif
}

/*
 * Is this what the planner makes of min(distance) and max(distance): a
 * query of the index's first row?
 *
 * It copies the level of the aggregate, says ORDER BY ... LIMIT 1 there, and
 * names the only column as no one else will.
 */
static bool
is_minmax(PlannerInfo *root)
{
	TargetEntry *entry;

	if (root->parent_root == NULL || !root->parent_root->parse->hasAggs ||
		list_length(root->parse->targetList) != 1)
		return false;
	entry = linitial(root->parse->targetList);
	return entry->resname != NULL && strcmp(entry->resname, "agg_target") == 0;
}

/* A clause LIMIT or OFFSET that is there and not NULL. */
static bool
is_given(const Node *clause)
{
	return clause != NULL &&
		   !(IsA(clause, Const) && ((const Const *) clause)->constisnull);
}

/* Is the order of this level's query the order of its result, and cut off? */
static bool
is_plain_order_by(PlannerInfo *root)
{
	const Query *parse = root->parse;

	if (parse->sortClause == NIL || parse->groupClause != NIL ||
		parse->groupingSets != NIL || parse->havingQual != NULL ||
		parse->distinctClause != NIL || parse->hasAggs ||
		parse->hasWindowFuncs || parse->setOperations != NULL)
		return false;

	/* ties are rows that follow: those that come late would be cut off */
	if (parse->limitOption == LIMIT_OPTION_WITH_TIES)
		return false;

	/* a cursor, or a level above with a limit, wants the first rows fast */
	if (!is_given(parse->limitCount) && !is_given(parse->limitOffset) &&
		root->tuple_fraction <= 0)
		return false;
	return pathkeys_contained_in(root->query_pathkeys, root->sort_pathkeys) &&
		   !is_minmax(root);
}

/*
 * Could a merge join use this order of a table?  As the planner itself
 * decides it: an equivalence with another table, or a join clause outside
 * of equivalences.
 */
static bool
may_merge(PlannerInfo *root, RelOptInfo *table, const PathKey *key)
{
	ListCell   *cell;

	if (table->has_eclass_joins &&
		eclass_useful_for_merging(root, key->pk_eclass, table))
		return true;
	foreach(cell, table->joininfo)
	{
		RestrictInfo *clause = lfirst(cell);

		if (clause->mergeopfamilies == NIL)
			continue;
		update_mergeclause_eclasses(root, clause);
		if (clause->left_ec == key->pk_eclass ||
			clause->right_ec == key->pk_eclass)
			return true;
	}
	return false;
}

/*
 * What a cost function asks first: does the path have an order that the
 * index can give?
 *
 * The planner matches ordering operators with pathkeys one by one, and both
 * of ORDER BY v <-> a, v <-> b with the same column.  Ours give the first
 * order only; of equal rows the server can sort the rest.
 */
bool
index_order(PlannerInfo *root, IndexPath *path, bool approximate)
{
	if (path->indexorderbys == NIL || path->path.pathkeys == NIL)
		return false;
	if (list_length(path->indexorderbys) > 1)
	{
		path->path.pathkeys = list_make1(linitial(path->path.pathkeys));
		path->indexorderbys = list_make1(linitial(path->indexorderbys));
		path->indexorderbycols = list_make1_int(
			linitial_int(path->indexorderbycols));
	}
	return !approximate ||
		(is_plain_order_by(root) &&
		 !may_merge(root, path->path.parent, linitial(path->path.pathkeys)));
}

/* ---------- the order of a level below ---------- */

static bool
any_approximate(List *paths)
{
	ListCell   *cell;

	foreach(cell, paths)
	{
		if (index_order_is_approximate(lfirst(cell)))
			return true;
	}
	return false;
}

/*
 * Does a path owe its order to an index whose order is approximate?
 *
 * Nodes that sort and nodes that lose the order need not be looked into; the
 * subqueries below have been looked at before.
 */
bool
index_order_is_approximate(Path *path)
{
	if (path->pathkeys == NIL)
		return false;
	check_stack_depth();
	switch (nodeTag(path))
	{
		case T_IndexPath:
			return ((IndexPath *) path)->indexorderbys != NIL &&
				index_is_approximate(((IndexPath *) path)->indexinfo);
		case T_ProjectionPath:
			return index_order_is_approximate(
				((ProjectionPath *) path)->subpath);
		case T_ProjectSetPath:
			return index_order_is_approximate(
				((ProjectSetPath *) path)->subpath);
		case T_LimitPath:
			return index_order_is_approximate(((LimitPath *) path)->subpath);
		case T_LockRowsPath:
			return index_order_is_approximate(
				((LockRowsPath *) path)->subpath);
		case T_MaterialPath:
			return index_order_is_approximate(
				((MaterialPath *) path)->subpath);
		case T_GatherMergePath:
			return index_order_is_approximate(
				((GatherMergePath *) path)->subpath);
		case T_IncrementalSortPath:
			return index_order_is_approximate(
				((IncrementalSortPath *) path)->spath.subpath);
		case T_NestPath:
		case T_MergePath:
		case T_HashPath:
			return index_order_is_approximate(
				((JoinPath *) path)->outerjoinpath);
		case T_AppendPath:
			return any_approximate(((AppendPath *) path)->subpaths);
		case T_MergeAppendPath:
			return any_approximate(((MergeAppendPath *) path)->subpaths);
		case T_CustomPath:
			return any_approximate(((CustomPath *) path)->custom_paths);
		default:
			return false;
	}
}

/*
 * The same path, only that nobody knows of its order.
 *
 * The pathkeys of a path that may be another's child, or that sorts or merges
 * by them when it becomes a plan, stay; a projection of the same columns, for
 * which no node is made, goes on top.
 */
static Path *
without_order(PlannerInfo *root, RelOptInfo *level, Path *path)
{
	ProjectionPath *projection;

	if (IsA(path, LimitPath))
	{
		path->pathkeys = NIL;	/* made for this level just now */
		return path;
	}
	if (IsA(path, ProjectionPath))
	{
		projection = makeNode(ProjectionPath);
		*projection = *(ProjectionPath *) path;
	}
	else
		projection = create_projection_path(root, level, path,
											path->pathtarget);
	projection->path.pathkeys = NIL;
	return (Path *) projection;
}

static void
forget_order(PlannerInfo *root, UpperRelationKind stage, RelOptInfo *input,
			 RelOptInfo *output, void *extra)
{
	ListCell   *cell;

	if (next_hook != NULL)
		next_hook(root, stage, input, output, extra);
	if (stage != UPPERREL_FINAL || root->parent_root == NULL)
		return;
	foreach(cell, output->pathlist)
	{
		if (index_order_is_approximate(lfirst(cell)))
			lfirst(cell) = without_order(root, output, lfirst(cell));
	}
}

/*
 * Called when the library is loaded: before the first index of ours is
 * planned.
 */
void
index_order_init(void)
{
	next_hook = create_upper_paths_hook;
	create_upper_paths_hook = forget_order;
}
