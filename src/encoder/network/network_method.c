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

/* ---------- which method a folder is for ---------- */

static const NetworkMethod *
method_of_kind(FolderKind kind)
{
	for (int i = 0; i < method_count; i++)
	{
		if (methods[i]->kind == kind)
			return methods[i];
	}
	return NULL;
}

static bool
takes_architecture(const NetworkMethod *method, const char *architecture)
{
	for (int i = 0; method->architectures != NULL &&
		 method->architectures[i] != NULL; i++)
	{
		if (strcmp(method->architectures[i], architecture) == 0)
			return true;
	}
	return false;
}

pg_noreturn static void
refuse_architecture(const NetworkFolder *network, const char *architecture)
{
	StringInfoData known;

	initStringInfo(&known);
	for (int i = 0; i < method_count; i++)
	{
		for (int k = 0; methods[i]->architectures != NULL &&
			 methods[i]->architectures[k] != NULL; k++)
			appendStringInfo(&known, "%s%s", known.len > 0 ? ", " : "",
							 methods[i]->architectures[k]);
	}
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("could not import model \"%s\": the architecture \"%s\" is not supported",
					network->model, architecture),
			 errhint("Architectures of GGUF files that are supported: %s.  A GGUF file of a vocabulary alone becomes a tokenizer.",
					 known.len > 0 ? known.data : "none")));
}

/* A GGUF file without tensors is a vocabulary. */
static const NetworkMethod *
method_of_gguf(const NetworkFolder *network)
{
	const char *architecture = network_gguf_architecture(network);

	if (network->folder.weights.count == 0)
		return method_of_kind(FOLDER_TOKENIZER);
	for (int i = 0; i < method_count; i++)
	{
		if (takes_architecture(methods[i], architecture))
			return methods[i];
	}
	refuse_architecture(network, architecture);
}

const NetworkMethod *
network_method_require(const NetworkFolder *network)
{
	const NetworkMethod *method;
	StringInfoData known;

	if (network->folder.kind == FOLDER_GGUF)
		return method_of_gguf(network);
	method = method_of_kind(network->folder.kind);
	if (method != NULL)
		return method;
	initStringInfo(&known);
	for (int i = 0; i < method_count; i++)
		appendStringInfo(&known, "%s, ", folder_kind_name(methods[i]->kind));
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("could not import model \"%s\": models of kind %s are not supported",
					network->model, folder_kind_name(network->folder.kind)),
			 errhint("Kinds that can be imported: %sword vectors.",
					 known.data)));
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
tokenizer_limit(const NetworkFolder *network, const Tokenizer *tokenizer,
				int64 given)
{
	if (given > 0)
		return (int) given;
	if (network->folder.kind == FOLDER_GGUF)
		return (int) network_gguf_max_tokens(network);
	if (network->folder.max_tokens > 0)
		return (int) network->folder.max_tokens;
	return (int) Min(tokenizer_max_length(tokenizer), NETWORK_MOST_TOKENS);
}

static void
open_compiled(const NetworkFolder *network, TokenizerImage *image,
			  Tokenizer *tokenizer)
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

	if (strcmp(request->precision, "float32") != 0 &&
		strcmp(request->precision, "auto") != 0)
		network_folder_refuse(network, FORMAT_UNSUPPORTED,
							  "A tokenizer has no weights, to which a precision could apply.");
	open_compiled(network, &image, &tokenizer);
	if (request->max_tokens > 0)
		model_definition_int(definition, "max_tokens", request->max_tokens);
	limit = tokenizer_limit(network, &tokenizer, request->max_tokens);
	appendStringInfo(notice, "%s of %u tokens",
					 tokenizer_model_name(&tokenizer),
					 tokenizer_size(&tokenizer));
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
	limits.cuts_left = network_folder_cuts_left(network, &tokenizer);
	network_build_tokenizer(builder, &image, &limits);
}

static const ModelMethod tokenizer_method = {
	.name = "tokenizer",
	.columns = network_columns,
	.column_count = NETWORK_COLUMNS,
	.options = tokenizer_options,
	.build_image = build_tokenizer,
	.refresh_header = network_sums_refresh,
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
