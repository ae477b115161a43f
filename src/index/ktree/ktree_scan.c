/*-------------------------------------------------------------------------
 *
 * ktree_scan.c
 *	  Index scans: windows of exactly sorted rows.
 *
 * A window asks ktree_search.c for the best rows by their codes, and hands
 * them out in order of the true distance: a row waits in a heap under a lower
 * bound of its distance, and when it comes to the top its distance is computed
 * from the table's row with the operator's own function, and it goes back.
 * So only about as many rows are read as are wanted, and LIMIT need not be
 * known.  The bound is probabilistic, five standard deviations of the
 * four-bit code's error.
 *
 * The first window finds as many rows as the query's limit, embed.candidates
 * at the least.  Later ones continue its search, each for half as many again.
 * A window hands out nothing beyond its threshold: what lies there may have
 * nearer rows that are not known yet.  A row that a later window finds nearer
 * than what was handed out already is late, and can no more come in its place:
 * a limited answer goes without it, as without a row that was not found, for
 * it has to be in order; any other has it in the end, for it has to be
 * complete.  Then come the rows of the side list.
 *
 * What a search remembers is bounded by work_mem.  When a scan has read so far
 * that something had to be forgotten, the next window begins a new search,
 * without the rows that were handed out.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <float.h>
#include <math.h>

#include "access/relscan.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "pgstat.h"
#include "utils/float.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "index/ktree/ktree_scan.h"
#include "type/vector.h"

/* Standard deviations between a row's estimated score and its bound. */
#define BOUND_DEVIATIONS	5.0f

/*
 * Relative slack for rounding between the codes' arithmetic and the
 * operator's.
 */
#define ROUNDING_SLACK		1e-6f

/* Rows whose pages are asked for when a window begins to hand out. */
#define PREFETCHED_ROWS 16

/*
 * Many searches are short: the memory of one is kept for the next, or much of
 * their time would go into getting it from the operating system and giving it
 * back.  NULL while a scan has it; an error then takes it along.
 */
static MemoryContext spare_context;

#define SCAN_MEMORY (128 * 1024)

static MemoryContext
take_context(void)
{
	MemoryContext context = spare_context;

	if (context == NULL)
		return AllocSetContextCreate(CurrentMemoryContext, "ktree scan", SCAN_MEMORY,
									 SCAN_MEMORY, ALLOCSET_DEFAULT_MAXSIZE);
	spare_context = NULL;
	MemoryContextSetParent(context, CurrentMemoryContext);
	return context;
}

static void
give_context(MemoryContext context)
{
	if (spare_context != NULL)
	{
		MemoryContextDelete(context);
		return;
	}
	MemoryContextReset(context);
	MemoryContextSetParent(context, TopMemoryContext);
	spare_context = context;
}

IndexScanDesc
ktree_beginscan(Relation index, int nkeys, int norderbys)
{
	IndexScanDesc scan = RelationGetIndexScan(index, nkeys, norderbys);
	KtreeScanState  *state = palloc0(sizeof(KtreeScanState));

	state->context = take_context();
	if (norderbys > 0)
	{
		scan->xs_orderbyvals = palloc0(sizeof(Datum) * norderbys);
		scan->xs_orderbynulls = palloc(sizeof(bool) * norderbys);
		memset(scan->xs_orderbynulls, true, sizeof(bool) * norderbys);
	}
	scan->opaque = state;
	return scan;
}

void
ktree_rescan(IndexScanDesc scan, ScanKey keys, int nkeys, ScanKey orderbys,
			 int norderbys)
{
	KtreeScanState  *state = scan->opaque;

	if (keys != NULL && scan->numberOfKeys > 0)
		memmove(scan->keyData, keys, sizeof(ScanKeyData) * scan->numberOfKeys);
	if (orderbys != NULL && scan->numberOfOrderBys > 0)
		memmove(scan->orderByData, orderbys,
				sizeof(ScanKeyData) * scan->numberOfOrderBys);
	MemoryContextReset(state->context);
	state->started = false;
	state->effort.recall = embed_recall;
	state->effort.candidates = embed_candidates;
	state->effort.share = 0;
	if (state->distance != NULL)
		index_distance_reset(state->distance);
}

/* Raise the effort of a scan; after ktree_rescan(). */
void
ktree_search_harder(IndexScanDesc scan, const KtreeEffort *effort)
{
	KtreeEffort *own = &((KtreeScanState *) scan->opaque)->effort;

	own->recall = Max(own->recall, effort->recall);
	own->candidates = Max(own->candidates, effort->candidates);
	own->share = Max(own->share, effort->share);
}

