/*-------------------------------------------------------------------------
 *
 * inverted_search_lists.c
 *	  The lists of a query: finding them, and reading what a window needs.
 *
 * Sparse lists are unpacked for the whole window, dense ones are read chunk by
 * chunk and give only the headers of their blocks here.  Both raise the upper
 * bounds of the window's ranges.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <float.h>
#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "index/inverted/inverted_search_lists.h"

/*
 * A list is unpacked at once if a block of it spans more documents than this
 * on average: reading it chunk by chunk would unpack blocks more than once.
 */
#define DENSE_SPAN			2048

/* ---------- terms ---------- */

/* Largest and least product of a weight in [low, high] with a factor */
static double
greatest_product(float factor, float low, float high)
{
	return factor > 0 ? (double) factor * high : (double) factor * low;
}

static double
least_product(float factor, float low, float high)
{
	return factor > 0 ? (double) factor * low : (double) factor * high;
}

/* The dictionary's entry of a term on a page, or NULL */
static const InvertedTerm *
find_on_page(Page page, int32 term)
{
	const InvertedTerm *entry = (const InvertedTerm *) InvertedPageData(page);
	int			low = 0;
	int			high = (int) (InvertedPageUsed(page) / sizeof(InvertedTerm));

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (entry[middle].term < term)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < (int) (InvertedPageUsed(page) / sizeof(InvertedTerm)) &&
		entry[low].term == term)
		return &entry[low];
	return NULL;
}

