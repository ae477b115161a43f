/*-------------------------------------------------------------------------
 *
 * train_elmo.c
 *	  SQL function train_elmo.
 *
 * A corpus is read once; its words become tokens in shared memory, its texts
 * are read again in each epoch, in another order; processes take steps
 * together (elmo_shared.c), and what they have trained becomes a model like an
 * imported one (elmo_write.c), with what is needed to go on.
 *
 * A function belongs to one transaction: what a cancelled one has trained is
 * lost.  elmo_epochs.c trains epoch by epoch and keeps each.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/elmo/elmo_training.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "server/arguments.h"
#include "server/extension.h"
#include "storage/buffile.h"
#include "type/vector.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

EMBED_FUNCTION(train_elmo);

/* arguments of the SQL function, in order */
enum
{
	ARG_MODEL,
	ARG_CORPUS,
	ARG_CONFIG,
	ARG_DIMS,
	ARG_LAYERS,
	ARG_HIDDEN,
	ARG_FILTERS,
	ARG_MAX_CHARACTERS,
	ARG_WINDOW_SIZE,
	ARG_BATCH,
	ARG_NEGATIVES,
	ARG_EPOCHS,
	ARG_LEARNING_RATE,
	ARG_DROPOUT,
	ARG_CLIP_NORM,
	ARG_HELD_OUT,
	ARG_WORKERS,
	ARG_SEED,
	ARG_FROM_MODEL,
	ARG_REPLACE,
	ARG_MIN_COUNT,
	ARGS
};

static const char *const argument_names[] = {
	"model", "corpus", "config", "dims", "layers", "hidden", "filters",
	"max_characters", "window_size", "batch", "negatives", "epochs",
	"learning_rate", "dropout", "clip_norm", "held_out", "workers", "seed",
	"from_model", "replace", "min_count"
};

/* What a number may be, and what it is if it is not given. */
typedef struct Limit
{
	int			argument;
	double		least;
	double		most;
	double		missing;
} Limit;

static const Limit limits[] = {
	{ARG_DIMS, 2, VECTOR_MAX_DIMS, 128},
	{ARG_LAYERS, 1, ELMO_MAX_LAYERS, 2},
	{ARG_HIDDEN, 1, 16384, 512},
	{ARG_MAX_CHARACTERS, 3, 1000, 50},
	{ARG_WINDOW_SIZE, 1, 1000, 20},
	{ARG_BATCH, 1, 4096, 128},
	{ARG_NEGATIVES, 1, 1000000, 8192},
	{ARG_EPOCHS, 1, 1000000, 10},
	{ARG_LEARNING_RATE, 1e-9, 100, 0.2},
	{ARG_DROPOUT, 0, 0.99, 0.1},
	{ARG_CLIP_NORM, 0, 1e9, 10},
	{ARG_HELD_OUT, 0, 0.5, 0.01},
	{ARG_MIN_COUNT, 1, PG_INT32_MAX, 5}
};

/* What bilm-tf and this training have alike. */
#define CHARACTER_DIMS 16
#define HIGHWAYS 1
#define CELL_CLIP 3
#define OUT_CLIP 3

static const int default_filters[][2] = {{1, 32}, {2, 32}, {3, 64}, {4, 128}};

/* ---------- arguments ---------- */

static double
number_argument(FunctionCallInfo fcinfo, int argument)
{
	const Limit *limit = limits;
	bool		is_float = argument == ARG_LEARNING_RATE ||
		argument == ARG_DROPOUT || argument == ARG_CLIP_NORM ||
		argument == ARG_HELD_OUT;
	double		value;

	while (limit->argument != argument)
		limit++;
	if (PG_ARGISNULL(argument))
		return limit->missing;
	value = is_float ? PG_GETARG_FLOAT8(argument) : PG_GETARG_INT32(argument);
	if (!(value >= limit->least && value <= limit->most))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be between %g and %.10g",
						argument_names[argument], limit->least, limit->most),
				 errdetail("It is %.10g.", value)));
	return value;
}

pg_noreturn static void
refuse_filters(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("filters must be an array of pairs: a width and how many of that width"),
			 errdetail("%s", detail),
			 errhint("Such as '{{1,32},{2,32},{3,64},{4,128}}'.")));
}

