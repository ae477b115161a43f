/*-------------------------------------------------------------------------
 *
 * transformer_heads.c
 *	  What a network was trained to give beside vectors: scores of labels,
 *	  weights of terms.
 *
 * A head is a chain of steps (src/network/steps.h) whose tensors lie beside
 * the network's in the same file.  Which steps, and what their tensors are
 * called, is a table of families, as transformers' classes of the names
 * ...ForSequenceClassification and ...ForMaskedLM have them.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/transformer/transformer_model.h"

/* A step of a head; names may stand behind a prefix, such as "bert." */
typedef struct HeadStep
{
	const char *weight;			/* NULL: the head ends before it */
	const char *bias;			/* or NULL: none */
	bool		is_norm;
	int			activation;		/* an Activation, or OF_CONFIG */
} HeadStep;

#define HEAD_STEPS 3
#define OF_CONFIG (-1)			/* what the network's units have */

typedef struct Head
{
	const char *families[5];	/* ended by NULL */
	Pooling		pooling;		/* POOLING_NONE: of every token */
	HeadStep	steps[HEAD_STEPS];
} Head;

static const Head classifiers[] = {
	{{"bert", NULL}, POOLING_CLS,
		{{"pooler.dense.weight", "pooler.dense.bias", false, ACTIVATION_TANH},
		{"classifier.weight", "classifier.bias"}}},
	{{"albert", NULL}, POOLING_CLS,
		{{"pooler.weight", "pooler.bias", false, ACTIVATION_TANH},
		{"classifier.weight", "classifier.bias"}}},
	{{"distilbert", NULL}, POOLING_CLS,
		{{"pre_classifier.weight", "pre_classifier.bias", false,
		ACTIVATION_RELU},
		{"classifier.weight", "classifier.bias"}}},
	{{"roberta", "xlm-roberta", "camembert", "mpnet", NULL}, POOLING_CLS,
		{{"classifier.dense.weight", "classifier.dense.bias", false,
		ACTIVATION_TANH},
		{"classifier.out_proj.weight", "classifier.out_proj.bias"}}},
	{{"electra", NULL}, POOLING_CLS,
		{{"classifier.dense.weight", "classifier.dense.bias", false,
		ACTIVATION_GELU},
		{"classifier.out_proj.weight", "classifier.out_proj.bias"}}},
	{{"llama", "mistral", "qwen2", "qwen3", NULL}, POOLING_LAST,
		{{"score.weight", NULL}}},
};

static const Head masked[] = {
	{{"bert", NULL}, POOLING_NONE,
		{{"cls.predictions.transform.dense.weight",
		"cls.predictions.transform.dense.bias", false, OF_CONFIG},
		{"cls.predictions.transform.LayerNorm.weight",
		"cls.predictions.transform.LayerNorm.bias", true},
		{"cls.predictions.decoder.weight", "cls.predictions.bias"}}},
	{{"distilbert", NULL}, POOLING_NONE,
		{{"vocab_transform.weight", "vocab_transform.bias", false, OF_CONFIG},
		{"vocab_layer_norm.weight", "vocab_layer_norm.bias", true},
		{"vocab_projector.weight", "vocab_projector.bias"}}},
	{{"roberta", "xlm-roberta", "camembert", "mpnet", NULL}, POOLING_NONE,
		{{"lm_head.dense.weight", "lm_head.dense.bias", false,
		ACTIVATION_GELU},
		{"lm_head.layer_norm.weight", "lm_head.layer_norm.bias", true},
		{"lm_head.decoder.weight", "lm_head.bias"}}},
};

static const Head *
head_of_family(const Head *heads, int count, const char *family)
{
	for (int i = 0; i < count; i++)
	{
		for (const char *const *name = heads[i].families; *name; name++)
		{
			if (strcmp(*name, family) == 0)
				return &heads[i];
		}
	}
	return NULL;
}

/* ---------- tensors ---------- */

/* By its name, or by that behind a prefix; NULL if there is none. */
static const Tensor *
find_tensor(const NetworkFolder *network, const char *name)
{
	const TensorList *weights = &network->folder.weights;
	size_t		length = strlen(name);

	for (size_t i = 0; i < weights->count; i++)
	{
		const char *given = weights->tensors[i].name;
		size_t		before = strlen(given);

		if (before < length || strcmp(given + before - length, name) != 0)
			continue;
		before -= length;
		if (before == 0 || (given[before - 1] == '.' &&
							memchr(given, '.', before - 1) == NULL))
			return &weights->tensors[i];
	}
	return NULL;
}

