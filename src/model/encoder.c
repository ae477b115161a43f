/*-------------------------------------------------------------------------
 *
 * encoder.c
 *	  Texts as dense vectors, by whatever model: embed() and its like.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "model/encoder.h"
#include "server/extension.h"
#include "server/set_result.h"
#include "type/vector.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

EMBED_FUNCTION(embed);
EMBED_FUNCTION(embed_array);
EMBED_FUNCTION(embed_tokens);

/* texts of an array that are encoded together: networks like many */
#define BATCH_TEXTS 256

/* ---------- the face ---------- */

void
encoder_open(OpenEncoder *open, FmgrInfo *flinfo, Model *model)
{
	const ModelMethod *method = model->description->method;
	void	  **state;

	if (method->encoder == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("embedding model \"%s\" makes no dense vectors",
						model->description->table_name),
				 errdetail("It is a model of method \"%s\".", method->name),
				 errhint("Use tfidf(), bm25_document() or count_vector() with a vocabulary.")));
	state = call_site_state_of(flinfo, method->encoder, model);
	open->encoder = method->encoder;
	open->model = model;
	open->dims = method->encoder->open(flinfo, model, state);
	open->state = *state;
}

static void
check_request(const OpenEncoder *open, const EncoderRequest *request)
{
	if (request->pooling != NULL)
		(void) choice_index("pooling", request->pooling,
							open->encoder->poolings);
	if (request->prompt != NULL && !open->encoder->takes_prompts)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model \"%s\" takes no prompt",
						open->model->description->table_name)));
}

void
encoder_encode(const OpenEncoder *open, const EncoderRequest *request,
			   int count, const EncoderText *texts, float *rows, bool *known)
{
	check_request(open, request);
	open->encoder->encode(open->state, request, count, texts, rows, known);
}

/* ---------- SQL ---------- */

/* arguments of embed() and embed_array(), in order */
enum
{
	ARG_MODEL,
	ARG_INPUT,
	ARG_POOLING,
	ARG_PROMPT
};

static EncoderRequest
read_request(FunctionCallInfo fcinfo)
{
	EncoderRequest request = {.layer = ENCODER_OUTPUT};

	if (!PG_ARGISNULL(ARG_POOLING))
		request.pooling = text_to_cstring(PG_GETARG_TEXT_PP(ARG_POOLING));
	if (!PG_ARGISNULL(ARG_PROMPT))
		request.prompt = text_to_cstring(PG_GETARG_TEXT_PP(ARG_PROMPT));
	return request;
}

Vector *
encoder_vector(const float *row, int dims)
{
	Vector	   *vector = vector_create(dims);

	for (int i = 0; i < dims; i++)
	{
		if (!isfinite(row[i]))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("value out of range: overflow")));
		vector->x[i] = row[i];
	}
	return vector;
}

/* embed(model, input, pooling, prompt) -> vector */
Datum
embed(PG_FUNCTION_ARGS)
{
	Model	   *model;
	OpenEncoder open;
	EncoderRequest request;
	EncoderText input;
	text	   *argument;
	float	   *row;
	bool		known;
	Datum		result = (Datum) 0;

	if (PG_ARGISNULL(ARG_MODEL) || PG_ARGISNULL(ARG_INPUT))
		PG_RETURN_NULL();
	model = model_open(fcinfo->flinfo, PG_GETARG_OID(ARG_MODEL), NULL);
	if (call_site_lookup(fcinfo, &result))
		return result;
	encoder_open(&open, fcinfo->flinfo, model);
	request = read_request(fcinfo);
	argument = PG_GETARG_TEXT_PP(ARG_INPUT);
	input.text = VARDATA_ANY(argument);
	input.length = VARSIZE_ANY_EXHDR(argument);
	row = palloc(sizeof(float) * Max(open.dims, 1));
	encoder_encode(&open, &request, 1, &input, row, &known);
	fcinfo->isnull = !known;
	if (known)
		result = PointerGetDatum(encoder_vector(row, open.dims));
	return call_site_store(fcinfo, result);
}

/*
 * Replace texts by their vectors, or by NULL.
 */
static void
encode_array(const OpenEncoder *open, const EncoderRequest *request,
			 int count, Datum *values, bool *nulls)
{
	float	   *rows = palloc(sizeof(float) * Max(open->dims, 1) *
							  BATCH_TEXTS);
	EncoderText texts[BATCH_TEXTS];
	int			places[BATCH_TEXTS];
	bool		known[BATCH_TEXTS];
	int			batch = 0;

	/* checked even when there is nothing to encode */
	encoder_encode(open, request, 0, texts, rows, known);
	for (int i = 0; i < count; i++)
	{
		if (!nulls[i])
		{
			text	   *input = DatumGetTextPP(values[i]);

			texts[batch].text = VARDATA_ANY(input);
			texts[batch].length = VARSIZE_ANY_EXHDR(input);
			places[batch++] = i;
		}
		if (batch == 0 || (batch < BATCH_TEXTS && i + 1 < count))
			continue;
		CHECK_FOR_INTERRUPTS();
		encoder_encode(open, request, batch, texts, rows, known);
		for (int n = 0; n < batch; n++)
		{
			nulls[places[n]] = !known[n];
			values[places[n]] = !known[n] ? (Datum) 0 :
				PointerGetDatum(encoder_vector(rows + (Size) n * open->dims,
											  open->dims));
		}
		batch = 0;
	}
	pfree(rows);
}

