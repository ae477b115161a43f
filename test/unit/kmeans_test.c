/*-------------------------------------------------------------------------
 *
 * kmeans_test.c
 *	  Would fail if any width of registers named a center that is not the
 *	  nearest, or if training left a plain cluster without a center.
 *
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "check.h"
#include "math/kmeans.h"
#include "math/random.h"

static float *
random_rows(int count, int dims, Random *random)
{
	float	   *rows = exact_alloc(sizeof(float) * count * dims);

	for (int i = 0; i < count * dims; i++)
		rows[i] = random_float(random) - 0.5f;
	return rows;
}

/* |row - center|^2 - |row|^2 */
static double
distance_to(const float *row, const float *center, int dims)
{
	double		sum = 0;

	for (int d = 0; d < dims; d++)
		sum += (double) center[d] * center[d] - 2.0 * row[d] * center[d];
	return sum;
}

static void
test_nearest(KmeansNearest function, int width, int points, int count,
			 int dims, Random *random)
{
	float	   *rows = random_rows(points, dims, random);
	float	   *centers = random_rows(count, dims, random);
	float	   *packed = exact_alloc(kmeans_packed_bytes(count, dims));
	int32_t    *nearest = exact_alloc(sizeof(int32_t) * points);
	float	   *distances = exact_alloc(sizeof(float) * points);

	kmeans_pack(centers, count, dims, packed);
	function(rows, points, dims, packed, count, nearest, distances);
	for (int p = 0; p < points; p++)
	{
		const float *row = rows + p * dims;
		double		least = DBL_MAX;
		bool		real = nearest[p] >= 0 && nearest[p] < count;
		double		found =
				 real ? distance_to(row, centers + nearest[p] * dims, dims)
					  : DBL_MAX;

		for (int c = 0; c < count; c++)
			least = fmin(least, distance_to(row, centers + c * dims, dims));
		CHECK(found <= least + 1e-5 * dims,
			  "width %d, %d rows, %d centers, %d dims: row %d got %d at %g, the nearest is at %g",
			  width, points, count, dims, p, nearest[p], found, least);
		CHECK(fabs(distances[p] - least) <= 1e-5 * dims,
			  "width %d, %d rows, %d centers, %d dims: row %d at %g, not %g",
			  width, points, count, dims, p, distances[p], least);
	}
	free(rows);
	free(centers);
	free(packed);
	free(nearest);
	free(distances);
}

/* Eight heaps far apart: each gets its center. */
static void
test_train(Random *random)
{
	int			dims = 16;
	int			points = 800;
	float	   *rows = random_rows(points, dims, random);
	float	   *centers = exact_alloc(sizeof(float) * 8 * dims);
	void	   *work = exact_alloc(kmeans_work_bytes(points, 8, dims));

	/* in the order of the heaps, from which training starts evenly */
	for (int p = 0; p < points; p++)
		rows[p * dims + p / 100] += 20;
	kmeans_train(rows, points, dims, 8, 5, 1, centers, work, NULL);
	for (int heap = 0; heap < 8; heap++)
	{
		int			found = 0;

		for (int c = 0; c < 8; c++)
		{
			if (centers[c * dims + heap] > 15)
				found++;
		}
		CHECK(found == 1, "heap %d has %d centers", heap, found);
	}
	free(rows);
	free(centers);
	free(work);
}

int
main(void)
{
	static const int points[] = {1, 5, 6, 7, 29};
	static const int counts[] = {1, 7, 8, 9, 31, 32, 33, 64, 100};
	static const int dims[] = {16, 48, 128};
	Random		random;

	random_seed(&random, 3);
	for (int width = 4; width <= 16; width *= 2)
	{
		KmeansNearest function = kmeans_nearest_function(width);

		if (function == NULL)
		{
			printf("registers of %d floats: not on this processor\n", width);
			continue;
		}
		for (int i = 0; i < 5; i++)
		{
			for (int j = 0; j < 9; j++)
			{
				for (int k = 0; k < 3; k++)
					test_nearest(function, width, points[i], counts[j],
								 dims[k], &random);
			}
		}
	}
	test_train(&random);
	return check_result();
}
