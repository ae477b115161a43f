/*-------------------------------------------------------------------------
 *
 * image.c
 *	  The images that this backend has at hand, and how it gets others.
 *
 * Images are counted by the call sites that use them.  The newest of each
 * model is kept between statements; others go with their last user, and
 * what only one transaction may use goes at its end.
 *
 * A committed version is shared: the first to need it builds the file under
 * an advisory lock, which a standby may take too, and everybody else waits
 * for the lock, interruptibly, and maps the file.  The lock does not keep
 * the members of a parallel query apart, so these also exclude one another
 * by the exclusive name of the unfinished file.
 *
 *-------------------------------------------------------------------------
 */
#include "model/model_private.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/parallel.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "storage/fd.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/*
 * Fourth field of the advisory lock.  The server's own SQL functions use 1
 * and 2, so no call of pg_advisory_lock() can meet ours.
 */
#define BUILDER_LOCK_CLASS	0x656D

/* how often a member of a parallel query looks whether another is done */
#define POLL_MILLISECONDS	5

static Image *images = NULL;
static uint64 last_serial = 0;

/* ---------- the list ---------- */

static void
unmap_image(void *argument)
{
	Image	   *image = argument;

	if (image->base != NULL)
		(void) munmap(image->base, image->bytes);
	image->base = NULL;
}

/* An image that belongs to nobody yet; its context owns its map */
static Image *
create_image(const ModelVersion *version, ImageKind kind, Snapshot snapshot,
			 const ModelDescription *description)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "embed image",
												  ALLOCSET_SMALL_SIZES);
	Image	   *image = MemoryContextAllocZero(context, sizeof(Image));
	MemoryContextCallback *callback =
	MemoryContextAlloc(context, sizeof(MemoryContextCallback));

	image->version = *version;
	image->kind = kind;
	image->command = snapshot->curcid;
	image->context = context;
	image->description = model_description_copy(description, context);
	callback->func = unmap_image;
	callback->arg = image;
	MemoryContextRegisterResetCallback(context, callback);
	return image;
}

static void
remove_unused(bool (*is_unwanted) (const Image *image, const void *argument),
			  const void *argument)
{
	Image	  **link = &images;

	while (*link != NULL)
	{
		Image	   *image = *link;

		if (image->references == 0 && is_unwanted(image, argument))
		{
			*link = image->next;
			MemoryContextDelete(image->context);
		}
		else
			link = &image->next;
	}
}

static bool
is_older(const Image *image, const void *newest)
{
	const Image *other = newest;

	return image != other && image->version.table == other->version.table;
}

static bool
is_of_transaction(const Image *image, const void *unused)
{
	return image->kind != IMAGE_SHARED;
}

static bool
is_retired(const Image *image, const void *unused)
{
	return image->serial == 0;
}

/* The image is complete: keep it beyond the current call */
static void
adopt_image(Image *image)
{
	image->serial = ++last_serial;
	MemoryContextSetParent(image->context, TopMemoryContext);
	image->next = images;
	images = image;
	image->references++;
	remove_unused(is_older, image);
}

void
image_release(Image *image)
{
	Assert(image->references > 0);
	image->references--;
	if (image->serial == 0)
		remove_unused(is_retired, NULL);
}

/*
 * Private images end with their transaction: what was uncommitted is now
 * either everybody's or nobody's.  One that is still referenced is retired:
 * nobody finds it any more.
 */
static void
end_transaction(XactEvent event, void *argument)
{
	if (event == XACT_EVENT_PRE_COMMIT ||
		event == XACT_EVENT_PARALLEL_PRE_COMMIT ||
		event == XACT_EVENT_PRE_PREPARE)
		return;
	remove_unused(is_of_transaction, NULL);
	for (Image *image = images; image != NULL; image = image->next)
	{
		if (image->kind != IMAGE_SHARED)
			image->serial = 0;
	}
}

static Image *
find_image(const ModelVersion *version, ImageKind kind, Snapshot snapshot)
{
	for (Image *image = images; image != NULL; image = image->next)
	{
		if (image->serial != 0 &&
			memcmp(&image->version, version, sizeof(ModelVersion)) == 0 &&
			(image->kind == IMAGE_UNSETTLED) == (kind == IMAGE_UNSETTLED) &&
			(kind != IMAGE_UNSETTLED || image->command == snapshot->curcid))
			return image;
	}
	return NULL;
}

/* ---------- attaching ---------- */

/* Map the file if it is there and good; false otherwise */
static bool
attach_file(Image *image, const char *path, BlockNumber table_blocks)
{
	int			file = OpenTransientFile(path, O_RDONLY | PG_BINARY);
	struct stat status;
	const char *fault;

	if (file < 0)
	{
		if (errno == ENOENT)
			return false;
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open file \"%s\": %m", path)));
	}
	if (fstat(file, &status) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not stat file \"%s\": %m", path)));
	fault = "it is too short";
	if (status.st_size >= sizeof(ImageHeader))
	{
		void	   *base = mmap(NULL, status.st_size, PROT_READ, MAP_SHARED,
								file, 0);

		if (base == MAP_FAILED)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not map file \"%s\": %m", path)));
		image->base = base;
		image->bytes = status.st_size;
		fault = image_header_fault((ImageHeader *) base, image->bytes,
								   &image->version,
								   image->description->method, table_blocks);
	}
	CloseTransientFile(file);
	if (fault == NULL)
		return true;
	unmap_image(image);
	ereport(LOG,
			(errmsg("packed embedding model \"%s\" is rebuilt", path),
			 errdetail("The file cannot be used: %s.", fault)));
	return false;
}

