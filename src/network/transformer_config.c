/*-------------------------------------------------------------------------
 *
 * transformer_config.c
 *	  What the entries of a config.json mean.
 *
 * Every entry is known or refused: an option that is passed over in silence
 * gives vectors that are wrong in silence.  Those without meaning for the
 * vectors (of training, generation, heads) are listed as such.
 *
 *-------------------------------------------------------------------------
 */
#include "network/transformer_families.h"

#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a key sets, by its offset in TransformerConfig. */
typedef enum KeyKind
{
	KEY_WHOLE,
	KEY_REAL,
	KEY_FLAG
} KeyKind;

#define FIELD(kind, name) kind, offsetof(TransformerConfig, name)

static const struct
{
	const char *key;
	KeyKind		kind;
	size_t		offset;
}			keys[] = {
	{"vocab_size", FIELD(KEY_WHOLE, vocabulary)},
	{"embedding_size", FIELD(KEY_WHOLE, embedding)},
	{"hidden_size", FIELD(KEY_WHOLE, hidden)},
	{"dim", FIELD(KEY_WHOLE, hidden)},
	{"n_embd", FIELD(KEY_WHOLE, hidden)},
	{"num_hidden_layers", FIELD(KEY_WHOLE, layers)},
	{"n_layers", FIELD(KEY_WHOLE, layers)},
	{"n_layer", FIELD(KEY_WHOLE, layers)},
	{"num_hidden_groups", FIELD(KEY_WHOLE, groups)},
	{"inner_group_num", FIELD(KEY_WHOLE, layers_of_group)},
	{"num_attention_heads", FIELD(KEY_WHOLE, heads)},
	{"n_heads", FIELD(KEY_WHOLE, heads)},
	{"n_head", FIELD(KEY_WHOLE, heads)},
	{"num_key_value_heads", FIELD(KEY_WHOLE, key_heads)},
	{"head_dim", FIELD(KEY_WHOLE, head_dims)},
	{"intermediate_size", FIELD(KEY_WHOLE, units)},
	{"hidden_dim", FIELD(KEY_WHOLE, units)},
	{"n_inner", FIELD(KEY_WHOLE, units)},
	{"max_position_embeddings", FIELD(KEY_WHOLE, places)},
	{"n_positions", FIELD(KEY_WHOLE, places)},
	{"type_vocab_size", FIELD(KEY_WHOLE, types)},
	{"pad_token_id", FIELD(KEY_WHOLE, padding)},
	{"relative_attention_num_buckets", FIELD(KEY_WHOLE, buckets)},
	{"layer_norm_eps", FIELD(KEY_REAL, epsilon)},
	{"layer_norm_epsilon", FIELD(KEY_REAL, epsilon)},
	{"rms_norm_eps", FIELD(KEY_REAL, epsilon)},
	{"norm_eps", FIELD(KEY_REAL, epsilon)},
	{"norm_bias", FIELD(KEY_FLAG, norm_bias)},
	{"mlp_bias", FIELD(KEY_FLAG, unit_bias)},
	{"sliding_window", FIELD(KEY_WHOLE, window)},
	{"use_sliding_window", FIELD(KEY_FLAG, window_wanted)},
	{"max_window_layers", FIELD(KEY_WHOLE, window_layers)},
	{"local_attention", FIELD(KEY_WHOLE, window)},
	{"global_attn_every_n_layers", FIELD(KEY_WHOLE, global_every)},
	{"sliding_window_pattern", FIELD(KEY_WHOLE, global_every)},
	{"_sliding_window_pattern", FIELD(KEY_WHOLE, global_every)},
	{"use_bidirectional_attention", FIELD(KEY_FLAG, bidirectional)},
	{"query_pre_attn_scalar", FIELD(KEY_REAL, score_divisor)},
	{"rope_theta", FIELD(KEY_REAL, theta)},
	{"rotary_emb_base", FIELD(KEY_REAL, theta)},
	{"global_rope_theta", FIELD(KEY_REAL, theta)},
	{"local_rope_theta", FIELD(KEY_REAL, local_theta)},
	{"rope_local_base_freq", FIELD(KEY_REAL, local_theta)},
	{"partial_rotary_factor", FIELD(KEY_REAL, rotary_share)},
	{"rotary_emb_fraction", FIELD(KEY_REAL, rotary_share)},
	{"rotary_emb_interleaved", FIELD(KEY_FLAG, rotary_interleaved)},
};

