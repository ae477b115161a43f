/*-------------------------------------------------------------------------
 *
 * ktree_check.c
 *	  embed_index_check and embed_index_stats for ktree.
 *
 * The checker trusts nothing it reads: every block number, count and level is
 * tested before it is used.  Numbers in messages are those of the invariants
 * in README.  It holds the structure lock (not on a standby), so that splits
 * do not move what it walks over.  What changes all the same, it may take for
 * damage: the caller asks again.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "access/table.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "index/ktree/ktree.h"

#define MAX_LEVELS 16

/* A one-bit and a four-bit code of one vector agree on so many signs. */
#define LEAST_AGREEMENT 0.55

typedef struct CheckState
{
	Relation	index;
	IndexReport *report;
	KtreeMeta	meta;
	KtreeLayout layout;
	BlockNumber blocks;
	uint8	   *reached;		/* one bit per block that begins a node */
	struct TidSet *tids;
	Relation	heap;			/* of an index with further key columns, */
	IndexRows  *table_rows;		/* and its rows; NULL: not compared */
	KtreeImage *image[MAX_LEVELS];
	double		rows;
	double		nodes[2];		/* leaves, inner nodes */
	double		used[2];
	double		live[2];
} CheckState;

#define PROBLEM(check, block, ...) \
	do { \
		if ((check)->report != NULL) \
			index_report_problem((check)->report, block, __VA_ARGS__); \
	} while (0)

static bool
test_and_set(CheckState *check, BlockNumber block)
{
	bool		was = (check->reached[block / 8] >> (block % 8)) & 1;

	check->reached[block / 8] |= (uint8) (1 << (block % 8));
	return was;
}

static bool
finite_float(float value)
{
	return isfinite(value);
}

/* Does a node's page say the same of itself in both places? */
static bool
mark_agrees(Page page)
{
	const KtreeSpecial *special = KtreePageSpecial(page);
	const KtreeMark *mark = KtreePageMark(page, special->part);

	return mark->generation == special->generation &&
		   mark->part == special->part &&
		   mark->place == ktree_mark_place(special->first);
}

/*
 * Unpack a node after testing its pages' identity; false when it cannot
 * be read.
 */
static bool
read_node(CheckState *check, KtreeLink link, BlockNumber from,
		  KtreeImage *image)
{
	if (link.block == KTREE_META_BLOCK || link.block >= check->blocks ||
		check->layout.extent_pages > check->blocks - link.block)
	{
		PROBLEM(check, from, "6: pointer to block %u, beyond the index", link.block);
		return false;
	}
	for (int part = 0; part < check->layout.extent_pages; part++)
	{
		Buffer		buffer = ReadBuffer(check->index, link.block + part);
		Page		page = BufferGetPage(buffer);
		const char *wrong = NULL;

		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		if (!ktree_page_is(page, KTREE_PAGE_NODE))
			wrong = "2: not a page of a node";
		else if (KtreePageSpecial(page)->part != part ||
				 KtreePageSpecial(page)->first != link.block)
			wrong = "2: page of another node or part";
		else if (!mark_agrees(page))
			wrong = "2: mark and special area differ";
		else if (!ktree_same_generation(KtreePageSpecial(page)->generation,
										link.generation))
			wrong = "2: another generation than the pointer says";
		else if (KtreePageSpecial(page)->version != KTREE_VERSION)
			wrong = "2: unknown page version";
		else if (part == 0 && KtreePageNode(page)->used >
				 ktree_capacity(&check->layout, KtreePageNode(page)))
			wrong = "5: more slots in use than a node has";
		UnlockReleaseBuffer(buffer);
		if (wrong != NULL)
		{
			PROBLEM(check, link.block + part, "%s", wrong);
			return false;
		}
	}
	return ktree_image_read(check->index, link, image);
}