void
ktree_endscan(IndexScanDesc scan)
{
	KtreeScanState  *state = scan->opaque;

	if (state->distance != NULL)
		index_distance_end(state->distance);
	give_context(state->context);
	pfree(state);
	scan->opaque = NULL;
}

/*
 * Exact distance of a row by the operator's own function; false when the
 * scan's snapshot does not see it.
 */
static bool
fetch_distance(IndexScanDesc scan, KtreeScanState *state, ItemPointer tid,
			   double *distance)
{
	bool		null;

	if (state->distance == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(
			GetMemoryChunkContext(state));

		state->distance = index_distance_begin(
			scan,
			index_getprocinfo(scan->indexRelation, 1, KTREE_DISTANCE_PROC),
			scan->indexRelation->rd_indcollation[0]);
		MemoryContextSwitchTo(old);
	}
	if (!index_distance_of_row(state->distance, scan, tid, state->query,
							   distance, &null))
		return false;
	if (null)
		*distance = get_float8_nan();
	return true;
}

static void
push_row(KtreeScanState *state, const ScanRow *row)
{
	int			at;

	if (state->row_count == state->row_room)
	{
		state->row_room = Max(state->row_room * 2, 128);
		state->rows =
			state->rows == NULL
				? MemoryContextAllocHuge(
						state->context,
						sizeof(ScanRow) * (Size) state->row_room)
				: repalloc_huge(state->rows,
								sizeof(ScanRow) * (Size) state->row_room);
	}
	at = state->row_count++;
	while (at > 0 && state->rows[(at - 1) / 2].distance > row->distance)
	{
		state->rows[at] = state->rows[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	state->rows[at] = *row;
}

static ScanRow
pop_row(KtreeScanState *state)
{
	ScanRow    *rows = state->rows;
	ScanRow		top = rows[0];
	ScanRow		last = rows[--state->row_count];
	int			at = 0;

	for (;;)
	{
		int			child = 2 * at + 1;

		if (child >= state->row_count)
			break;
		if (child + 1 < state->row_count &&
			rows[child + 1].distance < rows[child].distance)
			child++;
		if (rows[child].distance >= last.distance)
			break;
		rows[at] = rows[child];
		at = child;
	}
	rows[at] = last;
	return top;
}

/* A bound in the operator's terms from a score of the codes. */
static double
bound_of_score(const KtreeScanState *state, const KtreeRow *row)
{
	float		slack = ROUNDING_SLACK * fabsf(row->score);
	double		score = row->score - BOUND_DEVIATIONS * row->error - slack;

	switch (state->cache->kind.metric)
	{
		case KTREE_L2:
			return sqrt(Max(score, 0));
		case KTREE_COSINE:
			return Max(score, 0) / 2;
		case KTREE_INNER:
			return score / 2 / state->scale;
	}
	return 0;
}

/*
 * The score that a row of this distance has: as rounded as scores are, or the
 * row that is the threshold would lie beyond it, and a window of such rows
 * would hand out none.
 */
static float
score_of_distance(const KtreeScanState *state, double distance)
{
	return (float) (state->cache->kind.metric == KTREE_L2 ?
					distance * distance : 2 * distance * state->scale);
}

/*
 * Copy the next page of the side list.  Pages may be reused while no lock
 * is held; what then comes twice is known by its address.
 */
static bool
read_side_page(IndexScanDesc scan, KtreeScanState *state)
{
	Buffer		buffer;
	KtreeSidePage *side;

	if (state->side_next == InvalidBlockNumber)
		return false;
	ktree_side_step(scan->indexRelation, &state->side_steps);
	if (state->side == NULL)
		state->side = MemoryContextAlloc(
			state->context, sizeof(KtreeSideEntry) * KTREE_SIDE_CAPACITY);
	buffer = ReadBuffer(scan->indexRelation, state->side_next);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	ktree_check_page(scan->indexRelation, buffer, KTREE_PAGE_SIDE);
	last_index_scan.pages++;
	side = KtreePageSide(BufferGetPage(buffer));
	state->side_count = Min(side->count, KTREE_SIDE_CAPACITY);
	memcpy(state->side, side->entries,
		   sizeof(KtreeSideEntry) * state->side_count);
	state->side_at = 0;
	state->side_next = side->next;
	UnlockReleaseBuffer(buffer);
	return true;
}

/* Distances of the rows whose vectors the codes cannot hold. */
static void
read_huge_rows(IndexScanDesc scan, KtreeScanState *state)
{
	int			room = 64;

	state->huge = MemoryContextAlloc(state->context, sizeof(ScanRow) * room);
	state->side_next = state->meta.side_head;
	state->side_steps = 0;
	while (read_side_page(scan, state))
	{
		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < state->side_count; i++)
		{
			ScanRow    *row;

			if (state->side[i].reason != KTREE_SIDE_HUGE)
				continue;
			if (state->huge_count == room)
			{
				room *= 2;
				state->huge = repalloc_huge(state->huge,
											sizeof(ScanRow) * (Size) room);
			}
			row = &state->huge[state->huge_count];
			row->tid = state->side[i].tid;
			row->known = -1;
			row->exact = true;
			if (!fetch_distance(scan, state, &row->tid, &row->distance))
				continue;
			/* without a place in the order: with the rest of the side list */
			if (!isnan(row->distance))
				state->huge_count++;
		}
	}
}

static void
start_scan(IndexScanDesc scan, KtreeScanState *state)
{
	Relation	index = scan->indexRelation;
	MemoryContext old = MemoryContextSwitchTo(state->context);
	KtreeClass class = KTREE_NORMAL;

	state->started = true;
	state->unordered = state->exhausted = state->finished = false;
	state->rows = state->huge = NULL;
	state->row_count = state->row_room = state->huge_count = 0;
	state->side = NULL;
	state->side_pass = 0;
	state->leaves = 0;
	state->searching = false;
	state->handed = state->window_start = state->read = state->seen = 0;
	state->unseen = 1;
	state->scale = 1;
	state->broken_off = false;
	state->last = -get_float8_infinity();
	state->late = NULL;
	state->late_count = state->late_room = state->late_at = 0;
	state->search = NULL;
	memset(&last_index_scan, 0, sizeof(last_index_scan));
	pgstat_count_index_scan(index);

	ktree_read_meta(index, &state->meta);
	state->cache = ktree_cache(index);
	state->returned = tidset_create();
	state->unordered = scan->numberOfOrderBys == 0 ||
		(scan->orderByData[0].sk_flags & SK_ISNULL);

	if (!state->unordered)
	{
		Datum		value = PointerGetDatum(
				  PG_DETOAST_DATUM_COPY(scan->orderByData[0].sk_argument));
		const KtreeKind *kind = ktree_kind(index);
		int			dims = ktree_datum_dims(kind, value);
		int			declared = ktree_column_dims(index);
		float	   *vector = palloc(sizeof(float) * dims);

		state->query = value;
		if (state->cache != NULL)
			declared = state->cache->layout.dims;
		if (declared > 0 && dims != declared && ktree_column_dims(index) > 0)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("different %s dimensions %d and %d",
							kind->element == KTREE_VECTOR ? "vector" : "halfvec",
							declared, dims)));
		class = ktree_load_vector(kind, value, vector);

		/*
		 * an error for rows that are there, which those of a rollback are not
		 */
		if (declared > 0 && dims != declared)
			class = KTREE_HUGE;
		if (state->cache != NULL)
		{
			state->search = ktree_search_create(index, state->cache);
			if (kind->metric == KTREE_INNER && dims == declared)
			{
				/* any length will do */
				class = KTREE_NORMAL;
				state->scale = ktree_query_scale(state->cache, vector);
			}
			if (class == KTREE_NORMAL)
				ktree_to_index_space(
					state->cache, vector,
					ktree_search_query(state->search)->vector);
		}
		if (state->meta.huge_rows > 0)
			read_huge_rows(scan, state);
		/* under cosine every distance to the zero vector is NaN */
		if (class == KTREE_ZERO && kind->metric == KTREE_COSINE)
			state->unordered = true;
	}
	else if (state->cache != NULL)
		state->search = ktree_search_create(index, state->cache);

	if (state->search != NULL)
	{
		if (state->unordered || class != KTREE_NORMAL)
			memset(ktree_search_query(state->search)->vector, 0,
				   sizeof(float) * state->cache->layout.padded);
		rabitq_query_prepare(&ktree_search_query(state->search)->code);
	}

	/*
	 * A query beyond the codes' arithmetic is answered by one window over all
	 * rows.
	 */
	state->everything = class == KTREE_HUGE;
	ktree_plan_windows(scan, state);
	state->count = 0;
	state->exhausted = (state->search == NULL);
	state->filter = ktree_filter_create(index, scan->keyData,
										scan->numberOfKeys);
	if (state->search != NULL)
		ktree_search_filter(state->search, state->filter);
	MemoryContextSwitchTo(old);
}

