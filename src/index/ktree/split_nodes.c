/*-------------------------------------------------------------------------
 *
 * split_nodes.c
 *	  The contents of the nodes that take over from others.
 *
 * The live slots of the old nodes are divided by 2-means of what their codes
 * tell.  Four-bit codes are copied as they are as long as their base is near
 * enough; where they are to be made anew, the vectors come from where they
 * are exact: the children's pages, or the table's rows (README, "Codes in a
 * split").
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "index/ktree/ktree_split.h"
#include "math/distance.h"

/*
 * Four-bit codes are made anew when their base is farther from the vectors
 * than the center by this factor (of squared distances).
 */
#define REBASE_RATIO	1.25

/*
 * A row's vector farther from what its code tells than this many times the
 * square of the code's expected error is not that row's any more.
 */
#define STRANGER_RATIO	25

/* Neither side of a split gets less than this share. */
#define SMALLEST_SIDE	0.2

#define SPLIT_ITERATIONS 8

/*
 * A leaf with a row farther from its center than this many times its radius
 * has codes that do not tell how its rows lie to each other.
 */
#define STRAY_ROW		4.0f

/*
 * A code that has lost more than this part of what the rows of a leaf vary by
 * is not believed as it is; they are taken to vary by this much of what is
 * seen of it at the least.
 */
#define NOISY_SHARE		0.25
#define SETTLED_SHARE	0.1

#define BOTH_SIDES		(-1)

/* The live slots of the old nodes, in order. */
typedef struct Members
{
	int			count;
	uint8	   *node;			/* which of the old ones */
	int16	   *slot;			/* there */
	uint8	   *side;			/* which of the new ones takes it */
	float	   *vectors;		/* in index space */
	float	   *lost;			/* expected squared error of that; 0: exact */
	float	   *radius;			/* of children */
	bool		read;			/* the table's rows were asked */
} Members;

static int
compare_margins(const void *a, const void *b)
{
	float		x = ((const float *) a)[0];
	float		y = ((const float *) b)[0];

	return x < y ? -1 : x > y;
}

static int
farthest_from(const float *vectors, int count, int dims, const float *from)
{
	float		largest = -1;
	int			result = 0;

	for (int i = 0; i < count; i++)
	{
		float		distance = vector_l2_squared_kernel(
				  dims, vectors + (Size) i * dims, from);

		if (distance > largest)
		{
			largest = distance;
			result = i;
		}
	}
	return result;
}

/*
 * Divide vectors in two clusters.  Each gets at least SMALLEST_SIDE of
 * them, equal vectors included, which are divided arbitrarily.
 *
 * side: for each vector 0 or 1; centers: two vectors
 */
void
ktree_two_means(const float *vectors, int count, int dims, uint8 *side,
				float *centers)
{
	float	   *one = centers;
	float	   *two = centers + dims;
	float	   *margins = palloc(sizeof(float) * 2 * count);

	memset(one, 0, sizeof(float) * dims);
	for (int i = 0; i < count; i++)
	{
		for (int d = 0; d < dims; d++)
			one[d] += vectors[(Size) i * dims + d] * (1.0f / count);
	}
	memcpy(two,
		   vectors + (Size) farthest_from(vectors, count, dims, one) * dims,
		   sizeof(float) * dims);
	memcpy(one,
		   vectors + (Size) farthest_from(vectors, count, dims, two) * dims,
		   sizeof(float) * dims);

	for (int iteration = 0; iteration < SPLIT_ITERATIONS; iteration++)
	{
		int			least = (int) ceil(count * SMALLEST_SIDE);
		int			cut = 0;
		bool		changed = (iteration == 0);

		for (int i = 0; i < count; i++)
		{
			const float *v = vectors + (Size) i * dims;

			margins[2 * i] = vector_l2_squared_kernel(dims, v, one) -
				vector_l2_squared_kernel(dims, v, two);
			((int32 *) margins)[2 * i + 1] = i;
			if (margins[2 * i] < 0)
				cut++;
		}
		if (cut < least || cut > count - least)
		{
			qsort(margins, count, 2 * sizeof(float), compare_margins);
			cut = margins[0] == margins[2 * (count - 1)] ? count / 2 :
				Min(Max(cut, least), count - least);
			for (int i = 0; i < count; i++)
				margins[2 * i] = i < cut ? -1 : 1;
		}
		for (int i = 0; i < count; i++)
		{
			int			which = ((int32 *) margins)[2 * i + 1];
			uint8		now = margins[2 * i] < 0 ? 0 : 1;

			changed |= (side[which] != now);
			side[which] = now;
		}
		if (!changed)
			break;
		memset(centers, 0, sizeof(float) * 2 * dims);
		for (int i = 0; i < count; i++)
		{
			float	   *center = side[i] ? two : one;
			float		share = 1.0f / (side[i] ? count - cut : cut);

			for (int d = 0; d < dims; d++)
				center[d] += vectors[(Size) i * dims + d] * share;
		}
	}
	pfree(margins);
}

