/*-------------------------------------------------------------------------
 *
 * argument.c
 *	  Out-of-line arguments, and the constant side of a query among them.
 *
 * ORDER BY e <=> (SELECT e FROM q) hands the query vector over as a pointer
 * into the TOAST table, for every row.  Fetching it costs several buffer
 * accesses and a copy, many times the distance itself, so a call site that
 * sees the same pointer in two calls running keeps the value.  The column's
 * side shows a new pointer in every call and costs a comparison.
 *
 * A pointer names its value for as long as anybody may see it.  A call site
 * can outlive that only where it belongs to the relation cache or to a
 * PL/pgSQL function; hence the start of the client's statement is part of
 * what must agree.
 *
 *-------------------------------------------------------------------------
 */
#include "type/argument.h"

#include "access/detoast.h"
#include "access/xact.h"
#include "utils/memutils.h"

/* The last pointer seen, and its value from the second time on. */
typedef struct ArgumentSeen
{
	struct varatt_external pointer;
	TimestampTz statement;
	struct varlena *value;
} ArgumentSeen;

typedef struct ArgumentCache
{
	ArgumentSeen seen[2];
} ArgumentCache;

const void *
argument_fetch(FunctionCallInfo fcinfo, int n)
{
	struct varlena *datum = (struct varlena *) PG_GETARG_POINTER(n);
	FmgrInfo   *site = fcinfo->flinfo;
	struct varatt_external pointer;
	ArgumentSeen *seen;

	if (site == NULL || n > 1 || !VARATT_IS_EXTERNAL_ONDISK(datum))
		return detoast_attr(datum);

	VARATT_EXTERNAL_GET_POINTER(pointer, datum);
	if (site->fn_extra == NULL)
		site->fn_extra = MemoryContextAllocZero(site->fn_mcxt,
												sizeof(ArgumentCache));
	seen = &((ArgumentCache *) site->fn_extra)->seen[n];

	if (memcmp(&seen->pointer, &pointer, sizeof(pointer)) == 0 &&
		seen->statement == GetCurrentStatementStartTimestamp())
	{
		if (seen->value == NULL)
		{
			MemoryContext old = MemoryContextSwitchTo(site->fn_mcxt);

			seen->value = detoast_attr(datum);
			MemoryContextSwitchTo(old);
		}
		return seen->value;
	}

	if (seen->value != NULL)
		pfree(seen->value);
	seen->value = NULL;
	seen->pointer = pointer;
	seen->statement = GetCurrentStatementStartTimestamp();
	return detoast_attr(datum);
}
