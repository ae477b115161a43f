/*-------------------------------------------------------------------------
 *
 * orthogonal.c
 *	  The orthogonal matrix nearest to a square one.
 *
 * Singular vectors by one-sided Jacobi rotations (Hestenes, "Inversion of
 * Matrices by Biorthogonalization", 1958), which find small singular values
 * as exactly as large ones; the eigenvectors of A'A, which lose half of the
 * digits, are where they begin, so that two or three sweeps are enough.
 * U V' is the answer of the Procrustes problem (Schoenemann, "A generalized
 * solution of the orthogonal Procrustes problem", Psychometrika 1966).
 *
 *-------------------------------------------------------------------------
 */
#include "math/orthogonal.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "math/double_rows.h"
#include "math/eigen.h"

/* more than any matrix has needed by far */
#define MOST_SWEEPS 60

/* Beside the largest singular value, what sums of n terms make of zero */
#define NO_VALUE(n) (16 * DBL_EPSILON * (n))

/* Cosines this small are what sums of n terms make of a right angle. */
#define SMALL(n) (DBL_EPSILON * (4 + (n)))

/* An axis that keeps less than this of its length is not used for a base. */
#define LEAST_REST 1e-3

static void
scale(double *a, double factor, int n)
{
	for (int i = 0; i < n; i++)
		a[i] *= factor;
}

static void
rotate(double *a, double *b, double cosine, double sine, int n)
{
	for (int i = 0; i < n; i++)
	{
		double		x = a[i];

		a[i] = cosine * x - sine * b[i];
		b[i] = sine * x + cosine * b[i];
	}
}

/* Divide by the largest element; false if all are zero. */
static bool
scale_matrix(int n, double *matrix)
{
	double		largest = 0;

	for (size_t i = 0; i < (size_t) n * n; i++)
		largest = fmax(largest, fabs(matrix[i]));
	if (largest == 0)
		return false;
	/* in two steps, for the inverse of a denormal number is infinite */
	for (size_t i = 0; i < (size_t) n * n; i++)
		matrix[i] /= largest;
	return true;
}

/* v := rows, the eigenvectors of A'A; images := rows, A times each of them */
static bool
begin(int n, const double *matrix, double *v, double *images,
	  double *scratch, OrthogonalCheck check)
{
	memset(v, 0, sizeof(double) * n * n);
	for (int i = 0; i < n; i++)
	{
		const double *row = matrix + (size_t) i * n;

		if (check != NULL)
			check();
		for (int j = 0; j < n; j++)
			double_add_scaled(v + (size_t) j * n, row[j], row, n);
	}
	if (!eigen_symmetric(n, v, true, scratch, scratch + n, check))
		return false;
	for (int i = 0; i < n; i++)
	{
		if (check != NULL)
			check();
		for (int r = 0; r < n; r++)
			images[(size_t) i * n + r] =
				double_dot(matrix + (size_t) r * n, v + (size_t) i * n, n);
	}
	return true;
}

/*
 * Rotate two images until they are orthogonal, and their vectors with them;
 * false if they are so already.  What is nothing beside the largest image
 * has no direction to turn.
 */
static bool
turn(double *image_a, double *image_b, double *a, double *b, double least,
	 int n)
{
	double		square_a = double_dot(image_a, image_a, n);
	double		square_b = double_dot(image_b, image_b, n);
	double		product = double_dot(image_a, image_b, n);
	double		zeta;
	double		tangent;
	double		cosine;

	if (square_a <= least || square_b <= least ||
		fabs(product) <= SMALL(n) * sqrt(square_a) * sqrt(square_b))
		return false;
	zeta = (square_b - square_a) / (2 * product);
	tangent = copysign(1 / (fabs(zeta) + hypot(1, zeta)), zeta);
	cosine = 1 / hypot(1, tangent);
	rotate(image_a, image_b, cosine, cosine * tangent, n);
	rotate(a, b, cosine, cosine * tangent, n);
	return true;
}

static double
largest_square(int n, const double *images)
{
	double		largest = 0;

	for (int i = 0; i < n; i++)
		largest = fmax(largest, double_dot(images + (size_t) i * n,
										   images + (size_t) i * n, n));
	return largest;
}

