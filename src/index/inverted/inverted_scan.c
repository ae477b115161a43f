/*-------------------------------------------------------------------------
 *
 * inverted_scan.c
 *	  Index scans of an inverted index: all rows, in exact order.
 *
 * Rows come out in a total order: by distance, then by age (the order of
 * insertion, which sealing and merging preserve); then rows whose distance is
 * NaN, then rows without a distance, each by age.  Three streams are merged:
 *
 * - "pending": rows whose exact distance is known and who wait for their turn.
 *	 All rows of the tail, and irregular rows, are here from the beginning.
 * - candidates: rows of the segments in the order of an upper bound of their
 *	 score (inverted_search.c), a pass at a time, each four times the last.  A
 *	 candidate moves to "pending" when its exact distance has been computed
 *	 from the table's row, by the operator's own function.
 * - the walk: rows that share no term with the query.  Their distance is
 *	 known, and they are read from the list of documents in order of age.
 *
 * A pending row is due when it precedes every candidate's bound.
 *
 * When pages are reused under the scan, or too many rows are pending, the scan
 * starts again from the metapage and leaves out what does not come after the
 * last row returned.  That is right because its snapshot sees the same rows
 * with the same distances, and their order of age does not change.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "access/relscan.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "index/inverted/inverted_rows.h"
#include "index/inverted/inverted_search.h"

/* Candidates asked of the first pass, and how later passes grow */
#define FIRST_WANTED		64
#define WANTED_GROWTH		4

typedef enum QueryKind
{
	QUERY_ORDINARY,
	QUERY_IRREGULAR,			/* weights too large or small to bound */
	QUERY_NAN,					/* every distance is NaN */
	QUERY_NULL
} QueryKind;

/* Rows of one class of document, by age */
typedef struct SegmentWalk
{
	RowClass	class;			/* ROW_NUMBER: those that share no term */
	int			segment;
	uint32		document;
	bool		have;			/* "row" is the next */
	RankedRow	row;
	uint64	   *touched;
	bool		copied;			/* "page" holds the page of "document" */
	PGAlignedBlock page;
} SegmentWalk;

typedef struct InvertedScan
{
	MemoryContext context;		/* until the next rescan */
	MemoryContext structure;	/* until a restart */
	bool		started;

	/* the query */
	QueryKind	kind;
	IndexDistance *distance;
	SparseVector *query;
	SearchQuery prepared;

	/* what has been returned */
	bool		has_last;
	RowKey		last;

	/* since the last start */
	InvertedMeta meta;
	bool		stale;
	Searcher	searcher;
	bool		searched;
	uint32		wanted;
	uint32		next_candidate;
	RowHeap		pending;
	SegmentWalk walk;
} InvertedScan;

/* A row waits for its turn, unless its turn has been. */
static void
add_pending(InvertedScan *state, const RankedRow *row)
{
	if (!state->has_last || row_key_before(&state->last, &row->key))
		row_heap_add(&state->pending, row);
}

/* ---------- exact distances ---------- */

static void
set_key(RowKey *key, double distance)
{
	key->class = isnan(distance) ? ROW_NAN : ROW_NUMBER;
	key->score = isnan(distance) ? 0 : -distance;
}

/*
 * Compute the distance of a row from the table.  False if the snapshot does
 * not see it.
 */
static bool
fetch_distance(IndexScanDesc scan, const ItemPointerData *tid, RowKey *key)
{
	InvertedScan *state = scan->opaque;
	double		distance = 0;
	bool		null;

	if (!index_distance_of_row(state->distance, scan, tid,
							   PointerGetDatum(state->query), &distance,
							   &null))
		return false;
	if (null)
	{
		key->class = ROW_NULL;
		key->score = 0;
	}
	else
		set_key(key, distance);
	return true;
}

/* ---------- documents ---------- */

