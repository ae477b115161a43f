/*-------------------------------------------------------------------------
 *
 * distill_reduce.c
 *	  Vectors on the axes along which they differ most.
 *
 * Principal components (Pearson, "On lines and planes of closest fit to
 * systems of points in space", 1901): the eigenvectors of the covariance with
 * the largest eigenvalues.  An axis points to where the vector that lies
 * farthest out on it is.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/distill/distill.h"

#include <math.h>

#include "math/eigen.h"
#include "miscadmin.h"
#include "server/interrupts.h"

#define ROWS_PER_INTERRUPT 64

/* The products become the covariance, both halves. */
static void
set_covariance(const DistillRows *rows, DistillMoments *moments)
{
	int			dims = rows->dims;
	double		count = (double) rows->count;

	for (int i = 0; i < dims; i++)
	{
		double	   *line = moments->products + (Size) i * dims;
		double		mean = moments->sums[i] / count;

		for (int k = i; k < dims; k++)
		{
			line[k] = (line[k] - mean * moments->sums[k]) / (count - 1);
			moments->products[(Size) k * dims + i] = line[k];
		}
	}
}

/* Axes as columns: dims x axes floats. */
static float *
find_axes(const DistillRows *rows, DistillMoments *moments, int axes)
{
	int			dims = rows->dims;
	double	   *values = palloc(sizeof(double) * dims);
	double	   *scratch = palloc(sizeof(double) * 2 * dims);
	float	   *result = palloc_extended(sizeof(float) * dims * axes,
										 MCXT_ALLOC_HUGE);

	set_covariance(rows, moments);
	if (!eigen_symmetric(dims, moments->products, true, values, scratch,
						 interrupts_check))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("principal components of the tokens' vectors were not found")));
	for (int k = 0; k < axes; k++)
	{
		for (int i = 0; i < dims; i++)
			result[(Size) i * axes + k] =
				(float) moments->products[(Size) k * dims + i];
	}
	pfree(values);
	pfree(scratch);
	return result;
}

static void
project_row(int dims, int axes, const float *row, const double *means,
			const float *columns, float *to)
{
	memset(to, 0, sizeof(float) * axes);
	for (int i = 0; i < dims; i++)
	{
		float		value = (float) (row[i] - means[i]);
		const float *column = columns + (Size) i * axes;

		for (int k = 0; k < axes; k++)
			to[k] += value * column[k];
	}
}

void
distill_reduce(const DistillRows *rows, DistillMoments *moments, int dims,
			   Progress *progress, DistillRows *reduced)
{
	float	   *columns;
	float	   *row = palloc(sizeof(float) * rows->dims);
	float	   *to = palloc(sizeof(float) * dims);

	progress_phase(progress, "reducing vectors", (double) rows->count);
	columns = find_axes(rows, moments, dims);
	for (int i = 0; i < rows->dims; i++)
		moments->sums[i] /= (double) rows->count;
	reduced->count = rows->count;
	reduced->dims = dims;
	reduced->file = BufFileCreateTemp(false);
	reduced->farthest = palloc0(sizeof(float) * dims);
	distill_rewind(rows->file);
	for (int64 at = 0; at < rows->count; at++)
	{
		if (at % ROWS_PER_INTERRUPT == 0)
			CHECK_FOR_INTERRUPTS();
		distill_read(rows->file, row, sizeof(float) * rows->dims);
		project_row(rows->dims, dims, row, moments->sums, columns, to);
		for (int k = 0; k < dims; k++)
		{
			if (fabsf(to[k]) > fabsf(reduced->farthest[k]))
				reduced->farthest[k] = to[k];
		}
		BufFileWrite(reduced->file, to, sizeof(float) * dims);
		progress_update(progress, (double) (at + 1), NAN);
	}
	BufFileClose(rows->file);
	pfree(columns);
	pfree(row);
	pfree(to);
}
