/*-------------------------------------------------------------------------
 *
 * calibrate.c
 *	  What a setting of embed.recall means for this index.
 *
 * A window stops after "patience" leaves in a row that change nothing.  How
 * much patience gives how much recall depends on the data, so it is measured:
 * for vectors sampled from the table a deep search is made, the distances of
 * all that might be among the nearest are computed from the table's rows, and
 * for each step of patience we note what an answer of 1, 10 and 100 rows
 * would have had of the truly nearest.  The codes are not believed: what they
 * rank wrong is missing from an answer as what was not visited is.
 *
 * It is done after a build, by VACUUM, and by the insertion whose split makes
 * the tree a quarter larger than it was the last time.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "index/ktree/ktree_search.h"

/*
 * A search for the truth ends when so many leaves have changed nothing, or,
 * where there are few, such a part of them all.
 */
#define TRUE_PATIENCE	256
#define TRUE_SHARE		4
#define LEAST_PATIENCE	32
#define TRUE_MARGIN		4.0f

/* Rows that may be among the nearest by so many deviations are read. */
#define TRUE_DEVIATIONS	3.0f

/* Leaves of a tree that is worth a calibration, and its growth to the next. */
#define LEAST_LEAVES	8
#define GROWTH			1.25

/* Beyond the ratio of so many samples a query is unlike the rows. */
#define USUAL_SHARE		0.95

/* A window is of so many rows at the least: embed.candidates by default. */
#define LEAST_WINDOW	10

/*
 * A mean over samples may lie below the truth: what is promised is met by the
 * mean, and missed by no more than this if the mean is two errors too high.
 */
#define TOLERANCE		0.015

static const int limits[KTREE_LIMITS] = {1, 10, 100};

/*
 * What a filter leaves of an answer may be its far end: of so many rows the
 * second half is measured, for one sample in LONG_SHARE.
 */
#define LONG_LIMIT		1000
#define LONG_SHARE		5

/*
 * A filter against the vectors leaves rows in clusters that are visited late.
 * So a long answer may miss only this part of what another may; its cost is
 * that of reading rows, not leaves.
 */
#define LONG_MISSES		0.2

/*
 * However sure calibration is: so many leaves without a change, of an answer
 * of few rows and of 1,000.  Samples are rows; a query in the middle of
 * clusters has its nearest rows in all of them.
 */
#define LEAST_SHORT		3.0
#define LEAST_LONG		8.0

/* One-bit errors that a pruned code may be off, for low and high recall. */
static const float margins[KTREE_MARGINS] = {1.4f, 2.4f};
#define HIGH_RECALL		0.97

static const int steps[KTREE_PATIENCE_STEPS] = {
	1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512
};

/* What a step of patience can be relied on to give by one curve. */
static double
reliable_recall(const KtreeCurve *curve, int step)
{
	return Min(curve->recall[step],
			   curve->recall[step] - 2 * curve->error[step] + TOLERANCE);
}

/* The least patience, between the steps, that several curves rely on. */
static double
least_patience(const KtreeCurve *curves, int count, double recall)
{
	double		below = 0;

	for (int i = 0; i < KTREE_PATIENCE_STEPS; i++)
	{
		double		reached = 1;

		for (int c = 0; c < count; c++)
			reached = Min(reached, reliable_recall(&curves[c], i));
		if (reached >= recall)
			return i == 0
					   ? steps[0]
					   : steps[i - 1] + (recall - below) / (reached - below) *
											(steps[i] - steps[i - 1]);
		below = reached;
	}
	return 2 * steps[KTREE_PATIENCE_STEPS - 1];
}

/*
 * The margin for a setting: the smaller where its curves say that it is
 * enough.
 *
 * A pruned code is not found by patience.  Where the scores of many rows
 * differ by less than one-bit codes err, the smaller margin prunes too many.
 */
static int
which_margin(const KtreeMeta *meta, double recall)
{
	return recall >= HIGH_RECALL ||
		   (meta->samples > 0 &&
			least_patience(meta->curves[0], KTREE_LIMITS, recall) >
				steps[KTREE_PATIENCE_STEPS - 1]);
}

