/*-------------------------------------------------------------------------
 *
 * glove_test.c
 *	  Would fail if a step of GloVe were not the published one, if two tiles
 *	  of a round shared a row, or if an epoch left a tile out.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <string.h>

#include "check.h"
#include "encoder/glove/glove_order.h"
#include "math/random.h"

#define ROWS 7

typedef struct Side
{
	double		vector[64];
	double		squares[64];
	double		bias;
	double		bias_squares;
} Side;

static double
clip(double gradient)
{
	return fmin(fmax(gradient, -100.0), 100.0);
}

/* AdaGrad on one vector; the other one as it was before the step */
static void
move(Side *side, const double *other, int dims, double error, double eta)
{
	for (int i = 0; i < dims; i++)
	{
		double		gradient = clip(error * other[i]) * eta;

		side->vector[i] -= gradient / sqrt(side->squares[i]);
		side->squares[i] += gradient * gradient;
	}
	side->bias -= error / sqrt(side->bias_squares);
	side->bias_squares += error * error;
}

/* The definition, in double */
static double
exact_step(Side *word, Side *context, int dims, const GloveRecord *record,
		   double word_eta, double context_eta)
{
	double		difference = word->bias + context->bias - record->target;
	double		error;
	double		old[64];

	for (int i = 0; i < dims; i++)
		difference += word->vector[i] * context->vector[i];
	error = record->weight * difference;
	memcpy(old, word->vector, sizeof(old));
	move(word, context->vector, dims, error, word_eta);
	move(context, old, dims, error, context_eta);
	return 0.5 * error * difference;
}

static void
read_side(Side *side, const float *row, int dims, int stride)
{
	memset(side, 0, sizeof(*side));
	for (int i = 0; i < dims; i++)
	{
		side->vector[i] = row[i];
		side->squares[i] = row[stride + i];
	}
	side->bias = row[2 * stride + GLOVE_BIAS];
	side->bias_squares = row[2 * stride + GLOVE_BIAS_SQUARES];
}

static void
check_side(const char *name, const Side *side, const float *row, int dims,
		   int stride)
{
	for (int i = 0; i < stride; i++)
	{
		double		vector = i < dims ? side->vector[i] : 0;
		double		squares = i < dims ? side->squares[i] : 1;

		CHECK(fabs(row[i] - vector) <= 2e-5 * fmax(1, fabs(vector)),
			  "%s: vector[%d] is %g, should be %g", name, i, row[i], vector);
		CHECK(fabs(row[stride + i] - squares) <= 2e-5 * squares,
			  "%s: squares[%d] is %g, should be %g", name, i, row[stride + i],
			  squares);
	}
	CHECK(fabs(row[2 * stride + GLOVE_BIAS] - side->bias) <=
		  2e-5 * fmax(1, fabs(side->bias)), "%s: bias is %g, should be %g",
		  name, row[2 * stride + GLOVE_BIAS], side->bias);
	CHECK(fabs(row[2 * stride + GLOVE_BIAS_SQUARES] - side->bias_squares) <=
		  2e-5 * side->bias_squares, "%s: squares of the bias are %g, not %g",
		  name, row[2 * stride + GLOVE_BIAS_SQUARES], side->bias_squares);
}

/* target: a large one, so that gradients are clipped now and then */
static void
test_step(const GloveKernels *kernels, int dims, float target, float rate,
		  Random *random)
{
	int			stride = (dims + GLOVE_LANES - 1) / GLOVE_LANES * GLOVE_LANES;
	size_t		floats = glove_row_floats(stride);
	float	   *words = aligned_alloc(GLOVE_ALIGNMENT,
									  ROWS * floats * sizeof(float));
	float	   *contexts = aligned_alloc(GLOVE_ALIGNMENT,
										 ROWS * floats * sizeof(float));
	GloveModel	model = {words, contexts, stride, 0.05f};
	GloveOrder	order = {ROWS, 1, ROWS, 1};

	for (int i = 0; i < ROWS; i++)
	{
		glove_init_row(&order, i, 0, dims, stride, words + i * floats);
		glove_init_row(&order, i, 1, dims, stride, contexts + i * floats);
		for (int d = 0; d < dims; d++)
			words[i * floats + d] *= 10 * dims;
		words[i * floats + 2 * stride + GLOVE_RATE] = rate;
	}
	for (int n = 0; n < 40; n++)
	{
		GloveRecord record = {(int32_t) random_below(random, ROWS),
			(int32_t) random_below(random, ROWS),
		target * random_float(random), random_float(random)};
		float	   *word = words + record.row * floats;
		float	   *context = contexts + record.column * floats;
		Side		exact_word;
		Side		exact_context;
		double		exact;
		double		cost = 0;
		int			trained;

		read_side(&exact_word, word, dims, stride);
		read_side(&exact_context, context, dims, stride);
		exact = exact_step(&exact_word, &exact_context, dims, &record,
						   0.05 * rate, 0.05);
		trained = kernels->train(&model, &record, 1, &cost);
		CHECK(trained == 1, "%s: not trained", kernels->name);
		CHECK(fabs(cost - exact) <= 1e-4 * fmax(exact, 1e-3),
			  "%s: cost %g, should be %g", kernels->name, cost, exact);
		check_side(kernels->name, &exact_word, word, dims, stride);
		check_side(kernels->name, &exact_context, context, dims, stride);
	}
	free(words);
	free(contexts);
}

