/*-------------------------------------------------------------------------
 *
 * ktree.h
 *	  The access method "ktree": structures on disk and the face of each
 *	  file of this room.  Read README first.
 *
 *-------------------------------------------------------------------------
 */
#ifndef KTREE_H
#define KTREE_H

#include "server/server.h"

#include "access/amapi.h"
#include "access/genam.h"
#include "access/generic_xlog.h"
#include "nodes/execnodes.h"
#include "storage/bufmgr.h"
#include "storage/bufpage.h"
#include "utils/relcache.h"

#include "index/index.h"
#include "math/rabitq.h"
#include "math/rotate.h"

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
 * No more than so many rotated dimensions have a one-bit code: a leaf has to be
 * read from memory, which costs more than what fewer bits let pass in vain.
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

/*----------------------------------------------------------------------
 * On disk
 *----------------------------------------------------------------------
 */

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
	uint16		place;			/* ktree_mark_place() of the node's first block */
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
} KtreeMeta;

StaticAssertDecl(offsetof(KtreeMeta, dims) == 12, "ktree metapage");
StaticAssertDecl(offsetof(KtreeMeta, origin_block) == 32, "ktree metapage");
StaticAssertDecl(offsetof(KtreeMeta, tuples) == 72, "ktree metapage");
StaticAssertDecl(offsetof(KtreeMeta, curves) == 132, "ktree metapage");
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
#define KTREE_BLOCK_POINTERS(coded) (RABITQ_BLOCK_BYTES(coded) + 8 * RABITQ_BLOCK)
#define KTREE_BLOCK_BYTES(coded) \
	(KTREE_BLOCK_POINTERS(coded) + sizeof(KtreePointer) * RABITQ_BLOCK)

/* Behind those, for each further key column: value[32], nulls, padding. */
#define KTREE_FILTER_BYTES	320

/* A four-bit entry: factors, then the code. */
#define KTREE_REFINE_BYTES(padded)	(sizeof(RabitqFactors) + RABITQ_REFINE_BYTES(padded))

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

/* Our page of this kind?  The buffer is locked; nothing else is known of it. */
static inline bool
ktree_page_is(Page page, KtreePageKind kind)
{
	return !PageIsNew(page) && PageGetSpecialSize(page) == sizeof(KtreeSpecial) &&
		KtreePageSpecial(page)->page_id == KTREE_PAGE_ID &&
		KtreePageSpecial(page)->kind == kind;
}

#define KtreePageMark(page, part) \
	((part) == 0 ? &KtreePageNode(page)->mark : (KtreeMark *) PageGetContents(page))
#define KtreePageMeta(page)		((KtreeMeta *) PageGetContents(page))
#define KtreePageSide(page)		((KtreeSidePage *) PageGetContents(page))

/*----------------------------------------------------------------------
 * In memory
 *----------------------------------------------------------------------
 */

/* Where things are in a node; all from dims (layout.c). */
typedef struct KtreeLayout
{
	int			dims;
	int			padded;			/* D */
	int			coded;			/* M */
	int			capacity;		/* slots of a node */
	int			extent_pages;
	int			origin_pages;
	int			center_pages;	/* pages before the first page of blocks; 0:
								 * page 0 holds blocks after the center */
	int			blocks_start;	/* offset of the first block */
	int			first_blocks;	/* blocks on the first page of blocks */
	int			page_blocks;	/* blocks on each of the others */
	int			block_pages;
	int			base_part;		/* first page of the base; 0: behind the center */
	int			refine_part;	/* first page behind the blocks */
	int			refine_base_pages;	/* from there, with nothing but base */
	int			refine_start;	/* offset of the first entry, on the next page */
	int			refine_first;	/* entries on that page */
	int			refine_page;	/* entries on each of the others */
	int			block_bytes;
	int			refine_bytes;
	int			filters;		/* further key columns */
	int			filter_offset;	/* of their values in a block */
} KtreeLayout;

