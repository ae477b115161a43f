/*-------------------------------------------------------------------------
 *
 * orthogonal_test.c
 *	  Would fail if the orthogonal matrix nearest to a square one were not
 *	  orthogonal, or another one were nearer.
 *
 * W = U V' is the nearest one to A = U S V' if and only if W'A is symmetric
 * and has no negative eigenvalue (it is V S V').
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "check.h"
#include "math/eigen.h"
#include "math/orthogonal.h"
#include "math/random.h"

typedef enum Shape
{
	RANDOM,
	LOW_RANK,
	ONE_ENTRY,
	ZERO,
	DIAGONAL,
	GRADED,						/* columns from 1 down to 1e-9 */
	TINY,
	SHAPES
} Shape;

static int
fill(Shape shape, int n, double *matrix, Random *random)
{
	for (int i = 0; i < n; i++)
	{
		for (int j = 0; j < n; j++)
		{
			double		x = random_gaussian(random);

			if (shape == DIAGONAL)
				x = i == j ? x : 0;
			if (shape == TINY)
				x *= 1e-310;
			if (shape == GRADED)
				x *= pow(10, -9.0 * j / n);
			if (shape == LOW_RANK)
				x = sin(i + 1) * cos(j + 1) +
					sin(3 * i + 1) * cos(2 * j + 5);
			if (shape == ZERO || shape == ONE_ENTRY)
				x = shape == ONE_ENTRY && i == 0 && j == n - 1;
			matrix[(size_t) i * n + j] = x;
		}
	}
	return shape == ZERO ? 0 : shape == ONE_ENTRY ? 1 :
		shape == LOW_RANK ? (n < 2 ? n : 2) : n;
}

static double
column_product(int n, const double *a, int i, const double *b, int j)
{
	double		sum = 0;

	for (int r = 0; r < n; r++)
		sum += a[(size_t) r * n + i] * b[(size_t) r * n + j];
	return sum;
}

static void
test(Shape shape, int n, Random *random)
{
	size_t		bytes = sizeof(double) * n * n;
	double	   *matrix = exact_alloc(bytes);
	double	   *nearest = exact_alloc(bytes);
	double	   *product = exact_alloc(bytes);
	double	   *scratch = exact_alloc(sizeof(double) * orthogonal_scratch(n));
	double	   *values = exact_alloc(sizeof(double) * 3 * n);
	double		size = 0;
	int			expected = fill(shape, n, matrix, random);
	int			rank = -1;

	for (int i = 0; i < n * n; i++)
		size = fmax(size, fabs(matrix[i]));
	memcpy(nearest, matrix, bytes);
	CHECK(orthogonal_nearest(n, nearest, scratch, &rank, NULL),
		  "shape %d of %d does not end", shape, n);
	CHECK(rank == expected, "shape %d of %d: rank %d, not %d", shape, n, rank,
		  expected);
	for (int i = 0; i < n; i++)
	{
		for (int j = 0; j < n; j++)
		{
			double		turned = column_product(n, nearest, i, nearest, j);

			CHECK(fabs(turned - (i == j)) <= 1e-12 * (1 + n),
				  "shape %d of %d: columns %d and %d, product %g", shape, n,
				  i, j, turned);
			product[(size_t) i * n + j] =
				column_product(n, nearest, i, matrix, j);
		}
	}
	for (int i = 0; i < n; i++)
		for (int j = 0; j < i; j++)
			CHECK(fabs(product[(size_t) i * n + j] -
					   product[(size_t) j * n + i]) <= 1e-12 * n * size,
				  "shape %d of %d: %d, %d is not symmetric", shape, n, i, j);
	if (shape != TINY)
	{
		CHECK(eigen_symmetric(n, product, false, values, values + n, NULL),
			  "no eigenvalues");
		CHECK(values[n - 1] >= -1e-12 * n * size,
			  "shape %d of %d: eigenvalue %g", shape, n, values[n - 1]);
	}
	free(matrix);
	free(nearest);
	free(product);
	free(scratch);
	free(values);
}

int
main(void)
{
	static const int sizes[] = {1, 2, 3, 5, 16, 17, 50, 120};
	Random		random;

	random_seed(&random, 1);
	for (int shape = 0; shape < SHAPES; shape++)
		for (int s = 0; s < 8; s++)
			test(shape, sizes[s], &random);
	return check_result();
}
