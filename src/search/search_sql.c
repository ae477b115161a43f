/*-------------------------------------------------------------------------
 *
 * search_sql.c
 *	  The statement that searches the kept columns of a table.
 *
 * Each side is a query that its column's index serves: ORDER BY distance
 * LIMIT candidates.  It gives keys with their ranks and their part of the
 * score; the parts of each key are added, and only the rows of the best keys
 * are read whole.
 *
 * A side takes no part when its question knows no word (NULL from a dense
 * encoder, the empty vector from a sparse one), and of a sparse side only
 * those rows do that share a word with the question.
 *
 * Whatever the statement names is qualified, operators too: it runs under
 * the search path of its user, and of whoever copies it elsewhere.
 *
 *-------------------------------------------------------------------------
 */
#include "search/search.h"

#include "access/htup_details.h"
#include "catalog/pg_operator.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

/* ---------- names ---------- */

static bool
names_operator(const SearchSide *side, const char *name)
{
	return strcmp(side->operator_name, name) == 0;
}

/* k1, k2, ... with what stands before each, and behind */
static char *
key_list(const Search *search, const char *before, const char *separator)
{
	StringInfoData sql;

	initStringInfo(&sql);
	for (int i = 1; i <= list_length(search->key); i++)
		appendStringInfo(&sql, "%s%sk%d", i > 1 ? separator : "", before, i);
	return sql.data;
}

/* The operator by which values of a column of the key are equal */
static char *
equality_operator(const Search *search, const char *column)
{
	Oid			type;
	TypeCacheEntry *entry;
	HeapTuple	row;
	Form_pg_operator form;
	char	   *schema;
	char	   *result;

	if (strcmp(column, "tableoid") == 0 || strcmp(column, "ctid") == 0)
		return pstrdup("OPERATOR(pg_catalog.=)");
	type = get_atttype(search->table, get_attnum(search->table, column));
	entry = lookup_type_cache(type, TYPECACHE_EQ_OPR);
	if (!OidIsValid(entry->eq_opr))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("no equality operator for type %s of the key",
						format_type_be(type))));
	row = SearchSysCache1(OPEROID, ObjectIdGetDatum(entry->eq_opr));
	if (!HeapTupleIsValid(row))
		elog(ERROR, "cache lookup failed for operator %u", entry->eq_opr);
	form = (Form_pg_operator) GETSTRUCT(row);
	schema = get_namespace_name(form->oprnamespace);
	result = psprintf("OPERATOR(%s.%s)", quote_identifier(schema),
					  NameStr(form->oprname));
	ReleaseSysCache(row);
	return result;
}

/* ---------- a side ---------- */

/* The vector of the question */
static char *
question_vector(const Search *search, const SearchSide *side)
{
	return kept_column_call(side->kept, true, side->prompt, search->question);
}

/* How far a row is from the question */
static char *
distance_expression(const Search *search, const SearchSide *side)
{
	return psprintf("%s.%s OPERATOR(%s.%s) %s", search->alias,
					quote_identifier(side->kept->column), search->schema,
					side->operator_name, question_vector(search, side));
}

/* Whether the model knows a word of the question */
static char *
known_condition(const Search *search, const SearchSide *side)
{
	char	   *vector = question_vector(search, side);

	if (side->kept->method->dense)
		return psprintf("%s IS NOT NULL", vector);
	return psprintf("%s.l2_norm(%s) OPERATOR(pg_catalog.>) 0", search->schema,
					vector);
}

/*
 * Which of the nearest rows share anything with the question: on a sparse
 * side a word, on a dense one a distance that is a number.
 */
static const char *
shared_condition(const SearchSide *side)
{
	if (side->kept->method->dense)
		return "distance OPERATOR(pg_catalog.<) 'NaN'::pg_catalog.float8";
	return names_operator(side, "<=>") ?
		"distance OPERATOR(pg_catalog.<) 1" :
		"distance OPERATOR(pg_catalog.<) 0";
}

/*
 * How good a distance is: cosine similarity, inner product, or minus a
 * distance that has no largest value.
 */
static const char *
value_expression(const SearchSide *side)
{
	return names_operator(side, "<=>") ?
		"(1 OPERATOR(pg_catalog.-) distance)" :
		"(OPERATOR(pg_catalog.-) distance)";
}

/*
 * The side's part of a row's score, before weights.  By rank, or the value
 * scaled so that the best of the candidates has 1, and the worst has 0 or,
 * on a sparse side, a row that shares nothing with the question would have.
 * (Bruch, Gai and Ingber, TOIS 2023, compare such scalings.)
 */
static char *
part_expression(const Search *search, const SearchSide *side)
{
	const char *value = value_expression(side);
	const char *low;

	if (search->fusion == FUSION_RRF)
		return psprintf("%s.rrf_score(pg_catalog.row_number() OVER by_distance)",
						search->schema);
	low = side->kept->method->dense ?
		psprintf("pg_catalog.min(%s) OVER ()", value) : "0";
	return psprintf("CASE WHEN pg_catalog.max(%s) OVER () OPERATOR(pg_catalog.>) %s"
					" THEN (%s OPERATOR(pg_catalog.-) %s)"
					" OPERATOR(pg_catalog./) (pg_catalog.max(%s) OVER () OPERATOR(pg_catalog.-) %s)"
					" ELSE 1 END",
					value, low, value, low, value, low);
}