static void
check_header(CheckState *check, const KtreeImage *image, int level)
{
	const KtreeNode *node = &image->node;
	BlockNumber block = image->link.block;
	int			dead = 0;
	bool		finite = true;

	if (node->level != level)
		PROBLEM(check, block, "4: level %u where %d belongs", node->level, level);
	if (node->state != KTREE_LIVE)
		PROBLEM(check, block, "6: state %u of a node in the tree", node->state);
	if (node->flags &
		~(uint32) (KTREE_BASE_IS_CENTER | KTREE_ON_FREE_LIST | KTREE_FAR))
		PROBLEM(check, block, "2: unknown flags %x", node->flags);
	if (node->flags & KTREE_ON_FREE_LIST)
		PROBLEM(check, block, "3: a node in the tree is on the free list");
	for (int slot = 0; slot < KTREE_MAX_CAPACITY; slot++)
	{
		if (!ktree_slot_dead(node, slot))
			continue;
		dead++;
		if (slot >= node->used)
		{
			PROBLEM(check, block, "5: slot %d is dead but not in use", slot);
			break;
		}
	}
	if (node->live != node->used - dead)
		PROBLEM(check, block, "5: %u live slots claimed, %d found", node->live, node->used - dead);
	/* a far node's center is not made of these two numbers */
	for (int d = 0; d < check->layout.padded; d++)
		finite = finite && finite_float(image->center[d]);
	if (!finite || !finite_float(node->center_minimum) ||
		!finite_float(node->center_step) ||
		!finite_float(node->base_minimum) || !finite_float(node->base_step) ||
		!finite_float(node->spread) || !(node->pivot >= 0 && node->pivot <= 1))
		PROBLEM(check, block, "8: center or base is not finite");
}

/* Do the two codes of a slot speak of the same vector? */
static void
check_codes(CheckState *check, const KtreeImage *image, int slot,
			float *vector)
{
	const KtreeLayout *layout = &check->layout;
	const uint8 *block = image->blocks +
						 slot / RABITQ_BLOCK * layout->block_bytes;
	const float *factors = (const float *) (block + KTREE_BLOCK_FACTORS(
														layout->coded));
	uint8		bits[KTREE_MAX_CODED / 8];
	RabitqFactors four_bit;
	float		radius = 0;
	double		agree = 0;
	double		total = 0;
	double		squares = 0;
	double		noise;

	memcpy(&four_bit, ktree_image_refine(image, slot), sizeof(four_bit));
	if (image->node.level > 0)
		ktree_unpack_radius(four_bit.error, &four_bit.error, &radius);
	if (!finite_float(factors[slot % RABITQ_BLOCK]) ||
		!finite_float(factors[RABITQ_BLOCK + slot % RABITQ_BLOCK]) ||
		!finite_float(four_bit.add) || !finite_float(four_bit.scale) ||
		!finite_float(four_bit.error) || !finite_float(radius))
	{
		PROBLEM(check, image->link.block, "8: factors of slot %d are not finite", slot);
		return;
	}
	if (factors[RABITQ_BLOCK + slot % RABITQ_BLOCK] > 0 ||
		four_bit.scale > 0 || four_bit.error < 0)
		PROBLEM(check, image->link.block, "8: factors of slot %d have the wrong sign", slot);

	rabitq_block_get(layout->coded, block, slot % RABITQ_BLOCK, bits);
	ktree_image_decode(image, slot, vector);
	for (int d = 0; d < layout->coded; d++)
	{
		double		difference = vector[d] - image->center[d];

		total += fabs(difference);
		squares += difference * difference;
		if (((bits[d / 8] >> (d % 8)) & 1) == (difference > 0))
			agree += fabs(difference);
	}

	/* of a row nearer to the center than four bits tell, signs are noise */
	noise = four_bit.error * sqrt(layout->padded);
	if (squares > 4 * noise * noise && agree < LEAST_AGREEMENT * total &&
		factors[RABITQ_BLOCK + slot % RABITQ_BLOCK] < 0)
		PROBLEM(check, image->link.block, "8: the codes of slot %d contradict each other", slot);
}

/*
 * Are the values of further key columns in a slot those of its row?  A row
 * that is not to be seen now is not asked: it is dead, or not yet there.
 */