static bool
read_document(InvertedScan *state, IndexScanDesc scan, int segment,
			  uint32 number, InvertedDocument *document)
{
	uint32		per_page = PAGE_ITEMS(InvertedDocument);
	Page		page;
	Buffer		buffer = segment_page(
			 scan->indexRelation, &state->searcher.segment[segment].segment,
			 REGION_DOCUMENTS, number / per_page, &page);

	if (!BufferIsValid(buffer))
	{
		state->stale = true;
		return false;
	}
	*document = ((InvertedDocument *) InvertedPageData(
		page))[number % per_page];
	UnlockReleaseBuffer(buffer);
	return true;
}

static void
set_row(InvertedScan *state, int segment, const InvertedDocument *document,
		RankedRow *row)
{
	ItemPointerSet(&row->tid, document->block, document->offset);
	row->key.birth =
		state->searcher.segment[segment].segment.entry.first_birth +
		document->birth;
}

/* Does a walk of this class return such documents? */
static bool
walk_wants(const InvertedScan *state, const SegmentWalk *walk,
		   const InvertedDocument *document, uint32 number)
{
	if (document->flags & DOCUMENT_DEAD)
		return false;
	switch (walk->class)
	{
		case ROW_NUMBER:
			if (state->kind != QUERY_ORDINARY ||
				(document->flags & (DOCUMENT_NULL | DOCUMENT_IRREGULAR)) != 0)
				return false;
			if (document->flags & DOCUMENT_EMPTY)
				return state->meta.metric == INVERTED_INNER;
			return (walk->touched[number >> 6] &
					(UINT64CONST(1) << (number & 63))) == 0;
		case ROW_NAN:
			if (document->flags & DOCUMENT_NULL)
				return false;
			return state->kind == QUERY_NAN ||
				   (state->kind == QUERY_ORDINARY &&
					state->meta.metric == INVERTED_COSINE &&
					(document->flags & DOCUMENT_EMPTY) != 0);
		default:
			return state->kind == QUERY_NULL ||
				   (document->flags & DOCUMENT_NULL) != 0;
	}
}

/* Does the segment have what the walk looks for? */
static bool
walk_begin_segment(InvertedScan *state, SegmentWalk *walk)
{
	SearchSegment *target = &state->searcher.segment[walk->segment];
	const InvertedRoot *root = &target->segment.root;
	Size		words = (root->documents + 63) / 64;

	walk->copied = false;
	if (walk->class == ROW_NULL && state->kind != QUERY_NULL &&
		root->nulls == 0)
		return false;
	if (walk->class == ROW_NAN && state->kind == QUERY_ORDINARY &&
		root->empties == 0)
		return false;
	if (walk->class == ROW_NUMBER)
	{
		if (state->kind != QUERY_ORDINARY)
			return false;
		walk->touched = MemoryContextAllocHuge(state->structure,
											   sizeof(uint64) * (words + 1));
		memset(walk->touched, 0, sizeof(uint64) * (words + 1));
		if (!search_touched(&state->searcher, walk->segment, walk->touched))
			state->stale = true;
	}
	return true;
}

static void
walk_end_segment(SegmentWalk *walk)
{
	if (walk->touched != NULL)
		pfree(walk->touched);
	walk->touched = NULL;
	walk->segment++;
	walk->document = 0;
}

/*
 * Find the walk's next row that comes after the last returned.  False at the
 * end, or if the scan is stale.
 */