/* Cached in rd_amcache of the index: nothing in it ever changes. */
typedef struct KtreeCache
{
	KtreeKind	kind;
	uint32		number;			/* another one in each relcache entry of a session */
	uint32		format;			/* of the metapage */
	KtreeLayout layout;
	float		scale;			/* inner product: the usual length of a vector */
	Rotation   *rotation;
	float	   *origin;
} KtreeCache;

/* A whole node, unpacked from its pages or to be written there. */
typedef struct KtreeImage
{
	const KtreeLayout *layout;
	KtreeLink	link;			/* where it was read */
	KtreeNode	node;
	float	   *center;			/* D: decoded, or a far node's own */
	float	   *base;			/* D: the same */
	float	   *shifted;		/* 3 D: scratch for codes with a pivot */
	uint8	   *center_codes;	/* D */
	uint8	   *base_codes;		/* D */
	uint8	   *blocks;			/* capacity / 32 blocks */
	uint8	   *refine;			/* capacity entries */
} KtreeImage;

/* one vector on its way into the tree, in index space */
typedef struct KtreeEntry
{
	KtreePointer pointer;
	const float *vector;
} KtreeEntry;

/* layout.c */
extern void ktree_layout_init(KtreeLayout *layout, int dims, int filters);
extern void ktree_block_position(const KtreeLayout *layout, int block, int *part, int *offset);
extern void ktree_refine_position(const KtreeLayout *layout, int slot, int *part, int *offset);
extern int	ktree_center_piece(const KtreeLayout *layout, int part, int *from, int *offset);
extern int	ktree_base_piece(const KtreeLayout *layout, int part, int *from, int *offset);

/* meta.c */
extern void ktree_page_init(Page page, KtreePageKind kind, uint32 generation,
							BlockNumber first, int part);
extern void ktree_page_mark(Page page, uint32 generation);
extern void ktree_meta_init(Page page, const KtreeKind *kind);
extern void ktree_read_meta(Relation index, KtreeMeta *meta);

/* A change of the metapage alone. */
typedef struct KtreeMetaUpdate
{
	Buffer		buffer;
	GenericXLogState *state;
} KtreeMetaUpdate;

extern KtreeMeta *ktree_meta_begin(Relation index, KtreeMetaUpdate *update);
extern void ktree_meta_end(KtreeMetaUpdate *update);
extern void ktree_check_page(Relation index, Buffer buffer, KtreePageKind kind);
extern KtreeCache *ktree_cache(Relation index);
extern void ktree_begin_format(Relation index, int dims, const float *origin, float scale);
extern void ktree_give_up_format(Relation index);
extern const KtreeKind *ktree_kind(Relation index);
extern void ktree_set_root(Relation index, KtreeLink root, int height);

/* vector.c: from a Datum to index space */
typedef enum KtreeClass
{
	KTREE_NORMAL,
	KTREE_ZERO,
	KTREE_HUGE
} KtreeClass;
extern int	ktree_datum_dims(const KtreeKind *kind, Datum value);
extern int	ktree_column_dims(Relation index);
extern KtreeClass ktree_load_vector(const KtreeKind *kind, Datum value, float *vector);
extern void ktree_to_index_space(const KtreeCache *cache, const float *vector, float *out);
extern float ktree_usual_length(const float *vectors, int count, int dims);
extern double ktree_query_scale(const KtreeCache *cache, float *vector);
pg_noreturn extern void ktree_dims_error(int expected, int found);

/* extent.c */
extern BlockNumber ktree_extend(Relation index, int pages);
extern KtreeLink ktree_take_extent(Relation index, const KtreeLayout *layout, bool spare);
extern void ktree_leave_spare(Relation index, const KtreeLayout *layout);

/* Why an extent is given back; some reasons are counted. */
typedef enum KtreeGiven
{
	KTREE_UNUSED,
	KTREE_SPLIT,
	KTREE_MERGED
} KtreeGiven;

extern void ktree_give_extent(Relation index, KtreeLink link, KtreeGiven why);

/* node.c */
static inline BlockNumber
ktree_pointer_block(const KtreePointer *pointer)
{
	return ((BlockNumber) pointer->block_high << 16) | pointer->block_low;
}

