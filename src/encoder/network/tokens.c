/*-------------------------------------------------------------------------
 *
 * tokens.c
 *	  The tokenizer of a model at a call site; SQL functions model_tokens and
 *	  count_tokens.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/network/network.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "server/set_result.h"
#include "text/encoding.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

EMBED_FUNCTION(model_tokens);
EMBED_FUNCTION(count_tokens);

/* A longer text leaves buffers behind that are worth giving back. */
#define LONG_TEXT (256 * 1024)

/* ---------- a call site's tokenizer ---------- */

static const char tokenizer_owner = 0;

void
network_check_interrupts(void *context)
{
	CHECK_FOR_INTERRUPTS();
}

static void *
resize(void *context, void *block, size_t size)
{
	if (size == 0)
	{
		if (block != NULL)
			pfree(block);
		return NULL;
	}
	if (block == NULL)
		return MemoryContextAllocHuge((MemoryContext) context, size);
	return repalloc_huge(block, size);
}

void
network_scratch_begin(TokenizerScratch *scratch, MemoryContext context)
{
	tokenizer_scratch_begin(scratch, resize, context,
							network_check_interrupts, NULL);
}

pg_noreturn static void
report_no_tokenizer(const ModelDescription *description)
{
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("embedding model \"%s\" has no tokenizer", description->table_name),
			 errdetail("It is a model of method \"%s\".", description->method->name),
			 errhint("text_tokens() shows what a text search configuration makes of a text.")));
}

NetworkTokenizer *
network_tokenizer(FmgrInfo *flinfo, Model *model)
{
	const ModelDescription *description = model->description;
	NetworkTokenizer *tokenizer;
	void	  **state;
	Size		bytes;
	const void *image;

	if (description->method->columns != network_columns)
		report_no_tokenizer(description);
	(void) database_character_source();	/* not without an encoding */
	state = call_site_state_of(flinfo, &tokenizer_owner, model);
	if (*state == NULL)
	{
		tokenizer = MemoryContextAllocZero(flinfo->fn_mcxt,
										   sizeof(NetworkTokenizer));
		network_scratch_begin(&tokenizer->scratch, flinfo->fn_mcxt);
		*state = tokenizer;
	}
	tokenizer = *state;
	tokenizer->limits = model_section(model, NETWORK_SECTION_LIMITS, &bytes);
	image = model_section(model, NETWORK_SECTION_TOKENIZER, &bytes);
	if (bytes == 0)
		report_no_tokenizer(description);
	if (tokenizer->model != NULL && tokenizer->version == model->version &&
		tokenizer->tokenizer.bytes == image)
	{
		tokenizer->model = model;
		return tokenizer;
	}
	tokenizer->model = NULL;
	if (!tokenizer_open(&tokenizer->tokenizer, image, bytes))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("packed form of embedding model \"%s\" is damaged",
						description->table_name),
				 errhint("embed_images(clear => true) removes it, to be built again.")));
	tokenizer->version = model->version;
	tokenizer->model = model;
	return tokenizer;
}

const char *
network_text(NetworkTokenizer *tokenizer, const char *text, int *length)
{
	char	   *converted;

	if (tokenizer->converted != NULL)
		pfree(tokenizer->converted);
	tokenizer->converted = NULL;
	converted = pg_server_to_any(text, *length, PG_UTF8);
	if (converted == text)
		return text;
	*length = (int) strlen(converted);
	tokenizer->converted = MemoryContextStrdup(
		(MemoryContext) tokenizer->scratch.resize_context, converted);
	pfree(converted);
	return tokenizer->converted;
}

static int
errcode_of_status(TokenizerStatus status)
{
	switch (status)
	{
		case TOKENIZER_INVALID_TEXT:
			return ERRCODE_CHARACTER_NOT_IN_REPERTOIRE;
		case TOKENIZER_TOO_LONG:
		case TOKENIZER_PATTERN_LIMIT:
			return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
		case TOKENIZER_OUT_OF_MEMORY:
			return ERRCODE_OUT_OF_MEMORY;
		default:
			return ERRCODE_DATA_EXCEPTION;
	}
}