/*
 * How many standard deviations a one-bit score may be off before its row
 * is given up: RaBitQ's epsilon, smaller where recall may be.
 */
float
ktree_margin(const KtreeMeta *meta, double recall)
{
	return margins[which_margin(meta, recall)];
}

/*
 * Leaves without a change after which a window is over that looks for so
 * many rows.
 *
 * Up to the longest limit that is measured patience hardly depends on it.  For
 * longer answers it comes nearer to that of 1,000 rows, and grows from there.
 */
double
ktree_patience(const KtreeMeta *meta, double count, double recall)
{
	int			margin = which_margin(meta, recall);
	double		patience;
	double		growth;

	if (meta->samples == 0)
	{
		/* not measured yet: generous, an index this young is small */
		return recall >= 0.99 ? 64 : recall >= 0.95 ? 24 : 12;
	}
	growth = (double) (meta->extents - meta->free_count) /
			 Max(meta->calibrated_leaves, 1);
	patience = Max(least_patience(meta->curves[margin], KTREE_LIMITS, recall),
				   LEAST_SHORT);
	if (count > 1.5 * limits[KTREE_LIMITS - 1])
	{
		double		length = least_patience(&meta->long_curves[margin], 1,
											1 - (1 - recall) * LONG_MISSES);
		double		share = log(count / limits[KTREE_LIMITS - 1]) /
			log((double) LONG_LIMIT / limits[KTREE_LIMITS - 1]);

		/* beyond, it goes on to grow as it did until there */
		length = Max(length, Max(patience, LEAST_LONG));
		if (share < 1)
			patience += share * (length - patience);
		else
			patience = length * pow(count / LONG_LIMIT,
									Max(log10(length / patience), 0.5));
	}
	return Max(growth, 1) * patience;
}

/* Leaves that an answer of so many rows will visit, for the planner. */
double
ktree_expected_leaves(const KtreeMeta *meta, double count, double recall)
{
	double		patience = ktree_patience(meta, count, recall);
	int			limit = count > 30 ? 2 : count > 3 ? 1 : 0;
	int			margin = which_margin(meta, recall);
	const KtreeCurve *curve = count >= LONG_LIMIT ?
								  &meta->long_curves[margin] :
								  &meta->curves[margin][limit];
	int			i = 0;

	if (meta->samples == 0)
		return 2.0 * patience + count / 64.0;
	while (i < KTREE_PATIENCE_STEPS - 1 && steps[i] < patience)
		i++;
	return Max(curve->leaves[i], 1);
}

/* What becomes a curve, for each step of patience. */
typedef struct Sums
{
	double		recall[KTREE_PATIENCE_STEPS];
	double		squares[KTREE_PATIENCE_STEPS];
	double		leaves[KTREE_PATIENCE_STEPS];
} Sums;

/* A calibration on its way. */
typedef struct Calibration
{
	Relation	index;
	const KtreeCache *cache;
	KtreeSearch *search;
	double		patience;		/* of the deep searches */
	/* the table's rows; NULL: they are not to be had, and codes must do */
	IndexRows  *rows;
	FmgrInfo   *distance;
	/* one sample */
	float	   *plain;
	double		scale;			/* of the query, for inner products; else 1 */
	int			found;			/* rows of its search */
	int			room;
	struct Near *near;			/* those that may be among the nearest */
	int			near_count;
	/* sums over the samples */
	int			samples;
	int			long_samples;
	float		ratios[KTREE_SAMPLES];	/* of each (ktree_search_ratio) */
	Sums		sums[KTREE_MARGINS][KTREE_LIMITS];
	Sums		long_sums[KTREE_MARGINS];
} Calibration;

typedef struct Near
{
	double		distance;
	int			step;
	float		one_bit;
	float		deviation;
} Near;

/*
 * A random leaf, unpacked; false when this attempt found none.
 *
 * Only the first page of an extent that is free need be sound.
 */
