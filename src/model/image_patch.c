/*-------------------------------------------------------------------------
 *
 * image_patch.c
 *	  An image made of an older one and of the pages changed since.
 *
 * Packing a model for every change of a few rows would cost a training that
 * follows its corpus far more than the change.  An image knows the pages that
 * it was made of, and the server's log tells which have changed: only their
 * rows are read, and a copy of the older image takes them in.  Whatever does
 * not fit is left to a full build, and so is every error.  README says why the
 * result is exactly what a full build would give.
 *
 *-------------------------------------------------------------------------
 */
#include "model/model_private.h"

#include <sys/mman.h>

#include "access/transam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/proc.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/*
 * Larger images would be copied into the memory of every session that uses
 * the model, where a full build makes one file for all.
 */
#define PATCH_MAX_BYTES		(64 * 1024 * 1024)

/* pages read at most: of a small table, and the share of a large one */
#define PATCH_MIN_PAGES		64
#define PATCH_SHARE			8

/* The beginning of the section that follows those of the method */
typedef struct PagesSection
{
	uint64		position;
	TransactionId xmax;
	uint32		running;
	uint32		recovery;
	BlockNumber blocks;
	uint64		id_count;
} PagesSection;

StaticAssertDecl(sizeof(PagesSection) == 32, "image layout");
StaticAssertDecl(sizeof(PageRows) == 16, "image layout");

struct ImagePatch
{
	Image	   *image;
	const ModelDescription *description;
};

/* ---------- what an image knows of its pages ---------- */

bool
image_can_note_pages(Relation table, Snapshot snapshot)
{
	return snapshot->snapshot_type == SNAPSHOT_MVCC &&
		!snapshot->suboverflowed && RelationNeedsWAL(table);
}

/* Transactions that run, for a snapshot, below its xmax: our own is one */
static uint32
running_transactions(Snapshot snapshot)
{
	TransactionId own = GetTopTransactionIdIfAny();

	if (snapshot->takenDuringRecovery)
		return snapshot->subxcnt;	/* all are there */
	return snapshot->xcnt + (TransactionIdIsValid(own) &&
							 TransactionIdPrecedes(own, snapshot->xmax));
}

void
image_note_snapshot(ImagePages *pages, Snapshot snapshot, XLogRecPtr position)
{
	pages->noted = true;
	pages->position = position;
	pages->xmax = snapshot->xmax;
	pages->running = running_transactions(snapshot);
	pages->recovery = snapshot->takenDuringRecovery;
	pages->command = snapshot->curcid;
	pages->own = GetTopTransactionIdIfAny();
	pages->transaction = my_local_transaction_id();
	pages->rollbacks = model_rollbacks();
}

void
image_append_pages(ImageBuilder *builder, const ImagePages *pages)
{
	PagesSection section = {0};

	section.position = pages->position;
	section.xmax = pages->xmax;
	section.running = pages->running;
	section.recovery = pages->recovery;
	section.blocks = pages->blocks;
	section.id_count = pages->id_count;
	image_append(builder, &section, sizeof(section));
	image_append(builder, pages->rows, sizeof(PageRows) * pages->blocks);
	image_append(builder, pages->ids, sizeof(int32) * pages->id_count);
}

/*
 * What the image knows of its pages, or NULL.  That of a file is read where
 * it is mapped; a file holds nothing of the transaction that made it.
 */
static ImagePages *
image_pages(Image *image)
{
	const ImageHeader *header = (const ImageHeader *) image->base;
	int			section = header->section_count - 1;
	uint64		bytes = header->section_bytes[section];
	const PagesSection *start;
	ImagePages *pages;

	if (image->pages != NULL)
		return image->pages;
	if (bytes < sizeof(PagesSection))
		return NULL;
	start = (const PagesSection *) (image->base +
									header->section_start[section]);
	if (start->id_count > bytes || bytes != sizeof(PagesSection) +
		sizeof(PageRows) * start->blocks + sizeof(int32) * start->id_count)
		return NULL;
	pages = MemoryContextAllocZero(image->context, sizeof(ImagePages));
	pages->noted = true;
	pages->position = start->position;
	pages->xmax = start->xmax;
	pages->running = start->running;
	pages->recovery = start->recovery;
	pages->blocks = start->blocks;
	pages->id_count = start->id_count;
	pages->rows = (PageRows *) (start + 1);
	pages->ids = (int32 *) (pages->rows + pages->blocks);
	image->pages = pages;
	return pages;
}

