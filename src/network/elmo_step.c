/*-------------------------------------------------------------------------
 *
 * elmo_step.c
 *	  A step of the training of an ELMo, by one process or several.
 *
 *-------------------------------------------------------------------------
 */
#include "network/elmo_step.h"

#include "network/scratch.h"

/* Streams of random numbers under the seed. */
#define STREAM_CANDIDATES ((uint64_t) 1 << 40)

/* Weights between two looks for interrupts, and what they count for. */
#define PIECE ((size_t) 1 << 18)
#define PIECE_WORK 3e7

static int
share_begin(int64_t count, int member, int members)
{
	return (int) (count * member / members);
}

static bool
is_sampled(const ElmoStep *step)
{
	return step->candidates < step->words;
}

static int
width_of(const ElmoStep *step)
{
	return step->parameters->options.projection + 1;
}

void
elmo_part_sizes(const ElmoStep *step, size_t *gradients, size_t *candidates,
				size_t *targets)
{
	size_t		width = (size_t) width_of(step);

	*gradients = step->parameters->numbers;
	*candidates = width * (size_t) step->candidates;
	*targets = width * (size_t) elmo_step_most_rows(step);
}

static size_t
larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* Different words of a group's window, with both marks. */
static int
most_words(const ElmoStep *step)
{
	int			most = 2 * step->group * step->steps + 2;

	return most < step->tokens ? most : step->tokens;
}

static void
set_trainer(ElmoStep *step)
{
	ElmoTrainer *trainer = &step->trainer;

	step->first_lane = share_begin(step->lanes, step->member, step->members);
	step->own_lanes = share_begin(step->lanes, step->member + 1,
								  step->members) - step->first_lane;
	if (step->group > step->own_lanes)
		step->group = step->own_lanes;
	if (step->group < 1)
		step->group = 1;
	trainer->parameters = step->parameters;
	trainer->lanes = step->group;
	trainer->steps = step->steps;
	trainer->most_words = most_words(step);
	/* losses of the whole softmax are computed with the same memory */
	trainer->softmax_numbers = larger(
		sampled_softmax_memory(width_of(step) - 1, step->words),
		sampled_softmax_memory(width_of(step) - 1, step->candidates));
	trainer->seed = step->seed;
}

static int
groups_of(const ElmoStep *step)
{
	return (step->own_lanes + step->group - 1) / step->group;
}

size_t
elmo_step_memory(ElmoStep *step, void *memory)
{
	Scratch		scratch = {memory, 0};
	size_t		rows;
	size_t		words;
	Real	   *numbers;

	set_trainer(step);
	rows = (size_t) step->group * step->steps;
	words = (size_t) step->trainer.most_words;
	numbers = scratch_take(&scratch, sizeof(Real) *
						   elmo_trainer_memory(&step->trainer, NULL));
	if (memory != NULL)
		(void) elmo_trainer_memory(&step->trainer, numbers);
	step->states = scratch_take(&scratch, sizeof(float) *
								elmo_trainer_states(&step->trainer) *
								(size_t) groups_of(step));
	step->number = scratch_take(&scratch, sizeof(int32_t) * step->tokens);
	step->word_of = scratch_take(&scratch, sizeof(CharacterWord) * words);
	step->token_of = scratch_take(&scratch, sizeof(int32_t) * words);
	for (int d = 0; d < 2; d++)
	{
		step->input[d] = scratch_take(&scratch, sizeof(int32_t) * rows);
		step->target[d] = scratch_take(&scratch, sizeof(int32_t) * rows);
	}
	step->begins = scratch_take(&scratch, rows);
	step->used = scratch_take(&scratch, step->words);
	step->row_of = scratch_take(&scratch, sizeof(int32_t) * step->words);
	step->ids = scratch_take(&scratch, sizeof(int32_t) *
							 elmo_step_most_rows(step));
	step->rows = scratch_take(&scratch, sizeof(float) * width_of(step) *
							  elmo_step_most_rows(step));
	if (memory != NULL)
	{
		memset(step->number, 0xFF, sizeof(int32_t) * step->tokens);
		memset(step->used, 0, step->words);
		memset(step->row_of, 0xFF, sizeof(int32_t) * step->words);
	}
	return scratch.total;
}

void
elmo_step_begin(ElmoStep *step)
{
	memset(step->states, 0, sizeof(float) *
		   elmo_trainer_states(&step->trainer) * (size_t) groups_of(step));
}

/* ---------- rows of the softmax ---------- */

static void
add_row(ElmoStep *step, int32_t word)
{
	if (step->row_of[word] >= 0)
		return;
	step->row_of[word] = step->row_count;
	step->ids[step->row_count++] = word;
}

