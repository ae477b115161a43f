/*-------------------------------------------------------------------------
 *
 * column_encoder.c
 *	  Whatever makes vectors of texts, for a column that is kept.
 *
 * An encoder is an SQL function of a model and a text: embed, through which
 * every dense model is reached (model/encoder.h), or one of those that read
 * a vocabulary.  It is called as the executor calls it, with the defaults
 * of its other arguments, at a call site of its own that lives as long as
 * the caller's: so it opens the model once, checks the privileges of whoever
 * runs the statement, and notices every change of the model.
 *
 *-------------------------------------------------------------------------
 */
#include "column/column.h"

#include "access/htup_details.h"
#include "catalog/dependency.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "model/encoder.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "server/extension.h"
#include "type/vector.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

static const ColumnMethod methods[] = {
	{"embed", "embed", "vector", "ktree", "vector_cosine_ops", "<=>", true},
	{"bm25_document", "bm25_query", "sparsevec", "inverted",
	"sparsevec_ip_ops", "<#>", false},
	{"tfidf", "tfidf", "sparsevec", "inverted", "sparsevec_cosine_ops", "<=>",
	false},
	{"count_vector", "count_vector", "sparsevec", "inverted",
	"sparsevec_cosine_ops", "<=>", false}
};

/* arguments of the functions, in order */
enum
{
	ARG_MODEL,
	ARG_INPUT,
	ARG_POOLING,				/* of embed */
	ARG_PROMPT
};

struct ColumnEncoder
{
	const ColumnMethod *method;
	int			dims;			/* of the column; -1: any */
	char	   *column;
	char	   *model;
	FmgrInfo	function;
	FmgrInfo	version;
	Oid			model_oid;
	FunctionCallInfo call;
};

/* ---------- methods ---------- */

const ColumnMethod *
column_method_find(const char *name)
{
	for (int i = 0; i < lengthof(methods); i++)
	{
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	}
	return NULL;
}

const ColumnMethod *
column_method(const char *name)
{
	const char *names[lengthof(methods) + 1] = {NULL};

	for (int i = 0; i < lengthof(methods); i++)
		names[i] = methods[i].name;
	return &methods[choice_index("encoder", name, names)];
}

const ColumnMethod *
column_method_of_model(Oid model)
{
	ModelDescription *description = model_describe(model);

	return column_method(description->method->encoder != NULL ? "embed" :
						 "bm25_document");
}

int
column_method_check(const ColumnMethod *method, FmgrInfo *flinfo, Oid model,
					const char *pooling, const char *prompt)
{
	EncoderRequest request = {.pooling = pooling, .prompt = prompt};
	OpenEncoder encoder;
	Model	   *opened;

	if (method->dense)
	{
		encoder_open(&encoder, flinfo, model_open(flinfo, model, NULL));
		encoder_encode(&encoder, &request, 0, NULL, NULL, NULL);
		return encoder.dims;
	}
	opened = model_open(flinfo, model, model_method_find("vocabulary"));
	return (int) model_option_int(opened->description, "dims");
}

/* ---------- functions ---------- */

/*
 * Fill in the arguments that have defaults: those are the last ones, and
 * constants.
 */
static void
fill_defaults(HeapTuple function, FunctionCallInfo call)
{
	bool		isnull;
	Datum		datum = SysCacheGetAttr(PROCOID, function,
										Anum_pg_proc_proargdefaults, &isnull);
	List	   *defaults;
	int			argument;
	ListCell   *cell;

	if (isnull)
		return;
	defaults = stringToNode(TextDatumGetCString(datum));
	argument = call->nargs - list_length(defaults);
	foreach(cell, defaults)
	{
		Node	   *value = eval_const_expressions(NULL, lfirst(cell));

		if (!IsA(value, Const))
			elog(ERROR, "the default of argument %d is no constant", argument);
		call->args[argument].value = ((Const *) value)->constvalue;
		call->args[argument].isnull = ((Const *) value)->constisnull;
		argument++;
	}
}

