/*-------------------------------------------------------------------------
 *
 * elmo_shared.c
 *	  The memory that the processes of a training share, and their task.
 *
 * All processes see all windows, and each computes those lanes that are its
 * own; they meet three times a step (elmo_step.h).  What they compute does not
 * depend on who is faster, so a training with the same number of processes
 * gives the same weights.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/elmo/elmo_training.h"

#include <math.h>

#include "miscadmin.h"
#include "server/interrupts.h"

/* What can be known without the memory. */
static void
fill_step(ElmoShared *shared, const ElmoParameters *parameters, ElmoStep *step)
{
	step->parameters = parameters;
	step->words = shared->words;
	step->candidates = shared->candidates;
	step->lanes = shared->lanes;
	step->steps = shared->steps;
	step->clip_norm = shared->clip_norm;
	step->tokens = shared->tokens;
	step->group = shared->group;
	step->trainer.dropout = shared->dropout;
	step->seed = shared->seed;
}

static void
lay_out(ElmoShared *shared, const ElmoParameters *parameters, Size text_bytes)
{
	Size		width = (Size) shared->options.projection + 1;
	Size		texts = (Size) (shared->texts + shared->held_out);
	Size	   *bytes = &shared->bytes;
	ElmoStep	step = {NULL};
	size_t		gradients;
	size_t		candidates;
	size_t		targets;

	fill_step(shared, parameters, &step);
	elmo_part_sizes(&step, &gradients, &candidates, &targets);
	*bytes = sizeof(ElmoShared);
	shared->weights = trainer_reserve(bytes, parameters->numbers,
									  sizeof(float));
	shared->sums = trainer_reserve(bytes, parameters->numbers, sizeof(float));
	shared->table = trainer_reserve(bytes, mul_size(shared->words, width),
									sizeof(float));
	shared->table_sums = trainer_reserve(bytes, mul_size(shared->words, width),
										 sizeof(float));
	shared->part_bytes = sizeof(float) *
		TYPEALIGN(16, gradients + candidates + targets);
	shared->parts = trainer_reserve(bytes, shared->members,
									shared->part_bytes);
	shared->squares = trainer_reserve(bytes, shared->members, sizeof(double));
	shared->losses = trainer_reserve(bytes, shared->members, sizeof(double));
	shared->text_offsets = trainer_reserve(bytes, (Size) shared->tokens + 1,
										   sizeof(int64));
	shared->text = trainer_reserve(bytes, text_bytes, 1);
	shared->rows = trainer_reserve(bytes, shared->tokens, sizeof(int32));
	shared->firsts = trainer_reserve(bytes, texts, sizeof(int64));
	shared->lengths = trainer_reserve(bytes, texts, sizeof(int32));
	shared->order = trainer_reserve(bytes, texts, sizeof(int64));
}

/* What each process takes besides. */
static Size
private_bytes(ElmoShared *shared, const ElmoParameters *parameters)
{
	ElmoStep	step = {NULL};
	Size		rows = (Size) shared->lanes * shared->steps;

	fill_step(shared, parameters, &step);
	step.members = shared->members;
	return elmo_step_memory(&step, NULL) + rows * (4 * sizeof(int32) + 1) +
		shared->lanes * sizeof(ElmoLane);
}

void
elmo_shared_plan(ElmoShared *shared, Size text_bytes)
{
	ElmoParameters parameters;
	Size		limit = (Size) maintenance_work_mem * 1024;
	Size		all;

	elmo_parameters(&parameters, &shared->options);
	lay_out(shared, &parameters, text_bytes);
	shared->group = (shared->lanes + shared->members - 1) / shared->members;
	for (;;)
	{
		all = add_size(shared->bytes,
					   mul_size(shared->members,
								private_bytes(shared, &parameters)));
		if (all <= limit || shared->group == 1)
			break;
		shared->group = (shared->group + 1) / 2;
	}
	if (all > limit)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("training needs more than maintenance_work_mem"),
				 errdetail("%zu MB are needed, for %d words of the softmax, %zu weights and %d processes.",
						   all / (1024 * 1024) + 1, shared->words,
						   parameters.numbers, shared->members),
				 errhint("Raise maintenance_work_mem, or min_count, or take a smaller model, fewer negatives or workers.")));
}

/* ---------- one process ---------- */

typedef struct Work
{
	Trainer    *trainer;
	ElmoShared *shared;
	ElmoParameters parameters;
	ElmoStep	step;
	ElmoPart   *parts;
	ElmoLanes	lanes;
	EncodedReader *reader;
	uint64		meetings;
	ProductInterrupt interrupt;
} Work;

static CharacterWord
word_of_token(void *argument, int32_t token)
{
	ElmoShared *shared = ((Work *) argument)->shared;
	const int64 *offsets = elmo_shared_part(shared, shared->text_offsets);
	CharacterWord word;

	word.text = (const char *) elmo_shared_part(shared, shared->text) +
		offsets[token];
	word.length = (size_t) (offsets[token + 1] - offsets[token]);
	return word;
}

static int32_t
row_of_token(void *argument, int32_t token)
{
	ElmoShared *shared = ((Work *) argument)->shared;

	return ((int32 *) elmo_shared_part(shared, shared->rows))[token];
}

static ElmoText
text_of_number(void *argument, int64_t number)
{
	ElmoShared *shared = ((Work *) argument)->shared;
	const int64 *order = elmo_shared_part(shared, shared->order);
	int64		text = order[number +
							 (shared->measures ? shared->texts : 0)];
	ElmoText	result;

	result.first = ((int64 *) elmo_shared_part(shared, shared->firsts))[text];
	result.words = ((int32 *) elmo_shared_part(shared, shared->lengths))[text];
	return result;
}

