/*-------------------------------------------------------------------------
 *
 * tuning_batch.c
 *	  Examples in batches, in another order each epoch.
 *
 * Labels become pairs, two for each text: one with another of its label, and
 * one with any of another label, both chosen anew in each epoch.
 *
 *-------------------------------------------------------------------------
 */
#include "tuning/tuning.h"

#include "miscadmin.h"
#include "utils/memutils.h"

struct TuningBatches
{
	const TuningExamples *examples;
	int			batch;
	Random	   *random;
	int			groups;

	/* what the epoch consists of: texts and scores of each example */
	int			count;
	int32	   *texts;			/* count * groups */
	float	   *scores;
	int32	   *order;
	int			at;				/* what is to come */

	/* of labels: training examples by label */
	int32	   *by_label;
	int32	   *label_start;
	TuningBatch out;
};

/* ---------- labels ---------- */

static void
sort_by_label(TuningBatches *batches)
{
	const TuningExamples *examples = batches->examples;
	int			labels = examples->label_count;
	int32	   *next;

	batches->by_label = palloc_extended(sizeof(int32) * examples->training,
										MCXT_ALLOC_HUGE);
	batches->label_start = palloc0(sizeof(int32) * (labels + 1));
	next = palloc(sizeof(int32) * (labels + 1));
	for (int i = 0; i < examples->training; i++)
		batches->label_start[examples->labels[examples->order[i]] + 1]++;
	for (int i = 0; i < labels; i++)
		batches->label_start[i + 1] += batches->label_start[i];
	memcpy(next, batches->label_start, sizeof(int32) * (labels + 1));
	for (int i = 0; i < examples->training; i++)
	{
		int32		example = examples->order[i];

		batches->by_label[next[examples->labels[example]]++] = example;
	}
	pfree(next);
}

/* Another example of the label, or the same if it has no other */
static int32
one_of_label(TuningBatches *batches, int32 example)
{
	int			label = batches->examples->labels[example];
	int			first = batches->label_start[label];
	int			count = batches->label_start[label + 1] - first;
	int32		other;

	do
		other = batches->by_label[first + random_below(batches->random,
													   count)];
	while (other == example && count > 1);
	return other;
}

/* An example of another label: there is one (tuning_split) */
static int32
one_of_others(TuningBatches *batches, int32 example)
{
	int			label = batches->examples->labels[example];
	int			first = batches->label_start[label];
	int			count = batches->label_start[label + 1] - first;
	int			place = (int) random_below(batches->random,
										   batches->examples->training -
										   count);

	return batches->by_label[place < first ? place : place + count];
}

static void
pair_labels(TuningBatches *batches)
{
	const TuningExamples *examples = batches->examples;

	for (int i = 0; i < examples->training; i++)
	{
		int32		example = examples->order[i];
		int32	   *texts = batches->texts + (Size) 4 * i;

		texts[0] = texts[2] = examples->texts[example];
		texts[1] = examples->texts[one_of_label(batches, example)];
		texts[3] = examples->texts[one_of_others(batches, example)];
		batches->scores[2 * i] = 1;
		batches->scores[2 * i + 1] = 0;
	}
}

/* ---------- epochs ---------- */

static void
take_examples(TuningBatches *batches)
{
	const TuningExamples *examples = batches->examples;

	for (int i = 0; i < examples->training; i++)
	{
		int32		example = examples->order[i];
		const int32 *from = examples->texts +
			(Size) example * examples->width;
		int32	   *to = batches->texts + (Size) i * batches->groups;

		/* a text alone goes with itself */
		for (int k = 0; k < batches->groups; k++)
			to[k] = from[Min(k, examples->width - 1)];
		batches->scores[i] = examples->scores[example];
	}
}

TuningBatches *
tuning_batches(const TuningExamples *examples, int batch, Random *random)
{
	TuningBatches *batches = palloc0(sizeof(TuningBatches));
	Size		count;

	batches->examples = examples;
	batches->batch = batch;
	batches->random = random;
	batches->groups = examples->shape == TUNING_TEACHER ? 1 :
		Max(examples->width, 2);
	batches->count = examples->training *
		(examples->shape == TUNING_LABELS ? 2 : 1);
	count = batches->count;
	batches->texts = palloc_extended(sizeof(int32) * count * batches->groups,
									 MCXT_ALLOC_HUGE);
	batches->scores = palloc_extended(sizeof(float) * count,
									  MCXT_ALLOC_HUGE);
	batches->order = palloc_extended(sizeof(int32) * count, MCXT_ALLOC_HUGE);
	batches->out.groups = batches->groups;
	batches->out.texts = palloc(sizeof(int32) * batch * batches->groups);
	batches->out.scores = palloc(sizeof(float) * batch);
	if (examples->shape == TUNING_TEACHER)
		batches->out.teacher = palloc_extended(sizeof(float) * batch *
											   (Size) examples->teacher_dims,
											   MCXT_ALLOC_HUGE);
	if (examples->shape == TUNING_RELATIONS)
		batches->out.labels = palloc(sizeof(int32) * batch);
	if (examples->shape == TUNING_LABELS)
		sort_by_label(batches);
	else
		take_examples(batches);
	return batches;
}

int
tuning_batches_steps(const TuningBatches *batches)
{
	return (batches->count + batches->batch - 1) / batches->batch;
}

int
tuning_batches_groups(const TuningBatches *batches)
{
	return batches->groups;
}

void
tuning_begin_epoch(TuningBatches *batches)
{
	if (batches->examples->shape == TUNING_LABELS)
		pair_labels(batches);
	for (int i = 0; i < batches->count; i++)
		batches->order[i] = i;
	for (int i = batches->count - 1; i > 0; i--)
	{
		int			other = (int) random_below(batches->random,
											   (uint32) i + 1);
		int32		number = batches->order[i];

		batches->order[i] = batches->order[other];
		batches->order[other] = number;
	}
	batches->at = 0;
}

/* ---------- batches ---------- */

static void
take_teacher(TuningBatches *batches, int row, int32 number)
{
	const TuningExamples *examples = batches->examples;
	Size		dims = examples->teacher_dims;

	memcpy(batches->out.teacher + row * dims,
		   examples->teacher + examples->order[number] * dims,
		   sizeof(float) * dims);
}

bool
tuning_next_batch(TuningBatches *batches, TuningBatch *batch)
{
	TuningBatch *out = &batches->out;

	CHECK_FOR_INTERRUPTS();
	out->rows = Min(batches->batch, batches->count - batches->at);
	for (int row = 0; row < out->rows; row++)
	{
		int32		example = batches->order[batches->at + row];
		const int32 *texts = batches->texts +
			(Size) example * batches->groups;

		for (int i = 0; i < batches->groups; i++)
			out->texts[(Size) i * out->rows + row] = texts[i];
		out->scores[row] = batches->scores[example];
		if (out->labels != NULL)
			out->labels[row] = batches->examples->labels
				[batches->examples->order[example]];
		if (out->teacher != NULL)
			take_teacher(batches, row, example);
	}
	batches->at += out->rows;
	*batch = *out;
	return out->rows > 0;
}