static bool
random_leaf(Relation index, uint64 *seed, KtreeImage *image)
{
	Buffer		buffer;
	KtreeSpecial special;
	KtreeLink	link;
	bool		ours;

	*seed = *seed * UINT64CONST(6364136223846793005) +
			UINT64CONST(1442695040888963407);
	buffer = ReadBuffer(index,
						(BlockNumber) ((*seed >> 32) %
									   RelationGetNumberOfBlocks(index)));
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	ours = ktree_page_is(BufferGetPage(buffer), KTREE_PAGE_NODE);
	if (ours)
		special = *KtreePageSpecial(BufferGetPage(buffer));
	UnlockReleaseBuffer(buffer);
	if (!ours)
		return false;
	link.block = special.first;
	link.generation = special.generation;
	buffer = ktree_lock_part(index, link, 0, BUFFER_LOCK_SHARE);
	if (!BufferIsValid(buffer))
		return false;
	ours = KtreePageNode(BufferGetPage(buffer))->state == KTREE_LIVE;
	UnlockReleaseBuffer(buffer);
	return ours && ktree_image_read(index, link, image) &&
		image->node.state == KTREE_LIVE && image->node.level == 0;
}

/* A slot that holds a row, from a random one on; -1: there is none. */
static int
random_slot(const KtreeNode *node, uint64 seed)
{
	for (int i = 0; i < node->used; i++)
	{
		int			slot = (int) (((seed >> 16) + i) % node->used);

		if (!ktree_slot_dead(node, slot))
			return slot;
	}
	return -1;
}

/*
 * Detoasted value of a row, in the rows' scratch; false: it is not to be seen.
 */
static bool
fetch_value(IndexRows *rows, const ItemPointerData *tid, Datum *value)
{
	bool		null;
	MemoryContext old;

	if (!index_rows_fetch(rows, tid, SnapshotSelf, value, &null))
		return false;
	if (null)
	{
		index_rows_clear(rows);
		return false;
	}
	old = MemoryContextSwitchTo(index_rows_scratch(rows));
	*value = PointerGetDatum(PG_DETOAST_DATUM(*value));
	MemoryContextSwitchTo(old);
	return true;
}

/*
 * A row of a leaf as the query: its value, or NULL without rows at hand,
 * and its vector in index space.
 */
static bool
take_sample(Calibration *calibration, const KtreeImage *leaf, int slot,
			Datum *query)
{
	const KtreeCache *cache = calibration->cache;
	float	   *vector = ktree_search_query(calibration->search)->vector;
	Datum		value;
	bool		good;
	ItemPointerData tid;

	*query = PointerGetDatum(NULL);
	calibration->scale = 1;
	if (calibration->rows == NULL)
	{
		ktree_image_decode(leaf, slot, vector);
		return true;
	}
	memcpy(&tid, ktree_image_pointer(leaf, slot), sizeof(tid));
	if (!fetch_value(calibration->rows, &tid, &value))
		return false;
	good = ktree_datum_dims(&cache->kind, value) == cache->layout.dims &&
		   ktree_load_vector(&cache->kind, value, calibration->plain) ==
			   KTREE_NORMAL;
	if (good)
	{
		if (cache->kind.metric == KTREE_INNER)
			calibration->scale = ktree_query_scale(cache,
												   calibration->plain);
		ktree_to_index_space(cache, calibration->plain, vector);
		*query = PointerGetDatum(PG_DETOAST_DATUM_COPY(value));
	}
	index_rows_clear(calibration->rows);
	return good;
}

static int
compare_near(const void *a, const void *b)
{
	double		x = ((const Near *) a)->distance;
	double		y = ((const Near *) b)->distance;

	return x < y ? -1 : x > y;
}

