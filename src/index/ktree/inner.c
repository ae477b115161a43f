/*-------------------------------------------------------------------------
 *
 * inner.c
 *	  Copies of inner nodes that a backend keeps from search to search.
 *
 * Every search opens the root and some of the nodes below it, and then asks
 * for the four-bit codes of their children one by one.  In shared memory each
 * of these is a page to pin and to lock, and the same few pages for all
 * backends.  A copy is good as long as the node has the generation and the
 * slots it had then, since a node is append-only; so only its first page is
 * read again, for that and for the dead map.
 *
 * A copy belongs to one incarnation of the index's relcache entry
 * (KtreeCache.number): what replaces the file without a trace in the nodes,
 * such as TRUNCATE of a table made in the same transaction, invalidates that.
 * All copies of a backend take half of work_mem at most, or one node.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "index/ktree/ktree_search.h"

typedef struct KeptNode
{
	uint64		key;			/* the cache's number, first block */
	KtreeInner *node;
	Size		bytes;
	uint64		last_used;
	char		status;
} KeptNode;

#define SH_PREFIX		kept
#define SH_ELEMENT_TYPE KeptNode
#include "index/ktree/key_table.h"

static MemoryContext kept_context;
static kept_hash *kept;
static Size kept_bytes;
static uint64 uses;

static uint64
kept_key(const KtreeCache *cache, KtreeLink link)
{
	return ((uint64) cache->number << 32) | link.block;
}

static void
forget(KeptNode *entry)
{
	kept_bytes -= entry->bytes;
	pfree(entry->node);
	kept_delete(kept, entry->key);
}

/* Give up what has not been used for longest until so many bytes fit. */
static void
make_room(Size bytes)
{
	while (kept_bytes > 0 && kept_bytes + bytes > (Size) work_mem * 512)
	{
		kept_iterator iterator;
		KeptNode   *entry;
		KeptNode   *oldest = NULL;

		kept_start_iterate(kept, &iterator);
		while ((entry = kept_iterate(kept, &iterator)) != NULL)
		{
			if (oldest == NULL || entry->last_used < oldest->last_used)
				oldest = entry;
		}
		forget(oldest);
	}
}

static int
compare_floats(const void *a, const void *b)
{
	float		x = *(const float *) a;
	float		y = *(const float *) b;

	return x < y ? -1 : x > y;
}

/* One chunk of memory with what is read of a node. */
static KtreeInner *
copy_of_image(const KtreeImage *image, Size *bytes)
{
	const KtreeLayout *layout = image->layout;
	int			used = image->node.used;
	Size		blocks = (Size) ((used + RABITQ_BLOCK - 1) / RABITQ_BLOCK) *
						 layout->block_bytes;
	Size		refine = (Size) used * layout->refine_bytes;
	Size		floats = sizeof(float) * layout->padded;
	float		sorted[KTREE_MAX_CAPACITY];
	KtreeInner *inner;
	float	   *radius;
	uint8	   *at;

	*bytes = sizeof(KtreeInner) + CACHE_LINE + blocks + 2 * floats +
			 sizeof(float) * used + refine;
	inner = MemoryContextAllocHuge(kept_context, *bytes);
	inner->node = image->node;
	at = (uint8 *) TYPEALIGN(CACHE_LINE, inner + 1);
	inner->blocks = memcpy(at, image->blocks, blocks);
	at += blocks;
	inner->center = memcpy(at, image->center, floats);
	at += floats;
	inner->base = memcpy(at, image->base, floats);
	at += floats;
	inner->radius = radius = (float *) at;
	at += sizeof(float) * used;
	inner->refine = memcpy(at, image->refine, refine);
	for (int slot = 0; slot < used; slot++)
	{
		RabitqFactors factors;
		float		error;

		memcpy(&factors, ktree_image_refine(image, slot), sizeof(factors));
		ktree_unpack_radius(factors.error, &error, &radius[slot]);
		sorted[slot] = radius[slot];
	}
	qsort(sorted, used, sizeof(float), compare_floats);
	inner->usual_radius = used > 0 ? sorted[used / 2] : 0;
	inner->leaf_radius = image->node.level == 1 ? inner->usual_radius : 0;
	return inner;
}

/* The copy of a node as it was opened last, or NULL. */
const KtreeInner *
ktree_inner_kept(const KtreeCache *cache, KtreeLink link)
{
	KeptNode   *entry = kept == NULL
							? NULL
							: kept_lookup(kept, kept_key(cache, link));

	if (entry == NULL ||
		!ktree_same_generation(entry->node->node.mark.generation,
							   link.generation))
		return NULL;
	return entry->node;
}

/* Remember the usual radius of the leaves below a node. */
void
ktree_inner_learn(const KtreeCache *cache, KtreeLink link, float leaf_radius)
{
	KeptNode   *entry = kept_lookup(kept, kept_key(cache, link));

	if (entry != NULL)
		entry->node->leaf_radius = leaf_radius;
}

/*
 * A copy of a node whose header was just read.  Good until the next call;
 * NULL when the extent was reused meanwhile.
 */
const KtreeInner *
ktree_inner_open(Relation index, const KtreeCache *cache, KtreeLink link,
				 const KtreeNode *header)
{
	KeptNode   *entry;
	KtreeImage *image;
	KtreeInner *inner = NULL;
	Size		bytes;
	bool		found;

	if (kept == NULL)
	{
		kept_context = AllocSetContextCreate(TopMemoryContext, "ktree inner nodes",
											 ALLOCSET_DEFAULT_SIZES);
		kept = kept_create(kept_context, 64, NULL);
	}
	entry = kept_lookup(kept, kept_key(cache, link));
	if (entry != NULL)
	{
		if (entry->node->node.mark.generation == header->mark.generation &&
			entry->node->node.used == header->used)
		{
			entry->last_used = ++uses;
			return entry->node;
		}
		forget(entry);
	}

	image = ktree_image_create(&cache->layout);
	if (ktree_image_read(index, link, image) &&
		image->node.mark.generation == header->mark.generation &&
		image->node.used >= header->used)
	{
		inner = copy_of_image(image, &bytes);
		make_room(bytes);
		entry = kept_insert(kept, kept_key(cache, link), &found);
		Assert(!found);
		entry->node = inner;
		entry->bytes = bytes;
		entry->last_used = ++uses;
		kept_bytes += bytes;
	}
	ktree_image_free(image);
	return inner;
}
