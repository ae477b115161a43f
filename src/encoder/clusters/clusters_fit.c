/*-------------------------------------------------------------------------
 *
 * clusters_fit.c
 *	  Clusters of the rows of a file.
 *
 * Centers begin in a sample, several times, and go on with all rows.  How many
 * there are to be, if nobody says, is what gives a sample the best silhouette.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/clusters/clusters.h"

#include <math.h>

#include "math/random.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* Rows of samples: for centers, of each cluster, and for their number */
#define SAMPLE_OF_EACH		200
#define LEAST_SAMPLE		20000
#define NUMBER_SAMPLE		2000

#define STARTS				5
#define MOST_STARTS			50
#define STARTS_COST			1e7 /* products in a round of all of them */
#define NUMBER_STARTS		3
#define MOST_FOUND			20	/* clusters, when nobody says how many */
#define MOST_PASSES			100

/* A pass that gains less than this share of all cosines is the last one. */
#define LEAST_GAIN			1e-6

static void
check_interrupts(void)
{
	CHECK_FOR_INTERRUPTS();
}

/* ---------- samples ---------- */

typedef struct Sample
{
	SphericalRows rows;
	int64	   *starts;
	int32	   *keys;
	float	   *values;
} Sample;

/* The row last read, of length 1, in place; false if it has no direction. */
static bool
normalize_row(SparseFile *file)
{
	float		largest = 0;
	double		sum = 0;

	for (int i = 0; i < file->count; i++)
		largest = Max(largest, fabsf(file->values[i]));
	if (largest == 0)
		return false;
	for (int i = 0; i < file->count; i++)
	{
		double		value = file->values[i] / (double) largest;

		sum += value * value;
	}
	for (int i = 0; i < file->count; i++)
		file->values[i] = (float) (file->values[i] / (double) largest /
								   sqrt(sum));
	return true;
}

/*
 * So many rows, each as likely as any other; fewer where they would take more
 * than a quarter of maintenance_work_mem.
 */
static Sample *
take_sample(ClustersFit *fit, int wanted, Random *random)
{
	SparseFile *file = fit->rows->file;
	Sample	   *sample = palloc0(sizeof(Sample));
	Size		room = (Size) maintenance_work_mem * 1024 / 4;
	Size		row_bytes = sizeof(int64) + (sizeof(int32) + sizeof(float)) *
		(Size) (file->elements / Max(file->rows, 1) + 1);
	int64		left = Min(wanted, Min(file->rows,
									   Max(1, (int64) (room / row_bytes))));
	int64		elements = 0;
	int64		most = file->elements / Max(file->rows, 1) * left * 2 + 1024;
	int			taken = 0;

	most = Min(most, file->elements + 1);
	sample->starts = palloc_extended(sizeof(int64) * (left + 1),
									 MCXT_ALLOC_HUGE);
	sample->keys = palloc_extended(sizeof(int32) * most, MCXT_ALLOC_HUGE);
	sample->values = palloc_extended(sizeof(float) * most, MCXT_ALLOC_HUGE);
	sparse_file_rewind(file);
	/* selection sampling (Knuth, TAOCP 2, 3.4.2, S) */
	for (int64 n = 0; left > 0 && sparse_file_next(file); n++)
	{
		if (random_double(random) * (double) (file->rows - n) >= (double) left)
			continue;
		left--;
		if (!normalize_row(file) || elements + file->count > most)
			continue;
		sample->starts[taken++] = elements;
		memcpy(sample->keys + elements, file->keys,
			   sizeof(int32) * file->count);
		memcpy(sample->values + elements, file->values,
			   sizeof(float) * file->count);
		elements += file->count;
	}
	sample->starts[taken] = elements;
	sample->rows.rows = taken;
	sample->rows.starts = sample->starts;
	sample->rows.keys = sample->keys;
	sample->rows.values = sample->values;
	return sample;
}

static void
free_sample(Sample *sample)
{
	pfree(sample->starts);
	pfree(sample->keys);
	pfree(sample->values);
	pfree(sample);
}

/* ---------- memory ---------- */

static Size
bytes_needed(const ClustersFit *fit, int count, int sample)
{
	int			features = fit->rows->features;

	return spherical_bytes(features, count) +
		spherical_fit_bytes(features, count, sample) +
		(sizeof(int32) + sizeof(float)) * (Size) fit->rows->file->rows;
}

static void
require_memory(const ClustersFit *fit, int count, int sample)
{
	Size		bytes = bytes_needed(fit, count, sample);

	if (bytes > (Size) maintenance_work_mem * 1024)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("clusters do not fit into maintenance_work_mem"),
				 errdetail("%d clusters of " INT64_FORMAT " vectors with %d dimensions in use need %zu MB.",
						   count, fit->rows->file->rows, fit->rows->features,
						   bytes / (1024 * 1024) + 1),
				 errhint("SET maintenance_work_mem = '%zuMB'; or ask for fewer clusters.",
						 bytes / (1024 * 1024) + 1)));
}