static void
add_filter(ElmoOptions *options, int width, int size)
{
	if (width < 1 || width > options->most_characters)
		refuse_filters("A width is less than 1, or more than max_characters.");
	if (size < 1 || size > 10000)
		refuse_filters("There may be 1 to 10000 filters of a width.");
	options->filter_width[options->filter_count] = width;
	options->filter_size[options->filter_count++] = size;
	options->filters += size;
}

static void
read_filters(FunctionCallInfo fcinfo, ElmoOptions *options)
{
	ArrayType  *array;
	Datum	   *values;
	bool	   *nulls;
	int			count;

	if (PG_ARGISNULL(ARG_FILTERS))
	{
		for (int i = 0; i < lengthof(default_filters); i++)
		{
			if (default_filters[i][0] <= options->most_characters)
				add_filter(options, default_filters[i][0],
						   default_filters[i][1]);
		}
		return;
	}
	array = PG_GETARG_ARRAYTYPE_P(ARG_FILTERS);
	if (ARR_NDIM(array) != 2 || ARR_DIMS(array)[1] != 2)
		refuse_filters("It has another shape.");
	if (ARR_DIMS(array)[0] > ELMO_MAX_FILTERS)
		refuse_filters(psprintf("There are %d pairs, the most are %d.",
								ARR_DIMS(array)[0], ELMO_MAX_FILTERS));
	deconstruct_array(array, INT4OID, sizeof(int32), true, TYPALIGN_INT,
					  &values, &nulls, &count);
	for (int i = 0; i < count; i += 2)
	{
		if (nulls[i] || nulls[i + 1])
			refuse_filters("It contains a null.");
		add_filter(options, DatumGetInt32(values[i]),
				   DatumGetInt32(values[i + 1]));
	}
}

static void
read_sizes(FunctionCallInfo fcinfo, ElmoOptions *options)
{
	int			dims = (int) number_argument(fcinfo, ARG_DIMS);

	if (dims % 2 != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("dims must be even"),
				 errdetail("It is %d, and each direction makes a half.", dims)));
	options->character_dims = CHARACTER_DIMS;
	options->highways = HIGHWAYS;
	options->activation = ELMO_RELU;
	options->cell_clip = CELL_CLIP;
	options->projection_clip = OUT_CLIP;
	options->skip_connections = true;
	options->projection = dims / 2;
	options->layers = (int) number_argument(fcinfo, ARG_LAYERS);
	options->cells = (int) number_argument(fcinfo, ARG_HIDDEN);
	options->most_characters = (int) number_argument(fcinfo,
													 ARG_MAX_CHARACTERS);
	read_filters(fcinfo, options);
}

static bool
same_filters(const ElmoOptions *a, const ElmoOptions *b)
{
	for (int i = 0; i < a->filter_count && i < b->filter_count; i++)
	{
		if (a->filter_width[i] != b->filter_width[i] ||
			a->filter_size[i] != b->filter_size[i])
			return false;
	}
	return a->filter_count == b->filter_count;
}

/* Sizes of a model that training goes on from may be given, but no others. */
static void
keep_sizes(FunctionCallInfo fcinfo, const ElmoPast *past, ElmoOptions *options)
{
	const ElmoOptions *have = &past->options;
	ElmoOptions asked = {0};
	int			wrong = -1;

	read_sizes(fcinfo, &asked);
	if (!PG_ARGISNULL(ARG_DIMS) && asked.projection != have->projection)
		wrong = ARG_DIMS;
	else if (!PG_ARGISNULL(ARG_LAYERS) && asked.layers != have->layers)
		wrong = ARG_LAYERS;
	else if (!PG_ARGISNULL(ARG_HIDDEN) && asked.cells != have->cells)
		wrong = ARG_HIDDEN;
	else if (!PG_ARGISNULL(ARG_FILTERS) && !same_filters(&asked, have))
		wrong = ARG_FILTERS;
	else if (!PG_ARGISNULL(ARG_MAX_CHARACTERS) &&
			 asked.most_characters != have->most_characters)
		wrong = ARG_MAX_CHARACTERS;
	if (wrong >= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s is not that of the model to go on from",
						argument_names[wrong]),
				 errdetail("Embedding model \"%s\" has %d dimensions, %d layers of %d cells, %d filters and %d characters a word.",
						   past->description->table_name,
						   2 * have->projection, have->layers, have->cells,
						   have->filters, have->most_characters)));
	*options = *have;
}

#define NEEDED \
	(ARGUMENT(ARG_MODEL) | ARGUMENT(ARG_CORPUS) | ARGUMENT(ARG_REPLACE))

