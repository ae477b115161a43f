/*-------------------------------------------------------------------------
 *
 * ktree_scan.c
 *	  Index scans: windows of exactly sorted rows.
 *
 * A window asks ktree_search.c for the best rows by their codes, and hands them out
 * in order of the true distance: a row waits in a heap under a lower bound
 * of its distance, and when it comes to the top its distance is computed
 * from the table's row with the operator's own function, and it goes back.
 * So only about as many rows are read as are wanted, and LIMIT need not be
 * known.  The bound is probabilistic, five standard deviations of the
 * four-bit code's error.
 *
 * The first window finds embed.candidates rows.  Later ones continue its
 * search, each for half as many again.  A window hands out nothing beyond its
 * threshold: what lies there may have nearer rows that are not known yet.  A
 * row that a later window finds nearer than what was handed out already is
 * late: it is set aside and comes when all others have come, so that the order
 * of an answer is that of the true distance.  Then come the rows of the side
 * list.
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

#include "index/ktree/ktree.h"
#include "type/vector.h"

/* Standard deviations between a row's estimated score and its bound. */
#define BOUND_DEVIATIONS	5.0f

/* Relative slack for rounding between the codes' arithmetic and the operator's. */
#define ROUNDING_SLACK		1e-6f

/* Rows whose pages are asked for when a window begins to hand out. */
#define PREFETCHED_ROWS 16

/*
 * A window that reads this many times as many rows without seeing them as it
 * reckoned with is given up for one that looks farther: that far at least.
 */
#define UNSEEN_SHARE	1.5
#define LEAST_PATIENCE	8

/* A row of the current window. */
typedef struct Row
{
	double		distance;		/* exact, or a bound */
	int			known;			/* among the search's rows; -1: of the side list */
	bool		exact;
	ItemPointerData tid;
} Row;

typedef struct KtreeScanState
{
	MemoryContext context;		/* everything that lasts until the next rescan */
	bool		started;
	bool		unordered;		/* no distances: any order will do */
	bool		everything;		/* one window over all rows */
	bool		exhausted;		/* the tree has no more rows */
	bool		finished;
	KtreeMeta	meta;
	KtreeCache *cache;
	KtreeSearch *search;
	struct KtreeFilter *filter; /* conditions, or NULL */
	Datum		query;
	struct TidSet *returned;	/* handed out, late, or not to be seen */
	bool		searching;		/* the search can be continued */
	int64		count;			/* rows up to the end of this window */
	int64		handed;			/* handed out */
	int64		window_start;	/* so many when this window began */
	double		scale;			/* of the query, for inner products; else 1 */
	int64		read;			/* distances asked for */
	int64		seen;			/* of them of rows that the snapshot sees */
	double		unseen;			/* rows read for each one seen, as of this window */
	bool		broken_off;		/* this window met more unseen rows than it
								 * reckoned with */
	double		last;			/* distance of the row handed out last */
	Row		   *rows;			/* min-heap */
	int			row_count;
	int			row_room;
	int64		leaves;			/* of searches that cannot be continued */
	Row		   *late;
	int			late_count;
	int			late_room;
	int			late_at;
	/* rows of the side list that have a distance */
	Row		   *huge;
	int			huge_count;
	/* the rest of the side list, at the end */
	KtreeSideEntry *side;
	int			side_count;
	int			side_at;
	BlockNumber side_next;
	int			side_pass;		/* over the list: 0 none yet, 1 without NULLs, 2 */
	uint32		side_steps;		/* pages of this pass */
	IndexDistance *distance;	/* from the table's rows */
} KtreeScanState;

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
ktree_rescan(IndexScanDesc scan, ScanKey keys, int nkeys, ScanKey orderbys, int norderbys)
{
	KtreeScanState  *state = scan->opaque;

	if (keys != NULL && scan->numberOfKeys > 0)
		memmove(scan->keyData, keys, sizeof(ScanKeyData) * scan->numberOfKeys);
	if (orderbys != NULL && scan->numberOfOrderBys > 0)
		memmove(scan->orderByData, orderbys, sizeof(ScanKeyData) * scan->numberOfOrderBys);
	MemoryContextReset(state->context);
	state->started = false;
	if (state->distance != NULL)
		index_distance_reset(state->distance);
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
 * fetch_distance
 *	  Exact distance of a row by the operator's own function; false when the
 *	  scan's snapshot does not see it.
 */
static bool
fetch_distance(IndexScanDesc scan, KtreeScanState *state, ItemPointer tid, double *distance)
{
	bool		null;

	if (state->distance == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(state));

		state->distance = index_distance_begin(scan, index_getprocinfo(scan->indexRelation, 1,
																	   KTREE_DISTANCE_PROC),
											   scan->indexRelation->rd_indcollation[0]);
		MemoryContextSwitchTo(old);
	}
	if (!index_distance_of_row(state->distance, scan, tid, state->query, distance, &null))
		return false;
	if (null)
		*distance = get_float8_nan();
	return true;
}

