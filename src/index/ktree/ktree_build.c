/*-------------------------------------------------------------------------
 *
 * ktree_build.c
 *	  Building an index over a table that has rows.
 *
 * 1. Sample blocks of the table; the median of the sample becomes the origin.
 * 2. Divide space in partitions, each of a size that fits memory, by k-means
 *	  of the sample.
 * 3. Read the table once: rotate each vector, find its partition, put it
 *	  there on disk (spool.c).
 * 4. For each partition: k-means of its vectors into leaves, write the
 *	  leaves, then inner nodes over them.
 * 5. Inner nodes over those, until one is left.  Then log all pages.
 *
 * Steps 3 and 4 are done by several processes if the server grants them
 * (../parallel.c): each reads a part of the table, waits for the others, and
 * then takes one partition after the other, whoever read its rows.
 *
 * When everything fits in memory there is one partition and nothing goes to
 * disk.  Memory stays within maintenance_work_mem whatever the sample said: a
 * partition larger than expected is clustered in several portions.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <fcntl.h>
#include <math.h>

#include "access/tableam.h"
#include "access/xloginsert.h"
#include "catalog/index.h"
#include "commands/progress.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/buffile.h"
#include "storage/bufmgr.h"
#include "storage/condition_variable.h"
#include "storage/spin.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/sampling.h"

#include "index/ktree/ktree_build.h"
#include "math/kmeans.h"
#include "type/vector.h"

#define SAMPLE_ROWS			20000
#define PARTITION_ITERATIONS 8
/* Of the sample so many give the origin. */
#define ORIGIN_ROWS			500

extern PGDLLEXPORT void embed_ktree_worker(dsm_segment *segment, shm_toc *toc);

/*
 * What the processes of a build share; the partitions' centers lie behind it.
 */
typedef struct BuildShared
{
	SharedFileSet files;		/* rows, nodes and side rows of each process */
	Size		memory;			/* for each process */
	int			partitions;
	pg_atomic_uint32 next_partition;	/* to be clustered */
	ConditionVariable changed;	/* one of these two: */
	pg_atomic_uint32 processes; /* 0: not yet known */
	pg_atomic_uint32 loaded;	/* so many have read their rows */
	slock_t		mutex;
	double		indexed;		/* rows in all */
} BuildShared;

#define SHARED_CENTERS(shared) \
	((float *) ((char *) (shared) + TYPEALIGN(64, sizeof(BuildShared))))

static void
phase(int number)
{
	pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, number);
}

static void
check_dims(BuildState *build, int dims)
{
	int			expected = build->cache != NULL ? build->layout->dims :
		build->sample_dims > 0 ? build->sample_dims : build->declared;

	if (expected > 0 && dims != expected)
		ktree_dims_error(expected, dims);
}

