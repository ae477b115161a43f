/*-------------------------------------------------------------------------
 *
 * static_method.c
 *	  The method "static".
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/static/static.h"

#include "type/vector.h"

static const OptionDeclaration static_options[] = {
	OPTION_INTEGER_OF("dims", 1, VECTOR_MAX_DIMS, 0),
	NETWORK_OPTIONS,
	OPTIONS_END
};

static const ModelMethod static_method = {
	.name = "static",
	.columns = network_columns,
	.column_count = NETWORK_COLUMNS,
	.options = static_options,
	.build_image = static_build_image,
	.image_format = 1,
	.image_sections = STATIC_SECTIONS,
	.encoder = &static_encoder
};

static void
ignore_floats(void *argument, const float *values, size_t count)
{
}

static void
take_static(const NetworkFolder *network, const NetworkRequest *request,
			ModelDefinition *definition, StringInfo notice)
{
	const ModelFolder *folder = &network->folder;
	StaticModel model;

	if (strcmp(request->precision, "float32") != 0 && strcmp(request->precision, "auto") != 0)
		network_folder_refuse(network, FORMAT_UNSUPPORTED,
							  "A static model is computed in float32: precision may be float32 or auto.");
	static_read(network, request->max_tokens, &model);
	network_folder_floats(network, folder->embeddings, ignore_floats, NULL);
	model_definition_int(definition, "dims", model.settings.dims);
	if (request->max_tokens > 0)
		model_definition_int(definition, "max_tokens", request->max_tokens);
	appendStringInfo(notice, "%d tokens, %d vectors of %d dimensions in %s%s%s", model.settings.tokens,
					 model.settings.rows, model.settings.dims,
					 tensor_type_name(folder->embeddings->type),
					 model.weights != NULL ? ", weighted" : "",
					 model.settings.normalize ? ", normalized" : "");
	if (model.limits.max_tokens > 0)
		appendStringInfo(notice, ", at most %d tokens of a text", model.limits.max_tokens);
	if (folder->prompt_count > 0)
		appendStringInfo(notice, ", %d prompts", folder->prompt_count);
	appendStringInfoString(notice, ", computed in float32");
}

static const NetworkMethod static_of_folder = {
	.method = &static_method,
	.kind = FOLDER_STATIC,
	.take = take_static
};

void
static_init(void)
{
	network_method_register(&static_of_folder);
}
