/*-------------------------------------------------------------------------
 *
 * elmo_train_test.c
 *	  Would fail if the gradients of an ELMo in training were not those of its
 *	  loss, by differences in double, or those of a loss of texts' vectors were
 *	  not, whichever weights move; if candidates of the sampled softmax were
 *	  drawn with other chances than they are corrected for; or if all words as
 *	  candidates gave another loss than the whole softmax.
 *
 * Models are random, of sizes that fill no register, with and without clips,
 * skip connections and what is dropped.
 *
 *-------------------------------------------------------------------------
 */
#define NETWORK_DOUBLE

#include "network/character_train.c"
#include "network/elmo_parameters.c"
#include "network/elmo_pool.c"
#include "network/elmo_run.c"
#include "network/elmo_train.c"
#include "network/lstm_train.c"
#include "network/sampled_softmax.c"

#include "check.h"

#define LANES 3
#define STEPS 5
#define ROWS (LANES * STEPS)
#define VOCABULARY 23
#define MOST_CANDIDATES 9

static Random rng;

static const char *const texts[] = {
	"<S>", "</S>", "bank", "river", "a", "\xC3\xA9t\xC3\xA9", "wordslongerthanfits", ""
};

#define WORDS ((int) (sizeof(texts) / sizeof(texts[0])))

/* A model, what it reads, and all arrays. */
typedef struct Case
{
	ElmoParameters parameters;
	ElmoTrainer trainer;
	ElmoWindow	window;
	CharacterWord words[WORDS];
	int32_t		read[2][ROWS];
	int32_t		target[2][ROWS];
	uint8_t		begins[2][ROWS];
	SampledSoftmax softmax;
	Real	   *weights;
	Real	   *gradients;
	Real	   *rows;			/* of the softmax */
	Real	   *candidate_gradient;
	Real	   *target_gradient;
	Real	   *start;
	Real	   *states;
	Real	   *memory;

	/* of the vectors of texts */
	ElmoPool	pool;
	int32_t		vector[LANES];
	Real		weight[2][ROWS];
	Real		share[ELMO_MAX_LAYERS + 1];
	Real	   *first_state;
	Real	   *vectors;
	Real	   *slopes;			/* the loss is their sum, times the vectors */
} Case;

static int
pick(int least, int most)
{
	return least + (int) random_below(&rng, (uint32_t) (most - least + 1));
}

static void
random_options(ElmoOptions *options)
{
	memset(options, 0, sizeof(*options));
	options->character_dims = pick(1, 4);
	options->filter_count = pick(1, 3);
	for (int i = 0; i < options->filter_count; i++)
	{
		options->filter_width[i] = i + 1;
		options->filter_size[i] = pick(1, 5);
		options->filters += options->filter_size[i];
	}
	options->highways = pick(0, 2);
	options->most_characters = pick(5, 12);
	options->activation = pick(0, 1) ? ELMO_RELU : ELMO_TANH;
	options->layers = pick(1, 3);
	options->cells = pick(1, 6);
	options->projection = pick(1, 5);
	options->cell_clip = pick(0, 1) ? 0.4 : 0;
	options->projection_clip = pick(0, 1) ? 0.3 : 0;
	options->skip_connections = pick(0, 1);
}

static Real *
numbers(size_t count, double spread)
{
	Real	   *values = exact_alloc(sizeof(Real) * count);

	for (size_t i = 0; i < count; i++)
		values[i] = spread * random_gaussian(&rng);
	return values;
}

static void
begin_window(Case *test)
{
	for (int i = 0; i < WORDS; i++)
		test->words[i] = (CharacterWord) {texts[i], strlen(texts[i])};
	for (int d = 0; d < 2; d++)
	{
		for (int r = 0; r < ROWS; r++)
		{
			test->read[d][r] = pick(0, WORDS - 1);
			test->target[d][r] = pick(-1, test->softmax.rows - 1);
			test->begins[d][r] = pick(0, 3) == 0;
		}
		test->window.read[d] = test->read[d];
		test->window.target[d] = test->target[d];
		test->window.begins[d] = test->begins[d];
	}
	test->window.words = WORDS;
	test->window.word = test->words;
	test->window.number = 7;
	test->window.first_lane = 4;
}

