/*
 * backward_test.c
 *	  Backward passes of layers against differences in double.
 *
 * Would show: a slope of any layer that does not belong to its forward pass:
 * norms on either side, gated units, rotary positions, shared keys, windows,
 * biases by distance, dropout, changes of low rank, every pooling.
 */
#define NETWORK_DOUBLE
#include <limits.h>
#include <stdlib.h>

#include "check.h"
#include "math/random.h"
#include "network/backward.c"
#include "network/backward_attention.c"
#include "network/trainer_layer.c"
#include "network/trainer_steps.c"

static Random rng;

/* Everything is taken from one block, numbers first random. */
static Real block[400000];
static size_t used;

static Real *
numbers(size_t count, double spread)
{
	Real	   *result = block + used;

	used += count;
	CHECK(used <= sizeof(block) / sizeof(block[0]), "the block is too small");
	for (size_t i = 0; i < count; i++)
		result[i] = spread * random_gaussian(&rng);
	return result;
}

static Rows
rows_of(int rows, int count)
{
	Rows		result = {numbers((size_t) rows * (count + 3), 1), count + 3};

	return result;
}

static void
expect(double slope, double difference, const char *what, const char *where)
{
	CHECK(fabs(slope - difference) < 1e-6 * (1 + fabs(slope)),
		  "%s, %s: slope %.9g, difference %.9g", what, where, slope,
		  difference);
}

/* A loss that calls "compute", which depends on what x points at. */
typedef double (*Loss) (void *argument);

static void
expect_slopes(Loss loss, void *argument, Real *x, const Real *slopes,
			  size_t count, const char *what, const char *where)
{
	const double step = 1e-5;

	for (size_t i = 0; i < count; i++)
	{
		Real		kept = x[i];
		double		above;

		x[i] = kept + step;
		above = loss(argument);
		x[i] = kept - step;
		expect(slopes[i], (above - loss(argument)) / (2 * step), what, where);
		x[i] = kept;
	}
}

/*
 * A whole layer
 */

#define TOKENS 11
#define TEXTS 3
#define LONGEST 6

typedef struct LayerCase
{
	const char *name;
	LayerShape	shape;
	LayerTensors tensors;
	LayerGroup	group;
	LayerPass	pass;
	LayerKept	kept;
	LayerScratch scratch;
	Rows		x;
	Rows		to;
	Rows		slope;			/* of the result, given */
	Real	   *values[TENSORS_OF_LAYER];
	Real	   *bias;
	size_t		counts[TENSORS_OF_LAYER];
} LayerCase;

static int
inputs_of(const LayerCase *test, int role)
{
	if (role == LAYER_ROLE(TENSOR_DOWN))
		return test->shape.units;
	return role == LAYER_ROLE(TENSOR_OUT) ? query_width(&test->shape)
		: test->shape.hidden;
}

/* W + scale B A: the values that the layer sees. */
static void
add_low_rank(LayerCase *test)
{
	for (int role = 0; role < TENSORS_OF_LAYER; role++)
	{
		const LowRank *change = &test->tensors.changes[role];
		Real	   *values = (Real *) test->tensors.values[role];
		int			inputs = inputs_of(test, role);
		int			rank = change->rank;

		for (size_t i = 0; rank > 0 && i < test->counts[role]; i++)
		{
			values[i] = test->values[role][i];
			for (int k = 0; k < rank; k++)
				values[i] += change->scale *
					change->b[i / inputs * rank + k] *
					change->a[k * inputs + i % inputs];
		}
	}
}

static double
layer_loss(void *argument)
{
	LayerCase  *test = argument;
	double		loss = 0;

	add_low_rank(test);
	layer_forward(&test->shape, &test->tensors, &test->group, &test->pass,
				  test->x, &test->kept, test->to, &test->scratch);
	for (int r = 0; r < TOKENS; r++)
		loss += real_inner(test->shape.hidden, row_of(test->to, r),
						   row_of(test->slope, r));
	return loss;
}

