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

#include "index/ktree/ktree.h"
#include "math/kmeans.h"
#include "type/vector.h"

/* Share of a leaf's slots that a build means to use. */
#define LEAF_FILL			0.75
/* Share of an inner node's slots. */
#define INNER_FILL			0.6
/* A cluster above this share of a node is split, ... */
#define LARGEST_FILL		0.95
/* ... and below this one it is given to its neighbours. */
#define SMALLEST_FILL		0.2

#define SAMPLE_ROWS			20000
#define PARTITION_ITERATIONS 8
#define LEAF_ITERATIONS		6
/* Rows per cluster that k-means trains with. */
#define TRAINING_ROWS		40
/* Rows that are assigned to partitions at once. */
#define BATCH				96

/* A node of the level being made, for the level above. */
typedef struct Built
{
	KtreeLink	link;
	float	   *center;
} Built;

typedef struct BuildState
{
	Relation	heap;
	Relation	index;
	IndexInfo  *info;
	const KtreeKind *kind;
	bool		inner;
	KtreeCache *cache;			/* NULL until dimensions are known */
	const KtreeLayout *layout;
	int			declared;		/* dimensions, or -1 */
	MemoryContext scratch;		/* one row */
	double		rows;			/* of the table, all kinds */
	double		indexed;

	/* sample */
	float	   *sample;			/* raw vectors */
	int			sample_count;
	int			sample_room;
	double		sample_seen;
	int			sample_dims;
	uint64		random;

	/* partitions */
	int			partitions;
	float	   *packed;
	Tuplesortstate *sort;
	TupleTableSlot *slot;

	/* rows waiting for their partition */
	float	   *batch;
	ItemPointerData batch_tids[BATCH];
	int			batch_count;

	/* rows of the partition at hand */
	float	   *vectors;
	ItemPointerData *tids;
	int			count;
	int			room;

	/* nodes of level 0 of this portion, then nodes of level 1 of all */
	Built	   *built;
	int			built_count;
	int			built_room;
	int			level;			/* of the nodes in "built" */
	KtreeImage *image;
	KtreeCode  *code;

	/* rows for the side list */
	KtreeSideEntry *side;
	int			side_count;
	int			side_room;
} BuildState;

static void
phase(int number)
{
	pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, number);
}

static void
check_interrupts(void)
{
	CHECK_FOR_INTERRUPTS();
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
				 PARTITION_ITERATIONS, 1, centers, work, check_interrupts);
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

/*
 * write_image
 *	  Append a node to the file, unlogged; the build logs all at its end.
 */
static void
write_image(BuildState *build, KtreeImage *image)
{
	image->link.block = RelationGetNumberOfBlocks(build->index);
	image->link.generation = 1;
	for (int part = 0; part < build->layout->extent_pages; part++)
	{
		Buffer		buffer = ReadBufferExtended(build->index, MAIN_FORKNUM, P_NEW,
												RBM_ZERO_AND_LOCK, NULL);

		Assert(BufferGetBlockNumber(buffer) == image->link.block + part);
		ktree_image_to_page(image, part, BufferGetPage(buffer));
		MarkBufferDirty(buffer);
		UnlockReleaseBuffer(buffer);
	}
}

/* Remember a written node for the level above. */
static void
add_built(BuildState *build, KtreeLink link, const float *center)
{
	Built	   *built;

	if (build->built_count == build->built_room)
	{
		build->built_room = Max(build->built_room * 2, 256);
		build->built = build->built == NULL ?
			MemoryContextAllocHuge(GetMemoryChunkContext(build),
								   sizeof(Built) * build->built_room) :
			repalloc_huge(build->built, sizeof(Built) * (Size) build->built_room);
	}
	built = &build->built[build->built_count++];
	built->link = link;
	built->center = MemoryContextAlloc(GetMemoryChunkContext(build),
									   sizeof(float) * build->layout->padded);
	memcpy(built->center, center, sizeof(float) * build->layout->padded);
}

/* What is clustered: vectors and what a slot would point to. */
typedef struct Members
{
	const float *vectors;
	const KtreePointer *pointers;
	int			level;			/* of the nodes to be made */
} Members;