/* table_index_build_range_scan callback: keep a reservoir of vectors. */
static void
sample_row(Relation index, ItemPointer tid, Datum *values, bool *isnull,
		   bool alive, void *arg)
{
	BuildState *build = arg;
	MemoryContext old;
	Datum		value;
	int			dims;
	float	   *vector;
	int			at;

	if (isnull[0])
		return;
	old = MemoryContextSwitchTo(build->scratch);
	value = PointerGetDatum(PG_DETOAST_DATUM(values[0]));
	dims = ktree_datum_dims(build->kind, value);
	check_dims(build, dims);
	vector = palloc(sizeof(float) * dims);
	if (ktree_load_vector(build->kind, value, vector) == KTREE_NORMAL)
	{
		if (build->sample == NULL)
		{
			Size		most = build->memory / 4 / (sizeof(float) * dims);

			build->sample_dims = dims;
			build->sample_room = (int) Min(SAMPLE_ROWS, Max(most, 256));
			build->sample = MemoryContextAllocHuge(
				GetMemoryChunkContext(build),
				sizeof(float) * (Size) build->sample_room * dims);
		}
		build->sample_seen++;
		if (build->sample_count < build->sample_room)
			at = build->sample_count++;
		else
		{
			build->random = build->random * UINT64CONST(6364136223846793005) +
				UINT64CONST(1442695040888963407);
			at = (int) Min((build->random >> 33) % (uint64) build->sample_seen,
						   INT_MAX);
		}
		if (at < build->sample_room)
			memcpy(build->sample + (Size) at * dims, vector,
				   sizeof(float) * dims);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(build->scratch);
}

/* Vectors of randomly chosen blocks; returns the estimated number of rows. */
static double
take_sample(BuildState *build)
{
	BlockNumber blocks = RelationGetNumberOfBlocks(build->heap);
	int			wanted = Max(SAMPLE_ROWS / 20, 100);
	BlockSamplerData sampler;
	BlockNumber visited = 0;

	BlockSampler_Init(&sampler, blocks, wanted, 42);
	while (BlockSampler_HasMore(&sampler))
	{
		BlockNumber block = BlockSampler_Next(&sampler);

		CHECK_FOR_INTERRUPTS();
		table_index_build_range_scan(build->heap, build->index, build->info,
									 false, !build->info->ii_Concurrent, false,
									 block, 1, sample_row, build, NULL);
		visited++;
	}
	return visited > 0 ? build->sample_seen * blocks / visited : 0;
}

/* The metapage knows the dimensions: get what depends on them. */
static void
use_format(BuildState *build)
{
	build->cache = ktree_cache(build->index);
	build->layout = &build->cache->layout;
	build->image = ktree_image_create(build->layout);
	build->code = palloc(sizeof(KtreeCode));
	build->batch = palloc(sizeof(float) * BATCH * build->layout->padded);
}

static int
compare_floats(const void *a, const void *b)
{
	float		x = *(const float *) a;
	float		y = *(const float *) b;

	return x < y ? -1 : x > y;
}

/*
 * Dimensions are known: write the origin, the sample's median in each of them.
 * A few vectors far from all others would draw their mean away.
 */
static void
begin_format(BuildState *build, const float *first, int dims)
{
	Rotation   *rotation = palloc(rotation_size(dims));
	float	   *middle = palloc0(sizeof(float) * dims);
	float	   *origin = palloc0(sizeof(float) * ROTATION_PADDED(dims));
	float	   *values = palloc(sizeof(float) * ORIGIN_ROWS);
	int			count = Min(build->sample_count, ORIGIN_ROWS);
	float		scale;

	rotation_init(rotation, dims, KTREE_SEED);
	for (int d = 0; d < dims && count > 0; d++)
	{
		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < count; i++)
			values[i] = build->sample[(Size) ((int64) i * build->sample_count /
											  count) *
										  dims +
									  d];
		qsort(values, count, sizeof(float), compare_floats);
		middle[d] = values[count / 2];
	}
	if (count > 0)
		scale = ktree_usual_length(build->sample, build->sample_count, dims);
	else
		scale = ktree_usual_length(first, 1, dims);
	if (!build->inner)
		rotation_apply(rotation, middle, origin);
	ktree_begin_format(build->index, dims, origin, scale);
	use_format(build);
	pfree(rotation);
	pfree(middle);
	pfree(origin);
	pfree(values);
}

/* Rows of padded floats that fit in half of the memory. */
static int
rows_in_memory(const BuildState *build)
{
	Size		bytes = sizeof(float) * build->layout->padded +
						sizeof(ItemPointerData) + 2 * sizeof(int32) +
						(build->layout->filters > 0 ? sizeof(KtreeFilters)
													: 0);
	Size		rows = build->memory / 2 / bytes;

	return (int) Min(Max(rows, (Size) build->layout->capacity * 2),
					 INT_MAX / 2);
}

/*
 * How many there should be for so many rows and processes, and where.
 *
 * A row is compared with all partitions and then with the leaves of its own:
 * cheapest with as many of the one as of the other.
 */