void
network_encode(NetworkTokenizer *tokenizer, const char *text, int length,
			   const TokenizerEncoding *encoding, TokenizerTokens *tokens)
{
	TokenizerStatus status;

	if (tokenizer->scratch.buffers[BUFFER_TOKENS].size > LONG_TEXT)
		tokenizer_scratch_trim(&tokenizer->scratch);
	status = tokenizer_encode(&tokenizer->tokenizer, text, (size_t) length,
							  encoding, &tokenizer->scratch, tokens);
	if (status != TOKENIZER_OK)
		ereport(
			ERROR,
			(errcode(errcode_of_status(status)),
			 errmsg("could not split a text into tokens of model \"%s\": %s",
					tokenizer->model->description->table_name,
					tokenizer_message(status))));
}

char *
network_token_text(const NetworkTokenizer *tokenizer,
				   const TokenizerTokens *tokens, int number, int *length)
{
	size_t		bytes;
	const char *text = tokenizer_token_text(&tokenizer->tokenizer, tokens,
											number, &bytes);
	char	   *copy = pnstrdup(text, bytes);
	char	   *converted = pg_any_to_server(copy, (int) bytes, PG_UTF8);

	*length = (int) strlen(converted);
	return converted;
}

/* ---------- SQL ---------- */

/* model_tokens(model, input) -> (position, token, id, start, length) */
Datum
model_tokens(PG_FUNCTION_ARGS)
{
	Model	   *model = model_open(fcinfo->flinfo, PG_GETARG_OID(0), NULL);
	NetworkTokenizer *tokenizer = network_tokenizer(fcinfo->flinfo, model);
	text	   *input = PG_GETARG_TEXT_PP(1);
	int			bytes = VARSIZE_ANY_EXHDR(input);
	const char *utf8 = network_text(tokenizer, VARDATA_ANY(input), &bytes);
	TokenizerEncoding encoding = {0};
	TokenizerTokens tokens;
	struct ReturnSetInfo *set = set_result_begin(fcinfo);

	encoding.special_tokens = true;
	encoding.offsets = TOKENIZER_CHARACTERS;
	if (tokenizer->limits->max_tokens > 0)
	{
		encoding.limit = network_limit(tokenizer->limits);
		encoding.max_tokens = tokenizer->limits->max_tokens;
	}
	else
		encoding.limit = TOKENIZER_LIMIT_NONE;
	network_encode(tokenizer, utf8, bytes, &encoding, &tokens);
	for (uint32 i = 0; i < tokens.count; i++)
	{
		const TokenizerToken *token = &tokens.tokens[i];
		bool		added = token->length == 0; /* it is nowhere in the text */
		Datum		values[5];
		bool		nulls[5] = {false, false, false, added, added};
		int			length;
		char	   *name;

		CHECK_FOR_INTERRUPTS();
		name = network_token_text(tokenizer, &tokens, i, &length);
		values[0] = Int32GetDatum((int32) i + 1);
		values[1] = PointerGetDatum(cstring_to_text_with_len(name, length));
		values[2] = Int32GetDatum((int32) token->id);
		values[3] = Int32GetDatum((int32) token->start + 1);
		values[4] = Int32GetDatum((int32) token->length);
		set_result_add(set, values, nulls);
		pfree(DatumGetPointer(values[1]));
		pfree(name);
	}
	return (Datum) 0;
}

/*
 * count_tokens(model, input) -> integer: of the whole text, whatever is read
 */
Datum
count_tokens(PG_FUNCTION_ARGS)
{
	Model	   *model = model_open(fcinfo->flinfo, PG_GETARG_OID(0), NULL);
	NetworkTokenizer *tokenizer;
	TokenizerEncoding encoding = {0};
	TokenizerTokens tokens;
	text	   *input;
	const char *utf8;
	int			bytes;
	Datum		result;

	if (call_site_lookup(fcinfo, &result))
		return result;
	tokenizer = network_tokenizer(fcinfo->flinfo, model);
	input = PG_GETARG_TEXT_PP(1);
	bytes = VARSIZE_ANY_EXHDR(input);
	utf8 = network_text(tokenizer, VARDATA_ANY(input), &bytes);
	encoding.special_tokens = true;
	encoding.limit = TOKENIZER_LIMIT_NONE;
	network_encode(tokenizer, utf8, bytes, &encoding, &tokens);
	return call_site_store(fcinfo, Int32GetDatum((int32) tokens.count));
}
