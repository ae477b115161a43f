/*-------------------------------------------------------------------------
 *
 * inverted_source.c
 *	  Postings in the order of terms, from memory or from a segment.
 *
 * A segment is written from any number of sources.  The documents of the first
 * source come first, then those of the second, and so on: a term's list is the
 * concatenation of its lists in the sources, and no comparison of documents is
 * ever needed.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"

#include "index/inverted/inverted.h"

/* ---------- documents and postings gathered in memory ---------- */

/*
 * memory: at which its owner empties it, so that it does not ask for more
 * than that, or 0
 */
Gathering *
gathering_create(int metric, Size memory)
{
	Gathering  *gathering = palloc0(sizeof(Gathering));

	gathering->metric = metric;
	gathering->document_capacity = 1024;
	gathering->document = palloc(sizeof(InvertedDocument) * 1024);
	gathering->posting_capacity = 16 * 1024;
	gathering->posting_limit = memory / (2 * sizeof(Posting));
	gathering->posting = palloc(sizeof(Posting) * 16 * 1024);
	return gathering;
}

/*
 * Memory in use once it is sorted, which needs the postings twice.
 */
Size
gathering_bytes(const Gathering *gathering)
{
	return gathering->documents * sizeof(InvertedDocument) +
		gathering->postings * sizeof(Posting) * 2;
}

/* Make room for "needed" postings: twice as many as now, up to the limit. */
static void
enlarge(Gathering *gathering, Size needed)
{
	Size		capacity = gathering->posting_capacity * 2;

	if (capacity > gathering->posting_limit && gathering->posting_limit > 0)
		capacity = gathering->posting_limit;
	gathering->posting_capacity = Max(capacity, needed);
	gathering->posting = repalloc_huge(
		gathering->posting, sizeof(Posting) * gathering->posting_capacity);
}

/* Add a row; vector is NULL for a NULL.  Weights are normalized for cosine. */
void
gathering_add(Gathering *gathering, ItemPointer tid, uint32 birth,
			  const SparseVector *vector)
{
	InvertedDocument *document;
	double		norm = 1;

	if (gathering->documents == gathering->document_capacity)
	{
		gathering->document_capacity *= 2;
		gathering->document = repalloc_huge(
			gathering->document,
			sizeof(InvertedDocument) * (Size) gathering->document_capacity);
	}
	document = &gathering->document[gathering->documents];
	document->block = ItemPointerGetBlockNumber(tid);
	document->offset = ItemPointerGetOffsetNumber(tid);
	document->birth = birth;
	document->flags = vector == NULL ? DOCUMENT_NULL :
		inverted_vector_class(gathering->metric, vector, &norm);

	if (document->flags == 0)
	{
		const float *value = SPARSEVEC_VALUES(vector);
		float		factor = (float) (1.0 / norm);
		Posting    *posting;

		if (gathering->postings + vector->count > gathering->posting_capacity)
			enlarge(gathering, gathering->postings + vector->count);
		posting = &gathering->posting[gathering->postings];
		for (int i = 0; i < vector->count; i++)
		{
			posting[i].term = vector->index[i];
			posting[i].document = gathering->documents;
			posting[i].weight = value[i] * factor;
		}
		gathering->postings += vector->count;
	}
	gathering->documents++;
}

/*
 * Order the postings by term, then document: radix sort on the term,
 * stable,
 * 11 bits a pass, and only as many passes as the largest term needs.
 */
void
gathering_sort(Gathering *gathering)
{
	Size		count = gathering->postings;
	Posting    *from = gathering->posting;
	Posting    *to;
	uint32		largest = 0;

	for (Size i = 0; i < count; i++)
		largest |= (uint32) from[i].term;
	if (count == 0)
		return;
	to = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(Posting) * count);
	for (int shift = 0; shift < 32 && (largest >> shift) != 0; shift += 11)
	{
		Size		start[2048] = {0};
		Size		sum = 0;
		Posting    *swap;

		for (Size i = 0; i < count; i++)
			start[((uint32) from[i].term >> shift) & 2047]++;
		for (int digit = 0; digit < 2048; digit++)
		{
			Size		here = start[digit];

			start[digit] = sum;
			sum += here;
		}
		for (Size i = 0; i < count; i++)
			to[start[((uint32) from[i].term >> shift) & 2047]++] = from[i];
		swap = from;
		from = to;
		to = swap;
		CHECK_FOR_INTERRUPTS();
	}
	if (from != gathering->posting)
		gathering->posting_capacity = count;
	gathering->posting = from;
	pfree(to);
}