/*
 * The rows that the step touches: candidates first, and then the targets of
 * all lanes.  What candidates are corrected by is taken off their bias, and
 * off that of the targets.
 */
static void
choose_rows(ElmoStep *step, uint64_t number)
{
	int			rows = step->lanes * step->steps;
	int			width = width_of(step);
	Random		random;

	step->row_count = 0;
	if (is_sampled(step))
	{
		random_seed_stream(&random, step->seed, STREAM_CANDIDATES + number);
		step->drawn = candidates_draw(&random, step->words, step->candidates,
									  step->ids, step->used);
	}
	for (int i = 0; i < step->candidates; i++)
		add_row(step, is_sampled(step) ? step->ids[i] : i);
	for (int d = 0; d < 2; d++)
	{
		for (int r = 0; r < rows; r++)
		{
			int32_t		token = step->window->target[d][r];

			if (token >= 0)
				add_row(step, step->row(step->argument, token));
		}
	}
	for (int i = 0; i < step->row_count; i++)
	{
		float	   *row = step->rows + (size_t) i * width;

		memcpy(row, step->table + (size_t) step->ids[i] * width,
			   sizeof(float) * width);
		if (is_sampled(step))
			row[width - 1] -= (float) candidate_log_count(step->ids[i],
														  step->words,
														  step->drawn);
	}
}

static void
forget_rows(ElmoStep *step)
{
	for (int i = 0; i < step->row_count; i++)
		step->row_of[step->ids[i]] = -1;
}

/* ---------- a group of lanes ---------- */

/* The number of a token among the words of the group. */
static int32_t
number_of(ElmoStep *step, int32_t token, int *words)
{
	if (step->number[token] < 0)
	{
		step->number[token] = *words;
		step->token_of[*words] = token;
		step->word_of[*words] = step->word(step->argument, token);
		++*words;
	}
	return step->number[token];
}

/*
 * What the lanes from "first" on read; lanes beyond this member's own do
 * not count.  all: targets are words of the softmax themselves.
 */
static void
gather_group(ElmoStep *step, int first, bool all, ElmoWindow *group)
{
	const ElmoLanes *window = step->window;
	int			until = step->first_lane + step->own_lanes;
	int			words = 0;

	for (int d = 0; d < 2; d++)
	{
		for (int r = 0; r < step->group * step->steps; r++)
		{
			int			lane = first + r % step->group;
			size_t		from = (size_t) (r / step->group) * step->lanes + lane;
			int32_t		target = lane < until ? window->target[d][from] : -1;
			int32_t		input = lane < until ? window->input[d][from]
				: ELMO_TOKEN_BEGIN;

			if (target >= 0)
				target = step->row(step->argument, target);
			if (target >= 0 && !all)
				target = step->row_of[target];
			step->input[d][r] = number_of(step, input, &words);
			step->target[d][r] = target;
			step->begins[r] = lane < until ? window->begins[from] : 1;
		}
		group->read[d] = step->input[d];
		group->target[d] = step->target[d];
		group->begins[d] = step->begins;
	}
	group->words = words;
	group->word = step->word_of;
	group->first_lane = first;
	for (int w = 0; w < words; w++)
		step->number[step->token_of[w]] = -1;
}

static bool
run_groups(ElmoStep *step, const SampledSoftmax *softmax, uint64_t number,
		   float *gradients, float scale, double *loss,
		   ProductInterrupt *interrupt)
{
	size_t		states = elmo_trainer_states(&step->trainer);

	for (int g = 0; g < groups_of(step); g++)
	{
		ElmoWindow	group;

		gather_group(step, step->first_lane + g * step->group,
					 gradients == NULL, &group);
		group.number = number;
		if (!elmo_trainer_run(&step->trainer, &group, step->weights, softmax,
							  gradients, scale, step->states + g * states,
							  loss, interrupt))
			return false;
	}
	return true;
}

bool
elmo_step_gradients(ElmoStep *step, const ElmoLanes *window, uint64_t number,
					double *loss, ProductInterrupt *interrupt)
{
	const ElmoPart *part = &step->parts[step->member];
	SampledSoftmax softmax = {width_of(step) - 1, step->candidates};
	size_t		gradients;
	size_t		candidates;
	size_t		targets;

	step->window = window;
	choose_rows(step, number);
	elmo_part_sizes(step, &gradients, &candidates, &targets);
	targets = (size_t) width_of(step) * step->row_count;
	memset(part->gradients, 0, sizeof(float) * gradients);
	memset(part->candidates, 0, sizeof(float) * candidates);
	memset(part->targets, 0, sizeof(float) * targets);
	softmax.rows = step->row_count;
	softmax.weights = step->rows;
	softmax.candidate_gradient = part->candidates;
	softmax.target_gradient = part->targets;
	return run_groups(step, &softmax, number, part->gradients,
					  (float) step->steps / (float) window->targets, loss,
					  interrupt);
}

