/*-------------------------------------------------------------------------
 *
 * writer.c
 *	  Writing a segment of an inverted index.
 *
 * Documents come first, then the postings of all sources, term by term.  Each
 * region is written through one page in memory.  Nobody sees the pages until
 * the metapage names the segment, so each is logged as it is written (or, when
 * the whole index is built, all of them at the end) and needs no lock beyond
 * its own.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "access/generic_xlog.h"
#include "commands/progress.h"
#include "lib/binaryheap.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/memutils.h"

#include "index/inverted/inverted.h"

/* Ranks of the weights that a summary keeps, for a first threshold */
const uint32 inverted_seed_rank[INVERTED_SEEDS] = {64, 256, 1024};

/*
 * Weights are counted by their leading bits, which makes 16 classes an octave.
 */
#define SEED_CLASS(bits)	((bits) >> 19)
#define SEED_CLASSES		4096

/* Progress of a build is shown whenever so many more are written. */
#define REPORT_POSTINGS 65536

typedef struct RegionWriter
{
	PGAlignedBlock page;
	uint32		used;
	uint32		pages;			/* written */
	uint32		capacity;
	BlockNumber *block;
} RegionWriter;

struct SegmentWriter
{
	Relation	index;
	uint64		id;
	int			weight_bits;
	bool		bulk;			/* not logged here, never from free space */
	uint32		pages_written;
	InvertedRoot root;
	bool		integers;		/* so far all weights, exactly */
	uint32		directory_cells;
	uint64		next_report;	/* of progress, in postings */

	/* the term at hand */
	int32		term;
	uint32		count;
	PostingBatch pending;		/* postings not in a block yet */
	PostingHeader pending_grid;
	bool		pending_has_grid;
	PostingHeader *header;
	uint32		headers;
	uint32		header_capacity;
	float		low;
	float		high;
	uint32		classes[SEED_CLASSES];
	uint32		class_least;
	uint32		class_most;

	RegionWriter region[REGION_COUNT];
};

/* ---------- pages ---------- */

/* Put a finished page into the index. */
static BlockNumber
write_page(SegmentWriter *writer, char *image)
{
	Buffer		buffer;
	BlockNumber block;
	Page		page;

	CHECK_FOR_INTERRUPTS();
	if (writer->bulk)
	{
		buffer = ReadBuffer(writer->index, P_NEW);
		LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
		page = BufferGetPage(buffer);
		memcpy(page, image, BLCKSZ);
		InvertedPageSpecial(page)->block = BufferGetBlockNumber(buffer);
		MarkBufferDirty(buffer);
	}
	else
	{
		GenericXLogState *state;

		buffer = inverted_allocate(writer->index, NULL);
		state = GenericXLogStart(writer->index);
		page = GenericXLogRegisterBuffer(state, buffer,
										 GENERIC_XLOG_FULL_IMAGE);
		memcpy(page, image, BLCKSZ);
		InvertedPageSpecial(page)->block = BufferGetBlockNumber(buffer);
		GenericXLogFinish(state);
	}
	block = BufferGetBlockNumber(buffer);
	UnlockReleaseBuffer(buffer);
	writer->pages_written++;
	return block;
}

static void
region_start_page(SegmentWriter *writer, InvertedRegion region)
{
	RegionWriter *out = &writer->region[region];

	inverted_init_page(out->page.data, InvalidBlockNumber, writer->id,
					   (uint16) region);
	InvertedPageSpecial(out->page.data)->ordinal = out->pages;
	out->used = 0;
}

static void
region_flush(SegmentWriter *writer, InvertedRegion region)
{
	RegionWriter *out = &writer->region[region];

	if (out->used == 0)
		return;
	if (out->pages == out->capacity)
	{
		out->capacity = Max(64, out->capacity * 2);
		out->block = out->block == NULL
						 ? palloc(sizeof(BlockNumber) * out->capacity)
						 : repalloc_huge(out->block, sizeof(BlockNumber) *
														 (Size) out->capacity);
	}
	((PageHeader) out->page.data)->pd_lower =
		MAXALIGN(SizeOfPageHeaderData) + out->used;
	out->block[out->pages] = write_page(writer, out->page.data);
	out->pages++;
	region_start_page(writer, region);
}