static void
read_settings(FunctionCallInfo fcinfo, const ElmoPast *past,
			  ElmoSettings *settings)
{
	if (past == NULL)
		read_sizes(fcinfo, &settings->options);
	else
		keep_sizes(fcinfo, past, &settings->options);
	settings->model = text_to_cstring(PG_GETARG_TEXT_PP(ARG_MODEL));
	settings->corpus = text_to_cstring(PG_GETARG_TEXT_PP(ARG_CORPUS));
	if (!PG_ARGISNULL(ARG_CONFIG))
		settings->config = PG_GETARG_OID(ARG_CONFIG);
	else if (past != NULL)
		settings->config = model_option_config(past->description);
	else
		settings->config = extension_config("embed_words");
	settings->window_size = (int) number_argument(fcinfo, ARG_WINDOW_SIZE);
	settings->batch = (int) number_argument(fcinfo, ARG_BATCH);
	settings->negatives = (int) number_argument(fcinfo, ARG_NEGATIVES);
	settings->epochs = (int) number_argument(fcinfo, ARG_EPOCHS);
	settings->learning_rate = number_argument(fcinfo, ARG_LEARNING_RATE);
	settings->dropout = number_argument(fcinfo, ARG_DROPOUT);
	settings->clip_norm = number_argument(fcinfo, ARG_CLIP_NORM);
	settings->held_out = number_argument(fcinfo, ARG_HELD_OUT);
	settings->min_count = (int) number_argument(fcinfo, ARG_MIN_COUNT);
	settings->workers = trainer_workers(!PG_ARGISNULL(ARG_WORKERS),
										PG_ARGISNULL(ARG_WORKERS) ? 0 :
										PG_GETARG_INT32(ARG_WORKERS));
	settings->workers = Min(settings->workers, settings->batch);
	settings->seed = trainer_seed(!PG_ARGISNULL(ARG_SEED),
								  PG_ARGISNULL(ARG_SEED) ? 0 :
								  PG_GETARG_INT64(ARG_SEED));
	settings->replace = PG_GETARG_BOOL(ARG_REPLACE);
}

static void
define_model(const ElmoSettings *settings, const ElmoPast *past,
			 ModelDefinition *definition)
{
	model_definition_init(definition, settings->model, &elmo_method,
						  settings->replace);
	model_definition_int(definition, "dims", 2 * settings->options.projection);
	model_definition_int(definition, "layers", settings->options.layers);
	model_definition_config(definition, settings->config);
	if (past != NULL)
		model_definition_keep(definition, past->description);
	model_check_creation(definition);
}

/* ---------- the corpus ---------- */

/* Texts of the encoded corpus. */
typedef struct Texts
{
	int64		count;
	int64		capacity;
	int64	   *firsts;
	int32	   *lengths;
} Texts;

static void
add_text(Texts *texts, int64 first, int64 length)
{
	if (length > PG_INT32_MAX - 2)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a text of the corpus is too long"),
				 errdetail("It has " INT64_FORMAT " words.", length)));
	if (texts->count == texts->capacity)
	{
		texts->capacity *= 2;
		texts->firsts = repalloc_huge(texts->firsts,
									  sizeof(int64) * texts->capacity);
		texts->lengths = repalloc_huge(texts->lengths,
									   sizeof(int32) * texts->capacity);
	}
	texts->firsts[texts->count] = first;
	texts->lengths[texts->count++] = (int32) length;
}

static void
find_texts(const EncodedCorpus *corpus, SharedFileSet *files, Texts *texts)
{
	EncodedReader *reader = encoded_reader_open(files, corpus->ids);
	int32	   *ids = palloc(sizeof(int32) * ENCODED_SLICE);
	int64		first = 0;
	int64		at = 0;

	texts->count = 0;
	texts->capacity = 1024;
	texts->firsts = palloc(sizeof(int64) * texts->capacity);
	texts->lengths = palloc(sizeof(int32) * texts->capacity);
	for (int64 slice = 0; at < corpus->ids; slice++)
	{
		int			count = encoded_reader_read(reader, slice, ids);

		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < count; i++, at++)
		{
			if (ids[i] != ENCODED_END)
				continue;
			if (at > first)
				add_text(texts, first, at - first);
			first = at + 1;
		}
	}
	encoded_reader_close(reader);
	pfree(ids);
}

