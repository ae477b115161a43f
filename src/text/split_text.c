/*-------------------------------------------------------------------------
 *
 * split_text.c
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
#include "text/split.h"
#include "text/token.h"
#include "text/unicode.h"

EMBED_FUNCTION(split_text);

typedef struct Unit
{
	int			start;			/* bytes of the input */
	int			end;
	int			tokens;
	Gap			before;			/* the gap that ends at its start */
} Unit;

struct Splitter
{
	const char *input;
	int			length;			/* without white space at the end */
	int			max_tokens;
	int			overlap;
	CharacterSource *source;
	SplitTokens *source_of_tokens;
	bool		ended;			/* no token is left */

	/* units from the start of the next passage on; the last may still grow */
	Unit	   *units;
	int			first;
	int			count;
	int			capacity;
	int			tokens;			/* of all these units */
	int			shared;			/* units that the last passage has, too */

	bool		done;
};

/* Tokens of a text search configuration */
typedef struct ConfigTokens
{
	SplitTokens tokens;
	TokenStream *stream;
	const char *input;
	CharacterSource *source;
	bool		clusters;		/* see token_stream_clusters */
	Token		batch[TOKEN_BATCH];
	int			batch_count;
	int			batch_next;
} ConfigTokens;

/* What split_text keeps between its rows */
typedef struct Split
{
	Splitter   *splitter;
	CharacterCounter counter;
	int			passages;
} Split;

/* Where white space ends at or after "from". */
static int
skip_space(Splitter *splitter, int from)
{
	Character	character;

	for (; from < splitter->length; from += character.length)
	{
		character_read(splitter->source,
					   (const unsigned char *) splitter->input + from,
					   (size_t) (splitter->length - from), &character);
		if (!(character.flags & CHARACTER_SPACE))
			break;
	}
	return from;
}

/*
 * The length of the input without white space at its end.
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
		character_read(splitter->source,
					   (const unsigned char *) splitter->input + i,
					   (size_t) (splitter->length - i), &character);
		if (!(character.flags & CHARACTER_SPACE))
			end = i + character.length;
	}
	return end;
}

static bool
next_of_config(SplitTokens *tokens, SplitToken *token)
{
	ConfigTokens *config = (ConfigTokens *) tokens;
	const Token *found;

	if (config->batch_next == config->batch_count)
	{
		config->batch_count = token_stream_next(config->stream, config->batch,
												TOKEN_BATCH);
		config->batch_next = 0;
		if (config->batch_count == 0)
			return false;
	}
	found = &config->batch[config->batch_next++];
	token->start = found->start;
	token->end = found->start + found->source_length;

	/* pairs overlap: what must not be cut is a character with its marks */
	if (config->clusters &&
		(unsigned char) config->input[found->start] >= 0x80)
		token->end = (int) word_token_end(SPLIT_WORDS, config->source,
										  config->input, token->end,
										  found->start, token->end);
	return true;
}

static void
add_unit(Splitter *splitter, const SplitToken *token)
{
	Unit	   *unit;

	if (splitter->first + splitter->count == splitter->capacity)
	{
		/* move down, or double when that would not free much */
		if (splitter->first < splitter->count)
		{
			splitter->units = repalloc_huge(
				splitter->units, sizeof(Unit) * splitter->capacity * 2);
			splitter->capacity *= 2;
		}
		memmove(splitter->units, splitter->units + splitter->first,
				sizeof(Unit) * splitter->count);
		splitter->first = 0;
	}
	unit = &splitter->units[splitter->first + splitter->count];
	unit->start = token->start;
	unit->end = token->end;
	unit->tokens = 1;
	if (splitter->count > 0)
		unit->before = gap_examine(splitter->source, splitter->input,
								   (size_t) splitter->length,
								   (size_t) unit[-1].end,
								   (size_t) unit->start);
	else
		unit->before.right_start = skip_space(splitter, 0);
	splitter->count++;
	splitter->tokens++;
}

/*
 * Read tokens until the passage is known to be full, or the text ends.
 *
 * The last unit may still grow, therefore one more is read.
 */
static void
read_units(Splitter *splitter)
{
	while (!splitter->ended)
	{
		Unit	   *last = splitter->units + splitter->first +
						   splitter->count - 1;
		SplitToken	token;

		if (splitter->count > 1 &&
			splitter->tokens - last->tokens > splitter->max_tokens)
			break;
		if (!splitter->source_of_tokens->next(splitter->source_of_tokens,
											  &token))
			splitter->ended = true;
		else if (splitter->count > 0 && token.start < last->end)
		{
			last->end = Max(last->end, token.end);
			last->tokens++;
			splitter->tokens++;
		}
		else
			add_unit(splitter, &token);
	}
}

