/*-------------------------------------------------------------------------
 *
 * tune_model.c
 *	  SQL function tune_model.
 *
 * The base is opened as any call opens it: the contents that its snapshot
 * shows are those that are tuned, whoever changes or replaces the base
 * meanwhile.  The new model is written at the end, in the caller's
 * transaction: an error or a cancel leaves nothing behind.
 *
 *-------------------------------------------------------------------------
 */
#include "tuning/tuning.h"

#include <math.h>

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "math/distance.h"
#include "math/product.h"
#include "network/loss.h"
#include "server/arguments.h"
#include "server/execute.h"
#include "server/extension.h"
#include "train/trainer.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"

EMBED_FUNCTION(tune_model);

/* arguments of the SQL function, in order */
enum
{
	ARG_MODEL,
	ARG_BASE,
	ARG_EXAMPLES,
	ARG_METHOD,
	ARG_LOSS,
	ARG_EPOCHS,
	ARG_BATCH,
	ARG_LEARNING_RATE,
	ARG_WARMUP,
	ARG_WEIGHT_DECAY,
	ARG_SCALE,
	ARG_MARGIN,
	ARG_RANK,
	ARG_RANK_ALPHA,
	ARG_TARGETS,
	ARG_HELD_OUT,
	ARG_PATIENCE,
	ARG_DROPOUT,
	ARG_MAX_LENGTH,
	ARG_WORKERS,
	ARG_SEED,
	ARG_REPLACE,
	ARG_DISTANCE,
	ARG_MATRYOSHKA,
	ARG_FROZEN_EMBEDDINGS,
	ARG_TOKEN_WEIGHTS,
	ARG_OPTIMIZER,
	ARG_SCHEDULE
};

const char *const tuning_methods[] = {
	"rows", "layer", "low_rank", "projections", "full", "continue", NULL
};

/* Arguments that are numbers, and what they may be */
static const OptionDeclaration ranges[] = {
	OPTION_INTEGER_OF("epochs", 1, 100000, 1),
	OPTION_INTEGER_OF("batch", 2, 65536, 0),
	OPTION_NUMBER_OF("learning_rate", 1e-12, 1e6, 0),
	OPTION_NUMBER_OF("warmup", 0, 1, 0.1),
	OPTION_NUMBER_OF("weight_decay", 0, 1e6, 0.01),
	OPTION_NUMBER_OF("scale", 1e-6, 1e6, TUNING_SCALE),
	OPTION_NUMBER_OF("margin", 0, 1e6, 0),
	OPTION_INTEGER_OF("rank", 1, 16000, 8),
	OPTION_NUMBER_OF("rank_alpha", 1e-6, 1e6, 16),
	OPTION_NUMBER_OF("held_out", 0, 0.9, 0.1),
	OPTION_INTEGER_OF("patience", 1, 100000, 0),
	OPTION_NUMBER_OF("dropout", 0, 0.9, 0),
	OPTION_INTEGER_OF("max_length", 1, 1000000, 0),
	OPTIONS_END
};

/* What texts alone are made unlike themselves by (SimCSE) */
#define DROPOUT_OF_TEXTS 0.1

/* ---------- arguments ---------- */

/* A number of an argument that may be null, which is "missing" then */
static double
number(FunctionCallInfo fcinfo, int argument, const char *name,
	   double missing)
{
	double		value;

	if (PG_ARGISNULL(argument))
		return missing;
	value = option_require(ranges, name)->kind == OPTION_INTEGER ?
		PG_GETARG_INT32(argument) : PG_GETARG_FLOAT8(argument);
	option_check_argument(ranges, name, value);
	return value;
}

static double
required_number(FunctionCallInfo fcinfo, int argument, const char *name)
{
	argument_require(fcinfo, argument, name);
	return number(fcinfo, argument, name, 0);
}

static char *
text_or_null(FunctionCallInfo fcinfo, int argument)
{
	return PG_ARGISNULL(argument) ? NULL :
		text_to_cstring(PG_GETARG_TEXT_PP(argument));
}

static const char *const optimizers[] = {
	"adamw", "sgd", "adagrad", "adafactor", NULL
};
static const char *const schedules[] = {"constant", "linear", "cosine", NULL};

