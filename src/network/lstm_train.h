/*-------------------------------------------------------------------------
 *
 * lstm_train.h
 *	  Training a layer of LSTM cells with a projected state.
 *
 * The layer is that of lstm.h, its weights as files have them.  Lanes run
 * side by side, each a text after the other, a window of steps at a time; a
 * row is a lane in a step, and rows lie step by step.  Gradients go back to
 * the begin of the window, or of the text in it (Werbos 1990; Williams and
 * Peng 1990 for windows).  What a clip has cut has no gradient.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NETWORK_LSTM_TRAIN_H
#define NETWORK_LSTM_TRAIN_H

#include "network/train_work.h"

typedef struct LstmShape
{
	int			in;
	int			cells;
	int			out;
	Real		cell_clip;		/* infinite: none */
	Real		out_clip;
	bool		add_input;		/* to what is given, not to the state */
} LstmShape;

/*
 * Gates of input, candidate, forgetting and output, one added to the third.
 */
typedef struct LstmWeights
{
	const Real *gates;			/* in + out rows of 4 cells */
	const Real *bias;			/* 4 cells */
	const Real *projection;		/* cells rows of out */
} LstmWeights;

/* They are added to.  Gates and bias NULL, or projection: not wanted. */
typedef struct LstmGradients
{
	Real	   *gates;
	Real	   *bias;
	Real	   *projection;
} LstmGradients;

typedef struct LstmWindow
{
	LstmShape	shape;
	LstmWeights weights;
	int			lanes;
	int			steps;
	const uint8_t *begins;		/* does a text begin with this row? */

	/* what the forward pass leaves for the backward one */
	Real	   *gates;			/* of each row, after their activations */
	Real	   *cells;			/* a step more: what the window began with */
	Real	   *squashed;		/* tanh of the cells */
	Real	   *hidden;			/* o tanh(c) */
	Real	   *before;			/* the state that the row began with */
	Real	   *state;			/* s of each row */

	/* of the backward pass alone */
	Real	   *state_gradient;
	Real	   *hidden_gradient;	/* of one step */
	Real	   *cell_gradient;
	Real	   *carried;		/* to the state of the step before */
} LstmWindow;

/* Lays out the parts, of so many numbers; memory NULL: only counts. */
extern size_t lstm_window_memory(LstmWindow *window, Real *memory);

/*
 * cells, state: of all lanes, what the window begins with and then what it
 * ends with.  y may not be x.  False if it was interrupted.
 */
extern bool lstm_forward(LstmWindow *window, const Real *x, Real *y,
						 Real *cells, Real *state,
						 const TrainWork *work);

/*
 * The gradient of y becomes that of x, in dx; after lstm_forward with the same
 * x.
 */
extern bool lstm_backward(LstmWindow *window, const Real *x, const Real *dy,
						  Real *dx, const LstmGradients *gradients,
						  const TrainWork *work);

#endif							/* NETWORK_LSTM_TRAIN_H */
