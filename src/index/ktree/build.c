/*-------------------------------------------------------------------------
 *
 * build.c
 *	  Building an index over a table that has rows.
 *
 * 1. Sample blocks of the table; the mean of the sample becomes the origin.
 * 2. Divide space in partitions, each of a size that fits memory, by k-means
 *	  of the sample.
 * 3. Read the table once: rotate each vector, find its partition, and give
 *	  both to a sort by partition (16 bits a component).
 * 4. For each partition: k-means of its vectors into leaves, write the
 *	  leaves, then inner nodes over them.
 * 5. Inner nodes over those, until one is left.  Then log all pages.
 *
 * When everything fits in memory there is one partition and no sort.  Memory
 * stays within maintenance_work_mem whatever the sample said: a partition
 * larger than expected is clustered in several portions.
 *
 *-------------------------------------------------------------------------
 */
#include "embed.h"

#include <math.h>

#include "access/tableam.h"
#include "access/xloginsert.h"
#include "catalog/index.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "commands/progress.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/sampling.h"
#include "utils/tuplesort.h"

#include "index/ktree/build.h"
#include "math/kmeans.h"
#include "type/vector.h"

#define SAMPLE_ROWS			20000
#define PARTITION_ITERATIONS 8

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
sample_row(Relation index, ItemPointer tid, Datum *values, bool *isnull, bool alive, void *arg)
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
			Size		most = (Size) maintenance_work_mem * 1024 / 4 / (sizeof(float) * dims);

			build->sample_dims = dims;
			build->sample_room = (int) Min(SAMPLE_ROWS, Max(most, 256));
			build->sample = MemoryContextAllocHuge(GetMemoryChunkContext(build),
												   sizeof(float) * (Size) build->sample_room * dims);
		}
		build->sample_seen++;
		if (build->sample_count < build->sample_room)
			at = build->sample_count++;
		else
		{
			build->random = build->random * UINT64CONST(6364136223846793005) +
				UINT64CONST(1442695040888963407);
			at = (int) Min((build->random >> 33) % (uint64) build->sample_seen, INT_MAX);
		}
		if (at < build->sample_room)
			memcpy(build->sample + (Size) at * dims, vector, sizeof(float) * dims);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(build->scratch);
}

/*
 * take_sample
 *	  Vectors of randomly chosen blocks; returns the estimated number of rows.
 */
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
		table_index_build_range_scan(build->heap, build->index, build->info, false,
									 !build->info->ii_Concurrent, false, block, 1,
									 sample_row, build, NULL);
		visited++;
	}
	return visited > 0 ? build->sample_seen * blocks / visited : 0;
}

/* Dimensions are known: write the origin, the mean of the sample in index space. */
static void
begin_format(BuildState *build, const float *first, int dims)
{
	Rotation   *rotation = palloc(rotation_size(dims));
	float	   *mean = palloc0(sizeof(float) * dims);
	float	   *origin = palloc0(sizeof(float) * ROTATION_PADDED(dims));

	rotation_init(rotation, dims, KTREE_SEED);
	for (int i = 0; i < build->sample_count; i++)
	{
		for (int d = 0; d < dims; d++)
			mean[d] += build->sample[(Size) i * dims + d] / build->sample_count;
	}
	if (build->sample_count == 0)
		memcpy(mean, first, sizeof(float) * dims);
	if (!build->inner)
		rotation_apply(rotation, mean, origin);
	ktree_begin_format(build->index, dims, origin);

	build->cache = ktree_cache(build->index);
	build->layout = &build->cache->layout;
	build->image = ktree_image_create(build->layout);
	build->code = palloc(sizeof(KtreeCode));
	build->batch = palloc(sizeof(float) * BATCH * build->layout->padded);
	pfree(rotation);
	pfree(mean);
	pfree(origin);
}

/* Rows of padded floats that fit in half of maintenance_work_mem. */
static int
rows_in_memory(const BuildState *build)
{
	Size		bytes = sizeof(float) * build->layout->padded + sizeof(ItemPointerData) +
		2 * sizeof(int32);
	Size		rows = (Size) maintenance_work_mem * 1024 / 2 / bytes;

	return (int) Min(Max(rows, (Size) build->layout->capacity * 2), INT_MAX / 2);
}

