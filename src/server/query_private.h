/*-------------------------------------------------------------------------
 *
 * query_private.h
 *	  Shared by the files that read a caller's query.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SERVER_QUERY_PRIVATE_H
#define SERVER_QUERY_PRIVATE_H

#include "server/query.h"

#include "access/tupdesc.h"

/* One column of the query, once it is known which declared one it is */
typedef struct QueryField
{
	const QueryColumn *column;
	int			attribute;		/* of the query, from 0 */
	QueryColumnKind	kind;
	Oid			type;			/* without domains */
	Oid			output;			/* of labels: their type's output function */
} QueryField;

/* Which fields a declared column has */
typedef struct QueryRange
{
	int			first;
	int			count;
} QueryRange;

/*
 * query_columns.c: find the declared columns in a query's result, or say
 * what is wrong with it.  Fields are in the order of the declaration, the
 * ranges as many as declared columns.  Returns the number of fields.
 */
extern int	query_match_columns(const QueryDeclaration *declaration,
								TupleDesc shape, QueryField **fields,
								QueryRange *ranges);

/* What is missing or wrong in a value's place, such as "second column" */
extern char *query_column_place(const QueryDeclaration *declaration,
								const QueryField *field);

/* query_value.c: copy a value into the current memory context */
extern void query_convert(const QueryDeclaration *declaration,
						  const QueryField *field, Datum datum,
						  QueryValue *value);

#endif							/* SERVER_QUERY_PRIVATE_H */