/* The last dictionary page that may hold a term; fences[0] <= term */
static uint32
find_page(const InvertedSegment *segment, uint32 low, int32 term)
{
	uint32		high = segment->root.region_pages[REGION_DICTIONARY];

	while (high - low > 1)
	{
		uint32		middle = low + (high - low) / 2;

		if (segment->fences[middle] <= term)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/*
 * Look up all terms of the query, which are ascending as the dictionary is:
 * neighbours on one page share its pin.
 */
static bool
look_up_terms(Searcher *searcher, SearchSegment *target)
{
	InvertedSegment *segment = &target->segment;
	const SearchQuery *query = &searcher->query;
	Buffer		buffer = InvalidBuffer;
	Page		page = NULL;
	uint32		at = 0;

	target->list = palloc0(sizeof(SearchList) * Max(query->count, 1));
	target->lists = 0;
	if (segment->root.region_pages[REGION_DICTIONARY] == 0)
		return true;
	if (!segment_load_fences(searcher->index, segment))
		return false;
	for (int i = 0; i < query->count; i++)
	{
		const InvertedTerm *entry;
		uint32		number;

		if (query->term[i] < segment->fences[0])
			continue;
		number = find_page(segment, at, query->term[i]);
		if (!BufferIsValid(buffer) || number != at)
		{
			if (BufferIsValid(buffer))
				UnlockReleaseBuffer(buffer);
			CHECK_FOR_INTERRUPTS();
			buffer = segment_page(searcher->index, segment, REGION_DICTIONARY,
								  number, &page);
			if (!BufferIsValid(buffer))
				return false;
			at = number;
		}
		entry = find_on_page(page, query->term[i]);
		if (entry != NULL)
		{
			SearchList *list = &target->list[target->lists++];

			list->list.term = *entry;
			list->factor = query->factor[i];
		}
	}
	if (BufferIsValid(buffer))
		UnlockReleaseBuffer(buffer);
	return true;
}

/* The single block of a short list */
static bool
read_short_list(Searcher *searcher, const InvertedSegment *segment,
				const InvertedTerm *term, PostingHeader *header, float factor,
				uint32 *document, float *score)
{
	uint32		offset = ADDRESS_OFFSET(term->where);
	Page		page;
	Buffer		buffer = segment_page(searcher->index, segment,
									  REGION_POSTINGS,
									  ADDRESS_PAGE(term->where), &page);
	char	   *bytes;

	if (!BufferIsValid(buffer))
		return false;
	bytes = InvertedPageData(page) + offset;
	if (offset + sizeof(PostingHeader) <= PAGE_CAPACITY)
		memcpy(header, bytes, sizeof(PostingHeader));
	if (offset + sizeof(PostingHeader) > PAGE_CAPACITY ||
		!posting_header_valid(header) ||
		offset + sizeof(PostingHeader) + posting_bytes(header) > PAGE_CAPACITY)
	{
		UnlockReleaseBuffer(buffer);
		inverted_corrupted(searcher->index, segment->entry.root, "address of a block is wrong");
	}
	bytes += sizeof(PostingHeader);
	posting_documents(header, (const uint8 *) bytes, document);
	posting_scores(header, (const uint8 *) bytes, factor, score);
	UnlockReleaseBuffer(buffer);
	last_index_scan.leaves++;
	last_index_scan.codes += header->last + 1;
	return true;
}

/* Interval of the weights of a list */
static bool
read_list_range(Searcher *searcher, const InvertedSegment *segment,
				SearchList *list)
{
	InvertedSummary *summary = &list->list.summary;

	if (TERM_IS_LONG(&list->list.term))
		return segment_headers(searcher->index, segment, list->list.term.where,
							   2, (PostingHeader *) summary);
	if (TERM_COUNT(&list->list.term) == 1)
	{
		memcpy(&summary->low, &list->list.term.weight, sizeof(float));
		summary->high = summary->low;
	}
	else
	{
		/* not worth a visit: the range of the whole segment bounds it */
		summary->low = segment->root.low;
		summary->high = segment->root.high;
	}
	return true;
}

/*
 * Documents at a time, so that what is unpacked at once fits in work_mem.
 */
static uint32
window_size(const SearchSegment *target)
{
	double		documents = Max(target->segment.root.documents, 1);
	double		per_document = sizeof(float) / (double) RANGE;
	double		window;

	for (int i = 0; i < target->lists; i++)
	{
		double		density = TERM_COUNT(&target->list[i].list.term) /
							  documents;

		if (target->list[i].dense)
			per_document += density / POSTING_BLOCK * sizeof(PostingHeader);
		else
			per_document += density * (sizeof(uint32) + sizeof(float)) +
				sizeof(uint32) / (double) CHUNK;
	}
	window = work_mem * 1024.0 / per_document;
	if (window >= documents)
		return (uint32) documents;
	return Max(CHUNK, (uint32) window / CHUNK * CHUNK);
}

/*
 * Find the query's lists in a segment and what can be said of all scores.
 */
bool
lists_resolve(Searcher *searcher, SearchSegment *target)
{
	double		magnitude = 0;
	double		rounding;

	if (target->resolved)
		return true;
	if (!look_up_terms(searcher, target))
		return false;
	target->negative = 0;
	for (int i = 0; i < target->lists; i++)
	{
		SearchList *list = &target->list[i];
		InvertedSummary *summary = &list->list.summary;

		if (!read_list_range(searcher, &target->segment, list))
			return false;
		magnitude += fabs((double) list->factor) *
			Max(fabsf(summary->low), fabsf(summary->high));
		target->negative += Min(0, least_product(list->factor, summary->low,
												 summary->high));
		list->dense = TERM_IS_LONG(&list->list.term) &&
			(double) target->segment.root.documents * POSTING_BLOCK /
			TERM_COUNT(&list->list.term) <= DENSE_SPAN;
	}

	/*
	 * Sums of n terms in float32, here and in the bounds, and the operator's
	 * kernel with its 4 * eps * sqrt(n); for cosine also the norms, whose
	 * vectors may be as long as allowed.
	 */
	rounding = target->lists + 4 * sqrt(target->lists) + 16;
	if (searcher->query.metric == INVERTED_COSINE)
		rounding += 12 * sqrt(SPARSEVEC_MAX_NONZEROS);
	target->slack = magnitude * rounding * FLT_EPSILON + 1e-30;
	target->exact = searcher->query.metric == INVERTED_INNER &&
		searcher->query.integers &&
		(target->segment.root.flags & ROOT_INTEGERS) != 0 &&
		magnitude < (1 << 24);
	if (target->exact)
		target->slack = 0;
	target->window = window_size(target);
	target->resolved = true;
	return true;
}

/* ---------- a window ---------- */

/*
 * Read the headers of a long list's blocks that reach into the window.
 */
bool
list_load_headers(Window *window, SearchList *list)
{
	uint32		per_page = PAGE_ITEMS(PostingHeader);
	uint32		blocks = list->list.summary.blocks;
	uint32		capacity = 0;
	uint32		at = list->cursor;

	list->first_block = at;
	list->headers = 0;
	list->header = NULL;
	while (at < blocks)
	{
		uint32		cell = list->list.term.where + 2 + at;
		uint32		part = Min(blocks - at, per_page - cell % per_page);

		if (list->headers + part > capacity)
		{
			capacity = Max(list->headers + part, capacity * 2);
			list->header = list->header == NULL
							   ? palloc(sizeof(PostingHeader) * capacity)
							   : repalloc_huge(list->header,
											   sizeof(PostingHeader) *
												   (Size) capacity);
		}
		if (!segment_headers(window->searcher->index, &window->target->segment,
							 cell, part, list->header + list->headers))
			return false;
		for (uint32 i = 0; i < part; i++)
		{
			if (!posting_header_valid(&list->header[list->headers + i]))
				inverted_corrupted(window->searcher->index,
								   window->target->segment.entry.root,
								   "header of a block is impossible");
		}
		list->headers += part;
		at += part;
		if (list->header[list->headers - 1].first >= window->end)
			break;
	}
	while (list->headers > 0 &&
		   list->header[list->headers - 1].first >= window->end)
		list->headers--;
	/* the last block may go on in the next window */
	if (list->headers > 0)
		list->cursor = list->first_block + list->headers - 1;
	return true;
}

/* The document behind the last that a block of a list can hold */
uint32
list_block_end(const Window *window, const SearchList *list, uint32 block)
{
	return block + 1 < list->headers
			   ? Min(list->header[block + 1].first, window->end)
			   : window->end;
}

/*
 * Raise the bounds of the ranges by what each block can add.  Blocks that
 * meet in one range count once, the larger.
 */
void
list_bound_by_headers(Window *window, const SearchList *list)
{
	uint32		last_range = PG_UINT32_MAX;
	float		last = 0;

	for (uint32 i = 0; i < list->headers; i++)
	{
		uint32		begin = Max(list->header[i].first, window->begin);
		uint32		end = list_block_end(window, list, i);
		uint32		range;
		uint32		end_range;
		float		low,
					high,
					most;

		if (end <= begin)
			continue;
		posting_range(&list->header[i], &low, &high);
		most = (float) Max(0, greatest_product(list->factor, low, high));
		range = (begin - window->begin) / RANGE;
		end_range = (end - 1 - window->begin) / RANGE;
		if (range == last_range)
		{
			if (most > last)
			{
				window->bound[range] += most - last;
				last = most;
			}
			if (end_range == range)
				continue;
			range++;
		}
		for (; range <= end_range; range++)
			window->bound[range] += most;
		last_range = end_range;
		last = most;
	}
}

void
posting_page_release(PostingPage *page)
{
	if (BufferIsValid(page->buffer))
		UnlockReleaseBuffer(page->buffer);
	page->buffer = InvalidBuffer;
}

const uint8 *
posting_page_block(Window *window, PostingPage *page,
				   const PostingHeader *header)
{
	uint32		number = ADDRESS_PAGE(header->address);

	if (!BufferIsValid(page->buffer) || page->number != number)
	{
		posting_page_release(page);
		CHECK_FOR_INTERRUPTS();
		page->buffer = segment_page(window->searcher->index,
									&window->target->segment, REGION_POSTINGS,
									number, &page->page);
		page->number = number;
		if (!BufferIsValid(page->buffer))
			return NULL;
	}
	if (ADDRESS_OFFSET(header->address) + posting_bytes(header) >
		PAGE_CAPACITY)
	{
		posting_page_release(page);
		inverted_corrupted(window->searcher->index,
						   window->target->segment.entry.root,
						   "address of a block is wrong");
	}
	last_index_scan.leaves++;
	last_index_scan.codes += header->last + 1;
	return (const uint8 *) InvertedPageData(page->page) +
		   ADDRESS_OFFSET(header->address);
}

/*
 * Keep of a block's postings those in the window, made relative to it.
 */
static uint32
clip_to_window(const Window *window, const uint32 *document,
			   const float *score, uint32 count, uint32 *to_document,
			   float *to_score)
{
	uint32		size = window->end - window->begin;
	uint32		kept = 0;

	for (uint32 i = 0; i < count; i++)
	{
		uint32		place = document[i] - window->begin;

		to_document[kept] = place;
		to_score[kept] = score[i];
		kept += place < size;
	}
	return kept;
}

/* Note where each chunk begins, and raise the bounds of the ranges. */
static void
index_unpacked(Window *window, SearchList *list, uint32 count)
{
	uint32		chunk = 0;
	uint32		range = 0;
	float		most = 0;

	list->start = palloc(sizeof(uint32) * (window->chunks + 1));
	list->start[0] = 0;
	for (uint32 i = 0; i < count; i++)
	{
		uint32		document = list->document[i];

		if (document / RANGE != range)
		{
			window->bound[range] += most;
			most = 0;
			range = document / RANGE;
			while (chunk < document / CHUNK)
				list->start[++chunk] = i;
		}
		most = Max(most, list->score[i]);
	}
	window->bound[range] += most;
	while (chunk < window->chunks)
		list->start[++chunk] = count;
}

/*
 * Unpack what a list has in the window.  Damaged blocks could repeat
 * documents or go backwards: index_unpacked needs ascending ones, so that is
 * checked.
 */
bool
list_unpack(Window *window, SearchList *list)
{
	Relation	index = window->searcher->index;
	const InvertedTerm *term = &list->list.term;
	uint32		document[POSTING_BLOCK];
	float		score[POSTING_BLOCK];
	uint32		count = 0;

	if (TERM_IS_LONG(term))
	{
		PostingPage page = {InvalidBuffer};
		Size		room;

		if (!list_load_headers(window, list))
			return false;
		room = (Size) list->headers * POSTING_BLOCK + 1;
		list->document = MemoryContextAllocHuge(CurrentMemoryContext,
												sizeof(uint32) * room);
		list->score = MemoryContextAllocHuge(CurrentMemoryContext,
											 sizeof(float) * room);
		for (uint32 i = 0; i < list->headers; i++)
		{
			const PostingHeader *header = &list->header[i];
			const uint8 *packed;

			if (list_block_end(window, list, i) <= window->begin)
				continue;
			packed = posting_page_block(window, &page, header);
			if (packed == NULL)
				return false;
			posting_documents(header, packed, document);
			posting_scores(header, packed, list->factor, score);
			count += clip_to_window(window, document, score, header->last + 1U,
									list->document + count,
									list->score + count);
		}
		posting_page_release(&page);
	}
	else
	{
		PostingHeader header = {0};

		list->document = palloc(sizeof(uint32) * (POSTING_BLOCK + 1));
		list->score = palloc(sizeof(float) * (POSTING_BLOCK + 1));
		if (TERM_COUNT(term) == 1)
		{
			float		weight;

			memcpy(&weight, &term->weight, sizeof(weight));
			document[0] = term->where;
			score[0] = list->factor * weight;
			if (score[0] == 0)
				score[0] = 0;
		}
		else if (!read_short_list(window->searcher, &window->target->segment,
								  term, &header, list->factor, document,
								  score))
			return false;
		count = clip_to_window(window, document, score, header.last + 1U,
							   list->document, list->score);
	}
	for (uint32 i = 1; i < count; i++)
	{
		if (list->document[i] <= list->document[i - 1])
			inverted_corrupted(index, window->target->segment.entry.root,
							   "documents of a list do not ascend");
	}
	index_unpacked(window, list, count);
	return true;
}