/* Distances of all rows that may be among the nearest, in order. */
static void
find_truth(Calibration *calibration, Datum query)
{
	KtreeRow   *rows;
	float		threshold = ktree_search_threshold(calibration->search);

	rows = ktree_search_rows(calibration->search, &calibration->found);
	if (calibration->room < calibration->found)
	{
		calibration->room = calibration->found * 2;
		calibration->near =
			MemoryContextAllocHuge(GetMemoryChunkContext(calibration),
								   sizeof(Near) * (Size) calibration->room);
	}
	calibration->near_count = 0;
	for (int i = 0; i < calibration->found; i++)
	{
		Near	   *near = &calibration->near[calibration->near_count];
		Datum		value;

		if (rows[i].score - TRUE_DEVIATIONS * rows[i].error > threshold)
			continue;
		near->step = rows[i].step;
		near->one_bit = rows[i].one_bit.score;
		near->deviation = rows[i].one_bit.deviation;
		near->distance = rows[i].score;
		if (calibration->rows != NULL)
		{
			CHECK_FOR_INTERRUPTS();
			if (!fetch_value(calibration->rows, &rows[i].tid, &value))
				continue;
			near->distance = DatumGetFloat8(FunctionCall2Coll(
				calibration->distance, calibration->index->rd_indcollation[0],
				value, query));
			index_rows_clear(calibration->rows);
			if (isnan(near->distance))
				continue;
		}
		calibration->near_count++;
	}
	qsort(calibration->near, calibration->near_count, sizeof(Near),
		  compare_near);
}

/* The leaves that change the best rows of one window, in order. */
typedef struct Changes
{
	int			count;
	int			full;			/* the leaf that filled the window */
	float		threshold;		/* in the end */
	int		   *leaves;
} Changes;

static bool
is_pruned(float score, float deviation, float margin, float threshold)
{
	return score - margin * deviation >= threshold;
}

/* Replay the search for a window of fewer rows and a smaller margin. */
static void
replay(Calibration *calibration, int rows, float margin, Changes *changes)
{
	int			found;
	const KtreeRow *row = ktree_search_rows(calibration->search, &found);
	int			wanted = rows + KTREE_EXTRA_ROWS(rows);
	float	   *best = palloc(sizeof(float) * wanted);	/* a max-heap */
	int			have = 0;

	changes->count = 0;
	changes->full = INT_MAX;
	changes->leaves = palloc(sizeof(int) * (found + 1));
	for (int i = 0; i < found; i++)
	{
		float		score = ktree_worst_score(&row[i]);

		if (have == wanted &&
			(score >= best[0] || is_pruned(row[i].one_bit.score,
										   row[i].one_bit.deviation, margin,
										   best[0])))
			continue;
		have = ktree_put_seat(best, have, wanted, score);
		if (changes->count == 0 ||
			changes->leaves[changes->count - 1] != row[i].step)
			changes->leaves[changes->count++] = row[i].step;
		if (have == wanted)
			changes->full = Min(changes->full, row[i].step);
	}
	changes->threshold = have == wanted ? best[0] : FLT_MAX;
	pfree(best);
}

/* The leaf at which a window ends. */
static int
window_end(const Changes *changes, double patience, int leaves)
{
	double		end = changes->full;

	for (int i = 0; i < changes->count; i++)
	{
		if (changes->leaves[i] > end)
			break;
		end = Max(end, changes->leaves[i] + patience);
	}
	return (int) Min(ceil(end), leaves);
}

static void
add_to(Sums *sums, int step, int hits, int wanted, int leaves)
{
	double		recall = wanted > 0 ? (double) hits / wanted : 1;

	sums->recall[step] += recall;
	sums->squares[step] += recall * recall;
	sums->leaves[step] += leaves;
}

/* Is a row in the answer of a window that ends at this leaf? */
static bool
is_found(const Near *near, const Changes *changes, int end, float margin)
{
	return near->step <= end && !is_pruned(near->one_bit, near->deviation,
										   margin, changes->threshold);
}

/*
 * Add what each step of patience would have found of one sample: a limit is
 * one window (plan_windows in ktree_scan.c).
 */
