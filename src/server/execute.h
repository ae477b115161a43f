/*-------------------------------------------------------------------------
 *
 * execute.h
 *	  SQL commands of our own, run as the caller.
 *
 * Each call has an SPI connection of its own, so none is open while the
 * caller works, and calls may be nested.  A command that does not end as
 * expected (an SPI_OK_ code; EXECUTE_ANY for any success) is an error.  What
 * SQL of ours names must be qualified: it runs under the caller's search_path.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SERVER_EXECUTE_H
#define SERVER_EXECUTE_H

#include "server/server.h"

#define EXECUTE_ANY 0

/* at most so many columns of a row that is returned, and arguments */
#define EXECUTE_MAX_COLUMNS 32

/* Arguments $1 to $count; nulls may be NULL where no value is null */
typedef struct ExecuteArguments
{
	int			count;
	const Oid  *types;
	const Datum *values;
	const bool *nulls;
} ExecuteArguments;

/* Run a command; returns the number of rows it read or changed. */
extern uint64 execute_command(const char *command, int expected);
extern uint64 execute_with(const char *command, int expected,
						   const ExecuteArguments *arguments);

/*
 * Run a command that returns rows, a query read-only: the first row's columns
 * are copied into the current memory context.  False if there is no row.
 * arguments may be NULL.
 */
extern bool execute_row(const char *command, int expected,
						const ExecuteArguments *arguments,
						int columns, Datum *values, bool *nulls);

/*
 * A command prepared once and run many times.  It is kept until the memory
 * context that was current when it was prepared is reset.
 */
typedef struct PreparedCommand PreparedCommand;

extern PreparedCommand *execute_prepare(const char *command, int expected,
										int argument_count,
										const Oid *types);
extern uint64 execute_prepared(const PreparedCommand *command,
							   const Datum *values, const bool *nulls);

/*
 * The same for a query, read-only: receive is called for each row, in a
 * context that ends with the query.  values are of the column numbers from 0.
 */
typedef void (*ExecuteReceiver) (const Datum *values, const bool *nulls,
								 void *argument);
extern uint64 execute_prepared_query(const PreparedCommand *command,
									 const Datum *values, const bool *nulls,
									 ExecuteReceiver receive, void *argument);

#endif							/* SERVER_EXECUTE_H */
