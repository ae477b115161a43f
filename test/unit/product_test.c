/*
 * product_test.c
 *	  Products with packed matrices against sums in double.
 *
 * Would show: a kernel that adds the wrong terms, reads beyond a row or a
 * panel, saturates, depends on the rows beside it, or does not stop.
 */
#include <math.h>

#include "check.h"
#include "math/product.h"
#include "math/random.h"
#include "product_sets_of_machine.h"

static Random rng;

static float
between(float low, float high)
{
	return low + (high - low) * (float) random_double(&rng);
}

static void *
aligned_block(size_t size)
{
	void	   *block = NULL;

	/* exactly this size: a sanitizer sees the first byte beyond */
	if (posix_memalign(&block, PRODUCT_ALIGNMENT, size > 0 ? size : 1) != 0)
		exit(EXIT_FAILURE);
	return block;
}

static void *
packed(ProductPrecision precision, int inner, int outer, const float *weights)
{
	int			columns = product_panel_columns(precision);
	size_t		size = product_panel_bytes(precision, inner);
	int			panels = (outer + columns - 1) / columns;
	char	   *block = aligned_block(size * panels);

	CHECK(size % PRODUCT_ALIGNMENT == 0, "a panel of %zu bytes", size);
	for (int i = 0; i < panels; i++)
	{
		int			count = outer - i * columns < columns ? outer - i * columns
														  : columns;

		product_pack_panel(precision, inner, count,
						   weights + (size_t) i * columns * inner, inner,
						   block + i * size);
	}
	return block;
}

/*
 * What rounding may cost: half a step of the weights, half a step of the
 * values, and the sum's own rounding.
 */
static double
tolerance(ProductPrecision precision, int inner, const float *row,
		  const float *weights)
{
	double		terms = 0;
	double		value = 0;
	double		weight = 0;
	double		values = 0;
	double		sum = 0;

	for (int k = 0; k < inner; k++)
	{
		terms += fabs((double) row[k] * weights[k]);
		value = fmax(value, fabs(row[k]));
		weight = fmax(weight, fabs(weights[k]));
		values += fabs(row[k]);
		sum += fabs(weights[k]);
	}
	switch (precision)
	{
		case PRODUCT_FLOAT32:
			return 1e-6 * terms + 1e-30;
		case PRODUCT_BFLOAT16:
			return 0.008 * terms + 1e-30;
		case PRODUCT_INT16:
			return 1e-5 * terms + value / 4095 * sum * 0.51 + 1e-30 +
				   fmax(weight / 8191, sum / (524288 - 0.5 * inner)) *
					   (values * 0.51);
		case PRODUCT_INT8:
			return 1e-5 * terms + 2 * value / 255 * sum * 0.51 + 1e-30 +
				fmax(weight * 4 / 126, weight / 127) * values * 0.51;
	}
	return 0;
}

static void
test_shape(ProductPrecision precision, int inner, int outer, int rows)
{
	float	   *weights = exact_alloc(sizeof(float) * inner * outer);
	float	   *bias = exact_alloc(sizeof(float) * outer);
	float	   *values = exact_alloc(sizeof(float) * rows * inner);
	float	   *to = exact_alloc(sizeof(float) * rows * outer);
	float	   *before = exact_alloc(sizeof(float) * rows * outer);
	void	   *buffer = aligned_block(
			  product_rows_bytes(precision, inner, rows));
	float		offset = between(-1, 1);
	ProductMatrix matrix = {precision, inner, outer, NULL, bias};
	ProductResult result = {to, outer, ACTIVATION_NONE, PRODUCT_STORE};
	ProductRows packed_rows;

	for (int i = 0; i < inner * outer; i++)
		weights[i] = between(-1, 1);
	for (int i = 0; i < rows * inner; i++)
		values[i] = between(-1, 1) + offset;
	for (int i = 0; i < outer; i++)
		bias[i] = between(-1, 1);
	for (int i = 0; i < rows * outer; i++)
		before[i] = to[i] = between(-1, 1);
	matrix.panels = packed(precision, inner, outer, weights);
	result.combine = random_below(&rng, 3);
	packed_rows = product_rows(precision, inner, rows, values, inner, buffer);
	CHECK(product(&matrix, &packed_rows, &result, NULL), "interrupted by nobody");

	for (int r = 0; r < rows; r++)
	{
		for (int i = 0; i < outer; i++)
		{
			double		sum = bias[i];
			double		allowed = tolerance(precision, inner,
											values + r * inner,
											weights + i * inner);
			double		old = before[r * outer + i];

			for (int k = 0; k < inner; k++)
				sum += (double) values[r * inner + k] * weights[i * inner + k];
			allowed += 1e-6 * fabs(sum) + 1e-6;
			if (result.combine == PRODUCT_ADD)
				sum += old;
			if (result.combine == PRODUCT_MULTIPLY)
			{
				sum *= old;
				allowed *= fabs(old) + 1e-7;
			}
			CHECK(
				fabs(to[r * outer + i] - sum) <= allowed,
				"%s %s %d x %d, %d rows, combine %d: row %d output %d is %g, not %g within %g",
				product_kernels, product_layout(precision), inner, outer, rows,
				result.combine, r, i, to[r * outer + i], sum, allowed);
		}
	}

	/* each row alone gives the same bits */
	for (int r = 0; r < rows; r++)
	{
		float	   *alone = exact_alloc(sizeof(float) * outer);
		ProductResult one = result;

		memcpy(alone, before + r * outer, sizeof(float) * outer);
		one.to = alone;
		packed_rows = product_rows(precision, inner, 1, values + r * inner,
								   inner, buffer);
		product(&matrix, &packed_rows, &one, NULL);
		CHECK(memcmp(alone, to + r * outer, sizeof(float) * outer) == 0,
			  "%s %s: row %d of %d differs when it is alone", product_kernels,
			  product_layout(precision), r, rows);
		free(alone);
	}
	free(weights);
	free(bias);
	free(values);
	free(to);
	free(before);
	free(buffer);
	free((void *) matrix.panels);
}

