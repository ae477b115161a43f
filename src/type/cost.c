/*-------------------------------------------------------------------------
 *
 * cost.c
 *	  What the planner should think of a distance.
 *
 * A fixed COST is wrong for most vectors: at 3 dimensions a distance costs as
 * much as an addition of integers, at 1,536 dimensions read from a TOAST
 * table a thousand times that.  The length is known from the column's type
 * modifier, its statistics or a constant, so the planner is told.  Where it
 * is not, the COST of the function stands.
 *
 *-------------------------------------------------------------------------
 */
#include "type/element.h"

#include "access/detoast.h"
#include "access/heaptoast.h"
#include "access/htup_details.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "nodes/supportnodes.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/*
 * In units of cpu_operator_cost, measured against int4 addition in the same
 * kind of scan (README, "Cost").
 */
#define UNITS_PER_CALL			3.0
#define UNITS_PER_BYTE			(1.0 / 128)
#define UNITS_PER_FETCH			300.0
#define UNITS_PER_FETCHED_BYTE	(1.0 / 16)

/* What is known of the values of one argument. */
typedef struct ArgumentSize
{
	double		bytes;			/* 0: unknown */
	bool		fetched;		/* from a TOAST table, for every row */
} ArgumentSize;

/* The size that a type modifier tells; that of a sparsevec tells none. */
static double
bytes_of_dims(const VectorType *type, int32 dims)
{
	if (dims < 1 || type == &sparsevec_type)
		return 0;
	if (type == NULL)
		return VARHDRSZ + sizeof(int32) + dims / 8.0;
	return type->half ? HALFVEC_SIZE((double) dims)
					  : VECTOR_SIZE((double) dims);
}

/*
 * A column: its type modifier first, since ANALYZE measures a value stored
 * out of line by its pointer.
 */
static ArgumentSize
column_size(PlannerInfo *root, const VectorType *type, Var *column)
{
	ArgumentSize size = {bytes_of_dims(type, column->vartypmod), false};
	RangeTblEntry *table;
	HeapTuple	tuple;

	if (root == NULL || column->varlevelsup != 0 ||
		IS_SPECIAL_VARNO(column->varno))
		return size;
	table = planner_rt_fetch(column->varno, root);
	if (table->rtekind != RTE_RELATION)
		return size;
	if (size.bytes == 0)
		size.bytes = get_attavgwidth(table->relid, column->varattno);
	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(table->relid),
							Int16GetDatum(column->varattno));
	if (HeapTupleIsValid(tuple))
	{
		char		storage =
				   ((Form_pg_attribute) GETSTRUCT(tuple))->attstorage;

		size.fetched = size.bytes > TOAST_TUPLE_TARGET &&
			(storage == TYPSTORAGE_EXTERNAL || storage == TYPSTORAGE_EXTENDED);
		ReleaseSysCache(tuple);
	}
	return size;
}

static ArgumentSize
argument_size(PlannerInfo *root, const VectorType *type, Node *argument)
{
	ArgumentSize size = {0, false};

	if (IsA(argument, Var))
		return column_size(root, type, (Var *) argument);
	if (IsA(argument, Const))
	{
		if (!((Const *) argument)->constisnull)
			size.bytes = (double) toast_raw_datum_size(
				((Const *) argument)->constvalue);
	}
	else
		size.bytes = bytes_of_dims(type, exprTypmod(argument));
	return size;
}

/* type is NULL for bit strings */
static Datum
distance_support(FunctionCallInfo fcinfo, const VectorType *type)
{
	SupportRequestCost *request = (SupportRequestCost *) PG_GETARG_POINTER(0);
	List	   *arguments;
	ListCell   *cell;
	double		bytes = 0;
	double		units = UNITS_PER_CALL;

	if (!IsA(request, SupportRequestCost) || request->node == NULL)
		PG_RETURN_POINTER(NULL);
	if (IsA(request->node, OpExpr))
		arguments = ((OpExpr *) request->node)->args;
	else if (IsA(request->node, FuncExpr))
		arguments = ((FuncExpr *) request->node)->args;
	else
		PG_RETURN_POINTER(NULL);

	foreach(cell, arguments)
	{
		ArgumentSize size = argument_size(request->root, type, lfirst(cell));

		bytes = Max(bytes, size.bytes);
		if (size.fetched)
			units += UNITS_PER_FETCH + size.bytes * UNITS_PER_FETCHED_BYTE;
	}
	if (bytes == 0)
		PG_RETURN_POINTER(NULL);
	units += bytes * UNITS_PER_BYTE;

	request->startup = 0;
	request->per_tuple = units * cpu_operator_cost;
	PG_RETURN_POINTER(request);
}

#define ENTRY(function, type) \
	EMBED_FUNCTION(function); \
	Datum function(PG_FUNCTION_ARGS) { return distance_support(fcinfo, type); }

ENTRY(vector_distance_support, &vector_type)
ENTRY(halfvec_distance_support, &halfvec_type)
ENTRY(sparsevec_distance_support, &sparsevec_type)
ENTRY(bit_distance_support, NULL)
