/*-------------------------------------------------------------------------
 *
 * text.c
 *	  Buffers of a run: texts with their spans, pieces, tokens.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/tokenizer_run.h"

#define SMALLEST_BUFFER 4096

bool
run_fail(Run *run, TokenizerStatus status)
{
	if (run->status == TOKENIZER_OK)
		run->status = status;
	return false;
}

void
run_interrupt(Run *run)
{
	run->work_done = 0;
	if (run->scratch->interrupt != NULL)
		run->scratch->interrupt(run->scratch->interrupt_context);
}

bool
run_buffer(Run *run, int number, size_t size)
{
	TokenizerScratch *scratch = run->scratch;
	TokenizerBuffer *buffer = &scratch->buffers[number];
	size_t		wanted = buffer->size < SMALLEST_BUFFER ? SMALLEST_BUFFER
														: buffer->size;
	void	   *data;

	if (buffer->size >= size)
		return true;
	while (wanted < size)
		wanted += wanted / 2;
	data = scratch->resize(scratch->resize_context, buffer->data, wanted);
	if (data == NULL)
		return run_fail(run, TOKENIZER_OUT_OF_MEMORY);
	buffer->data = data;
	buffer->size = wanted;
	return true;
}

static void
text_attach(Run *run, Text *text, uint32_t turn)
{
	TokenizerBuffer *buffers = run->scratch->buffers;
	size_t		capacity = buffers[BUFFER_TEXT + turn].size;

	text->bytes = buffers[BUFFER_TEXT + turn].data;
	text->spans = run->want_spans ? buffers[BUFFER_SPANS + turn].data : NULL;
	if (run->want_spans &&
		buffers[BUFFER_SPANS + turn].size / sizeof(Span) < capacity)
		capacity = buffers[BUFFER_SPANS + turn].size / sizeof(Span);
	text->capacity = capacity > TEXT_MAX ? TEXT_MAX : (uint32_t) capacity;
}


bool
text_grow(Run *run, Text *text, uint32_t more)
{
	uint32_t	turn = run->turn ^ 1;
	uint64_t	size = (uint64_t) text->length + more;

	if (size > TEXT_MAX)
		return run_fail(run, TOKENIZER_TOO_LONG);
	if (!run_buffer(run, BUFFER_TEXT + turn, size) ||
		(run->want_spans &&
		 !run_buffer(run, BUFFER_SPANS + turn, size * sizeof(Span))))
		return false;
	text_attach(run, text, turn);
	return true;
}

bool
text_begin(Run *run, Text *text)
{
	text->length = 0;
	text->original = false;
	/*
	 * buffers that are there: whether spans are wanted can be seen from them
	 */
	return text_grow(run, text, 1);
}

void
run_take_text(Run *run, Text *text)
{
	run->turn ^= 1;
	run->text = *text;
}

Span
text_original_span(const Text *text, uint32_t at)
{
	Span		span;

	while (at > 0 && (text->bytes[at] & 0xC0) == 0x80)
		at--;
	span.start = at;
	span.end = at + utf8_step(text->bytes + at);
	return span;
}

void
text_copy(Text *target, const Text *source, uint32_t begin, uint32_t end)
{
	uint32_t	length = end - begin;

	memcpy(target->bytes + target->length, source->bytes + begin, length);
	if (target->spans != NULL)
	{
		Span	   *spans = target->spans + target->length;

		if (!source->original)
			memcpy(spans, source->spans + begin,
				   (size_t) length * sizeof(Span));
		else
		{
			for (uint32_t i = begin; i < end;)
			{
				uint32_t	step = utf8_step(source->bytes + i);
				Span		span = {i, i + step};

				for (; step > 0 && i < end; step--, i++)
					*spans++ = span;
			}
		}
	}
	target->length += length;
}

void
change_spans(Change *change, int bytes, int difference)
{
	const Text *source = change->source;
	Span	   *spans = change->target->spans + change->target->length;
	Span		span;

	if (difference > 0)
	{
		if (change->cursor > change->begin)
			span = text_span(source, change->cursor - 1);
		else
			span.start = span.end = change->origin;
	}
	else
	{
		/* a change that removes more than there is ends at the piece's end */
		if (change->cursor < change->end)
			span = text_span(source, change->cursor);
		else if (change->end > change->begin)
			span = text_span(source, change->end - 1);
		else
			span.start = span.end = change->origin;
		for (int removed = difference;
			 removed <= 0 && change->cursor < change->end; removed++)
			change->cursor += utf8_step(source->bytes + change->cursor);
		if (change->cursor > change->end)
			change->cursor = change->end;
	}
	for (int i = 0; i < bytes; i++)
		spans[i] = span;
}

void
pieces_begin(Run *run, PieceList *list)
{
	TokenizerBuffer *buffer =
		&run->scratch->buffers[BUFFER_PIECES + (run->piece_turn ^ 1)];

	list->pieces = buffer->data;
	list->count = 0;
	list->capacity = (uint32_t) (buffer->size / sizeof(Piece));
}

bool
pieces_grow(Run *run, PieceList *list)
{
	int			number = BUFFER_PIECES + (run->piece_turn ^ 1);

	if (!run_buffer(run, number, ((size_t) list->count + 1) * sizeof(Piece)))
		return false;
	list->pieces = run->scratch->buffers[number].data;
	list->capacity = (uint32_t) (run->scratch->buffers[number].size /
								 sizeof(Piece));
	return true;
}

void
pieces_take(Run *run, PieceList *list)
{
	run->piece_turn ^= 1;
	run->pieces = list->pieces;
	run->piece_count = list->count;
}

bool
tokens_grow(Run *run)
{
	if (!run_buffer(run, BUFFER_TOKENS,
					((size_t) run->token_count + 1) * sizeof(TokenizerToken)))
		return false;
	run->tokens = run->scratch->buffers[BUFFER_TOKENS].data;
	run->token_capacity =
		(uint32_t) (run->scratch->buffers[BUFFER_TOKENS].size /
					sizeof(TokenizerToken));
	return true;
}