static inline float *
member_vector(const Members *members, const KtreeLayout *layout, int i)
{
	return members->vectors + (Size) i * layout->padded;
}

static KtreePointer *
member_pointer(const Members *members, const KtreeChange *change, int i)
{
	return ktree_image_pointer(change->old[members->node[i]],
							   members->slot[i]);
}

/* All live slots, as their four-bit codes tell them. */
static Members *
read_members(const KtreeLayout *layout, KtreeChange *change)
{
	Members    *members = palloc0(sizeof(Members));
	int			most = change->old_count * layout->capacity;

	members->node = palloc(most);
	members->slot = palloc(sizeof(int16) * most);
	members->side = palloc0(most);
	members->lost = palloc(sizeof(float) * most);
	members->radius = palloc0(sizeof(float) * most);
	members->vectors = MemoryContextAllocHuge(
		CurrentMemoryContext, sizeof(float) * (Size) most * layout->padded);
	for (int n = 0; n < change->old_count; n++)
	{
		for (int slot = 0; slot < change->old[n]->node.used; slot++)
		{
			int			i = members->count;

			change->moved[n][slot] = -1;
			if (ktree_slot_dead(&change->old[n]->node, slot))
				continue;
			members->node[i] = (uint8) n;
			members->slot[i] = (int16) slot;
			members->lost[i] = ktree_image_decode(
				change->old[n], slot, member_vector(members, layout, i));
			members->count++;
		}
	}
	return members;
}

/* The radius of a child, from its entry. */
static float
told_radius(const uint8 *entry)
{
	RabitqFactors factors;
	float		error;
	float		radius;

	memcpy(&factors, entry, sizeof(factors));
	ktree_unpack_radius(factors.error, &error, &radius);
	return radius;
}

/*
 * Of an inner node: each child's page has the center of which the slot is a
 * code.
 */
static void
read_children(Relation index, const KtreeLayout *layout,
			  const KtreeChange *change, Members *members)
{
	KtreeImage *child = ktree_image_create(layout);

	for (int i = 0; i < members->count; i++)
	{
		const KtreePointer *pointer = member_pointer(members, change, i);
		KtreeLink	link;

		CHECK_FOR_INTERRUPTS();
		link.block = ktree_pointer_block(pointer);
		link.generation = pointer->offset;
		if (!ktree_image_read_centers(index, link, child))
			continue;			/* as its code tells it, then */
		memcpy(member_vector(members, layout, i), child->center,
			   sizeof(float) * layout->padded);
		members->lost[i] = 0;
		members->radius[i] = told_radius(
			ktree_image_refine(change->old[members->node[i]],
							   members->slot[i]));
	}
	ktree_image_free(child);
}

/*
 * May the indexed values of rows be read again?
 *
 * Not those of an expression: it runs functions of the user, which may be
 * dear, may tell somebody that they were called, and may fail for a row that
 * took the place of the one they were computed for.
 */
bool
ktree_rows_at_hand(Relation index, Relation heap)
{
	/* toasted values need a snapshot */
	return heap != NULL && ActiveSnapshotSet() &&
		   index->rd_index->indkey.values[0] != 0;
}

/* A row's vector in index space; false when the row has none that fits. */
static bool
row_to_index_space(const KtreeCache *cache, Datum value, float *scratch,
				   float *out)
{
	Datum		plain = PointerGetDatum(PG_DETOAST_DATUM(value));

	if (ktree_datum_dims(&cache->kind, plain) != cache->layout.dims ||
		ktree_load_vector(&cache->kind, plain, scratch) != KTREE_NORMAL)
		return false;
	ktree_to_index_space(cache, scratch, out);
	return true;
}

