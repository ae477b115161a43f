/*-------------------------------------------------------------------------
 *
 * transformer_folder.c
 *	  What the files of a transformer's folder say, checked.
 *
 * config.json goes to src/network entry by entry, which knows each of them or
 * refuses it.  The chain of modules is sentence-transformers'; a folder
 * without modules.json is read as it reads one: a mean of the tokens, or the
 * last token where the network is a causal language model.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/transformer/transformer_model.h"

#include "type/vector.h"

/* ---------- config.json ---------- */

typedef struct ConfigReader
{
	const NetworkFolder *network;
	TransformerConfig *config;
} ConfigReader;

static bool
read_entry(void *context, const char *key, const JsonValue *value)
{
	ConfigReader *reader = context;
	TransformerStatus status = TRANSFORMER_IGNORED;
	double		number;

	switch ((JsonKind) value->kind)
	{
		case JSON_FALSE:
		case JSON_TRUE:
			status = transformer_number(reader->config, key,
										value->kind == JSON_TRUE);
			break;
		case JSON_NUMBER:
			if (!json_double(value, &number))
				status = TRANSFORMER_UNKNOWN;
			else
				status = transformer_number(reader->config, key, number);
			break;
		case JSON_STRING:
			status = transformer_text(reader->config, key,
									  pnstrdup(value->text, value->length));
			break;
		default:
			break;
	}
	if (status == TRANSFORMER_UNKNOWN)
		network_folder_refuse(reader->network, FORMAT_UNSUPPORTED,
							  psprintf("The entry \"%.100s\" of config.json is not known for networks of type \"%.60s\".",
									   key,
									   reader->network->folder.model_type));
	if (status == TRANSFORMER_INVALID)
		network_folder_refuse(reader->network, FORMAT_UNSUPPORTED,
							  psprintf("config.json: %s.",
									   reader->config->message));
	return true;
}

pg_noreturn static void
refuse_architecture(const NetworkFolder *network)
{
	StringInfoData known;

	initStringInfo(&known);
	for (const char *const *name = transformer_families(); *name; name++)
		appendStringInfo(&known, "%s%s", known.len > 0 ? ", " : "", *name);
	network_folder_refuse(network, FORMAT_UNSUPPORTED,
						  psprintf("The architecture \"%.100s\" is not known; supported are %s.",
								   network->folder.model_type, known.data));
}

static void
read_config(const NetworkFolder *network, TransformerConfig *config)
{
	ConfigReader reader = {network, config};

	if (network->folder.kind == FOLDER_GGUF)
	{
		transformer_gguf_config(network, config);
		return;
	}
	if (transformer_begin(config, network->folder.model_type) !=
		TRANSFORMER_OK)
		refuse_architecture(network);
	if (!json_visit_leaves(network->folder.config, read_entry, &reader))
		network_folder_refuse(network, FORMAT_MALFORMED,
							  "config.json has a key that is too long.");
	if (transformer_finish(config) != TRANSFORMER_OK)
		network_folder_refuse(network, FORMAT_UNSUPPORTED,
							  psprintf("config.json: %s.", config->message));
}

/* ---------- modules ---------- */

static bool
is_causal_language_model(const JsonValue *config)
{
	const JsonValue *name = json_first(json_get(config, "architectures"));
	static const char end[] = "ForCausalLM";
	const size_t length = sizeof(end) - 1;
	bool		is_causal = true;

	(void) json_bool(json_get(config, "is_causal"), &is_causal);
	return is_causal && json_is(name, JSON_STRING) && name->length >= length &&
		memcmp(name->text + name->length - length, end, length) == 0;
}

static void
read_poolings(const NetworkFolder *network, TransformerModel *model)
{
	const ModelFolder *folder = &network->folder;
	const FolderModule *module = &folder->modules[1];
	TransformerSettings *settings = &model->settings;
	int			hidden = model->plan.config.hidden;

	settings->include_prompt = 1;
	if (folder->module_count == 1 ||
		(folder->module_count > 1 && module->kind == MODULE_SPLADE))
		return;
	settings->pooling_count = 1;
	if (folder->kind == FOLDER_GGUF)
	{
		settings->poolings[0] = transformer_gguf_pooling(network);
		return;
	}
	if (folder->module_count == 0)
	{
		settings->poolings[0] = is_causal_language_model(folder->config) ?
			POOLING_LAST : POOLING_MEAN;
		return;
	}
	if (module->dims != 0 && module->dims != hidden)
		network_folder_refuse(network, FORMAT_MALFORMED,
							  psprintf("Pooling takes vectors of " INT64_FORMAT " dimensions, but the network's have %d.",
									   (int64) module->dims, hidden));
	settings->include_prompt = module->include_prompt;
	settings->pooling_count = module->pooling_count;
	for (int i = 0; i < module->pooling_count; i++)
		settings->poolings[i] = pooling_of_name(module->poolings[i]);
}

static Activation
activation_of(FolderActivation activation)
{
	switch (activation)
	{
		case FOLDER_ACTIVATION_TANH:
			return ACTIVATION_TANH;
		case FOLDER_ACTIVATION_RELU:
			return ACTIVATION_RELU;
		case FOLDER_ACTIVATION_GELU:
			return ACTIVATION_GELU;
		case FOLDER_ACTIVATION_SIGMOID:
			return ACTIVATION_SIGMOID;
		case FOLDER_ACTIVATION_IDENTITY:
			break;
	}
	return ACTIVATION_NONE;
}