static void
read_words(void *argument, int64_t first, int count, int32_t *words)
{
	encoded_reader_part(((Work *) argument)->reader, first, count, words);
}

static void *
aligned_alloc_zero(Size bytes)
{
	void	   *memory = palloc_extended(bytes + PRODUCT_ALIGNMENT,
										 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	return (void *) TYPEALIGN(PRODUCT_ALIGNMENT, memory);
}

static void
begin_lanes(Work *work)
{
	ElmoShared *shared = work->shared;
	ElmoLanes  *lanes = &work->lanes;
	Size		rows = (Size) shared->lanes * shared->steps;

	lanes->count = shared->lanes;
	lanes->steps = shared->steps;
	lanes->texts = shared->measures ? shared->held_out : shared->texts;
	lanes->text = text_of_number;
	lanes->read = read_words;
	lanes->argument = work;
	lanes->lanes = palloc0(sizeof(ElmoLane) * shared->lanes);
	lanes->buffer = palloc(sizeof(int32) * (shared->steps + 1));
	for (int d = 0; d < 2; d++)
	{
		lanes->input[d] = palloc(sizeof(int32) * rows);
		lanes->target[d] = palloc(sizeof(int32) * rows);
	}
	lanes->begins = palloc(rows);
}

static void
begin_parts(Work *work)
{
	ElmoShared *shared = work->shared;
	size_t		gradients;
	size_t		candidates;
	size_t		targets;

	work->parts = palloc(sizeof(ElmoPart) * work->step.members);
	elmo_part_sizes(&work->step, &gradients, &candidates, &targets);
	for (int m = 0; m < work->step.members; m++)
	{
		ElmoPart   *part = &work->parts[m];

		part->gradients = elmo_shared_part(shared, shared->parts +
										   m * shared->part_bytes);
		part->candidates = part->gradients + gradients;
		part->targets = part->candidates + candidates;
		part->square = (double *) elmo_shared_part(shared, shared->squares) +
			m;
	}
	work->step.parts = work->parts;
}

static void
begin_step(Work *work)
{
	ElmoShared *shared = work->shared;
	ElmoStep   *step = &work->step;

	elmo_parameters(&work->parameters, &shared->options);
	fill_step(shared, &work->parameters, step);
	step->weights = elmo_shared_part(shared, shared->weights);
	step->weight_sums = elmo_shared_part(shared, shared->sums);
	step->table = elmo_shared_part(shared, shared->table);
	step->table_sums = elmo_shared_part(shared, shared->table_sums);
	step->members = trainer_members(work->trainer);
	step->member = work->trainer->worker;
	step->word = word_of_token;
	step->row = row_of_token;
	step->argument = work;
	begin_parts(work);
	(void) elmo_step_memory(step,
							aligned_alloc_zero(elmo_step_memory(step, NULL)));
	elmo_step_begin(step);
}

/* Waits until all have come so far. */
static void
meet(Work *work)
{
	team_meet(&work->shared->meeting, work->step.members, &work->meetings);
}

/* The leader's: the losses of all, when all have told theirs. */
static void
report_losses(Work *work)
{
	ElmoShared *shared = work->shared;
	const double *losses = elmo_shared_part(shared, shared->losses);
	int64		targets = work->lanes.targets;
	double		loss = 0;

	for (int m = 0; m < work->step.members; m++)
		loss += losses[m];
	if (!isfinite(loss))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("training diverged"),
				 errdetail("The loss of step " INT64_FORMAT " is not a finite number.",
						   shared->first_step + shared->taken + 1),
				 errhint("Lower learning_rate or clip_norm.")));
	shared->loss += loss;
	shared->targets += targets;
	shared->taken++;
	if (!shared->measures)
		trainer_report(work->trainer, targets / 2, loss, targets);
	else
		CHECK_FOR_INTERRUPTS();
}

static void
take_step(Work *work)
{
	ElmoShared *shared = work->shared;
	double	   *loss = (double *) elmo_shared_part(shared, shared->losses) +
		work->step.member;
	double		sum = 0;

	if (shared->measures)
		(void) elmo_step_losses(&work->step, &work->lanes, &sum,
								&work->interrupt);
	else
		(void) elmo_step_gradients(&work->step, &work->lanes,
								   (uint64) (shared->first_step +
											 work->meetings / 3),
								   &sum, &work->interrupt);
	*loss = sum;
	meet(work);
	if (work->step.member == 0)
		report_losses(work);
	if (!shared->measures)
		(void) elmo_step_sum(&work->step, &work->interrupt);
	meet(work);
	if (!shared->measures)
		(void) elmo_step_update(&work->step, shared->learning_rate,
								&work->interrupt);
	meet(work);
}

static void
elmo_work(Trainer *trainer)
{
	Work	   *work = palloc0(sizeof(Work));

	work->trainer = trainer;
	work->shared = trainer->memory;
	work->interrupt.check = interrupts_stop;
	trainer->slice = work->shared->epoch;
	work->reader = encoded_reader_open(trainer->files, work->shared->ids);
	begin_step(work);
	begin_lanes(work);
	while (elmo_lanes_next(&work->lanes))
		take_step(work);
	encoded_reader_close(work->reader);
}

const TrainerTask elmo_task = {"elmo", elmo_work};
