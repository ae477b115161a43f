/*-------------------------------------------------------------------------
 *
 * tuning_mine_index.c
 *	  A corpus that need not be read: the texts of a column whose vectors are
 *	  kept beside it and have a ktree index.
 *
 * The corpus is a query.  Where it is nothing but one column of a table, and
 * embed_update_trigger keeps vectors of that column alone by the same model,
 * without a pooling or a prompt of their own, its neighbours are those of the
 * kept column, and a ktree index by cosine gives them in their order.  Rows
 * without a vector are left out, as texts are that the model knows nothing of.
 *
 *-------------------------------------------------------------------------
 */
#include "tuning/tuning_mine.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_index.h"
#include "column/column.h"
#include "commands/defrem.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "server/execute.h"
#include "server/extension.h"
#include "server/statement.h"
#include "type/vector.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

/* A search that has not found enough is begun anew with so many times more. */
#define FIRST_LIMIT 32
#define LIMIT_FACTOR 8
#define MOST_SEARCHES 6			/* the last: a million rows */

struct MineIndex
{
	char	   *text;			/* columns, quoted */
	char	   *vector;
	char	   *table;
	const PreparedCommand *searches[MOST_SEARCHES];
};

/* ---------- the query ---------- */

/* The table and the column of "SELECT column FROM table", and nothing more */
static RangeVar *
plain_column(const char *query, char **column)
{
	List	   *statements = statement_parse(query);
	SelectStmt *select;
	ResTarget  *target;
	ColumnRef  *reference;

	if (list_length(statements) != 1)
		return NULL;
	select = (SelectStmt *) linitial_node(RawStmt, statements)->stmt;
	if (!IsA(select, SelectStmt) || select->op != SETOP_NONE ||
		select->distinctClause != NIL || select->intoClause != NULL ||
		select->whereClause != NULL || select->groupClause != NIL ||
		select->havingClause != NULL || select->windowClause != NIL ||
		select->valuesLists != NIL || select->limitOffset != NULL ||
		select->limitCount != NULL || select->lockingClause != NIL ||
		select->withClause != NULL ||
		list_length(select->targetList) != 1 ||
		list_length(select->fromClause) != 1 ||
		!IsA(linitial(select->fromClause), RangeVar))
		return NULL;
	target = linitial_node(ResTarget, select->targetList);
	reference = (ColumnRef *) target->val;
	if (target->indirection != NIL || !IsA(reference, ColumnRef) ||
		list_length(reference->fields) != 1 ||
		!IsA(linitial(reference->fields), String))
		return NULL;
	*column = strVal(linitial(reference->fields));
	return linitial_node(RangeVar, select->fromClause);
}

/* ---------- the index ---------- */

/* Whether an index begins with this column, by the cosine of ktree */
static bool
serves(Relation index, AttrNumber attribute)
{
	Oid			method = get_index_am_oid("ktree", true);
	char	   *schema = get_namespace_name(extension_schema());
	Oid			class;

	if (!OidIsValid(method) || index->rd_rel->relam != method ||
		!index->rd_index->indisvalid ||
		index->rd_index->indkey.values[0] != attribute ||
		RelationGetIndexPredicate(index) != NIL)
		return false;
	class = get_opclass_oid(method, list_make2(makeString(schema),
											   makeString("vector_cosine_ops")),
							true);
	return OidIsValid(class) &&
		index->rd_opfamily[0] == get_opclass_family(class);
}

static char *
index_of(Relation table, AttrNumber attribute)
{
	List	   *indexes = RelationGetIndexList(table);
	ListCell   *cell;
	char	   *name = NULL;

	foreach(cell, indexes)
	{
		Relation	index = index_open(lfirst_oid(cell), AccessShareLock);

		if (name == NULL && serves(index, attribute))
			name = pstrdup(RelationGetRelationName(index));
		index_close(index, AccessShareLock);
	}
	list_free(indexes);
	return name;
}

