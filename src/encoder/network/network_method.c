/*-------------------------------------------------------------------------
 *
 * network_method.c
 *	  Which kinds of folders become models, and the simplest of them: a
 *	  tokenizer alone.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/network/network.h"

#define MOST_METHODS 8

const char *const network_precisions[] = {"float32", "bfloat16", "int16", "int8", "auto", NULL};

static const NetworkMethod *methods[MOST_METHODS];
static int	method_count;

void
network_method_register(const NetworkMethod *method)
{
	if (method_count == MOST_METHODS)
		elog(ERROR, "too many methods of networks");
	methods[method_count++] = method;
	model_method_register(method->method);
}

const NetworkMethod *
network_method_of(FolderKind kind)
{
	for (int i = 0; i < method_count; i++)
	{
		if (methods[i]->kind == kind)
			return methods[i];
	}
	return NULL;
}

void
network_build_tokenizer(ImageBuilder *builder, const TokenizerImage *image,
						const NetworkLimits *limits)
{
	image_begin_section(builder, NETWORK_SECTION_TOKENIZER);
	image_append(builder, image->bytes, image->size);
	image_begin_section(builder, NETWORK_SECTION_LIMITS);
	image_append(builder, limits, sizeof(NetworkLimits));
}

/* ---------- a tokenizer alone ---------- */

static const OptionDeclaration tokenizer_options[] = {
	NETWORK_OPTIONS,
	OPTIONS_END
};

/* Whoever gives a length wants it; otherwise what the file itself says. */
static int
tokenizer_limit(const NetworkFolder *network, const Tokenizer *tokenizer, int64 given)
{
	if (given > 0)
		return (int) given;
	if (network->folder.max_tokens > 0)
		return (int) network->folder.max_tokens;
	return (int) Min(tokenizer_max_length(tokenizer), NETWORK_MOST_TOKENS);
}

static void
open_compiled(const NetworkFolder *network, TokenizerImage *image, Tokenizer *tokenizer)
{
	network_folder_compile(network, image);
	if (!tokenizer_open(tokenizer, image->bytes, image->size))
		elog(ERROR, "compiled tokenizer cannot be opened");
}

static void
take_tokenizer(const NetworkFolder *network, const NetworkRequest *request,
			   ModelDefinition *definition, StringInfo notice)
{
	TokenizerImage image;
	Tokenizer	tokenizer;
	int			limit;

	open_compiled(network, &image, &tokenizer);
	if (request->max_tokens > 0)
		model_definition_int(definition, "max_tokens", request->max_tokens);
	limit = tokenizer_limit(network, &tokenizer, request->max_tokens);
	appendStringInfo(notice, "%u tokens", tokenizer_size(&tokenizer));
	if (limit > 0)
		appendStringInfo(notice, ", at most %d in a text", limit);
	pfree(image.bytes);
}

static void
build_tokenizer(ImageBuilder *builder, ModelReader *reader)
{
	const ModelDescription *description = model_reader_description(reader);
	NetworkFolder *network = network_folder_of_table(reader);
	NetworkLimits limits;
	TokenizerImage image;
	Tokenizer	tokenizer;

	open_compiled(network, &image, &tokenizer);
	limits.max_tokens = tokenizer_limit(network, &tokenizer,
										model_option_int(description, "max_tokens"));
	limits.special_tokens = 1;
	network_build_tokenizer(builder, &image, &limits);
}

static const ModelMethod tokenizer_method = {
	.name = "tokenizer",
	.columns = network_columns,
	.column_count = NETWORK_COLUMNS,
	.options = tokenizer_options,
	.build_image = build_tokenizer,
	.image_format = 1,
	.image_sections = NETWORK_SECTIONS
};

static const NetworkMethod tokenizer_of_folder = {
	.method = &tokenizer_method,
	.kind = FOLDER_TOKENIZER,
	.take = take_tokenizer
};

void
network_init(void)
{
	network_method_register(&tokenizer_of_folder);
}