/*
 * Which texts are held out follows from their number alone, so that a training
 * that goes on with the same corpus measures what it has not seen.
 */
static bool
is_held_out(int64 text, double share)
{
	uint64		state = (uint64) text;

	return (double) (splitmix64(&state) >> 11) * 0x1p-53 < share;
}

/* Fewer than two texts: none is held out. */
static int64
count_held_out(const Texts *texts, double share)
{
	int64		count = 0;

	for (int64 i = 0; i < texts->count; i++)
		count += is_held_out(i, share);
	return count < texts->count ? count : 0;
}

static EncodedCorpus *
read_corpus(const ElmoSettings *settings, TrainerFiles *files,
			const EncodedWord *known, int32 known_words, Progress *progress)
{
	EncodeOptions encode = {0};

	encode.query = settings->corpus;
	encode.config = settings->config;
	encode.min_count = 1;
	encode.files = files->files;
	encode.progress = progress;
	encode.known = known;
	encode.known_words = known_words;
	return corpus_encode(&encode);
}

/* Rows of the softmax: of a model's words, or of the corpus' frequent ones. */
static int
count_rows(const ElmoSettings *settings, const ElmoPast *past,
		   const EncodedCorpus *corpus)
{
	int32		words = 0;

	if (past != NULL && past->words > 0)
		return past->words;
	while (words < corpus->words &&
		   corpus->vocabulary[words].count >= settings->min_count)
		words++;
	return ELMO_FIRST_ROW + words;
}

/* ---------- shared memory ---------- */

/* Characters are bytes of UTF-8, whatever the server's encoding is. */
static const char *
utf8_of(const EncodedWord *word, int *length)
{
	const char *text = pg_server_to_any(word->text, word->length, PG_UTF8);

	*length = text == word->text ? word->length : (int) strlen(text);
	return text;
}

static Size
text_bytes(const EncodedCorpus *corpus)
{
	Size		bytes = strlen(CHARACTER_TEXT_BEGIN) +
		strlen(CHARACTER_TEXT_END);

	for (int32 i = 0; i < corpus->words; i++)
	{
		int			length;

		(void) utf8_of(&corpus->vocabulary[i], &length);
		bytes += length;
	}
	return bytes;
}

static void
put_token(ElmoShared *shared, int32 token, const char *text, int length)
{
	int64	   *offsets = elmo_shared_part(shared, shared->text_offsets);

	memcpy((char *) elmo_shared_part(shared, shared->text) + offsets[token],
		   text, length);
	offsets[token + 1] = offsets[token] + length;
}

static void
fill_tokens(ElmoShared *shared, const EncodedCorpus *corpus, bool known)
{
	int32	   *rows = elmo_shared_part(shared, shared->rows);

	put_token(shared, ELMO_TOKEN_BEGIN, CHARACTER_TEXT_BEGIN,
			  strlen(CHARACTER_TEXT_BEGIN));
	put_token(shared, ELMO_TOKEN_END, CHARACTER_TEXT_END,
			  strlen(CHARACTER_TEXT_END));
	rows[ELMO_TOKEN_BEGIN] = ELMO_TOKEN_BEGIN;
	rows[ELMO_TOKEN_END] = ELMO_TOKEN_END;
	for (int32 i = 0; i < corpus->words; i++)
	{
		const EncodedWord *word = &corpus->vocabulary[i];
		int64		row = ELMO_FIRST_ROW + (int64) (known ? word->known : i);
		const char *text;
		int			length;

		text = utf8_of(word, &length);
		put_token(shared, ELMO_FIRST_WORD + i, text, length);
		if ((known && word->known < 0) || row >= shared->words)
			row = ELMO_ROW_RARE;
		rows[ELMO_FIRST_WORD + i] = (int32) row;
	}
}

static void
fill_texts(ElmoShared *shared, const Texts *texts)
{
	memcpy(elmo_shared_part(shared, shared->firsts), texts->firsts,
		   sizeof(int64) * texts->count);
	memcpy(elmo_shared_part(shared, shared->lengths), texts->lengths,
		   sizeof(int32) * texts->count);
}

/* Texts to train on, then those held out, in their order. */
static void
order_texts(ElmoShared *shared, double share)
{
	int64	   *order = elmo_shared_part(shared, shared->order);
	int64		trained = 0;
	int64		held_out = shared->texts;

	for (int64 i = 0; i < shared->texts + shared->held_out; i++)
	{
		if (shared->held_out > 0 && is_held_out(i, share))
			order[held_out++] = i;
		else
			order[trained++] = i;
	}
}

