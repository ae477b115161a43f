/*-------------------------------------------------------------------------
 *
 * elmo_sql.c
 *	  SQL functions of an ELMo: its layers, a word in a sentence, and
 *	  vectors of texts and words by a mix of layers of the caller's.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/elmo/elmo_model.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "server/set_result.h"
#include "type/vector.h"
#include "utils/array.h"
#include "utils/builtins.h"

EMBED_FUNCTION(elmo_layers_of_words);
EMBED_FUNCTION(elmo_embed);
EMBED_FUNCTION(elmo_embed_tokens);
EMBED_FUNCTION(word_in_context);

static ElmoSite *
open_site(FmgrInfo *flinfo, Model *model)
{
	return elmo_site(flinfo, model, call_site_state(flinfo, &elmo_encoder));
}

static EncoderText
text_argument(FunctionCallInfo fcinfo, int number)
{
	text	   *argument = PG_GETARG_TEXT_PP(number);
	EncoderText result = {VARDATA_ANY(argument),
						  (int) VARSIZE_ANY_EXHDR(argument)};

	return result;
}

/* ---------- the caller's mix ---------- */

/* Arguments of a mix, where each of them stands; -1: is no argument. */
typedef struct MixArguments
{
	int			layers;
	int			weights;
	int			gamma;
	int			norm;
} MixArguments;

static void
read_array(ArrayType *array, Oid type, const char *name, Datum **values,
		   int *count)
{
	bool	   *nulls;

	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("%s must be an array of one dimension", name)));
	if (type == INT4OID)
		deconstruct_array(array, INT4OID, sizeof(int32), true, TYPALIGN_INT,
						  values, &nulls, count);
	else
		deconstruct_array(array, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL,
						  TYPALIGN_DOUBLE, values, &nulls, count);
	for (int i = 0; i < *count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s must not contain nulls", name)));
	}
}

static void
read_mix(FunctionCallInfo fcinfo, const MixArguments *at,
		 const ElmoSite *site, ElmoMix *mix)
{
	ElmoMixRequest request = {NULL};
	double		gamma;
	bool		norm;
	Datum	   *values;

	if (!PG_ARGISNULL(at->layers))
	{
		int		   *layers;

		read_array(PG_GETARG_ARRAYTYPE_P(at->layers), INT4OID, "layers",
				   &values, &request.layer_count);
		layers = palloc(sizeof(int) * (request.layer_count + 1));
		for (int i = 0; i < request.layer_count; i++)
			layers[i] = DatumGetInt32(values[i]);
		request.layers = layers;
	}
	if (!PG_ARGISNULL(at->weights))
	{
		double	   *weights;

		read_array(PG_GETARG_ARRAYTYPE_P(at->weights), FLOAT8OID,
				   "layer_weights", &values, &request.weight_count);
		weights = palloc(sizeof(double) * (request.weight_count + 1));
		for (int i = 0; i < request.weight_count; i++)
			weights[i] = DatumGetFloat8(values[i]);
		request.weights = weights;
	}
	if (!PG_ARGISNULL(at->gamma))
	{
		gamma = PG_GETARG_FLOAT8(at->gamma);
		request.gamma = &gamma;
	}
	if (!PG_ARGISNULL(at->norm))
	{
		norm = PG_GETARG_BOOL(at->norm);
		request.norm = &norm;
	}
	elmo_mix(site, &request, mix);
}

/*
 * elmo_embed(model, input, layers, pooling, layer_weights, gamma,
 *			  layer_norm) -> vector
 */
Datum
elmo_embed(PG_FUNCTION_ARGS)
{
	static const MixArguments at = {2, 4, 5, 6};
	Model	   *model;
	ElmoSite   *site;
	ElmoMix		mix;
	EncoderText input;
	const char *pooling;
	float	   *row;
	bool		known;
	Datum		result = (Datum) 0;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	model = model_open(fcinfo->flinfo, PG_GETARG_OID(0), &elmo_method);
	if (call_site_lookup(fcinfo, &result))
		return result;
	site = open_site(fcinfo->flinfo, model);
	read_mix(fcinfo, &at, site, &mix);
	pooling = PG_ARGISNULL(3) ? site->pooling
							  : text_to_cstring(PG_GETARG_TEXT_PP(3));
	input = text_argument(fcinfo, 1);
	row = palloc(sizeof(float) * site->elmo.dims);
	elmo_embed_texts(site, &mix, pooling, 1, &input, row, &known);
	fcinfo->isnull = !known;
	if (known)
		result = PointerGetDatum(encoder_vector(row, site->elmo.dims));
	return call_site_store(fcinfo, result);
}

/* ---------- words ---------- */

typedef struct WordResult
{
	struct ReturnSetInfo *set;
	int			dims;
} WordResult;

static void
add_word(void *argument, int position, const char *token, int length,
		 const float *vector)
{
	WordResult *result = argument;
	Datum		values[3];
	bool		nulls[3] = {false, false, false};

	CHECK_FOR_INTERRUPTS();
	values[0] = Int32GetDatum(position);
	values[1] = PointerGetDatum(cstring_to_text_with_len(token, length));
	values[2] = PointerGetDatum(encoder_vector(vector, result->dims));
	set_result_add(result->set, values, nulls);
	pfree(DatumGetPointer(values[1]));
	pfree(DatumGetPointer(values[2]));
}

/*
 * embed_tokens(model, input, layers, layer_weights, gamma, layer_norm)
 *	-> (position, token, embedding)
 */
