/*-------------------------------------------------------------------------
 *
 * tokenizer_encode.c
 *	  A text through all stages: added tokens, normalizers, splitters, the
 *	  model, truncation, the template, offsets.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/tokenizer_run.h"

const char *
tokenizer_message(TokenizerStatus status)
{
	switch (status)
	{
		case TOKENIZER_OK:
			return "no error";
		case TOKENIZER_INVALID_TEXT:
			return "text is not valid UTF-8";
		case TOKENIZER_TOO_LONG:
			return "text is too long for the tokenizer";
		case TOKENIZER_OUT_OF_MEMORY:
			return "out of memory";
		case TOKENIZER_NO_UNKNOWN:
			return "text has a piece that the tokenizer does not know, and it has no token for unknown pieces";
		case TOKENIZER_PATTERN_LIMIT:
			return "a pattern of the tokenizer takes too long on this text";
		case TOKENIZER_DAMAGED:
			return "compiled tokenizer is damaged";
	}
	return "unknown error";
}

/* ---------- scratch ---------- */

void
tokenizer_scratch_begin(TokenizerScratch *scratch, TokenizerResize resize,
						void *resize_context, FormatInterrupt interrupt,
						void *interrupt_context)
{
	memset(scratch, 0, sizeof(*scratch));
	scratch->resize = resize;
	scratch->resize_context = resize_context;
	scratch->interrupt = interrupt;
	scratch->interrupt_context = interrupt_context;
}

static void
release(TokenizerScratch *scratch, int number)
{
	TokenizerBuffer *buffer = &scratch->buffers[number];

	if (buffer->data != NULL)
		scratch->resize(scratch->resize_context, buffer->data, 0);
	buffer->data = NULL;
	buffer->size = 0;
}

void
tokenizer_scratch_end(TokenizerScratch *scratch)
{
	for (int i = 0; i < BUFFER_COUNT; i++)
		release(scratch, i);
}

void
tokenizer_scratch_trim(TokenizerScratch *scratch)
{
	for (int i = 0; i < BUFFER_COUNT; i++)
	{
		if (i != BUFFER_CACHE)
			release(scratch, i);
	}
}

/* ---------- stages ---------- */

static bool
run_begin(Run *run, const Tokenizer *tokenizer, TokenizerScratch *scratch,
		  const unsigned char *text, size_t length)
{
	Piece		piece = {0, (uint32_t) length, 0, NO_ID};

	memset(run, 0, sizeof(*run));
	run->tokenizer = tokenizer;
	run->scratch = scratch;
	run->wanted = UINT32_MAX;
	run->tokens = scratch->buffers[BUFFER_TOKENS].data;
	run->token_capacity = (uint32_t) (scratch->buffers[BUFFER_TOKENS].size /
									  sizeof(TokenizerToken));
	if (length > TOKENIZER_MAX_TEXT)
		return run_fail(run, TOKENIZER_TOO_LONG);
	if (utf8_valid_length(text, length) != length)
		return run_fail(run, TOKENIZER_INVALID_TEXT);
	/* the original is only read, whatever the type says */
	run->text.bytes = (unsigned char *) (uintptr_t) text;
	run->text.length = run->text.capacity = (uint32_t) length;
	run->text.original = true;
	if (!run_buffer(run, BUFFER_PIECES, sizeof(Piece)))
		return false;
	run->pieces = scratch->buffers[BUFFER_PIECES].data;
	run->pieces[0] = piece;
	run->piece_count = length > 0;
	return true;
}

static bool
run_steps(Run *run, ImageSectionName section,
		  bool (*step) (Run *run, const ImageStep *step))
{
	const ImageStep *steps = image_section(run->tokenizer, section);
	uint32_t	count = image_count(run->tokenizer, section,
									sizeof(ImageStep));

	for (uint32_t i = 0; i < count; i++)
	{
		if (!step(run, &steps[i]))
			return false;
	}
	return true;
}

TokenizerStatus
normalize_text(const Tokenizer *tokenizer, TokenizerScratch *scratch,
			   const unsigned char *text, size_t length,
			   const unsigned char **result, size_t *result_length)
{
	Run			run;

	if (!run_begin(&run, tokenizer, scratch, text, length) ||
		!run_steps(&run, SECTION_NORMALIZERS, normalize_step))
		return run.status;
	*result = run.text.bytes + (run.piece_count > 0 ? run.pieces[0].begin : 0);
	*result_length = run.piece_count > 0
						 ? run.pieces[0].end - run.pieces[0].begin
						 : 0;
	return TOKENIZER_OK;
}

