/*-------------------------------------------------------------------------
 *
 * tail.c
 *	  The tail of an inverted index: where inserts go.
 *
 * The tail is a chain of pages that hold whole vectors in the order of
 * arrival.  Every search computes their exact scores.  When the tail has grown
 * to TAIL_PAGES it is frozen, which is a matter of one WAL record, and a new
 * one begins; the frozen tail is then made into a segment (merge.c).
 *
 * An insert is one WAL record that touches the tail's last page.  When that
 * page is full, the record adds a page and touches the metapage too.  A vector
 * too long for a page is first written to a chain of its own, which belongs to
 * the tail, and then published by an ordinary record; the tail must not be
 * frozen in between, and a share lock on OVERFLOW_LOCK_BLOCK prevents it.
 *
 * Lock order: metapage, last page of the tail, new page.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/memutils.h"

#include "index/inverted/inverted.h"

/* Only a name for a heavyweight lock; the block need not exist. */
#define OVERFLOW_LOCK_BLOCK 1

#define RECORD_LENGTH(bytes)	(sizeof(InvertedRecord) + MAXALIGN(bytes))

/* Room for records on a page */
static Size
page_room(Page page)
{
	PageHeader	header = (PageHeader) page;

	return header->pd_upper - header->pd_lower;
}

static void
put_record(Page page, const InvertedRecord *record, const SparseVector *vector)
{
	PageHeader	header = (PageHeader) page;
	char	   *to = (char *) page + header->pd_lower;
	Size		bytes = (record->flags & RECORD_OVERFLOW) ? 0 : record->bytes;

	memcpy(to, record, sizeof(InvertedRecord));
	memset(to + sizeof(InvertedRecord), 0, MAXALIGN(bytes));
	if (bytes > 0)
		memcpy(to + sizeof(InvertedRecord), vector, bytes);
	header->pd_lower += RECORD_LENGTH(bytes);
	InvertedPageSpecial(page)->records++;
}

/*
 * Append to the tail's last page; false if it is full, closed or not the last
 * any more.
 */
static bool
append_to_page(Relation index, BlockNumber block, uint64 owner,
			   const InvertedRecord *record, const SparseVector *vector,
			   Size length)
{
	Buffer		buffer = ReadBuffer(index, block);
	Page		page;
	GenericXLogState *state;

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	page = BufferGetPage(buffer);
	if (!inverted_page_is(page, block, owner, PAGE_TAIL) ||
		InvertedPageSpecial(page)->next != InvalidBlockNumber ||
		(InvertedPageSpecial(page)->flags & TAIL_CLOSED) ||
		page_room(page) < length)
	{
		UnlockReleaseBuffer(buffer);
		return false;
	}
	state = GenericXLogStart(index);
	page = GenericXLogRegisterBuffer(state, buffer, 0);
	put_record(page, record, vector);
	GenericXLogFinish(state);
	UnlockReleaseBuffer(buffer);
	return true;
}

/* Lock the tail's last page; the metapage, which says so, is locked. */
static Buffer
lock_last_page(Relation index, const InvertedTail *tail)
{
	Buffer		buffer = ReadBuffer(index, tail->last);

	LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
	if (!inverted_page_is(BufferGetPage(buffer), tail->last, tail->id,
						  PAGE_TAIL))
		inverted_corrupted(index, tail->last, "not the last page of the tail");
	return buffer;
}

/*
 * Append in a new last page.  Whoever comes here first adds it; the others
 * find out under the metapage's lock and try again.  "extra" pages of overflow
 * are added to the tail's account.
 */
