/*-------------------------------------------------------------------------
 *
 * transformer_families.c
 *	  The table of families of transformers, and the names of their tensors.
 *
 * A family is a row.  Names are those that files of the family's models have,
 * after a prefix that may be there or not; one role may have several names,
 * for files that were written by the family's authors and by others.
 *
 *-------------------------------------------------------------------------
 */
#include "network/transformer_families.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define END {NULL, TENSOR_WORDS}

/*
 * BERT's, which its descendants kept; gamma and beta are of its first files.
 */
static const TensorName bert_embeddings[] = {
	{"embeddings.word_embeddings.weight", TENSOR_WORDS},
	{"embeddings.position_embeddings.weight", TENSOR_PLACES},
	{"embeddings.token_type_embeddings.weight", TENSOR_TYPES},
	{"embeddings.LayerNorm.weight", TENSOR_EMBEDDING_NORM},
	{"embeddings.LayerNorm.bias", TENSOR_EMBEDDING_NORM_BIAS},
	{"embeddings.LayerNorm.gamma", TENSOR_EMBEDDING_NORM},
	{"embeddings.LayerNorm.beta", TENSOR_EMBEDDING_NORM_BIAS},
	{"embeddings_project.weight", TENSOR_PROJECTION},
	{"embeddings_project.bias", TENSOR_PROJECTION_BIAS},
	END
};

static const TensorName bert_layers[] = {
	{"encoder.layer.#.attention.self.query.weight", TENSOR_QUERY},
	{"encoder.layer.#.attention.self.query.bias", TENSOR_QUERY_BIAS},
	{"encoder.layer.#.attention.self.key.weight", TENSOR_KEY},
	{"encoder.layer.#.attention.self.key.bias", TENSOR_KEY_BIAS},
	{"encoder.layer.#.attention.self.value.weight", TENSOR_VALUE},
	{"encoder.layer.#.attention.self.value.bias", TENSOR_VALUE_BIAS},
	{"encoder.layer.#.attention.output.dense.weight", TENSOR_OUT},
	{"encoder.layer.#.attention.output.dense.bias", TENSOR_OUT_BIAS},
	{"encoder.layer.#.attention.output.LayerNorm.weight", TENSOR_ATTENTION_NORM},
	{"encoder.layer.#.attention.output.LayerNorm.bias", TENSOR_ATTENTION_NORM_BIAS},
	{"encoder.layer.#.attention.output.LayerNorm.gamma", TENSOR_ATTENTION_NORM},
	{"encoder.layer.#.attention.output.LayerNorm.beta", TENSOR_ATTENTION_NORM_BIAS},
	{"encoder.layer.#.intermediate.dense.weight", TENSOR_GATE},
	{"encoder.layer.#.intermediate.dense.bias", TENSOR_GATE_BIAS},
	{"encoder.layer.#.output.dense.weight", TENSOR_DOWN},
	{"encoder.layer.#.output.dense.bias", TENSOR_DOWN_BIAS},
	{"encoder.layer.#.output.LayerNorm.weight", TENSOR_UNITS_NORM},
	{"encoder.layer.#.output.LayerNorm.bias", TENSOR_UNITS_NORM_BIAS},
	{"encoder.layer.#.output.LayerNorm.gamma", TENSOR_UNITS_NORM},
	{"encoder.layer.#.output.LayerNorm.beta", TENSOR_UNITS_NORM_BIAS},
	END
};