/* embed_array(model, inputs, pooling, prompt) -> vector[] */
Datum
embed_array(PG_FUNCTION_ARGS)
{
	OpenEncoder open;
	EncoderRequest request;
	ArrayType  *inputs;
	Datum	   *values;
	bool	   *nulls;
	int			count;
	Oid			vector_type = get_element_type(
				get_fn_expr_rettype(fcinfo->flinfo));

	if (PG_ARGISNULL(ARG_MODEL) || PG_ARGISNULL(ARG_INPUT))
		PG_RETURN_NULL();
	encoder_open(&open, fcinfo->flinfo,
				 model_open(fcinfo->flinfo, PG_GETARG_OID(ARG_MODEL), NULL));
	request = read_request(fcinfo);
	inputs = PG_GETARG_ARRAYTYPE_P(ARG_INPUT);
	deconstruct_array(inputs, TEXTOID, -1, false, TYPALIGN_INT, &values,
					  &nulls, &count);
	encode_array(&open, &request, count, values, nulls);
	if (!OidIsValid(vector_type))
		vector_type = extension_type("vector");
	PG_RETURN_ARRAYTYPE_P(construct_md_array(values, nulls, ARR_NDIM(inputs),
											 ARR_DIMS(inputs),
											 ARR_LBOUND(inputs), vector_type,
											 -1, false, TYPALIGN_INT));
}

typedef struct TokenResult
{
	struct ReturnSetInfo *set;
	int			dims;
} TokenResult;

static void
add_token(void *argument, int position, const char *token, int length,
		  const float *vector)
{
	TokenResult *result = argument;
	Datum		values[3];
	bool		nulls[3] = {false, false, vector == NULL};

	CHECK_FOR_INTERRUPTS();
	values[0] = Int32GetDatum(position);
	values[1] = PointerGetDatum(cstring_to_text_with_len(token, length));
	values[2] = vector == NULL ? (Datum) 0 :
		PointerGetDatum(encoder_vector(vector, result->dims));
	set_result_add(result->set, values, nulls);
	pfree(DatumGetPointer(values[1]));
	if (vector != NULL)
		pfree(DatumGetPointer(values[2]));
}

/* arguments of embed_tokens(), in order */
enum
{
	TOKENS_MODEL,
	TOKENS_INPUT,
	TOKENS_UNIT,
	TOKENS_LAYER
};

static void
read_token_request(FunctionCallInfo fcinfo, const OpenEncoder *open,
				   EncoderRequest *request)
{
	const char *const *units = open->encoder->units;

	request->unit = units[0];
	if (!PG_ARGISNULL(TOKENS_UNIT))
	{
		char	   *unit = text_to_cstring(PG_GETARG_TEXT_PP(TOKENS_UNIT));

		request->unit = units[choice_index("unit", unit, units)];
	}
	request->layer = ENCODER_OUTPUT;
	if (PG_ARGISNULL(TOKENS_LAYER))
		return;
	request->layer = PG_GETARG_INT32(TOKENS_LAYER);
	if (!open->encoder->takes_layers)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model \"%s\" has no layers",
						open->model->description->table_name)));
	if (request->layer < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("layer must not be negative")));
}

/* embed_tokens(model, input, unit, layer) -> (position, token, embedding) */
Datum
embed_tokens(PG_FUNCTION_ARGS)
{
	EncoderRequest request = {.layer = ENCODER_OUTPUT};
	OpenEncoder open;
	EncoderText input;
	TokenResult result;
	text	   *argument;

	result.set = set_result_begin(fcinfo);
	if (PG_ARGISNULL(TOKENS_MODEL) || PG_ARGISNULL(TOKENS_INPUT))
		return (Datum) 0;
	encoder_open(&open, fcinfo->flinfo,
				 model_open(fcinfo->flinfo, PG_GETARG_OID(TOKENS_MODEL),
							NULL));
	read_token_request(fcinfo, &open, &request);
	argument = PG_GETARG_TEXT_PP(TOKENS_INPUT);
	input.text = VARDATA_ANY(argument);
	input.length = VARSIZE_ANY_EXHDR(argument);
	result.dims = open.encoder->token_dims != NULL ?
		open.encoder->token_dims(open.state) : open.dims;
	open.encoder->tokens(open.state, &request, &input, add_token, &result);
	return (Datum) 0;
}
