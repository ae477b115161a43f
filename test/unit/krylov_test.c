/*-------------------------------------------------------------------------
 *
 * krylov_test.c
 *	  Would fail if the singular values or vectors of a matrix were not those
 *	  of its whole decomposition, whatever its rank and size.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "check.h"
#include "math/cpu.h"
#include "math/eigen.h"
#include "math/krylov.h"

typedef enum Shape
{
	DECAYING,
	FLAT,						/* many values near to each other */
	LOW_RANK,
	IDENTITY,
	ZERO,
	SHAPES
} Shape;

static void
never(void)
{
}

/* rows x columns */
static void
fill(Shape shape, int rows, int columns, double *matrix, Random *random)
{
	for (int i = 0; i < rows; i++)
	{
		for (int j = 0; j < columns; j++)
		{
			double		x = random_gaussian(random);

			if (shape == DECAYING)
				x /= 1 + j;
			if (shape == LOW_RANK)
				x = sin(i) * cos(j) + (i % 2) * (j % 3);
			if (shape == IDENTITY)
				x = i == j;
			matrix[i * columns + j] = shape == ZERO ? 0 : x;
		}
	}
}

static void
multiply(int rows, int columns, const double *matrix, const Krylov *krylov)
{
	memset(krylov->image, 0, sizeof(float) * columns * KRYLOV_BLOCK);
	for (int i = 0; i < rows; i++)
	{
		for (int c = 0; c < KRYLOV_BLOCK; c++)
		{
			double		sum = 0;

			for (int j = 0; j < columns; j++)
				sum += matrix[i * columns + j] *
					krylov->block[j * KRYLOV_BLOCK + c];
			for (int j = 0; j < columns; j++)
				krylov->image[j * KRYLOV_BLOCK + c] +=
					(float) (sum * matrix[i * columns + j]);
		}
	}
}

/* All values of the matrix, by its whole decomposition */
static double *
exact_values(int rows, int columns, const double *matrix)
{
	double	   *square = exact_alloc(sizeof(double) * columns * columns);
	double	   *values = exact_alloc(sizeof(double) * columns);
	double	   *scratch = exact_alloc(2 * sizeof(double) * columns);

	for (int i = 0; i < columns; i++)
		for (int j = 0; j < columns; j++)
		{
			double		sum = 0;

			for (int r = 0; r < rows; r++)
				sum += matrix[r * columns + i] * matrix[r * columns + j];
			square[i * columns + j] = sum;
		}
	CHECK(eigen_symmetric(columns, square, false, values, scratch, NULL),
		  "the reference does not end");
	free(square);
	free(scratch);
	return values;
}

/* |A v| is the value, and vectors are orthogonal */
static void
check_vectors(int rows, int columns, const double *matrix, int dims,
			  const float *vectors, const double *exact)
{
	double		least = 1e-3 * sqrt(fmax(exact[0], 0));

	for (int i = 0; i < dims; i++)
	{
		double		length = 0;
		double		value = sqrt(fmax(exact[i], 0));

		for (int r = 0; r < rows; r++)
		{
			double		sum = 0;

			for (int j = 0; j < columns; j++)
				sum += matrix[r * columns + j] * vectors[j * dims + i];
			length += sum * sum;
		}
		CHECK(fabs(sqrt(length) - value) <= 1e-3 * fmax(value, least),
			  "vector %d of %d x %d has length %g, not %g", i, rows, columns,
			  sqrt(length), value);
		for (int k = 0; k < i; k++)
		{
			double		product = 0;

			for (int j = 0; j < columns; j++)
				product += vectors[j * dims + i] * vectors[j * dims + k];
			CHECK(fabs(product) < 1e-4, "vectors %d and %d: %g", i, k,
				  product);
		}
	}
}

static void
test(Shape shape, int rows, int columns, int dims, int most, Random *random)
{
	double	   *matrix = exact_alloc(sizeof(double) * rows * columns);
	void	   *memory = aligned_alloc(64, krylov_bytes(columns, dims, most));
	float	   *vectors = exact_alloc(sizeof(float) * columns * dims);
	double	   *values = exact_alloc(sizeof(double) * dims);
	double	   *exact;
	double		least;
	int			passes = 0;
	Krylov		krylov;

	fill(shape, rows, columns, matrix, random);
	exact = exact_values(rows, columns, matrix);
	krylov_begin(&krylov, columns, dims, most, memory, 42, never);
	do
	{
		multiply(rows, columns, matrix, &krylov);
		passes++;
	} while (krylov_advance(&krylov) && passes < 300);
	CHECK(passes < 300, "shape %d of %d x %d: no end", shape, rows, columns);
	krylov_finish(&krylov, vectors, values);
	least = 1e-3 * sqrt(fmax(exact[0], 0));
	for (int i = 0; i < dims; i++)
	{
		double		value = i < columns ? sqrt(fmax(exact[i], 0)) : 0;

		CHECK(fabs(values[i] - value) <=
			  (value > least ? 1e-3 * value : least),
			  "shape %d of %d x %d: value %d is %g, not %g", shape, rows,
			  columns, i, values[i], value);
	}
	check_vectors(rows, columns, matrix, dims < columns ? dims : columns,
				  vectors, exact);
	free(exact);
	free(matrix);
	free(memory);
	free(vectors);
	free(values);
}

