/*
 * steps_test.c
 *	  Chains of dense layers and norms against sums in double.
 *
 * Would show: a step that reads another's weights, a wrong order of bias and
 * activation, memory beyond the sizes asked for.
 */
#include <math.h>
#include <string.h>

#include "check.h"
#include "math/layer.h"
#include "math/random.h"
#include "network/steps.h"
#include "product_sets_of_machine.h"

#define STEPS 4
#define WIDEST 70

static Random rng;

static char *
aligned_block(size_t bytes)
{
	void	   *block = NULL;

	if (posix_memalign(&block, PRODUCT_ALIGNMENT, bytes + 1) != 0)
		exit(EXIT_FAILURE);
	return block;
}

static void
fill(float *values, int count)
{
	for (int i = 0; i < count; i++)
		values[i] = (float) random_gaussian(&rng);
}

/* Rows of a dense step into its panels. */
static void
pack(const VectorStep *step, const float *rows, char *panels)
{
	int			columns = product_panel_columns(PRODUCT_FLOAT32);
	size_t		bytes = product_panel_bytes(PRODUCT_FLOAT32, step->in);

	for (int at = 0; at < step->out; at += columns)
	{
		int			count = step->out - at < columns ? step->out - at
													 : columns;

		product_pack_panel(PRODUCT_FLOAT32, step->in, count,
						   rows + (size_t) at * step->in, step->in,
						   panels + at / columns * bytes);
	}
}

static double
activated(Activation activation, double x)
{
	switch (activation)
	{
		case ACTIVATION_TANH:
			return tanh(x);
		case ACTIVATION_RELU:
			return x > 0 ? x : 0;
		case ACTIVATION_SIGMOID:
			return 1 / (1 + exp(-x));
		default:
			return x;
	}
}

static void
expect_dense(const VectorStep *step, const float *weights, const float *bias,
			 double *x)
{
	double		sums[WIDEST];

	for (int o = 0; o < step->out; o++)
	{
		double		sum = step->has_bias ? bias[o] : 0;

		for (int i = 0; i < step->in; i++)
			sum += (double) weights[(size_t) o * step->in + i] * x[i];
		sums[o] = activated((Activation) step->activation, sum);
	}
	memcpy(x, sums, sizeof(double) * step->out);
}

static void
expect_norm(const VectorStep *step, const float *weights, const float *bias,
			double *x)
{
	double		mean = 0;
	double		variance = 0;

	for (int i = 0; i < step->in; i++)
		mean += x[i] / step->in;
	for (int i = 0; i < step->in; i++)
		variance += (x[i] - mean) * (x[i] - mean) / step->in;
	for (int i = 0; i < step->in; i++)
		x[i] = (x[i] - mean) / sqrt(variance + step->epsilon) * weights[i] +
			   (step->has_bias ? bias[i] : 0);
}

static void
expect_length(const VectorStep *step, double *x)
{
	double		square = 0;

	for (int i = 0; i < step->in; i++)
		square += x[i] * x[i];
	for (int i = 0; i < step->in; i++)
		x[i] /= sqrt(square);
}

static void
test_chain(VectorStep *steps, int count)
{
	float	   *weights[STEPS];
	float	   *bias[STEPS];
	uint64_t	end = 0;
	int			widest = steps_widest(steps, count, steps[0].in);
	char	   *bytes;
	float	   *x = (float *) aligned_block(sizeof(float) * widest);
	float	   *scratch = (float *) aligned_block(sizeof(float) * widest);
	double		expected[WIDEST];
	int			dims;

	for (int i = 0; i < count; i++)
		end = step_place(&steps[i], end);
	bytes = aligned_block(end);
	for (int i = 0; i < count; i++)
	{
		const VectorStep *step = &steps[i];
		int			numbers = step->kind == STEP_DENSE
								  ? step->in * step->out
								  : step->in;

		weights[i] = exact_alloc(sizeof(float) * numbers);
		bias[i] = exact_alloc(sizeof(float) * step->out);
		fill(weights[i], numbers);
		fill(bias[i], step->out);
		if (step->kind == STEP_DENSE)
			pack(step, weights[i], bytes + step->weights);
		else if (step->kind == STEP_LAYER_NORM)
			memcpy(bytes + step->weights, weights[i], sizeof(float) * numbers);
		if (step->has_bias)
			memcpy(bytes + step->bias, bias[i], sizeof(float) * step->out);
	}
	fill(x, steps[0].in);
	for (int i = 0; i < steps[0].in; i++)
		expected[i] = x[i];
	for (int i = 0; i < count; i++)
	{
		if (steps[i].kind == STEP_DENSE)
			expect_dense(&steps[i], weights[i], bias[i], expected);
		else if (steps[i].kind == STEP_LAYER_NORM)
			expect_norm(&steps[i], weights[i], bias[i], expected);
		else
			expect_length(&steps[i], expected);
	}
	dims = steps_run(steps, count, bytes, steps[0].in, x, scratch, NULL);
	CHECK(dims == steps[count - 1].out, "%d dimensions", dims);
	for (int i = 0; i < dims; i++)
		CHECK(fabs(x[i] - expected[i]) < 2e-5 * (1 + fabs(expected[i])),
			  "%s: output %d of %d is %.8g, not %.8g", product_kernels, i,
			  dims, x[i], expected[i]);
	for (int i = 0; i < count; i++)
	{
		free(weights[i]);
		free(bias[i]);
	}
	free(bytes);
	free(x);
	free(scratch);
}

static void
test_set(void)
{
	static const Activation activations[] = {
		ACTIVATION_NONE, ACTIVATION_TANH, ACTIVATION_RELU, ACTIVATION_SIGMOID
	};

	random_seed(&rng, 1911);
	for (int in = 1; in < WIDEST; in += 7)
	{
		for (int i = 0; i < 4; i++)
		{
			int			out = (in * 5 + i * 11) % WIDEST + 1;
			VectorStep	steps[STEPS] = {
				{STEP_DENSE, in, out, activations[i], i % 2},
				{STEP_LAYER_NORM, out, out, ACTIVATION_NONE, 1, 1e-3f},
				{STEP_DENSE, out, 3, ACTIVATION_NONE, 1},
				{STEP_NORMALIZE, 3, 3}
			};

			test_chain(steps, 1);
			test_chain(steps, 3);
			test_chain(steps, 4);
		}
	}
}

int
main(void)
{
	with_every_product_set(test_set);
	return check_result();
}
