/*-------------------------------------------------------------------------
 *
 * split.c
 *	  SQL function split_text: passages of a text, at most so many tokens.
 *
 * Tokens whose places in the text overlap (a compound word and its parts)
 * form one unit that is never cut.  A passage takes as many units as the
 * limit allows, then ends at the last paragraph end in its second half, else
 * at the last sentence end there, else at the last white space, else where it
 * is.  The next one starts as many tokens before that place as the overlap
 * says, so each passage but the first begins with the end of the one before.
 *
 * Only the units of one passage are kept; every gap is examined once.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "text/characters.h"
#include "text/encoding.h"
#include "text/gap.h"
#include "text/token.h"
#include "text/unicode.h"

#define SPLIT_MAX_TOKENS	1000000

EMBED_FUNCTION(split_text);

typedef struct Unit
{
	int			start;			/* bytes of the input */
	int			end;
	int			tokens;
	Gap			before;			/* the gap that ends at its start */
} Unit;

typedef struct Splitter
{
	const char *input;
	int			length;			/* without white space at the end */
	int			max_tokens;
	int			overlap;
	CharacterSource *source;
	TokenStream *stream;
	Token		batch[TOKEN_BATCH];
	int			batch_count;
	int			batch_next;
	bool		ended;			/* no token is left */

	/* units from the start of the next passage on; the last may still grow */
	Unit	   *units;
	int			first;
	int			count;
	int			capacity;
	int			tokens;			/* of all these units */

	bool		done;
	CharacterCounter counter;
	int			passages;
} Splitter;

/* Where white space ends at or after "from". */
static int
skip_space(Splitter *splitter, int from)
{
	Character	character;

	for (; from < splitter->length; from += character.length)
	{
		character_read(splitter->source, (const unsigned char *) splitter->input + from,
					   (size_t) (splitter->length - from), &character);
		if (!(character.flags & CHARACTER_SPACE))
			break;
	}
	return from;
}

/*
 * trim_end
 *	  The length of the input without white space at its end.
 *
 * Characters of most encodings cannot be read backwards, so this goes back to
 * the last word's end and forward from there.
 */
static int
trim_end(Splitter *splitter, int word_end)
{
	int			end = word_end;
	Character	character;

	for (int i = word_end; i < splitter->length; i += character.length)
	{
		if ((i & 0xFFFF) == 0)
			CHECK_FOR_INTERRUPTS();
		character_read(splitter->source, (const unsigned char *) splitter->input + i,
					   (size_t) (splitter->length - i), &character);
		if (!(character.flags & CHARACTER_SPACE))
			end = i + character.length;
	}
	return end;
}

static bool
next_token(Splitter *splitter, Token **token)
{
	if (splitter->batch_next == splitter->batch_count)
	{
		splitter->batch_count = token_stream_next(splitter->stream,
												  splitter->batch, TOKEN_BATCH);
		splitter->batch_next = 0;
		if (splitter->batch_count == 0)
			return false;
	}
	*token = &splitter->batch[splitter->batch_next++];
	return true;
}

static void
add_unit(Splitter *splitter, const Token *token)
{
	Unit	   *unit;

	if (splitter->first + splitter->count == splitter->capacity)
	{
		/* move down, or double when that would not free much */
		if (splitter->first < splitter->count)
		{
			splitter->units = repalloc_huge(splitter->units,
											sizeof(Unit) * splitter->capacity * 2);
			splitter->capacity *= 2;
		}
		memmove(splitter->units, splitter->units + splitter->first,
				sizeof(Unit) * splitter->count);
		splitter->first = 0;
	}
	unit = &splitter->units[splitter->first + splitter->count];
	unit->start = token->start;
	unit->end = token->start + token->source_length;
	unit->tokens = 1;
	if (splitter->count > 0)
		unit->before = gap_examine(splitter->source, splitter->input,
								   (size_t) splitter->length,
								   (size_t) unit[-1].end, (size_t) unit->start);
	else
		unit->before.right_start = skip_space(splitter, 0);
	splitter->count++;
	splitter->tokens++;
}

/*
 * read_units
 *	  Read tokens until the passage is known to be full, or the text ends.
 *
 * The last unit may still grow, therefore one more is read.
 */
static void
read_units(Splitter *splitter)
{
	while (!splitter->ended)
	{
		Unit	   *last = splitter->units + splitter->first + splitter->count - 1;
		Token	   *token;

		if (splitter->count > 1 &&
			splitter->tokens - last->tokens > splitter->max_tokens)
			break;
		if (!next_token(splitter, &token))
			splitter->ended = true;
		else if (splitter->count > 0 && token->start < last->end)
		{
			last->end = Max(last->end, token->start + token->source_length);
			last->tokens++;
			splitter->tokens++;
		}
		else
			add_unit(splitter, token);
	}
}

/*
 * choose_end
 *	  How many units the passage takes.
 *
 * Every choice keeps more tokens than the overlap, so that the next passage
 * starts behind this one.
 */
