/*-------------------------------------------------------------------------
 *
 * inverted_build.c
 *	  Building an inverted index.
 *
 * Rows are gathered in memory until the process's share of
 * maintenance_work_mem is used up, sorted by term, and put aside as a run in a
 * temporary file; then all runs are merged into one segment.  The documents of
 * a run all come before those of the next, so merging is concatenation and
 * costs no comparison.  When everything fits in memory no file is written.
 *
 * Workers read, sort and put aside; the leader does the same and then merges
 * the runs of all.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "access/parallel.h"
#include "access/xloginsert.h"
#include "catalog/index.h"
#include "commands/progress.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "port/atomics.h"
#include "storage/buffile.h"
#include "storage/sharedfileset.h"
#include "utils/memutils.h"

#include "index/inverted/inverted.h"
#include "index/inverted/inverted_run.h"

extern PGDLLEXPORT void embed_inverted_worker(dsm_segment *segment,
											  shm_toc *toc);

/* What a worker leaves to the leader */
typedef struct WorkerResult
{
	uint32		runs;
	int32		dims;
} WorkerResult;

typedef struct InvertedShared
{
	SharedFileSet files;		/* the runs, "worker.run" */
	Size		memory;			/* of each process */
	int32		metric;
	int32		dims;			/* 0: not declared */
	pg_atomic_uint64 rows;		/* read by all, for the progress */
	WorkerResult worker[FLEXIBLE_ARRAY_MEMBER];
} InvertedShared;

/* One process's part of the reading */
typedef struct Reading
{
	int			number;			/* 0: the leader */
	InvertedShared *shared;		/* NULL if the leader is alone */
	int			dims;
	Size		memory;			/* for the gathering, in bytes */
	Gathering  *gathering;
	BufFile   **run;			/* of the leader */
	uint32		runs;
	uint64		rows;
	MemoryContext row_context;
} Reading;

/* ---------- reading rows, in every process ---------- */

static void
begin_reading(Reading *reading, IndexBuildProcess *process, int metric,
			  int dims, Size memory)
{
	memset(reading, 0, sizeof(Reading));
	reading->number = process->number;
	reading->shared = process->shared;
	reading->dims = dims;
	reading->memory = memory;
	reading->gathering = gathering_create(metric, memory);
	reading->row_context = AllocSetContextCreate(CurrentMemoryContext, "inverted row",
												 ALLOCSET_DEFAULT_SIZES);
}

static char *
run_name(int worker, uint32 run)
{
	return psprintf("%d.%u", worker, run);
}

static void
put_run_aside(Reading *reading)
{
	gathering_sort(reading->gathering);
	if (reading->number > 0)
	{
		BufFile    *file = BufFileCreateFileSet(
			   FILE_SET(&reading->shared->files),
			   run_name(reading->number, reading->runs));

		run_write(reading->gathering, file);
		BufFileExportFileSet(file);
		BufFileClose(file);
	}
	else
	{
		if (reading->runs % 64 == 0)
			reading->run = reading->run == NULL
							   ? palloc(sizeof(BufFile *) * 64)
							   : repalloc(reading->run,
										  sizeof(BufFile *) *
											  (reading->runs + 64));
		reading->run[reading->runs] = BufFileCreateTemp(false);
		run_write(reading->gathering, reading->run[reading->runs]);
	}
	reading->runs++;
	gathering_reset(reading->gathering);
}

/* Everybody counts, the leader shows. */
static void
count_row(Reading *reading)
{
	uint64		all = ++reading->rows;

	if (reading->shared != NULL)
		all = pg_atomic_add_fetch_u64(&reading->shared->rows, 1);
	if (reading->number == 0 && reading->rows % 256 == 0)
		pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE,
									 (int64) all);
}

static void
add_row(Relation index, ItemPointer tid, Datum *values, bool *isnull,
		bool alive, void *state)
{
	Reading    *reading = state;
	SparseVector *vector = NULL;

	if (!isnull[0])
	{
		MemoryContext old = MemoryContextSwitchTo(reading->row_context);

		vector = DatumGetSparseVector(values[0]);
		MemoryContextSwitchTo(old);
		if (reading->dims == 0)
			reading->dims = vector->dims;
		inverted_check_dims(reading->dims, vector->dims);
	}
	gathering_add(reading->gathering, tid, reading->gathering->documents,
				  vector);
	count_row(reading);
	MemoryContextReset(reading->row_context);
	if (gathering_bytes(reading->gathering) >= reading->memory)
		put_run_aside(reading);
}

static void
work(IndexBuildProcess *process)
{
	InvertedShared *shared = process->shared;
	WorkerResult *result = &shared->worker[process->number - 1];
	Reading		reading;

	SharedFileSetAttach(&shared->files, process->segment);
	begin_reading(&reading, process, shared->metric, shared->dims,
				  shared->memory);
	index_build_read(process, add_row, &reading);
	if (reading.gathering->documents > 0)
		put_run_aside(&reading);
	result->runs = reading.runs;
	result->dims = reading.dims;
}

void
embed_inverted_worker(dsm_segment *segment, shm_toc *toc)
{
	index_parallel_work(segment, toc, work);
}

/* ---------- writing, in the leader ---------- */

/* The first vector decided in each process; all must agree. */
static void
agree_on_dims(Reading *reading, int workers)
{
	for (int i = 0; i < workers; i++)
	{
		int			dims = reading->shared->worker[i].dims;

		if (dims == 0)
			continue;
		inverted_check_dims(reading->dims, dims);
		reading->dims = dims;
	}
}

/*
 * Write the one segment of a new index: the leader's runs, those of the
 * workers, and what the leader still has in memory.
 */
