/*-------------------------------------------------------------------------
 *
 * neighbours_test.c
 *	  Would fail if a neighbour named were not among the nearest, or if lists
 *	  missed more than a few of many rows.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "check.h"
#include "math/distance.h"
#include "math/neighbours.h"
#include "math/product.h"
#include "math/random.h"

static void
never(void)
{
}

/* Around some centers, so that there is something to find */
static float *
make_rows(int points, int dims, int centers, Random *random)
{
	float	   *rows = exact_alloc(sizeof(float) * points * dims);
	float	   *middle = exact_alloc(sizeof(float) * centers * dims);

	for (int i = 0; i < centers * dims; i++)
		middle[i] = (float) random_gaussian(random);
	for (int i = 0; i < points; i++)
		for (int d = 0; d < dims; d++)
			rows[(size_t) i * dims + d] = middle[i % centers * dims + d] +
				0.5f * (float) random_gaussian(random);
	free(middle);
	return rows;
}

static double
square(const float *a, const float *b, int dims)
{
	double		sum = 0;

	for (int d = 0; d < dims; d++)
		sum += ((double) a[d] - b[d]) * ((double) a[d] - b[d]);
	return sum;
}

static void
find(const float *rows, int points, int dims, int count, int32_t *index,
	 float *squares)
{
	size_t		bytes = neighbours_bytes(points, dims);
	void	   *memory = aligned_alloc(64, (bytes + 63) & ~(size_t) 63);

	neighbours_find(rows, points, dims, count, 7, index, squares, memory,
					never);
	free(memory);
}

/* How many of a point's neighbours are as near as the nearest ones are */
static int
count_right(const float *rows, int points, int dims, int count, int point,
			const int32_t *index, const float *squares)
{
	const float *row = rows + (size_t) point * dims;
	double		last = squares[count - 1];
	int			nearer = 0;

	for (int i = 0; i < count; i++)
	{
		double		real = square(row, rows + (size_t) index[i] * dims, dims);

		CHECK(index[i] >= 0 && index[i] < points && index[i] != point,
			  "row %d has neighbour %d", point, index[i]);
		CHECK(fabs(real - squares[i]) <= 1e-4 * (1 + real),
			  "row %d: distance %g, not %g", point, squares[i], real);
		CHECK(i == 0 || squares[i] >= squares[i - 1], "row %d is not in order",
			  point);
		for (int j = 0; j < i; j++)
			CHECK(index[j] != index[i], "row %d has %d twice", point, index[i]);
	}
	for (int i = 0; i < points; i++)
		nearer += i != point &&
			square(row, rows + (size_t) i * dims, dims) < last * (1 - 1e-5);
	return nearer <= count - 1 ? count : count - (nearer - (count - 1));
}

static void
test_random(int points, int dims, int count, int looked_at, double least,
			Random *random)
{
	float	   *rows = make_rows(points, dims, points / 40 + 1, random);
	int32_t    *index = exact_alloc(sizeof(int32_t) * points * count);
	float	   *squares = exact_alloc(sizeof(float) * points * count);
	double		right = 0;

	find(rows, points, dims, count, index, squares);
	for (int i = 0; i < looked_at; i++)
	{
		int			point = (int) random_below(random, (uint32_t) points);
		int			good = count_right(rows, points, dims, count, point,
									   index + (size_t) point * count,
									   squares + (size_t) point * count);

		right += good > 0 ? good : 0;
	}
	CHECK(right >= least * looked_at * count, "%d rows: %g of the neighbours",
		  points, right / looked_at / count);
	free(rows);
	free(index);
	free(squares);
}

/* Equal rows are neighbours in the order of their numbers. */
static void
test_equal(int points)
{
	float	   *rows = exact_alloc(sizeof(float) * points * 16);
	int32_t    *index = exact_alloc(sizeof(int32_t) * points * 3);
	float	   *squares = exact_alloc(sizeof(float) * points * 3);

	memset(rows, 0, sizeof(float) * points * 16);
	find(rows, points, 16, 3, index, squares);
	for (int i = 0; i < 3 * points; i++)
		CHECK(squares[i] == 0 && index[i] != i / 3 &&
			  (i % 3 == 0 || index[i] > index[i - 1]),
			  "neighbour %d of an equal row: %d at %g", i % 3, index[i],
			  squares[i]);
	free(rows);
	free(index);
	free(squares);
}

/* Many clusters of one row each: lists alone have too few members. */
static void
test_lonely(Random *random)
{
	int			points = NEIGHBOURS_EXACT + 100;
	int			count = 60;
	float	   *rows = exact_alloc(sizeof(float) * points * 16);
	int32_t    *index = exact_alloc(sizeof(int32_t) * points * count);
	float	   *squares = exact_alloc(sizeof(float) * points * count);

	for (int i = 0; i < points * 16; i++)
		rows[i] = (i / 16 % 40 == 0 ? 100.0f : 0.01f) *
			(float) random_gaussian(random);
	find(rows, points, 16, count, index, squares);
	for (int i = 0; i < points; i += 971)
		(void) count_right(rows, points, 16, count, i,
						   index + (size_t) i * count,
						   squares + (size_t) i * count);
	for (int i = 0; i < points * count; i++)
		CHECK(index[i] >= 0, "row %d has too few neighbours", i / count);
	free(rows);
	free(index);
	free(squares);
}

int
main(void)
{
	Random		random;

	distance_init();
	product_init();
	random_seed(&random, 20261129);
	test_random(2, 16, 1, 2, 1, &random);
	test_random(50, 16, 49, 50, 1, &random);
	test_random(1500, 48, 30, 100, 1, &random);
	test_random(NEIGHBOURS_EXACT + 1000, 32, 15, 40, 0.97, &random);
	test_equal(500);
	test_lonely(&random);
	return check_result();
}
