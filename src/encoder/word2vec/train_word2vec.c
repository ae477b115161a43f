/*-------------------------------------------------------------------------
 *
 * train_word2vec.c
 *	  SQL function train_word2vec.
 *
 * Four phases: the corpus becomes ids in a temporary file, tables and weights
 * are laid out in shared memory, workers train, and the table is written.
 * Nothing is visible to anybody before the last phase, and that one belongs
 * to the transaction.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include <math.h>

#include "encoder/words/word_model.h"
#include "encoder/words/word_training.h"
#include "encoder/word2vec/word2vec.h"
#include "miscadmin.h"
#include "server/arguments.h"
#include "train/progress.h"
#include "type/vector.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

EMBED_FUNCTION(train_word2vec);

/* arguments of the SQL function, in order */
enum
{
	ARG_MODEL,
	ARG_CORPUS,
	ARG_CONFIG,
	ARG_DIMS,
	ARG_ALGORITHM,
	ARG_WINDOW_SIZE,
	ARG_NEGATIVE,
	ARG_HIERARCHICAL_SOFTMAX,
	ARG_SAMPLE,
	ARG_EPOCHS,
	ARG_ALPHA,
	ARG_MIN_COUNT,
	ARG_MIN_N,
	ARG_MAX_N,
	ARG_BUCKETS,
	ARG_WORKERS,
	ARG_SEED,
	ARG_REPLACE,
	ARG_FROM_MODEL
};

static const char *const argument_names[] = {
	"model", "corpus", "config", "dims", "algorithm", "window_size",
	"negative", "hierarchical_softmax", "sample", "epochs", "alpha",
	"min_count", "min_n", "max_n", "buckets", "workers", "seed", "replace",
	"from_model"
};

/* where neither an argument nor a model says it */
#define DEFAULT_DIMS	100
#define DEFAULT_BUCKETS	2000000

void
word2vec_check_options(const OptionDeclaration *declared,
					   const Word2vecOptions *options)
{
	option_check_argument(declared, "dims", options->dims);
	option_check_argument(declared, "window_size", options->window_size);
	option_check_argument(declared, "negative", options->negative);
	option_check_argument(declared, "sample", options->sample);
	option_check_argument(declared, "epochs", options->epochs);
	option_check_argument(declared, "alpha", options->alpha);
	option_check_argument(declared, "min_count", options->min_count);
}

static void
check_options(const Word2vecOptions *options)
{
	const OptionDeclaration *declared = word2vec_options;

	word2vec_check_options(declared, options);
	option_check_argument(declared, "max_n", options->max_n);
	words_check_ngrams(options->min_n, options->max_n);
	option_check_argument(declared, "buckets", options->buckets);
	if (options->negative == 0 && !options->hierarchical_softmax)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("nothing to train: negative is 0 and hierarchical_softmax is off"),
				 errhint("Use negative => 5, or hierarchical_softmax => true.")));
}

/* ---------- arguments ---------- */

/* Those from config to buckets may be left out, and workers and the seed. */
#define NEEDED \
	(ARGUMENT(ARG_MODEL) | ARGUMENT(ARG_CORPUS) | ARGUMENT(ARG_REPLACE))

/*
 * What an argument that is not given is: the option of the model that
 * training goes on from, as far as its method has it, or the default.
 */
static OptionValue
not_given(const KnownWords *known, int argument)
{
	const char *name = argument_names[argument];
	const ModelDescription *from = known_words_description(known);

	/* a method without an algorithm calls other things by these names */
	if (from != NULL &&
		option_find(from->method->options, "algorithm") != NULL &&
		option_find(from->method->options, name) != NULL)
		return *model_option(from, name);
	return option_missing(option_require(word2vec_options, name));
}

static int
integer_argument(FunctionCallInfo fcinfo, const KnownWords *known,
				 int argument)
{
	return PG_ARGISNULL(argument) ?
		(int) not_given(known, argument).integer : PG_GETARG_INT32(argument);
}

