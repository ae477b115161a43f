/*-------------------------------------------------------------------------
 *
 * catalog.c
 *	  What the view embed_models shows of a model.
 *
 * The view must be readable whatever tables there are: a description written
 * by hand that makes no sense, or a model without row 0, gives NULLs here
 * where using the model gives an error.
 *
 *-------------------------------------------------------------------------
 */
#include "model/model_private.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "server/extension.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

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

/* The value of the argument that begins with "name=", or NULL */
static const char *
find_argument(const Trigger *trigger, const char *name)
{
	Size		length = strlen(name);

	for (int i = trigger->tgnargs - 1; i > 0; i--)
	{
		if (strncmp(trigger->tgargs[i], name, length) == 0 &&
			trigger->tgargs[i][length] == '=')
			return trigger->tgargs[i] + length + 1;
	}
	return NULL;
}

static Datum
remaining_arguments(const Trigger *trigger)
{
	Datum	   *options = palloc(Max(trigger->tgnargs, 1) * sizeof(Datum));
	int			count = 0;

	for (int i = 1; i < trigger->tgnargs; i++)
	{
		if (strncmp(trigger->tgargs[i], "config=", 7) != 0 &&
			strncmp(trigger->tgargs[i], "dims=", 5) != 0)
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

/* SQL for a total that this table may not have */
static const char *
total_column(Oid table, const char *name)
{
	AttrNumber	attribute = get_attnum(table, name);

	if (attribute == InvalidAttrNumber ||
		get_atttype(table, attribute) != INT8OID)
		return "NULL::pg_catalog.int8";
	return name;
}

/* embed_model_contents(model) -> (row_count, documents, occurrences) */
Datum
embed_model_contents(PG_FUNCTION_ARGS)
{
	Oid			table = PG_GETARG_OID(0);
	Relation	relation = try_relation_open(table, AccessShareLock);
	Datum		values[3] = {0, 0, 0};
	bool		nulls[3] = {true, true, true};
	char	   *name;

	if (relation == NULL)
		PG_RETURN_NULL();
	relation_close(relation, NoLock);

	if (pg_class_aclcheck(table, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, get_rel_name(table));
	if (get_attnum(table, "id") == InvalidAttrNumber ||
		get_atttype(table, get_attnum(table, "id")) != INT4OID)
		return make_row(fcinfo, values, nulls);
	name = qualified_relation_name(table);
	SPI_connect();
	if (SPI_execute(psprintf("SELECT (SELECT pg_catalog.count(*) FROM ONLY %s WHERE id OPERATOR(pg_catalog.<>) 0), h.documents, h.occurrences"
							 " FROM (SELECT) one LEFT JOIN (SELECT %s AS documents, %s AS occurrences FROM ONLY %s WHERE id OPERATOR(pg_catalog.=) 0) h ON true",
							 name, total_column(table, "documents"),
							 total_column(table, "occurrences"), name),
					true, 1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not count the rows of \"%s\"", name);
	for (int i = 0; i < 3; i++)
		values[i] = SPI_getbinval(SPI_tuptable->vals[0],
								  SPI_tuptable->tupdesc, i + 1, &nulls[i]);
	for (int i = 0; i < 3; i++)
		values[i] = nulls[i] ? (Datum) 0 : Int64GetDatum(DatumGetInt64(values[i]));
	SPI_finish();
	return make_row(fcinfo, values, nulls);
}