static bool
append_new_page(Relation index, const InvertedTail *seen,
				const InvertedRecord *record, const SparseVector *vector,
				uint32 extra, bool *grown)
{
	Buffer		meta_buffer = ReadBuffer(index, INVERTED_META_BLOCK);
	Buffer		last_buffer = InvalidBuffer;
	Buffer		new_buffer;
	InvertedMeta *meta;
	GenericXLogState *state;
	Page		page;
	uint32		ordinal = 0;

	LockBuffer(meta_buffer, BUFFER_LOCK_EXCLUSIVE);
	meta = inverted_meta_of_page(index, BufferGetPage(meta_buffer));
	if (meta->tail.id != seen->id || meta->tail.last != seen->last)
	{
		UnlockReleaseBuffer(meta_buffer);
		return false;
	}
	if (meta->tail.last != InvalidBlockNumber)
		last_buffer = lock_last_page(index, &meta->tail);
	new_buffer = inverted_allocate(index, meta);

	state = GenericXLogStart(index);
	page = GenericXLogRegisterBuffer(state, meta_buffer, 0);
	meta = (InvertedMeta *) InvertedPageData(page);
	if (BufferIsValid(last_buffer))
	{
		InvertedSpecial *special;

		special = InvertedPageSpecial(
			GenericXLogRegisterBuffer(state, last_buffer, 0));
		special->next = BufferGetBlockNumber(new_buffer);
		ordinal = special->ordinal + special->records;
	}
	else
		meta->tail.first = BufferGetBlockNumber(new_buffer);
	meta->tail.last = BufferGetBlockNumber(new_buffer);
	meta->tail.pages += 1 + extra;
	*grown = meta->tail.pages >= TAIL_PAGES;

	page = GenericXLogRegisterBuffer(state, new_buffer,
									 GENERIC_XLOG_FULL_IMAGE);
	inverted_init_page(page, BufferGetBlockNumber(new_buffer), meta->tail.id,
					   PAGE_TAIL);
	InvertedPageSpecial(page)->ordinal = ordinal;
	put_record(page, record, vector);
	GenericXLogFinish(state);

	UnlockReleaseBuffer(new_buffer);
	if (BufferIsValid(last_buffer))
		UnlockReleaseBuffer(last_buffer);
	UnlockReleaseBuffer(meta_buffer);
	return true;
}

/*
 * Write a long vector to pages of its own, last page first so that each can
 * name the next.  Returns the first.
 */
static BlockNumber
write_overflow(Relation index, uint64 owner, const char *bytes, Size length,
			   uint32 *pages)
{
	BlockNumber next = InvalidBlockNumber;
	Size		chunks = (length + PAGE_CAPACITY - 1) / PAGE_CAPACITY;

	*pages = (uint32) chunks;
	while (chunks-- > 0)
	{
		Buffer		buffer = inverted_allocate(index, NULL);
		GenericXLogState *state = GenericXLogStart(index);
		Page		page = GenericXLogRegisterBuffer(state, buffer,
													 GENERIC_XLOG_FULL_IMAGE);
		Size		at = chunks * PAGE_CAPACITY;
		Size		part = Min(PAGE_CAPACITY, length - at);

		inverted_init_page(page, BufferGetBlockNumber(buffer), owner,
						   PAGE_OVERFLOW);
		memcpy(InvertedPageData(page), bytes + at, part);
		((PageHeader) page)->pd_lower += part;
		InvertedPageSpecial(page)->next = next;
		next = BufferGetBlockNumber(buffer);
		GenericXLogFinish(state);
		UnlockReleaseBuffer(buffer);
	}
	return next;
}

/* Account for a long vector whose record found room on the last page. */
static void
add_tail_pages(Relation index, uint64 owner, uint32 extra, bool *grown)
{
	InvertedMetaUpdate update = inverted_begin_update(index);
	InvertedMeta *meta = update.meta;

	if (meta->tail.id == owner)
	{
		meta->tail.pages += extra;
		*grown = meta->tail.pages >= TAIL_PAGES;
	}
	inverted_finish_update(&update);
}

/* The first vector decides for a column without declared dimensions. */
static void
fix_dims(Relation index, int from, int to)
{
	InvertedMetaUpdate update = inverted_begin_update(index);
	InvertedMeta *meta = update.meta;

	if (meta->dims == from)
		meta->dims = to;
	inverted_finish_update(&update);
}

static bool
tail_is_gone(Relation index, const InvertedTail *tail, IndexGone *gone)
{
	TailReader *reader = palloc(sizeof(TailReader));
	InvertedRecord *record;
	SparseVector *vector;
	bool		result = true;

	tail_begin(reader, index, tail);
	while (result && tail_next(reader, &record, &vector))
	{
		ItemPointerData tid;

		ItemPointerSet(&tid, record->block, record->offset);
		result = (record->flags & (DOCUMENT_DEAD | DOCUMENT_NULL)) ||
				 index_gone(gone, &tid);
	}
	/* one that was overtaken has not seen all */
	result = result && !reader->stale;
	pfree(reader);
	return result;
}