/* What has no meaning for the vectors; an end with * stands for any. */
static const char *const without_meaning[] = {
	"_name_or_path", "architectures*", "auto_map*", "attention_dropout", "attention_probs_dropout_prob",
	"attn_pdrop", "bos_token_id", "classifier_*", "classifiers_size", "cls_token_id", "decoder_bias",
	"deterministic_flash_attn", "directionality", "dropout", "dtype", "embd_pdrop", "embedding_dropout",
	"eos_token_id*", "finetuning_task", "gradient_checkpointing", "hidden_dropout_prob", "id2label*",
	"initializer_cutoff_factor", "initializer_range", "label2id*", "layer_norm_type",
	"mlp_dropout", "model_type", "num_labels", "output_attentions", "output_hidden_states", "output_past",
	"pooler_*", "position_embedding_type", "pretraining_tp", "problem_type", "qa_dropout", "reference_compile",
	"repad_logits_with_grad", "resid_pdrop", "return_dict", "sep_token_id", "seq_classif_dropout",
	"sparse_pred_ignore_index", "sparse_prediction", "summary_*", "tie_weights_", "tie_word_embeddings",
	"torch_dtype", "torchscript", "transformers_version", "unpad_inputs", "use_cache",
	"use_memory_efficient_attention", "unk_token_id", "mask_token_id", "chunk_size_feed_forward",
	"output_scores", "use_return_dict", "generator_hidden_size", "cross_attention_hidden_size",
	"gate_*_unused", "net_structure_type", "down_scale_factor", "num_memory_blocks", "gap_size",
	"transformers.js_config*", "final_logit_softcapping", "sentence_transformers*", "language*",
	"sbert_ce_default_activation_function",
	/* what every configuration of the package transformers may have */
	"_attn_implementation*", "_commit_hash", "_num_labels", "attn_implementation", "add_pooling_layer", "custom_pipelines*",
	"license", "max_seq_length", "model_max_length", "prefix", "task_specific_params*", "tf_legacy_loss",
	"tokenizer_class", "use_bfloat16", "use_flash_attn", "xla_device",
	/* and those of texts that a decoder writes */
	"bad_words_ids*", "begin_suppress_tokens*", "decoder_start_token_id", "diversity_penalty", "do_sample",
	"early_stopping", "encoder_no_repeat_ngram_size", "exponential_decay_length_penalty*", "forced_bos_token_id",
	"forced_eos_token_id", "length_penalty", "max_length", "max_new_tokens", "min_length", "no_repeat_ngram_size",
	"num_beam_groups", "num_beams", "num_return_sequences", "remove_invalid_values", "repetition_penalty",
	"return_dict_in_generate", "suppress_tokens*", "temperature", "tie_encoder_decoder", "top_k", "top_p", "typical_p",
};

static TransformerStatus __attribute__((format(printf, 2, 3)))
invalid(TransformerConfig *config, const char *format, ...)
{
	va_list		arguments;

	va_start(arguments, format);
	vsnprintf(config->message, sizeof(config->message), format, arguments);
	va_end(arguments);
	return TRANSFORMER_INVALID;
}

static bool
has_no_meaning(const char *key)
{
	for (size_t i = 0;
		 i < sizeof(without_meaning) / sizeof(without_meaning[0]); i++)
	{
		size_t		length = strlen(without_meaning[i]);

		if (without_meaning[i][length - 1] == '*'
			? strncmp(key, without_meaning[i], length - 1) == 0
			: strcmp(key, without_meaning[i]) == 0)
			return true;
	}
	return false;
}

TransformerStatus
transformer_begin(TransformerConfig *config, const char *model_type)
{
	const TransformerFamily *family = transformer_family(model_type);

	memset(config, 0, sizeof(*config));
	if (family == NULL)
	{
		invalid(config, "unknown architecture \"%.60s\"", model_type);
		return TRANSFORMER_UNKNOWN;
	}
	config->family = family;
	config->epsilon = family->epsilon;
	config->activation = family->activation;
	config->query_bias = family->query_bias;
	config->out_bias = family->out_bias;
	config->unit_bias = family->unit_bias;
	config->norm_bias = family->norm_bias;
	config->causal = family->causal;
	config->padding = family->padding;
	config->theta = family->theta;
	config->local_theta = family->local_theta;
	config->buckets = family->relative ? 32 : 0;
	config->groups = 1;
	config->layers_of_group = 1;
	config->rotary_share = 1;
	return TRANSFORMER_OK;
}