/* What is not finite stops before it spreads. */
static void
test_broken(const GloveKernels *kernels)
{
	size_t		floats = glove_row_floats(16);
	float	   *words = aligned_alloc(GLOVE_ALIGNMENT,
									  4 * floats * sizeof(float));
	float	   *contexts = words + 2 * floats;
	GloveModel	model = {words, contexts, 16, 0.05f};
	GloveOrder	order = {2, 1, 2, 1};
	GloveRecord records[] = {{0, 0, 1, 1}, {0, 1, 1, 1}, {1, 1, 1, 1}};
	double		cost = 0;

	for (int i = 0; i < 2; i++)
	{
		glove_init_row(&order, i, 0, 16, 16, words + i * floats);
		glove_init_row(&order, i, 1, 16, 16, contexts + i * floats);
	}
	contexts[floats] = NAN;
	CHECK(kernels->train(&model, records, 3, &cost) == 1,
		  "%s: went on after a number that is none", kernels->name);
	CHECK(isfinite(cost), "%s: cost is %g", kernels->name, cost);
	for (size_t i = 0; i < floats; i++)
		CHECK(isfinite(words[i]), "%s: spread to %zu", kernels->name, i);
	free(words);
}

static void
test_rows(const GloveOrder *order)
{
	int64_t		rows = glove_order_rows(order);
	char	   *taken = calloc(rows > 0 ? rows : 1, 1);

	for (int32_t word = 0; word < order->words; word++)
	{
		int32_t		row = glove_order_row(order, word);

		CHECK(row >= 0 && row < rows && !taken[row], "row %d of word %d", row,
			  word);
		CHECK(row / order->per_block == glove_order_block(order, word),
			  "word %d lies outside of its block", word);
		CHECK(glove_order_word(order, row) == word,
			  "row %d is of word %d, not %d", row,
			  glove_order_word(order, row), word);
		taken[row] = 1;
	}
	free(taken);
}

static void
test_epochs(const GloveOrder *order)
{
	int32_t		tiles = order->blocks * order->blocks;
	char	   *seen = exact_alloc(tiles);
	char		columns[GLOVE_MOST_BLOCKS];

	for (int64_t epoch = 0; epoch < 3; epoch++)
	{
		memset(seen, 0, tiles);
		for (int32_t round = 0; round < order->blocks; round++)
		{
			memset(columns, 0, sizeof(columns));
			for (int32_t block = 0; block < order->blocks; block++)
			{
				int32_t		tile = glove_order_tile(order, epoch, round,
													block);

				CHECK(tile / order->blocks == block, "tile %d of block %d",
					  tile, block);
				CHECK(!columns[tile % order->blocks],
					  "two tiles of round %d share contexts", round);
				CHECK(!seen[tile], "tile %d twice in an epoch", tile);
				columns[tile % order->blocks] = seen[tile] = 1;
			}
		}
	}
	free(seen);
}

static void
test_keys(const GloveOrder *order, Random *random)
{
	for (int n = 0; n < 1000; n++)
	{
		int32_t		word = (int32_t) random_below(random, order->words);
		int32_t		context = (int32_t) random_below(random, order->words);
		uint64_t	key = glove_order_key(order, word, context);

		CHECK(glove_order_tile_of_key(key) ==
			  glove_order_block(order, word) * order->blocks +
			  glove_order_block(order, context),
			  "key of words %d and %d has tile %d", word, context,
			  glove_order_tile_of_key(key));
	}
}

/* Pennington et al., equation 9, and the bound where it is cut */
static void
test_weights(void)
{
	GloveOrder	order = {4, 1, 4, 0};
	GloveWeighting weighting = {100, 0.75};
	GloveRecord record;

	glove_record(&order, &weighting, 1, 2, 100, &record);
	CHECK(record.weight == 1 && fabsf(record.target - logf(100)) < 1e-6,
		  "weight of x_max is %g", record.weight);
	glove_record(&order, &weighting, 1, 2, 1e6, &record);
	CHECK(record.weight == 1, "weight of 1e6 is %g", record.weight);
	glove_record(&order, &weighting, 1, 2, 1, &record);
	CHECK(fabs(record.weight - 0.0316227766) < 1e-8 && record.target == 0,
		  "weight of 1 is %g", record.weight);
}

int
main(void)
{
	static const char *const names[] = {"scalar", "avx2", "avx512", "neon"};
	static const int32_t words[] = {1, 2, 7, 8, 9, 100, 5000, 400000};
	static const int dims[] = {1, 3, 16, 17, 50, 64};
	Random		random;

	random_seed(&random, 12345);
	for (int n = 0; n < 4; n++)
	{
		const GloveKernels *kernels = glove_kernels(names[n]);

		if (kernels == NULL)
			continue;
		test_broken(kernels);
		for (int d = 0; d < 6; d++)
		{
			test_step(kernels, dims[d], 5, 1, &random);
			test_step(kernels, dims[d], 600, 0.25f, &random);
		}
	}
	for (int n = 0; n < 8; n++)
	{
		GloveOrder	order;

		glove_order_init(&order, words[n], 112, 99);
		CHECK(order.blocks <= GLOVE_MOST_BLOCKS, "%d blocks", order.blocks);
		test_rows(&order);
		test_epochs(&order);
		test_keys(&order, &random);
	}
	test_weights();
	return check_result();
}
