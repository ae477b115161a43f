/*-------------------------------------------------------------------------
 *
 * explain_order.c
 *	  Orders by distance in a statement, and what keeps an index from them
 *	  whatever indexes there are.
 *
 * An index serves ORDER BY column <op> value: ascending, NULLs last, the
 * column as it is and the operator by itself, the value the same for the
 * whole scan, and nothing else to order by.  What looks like it and is not is
 * said here.
 *
 *-------------------------------------------------------------------------
 */
#include "search/explain.h"

#include "access/htup_details.h"
#include "access/stratnum.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/tlist.h"
#include "parser/parsetree.h"
#include "server/extension.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

static bool
is_vector_type(Oid type)
{
	static const char *const names[] = {"vector", "halfvec", "sparsevec"};

	type = getBaseType(type);
	if (type == BITOID || type == VARBITOID)
		return true;
	for (int i = 0; i < lengthof(names); i++)
	{
		if (type == extension_type(names[i]))
			return true;
	}
	return false;
}

/*
 * Whether a function takes two vectors, or bits, and gives a number: the
 * server has none of its own that does.
 */
static bool
is_distance_function(Oid function)
{
	Oid		   *types;
	int			count;
	Oid			result = get_func_signature(function, &types, &count);

	return result == FLOAT8OID && count == 2 && is_vector_type(types[0]) &&
		is_vector_type(types[1]);
}

/*
 * Whether an index method of ours orders by an operator: those of pgvector's
 * own types may be among them.
 */
static bool
is_ordering_operator(Oid operator)
{
	CatCList   *list = SearchSysCacheList1(AMOPOPID,
										   ObjectIdGetDatum(operator));
	bool		found = false;

	for (int i = 0; i < list->n_members && !found; i++)
	{
		Form_pg_amop form = (Form_pg_amop) GETSTRUCT(&list->members[i]->tuple);

		found = form->amoppurpose == AMOP_ORDER &&
			(form->amopmethod == get_index_am_oid("ktree", true) ||
			 form->amopmethod == get_index_am_oid("inverted", true));
	}
	ReleaseSysCacheList(list);
	return found;
}

static bool
is_distance_operator(const OpExpr *operator)
{
	return is_distance_function(get_opcode(operator->opno)) ||
		is_ordering_operator(operator->opno);
}

static bool
has_distance_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, OpExpr) && is_distance_operator((OpExpr *) node))
		return true;
	if (IsA(node, FuncExpr) &&
		is_distance_function(((FuncExpr *) node)->funcid))
		return true;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, has_distance_walker, context,
								 0);
	return expression_tree_walker(node, has_distance_walker, context);
}

bool
explain_has_distance(Query *query)
{
	return query_tree_walker(query, has_distance_walker, NULL, 0);
}

/* ---------- the parts of an order ---------- */

/* A level of the statement, and those around it */
typedef struct Level
{
	Query	   *query;
	const struct Level *above;	/* NULL: the outermost */
} Level;

Var *
explain_column(Node *node, bool *cast)
{
	for (;;)
	{
		if (node == NULL)
			return NULL;
		if (IsA(node, Var))
			return (Var *) node;
		if (IsA(node, RelabelType))
			node = (Node *) ((RelabelType *) node)->arg;
		else if (IsA(node, CoerceToDomain))
			node = (Node *) ((CoerceToDomain *) node)->arg;
		else if (IsA(node, FuncExpr) &&
				 ((FuncExpr *) node)->funcformat != COERCE_EXPLICIT_CALL &&
				 ((FuncExpr *) node)->args != NIL)
			node = linitial(((FuncExpr *) node)->args);
		else
			return NULL;
		*cast = true;
	}
}

/* Its own column under this number, of a query that is read from; or NULL */
static Node *
output_column(Query *query, AttrNumber number)
{
	TargetEntry *entry;

	if (query->setOperations != NULL)
		return NULL;
	entry = get_tle_by_resno(query->targetList, number);
	return entry == NULL ? NULL : (Node *) entry->expr;
}

