/*-------------------------------------------------------------------------
 *
 * set_result.h
 *	  Functions that return a set all at once.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SERVER_SET_RESULT_H
#define SERVER_SET_RESULT_H

#include "server/server.h"

/*
 * Begin the result of a function that returns a table, and add rows to it;
 * the function then returns (Datum) 0.
 */
struct ReturnSetInfo;
extern struct ReturnSetInfo *set_result_begin(FunctionCallInfo fcinfo);
extern void set_result_add(struct ReturnSetInfo *result, Datum *values,
						   bool *nulls);

#endif							/* SERVER_SET_RESULT_H */