static const TensorName mpnet_layers[] = {
	{"encoder.relative_attention_bias.weight", TENSOR_RELATIVE},
	{"encoder.layer.#.attention.attn.q.weight", TENSOR_QUERY},
	{"encoder.layer.#.attention.attn.q.bias", TENSOR_QUERY_BIAS},
	{"encoder.layer.#.attention.attn.k.weight", TENSOR_KEY},
	{"encoder.layer.#.attention.attn.k.bias", TENSOR_KEY_BIAS},
	{"encoder.layer.#.attention.attn.v.weight", TENSOR_VALUE},
	{"encoder.layer.#.attention.attn.v.bias", TENSOR_VALUE_BIAS},
	{"encoder.layer.#.attention.attn.o.weight", TENSOR_OUT},
	{"encoder.layer.#.attention.attn.o.bias", TENSOR_OUT_BIAS},
	{"encoder.layer.#.attention.LayerNorm.weight", TENSOR_ATTENTION_NORM},
	{"encoder.layer.#.attention.LayerNorm.bias", TENSOR_ATTENTION_NORM_BIAS},
	END
};

static const TensorName distilbert_layers[] = {
	{"transformer.layer.#.attention.q_lin.weight", TENSOR_QUERY},
	{"transformer.layer.#.attention.q_lin.bias", TENSOR_QUERY_BIAS},
	{"transformer.layer.#.attention.k_lin.weight", TENSOR_KEY},
	{"transformer.layer.#.attention.k_lin.bias", TENSOR_KEY_BIAS},
	{"transformer.layer.#.attention.v_lin.weight", TENSOR_VALUE},
	{"transformer.layer.#.attention.v_lin.bias", TENSOR_VALUE_BIAS},
	{"transformer.layer.#.attention.out_lin.weight", TENSOR_OUT},
	{"transformer.layer.#.attention.out_lin.bias", TENSOR_OUT_BIAS},
	{"transformer.layer.#.sa_layer_norm.weight", TENSOR_ATTENTION_NORM},
	{"transformer.layer.#.sa_layer_norm.bias", TENSOR_ATTENTION_NORM_BIAS},
	{"transformer.layer.#.ffn.lin1.weight", TENSOR_GATE},
	{"transformer.layer.#.ffn.lin1.bias", TENSOR_GATE_BIAS},
	{"transformer.layer.#.ffn.lin2.weight", TENSOR_DOWN},
	{"transformer.layer.#.ffn.lin2.bias", TENSOR_DOWN_BIAS},
	{"transformer.layer.#.output_layer_norm.weight", TENSOR_UNITS_NORM},
	{"transformer.layer.#.output_layer_norm.bias", TENSOR_UNITS_NORM_BIAS},
	END
};

/* the layer's number is group * layers_of_group + layer */
static const TensorName albert_layers[] = {
	{"encoder.embedding_hidden_mapping_in.weight", TENSOR_PROJECTION},
	{"encoder.embedding_hidden_mapping_in.bias", TENSOR_PROJECTION_BIAS},
	{"encoder.albert_layer_groups.#.albert_layers.#.attention.query.weight", TENSOR_QUERY},
	{"encoder.albert_layer_groups.#.albert_layers.#.attention.query.bias", TENSOR_QUERY_BIAS},
	{"encoder.albert_layer_groups.#.albert_layers.#.attention.key.weight", TENSOR_KEY},
	{"encoder.albert_layer_groups.#.albert_layers.#.attention.key.bias", TENSOR_KEY_BIAS},
	{"encoder.albert_layer_groups.#.albert_layers.#.attention.value.weight", TENSOR_VALUE},
	{"encoder.albert_layer_groups.#.albert_layers.#.attention.value.bias", TENSOR_VALUE_BIAS},
	{"encoder.albert_layer_groups.#.albert_layers.#.attention.dense.weight", TENSOR_OUT},
	{"encoder.albert_layer_groups.#.albert_layers.#.attention.dense.bias", TENSOR_OUT_BIAS},
	{"encoder.albert_layer_groups.#.albert_layers.#.attention.LayerNorm.weight", TENSOR_ATTENTION_NORM},
	{"encoder.albert_layer_groups.#.albert_layers.#.attention.LayerNorm.bias", TENSOR_ATTENTION_NORM_BIAS},
	{"encoder.albert_layer_groups.#.albert_layers.#.ffn.weight", TENSOR_GATE},
	{"encoder.albert_layer_groups.#.albert_layers.#.ffn.bias", TENSOR_GATE_BIAS},
	{"encoder.albert_layer_groups.#.albert_layers.#.ffn_output.weight", TENSOR_DOWN},
	{"encoder.albert_layer_groups.#.albert_layers.#.ffn_output.bias", TENSOR_DOWN_BIAS},
	{"encoder.albert_layer_groups.#.albert_layers.#.full_layer_layer_norm.weight", TENSOR_UNITS_NORM},
	{"encoder.albert_layer_groups.#.albert_layers.#.full_layer_layer_norm.bias", TENSOR_UNITS_NORM_BIAS},
	END
};