/* rope_parameters, and rope_scaling as it was called before */
static TransformerStatus
rotary_number(TransformerConfig *config, const char *key, double value)
{
	RotaryStretch *stretch = &config->stretch;
	double	   *theta = &config->theta;

	if (strncmp(key, "sliding_attention.", 18) == 0)
	{
		stretch = &config->local_stretch;
		theta = &config->local_theta;
		key += 18;
	}
	else if (strncmp(key, "full_attention.", 15) == 0)
		key += 15;
	if (strcmp(key, "rope_theta") == 0)
		*theta = value;
	else if (strcmp(key, "factor") == 0)
		stretch->factor = value;
	else if (strcmp(key, "low_freq_factor") == 0)
		stretch->low_factor = value;
	else if (strcmp(key, "high_freq_factor") == 0)
		stretch->high_factor = value;
	else if (strcmp(key, "original_max_position_embeddings") == 0)
		stretch->original_places = value;
	else if (strcmp(key, "partial_rotary_factor") == 0)
		config->rotary_share = value;
	else
		return TRANSFORMER_UNKNOWN;
	return TRANSFORMER_OK;
}

static TransformerStatus
rotary_text(TransformerConfig *config, const char *key, const char *value)
{
	RotaryStretch *stretch = &config->stretch;

	if (strncmp(key, "sliding_attention.", 18) == 0)
	{
		stretch = &config->local_stretch;
		key += 18;
	}
	else if (strncmp(key, "full_attention.", 15) == 0)
		key += 15;
	if (strcmp(key, "rope_type") != 0 && strcmp(key, "type") != 0)
		return TRANSFORMER_UNKNOWN;
	if (strcmp(value, "default") == 0)
		stretch->kind = STRETCH_NONE;
	else if (strcmp(value, "linear") == 0)
		stretch->kind = STRETCH_LINEAR;
	else if (strcmp(value, "llama3") == 0)
		stretch->kind = STRETCH_LLAMA3;
	else
		return invalid(config, "unknown kind of rotary positions \"%.60s\"", value);
	return TRANSFORMER_OK;
}

static const char *
rotary_key(const char *key)
{
	if (strncmp(key, "rope_parameters.", 16) == 0)
		return key + 16;
	if (strncmp(key, "rope_scaling.", 13) == 0)
		return key + 13;
	return NULL;
}

/* Options of which one value is built; others are refused by name. */
static TransformerStatus
fixed_number(TransformerConfig *config, const char *key, double value)
{
	static const struct
	{
		const char *key;
		double		value;
	}			fixed[] = {
		{"is_decoder", 0}, {"is_encoder_decoder", 0}, {"add_cross_attention", 0},
		{"sinusoidal_pos_embds", 0}, {"use_qk_norm", 0}, {"scale_attn_by_inverse_layer_idx", 0},
	};

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
	{
		/* the table of sinusoids is a tensor of the file like any other */
		if (strcmp(key, fixed[i].key) != 0)
			continue;
		if (value != fixed[i].value && strcmp(key, "sinusoidal_pos_embds") != 0)
			return invalid(config, "option \"%s\" is not supported", key);
		return TRANSFORMER_OK;
	}
	return TRANSFORMER_UNKNOWN;
}

TransformerStatus
transformer_number(TransformerConfig *config, const char *key, double value)
{
	if (!isfinite(value))
		return invalid(config, "option \"%.60s\" is no number", key);
	if (rotary_key(key) != NULL)
		return rotary_number(config, rotary_key(key), value);

	if (config->family->padding_fixed && strcmp(key, "pad_token_id") == 0)
		return TRANSFORMER_IGNORED;

	/* attention_bias is of all four matrices; Gemma and ModernBERT too */
	if (strcmp(key, "attention_bias") == 0)
	{
		config->query_bias = config->out_bias = value != 0;
		return TRANSFORMER_OK;
	}
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
	{
		void	   *field = (char *) config + keys[i].offset;

		if (strcmp(key, keys[i].key) != 0)
			continue;
		switch (keys[i].kind)
		{
			case KEY_WHOLE:
				if (value != floor(value) || value < -1 || value > INT_MAX / 2)
					return invalid(config, "option \"%s\" is %g", key, value);
				*(int *) field = (int) value;
				break;
			case KEY_REAL:
				*(double *) field = value;
				break;
			case KEY_FLAG:
				*(bool *) field = value != 0;
				break;
		}
		return TRANSFORMER_OK;
	}
	if (has_no_meaning(key))
		return TRANSFORMER_IGNORED;
	return fixed_number(config, key, value);
}

