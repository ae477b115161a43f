/*-------------------------------------------------------------------------
 *
 * layer_kernels.h
 *	  The kernels of layer.h, a template over the lanes of a register.
 *
 * Included by layer_avx2.c and its like after their lanes_*.h, with LAYER_SET
 * and LAYER_NAME, the set and its name.
 *
 *-------------------------------------------------------------------------
 */
#include "math/layer.h"
#include "math/product.h"

#include <math.h>

/* for (i of whole registers) in two chains, then what is left */
#define WHOLE(count) ((count) / LANES * LANES)

/*
 * e^x for -87 <= x <= 88 to an ulp and a half; x outside is taken to the edge.
 * Range reduction by ln 2 in two parts (Cody and Waite 1980), then a
 * polynomial of degree 6 that leaves 3e-9, fitted for this file by Lawson's
 * iteration.
 */
LANES_INLINE Lanes
exponential(Lanes x)
{
	Lanes		n;
	Lanes		r;
	Lanes		p;

	x = lanes_max(lanes_min(x, lanes_set(88.0f)), lanes_set(-87.0f));
	n = lanes_round(lanes_multiply(x, lanes_set(1.44269504f)));
	r = lanes_multiply_add(n, lanes_set(-0.693359375f), x);
	r = lanes_multiply_add(n, lanes_set(2.12194440e-4f), r);
	p = lanes_set(0.00138146f);
	p = lanes_multiply_add(p, r, lanes_set(0.00836871f));
	p = lanes_multiply_add(p, r, lanes_set(0.04166839f));
	p = lanes_multiply_add(p, r, lanes_set(0.16666521f));
	p = lanes_multiply_add(p, r, lanes_set(0.49999993f));
	p = lanes_multiply_add(p, r, lanes_set(1.0f));
	p = lanes_multiply_add(p, r, lanes_set(1.0f));
	return lanes_scale(p, n);
}

/*
 * x times the normal distribution function, which is (Q + x P) / 2Q with
 * polynomials of x^2: erf(z) = z P / Q leaves 2e-8 in |z| < 3.925 (fitted for
 * this file), and beyond that the function is 0 or 1 to the precision of
 * floats.
 */
LANES_INLINE Lanes
gelu(Lanes x)
{
	const float edge = 5.5507880f;	/* 3.925 sqrt 2 */
	Lanes		above = lanes_max(x, lanes_set(-edge));
	Lanes		inside = lanes_min(above, lanes_set(edge));
	Lanes		square = lanes_multiply(inside, inside);
	Lanes		p = lanes_set(4.502390101e-08f);
	Lanes		q = lanes_set(1.188450028e-06f);

	p = lanes_multiply_add(p, square, lanes_set(1.264720836e-05f));
	p = lanes_multiply_add(p, square, lanes_set(3.382276361e-04f));
	p = lanes_multiply_add(p, square, lanes_set(9.357494014e-03f));
	p = lanes_multiply_add(p, square, lanes_set(6.782524270e-02f));
	p = lanes_multiply_add(p, square, lanes_set(7.978845180e-01f));
	q = lanes_multiply_add(q, square, lanes_set(7.357727736e-05f));
	q = lanes_multiply_add(q, square, lanes_set(1.886299229e-03f));
	q = lanes_multiply_add(q, square, lanes_set(2.867444605e-02f));
	q = lanes_multiply_add(q, square, lanes_set(2.516724467e-01f));
	q = lanes_multiply_add(q, square, lanes_set(1.0f));
	p = lanes_multiply_add(p, inside, q);
	return lanes_divide(
		lanes_multiply(above, lanes_multiply(p, lanes_set(0.5f))), q);
}

/* x / (1 + e^-t): e^80 is large enough, and 1 / it still no denormal */
LANES_INLINE Lanes
times_sigmoid(Lanes x, Lanes t)
{
	Lanes		power = exponential(
			  lanes_min(lanes_subtract(lanes_set(0), t), lanes_set(80.0f)));

	return lanes_divide(x, lanes_add(lanes_set(1.0f), power));
}

