/*-------------------------------------------------------------------------
 *
 * train_glove.c
 *	  SQL function train_glove.
 *
 * Co-occurrences are counted, or read from a query of the caller; sorted into
 * tiles, at random within each; trained; and the sums of each word's two
 * vectors written to a table.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "encoder/glove/glove.h"
#include "encoder/words/word_training.h"
#include "math/distance.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "server/arguments.h"
#include "storage/buffile.h"
#include "train/record_sort.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

EMBED_FUNCTION(train_glove);

/* arguments of the SQL function, in order */
enum
{
	ARG_MODEL,
	ARG_CORPUS,
	ARG_CONFIG,
	ARG_DIMS,
	ARG_WINDOW_SIZE,
	ARG_MIN_COUNT,
	ARG_X_MAX,
	ARG_ALPHA,
	ARG_ETA,
	ARG_EPOCHS,
	ARG_SYMMETRIC,
	ARG_DISTANCE_WEIGHTING,
	ARG_WORKERS,
	ARG_SEED,
	ARG_FROM_MODEL,
	ARG_REPLACE,
	ARG_RECORDS,
	ARG_UNKNOWN,
	ARGS
};

static const char *const argument_names[] = {
	"model", "corpus", "config", "dims", "window_size", "min_count", "x_max",
	"alpha", "eta", "epochs", "symmetric", "distance_weighting", "workers",
	"seed", "from_model", "replace", "records", "unknown"
};

/* The arguments, checked. */
typedef struct Options
{
	const char *model;
	const char *corpus;			/* or NULL: */
	const char *records;
	Oid			config;
	int			dims;
	GloveWindow window;
	int			min_count;
	GloveWeighting weighting;
	double		eta;
	int			epochs;
	int			workers;
	uint64		seed;
	Oid			from_model;
	bool		replace;
	const char *unknown;
} Options;

/* Words whose mean answers to unknown ones: the rarest (their program's) */
#define UNKNOWN_WORDS 100

/* What the counting and the shuffle take of maintenance_work_mem */
#define COUNTING_SHARE 0.75

/* ---------- arguments ---------- */

#define MAY_BE_NULL \
	(ARGUMENT(ARG_CORPUS) | ARGUMENT(ARG_RECORDS) | ARGUMENT(ARG_WORKERS) | \
	 ARGUMENT(ARG_SEED) | ARGUMENT(ARG_FROM_MODEL))

static const char *
text_argument(FunctionCallInfo fcinfo, int argument)
{
	return PG_ARGISNULL(argument) ? NULL :
		text_to_cstring(PG_GETARG_TEXT_PP(argument));
}

static void
check_options(const Options *options)
{
	const OptionDeclaration *declared = glove_options;

	option_check_argument(declared, "dims", options->dims);
	option_check_argument(declared, "window_size", options->window.size);
	option_check_argument(declared, "min_count", options->min_count);
	option_check_argument(declared, "x_max", options->weighting.x_max);
	option_check_argument(declared, "alpha", options->weighting.alpha);
	option_check_argument(declared, "eta", options->eta);
	option_check_argument(declared, "epochs", options->epochs);
	option_choose(declared, "unknown", "answer for unknown words",
				  options->unknown);
	if ((options->corpus == NULL) == (options->records == NULL))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("exactly one of corpus and records must be given"),
				 errhint("A corpus is a query of texts, records are a query of words, contexts and weights.")));
}

static void
read_options(FunctionCallInfo fcinfo, Options *options)
{
	arguments_require(fcinfo, arguments_but(ARGS, MAY_BE_NULL),
					  argument_names);
	options->model = text_argument(fcinfo, ARG_MODEL);
	options->corpus = text_argument(fcinfo, ARG_CORPUS);
	options->records = text_argument(fcinfo, ARG_RECORDS);
	options->config = PG_GETARG_OID(ARG_CONFIG);
	options->dims = PG_GETARG_INT32(ARG_DIMS);
	options->window.size = PG_GETARG_INT32(ARG_WINDOW_SIZE);
	options->window.symmetric = PG_GETARG_BOOL(ARG_SYMMETRIC);
	options->window.distance_weighting =
		PG_GETARG_BOOL(ARG_DISTANCE_WEIGHTING);
	options->min_count = PG_GETARG_INT32(ARG_MIN_COUNT);
	options->weighting.x_max = PG_GETARG_FLOAT8(ARG_X_MAX);
	options->weighting.alpha = PG_GETARG_FLOAT8(ARG_ALPHA);
	options->eta = PG_GETARG_FLOAT8(ARG_ETA);
	options->epochs = PG_GETARG_INT32(ARG_EPOCHS);
	options->workers = trainer_workers(!PG_ARGISNULL(ARG_WORKERS),
									   PG_ARGISNULL(ARG_WORKERS) ? 0 :
									   PG_GETARG_INT32(ARG_WORKERS));
	options->seed = trainer_seed(!PG_ARGISNULL(ARG_SEED),
								 PG_ARGISNULL(ARG_SEED) ? 0 :
								 PG_GETARG_INT64(ARG_SEED));
	options->from_model = PG_ARGISNULL(ARG_FROM_MODEL) ? InvalidOid :
		PG_GETARG_OID(ARG_FROM_MODEL);
	options->replace = PG_GETARG_BOOL(ARG_REPLACE);
	options->unknown = text_argument(fcinfo, ARG_UNKNOWN);
	check_options(options);
}