/* ---------- building ---------- */

static void
build_private(Image *image, Relation table, Snapshot snapshot,
			  const AttrNumber *attributes)
{
	ModelReader *reader = model_reader_create(table, snapshot,
											  image->description, attributes);

	image_build_memory(image, reader);
	model_reader_free(reader);
}

/*
 * Whether what this snapshot sees may become the shared image.
 *
 * Only the newest version does: those who still see an older one would
 * remove each other's files in turn.  And a worker whose leader has begun to
 * write, but does not show it its locks, cannot know whether the rows are
 * those of the version that row 0 names.
 */
static bool
may_share(const Image *image, Relation table, const AttrNumber *attributes)
{
	ModelVersion newest;

	if (IsParallelWorker() &&
		TransactionIdIsValid(GetTopTransactionIdIfAny()))
		return false;
	return model_read_header(table, SnapshotSelf, image->description,
							 attributes, &newest, NULL, NULL) &&
		memcmp(&newest, &image->version, sizeof(ModelVersion)) == 0;
}

/* Wait a moment for another member of this parallel query */
static void
wait_for_member(void)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 POLL_MILLISECONDS, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/* Member of a parallel query: leader or worker, now or before */
static int
query_leader(void)
{
	return MyProc->lockGroupLeader != NULL ? MyProc->lockGroupLeader->pid :
		MyProcPid;
}

/*
 * With the builder's lock held: write the file and map it.  False: the disk
 * would not take it.
 */
static bool
build_shared(Image *image, const char *path, Relation table,
			 Snapshot snapshot, const AttrNumber *attributes)
{
	char	   *unfinished = psprintf("%s.%d", path, query_leader());
	ModelReader *reader;
	bool		written;
	BlockNumber blocks = RelationGetNumberOfBlocks(table);

	image_make_directory();
	image_remove_stale(&image->version, query_leader());
	for (;;)
	{
		if (attach_file(image, path, blocks))
			return true;
		reader = model_reader_create(table, snapshot, image->description,
									 attributes);
		written = image_build_file(path, unfinished, reader, &image->version);
		model_reader_free(reader);
		if (written)
			continue;
		if (errno != EEXIST)
			return false;
		if (MyProc->lockGroupLeader != NULL)
			wait_for_member();
		else
			(void) unlink(unfinished);	/* ours, of a life before a crash */
	}
}

static void
set_builder_lock(LOCKTAG *tag, Oid table)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, table, 0, BUILDER_LOCK_CLASS);
}

static void
get_shared(Image *image, Relation table, Snapshot snapshot,
		   const AttrNumber *attributes)
{
	char	   *path = image_path(&image->version);
	LOCKTAG		tag;
	bool		shared;

	if (attach_file(image, path, RelationGetNumberOfBlocks(table)))
		return;
	set_builder_lock(&tag, RelationGetRelid(table));
	(void) LockAcquire(&tag, ExclusiveLock, false, false);
	shared = attach_file(image, path, RelationGetNumberOfBlocks(table));
	if (!shared && !may_share(image, table, attributes))
		image->kind = IMAGE_TRANSACTION;
	else if (!shared)
	{
		shared = build_shared(image, path, table, snapshot, attributes);
		if (!shared)
			ereport(WARNING,
					(errcode_for_file_access(),
					 errmsg("could not write file \"%s\": %m", path),
					 errdetail("This session keeps the packed form of embedding model \"%s\" in its own memory.",
							   RelationGetRelationName(table)),
					 errhint("Free space in the data directory.")));
	}
	(void) LockRelease(&tag, ExclusiveLock, false);
	if (!shared)
		build_private(image, table, snapshot, attributes);
}

/*
 * Whether this transaction may have written rows without a new version: its
 * command is not over, so that the trigger has not been called.
 */
static bool
is_unsettled(Relation table)
{
	return TransactionIdIsValid(GetTopTransactionIdIfAny()) &&
		CheckRelationLockedByMe(table, RowExclusiveLock, true);
}

Image *
image_acquire(Relation table, Snapshot snapshot, const ModelVersion *version,
			  const ModelDescription *description,
			  const AttrNumber *attributes)
{
	static bool registered = false;
	ImageKind	kind = IMAGE_SHARED;
	Image	   *image;

	if (!registered)
	{
		RegisterXactCallback(end_transaction, NULL);
		registered = true;
	}
	if (TransactionIdIsCurrentTransactionId(version->xmin))
		kind = IMAGE_TRANSACTION;
	else if (is_unsettled(table))
		kind = IMAGE_UNSETTLED;
	image = find_image(version, kind, snapshot);
	if (image != NULL)
	{
		image->references++;
		return image;
	}
	image = create_image(version, kind, snapshot, description);
	if (kind == IMAGE_SHARED)
		get_shared(image, table, snapshot, attributes);
	else
		build_private(image, table, snapshot, attributes);
	adopt_image(image);
	return image;
}
