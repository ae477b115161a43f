/*-------------------------------------------------------------------------
 *
 * ktree.h
 *	  The access method "ktree": structures in memory and the face of each
 *	  file of this room.  Read README first; what lies on disk is in
 *	  ktree_page.h.
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
#include "utils/relcache.h"

#include "index/index.h"
#include "index/ktree/ktree_page.h"
#include "math/rabitq.h"
#include "math/rotate.h"

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
	int			base_part;		/* first page of the base; 0: behind the
								 * center */
	int			refine_part;	/* first page behind the blocks */
	int			refine_base_pages;	/* from there, with nothing but base */
	int			refine_start;	/* offset of the first entry, on the next
								 * page */
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
	uint32		number;			/* another one in each relcache entry of a
								 * session */
	uint32		format;			/* of the metapage */
	KtreeLayout layout;
	float		scale;			/* inner product: the usual length of a
								 * vector */
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
	float		reach;			/* of a new node: what its parent is told as
								 * its radius */
} KtreeImage;

/* one vector on its way into the tree, in index space */
typedef struct KtreeEntry
{
	KtreePointer pointer;
	const float *vector;
} KtreeEntry;

/* layout.c */
extern void ktree_layout_init(KtreeLayout *layout, int dims, int filters);
extern void ktree_block_position(const KtreeLayout *layout, int block,
								 int *part, int *offset);
extern void ktree_refine_position(const KtreeLayout *layout, int slot,
								  int *part, int *offset);
extern int	ktree_center_piece(const KtreeLayout *layout, int part, int *from,
							   int *offset);
extern int	ktree_base_piece(const KtreeLayout *layout, int part, int *from,
							 int *offset);

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
extern void ktree_check_page(Relation index, Buffer buffer,
							 KtreePageKind kind);
extern KtreeCache *ktree_cache(Relation index);
extern void ktree_begin_format(Relation index, int dims, const float *origin,
							   float scale);
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
extern KtreeClass ktree_load_vector(const KtreeKind *kind, Datum value,
									float *vector);
extern void ktree_to_index_space(const KtreeCache *cache, const float *vector,
								 float *out);
extern float ktree_usual_length(const float *vectors, int count, int dims);
extern double ktree_query_scale(const KtreeCache *cache, float *vector);
pg_noreturn extern void ktree_dims_error(int expected, int found);

/* extent.c */
extern BlockNumber ktree_extend(Relation index, int pages);
extern KtreeLink ktree_take_extent(Relation index, const KtreeLayout *layout,
								   bool spare);
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
extern void ktree_filters_of_row(Relation index, const Datum *values,
								 const bool *isnull, KtreeFilters *filters);
extern void ktree_put_filters(const KtreeLayout *layout, uint8 *block,
							  int slot, const KtreeFilters *filters);
extern void ktree_get_filters(const KtreeLayout *layout, const uint8 *block,
							  int slot, KtreeFilters *filters);
extern struct KtreeFilter *ktree_filter_create(Relation index, ScanKey keys,
											   int count);
