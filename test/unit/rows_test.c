/*-------------------------------------------------------------------------
 *
 * rows_test.c
 *	  Would fail if a weighted sum of rows missed a column, a row or a weight.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "check.h"
#include "math/random.h"
#include "math/rows.h"

static void
test_sum(int stride, int count, Random *random)
{
	const float **rows = exact_alloc(sizeof(float *) * count);
	float	   *weights = exact_alloc(sizeof(float) * count);
	float	   *sum = exact_alloc(sizeof(float) * stride);
	double	   *expected = exact_alloc(sizeof(double) * stride);
	double	   *absolute = exact_alloc(sizeof(double) * stride);

	for (int i = 0; i < stride; i++)
	{
		expected[i] = sum[i] = random_float(random) - 0.5f;
		absolute[i] = fabs(expected[i]);
	}
	for (int r = 0; r < count; r++)
	{
		float	   *row = exact_alloc(sizeof(float) * stride);

		weights[r] = random_float(random) * 4 - 2;
		for (int i = 0; i < stride; i++)
		{
			row[i] = random_float(random) - 0.5f;
			expected[i] += (double) weights[r] * row[i];
			absolute[i] += fabs((double) weights[r] * row[i]);
		}
		rows[r] = row;
	}
	rows_sum(stride, rows, weights, count, sum);
	for (int i = 0; i < stride; i++)
		CHECK(fabs(sum[i] - expected[i]) <= (count + 1) * 6e-8 * absolute[i],
			  "stride %d, %d rows, column %d: %g, not %g", stride, count, i, sum[i], expected[i]);
	for (int r = 0; r < count; r++)
		free((void *) rows[r]);
	free(rows);
	free(weights);
	free(sum);
	free(expected);
	free(absolute);
}

int
main(void)
{
	Random		random;

	random_seed(&random, 5);
	for (int stride = ROW_LANES; stride <= 20 * ROW_LANES; stride += ROW_LANES)
		for (int count = 0; count < 40; count += 1 + count / 4)
			test_sum(stride, count, &random);
	return check_result();
}
