/*
 * layer_test.c
 *	  Activations, norms, softmax and rounding against formulas in double.
 *
 * Would show: an activation that is not the published function to the
 * precision of floats, a kernel that reads or writes beyond its counts.
 */
#include <math.h>

#include "check.h"
#include "math/product.h"
#include "math/random.h"
#include "product_sets_of_machine.h"

static Random rng;

static double
reference(Activation activation, double x)
{
	switch (activation)
	{
		case ACTIVATION_NONE:
			break;
		case ACTIVATION_GELU:
			return x / 2 * erfc(-x / sqrt(2));
		case ACTIVATION_GELU_TANH:
			return x / 2 *
				   (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
		case ACTIVATION_GELU_QUICK:
			return x / (1 + exp(-1.702 * x));
		case ACTIVATION_SILU:
			return x / (1 + exp(-x));
		case ACTIVATION_SIGMOID:
			return 1 / (1 + exp(-x));
		case ACTIVATION_TANH:
			return tanh(x);
		case ACTIVATION_RELU:
			return x > 0 ? x : 0;
	}
	return x;
}

/*
 * a row of exactly this many floats, of values around zero with some outliers
 */
static float *
row_of(int count, float spread)
{
	float	   *row = exact_alloc(sizeof(float) * count);

	for (int i = 0; i < count; i++)
		row[i] = spread * (float) random_gaussian(&rng) *
				 (i % 17 == 0 ? 10 : 1);
	return row;
}

static void
test_activations(void)
{
	for (int activation = 0; activation < ACTIVATIONS; activation++)
	{
		double		worst = 0;

		for (int count = 1; count < 70; count++)
		{
			float	   *x = row_of(count, 1.5);
			float	   *y = exact_alloc(sizeof(float) * count);

			memcpy(y, x, sizeof(float) * count);
			layer->activate(activation, count, y);
			for (int i = 0; i < count; i++)
				worst = fmax(worst, fabs(y[i] - reference(activation, x[i])) /
										fmax(1, fabs(x[i])));
			free(x);
			free(y);
		}
		for (double at = -120; at <= 120; at += 1.0 / 1024)
		{
			float		x = (float) at;
			float		y = x;

			layer->activate(activation, 1, &y);
			worst = fmax(worst, fabs(y - reference(activation, x)) /
									fmax(1, fabs(x)));
		}
		CHECK(worst < 4e-7, "%s: activation %d errs by %g", layer->name, activation, worst);
	}
}

/* Slopes against differences of the formulas. */
static void
test_slopes(void)
{
	for (int activation = 0; activation < ACTIVATIONS; activation++)
	{
		const double step = 1e-5;
		double		worst = 0;

		for (int count = 1; count < 300; count++)
		{
			float	   *x = row_of(count, 2);
			float	   *y = row_of(count, 1);
			float	   *to = exact_alloc(sizeof(float) * count);

			x[0] = activation == ACTIVATION_RELU ? 1e-30f : 0;
			memcpy(to, y, sizeof(float) * count);
			layer->slope(activation, count, x, to);
			for (int i = 0; i < count; i++)
			{
				double		slope = (reference(activation, x[i] + step) -
									 reference(activation, x[i] - step)) /
					(2 * step);

				if (activation == ACTIVATION_RELU)
					slope = x[i] > 0;
				worst = fmax(worst, fabs(to[i] - slope * y[i]) /
							 fmax(1, fabs(y[i])));
			}
			free(x);
			free(y);
			free(to);
		}
		CHECK(worst < 2e-6, "%s: slope of activation %d errs by %g",
			  layer->name, activation, worst);
	}
}

static void
test_norms(int dims, float offset)
{
	float	   *x = row_of(dims, 2);
	float	   *weight = row_of(dims, 1);
	float	   *bias = row_of(dims, 1);
	float	   *to = exact_alloc(sizeof(float) * dims);
	double		mean = 0;
	double		variance = 0;
	double		square = 0;

	for (int i = 0; i < dims; i++)
		x[i] += offset;
	for (int i = 0; i < dims; i++)
		mean += x[i] / (double) dims;
	for (int i = 0; i < dims; i++)
	{
		variance += (x[i] - mean) * (x[i] - mean) / dims;
		square += (double) x[i] * x[i] / dims;
	}
	for (int with_bias = 0; with_bias < 2; with_bias++)
	{
		layer->norm(dims, x, weight, with_bias ? bias : NULL, 1e-5f, to);
		for (int i = 0; i < dims; i++)
		{
			double		right = (x[i] - mean) / sqrt(variance + 1e-5) *
									weight[i] +
								(with_bias ? bias[i] : 0);

			CHECK(fabs(to[i] - right) <
					  2e-6 * (1 + fabs(weight[i])) * (1 + fabs(offset)) *
						  (1 + fabs(right)) * (dims == 1 ? 1000 : 1),
				  "%s: layer norm of %d: %g, not %g", layer->name, dims, to[i],
				  right);
		}
	}
	layer->rms_norm(dims, x, weight, 1e-6f, to);
	for (int i = 0; i < dims; i++)
	{
		double		right = x[i] / sqrt(square + 1e-6) * weight[i];

		CHECK(fabs(to[i] - right) <= 1e-6 * fabs(right), "%s: rms norm of %d: %g, not %g",
			  layer->name, dims, to[i], right);
	}
	free(x);
	free(weight);
	free(bias);
	free(to);
}

/* in parts of any size, with and without a bias */
static void
test_softmax(int count, bool with_bias)
{
	float	   *scores = row_of(count, 5);
	float	   *bias = row_of(count, 3);
	double	   *right = exact_alloc(sizeof(double) * count);
	double		sum = 0;
	double		largest = -INFINITY;
	SoftmaxState state = SOFTMAX_BEGIN;

	for (int i = 0; i < count; i++)
		largest = fmax(largest, scores[i] + (with_bias ? bias[i] : 0.0));
	for (int i = 0; i < count; i++)
	{
		right[i] = exp(scores[i] + (with_bias ? bias[i] : 0.0) - largest);
		sum += right[i];
	}
	for (int at = 0; at < count;)
	{
		int			part = 1 + random_below(&rng, 40);
		float		factor;
		float	   *exact;

		if (part > count - at)
			part = count - at;
		exact = exact_alloc(sizeof(float) * part);
		memcpy(exact, scores + at, sizeof(float) * part);
		factor = layer->softmax(part, exact, with_bias ? bias + at : NULL,
								&state);
		memcpy(scores + at, exact, sizeof(float) * part);
		free(exact);
		layer->scale(at, factor, scores);
		at += part;
	}
	for (int i = 0; i < count; i++)
		CHECK(fabs(scores[i] / state.sum - right[i] / sum) < 1e-6, "%s: softmax of %d: %g, not %g",
			  layer->name, count, scores[i] / state.sum, right[i] / sum);
	free(scores);
	free(bias);
	free(right);
}

static void
test_columns(int dims, int rows, int columns)
{
	float	   *from = row_of(dims * rows, 1);
	float	   *panel = exact_alloc(sizeof(float) * dims * columns);

	layer->columns_of_rows(dims, rows, from, dims, 0.5f, columns, panel);
	for (int d = 0; d < dims; d++)
		for (int r = 0; r < columns; r++)
			CHECK(panel[d * columns + r] ==
					  (r < rows ? 0.5f * from[r * dims + d] : 0),
				  "%s: column %d of %d rows of %d", layer->name, r, rows,
				  dims);
	free(from);
	free(panel);
}

static void
test_turn(int half)
{
	float	   *x = row_of(2 * half, 1);
	float	   *to = exact_alloc(sizeof(float) * 2 * half);
	float	   *cosine = exact_alloc(sizeof(float) * half);
	float	   *sine = exact_alloc(sizeof(float) * half);

	for (int i = 0; i < half; i++)
	{
		cosine[i] = cosf(i * 0.7f);
		sine[i] = sinf(i * 0.7f);
	}
	memcpy(to, x, sizeof(float) * 2 * half);
	layer->turn(half, to, cosine, sine);
	for (int i = 0; i < half; i++)
	{
		CHECK(fabs(to[i] - ((double) x[i] * cosine[i] -
							(double) x[half + i] * sine[i])) < 1e-5,
			  "%s: turn %d", layer->name, half);
		CHECK(fabs(to[half + i] - ((double) x[half + i] * cosine[i] +
								   (double) x[i] * sine[i])) < 1e-5,
			  "%s: turn %d", layer->name, half);
	}
	free(x);
	free(to);
	free(cosine);
	free(sine);
}

static void
test_rounding(int count, float offset)
{
	int			padded = (count + 7) / 8 * 8;
	float	   *x = row_of(count, 1);
	uint8_t    *bytes = exact_alloc(padded);
	int8_t	   *signed_bytes = exact_alloc(padded);
	int16_t    *shorts = exact_alloc(2 * padded);
	uint16_t   *halves = exact_alloc(2 * padded);
	LayerRounding a;
	LayerRounding b;
	LayerRounding c;

	for (int i = 0; i < count; i++)
		x[i] = offset == -1 ? 0 : x[i] + offset;
	a = layer->to_bytes(count, x, padded, bytes);
	b = layer->to_signed_bytes(count, x, padded, signed_bytes);
	c = layer->to_shorts(count, x, padded, shorts);
	layer->to_bfloat16(count, x, padded, halves);
	for (int i = 0; i < count; i++)
	{
		uint32_t	bits = (uint32_t) halves[i] << 16;
		float		half;

		memcpy(&half, &bits, sizeof(half));
		CHECK(fabs(a.least + a.scale * bytes[i] - x[i]) <=
				  0.501 * a.scale + 1e-6 * fabs(offset),
			  "%s: byte %d of %g", layer->name, bytes[i], x[i]);
		CHECK(fabs(b.least + b.scale * signed_bytes[i] - x[i]) <=
				  0.501 * b.scale + 1e-6 * fabs(offset),
			  "%s: signed byte %d of %g", layer->name, signed_bytes[i], x[i]);
		CHECK(fabs(c.scale * shorts[i] - x[i]) <= 0.501 * c.scale, "%s: short %d of %g", layer->name,
			  shorts[i], x[i]);
		CHECK(fabs(half - x[i]) <= fabs(x[i]) / 256, "%s: bfloat16 %g of %g", layer->name, half, x[i]);
		CHECK(shorts[i] >= -4095 && shorts[i] <= 4095, "%s: short %d", layer->name, shorts[i]);
	}
	free(x);
	free(bytes);
	free(signed_bytes);
	free(shorts);
	free(halves);
}

static void
test_set(void)
{
	random_seed(&rng, 1606);
	test_activations();
	test_slopes();
	for (int dims = 1; dims < 80; dims++)
	{
		test_norms(dims, 0);
		test_norms(dims, dims);
		test_softmax(dims, false);
		test_softmax(3 * dims, true);
		test_turn(dims);
		test_rounding(dims, 0);
		test_rounding(dims, 3);
		test_rounding(dims, -1);
		test_columns(dims, 1 + dims % 16, 16);
		test_columns(dims, 1 + dims % 32, 32);
	}
}

int
main(void)
{
	with_every_product_set(test_set);
	return check_result();
}