void
image_keep_pages(Image *image, const ImagePages *pages)
{
	ImagePages *kept = image_pages(image);

	/* the section does not say whose it is: it may be a file's */
	if (kept == NULL || pages == NULL)
		return;
	kept->command = pages->command;
	kept->own = pages->own;
	kept->transaction = pages->transaction;
	kept->rollbacks = pages->rollbacks;
}

/* ---------- bases ---------- */

/*
 * Whether every transaction that had ended for the older snapshot has ended
 * for this one, and each of our own commands before the older one is before
 * this one.
 */
static bool
is_later(const ImagePages *pages, Snapshot snapshot)
{
	if (pages->recovery != snapshot->takenDuringRecovery ||
		TransactionIdPrecedes(snapshot->xmax, pages->xmax) ||
		(snapshot->xmax == pages->xmax &&
		 running_transactions(snapshot) > pages->running))
		return false;
	if (pages->transaction == my_local_transaction_id())
		return snapshot->curcid >= pages->command &&
			pages->rollbacks == model_rollbacks();
	return !TransactionIdIsValid(pages->own) ||
		!XidInMVCCSnapshot(pages->own, snapshot);
}

static bool
is_of_same_table(const Image *image, const ModelVersion *version)
{
	return image->version.table == version->table &&
		image->version.file_number == version->file_number &&
		image->version.description_hash == version->description_hash;
}

bool
image_is_base(Image *image, const ModelVersion *version, Snapshot snapshot)
{
	ImagePages *pages;

	if (image->serial == 0 || image->base == NULL ||
		!is_of_same_table(image, version))
		return false;
	pages = image_pages(image);
	return pages != NULL && is_later(pages, snapshot);
}

/* ---------- changed pages ---------- */

typedef struct ChangedPages
{
	XLogRecPtr	position;
	BlockNumber blocks;			/* of the table */
	BlockNumber *list;
	BlockNumber count;
	BlockNumber most;
} ChangedPages;

static bool
add_page(ChangedPages *changed, BlockNumber block)
{
	if (changed->count == changed->most)
		return false;
	changed->list[changed->count++] = block;
	return true;
}

static bool
page_is_newer(Relation table, BlockNumber block, XLogRecPtr position)
{
	Buffer		buffer = ReadBuffer(table, block);
	XLogRecPtr	changed = BufferGetLSNAtomic(buffer);

	ReleaseBuffer(buffer);
	return changed > position || XLogRecPtrIsInvalid(changed);
}

/* False: so many that a full build is no more work */
static bool
find_changed_pages(ChangedPages *changed, Relation table,
				   const ImagePages *pages)
{
	changed->position = model_log_position();
	changed->blocks = RelationGetNumberOfBlocks(table);
	changed->count = 0;
	changed->most = Max(PATCH_MIN_PAGES, changed->blocks / PATCH_SHARE);
	if (changed->blocks < pages->blocks)
		return false;
	changed->list = palloc_extended(sizeof(BlockNumber) * changed->most,
									MCXT_ALLOC_HUGE);
	for (BlockNumber block = 0; block < changed->blocks; block++)
	{
		CHECK_FOR_INTERRUPTS();
		if ((block >= pages->blocks || pages->rows[block].open ||
			 page_is_newer(table, block, pages->position)) &&
			!add_page(changed, block))
			return false;
	}
	return true;
}

static int
compare_ids(const void *a, const void *b)
{
	int32		x = *(const int32 *) a;
	int32		y = *(const int32 *) b;

	return x < y ? -1 : x > y;
}

/* The ids above 0 that the changed pages gave to the older image, in order */
static int32 *
former_ids(const ChangedPages *changed, const ImagePages *pages,
		   uint64 *count)
{
	uint64		most = 0;
	int32	   *ids;

	*count = 0;
	for (BlockNumber i = 0; i < changed->count; i++)
		if (changed->list[i] < pages->blocks)
			most += pages->rows[changed->list[i]].count;
	ids = palloc_extended(sizeof(int32) * Max(most, 1), MCXT_ALLOC_HUGE);
	for (BlockNumber i = 0; i < changed->count; i++)
	{
		const PageRows *rows = &pages->rows[changed->list[i]];

		if (changed->list[i] >= pages->blocks)
			continue;
		for (uint32 n = 0; n < rows->count; n++)
			if (pages->ids[rows->first + n] > 0)
				ids[(*count)++] = pages->ids[rows->first + n];
	}
	qsort(ids, *count, sizeof(int32), compare_ids);
	return ids;
}