static inline void
ktree_pointer_set(KtreePointer *pointer, BlockNumber block, uint16 offset)
{
	pointer->block_high = (uint16) (block >> 16);
	pointer->block_low = (uint16) (block & 0xFFFF);
	pointer->offset = offset;
}

static inline bool
ktree_slot_dead(const KtreeNode *node, int slot)
{
	return (node->dead[slot / 8] >> (slot % 8)) & 1;
}

static inline bool
ktree_same_generation(uint32 a, uint32 b)
{
	return (uint16) a == (uint16) b;
}

/* Slots that a node has. */
static inline int
ktree_capacity(const KtreeLayout *layout, const KtreeNode *node)
{
	return layout->capacity - (node->flags & KTREE_FAR ? KTREE_FAR_SLOTS : 0);
}

/*
 * In place of its code's error an inner node's four-bit entry has that error
 * and the child's radius, 16 bits each: the upper half of a float, rounded up.
 */
static inline float
ktree_pack_radius(float error, float radius)
{
	uint32		high;
	uint32		low;
	float		result;

	memcpy(&high, &error, sizeof(high));
	memcpy(&low, &radius, sizeof(low));
	high = (high + 0xFFFF) & 0xFFFF0000;
	low = (low + 0xFFFF) >> 16;
	high |= low;
	memcpy(&result, &high, sizeof(result));
	return result;
}

static inline void
ktree_unpack_radius(float packed, float *error, float *radius)
{
	uint32		bits;
	uint32		half;

	memcpy(&bits, &packed, sizeof(bits));
	half = bits & 0xFFFF0000;
	memcpy(error, &half, sizeof(half));
	half = bits << 16;
	memcpy(radius, &half, sizeof(half));
}

/* Values of a row's further key columns (filter.c). */
typedef struct KtreeFilters
{
	int64		value[KTREE_MAX_FILTERS];
	uint8		nulls;			/* a bit for each */
} KtreeFilters;

struct KtreeFilter;

extern int	ktree_filter_count(Relation index);
extern void ktree_check_columns(Relation index);
extern void ktree_filters_of_row(Relation index, const Datum *values, const bool *isnull,
								 KtreeFilters *filters);
extern void ktree_put_filters(const KtreeLayout *layout, uint8 *block, int slot,
							  const KtreeFilters *filters);
extern void ktree_get_filters(const KtreeLayout *layout, const uint8 *block, int slot,
							  KtreeFilters *filters);
extern struct KtreeFilter *ktree_filter_create(Relation index, ScanKey keys, int count);
extern bool ktree_filter_lossy(const struct KtreeFilter *filter);
extern uint32 ktree_filter_block(const struct KtreeFilter *filter, const KtreeLayout *layout,
								 const uint8 *block);

/* A code on its way into a slot. */
typedef struct KtreeCode
{
	uint8		bits[KTREE_MAX_CODED / 8];
	RabitqFactors one_bit;
	RabitqFactors four_bit;
	uint8		refine[KTREE_MAX_DIMS / 2 + 64];
	KtreeFilters filters;		/* of a row */
} KtreeCode;

/* Lock a page of a node; InvalidBuffer when the extent was reused. */
extern Buffer ktree_lock_part(Relation index, KtreeLink link, int part, int mode);
extern KtreeImage *ktree_image_create(const KtreeLayout *layout);
extern void ktree_image_free(KtreeImage *image);
extern void ktree_image_begin(KtreeImage *image, const KtreeCache *cache, int level,
							  const float *center, const float *base, float radius);
extern int	ktree_image_add(KtreeImage *image, const KtreePointer *pointer,
							const KtreeCode *code);
extern void ktree_encode(KtreeImage *image, const float *vector, float lost, bool inner,
						 KtreeCode *code);
extern float ktree_robust_center(const float *vectors, const int32 *which, int count,
								 int dims, bool children, float *center);
extern bool ktree_read_center(Relation index, const KtreeLayout *layout, KtreeLink link,
							  uint8 *codes, float *center);
extern bool ktree_read_far_center(Relation index, const KtreeLayout *layout, KtreeLink link,
								  float *center);
