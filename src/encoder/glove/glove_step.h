/*-------------------------------------------------------------------------
 *
 * glove_step.h
 *	  Stochastic gradient descent on co-occurrences: GloVe's step.
 *
 * For a word i that occurs with a context j as often as X says, the cost is
 * f(X) (w_i . v_j + b_i + c_j - ln X)^2 / 2 (Pennington, Socher and Manning,
 * "GloVe: Global Vectors for Word Representation", EMNLP 2014, equation 8;
 * half of it, as their program prints), and the step is AdaGrad's (Duchi,
 * Hazan and Singer, JMLR 2011) with the program's choices: gradients of
 * vectors are clipped to 100 and multiplied by eta before they are squared
 * and added up; those of the biases are neither.
 *
 * Words and contexts each have a matrix of rows, a row being
 *		stride floats	the vector, zero beyond its dimensions
 *		stride floats	sums of the squares of its gradients, 1 at first
 *		GLOVE_TAIL		the bias, its sum of squares, the row's share of eta
 * so that a step reads two places of memory and no others.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GLOVE_STEP_H
#define GLOVE_STEP_H

#include <stddef.h>
#include <stdint.h>

#define GLOVE_LANES		16		/* stride is a multiple of this */
#define GLOVE_ALIGNMENT	64
#define GLOVE_CLIP		100.0f

/* places in the tail */
enum
{
	GLOVE_BIAS,
	GLOVE_BIAS_SQUARES,
	GLOVE_RATE,					/* eta is multiplied by it, vectors only */
	GLOVE_TAIL = 16
};

/* One co-occurrence, ready for training. */
typedef struct GloveRecord
{
	int32_t		row;			/* of the words' matrix */
	int32_t		column;			/* row of the contexts' matrix */
	float		target;			/* ln X */
	float		weight;			/* f(X) */
} GloveRecord;

typedef struct GloveModel
{
	float	   *words;
	float	   *contexts;
	int			stride;
	float		eta;
} GloveModel;

static inline size_t
glove_row_floats(int stride)
{
	return 2 * (size_t) stride + GLOVE_TAIL;
}

typedef struct GloveKernels
{
	const char *name;

	/*
	 * Train on records in their order, and add their costs to *cost.  Stops
	 * before one whose error is not finite; returns how many were trained.
	 */
	int			(*train) (const GloveModel *model, const GloveRecord *records,
						  int count, double *cost);
} GloveKernels;

/* The best set for this CPU; "name" asks for one of them (NULL if it cannot). */
extern const GloveKernels *glove_kernels(const char *name);

#endif							/* GLOVE_STEP_H */
