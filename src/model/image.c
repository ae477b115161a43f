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
#include "storage/lock.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "utils/memutils.h"
#include "utils/relcache.h"
#include "utils/snapmgr.h"

/*
 * Fourth field of the advisory lock.  The server's own SQL functions use 1
 * and 2, so no call of pg_advisory_lock() can meet ours.
 */
#define BUILDER_LOCK_CLASS	0x656D

/*
 * How often a member of a parallel query looks whether another is done, and
 * how long it waits while nothing moves.
 */
#define POLL_MILLISECONDS	5
#define MEMBER_MILLISECONDS	10000

/*
 * How often a builder writes the file.  Only who removes files while it
 * works makes it write more than once.
 */
#define BUILD_TRIES			3

static Image *images = NULL;
static uint64 last_serial = 0;

/* ---------- the list ---------- */

void
image_unmap(Image *image)
{
	if (image->base != NULL)
		(void) munmap(image->base, image->bytes);
	image->base = NULL;
	image->bytes = 0;			/* a builder may map it anew */
	image->pages = NULL;
}

static void
unmap_argument(void *argument)
{
	image_unmap(argument);
}

/* An image that belongs to nobody yet; its context owns its map */
static Image *
create_image(const ModelVersion *version, ImageKind kind,
			 const ModelChanges *changes, Snapshot snapshot,
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
	image->changes = *changes;
	image->transaction = my_local_transaction_id();
	image->command = snapshot->curcid;
	image->subtransaction = GetCurrentSubTransactionId();
	image->context = context;
	image->description = model_description_copy(description, context);
	callback->func = unmap_argument;
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
	return image->kind != IMAGE_SHARED || image->passing;
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
 * What the last mark of this transaction names is what everybody will see of
 * the version, once the transaction has committed.
 */
static void
keep_committed(void)
{
	for (Image *image = images; image != NULL; image = image->next)
	{
		if (image->kind == IMAGE_TRANSACTION && image->serial != 0 &&
			image->changes.serial != 0 &&
			image->changes.serial == model_final_change(image->version.table,
														image->transaction))
			image->kind = IMAGE_SHARED;
	}
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
	if (event == XACT_EVENT_COMMIT)
		keep_committed();
	remove_unused(is_of_transaction, NULL);
	for (Image *image = images; image != NULL; image = image->next)
	{
		if (is_of_transaction(image, NULL))
			image->serial = 0;
	}
}

bool
image_take(Image *image)
{
	if (!image->in_memory)
		return false;
	for (Image **link = &images; *link != NULL; link = &(*link)->next)
	{
		if (*link == image)
		{
			*link = image->next;
			return true;
		}
	}
	return false;
}

/*
 * Whether an unsettled image still shows what its snapshot sees: no row has
 * been changed since, or only by statements that this snapshot sees nothing
 * of.
 */
static bool
is_undisturbed(const Image *image, const ModelChanges *changes)
{
	return image->command <= changes->command ||
		image->changes.rows == changes->rows ||
		(image->stable && image->changes.serial == changes->serial);
}

static Image *
find_image(const ModelVersion *version, ImageKind kind,
		   const ModelChanges *changes, Snapshot snapshot)
{
	for (Image *image = images; image != NULL; image = image->next)
	{
		if (image->serial == 0 || image->kind != kind ||
			(image->passing &&
			 image->transaction != my_local_transaction_id()) ||
			memcmp(&image->version, version, sizeof(ModelVersion)) != 0)
			continue;
		if (kind == IMAGE_SHARED)
			return image;
		if (image->transaction != my_local_transaction_id())
			continue;
		if (kind == IMAGE_TRANSACTION &&
			image->changes.serial == changes->serial)
			return image;
		if (kind == IMAGE_UNSETTLED &&
			image->command == snapshot->curcid &&
			image->subtransaction == GetCurrentSubTransactionId() &&
			is_undisturbed(image, changes))
			return image;
	}
	return NULL;
}

static ImageKind image_kind(const ModelVersion *version,
							const ModelChanges *changes, Snapshot snapshot);

/*
 * Most images have nothing to fear.  In a transaction that may write to the
 * table, a statement that does may have begun before the image was looked up
 * and have changed rows since, at which no command counter moves.
 */
bool
image_is_current(const Image *image, Snapshot snapshot)
{
	Relation	table;
	ModelChanges changes;

	if (image->watched != my_local_transaction_id())
		return true;
	if (image->kind == IMAGE_UNSETTLED && image->stable &&
		image->changes.serial == model_last_change())
		return true;
	table = RelationIdGetRelation(image->version.table);
	if (!RelationIsValid(table))
		return false;
	model_changes(table, &changes);
	RelationClose(table);
	return image_kind(&image->version, &changes, snapshot) == image->kind &&
		(image->kind != IMAGE_TRANSACTION ||
		 image->changes.serial == changes.serial) &&
		(image->kind != IMAGE_UNSETTLED || is_undisturbed(image, &changes));
}

/* Found or made: count the user, who may be writing to the table. */
static Image *
use_image(Image *image, Relation table)
{
	image->references++;
	if (CheckRelationLockedByMe(table, RowExclusiveLock, true))
		image->watched = my_local_transaction_id();
	return image;
}

/* ---------- attaching ---------- */

/*
 * What the system says of a file that cannot be used: an error, but of a base
 * a reason to do without it.
 */
static const char *
report_file(const char *action, const char *path, bool is_base)
{
	int			code = errno == ENOMEM ? ERRCODE_OUT_OF_MEMORY : 0;

	if (is_base)
		return "the system refuses it";
	ereport(ERROR,
			(code != 0 ? errcode(code) : errcode_for_file_access(),
			 errmsg("could not %s file \"%s\": %m", action, path)));
}

/*
 * Map a file; NULL, or what is wrong with it.  A base that is not there stays
 * unmapped; it may be of any version.
 */
static const char *
map_file(Image *image, const char *path, Relation table, bool is_base)
{
	int			file = OpenTransientFile(path, O_RDONLY | PG_BINARY);
	struct stat status;
	const char *fault = "it is too short";

	if (file < 0)
		return errno == ENOENT ? NULL : report_file("open", path, is_base);
	if (fstat(file, &status) != 0)
		fault = report_file("stat", path, is_base);
	else if (status.st_size >= sizeof(ImageHeader))
	{
		void	   *base = mmap(NULL, status.st_size, PROT_READ, MAP_SHARED,
								file, 0);

		if (base == MAP_FAILED)
			fault = report_file("map", path, is_base);
		else
		{
			image->base = base;
			image->bytes = status.st_size;
			if (is_base)
				image->version = ((const ImageHeader *) base)->version;
			fault = image_header_fault((ImageHeader *) base, image->bytes,
									   &image->version,
									   image->description->method,
									   RelationGetNumberOfBlocks(table));
		}
	}
	CloseTransientFile(file);
	if (fault != NULL)
		image_unmap(image);
	return fault;
}

/* Map the file if it is there and good; false otherwise */
static bool
attach_file(Image *image, const char *path, Relation table)
{
	const char *fault = map_file(image, path, table, false);

	if (fault != NULL)
		ereport(LOG,
				(errmsg("packed embedding model \"%s\" is rebuilt", path),
				 errdetail("The file cannot be used: %s.", fault)));
	return image->base != NULL;
}

/* ---------- patching ---------- */

/* The newest image at hand that may serve as a base, or NULL */
static Image *
find_base(const ModelVersion *version, Snapshot snapshot)
{
	Image	   *newest = NULL;

	for (Image *image = images; image != NULL; image = image->next)
	{
		if (image_is_base(image, version, snapshot) &&
			(newest == NULL ||
			 image->pages->position > newest->pages->position))
			newest = image;
	}
	return newest;
}

/*
 * The newest file of the table as an image that nobody will find; its context
 * belongs to the current one.  NULL: there is none, or it is of no use here.
 */
static Image *
attach_base(const Image *image, Relation table, Snapshot snapshot)
{
	char	   *path = image_newest_path(&image->version);
	Image	   *base;

	if (path == NULL)
		return NULL;
	base = create_image(&image->version, IMAGE_SHARED, &image->changes,
						snapshot, image->description);
	base->serial = 1;
	if (map_file(base, path, table, true) == NULL && base->base != NULL &&
		image_is_base(base, &image->version, snapshot))
		return base;
	MemoryContextDelete(base->context);
	return NULL;
}

static bool
make_of_older(Image *image, Relation table, Snapshot snapshot,
			  const AttrNumber *attributes)
{
	Image	   *base;
	bool		done = false;

	if (image->description->method->patch_image == NULL ||
		!image_can_note_pages(table, snapshot))
		return false;
	base = find_base(&image->version, snapshot);
	if (base != NULL)
		done = image_patch(image, base, table, snapshot, attributes);
	if (!done)
	{
		base = attach_base(image, table, snapshot);
		if (base != NULL)
		{
			done = image_patch(image, base, table, snapshot, attributes);
			MemoryContextDelete(base->context);
		}
	}
	image->in_memory = done;
	return done;
}

/* ---------- building ---------- */

static void
build_private(Image *image, Relation table, Snapshot snapshot,
			  const AttrNumber *attributes)
{
	ModelReader *reader = model_reader_create(table, snapshot,
											  image->description, attributes);

	image_build_memory(image, reader);
	image->stable = model_reader_later_command(reader);
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

/*
 * Wait a moment for another member of this parallel query; false if the file
 * it is writing has not grown for a long time.
 */
static bool
wait_for_member(const char *unfinished, off_t *bytes, int *idle)
{
	struct stat status;

	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 POLL_MILLISECONDS, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	if (stat(unfinished, &status) != 0 || status.st_size != *bytes)
		*idle = 0;
	else
		*idle += POLL_MILLISECONDS;
	*bytes = status.st_size;
	return *idle < MEMBER_MILLISECONDS;
}

/* Member of a parallel query: leader or worker, now or before */
static int
query_leader(void)
{
	return MyProc->lockGroupLeader != NULL ? MyProc->lockGroupLeader->pid :
		MyProcPid;
}

/*
 * With the builder's lock held: write the file and map it.  False, with
 * errno: the disk would not take it.  Also false, with errno zero, when what
 * was written is not there or not accepted, time after time.
 */
static bool
build_shared(Image *image, const char *path, Relation table,
			 Snapshot snapshot, const AttrNumber *attributes)
{
	char	   *unfinished = psprintf("%s.%d", path, query_leader());
	int			tries = 0;
	int			idle = 0;
	off_t		bytes = 0;

	image_make_directory();
	image_remove_stale(&image->version, query_leader());
	for (;;)
	{
		ModelReader *reader;
		bool		written;
		int			reason;

		if (attach_file(image, path, table))
			return true;
		errno = 0;
		if (tries == BUILD_TRIES)
			return false;
		reader = model_reader_create(table, snapshot, image->description,
									 attributes);
		written = image_build_file(path, unfinished, reader, &image->version);
		reason = errno;
		model_reader_free(reader);
		errno = reason;
		if (written)
			tries++;
		else if (reason != EEXIST)
			return false;
		else if (MyProc->lockGroupLeader == NULL)
		{
			(void) unlink(unfinished);	/* ours, of a life before a crash */
			tries++;
		}
		else if (!wait_for_member(unfinished, &bytes, &idle))
		{
			errno = 0;
			return false;
		}
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

	if (attach_file(image, path, table) ||
		make_of_older(image, table, snapshot, attributes))
		return;
	set_builder_lock(&tag, RelationGetRelid(table));
	(void) LockAcquire(&tag, ExclusiveLock, false, false);
	shared = attach_file(image, path, table);
	if (!shared && !may_share(image, table, attributes))
		image->passing = true;
	else if (!shared)
	{
		shared = build_shared(image, path, table, snapshot, attributes);
		if (!shared && errno != 0)
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
 * Who may use an image of what this snapshot sees.
 *
 * A worker of a parallel query has no marks of what its leader has changed.
 */
static ImageKind
image_kind(const ModelVersion *version, const ModelChanges *changes,
		   Snapshot snapshot)
{
	bool		own = TransactionIdIsCurrentTransactionId(version->xmin);

	if (changes->going_on)
		return IMAGE_UNSETTLED;
	if (changes->serial == 0)
		return own ? IMAGE_TRANSACTION : IMAGE_SHARED;
	return own && snapshot->curcid > changes->command ? IMAGE_TRANSACTION :
		IMAGE_UNSETTLED;
}

Image *
image_acquire(Relation table, Snapshot snapshot, const ModelVersion *version,
			  const ModelDescription *description,
			  const AttrNumber *attributes)
{
	static bool registered = false;
	ModelChanges changes;
	ImageKind	kind;
	Image	   *image;

	if (!registered)
	{
		RegisterXactCallback(end_transaction, NULL);
		registered = true;
	}
	model_changes(table, &changes);
	kind = image_kind(version, &changes, snapshot);
	image = find_image(version, kind, &changes, snapshot);
	if (image != NULL)
		return use_image(image, table);
	image = create_image(version, kind, &changes, snapshot, description);
	if (kind == IMAGE_SHARED)
		get_shared(image, table, snapshot, attributes);
	else if (!make_of_older(image, table, snapshot, attributes))
		build_private(image, table, snapshot, attributes);
	adopt_image(image);
	return use_image(image, table);
}
