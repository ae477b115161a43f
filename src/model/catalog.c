/*-------------------------------------------------------------------------
 *
 * catalog.c
 *	  What embed_models() shows of a model.
 *
 * It must be readable whatever tables there are: a description written
 * by hand that makes no sense, or a model without row 0, gives NULLs here
 * where using the model gives an error.
 *
 *-------------------------------------------------------------------------
 */
#include "model/model_private.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "access/tableam.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "server/name_value.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

EMBED_FUNCTION(embed_model_description);
EMBED_FUNCTION(embed_model_contents);

static Datum
make_row(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	TupleDesc	shape;

	if (get_call_result_type(fcinfo, NULL, &shape) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(shape), values,
											 nulls));
}

/* The value of the argument that is the option of this name, or NULL */
static const char *
find_argument(const Trigger *trigger, const char *name)
{
	for (int i = trigger->tgnargs - 1; i > 0; i--)
	{
		const char *value = name_value_match(trigger->tgargs[i], name);

		if (value != NULL)
			return value;
	}
	return NULL;
}

/* Those without a column of their own; losses are for embed_plot_training */
static Datum
remaining_arguments(const Trigger *trigger)
{
	Datum	   *options = palloc(Max(trigger->tgnargs, 1) * sizeof(Datum));
	int			count = 0;

	for (int i = 1; i < trigger->tgnargs; i++)
	{
		if (name_value_match(trigger->tgargs[i], "config") == NULL &&
			name_value_match(trigger->tgargs[i], "dims") == NULL &&
			name_value_match(trigger->tgargs[i], "losses") == NULL &&
			name_value_match(trigger->tgargs[i], MODEL_HISTORY) == NULL)
			options[count++] = CStringGetTextDatum(trigger->tgargs[i]);
	}
	return PointerGetDatum(construct_array(options, count, TEXTOID, -1, false,
										   TYPALIGN_INT));
}

/* embed_model_description(model) -> (method, dims, config, options) */
Datum
embed_model_description(PG_FUNCTION_ARGS)
{
	Relation	table = try_relation_open(PG_GETARG_OID(0), AccessShareLock);
	Trigger    *trigger;
	Datum		values[4];
	bool		nulls[4] = {true, true, true, true};

	if (table == NULL)
		PG_RETURN_NULL();		/* dropped while somebody lists the models */
	trigger = model_trigger(table);
	if (trigger != NULL && trigger->tgnargs > 0)
	{
		const char *dims = find_argument(trigger, "dims");
		const char *config = find_argument(trigger, "config");

		values[0] = CStringGetTextDatum(trigger->tgargs[0]);
		nulls[0] = false;
		nulls[1] = dims == NULL || strspn(dims, "0123456789") != strlen(dims) ||
			strlen(dims) > 10;
		if (!nulls[1])
			values[1] = Int64GetDatum(strtoll(dims, NULL, 10));
		nulls[2] = config == NULL;
		if (config != NULL)
			values[2] = CStringGetTextDatum(config);
		values[3] = remaining_arguments(trigger);
		nulls[3] = false;
	}
	relation_close(table, AccessShareLock);
	return make_row(fcinfo, values, nulls);
}

/* ---------- contents ---------- */

/* columns of embed_model_contents */
enum
{
	CONTENTS_ROWS,
	CONTENTS_DOCUMENTS,
	CONTENTS_OCCURRENCES,
	CONTENTS_COLUMNS
};

/* "name bigint", or InvalidAttrNumber */
static AttrNumber
find_total(Relation table, const char *name)
{
	TupleDesc	shape = RelationGetDescr(table);

	for (int i = 0; i < shape->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(shape, i);

		if (!attribute->attisdropped && attribute->atttypid == INT8OID &&
			strcmp(NameStr(attribute->attname), name) == 0)
			return attribute->attnum;
	}
	return InvalidAttrNumber;
}

/* One total, where the table has it */
static void
read_total(Relation table, HeapTuple header, const char *name, Datum *value,
		   bool *isnull)
{
	AttrNumber	attribute = find_total(table, name);

	if (attribute == InvalidAttrNumber)
		return;
	*value = heap_getattr(header, attribute, RelationGetDescr(table), isnull);
}

/* The totals in row 0, as far as there are any; without a key, none. */
static void
read_totals(Relation table, AttrNumber id, Datum *values, bool *nulls)
{
	HeapTuple	header;

	if (!OidIsValid(model_primary_key(table, id)))
		return;
	header = model_find_header(table, id, GetActiveSnapshot());
	if (header == NULL)
		return;
	read_total(table, header, "documents", &values[CONTENTS_DOCUMENTS],
			   &nulls[CONTENTS_DOCUMENTS]);
	read_total(table, header, "occurrences", &values[CONTENTS_OCCURRENCES],
			   &nulls[CONTENTS_OCCURRENCES]);
}

/* Rows besides row 0 */
static int64
count_rows(Relation table, AttrNumber id)
{
	TableScanDesc scan = table_beginscan_strat(table, GetActiveSnapshot(), 0,
											   NULL, true, false);
	TupleTableSlot *slot = table_slot_create(table, NULL);
	int64		count = 0;

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;
		Datum		value = slot_getattr(slot, id, &isnull);

		CHECK_FOR_INTERRUPTS();
		count += isnull || DatumGetInt32(value) != 0;
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	return count;
}

/*
 * embed_model_contents(model, count_rows) -> (row_count, documents,
 * occurrences)
 *
 * Whoever may not read the table, or not all of its rows, is told nothing.
 */
Datum
embed_model_contents(PG_FUNCTION_ARGS)
{
	Relation	table = try_relation_open(PG_GETARG_OID(0), AccessShareLock);
	Datum		values[CONTENTS_COLUMNS] = {0};
	bool		nulls[CONTENTS_COLUMNS] = {true, true, true};
	AttrNumber	id;

	if (table == NULL)
		PG_RETURN_NULL();		/* dropped while somebody lists the models */
	id = model_id_attribute(table);
	if (id != InvalidAttrNumber && !table->rd_rel->relrowsecurity &&
		table->rd_rel->relkind == RELKIND_RELATION &&
		pg_class_aclcheck(RelationGetRelid(table), GetUserId(),
						  ACL_SELECT) == ACLCHECK_OK)
	{
		read_totals(table, id, values, nulls);
		nulls[CONTENTS_ROWS] = !PG_GETARG_BOOL(1) &&
			table->rd_rel->reltuples < 0;
		if (PG_GETARG_BOOL(1))
			values[CONTENTS_ROWS] = Int64GetDatum(count_rows(table, id));
		else if (!nulls[CONTENTS_ROWS])
			values[CONTENTS_ROWS] =
				Int64GetDatum((int64) Max(table->rd_rel->reltuples - 1, 0));
	}
	relation_close(table, AccessShareLock);
	return make_row(fcinfo, values, nulls);
}
