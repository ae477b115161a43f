/*-------------------------------------------------------------------------
 *
 * network_compile.c
 *	  The tokenizer of a folder, in its compiled form.
 *
 * tokenizer.json says everything.  vocab.txt alone is BERT's WordPiece, whose
 * options are in tokenizer_config.json, if that is there.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/network/network.h"

#include "miscadmin.h"
#include "utils/memutils.h"

/* The pieces of the largest published tokenizers take a tenth of it. */
#define COMPILE_MEMORY ((size_t) 1 << 30)

static void
look_for_interrupts(void *context)
{
	CHECK_FOR_INTERRUPTS();
}

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
	return json_is(value, JSON_STRING) ? pnstrdup(value->text, value->length) : NULL;
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
read_bert_options(const NetworkFolder *network, Arena *arena, TokenizerBertOptions *bert)
{
	int			file = find_file(network, network->files[network->folder.vocabulary].name,
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
	options.interrupt = look_for_interrupts;
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

void
network_folder_compile(const NetworkFolder *network, TokenizerImage *image)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "embed tokenizer",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	TokenizerCompileOptions options = {look_for_interrupts, NULL};
	TokenizerBertOptions bert = {0};
	int			file = network->folder.tokenizer;
	FormatFault fault = {0};
	FormatStatus status;
	Arena		arena;
	size_t		length;
	char	   *text;
	Tokenizer	tokenizer;

	if (file < 0 && network->folder.vocabulary < 0)
		network_folder_refuse(network, FORMAT_UNSUPPORTED, "It has no tokenizer.");
	network_arena_begin(&arena, context, COMPILE_MEMORY);
	if (file >= 0)
	{
		text = network_folder_text(network, file, &length);
		status = tokenizer_compile(&arena, text, length, &options, image, &fault);
	}
	else
	{
		file = network->folder.vocabulary;
		text = network_folder_text(network, file, &length);
		read_bert_options(network, &arena, &bert);
		status = tokenizer_compile_vocabulary(&arena, text, length, &bert, &options, image,
											  &fault);
	}
	if (status != FORMAT_OK)
		network_folder_fault(network, network->files[file].name, &fault);
	MemoryContextSwitchTo(caller);
	text = palloc_extended(Max(image->size, 1), MCXT_ALLOC_HUGE);
	memcpy(text, image->bytes, image->size);
	image->bytes = (unsigned char *) text;
	MemoryContextDelete(context);
	if (!tokenizer_open(&tokenizer, image->bytes, image->size))
		elog(ERROR, "compiled tokenizer cannot be opened");
}