static void
push_row(KtreeScanState *state, const Row *row)
{
	int			at;

	if (state->row_count == state->row_room)
	{
		state->row_room = Max(state->row_room * 2, 128);
		state->rows = state->rows == NULL ?
			MemoryContextAllocHuge(state->context, sizeof(Row) * (Size) state->row_room) :
			repalloc_huge(state->rows, sizeof(Row) * (Size) state->row_room);
	}
	at = state->row_count++;
	while (at > 0 && state->rows[(at - 1) / 2].distance > row->distance)
	{
		state->rows[at] = state->rows[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	state->rows[at] = *row;
}

static Row
pop_row(KtreeScanState *state)
{
	Row		   *rows = state->rows;
	Row			top = rows[0];
	Row			last = rows[--state->row_count];
	int			at = 0;

	for (;;)
	{
		int			child = 2 * at + 1;

		if (child >= state->row_count)
			break;
		if (child + 1 < state->row_count && rows[child + 1].distance < rows[child].distance)
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

/* The score that a row of this distance has. */
static double
score_of_distance(const KtreeScanState *state, double distance)
{
	return state->cache->kind.metric == KTREE_L2 ? distance * distance :
		2 * distance * state->scale;
}

/*
 * read_side_page
 *	  Copy the next page of the side list.  Pages may be reused while no lock
 *	  is held; what then comes twice is known by its address.
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
		state->side = MemoryContextAlloc(state->context,
										 sizeof(KtreeSideEntry) * KTREE_SIDE_CAPACITY);
	buffer = ReadBuffer(scan->indexRelation, state->side_next);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	ktree_check_page(scan->indexRelation, buffer, KTREE_PAGE_SIDE);
	last_index_scan.pages++;
	side = KtreePageSide(BufferGetPage(buffer));
	state->side_count = Min(side->count, KTREE_SIDE_CAPACITY);
	memcpy(state->side, side->entries, sizeof(KtreeSideEntry) * state->side_count);
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

	state->huge = MemoryContextAlloc(state->context, sizeof(Row) * room);
	state->side_next = state->meta.side_head;
	state->side_steps = 0;
	while (read_side_page(scan, state))
	{
		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < state->side_count; i++)
		{
			Row		   *row;

			if (state->side[i].reason != KTREE_SIDE_HUGE)
				continue;
			if (state->huge_count == room)
			{
				room *= 2;
				state->huge = repalloc_huge(state->huge, sizeof(Row) * (Size) room);
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
		Datum		value = PointerGetDatum(PG_DETOAST_DATUM_COPY(scan->orderByData[0].sk_argument));
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

		/* an error for rows that are there, which those of a rollback are not */
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
				ktree_to_index_space(state->cache, vector,
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
	state->count = 0;
	state->exhausted = (state->search == NULL);
	state->filter = ktree_filter_create(index, scan->keyData, scan->numberOfKeys);
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
					   SizeOfPageHeaderData +
					   ItemPointerGetOffsetNumber(tid) * sizeof(ItemIdData), 1);
	}
}

/*
 * rows_wanted
 *	  How many rows the search has to find for the rest of this window.
 *
 * When many of the rows read so far were not to be seen, as many more are
 * needed.
 */
static int
rows_wanted(const KtreeScanState *state)
{
	int64		most = (int64) work_mem * 1024 / 2 / (sizeof(KtreeRow) + sizeof(Row));
	double		missing = (double) (state->count - state->handed);

	if (state->everything)
		return INT_MAX / 2;
	if (state->read > 0)
		missing *= Min(state->unseen, 2 + 2 * state->read / missing);
	missing += KTREE_EXTRA_ROWS(state->count);
	return (int) Min(missing, Max(most, 1000));
}

/* Take a row out of what may be handed out. */
static void
forget_row(KtreeScanState *state, const Row *row)
{
	MemoryContext old = MemoryContextSwitchTo(state->context);

	tidset_add(state->returned, (ItemPointer) &row->tid);
	MemoryContextSwitchTo(old);
	if (row->known >= 0)
	{
		int			count;

		ktree_search_rows(state->search, &count)[row->known].state = KTREE_ROW_DONE;
	}
}

/* A row that comes too late, or has no distance: it waits until the end. */
static void
set_aside(KtreeScanState *state, const Row *row)
{
	if (state->late_count == state->late_room)
	{
		state->late_room = Max(state->late_room * 2, 64);
		state->late = state->late == NULL ?
			MemoryContextAllocHuge(state->context, sizeof(Row) * (Size) state->late_room) :
			repalloc_huge(state->late, sizeof(Row) * (Size) state->late_room);
	}
	forget_row(state, row);
	state->late[state->late_count] = *row;
	state->late[state->late_count++].known = -1;	/* of another search by then */
}

/* Fill the heap with what the search knows within its threshold. */
static void
fill_heap(IndexScanDesc scan, KtreeScanState *state)
{
	double		threshold = ktree_search_threshold(state->search);
	bool		complete = ktree_search_complete(state->search);
	KtreeRow   *found;
	int			found_count;

	state->row_count = 0;
	found = ktree_search_rows(state->search, &found_count);
	for (int i = 0; i < found_count; i++)
	{
		Row			row;

		if (found[i].state == KTREE_ROW_DONE ||
			(!complete && found[i].score - BOUND_DEVIATIONS * found[i].error > threshold))
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

/*
 * patience_of_window
 *	  Leaves without a change after which a window of so many rows is over.
 *
 * Calibration knows live rows.  Where most of the rows that a search meets are
 * dead versions, those among them that can be seen are spread over more leaves.
 */
static double
patience_of_window(const KtreeScanState *state, int rows)
{
	double		patience = ktree_patience(&state->meta, rows, embed_recall);

	if (state->unordered)
		return 1;
	if (state->unseen > UNSEEN_SHARE)
		patience = Max(patience, LEAST_PATIENCE) * sqrt(state->unseen);
	return patience;
}

/* Search on, for the rows of the next window. */
static void
next_window(IndexScanDesc scan, KtreeScanState *state)
{
	MemoryContext old = MemoryContextSwitchTo(state->context);
	KtreeStop	stop;
	int64		leaves;

	/* a window that ended early is still wanted, unless it had no rows at all */
	if (state->handed >= state->count ||
		(state->handed == state->window_start && !state->broken_off))
		state->count = KTREE_NEXT_WINDOW(state->count, embed_candidates);
	state->broken_off = false;
	state->window_start = state->handed;
	state->unseen = (state->read + 1.0) / (state->seen + 1.0);
	stop.count = rows_wanted(state);
	stop.patience = patience_of_window(state, stop.count);
	stop.probes = embed_probes;
	stop.margin = ktree_margin(embed_recall);
	stop.memory = state->everything ? SIZE_MAX : (Size) work_mem * 1024;
	stop.leaf_limit = 0;
	if (embed_max_leaves > 0)
		stop.leaf_limit = Max(embed_max_leaves - state->leaves, 1);

	if (!state->searching || ktree_search_forgot(state->search))
	{
		if (state->searching)
			state->leaves += ktree_search_leaves(state->search);
		ktree_search_begin(state->search, state->searching ? state->returned : NULL);
		state->searching = true;
	}
	ktree_search_window(state->search, &stop);
	last_index_scan.rounds++;
	fill_heap(scan, state);

	leaves = state->leaves + ktree_search_leaves(state->search);
	if (ktree_search_cut(state->search) && !ktree_search_complete(state->search))
	{
		ereport(WARNING,
				(errmsg("scan of index \"%s\" stopped after %lld leaves",
						RelationGetRelationName(scan->indexRelation), (long long) leaves),
				 errdetail("More rows may exist; embed.max_leaves is %d.", embed_max_leaves)));
		state->finished = state->exhausted = true;
	}
	if (ktree_search_complete(state->search) && !ktree_search_forgot(state->search))
		state->exhausted = true;
	if (state->exhausted)
		state->count = PG_INT64_MAX;	/* hand out all there are */
	MemoryContextSwitchTo(old);
}

static bool
hand_out(IndexScanDesc scan, KtreeScanState *state, const Row *row)
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

/*
 * find_distance
 *	  Replace a row's bound by its distance; false when it is not to be seen.
 */
static bool
find_distance(IndexScanDesc scan, KtreeScanState *state, Row *row)
{
	int			count;

	state->read++;
	if (!fetch_distance(scan, state, &row->tid, &row->distance))
		return false;
	state->seen++;
	row->exact = true;
	if (row->known >= 0 && !isnan(row->distance))
	{
		KtreeRow   *known = &ktree_search_rows(state->search, &count)[row->known];

		known->score = (float) score_of_distance(state, row->distance);
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
	double		threshold = state->exhausted || state->unordered ? get_float8_infinity() :
		ktree_search_threshold(state->search);

	while (state->row_count > 0 && state->handed < state->count)
	{
		Row			row = pop_row(state);

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
					state->read + 1.0 > UNSEEN_SHARE * state->unseen * (state->seen + 1.0))
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
		if (!state->exhausted && score_of_distance(state, row.distance) > threshold)
		{
			state->row_count = 0;
			return false;
		}
		if (row.distance < state->last)
		{
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
	return float8_cmp_internal(((const Row *) a)->distance, ((const Row *) b)->distance);
}

/* The next of the rows that were set aside. */
static bool
next_late_row(IndexScanDesc scan, KtreeScanState *state)
{
	if (state->late_at == 0 && state->late_count > 0)
		qsort(state->late, state->late_count, sizeof(Row), compare_rows);
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
 * next_side_row
 *	  The next row of the side list that has not been returned: first those
 *	  whose distance is NaN, then those without a vector, as a sort has them.
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
			Row			row = {0};

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
		next_window(scan, state);
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