/* The table's pages that the first distances will need. */
static void
prefetch_rows(Relation heap, const KtreeScanState *state)
{
	for (int i = 0; i < Min(state->row_count, PREFETCHED_ROWS); i++)
	{
		const ItemPointerData *tid = &state->rows[i].tid;

		index_prefetch(heap, ItemPointerGetBlockNumber(tid),
					   SizeOfPageHeaderData + ItemPointerGetOffsetNumber(tid) *
												  sizeof(ItemIdData),
					   1);
	}
}

/* Take a row out of what may be handed out. */
static void
forget_row(KtreeScanState *state, const ScanRow *row)
{
	MemoryContext old = MemoryContextSwitchTo(state->context);

	tidset_add(state->returned, (ItemPointer) &row->tid);
	MemoryContextSwitchTo(old);
	if (row->known >= 0)
	{
		int			count;

		ktree_search_rows(state->search, &count)[row->known].state =
			KTREE_ROW_DONE;
	}
}

/* A row that comes too late, or has no distance: it waits until the end. */
static void
set_aside(KtreeScanState *state, const ScanRow *row)
{
	if (state->late_count == state->late_room)
	{
		state->late_room = Max(state->late_room * 2, 64);
		state->late =
			state->late == NULL
				? MemoryContextAllocHuge(
						state->context,
						sizeof(ScanRow) * (Size) state->late_room)
				: repalloc_huge(state->late,
								sizeof(ScanRow) * (Size) state->late_room);
	}
	forget_row(state, row);
	state->late[state->late_count] = *row;
	state->late[state->late_count++].known = -1;	/* of another search by
													 * then */
}

