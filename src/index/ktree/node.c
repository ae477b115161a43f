/*-------------------------------------------------------------------------
 *
 * node.c
 *	  Nodes between pages and memory.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <float.h>
#include <math.h>

#include "access/transam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "utils/rel.h"

#include "index/ktree/ktree.h"
#include "math/distance.h"

/*
 * Of squared distances: a node has outliers if its farthest vector is so much
 * farther from the mean than the median, and these are beyond so much.
 */
#define FAR_MEAN		9.0f
#define FAR_ROW			16.0f

/*
 * A node is far if the steps of an eight-bit center move it by more than this
 * part of the radius, or if it lies so many radii from the origin: there a
 * query's table, relative to the origin, errs by a third of a one-bit code's
 * own error.
 */
#define FAR_ROUNDING	0.25
#define FAR_DISTANCE	32.0

/*
 * Read and lock page "part" of a node.
 *
 * The page may have been reused since the pointer to it was read: on a
 * standby nothing holds it back, and on a primary we do not either.  The
 * generation tells; the caller starts again from the root.
 */
Buffer
ktree_lock_part(Relation index, KtreeLink link, int part, int mode)
{
	Buffer		buffer = index_read_buffer(index, link.block + part);
	Page		page;
	const KtreeMark *mark;

	LockBuffer(buffer, mode);
	page = BufferGetPage(buffer);
	last_index_scan.pages++;

	/*
	 * A page is logged, and written, before a pointer to it is: one of zeros,
	 * or of another place, is damage and no reason to start again.
	 */
	mark = KtreePageMark(page, part);
	if (mark->place != ktree_mark_place(link.block) || mark->part != part)
	{
		ktree_check_page(index, buffer, KTREE_PAGE_NODE);
		ereport(
			ERROR,
			(errcode(ERRCODE_INDEX_CORRUPTED),
			 errmsg(
				 "index \"%s\" has part %u of the node at block %u where part %d of the node at block %u belongs",
				 RelationGetRelationName(index), KtreePageSpecial(page)->part,
				 KtreePageSpecial(page)->first, part, link.block),
			 errhint("Please REINDEX it.")));
	}
	if (!ktree_same_generation(mark->generation, link.generation))
	{
		UnlockReleaseBuffer(buffer);
		return InvalidBuffer;
	}
	return buffer;
}

KtreeImage *
ktree_image_create(const KtreeLayout *layout)
{
	KtreeImage *image = palloc0(sizeof(KtreeImage));

	image->layout = layout;
	image->center = palloc(sizeof(float) * layout->padded);
	image->base = palloc(sizeof(float) * layout->padded);
	image->shifted = palloc0(sizeof(float) * 3 * layout->padded);
	image->center_codes = palloc(layout->padded);
	image->base_codes = palloc(layout->padded);
	image->blocks = palloc0(layout->capacity / RABITQ_BLOCK *
							layout->block_bytes);
	image->refine = palloc0((Size) layout->capacity * layout->refine_bytes);
	return image;
}

void
ktree_image_free(KtreeImage *image)
{
	pfree(image->center);
	pfree(image->base);
	pfree(image->shifted);
	pfree(image->center_codes);
	pfree(image->base_codes);
	pfree(image->blocks);
	pfree(image->refine);
	pfree(image);
}

static int
compare_floats(const void *a, const void *b)
{
	float		x = *(const float *) a;
	float		y = *(const float *) b;

	return x < y ? -1 : x > y;
}

static float
median_of(const float *values, int count, float *scratch)
{
	memcpy(scratch, values, sizeof(float) * count);
	qsort(scratch, count, sizeof(float), compare_floats);
	return scratch[count / 2];
}

/* Mean of the vectors whose squared distance is at most "most". */
static void
mean_within(const float *vectors, const int32 *which, int count, int dims,
			const float *squares, float most, float *center)
{
	int			taken = 0;

	for (int i = 0; i < count; i++)
		taken += squares[i] <= most;
	memset(center, 0, sizeof(float) * dims);
	for (int i = 0; i < count; i++)
	{
		const float *v = vectors +
						 (Size) (which == NULL ? i : which[i]) * dims;

		if (squares[i] > most)
			continue;
		for (int d = 0; d < dims; d++)
			center[d] += v[d] / taken;
	}
}

