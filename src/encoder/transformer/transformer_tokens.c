/*-------------------------------------------------------------------------
 *
 * transformer_tokens.c
 *	  Vectors of a text's tokens, and of its words, in their context.
 *
 * A word is what BERT's tokenizer splits a text into before it looks for
 * pieces: characters between blanks, but a punctuation mark and an ideograph
 * stand alone.  Here it is found from the places of the pieces, so that it
 * means the same for every tokenizer; where a piece spans several such, they
 * are one word.  Its vector is the mean of its pieces'.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/transformer/transformer_model.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "tokenizer/tokenizer_characters.h"

const char *const transformer_units[] = {"piece", "word", NULL};

int
transformer_token_dims(void *state)
{
	return ((TransformerState *) state)->plan.config.hidden;
}

/* ---------- pieces ---------- */

static void
give_pieces(const TransformerState *state, const TokenizerTokens *tokens,
			const float *rows, EncoderReceiveToken receive, void *argument)
{
	int			hidden = state->plan.config.hidden;

	for (uint32 i = 0; i < tokens->count; i++)
	{
		int			length;
		char	   *name = network_token_text(state->tokenizer, tokens,
											  (int) i, &length);

		receive(argument, (int) i + 1, name, length,
				rows + (Size) i * hidden);
		pfree(name);
	}
}

/* ---------- words ---------- */

/* The part of a text that a piece stands for, without blanks around it. */
typedef struct Span
{
	uint32		begin;
	uint32		end;
	bool		alone_before;	/* its first character stands alone */
	bool		alone_after;	/* and its last */
} Span;

static bool
stands_alone(uint32 code)
{
	return character_is(code, CHARACTER_PUNCTUATION) ||
		   character_is_chinese(code);
}

static Span
span_of(const char *text, const TokenizerToken *token)
{
	Span		span = {0};
	uint32		end = token->start + token->length;
	bool		found = false;

	for (uint32 at = token->start; at < end;)
	{
		uint32_t	code;
		int			length = utf8_decode((const unsigned char *) text + at,
										 end - at, &code);

		if (length == 0)
			break;
		if (!character_is(code, CHARACTER_SPACE))
		{
			if (!found)
			{
				span.begin = at;
				span.alone_before = stands_alone(code);
			}
			found = true;
			span.end = at + length;
			span.alone_after = stands_alone(code);
		}
		at += length;
	}
	return span;
}

/* Pieces of a part of a character have its place, all of them. */
static bool
belongs(const Span *word, const Span *piece)
{
	if (piece->end == 0 || piece->begin > word->end)
		return false;
	return piece->begin < word->end ||
		   !(word->alone_after || piece->alone_before);
}

static void
give_word(const char *text, uint32 begin, uint32 end, int position,
		  const float *vector, EncoderReceiveToken receive, void *argument)
{
	char	   *copy = pnstrdup(text + begin, end - begin);
	char	   *name = pg_any_to_server(copy, (int) (end - begin), PG_UTF8);

	receive(argument, position, name, (int) strlen(name), vector);
	if (name != copy)
		pfree(name);
	pfree(copy);
}

/* Rows of pieces become those of words, as pooling_of_rows has the mean. */
static void
give_words(const TransformerState *state, const char *text,
		   const TokenizerTokens *tokens, const float *rows,
		   EncoderReceiveToken receive, void *argument)
{
	int			hidden = state->plan.config.hidden;
	float	   *vector = palloc(sizeof(float) * hidden);
	int			position = 0;

	for (uint32 first = 0; first < tokens->count;)
	{
		Span		word = span_of(text, &tokens->tokens[first]);
		uint32		next = first + 1;

		while (word.end > 0 && next < tokens->count)
		{
			Span		piece = span_of(text, &tokens->tokens[next]);

			if (!belongs(&word, &piece))
				break;
			word.end = piece.end;
			word.alone_after = piece.alone_after;
			next++;
		}

		/* what the tokenizer adds is nowhere in the text */
		if (word.end > 0)
		{
			pooling_of_rows(POOLING_MEAN, hidden, (int) (next - first), 0,
							rows + (Size) first * hidden, hidden, vector);
			give_word(text, word.begin, word.end, ++position, vector, receive,
					  argument);
		}
		first = next;
	}
	pfree(vector);
}

/* ---------- the face ---------- */

static void
check_layer(const TransformerState *state, int layer)
{
	if (layer > state->plan.config.layers)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model \"%s\" has %d layers",
						state->tokenizer->model->description->table_name,
						state->plan.config.layers),
				 errhint("Layer 0 is what goes into the first of them.")));
}

void
transformer_tokens(void *state, const EncoderRequest *request,
				   const EncoderText *text, EncoderReceiveToken receive,
				   void *argument)
{
	TransformerState *opened = state;
	int			hidden = opened->plan.config.hidden;
	TransformerOutput output = {POOLING_NONE, 0, false, request->layer};
	bool		words = strcmp(request->unit, "word") == 0;
	TokenizerTokens tokens;
	TransformerGathered gathered = {0};
	const char *utf8;
	int32	   *ids;

	check_layer(opened, request->layer);
	utf8 = transformer_read_text(opened, "", text,
								 words ? TOKENIZER_BYTES :
								 TOKENIZER_NO_OFFSETS, &tokens);
	if (tokens.count == 0)
		return;
	ids = transformer_gather(&gathered, tokens.count);
	for (uint32 i = 0; i < tokens.count; i++)
		ids[i] = (int32) tokens.tokens[i].id;
	output.to = transformer_work(WORK_ROWS,
								 sizeof(float) * hidden * tokens.count);
	transformer_run(opened, 1, false, &output);
	if (words)
		give_words(opened, utf8, &tokens, output.to, receive, argument);
	else
		give_pieces(opened, &tokens, output.to, receive, argument);
	transformer_work_done();
}
