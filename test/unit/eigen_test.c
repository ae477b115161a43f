/*-------------------------------------------------------------------------
 *
 * eigen_test.c
 *	  Would fail if eigenvalues or eigenvectors of a symmetric matrix did not
 *	  multiply to the matrix again.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "check.h"
#include "math/eigen.h"
#include "math/random.h"

typedef enum Shape
{
	RANDOM,
	LOW_RANK,
	DIAGONAL,
	EQUAL,
	TINY,
	SHAPES
} Shape;

static void
fill(Shape shape, int n, double *matrix, Random *random)
{
	for (int i = 0; i < n; i++)
	{
		for (int j = 0; j <= i; j++)
		{
			double		x = random_gaussian(random);

			if (shape == DIAGONAL || shape == EQUAL)
				x = i != j ? 0 : shape == EQUAL ? 3 : x;
			if (shape == TINY)
				x *= 1e-150;
			if (shape == LOW_RANK)
				x = sin(i + 1) * sin(j + 1) + (i % 3 == 0 && j % 3 == 0);
			matrix[i * n + j] = matrix[j * n + i] = x;
		}
	}
}

static void
test(Shape shape, int n, Random *random)
{
	size_t		bytes = sizeof(double) * n * n;
	double	   *matrix = exact_alloc(bytes);
	double	   *vectors = exact_alloc(bytes);
	double	   *values = exact_alloc(sizeof(double) * n);
	double	   *alone = exact_alloc(sizeof(double) * n);
	double	   *scratch = exact_alloc(2 * sizeof(double) * n);
	double		scale = 0;

	fill(shape, n, matrix, random);
	for (int i = 0; i < n * n; i++)
		scale = fmax(scale, fabs(matrix[i]));
	scale *= n;
	memcpy(vectors, matrix, bytes);
	CHECK(eigen_symmetric(n, vectors, true, values, scratch, NULL),
		  "shape %d of %d does not end", shape, n);
	for (int i = 0; i < n; i++)
	{
		CHECK(i == 0 || values[i] <= values[i - 1], "values are not sorted");
		for (int j = 0; j < n; j++)
		{
			double		product = 0;
			double		square = 0;

			for (int d = 0; d < n; d++)
			{
				product += matrix[j * n + d] * vectors[i * n + d];
				square += vectors[i * n + d] * vectors[j * n + d];
			}
			CHECK(fabs(product - values[i] * vectors[i * n + j]) <=
				  1e-13 * scale, "shape %d of %d: vector %d is none", shape,
				  n, i);
			CHECK(fabs(square - (i == j)) <= 1e-12,
				  "shape %d of %d: vectors %d and %d, product %g", shape, n,
				  i, j, square);
		}
	}
	memcpy(vectors, matrix, bytes);
	CHECK(eigen_symmetric(n, vectors, false, alone, scratch, NULL),
		  "shape %d of %d does not end", shape, n);
	for (int i = 0; i < n; i++)
		CHECK(fabs(alone[i] - values[i]) <= 1e-13 * scale,
			  "value %d is another without vectors", i);
	free(matrix);
	free(vectors);
	free(values);
	free(alone);
	free(scratch);
}

int
main(void)
{
	static const int sizes[] = {1, 2, 3, 4, 7, 16, 17, 50, 120};
	Random		random;

	random_seed(&random, 1);
	for (int shape = 0; shape < SHAPES; shape++)
		for (int s = 0; s < 9; s++)
			test(shape, sizes[s], &random);
	return check_result();
}
