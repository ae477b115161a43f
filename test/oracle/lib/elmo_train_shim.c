/*-------------------------------------------------------------------------
 *
 * elmo_train_shim.c
 *	  The training of an ELMo of the pure core, for elmo_train_core.py.
 *
 * With NETWORK_DOUBLE only the gradients of one window, of the language models
 * or of vectors of its lanes; else whole steps, the
 * members one after the other.
 *
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "network/elmo_pool.h"
#include "network/elmo_train.h"
#ifndef NETWORK_DOUBLE
#include "network/elmo_step.h"
#endif

#define MOST_MEMBERS 8

typedef struct Train
{
	ElmoParameters parameters;
	char		message[400];
#ifndef NETWORK_DOUBLE
	ElmoStep	steps[MOST_MEMBERS];
	ElmoPart	parts[MOST_MEMBERS];
	double		squares[MOST_MEMBERS];
	ElmoLanes	lanes;
	uint64_t	number;

	/* of the caller */
	const char *text;			/* of tokens */
	const int64_t *text_offsets;
	const int32_t *row_of_token;
	const int32_t *words;
	const int64_t *firsts;		/* of texts, one more */
#endif
} Train;

static void *
block(size_t size)
{
	void	   *memory = NULL;

	if (posix_memalign(&memory, PRODUCT_ALIGNMENT, size + 1) != 0)
		abort();
	memset(memory, 0, size);
	return memory;
}

Train *
train_begin(const char *options, size_t length)
{
	Train	   *train = calloc(1, sizeof(Train));
	ElmoOptions parsed;
	FormatFault fault = {0};
	Arena		arena;
	const JsonValue *root;

	product_init();
	arena_begin(&arena, arena_malloc, arena_free, NULL, (size_t) 1 << 24);
	root = json_parse(&arena, options, length, NULL, &fault);
	if (root == NULL || !elmo_options_parse(&parsed, root, &fault))
		snprintf(train->message, sizeof(train->message), "%s", fault.detail);
	else
		elmo_parameters(&train->parameters, &parsed);
	arena_end(&arena);
	return train;
}

const char *
train_message(Train *train)
{
	return train->message;
}

size_t
train_numbers(Train *train)
{
	return train->parameters.numbers;
}

/* Name and place of a tensor; the rank, or 0 behind the last. */
int
train_tensor(Train *train, int number, char *name, int *shape, size_t *offset)
{
	const ElmoTensor *tensor = &train->parameters.tensors[number];

	if (number >= train->parameters.count)
		return 0;
	strcpy(name, tensor->name);
	memcpy(shape, tensor->shape, sizeof(tensor->shape));
	*offset = tensor->offset;
	return tensor->rank;
}

void
train_first_weights(Train *train, uint64_t seed, Real *to)
{
	for (int i = 0; i < train->parameters.count; i++)
		elmo_first_weights(&train->parameters, i, seed, to);
}

/* Loss and gradients of a window. */
int
train_window(Train *train, int lanes, int steps, int words, const char *text,
			 const int64_t *offsets, const int32_t *read,
			 const int32_t *target, const uint8_t *begins, Real *weights,
			 int candidates, int rows, const Real *table, Real *gradients,
			 Real *candidate_gradient, Real *target_gradient, Real *states,
			 double *loss)
{
	int			dims = train->parameters.options.projection;
	size_t		count = (size_t) lanes * steps;
	ElmoTrainer trainer = {&train->parameters, lanes, steps, words};
	SampledSoftmax softmax = {dims, candidates, rows, table,
	candidate_gradient, target_gradient};
	CharacterWord *word = calloc((size_t) words, sizeof(CharacterWord));
	ElmoWindow	window = {words, word};
	void	   *memory;
	bool		good;

	for (int w = 0; w < words; w++)
		word[w] = (CharacterWord) {text + offsets[w],
			(size_t) (offsets[w + 1] - offsets[w])};
	for (int d = 0; d < 2; d++)
	{
		window.read[d] = read + d * count;
		window.target[d] = target + d * count;
		window.begins[d] = begins + d * count;
	}
	trainer.softmax_numbers = sampled_softmax_memory(dims, candidates);
	memory = block(sizeof(Real) * elmo_trainer_memory(&trainer, NULL));
	(void) elmo_trainer_memory(&trainer, memory);
	*loss = 0;
	good = elmo_trainer_run(&trainer, &window, weights, &softmax, gradients, 1,
							states, loss, NULL);
	free(memory);
	free(word);
	return good;
}

