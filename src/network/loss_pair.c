/*-------------------------------------------------------------------------
 *
 * loss_pair.c
 *	  Similarities and distances of two embeddings, with their gradients.
 *
 * Where a gradient does not exist (a vector of length zero, equal vectors) it
 * is zero: the public implementations divide by 1e-12 there, and a text
 * without a token would throw the whole batch away.
 *
 *-------------------------------------------------------------------------
 */
#include "network/loss.h"

#define SHIFT 1e-6

static double
shift_of(PairKind kind)
{
	return kind == PAIR_EUCLIDEAN_SHIFTED || kind == PAIR_MANHATTAN_SHIFTED
		? SHIFT : 0;
}

/* Number i of a vector that is padded with zeros. */
static inline double
padded(int dims, const Real *x, int i)
{
	return i < dims ? x[i] : 0;
}

/*
 * The numerator of AnglE's similarity: cosine and sine, not yet divided by the
 * lengths.  First and second halves are real and imaginary parts.
 */
static double
angle_sum(int dims, const Real *x, const Real *y)
{
	int			half = (dims + 1) / 2;
	double		sum = 0;

	for (int i = 0; i < half; i++)
	{
		double		x2 = padded(dims, x, half + i);
		double		y2 = padded(dims, y, half + i);

		sum += x[i] * ((double) y[i] - y2) + x2 * (y2 + y[i]);
	}
	return sum;
}

/*
 * to += factor * d angle_sum / d x, of y; and with "other" d / d y, of x,
 * which differs in the sign of the sine alone.
 */
static void
add_angle_gradient(int dims, const Real *y, double factor, bool other,
				   Real *to)
{
	int			half = (dims + 1) / 2;
	double		sign = other ? -1 : 1;

	for (int i = 0; i < half; i++)
	{
		double		y2 = padded(dims, y, half + i);

		to[i] += (Real) (factor * (y[i] - sign * y2));
		if (half + i < dims)
			to[half + i] += (Real) (factor * (y2 + sign * y[i]));
	}
}

static double
distance(PairKind kind, int dims, const Real *x, const Real *y)
{
	double		shift = shift_of(kind);
	bool		squared = kind == PAIR_EUCLIDEAN ||
		kind == PAIR_EUCLIDEAN_SHIFTED;
	double		sum = 0;

	for (int i = 0; i < dims; i++)
	{
		double		difference = (double) x[i] - y[i] + shift;

		sum += squared ? difference * difference : fabs(difference);
	}
	return squared ? sqrt(sum) : sum;
}

double
pair_value(PairKind kind, int dims, const Real *x, const Real *y)
{
	double		lengths;

	if (kind != PAIR_COSINE && kind != PAIR_ANGLE)
		return distance(kind, dims, x, y);
	lengths = sqrt(real_inner(dims, x, x)) * sqrt(real_inner(dims, y, y));
	if (lengths == 0)
		return 0;
	if (kind == PAIR_COSINE)
		return real_inner(dims, x, y) / lengths;
	return fabs(angle_sum(dims, x, y)) / lengths;
}

static void
add_slope_of_distance(PairKind kind, int dims, const Real *x, const Real *y,
					  double factor, Real *to_x, Real *to_y)
{
	double		shift = shift_of(kind);
	bool		squared = kind == PAIR_EUCLIDEAN ||
		kind == PAIR_EUCLIDEAN_SHIFTED;
	double		length = squared ? distance(kind, dims, x, y) : 1;

	if (length == 0)
		return;
	for (int i = 0; i < dims; i++)
	{
		double		difference = (double) x[i] - y[i] + shift;
		double		slope = squared ? difference / length
			: (difference > 0) - (difference < 0);

		to_x[i] += (Real) (factor * slope);
		to_y[i] -= (Real) (factor * slope);
	}
}

void
pair_add_gradient(PairKind kind, int dims, const Real *x, const Real *y,
				  double factor, Real *to_x, Real *to_y)
{
	double		xx;
	double		yy;
	double		lengths;
	double		value;

	if (kind != PAIR_COSINE && kind != PAIR_ANGLE)
	{
		add_slope_of_distance(kind, dims, x, y, factor, to_x, to_y);
		return;
	}
	xx = real_inner(dims, x, x);
	yy = real_inner(dims, y, y);
	lengths = sqrt(xx) * sqrt(yy);
	if (lengths == 0)
		return;
	if (kind == PAIR_COSINE)
		value = real_inner(dims, x, y) / lengths;
	else
	{
		value = angle_sum(dims, x, y) / lengths;
		if (value < 0)
			factor = -factor;
		add_angle_gradient(dims, y, factor / lengths, false, to_x);
		add_angle_gradient(dims, x, factor / lengths, true, to_y);
	}
	for (int i = 0; i < dims; i++)
	{
		double		of_x = -value * x[i] / xx;
		double		of_y = -value * y[i] / yy;

		if (kind == PAIR_COSINE)
		{
			of_x += y[i] / lengths;
			of_y += x[i] / lengths;
		}
		to_x[i] += (Real) (factor * of_x);
		to_y[i] += (Real) (factor * of_y);
	}
}

void
loss_normalize(int rows, int dims, size_t stride, const Real *x, Real *to,
			   double *lengths)
{
	for (int r = 0; r < rows; r++)
	{
		const Real *row = x + r * stride;
		Real	   *result = to + (size_t) r * dims;
		double		length = sqrt(real_inner(dims, row, row));

		lengths[r] = length;
		if (length == 0)
			length = 1;
		for (int i = 0; i < dims; i++)
			result[i] = (Real) (row[i] / length);
	}
}

void
loss_normalize_backward(int rows, int dims, const Real *normal,
						const double *lengths, Real *gradient)
{
	for (int r = 0; r < rows; r++)
	{
		const Real *n = normal + (size_t) r * dims;
		Real	   *g = gradient + (size_t) r * dims;
		double		along = real_inner(dims, n, g);

		for (int i = 0; i < dims; i++)
			g[i] = lengths[r] == 0 ? 0
				: (Real) ((g[i] - along * n[i]) / lengths[r]);
	}
}
