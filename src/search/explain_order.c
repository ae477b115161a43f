/*-------------------------------------------------------------------------
 *
 * explain_order.c
 *	  Orders by distance in a statement, and what keeps an index from them
 *	  whatever indexes there are.
 *
 * An index serves ORDER BY column <op> value: ascending, NULLs last, the
 * column as it is and the operator by itself, the value the same for the
 * whole scan.  What looks like it and is not is said here.
 *
 *-------------------------------------------------------------------------
 */
#include "search/explain.h"

#include "access/stratnum.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/tlist.h"
#include "parser/parsetree.h"
#include "server/extension.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

static bool
is_vector_type(Oid type)
{
	static const char *const names[] = {"vector", "halfvec", "sparsevec"};

	type = getBaseType(type);
	for (int i = 0; i < lengthof(names); i++)
	{
		if (type == extension_type(names[i]))
			return true;
	}
	return false;
}

/* Whether a function takes two vectors and gives a number */
static bool
is_distance_function(Oid function)
{
	Oid		   *types;
	int			count;
	Oid			result = get_func_signature(function, &types, &count);

	return result == FLOAT8OID && count == 2 && is_vector_type(types[0]) &&
		is_vector_type(types[1]);
}

static bool
has_distance_walker(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, OpExpr) &&
		is_distance_function(get_opcode(((OpExpr *) node)->opno)))
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

/* The column that an expression is, without what casts add to it */
static Var *
column_of(Node *node)
{
	for (;;)
	{
		if (node == NULL)
			return NULL;
		if (IsA(node, Var))
			return ((Var *) node)->varlevelsup == 0 ? (Var *) node : NULL;
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
	}
}

static bool
find_column(DistanceOrder *order, Node *side, Node *other)
{
	Var		   *column = column_of(side);
	RangeTblEntry *entry;

	if (column == NULL || column->varattno <= 0)
		return false;
	entry = rt_fetch(column->varno, order->query->rtable);
	if (entry->rtekind != RTE_RELATION || entry->relkind == RELKIND_VIEW)
		return false;
	order->column = column;
	order->value = other;
	order->table = entry->relid;
	order->attribute = column->varattno;
	return true;
}

static DistanceOrder *
make_order(Query *query)
{
	DistanceOrder *order = palloc0(sizeof(DistanceOrder));
	OpExpr	   *operator;

	order->query = query;
	order->clause = linitial(query->sortClause);
	order->expression = (Expr *) get_sortgroupclause_expr(order->clause,
														  query->targetList);
	if (!IsA(order->expression, OpExpr))
		return order;
	operator = (OpExpr *) order->expression;
	if (!is_distance_function(get_opcode(operator->opno)))
		return order;
	order->distance = operator;
	if (!find_column(order, linitial(operator->args), lsecond(operator->args)))
		(void) find_column(order, lsecond(operator->args),
						   linitial(operator->args));
	return order;
}

static bool
find_orders_walker(Node *node, void *context)
{
	List	  **orders = context;

	if (node == NULL)
		return false;
	if (IsA(node, Query))
	{
		Query	   *query = (Query *) node;
		Node	   *first = query->sortClause == NIL ? NULL :
			get_sortgroupclause_expr(linitial(query->sortClause),
									 query->targetList);

		if (has_distance_walker(first, NULL))
			*orders = lappend(*orders, make_order(query));
		return query_tree_walker(query, find_orders_walker, context, 0);
	}
	return expression_tree_walker(node, find_orders_walker, context);
}

List *
explain_find_orders(Query *query)
{
	List	   *orders = NIL;

	(void) find_orders_walker((Node *) query, &orders);
	return orders;
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

/* A column under a cast is another value than the index has. */
static bool
cast_fault(const DistanceOrder *order, StringInfo text)
{
	Node	   *side = linitial(order->distance->args);
	Oid			from;

	if (side == order->value)
		side = lsecond(order->distance->args);
	if (IsA(side, Var))
		return false;
	from = order->column->vartype;
	return say(text, psprintf("The column \"%s\" is cast from %s to %s before it is compared, and an index holds it as it is: cast the value instead, or make the index on that expression.",
							  get_attname(order->table, order->attribute,
										  false),
							  format_type_be(from),
							  format_type_be(exprType(side))));
}

static bool
value_fault(const DistanceOrder *order, StringInfo text)
{
	if (contain_volatile_functions(order->value))
		return say(text, "The value on the other side comes from a volatile function, which would have to be called for every row: compute it first, in a subquery or a parameter.");
	if (contain_vars_of_level(order->value, 0))
		return say(text, "The other side of the operator changes from row to row: an index needs one value for the whole scan.  Ask for each value in a LATERAL subquery with a LIMIT of its own.");
	return false;
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
	if (query->limitOption == LIMIT_OPTION_WITH_TIES)
		any = say(text, "FETCH FIRST ... WITH TIES looks for further rows at the same distance, and an approximate order would lose some: use LIMIT.");
	if (query->limitCount == NULL)
		any = say(text, "There is no LIMIT beside the ORDER BY: all rows are asked for, and then sorting them is faster; ktree offers itself only with a LIMIT.");
	return any;
}

bool
explain_statement_faults(const DistanceOrder *order, StringInfo text)
{
	bool		any = false;

	if (order->distance == NULL)
		return say(text, "It orders by an expression around a distance, or by a function: an index serves the operator by itself, ORDER BY column <op> value.  Compute the rest in the SELECT list.");
	if (is_descending(order->clause))
		any = say(text, "It orders descending, the farthest first: an index gives the nearest first.  Leave out DESC; the operators <#> and <=> are small for what is similar.");
	else if (order->clause->nulls_first)
		any = say(text, "It wants NULLs first: an index gives them last.");
	if (order->column == NULL)
		return say(text, "Neither side of the operator is a column of a table: there is nothing that could have an index.");
	any |= cast_fault(order, text);
	any |= value_fault(order, text);
	any |= level_faults(order, text);
	return any;
}