/* The sizes of Matryoshka; their order does not matter */
static void
read_sizes(FunctionCallInfo fcinfo, TuningOptions *options)
{
	ArrayType  *array;
	Datum	   *elements;
	bool	   *nulls;

	if (PG_ARGISNULL(ARG_MATRYOSHKA))
		return;
	array = PG_GETARG_ARRAYTYPE_P(ARG_MATRYOSHKA);
	deconstruct_array(array, INT4OID, sizeof(int32), true, TYPALIGN_INT,
					  &elements, &nulls, &options->sizes);
	if (options->sizes == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("matryoshka must not be empty"),
				 errhint("Give the dimensions that vectors are to be cut to, such as ARRAY[384, 128, 64].")));
	options->size = palloc(sizeof(int) * options->sizes);
	for (int i = 0; i < options->sizes; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("a size of matryoshka must not be null")));
		options->size[i] = DatumGetInt32(elements[i]);
	}
}

static int
choice(FunctionCallInfo fcinfo, int argument, const char *name,
	   const char *const *names)
{
	argument_require(fcinfo, argument, name);
	return choice_index(name, text_or_null(fcinfo, argument), names);
}

static void
read_learning(FunctionCallInfo fcinfo, TuningOptions *options)
{
	options->loss = text_or_null(fcinfo, ARG_LOSS);
	options->scale = required_number(fcinfo, ARG_SCALE, "scale");
	options->margin = number(fcinfo, ARG_MARGIN, "margin", NAN);
	options->distance = text_or_null(fcinfo, ARG_DISTANCE);
	read_sizes(fcinfo, options);
	options->optimizer =
		optimizer_of_name(optimizers[choice(fcinfo, ARG_OPTIMIZER,
											"optimizer", optimizers)]);
	options->schedule =
		schedule_of_name(schedules[choice(fcinfo, ARG_SCHEDULE, "schedule",
										  schedules)]);
	options->learning_rate = number(fcinfo, ARG_LEARNING_RATE,
									"learning_rate", 0);
	if (options->learning_rate == 0 &&
		options->optimizer != OPTIMIZER_ADAMW)
		options->learning_rate =
			optimizer_defaults(options->optimizer).learning_rate;
	options->warmup = required_number(fcinfo, ARG_WARMUP, "warmup");
	options->weight_decay = required_number(fcinfo, ARG_WEIGHT_DECAY,
											"weight_decay");
}

static void
read_options(FunctionCallInfo fcinfo, TuningOptions *options)
{
	argument_require(fcinfo, ARG_MODEL, "model");
	argument_require(fcinfo, ARG_BASE, "base");
	argument_require(fcinfo, ARG_EXAMPLES, "examples");
	argument_require(fcinfo, ARG_REPLACE, "replace");
	options->model = text_or_null(fcinfo, ARG_MODEL);
	options->base = PG_GETARG_OID(ARG_BASE);
	options->examples = text_or_null(fcinfo, ARG_EXAMPLES);
	read_learning(fcinfo, options);
	options->epochs = (int) required_number(fcinfo, ARG_EPOCHS, "epochs");
	options->batch = (int) number(fcinfo, ARG_BATCH, "batch", 0);
	argument_require(fcinfo, ARG_FROZEN_EMBEDDINGS, "frozen_embeddings");
	options->frozen_embeddings = PG_GETARG_BOOL(ARG_FROZEN_EMBEDDINGS);
	options->token_weights = PG_ARGISNULL(ARG_TOKEN_WEIGHTS) ||
		PG_GETARG_BOOL(ARG_TOKEN_WEIGHTS);
	options->rank = (int) number(fcinfo, ARG_RANK, "rank", 0);
	options->rank_alpha = required_number(fcinfo, ARG_RANK_ALPHA,
										  "rank_alpha");
	options->held_out = required_number(fcinfo, ARG_HELD_OUT, "held_out");
	options->patience = (int) number(fcinfo, ARG_PATIENCE, "patience", 0);
	options->dropout = number(fcinfo, ARG_DROPOUT, "dropout", NAN);
	options->max_length = (int) number(fcinfo, ARG_MAX_LENGTH, "max_length",
									   0);
	options->seed = trainer_seed(!PG_ARGISNULL(ARG_SEED),
								 PG_ARGISNULL(ARG_SEED) ? 0 :
								 PG_GETARG_INT64(ARG_SEED));
	options->replace = PG_GETARG_BOOL(ARG_REPLACE);
	if (options->patience > 0 && options->held_out == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("patience needs examples that are held out"),
				 errhint("Use held_out => 0.1, or leave patience out.")));
}

/* The names in an array; NULL if it is not given */
static const char **
read_targets(FunctionCallInfo fcinfo)
{
	ArrayType  *array;
	Datum	   *elements;
	bool	   *nulls;
	const char **names;
	int			count;

	if (PG_ARGISNULL(ARG_TARGETS))
		return NULL;
	array = PG_GETARG_ARRAYTYPE_P(ARG_TARGETS);
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements,
					  &nulls, &count);
	names = palloc0(sizeof(char *) * (count + 1));
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("a target must not be null")));
		names[i] = TextDatumGetCString(elements[i]);
	}
	if (count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("targets must not be empty")));
	return names;
}

