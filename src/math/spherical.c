/*-------------------------------------------------------------------------
 *
 * spherical.c
 *	  Clusters of sparse rows of length 1 by their cosine.
 *
 * A feature's numbers for all clusters lie side by side, so that an element of
 * a row meets all clusters in a few registers.
 *
 *-------------------------------------------------------------------------
 */
#include "math/spherical.h"

#include <math.h>
#include <string.h>

#include "math/random.h"

#define LANES	8
#define ROUNDS	30				/* of a start */
#define PIECE	256				/* rows between two calls of check */

/* A round that gains less than this share of the sum is the last one. */
#define LEAST_GAIN	1e-6

/* ---------- memory ---------- */

static int
stride_of(int count)
{
	return (count + LANES - 1) / LANES * LANES;
}

static size_t
aligned(size_t bytes)
{
	return (bytes + 63) & ~(size_t) 63;
}

static size_t
matrix_bytes(int features, int count)
{
	return aligned(sizeof(float) * (size_t) features *
				   (size_t) stride_of(count));
}

size_t
spherical_bytes(int features, int count)
{
	return 2 * matrix_bytes(features, count) +
		aligned(sizeof(int64_t) * (size_t) count) +
		aligned(sizeof(double) * (size_t) count) +
		aligned(sizeof(float) * (size_t) stride_of(count));
}

void
spherical_init(Spherical *spherical, int features, int count, void *memory,
			   SphericalCheck check)
{
	char	   *at = memory;

	spherical->features = features;
	spherical->count = count;
	spherical->stride = stride_of(count);
	spherical->check = check;
	spherical->centers = (float *) at;
	at += matrix_bytes(features, count);
	spherical->sums = (float *) at;
	at += matrix_bytes(features, count);
	spherical->sizes = (int64_t *) at;
	at += aligned(sizeof(int64_t) * (size_t) count);
	spherical->lengths = (double *) at;
	at += aligned(sizeof(double) * (size_t) count);
	spherical->scores = (float *) at;
}

/* ---------- a round ---------- */

/* The row's products with all columns of a matrix */
static void
multiply(const Spherical *spherical, const float *matrix, int count,
		 const int32_t *keys, const float *values, float *products)
{
	int			stride = spherical->stride;

	memset(products, 0, sizeof(float) * stride);
	for (int i = 0; i < count; i++)
	{
		const float *row = matrix + (size_t) keys[i] * stride;
		float		value = values[i];

		for (int k = 0; k < stride; k++)
			products[k] += value * row[k];
	}
}

int
spherical_nearest(Spherical *spherical, int count, const int32_t *keys,
				  const float *values, float *cosine)
{
	const float *scores = spherical->scores;
	int			best = 0;

	multiply(spherical, spherical->centers, count, keys, values,
			 spherical->scores);
	for (int k = 1; k < spherical->count; k++)
		if (scores[k] > scores[best])
			best = k;
	*cosine = scores[best];
	return best;
}

void
spherical_clear(Spherical *spherical)
{
	memset(spherical->sums, 0, sizeof(float) * (size_t) spherical->features *
		   (size_t) spherical->stride);
	memset(spherical->sizes, 0, sizeof(int64_t) * spherical->count);
}

void
spherical_give(Spherical *spherical, int cluster, int count,
			   const int32_t *keys, const float *values)
{
	spherical->sizes[cluster]++;
	for (int i = 0; i < count; i++)
		spherical->sums[(size_t) keys[i] * spherical->stride + cluster] +=
			values[i];
}

static void
measure_sums(Spherical *spherical)
{
	memset(spherical->lengths, 0, sizeof(double) * spherical->count);
	for (int f = 0; f < spherical->features; f++)
	{
		const float *row = spherical->sums +
			(size_t) f * spherical->stride;

		for (int k = 0; k < spherical->count; k++)
			spherical->lengths[k] += (double) row[k] * row[k];
		if (f % PIECE == 0)
			spherical->check();
	}
	for (int k = 0; k < spherical->count; k++)
		spherical->lengths[k] = sqrt(spherical->lengths[k]);
}

