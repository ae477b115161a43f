/*-------------------------------------------------------------------------
 *
 * blas_test.c
 *	  Would fail if loading OpenBLAS left a thread or a changed signal mask
 *	  behind, if a missing library crashed, or if products were wrong.
 *
 * Without OpenBLAS on the machine only the failures are tested, and it says
 * so.
 *
 *-------------------------------------------------------------------------
 */
#include <dirent.h>
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "math/blas.h"
#include "math/random.h"

static int
tasks(void)
{
	DIR		   *directory = opendir("/proc/self/task");
	int			count = 0;

	for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
		count += entry->d_name[0] != '.';
	closedir(directory);
	return count;
}

static void
test_failures(void)
{
	const char *const nowhere[] = {"/nonexistent/libopenblas.so.0", NULL};
#if defined(__aarch64__)
	const char *const other[] = {"/lib/ld-linux-aarch64.so.1", NULL};
#else
	const char *const other[] = {"/lib64/ld-linux-x86-64.so.2", NULL};
#endif
	char		damaged_file[] = "/tmp/blas_test.XXXXXX";
	const char *damaged[] = {damaged_file, NULL};
	int			file = mkstemp(damaged_file);

	CHECK(blas_open_from(nowhere) == BLAS_NOT_FOUND, "a library that does not exist");
	CHECK(strstr(blas_detail(), "not found") != NULL, "detail \"%s\"", blas_detail());
	CHECK(file >= 0 && write(file, "no library", 10) == 10, "cannot write %s", damaged_file);
	CHECK(blas_open_from(damaged) == BLAS_NOT_LOADED, "a file that is no library");
	CHECK(strstr(blas_detail(), damaged_file) != NULL, "detail \"%s\"", blas_detail());
	if (access(other[0], R_OK) == 0)
	{
		CHECK(blas_open_from(other) == BLAS_NO_FUNCTION, "a library without products");
		CHECK(strstr(blas_detail(), "cblas_sgemm") != NULL, "detail \"%s\"", blas_detail());
	}
	CHECK(blas_library() == NULL, "a failure left a library");
	close(file);
	unlink(damaged_file);
}

static float
at(BlasMatrix matrix, int row, int column)
{
	return matrix.transposed ? matrix.values[column * matrix.stride + row]
							 : matrix.values[row * matrix.stride + column];
}

static void
check_product(Random *random, int rows, int columns, int inner,
			  bool transpose_a, bool transpose_b, float beta)
{
	int			a_stride = (transpose_a ? rows : inner) + 3;
	int			b_stride = (transpose_b ? inner : columns) + 5;
	int			c_stride = columns + 1;
	float	   *a_values = exact_alloc(sizeof(float) * a_stride *
									   (transpose_a ? inner : rows));
	float	   *b_values = exact_alloc(sizeof(float) * b_stride *
									   (transpose_b ? columns : inner));
	float	   *c = exact_alloc(sizeof(float) * c_stride * rows);
	BlasMatrix	a = {a_values, a_stride, transpose_a};
	BlasMatrix	b = {b_values, b_stride, transpose_b};

	for (int i = 0; i < a_stride * (transpose_a ? inner : rows); i++)
		a_values[i] = (float) random_gaussian(random);
	for (int i = 0; i < b_stride * (transpose_b ? columns : inner); i++)
		b_values[i] = (float) random_gaussian(random);
	for (int i = 0; i < c_stride * rows; i++)
		c[i] = beta == 0 ? NAN : 0.5f;
	blas_product(rows, columns, inner, a, b, beta, c, c_stride);
	for (int row = 0; row < rows; row++)
		for (int column = 0; column < columns; column++)
		{
			double		sum = beta == 0 ? 0 : beta * 0.5;
			double		absolute = fabs(sum);

			for (int i = 0; i < inner; i++)
			{
				double		term = (double) at(a, row, i) * at(b, i, column);

				sum += term;
				absolute += fabs(term);
			}
			CHECK(fabs(c[row * c_stride + column] - sum) <=
					  4 * FLT_EPSILON * sqrt(inner + 1) * absolute,
				  "%d x %d x %d, element %d, %d: %g, should be %g", rows,
				  inner, columns, row, column, c[row * c_stride + column],
				  sum);
		}
	free(a_values);
	free(b_values);
	free(c);
}

static void
test_products(void)
{
	Random		random;

	random_seed(&random, 5);
	for (int repeat = 0; repeat < 200; repeat++)
		check_product(&random, 1 + (int) random_below(&random, 40),
					  1 + (int) random_below(&random, 40),
					  1 + (int) random_below(&random, 300), repeat & 1,
					  repeat & 2, repeat & 4 ? 2 : 0);
	check_product(&random, 300, 257, 768, false, true, 0);
}

int
main(void)
{
	sigset_t	before;
	sigset_t	after;
	BlasStatus	status;
	int			tasks_before = tasks();

	test_failures();
	sigemptyset(&before);
	sigaddset(&before, SIGUSR1);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	status = blas_open();
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	for (int number = 1; number < SIGRTMIN; number++)
		CHECK(sigismember(&before, number) == sigismember(&after, number), "signal %d changed",
			  number);
	if (status == BLAS_NOT_FOUND)
	{
		printf("products: skipped, %s\n", blas_detail());
		return check_result();
	}
	CHECK(status == BLAS_OK, "%s", blas_detail());
	if (status == BLAS_OK)
	{
		printf("loaded %s\n", blas_library());
		CHECK(blas_open() == BLAS_OK, "the second time");
		test_products();
		CHECK(tasks() == tasks_before, "%d tasks, %d before", tasks(), tasks_before);
	}
	return check_result();
}