static void
prepare(LayerCase *test, bool with_bias)
{
	static const size_t offsets[TEXTS + 1] = {100, 106, 107, 111};
	const LayerShape *shape = &test->shape;
	const int	hidden = shape->hidden;
	const int	query = query_width(shape);
	const int	key = key_width(shape);
	size_t		sizes[TENSORS_OF_LAYER] = {0};

	used = 0;
	sizes[LAYER_ROLE(TENSOR_QUERY)] = query * hidden;
	sizes[LAYER_ROLE(TENSOR_KEY)] = key * hidden;
	sizes[LAYER_ROLE(TENSOR_VALUE)] = key * hidden;
	sizes[LAYER_ROLE(TENSOR_QUERY_BIAS)] = query;
	sizes[LAYER_ROLE(TENSOR_KEY_BIAS)] = key;
	sizes[LAYER_ROLE(TENSOR_VALUE_BIAS)] = key;
	sizes[LAYER_ROLE(TENSOR_OUT)] = hidden * query;
	sizes[LAYER_ROLE(TENSOR_OUT_BIAS)] = hidden;
	sizes[LAYER_ROLE(TENSOR_GATE)] = shape->units * hidden;
	sizes[LAYER_ROLE(TENSOR_GATE_BIAS)] = shape->units;
	sizes[LAYER_ROLE(TENSOR_UP)] = shape->gated ? shape->units * hidden : 0;
	sizes[LAYER_ROLE(TENSOR_UP_BIAS)] = shape->gated ? shape->units : 0;
	sizes[LAYER_ROLE(TENSOR_DOWN)] = shape->units * hidden;
	sizes[LAYER_ROLE(TENSOR_DOWN_BIAS)] = hidden;
	sizes[LAYER_ROLE(TENSOR_ATTENTION_NORM)] = hidden;
	sizes[LAYER_ROLE(TENSOR_UNITS_NORM)] = hidden;
	if (!shape->norm.rms)
	{
		sizes[LAYER_ROLE(TENSOR_ATTENTION_NORM_BIAS)] = hidden;
		sizes[LAYER_ROLE(TENSOR_UNITS_NORM_BIAS)] = hidden;
	}
	/* both in the order of the roles: queries, keys and values side by side */
	for (int role = 0; role < TENSORS_OF_LAYER; role++)
	{
		test->counts[role] = sizes[role];
		test->values[role] = sizes[role] > 0 ? numbers(sizes[role], 0.5)
			: NULL;
		test->tensors.values[role] = test->values[role];
	}
	for (int role = 0; role < TENSORS_OF_LAYER; role++)
		test->tensors.slopes[role] = sizes[role] > 0
			? numbers(sizes[role], 0) : NULL;
	test->group = (LayerGroup)
	{
		.texts = TEXTS, .offsets = offsets, .tokens = TOKENS,
			.longest = LONGEST
	};
	test->group.turns = numbers(2 * LONGEST * shape->rotary_half, 1);
	test->bias = numbers(shape->attention.heads * (2 * LONGEST - 1), 1);
	if (with_bias)
	{
		test->group.bias = test->bias;
		test->group.bias_slope = numbers(shape->attention.heads *
										 (2 * LONGEST - 1), 0);
	}
	test->kept.fused = rows_of(TOKENS, fused_width(shape));
	test->kept.attended = rows_of(TOKENS, query);
	test->kept.middle = rows_of(TOKENS, hidden);
	test->kept.gate = rows_of(TOKENS, shape->units);
	test->kept.up = rows_of(TOKENS, shape->units);
	test->kept.last = rows_of(TOKENS, hidden);
	test->scratch.normed = rows_of(TOKENS, hidden);
	test->scratch.residual = rows_of(TOKENS, hidden);
	test->scratch.units = rows_of(TOKENS, shape->units);
	test->scratch.units_slope = rows_of(TOKENS, shape->units);
	test->scratch.up_slope = rows_of(TOKENS, shape->units);
	test->scratch.fused_slope = rows_of(TOKENS, fused_width(shape));
	test->scratch.attended_slope = rows_of(TOKENS, query);
	test->scratch.attention = numbers(attention_train_scratch(LONGEST), 1);
	test->scratch.text_bias = numbers(shape->attention.heads * 2 * LONGEST, 1);
	test->scratch.text_bias_slope = numbers(shape->attention.heads * 2 *
											LONGEST, 1);
	test->scratch.low_rank = numbers(2 * TOKENS * 3, 1);
	test->x = rows_of(TOKENS, hidden);
	test->to = rows_of(TOKENS, hidden);
	test->slope = rows_of(TOKENS, hidden);
}

