/*-------------------------------------------------------------------------
 *
 * open.c
 *	  Opening a model for one call of a function.
 *
 * What a call may see depends on its snapshot, its user and its model.  As
 * long as all three are those of the last call from the same place, the
 * answer is the same, and the call costs a comparison.  Otherwise rights are
 * checked and row 0 is read (header.c); its version names the image.
 *
 *-------------------------------------------------------------------------
 */
#include "model/model_private.h"

#include "access/relation.h"
#include "access/xact.h"
#include "model/call_site.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/relcache.h"
#include "utils/snapmgr.h"

EMBED_FUNCTION(model_version);

/* ---------- snapshots ---------- */

/*
 * Two snapshots of one backend with equal identities see the same rows.
 *
 * Of others: transactions at or after xmax are not seen, and of those before
 * it all but the ones then running.  Once such a transaction has ended it
 * never runs again, so with an equal xmax the set can only have shrunk, and
 * with an equal size it is the same.  Of our own: the command counter grows
 * with every change, and what a rolled back subtransaction took away had
 * been seen under another subtransaction.
 */
void
snapshot_identify(Snapshot snapshot, SnapshotIdentity *identity)
{
	identity->xmin = snapshot->xmin;
	identity->xmax = snapshot->xmax;
	identity->running = snapshot->xcnt;
	identity->running_subtransactions = snapshot->subxcnt;
	identity->command = snapshot->curcid;
	identity->transaction = my_local_transaction_id();
	identity->subtransaction = GetCurrentSubTransactionId();
	identity->recovery = snapshot->takenDuringRecovery;
}

static Snapshot
current_snapshot(void)
{
	return ActiveSnapshotSet() ? GetActiveSnapshot() :
		GetTransactionSnapshot();
}

/* ---------- rights ---------- */

ModelDescription *
model_check_readable(Relation table, const ModelMethod *method,
					 AttrNumber *attributes)
{
	ModelDescription *description;

	if (pg_class_aclcheck(RelationGetRelid(table), GetUserId(),
						  ACL_SELECT) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for table %s",
						RelationGetRelationName(table)),
				 errdetail("To use an embedding model, role \"%s\" needs SELECT on its table.",
						   GetUserNameFromId(GetUserId(), false)),
				 errhint("The owner may GRANT SELECT on it.")));
	description = model_describe(RelationGetRelid(table));
	if (method != NULL)
		model_require_method(description, method->name);
	model_check_table(table);
	model_check_columns(table, description->method, attributes);
	return description;
}

ModelDescription *
model_describe_readable(Oid table)
{
	Relation	relation = model_table_open(table, AccessShareLock);
	AttrNumber	attributes[MODEL_MAX_COLUMNS];
	ModelDescription *description = model_check_readable(relation, NULL,
														 attributes);

	relation_close(relation, NoLock);
	return description;
}

/* ---------- opening ---------- */

static Image *
acquire_current_image(Oid relation, const ModelMethod *method,
					  Snapshot snapshot)
{
	/*
	 * The lock is kept to the end of the transaction, as a SELECT would, so
	 * that a TRUNCATE waits for those who still want to see the old rows.
	 */
	Relation	table = model_table_open(relation, AccessShareLock);
	AttrNumber	attributes[MODEL_MAX_COLUMNS];
	ModelDescription *description = model_check_readable(table, method,
														 attributes);
	ModelVersion version;
	Image	   *image;

	if (!model_read_header(table, snapshot, description, attributes, &version,
						   NULL, NULL))
		model_report_no_header(table, description->method);
	image = image_acquire(table, snapshot, &version, description, attributes);
	relation_close(table, NoLock);
	return image;
}

static void
let_go(CallSiteModel *opened)
{
	opened->model.table = InvalidOid;
	if (opened->model.image != NULL)
		image_release(opened->model.image);
	opened->model.image = NULL;
}

static void
reopen(CallSiteModel *opened, Oid relation, const ModelMethod *method,
	   Snapshot snapshot)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext,
											   "embed model opening",
											   ALLOCSET_SMALL_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(work);
	Image	   *image;

	/*
	 * Nothing of the last call counts if this one fails.  What it used is let
	 * go first, so that the next image may be made of it.
	 */
	let_go(opened);
	image = acquire_current_image(relation, method, snapshot);
	opened->model.image = image;
	opened->model.version = image->serial;
	opened->model.description = image->description;
	opened->model.table = relation;
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(work);
}

Model *
model_open_further(FmgrInfo *flinfo, int number, Oid table,
				   const ModelMethod *method)
{
	CallSite   *site = call_site_get(flinfo);
	CallSiteModel *opened = &site->models[number];
	Snapshot	snapshot = current_snapshot();
	SnapshotIdentity identity;

	Assert(number < CALL_SITE_MODELS);
	memset(&identity, 0, sizeof(identity));
	snapshot_identify(snapshot, &identity);
	if (opened->model.table != table || opened->user != GetUserId() ||
		memcmp(&identity, &opened->snapshot, sizeof(identity)) != 0 ||
		!image_is_current(opened->model.image, snapshot))
	{
		PushActiveSnapshot(snapshot);
		reopen(opened, table, method, snapshot);
		PopActiveSnapshot();
		opened->user = GetUserId();
		opened->snapshot = identity;
	}
	site->model_count = number + 1;
	return &opened->model;
}

Model *
model_open(FmgrInfo *flinfo, Oid table, const ModelMethod *method)
{
	return model_open_further(flinfo, 0, table, method);
}

void
model_close(FmgrInfo *flinfo)
{
	CallSite   *site = call_site_get(flinfo);

	for (int i = 0; i < CALL_SITE_MODELS; i++)
		let_go(&site->models[i]);
}

const void *
model_section(const Model *model, int section, Size *bytes)
{
	const ImageHeader *header = (const ImageHeader *) model->image->base;

	Assert(section >= 0 && section < header->section_count);
	if (bytes != NULL)
		*bytes = header->section_bytes[section];
	return model->image->base + header->section_start[section];
}

/* model_version(model) -> text */
Datum
model_version(PG_FUNCTION_ARGS)
{
	Relation	table = model_table_open(PG_GETARG_OID(0), AccessShareLock);
	AttrNumber	attributes[MODEL_MAX_COLUMNS];
	ModelDescription *description = model_check_readable(table, NULL,
														 attributes);
	ModelVersion version;

	if (!model_read_header(table, current_snapshot(), description, attributes,
						   &version, NULL, NULL))
		model_report_no_header(table, description->method);
	relation_close(table, NoLock);
	PG_RETURN_TEXT_P(cstring_to_text(model_version_text(&version)));
}