/* llama's, which decoders kept */
static const TensorName llama_attention[] = {
	{"embed_tokens.weight", TENSOR_WORDS},
	{"layers.#.self_attn.q_proj.weight", TENSOR_QUERY},
	{"layers.#.self_attn.q_proj.bias", TENSOR_QUERY_BIAS},
	{"layers.#.self_attn.k_proj.weight", TENSOR_KEY},
	{"layers.#.self_attn.k_proj.bias", TENSOR_KEY_BIAS},
	{"layers.#.self_attn.v_proj.weight", TENSOR_VALUE},
	{"layers.#.self_attn.v_proj.bias", TENSOR_VALUE_BIAS},
	{"layers.#.self_attn.o_proj.weight", TENSOR_OUT},
	{"layers.#.self_attn.o_proj.bias", TENSOR_OUT_BIAS},
	{"layers.#.self_attn.q_norm.weight", TENSOR_QUERY_NORM},
	{"layers.#.self_attn.k_norm.weight", TENSOR_KEY_NORM},
	{"layers.#.mlp.gate_proj.weight", TENSOR_GATE},
	{"layers.#.mlp.gate_proj.bias", TENSOR_GATE_BIAS},
	{"layers.#.mlp.up_proj.weight", TENSOR_UP},
	{"layers.#.mlp.up_proj.bias", TENSOR_UP_BIAS},
	{"layers.#.mlp.down_proj.weight", TENSOR_DOWN},
	{"layers.#.mlp.down_proj.bias", TENSOR_DOWN_BIAS},
	{"layers.#.mlp.fc1.weight", TENSOR_GATE},
	{"layers.#.mlp.fc1.bias", TENSOR_GATE_BIAS},
	{"layers.#.mlp.fc2.weight", TENSOR_DOWN},
	{"layers.#.mlp.fc2.bias", TENSOR_DOWN_BIAS},
	END
};

static const TensorName llama_norms[] = {
	{"norm.weight", TENSOR_FINAL_NORM},
	{"layers.#.input_layernorm.weight", TENSOR_ATTENTION_NORM},
	{"layers.#.post_attention_layernorm.weight", TENSOR_UNITS_NORM},
	END
};

static const TensorName gemma_norms[] = {
	{"norm.weight", TENSOR_FINAL_NORM},
	{"layers.#.input_layernorm.weight", TENSOR_ATTENTION_NORM},
	{"layers.#.post_attention_layernorm.weight", TENSOR_ATTENTION_POST_NORM},
	{"layers.#.pre_feedforward_layernorm.weight", TENSOR_UNITS_NORM},
	{"layers.#.post_feedforward_layernorm.weight", TENSOR_UNITS_POST_NORM},
	END
};

/* nomic, GTE and jina as the transformers package writes them */
static const TensorName rotary_bert_norms[] = {
	{"layers.#.post_attention_layernorm.weight", TENSOR_ATTENTION_NORM},
	{"layers.#.post_attention_layernorm.bias", TENSOR_ATTENTION_NORM_BIAS},
	{"layers.#.post_mlp_layernorm.weight", TENSOR_UNITS_NORM},
	{"layers.#.post_mlp_layernorm.bias", TENSOR_UNITS_NORM_BIAS},
	END
};

