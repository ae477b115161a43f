/*-------------------------------------------------------------------------
 *
 * steps.c
 *	  What becomes of a vector after pooling: dense layers, norms.
 *
 *-------------------------------------------------------------------------
 */
#include "network/steps.h"

#include <string.h>

#include "math/layer.h"
#include "network/pooling.h"

static uint64_t
aligned(uint64_t at)
{
	return (at + PRODUCT_ALIGNMENT - 1) / PRODUCT_ALIGNMENT *
		PRODUCT_ALIGNMENT;
}

size_t
step_weight_bytes(const VectorStep *step)
{
	int			columns = product_panel_columns(PRODUCT_FLOAT32);

	switch (step->kind)
	{
		case STEP_DENSE:
			return (step->out + columns - 1) / columns *
				product_panel_bytes(PRODUCT_FLOAT32, step->in);
		case STEP_LAYER_NORM:
			return sizeof(float) * step->in;
		default:
			return 0;
	}
}

uint64_t
step_place(VectorStep *step, uint64_t end)
{
	step->weights = aligned(end);
	end = step->weights + step_weight_bytes(step);
	step->bias = aligned(end);
	if (!step->has_bias)
		return end;
	return step->bias + sizeof(float) * step->out;
}

int
steps_widest(const VectorStep *steps, int count, int dims)
{
	for (int i = 0; i < count; i++)
	{
		if (steps[i].out > dims)
			dims = steps[i].out;
	}
	return dims;
}

static bool
dense(const VectorStep *step, const char *weights, const float *x, float *to,
	  ProductInterrupt *interrupt)
{
	ProductMatrix matrix = {PRODUCT_FLOAT32, step->in, step->out,
		weights + step->weights,
	step->has_bias ? (const float *) (weights + step->bias) : NULL};
	ProductRows row = product_rows(PRODUCT_FLOAT32, step->in, 1, x, step->in,
								   NULL);
	ProductResult result = {to, step->out, (Activation) step->activation,
	PRODUCT_STORE};

	return product(&matrix, &row, &result, interrupt);
}

int
steps_run(const VectorStep *steps, int count, const void *weights,
		  int dims, float *x, float *scratch, ProductInterrupt *interrupt)
{
	const char *bytes = weights;

	for (int i = 0; i < count; i++)
	{
		const VectorStep *step = &steps[i];

		switch (step->kind)
		{
			case STEP_DENSE:
				if (!dense(step, bytes, x, scratch, interrupt))
					return -1;
				memcpy(x, scratch, sizeof(float) * step->out);
				break;
			case STEP_LAYER_NORM:
				layer->norm(dims, x, (const float *) (bytes + step->weights),
							step->has_bias ?
							(const float *) (bytes + step->bias) : NULL,
							step->epsilon, x);
				break;
			default:
				pooling_normalize(dims, x);
				break;
		}
		dims = step->out;
	}
	return dims;
}
