/*-------------------------------------------------------------------------
 *
 * train_doc2vec.c
 *	  SQL function train_doc2vec.
 *
 * Training is word2vec's, in its shared memory and with its steps, where each
 * document has an input row as well.  What is kept is what gives other texts
 * their vectors: the words' rows.  The documents' own are not, since embed()
 * gives a document of the corpus a vector as it does any other text.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "encoder/doc2vec/doc2vec.h"
#include "encoder/words/word_training.h"
#include "miscadmin.h"
#include "server/arguments.h"
#include "train/progress.h"
#include "type/vector.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

EMBED_FUNCTION(train_doc2vec);

/* arguments of the SQL function, in order */
enum
{
	ARG_MODEL,
	ARG_CORPUS,
	ARG_CONFIG,
	ARG_DIMS,
	ARG_METHOD,
	ARG_WINDOW_SIZE,
	ARG_NEGATIVE,
	ARG_SAMPLE,
	ARG_EPOCHS,
	ARG_ALPHA,
	ARG_MIN_COUNT,
	ARG_TRAIN_WORDS,
	ARG_WORKERS,
	ARG_SEED,
	ARG_REPLACE,
	ARG_FROM_MODEL,
	ARGS
};

static const char *const argument_names[] = {
	"model", "corpus", "config", "dims", "method", "window_size", "negative",
	"sample", "epochs", "alpha", "min_count", "train_words", "workers",
	"seed", "replace", "from_model"
};

/* where neither an argument nor a model says it */
#define DEFAULT_DIMS 100

/* ---------- arguments ---------- */

/* Those that a model trained on from says, and those that have no value */
#define MAY_BE_NULL \
	(ARGUMENT(ARG_CONFIG) | ARGUMENT(ARG_DIMS) | ARGUMENT(ARG_METHOD) | \
	 ARGUMENT(ARG_TRAIN_WORDS) | ARGUMENT(ARG_WORKERS) | \
	 ARGUMENT(ARG_SEED) | ARGUMENT(ARG_FROM_MODEL))

/*
 * Training goes on with the rows of the model, so whoever asks for another
 * shape would not get what he expects.
 */
static void
check_shape(const char *name, const char *given, const char *of_model,
			const KnownWords *known)
{
	if (known != NULL && strcmp(given, of_model) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s cannot be %s where training goes on from model \"%s\"",
						name, given,
						known_words_description(known)->table_name),
				 errdetail("It is %s there, and the new model goes on with its rows.",
						   of_model),
				 errhint("Leave it out.")));
}

static void
read_shape(FunctionCallInfo fcinfo, const KnownWords *known,
		   Word2vecOptions *options)
{
	const ModelDescription *from = known_words_description(known);
	int			dims = known ? known->words->totals->dims : DEFAULT_DIMS;
	int			method = from ? (int) model_option_int(from, "method") : 0;
	bool		words = from && model_option_int(from, "train_words") != 0;

	options->dims = PG_ARGISNULL(ARG_DIMS) ? dims : PG_GETARG_INT32(ARG_DIMS);
	check_shape("dims", psprintf("%d", options->dims), psprintf("%d", dims),
				known);
	if (!PG_ARGISNULL(ARG_METHOD))
	{
		char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(ARG_METHOD));
		int			chosen = option_choose(doc2vec_options, "method",
										   "method", name);

		check_shape("method", name, doc2vec_methods[method], known);
		method = chosen;
	}
	if (!PG_ARGISNULL(ARG_TRAIN_WORDS))
	{
		bool		given = PG_GETARG_BOOL(ARG_TRAIN_WORDS);

		check_shape("train_words", given ? "true" : "false",
					words ? "true" : "false", known);
		words = given;
	}
	options->cbow = method == 1;
	options->documents = doc2vec_documents(method == 1, words);
	if (method == 1 && words)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("train_words is of use only with method \"dbow\""),
				 errdetail("Method \"dm\" trains the words in any case.")));
}

