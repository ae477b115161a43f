/*-------------------------------------------------------------------------
 *
 * server.h
 *	  What every file above the pure core includes first.
 *
 * The server's names are the same from PostgreSQL 13 to 18 only after this
 * header: differences between versions are bridged here and nowhere else.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "postgres.h"

#include "fmgr.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"				/* part of postgres.h before */
#endif
#if PG_VERSION_NUM >= 150000
#include "access/xlogrecovery.h"	/* part of access/xlog.h before */
#endif

#if PG_VERSION_NUM < 130000
#error "embed needs PostgreSQL 13 or later"
#endif

/*
 * The library is built with hidden visibility.  Servers before 15 leave
 * PGDLLEXPORT empty on Unix and declare the function itself without it, so
 * the entry points are declared here in the same way for all.
 */
#undef PGDLLEXPORT
#define PGDLLEXPORT __attribute__((visibility("default")))

#define EMBED_FUNCTION(name) \
	extern PGDLLEXPORT Datum name(PG_FUNCTION_ARGS); \
	PG_FUNCTION_INFO_V1(name)

/*
 * Soft errors (errsave, ereturn) came with 16.  Before, they are hard errors.
 */
#if PG_VERSION_NUM < 160000
#define errsave(context, ...)	ereport(ERROR, __VA_ARGS__)
#define ereturn(context, value, ...) ereport(ERROR, __VA_ARGS__)
#endif

/*
 * Calls that changed their name or their arguments.  The headers named here
 * are those that the macros need; whoever uses a macro includes them.
 */
#if PG_VERSION_NUM >= 160000
/* utils/regproc.h */
#define qualified_name_list(string) stringToQualifiedNameList(string, NULL)
/* utils/acl.h, catalog/pg_class.h, catalog/pg_namespace.h */
#define relation_ownercheck(relation, user) \
	object_ownercheck(RelationRelationId, relation, user)
#define namespace_aclcheck(schema, user, mode) \
	object_aclcheck(NamespaceRelationId, schema, user, mode)
/* utils/acl.h, catalog/pg_proc.h */
#define function_aclcheck(function, user, mode) \
	object_aclcheck(ProcedureRelationId, function, user, mode)
#else
#define qualified_name_list(string) stringToQualifiedNameList(string)
#define relation_ownercheck(relation, user) \
	pg_class_ownercheck(relation, user)
#define namespace_aclcheck(schema, user, mode) \
	pg_namespace_aclcheck(schema, user, mode)
#define function_aclcheck(function, user, mode) \
	pg_proc_aclcheck(function, user, mode)
#endif

/*
 * From 18 on the mark of a function that does not return comes first, from 17
 * on the name of the directory of temporary files has moved.
 */
#if PG_VERSION_NUM < 180000
#define pg_noreturn __attribute__((noreturn))
#endif
#if PG_VERSION_NUM >= 170000
#include "common/file_utils.h"
#else
#include "storage/fd.h"
#endif

/* catalog/objectaddress.h */
#if PG_VERSION_NUM >= 140000
#define object_description(object) getObjectDescription(object, false)
#else
#define object_description(object) getObjectDescription(object)
#endif

/*
 * tcop/tcopprot.h, parser/parse_param.h: analyze and rewrite, with parameters
 * whose types the statement tells.
 */
#if PG_VERSION_NUM >= 150000
#define analyze_statement(raw, text, setup, argument) \
	pg_analyze_and_rewrite_withcb(raw, text, setup, argument, NULL)
#define setup_variable_parameters(state, types, count) \
	setup_parse_variable_parameters(state, types, count)
#else
#define analyze_statement(raw, text, setup, argument) \
	pg_analyze_and_rewrite_params(raw, text, setup, argument, NULL)
#define setup_variable_parameters(state, types, count) \
	parse_variable_parameters(state, types, count)
#endif

/* executor/executor.h: what the user of a plan may read; ereports */
#if PG_VERSION_NUM >= 160000
#define check_plan_permissions(planned) \
	((void) ExecCheckPermissions((planned)->rtable, (planned)->permInfos, \
								 true))
#else
#define check_plan_permissions(planned) \
	((void) ExecCheckRTPerms((planned)->rtable, true))
#endif

/* What get_ordering_op_properties() tells: from 18 on no btree strategy. */
#if PG_VERSION_NUM >= 180000
#include "access/cmptype.h"
#define ORDERING_KIND CompareType
#define ORDERING_GREATER COMPARE_GT
#else
#define ORDERING_KIND int16
#define ORDERING_GREATER BTGreaterStrategyNumber	/* access/stratnum.h */
#endif

/*
 * Columns of a query that groups refer to what it groups by through an entry
 * of the range table from 18 on (nodes/parsenodes.h).
 */
#if PG_VERSION_NUM >= 180000
#define group_expression(entry, number) \
	((entry)->rtekind == RTE_GROUP ? \
	 list_nth((entry)->groupexprs, (number) - 1) : NULL)
#else
#define group_expression(entry, number) NULL
#endif

/* Names of waits, part of pgstat.h before 14. */
#if PG_VERSION_NUM >= 140000
#include "utils/wait_event.h"
#else
#include "pgstat.h"
#endif

/* parser/parser.h */
#if PG_VERSION_NUM >= 140000
#define parse_statements(sql) raw_parser(sql, RAW_PARSE_DEFAULT)
#else
#define parse_statements(sql) raw_parser(sql)
#endif