static void
choose_partitions(BuildState *build, double rows)
{
	const KtreeLayout *layout = build->layout;
	double		node_rows = layout->capacity * INNER_FILL * layout->capacity * LEAF_FILL;
	int			in_memory = rows_in_memory(build);
	float	   *rotated;
	float	   *centers;
	void	   *work;

	build->room = (int) Min(in_memory, rows * 1.2 + 1000);
	build->partitions = 1;
	if (rows * 1.1 > in_memory || rows > node_rows)
		build->partitions = (int) ceil(Max(rows * 1.6 / in_memory, rows / node_rows));
	build->partitions = Min(build->partitions, Max(build->sample_count / 10, 1));
	if (build->partitions < 2)
	{
		build->partitions = 1;
		return;
	}

	rotated = MemoryContextAllocHuge(CurrentMemoryContext,
									 sizeof(float) * (Size) build->sample_count * layout->padded);
	for (int i = 0; i < build->sample_count; i++)
		ktree_to_index_space(build->cache, build->sample + (Size) i * layout->dims,
							 rotated + (Size) i * layout->padded);
	pfree(build->sample);
	build->sample = NULL;
	centers = palloc(sizeof(float) * (Size) build->partitions * layout->padded);
	work = MemoryContextAllocHuge(CurrentMemoryContext,
								  kmeans_work_bytes(build->sample_count, build->partitions,
													layout->padded));
	kmeans_train(rotated, build->sample_count, layout->padded, build->partitions,
				 PARTITION_ITERATIONS, 1, centers, work, build_check_interrupts);
	pfree(work);
	pfree(rotated);
	build->packed = MemoryContextAllocHuge(CurrentMemoryContext,
										   kmeans_packed_bytes(build->partitions, layout->padded));
	kmeans_pack(centers, build->partitions, layout->padded, build->packed);
	pfree(centers);

	{
		TupleDesc	desc = CreateTemplateTupleDesc(3);
		AttrNumber	keys[] = {1};
		Oid			operators[] = {Int4LessOperator};
		Oid			collations[] = {InvalidOid};
		bool		nulls_first[] = {false};

		TupleDescInitEntry(desc, 1, "partition", INT4OID, -1, 0);
		TupleDescInitEntry(desc, 2, "tid", INT8OID, -1, 0);
		TupleDescInitEntry(desc, 3, "vector", BYTEAOID, -1, 0);
#if PG_VERSION_NUM >= 190000
		TupleDescFinalize(desc);
#endif
		build->sort = tuplesort_begin_heap(desc, 1, keys, operators, collations, nulls_first,
										   maintenance_work_mem / 2, NULL, false);
		build->slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	}
}

static void
add_side_row(BuildState *build, ItemPointer tid, KtreeSideReason reason)
{
	if (build->side_count == build->side_room)
	{
		build->side_room = Max(build->side_room * 2, 1024);
		build->side = build->side == NULL ?
			MemoryContextAllocHuge(GetMemoryChunkContext(build),
								   sizeof(KtreeSideEntry) * (Size) build->side_room) :
			repalloc_huge(build->side, sizeof(KtreeSideEntry) * (Size) build->side_room);
	}
	build->side[build->side_count].tid = *tid;
	build->side[build->side_count].reason = (uint16) reason;
	build->side_count++;
}

static void
keep_row(BuildState *build, const float *vector, ItemPointer tid)
{
	if (build->vectors == NULL)
	{
		build->vectors = MemoryContextAllocHuge(GetMemoryChunkContext(build),
												sizeof(float) * (Size) build->room *
												build->layout->padded);
		build->tids = MemoryContextAllocHuge(GetMemoryChunkContext(build),
											 sizeof(ItemPointerData) * (Size) build->room);
	}
	if (build->count == build->room)
		ktree_build_portion(build, false);
	memcpy(build->vectors + (Size) build->count * build->layout->padded, vector,
		   sizeof(float) * build->layout->padded);
	build->tids[build->count++] = *tid;
}