static void
make_low_rank(LayerCase *test, TensorRole role, int inputs)
{
	LowRank    *change = &test->tensors.changes[LAYER_ROLE(role)];
	size_t		count = test->counts[LAYER_ROLE(role)];
	int			outputs = (int) (count / inputs);
	Real	   *base = numbers(count, 0.5);

	change->rank = 3;
	change->scale = 0.7;
	change->a = numbers(3 * inputs, 0.5);
	change->b = numbers(3 * outputs, 0.5);
	change->a_slope = numbers(3 * inputs, 0);
	change->b_slope = numbers(3 * outputs, 0);
	/* what the layer sees stays in its place; the base moves away */
	test->values[LAYER_ROLE(role)] = base;
	test->tensors.slopes[LAYER_ROLE(role)] = NULL;
}

static void
expect_layer(LayerCase *test)
{
	Rows		slope = rows_of(TOKENS, test->shape.hidden);

	layer_loss(test);
	copy_rows(TOKENS, test->shape.hidden, test->slope, slope);
	layer_backward(&test->shape, &test->tensors, &test->group, &test->pass,
				   test->x, &test->kept, slope, true, &test->scratch);
	for (int r = 0; r < TOKENS; r++)
		expect_slopes(layer_loss, test, row_of(test->x, r), row_of(slope, r),
					  test->shape.hidden, test->name, "the input");
	for (int role = 0; role < TENSORS_OF_LAYER; role++)
	{
		const LowRank *change = &test->tensors.changes[role];
		char		where[30];

		snprintf(where, sizeof(where), "tensor %d", role);
		if (change->rank > 0)
		{
			int			inputs = inputs_of(test, role);

			expect_slopes(layer_loss, test, (Real *) change->a,
						  change->a_slope, 3 * inputs, test->name, where);
			expect_slopes(layer_loss, test, (Real *) change->b,
						  change->b_slope, 3 * test->counts[role] / inputs,
						  test->name, where);
		}
		else if (test->tensors.slopes[role] != NULL)
			expect_slopes(layer_loss, test, test->values[role],
						  test->tensors.slopes[role], test->counts[role],
						  test->name, where);
	}
	if (test->group.bias_slope != NULL)
		expect_slopes(layer_loss, test, test->bias, test->group.bias_slope,
					  test->shape.attention.heads * (2 * LONGEST - 1),
					  test->name, "the bias by distance");
}

static LayerCase
bert(const char *name)
{
	LayerCase	test = {.name = name};

	test.shape = (LayerShape)
	{
		.hidden = 12, .units = 10, .activation = ACTIVATION_GELU,
			.norm =
		{
			false, 12, 1e-5
		},
			.attention =
		{
			3, 3, 4, 0.5, INT_MAX, INT_MAX,
			{
				0, 0
			}
		}
	};
	test.pass.seed = 5;
	test.pass.pass = 2;
	return test;
}

