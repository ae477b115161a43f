/*-------------------------------------------------------------------------
 *
 * inverted.h
 *	  Access method "inverted": exact top-k over sparse vectors.
 *
 * The README of this folder describes the layout, the invariants, the order
 * of locks and of WAL records.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INVERTED_H
#define INVERTED_H

#include "server/server.h"

#include "access/amapi.h"
#include "access/generic_xlog.h"
#include "access/itup.h"
#include "nodes/execnodes.h"
#include "storage/bufmgr.h"
#include "storage/bufpage.h"
#include "utils/rel.h"

#include "index/index.h"
#include "math/posting.h"
#include "type/vector.h"

#define INVERTED_MAGIC		0x49564E31
#define INVERTED_VERSION	2
#define INVERTED_META_BLOCK 0

/* Strategies double as the metric of the index, kept in the metapage. */
#define INVERTED_INNER		1
#define INVERTED_COSINE		2

/*
 * A segment lists its pages by region; addresses within a region are numbers
 * of that list, so a segment need not be contiguous in the file.
 */
typedef enum InvertedRegion
{
	REGION_DOCUMENTS,			/* InvertedDocument, by number */
	REGION_FENCES,				/* first term of each dictionary page */
	REGION_DICTIONARY,			/* InvertedTerm, ascending */
	REGION_DIRECTORY,			/* summaries and headers of long lists */
	REGION_POSTINGS,			/* packed blocks */
	REGION_COUNT
} InvertedRegion;

/* Kinds of pages; a region's number serves for its pages. */
#define PAGE_META			8
#define PAGE_ROOT			9
#define PAGE_MAP			10
#define PAGE_TAIL			11
#define PAGE_OVERFLOW		12

/*
 * Special area of every page.  "owner" is the id of the segment or tail the
 * page was last written for; ids are never used twice, so a page whose owner
 * the metapage does not name is free, and a reader that finds another owner
 * than expected knows that the page was reused under it.  The area is wide
 * enough for kernels that read a little behind a block (POSTING_PADDING).
 */
typedef struct InvertedSpecial
{
	uint64		owner;
	BlockNumber next;			/* tail and overflow: next page of the chain */
	uint32		ordinal;		/* tail: number of its first record; otherwise
								 * the page's number in its region */
	uint16		records;		/* tail */
	uint16		flags;
	BlockNumber block;			/* where the page belongs */
	uint32		reserved;
	uint16		kind;
	uint16		page_id;
} InvertedSpecial;

StaticAssertDecl(sizeof(InvertedSpecial) == 32, "inverted page layout");
StaticAssertDecl(sizeof(InvertedSpecial) >= POSTING_PADDING, "inverted page layout");

#define TAIL_CLOSED			1	/* no more records go to this page */

#define InvertedPageSpecial(page) \
	((InvertedSpecial *) PageGetSpecialPointer(page))

/* Is this, under lock, the page of this owner and kind that belongs there? */
static inline bool
inverted_page_is(Page page, BlockNumber block, uint64 owner, uint16 kind)
{
	const InvertedSpecial *special;

	if (PageIsNew(page) || PageGetSpecialSize(page) != sizeof(InvertedSpecial))
		return false;
	special = InvertedPageSpecial(page);
	return special->block == block && special->owner == owner &&
		   special->kind == kind;
}

#define PAGE_CAPACITY \
	(BLCKSZ - MAXALIGN(SizeOfPageHeaderData) - sizeof(InvertedSpecial))
#define PAGE_ITEMS(type)	(PAGE_CAPACITY / sizeof(type))
#define InvertedPageData(page) (PageGetContents(page))
#define InvertedPageUsed(page) \
	(((PageHeader) (page))->pd_lower - MAXALIGN(SizeOfPageHeaderData))

/* ---------- metapage ---------- */

typedef struct InvertedSegmentEntry
{
	uint64		id;
	uint64		first_birth;
	uint64		postings;
	BlockNumber root;
	uint32		documents;		/* dead ones too */
	uint32		dead;
	uint32		pages;			/* all of them */
	uint16		level;
	uint16		reserved[3];
} InvertedSegmentEntry;

typedef struct InvertedTail
{
	uint64		id;				/* 0: none */
	uint64		first_birth;
	BlockNumber first;			/* invalid: empty */
	BlockNumber last;
	uint32		pages;			/* overflow pages too */
	uint32		records;		/* of a frozen tail */
} InvertedTail;

#define INVERTED_MAX_SEGMENTS 160