static double
number_argument(FunctionCallInfo fcinfo, const KnownWords *known, int argument)
{
	return PG_ARGISNULL(argument) ? not_given(known, argument).number :
		PG_GETARG_FLOAT8(argument);
}

/* The index of the algorithm among those of word2vec */
static int
algorithm_argument(FunctionCallInfo fcinfo, const KnownWords *known)
{
	const char *name = PG_ARGISNULL(ARG_ALGORITHM) ?
		not_given(known, ARG_ALGORITHM).text :
		text_to_cstring(PG_GETARG_TEXT_PP(ARG_ALGORITHM));

	return option_choose(word2vec_options, "algorithm", "algorithm", name);
}

/*
 * Continued training needs the same shape: dims and n-grams are the model's,
 * and whoever asks for others would not get what he expects.
 */
static int
shape_argument(FunctionCallInfo fcinfo, const KnownWords *known, int argument,
			   int of_model, int missing)
{
	if (PG_ARGISNULL(argument))
		return known != NULL ? of_model : missing;
	if (known != NULL && PG_GETARG_INT32(argument) != of_model)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s cannot be %d where training goes on from model \"%s\"",
						argument_names[argument], PG_GETARG_INT32(argument),
						known_words_description(known)->table_name),
				 errdetail("It is %d there, and the new model goes on with its rows.",
						   of_model),
				 errhint("Leave it out.")));
	return PG_GETARG_INT32(argument);
}

static void
read_shape(FunctionCallInfo fcinfo, const KnownWords *known,
		   Word2vecOptions *options)
{
	WordsSubwords subwords = {0, 0, 0};
	int			dims = 0;

	if (known != NULL)
	{
		dims = known->words->totals->dims;
		subwords = words_subwords(known_words_description(known));
	}
	options->dims = shape_argument(fcinfo, known, ARG_DIMS, dims,
								   DEFAULT_DIMS);
	options->min_n = shape_argument(fcinfo, known, ARG_MIN_N, subwords.min_n,
									0);
	options->max_n = shape_argument(fcinfo, known, ARG_MAX_N, subwords.max_n,
									0);
	/* without n-grams there is no bucket, and nothing to be the same */
	options->buckets = shape_argument(fcinfo,
									  subwords.max_n > 0 ? known : NULL,
									  ARG_BUCKETS, subwords.buckets,
									  DEFAULT_BUCKETS);
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
	options->cbow = algorithm_argument(fcinfo, known) == 1;
	options->window_size = integer_argument(fcinfo, known, ARG_WINDOW_SIZE);
	options->negative = integer_argument(fcinfo, known, ARG_NEGATIVE);
	options->hierarchical_softmax =
		PG_ARGISNULL(ARG_HIERARCHICAL_SOFTMAX) ?
		not_given(known, ARG_HIERARCHICAL_SOFTMAX).integer != 0 :
		PG_GETARG_BOOL(ARG_HIERARCHICAL_SOFTMAX);
	options->sample = number_argument(fcinfo, known, ARG_SAMPLE);
	options->epochs = integer_argument(fcinfo, known, ARG_EPOCHS);
	options->alpha = number_argument(fcinfo, known, ARG_ALPHA);
	options->min_count = integer_argument(fcinfo, known, ARG_MIN_COUNT);
	read_shape(fcinfo, known, options);
	options->workers = trainer_workers(!PG_ARGISNULL(ARG_WORKERS),
									   PG_ARGISNULL(ARG_WORKERS) ? 0 :
									   PG_GETARG_INT32(ARG_WORKERS));
	options->seed = trainer_seed(!PG_ARGISNULL(ARG_SEED),
								 PG_ARGISNULL(ARG_SEED) ? 0 :
								 PG_GETARG_INT64(ARG_SEED));
	options->replace = PG_GETARG_BOOL(ARG_REPLACE);
	options->from_model = PG_ARGISNULL(ARG_FROM_MODEL) ? InvalidOid :
		PG_GETARG_OID(ARG_FROM_MODEL);
	check_options(options);
}