static void
check_filters(CheckState *check, const KtreeImage *image, int slot,
			  const ItemPointerData *tid)
{
	Datum		values[INDEX_MAX_KEYS];
	bool		nulls[INDEX_MAX_KEYS];
	KtreeFilters stored;
	KtreeFilters right;
	MemoryContext old;

	if (check->table_rows == NULL ||
		ItemPointerGetBlockNumber(tid) >=
			RelationGetNumberOfBlocks(check->heap) ||
		!index_rows_fetch_keys(check->table_rows, check->index, tid,
							   SnapshotSelf, values, nulls))
		return;
	old = MemoryContextSwitchTo(index_rows_scratch(check->table_rows));
	ktree_filters_of_row(check->index, values, nulls, &right);
	MemoryContextSwitchTo(old);
	index_rows_clear(check->table_rows);
	ktree_get_filters(&check->layout,
					  image->blocks + slot / RABITQ_BLOCK *
										  check->layout.block_bytes,
					  slot % RABITQ_BLOCK, &stored);
	for (int column = 0; column < check->layout.filters; column++)
	{
		bool		null = (right.nulls >> column) & 1;

		if (null != ((stored.nulls >> column) & 1) ||
			(!null && right.value[column] != stored.value[column]))
			PROBLEM(check, image->link.block,
					"10: row (%u,%u) has another value in key column %d",
					ItemPointerGetBlockNumber(tid),
					ItemPointerGetOffsetNumber(tid), column + 2);
	}
}

static void
check_node(CheckState *check, KtreeLink link, BlockNumber from, int level)
{
	KtreeImage *image = check->image[level];
	float	   *vector;

	CHECK_FOR_INTERRUPTS();
	if (!read_node(check, link, from, image))
		return;
	if (test_and_set(check, link.block))
	{
		PROBLEM(check, link.block, "3: reached twice from the root");
		return;
	}
	check_header(check, image, level);
	check->nodes[level > 0]++;
	check->used[level > 0] += image->node.used;
	check->live[level > 0] += image->node.live;
	if (image->node.level != level)
		return;

	vector = palloc(sizeof(float) * check->layout.padded);
	for (int slot = 0; slot < image->node.used; slot++)
	{
		KtreePointer *pointer = ktree_image_pointer(image, slot);

		if (ktree_slot_dead(&image->node, slot))
			continue;
		if (check->report != NULL)
			check_codes(check, image, slot, vector);
		if (level > 0)
		{
			KtreeLink	child;

			child.block = ktree_pointer_block(pointer);
			child.generation = pointer->offset;
			check_node(check, child, link.block, level - 1);
		}
		else
		{
			ItemPointerData tid;

			memcpy(&tid, pointer, sizeof(tid));
			check->rows++;
			if (check->report == NULL)
				continue;
			if (!ItemPointerIsValid(&tid))
				PROBLEM(check, link.block, "7: slot %d has no valid row address", slot);
			else if (tidset_has(check->tids, &tid))
				PROBLEM(check, link.block,
						"7: row (%u,%u) is in the index twice",
						ItemPointerGetBlockNumber(&tid),
						ItemPointerGetOffsetNumber(&tid));
			else
			{
				tidset_add(check->tids, &tid);
				check_filters(check, image, slot, &tid);
			}
		}
	}
	pfree(vector);
}

