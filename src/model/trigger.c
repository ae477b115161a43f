/*-------------------------------------------------------------------------
 *
 * trigger.c
 *	  The trigger of a model: every change gives row 0 a new version.
 *
 * Row 0 is updated to itself.  Its new place and transaction then tell every
 * reader, under whatever snapshot, that the contents are others; nothing has
 * to be sent to anybody.  The totals it holds are left as they are: they
 * belong to the corpus, not to the rows that remain of it.
 *
 * A logical replication worker changes nothing here: the publisher's row 0
 * comes as a row in the same transaction, and a row 0 of our own making
 * would collide with it.  For the same reason TRUNCATE leaves no row 0
 * behind, and none is made where there is none: the rows of a dump are
 * about to bring it.
 *
 *-------------------------------------------------------------------------
 */
#include "model/model_private.h"

#include "access/xact.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "replication/logicalworker.h"
#include "server/extension.h"
#include "storage/proc.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"

EMBED_FUNCTION(embed_model);

/*
 * A version that nobody can have seen need not be replaced.  Until this
 * subtransaction ends, or reads the model itself, it is alone with its
 * changes, so one new version serves all of them: a million single INSERTs
 * in one transaction would otherwise leave a million dead versions of row 0
 * for each next one to step over.
 */
typedef struct Touched
{
	Oid			table;			/* hash key */
	LocalTransactionId transaction;
	SubTransactionId subtransaction;
} Touched;

static HTAB *touched_tables = NULL;

/* Set while the trigger's own UPDATE of this table runs */
static Oid	touching = InvalidOid;

static Touched *
touched_entry(Oid table, HASHACTION action)
{
	if (touched_tables == NULL)
	{
		HASHCTL		control = {0};

		if (action == HASH_FIND)
			return NULL;
		control.keysize = sizeof(Oid);
		control.entrysize = sizeof(Touched);
		touched_tables = hash_create("embed changed models", 16, &control,
									 HASH_ELEM | HASH_BLOBS);
	}
	return hash_search(touched_tables, &table, action, NULL);
}

void
model_observed(Oid table)
{
	Touched    *entry = touched_entry(table, HASH_FIND);

	if (entry != NULL)
		entry->subtransaction = InvalidSubTransactionId;
}

static bool
is_touched(Oid table)
{
	Touched    *entry = touched_entry(table, HASH_FIND);

	return entry != NULL &&
		entry->transaction == my_local_transaction_id() &&
		entry->subtransaction == GetCurrentSubTransactionId();
}

/* Update row 0 to itself; false if there is none */
static bool
update_header(Oid table)
{
	char	   *command = psprintf("UPDATE ONLY %s SET id = id WHERE id OPERATOR(pg_catalog.=) 0",
								   qualified_relation_name(table));
	int			code;
	bool		found;

	SPI_connect();
	code = SPI_execute(command, false, 0);
	if (code != SPI_OK_UPDATE)
		elog(ERROR, "could not update row 0 of an embedding model: %s",
			 SPI_result_code_string(code));
	found = SPI_processed > 0;
	SPI_finish();
	return found;
}

/*
 * With the rights of the table's owner: who may insert a word need not be
 * allowed to update anything.
 */
static void
touch_model(Relation table)
{
	Oid			relation = RelationGetRelid(table);
	Oid			outer_touching = touching;
	Oid			user;
	int			context;
	bool		found = false;

	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(table->rd_rel->relowner,
						   context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION);
	touching = relation;
	PG_TRY();
	{
		found = update_header(relation);
	}
	PG_FINALLY();
	{
		touching = outer_touching;
	}
	PG_END_TRY();
	SetUserIdAndSecContext(user, context);

	if (found)
	{
		Touched    *entry = touched_entry(relation, HASH_ENTER);

		entry->transaction = my_local_transaction_id();
		entry->subtransaction = GetCurrentSubTransactionId();
	}
}

Datum
embed_model(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	Oid			table;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by trigger manager",
						MODEL_TRIGGER)));
	if (!TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be fired AFTER each STATEMENT",
						MODEL_TRIGGER)));
	table = RelationGetRelid(trigger->tg_relation);
	if (table == touching || IsLogicalWorker() ||
		TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event) || is_touched(table))
		return PointerGetDatum(NULL);
	touch_model(trigger->tg_relation);
	return PointerGetDatum(NULL);
}
