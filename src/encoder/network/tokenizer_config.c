/*-------------------------------------------------------------------------
 *
 * tokenizer_config.c
 *	  What tokenizer_config.json changes of the tokenizer.json beside it.
 *
 * The package transformers has its classes of tokenizers set some options of
 * what tokenizer.json made, and whoever published a model has computed with
 * them: the side on which a long text is cut, how BERT's classes normalize,
 * whether RoBERTa's put a blank before a text.  A static model is read
 * without those classes, and so is it here.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/network/network.h"

#include "format/json_write.h"
#include "format/utf8.h"
#include "utils/memutils.h"

#define PARSE_MEMORY ((size_t) 1 << 30)

bool
network_folder_cuts_left(const NetworkFolder *network,
						 const Tokenizer *tokenizer)
{
	const char *side = network->folder.truncation_side;

	return side != NULL ? strcmp(side, "left") == 0 :
		tokenizer_cuts_left(tokenizer);
}

/* ---------- options of classes ---------- */

/* An option, as tokenizer_config.json and tokenizer.json name it. */
typedef struct ClassOption
{
	const char *said;			/* NULL: there are no more */
	const char *name;
	JsonKind	usual;			/* where the class is named, but not this */
} ClassOption;

/* Which part of tokenizer.json the classes set, if it is of this type. */
typedef struct ClassRule
{
	const char *classes[9];		/* ended by NULL, as are the others */
	const char *models[5];		/* whose class goes without saying */
	const char *part;
	const char *type;
	ClassOption options[4];
} ClassRule;

static const ClassRule rules[] = {
	{{"BertTokenizer", "BertTokenizerFast", "DistilBertTokenizer", "DistilBertTokenizerFast",
	  "ElectraTokenizer", "ElectraTokenizerFast", "MPNetTokenizer", "MPNetTokenizerFast", NULL},
	 {"bert", "distilbert", "electra", "mpnet", NULL},
	 "normalizer", "BertNormalizer",
	 {{"do_lower_case", "lowercase", JSON_TRUE},
	  {"strip_accents", "strip_accents", JSON_NULL},
	  {"tokenize_chinese_chars", "handle_chinese_chars", JSON_TRUE}}},
	{{"RobertaTokenizer", "RobertaTokenizerFast", "GPT2Tokenizer", "GPT2TokenizerFast", NULL},
	 {"roberta", NULL},
	 "pre_tokenizer", "ByteLevel",
	 {{"add_prefix_space", "add_prefix_space", JSON_FALSE}}}
};

static bool
is_one_of(const JsonValue *value, const char *const *names)
{
	for (; *names != NULL; names++)
	{
		if (json_equals(value, *names))
			return true;
	}
	return false;
}

/*
 * The rule of the class that reads it, or NULL.  What the file leaves open is
 * as the class has it, if that is named, and as tokenizer.json has it
 * otherwise.
 */
static const ClassRule *
rule_of(const NetworkFolder *network, bool *named)
{
	const ModelFolder *folder = &network->folder;
	const JsonValue *class = json_get(folder->tokenizer_config,
									  "tokenizer_class");

	*named = class != NULL && !json_is(class, JSON_NULL);
	if (folder->kind == FOLDER_STATIC || folder->tokenizer_config == NULL)
		return NULL;
	for (int i = 0; i < lengthof(rules); i++)
	{
		if (*named ? is_one_of(class, rules[i].classes) :
			is_one_of(json_get(folder->config, "model_type"), rules[i].models))
			return &rules[i];
	}
	return NULL;
}

/* ---------- tokenizer.json, written anew ---------- */

typedef struct Rewriting
{
	const ClassRule *rule;
	const JsonValue *config;	/* tokenizer_config.json */
	bool		named;			/* it names its class */
	const JsonValue *part;		/* of tokenizer.json */
} Rewriting;

/* What an option is, and what it is to be. */
static JsonKind
kind_now(const Rewriting *rewriting, const ClassOption *option)
{
	const JsonValue *value = json_get(rewriting->part, option->name);

	return value == NULL ? JSON_NULL : (JsonKind) value->kind;
}

static JsonKind
kind_wanted(const Rewriting *rewriting, const ClassOption *option)
{
	const JsonValue *said = json_get(rewriting->config, option->said);

	if (json_is(said, JSON_TRUE) || json_is(said, JSON_FALSE) ||
		(json_is(said, JSON_NULL) && option->usual == JSON_NULL))
		return (JsonKind) said->kind;
	return rewriting->named ? option->usual : kind_now(rewriting, option);
}

static bool
is_as_wanted(const Rewriting *rewriting)
{
	for (const ClassOption *option = rewriting->rule->options;
		 option->said != NULL; option++)
	{
		if (kind_wanted(rewriting, option) != kind_now(rewriting, option))
			return false;
	}
	return true;
}

