/*-------------------------------------------------------------------------
 *
 * segment.c
 *	  Reading a segment of an inverted index.
 *
 * Segments never change, except that VACUUM marks documents as dead.  But a
 * merge may drop a segment at any time and its pages may be used again, so
 * every page is asked for its owner while it is locked.  Functions here answer
 * false, or an invalid buffer, when a page has been reused; the search then
 * starts again from the metapage.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "index/inverted/inverted.h"

/* Pages read by this backend, for the statistics of a scan */
uint64		inverted_pages_read;

void
inverted_corrupted(Relation index, BlockNumber block, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INDEX_CORRUPTED),
			 errmsg("index \"%s\" is damaged at block %u: %s",
					RelationGetRelationName(index), block, what),
			 errhint("Please REINDEX it.")));
}

/*
 * Lock a page for reading if it is the one that is expected.
 */
static Buffer
read_owned(Relation index, BlockNumber block, uint64 owner, uint16 kind,
		   Page *page)
{
	Buffer		buffer = index_read_buffer(index, block);

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	*page = BufferGetPage(buffer);
	inverted_pages_read++;
	if (inverted_page_is(*page, block, owner, kind))
		return buffer;
	UnlockReleaseBuffer(buffer);
	return InvalidBuffer;
}

/*
 * Take over what the root lists: the segment's pages, or the pages of that
 * list.
 */
static void
take_block_list(InvertedSegment *segment, const BlockNumber *listed,
				uint32 total)
{
	uint32		maps = segment->root.map_pages;

	segment->blocks = MemoryContextAllocHuge(
		CurrentMemoryContext, sizeof(BlockNumber) * Max(total, 1));
	if (maps == 0)
		memcpy(segment->blocks, listed, sizeof(BlockNumber) * total);
	else
	{
		segment->map = palloc(sizeof(BlockNumber) * maps);
		memcpy(segment->map, listed, sizeof(BlockNumber) * maps);
	}
}

/* Read the list from its pages. */
static bool
read_map_pages(Relation index, InvertedSegment *segment, uint32 total)
{
	uint32		per_page = PAGE_ITEMS(BlockNumber);

	for (uint32 i = 0; i < segment->root.map_pages; i++)
	{
		Page		page;
		uint32		first = i * per_page;
		uint32		count = Min(per_page, total - first);
		Buffer		buffer = read_owned(index, segment->map[i],
										segment->entry.id, PAGE_MAP, &page);

		if (!BufferIsValid(buffer))
			return false;
		memcpy(segment->blocks + first, InvertedPageData(page),
			   sizeof(BlockNumber) * count);
		UnlockReleaseBuffer(buffer);
	}
	return true;
}

/* Read a segment's root and list of pages.  False if it is gone. */
bool
segment_open(Relation index, const InvertedSegmentEntry *entry,
			 InvertedSegment *segment)
{
	Page		page;
	Buffer		buffer;
	InvertedRoot *root;
	uint64		total = 0;
	uint32		at = 0;

	memset(segment, 0, sizeof(*segment));
	segment->entry = *entry;
	buffer = read_owned(index, entry->root, entry->id, PAGE_ROOT, &page);
	if (!BufferIsValid(buffer))
		return false;
	root = (InvertedRoot *) InvertedPageData(page);
	memcpy(&segment->root, root, sizeof(InvertedRoot));
	for (int i = 0; i < REGION_COUNT; i++)
		total += root->region_pages[i];
	if (total > MaxBlockNumber || root->documents != entry->documents ||
		(root->map_pages == 0 && total > ROOT_BLOCKS) ||
		(root->map_pages != 0 &&
		 (root->map_pages > ROOT_BLOCKS ||
		  root->map_pages != (total + PAGE_ITEMS(BlockNumber) - 1) /
								 PAGE_ITEMS(BlockNumber))))
	{
		UnlockReleaseBuffer(buffer);
		inverted_corrupted(index, entry->root, "root page contradicts itself");
	}
	take_block_list(segment, root_blocks(root), (uint32) total);
	UnlockReleaseBuffer(buffer);
	if (segment->root.map_pages > 0 &&
		!read_map_pages(index, segment, (uint32) total))
		return false;

	for (int i = 0; i < REGION_COUNT; i++)
	{
		segment->region[i] = segment->blocks + at;
		at += segment->root.region_pages[i];
	}
	return true;
}

void
segment_close(InvertedSegment *segment)
{
	if (segment->blocks != NULL)
		pfree(segment->blocks);
	if (segment->map != NULL)
		pfree(segment->map);
	if (segment->fences != NULL)
		pfree(segment->fences);
}

/* Pin and lock a page of a region for reading. */
Buffer
segment_page(Relation index, const InvertedSegment *segment,
			 InvertedRegion region, uint32 number, Page *page)
{
	if (number >= segment->root.region_pages[region])
		inverted_corrupted(index, segment->entry.root, "address beyond a region");
	return read_owned(index, segment->region[region][number],
					  segment->entry.id, (uint16) region, page);
}

bool
segment_copy_page(Relation index, const InvertedSegment *segment,
				  InvertedRegion region, uint32 number, char *copy)
{
	Page		page;
	Buffer		buffer = segment_page(index, segment, region, number, &page);

	if (!BufferIsValid(buffer))
		return false;
	memcpy(copy, page, BLCKSZ);
	UnlockReleaseBuffer(buffer);
	return true;
}

/* Read the first term of each dictionary page. */
bool
segment_load_fences(Relation index, InvertedSegment *segment)
{
	uint32		total = segment->root.region_pages[REGION_DICTIONARY];
	uint32		per_page = PAGE_ITEMS(int32);

	if (segment->fences != NULL)
		return true;
	if (segment->root.region_pages[REGION_FENCES] !=
		(total + per_page - 1) / per_page)
		inverted_corrupted(index, segment->entry.root, "fences do not match the dictionary");
	segment->fences = palloc(sizeof(int32) * Max(total, 1));
	for (uint32 i = 0; i < segment->root.region_pages[REGION_FENCES]; i++)
	{
		Page		page;
		uint32		first = i * per_page;
		Buffer		buffer = segment_page(index, segment, REGION_FENCES, i,
										  &page);

		if (!BufferIsValid(buffer))
			return false;
		memcpy(segment->fences + first, InvertedPageData(page),
			   sizeof(int32) * Min(per_page, total - first));
		UnlockReleaseBuffer(buffer);
	}
	return true;
}

/* Copy cells of the directory. */
bool
segment_headers(Relation index, const InvertedSegment *segment,
				uint32 cell, uint32 count, PostingHeader *out)
{
	uint32		per_page = PAGE_ITEMS(PostingHeader);

	while (count > 0)
	{
		Page		page;
		uint32		at = cell % per_page;
		uint32		part = Min(count, per_page - at);
		Buffer		buffer = segment_page(index, segment, REGION_DIRECTORY,
										  cell / per_page, &page);

		if (!BufferIsValid(buffer))
			return false;
		memcpy(out, InvertedPageData(page) + at * sizeof(PostingHeader),
			   part * sizeof(PostingHeader));
		UnlockReleaseBuffer(buffer);
		out += part;
		cell += part;
		count -= part;
	}
	return true;
}