/*
 * 1 - 2 / (1 + e^2x), and below 0.2, where that would lose bits, the first
 * terms of the series.
 */
LANES_INLINE Lanes
hyperbolic_tangent(Lanes x)
{
	Lanes		square = lanes_min(lanes_multiply(x, x), lanes_set(1.0f));
	Lanes		large = lanes_multiply_add(square, lanes_set(1e30f),
										   lanes_set(-0.04e30f));
	Lanes		series = lanes_set(-0.05396825f);
	Lanes		near;
	Lanes		far;

	large = lanes_min(lanes_max(large, lanes_set(0)), lanes_set(1.0f));
	series = lanes_multiply_add(series, square, lanes_set(0.13333333f));
	series = lanes_multiply_add(series, square, lanes_set(-0.33333333f));
	near = lanes_min(lanes_max(x, lanes_set(-1.0f)), lanes_set(1.0f));
	near = lanes_multiply_add(lanes_multiply(series, square), near, near);
	far = times_sigmoid(lanes_set(2.0f), lanes_multiply(x, lanes_set(-2.0f)));
	far = lanes_subtract(lanes_set(1.0f), far);
	return lanes_multiply_add(large, lanes_subtract(far, near), near);
}

LANES_INLINE Lanes
activated(const Activation activation, Lanes x)
{
	Lanes		cube;

	switch (activation)
	{
		case ACTIVATION_NONE:
			break;
		case ACTIVATION_GELU:
			return gelu(x);
		case ACTIVATION_GELU_TANH:
			/* (1 + tanh t) / 2 = sigmoid(2t) */
			cube = lanes_multiply(lanes_multiply(x, x), x);
			return times_sigmoid(
				x, lanes_multiply(
					   lanes_set(1.5957691216f),
					   lanes_multiply_add(cube, lanes_set(0.044715f), x)));
		case ACTIVATION_GELU_QUICK:
			return times_sigmoid(x, lanes_multiply(x, lanes_set(1.702f)));
		case ACTIVATION_SILU:
			return times_sigmoid(x, x);
		case ACTIVATION_SIGMOID:
			return times_sigmoid(lanes_set(1.0f), x);
		case ACTIVATION_TANH:
			return hyperbolic_tangent(x);
		case ACTIVATION_RELU:
			return lanes_max(x, lanes_set(0));
	}
	return x;
}

/* "activation" and "integer" are constants where this is inlined */
LANES_INLINE void
finish_rows(const Activation activation, const bool integer,
			const LayerFinish *how, int rows, const void *sums,
			size_t sum_stride)
{
	for (int r = 0; r < rows; r++)
	{
		const char *from = (const char *) sums + r * sum_stride;
		float	   *to = how->to + r * how->stride;

		for (int i = 0; i < how->columns; i += LANES)
		{
			int			left = how->columns - i;
			Lanes		x;

			if (integer)
			{
				x = lanes_multiply(lanes_from_int((const int32_t *) from + i),
								   lanes_load(how->column_scale + i));
				x = lanes_multiply(x, lanes_set(how->row_scale[r]));
				x = lanes_multiply_add(lanes_load(how->column_sum + i),
									   lanes_set(how->row_least[r]), x);
			}
			else
				x = lanes_load((const float *) from + i);
			if (left >= LANES)
			{
				if (how->bias != NULL)
					x = lanes_add(x, lanes_load(how->bias + i));
				x = activated(activation, x);
				if (how->combine == PRODUCT_ADD)
					x = lanes_add(x, lanes_load(to + i));
				else if (how->combine == PRODUCT_MULTIPLY)
					x = lanes_multiply(x, lanes_load(to + i));
				lanes_store(to + i, x);
			}
			else
			{
				if (how->bias != NULL)
					x = lanes_add(x, lanes_load_first(how->bias + i, left));
				x = activated(activation, x);
				if (how->combine == PRODUCT_ADD)
					x = lanes_add(x, lanes_load_first(to + i, left));
				else if (how->combine == PRODUCT_MULTIPLY)
					x = lanes_multiply(x, lanes_load_first(to + i, left));
				lanes_store_first(to + i, x, left);
			}
		}
	}
}