static bool
is_option(const Rewriting *rewriting, const JsonValue *key)
{
	for (const ClassOption *option = rewriting->rule->options;
		 option->said != NULL; option++)
	{
		if (json_equals(key, option->name))
			return true;
	}
	return false;
}

static void
write_part(JsonWriter *writer, const Rewriting *rewriting)
{
	json_write_begin(writer, '{');
	for (const JsonValue *key = json_first(rewriting->part); key != NULL;
		 key = json_next(rewriting->part, key))
	{
		if (is_option(rewriting, key))
			continue;
		json_write_key(writer, key->text, key->length);
		json_write_value(writer, json_member(key));
	}
	for (const ClassOption *option = rewriting->rule->options;
		 option->said != NULL; option++)
	{
		JsonKind	kind = kind_wanted(rewriting, option);
		const char *word = kind == JSON_TRUE ? "true" :
			kind == JSON_FALSE ? "false" : "null";

		json_write_key(writer, option->name, strlen(option->name));
		json_write_raw(writer, word, strlen(word));
	}
	json_write_end(writer, '}');
}

/* The file again with its part as it is wanted; NULL: as it is. */
static char *
rewrite(const NetworkFolder *network, Rewriting *rewriting, Arena *arena,
		const char *text, size_t *length)
{
	JsonOptions options = {.last_duplicate_wins = true};
	FormatFault fault = {0};
	const JsonValue *root;
	JsonWriter	writer;
	char	   *written;

	options.interrupt = network_check_interrupts;
	root = json_parse(arena, text, *length, &options, &fault);
	if (root == NULL)
		network_folder_fault(network,
							 network->files[network->folder.tokenizer].name,
							 &fault);
	rewriting->part = json_get(root, rewriting->rule->part);
	if (!json_equals(json_get(rewriting->part, "type"),
					 rewriting->rule->type) || is_as_wanted(rewriting))
		return NULL;
	json_writer_begin(&writer, arena);
	json_write_begin(&writer, '{');
	for (const JsonValue *key = json_first(root); key != NULL;
		 key = json_next(root, key))
	{
		json_write_key(&writer, key->text, key->length);
		if (json_member(key) == rewriting->part)
			write_part(&writer, rewriting);
		else
			json_write_value(&writer, json_member(key));
	}
	json_write_end(&writer, '}');
	written = json_writer_text(&writer, length);
	if (written == NULL)
		network_folder_refuse(network, FORMAT_OUT_OF_MEMORY,
							  "No memory for its tokenizer.");
	return written;
}

char *
network_tokenizer_text(const NetworkFolder *network, size_t *length)
{
	char	   *text = network_folder_text(network, network->folder.tokenizer,
										   length);
	MemoryContext context;
	Arena		arena;
	Rewriting	rewriting = {NULL};
	char	   *written;

	rewriting.rule = rule_of(network, &rewriting.named);
	rewriting.config = network->folder.tokenizer_config;
	if (rewriting.rule == NULL)
		return text;
	context = AllocSetContextCreate(CurrentMemoryContext,
									"embed tokenizer_config",
									ALLOCSET_DEFAULT_SIZES);
	network_arena_begin(&arena, context, PARSE_MEMORY);
	written = rewrite(network, &rewriting, &arena, text, length);
	if (written != NULL)
	{
		pfree(text);
		text = palloc_extended(*length + 1, MCXT_ALLOC_HUGE);
		memcpy(text, written, *length + 1);
	}
	MemoryContextDelete(context);
	return text;
}

/* ---------- added tokens ---------- */

/* transformers adds what is listed; here tokenizer.json must have it. */
void
network_check_added(const NetworkFolder *network, const Tokenizer *tokenizer)
{
	const ModelFolder *folder = &network->folder;
	const JsonValue *list = json_get(folder->tokenizer_config,
									 "added_tokens_decoder");

	if (folder->kind == FOLDER_STATIC || folder->tokenizer < 0)
		return;
	for (const JsonValue *key = json_first(list); key != NULL;
		 key = json_next(list, key))
	{
		const JsonValue *content = json_get(json_member(key), "content");
		char		excerpt[UTF8_EXCERPT];

		if (!json_is(content, JSON_STRING) || content->length == 0 ||
			tokenizer_id(tokenizer, content->text, content->length) >= 0)
			continue;
		network_folder_refuse(network, FORMAT_UNSUPPORTED,
							  psprintf("tokenizer_config.json adds the token \"%s\", which tokenizer.json does not have; save the tokenizer anew.",
									   utf8_excerpt(content->text,
													content->length,
													excerpt)));
	}
}