static void
choose_partitions(BuildState *build, double rows, int processes)
{
	const KtreeLayout *layout = build->layout;
	double		leaves = rows / (layout->capacity * LEAF_FILL);
	double		node_rows = layout->capacity * INNER_FILL * layout->capacity *
							LEAF_FILL;
	int			in_memory = rows_in_memory(build);
	double		wanted = 1;
	float	   *rotated;
	float	   *centers;
	void	   *work;

	build->room = (int) Min(in_memory, rows * 1.2 + 1000);
	if (rows > node_rows)
		wanted = Min(rows / node_rows, Max(sqrt(leaves), 2));
	if (rows * 1.1 > in_memory)
		wanted = Max(wanted, rows * 1.6 / in_memory);
	if (processes > 1)
		wanted = Max(wanted, processes * PARTITIONS_EACH);
	build->partitions = (int) Min(ceil(wanted),
								  Max(build->sample_count / 10, 1));
	if (build->partitions < 2)
		return;

	rotated = MemoryContextAllocHuge(
		CurrentMemoryContext,
		sizeof(float) * (Size) build->sample_count * layout->padded);
	for (int i = 0; i < build->sample_count; i++)
		ktree_to_index_space(build->cache,
							 build->sample + (Size) i * layout->dims,
							 rotated + (Size) i * layout->padded);
	pfree(build->sample);
	build->sample = NULL;
	centers = MemoryContextAllocHuge(CurrentMemoryContext,
									 sizeof(float) * (Size) build->partitions *
										 layout->padded);
	work = MemoryContextAllocHuge(CurrentMemoryContext,
								  kmeans_work_bytes(build->sample_count,
													build->partitions,
													layout->padded));
	kmeans_train(rotated, build->sample_count, layout->padded,
				 build->partitions, PARTITION_ITERATIONS, 1, centers, work,
				 build_check_interrupts);
	pfree(work);
	pfree(rotated);
	build->packed = MemoryContextAllocHuge(
		CurrentMemoryContext,
		kmeans_packed_bytes(build->partitions, layout->padded));
	kmeans_pack(centers, build->partitions, layout->padded, build->packed);
	pfree(centers);
}

static void
add_side_row(BuildState *build, ItemPointer tid, KtreeSideReason reason)
{
	if (build->side_count == build->side_room)
	{
		build->side_room = Max(build->side_room * 2, 1024);
		build->side =
			build->side == NULL
				? MemoryContextAllocHuge(GetMemoryChunkContext(build),
										 sizeof(KtreeSideEntry) *
											 (Size) build->side_room)
				: repalloc_huge(build->side, sizeof(KtreeSideEntry) *
												 (Size) build->side_room);
	}
	build->side[build->side_count].tid = *tid;
	build->side[build->side_count].reason = (uint16) reason;
	build->side_count++;
}

static void
keep_row(BuildState *build, const float *vector, ItemPointer tid,
		 const KtreeFilters *filters)
{
	if (build->vectors == NULL)
	{
		build->vectors = MemoryContextAllocHuge(
			GetMemoryChunkContext(build),
			sizeof(float) * (Size) build->room * build->layout->padded);
		build->tids = MemoryContextAllocHuge(GetMemoryChunkContext(build),
											 sizeof(ItemPointerData) *
												 (Size) build->room);
		if (build->layout->filters > 0)
			build->filters = MemoryContextAllocHuge(
				GetMemoryChunkContext(build),
				sizeof(KtreeFilters) * (Size) build->room);
	}
	if (build->count == build->room)
		ktree_build_portion(build, false);
	memcpy(build->vectors + (Size) build->count * build->layout->padded,
		   vector, sizeof(float) * build->layout->padded);
	if (build->filters != NULL)
		build->filters[build->count] = *filters;
	build->tids[build->count++] = *tid;
}

/* Send the waiting rows to their partitions. */
static void
flush_batch(BuildState *build)
{
	int			dims = build->layout->padded;
	int32		nearest[BATCH];

	kmeans_nearest(build->batch, build->batch_count, dims, build->packed,
				   build->partitions, nearest, NULL);
	for (int i = 0; i < build->batch_count; i++)
		ktree_spool_add(build->spool, nearest[i],
						build->batch + (Size) i * dims, &build->batch_tids[i],
						&build->batch_filters[i]);
	build->batch_count = 0;
}

