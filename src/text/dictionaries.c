/*-------------------------------------------------------------------------
 *
 * dictionaries.c
 *	  Tokens of configurations that use the server's parsers or dictionaries.
 *
 * Raw words come from the scanner (our parsers) or from the parser's own
 * entry points, which work on the whole text or, for the default parser, on
 * one chunk between white space after the other (chunk.c).
 *
 * A word met before, at a moment when no dictionary waits for the rest of a
 * phrase, is answered from the memo.  Any other goes through the lexizer; if
 * it came out alone, the memo learns it.  The same is done for whole chunks,
 * which spares the parser as well.
 *
 * Texts of tokens lie in the memo, which is only trimmed between batches, or
 * in "texts", which lives as long as a batch.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "miscadmin.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#include "math/hash.h"
#include "text/chunk.h"
#include "text/memo.h"
#include "text/parser.h"
#include "text/stream.h"

#define RAW_BATCH	64

/* Longer chunks are not worth remembering. */
#define CHUNK_BYTES 128

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
	bool		chunks;			/* it is the default one: see chunk.c */
	void	   *parser_state;	/* NULL: no window is open */
	int			parser_offset;	/* for parsers that return copies */

	/* the part of the text it works on */
	int			window_start;
	int			window_end;
	int			window_ready;	/* tokens that were ready when it began */
	int32		window_position;
	bool		context_free;	/* its tokens depend on nothing but itself */

	bool		finished;		/* the end was given to the lexizer */
	int32		position;		/* as to_tsvector counts: 0 before the first */

	/* tokens ready to be handed out */
	Token	   *ready;
	int			ready_count;
	int			ready_next;
	int			ready_capacity;

	/* tokens of one word, as the memo wants them */
	Token	   *lexemes;
	int			lexeme_capacity;
};

Dictionaries *
dictionaries_create(TokenStream *stream, TSConfigCacheEntry *config,
					uint64 generation)
{
	Dictionaries *d = palloc0(sizeof(Dictionaries));

	d->stream = stream;
	d->lexizer = lexizer_create(config);
	d->memo = memo_acquire(stream->config, generation);
	d->texts = AllocSetContextCreate(CurrentMemoryContext, "embed lexemes",
									 ALLOCSET_SMALL_SIZES);
	d->parsing = AllocSetContextCreate(CurrentMemoryContext, "embed parser",
									   ALLOCSET_DEFAULT_SIZES);
	if (stream->way == WAY_PARSER)
		d->chunks = !lexizer_takes(d->lexizer, PARSER_BLANK) &&
					lookup_ts_parser_cache(stream->parser)->prsstart.fn_addr ==
						prsd_start;
	d->ready_capacity = 64;
	d->ready = palloc(sizeof(Token) * d->ready_capacity);
	d->lexeme_capacity = 16;
	d->lexemes = palloc(sizeof(Token) * d->lexeme_capacity);
	return d;
}

/*
 * Start the server's parser on a part of the text, with one byte of white
 * space on either side where there is any.
 */
static void
open_window(Dictionaries *d, size_t start, size_t end)
{
	MemoryContext caller;
	int			from = (int) (start > 0 ? start - 1 : start);
	int			to = (int) (end < (size_t) d->stream->length ? end + 1 : end);

	MemoryContextReset(d->parsing);
	d->window_start = (int) start;
	d->window_end = (int) end;
	d->window_ready = d->ready_count;
	d->window_position = d->position;
	d->context_free = lexizer_idle(d->lexizer) && end - start <= CHUNK_BYTES;
	d->parser_offset = from;
	caller = MemoryContextSwitchTo(d->parsing);
	d->parser_state = DatumGetPointer(FunctionCall2(
		&d->parser->prsstart, PointerGetDatum(d->stream->input + from),
		Int32GetDatum(to - from)));
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
	d->window_end = 0;
	if (d->stream->way == WAY_PARSER)
		d->parser = lookup_ts_parser_cache(d->stream->parser);
}