/* Walk the side list; returns its rows. */
static double
check_side_list(CheckState *check)
{
	BlockNumber block = check->meta.side_head;
	BlockNumber from = KTREE_META_BLOCK;
	uint8	   *seen = palloc0(check->blocks / 8 + 1);
	double		rows = 0;

	while (block != InvalidBlockNumber)
	{
		Buffer		buffer;
		KtreeSidePage *side;
		KtreeSideEntry *entries;
		int			count;

		CHECK_FOR_INTERRUPTS();
		if (block >= check->blocks || ((seen[block / 8] >> (block % 8)) & 1))
		{
			PROBLEM(check, from, "9: side list leads to block %u", block);
			break;
		}
		seen[block / 8] |= (uint8) (1 << (block % 8));
		buffer = ReadBuffer(check->index, block);
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		if (!ktree_page_is(BufferGetPage(buffer), KTREE_PAGE_SIDE) ||
			KtreePageSide(BufferGetPage(buffer))->count > KTREE_SIDE_CAPACITY)
		{
			UnlockReleaseBuffer(buffer);
			PROBLEM(check, block, "9: not a page of the side list");
			break;
		}
		side = KtreePageSide(BufferGetPage(buffer));
		count = side->count;
		entries = palloc(sizeof(KtreeSideEntry) * KTREE_SIDE_CAPACITY);
		memcpy(entries, side->entries, sizeof(KtreeSideEntry) * count);
		from = block;
		block = side->next;
		UnlockReleaseBuffer(buffer);
		rows += count;
		for (int i = 0; i < count; i++)
		{
			ItemPointer tid = &entries[i].tid;

			if (entries[i].reason < KTREE_SIDE_NULL ||
				entries[i].reason > KTREE_SIDE_HUGE)
				PROBLEM(check, from, "9: entry %d has the unknown reason %u", i, entries[i].reason);
			if (!ItemPointerIsValid(tid))
				PROBLEM(check, from, "9: entry %d has no valid row address", i);
			else if (tidset_has(check->tids, tid))
				PROBLEM(check, from, "7: row (%u,%u) is in the index twice",
						ItemPointerGetBlockNumber(tid),
						ItemPointerGetOffsetNumber(tid));
			else
				tidset_add(check->tids, tid);
		}
		pfree(entries);
	}
	pfree(seen);
	return rows;
}

/* Pages that the side list once used must be pages of its kind. */
static void
check_free_side_pages(CheckState *check)
{
	BlockNumber block = check->meta.side_free;
	BlockNumber from = KTREE_META_BLOCK;
	BlockNumber steps = 0;

	while (block != InvalidBlockNumber)
	{
		Buffer		buffer;
		bool		ours;

		CHECK_FOR_INTERRUPTS();
		if (block >= check->blocks || ++steps > check->blocks)
		{
			PROBLEM(check, from, "9: free pages of the side list lead to block %u", block);
			return;
		}
		buffer = ReadBuffer(check->index, block);
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		ours = ktree_page_is(BufferGetPage(buffer), KTREE_PAGE_SIDE);
		from = block;
		if (ours)
			block = KtreePageSide(BufferGetPage(buffer))->next_free;
		UnlockReleaseBuffer(buffer);
		if (!ours)
		{
			PROBLEM(check, from, "9: not a page of the side list, though free");
			return;
		}
	}
}

static void
check_free_list(CheckState *check)
{
	BlockNumber block = check->meta.free_head;
	BlockNumber from = KTREE_META_BLOCK;
	uint32		count = 0;

	while (block != InvalidBlockNumber)
	{
		Buffer		buffer;
		KtreeNode	node;
		bool		ours;

		CHECK_FOR_INTERRUPTS();
		if (block >= check->blocks)
		{
			PROBLEM(check, from, "3: free list leads to block %u", block);
			return;
		}
		if (test_and_set(check, block))
		{
			PROBLEM(check, block, "3: on the free list and elsewhere, or there twice");
			return;
		}
		buffer = ReadBuffer(check->index, block);
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		ours = ktree_page_is(BufferGetPage(buffer), KTREE_PAGE_NODE);
		if (ours)
			node = *KtreePageNode(BufferGetPage(buffer));
		UnlockReleaseBuffer(buffer);
		if (!ours || node.state == KTREE_LIVE ||
			!(node.flags & KTREE_ON_FREE_LIST))
		{
			PROBLEM(check, block, "3: free list leads to what is not a free node");
			return;
		}
		count++;
		from = block;
		block = node.next_free;
	}
	if (count != check->meta.free_count &&
		check->meta.free_head != InvalidBlockNumber)
		PROBLEM(check, KTREE_META_BLOCK, "3: %u free nodes claimed, %u found",
				check->meta.free_count, count);
}

