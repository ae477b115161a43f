/*-------------------------------------------------------------------------
 *
 * set_result.c
 *	  Functions that return a set all at once.
 *
 * fn_extra of a function of a model is taken (see call_site.c), so the
 * server's row-by-row protocol, which wants it too, cannot be used.
 *
 *-------------------------------------------------------------------------
 */
#include "server/set_result.h"

#include "funcapi.h"
#include "miscadmin.h"

/* A table of one column is, to the server, a set of that column's type. */
static TupleDesc
result_shape(FunctionCallInfo fcinfo)
{
	TupleDesc	shape;
	Oid			type;
	TypeFuncClass class = get_call_result_type(fcinfo, &type, &shape);

	if (class == TYPEFUNC_SCALAR)
	{
		shape = CreateTemplateTupleDesc(1);
		TupleDescInitEntry(shape, 1, "value", type, -1, 0);
	}
	else if (class != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return shape;
}

ReturnSetInfo *
set_result_begin(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext caller;
	TupleDesc	shape;

	if (result == NULL || !IsA(result, ReturnSetInfo) ||
		(result->allowedModes & SFRM_Materialize) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-valued function called in context that cannot accept a set")));
	caller = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
	shape = result_shape(fcinfo);
	result->returnMode = SFRM_Materialize;
	result->setDesc = BlessTupleDesc(shape);
	result->setResult = tuplestore_begin_heap(true, false, work_mem);
	MemoryContextSwitchTo(caller);
	return result;
}

void
set_result_add(ReturnSetInfo *result, Datum *values, bool *nulls)
{
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}
