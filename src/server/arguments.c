/*-------------------------------------------------------------------------
 *
 * arguments.c
 *	  Arguments of SQL functions that are not strict, or name files.
 *
 *-------------------------------------------------------------------------
 */
#include "server/arguments.h"

#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "utils/acl.h"

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

void
require_server_files(const char *hint)
{
	if (!has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to read server files"),
				 errdetail("Only roles with privileges of the \"%s\" role may read files of the server.",
						   "pg_read_server_files"),
				 errhint("%s", hint)));
}
