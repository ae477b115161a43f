/*-------------------------------------------------------------------------
 *
 * ktree_search.c
 *	  The best rows by their codes, in windows that continue one search.
 *
 * The descent is lazy and best-first.  Leaves wait in a heap by the distance
 * of their centers, inner nodes in a heap for each level; an inner node is
 * opened when one of its children might be nearer than the nearest leaf
 * waiting.  A window of so many rows is complete when "patience" leaves in a
 * row have changed nothing among them.  The next one goes on from there: it
 * looks at what the smaller window left out of the leaves already visited,
 * whose bounds are remembered, and then visits more.  What is done with nodes
 * that wait is in search_nodes.c, with a leaf in search_leaves.c, and with the
 * rows in search_rows.c.
 *
 * One buffer lock at a time; see README for why pages read one after the
 * other fit together, and what happens when a node has been replaced.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "index/ktree/ktree_search.h"

/* Each needs a split between two reads: so many in a search mean damage. */
#define MAX_RESTARTS 10000

/*
 * Patience of a scan with a filter, at least, and its growth (patience_now).
 */
#define LEAST_FILTERED	8
#define FILTER_POWER	0.6

/* Its growth for a query that is farther out than the samples were. */
#define STRANGE_POWER	2.0
#define MOST_STRANGE	16.0

/* So many radii away scores err by rounding as much as rows differ. */
#define BLIND_RATIO		1e4f

/* Patience of such a part of all nodes visits nearly all of them anyway. */
#define MOST_OF_ALL		4

/*
 * Of each page of the next leaf; then the processor sees where we are going.
 */
#define PREFETCH_BYTES 192

typedef struct VisitedNode
{
	uint64		key;			/* block, generation */
	char		status;
} VisitedNode;

#define SH_PREFIX		visited
#define SH_ELEMENT_TYPE VisitedNode
#include "index/ktree/key_table.h"

KtreeSearch *
ktree_search_create(Relation index, const KtreeCache *cache)
{
	KtreeSearch *search = palloc0(sizeof(KtreeSearch));

	search->index = index;
	search->cache = cache;
	search->layout = &cache->layout;
	search->inner = cache->kind.metric == KTREE_INNER;
	search->query = ktree_query_create(&cache->layout);
	search->codes = palloc(cache->layout.padded);
	search->center = palloc(sizeof(float) * cache->layout.padded);
	search->visited_nodes = visited_create(CurrentMemoryContext, 256, NULL);
	search->opened_room = 16;
	search->opened = palloc(sizeof(KtreeOpened) * search->opened_room);
	search->visited_room = 64;
	search->visited = palloc(sizeof(KtreeVisited) * search->visited_room);
	search->bounds_room = 64 * KTREE_MAX_CAPACITY;
	search->bounds = palloc(sizeof(float) * search->bounds_room);
	search->row_room = 1024;
	search->rows = palloc(sizeof(KtreeRow) * search->row_room);
	search->seat_room = 128;
	search->seats = palloc(sizeof(float) * search->seat_room);
	return search;
}

/* Its vector is the caller's to fill, in index space, before a search. */
KtreeQuery *
ktree_search_query(KtreeSearch *search)
{
	return search->query;
}

/* The rows found so far; their order changes with every window. */
KtreeRow *
ktree_search_rows(KtreeSearch *search, int *count)
{
	*count = search->row_count;
	return search->rows;
}

/* Rows beyond this score may have nearer ones that are not known yet. */
float
ktree_search_threshold(const KtreeSearch *search)
{
	return ktree_threshold(search);
}

/* Was nothing left out?  Then no later window has anything to add. */
bool
ktree_search_complete(const KtreeSearch *search)
{
	return search->complete && search->seat_count < search->seat_limit;
}

/* Was something lost for lack of memory?  Then no window can follow. */
bool
ktree_search_forgot(const KtreeSearch *search)
{
	return search->forgot;
}

bool
ktree_search_cut(const KtreeSearch *search)
{
	return search->cut;
}

/* How many radii from the center of the first leaf is the query? */
float
ktree_search_ratio(const KtreeSearch *search)
{
	return search->first_ratio;
}

