/*-------------------------------------------------------------------------
 *
 * build_nodes.c
 *	  Clustering rows into leaves, and nodes into nodes above them.
 *
 * Nodes are written where the file ends, unlogged; the build logs all pages
 * when it is done.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "index/ktree/ktree_build.h"
#include "math/distance.h"
#include "math/kmeans.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* A cluster above this share of a node is split, ... */
#define LARGEST_FILL		0.95
/* ... and below this one it is given to its neighbours. */
#define SMALLEST_FILL		0.2

#define LEAF_ITERATIONS		4

/*
 * Append a node to the file, unlogged; the build logs all at its end.
 * Other processes may append at the same time.
 */
static void
write_image(BuildState *build, KtreeImage *image)
{
	image->link.block = ktree_extend(build->index,
									 build->layout->extent_pages);
	image->link.generation = 1;
	for (int part = 0; part < build->layout->extent_pages; part++)
	{
		Buffer		buffer = ReadBufferExtended(build->index, MAIN_FORKNUM,
												image->link.block + part,
												RBM_ZERO_AND_LOCK, NULL);

		ktree_image_to_page(image, part, BufferGetPage(buffer));
		MarkBufferDirty(buffer);
		UnlockReleaseBuffer(buffer);
	}
}

/* Remember a written node for the level above. */
void
ktree_build_add(BuildState *build, KtreeLink link, const float *center,
				float radius)
{
	Built	   *built;

	if (build->built_count == build->built_room)
	{
		build->built_room = Max(build->built_room * 2, 256);
		build->built =
			build->built == NULL
				? MemoryContextAllocHuge(GetMemoryChunkContext(build),
										 sizeof(Built) * build->built_room)
				: repalloc_huge(build->built,
								sizeof(Built) * (Size) build->built_room);
	}
	built = &build->built[build->built_count++];
	built->link = link;
	built->radius = radius;
	built->center = MemoryContextAlloc(GetMemoryChunkContext(build),
									   sizeof(float) * build->layout->padded);
	memcpy(built->center, center, sizeof(float) * build->layout->padded);
}

/* What is clustered: vectors and what a slot would point to. */
typedef struct Clustered
{
	const float *vectors;
	const KtreePointer *pointers;
	const float *radius;		/* of nodes; NULL: they are rows */
	const KtreeFilters *filters;	/* of rows, or NULL */
	int			level;			/* of the nodes to be made */
} Clustered;

/* Write one node of the chosen members. */
static void
write_node(BuildState *build, const Clustered *members, const int32 *which,
		   int count)
{
	int			dims = build->layout->padded;
	KtreeImage *image = build->image;
	float	   *center = palloc(sizeof(float) * dims);
	float		radius = ktree_robust_center(members->vectors, which, count,
											 dims, members->level > 0,
											 center);

	ktree_image_begin(image, build->cache, members->level, center, NULL,
					  radius);
	for (int i = 0; i < count; i++)
	{
		ktree_encode(image, members->vectors + (Size) which[i] * dims, 0,
					 build->inner, build->code);
		if (members->level > 0)
			build->code->four_bit.error = ktree_pack_radius(
				build->code->four_bit.error, members->radius[which[i]]);
		if (members->filters != NULL)
			build->code->filters = members->filters[which[i]];
		else
			memset(&build->code->filters, 0, sizeof(KtreeFilters));
		ktree_image_add(image, &members->pointers[which[i]], build->code);
	}
	write_image(build, image);
	ktree_set_reach(image, build->cache, members->vectors, which, count,
					members->radius);
	ktree_build_add(build, image->link, image->center, image->reach);
	pfree(center);
}