/* The query of a common table expression, and its level; or NULL */
static Query *
query_of_name(const Level *level, const RangeTblEntry *entry, Level *inner)
{
	ListCell   *cell;

	for (Index up = 0; up < entry->ctelevelsup && level != NULL; up++)
		level = level->above;
	if (level == NULL || entry->self_reference)
		return NULL;
	foreach(cell, level->query->cteList)
	{
		CommonTableExpr *cte = lfirst(cell);

		if (strcmp(cte->ctename, entry->ctename) != 0)
			continue;
		inner->query = (Query *) cte->ctequery;
		inner->above = level;
		return inner->query;
	}
	return NULL;
}

/*
 * Find the table's column that an expression is, through joins, subqueries,
 * common table expressions and views: the planner looks through them, too.
 */
static bool
find_table(DistanceOrder *order, const Level *level, Node *node)
{
	Var		   *column = explain_column(node, &order->cast);
	RangeTblEntry *entry;
	Level		inner;

	if (column == NULL || column->varlevelsup != 0 || column->varattno <= 0)
		return false;
	entry = rt_fetch(column->varno, level->query->rtable);
	node = group_expression(entry, column->varattno);
	if (node != NULL)
		return find_table(order, level, node);
	switch (entry->rtekind)
	{
		case RTE_RELATION:
			if (entry->relkind == RELKIND_VIEW)
				return false;
			order->table = entry->relid;
			order->attribute = column->varattno;
			return true;
		case RTE_JOIN:
			return find_table(order, level, list_nth(entry->joinaliasvars,
													 column->varattno - 1));
		case RTE_SUBQUERY:
			inner.query = entry->subquery;
			inner.above = level;
			break;
		case RTE_CTE:
			if (query_of_name(level, entry, &inner) == NULL)
				return false;
			break;
		default:
			return false;
	}
	return find_table(order, &inner,
					  output_column(inner.query, column->varattno));
}

static bool
find_column(DistanceOrder *order, const Level *level, Node *side, Node *other)
{
	order->cast = false;
	if (!find_table(order, level, side))
		return false;
	order->side = side;
	order->value = other;
	return true;
}

static DistanceOrder *
make_order(const Level *level, SortGroupClause *clause)
{
	DistanceOrder *order = palloc0(sizeof(DistanceOrder));
	OpExpr	   *operator;

	order->query = level->query;
	order->clause = clause;
	order->later = clause != linitial(level->query->sortClause);
	order->expression = (Expr *)
		get_sortgroupclause_expr(clause, level->query->targetList);
	if (!IsA(order->expression, OpExpr))
		return order;
	operator = (OpExpr *) order->expression;
	if (!is_distance_operator(operator))
		return order;
	order->distance = operator;
	if (!find_column(order, level, linitial(operator->args),
					 lsecond(operator->args)))
		(void) find_column(order, level, lsecond(operator->args),
						   linitial(operator->args));
	return order;
}

/* The first expression of an order that has a distance in it, or NULL */
static SortGroupClause *
distance_clause(Query *query)
{
	ListCell   *cell;

	foreach(cell, query->sortClause)
	{
		Node	   *expression = get_sortgroupclause_expr(lfirst(cell),
														  query->targetList);

		if (has_distance_walker(expression, NULL))
			return lfirst(cell);
	}
	return NULL;
}

typedef struct Search
{
	List	   *orders;
	const Level *level;
} Search;

static bool
find_orders_walker(Node *node, void *context)
{
	Search	   *search = context;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		Level		level = {.query = (Query *) node, .above = search->level};
		SortGroupClause *clause = distance_clause(level.query);

		if (clause != NULL)
			search->orders = lappend(search->orders,
									 make_order(&level, clause));
		search->level = &level;
		(void) query_tree_walker(level.query, find_orders_walker, search, 0);
		search->level = level.above;
		return false;
	}
	return expression_tree_walker(node, find_orders_walker, context);
}

List *
explain_find_orders(Query *query)
{
	Search		search = {.orders = NIL, .level = NULL};

	(void) find_orders_walker((Node *) query, &search);
	return search.orders;
}

char *
explain_operator(const DistanceOrder *order)
{
	return get_opname(order->distance->opno);
}

