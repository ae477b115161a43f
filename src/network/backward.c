/*-------------------------------------------------------------------------
 *
 * backward.c
 *	  Linear layers, norms, activations, rotary positions, dropout and pooling,
 *	  forward and backward.
 *
 *-------------------------------------------------------------------------
 */
#include "network/backward.h"

#include "math/random.h"

/*
 * Linear layers
 */

bool
linear_forward(const Workshop *shop, int rows, int inputs, int outputs,
			   const Real *weights, const Real *bias, Rows x, Rows y)
{
	RealMatrix	left = {x.values, x.stride, false};
	RealMatrix	right = {weights, inputs, true};

	for (int r = 0; r < rows && bias != NULL; r++)
		memcpy(row_of(y, r), bias, sizeof(Real) * outputs);
	return real_product(rows, outputs, inputs, left, right, bias != NULL,
						y.values, y.stride, shop->product, shop->interrupt);
}

bool
linear_input_slope(const Workshop *shop, int rows, int inputs, int outputs,
				   const Real *weights, Rows y_slope, bool add, Rows x_slope)
{
	RealMatrix	left = {y_slope.values, y_slope.stride, false};
	RealMatrix	right = {weights, inputs, false};

	return real_product(rows, inputs, outputs, left, right, add,
						x_slope.values, x_slope.stride, shop->product,
						shop->interrupt);
}

bool
linear_weight_slope(const Workshop *shop, int rows, int inputs, int outputs,
					Rows x, Rows y_slope, Real *weights_slope,
					Real *bias_slope)
{
	RealMatrix	left = {y_slope.values, y_slope.stride, true};
	RealMatrix	right = {x.values, x.stride, false};

	for (int r = 0; r < rows && bias_slope != NULL; r++)
		real_add(outputs, row_of(y_slope, r), bias_slope);
	return weights_slope == NULL ||
		real_product(outputs, inputs, rows, left, right, true, weights_slope,
					 inputs, shop->product, shop->interrupt);
}

bool
low_rank_slope(const Workshop *shop, const LowRank *change, int rows,
			   int inputs, int outputs, Rows x, Rows y_slope, Real *scratch)
{
	Rows		low = {scratch, change->rank};
	Rows		low_slope = {scratch + (size_t) rows * change->rank,
	change->rank};

	if (!linear_forward(shop, rows, inputs, change->rank, change->a, NULL, x,
						low) ||
		!linear_input_slope(shop, rows, change->rank, outputs, change->b,
							y_slope, false, low_slope))
		return false;
	real_scale(rows * change->rank, change->scale, low.values);
	real_scale(rows * change->rank, change->scale, low_slope.values);
	return linear_weight_slope(shop, rows, change->rank, outputs, low, y_slope,
							   change->b_slope, NULL) &&
		linear_weight_slope(shop, rows, inputs, change->rank, x, low_slope,
							change->a_slope, NULL);
}

/*
 * Norms
 */

typedef struct Moments
{
	double		mean;
	double		factor;			/* 1 / deviation */
} Moments;

static Moments
moments_of(const NormShape *shape, const Real *x)
{
	Moments		moments = {0, 0};
	double		square = 0;

	if (!shape->rms)
	{
		for (int i = 0; i < shape->dims; i++)
			moments.mean += x[i];
		moments.mean /= shape->dims;
	}
	for (int i = 0; i < shape->dims; i++)
		square += (x[i] - moments.mean) * (x[i] - moments.mean);
	moments.factor = 1 / sqrt(square / shape->dims + shape->epsilon);
	return moments;
}

void
norm_forward(const NormShape *shape, int rows, const Real *weight,
			 const Real *bias, Rows x, Rows y)
{
	for (int r = 0; r < rows; r++)
	{
#ifdef NETWORK_DOUBLE
		const Real *from = row_of(x, r);
		Real	   *to = row_of(y, r);
		Moments		moments = moments_of(shape, from);

		for (int i = 0; i < shape->dims; i++)
			to[i] = (from[i] - moments.mean) * moments.factor * weight[i] +
				(bias != NULL ? bias[i] : 0);
#else
		if (shape->rms)
			layer->rms_norm(shape->dims, row_of(x, r), weight, shape->epsilon,
							row_of(y, r));
		else
			layer->norm(shape->dims, row_of(x, r), weight, bias,
						shape->epsilon, row_of(y, r));
#endif
	}
}

/*
 * With n = (x - mean) * factor and g = slope of n: factor * (g - mean of g -
 * n * mean of g n); RMS norm has no mean.
 */
