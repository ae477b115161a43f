/*-------------------------------------------------------------------------
 *
 * filter.c
 *	  Further key columns, by which a scan turns rows away.
 *
 * A column's value lies beside the codes as 64 bits.  Types of fixed width
 * whose order is that of a number are kept as that number, so that all
 * comparisons are exact; of any other type a hash is kept, which tells equal
 * values from most others, and the executor checks again.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "access/stratnum.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "index/ktree/ktree.h"
#include "math/between.h"

StaticAssertDecl(BETWEEN_COUNT == RABITQ_BLOCK, "a block of values");

/* Key columns behind the vector. */
int
ktree_filter_count(Relation index)
{
	return IndexRelationGetNumberOfKeyAttributes(index) - 1;
}

/* Error unless the first key column is a vector and the others can filter. */
void
ktree_check_columns(Relation index)
{
	int			count = ktree_filter_count(index);

	if (count > KTREE_MAX_FILTERS)
		ereport(ERROR,
				(errcode(ERRCODE_TOO_MANY_COLUMNS),
				 errmsg("access method \"ktree\" takes a vector and at most %d columns to filter by",
						KTREE_MAX_FILTERS)));
	for (int column = 0; column <= count; column++)
	{
		bool		vector = OidIsValid(
				   index_getprocid(index, column + 1, KTREE_KIND_PROC));

		if (vector != (column == 0))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg(column == 0 ?
							"the first column of a \"ktree\" index must be a vector" :
							"only the first column of a \"ktree\" index can be a vector")));
	}
}

/* The order of double precision, NaN last, as that of integers. */
static int64
number_of_double(double value)
{
	int64		bits;

	if (isnan(value))
		return PG_INT64_MAX;
	value += 0.0;				/* -0 equals 0 */
	memcpy(&bits, &value, sizeof(bits));
	return bits < 0 ? bits ^ PG_INT64_MAX : bits;
}

/* A value as 64 bits; false if only its equality can be told from them. */
static bool
to_number(Oid type, Oid collation, Datum value, int64 *number)
{
	TypeCacheEntry *entry;

	switch (type)
	{
		case BOOLOID:
			*number = DatumGetBool(value);
			return true;
		case CHAROID:
			*number = (uint8) DatumGetChar(value);
			return true;
		case INT2OID:
			*number = DatumGetInt16(value);
			return true;
		case INT4OID:
			*number = DatumGetInt32(value);
			return true;
		case INT8OID:
			*number = DatumGetInt64(value);
			return true;
		case OIDOID:
			*number = DatumGetObjectId(value);
			return true;
		case DATEOID:
			*number = DatumGetDateADT(value);
			return true;
		case TIMEOID:
			*number = DatumGetTimeADT(value);
			return true;
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			*number = DatumGetTimestamp(value);
			return true;
		case FLOAT4OID:
			*number = number_of_double(DatumGetFloat4(value));
			return true;
		case FLOAT8OID:
			*number = number_of_double(DatumGetFloat8(value));
			return true;
	}
	entry = lookup_type_cache(type, TYPECACHE_HASH_EXTENDED_PROC_FINFO);
	if (!OidIsValid(entry->hash_extended_proc_finfo.fn_oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("could not identify an extended hash function for type %s",
						format_type_be(type))));
	*number = (int64) DatumGetUInt64(FunctionCall2Coll(
		&entry->hash_extended_proc_finfo, collation, value, Int64GetDatum(0)));
	return false;
}

/* What lies beside a row's codes. */
void
ktree_filters_of_row(Relation index, const Datum *values, const bool *isnull,
					 KtreeFilters *filters)
{
	memset(filters, 0, sizeof(*filters));
	for (int column = 0; column < ktree_filter_count(index); column++)
	{
		Oid			type = TupleDescAttr(RelationGetDescr(index), column + 1)
							   ->atttypid;

		if (isnull[column + 1])
			filters->nulls |= (uint8) (1 << column);
		else
			(void) to_number(getBaseType(type),
							 index->rd_indcollation[column + 1],
							 values[column + 1], &filters->value[column]);
	}
}

/* Where the values of a block's rows lie, and which of them are null. */
static int64 *
block_values(const KtreeLayout *layout, const uint8 *block, int column)
{
	return (int64 *) (block + layout->filter_offset +
					  column * KTREE_FILTER_BYTES);
}

static uint32 *
block_nulls(const KtreeLayout *layout, const uint8 *block, int column)
{
	return (uint32 *) (block_values(layout, block, column) + RABITQ_BLOCK);
}

void
ktree_put_filters(const KtreeLayout *layout, uint8 *block, int slot,
				  const KtreeFilters *filters)
{
	for (int column = 0; column < layout->filters; column++)
	{
		uint32	   *nulls = block_nulls(layout, block, column);

		block_values(layout, block, column)[slot] = filters->value[column];
		*nulls &= ~(UINT32_C(1) << slot);
		*nulls |= (uint32) ((filters->nulls >> column) & 1) << slot;
	}
}

void
ktree_get_filters(const KtreeLayout *layout, const uint8 *block, int slot,
				  KtreeFilters *filters)
{
	memset(filters, 0, sizeof(*filters));
	for (int column = 0; column < layout->filters; column++)
	{
		filters->value[column] = block_values(layout, block, column)[slot];
		filters->nulls |=
			(uint8) (((*block_nulls(layout, block, column) >> slot) & 1)
					 << column);
	}
}

/* A condition of a scan: a range, some values, or null. */
typedef struct Condition
{
	int			column;
	bool		null;
	int64		low;
	int64		high;
	int64	   *values;			/* sorted; NULL: the range alone */
	int			count;
} Condition;