extern void ktree_check_slots(Relation index, const KtreeLayout *layout,
							  const KtreeNode *node, BlockNumber block);
extern bool ktree_image_read(Relation index, KtreeLink link, KtreeImage *image);
extern bool ktree_image_read_centers(Relation index, KtreeLink link, KtreeImage *image);
extern KtreePointer *ktree_image_pointer(const KtreeImage *image, int slot);
extern uint8 *ktree_image_refine(const KtreeImage *image, int slot);
extern float ktree_image_decode(const KtreeImage *image, int slot, float *vector);
extern void ktree_image_to_page(const KtreeImage *image, int part, Page page);
extern void ktree_image_write(Relation index, KtreeImage *image);
extern void ktree_put_slot(const KtreeLayout *layout, Page block_page, Page refine_page,
						   int slot, const KtreePointer *pointer, const KtreeCode *code);

/* insert.c */
extern bool ktree_insert(Relation index, Datum *values, bool *isnull,
						 ItemPointer tid, Relation heap, IndexUniqueCheck unique,
#if PG_VERSION_NUM >= 140000
						 bool unchanged,
#endif
						 IndexInfo *info);
extern void ktree_side_step(Relation index, uint32 *steps);
extern void ktree_side_add(Relation index, ItemPointer tid, KtreeSideReason reason);

/* ktree_split.c, split_nodes.c */
extern void ktree_two_means(const float *vectors, int count, int dims, uint8 *side,
							float *centers);
extern bool ktree_rows_at_hand(Relation index, Relation heap);
extern void ktree_split(Relation index, const KtreeCache *cache, Relation heap,
						KtreeLink link, KtreeLink hint);
extern bool ktree_merge(Relation index, const KtreeCache *cache, KtreeLink parent,
						KtreeLink one, KtreeLink other);
extern bool ktree_compact(Relation index, const KtreeCache *cache, KtreeLink link);
extern void ktree_shrink_root(Relation index, const KtreeCache *cache);
extern void ktree_lock_structure(Relation index);
extern void ktree_unlock_structure(Relation index);

/* ktree_query.c: a vector against the slots of one node */
typedef struct KtreeQuery
{
	RabitqQuery code;
	float	   *vector;			/* D, in index space */
	struct KtreeQuery *local;	/* the same in a far node's frame */
} KtreeQuery;

/* Score of a four-bit entry, and the code's error relative to |q - base|. */
static inline float
ktree_entry_score(const RabitqQuery *query, const uint8 *entry, float lead, float *error)
{
	RabitqFactors factors;

	memcpy(&factors, entry, sizeof(factors));
	*error = factors.error;
	return rabitq_refine_score(query, entry + sizeof(factors), factors.add, factors.scale, lead);
}

extern KtreeQuery *ktree_query_create(const KtreeLayout *layout);
extern const RabitqQuery *ktree_local_query(const KtreeLayout *layout, KtreeQuery *query,
											const float *center);

/* ktree_search.c: best-first search */
typedef enum KtreeRowState
{
	KTREE_ROW_FOUND,			/* to be handed out */
	KTREE_ROW_EXACT,			/* the same, with its distance */
	KTREE_ROW_DONE				/* handed out, or not to be seen */
} KtreeRowState;

/* A row scored by its four-bit code. */
typedef struct KtreeRow
{
	float		score;
	float		error;			/* its standard deviation; 0: score is exact */
	double		distance;		/* by the operator, if exact */
	ItemPointerData tid;
	uint8		state;			/* KtreeRowState */
	bool		bad;			/* the error is too large to believe the score */
	int32		step;			/* leaf of the search that brought it, from 1 */
	float		need;			/* margin without which it had been pruned */
} KtreeRow;

struct TidSet;

typedef struct KtreeSearch KtreeSearch;

/*
 * Rows that a window looks for beyond those it returns, and the rows up to the
 * end of the next one.  What is read for hundreds of rows is read for a filter
 * that few pass, perhaps at the end of a window, where most is missed.
 */
#define KTREE_EXTRA_ROWS(count)	((count) > 150 ? (count) / 2 : Max(6, (count) / 8))
#define KTREE_NEXT_WINDOW(count, first) \
	Max((count) + (first), (count) + (count) / 2)