void
norm_backward(const NormShape *shape, int rows, const Real *weight, Rows x,
			  Rows y_slope, Rows x_slope, Real *weight_slope,
			  Real *bias_slope)
{
	for (int r = 0; r < rows; r++)
	{
		const Real *from = row_of(x, r);
		const Real *slope = row_of(y_slope, r);
		Real	   *to = row_of(x_slope, r);
		Moments		moments = moments_of(shape, from);
		Real		mean = (Real) moments.mean;
		Real		factor = (Real) moments.factor;
		double		sum = 0;
		double		along = 0;
		Real		center;
		Real		tilt;

		for (int i = 0; i < shape->dims; i++)
		{
			Real		g = slope[i] * weight[i];

			sum += g;
			along += g * ((from[i] - mean) * factor);
		}
		if (weight_slope != NULL)
		{
			for (int i = 0; i < shape->dims; i++)
				weight_slope[i] += slope[i] * ((from[i] - mean) * factor);
		}
		if (bias_slope != NULL)
			real_add(shape->dims, slope, bias_slope);
		center = shape->rms ? 0 : (Real) (sum / shape->dims);
		tilt = (Real) (along / shape->dims);
		for (int i = 0; i < shape->dims; i++)
			to[i] = factor * (slope[i] * weight[i] - center -
							  (from[i] - mean) * factor * tilt);
	}
}

/*
 * Activations
 */

#ifdef NETWORK_DOUBLE

/* x s(t), s the sigmoid; and its slope, where u = x dt/dx */
static Real
by_sigmoid(Real x, Real t)
{
	return x / (1 + exp(-t));
}

static Real
by_sigmoid_slope(Real t, Real u)
{
	Real		s = by_sigmoid(1, t);

	return s + u * s * (1 - s);
}

static const Real root = 1.595769121605731;	/* 2 sqrt(2 / pi) */

static Real
activated_number(Activation activation, Real x)
{
	switch (activation)
	{
		case ACTIVATION_NONE:
			break;
		case ACTIVATION_GELU:
			return x / 2 * erfc(-x / sqrt(2));
		case ACTIVATION_GELU_TANH:
			return by_sigmoid(x, root * (x + 0.044715 * x * x * x));
		case ACTIVATION_GELU_QUICK:
			return by_sigmoid(x, 1.702 * x);
		case ACTIVATION_SILU:
			return by_sigmoid(x, x);
		case ACTIVATION_SIGMOID:
			return by_sigmoid(1, x);
		case ACTIVATION_TANH:
			return tanh(x);
		case ACTIVATION_RELU:
			return x > 0 ? x : 0;
	}
	return x;
}

static Real
slope_of_number(Activation activation, Real x)
{
	switch (activation)
	{
		case ACTIVATION_NONE:
			break;
		case ACTIVATION_GELU:
			return erfc(-x / sqrt(2)) / 2 +
				x * exp(-x * x / 2) / sqrt(2 * M_PI);
		case ACTIVATION_GELU_TANH:
			return by_sigmoid_slope(root * (x + 0.044715 * x * x * x),
									root * (x + 0.134145 * x * x * x));
		case ACTIVATION_GELU_QUICK:
			return by_sigmoid_slope(1.702 * x, 1.702 * x);
		case ACTIVATION_SILU:
			return by_sigmoid_slope(x, x);
		case ACTIVATION_SIGMOID:
			return by_sigmoid(1, x) * (1 - by_sigmoid(1, x));
		case ACTIVATION_TANH:
			return 1 - tanh(x) * tanh(x);
		case ACTIVATION_RELU:
			return x > 0;
	}
	return 1;
}

#endif

void
activation_forward(Activation activation, int count, const Real *x, Real *to)
{
#ifdef NETWORK_DOUBLE
	for (int i = 0; i < count; i++)
		to[i] = activated_number(activation, x[i]);
#else
	if (to != x)
		memcpy(to, x, sizeof(Real) * count);
	layer->activate(activation, count, to);
#endif
}

void
activation_slope(Activation activation, int count, const Real *x, Real *to)
{
#ifdef NETWORK_DOUBLE
	for (int i = 0; i < count; i++)
		to[i] *= slope_of_number(activation, x[i]);
#else
	layer->slope(activation, count, x, to);
#endif
}

/*
 * Rotary positions: a rotation's transpose is the rotation back.
 */

static void
turn_by(int half, bool interleaved, const Real *cosine, const Real *sine,
		Real sign, Real *x)
{
	for (int i = 0; i < half; i++)
	{
		Real	   *first = interleaved ? x + 2 * i : x + i;
		Real	   *second = interleaved ? x + 2 * i + 1 : x + half + i;
		Real		a = *first;
		Real		b = *second;

		*first = a * cosine[i] - sign * b * sine[i];
		*second = b * cosine[i] + sign * a * sine[i];
	}
}

void
turn_forward(int half, bool interleaved, const Real *cosine, const Real *sine,
			 Real *x)
{
	turn_by(half, interleaved, cosine, sine, 1, x);
}