static float
measure_squares(const float *vectors, const int32 *which, int count, int dims,
				const float *center, float *squares)
{
	float		most = 0;

	for (int i = 0; i < count; i++)
	{
		const float *v = vectors +
						 (Size) (which == NULL ? i : which[i]) * dims;

		squares[i] = vector_l2_squared_kernel(dims, v, center);
		most = Max(most, squares[i]);
	}
	return most;
}

/*
 * The mean of vectors, or, where some lie far from most, of the others.
 * Returns the radius: root mean square distance of those; for an inner
 * node's children the largest distance, if that is far beyond it.
 *
 * A mean is moved by one outlier out of its cluster; all codes of the node
 * are then as coarse as that is far.
 *
 * which: the vectors' numbers, or NULL
 */
float
ktree_robust_center(const float *vectors, const int32 *which, int count,
					int dims, bool children, float *center)
{
	float	   *squares = palloc(sizeof(float) * 2 * Max(count, 1));
	float	   *scratch = squares + count;
	float		most = 0;
	float		within = FLT_MAX;
	double		sum = 0;
	int			taken = 0;
	float		radius;

	memset(squares, 0, sizeof(float) * count);
	mean_within(vectors, which, count, dims, squares, 0, center);
	most = measure_squares(vectors, which, count, dims, center, squares);
	if (count > 2 && most > FAR_MEAN * median_of(squares, count, scratch))
	{
		/* scratch is sorted */
		mean_within(vectors, which, count, dims, squares,
					scratch[count * 3 / 4], center);
		for (int turn = 0; turn < 5; turn++)
		{
			float		before = within;

			most = measure_squares(vectors, which, count, dims, center,
								   squares);
			within = FAR_ROW * median_of(squares, count, scratch);
			if (turn > 0 && within == before)
				break;
			mean_within(vectors, which, count, dims, squares, within, center);
		}
		most = measure_squares(vectors, which, count, dims, center, squares);
		within = FAR_ROW * median_of(squares, count, scratch);
	}
	for (int i = 0; i < count; i++)
	{
		if (squares[i] > within)
			continue;
		sum += squares[i];
		taken++;
	}
	radius = taken > 0 ? (float) sqrt(sum / taken) : 0;
	pfree(squares);
	if (children && sqrtf(most) > 3 * radius)
		radius = sqrtf(most);
	return radius;
}

/*
 * Would the codes of a node be blurred by its center, or by the global frame?
 */
static bool
is_far(const KtreeCache *cache, const KtreeImage *image, const float *center,
	   float radius)
{
	int			dims = cache->layout.padded;
	double		length = 0;
	double		rounding = 0;

	for (int d = 0; d < dims; d++)
	{
		length += (double) center[d] * center[d];
		rounding += ((double) center[d] - image->center[d]) *
					(center[d] - image->center[d]);
	}
	if (sqrt(rounding) > radius * FAR_ROUNDING)
		return true;
	return cache->kind.metric != KTREE_INNER &&
		   sqrt(length) > FAR_DISTANCE * radius;
}

/*
 * Start an empty node.  Center and base become what is stored of them.
 *
 * radius: of the vectors that it is to hold; negative: not known yet
 */
