/*-------------------------------------------------------------------------
 *
 * lbfgs.h
 *	  The minimum of a smooth function of many variables.
 *
 * L-BFGS (Nocedal, "Updating Quasi-Newton Matrices with Limited Storage",
 * Mathematics of Computation 1980): the last steps and changes of the
 * gradient stand for the second derivatives.  Steps satisfy the weak
 * conditions of Wolfe, found by doubling and bisection (Lewis and Overton,
 * Mathematical Programming 2013).
 *
 *-------------------------------------------------------------------------
 */
#ifndef MATH_LBFGS_H
#define MATH_LBFGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Value and gradient at x; it need not return. */
typedef double (*LbfgsObjective) (void *argument, const double *x,
								  double *gradient);

typedef struct LbfgsResult
{
	int			iterations;
	int			evaluations;
	bool		converged;		/* the gradient is as short as was asked for */
	bool		exhausted;		/* it is not, but no step gains anything */
	double		value;
} LbfgsResult;

/*
 * Pairs of a step and a change that are kept: each takes two doubles a
 * variable; with more of them fewer steps are made.
 */
#define LBFGS_LEAST_PAIRS	10
#define LBFGS_MOST_PAIRS	30

extern size_t lbfgs_bytes(int64_t variables, int pairs);

/*
 * Minimizes from x, which receives the minimum, until the gradient is no
 * longer than tolerance * max(1, |x|), |x| of the leading variables, or for
 * "most" iterations.
 *
 * inverse: about what the second derivative by each variable is, inverted,
 * up to a common factor, or NULL: all alike
 * leading: of so many variables, the first, the gradient is to be short beside
 * these alone as well, both measured by "inverse", so that it does not matter
 * how small they are; 0: |x| is that of all
 * memory: lbfgs_bytes bytes, aligned as doubles
 */
extern void lbfgs_minimize(int64_t variables, int pairs, double *x,
						   LbfgsObjective objective, void *argument,
						   const double *inverse, int64_t leading,
						   double tolerance, int most, void *memory,
						   LbfgsResult *result);

#endif							/* MATH_LBFGS_H */
