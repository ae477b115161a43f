/*-------------------------------------------------------------------------
 *
 * eigen.c
 *	  Eigenvalues and eigenvectors of a symmetric matrix.
 *
 * Householder's reflections make the matrix tridiagonal, and implicit QL
 * steps with Wilkinson's shift make that diagonal (Golub and Van Loan, Matrix
 * Computations, 8.3; Wilkinson and Reinsch, Handbook for Automatic
 * Computation, 1971).  All loops run along rows.
 *
 *-------------------------------------------------------------------------
 */
#include "math/eigen.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "math/double_rows.h"

/* for one eigenvalue; two or three are usual */
#define MOST_STEPS 60

/*
 * A unit vector v, in place of x, such that I - 2 v v' takes x to a multiple
 * of the last axis, which is returned.  A zero x stays zero.
 */
static double
reflect(double *x, int n)
{
	double		largest = 0;
	double		norm;

	for (int i = 0; i < n; i++)
		largest = fmax(largest, fabs(x[i]));
	if (largest == 0)
		return 0;
	for (int i = 0; i < n; i++)
		x[i] /= largest;
	norm = sqrt(double_dot(x, x, n));
	if (x[n - 1] > 0)
		norm = -norm;
	x[n - 1] -= norm;
	norm *= largest;
	largest = sqrt(double_dot(x, x, n));
	for (int i = 0; i < n; i++)
		x[i] /= largest;
	return norm;
}

/*
 * Make the matrix tridiagonal from its last row upwards.  Row i of the matrix
 * becomes the reflection that made row i so, of i elements; diagonal and
 * off-diagonal (element i beside i - 1) go to the vectors given.
 */
static void
make_tridiagonal(int n, double *matrix, double *diagonal, double *beside,
				 EigenCheck check)
{
	for (int i = n - 1; i > 0; i--)
	{
		double	   *v = matrix + (size_t) i * n;
		double	   *w = diagonal;	/* those below i are not used yet */
		double		share;

		if (check != NULL)
			check();
		beside[i] = reflect(v, i);

		/* A - 2 v w' - 2 w v', with w = A v - (v' A v) v */
		for (int r = 0; r < i; r++)
			w[r] = double_dot(matrix + (size_t) r * n, v, i);
		share = double_dot(v, w, i);
		double_add_scaled(w, -share, v, i);
		for (int r = 0; r < i; r++)
		{
			double	   *row = matrix + (size_t) r * n;

			double_add_scaled(row, -2 * v[r], w, i);
			double_add_scaled(row, -2 * w[r], v, i);
		}
		diagonal[i] = v[i];
	}
	diagonal[0] = matrix[0];
	beside[0] = 0;
}

/*
 * The product of all reflections, as rows, in place of the reflections: row
 * by row of the tridiagonal matrix's basis.
 */
static void
gather_reflections(int n, double *matrix, EigenCheck check)
{
	for (int i = 0; i < n; i++)
	{
		double	   *v = matrix + (size_t) i * n;

		if (check != NULL && i > 0)
			check();

		/* the rows above span the first i axes: reflect them */
		for (int r = 0; r < i; r++)
		{
			double	   *row = matrix + (size_t) r * n;

			double_add_scaled(row, -2 * double_dot(row, v, i), v, i);
		}
		for (int r = 0; r < i; r++)
			matrix[(size_t) r * n + i] = 0;
		memset(v, 0, sizeof(double) * i);
		v[i] = 1;
	}
}

static void
rotate_rows(double *a, double *b, int n, double cosine, double sine)
{
	for (int i = 0; i < n; i++)
	{
		double		x = a[i];

		a[i] = cosine * x - sine * b[i];
		b[i] = sine * x + cosine * b[i];
	}
}

/* One QL step on rows "low" to "high"; vectors may be NULL. */
static void
ql_step(int n, double *diagonal, double *beside, int low, int high,
		double *vectors)
{
	double		shift = (diagonal[low + 1] - diagonal[low]) /
		(2 * beside[low + 1]);
	double		root = hypot(shift, 1);
	double		chase;
	double		sine = 1;
	double		cosine = 1;
	double		moved = 0;

	chase = diagonal[high] - diagonal[low] +
		beside[low + 1] / (shift + copysign(root, shift));
	for (int i = high - 1; i >= low; i--)
	{
		double		f = sine * beside[i + 1];
		double		b = cosine * beside[i + 1];
		double		r = hypot(f, chase);

		if (i + 2 <= high)
			beside[i + 2] = r;
		if (r == 0)
		{
			/* the rest has come apart: finish here */
			diagonal[i + 1] -= moved;
			return;
		}
		sine = f / r;
		cosine = chase / r;
		chase = diagonal[i + 1] - moved;
		r = (diagonal[i] - chase) * sine + 2 * cosine * b;
		moved = sine * r;
		diagonal[i + 1] = chase + moved;
		chase = cosine * r - b;
		if (vectors != NULL)
			rotate_rows(vectors + (size_t) i * n,
						vectors + (size_t) (i + 1) * n, n, cosine, sine);
	}
	diagonal[low] -= moved;
	beside[low + 1] = chase;
}

static bool
diagonalize(int n, double *diagonal, double *beside, double *vectors,
			EigenCheck check)
{
	for (int low = 0; low < n; low++)
	{
		for (int steps = 0;; steps++)
		{
			int			high = low;

			for (; high + 1 < n; high++)
			{
				double		near = fabs(diagonal[high]) +
					fabs(diagonal[high + 1]);

				if (fabs(beside[high + 1]) <= DBL_EPSILON * near)
					break;
			}
			if (high == low)
				break;
			if (steps == MOST_STEPS)
				return false;
			ql_step(n, diagonal, beside, low, high, vectors);
			if (check != NULL)
				check();
		}
	}
	return true;
}

/* Descending, the vectors with their values */
static void
sort_values(int n, double *values, double *vectors)
{
	for (int i = 0; i < n; i++)
	{
		int			largest = i;
		double		value;

		for (int j = i + 1; j < n; j++)
			if (values[j] > values[largest])
				largest = j;
		if (largest == i)
			continue;
		value = values[i];
		values[i] = values[largest];
		values[largest] = value;
		for (int d = 0; vectors != NULL && d < n; d++)
		{
			double	   *a = &vectors[(size_t) i * n + d];
			double	   *b = &vectors[(size_t) largest * n + d];

			value = *a;
			*a = *b;
			*b = value;
		}
	}
}

bool
eigen_symmetric(int n, double *matrix, bool vectors, double *values,
				double *scratch, EigenCheck check)
{
	double	   *beside = scratch;

	if (n == 0)
		return true;
	make_tridiagonal(n, matrix, values, beside, check);
	if (vectors)
		gather_reflections(n, matrix, check);
	if (!diagonalize(n, values, beside, vectors ? matrix : NULL, check))
		return false;
	sort_values(n, values, vectors ? matrix : NULL);
	return true;
}