void
ktree_image_begin(KtreeImage *image, const KtreeCache *cache, int level,
				  const float *center, const float *base, float radius)
{
	const KtreeLayout *layout = image->layout;
	KtreeNode  *node = &image->node;

	memset(node, 0, sizeof(*node));
	memset(image->blocks, 0,
		   layout->capacity / RABITQ_BLOCK * layout->block_bytes);
	node->level = (uint16) level;
	node->state = KTREE_LIVE;
	node->forward[0].block = node->forward[1].block = InvalidBlockNumber;
	node->next_free = InvalidBlockNumber;
	node->spread = image->reach = Max(radius, 0);
	node->pivot = 1;

	rabitq_center_quantize(layout->padded, center, image->center_codes,
						   &node->center_minimum, &node->center_step);
	rabitq_center_decode(layout->padded, image->center_codes,
						 node->center_minimum, node->center_step,
						 image->center);
	if (radius >= 0 && is_far(cache, image, center, radius))
	{
		node->flags |= KTREE_FAR;
		if (cache->kind.metric != KTREE_INNER)
			node->pivot = 0;
		memcpy(image->center, center, sizeof(float) * layout->padded);
		base = NULL;
	}
	if (cache->kind.metric == KTREE_INNER)
	{
		double		length = 0;

		for (int d = 0; d < layout->padded; d++)
			length += (double) image->center[d] * image->center[d];
		node->pivot = length > 0 ? (float) Min(1, cache->scale / sqrt(length))
								 : 1;
	}
	if (base == NULL)
	{
		node->flags |= KTREE_BASE_IS_CENTER;
		memcpy(image->base_codes, image->center_codes, layout->padded);
		node->base_minimum = node->center_minimum;
		node->base_step = node->center_step;
		memcpy(image->base, image->center, sizeof(float) * layout->padded);
		return;
	}
	rabitq_center_quantize(layout->padded, base, image->base_codes,
						   &node->base_minimum, &node->base_step);
	rabitq_center_decode(layout->padded, image->base_codes, node->base_minimum,
						 node->base_step, image->base);
}

/*
 * What a new node's parent is told as its radius, from its vectors.
 *
 * The radius leaves outliers out.  But the nearest rows by inner product are
 * long ones, and may be the outliers of their leaf: so it reaches as far as
 * its farthest row, and an inner node as far as its children.
 *
 * radius: of an inner node's children
 */
void
ktree_set_reach(KtreeImage *image, const KtreeCache *cache,
				const float *vectors, const int32 *which, int count,
				const float *radius)
{
	int			dims = image->layout->padded;
	float		farthest = 0;

	if (cache->kind.metric != KTREE_INNER)
		return;
	for (int i = 0; i < count; i++)
	{
		int32		n = which[i];

		if (image->node.level > 0)
			farthest = Max(farthest, radius[n]);
		else
			farthest = Max(farthest, sqrtf(vector_l2_squared_kernel(
				dims, vectors + (Size) n * dims, image->center)));
	}
	if (image->node.level > 0 ||
		farthest > KTREE_FAR_REACH * image->node.spread)
		image->reach = Max(image->reach, farthest);
}

/*
 * Codes relative to a center "c" with products relative to "pivot" times
 * c are plain codes of another vector and another center: their difference
 * is the same.
 */
static void
shift(const KtreeImage *image, const float *vector, const float *center,
	  const float **shifted, const float **pivot)
{
	int			dims = image->layout->padded;
	float		rest = 1 - image->node.pivot;

	*shifted = vector;
	*pivot = center;
	if (rest <= 0)
		return;
	*shifted = image->shifted;
	*pivot = image->shifted + dims;
	for (int d = 0; d < dims; d++)
	{
		image->shifted[dims + d] = image->node.pivot * center[d];
		image->shifted[d] = image->node.pivot == 0 ? vector[d] - center[d] :
			vector[d] - rest * center[d];
	}
}

/* Both codes of a vector for a slot of a node. */
void
ktree_encode(KtreeImage *image, const float *vector, float lost, bool inner,
			 KtreeCode *code)
{
	const KtreeLayout *layout = image->layout;
	const float *shifted;
	const float *pivot;

	shift(image, vector, image->center, &shifted, &pivot);
	rabitq_encode(layout->padded, layout->coded, shifted, pivot, lost, inner,
				  code->bits, &code->one_bit);
	shift(image, vector, image->base, &shifted, &pivot);
	rabitq_refine_encode(layout->padded, shifted, pivot, inner, code->refine,
						 &code->four_bit);
}

static void
put_block_slot(const KtreeLayout *layout, uint8 *block, int slot,
			   const KtreePointer *pointer, const KtreeCode *code)
{
	float	   *factors = (float *) (block +
									 KTREE_BLOCK_FACTORS(layout->coded));
	KtreePointer *pointers = (KtreePointer *) (block + KTREE_BLOCK_POINTERS(
														   layout->coded));

	rabitq_block_put(layout->coded, block, slot, code->bits);
	factors[slot] = code->one_bit.add;
	factors[RABITQ_BLOCK + slot] = code->one_bit.scale;
	pointers[slot] = *pointer;
	ktree_put_filters(layout, block, slot, &code->filters);
}