/* Fill the heap with what the search knows within its threshold. */
void
ktree_fill_heap(IndexScanDesc scan, KtreeScanState *state)
{
	double		threshold = ktree_search_threshold(state->search);
	bool		complete = ktree_search_complete(state->search);
	KtreeRow   *found;
	int			found_count;

	state->row_count = 0;
	found = ktree_search_rows(state->search, &found_count);
	for (int i = 0; i < found_count; i++)
	{
		ScanRow		row;

		if (found[i].state == KTREE_ROW_DONE ||
			(!complete &&
			 found[i].score - BOUND_DEVIATIONS * found[i].error > threshold))
			continue;
		row.tid = found[i].tid;
		row.known = i;
		row.exact = state->unordered || found[i].state == KTREE_ROW_EXACT;
		row.distance = state->unordered ? 0 :
			row.exact ? found[i].distance : bound_of_score(state, &found[i]);
		push_row(state, &row);
	}
	for (int i = 0; i < state->huge_count; i++)
	{
		if (!tidset_has(state->returned, &state->huge[i].tid))
			push_row(state, &state->huge[i]);
	}
	if (!state->unordered)
		prefetch_rows(scan->heapRelation, state);
}

static bool
hand_out(IndexScanDesc scan, KtreeScanState *state, const ScanRow *row)
{
	forget_row(state, row);
	scan->xs_heaptid = row->tid;
	/* hashes are not values, and the side list has neither */
	scan->xs_recheck = state->filter != NULL &&
		(row->known < 0 || ktree_filter_lossy(state->filter));
	scan->xs_recheckorderby = false;
	last_index_scan.returned++;
	state->handed++;
	state->last = row->distance;
	return true;
}

/* Replace a row's bound by its distance; false when it is not to be seen. */
static bool
find_distance(IndexScanDesc scan, KtreeScanState *state, ScanRow *row)
{
	int			count;

	state->read++;
	if (!fetch_distance(scan, state, &row->tid, &row->distance))
		return false;
	state->seen++;
	row->exact = true;
	if (row->known >= 0 && !isnan(row->distance))
	{
		KtreeRow   *known = &ktree_search_rows(state->search,
											   &count)[row->known];

		known->score = score_of_distance(state, row->distance);
		known->distance = row->distance;
		known->state = KTREE_ROW_EXACT;
		known->error = 0;
		known->bad = false;
	}
	return true;
}