/* Query identifiers in pg_stat_activity came with 14 (pgstat.h). */
#if PG_VERSION_NUM < 140000
#define pgstat_get_my_query_id()	UINT64CONST(0)
#define pgstat_report_query_id(query, force) ((void) (query))
#endif

#if PG_VERSION_NUM >= 170000
#define my_local_transaction_id() (MyProc->vxid.lxid)	/* storage/proc.h */
#else
#define my_local_transaction_id() (MyProc->lxid)
#endif

#if PG_VERSION_NUM < 140000
/* catalog/pg_authid.h */
#define ROLE_PG_READ_SERVER_FILES DEFAULT_ROLE_READ_SERVER_FILES
#endif

/* ExecutorRun_hook told until 17 whether it is called once (executor.h). */
#if PG_VERSION_NUM >= 180000
#define EXECUTOR_RUN_ONCE_PARAMETER
#define EXECUTOR_RUN_ONCE_ARGUMENT
#else
#define EXECUTOR_RUN_ONCE_PARAMETER , bool once
#define EXECUTOR_RUN_ONCE_ARGUMENT	, once
#endif

/*
 * Files shared by parallel workers changed names in 15 and lost a silent
 * short read in 16.
 */
#if PG_VERSION_NUM >= 150000
#define FILE_SET(shared) (&(shared)->fs)
#else
#define FILE_SET(shared) (shared)
#define BufFileCreateFileSet(files, name) BufFileCreateShared(files, name)
#define BufFileExportFileSet(file) BufFileExportShared(file)
#define BufFileDeleteFileSet(files, name, missing_ok) \
	BufFileDeleteShared(files, name)
#if PG_VERSION_NUM >= 140000
#define BufFileOpenFileSet(files, name, mode, missing_ok) \
	BufFileOpenShared(files, name, mode)
#else
#define BufFileOpenFileSet(files, name, mode, missing_ok) \
	BufFileOpenShared(files, name)
#endif
#endif
#if PG_VERSION_NUM < 160000
#define BufFileReadExact(file, data, size) \
	do { \
		if (BufFileRead(file, data, size) != (size)) \
			ereport(ERROR, \
					(errcode_for_file_access(), \
					 errmsg("could not read temporary file: %m"))); \
	} while (0)
#endif

/*
 * What an update of a row says of the indexes, a boolean before 16, and how
 * they get their entries (access/tableam.h, executor/executor.h).
 */
#if PG_VERSION_NUM >= 160000
#define UpdatedIndexes	TU_UpdateIndexes
#define indexes_need_entries(updated) ((updated) != TU_None)
#define insert_index_tuples(target, slot, state, updated) \
	ExecInsertIndexTuples(target, slot, state, false, false, NULL, NIL, \
						  (updated) == TU_Summarizing)
#else
#define UpdatedIndexes	bool
#define indexes_need_entries(updated) (updated)
#if PG_VERSION_NUM >= 140000
#define insert_index_tuples(target, slot, state, updated) \
	ExecInsertIndexTuples(target, slot, state, false, false, NULL, NIL)
#else
#define insert_index_tuples(target, slot, state, updated) \
	((state)->es_result_relation_info = (target), \
	 ExecInsertIndexTuples(slot, state, false, NULL, NIL))
#endif
#endif

/* Functions that run as somebody else look names up where nobody adds any. */
#if PG_VERSION_NUM < 170000
#define RestrictSearchPath() \
	((void) set_config_option("search_path", "pg_catalog, pg_temp", \
							  PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, \
							  true, 0, false))	/* utils/guc.h */
#endif

/*
 * Generated columns that are not stored came with 18 (catalog/pg_attribute.h).
 */
#if PG_VERSION_NUM >= 180000
#define attribute_is_virtual(attribute) \
	((attribute)->attgenerated == ATTRIBUTE_GENERATED_VIRTUAL)
#else
#define attribute_is_virtual(attribute) false
#endif

/*
 * Names of settings with a prefix of ours can be kept from others from 15 on.
 */
#if PG_VERSION_NUM >= 150000
/* utils/guc.h */
#define reserve_settings(prefix) MarkGUCPrefixReserved(prefix)
#else
#define reserve_settings(prefix) EmitWarningsOnPlaceholders(prefix)
#endif

/* Whether the statistics of a relation have their place (pgstat.h). */
#if PG_VERSION_NUM >= 150000
#define relation_is_counted(relation) pgstat_should_count_relation(relation)
#else
#define relation_is_counted(relation) ((relation)->pgstat_info != NULL)
#endif

/*
 * Which file a relation is in, as the buffer manager names it (utils/rel.h).
 */
#if PG_VERSION_NUM >= 160000
#define relation_locator(relation) ((relation)->rd_locator)
#else
#define relation_locator(relation) ((relation)->rd_node)
#endif

/* What is left when nothing can be removed any more (utils/snapmgr.h). */
#if PG_VERSION_NUM >= 140000
#define init_non_vacuumable_snapshot(snapshot, heap) \
	InitNonVacuumableSnapshot(snapshot, GlobalVisTestFor(heap))
#else
#define init_non_vacuumable_snapshot(snapshot, heap) \
	InitNonVacuumableSnapshot(snapshot, RecentGlobalXmin)
#endif

/* VACUUM's cost-based delay, and its check for interrupts. */
#if PG_VERSION_NUM >= 180000
#define vacuum_delay()	vacuum_delay_point(false)
#else
#define vacuum_delay()	vacuum_delay_point()
#endif

#endif							/* SERVER_SERVER_H */
