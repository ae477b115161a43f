/*-------------------------------------------------------------------------
 *
 * ktree_page.h
 *	  What an index of access method "ktree" has on disk, with the numbers that
 *	  its layout follows from.  A change here is a change of KTREE_VERSION.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KTREE_PAGE_H
#define KTREE_PAGE_H

#include "server/server.h"

#include "storage/bufpage.h"
#include "storage/itemptr.h"

#include "math/rabitq.h"

#define KTREE_MAGIC			0x4B545245	/* "KTRE" */
#define KTREE_VERSION		4
#define KTREE_META_BLOCK	0
#define KTREE_MAX_DIMS		16000
#define KTREE_SEED			UINT64CONST(0x656D626564)

/* Slots of a node; a multiple of RABITQ_BLOCK. */
#define KTREE_MAX_CAPACITY	256

/* Beyond so many dimensions the center gets pages of its own ... */
#define KTREE_INLINE_CENTER	3072
/* ... and beyond these the base lies with the four-bit codes. */
#define KTREE_INLINE_BASE	1024
/*
 * No more than so many rotated dimensions have a one-bit code: a leaf has to
 * be read from memory, which costs more than what fewer bits let pass in vain.
 */
#define KTREE_MAX_CODED		512

/* Support functions of an operator class. */
#define KTREE_DISTANCE_PROC	1	/* the operator's function */
#define KTREE_KIND_PROC		2	/* which type and which metric: KtreeKind */
#define KTREE_PROCS			2

/* Operators: 1 orders by distance, the others are conditions. */
#define KTREE_LESS			2
#define KTREE_LESS_EQUAL	3
#define KTREE_EQUAL			4
#define KTREE_GREATER_EQUAL	5
#define KTREE_GREATER		6
#define KTREE_STRATEGIES	6

/* Further key columns, by which a scan filters. */
#define KTREE_MAX_FILTERS	8

typedef enum KtreeMetric
{
	KTREE_COSINE = 1,
	KTREE_L2 = 2,
	KTREE_INNER = 3
} KtreeMetric;

typedef enum KtreeElement
{
	KTREE_VECTOR = 1,
	KTREE_HALFVEC = 2
} KtreeElement;

/* What KTREE_KIND_PROC returns. */
typedef struct KtreeKind
{
	KtreeMetric metric;
	KtreeElement element;
} KtreeKind;

/* Reference to a node: first block of its extent, and its generation. */
typedef struct KtreeLink
{
	BlockNumber block;
	uint32		generation;		/* only the lower 16 bits are in a slot */
} KtreeLink;

typedef enum KtreePageKind
{
	KTREE_PAGE_META = 1,
	KTREE_PAGE_ORIGIN = 2,
	KTREE_PAGE_SIDE = 3,
	KTREE_PAGE_NODE = 4
} KtreePageKind;

/* Special area of every page. */
typedef struct KtreeSpecial
{
	uint32		generation;
	BlockNumber first;			/* of the extent, or of the chain */
	uint16		part;			/* position in the extent */
	uint16		kind;			/* KtreePageKind */
	uint16		version;
	uint16		page_id;		/* KTREE_PAGE_ID */
} KtreeSpecial;

StaticAssertDecl(sizeof(KtreeSpecial) == 16, "ktree special area");

/*
 * The same once more on every page of a node, where a reader looks anyway:
 * the special area lies at the other end of the page, a cache miss away.
 */
typedef struct KtreeMark
{
	uint32		generation;
	uint16		part;
	uint16		place;			/* ktree_mark_place() of the node's first
								 * block */
} KtreeMark;

StaticAssertDecl(sizeof(KtreeMark) == 8, "ktree mark");

/*
 * Page id and place in one: a page of another index, or of another node,
 * has another (one in 65,536 apart).
 */
static inline uint16
ktree_mark_place(BlockNumber first)
{
	return (uint16) (KTREE_PAGE_ID ^ ((first * UINT32_C(0x9E3779B1)) >> 16));
}

/*
 * Calibration: recall by patience, for three lengths of an answer and two
 * margins of the one-bit codes.
 */
#define KTREE_PATIENCE_STEPS	18
#define KTREE_LIMITS			3
#define KTREE_MARGINS			2