/* Empty it for the next lot; the memory of the postings is given back. */
void
gathering_reset(Gathering *gathering)
{
	gathering->documents = 0;
	gathering->postings = 0;
}

void
gathering_free(Gathering *gathering)
{
	pfree(gathering->document);
	pfree(gathering->posting);
	pfree(gathering);
}

typedef struct GatheringSource
{
	PostingSource base;
	const Gathering *gathering;
	uint32		first_document;
	Size		at;				/* next posting of the term */
	Size		end;			/* behind the term's last */
} GatheringSource;

static bool
gathering_next_term(PostingSource *base)
{
	GatheringSource *source = (GatheringSource *) base;
	const Posting *posting = source->gathering->posting;

	source->at = source->end;
	if (source->at >= source->gathering->postings)
		return false;
	base->term = posting[source->at].term;
	while (source->end < source->gathering->postings &&
		   posting[source->end].term == base->term)
		source->end++;
	return true;
}

static bool
gathering_next_batch(PostingSource *base, PostingBatch *batch,
					 const PostingHeader **grid)
{
	GatheringSource *source = (GatheringSource *) base;
	const Posting *posting = source->gathering->posting + source->at;

	batch->count = (int) Min(POSTING_BLOCK, source->end - source->at);
	for (int i = 0; i < batch->count; i++)
	{
		batch->document[i] = posting[i].document + source->first_document;
		batch->low[i] = batch->high[i] = posting[i].weight;
	}
	source->at += batch->count;
	*grid = NULL;
	return batch->count > 0;
}

static void
gathering_close(PostingSource *base)
{
	pfree(base);
}

/*
 * The gathered postings, after gathering_sort; first_document is added to
 * the numbers of the documents.
 */
PostingSource *
gathering_source(Gathering *gathering, uint32 first_document)
{
	GatheringSource *source = palloc0(sizeof(GatheringSource));

	source->base.next_term = gathering_next_term;
	source->base.next_batch = gathering_next_batch;
	source->base.close = gathering_close;
	source->gathering = gathering;
	source->first_document = first_document;
	return &source->base;
}

/* ---------- a segment, read in order ---------- */

/* The page of a region that is being read */
typedef struct Cursor
{
	uint32		number;			/* of the page at hand */
	bool		loaded;
	PGAlignedBlock page;
} Cursor;

typedef struct SegmentSource
{
	PostingSource base;
	Relation	index;
	InvertedSegment *segment;
	const Renumbering *renumbering;
	uint32		terms_read;
	InvertedTerm term;
	uint32		block;			/* next block of a long list */
	uint32		blocks;			/* blocks of the term; 0: one posting */
	bool		done;
	PostingHeader header;
	Cursor		dictionary;
	Cursor		directory;
	Cursor		postings;
} SegmentSource;

/*
 * The bytes at an offset of a page, of which "length" must be there.
 */
static char *
cursor_bytes(SegmentSource *source, Cursor *cursor, InvertedRegion region,
			 uint32 number, uint32 offset, uint32 length)
{
	if (!cursor->loaded || cursor->number != number)
	{
		CHECK_FOR_INTERRUPTS();
		if (!segment_copy_page(source->index, source->segment, region, number,
							   cursor->page.data))
			inverted_corrupted(source->index,
							   source->segment->region[region][number],
							   "page of a segment has another owner");
		cursor->number = number;
		cursor->loaded = true;
	}
	if (offset + length > PAGE_CAPACITY)
		inverted_corrupted(source->index,
						   source->segment->region[region][number],
						   "entry exceeds its page");
	return InvertedPageData(cursor->page.data) + offset;
}

static PostingHeader *
directory_cell(SegmentSource *source, uint32 cell)
{
	uint32		per_page = PAGE_ITEMS(PostingHeader);

	return (PostingHeader *) cursor_bytes(
		source, &source->directory, REGION_DIRECTORY, cell / per_page,
		cell % per_page * sizeof(PostingHeader), sizeof(PostingHeader));
}