LANES_TARGET static void
finish(const LayerFinish *how, int rows, const void *sums, size_t sum_stride)
{
	switch (how->activation)
	{
#define FINISH_CASE(activation) \
		case activation: \
			if (how->integer) \
				finish_rows(activation, true, how, rows, sums, sum_stride); \
			else \
				finish_rows(activation, false, how, rows, sums, sum_stride); \
			break;
			FINISH_CASE(ACTIVATION_NONE)
			FINISH_CASE(ACTIVATION_GELU)
			FINISH_CASE(ACTIVATION_GELU_TANH)
			FINISH_CASE(ACTIVATION_GELU_QUICK)
			FINISH_CASE(ACTIVATION_SILU)
			FINISH_CASE(ACTIVATION_SIGMOID)
			FINISH_CASE(ACTIVATION_TANH)
			FINISH_CASE(ACTIVATION_RELU)
	}
}

LANES_INLINE void
activate_row(const Activation activation, int count, float *x)
{
	int			i = 0;

	for (; i < WHOLE(count); i += LANES)
		lanes_store(x + i, activated(activation, lanes_load(x + i)));
	if (i < count)
		lanes_store_first(
			x + i, activated(activation, lanes_load_first(x + i, count - i)),
			count - i);
}

LANES_TARGET static void
activate(Activation activation, int count, float *x)
{
	switch (activation)
	{
#define ACTIVATE_CASE(activation) \
		case activation: \
			activate_row(activation, count, x); \
			break;
		case ACTIVATION_NONE:
			break;
			ACTIVATE_CASE(ACTIVATION_GELU)
			ACTIVATE_CASE(ACTIVATION_GELU_TANH)
			ACTIVATE_CASE(ACTIVATION_GELU_QUICK)
			ACTIVATE_CASE(ACTIVATION_SILU)
			ACTIVATE_CASE(ACTIVATION_SIGMOID)
			ACTIVATE_CASE(ACTIVATION_TANH)
			ACTIVATE_CASE(ACTIVATION_RELU)
	}
}

/* s + u s (1 - s) with the sigmoid s of t: the slope of x s if u = x dt/dx */
LANES_INLINE Lanes
sigmoid_slope(Lanes t, Lanes u)
{
	Lanes		s = times_sigmoid(lanes_set(1.0f), t);
	Lanes		rest = lanes_multiply(s, lanes_subtract(lanes_set(1.0f), s));

	return lanes_multiply_add(u, rest, s);
}

/*
 * The derivative of an activation.  GELU's is the normal distribution
 * function, which is gelu(x) / x, and x times its density.
 */
LANES_INLINE Lanes
slope_of(const Activation activation, Lanes x)
{
	const Lanes one = lanes_set(1.0f);
	Lanes		square = lanes_multiply(x, x);
	Lanes		t;
	Lanes		u;

	switch (activation)
	{
		case ACTIVATION_NONE:
			break;
		case ACTIVATION_GELU:
			/* zero is a tiny number here: gelu(x) / x is the same */
			t = lanes_add(x, lanes_set(1e-20f));
			t = lanes_divide(gelu(t), t);
			u = exponential(lanes_multiply(square, lanes_set(-0.5f)));
			u = lanes_multiply(u, lanes_set(0.3989422804f));
			return lanes_multiply_add(x, u, t);
		case ACTIVATION_GELU_TANH:
			t = lanes_multiply_add(square, lanes_set(0.044715f), one);
			t = lanes_multiply(lanes_multiply(t, x), lanes_set(1.5957691216f));
			u = lanes_multiply_add(square, lanes_set(0.134145f), one);
			u = lanes_multiply(lanes_multiply(u, x), lanes_set(1.5957691216f));
			return sigmoid_slope(t, u);
		case ACTIVATION_GELU_QUICK:
			t = lanes_multiply(x, lanes_set(1.702f));
			return sigmoid_slope(t, t);
		case ACTIVATION_SILU:
			return sigmoid_slope(x, x);
		case ACTIVATION_SIGMOID:
			t = times_sigmoid(one, x);
			return lanes_multiply(t, lanes_subtract(one, t));
		case ACTIVATION_TANH:
			t = hyperbolic_tangent(x);
			return lanes_subtract(one, lanes_multiply(t, t));
		case ACTIVATION_RELU:
			t = lanes_multiply(lanes_max(x, lanes_set(0)), lanes_set(1e30f));
			return lanes_min(lanes_multiply(t, lanes_set(1e30f)), one);
	}
	return one;
}

