/*-------------------------------------------------------------------------
 *
 * folder_settings.c
 *	  What a folder says beside its weights: prompts, how long a text may be,
 *	  and the options of a static model.
 *
 * How long: what sentence_bert_config.json says, or else the lesser of the
 * tokenizer's model_max_length and the places that the network has, as
 * sentence-transformers has it.
 *
 *-------------------------------------------------------------------------
 */
#include "format/folder_private.h"

#include "format/utf8.h"

#include <string.h>

/* Larger lengths stand for none: "model_max_length" is often 10^30. */
#define MOST_TOKENS 1000000000

/* ---------- prompts ---------- */

static bool
read_prompts(FolderReader *reader, int file, const JsonValue *prompts)
{
	ModelFolder *folder = reader->folder;

	if (prompts == NULL || json_is(prompts, JSON_NULL))
		return true;
	if (!json_is(prompts, JSON_OBJECT))
		return folder_fault(reader, FORMAT_MALFORMED, file, "\"prompts\" is %s, not an object.",
							json_kind_name(prompts));
	folder->prompts = arena_alloc_array(reader->arena, json_count(prompts),
										sizeof(FolderPrompt));
	if (folder->prompts == NULL)
		return folder_fault(reader, FORMAT_OUT_OF_MEMORY, file, "No memory for prompts.");
	for (const JsonValue *key = json_first(prompts); key != NULL;
		 key = json_next(prompts, key))
	{
		FolderPrompt *prompt = &folder->prompts[folder->prompt_count];

		if (json_is(json_member(key), JSON_NULL))
			continue;
		prompt->name = folder_text(reader, file, key);
		prompt->text = prompt->name != NULL
						   ? folder_text(reader, file, json_member(key))
						   : NULL;
		if (prompt->text == NULL)
			return false;
		prompt->length = strlen(prompt->text);
		folder->prompt_count++;
	}
	return true;
}

static bool
read_default_prompt(FolderReader *reader, int file, const JsonValue *name)
{
	ModelFolder *folder = reader->folder;

	if (name == NULL || json_is(name, JSON_NULL))
		return true;
	folder->default_prompt = folder_text(reader, file, name);
	if (folder->default_prompt == NULL)
		return false;
	for (int i = 0; i < folder->prompt_count; i++)
	{
		if (strcmp(folder->prompts[i].name, folder->default_prompt) == 0)
			return true;
	}
	return folder_fault(reader, FORMAT_MALFORMED, file, "The default prompt \"%.100s\" is none of the prompts.",
						folder->default_prompt);
}

/* One of a few words, or nothing. */
static bool
read_word(FolderReader *reader, int file, const JsonValue *value,
		  const char *name, const char *const *words, const char **result)
{
	const char *text;

	if (value == NULL || json_is(value, JSON_NULL))
		return true;
	text = folder_text(reader, file, value);
	if (text == NULL)
		return false;
	for (; *words != NULL; words++)
	{
		if (strcmp(text, *words) == 0)
		{
			*result = *words;
			return true;
		}
	}
	return folder_fault(reader, FORMAT_UNSUPPORTED, file, "\"%s\" is \"%.100s\", which is not known.",
						name, text);
}

static bool
read_sentence_transformers(FolderReader *reader, int file)
{
	static const char *const known[] = {
		"__version__", "prompts", "default_prompt_name", "similarity_fn_name",
		"model_type", "activation_fn", NULL
	};
	static const char *const similarities[] = {"cosine", "dot", "euclidean", "manhattan", NULL};
	static const char *const types[] = {
		"SentenceTransformer", "CrossEncoder", "SparseEncoder", NULL
	};
	static const char *const activations[] = {
		"torch.nn.modules.activation.Sigmoid",
		"torch.nn.modules.linear.Identity", NULL
	};
	const JsonValue *root = folder_json(reader, file);
	const char *type;

	return root != NULL && folder_known_keys(reader, file, root, known) &&
		read_prompts(reader, file, json_get(root, "prompts")) &&
		read_default_prompt(reader, file, json_get(root, "default_prompt_name")) &&
		read_word(reader, file, json_get(root, "similarity_fn_name"), "similarity_fn_name",
				  similarities, &reader->folder->similarity) &&
		read_word(reader, file, json_get(root, "activation_fn"), "activation_fn",
				  activations, &reader->folder->score_activation) &&
		read_word(reader, file, json_get(root, "model_type"), "model_type", types, &type);
}

/* ---------- how long a text may be ---------- */

/*
 * Newer versions say what kinds of input there are; text alone is known here.
 */
static bool
check_modalities(FolderReader *reader, int file, const JsonValue *modalities)
{
	const JsonValue *text = json_get(modalities, "text");

	if (modalities == NULL || json_is(modalities, JSON_NULL))
		return true;
	if (json_count(modalities) == 1 &&
		json_equals(json_get(text, "method"), "forward") &&
		json_equals(json_get(text, "method_output_name"),
					reader->folder->task <= TASK_FEATURES ?
					"last_hidden_state" : "logits"))
		return true;
	return folder_fault(reader, FORMAT_UNSUPPORTED, file,
						"\"modality_config\" is not that of a model of texts alone.");
}

