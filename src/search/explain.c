/*-------------------------------------------------------------------------
 *
 * explain.c
 *	  embed_explain: which index serves a search, and why or why not.
 *
 * The statement is analyzed and planned as the caller would have it, and not
 * run.  For each order by distance in it: what in the statement keeps an
 * index away; which indexes the column has, and by what they order; whether
 * the plan takes one, and if not, what the planner would say if it had no
 * other choice; then what the answer may lack.
 *
 *-------------------------------------------------------------------------
 */
#include "search/explain.h"

#include <math.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_opclass.h"
#include "column/column.h"
#include "commands/defrem.h"
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "server/extension.h"
#include "server/statement.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

EMBED_FUNCTION(embed_explain);

/* An index of ours that begins with the column */
typedef struct ColumnIndex
{
	Oid			index;
	const char *name;
	const char *method;
	const char *class;
	const char *operator_name;
	bool		valid;
	bool		partial;
} ColumnIndex;

/* ---------- planning ---------- */

/*
 * The statement, analyzed; it must be one that only asks.
 */
static Query *
analyze(const char *statement)
{
	List	   *parsed = statement_parse(statement);
	List	   *queries;
	Query	   *query;

	if (list_length(parsed) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("embed_explain takes one statement"),
				 errdetail("There are %d.", list_length(parsed))));
	queries = statement_analyze(linitial_node(RawStmt, parsed), statement);
	query = list_length(queries) == 1 ? linitial_node(Query, queries) : NULL;
	if (query == NULL || query->commandType != CMD_SELECT ||
		query->utilityStmt != NULL || query->hasModifyingCTE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("embed_explain takes a SELECT"),
				 errhint("Give the query by itself, without EXPLAIN, PREPARE, INSERT or the like around it.")));
	return query;
}

/* An index that the plan reads in the order of a distance */
typedef struct OrderedScan
{
	Oid			index;
	OpExpr	   *distance;		/* the first it orders by */
} OrderedScan;

static void
add_ordered_scan(IndexScan *node, List **scans)
{
	Node	   *expression = node->indexorderbyorig == NIL ? NULL :
		linitial(node->indexorderbyorig);
	OrderedScan *scan;

	if (expression == NULL || !IsA(expression, OpExpr))
		return;
	scan = palloc(sizeof(OrderedScan));
	scan->index = node->indexid;
	scan->distance = (OpExpr *) expression;
	*scans = lappend(*scans, scan);
}

static void
find_ordered_scans(Plan *node, List **scans)
{
	List	   *children = NIL;
	ListCell   *cell;

	if (node == NULL)
		return;
	if (IsA(node, IndexScan))
		add_ordered_scan((IndexScan *) node, scans);
	if (IsA(node, Append))
		children = ((Append *) node)->appendplans;
	else if (IsA(node, MergeAppend))
		children = ((MergeAppend *) node)->mergeplans;
	else if (IsA(node, SubqueryScan))
		find_ordered_scans(((SubqueryScan *) node)->subplan, scans);
	foreach(cell, children)
		find_ordered_scans(lfirst(cell), scans);
	find_ordered_scans(node->lefttree, scans);
	find_ordered_scans(node->righttree, scans);
}

static List *
scans_of_plan(const PlannedStmt *planned)
{
	List	   *scans = NIL;
	ListCell   *cell;

	find_ordered_scans(planned->planTree, &scans);
	foreach(cell, planned->subplans)
		find_ordered_scans(lfirst(cell), &scans);
	return scans;
}

/*
 * The same where the planner has no choice; settings go back afterwards.  The
 * cost is without what servers before 18 add for what is switched off.
 */
