/*-------------------------------------------------------------------------
 *
 * glove_cooccurrences.c
 *	  SQL function glove_cooccurrences.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "encoder/glove/glove.h"
#include "encoder/words/word_training.h"
#include "miscadmin.h"
#include "server/arguments.h"
#include "server/set_result.h"
#include "utils/builtins.h"

EMBED_FUNCTION(glove_cooccurrences);

/* arguments of the SQL function, in order */
enum
{
	ARG_MODEL,
	ARG_CORPUS,
	ARG_CONFIG,
	ARG_WINDOW_SIZE,
	ARG_MIN_COUNT,
	ARG_SYMMETRIC,
	ARG_DISTANCE_WEIGHTING,
	ARGS
};

static const char *const argument_names[] = {
	"model", "corpus", "config", "window_size", "min_count", "symmetric",
	"distance_weighting"
};

typedef struct Listing
{
	struct ReturnSetInfo *result;
	const EncodedCorpus *corpus;
} Listing;

static Datum
text_of(const Listing *listing, int32 word)
{
	const EncodedWord *entry = &listing->corpus->vocabulary[word];

	return PointerGetDatum(cstring_to_text_with_len(entry->text,
													entry->length));
}

static void
list_pair(void *argument, int32 word, int32 context, double count)
{
	Listing    *listing = argument;
	Datum		values[3];
	bool		nulls[3] = {false};

	values[0] = text_of(listing, word);
	values[1] = text_of(listing, context);
	values[2] = Float8GetDatum(count);
	set_result_add(listing->result, values, nulls);
	pfree(DatumGetPointer(values[0]));
	pfree(DatumGetPointer(values[1]));
	CHECK_FOR_INTERRUPTS();
}

/* Words and configuration of a model, if there is one */
static void
take_model(FunctionCallInfo fcinfo, EncodeOptions *encode)
{
	KnownWords *known;

	if (PG_ARGISNULL(ARG_MODEL))
		return;
	known = known_words_open(fcinfo->flinfo, PG_GETARG_OID(ARG_MODEL));
	encode->known = known->list;
	encode->known_words = known->words->totals->words;
	encode->only_known = true;
	encode->config = model_option_config(known->words->model->description);
}

/* glove_cooccurrences(model, corpus, ...) -> setof (word, context, weight) */
Datum
glove_cooccurrences(PG_FUNCTION_ARGS)
{
	EncodeOptions encode = {0};
	GloveWindow window;
	Listing		listing;
	TrainerFiles *files;
	Progress   *progress;

	trainer_check();
	arguments_require(fcinfo, arguments_but(ARGS, ARGUMENT(ARG_MODEL)),
					  argument_names);
	window.size = PG_GETARG_INT32(ARG_WINDOW_SIZE);
	window.symmetric = PG_GETARG_BOOL(ARG_SYMMETRIC);
	window.distance_weighting = PG_GETARG_BOOL(ARG_DISTANCE_WEIGHTING);
	encode.query = text_to_cstring(PG_GETARG_TEXT_PP(ARG_CORPUS));
	encode.config = PG_GETARG_OID(ARG_CONFIG);
	encode.min_count = PG_GETARG_INT32(ARG_MIN_COUNT);
	option_check_argument(glove_options, "window_size", window.size);
	option_check_argument(glove_options, "min_count", encode.min_count);
	take_model(fcinfo, &encode);

	listing.result = set_result_begin(fcinfo);
	progress = progress_begin("counting co-occurrences", "words");
	files = trainer_files_create();
	encode.files = files->files;
	encode.progress = progress;
	listing.corpus = corpus_encode(&encode);
	glove_count(&window, listing.corpus, files->files,
				(Size) maintenance_work_mem * 1024, progress, list_pair,
				&listing);
	trainer_files_free(files);
	progress_end(progress);
	return (Datum) 0;
}
