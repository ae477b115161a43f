/*-------------------------------------------------------------------------
 *
 * search_open.c
 *	  What a search is to be, read from the arguments and the catalogs.
 *
 *-------------------------------------------------------------------------
 */
#include "search/search.h"

#include <math.h>

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "model/encoder.h"
#include "nodes/parsenodes.h"
#include "server/extension.h"
#include "server/statement.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/typcache.h"

static const char *const fusion_names[] = {"rrf", "score", NULL};

/* ---------- arguments ---------- */

/* The table whose row type the first argument has */
static Oid
table_of_argument(FunctionCallInfo fcinfo, int argument)
{
	Oid			type = get_fn_expr_argtype(fcinfo->flinfo, argument);
	Oid			table = OidIsValid(type) ?
		get_typ_typrelid(getBaseType(type)) : InvalidOid;
	char		kind = OidIsValid(table) ? get_rel_relkind(table) : '\0';

	if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("the first argument must be of the row type of a table"),
				 OidIsValid(type) ?
				 errdetail("It is of type %s.", format_type_be(type)) : 0,
				 errhint("Write NULL::name_of_the_table.")));
	return table;
}

static int
read_number(FunctionCallInfo fcinfo, int argument, const char *name, int most)
{
	int			value;

	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name)));
	value = PG_GETARG_INT32(argument);
	if (value < 1 || value > most)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be between 1 and %d", name, most),
				 errdetail("It is %d.", value)));
	return value;
}

/* Whether it parses as one condition behind WHERE, and nothing more */
static bool
is_condition(const char *statement)
{
	List	   *parsed = statement_parse(statement);
	SelectStmt *select = list_length(parsed) != 1 ? NULL :
		(SelectStmt *) linitial_node(RawStmt, parsed)->stmt;

	return select != NULL && IsA(select, SelectStmt) &&
		select->op == SETOP_NONE && select->whereClause != NULL &&
		select->groupClause == NIL && select->havingClause == NULL &&
		select->windowClause == NIL && select->sortClause == NIL &&
		select->limitCount == NULL && select->limitOffset == NULL &&
		select->lockingClause == NIL;
}

static void
name_filter(void *argument)
{
	errcontext("filter of a search");
}

/*
 * A filter is one condition: what would be more, such as an end of the
 * parentheses around it, is an error here and not a surprise elsewhere.  By
 * itself it must have both ends of its own, and within them nothing that is
 * no condition.
 */
static char *
read_filter(FunctionCallInfo fcinfo, int argument)
{
	ErrorContextCallback context = {.previous = error_context_stack,
	.callback = name_filter};
	char	   *filter;

	if (PG_ARGISNULL(argument))
		return NULL;
	filter = text_to_cstring(PG_GETARG_TEXT_PP(argument));
	error_context_stack = &context;
	if (!is_condition(psprintf("SELECT 1 WHERE %s", filter)) ||
		!is_condition(psprintf("SELECT 1 WHERE (%s\n)", filter)))
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("filter is not one condition"),
				 errdetail("It is \"%s\".", filter),
				 errhint("Give what could stand behind WHERE, such as 'price < 10'.")));
	error_context_stack = context.previous;
	return filter;
}

/* ---------- sides ---------- */

/*
 * Whether the model has a prompt of this name.  Only the encoder knows, and
 * says so by an error.
 */
static bool
has_prompt(FmgrInfo *flinfo, const KeptColumn *kept, const char *prompt)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool known = false;
	Oid			model = kept_column_model(kept, false);
	OpenEncoder encoder;

	encoder_open(&encoder, flinfo, model_open(flinfo, model, NULL));
	if (!encoder.encoder->takes_prompts)
		return false;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		(void) column_method_check(kept->method, flinfo, model, kept->pooling,
								   prompt);
		known = true;
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		if (geterrcode() != ERRCODE_INVALID_PARAMETER_VALUE)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return known;
}

/*
 * A side searches by the operator that the column's index serves, if there
 * is one; and asks with the prompt for questions, if the model has one.
 */
static void
open_side(SearchSide *side, FmgrInfo *flinfo, Relation table, KeptColumn *kept)
{
	Oid			index;

	kept_column_check(kept, table);
	index = column_index(table, table_column(table, kept->column)->attnum);
	kept->method = kept_column_method(kept);
	side->kept = kept;
	side->weight = 1;
	side->operator_name = OidIsValid(index) ? column_index_operator(index) :
		kept->method->operator_name;
	if (side->operator_name == NULL)
		side->operator_name = kept->method->operator_name;
	if (kept->method->dense && has_prompt(flinfo, kept, "query"))
		side->prompt = "query";
	else
		side->prompt = kept->prompt;
}

