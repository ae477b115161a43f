/*-------------------------------------------------------------------------
 *
 * tuning_run.c
 *	  Epochs of batches: vectors, loss, gradients, a step; then a look at what
 *	  was held out.
 *
 *-------------------------------------------------------------------------
 */
#include "tuning/tuning.h"

#include <math.h>

#include "math/hash.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/memutils.h"

/* The largest norm of all gradients together, as transformers' Trainer has */
#define CLIP_NORM 1.0

/* An epoch has so many steps or more where nothing is said of the batch. */
#define FEWEST_STEPS 32
#define LEAST_BATCH 8
#define MOST_BATCH 64

typedef struct TuningRun
{
	const TuningOptions *options;
	TuneTarget *target;
	TuningExamples *examples;
	TuningHistory *history;
	Progress   *progress;
	Random		random;
	OptimizerSettings optimizer;
	double		learning_rate;
	TuningBatches *batches;
	TuningLoss *loss;
	int64		steps;			/* of all epochs */
	int64		warmup;			/* of them */
	int64		step;
	int			epoch;
	int			step_of_epoch;
	float	   *vectors;
	float	   *gradients;
	double		done;			/* tokens */
	double		recent;			/* loss of late */
	double		loss_sum;		/* of the epoch */
	TuningMetrics metrics;		/* of the last look */
	instr_time	start;
	double		best;			/* the metric that decides */
	int			best_epoch;
	int			kept_epoch;
} TuningRun;

OptimizerSettings
tuning_optimizer(const TuningOptions *options)
{
	OptimizerSettings settings = optimizer_defaults(options->optimizer);

	settings.weight_decay = options->weight_decay;
	return settings;
}

void
tuning_check_memory(Size bytes)
{
	Size		most = (Size) maintenance_work_mem * 1024;

	if (bytes > most)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("tuning does not fit into maintenance_work_mem"),
				 errdetail("It needs %zu MB.", bytes / (1024 * 1024) + 1),
				 errhint("SET maintenance_work_mem = '%zuMB'; or use fewer examples, or a smaller batch.",
						 bytes / (1024 * 1024) + 1)));
}

/* ---------- a step ---------- */

static int
batch_of(const TuningOptions *options, const TuningExamples *examples)
{
	int			batch = LEAST_BATCH;
	int			count = examples->training *
		(examples->shape == TUNING_LABELS ? 2 : 1);

	if (options->batch > 0)
		return Min(options->batch, count);
	while (2 * batch <= MOST_BATCH && count / (2 * batch) >= FEWEST_STEPS)
		batch *= 2;
	return Min(batch, count);
}

static void
show_progress(TuningRun *run, const TuningBatch *batch)
{
	TuningMetrics *metrics = &run->metrics;
	char	   *phase = psprintf("epoch %d of %d, step %d of %d",
								 run->epoch, run->options->epochs,
								 run->step_of_epoch,
								 tuning_batches_steps(run->batches));
	char	   *whole = metrics->count == 0 ? phase :
		psprintf("%s, %s %.4f", phase, metrics->names[metrics->count - 1],
				 metrics->values[metrics->count - 1]);

	for (int i = 0; i < batch->rows * batch->groups; i++)
		run->done += run->target->size(run->target, batch->texts[i]);
	progress_name(run->progress, whole);
	progress_update(run->progress, run->done, run->recent);
}

static void
check_finite(const TuningRun *run, double number)
{
	if (isfinite(number))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 errmsg("tuning diverged: the loss of batch %d of epoch %d is not a finite number",
					run->step_of_epoch, run->epoch),
			 errdetail("The learning rate is %g.", run->learning_rate),
			 errhint("Lower learning_rate.")));
}

static void
take_step(TuningRun *run, const TuningBatch *batch)
{
	TuneTarget *target = run->target;
	int			count = batch->rows * batch->groups;
	uint64		noise = run->options->dropout > 0 ?
		random_next(&run->random) | 1 : 0;
	OptimizerStep step;
	double		loss;
	double		square;

	target->training = true;
	target->forward(target, count, batch->texts, noise, run->vectors);
	loss = tuning_compute_loss(run->loss, batch, run->vectors,
							   run->gradients);
	check_finite(run, loss);
	CHECK_FOR_INTERRUPTS();
	target->backward(target, count, batch->texts, noise, run->gradients);
	square = target->gradient_square(target) +
		tuning_loss_square(run->loss);
	check_finite(run, square);
	step.number = run->step + 1;
	step.learning_rate = run->learning_rate *
		schedule_factor(run->options->schedule, run->step, run->warmup,
						run->steps);
	step.weight_decay = run->options->weight_decay;
	step.gradient_factor = clip_factor(sqrt(square), CLIP_NORM);
	target->step(target, &step);
	tuning_loss_step(run->loss, &step);
	target->training = false;
	run->step++;
	run->loss_sum += loss;
	run->recent = isnan(run->recent) ? loss : 0.9 * run->recent + 0.1 * loss;
}

/* ---------- looking ---------- */

static double
deciding_metric(const TuningMetrics *metrics)
{
	return metrics->values[metrics->count - 1];
}

static void
look(TuningRun *run, double loss)
{
	TuningPoint point = {run->epoch, run->step, loss};
	instr_time	now;

	tuning_measure(run->target, run->examples, &run->metrics);
	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, run->start);
	point.seconds = INSTR_TIME_GET_DOUBLE(now);
	point.metrics = run->metrics;
	tuning_add_point(run->history, &point);
}