int
ktree_search_leaves(const KtreeSearch *search)
{
	return search->leaves;
}

static KtreeWaiting
pop(KtreeWaitingHeap *heap)
{
	KtreeWaiting top = heap->nodes[0];
	KtreeWaiting last = heap->nodes[--heap->count];
	int			at = 0;

	for (;;)
	{
		int			child = 2 * at + 1;

		if (child >= heap->count)
			break;
		if (child + 1 < heap->count &&
			heap->nodes[child + 1].key < heap->nodes[child].key)
			child++;
		if (heap->nodes[child].key >= last.key)
			break;
		heap->nodes[at] = heap->nodes[child];
		at = child;
	}
	heap->nodes[at] = last;
	return top;
}

/* Start the descent, or start it again. */
static void
push_root(KtreeSearch *search)
{
	KtreeMeta	meta;
	KtreeWaiting root;

	ktree_read_meta(search->index, &meta);
	if (meta.height < 0)
		return;
	if (meta.height >= KTREE_MAX_LEVELS)
		ereport(ERROR,
				(errcode(ERRCODE_INDEX_CORRUPTED),
				 errmsg("index \"%s\" claims a height of %d",
						RelationGetRelationName(search->index), meta.height)));
	search->height = Max(search->height, meta.height);
	search->nodes = (double) meta.extents - meta.free_count;
	root.key = -FLT_MAX;
	root.radius = 0;
	root.link = meta.root;
	root.parent = -1;
	root.slot = 0;
	root.stage = KTREE_BY_CENTER;
	ktree_push_waiting(&search->heaps[meta.height], &root);
}

/* More nodes were replaced under the search than can have been. */
static void
check_restarts(const KtreeSearch *search)
{
	if (search->restarts > MAX_RESTARTS)
		ereport(ERROR,
				(errcode(ERRCODE_INDEX_CORRUPTED),
				 errmsg("index \"%s\" has pointers to nodes that do not exist",
						RelationGetRelationName(search->index)),
				 errhint("Please REINDEX it.")));
}

/* A pointer led to an extent that was reused: descend anew. */
static void
restart(KtreeSearch *search)
{
	search->restarts++;
	check_restarts(search);
	push_root(search);
}

static uint64
visited_key(KtreeLink link)
{
	return ((uint64) link.block << 16) | (uint16) link.generation;
}

/*
 * Learn better where a waiting node is: by its four-bit code, and if that
 * is too coarse by its center.
 */
static void
refine_waiting(KtreeSearch *search, KtreeWaiting *waiting, int level)
{
	const KtreeOpened *parent = &search->opened[waiting->parent];
	const KtreeInner *inner;
	int			part;
	int			offset;
	Buffer		buffer;

	if (waiting->stage == KTREE_TOO_COARSE)
	{
		float		score;
		float		distance;

		waiting->stage = KTREE_BY_CENTER;
		if (!ktree_read_center(search->index, search->layout, waiting->link,
							   search->codes, search->center))
			return;				/* whoever visits it will find out */
		rabitq_lead(&search->query->code, search->center, search->inner,
					&score, &distance);
		if (level == 0)
			score = ktree_home_score(search, waiting->link, score);
		waiting->key = ktree_key(search, level, score, waiting->radius,
								 parent->usual_radius);
		return;
	}

	inner = ktree_inner_kept(search->cache, parent->link);
	if (inner != NULL && waiting->slot < inner->node.used)
	{
		ktree_score_child(search, waiting, level, &search->query->code, parent,
						  inner->refine + (Size) waiting->slot *
											  search->layout->refine_bytes);
		return;
	}

	/* the copy had to give way */
	waiting->stage = KTREE_BY_FOUR_BITS;
	ktree_refine_position(search->layout, waiting->slot, &part, &offset);
	buffer = ktree_lock_part(search->index, parent->link, part,
							 BUFFER_LOCK_SHARE);
	if (!BufferIsValid(buffer))
		return;					/* the first score must do */
	ktree_score_child(search, waiting, level, &search->query->code, parent,
					  (uint8 *) BufferGetPage(buffer) + offset);
	UnlockReleaseBuffer(buffer);
}