/*
 * A random order (Fisher and Yates, as Durstenfeld 1964) of the texts to train
 * on, which follows from the seed and the number of the epoch alone.
 */
static void
shuffle_texts(ElmoShared *shared, double share, int64 epoch)
{
	int64	   *order = elmo_shared_part(shared, shared->order);
	Random		random;

	order_texts(shared, share);
	random_seed_stream(&random, shared->seed, (uint64) epoch);
	for (int64 i = shared->texts - 1; i > 0; i--)
	{
		int64		j = (int64) (random_double(&random) * (double) (i + 1));
		int64		text = order[i];

		order[i] = order[j];
		order[j] = text;
	}
}

static void
fill_weights(ElmoShared *shared, const ElmoPast *past)
{
	ElmoParameters parameters;
	float	   *sums = elmo_shared_part(shared, shared->sums);
	float	   *table = elmo_shared_part(shared, shared->table);
	float	   *table_sums = elmo_shared_part(shared, shared->table_sums);
	Size		width = (Size) shared->options.projection + 1;
	Size		numbers = (Size) shared->words * width;
	Random		random;

	elmo_parameters(&parameters, &shared->options);
	random_seed_stream(&random, shared->seed, (uint64) 1 << 62);
	for (Size i = 0; i < parameters.numbers; i++)
		sums[i] = 1;
	for (Size i = 0; i < numbers; i++)
	{
		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		table_sums[i] = 1;
		table[i] = i % width == width - 1 ? 0 :
			(float) (random_gaussian(&random) / sqrt((double) width - 1));
	}
	for (int i = 0; past == NULL && i < parameters.count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		elmo_first_weights(&parameters, i, shared->seed,
						   elmo_shared_part(shared, shared->weights));
	}
	if (past != NULL)
		elmo_past_read(past, &parameters,
					   elmo_shared_part(shared, shared->weights), sums, table,
					   table_sums);
}

static int
candidates_of(const ElmoSettings *settings, int words)
{
	/* nearly all words: all of them, exactly */
	return settings->negatives >= words - words / 5 ? words :
		settings->negatives;
}

static TrainerMemory *
share(const ElmoSettings *settings, const ElmoPast *past,
	  const EncodedCorpus *corpus, const Texts *texts)
{
	ElmoShared	plan = {settings->options};
	ElmoShared *shared;
	TrainerMemory *memory;

	plan.words = count_rows(settings, past, corpus);
	plan.candidates = candidates_of(settings, plan.words);
	plan.lanes = settings->batch;
	plan.steps = settings->window_size;
	plan.dropout = settings->dropout;
	plan.clip_norm = settings->clip_norm;
	plan.learning_rate = settings->learning_rate;
	plan.seed = settings->seed;
	plan.tokens = ELMO_FIRST_WORD + corpus->words;
	plan.ids = corpus->ids;
	plan.held_out = count_held_out(texts, settings->held_out);
	plan.texts = texts->count - plan.held_out;
	plan.members = settings->workers;
	elmo_shared_plan(&plan, text_bytes(corpus));
	memory = trainer_memory_create(plan.bytes, "weights");
	shared = memory->memory;
	*shared = plan;
	team_meeting_init(&shared->meeting);
	fill_tokens(shared, corpus, past != NULL && past->words > 0);
	fill_texts(shared, texts);
	order_texts(shared, settings->held_out);
	fill_weights(shared, past);
	return memory;
}

/* ---------- training ---------- */

typedef struct Training
{
	const ElmoSettings *settings;
	TrainerFiles *files;
	TrainerMemory *memory;
	ElmoShared *shared;
	Progress   *progress;
	int64		epochs;			/* before this training */
	int64		steps;			/* so far */
	double		perplexity;		/* of the texts held out, or NAN */
} Training;

static void
run(Training *training, bool measures, int epoch, TrainerCurve *curve)
{
	ElmoShared *shared = training->shared;

	shared->measures = measures;
	shared->epoch = epoch;
	shared->first_step = training->steps;
	shared->taken = 0;
	shared->loss = 0;
	shared->targets = 0;
	pg_atomic_write_u64(&shared->meeting.arrived, 0);
	trainer_run(&elmo_task, training->files, training->memory,
				training->settings->workers, epoch + 1, training->progress,
				curve);
	if (!measures)
		training->steps += shared->taken;
}

