/*-------------------------------------------------------------------------
 *
 * merge.c
 *	  Sealing the tail into a segment, and merging segments.
 *
 * Segments are kept in the order in which their documents arrived, and only
 * neighbours are merged, so that order survives every merge: searches use it
 * to break ties and to know what they have returned already.
 *
 * Seven steps, each of which may be the last before a crash: the id of the new
 * segment is made known in the metapage ("building"), so that nobody takes its
 * pages for free ones; its pages are written and logged; one record puts it in
 * the place of what it replaces.  The pages of what was replaced then have no
 * living owner any more.  After a crash in between, the pages written have
 * none either, once the next "building" id replaces this one.
 *
 * The caller holds the structure lock.  Searches go on in the old segments for
 * as long as their pages are not used again.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "storage/indexfsm.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"

#include "index/inverted/inverted.h"
#include "index/inverted/inverted_run.h"

/* Neighbours of a level that are merged into one of the next */
#define MERGE_WIDTH			8
#define MERGE_WIDTH_VACUUM	4

/* An insert merges at most so many documents, unless segments run out. */
#define INSERT_MERGE_DOCUMENTS 32768
#define SEGMENTS_CROWDED	(INVERTED_MAX_SEGMENTS - 16)

/* Segments of at least so many documents are packed, smaller ones are not. */
#define PACKED_DOCUMENTS	4096

/* Kilobytes; an ordinary tail needs at most 800. */
#define LEAST_SEAL_MEMORY	256

/*
 * The level of a segment: 0 below 512 documents, one more for each factor 8.
 */
int
inverted_level(uint32 documents)
{
	int			level = 0;

	while (documents >= 512 && level < 10)
	{
		documents /= 8;
		level++;
	}
	return level;
}

/* Reserve the id of a new segment. */
static uint64
begin_building(Relation index)
{
	InvertedMetaUpdate update = inverted_begin_update(index);
	uint64		id = update.meta->next_id++;

	update.meta->building = id;
	inverted_finish_update(&update);
	return id;
}

/*
 * Put a new segment in the place of "count" old ones at "first", or of the
 * frozen tail if count is 0.  A segment without documents is left out.
 */
static void
replace_segments(Relation index, int first, int count,
				 const InvertedSegmentEntry *entry)
{
	InvertedMetaUpdate update = inverted_begin_update(index);
	InvertedMeta *meta = update.meta;
	int			kept = entry->documents > 0 ? 1 : 0;

	memmove(&meta->segment[first + kept], &meta->segment[first + count],
			sizeof(InvertedSegmentEntry) *
				(meta->segment_count - first - count));
	if (kept)
		meta->segment[first] = *entry;
	meta->segment_count += kept - count;
	if (count == 0)
	{
		memset(&meta->frozen, 0, sizeof(InvertedTail));
		meta->frozen.first = meta->frozen.last = InvalidBlockNumber;
		meta->seals++;
	}
	else
		meta->merges++;
	meta->building = 0;
	meta->structure++;
	inverted_set_meta_length(update.page);
	inverted_finish_update(&update);
}

/* Write a segment of sorted runs and what is still in memory. */
static void
write_sealed(SegmentWriter *writer, Gathering *gathering, List *runs)
{
	PostingSource **source = palloc(sizeof(PostingSource *) *
									(list_length(runs) + 1));
	int			count = 0;
	uint32		documents = 0;
	uint64		postings = 0;
	ListCell   *cell;

	foreach(cell, runs)
		source[count++] = run_source(lfirst(cell), writer, 0, &documents,
									 &postings);
	for (uint32 i = 0; i < gathering->documents; i++)
		writer_add_document(writer, &gathering->document[i]);
	source[count++] = gathering_source(gathering, documents);
	writer_add_sources(writer, source, count);
	for (int i = 0; i < count; i++)
		source[i]->close(source[i]);
	pfree(source);
}

/*
 * Make a segment of the frozen tail.  Weights are kept as they are: there are
 * few of them, and they will be packed, once, when the segment grows large.
 *
 * A tail is small, except when nobody could seal it for long, because VACUUM
 * was merging: then parts of it are sorted and put aside, as in a build.
 */