/* Write one node of the chosen members. */
static void
write_node(BuildState *build, const Members *members, const int32 *which, int count)
{
	int			dims = build->layout->padded;
	float	   *center = palloc0(sizeof(float) * dims);
	double		spread = 0;

	for (int i = 0; i < count; i++)
	{
		const float *v = members->vectors + (Size) which[i] * dims;

		for (int d = 0; d < dims; d++)
			center[d] += v[d];
	}
	for (int d = 0; d < dims; d++)
		center[d] /= count;
	ktree_image_begin(build->image, members->level, center, NULL);
	for (int i = 0; i < count; i++)
	{
		const float *v = members->vectors + (Size) which[i] * dims;
		float		distance = 0;

		ktree_encode(build->layout, build->image->center, build->image->base, v, 0,
					 build->inner, build->code);
		ktree_image_add(build->image, &members->pointers[which[i]], build->code);
		for (int d = 0; d < dims; d++)
			distance += (v[d] - center[d]) * (v[d] - center[d]);
		spread += distance;
	}
	build->image->node.spread = (float) sqrt(spread / count);
	write_image(build, build->image);
	add_built(build, build->image->link, build->image->center);
	pfree(center);
}

/* Split a cluster until its parts fit, and write them. */
static void
write_cluster(BuildState *build, const Members *members, int32 *which, int count)
{
	int			dims = build->layout->padded;
	float	   *vectors;
	uint8	   *side;
	float	   *centers;
	int			left = 0;
	int			some;

	CHECK_FOR_INTERRUPTS();
	check_stack_depth();
	if (count <= build->layout->capacity * LARGEST_FILL)
	{
		write_node(build, members, which, count);
		return;
	}

	/* many members are divided by the first few of them, equal ones by half */
	some = Min(count, 4 * build->layout->capacity);
	vectors = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(float) * (Size) some * dims);
	side = palloc0(some);
	centers = palloc(sizeof(float) * 2 * dims);
	for (int i = 0; i < some; i++)
		memcpy(vectors + (Size) i * dims,
			   members->vectors + (Size) which[(int64) i * count / some] * dims,
			   sizeof(float) * dims);
	ktree_two_means(vectors, some, dims, side, centers);
	if (some == count)
	{
		int			right = count;
		int32	   *parted = palloc(sizeof(int32) * count);

		for (int i = 0; i < count; i++)
			parted[side[i] ? --right : left++] = which[i];
		memcpy(which, parted, sizeof(int32) * count);
		pfree(parted);
	}
	else
	{
		for (int i = 0; i < count; i++)
		{
			const float *v = members->vectors + (Size) which[i] * dims;
			float		one = 0;
			float		two = 0;

			for (int d = 0; d < dims; d++)
			{
				one += (v[d] - centers[d]) * (v[d] - centers[d]);
				two += (v[d] - centers[dims + d]) * (v[d] - centers[dims + d]);
			}
			if (one < two || (one == two && i % 2 == 0))
			{
				int32		swap = which[left];

				which[left++] = which[i];
				which[i] = swap;
			}
		}
		if (left < count / 16 || left > count - count / 16)
			left = count / 2;
	}
	pfree(vectors);
	pfree(side);
	pfree(centers);
	write_cluster(build, members, which, left);
	write_cluster(build, members, which + left, count - left);
}

/*
 * write_level
 *	  Cluster members into nodes of about "fill" of a node's slots.
 *
 * Members are given in random order as far as k-means is concerned: it
 * trains on the first ones.
 */
static void
write_level(BuildState *build, const Members *members, int count, double fill)
{
	const KtreeLayout *layout = build->layout;
	int			dims = layout->padded;
	int			clusters = (int) ceil(count / (layout->capacity * fill));
	int32	   *nearest = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int32) * (Size) count);
	int32	   *order = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int32) * (Size) count);
	int32	   *start;

	if (count <= layout->capacity * LARGEST_FILL)
		clusters = 1;
	start = palloc0(sizeof(int32) * (clusters + 2));
	memset(nearest, 0, sizeof(int32) * (Size) count);
	if (clusters > 1)
	{
		int			training = (int) Min(count, (int64) clusters * TRAINING_ROWS);
		float	   *centers = MemoryContextAllocHuge(CurrentMemoryContext,
													 sizeof(float) * (Size) clusters * dims);
		float	   *packed = MemoryContextAllocHuge(CurrentMemoryContext,
													kmeans_packed_bytes(clusters, dims));
		void	   *work = MemoryContextAllocHuge(CurrentMemoryContext,
												  kmeans_work_bytes(training, clusters, dims));
		int			kept = 0;

		kmeans_train(members->vectors, training, dims, clusters, LEAF_ITERATIONS,
					 (uint64) count, centers, work, check_interrupts);
		pfree(work);
		for (int pass = 0; pass < 2; pass++)
		{
			kmeans_pack(centers, clusters, dims, packed);
			for (int first = 0; first < count; first += 1024)
			{
				CHECK_FOR_INTERRUPTS();
				kmeans_nearest(members->vectors + (Size) first * dims, Min(1024, count - first),
							   dims, packed, clusters, nearest + first, NULL);
			}
			if (pass == 1)
				break;

			/* clusters too small for a node of their own go to their neighbours */
			memset(start, 0, sizeof(int32) * (clusters + 2));
			for (int i = 0; i < count; i++)
				start[nearest[i]]++;
			for (int c = 0; c < clusters; c++)
			{
				if (start[c] < layout->capacity * SMALLEST_FILL)
					continue;
				if (kept != c)
					memcpy(centers + (Size) kept * dims, centers + (Size) c * dims,
						   sizeof(float) * dims);
				kept++;
			}
			if (kept == clusters || kept == 0)
				break;
			clusters = kept;
		}
		pfree(centers);
		pfree(packed);
	}

	memset(start, 0, sizeof(int32) * (clusters + 2));
	for (int i = 0; i < count; i++)
		start[nearest[i] + 1]++;
	for (int c = 0; c < clusters; c++)
		start[c + 1] += start[c];
	for (int i = 0; i < count; i++)
		order[start[nearest[i]]++] = i;
	for (int c = 0; c < clusters; c++)
	{
		int			from = c == 0 ? 0 : start[c - 1];

		if (start[c] > from)
			write_cluster(build, members, order + from, start[c] - from);
	}
	pfree(nearest);
	pfree(order);
	pfree(start);
}

