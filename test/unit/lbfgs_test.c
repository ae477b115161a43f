/*-------------------------------------------------------------------------
 *
 * lbfgs_test.c
 *	  Would fail if a minimum were missed, or told before it is reached.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "check.h"
#include "math/lbfgs.h"

#define MOST 50

/* Half the sum of i^2 (x_i - i)^2: conditions from 1 to thousands */
static double
bowl(void *argument, const double *x, double *gradient)
{
	int			n = *(int *) argument;
	double		value = 0;

	for (int i = 0; i < n; i++)
	{
		double		far = x[i] - i - 1;
		double		steep = (i + 1.0) * (i + 1.0);

		value += steep * far * far / 2;
		gradient[i] = steep * far;
	}
	return value;
}

/* Rosenbrock's curved valley, the minimum at (1, 1) */
static double
valley(void *argument, const double *x, double *gradient)
{
	double		a = 1 - x[0];
	double		b = x[1] - x[0] * x[0];

	(void) argument;
	gradient[0] = -2 * a - 400 * x[0] * b;
	gradient[1] = 200 * b;
	return a * a + 100 * b * b;
}

/* High, and its minimum near to where it begins: (1e-7, -2e-7, 3) */
static double
high(void *argument, const double *x, double *gradient)
{
	(void) argument;
	gradient[0] = 2 * (x[0] - 1e-7);
	gradient[1] = x[1] + 2e-7;
	gradient[2] = x[2] - 3;
	return 40 + gradient[0] * gradient[0] / 4 +
		gradient[1] * gradient[1] / 2 + gradient[2] * gradient[2] / 2;
}

/* Not finite beyond 1: steps into it are taken back */
static double
wall(void *argument, const double *x, double *gradient)
{
	(void) argument;
	gradient[0] = -1 + 1 / (1 - x[0]) / (1 - x[0]) / 4;
	return x[0] >= 1 ? INFINITY : -x[0] + 0.25 / (1 - x[0]);
}

static void
test_pairs(int pairs)
{
	static const int sizes[] = {1, 2, 5, MOST};
	double		x[MOST];
	double		inverse[MOST];
	void	   *memory = exact_alloc(lbfgs_bytes(MOST, pairs));
	LbfgsResult result;

	for (int s = 0; s < 4; s++)
	{
		int			n = sizes[s];

		memset(x, 0, sizeof(x));
		lbfgs_minimize(n, pairs, x, bowl, &n, NULL, 0, 1e-9, 500, memory,
					   &result);
		CHECK(result.converged, "bowl of %d: %d iterations", n,
			  result.iterations);
		for (int i = 0; i < n; i++)
		{
			CHECK(fabs(x[i] - i - 1) < 1e-6, "bowl: x[%d] is %g", i, x[i]);
			x[i] = 0;
			inverse[i] = 3 / ((i + 1.0) * (i + 1.0));
		}
		/* whoever knows the curvature is there in a few steps */
		lbfgs_minimize(n, pairs, x, bowl, &n, inverse, 0, 1e-9, 500, memory,
					   &result);
		CHECK(result.converged && result.iterations <= 4,
			  "bowl of %d, known: %d iterations", n, result.iterations);
	}
	x[0] = -1.2;
	x[1] = 1;
	lbfgs_minimize(2, pairs, x, valley, NULL, NULL, 0, 1e-8, 500, memory,
					   &result);
	CHECK(result.converged && fabs(x[0] - 1) < 1e-5 && fabs(x[1] - 1) < 1e-5,
		  "valley: (%g, %g)", x[0], x[1]);
	x[0] = -1.2;
	x[1] = 1;
	lbfgs_minimize(2, pairs, x, valley, NULL, NULL, 0, 1e-8, 3, memory,
					   &result);
	CHECK(!result.converged && result.iterations == 3,
		  "valley: stopped after %d", result.iterations);
	x[0] = 0;
	lbfgs_minimize(1, pairs, x, wall, NULL, NULL, 0, 1e-9, 100, memory,
					   &result);
	CHECK(result.converged && fabs(x[0] - 0.5) < 1e-6, "wall: %g", x[0]);
	/* what is small beside others, and beside 1, is found all the same */
	for (int leading = 0; leading <= 2; leading += 2)
	{
		x[0] = x[1] = 0;
		x[2] = 3;
		inverse[0] = inverse[1] = inverse[2] = 1;
		lbfgs_minimize(3, pairs, x, high, NULL, inverse, leading, 1e-4, 100,
					   memory, &result);
		CHECK(result.converged && (leading == 0 ? x[0] == 0 :
								   fabs(x[0] / 1e-7 - 1) < 1e-3 &&
								   fabs(x[1] / -2e-7 - 1) < 1e-3),
			  "high, %d leading: (%g, %g)", leading, x[0], x[1]);
	}
	free(memory);
}

int
main(void)
{
	test_pairs(LBFGS_LEAST_PAIRS);
	test_pairs(LBFGS_MOST_PAIRS);
	return check_result();
}