static void
define_model(const Options *options, ModelDefinition *definition)
{
	model_definition_init(definition, options->model, &glove_method,
						  options->replace);
	definition->typmods[WORDS_VECTOR] = options->dims;
	model_definition_int(definition, "dims", options->dims);
	model_definition_config(definition, options->config);
	if (options->corpus != NULL)
	{
		model_definition_int(definition, "window_size", options->window.size);
		model_definition_int(definition, "min_count", options->min_count);
		model_definition_bool(definition, "symmetric",
							  options->window.symmetric);
		model_definition_bool(definition, "distance_weighting",
							  options->window.distance_weighting);
	}
	model_definition_float(definition, "x_max", options->weighting.x_max);
	model_definition_float(definition, "alpha", options->weighting.alpha);
	model_definition_float(definition, "eta", options->eta);
	model_definition_int(definition, "epochs", options->epochs);
	model_definition_text(definition, "unknown", options->unknown);
}

static char *
name_of_word(const EncodedCorpus *corpus, int32 word)
{
	const EncodedWord *entry = &corpus->vocabulary[word];

	return pnstrdup(entry->text,
					pg_mbcliplen(entry->text, entry->length, 100));
}

/* epoch 0: before the first */
pg_noreturn static void
report_broken(const EncodedCorpus *corpus, uint32 epoch, int32 word,
			  int32 context)
{
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("training diverged"),
			 errdetail("In epoch %u the numbers of words \"%s\" and \"%s\" are too large.",
					   epoch, name_of_word(corpus, word),
					   name_of_word(corpus, context)),
			 errhint("Lower eta, or train on from a model with smaller numbers.")));
}

/* ---------- training on from a model ---------- */

/* More than any logarithm by so much that vectors of these lengths are none */
#define MOST_REST 1e9

/* Sums for the first values of the biases */
typedef struct BiasFit
{
	double	   *weights;		/* of words, then of contexts */
	double	   *sums;
	int32		words;
} BiasFit;