static bool
walk_peek(InvertedScan *state, IndexScanDesc scan)
{
	SegmentWalk *walk = &state->walk;
	uint32		per_page = PAGE_ITEMS(InvertedDocument);

	while (!walk->have && walk->segment < state->searcher.segments)
	{
		InvertedSegment *segment =
			&state->searcher.segment[walk->segment].segment;

		if (walk->document == 0 && walk->touched == NULL &&
			!walk_begin_segment(state, walk))
			walk->document = segment->root.documents;
		if (state->stale)
			return false;
		for (; !walk->have && walk->document < segment->root.documents;
			 walk->document++)
		{
			InvertedDocument *document;

			if (walk->document % per_page == 0 || !walk->copied)
			{
				CHECK_FOR_INTERRUPTS();
				if (!segment_copy_page(scan->indexRelation, segment,
									   REGION_DOCUMENTS,
									   walk->document / per_page,
									   walk->page.data))
				{
					state->stale = true;
					return false;
				}
				walk->copied = true;
			}
			document = (InvertedDocument *) InvertedPageData(walk->page.data) +
				walk->document % per_page;
			if (!walk_wants(state, walk, document, walk->document))
				continue;
			set_row(state, walk->segment, document, &walk->row);
			walk->row.key.class = walk->class;
			walk->row.key.score = walk->class == ROW_NUMBER
									  ? state->searcher.offset
									  : 0;
			walk->have = !state->has_last ||
						 row_key_before(&state->last, &walk->row.key);
		}
		if (!walk->have)
			walk_end_segment(walk);
	}
	return walk->have;
}

/* Begin with the next class of rows. */
static void
walk_next_class(SegmentWalk *walk)
{
	walk->class++;
	walk->segment = 0;
	walk->document = 0;
	walk->have = false;
}

/* ---------- starting ---------- */

/*
 * The rows of a tail, with their exact distances.
 */
static bool
add_tail(InvertedScan *state, IndexScanDesc scan, const InvertedTail *tail)
{
	TailReader *reader = palloc(sizeof(TailReader));
	InvertedRecord *record;
	SparseVector *vector;

	tail_begin(reader, scan->indexRelation, tail);
	while (tail_next(reader, &record, &vector))
	{
		RankedRow	row;

		if (record->flags & DOCUMENT_DEAD)
			continue;
		ItemPointerSet(&row.tid, record->block, record->offset);
		row.key.birth = tail->first_birth + reader->ordinal;
		row.key.class = ROW_NULL;
		row.key.score = 0;
		if (vector != NULL && state->kind != QUERY_NULL)
			set_key(&row.key,
					index_distance_of_value(state->distance,
											PointerGetDatum(vector),
											PointerGetDatum(state->query)));
		add_pending(state, &row);
	}
	return !reader->stale;
}

/*
 * Rows whose scores cannot be bounded: fetch them all.
 */
static bool
add_irregulars(InvertedScan *state, IndexScanDesc scan, int number)
{
	InvertedSegment *segment = &state->searcher.segment[number].segment;
	uint32		per_page = PAGE_ITEMS(InvertedDocument);
	char	   *page = palloc(BLCKSZ);

	for (uint32 i = 0; i < segment->root.documents; i++)
	{
		InvertedDocument *document;
		RankedRow	row;

		if (i % per_page == 0)
		{
			CHECK_FOR_INTERRUPTS();
			if (!segment_copy_page(scan->indexRelation, segment,
								   REGION_DOCUMENTS, i / per_page, page))
				return false;
		}
		document = (InvertedDocument *) InvertedPageData(page) + i % per_page;
		if ((document->flags & (DOCUMENT_DEAD | DOCUMENT_NULL)) != 0 ||
			(state->kind != QUERY_IRREGULAR &&
			 (document->flags & DOCUMENT_IRREGULAR) == 0))
			continue;
		set_row(state, number, document, &row);
		if (fetch_distance(scan, &row.tid, &row.key))
			add_pending(state, &row);
	}
	pfree(page);
	return true;
}