/* and as their authors did: nomic's gate is fc12, GTE's up comes first */
static const TensorName nomic_files[] = {
	{"emb_ln.weight", TENSOR_EMBEDDING_NORM},
	{"emb_ln.bias", TENSOR_EMBEDDING_NORM_BIAS},
	{"encoder.layers.#.attn.Wqkv.weight", TENSOR_QUERY_KEY_VALUE},
	{"encoder.layers.#.attn.out_proj.weight", TENSOR_OUT},
	{"encoder.layers.#.mlp.fc12.weight", TENSOR_GATE},
	{"encoder.layers.#.mlp.fc11.weight", TENSOR_UP},
	{"encoder.layers.#.mlp.fc2.weight", TENSOR_DOWN},
	{"encoder.layers.#.norm1.weight", TENSOR_ATTENTION_NORM},
	{"encoder.layers.#.norm1.bias", TENSOR_ATTENTION_NORM_BIAS},
	{"encoder.layers.#.norm2.weight", TENSOR_UNITS_NORM},
	{"encoder.layers.#.norm2.bias", TENSOR_UNITS_NORM_BIAS},
	END
};

static const TensorName jina_files[] = {
	{"encoder.layers.#.mixer.Wqkv.weight", TENSOR_QUERY_KEY_VALUE},
	{"encoder.layers.#.mixer.Wqkv.bias", TENSOR_QUERY_KEY_VALUE_BIAS},
	{"encoder.layers.#.mixer.out_proj.weight", TENSOR_OUT},
	{"encoder.layers.#.mixer.out_proj.bias", TENSOR_OUT_BIAS},
	{"encoder.layers.#.mlp.fc1.weight", TENSOR_GATE},
	{"encoder.layers.#.mlp.fc1.bias", TENSOR_GATE_BIAS},
	{"encoder.layers.#.mlp.fc2.weight", TENSOR_DOWN},
	{"encoder.layers.#.mlp.fc2.bias", TENSOR_DOWN_BIAS},
	END
};

static const TensorName gte_files[] = {
	{"encoder.layer.#.attention.qkv_proj.weight", TENSOR_QUERY_KEY_VALUE},
	{"encoder.layer.#.attention.qkv_proj.bias", TENSOR_QUERY_KEY_VALUE_BIAS},
	{"encoder.layer.#.attention.o_proj.weight", TENSOR_OUT},
	{"encoder.layer.#.attention.o_proj.bias", TENSOR_OUT_BIAS},
	{"encoder.layer.#.mlp.up_gate_proj.weight", TENSOR_UP_GATE},
	{"encoder.layer.#.mlp.down_proj.weight", TENSOR_DOWN},
	{"encoder.layer.#.mlp.down_proj.bias", TENSOR_DOWN_BIAS},
	{"encoder.layer.#.attn_ln.weight", TENSOR_ATTENTION_NORM},
	{"encoder.layer.#.attn_ln.bias", TENSOR_ATTENTION_NORM_BIAS},
	{"encoder.layer.#.mlp_ln.weight", TENSOR_UNITS_NORM},
	{"encoder.layer.#.mlp_ln.bias", TENSOR_UNITS_NORM_BIAS},
	END
};

static const TensorName modernbert_names[] = {
	{"embeddings.tok_embeddings.weight", TENSOR_WORDS},
	{"embeddings.norm.weight", TENSOR_EMBEDDING_NORM},
	{"embeddings.norm.bias", TENSOR_EMBEDDING_NORM_BIAS},
	{"final_norm.weight", TENSOR_FINAL_NORM},
	{"final_norm.bias", TENSOR_FINAL_NORM_BIAS},
	{"layers.#.attn_norm.weight", TENSOR_ATTENTION_NORM},
	{"layers.#.attn_norm.bias", TENSOR_ATTENTION_NORM_BIAS},
	{"layers.#.attn.Wqkv.weight", TENSOR_QUERY_KEY_VALUE},
	{"layers.#.attn.Wqkv.bias", TENSOR_QUERY_KEY_VALUE_BIAS},
	{"layers.#.attn.Wo.weight", TENSOR_OUT},
	{"layers.#.attn.Wo.bias", TENSOR_OUT_BIAS},
	{"layers.#.mlp_norm.weight", TENSOR_UNITS_NORM},
	{"layers.#.mlp_norm.bias", TENSOR_UNITS_NORM_BIAS},
	{"layers.#.mlp.Wi.weight", TENSOR_GATE_UP},
	{"layers.#.mlp.Wi.bias", TENSOR_GATE_UP_BIAS},
	{"layers.#.mlp.Wo.weight", TENSOR_DOWN},
	{"layers.#.mlp.Wo.bias", TENSOR_DOWN_BIAS},
	END
};

