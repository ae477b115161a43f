/*-------------------------------------------------------------------------
 *
 * calibrate.c
 *	  What a setting of embed.recall means for this index.
 *
 * A round stops after "patience" leaves in a row that change nothing.  How
 * much patience gives how much recall depends on the data, so it is measured
 * after a build and by VACUUM: vectors sampled from the index itself (as
 * their four-bit codes give them back, which is off the data as a query
 * would be) are searched until every leaf has been seen, and for each step
 * of patience we note what would have been found by then.  Nothing is read
 * from the table.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "index/ktree/ktree.h"

#define SAMPLES		160

/*
 * A search for the truth ends when so many leaves have changed nothing, or,
 * where there are few, such a part of them all.
 */
#define TRUE_PATIENCE	256
#define TRUE_SHARE		4
#define LEAST_PATIENCE	32

const int	ktree_patience_steps[KTREE_PATIENCE_STEPS] = {
	1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512
};

/* A result of a hundred rows says more than one of ten: fewer are needed. */
static const int curve_counts[KTREE_CURVES] = {10, 100};
static const int curve_samples[KTREE_CURVES] = {SAMPLES, SAMPLES / 2};

/*
 * ktree_margin
 *	  How many standard deviations a one-bit score may be off before its row
 *	  is given up: RaBitQ's epsilon, smaller where recall may be.
 */
float
ktree_margin(double recall)
{
	if (recall >= 0.995)
		return 2.6f;
	if (recall >= 0.97)
		return 1.9f;
	return 1.4f;
}

/* Patience that one curve gives for a recall, between its steps. */
static double
curve_patience(const KtreeCurve *curve, double recall)
{
	for (int i = 0; i < KTREE_PATIENCE_STEPS; i++)
	{
		double		below;
		double		share;

		if (curve->recall[i] < recall)
			continue;
		if (i == 0)
			return ktree_patience_steps[0];
		below = curve->recall[i - 1];
		share = curve->recall[i] > below ? (recall - below) / (curve->recall[i] - below) : 1;
		return ktree_patience_steps[i - 1] +
			share * (ktree_patience_steps[i] - ktree_patience_steps[i - 1]);
	}
	return 2 * ktree_patience_steps[KTREE_PATIENCE_STEPS - 1];
}

/*
 * ktree_patience
 *	  Leaves without a change after which a round of "count" rows is over.
 */
int
ktree_patience(const KtreeMeta *meta, int count, double recall)
{
	double		low;
	double		high;
	double		share;

	if (meta->curves[0].samples == 0 || meta->curves[1].samples == 0)
	{
		/* not measured yet: generous, an index this young is small */
		return recall >= 0.99 ? 64 : recall >= 0.95 ? 24 : 12;
	}
	low = curve_patience(&meta->curves[0], recall);
	high = curve_patience(&meta->curves[1], recall);
	share = log((double) count / meta->curves[0].count) /
		log((double) meta->curves[1].count / meta->curves[0].count);
	share = Min(Max(share, 0), 1);
	return (int) ceil(low + share * (high - low));
}

/* Leaves that such a round will visit, for the planner. */
double
ktree_expected_leaves(const KtreeMeta *meta, int count, double recall)
{
	const KtreeCurve *curve = &meta->curves[count > 30 ? 1 : 0];
	int			patience = ktree_patience(meta, count, recall);

	if (curve->samples == 0)
		return 2.0 * patience + count / 64.0;
	for (int i = 0; i < KTREE_PATIENCE_STEPS; i++)
	{
		if (ktree_patience_steps[i] >= patience)
			return Max(curve->leaves[i], 1);
	}
	return Max(curve->leaves[KTREE_PATIENCE_STEPS - 1], 1);
}

/* Take sample vectors from leaves spread over the file. */
static int
sample_vectors(Relation index, const KtreeLayout *layout, float *vectors, ItemPointerData *tids)
{
	BlockNumber blocks = RelationGetNumberOfBlocks(index);
	KtreeImage *image = ktree_image_create(layout);
	int			have = 0;
	uint64		seed = blocks;

	for (int attempt = 0; attempt < SAMPLES * 8 && have < SAMPLES; attempt++)
	{
		BlockNumber block;
		Buffer		buffer;
		KtreeSpecial special;
		bool		ours;
		int			slot;

		CHECK_FOR_INTERRUPTS();
		seed = seed * UINT64CONST(6364136223846793005) + UINT64CONST(1442695040888963407);
		block = (BlockNumber) ((seed >> 32) % blocks);
		buffer = ReadBuffer(index, block);
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		ours = ktree_page_is(BufferGetPage(buffer), KTREE_PAGE_NODE);
		if (ours)
			special = *KtreePageSpecial(BufferGetPage(buffer));
		UnlockReleaseBuffer(buffer);
		if (!ours)
			continue;

		/* only the first page of an extent that is free need be sound */
		buffer = ktree_lock_part(index, (KtreeLink) {special.first, special.generation}, 0,
								 BUFFER_LOCK_SHARE);
		if (!BufferIsValid(buffer))
			continue;
		ours = KtreePageNode(BufferGetPage(buffer))->state == KTREE_LIVE;
		UnlockReleaseBuffer(buffer);
		if (!ours ||
			!ktree_image_read(index, (KtreeLink) {special.first, special.generation}, image) ||
			image->node.state != KTREE_LIVE || image->node.level != 0 || image->node.live == 0)
			continue;
		slot = (int) ((seed >> 16) % image->node.used);
		while (ktree_slot_dead(&image->node, slot))
			slot = (slot + 1) % image->node.used;
		ktree_image_decode(image, slot, vectors + (Size) have * layout->padded);
		memcpy(&tids[have], ktree_image_pointer(image, slot), sizeof(ItemPointerData));
		have++;
	}
	ktree_image_free(image);
	return have;
}