static List *
scans_if_forced(const Query *query, const char *statement, double *cost)
{
	static const char *const settings[] = {
		"enable_seqscan", "enable_sort", "enable_bitmapscan"
	};
	int			level = NewGUCNestLevel();
	PlannedStmt *planned;

	for (int i = 0; i < lengthof(settings); i++)
		(void) set_config_option(settings[i], "off", PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
								 false);
	(void) set_config_option("enable_indexscan", "on", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	planned = statement_plan(query, statement);
	*cost = fmod(planned->planTree->total_cost, 1.0e10);
	AtEOXact_GUC(true, level);
	return scans_of_plan(planned);
}

/* ---------- indexes ---------- */

static const char *
column_name(const DistanceOrder *order)
{
	return get_attname(order->table, order->attribute, false);
}

/* Whether an index is of the table or of a partition of it */
static bool
is_of_table(Oid index, Oid table)
{
	Oid			owner = IndexGetRelation(index, true);

	return owner == table ||
		(OidIsValid(owner) &&
		 list_member_oid(find_all_inheritors(table, NoLock, NULL), owner));
}

/*
 * The name of the column that a scan compares: a partition may number it
 * otherwise than its parent does.
 */
static char *
compared_column(const OrderedScan *scan)
{
	bool		cast = false;
	ListCell   *cell;

	foreach(cell, scan->distance->args)
	{
		Var		   *column = explain_column(lfirst(cell), &cast);

		if (column != NULL && column->varattno > 0)
			return get_attname(IndexGetRelation(scan->index, false),
							   column->varattno, true);
	}
	return NULL;
}

/* Whether a scan gives this order: its table, column and operator are so. */
static bool
scan_serves(const OrderedScan *scan, const DistanceOrder *order)
{
	char	   *column;

	if (scan->distance->opno != order->distance->opno &&
		scan->distance->opno != get_commutator(order->distance->opno))
		return false;
	if (!is_of_table(scan->index, order->table))
		return false;
	column = compared_column(scan);
	return column != NULL && strcmp(column, column_name(order)) == 0;
}

static Oid
used_index(List *scans, const DistanceOrder *order)
{
	ListCell   *cell;

	if (order->distance == NULL || !OidIsValid(order->table) ||
		!explain_is_plain(order))
		return InvalidOid;
	foreach(cell, scans)
	{
		OrderedScan *scan = lfirst(cell);

		if (scan_serves(scan, order))
			return scan->index;
	}
	return InvalidOid;
}

static char *
class_name(Oid index)
{
	HeapTuple	row = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
	HeapTuple	class;
	bool		isnull;
	oidvector  *classes;
	char	   *name = NULL;

	if (!HeapTupleIsValid(row))
		return NULL;
	classes = (oidvector *)
		DatumGetPointer(SysCacheGetAttr(INDEXRELID, row,
										Anum_pg_index_indclass, &isnull));
	class = SearchSysCache1(CLAOID, ObjectIdGetDatum(classes->values[0]));
	if (HeapTupleIsValid(class))
	{
		name = pstrdup(NameStr(((Form_pg_opclass) GETSTRUCT(class))->opcname));
		ReleaseSysCache(class);
	}
	ReleaseSysCache(row);
	return name;
}

static char *
method_name(Oid index)
{
	HeapTuple	row = SearchSysCache1(RELOID, ObjectIdGetDatum(index));
	char	   *name = NULL;

	if (!HeapTupleIsValid(row))
		return NULL;
	name = get_am_name(((Form_pg_class) GETSTRUCT(row))->relam);
	ReleaseSysCache(row);
	return name;
}

/* Indexes that order by a distance and begin with the column */
static List *
indexes_of_column(const DistanceOrder *order)
{
	Relation	table = table_open(order->table, AccessShareLock);
	List	   *all = RelationGetIndexList(table);
	List	   *found = NIL;
	ListCell   *cell;

	table_close(table, NoLock);
	foreach(cell, all)
	{
		ColumnIndex *index = palloc0(sizeof(ColumnIndex));
		HeapTuple	row;
		Form_pg_index form;

		index->index = lfirst_oid(cell);
		row = SearchSysCacheCopy1(INDEXRELID, ObjectIdGetDatum(index->index));
		if (!HeapTupleIsValid(row))
			continue;
		form = (Form_pg_index) GETSTRUCT(row);
		index->operator_name = column_index_operator(index->index);
		if (form->indkey.values[0] != order->attribute ||
			index->operator_name == NULL)
			continue;
		index->name = get_rel_name(index->index);
		index->method = method_name(index->index);
		index->class = class_name(index->index);
		index->valid = form->indisvalid;
		index->partial = !heap_attisnull(row, Anum_pg_index_indpred, NULL);
		found = lappend(found, index);
	}
	return found;
}

/* ---------- sentences ---------- */

/*
 * The class of an index method of ours that orders values of a type by an
 * operator of this name, qualified where it must be; or NULL.
 */
static char *
class_of_operator(const char *method, Oid type, const char *operator)
{
	Oid			oid = get_index_am_oid(method, true);
	CatCList   *list = SearchSysCacheList1(CLAAMNAMENSP,
										   ObjectIdGetDatum(oid));
	char	   *name = NULL;

	for (int i = 0; i < list->n_members && name == NULL; i++)
	{
		Form_pg_opclass form = (Form_pg_opclass)
			GETSTRUCT(&list->members[i]->tuple);
		char	   *served = form->opcintype != type ? NULL :
			family_operator(form->opcfamily);

		if (served == NULL || strcmp(served, operator) != 0)
			continue;
		name = OpclassIsVisible(form->oid) ?
			pstrdup(NameStr(form->opcname)) :
			quote_qualified_identifier(get_namespace_name(form->opcnamespace),
									   NameStr(form->opcname));
	}
	ReleaseSysCacheList(list);
	return name;
}

/* What index would serve the order */
static void
advise_index(const DistanceOrder *order, StringInfo text)
{
	static const char *const methods[] = {"ktree", "inverted"};
	Oid			type = getBaseType(get_atttype(order->table,
											   order->attribute));

	for (int i = 0; i < lengthof(methods); i++)
	{
		char	   *class = class_of_operator(methods[i], type,
											  explain_operator(order));

		if (class == NULL)
			continue;
		appendStringInfo(text, "An index that serves it: CREATE INDEX ON %s USING %s (%s %s).\n",
						 qualified_relation_name(order->table), methods[i],
						 quote_identifier(column_name(order)), class);
		return;
	}
	appendStringInfo(text, "No index method orders %s by %s: every row is compared.\n",
					 format_type_be(type), explain_operator(order));
}

/*
 * The indexes of the column against the operator.  Returns whether one of
 * them could serve it.
 */
static bool
explain_indexes(const DistanceOrder *order, List *indexes, StringInfo text)
{
	bool		fits = false;
	ListCell   *cell;

	if (indexes == NIL)
		appendStringInfo(text, "The column \"%s\" of %s has no index that orders by a distance.\n",
						 column_name(order),
						 qualified_relation_name(order->table));
	foreach(cell, indexes)
	{
		ColumnIndex *index = lfirst(cell);

		if (strcmp(index->operator_name, explain_operator(order)) != 0)
			appendStringInfo(text, "Index %s (%s, %s) orders by %s, and the statement by %s.\n",
							 quote_identifier(index->name), index->method,
							 index->class, index->operator_name,
							 explain_operator(order));
		else if (!index->valid)
			appendStringInfo(text, "Index %s (%s, %s) is not valid, perhaps since a CREATE INDEX CONCURRENTLY failed: REINDEX it.\n",
							 quote_identifier(index->name), index->method,
							 index->class);
		else
		{
			appendStringInfo(text, "Index %s (%s, %s) orders by %s, as the statement does.\n",
							 quote_identifier(index->name), index->method,
							 index->class, index->operator_name);
			if (index->partial)
				appendStringInfo(text, "Index %s is partial: it serves only statements whose WHERE implies its own.\n",
								 quote_identifier(index->name));
			fits = true;
		}
	}
	if (!fits)
		advise_index(order, text);
	return fits;
}

static bool
is_off(const char *setting)
{
	const char *value = GetConfigOption(setting, true, false);

	return value != NULL && strcmp(value, "off") == 0;
}

static bool
contain_parameter(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param))
		return true;
	return expression_tree_walker(node, contain_parameter, context);
}