static void
prepare_call(ColumnEncoder *encoder, Oid function)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	int			count;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for function %u", function);
	count = ((Form_pg_proc) GETSTRUCT(tuple))->pronargs;
	encoder->call = palloc0(SizeForFunctionCallInfo(count));
	InitFunctionCallInfoData(*encoder->call, &encoder->function, count,
							 DEFAULT_COLLATION_OID, NULL, NULL);
	fill_defaults(tuple, encoder->call);
	ReleaseSysCache(tuple);
}

static void
set_option(ColumnEncoder *encoder, int argument, const char *value)
{
	if (value == NULL)
		return;
	encoder->call->args[argument].value = CStringGetTextDatum(value);
	encoder->call->args[argument].isnull = false;
}

/* ---------- the column ---------- */

/*
 * Whether the column can hold what the encoder makes.  An assignment in SQL
 * would check the number of dimensions: a trigger must do it itself.
 */
static void
check_column(ColumnEncoder *encoder, const KeptColumn *kept, Relation table)
{
	AttrNumber	number = get_attnum(RelationGetRelid(table), kept->column);
	Form_pg_attribute attribute;

	if (number <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of table \"%s\" does not exist",
						kept->column, RelationGetRelationName(table))));
	attribute = TupleDescAttr(RelationGetDescr(table), number - 1);
	if (attribute->atttypid != extension_type(encoder->method->type))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of table \"%s\" is of type %s, and encoder %s makes %s",
						kept->column, RelationGetRelationName(table),
						format_type_be(attribute->atttypid),
						encoder->method->name, encoder->method->type)));
	encoder->dims = attribute->atttypmod;
}

ColumnEncoder *
column_encoder_create(const KeptColumn *kept, Relation table,
					  MemoryContext context)
{
	MemoryContext caller = MemoryContextSwitchTo(context);
	ColumnEncoder *encoder = palloc0(sizeof(ColumnEncoder));
	Oid			function;

	encoder->method = kept_column_method(kept);
	encoder->column = pstrdup(kept->column);
	encoder->model = pstrdup(kept->model);
	encoder->model_oid = kept_column_model(kept, false);
	check_column(encoder, kept, table);
	function = extension_function(encoder->method->name, REGCLASSOID, TEXTOID);
	fmgr_info_cxt(function, &encoder->function, context);
	prepare_call(encoder, function);
	encoder->call->args[ARG_MODEL].value =
		ObjectIdGetDatum(encoder->model_oid);
	if (encoder->method->dense)
	{
		set_option(encoder, ARG_POOLING, kept->pooling);
		set_option(encoder, ARG_PROMPT, kept->prompt);
	}
	function = extension_function("model_version", REGCLASSOID, InvalidOid);
	fmgr_info_cxt(function, &encoder->version, context);
	MemoryContextSwitchTo(caller);
	return encoder;
}

static int
dims_of(const ColumnEncoder *encoder, Datum vector)
{
	if (encoder->method->dense)
		return DatumGetVector(vector)->dims;
	return DatumGetSparseVector(vector)->dims;
}

Datum
column_encode(ColumnEncoder *encoder, const text *input, bool *isnull)
{
	Datum		result;

	encoder->call->args[ARG_INPUT].value = PointerGetDatum(input);
	encoder->call->args[ARG_INPUT].isnull = false;
	encoder->call->isnull = false;
	result = FunctionCallInvoke(encoder->call);
	*isnull = encoder->call->isnull;
	if (!*isnull && encoder->dims > 0 &&
		dims_of(encoder, result) != encoder->dims)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("column \"%s\" has %d dimensions, and model %s makes %d",
						encoder->column, encoder->dims, encoder->model,
						dims_of(encoder, result)),
				 errhint("Keep another column for this model.")));
	return result;
}

Datum
column_encoder_version(ColumnEncoder *encoder)
{
	return FunctionCall1(&encoder->version,
						 ObjectIdGetDatum(encoder->model_oid));
}
