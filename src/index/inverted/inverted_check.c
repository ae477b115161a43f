/*-------------------------------------------------------------------------
 *
 * inverted_check.c
 *	  embed_index_check and embed_index_stats for inverted indexes.
 *
 * The checker walks everything the metapage names and reports each violated
 * invariant of the README by its number.  It must survive any damage, so it
 * looks at every length before it uses it.  It takes the structure lock: what
 * it walks does not change under it, except that inserts append to the tail.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "miscadmin.h"
#include "storage/freespace.h"
#include "utils/memutils.h"

#include "index/inverted/inverted.h"

typedef struct Checker
{
	Relation	index;
	IndexReport *report;
	BlockNumber blocks;
	uint8	   *seen;			/* each block belongs to one place only */
	char	   *page;
} Checker;

/* Inserts may have made the index longer since. */
static void
see_growth(Checker *checker)
{
	BlockNumber now = RelationGetNumberOfBlocks(checker->index);

	if (now <= checker->blocks)
		return;
	checker->seen = repalloc_huge(checker->seen, now);
	memset(checker->seen + checker->blocks, 0, now - checker->blocks);
	checker->blocks = now;
}

/*
 * Copy a page and check its special area.  False if it cannot be used.
 */
static bool
check_page(Checker *checker, BlockNumber block, uint64 owner, uint16 kind)
{
	Buffer		buffer;
	InvertedSpecial *special;
	PageHeader	header = (PageHeader) checker->page;

	CHECK_FOR_INTERRUPTS();
	if (block != InvalidBlockNumber && block >= checker->blocks)
		see_growth(checker);
	if (block == InvalidBlockNumber || block >= checker->blocks)
	{
		index_report_problem(checker->report, block, "page is beyond the end of the index");
		return false;
	}
	if (checker->seen[block])
	{
		index_report_problem(checker->report, block, "page is used in two places");
		return false;
	}
	checker->seen[block] = 1;
	buffer = ReadBuffer(checker->index, block);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	memcpy(checker->page, BufferGetPage(buffer), BLCKSZ);
	UnlockReleaseBuffer(buffer);

	if (PageIsNew(checker->page) ||
		header->pd_special != BLCKSZ - sizeof(InvertedSpecial) ||
		header->pd_upper != header->pd_special ||
		header->pd_lower < MAXALIGN(SizeOfPageHeaderData) ||
		header->pd_lower > header->pd_upper)
	{
		index_report_problem(checker->report, block, "page header is damaged");
		return false;
	}
	special = InvertedPageSpecial(checker->page);
	if (special->page_id != INVERTED_PAGE_ID)
		index_report_problem(checker->report, block, "page identifier is %04X",
							 special->page_id);
	if (special->block != block)
		index_report_problem(checker->report, block, "page belongs to block %u", special->block);
	if (special->owner != owner || special->kind != kind)
	{
		index_report_problem(checker->report, block,
							 "page belongs to " UINT64_FORMAT " as kind %d, expected "
							 UINT64_FORMAT " as kind %d",
							 special->owner, special->kind, owner, kind);
		return false;
	}
	return true;
}

/* ---------- a segment ---------- */

typedef struct SegmentCheck
{
	Checker    *checker;
	const InvertedSegmentEntry *entry;
	InvertedRoot *root;
	BlockNumber *block[REGION_COUNT];
	uint8	   *classes;		/* of each document */
	char	   *directory;		/* the directory, one cell after the other */
	char	   *postings;		/* pages of postings, PAGE_CAPACITY each */
	uint32	   *postings_used;	/* bytes used of each */
	uint32		cells;
	uint64		found;			/* postings */
} SegmentCheck;

static void
complain(SegmentCheck *check, const char *what)
{
	index_report_problem(check->checker->report, check->entry->root, "segment "
						 UINT64_FORMAT ": %s", check->entry->id, what);
}