static void
put_refine_slot(const KtreeLayout *layout, uint8 *entry, const KtreeCode *code)
{
	memcpy(entry, &code->four_bit, sizeof(RabitqFactors));
	memcpy(entry + sizeof(RabitqFactors), code->refine,
		   RABITQ_REFINE_BYTES(layout->padded));
}

/* Append a slot to a node in memory; returns its number. */
int
ktree_image_add(KtreeImage *image, const KtreePointer *pointer,
				const KtreeCode *code)
{
	const KtreeLayout *layout = image->layout;
	int			slot = image->node.used;

	Assert(slot < layout->capacity);
	put_block_slot(layout,
				   image->blocks + slot / RABITQ_BLOCK * layout->block_bytes,
				   slot % RABITQ_BLOCK, pointer, code);
	put_refine_slot(layout, ktree_image_refine(image, slot), code);
	image->node.used++;
	image->node.live++;
	return slot;
}

/* Raise pd_lower over [.., end): what lies above it is not logged. */
static void
cover(Page page, int end)
{
	PageHeader	header = (PageHeader) page;

	if (header->pd_lower < end)
		header->pd_lower = (LocationIndex) end;
}

/*
 * Append a slot to a node on its pages; the first page's "used" is the
 * caller's.
 */
void
ktree_put_slot(const KtreeLayout *layout, Page block_page, Page refine_page,
			   int slot, const KtreePointer *pointer, const KtreeCode *code)
{
	int			part;
	int			offset;

	ktree_block_position(layout, slot / RABITQ_BLOCK, &part, &offset);
	put_block_slot(layout, (uint8 *) block_page + offset, slot % RABITQ_BLOCK,
				   pointer, code);
	cover(block_page, offset + layout->block_bytes);

	ktree_refine_position(layout, slot, &part, &offset);
	put_refine_slot(layout, (uint8 *) refine_page + offset, code);
	cover(refine_page, offset + layout->refine_bytes);
}

KtreePointer *
ktree_image_pointer(const KtreeImage *image, int slot)
{
	const KtreeLayout *layout = image->layout;
	uint8	   *block = image->blocks +
						slot / RABITQ_BLOCK * layout->block_bytes;

	return (KtreePointer *) (block + KTREE_BLOCK_POINTERS(layout->coded)) +
		   slot % RABITQ_BLOCK;
}

uint8 *
ktree_image_refine(const KtreeImage *image, int slot)
{
	return image->refine + (Size) slot * image->layout->refine_bytes;
}

/* The vector of a slot, as well as its four-bit code knows it. */
float
ktree_image_decode(const KtreeImage *image, int slot, float *vector)
{
	const uint8 *entry = ktree_image_refine(image, slot);
	RabitqFactors factors;

	memcpy(&factors, entry, sizeof(factors));
	if (image->node.level > 0)
	{
		float		radius;

		ktree_unpack_radius(factors.error, &factors.error, &radius);
	}
	return rabitq_refine_decode(image->layout->padded, entry + sizeof(factors),
								&factors, image->base, vector);
}

/* Where the floats of a far node's center are: a piece of so many bytes. */
#define FAR_PIECE(layout) (sizeof(float) * (layout)->padded / KTREE_FAR_SLOTS)

static float *
far_piece(const KtreeLayout *layout, int piece, float *center)
{
	return center + piece * (layout->padded / KTREE_FAR_SLOTS);
}

static void
far_position(const KtreeLayout *layout, int piece, int *part, int *offset)
{
	ktree_refine_position(layout, layout->capacity - KTREE_FAR_SLOTS + piece,
						  part, offset);
}

/* The center of a far node; false when its extent was reused meanwhile. */
bool
ktree_read_far_center(Relation index, const KtreeLayout *layout,
					  KtreeLink link, float *center)
{
	Buffer		buffer = InvalidBuffer;
	int			locked = -1;

	for (int piece = 0; piece < KTREE_FAR_SLOTS; piece++)
	{
		int			part;
		int			offset;

		far_position(layout, piece, &part, &offset);
		if (part != locked)
		{
			if (BufferIsValid(buffer))
				UnlockReleaseBuffer(buffer);
			buffer = ktree_lock_part(index, link, part, BUFFER_LOCK_SHARE);
			if (!BufferIsValid(buffer))
				return false;
			locked = part;
		}
		memcpy(far_piece(layout, piece, center),
			   (char *) BufferGetPage(buffer) + offset, FAR_PIECE(layout));
	}
	UnlockReleaseBuffer(buffer);
	return true;
}