static void
write_segment(Reading *reading, int workers, SegmentWriter *writer,
			  InvertedSegmentEntry *entry)
{
	Gathering  *gathering = reading->gathering;
	PostingSource **source;
	uint32		count = 0;
	uint32		documents = 0;
	uint64		postings = gathering->postings;
	uint32		total = reading->runs + 1;

	for (int i = 0; i < workers; i++)
		total += reading->shared->worker[i].runs;
	source = palloc(sizeof(PostingSource *) * total);

	for (uint32 run = 0; run < reading->runs; run++)
		source[count++] = run_source(reading->run[run], writer, documents,
									 &documents, &postings);
	for (int i = 0; i < workers; i++)
	{
		for (uint32 run = 0; run < reading->shared->worker[i].runs; run++)
			source[count++] = run_source(
				BufFileOpenFileSet(FILE_SET(&reading->shared->files),
								   run_name(i + 1, run), O_RDONLY, false),
				writer, documents, &documents, &postings);
	}
	for (uint32 i = 0; i < gathering->documents; i++)
	{
		gathering->document[i].birth += documents;
		writer_add_document(writer, &gathering->document[i]);
	}
	source[count++] = gathering_source(gathering, documents);

	pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_TOTAL,
								 (int64) postings);
	writer_add_sources(writer, source, (int) count);
	for (uint32 i = 0; i < count; i++)
		source[i]->close(source[i]);
	writer_finish(writer, entry);
}

/* Make the segment known, before anybody else can see the index. */
static void
set_segment(Relation index, int dims, const InvertedSegmentEntry *entry)
{
	Buffer		buffer = ReadBuffer(index, INVERTED_META_BLOCK);
	InvertedMeta *meta;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	meta = (InvertedMeta *) InvertedPageData(BufferGetPage(buffer));
	meta->dims = dims;
	if (entry->documents > 0)
	{
		meta->segment[0] = *entry;
		meta->segment[0].level = (uint16) inverted_level(entry->documents);
		meta->segment_count = 1;
		meta->next_id++;
		meta->tail.first_birth = entry->documents;
		meta->structure++;
		inverted_set_meta_length(BufferGetPage(buffer));
	}
	MarkBufferDirty(buffer);
	UnlockReleaseBuffer(buffer);
}

/* Prepare for workers and start them; NULL if there can be none. */
static IndexParallelBuild *
launch_workers(IndexBuildProcess *process, const InvertedMeta *meta,
			   int *workers)
{
	int			wanted = index_build_workers(process->heap, process->index,
											 process->info);
	IndexParallelBuild *parallel;
	InvertedShared *shared;
	void	   *memory;

	*workers = 0;
	if (wanted == 0)
		return NULL;
	parallel = index_parallel_begin(process->heap, process->index,
									process->info, "embed_inverted_worker",
									wanted,
									offsetof(InvertedShared, worker) +
										sizeof(WorkerResult) * wanted,
									&memory);
	if (parallel == NULL)
		return NULL;
	shared = memory;
	index_parallel_join(parallel, process);
	SharedFileSetInit(&shared->files, process->segment);
	shared->memory = (Size) maintenance_work_mem * 1024 / (wanted + 1);
	shared->metric = meta->metric;
	shared->dims = meta->dims;
	pg_atomic_init_u64(&shared->rows, 0);
	*workers = index_parallel_launch(parallel);
	return parallel;
}

static void
show_phase(int phase)
{
	const int	params[] = {
		PROGRESS_CREATEIDX_SUBPHASE, PROGRESS_CREATEIDX_TUPLES_TOTAL,
		PROGRESS_CREATEIDX_TUPLES_DONE
	};
	const int64 values[] = {phase, 0, 0};

	pgstat_progress_update_multi_param(lengthof(params), params, values);
}

IndexBuildResult *
inverted_build(Relation heap, Relation index, IndexInfo *info)
{
	IndexBuildResult *result = palloc0(sizeof(IndexBuildResult));
	IndexBuildProcess process = {heap, index, info};
	IndexParallelBuild *parallel;
	InvertedMeta *meta = palloc(sizeof(InvertedMeta));
	InvertedSegmentEntry entry;
	Reading		reading;
	int			workers;
	MemoryContext context;
	MemoryContext old;

	if (RelationGetNumberOfBlocks(index) != 0)
		elog(ERROR, "index \"%s\" already contains data", RelationGetRelationName(index));
	inverted_create_meta(index, MAIN_FORKNUM);
	inverted_read_meta(index, meta);
	context = AllocSetContextCreate(CurrentMemoryContext, "inverted build",
									ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(context);

	show_phase(PHASE_SCAN);
	parallel = launch_workers(&process, meta, &workers);
	begin_reading(&reading, &process, meta->metric, meta->dims,
				  (Size) maintenance_work_mem * 1024 / (workers + 1));
	result->heap_tuples = index_build_read(&process, add_row, &reading);

	show_phase(PHASE_SORT);
	gathering_sort(reading.gathering);
	if (parallel != NULL)
	{
		result->heap_tuples = index_parallel_wait(parallel, info);
		agree_on_dims(&reading, workers);
	}

	show_phase(PHASE_WRITE);
	write_segment(&reading, workers,
				  writer_begin(index, meta->next_id, (int) meta->weight_bits,
							   true),
				  &entry);
	set_segment(index, reading.dims, &entry);
	result->index_tuples = entry.documents;
	if (parallel != NULL)
		index_parallel_end(parallel);

	show_phase(PHASE_LOG);
	if (RelationNeedsWAL(index))
		log_newpage_range(index, MAIN_FORKNUM, 0,
						  RelationGetNumberOfBlocks(index), true);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	pfree(meta);
	return result;
}

void
inverted_build_empty(Relation index)
{
	inverted_create_meta(index, INIT_FORKNUM);
}
