/*-------------------------------------------------------------------------
 *
 * two_models.c
 *	  A function that opens two models at one place.
 *
 * Linked by 042_two_models.pl with the objects of the extension into a
 * library of its own, since no function of the extension does so yet.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "encoder/glove/glove.h"
#include "encoder/vocabulary/vocabulary.h"
#include "encoder/word2vec/word2vec.h"
#include "encoder/words/imported.h"
#include "math/distance.h"
#include "model/encoder.h"
#include "model/model.h"
#include "utils/builtins.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

EMBED_FUNCTION(two_models);
EMBED_FUNCTION(two_models_computed);

static int64 computed = 0;

void
_PG_init(void)
{
	distance_init();
	vocabulary_init();
	word2vec_init();
	imported_init();
	glove_init();
}

static void
append_vector(StringInfo result, const OpenEncoder *open,
			  const EncoderText *input)
{
	const EncoderRequest request = {NULL, NULL};
	float	   *row = palloc(sizeof(float) * open->dims);
	bool		known;

	encoder_encode(open, &request, 1, input, row, &known);
	appendStringInfoString(result, known ? "[" : "nothing");
	for (int i = 0; known && i < open->dims; i++)
		appendStringInfo(result, i == 0 ? "%g" : ",%g", row[i]);
	appendStringInfoString(result, known ? "]" : "");
}

/* two_models(first, second, input) -> text: the vectors of both */
Datum
two_models(PG_FUNCTION_ARGS)
{
	FmgrInfo   *place = fcinfo->flinfo;
	text	   *argument = PG_GETARG_TEXT_PP(2);
	EncoderText input = {VARDATA_ANY(argument), VARSIZE_ANY_EXHDR(argument)};
	OpenEncoder first;
	OpenEncoder second;
	Model	   *first_model;
	Model	   *second_model;
	StringInfoData result;
	Datum		kept;

	first_model = model_open(place, PG_GETARG_OID(0), NULL);
	second_model = model_open_further(place, 1, PG_GETARG_OID(1), NULL);
	if (call_site_lookup(fcinfo, &kept))
		return kept;
	computed++;
	encoder_open(&first, place, first_model);
	encoder_open(&second, place, second_model);
	initStringInfo(&result);
	append_vector(&result, &first, &input);
	appendStringInfoChar(&result, ' ');
	append_vector(&result, &second, &input);
	return call_site_store(fcinfo,
						   PointerGetDatum(cstring_to_text(result.data)));
}

/* two_models_computed() -> bigint */
Datum
two_models_computed(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(computed);
}