static const TensorName *const bert_names[] = {bert_embeddings, bert_layers,
											   NULL};
static const TensorName *const distilbert_names[] = {bert_embeddings,
													 distilbert_layers, NULL};
static const TensorName *const mpnet_names[] = {bert_embeddings, mpnet_layers,
												bert_layers, NULL};
static const TensorName *const albert_names[] = {bert_embeddings,
												 albert_layers, NULL};
static const TensorName *const llama_names[] = {llama_attention, llama_norms,
												NULL};
static const TensorName *const gemma_names[] = {llama_attention, gemma_norms,
												NULL};
static const TensorName *const modern_names[] = {modernbert_names, NULL};
static const TensorName *const jina_names[] = {
	bert_embeddings, llama_attention, rotary_bert_norms,
	jina_files,		 nomic_files,	  NULL};
static const TensorName *const nomic_names[] = {
	bert_embeddings, llama_attention, rotary_bert_norms, nomic_files, NULL
};
static const TensorName *const gte_names[] = {
	bert_embeddings, llama_attention, rotary_bert_norms, gte_files, NULL
};

/* What kin have in common; a row names what is its own. */
#define LIKE_BERT                                                 \
	.norm_place = NORM_AFTER, .norm_kind = NORM_LAYER,            \
	.embedding_norm = true, .query_bias = true, .out_bias = true, \
	.unit_bias = true, .norm_bias = true, .epsilon = 1e-12

#define LIKE_ROBERTA \
	LIKE_BERT, .prefix = "roberta.", .positions = POSITION_TABLE_AFTER_PADDING, .types = true, \
	.padding = 1, .activation = ACTIVATION_GELU, .names = bert_names

#define LIKE_LLAMA \
	.prefix = "model.", .positions = POSITION_ROTARY, .final_norm = true, .gated = true, .padding = -1

#define DECODER                                                   \
	LIKE_LLAMA, .norm_place = NORM_BEFORE, .norm_kind = NORM_RMS, \
				.causal = true, .epsilon = 1e-6, .theta = 10000,  \
				.activation = ACTIVATION_SILU, .names = llama_names

#define LIKE_ROTARY_BERT                                                 \
	.norm_place = NORM_AFTER, .norm_kind = NORM_LAYER,                   \
	.positions = POSITION_ROTARY, .types = true, .embedding_norm = true, \
	.norm_bias = true