/* Split a cluster until its parts fit, and write them. */
static void
write_cluster(BuildState *build, const Clustered *members, int32 *which,
			  int count)
{
	int			dims = build->layout->padded;
	float	   *vectors;
	uint8	   *side;
	float	   *centers;
	int			left = 0;
	int			some;

	CHECK_FOR_INTERRUPTS();
	check_stack_depth();
	if (count <= Min(build->layout->capacity * LARGEST_FILL,
					 build->layout->capacity - KTREE_FAR_SLOTS))
	{
		write_node(build, members, which, count);
		return;
	}

	/* many members are divided by the first few of them, equal ones by half */
	some = Min(count, 4 * build->layout->capacity);
	vectors = MemoryContextAllocHuge(CurrentMemoryContext,
									 sizeof(float) * (Size) some * dims);
	side = palloc0(some);
	centers = palloc(sizeof(float) * 2 * dims);
	for (int i = 0; i < some; i++)
		memcpy(vectors + (Size) i * dims,
			   members->vectors +
				   (Size) which[(int64) i * count / some] * dims,
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
			float		one = vector_l2_squared_kernel(dims, v, centers);
			float		two = vector_l2_squared_kernel(dims, v,
													   centers + dims);

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

static void
assign(const float *vectors, int count, int dims, const float *packed,
	   int clusters, int32 *nearest)
{
	for (int first = 0; first < count; first += 1024)
	{
		CHECK_FOR_INTERRUPTS();
		kmeans_nearest(vectors + (Size) first * dims, Min(1024, count - first),
					   dims, packed, clusters, nearest + first, NULL);
	}
}

/*
 * Clusters too small for a node of their own go to their neighbours.
 * Returns how many are left, numbered anew; "packed" is overwritten.
 */
static int
drop_small(BuildState *build, const Clustered *members, int count,
		   float *centers, int clusters, float *packed, int32 *nearest)
{
	int			dims = build->layout->padded;
	int32	   *sizes = palloc0(sizeof(int32) * clusters);
	int			kept = 0;
	float	   *moving;
	int32		moved[BATCH];
	int32		to[BATCH];
	int			waiting = 0;

	for (int i = 0; i < count; i++)
		sizes[nearest[i]]++;
	for (int c = 0; c < clusters; c++)
	{
		if (sizes[c] < build->layout->capacity * SMALLEST_FILL)
		{
			sizes[c] = -1;
			continue;
		}
		if (kept != c)
			memcpy(centers + (Size) kept * dims, centers + (Size) c * dims,
				   sizeof(float) * dims);
		sizes[c] = kept++;		/* its new number */
	}
	if (kept == clusters || kept == 0)
	{
		pfree(sizes);
		return clusters;
	}

	kmeans_pack(centers, kept, dims, packed);
	moving = palloc(sizeof(float) * BATCH * dims);
	for (int i = 0; i <= count; i++)
	{
		if (waiting == BATCH || i == count)
		{
			CHECK_FOR_INTERRUPTS();
			kmeans_nearest(moving, waiting, dims, packed, kept, to, NULL);
			for (int m = 0; m < waiting; m++)
				nearest[moved[m]] = to[m];
			waiting = 0;
		}
		if (i == count)
			break;
		if (sizes[nearest[i]] >= 0)
		{
			nearest[i] = sizes[nearest[i]];
			continue;
		}
		memcpy(moving + (Size) waiting * dims,
			   members->vectors + (Size) i * dims, sizeof(float) * dims);
		moved[waiting++] = i;
	}
	pfree(moving);
	pfree(sizes);
	return kept;
}

/*
 * Clusters to divide so many members into, at "fill" of a node's slots each.
 */
static int
clusters_of(const KtreeLayout *layout, int count, double fill)
{
	if (count <= layout->capacity * LARGEST_FILL)
		return 1;
	return (int) ceil(count / (layout->capacity * fill));
}

/* So many of the members, the first ones, are what k-means trains on. */
static int
training_rows(int count, int clusters)
{
	return (int) Min(count, (int64) clusters * TRAINING_ROWS);
}

/*
 * Cluster members into nodes of about "fill" of a node's slots.  The first
 * training_rows() of them must be a fair sample.
 */
static void
write_level(BuildState *build, const Clustered *members, int count,
			double fill)
{
	const KtreeLayout *layout = build->layout;
	int			dims = layout->padded;
	int			clusters = clusters_of(layout, count, fill);
	int32	   *nearest = MemoryContextAllocHuge(CurrentMemoryContext,
												 sizeof(int32) * (Size) count);
	int32	   *order = MemoryContextAllocHuge(CurrentMemoryContext,
											   sizeof(int32) * (Size) count);
	int32	   *start;

	start = palloc0(sizeof(int32) * (clusters + 2));
	memset(nearest, 0, sizeof(int32) * (Size) count);
	if (clusters > 1)
	{
		int			training = training_rows(count, clusters);
		float	   *centers = MemoryContextAllocHuge(
				 CurrentMemoryContext, sizeof(float) * (Size) clusters * dims);
		float	   *packed = MemoryContextAllocHuge(
				 CurrentMemoryContext, kmeans_packed_bytes(clusters, dims));
		void	   *work = MemoryContextAllocHuge(
				  CurrentMemoryContext,
				  kmeans_work_bytes(training, clusters, dims));

		kmeans_train(members->vectors, training, dims, clusters,
					 LEAF_ITERATIONS, (uint64) count, centers, work,
					 build_check_interrupts);
		pfree(work);
		kmeans_pack(centers, clusters, dims, packed);
		assign(members->vectors, count, dims, packed, clusters, nearest);
		clusters = drop_small(build, members, count, centers, clusters, packed,
							  nearest);
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
void
ktree_build_level(BuildState *build, int from, int level)
{
	int			dims = build->layout->padded;
	int			count = build->built_count - from;
	float	   *vectors = MemoryContextAllocHuge(
			 CurrentMemoryContext, sizeof(float) * (Size) count * dims);
	KtreePointer *pointers = palloc(sizeof(KtreePointer) * count);
	float	   *radius = palloc(sizeof(float) * count);
	Clustered		members;

	for (int i = 0; i < count; i++)
	{
		Built	   *built = &build->built[from + i];

		memcpy(vectors + (Size) i * dims, built->center, sizeof(float) * dims);
		ktree_pointer_set(&pointers[i], built->link.block,
						  (uint16) built->link.generation);
		radius[i] = built->radius;
		pfree(built->center);
	}
	build->built_count = from;
	members.vectors = vectors;
	members.pointers = pointers;
	members.radius = radius;
	members.filters = NULL;
	members.level = level;
	write_level(build, &members, count, INNER_FILL);
	pfree(vectors);
	pfree(radius);
	pfree(pointers);
}

/*
 * The rows in memory become leaves, and the leaves get inner nodes.
 *
 * only: there was no portion before and none follows, so that a single leaf
 * may become the root
 */
void
ktree_build_portion(BuildState *build, bool only)
{
	int			from = build->built_count;
	int			dims;
	Clustered		members;
	uint64		seed = 12345;
	int			training;
	float	   *swap;

	/* an empty table's index has no layout yet */
	if (build->count == 0)
		return;
	dims = build->layout->padded;

	/* random rows come first: k-means trains on them */
	training = training_rows(
		build->count, clusters_of(build->layout, build->count, LEAF_FILL));
	swap = palloc(sizeof(float) * dims);
	for (int i = 0; i < Min(training, build->count - 1); i++)
	{
		ItemPointerData tid;
		int			j;

		if (i % 1024 == 0)
			CHECK_FOR_INTERRUPTS();
		seed = seed * UINT64CONST(6364136223846793005) +
			   UINT64CONST(1442695040888963407);
		j = i + (int) ((seed >> 33) % (uint64) (build->count - i));
		if (j == i)
			continue;
		memcpy(swap, build->vectors + (Size) i * dims, sizeof(float) * dims);
		memcpy(build->vectors + (Size) i * dims,
			   build->vectors + (Size) j * dims, sizeof(float) * dims);
		memcpy(build->vectors + (Size) j * dims, swap, sizeof(float) * dims);
		tid = build->tids[i];
		build->tids[i] = build->tids[j];
		build->tids[j] = tid;
		if (build->filters != NULL)
		{
			KtreeFilters filters = build->filters[i];

			build->filters[i] = build->filters[j];
			build->filters[j] = filters;
		}
	}
	pfree(swap);

	members.vectors = build->vectors;
	members.pointers = (KtreePointer *) build->tids;
	members.radius = NULL;
	members.filters = build->filters;
	members.level = 0;
	write_level(build, &members, build->count, LEAF_FILL);
	build->count = 0;
	build->level = 0;
	if (only && build->built_count == 1)
		return;
	ktree_build_level(build, from, 1);
	build->level = 1;
}