/*
 * Append bytes, which stay together on one page; returns their offset on it.
 */
static uint32
region_append(SegmentWriter *writer, InvertedRegion region, const void *bytes,
			  uint32 length)
{
	RegionWriter *out = &writer->region[region];
	uint32		offset;

	if (out->used + length > PAGE_CAPACITY)
		region_flush(writer, region);
	offset = out->used;
	memcpy(InvertedPageData(out->page.data) + offset, bytes, length);
	out->used += length;
	return offset;
}

/* ---------- documents ---------- */

/*
 * Start a segment.  bulk: the index is being built, and will be logged as a
 * whole.
 */
SegmentWriter *
writer_begin(Relation index, uint64 id, int weight_bits, bool bulk)
{
	SegmentWriter *writer = palloc0(sizeof(SegmentWriter));

	writer->index = index;
	writer->id = id;
	writer->weight_bits = weight_bits;
	writer->bulk = bulk;
	writer->integers = true;
	writer->header_capacity = 64;
	writer->header = palloc(sizeof(PostingHeader) * 64);
	for (int i = 0; i < REGION_COUNT; i++)
		region_start_page(writer, i);
	return writer;
}

void
writer_add_document(SegmentWriter *writer, const InvertedDocument *document)
{
	if (writer->root.documents >= INVERTED_MAX_DOCUMENTS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a segment of an inverted index cannot hold more than %u rows",
						INVERTED_MAX_DOCUMENTS),
				 errhint("Partition the table.")));
	writer->root.documents++;
	if (document->flags & DOCUMENT_NULL)
		writer->root.nulls++;
	else if (document->flags & DOCUMENT_EMPTY)
		writer->root.empties++;
	else if (document->flags & DOCUMENT_IRREGULAR)
		writer->root.irregulars++;
	region_append(writer, REGION_DOCUMENTS, document,
				  sizeof(InvertedDocument));
}

/* ---------- postings ---------- */

/* Put a block on its page, with its header in front if asked. */
static uint32
put_block(SegmentWriter *writer, const PostingHeader *header,
		  const uint8 *packed, uint32 bytes, bool with_header)
{
	RegionWriter *out = &writer->region[REGION_POSTINGS];
	uint8		both[sizeof(PostingHeader) + POSTING_MAX_BYTES];
	uint32		length = bytes;
	uint32		offset;

	if (with_header)
	{
		memcpy(both, header, sizeof(PostingHeader));
		memcpy(both + sizeof(PostingHeader), packed, bytes);
		packed = both;
		length += sizeof(PostingHeader);
	}
	offset = region_append(writer, REGION_POSTINGS, packed, length);
	if (out->pages >= INVERTED_MAX_POSTING_PAGES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a segment of an inverted index cannot hold more than 16 GB of postings"),
				 errhint("Partition the table.")));
	return MAKE_ADDRESS(out->pages, offset);
}

/*
 * Learn about the weights: are they integers, and how many are of each size?
 */
static void
study_weights(SegmentWriter *writer, const PostingBatch *batch)
{
	for (int i = 0; i < batch->count; i++)
	{
		uint32		bits;
		uint32		class;

		if (batch->low[i] != batch->high[i] ||
			batch->low[i] != rintf(batch->low[i]))
			writer->integers = false;
		if (!(batch->low[i] > 0))
			continue;
		memcpy(&bits, &batch->low[i], sizeof(bits));
		class = SEED_CLASS(bits);
		writer->classes[class]++;
		writer->class_least = Min(writer->class_least, class);
		writer->class_most = Max(writer->class_most, class);
	}
}