/*
 * The center of a node, as it is stored; false when its extent was reused.
 *
 * codes: room for one byte a dimension
 */
bool
ktree_read_center(Relation index, const KtreeLayout *layout, KtreeLink link,
				  uint8 *codes, float *center)
{
	float		minimum = 0;
	float		step = 0;

	for (int part = 0; part < layout->refine_part; part++)
	{
		int			from;
		int			offset;
		int			bytes = ktree_center_piece(layout, part, &from, &offset);
		Buffer		buffer;

		if (bytes == 0)
			break;
		buffer = ktree_lock_part(index, link, part, BUFFER_LOCK_SHARE);
		if (!BufferIsValid(buffer))
			return false;
		if (part == 0)
		{
			const KtreeNode *node = KtreePageNode(BufferGetPage(buffer));

			if (node->flags & KTREE_FAR)
			{
				UnlockReleaseBuffer(buffer);
				return ktree_read_far_center(index, layout, link, center);
			}
			minimum = node->center_minimum;
			step = node->center_step;
		}
		memcpy(codes + from, (char *) BufferGetPage(buffer) + offset, bytes);
		UnlockReleaseBuffer(buffer);
	}
	rabitq_center_decode(layout->padded, codes, minimum, step, center);
	return true;
}

/* Fill one page of a node from memory. */
void
ktree_image_to_page(const KtreeImage *image, int part, Page page)
{
	const KtreeLayout *layout = image->layout;
	int			from;
	int			at;
	int			offset;
	int			bytes;

	ktree_page_init(page, KTREE_PAGE_NODE, image->link.generation,
					image->link.block, part);
	if (part == 0)
	{
		*KtreePageNode(page) = image->node;
		cover(page, KTREE_NODE_START);
	}
	ktree_page_mark(page, image->link.generation);
	bytes = ktree_center_piece(layout, part, &from, &offset);
	if (bytes > 0)
	{
		memcpy(page + offset, image->center_codes + from, bytes);
		cover(page, offset + bytes);
	}
	bytes = ktree_base_piece(layout, part, &from, &offset);
	if (bytes > 0)
	{
		memcpy(page + offset, image->base_codes + from, bytes);
		cover(page, offset + bytes);
	}
	for (int block = 0; block * RABITQ_BLOCK < image->node.used; block++)
	{
		ktree_block_position(layout, block, &at, &offset);
		if (at != part)
			continue;
		memcpy(page + offset, image->blocks + block * layout->block_bytes,
			   layout->block_bytes);
		cover(page, offset + layout->block_bytes);
	}
	for (int slot = 0; slot < image->node.used; slot++)
	{
		ktree_refine_position(layout, slot, &at, &offset);
		if (at != part)
			continue;
		memcpy(page + offset, ktree_image_refine(image, slot),
			   layout->refine_bytes);
		cover(page, offset + layout->refine_bytes);
	}
	for (int piece = 0;
		 piece < KTREE_FAR_SLOTS && (image->node.flags & KTREE_FAR); piece++)
	{
		far_position(layout, piece, &at, &offset);
		if (at != part)
			continue;
		memcpy(page + offset, far_piece(layout, piece, image->center),
			   FAR_PIECE(layout));
		cover(page, offset + FAR_PIECE(layout));
	}
}

/*
 * Write a complete node to the extent image->link, which nobody reads:
 * its generation is new and no pointer has it yet.
 */