LANES_INLINE void
slope_row(const Activation activation, int count, const float *x, float *to)
{
	int			i = 0;

	for (; i < WHOLE(count); i += LANES)
		lanes_store(to + i, lanes_multiply(slope_of(activation,
													lanes_load(x + i)),
										   lanes_load(to + i)));
	if (i < count)
		lanes_store_first(to + i, lanes_multiply(
				slope_of(activation, lanes_load_first(x + i, count - i)),
				lanes_load_first(to + i, count - i)), count - i);
}

LANES_TARGET static void
slope(Activation activation, int count, const float *x, float *to)
{
	switch (activation)
	{
#define SLOPE_CASE(activation) \
		case activation: \
			slope_row(activation, count, x, to); \
			break;
		case ACTIVATION_NONE:
			break;
			SLOPE_CASE(ACTIVATION_GELU)
			SLOPE_CASE(ACTIVATION_GELU_TANH)
			SLOPE_CASE(ACTIVATION_GELU_QUICK)
			SLOPE_CASE(ACTIVATION_SILU)
			SLOPE_CASE(ACTIVATION_SIGMOID)
			SLOPE_CASE(ACTIVATION_TANH)
			SLOPE_CASE(ACTIVATION_RELU)
	}
}

/* the sum of (x - center)^2, or of x if "plain" */
LANES_INLINE float
row_sum(const bool plain, int count, const float *x, float center)
{
	Lanes		middle = lanes_set(center);
	Lanes		sum0 = lanes_set(0);
	Lanes		sum1 = lanes_set(0);
	int			i = 0;

	for (; i + 2 * LANES <= count; i += 2 * LANES)
	{
		Lanes		a = lanes_load(x + i);
		Lanes		b = lanes_load(x + i + LANES);

		if (plain)
		{
			sum0 = lanes_add(sum0, a);
			sum1 = lanes_add(sum1, b);
		}
		else
		{
			a = lanes_subtract(a, middle);
			b = lanes_subtract(b, middle);
			sum0 = lanes_multiply_add(a, a, sum0);
			sum1 = lanes_multiply_add(b, b, sum1);
		}
	}
	for (; i < count; i += LANES)
	{
		Lanes		a = lanes_load_first(x + i, count - i);

		if (!plain)
		{
			a = lanes_first_of(lanes_subtract(a, middle), lanes_set(0),
							   count - i);
			a = lanes_multiply(a, a);
		}
		sum0 = lanes_add(sum0, a);
	}
	return lanes_sum(lanes_add(sum0, sum1));
}

/* (x - center) * factor * weight + bias */
LANES_INLINE void
row_scaled(int count, const float *x, float center, float factor,
		   const float *weight, const float *bias, float *to)
{
	Lanes		middle = lanes_set(center);
	Lanes		scale = lanes_set(factor);
	int			i = 0;

	for (; i < WHOLE(count); i += LANES)
	{
		Lanes		a = lanes_multiply(
				  lanes_subtract(lanes_load(x + i), middle), scale);

		if (bias != NULL)
			a = lanes_multiply_add(a, lanes_load(weight + i),
								   lanes_load(bias + i));
		else
			a = lanes_multiply(a, lanes_load(weight + i));
		lanes_store(to + i, a);
	}
	if (i < count)
	{
		int			left = count - i;
		Lanes		a = lanes_multiply(
				  lanes_subtract(lanes_load_first(x + i, left), middle),
				  scale);

		a = lanes_multiply(a, lanes_load_first(weight + i, left));
		if (bias != NULL)
			a = lanes_add(a, lanes_load_first(bias + i, left));
		lanes_store_first(to + i, a, left);
	}
}

