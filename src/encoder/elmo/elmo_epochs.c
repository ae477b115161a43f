/*-------------------------------------------------------------------------
 *
 * elmo_epochs.c
 *	  SQL procedure train_elmo_epochs: training that keeps every epoch.
 *
 * Each epoch is a call of train_elmo() in a transaction of its own, which
 * goes on from the model that the one before has left.  The model says how
 * many epochs it has had, so the same call goes on where it was stopped.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/elmo/elmo_training.h"

#include "catalog/namespace.h"
#include "catalog/pg_type_d.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "server/arguments.h"
#include "server/extension.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/varlena.h"

EMBED_FUNCTION(train_elmo_epochs);

/* arguments of the SQL procedure, in order; the first of train_elmo's */
#define ARG_MODEL 0
#define ARG_EPOCHS 11
#define ARG_SEED 17
#define ARG_MIN_COUNT 18

/* of train_elmo, where they are others */
#define CALLED_FROM_MODEL 18
#define CALLED_REPLACE 19
#define CALLED_MIN_COUNT 20
#define CALLED_ARGUMENTS 21

#define DEFAULT_EPOCHS 10

static void
check_call(FunctionCallInfo fcinfo)
{
	argument_require(fcinfo, 0, "model");
	argument_require(fcinfo, 1, "corpus");
	if (!PG_ARGISNULL(ARG_EPOCHS) && PG_GETARG_INT32(ARG_EPOCHS) < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("epochs must be at least 1"),
				 errdetail("It is %d.", PG_GETARG_INT32(ARG_EPOCHS))));
	if (fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("train_elmo_epochs cannot run inside a transaction block or a function"),
				 errdetail("It commits after every epoch."),
				 errhint("Call it outside of any transaction, or use train_elmo().")));
}

/* The model of this name, or InvalidOid. */
static Oid
find_model(const char *name)
{
	List	   *names = textToQualifiedNameList(cstring_to_text(name));

	return RangeVarGetRelid(makeRangeVarFromNameList(names), NoLock, true);
}

static int64
epochs_of(Oid model)
{
	ModelDescription *description;

	if (!OidIsValid(model))
		return 0;
	description = model_describe(model);
	model_require_method(description, elmo_method.name);
	return model_option_int(description, "epochs");
}

/* Calls train_elmo, whose own function it is, not one found by its name. */
static void
train_epoch(FunctionCallInfo fcinfo, Oid model)
{
	LOCAL_FCINFO(call, CALLED_ARGUMENTS);
	FmgrInfo	function;

	fmgr_info(extension_function("train_elmo", TEXTOID, TEXTOID), &function);
	InitFunctionCallInfoData(*call, &function, CALLED_ARGUMENTS, InvalidOid,
							 NULL, NULL);
	for (int i = 0; i <= ARG_SEED; i++)
		call->args[i] = fcinfo->args[i];
	call->args[ARG_EPOCHS].value = Int32GetDatum(1);
	call->args[ARG_EPOCHS].isnull = false;
	call->args[CALLED_FROM_MODEL].value = ObjectIdGetDatum(model);
	call->args[CALLED_FROM_MODEL].isnull = !OidIsValid(model);
	call->args[CALLED_REPLACE].value = BoolGetDatum(OidIsValid(model));
	call->args[CALLED_REPLACE].isnull = false;
	call->args[CALLED_MIN_COUNT] = fcinfo->args[ARG_MIN_COUNT];
	(void) FunctionCallInvoke(call);
}

/* train_elmo_epochs(model, corpus, ...) */
Datum
train_elmo_epochs(PG_FUNCTION_ARGS)
{
	MemoryContext context;
	int64		epochs;
	char	   *name;

	check_call(fcinfo);
	epochs = PG_ARGISNULL(ARG_EPOCHS) ? DEFAULT_EPOCHS :
		PG_GETARG_INT32(ARG_EPOCHS);
	name = text_to_cstring(PG_GETARG_TEXT_PP(ARG_MODEL));
	context = AllocSetContextCreate(fcinfo->flinfo->fn_mcxt,
									"embed epoch", ALLOCSET_DEFAULT_SIZES);
	if (SPI_connect_ext(SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	for (;;)
	{
		MemoryContext caller;
		Oid			model;

		CHECK_FOR_INTERRUPTS();
		PushActiveSnapshot(GetTransactionSnapshot());
		model = find_model(name);
		if (epochs_of(model) >= epochs)
		{
			PopActiveSnapshot();
			break;
		}
		caller = MemoryContextSwitchTo(context);
		train_epoch(fcinfo, model);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(context);
		PopActiveSnapshot();
		SPI_commit();
		SPI_start_transaction();
	}
	SPI_finish();
	PG_RETURN_VOID();
}