typedef struct InvertedMeta
{
	uint32		magic;
	uint16		version;
	uint16		metric;
	int32		dims;			/* 0 until the first vector, if not declared */
	uint32		weight_bits;	/* of packed blocks */
	uint64		next_id;
	uint64		building;		/* id of the segment being written, or 0 */
	uint64		structure;		/* counts seals, merges and freezes */
	uint64		seals;
	uint64		merges;
	InvertedTail tail;			/* inserts go here */
	InvertedTail frozen;		/* about to become a segment */
	uint32		segment_count;
	uint32		reserved;
	/* oldest documents first; then come the frozen tail and the tail */
	InvertedSegmentEntry segment[INVERTED_MAX_SEGMENTS];
} InvertedMeta;

StaticAssertDecl(sizeof(InvertedSegmentEntry) == 48, "inverted metapage layout");
StaticAssertDecl(offsetof(InvertedMeta, tail) == 56, "inverted metapage layout");
StaticAssertDecl(offsetof(InvertedMeta, frozen) == 88, "inverted metapage layout");
StaticAssertDecl(offsetof(InvertedMeta, segment) == 128, "inverted metapage layout");
StaticAssertDecl(sizeof(InvertedMeta) <= PAGE_CAPACITY, "inverted metapage layout");

/* ---------- segments ---------- */

typedef struct InvertedRoot
{
	uint64		postings;
	uint32		documents;
	uint32		terms;
	uint32		nulls;			/* documents by class */
	uint32		empties;
	uint32		irregulars;
	uint32		flags;
	float		low;			/* interval of all weights */
	float		high;
	uint32		region_pages[REGION_COUNT];
	uint32		map_pages;		/* 0: the pages themselves are listed */
	uint32		reserved[2];
} InvertedRoot;

StaticAssertDecl(sizeof(InvertedRoot) == 72, "inverted root layout");

/* on the page follow the pages, region by region, or the pages of that list */
#define root_blocks(root)	((BlockNumber *) ((root) + 1))

#define ROOT_INTEGERS		1	/* all weights are integers, kept exactly */
#define ROOT_BLOCKS \
	((PAGE_CAPACITY - sizeof(InvertedRoot)) / sizeof(BlockNumber))

typedef struct InvertedDocument
{
	uint32		block;			/* heap TID */
	uint16		offset;
	uint16		flags;
	uint32		birth;			/* relative to the segment's first */
} InvertedDocument;

StaticAssertDecl(sizeof(InvertedDocument) == 12, "inverted document layout");

#define DOCUMENT_DEAD		1
#define DOCUMENT_NULL		2	/* no vector */
#define DOCUMENT_EMPTY		4	/* a vector without non-zeros */
#define DOCUMENT_IRREGULAR	8	/* weights too large or small to bound */
#define DOCUMENT_CLASSES (DOCUMENT_NULL | DOCUMENT_EMPTY | DOCUMENT_IRREGULAR)
#define RECORD_OVERFLOW		16	/* tail only: the vector is in a chain */

/*
 * Weights of ordinary documents and queries lie between these, in magnitude,
 * so that no product or sum overflows or vanishes.
 */
#define WEIGHT_LARGEST		1e15f
#define WEIGHT_SMALLEST		1e-15f

typedef struct InvertedTerm
{
	int32		term;
	uint32		count;			/* of postings, and TERM_LONG */
	uint32		where;			/* see below */
	uint32		weight;			/* a float32, or 0 */
} InvertedTerm;

/*
 * A single posting of known weight is kept in the dictionary itself: "where"
 * is the document.  A list of one block has its header in front of the block:
 * "where" is its address in the postings.  A long list has two cells of
 * summary and then the header of each block in the directory: "where" is the
 * first cell.
 */
#define TERM_LONG			0x80000000U
#define TERM_COUNT(t)		((t)->count & ~TERM_LONG)
#define TERM_IS_LONG(t)		(((t)->count & TERM_LONG) != 0)

StaticAssertDecl(sizeof(InvertedTerm) == 16, "inverted dictionary layout");
StaticAssertDecl(sizeof(PostingHeader) == 16, "inverted directory layout");

#define INVERTED_SEEDS		3

typedef struct InvertedSummary
{
	float		low;			/* interval of the list's weights */
	float		high;
	float		seed[INVERTED_SEEDS];	/* at least seed_rank[i] weights are
										 * this large; 0: not known */
	uint32		blocks;
	uint32		reserved[2];
} InvertedSummary;

StaticAssertDecl(sizeof(InvertedSummary) == 2 * sizeof(PostingHeader),
				 "inverted directory layout");

extern const uint32 inverted_seed_rank[INVERTED_SEEDS];