LANES_TARGET static void
norm(int dims, const float *x, const float *weight, const float *bias,
	 float epsilon, float *to)
{
	float		mean = row_sum(true, dims, x, 0) / dims;
	float		variance = row_sum(false, dims, x, mean) / dims;

	row_scaled(dims, x, mean, 1.0f / sqrtf(variance + epsilon), weight, bias,
			   to);
}

LANES_TARGET static void
rms_norm(int dims, const float *x, const float *weight, float epsilon,
		 float *to)
{
	float		square = row_sum(false, dims, x, 0) / dims;

	row_scaled(dims, x, 0, 1.0f / sqrtf(square + epsilon), weight, NULL, to);
}

LANES_TARGET static float
softmax(int count, float *scores, const float *bias, SoftmaxState *state)
{
	Lanes		largest = lanes_set(state->largest);
	Lanes		sum = lanes_set(0);
	float		most;
	float		factor;
	int			i = 0;

	for (; i < WHOLE(count); i += LANES)
	{
		Lanes		score = lanes_load(scores + i);

		if (bias != NULL)
		{
			score = lanes_add(score, lanes_load(bias + i));
			lanes_store(scores + i, score);
		}
		largest = lanes_max(largest, score);
	}
	if (i < count)
	{
		Lanes		score = lanes_load_first(scores + i, count - i);

		if (bias != NULL)
		{
			score = lanes_add(score, lanes_load_first(bias + i, count - i));
			lanes_store_first(scores + i, score, count - i);
		}
		largest = lanes_max(largest,
							lanes_first_of(score, largest, count - i));
	}
	most = lanes_largest(largest);
	factor = expf(state->largest - most);
	largest = lanes_set(most);
	for (i = 0; i < WHOLE(count); i += LANES)
	{
		Lanes		weight = exponential(
				  lanes_subtract(lanes_load(scores + i), largest));

		sum = lanes_add(sum, weight);
		lanes_store(scores + i, weight);
	}
	if (i < count)
	{
		Lanes		weight = exponential(lanes_subtract(
				  lanes_load_first(scores + i, count - i), largest));

		sum = lanes_add(sum, lanes_first_of(weight, lanes_set(0), count - i));
		lanes_store_first(scores + i, weight, count - i);
	}
	state->largest = most;
	state->sum = state->sum * factor + lanes_sum(sum);
	return factor;
}

LANES_TARGET static void
turn(int half, float *x, const float *cosine, const float *sine)
{
	int			i = 0;

	for (; i < half; i += LANES)
	{
		int			left = half - i;
		Lanes		a = lanes_load_first(x + i, left);
		Lanes		b = lanes_load_first(x + half + i, left);
		Lanes		c = lanes_load_first(cosine + i, left);
		Lanes		s = lanes_load_first(sine + i, left);
		Lanes		minus = lanes_subtract(lanes_set(0), s);

		lanes_store_first(x + i,
						  lanes_multiply_add(b, minus, lanes_multiply(a, c)),
						  left);
		lanes_store_first(x + half + i,
						  lanes_multiply_add(a, s, lanes_multiply(b, c)),
						  left);
	}
}

LANES_TARGET static void
columns_of_rows(int dims, int rows, const float *from, size_t stride,
				float scale, int columns, float *panel)
{
	Lanes		factor = lanes_set(scale);

	for (int r = 0; r < columns; r += LANES)
	{
		for (int d = 0; d < dims; d += LANES)
		{
			Lanes		square[LANES];
			int			left = dims - d;

			for (int i = 0; i < LANES; i++)
			{
				if (r + i >= rows)
					square[i] = lanes_set(0);
				else if (left >= LANES)
					square[i] = lanes_multiply(
						lanes_load(from + (r + i) * stride + d), factor);
				else
					square[i] = lanes_multiply(
						lanes_load_first(from + (r + i) * stride + d, left),
						factor);
			}
			lanes_transpose(square);
			for (int i = 0; i < LANES && i < left; i++)
				lanes_store_first(panel + (size_t) (d + i) * columns + r,
								  square[i], columns - r);
		}
	}
}

