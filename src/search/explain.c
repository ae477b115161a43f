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

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/index.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_type.h"
#include "column/column.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "optimizer/planner.h"
#include "parser/parser.h"
#include "server/extension.h"
#include "tcop/tcopprot.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/snapmgr.h"
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
	List	   *parsed = parse_statements(statement);
	List	   *queries;
	Query	   *query;

	if (list_length(parsed) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("embed_explain takes one statement"),
				 errdetail("There are %d.", list_length(parsed))));
	queries = analyze_statement(linitial_node(RawStmt, parsed), statement);
	query = list_length(queries) == 1 ? linitial_node(Query, queries) : NULL;
	if (query == NULL || query->commandType != CMD_SELECT ||
		query->utilityStmt != NULL || query->hasModifyingCTE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("embed_explain takes a SELECT")));
	return query;
}

static PlannedStmt *
plan(const Query *query, const char *statement)
{
	return plan_statement(copyObject(unconstify(Query *, query)), statement);
}

/* Indexes that the plan reads in the order of a distance */
static void
find_ordered_scans(Plan *node, List **indexes)
{
	List	   *children = NIL;
	ListCell   *cell;

	if (node == NULL)
		return;
	if (IsA(node, IndexScan) && ((IndexScan *) node)->indexorderby != NIL)
		*indexes = lappend_oid(*indexes, ((IndexScan *) node)->indexid);
	if (IsA(node, Append))
		children = ((Append *) node)->appendplans;
	else if (IsA(node, MergeAppend))
		children = ((MergeAppend *) node)->mergeplans;
	else if (IsA(node, SubqueryScan))
		find_ordered_scans(((SubqueryScan *) node)->subplan, indexes);
	foreach(cell, children)
		find_ordered_scans(lfirst(cell), indexes);
	find_ordered_scans(node->lefttree, indexes);
	find_ordered_scans(node->righttree, indexes);
}

static List *
indexes_of_plan(const PlannedStmt *planned)
{
	List	   *indexes = NIL;
	ListCell   *cell;

	find_ordered_scans(planned->planTree, &indexes);
	foreach(cell, planned->subplans)
		find_ordered_scans(lfirst(cell), &indexes);
	return indexes;
}

/*
 * The same where the planner has no choice; settings go back afterwards.
 */
static List *
indexes_if_forced(const Query *query, const char *statement, double *cost)
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
	planned = plan(query, statement);
	*cost = planned->planTree->total_cost;
	AtEOXact_GUC(true, level);
	return indexes_of_plan(planned);
}

/* ---------- indexes ---------- */

/* Whether an index of the plan is this one, or of a partition of its table */
static bool
is_of_table(Oid index, Oid table)
{
	Oid			owner = IndexGetRelation(index, true);

	return owner == table ||
		(OidIsValid(owner) &&
		 list_member_oid(find_all_inheritors(table, NoLock, NULL), owner));
}

static Oid
used_index(List *used, const DistanceOrder *order)
{
	ListCell   *cell;

	foreach(cell, used)
	{
		if (is_of_table(lfirst_oid(cell), order->table))
			return lfirst_oid(cell);
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

static const char *
column_name(const DistanceOrder *order)
{
	return get_attname(order->table, order->attribute, false);
}

/* What index would serve the order */
static void
advise_index(const DistanceOrder *order, StringInfo text)
{
	Oid			type = getBaseType(get_atttype(order->table,
											   order->attribute));
	char	   *operator = explain_operator(order);
	const char *suffix = strcmp(operator, "<=>") == 0 ? "cosine" :
		strcmp(operator, "<#>") == 0 ? "ip" :
		strcmp(operator, "<->") == 0 ? "l2" : "l1";
	const char *base = type == extension_type("vector") ? "vector" :
		type == extension_type("halfvec") ? "halfvec" : "sparsevec";
	bool		sparse = strcmp(base, "sparsevec") == 0;
	char	   *class = psprintf("%s_%s_ops", base, suffix);
	char	   *schema = get_namespace_name(extension_schema());
	Oid			method = get_index_am_oid(sparse ? "inverted" : "ktree", true);

	if (OidIsValid(method) &&
		OidIsValid(get_opclass_oid(method, list_make2(makeString(schema),
													  makeString(class)),
								   true)))
		appendStringInfo(text, "An index that serves it: CREATE INDEX ON %s USING %s (%s %s).\n",
						 qualified_relation_name(order->table),
						 sparse ? "inverted" : "ktree",
						 quote_identifier(column_name(order)), class);
	else
		appendStringInfo(text, "No index method orders %s by %s: every row is compared.\n",
						 base, operator);
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

/*
 * An index fits and the plan does not take it: why.
 */
static void
explain_refusal(const DistanceOrder *order, const Query *query,
				const char *statement, double cost, StringInfo text)
{
	double		forced_cost;
	List	   *forced = indexes_if_forced(query, statement, &forced_cost);
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
		appendStringInfo(text, "The planner expects comparing every row to be cheaper: it knows of %.0f rows in %d pages, and estimates a cost of %.0f against %.0f with the index.  If the table has grown since, ANALYZE it.\n",
						 rows, pages, cost, forced_cost);
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

	appendStringInfo(text, "The plan uses index %s (%s, %s): it gives the nearest rows first, and nothing is sorted.\n",
					 quote_identifier(get_rel_name(index)), method,
					 class_name(index));
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

/* As EXPLAIN does, only who may read the table is told of it. */
static void
check_readable(const DistanceOrder *order)
{
	if (pg_class_aclcheck(order->table, GetUserId(),
						  ACL_SELECT) != ACLCHECK_OK &&
		pg_attribute_aclcheck(order->table, order->attribute, GetUserId(),
							  ACL_SELECT) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE,
					   get_rel_name(order->table));
}

static void
explain_one(const DistanceOrder *order, const Query *query,
			const char *statement, const PlannedStmt *planned,
			StringInfo text)
{
	List	   *used = indexes_of_plan(planned);
	Oid			index = InvalidOid;
	bool		faults;

	if (order->column != NULL)
	{
		check_readable(order);
		appendStringInfo(text, "ORDER BY %s.%s %s ...\n",
						 qualified_relation_name(order->table),
						 quote_identifier(column_name(order)),
						 explain_operator(order));
		index = used_index(used, order);
	}
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
	if (order->column == NULL)
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
	PlannedStmt *planned = plan(query, statement);
	StringInfoData text;
	ListCell   *cell;

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