struct KtreeFilter
{
	int			count;
	bool		never;			/* no row of the tree can pass */
	bool		lossy;			/* equal hashes may be of different values */
	Condition	conditions[FLEXIBLE_ARRAY_MEMBER];
};

static int
compare_numbers(const void *a, const void *b)
{
	int64		x = *(const int64 *) a;
	int64		y = *(const int64 *) b;

	return x < y ? -1 : x > y;
}

/* Narrow a range by one comparison; false if nothing is left. */
static bool
narrow(Condition *condition, int strategy, int64 number)
{
	switch (strategy)
	{
		case KTREE_LESS:
			if (number == PG_INT64_MIN)
				return false;
			condition->high = number - 1;
			return true;
		case KTREE_LESS_EQUAL:
			condition->high = number;
			return true;
		case KTREE_EQUAL:
			condition->low = condition->high = number;
			return true;
		case KTREE_GREATER_EQUAL:
			condition->low = number;
			return true;
		case KTREE_GREATER:
			if (number == PG_INT64_MAX)
				return false;
			condition->low = number + 1;
			return true;
	}
	elog(ERROR, "unknown strategy number %d", strategy);
	return false;
}

/* column operator ANY (array) */
static void
condition_of_array(struct KtreeFilter *filter, Condition *condition,
				   ScanKey key, Oid collation)
{
	ArrayType  *array = DatumGetArrayTypeP(key->sk_argument);
	Oid			type = ARR_ELEMTYPE(array);
	int16		length;
	bool		by_value;
	char		align;
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	get_typlenbyvalalign(type, &length, &by_value, &align);
	deconstruct_array(array, type, length, by_value, align, &elements, &nulls,
					  &count);
	condition->values = palloc(sizeof(int64) * (count + 1));
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			continue;
		if (!to_number(getBaseType(type), collation, elements[i],
					   &condition->values[condition->count++]))
			filter->lossy = true;
	}
	if (condition->count == 0)
	{
		filter->never = true;
		return;
	}
	qsort(condition->values, condition->count, sizeof(int64), compare_numbers);
	if (key->sk_strategy == KTREE_EQUAL)
	{
		condition->low = condition->values[0];
		condition->high = condition->values[condition->count - 1];
		return;
	}
	/* any of them: the one that lets most pass */
	if (!narrow(condition, key->sk_strategy,
				key->sk_strategy == KTREE_LESS ||
						key->sk_strategy == KTREE_LESS_EQUAL
					? condition->values[condition->count - 1]
					: condition->values[0]))
		filter->never = true;
	condition->values = NULL;
}

/* The conditions of a scan; NULL: there are none. */
struct KtreeFilter *
ktree_filter_create(Relation index, ScanKey keys, int count)
{
	struct KtreeFilter *filter;

	if (count == 0)
		return NULL;
	filter = palloc0(offsetof(struct KtreeFilter, conditions) +
					 sizeof(Condition) * count);
	for (int i = 0; i < count; i++)
	{
		ScanKey		key = &keys[i];
		Condition  *condition = &filter->conditions[filter->count];
		Oid			collation = index->rd_indcollation[key->sk_attno - 1];
		Oid			type = OidIsValid(key->sk_subtype)
							   ? key->sk_subtype
							   : TupleDescAttr(RelationGetDescr(index),
											   key->sk_attno - 1)
									 ->atttypid;
		int64		number;

		condition->column = key->sk_attno - 2;
		condition->low = PG_INT64_MIN;
		condition->high = PG_INT64_MAX;
		if (key->sk_attno == 1)
		{
			/* the tree holds no null vector */
			if (key->sk_flags & SK_SEARCHNULL)
				filter->never = true;
			continue;
		}
		filter->count++;
		if (key->sk_flags & SK_SEARCHNULL)
			condition->null = true;
		else if (key->sk_flags & SK_SEARCHNOTNULL)
			continue;
		else if (key->sk_flags & SK_ISNULL)
			filter->never = true;
		else if (key->sk_flags & SK_SEARCHARRAY)
			condition_of_array(filter, condition, key, collation);
		else
		{
			/* a polymorphic class, as of enums, has no type to compare with */
			if (IsPolymorphicType(type))
				type = TupleDescAttr(RelationGetDescr(index),
									 key->sk_attno - 1)
						   ->atttypid;
			if (!to_number(getBaseType(type), collation, key->sk_argument,
						   &number))
				filter->lossy = true;
			if (!narrow(condition, key->sk_strategy, number))
				filter->never = true;
		}
	}
	return filter;
}

bool
ktree_filter_lossy(const struct KtreeFilter *filter)
{
	return filter != NULL && filter->lossy;
}

/* The rows of a block that pass. */
uint32
ktree_filter_block(const struct KtreeFilter *filter, const KtreeLayout *layout,
				   const uint8 *block)
{
	uint32		result = filter->never ? 0 : PG_UINT32_MAX;

	for (int i = 0; i < filter->count && result != 0; i++)
	{
		const Condition *condition = &filter->conditions[i];
		const int64 *values = block_values(layout, block, condition->column);
		uint32		nulls = *block_nulls(layout, block, condition->column);
		uint32		mask;

		if (condition->null)
		{
			result &= nulls;
			continue;
		}
		result &= between(values, condition->low, condition->high) & ~nulls;
		if (condition->values == NULL)
			continue;
		for (mask = result; mask != 0; mask &= mask - 1)
		{
			int			slot = __builtin_ctz(mask);

			if (bsearch(&values[slot], condition->values, condition->count,
						sizeof(int64), compare_numbers) == NULL)
				result &= ~(UINT32_C(1) << slot);
		}
	}
	return result;
}