/* A vector for the sort: its largest magnitude, then 16 bits a component. */
static bytea *
pack_vector(const float *vector, int dims)
{
	Size		bytes = VARHDRSZ + sizeof(float) + sizeof(half) * dims;
	bytea	   *packed = palloc(bytes);
	float	   *scaled = palloc(sizeof(float) * dims);
	float		largest = 0;

	SET_VARSIZE(packed, bytes);
	for (int d = 0; d < dims; d++)
		largest = Max(largest, fabsf(vector[d]));
	for (int d = 0; d < dims; d++)
		scaled[d] = largest > 0 ? vector[d] / largest : 0;
	memcpy(VARDATA(packed), &largest, sizeof(float));
	float_to_half_kernel(dims, scaled, (half *) (VARDATA(packed) + sizeof(float)));
	pfree(scaled);
	return packed;
}

static void
unpack_vector(bytea *packed, int dims, float *vector)
{
	float		largest;

	memcpy(&largest, VARDATA_ANY(packed), sizeof(float));
	half_to_float_kernel(dims, (half *) (VARDATA_ANY(packed) + sizeof(float)), vector);
	for (int d = 0; d < dims; d++)
		vector[d] *= largest;
}

/* Send the waiting rows to the sort. */
static void
flush_batch(BuildState *build)
{
	int			dims = build->layout->padded;
	int32		nearest[BATCH];

	kmeans_nearest(build->batch, build->batch_count, dims, build->packed, build->partitions,
				   nearest, NULL);
	for (int i = 0; i < build->batch_count; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(build->scratch);
		TupleTableSlot *slot = build->slot;
		ItemPointer tid = &build->batch_tids[i];

		ExecClearTuple(slot);
		slot->tts_values[0] = Int32GetDatum(nearest[i]);
		slot->tts_values[1] = Int64GetDatum(((int64) ItemPointerGetBlockNumber(tid) << 16) |
											ItemPointerGetOffsetNumber(tid));
		slot->tts_values[2] = PointerGetDatum(pack_vector(build->batch + (Size) i * dims, dims));
		memset(slot->tts_isnull, 0, 3);
		ExecStoreVirtualTuple(slot);
		tuplesort_puttupleslot(build->sort, slot);
		MemoryContextSwitchTo(old);
		MemoryContextReset(build->scratch);
	}
	build->batch_count = 0;
}

/* table_index_build_scan callback: one row of the table. */
static void
load_row(Relation index, ItemPointer tid, Datum *values, bool *isnull, bool alive, void *arg)
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
		add_side_row(build, tid, class == KTREE_ZERO ? KTREE_SIDE_ZERO : KTREE_SIDE_HUGE);
	else
	{
		if (build->cache == NULL)
		{
			/* the sample met no vector */
			MemoryContextSwitchTo(GetMemoryChunkContext(build));
			begin_format(build, vector, dims);
			choose_partitions(build, 1000);
			MemoryContextSwitchTo(build->scratch);
		}
		ktree_to_index_space(build->cache, vector,
							 build->batch + (Size) build->batch_count * build->layout->padded);
		if (build->partitions == 1)
		{
			MemoryContextSwitchTo(GetMemoryChunkContext(build));
			keep_row(build, build->batch, tid);
		}
		else
		{
			build->batch_tids[build->batch_count++] = *tid;
			if (build->batch_count == BATCH)
			{
				MemoryContextSwitchTo(old);
				flush_batch(build);
				return;
			}
		}
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(build->scratch);
}

