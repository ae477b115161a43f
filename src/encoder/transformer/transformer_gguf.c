/*-------------------------------------------------------------------------
 *
 * transformer_gguf.c
 *	  Transformers in GGUF files: settings and tensors by the names that
 *	  config.json and safetensors have for them.
 *
 * The names are those of the GGUF specification and of what converts the
 * families' folders to it.  Settings of the architecture that are not known
 * are refused; the activation is not among them, it is the family's.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/transformer/transformer_model.h"

const char *const transformer_gguf_architectures[] = {
	"bert", "llama", "qwen2", "qwen3", NULL
};

/* ---------- tensors ---------- */

typedef struct TensorNames
{
	const char *gguf;			/* # stands for the layer's number */
	const char *plain;
} TensorNames;

static const TensorNames bert_names[] = {
	{"token_embd.", "embeddings.word_embeddings."},
	{"position_embd.", "embeddings.position_embeddings."},
	{"token_types.", "embeddings.token_type_embeddings."},
	{"token_embd_norm.", "embeddings.LayerNorm."},
	{"blk.#.attn_q.", "encoder.layer.#.attention.self.query."},
	{"blk.#.attn_k.", "encoder.layer.#.attention.self.key."},
	{"blk.#.attn_v.", "encoder.layer.#.attention.self.value."},
	{"blk.#.attn_output.", "encoder.layer.#.attention.output.dense."},
	{"blk.#.attn_output_norm.",
	"encoder.layer.#.attention.output.LayerNorm."},
	{"blk.#.ffn_up.", "encoder.layer.#.intermediate.dense."},
	{"blk.#.ffn_down.", "encoder.layer.#.output.dense."},
	{"blk.#.layer_output_norm.", "encoder.layer.#.output.LayerNorm."},
	{"cls.", "pooler.dense."},
	{NULL, NULL}
};

static const TensorNames llama_names[] = {
	{"token_embd.", "embed_tokens."},
	{"output_norm.", "norm."},
	{"output.", "lm_head."},
	{"blk.#.attn_norm.", "layers.#.input_layernorm."},
	{"blk.#.attn_q.", "layers.#.self_attn.q_proj."},
	{"blk.#.attn_k.", "layers.#.self_attn.k_proj."},
	{"blk.#.attn_v.", "layers.#.self_attn.v_proj."},
	{"blk.#.attn_output.", "layers.#.self_attn.o_proj."},
	{"blk.#.attn_q_norm.", "layers.#.self_attn.q_norm."},
	{"blk.#.attn_k_norm.", "layers.#.self_attn.k_norm."},
	{"blk.#.ffn_norm.", "layers.#.post_attention_layernorm."},
	{"blk.#.ffn_gate.", "layers.#.mlp.gate_proj."},
	{"blk.#.ffn_up.", "layers.#.mlp.up_proj."},
	{"blk.#.ffn_down.", "layers.#.mlp.down_proj."},
	{NULL, NULL}
};

/*
 * Does a name begin as the pattern says?  What follows is where *rest points,
 * the digits of the layer's number are *length bytes at *number.
 */
static bool
begins_as(const char *name, const char *pattern, const char **number,
		  int *length, const char **rest)
{
	*length = 0;
	for (; *pattern != '\0'; pattern++)
	{
		if (*pattern == '#')
		{
			*number = name;
			while (*name >= '0' && *name <= '9')
				name++;
			*length = (int) (name - *number);
			if (*length == 0 || *length > 4)
				return false;
		}
		else if (*name++ != *pattern)
			return false;
	}
	*rest = name;
	return strcmp(name, "weight") == 0 || strcmp(name, "bias") == 0;
}

const char *
transformer_gguf_tensor(const NetworkFolder *network, const char *name)
{
	bool		is_bert = strcmp(network_gguf_architecture(network),
								 "bert") == 0;

	for (const TensorNames *names = is_bert ? bert_names : llama_names;
		 names->gguf != NULL; names++)
	{
		const char *sign = strchr(names->plain, '#');
		const char *number = NULL;
		const char *rest;
		int			length;

		if (!begins_as(name, names->gguf, &number, &length, &rest))
			continue;
		if (sign == NULL)
			return psprintf("%s%s", names->plain, rest);
		return psprintf("%.*s%.*s%s%s", (int) (sign - names->plain),
						names->plain, length, number, sign + 1, rest);
	}

	/* not known: whoever packs it says so, by this name */
	return name;
}

/* ---------- settings ---------- */

/* A setting of the architecture, and the entry of config.json for it. */
static const struct
{
	const char *key;
	const char *entry;			/* or NULL: read otherwise, or of no meaning */
}			settings[] = {
	{"block_count", "num_hidden_layers"},
	{"context_length", "max_position_embeddings"},
	{"embedding_length", "hidden_size"},
	{"feed_forward_length", "intermediate_size"},
	{"attention.head_count", "num_attention_heads"},
	{"attention.head_count_kv", "num_key_value_heads"},
	{"attention.key_length", "head_dim"},
	{"attention.value_length", NULL},
	{"attention.layer_norm_epsilon", "layer_norm_eps"},
	{"attention.layer_norm_rms_epsilon", "rms_norm_eps"},
	{"attention.causal", NULL},
	{"rope.freq_base", "rope_theta"},
	{"rope.dimension_count", NULL},
	{"pooling_type", NULL},
	{"vocab_size", NULL},
};