/*
 * Vectors of lanes, and the gradients of weights from those of the vectors;
 * which: an ElmoMoving, others stay zeros.  The gradients lie as all weights.
 */
int
train_pool(Train *train, int lanes, int steps, int words, const char *text,
		   const int64_t *offsets, const int32_t *read, const uint8_t *begins,
		   const int32_t *vector, const Real *weight, const Real *share,
		   const Real *start, Real *weights, Real *vectors,
		   const Real *slopes, int which, Real *gradients)
{
	size_t		count = (size_t) lanes * steps;
	ElmoTrainer trainer = {&train->parameters, lanes, steps, words};
	CharacterWord *word = calloc((size_t) words, sizeof(CharacterWord));
	ElmoWindow	window = {words, word};
	ElmoPool	pool = {vector, {weight, weight + count}, share, start};
	ElmoParameters moving;
	Real	   *moved;
	Real	   *states;
	void	   *memory;
	bool		good;

	elmo_moving_parameters(&moving, &train->parameters, which);
	for (int w = 0; w < words; w++)
		word[w] = (CharacterWord) {text + offsets[w],
			(size_t) (offsets[w + 1] - offsets[w])};
	for (int d = 0; d < 2; d++)
	{
		window.read[d] = read + d * count;
		window.begins[d] = begins + d * count;
	}
	memory = block(sizeof(Real) * elmo_trainer_memory(&trainer, NULL));
	(void) elmo_trainer_memory(&trainer, memory);
	states = block(sizeof(Real) * elmo_trainer_states(&trainer));
	moved = block(sizeof(Real) * moving.numbers);
	good = elmo_pool_vectors(&trainer, &window, &pool, weights, states,
							 vectors, NULL) &&
		elmo_pool_gradients(&trainer, &window, &pool, weights, states, slopes,
							&moving, moved, NULL);
	for (int i = 0; i < moving.count; i++)
	{
		if (moving.tensors[i].offset != ELMO_FIXED)
			memcpy(gradients + train->parameters.tensors[i].offset,
				   moved + moving.tensors[i].offset,
				   sizeof(Real) * moving.tensors[i].count);
	}
	free(moved);
	free(states);
	free(memory);
	free(word);
	return good;
}

#ifndef NETWORK_DOUBLE

static CharacterWord
word_of(void *argument, int32_t token)
{
	const Train *train = argument;
	int64_t		first = train->text_offsets[token];

	return (CharacterWord) {train->text + first,
		(size_t) (train->text_offsets[token + 1] - first)};
}

static int32_t
row_of(void *argument, int32_t token)
{
	return ((const Train *) argument)->row_of_token[token];
}

static ElmoText
text_of(void *argument, int64_t number)
{
	const Train *train = argument;

	return (ElmoText) {train->firsts[number],
		(int32_t) (train->firsts[number + 1] - train->firsts[number])};
}

static void
read_words(void *argument, int64_t first, int count, int32_t *words)
{
	memcpy(words, ((const Train *) argument)->words + first,
		   sizeof(int32_t) * count);
}

void
train_corpus(Train *train, const char *text, const int64_t *text_offsets,
			 const int32_t *row_of_token, const int32_t *words,
			 const int64_t *firsts, int64_t texts)
{
	train->text = text;
	train->text_offsets = text_offsets;
	train->row_of_token = row_of_token;
	train->words = words;
	train->firsts = firsts;
	train->lanes.texts = texts;
}