/* Make the nodes above built[from ...], which they replace there. */
static void
raise_level(BuildState *build, int from, int level)
{
	int			dims = build->layout->padded;
	int			count = build->built_count - from;
	float	   *vectors = MemoryContextAllocHuge(CurrentMemoryContext,
												 sizeof(float) * (Size) count * dims);
	KtreePointer *pointers = palloc(sizeof(KtreePointer) * count);
	Members		members;

	for (int i = 0; i < count; i++)
	{
		Built	   *built = &build->built[from + i];

		memcpy(vectors + (Size) i * dims, built->center, sizeof(float) * dims);
		ktree_pointer_set(&pointers[i], built->link.block, (uint16) built->link.generation);
		pfree(built->center);
	}
	build->built_count = from;
	members.vectors = vectors;
	members.pointers = pointers;
	members.level = level;
	write_level(build, &members, count, INNER_FILL);
	pfree(vectors);
	pfree(pointers);
}

/*
 * write_portion
 *	  The rows in memory become leaves, and the leaves get inner nodes.
 *
 * last: there was no portion before and none follows, so that a single leaf
 * may become the root
 */
static void
write_portion(BuildState *build, bool only)
{
	int			dims = build->layout->padded;
	int			from = build->built_count;
	Members		members;
	uint64		seed = 12345;
	float	   *swap;

	if (build->count == 0)
		return;

	/* a random order, so that any first rows are a fair sample */
	swap = palloc(sizeof(float) * dims);
	for (int i = 0; i < build->count - 1; i++)
	{
		ItemPointerData tid;
		int			j;

		if (i % 1024 == 0)
			CHECK_FOR_INTERRUPTS();
		seed = seed * UINT64CONST(6364136223846793005) + UINT64CONST(1442695040888963407);
		j = i + (int) ((seed >> 33) % (uint64) (build->count - i));
		if (j == i)
			continue;
		memcpy(swap, build->vectors + (Size) i * dims, sizeof(float) * dims);
		memcpy(build->vectors + (Size) i * dims, build->vectors + (Size) j * dims, sizeof(float) * dims);
		memcpy(build->vectors + (Size) j * dims, swap, sizeof(float) * dims);
		tid = build->tids[i];
		build->tids[i] = build->tids[j];
		build->tids[j] = tid;
	}
	pfree(swap);

	members.vectors = build->vectors;
	members.pointers = (KtreePointer *) build->tids;
	members.level = 0;
	write_level(build, &members, build->count, LEAF_FILL);
	build->count = 0;
	build->level = 0;
	if (only && build->built_count == 1)
		return;
	raise_level(build, from, 1);
	build->level = 1;
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
		write_portion(build, false);
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
			write_portion(build, false);
		current = partition;
		ItemPointerSet(&tid, (BlockNumber) (address >> 16), (OffsetNumber) (address & 0xFFFF));
		unpack_vector(packed, dims, vector);
		keep_row(build, vector, &tid);
	}
	write_portion(build, false);
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
			write_portion(build, build->built_count == 0);
		}
		while (build->built_count > 1)
			raise_level(build, 0, ++build->level);
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