static void
seal_frozen_tail(Relation index, Size memory)
{
	InvertedMeta *meta = palloc(sizeof(InvertedMeta));
	TailReader *reader = palloc(sizeof(TailReader));
	List	   *runs = NIL;
	Gathering  *gathering;
	SegmentWriter *writer;
	InvertedSegmentEntry entry;
	InvertedRecord *record;
	SparseVector *vector;
	uint64		id;

	id = begin_building(index);
	inverted_read_meta(index, meta);
	gathering = gathering_create(meta->metric, memory);
	tail_begin(reader, index, &meta->frozen);
	while (tail_next(reader, &record, &vector))
	{
		ItemPointerData tid;

		if (record->flags & DOCUMENT_DEAD)
			continue;
		ItemPointerSet(&tid, record->block, record->offset);
		gathering_add(gathering, &tid, reader->ordinal, vector);
		if (gathering_bytes(gathering) >= memory)
		{
			BufFile    *file = BufFileCreateTemp(false);

			gathering_sort(gathering);
			run_write(gathering, file);
			gathering_reset(gathering);
			runs = lappend(runs, file);
		}
	}
	if (reader->stale)
		inverted_corrupted(index, reader->next, "page of the tail has another owner");
	gathering_sort(gathering);

	writer = writer_begin(index, id, POSTING_RAW, false);
	write_sealed(writer, gathering, runs);
	writer_finish(writer, &entry);
	entry.first_birth = meta->frozen.first_birth;
	entry.level = entry.documents < PACKED_DOCUMENTS ? 0 :
		(uint16) inverted_level(entry.documents);

	replace_segments(index, meta->segment_count, 0, &entry);
	tail_blocks(index, &meta->frozen, inverted_free_block);
	IndexFreeSpaceMapVacuum(index);

	gathering_free(gathering);
	if (reader->vector != NULL)
		pfree(reader->vector);
	pfree(reader);
	pfree(meta);
}

/* Copy the living documents of a segment and number them anew. */
static void
merge_documents(Relation index, InvertedSegment *segment,
				SegmentWriter *writer, uint64 first_birth, uint32 *first,
				Renumbering *renumbering)
{
	uint32		words = (segment->root.documents + 63) / 64;
	uint32		per_page = PAGE_ITEMS(InvertedDocument);
	char	   *copy = palloc(BLCKSZ);

	renumbering->first = *first;
	renumbering->kept = MemoryContextAllocHuge(CurrentMemoryContext,
											   sizeof(uint64) * (words + 1));
	renumbering->rank = MemoryContextAllocHuge(CurrentMemoryContext,
											   sizeof(uint32) * (words + 1));
	memset(renumbering->kept, 0, sizeof(uint64) * (words + 1));

	for (uint32 i = 0; i < segment->root.documents; i++)
	{
		InvertedDocument document;

		if (i % per_page == 0 &&
			!segment_copy_page(index, segment, REGION_DOCUMENTS, i / per_page,
							   copy))
			inverted_corrupted(index, segment->entry.root, "page of documents has another owner");
		document = ((InvertedDocument *) InvertedPageData(copy))[i % per_page];
		if (document.flags & DOCUMENT_DEAD)
			continue;
		document.birth += (uint32) (segment->entry.first_birth - first_birth);
		writer_add_document(writer, &document);
		renumbering->kept[i >> 6] |= UINT64CONST(1) << (i & 63);
	}
	renumbering->documents = 0;
	for (uint32 i = 0; i < words; i++)
	{
		renumbering->rank[i] = renumbering->documents;
		renumbering->documents += (uint32) pg_popcount64(renumbering->kept[i]);
	}
	renumbering->all = renumbering->documents == segment->root.documents;
	*first += renumbering->documents;
	pfree(copy);
}

static void
free_segment_blocks(Relation index, const InvertedSegment *segment)
{
	uint32		total = 0;

	for (int i = 0; i < REGION_COUNT; i++)
		total += segment->root.region_pages[i];
	for (uint32 i = 0; i < total; i++)
		inverted_free_block(index, segment->blocks[i]);
	for (uint32 i = 0; i < segment->root.map_pages; i++)
		inverted_free_block(index, segment->map[i]);
	inverted_free_block(index, segment->entry.root);
}

/*
 * Merge "count" neighbours beginning with "first" into one segment, leaving
 * out the dead.
 */
