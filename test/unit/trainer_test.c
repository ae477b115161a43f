/*
 * trainer_test.c
 *	  Training a small transformer: memory, seeds, refusals, interrupts.
 *
 * Would show: gradients that depend on how much is kept, dropout that differs
 * when activations are computed again, a run that is not repeated by its seed,
 * memory beyond the sizes asked for, an id that reads beyond a table, a pass
 * that cannot be cancelled.  That steps are PyTorch's, the oracle "trainer"
 * shows.
 */
#include <math.h>
#include <string.h>

#include "check.h"
#include "math/random.h"
#include "network/trainer.h"

#define TEXTS 40
#define TOKENS 3000
#define LONGEST 200

typedef struct Run
{
	TransformerConfig config;
	TrainerPlan plan;
	float	   *weights;
	void	   *memory;
	Trainer    *trainer;
} Run;

static int32_t ids[TOKENS];
static size_t offsets[TEXTS + 1];
static TransformerBatch batch = {TEXTS, ids, offsets, NULL};
static Random rng;

static void
configure(TransformerConfig *config, const char *family)
{
	CHECK(transformer_begin(config, family) == TRANSFORMER_OK, "%s", family);
	transformer_number(config, "vocab_size", 50);
	transformer_number(config, "hidden_size", 24);
	transformer_number(config, "num_hidden_layers", 3);
	transformer_number(config, "num_attention_heads", 4);
	transformer_number(config, "intermediate_size", 40);
	transformer_number(config, "max_position_embeddings", 260);
	if (strcmp(family, "bert") == 0)
		transformer_number(config, "type_vocab_size", 2);
	CHECK(transformer_finish(config) == TRANSFORMER_OK, "%s", config->message);
}

/* Random weights; norms around one. */
static void
fill_weights(Run *run)
{
	TrainerTensor tensor;
	Random		random;
	size_t		total = 0;

	random_seed(&random, 3);
	for (int i = 0; trainer_tensor(&run->plan, i, &tensor); i++)
	{
		bool		norm = tensor.role == TENSOR_EMBEDDING_NORM ||
			tensor.role == TENSOR_ATTENTION_NORM ||
			tensor.role == TENSOR_UNITS_NORM;

		CHECK(tensor.offset == total, "tensor %d lies at %zu", i,
			  tensor.offset);
		total += (size_t) tensor.rows * tensor.columns;
		for (size_t j = tensor.offset; j < total; j++)
			run->weights[j] = norm + 0.2f * (float) random_gaussian(&random);
	}
	CHECK(total == run->plan.weight_floats, "%zu weights", total);
}

static Run
begin(const char *family, const TrainerSettings *settings, double share)
{
	Run			run = {.trainer = NULL};
	TrainerNeed need;
	size_t		bytes;

	configure(&run.config, family);
	CHECK(trainer_make_plan(&run.plan, &run.config, settings) ==
		  TRANSFORMER_OK,
		  "%s", run.plan.message);
	run.weights = exact_alloc(sizeof(float) * run.plan.weight_floats);
	fill_weights(&run);
	need = trainer_bytes(&run.plan, TOKENS, TEXTS, LONGEST);
	bytes = need.least + (size_t) (share * (double) (need.best - need.least));
	if (posix_memalign(&run.memory, PRODUCT_ALIGNMENT, bytes) != 0)
		exit(EXIT_FAILURE);
	memset(run.memory, 0xFF, bytes);
	CHECK(trainer_begin(&run.plan, run.weights, TOKENS, TEXTS, LONGEST,
						run.memory, need.least - 1) == NULL, "too little");
	run.trainer = trainer_begin(&run.plan, run.weights, TOKENS, TEXTS, LONGEST,
								run.memory, bytes);
	CHECK(run.trainer != NULL, "%zu bytes are refused", bytes);
	return run;
}

static void
end(Run *run)
{
	free(run->weights);
	free(run->memory);
}

/* One step towards embeddings of zeros; returns the mean square. */
static double
step(Run *run, double rate)
{
	static float embeddings[TEXTS * 24];
	double		loss = 0;

	CHECK(trainer_forward(run->trainer, &batch, true, embeddings, NULL) ==
		  TRANSFORMER_OK, "forward");
	for (int i = 0; i < TEXTS * 24; i++)
	{
		loss += embeddings[i] * embeddings[i] / (TEXTS * 24);
		embeddings[i] *= 2.0f / (TEXTS * 24);
	}
	CHECK(trainer_backward(run->trainer, embeddings, NULL) == TRANSFORMER_OK,
		  "backward");
	if (rate > 0)
		trainer_step(run->trainer, rate, clip_factor(
						 sqrt(trainer_gradient_square(run->trainer)), 1));
	return loss;
}

static TrainerSettings
settings_of(TrainerMode mode)
{
	TrainerSettings settings = trainer_defaults(mode);

	settings.dropout = 0.1;
	settings.attention_dropout = 0.1;
	settings.seed = 11;
	return settings;
}