/*
 * Replace the vectors of one side's members, or of all, by those of the
 * table's rows.
 *
 * Rows that cannot be seen are left as their codes tell them: those of
 * transactions under way, for one.  Any version of a row that carries the
 * entry's TID has the entry's value (a HOT update changes no indexed column),
 * so any snapshot does; the one for "what is true now" sees most.  A chain
 * broken by CREATE INDEX, or a row that took the TID of one removed
 * meanwhile, shows in its distance.
 */
static void
read_rows(Relation index, const KtreeCache *cache, Relation heap,
		  const KtreeChange *change, Members *members, int side)
{
	const KtreeLayout *layout = &cache->layout;
	IndexRows  *rows = index_rows_begin(heap, index);
	float	   *scratch = palloc(sizeof(float) * layout->dims);
	float	   *exact = palloc(sizeof(float) * layout->padded);

	for (int i = 0; i < members->count; i++)
	{
		float	   *vector = member_vector(members, layout, i);
		ItemPointerData tid;
		Datum		value;
		bool		null;

		if (side != BOTH_SIDES && members->side[i] != side)
			continue;
		CHECK_FOR_INTERRUPTS();
		memcpy(&tid, member_pointer(members, change, i), sizeof(tid));
		if (!index_rows_fetch(rows, &tid, SnapshotSelf, &value, &null))
			continue;
		if (!null)
		{
			MemoryContext old = MemoryContextSwitchTo(
				index_rows_scratch(rows));

			if (row_to_index_space(cache, value, scratch, exact) &&
				vector_l2_squared_kernel(layout->padded, vector, exact) <=
				STRANGER_RATIO * members->lost[i])
			{
				memcpy(vector, exact, sizeof(float) * layout->padded);
				members->lost[i] = 0;
			}
			MemoryContextSwitchTo(old);
		}
		index_rows_clear(rows);
	}
	index_rows_end(rows);
	pfree(scratch);
	pfree(exact);
}

/* The members of one side. */
static int
members_of(const Members *members, int side, int32 *which)
{
	int			count = 0;

	for (int i = 0; i < members->count; i++)
	{
		if (members->side[i] == side)
			which[count++] = i;
	}
	return count;
}

/* May the four-bit codes stay as they are, relative to the old base? */
static bool
base_is_near(const KtreeLayout *layout, const KtreeImage *old,
			 const Members *members, const int32 *which, int count,
			 const float *center)
{
	double		to_center = 0;
	double		to_base = 0;

	if (old->node.level > 0 || (old->node.flags & KTREE_FAR))
		return false;
	for (int i = 0; i < count; i++)
	{
		const float *vector = member_vector(members, layout, which[i]);

		to_center += vector_l2_squared_kernel(layout->padded, vector, center);
		to_base += vector_l2_squared_kernel(layout->padded, vector, old->base);
	}
	return to_base <= REBASE_RATIO * to_center;
}

/*
 * -2 <o, p> as a four-bit entry tells it, of the vector o that it was made
 * of.
 */
static float
product_by_entry(const KtreeImage *image, const uint8 *entry, const float *p)
{
	RabitqFactors factors;
	double		base = 0;

	memcpy(&factors, entry, sizeof(factors));
	for (int d = 0; d < image->layout->padded; d++)
		base += (double) image->base[d] * p[d];
	return (float) (-2 * base + factors.add + factors.scale *
					rabitq_refine_product(image->layout->padded,
										  entry + sizeof(factors), p));
}

/*
 * The part of a one-bit code's product that does not depend on the query,
 * <o, pivot * center>, from the four-bit entry in place of the vector that
 * the entry decodes to.
 *
 * What that vector lacks is an error of |o - base| in length, and its product
 * with a long center is not among what the code's own error reckons with,
 * which grows with the query's distance from pivot * center only.
 */