static void
define_model(const Word2vecOptions *options, ModelDefinition *definition)
{
	model_definition_init(definition, options->model, &word2vec_method,
						  options->replace);
	definition->typmods[WORDS_VECTOR] = options->dims;
	model_definition_int(definition, "dims", options->dims);
	model_definition_config(definition, options->config);
	model_definition_text(definition, "algorithm",
						  word2vec_algorithms[options->cbow ? 1 : 0]);
	model_definition_int(definition, "window_size", options->window_size);
	model_definition_int(definition, "negative", options->negative);
	model_definition_bool(definition, "hierarchical_softmax",
						  options->hierarchical_softmax);
	model_definition_float(definition, "sample", options->sample);
	model_definition_int(definition, "epochs", options->epochs);
	model_definition_float(definition, "alpha", options->alpha);
	model_definition_int(definition, "min_count", options->min_count);
	if (options->max_n > 0)
	{
		model_definition_int(definition, "min_n", options->min_n);
		model_definition_int(definition, "max_n", options->max_n);
		model_definition_int(definition, "buckets", options->buckets);
	}
}

/* The words of the corpus as numbers; known: those of a model, or NULL. */
EncodedCorpus *
word2vec_read_corpus(const Word2vecOptions *options, TrainerFiles *files,
					 const KnownWords *known, Progress *progress)
{
	EncodeOptions encode = {0};

	encode.query = options->corpus;
	encode.config = options->config;
	encode.min_count = options->min_count;
	encode.files = files->files;
	encode.progress = progress;
	if (known != NULL)
	{
		encode.known = known->list;
		encode.known_words = known->words->totals->words;
	}
	return corpus_encode(&encode);
}

/*
 * A word's vector is the mean of its own row and those of its n-grams.
 */
static void
vector_of_word(Word2vecShared *shared, const Subwords *subwords, int32 word,
			   float *vector)
{
	int64		from = subwords ? subwords->start[word] : 0;
	int64		to = subwords ? subwords->start[word + 1] : 0;
	const float *own = word2vec_input_row(shared, word);

	memcpy(vector, own, sizeof(float) * shared->dims);
	if (to == from)
		return;
	for (int64 i = from; i < to; i++)
	{
		const float *row = word2vec_input_row(shared, subwords->rows[i]);

		for (int d = 0; d < shared->dims; d++)
			vector[d] += row[d];
	}
	for (int d = 0; d < shared->dims; d++)
		vector[d] /= to - from + 1;
}

static Oid
write_model(ModelDefinition *definition, const EncodedCorpus *corpus,
			const Subwords *subwords, const KnownWords *known,
			Word2vecShared *shared, Progress *progress)
{
	WordWriter	writer = {.corpus = corpus, .known = known, .counted = true,
	.rate = "alpha"};

	progress_phase(progress, "writing model", shared->rows);
	word_writer_begin(&writer, definition, shared->dims);
	for (int32 i = 0; i < corpus->words; i++)
	{
		vector_of_word(shared, subwords, i, writer.vector->x);
		word_writer_word(&writer, i);
		progress_update(progress, i, NAN);
	}
	for (int32 i = 0; subwords != NULL && i < subwords->touched; i++)
	{
		memcpy(writer.vector->x, word2vec_input_row(shared, shared->words + i),
			   sizeof(float) * shared->dims);
		word_writer_bucket(&writer, subwords->buckets[i]);
		progress_update(progress, shared->words + i, NAN);
	}
	return word_writer_finish(&writer);
}

/*
 * Take over the vectors of a model that is trained on.  A word's own row is
 * what its vector holds above the rows of its n-grams.
 */
