/*-------------------------------------------------------------------------
 *
 * tsne_test.c
 *	  Would fail if the repulsion of points were not near to its sum over all
 *	  pairs, or if a layout tore clusters apart, ended at infinity, or differed
 *	  from run to run.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "check.h"
#include "math/distance.h"
#include "math/cpu.h"
#include "math/neighbours.h"
#include "math/product.h"
#include "math/random.h"
#include "math/repulsion.h"
#include "math/tsne.h"

static void
never(void)
{
}

static void *
room(size_t bytes)
{
	return aligned_alloc(64, (bytes + 64) & ~(size_t) 63);
}

static double
exact_repulsion(int points, const float *places, double *forces)
{
	double		total = 0;

	memset(forces, 0, sizeof(double) * 2 * points);
	for (int i = 0; i < points; i++)
	{
		for (int j = 0; j < points; j++)
		{
			double		x = (double) places[2 * i] - places[2 * j];
			double		y = (double) places[2 * i + 1] - places[2 * j + 1];
			double		q = 1 / (1 + x * x + y * y);

			if (i == j)
				continue;
			total += q;
			forces[2 * i] += q * q * x;
			forces[2 * i + 1] += q * q * y;
		}
	}
	return total;
}

/* error: of all forces' lengths together, and of the sum */
static void
test_repulsion(const char *name, int points, const float *places, float theta,
			   double most)
{
	float	   *forces = exact_alloc(sizeof(float) * 2 * points);
	double	   *exact = exact_alloc(sizeof(double) * 2 * points);
	void	   *memory = room(repulsion_bytes(points));
	double		sum = repulsion_of(points, places, theta, forces, memory,
									   never);
	double		right = exact_repulsion(points, places, exact);
	double		error = 0;
	double		length = 0;

	for (int i = 0; i < 2 * points; i++)
	{
		error += (forces[i] - exact[i]) * (forces[i] - exact[i]);
		length += exact[i] * exact[i];
	}
	CHECK(sqrt(error) <= most * sqrt(length) + 1e-5,
		  "%s, %d points: forces differ by %g", name, points,
		  sqrt(error / length));
	CHECK(fabs(sum - right) <= most * right + 1e-3,
		  "%s, %d points: sum %g, not %g", name, points, sum, right);
	free(forces);
	free(exact);
	free(memory);
}

static void
test_repulsions(Random *random)
{
	static const int sizes[] = {1, 2, 16, 17, 300, 3000};

	for (int s = 0; s < 6; s++)
	{
		int			points = sizes[s];
		float	   *places = exact_alloc(sizeof(float) * 2 * points);

		for (int i = 0; i < 2 * points; i++)
			places[i] = 30 * (float) random_gaussian(random);
		test_repulsion("exact", points, places, 0, 1e-4);
		test_repulsion("wide", points, places, 0.5f, 0.01);
		for (int i = 0; i < 2 * points; i++)
			places[i] = 1e-4f * (float) random_gaussian(random);
		test_repulsion("near", points, places, 0.5f, 0.05);
		for (int i = 0; i < 2 * points; i++)
			places[i] = i % 2 == 0 ? 0 : (float) (i % 7);
		test_repulsion("few places", points, places, 0.5f, 0.02);
		memset(places, 0, sizeof(float) * 2 * points);
		test_repulsion("one place", points, places, 0.5f, 0.01);
		free(places);
	}
}

#define DIMS 16

/* Places of points in clusters far from each other, from random ones */
static float *
lay_out(int points, int clusters, uint64_t seed)
{
	int			count = points - 1 < TSNE_NEIGHBOURS ? points - 1 :
						TSNE_NEIGHBOURS;
	float	   *rows = exact_alloc(sizeof(float) * points * DIMS);
	int32_t    *index = exact_alloc(sizeof(int32_t) * points * count);
	float	   *squares = exact_alloc(sizeof(float) * points * count);
	float	   *places = exact_alloc(sizeof(float) * 2 * points);
	void	   *memory = room(neighbours_bytes(points, DIMS));
	Random		random;
	Tsne		tsne;
	int			steps = 0;

	random_seed(&random, seed);
	for (int i = 0; i < points * DIMS; i++)
		rows[i] = (float) random_gaussian(&random) +
			(i / DIMS % clusters == i % DIMS ? 30 : 0);
	for (int i = 0; i < 2 * points; i++)
		places[i] = (float) random_gaussian(&random);
	neighbours_find(rows, points, DIMS, count, 1, index, squares, memory,
					never);
	free(memory);
	memory = room(tsne_bytes(points));
	tsne_begin(&tsne, points, count, index, squares, places, seed, memory,
			   never);
	while (tsne_step(&tsne))
		steps++;
	CHECK(steps == (points > 1 ? TSNE_STEPS : 0), "%d steps", steps);
	for (int i = 0; i < 2 * points; i++)
		CHECK(fabsf(places[i]) < 1e4, "%d points: %g", points, places[i]);
	free(memory);
	free(rows);
	free(index);
	free(squares);
	return places;
}

/* The nearest point of the plane is of the same cluster. */
static void
test_clusters(int points, int clusters)
{
	float	   *places = lay_out(points, clusters, 3);
	int			wrong = 0;

	for (int i = 0; i < points; i++)
	{
		double		least = INFINITY;
		int			nearest = i;

		for (int j = 0; j < points; j++)
		{
			double		x = places[2 * i] - places[2 * j];
			double		y = places[2 * i + 1] - places[2 * j + 1];

			if (j != i && x * x + y * y < least)
			{
				least = x * x + y * y;
				nearest = j;
			}
		}
		wrong += nearest % clusters != i % clusters;
	}
	CHECK(wrong <= points / 100, "%d of %d points are beside another cluster",
		  wrong, points);
	free(places);
}

static void
test_repeatable(void)
{
	float	   *once = lay_out(200, 4, 5);
	float	   *again = lay_out(200, 4, 5);

	CHECK(memcmp(once, again, sizeof(float) * 400) == 0,
		  "another run gives another layout");
	free(once);
	free(again);
}

/* Without FMA both forms give the same bits. */
static void
test_sets(void)
{
	float		places[2 * 500];
	float		forces[2][2 * 500];
	void	   *memory = room(repulsion_bytes(500));
	Random		random;
	double		sums[2];

	random_seed(&random, 9);
	for (int i = 0; i < 1000; i++)
		places[i] = (float) random_gaussian(&random);
	sums[0] = repulsion_of(500, places, 0.5f, forces[0], memory, never);
	cpu_limit(CPU_SCALAR);
	sums[1] = repulsion_of(500, places, 0.5f, forces[1], memory, never);
	cpu_limit(CPU_UNKNOWN);
	CHECK(sums[0] == sums[1] &&
		  memcmp(forces[0], forces[1], sizeof(forces[0])) == 0,
		  "processors without AVX2 give other forces");
	free(memory);
}

int
main(void)
{
	Random		random;

	distance_init();
	product_init();
	random_seed(&random, 20261129);
	test_repulsions(&random);
	test_sets();
	free(lay_out(1, 1, 1));
	free(lay_out(2, 1, 1));
	free(lay_out(3, 1, 1));
	free(lay_out(10, 2, 1));
	test_clusters(300, 3);
	test_clusters(1500, 10);
	test_repeatable();
	return check_result();
}