static void
read_options(FunctionCallInfo fcinfo, const KnownWords *known,
			 Word2vecOptions *options)
{
	memset(options, 0, sizeof(*options));
	options->model = text_to_cstring(PG_GETARG_TEXT_PP(ARG_MODEL));
	options->corpus = text_to_cstring(PG_GETARG_TEXT_PP(ARG_CORPUS));
	options->config = PG_ARGISNULL(ARG_CONFIG) ? known_words_config(known) :
		PG_GETARG_OID(ARG_CONFIG);
	read_shape(fcinfo, known, options);
	options->window_size = PG_GETARG_INT32(ARG_WINDOW_SIZE);
	options->negative = PG_GETARG_INT32(ARG_NEGATIVE);
	options->sample = PG_GETARG_FLOAT8(ARG_SAMPLE);
	options->epochs = PG_GETARG_INT32(ARG_EPOCHS);
	options->alpha = PG_GETARG_FLOAT8(ARG_ALPHA);
	options->min_count = PG_GETARG_INT32(ARG_MIN_COUNT);
	options->workers = trainer_workers(!PG_ARGISNULL(ARG_WORKERS),
									   PG_ARGISNULL(ARG_WORKERS) ? 0 :
									   PG_GETARG_INT32(ARG_WORKERS));
	options->seed = trainer_seed(!PG_ARGISNULL(ARG_SEED),
								 PG_ARGISNULL(ARG_SEED) ? 0 :
								 PG_GETARG_INT64(ARG_SEED));
	options->replace = PG_GETARG_BOOL(ARG_REPLACE);
	options->from_model = PG_ARGISNULL(ARG_FROM_MODEL) ? InvalidOid :
		PG_GETARG_OID(ARG_FROM_MODEL);
	word2vec_check_options(doc2vec_options, options);
}

static void
define_model(const Word2vecOptions *options, ModelDefinition *definition)
{
	model_definition_init(definition, options->model, &doc2vec_method,
						  options->replace);
	definition->typmods[WORDS_VECTOR] = options->dims;
	model_definition_int(definition, "dims", options->dims);
	model_definition_config(definition, options->config);
	model_definition_text(definition, "method",
						  doc2vec_methods[options->cbow ? 1 : 0]);
	model_definition_bool(definition, "train_words",
						  options->documents == SGD_DOCUMENT_AND_WORDS);
	model_definition_int(definition, "window_size", options->window_size);
	model_definition_int(definition, "negative", options->negative);
	model_definition_float(definition, "sample", options->sample);
	model_definition_int(definition, "epochs", options->epochs);
	model_definition_float(definition, "alpha", options->alpha);
	model_definition_int(definition, "min_count", options->min_count);
}

/* ---------- the corpus ---------- */

/*
 * Number the documents: workers begin in the middle of the corpus, and have
 * to know which document is theirs.
 */
static void
number_documents(Word2vecOptions *options, const EncodedCorpus *corpus,
				 TrainerFiles *files)
{
	int64		slices = (corpus->ids + ENCODED_SLICE - 1) / ENCODED_SLICE;
	EncodedReader *reader = encoded_reader_open(files->files, corpus->ids);
	int32	   *ids = palloc(sizeof(int32) * ENCODED_SLICE);
	int64	   *first = palloc_extended(mul_size(Max(slices, 1),
												 sizeof(int64)),
										MCXT_ALLOC_HUGE);
	int64		documents = 0;

	for (int64 slice = 0; slice < slices; slice++)
	{
		int			count = encoded_reader_read(reader, slice, ids);

		CHECK_FOR_INTERRUPTS();
		first[slice] = documents;
		for (int i = 0; i < count; i++)
			documents += ids[i] == ENCODED_END;
	}
	encoded_reader_close(reader);
	pfree(ids);
	options->first_documents = first;
	/* one more, should the last one have no end */
	options->document_count = documents + 1;
}

/* ---------- training on from a model ---------- */

static const float *
known_output(const KnownWords *known, const WordEntry *entry,
			 SgdDocuments documents)
{
	const float *row = documents == SGD_DOCUMENT_ALONE ?
		words_row(known->words, entry->row) :
		words_bucket(known->words, doc2vec_bucket(entry->id));

	if (row == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("model \"%s\" cannot be trained on",
						known_words_description(known)->table_name),
				 errdetail("Word %d has no output row.", entry->id)));
	return row;
}

