/*-------------------------------------------------------------------------
 *
 * lstm.c
 *	  A layer of LSTM cells whose state is projected, over many texts at once.
 *
 * The part of the gates that depends on x alone is computed for many steps at
 * once; the part that depends on the state is added step by step, one product
 * for the texts of all slots.  Both sums are chains of their own, whatever
 * runs beside, so a text's numbers do not depend on other texts.
 *
 *-------------------------------------------------------------------------
 */
#include "network/lstm.h"

#include <string.h>

#include "network/scratch.h"

/* What one call has at hand. */
typedef struct LstmRun
{
	const LstmLayer *layer;
	const LstmSchedule *schedule;
	const LstmRows *rows;
	const float *start;
	ProductInterrupt *interrupt;

	float	   *gates;			/* of the rows under way */
	float	   *x;				/* theirs */
	float	   *cells;			/* of each slot */
	float	   *hidden;			/* o tanh(c) */
	float	   *state;			/* s */
	void	   *rounded;		/* rows as products take them */

	/* floats from row to row */
	size_t		gate_width;
	size_t		x_width;
	size_t		cell_width;
	size_t		state_width;
} LstmRun;

static int
most_rows(int slots)
{
	return slots + LSTM_ROWS;
}

static size_t
divide_scratch(LstmRun *run, const LstmLayer *layer, int slots, char *at)
{
	size_t		rows = (size_t) most_rows(slots);
	ProductPrecision precision = layer->input.precision;
	int			widest = layer->in > layer->out ? layer->in : layer->out;
	Scratch		scratch = {at, 0};

	if (layer->cells > widest)
		widest = layer->cells;
	run->gate_width = scratch_width(4 * layer->gap);
	run->x_width = scratch_width(layer->in);
	run->cell_width = scratch_width(layer->cells);
	run->state_width = scratch_width(layer->out);
	run->gates = scratch_floats(&scratch, rows, run->gate_width);
	run->x = scratch_floats(&scratch, rows, run->x_width);
	run->cells = scratch_floats(&scratch, slots, run->cell_width);
	run->hidden = scratch_floats(&scratch, slots, run->cell_width);
	run->state = scratch_floats(&scratch, slots, run->state_width);
	run->rounded = scratch_take(&scratch, product_rows_bytes(precision, widest,
															 (int) rows));
	return scratch.total;
}

size_t
lstm_scratch_bytes(const LstmLayer *layer, int slots)
{
	LstmRun		run;

	return divide_scratch(&run, layer, slots, NULL);
}

static const float *
x_of(const LstmRun *run, int32_t token)
{
	const LstmRows *rows = run->rows;
	int32_t		row = rows->of_token != NULL ? rows->of_token[token] : token;

	return rows->x + (size_t) row * rows->x_stride;
}

/* x W + b of the rows of some steps. */
static bool
gates_of_input(LstmRun *run, int first, int count)
{
	const LstmLayer *layer = run->layer;
	ProductResult result = {run->gates, run->gate_width};
	ProductRows values;

	for (int r = 0; r < count; r++)
		memcpy(run->x + r * run->x_width,
			   x_of(run, run->schedule->tokens[first + r]),
			   sizeof(float) * layer->in);
	values = product_rows(layer->input.precision, layer->in, count, run->x,
						  run->x_width, run->rounded);
	return product(&layer->input, &values, &result, run->interrupt);
}

static void
begin_text(LstmRun *run, int slot)
{
	const LstmLayer *layer = run->layer;
	float	   *cells = run->cells + slot * run->cell_width;
	float	   *state = run->state + slot * run->state_width;

	if (run->start != NULL)
	{
		memcpy(cells, run->start, sizeof(float) * layer->cells);
		memcpy(state, run->start + layer->cells, sizeof(float) * layer->out);
	}
	else
	{
		memset(cells, 0, sizeof(float) * layer->cells);
		memset(state, 0, sizeof(float) * layer->out);
	}
}

/* What the step gives for its tokens. */
static void
give(LstmRun *run, int step, int count, const float *x)
{
	const LstmLayer *lstm = run->layer;
	const int32_t *tokens = run->schedule->tokens +
							run->schedule->first[step];

	for (int slot = 0; slot < count; slot++)
	{
		float	   *to = run->rows->to + (size_t) tokens[slot] *
												run->rows->to_stride;

		memcpy(to, run->state + slot * run->state_width,
			   sizeof(float) * lstm->out);
		if (lstm->add_input)
			layer->add(lstm->out, x + slot * run->x_width, to);
	}
}

/* One step of all slots that still run; gates: their part of x. */
static bool
run_step(LstmRun *run, int step, float *gates, const float *x)
{
	const LstmLayer *lstm = run->layer;
	int			first = run->schedule->first[step];
	int			count = run->schedule->first[step + 1] - first;
	ProductResult recurrent = {gates, run->gate_width, ACTIVATION_NONE,
							   PRODUCT_ADD};
	ProductResult projected = {run->state, run->state_width};
	ProductRows values;

	for (int slot = 0; slot < count; slot++)
	{
		if (run->schedule->begins[first + slot])
			begin_text(run, slot);
	}
	values = product_rows(lstm->recurrent.precision, lstm->out, count,
						  run->state, run->state_width, run->rounded);
	if (!product(&lstm->recurrent, &values, &recurrent, run->interrupt))
		return false;
	for (int slot = 0; slot < count; slot++)
		layer->lstm_cells(lstm->cells, gates + slot * run->gate_width,
						  (size_t) lstm->gap, lstm->cell_clip,
						  run->cells + slot * run->cell_width,
						  run->hidden + slot * run->cell_width);
	values = product_rows(lstm->projection.precision, lstm->cells, count,
						  run->hidden, run->cell_width, run->rounded);
	if (!product(&lstm->projection, &values, &projected, run->interrupt))
		return false;
	for (int slot = 0; slot < count; slot++)
		layer->clamp(lstm->out, lstm->out_clip,
					 run->state + slot * run->state_width);
	give(run, step, count, x);
	return true;
}

bool
lstm_run(const LstmLayer *layer, const LstmSchedule *schedule,
		 const LstmRows *rows, const float *start, float *end, void *scratch,
		 ProductInterrupt *interrupt)
{
	LstmRun		run = {layer, schedule, rows, start, interrupt};
	const int32_t *first = schedule->first;

	divide_scratch(&run, layer, schedule->slots, scratch);
	for (int step = 0; step < schedule->steps;)
	{
		int			until = step + 1;

		while (until < schedule->steps &&
			   first[until + 1] - first[step] <= LSTM_ROWS)
			until++;
		if (!gates_of_input(&run, first[step], first[until] - first[step]))
			return false;
		for (int begin = first[step]; step < until; step++)
		{
			int			row = first[step] - begin;

			if (!run_step(&run, step, run.gates + row * run.gate_width,
						  run.x + row * run.x_width))
				return false;
		}
	}
	if (end != NULL && schedule->steps > 0)
	{
		memcpy(end, run.cells, sizeof(float) * layer->cells);
		memcpy(end + layer->cells, run.state, sizeof(float) * layer->out);
	}
	return true;
}