/*
 * How many units the passage takes.
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
	int			least = Max(splitter->overlap + 1,
							(splitter->max_tokens + 1) / 2);
	int			taken = 0;

	if (splitter->ended && splitter->tokens <= splitter->max_tokens)
		return splitter->count;
	while (
		taken < splitter->count &&
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

static void
leave_out(Splitter *splitter, int count)
{
	for (int i = 0; i < count; i++)
		splitter->tokens -= splitter->units[splitter->first++].tokens;
	splitter->count -= count;
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
	leave_out(splitter, keep);
	splitter->shared = taken - keep;
}

Splitter *
splitter_create(const char *input, int length, int max_tokens, int overlap,
				SplitTokens *tokens)
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

	splitter->input = input;
	splitter->length = length;
	splitter->max_tokens = max_tokens;
	splitter->overlap = overlap;
	splitter->source = database_character_source();
	splitter->capacity = 256;
	splitter->units = palloc(sizeof(Unit) * splitter->capacity);
	splitter->source_of_tokens = tokens;
	return splitter;
}

/* Where a passage of so many units ends. */
static int
end_of_passage(Splitter *splitter, int taken)
{
	Unit	   *units = splitter->units + splitter->first;

	if (splitter->ended && taken == splitter->count)
		return trim_end(splitter, units[taken - 1].end);
	return units[taken].before.left_end;
}

/*
 * A passage read alone may have more tokens than it had in the text: units
 * are left out at its end until it has not.
 */
static int
fit(Splitter *splitter, int start, int taken)
{
	SplitTokens *tokens = splitter->source_of_tokens;

	if (tokens->fits == NULL)
		return taken;
	while (taken > 1 &&
		   !tokens->fits(tokens, start, end_of_passage(splitter, taken),
						 splitter->max_tokens))
		taken--;
	return taken;
}

/* A text without any token is one passage, unless it is white space. */
static bool
whole_text(Splitter *splitter, int *start, int *end)
{
	splitter->done = true;
	*start = skip_space(splitter, 0);
	*end = trim_end(splitter, *start);
	return *end > *start;
}

bool
splitter_next(Splitter *splitter, int *start, int *end)
{
	int			taken;

	if (splitter->done)
		return false;
	for (;;)
	{
		read_units(splitter);
		if (splitter->count == 0)
			return whole_text(splitter, start, end);
		*start = splitter->units[splitter->first].before.right_start;
		taken = fit(splitter, *start, choose_end(splitter));
		if (taken > splitter->shared)
			break;

		/*
		 * Nothing fits behind what is shared: the passage would be a part of
		 * the last one.
		 */
		leave_out(splitter, 1);
		splitter->shared--;
	}
	*end = end_of_passage(splitter, taken);
	splitter->done = splitter->ended && taken == splitter->count;
	advance(splitter, taken);
	return true;
}

/* ---------- SQL ---------- */

static Split *
split_by_config(text *input, int max_tokens, int overlap, Oid config)
{
	Split	   *split = palloc0(sizeof(Split));
	ConfigTokens *tokens = palloc0(sizeof(ConfigTokens));
	char	   *bytes = VARDATA_ANY(input);
	int			length = VARSIZE_ANY_EXHDR(input);

	split->splitter = splitter_create(bytes, length, max_tokens, overlap,
									  &tokens->tokens);
	tokens->tokens.next = next_of_config;
	tokens->stream = token_stream_create(config);
	tokens->input = bytes;
	tokens->source = database_character_source();
	tokens->clusters = token_stream_clusters(tokens->stream);
	token_stream_begin(tokens->stream, bytes, length);
	character_counter_begin(&split->counter, bytes);
	return split;
}

/* NULL: a tenth of max_tokens */
static int
overlap_of_arguments(FunctionCallInfo fcinfo)
{
	return PG_ARGISNULL(2) ? PG_GETARG_INT32(1) / 10 : PG_GETARG_INT32(2);
}

/* split_text(input, max_tokens, overlap, config); NULLs: no passages */
Datum
split_text(PG_FUNCTION_ARGS)
{
	FuncCallContext *call;
	Split	   *split;
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
		if (get_call_result_type(fcinfo, NULL, &call->tuple_desc) !=
			TYPEFUNC_COMPOSITE)
			elog(ERROR, "return type must be a row type");
		call->tuple_desc = BlessTupleDesc(call->tuple_desc);
		if (!PG_ARGISNULL(0) && !PG_ARGISNULL(1) && !PG_ARGISNULL(3))
			call->user_fctx = split_by_config(PG_GETARG_TEXT_P_COPY(0),
											  PG_GETARG_INT32(1),
											  overlap_of_arguments(fcinfo),
											  PG_GETARG_OID(3));
		MemoryContextSwitchTo(caller);
	}
	call = SRF_PERCALL_SETUP();
	split = call->user_fctx;
	if (split == NULL)
		SRF_RETURN_DONE(call);

	caller = MemoryContextSwitchTo(call->multi_call_memory_ctx);
	found = splitter_next(split->splitter, &start, &end);
	MemoryContextSwitchTo(caller);
	if (!found)
		SRF_RETURN_DONE(call);

	before = character_count(&split->counter, start);
	values[0] = Int32GetDatum(++split->passages);
	values[1] = Int32GetDatum(before + 1);
	values[2] = Int32GetDatum(character_count_ahead(&split->counter, end) -
							  before);
	values[3] = PointerGetDatum(
		cstring_to_text_with_len(split->splitter->input + start, end - start));
	SRF_RETURN_NEXT(call, HeapTupleGetDatum(heap_form_tuple(call->tuple_desc,
															values, nulls)));
}