static bool
segment_is_gone(Relation index, const InvertedSegmentEntry *entry,
				IndexGone *gone)
{
	InvertedSegment *segment = palloc(sizeof(InvertedSegment));
	char	   *copy = palloc(BLCKSZ);
	uint32		per_page = PAGE_ITEMS(InvertedDocument);
	bool		opened = segment_open(index, entry, segment);
	bool		result = opened;

	for (uint32 i = 0; result && i < segment->root.documents; i++)
	{
		InvertedDocument *document;
		ItemPointerData tid;

		CHECK_FOR_INTERRUPTS();
		if (i % per_page == 0 &&
			!segment_copy_page(index, segment, REGION_DOCUMENTS, i / per_page,
							   copy))
			inverted_corrupted(index, entry->root, "page of documents has another owner");
		document = (InvertedDocument *) InvertedPageData(copy) + i % per_page;
		ItemPointerSet(&tid, document->block, document->offset);
		result = (document->flags & (DOCUMENT_DEAD | DOCUMENT_NULL)) ||
				 index_gone(gone, &tid);
	}
	if (opened)
		segment_close(segment);
	pfree(copy);
	pfree(segment);
	return result;
}

/* Can nobody see a row with a vector any more?  We have the structure lock. */
static bool
all_is_gone(Relation index, Relation heap)
{
	InvertedMeta *meta = palloc(sizeof(InvertedMeta));
	IndexGone  *gone = index_gone_begin(heap);
	bool		result;

	inverted_read_meta(index, meta);
	result = tail_is_gone(index, &meta->tail, gone) &&
			 tail_is_gone(index, &meta->frozen, gone);
	for (uint32 i = 0; i < meta->segment_count && result; i++)
		result = segment_is_gone(index, &meta->segment[i], gone);
	index_gone_end(gone);
	pfree(meta);
	return result;
}

static bool
is_gone(ItemPointer tid, void *gone)
{
	return index_gone(gone, tid);
}

/* Mark what is gone dead: searches score what lies in a tail, if it is not. */
static void
delete_gone(Relation index, Relation heap)
{
	IndexGone  *gone = index_gone_begin(heap);
	IndexVacuumInfo info = {0};

	info.index = index;
	pfree(inverted_bulk_delete(&info, NULL, is_gone, gone));
	index_gone_end(gone);
}

/*
 * A vector of other dimensions than the index has: take over its, if no
 * other row is left.
 *
 * The index is looked through before it is claimed, which would keep others
 * out, and again after that.
 */
static void
change_dims(Relation index, Relation heap, int from, int to)
{
	bool		possible = true;

	for (int look = 0; look < 2 && possible; look++)
	{
		inverted_lock_structure(index);
		possible = all_is_gone(index, heap);
		if (possible && look == 1)
		{
			delete_gone(index, heap);
			fix_dims(index, from, to);
		}
		inverted_unlock_structure(index);
		possible = possible && (look == 1 || index_claim(index));
	}
}

/* What an insert needs of the metapage */
static int
read_tail(Relation index, InvertedTail *tail)
{
	Buffer		buffer = ReadBuffer(index, INVERTED_META_BLOCK);
	InvertedMeta *meta;
	int			dims;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	meta = inverted_meta_of_page(index, BufferGetPage(buffer));
	*tail = meta->tail;
	dims = meta->dims;
	UnlockReleaseBuffer(buffer);
	return dims;
}

/* Add one row to the index; vector is NULL for a NULL. */
void
inverted_append(Relation index, Relation heap, ItemPointer tid,
				const SparseVector *vector)
{
	InvertedRecord record = {0};
	InvertedTail tail;
	Size		length;
	uint32		extra = 0;
	bool		grown = false;
	int			dims;

	dims = read_tail(index, &tail);
	if (vector != NULL)
	{
		if (dims == 0)
			fix_dims(index, 0, vector->dims);
		else if (dims != vector->dims)
			change_dims(index, heap, dims, vector->dims);
		if (dims != vector->dims)
			dims = read_tail(index, &tail);
		inverted_check_dims(dims, vector->dims);
	}

	record.block = ItemPointerGetBlockNumber(tid);
	record.offset = ItemPointerGetOffsetNumber(tid);
	record.overflow = InvalidBlockNumber;
	if (vector == NULL)
		record.flags = DOCUMENT_NULL;
	else
		record.bytes = VARSIZE(vector);
	length = RECORD_LENGTH(record.bytes);

	if (length > PAGE_CAPACITY)
	{
		LockPage(index, OVERFLOW_LOCK_BLOCK, ShareLock);
		read_tail(index, &tail);
		record.overflow = write_overflow(index, tail.id, (const char *) vector,
										 record.bytes, &extra);
		record.flags = RECORD_OVERFLOW;
		length = sizeof(InvertedRecord);
	}

	for (;;)
	{
		if (tail.last != InvalidBlockNumber &&
			append_to_page(index, tail.last, tail.id, &record, vector, length))
		{
			if (extra > 0)
				add_tail_pages(index, tail.id, extra, &grown);
			break;
		}
		if (append_new_page(index, &tail, &record, vector, extra, &grown))
			break;
		read_tail(index, &tail);
		CHECK_FOR_INTERRUPTS();
	}
	if (record.flags & RECORD_OVERFLOW)
		UnlockPage(index, OVERFLOW_LOCK_BLOCK, ShareLock);

	if (grown && inverted_try_lock_structure(index))
	{
		inverted_maintain(index, false);
		inverted_unlock_structure(index);
	}
}