/*
 * The next token of the window; no type at its end.
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
		return;
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
	token->type = 0;
	if (d->raw_count == 0)
		return;
	token->type = d->raw[d->raw_next].pair ? PARSER_PAIR : PARSER_WORD;
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
		d->ready = repalloc_huge(d->ready,
								 sizeof(Token) * d->ready_capacity * 2);
		d->ready_capacity *= 2;
	}
	return &d->ready[d->ready_count++];
}

/* Hand out what is remembered of a word or chunk at "start". */
static void
emit(Dictionaries *d, const MemoEntry *entry, int start)
{
	for (int i = 0; i < entry->count; i++)
	{
		const MemoLexeme *lexeme = &entry->lexemes[i];
		Token	   *token = new_ready(d);

		d->position += lexeme->advance;
		token->text = (const char *) entry + lexeme->offset;
		token->length = lexeme->length;
		token->hash = lexeme->hash;
		token->position = d->position - 1;
		token->start = start + lexeme->start;
		token->source_length = lexeme->source_length;
	}
	d->position += entry->advance;
}

static void
reserve_lexemes(Dictionaries *d, int count)
{
	if (count <= d->lexeme_capacity)
		return;
	d->lexemes = repalloc_huge(d->lexemes, sizeof(Token) * count * 2);
	d->lexeme_capacity = count * 2;
}

/*
 * The tokens of one result, counted from the position and the byte before
 * it; returns their number.
 *
 * The first takes a new position, the others share it unless the dictionary
 * says otherwise.  A stop word has none, but takes a position.
 */
static int
collect(Dictionaries *d, const Normalized *result, int *advance)
{
	int			count = 0;

	*advance = 1;
	for (TSLexeme *lexeme = result->lexemes; lexeme->lexeme; lexeme++)
	{
		Token	   *token;

		if (lexeme->flags & TSL_ADDPOS)
			(*advance)++;
		reserve_lexemes(d, count + 1);
		token = &d->lexemes[count++];
		token->text = lexeme->lexeme;
		token->length = (int) strlen(lexeme->lexeme);
		token->hash = hash_bytes64(token->text, (size_t) token->length);
		token->position = *advance - 1;
		token->start = 0;
		token->source_length = result->end - result->start;
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
		Token	   *token = new_ready(d);
		char	   *text;

		*token = d->lexemes[i];
		text = MemoryContextAlloc(d->texts, token->length + 1);
		memcpy(text, token->text, (size_t) token->length);
		token->text = text;
		token->position += d->position;
		token->start = result->start;
	}
	d->position += advance;
}

/* Put one raw word through the dictionaries, or remember it. */
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

		hash = hash_combine64(hash_bytes64(token->text,
										   (size_t) token->length),
							  (uint64) token->type);
		entry = memo_find(d->memo, hash, token->type, token->text,
						  token->length);
		if (entry != NULL)
		{
			emit(d, entry, token->start);
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

		entry = memo_add(d->memo, hash, token->type, token->text,
						 token->length, d->lexemes, count, advance);
		if (entry != NULL)
			emit(d, entry, token->start);
		else if (found)
			emit_copy(d, &result);
		return;
	}
	d->context_free = false;
	for (; found; found = lexizer_next(d->lexizer, &result))
		emit_copy(d, &result);
}

/* Take a token of the parser, if it is of interest. */
static void
take_raw(Dictionaries *d, const RawToken *token)
{
	/* a phrase only passes over what no dictionary takes */
	if (!lexizer_takes(d->lexizer, token->type))
		return;
	if (token->length >= WORD_TOO_LONG)
		token_stream_too_long(d->stream);
	else
		take_word(d, token);
}

/* The type of a memo's entry for a chunk; words have positive ones. */
static inline int
chunk_type(Dictionaries *d, size_t start, size_t end)
{
	return -1 - (start == 0) - 2 * (end == (size_t) d->stream->length);
}

