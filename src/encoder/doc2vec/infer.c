/*-------------------------------------------------------------------------
 *
 * infer.c
 *	  The vector of a document under a trained model.
 *
 * As in training, words are drawn anew in each pass, and so are windows and
 * negatives; alpha falls from pass to pass.  All that is random comes from
 * the seed.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/doc2vec/infer.h"

#include <string.h>

/* Words between two checks: below a millisecond at a hundred dimensions */
#define CHECK_WORDS 4096

/* alpha at the end, beside its start: as in training */
#define LAST_ALPHA 1e-4f

/* Rows of a window that are summed by one call of a kernel */
#define ROWS_AT_ONCE	32

typedef struct Inference
{
	const InferModel *model;
	Random		random;
	float		alpha;
	float	   *row;			/* of the document */
	float	   *hidden;
	float	   *before;
	float	   *change;
	int			unchecked;
} Inference;

/* The word and its negatives, as in training */
static int
choose_targets(Inference *inference, int32_t word, const float **targets,
			   float *labels)
{
	const InferModel *model = inference->model;
	int			count = 0;

	targets[count] = model->outputs[word];
	labels[count++] = 1;
	for (int i = 0; i < model->negative && model->words > 1; i++)
	{
		int32_t		other = word;

		for (int tries = 0; other == word && tries < 11; tries++)
			other = sgd_draw_negative(&inference->random, model->negatives,
									  model->words);
		if (other == word)
			continue;
		targets[count] = model->outputs[other];
		labels[count++] = 0;
	}
	return count;
}

static void
pull(Inference *inference, float *input, int32_t word)
{
	const float *targets[STEP_MAX_TARGETS];
	float		labels[STEP_MAX_TARGETS];
	int			count = choose_targets(inference, word, targets, labels);

	inference->model->kernels->pull(inference->model->stride, input, targets,
									labels, count, inference->alpha,
									inference->change);
	if (++inference->unchecked == CHECK_WORDS)
	{
		inference->unchecked = 0;
		inference->model->check();
	}
}

/* PV-DM: the mean of the row and the window predicts the middle word. */
static void
pull_window(Inference *inference, const int32_t *words, int count, int middle)
{
	const InferModel *model = inference->model;
	int			stride = model->stride;
	int			window = 1 + (int) random_below(&inference->random,
												model->window_size);
	int			from = middle - window < 0 ? 0 : middle - window;
	int			to = middle + window >= count ? count - 1 : middle + window;
	const float *rows[ROWS_AT_ONCE];
	int			some = 0;

	memcpy(inference->hidden, inference->row, sizeof(float) * stride);
	for (int i = from; i <= to; i++)
	{
		if (i != middle)
			rows[some++] = model->inputs[words[i]];
		if (some < ROWS_AT_ONCE && i < to)
			continue;
		model->kernels->sum(stride, inference->hidden, rows, some);
		some = 0;
	}
	/* the middle's place is the document's */
	model->kernels->scale(stride, inference->hidden, 1.0f / (to - from + 1),
						  inference->before);
	pull(inference, inference->hidden, words[middle]);
	model->kernels->add(stride, inference->row, inference->hidden, 1);
	model->kernels->add(stride, inference->row, inference->before, -1);
}

void
infer_document(const InferModel *model, const int32_t *words, int count,
			   uint64_t seed, int32_t *kept, float *work, float *row)
{
	Inference	inference = {0};

	inference.model = model;
	inference.row = row;
	inference.hidden = work;
	inference.before = work + model->stride;
	inference.change = work + 2 * model->stride;
	random_seed(&inference.random, seed);
	sgd_init_row(row, model->dims, model->stride, &inference.random);
	for (int epoch = 0; epoch < model->epochs; epoch++)
	{
		float		left = 1 - (float) epoch / model->epochs;
		int			some = 0;

		inference.alpha = model->alpha *
			(left > LAST_ALPHA ? left : LAST_ALPHA);
		for (int i = 0; i < count; i++)
			if (sgd_keeps(&inference.random, model->keep[words[i]]))
				kept[some++] = words[i];
		for (int i = 0; i < some; i++)
		{
			if (model->in_window)
				pull_window(&inference, kept, some, i);
			else
				pull(&inference, row, kept[i]);
		}
		model->check();
	}
}
