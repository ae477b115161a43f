/*-------------------------------------------------------------------------
 *
 * dictionaries.c
 *	  Tokens of configurations that use the server's parsers or dictionaries.
 *
 * Raw words come from the scanner (our parsers) or from the parser's own
 * entry points.  A word met before, at a moment when no dictionary waits for
 * the rest of a phrase, is answered from the memo.  Any other goes through
 * the lexizer; if it came out alone, the memo learns it.
 *
 * Texts of tokens lie in the memo, which is only trimmed between batches, or
 * in "texts", which lives as long as a batch.
 *
 *-------------------------------------------------------------------------
 */
#include "embed.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "math/hash.h"
#include "text/memo.h"
#include "text/parser.h"
#include "text/stream.h"

#define RAW_BATCH	64

struct Dictionaries
{
	TokenStream *stream;
	Lexizer    *lexizer;
	Memo	   *memo;
	MemoryContext texts;

	/* words of the scanner */
	Token		raw[RAW_BATCH];
	int			raw_count;
	int			raw_next;

	/* the server's parser, while it runs */
	MemoryContext parsing;
	TSParserCacheEntry *parser;
	void	   *parser_state;
	int			parser_offset;	/* for parsers that return copies */

	bool		finished;		/* the end was given to the lexizer */
	int32		position;		/* as to_tsvector counts: 0 before the first */

	/* tokens ready to be handed out */
	Token	   *ready;
	int			ready_count;
	int			ready_next;
	int			ready_capacity;

	/* lexemes of one result */
	MemoLexeme *lexemes;
	int			lexeme_capacity;
};

Dictionaries *
dictionaries_create(TokenStream *stream, TSConfigCacheEntry *config)
{
	Dictionaries *d = palloc0(sizeof(Dictionaries));

	d->stream = stream;
	d->lexizer = lexizer_create(config);
	d->memo = memo_acquire(stream->config, stream->generation);
	d->texts = AllocSetContextCreate(CurrentMemoryContext, "embed lexemes",
									 ALLOCSET_SMALL_SIZES);
	d->parsing = AllocSetContextCreate(CurrentMemoryContext, "embed parser",
									   ALLOCSET_DEFAULT_SIZES);
	d->ready_capacity = 64;
	d->ready = palloc(sizeof(Token) * d->ready_capacity);
	d->lexeme_capacity = 16;
	d->lexemes = palloc(sizeof(MemoLexeme) * d->lexeme_capacity);
	return d;
}

/* Start the server's parser on the whole text. */
static void
start_parser(Dictionaries *d)
{
	MemoryContext caller;

	MemoryContextReset(d->parsing);
	d->parser = lookup_ts_parser_cache(d->stream->parser);
	d->parser_offset = 0;
	caller = MemoryContextSwitchTo(d->parsing);
	d->parser_state = DatumGetPointer(FunctionCall2(&d->parser->prsstart,
													PointerGetDatum(d->stream->input),
													Int32GetDatum(d->stream->length)));
	MemoryContextSwitchTo(caller);
}

static void
end_parser(Dictionaries *d)
{
	if (d->parser_state != NULL)
		FunctionCall1(&d->parser->prsend, PointerGetDatum(d->parser_state));
	d->parser_state = NULL;
}

void
dictionaries_begin(Dictionaries *d)
{
	end_parser(d);				/* of a text that was not read to its end */
	lexizer_begin(d->lexizer);
	d->raw_count = d->raw_next = 0;
	d->ready_count = d->ready_next = 0;
	d->finished = false;
	d->position = 0;
	if (d->stream->way == WAY_PARSER)
		start_parser(d);
}

/*
 * next_from_parser
 *	  The next token of the server's parser; type 0 at the end.
 *
 * Parsers point into their input as a rule, and then compound words and their
 * parts overlap.  One that returns copies is taken to cover its input.
 */
static void
next_from_parser(Dictionaries *d, RawToken *token)
{
	MemoryContext caller = MemoryContextSwitchTo(d->parsing);
	const char *input = d->stream->input;
	char	   *text = NULL;
	int			length = 0;

	token->type = DatumGetInt32(FunctionCall3(&d->parser->prstoken,
											  PointerGetDatum(d->parser_state),
											  PointerGetDatum(&text),
											  PointerGetDatum(&length)));
	MemoryContextSwitchTo(caller);
	if (token->type <= 0)
	{
		token->type = 0;
		token->text = input + d->stream->length;
		token->length = 0;
		token->start = d->stream->length;
		return;
	}
	token->text = text;
	token->length = length;
	if (text >= input && text <= input + d->stream->length)
		token->start = (int) (text - input);
	else
		token->start = Min(d->parser_offset, d->stream->length);
	d->parser_offset = token->start + length;
}

static void
next_from_scanner(Dictionaries *d, RawToken *token)
{
	if (d->raw_next == d->raw_count)
	{
		d->raw_count = token_stream_scan(d->stream, d->raw, RAW_BATCH);
		d->raw_next = 0;
	}
	if (d->raw_count == 0)
	{
		token->type = 0;
		token->text = d->stream->input + d->stream->length;
		token->length = 0;
		token->start = d->stream->length;
		return;
	}
	token->type = PARSER_WORD;
	token->start = d->raw[d->raw_next].start;
	token->length = d->raw[d->raw_next].source_length;
	token->text = d->stream->input + token->start;
	d->raw_next++;
}