/*
 * Close the tail and begin a new one.  False if there is nothing in it, or
 * if somebody is writing a long vector to it.  The caller holds the
 * structure lock and there is no frozen tail.
 */
bool
inverted_freeze_tail(Relation index)
{
	Buffer		meta_buffer;
	Buffer		last_buffer;
	InvertedMeta *meta;
	InvertedSpecial *special;
	GenericXLogState *state;

	if (!ConditionalLockPage(index, OVERFLOW_LOCK_BLOCK, ExclusiveLock))
		return false;
	meta_buffer = ReadBuffer(index, INVERTED_META_BLOCK);
	LockBuffer(meta_buffer, BUFFER_LOCK_EXCLUSIVE);
	meta = inverted_meta_of_page(index, BufferGetPage(meta_buffer));
	if (meta->tail.last == InvalidBlockNumber)
	{
		UnlockReleaseBuffer(meta_buffer);
		UnlockPage(index, OVERFLOW_LOCK_BLOCK, ExclusiveLock);
		return false;
	}
	Assert(meta->frozen.id == 0);
	last_buffer = lock_last_page(index, &meta->tail);

	state = GenericXLogStart(index);
	meta = (InvertedMeta *) InvertedPageData(
		GenericXLogRegisterBuffer(state, meta_buffer, 0));
	special = InvertedPageSpecial(
		GenericXLogRegisterBuffer(state, last_buffer, 0));
	special->flags |= TAIL_CLOSED;
	meta->frozen = meta->tail;
	meta->frozen.records = special->ordinal + special->records;
	meta->tail.id = meta->next_id++;
	meta->tail.first_birth = meta->frozen.first_birth + meta->frozen.records;
	meta->tail.first = meta->tail.last = InvalidBlockNumber;
	meta->tail.pages = 0;
	meta->structure++;
	GenericXLogFinish(state);

	UnlockReleaseBuffer(last_buffer);
	UnlockReleaseBuffer(meta_buffer);
	UnlockPage(index, OVERFLOW_LOCK_BLOCK, ExclusiveLock);
	return true;
}

/* ---------- reading ---------- */

/* Copy a page if it still belongs to the tail. */
static bool
copy_page(TailReader *reader, BlockNumber block, uint16 kind, char *copy)
{
	Buffer		buffer;
	Page		page;
	bool		ours;

	buffer = ReadBuffer(reader->index, block);
	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(buffer);
	ours = inverted_page_is(page, block, reader->owner, kind);
	if (ours)
		memcpy(copy, page, BLCKSZ);
	UnlockReleaseBuffer(buffer);
	reader->pages++;
	inverted_pages_read++;
	return ours;
}

void
tail_begin(TailReader *reader, Relation index, const InvertedTail *tail)
{
	memset(reader, 0, offsetof(TailReader, page));
	reader->index = index;
	reader->owner = tail->id;
	reader->block = InvalidBlockNumber;
	reader->next = tail->id == 0 ? InvalidBlockNumber : tail->first;
}