/*
 * Whether each row that the changed pages gave to the older image is still
 * on one of them.  "now" comes in no order.
 */
static bool
nothing_removed(const ChangedPages *changed, const ImagePages *pages,
				const ImagePages *now)
{
	uint64		count;
	int32	   *former = former_ids(changed, pages, &count);
	int32	   *present = palloc_extended(
			 sizeof(int32) * Max(now->id_count, 1), MCXT_ALLOC_HUGE);
	uint64		at = 0;

	memcpy(present, now->ids, sizeof(int32) * now->id_count);
	qsort(present, now->id_count, sizeof(int32), compare_ids);
	for (uint64 i = 0; i < count; i++)
	{
		while (at < now->id_count && present[at] < former[i])
			at++;
		if (at == now->id_count || present[at] != former[i])
			return false;
	}
	return true;
}

/* Read the rows of the changed pages once, for their ids. */
static void
read_changed_pages(ModelReader *reader)
{
	Datum		values[MODEL_MAX_COLUMNS];
	bool		nulls[MODEL_MAX_COLUMNS];

	while (model_reader_next(reader, values, nulls))
		 /* the reader notes them */ ;
}

/* ---------- the copy ---------- */

/* Room behind a section for what is appended */
static Size
section_room(Size bytes)
{
	return TYPEALIGN(IMAGE_ALIGNMENT, bytes + bytes / 8 + 4096);
}

/* A copy of an image in memory of our own, each section with room */
static void
copy_image(Image *image, const Image *base)
{
	const ImageHeader *from = (const ImageHeader *) base->base;
	ImageHeader header = *from;
	int			sections = from->section_count - 1;
	Size		position = TYPEALIGN(IMAGE_ALIGNMENT, sizeof(ImageHeader));
	void	   *map;

	for (int i = 0; i < sections; i++)
	{
		header.section_start[i] = position;
		position += section_room(header.section_bytes[i]);
	}
	header.section_start[sections] = position;
	header.section_bytes[sections] = 0;
	map = mmap(NULL, position, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("The packed form of an embedding model needs %zu bytes.",
						   position)));
	image->base = map;
	image->bytes = position;
	for (int i = 0; i < sections; i++)
		memcpy(image->base + header.section_start[i],
			   base->base + from->section_start[i], from->section_bytes[i]);
	memcpy(image->base, &header, sizeof(header));
}

/* Pages that may be changed, in a context of their own below that one */
static ImagePages *
copy_pages(const ImagePages *pages, MemoryContext parent)
{
	MemoryContext context = AllocSetContextCreate(parent,
												  "embed pages of an image",
												  ALLOCSET_SMALL_SIZES);
	ImagePages *copy = MemoryContextAlloc(context, sizeof(ImagePages));

	*copy = *pages;
	copy->context = context;
	copy->id_capacity = Max(copy->id_count, 1);
	copy->rows = MemoryContextAllocHuge(context, sizeof(PageRows) *
										Max(copy->blocks, 1));
	copy->ids = MemoryContextAllocHuge(context,
									   sizeof(int32) * copy->id_capacity);
	if (copy->blocks > 0)
		memcpy(copy->rows, pages->rows, sizeof(PageRows) * copy->blocks);
	if (copy->id_count > 0)
		memcpy(copy->ids, pages->ids, sizeof(int32) * copy->id_count);
	return copy;
}

/*
 * Take the place of an image that nobody uses, which has been taken from the
 * list: its map, changed, becomes ours.
 */
static void
take_over(Image *image, Image *base)
{
	image->base = base->base;
	image->bytes = base->bytes;
	image->pages = base->pages;
	base->base = NULL;
	MemoryContextSetParent(image->pages->context, image->context);
	MemoryContextDelete(base->context);
	if (mprotect(image->base, image->bytes, PROT_READ | PROT_WRITE) != 0)
		elog(ERROR, "could not change the protection of an image: %m");
}

/* Throw away the ids that no page names any more. */
static void
compact_ids(ImagePages *pages)
{
	uint64		live = 0;
	int32	   *ids;

	for (BlockNumber block = 0; block < pages->blocks; block++)
		live += pages->rows[block].count;
	if (pages->id_count < 2 * live + 65536)
		return;
	ids = MemoryContextAllocHuge(pages->context,
								 sizeof(int32) * Max(live, 1));
	live = 0;
	for (BlockNumber block = 0; block < pages->blocks; block++)
	{
		PageRows   *rows = &pages->rows[block];

		memcpy(ids + live, pages->ids + rows->first,
			   sizeof(int32) * rows->count);
		rows->first = live;
		live += rows->count;
	}
	pfree(pages->ids);
	pages->ids = ids;
	pages->id_count = live;
	pages->id_capacity = Max(live, 1);
}