/* The names that the first files of BERT have for a norm's tensors. */
static const Tensor *
find_old_tensor(const NetworkFolder *network, const char *name)
{
	const char *dot = strrchr(name, '.');

	return find_tensor(network, psprintf("%.*s.%s", (int) (dot - name), name,
										 strcmp(dot, ".weight") == 0 ?
										 "gamma" : "beta"));
}

static const Tensor *
require_tensor(const NetworkFolder *network, const HeadStep *step,
			   const char *name)
{
	const Tensor *tensor = find_tensor(network, name);

	if (tensor == NULL && step->is_norm)
		tensor = find_old_tensor(network, name);
	/* what gives terms is mostly what takes them */
	if (tensor == NULL && strstr(name, "decoder.weight") != NULL)
		tensor = find_tensor(network, "embeddings.word_embeddings.weight");
	if (tensor == NULL && strcmp(name, "vocab_projector.weight") == 0)
		tensor = find_tensor(network, "embeddings.word_embeddings.weight");
	if (tensor == NULL)
		network_folder_refuse(network, FORMAT_MALFORMED,
							  psprintf("Tensor \"%s\" is missing.", name));
	if (tensor->type > TENSOR_BF16)
		network_folder_refuse(network, FORMAT_UNSUPPORTED,
							  psprintf("Tensor \"%.100s\" is of type %s.",
									   tensor->name,
									   tensor_type_name(tensor->type)));
	return tensor;
}

pg_noreturn static void
refuse_shape(const NetworkFolder *network, const Tensor *tensor)
{
	network_folder_refuse(network, FORMAT_MALFORMED,
						  psprintf("Tensor \"%.100s\" has the wrong shape.",
								   tensor->name));
}

/* ---------- steps ---------- */

static Activation
activation_of_step(const TransformerModel *model, const HeadStep *step)
{
	return step->activation == OF_CONFIG ? model->plan.config.activation :
		(Activation) step->activation;
}

static void
read_step(const NetworkFolder *network, const HeadStep *from, int dims,
		  TransformerModel *model, int number)
{
	VectorStep *step = &model->steps[number];
	StepTensors *tensors = &model->tensors[number];

	tensors->weight = require_tensor(network, from, from->weight);
	tensors->bias = from->bias == NULL ? NULL :
		require_tensor(network, from, from->bias);
	step->in = step->out = dims;
	step->has_bias = tensors->bias != NULL;
	if (from->is_norm)
	{
		step->kind = STEP_LAYER_NORM;
		step->epsilon = (float) model->plan.config.epsilon;
		if (tensors->weight->rank != 1 ||
			tensors->weight->shape[0] != (uint64) dims)
			refuse_shape(network, tensors->weight);
	}
	else
	{
		step->kind = STEP_DENSE;
		step->activation = activation_of_step(model, from);
		if (tensors->weight->rank != 2 ||
			tensors->weight->shape[1] != (uint64) dims ||
			tensors->weight->shape[0] < 1 ||
			tensors->weight->shape[0] > TRANSFORMER_MOST_OUTPUTS)
			refuse_shape(network, tensors->weight);
		step->out = (int32) tensors->weight->shape[0];
	}
	if (tensors->bias != NULL &&
		(tensors->bias->rank != 1 ||
		 tensors->bias->shape[0] != (uint64) step->out))
		refuse_shape(network, tensors->bias);
}

/* The steps of a head, behind those that there are. */
static void
read_head(const NetworkFolder *network, const Head *head,
		  TransformerModel *model)
{
	TransformerSettings *settings = &model->settings;
	int			dims = model->plan.config.hidden;

	settings->head_pooling = head->pooling;
	for (int i = 0; i < HEAD_STEPS && head->steps[i].weight != NULL; i++)
	{
		int			number = settings->step_count + settings->head_count;

		read_step(network, &head->steps[i], dims, model, number);
		model->step_bytes = step_place(&model->steps[number],
									   model->step_bytes);
		dims = model->steps[number].out;
		settings->head_count++;
	}
	settings->outputs = dims;
}

/* ---------- labels ---------- */