/* The set of this processor, against plain loops in double */
static void
test_kernels(Random *random)
{
	enum
	{
		ROWS = 23, COLUMNS = 9, STRIDE = 11
	};
	const KrylovKernels *kernels = krylov_kernels(NULL);
	float		basis[ROWS * STRIDE];
	float		block[ROWS * KRYLOV_BLOCK];
	float		image[ROWS * KRYLOV_BLOCK] = {0};
	float		products[COLUMNS * KRYLOV_BLOCK] = {0};
	double		squares[KRYLOV_BLOCK * KRYLOV_BLOCK];
	int32_t		keys[] = {0, 5, 22};
	float		values[] = {1, -2, 0.5f};

	for (int i = 0; i < ROWS * STRIDE; i++)
		basis[i] = (float) random_gaussian(random);
	for (int i = 0; i < ROWS * KRYLOV_BLOCK; i++)
		block[i] = (float) random_gaussian(random);
	kernels->gram(block, ROWS, squares);
	kernels->project(ROWS, COLUMNS, basis, STRIDE, block, products);
	kernels->combine(ROWS, COLUMNS, basis, STRIDE, products, true, image);
	for (int c = 0; c < KRYLOV_BLOCK; c++)
	{
		double		sum = 0;

		for (int i = 0; i < KRYLOV_BLOCK; i++)
		{
			double		square = 0;

			for (int r = 0; r < ROWS; r++)
				square += (double) block[r * KRYLOV_BLOCK + i] *
					block[r * KRYLOV_BLOCK + c];
			CHECK(fabs(squares[i * KRYLOV_BLOCK + c] - square) < 1e-4,
				  "%s: gram %g, not %g", kernels->name,
				  squares[i * KRYLOV_BLOCK + c], square);
		}
		for (int i = 0; i < COLUMNS; i++)
		{
			double		product = 0;

			for (int r = 0; r < ROWS; r++)
				product += (double) basis[r * STRIDE + i] *
					block[r * KRYLOV_BLOCK + c];
			CHECK(fabs(products[i * KRYLOV_BLOCK + c] - product) < 1e-4,
				  "%s: projection %g, not %g", kernels->name,
				  products[i * KRYLOV_BLOCK + c], product);
		}
		for (int r = 0; r < ROWS; r++)
		{
			double		value = 0;

			for (int i = 0; i < COLUMNS; i++)
				value -= (double) basis[r * STRIDE + i] *
					products[i * KRYLOV_BLOCK + c];
			CHECK(fabs(image[r * KRYLOV_BLOCK + c] - value) < 1e-3,
				  "%s: combination %g, not %g", kernels->name,
				  image[r * KRYLOV_BLOCK + c], value);
		}
		for (int i = 0; i < 3; i++)
			sum += (double) values[i] * block[keys[i] * KRYLOV_BLOCK + c];
		products[c] = (float) sum;
	}
	memset(image, 0, sizeof(image));
	kernels->add_row(block, image, 3, keys, values);
	for (int i = 0; i < 3; i++)
		for (int c = 0; c < KRYLOV_BLOCK; c++)
			CHECK(fabs(image[keys[i] * KRYLOV_BLOCK + c] -
					   (double) values[i] * products[c]) < 1e-4,
				  "%s: row %d", kernels->name, keys[i]);
}

int
main(void)
{
	Random		random;

	random_seed(&random, 7);
	for (int level = CPU_SCALAR; level <= CPU_AVX512; level++)
	{
		cpu_limit((CpuLevel) level);
		test_kernels(&random);
	}
	cpu_limit(CPU_UNKNOWN);
	for (int shape = 0; shape < SHAPES; shape++)
	{
		test(shape, 40, 9, 3, krylov_least_columns(3), &random);
		test(shape, 5, 30, 8, krylov_least_columns(8), &random);
		test(shape, 150, 120, 10, krylov_least_columns(10), &random);
		test(shape, 300, 250, 20, krylov_least_columns(20), &random);
		test(shape, 300, 250, 60, krylov_least_columns(60), &random);
	}
	return check_result();
}
