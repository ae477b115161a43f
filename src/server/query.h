/*-------------------------------------------------------------------------
 *
 * query.h
 *	  The rows of a query that the caller gave, with typed columns.
 *
 * The query runs once, as a cursor, read-only, under the snapshot of the
 * statement that called, the caller's rights and the caller's search_path.
 * A batch of rows at a time is copied out, long values one by one, so that
 * neither the cursor nor an SPI connection is open while a row is worked on.
 *
 * Whoever reads declares what it wants:
 *
 *		static const QueryColumn columns[] = {
 *			{.name = "text", .kinds = QUERY_TEXT, .nulls = QUERY_NULL_SKIP},
 *			{.name = "label", .kinds = QUERY_LABEL, .optional = true}
 *		};
 *		static const QueryDeclaration examples = {
 *			.subject = "example list", .by_name = true,
 *			.columns = columns, .column_count = lengthof(columns),
 *			.hint = "The examples are a query such as 'SELECT ...'."
 *		};
 *		QueryReader *reader = query_open(&examples, text);
 *
 *		while (query_next(reader))
 *			use(query_value(reader, 0)->text, query_value(reader, 0)->length);
 *		query_close(reader);
 *
 *-------------------------------------------------------------------------
 */
#ifndef SERVER_QUERY_H
#define SERVER_QUERY_H

#include "server/server.h"

/* What a column may be; several joined by | where the reader takes either */
typedef enum QueryColumnKind
{
	QUERY_TEXT = 1,				/* text, varchar, char: text, length */
	QUERY_CONFIG = 2,			/* regconfig: oid */
	QUERY_VECTOR = 4,			/* vector, halfvec, sparsevec: datum, type */
	QUERY_LABEL = 8,			/* text, integer, boolean, enum: text,
								 * length */
	QUERY_SCORE = 16,			/* any number, finite: number */
	QUERY_INTEGER = 32,			/* smallint, integer, bigint: integer */
	QUERY_OID = 64,				/* oid or regclass: oid */
	QUERY_BYTES = 128,			/* bytea: text, length */
	QUERY_TEXTS = 256,			/* array of text: texts, length of them */
	QUERY_ANY = 512				/* whatever it is: datum, type */
} QueryColumnKind;

/* What a NULL does to its row */
typedef enum QueryNulls
{
	QUERY_NULL_KEEP,			/* is_null is set */
	QUERY_NULL_SKIP,			/* the row is left out */
	QUERY_NULL_ERROR
} QueryNulls;

typedef struct QueryColumn
{
	const char *name;			/* found by it, or shown in messages */
	int			kinds;			/* QueryColumnKind */
	QueryNulls	nulls;
	bool		optional;
	bool		repeated;		/* by name: name, name_1, name_2 and so on */
	Oid			type;			/* of vectors: only this type, if not zero */
	const char *hint;			/* when the type is wrong, or NULL */
} QueryColumn;

typedef struct QueryDeclaration
{
	const char *subject;		/* what the query is to give: "corpus" */
	bool		by_name;		/* otherwise by position, optional ones last */
	const QueryColumn *columns;
	int			column_count;
	const char *hint;			/* what such a query looks like */
	const char *shape;			/* by position: "the first is the text", or
								 * NULL: the names are listed */
	const char *excess_hint;	/* for too many columns, or NULL: hint */
} QueryDeclaration;

/*
 * Allocated values belong to the reader and last until the next row is asked
 * for.  Texts and bytes are not terminated, except labels and texts of an
 * array.
 */
typedef struct QueryValue
{
	QueryColumnKind	kind;			/* one of those declared */
	Oid			type;			/* of the column, without domains */
	bool		is_null;
	int			length;
	const char *text;
	char	  **texts;
	double		number;
	int64		integer;
	Oid			oid;
	Datum		datum;
} QueryValue;

typedef struct QueryReader QueryReader;

/*
 * Everything that is wrong with the query is an error that says what it was
 * for: not one query that only reads, columns missing, too many or of another
 * type.  Errors of the query itself keep their SQLSTATE and get a detail and
 * a hint if they have none.  Strings of the declaration, and what it points
 * to, must last as long as the reader.
 */
extern QueryReader *query_open(const QueryDeclaration *declaration,
							   const char *query);

/* Go to the next row; false at the end. */
extern bool query_next(QueryReader *reader);

/*
 * The value of a declared column in the present row: the first of
 * query_columns() of them.  An optional column that the query does not have
 * is null.
 */
extern const QueryValue *query_value(const QueryReader *reader, int column);

/* How many columns of the query are this one: 0 where it is left out */
extern int	query_columns(const QueryReader *reader, int column);

/* Which of the kinds declared a column has that the query has */
extern QueryColumnKind query_kind(const QueryReader *reader, int column);

/* Rows of the query so far, those left out included */
extern int64 query_rows(const QueryReader *reader);

extern const char *query_string(const QueryReader *reader);
extern void query_close(QueryReader *reader);

/*
 * A callback of error_context_stack, with the reader as its argument: says
 * which row is worked on.
 */
extern void query_report_place(void *reader);

#endif							/* SERVER_QUERY_H */