/* Read the structure; false if it changed while being read. */
static bool
try_start(InvertedScan *state, IndexScanDesc scan)
{
	Searcher   *searcher = &state->searcher;

	inverted_read_meta(scan->indexRelation, &state->meta);
	if (state->query != NULL)
		inverted_check_dims(state->meta.dims, state->query->dims);

	memset(searcher, 0, sizeof(*searcher));
	searcher->index = scan->indexRelation;
	searcher->query = state->prepared;
	searcher->offset = state->meta.metric == INVERTED_COSINE ? -1 : 0;
	searcher->segments = (int) state->meta.segment_count;
	searcher->segment = palloc0(sizeof(SearchSegment) *
								Max(searcher->segments, 1));
	search_begin(searcher);
	for (int i = 0; i < searcher->segments; i++)
	{
		if (!segment_open(scan->indexRelation, &state->meta.segment[i],
						  &searcher->segment[i].segment))
			return false;
	}

	state->searched = state->kind != QUERY_ORDINARY;
	state->wanted = FIRST_WANTED;
	state->next_candidate = 0;
	row_heap_init(&state->pending);
	memset(&state->walk, 0, offsetof(SegmentWalk, page));

	if (!add_tail(state, scan, &state->meta.frozen) ||
		!add_tail(state, scan, &state->meta.tail))
		return false;
	for (int i = 0; i < searcher->segments; i++)
	{
		if ((state->kind == QUERY_IRREGULAR ||
			 (state->kind == QUERY_ORDINARY &&
			  searcher->segment[i].segment.root.irregulars > 0)) &&
			!add_irregulars(state, scan, i))
			return false;
	}
	return true;
}

/*
 * Start, or start again after the structure changed under us.
 */
static void
start(InvertedScan *state, IndexScanDesc scan)
{
	uint64		structure = 0;
	int			tries = 0;

	for (;;)
	{
		MemoryContext old;
		bool		started;

		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(state->structure);
		old = MemoryContextSwitchTo(state->structure);
		state->stale = false;
		started = try_start(state, scan);
		MemoryContextSwitchTo(old);
		if (started)
			return;
		/* pages are only reused after the metapage has changed */
		if (tries++ > 0 && structure == state->meta.structure)
			inverted_corrupted(scan->indexRelation, INVERTED_META_BLOCK,
							   "a page belongs to somebody else");
		structure = state->meta.structure;
	}
}

static void
restart(InvertedScan *state, IndexScanDesc scan)
{
	uint64		structure = state->meta.structure;
	bool		stale = state->stale;

	start(state, scan);
	if (stale && structure == state->meta.structure)
		inverted_corrupted(scan->indexRelation, INVERTED_META_BLOCK,
						   "a page belongs to somebody else");
}

/* ---------- the stream of candidates ---------- */

/* Is there another candidate, or may another pass find one? */
static bool
stream_open(const InvertedScan *state)
{
	return !state->searched || state->next_candidate < state->searcher.count ||
		state->searcher.more;
}

/* The next candidate, or a bound of all that are still to be found */
static const Candidate *
stream_head(const InvertedScan *state)
{
	if (state->next_candidate < state->searcher.count)
		return &state->searcher.candidate[state->next_candidate];
	return &state->searcher.last;
}

/* Does a row come before everything in the stream? */
static bool
before_stream(InvertedScan *state, IndexScanDesc scan, const RowKey *key)
{
	const Candidate *head;
	InvertedDocument document;
	RankedRow	row;

	if (!stream_open(state))
		return true;
	if (!state->searched)
		return false;
	head = stream_head(state);
	if (key->score != head->bound)
		return key->score > head->bound;
	if (head->document == CANDIDATE_END)
		return false;
	if (!read_document(state, scan, head->segment, head->document, &document))
		return false;
	set_row(state, head->segment, &document, &row);
	return key->birth < row.key.birth;
}

/*
 * Advance the stream: compute the exact distance of the next candidate, or
 * make another pass.
 */