void
spherical_update(Spherical *spherical)
{
	measure_sums(spherical);
	for (int f = 0; f < spherical->features; f++)
	{
		const float *sum = spherical->sums + (size_t) f * spherical->stride;
		float	   *center = spherical->centers +
			(size_t) f * spherical->stride;

		for (int k = 0; k < spherical->count; k++)
			if (spherical->lengths[k] > 0)
				center[k] = (float) (sum[k] / spherical->lengths[k]);
	}
}

/* ---------- a sample ---------- */

static int
row_length(const SphericalRows *rows, int row)
{
	return (int) (rows->starts[row + 1] - rows->starts[row]);
}

static void
set_center(Spherical *spherical, int cluster, const SphericalRows *rows,
		   int row)
{
	for (int f = 0; f < spherical->features; f++)
		spherical->centers[(size_t) f * spherical->stride + cluster] = 0;
	for (int64_t i = rows->starts[row]; i < rows->starts[row + 1]; i++)
		spherical->centers[(size_t) rows->keys[i] * spherical->stride +
						   cluster] = rows->values[i];
}

/* The row at this part of the sum of all weights */
static int
row_at(const double *weights, int rows, double part)
{
	for (int r = 0; r < rows; r++)
	{
		part -= weights[r];
		if (part < 0)
			return r;
	}
	return rows - 1;
}

/*
 * What is left of all rows' distances if this row were a center too; each
 * row's distance then goes to "distances".
 */
static double
try_center(Spherical *spherical, const SphericalRows *rows, int row,
		   const double *nearest, double *distances, float *dense)
{
	double		left = 0;

	for (int64_t i = rows->starts[row]; i < rows->starts[row + 1]; i++)
		dense[rows->keys[i]] = rows->values[i];
	for (int r = 0; r < rows->rows; r++)
	{
		float		cosine = 0;

		for (int64_t i = rows->starts[r]; i < rows->starts[r + 1]; i++)
			cosine += rows->values[i] * dense[rows->keys[i]];
		distances[r] = row_length(rows, r) == 0 ? 0 :
			fmin(nearest[r], fmax(0, 1 - cosine));
		left += distances[r];
		if (r % PIECE == 0)
			spherical->check();
	}
	for (int64_t i = rows->starts[row]; i < rows->starts[row + 1]; i++)
		dense[rows->keys[i]] = 0;
	return left;
}

typedef struct Seeding
{
	double	   *nearest;		/* of each row: to the centers so far */
	double	   *tried;
	double	   *best;
	float	   *dense;			/* one row */
} Seeding;

/*
 * Greedy k-means++: of some rows, drawn by their distance, which is half the
 * squared one, the one that leaves least.
 */
static void
seed_centers(Spherical *spherical, const SphericalRows *rows,
			 Seeding *seeding, Random *random)
{
	int			trials = 2 + (int) log(spherical->count);
	double		total = 0;

	for (int r = 0; r < rows->rows; r++)
	{
		seeding->nearest[r] = row_length(rows, r) > 0;
		total += seeding->nearest[r];
	}
	for (int k = 0; k < spherical->count; k++)
	{
		double		least = INFINITY;
		int			chosen = 0;

		for (int t = 0; t < (k == 0 ? 1 : trials); t++)
		{
			int			row = row_at(seeding->nearest, rows->rows,
									 total * random_double(random));
			double		left = try_center(spherical, rows, row,
										  seeding->nearest, seeding->tried,
										  seeding->dense);
			double	   *swap = seeding->tried;

			if (left >= least)
				continue;
			least = left;
			chosen = row;
			seeding->tried = seeding->best;
			seeding->best = swap;
		}
		set_center(spherical, k, rows, chosen);
		memcpy(seeding->nearest, seeding->best, sizeof(double) * rows->rows);
		total = least;
	}
}

