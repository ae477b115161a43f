/*-------------------------------------------------------------------------
 *
 * fusion.c
 *	  Reciprocal rank fusion: one ranking out of several.
 *
 * A row's score is the sum of 1 / (k + rank) over the lists that hold it
 * (Cormack, Clarke and Buettcher, SIGIR 2009, where k = 60).  A list that
 * lacks the row, where a full join leaves a NULL rank, adds 0.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

EMBED_FUNCTION(rrf_score);
Datum
rrf_score(PG_FUNCTION_ARGS)
{
	int64		rank;
	double		k;

	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	k = PG_GETARG_FLOAT8(1);
	if (!isfinite(k) || k < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("k must be a finite number of at least 0")));
	if (PG_ARGISNULL(0))
		PG_RETURN_FLOAT8(0);
	rank = PG_GETARG_INT64(0);
	if (rank < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("rank must be at least 1, not %lld", (long long) rank),
				 errhint("Use the result of row_number() or rank().")));
	PG_RETURN_FLOAT8(1.0 / (k + (double) rank));
}