static void
merge_segments(Relation index, int first, int count)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "inverted merge",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	InvertedMeta *meta = palloc(sizeof(InvertedMeta));
	InvertedSegment *segment = palloc(sizeof(InvertedSegment) * count);
	Renumbering *renumbering = palloc(sizeof(Renumbering) * count);
	PostingSource **source = palloc(sizeof(PostingSource *) * count);
	InvertedSegmentEntry entry;
	SegmentWriter *writer;
	uint64		id;
	uint64		first_birth;
	uint64		documents = 0;
	uint32		number = 0;

	id = begin_building(index);
	inverted_read_meta(index, meta);
	first_birth = meta->segment[first].first_birth;
	for (int i = 0; i < count; i++)
		documents += meta->segment[first + i].documents -
					 meta->segment[first + i].dead;

	writer = writer_begin(index, id, documents >= PACKED_DOCUMENTS ?
						  (int) meta->weight_bits : POSTING_RAW, false);
	for (int i = 0; i < count; i++)
	{
		if (!segment_open(index, &meta->segment[first + i], &segment[i]))
			inverted_corrupted(index, meta->segment[first + i].root, "root page has another owner");
		merge_documents(index, &segment[i], writer, first_birth, &number,
						&renumbering[i]);
	}
	for (int i = 0; i < count; i++)
		source[i] = segment_source(index, &segment[i], &renumbering[i]);
	writer_add_sources(writer, source, count);
	writer_finish(writer, &entry);
	entry.first_birth = first_birth;
	entry.level = (uint16) inverted_level(entry.documents);

	replace_segments(index, first, count, &entry);
	for (int i = 0; i < count; i++)
		free_segment_blocks(index, &segment[i]);
	IndexFreeSpaceMapVacuum(index);

	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* May these be one segment? */
static bool
mergeable(const InvertedMeta *meta, int first, int count)
{
	uint64		documents = 0;
	uint64		pages = 0;
	const InvertedSegmentEntry *last = &meta->segment[first + count - 1];

	for (int i = 0; i < count; i++)
	{
		documents += meta->segment[first + i].documents;
		pages += meta->segment[first + i].pages;
	}
	return documents < INVERTED_MAX_DOCUMENTS &&
		   pages < INVERTED_MAX_POSTING_PAGES &&
		   last->first_birth - meta->segment[first].first_birth <=
			   PG_UINT32_MAX / 2;
}

/*
 * For VACUUM: the youngest segments, as many as an insert might merge, are
 * made one if a fifth of them is dead or lies beside the largest.  So a small
 * index becomes one segment, and the space of small segments, which are not
 * packed, does not add up.
 */
static bool
choose_young(const InvertedMeta *meta, int *first, int *count)
{
	uint64		documents = 0;
	uint64		largest = 0;
	int			segments = (int) meta->segment_count;
	int			at = segments;

	while (at > 0 && documents + meta->segment[at - 1].documents <=
						 INSERT_MERGE_DOCUMENTS)
	{
		at--;
		documents += meta->segment[at].documents;
		largest = Max(largest,
					  meta->segment[at].documents - meta->segment[at].dead);
	}
	*first = at;
	*count = segments - at;
	return *count > 1 && mergeable(meta, at, *count) &&
		   (documents - largest) * 5 >= documents;
}

/*
 * Find neighbours worth merging: at the young end of the list, where small
 * segments gather, the longest run up to a level of which enough have that
 * level.  VACUUM also renews a segment of which a fifth is dead.
 */
static bool
choose_merge(const InvertedMeta *meta, bool vacuum, int *first, int *count)
{
	int			segments = (int) meta->segment_count;
	bool		crowded = segments >= SEGMENTS_CROWDED;
	int			width = vacuum ? MERGE_WIDTH_VACUUM : MERGE_WIDTH;

	for (int level = 0; level <= 10; level++)
	{
		int			same = 0;
		uint64		documents = 0;
		int			at = segments;

		while (at > 0 && meta->segment[at - 1].level <= level)
		{
			at--;
			same += meta->segment[at].level == level;
			documents += meta->segment[at].documents;
		}
		*first = at;
		*count = segments - at;
		if (same >= width && *count > 1 && mergeable(meta, at, *count) &&
			(vacuum || crowded || documents <= INSERT_MERGE_DOCUMENTS))
			return true;
	}
	if (crowded)
	{
		*first = segments - 2 * MERGE_WIDTH;
		*count = 2 * MERGE_WIDTH;
		return mergeable(meta, *first, *count);
	}
	if (vacuum && choose_young(meta, first, count))
		return true;
	for (int i = 0; vacuum && i < segments; i++)
	{
		if (meta->segment[i].dead * 5.0 >= meta->segment[i].documents)
		{
			*first = i;
			*count = 1;
			return true;
		}
	}
	return false;
}

/* ---------- when the disk is full ---------- */

/* Work that makes the file longer: seal the frozen tail, or merge. */
typedef struct Growth
{
	Relation	index;
	int			first;
	int			count;			/* of segments; 0: seal */
	Size		memory;			/* for that */
} Growth;

