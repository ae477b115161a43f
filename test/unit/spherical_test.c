/*-------------------------------------------------------------------------
 *
 * spherical_test.c
 *	  Would fail if clusters that lie apart were not found, or if a silhouette
 *	  were not that of all pairs.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "check.h"
#include "math/random.h"
#include "math/spherical.h"

#define FEATURES 40

static void
never(void)
{
}

static void *
room(size_t bytes)
{
	void	   *block = aligned_alloc(64, (bytes + 64) & ~(size_t) 63);

	memset(block, 0, bytes);
	return block;
}

/* Rows of some elements around one direction a cluster; some rows are empty */
static SphericalRows
make_rows(int rows, int clusters, Random *random)
{
	int64_t    *starts = exact_alloc(sizeof(int64_t) * (rows + 1));
	int32_t    *keys = exact_alloc(sizeof(int32_t) * rows * 6);
	float	   *values = exact_alloc(sizeof(float) * rows * 6);
	int64_t		at = 0;

	for (int r = 0; r < rows; r++)
	{
		double		sum = 0;
		int			begin = (int) at;

		starts[r] = at;
		if (r % 50 == 49)
			continue;
		for (int i = 0; i < 6; i++)
		{
			keys[at] = (r % clusters + i * 7) % FEATURES;
			values[at] = i == 0 ? 3 : 0.3f * (float) random_gaussian(random);
			sum += (double) values[at] * values[at];
			at++;
		}
		for (int i = begin; i < at; i++)
			values[i] /= (float) sqrt(sum);
	}
	starts[rows] = at;
	return (SphericalRows) {rows, starts, keys, values};
}

static void
free_rows(SphericalRows *rows)
{
	free((void *) rows->starts);
	free((void *) rows->keys);
	free((void *) rows->values);
}

static int
nearest(Spherical *spherical, const SphericalRows *rows, int row)
{
	int64_t		start = rows->starts[row];
	float		cosine;

	return spherical_nearest(spherical, (int) (rows->starts[row + 1] - start),
							 rows->keys + start, rows->values + start,
							 &cosine);
}

static double
distance(const SphericalRows *rows, int a, int b)
{
	double		sum = 0;

	for (int64_t i = rows->starts[a]; i < rows->starts[a + 1]; i++)
		for (int64_t j = rows->starts[b]; j < rows->starts[b + 1]; j++)
			if (rows->keys[i] == rows->keys[j])
				sum += (double) rows->values[i] * rows->values[j];
	return 1 - sum;
}

/* As its definition says, over all pairs */
static double
exact_silhouette(Spherical *spherical, const SphericalRows *rows)
{
	int		   *own = exact_alloc(sizeof(int) * rows->rows);
	double		total = 0;
	int			counted = 0;

	for (int r = 0; r < rows->rows; r++)
		own[r] = rows->starts[r + 1] > rows->starts[r] ?
			nearest(spherical, rows, r) : -1;
	for (int r = 0; r < rows->rows; r++)
	{
		double		sums[64] = {0};
		int			sizes[64] = {0};
		double		within = 0;
		double		other = INFINITY;

		if (own[r] < 0)
			continue;
		counted++;
		for (int s = 0; s < rows->rows; s++)
		{
			if (s == r || own[s] < 0)
				continue;
			sums[own[s]] += distance(rows, r, s);
			sizes[own[s]]++;
		}
		if (sizes[own[r]] == 0)
			continue;
		within = sums[own[r]] / sizes[own[r]];
		for (int k = 0; k < spherical->count; k++)
			if (k != own[r] && sizes[k] > 0)
				other = fmin(other, sums[k] / sizes[k]);
		total += (other - within) / fmax(within, other);
	}
	free(own);
	return total / counted;
}

static void
test_clusters(int rows, int clusters, Random *random)
{
	SphericalRows data = make_rows(rows, clusters, random);
	void	   *memory = room(spherical_bytes(FEATURES, clusters));
	void	   *work = room(spherical_fit_bytes(FEATURES, clusters, rows));
	int			of[64];
	double		silhouette;
	double		exact;
	Spherical	spherical;

	spherical_init(&spherical, FEATURES, clusters, memory, never);
	(void) spherical_fit(&spherical, &data, 5, 11, work);
	for (int k = 0; k < clusters; k++)
		of[k] = nearest(&spherical, &data, k);
	for (int r = 0; r < rows; r++)
		if (r % 50 != 49)
			CHECK(nearest(&spherical, &data, r) == of[r % clusters],
				  "%d clusters: row %d is of another one", clusters, r);
	for (int k = 0; k < clusters; k++)
		for (int l = 0; l < k; l++)
			CHECK(of[k] != of[l], "%d clusters: two are one", clusters);
	exact = exact_silhouette(&spherical, &data);
	silhouette = spherical_silhouette(&spherical, &data);
	CHECK(fabs(silhouette - exact) < 1e-4, "%d clusters: silhouette %g, not %g",
		  clusters, silhouette, exact);
	free(memory);
	free(work);
	free_rows(&data);
}

/* Equal rows: more clusters than directions, and none of it not a number */
static void
test_equal(void)
{
	int64_t		starts[] = {0, 1, 2, 3, 4, 4};
	int32_t		keys[] = {0, 0, 0, 0};
	float		values[] = {1, 1, 1, 1};
	SphericalRows data = {5, starts, keys, values};
	void	   *memory = room(spherical_bytes(1, 3));
	void	   *work = room(spherical_fit_bytes(1, 3, 5));
	Spherical	spherical;
	double		total;

	spherical_init(&spherical, 1, 3, memory, never);
	total = spherical_fit(&spherical, &data, 2, 1, work);
	CHECK(fabs(total - 4) < 1e-6, "equal rows: %g", total);
	CHECK(spherical_silhouette(&spherical, &data) == -1,
		  "a silhouette of one cluster");
	free(memory);
	free(work);
}

int
main(void)
{
	Random		random;

	random_seed(&random, 20261129);
	test_clusters(300, 2, &random);
	test_clusters(400, 7, &random);
	test_clusters(600, 12, &random);
	test_equal();
	return check_result();
}
