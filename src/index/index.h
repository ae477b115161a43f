/*-------------------------------------------------------------------------
 *
 * index.h
 *	  What the access methods of this extension share.
 *
 * An access method registers itself when the library is loaded; the
 * SQL functions embed_index_check, embed_index_stats, embed_index_recall and
 * embed_index_scan_stats are written once, here, over that registration.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INDEX_INDEX_H
#define INDEX_INDEX_H

#include "server/server.h"

#include "access/amapi.h"
#include "access/genam.h"
#include "access/tableam.h"
#include "catalog/pg_amproc.h"
#include "nodes/execnodes.h"
#include "nodes/nodes.h"
#include "storage/buf.h"
#include "storage/dsm.h"
#include "storage/shm_toc.h"
#include "utils/relcache.h"

/*
 * Page identifiers: the last two bytes of a page's special area, by which
 * inspection tools tell whose page it is.  Taken elsewhere: 0xFF80 to 0xFF86
 * (the server), 0xFF90 (pgvector).
 */
#define KTREE_PAGE_ID		0xFFA1
#define INVERTED_PAGE_ID	0xFFA2

/* What a scan did; kept for the last scan of the session. */
typedef struct IndexScanStatistics
{
	uint64		rounds;
	uint64		leaves;			/* clusters or posting blocks visited */
	uint64		pages;			/* index pages read */
	uint64		codes;			/* codes or postings scored */
	uint64		refined;		/* scored again with more bits */
	uint64		exact;			/* distances computed from the table's row */
	uint64		returned;		/* rows handed to the executor */
} IndexScanStatistics;

extern IndexScanStatistics last_index_scan;

/* Receives one violated invariant: where (or InvalidBlockNumber) and what. */
typedef struct IndexReport IndexReport;
extern void index_report_problem(IndexReport *report, BlockNumber block,
								 const char *format, ...)
	pg_attribute_printf(3, 4);

/* Receives one property of an index. */
extern void index_report_property(IndexReport *report, const char *property,
								  double value);

/* Of today's processors; a wrong number costs time only. */
#define CACHE_LINE	64

/*
 * recent.c: ReadBuffer() that first tries where the block was the last time,
 * and the processor's cache filled ahead of need.
 */
extern Buffer index_read_buffer(Relation index, BlockNumber block);
extern void index_remember_buffer(Relation relation, BlockNumber block,
								  Buffer buffer);
extern void index_prefetch(Relation relation, BlockNumber block, int offset,
						   int bytes);

typedef struct IndexRoom
{
	ambuild_function build;		/* by which its indexes are known */
	/* reports every violated invariant; must survive any damage */
	void		(*check) (Relation index, IndexReport *report);
	/* reports height, fill and whatever else describes the index */
	void		(*statistics) (Relation index, IndexReport *report);
	/* the cost function, if the order of a scan is approximate; else NULL */
	amcostestimate_function approximate;
} IndexRoom;

/*
 * Open an index of one of our access methods for reading, and find its room;
 * the caller of the SQL function must be allowed to read the table.
 */
extern Relation index_open_ours(Oid oid, const IndexRoom **room);

/* Called from _PG_init; "room" must stay valid. */
extern void index_register(const IndexRoom *room);

/* What our access methods can and cannot do; functions are to be filled in. */
extern IndexAmRoutine *index_routine(void);

/* nodes/pathnodes.h has them */
struct IndexOptInfo;
struct Path;

/* Does an index belong to an access method whose order is approximate? */
extern bool index_is_approximate(const struct IndexOptInfo *info);

/* order.c: where a plan may rely on the order of an index */
extern void index_order_init(void);
extern bool index_order(struct PlannerInfo *root, struct IndexPath *path,
						bool approximate);
extern bool index_order_is_approximate(struct Path *path);
extern void index_refuse(struct IndexPath *path, Cost *startup, Cost *total);

/* ---------- demand.c: how many rows of a scan its query wants ---------- */