static void
add_sample(Calibration *calibration, int m)
{
	const Near *near = calibration->near;
	int			all = ktree_search_leaves(calibration->search);

	for (int l = 0; l < KTREE_LIMITS; l++)
	{
		int			wanted = Min(limits[l], calibration->near_count);
		Changes		changes;

		replay(calibration, Max(limits[l], LEAST_WINDOW), margins[m],
			   &changes);
		for (int step = 0; step < KTREE_PATIENCE_STEPS; step++)
		{
			int			end = window_end(&changes, steps[step], all);
			int			hits = 0;

			for (int i = 0; i < calibration->near_count && hits < wanted; i++)
			{
				/* ties count */
				if (near[i].distance > near[wanted - 1].distance)
					break;
				hits += is_found(&near[i], &changes, end, margins[m]);
			}
			add_to(&calibration->sums[m][l], step, hits, wanted, end);
		}
	}
}

/* The same for the far end of a long answer. */
static void
add_long_sample(Calibration *calibration, int m)
{
	const Near *near = calibration->near;
	int			all = ktree_search_leaves(calibration->search);
	int			most = Min(calibration->near_count, LONG_LIMIT);
	Changes		changes;

	replay(calibration, LONG_LIMIT, margins[m], &changes);
	for (int step = 0; step < KTREE_PATIENCE_STEPS; step++)
	{
		int			end = window_end(&changes, steps[step], all);
		int			hits = 0;

		for (int i = most / 2; i < most; i++)
			hits += is_found(&near[i], &changes, end, margins[m]);
		add_to(&calibration->long_sums[m], step, hits, most - most / 2, end);
	}
}

/* Search for one row of a leaf and add what is learnt. */
static void
measure(Calibration *calibration, const KtreeImage *leaf, int slot)
{
	KtreeStop	stop = {0};
	struct TidSet *self = tidset_create();
	ItemPointerData tid;
	Datum		query;
	RabitqQuery *code;
	int			longest;

	if (!take_sample(calibration, leaf, slot, &query))
		return;
	memcpy(&tid, ktree_image_pointer(leaf, slot), sizeof(tid));
	tidset_add(self, &tid);
	code = &ktree_search_query(calibration->search)->code;
	rabitq_query_prepare(code);
	ktree_search_home(calibration->search, leaf->link, leaf->node.live,
					  (float) (code->norm_squared / calibration->scale));
	longest = calibration->samples % LONG_SHARE == 0
				  ? LONG_LIMIT
				  : limits[KTREE_LIMITS - 1];
	stop.count = longest + KTREE_EXTRA_ROWS(longest);
	stop.patience = calibration->patience;
	stop.margin = TRUE_MARGIN;
	stop.memory = SIZE_MAX;
	ktree_search_begin(calibration->search, self);
	ktree_search_window(calibration->search, &stop);
	find_truth(calibration, query);
	for (int m = 0; m < KTREE_MARGINS; m++)
	{
		add_sample(calibration, m);
		if (longest == LONG_LIMIT)
			add_long_sample(calibration, m);
	}
	calibration->ratios[calibration->samples++] =
		ktree_search_ratio(calibration->search);
	calibration->long_samples += (longest == LONG_LIMIT);
}

static void
sums_to_curve(const Sums *sums, int samples, KtreeCurve *curve)
{
	memset(curve, 0, sizeof(*curve));
	for (int i = 0; i < KTREE_PATIENCE_STEPS && samples > 0; i++)
	{
		double		mean = sums->recall[i] / samples;
		double		variance = sums->squares[i] / samples - mean * mean;

		curve->recall[i] = (float) mean;
		curve->error[i] = (float) sqrt(Max(variance, 0) / samples);
		curve->leaves[i] = (float) (sums->leaves[i] / samples);
	}
}

static int
compare_floats(const void *a, const void *b)
{
	float		x = *(const float *) a;
	float		y = *(const float *) b;

	return x < y ? -1 : x > y;
}

/*
 * The ratios that few samples are beyond, packed; 0 where they mean nothing.
 */
