/*-------------------------------------------------------------------------
 *
 * search.h
 *	  Searching the kept columns of a table: the face of this room.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SEARCH_SEARCH_H
#define SEARCH_SEARCH_H

#include "server/server.h"

#include "column/column.h"
#include "lib/stringinfo.h"

#define SEARCH_MAX_COUNT		10000
#define SEARCH_MAX_CANDIDATES	100000
#define SEARCH_MAX_SIDES		16

typedef enum SearchFusion
{
	FUSION_RRF,
	FUSION_SCORE
} SearchFusion;

/* One column that takes part, and how it is searched */
typedef struct SearchSide
{
	KeptColumn *kept;
	const char *operator_name;
	const char *prompt;			/* for questions, or NULL */
	double		weight;
} SearchSide;

typedef struct Search
{
	Oid			table;
	char	   *table_name;		/* qualified, quoted */
	char	   *alias;			/* of the table where its rows are read */
	char	   *row;			/* of the table where rows are returned whole:
								 * no column's name */
	char	   *schema;			/* of the extension, quoted */
	char	   *question;		/* SQL: a literal, or $1 */
	int			count;
	int			candidates;
	char	   *filter;			/* SQL, or NULL */
	SearchFusion fusion;
	int			side_count;
	SearchSide *sides;
	List	   *key;			/* names of columns; tableoid and ctid if the
								 * table has no key */
	bool		has_key;
} Search;

/*
 * Read the arguments that embed_search and its like have in common.  A place
 * of -1: the function does not have this argument.
 */
typedef struct SearchArguments
{
	int			table;
	int			count;
	int			columns;
	int			filter;
	int			fusion;
	int			weights;
	int			candidates;
} SearchArguments;

extern void search_open(Search *search, FunctionCallInfo fcinfo,
						const SearchArguments *arguments);

/* search_sql.c: the statement that searches */
extern char *search_statement(const Search *search);

/*
 * The statement that gives all candidates: the key, one of several columns as
 * the text of a row, ranks, parts of the score; in the order of the key.
 */
extern char *search_candidates_statement(const Search *search);

#endif							/* SEARCH_SEARCH_H */