static void
pivot_again(const KtreeImage *image, const uint8 *entry, const float *vector,
			RabitqFactors *one_bit)
{
	int			dims = image->layout->padded;
	float	   *pivot = palloc(sizeof(float) * dims);
	double		decoded = 0;

	for (int d = 0; d < dims; d++)
	{
		pivot[d] = image->node.pivot * image->center[d];
		decoded += (double) vector[d] * pivot[d];
	}
	one_bit->add += (float) (product_by_entry(image, entry, pivot) +
							 2 * decoded);
	pfree(pivot);
}

/* Both codes of a member, the four-bit one copied if its base is kept. */
static void
encode_member(const KtreeCache *cache, const KtreeChange *change,
			  const Members *members, int i, KtreeImage *image, bool keep_base,
			  KtreeCode *code)
{
	const KtreeLayout *layout = &cache->layout;
	bool		inner = cache->kind.metric == KTREE_INNER;
	float		lost = members->lost[i];

	ktree_encode(image, member_vector(members, layout, i), lost, inner, code);
	ktree_get_filters(layout, change->old[members->node[i]]->blocks +
					  members->slot[i] / RABITQ_BLOCK * layout->block_bytes,
					  members->slot[i] % RABITQ_BLOCK, &code->filters);
	if (keep_base)
	{
		const uint8 *entry = ktree_image_refine(change->old[members->node[i]],
												members->slot[i]);

		if (inner && lost > 0)
			pivot_again(image, entry, member_vector(members, layout, i),
						&code->one_bit);
		memcpy(&code->four_bit, entry, sizeof(RabitqFactors));
		memcpy(code->refine, entry + sizeof(RabitqFactors),
			   RABITQ_REFINE_BYTES(layout->padded));
		return;
	}
	/* what the old code had lost is an error of the new one too */
	if (!inner)
		code->four_bit.add += lost;
	code->four_bit.error = sqrtf(code->four_bit.error * code->four_bit.error +
								 lost / (layout->padded - 1));
	if (image->node.level > 0)
		code->four_bit.error = ktree_pack_radius(code->four_bit.error,
												 members->radius[i]);
}

/*
 * Bring decoded vectors nearer to the center of the rows they are among;
 * false when none had to be.
 *
 * A code made when a leaf was wide has lost more than the rows of a narrow one
 * differ by.  What it has lost is then most of the way from the center to
 * where it decodes to: a row near a query would look far from it, and surely
 * so.  The vector of least expected error lies between the two, as the
 * rows' variance is to that and the code's together (the mean of a product of
 * two normal densities).
 */
static bool
settle_decoded(const KtreeLayout *layout, Members *members, const int32 *which,
			   int count, const float *center)
{
	double		around = 0;		/* mean square of distances from the center */
	double		noise = 0;		/* of what was lost */
	double		variance;
	bool		moved = false;

	for (int n = 0; n < count; n++)
	{
		around += vector_l2_squared_kernel(layout->padded, center,
										   member_vector(members, layout,
														 which[n])) /
				  count;
		noise += members->lost[which[n]] / count;
	}
	variance = Max(around - noise, SETTLED_SHARE * around);
	for (int n = 0; n < count; n++)
	{
		float	   *vector = member_vector(members, layout, which[n]);
		double		lost = members->lost[which[n]];
		double		share = variance / (variance + lost);

		if (!(lost > NOISY_SHARE * variance))
			continue;
		for (int d = 0; d < layout->padded; d++)
			vector[d] = (float) (center[d] + share * (vector[d] - center[d]));
		members->lost[which[n]] = (float) (share * lost);
		moved = true;
	}
	return moved;
}

/*
 * Is a member known by its old code only?  Then products with a pivot would
 * err by what the code had lost, times the pivot's length (pivot_again), which
 * the new code's error does not reckon with.
 */
static bool
any_lost(const Members *members, const int32 *which, int count)
{
	for (int n = 0; n < count; n++)
	{
		if (members->lost[which[n]] > 0)
			return true;
	}
	return false;
}