static float
usual_ratio(Calibration *calibration)
{
	float		most;
	float		least;

	if (calibration->samples == 0)
		return 0;
	qsort(calibration->ratios, calibration->samples, sizeof(float),
		  compare_floats);
	most = calibration->ratios[(int) (USUAL_SHARE * calibration->samples)];
	least = calibration->ratios[(int) ((1 - USUAL_SHARE) *
									   calibration->samples)];
	return most < FLT_MAX / 2 ? ktree_pack_radius(most, least) : 0;
}

/* Write what was measured. */
static void
store(Relation index, Calibration *calibration, double tuples)
{
	KtreeMetaUpdate update;
	KtreeMeta  *meta = ktree_meta_begin(index, &update);

	for (int m = 0; m < KTREE_MARGINS; m++)
	{
		for (int l = 0; l < KTREE_LIMITS; l++)
			sums_to_curve(&calibration->sums[m][l], calibration->samples,
						  &meta->curves[m][l]);
		sums_to_curve(&calibration->long_sums[m], calibration->long_samples,
					  &meta->long_curves[m]);
	}
	meta->samples = calibration->samples;
	meta->usual_ratio = usual_ratio(calibration);
	if (tuples >= 0)
	{
		meta->calibrated_tuples = (uint64) tuples;
		meta->removed = 0;
	}
	meta->calibrated_leaves = (int32) (meta->extents - meta->free_count);
	ktree_meta_end(&update);
}

/*
 * Measure and store the curves.
 *
 * tuples: rows in the index now, -1: not known
 */
void
ktree_calibrate(Relation index, Relation heap, double tuples, int samples)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ktree calibration",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	IndexScanStatistics statistics = last_index_scan;
	Calibration *calibration = palloc0(sizeof(Calibration));
	KtreeMeta	meta;

	calibration->index = index;
	calibration->cache = ktree_cache(index);
	ktree_read_meta(index, &meta);
	if (calibration->cache != NULL && meta.height >= 0)
	{
		KtreeImage *image = ktree_image_create(&calibration->cache->layout);
		MemoryContext one = AllocSetContextCreate(context, "ktree sample",
												  ALLOCSET_DEFAULT_SIZES);
		uint64		seed = RelationGetNumberOfBlocks(index);

		calibration->search = ktree_search_create(index, calibration->cache);
		calibration->plain = palloc(sizeof(float) *
									calibration->cache->layout.dims);
		calibration->patience =
			Max(Min(TRUE_PATIENCE, meta.extents / TRUE_SHARE), LEAST_PATIENCE);
		if (ktree_rows_at_hand(index, heap))
		{
			calibration->rows = index_rows_begin(heap, index);
			calibration->distance = index_getprocinfo(index, 1,
													  KTREE_DISTANCE_PROC);
		}
		for (int attempt = 0;
			 attempt < samples * 4 && calibration->samples < samples;
			 attempt++)
		{
			int			slot;

			CHECK_FOR_INTERRUPTS();
			if (!random_leaf(index, &seed, image))
				continue;
			slot = random_slot(&image->node, seed);
			if (slot < 0)
				continue;
			MemoryContextSwitchTo(one);
			measure(calibration, image, slot);
			MemoryContextSwitchTo(context);
			MemoryContextReset(one);
		}
		if (calibration->rows != NULL)
			index_rows_end(calibration->rows);
	}
	last_index_scan = statistics;
	store(index, calibration, tuples);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* After a split: measure again if the tree has grown by a quarter. */
void
ktree_calibrate_grown(Relation index, Relation heap)
{
	KtreeMeta	meta;
	KtreeMetaUpdate update;
	KtreeMeta  *claimed;
	int			leaves;
	bool		mine;

	ktree_read_meta(index, &meta);
	leaves = (int) (meta.extents - meta.free_count);
	if (leaves < LEAST_LEAVES || leaves < meta.calibrated_leaves * GROWTH)
		return;

	/* others who come now need not measure the same */
	claimed = ktree_meta_begin(index, &update);
	mine = claimed->calibrated_leaves == meta.calibrated_leaves;
	claimed->calibrated_leaves = leaves;
	ktree_meta_end(&update);
	if (mine)
		ktree_calibrate(index, heap, -1, KTREE_FEW_SAMPLES);
}