/* Read the sorted rows back, partition by partition. */
static void
write_partitions(BuildState *build)
{
	int			dims = build->layout->padded;
	int32		current = -1;
	float	   *vector = palloc(sizeof(float) * dims);

	flush_batch(build);
	tuplesort_performsort(build->sort);
	phase(KTREE_PHASE_CLUSTER);
	while (tuplesort_gettupleslot(build->sort, true, false, build->slot, NULL))
	{
		bool		isnull;
		int32		partition = DatumGetInt32(slot_getattr(build->slot, 1, &isnull));
		int64		address = DatumGetInt64(slot_getattr(build->slot, 2, &isnull));
		bytea	   *packed = (bytea *) DatumGetPointer(slot_getattr(build->slot, 3, &isnull));
		ItemPointerData tid;

		CHECK_FOR_INTERRUPTS();
		if (partition != current)
			ktree_build_portion(build, false);
		current = partition;
		ItemPointerSet(&tid, (BlockNumber) (address >> 16), (OffsetNumber) (address & 0xFFFF));
		unpack_vector(packed, dims, vector);
		keep_row(build, vector, &tid);
	}
	ktree_build_portion(build, false);
	tuplesort_end(build->sort);
	ExecDropSingleTupleTableSlot(build->slot);
	pfree(vector);
}

/* Write the rows that have no place in the tree. */
static void
write_side_list(BuildState *build, KtreeMeta *meta)
{
	for (int first = 0; first < build->side_count; first += KTREE_SIDE_CAPACITY)
	{
		int			count = Min(build->side_count - first, (int) KTREE_SIDE_CAPACITY);
		Buffer		buffer = ReadBufferExtended(build->index, MAIN_FORKNUM, P_NEW,
												RBM_ZERO_AND_LOCK, NULL);
		Page		page = BufferGetPage(buffer);
		KtreeSidePage *side;

		ktree_page_init(page, KTREE_PAGE_SIDE, 0, BufferGetBlockNumber(buffer), 0);
		side = KtreePageSide(page);
		side->next = meta->side_head;
		side->next_free = InvalidBlockNumber;
		side->reserved = 0;
		side->count = count;
		memcpy(side->entries, build->side + first, sizeof(KtreeSideEntry) * count);
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
	Buffer		buffer = ReadBufferExtended(index, fork, P_NEW, RBM_ZERO_AND_LOCK, NULL);

	START_CRIT_SECTION();
	ktree_meta_init(BufferGetPage(buffer), ktree_kind(index));
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
		meta->extents = (RelationGetNumberOfBlocks(build->index) - meta->origin_block -
						 build->layout->origin_pages) / build->layout->extent_pages;
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
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ktree build",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	BuildState *build = palloc0(sizeof(BuildState));
	double		estimate;

	if (RelationGetNumberOfBlocks(index) != 0)
		elog(ERROR, "index \"%s\" already contains data", RelationGetRelationName(index));

	build->heap = heap;
	build->index = index;
	build->info = info;
	build->kind = ktree_kind(index);
	build->inner = build->kind->metric == KTREE_INNER;
	build->declared = ktree_column_dims(index);
	build->partitions = 1;
	build->scratch = AllocSetContextCreate(context, "ktree build row", ALLOCSET_DEFAULT_SIZES);
	build->random = 42;
	create_meta(index, MAIN_FORKNUM);

	phase(KTREE_PHASE_SAMPLE);
	estimate = take_sample(build);
	if (build->sample_count > 0)
	{
		begin_format(build, NULL, build->sample_dims);
		choose_partitions(build, estimate);
		if (build->sample != NULL)
			pfree(build->sample);
		build->sample = NULL;
	}

	phase(KTREE_PHASE_LOAD);
	build->rows = table_index_build_scan(heap, index, info, true, true, load_row, build, NULL);
	if (build->cache != NULL)
	{
		if (build->sort != NULL)
			write_partitions(build);
		else
		{
			phase(KTREE_PHASE_CLUSTER);
			ktree_build_portion(build, build->built_count == 0);
		}
		while (build->built_count > 1)
			ktree_build_level(build, 0, ++build->level);
	}
	finish_meta(build);

	phase(KTREE_PHASE_LOG);
	if (RelationNeedsWAL(index))
		log_newpage_range(index, MAIN_FORKNUM, 0, RelationGetNumberOfBlocks(index), true);

	phase(KTREE_PHASE_CALIBRATE);
	ktree_calibrate(index, build->indexed);

	result->heap_tuples = build->rows;
	result->index_tuples = build->indexed;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return result;
}