/*
 * An index fits and the plan does not take it: why.
 */
static void
explain_refusal(const DistanceOrder *order, const Query *query,
				const char *statement, double cost, StringInfo text)
{
	double		forced_cost;
	List	   *forced = scans_if_forced(query, statement, &forced_cost);
	Relation	table = table_open(order->table, AccessShareLock);
	double		rows = table->rd_rel->reltuples;
	int32		pages = table->rd_rel->relpages;

	table_close(table, NoLock);
	if (is_off("enable_indexscan"))
		appendStringInfoString(text, "The setting enable_indexscan is off: no index is used for any order.\n");
	if (!OidIsValid(used_index(forced, order)))
	{
		appendStringInfoString(text, "The planner cannot use it for this statement even where it has no other choice: look at the WHERE, the joins and what was said above.\n");
		return;
	}
	if (rows < 0 || (rows == 0 && pages == 0))
		appendStringInfo(text, "The table %s has never been analyzed, so the planner does not know how large it is: ANALYZE it.\n",
						 qualified_relation_name(order->table));
	else if (!is_off("enable_indexscan"))
	{
		if (order->query->limitCount != NULL &&
			contain_parameter(order->query->limitCount, NULL))
			appendStringInfoString(text, "The LIMIT is a parameter, and taken for a tenth of the rows here: ask again with its number.\n");
		appendStringInfo(text, "The planner expects comparing every row to be cheaper: it knows of %.0f rows in %d pages, and estimates a cost of %.0f against %.0f with the index.  If the table has grown since, ANALYZE it.\n",
						 rows, pages, cost, forced_cost);
	}
}