static bool
read_sentence_bert(FolderReader *reader, int file)
{
	static const char *const known[] = {
		"max_seq_length", "do_lower_case", "transformer_task", "modality_config",
		"module_output_name", "unpad_inputs", NULL
	};
	static const char *const tasks[] = {
		"feature-extraction", "sequence-classification", "fill-mask", NULL
	};
	static const char *const outputs[] = {"token_embeddings", "scores", NULL};
	const JsonValue *root = folder_json(reader, file);
	const char *task = NULL;
	const char *word;

	if (root != NULL &&
		!read_word(reader, file, json_get(root, "transformer_task"),
				   "transformer_task", tasks, &task))
		return false;
	for (int i = 0; task != NULL && tasks[i] != NULL; i++)
	{
		if (task == tasks[i])
			reader->folder->task = (FolderTask) (TASK_FEATURES + i);
	}
	return root != NULL && folder_known_keys(reader, file, root, known) &&
		folder_int(reader, file, root, "max_seq_length", 1, MOST_TOKENS, &reader->folder->max_tokens) &&
		folder_bool(reader, file, root, "do_lower_case", &reader->folder->lower_case) &&
		read_word(reader, file, json_get(root, "module_output_name"), "module_output_name", outputs,
				  &word) &&
		check_modalities(reader, file, json_get(root, "modality_config"));
}

/* A length that a configuration may leave open, or write as a huge number. */
static int64_t
length_of(const JsonValue *value)
{
	double		number;

	if (!json_double(value, &number) || number < 1 || number > MOST_TOKENS)
		return 0;
	return (int64_t) number;
}

/* What the package transformers knows of a tokenizer beside its own file. */
static bool
read_tokenizer_config(FolderReader *reader, const char *path)
{
	static const char *const sides[] = {"right", "left", NULL};
	ModelFolder *folder = reader->folder;
	int			file = folder_find(reader, path, "tokenizer_config.json");

	if (file < 0)
		return true;
	folder->tokenizer_config = folder_json(reader, file);
	return folder->tokenizer_config != NULL &&
		read_word(reader, file, json_get(folder->tokenizer_config, "truncation_side"),
				  "truncation_side", sides, &folder->truncation_side);
}

static void
choose_length(ModelFolder *folder)
{
	int64_t		places = length_of(json_get(folder->config, "max_position_embeddings"));
	int64_t		length = length_of(json_get(folder->tokenizer_config, "model_max_length"));

	if (folder->max_tokens == 0)
		folder->max_tokens = length == 0 || (places > 0 && places < length)
								 ? places
								 : length;
}

bool
folder_settings(FolderReader *reader, const char *path)
{
	static const char *const names[] = {
		"sentence_bert_config.json", "sentence_roberta_config.json",
		"sentence_distilbert_config.json", "sentence_camembert_config.json",
		"sentence_albert_config.json", "sentence_xlm-roberta_config.json",
		"sentence_xlnet_config.json"
	};
	int			file = folder_find(reader, "", "config_sentence_transformers.json");

	if (file >= 0 && !read_sentence_transformers(reader, file))
		return false;
	/* sentence-transformers does not look at it where there are no modules */
	if (reader->folder->module_count == 0)
	{
		reader->folder->default_prompt = NULL;
		reader->folder->score_activation = NULL;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		file = folder_find(reader, path, names[i]);
		if (file < 0)
			continue;
		if (!read_sentence_bert(reader, file))
			return false;
		break;
	}
	if (!read_tokenizer_config(reader, path))
		return false;
	choose_length(reader->folder);
	return true;
}

/* ---------- static models ---------- */

static bool
is_number(const Tensor *tensor, bool whole)
{
	return whole ? tensor->type >= TENSOR_I8 && tensor->type <= TENSOR_U64 :
		tensor->type <= TENSOR_BF16 || tensor->type == TENSOR_I8;
}

static bool
take_tensor(FolderReader *reader, const Tensor *tensor, int rank, bool whole,
			const Tensor **result)
{
	char		shape[TENSOR_SHAPE_TEXT];

	if (*result != NULL)
		return folder_fault(reader, FORMAT_MALFORMED, tensor->file,
							"\"%s\" and \"%s\" are two tensors for the same.", (*result)->name,
							tensor->name);
	if (tensor->rank != rank || tensor->elements == 0 ||
		!is_number(tensor, whole))
		return folder_fault(reader, FORMAT_MALFORMED, tensor->file,
							"Tensor \"%s\" of type %s has the shape %s.",
							tensor->name, tensor_type_name(tensor->type),
							tensor_shape_text(tensor, shape));
	*result = tensor;
	return true;
}

bool
folder_static(FolderReader *reader)
{
	ModelFolder *folder = reader->folder;

	for (size_t i = 0; i < folder->weights.count; i++)
	{
		const Tensor *tensor = &folder->weights.tensors[i];
		const char *name = tensor->name;
		bool		good;

		if (strcmp(name, "embeddings") == 0 || strcmp(name, "embedding.weight") == 0)
			good = take_tensor(reader, tensor, 2, false, &folder->embeddings);
		else if (strcmp(name, "weights") == 0)
			good = take_tensor(reader, tensor, 1, false,
							   &folder->token_weights);
		else if (strcmp(name, "mapping") == 0)
			good = take_tensor(reader, tensor, 1, true, &folder->token_rows);
		else
			good = folder_fault(reader, FORMAT_UNSUPPORTED, tensor->file,
								"The tensor \"%.100s\" of a static model is not known; supported are embeddings, embedding.weight, weights and mapping.",
								name);
		if (!good)
			return false;
	}
	if (folder->embeddings == NULL)
		return folder_fault(reader, FORMAT_MALFORMED, -1,
							"Neither \"embeddings\" nor \"embedding.weight\" is there.");
	return true;
}