/* What is stored bounds the weights of the term. */
static void
widen(SegmentWriter *writer, float low, float high)
{
	writer->low = Min(writer->low, low);
	writer->high = Max(writer->high, high);
}

/* Make a block of the pending postings. */
static void
flush_pending(SegmentWriter *writer, bool only)
{
	PostingHeader header;
	uint8		packed[POSTING_MAX_BYTES];
	uint32		bytes;
	float		low,
				high;
	bool		exact = true;

	if (writer->pending.count == 0)
		return;
	for (int i = 0; i < writer->pending.count && exact; i++)
		exact = writer->pending.low[i] == writer->pending.high[i];
	if (writer->pending_has_grid)
		bytes = posting_encode_as(&writer->pending, &writer->pending_grid,
								  &header, packed);
	else
		bytes = posting_encode(&writer->pending,
							   exact || writer->weight_bits != POSTING_RAW ?
							   writer->weight_bits : POSTING_MAX_BITS,
							   &header, packed);
	header.address = put_block(writer, &header, packed, bytes, only);
	if (writer->headers == writer->header_capacity)
	{
		writer->header_capacity *= 2;
		writer->header = repalloc_huge(writer->header,
									   sizeof(PostingHeader) *
										   (Size) writer->header_capacity);
	}
	writer->header[writer->headers++] = header;
	posting_range(&header, &low, &high);
	widen(writer, low, high);
	if (header.weight_bits != POSTING_RAW && header.steps != 0)
		writer->integers = false;
	writer->pending.count = 0;
	writer->pending_has_grid = false;
}

/*
 * Add postings to the term at hand.  Most of a block that was packed before
 * keeps its grid, as a block of its own: packing once more would only widen
 * the intervals of its weights.
 */
static void
add_batch(SegmentWriter *writer, const PostingBatch *batch,
		  const PostingHeader *grid)
{
	PostingBatch *pending = &writer->pending;
	int			at = 0;

	study_weights(writer, batch);
	if (grid != NULL && batch->count >= POSTING_BLOCK * 3 / 4 &&
		(grid->weight_bits == POSTING_RAW) ==
			(writer->weight_bits == POSTING_RAW))
	{
		flush_pending(writer, false);
		*pending = *batch;
		writer->pending_grid = *grid;
		writer->pending_has_grid = true;
		writer->count += batch->count;
		return;
	}
	if (writer->pending_has_grid)
		flush_pending(writer, false);
	while (at < batch->count)
	{
		int			part = Min(batch->count - at,
							   POSTING_BLOCK - pending->count);

		memcpy(pending->document + pending->count, batch->document + at,
			   sizeof(uint32) * part);
		memcpy(pending->low + pending->count, batch->low + at,
			   sizeof(float) * part);
		memcpy(pending->high + pending->count, batch->high + at,
			   sizeof(float) * part);
		pending->count += part;
		writer->count += part;
		at += part;
		/* a full block is written when it is known not to be the only one */
		if (pending->count == POSTING_BLOCK && at < batch->count)
			flush_pending(writer, false);
	}
}

static void
begin_term(SegmentWriter *writer, int32 term)
{
	writer->term = term;
	writer->count = 0;
	writer->headers = 0;
	writer->low = INFINITY;
	writer->high = -INFINITY;
	writer->class_least = SEED_CLASSES - 1;
	writer->class_most = 0;
}

/*
 * At least seed_rank[i] weights are at least seed[i]: the lower end of the
 * class in which that many are reached from above.
 */
static void
set_seeds(SegmentWriter *writer, InvertedSummary *summary)
{
	uint32		seen = 0;
	int			next = 0;

	for (int64 class = writer->class_most;
		 class >= (int64) writer->class_least; class --)
	{
		seen += writer->classes[class];
		while (next < INVERTED_SEEDS && seen >= inverted_seed_rank[next])
		{
			uint32		bits = (uint32) class << 19;

			memcpy(&summary->seed[next++], &bits, sizeof(bits));
		}
	}
}