/* table_index_build_scan callback: one row of the table. */
static void
load_row(Relation index, ItemPointer tid, Datum *values, bool *isnull,
		 bool alive, void *arg)
{
	BuildState *build = arg;
	MemoryContext old;
	Datum		value;
	int			dims;
	float	   *vector;
	KtreeClass	class;

	build->indexed++;
	if (isnull[0])
	{
		add_side_row(build, tid, KTREE_SIDE_NULL);
		return;
	}
	old = MemoryContextSwitchTo(build->scratch);
	value = PointerGetDatum(PG_DETOAST_DATUM(values[0]));
	dims = ktree_datum_dims(build->kind, value);
	check_dims(build, dims);
	vector = palloc(sizeof(float) * dims);
	class = ktree_load_vector(build->kind, value, vector);
	if (class != KTREE_NORMAL)
		add_side_row(build, tid,
					 class == KTREE_ZERO ? KTREE_SIDE_ZERO : KTREE_SIDE_HUGE);
	else
	{
		if (build->cache == NULL)
		{
			/* the sample met no vector */
			MemoryContextSwitchTo(GetMemoryChunkContext(build));
			begin_format(build, vector, dims);
			choose_partitions(build, 1000, 1);
			MemoryContextSwitchTo(build->scratch);
		}
		ktree_to_index_space(build->cache, vector,
							 build->batch + (Size) build->batch_count *
												build->layout->padded);
		ktree_filters_of_row(index, values, isnull,
							 &build->batch_filters[build->batch_count]);
		if (build->spool == NULL)
		{
			MemoryContextSwitchTo(GetMemoryChunkContext(build));
			keep_row(build, build->batch, tid, &build->batch_filters[0]);
		}
		else
		{
			build->batch_tids[build->batch_count++] = *tid;
			if (build->batch_count == BATCH)
			{
				/* the spool's own memory is of the build's context */
				MemoryContextSwitchTo(GetMemoryChunkContext(build));
				flush_batch(build);
			}
		}
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(build->scratch);
}

static void
take_row(void *state, const float *vector, ItemPointer tid,
		 const KtreeFilters *filters)
{
	keep_row(state, vector, tid, filters);
}

static char *
result_name(int number)
{
	return psprintf("result.%d", number);
}

/* A worker's nodes and side rows, for the leader. */
static void
write_result(BuildState *build)
{
	BufFile    *file = BufFileCreateFileSet(FILE_SET(&build->shared->files),
											result_name(build->number));

	BufFileWrite(file, &build->built_count, sizeof(int));
	for (int i = 0; i < build->built_count; i++)
	{
		BufFileWrite(file, &build->built[i].link, sizeof(KtreeLink));
		BufFileWrite(file, &build->built[i].radius, sizeof(float));
		BufFileWrite(file, build->built[i].center,
					 sizeof(float) * build->layout->padded);
	}
	BufFileWrite(file, &build->side_count, sizeof(int));
	if (build->side_count > 0)
		BufFileWrite(file, build->side,
					 sizeof(KtreeSideEntry) * (Size) build->side_count);
	BufFileExportFileSet(file);
	BufFileClose(file);
}

static void
read_result(BuildState *build, int number)
{
	BufFile    *file = BufFileOpenFileSet(FILE_SET(&build->shared->files),
										  result_name(number), O_RDONLY,
										  false);
	float	   *center = palloc(sizeof(float) * build->layout->padded);
	int			count;

	BufFileReadExact(file, &count, sizeof(int));
	for (int i = 0; i < count; i++)
	{
		KtreeLink	link;
		float		radius;

		BufFileReadExact(file, &link, sizeof(link));
		BufFileReadExact(file, &radius, sizeof(radius));
		BufFileReadExact(file, center, sizeof(float) * build->layout->padded);
		ktree_build_add(build, link, center, radius);
	}
	BufFileReadExact(file, &count, sizeof(int));
	for (int i = 0; i < count; i++)
	{
		KtreeSideEntry entry;

		BufFileReadExact(file, &entry, sizeof(entry));
		add_side_row(build, &entry.tid, entry.reason);
	}
	BufFileClose(file);
	pfree(center);
}

/* Wait until all processes have read their part of the table. */
static void
wait_for_all(BuildShared *shared)
{
	pg_atomic_fetch_add_u32(&shared->loaded, 1);
	ConditionVariableBroadcast(&shared->changed);
	for (;;)
	{
		uint32		processes = pg_atomic_read_u32(&shared->processes);

		if (processes > 0 && pg_atomic_read_u32(&shared->loaded) == processes)
			break;
		ConditionVariableSleep(&shared->changed, PG_WAIT_EXTENSION);
	}
	ConditionVariableCancelSleep();
}

/* Steps 3 and 4 in one process: read rows, then make nodes of partitions. */
static double
load_and_cluster(BuildState *build, IndexBuildProcess *process)
{
	BuildShared *shared = build->shared;
	KtreeSpoolReader *reader;
	double		rows;

	if (build->partitions > 1)
		build->spool = ktree_spool_create(build->partitions, build->layout,
										  build->memory / 2,
										  shared ? &shared->files : NULL,
										  build->number);
	rows = index_build_read(process, load_row, build);
	if (build->spool == NULL)
	{
		phase(KTREE_PHASE_CLUSTER);
		ktree_build_portion(build, build->built_count == 0);
		return rows;
	}

	flush_batch(build);
	ktree_spool_finish(build->spool);
	if (shared != NULL)
	{
		wait_for_all(shared);
		reader = ktree_spool_read_shared(
			build->partitions, build->layout, &shared->files,
			(int) pg_atomic_read_u32(&shared->processes));
	}
	else
		reader = ktree_spool_read_own(build->spool);
	if (build->number == 0)
		phase(KTREE_PHASE_CLUSTER);
	for (uint32 at = 0;; at++)
	{
		uint32		partition = shared ?
			pg_atomic_fetch_add_u32(&shared->next_partition, 1) : at;

		if (partition >= (uint32) build->partitions)
			break;
		ktree_spool_partition(reader, (int) partition, take_row, build);
		ktree_build_portion(build, false);
	}
	ktree_spool_close(reader);
	return rows;
}

/* What leader and workers begin with. */
static BuildState *
create_state(IndexBuildProcess *process, Size memory)
{
	BuildState *build = palloc0(sizeof(BuildState));

	build->heap = process->heap;
	build->index = process->index;
	build->info = process->info;
	build->kind = ktree_kind(process->index);
	build->inner = build->kind->metric == KTREE_INNER;
	build->declared = ktree_column_dims(process->index);
	build->partitions = 1;
	build->memory = memory;
	build->scratch = AllocSetContextCreate(CurrentMemoryContext, "ktree build row",
										   ALLOCSET_DEFAULT_SIZES);
	build->random = 42;
	return build;
}

static void
work(IndexBuildProcess *process)
{
	BuildShared *shared = process->shared;
	BuildState *build = create_state(process, shared->memory);

	SharedFileSetAttach(&shared->files, process->segment);
	build->shared = shared;
	build->number = process->number;
	use_format(build);
	build->room = rows_in_memory(build);
	build->partitions = shared->partitions;
	build->packed = SHARED_CENTERS(shared);
	load_and_cluster(build, process);
	write_result(build);
	SpinLockAcquire(&shared->mutex);
	shared->indexed += build->indexed;
	SpinLockRelease(&shared->mutex);
}

void
embed_ktree_worker(dsm_segment *segment, shm_toc *toc)
{
	index_parallel_work(segment, toc, work);
}

/* Start workers for a build with partitions; NULL: none were to be had. */
static IndexParallelBuild *
launch_workers(BuildState *build, IndexBuildProcess *process, int wanted)
{
	Size		centers = kmeans_packed_bytes(build->partitions,
											  build->layout->padded);
	IndexParallelBuild *parallel;
	BuildShared *shared;
	void	   *memory;
	int			launched;

	parallel = index_parallel_begin(
		build->heap, build->index, build->info, "embed_ktree_worker", wanted,
		TYPEALIGN(64, sizeof(BuildShared)) + centers, &memory);
	if (parallel == NULL)
		return NULL;
	shared = memory;
	index_parallel_join(parallel, process);
	SharedFileSetInit(&shared->files, process->segment);
	shared->memory = build->memory;
	shared->partitions = build->partitions;
	pg_atomic_init_u32(&shared->next_partition, 0);
	pg_atomic_init_u32(&shared->processes, 0);
	pg_atomic_init_u32(&shared->loaded, 0);
	ConditionVariableInit(&shared->changed);
	SpinLockInit(&shared->mutex);
	memcpy(SHARED_CENTERS(shared), build->packed, centers);
	build->shared = shared;
	launched = index_parallel_launch(parallel);
	pg_atomic_write_u32(&shared->processes, launched + 1);
	ConditionVariableBroadcast(&shared->changed);
	return parallel;
}

/* Write the rows that have no place in the tree. */
static void
write_side_list(BuildState *build, KtreeMeta *meta)
{
	for (int first = 0; first < build->side_count;
		 first += KTREE_SIDE_CAPACITY)
	{
		int			count = Min(build->side_count - first,
								(int) KTREE_SIDE_CAPACITY);
		Buffer		buffer = ReadBufferExtended(build->index, MAIN_FORKNUM,
												P_NEW, RBM_ZERO_AND_LOCK,
												NULL);
		Page		page = BufferGetPage(buffer);
		KtreeSidePage *side;

		ktree_page_init(page, KTREE_PAGE_SIDE, 0, BufferGetBlockNumber(buffer),
						0);
		side = KtreePageSide(page);
		side->next = meta->side_head;
		side->next_free = InvalidBlockNumber;
		side->reserved = 0;
		side->count = count;
		memcpy(side->entries, build->side + first,
			   sizeof(KtreeSideEntry) * count);
		((PageHeader) page)->pd_lower =
			(LocationIndex) ((char *) &side->entries[count] - (char *) page);
		for (int i = 0; i < count; i++)
		{
			if (side->entries[i].reason == KTREE_SIDE_HUGE)
				meta->huge_rows++;
		}
		meta->side_head = BufferGetBlockNumber(buffer);
		MarkBufferDirty(buffer);
		UnlockReleaseBuffer(buffer);
	}
}

/* Create and log the metapage of an empty index. */
static void
create_meta(Relation index, ForkNumber fork)
{
	/* what looks at catalogs comes before the critical section */
	const KtreeKind *kind = ktree_kind(index);
	Buffer		buffer = ReadBufferExtended(index, fork, P_NEW,
											RBM_ZERO_AND_LOCK, NULL);

	START_CRIT_SECTION();
	ktree_meta_init(BufferGetPage(buffer), kind);
	MarkBufferDirty(buffer);
	/* an init fork is what a crash starts from: always logged */
	if (fork == INIT_FORKNUM || RelationNeedsWAL(index))
		log_newpage_buffer(buffer, true);
	END_CRIT_SECTION();
	UnlockReleaseBuffer(buffer);
}

void
ktree_build_empty(Relation index)
{
	ktree_check_columns(index);
	create_meta(index, INIT_FORKNUM);
}

/* Put the result into the metapage, which is logged with all the rest. */
static void
finish_meta(BuildState *build)
{
	Buffer		buffer = ReadBuffer(build->index, KTREE_META_BLOCK);
	KtreeMeta  *meta = KtreePageMeta(BufferGetPage(buffer));

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	if (build->built_count > 0)
	{
		meta->root = build->built[0].link;
		meta->height = build->level;
		meta->extents = (RelationGetNumberOfBlocks(build->index) -
						 meta->origin_block - build->layout->origin_pages) /
						build->layout->extent_pages;
	}
	meta->tuples = (uint64) build->indexed;
	write_side_list(build, meta);
	MarkBufferDirty(buffer);
	UnlockReleaseBuffer(buffer);
}

IndexBuildResult *
ktree_build(Relation heap, Relation index, IndexInfo *info)
{
	IndexBuildResult *result = palloc(sizeof(IndexBuildResult));
	IndexBuildProcess process = {heap, index, info};
	IndexParallelBuild *parallel = NULL;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ktree build",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	BuildState *build;
	double		estimate;

	if (RelationGetNumberOfBlocks(index) != 0)
		elog(ERROR, "index \"%s\" already contains data", RelationGetRelationName(index));
	ktree_check_columns(index);
	build = create_state(&process, (Size) maintenance_work_mem * 1024);
	create_meta(index, MAIN_FORKNUM);

	phase(KTREE_PHASE_SAMPLE);
	estimate = take_sample(build);
	if (build->sample_count > 0)
	{
		int			workers = index_build_workers(heap, index, info);

		begin_format(build, NULL, build->sample_dims);
		build->memory /= workers + 1;
		choose_partitions(build, estimate, workers + 1);
		if (build->sample != NULL)
			pfree(build->sample);
		build->sample = NULL;
		if (workers > 0 && build->partitions > 1)
			parallel = launch_workers(build, &process, workers);
	}

	phase(KTREE_PHASE_LOAD);
	result->heap_tuples = load_and_cluster(build, &process);
	if (parallel != NULL)
	{
		result->heap_tuples = index_parallel_wait(parallel, info);
		for (uint32 i = 1; i < pg_atomic_read_u32(&build->shared->processes);
			 i++)
			read_result(build, (int) i);
		build->indexed += build->shared->indexed;
		build->level = 1;
	}
	while (build->built_count > 1)
		ktree_build_level(build, 0, ++build->level);
	finish_meta(build);
	if (parallel != NULL)
		index_parallel_end(parallel);

	phase(KTREE_PHASE_LOG);
	if (RelationNeedsWAL(index))
		log_newpage_range(index, MAIN_FORKNUM, 0,
						  RelationGetNumberOfBlocks(index), true);

	if (build->cache != NULL)
		ktree_leave_spare(index, &build->cache->layout);

	phase(KTREE_PHASE_CALIBRATE);
	ktree_calibrate(index, heap, build->indexed, KTREE_SAMPLES);

	result->index_tuples = build->indexed;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return result;
}
