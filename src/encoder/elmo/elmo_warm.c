/*-------------------------------------------------------------------------
 *
 * elmo_warm.c
 *	  A state that texts begin with, instead of zeros.
 *
 * The published code never starts from zeros but once: its state goes on from
 * sentence to sentence.  Whoever wants vectors like those without their
 * dependence on what was read before lets the model read some texts once; the
 * state that they leave is kept with the model, as a file of its folder, and
 * every text begins from it.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/elmo/elmo_model.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "format/format.h"
#include "miscadmin.h"
#include "server/execute.h"
#include "server/extension.h"
#include "server/query.h"
#include "tcop/utility.h"
#include "train/corpus.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

EMBED_FUNCTION(elmo_warm_state);

float *
elmo_start_of_folder(const NetworkFolder *network, const ElmoOptions *options)
{
	Size		floats = elmo_start_floats(options);
	Size		length;
	char	   *bytes;
	float	   *start;
	int			file = 0;

	while (file < network->count &&
		   strcmp(network->files[file].name, ELMO_STATE_FILE) != 0)
		file++;
	if (file == network->count)
		return NULL;
	bytes = network_folder_text(network, file, &length);
	if (length != ELMO_STATE_MAGIC_BYTES + sizeof(float) * floats ||
		memcmp(bytes, ELMO_STATE_MAGIC, ELMO_STATE_MAGIC_BYTES) != 0)
		network_folder_refuse(network, FORMAT_MALFORMED,
							  psprintf("\"%s\" is not a state of this model.",
									   ELMO_STATE_FILE));
	start = palloc_extended(sizeof(float) * floats, MCXT_ALLOC_HUGE);
	tensor_to_floats(TENSOR_F32, bytes + ELMO_STATE_MAGIC_BYTES, floats,
					 start);
	if (format_first_not_finite(start, (int) floats) >= 0)
		network_folder_refuse(network, FORMAT_NOT_FINITE,
							  psprintf("\"%s\" has a value that is not finite.",
									   ELMO_STATE_FILE));
	pfree(bytes);
	return start;
}

/* ---------- computing it ---------- */

/* What all texts of the corpus leave, one read after the other, as a file. */
static bytea *
read_corpus(ElmoSite *site, const char *query, int64 *texts)
{
	Size		floats = elmo_state_floats(&site->elmo);
	Size		bytes = VARHDRSZ + ELMO_STATE_MAGIC_BYTES +
						sizeof(float) * floats;
	float	   *state = palloc0(sizeof(float) * floats);
	QueryReader *reader = query_open(&corpus_of_texts, query);
	bytea	   *result;

	*texts = 0;
	while (query_next(reader))
	{
		const QueryValue *value = query_value(reader, 0);
		EncoderText text = {value->text, value->length};

		elmo_read_on(site, &text, state);
		++*texts;
	}
	query_close(reader);
	if (*texts == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the corpus is empty"),
				 errdetail("The query gave no text.")));
	if (format_first_not_finite(state, (int) floats) >= 0)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("value out of range: overflow")));
	result = palloc(bytes);
	SET_VARSIZE(result, bytes);
	memcpy(VARDATA(result), ELMO_STATE_MAGIC, ELMO_STATE_MAGIC_BYTES);
	memcpy(VARDATA(result) + ELMO_STATE_MAGIC_BYTES, state,
		   sizeof(float) * floats);
	return result;
}

/* Keeps other writers out, and asks for the right to write. */
static void
lock_table(Oid table)
{
	ModelCaller caller;

	model_become_writer(table, &caller);
	execute_command(psprintf("LOCK TABLE ONLY %s IN SHARE ROW EXCLUSIVE MODE",
							 qualified_relation_name(table)), SPI_OK_UTILITY);
	model_become_caller(&caller);
}

/* The file takes the place of the one before, if there is one. */
static void
write_state(Oid table, bytea *data)
{
	static const Oid types[] = {BYTEAOID, INT4ARRAYOID};
	char	   *name = qualified_relation_name(table);
	Datum		shape;
	Datum		values[2];
	ExecuteArguments arguments = {2, types, values, NULL};
	ModelCaller caller;

	model_become_writer(table, &caller);
	execute_command(psprintf("DELETE FROM %s WHERE name OPERATOR(pg_catalog.=) '%s'",
							 name, ELMO_STATE_FILE), SPI_OK_DELETE);
	if (data != NULL)
	{
		shape = Int32GetDatum((int32) VARSIZE_ANY_EXHDR(data));
		values[0] = PointerGetDatum(data);
		values[1] = PointerGetDatum(construct_array(&shape, 1, INT4OID,
													sizeof(int32), true,
													TYPALIGN_INT));
		execute_with(psprintf("INSERT INTO %s (id, name, part, element, shape, data)"
							  " SELECT pg_catalog.max(id) OPERATOR(pg_catalog.+) 1, '%s', 1, '%s', $2, $1 FROM %s",
							  name, ELMO_STATE_FILE, ELEMENT_FILE, name),
					 SPI_OK_INSERT, &arguments);
	}
	model_become_caller(&caller);
}

/* elmo_warm_state(model regclass, corpus text) -> bigint */
Datum
elmo_warm_state(PG_FUNCTION_ARGS)
{
	int64		texts = 0;
	bytea	   *data = NULL;
	Model	   *model;
	ElmoSite   *site;
	Oid			table;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("model must not be null")));
	PreventCommandIfReadOnly("UPDATE");
	PreventCommandIfParallelMode("UPDATE");
	PreventCommandDuringRecovery("UPDATE");
	table = PG_GETARG_OID(0);
	lock_table(table);
	/* what was committed while we waited for the lock */
	PushActiveSnapshot(GetLatestSnapshot());
	model = model_open(fcinfo->flinfo, table, &elmo_method);
	if (!PG_ARGISNULL(1))
	{
		site = elmo_site(fcinfo->flinfo, model,
						 call_site_state(fcinfo->flinfo, &elmo_encoder));
		data = read_corpus(site, text_to_cstring(PG_GETARG_TEXT_PP(1)),
						   &texts);
	}
	PopActiveSnapshot();
	write_state(table, data);
	network_sums_refresh(table);
	PG_RETURN_INT64(texts);
}
