/*-------------------------------------------------------------------------
 *
 * elmo_lanes.c
 *	  Texts dealt out to lanes, a window of steps at a time.
 *
 *-------------------------------------------------------------------------
 */
#include "network/elmo_lanes.h"

#include <stddef.h>

/* A piece of a text that lies in a window. */
typedef struct Piece
{
	int			lane;
	int			step;			/* the first */
	int			count;
	int64_t		at;				/* steps of the text before it */
	int32_t		words;			/* of the text */
} Piece;

static void
put(ElmoLanes *lanes, int direction, int lane, int step, int32_t input,
	int32_t target)
{
	size_t		row = (size_t) step * lanes->count + lane;

	lanes->input[direction][row] = input;
	lanes->target[direction][row] = target;
}

/* The token at a place of a text, words being those from "first" on. */
static int32_t
token_at(const ElmoLanes *lanes, const Piece *piece, int64_t place,
		 int64_t first)
{
	if (place == 0)
		return ELMO_TOKEN_BEGIN;
	if (place == (int64_t) piece->words + 1)
		return ELMO_TOKEN_END;
	return ELMO_FIRST_WORD + lanes->buffer[place - 1 - first];
}

/* Reads what the places from "low" to "high" hold, marks left out. */
static int64_t
read_places(ElmoLanes *lanes, const ElmoText *text, int64_t low, int64_t high)
{
	int64_t		first = low > 1 ? low - 1 : 0;
	int64_t		until = high < text->words ? high : text->words;

	if (until > first)
		lanes->read(lanes->argument, text->first + first,
					(int) (until - first), lanes->buffer);
	return first;
}

static void
fill_piece(ElmoLanes *lanes, const ElmoText *text, const Piece *piece)
{
	int64_t		last = (int64_t) text->words + 1;
	int64_t		first = read_places(lanes, text, piece->at,
									piece->at + piece->count);

	for (int i = 0; i < piece->count; i++)
		put(lanes, 0, piece->lane, piece->step + i,
			token_at(lanes, piece, piece->at + i, first),
			token_at(lanes, piece, piece->at + i + 1, first));
	first = read_places(lanes, text, last - piece->at - piece->count,
						last - piece->at);
	for (int i = 0; i < piece->count; i++)
		put(lanes, 1, piece->lane, piece->step + i,
			token_at(lanes, piece, last - piece->at - i, first),
			token_at(lanes, piece, last - piece->at - i - 1, first));
	for (int i = 0; i < piece->count; i++)
		lanes->begins[(size_t) (piece->step + i) * lanes->count +
					  piece->lane] = piece->at + i == 0;
	lanes->targets += 2 * piece->count;
}

/* Nothing more to read: rows that do not count. */
static void
fill_idle(ElmoLanes *lanes, int lane, int step)
{
	for (; step < lanes->steps; step++)
	{
		put(lanes, 0, lane, step, ELMO_TOKEN_BEGIN, -1);
		put(lanes, 1, lane, step, ELMO_TOKEN_END, -1);
		lanes->begins[(size_t) step * lanes->count + lane] = 1;
	}
}

static void
fill_lane(ElmoLanes *lanes, int number)
{
	ElmoLane   *lane = &lanes->lanes[number];
	int			step = 0;

	while (step < lanes->steps)
	{
		Piece		piece = {number, step};
		int64_t		left;

		if (!lane->busy && lanes->next == lanes->texts)
		{
			fill_idle(lanes, number, step);
			return;
		}
		if (!lane->busy)
		{
			lane->text = lanes->text(lanes->argument, lanes->next++);
			lane->at = 0;
			lane->busy = true;
		}
		left = (int64_t) lane->text.words + 1 - lane->at;
		piece.count = left < lanes->steps - step ? (int) left
												 : lanes->steps - step;
		piece.at = lane->at;
		piece.words = lane->text.words;
		fill_piece(lanes, &lane->text, &piece);
		lane->at += piece.count;
		lane->busy = left > piece.count;
		step += piece.count;
	}
}

bool
elmo_lanes_next(ElmoLanes *lanes)
{
	lanes->targets = 0;
	for (int lane = 0; lane < lanes->count; lane++)
		fill_lane(lanes, lane);
	return lanes->targets > 0;
}
