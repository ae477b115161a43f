/*-------------------------------------------------------------------------
 *
 * lstm.h
 *	  A layer of LSTM cells whose state is projected, over many texts at once.
 *
 * Sak, Senior and Beaufays 2014 (arXiv 1402.1128) with the clips of bilm-tf:
 *
 *		i, j, f, o = x W + s R + b
 *		c <- clip(sigmoid(f) c + sigmoid(i) tanh(j))
 *		s <- clip((sigmoid(o) tanh(c)) P)
 *
 * s is what the layer gives for x, and what the next step begins with.
 *
 * Texts run side by side in slots, so that the products of a step have many
 * rows; when a text ends, the next one begins in its slot.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NETWORK_LSTM_H
#define NETWORK_LSTM_H

#include "math/product.h"

typedef struct LstmLayer
{
	int			in;
	int			cells;
	int			out;
	int			gap;			/* outputs from one gate to the next: whole
								 * panels */
	ProductMatrix input;		/* of 4 gaps, with the bias */
	ProductMatrix recurrent;	/* of 4 gaps */
	ProductMatrix projection;
	float		cell_clip;		/* infinite: none */
	float		out_clip;
	bool		add_input;		/* to what is given, not to the state */
} LstmLayer;

/*
 * What runs in which step.  Step t has the rows from first[t] to
 * first[t + 1] - 1, of the slots 0, 1 and so on, never more of them than the
 * step before.
 */
typedef struct LstmSchedule
{
	int			steps;
	int			slots;
	const int32_t *first;		/* steps + 1 of them */
	const int32_t *tokens;		/* of each row */
	const uint8_t *begins;		/* does a text begin with this row? */
} LstmSchedule;

/*
 * Rows of tokens.  x of a token is row number of_token[token], or the token's
 * own row if of_token is NULL.
 */
typedef struct LstmRows
{
	const float *x;
	size_t		x_stride;
	const int32_t *of_token;
	float	   *to;
	size_t		to_stride;
} LstmRows;

/* Floats of a state: the cells, then s. */
static inline size_t
lstm_state_floats(const LstmLayer *layer)
{
	return (size_t) layer->cells + (size_t) layer->out;
}

/* Gates of so many tokens are computed at once, and at least one step's. */
#define LSTM_ROWS 128

extern size_t lstm_scratch_bytes(const LstmLayer *layer, int slots);

/*
 * start: the state that every text begins with, or NULL: zeros.
 * end: receives the state of slot 0 after the last step, or NULL.
 * scratch: lstm_scratch_bytes, aligned to PRODUCT_ALIGNMENT.
 *
 * False if it was interrupted.
 */
extern bool lstm_run(const LstmLayer *layer, const LstmSchedule *schedule,
					 const LstmRows *rows, const float *start, float *end,
					 void *scratch, ProductInterrupt *interrupt);

#endif							/* NETWORK_LSTM_H */