static void
begin_case(Case *test)
{
	ElmoOptions options;
	size_t		states;

	memset(test, 0, sizeof(*test));
	random_options(&options);
	elmo_parameters(&test->parameters, &options);
	test->softmax.dims = options.projection;
	test->softmax.candidates = pick(1, MOST_CANDIDATES);
	test->softmax.rows = test->softmax.candidates + pick(0, 5);
	test->trainer.parameters = &test->parameters;
	test->trainer.lanes = LANES;
	test->trainer.steps = STEPS;
	test->trainer.most_words = WORDS;
	test->trainer.softmax_numbers =
		sampled_softmax_memory(options.projection, test->softmax.candidates);
	test->trainer.dropout = pick(0, 1) ? 0.3 : 0;
	test->trainer.seed = random_next(&rng);
	begin_window(test);
	test->weights = numbers(test->parameters.numbers, 0.7);
	test->gradients = numbers(test->parameters.numbers, 0);
	test->rows = numbers((size_t) test->softmax.rows *
						 (options.projection + 1), 1);
	test->candidate_gradient = numbers((size_t) test->softmax.candidates *
									   (options.projection + 1), 0);
	test->target_gradient = numbers((size_t) test->softmax.rows *
									(options.projection + 1), 0);
	test->softmax.weights = test->rows;
	test->softmax.candidate_gradient = test->candidate_gradient;
	test->softmax.target_gradient = test->target_gradient;
	states = elmo_trainer_states(&test->trainer);
	test->start = numbers(states, 0.2);
	test->states = numbers(states, 0);
	test->memory = exact_alloc(sizeof(Real) *
							   elmo_trainer_memory(&test->trainer, NULL));
	(void) elmo_trainer_memory(&test->trainer, test->memory);
}

static void
end_case(Case *test)
{
	free(test->weights);
	free(test->gradients);
	free(test->rows);
	free(test->candidate_gradient);
	free(test->target_gradient);
	free(test->start);
	free(test->states);
	free(test->memory);
}

/* The loss; gradients are added up somewhere. */
static double
loss_of(Case *test, Real *gradients)
{
	double		loss = 0;

	memcpy(test->states, test->start,
		   sizeof(Real) * elmo_trainer_states(&test->trainer));
	CHECK(elmo_trainer_run(&test->trainer, &test->window, test->weights,
						   &test->softmax, gradients, 1, test->states, &loss,
						   NULL), "interrupted");
	return loss;
}

typedef double (*LossOf) (Case *test, Real *gradients);

static double
difference(Case *test, LossOf loss_of, Real *scratch, Real *number,
		   double step)
{
	Real		before = *number;
	double		above;
	double		below;

	*number = before + step;
	above = loss_of(test, scratch);
	*number = before - step;
	below = loss_of(test, scratch);
	*number = before;
	return (above - below) / (2 * step);
}

/*
 * Is the gradient of this number what a difference says?  A maximum or a clip
 * may turn within the step, but hardly within a hundredth of it.
 */
static void
check_number(Case *test, LossOf loss_of, Real *scratch, Real *number,
			 double gradient, const char *name)
{
	double		wanted = 0;

	for (double step = 1e-5; step > 5e-8; step /= 10)
	{
		wanted = difference(test, loss_of, scratch, number, step);
		if (fabs(gradient - wanted) <= 1e-4 * fabs(wanted) + 1e-7)
			return;
	}
	CHECK(false, "%s: gradient %.9g, by differences %.9g", name, gradient,
		  wanted);
}

static void
test_gradients(void)
{
	Case		test;
	Real	   *scratch;
	int			width;

	begin_case(&test);
	width = test.softmax.dims + 1;
	scratch = numbers(test.parameters.numbers, 0);
	(void) loss_of(&test, test.gradients);
	/* differences must not add to what is compared */
	test.softmax.candidate_gradient =
		numbers((size_t) test.softmax.candidates * width, 0);
	test.softmax.target_gradient = numbers((size_t) test.softmax.rows * width,
										   0);
	for (int i = 0; i < test.parameters.count; i++)
	{
		const ElmoTensor *tensor = &test.parameters.tensors[i];

		for (int n = 0; n < 12; n++)
		{
			size_t		at = tensor->offset +
				random_below(&rng, (uint32_t) tensor->count);

			check_number(&test, loss_of, scratch, &test.weights[at],
						 test.gradients[at], tensor->name);
		}
	}
	for (int r = 0; r < test.softmax.rows; r++)
	{
		for (int i = 0; i < width; i++)
		{
			size_t		at = (size_t) r * width + i;
			double		gradient = test.target_gradient[at];

			if (r < test.softmax.candidates)
				gradient += test.candidate_gradient[
					(size_t) i * test.softmax.candidates + r];
			check_number(&test, loss_of, scratch, &test.rows[at], gradient, "softmax");
		}
	}
	free((void *) test.softmax.candidate_gradient);
	free((void *) test.softmax.target_gradient);
	free(scratch);
	end_case(&test);
}