static void
read_steps(const NetworkFolder *network, TransformerModel *model)
{
	const ModelFolder *folder = &network->folder;
	TransformerSettings *settings = &model->settings;
	int64		dims = (int64) model->plan.config.hidden *
		settings->pooling_count;

	for (int i = 2; i < folder->module_count; i++)
	{
		const FolderModule *module = &folder->modules[i];
		VectorStep *step = &model->steps[settings->step_count];
		StepTensors *tensors = &model->tensors[settings->step_count++];

		step->kind = STEP_NORMALIZE;
		step->in = step->out = (int32) dims;
		if (module->kind != MODULE_DENSE)
			continue;
		if (module->in != dims || module->in > PRODUCT_MOST_INNER ||
			module->out > VECTOR_MAX_DIMS)
			network_folder_refuse(network, FORMAT_MALFORMED,
								  psprintf("\"%.100s\" takes " INT64_FORMAT " dimensions to " INT64_FORMAT ", but gets " INT64_FORMAT ".",
										   module->path, (int64) module->in,
										   (int64) module->out, dims));
		step->kind = STEP_DENSE;
		step->out = (int32) module->out;
		step->activation = activation_of(module->activation);
		step->has_bias = module->bias != NULL;
		tensors->weight = module->weight;
		tensors->bias = module->bias;
		model->step_bytes = step_place(step, model->step_bytes);
		dims = module->out;
	}
	if (dims > VECTOR_MAX_DIMS)
		network_folder_refuse(network, FORMAT_TOO_LARGE,
							  psprintf("Its vectors have " INT64_FORMAT " dimensions, the most are %d.",
									   dims, VECTOR_MAX_DIMS));
	settings->dims = (int32) dims;
}

/* ---------- the tokenizer ---------- */

static void
set_limits(const NetworkFolder *network, int64 given, TransformerModel *model)
{
	const ModelFolder *folder = &network->folder;
	int			most = transformer_most_tokens(&model->plan);
	int64		length = folder->kind == FOLDER_GGUF ?
		network_gguf_max_tokens(network) : folder->max_tokens;
	Tokenizer	tokenizer;

	if (!tokenizer_open(&tokenizer, model->image.bytes, model->image.size))
		elog(ERROR, "compiled tokenizer cannot be opened");
	if (tokenizer_size(&tokenizer) > (uint32) model->plan.config.vocabulary)
		network_folder_refuse(network, FORMAT_MALFORMED,
							  psprintf("The tokenizer has ids up to %u, but the network has only %d vectors of tokens.",
									   tokenizer_size(&tokenizer) - 1,
									   model->plan.config.vocabulary));
	if (given > most)
		network_folder_refuse(network, FORMAT_UNSUPPORTED,
							  psprintf("It has places for %d tokens, so max_tokens cannot be " INT64_FORMAT ".",
									   most, given));
	if (given > 0)
		length = given;
	else if (length == 0 && most == PG_INT32_MAX)
		length = model->plan.config.places;
	if (length == 0 || length > most)
		length = most;
	model->limits.max_tokens = (int32) Min(length, NETWORK_MOST_TOKENS);
	model->limits.special_tokens = 1;
	model->limits.cuts_left = network_folder_cuts_left(network, &tokenizer);
	if ((uint32) model->limits.max_tokens <= tokenizer_added_count(&tokenizer))
		network_folder_refuse(network, FORMAT_UNSUPPORTED,
							  psprintf("With at most %d tokens, %u of them added by the tokenizer, nothing of a text is read.",
									   model->limits.max_tokens,
									   tokenizer_added_count(&tokenizer)));
}

const char *
transformer_type(const NetworkFolder *network)
{
	return network->folder.kind == FOLDER_GGUF ?
		network_gguf_architecture(network) : network->folder.model_type;
}

/*
 * sentence-transformers puts a step that makes small letters before the
 * tokenizer, which changes nothing if it has one of its own.
 */
static void
check_case(const NetworkFolder *network, const TokenizerImage *image)
{
	Tokenizer	tokenizer;

	if (!tokenizer_open(&tokenizer, image->bytes, image->size))
		elog(ERROR, "compiled tokenizer cannot be opened");
	if (network->folder.lower_case && !tokenizer_lowercases(&tokenizer))
		network_folder_refuse(network, FORMAT_UNSUPPORTED,
							  "\"do_lower_case\" of a transformer is not supported unless its tokenizer makes small letters by itself.");
}

void
transformer_read_folder(const NetworkFolder *network,
						ProductPrecision precision, int64 max_tokens,
						TransformerModel *model)
{
	const ModelFolder *folder = &network->folder;
	TransformerConfig config;

	memset(model, 0, sizeof(TransformerModel));
	read_config(network, &config);
	if (transformer_plan(&model->plan, &config, precision) != TRANSFORMER_OK)
		network_folder_refuse(network, FORMAT_TOO_LARGE,
							  "The network is too large.");
	strlcpy(model->settings.family, transformer_type(network),
			sizeof(model->settings.family));
	read_poolings(network, model);
	read_steps(network, model);
	network_folder_compile(network, &model->image);
	check_case(network, &model->image);
	set_limits(network, max_tokens, model);
	if (folder->kind != FOLDER_GGUF)
		transformer_read_head(network, model);
	if (model->settings.head_kind == HEAD_LABELS)
		transformer_read_pair(network, model);
}