/* to = f(x, to) element by element */
#define EACH(count, expression) \
	for (int i = 0; i < (count); i += LANES) \
	{ \
		int			left = (count) - i; \
		Lanes		a = left >= LANES ? lanes_load(x + i) \
			: lanes_load_first(x + i, left); \
		Lanes		b = left >= LANES ? lanes_load(to + i) \
			: lanes_load_first(to + i, left); \
\
		b = (expression); \
		if (left >= LANES) \
			lanes_store(to + i, b); \
		else \
			lanes_store_first(to + i, b, left); \
	}

LANES_TARGET static void
add(int count, const float *x, float *to)
{
	EACH(count, lanes_add(a, b))
}

LANES_TARGET static void
scale(int count, float factor, float *x)
{
	float	   *to = x;
	Lanes		by = lanes_set(factor);

	EACH(count, ((void) a, lanes_multiply(b, by)))
}

LANES_TARGET static void
add_scaled(int count, float factor, const float *x, float *to)
{
	Lanes		by = lanes_set(factor);

	EACH(count, lanes_multiply_add(a, by, b))
}

LANES_TARGET static void
maximum(int count, const float *x, float *to)
{
	EACH(count, lanes_max(a, b))
}

LANES_TARGET static void
clamp(int count, float most, float *x)
{
	float	   *to = x;
	Lanes		high = lanes_set(most);
	Lanes		low = lanes_set(-most);

	EACH(count, ((void) a, lanes_max(lanes_min(b, high), low)))
}

LANES_TARGET static void
lstm_cells(int cells, const float *gates, size_t gap, float clip, float *cell,
		   float *to)
{
	Lanes		high = lanes_set(clip);
	Lanes		low = lanes_set(-clip);

	for (int i = 0; i < cells; i += LANES)
	{
		int			left = cells - i;
		bool		whole = left >= LANES;
		const float *gate = gates + i;
		Lanes		input = whole ? lanes_load(gate)
								  : lanes_load_first(gate, left);
		Lanes		candidate = whole ? lanes_load(gate + gap)
									  : lanes_load_first(gate + gap, left);
		Lanes		forget = whole ? lanes_load(gate + 2 * gap)
								   : lanes_load_first(gate + 2 * gap, left);
		Lanes		output = whole ? lanes_load(gate + 3 * gap)
								   : lanes_load_first(gate + 3 * gap, left);
		Lanes		state = whole ? lanes_load(cell + i)
								  : lanes_load_first(cell + i, left);

		state = lanes_add(times_sigmoid(state, forget),
						  times_sigmoid(hyperbolic_tangent(candidate), input));
		state = lanes_max(lanes_min(state, high), low);
		output = times_sigmoid(hyperbolic_tangent(state), output);
		if (whole)
		{
			lanes_store(cell + i, state);
			lanes_store(to + i, output);
		}
		else
		{
			lanes_store_first(cell + i, state, left);
			lanes_store_first(to + i, output, left);
		}
	}
}

/* the least and the largest of a row's values and zero */
LANES_INLINE void
row_range(int count, const float *x, float *least, float *largest)
{
	Lanes		low = lanes_set(0);
	Lanes		high = lanes_set(0);

	for (int i = 0; i < count; i += LANES)
	{
		Lanes		a = count - i >= LANES
							? lanes_load(x + i)
							: lanes_load_first(x + i, count - i);

		low = lanes_min(low, a);
		high = lanes_max(high, a);
	}
	*least = lanes_least(low);
	*largest = lanes_largest(high);
}

/*
 * round((x - least) * factor + offset) to all of "to", in pieces that are
 * copied from a small buffer, for stores are as wide as a register
 */