/* Whatever is kept, the gradient is the same, bit for bit. */
static void
memories(const char *family, TrainerMode mode)
{
	static const double shares[] = {0, 0.03, 0.1, 0.4, 0.7};
	TrainerSettings settings = settings_of(mode);
	Run			best = begin(family, &settings, 1);
	size_t		count;
	float	   *right;

	step(&best, 0);
	right = trainer_gradients(best.trainer, &count);
	CHECK(trainer_gradient_square(best.trainer) > 0, "no gradient");
	for (int i = 0; i < 5; i++)
	{
		Run			run = begin(family, &settings, shares[i]);
		size_t		ignored;

		step(&run, 0);
		CHECK(memcmp(right, trainer_gradients(run.trainer, &ignored),
					 sizeof(float) * count) == 0,
			  "%s: another gradient with %g of the memory", family, shares[i]);
		end(&run);
	}
	end(&best);
}

/* A run is repeated by its seed, and comes down. */
static void
seeds(TrainerMode mode)
{
	for (int kind = 0; kind < 4; kind++)
	{
		TrainerSettings settings = settings_of(mode);
		Run			one;
		Run			two;
		Run			other;
		double		first = 0;
		double		last = 0;

		settings.optimizer = optimizer_defaults((OptimizerKind) kind);
		one = begin("bert", &settings, 1);
		two = begin("bert", &settings, 0.2);
		settings.seed++;
		other = begin("bert", &settings, 1);
		for (int i = 0; i < 10; i++)
		{
			double		rate = kind == OPTIMIZER_SGD ? 0.1 : 0.01;

			/* relative to the weights, which begin at zero */
			if (kind == OPTIMIZER_ADAFACTOR && mode == TRAINER_LOW_RANK)
				rate = 0.5;

			last = step(&one, rate);
			first = i == 0 ? last : first;
			step(&two, rate);
			step(&other, rate);
		}
		CHECK(last < first, "optimizer %d: %g, then %g", kind, first, last);
		CHECK(memcmp(one.weights, two.weights,
					 sizeof(float) * one.plan.weight_floats) == 0,
			  "optimizer %d: another run of the same seed", kind);
		CHECK(memcmp(one.weights, other.weights,
					 sizeof(float) * one.plan.weight_floats) != 0,
			  "optimizer %d: the seed has no effect", kind);
		end(&one);
		end(&two);
		end(&other);
	}
}

static void
frozen_and_low_rank(void)
{
	TrainerSettings settings = settings_of(TRAINER_FULL);
	static float before[TEXTS * 24];
	static float after[TEXTS * 24];
	TrainerAdapter adapter;
	float	   *base;
	float	   *state;
	size_t		count;
	Run			run;

	settings.embeddings_frozen = true;
	run = begin("bert", &settings, 1);
	base = exact_alloc(sizeof(float) * run.plan.weight_floats);
	memcpy(base, run.weights, sizeof(float) * run.plan.weight_floats);
	step(&run, 0.01);
	CHECK(memcmp(base, run.weights,
				 sizeof(float) * run.plan.embedding_floats) == 0,
		  "frozen embeddings moved");
	CHECK(memcmp(base, run.weights,
				 sizeof(float) * run.plan.weight_floats) != 0,
		  "nothing moved");
	end(&run);

	settings = settings_of(TRAINER_LOW_RANK);
	settings.targets = trainer_target_of_name("query") |
		trainer_target_of_name("down");
	run = begin("bert", &settings, 1);
	CHECK(memcmp(base, run.weights,
				 sizeof(float) * run.plan.weight_floats) == 0,
		  "low rank begins elsewhere");
	trainer_forward(run.trainer, &batch, false, before, NULL);
	trainer_gradients(run.trainer, &count);
	state = exact_alloc(sizeof(float) * count);
	trainer_copy_state(run.trainer, state);
	step(&run, 0.01);
	trainer_forward(run.trainer, &batch, false, after, NULL);
	CHECK(memcmp(before, after, sizeof(before)) != 0, "low rank stands still");
	CHECK(trainer_adapter(run.trainer, TENSOR_DOWN, 2, &adapter) &&
		  adapter.inputs == 40 && adapter.outputs == 24 && adapter.rank == 8,
		  "the adapter of down");
	CHECK(!trainer_adapter(run.trainer, TENSOR_VALUE, 2, &adapter) &&
		  !trainer_adapter(run.trainer, TENSOR_DOWN, 3, &adapter),
		  "adapters that are not there");
	trainer_restore_state(run.trainer, state);
	trainer_forward(run.trainer, &batch, false, after, NULL);
	CHECK(memcmp(before, after, sizeof(before)) == 0, "the state is another");
	step(&run, 0.01);
	trainer_forward(run.trainer, &batch, false, before, NULL);
	trainer_merge(run.trainer);
	trainer_forward(run.trainer, &batch, false, after, NULL);
	CHECK(memcmp(before, after, sizeof(before)) == 0, "merged is another");
	free(base);
	free(state);
	end(&run);
}