static void
report_epoch(Training *training, int epoch)
{
	ElmoShared *shared = training->shared;
	double		perplexity = exp(shared->loss / Max(shared->targets, 1));

	training->perplexity = perplexity;
	progress_result(training->progress,
					psprintf("epoch " INT64_FORMAT " of " INT64_FORMAT ", perplexity %.1f of " INT64_FORMAT " words held out",
							 training->epochs + epoch + 1,
							 training->epochs + training->settings->epochs,
							 perplexity, shared->targets / 2));
}

static int64
words_trained_on(ElmoShared *shared)
{
	const int64 *order = elmo_shared_part(shared, shared->order);
	const int32 *lengths = elmo_shared_part(shared, shared->lengths);
	int64		words = 0;

	for (int64 i = 0; i < shared->texts; i++)
		words += lengths[order[i]];
	return words;
}

static void
train(Training *training)
{
	const ElmoSettings *settings = training->settings;
	ElmoShared *shared = training->shared;
	int64		work = words_trained_on(shared) + shared->texts;
	TrainerCurve curve;

	trainer_plan(training->memory, settings->epochs, work * settings->epochs,
				 settings->epochs);
	progress_phase(training->progress, "training",
				   (double) work * settings->epochs);
	for (int epoch = 0; epoch < settings->epochs; epoch++)
	{
		shuffle_texts(shared, settings->held_out, training->epochs + epoch);
		run(training, false, epoch, &curve);
		if (shared->held_out == 0)
			continue;
		run(training, true, epoch, NULL);
		report_epoch(training, epoch);
	}
	trainer_report_curve(&curve);
}

/* Says what went wrong rather than write it. */
static void
check_weights(ElmoShared *shared)
{
	ElmoParameters parameters;
	const float *weights = elmo_shared_part(shared, shared->weights);

	elmo_parameters(&parameters, &shared->options);
	for (int i = 0; i < parameters.count; i++)
	{
		const ElmoTensor *tensor = &parameters.tensors[i];

		if (format_first_not_finite(weights + tensor->offset,
									(int) tensor->count) >= 0)
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("training diverged"),
					 errdetail("A number of \"%s\" is not finite.",
							   tensor->name),
					 errhint("Lower learning_rate.")));
	}
}

/* What a model says of its training. */
static void
describe_training(const Training *training, ModelDefinition *definition)
{
	model_definition_int(definition, "epochs", training->epochs +
						 training->settings->epochs);
	if (isfinite(training->perplexity))
		model_definition_float(definition, "perplexity",
							   training->perplexity);
}

Datum
train_elmo(PG_FUNCTION_ARGS)
{
	ElmoSettings settings = {NULL};
	ModelDefinition definition;
	ElmoPast   *past = NULL;
	EncodedWord *known = NULL;
	int32		known_words = 0;
	EncodedCorpus *corpus;
	Texts		texts;
	Training	training = {&settings};
	Oid			table;

	trainer_check();
	arguments_require(fcinfo, NEEDED, argument_names);
	if (!PG_ARGISNULL(ARG_FROM_MODEL))
		past = elmo_past_open(PG_GETARG_OID(ARG_FROM_MODEL));
	read_settings(fcinfo, past, &settings);
	define_model(&settings, past, &definition);
	if (past != NULL && past->words > 0)
	{
		known = elmo_past_words(past);
		known_words = past->words - ELMO_FIRST_ROW;
	}
	if (past != NULL)
	{
		training.epochs = past->epochs;
		training.steps = past->steps;
	}
	training.perplexity = NAN;
	training.progress = progress_begin(psprintf("training model \"%s\"",
												settings.model), "words");
	training.files = trainer_files_create();
	corpus = read_corpus(&settings, training.files, known, known_words,
						 training.progress);
	find_texts(corpus, training.files->files, &texts);
	training.memory = share(&settings, past, corpus, &texts);
	training.shared = training.memory->memory;
	train(&training);
	check_weights(training.shared);
	trainer_files_free(training.files);
	describe_training(&training, &definition);
	table = elmo_write_model(&settings, &definition, training.shared,
							 training.steps,
							 training.epochs + settings.epochs,
							 corpus->tokens, training.progress);
	trainer_memory_free(training.memory);
	progress_end(training.progress);
	PG_RETURN_OID(table);
}
