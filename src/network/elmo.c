/*-------------------------------------------------------------------------
 *
 * elmo.c
 *	  From rows of words to what the layers of an ELMo give for them.
 *
 * Each text is wrapped in the marks of its begin and end.  Texts are dealt out
 * to slots, so that all slots have nearly the same work and every step of the
 * layers has as many rows as there is work for: the longest first, each into
 * the first slot that has room (first fit decreasing; Johnson 1973).
 *
 *-------------------------------------------------------------------------
 */
#include "network/elmo.h"

#include <stdlib.h>
#include <string.h>

#include "network/scratch.h"

/* Slots beyond about so many make products no faster. */
#define SLOTS 128

/*
 * Two slots together have more tokens than one has room for, and room is at
 * least a 128th of all: so there are never more.
 */
#define MOST_SLOTS (2 * SLOTS + 1)

typedef struct Piece
{
	int32_t		length;			/* steps: words and one mark or both */
	int32_t		text;
} Piece;

/* What one call has at hand. */
typedef struct ElmoRun
{
	const Elmo *elmo;
	const ElmoTexts *texts;
	float	   *to;
	size_t		width;			/* of a row of it */
	int			tokens;			/* marks with them */

	Piece	   *pieces;			/* texts, the longest first */
	int32_t    *slot_of;		/* of each piece */
	int32_t		used[MOST_SLOTS];	/* tokens of each slot */
	int32_t		place[MOST_SLOTS];	/* slots, the fullest first */
	int			slots;
	LstmSchedule schedule;
	int32_t    *first;
	int32_t    *tokens_of_rows;
	uint8_t    *begins;
	int32_t    *word_rows;		/* of each token */
	void	   *rest;			/* scratch of layers */
} ElmoRun;

static int
least(int a, int b)
{
	return a < b ? a : b;
}

/* The most slots that a call may need. */
static int
slots_of(int texts)
{
	return least(texts, MOST_SLOTS);
}

static size_t
divide_scratch(ElmoRun *run, int words, int texts, char *at)
{
	size_t		tokens = (size_t) words + 2 * (size_t) texts;
	Scratch		scratch = {at, 0};

	run->pieces = scratch_take(&scratch, sizeof(Piece) * texts);
	run->slot_of = scratch_take(&scratch, sizeof(int32_t) * texts);
	run->first = scratch_take(&scratch, sizeof(int32_t) * (tokens + 1));
	run->tokens_of_rows = scratch_take(&scratch, sizeof(int32_t) * tokens);
	run->begins = scratch_take(&scratch, tokens);
	run->word_rows = scratch_take(&scratch, sizeof(int32_t) * tokens);
	run->rest = scratch_take(&scratch,
							 lstm_scratch_bytes(&run->elmo->lstm[0][0],
												slots_of(texts)));
	return scratch.total;
}

size_t
elmo_scratch_bytes(const Elmo *elmo, int words, int texts)
{
	ElmoRun		run = {elmo};

	return divide_scratch(&run, words, texts, NULL);
}

size_t
elmo_state_floats(const Elmo *elmo)
{
	return 2 * (size_t) elmo->layers * lstm_state_floats(&elmo->lstm[0][0]);
}

static int
compare_pieces(const void *a, const void *b)
{
	const Piece *left = a;
	const Piece *right = b;

	if (left->length != right->length)
		return left->length > right->length ? -1 : 1;
	return left->text < right->text ? -1 : 1;
}

/* Deals the texts out to slots. */
static void
deal(ElmoRun *run)
{
	const ElmoTexts *texts = run->texts;
	int			room;

	for (int t = 0; t < texts->count; t++)
	{
		run->pieces[t].text = t;
		run->pieces[t].length = texts->offsets[t + 1] - texts->offsets[t] +
								(texts->last_marks ? 2 : 1);
	}
	qsort(run->pieces, (size_t) texts->count, sizeof(Piece), compare_pieces);
	room = (run->tokens + SLOTS - 1) / SLOTS;
	if (run->pieces[0].length > room)
		room = run->pieces[0].length;
	run->slots = 0;
	for (int t = 0; t < texts->count; t++)
	{
		int			slot = 0;

		while (slot < run->slots &&
			   run->used[slot] + run->pieces[t].length > room)
			slot++;
		if (slot == run->slots)
			run->used[run->slots++] = 0;
		run->used[slot] += run->pieces[t].length;
		run->slot_of[t] = slot;
	}
	/* the fullest first: those that run at a step are the first slots */
	for (int i = 0; i < run->slots; i++)
	{
		int			at = i;

		for (; at > 0 && run->used[run->place[at - 1]] < run->used[i]; at--)
			run->place[at] = run->place[at - 1];
		run->place[at] = i;
	}
}

