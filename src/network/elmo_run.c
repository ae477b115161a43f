/*-------------------------------------------------------------------------
 *
 * elmo_run.c
 *	  One pass of an ELMo in training, there and back.
 *
 * Words of a window are computed once, however often they stand in it.  What
 * is dropped (Srivastava et al. 2014) follows from the seed and the place
 * alone, so nothing has to be kept for the way back, and lanes may be dealt
 * out to any number of processes.
 *
 *-------------------------------------------------------------------------
 */
#include "network/elmo_run.h"

size_t
elmo_trainer_memory(ElmoTrainer *trainer, Real *memory)
{
	const ElmoOptions *options = &trainer->parameters->options;
	size_t		rows = (size_t) trainer->lanes * trainer->steps;
	size_t		words = (size_t) trainer->most_words;
	int			dims = options->projection;
	size_t		at = 0;

	trainer->product = train_take(memory, &at, MATRIX_SCRATCH_FLOATS, 1);
	trainer->characters.shape = elmo_character_shape(options);
	trainer->characters.most_words = trainer->most_words;
	at += character_pass_memory(&trainer->characters,
								memory == NULL ? NULL : memory + at);
	trainer->words = train_take(memory, &at, words, dims);
	trainer->dwords = train_take(memory, &at, words, dims);
	for (int l = 0; l <= options->layers; l++)
		trainer->x[l] = train_take(memory, &at, rows, dims);
	trainer->dx = train_take(memory, &at, rows, dims);
	trainer->dy = train_take(memory, &at, rows, dims);
	for (int l = 0; l < options->layers; l++)
	{
		LstmWindow *lstm = &trainer->lstm[l];

		lstm->shape = elmo_lstm_shape(options, l);
		lstm->lanes = trainer->lanes;
		lstm->steps = trainer->steps;
		at += lstm_window_memory(lstm, memory == NULL ? NULL : memory + at);
	}
	trainer->softmax = memory == NULL ? NULL : memory + at;
	at += trainer->softmax_numbers;
	return at;
}

/* Of a layer and direction: cells of all lanes, then what they give. */
static size_t
layer_states(const ElmoTrainer *trainer)
{
	const ElmoOptions *options = &trainer->parameters->options;

	return (size_t) trainer->lanes *
		   ((size_t) options->cells + (size_t) options->projection);
}

size_t
elmo_trainer_states(const ElmoTrainer *trainer)
{
	return 2 * (size_t) trainer->parameters->options.layers *
		   layer_states(trainer);
}

ElmoRun
elmo_run(ElmoTrainer *trainer, const ElmoWindow *window, Real *weights,
		 Real *states, ProductInterrupt *interrupt)
{
	ElmoRun		run = {trainer, window, weights, trainer->parameters};

	run.states = states;
	run.work = (TrainWork) {trainer->product, interrupt};
	run.rows = trainer->lanes * trainer->steps;
	run.dims = trainer->parameters->options.projection;
	return run;
}

/* ---------- what is dropped ---------- */

/*
 * Numbers of a row are zero with the chance that the trainer says, the others
 * grow by as much as is lost; 16 random bits decide over each.
 */
static void
drop_row(uint64_t state, double chance, int count, Real *x)
{
	uint32_t	least = (uint32_t) (chance * 65536);
	Real		factor = (Real) (1 / (1 - chance));

	for (int i = 0; i < count; i += 4)
	{
		uint64_t	bits = splitmix64(&state);

		for (int j = i; j < count && j < i + 4; j++, bits >>= 16)
			x[j] = (bits & 0xFFFF) < least ? 0 : x[j] * factor;
	}
}

