/*-------------------------------------------------------------------------
 *
 * split.c
 *	  SQL function split_text for the tokens of a model.
 *
 * Where a passage may end is the affair of text/split.h.  Tokens of byte
 * pairs and of sentence pieces hold the white space before them, which is
 * taken off, so that the gaps between words are seen as gaps.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/network/network.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "server/set_result.h"
#include "text/characters.h"
#include "text/split.h"
#include "utils/builtins.h"

EMBED_FUNCTION(split_text_by_model);

typedef struct ModelTokens
{
	SplitTokens tokens;
	NetworkTokenizer *tokenizer;
	const char *input;			/* in the server's encoding */
	SplitToken *places;
	uint32		count;
	uint32		next;
} ModelTokens;

static bool
is_space(const char *bytes, int length)
{
	switch (length)
	{
		case 1:
			return bytes[0] == ' ' || (bytes[0] >= '\t' && bytes[0] <= '\r');
		case 2:					/* no-break space, next line */
			return GetDatabaseEncoding() == PG_UTF8 &&
				(memcmp(bytes, "\302\240", 2) == 0 || memcmp(bytes, "\302\205", 2) == 0);
		case 3:					/* ideographic space */
			return GetDatabaseEncoding() == PG_UTF8 && memcmp(bytes, "\343\200\200", 3) == 0;
	}
	return false;
}

/* The white space at a token's start; at its end there is none before that. */
static void
trim(const ModelTokens *model, SplitToken *token)
{
	int			text_end = token->start;

	for (int at = token->start; at < token->end;)
	{
		int			length = pg_mblen(model->input + at);

		if (is_space(model->input + at, length))
		{
			if (at == token->start)
				text_end = token->start = at + length;
		}
		else
			text_end = at + length;
		at += length;
	}
	token->end = text_end;
}

static bool
next_of_model(SplitTokens *tokens, SplitToken *token)
{
	ModelTokens *model = (ModelTokens *) tokens;

	CHECK_FOR_INTERRUPTS();
	while (model->next < model->count)
	{
		*token = model->places[model->next++];
		trim(model, token);
		if (token->end > token->start)
			return true;
	}
	return false;
}

static TokenizerEncoding
whole_text(void)
{
	TokenizerEncoding encoding = {0};

	encoding.limit = TOKENIZER_LIMIT_NONE;
	return encoding;
}

static bool
fits_model(SplitTokens *tokens, int start, int end, int max_tokens)
{
	ModelTokens *model = (ModelTokens *) tokens;
	TokenizerEncoding encoding = whole_text();
	int			length = end - start;
	const char *utf8 = network_text(model->tokenizer, model->input + start,
									&length);
	TokenizerTokens found;

	network_encode(model->tokenizer, utf8, length, &encoding, &found);
	return found.count <= (uint32) max_tokens;
}

/* The bytes of the input that follow so many characters. */
static int
step(const char *input, int at, int length, uint32 characters)
{
	for (; characters > 0 && at < length; characters--)
		at += pg_mblen(input + at);
	return Min(at, length);
}

/* Places of all tokens, in bytes of the input. */
static void
find_places(ModelTokens *model, int length)
{
	TokenizerEncoding encoding = whole_text();
	int			bytes = length;
	const char *utf8 = network_text(model->tokenizer, model->input, &bytes);
	bool		converted = utf8 != model->input;
	TokenizerTokens found;
	uint32		character = 0;
	int			at = 0;

	encoding.offsets = converted ? TOKENIZER_CHARACTERS : TOKENIZER_BYTES;
	network_encode(model->tokenizer, utf8, bytes, &encoding, &found);
	model->places = palloc_extended(sizeof(SplitToken) * Max(found.count, 1),
									MCXT_ALLOC_HUGE);
	for (uint32 i = 0; i < found.count; i++)
	{
		const TokenizerToken *token = &found.tokens[i];
		SplitToken *place = &model->places[i];

		if ((i & 0xFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		if (!converted)
		{
			place->start = (int) token->start;
			place->end = (int) (token->start + token->length);
		}
		else
		{
			/* starts ascend but for pieces of one character */
			if (token->start >= character)
				at = step(model->input, at, length, token->start - character);
			else
				at = step(model->input, 0, length, token->start);
			character = token->start;
			place->start = at;
			place->end = step(model->input, at, length, token->length);
		}
		if (i > 0 && place->start < place[-1].start)
			place->start = place[-1].start;
		place->end = Max(place->end, place->start);
	}
	model->count = found.count;
}

/* How many tokens a passage may have beside those that are added to it */
static int
passage_tokens(const NetworkTokenizer *tokenizer, bool given, int max_tokens)
{
	const NetworkLimits *limits = tokenizer->limits;
	const char *name = tokenizer->model->description->table_name;
	int64		added = limits->special_tokens ?
		tokenizer_added_count(&tokenizer->tokenizer) : 0;
	int64		most = given ? max_tokens : limits->max_tokens;

	if (!given && limits->max_tokens == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model \"%s\" reads texts of any length", name),
				 errhint("Say how long a passage may be, such as max_tokens => 256.")));
	if (most < 1 || (given && most > SPLIT_MAX_TOKENS))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_tokens must be between 1 and %d", SPLIT_MAX_TOKENS),
				 errdetail("It is " INT64_FORMAT ".", most)));
	if (most <= added)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_tokens must be more than the tokens that model \"%s\" adds to a text",
						name),
				 errdetail("It is " INT64_FORMAT ", and " INT64_FORMAT " are added.", most, added)));
	return (int) Min(most - added, SPLIT_MAX_TOKENS);
}

/* split_text(input, model, max_tokens, overlap) */
Datum
split_text_by_model(PG_FUNCTION_ARGS)
{
	ModelTokens model = {{next_of_model, fits_model}};
	CharacterCounter counter;
	Splitter   *splitter;
	struct ReturnSetInfo *set;
	text	   *input;
	int			bytes;
	int			start;
	int			end;
	int			passages = 0;
	int			max_tokens;

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("model must not be null")));
	model.tokenizer = network_tokenizer(
		fcinfo->flinfo, model_open(fcinfo->flinfo, PG_GETARG_OID(1), NULL));
	max_tokens = passage_tokens(model.tokenizer, !PG_ARGISNULL(2),
								PG_ARGISNULL(2) ? 0 : PG_GETARG_INT32(2));
	set = set_result_begin(fcinfo);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(3))
		return (Datum) 0;
	input = PG_GETARG_TEXT_PP(0);
	bytes = VARSIZE_ANY_EXHDR(input);
	model.input = VARDATA_ANY(input);
	splitter = splitter_create(model.input, bytes, max_tokens,
							   PG_GETARG_INT32(3), &model.tokens);
	find_places(&model, bytes);
	character_counter_begin(&counter, model.input);
	while (splitter_next(splitter, &start, &end))
	{
		int			before = character_count(&counter, start);
		Datum		values[4];
		bool		nulls[4] = {false};

		values[0] = Int32GetDatum(++passages);
		values[1] = Int32GetDatum(before + 1);
		values[2] = Int32GetDatum(character_count_ahead(&counter, end) -
								  before);
		values[3] = PointerGetDatum(
			cstring_to_text_with_len(model.input + start, end - start));
		set_result_add(set, values, nulls);
		pfree(DatumGetPointer(values[3]));
	}
	return (Datum) 0;
}