Datum
elmo_embed_tokens(PG_FUNCTION_ARGS)
{
	static const MixArguments at = {2, 3, 4, 5};
	WordResult	result;
	ElmoSite   *site;
	ElmoMix		mix;
	EncoderText input;

	result.set = set_result_begin(fcinfo);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return (Datum) 0;
	site = open_site(fcinfo->flinfo,
					 model_open(fcinfo->flinfo, PG_GETARG_OID(0),
								&elmo_method));
	read_mix(fcinfo, &at, site, &mix);
	input = text_argument(fcinfo, 1);
	result.dims = site->elmo.dims;
	elmo_embed_words(site, &mix, &input, add_word, &result);
	return (Datum) 0;
}

static void
add_layers(void *argument, const ElmoPiece *piece)
{
	WordResult *result = argument;
	const TextElement *elements =
		(const TextElement *) piece->site->words.elements;
	int			half = result->dims / 2;
	float	   *row = palloc(sizeof(float) * result->dims);

	for (int w = 0; w < piece->words; w++)
	{
		const TextElement *element = &elements[piece->rows[w]];
		Datum		values[4];
		bool		nulls[4] = {false, false, false, false};

		CHECK_FOR_INTERRUPTS();
		values[0] = Int32GetDatum(piece->positions[w]);
		values[1] = PointerGetDatum(cstring_to_text_with_len(element->text,
															 element->length));
		for (int l = 0; l <= piece->site->elmo.layers; l++)
		{
			for (int direction = 0; direction < 2; direction++)
				memcpy(row + direction * half,
					   elmo_half(piece, w, l, direction),
					   sizeof(float) * half);
			values[2] = Int32GetDatum(l);
			values[3] = PointerGetDatum(encoder_vector(row, result->dims));
			set_result_add(result->set, values, nulls);
			pfree(DatumGetPointer(values[3]));
		}
		pfree(DatumGetPointer(values[1]));
	}
	pfree(row);
}

/* elmo_layers(model, input) -> (position, token, layer, embedding) */
Datum
elmo_layers_of_words(PG_FUNCTION_ARGS)
{
	WordResult	result;
	ElmoSite   *site = open_site(fcinfo->flinfo,
								 model_open(fcinfo->flinfo, PG_GETARG_OID(0),
											&elmo_method));
	EncoderText input = text_argument(fcinfo, 1);

	result.set = set_result_begin(fcinfo);
	result.dims = site->elmo.dims;
	elmo_read(site, 1, &input, false, add_layers, &result);
	return (Datum) 0;
}

/* ---------- a word in its sentence ---------- */

typedef struct Wanted
{
	const char *text;
	int			length;
	int			occurrence;		/* how many more of them; 0: found */
	const ElmoMix *mix;
	float	   *row;
} Wanted;

static void
find_word(void *argument, const ElmoPiece *piece)
{
	Wanted	   *wanted = argument;
	const TextElement *elements =
		(const TextElement *) piece->site->words.elements;
	ElmoMixed	mixed;

	for (int w = 0; w < piece->words && wanted->occurrence > 0; w++)
	{
		const TextElement *element = &elements[piece->rows[w]];

		if (element->length != wanted->length ||
			memcmp(element->text, wanted->text, wanted->length) != 0 ||
			--wanted->occurrence > 0)
			continue;
		elmo_mixed_begin(&mixed, wanted->mix, piece);
		elmo_mixed_row(&mixed, w, wanted->row);
	}
}

/* The word as the model's configuration reads it; false: it is none. */
static bool
read_word(ElmoSite *site, const EncoderText *word, Wanted *wanted)
{
	Token		batch[2];
	int			count;

	token_stream_begin(site->stream, word->text, word->length);
	count = token_stream_next(site->stream, batch, lengthof(batch));
	if (count == 0)
		return false;
	wanted->text = pnstrdup(batch[0].text, batch[0].length);
	wanted->length = batch[0].length;
	if (count > 1 ||
		token_stream_next(site->stream, batch, lengthof(batch)) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%.*s\" is more than one word", word->length,
						word->text),
				 errhint("embed_tokens() gives the vectors of all words of a text.")));
	return true;
}

/*
 * word_in_context(model, input, word, occurrence, layers, layer_weights,
 *				   gamma, layer_norm) -> vector
 */
Datum
word_in_context(PG_FUNCTION_ARGS)
{
	static const MixArguments at = {4, 5, 6, 7};
	Model	   *model;
	ElmoSite   *site;
	ElmoMix		mix;
	EncoderText input;
	EncoderText word;
	Wanted		wanted = {NULL};
	Datum		result = (Datum) 0;

	for (int i = 0; i < 4; i++)
	{
		if (PG_ARGISNULL(i))
			PG_RETURN_NULL();
	}
	model = model_open(fcinfo->flinfo, PG_GETARG_OID(0), &elmo_method);
	if (call_site_lookup(fcinfo, &result))
		return result;
	site = open_site(fcinfo->flinfo, model);
	wanted.occurrence = PG_GETARG_INT32(3);
	if (wanted.occurrence < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("occurrence must be at least 1")));
	read_mix(fcinfo, &at, site, &mix);
	input = text_argument(fcinfo, 1);
	word = text_argument(fcinfo, 2);
	wanted.mix = &mix;
	wanted.row = palloc(sizeof(float) * site->elmo.dims);
	if (read_word(site, &word, &wanted))
		elmo_read(site, 1, &input, mix.norm, find_word, &wanted);
	fcinfo->isnull = wanted.text == NULL || wanted.occurrence > 0;
	if (!fcinfo->isnull)
		result = PointerGetDatum(encoder_vector(wanted.row, site->elmo.dims));
	return call_site_store(fcinfo, result);
}