void
ktree_image_write(Relation index, KtreeImage *image)
{
	int			pages = image->layout->extent_pages;

	image->node.writer = U64FromFullTransactionId(
		GetTopFullTransactionIdIfAny());
	for (int first = 0; first < pages; first += MAX_GENERIC_XLOG_PAGES)
	{
		int			count = Min(pages - first, MAX_GENERIC_XLOG_PAGES);
		Buffer		buffers[MAX_GENERIC_XLOG_PAGES];
		GenericXLogState *state = GenericXLogStart(index);

		for (int i = 0; i < count; i++)
		{
			buffers[i] = ReadBufferExtended(index, MAIN_FORKNUM,
											image->link.block + first + i,
											RBM_ZERO_AND_LOCK, NULL);
			ktree_image_to_page(
				image, first + i,
				GenericXLogRegisterBuffer(state, buffers[i],
										  GENERIC_XLOG_FULL_IMAGE));
		}
		GenericXLogFinish(state);
		for (int i = 0; i < count; i++)
			UnlockReleaseBuffer(buffers[i]);
	}
}

static void
page_to_image(KtreeImage *image, int part, Page page, bool centers_only)
{
	const KtreeLayout *layout = image->layout;
	int			from;
	int			at;
	int			offset;
	int			bytes;

	if (part == 0)
		image->node = *KtreePageNode(page);
	bytes = ktree_center_piece(layout, part, &from, &offset);
	if (bytes > 0)
		memcpy(image->center_codes + from, page + offset, bytes);
	bytes = ktree_base_piece(layout, part, &from, &offset);
	if (bytes > 0)
		memcpy(image->base_codes + from, page + offset, bytes);
	if (centers_only)
		return;
	for (int block = 0; block * RABITQ_BLOCK < image->node.used; block++)
	{
		ktree_block_position(layout, block, &at, &offset);
		if (at == part)
			memcpy(image->blocks + block * layout->block_bytes, page + offset,
				   layout->block_bytes);
	}
	for (int slot = 0; slot < image->node.used; slot++)
	{
		ktree_refine_position(layout, slot, &at, &offset);
		if (at == part)
			memcpy(ktree_image_refine(image, slot), page + offset,
				   layout->refine_bytes);
	}
}

/* No damaged number of slots may lead anybody beyond a node's pages. */
void
ktree_check_slots(Relation index, const KtreeLayout *layout,
				  const KtreeNode *node, BlockNumber block)
{
	if (node->used > ktree_capacity(layout, node))
		ereport(ERROR,
				(errcode(ERRCODE_INDEX_CORRUPTED),
				 errmsg("index \"%s\" has a node of %u slots at block %u",
						RelationGetRelationName(index), node->used, block),
				 errhint("Please REINDEX it.")));
}

static bool
image_read(Relation index, KtreeLink link, KtreeImage *image,
		   bool centers_only)
{
	const KtreeLayout *layout = image->layout;
	KtreeNode  *node = &image->node;

	image->link = link;
	for (int part = 0; part < layout->extent_pages; part++)
	{
		Buffer		buffer;
		int			from;
		int			offset;

		if (centers_only &&
			ktree_center_piece(layout, part, &from, &offset) == 0 &&
			(ktree_base_piece(layout, part, &from, &offset) == 0 ||
			 (node->flags & KTREE_BASE_IS_CENTER)))
			continue;
		buffer = ktree_lock_part(index, link, part, BUFFER_LOCK_SHARE);
		if (!BufferIsValid(buffer))
			return false;
		page_to_image(image, part, BufferGetPage(buffer), centers_only);
		UnlockReleaseBuffer(buffer);
		ktree_check_slots(index, layout, node, link.block);
	}
	if (node->flags & KTREE_FAR)
	{
		if (!ktree_read_far_center(index, layout, link, image->center))
			return false;
		memcpy(image->base, image->center, sizeof(float) * layout->padded);
		return true;
	}
	if (node->flags & KTREE_BASE_IS_CENTER)
		memcpy(image->base_codes, image->center_codes, layout->padded);
	rabitq_center_decode(layout->padded, image->center_codes,
						 node->center_minimum, node->center_step,
						 image->center);
	rabitq_center_decode(layout->padded, image->base_codes, node->base_minimum,
						 node->base_step, image->base);
	return true;
}

/*
 * Unpack a whole node; false when its extent was reused meanwhile.
 *
 * Pages are locked one after the other: see README, "A node is append-only".
 */
bool
ktree_image_read(Relation index, KtreeLink link, KtreeImage *image)
{
	return image_read(index, link, image, false);
}

/* The same for header, center and base only. */
bool
ktree_image_read_centers(Relation index, KtreeLink link, KtreeImage *image)
{
	return image_read(index, link, image, true);
}