static int
integer_setting(const char *name)
{
	const char *value = GetConfigOption(name, true, false);

	return value == NULL ? 0 : pg_strtoint32(value);
}

/* An index is used: what may be missing in its answer. */
static void
explain_use(const DistanceOrder *order, Oid index, StringInfo text)
{
	const char *method = method_name(index);

	appendStringInfo(text, "The plan uses index %s (%s, %s): it gives the nearest rows first%s.\n",
					 quote_identifier(get_rel_name(index)), method,
					 class_name(index),
					 list_length(order->query->sortClause) == 1 ?
					 ", and nothing is sorted" : "");
	if (method == NULL || strcmp(method, "ktree") != 0)
		return;
	appendStringInfo(text, "It finds about %s of the nearest rows (embed.recall).\n",
					 GetConfigOption("embed.recall", true, false));
	if (integer_setting("embed.probes") > 0)
		appendStringInfo(text, "The setting embed.probes is %d: so many leaves are visited, whatever embed.recall says.\n",
						 integer_setting("embed.probes"));
	if (integer_setting("embed.max_leaves") > 0)
		appendStringInfo(text, "The setting embed.max_leaves is %d: a scan that needs more leaves stops with a warning, and rows are missing.\n",
						 integer_setting("embed.max_leaves"));
}

/* What a kept column lacks, as far as statistics know */
static void
explain_freshness(const DistanceOrder *order, StringInfo text)
{
	Relation	table = table_open(order->table, AccessShareLock);
	List	   *kept = kept_columns_of(table);
	char	   *name = qualified_relation_name(order->table);
	ListCell   *cell;
	int64		missing;
	int64		stale;

	name = quote_literal_cstr(name);
	foreach(cell, kept)
	{
		KeptColumn *column = lfirst(cell);

		if (strcmp(column->column, column_name(order)) != 0)
			continue;
		kept_column_estimate(column, table, &missing, &stale);
		if (missing > 0)
			appendStringInfo(text, "About " INT64_FORMAT " rows have text and no vector, and are not found: CALL embed_fill(%s).\n",
							 missing, name);
		if (stale > 0)
			appendStringInfo(text, "About " INT64_FORMAT " vectors are of another version of the model: CALL embed_fill(%s, stale => true).\n",
							 stale, name);
	}
	table_close(table, NoLock);
}

static void
explain_one(const DistanceOrder *order, const Query *query,
			const char *statement, const PlannedStmt *planned,
			StringInfo text)
{
	Oid			index = used_index(scans_of_plan(planned), order);
	bool		faults;

	if (OidIsValid(order->table))
		appendStringInfo(text, "ORDER BY %s.%s %s ...\n",
						 qualified_relation_name(order->table),
						 quote_identifier(column_name(order)),
						 explain_operator(order));
	else
		appendStringInfoString(text, "An ORDER BY by distance:\n");
	if (OidIsValid(index))
	{
		explain_use(order, index, text);
		explain_freshness(order, text);
		return;
	}
	appendStringInfoString(text, "No index serves it: the distance of every row is computed, and the rows are sorted.\n");
	faults = explain_statement_faults(order, text);
	if (!OidIsValid(order->table))
		return;
	if (explain_indexes(order, indexes_of_column(order), text) && !faults)
		explain_refusal(order, query, statement,
						planned->planTree->total_cost, text);
	explain_freshness(order, text);
}

/* embed_explain(query) -> sentences, one a line */
Datum
embed_explain(PG_FUNCTION_ARGS)
{
	char	   *statement = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Query	   *query = analyze(statement);
	List	   *orders = explain_find_orders(query);
	PlannedStmt *planned = statement_plan(query, statement);
	StringInfoData text;
	ListCell   *cell;

	/* as EXPLAIN does, only who may run the statement is told of it */
	check_plan_permissions(planned);
	initStringInfo(&text);
	foreach(cell, orders)
	{
		if (text.len > 0)
			appendStringInfoChar(&text, '\n');
		explain_one(lfirst(cell), query, statement, planned, &text);
	}
	if (orders == NIL && explain_has_distance(query))
		appendStringInfoString(&text, "The statement computes distances and does not order by one: an index serves ORDER BY column <op> value LIMIT count.  A WHERE on the distance alone is computed for every row.\n");
	else if (orders == NIL)
		appendStringInfoString(&text, "The statement computes no distance of vectors: no index of ours has a part in it.\n");
	while (text.len > 0 && text.data[text.len - 1] == '\n')
		text.len--;
	PG_RETURN_TEXT_P(cstring_to_text_with_len(text.data, text.len));
}