void
turn_backward(int half, bool interleaved, const Real *cosine,
			  const Real *sine, Real *x_slope)
{
	turn_by(half, interleaved, cosine, sine, -1, x_slope);
}

/*
 * Dropout: Srivastava et al. 2014.  The numbers are splitmix64's of a counter
 * that begins at the key of site and row, so any of them is at hand at any
 * time.
 */

Dropout
dropout_of(double share, uint64_t seed, uint64_t pass, uint64_t site)
{
	Dropout		dropout = {share, seed};

	dropout.key = splitmix64(&dropout.key) ^ pass;
	dropout.key = splitmix64(&dropout.key) ^ site;
	dropout.key = splitmix64(&dropout.key);
	return dropout;
}

void
dropout_row(Dropout dropout, uint64_t row, int count, Real *x)
{
	uint64_t	state = dropout.key ^ (row * UINT64_C(0xD1342543DE82EF95));
	uint32_t	bound = (uint32_t) (dropout.share * 4294967296.0);
	Real		kept = (Real) (1 / (1 - dropout.share));

	if (dropout.share <= 0)
		return;
	state = splitmix64(&state);
	for (int i = 0; i < count; i += 2)
	{
		uint64_t	number = splitmix64(&state);

		x[i] *= (uint32_t) number < bound ? 0 : kept;
		if (i + 1 < count)
			x[i + 1] *= (uint32_t) (number >> 32) < bound ? 0 : kept;
	}
}

void
dropout_rows(Dropout dropout, uint64_t first, int rows, int count, Rows x)
{
	for (int r = 0; r < rows && dropout.share > 0; r++)
		dropout_row(dropout, first + r, count, row_of(x, r));
}

/*
 * Pooling
 */

/* What a row counts in a sum, and over all rows. */
static double
pooling_weight(Pooling pooling, int row)
{
	return pooling == POOLING_WEIGHTED_MEAN ? row + 1 : 1;
}

static double
pooling_weights(Pooling pooling, int rows, int skip)
{
	double		sum = 0;

	for (int r = skip; r < rows; r++)
		sum += pooling_weight(pooling, r);
	return pooling == POOLING_MEAN_SQRT_LENGTH ? sqrt(sum) : sum;
}

void
pooling_forward(Pooling pooling, int dims, int rows, int skip, Rows x,
				Real *to)
{
	double		weights;

	skip = skip < rows ? skip : rows - 1;
	weights = pooling_weights(pooling, rows, skip);
	memset(to, 0, sizeof(Real) * dims);
	switch (pooling)
	{
		case POOLING_NONE:
			break;
		case POOLING_CLS:
			memcpy(to, row_of(x, skip), sizeof(Real) * dims);
			break;
		case POOLING_LAST:
			memcpy(to, row_of(x, rows - 1), sizeof(Real) * dims);
			break;
		case POOLING_MAX:
			for (int i = 0; i < dims; i++)
			{
				to[i] = row_of(x, skip)[i];
				for (int r = skip + 1; r < rows; r++)
					to[i] = row_of(x, r)[i] > to[i] ? row_of(x, r)[i] : to[i];
			}
			break;
		default:
			for (int r = skip; r < rows; r++)
				real_add_scaled(dims, (Real) pooling_weight(pooling, r),
								row_of(x, r), to);
			real_scale(dims, (Real) (1 / weights), to);
			break;
	}
}

/* The largest of several equal numbers is the first, as PyTorch has it. */
static int
largest_row(Rows x, int rows, int skip, int column)
{
	int			best = skip;

	for (int r = skip + 1; r < rows; r++)
	{
		if (row_of(x, r)[column] > row_of(x, best)[column])
			best = r;
	}
	return best;
}

void
pooling_backward(Pooling pooling, int dims, int rows, int skip, Rows x,
				 const Real *slope, Rows x_slope)
{
	double		weights;

	skip = skip < rows ? skip : rows - 1;
	weights = pooling_weights(pooling, rows, skip);
	for (int r = 0; r < rows; r++)
		memset(row_of(x_slope, r), 0, sizeof(Real) * dims);
	switch (pooling)
	{
		case POOLING_NONE:
			break;
		case POOLING_CLS:
			memcpy(row_of(x_slope, skip), slope, sizeof(Real) * dims);
			break;
		case POOLING_LAST:
			memcpy(row_of(x_slope, rows - 1), slope, sizeof(Real) * dims);
			break;
		case POOLING_MAX:
			for (int i = 0; i < dims; i++)
				row_of(x_slope, largest_row(x, rows, skip, i))[i] = slope[i];
			break;
		default:
			for (int r = skip; r < rows; r++)
				real_add_scaled(dims, (Real) (pooling_weight(pooling, r) /
											  weights),
								slope, row_of(x_slope, r));
			break;
	}
}