static const TransformerFamily families[] = {
	/* Devlin et al. 2018, arXiv 1810.04805 */
	{.name = "bert",
	 .prefix = "bert.",
	 LIKE_BERT,
	 .positions = POSITION_TABLE,
	 .types = true,
	 .activation = ACTIVATION_GELU,
	 .names = bert_names},
	/* Sanh et al. 2019, arXiv 1910.01108 */
	{.name = "distilbert",
	 .prefix = "distilbert.",
	 LIKE_BERT,
	 .positions = POSITION_TABLE,
	 .activation = ACTIVATION_GELU,
	 .names = distilbert_names},
	/*
	 * Liu et al. 2019, arXiv 1907.11692; Conneau et al., 1911.02116; Martin et
	 * al., 1911.03894
	 */
	{.name = "roberta", LIKE_ROBERTA},
	{.name = "xlm-roberta", LIKE_ROBERTA},
	{.name = "camembert", LIKE_ROBERTA},
	/* Song et al. 2020, arXiv 2004.09297 */
	{.name = "mpnet",
	 .prefix = "mpnet.",
	 LIKE_BERT,
	 .positions = POSITION_TABLE_AFTER_PADDING,
	 .relative = true,
	 .padding = 1,
	 .padding_fixed = true,
	 .activation = ACTIVATION_GELU,
	 .names = mpnet_names},
	/* Lan et al. 2019, arXiv 1909.11942 */
	{.name = "albert",
	 .prefix = "albert.",
	 LIKE_BERT,
	 .positions = POSITION_TABLE,
	 .types = true,
	 .activation = ACTIVATION_GELU_TANH,
	 .names = albert_names},
	/* Clark et al. 2020, arXiv 2003.10555 */
	{.name = "electra",
	 .prefix = "electra.",
	 LIKE_BERT,
	 .positions = POSITION_TABLE,
	 .types = true,
	 .activation = ACTIVATION_GELU,
	 .names = bert_names},
	/* Touvron et al. 2023, arXiv 2302.13971 */
	{.name = "llama", DECODER},
	/* Jiang et al. 2023, arXiv 2310.06825 */
	{.name = "mistral", DECODER},
	/* Yang et al. 2024, arXiv 2407.10671 */
	{.name = "qwen2", DECODER, .query_bias = true},
	/* Yang et al. 2025, arXiv 2505.09388 */
	{.name = "qwen3", DECODER, .head_norm = true},
	/* Boizard et al. 2025, arXiv 2503.05500 */
	{.name = "eurobert",
	 LIKE_LLAMA,
	 .norm_place = NORM_BEFORE,
	 .norm_kind = NORM_RMS,
	 .epsilon = 1e-5,
	 .theta = 250000,
	 .activation = ACTIVATION_SILU,
	 .names = llama_names},
	/* Gemma 3, arXiv 2503.19786; EmbeddingGemma, arXiv 2509.20354 */
	{.name = "gemma3_text",
	 LIKE_LLAMA,
	 .norm_place = NORM_BOTH,
	 .norm_kind = NORM_RMS_PLUS_ONE,
	 .causal = true,
	 .head_norm = true,
	 .scaled_embedding = true,
	 .epsilon = 1e-6,
	 .theta = 1000000,
	 .local_theta = 10000,
	 .activation = ACTIVATION_GELU_TANH,
	 .names = gemma_names},
	/* Warner et al. 2024, arXiv 2412.13663 */
	{.name = "modernbert",
	 .prefix = "model.",
	 .norm_place = NORM_BEFORE,
	 .norm_kind = NORM_LAYER,
	 .positions = POSITION_ROTARY,
	 .embedding_norm = true,
	 .final_norm = true,
	 .first_norm_missing = true,
	 .gated = true,
	 .epsilon = 1e-5,
	 .theta = 160000,
	 .local_theta = 10000,
	 .padding = -1,
	 .activation = ACTIVATION_GELU,
	 .names = modern_names},
	/* Nussbaum et al. 2024, arXiv 2402.01613 */
	{.name = "nomic_bert",
	 .prefix = "model.",
	 LIKE_ROTARY_BERT,
	 .gated = true,
	 .epsilon = 1e-12,
	 .theta = 1000,
	 .activation = ACTIVATION_SILU,
	 .names = nomic_names},
	/* Zhang et al. 2024, arXiv 2407.19669 */
	{.name = "gte",
	 .prefix = "new.",
	 LIKE_ROTARY_BERT,
	 .gated = true,
	 .query_bias = true,
	 .out_bias = true,
	 .down_bias = true,
	 .epsilon = 1e-12,
	 .theta = 160000,
	 .activation = ACTIVATION_GELU,
	 .names = gte_names},
	/* Sturua et al. 2024, arXiv 2409.10173 */
	{.name = "jina_embeddings_v3",
	 .prefix = "roberta.",
	 LIKE_ROTARY_BERT,
	 .query_bias = true,
	 .out_bias = true,
	 .unit_bias = true,
	 .epsilon = 1e-5,
	 .theta = 20000,
	 .activation = ACTIVATION_GELU,
	 .names = jina_names},
};