static bool
run_model(Run *run)
{
	for (uint32_t i = 0;
		 i < run->piece_count && run->token_count < run->wanted; i++)
	{
		if (!model_piece(run, &run->pieces[i]))
			return false;
	}
	return true;
}

/* ---------- offsets ---------- */

/* From bytes to characters, by a cursor that goes both ways. */
typedef struct Counter
{
	const unsigned char *text;
	uint32_t	byte;
	uint32_t	character;
} Counter;

static uint32_t
count_to(Counter *counter, uint32_t byte)
{
	for (; counter->byte < byte; counter->byte++)
		counter->character += (counter->text[counter->byte] & 0xC0) != 0x80;
	for (; counter->byte > byte; counter->byte--)
		counter->character -= (counter->text[counter->byte - 1] & 0xC0) !=
							  0x80;
	return counter->character;
}

/*
 * From places in the normalized text to places in the original.  Tokens with
 * a text of their own note where it lies: added tokens, and unknown ones of
 * Unigram.
 */
static void
place_tokens(Run *run, const unsigned char *original, TokenizerOffsets offsets)
{
	const ImageHeader *header = run->tokenizer->header;
	bool		unigram = header->model == MODEL_UNIGRAM;
	Counter		counter = {original, 0, 0};

	for (uint32_t i = 0; i < run->token_count; i++)
	{
		TokenizerToken *token = &run->tokens[i];
		uint32_t	begin = token->start;
		uint32_t	end = begin + token->length;

		if (token->text_length != 0 ||
			(unigram && token->id == header->unknown))
		{
			token->text = begin;
			token->text_length = token->length;
		}
		if (offsets == TOKENIZER_NO_OFFSETS)
		{
			token->start = token->length = 0;
			continue;
		}
		if (end > run->text.length)
			end = run->text.length;
		if (begin < end)
		{
			begin = text_span(&run->text, begin).start;
			end = text_span(&run->text, end - 1).end;
		}
		if (offsets == TOKENIZER_CHARACTERS)
		{
			begin = count_to(&counter, begin);
			end = count_to(&counter, end);
		}
		token->start = begin;
		token->length = end > begin ? end - begin : 0;
	}
}

/* ---------- truncation and processors ---------- */

/* How many tokens the text's own may be; *left: which end is cut. */
static uint32_t
own_limit(const Tokenizer *tokenizer, const TokenizerEncoding *encoding,
		  bool *left)
{
	const ImageHeader *header = tokenizer->header;
	uint32_t	most = encoding->max_tokens;
	uint32_t	added = encoding->special_tokens ? header->added_count : 0;

	*left = encoding->limit == TOKENIZER_LIMIT_LEFT;
	if (encoding->limit == TOKENIZER_LIMIT_NONE)
		return UINT32_MAX;
	if (encoding->limit == TOKENIZER_LIMIT_OWN)
	{
		if (header->truncation == 0 && !(header->flags & IMAGE_TRUNCATES_ALL))
			return UINT32_MAX;
		most = header->truncation;
		*left = (header->flags & IMAGE_LEFT) != 0;
	}
	return most > added ? most - added : 0;
}

static bool
is_blank(uint32_t code)
{
	return code == 0x0120 || character_is(code, CHARACTER_SPACE);
}

/* Takes the blanks at both ends of a token's text off its offsets. */
static void
trim_token(const Run *run, uint32_t number, bool prefix)
{
	TokenizerToken *token = &run->tokens[number];
	TokenizerTokens tokens = {.tokens = run->tokens, .text = run->text.bytes};
	size_t		length;
	const unsigned char *text = (const unsigned char *)
		tokenizer_token_text(run->tokenizer, &tokens, number, &length);
	uint32_t	leading = 0;
	uint32_t	trailing = 0;
	uint32_t	end = token->start + token->length;
	size_t		at;

	for (at = 0; at < length && is_blank(utf8_code(text + at));
		 at += utf8_step(text + at))
		leading++;
	for (at = length; at > 0; trailing++)
	{
		size_t		last = at - 1;

		while (last > 0 && (text[last] & 0xC0) == 0x80)
			last--;
		if (!is_blank(utf8_code(text + last)))
			break;
		at = last;
	}
	if (leading > 0)
	{
		/* a blank that was put there has no place in the original */
		if ((number == 0 || token->start == 0) && prefix && leading == 1)
			leading = 0;
		token->start = leading < end - token->start ? token->start + leading
													: end;
	}
	if (trailing > 0 && end >= trailing)
		end = end - trailing > token->start ? end - trailing : token->start;
	token->length = end - token->start;
}