bool
elmo_step_losses(ElmoStep *step, const ElmoLanes *window, double *loss,
				 ProductInterrupt *interrupt)
{
	SampledSoftmax softmax = {width_of(step) - 1, step->words, step->words,
	step->table};

	step->window = window;
	return run_groups(step, &softmax, 0, NULL, 0, loss, interrupt);
}

/* ---------- from gradients to weights ---------- */

/* A member's share of the weights, and of the rows of the softmax. */
typedef struct Share
{
	size_t		first;
	size_t		count;
	int			first_row;
	int			rows;
} Share;

static Share
share_of(const ElmoStep *step)
{
	size_t		numbers = step->parameters->numbers;
	size_t		member = (size_t) step->member;
	size_t		members = (size_t) step->members;
	Share		share;

	share.first = numbers * member / members;
	share.count = numbers * (member + 1) / members - share.first;
	share.first_row = share_begin(step->row_count, step->member,
								  step->members);
	share.rows = share_begin(step->row_count, step->member + 1,
							 step->members) - share.first_row;
	return share;
}

/* The sums come to lie in the first member's part. */
static bool
sum_weights(ElmoStep *step, const Share *share, double *square,
			ProductInterrupt *interrupt)
{
	float	   *to = step->parts[0].gradients + share->first;

	for (size_t i = 0; i < share->count; i += PIECE)
	{
		size_t		some = share->count - i < PIECE ? share->count - i : PIECE;

		for (int m = 1; m < step->members; m++)
			real_add((int) some, step->parts[m].gradients + share->first + i,
					 to + i);
		*square += gradient_square(some, to + i);
		if (product_interrupted(interrupt, PIECE_WORK))
			return false;
	}
	return true;
}

/* Rows that are candidates have a part of their sum in columns. */
static void
sum_rows(ElmoStep *step, const Share *share, double *square)
{
	int			width = width_of(step);
	size_t		first = (size_t) share->first_row * width;
	size_t		count = (size_t) share->rows * width;
	float	   *rows = step->parts[0].targets + first;

	for (int m = 1; m < step->members; m++)
		real_add((int) count, step->parts[m].targets + first, rows);
	for (int m = 0; m < step->members; m++)
	{
		const float *candidates = step->parts[m].candidates;

		for (int i = 0; i < width; i++)
		{
			for (int r = 0; r < share->rows; r++)
			{
				int			row = share->first_row + r;

				if (row < step->candidates)
					rows[(size_t) r * width + i] +=
						candidates[(size_t) i * step->candidates + row];
			}
		}
	}
	*square += gradient_square(count, rows);
}

bool
elmo_step_sum(ElmoStep *step, ProductInterrupt *interrupt)
{
	Share		share = share_of(step);
	double		square = 0;

	sum_rows(step, &share, &square);
	if (!sum_weights(step, &share, &square, interrupt))
		return false;
	*step->parts[step->member].square = square;
	return true;
}

bool
elmo_step_update(ElmoStep *step, double learning_rate,
				 ProductInterrupt *interrupt)
{
	const ElmoPart *sums = &step->parts[0];
	OptimizerSettings settings = optimizer_defaults(OPTIMIZER_ADAGRAD);
	OptimizerStep how = {1, learning_rate, 0, 1};
	Share		share = share_of(step);
	int			width = width_of(step);
	double		square = 0;

	for (int m = 0; m < step->members; m++)
		square += *step->parts[m].square;
	how.gradient_factor = clip_factor(sqrt(square), step->clip_norm);
	for (size_t i = 0; i < share.count; i += PIECE)
	{
		size_t		some = share.count - i < PIECE ? share.count - i : PIECE;
		size_t		at = share.first + i;

		optimizer_step(&settings, &how, 1, (int) some, true,
					   sums->gradients + at, step->weights + at,
					   step->weight_sums + at);
		if (product_interrupted(interrupt, PIECE_WORK))
			return false;
	}
	(void) optimizer_step_rows(&settings, &how, step->words, width,
							   share.rows, step->ids + share.first_row,
							   sums->targets +
							   (size_t) share.first_row * width,
							   step->table, step->table_sums);
	forget_rows(step);
	return true;
}
