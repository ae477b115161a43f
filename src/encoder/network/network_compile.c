/*-------------------------------------------------------------------------
 *
 * network_compile.c
 *	  The tokenizer of a folder, in its compiled form.
 *
 * tokenizer.json says everything, but for what tokenizer_config.c adds, and
 * so do the settings of a GGUF file.
 * vocab.txt alone is BERT's WordPiece, whose options are in
 * tokenizer_config.json, if that is there.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/network/network.h"

#include "tokenizer/gguf_keys.h"
#include "tokenizer/prune.h"
#include "utils/memutils.h"

/* The pieces of the largest published tokenizers take a tenth of it. */
#define COMPILE_MEMORY ((size_t) 1 << 30)

static int
find_file(const NetworkFolder *network, const char *beside, const char *name)
{
	const char *slash = strrchr(beside, '/');
	char	   *path = psprintf("%.*s%s", slash == NULL ? 0 : (int) (slash + 1 - beside), beside,
								name);

	for (int i = 0; i < network->count; i++)
	{
		if (strcmp(network->files[i].name, path) == 0)
			return i;
	}
	return -1;
}

/* A string, or the "content" of an object; NULL if it is neither. */
static const char *
token_of(const JsonValue *value)
{
	if (json_is(value, JSON_OBJECT))
		value = json_get(value, "content");
	return json_is(value, JSON_STRING) ? pnstrdup(value->text, value->length)
									   : NULL;
}

/* Tokenizers that are BERT's; others have a vocab.txt too, read otherwise. */
static void
check_class(const NetworkFolder *network, int file, const JsonValue *name)
{
	static const char *const known[] = {
		"BertTokenizer", "BertTokenizerFast", "DistilBertTokenizer", "DistilBertTokenizerFast",
		"ElectraTokenizer", "ElectraTokenizerFast", "PreTrainedTokenizerFast", NULL
	};
	FormatFault fault = {0};

	if (name == NULL || json_is(name, JSON_NULL))
		return;
	for (int i = 0; known[i] != NULL; i++)
	{
		if (json_equals(name, known[i]))
			return;
	}
	format_fault(&fault, FORMAT_UNSUPPORTED, 0, 0,
				 "The tokenizer_class %.*s is not read from vocab.txt, only BERT's; save tokenizer.json.",
				 json_is(name, JSON_STRING) ? (int) Min(name->length, 80) : 1,
				 json_is(name, JSON_STRING) ? name->text : "?");
	network_folder_fault(network, network->files[file].name, &fault);
}

static void
read_bert_options(const NetworkFolder *network, Arena *arena,
				  TokenizerBertOptions *bert)
{
	int			file = find_file(
				network, network->files[network->folder.vocabulary].name,
				"tokenizer_config.json");
	JsonOptions options = {0};
	FormatFault fault = {0};
	const JsonValue *root;
	size_t		length;
	char	   *text;
	bool		value;

	bert->strip_accents = -1;
	if (file < 0)
		return;
	text = network_folder_text(network, file, &length);
	options.interrupt = network_check_interrupts;
	root = json_parse(arena, text, length, &options, &fault);
	if (root == NULL)
		network_folder_fault(network, network->files[file].name, &fault);
	check_class(network, file, json_get(root, "tokenizer_class"));
	if (json_bool(json_get(root, "do_lower_case"), &value))
		bert->keep_case = !value;
	if (json_bool(json_get(root, "strip_accents"), &value))
		bert->strip_accents = value;
	if (json_bool(json_get(root, "tokenize_chinese_chars"), &value))
		bert->keep_chinese = !value;
	bert->unk_token = token_of(json_get(root, "unk_token"));
	bert->cls_token = token_of(json_get(root, "cls_token"));
	bert->sep_token = token_of(json_get(root, "sep_token"));
	bert->pad_token = token_of(json_get(root, "pad_token"));
	bert->mask_token = token_of(json_get(root, "mask_token"));
}

/* What a compiling needs beside the folder. */
typedef struct Compiling
{
	const NetworkFolder *network;
	Arena		arena;
	TokenizerCompileOptions options;
	TokenizerImage *image;
	FormatFault fault;
} Compiling;