/* ---------- vectors of texts ---------- */

#define VECTORS 2

static void
begin_pool(Case *test)
{
	int			dims = test->softmax.dims;
	size_t		state = 2 * (size_t) test->parameters.options.layers *
		(size_t) (test->parameters.options.cells + dims);

	for (int lane = 0; lane < LANES; lane++)
		test->vector[lane] = pick(-1, VECTORS - 1);
	test->vector[0] = 0;
	for (int d = 0; d < 2; d++)
	{
		for (int r = 0; r < ROWS; r++)
			test->weight[d][r] = pick(0, 2) == 0 ? 0 : random_gaussian(&rng);
		test->pool.weight[d] = test->weight[d];
	}
	for (int k = 0; k <= ELMO_MAX_LAYERS; k++)
		test->share[k] = random_gaussian(&rng);
	test->first_state = numbers(state, 0.2);
	test->pool.vector = test->vector;
	test->pool.share = test->share;
	test->pool.start = pick(0, 1) ? test->first_state : NULL;
	test->vectors = numbers((size_t) VECTORS * 2 * dims, 0);
	test->slopes = numbers((size_t) VECTORS * 2 * dims, 1);
}

/* The sum of the vectors times numbers of their own */
static double
loss_of_vectors(Case *test, Real *gradients)
{
	size_t		count = (size_t) VECTORS * 2 * test->softmax.dims;
	double		loss = 0;

	memset(test->vectors, 0, sizeof(Real) * count);
	CHECK(elmo_pool_vectors(&test->trainer, &test->window, &test->pool,
							test->weights, test->states, test->vectors, NULL),
		  "interrupted");
	for (size_t i = 0; i < count; i++)
		loss += test->vectors[i] * test->slopes[i];
	return loss;
}

/* Gradients of all that moves, which are a part of those of everything */
static void
check_moving(Case *test, ElmoMoving which, const Real *all)
{
	ElmoParameters moving;
	Real	   *gradients;

	elmo_moving_parameters(&moving, &test->parameters, which);
	gradients = numbers(moving.numbers, 0);
	CHECK(elmo_pool_gradients(&test->trainer, &test->window, &test->pool,
							  test->weights, test->states, test->slopes,
							  &moving, gradients, NULL), "interrupted");
	for (int i = 0; i < moving.count; i++)
	{
		const ElmoTensor *tensor = &moving.tensors[i];
		bool		projects = strstr(tensor->name, "CNN_proj/") != NULL ||
			strstr(tensor->name, "W_P_0") != NULL;

		CHECK((tensor->offset != ELMO_FIXED) ==
			  (which == ELMO_PROJECTIONS ? projects :
			   strstr(tensor->name, "RNN_") != NULL),
			  "%s moves, or does not", tensor->name);
		for (size_t n = 0; tensor->offset != ELMO_FIXED && n < tensor->count;
			 n++)
			CHECK(gradients[tensor->offset + n] ==
				  all[test->parameters.tensors[i].offset + n],
				  "%s: another gradient if fewer weights move", tensor->name);
	}
	free(gradients);
}

static void
test_vectors(void)
{
	Case		test;
	ElmoParameters all;

	begin_case(&test);
	begin_pool(&test);
	elmo_moving_parameters(&all, &test.parameters, ELMO_ALL);
	CHECK(all.numbers == test.parameters.numbers, "all weights move");
	CHECK(elmo_pool_gradients(&test.trainer, &test.window, &test.pool,
							  test.weights, test.states, test.slopes, &all,
							  test.gradients, NULL), "interrupted");
	for (int i = 0; i < test.parameters.count; i++)
	{
		const ElmoTensor *tensor = &test.parameters.tensors[i];

		for (int n = 0; n < 12; n++)
		{
			size_t		at = tensor->offset +
				random_below(&rng, (uint32_t) tensor->count);

			check_number(&test, loss_of_vectors, NULL, &test.weights[at],
						 test.gradients[at], tensor->name);
		}
	}
	check_moving(&test, ELMO_PROJECTIONS, test.gradients);
	check_moving(&test, ELMO_LAYERS, test.gradients);
	free(test.first_state);
	free(test.vectors);
	free(test.slopes);
	end_case(&test);
}