typedef struct KtreeCurve
{
	float		recall[KTREE_PATIENCE_STEPS];	/* mean over the samples */
	float		error[KTREE_PATIENCE_STEPS];	/* of that mean */
	float		leaves[KTREE_PATIENCE_STEPS];	/* visited, on average */
} KtreeCurve;

StaticAssertDecl(sizeof(KtreeCurve) == 216, "ktree calibration curve");

typedef struct KtreeMeta
{
	uint32		magic;
	uint16		version;
	uint16		metric;			/* KtreeMetric */
	uint16		element;		/* KtreeElement */
	uint16		page_size_kb;	/* BLCKSZ / 1024 */
	int32		dims;			/* of the column's vectors; 0: no row yet */
	uint64		seed;			/* of the rotation */
	/* the layout, as layout.c computed it from dims */
	uint16		padded;
	uint16		coded;
	uint16		capacity;
	uint16		extent_pages;
	BlockNumber origin_block;	/* first of the origin pages */
	uint32		extents;		/* so many were ever made */
	KtreeLink	root;
	int32		height;			/* level of the root, -1: no root */
	BlockNumber free_head;		/* first extent on the free list */
	uint32		free_count;
	BlockNumber side_head;		/* pages of the side list */
	BlockNumber side_free;		/* pages that the side list once used */
	uint32		removed;		/* rows removed since the calibration */
	uint64		tuples;			/* as of the last build or vacuum */
	uint64		calibrated_tuples;
	uint64		huge_rows;		/* rows on the side list that are neither
								 * null nor zero: a hint that is never too
								 * small */
	uint64		splits;			/* of nodes, ever */
	uint64		merges;
	float		scale;			/* inner product: the usual length of a vector
								 * when the first rows came */
	uint32		format;			/* another one each time dims are given up */
	uint32		filters;		/* further key columns */
	int32		samples;		/* vectors searched for; 0: not calibrated */
	int32		calibrated_leaves;	/* in the tree then */
	KtreeCurve	curves[KTREE_MARGINS][KTREE_LIMITS];
	KtreeCurve	long_curves[KTREE_MARGINS]; /* the second half of 1,000 rows */
	float		usual_ratio;	/* of nearly all samples, at the most and at
								 * the least: how many radii from the first
								 * leaf's center (ktree_pack_radius); 0: not
								 * known */
} KtreeMeta;

StaticAssertDecl(offsetof(KtreeMeta, dims) == 12, "ktree metapage");
StaticAssertDecl(offsetof(KtreeMeta, origin_block) == 32, "ktree metapage");
StaticAssertDecl(offsetof(KtreeMeta, tuples) == 72, "ktree metapage");
StaticAssertDecl(offsetof(KtreeMeta, curves) == 132, "ktree metapage");
StaticAssertDecl(offsetof(KtreeMeta, usual_ratio) == 1860, "ktree metapage");
StaticAssertDecl(sizeof(KtreeMeta) == 1864, "ktree metapage");

typedef enum KtreeState
{
	KTREE_FREE = 0,
	KTREE_LIVE = 1,
	KTREE_DEAD = 2
} KtreeState;

#define KTREE_BASE_IS_CENTER	1
#define KTREE_ON_FREE_LIST		2
/*
 * The node's vectors lie close together for their distance from the origin, or
 * for the steps of an eight-bit center: its center is kept in floats, in place
 * of the last KTREE_FAR_SLOTS four-bit entries, and its codes have a frame of
 * their own (see README, "Far nodes").
 */
#define KTREE_FAR				4
#define KTREE_FAR_SLOTS			8

/* Start of the first page of a node. */
typedef struct KtreeNode
{
	uint16		level;			/* 0: leaf */
	uint16		state;			/* KtreeState */
	uint16		used;			/* slots ever used */
	uint16		live;			/* of them not dead */
	KtreeLink	forward[2];		/* of a DEAD node; InvalidBlockNumber: none */
	BlockNumber next_free;		/* of a node on the free list */
	uint32		flags;			/* KTREE_BASE_IS_CENTER, KTREE_ON_FREE_LIST */
	uint64		writer;			/* full transaction id of who wrote it */
	float		center_minimum;
	float		center_step;
	float		base_minimum;
	float		base_step;
	float		spread;			/* root mean square distance of slots to the
								 * center when the node was written, outliers
								 * left out */
	KtreeMark	mark;
	float		pivot;			/* inner product: the codes' products are with
								 * the query less so much of the center; 0 in
								 * a far node's own frame, else 1 */
	uint8		dead[KTREE_MAX_CAPACITY / 8];
} KtreeNode;