static int
choose_end(Splitter *splitter)
{
	Unit	   *units = splitter->units + splitter->first;
	int			best[GAP_PARAGRAPH + 1] = {0};
	int			tokens = 0;
	int			least = Max(splitter->overlap + 1, (splitter->max_tokens + 1) / 2);
	int			taken = 0;

	if (splitter->ended && splitter->tokens <= splitter->max_tokens)
		return splitter->count;
	while (taken < splitter->count &&
		   (taken == 0 || tokens + units[taken].tokens <= splitter->max_tokens))
	{
		tokens += units[taken++].tokens;
		if (tokens >= least && taken < splitter->count)
			best[units[taken].before.kind] = taken;
	}
	for (int kind = GAP_PARAGRAPH; kind > GAP_JOINED; kind--)
		if (best[kind] > 0)
			return best[kind];
	return taken;
}

/* Leave out the units that the next passage does not share. */
static void
advance(Splitter *splitter, int taken)
{
	Unit	   *units = splitter->units + splitter->first;
	int			keep = taken;
	int			shared = 0;

	while (keep > 1 && shared + units[keep - 1].tokens <= splitter->overlap)
		shared += units[--keep].tokens;
	for (int i = 0; i < keep; i++)
		splitter->tokens -= units[i].tokens;
	splitter->first += keep;
	splitter->count -= keep;
}

static Splitter *
splitter_create(text *input, int max_tokens, int overlap, Oid config)
{
	Splitter   *splitter = palloc0(sizeof(Splitter));

	if (max_tokens < 1 || max_tokens > SPLIT_MAX_TOKENS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_tokens must be between 1 and %d", SPLIT_MAX_TOKENS),
				 errdetail("It is %d.", max_tokens)));
	if (overlap < 0 || overlap >= max_tokens)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("overlap must be at least 0 and less than max_tokens"),
				 errdetail("overlap is %d, max_tokens is %d.", overlap, max_tokens),
				 errhint("Use overlap => 0 for passages that share nothing.")));

	splitter->input = VARDATA_ANY(input);
	splitter->length = VARSIZE_ANY_EXHDR(input);
	splitter->max_tokens = max_tokens;
	splitter->overlap = overlap;
	splitter->source = database_character_source();
	splitter->capacity = 256;
	splitter->units = palloc(sizeof(Unit) * splitter->capacity);
	splitter->stream = token_stream_create(config);
	token_stream_begin(splitter->stream, splitter->input, splitter->length);
	character_counter_begin(&splitter->counter, splitter->input);
	return splitter;
}

/* Find the next passage in bytes; false at the end. */
static bool
next_passage(Splitter *splitter, int *start, int *end)
{
	int			taken;

	if (splitter->done)
		return false;
	read_units(splitter);
	if (splitter->count == 0)
		return false;			/* no token at all */
	taken = choose_end(splitter);
	*start = splitter->units[splitter->first].before.right_start;
	splitter->done = splitter->ended && taken == splitter->count;
	if (splitter->done)
		*end = trim_end(splitter, splitter->units[splitter->first + taken - 1].end);
	else
		*end = splitter->units[splitter->first + taken].before.left_end;
	advance(splitter, taken);
	return true;
}

Datum
split_text(PG_FUNCTION_ARGS)
{
	FuncCallContext *call;
	Splitter   *splitter;
	MemoryContext caller;
	Datum		values[4];
	bool		nulls[4] = {false};
	int			start,
				end,
				before;
	bool		found;

	if (SRF_IS_FIRSTCALL())
	{
		call = SRF_FIRSTCALL_INIT();
		caller = MemoryContextSwitchTo(call->multi_call_memory_ctx);
		if (get_call_result_type(fcinfo, NULL, &call->tuple_desc) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "return type must be a row type");
		call->tuple_desc = BlessTupleDesc(call->tuple_desc);
		call->user_fctx = splitter_create(PG_GETARG_TEXT_P_COPY(0),
										  PG_GETARG_INT32(1), PG_GETARG_INT32(2),
										  PG_GETARG_OID(3));
		MemoryContextSwitchTo(caller);
	}
	call = SRF_PERCALL_SETUP();
	splitter = call->user_fctx;

	caller = MemoryContextSwitchTo(call->multi_call_memory_ctx);
	found = next_passage(splitter, &start, &end);
	MemoryContextSwitchTo(caller);
	if (!found)
		SRF_RETURN_DONE(call);

	before = character_count(&splitter->counter, start);
	values[0] = Int32GetDatum(++splitter->passages);
	values[1] = Int32GetDatum(before + 1);
	values[2] = Int32GetDatum(character_count_ahead(&splitter->counter, end) - before);
	values[3] = PointerGetDatum(cstring_to_text_with_len(splitter->input + start,
														 end - start));
	SRF_RETURN_NEXT(call, HeapTupleGetDatum(heap_form_tuple(call->tuple_desc,
															values, nulls)));
}
