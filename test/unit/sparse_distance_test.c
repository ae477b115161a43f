/*-------------------------------------------------------------------------
 *
 * sparse_distance_test.c
 *	  Would fail if a sparse kernel of any set missed a meeting of two
 *	  indices, counted one twice, or read beyond its arguments.
 *
 * Compared with sums in double over a plain walk; the bound is that of
 * distance_test.c for as many terms as there are.
 *
 *-------------------------------------------------------------------------
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "check.h"
#include "distance_sets_of_machine.h"
#include "math/distance.h"
#include "math/random.h"

static Random source;

typedef struct Sparse
{
	int			count;
	int32_t    *index;
	float	   *value;
} Sparse;

/* The indices are already in the block. */
static Sparse
sparse_of(int count, const int32_t *index)
{
	Sparse		sparse;

	sparse.count = count;
	sparse.index = exact_alloc((size_t) count * sizeof(int32_t));
	sparse.value = exact_alloc((size_t) count * sizeof(float));
	if (count > 0)
		memcpy(sparse.index, index, (size_t) count * sizeof(int32_t));
	for (int i = 0; i < count; i++)
		sparse.value[i] = (float) random_gaussian(&source);
	return sparse;
}

static void
sparse_free(Sparse sparse)
{
	free(sparse.index);
	free(sparse.value);
}

/* count ascending indices, spread over about count * gap dimensions */
static Sparse
sparse_random(int count, uint32_t gap)
{
	int32_t    *index = exact_alloc((size_t) count * sizeof(int32_t));
	int32_t		next = (int32_t) random_below(&source, gap);
	Sparse		sparse;

	for (int i = 0; i < count; i++)
	{
		index[i] = next;
		next += 1 + (int32_t) random_below(&source, gap);
	}
	sparse = sparse_of(count, index);
	free(index);
	return sparse;
}

/* every n-th index of another, with values of its own */
static Sparse
sparse_part(Sparse whole, int step, int first)
{
	int32_t    *index = exact_alloc((size_t) whole.count * sizeof(int32_t));
	int			count = 0;
	Sparse		sparse;

	for (int i = first; i < whole.count; i += step)
		index[count++] = whole.index[i];
	sparse = sparse_of(count, index);
	free(index);
	return sparse;
}

static void
check_close(const char *what, Sparse a, Sparse b, float result, double sum,
			double absolute, int terms)
{
	double		bound = 4 * (double) FLT_EPSILON *
							sqrt(terms > 0 ? terms : 1) * absolute +
						terms * 0x1p-150;

	if (absolute > FLT_MAX * (1 + (double) FLT_EPSILON))
		CHECK(isinf(result), "%s, %s: %g should overflow", distance_kernels, what, result);
	else
		CHECK(fabs(result - sum) <= bound, "%s, %s of %d and %d non-zeros: %.9g, should be %.17g",
			  distance_kernels, what, a.count, b.count, result, sum);
}

static void
check_one_way(Sparse a, Sparse b)
{
	double		inner = 0,
				inner_absolute = 0,
				l2 = 0,
				l1 = 0;
	int			terms = 0;

	for (int i = 0, j = 0; i < a.count || j < b.count; terms++)
	{
		int			in_a = i < a.count &&
						   (j >= b.count || a.index[i] <= b.index[j]);
		int			in_b = j < b.count &&
						   (i >= a.count || b.index[j] <= a.index[i]);
		double		x = in_a ? a.value[i++] : 0;
		double		y = in_b ? b.value[j++] : 0;

		inner += x * y;
		inner_absolute += fabs(x * y);
		l2 += (x - y) * (x - y);
		l1 += fabs(x - y);
	}
	check_close("inner", a, b,
				sparse_inner_kernel(a.count, a.index, a.value, b.count,
									b.index, b.value),
				inner, inner_absolute, terms);
	check_close("l2 squared", a, b,
				sparse_l2_squared_kernel(a.count, a.index, a.value, b.count,
										 b.index, b.value),
				l2, l2, terms);
	check_close("l1", a, b,
				sparse_l1_kernel(a.count, a.index, a.value, b.count, b.index,
								 b.value),
				l1, l1, terms);
}