static void
layers(void)
{
	LayerCase	test = bert("BERT's layer");

	prepare(&test, false);
	expect_layer(&test);

	test = bert("biases by distance");
	prepare(&test, true);
	expect_layer(&test);

	test = bert("dropout");
	test.shape.dropout = 0.3;
	test.shape.attention.dropout.share = 0.2;
	test.pass.training = true;
	prepare(&test, false);
	expect_layer(&test);

	test = bert("norms first, gated, rotary, shared keys, RMS norm");
	test.shape.norm_first = test.shape.gated = test.shape.norm.rms = true;
	test.shape.activation = ACTIVATION_SILU;
	test.shape.attention.heads = 4;
	test.shape.attention.key_heads = 2;
	test.shape.rotary_half = 2;
	prepare(&test, false);
	expect_layer(&test);

	test.name = "no norm before attention, neighbours turn, causal, dropout";
	test.shape.rotary_interleaved = true;
	test.shape.rotary_half = 1;
	test.shape.attention.after = 0;
	test.shape.dropout = 0.3;
	test.pass.training = true;
	test.tensors.norm_missing = true;
	prepare(&test, false);
	test.tensors.slopes[LAYER_ROLE(TENSOR_ATTENTION_NORM)] = NULL;
	expect_layer(&test);

	test = bert("a window, norm first");
	test.shape.norm_first = true;
	test.shape.attention.before = test.shape.attention.after = 1;
	test.shape.activation = ACTIVATION_GELU_TANH;
	prepare(&test, false);
	expect_layer(&test);

	test = bert("changes of low rank");
	test.shape.gated = true;
	prepare(&test, false);
	/* queries, keys and values have one slope or none */
	test.tensors.slopes[LAYER_ROLE(TENSOR_KEY)] = NULL;
	make_low_rank(&test, TENSOR_QUERY, 12);
	make_low_rank(&test, TENSOR_VALUE, 12);
	make_low_rank(&test, TENSOR_OUT, 12);
	make_low_rank(&test, TENSOR_UP, 12);
	make_low_rank(&test, TENSOR_DOWN, 10);
	expect_layer(&test);
}

/*
 * Pieces that layers above do not meet
 */

typedef struct PieceCase
{
	int			kind;
	int			rows;
	Rows		x;
	Real	   *slope;
	Real		to[8];
} PieceCase;

static double
pooling_loss(void *argument)
{
	PieceCase  *test = argument;

	pooling_forward((Pooling) test->kind, 8, test->rows, 1, test->x, test->to);
	return real_inner(8, test->to, test->slope);
}

static void
poolings(void)
{
	for (int kind = POOLING_CLS; kind <= POOLING_LAST; kind++)
	{
		for (int rows = 1; rows < 5; rows++)
		{
			PieceCase	test = {kind, rows};
			Rows		slopes;

			used = 0;
			test.x = rows_of(rows, 8);
			test.slope = numbers(8, 1);
			slopes = rows_of(rows, 8);
			pooling_backward((Pooling) kind, 8, rows, 1, test.x, test.slope,
							 slopes);
			for (int r = 0; r < rows; r++)
				expect_slopes(pooling_loss, &test, row_of(test.x, r),
							  row_of(slopes, r), 8, "pooling", "a row");
		}
	}
}

static double
activation_loss(void *argument)
{
	PieceCase  *test = argument;

	activation_forward((Activation) test->kind, 8, test->x.values, test->to);
	return real_inner(8, test->to, test->slope);
}

static void
activations(void)
{
	for (int kind = 0; kind < ACTIVATIONS; kind++)
	{
		PieceCase	test = {kind, 1};
		Real		slopes[8];

		used = 0;
		test.x = rows_of(1, 8);
		test.slope = numbers(8, 1);
		memcpy(slopes, test.slope, sizeof(slopes));
		activation_slope((Activation) kind, 8, test.x.values, slopes);
		expect_slopes(activation_loss, &test, test.x.values, slopes, 8,
					  "activation", "a number");
	}
}

/*
 * A chain of dense layers and norms
 */

#define STEPS 4
#define STEP_ROWS 3

static const VectorStep chain[STEPS] = {
	{STEP_DENSE, 7, 5, ACTIVATION_TANH, true},
	{STEP_LAYER_NORM, 5, 5, 0, true, 1e-5f},
	{STEP_DENSE, 5, 8, ACTIVATION_NONE, false},
	{STEP_NORMALIZE, 8, 8}
};