/* An address in the postings: page and offset in units of four bytes. */
#define ADDRESS_PAGE(address)	((address) >> 11)
#define ADDRESS_OFFSET(address) (((address) & 2047) * 4)
#define MAKE_ADDRESS(page, offset) (((uint32) (page) << 11) | ((offset) / 4))

StaticAssertDecl(PAGE_CAPACITY <= 2048 * 4, "postings addresses");

#define INVERTED_MAX_POSTING_PAGES (1U << 21)
#define INVERTED_MAX_DOCUMENTS 0x7FFFFFF0U

/* A record of the tail; the vector follows, as it would lie in memory. */
typedef struct InvertedRecord
{
	uint32		block;			/* heap TID */
	uint16		offset;
	uint16		flags;
	uint32		bytes;			/* of the vector */
	BlockNumber overflow;
} InvertedRecord;

StaticAssertDecl(sizeof(InvertedRecord) == 16, "inverted tail layout");

#define RECORD_VECTOR(record) ((char *) (record) + sizeof(InvertedRecord))

/* The tail is sealed when it has this many pages. */
#define TAIL_PAGES			32

/* ---------- inverted_handler.c: options and names ---------- */

typedef struct InvertedOptions
{
	int32		vl_len_;
	int			weight_bits;
} InvertedOptions;

#define INVERTED_WEIGHT_BITS 4

extern void inverted_init(void);
extern int	inverted_index_metric(Relation index);

#define PHASE_SCAN			2
#define PHASE_SORT			3
#define PHASE_WRITE			4
#define PHASE_LOG			5

/* ---------- page.c ---------- */

extern void inverted_init_page(Page page, BlockNumber block, uint64 owner,
							   uint16 kind);
extern void inverted_create_meta(Relation index, ForkNumber fork);
extern void inverted_read_meta(Relation index, InvertedMeta *meta);

/* A change of the metapage alone: under its lock, logged when finished. */
typedef struct InvertedMetaUpdate
{
	Buffer		buffer;
	GenericXLogState *state;
	Page		page;
	InvertedMeta *meta;			/* of the page */
} InvertedMetaUpdate;

extern InvertedMetaUpdate inverted_begin_update(Relation index);
extern void inverted_finish_update(InvertedMetaUpdate *update);

extern InvertedMeta *inverted_meta_of_page(Relation index, Page page);
extern void inverted_set_meta_length(Page page);
extern bool inverted_owner_lives(const InvertedMeta *meta, uint64 owner);
extern Buffer inverted_allocate(Relation index,
								const InvertedMeta *locked_meta);
extern void inverted_free_block(Relation index, BlockNumber block);
extern BlockNumber inverted_free_orphans(Relation index,
										 BufferAccessStrategy strategy);
extern void inverted_lock_structure(Relation index);
extern bool inverted_try_lock_structure(Relation index);
extern void inverted_unlock_structure(Relation index);
extern int	inverted_vector_class(int metric, const SparseVector *vector,
								  double *norm);
extern void inverted_check_dims(int expected, int found);

/* ---------- tail.c ---------- */

extern void inverted_append(Relation index, Relation heap, ItemPointer tid,
							const SparseVector *vector);

/*
 * Reads the records of a tail in order.  After tail_next returned false,
 * "stale" tells whether the chain broke off because its pages were reused.
 */
typedef struct TailReader
{
	Relation	index;
	uint64		owner;
	BlockNumber block;			/* current page */
	BlockNumber next;
	uint32		ordinal;		/* of the current record in the tail */
	int			record;			/* its number on the page */
	int			records;
	uint32		at;
	bool		stale;
	uint64		pages;
	char	   *vector;			/* reassembled from an overflow chain */
	Size		vector_size;
	PGAlignedBlock page;
} TailReader;

extern void tail_begin(TailReader *reader, Relation index,
					   const InvertedTail *tail);
extern bool tail_next(TailReader *reader, InvertedRecord **record,
					  SparseVector **vector);
extern bool inverted_freeze_tail(Relation index);
extern void tail_blocks(Relation index, const InvertedTail *tail,
						void (*visit) (Relation index, BlockNumber block));

/* ---------- segment.c: reading ---------- */

typedef struct InvertedSegment
{
	InvertedSegmentEntry entry;
	InvertedRoot root;			/* without the blocks */
	BlockNumber *region[REGION_COUNT];
	BlockNumber *blocks;		/* all of them */
	BlockNumber *map;			/* pages of the list, if any */
	int32	   *fences;
} InvertedSegment;