static void
begin_lanes(ElmoLanes *lanes, Train *train, int count, int steps)
{
	size_t		rows = (size_t) count * steps;

	lanes->count = count;
	lanes->steps = steps;
	lanes->text = text_of;
	lanes->read = read_words;
	lanes->argument = train;
	lanes->lanes = block(sizeof(ElmoLane) * count);
	lanes->buffer = block(sizeof(int32_t) * (steps + 1));
	for (int d = 0; d < 2; d++)
	{
		lanes->input[d] = block(sizeof(int32_t) * rows);
		lanes->target[d] = block(sizeof(int32_t) * rows);
	}
	lanes->begins = block(rows);
}

void
train_prepare(Train *train, int words, int candidates, int tokens, int lanes,
			  int steps, int members, int group, double dropout,
			  double clip_norm, uint64_t seed, float *weights,
			  float *weight_sums, float *table, float *table_sums)
{
	begin_lanes(&train->lanes, train, lanes, steps);
	for (int m = 0; m < members; m++)
	{
		ElmoStep   *step = &train->steps[m];
		ElmoPart   *part = &train->parts[m];
		size_t		sizes[3];

		step->parameters = &train->parameters;
		step->words = words;
		step->candidates = candidates;
		step->lanes = lanes;
		step->steps = steps;
		step->clip_norm = clip_norm;
		step->weights = weights;
		step->weight_sums = weight_sums;
		step->table = table;
		step->table_sums = table_sums;
		step->members = members;
		step->parts = train->parts;
		step->word = word_of;
		step->row = row_of;
		step->argument = train;
		step->tokens = tokens;
		step->member = m;
		step->group = group;
		step->trainer.dropout = dropout;
		step->seed = seed;
		elmo_part_sizes(step, &sizes[0], &sizes[1], &sizes[2]);
		part->gradients = block(sizeof(float) * sizes[0]);
		part->candidates = block(sizeof(float) * sizes[1]);
		part->targets = block(sizeof(float) * sizes[2]);
		part->square = &train->squares[m];
		(void) elmo_step_memory(step, block(elmo_step_memory(step, NULL)));
		elmo_step_begin(step);
	}
}

/* The next window; its targets, or 0 if there is none. */
int64_t
train_next(Train *train, int32_t *input, int32_t *target, uint8_t *begins)
{
	ElmoLanes  *lanes = &train->lanes;
	size_t		rows = (size_t) lanes->count * lanes->steps;

	if (!elmo_lanes_next(lanes))
		return 0;
	for (int d = 0; d < 2 && input != NULL; d++)
	{
		memcpy(input + d * rows, lanes->input[d], sizeof(int32_t) * rows);
		memcpy(target + d * rows, lanes->target[d], sizeof(int32_t) * rows);
		memcpy(begins + d * rows, lanes->begins, rows);
	}
	return lanes->targets;
}

/* A step with it; candidates: receives them, with how many were drawn. */
void
train_step(Train *train, double learning_rate, double *loss,
		   int32_t *candidates, int64_t *drawn)
{
	int			members = train->steps[0].members;

	*loss = 0;
	for (int m = 0; m < members; m++)
		(void) elmo_step_gradients(&train->steps[m], &train->lanes,
								   train->number, loss, NULL);
	memcpy(candidates, train->steps[0].ids,
		   sizeof(int32_t) * train->steps[0].candidates);
	*drawn = train->steps[0].drawn;
	for (int m = 0; m < members; m++)
		(void) elmo_step_sum(&train->steps[m], NULL);
	for (int m = 0; m < members; m++)
		(void) elmo_step_update(&train->steps[m], learning_rate, NULL);
	train->number++;
}

/* Losses of the whole softmax. */
void
train_losses(Train *train, double *loss)
{
	*loss = 0;
	for (int m = 0; m < train->steps[0].members; m++)
		(void) elmo_step_losses(&train->steps[m], &train->lanes, loss, NULL);
}
#endif
