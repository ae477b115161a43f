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
#include "encoder/word2vec/word2vec.h"
#include "miscadmin.h"
#include "server/extension.h"
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

static void
check_options(const Word2vecOptions *options)
{
	const OptionDeclaration *declared = word2vec_options;

	option_check_argument(declared, "dims", options->dims);
	option_check_argument(declared, "window_size", options->window_size);
	option_check_argument(declared, "negative", options->negative);
	option_check_argument(declared, "sample", options->sample);
	option_check_argument(declared, "epochs", options->epochs);
	option_check_argument(declared, "alpha", options->alpha);
	option_check_argument(declared, "min_count", options->min_count);
	option_check_argument(declared, "max_n", options->max_n);
	words_check_ngrams(options->min_n, options->max_n);
	option_check_argument(declared, "buckets", options->buckets);
	if (options->negative == 0 && !options->hierarchical_softmax)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("nothing to train: negative is 0 and hierarchical_softmax is off"),
				 errhint("Use negative => 5, or hierarchical_softmax => true.")));
}

static void
read_options(FunctionCallInfo fcinfo, Word2vecOptions *options)
{
	for (int i = 0; i < ARG_FROM_MODEL; i++)
		if (PG_ARGISNULL(i) && i != ARG_WORKERS && i != ARG_SEED)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s must not be null", argument_names[i])));

	options->model = text_to_cstring(PG_GETARG_TEXT_PP(ARG_MODEL));
	options->corpus = text_to_cstring(PG_GETARG_TEXT_PP(ARG_CORPUS));
	options->config = PG_GETARG_OID(ARG_CONFIG);
	options->dims = PG_GETARG_INT32(ARG_DIMS);
	options->cbow = option_choose(word2vec_options, "algorithm", "algorithm",
								  text_to_cstring(PG_GETARG_TEXT_PP(ARG_ALGORITHM))) == 1;
	options->window_size = PG_GETARG_INT32(ARG_WINDOW_SIZE);
	options->negative = PG_GETARG_INT32(ARG_NEGATIVE);
	options->hierarchical_softmax = PG_GETARG_BOOL(ARG_HIERARCHICAL_SOFTMAX);
	options->sample = PG_GETARG_FLOAT8(ARG_SAMPLE);
	options->epochs = PG_GETARG_INT32(ARG_EPOCHS);
	options->alpha = PG_GETARG_FLOAT8(ARG_ALPHA);
	options->min_count = PG_GETARG_INT32(ARG_MIN_COUNT);
	options->min_n = PG_GETARG_INT32(ARG_MIN_N);
	options->max_n = PG_GETARG_INT32(ARG_MAX_N);
	options->buckets = PG_GETARG_INT32(ARG_BUCKETS);
	options->workers = trainer_workers(!PG_ARGISNULL(ARG_WORKERS),
									   PG_ARGISNULL(ARG_WORKERS) ? 0 :
									   PG_GETARG_INT32(ARG_WORKERS));
	if (!PG_ARGISNULL(ARG_SEED))
		options->seed = (uint64) PG_GETARG_INT64(ARG_SEED);
	else if (!pg_strong_random(&options->seed, sizeof(options->seed)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate a random seed")));
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

/* The model that training goes on from. */
typedef struct Known
{
	Words	   *words;
	EncodedWord *list;			/* one per entry of words */
} Known;

static EncodedCorpus *
read_corpus(const Word2vecOptions *options, TrainerFiles *files,
			const Known *known, Progress *progress)
{
	EncodeOptions encode = {0};
	EncodedCorpus *corpus;

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
	corpus = corpus_encode(&encode);
	if (corpus->tokens == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("corpus has no word to train on"),
				 errdetail("It holds " INT64_FORMAT " words in " INT64_FORMAT
						   " texts, but none occurs %d times.",
						   corpus->all_tokens, corpus->documents,
						   options->min_count),
				 errhint("Lower min_count or use a larger corpus.")));
	return corpus;
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

static void
check_finite(const float *vector, int dims)
{
	for (int i = 0; i < dims; i++)
		if (!isfinite(vector[i]))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("training diverged"),
					 errhint("Lower alpha.")));
}

/*
 * Words keep the ids of the model they come from; new ones follow.
 */
static int32
id_of_word(const EncodedCorpus *corpus, const Known *known, int32 word,
		   int32 *next_id)
{
	int32		from = corpus->vocabulary[word].known;

	return from >= 0 ? known->words->entries[from].id : (*next_id)++;
}

/* Of the new text and of what the model was trained on before, if it is known. */
static Datum
total_count(int64 before, int64 now)
{
	return Int64GetDatum(Max(before, 0) + now);
}

static Oid
write_model(ModelDefinition *definition, const EncodedCorpus *corpus,
			const Subwords *subwords, const Known *known,
			Word2vecShared *shared, Progress *progress)
{
	ModelWriter *writer = model_create(definition);
	Vector	   *vector = vector_create(shared->dims);
	Datum		values[WORDS_COLUMNS];
	bool		nulls[WORDS_COLUMNS] = {false};
	int32		next_id = known ? known->words->totals->last_id + 1 : 1;

	progress_phase(progress, "writing model", shared->rows);
	values[WORDS_ID] = Int32GetDatum(0);
	values[WORDS_DOCUMENTS] =
		total_count(known ? known->words->totals->documents : 0,
					corpus->documents);
	values[WORDS_OCCURRENCES] =
		total_count(known ? known->words->totals->occurrences : 0,
					corpus->tokens);
	nulls[WORDS_WORD] = nulls[WORDS_VECTOR] = true;
	model_write_row(writer, values, nulls);

	nulls[WORDS_WORD] = nulls[WORDS_VECTOR] = false;
	values[WORDS_VECTOR] = PointerGetDatum(vector);
	for (int32 i = 0; i < corpus->words; i++)
	{
		const EncodedWord *word = &corpus->vocabulary[i];
		const WordEntry *before = word->known < 0 ? NULL :
			&known->words->entries[word->known];
		text	   *name = cstring_to_text_with_len(word->text, word->length);

		vector_of_word(shared, subwords, i, vector->x);
		check_finite(vector->x, shared->dims);
		values[WORDS_ID] = Int32GetDatum(id_of_word(corpus, known, i, &next_id));
		values[WORDS_WORD] = PointerGetDatum(name);
		values[WORDS_DOCUMENTS] = total_count(before ? before->documents : 0,
											  word->documents);
		values[WORDS_OCCURRENCES] = total_count(before ? before->occurrences : 0,
												word->count);
		model_write_row(writer, values, nulls);
		pfree(name);
		CHECK_FOR_INTERRUPTS();
		progress_update(progress, i, NAN);
	}

	nulls[WORDS_WORD] = true;
	nulls[WORDS_DOCUMENTS] = nulls[WORDS_OCCURRENCES] = true;
	for (int32 i = 0; subwords != NULL && i < subwords->touched; i++)
	{
		memcpy(vector->x, word2vec_input_row(shared, shared->words + i),
			   sizeof(float) * shared->dims);
		check_finite(vector->x, shared->dims);
		values[WORDS_ID] = Int32GetDatum(WORDS_FIRST_BUCKET + subwords->buckets[i]);
		model_write_row(writer, values, nulls);
		CHECK_FOR_INTERRUPTS();
		progress_update(progress, shared->words + i, NAN);
	}
	return model_finish(writer);
}

/*
 * Take over the vectors of a model that is trained on.  A word's own row is
 * what its vector holds above the rows of its n-grams.
 */
static void
start_from(const EncodedCorpus *corpus, const Subwords *subwords,
		   const Known *known, Word2vecShared *shared)
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
			const float *bucket = word2vec_input_row(shared, subwords->rows[n]);

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
		  const Known *known, Word2vecShared *shared)
{
	float	   *rates = word2vec_rates(shared);
	double	   *before = palloc_extended(mul_size(shared->rows, sizeof(double)),
										 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	double	   *now = palloc_extended(mul_size(shared->rows, sizeof(double)),
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	for (int32 i = 0; i < corpus->words; i++)
	{
		int32		from = corpus->vocabulary[i].known;
		int64		first = subwords ? subwords->start[i] : 0;
		int64		last = subwords ? subwords->start[i + 1] : 0;
		double		old = from < 0 ? 0 :
			Max(known->words->entries[from].occurrences, 0);

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

/*
 * Continued training needs the same shape: dims and n-grams are the model's.
 */
static Known *
read_known(FmgrInfo *flinfo, Word2vecOptions *options)
{
	Known	   *known;
	const ModelDescription *from;
	WordsSubwords subwords;

	if (!OidIsValid(options->from_model))
		return NULL;
	known = palloc(sizeof(Known));
	known->words = words_open(flinfo, options->from_model);
	from = known->words->model->description;
	options->dims = known->words->totals->dims;
	subwords = words_subwords(from);
	options->min_n = subwords.min_n;
	options->max_n = subwords.max_n;
	if (subwords.max_n > 0)
		options->buckets = subwords.buckets;
	check_options(options);

	known->list = palloc_extended(mul_size(sizeof(EncodedWord),
										   known->words->totals->words + 1),
								  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int32 i = 0; i < known->words->totals->words; i++)
	{
		const WordEntry *entry = &known->words->entries[i];

		known->list[i].text = known->words->texts + entry->text;
		known->list[i].length = entry->length;
	}
	return known;
}

/* For whoever wants to know how the training went */
static void
report_curve(const TrainerCurve *curve)
{
	StringInfoData line;

	initStringInfo(&line);
	for (int i = 0; i < curve->points; i++)
		appendStringInfo(&line, " %.4f", curve->losses[i]);
	ereport(DEBUG1,
			(errmsg_internal("loss of each epoch:%s", line.data)));
}

Datum
train_word2vec(PG_FUNCTION_ARGS)
{
	Word2vecOptions options;
	ModelDefinition definition;
	Known   *known;
	Progress   *progress;
	TrainerFiles *files;
	TrainerMemory *memory;
	EncodedCorpus *corpus;
	Subwords   *subwords;
	TrainerCurve curve;
	Oid			table;

	trainer_check();
	read_options(fcinfo, &options);
	known = read_known(fcinfo->flinfo, &options);
	define_model(&options, &definition);
	if (known != NULL)
		model_definition_keep(&definition, known->words->model->description);
	model_check_creation(&definition);

	progress = progress_begin(psprintf("training model \"%s\"", options.model),
							  "words");
	files = trainer_files_create();
	corpus = read_corpus(&options, files, known, progress);
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
	report_curve(&curve);

	table = write_model(&definition, corpus, subwords, known, memory->memory,
						progress);
	trainer_memory_free(memory);
	progress_end(progress);
	PG_RETURN_OID(table);
}
