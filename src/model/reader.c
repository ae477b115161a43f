/*-------------------------------------------------------------------------
 *
 * reader.c
 *	  The rows of a model, for the callback that packs them.
 *
 * Straight from the table's access method: a method's image is built from
 * inside whatever query happens to need it first, where no other query
 * should run.
 *
 * A heap is read page by page, because what the reader notes about pages lets
 * a later image be made of this one and of the pages that have changed since
 * (see image_patch.c and README).  Tables of other access methods are scanned.
 *
 *-------------------------------------------------------------------------
 */
#include "model/model_private.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/bufpage.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

struct ModelReader
{
	Relation	table;
	Snapshot	snapshot;
	ModelChanges changes;
	const ModelDescription *description;
	const AttrNumber *attributes;
	Datum		header_values[MODEL_MAX_COLUMNS];
	bool		header_nulls[MODEL_MAX_COLUMNS];

	/* a scan */
	AttrNumber	last_attribute; /* the highest of them */
	TableScanDesc scan;
	TupleTableSlot *slot;

	/* a heap: the blocks to read, all up to "blocks" or those listed */
	const BlockNumber *list;
	BlockNumber list_count;
	BlockNumber next;			/* number of the block to read next */
	BufferAccessStrategy strategy;
	Buffer		buffer;			/* of the page whose rows are given out */
	HeapTupleData tuple;
	OffsetNumber visible[MaxHeapTuplesPerPage];
	int			visible_count;
	int			visible_next;
	Datum	   *row_values;		/* all columns of the table */
	bool	   *row_nulls;

	bool		later_command;	/* see model_reader_later_command */
	ImagePages	pages;
};

/* ---------- pages of a heap ---------- */

/*
 * Whether a snapshot taken later may judge this transaction otherwise than
 * ours does, though nothing on the page changes: it is running, for us.
 * "command": of the tuple, if the transaction is our own; what our own
 * earlier commands did is settled for the rest of this transaction, unless a
 * subtransaction is rolled back, which whoever relies on it looks at.
 */
static bool
is_open(ModelReader *reader, TransactionId xid, bool own, CommandId command)
{
	if (!own)
		return XidInMVCCSnapshot(xid, reader->snapshot);
	if (command < reader->snapshot->curcid)
		return false;
	if (command > reader->changes.command)
		reader->later_command = true;
	return true;
}

/* Whether the page of this tuple must be read again for every later image */
static bool
tuple_is_open(ModelReader *reader, HeapTupleHeader tuple)
{
	TransactionId xmin = HeapTupleHeaderGetRawXmin(tuple);
	TransactionId xmax;
	bool		own;
	bool		open = false;

	if (HeapTupleHeaderXminInvalid(tuple))
		return false;			/* aborted, for everybody */
	if (!HeapTupleHeaderXminFrozen(tuple) && TransactionIdIsNormal(xmin))
	{
		own = TransactionIdIsCurrentTransactionId(xmin);
		open = is_open(reader, xmin, own,
					   own ? HeapTupleHeaderGetCmin(tuple) : 0);
	}
	if ((tuple->t_infomask & HEAP_XMAX_INVALID) ||
		HEAP_XMAX_IS_LOCKED_ONLY(tuple->t_infomask))
		return open;
	if (tuple->t_infomask & HEAP_XMAX_IS_MULTI)
		return true;
	xmax = HeapTupleHeaderGetRawXmax(tuple);
	if (TransactionIdIsNormal(xmax))
	{
		own = TransactionIdIsCurrentTransactionId(xmax);
		open |= is_open(reader, xmax, own,
						own ? HeapTupleHeaderGetCmax(tuple) : 0);
	}
	return open;
}

/* Find the visible rows of a page whose buffer is pinned and locked. */
static bool
find_visible(ModelReader *reader, Page page, BlockNumber block)
{
	OffsetNumber last = PageGetMaxOffsetNumber(page);
	bool		all_visible = PageIsAllVisible(page) &&
		!reader->snapshot->takenDuringRecovery;
	bool		open = false;

	reader->visible_count = reader->visible_next = 0;
	for (OffsetNumber offset = FirstOffsetNumber; offset <= last; offset++)
	{
		ItemId		item = PageGetItemId(page, offset);

		if (!ItemIdIsNormal(item))
			continue;
		reader->tuple.t_data = (HeapTupleHeader) PageGetItem(page, item);
		reader->tuple.t_len = ItemIdGetLength(item);
		ItemPointerSet(&reader->tuple.t_self, block, offset);
		if (all_visible ||
			HeapTupleSatisfiesVisibility(&reader->tuple, reader->snapshot,
										 reader->buffer))
			reader->visible[reader->visible_count++] = offset;
		if (!all_visible)
			open |= tuple_is_open(reader, reader->tuple.t_data);
	}
	return open;
}