StaticAssertDecl(offsetof(KtreeNode, writer) == 32, "ktree node");
StaticAssertDecl(offsetof(KtreeNode, mark) == 60, "ktree node");
StaticAssertDecl(offsetof(KtreeNode, dead) == 72, "ktree node");
StaticAssertDecl(sizeof(KtreeNode) == 104, "ktree node");

/* The node header ends, and the center begins, here in page 0 ... */
#define KTREE_NODE_START	128
/* ... and contents begin here in the other pages: aligned to cache lines. */
#define KTREE_PAGE_START	64
#define KTREE_PAGE_END		(BLCKSZ - sizeof(KtreeSpecial))

StaticAssertDecl(SizeOfPageHeaderData + sizeof(KtreeNode) == KTREE_NODE_START,
				 "ktree node header");

/* Six bytes that are an ItemPointerData or a child. */
typedef struct KtreePointer
{
	uint16		block_high;
	uint16		block_low;
	uint16		offset;			/* or the generation */
} KtreePointer;

StaticAssertDecl(sizeof(KtreePointer) == 6, "ktree pointer");
StaticAssertDecl(sizeof(ItemPointerData) == 6, "ktree pointer");

/* A block of 32: codes, add[32], scale[32], pointer[32]. */
#define KTREE_BLOCK_FACTORS(coded)	RABITQ_BLOCK_BYTES(coded)
#define KTREE_BLOCK_POINTERS(coded) \
	(RABITQ_BLOCK_BYTES(coded) + 8 * RABITQ_BLOCK)
#define KTREE_BLOCK_BYTES(coded) \
	(KTREE_BLOCK_POINTERS(coded) + sizeof(KtreePointer) * RABITQ_BLOCK)

/* Behind those, for each further key column: value[32], nulls, padding. */
#define KTREE_FILTER_BYTES	320

/* A four-bit entry: factors, then the code. */
#define KTREE_REFINE_BYTES(padded) \
	(sizeof(RabitqFactors) + RABITQ_REFINE_BYTES(padded))

StaticAssertDecl(sizeof(RabitqFactors) == 12, "ktree four-bit entry");

/* A row that the tree does not hold. */
typedef enum KtreeSideReason
{
	KTREE_SIDE_NULL = 1,
	KTREE_SIDE_ZERO = 2,		/* cosine only */
	KTREE_SIDE_HUGE = 3			/* too large for the codes' arithmetic */
} KtreeSideReason;

typedef struct KtreeSideEntry
{
	ItemPointerData tid;
	uint16		reason;
} KtreeSideEntry;

StaticAssertDecl(sizeof(KtreeSideEntry) == 8, "ktree side entry");

typedef struct KtreeSidePage
{
	BlockNumber next;			/* kept when the page is unlinked, for scans */
	BlockNumber next_free;		/* of a page that is not in the list */
	uint32		count;
	uint32		reserved;
	KtreeSideEntry entries[FLEXIBLE_ARRAY_MEMBER];
} KtreeSidePage;

#define KTREE_SIDE_CAPACITY \
	((KTREE_PAGE_END - MAXALIGN(SizeOfPageHeaderData) - \
	  offsetof(KtreeSidePage, entries)) / sizeof(KtreeSideEntry))

#define KtreePageSpecial(page)	((KtreeSpecial *) PageGetSpecialPointer(page))
#define KtreePageNode(page)		((KtreeNode *) PageGetContents(page))

/*
 * Our page of this kind?  The buffer is locked; nothing else is known of it.
 */
static inline bool
ktree_page_is(Page page, KtreePageKind kind)
{
	return !PageIsNew(page) &&
		   PageGetSpecialSize(page) == sizeof(KtreeSpecial) &&
		   KtreePageSpecial(page)->page_id == KTREE_PAGE_ID &&
		   KtreePageSpecial(page)->kind == kind;
}

#define KtreePageMark(page, part)             \
	((part) == 0 ? &KtreePageNode(page)->mark \
				 : (KtreeMark *) PageGetContents(page))
#define KtreePageMeta(page)		((KtreeMeta *) PageGetContents(page))
#define KtreePageSide(page)		((KtreeSidePage *) PageGetContents(page))

#endif							/* KTREE_PAGE_H */
