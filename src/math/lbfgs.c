/*-------------------------------------------------------------------------
 *
 * lbfgs.c
 *	  The minimum of a smooth function of many variables.
 *
 *-------------------------------------------------------------------------
 */
#include "math/lbfgs.h"

#include <math.h>
#include <string.h>

#include "math/double_rows.h"

/* of Wolfe's conditions: how far down, how flat */
#define DOWN	1e-4
#define FLAT	0.9

#define MOST_TRIALS 60			/* of one step's length */

/* Values are known to this share of them; what is gained may be less. */
#define ROUNDING 1e-14

/* So many steps that gain no more than rounding are the last ones. */
#define MOST_IDLE 20

/* A gain of less than this share of the value is what doubles make of none. */
#define LEAST_GAIN 1e-22

typedef struct Search
{
	int64_t		n;
	int			kept;			/* pairs, at the most */
	double	   *steps;			/* so many vectors, the last at "newest" */
	double	   *changes;
	double		curvatures[LBFGS_MOST_PAIRS];	/* inner products */
	int			pairs;
	int			newest;
	const double *inverse;		/* or NULL */
	double	   *direction;
	double	   *trial;
	double	   *gradient;
	double	   *trial_gradient;
} Search;

static void
add(double *to, double factor, const double *from, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		to[i] += factor * from[i];
}

size_t
lbfgs_bytes(int64_t variables, int pairs)
{
	return sizeof(double) * (size_t) variables * (2 * (size_t) pairs + 4);
}

/* The pair of so many steps ago */
static int
pair_before(const Search *search, int before)
{
	return (search->newest - before + search->kept) % search->kept;
}

/*
 * What the pairs do not tell: the caller's guess, so long that the newest
 * pair comes out right.
 */
static void
scale_direction(Search *search)
{
	const double *inverse = search->inverse;
	const double *change = search->changes + search->newest * search->n;
	double		square = 0;
	double		scale = 1;

	for (int64_t i = 0; i < search->n && search->pairs > 0; i++)
		square += change[i] * change[i] * (inverse ? inverse[i] : 1);
	if (square > 0)
		scale = search->curvatures[search->newest] / square;
	for (int64_t i = 0; i < search->n; i++)
		search->direction[i] *= scale * (inverse ? inverse[i] : 1);
}

/* minus the inverse of the second derivatives times the gradient */
static void
set_direction(Search *search)
{
	int64_t		n = search->n;
	double	   *direction = search->direction;
	double		shares[LBFGS_MOST_PAIRS];

	for (int64_t i = 0; i < n; i++)
		direction[i] = -search->gradient[i];
	for (int k = 0; k < search->pairs; k++)
	{
		int			pair = pair_before(search, k);

		shares[k] = double_dot(search->steps + pair * n, direction, n) /
			search->curvatures[pair];
		add(direction, -shares[k], search->changes + pair * n, n);
	}
	scale_direction(search);
	for (int k = search->pairs - 1; k >= 0; k--)
	{
		int			pair = pair_before(search, k);
		double		share = double_dot(search->changes + pair * n, direction,
									   n) / search->curvatures[pair];

		add(direction, shares[k] - share, search->steps + pair * n, n);
	}
}

/* Keep the step just made, if it curves as a minimum's surroundings do. */
static void
keep_pair(Search *search, double length)
{
	int64_t		n = search->n;
	int			at = search->pairs == 0 ? 0 :
					 (search->newest + 1) % search->kept;
	double	   *step = search->steps + at * n;
	double	   *change = search->changes + at * n;
	double		curvature;

	for (int64_t i = 0; i < n; i++)
	{
		step[i] = length * search->direction[i];
		change[i] = search->trial_gradient[i] - search->gradient[i];
	}
	curvature = double_dot(step, change, n);
	if (!(curvature > 0))
		return;
	search->curvatures[at] = curvature;
	search->newest = at;
	if (search->pairs < search->kept)
		search->pairs++;
}

/*
 * A length of the step that satisfies Wolfe's conditions, or 0.  The trial
 * and its gradient are those of that length.
 */
static double
find_length(Search *search, const double *x, double value, double first,
			LbfgsObjective objective, void *argument, LbfgsResult *result,
			double *reached)
{
	int64_t		n = search->n;
	double		slope = double_dot(search->gradient, search->direction, n);
	double		low = 0;
	double		high = INFINITY;
	double		length = first;

	if (!(slope < 0))
		return 0;
	for (int i = 0; i < MOST_TRIALS; i++)
	{
		memcpy(search->trial, x, sizeof(double) * n);
		add(search->trial, length, search->direction, n);
		*reached = objective(argument, search->trial, search->trial_gradient);
		result->evaluations++;
		if (!(*reached <= value + DOWN * length * slope +
			  ROUNDING * fabs(value)))
			high = length;
		else if (double_dot(search->trial_gradient, search->direction, n) <
				 FLAT * slope)
			low = length;
		else
			return length;
		length = isinf(high) ? 2 * length : (low + high) / 2;
	}
	return 0;
}

static void
set_up(Search *search, int64_t n, int pairs, double *memory)
{
	memset(search, 0, sizeof(*search));
	search->n = n;
	search->kept = pairs;
	search->steps = memory;
	search->changes = search->steps + search->kept * n;
	search->direction = search->changes + search->kept * n;
	search->trial = search->direction + n;
	search->gradient = search->trial + n;
	search->trial_gradient = search->gradient + n;
}

/* Of the leading variables, in units of the curvatures that were guessed */
static bool
leading_are_flat(const Search *search, const double *x, int64_t leading,
				 double value, double tolerance)
{
	double		gain = 0;
	double		size = 0;

	for (int64_t i = 0; i < leading; i++)
	{
		gain += search->gradient[i] * search->gradient[i] *
			search->inverse[i];
		size += x[i] * x[i] / search->inverse[i];
	}
	return gain <= fmax(tolerance * tolerance * size,
						LEAST_GAIN * fabs(value));
}

void
lbfgs_minimize(int64_t variables, int pairs, double *x,
			   LbfgsObjective objective, void *argument,
			   const double *inverse, int64_t leading, double tolerance,
			   int most, void *memory, LbfgsResult *result)
{
	Search		search;
	int			idle = 0;

	memset(result, 0, sizeof(*result));
	set_up(&search, variables, pairs, memory);
	search.inverse = inverse;
	result->value = objective(argument, x, search.gradient);
	result->evaluations = 1;
	for (;;)
	{
		double		steep = sqrt(double_dot(search.gradient, search.gradient,
										   variables));
		int64_t		measured = leading > 0 ? leading : variables;
		double		far = sqrt(double_dot(x, x, measured));
		double	   *swap;
		double		length;
		double		reached = result->value;

		result->converged = steep <= tolerance * fmax(1, far) &&
			leading_are_flat(&search, x, leading, result->value, tolerance);
		if (result->converged || result->iterations == most)
			return;
		set_direction(&search);
		length = find_length(&search, x, result->value,
							 search.pairs == 0 && inverse == NULL ?
							 fmin(1, 1 / steep) : 1,
							 objective, argument, result, &reached);
		idle = reached < result->value - ROUNDING * fabs(result->value) ? 0 :
			idle + 1;
		result->exhausted = length == 0 || idle == MOST_IDLE;
		if (length == 0)
			return;
		keep_pair(&search, length);
		memcpy(x, search.trial, sizeof(double) * variables);
		result->value = reached;
		result->iterations++;
		swap = search.gradient;
		search.gradient = search.trial_gradient;
		search.trial_gradient = swap;
		if (result->exhausted)
			return;
	}
}