/* Whether to go on after an epoch; the best one is kept. */
static bool
go_on(TuningRun *run)
{
	if (run->options->patience == 0 || run->metrics.count == 0)
		return true;
	if (deciding_metric(&run->metrics) > run->best)
	{
		run->best = deciding_metric(&run->metrics);
		run->best_epoch = run->epoch;
		run->target->keep(run->target);
	}
	return run->epoch - run->best_epoch < run->options->patience;
}

/* ---------- the whole ---------- */

static double
tokens_of_epoch(const TuningRun *run)
{
	const TuningExamples *examples = run->examples;
	double		times = examples->shape == TUNING_LABELS ? 4 :
		examples->shape == TUNING_TEXTS ? 2 : 1;
	double		sum = 0;

	for (int i = 0; i < examples->training; i++)
	{
		const int32 *texts = examples->texts +
			(Size) examples->order[i] * examples->width;

		for (int k = 0; k < examples->width; k++)
			sum += run->target->size(run->target, texts[k]);
	}
	return sum * times;
}

static void
begin(TuningRun *run)
{
	const TuningOptions *options = run->options;
	TuneTarget *target = run->target;
	int			batch = batch_of(options, run->examples);
	bool		best = options->patience > 0;
	Size		floats;
	Size		taken;

	run->batches = tuning_batches(run->examples, batch, &run->random);
	floats = (Size) batch * tuning_batches_groups(run->batches) *
		target->dims;
	taken = tuning_examples_bytes(run->examples) + 2 * sizeof(float) * floats;
	tuning_check_memory(taken);
	taken += target->bytes(target, batch *
						   tuning_batches_groups(run->batches),
						   (Size) maintenance_work_mem * 1024 - taken, best);
	tuning_check_memory(taken);
	run->loss = tuning_loss(options, run->examples, batch, target->dims);
	run->vectors = palloc_extended(sizeof(float) * floats, MCXT_ALLOC_HUGE);
	run->gradients = palloc_extended(sizeof(float) * floats,
									 MCXT_ALLOC_HUGE);
	target->begin(target, best);
	run->steps = (int64) options->epochs *
		tuning_batches_steps(run->batches);
	run->warmup = (int64) (options->warmup * run->steps);
	run->learning_rate = options->learning_rate > 0 ?
		options->learning_rate : target->learning_rate;
	run->recent = NAN;
	INSTR_TIME_SET_CURRENT(run->start);
}

static void
run_epoch(TuningRun *run)
{
	TuningBatch batch;

	run->loss_sum = 0;
	run->step_of_epoch = 0;
	tuning_begin_epoch(run->batches);
	while (tuning_next_batch(run->batches, &batch))
	{
		run->step_of_epoch++;
		take_step(run, &batch);
		show_progress(run, &batch);
	}
	look(run, run->loss_sum / run->step_of_epoch);
}

/* What became of the metrics, and a warning if that is nothing good */
static void
tell(const TuningRun *run)
{
	const TuningPoint *before = &run->history->points[0];
	const TuningPoint *after = &run->history->points[run->kept_epoch];
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "epoch %d, loss %.4f", after->epoch, after->loss);
	for (int i = 0; i < after->metrics.count; i++)
		appendStringInfo(&text, ", %s %.4f (before %.4f)",
						 after->metrics.names[i], after->metrics.values[i],
						 before->metrics.values[i]);
	progress_result(run->progress, text.data);
	if (after->metrics.count > 0 &&
		deciding_metric(&after->metrics) <=
		deciding_metric(&before->metrics))
		ereport(WARNING,
				(errmsg("the tuned model is not better on the examples held out"),
				 errdetail("%s is %.4f, it was %.4f, of %d examples.",
						   after->metrics.names[after->metrics.count - 1],
						   deciding_metric(&after->metrics),
						   deciding_metric(&before->metrics),
						   run->examples->held_out),
				 errhint("More examples, another learning_rate or fewer epochs may help; tuning_history() shows the curve.")));
}

/* Everything from the first look on to the weights of the last, or the best */
static void
train(void *argument)
{
	TuningRun  *run = argument;

	progress_phase(run->progress, "looking at what is held out", 0);
	look(run, NAN);
	if (run->metrics.count > 0)
		run->best = -INFINITY;
	progress_phase(run->progress, "tuning",
				   tokens_of_epoch(run) * run->options->epochs);
	do
	{
		run->epoch++;
		run_epoch(run);
	} while (go_on(run) && run->epoch < run->options->epochs);
	run->kept_epoch = run->epoch;
	if (run->best_epoch > 0)
	{
		run->target->restore(run->target);
		run->kept_epoch = run->best_epoch;
	}
}

void
tuning_run(const TuningOptions *options, TuneTarget *target,
		   TuningExamples *examples, TuningHistory *history,
		   Progress *progress)
{
	TuningRun	run = {options, target, examples, history, progress};

	random_seed_stream(&run.random, options->seed, 1);
	tuning_split(examples, options->held_out, &run.random);
	begin(&run);
	if (target->run != NULL)
		target->run(target, train, &run, progress);
	else
		train(&run);
	tell(&run);
}