static bool
stop(void *argument)
{
	return true;
}

static void
refusals(void)
{
	static float to[TEXTS * 24];
	TrainerSettings settings = settings_of(TRAINER_LOW_RANK);
	ProductInterrupt interrupt = {stop, NULL, 1e8};
	const int64_t shape[] = {24, 24};
	const int64_t wrong[] = {48, 12};
	TransformerConfig config;
	TransformerBatch bad = batch;
	TrainerPlan plan;
	TrainerPart parts[3];
	Run			run = begin("bert", &settings, 1);
	int32_t		kept = ids[5];

	CHECK(trainer_forward(run.trainer, &batch, true, to, &interrupt) ==
		  TRANSFORMER_STOPPED, "forward cannot be stopped");
	CHECK(trainer_forward(run.trainer, &batch, true, to, NULL) ==
		  TRANSFORMER_OK, "after a stop");
	interrupt.work = 1e8;
	CHECK(trainer_backward(run.trainer, to, &interrupt) ==
		  TRANSFORMER_STOPPED, "backward cannot be stopped");

	ids[5] = 50;
	CHECK(trainer_forward(run.trainer, &batch, true, to, NULL) ==
		  TRANSFORMER_INVALID, "an id beyond the vocabulary");
	ids[5] = -1;
	CHECK(trainer_forward(run.trainer, &batch, true, to, NULL) ==
		  TRANSFORMER_INVALID, "an id below zero");
	ids[5] = kept;
	bad.texts = TEXTS + 1;
	CHECK(trainer_forward(run.trainer, &bad, true, to, NULL) ==
		  TRANSFORMER_INVALID, "too many texts");
	bad.texts = 1;
	bad.offsets = (const size_t[])
	{
		0, LONGEST + 1
	};
	CHECK(trainer_forward(run.trainer, &bad, true, to, NULL) ==
		  TRANSFORMER_INVALID, "too long a text");
	bad.offsets = (const size_t[])
	{
		3, 3
	};
	CHECK(trainer_forward(run.trainer, &bad, true, to, NULL) ==
		  TRANSFORMER_INVALID, "an empty text");
	bad.texts = 0;
	CHECK(trainer_forward(run.trainer, &bad, true, to, NULL) ==
		  TRANSFORMER_OK, "no text");

	CHECK(trainer_parts_of_name(&run.plan, "encoder.layer.1.attention.self.key.weight", 2, shape, parts) == 1,
		  "a tensor");
	CHECK(trainer_parts_of_name(&run.plan, "encoder.layer.1.attention.self.key.weight", 2, wrong, parts) == -1,
		  "a tensor of another shape");
	CHECK(trainer_parts_of_name(&run.plan, "encoder.layer.3.attention.self.key.weight", 2, shape, parts) == -1,
		  "a tensor of no layer");
	CHECK(trainer_parts_of_name(&run.plan, "pooler.dense.weight", 2, shape, parts) == 0, "the pooler");
	end(&run);

	configure(&config, "bert");
	settings.rank = 0;
	CHECK(trainer_make_plan(&plan, &config, &settings) == TRANSFORMER_INVALID,
		  "rank 0");
	settings.rank = 8;
	settings.targets = trainer_target_of_name("up");
	CHECK(trainer_make_plan(&plan, &config, &settings) == TRANSFORMER_INVALID,
		  "a target that is not there");
	settings = settings_of(TRAINER_FULL);
	settings.dropout = 1;
	CHECK(trainer_make_plan(&plan, &config, &settings) == TRANSFORMER_INVALID,
		  "dropout of all");
	settings = settings_of(TRAINER_FULL);
	configure(&config, "qwen3");
	CHECK(trainer_make_plan(&plan, &config, &settings) ==
		  TRANSFORMER_UNKNOWN &&
		  strstr(plan.message, "norms of heads") != NULL, "%s", plan.message);
}

int
main(void)
{
	product_init();
	random_seed(&rng, 23);
	for (int t = 0; t < TEXTS; t++)
		offsets[t + 1] = offsets[t] + (t == 7 ? LONGEST
									   : 1 + random_below(&rng, 70));
	for (int i = 0; i < TOKENS; i++)
		ids[i] = (int32_t) random_below(&rng, 50);
	memories("bert", TRAINER_FULL);
	memories("bert", TRAINER_LOW_RANK);
	memories("mpnet", TRAINER_FULL);
	memories("nomic_bert", TRAINER_FULL);
	seeds(TRAINER_FULL);
	seeds(TRAINER_LOW_RANK);
	frozen_and_low_rank();
	refusals();
	return check_result();
}
