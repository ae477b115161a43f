/*-------------------------------------------------------------------------
 *
 * parallel.c
 *	  Building an index with several processes.
 *
 * The leader sets up a parallel scan of the table and launches workers, which
 * enter the library by a function of the access method's own.  Every process,
 * the leader too, then reads its share of the table by index_build_read().
 * What they hand to each other lies in shared memory that the access method
 * lays out, or in temporary files (SharedFileSet).
 *
 * An error or a cancelled query ends the workers with the leader's
 * transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "access/genam.h"
#include "access/parallel.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "executor/instrument.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "pgstat.h"
#include "storage/spin.h"
#include "tcop/tcopprot.h"
#include "utils/snapmgr.h"

#include "index/index.h"

#define KEY_BUILD			UINT64CONST(1)
#define KEY_SCAN			UINT64CONST(2)
#define KEY_SHARED			UINT64CONST(3)
#define KEY_QUERY			UINT64CONST(4)
#define KEY_BUFFERS			UINT64CONST(5)
#define KEY_WAL				UINT64CONST(6)

/* What workers must know before they can open anything, and their totals */
typedef struct BuildDescription
{
	Oid			heap;
	Oid			index;
	bool		concurrent;
	uint64		query_id;

	slock_t		mutex;			/* protects what follows */
	double		rows;			/* of the table, as table_index_build_scan
								 * counts */
	bool		broken_hot_chain;
} BuildDescription;

struct IndexParallelBuild
{
	ParallelContext *context;
	Snapshot	snapshot;
	bool		registered;
	BuildDescription *description;
	BufferUsage *buffers;
	WalUsage   *wal;
};

/*
 * How many workers would help to build this index, by the server's rules:
 * the table's size or its parallel_workers,
 * max_parallel_maintenance_workers, expressions that are parallel safe, and
 * at least 32 MB of maintenance_work_mem for each process.
 */
int
index_build_workers(Relation heap, Relation index, IndexInfo *info)
{
#if PG_VERSION_NUM >= 170000
	return info->ii_ParallelWorkers;
#else
	/* before 17 the server asks this only for btree */
	if (IsInParallelMode())
		return 0;
	return plan_create_index_workers(RelationGetRelid(heap),
									 RelationGetRelid(index));
#endif
}

static void
estimate_chunk(ParallelContext *context, Size bytes)
{
	shm_toc_estimate_chunk(&context->estimator, bytes);
	shm_toc_estimate_keys(&context->estimator, 1);
}

static void *
add_chunk(ParallelContext *context, uint64 key, Size bytes)
{
	void	   *chunk = shm_toc_allocate(context->toc, bytes);

	memset(chunk, 0, bytes);
	shm_toc_insert(context->toc, key, chunk);
	return chunk;
}

static void
free_context(IndexParallelBuild *build)
{
	if (build->registered)
		UnregisterSnapshot(build->snapshot);
	DestroyParallelContext(build->context);
	ExitParallelMode();
	pfree(build);
}

/*
 * Enter parallel mode and set up the scan that all processes share.
 *
 * entry: name of the exported function in which workers begin
 * bytes: of shared memory for the access method, zeroed; *shared is set to it
 *
 * Returns NULL, out of parallel mode, if there is no room for shared memory.
 * The access method then fills in what workers must know and calls
 * index_parallel_launch().
 */
IndexParallelBuild *
index_parallel_begin(Relation heap, Relation index, IndexInfo *info,
					 const char *entry, int workers, Size bytes, void **shared)
{
	IndexParallelBuild *build = palloc0(sizeof(IndexParallelBuild));
	ParallelContext *context;
	BuildDescription *description;
	Size		scan_bytes;
	Size		query_bytes = debug_query_string
								  ? strlen(debug_query_string) + 1
								  : 1;

	EnterParallelMode();
	context = build->context = CreateParallelContext("embed", entry, workers);

	/*
	 * as in a serial build: all rows, or those of a snapshot if concurrently
	 */
	build->registered = info->ii_Concurrent;
	build->snapshot = info->ii_Concurrent ?
		RegisterSnapshot(GetTransactionSnapshot()) : SnapshotAny;
	scan_bytes = table_parallelscan_estimate(heap, build->snapshot);

	estimate_chunk(context, sizeof(BuildDescription));
	estimate_chunk(context, scan_bytes);
	estimate_chunk(context, bytes);
	estimate_chunk(context, query_bytes);
	estimate_chunk(context, mul_size(sizeof(BufferUsage), workers));
	estimate_chunk(context, mul_size(sizeof(WalUsage), workers));
	InitializeParallelDSM(context);
	if (context->seg == NULL)
	{
		free_context(build);
		return NULL;
	}

	description = build->description = add_chunk(context, KEY_BUILD,
												 sizeof(BuildDescription));
	SpinLockInit(&description->mutex);
	description->heap = RelationGetRelid(heap);
	description->index = RelationGetRelid(index);
	description->concurrent = info->ii_Concurrent;
	description->query_id = pgstat_get_my_query_id();
	table_parallelscan_initialize(heap,
								  add_chunk(context, KEY_SCAN, scan_bytes),
								  build->snapshot);
	*shared = add_chunk(context, KEY_SHARED, bytes);
	strlcpy(add_chunk(context, KEY_QUERY, query_bytes),
			debug_query_string ? debug_query_string : "", query_bytes);
	build->buffers = add_chunk(context, KEY_BUFFERS,
							   mul_size(sizeof(BufferUsage), workers));
	build->wal = add_chunk(context, KEY_WAL,
						   mul_size(sizeof(WalUsage), workers));
	return build;
}

