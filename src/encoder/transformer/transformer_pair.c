/*-------------------------------------------------------------------------
 *
 * transformer_pair.c
 *	  How two texts are read together: what a tokenizer puts around them.
 *
 * The post-processor of tokenizer.json says it: a template, or BERT's or
 * RoBERTa's, which are templates that go without saying.  vocab.txt is BERT's.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/transformer/transformer_model.h"

#include "utils/memutils.h"

#define PARSE_MEMORY ((size_t) 1 << 30)

static void
add_piece(const NetworkFolder *network, TransformerModel *model, int part,
		  int64 id, int64 type)
{
	PairPiece  *piece = &model->pair[model->pair_count];

	if (model->pair_count == PAIR_MOST_PIECES || id < 0 ||
		id >= model->plan.config.vocabulary || type < 0 || type > 255)
		network_folder_refuse(network, FORMAT_UNSUPPORTED,
							  "The tokenizer's template for two texts is not supported.");
	piece->part = part;
	piece->id = (int32) id;
	piece->type = (int32) type;
	model->pair_count++;
}

/* ---------- templates ---------- */

/* The ids of a special token, which may be several. */
static void
add_special(const NetworkFolder *network, TransformerModel *model,
			const JsonValue *specials, const JsonValue *name, int64 type)
{
	const JsonValue *ids = NULL;

	if (json_is(name, JSON_STRING))
		ids = json_get(json_get(specials, pnstrdup(name->text, name->length)),
					   "ids");
	for (const JsonValue *id = json_first(ids); id != NULL;
		 id = json_next(ids, id))
	{
		int64_t		number = -1;

		(void) json_int64(id, &number);
		add_piece(network, model, 0, number, type);
	}
}

static void
read_template(const NetworkFolder *network, const JsonValue *processor,
			  TransformerModel *model)
{
	const JsonValue *pieces = json_get(processor, "pair");
	const JsonValue *specials = json_get(processor, "special_tokens");

	for (const JsonValue *item = json_first(pieces); item != NULL;
		 item = json_next(pieces, item))
	{
		const JsonValue *special = json_get(item, "SpecialToken");
		const JsonValue *sequence = json_get(item, "Sequence");
		const JsonValue *about = special != NULL ? special : sequence;
		int64_t		type = 0;

		(void) json_int64(json_get(about, "type_id"), &type);
		if (special != NULL)
			add_special(network, model, specials, json_get(special, "id"),
						type);
		else
			add_piece(network, model,
					  json_equals(json_get(sequence, "id"), "B") ? 2 : 1, 0,
					  type);
	}
}

/* ["[SEP]", 102] */
static int64
id_of(const JsonValue *processor, const char *name)
{
	const JsonValue *list = json_get(processor, name);
	const JsonValue *first = json_first(list);
	int64_t		id = -1;

	if (first != NULL)
		(void) json_int64(json_next(list, first), &id);
	return id;
}

/* BERT: cls A sep B sep, the second text of type 1. */
static void
add_bert(const NetworkFolder *network, TransformerModel *model, int64 cls,
		 int64 sep)
{
	add_piece(network, model, 0, cls, 0);
	add_piece(network, model, 1, 0, 0);
	add_piece(network, model, 0, sep, 0);
	add_piece(network, model, 2, 0, 1);
	add_piece(network, model, 0, sep, 1);
}

/* RoBERTa: cls A sep sep B sep, all of one type. */
static void
add_roberta(const NetworkFolder *network, TransformerModel *model, int64 cls,
			int64 sep)
{
	add_piece(network, model, 0, cls, 0);
	add_piece(network, model, 1, 0, 0);
	add_piece(network, model, 0, sep, 0);
	add_piece(network, model, 0, sep, 0);
	add_piece(network, model, 2, 0, 0);
	add_piece(network, model, 0, sep, 0);
}

static void
read_processor(const NetworkFolder *network, const JsonValue *processor,
			   TransformerModel *model)
{
	const JsonValue *type = json_get(processor, "type");
	const JsonValue *list = json_get(processor, "processors");

	if (json_equals(type, "TemplateProcessing"))
		read_template(network, processor, model);
	else if (json_equals(type, "BertProcessing"))
		add_bert(network, model, id_of(processor, "cls"),
				 id_of(processor, "sep"));
	else if (json_equals(type, "RobertaProcessing"))
		add_roberta(network, model, id_of(processor, "cls"),
					id_of(processor, "sep"));
	else if (json_equals(type, "Sequence"))
	{
		for (const JsonValue *item = json_first(list); item != NULL;
			 item = json_next(list, item))
			read_processor(network, item, model);
	}
}

/* ---------- the files ---------- */

static const JsonValue *
parse(const NetworkFolder *network, Arena *arena, int file)
{
	JsonOptions options = {0};
	FormatFault fault = {0};
	const JsonValue *root;
	size_t		length;
	char	   *text = network_folder_text(network, file, &length);

	options.interrupt = network_check_interrupts;
	options.last_duplicate_wins = true;
	options.replace_lone_surrogates = true;
	root = json_parse(arena, text, length, &options, &fault);
	if (root == NULL)
		network_folder_fault(network, network->files[file].name, &fault);
	return root;
}

/*
 * A tokenizer that does not give types of tokens leaves them zero: then
 * tokenizer_config.json lists what it gives.
 */
static bool
gives_types(const NetworkFolder *network, Arena *arena, int beside)
{
	const char *name = network->files[beside].name;
	const char *slash = strrchr(name, '/');
	char	   *path = psprintf("%.*stokenizer_config.json",
								slash == NULL ? 0 : (int) (slash + 1 - name),
								name);

	for (int i = 0; i < network->count; i++)
	{
		const JsonValue *names;

		if (strcmp(network->files[i].name, path) != 0)
			continue;
		names = json_get(parse(network, arena, i), "model_input_names");
		if (names == NULL)
			return true;
		for (const JsonValue *item = json_first(names); item != NULL;
			 item = json_next(names, item))
		{
			if (json_equals(item, "token_type_ids"))
				return true;
		}
		return false;
	}
	return true;
}

static void
check_pair(const NetworkFolder *network, TransformerModel *model)
{
	int			times[3] = {0, 0, 0};

	for (int i = 0; i < model->pair_count; i++)
		times[model->pair[i].part]++;
	if (model->pair_count > 0 && (times[1] != 1 || times[2] != 1))
		network_folder_refuse(network, FORMAT_UNSUPPORTED,
							  "The tokenizer's template for two texts is not supported.");
}

void
transformer_read_pair(const NetworkFolder *network, TransformerModel *model)
{
	const ModelFolder *folder = &network->folder;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext,
												  "embed pair",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	int			file = folder->tokenizer >= 0 ? folder->tokenizer :
		folder->vocabulary;
	Tokenizer	tokenizer;
	Arena		arena;

	if (!tokenizer_open(&tokenizer, model->image.bytes, model->image.size))
		elog(ERROR, "compiled tokenizer cannot be opened");
	network_arena_begin(&arena, context, PARSE_MEMORY);
	if (folder->tokenizer >= 0)
		read_processor(network, json_get(parse(network, &arena, file),
										 "post_processor"), model);
	else
		add_bert(network, model, tokenizer_special(&tokenizer, TOKENIZER_CLS),
				 tokenizer_special(&tokenizer, TOKENIZER_SEP));
	if (model->pair_count > 0 && !gives_types(network, &arena, file))
	{
		for (int i = 0; i < model->pair_count; i++)
			model->pair[i].type = 0;
	}
	check_pair(network, model);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
}