/* The pages of the new image: those of the older, and what was read anew. */
static void
update_pages(ImagePages *pages, const ChangedPages *changed,
			 const ImagePages *now, Snapshot snapshot)
{
	image_note_snapshot(pages, snapshot, changed->position);
	if (changed->blocks > pages->blocks)
	{
		pages->rows = repalloc_huge(pages->rows,
									sizeof(PageRows) * changed->blocks);
		memset(pages->rows + pages->blocks, 0,
			   sizeof(PageRows) * (changed->blocks - pages->blocks));
		pages->blocks = changed->blocks;
	}
	if (pages->id_count + now->id_count > pages->id_capacity)
	{
		pages->id_capacity = pages->id_count + now->id_count + 65536;
		pages->ids = repalloc_huge(pages->ids,
								   sizeof(int32) * pages->id_capacity);
	}
	memcpy(pages->ids + pages->id_count, now->ids,
		   sizeof(int32) * now->id_count);
	for (BlockNumber i = 0; i < changed->count; i++)
	{
		PageRows   *rows = &pages->rows[changed->list[i]];

		*rows = now->rows[i];
		rows->first += pages->id_count;
	}
	pages->id_count += now->id_count;
	compact_ids(pages);
}

/* ---------- what a method calls ---------- */

void *
image_patch_section(ImagePatch *patch, int section, Size *bytes)
{
	ImageHeader *header = (ImageHeader *) patch->image->base;

	Assert(section >= 0 && section < header->section_count - 1);
	if (bytes != NULL)
		*bytes = header->section_bytes[section];
	return patch->image->base + header->section_start[section];
}

bool
image_patch_append(ImagePatch *patch, int section, const void *data,
				   Size bytes)
{
	ImageHeader *header = (ImageHeader *) patch->image->base;
	Size		used = header->section_bytes[section];

	if (bytes > header->section_start[section + 1] -
		header->section_start[section] - used)
		return false;
	memcpy(patch->image->base + header->section_start[section] + used, data,
		   bytes);
	header->section_bytes[section] += bytes;
	return true;
}

/* ---------- patching ---------- */

static bool
patch_copy(Image *image, ModelReader *reader)
{
	ImagePatch	patch = {image, image->description};
	ImageHeader *header = (ImageHeader *) image->base;

	if (!image->description->method->patch_image(&patch, reader))
		return false;
	header->version = image->version;
	header->bytes = image->bytes;
	image_header_seal(header);
	(void) mprotect(image->base, image->bytes, PROT_READ);
	return true;
}

/*
 * Make the image of an older one.  False: it must be built, and the image is
 * as it was.  An older image that nobody uses may be used up.
 */
bool
image_patch(Image *image, Image *base, Relation table, Snapshot snapshot,
			const AttrNumber *attributes)
{
	const ImagePages *pages = image_pages(base);
	ChangedPages changed;
	ModelReader *ids;
	ModelReader *rows;
	bool		done = false;

	if (base->bytes > PATCH_MAX_BYTES ||
		!find_changed_pages(&changed, table, pages))
		return false;
	ids = model_reader_create_for_blocks(table, snapshot, image->description,
										 attributes, changed.list,
										 changed.count);
	read_changed_pages(ids);
	if (nothing_removed(&changed, pages, model_reader_pages(ids)))
	{
		if (base->references == 0 && image_take(base))
			take_over(image, base);
		else
		{
			copy_image(image, base);
			image->pages = copy_pages(pages, image->context);
		}
		rows = model_reader_create_for_blocks(table, snapshot,
											  image->description, attributes,
											  changed.list, changed.count);
		done = patch_copy(image, rows);
		image->stable = model_reader_later_command(ids);
		model_reader_free(rows);
		if (done)
		{
			ereport(DEBUG1,
					(errmsg_internal("packed embedding model \"%s\" anew from %u of %u pages",
									 RelationGetRelationName(table),
									 changed.count, changed.blocks)));
			update_pages(image->pages, &changed, model_reader_pages(ids),
						 snapshot);
		}
		else
		{
			MemoryContextDelete(image->pages->context);
			image_unmap(image);
		}
	}
	model_reader_free(ids);
	return done;
}