/* Rows to their nearest centers, whose sums are made; returns all cosines. */
static double
assign(Spherical *spherical, const SphericalRows *rows)
{
	double		total = 0;

	spherical_clear(spherical);
	for (int r = 0; r < rows->rows; r++)
	{
		int64_t		start = rows->starts[r];
		int			count = row_length(rows, r);
		float		cosine;
		int			cluster;

		if (count == 0)
			continue;
		cluster = spherical_nearest(spherical, count, rows->keys + start,
									rows->values + start, &cosine);
		spherical_give(spherical, cluster, count, rows->keys + start,
					   rows->values + start);
		total += cosine;
		if (r % PIECE == 0)
			spherical->check();
	}
	return total;
}

/* A cluster that has lost all its rows begins again at one of them. */
static void
refill(Spherical *spherical, const SphericalRows *rows, Random *random)
{
	for (int k = 0; k < spherical->count; k++)
	{
		int			row = (int) random_below(random, (uint32_t) rows->rows);

		if (spherical->sizes[k] == 0 && row_length(rows, row) > 0)
			set_center(spherical, k, rows, row);
	}
}

static double
run_rounds(Spherical *spherical, const SphericalRows *rows, Random *random)
{
	double		before = 0;
	double		total = 0;

	for (int round = 0; round < ROUNDS; round++)
	{
		total = assign(spherical, rows);
		if (round > 0 && total - before <= LEAST_GAIN * total)
			break;
		before = total;
		spherical_update(spherical);
		refill(spherical, rows, random);
	}
	return total;
}

size_t
spherical_fit_bytes(int features, int count, int rows)
{
	return matrix_bytes(features, count) +
		aligned(sizeof(float) * (size_t) features) +
		3 * sizeof(double) * (size_t) rows;
}

double
spherical_fit(Spherical *spherical, const SphericalRows *rows, int starts,
			  uint64_t seed, void *memory)
{
	size_t		bytes = matrix_bytes(spherical->features, spherical->count);
	float	   *kept = memory;
	Seeding		seeding;
	Random		random;
	double		best = -INFINITY;

	seeding.dense = (float *) ((char *) memory + bytes);
	seeding.nearest = (double *) ((char *) seeding.dense +
								  aligned(sizeof(float) *
										  (size_t) spherical->features));
	seeding.tried = seeding.nearest + rows->rows;
	seeding.best = seeding.tried + rows->rows;
	memset(seeding.dense, 0, sizeof(float) * (size_t) spherical->features);
	random_seed(&random, seed);
	for (int start = 0; start < starts; start++)
	{
		double		total;

		seed_centers(spherical, rows, &seeding, &random);
		total = run_rounds(spherical, rows, &random);
		if (total <= best)
			continue;
		best = total;
		memcpy(kept, spherical->centers, bytes);
	}
	memcpy(spherical->centers, kept, bytes);
	return best;
}

/* ---------- silhouette ---------- */

/*
 * The mean distance of a row of length 1 to those of a cluster is 1 less its
 * product with their mean: of its own cluster without itself.
 */
static double
silhouette_of(const Spherical *spherical, int own, const float *products)
{
	double		within = ((double) spherical->sizes[own] - products[own]) /
		((double) spherical->sizes[own] - 1);
	double		other = INFINITY;

	if (spherical->sizes[own] < 2)
		return 0;
	for (int k = 0; k < spherical->count; k++)
		if (k != own && spherical->sizes[k] > 0)
			other = fmin(other, 1 - products[k] / spherical->sizes[k]);
	if (isinf(other))
		return -1;
	return fmax(within, other) > 0 ? (other - within) / fmax(within, other) :
		0;
}

double
spherical_silhouette(Spherical *spherical, const SphericalRows *rows)
{
	double		sum = 0;
	int64_t		counted = 0;

	(void) assign(spherical, rows);
	for (int r = 0; r < rows->rows; r++)
	{
		int64_t		start = rows->starts[r];
		int			count = row_length(rows, r);
		float		cosine;
		int			own;

		if (count == 0)
			continue;
		own = spherical_nearest(spherical, count, rows->keys + start,
								rows->values + start, &cosine);
		multiply(spherical, spherical->sums, count, rows->keys + start,
				 rows->values + start, spherical->scores);
		sum += silhouette_of(spherical, own, spherical->scores);
		counted++;
		if (r % PIECE == 0)
			spherical->check();
	}
	return counted > 0 ? sum / (double) counted : -1;
}
