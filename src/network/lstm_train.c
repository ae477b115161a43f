/*-------------------------------------------------------------------------
 *
 * lstm_train.c
 *	  Forwards and backwards through a window of an LSTM with a projected
 *	  state.
 *
 * What depends on x alone is one product for the window, forwards, and so is
 * all that becomes gradients of weights, backwards; the steps themselves are
 * two products each way.
 *
 *-------------------------------------------------------------------------
 */
#include "network/lstm_train.h"

#include <math.h>
#include <string.h>

size_t
lstm_window_memory(LstmWindow *window, Real *memory)
{
	const LstmShape *shape = &window->shape;
	size_t		lanes = (size_t) window->lanes;
	size_t		rows = lanes * (size_t) window->steps;
	size_t		at = 0;

	window->gates = train_take(memory, &at, rows, 4 * shape->cells);
	window->cells = train_take(memory, &at, rows + lanes, shape->cells);
	window->squashed = train_take(memory, &at, rows, shape->cells);
	window->hidden = train_take(memory, &at, rows, shape->cells);
	window->before = train_take(memory, &at, rows, shape->out);
	window->state = train_take(memory, &at, rows, shape->out);
	window->state_gradient = train_take(memory, &at, rows, shape->out);
	window->hidden_gradient = train_take(memory, &at, lanes, shape->cells);
	window->cell_gradient = train_take(memory, &at, lanes, shape->cells);
	window->carried = train_take(memory, &at, lanes, shape->out);
	return at;
}

/* The weights of the state, which lie behind those of x. */
static size_t
recurrent_offset(const LstmShape *shape)
{
	return (size_t) shape->in * 4 * shape->cells;
}

static void
clamp(int count, Real most, Real *x)
{
	for (int i = 0; i < count; i++)
	{
		if (x[i] > most)
			x[i] = most;
		else if (x[i] < -most)
			x[i] = -most;
	}
}

/* x W + b of all rows. */
static bool
gates_of_input(LstmWindow *window, const Real *x, const TrainWork *work)
{
	const LstmShape *shape = &window->shape;
	int			rows = window->lanes * window->steps;
	int			width = 4 * shape->cells;
	TrainSize	size = {rows, width, shape->in};

	train_fill_rows(rows, width, window->weights.bias, window->gates);
	return train_product(work, size, x, window->weights.gates, true,
						 window->gates);
}

/* What the lanes begin the step with: the state of the step before. */
static void
begin_step(LstmWindow *window, int step, const Real *state)
{
	int			out = window->shape.out;
	size_t		first = (size_t) step * window->lanes;

	for (int lane = 0; lane < window->lanes; lane++)
	{
		Real	   *to = window->before + (first + lane) * out;

		if (window->begins[first + lane])
			memset(to, 0, sizeof(Real) * out);
		else
			memcpy(to, state + (size_t) lane * out, sizeof(Real) * out);
	}
}

static void
step_cells(LstmWindow *window, size_t row)
{
	const LstmShape *shape = &window->shape;
	int			cells = shape->cells;
	Real	   *gates = window->gates + row * 4 * cells;
	const Real *old = window->cells + row * cells;
	Real	   *cell = window->cells + (row + window->lanes) * cells;
	Real	   *squashed = window->squashed + row * cells;
	Real	   *hidden = window->hidden + row * cells;
	Real		keep = window->begins[row] ? 0 : 1;

	for (int i = 0; i < cells; i++)
		gates[2 * cells + i] += 1;
	train_activate(ACTIVATION_SIGMOID, cells, gates);
	train_activate(ACTIVATION_TANH, cells, gates + cells);
	train_activate(ACTIVATION_SIGMOID, 2 * cells, gates + 2 * cells);
	for (int i = 0; i < cells; i++)
		cell[i] = gates[i] * gates[cells + i] +
				  keep * gates[2 * cells + i] * old[i];
	clamp(cells, shape->cell_clip, cell);
	memcpy(squashed, cell, sizeof(Real) * cells);
	train_activate(ACTIVATION_TANH, cells, squashed);
	for (int i = 0; i < cells; i++)
		hidden[i] = gates[3 * cells + i] * squashed[i];
}

static bool
run_step(LstmWindow *window, int step, const TrainWork *work)
{
	const LstmShape *shape = &window->shape;
	int			lanes = window->lanes;
	int			width = 4 * shape->cells;
	size_t		first = (size_t) step * lanes;
	TrainSize	recurrent = {lanes, width, shape->out};
	TrainSize	projection = {lanes, shape->out, shape->cells};
	Real	   *state = window->state + first * shape->out;

	if (!train_product(work, recurrent, window->before + first * shape->out,
					   window->weights.gates + recurrent_offset(shape), true,
					   window->gates + first * width))
		return false;
	for (int lane = 0; lane < lanes; lane++)
		step_cells(window, first + lane);
	if (!train_product(work, projection, window->hidden + first * shape->cells,
					   window->weights.projection, false, state))
		return false;
	clamp(lanes * shape->out, shape->out_clip, state);
	return true;
}

bool
lstm_forward(LstmWindow *window, const Real *x, Real *y, Real *cells,
			 Real *state, const TrainWork *work)
{
	const LstmShape *shape = &window->shape;
	size_t		lanes = (size_t) window->lanes;
	size_t		rows = lanes * (size_t) window->steps;
	const Real *before = state;

	memcpy(window->cells, cells, sizeof(Real) * lanes * shape->cells);
	if (!gates_of_input(window, x, work))
		return false;
	for (int step = 0; step < window->steps; step++)
	{
		begin_step(window, step, before);
		if (!run_step(window, step, work))
			return false;
		before = window->state + step * lanes * shape->out;
	}
	memcpy(y, window->state, sizeof(Real) * rows * shape->out);
	for (size_t i = 0; shape->add_input && i < rows * shape->out; i++)
		y[i] += x[i];
	if (window->steps > 0)
	{
		memcpy(cells, window->cells + rows * shape->cells,
			   sizeof(Real) * lanes * shape->cells);
		memcpy(state, before, sizeof(Real) * lanes * shape->out);
	}
	return true;
}