/* The pages of a leaf that is likely to be visited soon. */
static void
prefetch_leaf(const KtreeSearch *search, BlockNumber block)
{
	for (int part = 0; part < search->layout->refine_part; part++)
		index_prefetch(search->index, block + part, CACHE_LINE,
					   PREFETCH_BYTES);
}

/*
 * Take the last node of a heap, in no order: when all are to be visited, there
 * is nothing to choose.  The lowest level comes first.  Returns that.
 */
static int
take_any(KtreeSearch *search, KtreeWaiting *waiting)
{
	int			level = 0;
	KtreeWaitingHeap *heap;

	while (level < search->height && search->heaps[level].count == 0)
		level++;
	heap = &search->heaps[level];
	if (heap->count == 0)
		return -1;
	*waiting = heap->nodes[--heap->count];
	if (level == 0 && heap->count > 0)
		prefetch_leaf(search, heap->nodes[heap->count - 1].link.block);
	return level;
}

/*
 * The nearest waiting node, a leaf's center scored by the four-bit code.
 * Returns its level, -1 when there is none.
 */
static int
take_nearest(KtreeSearch *search, KtreeWaiting *waiting)
{
	for (;;)
	{
		KtreeWaitingHeap *leaves = &search->heaps[0];
		int			level;

		for (level = search->height; level > 0; level--)
		{
			if (search->heaps[level].count > 0 &&
				(leaves->count == 0 ||
				 search->heaps[level].nodes[0].key < leaves->nodes[0].key))
				break;
		}
		if (level == 0 && leaves->count == 0)
			return -1;
		*waiting = pop(&search->heaps[level]);
		if ((waiting->stage != KTREE_BY_ONE_BIT &&
			 waiting->stage != KTREE_TOO_COARSE) ||
			waiting->parent < 0)
			return level;
		if (level == 0)
			prefetch_leaf(search, waiting->link.block);
		refine_waiting(search, waiting, level);
		ktree_push_waiting(&search->heaps[level], waiting);
	}
}

/* The next leaf that was not visited yet; false when there is none. */
static bool
next_leaf(KtreeSearch *search, KtreeWaiting *leaf)
{
	for (;;)
	{
		int			level = search->all ? take_any(search, leaf) :
			take_nearest(search, leaf);
		bool		found;

		if (level < 0)
			return false;
		if (level > 0)
		{
			CHECK_FOR_INTERRUPTS();
			if (!ktree_open_inner(search, leaf, level))
				restart(search);
			check_restarts(search);
			continue;
		}
		/* inner nodes are opened again after a restart, leaves are not */
		visited_insert(search->visited_nodes, visited_key(leaf->link), &found);
		if (!found)
			return true;
	}
}

/* Find only rows that pass. */
void
ktree_search_filter(KtreeSearch *search, const struct KtreeFilter *filter)
{
	search->filter = filter;
}

/*
 * The query is a row of this leaf, and stands for one that is not.
 *
 * product: inner product of row and query, in index space
 */
void
ktree_search_home(KtreeSearch *search, KtreeLink leaf, int rows,
				  float product)
{
	search->home = leaf;
	search->home_rows = rows;
	search->home_product = product;
}

/*
 * Leaves without a change after which the window is over.
 *
 * The fewer rows pass, the more leaves hold the nearest of them: for rows that
 * pass at random as the number of leaves that hold so many times the rows
 * grows, with a power of .35; more where a filter goes with the vectors, and
 * where few rows pass, which are hardly nearer than others (README).
 *
 * Calibration knows queries like the rows.  One that lies farther out, by the
 * radius of the leaf nearest to it, has its nearest rows spread over more
 * leaves, whose centers tell less of which.  So does one that lies farther in:
 * among many dimensions rows are on a shell around their center.
 */