static bool
segment_next_term(PostingSource *base)
{
	SegmentSource *source = (SegmentSource *) base;
	uint32		per_page = PAGE_ITEMS(InvertedTerm);

	if (source->terms_read >= source->segment->root.terms)
		return false;
	source->term = *(InvertedTerm *)
		cursor_bytes(source, &source->dictionary, REGION_DICTIONARY,
					 source->terms_read / per_page,
					 source->terms_read % per_page * sizeof(InvertedTerm),
					 sizeof(InvertedTerm));
	source->terms_read++;
	base->term = source->term.term;
	source->block = 0;
	source->done = false;
	if (!TERM_IS_LONG(&source->term))
		source->blocks = TERM_COUNT(&source->term) == 1 ? 0 : 1;
	else
	{
		/* the cells may lie on two pages */
		InvertedSummary summary;

		memcpy(&summary, directory_cell(source, source->term.where),
			   sizeof(PostingHeader));
		memcpy((char *) &summary + sizeof(PostingHeader),
			   directory_cell(source, source->term.where + 1),
			   sizeof(PostingHeader));
		source->blocks = summary.blocks;
	}
	return true;
}

/* Leave out dead documents and renumber the others. */
static void
renumber(const Renumbering *renumbering, PostingBatch *batch)
{
	int			kept = 0;

	if (renumbering->all)
	{
		for (int i = 0; i < batch->count; i++)
			batch->document[i] += renumbering->first;
		return;
	}
	for (int i = 0; i < batch->count; i++)
	{
		uint32		document = batch->document[i];
		uint64		word = renumbering->kept[document >> 6];
		uint64		bit = UINT64CONST(1) << (document & 63);

		if ((word & bit) == 0)
			continue;
		batch->document[kept] = renumbering->first +
								renumbering->rank[document >> 6] +
								(uint32) pg_popcount64(word & (bit - 1));
		batch->low[kept] = batch->low[i];
		batch->high[kept] = batch->high[i];
		kept++;
	}
	batch->count = kept;
}

/* The header and bytes of the term's next block. */
static const uint8 *
next_block(SegmentSource *source)
{
	uint32		address = source->term.where;
	uint32		offset;
	char	   *bytes;

	if (TERM_IS_LONG(&source->term))
	{
		source->header = *directory_cell(source, source->term.where + 2 +
													 source->block);
		address = source->header.address;
		offset = ADDRESS_OFFSET(address);
	}
	else
	{
		offset = ADDRESS_OFFSET(address);
		source->header = *(PostingHeader *) cursor_bytes(
			source, &source->postings, REGION_POSTINGS, ADDRESS_PAGE(address),
			offset, sizeof(PostingHeader));
		offset += sizeof(PostingHeader);
	}
	if (!posting_header_valid(&source->header))
		inverted_corrupted(source->index, source->segment->entry.root,
						   "header of a block is impossible");
	bytes = cursor_bytes(source, &source->postings, REGION_POSTINGS,
						 ADDRESS_PAGE(address), offset,
						 (uint32) posting_bytes(&source->header));
	return (const uint8 *) bytes;
}

static bool
segment_next_batch(PostingSource *base, PostingBatch *batch,
				   const PostingHeader **grid)
{
	SegmentSource *source = (SegmentSource *) base;

	*grid = NULL;
	while (!source->done)
	{
		if (source->blocks == 0)
		{
			batch->count = 1;
			batch->document[0] = source->term.where;
			memcpy(&batch->high[0], &source->term.weight, sizeof(float));
			batch->low[0] = batch->high[0];
			source->done = true;
		}
		else
		{
			posting_decode(&source->header, next_block(source), batch);
			*grid = &source->header;
			source->done = (++source->block == source->blocks);
		}
		for (int i = 0; i < batch->count; i++)
		{
			if (batch->document[i] >= source->segment->root.documents)
				inverted_corrupted(source->index, source->segment->entry.root,
								   "posting of a document that does not exist");
		}
		renumber(source->renumbering, batch);
		if (batch->count > 0)
			return true;
	}
	return false;
}

static void
segment_source_close(PostingSource *base)
{
	pfree(base);
}

PostingSource *
segment_source(Relation index, InvertedSegment *segment,
			   const Renumbering *renumbering)
{
	SegmentSource *source = palloc0(sizeof(SegmentSource));

	source->base.next_term = segment_next_term;
	source->base.next_batch = segment_next_batch;
	source->base.close = segment_source_close;
	source->index = index;
	source->segment = segment;
	source->renumbering = renumbering;
	return &source->base;
}