/* The largest values meet the largest weights, of every pattern of signs. */
static void
test_extremes(ProductPrecision precision)
{
	enum {INNER = 1536, OUTER = 40, ROWS = 5};
	float	   *weights = exact_alloc(sizeof(float) * INNER * OUTER);
	float	   *values = exact_alloc(sizeof(float) * INNER * ROWS);
	float		to[ROWS * OUTER];
	void	   *buffer = aligned_block(
			  product_rows_bytes(precision, INNER, ROWS));
	ProductMatrix matrix = {precision, INNER, OUTER, NULL, NULL};
	ProductResult result = {to, OUTER, ACTIVATION_NONE, PRODUCT_STORE};
	ProductRows rows;

	for (int i = 0; i < OUTER; i++)
		for (int k = 0; k < INNER; k++)
			weights[i * INNER + k] = (i % 5 == 0 ? k / (1 << (i / 5)) % 2
												 : k % (i + 1) == 0)
										 ? 1
										 : -1;
	for (int r = 0; r < ROWS; r++)
		for (int k = 0; k < INNER; k++)
			values[r * INNER + k] = r == 0		  ? 1
									: r == 1	  ? -1
									: (k / r) % 2 ? 1
												  : -1;
	matrix.panels = packed(precision, INNER, OUTER, weights);
	rows = product_rows(precision, INNER, ROWS, values, INNER, buffer);
	product(&matrix, &rows, &result, NULL);
	for (int r = 0; r < ROWS; r++)
	{
		for (int i = 0; i < OUTER; i++)
		{
			double		sum = 0;

			for (int k = 0; k < INNER; k++)
				sum += values[r * INNER + k] * weights[i * INNER + k];
			/* a scale of 4 / 126.49 rounds one to 32: within a hundredth */
			CHECK(fabs(to[r * OUTER + i] - sum) <= 0.0125 * INNER,
				  "%s %s: extremes of row %d output %d give %g, not %g", product_kernels,
				  product_layout(precision), r, i, to[r * OUTER + i], sum);
		}
	}
	free(weights);
	free(values);
	free(buffer);
	free((void *) matrix.panels);
}

static int	calls;

static bool
stop_at_second(void *argument)
{
	return ++calls >= *(int *) argument;
}

static void
test_interrupt(void)
{
	enum {INNER = 768, OUTER = 3072, ROWS = 600};
	float	   *weights = calloc((size_t) INNER * OUTER, sizeof(float));
	float	   *values = calloc((size_t) INNER * ROWS, sizeof(float));
	float	   *to = calloc((size_t) ROWS * OUTER, sizeof(float));
	int			stop = 2;
	ProductInterrupt interrupt = {stop_at_second, &stop, 0};
	ProductMatrix matrix = {PRODUCT_FLOAT32, INNER, OUTER, NULL, NULL};
	ProductResult result = {to, OUTER, ACTIVATION_NONE, PRODUCT_STORE};
	ProductRows rows;

	matrix.panels = packed(PRODUCT_FLOAT32, INNER, OUTER, weights);
	rows = product_rows(PRODUCT_FLOAT32, INNER, ROWS, values, INNER, NULL);
	calls = 0;
	interrupt.work = 0.9 * PRODUCT_WORK_BETWEEN_CHECKS;
	CHECK(!product(&matrix, &rows, &result, &interrupt), "not interrupted");
	CHECK(calls == 2, "asked %d times", calls);
	free(weights);
	free(values);
	free(to);
	free((void *) matrix.panels);
}

static void
test_set(void)
{
	static const int sizes[][3] = {{1, 1, 1},	 {3, 5, 2},	   {7, 33, 3},
								   {8, 16, 4},	 {15, 17, 5},  {16, 32, 6},
								   {20, 60, 7},	 {31, 64, 11}, {32, 96, 12},
								   {33, 31, 13}, {64, 40, 23}, {384, 48, 25},
								   {100, 65, 37},
								   /* the matrix unit's, whole and not */
								   {128, 32, 32}, {200, 64, 33}, {66, 33, 64},
								   {1000, 40, 17}};

	random_seed(&rng, 19);
	for (int precision = 0; precision < PRODUCT_PRECISIONS; precision++)
	{
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			test_shape(precision, sizes[i][0], sizes[i][1], sizes[i][2]);
		test_extremes(precision);
	}
	test_interrupt();
}

int
main(void)
{
	with_every_product_set(test_set);
	return check_result();
}