/* ---------- methods ---------- */

static bool
has_method(const Tunable *tunable, TuningMethod method)
{
	switch (method)
	{
		case TUNING_ROWS:
			return tunable->features != NULL && tunable->row_is_token;
		case TUNING_LAYER:
			return true;
		case TUNING_LOW_RANK:
			return (tunable->weights & TUNE_WEIGHTS(TUNE_LOW_RANK)) != 0;
		case TUNING_PROJECTIONS:
			return (tunable->weights & TUNE_WEIGHTS(TUNE_PROJECTIONS)) != 0;
		case TUNING_FULL:
			return (tunable->weights & TUNE_WEIGHTS(TUNE_FULL)) != 0;
		case TUNING_CONTINUE:
			return tunable->trained_by != NULL;
	}
	return false;
}

static TuningMethod
choose_method(FunctionCallInfo fcinfo, const Tunable *tunable,
			  const ModelDescription *base)
{
	StringInfoData names;
	char	   *name = text_or_null(fcinfo, ARG_METHOD);
	int			method;

	if (name == NULL)
		return has_method(tunable, TUNING_ROWS) ? TUNING_ROWS :
			has_method(tunable, TUNING_LOW_RANK) ? TUNING_LOW_RANK :
			TUNING_LAYER;
	method = choice_index("tuning method", name, tuning_methods);
	if (has_method(tunable, method))
		return method;
	initStringInfo(&names);
	for (int i = 0; tuning_methods[i] != NULL; i++)
		if (has_method(tunable, i))
			appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "",
							 tuning_methods[i]);
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("embedding model \"%s\" cannot be tuned by method \"%s\"",
					base->table_name, name),
			 errdetail("It is a model of method \"%s\".",
					   base->method->name),
			 errhint("Use one of %s.", names.data)));
}

static bool
moves_network(TuningMethod method)
{
	return method == TUNING_LOW_RANK || method == TUNING_PROJECTIONS ||
		method == TUNING_FULL;
}

/*
 * Transformers are tuned by several processes, and only if they are asked for;
 * what goes on with a training has that one's workers.
 */
static void
read_workers(FunctionCallInfo fcinfo, const Tunable *tunable,
			 TuningOptions *options)
{
	TuningMethod method = options->method;

	options->workers = 1;
	if (PG_ARGISNULL(ARG_WORKERS))
		return;
	options->workers = trainer_workers(true, PG_GETARG_INT32(ARG_WORKERS));
	if (options->workers > 1 && method != TUNING_CONTINUE &&
		!(moves_network(method) && tunable->has_workers))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("tuning by method \"%s\" has one worker",
						tuning_methods[method]),
				 errhint("Leave workers out.")));
}

/* Whether a number was given that is not the default */
static bool
differs(FunctionCallInfo fcinfo, int argument, const char *name)
{
	return number(fcinfo, argument, name, NAN) !=
		option_require(ranges, name)->missing;
}

/* What a training that goes on knows nothing of, if it is given; or NULL */
static const char *
unknown_to_training(FunctionCallInfo fcinfo, const TuningOptions *options)
{
	static const struct
	{
		int			argument;
		const char *name;
	}			unset[] = {
		{ARG_LOSS, "loss"},
		{ARG_BATCH, "batch"},
		{ARG_MARGIN, "margin"},
		{ARG_DISTANCE, "distance"},
		{ARG_MATRYOSHKA, "matryoshka"},
		{ARG_PATIENCE, "patience"},
		{ARG_DROPOUT, "dropout"}
	}, numbers[] = {
		{ARG_WARMUP, "warmup"},
		{ARG_WEIGHT_DECAY, "weight_decay"},
		{ARG_SCALE, "scale"}
	};

	for (int i = 0; i < (int) lengthof(unset); i++)
		if (!PG_ARGISNULL(unset[i].argument))
			return unset[i].name;
	for (int i = 0; i < (int) lengthof(numbers); i++)
		if (differs(fcinfo, numbers[i].argument, numbers[i].name))
			return numbers[i].name;
	if (options->optimizer != OPTIMIZER_ADAMW)
		return "optimizer";
	if (options->schedule != SCHEDULE_LINEAR)
		return "schedule";
	/* none is held out, and that may be said */
	return options->held_out != 0 &&
		differs(fcinfo, ARG_HELD_OUT, "held_out") ? "held_out" : NULL;
}