static void
end_term(SegmentWriter *writer)
{
	InvertedTerm term = {0};

	term.term = writer->term;
	term.count = writer->count;
	if (writer->count == 1 && writer->headers == 0 &&
		writer->pending.low[0] == writer->pending.high[0])
	{
		term.where = writer->pending.document[0];
		memcpy(&term.weight, &writer->pending.high[0], sizeof(float));
		widen(writer, writer->pending.low[0], writer->pending.high[0]);
		writer->pending.count = 0;
		writer->pending_has_grid = false;
	}
	else if (writer->headers == 0 && writer->count > 1)
	{
		flush_pending(writer, true);
		term.where = writer->header[0].address;
	}
	else
	{
		InvertedSummary summary = {0};

		flush_pending(writer, false);
		term.count |= TERM_LONG;
		summary.low = writer->low;
		summary.high = writer->high;
		summary.blocks = writer->headers;
		set_seeds(writer, &summary);
		term.where = writer->directory_cells;
		region_append(writer, REGION_DIRECTORY, &summary,
					  sizeof(PostingHeader));
		region_append(writer, REGION_DIRECTORY,
					  (char *) &summary + sizeof(PostingHeader),
					  sizeof(PostingHeader));
		for (uint32 i = 0; i < writer->headers; i++)
			region_append(writer, REGION_DIRECTORY, &writer->header[i],
						  sizeof(PostingHeader));
		writer->directory_cells += 2 + writer->headers;
	}
	if (writer->class_most >= writer->class_least)
		memset(&writer->classes[writer->class_least], 0,
			   sizeof(uint32) *
				   (writer->class_most - writer->class_least + 1));

	writer->root.low = Min(writer->root.low, writer->low);
	writer->root.high = Max(writer->root.high, writer->high);
	writer->root.postings += writer->count;
	if (writer->root.terms % PAGE_ITEMS(InvertedTerm) == 0)
		region_append(writer, REGION_FENCES, &term.term, sizeof(int32));
	region_append(writer, REGION_DICTIONARY, &term, sizeof(InvertedTerm));
	writer->root.terms++;
}

/* A build shows how many postings it has written. */
static void
show_progress(SegmentWriter *writer)
{
	if (!writer->bulk || writer->root.postings < writer->next_report)
		return;
	pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE,
								 (int64) writer->root.postings);
	writer->next_report = writer->root.postings + REPORT_POSTINGS;
}

/*
 * The source with the least term is first, among equals the one listed first.
 */
static int
compare_sources(Datum a, Datum b, void *sources)
{
	PostingSource **source = sources;
	int32		left = source[DatumGetInt32(a)]->term;
	int32		right = source[DatumGetInt32(b)]->term;

	if (left != right)
		return left < right ? 1 : -1;
	return DatumGetInt32(a) < DatumGetInt32(b) ? 1 : -1;
}

/*
 * Write the postings of all sources.  The documents of one source come
 * before those of the next.
 */
void
writer_add_sources(SegmentWriter *writer, PostingSource **sources, int count)
{
	binaryheap *heap = binaryheap_allocate(Max(count, 1), compare_sources,
										   sources);
	PostingBatch *batch = palloc(sizeof(PostingBatch));

	for (int i = 0; i < count; i++)
	{
		if (sources[i]->next_term(sources[i]))
			binaryheap_add_unordered(heap, Int32GetDatum(i));
	}
	binaryheap_build(heap);
	while (!binaryheap_empty(heap))
	{
		int32		term =
				  sources[DatumGetInt32(binaryheap_first(heap))]->term;

		begin_term(writer, term);
		while (!binaryheap_empty(heap))
		{
			Datum		first = binaryheap_first(heap);
			PostingSource *source = sources[DatumGetInt32(first)];
			const PostingHeader *grid;

			if (source->term != term)
				break;
			while (source->next_batch(source, batch, &grid))
				add_batch(writer, batch, grid);
			if (source->next_term(source))
				binaryheap_replace_first(heap, first);
			else
				binaryheap_remove_first(heap);
		}
		if (writer->count > 0)
			end_term(writer);
		show_progress(writer);
	}
	binaryheap_free(heap);
	pfree(batch);
}

