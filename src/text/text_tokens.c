/*-------------------------------------------------------------------------
 *
 * text_tokens.c
 *	  SQL function text_tokens: what every function that reads text sees.
 *
 *-------------------------------------------------------------------------
 */
#include "server/server.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "text/characters.h"
#include "text/token.h"

EMBED_FUNCTION(text_tokens);

typedef struct TextTokens
{
	TokenStream *stream;
	CharacterCounter counter;
	Token		batch[TOKEN_BATCH];
	int			count;
	int			next;
} TextTokens;

Datum
text_tokens(PG_FUNCTION_ARGS)
{
	FuncCallContext *call;
	TextTokens *state;
	Token	   *token;
	Datum		values[4];
	bool		nulls[4] = {false};
	int			start;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext caller;
		text	   *input;

		call = SRF_FIRSTCALL_INIT();
		caller = MemoryContextSwitchTo(call->multi_call_memory_ctx);
		if (get_call_result_type(fcinfo, NULL, &call->tuple_desc) !=
			TYPEFUNC_COMPOSITE)
			elog(ERROR, "return type must be a row type");
		call->tuple_desc = BlessTupleDesc(call->tuple_desc);
		state = palloc0(sizeof(TextTokens));
		/* the argument itself may be gone at the next call */
		input = PG_GETARG_TEXT_P_COPY(0);
		state->stream = token_stream_create(PG_GETARG_OID(1));
		token_stream_begin(state->stream, VARDATA_ANY(input),
						   VARSIZE_ANY_EXHDR(input));
		character_counter_begin(&state->counter, VARDATA_ANY(input));
		call->user_fctx = state;
		MemoryContextSwitchTo(caller);
	}
	call = SRF_PERCALL_SETUP();
	state = call->user_fctx;

	if (state->next == state->count)
	{
		MemoryContext caller = MemoryContextSwitchTo(
			call->multi_call_memory_ctx);

		state->count = token_stream_next(state->stream, state->batch,
										 TOKEN_BATCH);
		state->next = 0;
		MemoryContextSwitchTo(caller);
		if (state->count == 0)
			SRF_RETURN_DONE(call);
	}
	token = &state->batch[state->next++];
	start = character_count(&state->counter, token->start);
	values[0] = Int32GetDatum(token->position + 1);
	values[1] = PointerGetDatum(
		cstring_to_text_with_len(token->text, token->length));
	values[2] = Int32GetDatum(start + 1);
	values[3] = Int32GetDatum(
		character_count_ahead(&state->counter,
							  token->start + token->source_length) -
		start);
	SRF_RETURN_NEXT(call, HeapTupleGetDatum(heap_form_tuple(call->tuple_desc,
															values, nulls)));
}