static void
start_from(const EncodedCorpus *corpus, const Subwords *subwords,
		   const KnownWords *known, Word2vecShared *shared)
{
	for (int32 i = 0; subwords != NULL && i < subwords->touched; i++)
	{
		const float *bucket = words_bucket(known->words, subwords->buckets[i]);

		if (bucket != NULL)
			memcpy(word2vec_input_row(shared, shared->words + i), bucket,
				   sizeof(float) * shared->dims);
	}
	for (int32 i = 0; i < corpus->words; i++)
	{
		int32		from = corpus->vocabulary[i].known;
		float	   *row = word2vec_input_row(shared, i);
		const float *vector;
		int64		first = subwords ? subwords->start[i] : 0;
		int64		last = subwords ? subwords->start[i + 1] : 0;

		if (from < 0)
			continue;
		vector = words_row(known->words, known->words->entries[from].row);
		for (int d = 0; d < shared->dims; d++)
			row[d] = vector[d] * (last - first + 1);
		for (int64 n = first; n < last; n++)
		{
			const float *bucket = word2vec_input_row(shared,
													 subwords->rows[n]);

			for (int d = 0; d < shared->dims; d++)
				row[d] -= bucket[d];
		}
	}
}

/*
 * A row that training goes on from stands for all occurrences it was trained
 * on; text that has few of them moves it little.  So each row makes only that
 * share of its changes that the new occurrences are of all: a word that is new
 * moves freely, one of the old text that is rare in the new one stays where
 * it is.  A model that does not say its counts (imported vectors) moves
 * freely, too.
 */
static void
set_rates(const EncodedCorpus *corpus, const Subwords *subwords,
		  const KnownWords *known, Word2vecShared *shared)
{
	float	   *rates = word2vec_rates(shared);
	double	   *before =
			palloc_extended(mul_size(shared->rows, sizeof(double)),
							MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	double	   *now = palloc_extended(mul_size(shared->rows, sizeof(double)),
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	for (int32 i = 0; i < corpus->words; i++)
	{
		int64		first = subwords ? subwords->start[i] : 0;
		int64		last = subwords ? subwords->start[i + 1] : 0;
		double		old = known_words_occurrences(known,
												  &corpus->vocabulary[i]);

		before[i] = old;
		now[i] = corpus->vocabulary[i].count;
		for (int64 n = first; n < last; n++)
		{
			before[subwords->rows[n]] += old;
			now[subwords->rows[n]] += corpus->vocabulary[i].count;
		}
	}
	for (int32 row = 0; row < shared->rows; row++)
		rates[row] = before[row] > 0 ? now[row] / (before[row] + now[row]) : 1;
	pfree(before);
	pfree(now);
}

Datum
train_word2vec(PG_FUNCTION_ARGS)
{
	Word2vecOptions options;
	ModelDefinition definition;
	KnownWords *known;
	Progress   *progress;
	TrainerFiles *files;
	TrainerMemory *memory;
	EncodedCorpus *corpus;
	Subwords   *subwords;
	TrainerCurve curve;
	Oid			table;

	trainer_check();
	arguments_require(fcinfo, NEEDED, argument_names);
	known = known_words_open(fcinfo->flinfo, PG_ARGISNULL(ARG_FROM_MODEL) ?
							 InvalidOid : PG_GETARG_OID(ARG_FROM_MODEL));
	read_options(fcinfo, known, &options);
	define_model(&options, &definition);
	if (known != NULL)
		model_definition_keep(&definition, known_words_description(known));
	model_check_creation(&definition);

	progress = progress_begin(psprintf("training model \"%s\"", options.model),
							  "words");
	files = trainer_files_create();
	corpus = word2vec_read_corpus(&options, files, known, progress);
	subwords = word2vec_subwords(&options, corpus);
	memory = word2vec_share(&options, corpus, subwords);
	if (known != NULL)
	{
		start_from(corpus, subwords, known, memory->memory);
		set_rates(corpus, subwords, known, memory->memory);
	}

	progress_phase(progress, "training", memory->control->total);
	trainer_run(&word2vec_task, files, memory, options.workers, 0, progress,
				&curve);
	trainer_files_free(files);
	trainer_report_curve(&curve);
	model_definition_losses(&definition, curve.points, curve.losses);

	table = write_model(&definition, corpus, subwords, known, memory->memory,
						progress);
	trainer_memory_free(memory);
	progress_end(progress);
	PG_RETURN_OID(table);
}