extern bool ktree_filter_lossy(const struct KtreeFilter *filter);
extern uint32 ktree_filter_block(const struct KtreeFilter *filter,
								 const KtreeLayout *layout,
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
extern Buffer ktree_lock_part(Relation index, KtreeLink link, int part,
							  int mode);
extern KtreeImage *ktree_image_create(const KtreeLayout *layout);
extern void ktree_image_free(KtreeImage *image);
extern void ktree_image_begin(KtreeImage *image, const KtreeCache *cache,
							  int level, const float *center,
							  const float *base, float radius);
extern int	ktree_image_add(KtreeImage *image, const KtreePointer *pointer,
							const KtreeCode *code);
extern void ktree_encode(KtreeImage *image, const float *vector, float lost,
						 bool inner, KtreeCode *code);
extern float ktree_robust_center(const float *vectors, const int32 *which,
								 int count, int dims, bool children,
								 float *center);
extern void ktree_set_reach(KtreeImage *image, const KtreeCache *cache,
							const float *vectors, const int32 *which,
							int count, const float *radius);
extern bool ktree_read_center(Relation index, const KtreeLayout *layout,
							  KtreeLink link, uint8 *codes, float *center);
extern bool ktree_read_far_center(Relation index, const KtreeLayout *layout,
								  KtreeLink link, float *center);
extern void ktree_check_slots(Relation index, const KtreeLayout *layout,
							  const KtreeNode *node, BlockNumber block);
extern bool ktree_image_read(Relation index, KtreeLink link,
							 KtreeImage *image);
extern bool ktree_image_read_centers(Relation index, KtreeLink link,
									 KtreeImage *image);
extern KtreePointer *ktree_image_pointer(const KtreeImage *image, int slot);
extern uint8 *ktree_image_refine(const KtreeImage *image, int slot);
extern float ktree_image_decode(const KtreeImage *image, int slot,
								float *vector);
extern void ktree_image_to_page(const KtreeImage *image, int part, Page page);
extern void ktree_image_write(Relation index, KtreeImage *image);
extern void ktree_put_slot(const KtreeLayout *layout, Page block_page,
						   Page refine_page, int slot,
						   const KtreePointer *pointer, const KtreeCode *code);

/* insert.c */
extern bool ktree_insert(Relation index, Datum *values, bool *isnull,
						 ItemPointer tid, Relation heap,
						 IndexUniqueCheck unique,
#if PG_VERSION_NUM >= 140000
						 bool unchanged,
#endif
						 IndexInfo *info);
extern void ktree_side_step(Relation index, uint32 *steps);
extern void ktree_side_add(Relation index, ItemPointer tid,
						   KtreeSideReason reason);

/* ktree_split.c, split_nodes.c */
extern void ktree_two_means(const float *vectors, int count, int dims,
							uint8 *side, float *centers);
extern bool ktree_rows_at_hand(Relation index, Relation heap);
extern void ktree_split(Relation index, const KtreeCache *cache, Relation heap,
						KtreeLink link, KtreeLink hint);
extern bool ktree_merge(Relation index, const KtreeCache *cache, Relation heap,
						KtreeLink parent, KtreeLink one, KtreeLink other);
extern bool ktree_compact(Relation index, const KtreeCache *cache,
						  Relation heap, KtreeLink link);
extern void ktree_widen(Relation index, const KtreeCache *cache, Relation heap,
						KtreeLink leaf, KtreeLink parent, float distance);
extern void ktree_shrink_root(Relation index, const KtreeCache *cache);

/*
 * A parent is told of a leaf's farthest row that is beyond so many radii, and
 * again when it is beyond so many times what was told.
 */
#define KTREE_FAR_REACH	3.0f
#define KTREE_WIDER		2.0f
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
ktree_entry_score(const RabitqQuery *query, const uint8 *entry, float lead,
				  float *error)
{
	RabitqFactors factors;

	memcpy(&factors, entry, sizeof(factors));
	*error = factors.error;
	return rabitq_refine_score(query, entry + sizeof(factors), factors.add,
							   factors.scale, lead);
}

extern KtreeQuery *ktree_query_create(const KtreeLayout *layout);
extern const RabitqQuery *ktree_local_query(const KtreeLayout *layout,
											KtreeQuery *query,
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
	union
	{
		double		distance;	/* by the operator, if exact */
		struct
		{
			float		score;
			float		deviation;
		}			one_bit;	/* else, for the calibration */
	};
	ItemPointerData tid;
	uint8		state;			/* KtreeRowState */
	bool		bad;			/* the error is too large to believe the
								 * score */
	int32		step;			/* leaf of the search that brought it, from
								 * 1 */
} KtreeRow;

struct TidSet;

typedef struct KtreeSearch KtreeSearch;

/*
 * Rows that a window looks for beyond those it returns, and the rows up to the
 * end of the next one.  What is read for hundreds of rows is read for a filter
 * that few pass, perhaps at the end of a window, where most is missed.
 */
#define KTREE_EXTRA_ROWS(count) \
	((count) > 150 ? (count) / 2 : Max(6, (count) / 8))
#define KTREE_NEXT_WINDOW(count, first) \
	Max((count) + (first), (count) + (count) / 2)

/* How hard a scan searches: the settings, unless a caller asks for more. */
typedef struct KtreeEffort
{
	double		recall;
	int			candidates;		/* rows of the first window */
	double		share;			/* of all leaves, at least */
} KtreeEffort;

/* When a window is over, and what it may leave out. */
typedef struct KtreeStop
{
	int			count;			/* rows wanted that were not handed out */
	double		patience;		/* leaves without a change; 0: no such limit */
	float		usual_ratio;	/* of the metapage */
	int			probes;			/* leaves in all; 0: no such limit */
	int64		least_leaves;	/* in all, however sure the search is */
	int64		leaf_limit;		/* embed.max_leaves, what is left of it; 0:
								 * off */
	float		margin;			/* one-bit errors that a pruned code may be
								 * off */
	Size		memory;			/* for what is remembered, in bytes */
} KtreeStop;

extern KtreeSearch *ktree_search_create(Relation index,
										const KtreeCache *cache);
extern KtreeQuery *ktree_search_query(KtreeSearch *search);
extern void ktree_search_filter(KtreeSearch *search,
								const struct KtreeFilter *filter);
extern void ktree_search_home(KtreeSearch *search, KtreeLink leaf, int rows,
							  float product);
extern void ktree_search_begin(KtreeSearch *search, struct TidSet *exclude);
extern void ktree_search_window(KtreeSearch *search, const KtreeStop *stop);
extern KtreeRow *ktree_search_rows(KtreeSearch *search, int *count);
extern float ktree_search_threshold(const KtreeSearch *search);
extern bool ktree_search_complete(const KtreeSearch *search);
extern bool ktree_search_forgot(const KtreeSearch *search);
extern bool ktree_search_cut(const KtreeSearch *search);
extern int	ktree_search_leaves(const KtreeSearch *search);
extern float ktree_search_ratio(const KtreeSearch *search);

/* tidset.c */
extern struct TidSet *tidset_create(void);
extern bool tidset_has(struct TidSet *set, ItemPointer tid);
extern void tidset_add(struct TidSet *set, ItemPointer tid);

/* GUCs (ktree_handler.c) */
extern void ktree_search_harder(IndexScanDesc scan,
								const KtreeEffort *effort);

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
extern void ktree_calibrate(Relation index, Relation heap, double tuples,
							int samples);
extern void ktree_calibrate_grown(Relation index, Relation heap);
extern float ktree_margin(const KtreeMeta *meta, double recall);
extern double ktree_patience(const KtreeMeta *meta, double count,
							 double recall);
extern double ktree_expected_leaves(const KtreeMeta *meta, double count,
									double recall);

#define KTREE_SAMPLES		240	/* for a calibration by a build or VACUUM, */
#define KTREE_FEW_SAMPLES	96	/* and by an insertion */

/* ktree_build.c */
#define KTREE_PHASE_SAMPLE		2
#define KTREE_PHASE_LOAD		3
#define KTREE_PHASE_CLUSTER		4
#define KTREE_PHASE_LOG			5
#define KTREE_PHASE_CALIBRATE	6

extern IndexBuildResult *ktree_build(Relation heap, Relation index,
									 IndexInfo *info);
extern void ktree_build_empty(Relation index);

/* ktree_vacuum.c */
extern IndexBulkDeleteResult *
ktree_bulk_delete(IndexVacuumInfo *info, IndexBulkDeleteResult *stats,
				  IndexBulkDeleteCallback callback, void *state);
extern IndexBulkDeleteResult *
ktree_vacuum_cleanup(IndexVacuumInfo *info, IndexBulkDeleteResult *stats);

/* ktree_cost.c, validate.c, ktree_check.c */
extern void ktree_cost_estimate(struct PlannerInfo *root,
								struct IndexPath *path, double loop_count,
								Cost *startup, Cost *total,
								Selectivity *selectivity, double *correlation,
								double *pages);
extern void ktree_check(Relation index, IndexReport *report);
extern void ktree_statistics(Relation index, IndexReport *report);

/* array_path.c */
extern void ktree_array_path_init(void);

/* ktree_handler.c; called from _PG_init */
extern bool ktree_right_signature(Form_pg_amproc function);
extern void ktree_init(void);

#endif							/* KTREE_H */