/* The names in id2label, one after the other, each ended by a zero. */
static void
read_labels(const NetworkFolder *network, TransformerModel *model)
{
	const JsonValue *names = json_get(network->folder.config, "id2label");

	model->labels = makeStringInfo();
	for (int i = 0; i < model->settings.outputs; i++)
	{
		const JsonValue *name = json_get(names, psprintf("%d", i));

		if (name == NULL)
			appendStringInfo(model->labels, "LABEL_%d", i);
		else if (!json_is(name, JSON_STRING) || name->length == 0 ||
				 memchr(name->text, '\0', name->length) != NULL)
			network_folder_refuse(network, FORMAT_MALFORMED,
								  psprintf("Label %d in config.json is no name.",
										   i));
		else
			appendBinaryStringInfo(model->labels, name->text,
								   (int) name->length);
		appendStringInfoChar(model->labels, '\0');
	}
}

static bool
problem_is(const NetworkFolder *network, const char *name)
{
	return json_equals(json_get(network->folder.config, "problem_type"),
					   name);
}

/* As the package transformers' pipeline for texts has it. */
static ScoreKind
probability_kind(const NetworkFolder *network, int outputs)
{
	if (problem_is(network, "regression"))
		return SCORE_AS_IT_IS;
	if (outputs == 1 || problem_is(network, "multi_label_classification"))
		return SCORE_SIGMOID;
	return SCORE_SOFTMAX;
}

/* And as sentence-transformers' CrossEncoder has it. */
static ScoreKind
score_kind(const NetworkFolder *network, int outputs)
{
	const JsonValue *config = network->folder.config;
	const char *given = network->folder.score_activation;
	const JsonValue *older = json_get(json_get(config,
											   "sentence_transformers"),
									  "activation_fn");

	if (older == NULL)
		older = json_get(config, "sbert_ce_default_activation_function");
	if (given == NULL && json_is(older, JSON_STRING))
		given = pnstrdup(older->text, older->length);
	if (given == NULL)
		return outputs == 1 ? SCORE_SIGMOID : SCORE_AS_IT_IS;
	if (strcmp(given, "torch.nn.modules.activation.Sigmoid") == 0)
		return SCORE_SIGMOID;
	if (strcmp(given, "torch.nn.modules.linear.Identity") == 0)
		return SCORE_AS_IT_IS;
	network_folder_refuse(network, FORMAT_UNSUPPORTED,
						  psprintf("The activation \"%.100s\" of scores is not known; supported are Sigmoid and Identity of torch.nn.",
								   given));
}

/* ---------- which head ---------- */

static bool
architecture_ends(const NetworkFolder *network, const char *end)
{
	const JsonValue *name = json_first(json_get(network->folder.config,
												"architectures"));
	size_t		length = strlen(end);

	return json_is(name, JSON_STRING) && name->length >= length &&
		memcmp(name->text + name->length - length, end, length) == 0;
}

void
transformer_read_head(const NetworkFolder *network, TransformerModel *model)
{
	FolderTask	task = network->folder.task;
	const char *family = model->settings.family;
	const Head *head;

	if (task == TASK_UNSAID && network->folder.module_count == 0)
	{
		if (architecture_ends(network, "ForSequenceClassification"))
			task = TASK_CLASSIFICATION;
		else if (architecture_ends(network, "ForMaskedLM"))
			task = TASK_MASKED;
	}
	if (task < TASK_CLASSIFICATION)
		return;
	head = task == TASK_CLASSIFICATION ?
		head_of_family(classifiers, lengthof(classifiers), family) :
		head_of_family(masked, lengthof(masked), family);
	/* vectors it has all the same, where it was not made for scores */
	if (network->folder.task < TASK_CLASSIFICATION &&
		(head == NULL || find_tensor(network, head->steps[0].weight) == NULL))
		return;
	if (head == NULL)
		network_folder_refuse(network, FORMAT_UNSUPPORTED,
							  psprintf("Heads of networks of type \"%s\" are not supported.",
									   family));
	read_head(network, head, model);
	if (task == TASK_MASKED)
	{
		model->settings.head_kind = HEAD_TERMS;
		if (model->settings.outputs != model->plan.config.vocabulary)
			network_folder_refuse(network, FORMAT_MALFORMED,
								  psprintf("It gives weights of %d terms, but reads %d tokens.",
										   model->settings.outputs,
										   model->plan.config.vocabulary));
		return;
	}
	model->settings.head_kind = HEAD_LABELS;
	model->settings.probability = probability_kind(network,
												   model->settings.outputs);
	model->settings.score = score_kind(network, model->settings.outputs);
	read_labels(network, model);
}
