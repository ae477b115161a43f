/*-------------------------------------------------------------------------
 *
 * explain.h
 *	  Why an index serves a search, or does not: what the files of
 *	  embed_explain share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEARCH_EXPLAIN_H
#define SEARCH_EXPLAIN_H

#include "server/server.h"

#include "lib/stringinfo.h"
#include "nodes/parsenodes.h"
#include "nodes/plannodes.h"

/* An order by distance, as far as it is one that an index may serve */
typedef struct DistanceOrder
{
	Query	   *query;			/* the level that orders */
	SortGroupClause *clause;
	bool		later;			/* other expressions come before it */
	Expr	   *expression;
	OpExpr	   *distance;		/* NULL: it is no operator by itself */
	Node	   *value;			/* the side that is no column */
	Node	   *side;			/* the side that is one; NULL: neither is */
	bool		cast;			/* the column is, before it is compared */
	Oid			table;			/* InvalidOid: neither side is a column */
	AttrNumber	attribute;
} DistanceOrder;

/* explain_order.c: all orders by distance of a statement, outermost first */
extern List *explain_find_orders(Query *query);

/* Whether anything of the statement is a distance of our types. */
extern bool explain_has_distance(Query *query);

/*
 * What is in the way of any index, by the statement alone: sentences, one a
 * line; returns whether there is anything.
 */
extern bool explain_statement_faults(const DistanceOrder *order,
									 StringInfo text);

/* The operator as it is written, such as <=>. */
extern char *explain_operator(const DistanceOrder *order);

/* Whether it is ascending, NULLs last, and nothing comes before it. */
extern bool explain_is_plain(const DistanceOrder *order);

/* The column that an expression is, without casts; they are told in *cast. */
extern Var *explain_column(Node *node, bool *cast);

#endif							/* SEARCH_EXPLAIN_H */