/* ---------- what is in the way ---------- */

static bool
say(StringInfo text, const char *sentence)
{
	appendStringInfo(text, "%s\n", sentence);
	return true;
}

static bool
is_descending(const SortGroupClause *clause)
{
	Oid			family;
	Oid			type;
	ORDERING_KIND kind;

	return get_ordering_op_properties(clause->sortop, &family, &type,
									  &kind) &&
		kind == ORDERING_GREATER;
}

bool
explain_is_plain(const DistanceOrder *order)
{
	return !order->later && !order->clause->nulls_first &&
		!is_descending(order->clause);
}

/* A column under a cast is another value than the index has. */
static bool
cast_fault(const DistanceOrder *order, StringInfo text)
{
	if (!order->cast)
		return false;
	return say(text, psprintf("The column \"%s\" is cast from %s to %s before it is compared, and an index holds it as it is: cast the value instead, or make the index on that expression.",
							  get_attname(order->table, order->attribute,
										  false),
							  format_type_be(get_atttype(order->table,
														 order->attribute)),
							  format_type_be(exprType(order->side))));
}

static bool
value_fault(const DistanceOrder *order, StringInfo text)
{
	Node	   *value = eval_const_expressions(NULL, order->value);

	if (IsA(value, Const) && ((Const *) value)->constisnull)
		return say(text, "The value on the other side is NULL, and so are all distances: there is no order.");
	if (contain_volatile_functions(order->value))
		return say(text, "The value on the other side comes from a volatile function, which would have to be called for every row: compute it first, in a subquery or a parameter.");
	if (contain_vars_of_level(order->value, 0))
		return say(text, "The other side of the operator changes from row to row: an index needs one value for the whole scan.  Ask for each value in a LATERAL subquery with a LIMIT of its own.");
	return false;
}

/* LIMIT ALL and LIMIT NULL are none. */
static bool
has_limit(const Query *query)
{
	Node	   *count;

	if (query->limitCount == NULL)
		return false;
	count = eval_const_expressions(NULL, query->limitCount);
	return !IsA(count, Const) || !((Const *) count)->constisnull;
}

static bool
level_faults(const DistanceOrder *order, StringInfo text)
{
	const Query *query = order->query;
	bool		any = false;

	if (query->distinctClause != NIL || query->groupClause != NIL ||
		query->hasAggs || query->hasWindowFuncs ||
		query->setOperations != NULL)
		any = say(text, "The same level of the statement groups, removes duplicates, computes window functions or unites: order and limit in a subquery first.");
	if (!order->later && list_length(query->sortClause) > 1)
		any = say(text, "It orders by another expression after the distance: an index gives the order of the distance alone.  Order by the distance and limit in a subquery, and sort its rows around it.");
	if (query->limitOption == LIMIT_OPTION_WITH_TIES)
		any = say(text, "FETCH FIRST ... WITH TIES looks for further rows at the same distance, and an approximate order would lose some: use LIMIT.");
	if (!has_limit(query))
		any = say(text, "There is no LIMIT beside the ORDER BY: all rows are asked for, and then sorting them is faster; ktree offers itself only with a LIMIT.");
	return any;
}

bool
explain_statement_faults(const DistanceOrder *order, StringInfo text)
{
	bool		any = false;

	if (order->distance == NULL)
		return say(text, "It orders by an expression around a distance, or by a function: an index serves the operator by itself, ORDER BY column <op> value.  Compute the rest in the SELECT list.");
	if (order->later)
		any = say(text, "It orders by another expression before the distance: an index serves a distance that comes first.");
	if (is_descending(order->clause))
		any |= say(text, "It orders descending, the farthest first: an index gives the nearest first.  Leave out DESC; the operators <#> and <=> are small for what is similar.");
	else if (order->clause->nulls_first)
		any |= say(text, "It wants NULLs first: an index gives them last.");
	if (!OidIsValid(order->table))
		return say(text, "Neither side of the operator is a column of a table: there is nothing that could have an index.");
	any |= cast_fault(order, text);
	any |= value_fault(order, text);
	any |= level_faults(order, text);
	return any;
}