LANES_INLINE void
round_bytes(int count, const float *x, float least, float factor, float offset,
			int padded, uint8_t *to)
{
	Lanes		low = lanes_set(least);
	Lanes		by = lanes_set(factor);
	int			i = 0;

	for (; i < WHOLE(count); i += LANES)
	{
		Lanes		a =
				  lanes_multiply(lanes_subtract(lanes_load(x + i), low), by);

		lanes_store_bytes(to + i, lanes_max(lanes_min(lanes_round(a),
													  lanes_set(255.0f)),
											lanes_set(0)));
	}
	for (; i < count; i++)
	{
		float		a = rintf((x[i] - least) * factor);

		to[i] = a > 255 ? 255 : a > 0 ? (uint8_t) a : 0;
	}
	for (; i < padded; i++)
		to[i] = (uint8_t) offset;
}

LANES_TARGET static LayerRounding
to_bytes(int count, const float *x, int padded, uint8_t *to)
{
	LayerRounding rounding;
	float		largest;

	row_range(count, x, &rounding.least, &largest);
	rounding.scale = (largest - rounding.least) / 255.0f;
	round_bytes(count, x, rounding.least,
				rounding.scale > 0 ? 1.0f / rounding.scale : 0, 0, padded, to);
	return rounding;
}

LANES_TARGET static LayerRounding
to_signed_bytes(int count, const float *x, int padded, int8_t *to)
{
	LayerRounding rounding = to_bytes(count, x, padded, (uint8_t *) to);

	/* padding meets weights of zero */
	for (int i = 0; i < padded; i++)
		to[i] = (int8_t) ((uint8_t) to[i] ^ 0x80);
	rounding.least += 128.0f * rounding.scale;
	return rounding;
}

LANES_TARGET static LayerRounding
to_shorts(int count, const float *x, int padded, int16_t *to)
{
	LayerRounding rounding = {0, 0};
	float		least;
	float		largest;
	float		factor;
	int			i = 0;

	row_range(count, x, &least, &largest);
	largest = largest > -least ? largest : -least;
	rounding.scale = largest / 4095.0f;
	factor = rounding.scale > 0 ? 1.0f / rounding.scale : 0;
	for (; i < WHOLE(count); i += LANES)
	{
		Lanes		a = lanes_round(
				  lanes_multiply(lanes_load(x + i), lanes_set(factor)));

		lanes_store_shorts(to + i, lanes_max(lanes_min(a, lanes_set(4095.0f)),
											 lanes_set(-4095.0f)));
	}
	for (; i < count; i++)
	{
		float		a = rintf(x[i] * factor);

		to[i] = a > 4095 ? 4095 : a < -4095 ? -4095 : (int16_t) a;
	}
	for (; i < padded; i++)
		to[i] = 0;
	return rounding;
}

LANES_TARGET static void
to_bfloat16(int count, const float *x, int padded, uint16_t *to)
{
	int			i = 0;

	for (; i < WHOLE(count); i += LANES)
		lanes_store_bfloat16(to + i, lanes_load(x + i));
	for (; i < padded; i++)
	{
		float		some[LANES] = {0};
		uint16_t	rounded[LANES];

		some[0] = i < count ? x[i] : 0;
		lanes_store_bfloat16(rounded, lanes_load(some));
		to[i] = rounded[0];
	}
}

const LayerKernels LAYER_SET =
{
	.name = LAYER_NAME,
	.finish = finish,
	.activate = activate,
	.slope = slope,
	.norm = norm,
	.rms_norm = rms_norm,
	.softmax = softmax,
	.turn = turn,
	.columns_of_rows = columns_of_rows,
	.add = add,
	.scale = scale,
	.add_scaled = add_scaled,
	.maximum = maximum,
	.lstm_cells = lstm_cells,
	.clamp = clamp,
	.to_bytes = to_bytes,
	.to_signed_bytes = to_signed_bytes,
	.to_shorts = to_shorts,
	.to_bfloat16 = to_bfloat16
};