/* Arguments that mean nothing to a method are not passed over. */
static void
check_meaning(FunctionCallInfo fcinfo, const Tunable *tunable,
			  const TuningOptions *options)
{
	bool		has_rank = options->method == TUNING_LOW_RANK ||
		(options->method == TUNING_LAYER && tunable->mix == NULL);
	const char *name = NULL;

	if (options->method == TUNING_CONTINUE)
		name = unknown_to_training(fcinfo, options);
	if (!has_rank && differs(fcinfo, ARG_RANK, "rank"))
		name = "rank";
	if (!has_rank && differs(fcinfo, ARG_RANK_ALPHA, "rank_alpha"))
		name = "rank_alpha";
	if (options->targets != NULL && options->method != TUNING_LOW_RANK)
		name = "targets";
	if (options->max_length > 0 && !moves_network(options->method))
		name = "max_length";
	if (options->frozen_embeddings && options->method != TUNING_FULL)
		name = "frozen_embeddings";
	if (!PG_ARGISNULL(ARG_TOKEN_WEIGHTS) && options->method != TUNING_ROWS)
		name = "token_weights";
	if (options->method == TUNING_ROWS &&
		options->optimizer == OPTIMIZER_ADAFACTOR)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("optimizer \"adafactor\" cannot tune rows"),
				 errdetail("Its steps depend on all rows of the matrix, and only those of the examples move."),
				 errhint("Use one of adamw, sgd, adagrad.")));
	if (options->method == TUNING_LOW_RANK && options->rank == 0)
		argument_require(fcinfo, ARG_RANK, "rank");
	if (name != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s has no meaning for method \"%s\"", name,
						tuning_methods[options->method]),
				 errhint("Leave it out.")));
}

static void
check_token_weights(FunctionCallInfo fcinfo, const Tunable *tunable,
					const OpenEncoder *encoder)
{
	if (!PG_ARGISNULL(ARG_TOKEN_WEIGHTS) &&
		PG_GETARG_BOOL(ARG_TOKEN_WEIGHTS) &&
		(tunable->tokens == NULL || !tunable->has_weights(encoder->state)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the tokens of embedding model \"%s\" have no weights",
						encoder->model->description->table_name),
				 errhint("Leave token_weights out.")));
}

/* The base stays as it is, so it cannot be what is replaced. */
static void
check_other_name(const TuningOptions *options)
{
	RangeVar   *name =
		makeRangeVarFromNameList(qualified_name_list(options->model));

	if (RangeVarGetRelid(name, NoLock, true) == options->base)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the tuned model cannot have the name of its base"),
				 errhint("The base stays as it is: choose another name.")));
}

/* ---------- going on with a training ---------- */

#define CONTINUE_ARGUMENTS 9

static Datum
continue_training(FunctionCallInfo fcinfo, const TuningOptions *options,
				  const Tunable *tunable, const ModelDescription *base)
{
	static const Oid types[CONTINUE_ARGUMENTS] = {
		TEXTOID, TEXTOID, REGCLASSOID, INT4OID, FLOAT8OID, INT4OID, INT8OID,
		BOOLOID, REGCONFIGOID
	};
	bool		glove = strcmp(tunable->trained_by, "train_glove") == 0;
	bool		elmo = strcmp(tunable->trained_by, "train_elmo") == 0;
	ExecuteArguments arguments;
	Datum		values[CONTINUE_ARGUMENTS];
	bool		nulls[CONTINUE_ARGUMENTS] = {false};
	Datum		result;
	bool		result_null;

	values[0] = PG_GETARG_DATUM(ARG_MODEL);
	values[1] = PG_GETARG_DATUM(ARG_EXAMPLES);
	values[2] = ObjectIdGetDatum(options->base);
	values[3] = Int32GetDatum(options->epochs);
	values[4] = Float8GetDatum(options->learning_rate > 0 ?
							   options->learning_rate : 0.05);
	nulls[4] = !glove && options->learning_rate == 0;
	values[5] = PG_GETARG_DATUM(ARG_WORKERS);
	nulls[5] = PG_ARGISNULL(ARG_WORKERS);
	values[6] = Int64GetDatum((int64) options->seed);
	values[7] = BoolGetDatum(options->replace);
	values[8] = ObjectIdGetDatum(model_option_config(base));
	arguments = (ExecuteArguments) {CONTINUE_ARGUMENTS, types, values, nulls};
	(void) execute_row(psprintf("SELECT %s.%s(model => $1, corpus => $2, from_model => $3, epochs => $4, %s => $5, workers => $6, seed => $7, replace => $8, config => $9)",
								quote_identifier(get_namespace_name(
													 extension_schema())),
								tunable->trained_by, glove ? "eta" :
								elmo ? "learning_rate" : "alpha"),
					   EXECUTE_ANY, &arguments, 1, &result, &result_null);
	return result;
}

