/*-------------------------------------------------------------------------
 *
 * arguments.h
 *	  Arguments of SQL functions that are not strict, or name files.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SERVER_ARGUMENTS_H
#define SERVER_ARGUMENTS_H

#include "server/server.h"

/* A set of arguments by their numbers, of which there are 64 at the most. */
#define ARGUMENT(number) (UINT64CONST(1) << (number))

/* An error if this argument is NULL. */
extern void argument_require(FunctionCallInfo fcinfo, int argument,
							 const char *name);

/* The same of all of a set; names of all arguments from the first on. */
extern void arguments_require(FunctionCallInfo fcinfo, uint64 set,
							  const char *const *names);

/* All of "count" arguments but those of a set. */
static inline uint64
arguments_but(int count, uint64 set)
{
	return (ARGUMENT(count) - 1) & ~set;
}

/*
 * The caller may read files of the server, or an error; hint says what anyone
 * can do instead.
 */
extern void require_server_files(const char *hint);

#endif							/* SERVER_ARGUMENTS_H */