/* Fill a new node with the members of its side. */
static KtreeImage *
make_node(Relation index, const KtreeCache *cache, KtreeChange *change,
		  Members *members, int side)
{
	const KtreeLayout *layout = &cache->layout;
	const KtreeImage *old = change->old[0];
	KtreeImage *image = ktree_image_create(layout);
	KtreeCode  *code = palloc(sizeof(KtreeCode));
	float	   *center = palloc(sizeof(float) * layout->padded);
	int32	   *which = palloc(sizeof(int32) * (members->count + 1));
	int			count = members_of(members, side, which);
	int			level = old->node.level;
	bool		keep_base;
	float		radius;

	memcpy(center, old->center, sizeof(float) * layout->padded);
	radius = count == 0
				 ? 0
				 : ktree_robust_center(members->vectors, which, count,
									   layout->padded, level > 0, center);
	keep_base = change->old_count == 1 && !members->read &&
		base_is_near(layout, old, members, which, count, center);
	ktree_image_begin(image, cache, level, center,
					  keep_base ? old->base : NULL, radius);
	if (image->node.flags & KTREE_FAR)
		keep_base = false;
	if (!keep_base && level == 0 && count > 0)
	{
		if (!members->read && ktree_rows_at_hand(index, change->heap))
		{
			read_rows(index, cache, change->heap, change, members, side);
			radius = ktree_robust_center(members->vectors, which, count,
										 layout->padded, false, center);
		}
		if (settle_decoded(layout, members, which, count, center))
			radius = ktree_robust_center(members->vectors, which, count,
										 layout->padded, false, center);
		ktree_image_begin(image, cache, level, center, NULL, radius);
	}
	if (keep_base)
		image->node.pivot = old->node.pivot;
	else if (cache->kind.metric == KTREE_INNER &&
			 any_lost(members, which, count))
		image->node.pivot = 0;
	for (int n = 0; n < count; n++)
	{
		int			i = which[n];

		encode_member(cache, change, members, i, image, keep_base, code);
		change->moved[members->node[i]][members->slot[i]] =
			(int16) (side * 1024 +
					 ktree_image_add(image, member_pointer(members, change, i),
									 code));
	}
	ktree_set_reach(image, cache, members->vectors, which, count,
					members->radius);
	pfree(which);
	pfree(center);
	pfree(code);
	return image;
}

/* Do a leaf's codes say too little of where its rows lie to divide them? */
static bool
needs_rows(const KtreeLayout *layout, const KtreeImage *old,
		   const Members *members)
{
	float		most = STRAY_ROW * old->node.spread;

	if (old->node.level > 0)
		return false;
	if (old->node.flags & KTREE_FAR)
		return true;
	for (int i = 0; i < members->count; i++)
	{
		if (vector_l2_squared_kernel(layout->padded,
									 member_vector(members, layout, i),
									 old->center) > most * most)
			return true;
	}
	return false;
}

/*
 * S2: cluster the old nodes' live slots into change->new_count nodes and
 * write those.  Every page of them is logged before anybody can see them.
 * False when the file may not become longer and there is no free extent.
 */
bool
ktree_make_new_nodes(Relation index, const KtreeCache *cache,
					 KtreeChange *change)
{
	const KtreeLayout *layout = &cache->layout;
	int			dims = layout->padded;
	float	   *centers = palloc0(sizeof(float) * 2 * dims);
	KtreeLink	links[2];
	Members    *members;

	for (int n = 0; n < change->new_count; n++)
	{
		links[n] = ktree_take_extent(index, layout, change->spare);
		if (links[n].block != InvalidBlockNumber)
			continue;
		while (n-- > 0)
			ktree_give_extent(index, links[n], KTREE_UNUSED);
		return false;
	}
	members = read_members(layout, change);
	if (change->old[0]->node.level > 0)
		read_children(index, layout, change, members);
	else if (needs_rows(layout, change->old[0], members) &&
			 ktree_rows_at_hand(index, change->heap))
	{
		read_rows(index, cache, change->heap, change, members, BOTH_SIDES);
		members->read = true;
	}
	if (change->new_count == 2)
		ktree_two_means(members->vectors, members->count, dims, members->side,
						centers);
	for (int n = 0; n < change->new_count; n++)
	{
		change->fresh[n] = make_node(index, cache, change, members, n);
		change->fresh[n]->link = links[n];
		ktree_image_write(index, change->fresh[n]);
	}
	pfree(members->vectors);
	pfree(members->lost);
	pfree(members->radius);
	pfree(members->side);
	pfree(members->slot);
	pfree(members->node);
	pfree(members);
	pfree(centers);
	return true;
}