/* Test the metapage; false when nothing else can be trusted. */
static bool
check_meta(CheckState *check)
{
	const KtreeMeta *meta = &check->meta;
	Buffer		buffer;
	bool		ours;

	if (check->blocks == 0)
	{
		PROBLEM(check, KTREE_META_BLOCK, "1: the index has no metapage");
		return false;
	}
	buffer = ReadBuffer(check->index, KTREE_META_BLOCK);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	ours = ktree_page_is(BufferGetPage(buffer), KTREE_PAGE_META);
	if (ours)
		check->meta = *KtreePageMeta(BufferGetPage(buffer));
	UnlockReleaseBuffer(buffer);
	if (!ours || meta->magic != KTREE_MAGIC || meta->version != KTREE_VERSION)
	{
		PROBLEM(check, KTREE_META_BLOCK, "1: not a ktree metapage of a known version");
		return false;
	}
	if (meta->dims == 0)
	{
		if (meta->height >= 0)
			PROBLEM(check, KTREE_META_BLOCK, "1: a tree without dimensions");
		return true;
	}
	if (meta->dims < 0 || meta->dims > KTREE_MAX_DIMS)
	{
		PROBLEM(check, KTREE_META_BLOCK, "1: %d dimensions", meta->dims);
		return false;
	}
	ktree_layout_init(&check->layout, meta->dims,
					  ktree_filter_count(check->index));
	if ((uint32) check->layout.filters != meta->filters ||
		check->layout.padded != meta->padded ||
		check->layout.coded != meta->coded ||
		check->layout.capacity != meta->capacity ||
		check->layout.extent_pages != meta->extent_pages ||
		meta->page_size_kb != BLCKSZ / 1024)
	{
		PROBLEM(check, KTREE_META_BLOCK, "1: layout is not that of %d dimensions", meta->dims);
		return false;
	}
	if (meta->height < -1 || meta->height >= MAX_LEVELS)
	{
		PROBLEM(check, KTREE_META_BLOCK, "1: height %d", meta->height);
		return false;
	}
	if (meta->metric != ktree_kind(check->index)->metric ||
		meta->element != ktree_kind(check->index)->element)
		PROBLEM(check, KTREE_META_BLOCK, "1: metric or type is not the operator class's");
	if (!finite_float(meta->scale) || meta->scale <= 0)
		PROBLEM(check, KTREE_META_BLOCK, "1: the usual length of a vector is %g", meta->scale);
	return true;
}

/* The origin: pages of their kind, and numbers. */
static void
check_origin(CheckState *check)
{
	int			per_page = (int) ((KTREE_PAGE_END - KTREE_PAGE_START) /
								  sizeof(float));

	for (int part = 0; part < check->layout.origin_pages; part++)
	{
		BlockNumber block = check->meta.origin_block + part;
		Buffer		buffer;
		Page		page;
		const char *wrong = NULL;

		if (check->meta.origin_block == KTREE_META_BLOCK ||
			block >= check->blocks || check->meta.origin_block > check->blocks)
		{
			PROBLEM(check, KTREE_META_BLOCK, "1: the origin lies at block %u", block);
			return;
		}
		buffer = ReadBuffer(check->index, block);
		LockBuffer(buffer, BUFFER_LOCK_SHARE);
		page = BufferGetPage(buffer);
		if (!ktree_page_is(page, KTREE_PAGE_ORIGIN) ||
			KtreePageSpecial(page)->part != part ||
			KtreePageSpecial(page)->first != check->meta.origin_block)
			wrong = "1: not a page of the origin";
		else
		{
			const float *origin = (const float *) (page + KTREE_PAGE_START);

			for (int d = 0;
				 d < Min(per_page, check->layout.padded - part * per_page);
				 d++)
			{
				if (!finite_float(origin[d]))
					wrong = "1: the origin is not finite";
			}
		}
		UnlockReleaseBuffer(buffer);
		if (wrong != NULL)
			PROBLEM(check, block, "%s", wrong);
	}
}

/* Get ready to read the table's rows, if there is something to compare. */
static void
open_rows(CheckState *check)
{
	const Form_pg_index form = check->index->rd_index;

	if (check->report == NULL || check->layout.filters == 0 ||
		!ActiveSnapshotSet())
		return;
	/* functions of the user are not called */
	for (int i = 0; i < form->indnkeyatts; i++)
	{
		if (form->indkey.values[i] == 0)
			return;
	}
	check->heap = table_open(form->indrelid, AccessShareLock);
	check->table_rows = index_rows_begin(check->heap, check->index);
}

