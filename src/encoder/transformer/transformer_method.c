/*-------------------------------------------------------------------------
 *
 * transformer_method.c
 *	  The method "transformer".
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/transformer/transformer_train.h"

#include "math/hash.h"
#include "type/vector.h"

#define IMAGE_FORMAT 1

/* as ProductPrecision has them */
static const char *const precisions[] = {
	"float32", "bfloat16", "int16", "int8", NULL
};

static const OptionDeclaration transformer_options[] = {
	OPTION_INTEGER_OF("dims", 1, VECTOR_MAX_DIMS, 0),
	OPTION_CHOICE_OF("precision", precisions, PRODUCT_FLOAT32),
	NETWORK_OPTIONS,
	OPTIONS_END
};

/* The format is told at load: it depends on the processor's kernels. */
static ModelMethod transformer_method = {
	.name = "transformer",
	.columns = network_columns,
	.column_count = NETWORK_COLUMNS,
	.options = transformer_options,
	.build_image = transformer_build_image,
	.refresh_header = network_sums_refresh,
	.image_sections = TRANSFORMER_SECTIONS,
	.encoder = &transformer_encoder,
	.classifier = &transformer_classifier,
	.tunable = &transformer_tunable
};

/*
 * What "auto" takes: the fastest that keeps cosines above .9999.  Where there
 * are kernels for them, 16-bit integers, nearly twice as fast as floats;
 * bfloat16 on a matrix unit is faster still (src/math/README).
 */
static ProductPrecision
choose_precision(const char *name, const char **why)
{
	*why = "";
	if (strcmp(name, "auto") != 0)
		return transformer_precision(name);
	if (strcmp(product_kernels, "scalar") == 0)
	{
		*why = " (this processor has no faster kernels)";
		return PRODUCT_FLOAT32;
	}
	*why = " (the fastest that keeps cosines above .9999)";
	if (strcmp(product_kernels, "amx") == 0)
		return PRODUCT_BFLOAT16;
	return PRODUCT_INT16;
}

ProductPrecision
transformer_precision(const char *name)
{
	for (int i = 0; precisions[i] != NULL; i++)
	{
		if (strcmp(precisions[i], name) == 0)
			return (ProductPrecision) i;
	}
	elog(ERROR, "unknown precision \"%s\"", name);
}

static const char *
pooling_name(int pooling)
{
	for (const char *const *name = transformer_encoder.poolings; *name;
		 name++)
	{
		if (pooling_of_name(*name) == pooling)
			return *name;
	}
	return "?";
}

static void
take_transformer(const NetworkFolder *network, const NetworkRequest *request,
				 ModelDefinition *definition, StringInfo notice)
{
	const char *why;
	ProductPrecision precision = choose_precision(request->precision, &why);
	TransformerModel *model = palloc(sizeof(TransformerModel));
	const TransformerConfig *config = &model->plan.config;

	transformer_read_folder(network, PRODUCT_FLOAT32, request->max_tokens,
							model);
	transformer_check_tensors(network, model);
	if (model->settings.pooling_count > 0)
		model_definition_int(definition, "dims", model->settings.dims);
	model_definition_text(definition, "precision", precisions[precision]);
	if (request->max_tokens > 0)
		model_definition_int(definition, "max_tokens", request->max_tokens);
	appendStringInfo(notice, "%s, %d layers of %d dimensions, %d tokens",
					 transformer_type(network), config->layers,
					 config->hidden, config->vocabulary);
	appendStringInfo(notice, ", at most %d of a text%s",
					 model->limits.max_tokens,
					 model->settings.pooling_count > 0 ? ", pooling " : "");
	for (int i = 0; i < model->settings.pooling_count; i++)
		appendStringInfo(notice, "%s%s", i > 0 ? " and " : "",
						 pooling_name(model->settings.poolings[i]));
	if (network->folder.prompt_count > 0)
		appendStringInfo(notice, ", %d prompts",
						 network->folder.prompt_count);
	if (model->settings.head_kind == HEAD_LABELS)
		appendStringInfo(notice, ", scores of %d label%s",
						 model->settings.outputs,
						 model->settings.outputs == 1 ? "" : "s");
	else if (model->settings.head_kind == HEAD_TERMS)
		appendStringInfoString(notice, ", weights of terms");
	appendStringInfo(notice, ", computed in %s%s", precisions[precision],
					 why);
}

static const NetworkMethod transformer_of_folder = {
	.method = &transformer_method,
	.kind = FOLDER_TRANSFORMER,
	.architectures = transformer_gguf_architectures,
	.take = take_transformer
};

/*
 * A number for the layouts of these kernels, so that a packed form that was
 * made for others is one of another format, and is built again.
 */
static uint32
format_of_kernels(void)
{
	uint64		hash = IMAGE_FORMAT;

	for (int i = 0; i < PRODUCT_PRECISIONS; i++)
	{
		const char *name = product_layout((ProductPrecision) i);

		hash = hash_combine64(hash, hash_bytes64(name, strlen(name)));
	}
	return (uint32) hash;
}

void
transformer_init(void)
{
	product_init();
	transformer_method.image_format = format_of_kernels();
	network_method_register(&transformer_of_folder);
	network_team_init();
}