/* Two windows one after the other are one of twice the length. */
static void
test_carried(void)
{
	Case		test;
	double		whole;
	double		halves = 0;
	ElmoWindow	window;

	begin_case(&test);
	test.trainer.dropout = 0;
	whole = loss_of(&test, NULL);
	memcpy(test.states, test.start,
		   sizeof(Real) * elmo_trainer_states(&test.trainer));
	for (int step = 0; step < STEPS; step++)
	{
		window = test.window;
		for (int d = 0; d < 2; d++)
		{
			window.read[d] += step * LANES;
			window.target[d] += step * LANES;
			window.begins[d] += step * LANES;
		}
		test.trainer.steps = 1;
		(void) elmo_trainer_memory(&test.trainer, test.memory);
		CHECK(elmo_trainer_run(&test.trainer, &window, test.weights,
							   &test.softmax, NULL, 1, test.states, &halves,
							   NULL), "interrupted");
	}
	CHECK(fabs(whole - halves) < 1e-9 * fabs(whole) + 1e-12,
		  "one window %.12g, a window a step %.12g", whole, halves);
	end_case(&test);
}

/* How often words are drawn is what the correction says. */
static void
test_candidates(void)
{
	enum
	{
		DRAWS = 4000
	};
	int			count[VOCABULARY] = {0};
	double		expected[VOCABULARY] = {0};
	uint8_t		used[VOCABULARY] = {0};
	int32_t		candidates[MOST_CANDIDATES];

	for (int n = 0; n < DRAWS; n++)
	{
		int64_t		drawn = candidates_draw(&rng, VOCABULARY,
											MOST_CANDIDATES, candidates,
											used);

		for (int i = 0; i < MOST_CANDIDATES; i++)
			count[candidates[i]]++;
		for (int w = 0; w < VOCABULARY; w++)
			expected[w] += exp(candidate_log_count(w, VOCABULARY, drawn));
	}
	for (int w = 0; w < VOCABULARY; w++)
	{
		/*
		 * The estimate of TensorFlow's sampler is not exact for draws without
		 * repetition, but within some percent.
		 */
		CHECK(fabs(count[w] - expected[w]) < 0.12 * expected[w] +
			  5 * sqrt(expected[w]),
			  "word %d drawn %d times, expected %.0f", w, count[w],
			  expected[w]);
		CHECK(used[w] == 0, "word %d still marked", w);
	}
	CHECK(candidates_draw(&rng, 1, 1, candidates, used) == 1 &&
		  candidates[0] == 0, "one word of one");
}

/* All words as candidates: the whole softmax, by its definition. */
static void
test_whole_softmax(void)
{
	enum
	{
		DIMS = 3,
		COUNT = 17
	};
	Real	   *weights = numbers(VOCABULARY * (DIMS + 1), 1);
	Real	   *x = numbers(COUNT * DIMS, 1);
	Real	   *memory = exact_alloc(sizeof(Real) *
									 sampled_softmax_memory(DIMS, VOCABULARY));
	SampledSoftmax softmax = {DIMS, VOCABULARY, VOCABULARY, weights};
	TrainWork	work = {NULL, NULL};
	int32_t		target[COUNT];
	double		wanted = 0;
	double		loss = 0;

	for (int r = 0; r < COUNT; r++)
	{
		double		sum = 0;

		target[r] = pick(0, VOCABULARY - 1);
		for (int pass = 0; pass < 2; pass++)
		{
			for (int w = 0; w < VOCABULARY; w++)
			{
				double		score = weights[w * (DIMS + 1) + DIMS];

				for (int d = 0; d < DIMS; d++)
					score += weights[w * (DIMS + 1) + d] * x[r * DIMS + d];
				if (pass == 0)
					sum += exp(score);
				else if (w == target[r])
					wanted += log(sum) - score;
			}
		}
	}
	CHECK(sampled_softmax(&softmax, COUNT, x, target, 1, NULL, &loss, memory,
						  &work), "interrupted");
	CHECK(fabs(loss - wanted) < 1e-10 * wanted, "loss %.12g, by definition %.12g",
		  loss, wanted);
	free(weights);
	free(x);
	free(memory);
}

int
main(void)
{
	const char *seed = getenv("EMBED_SEED");
	uint64_t	number = seed != NULL ? strtoull(seed, NULL, 10) : 1;

	printf("EMBED_SEED=%llu\n", (unsigned long long) number);
	random_seed(&rng, number);
	for (int i = 0; i < 12; i++)
	{
		test_gradients();
		test_vectors();
		test_carried();
	}
	test_candidates();
	test_whole_softmax();
	return check_result();
}