typedef struct IndexDemand
{
	bool		known;			/* else nothing below means anything */
	double		rows;			/* the limit's and what it passes over;
								 * infinite: all; 0: nobody knows, as of a
								 * cursor */
	double		first;			/* of a cursor: rows of the first FETCH; 0: all
								 * of them, or nobody knows */
	bool		filtered;		/* some of the rows are dropped, */
	const int64 *passed;		/* so many came through to the Limit */
	double		passing;		/* and so many of all expected to pass */
} IndexDemand;

extern void index_demand_init(void);
extern void index_demand(IndexScanDesc scan, IndexDemand *demand);

/* validate.c */
extern bool index_validate(Oid opclass, const char *access_method,
						   int strategies, int functions,
						   bool (*right) (Form_pg_amproc function));

extern bool index_validate_conditions(Oid opclass, const char *access_method,
									  int first, int last);

/* ---------- index_rows.c: the table's rows, read again ---------- */

typedef struct IndexRows IndexRows;

extern IndexRows *index_rows_begin(Relation heap, Relation index);
extern void index_rows_reset(IndexRows *rows);
extern void index_rows_end(IndexRows *rows);
extern MemoryContext index_rows_scratch(IndexRows *rows);
extern bool index_rows_fetch(IndexRows *rows, const ItemPointerData *tid,
							 Snapshot snapshot, Datum *value, bool *null);
extern bool index_rows_fetch_keys(IndexRows *rows, Relation index,
								  const ItemPointerData *tid,
								  Snapshot snapshot, Datum *values,
								  bool *nulls);
extern void index_rows_clear(IndexRows *rows);

/* ---------- gone.c: beginning anew when all rows are gone ---------- */

typedef struct IndexGone IndexGone;

extern IndexGone *index_gone_begin(Relation heap);
extern bool index_gone(IndexGone *gone, const ItemPointerData *tid);
extern void index_gone_end(IndexGone *gone);
extern bool index_claim(Relation index);

/* ---------- index_distance.c: exact distances of rows ---------- */

typedef struct IndexDistance IndexDistance;

extern IndexDistance *index_distance_begin(IndexScanDesc scan,
										   const FmgrInfo *function,
										   Oid collation);
extern void index_distance_reset(IndexDistance *distance);
extern void index_distance_end(IndexDistance *distance);
extern double index_distance_of_value(IndexDistance *distance, Datum value,
									  Datum query);
extern bool index_distance_of_row(IndexDistance *distance, IndexScanDesc scan,
								  const ItemPointerData *tid, Datum query,
								  double *result, bool *null);

/* ---------- parallel.c: building with several processes ---------- */

typedef struct IndexParallelBuild IndexParallelBuild;

/* One process of a build: the leader, who may be alone, or a worker. */
typedef struct IndexBuildProcess
{
	Relation	heap;
	Relation	index;
	IndexInfo  *info;
	int			number;			/* 0: the leader */
	/* zero if the leader is alone: */
	TableScanDesc scan;			/* its part of the table */
	dsm_segment *segment;		/* in which all lies that is shared */
	void	   *shared;			/* the access method's part of it */
	struct BuildDescription *description;
} IndexBuildProcess;

extern double index_build_read(IndexBuildProcess *process,
							   IndexBuildCallback callback, void *state);
extern int	index_build_workers(Relation heap, Relation index,
								IndexInfo *info);
extern IndexParallelBuild *index_parallel_begin(Relation heap, Relation index,
												IndexInfo *info,
												const char *entry, int workers,
												Size bytes, void **shared);
extern int	index_parallel_launch(IndexParallelBuild *build);
extern void index_parallel_join(IndexParallelBuild *build,
								IndexBuildProcess *process);
extern double index_parallel_wait(IndexParallelBuild *build, IndexInfo *info);
extern void index_parallel_end(IndexParallelBuild *build);
extern void index_parallel_work(dsm_segment *segment, shm_toc *toc,
								void (*work) (IndexBuildProcess *process));

#endif							/* INDEX_INDEX_H */