static void
check_both_ways(Sparse a, Sparse b)
{
	check_one_way(a, b);
	check_one_way(b, a);
	check_one_way(a, a);
}

static void
test_shapes(void)
{
	static const int counts[] = {0,	 1,	 2,	 3,	 4,	 5,	 7,	 8,	  9,   15,	16,
								 17, 31, 32, 33, 47, 64, 65, 100, 129, 1000};
	int			shapes = (int) (sizeof(counts) / sizeof(counts[0]));

	for (int x = 0; x < shapes; x++)
		for (int y = 0; y < shapes; y++)
			for (uint32_t gap = 1; gap <= 1000; gap *= 10)
			{
				Sparse		a = sparse_random(counts[x], gap);
				Sparse		b = sparse_random(counts[y], gap);

				check_both_ways(a, b);
				sparse_free(a);
				sparse_free(b);
			}
}

/* nested, interleaved without meeting, one after the other */
static void
test_relations(void)
{
	for (int count = 1; count <= 400; count += count < 70 ? 1 : 37)
	{
		Sparse		whole = sparse_random(count, 5);

		for (int step = 1; step <= 9; step++)
		{
			Sparse		part = sparse_part(
					 whole, step,
					 (int) random_below(&source, (uint32_t) step));
			Sparse		even = sparse_part(whole, 2, 0);
			Sparse		odd = sparse_part(whole, 2, 1);
			Sparse		later = sparse_part(whole, 1, count / 2);

			check_both_ways(whole, part);
			check_both_ways(even, odd);
			check_both_ways(part, later);
			for (int i = 0; i < later.count; i++)
				later.index[i] += 1000000;
			check_both_ways(whole, later);
			sparse_free(part);
			sparse_free(even);
			sparse_free(odd);
			sparse_free(later);
		}
		sparse_free(whole);
	}
}

/* a few indices among very many: the searching form */
static void
test_unequal(void)
{
	for (int repeat = 0; repeat < 200; repeat++)
	{
		Sparse		many = sparse_random(1 + (int) random_below(&source,
																16000),
										 1 + random_below(&source, 20));
		Sparse		some = sparse_part(
				 many, 1 + (int) random_below(&source, 4000), 0);
		Sparse		other = sparse_random((int) random_below(&source, 60),
										  1 + random_below(&source, 3000));

		check_both_ways(many, some);
		check_both_ways(many, other);
		sparse_free(many);
		sparse_free(some);
		sparse_free(other);
	}
}

static void
test_extremes(void)
{
	const int32_t ends[] = {0, INT32_MAX - 1, INT32_MAX};
	Sparse		a = sparse_of(3, ends);
	Sparse		b = sparse_of(2, ends + 1);
	Sparse		many = sparse_random(16000, 1000);

	check_both_ways(a, b);
	check_both_ways(a, many);
	a.value[1] = a.value[2] = b.value[0] = FLT_MAX;
	check_one_way(a, a);
	check_one_way(a, b);
	a.value[0] = a.value[1] = a.value[2] = 1e-42f;
	b.value[0] = b.value[1] = -1e-44f;
	check_both_ways(a, b);

	/* equal terms, all met in the first lane of a block or none at all */
	for (int i = 0; i < many.count; i++)
		many.value[i] = 0.1f;
	for (int step = 1; step <= 16; step++)
	{
		Sparse		part = sparse_part(many, step, 0);

		for (int i = 0; i < part.count; i++)
			part.value[i] = 0.7f;
		check_both_ways(many, part);
		sparse_free(part);
	}
	sparse_free(a);
	sparse_free(b);
	sparse_free(many);
}

static void
test_set(void)
{
	random_seed(&source, 99);
	test_shapes();
	test_relations();
	test_unequal();
	test_extremes();
}

int
main(void)
{
	with_every_set(test_set);
	return check_result();
}