/* ---------- the root ---------- */

/* The list of all pages, region by region. */
static BlockNumber *
all_blocks(SegmentWriter *writer, uint32 *total)
{
	BlockNumber *block;
	uint32		at = 0;

	*total = 0;
	for (int i = 0; i < REGION_COUNT; i++)
		*total += writer->region[i].pages;
	block = MemoryContextAllocHuge(CurrentMemoryContext,
								   sizeof(BlockNumber) * Max(*total, 1));
	for (int i = 0; i < REGION_COUNT; i++)
	{
		RegionWriter *region = &writer->region[i];

		if (region->pages > 0)
			memcpy(block + at, region->block,
				   sizeof(BlockNumber) * region->pages);
		at += region->pages;
		writer->root.region_pages[i] = region->pages;
	}
	return block;
}

/* Write a list that is too long for the root; returns the pages it is on. */
static BlockNumber *
write_map(SegmentWriter *writer, const BlockNumber *block, uint32 total,
		  uint32 *pages)
{
	PGAlignedBlock image;
	uint32		per_page = PAGE_ITEMS(BlockNumber);
	BlockNumber *map;

	*pages = (total + per_page - 1) / per_page;
	if (*pages > ROOT_BLOCKS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("segment of an inverted index is too large"),
				 errhint("Partition the table.")));
	map = palloc(sizeof(BlockNumber) * *pages);
	for (uint32 i = 0; i < *pages; i++)
	{
		uint32		part = Min(per_page, total - i * per_page);

		inverted_init_page(image.data, InvalidBlockNumber, writer->id,
						   PAGE_MAP);
		InvertedPageSpecial(image.data)->ordinal = i;
		memcpy(InvertedPageData(image.data), block + i * per_page,
			   sizeof(BlockNumber) * part);
		((PageHeader) image.data)->pd_lower += sizeof(BlockNumber) * part;
		map[i] = write_page(writer, image.data);
	}
	return map;
}

/*
 * Write what is left and the root.  Fills in the segment's entry for the
 * metapage, except for first_birth and level.  Frees the writer.
 */
void
writer_finish(SegmentWriter *writer, InvertedSegmentEntry *entry)
{
	PGAlignedBlock image;
	BlockNumber *block;
	BlockNumber *map;
	uint32		total;
	uint32		listed;

	for (int i = 0; i < REGION_COUNT; i++)
		region_flush(writer, i);
	block = all_blocks(writer, &total);
	map = block;
	listed = total;
	if (total > ROOT_BLOCKS)
	{
		map = write_map(writer, block, total, &listed);
		writer->root.map_pages = listed;
	}
	if (writer->integers)
		writer->root.flags |= ROOT_INTEGERS;

	inverted_init_page(image.data, InvalidBlockNumber, writer->id, PAGE_ROOT);
	memcpy(InvertedPageData(image.data), &writer->root, sizeof(InvertedRoot));
	memcpy(InvertedPageData(image.data) + sizeof(InvertedRoot), map,
		   sizeof(BlockNumber) * listed);
	((PageHeader) image.data)->pd_lower +=
		sizeof(InvertedRoot) + sizeof(BlockNumber) * listed;

	memset(entry, 0, sizeof(*entry));
	entry->id = writer->id;
	entry->root = write_page(writer, image.data);
	entry->documents = writer->root.documents;
	entry->postings = writer->root.postings;
	entry->pages = writer->pages_written;

	if (map != block)
		pfree(map);
	pfree(block);
	for (int i = 0; i < REGION_COUNT; i++)
	{
		if (writer->region[i].block != NULL)
			pfree(writer->region[i].block);
	}
	pfree(writer->header);
	pfree(writer);
}
