/*-------------------------------------------------------------------------
 *
 * statement.h
 *	  SQL text that the caller gave, parsed, analyzed and planned, not run.
 *
 * Errors show the text itself as the QUERY, with the place in it; it may have
 * parameters, $1 and so on, of any type that its use tells.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SERVER_STATEMENT_H
#define SERVER_STATEMENT_H

#include "server/server.h"

#include "nodes/parsenodes.h"
#include "nodes/plannodes.h"

/* a list of RawStmt */
extern List *statement_parse(const char *sql);

/* a list of Query, rewritten, locks taken */
extern List *statement_analyze(RawStmt *raw, const char *sql);

/* the query is copied */
extern PlannedStmt *statement_plan(const Query *query, const char *sql);

#endif							/* SERVER_STATEMENT_H */
