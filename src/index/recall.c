/*-------------------------------------------------------------------------
 *
 * recall.c
 *	  embed_index_recall: how many of the true nearest rows an index finds.
 *
 * For each vector that the caller's query returns, the nearest rows are
 * found twice: through the index, under the session's settings, and by a
 * sequential scan and sort.  A row of the index's answer counts when it is no
 * farther than the last of the true ones, so that ties do not matter.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/index.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

#include "index/index.h"

EMBED_FUNCTION(embed_index_recall);

/*
 * search_statement
 *	  "SELECT distance FROM table WHERE predicate ORDER BY 1 LIMIT $2" for the
 *	  vector $1, every name qualified.
 */
static char *
search_statement(Relation index, Oid *type)
{
	StringInfoData sql;
	Oid			heap = index->rd_index->indrelid;
	Oid			family = index->rd_opfamily[0];
	Oid			operator;
	HeapTuple	tuple;
	Form_pg_operator form;
	char	   *column;
	char	   *distance;
	Datum		predicate;
	bool		isnull;

	*type = index->rd_opcintype[0];
	operator = get_opfamily_member(family, *type, *type, 1);
	if (!OidIsValid(operator))
		elog(ERROR, "operator class of index \"%s\" has no operator",
			 RelationGetRelationName(index));
	tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(operator));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for operator %u", operator);
	form = (Form_pg_operator) GETSTRUCT(tuple);
	column = text_to_cstring(DatumGetTextPP(
											DirectFunctionCall3(pg_get_indexdef_ext,
																ObjectIdGetDatum(RelationGetRelid(index)),
																Int32GetDatum(1), BoolGetDatum(false))));
	distance = psprintf("(%s) OPERATOR(%s.%s) $1", column,
						quote_identifier(get_namespace_name(form->oprnamespace)),
						NameStr(form->oprname));
	ReleaseSysCache(tuple);

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s AS distance FROM %s", distance,
					 quote_qualified_identifier(get_namespace_name(get_rel_namespace(heap)),
												get_rel_name(heap)));
	predicate = SysCacheGetAttr(INDEXRELID, index->rd_indextuple, Anum_pg_index_indpred, &isnull);
	if (!isnull)
		appendStringInfo(&sql, " WHERE %s",
						 TextDatumGetCString(DirectFunctionCall2(pg_get_expr, predicate,
																 ObjectIdGetDatum(heap))));
	appendStringInfo(&sql, " ORDER BY %s LIMIT $2", distance);
	return sql.data;
}

/* Run a search; returns the number of distances, NaN and NULL left out. */
static int
run_search(SPIPlanPtr plan, Datum vector, int count, bool by_index, double *distances)
{
	Datum		values[2];
	int			nest = NewGUCNestLevel();
	int			found = 0;

	(void) set_config_option("enable_seqscan", by_index ? "off" : "on", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("enable_sort", by_index ? "off" : "on", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("enable_indexscan", by_index ? "on" : "off", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	values[0] = vector;
	values[1] = Int64GetDatum(count);
	if (SPI_execute_plan(plan, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "search failed");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Datum		value = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull);

		if (!isnull && DatumGetFloat8(value) == DatumGetFloat8(value))
			distances[found++] = DatumGetFloat8(value);
	}
	SPI_freetuptable(SPI_tuptable);
	AtEOXact_GUC(true, nest);
	return found;
}

Datum
embed_index_recall(PG_FUNCTION_ARGS)
{
	Oid			oid = PG_GETARG_OID(0);
	char	   *query = text_to_cstring(PG_GETARG_TEXT_PP(1));
	int			count = PG_GETARG_INT32(2);
	const IndexRoom *room;
	Relation	index;
	Oid			type;
	Oid			types[2];
	char	   *statement;
	SPIPlanPtr	plans[2];
	Portal		portal;
	double	   *by_index;
	double	   *exact;
	double		hits = 0;
	double		wanted = 0;

	if (count < 1 || count > 100000)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("count must be between 1 and 100000")));
	index = index_open_ours(oid, &room);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	statement = search_statement(index, &type);
	types[0] = type;
	types[1] = INT8OID;
	/* two plans, each made and kept under its own settings */
	for (int i = 0; i < 2; i++)
	{
		plans[i] = SPI_prepare(statement, 2, types);
		if (plans[i] == NULL)
			elog(ERROR, "SPI_prepare failed for \"%s\"", statement);
	}
	by_index = palloc(sizeof(double) * count);
	exact = palloc(sizeof(double) * count);

	portal = SPI_cursor_open_with_args(NULL, query, 0, NULL, NULL, NULL, true, 0);
	for (;;)
	{
		SPITupleTable *table;
		bool		isnull;
		Datum		vector;
		int			found;
		int			there;
		int			good = 0;

		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(portal, true, 1);
		if (SPI_processed == 0)
			break;
		table = SPI_tuptable;
		if (SPI_gettypeid(table->tupdesc, 1) != type)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("query returns type %s, the index is on type %s",
							format_type_be(SPI_gettypeid(table->tupdesc, 1)),
							format_type_be(type))));
		vector = SPI_getbinval(table->vals[0], table->tupdesc, 1, &isnull);
		if (isnull)
			continue;
		found = run_search(plans[0], vector, count, true, by_index);
		there = run_search(plans[1], vector, count, false, exact);
		for (int i = 0; i < found && there > 0; i++)
			good += (by_index[i] <= exact[there - 1]);
		good = Min(good, there);
		hits += good;
		wanted += there;
		SPI_freetuptable(table);
	}
	SPI_cursor_close(portal);
	SPI_finish();
	index_close(index, AccessShareLock);
	if (wanted == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(hits / wanted);
}