static List *
columns_of_argument(FunctionCallInfo fcinfo, int argument, Relation table)
{
	Datum	   *values;
	bool	   *nulls;
	int			count;
	List	   *kept = NIL;

	if (PG_ARGISNULL(argument))
		return kept_columns_of(table);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(argument), NAMEOID, NAMEDATALEN,
					  false, TYPALIGN_CHAR, &values, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("names of columns must not be null")));
		kept = lappend(kept,
					   kept_column_find(table,
										NameStr(*DatumGetName(values[i]))));
	}
	return kept;
}

static void
open_sides(Search *search, FunctionCallInfo fcinfo, int argument,
		   Relation table)
{
	List	   *kept = columns_of_argument(fcinfo, argument, table);
	ListCell   *cell;

	if (kept == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" has no column to search",
						RelationGetRelationName(table)),
				 errhint("Call embed_column() first.")));
	if (list_length(kept) > SEARCH_MAX_SIDES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a search takes at most %d columns",
						SEARCH_MAX_SIDES)));
	search->sides = palloc0(sizeof(SearchSide) * list_length(kept));
	foreach(cell, kept)
		open_side(&search->sides[search->side_count++], fcinfo->flinfo, table,
				  lfirst(cell));
}

static char *
side_names(const Search *search)
{
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < search->side_count; i++)
		appendStringInfo(&names, "%s\"%s\"", i > 0 ? ", " : "",
						 search->sides[i].kept->column);
	return names.data;
}

static void
read_weights(Search *search, FunctionCallInfo fcinfo, int argument)
{
	Datum	   *values;
	bool	   *nulls;
	int			count;
	double		sum = 0;

	if (PG_ARGISNULL(argument))
		return;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(argument), FLOAT8OID,
					  sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &values, &nulls, &count);
	if (count != search->side_count)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%d weights for %d columns", count,
						search->side_count),
				 errdetail("The columns are %s.", side_names(search)),
				 errhint("Give as many weights as columns, in the order of columns.")));
	for (int i = 0; i < count; i++)
	{
		double		weight = nulls[i] ? NAN : DatumGetFloat8(values[i]);

		if (!(weight >= 0) || isinf(weight))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("weights must be numbers of at least 0")));
		search->sides[i].weight = weight;
		sum += weight;
	}
	if (sum == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("at least one weight must be greater than 0")));
}

/* ---------- the search ---------- */

/* A name for rows of the table that is no column's */
static char *
free_alias(Relation table)
{
	char	   *alias = pstrdup("d");

	while (get_attnum(RelationGetRelid(table), alias) != InvalidAttrNumber)
		alias = psprintf("%s_", alias);
	return alias;
}

void
search_open(Search *search, FunctionCallInfo fcinfo,
			const SearchArguments *arguments)
{
	Relation	table;
	char	   *schema;

	memset(search, 0, sizeof(Search));
	search->table = table_of_argument(fcinfo, arguments->table);
	search->count = read_number(fcinfo, arguments->count, "count",
								SEARCH_MAX_COUNT);
	search->candidates = Max(read_number(fcinfo, arguments->candidates,
										 "candidates", SEARCH_MAX_CANDIDATES),
							 search->count);
	search->filter = read_filter(fcinfo, arguments->filter);
	if (arguments->fusion >= 0 && !PG_ARGISNULL(arguments->fusion))
	{
		text	   *name = PG_GETARG_TEXT_PP(arguments->fusion);

		search->fusion = choice_index("fusion", text_to_cstring(name),
									  fusion_names);
	}
	table = table_open(search->table, AccessShareLock);
	search->table_name = qualified_relation_name(search->table);
	search->alias = pstrdup(quote_identifier(RelationGetRelationName(table)));
	search->row = free_alias(table);
	schema = get_namespace_name(extension_schema());
	search->schema = pstrdup(quote_identifier(schema));
	search->question = "$1";
	open_sides(search, fcinfo, arguments->columns, table);
	if (arguments->weights >= 0)
		read_weights(search, fcinfo, arguments->weights);
	search->key = table_key(table);
	search->has_key = search->key != NIL;
	if (!search->has_key)
		search->key = list_make2("tableoid", "ctid");
	table_close(table, NoLock);
}
