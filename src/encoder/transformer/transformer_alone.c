/*-------------------------------------------------------------------------
 *
 * transformer_alone.c
 *	  Tokens of the vocabulary, each read as if it were a text.
 *
 * By their ids: the text of a token, such as "##ing", would be split into
 * others.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/transformer/transformer_model.h"

/* Any text of one token or more tells what is put around all of them. */
#define SOME_TEXT "a"

void
transformer_alone_begin(TransformerAlone *alone, TransformerState *state)
{
	TokenizerEncoding encoding = {0};
	TokenizerTokens tokens;
	int			first = 0;
	int			last;

	encoding.special_tokens = true;
	encoding.offsets = TOKENIZER_BYTES;
	encoding.limit = TOKENIZER_LIMIT_NONE;
	network_encode(state->tokenizer, SOME_TEXT, (int) strlen(SOME_TEXT),
				   &encoding, &tokens);
	last = (int) tokens.count;
	while (first < last && tokens.tokens[first].length == 0)
		first++;
	while (last > first && tokens.tokens[last - 1].length == 0)
		last--;
	if (first == last)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("tokenizer of model \"%s\" has no token for the text \"%s\"",
						state->tokenizer->model->description->table_name,
						SOME_TEXT)));
	alone->state = state;
	alone->before = first;
	alone->after = (int) tokens.count - last;
	alone->around = palloc(sizeof(int32) * (alone->before + alone->after + 1));
	for (int i = 0; i < first; i++)
		alone->around[i] = (int32) tokens.tokens[i].id;
	for (int i = 0; i < alone->after; i++)
		alone->around[first + i] = (int32) tokens.tokens[last + i].id;
}

static void
gather_token(const TransformerAlone *alone, uint32 token,
			 TransformerGathered *gathered)
{
	int32	   *ids = transformer_gather(gathered, alone->before + 1 +
										 alone->after);

	memcpy(ids, alone->around, sizeof(int32) * alone->before);
	ids[alone->before] = (int32) token;
	memcpy(ids + alone->before + 1, alone->around + alone->before,
		   sizeof(int32) * alone->after);
}

void
transformer_alone(const TransformerAlone *alone, int count,
				  const uint32 *tokens, float *rows)
{
	TransformerOutput output = {POOLING_MEAN, 0, false, -1, rows};
	TransformerGathered gathered = {0};

	for (int i = 0; i < count; i++)
		gather_token(alone, tokens[i], &gathered);
	transformer_run(alone->state, count, false, &output);
	transformer_work_done();
}
