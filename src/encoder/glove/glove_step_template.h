/*-------------------------------------------------------------------------
 *
 * glove_step_template.h
 *	  GloVe's step written once for every instruction set.
 *
 * A file that includes this has included one of math/lanes_*.h and defines
 *		INVERSE_ROOT(a)		1 / sqrt(a) for each lane, a at least 1
 *		STEP_NAME, STEP_SET	name of the set
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/glove/glove_step.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

/* Rows are fetched so many records ahead of their turn. */
#define FETCH_AHEAD 4

LANES_INLINE float
row_product(int stride, const float *a, const float *b)
{
	Lanes		even = lanes_set(0);
	Lanes		odd = lanes_set(0);
	int			i = 0;

	for (; i + 2 * LANES <= stride; i += 2 * LANES)
	{
		even = lanes_multiply_add(lanes_load(a + i), lanes_load(b + i), even);
		odd = lanes_multiply_add(lanes_load(a + i + LANES),
								 lanes_load(b + i + LANES), odd);
	}
	for (; i < stride; i += LANES)
		even = lanes_multiply_add(lanes_load(a + i), lanes_load(b + i), even);
	return lanes_sum(lanes_add(even, odd));
}

/* A gradient, clipped, times the learning rate */
LANES_INLINE Lanes
clipped(Lanes error, Lanes other, Lanes eta)
{
	Lanes		gradient = lanes_multiply(error, other);

	gradient = lanes_min(gradient, lanes_set(GLOVE_CLIP));
	gradient = lanes_max(gradient, lanes_set(-GLOVE_CLIP));
	return lanes_multiply(gradient, eta);
}

/* Move a piece of a row; the sum of squares is the one before this step. */
LANES_INLINE void
move(float *vector, float *squares, Lanes old, Lanes gradient)
{
	Lanes		sum = lanes_load(squares);
	Lanes		change = lanes_multiply(gradient, INVERSE_ROOT(sum));

	lanes_store(vector, lanes_subtract(old, change));
	lanes_store(squares, lanes_multiply_add(gradient, gradient, sum));
}

LANES_INLINE void
move_bias(float *tail, float error)
{
	tail[GLOVE_BIAS] -= error / sqrtf(tail[GLOVE_BIAS_SQUARES]);
	tail[GLOVE_BIAS_SQUARES] += error * error;
}

/* False, and nothing is changed, where the error is not finite */
LANES_INLINE bool
train_one(int stride, float eta, float *word, float *context, float target,
		  float weight, double *cost)
{
	float	   *word_tail = word + 2 * stride;
	float	   *context_tail = context + 2 * stride;
	float		difference = row_product(stride, word, context) +
		word_tail[GLOVE_BIAS] + context_tail[GLOVE_BIAS] - target;
	float		error = weight * difference;
	Lanes		errors = lanes_set(error);
	Lanes		word_eta = lanes_set(eta * word_tail[GLOVE_RATE]);
	Lanes		context_eta = lanes_set(eta * context_tail[GLOVE_RATE]);

	if (!(fabsf(error) <= FLT_MAX))
		return false;
	for (int i = 0; i < stride; i += LANES)
	{
		Lanes		w = lanes_load(word + i);
		Lanes		c = lanes_load(context + i);

		move(word + i, word + stride + i, w, clipped(errors, c, word_eta));
		move(context + i, context + stride + i, c,
			 clipped(errors, w, context_eta));
	}
	move_bias(word_tail, error);
	move_bias(context_tail, error);
	*cost += 0.5 * (double) error * difference;
	return true;
}

LANES_INLINE void
fetch(const float *row, size_t floats)
{
	for (size_t i = 0; i < floats; i += GLOVE_ALIGNMENT / sizeof(float))
		__builtin_prefetch(row + i, 1, 3);
}

static LANES_TARGET int
train_records(const GloveModel *model, const GloveRecord *records, int count,
			  double *cost)
{
	size_t		floats = glove_row_floats(model->stride);

	for (int i = 0; i < count; i++)
	{
		const GloveRecord *record = &records[i];

		if (i + FETCH_AHEAD < count)
		{
			const GloveRecord *next = &records[i + FETCH_AHEAD];

			fetch(model->words + next->row * floats, floats);
			fetch(model->contexts + next->column * floats, floats);
		}
		if (!train_one(model->stride, model->eta,
					   model->words + record->row * floats,
					   model->contexts + record->column * floats,
					   record->target, record->weight, cost))
			return i;
	}
	return count;
}

static const GloveKernels STEP_SET = {STEP_NAME, train_records};
