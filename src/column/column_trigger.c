/*-------------------------------------------------------------------------
 *
 * column_trigger.c
 *	  embed_update_trigger: keeps a column of vectors fresh.
 *
 * In the manner of tsvector_update_trigger, with what that leaves to be
 * wished for: it computes only when a source has changed, so that an UPDATE
 * of a counter costs no network's forward pass, and it leaves alone what
 * the statement itself has set, so that vectors that were copied, restored
 * or computed elsewhere come in as they are.
 *
 *-------------------------------------------------------------------------
 */
#include "column/column.h"

#include "access/htup_details.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

EMBED_FUNCTION(embed_update_trigger);

/* One source column, or the column that is kept */
typedef struct Field
{
	AttrNumber	number;
	int16		length;
	bool		by_value;
	bool		padded;			/* character(n) */
} Field;

/* What is kept between the rows of a statement */
typedef struct TriggerState
{
	Oid			trigger;
	ColumnEncoder *encoder;
	Field		column;
	AttrNumber	version;		/* or InvalidAttrNumber */
	int			source_count;
	Field	   *sources;
	Datum	   *values;			/* of a row that is taken apart */
	bool	   *nulls;
} TriggerState;

/* ---------- opening ---------- */

static Field
make_field(Form_pg_attribute attribute)
{
	Field		field = {
		.number = attribute->attnum,
		.length = attribute->attlen,
		.by_value = attribute->attbyval,
		.padded = getBaseType(attribute->atttypid) == BPCHAROID
	};

	return field;
}

static TriggerState *
open_state(FmgrInfo *flinfo, TriggerData *data)
{
	TriggerState *state = flinfo->fn_extra;
	KeptColumn *kept;
	int			columns;

	if (state != NULL && state->trigger == data->tg_trigger->tgoid)
		return state;
	kept = kept_column_read(data->tg_relation, data->tg_trigger);
	kept_column_check(kept, data->tg_relation);
	state = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(TriggerState));
	state->trigger = data->tg_trigger->tgoid;
	state->encoder = column_encoder_create(kept, data->tg_relation,
										   flinfo->fn_mcxt);
	state->column = make_field(table_column(data->tg_relation, kept->column));
	if (kept->version != NULL)
		state->version = version_column(data->tg_relation,
										kept->version)->attnum;
	state->source_count = kept->source_count;
	state->sources = MemoryContextAlloc(flinfo->fn_mcxt,
										sizeof(Field) * kept->source_count);
	for (int i = 0; i < kept->source_count; i++)
		state->sources[i] = make_field(source_column(data->tg_relation,
													 kept->sources[i]));
	columns = RelationGetNumberOfAttributes(data->tg_relation);
	state->values = MemoryContextAlloc(flinfo->fn_mcxt,
									   sizeof(Datum) * columns);
	state->nulls = MemoryContextAlloc(flinfo->fn_mcxt,
									  sizeof(bool) * columns);
	flinfo->fn_extra = state;
	return state;
}

/* ---------- one row ---------- */

static bool
is_equal(TupleDesc shape, const Field *field, HeapTuple one, HeapTuple other)
{
	bool		one_null,
				other_null;
	Datum		a = heap_getattr(one, field->number, shape, &one_null);
	Datum		b = heap_getattr(other, field->number, shape, &other_null);

	if (one_null || other_null)
		return one_null && other_null;

	/* an unchanged value out of line is known by its pointer */
	if (field->length == -1 &&
		datumIsEqual(a, b, field->by_value, field->length))
		return true;
	return datum_image_eq(a, b, field->by_value, field->length);
}

static bool
is_null(TupleDesc shape, const Field *field, HeapTuple row)
{
	return heap_attisnull(row, field->number, shape);
}

/*
 * Whether the vector of the new row is to be computed.  A new row: unless it
 * brings one.  A changed row: when a source has changed and the statement has
 * not put another vector in its place; that it has set the column to what it
 * was does not count, since programs write all columns back.
 */
static bool
is_due(const TriggerState *state, const TriggerData *data)
{
	TupleDesc	shape = RelationGetDescr(data->tg_relation);

	if (TRIGGER_FIRED_BY_INSERT(data->tg_event))
		return is_null(shape, &state->column, data->tg_trigtuple);
	for (int i = 0; i < state->source_count; i++)
	{
		if (!is_equal(shape, &state->sources[i], data->tg_trigtuple,
					  data->tg_newtuple))
			return is_equal(shape, &state->column, data->tg_trigtuple,
							data->tg_newtuple);
	}
	return false;
}

static void
append_source(StringInfo buffer, const Field *field, Datum value)
{
	text	   *source = DatumGetTextPP(value);
	const char *bytes = VARDATA_ANY(source);
	int			length = VARSIZE_ANY_EXHDR(source);

	/* blanks at the end of character(n) are no part of it */
	while (field->padded && length > 0 && bytes[length - 1] == ' ')
		length--;
	appendBinaryStringInfo(buffer, bytes, length);
}