/* Read the next page; false: there is none. */
static bool
load_page(ModelReader *reader)
{
	BlockNumber block;
	PageRows   *rows;

	if (BufferIsValid(reader->buffer))
		ReleaseBuffer(reader->buffer);
	reader->buffer = InvalidBuffer;
	if (reader->next == reader->list_count)
		return false;
	CHECK_FOR_INTERRUPTS();
	block = reader->list == NULL ? reader->next : reader->list[reader->next];
	rows = &reader->pages.rows[reader->next++];
	reader->buffer = ReadBufferExtended(reader->table, MAIN_FORKNUM, block,
										RBM_NORMAL, reader->strategy);
	LockBuffer(reader->buffer, BUFFER_LOCK_SHARE);
	rows->open = find_visible(reader, BufferGetPage(reader->buffer), block);
	LockBuffer(reader->buffer, BUFFER_LOCK_UNLOCK);
	rows->first = reader->pages.id_count;
	rows->count = 0;
	return true;
}

static void
note_id(ModelReader *reader, int32 id)
{
	ImagePages *pages = &reader->pages;

	if (pages->id_count == pages->id_capacity)
	{
		pages->id_capacity *= 2;
		pages->ids = repalloc_huge(pages->ids,
								   sizeof(int32) * pages->id_capacity);
	}
	pages->ids[pages->id_count++] = id;
	pages->rows[reader->next - 1].count++;
}

static bool
next_of_heap(ModelReader *reader, Datum *values, bool *nulls)
{
	while (reader->visible_next == reader->visible_count)
	{
		if (!load_page(reader))
			return false;
	}
	{
		OffsetNumber offset = reader->visible[reader->visible_next++];
		Page		page = BufferGetPage(reader->buffer);
		ItemId		item = PageGetItemId(page, offset);

		/* a pin keeps a visible row where it is */
		reader->tuple.t_data = (HeapTupleHeader) PageGetItem(page, item);
		reader->tuple.t_len = ItemIdGetLength(item);
		ItemPointerSetOffsetNumber(&reader->tuple.t_self, offset);
	}
	heap_deform_tuple(&reader->tuple, RelationGetDescr(reader->table),
					  reader->row_values, reader->row_nulls);
	for (int i = 0; i < reader->description->method->column_count; i++)
	{
		values[i] = reader->row_values[reader->attributes[i] - 1];
		nulls[i] = reader->row_nulls[reader->attributes[i] - 1];
	}
	return true;
}

/*
 * Where the server's log was before the first page is read: what changes a
 * page later gives it a higher position.
 */
XLogRecPtr
model_log_position(void)
{
	return RecoveryInProgress() ? GetXLogReplayRecPtr(NULL) :
		GetXLogInsertRecPtr();
}