/* Start the workers; returns how many there are, perhaps none. */
int
index_parallel_launch(IndexParallelBuild *build)
{
	LaunchParallelWorkers(build->context);
	if (build->context->nworkers_launched > 0)
	{
		WaitForParallelWorkersToAttach(build->context);
		ereport(DEBUG1, (errmsg_internal("using %d parallel workers",
										 build->context->nworkers_launched)));
	}
	return build->context->nworkers_launched;
}

/* Make the leader one of the processes of its build. */
void
index_parallel_join(IndexParallelBuild *build, IndexBuildProcess *process)
{
	shm_toc    *toc = build->context->toc;

	process->scan = table_beginscan_parallel(
		process->heap, shm_toc_lookup(toc, KEY_SCAN, false));
	process->segment = build->context->seg;
	process->shared = shm_toc_lookup(toc, KEY_SHARED, false);
	process->description = build->description;
}

/*
 * Read this process's share of the table, or all of it in a serial build;
 * returns the number of rows.
 */
double
index_build_read(IndexBuildProcess *process, IndexBuildCallback callback,
				 void *state)
{
	struct BuildDescription *description = process->description;
	double		rows;

	rows = table_index_build_scan(process->heap, process->index, process->info,
								  true, process->number == 0, callback, state,
								  process->scan);
	if (description != NULL)
	{
		SpinLockAcquire(&description->mutex);
		description->rows += rows;
		description->broken_hot_chain |= process->info->ii_BrokenHotChain;
		SpinLockRelease(&description->mutex);
	}
	return rows;
}

/*
 * Wait until all workers have done their part; returns the number of rows
 * that all processes read.
 */
double
index_parallel_wait(IndexParallelBuild *build, IndexInfo *info)
{
	WaitForParallelWorkersToFinish(build->context);
	for (int i = 0; i < build->context->nworkers_launched; i++)
		InstrAccumParallelQuery(&build->buffers[i], &build->wal[i]);
	info->ii_BrokenHotChain |= build->description->broken_hot_chain;
	return build->description->rows;
}

/* Give shared memory back and leave parallel mode. */
void
index_parallel_end(IndexParallelBuild *build)
{
	free_context(build);
}

/*
 * What a worker does: open the table and the index, call "work", close
 * them.
 */
void
index_parallel_work(dsm_segment *segment, shm_toc *toc,
					void (*work) (IndexBuildProcess *process))
{
	BuildDescription *description = shm_toc_lookup(toc, KEY_BUILD, false);
	BufferUsage *buffers = shm_toc_lookup(toc, KEY_BUFFERS, false);
	WalUsage   *wal = shm_toc_lookup(toc, KEY_WAL, false);
	IndexBuildProcess process;
	LOCKMODE	heap_lock = description->concurrent ? ShareUpdateExclusiveLock
													: ShareLock;
	LOCKMODE	index_lock = description->concurrent ? RowExclusiveLock
													 : AccessExclusiveLock;

	debug_query_string = shm_toc_lookup(toc, KEY_QUERY, false);
	pgstat_report_activity(STATE_RUNNING, debug_query_string);
	pgstat_report_query_id(description->query_id, false);

	/* the leader holds the same locks, which do not conflict within a group */
	process.heap = table_open(description->heap, heap_lock);
	process.index = index_open(description->index, index_lock);
	process.info = BuildIndexInfo(process.index);
	process.info->ii_Concurrent = description->concurrent;
	process.scan = table_beginscan_parallel(
		process.heap, shm_toc_lookup(toc, KEY_SCAN, false));
	process.number = ParallelWorkerNumber + 1;
	process.segment = segment;
	process.shared = shm_toc_lookup(toc, KEY_SHARED, false);
	process.description = description;

	InstrStartParallelQuery();
	work(&process);
	InstrEndParallelQuery(&buffers[ParallelWorkerNumber],
						  &wal[ParallelWorkerNumber]);

	index_close(process.index, index_lock);
	table_close(process.heap, heap_lock);
}
