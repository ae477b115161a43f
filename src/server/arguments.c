/*-------------------------------------------------------------------------
 *
 * arguments.c
 *	  Arguments of SQL functions that are not strict.
 *
 *-------------------------------------------------------------------------
 */
#include "server/arguments.h"

void
argument_require(FunctionCallInfo fcinfo, int argument, const char *name)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
}

void
arguments_require(FunctionCallInfo fcinfo, uint64 set,
				  const char *const *names)
{
	for (int i = 0; i < PG_NARGS(); i++)
	{
		if ((set & ARGUMENT(i)) != 0)
			argument_require(fcinfo, i, names[i]);
	}
}