/* The next row of the current window. */
static bool
next_row(IndexScanDesc scan, KtreeScanState *state)
{
	double		threshold = state->exhausted || state->unordered
								? get_float8_infinity()
								: ktree_search_threshold(state->search);

	while (state->row_count > 0 && state->handed < state->count)
	{
		ScanRow		row = pop_row(state);

		/*
		 * A leaf that was split after it was read is met again in what
		 * replaced it, so one search may find a row twice.
		 */
		if (tidset_has(state->returned, &row.tid))
		{
			forget_row(state, &row);
			continue;
		}
		if (!row.exact)
		{
			if (!find_distance(scan, state, &row))
			{
				/* not for our snapshot: nobody need look again */
				forget_row(state, &row);
				if (!state->exhausted &&
					ktree_window_sees_little(state))
				{
					/* nearer rows may be where this window did not look */
					state->broken_off = true;
					state->row_count = 0;
					return false;
				}
				continue;
			}
			if (isnan(row.distance))
			{
				/* comes after all that have a place in the order */
				set_aside(state, &row);
				continue;
			}
			/* often it is still the nearest: spare the heap */
			if (state->row_count > 0 && row.distance > state->rows[0].distance)
			{
				push_row(state, &row);
				continue;
			}
		}
		if (!state->exhausted &&
			score_of_distance(state, row.distance) > threshold)
		{
			state->row_count = 0;
			return false;
		}
		if (!state->exhausted && ktree_window_passes_little(state))
		{
			/* rows that pass may be where this window did not look */
			state->broken_off = true;
			state->row_count = 0;
			return false;
		}
		if (row.distance < state->last)
		{
			/* of a limited answer it is missing, like one not found */
			if (state->limited)
				forget_row(state, &row);
			else
				set_aside(state, &row);
			continue;
		}
		return hand_out(scan, state, &row);
	}
	return false;
}

static int
compare_rows(const void *a, const void *b)
{
	return float8_cmp_internal(((const ScanRow *) a)->distance,
							   ((const ScanRow *) b)->distance);
}

/* The next of the rows that were set aside. */
static bool
next_late_row(IndexScanDesc scan, KtreeScanState *state)
{
	if (state->late_at == 0 && state->late_count > 0)
		qsort(state->late, state->late_count, sizeof(ScanRow), compare_rows);
	if (state->late_at == state->late_count)
		return false;
	return hand_out(scan, state, &state->late[state->late_at++]);
}

static void
begin_side_pass(IndexScanDesc scan, KtreeScanState *state)
{
	KtreeMeta	meta;

	ktree_read_meta(scan->indexRelation, &meta);
	state->side_pass++;
	state->side_next = meta.side_head;
	state->side_steps = 0;
	state->side_count = state->side_at = 0;
}

/*
 * The next row of the side list that has not been returned: first those
 * whose distance is NaN, then those without a vector, as a sort has them.
 */
static bool
next_side_row(IndexScanDesc scan, KtreeScanState *state)
{
	if (state->side_pass == 0)
		begin_side_pass(scan, state);
	for (;;)
	{
		while (state->side_at < state->side_count)
		{
			KtreeSideEntry *entry = &state->side[state->side_at++];
			ScanRow		row = {0};

			row.tid = entry->tid;
			row.known = -1;
			if ((state->side_pass == 2 || entry->reason != KTREE_SIDE_NULL) &&
				!tidset_has(state->returned, &row.tid))
				return hand_out(scan, state, &row);
		}
		CHECK_FOR_INTERRUPTS();
		if (read_side_page(scan, state))
			continue;
		if (state->side_pass == 2)
			return false;
		begin_side_pass(scan, state);
	}
}

bool
ktree_gettuple(IndexScanDesc scan, ScanDirection direction)
{
	KtreeScanState  *state = scan->opaque;

	Assert(ScanDirectionIsForward(direction));
	if (!state->started)
		start_scan(scan, state);
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (next_row(scan, state))
			return true;
		if (state->finished)
			return false;
		if (state->exhausted)
			break;
		ktree_next_window(scan, state);
	}
	if (next_late_row(scan, state))
		return true;

	/* huge rows of an index that has no tree */
	while (state->huge_count > 0 && state->search == NULL)
	{
		for (int i = 0; i < state->huge_count; i++)
			push_row(state, &state->huge[i]);
		state->huge_count = 0;
		state->count = PG_INT64_MAX;
		if (next_row(scan, state))
			return true;
	}
	return next_side_row(scan, state);
}