#define FAMILIES ((int) (sizeof(families) / sizeof(families[0])))

/* Beginnings of the names of what stands beside the encoder. */
static const char *const beside[] = {
	"pooler.", "cls.", "lm_head.", "classifier.", "qa_outputs.", "vocab_transform.", "vocab_layer_norm.",
	"vocab_projector.", "pre_classifier.", "predictions.", "discriminator_predictions.",
	"generator_predictions.", "generator_lm_head.", "decoder.", "head.", "score.", "rotary_emb.",
	"embeddings.position_ids", "embeddings.token_type_ids", "sop_classifier.",
};

const TransformerFamily *
transformer_family(const char *model_type)
{
	for (int i = 0; i < FAMILIES; i++)
	{
		if (strcmp(families[i].name, model_type) == 0)
			return &families[i];
	}
	return NULL;
}

const char *const *
transformer_families(void)
{
	static const char *names[FAMILIES + 1];

	for (int i = 0; i < FAMILIES; i++)
		names[i] = families[i].name;
	return names;
}

/*
 * Does the name follow the pattern?  Numbers of up to four digits; a second
 * one comes after a group's: *layer is then group * 10000 + number, which the
 * caller takes apart.
 */
static bool
follows(const char *name, const char *pattern, int *layer)
{
	int			number = 0;
	bool		first = true;

	for (; *pattern != '\0'; pattern++)
	{
		char	   *end;
		long		value;

		if (*pattern != '#')
		{
			if (*name++ != *pattern)
				return false;
			continue;
		}
		if (*name < '0' || *name > '9' ||
			(name[0] == '0' && name[1] >= '0' && name[1] <= '9'))
			return false;
		value = strtol(name, &end, 10);
		if (end - name > 4)
			return false;
		name = end;
		number = first ? (int) value : number * 10000 + (int) value;
		first = false;
	}
	*layer = number;
	return *name == '\0';
}

static int
role_without_prefix(const TransformerFamily *family, const char *name,
					int *layer)
{
	for (const TensorName *const *list = family->names; *list != NULL; list++)
	{
		for (const TensorName *entry = *list; entry->pattern != NULL; entry++)
		{
			if (follows(name, entry->pattern, layer))
				return entry->role;
		}
	}
	for (size_t i = 0; i < sizeof(beside) / sizeof(beside[0]); i++)
	{
		if (strncmp(name, beside[i], strlen(beside[i])) == 0)
			return -1;
	}

	/* frequencies of rotary positions, which some files keep in each layer */
	if (strlen(name) > 9 && strcmp(name + strlen(name) - 9, ".inv_freq") == 0)
		return -1;
	return -2;
}

int
transformer_role_of_name(const TransformerFamily *family, const char *name,
						 int *layer)
{
	size_t		length = family->prefix != NULL ? strlen(family->prefix) : 0;
	int			role = -2;

	if (length > 0 && strncmp(name, family->prefix, length) == 0)
		role = role_without_prefix(family, name + length, layer);
	if (role == -2)
		role = role_without_prefix(family, name, layer);
	return role;
}

void
transformer_name_of_role(const TransformerFamily *family, TensorRole role,
						 int layer, char *name, size_t size)
{
	for (const TensorName *const *list = family->names; *list != NULL; list++)
	{
		for (const TensorName *entry = *list; entry->pattern != NULL; entry++)
		{
			const char *number = strchr(entry->pattern, '#');

			if (entry->role != role)
				continue;
			if (number == NULL)
				snprintf(name, size, "%s", entry->pattern);
			else
				snprintf(name, size, "%.*s%d%s", (int) (number - entry->pattern), entry->pattern,
						 layer, number + 1);
			return;
		}
	}
	snprintf(name, size, "tensor %d of layer %d", (int) role, layer);
}
