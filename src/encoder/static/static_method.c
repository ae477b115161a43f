/*-------------------------------------------------------------------------
 *
 * static_method.c
 *	  The method "static".
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/static/static_precision.h"

#include <math.h>

#include "type/vector.h"

static const OptionDeclaration static_options[] = {
	OPTION_INTEGER_OF("dims", 1, VECTOR_MAX_DIMS, 0),
	OPTION_CHOICE_OF("precision", static_precisions, STATIC_FLOAT32),
	NETWORK_OPTIONS,
	OPTIONS_END
};

static const ModelMethod static_method = {
	.name = "static",
	.columns = network_columns,
	.column_count = NETWORK_COLUMNS,
	.options = static_options,
	.build_image = static_build_image,
	.refresh_header = network_sums_refresh,
	.image_format = 2,
	.image_sections = STATIC_SECTIONS,
	.encoder = &static_encoder,
	.tunable = &static_tunable
};

/* Rounded down, but not what is 1 to a double's last digits. */
static double
rounded_cosine(double cosine)
{
	return floor(cosine * 100000 + 1e-6) / 100000;
}

/*
 * The precision that is asked for, and a clause that says what it is and what
 * it does to the vectors.
 */
static StaticPrecision
take_precision(const char *asked, const double least[STATIC_PRECISIONS],
			   StringInfo notice)
{
	StaticPrecision precision = STATIC_FLOAT32;
	bool		chosen = strcmp(asked, "auto") == 0;

	if (chosen)
		precision = static_choose(least);
	else
		while (strcmp(static_precisions[precision], asked) != 0)
			precision++;
	appendStringInfo(notice, ", computed in %s",
					 static_precisions[precision]);
	if (precision != STATIC_FLOAT32)
		appendStringInfo(notice,
						 ", cosines of its rows to float32 at least %.5f",
						 rounded_cosine(least[precision]));
	if (chosen && precision != STATIC_INT8)
		appendStringInfo(notice, " (those of int8 would be %.5f, under %g)",
						 rounded_cosine(least[STATIC_INT8]),
						 STATIC_AUTO_COSINE);
	else if (chosen)
		appendStringInfo(notice, " (%g is enough)", STATIC_AUTO_COSINE);
	return precision;
}

static void
take_static(const NetworkFolder *network, const NetworkRequest *request,
			ModelDefinition *definition, StringInfo notice)
{
	const ModelFolder *folder = &network->folder;
	double		least[STATIC_PRECISIONS] = {0};
	StaticPrecision precision;
	Tokenizer	tokenizer;
	StaticModel model;

	static_read(network, request->max_tokens, &model);
	if (strcmp(request->precision, "float32") != 0)
		static_measure(network, &model.settings, least);
	model_definition_int(definition, "dims", model.settings.dims);
	if (request->max_tokens > 0)
		model_definition_int(definition, "max_tokens", request->max_tokens);
	if (tokenizer_open(&tokenizer, model.image.bytes, model.image.size))
		appendStringInfo(notice, "%s of ", tokenizer_model_name(&tokenizer));
	appendStringInfo(notice, "%d tokens, %d vectors of %d dimensions in %s%s%s",
					 model.settings.tokens, model.settings.rows,
					 model.settings.dims,
					 tensor_type_name(folder->embeddings->type),
					 model.weights != NULL ? ", weighted" : "",
					 model.settings.normalize ? ", normalized" : "");
	if (model.limits.max_tokens > 0)
		appendStringInfo(notice, ", at most %d tokens of a text",
						 model.limits.max_tokens);
	if (folder->prompt_count > 0)
		appendStringInfo(notice, ", %d prompts", folder->prompt_count);
	precision = take_precision(request->precision, least, notice);
	if (precision != STATIC_FLOAT32)
		model_definition_text(definition, "precision",
							  static_precisions[precision]);
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