/*
 * The sources as paragraphs of one text; NULL when they are all NULL.  One
 * alone is taken as it is.
 */
static text *
join_sources(const TriggerState *state, TupleDesc shape, HeapTuple row)
{
	StringInfoData buffer;
	bool		any = false;

	if (state->source_count == 1 && !state->sources[0].padded)
	{
		bool		isnull;
		Datum		value = heap_getattr(row, state->sources[0].number, shape,
										 &isnull);

		return isnull ? NULL : DatumGetTextPP(value);
	}
	initStringInfo(&buffer);
	for (int i = 0; i < state->source_count; i++)
	{
		bool		isnull;
		Datum		value = heap_getattr(row, state->sources[i].number, shape,
										 &isnull);

		if (isnull)
			continue;
		if (any)
			appendStringInfoString(&buffer, "\n\n");
		any = true;
		append_source(&buffer, &state->sources[i], value);
	}
	return any ? cstring_to_text_with_len(buffer.data, buffer.len) : NULL;
}

/*
 * heap_modify_tuple_by_cols, with room that is there for all rows
 */
static HeapTuple
replace_columns(TriggerState *state, TupleDesc shape, HeapTuple row,
				int count, const int *numbers, const Datum *values,
				const bool *nulls)
{
	HeapTuple	result;

	heap_deform_tuple(row, shape, state->values, state->nulls);
	for (int i = 0; i < count; i++)
	{
		state->values[numbers[i] - 1] = values[i];
		state->nulls[numbers[i] - 1] = nulls[i];
	}
	result = heap_form_tuple(shape, state->values, state->nulls);
	result->t_data->t_ctid = row->t_data->t_ctid;
	result->t_self = row->t_self;
	result->t_tableOid = row->t_tableOid;
	return result;
}

static HeapTuple
compute(TriggerState *state, TupleDesc shape, HeapTuple row)
{
	text	   *input = join_sources(state, shape, row);
	int			numbers[2];
	Datum		values[2];
	bool		nulls[2] = {true, false};
	int			count = 1;

	numbers[0] = state->column.number;
	values[0] = (Datum) 0;
	if (input != NULL)
		values[0] = column_encode(state->encoder, input, &nulls[0]);
	if (state->version != InvalidAttrNumber)
	{
		numbers[1] = state->version;
		values[1] = column_encoder_version(state->encoder);
		count = 2;
	}
	return replace_columns(state, shape, row, count, numbers, values, nulls);
}

/*
 * A vector that the statement has put there is none of the model's: the
 * version must not say so.
 */
static bool
version_is_wrong(const TriggerState *state, const TriggerData *data)
{
	TupleDesc	shape = RelationGetDescr(data->tg_relation);
	Field		version = {.number = state->version, .length = -1};

	return state->version != InvalidAttrNumber &&
		TRIGGER_FIRED_BY_UPDATE(data->tg_event) &&
		!is_null(shape, &version, data->tg_newtuple) &&
		is_equal(shape, &version, data->tg_trigtuple, data->tg_newtuple) &&
		!is_equal(shape, &state->column, data->tg_trigtuple,
				  data->tg_newtuple);
}

static HeapTuple
clear_version(const TriggerState *state, TupleDesc shape, HeapTuple row)
{
	int			number = state->version;
	Datum		value = (Datum) 0;
	bool		isnull = true;

	return heap_modify_tuple_by_cols(row, shape, 1, &number, &value, &isnull);
}

Datum
embed_update_trigger(PG_FUNCTION_ARGS)
{
	TriggerData *data = (TriggerData *) fcinfo->context;
	TriggerState *state;
	HeapTuple	row;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("embed_update_trigger: not called by trigger manager")));
	if (!TRIGGER_FIRED_FOR_ROW(data->tg_event) ||
		!TRIGGER_FIRED_BEFORE(data->tg_event) ||
		TRIGGER_FIRED_BY_DELETE(data->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("embed_update_trigger must be fired before INSERT or UPDATE, for each row"),
				 errhint("CREATE TRIGGER ... BEFORE INSERT OR UPDATE ON ... FOR EACH ROW")));
	row = TRIGGER_FIRED_BY_INSERT(data->tg_event) ? data->tg_trigtuple :
		data->tg_newtuple;
	state = open_state(fcinfo->flinfo, data);
	if (is_due(state, data))
		row = compute(state, RelationGetDescr(data->tg_relation), row);
	else if (version_is_wrong(state, data))
		row = clear_version(state, RelationGetDescr(data->tg_relation), row);
	return PointerGetDatum(row);
}
