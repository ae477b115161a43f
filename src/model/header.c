/*-------------------------------------------------------------------------
 *
 * header.c
 *	  Row 0 of a model: where it is under a snapshot, and what it holds.
 *
 *-------------------------------------------------------------------------
 */
#include "model/model_private.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/syscache.h"

/*
 * By the primary key, if there is one; otherwise the table is read, since a
 * key may yet come.
 */
HeapTuple
model_find_header(Relation table, AttrNumber id, Snapshot snapshot)
{
	Oid			key_index = model_primary_key(table, id);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, id, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(0));
	scan = systable_beginscan(table, key_index, OidIsValid(key_index),
							  snapshot, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		tuple = heap_copytuple(tuple);
	systable_endscan(scan);
	return tuple;
}

/* An error where row 0 would not be found by a key */
static void
require_primary_key(Relation table, AttrNumber id)
{
	if (!OidIsValid(model_primary_key(table, id)))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("embedding model \"%s\" has no primary key (id)",
						RelationGetRelationName(table)),
				 errdetail("Row 0 of a model, which identifies its contents, is found by primary key."),
				 errhint("Use ALTER TABLE ... ADD PRIMARY KEY (id).")));
}

static TransactionId
shape_xmin(Relation table, AttrNumber id)
{
	HeapTuple	tuple;
	TransactionId xmin;

	tuple = SearchSysCache2(ATTNUM,
							ObjectIdGetDatum(RelationGetRelid(table)),
							Int16GetDatum(id));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for attribute %d of relation %u", id,
			 RelationGetRelid(table));
	xmin = HeapTupleHeaderGetRawXmin(tuple->t_data);
	ReleaseSysCache(tuple);
	return xmin;
}

static void
set_version(ModelVersion *version, Relation table, AttrNumber id,
			HeapTuple header, const ModelDescription *description)
{
	memset(version, 0, sizeof(ModelVersion));
	version->table = RelationGetRelid(table);
	version->file_number = table->rd_rel->relfilenode;
	version->xmin = HeapTupleHeaderGetRawXmin(header->t_data);
	version->block = ItemPointerGetBlockNumber(&header->t_self);
	version->offset = ItemPointerGetOffsetNumber(&header->t_self);
	version->description_hash = description->hash;
	version->shape_xmin = shape_xmin(table, id);
}

bool
model_read_header(Relation table, Snapshot snapshot,
				  const ModelDescription *description,
				  const AttrNumber *attributes, ModelVersion *version,
				  Datum *header_values, bool *header_nulls)
{
	HeapTuple	header;

	require_primary_key(table, attributes[0]);
	header = model_find_header(table, attributes[0], snapshot);
	if (header == NULL)
		return false;
	set_version(version, table, attributes[0], header, description);
	if (header_values == NULL)
	{
		heap_freetuple(header);
		return true;
	}
	for (int i = 0; i < description->method->column_count; i++)
		header_values[i] = heap_getattr(header, attributes[i],
										RelationGetDescr(table),
										&header_nulls[i]);
	return true;
}

void
model_report_no_header(Relation table, const ModelMethod *method)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("embedding model \"%s\" has no row 0",
					RelationGetRelationName(table)),
			 errdetail("The row with id 0 holds the totals of a model and identifies its contents."),
			 method->header_needed ?
			 errhint("Load it with the other rows, or train the model again with replace => true.") :
			 errhint("Load it with the other rows, or call embed_refresh().")));
}

char *
model_version_text(const ModelVersion *version)
{
	return psprintf("%u.%08X%08X%04X", version->file_number, version->xmin,
					version->block, version->offset);
}