/* A list of postings as the dictionary gives it */
typedef struct InvertedList
{
	InvertedTerm term;
	InvertedSummary summary;	/* of lists longer than a block */
} InvertedList;

extern bool segment_open(Relation index, const InvertedSegmentEntry *entry,
						 InvertedSegment *segment);
extern void segment_close(InvertedSegment *segment);
extern Buffer segment_page(Relation index, const InvertedSegment *segment,
						   InvertedRegion region, uint32 number, Page *page);
extern bool segment_copy_page(Relation index, const InvertedSegment *segment,
							  InvertedRegion region, uint32 number,
							  char *copy);
extern bool segment_load_fences(Relation index, InvertedSegment *segment);
extern bool segment_headers(Relation index, const InvertedSegment *segment,
							uint32 cell, uint32 count, PostingHeader *out);
pg_noreturn extern void inverted_corrupted(Relation index, BlockNumber block,
										   const char *what);
extern uint64 inverted_pages_read;

/* ---------- inverted_source.c: postings in the order of terms ---------- */

typedef struct PostingSource PostingSource;
struct PostingSource
{
	/* go to the next term; false at the end */
	bool		(*next_term) (PostingSource *source);

	/*
	 * Up to 128 further postings of the term; false at its end.  "grid" is
	 * set if they come from one block and could be packed on its grid.
	 */
	bool		(*next_batch) (PostingSource *source, PostingBatch *batch,
							   const PostingHeader **grid);
	void		(*close) (PostingSource *source);
	int32		term;
};

typedef struct Posting
{
	int32		term;
	uint32		document;
	float		weight;
} Posting;

/* Documents and postings gathered in memory */
typedef struct Gathering
{
	int			metric;
	uint32		documents;
	uint32		document_capacity;
	InvertedDocument *document;
	Size		postings;
	Size		posting_capacity;
	Size		posting_limit;	/* the owner means to stop at so many */
	Posting    *posting;
} Gathering;

extern Gathering *gathering_create(int metric, Size memory);
extern void gathering_add(Gathering *gathering, ItemPointer tid,
						  uint32 birth, const SparseVector *vector);
extern Size gathering_bytes(const Gathering *gathering);
extern void gathering_sort(Gathering *gathering);
extern void gathering_reset(Gathering *gathering);
extern void gathering_free(Gathering *gathering);
extern PostingSource *gathering_source(Gathering *gathering,
									   uint32 first_document);

/* Renumbering of a segment's documents when dead ones are left out */
typedef struct Renumbering
{
	uint32		first;			/* number of the first document kept */
	bool		all;			/* none is left out */
	uint32		documents;
	uint64	   *kept;			/* bit per document */
	uint32	   *rank;			/* kept before each word */
} Renumbering;

extern PostingSource *segment_source(Relation index, InvertedSegment *segment,
									 const Renumbering *renumbering);

/* ---------- writer.c: segments ---------- */

typedef struct SegmentWriter SegmentWriter;

extern SegmentWriter *writer_begin(Relation index, uint64 id, int weight_bits,
								   bool bulk);
extern void writer_add_document(SegmentWriter *writer,
								const InvertedDocument *document);
extern void writer_add_sources(SegmentWriter *writer, PostingSource **sources,
							   int count);
extern void writer_finish(SegmentWriter *writer, InvertedSegmentEntry *entry);

/* ---------- merge.c ---------- */

extern void inverted_maintain(Relation index, bool vacuum);
extern int	inverted_level(uint32 documents);

/* ---------- the access method's functions ---------- */

extern IndexBuildResult *inverted_build(Relation heap, Relation index,
										IndexInfo *info);
extern void inverted_build_empty(Relation index);
extern IndexBulkDeleteResult *
inverted_bulk_delete(IndexVacuumInfo *info, IndexBulkDeleteResult *stats,
					 IndexBulkDeleteCallback callback, void *callback_state);
extern IndexBulkDeleteResult *
inverted_vacuum_cleanup(IndexVacuumInfo *info, IndexBulkDeleteResult *stats);
extern IndexScanDesc inverted_begin_scan(Relation index, int keys,
										 int orderbys);
extern void inverted_rescan(IndexScanDesc scan, ScanKey keys, int key_count,
							ScanKey orderbys, int orderby_count);
extern bool inverted_get_tuple(IndexScanDesc scan, ScanDirection direction);
extern void inverted_end_scan(IndexScanDesc scan);
extern void inverted_check(Relation index, IndexReport *report);
extern void inverted_statistics(Relation index, IndexReport *report);

#endif							/* INVERTED_H */
