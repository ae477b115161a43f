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

#include <math.h>

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
#include "server/execute.h"
#include "server/query.h"

EMBED_FUNCTION(embed_index_recall);

/*
 * "SELECT distance FROM table WHERE predicate ORDER BY 1 LIMIT $2" for the
 * vector $1, every name qualified.
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
	column = text_to_cstring(DatumGetTextPP(DirectFunctionCall3(
		pg_get_indexdef_ext, ObjectIdGetDatum(RelationGetRelid(index)),
		Int32GetDatum(1), BoolGetDatum(false))));
	distance = psprintf("(%s) OPERATOR(%s.%s) $1", column,
						quote_identifier(
							get_namespace_name(form->oprnamespace)),
						NameStr(form->oprname));
	ReleaseSysCache(tuple);

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s AS distance FROM %s", distance,
					 quote_qualified_identifier(get_namespace_name(
													get_rel_namespace(heap)),
												get_rel_name(heap)));
	predicate = SysCacheGetAttr(INDEXRELID, index->rd_indextuple,
								Anum_pg_index_indpred, &isnull);
	if (!isnull)
		appendStringInfo(&sql, " WHERE %s",
						 TextDatumGetCString(DirectFunctionCall2(
							 pg_get_expr, predicate, ObjectIdGetDatum(heap))));
	appendStringInfo(&sql, " ORDER BY %s LIMIT $2", distance);
	return sql.data;
}

/* ---------- one vector ---------- */

typedef struct Recall
{
	PreparedCommand *by_index;
	PreparedCommand *by_scan;
	int			count;			/* of rows wanted */
	double	   *found;
	double	   *exact;
	double		hits;
	double		wanted;
} Recall;

typedef struct Distances
{
	double	   *values;
	int			count;
} Distances;

/* NaN and NULL are left out */
static void
receive_distance(const Datum *values, const bool *nulls, void *argument)
{
	Distances  *distances = argument;

	if (!nulls[0] && !isnan(DatumGetFloat8(values[0])))
		distances->values[distances->count++] = DatumGetFloat8(values[0]);
}

static void
set_method(const char *setting, bool on)
{
	(void) set_config_option(setting, on ? "on" : "off", PGC_USERSET,
							 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/* Run a search; returns the number of distances. */
static int
run_search(const PreparedCommand *search, Datum vector, int count,
		   bool by_index, double *values)
{
	Distances	distances = {values, 0};
	Datum		arguments[2];
	int			nest = NewGUCNestLevel();

	set_method("enable_seqscan", !by_index);
	set_method("enable_sort", !by_index);
	set_method("enable_indexscan", by_index);
	arguments[0] = vector;
	arguments[1] = Int64GetDatum(count);
	(void) execute_prepared_query(search, arguments, NULL, receive_distance,
								  &distances);
	AtEOXact_GUC(true, nest);
	return distances.count;
}

static void
search_both_ways(Recall *recall, Datum vector)
{
	int			found = run_search(recall->by_index, vector, recall->count,
								   true, recall->found);
	int			there = run_search(recall->by_scan, vector, recall->count,
								   false, recall->exact);
	int			good = 0;

	for (int i = 0; i < found && there > 0; i++)
		good += recall->found[i] <= recall->exact[there - 1];
	recall->hits += Min(good, there);
	recall->wanted += there;
}

/* ---------- all of them ---------- */

static QueryReader *
open_sample(const char *query, Oid type)
{
	QueryColumn *column = palloc0(sizeof(QueryColumn));
	QueryDeclaration *declaration = palloc0(sizeof(QueryDeclaration));

	column->name = "vector";
	column->kinds = QUERY_VECTOR;
	column->nulls = QUERY_NULL_SKIP;
	column->type = type;
	column->hint = "The vectors must be of the type that the index is on.";
	declaration->subject = "sample";
	declaration->columns = column;
	declaration->column_count = 1;
	declaration->hint = "The sample is a query that returns one vector a row, such as 'SELECT v FROM items TABLESAMPLE SYSTEM (1)'.";
	return query_open(declaration, query);
}

Datum
embed_index_recall(PG_FUNCTION_ARGS)
{
	Oid			oid = PG_GETARG_OID(0);
	char	   *query = text_to_cstring(PG_GETARG_TEXT_PP(1));
	int			count = PG_GETARG_INT32(2);
	Recall		recall = {.count = count};
	const IndexRoom *room;
	Relation	index;
	Oid			types[2];
	char	   *statement;
	QueryReader *sample;

	if (count < 1 || count > 100000)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("count must be between 1 and 100000")));
	index = index_open_ours(oid, &room);
	statement = search_statement(index, &types[0]);
	types[1] = INT8OID;
	/* two plans, each made and kept under its own settings */
	recall.by_index = execute_prepare(statement, SPI_OK_SELECT, 2, types);
	recall.by_scan = execute_prepare(statement, SPI_OK_SELECT, 2, types);
	recall.found = palloc(sizeof(double) * count);
	recall.exact = palloc(sizeof(double) * count);

	sample = open_sample(query, types[0]);
	while (query_next(sample))
	{
		CHECK_FOR_INTERRUPTS();
		search_both_ways(&recall, query_value(sample, 0)->datum);
	}
	query_close(sample);
	index_close(index, AccessShareLock);
	if (recall.wanted == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(recall.hits / recall.wanted);
}
