/*-------------------------------------------------------------------------
 *
 * train_work.h
 *	  What the layers of a training have in common: scratch of products,
 *	  interrupts, parts of a memory, and functions of rows.
 *
 *-------------------------------------------------------------------------
 */
#ifndef NETWORK_TRAIN_WORK_H
#define NETWORK_TRAIN_WORK_H

#include "network/real.h"

typedef struct TrainWork
{
	Real	   *scratch;		/* of matrix_product */
	ProductInterrupt *interrupt;
} TrainWork;

typedef struct TrainSize
{
	int			rows;
	int			columns;
	int			inner;
} TrainSize;

static inline bool
train_multiply(const TrainWork *work, TrainSize size, RealMatrix a,
			   RealMatrix b, bool add, Real *to)
{
	return real_product(size.rows, size.columns, size.inner, a, b, add, to,
						(size_t) size.columns, work->scratch,
						work->interrupt);
}

/*
 * to = a b, or to += a b; the rows of all three lie one after the other, and
 * "size" is that of the result and how many terms its sums have.  False if it
 * was interrupted.
 */
static inline bool
train_product(const TrainWork *work, TrainSize size, const Real *a,
			  const Real *b, bool add, Real *to)
{
	RealMatrix	left = {a, (size_t) size.inner, false};
	RealMatrix	right = {b, (size_t) size.columns, false};

	return train_multiply(work, size, left, right, add, to);
}

/* The same where b has the columns as its rows: gradients of inputs. */
static inline bool
train_product_back(const TrainWork *work, TrainSize size, const Real *a,
				   const Real *b, bool add, Real *to)
{
	RealMatrix	left = {a, (size_t) size.inner, false};
	RealMatrix	right = {b, (size_t) size.inner, true};

	return train_multiply(work, size, left, right, add, to);
}

/* to += a b where a has the rows as its columns: gradients of weights. */
static inline bool
train_product_sum(const TrainWork *work, TrainSize size, const Real *a,
				  const Real *b, Real *to)
{
	RealMatrix	left = {a, (size_t) size.rows, true};
	RealMatrix	right = {b, (size_t) size.columns, false};

	return train_multiply(work, size, left, right, true, to);
}

/* Rows begin on whole lines of the cache. */
#define TRAIN_ALIGNED(count) (((count) + 15) / 16 * 16)

/* The next part of a memory, which is only counted if it is NULL. */
static inline Real *
train_take(Real *memory, size_t *at, size_t rows, int width)
{
	Real	   *part = memory == NULL ? NULL : memory + *at;

	*at += TRAIN_ALIGNED(rows * (size_t) width);
	return part;
}

/* to += the sum of the rows */
static inline void
train_add_rows(int rows, int columns, const Real *from, Real *to)
{
	for (int r = 0; r < rows; r++)
		real_add(columns, from + (size_t) r * columns, to);
}

/* Every row becomes this one. */
static inline void
train_fill_rows(int rows, int columns, const Real *row, Real *to)
{
	for (int r = 0; r < rows; r++)
		memcpy(to + (size_t) r * columns, row, sizeof(Real) * columns);
}

#ifdef NETWORK_DOUBLE
static inline void
train_activate(Activation activation, int count, Real *x)
{
	for (int i = 0; i < count; i++)
	{
		if (activation == ACTIVATION_SIGMOID)
			x[i] = 1 / (1 + exp(-x[i]));
		else if (activation == ACTIVATION_TANH)
			x[i] = tanh(x[i]);
		else if (activation == ACTIVATION_RELU)
			x[i] = x[i] > 0 ? x[i] : 0;
	}
}

/*
 * Scores become exp(score - largest), where *largest may grow; their sum is
 * returned.
 */
static inline Real
train_softmax(int count, Real *scores, Real *largest)
{
	Real		sum = 0;

	for (int i = 0; i < count; i++)
		*largest = scores[i] > *largest ? scores[i] : *largest;
	for (int i = 0; i < count; i++)
		sum += scores[i] = exp(scores[i] - *largest);
	return sum;
}
#else
#define train_activate(activation, count, x) \
	layer->activate(activation, count, x)

static inline Real
train_softmax(int count, Real *scores, Real *largest)
{
	SoftmaxState state = {*largest, 0};

	(void) layer->softmax(count, scores, NULL, &state);
	*largest = state.largest;
	return state.sum;
}
#endif

#endif							/* NETWORK_TRAIN_WORK_H */