/* The kept column with the vectors that the model would make of the texts */
static const KeptColumn *
kept_of_text(Relation table, const char *column, Oid model)
{
	ListCell   *cell;

	foreach(cell, kept_columns_of(table))
	{
		const KeptColumn *kept = lfirst(cell);

		if (kept->source_count == 1 &&
			strcmp(kept->sources[0], column) == 0 &&
			kept->pooling == NULL && kept->prompt == NULL &&
			kept_column_model(kept, true) == model &&
			get_atttype(RelationGetRelid(table),
						get_attnum(RelationGetRelid(table),
								   kept->column)) == extension_type("vector"))
			return kept;
	}
	return NULL;
}

static MineIndex *
index_of_column(Relation table, const char *column, Oid model)
{
	const KeptColumn *kept;
	MineIndex  *found;
	char	   *name;

	if (get_attnum(RelationGetRelid(table), column) <= 0)
		return NULL;
	kept = kept_of_text(table, column, model);
	if (kept == NULL)
		return NULL;
	name = index_of(table, get_attnum(RelationGetRelid(table),
									  kept->column));
	if (name == NULL)
		return NULL;
	ereport(NOTICE,
			(errmsg("negatives are searched by index \"%s\"", name),
			 errdetail("It gives the nearest rows of \"%s\"; a query with a condition is searched exactly.",
					   RelationGetRelationName(table))));
	found = palloc0(sizeof(MineIndex));
	found->text = pstrdup(quote_identifier(column));
	found->vector = pstrdup(quote_identifier(kept->column));
	found->table = qualified_relation_name(RelationGetRelid(table));
	return found;
}

MineIndex *
mine_index_find(const char *corpus, Oid model)
{
	char	   *column = NULL;
	RangeVar   *range = plain_column(corpus, &column);
	Relation	table;
	MineIndex  *found = NULL;

	if (range == NULL)
		return NULL;
	/* what is wrong with it the query itself says */
	table = table_openrv_extended(range, AccessShareLock, true);
	if (table == NULL)
		return NULL;
	if (table->rd_rel->relkind == RELKIND_RELATION && range->inh &&
		!table->rd_rel->relhassubclass)
		found = index_of_column(table, column, model);
	table_close(table, NoLock);
	return found;
}

/* ---------- searches ---------- */

static const PreparedCommand *
search_of(MineIndex *index, int number, uint64 limit)
{
	char	   *schema;
	Oid			type;

	if (index->searches[number] != NULL)
		return index->searches[number];
	schema = pstrdup(quote_identifier(get_namespace_name(extension_schema())));
	type = extension_type("vector");
	index->searches[number] =
		execute_prepare(psprintf("SELECT %s::pg_catalog.text, %s OPERATOR(%s.<=>) $1 FROM %s ORDER BY %s OPERATOR(%s.<=>) $1 LIMIT " UINT64_FORMAT,
								 index->text, index->vector, schema,
								 index->table, index->vector, schema, limit),
						SPI_OK_SELECT, 1, &type);
	return index->searches[number];
}

typedef struct Receiving
{
	MineReceive receive;
	void	   *argument;
} Receiving;

static void
receive_row(const Datum *values, const bool *nulls, void *argument)
{
	const Receiving *receiving = argument;
	text	   *body;

	if (nulls[0] || nulls[1])
		return;
	body = DatumGetTextPP(values[0]);
	receiving->receive(receiving->argument, VARDATA_ANY(body),
					   (int) VARSIZE_ANY_EXHDR(body),
					   1 - DatumGetFloat8(values[1]));
}

void
mine_index_search(MineIndex *index, int dims, const float *vector,
				  MineBegin begin, MineReceive receive, MineEnough enough,
				  void *argument)
{
	Receiving	receiving = {receive, argument};
	Vector	   *question = vector_create(dims);
	Datum		value = PointerGetDatum(question);
	uint64		limit = FIRST_LIMIT;

	memcpy(question->x, vector, sizeof(float) * dims);
	for (int i = 0; i < MOST_SEARCHES; i++, limit *= LIMIT_FACTOR)
	{
		uint64		rows;

		CHECK_FOR_INTERRUPTS();
		begin(argument);
		rows = execute_prepared_query(search_of(index, i, limit), &value,
									  NULL, receive_row, &receiving);
		if (rows < limit || enough(argument))
			break;
	}
	pfree(question);
}
