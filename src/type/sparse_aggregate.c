/*-------------------------------------------------------------------------
 *
 * sparse_aggregate.c
 *	  sum and avg of sparsevec.
 *
 * The state is a hash table from index to sum.  A result can hold no more
 * than SPARSEVEC_MAX_NONZEROS non-zeros, but elements may cancel later on, so
 * the table may grow to what work_mem allows and an error says so beyond.
 *
 *-------------------------------------------------------------------------
 */
#include "type/argument.h"
#include "type/element.h"

#include <math.h>

#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/float.h"
#include "utils/memutils.h"

typedef struct SumEntry
{
	double		sum;
	int32		index;
	char		status;			/* of the hash table */
} SumEntry;

#define SH_PREFIX		sums
#define SH_ELEMENT_TYPE SumEntry
#define SH_KEY_TYPE		int32
#define SH_KEY			index
#define SH_HASH_KEY(table, key) murmurhash32((uint32) (key))
#define SH_EQUAL(table, a, b)	((a) == (b))
#define SH_SCOPE		static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

typedef struct SparseSum
{
	sums_hash  *sums;
	int64		rows;
	int32		dims;
} SparseSum;

static SparseSum *
sparse_sum_create(FunctionCallInfo fcinfo, int32 dims, uint32 entries)
{
	MemoryContext context;
	SparseSum  *state;

	if (!AggCheckCallContext(fcinfo, &context))
		context = CurrentMemoryContext;
	state = MemoryContextAllocZero(context, sizeof(SparseSum));
	state->sums = sums_create(context, entries, NULL);
	state->dims = dims;
	return state;
}

/* The table doubles, and the old half stays until its entries have moved. */
static uint32
sparse_sum_limit(void)
{
	int64		limit = work_mem * INT64CONST(1024) /
						(3 * (int64) sizeof(SumEntry));

	return (uint32) Min(Max(limit, 4 * SPARSEVEC_MAX_NONZEROS), PG_INT32_MAX);
}

static void
sparse_sum_add(SparseSum *state, int32 index, double value)
{
	bool		found;
	SumEntry   *entry = sums_insert(state->sums, index, &found);

	entry->sum = found ? entry->sum + value : value;
	if (unlikely(state->sums->members > sparse_sum_limit()))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("sum of sparsevec needs more than work_mem"),
				 errdetail("The rows have more than %u different indices.",
						   sparse_sum_limit()),
				 errhint("The result of a sum can have at most %d non-zero elements.",
						 SPARSEVEC_MAX_NONZEROS)));
}

EMBED_FUNCTION(sparsevec_accum);
Datum
sparsevec_accum(PG_FUNCTION_ARGS)
{
	SparseSum  *state = PG_ARGISNULL(0) ? NULL
										: (SparseSum *) PG_GETARG_POINTER(0);
	ArgumentBuffer buffer;
	const SparseVector *row;
	const float *values;

	if (PG_ARGISNULL(1))
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	row = argument_copy(fcinfo, 1, &buffer);
	values = SPARSEVEC_VALUES(row);
	if (state == NULL)
		state = sparse_sum_create(fcinfo, row->dims, row->count);
	check_same_dims(&sparsevec_type, state->dims, row->dims);
	state->rows++;
	for (int i = 0; i < row->count; i++)
		sparse_sum_add(state, row->index[i], values[i]);
	argument_free(fcinfo, 1, row, &buffer);
	PG_RETURN_POINTER(state);
}

EMBED_FUNCTION(sparsevec_combine);
Datum
sparsevec_combine(PG_FUNCTION_ARGS)
{
	SparseSum  *a = PG_ARGISNULL(0)
						? NULL
						: (SparseSum *) PG_GETARG_POINTER(0);
	SparseSum  *b = PG_ARGISNULL(1)
						? NULL
						: (SparseSum *) PG_GETARG_POINTER(1);
	sums_iterator iterator;
	SumEntry   *entry;

	if (b == NULL)
	{
		if (a == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(a);
	}
	if (a == NULL)
		a = sparse_sum_create(fcinfo, b->dims, b->sums->members);
	check_same_dims(&sparsevec_type, a->dims, b->dims);
	a->rows += b->rows;
	sums_start_iterate(b->sums, &iterator);
	while ((entry = sums_iterate(b->sums, &iterator)) != NULL)
		sparse_sum_add(a, entry->index, entry->sum);
	PG_RETURN_POINTER(a);
}

EMBED_FUNCTION(sparsevec_serialize);
Datum
sparsevec_serialize(PG_FUNCTION_ARGS)
{
	SparseSum  *state = (SparseSum *) PG_GETARG_POINTER(0);
	StringInfoData message;
	sums_iterator iterator;
	SumEntry   *entry;

	pq_begintypsend(&message);
	pq_sendint64(&message, state->rows);
	pq_sendint32(&message, state->dims);
	pq_sendint32(&message, state->sums->members);
	sums_start_iterate(state->sums, &iterator);
	while ((entry = sums_iterate(state->sums, &iterator)) != NULL)
	{
		pq_sendint32(&message, entry->index);
		pq_sendfloat8(&message, entry->sum);
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}

EMBED_FUNCTION(sparsevec_deserialize);
Datum
sparsevec_deserialize(PG_FUNCTION_ARGS)
{
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);
	StringInfoData message;
	SparseSum  *state;
	int64		rows;
	int32		dims;
	uint32		entries;

	initStringInfo(&message);
	appendBinaryStringInfo(&message, VARDATA_ANY(bytes),
						   VARSIZE_ANY_EXHDR(bytes));
	rows = pq_getmsgint64(&message);
	dims = (int32) pq_getmsgint(&message, sizeof(int32));
	entries = pq_getmsgint(&message, sizeof(uint32));

	state = sparse_sum_create(fcinfo, dims, entries);
	state->rows = rows;
	for (uint32 i = 0; i < entries; i++)
	{
		int32		index = (int32) pq_getmsgint(&message, sizeof(int32));

		sparse_sum_add(state, index, pq_getmsgfloat8(&message));
	}
	pq_getmsgend(&message);
	pfree(message.data);
	PG_RETURN_POINTER(state);
}

/* The sums, divided: what rounds to zero is left out. */
static Datum
sparse_sum_finish(SparseSum *state, double divisor)
{
	SparseElement *elements = palloc(sizeof(SparseElement) *
									 ((Size) state->sums->members + 1));
	int			count = 0;
	sums_iterator iterator;
	SumEntry   *entry;
	SparseVector *result;

	sums_start_iterate(state->sums, &iterator);
	while ((entry = sums_iterate(state->sums, &iterator)) != NULL)
	{
		elements[count].index = entry->index;
		elements[count].value = (float) (entry->sum / divisor);
		if (isinf(elements[count].value))
			float_overflow_error();
		count++;
	}
	result = sparsevec_build(state->dims, elements, count);
	pfree(elements);
	PG_RETURN_POINTER(result);
}

EMBED_FUNCTION(sparsevec_sum);
Datum
sparsevec_sum(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	return sparse_sum_finish((SparseSum *) PG_GETARG_POINTER(0), 1);
}

EMBED_FUNCTION(sparsevec_avg);
Datum
sparsevec_avg(PG_FUNCTION_ARGS)
{
	SparseSum  *state;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	state = (SparseSum *) PG_GETARG_POINTER(0);
	return sparse_sum_finish(state, (double) state->rows);
}