static void
grow(const Growth *growth)
{
	if (growth->count == 0)
		seal_frozen_tail(growth->index, growth->memory);
	else
		merge_segments(growth->index, growth->first, growth->count);
}

/* Nobody is writing a segment: pages that one was begun on are free. */
static void
stop_building(Relation index)
{
	InvertedMetaUpdate update = inverted_begin_update(index);

	update.meta->building = 0;
	inverted_finish_update(&update);
	inverted_free_orphans(index, NULL);
}

static bool
says_full(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_DISK_FULL ||
		   error->saved_errno == ENOSPC || error->saved_errno == EFBIG ||
		   error->saved_errno == EDQUOT;
}

/*
 * For VACUUM: false, with a warning, if there is no room for it.
 *
 * Only the end of a subtransaction cleans up behind the error.  A parallel
 * VACUUM cannot have one, and fails.
 */
static bool
grow_if_possible(const Growth *growth)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool result = true;

	if (IsInParallelMode())
	{
		grow(growth);
		return true;
	}
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		grow(growth);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		if (!says_full(error))
			PG_RE_THROW();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		ereport(WARNING,
				(errmsg("no room to clean up all of index \"%s\"",
						RelationGetRelationName(growth->index)),
				 errdetail("%s.", error->message)));
		FreeErrorData(error);
		result = false;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	if (!result)
		stop_building(growth->index);
	return result;
}

/* A segment of which every document is dead goes without a successor. */
static bool
drop_dead_segment(Relation index, const InvertedMeta *meta)
{
	InvertedSegmentEntry nothing = {0};
	InvertedSegment segment;

	for (uint32 i = 0; i < meta->segment_count; i++)
	{
		if (meta->segment[i].dead < meta->segment[i].documents)
			continue;
		if (!segment_open(index, &meta->segment[i], &segment))
			inverted_corrupted(index, meta->segment[i].root, "root page has another owner");
		replace_segments(index, (int) i, 1, &nothing);
		free_segment_blocks(index, &segment);
		IndexFreeSpaceMapVacuum(index);
		segment_close(&segment);
		return true;
	}
	return false;
}

/*
 * Where there is no room for what would be best: write the smallest segment
 * anew of which a fifth is dead.  What that frees may be enough for the
 * next.
 */
static bool
renew_smallest(Relation index, const InvertedMeta *meta)
{
	Growth		growth = {index, -1, 1};

	for (int i = 0; i < (int) meta->segment_count; i++)
	{
		if (meta->segment[i].dead * 5.0 >= meta->segment[i].documents &&
			(growth.first < 0 ||
			 meta->segment[i].pages < meta->segment[growth.first].pages))
			growth.first = i;
	}
	return growth.first >= 0 && grow_if_possible(&growth);
}

static void
maintain_for_vacuum(Relation index, InvertedMeta *meta)
{
	Growth		growth = {index};

	while (drop_dead_segment(index, meta))
		inverted_read_meta(index, meta);
	growth.memory = (Size) Max(maintenance_work_mem, LEAST_SEAL_MEMORY) * 1024;
	if (meta->frozen.id != 0)
	{
		(void) grow_if_possible(&growth);
		inverted_read_meta(index, meta);
	}
	while (choose_merge(meta, true, &growth.first, &growth.count))
	{
		CHECK_FOR_INTERRUPTS();
		if (!grow_if_possible(&growth))
		{
			inverted_read_meta(index, meta);
			if (!renew_smallest(index, meta))
				break;
		}
		inverted_read_meta(index, meta);
	}
}

/*
 * Seal the tail if it has grown, and merge what is worth merging.  The
 * caller holds the structure lock.
 */
void
inverted_maintain(Relation index, bool vacuum)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "inverted maintenance",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	InvertedMeta *meta = palloc(sizeof(InvertedMeta));
	int			first;
	int			count;

	inverted_read_meta(index, meta);
	if (meta->frozen.id == 0 &&
		meta->tail.pages >= (vacuum ? TAIL_PAGES / 4 : TAIL_PAGES))
	{
		inverted_freeze_tail(index);
		inverted_read_meta(index, meta);
	}
	if (vacuum)
		maintain_for_vacuum(index, meta);
	else
	{
		if (meta->frozen.id != 0)
		{
			seal_frozen_tail(index,
							 (Size) Max(work_mem, LEAST_SEAL_MEMORY) * 1024);
			inverted_read_meta(index, meta);
		}
		while (choose_merge(meta, false, &first, &count))
		{
			CHECK_FOR_INTERRUPTS();
			merge_segments(index, first, count);
			inverted_read_meta(index, meta);
		}
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}