/* ---------- the whole ---------- */

static void
define_model(const TuningOptions *options, const ModelDescription *base,
			 int dims, ModelDefinition *definition)
{
	model_definition_init(definition, options->model, base->method,
						  options->replace);
	model_definition_like(definition, base);
	for (int i = 0; i < base->method->column_count; i++)
		if (base->method->columns[i].type_name != NULL)
			definition->typmods[i] = dims;
	model_check_creation(definition);
}

/* The curve, in the form that pictures of trainings read, too */
static void
define_history(ModelDefinition *definition, const TuningHistory *history)
{
	double	   *losses = palloc(sizeof(double) * history->count);

	model_definition_text(definition, MODEL_HISTORY,
						  tuning_history_text(history));
	for (int i = 1; i < history->count; i++)
		losses[i - 1] = history->points[i].loss;
	if (option_find(definition->method->options, "losses") != NULL)
		model_definition_losses(definition, history->count - 1, losses);
	pfree(losses);
}

static TuneTarget *
make_target(const TuningOptions *options, const Tunable *tunable,
			const OpenEncoder *encoder)
{
	TuneNetwork wanted = {options->method == TUNING_FULL ? TUNE_FULL :
		options->method == TUNING_PROJECTIONS ? TUNE_PROJECTIONS :
	TUNE_LOW_RANK};
	TuneMix		mix = {options->dropout, tuning_optimizer(options)};

	if (options->method == TUNING_ROWS)
		return tuning_rows(options, tunable, encoder);
	if (options->method == TUNING_LAYER && tunable->mix != NULL)
		return tunable->mix(&mix, encoder->model, encoder->state);
	if (options->method == TUNING_LAYER)
		return tuning_layer(options, tunable, encoder);
	wanted.rank = options->rank;
	wanted.rank_alpha = options->rank_alpha;
	wanted.frozen_embeddings = options->frozen_embeddings;
	wanted.targets = options->targets;
	wanted.dropout = options->dropout;
	wanted.max_length = options->max_length;
	wanted.workers = options->workers;
	wanted.optimizer = tuning_optimizer(options);
	wanted.seed = options->seed;
	return tunable->network(&wanted, encoder->model, encoder->state);
}

static Oid
tune(const TuningOptions *options, const Tunable *tunable,
	 OpenEncoder *encoder, ModelDefinition *definition,
	 TuningExamples *examples, Progress *progress)
{
	TuneTarget *target = make_target(options, tunable, encoder);
	TuningHistory history = {0};

	target->prepare(target, &examples->table, examples->known, progress);
	tuning_run(options, target, examples, &history, progress);
	define_history(definition, &history);
	target->source.base = encoder->model;
	target->source.state = encoder->state;
	target->source.dims = encoder->dims;
	target->source.definition = definition;
	target->finish(target);
	progress_phase(progress, "writing model", 0);
	return tunable->write(&target->source);
}

/* tune_model(model, base, examples, ...) */
Datum
tune_model(PG_FUNCTION_ARGS)
{
	TuningOptions options = {0};
	Model	   *base;
	const Tunable *tunable;
	OpenEncoder encoder;
	ModelDefinition definition;
	TuningExamples *examples;
	Progress   *progress;
	Oid			table;

	trainer_check();
	distance_init();
	product_init();
	read_options(fcinfo, &options);
	base = model_open(fcinfo->flinfo, options.base, NULL);
	tunable = model_tunable(base->description);
	options.method = choose_method(fcinfo, tunable, base->description);
	options.targets = read_targets(fcinfo);
	check_meaning(fcinfo, tunable, &options);
	read_workers(fcinfo, tunable, &options);
	check_other_name(&options);
	if (options.method == TUNING_CONTINUE)
		return continue_training(fcinfo, &options, tunable,
								 base->description);
	encoder_open(&encoder, fcinfo->flinfo, base);
	check_token_weights(fcinfo, tunable, &encoder);
	define_model(&options, base->description, encoder.dims, &definition);
	progress = progress_begin(psprintf("tuning model \"%s\"", options.model),
							  options.method == TUNING_LAYER ? "texts" :
							  "tokens");
	examples = tuning_read_examples(options.examples, progress);
	if (isnan(options.dropout))
		options.dropout = examples->shape == TUNING_TEXTS ?
			DROPOUT_OF_TEXTS : 0;
	table = tune(&options, tunable, &encoder, &definition, examples,
				 progress);
	progress_end(progress);
	PG_RETURN_OID(table);
}