static double
patience_now(const KtreeSearch *search, const KtreeStop *stop)
{
	double		patience = stop->patience;
	double		strange = 1;

	if (ktree_is_strange(search))
		strange = search->ratio / search->most_usual;
	else if (search->ratio < search->least_usual)
		strange = search->least_usual / search->ratio;
	if (strange > 1)
		patience *= Min(pow(strange, STRANGE_POWER), MOST_STRANGE);
	if (search->filter == NULL)
		return patience;
	patience = Max(patience, LEAST_FILTERED) *
			   pow((search->filtered + 1) / (search->passed + 1),
				   FILTER_POWER);
	/* a few rows in all: one look at each leaf finds and sorts them */
	return patience * MOST_OF_ALL < search->nodes ? patience : INFINITY;
}

/*
 * Start a search for the query that the caller has prepared, among rows
 * that are not in "exclude".
 */
void
ktree_search_begin(KtreeSearch *search, struct TidSet *exclude)
{
	MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(search));

	for (int level = 0; level < KTREE_MAX_LEVELS; level++)
		search->heaps[level].count = 0;
	search->height = 0;
	search->opened_count = 0;
	visited_reset(search->visited_nodes);
	search->exclude = exclude;
	search->visited_count = 0;
	search->bounds_count = 0;
	search->row_count = 0;
	search->leaves = 0;
	search->ratio = search->first_ratio = FLT_MAX;
	search->restarts = 0;
	search->filtered = search->passed = 0;
	search->forgot = search->complete = search->cut = false;
	search->all = false;
	search->query_length = sqrtf(search->query->code.norm_squared);
	push_root(search);
	MemoryContextSwitchTo(old);
}

/*
 * Do scores say too little to end a window, although nothing has changed?
 *
 * From very far away all rows look alike, by their leaves' centers, too.  Then
 * only distances tell, and a leaf that is not farther for sure is visited.
 */
static bool
is_blind(const KtreeSearch *search)
{
	float		nearest = FLT_MAX;

	if (search->inner || search->ratio < BLIND_RATIO)
		return false;
	for (int level = 0; level <= search->height; level++)
	{
		if (search->heaps[level].count > 0)
			nearest = Min(nearest, search->heaps[level].nodes[0].key);
	}
	return nearest <= ktree_threshold(search) +
		   2 * KTREE_ROUNDING * search->query->code.norm_squared;
}

/* What a smaller window left out of the leaves that it visited. */
static void
look_again(KtreeSearch *search)
{
	for (int i = 0; i < search->visited_count; i++)
	{
		KtreeVisited *visited = &search->visited[i];
		const float *bounds = search->bounds + visited->bounds;
		float		threshold = ktree_threshold(search);
		float		least = FLT_MAX;

		CHECK_FOR_INTERRUPTS();
		for (int slot = 0; slot < visited->used; slot++)
			least = Min(least, bounds[slot]);
		if (least < threshold && !ktree_visit_again(search, visited))
			restart(search);
	}
}

/*
 * Go on until the stop->count best rows are known, of those that have not
 * been handed out.
 */
void
ktree_search_window(KtreeSearch *search, const KtreeStop *stop)
{
	MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(search));
	KtreeWaiting leaf;
	double		patience;

	search->margin = stop->margin;
	ktree_unpack_radius(stop->usual_ratio, &search->most_usual,
						&search->least_usual);
	search->memory = stop->memory;
	ktree_fill_seats(search, stop->count);
	look_again(search);
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		patience = patience_now(search, stop);
		search->all = stop->probes == 0 && isinf(patience);
		if (search->seat_count == search->seat_limit &&
			search->leaves >= stop->least_leaves)
		{
			if (stop->probes > 0)
			{
				if (search->leaves >= stop->probes)
					break;
			}
			else if (stop->patience > 0 &&
					 search->leaves - search->last_change >= patience &&
					 !is_blind(search))
				break;
		}
		if (stop->leaf_limit > 0 && search->leaves >= stop->leaf_limit)
		{
			search->cut = true;
			break;
		}
		if (!next_leaf(search, &leaf))
		{
			search->complete = true;
			break;
		}
		if (!ktree_visit_leaf(search, &leaf))
			restart(search);
	}
	MemoryContextSwitchTo(old);
}