/* Collect the items of a region; NULL if a page is missing. */
static char *
collect_region(SegmentCheck *check, InvertedRegion region, Size item,
			   uint64 items)
{
	uint32		per_page = PAGE_CAPACITY / item;
	char	   *all = palloc_extended(Max(items * item, 1),
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	bool		whole = true;

	if ((items + per_page - 1) / per_page != check->root->region_pages[region])
	{
		complain(check, "a region has the wrong number of pages");
		return NULL;
	}
	for (uint32 i = 0; i < check->root->region_pages[region]; i++)
	{
		Size		part = Min(per_page, items - (uint64) i * per_page);

		if (!check_page(check->checker, check->block[region][i],
						check->entry->id, region))
		{
			whole = false;
			continue;
		}
		if (InvertedPageUsed(check->checker->page) != part * item)
		{
			index_report_problem(
				check->checker->report, check->block[region][i],
				"page of region %d has the wrong number of items", region);
			whole = false;
			continue;
		}
		memcpy(all + (Size) i * per_page * item,
			   InvertedPageData(check->checker->page), part * item);
	}
	return whole ? all : NULL;
}

static void
check_documents(SegmentCheck *check)
{
	InvertedDocument *document = (InvertedDocument *)
		collect_region(check, REGION_DOCUMENTS, sizeof(InvertedDocument),
					   check->root->documents);
	uint32		dead = 0;
	uint32		nulls = 0;
	uint32		empties = 0;
	uint32		irregulars = 0;
	bool		ascending = true;

	if (document == NULL)
		return;
	for (uint32 i = 0; i < check->root->documents; i++)
	{
		uint16		flags = document[i].flags;

		check->classes[i] = (uint8) flags;
		dead += (flags & DOCUMENT_DEAD) != 0;
		nulls += (flags & DOCUMENT_NULL) != 0;
		empties += (flags & DOCUMENT_EMPTY) != 0;
		irregulars += (flags & DOCUMENT_IRREGULAR) != 0;
		if (i > 0 && document[i].birth <= document[i - 1].birth)
			ascending = false;
		if (document[i].offset == 0)
			complain(check, "a document has no row");
	}
	if (!ascending)
		complain(check, "documents are not in order of birth");

	/*
	 * the metapage learns of them last: after a crash, and on a standby, later
	 */
	if (dead < check->entry->dead)
		index_report_problem(check->checker->report, check->entry->root,
							 "segment " UINT64_FORMAT ": %u documents dead, the metapage has %u",
							 check->entry->id, dead, check->entry->dead);
	if (nulls != check->root->nulls || empties != check->root->empties ||
		irregulars != check->root->irregulars)
		complain(check, "classes of documents are counted wrongly");
}

/* The bytes of a block, or NULL */
static const uint8 *
find_block(SegmentCheck *check, uint32 address, uint32 skip,
		   const PostingHeader *header)
{
	uint32		page = ADDRESS_PAGE(address);
	uint32		offset = ADDRESS_OFFSET(address) + skip;
	uint32		length = header == NULL ? sizeof(PostingHeader)
										: (uint32) posting_bytes(header);

	if (page >= check->root->region_pages[REGION_POSTINGS] ||
		offset + length > check->postings_used[page])
	{
		complain(check, "address of a block is wrong");
		return NULL;
	}
	return (const uint8 *) check->postings + (Size) page * BLCKSZ + offset;
}

/*
 * Check one block; returns the number of its postings.
 */
static uint32
check_block(SegmentCheck *check, const PostingHeader *header,
			const uint8 *packed, int64 *previous, float low, float high)
{
	PostingBatch batch;
	float		tolerance = 1e-5f * (fabsf(low) + fabsf(high));

	posting_decode(header, packed, &batch);
	for (int i = 0; i < batch.count; i++)
	{
		if ((int64) batch.document[i] <= *previous)
		{
			complain(check, "documents of a list do not ascend");
			return 0;
		}
		*previous = batch.document[i];
		if (batch.document[i] >= check->root->documents ||
			(check->classes[batch.document[i]] & DOCUMENT_CLASSES) != 0)
		{
			complain(check, "posting of a document that has none");
			return 0;
		}
		if (!(batch.high[i] <= high + tolerance &&
			  batch.low[i] >= low - tolerance))
		{
			complain(check, "weight exceeds the bounds of its list");
			return 0;
		}
	}
	return (uint32) batch.count;
}

static void
check_term(SegmentCheck *check, const InvertedTerm *term)
{
	int64		previous = -1;
	uint32		count = 0;
	float		low = check->root->low;
	float		high = check->root->high;
	PostingHeader header;
	const uint8 *packed;

	if (TERM_IS_LONG(term))
	{
		InvertedSummary summary;
		PostingHeader *cell = (PostingHeader *) check->directory + term->where;

		if ((uint64) term->where + 2 > check->cells)
		{
			complain(check, "address of a long list is wrong");
			return;
		}
		memcpy(&summary, cell, sizeof(summary));
		if ((uint64) term->where + 2 + summary.blocks > check->cells)
		{
			complain(check, "long list exceeds the directory");
			return;
		}
		if (!(summary.low >= low && summary.high <= high))
			complain(check, "weights of a list exceed the bounds of the segment");
		for (uint32 i = 0; i < summary.blocks; i++)
		{
			header = cell[2 + i];
			if (!posting_header_valid(&header))
				complain(check, "header of a block is impossible");
			else if ((packed = find_block(check, header.address, 0,
										  &header)) != NULL)
				count += check_block(check, &header, packed, &previous,
									 summary.low, summary.high);
		}
	}
	else if (TERM_COUNT(term) == 1)
	{
		float		weight;

		memcpy(&weight, &term->weight, sizeof(weight));
		if (term->where >= check->root->documents ||
			(check->classes[term->where] & DOCUMENT_CLASSES) != 0 ||
			!(weight >= low && weight <= high))
			complain(check, "posting in the dictionary is wrong");
		count = 1;
	}
	else if ((packed = find_block(check, term->where, 0, NULL)) != NULL)
	{
		memcpy(&header, packed, sizeof(header));
		if (!posting_header_valid(&header))
			complain(check, "header of a block is impossible");
		else if ((packed = find_block(check, term->where, sizeof(header),
									  &header)) != NULL)
			count = check_block(check, &header, packed, &previous, low, high);
	}
	if (count != TERM_COUNT(term))
		index_report_problem(check->checker->report, check->entry->root,
							 "segment " UINT64_FORMAT
							 ": term %d has %u postings, its entry has %u",
							 check->entry->id, term->term, count,
							 TERM_COUNT(term));
	check->found += count;
}

static void
check_lists(SegmentCheck *check)
{
	uint32		per_page = PAGE_ITEMS(InvertedTerm);
	InvertedTerm *term;
	int32	   *fence;

	for (uint32 i = 0; i < check->root->region_pages[REGION_POSTINGS]; i++)
	{
		if (check_page(check->checker, check->block[REGION_POSTINGS][i],
					   check->entry->id, REGION_POSTINGS))
		{
			memcpy(check->postings + (Size) i * BLCKSZ,
				   InvertedPageData(check->checker->page), PAGE_CAPACITY);
			check->postings_used[i] = InvertedPageUsed(check->checker->page);
		}
	}
	if (check->root->region_pages[REGION_DIRECTORY] > 0)
	{
		/* the last page tells how many cells there are */
		uint32		last = check->root->region_pages[REGION_DIRECTORY] - 1;
		BlockNumber block = check->block[REGION_DIRECTORY][last];

		if (!check_page(check->checker, block, check->entry->id,
						REGION_DIRECTORY))
			return;
		check->checker->seen[block] = 0;
		check->cells = last * PAGE_ITEMS(PostingHeader) +
			InvertedPageUsed(check->checker->page) / sizeof(PostingHeader);
	}
	check->directory = collect_region(check, REGION_DIRECTORY,
									  sizeof(PostingHeader), check->cells);
	term = (InvertedTerm *) collect_region(check, REGION_DICTIONARY,
										   sizeof(InvertedTerm),
										   check->root->terms);
	fence =
		(int32 *) collect_region(check, REGION_FENCES, sizeof(int32),
								 check->root->region_pages[REGION_DICTIONARY]);
	if (term == NULL || fence == NULL || check->directory == NULL)
		return;
	for (uint32 i = 0; i < check->root->terms; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (i > 0 && term[i].term <= term[i - 1].term)
			complain(check, "dictionary is not in order");
		if (i % per_page == 0 && fence[i / per_page] != term[i].term)
			complain(check, "a fence is not the first term of its page");
		check_term(check, &term[i]);
	}
	if (check->found != check->root->postings ||
		check->found != check->entry->postings)
		complain(check, "postings are counted wrongly");
}

/* Read the list of the segment's pages; false if it is unusable. */
static bool
check_block_list(SegmentCheck *check, uint32 total)
{
	InvertedRoot *root = check->root;
	uint32		per_page = PAGE_ITEMS(BlockNumber);
	BlockNumber *block = palloc_extended(sizeof(BlockNumber) * Max(total, 1),
										 MCXT_ALLOC_HUGE);
	uint32		at = 0;

	if (root->map_pages == 0)
		memcpy(block, root_blocks(root), sizeof(BlockNumber) * total);
	for (uint32 i = 0; i < root->map_pages; i++)
	{
		if (!check_page(check->checker, root_blocks(root)[i], check->entry->id,
						PAGE_MAP))
			return false;
		memcpy(block + (Size) i * per_page,
			   InvertedPageData(check->checker->page),
			   sizeof(BlockNumber) * Min(per_page, total - i * per_page));
	}
	for (int i = 0; i < REGION_COUNT; i++)
	{
		check->block[i] = block + at;
		at += root->region_pages[i];
	}
	return true;
}

static void
check_segment(Checker *checker, const InvertedSegmentEntry *entry)
{
	SegmentCheck check = {checker, entry};
	InvertedRoot *root;
	uint64		total = 0;

	if (!check_page(checker, entry->root, entry->id, PAGE_ROOT))
		return;
	root = palloc(BLCKSZ);
	memcpy(root, InvertedPageData(checker->page), PAGE_CAPACITY);
	check.root = root;
	for (int i = 0; i < REGION_COUNT; i++)
		total += root->region_pages[i];
	if (total + root->map_pages + 1 != entry->pages ||
		total >= checker->blocks ||
		(root->map_pages == 0
			 ? total > ROOT_BLOCKS
			 : root->map_pages > ROOT_BLOCKS ||
				   root->map_pages != (total + PAGE_ITEMS(BlockNumber) - 1) /
										  PAGE_ITEMS(BlockNumber)))
	{
		complain(&check, "numbers of pages contradict each other");
		return;
	}
	if (root->documents != entry->documents ||
		root->documents > INVERTED_MAX_DOCUMENTS ||
		root->terms > root->postings)
	{
		complain(&check, "numbers of documents contradict each other");
		return;
	}
	if (!check_block_list(&check, (uint32) total))
		return;
	check.classes = palloc_extended(Max(root->documents, 1),
									MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	check.postings = palloc_extended(
		(Size) BLCKSZ * (root->region_pages[REGION_POSTINGS] + 1),
		MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	check.postings_used = palloc0(sizeof(uint32) *
								  (root->region_pages[REGION_POSTINGS] + 1));
	check_documents(&check);
	check_lists(&check);
}

/* ---------- a tail ---------- */

/* The records of one page; returns the page's successor. */
static void
check_records(Checker *checker, BlockNumber block, uint64 owner,
			  uint32 *ordinal)
{
	InvertedSpecial special = *InvertedPageSpecial(checker->page);
	uint32		used = InvertedPageUsed(checker->page);
	char	   *copy = palloc(BLCKSZ);
	uint32		at = 0;

	memcpy(copy, checker->page, BLCKSZ);
	if (special.ordinal != *ordinal)
		index_report_problem(checker->report, block, "records of the tail are numbered wrongly");
	for (int i = 0; i < special.records; i++)
	{
		InvertedRecord *record = (InvertedRecord *) (InvertedPageData(copy) +
													 at);
		uint32		bytes;
		Size		chain = 0;
		BlockNumber next;

		if (at + sizeof(InvertedRecord) > used)
		{
			index_report_problem(checker->report, block, "record exceeds its page");
			break;
		}
		bytes = (record->flags & RECORD_OVERFLOW) ? 0 : record->bytes;
		if (bytes > used - at - sizeof(InvertedRecord))
		{
			index_report_problem(checker->report, block, "record exceeds its page");
			break;
		}
		if ((record->flags & RECORD_OVERFLOW) != 0)
		{
			for (next = record->overflow; next != InvalidBlockNumber;
				 next = InvertedPageSpecial(checker->page)->next)
			{
				if (!check_page(checker, next, owner, PAGE_OVERFLOW))
					break;
				chain += InvertedPageUsed(checker->page);
			}
			if (chain != record->bytes)
				index_report_problem(checker->report, block, "overflow chain has a wrong length");
		}
		else if ((record->flags & DOCUMENT_NULL) == 0)
		{
			SparseVector *vector = (SparseVector *) RECORD_VECTOR(record);

			if (bytes < SPARSEVEC_SIZE(0) || VARSIZE(vector) != bytes ||
				vector->count < 0 || vector->count > SPARSEVEC_MAX_NONZEROS ||
				bytes != SPARSEVEC_SIZE(vector->count))
				index_report_problem(checker->report, block, "vector has a wrong length");
		}
		at += sizeof(InvertedRecord) + MAXALIGN(bytes);
	}
	*ordinal += special.records;
	pfree(copy);
}

static void
check_tail(Checker *checker, const InvertedTail *tail)
{
	BlockNumber block = tail->first;
	uint32		ordinal = 0;

	if (tail->id == 0)
		return;
	while (block != InvalidBlockNumber)
	{
		BlockNumber next;

		if (!check_page(checker, block, tail->id, PAGE_TAIL))
			return;
		next = InvertedPageSpecial(checker->page)->next;
		check_records(checker, block, tail->id, &ordinal);
		block = next;
	}
	if (tail->records != 0 && tail->records != ordinal)
		index_report_problem(checker->report, tail->first,
							 "frozen tail has %u records, the metapage has %u",
							 ordinal, tail->records);
}

/* ---------- the index ---------- */

void
inverted_check(Relation index, IndexReport *report)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "inverted check",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	MemoryContext segment_context = AllocSetContextCreate(
		context, "inverted segment", ALLOCSET_DEFAULT_SIZES);
	InvertedMeta *meta = palloc0(sizeof(InvertedMeta));
	Checker		checker = {index, report};
	uint64		birth = 0;

	if (!RecoveryInProgress())
		inverted_lock_structure(index);
	inverted_read_meta(index, meta);
	checker.blocks = RelationGetNumberOfBlocks(index);

	checker.seen = palloc_extended(Max(checker.blocks, 1),
								   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	checker.seen[INVERTED_META_BLOCK] = 1;
	checker.page = palloc(BLCKSZ);

	if (meta->metric != inverted_index_metric(index))
		index_report_problem(report, INVERTED_META_BLOCK,
							 "metric is not that of the operator class");
	for (uint32 i = 0; i < meta->segment_count; i++)
	{
		MemoryContextSwitchTo(segment_context);
		if (meta->segment[i].first_birth < birth)
			index_report_problem(report, INVERTED_META_BLOCK, "segments are not in order of birth");
		birth = meta->segment[i].first_birth;
		if (meta->segment[i].id >= meta->next_id)
			index_report_problem(report, INVERTED_META_BLOCK, "an id is still to be given");
		check_segment(&checker, &meta->segment[i]);
		MemoryContextReset(segment_context);
	}
	MemoryContextSwitchTo(context);
	check_tail(&checker, &meta->frozen);
	check_tail(&checker, &meta->tail);
	if (!RecoveryInProgress())
		inverted_unlock_structure(index);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

/* Pages that the free space map offers */
static BlockNumber
count_free(Relation index)
{
	BlockNumber blocks = RelationGetNumberOfBlocks(index);
	BlockNumber found = 0;

	for (BlockNumber block = INVERTED_META_BLOCK + 1; block < blocks; block++)
	{
		CHECK_FOR_INTERRUPTS();
		found += GetRecordedFreeSpace(index, block) > 0;
	}
	return found;
}

void
inverted_statistics(Relation index, IndexReport *report)
{
	InvertedMeta *meta = palloc0(sizeof(InvertedMeta));
	double		documents = 0;
	double		dead = 0;
	double		postings = 0;
	double		pages = 0;
	double		terms = 0;
	double		document_pages = 0;

	inverted_read_meta(index, meta);
	for (uint32 i = 0; i < meta->segment_count; i++)
	{
		InvertedSegment segment;

		documents += meta->segment[i].documents;
		dead += meta->segment[i].dead;
		postings += meta->segment[i].postings;
		pages += meta->segment[i].pages;
		if (segment_open(index, &meta->segment[i], &segment))
		{
			terms += segment.root.terms;
			document_pages += segment.root.region_pages[REGION_DOCUMENTS];
			segment_close(&segment);
		}
	}
	index_report_property(report, "pages", RelationGetNumberOfBlocks(index));
	index_report_property(report, "segments", meta->segment_count);
	index_report_property(report, "segment_pages", pages);
	index_report_property(report, "documents", documents);
	index_report_property(report, "dead_documents", dead);
	index_report_property(report, "terms", terms);
	index_report_property(report, "postings", postings);
	index_report_property(report, "bytes_per_posting", postings > 0 ?
						  (pages - document_pages) * BLCKSZ / postings : 0);
	index_report_property(report, "weight_bits", meta->weight_bits);
	index_report_property(report, "dimensions", meta->dims);
	index_report_property(report, "tail_pages", meta->tail.pages + (double) meta->frozen.pages);
	index_report_property(report, "free_pages", count_free(index));
	index_report_property(report, "seals", (double) meta->seals);
	index_report_property(report, "merges", (double) meta->merges);
	pfree(meta);
}