static int
compare_scores(const void *a, const void *b)
{
	float		x = ((const KtreeCandidate *) a)->score;
	float		y = ((const KtreeCandidate *) b)->score;

	return x < y ? -1 : x > y;
}

/*
 * measure
 *	  Search for one sample until the end and add to a curve what each step of
 *	  patience would have found.
 */
static void
measure(KtreeSearch *search, struct TidSet *self, int patience, KtreeCurve *curve,
		double *recall, double *leaves)
{
	KtreeStop	stop = {0};
	KtreeCandidate *found;
	const int  *changes;
	int			count;
	int			last;
	int			wanted;

	stop.count = curve->count + Max(6, curve->count / 8);
	stop.margin = 4;
	stop.patience = patience;
	ktree_search_round(search, &stop, self);
	found = ktree_search_result(search, &count);
	qsort(found, count, sizeof(KtreeCandidate), compare_scores);
	wanted = Min(curve->count, count);
	changes = ktree_search_changes(search);

	for (int i = 0; i < KTREE_PATIENCE_STEPS; i++)
	{
		int			hits = 0;

		/* the leaf after which this patience would have ended the round */
		last = 0;
		for (int c = 0; changes[c] != 0 && (last == 0 || changes[c] - last <= ktree_patience_steps[i]); c++)
			last = changes[c];
		for (int r = 0; r < wanted; r++)
		{
			/* the margin is that of the recall this curve will be asked for */
			if (found[r].step <= last && found[r].need <= 1.9f)
				hits++;
		}
		recall[i] += wanted > 0 ? (double) hits / wanted : 1;
		leaves[i] += Min(last + ktree_patience_steps[i], ktree_search_leaves(search));
	}
}

/*
 * ktree_calibrate
 *	  Measure and store the curves; "tuples" is the number of rows now.
 */
void
ktree_calibrate(Relation index, double tuples)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ktree calibration",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	KtreeCache *cache = ktree_cache(index);
	KtreeCurve	curves[KTREE_CURVES];
	KtreeSearch *search;
	ItemPointerData tids[SAMPLES];
	float	   *vectors;
	int			samples;
	Buffer		buffer;
	GenericXLogState *state;
	KtreeMeta  *meta;
	IndexScanStatistics statistics = last_index_scan;

	memset(curves, 0, sizeof(curves));
	if (cache != NULL)
	{
		KtreeMeta	now;
		int			patience;

		ktree_read_meta(index, &now);
		patience = Max(Min(TRUE_PATIENCE, now.extents / TRUE_SHARE), LEAST_PATIENCE);
		search = ktree_search_create(index, cache);
		vectors = palloc(sizeof(float) * SAMPLES * (Size) cache->layout.padded);
		samples = sample_vectors(index, &cache->layout, vectors, tids);
		for (int c = 0; c < KTREE_CURVES && samples > 0; c++)
		{
			double		recall[KTREE_PATIENCE_STEPS] = {0};
			double		leaves[KTREE_PATIENCE_STEPS] = {0};

			int			some = Min(samples, curve_samples[c]);

			curves[c].count = curve_counts[c];
			curves[c].samples = some;
			for (int s = 0; s < some; s++)
			{
				struct TidSet *self = tidset_create();

				memcpy(ktree_search_query(search)->vector,
					   vectors + (Size) s * cache->layout.padded,
					   sizeof(float) * cache->layout.padded);
				rabitq_query_prepare(&ktree_search_query(search)->code);
				tidset_add(self, &tids[s]);
				measure(search, self, patience, &curves[c], recall, leaves);
			}
			for (int i = 0; i < KTREE_PATIENCE_STEPS; i++)
			{
				curves[c].recall[i] = (float) (recall[i] / some);
				curves[c].leaves[i] = (float) (leaves[i] / some);
			}
		}
	}
	last_index_scan = statistics;

	buffer = ReadBuffer(index, KTREE_META_BLOCK);
	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	state = GenericXLogStart(index);
	meta = KtreePageMeta(GenericXLogRegisterBuffer(state, buffer, 0));
	memcpy(meta->curves, curves, sizeof(curves));
	meta->calibrated_tuples = (uint64) tuples;
	meta->removed = 0;
	GenericXLogFinish(state);
	UnlockReleaseBuffer(buffer);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