static void
advance_stream(InvertedScan *state, IndexScanDesc scan)
{
	Searcher   *searcher = &state->searcher;
	Candidate  *candidate;
	InvertedDocument document;
	RankedRow	row;

	if (!state->searched || state->next_candidate >= searcher->count)
	{
		MemoryContext old = MemoryContextSwitchTo(state->structure);
		Candidate	after = searcher->last;

		if (!search_pass(searcher, state->wanted,
						 state->searched ? &after : NULL))
			state->stale = true;
		MemoryContextSwitchTo(old);
		state->searched = true;
		state->next_candidate = 0;
		state->wanted = (uint32) Min((Size) state->wanted * WANTED_GROWTH,
									 Max((Size) work_mem * 1024 /
											 (2 * sizeof(Candidate)),
										 FIRST_WANTED));
		return;
	}
	candidate = &searcher->candidate[state->next_candidate];
	if (!read_document(state, scan, candidate->segment, candidate->document,
					   &document))
		return;
	state->next_candidate++;
	if (document.flags & DOCUMENT_DEAD)
		return;
	set_row(state, candidate->segment, &document, &row);
	row.key.class = ROW_NUMBER;
	row.key.score = candidate->bound;
	if (candidate->exact || fetch_distance(scan, &row.tid, &row.key))
		add_pending(state, &row);
}

/* ---------- the next row ---------- */

/*
 * Find the next row in order; false if there is none, or if the scan is stale.
 */
static bool
next_row(InvertedScan *state, IndexScanDesc scan, RankedRow *row)
{
	SegmentWalk *walk = &state->walk;

	for (;;)
	{
		RankedRow  *top = row_heap_top(&state->pending);
		double		floor_score = state->searcher.offset;
		bool		number = top != NULL && top->key.class == ROW_NUMBER;

		CHECK_FOR_INTERRUPTS();
		if (state->stale)
			return false;

		/* rows that score more than those that share no term */
		if (number && top->key.score > floor_score &&
			before_stream(state, scan, &top->key))
		{
			*row = *top;
			row_heap_remove(&state->pending);
			return true;
		}
		if (stream_open(state) &&
			(!state->searched || stream_head(state)->bound >= floor_score))
		{
			advance_stream(state, scan);
			continue;
		}

		/* rows that score the same, by age; the stream is below them */
		if (walk->class == ROW_NUMBER && walk_peek(state, scan))
		{
			if (number && row_key_before(&top->key, &walk->row.key))
			{
				*row = *top;
				row_heap_remove(&state->pending);
			}
			else
			{
				*row = walk->row;
				walk->have = false;
			}
			return true;
		}
		if (state->stale)
			return false;

		/* rows that score less */
		if (number && before_stream(state, scan, &top->key))
		{
			*row = *top;
			row_heap_remove(&state->pending);
			return true;
		}
		if (stream_open(state))
		{
			advance_stream(state, scan);
			continue;
		}

		/* no numbers left: NaN, then NULL */
		if (walk->class == ROW_NUMBER)
			walk_next_class(walk);
		if (walk_peek(state, scan) &&
			(top == NULL || row_key_before(&walk->row.key, &top->key)))
		{
			*row = walk->row;
			walk->have = false;
			return true;
		}
		if (state->stale)
			return false;
		if (top != NULL && (walk->have || top->key.class <= walk->class))
		{
			*row = *top;
			row_heap_remove(&state->pending);
			return true;
		}
		if (walk->class == ROW_NULL)
			return false;
		walk_next_class(walk);
	}
}

/* ---------- the access method's functions ---------- */

IndexScanDesc
inverted_begin_scan(Relation index, int keys, int orderbys)
{
	IndexScanDesc scan = RelationGetIndexScan(index, keys, orderbys);
	InvertedScan *state = palloc0(sizeof(InvertedScan));

	state->context = AllocSetContextCreate(CurrentMemoryContext, "inverted scan",
										   ALLOCSET_DEFAULT_SIZES);
	scan->opaque = state;
	return scan;
}

void
inverted_rescan(IndexScanDesc scan, ScanKey keys, int key_count,
				ScanKey orderbys, int orderby_count)
{
	InvertedScan *state = scan->opaque;

	if (state->distance != NULL)
		index_distance_reset(state->distance);
	MemoryContextReset(state->context);
	state->started = false;
	if (keys && scan->numberOfKeys > 0)
		memmove(scan->keyData, keys, sizeof(ScanKeyData) * scan->numberOfKeys);
	if (orderbys && scan->numberOfOrderBys > 0)
		memmove(scan->orderByData, orderbys,
				sizeof(ScanKeyData) * scan->numberOfOrderBys);
}

