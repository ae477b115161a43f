/*-------------------------------------------------------------------------
 *
 * trainer_steps.c
 *	  Training of what becomes of a vector after pooling: dense layers, norms.
 *
 * Of each step its result is kept, and of a dense one the sums before the
 * activation too.
 *
 *-------------------------------------------------------------------------
 */
#include "network/trainer_steps.h"

#include "network/backward.h"

static size_t
matrix_floats(const VectorStep *step)
{
	if (step->kind == STEP_DENSE)
		return (size_t) step->in * step->out;
	return step->kind == STEP_LAYER_NORM ? step->in : 0;
}

static size_t
step_floats(const VectorStep *step)
{
	return matrix_floats(step) + (step->has_bias ? step->out : 0);
}

size_t
train_steps_offset(const VectorStep *steps, int number)
{
	size_t		at = 0;

	for (int i = 0; i < number; i++)
		at += step_floats(&steps[i]);
	return at;
}

size_t
train_steps_floats(const VectorStep *steps, int count)
{
	return train_steps_offset(steps, count);
}

void
train_steps_identity(const VectorStep *steps, int number, Real *weights)
{
	const VectorStep *step = &steps[number];
	Real	   *matrix = weights + train_steps_offset(steps, number);

	memset(matrix, 0, sizeof(Real) * step_floats(step));
	for (int i = 0; i < step->in && i < step->out; i++)
		matrix[(size_t) i * step->in + i] = 1;
}

/* What one step keeps: sums or lengths, then its results. */
static size_t
kept_before(const VectorStep *step, int rows)
{
	if (step->kind == STEP_DENSE)
		return (size_t) rows * step->out;
	return step->kind == STEP_NORMALIZE ? (size_t) rows : 0;
}

static size_t
step_kept(const VectorStep *step, int rows)
{
	return kept_before(step, rows) + (size_t) rows * step->out;
}

size_t
train_steps_kept(const VectorStep *steps, int count, int rows)
{
	size_t		total = 0;

	for (int i = 0; i < count; i++)
		total += step_kept(&steps[i], rows);
	return total;
}

const Real *
train_steps_results(const VectorStep *steps, int count, int rows,
					const Real *kept)
{
	return kept + train_steps_kept(steps, count, rows) -
		(size_t) rows * steps[count - 1].out;
}

static NormShape
norm_of(const VectorStep *step)
{
	NormShape	shape = {false, step->in, step->epsilon};

	return shape;
}

/* The lengths of a normalized row: Euclid's, or 1e-12 if that is less. */
static Real
length_of(int dims, const Real *x)
{
	double		length = sqrt(real_inner(dims, x, x));

	return (Real) (length > 1e-12 ? length : 1e-12);
}

bool
train_steps_forward(const VectorStep *steps, int count, const Real *weights,
					int rows, const Real *x, Real *kept, Real *scratch,
					ProductInterrupt *interrupt)
{
	Workshop	shop = {scratch, interrupt};

	for (int i = 0; i < count; i++)
	{
		const VectorStep *step = &steps[i];
		const Real *matrix = weights + train_steps_offset(steps, i);
		const Real *bias = step->has_bias ? matrix + matrix_floats(step)
			: NULL;
		Real	   *to = kept + kept_before(step, rows);
		Rows		input = {(Real *) x, step->in};
		Rows		sums = {kept, step->out};
		Rows		output = {to, step->out};
		NormShape	shape = norm_of(step);

		if (step->kind == STEP_DENSE)
		{
			if (!linear_forward(&shop, rows, step->in, step->out, matrix, bias,
								input, sums))
				return false;
			activation_forward((Activation) step->activation,
							   rows * step->out, kept, to);
		}
		else if (step->kind == STEP_LAYER_NORM)
			norm_forward(&shape, rows, matrix, bias, input, output);
		else
		{
			for (int r = 0; r < rows; r++)
			{
				kept[r] = length_of(step->in, row_of(input, r));
				memcpy(row_of(output, r), row_of(input, r),
					   sizeof(Real) * step->in);
				real_scale(step->in, 1 / kept[r], row_of(output, r));
			}
		}
		x = to;
		kept += step_kept(step, rows);
	}
	return true;
}

/* Slopes of a normalized vector to those of the vector itself. */
static void
unnormalize(int rows, int dims, const Real *lengths, const Real *normal,
			Real *slopes)
{
	for (int r = 0; r < rows; r++)
	{
		const Real *n = normal + (size_t) r * dims;
		Real	   *slope = slopes + (size_t) r * dims;
		Real		along = (Real) real_inner(dims, n, slope);

		real_add_scaled(dims, -along, n, slope);
		real_scale(dims, 1 / lengths[r], slope);
	}
}

bool
train_steps_backward(const VectorStep *steps, int count, const Real *weights,
					 int rows, const Real *x, const Real *kept, Real *slopes,
					 Real *other, Real *weights_slope, Real *x_slope,
					 Real *scratch, ProductInterrupt *interrupt)
{
	Workshop	shop = {scratch, interrupt};

	for (int i = count - 1; i >= 0; i--)
	{
		const VectorStep *step = &steps[i];
		const Real *at = kept + train_steps_kept(steps, i, rows);
		size_t		offset = train_steps_offset(steps, i);
		Real	   *slope = weights_slope == NULL ? NULL
			: weights_slope + offset;
		Real	   *bias_slope = slope == NULL || !step->has_bias ? NULL
			: slope + matrix_floats(step);
		Rows		input = {(Real *) x, step->in};
		Rows		output_slope = {slopes, step->out};
		Rows		input_slope = {other, step->in};
		NormShape	shape = norm_of(step);

		if (i > 0)
			input.values = (Real *) train_steps_results(steps, i, rows, kept);
		if (step->kind == STEP_NORMALIZE)
		{
			unnormalize(rows, step->in, at, at + kept_before(step, rows),
						slopes);
			continue;
		}
		if (step->kind == STEP_LAYER_NORM)
		{
			norm_backward(&shape, rows, weights + offset, input, output_slope,
						  output_slope, slope, bias_slope);
			continue;
		}
		activation_slope((Activation) step->activation, rows * step->out, at,
						 slopes);
		if (!linear_weight_slope(&shop, rows, step->in, step->out, input,
								 output_slope, slope, bias_slope) ||
			!linear_input_slope(&shop, rows, step->in, step->out,
								weights + offset, output_slope, false,
								input_slope))
			return false;
		other = slopes;
		slopes = input_slope.values;
	}
	if (x_slope != NULL)
		memcpy(x_slope, slopes, sizeof(Real) * rows * steps[0].in);
	return true;
}