/* Put together a vector from its chain. */
static SparseVector *
read_overflow(TailReader *reader, const InvertedRecord *record)
{
	BlockNumber block = record->overflow;
	Size		at = 0;
	char	   *copy;

	if (record->bytes > SPARSEVEC_SIZE(SPARSEVEC_MAX_NONZEROS))
		inverted_corrupted(reader->index, reader->block, "vector is too long");
	if (reader->vector_size < record->bytes)
	{
		if (reader->vector != NULL)
			pfree(reader->vector);
		reader->vector = palloc(record->bytes);
		reader->vector_size = record->bytes;
	}
	copy = palloc(BLCKSZ);
	while (at < record->bytes)
	{
		Size		part;

		if (block == InvalidBlockNumber ||
			!copy_page(reader, block, PAGE_OVERFLOW, copy))
		{
			pfree(copy);
			return NULL;
		}
		part = Min(InvertedPageUsed(copy), record->bytes - at);
		if (part == 0)
			inverted_corrupted(reader->index, block, "empty overflow page");
		memcpy(reader->vector + at, InvertedPageData(copy), part);
		at += part;
		block = InvertedPageSpecial(copy)->next;
	}
	pfree(copy);
	return (SparseVector *) reader->vector;
}

/*
 * The next record and its vector (NULL for a NULL), valid until the next
 * call.  What is returned has been checked, so that damage cannot mislead.
 */
bool
tail_next(TailReader *reader, InvertedRecord **record, SparseVector **vector)
{
	uint32		used;

	while (reader->block == InvalidBlockNumber ||
		   reader->record >= reader->records)
	{
		InvertedSpecial *special;

		CHECK_FOR_INTERRUPTS();
		if (reader->next == InvalidBlockNumber)
			return false;
		if (!copy_page(reader, reader->next, PAGE_TAIL, reader->page.data))
		{
			reader->stale = true;
			return false;
		}
		special = InvertedPageSpecial(reader->page.data);
		reader->block = reader->next;
		reader->next = special->next;
		reader->record = 0;
		reader->records = special->records;
		reader->ordinal = special->ordinal - 1;
		reader->at = 0;
		if (reader->next == reader->block)
			inverted_corrupted(reader->index, reader->block, "chain runs in a circle");
	}

	used = InvertedPageUsed(reader->page.data);
	*record = (InvertedRecord *) (InvertedPageData(reader->page.data) +
								  reader->at);
	if (used > PAGE_CAPACITY || reader->at + sizeof(InvertedRecord) > used ||
		(((*record)->flags & RECORD_OVERFLOW) == 0 &&
		 (*record)->bytes > used - reader->at - sizeof(InvertedRecord)))
		inverted_corrupted(reader->index, reader->block, "record exceeds its page");
	reader->at += RECORD_LENGTH(
		((*record)->flags & RECORD_OVERFLOW) ? 0 : (*record)->bytes);
	reader->record++;
	reader->ordinal++;

	if ((*record)->flags & DOCUMENT_NULL)
	{
		*vector = NULL;
		return true;
	}
	if ((*record)->flags & RECORD_OVERFLOW)
	{
		*vector = read_overflow(reader, *record);
		if (*vector == NULL)
		{
			reader->stale = true;
			return false;
		}
	}
	else
		*vector = (SparseVector *) RECORD_VECTOR(*record);
	if ((*record)->bytes < SPARSEVEC_SIZE(0) ||
		VARSIZE(*vector) != (*record)->bytes ||
		(*vector)->count < 0 || (*vector)->count > SPARSEVEC_MAX_NONZEROS ||
		(*record)->bytes != SPARSEVEC_SIZE((*vector)->count))
		inverted_corrupted(reader->index, reader->block, "vector has a wrong length");
	return true;
}

/* Visit the pages of a long vector. */
static void
overflow_blocks(TailReader *reader, BlockNumber block,
				void (*visit) (Relation index, BlockNumber block))
{
	char	   *copy = palloc(BLCKSZ);

	while (block != InvalidBlockNumber &&
		   copy_page(reader, block, PAGE_OVERFLOW, copy))
	{
		visit(reader->index, block);
		block = InvertedPageSpecial(copy)->next;
	}
	pfree(copy);
}

/* Visit every page of a tail, to free them. */
void
tail_blocks(Relation index, const InvertedTail *tail,
			void (*visit) (Relation index, BlockNumber block))
{
	TailReader *reader = palloc(sizeof(TailReader));
	InvertedRecord *record;
	SparseVector *vector;
	BlockNumber previous = InvalidBlockNumber;

	tail_begin(reader, index, tail);
	while (tail_next(reader, &record, &vector))
	{
		if (reader->block != previous)
			visit(index, reader->block);
		previous = reader->block;
		if (record->flags & RECORD_OVERFLOW)
			overflow_blocks(reader, record->overflow, visit);
	}
	if (reader->vector != NULL)
		pfree(reader->vector);
	pfree(reader);
}