static void
begin_heap(ModelReader *reader, const BlockNumber *list, BlockNumber count)
{
	int			columns = RelationGetDescr(reader->table)->natts;

	reader->list = list;
	reader->list_count = count;
	reader->strategy = list == NULL ? GetAccessStrategy(BAS_BULKREAD) : NULL;
	reader->tuple.t_tableOid = RelationGetRelid(reader->table);
	ItemPointerSetInvalid(&reader->tuple.t_self);
	reader->row_values = palloc(sizeof(Datum) * columns);
	reader->row_nulls = palloc(sizeof(bool) * columns);
	reader->pages.blocks = count;
	reader->pages.rows = palloc_extended(sizeof(PageRows) * Max(count, 1),
										 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	reader->pages.id_capacity = 1024;
	reader->pages.ids = palloc(sizeof(int32) * reader->pages.id_capacity);
}

/* ---------- reading ---------- */

/* What every reader has */
static ModelReader *
create_reader(Relation table, Snapshot snapshot,
			  const ModelDescription *description,
			  const AttrNumber *attributes)
{
	ModelReader *reader = palloc0(sizeof(ModelReader));
	ModelVersion version;

	reader->table = table;
	reader->snapshot = snapshot;
	reader->description = description;
	reader->attributes = attributes;
	model_changes(table, &reader->changes);
	if (image_can_note_pages(table, snapshot))
		image_note_snapshot(&reader->pages, snapshot, model_log_position());
	for (int i = 0; i < description->method->column_count; i++)
		reader->last_attribute = Max(reader->last_attribute, attributes[i]);
	if (!model_read_header(table, snapshot, description, attributes, &version,
						   reader->header_values, reader->header_nulls))
		model_report_no_header(table, description->method);
	return reader;
}

ModelReader *
model_reader_create(Relation table, Snapshot snapshot,
					const ModelDescription *description,
					const AttrNumber *attributes)
{
	ModelReader *reader = create_reader(table, snapshot, description,
										attributes);

	/* from the first block on: ids then come in the order they were written */
	if (table->rd_tableam == GetHeapamTableAmRoutine())
	{
		begin_heap(reader, NULL, RelationGetNumberOfBlocks(table));
		return reader;
	}
	reader->scan = table_beginscan_strat(table, snapshot, 0, NULL, true,
										 false);
	reader->slot = table_slot_create(table, NULL);
	return reader;
}

ModelReader *
model_reader_create_for_blocks(Relation table, Snapshot snapshot,
							   const ModelDescription *description,
							   const AttrNumber *attributes,
							   const BlockNumber *blocks, BlockNumber count)
{
	ModelReader *reader = create_reader(table, snapshot, description,
										attributes);

	begin_heap(reader, blocks, count);
	return reader;
}

void
model_reader_free(ModelReader *reader)
{
	if (reader->scan != NULL)
	{
		ExecDropSingleTupleTableSlot(reader->slot);
		table_endscan(reader->scan);
		return;
	}
	if (BufferIsValid(reader->buffer))
		ReleaseBuffer(reader->buffer);
	reader->buffer = InvalidBuffer;
	if (reader->strategy != NULL)
		FreeAccessStrategy(reader->strategy);
	pfree(reader->pages.rows);
	pfree(reader->pages.ids);
	pfree(reader->row_values);
	pfree(reader->row_nulls);
}

BlockNumber
model_reader_blocks(ModelReader *reader)
{
	return reader->scan == NULL ? reader->list_count :
		RelationGetNumberOfBlocks(reader->table);
}

const ImagePages *
model_reader_pages(ModelReader *reader)
{
	return reader->scan == NULL && reader->pages.noted ? &reader->pages : NULL;
}

bool
model_reader_later_command(ModelReader *reader)
{
	return reader->later_command;
}

const ModelDescription *
model_reader_description(ModelReader *reader)
{
	return reader->description;
}

void
model_reader_header(ModelReader *reader, Datum *values, bool *nulls)
{
	int			count = reader->description->method->column_count;

	memcpy(values, reader->header_values, count * sizeof(Datum));
	memcpy(nulls, reader->header_nulls, count * sizeof(bool));
}

static bool
next_of_scan(ModelReader *reader, Datum *values, bool *nulls)
{
	TupleTableSlot *slot = reader->slot;

	if (!table_scan_getnextslot(reader->scan, ForwardScanDirection, slot))
		return false;
	CHECK_FOR_INTERRUPTS();
	slot_getsomeattrs(slot, reader->last_attribute);
	for (int i = 0; i < reader->description->method->column_count; i++)
	{
		values[i] = slot->tts_values[reader->attributes[i] - 1];
		nulls[i] = slot->tts_isnull[reader->attributes[i] - 1];
	}
	return true;
}

bool
model_reader_next(ModelReader *reader, Datum *values, bool *nulls)
{
	for (;;)
	{
		if (reader->scan != NULL ? !next_of_scan(reader, values, nulls) :
			!next_of_heap(reader, values, nulls))
			return false;
		if (nulls[0] || DatumGetInt32(values[0]) == 0)
			continue;
		if (reader->scan == NULL)
			note_id(reader, DatumGetInt32(values[0]));
		return true;
	}
}