static bool
sweep_until_orthogonal(int n, double *images, double *v,
					   OrthogonalCheck check)
{
	double		least = largest_square(n, images) * NO_VALUE(n) *
		NO_VALUE(n);

	for (int sweep = 0; sweep < MOST_SWEEPS; sweep++)
	{
		bool		turned = false;

		for (int i = 0; i < n; i++)
		{
			if (check != NULL)
				check();
			for (int j = i + 1; j < n; j++)
				turned |= turn(images + (size_t) i * n,
							   images + (size_t) j * n, v + (size_t) i * n,
							   v + (size_t) j * n, least, n);
		}
		if (!turned)
			return true;
	}
	return false;
}

/*
 * Take the parts along the rows of "others" that stand so far out of a, twice
 * for exactness, and make the rest a unit vector; false if little is left.
 */
static bool
make_orthogonal(int n, double *a, const double *others, const char *stands)
{
	double		before = sqrt(double_dot(a, a, n));
	double		after;

	for (int round = 0; round < 2; round++)
		for (int i = 0; i < n; i++)
			if (stands[i])
				double_add_scaled(a,
								  -double_dot(a, others + (size_t) i * n, n),
								  others + (size_t) i * n, n);
	after = sqrt(double_dot(a, a, n));
	if (!(after > LEAST_REST * before) || before == 0)
		return false;
	scale(a, 1 / after, n);
	return true;
}

/*
 * Give an image to a vector that has none: the vector itself, or the first
 * axis that will do.  Of n axes at least one keeps 1/sqrt(n) of its length.
 */
static void
complete_image(int n, double *image, const double *v, const double *images,
			   const char *stands)
{
	double		best = -1;
	int			axis = 0;

	memcpy(image, v, sizeof(double) * n);
	if (make_orthogonal(n, image, images, stands))
		return;
	for (int d = 0; d < n; d++)
	{
		double		rest = 1;

		for (int i = 0; i < n; i++)
			if (stands[i])
				rest -= images[(size_t) i * n + d] *
					images[(size_t) i * n + d];
		if (rest > best)
		{
			best = rest;
			axis = d;
		}
	}
	memset(image, 0, sizeof(double) * n);
	image[axis] = 1;
	(void) make_orthogonal(n, image, images, stands);
}

/* Images become unit vectors; returns how many were not nothing. */
static int
make_units(int n, double *images, const double *v, char *stands,
		   OrthogonalCheck check)
{
	double		largest = sqrt(largest_square(n, images));
	int			rank = 0;

	for (int i = 0; i < n; i++)
	{
		double	   *image = images + (size_t) i * n;
		double		length = sqrt(double_dot(image, image, n));

		stands[i] = length > largest * NO_VALUE(n);
		if (stands[i])
			scale(image, 1 / length, n);
		rank += stands[i];
	}
	for (int i = 0; i < n; i++)
	{
		if (stands[i])
			continue;
		if (check != NULL)
			check();
		complete_image(n, images + (size_t) i * n, v + (size_t) i * n, images,
					   stands);
		stands[i] = 1;
	}
	return rank;
}

static void
set_identity(int n, double *matrix)
{
	memset(matrix, 0, sizeof(double) * n * n);
	for (int i = 0; i < n; i++)
		matrix[(size_t) i * n + i] = 1;
}

/* vectors, images, and what eigen_symmetric needs or a byte for each image */
size_t
orthogonal_scratch(int n)
{
	return 2 * (size_t) n * n + 3 * (size_t) n;
}

bool
orthogonal_nearest(int n, double *matrix, double *scratch, int *rank,
				   OrthogonalCheck check)
{
	double	   *v = scratch;
	double	   *images = v + (size_t) n * n;
	double	   *work = images + (size_t) n * n;
	int			found = 0;

	if (!scale_matrix(n, matrix))
		set_identity(n, matrix);
	else
	{
		if (!begin(n, matrix, v, images, work, check) ||
			!sweep_until_orthogonal(n, images, v, check))
			return false;
		found = make_units(n, images, v, (char *) work, check);
		memset(matrix, 0, sizeof(double) * n * n);
		for (int i = 0; i < n; i++)
		{
			if (check != NULL)
				check();
			for (int r = 0; r < n; r++)
				double_add_scaled(matrix + (size_t) r * n,
								  images[(size_t) i * n + r],
								  v + (size_t) i * n, n);
		}
	}
	if (rank != NULL)
		*rank = found;
	return true;
}