static TransformerStatus
set_activation(TransformerConfig *config, const char *name)
{
	static const struct
	{
		const char *name;
		Activation	activation;
	}			names[] = {
		{"gelu", ACTIVATION_GELU}, {"gelu_python", ACTIVATION_GELU},
		{"gelu_new", ACTIVATION_GELU_TANH}, {"gelu_fast", ACTIVATION_GELU_TANH},
		{"gelu_pytorch_tanh", ACTIVATION_GELU_TANH}, {"gelu_python_tanh", ACTIVATION_GELU_TANH},
		{"gelu_accurate", ACTIVATION_GELU_TANH}, {"quick_gelu", ACTIVATION_GELU_QUICK},
		{"silu", ACTIVATION_SILU}, {"swish", ACTIVATION_SILU}, {"swiglu", ACTIVATION_SILU},
		{"geglu", ACTIVATION_GELU}, {"relu", ACTIVATION_RELU}, {"tanh", ACTIVATION_TANH},
		{"sigmoid", ACTIVATION_SIGMOID}, {"linear", ACTIVATION_NONE},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		if (strcmp(names[i].name, name) == 0)
		{
			config->activation = names[i].activation;
			return TRANSFORMER_OK;
		}
	}
	return invalid(config, "unknown activation \"%.60s\"", name);
}

TransformerStatus
transformer_text(TransformerConfig *config, const char *key, const char *value)
{
	if (rotary_key(key) != NULL)
		return rotary_text(config, rotary_key(key), value);
	if (strcmp(key, "hidden_act") == 0 || strcmp(key, "activation") == 0 ||
		strcmp(key, "hidden_activation") == 0 || strcmp(key, "activation_function") == 0)
		return set_activation(config, value);
	if (strncmp(key, "layer_types.", 12) == 0)
	{
		int			layer = atoi(key + 12);

		if (layer < 0 || layer >= TRANSFORMER_MOST_LAYERS)
			return invalid(config, "more than %d layers", TRANSFORMER_MOST_LAYERS);
		if (strcmp(value, "sliding_attention") == 0)
			config->is_local[layer] = 1;
		else if (strcmp(value, "full_attention") == 0)
			config->is_local[layer] = 0;
		else
			return invalid(config, "unknown kind of layer \"%.60s\"", value);
		if (layer >= config->layer_types)
			config->layer_types = layer + 1;
		return TRANSFORMER_OK;
	}
	if (strcmp(key, "position_embedding_type") == 0 && strcmp(value, "absolute") != 0 &&
		strcmp(value, "rope") != 0 && strcmp(value, "rotary") != 0)
		return invalid(config, "positions of kind \"%.60s\" are not supported", value);
	return has_no_meaning(key) ? TRANSFORMER_IGNORED : TRANSFORMER_UNKNOWN;
}

/* Which layers see a window, where config.json does not name each. */
static void
choose_local_layers(TransformerConfig *config)
{
	const char *name = config->family->name;

	if (config->layer_types != 0)
		return;
	for (int l = 0; l < config->layers; l++)
	{
		if (strcmp(name, "modernbert") == 0)
			config->is_local[l] =
				l % (config->global_every > 0 ? config->global_every : 3) != 0;
		else if (strcmp(name, "gemma3_text") == 0)
			config->is_local[l] = (l + 1) % (config->global_every > 0
												 ? config->global_every
												 : 6) !=
								  0;
		else if (strncmp(name, "qwen", 4) == 0)
			config->is_local[l] = config->window_wanted &&
								  l >= config->window_layers;
		else
			config->is_local[l] = config->window > 0;
	}
}

/* A dimension that everything is allocated by. */
static bool
is_size(int value)
{
	return value >= 1 && value <= PRODUCT_MOST_INNER;
}

static TransformerStatus
check_stretch(TransformerConfig *config, const RotaryStretch *stretch)
{
	if (stretch->kind != STRETCH_NONE && !(stretch->factor > 0))
		return invalid(config, "rotary positions are stretched by %g", stretch->factor);
	if (stretch->kind == STRETCH_LLAMA3 &&
		!(stretch->low_factor > 0 &&
		  stretch->high_factor > stretch->low_factor &&
		  stretch->original_places > 0))
		return invalid(config, "rotary positions of kind llama3 lack a factor");
	return TRANSFORMER_OK;
}