static void *
begin(Spherical *spherical, int features, int count)
{
	char	   *memory = palloc_extended(spherical_bytes(features, count) + 64,
										 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	spherical_init(spherical, features, count,
				   (void *) TYPEALIGN(64, memory), check_interrupts);
	return memory;
}

/* Centers found in a sample; returns what spherical->centers lies in. */
static void *
fit_sample(const ClustersFit *fit, Spherical *spherical, int count,
		   const Sample *sample, int starts)
{
	void	   *memory = begin(spherical, fit->rows->features, count);
	void	   *work = palloc_extended(
		spherical_fit_bytes(fit->rows->features, count, sample->rows.rows),
		MCXT_ALLOC_HUGE);

	(void) spherical_fit(spherical, &sample->rows, starts, fit->seed, work);
	pfree(work);
	return memory;
}

/*
 * A few texts may fall into place in many ways, and trying more of these costs
 * nothing then.
 */
static int
starts_for(const Sample *sample, int count)
{
	double		cost = (double) sample->starts[sample->rows.rows] * count;

	return (int) Max(STARTS, Min(MOST_STARTS, STARTS_COST / Max(cost, 1)));
}

/* ---------- how many ---------- */

static int
find_number(ClustersFit *fit, Random *random)
{
	Sample	   *sample = take_sample(fit, NUMBER_SAMPLE, random);
	int			most = Min(MOST_FOUND, sample->rows.rows - 1);
	double		best = -INFINITY;
	int			number = 1;

	progress_phase(fit->progress, "finding the number of clusters",
				   Max(most, 1));
	for (int count = 2; count <= most; count++)
	{
		Spherical	spherical;
		void	   *memory;
		double		silhouette;

		require_memory(fit, count, sample->rows.rows);
		memory = fit_sample(fit, &spherical, count, sample, NUMBER_STARTS);
		silhouette = spherical_silhouette(&spherical, &sample->rows);
		if (silhouette > best)
		{
			best = silhouette;
			number = count;
		}
		pfree(memory);
		progress_update(fit->progress, count, NAN);
	}
	free_sample(sample);
	return number;
}

/* ---------- all rows ---------- */

/* A pass: each row to its nearest center; returns the sum of all cosines. */
static double
assign(ClustersFit *fit, Spherical *spherical)
{
	SparseFile *file = fit->rows->file;
	double		total = 0;

	spherical_clear(spherical);
	sparse_file_rewind(file);
	for (int64 n = 0; sparse_file_next(file); n++)
	{
		float		cosine;

		fit->clusters[n] = -1;
		if (!normalize_row(file))
			continue;
		fit->clusters[n] = spherical_nearest(spherical, file->count,
											 file->keys, file->values,
											 &cosine);
		fit->distances[n] = Max(0, 1 - cosine);
		spherical_give(spherical, fit->clusters[n], file->count, file->keys,
					   file->values);
		total += cosine;
		if (n % 1024 == 0)
			progress_update(fit->progress, (double) n +
							(double) file->rows * fit->passes, NAN);
	}
	fit->passes++;
	return total;
}

static void
run_passes(ClustersFit *fit, Spherical *spherical)
{
	double		total = assign(fit, spherical);

	while (fit->passes < MOST_PASSES)
	{
		double		before = total;

		spherical_update(spherical);
		total = assign(fit, spherical);
		if (total - before <= LEAST_GAIN * total)
			break;
	}
}

/* For qsort_arg: the larger cluster first, then the lower number */
static int
compare_sizes(const void *a, const void *b, void *argument)
{
	const int64 *sizes = argument;
	int			x = *(const int *) a;
	int			y = *(const int *) b;

	if (sizes[x] != sizes[y])
		return sizes[x] > sizes[y] ? -1 : 1;
	return x - y;
}

/* Clusters are numbered by size; empty ones are left out. */
static void
number_clusters(ClustersFit *fit, const Spherical *spherical)
{
	int			count = spherical->count;
	int		   *order = palloc(sizeof(int) * count);
	int		   *numbers = palloc(sizeof(int) * count);

	for (int k = 0; k < count; k++)
		order[k] = k;
	qsort_arg(order, count, sizeof(int), compare_sizes, spherical->sizes);
	fit->sizes = palloc(sizeof(int64) * count);
	fit->count = 0;
	for (int k = 0; k < count; k++)
	{
		numbers[order[k]] = k;
		fit->sizes[k] = spherical->sizes[order[k]];
		fit->count += fit->sizes[k] > 0;
	}
	for (int64 n = 0; n < fit->rows->file->rows; n++)
		if (fit->clusters[n] >= 0)
			fit->clusters[n] = numbers[fit->clusters[n]];
	pfree(order);
	pfree(numbers);
}

static void
report_too_few(const ClustersFit *fit, int rows)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("there are fewer vectors than clusters"),
			 errdetail("The query gave %d vectors with a direction; %d clusters are wanted.",
					   rows, fit->wanted)));
}

void
clusters_fit(ClustersFit *fit)
{
	Random		random;
	Spherical	spherical;
	Sample	   *sample;
	void	   *memory;
	int64		rows = fit->rows->file->rows;
	int			number;

	random_seed(&random, fit->seed);
	number = fit->wanted > 0 ? fit->wanted : find_number(fit, &random);
	progress_phase(fit->progress, "finding clusters", 0);
	sample = take_sample(fit, Max(LEAST_SAMPLE, number * SAMPLE_OF_EACH),
						 &random);
	if (sample->rows.rows < fit->wanted)
		report_too_few(fit, sample->rows.rows);
	fit->clusters = palloc_extended(sizeof(int32) * Max(rows, 1),
									MCXT_ALLOC_HUGE);
	fit->distances = palloc_extended(sizeof(float) * Max(rows, 1),
									 MCXT_ALLOC_HUGE);
	if (sample->rows.rows == 0)
	{
		memset(fit->clusters, -1, sizeof(int32) * rows);
		return;
	}
	require_memory(fit, number, sample->rows.rows);
	memory = fit_sample(fit, &spherical, number, sample,
						starts_for(sample, number));
	run_passes(fit, &spherical);
	number_clusters(fit, &spherical);
	fit->silhouette = spherical_silhouette(&spherical, &sample->rows);
	free_sample(sample);
	pfree(memory);
}