static void
compile_json(Compiling *compiling, int file)
{
	const NetworkFolder *network = compiling->network;
	size_t		length;
	char	   *text = network_tokenizer_text(network, &length);

	if (tokenizer_compile(&compiling->arena, text, length, &compiling->options,
						  compiling->image, &compiling->fault) != FORMAT_OK)
		network_folder_fault(network, network->files[file].name,
							 &compiling->fault);
}

static void
compile_vocabulary(Compiling *compiling, int file)
{
	const NetworkFolder *network = compiling->network;
	TokenizerBertOptions bert = {0};
	size_t		length;
	char	   *text = network_folder_text(network, file, &length);

	read_bert_options(network, &compiling->arena, &bert);
	if (tokenizer_compile_vocabulary(&compiling->arena, text, length, &bert,
									 &compiling->options, compiling->image,
									 &compiling->fault) != FORMAT_OK)
		network_folder_fault(network, network->files[file].name,
							 &compiling->fault);
}

static void
compile_gguf(Compiling *compiling)
{
	TokenizerGguf keys;

	if (tokenizer_gguf_keys(&compiling->arena,
							&compiling->network->folder.gguf, &keys,
							&compiling->fault) != FORMAT_OK ||
		tokenizer_compile_gguf(&compiling->arena, &keys, &compiling->options,
							   compiling->image,
							   &compiling->fault) != FORMAT_OK)
		network_folder_fault(compiling->network, NULL, &compiling->fault);
}

void
network_folder_compile(const NetworkFolder *network, TokenizerImage *image)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "embed tokenizer",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	Compiling	compiling = {network};
	char	   *bytes;
	Tokenizer	tokenizer;

	network_arena_begin(&compiling.arena, context, COMPILE_MEMORY);
	compiling.options.interrupt = network_check_interrupts;
	compiling.image = image;
	if (network->folder.kind == FOLDER_GGUF)
		compile_gguf(&compiling);
	else if (network->folder.tokenizer >= 0)
		compile_json(&compiling, network->folder.tokenizer);
	else if (network->folder.vocabulary >= 0)
		compile_vocabulary(&compiling, network->folder.vocabulary);
	else
		network_folder_refuse(network, FORMAT_UNSUPPORTED,
							  "It has no tokenizer.");
	MemoryContextSwitchTo(caller);
	bytes = palloc_extended(Max(image->size, 1), MCXT_ALLOC_HUGE);
	memcpy(bytes, image->bytes, image->size);
	image->bytes = (unsigned char *) bytes;
	MemoryContextDelete(context);
	if (!tokenizer_open(&tokenizer, image->bytes, image->size))
		elog(ERROR, "compiled tokenizer cannot be opened");
	network_check_added(network, &tokenizer);
}

static char *
json_of_vocabulary(const NetworkFolder *network, const Tokenizer *tokenizer,
				   size_t *length)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "embed tokenizer",
												  ALLOCSET_DEFAULT_SIZES);
	TokenizerCompileOptions options = {network_check_interrupts, NULL};
	TokenizerBertOptions bert = {0};
	FormatFault fault = {0};
	Arena		arena;
	char	   *json;
	char	   *copy;

	network_arena_begin(&arena, context, COMPILE_MEMORY);
	read_bert_options(network, &arena, &bert);
	if (tokenizer_vocabulary_json(&arena, tokenizer, &bert, &options, &json,
								  length, &fault) != FORMAT_OK)
		network_folder_fault(network, NULL, &fault);
	copy = palloc_extended(*length + 1, MCXT_ALLOC_HUGE);
	memcpy(copy, json, *length + 1);
	MemoryContextDelete(context);
	return copy;
}

char *
network_folder_tokenizer_json(const NetworkFolder *network,
							  const Tokenizer *tokenizer, size_t *length)
{
	const ModelFolder *folder = &network->folder;

	if (folder->kind == FOLDER_GGUF)
		return NULL;
	if (folder->tokenizer >= 0)
		return network_tokenizer_text(network, length);
	return json_of_vocabulary(network, tokenizer, length);
}