static void
set_number(const NetworkFolder *network, TransformerConfig *config,
		   const char *entry, double value)
{
	TransformerStatus status = transformer_number(config, entry, value);

	if (status == TRANSFORMER_UNKNOWN)
		network_folder_refuse(network, FORMAT_UNSUPPORTED,
							  psprintf("The setting \"%s\" is not known for this architecture.",
									   entry));
	if (status == TRANSFORMER_INVALID)
		network_folder_refuse(network, FORMAT_MALFORMED,
							  psprintf("Settings: %s.", config->message));
}

/* A setting of the architecture that is not read through its entry. */
static bool
find_number(const NetworkFolder *network, const char *architecture,
			const char *key, double *number)
{
	const GgufValue *value = gguf_find(&network->folder.gguf,
									   psprintf("%s.%s", architecture, key));
	bool		truth;

	if (value == NULL)
		return false;
	if (gguf_bool(value, &truth))
		*number = truth;
	else if (!gguf_double(value, number))
		network_folder_refuse(network, FORMAT_MALFORMED,
							  psprintf("The setting \"%.100s\" is no number.",
									   value->key));
	return true;
}

static void
read_setting(const NetworkFolder *network, const char *architecture,
			 const GgufValue *value, TransformerConfig *config)
{
	size_t		length = strlen(architecture);
	const char *key = value->key + length + 1;
	double		number;

	if (strncmp(value->key, architecture, length) != 0 ||
		value->key[length] != '.')
		return;
	for (int i = 0; i < lengthof(settings); i++)
	{
		if (strcmp(settings[i].key, key) != 0)
			continue;
		if (settings[i].entry != NULL &&
			find_number(network, architecture, key, &number))
			set_number(network, config, settings[i].entry, number);
		return;
	}
	network_folder_refuse(network, FORMAT_UNSUPPORTED,
						  psprintf("The setting \"%.100s\" of the GGUF file is not known.",
								   value->key));
}

/* The rows of a table of the file; 0 if there is none. */
static double
table_rows(const NetworkFolder *network, const char *name)
{
	const Tensor *tensor = tensor_find(&network->folder.weights, name);

	return tensor == NULL || tensor->rank < 1 ? 0 : (double) tensor->shape[0];
}

/* How much of each head turns, and how neighbours lie in these files. */
static void
read_rotary(const NetworkFolder *network, const char *architecture,
			TransformerConfig *config)
{
	double		turning;
	double		dims = config->head_dims;

	if (dims == 0 && config->heads > 0)
		dims = config->hidden / config->heads;
	if (find_number(network, architecture, "rope.dimension_count",
					&turning) && dims > 0)
		set_number(network, config, "partial_rotary_factor", turning / dims);

	/* the rows of queries and keys are reordered so that neighbours turn */
	if (strcmp(architecture, "llama") == 0)
		set_number(network, config, "rotary_emb_interleaved", 1);
}

static bool
has_tensor(const NetworkFolder *network, const char *name)
{
	return tensor_find(&network->folder.weights, name) != NULL;
}

void
transformer_gguf_config(const NetworkFolder *network,
						TransformerConfig *config)
{
	const Gguf *gguf = &network->folder.gguf;
	const char *architecture = network_gguf_architecture(network);
	bool		is_bert = strcmp(architecture, "bert") == 0;
	double		causal;

	if (transformer_begin(config, architecture) != TRANSFORMER_OK)
		elog(ERROR, "architecture \"%s\" is no family", architecture);
	for (size_t i = 0; i < gguf->value_count; i++)
		read_setting(network, architecture, &gguf->values[i], config);
	set_number(network, config, "vocab_size",
			   table_rows(network, "token_embd.weight"));
	if (is_bert)
		set_number(network, config, "type_vocab_size",
				   table_rows(network, "token_types.weight"));
	else
		read_rotary(network, architecture, config);
	if (strcmp(architecture, "llama") == 0)
		set_number(network, config, "attention_bias",
				   has_tensor(network, "blk.0.attn_q.bias"));
	if (find_number(network, architecture, "attention.causal", &causal) &&
		causal != !is_bert)
		network_folder_refuse(network, FORMAT_UNSUPPORTED,
							  "\"attention.causal\" is not that of the architecture.");
	if (transformer_finish(config) != TRANSFORMER_OK)
		network_folder_refuse(network, FORMAT_UNSUPPORTED,
							  psprintf("Settings: %s.", config->message));
}

/* As the file says; else as a folder without modules is read. */
Pooling
transformer_gguf_pooling(const NetworkFolder *network)
{
	const char *architecture = network_gguf_architecture(network);
	double		kind;

	if (!find_number(network, architecture, "pooling_type", &kind) ||
		kind == 0)
		return strcmp(architecture, "bert") == 0 ? POOLING_MEAN :
			POOLING_LAST;
	if (kind == 1)
		return POOLING_MEAN;
	if (kind == 2)
		return POOLING_CLS;
	if (kind == 3)
		return POOLING_LAST;
	network_folder_refuse(network, FORMAT_UNSUPPORTED,
						  "\"pooling_type\" is neither none, mean, cls nor last.");
}