/*
 * Both rows of a word that is known go on from where they were.  Its input
 * row makes only that share of its changes that the new occurrences are of
 * all, as in word2vec.
 */
static void
start_from(const EncodedCorpus *corpus, const KnownWords *known,
		   const Word2vecOptions *options, Word2vecShared *shared)
{
	float	   *rates = word2vec_rates(shared);
	Size		bytes = sizeof(float) * shared->dims;

	for (int32 row = 0; row < shared->rows; row++)
		rates[row] = 1;
	for (int32 i = 0; i < corpus->words; i++)
	{
		const EncodedWord *word = &corpus->vocabulary[i];
		double		before = known_words_occurrences(known, word);
		const WordEntry *entry;

		if (word->known < 0)
			continue;
		entry = &known->words->entries[word->known];
		memcpy(word2vec_output_row(shared, i),
			   known_output(known, entry, options->documents), bytes);
		memcpy(word2vec_input_row(shared, i),
			   words_row(known->words, entry->row), bytes);
		if (before > 0)
			rates[i] = (float) (word->count / (before + word->count));
	}
}

/* ---------- the table ---------- */

static Oid
write_model(ModelDefinition *definition, const EncodedCorpus *corpus,
			const KnownWords *known, Word2vecShared *shared,
			Progress *progress)
{
	WordWriter	writer = {.corpus = corpus, .known = known, .counted = true,
	.rate = "alpha"};
	bool		alone = shared->documents == SGD_DOCUMENT_ALONE;
	Size		bytes = sizeof(float) * shared->dims;

	progress_phase(progress, "writing model", corpus->words);
	word_writer_begin(&writer, definition, shared->dims);
	for (int32 i = 0; i < corpus->words; i++)
	{
		int32		before = corpus->vocabulary[i].known;
		int32		id = before < 0 ? writer.next_id :
			known->words->entries[before].id;

		memcpy(writer.vector->x, alone ? word2vec_output_row(shared, i) :
			   word2vec_input_row(shared, i), bytes);
		word_writer_word(&writer, i);
		if (!alone)
		{
			memcpy(writer.vector->x, word2vec_output_row(shared, i), bytes);
			word_writer_bucket(&writer, doc2vec_bucket(id));
		}
		progress_update(progress, i, NAN);
	}
	return word_writer_finish(&writer);
}

static KnownWords *
open_known(FunctionCallInfo fcinfo)
{
	KnownWords *known = known_words_open(fcinfo->flinfo,
										 PG_ARGISNULL(ARG_FROM_MODEL) ?
										 InvalidOid :
										 PG_GETARG_OID(ARG_FROM_MODEL));

	if (known != NULL)
		model_require_method(known_words_description(known),
							 doc2vec_method.name);
	return known;
}

Datum
train_doc2vec(PG_FUNCTION_ARGS)
{
	Word2vecOptions options;
	ModelDefinition definition;
	KnownWords *known;
	Progress   *progress;
	TrainerFiles *files;
	TrainerMemory *memory;
	EncodedCorpus *corpus;
	TrainerCurve curve;
	Oid			table;

	trainer_check();
	arguments_require(fcinfo, arguments_but(ARGS, MAY_BE_NULL),
					  argument_names);
	known = open_known(fcinfo);
	read_options(fcinfo, known, &options);
	define_model(&options, &definition);
	if (known != NULL)
		model_definition_keep(&definition, known_words_description(known));
	model_check_creation(&definition);

	progress = progress_begin(psprintf("training model \"%s\"", options.model),
							  "words");
	files = trainer_files_create();
	corpus = word2vec_read_corpus(&options, files, known, progress);
	number_documents(&options, corpus, files);
	memory = word2vec_share(&options, corpus, NULL);
	if (known != NULL)
		start_from(corpus, known, &options, memory->memory);

	progress_phase(progress, "training", memory->control->total);
	trainer_run(&word2vec_task, files, memory, options.workers, 0, progress,
				&curve);
	trainer_files_free(files);
	trainer_report_curve(&curve);

	table = write_model(&definition, corpus, known, memory->memory, progress);
	trainer_memory_free(memory);
	progress_end(progress);
	PG_RETURN_OID(table);
}