static void
close_rows(CheckState *check)
{
	if (check->table_rows == NULL)
		return;
	index_rows_end(check->table_rows);
	table_close(check->heap, AccessShareLock);
}

static double
walk(CheckState *check, Relation index, IndexReport *report)
{
	double		side = 0;

	memset(check, 0, sizeof(*check));
	check->index = index;
	check->report = report;
	check->blocks = RelationGetNumberOfBlocks(index);
	if (!check_meta(check))
		return 0;
	check->reached = palloc0(check->blocks / 8 + 1);
	check->tids = tidset_create();
	if (check->meta.dims > 0)
	{
		check_origin(check);
		open_rows(check);
		for (int level = 0; level <= check->meta.height; level++)
			check->image[level] = ktree_image_create(&check->layout);
		if (check->meta.height >= 0)
			check_node(check, check->meta.root, KTREE_META_BLOCK,
					   check->meta.height);
		close_rows(check);
		check_free_list(check);
	}
	side = check_side_list(check);
	check_free_side_pages(check);
	return side;
}

void
ktree_check(Relation index, IndexReport *report)
{
	CheckState	check;
	bool		lock = !RecoveryInProgress();

	if (lock)
		ktree_lock_structure(index);
	(void) walk(&check, index, report);
	if (lock)
		ktree_unlock_structure(index);
}

void
ktree_statistics(Relation index, IndexReport *report)
{
	CheckState	check;
	double		side;
	double		bytes;
	static const double recalls[] = {0.9, 0.95, 0.99, 0.999};
	bool		lock = !RecoveryInProgress();

	if (lock)
		ktree_lock_structure(index);
	side = walk(&check, index, NULL);
	if (lock)
		ktree_unlock_structure(index);
	bytes = (double) check.blocks * BLCKSZ;

	index_report_property(report, "format version", check.meta.version);
	index_report_property(report, "dimensions", check.meta.dims);
	index_report_property(report, "rotated dimensions", check.meta.padded);
	index_report_property(report, "one-bit dimensions", check.meta.coded);
	index_report_property(report, "height", check.meta.height);
	index_report_property(report, "leaves", check.nodes[0]);
	index_report_property(report, "inner nodes", check.nodes[1]);
	index_report_property(report, "slots per node", check.meta.capacity);
	index_report_property(report, "pages per node", check.meta.extent_pages);
	index_report_property(report, "rows in leaves", check.rows);
	index_report_property(report, "rows aside", side);
	index_report_property(report, "dead slots", check.used[0] - check.live[0]);
	index_report_property(report, "leaf fill",
						  check.nodes[0] > 0
							  ? check.live[0] /
									(check.nodes[0] * check.meta.capacity)
							  : 0);
	index_report_property(report, "extents", check.meta.extents);
	index_report_property(report, "free nodes", check.meta.free_count);
	index_report_property(report, "pages", check.blocks);
	index_report_property(report, "bytes per row", check.rows + side > 0 ?
						  bytes / (check.rows + side) : bytes);
	index_report_property(report, "rows when calibrated", (double) check.meta.calibrated_tuples);
	index_report_property(report, "calibration samples", check.meta.samples);
	index_report_property(report, "leaves when calibrated", check.meta.calibrated_leaves);
	for (int i = 0; i < (int) lengthof(recalls) && check.meta.samples > 0; i++)
	{
		static const int limits[] = {1, 10, 100};

		index_report_property(report, psprintf("patience for recall %g", recalls[i]),
							  ktree_patience(&check.meta, 10, recalls[i]));
		index_report_property(report, psprintf("patience for recall %g of 1000 rows", recalls[i]),
							  ktree_patience(&check.meta, 1000, recalls[i]));
		for (int l = 0; l < (int) lengthof(limits); l++)
			index_report_property(report,
								  psprintf("leaves for recall %g of %d rows",
										   recalls[i], limits[l]),
								  ktree_expected_leaves(&check.meta, limits[l],
														recalls[i]));
	}
	index_report_property(report, "splits", (double) check.meta.splits);
	index_report_property(report, "merges", (double) check.meta.merges);
}