/* Take the query apart. */
static void
prepare_query(InvertedScan *state, IndexScanDesc scan)
{
	ScanKey		key = scan->orderByData;
	int			metric = inverted_index_metric(scan->indexRelation);
	SearchQuery *prepared = &state->prepared;
	const float *value;
	double		norm = 1;
	int			class;

	memset(prepared, 0, sizeof(*prepared));
	prepared->metric = metric;
	state->query = NULL;
	state->kind = QUERY_NULL;
	if (key->sk_flags & SK_ISNULL)
		return;

	state->query = (SparseVector *) PG_DETOAST_DATUM_COPY(key->sk_argument);
	class = inverted_vector_class(metric, state->query, &norm);
	state->kind = class == DOCUMENT_IRREGULAR ? QUERY_IRREGULAR
				  : class == DOCUMENT_EMPTY && metric == INVERTED_COSINE
					  ? QUERY_NAN
					  : QUERY_ORDINARY;
	if (state->kind != QUERY_ORDINARY)
		return;
	prepared->count = state->query->count;
	prepared->term = state->query->index;
	prepared->factor = palloc(sizeof(float) * Max(prepared->count, 1));
	prepared->integers = true;
	value = SPARSEVEC_VALUES(state->query);
	for (int i = 0; i < prepared->count; i++)
	{
		prepared->factor[i] = (float) (value[i] / norm);
		if (value[i] != rintf(value[i]))
			prepared->integers = false;
	}
}

static void
begin(InvertedScan *state, IndexScanDesc scan)
{
	MemoryContext old;

	if (scan->numberOfOrderBys != 1 || scan->heapRelation == NULL)
		elog(ERROR, "inverted index can only be scanned in the order of a distance");
	if (!IsMVCCSnapshot(scan->xs_snapshot))
		elog(ERROR, "inverted index needs an MVCC snapshot");

	memset(&last_index_scan, 0, sizeof(last_index_scan));
	inverted_pages_read = 0;
	pgstat_count_index_scan(scan->indexRelation);

	if (state->distance == NULL)
	{
		old = MemoryContextSwitchTo(GetMemoryChunkContext(state));
		state->distance =
			index_distance_begin(scan, &scan->orderByData->sk_func,
								 scan->orderByData->sk_collation);
		MemoryContextSwitchTo(old);
	}
	old = MemoryContextSwitchTo(state->context);
	state->structure = AllocSetContextCreate(state->context, "inverted structure",
											 ALLOCSET_DEFAULT_SIZES);
	state->has_last = false;
	prepare_query(state, scan);
	MemoryContextSwitchTo(old);

	start(state, scan);
	state->started = true;
}

bool
inverted_get_tuple(IndexScanDesc scan, ScanDirection direction)
{
	InvertedScan *state = scan->opaque;
	RankedRow	row;

	Assert(ScanDirectionIsForward(direction));
	if (!state->started)
		begin(state, scan);
	for (;;)
	{
		bool		found = next_row(state, scan, &row);

		last_index_scan.pages = inverted_pages_read;
		if (!state->stale &&
			(found ? row_heap_reaches(&state->pending, &row.key) :
			 !state->pending.has_floor))
		{
			if (!found)
				return false;
			break;
		}
		restart(state, scan);
	}
	state->has_last = true;
	state->last = row.key;
	scan->xs_heaptid = row.tid;
	scan->xs_recheck = false;
	scan->xs_recheckorderby = false;
	last_index_scan.returned++;
	return true;
}

void
inverted_end_scan(IndexScanDesc scan)
{
	InvertedScan *state = scan->opaque;

	if (state->distance != NULL)
		index_distance_end(state->distance);
	MemoryContextDelete(state->context);
	pfree(state);
}
