/*
 * attention_test.c
 *	  Blocked attention against softmax in double, with every mask and bias.
 *
 * Would show: a key seen that should not be, or the other way round, a wrong
 * correction between blocks, memory beyond the sizes asked for.
 */
#include <limits.h>
#include <math.h>

#include "check.h"
#include "math/random.h"
#include "network/attention.h"
#include "network/pooling.h"
#include "product_sets_of_machine.h"

static Random rng;

static float *
aligned_floats(size_t count)
{
	void	   *block = NULL;

	if (posix_memalign(&block, PRODUCT_ALIGNMENT,
					   sizeof(float) * (count + 1)) != 0)
		exit(EXIT_FAILURE);
	return block;
}

static void
test_attention(int tokens, int dims, AttentionMask mask, bool with_bias)
{
	const int	stride = 3 * dims + 5;
	float	   *rows = exact_alloc(sizeof(float) * tokens * stride);
	float	   *before = exact_alloc(sizeof(float) * tokens * stride);
	float	   *block = aligned_floats(attention_head_floats(tokens, dims));
	float	   *scratch = aligned_floats(attention_scratch_floats(dims));
	float	   *bias = exact_alloc(sizeof(float) * 2 * tokens);
	double	   *weights = exact_alloc(sizeof(double) * tokens);
	AttentionHead head = attention_head_in(tokens, dims, block);

	for (int i = 0; i < tokens * stride; i++)
		before[i] = rows[i] = (float) random_gaussian(&rng);
	for (int i = 0; i < 2 * tokens; i++)
		bias[i] = (float) (2 * random_gaussian(&rng));
	for (int at = 0; at < tokens; at += ATTENTION_QUERIES)
	{
		int			count = tokens - at < ATTENTION_QUERIES
								? tokens - at
								: ATTENTION_QUERIES;

		attention_pack(&head, at, count, rows + at * stride + dims,
					   rows + at * stride + 2 * dims, stride, 0.5f);
	}
	for (int at = 0; at < tokens; at += ATTENTION_QUERIES)
	{
		int			count = tokens - at < ATTENTION_QUERIES
								? tokens - at
								: ATTENTION_QUERIES;

		CHECK(attention(&head, mask, with_bias ? bias + tokens : NULL, at,
						count, rows + at * stride, stride, scratch, NULL),
			  "interrupted by nobody");
	}
	for (int i = 0; i < tokens; i += tokens > 300 ? 37 : 1)
	{
		double		largest = -INFINITY;
		double		sum = 0;

		for (int j = 0; j < tokens; j++)
		{
			weights[j] = with_bias ? bias[tokens + j - i] : 0;
			for (int d = 0; d < dims; d++)
				weights[j] += 0.5 * before[i * stride + d] *
							  before[j * stride + dims + d];
			if (j < i - (double) mask.before || j > i + (double) mask.after)
				weights[j] = -INFINITY;
			largest = fmax(largest, weights[j]);
		}
		for (int j = 0; j < tokens; j++)
			sum += weights[j] = exp(weights[j] - largest);
		for (int d = 0; d < dims; d++)
		{
			double		right = 0;

			for (int j = 0; j < tokens; j++)
				right += weights[j] / sum * before[j * stride + 2 * dims + d];
			CHECK(fabs(rows[i * stride + d] - right) < 2e-5,
				  "%s: %d tokens of %d, %d before, %d after: %g, not %g",
				  product_kernels, tokens, dims, mask.before, mask.after,
				  rows[i * stride + d], right);
		}
	}
	free(rows);
	free(before);
	free(block);
	free(scratch);
	free(bias);
	free(weights);
}

static void
test_poolings(void)
{
	enum {DIMS = 5, ROWS = 4};
	float		x[ROWS * DIMS];
	float		to[DIMS];

	for (int i = 0; i < ROWS * DIMS; i++)
		x[i] = i % 7 - 3;
	for (int d = 0; d < DIMS; d++)
	{
		float		a = x[d];
		float		b = x[DIMS + d];
		float		c = x[2 * DIMS + d];
		float		e = x[3 * DIMS + d];
		const struct
		{
			Pooling		pooling;
			int			skip;
			double		right;
		}			cases[] = {
			{POOLING_CLS, 0, a},
			{POOLING_LAST, 0, e},
			{POOLING_MEAN, 0, (a + b + c + e) / 4},
			{POOLING_MEAN, 2, (c + e) / 2},
			{POOLING_MEAN, 9, e},
			{POOLING_MAX, 0, fmax(fmax(a, b), fmax(c, e))},
			{POOLING_MEAN_SQRT_LENGTH, 0, (a + b + c + e) / 2},
			{POOLING_WEIGHTED_MEAN, 0, (a + 2 * b + 3 * c + 4 * e) / 10},
		};

		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		{
			pooling_of_rows(cases[i].pooling, DIMS, ROWS, cases[i].skip, x,
							DIMS, to);
			CHECK(fabs(to[d] - cases[i].right) < 1e-6, "pooling %d: %g, not %g", cases[i].pooling, to[d],
				  cases[i].right);
		}
	}
	CHECK(pooling_of_name("lasttoken") == POOLING_LAST && pooling_of_name("no such") == -1, "names of poolings");
	memset(to, 0, sizeof(to));
	pooling_normalize(DIMS, to);
	CHECK(to[0] == 0, "zero normalized is %g", to[0]);
}

static void
test_set(void)
{
	static const int tokens[] = {1, 2, 5, 31, 33, 95, 97, 130};
	static const int dims[] = {1, 8, 20, 32, 33, 64};
	const AttentionMask all = {INT_MAX, INT_MAX};
	const AttentionMask causal = {INT_MAX, 0};

	random_seed(&rng, 2205);
	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
	{
		for (size_t j = 0; j < sizeof(dims) / sizeof(dims[0]); j++)
		{
			test_attention(tokens[i], dims[j], all, j % 2 == 0);
			test_attention(tokens[i], dims[j], causal, j % 2 == 1);
			test_attention(tokens[i], dims[j], (AttentionMask) {3, 2}, true);
		}
	}
	test_attention(700, 16, all, true);
	test_attention(1100, 16, causal, false);
	test_attention(1100, 8, (AttentionMask) {64, 64}, false);
	test_attention(1100, 8, (AttentionMask) {520, 0}, true);
	test_attention(600, 8, (AttentionMask) {0, 0}, true);
	test_poolings();
}

int
main(void)
{
	with_every_product_set(test_set);
	return check_result();
}