static Token *
new_ready(Dictionaries *d)
{
	if (d->ready_count == d->ready_capacity)
	{
		d->ready_capacity *= 2;
		d->ready = repalloc_huge(d->ready, sizeof(Token) * d->ready_capacity);
	}
	return &d->ready[d->ready_count++];
}

/* Hand out the lexemes of a word at "start". */
static void
emit(Dictionaries *d, const MemoLexeme *lexemes, int count, int advance,
	 int start)
{
	for (int i = 0; i < count; i++)
	{
		Token	   *token = new_ready(d);

		d->position += lexemes[i].advance;
		token->text = lexemes[i].text;
		token->length = lexemes[i].length;
		token->hash = lexemes[i].hash;
		token->position = d->position - 1;
		token->start = start + lexemes[i].start;
		token->source_length = lexemes[i].source_length;
	}
	d->position += advance;
}

/*
 * collect
 *	  Note the lexemes of one result; returns their number.
 *
 * The first takes a new position, the others share it unless the dictionary
 * says otherwise.  "advance" is left at 1 when there was none: a stop word.
 */
static int
collect(Dictionaries *d, const Normalized *result, int *advance)
{
	int			count = 0;

	*advance = 1;
	for (TSLexeme *lexeme = result->lexemes; lexeme->lexeme; lexeme++)
	{
		MemoLexeme *to;

		if (count == d->lexeme_capacity)
		{
			d->lexeme_capacity *= 2;
			d->lexemes = repalloc(d->lexemes,
								  sizeof(MemoLexeme) * d->lexeme_capacity);
		}
		to = &d->lexemes[count++];
		to->text = lexeme->lexeme;
		to->length = (int) strlen(lexeme->lexeme);
		to->advance = *advance + ((lexeme->flags & TSL_ADDPOS) ? 1 : 0);
		to->start = 0;
		to->source_length = result->end - result->start;
		*advance = 0;
	}
	return count;
}

/* Hand out one result that the memo does not keep. */
static void
emit_copy(Dictionaries *d, const Normalized *result)
{
	int			advance;
	int			count = collect(d, result, &advance);

	for (int i = 0; i < count; i++)
	{
		MemoLexeme *lexeme = &d->lexemes[i];
		char	   *text = MemoryContextAlloc(d->texts, lexeme->length + 1);

		memcpy(text, lexeme->text, (size_t) lexeme->length);
		lexeme->text = text;
		lexeme->hash = hash_bytes64(text, (size_t) lexeme->length);
	}
	emit(d, d->lexemes, count, advance, result->start);
}

/*
 * take_word
 *	  Put one raw word through the dictionaries, or remember it.
 */
static void
take_word(Dictionaries *d, const RawToken *token)
{
	bool		alone = lexizer_idle(d->lexizer) && token->type != 0;
	uint64		hash = 0;
	Normalized	result;
	bool		found;

	if (alone)
	{
		MemoEntry  *entry;

		hash = hash_combine64(hash_bytes64(token->text, (size_t) token->length),
							  (uint64) token->type);
		entry = memo_find(d->memo, hash, token->type, token->text, token->length);
		if (entry != NULL)
		{
			emit(d, entry->lexemes, entry->count, entry->advance, token->start);
			return;
		}
	}

	lexizer_add(d->lexizer, token);
	found = lexizer_next(d->lexizer, &result);
	if (alone && lexizer_idle(d->lexizer) && lexizer_took_word(d->lexizer))
	{
		MemoEntry  *entry;
		int			advance = 0;
		int			count = found ? collect(d, &result, &advance) : 0;

		entry = memo_add(d->memo, hash, token->type, token->text, token->length,
						 d->lexemes, count, advance);
		emit(d, entry->lexemes, entry->count, entry->advance, token->start);
		return;
	}
	for (; found; found = lexizer_next(d->lexizer, &result))
		emit_copy(d, &result);
}

/* Read words until a batch is ready or the text ends. */
static void
fill_ready(Dictionaries *d)
{
	d->ready_count = d->ready_next = 0;
	MemoryContextReset(d->texts);
	while (d->ready_count < RAW_BATCH && !d->finished)
	{
		RawToken	token;

		CHECK_FOR_INTERRUPTS();
		if (d->ready_count == 0)
			memo_trim(d->memo); /* no token points into it */
		if (d->stream->way == WAY_PARSER)
			next_from_parser(d, &token);
		else
			next_from_scanner(d, &token);
		if (token.type == 0)
		{
			d->finished = true;
			end_parser(d);
		}
		else if (token.length >= WORD_TOO_LONG)
		{
			if (lexizer_takes(d->lexizer, token.type))
				token_stream_too_long(d->stream);
			continue;
		}
		/* a phrase only passes over what no dictionary takes */
		if (token.type != 0 && !lexizer_takes(d->lexizer, token.type))
			continue;
		take_word(d, &token);
	}
}

int
dictionaries_next(Dictionaries *d, Token *batch, int capacity)
{
	int			count;

	if (d->ready_next == d->ready_count)
		fill_ready(d);
	count = Min(capacity, d->ready_count - d->ready_next);
	memcpy(batch, d->ready + d->ready_next, sizeof(Token) * count);
	d->ready_next += count;
	return count;
}