static BiasFit *
fit_create(int32 words)
{
	BiasFit    *fit = palloc(sizeof(BiasFit));
	Size		bytes = mul_size(sizeof(double) * 2, words);

	fit->words = words;
	fit->weights = palloc_extended(bytes, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	fit->sums = palloc_extended(bytes, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	return fit;
}

/*
 * A model holds the sum of a word's two vectors.  They are about the same
 * after training, so each begins with half of it.  A word's vectors make only
 * that share of their changes that the new occurrences are of all, as in
 * word2vec (see its README).
 */
static void
start_from(const KnownWords *known, const EncodedCorpus *corpus, bool counted,
		   GloveShared *shared)
{
	for (int32 i = 0; i < corpus->words; i++)
	{
		const EncodedWord *word = &corpus->vocabulary[i];
		float	   *rows[] = {glove_word_row(shared, i),
		glove_context_row(shared, i)};
		double		before = known_words_occurrences(known, word);
		const float *vector;

		if (word->known < 0)
			continue;
		vector = words_row(known->words,
						   known->words->entries[word->known].row);
		for (int r = 0; r < 2; r++)
		{
			for (int d = 0; d < shared->dims; d++)
				rows[r][d] = vector[d] / 2;
			if (counted && before > 0)
				rows[r][2 * shared->stride + GLOVE_RATE] =
					(float) (word->count / (before + word->count));
		}
	}
}

/*
 * What the vectors leave of the logarithm is the biases' part.  False where
 * that is not a number to train with.
 */
static bool
fit_add(BiasFit *fit, GloveShared *shared, int32 word, int32 context,
		const GloveRecord *record)
{
	double		rest = record->target -
		vector_inner_kernel(shared->dims, glove_word_row(shared, word),
							glove_context_row(shared, context));

	if (!(fabs(rest) <= MOST_REST))
		return false;
	fit->weights[word] += record->weight;
	fit->sums[word] += record->weight * rest;
	fit->weights[fit->words + context] += record->weight;
	fit->sums[fit->words + context] += record->weight * rest;
	return true;
}

/*
 * Biases of rows and columns from their weighted means: each has its own less
 * half of the mean of all, so that the two together are right on average.
 */
static void
fit_finish(BiasFit *fit, GloveShared *shared)
{
	double		weight = 0;
	double		sum = 0;

	for (int32 i = 0; i < fit->words; i++)
	{
		weight += fit->weights[i];
		sum += fit->sums[i];
	}
	for (int32 i = 0; i < 2 * fit->words; i++)
	{
		float	   *row = i < fit->words ? glove_word_row(shared, i) :
			glove_context_row(shared, i - fit->words);

		if (fit->weights[i] > 0)
			row[2 * shared->stride + GLOVE_BIAS] =
				(float) (fit->sums[i] / fit->weights[i] - sum / weight / 2);
	}
	pfree(fit->weights);
	pfree(fit->sums);
	pfree(fit);
}

/* ---------- from counts to records in their order ---------- */

typedef struct Shuffle
{
	GloveShared *shared;
	GloveWeighting weighting;
	const EncodedCorpus *corpus;
	RecordSort *sort;
	BiasFit    *fit;			/* NULL: training begins anew */
} Shuffle;

static void
shuffle_receive(void *argument, int32 word, int32 context, double count)
{
	Shuffle    *shuffle = argument;
	GloveOrder *order = &shuffle->shared->order;
	PairRecord	record;

	record.key = glove_order_key(order, word, context);
	record.first = word;
	record.second = context;
	record.value = count;
	record_sort_put(shuffle->sort, &record);
}

/*
 * The records go to a file of the workers, tile after tile; where each begins
 * stands in the shared memory.
 */
static void
write_records(Shuffle *shuffle, SharedFileSet *files, Progress *progress)
{
	GloveShared *shared = shuffle->shared;
	GloveOrder *order = &shared->order;
	BufFile    *file = BufFileCreateFileSet(FILE_SET(files),
											GLOVE_RECORDS_FILE);
	int32		tiles = order->blocks * order->blocks;
	int64	   *starts = glove_starts(shared);
	int32		tile = 0;
	const PairRecord *pair;

	while ((pair = record_sort_next(shuffle->sort)) != NULL)
	{
		GloveRecord record;

		while (tile < glove_order_tile_of_key(pair->key))
			starts[++tile] = shared->records;
		glove_record(order, &shuffle->weighting, pair->first, pair->second,
					 pair->value, &record);
		if (shuffle->fit != NULL &&
			!fit_add(shuffle->fit, shared, pair->first, pair->second, &record))
			report_broken(shuffle->corpus, 0, pair->first, pair->second);
		BufFileWrite(file, &record, sizeof(record));
		if (shared->records++ % 65536 == 0)
		{
			CHECK_FOR_INTERRUPTS();
			progress_update(progress, (double) shared->records, NAN);
		}
	}
	while (tile < tiles)
		starts[++tile] = shared->records;
	BufFileExportFileSet(file);
	BufFileClose(file);
}

/* ---------- all of it ---------- */

typedef struct Training
{
	const Options *options;
	TrainerFiles *files;
	const KnownWords *known;
	EncodedCorpus *corpus;		/* of records: only the vocabulary */
	GloveRecords *records;
	TrainerMemory *memory;
	GloveShared *shared;
	Progress   *progress;
} Training;

static Size
counting_memory(void)
{
	return (Size) (maintenance_work_mem * 1024.0 * COUNTING_SHARE);
}

static void
read_words(Training *training)
{
	const Options *options = training->options;
	EncodeOptions encode = {0};

	if (training->known != NULL)
	{
		encode.known = training->known->list;
		encode.known_words = training->known->words->totals->words;
	}
	if (options->records != NULL)
	{
		training->records = glove_records_read(options->records, encode.known,
											   encode.known_words,
											   counting_memory(),
											   training->progress,
											   &training->corpus);
		return;
	}
	encode.query = options->corpus;
	encode.config = options->config;
	encode.min_count = options->min_count;
	encode.files = training->files->files;
	encode.progress = training->progress;
	training->corpus = corpus_encode(&encode);
}

static void
give_counts(Training *training, Shuffle *shuffle)
{
	if (training->records != NULL)
		glove_records_give(training->records, shuffle_receive, shuffle);
	else
		glove_count(&training->options->window, training->corpus,
					training->files->files, counting_memory(),
					training->progress, shuffle_receive, shuffle);
}

static void
prepare(Training *training)
{
	Shuffle		shuffle = {0};
	int64		records;

	shuffle.shared = training->shared;
	shuffle.corpus = training->corpus;
	shuffle.weighting = training->options->weighting;
	if (training->known != NULL)
	{
		start_from(training->known, training->corpus,
				   training->records == NULL, training->shared);
		shuffle.fit = fit_create(training->corpus->words);
	}
	shuffle.sort = record_sort_begin(RECORDS_PAIRS,
									 (Size) maintenance_work_mem * 1024 -
									 counting_memory());
	give_counts(training, &shuffle);
	records = record_sort_finish(shuffle.sort);
	if (records == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("corpus has no two words that occur together"),
				 errdetail("It holds " INT64_FORMAT " words of the vocabulary, each alone in its text.",
						   training->corpus->tokens)));
	progress_phase(training->progress, "sorting co-occurrences", records);
	write_records(&shuffle, training->files->files, training->progress);
	record_sort_free(shuffle.sort);
	if (shuffle.fit != NULL)
		fit_finish(shuffle.fit, training->shared);
}

static void
train(Training *training, ModelDefinition *definition)
{
	const Options *options = training->options;
	GloveShared *shared = training->shared;
	const GloveOrder *order = &shared->order;
	int64		slices = (int64) order->blocks * order->blocks *
		options->epochs;
	TrainerCurve curve;
	uint32		broken;

	trainer_plan(training->memory, slices, shared->records * options->epochs,
				 options->epochs);
	progress_phase(training->progress, "training",
				   (double) shared->records * options->epochs);
	trainer_run(&glove_task, training->files, training->memory,
				options->workers, 0, training->progress, &curve);
	broken = pg_atomic_read_u32(&shared->broken);
	if (broken != 0)
		report_broken(training->corpus, broken, shared->broken_word,
					  shared->broken_context);
	trainer_report_curve(&curve);
	model_definition_losses(definition, curve.points, curve.losses);
}

/* The vector of a word is the sum of its two (model 2 of their program). */
static void
vector_of_word(Training *training, int32 word, float *vector)
{
	const float *row = glove_word_row(training->shared, word);
	const float *context = glove_context_row(training->shared, word);

	for (int d = 0; d < training->shared->dims; d++)
		vector[d] = row[d] + context[d];
}

/* The answer to unknown words, as a row without a word */
static void
write_unknown(Training *training, WordWriter *writer)
{
	int			dims = training->shared->dims;
	int32		words = training->corpus->words;
	int32		count = Min(words, UNKNOWN_WORDS);
	float	   *vector = palloc(sizeof(float) * dims);
	double	   *sum = palloc0(sizeof(double) * dims);

	for (int32 i = words - count; i < words; i++)
	{
		vector_of_word(training, i, vector);
		for (int d = 0; d < dims; d++)
			sum[d] += vector[d];
	}
	for (int d = 0; d < dims; d++)
		writer->vector->x[d] = (float) (sum[d] / count);
	word_writer_bucket(writer, WORDS_UNKNOWN_BUCKET);
	pfree(vector);
	pfree(sum);
}

static Oid
write_model(Training *training, ModelDefinition *definition)
{
	WordWriter	writer = {0};

	writer.corpus = training->corpus;
	writer.known = training->known;
	writer.counted = training->records == NULL;
	writer.rate = "eta";
	progress_phase(training->progress, "writing model",
				   training->corpus->words);
	word_writer_begin(&writer, definition, training->shared->dims);
	for (int32 i = 0; i < training->corpus->words; i++)
	{
		vector_of_word(training, i, writer.vector->x);
		word_writer_word(&writer, i);
		progress_update(training->progress, i, NAN);
	}
	if (strcmp(training->options->unknown, "mean") == 0)
		write_unknown(training, &writer);
	return word_writer_finish(&writer);
}

Datum
train_glove(PG_FUNCTION_ARGS)
{
	Options		options;
	ModelDefinition definition;
	Training	training = {0};
	Oid			table;

	trainer_check();
	read_options(fcinfo, &options);
	training.options = &options;
	training.known = known_words_open(fcinfo->flinfo, options.from_model);
	if (training.known != NULL)
		options.dims = training.known->words->totals->dims;
	define_model(&options, &definition);
	if (training.known != NULL)
		model_definition_keep(&definition,
							  training.known->words->model->description);
	model_check_creation(&definition);

	training.progress = progress_begin(psprintf("training model \"%s\"",
												options.model), "records");
	training.files = trainer_files_create();
	read_words(&training);
	training.memory = glove_share(training.corpus->words, options.dims,
								  options.eta, options.seed);
	training.shared = training.memory->memory;
	prepare(&training);
	train(&training, &definition);
	trainer_files_free(training.files);
	table = write_model(&training, &definition);
	trainer_memory_free(training.memory);
	progress_end(training.progress);
	PG_RETURN_OID(table);
}
