/*-------------------------------------------------------------------------
 *
 * reader.c
 *	  The rows of a model, for the callback that packs them.
 *
 * Straight from the table's access method: a method's image is built from
 * inside whatever query happens to need it first, where no other query
 * should run.
 *
 *-------------------------------------------------------------------------
 */
#include "model/model_private.h"

#include "access/tableam.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"

struct ModelReader
{
	Relation	table;
	Snapshot	snapshot;
	const ModelDescription *description;
	const AttrNumber *attributes;
	AttrNumber	last_attribute; /* the highest of them */
	TableScanDesc scan;
	TupleTableSlot *slot;
	Datum		header_values[MODEL_MAX_COLUMNS];
	bool		header_nulls[MODEL_MAX_COLUMNS];
};

ModelReader *
model_reader_create(Relation table, Snapshot snapshot,
					const ModelDescription *description,
					const AttrNumber *attributes)
{
	ModelReader *reader = palloc0(sizeof(ModelReader));
	ModelVersion version;

	reader->table = table;
	reader->snapshot = snapshot;
	reader->description = description;
	reader->attributes = attributes;
	for (int i = 0; i < description->method->column_count; i++)
		reader->last_attribute = Max(reader->last_attribute, attributes[i]);
	if (!model_read_header(table, snapshot, description, attributes, &version,
						   reader->header_values, reader->header_nulls))
		model_report_no_header(table, description->method);

	/* from the first block on: ids then come in the order they were written */
	reader->scan = table_beginscan_strat(table, snapshot, 0, NULL, true,
										 false);
	reader->slot = table_slot_create(table, NULL);
	return reader;
}

void
model_reader_free(ModelReader *reader)
{
	ExecDropSingleTupleTableSlot(reader->slot);
	table_endscan(reader->scan);
}

BlockNumber
model_reader_blocks(ModelReader *reader)
{
	return RelationGetNumberOfBlocks(reader->table);
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

bool
model_reader_next(ModelReader *reader, Datum *values, bool *nulls)
{
	TupleTableSlot *slot = reader->slot;

	while (table_scan_getnextslot(reader->scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		slot_getsomeattrs(slot, reader->last_attribute);
		for (int i = 0; i < reader->description->method->column_count; i++)
		{
			values[i] = slot->tts_values[reader->attributes[i] - 1];
			nulls[i] = slot->tts_isnull[reader->attributes[i] - 1];
		}
		if (!nulls[0] && DatumGetInt32(values[0]) != 0)
			return true;
	}
	return false;
}