/* Puts the template's tokens around those of the text. */
static bool
apply_template(Run *run, const ImageStep *step)
{
	const ImageTemplateItem *items = (const ImageTemplateItem *) image_section(
										 run->tokenizer, SECTION_TEMPLATE) +
									 step->first;
	uint32_t	count = run->token_count;
	uint32_t	before = 0;
	uint32_t	at = 0;

	while (before < step->number && items[before].id != NO_ID)
		before++;
	if (!run_buffer(run, BUFFER_TOKENS,
					((size_t) count + step->number) * sizeof(TokenizerToken)))
		return false;
	run->tokens = run->scratch->buffers[BUFFER_TOKENS].data;
	if (count > 0 && before > 0)
		memmove(run->tokens + before, run->tokens,
				count * sizeof(TokenizerToken));
	for (uint32_t i = 0; i < step->number; i++)
	{
		TokenizerToken token = {.id = items[i].id};

		if (items[i].id == NO_ID)
			at += count;
		else
			run->tokens[at++] = token;
	}
	run->token_count = at;
	return true;
}

static bool
run_processors(Run *run, const TokenizerEncoding *encoding)
{
	const ImageStep *steps = image_section(run->tokenizer, SECTION_PROCESSORS);
	uint32_t	count = image_count(run->tokenizer, SECTION_PROCESSORS,
									sizeof(ImageStep));

	for (uint32_t i = 0; i < count; i++)
	{
		if (steps[i].kind == PROCESS_TEMPLATE)
		{
			if (encoding->special_tokens && !apply_template(run, &steps[i]))
				return false;
		}
		else if (encoding->offsets != TOKENIZER_NO_OFFSETS)
		{
			for (uint32_t k = 0; k < run->token_count; k++)
				trim_token(run, k, (steps[i].flags & TRIM_PREFIX) != 0);
		}
	}
	return true;
}

/* ---------- all of it ---------- */

TokenizerStatus
tokenizer_encode(const Tokenizer *tokenizer, const char *text, size_t length,
				 const TokenizerEncoding *encoding, TokenizerScratch *scratch,
				 TokenizerTokens *tokens)
{
	const unsigned char *original = (const unsigned char *) text;
	Run			run;
	bool		left;
	uint32_t	limit = own_limit(tokenizer, encoding, &left);

	memset(tokens, 0, sizeof(*tokens));
	if (!run_begin(&run, tokenizer, scratch, original, length))
		return run.status;
	run.want_spans = encoding->offsets != TOKENIZER_NO_OFFSETS ||
		(tokenizer->header->flags & IMAGE_NEEDS_SPANS) != 0;
	/* one more than the limit tells that something was cut */
	if (!left && limit < UINT32_MAX)
		run.wanted = limit + 1;
	if (!added_split_original(&run) ||
		!run_steps(&run, SECTION_NORMALIZERS, normalize_step) ||
		!added_split_normalized(&run) ||
		!run_steps(&run, SECTION_SPLITTERS, split_step) ||
		!run_model(&run))
		return run.status;
	if (run.token_count > limit)
	{
		tokens->truncated = true;
		if (left)
			memmove(run.tokens, run.tokens + (run.token_count - limit),
					(size_t) limit * sizeof(TokenizerToken));
		run.token_count = limit;
	}
	place_tokens(&run, original, encoding->offsets);
	if (!run_processors(&run, encoding))
		return run.status;
	tokens->tokens = run.tokens;
	tokens->count = run.token_count;
	tokens->text = run.text.bytes;
	return TOKENIZER_OK;
}

TokenizerStatus
tokenizer_count(const Tokenizer *tokenizer, const char *text, size_t length,
				const TokenizerEncoding *encoding, TokenizerScratch *scratch,
				uint32_t *count)
{
	TokenizerEncoding plain = *encoding;
	TokenizerTokens tokens;
	TokenizerStatus status;

	plain.offsets = TOKENIZER_NO_OFFSETS;
	status = tokenizer_encode(tokenizer, text, length, &plain, scratch,
							  &tokens);
	*count = tokens.count;
	return status;
}

const char *
tokenizer_token_text(const Tokenizer *tokenizer, const TokenizerTokens *tokens,
					 uint32_t number, size_t *length)
{
	const TokenizerToken *token = &tokens->tokens[number];

	if (token->text_length > 0)
	{
		*length = token->text_length;
		return (const char *) tokens->text + token->text;
	}
	return tokenizer_token(tokenizer, token->id, length);
}