/* Take the words of a chunk that needs no parser. */
static bool
take_simple_chunk(Dictionaries *d, size_t start)
{
	ChunkWord	words[CHUNK_WORDS];
	size_t		end;
	int			count = chunk_words(d->stream->input,
									(size_t) d->stream->length, start, words,
									&end);

	if (count < 0)
		return false;
	d->window_end = (int) end;
	for (int i = 0; i < count; i++)
	{
		RawToken	token;

		token.type = CHUNK_WORD_TYPE;
		token.text = d->stream->input + words[i].start;
		token.length = (int) words[i].length;
		token.start = (int) words[i].start;
		take_raw(d, &token);
	}
	return true;
}

/*
 * Open the next window; false at the end of the text.
 *
 * For the default parser a window is a chunk between white space, and one met
 * before needs no window: its tokens are handed out at once.
 */
static bool
next_window(Dictionaries *d)
{
	const char *input = d->stream->input;
	size_t		length = (size_t) d->stream->length;
	size_t		start = (size_t) d->window_end;
	size_t		end = length;

	if (!d->chunks)
	{
		if (start == length)
			return false;
		open_window(d, start, end);
		return true;
	}
	start = chunk_start(input, length, start);
	if (start == length)
		return false;
	if (take_simple_chunk(d, start))
		return true;
	end = chunk_end(input, length, start);
	if (end - start <= CHUNK_BYTES && lexizer_idle(d->lexizer))
	{
		uint64		hash = hash_bytes64(input + start, end - start);
		MemoEntry  *entry = memo_find(d->memo, hash, chunk_type(d, start, end),
									  input + start, (int) (end - start));

		if (entry != NULL)
		{
			emit(d, entry, (int) start);
			d->window_end = (int) end;
			return true;
		}
	}
	if (memchr(input + start, '<', end - start) == NULL)
		open_window(d, start, end);
	else
	{
		open_window(d, start, chunk_extend(input, length, start, end));
		d->context_free = false;	/* depends on what comes after */
	}
	return true;
}

/* The window has been read: remember what came out of it. */
static void
close_window(Dictionaries *d)
{
	const char *chunk = d->stream->input + d->window_start;
	int			length = d->window_end - d->window_start;
	int			count = d->ready_count - d->window_ready;

	end_parser(d);
	if (!d->chunks || !d->context_free)
		return;
	reserve_lexemes(d, count);
	for (int i = 0; i < count; i++)
	{
		d->lexemes[i] = d->ready[d->window_ready + i];
		d->lexemes[i].start -= d->window_start;
		d->lexemes[i].position -= d->window_position;
	}
	memo_add(d->memo, hash_bytes64(chunk, (size_t) length),
			 chunk_type(d, (size_t) d->window_start, (size_t) d->window_end),
			 chunk, length, d->lexemes, count,
			 d->position - d->window_position);
}

/* Tell the dictionaries that nothing follows. */
static void
finish_text(Dictionaries *d)
{
	RawToken	end = {0};

	end.text = d->stream->input + d->stream->length;
	end.start = d->stream->length;
	take_word(d, &end);
	d->finished = true;
}

/* Read words until a batch is ready or the text ends. */
static void
fill_ready(Dictionaries *d)
{
	d->ready_count = d->ready_next = 0;
	d->context_free = false;	/* a window half read is not remembered */
	MemoryContextReset(d->texts);
	while (d->ready_count < RAW_BATCH && !d->finished)
	{
		RawToken	token;

		CHECK_FOR_INTERRUPTS();
		if (d->ready_count == 0 && d->parser_state == NULL)
			memo_trim(d->memo); /* no token points into it */
		if (d->stream->way == WAY_SCANNER)
		{
			next_from_scanner(d, &token);
			if (token.type == 0)
			{
				finish_text(d);
				continue;
			}
		}
		else
		{
			if (d->parser_state == NULL)
			{
				if (!next_window(d))
					finish_text(d);
				if (d->parser_state == NULL)
					continue;
			}
			next_from_parser(d, &token);
			if (token.type <= 0)
			{
				close_window(d);
				continue;
			}
		}
		take_raw(d, &token);
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