TransformerStatus
transformer_finish(TransformerConfig *config)
{
	const TransformerFamily *family = config->family;
	bool		table = family->positions == POSITION_TABLE ||
		family->positions == POSITION_TABLE_AFTER_PADDING;
	const struct
	{
		const char *name;
		int			value;
	}			sizes[] = {
		{"hidden_size", config->hidden}, {"intermediate_size", config->units},
		{"num_attention_heads", config->heads}, {"num_hidden_layers", config->layers},
		{"vocab_size", config->vocabulary}, {"max_position_embeddings", table ? config->places : 1},
	};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
	{
		if (sizes[i].value == 0)
			return invalid(config, "\"%s\" is missing or 0", sizes[i].name);
	}
	if (!is_size(config->hidden) || !is_size(config->units) ||
		!is_size(config->heads))
		return invalid(config, "sizes of %d, %d and %d heads", config->hidden, config->units, config->heads);
	if (config->layers < 1 || config->layers > TRANSFORMER_MOST_LAYERS)
		return invalid(config, "%d layers", config->layers);
	if (config->vocabulary < 1 || config->vocabulary > 10000000)
		return invalid(config, "a vocabulary of %d", config->vocabulary);
	if (config->layer_types != 0 && config->layer_types < config->layers)
		return invalid(config, "%d kinds of %d layers", config->layer_types, config->layers);
	if (config->head_dims == 0)
	{
		if (config->hidden % config->heads != 0)
			return invalid(config, "%d dimensions do not divide among %d heads", config->hidden, config->heads);
		config->head_dims = config->hidden / config->heads;
	}
	if (config->key_heads == 0)
		config->key_heads = config->heads;
	if (!is_size(config->head_dims) || config->key_heads < 1 ||
		config->heads % config->key_heads != 0 ||
		(int64_t) config->head_dims * config->heads > PRODUCT_MOST_INNER)
		return invalid(config, "%d heads of %d dimensions for %d of keys", config->heads,
					   config->head_dims, config->key_heads);
	if (config->embedding == 0)
		config->embedding = config->hidden;
	if (!is_size(config->embedding))
		return invalid(config, "embeddings of %d dimensions", config->embedding);
	if (config->groups < 1 || config->layers_of_group < 1 ||
		config->layers % config->groups != 0 ||
		config->layers * config->layers_of_group > TRANSFORMER_MOST_LAYERS)
		return invalid(config, "%d groups of %d of %d layers", config->groups, config->layers_of_group,
					   config->layers);
	if (table && (config->places < 1 || config->places > 10000000))
		return invalid(config, "a table of %d places", config->places);
	if (family->positions == POSITION_TABLE_AFTER_PADDING &&
		(config->padding < 0 || config->padding >= config->places - 1))
		return invalid(config, "padding token %d and a table of %d places", config->padding, config->places);
	if (family->types && (config->types < 0 || config->types > 65536))
		return invalid(config, "%d types of tokens", config->types);
	if (family->relative && (config->buckets < 4 || config->buckets > 1024 ||
							 config->buckets % 4 != 0))
		return invalid(config, "%d buckets of relative positions", config->buckets);
	if (family->positions == POSITION_ROTARY)
	{
		double		turning = config->head_dims * config->rotary_share;

		if (!(config->theta > 0) || !(turning >= 2) ||
			turning > config->head_dims || (int) turning % 2 != 0)
			return invalid(config, "rotary positions with base %g in %g of %d dimensions", config->theta,
						   turning, config->head_dims);
		if (check_stretch(config, &config->stretch) != TRANSFORMER_OK ||
			check_stretch(config, &config->local_stretch) != TRANSFORMER_OK)
			return TRANSFORMER_INVALID;
	}
	if (!(config->epsilon >= 0) || config->epsilon > 1)
		return invalid(config, "an epsilon of %g", config->epsilon);
	if (config->local_theta <= 0)
	{
		config->local_theta = config->theta;
		config->local_stretch = config->stretch;
	}
	choose_local_layers(config);
	for (int l = 0; l < config->layers; l++)
	{
		if (config->is_local[l] && config->window < 1)
			return invalid(config, "layer %d sees a window of %d", l, config->window);
	}
	if (config->bidirectional)
		config->causal = false;
	config->embedding_scale = family->scaled_embedding ? sqrt(config->hidden)
													   : 1;
	if (!(config->score_divisor > 0))
		config->score_divisor = config->head_dims;
	config->is_finished = true;
	return TRANSFORMER_OK;
}