/* When a window is over, and what it may leave out. */
typedef struct KtreeStop
{
	int			count;			/* rows wanted that were not handed out */
	double		patience;		/* leaves without a change; 0: no such limit */
	int			probes;			/* leaves in all; 0: no such limit */
	int64		leaf_limit;		/* embed.max_leaves, what is left of it; 0: off */
	float		margin;			/* one-bit errors that a pruned code may be off */
	Size		memory;			/* for what is remembered, in bytes */
} KtreeStop;

extern KtreeSearch *ktree_search_create(Relation index, const KtreeCache *cache);
extern KtreeQuery *ktree_search_query(KtreeSearch *search);
extern void ktree_search_filter(KtreeSearch *search, const struct KtreeFilter *filter);
extern void ktree_search_begin(KtreeSearch *search, struct TidSet *exclude);
extern void ktree_search_window(KtreeSearch *search, const KtreeStop *stop);
extern KtreeRow *ktree_search_rows(KtreeSearch *search, int *count);
extern float ktree_search_threshold(const KtreeSearch *search);
extern bool ktree_search_complete(const KtreeSearch *search);
extern bool ktree_search_forgot(const KtreeSearch *search);
extern bool ktree_search_cut(const KtreeSearch *search);
extern int	ktree_search_leaves(const KtreeSearch *search);

/* tidset.c */
extern struct TidSet *tidset_create(void);
extern bool tidset_has(struct TidSet *set, ItemPointer tid);
extern void tidset_add(struct TidSet *set, ItemPointer tid);

/* GUCs (ktree_handler.c) */
extern double embed_recall;
extern int	embed_candidates;
extern int	embed_probes;
extern int	embed_max_leaves;

/* ktree_scan.c */
extern IndexScanDesc ktree_beginscan(Relation index, int nkeys, int norderbys);
extern void ktree_rescan(IndexScanDesc scan, ScanKey keys, int nkeys,
						 ScanKey orderbys, int norderbys);
extern bool ktree_gettuple(IndexScanDesc scan, ScanDirection direction);
extern void ktree_endscan(IndexScanDesc scan);

/* calibrate.c */
extern void ktree_calibrate(Relation index, Relation heap, double tuples, int samples);
extern void ktree_calibrate_grown(Relation index, Relation heap);
extern float ktree_margin(double recall);
extern double ktree_patience(const KtreeMeta *meta, double count, double recall);
extern double ktree_expected_leaves(const KtreeMeta *meta, double count, double recall);

#define KTREE_SAMPLES		240	/* for a calibration by a build or VACUUM, */
#define KTREE_FEW_SAMPLES	96	/* and by an insertion */

/* ktree_build.c */
#define KTREE_PHASE_SAMPLE		2
#define KTREE_PHASE_LOAD		3
#define KTREE_PHASE_CLUSTER		4
#define KTREE_PHASE_LOG			5
#define KTREE_PHASE_CALIBRATE	6

extern IndexBuildResult *ktree_build(Relation heap, Relation index, IndexInfo *info);
extern void ktree_build_empty(Relation index);

/* ktree_vacuum.c */
extern IndexBulkDeleteResult *ktree_bulk_delete(IndexVacuumInfo *info,
												IndexBulkDeleteResult *stats,
												IndexBulkDeleteCallback callback, void *state);
extern IndexBulkDeleteResult *ktree_vacuum_cleanup(IndexVacuumInfo *info,
												   IndexBulkDeleteResult *stats);

/* ktree_cost.c, validate.c, ktree_check.c */
extern void ktree_cost_estimate(struct PlannerInfo *root, struct IndexPath *path,
								double loop_count, Cost *startup, Cost *total,
								Selectivity *selectivity, double *correlation,
								double *pages);
extern void ktree_check(Relation index, IndexReport *report);
extern void ktree_statistics(Relation index, IndexReport *report);

/* ktree_handler.c; called from _PG_init */
extern void ktree_init(void);

#endif							/* KTREE_H */