/* ---------- backwards ---------- */

/* The gradient of s: what came from y, and from the step behind. */
static void
state_gradient(LstmWindow *window, int step, const Real *dy)
{
	const LstmShape *shape = &window->shape;
	size_t		count = (size_t) window->lanes * shape->out;
	size_t		first = (size_t) step * count;
	const Real *state = window->state + first;
	Real	   *to = window->state_gradient + first;

	for (size_t i = 0; i < count; i++)
	{
		Real		sum = dy[first + i] + window->carried[i];

		to[i] = fabs(state[i]) < shape->out_clip ? sum : 0;
	}
}

/*
 * From the gradient of o tanh(c) to those of the four gates, in their place;
 * what goes on to the cells of the step before stays in cell_gradient.
 */
static void
gate_gradients(LstmWindow *window, size_t row, const Real *dh, Real *carried)
{
	const LstmShape *shape = &window->shape;
	int			cells = shape->cells;
	Real	   *in = window->gates + row * 4 * cells;
	Real	   *candidate = in + cells;
	Real	   *forget = in + 2 * cells;
	Real	   *out = in + 3 * cells;
	const Real *old = window->cells + row * cells;
	const Real *cell = window->cells + (row + window->lanes) * cells;
	const Real *squashed = window->squashed + row * cells;
	Real		keep = window->begins[row] ? 0 : 1;
	Real		clip = shape->cell_clip;

	for (int i = 0; i < cells; i++)
	{
		Real		dc = carried[i] +
				 dh[i] * out[i] * (1 - squashed[i] * squashed[i]);
		Real		a = in[i];
		Real		b = candidate[i];
		Real		f = forget[i];

		dc = fabs(cell[i]) < clip ? dc : 0;
		out[i] = dh[i] * squashed[i] * out[i] * (1 - out[i]);
		in[i] = dc * b * a * (1 - a);
		candidate[i] = dc * a * (1 - b * b);
		forget[i] = dc * keep * old[i] * f * (1 - f);
		carried[i] = dc * keep * f;
	}
}

static bool
back_step(LstmWindow *window, int step, const Real *dy,
		  const TrainWork *work)
{
	const LstmShape *shape = &window->shape;
	int			lanes = window->lanes;
	int			width = 4 * shape->cells;
	size_t		first = (size_t) step * lanes;
	TrainSize	hidden = {lanes, shape->cells, shape->out};
	TrainSize	before = {lanes, shape->out, width};

	state_gradient(window, step, dy);
	if (!train_product_back(work, hidden,
							window->state_gradient + first * shape->out,
							window->weights.projection, false,
							window->hidden_gradient))
		return false;
	for (int lane = 0; lane < lanes; lane++)
		gate_gradients(window, first + lane,
					   window->hidden_gradient + (size_t) lane * shape->cells,
					   window->cell_gradient + (size_t) lane * shape->cells);
	if (step > 0 &&
		!train_product_back(work, before, window->gates + first * width,
							window->weights.gates + recurrent_offset(shape),
							false, window->carried))
		return false;
	for (int lane = 0; lane < lanes; lane++)
	{
		if (window->begins[first + lane])
			memset(window->carried + (size_t) lane * shape->out, 0,
				   sizeof(Real) * shape->out);
	}
	return true;
}

/* Sums over all rows: what the weights have to do with it. */
static bool
weight_gradients(LstmWindow *window, const Real *x,
				 const LstmGradients *gradients, const TrainWork *work)
{
	const LstmShape *shape = &window->shape;
	int			rows = window->lanes * window->steps;
	int			width = 4 * shape->cells;
	TrainSize	input = {shape->in, width, rows};
	TrainSize	recurrent = {shape->out, width, rows};
	TrainSize	projection = {shape->cells, shape->out, rows};

	if (gradients->gates != NULL)
	{
		train_add_rows(rows, width, window->gates, gradients->bias);
		if (!train_product_sum(work, input, x, window->gates,
							   gradients->gates) ||
			!train_product_sum(work, recurrent, window->before, window->gates,
							   gradients->gates + recurrent_offset(shape)))
			return false;
	}
	return gradients->projection == NULL ||
		   train_product_sum(work, projection, window->hidden,
							 window->state_gradient, gradients->projection);
}

bool
lstm_backward(LstmWindow *window, const Real *x, const Real *dy, Real *dx,
			  const LstmGradients *gradients, const TrainWork *work)
{
	const LstmShape *shape = &window->shape;
	size_t		lanes = (size_t) window->lanes;
	size_t		rows = lanes * (size_t) window->steps;
	int			width = 4 * shape->cells;
	TrainSize	size = {(int) rows, shape->in, width};

	memset(window->cell_gradient, 0, sizeof(Real) * lanes * shape->cells);
	memset(window->carried, 0, sizeof(Real) * lanes * shape->out);
	for (int step = window->steps - 1; step >= 0; step--)
	{
		if (!back_step(window, step, dy, work))
			return false;
	}
	if (!weight_gradients(window, x, gradients, work))
		return false;
	if (shape->add_input)
		memcpy(dx, dy, sizeof(Real) * rows * shape->in);
	return train_product_back(work, size, window->gates,
							  window->weights.gates, shape->add_input, dx);
}