typedef struct ChainCase
{
	Real	   *weights;
	Real	   *x;
	Real	   *kept;
	Real	   *slope;
} ChainCase;

static double
chain_loss(void *argument)
{
	ChainCase  *test = argument;

	train_steps_forward(chain, STEPS, test->weights, STEP_ROWS, test->x,
						test->kept, NULL, NULL);
	return real_inner(STEP_ROWS * 8, test->slope,
					  train_steps_results(chain, STEPS, STEP_ROWS,
										  test->kept));
}

static void
chains(void)
{
	size_t		count = train_steps_floats(chain, STEPS);
	ChainCase	test;
	Real	   *slopes;
	Real	   *other;
	Real	   *weights_slope;
	Real	   *x_slope;
	VectorStep	square = {STEP_DENSE, 4, 4, ACTIVATION_NONE, true};

	used = 0;
	test.weights = numbers(count, 0.7);
	test.x = numbers(STEP_ROWS * 7, 1);
	test.kept = numbers(train_steps_kept(chain, STEPS, STEP_ROWS), 1);
	test.slope = numbers(STEP_ROWS * 8, 1);
	slopes = numbers(STEP_ROWS * 8, 1);
	other = numbers(STEP_ROWS * 8, 1);
	weights_slope = numbers(count, 0);
	x_slope = numbers(STEP_ROWS * 7, 1);
	chain_loss(&test);
	memcpy(slopes, test.slope, sizeof(Real) * STEP_ROWS * 8);
	train_steps_backward(chain, STEPS, test.weights, STEP_ROWS, test.x,
						 test.kept, slopes, other, weights_slope, x_slope,
						 NULL, NULL);
	expect_slopes(chain_loss, &test, test.weights, weights_slope, count,
				  "a chain", "a weight");
	expect_slopes(chain_loss, &test, test.x, x_slope, STEP_ROWS * 7,
				  "a chain", "the input");

	train_steps_identity(&square, 0, test.weights);
	train_steps_forward(&square, 1, test.weights, 2, test.x, test.kept, NULL,
						NULL);
	CHECK(memcmp(test.x, train_steps_results(&square, 1, 2, test.kept),
				 sizeof(Real) * 8) == 0, "the identity changes vectors");
}

/* Dropout drops its share, keeps the sum, and is the same again. */
static void
dropouts(void)
{
	enum
	{
		COUNT = 100001
	};
	Dropout		dropout = dropout_of(0.25, 7, 3, 9);
	Real	   *x = numbers(COUNT, 0);
	Real	   *again = numbers(COUNT, 0);
	double		sum = 0;
	int			zeros = 0;
	int			same = 0;

	for (int i = 0; i < COUNT; i++)
		x[i] = again[i] = 1;
	dropout_row(dropout, 5, COUNT, x);
	dropout_row(dropout, 5, COUNT, again);
	CHECK(memcmp(x, again, sizeof(Real) * COUNT) == 0, "dropout changes");
	dropout = dropout_of(0.25, 7, 4, 9);
	for (int i = 0; i < COUNT; i++)
		again[i] = 1;
	dropout_row(dropout, 5, COUNT, again);
	for (int i = 0; i < COUNT; i++)
	{
		sum += x[i];
		zeros += x[i] == 0;
		same += (x[i] == 0) == (again[i] == 0);
	}
	CHECK(fabs(zeros / (double) COUNT - 0.25) < 0.01, "%d zeros", zeros);
	CHECK(fabs(sum / COUNT - 1) < 0.01, "sum %g", sum);
	CHECK(fabs(same / (double) COUNT - 0.625) < 0.01, "another pass: %d alike",
		  same);
}

int
main(void)
{
	random_seed(&rng, 23);
	used = 0;
	dropouts();
	activations();
	poolings();
	chains();
	layers();
	return check_result();
}