static void
append_key_columns(StringInfo sql, const Search *search)
{
	ListCell   *cell;
	int			n = 0;

	foreach(cell, search->key)
		appendStringInfo(sql, "%s.%s AS k%d, ", search->alias,
						 quote_identifier(lfirst(cell)), ++n);
}

static void
append_side(StringInfo sql, const Search *search, int number)
{
	const SearchSide *side = &search->sides[number];
	char	   *distance = distance_expression(search, side);

	appendStringInfo(sql, "side_%d AS (\n  SELECT %s, distance, pg_catalog.row_number() OVER by_distance AS rank,\n    %s AS part\n  FROM (SELECT ",
					 number + 1, key_list(search, "", ", "),
					 part_expression(search, side));
	append_key_columns(sql, search);
	appendStringInfo(sql, "%s AS distance\n    FROM %s\n    WHERE %s.%s IS NOT NULL AND %s",
					 distance, search->table_name, search->alias,
					 quote_identifier(side->kept->column),
					 known_condition(search, side));
	if (search->filter != NULL)
		appendStringInfo(sql, "\n      AND (%s\n)", search->filter);
	appendStringInfo(sql, "\n    ORDER BY %s\n    LIMIT %d) AS nearest\n",
					 distance, search->candidates);
	appendStringInfo(sql, "  WHERE %s\n  WINDOW by_distance AS (ORDER BY distance, %s)\n)",
					 shared_condition(side), key_list(search, "", ", "));
}

/* ---------- the whole ---------- */

/* An array with what each side says of a key */
static void
append_array(StringInfo sql, const Search *search, const char *column,
			 const char *type, const char *name)
{
	appendStringInfoString(sql, ",\n    ARRAY[");
	for (int i = 1; i <= search->side_count; i++)
		appendStringInfo(sql, "%spg_catalog.max(%s) FILTER (WHERE side OPERATOR(pg_catalog.=) %d)",
						 i > 1 ? ", " : "", column, i);
	appendStringInfo(sql, "]::pg_catalog.%s[] AS %s", type, name);
}

static bool
has_zero_weight(const Search *search)
{
	for (int i = 0; i < search->side_count; i++)
	{
		if (search->sides[i].weight == 0)
			return true;
	}
	return false;
}

static void
append_fused(StringInfo sql, const Search *search, bool parts)
{
	appendStringInfo(sql, "fused AS (\n  SELECT %s, pg_catalog.sum(weight OPERATOR(pg_catalog.*) part) AS score",
					 key_list(search, "", ", "));
	append_array(sql, search, "rank", "int4", "ranks");
	append_array(sql, search, "distance", "float8", "distances");
	if (parts)
		append_array(sql, search, "part", "float8", "parts");
	appendStringInfoString(sql, "\n  FROM (");
	for (int i = 0; i < search->side_count; i++)
		appendStringInfo(sql, "%sSELECT %d AS side, %s::pg_catalog.float8 AS weight, side_%d.* FROM side_%d",
						 i > 0 ? "\n    UNION ALL " : "", i + 1,
						 float8out_internal(search->sides[i].weight), i + 1,
						 i + 1);
	appendStringInfo(sql, ") AS sides\n  GROUP BY %s",
					 key_list(search, "", ", "));

	/* what only a side of weight 0 has found is not found */
	if (has_zero_weight(search))
		appendStringInfoString(sql, " HAVING pg_catalog.sum(weight) OPERATOR(pg_catalog.>) 0");
	appendStringInfoString(sql, "\n)");
}

static void
append_sides(StringInfo sql, const Search *search, bool parts)
{
	appendStringInfoString(sql, "WITH ");
	for (int i = 0; i < search->side_count; i++)
	{
		append_side(sql, search, i);
		appendStringInfoString(sql, ",\n");
	}
	append_fused(sql, search, parts);
}

static void
append_join(StringInfo sql, const Search *search)
{
	ListCell   *cell;
	int			n = 0;

	foreach(cell, search->key)
	{
		const char *column = lfirst(cell);

		appendStringInfo(sql, "%s%s.%s %s best.k%d", n > 0 ? " AND " : "",
						 search->row, quote_identifier(column),
						 equality_operator(search, column), n + 1);
		n++;
	}
}

char *
search_statement(const Search *search)
{
	StringInfoData sql;

	initStringInfo(&sql);
	append_sides(&sql, search, false);
	appendStringInfo(&sql, ",\nbest AS (SELECT * FROM fused ORDER BY score DESC, %s LIMIT %d)\n",
					 key_list(search, "", ", "), search->count);
	appendStringInfo(&sql, "SELECT %s AS hit, best.score, best.ranks, best.distances\nFROM best JOIN %s AS %s ON ",
					 search->row, search->table_name, search->row);
	append_join(&sql, search);
	appendStringInfo(&sql, "\nORDER BY best.score DESC, %s",
					 key_list(search, "best.", ", "));
	return sql.data;
}

char *
search_candidates_statement(const Search *search)
{
	StringInfoData sql;

	initStringInfo(&sql);
	append_sides(&sql, search, true);
	appendStringInfo(&sql, list_length(search->key) > 1 ?
					 "\nSELECT ROW(%s)::pg_catalog.text" : "\nSELECT %s",
					 key_list(search, "", ", "));
	appendStringInfo(&sql, ", ranks, parts FROM fused ORDER BY %s",
					 key_list(search, "", ", "));
	return sql.data;
}