/* The same rows and place drop the same. */
static void
drop(const ElmoRun *run, int direction, int place, Real *x)
{
	const ElmoTrainer *trainer = run->trainer;

	if (!run->drops || trainer->dropout <= 0)
		return;
	for (int r = 0; r < run->rows; r++)
	{
		uint64_t	lane = (uint64_t) (run->window->first_lane +
									   r % trainer->lanes);
		uint64_t	step = (uint64_t) (r / trainer->lanes);
		uint64_t	state = trainer->seed;

		state = splitmix64(&state) ^ run->window->number;
		state = splitmix64(&state) ^ (lane << 32 | step << 8 |
									  (uint64_t) (place * 2 + direction));
		state = splitmix64(&state);
		drop_row(state, trainer->dropout, run->dims,
				 x + (size_t) r * run->dims);
	}
}

/* ---------- words ---------- */

bool
elmo_run_words(ElmoRun *run)
{
	ElmoTrainer *trainer = run->trainer;
	const ElmoWindow *window = run->window;
	CharacterWeights characters =
		elmo_character_weights(trainer->parameters, run->weights);

	memset(trainer->dwords, 0,
		   sizeof(Real) * (size_t) window->words * run->dims);
	return character_forward(&trainer->characters, &characters, window->words,
							 window->word, trainer->words, &run->work);
}

bool
elmo_run_characters(ElmoRun *run)
{
	ElmoTrainer *trainer = run->trainer;
	CharacterWeights characters =
		elmo_character_weights(trainer->parameters, run->weights);
	CharacterWeights changes = elmo_character_weights(run->places,
													  run->gradients);

	return character_backward(&trainer->characters, &characters,
							  trainer->dwords, &changes, &run->work);
}

/* ---------- a direction ---------- */

bool
elmo_run_forward(ElmoRun *run, int direction)
{
	ElmoTrainer *trainer = run->trainer;
	const ElmoParameters *parameters = trainer->parameters;
	const ElmoOptions *options = &parameters->options;
	const int32_t *read = run->window->read[direction];

	for (int r = 0; r < run->rows; r++)
		memcpy(trainer->x[0] + (size_t) r * run->dims,
			   trainer->words + (size_t) read[r] * run->dims,
			   sizeof(Real) * run->dims);
	drop(run, direction, 0, trainer->x[0]);
	for (int l = 0; l < options->layers; l++)
	{
		LstmWindow *lstm = &trainer->lstm[l];
		LstmGradients weights = elmo_lstm_weights(parameters, run->weights,
												  direction, l);
		Real	   *cells = run->states + layer_states(trainer) *
					 (size_t) (direction * options->layers + l);
		Real	   *state = cells + (size_t) trainer->lanes * options->cells;

		lstm->weights = (LstmWeights) {weights.gates, weights.bias,
			weights.projection};
		lstm->begins = run->window->begins[direction];
		if (!lstm_forward(lstm, trainer->x[l], trainer->x[l + 1], cells,
						  state, &run->work))
			return false;
		drop(run, direction, l + 1, trainer->x[l + 1]);
	}
	return true;
}

bool
elmo_run_backward(ElmoRun *run, int direction)
{
	ElmoTrainer *trainer = run->trainer;
	const int32_t *read = run->window->read[direction];
	Real	   *dy = trainer->dy;
	Real	   *dx = trainer->dx;

	if (run->add != NULL)
		memset(dy, 0, sizeof(Real) * (size_t) run->rows * run->dims);
	for (int l = run->places->options.layers - 1; l >= 0; l--)
	{
		LstmGradients gradients = elmo_lstm_weights(run->places,
													run->gradients,
													direction, l);
		Real	   *taken = dy;

		if (run->add != NULL)
			run->add(run, direction, l + 1, dy);
		drop(run, direction, l + 1, dy);
		if (!lstm_backward(&trainer->lstm[l], trainer->x[l], dy, dx,
						   &gradients, &run->work))
			return false;
		dy = dx;
		dx = taken;
	}
	if (run->add != NULL)
		run->add(run, direction, 0, dy);
	drop(run, direction, 0, dy);
	for (int r = 0; r < run->rows; r++)
		real_add(run->dims, dy + (size_t) r * run->dims,
				 trainer->dwords + (size_t) read[r] * run->dims);
	return true;
}