/* Where the rows of each step begin. */
static void
count_rows(ElmoRun *run)
{
	int			steps = run->used[run->place[0]];
	int			running = run->slots;

	run->first[0] = 0;
	for (int step = 0; step < steps; step++)
	{
		while (run->used[run->place[running - 1]] <= step)
			running--;
		run->first[step + 1] = run->first[step] + running;
	}
	run->schedule.steps = steps;
	run->schedule.slots = run->slots;
	run->schedule.first = run->first;
	run->schedule.tokens = run->tokens_of_rows;
	run->schedule.begins = run->begins;
}

/* The schedule of one direction. */
static void
fill_schedule(ElmoRun *run, bool backwards)
{
	int32_t		rank[MOST_SLOTS];
	int32_t		step[MOST_SLOTS] = {0};

	for (int i = 0; i < run->slots; i++)
		rank[run->place[i]] = i;
	for (int t = 0; t < run->texts->count; t++)
	{
		const Piece *piece = &run->pieces[t];
		int			slot = run->slot_of[t];
		const int32_t *offset = &run->texts->offsets[piece->text];
		int32_t		begin = offset[0] - run->texts->offsets[0] +
							2 * piece->text;
		int32_t		last = begin + offset[1] - offset[0] + 1;

		for (int i = 0; i < piece->length; i++)
		{
			int32_t		row = run->first[step[slot]++] + rank[slot];

			run->tokens_of_rows[row] = backwards ? last - i : begin + i;
			run->begins[row] = i == 0;
		}
	}
}

/* The word of each token; marks are rows 0 and 1. */
static void
fill_words(ElmoRun *run)
{
	const ElmoTexts *texts = run->texts;
	int32_t    *row = run->word_rows;

	for (int t = 0; t < texts->count; t++)
	{
		*row++ = 0;
		for (int i = texts->offsets[t]; i < texts->offsets[t + 1]; i++)
			*row++ = texts->rows[i];
		*row++ = 1;
	}
}

static bool
run_direction(ElmoRun *run, int direction, const float *start, float *end,
			  ProductInterrupt *interrupt)
{
	const Elmo *elmo = run->elmo;
	size_t		half = (size_t) elmo->dims / 2;

	fill_schedule(run, direction == 1);
	for (int l = 0; l < elmo->layers; l++)
	{
		const LstmLayer *lstm = &elmo->lstm[direction][l];
		size_t		state = (size_t) (direction * elmo->layers + l) *
							lstm_state_floats(lstm);
		float	   *to = run->to + (size_t) l * elmo->dims + direction * half;
		LstmRows	rows = {run->texts->words, half, run->word_rows, to,
							run->width};

		if (l > 0)
		{
			rows.x = to - elmo->dims;
			rows.x_stride = run->width;
			rows.of_token = NULL;
		}
		if (!lstm_run(lstm, &run->schedule, &rows,
					  start != NULL ? start + state : NULL,
					  end != NULL ? end + state : NULL, run->rest, interrupt))
			return false;
	}
	return true;
}

bool
elmo_layers(const Elmo *elmo, const ElmoTexts *texts, float *to,
			const float *start, float *end, void *scratch,
			ProductInterrupt *interrupt)
{
	ElmoRun		run = {elmo, texts, to};
	int			words;

	if (texts->count == 0)
		return true;
	words = texts->offsets[texts->count] - texts->offsets[0];
	run.width = (size_t) elmo->layers * elmo->dims;
	run.tokens = words + 2 * texts->count;
	divide_scratch(&run, words, texts->count, scratch);
	deal(&run);
	count_rows(&run);
	fill_words(&run);
	return run_direction(&run, 0, start, end, interrupt) &&
		   run_direction(&run, 1, start, end, interrupt);
}
